//! The URL that a program gives, as the parts that a connection needs (RFC 6455 3).

use std::borrow::Cow;
use std::fmt::Write;
use std::net::Ipv6Addr;

use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};
use crate::secret::Secret;

/// How many bytes a URL may have, unless the program says otherwise.
pub(crate) const LONGEST_URL: usize = 2048;

/// The longest name of an interface (IFNAMSIZ).
const LONGEST_INTERFACE: usize = 15;

/// Where to connect, and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// wss.
    pub secure: bool,
    /// The host without brackets: for the name lookup and the certificate.
    pub host: String,
    /// The interface that a link-local address belongs to; it is not sent to any server (RFC 6874).
    pub zone: Option<String>,
    /// The port, the scheme's own unless the URL has one.
    pub port: u16,
    /// Path and query.
    pub resource: String,
    /// The value of an `Authorization` header, from user and password.
    pub authorization: Option<Secret>,
}

impl Target {
    /// Reads a URL of at most [`LONGEST_URL`] bytes. No error shows the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Target> {
        Target::parse_within(text, LONGEST_URL)
    }

    /// Reads a URL of at most `longest` bytes.
    pub fn parse_within(text: &str, longest: usize) -> Result<Target> {
        if text.is_empty() {
            return Err(url_error("The URL is empty."));
        }
        if text.len() > longest {
            return Err(url_error(format!("The URL has {} bytes, more than {longest}.", text.len())));
        }
        // The URL standard quietly drops or mends these; here they are mistakes.
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(url_error("The URL holds a space, a control character or a backslash."));
        }
        if text.contains('#') {
            return Err(url_error("The URL has a fragment, which a WebSocket URL can't have (RFC 6455 3)."));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| url_error("The URL has no scheme."))?;
        let secure = scheme.eq_ignore_ascii_case("wss");
        if !secure && !scheme.eq_ignore_ascii_case("ws") {
            return Err(url_error("The URL's scheme is neither ws nor wss."));
        }
        // Taken out before anything copies it (RFC 3986 3.2).
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (userinfo, rest) = match authority.rfind('@').and_then(|at| rest.split_at_checked(at)) {
            Some((userinfo, host)) => (Some(userinfo), host.strip_prefix('@').unwrap_or(host)),
            None => (None, rest),
        };
        if rest.is_empty() || rest.starts_with(['/', '?']) {
            return Err(url_error("The URL has no host."));
        }
        let (rest, zone) = without_zone(rest)?;
        let url = match (&rest, userinfo) {
            (Cow::Borrowed(_), None) => Url::parse(text),
            _ => Url::parse(&format!("{scheme}://{rest}")),
        };
        let url = url.map_err(|error| url_error(format!("The URL is invalid: {error}.")))?;
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => return Err(url_error("The URL has no host.")),
        };
        let port = match url.port_or_known_default() {
            Some(port) if port != 0 => port,
            _ => return Err(url_error("The URL's port is 0.")),
        };
        let resource = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let authorization = userinfo.and_then(basic_authorization);
        Ok(Target { secure, host, zone, port, resource, authorization })
    }

    /// `host` as it stands in a URL: IPv6 in brackets.
    pub fn url_host(&self) -> String {
        self.after("")
    }

    /// `text`, then the host as in a URL; with room for a port.
    fn after(&self, text: &str) -> String {
        let mut all = String::with_capacity(text.len() + self.host.len() + "[]:65535".len());
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        [text, open, &self.host, close].iter().for_each(|part| all.push_str(part));
        all
    }

    fn with_port(&self, mut host: String) -> String {
        // Writing to a String can't fail.
        let _ = write!(host, ":{}", self.port);
        host
    }

    /// The value of `Host`: with the port when it isn't the scheme's own.
    pub fn authority(&self) -> String {
        match self.has_default_port() {
            true => self.url_host(),
            false => self.address(),
        }
    }

    /// The value of `Origin`.
    pub fn origin(&self, with_port: bool) -> String {
        let host = self.after(if self.secure { "https://" } else { "http://" });
        match with_port && !self.has_default_port() {
            true => self.with_port(host),
            false => host,
        }
    }

    /// Host and port, for a person.
    pub fn address(&self) -> String {
        self.with_port(self.url_host())
    }

    /// Scheme, host and port as a URL: nothing in it is secret.
    pub fn base_url(&self) -> String {
        format!("{}://{}/", if self.secure { "wss" } else { "ws" }, self.address())
    }

    /// The URL; nothing in it is secret but what path and query may hold.
    pub fn url(&self) -> String {
        format!("{}{}", self.base_url().trim_end_matches('/'), self.resource)
    }

    fn has_default_port(&self) -> bool {
        self.port == if self.secure { 443 } else { 80 }
    }
}

