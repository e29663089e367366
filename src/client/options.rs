//! What a program may ask of a client, with the defaults and the rules of the contract.

use std::path::PathBuf;
use std::time::Duration;

use super::link_options::LinkOptions;
use super::reconnect::Reconnect;
use crate::connection::Limits;
use crate::error::{Code, Error, Result};
use crate::header::{check_header, sub_protocols, OWNED_HEADERS};
use crate::proxy::Proxy;
use crate::tls::{is_server_name, ClientCert, PublicKeyPin, TlsVersion};
use crate::url::LONGEST_URL;

/// The most redirects in a row. More are a loop.
const MOST_REDIRECTS: u32 = 50;

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Sub-protocols to offer, separated by commas.
    pub protocol: String,
    /// A PEM file whose certificates are trusted instead of the system's.
    pub ca_path: Option<PathBuf>,
    /// This side's certificate, if the server asks for one.
    pub client_cert: Option<ClientCert>,
    /// The server's public key must be one of these; empty: any.
    pub pinned_public_keys: Vec<PublicKeyPin>,
    /// Through which proxy to connect.
    pub proxy: Proxy,
    /// How long an attempt may take.
    pub connect_timeout: Duration,
    /// What the connection may hold and how long it may take.
    pub limits: Limits,
    /// The oldest TLS version that is acceptable.
    pub min_tls_version: TlsVersion,
    /// Accept any certificate and host name.
    pub skip_server_cert_verification: bool,
    /// Whether `Origin` carries a port that isn't the default one.
    pub support_origin_port: bool,
    /// The value of `Origin` instead of the URL's; "": no such header.
    pub origin: Option<String>,
    /// How many bytes the URL may have.
    pub max_url_length: usize,
    /// Whether and how to connect again by itself.
    pub reconnect: Reconnect,
    /// How many redirects in a row to follow.
    pub max_redirects: u32,
    /// The way to the server.
    pub link: LinkOptions,
    /// The name of the server in TLS, instead of the URL's host.
    pub tls_server_name: Option<String>,
    /// Whether the environment may name proxies and CAs: not in a process with privileges that its caller doesn't have.
    pub trusts_environment: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            headers: Vec::new(),
            protocol: String::new(),
            ca_path: None,
            client_cert: None,
            pinned_public_keys: Vec::new(),
            proxy: Proxy::System,
            connect_timeout: Duration::from_secs(15),
            limits: Limits::default(),
            min_tls_version: TlsVersion::Tls12,
            skip_server_cert_verification: false,
            support_origin_port: true,
            origin: None,
            max_url_length: LONGEST_URL,
            reconnect: Reconnect::default(),
            max_redirects: 0,
            link: LinkOptions::default(),
            tls_server_name: None,
            trusts_environment: true,
        }
    }
}

impl ConnectOptions {
    /// Checks every rule that needs no file and no network.
    pub fn check(&self) -> Result<()> {
        self.limits.check()?;
        self.link.check()?;
        if self.connect_timeout.is_zero() {
            return Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed."));
        }
        let Reconnect { min_delay, max_delay, .. } = self.reconnect;
        if min_delay.is_zero() || min_delay > max_delay {
            return Err(Error::call(
                Code::Parameter,
                "reconnect_min_delay_ms is 0 or above reconnect_max_delay_ms.",
            ));
        }
        if self.max_redirects > MOST_REDIRECTS {
            let message = format!("max_redirects is above {MOST_REDIRECTS}.");
            return Err(Error::call(Code::Parameter, message));
        }
        for (name, value) in &self.headers {
            check_header(name, value, &OWNED_HEADERS)?;
        }
        if self.tls_server_name.as_ref().is_some_and(|name| !is_server_name(name)) {
            let message = "tls_server_name can't be the name of a TLS server.";
            return Err(Error::call(Code::Parameter, message));
        }
        if let Some(origin) = &self.origin {
            check_header("Origin", origin, &OWNED_HEADERS)?;
        }
        self.protocols().map(|_| ())
    }

    /// The sub-protocols to offer, from the option and from a `Sec-WebSocket-Protocol` header.
    pub fn protocols(&self) -> Result<Vec<&str>> {
        let from_headers = self
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .map(|(_, value)| value.as_str());
        sub_protocols(std::iter::once(self.protocol.as_str()).chain(from_headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(name: &str, value: &str) -> ConnectOptions {
        ConnectOptions { headers: vec![(name.into(), value.into())], ..Default::default() }
    }

    #[test]
    fn headers_that_would_split_the_request_are_refused() {
        for (name, value) in [
            ("X", "a\r\nY: b"),
            ("X", "a\nb"),
            ("X", "a\0b"),
            ("X\r\nY", "b"),
            ("X Y", "b"),
            ("", "b"),
            ("X:", "b"),
            ("Upgrade", "h2c"),
            ("sec-websocket-KEY", "x"),
            ("Connection", "close"),
        ] {
            assert_eq!(
                with_header(name, value).check().unwrap_err().code,
                Code::Parameter,
                "{name:?} {value:?}"
            );
        }
        for (name, value) in
            [("Host", "example.com"), ("Origin", "https://a"), ("X", ""), ("X", "a\tb \u{e9}")]
        {
            with_header(name, value).check().unwrap();
        }
    }

    #[test]
    fn a_protocol_header_acts_as_the_option() {
        let mut options = with_header("sec-websocket-protocol", "b, c ,a");
        options.protocol = "a,,b".into();
        assert_eq!(options.protocols().unwrap(), ["a", "b", "c"]);
        options.protocol = "a, secret token".into();
        let error = options.check().unwrap_err();
        assert!(error.message.contains("Sub-protocol 2") && !error.message.contains("secret"), "{error}");
    }
}
