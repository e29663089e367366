//! What a program may ask of a connection, with the defaults and the rules of the contract.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::{LinkOptions, Reconnect};
use crate::error::{Code, Error, Result};
use crate::frame::extension::CompressionOptions;
use crate::proxy;
use crate::secret::Secret;
use crate::tls::PublicKeyPin;

/// The oldest TLS version that is acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 or newer.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// A certificate of this side, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// A PEM file with the certificate and those that lead to its CA.
    pub cert_path: PathBuf,
    /// A PEM file with the private key; it may be the same.
    pub key_path: PathBuf,
    /// What opens the key, if it is encrypted.
    pub key_password: Option<Secret>,
}

/// Through which proxy to connect.
#[derive(Clone, Debug, Default)]
pub enum Proxy {
    /// The one that the platform or, without its hook, the environment names.
    #[default]
    System,
    /// None.
    None,
    /// This one.
    Explicit(proxy::Server),
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Sub-protocols to offer, separated by commas.
    pub protocol: String,
    /// A PEM file whose certificates are trusted instead of the system's.
    pub ca_path: Option<PathBuf>,
    /// Who this side is, if the server asks.
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
            max_url_length: crate::url::LONGEST_URL,
            reconnect: Reconnect::default(),
            max_redirects: 0,
            link: LinkOptions::default(),
            tls_server_name: None,
            trusts_environment: true,
        }
    }
}

/// What an open connection may hold and how long it may take, whichever side this is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest message that is received.
    pub max_receive_size: usize,
    /// The largest message that may be sent.
    pub max_send_size: usize,
    /// How many bytes may wait to be sent.
    pub send_queue_size: usize,
    /// How long closing may take.
    pub close_timeout: Duration,
    /// When to ping.
    pub heartbeat: Heartbeat,
    /// How long a message under way may pause; `None`: for ever.
    pub message_timeout: Option<Duration>,
    /// Whether and how to compress.
    pub compression: CompressionOptions,
    /// Hand on messages in parts, as they arrive.
    pub receive_parts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_receive_size: 16 << 20,
            max_send_size: 5 << 20,
            send_queue_size: 16 << 20,
            close_timeout: Duration::from_secs(5),
            message_timeout: Some(Duration::from_secs(60)),
            compression: CompressionOptions::default(),
            receive_parts: false,
            heartbeat: Heartbeat {
                interval: Some(DEFAULT_PING_INTERVAL),
                timeout: Some(DEFAULT_PONG_TIMEOUT),
            },
        }
    }
}

impl Limits {
    /// Checks the rules.
    pub fn check(&self) -> Result<()> {
        if self.close_timeout.is_zero() {
            return Err(parameter("A timeout of 0 is not allowed."));
        }
        if self.max_receive_size == 0 {
            return Err(parameter("A receive limit of 0 is not allowed."));
        }
        self.compression.check()
    }
}

/// How long nothing is received before a ping is sent, unless the program says otherwise.
pub const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the peer may be silent after a ping, unless the program says otherwise.
const DEFAULT_PONG_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_PING_INTERVAL: Duration = Duration::from_millis(30_000_000);

/// When to ping, and when silence means that the peer is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// `None`: no heartbeat.
    pub interval: Option<Duration>,
    /// `None`: the peer may be silent for ever.
    pub timeout: Option<Duration>,
}

impl Heartbeat {
    /// The heartbeat that a program asks for. An interval of zero is none; a timeout of zero is for ever, `None`
    /// the default, which alone may be longer than the interval.
    pub fn new(interval: Duration, timeout: Option<Duration>) -> Result<Heartbeat> {
        if interval > LONGEST_PING_INTERVAL {
            return Err(parameter("The ping interval is longer than 30000000 ms."));
        }
        if interval.is_zero() {
            return Ok(Heartbeat::default());
        }
        if timeout.is_some_and(|timeout| timeout > interval) {
            return Err(parameter("The pong timeout is longer than the ping interval."));
        }
        let timeout = timeout.unwrap_or(DEFAULT_PONG_TIMEOUT);
        Ok(Heartbeat { interval: Some(interval), timeout: (!timeout.is_zero()).then_some(timeout) })
    }
}