/// Host and rest without the zone of a link-local address, and the zone (RFC 6874 2).
fn without_zone(rest: &str) -> Result<(Cow<'_, str>, Option<String>)> {
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let Some((host, behind)) = bracketed else { return Ok((rest.into(), None)) };
    let Some((address, zone)) = host.split_once("%25") else { return Ok((rest.into(), None)) };
    let zone = percent_decode_str(zone).decode_utf8().unwrap_or_default();
    if !address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_unicast_link_local()) {
        return Err(url_error("The URL has a zone, which only a link-local address (fe80::/10) can have."));
    }
    match is_interface(&zone) {
        true => Ok((format!("[{address}]{behind}").into(), Some(zone.into_owned()))),
        false => Err(url_error("The URL's zone can't be the name of an interface.")),
    }
}

/// Whether an interface may have this name.
pub(crate) fn is_interface(name: &str) -> bool {
    (1..=LONGEST_INTERFACE).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"/%]".contains(&byte))
}

/// RFC 7617 2.
fn basic_authorization(userinfo: &str) -> Option<Secret> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    // As much as it takes: a text that grows leaves copies behind.
    let mut pair = Zeroizing::new(Vec::with_capacity(userinfo.len() + 1));
    pair.extend(percent_decode_str(user));
    pair.push(b':');
    pair.extend(percent_decode_str(password));
    let mut value = Zeroizing::new(String::with_capacity(6 + BASE64.encode_len(pair.len())));
    value.push_str("Basic ");
    BASE64.encode_append(&pair, &mut value);
    Some(Secret::from(value.as_str()))
}

fn url_error(message: impl Into<String>) -> Error {
    Error::call(Code::Url, message)
}

