//! The structs that callers fill: defaults, size checks, and reading them.

use std::ffi::{c_char, CStr};
use std::mem::size_of;
use std::time::Duration;

use super::call;
use super::event::nsws_header;
use super::link_options::read_link_options;
use crate::client::Reconnect;
use crate::error::{Code, Error, Result};
use crate::frame::extension::CompressionOptions;
use crate::options::{
    ClientCert, ConnectOptions, Heartbeat, Limits, Proxy, TlsVersion, DEFAULT_PING_INTERVAL,
};
use crate::proxy::{Exclusions, Kind, Names, Server};
use crate::secret::Secret;
use crate::tls::PublicKeyPin;

/// `min_tls_version`: TLS 1.2 or newer, the default.
pub const NSWS_TLS_1_2: u8 = 12;
/// `min_tls_version`: TLS 1.3.
pub const NSWS_TLS_1_3: u8 = 13;
/// `proxy_mode`: the system's proxy, the default.
pub const NSWS_PROXY_SYSTEM: u8 = 0;
/// `proxy_mode`: no proxy.
pub const NSWS_PROXY_NONE: u8 = 1;
/// `proxy_mode`: an HTTP proxy, asked to CONNECT.
pub const NSWS_PROXY_HTTP: u8 = 2;
/// `proxy_mode`: a SOCKS5 proxy, which looks up the names.
pub const NSWS_PROXY_SOCKS5: u8 = 3;
/// `pong_timeout_ms`: 30000, whatever `ping_interval_ms` is.
pub const NSWS_PONG_TIMEOUT_DEFAULT: u32 = 0xFFFF_FFFF;

