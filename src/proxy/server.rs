//! The description of a proxy: its protocol, its address, the user that it is given, and the hosts that it isn't for.

use std::fmt;
use std::net::Ipv6Addr;

use url::Host;

use super::exclusion::Exclusions;
use crate::secret::Secret;

/// Through which proxy to connect.
#[derive(Clone, Debug, Default)]
pub enum Proxy {
    /// The one that the platform or, without its hook, the environment names.
    #[default]
    System,
    /// None.
    None,
    /// This one.
    Explicit(Server),
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP/1.1, asked to CONNECT (RFC 9110 9.3.6).
    Http,
    /// SOCKS5 (RFC 1928); the proxy looks up the names.
    Socks5,
}

impl ProxyKind {
    /// The kind in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            ProxyKind::Http => "HTTP",
            ProxyKind::Socks5 => "SOCKS5",
        }
    }
}

/// The user name and password for a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub username: Secret,
    pub password: Secret,
}

/// A proxy that can be used, and the hosts that are reached without it.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) kind: ProxyKind,
    /// A name or an address without brackets.
    host: String,
    port: u16,
    pub(super) credentials: Option<Credentials>,
    exclusions: Exclusions,
}

impl Server {
    /// A proxy, or a sentence about what can't be one.
    pub fn new(
        kind: ProxyKind,
        host: &str,
        port: u32,
        username: Option<&str>,
        password: Option<&str>,
        exclusions: Exclusions,
    ) -> Result<Server, String> {
        if host.is_empty() {
            return Err("The proxy has no host.".into());
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = match (bare.parse::<Ipv6Addr>(), Host::parse(host)) {
            (Ok(address), _) => address.to_string(),
            (Err(_), Ok(host)) => host.to_string(),
            (Err(_), Err(_)) => {
                return Err("The proxy's host is neither a host name nor an IP address.".into())
            }
        };
        let port = match u16::try_from(port) {
            Ok(port) if port != 0 => port,
            _ => return Err(format!("The proxy's port is {port}, not 1 to 65535.")),
        };
        let credentials = match (username.unwrap_or_default(), password.unwrap_or_default()) {
            ("", "") => None,
            ("", _) => return Err("There is a password for the proxy, but no user name.".into()),
            (username, password) => Some(Credentials::checked(kind, username, password)?),
        };
        Ok(Server { kind, host, port, credentials, exclusions })
    }

    /// What it speaks.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// A name or an address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Itself, unless the host is reached without it.
    pub fn unless_excluded(self, host: &str) -> Option<Server> {
        Some(self).filter(|server| !server.exclusions.cover(host))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "the proxy [{}]:{}", self.host, self.port),
            false => write!(f, "the proxy {}:{}", self.host, self.port),
        }
    }
}

impl Credentials {
    fn checked(kind: ProxyKind, username: &str, password: &str) -> Result<Credentials, String> {
        // RFC 7617 2.
        if username.chars().chain(password.chars()).any(char::is_control) {
            return Err("The proxy's user name or password holds a control character.".into());
        }
        // RFC 7617 2, RFC 1929 2.
        match kind {
            ProxyKind::Http if username.contains(':') => {
                return Err("The proxy's user name holds a colon, which HTTP can't express.".into())
            }
            ProxyKind::Socks5
                if !(1..=255).contains(&username.len()) || !(1..=255).contains(&password.len()) =>
            {
                return Err("SOCKS5 takes a user name and a password of 1 to 255 bytes each.".into())
            }
            ProxyKind::Http | ProxyKind::Socks5 => {}
        }
        Ok(Credentials { username: username.into(), password: password.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(
        kind: ProxyKind,
        host: &str,
        port: u32,
        username: &str,
        password: &str,
    ) -> Result<Server, String> {
        Server::new(kind, host, port, Some(username), Some(password), Exclusions::default())
    }

    #[test]
    fn hosts_and_how_they_are_shown() {
        for (given, shown) in [
            ("proxy.example", "the proxy proxy.example:3128"),
            ("Proxy.Example", "the proxy proxy.example:3128"),
            ("bücher.example", "the proxy xn--bcher-kva.example:3128"),
            ("10.0.0.1", "the proxy 10.0.0.1:3128"),
            ("::1", "the proxy [::1]:3128"),
            ("[::1]", "the proxy [::1]:3128"),
        ] {
            assert_eq!(server(ProxyKind::Http, given, 3128, "", "").unwrap().to_string(), shown);
        }
        for given in
            ["", "a b", "http://proxy", "proxy:3128", "user@proxy", "proxy/", "a\r\nb", "[::1", "[proxy]"]
        {
            server(ProxyKind::Http, given, 3128, "", "").expect_err(given);
        }
        for port in [0, 65536, u32::MAX] {
            assert!(server(ProxyKind::Http, "proxy", port, "", "").unwrap_err().contains(&port.to_string()));
        }
    }

    #[test]
    fn credentials_that_a_proxy_can_be_told_and_that_are_never_shown() {
        let long = "x".repeat(255);
        for (kind, username, password) in [
            (ProxyKind::Http, "alice", ""),
            (ProxyKind::Http, "alice", "p:w"),
            (ProxyKind::Http, "üser", "pässword"),
            (ProxyKind::Socks5, "al:ice", "pw"),
            (ProxyKind::Socks5, &long, &long),
        ] {
            let server = server(kind, "proxy", 1, username, password).unwrap();
            assert!(server.credentials.is_some());
            let shown = format!("{server} {server:?}");
            assert!(!shown.contains(username), "{shown}");
            assert!(password.is_empty() || !shown.contains(password), "{shown}");
        }
        let longer = "x".repeat(256);
        for (kind, username, password) in [
            (ProxyKind::Http, "", "hidden"),
            (ProxyKind::Http, "al:ice", "hidden"),
            (ProxyKind::Http, "alice\r\nX: y", "hidden"),
            (ProxyKind::Http, "alice", "hid\nden"),
            (ProxyKind::Socks5, "alice", ""),
            (ProxyKind::Socks5, &longer, "hidden"),
            (ProxyKind::Socks5, "alice", &longer),
        ] {
            let sentence = server(kind, "proxy", 1, username, password).unwrap_err();
            assert!(username.is_empty() || !sentence.contains(username), "{sentence}");
            assert!(
                password.is_empty() || !sentence.contains(password) || password == "password",
                "{sentence}"
            );
        }
        assert!(server(ProxyKind::Socks5, "proxy", 1, "", "").unwrap().credentials.is_none());
    }
}
