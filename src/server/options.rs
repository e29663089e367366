//! What a program may ask of a server, with the defaults and the rules of the contract.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

#[cfg(feature = "server")]
use super::forwarded::Trusted;
use crate::connection::Limits;
use crate::error::{Code, Error, Result};
use crate::header::{check_header, sub_protocols};
use crate::http::is_authority;
use crate::tls::TlsVersion;

/// How many clients, and how many connections each, unless the program says otherwise.
pub(super) const DEFAULT_QUOTA: u32 = 10;

/// What all connections may hold of what they receive, if no message may be larger.
const DEFAULT_BUDGET: usize = 64 << 20;

/// Headers of answers that the handshake owns, or this side for what it sends.
pub(super) const OWNED_IN_ANSWERS: [&str; 9] = [
    "upgrade",
    "connection",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-version",
    "content-length",
    "transfer-encoding",
    "trailer",
];

/// Headers of a body, which only an answer with a body of its own may set.
const OF_THE_BODY: [&str; 3] = ["Content-Type", "Content-Encoding", "Content-Range"];

/// How to listen.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The address to listen on; "" for every IPv4 address.
    pub ip: String,
    /// The port to listen on; 0: the system picks one.
    pub port: u32,
    /// Other servers of this user that ask for the same may listen on the port as well (SO_REUSEPORT).
    pub reuse_port: bool,
    /// With it, the server speaks wss and only wss.
    pub certificate: Option<CertificateFiles>,
    /// With it, clients must have a certificate: a PEM file of those that are trusted.
    pub client_ca: Option<PathBuf>,
    /// The oldest TLS version that is acceptable.
    pub min_tls_version: TlsVersion,
    /// The sub-protocols that the server speaks, separated by commas, the preferred one first.
    pub protocol: String,
    /// How many addresses may be connected at once; 0 for the default.
    pub max_concurrent_clients: u32,
    /// How many connections one address may have; 0 for the default.
    pub max_connections_per_client: u32,
    /// How many upgrades one address may ask for in a minute; 0 for no limit.
    pub max_upgrades_per_minute: u32,
    /// How long TLS and the opening handshake may take.
    pub handshake_timeout: Duration,
    /// What a connection may hold and how long it may take.
    pub limits: Limits,
    /// What all connections may hold of what they receive; 0 for the default.
    pub receive_budget: usize,
    /// The origins of web pages that may connect, separated by commas; `None`: any.
    pub allowed_origins: Option<String>,
    /// Headers of every answer, besides those of the handshake.
    pub response_headers: Vec<(String, String)>,
    /// The path for which a `GET` that isn't an upgrade gets a 200; `None`: there is none.
    pub health_path: Option<String>,
    /// Proxies whose word about the client's address is trusted: addresses and networks, separated by commas.
    pub trusted_proxies: String,
    /// Whether links from trusted proxies begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// How many descriptors the process may have, if that is known: handshakes and lingering connections get a share of them.
    pub descriptors: Option<u64>,
}

/// Where a server's identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// A PEM file: the server's certificate, then those that lead to its CA.
    pub chain: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            ip: String::new(),
            port: 0,
            reuse_port: false,
            certificate: None,
            client_ca: None,
            min_tls_version: TlsVersion::Tls12,
            protocol: String::new(),
            max_concurrent_clients: DEFAULT_QUOTA,
            max_connections_per_client: DEFAULT_QUOTA,
            max_upgrades_per_minute: 50,
            handshake_timeout: Duration::from_secs(10),
            limits: Limits::default(),
            receive_budget: 0,
            allowed_origins: None,
            response_headers: Vec::new(),
            health_path: None,
            trusted_proxies: String::new(),
            proxy_protocol: false,
            descriptors: None,
        }
    }
}

impl ServerOptions {
    /// Checks every rule that needs no file and no socket, but those of the address.
    pub fn check(&self) -> Result<()> {
        self.limits.check()?;
        if self.handshake_timeout.is_zero() {
            return Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed."));
        }
        // Each would get a port of its own.
        if self.reuse_port && self.port == 0 {
            return Err(Error::call(Code::Parameter, "reuse_port needs a server_port."));
        }
        self.origins()?;
        self.response_header_lines()?;
        if let Some(path) = &self.health_path {
            if !path.starts_with('/')
                || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#')
            {
                let message =
                    "health_path is not a path: it must begin with a slash and have no query and no blanks.";
                return Err(Error::call(Code::Parameter, message));
            }
        }
        #[cfg(feature = "server")]
        if Trusted::parse(&self.trusted_proxies)?.is_empty() && self.proxy_protocol {
            return Err(Error::call(
                Code::Parameter,
                "With proxy_protocol, trusted_proxies must name the proxies.",
            ));
        }
        self.protocols().map(|_| ())
    }