/// What nsws_client_connect() may be told.
///
/// Prepare it with nsws_connect_options_init(), then set what differs from the defaults. Everything is
/// copied by the call. Later versions add members at the end.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_connect_options {
    /// The size of this struct; nsws_connect_options_init() sets it.
    pub struct_size: usize,
    /// Request headers, or NULL. Names are tokens, values hold no CR, LF or NUL (else 401). `Host`,
    /// `Origin`, `Authorization` and `Sec-WebSocket-Protocol` (which acts as `protocol`) may be given;
    /// `Upgrade`, `Connection`, `Sec-WebSocket-Key`, `-Version` and `-Extensions` may not (401).
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// Sub-protocols to offer, separated by commas, the preferred one first. NULL or "": none.
    pub protocol: *const c_char,
    /// A PEM file with the CA certificates to trust *instead of* the system's. A server whose own certificate
    /// is in it is trusted as well, as what it is: a certificate that may not issue others vouches for nobody
    /// else. NULL: the system's CAs, or those that the environment's `SSL_CERT_FILE` and `SSL_CERT_DIR` name
    /// (not in a set-user-ID program: secure_getenv(3)). A file that can't be opened is
    /// `NSWS_ERR_CERT_FILE`; one without a certificate is an `error` event, phase tls. Files are read once, and
    /// again when they have changed.
    pub ca_path: *const c_char,
    /// A PEM file with this side's certificate, for servers that demand one, and behind it those that lead to
    /// its CA. NULL: none. A file that can't be opened is `NSWS_ERR_CERT_FILE`; what is wrong with its
    /// content is an `error` event, phase tls, whose `detail` says what: `NSWS_DETAIL_CERT_CONTENT`,
    /// `NSWS_DETAIL_KEY_MISMATCH`.
    pub client_cert_path: *const c_char,
    /// A PEM file with the certificate's private key. NULL: it is in the same file. Without
    /// `client_cert_path`: 401. RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519, in PKCS#8, PKCS#1
    /// or SEC1, which may be encrypted: PKCS#8 with PBES2 (AES or 3DES in CBC mode; PBKDF2 with at most
    /// 10,000,000 rounds, or scrypt within 64 MiB), or the older PEM with `DEK-Info` (AES-CBC or
    /// DES-EDE3-CBC). Read again when a file changes. A file that can't be opened is `NSWS_ERR_CERT_FILE`;
    /// else the `detail` of an `error` event, phase tls, is `NSWS_DETAIL_KEY_CONTENT` (none, damaged, another
    /// kind) or `NSWS_DETAIL_KEY_FORM` (another encryption; the sentence has the openssl command that
    /// converts it).
    pub client_key_path: *const c_char,
    /// What opens an encrypted key; ignored for one that isn't. NULL: no password. The library's copy is
    /// wiped, and never logged. Missing or wrong: an `error` event, phase tls, `NSWS_DETAIL_NO_PASSWORD` or
    /// `NSWS_DETAIL_WRONG_PASSWORD`. Without `client_cert_path`: 401.
    pub client_key_password: *const c_char,
    /// The public keys that the server's own certificate may have, as curl writes them: `sha256//` and the
    /// base64 of the SHA-256 of the DER SubjectPublicKeyInfo; several are separated by `;`. NULL: any.
    /// Malformed: 401. Another key is an `error` event, phase tls, `NSWS_DETAIL_PIN_MISMATCH`, whose sentence
    /// has the server's pin. A pin is asked for besides the certificate's verification, and also when that is
    /// skipped.
    pub pinned_public_keys: *const c_char,
    /// The proxy of `NSWS_PROXY_HTTP` or `NSWS_PROXY_SOCKS5`: a host name or an IP address, IPv6 with or without
    /// brackets. With any other `proxy_mode`, this and the other `proxy_` members must be NULL, "" or 0 (401).
    pub proxy_host: *const c_char,
    /// The user name that the proxy is told. NULL or "": none. It goes to an HTTP proxy as Basic authorization
    /// (no colon in it), to a SOCKS5 proxy only if it asks (1 to 255 bytes). No control characters (401).
    pub proxy_username: *const c_char,
    /// The password that goes with it; for SOCKS5 1 to 255 bytes. No control characters, not without a user name
    /// (401).
    pub proxy_password: *const c_char,
    /// Hosts that are reached without the proxy, separated by commas or blanks: `example.com` (that host
    /// alone), `.example.com` (all that end so), `*` for any run of characters (`10.*`, `*.local`; `*` alone:
    /// all), an IP address, or a network (`10.0.0.0/8`, `fd00::/8`). The host is compared as the URL has it,
    /// in any case: no name is looked up. NULL or "": none. An entry with a slash that is no network: 401.
    pub proxy_exclusion_list: *const c_char,
    /// The largest message that is received, in bytes; a larger one ends the connection with 1009.
    /// Default 16 MiB, at least 1.
    pub max_receive_size: usize,
    /// The largest message that may be sent, in bytes. Default 5 MiB.
    pub max_send_size: usize,
    /// How much may wait to be sent: the bytes of the frames, and 64 for each message or ping. Default 16 MiB.
    /// An empty queue takes any message that `max_send_size` allows.
    pub send_queue_size: usize,
    /// A ping goes out each interval, whatever arrives: its length, in milliseconds. Default 30000; 0: no
    /// heartbeat; more than 30000000: 401.
    pub ping_interval_ms: u32,
    /// How long the peer may stay silent, in milliseconds, before the connection counts as lost
    /// (`NSWS_DETAIL_HEARTBEAT_LOST`). It runs from the oldest ping since which nothing was received: any byte is a
    /// sign of life, not only a pong. 0: for ever. Default `NSWS_PONG_TIMEOUT_DEFAULT`, which is 30000 also where
    /// `ping_interval_ms` is shorter; any other value above `ping_interval_ms`: 401. Ignored without a heartbeat.
    /// While this side does not read, because it is paused or a listener is slow, pings go out and no time runs.
    pub pong_timeout_ms: u32,
    /// How long the whole attempt may take, in milliseconds, name lookup to upgrade, the proxy included. Default
    /// 15000; 0: 401.
    pub connect_timeout_ms: u32,
    /// How long closing may take, in milliseconds, from nsws_client_close() to the peer's answer, what was
    /// queued included. Default 5000; 0: 401.
    pub close_timeout_ms: u32,
    /// How often in a row to try to connect again, by itself, when an attempt fails or the connection is lost
    /// (or closed by the peer with 1001, 1012 or 1013). Default 0: never; `NSWS_FOR_EVER`: without end. Not when
    /// the server or proxy refused (a status below 500 but 408 and 429) or can't be trusted. A certificate that is
    /// not valid yet or no longer is no reason to stop: clocks and certificates get mended; nor is a captive portal. A
    /// server's `Retry-After` makes the wait longer, up to an hour or `reconnect_max_delay_ms`. Each time, the
    /// events that end the attempt or connection are followed by `reconnecting`; nsws_client_close() ends it.
    pub reconnect_max_attempts: u32,
    /// The wait before the first of them, in milliseconds; it doubles each time, and half of it is random.
    /// Default 1000; 0: 401.
    pub reconnect_min_delay_ms: u32,
    /// The longest wait, in milliseconds. Default 30000; below the first one: 401.
    pub reconnect_max_delay_ms: u32,
    /// The proxy's port, 1 to 65535 (else 401).
    pub proxy_port: u32,
    /// The oldest TLS version that is acceptable: `NSWS_TLS_1_2` (the default) or `NSWS_TLS_1_3`.
    pub min_tls_version: u8,
    /// 1: accept any server certificate and any host name. For tests; it makes TLS worthless, unless
    /// `pinned_public_keys` says whose key it must be. Default 0.
    pub skip_server_cert_verification: u8,
    /// 1, the default: the `Origin` header carries a port that isn't the scheme's own (RFC 6454 6.2), which many
    /// servers compare with `Host`. 0: it never does.
    pub support_origin_port: u8,
    /// Which proxy: one of `NSWS_PROXY_*`. Default `NSWS_PROXY_SYSTEM`: what the platform's hook says
    /// (nsws_set_platform()) or, without one, the environment, read by nsws_client_connect() as curl reads
    /// it: `ws_proxy`, `WS_PROXY`, `http_proxy` (in lower case only), `all_proxy`, `ALL_PROXY` for ws;
    /// `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY` for wss; the first
    /// that isn't empty, as `[http://|socks5://|socks5h://][user:password@]host[:port]`, port 1080 unless it
    /// says otherwise. The environment is not read in a set-user-ID program (secure_getenv(3)). In `no_proxy`,
    /// `NO_PROXY` a name also covers what is below it; otherwise they are like `proxy_exclusion_list`. With a proxy, the server's name is not looked up here. Proxies are used for ws
    /// and wss alike, by a tunnel.
    pub proxy_mode: u8,
    /// The value of the `Origin` header. Default NULL: scheme (http or https), host and, with
    /// `support_origin_port`, port of the URL. "": there is no such header. A header `Origin` comes before it.
    /// Control characters: 401.
    /// @since 0.2
    pub origin: *const c_char,
    /// How many bytes the URL may have; a longer one is `NSWS_ERR_URL`. Default 2048. Many servers and proxies
    /// refuse more than 8 KiB.
    /// @since 0.2
    pub max_url_length: usize,
    /// Messages below so many bytes are sent as they are, and so are those that would not shrink. Default 1024.
    /// @since 0.2
    pub compression_threshold: usize,
    /// How many bytes compressing and decompressing may hold for one connection: smaller windows are agreed to until
    /// they fit, or none. Default 512 KiB.
    /// @since 0.2
    pub compression_memory: usize,
    /// How long a message that has begun to arrive may pause, in milliseconds. In ten times as long at least 64 KiB of
    /// it must arrive. The clock stands while this side does not read. A slower message ends the connection with 1008,
    /// `NSWS_DETAIL_MESSAGE_TIMEOUT`. Default 60000; 0: no limit.
    /// @since 0.2
    pub message_timeout_ms: u32,
    /// 1: offer permessage-deflate (RFC 7692). Default 0. In a build without compression: `NSWS_ERR_NOT_SUPPORTED`.
    /// Compressing beside secrets tells their length: leave it off for messages that mix secrets with what an attacker
    /// may choose.
    /// @since 0.2
    pub compression: u8,
    /// How hard to compress, 1 to 9 (else 401). Default 6.
    /// @since 0.2
    pub compression_level: u8,
    /// The largest window of the client's messages, as a power of two, 8 to 15 (else 401). Default 15.
    /// @since 0.2
    pub client_max_window_bits: u8,
    /// The largest window of the server's messages. Default 15.
    /// @since 0.2
    pub server_max_window_bits: u8,
    /// 1: each of the client's messages is compressed by itself. Default 0.
    /// @since 0.2
    pub client_no_context_takeover: u8,
    /// 1: each of the server's messages is compressed by itself. Default 0.
    /// @since 0.2
    pub server_no_context_takeover: u8,
    /// 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds the
    /// whole message. Default 0.
    /// @since 0.2
    pub receive_parts: u8,
    /// How many redirects (301, 302, 303, 307, 308) to follow in a row, all within `connect_timeout_ms`. `Location` may
    /// be relative, and http and https mean ws and wss. Never from wss to ws. Another origin (scheme, host and port)
    /// gets neither user and password of the URL, nor `client_cert_path`, nor the headers `Authorization`, `Cookie`,
    /// `Proxy-Authorization` and `Host`; other headers go along. What can't be followed is an `error` event, phase
    /// handshake, `NSWS_DETAIL_REDIRECT`. Default 0: a redirect is a refusal like any other,
    /// `NSWS_DETAIL_HTTP_STATUS`.
    /// @since 0.2
    pub max_redirects: u32,
    /// The local address to connect from, an IPv4 or IPv6 literal (else 401); only addresses of its family are tried.
    /// One that this device doesn't have is an `error` event, `NSWS_DETAIL_UNREACHABLE`. NULL or "": the system's
    /// choice. This and what follows also hold for the connection to a proxy.
    /// @since 0.2
    pub bind_address: *const c_char,
    /// The network interface to go through, whatever the routes say (SO_BINDTODEVICE), such as "wlan0"; a name of more
    /// than 15 bytes: 401. One that doesn't exist, or that this process may not choose, is an `error` event,
    /// `NSWS_DETAIL_UNREACHABLE`. NULL or "": as the routes say.
    /// @since 0.2
    pub bind_interface: *const c_char,
    /// Addresses of names that need no lookup, as curl writes them: `host:port:address[,address]`, several separated by
    /// `;`. The host may be `*` for all names; IPv6 addresses may have brackets. The certificate is still the name's.
    /// Malformed: 401. NULL or "": none.
    /// @since 0.2
    pub resolve: *const c_char,
    /// The size of the system's receive buffer for the connection, in bytes; the system bounds it. 0, the default:
    /// the system's choice, which grows with the traffic. More than 2147483647: 401.
    /// @since 0.2
    pub receive_buffer_size: usize,
    /// The size of the system's send buffer, in the same way.
    /// @since 0.2
    pub send_buffer_size: usize,
    /// After how much silence, and how often then, TCP itself asks the server whether it is there (SO_KEEPALIVE), in
    /// milliseconds, rounded up to seconds. It costs less than `ping_interval_ms`, but only shows that the server's
    /// system lives, and a proxy may answer in its place. 0, the default: never; more than 32767000: 401.
    /// @since 0.2
    pub tcp_keepalive_ms: u32,
    /// How long what was sent may stay unacknowledged until the connection is lost (TCP_USER_TIMEOUT), in milliseconds.
    /// 0, the default: the system's choice, some 15 minutes; more than 2147483647: 401.
    /// @since 0.2
    pub tcp_user_timeout_ms: u32,
    /// The server's name in TLS: what it is told (SNI, RFC 6066 3) and what its certificate must be for, for servers
    /// that are reached by an address or another name. A host name or an IP address (else 401). NULL or "": the URL's
    /// host. A redirect to another origin forgets it.
    /// @since 0.2
    pub tls_server_name: *const c_char,
}