/// Any text is a URL or an error. What becomes of a URL is fit for a request's head, and is a URL that means the same;
/// an error doesn't show the password.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(target) = Target::parse(text) {
        let scheme = if target.secure { "wss" } else { "ws" };
        assert!(!target.host.is_empty() && target.port != 0 && target.resource.starts_with('/'));
        let texts = [&target.authority(), &target.resource, &target.origin(true), &target.address()];
        let authorization = target.authorization.as_ref().map_or("", Secret::expose).replacen(' ', "", 1);
        for text in texts.into_iter().chain([&authorization]) {
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
        }
        let again = format!("{scheme}://{}{}", target.authority(), target.resource);
        let same = Target { authorization: None, zone: None, ..target };
        if again.len() <= LONGEST_URL {
            assert_eq!(Target::parse(&again).ok(), Some(same), "{again}");
        }
    }
    if let Err(error) = Target::parse(&format!("ws://user:Pa55word@{text}")) {
        assert!(!error.message.contains("Pa55word"), "{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_refused() {
        let long = format!("ws://h/{}", "a".repeat(2042));
        assert_eq!(long.len(), 2049);
        for text in [
            "",
            "hello",
            "123",
            "ws://",
            "wss://",
            "ws:///path",
            "ws://?q",
            "http://host",
            "https://host",
            "ws:host",
            "//host",
            "ws://host#fragment",
            "ws://host/#",
            "ws://ho st",
            "ws://host\n",
            "\tws://host",
            "ws://host:0",
            "ws://host:65536",
            "ws://host:port",
            "ws://[::1",
            "ws://[zz]",
            "ws://a\\b",
            "ws://:80",
            "ws://user@",
            "ws://user@/x",
            "www.example.com",
            "ws://[fe80::1%eth0]",
            "ws://[fe80::1%25]",
            "ws://[fe80::1%25sixteen-bytes-xx]",
            "ws://[fe80::1%25a%2Fb]",
            "ws://[fe80::1%25a%25b]",
            "ws://[fe80::1%25%FF]",
            "ws://[fec0::1%25eth0]",
            "ws://[::1%25lo]",
            "ws://[127.0.0.1%25lo]",
            &long,
        ] {
            let error = Target::parse(text).expect_err(text);
            assert_eq!(error.code, Code::Url, "{text}");
        }
    }

    #[test]
    fn urls_and_what_becomes_of_them() {
        let parse = |text: &str| Target::parse(text).unwrap();
        let longest = format!("ws://h/{}", "a".repeat(2041));
        assert_eq!(longest.len(), 2048);
        parse(&longest);
        Target::parse_within(&longest, 2047).unwrap_err();
        Target::parse_within(&format!("{longest}a"), 2049).unwrap();

        let target = parse("WS://Example.COM");
        assert_eq!((target.host.as_str(), target.port, target.secure), ("example.com", 80, false));
        assert_eq!((target.resource.as_str(), target.authority().as_str()), ("/", "example.com"));
        assert_eq!(target.origin(true), "http://example.com");

        let target = parse("wss://[::1]:8443/a%20b?c=d");
        assert_eq!((target.host.as_str(), target.port, target.secure), ("::1", 8443, true));
        assert_eq!(target.resource, "/a%20b?c=d");
        assert_eq!(target.authority(), "[::1]:8443");
        assert_eq!(target.base_url(), "wss://[::1]:8443/");
        assert_eq!(
            (target.origin(false), target.origin(true)),
            ("https://[::1]".into(), "https://[::1]:8443".into())
        );

        let target = parse("ws://user:pw@[FE80::1%25wlan0.1]:81/x%25y");
        assert_eq!((target.host.as_str(), target.zone.as_deref()), ("fe80::1", Some("wlan0.1")));
        assert_eq!((target.authority().as_str(), target.resource.as_str()), ("[fe80::1]:81", "/x%25y"));
        assert_eq!(parse("ws://[fe80::1%25%65th0]").zone.as_deref(), Some("eth0"));
        assert_eq!(parse("ws://host/[fe80::1%25eth0]").zone, None);

        assert_eq!(parse("ws://host?q=1").resource, "/?q=1");
        assert_eq!(parse("wss://h").port, 443);
        assert_eq!(parse("ws://bücher.example/ü").host, "xn--bcher-kva.example");
        assert_eq!(parse("ws://bücher.example/ü").resource, "/%C3%BC");
    }

    #[test]
    fn userinfo_becomes_basic_authorization_and_is_never_shown() {
        let target = Target::parse("ws://Aladdin:open%20sesame@host/").unwrap();
        let shown = |text: &str| {
            let target = Target::parse(text).unwrap();
            assert!(!format!("{target:?}").contains("QWxh"));
            target.authorization.map(|value| value.expose().to_owned())
        };
        assert_eq!(target.authorization, Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into()));
        assert_eq!(
            shown("ws://Aladdin:open%20sesame@host/@").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(shown("ws://a@b:c@host?x@y").as_deref(), Some("Basic YUBiOmM="));
        assert_eq!(shown("ws://:pw@host").as_deref(), Some("Basic OnB3"));
        assert_eq!((shown("ws://@host"), shown("ws://:@host"), shown("ws://host/a:b@c")), (None, None, None));
        assert!(!target.address().contains("Aladdin"));
        let error = Target::parse("ws://user:secret@host:99999/").unwrap_err();
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}