    /// What all connections may hold of what they receive.
    pub(super) fn receive_budget(&self) -> usize {
        match self.receive_budget {
            0 => DEFAULT_BUDGET.max(self.limits.max_receive_size),
            given => given,
        }
    }

    /// The address to listen on.
    pub fn address(&self) -> Result<SocketAddr> {
        let ip: IpAddr = match self.ip.as_str() {
            "" => std::net::Ipv4Addr::UNSPECIFIED.into(),
            ip => ip.parse().map_err(|_| {
                Error::call(Code::ListenAddress, format!("server_ip {ip:?} is not an IPv4 or IPv6 address."))
            })?,
        };
        // The system would listen there, and no client could ever connect.
        if ip.is_multicast() || ip == IpAddr::from(std::net::Ipv4Addr::BROADCAST) {
            return Err(Error::call(
                Code::ListenAddress,
                format!("server_ip {ip} is not the address of a single device."),
            ));
        }
        let port = u16::try_from(self.port).map_err(|_| {
            Error::call(Code::ListenPort, format!("server_port {} is above 65535.", self.port))
        })?;
        Ok(SocketAddr::new(ip, port))
    }

    pub(super) fn protocols(&self) -> Result<Vec<String>> {
        let protocols = sub_protocols(std::iter::once(self.protocol.as_str()))?;
        Ok(protocols.into_iter().map(str::to_owned).collect())
    }

    /// What the program has every answer say, as lines of its head.
    pub(super) fn response_header_lines(&self) -> Result<String> {
        for (name, value) in &self.response_headers {
            check_header(name, value, &OWNED_IN_ANSWERS)?;
            if OF_THE_BODY.iter().any(|of_the_body| name.eq_ignore_ascii_case(of_the_body)) {
                let message = format!("response_headers can't set {name}: each answer has its own body.");
                return Err(Error::call(Code::Parameter, message));
            }
        }
        Ok(self.response_headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect())
    }

    /// The origins of web pages that may connect, as browsers write them (RFC 6454 6.2); `None`: any.
    pub(super) fn origins(&self) -> Result<Option<Vec<String>>> {
        let listed = self.allowed_origins.as_deref().map(|list| list.split(',').map(str::trim));
        let origin = |text: &str| {
            let invalid = || {
                // A URL with a password is no origin.
                let shown = text.rsplit('@').next().unwrap_or_default();
                let message =
                    format!("allowed_origins: {shown:?} is not an origin such as https://example.com:8443.");
                Error::call(Code::Parameter, message)
            };
            let text = text.to_ascii_lowercase();
            let (scheme, authority) = text.split_once("://").ok_or_else(invalid)?;
            let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            // A star would be for any, which there isn't: origins are exact.
            let is_exact = !authority.contains('*') && is_authority(authority.as_bytes());
            if scheme.is_empty() || !scheme.bytes().all(is_scheme_byte) || !is_exact {
                return Err(invalid());
            }
            match scheme {
                // The host in the form in which browsers send it, and without the scheme's own port.
                "http" | "https" => {
                    Ok(Url::parse(&text).map_err(|_| invalid())?.origin().ascii_serialization())
                }
                _ => Ok(text),
            }
        };
        listed.map(|listed| listed.filter(|text| !text.is_empty()).map(origin).collect()).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read = |list: &str| {
            ServerOptions { allowed_origins: Some(list.into()), ..ServerOptions::default() }.origins()
        };
        assert_eq!(ServerOptions::default().origins().unwrap(), None);
        assert_eq!(read(" , ").unwrap().unwrap(), Vec::<String>::new());
        let origins =
            read("HTTPS://Example.com:443, http://10.0.0.7:8080,http://[::1]:80,https://a:80,app://x")
                .unwrap();
        let expected =
            ["https://example.com", "http://10.0.0.7:8080", "http://[::1]", "https://a:80", "app://x"];
        assert_eq!(origins.unwrap(), expected);
        // Each has other ways to write it than the one in which browsers do.
        let origins = read(
            "https://[0:0:0::1]:8443,http://[::ffff:1.2.3.4],http://a:080,https://a:,https://0x7f.1:0444",
        )
        .unwrap();
        let expected = [
            "https://[::1]:8443",
            "http://[::ffff:102:304]",
            "http://a",
            "https://a",
            "https://127.0.0.1:444",
        ];
        assert_eq!(origins.unwrap(), expected);
        let error = read("https://user:secret@a").unwrap_err();
        assert!(!error.message.contains("secret"), "{error}");
        for wrong in [
            "*",
            "null",
            "example.com",
            "https://",
            "https://a/",
            "https://a b",
            "https://a?x",
            "://a",
            "https://*.a",
        ] {
            assert_eq!(read(wrong).unwrap_err().code, Code::Parameter, "{wrong}");
        }
    }
}