/// Structs larger than this are refused: no version of them ever was.
const LARGEST_STRUCT: usize = 4096;

/// Writes a struct, as far as the caller's version of it goes.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
pub unsafe fn write_defaults<T: Copy>(options: *mut T, struct_size: usize, mut defaults: T) -> Result<()> {
    if options.is_null() {
        return Err(Error::call(Code::Parameter, "options is NULL."));
    }
    if !(size_of::<usize>()..=LARGEST_STRUCT).contains(&struct_size) {
        return Err(Error::call(Code::Parameter, format!("struct_size {struct_size} is out of range.")));
    }
    let known = struct_size.min(size_of::<T>());
    // SAFETY: both structs are `repr(C)` and begin with `struct_size`, a usize.
    unsafe { (&raw mut defaults).cast::<usize>().write(struct_size) };
    let options = options.cast::<u8>();
    // SAFETY: the caller owns `struct_size` bytes, of which the first `known` come from `defaults` and the
    // rest, members that this version doesn't know, become 0.
    unsafe {
        options.copy_from_nonoverlapping((&raw const defaults).cast::<u8>(), known);
        options.add(known).write_bytes(0, struct_size - known);
    }
    Ok(())
}

/// Reads a caller's struct of any version: what it lacks has its default, what this version doesn't know
/// must be 0.
///
/// # Safety
/// `options` is not NULL and points to as many readable bytes as its first member, a `size_t`, says.
pub unsafe fn read_struct<T: Copy>(options: *const T, mut defaults: T) -> Result<T> {
    // SAFETY: the struct begins with `struct_size`.
    let struct_size = unsafe { options.cast::<usize>().read_unaligned() };
    if !(size_of::<usize>()..=LARGEST_STRUCT).contains(&struct_size) {
        return Err(Error::call(
            Code::Parameter,
            format!(
                "struct_size {struct_size} is out of range: was the struct prepared by its _init function?"
            ),
        ));
    }
    let known = struct_size.min(size_of::<T>());
    let bytes = options.cast::<u8>();
    // SAFETY: the caller's struct has `struct_size` bytes.
    let tail = unsafe { std::slice::from_raw_parts(bytes.add(known), struct_size - known) };
    if tail.iter().any(|byte| *byte != 0) {
        return Err(Error::call(Code::Parameter, "The struct sets members that this version doesn't know."));
    }
    // SAFETY: `known` is no larger than either side; `T` is plain data, valid for any bytes.
    unsafe { (&raw mut defaults).cast::<u8>().copy_from_nonoverlapping(bytes, known) };
    Ok(defaults)
}