impl ConnectOptions {
    /// Checks every rule that needs no file and no network.
    pub fn check(&self) -> Result<()> {
        self.limits.check()?;
        self.link.check()?;
        if self.connect_timeout.is_zero() {
            return Err(parameter("A timeout of 0 is not allowed."));
        }
        let Reconnect { min_delay, max_delay, .. } = self.reconnect;
        if min_delay.is_zero() || min_delay > max_delay {
            return Err(parameter("The reconnect delays are 0 or in the wrong order."));
        }
        for (name, value) in &self.headers {
            check_header(name, value)?;
        }
        if self.tls_server_name.as_ref().is_some_and(|name| !crate::tls::is_server_name(name)) {
            return Err(parameter("tls_server_name can't be the name of a TLS server."));
        }
        if let Some(origin) = &self.origin {
            check_header("Origin", origin)?;
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

/// The sub-protocols of some comma lists, each once.
pub(crate) fn sub_protocols<'a>(lists: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>> {
    let mut protocols: Vec<&str> = Vec::new();
    for protocol in lists.flat_map(|list| list.split(',')).map(|part| part.trim_matches([' ', '\t'])) {
        if protocol.is_empty() || protocols.contains(&protocol) {
            continue;
        }
        if !protocol.bytes().all(is_token_byte) {
            // Some carry a secret in here: it is not shown.
            let number = protocols.len() + 1;
            return Err(parameter(format!(
                "Sub-protocol {number} of the list is not a token (RFC 6455 4.1)."
            )));
        }
        protocols.push(protocol);
    }
    Ok(protocols)
}

/// Headers that the opening handshake owns.
const OWNED_HEADERS: [&str; 5] =
    ["upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"];

fn check_header(name: &str, value: &str) -> Result<()> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        // A whole header in the place of the name would be shown with its value.
        let begins: String =
            name.chars().take_while(|c| c.is_ascii() && is_token_byte(*c as u8)).take(40).collect();
        return Err(parameter(format!("The header name {begins:?}... is not a token (RFC 9110 5.1).")));
    }
    if OWNED_HEADERS.iter().any(|owned| name.eq_ignore_ascii_case(owned)) {
        return Err(parameter(format!("The header {name} belongs to the handshake and can't be set.")));
    }
    // The value may be a secret: it is not shown.
    if value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(parameter(format!("The value of the header {name} holds a control character.")));
    }
    Ok(())
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn parameter(message: impl Into<String>) -> Error {
    Error::call(Code::Parameter, message)
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

    #[test]
    fn the_pong_timeout_is_bounded_by_the_interval() {
        let heartbeat = |ping, pong: Option<u64>| {
            Heartbeat::new(Duration::from_millis(ping), pong.map(Duration::from_millis))
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        let beat = |interval, timeout| Heartbeat { interval, timeout };
        assert_eq!(heartbeat(30_000, None).unwrap(), beat(ms(30_000), ms(30_000)));
        assert_eq!(heartbeat(30_000, None).unwrap(), Limits::default().heartbeat);
        assert_eq!(heartbeat(5_000, None).unwrap(), beat(ms(5_000), ms(30_000)));
        assert_eq!(heartbeat(90_000, None).unwrap(), beat(ms(90_000), ms(30_000)));
        assert_eq!(heartbeat(5_000, Some(0)).unwrap(), beat(ms(5_000), None));
        assert_eq!(heartbeat(0, Some(99)).unwrap(), beat(None, None));
        assert!(heartbeat(5_000, Some(5_001)).is_err());
        assert!(heartbeat(30_000_001, None).is_err());
        heartbeat(30_000_000, None).unwrap();
    }
}