/// NUL-terminated UTF-8 from the caller; NULL is `None`.
///
/// # Safety
/// `text` is NULL or NUL-terminated, and outlives `'a`.
pub unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises it.
    let bytes = unsafe { CStr::from_ptr(text) };
    bytes.to_str().map(Some).map_err(|_| Error::call(Code::Parameter, format!("{name} is not UTF-8.")))
}

/// Bytes from the caller: NULL is empty when `length` is 0.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that outlive `'a`.
pub unsafe fn bytes<'a>(data: *const u8, length: usize) -> Result<&'a [u8]> {
    match (data.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Error::call(Code::Parameter, "data is NULL, its length is not 0.")),
        (false, length) if length > isize::MAX as usize => {
            Err(Error::call(Code::Parameter, format!("A length of {length} bytes is impossible.")))
        }
        // SAFETY: the caller promises it.
        (false, length) => Ok(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

/// [`text`] that other rules judge: what is not UTF-8 has U+FFFD in its place.
///
/// # Safety
/// `text` is NULL or NUL-terminated.
pub unsafe fn text_lossy(text: *const c_char) -> Option<String> {
    // SAFETY: as promised to this function.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

pub fn tls_version(value: u8) -> Result<TlsVersion> {
    match value {
        NSWS_TLS_1_2 => Ok(TlsVersion::Tls12),
        NSWS_TLS_1_3 => Ok(TlsVersion::Tls13),
        other => Err(Error::call(Code::Parameter, format!("min_tls_version {other} is unknown."))),
    }
}

/// A time of which 0 means none.
pub fn in_time(value: u32) -> Option<Duration> {
    (value > 0).then(|| ms(value))
}

pub fn ms(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

pub fn heartbeat(ping_interval_ms: u32, pong_timeout_ms: u32) -> Result<Heartbeat> {
    let timeout = (pong_timeout_ms != NSWS_PONG_TIMEOUT_DEFAULT).then(|| ms(pong_timeout_ms));
    Heartbeat::new(ms(ping_interval_ms), timeout)
}

pub fn in_ms(duration: Duration) -> u32 {
    duration.as_millis() as u32
}

/// Text that a program sends.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    crate::frame::utf8::text(bytes).ok_or_else(|| Error::call(Code::Parameter, "The text is not UTF-8."))
}

/// A flag is 0 or 1; anything else is a struct that was not prepared.
pub fn flag(value: u8, name: &str) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::call(Code::Parameter, format!("{name} is {other}, neither 0 nor 1."))),
    }
}

fn connect_defaults() -> nsws_connect_options {
    let defaults = ConnectOptions::default();
    let limits = defaults.limits;
    nsws_connect_options {
        struct_size: size_of::<nsws_connect_options>(),
        headers: std::ptr::null(),
        header_count: 0,
        protocol: std::ptr::null(),
        ca_path: std::ptr::null(),
        client_cert_path: std::ptr::null(),
        client_key_path: std::ptr::null(),
        client_key_password: std::ptr::null(),
        pinned_public_keys: std::ptr::null(),
        proxy_host: std::ptr::null(),
        proxy_username: std::ptr::null(),
        proxy_password: std::ptr::null(),
        proxy_exclusion_list: std::ptr::null(),
        max_receive_size: limits.max_receive_size,
        max_send_size: limits.max_send_size,
        send_queue_size: limits.send_queue_size,
        ping_interval_ms: in_ms(DEFAULT_PING_INTERVAL),
        pong_timeout_ms: NSWS_PONG_TIMEOUT_DEFAULT,
        connect_timeout_ms: in_ms(defaults.connect_timeout),
        close_timeout_ms: in_ms(limits.close_timeout),
        reconnect_max_attempts: defaults.reconnect.max_attempts,
        reconnect_min_delay_ms: in_ms(defaults.reconnect.min_delay),
        reconnect_max_delay_ms: in_ms(defaults.reconnect.max_delay),
        proxy_port: 0,
        min_tls_version: NSWS_TLS_1_2,
        skip_server_cert_verification: 0,
        support_origin_port: defaults.support_origin_port.into(),
        proxy_mode: NSWS_PROXY_SYSTEM,
        origin: std::ptr::null(),
        max_url_length: defaults.max_url_length,
        message_timeout_ms: in_ms(limits.message_timeout.unwrap_or_default()),
        compression: limits.compression.enabled.into(),
        compression_level: limits.compression.level,
        client_max_window_bits: limits.compression.client_max_window_bits,
        server_max_window_bits: limits.compression.server_max_window_bits,
        client_no_context_takeover: limits.compression.client_no_context_takeover.into(),
        server_no_context_takeover: limits.compression.server_no_context_takeover.into(),
        receive_parts: limits.receive_parts.into(),
        compression_threshold: limits.compression.threshold,
        compression_memory: limits.compression.memory,
        max_redirects: defaults.max_redirects,
        bind_address: std::ptr::null(),
        bind_interface: std::ptr::null(),
        resolve: std::ptr::null(),
        receive_buffer_size: 0,
        send_buffer_size: 0,
        tcp_keepalive_ms: 0,
        tcp_user_timeout_ms: 0,
        tls_server_name: std::ptr::null(),
    }
}

/// What a proxy of this mode speaks, if it is one.
pub fn proxy_kind(mode: u8) -> Option<Kind> {
    match mode {
        NSWS_PROXY_HTTP => Some(Kind::Http),
        NSWS_PROXY_SOCKS5 => Some(Kind::Socks5),
        _ => None,
    }
}

/// # Safety
/// Each text is NULL or NUL-terminated.
unsafe fn read_proxy(given: &nsws_connect_options) -> Result<Proxy> {
    // SAFETY: as promised to this function.
    let (host, username, password, list) = unsafe {
        (
            text(given.proxy_host, "proxy_host")?.unwrap_or_default(),
            text(given.proxy_username, "proxy_username")?,
            text(given.proxy_password, "proxy_password")?,
            text(given.proxy_exclusion_list, "proxy_exclusion_list")?.unwrap_or_default(),
        )
    };
    let wrong = |sentence| Error::call(Code::Parameter, sentence);
    if let Some(kind) = proxy_kind(given.proxy_mode) {
        let exclusions = Exclusions::parse(list, Names::Exact).map_err(wrong)?;
        let server = Server::new(kind, host, given.proxy_port, username, password, exclusions);
        return server.map(Proxy::Explicit).map_err(wrong);
    }
    let proxy = match given.proxy_mode {
        NSWS_PROXY_SYSTEM => Proxy::System,
        NSWS_PROXY_NONE => Proxy::None,
        other => return Err(wrong(format!("proxy_mode {other} is unknown."))),
    };
    let texts = [host, username.unwrap_or_default(), password.unwrap_or_default(), list];
    match given.proxy_port == 0 && texts.iter().all(|text| text.is_empty()) {
        true => Ok(proxy),
        false => Err(wrong(
            "A proxy is described, but proxy_mode is neither NSWS_PROXY_HTTP nor NSWS_PROXY_SOCKS5.".into(),
        )),
    }
}

/// # Safety
/// The members that concern the client's certificate are NULL or NUL-terminated.
unsafe fn read_client_cert(given: &nsws_connect_options) -> Result<Option<ClientCert>> {
    // SAFETY: as promised to this function.
    let (cert_path, key_path, key_password) = unsafe {
        (
            text(given.client_cert_path, "client_cert_path")?,
            text(given.client_key_path, "client_key_path")?,
            text(given.client_key_password, "client_key_password")?,
        )
    };
    match cert_path {
        Some(cert_path) => Ok(Some(ClientCert {
            cert_path: cert_path.into(),
            key_path: key_path.unwrap_or(cert_path).into(),
            key_password: key_password.map(Secret::from),
        })),
        None if key_path.is_some() || key_password.is_some() => {
            Err(Error::call(Code::Parameter, "There is a key or a password, but client_cert_path is NULL."))
        }
        None => Ok(None),
    }
}

/// The rule of secure_getenv(3): a process with privileges that its caller doesn't have believes nothing of what the caller
/// has put into the environment.
fn trusts_environment() -> bool {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) == 0 }
}

/// The caller's options, or the defaults for NULL.
///
/// # Safety
/// `options` is NULL or as [`read_struct`] and its members' documentation demand.
pub unsafe fn read_connect_options(options: *const nsws_connect_options) -> Result<ConnectOptions> {
    if options.is_null() {
        return Ok(ConnectOptions { trusts_environment: trusts_environment(), ..ConnectOptions::default() });
    }
    // SAFETY: as promised to this function.
    let given = unsafe { read_struct(options, connect_defaults()) }?;
    let mut headers = Vec::new();
    if given.headers.is_null() && given.header_count > 0 {
        return Err(Error::call(Code::Parameter, "headers is NULL, header_count is not 0."));
    }
    for index in 0..given.header_count {
        // SAFETY: the caller promises `header_count` headers.
        let header = unsafe { *given.headers.add(index) };
        // SAFETY: each is NULL or NUL-terminated.
        let pair =
            unsafe { (text(header.name, "A header's name")?, text(header.value, "A header's value")?) };
        match pair {
            (Some(name), Some(value)) => headers.push((name.to_owned(), value.to_owned())),
            _ => return Err(Error::call(Code::Parameter, "A header's name or value is NULL.")),
        }
    }
    // SAFETY: each is NULL or NUL-terminated.
    let (protocol, ca_path, origin) = unsafe {
        (text(given.protocol, "protocol")?, text(given.ca_path, "ca_path")?, text(given.origin, "origin")?)
    };
    // SAFETY: as promised to this function.
    let client_cert = unsafe { read_client_cert(&given) }?;
    // SAFETY: NULL or NUL-terminated.
    let pins = unsafe { text(given.pinned_public_keys, "pinned_public_keys") }?;
    // SAFETY: as above.
    let proxy = unsafe { read_proxy(&given) }?;
    // SAFETY: as above.
    let link = unsafe { read_link_options(&given) }?;
    // SAFETY: NULL or NUL-terminated.
    let tls_server_name = unsafe { text(given.tls_server_name, "tls_server_name") }?;
    Ok(ConnectOptions {
        headers,
        protocol: protocol.unwrap_or_default().to_owned(),
        ca_path: ca_path.map(Into::into),
        client_cert,
        pinned_public_keys: pins.map(PublicKeyPin::parse_list).transpose()?.unwrap_or_default(),
        proxy,
        connect_timeout: ms(given.connect_timeout_ms),
        limits: Limits {
            max_receive_size: given.max_receive_size,
            max_send_size: given.max_send_size,
            send_queue_size: given.send_queue_size,
            close_timeout: ms(given.close_timeout_ms),
            heartbeat: heartbeat(given.ping_interval_ms, given.pong_timeout_ms)?,
            message_timeout: in_time(given.message_timeout_ms),
            compression: CompressionOptions {
                enabled: flag(given.compression, "compression")?,
                level: given.compression_level,
                threshold: given.compression_threshold,
                client_max_window_bits: given.client_max_window_bits,
                server_max_window_bits: given.server_max_window_bits,
                client_no_context_takeover: flag(
                    given.client_no_context_takeover,
                    "client_no_context_takeover",
                )?,
                server_no_context_takeover: flag(
                    given.server_no_context_takeover,
                    "server_no_context_takeover",
                )?,
                memory: given.compression_memory,
            },
            receive_parts: flag(given.receive_parts, "receive_parts")?,
        },
        min_tls_version: tls_version(given.min_tls_version)?,
        skip_server_cert_verification: flag(
            given.skip_server_cert_verification,
            "skip_server_cert_verification",
        )?,
        support_origin_port: flag(given.support_origin_port, "support_origin_port")?,
        origin: origin.map(str::to_owned),
        max_url_length: given.max_url_length,
        reconnect: Reconnect {
            max_attempts: given.reconnect_max_attempts,
            min_delay: ms(given.reconnect_min_delay_ms),
            max_delay: ms(given.reconnect_max_delay_ms),
        },
        max_redirects: given.max_redirects,
        link,
        tls_server_name: tls_server_name.filter(|name| !name.is_empty()).map(str::to_owned),
        trusts_environment: trusts_environment(),
    })
}

/// Writes the defaults of nsws_client_connect() into `options`.
///
/// @param options the struct to prepare
/// @param struct_size `sizeof *options`
/// @return 0; 401 when `options` is NULL or the size is impossible
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connect_options_init(
    options: *mut nsws_connect_options,
    struct_size: usize,
) -> i32 {
    // SAFETY: as promised to this function.
    call(|| unsafe { write_defaults(options, struct_size, connect_defaults()) })
}
