//! The options of nsws_client_connect().

use std::ffi::c_char;
use std::mem::size_of;

use super::arguments::{flag, in_ms, in_time, ms, read_struct, text, write_defaults};
use super::call;
use super::header::{nsws_header, read_headers};
use super::limits::read_limits;
use crate::client::{ConnectOptions, Known, LinkOptions, Reconnect};
use crate::connection::DEFAULT_PING_INTERVAL;
use crate::error::{Code, Error, Result};
use crate::proxy::{Exclusions, Names, Proxy, ProxyKind, Server};
use crate::secret::Secret;
use crate::tls::{ClientCert, PublicKeyPin, TlsVersion};

/// `min_tls_version`: TLS 1.2 or newer, the default.
pub const NSWS_TLS_1_2: u8 = 12;
/// `min_tls_version`: TLS 1.3.
pub const NSWS_TLS_1_3: u8 = 13;
/// `proxy_mode`: the system's proxy, the default.
pub const NSWS_PROXY_SYSTEM: u8 = 0;
/// `proxy_mode`: no proxy.
pub const NSWS_PROXY_NONE: u8 = 1;
/// `proxy_mode`: an HTTP proxy, through its CONNECT.
pub const NSWS_PROXY_HTTP: u8 = 2;
/// `proxy_mode`: a SOCKS5 proxy, which looks up the server's name.
pub const NSWS_PROXY_SOCKS5: u8 = 3;
/// `pong_timeout_ms`: 30000, whatever `ping_interval_ms` is.
pub const NSWS_PONG_TIMEOUT_DEFAULT: u32 = 0xFFFF_FFFF;

/// The options of nsws_client_connect(). Prepare them with nsws_connect_options_init(), then set what differs
/// from the defaults. The call copies everything. A value that breaks a rule below is NSWS_ERR_PARAMETER unless
/// another code is named.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_connect_options {
    /// The size of this struct; nsws_connect_options_init() sets it.
    pub struct_size: usize,
    /// Request headers, or NULL. Names are tokens; values hold no control characters. `Host`, `Origin`,
    /// `Authorization` and `Sec-WebSocket-Protocol` (which acts as `protocol`) may be given; `Upgrade`,
    /// `Connection`, `Sec-WebSocket-Key`, `Sec-WebSocket-Version` and `Sec-WebSocket-Extensions` are refused.
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// Sub-protocols to offer, separated by commas, the preferred one first. NULL or "": none.
    pub protocol: *const c_char,
    /// A PEM file with the CA certificates to trust *instead of* the system's. A server whose own certificate is in
    /// it is trusted as well; unless that certificate may issue others, it is trusted for that server only. NULL:
    /// the system's CAs, or those that the environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name (not in a
    /// set-user-ID program: secure_getenv(3)). A file that can't be opened is NSWS_ERR_CERT_FILE; one without a
    /// certificate is an `error` event of NSWS_PHASE_TLS. The file is read once, and again when it has changed.
    pub ca_path: *const c_char,
    /// A PEM file with the client's certificate, for servers that demand one, followed by those that lead to its
    /// CA. NULL: none. A file that can't be opened is NSWS_ERR_CERT_FILE; one whose content can't be used is an
    /// `error` event of NSWS_PHASE_TLS, with NSWS_DETAIL_CERT_CONTENT or NSWS_DETAIL_KEY_MISMATCH.
    pub client_cert_path: *const c_char,
    /// A PEM file with the private key of the certificate. NULL: it is in the file of the certificate. Only with
    /// `client_cert_path`. RSA (2048 to 8192 bits), ECDSA (P-256, P-384) or Ed25519, in PKCS#8, PKCS#1 or SEC1. The
    /// key may be encrypted: PKCS#8 with PBES2 (AES or 3DES in CBC mode; PBKDF2 with at most 10,000,000 rounds, or
    /// scrypt within 64 MiB), or the older PEM with `DEK-Info` (AES-CBC or DES-EDE3-CBC). The file is read again
    /// when it has changed. A file that can't be opened is NSWS_ERR_CERT_FILE; one whose content can't be used is
    /// an `error` event of NSWS_PHASE_TLS, with NSWS_DETAIL_KEY_CONTENT (no key, a damaged one, or one of another
    /// kind) or NSWS_DETAIL_KEY_FORM (another encryption; the sentence has the openssl command that converts it).
    pub client_key_path: *const c_char,
    /// The password of an encrypted key; ignored for another key. NULL: none. Only with `client_cert_path`. The
    /// library wipes its copy and never logs it. A missing or wrong password is an `error` event of NSWS_PHASE_TLS,
    /// with NSWS_DETAIL_NO_PASSWORD or NSWS_DETAIL_WRONG_PASSWORD.
    pub client_key_password: *const c_char,
    /// The public keys that the server's certificate may have, as curl writes them: `sha256//` and the base64 of
    /// the SHA-256 of the DER SubjectPublicKeyInfo; several are separated by `;`. NULL: any. Another key is an
    /// `error` event of NSWS_PHASE_TLS with NSWS_DETAIL_PIN_MISMATCH, whose sentence has the server's pin. Pins are
    /// checked in addition to the certificate, and also when its verification is skipped.
    pub pinned_public_keys: *const c_char,
    /// The proxy of NSWS_PROXY_HTTP or NSWS_PROXY_SOCKS5: a host name or an IP address, IPv6 with or without
    /// brackets. With any other `proxy_mode`, this and the other `proxy_` members must be NULL, "" or 0.
    pub proxy_host: *const c_char,
    /// The user name for the proxy. NULL or "": none. An HTTP proxy gets it as Basic authorization (it must
    /// hold no colon), a SOCKS5 proxy only if it asks (1 to 255 bytes). No control characters.
    pub proxy_username: *const c_char,
    /// The password that goes with it; for SOCKS5 1 to 255 bytes. Only with a user name. No control characters.
    pub proxy_password: *const c_char,
    /// Hosts that are reached without the proxy, separated by commas or blanks: `example.com` (that host alone),
    /// `.example.com` (all that end in this), `*` for any run of characters (`10.*`, `*.local`; `*` alone: all), an
    /// IP address, or a network (`10.0.0.0/8`, `fd00::/8`; an entry with a slash must be one). The host is compared
    /// as the URL has it, without regard to case: no name is looked up. NULL or "": none.
    pub proxy_exclusion_list: *const c_char,
    /// The largest message that is received, in bytes; a larger one ends the connection with 1009. Default 16 MiB,
    /// at least 1.
    pub max_receive_size: usize,
    /// The largest message that may be sent, in bytes. Default 5 MiB.
    pub max_send_size: usize,
    /// How much may wait to be sent, in bytes: the frames, and 64 bytes for each message or ping. Default 16 MiB.
    /// An empty queue takes any message that `max_send_size` allows.
    pub send_queue_size: usize,
    /// How often a ping goes out, whatever else arrives, in milliseconds. Default 30000, at most 30000000; 0: no
    /// heartbeat.
    pub ping_interval_ms: u32,
    /// How long the peer may stay silent, in milliseconds, before the connection counts as lost
    /// (NSWS_DETAIL_HEARTBEAT_LOST). The time runs from the first ping after the last received byte: any byte is a
    /// sign of life, not only a pong. 0: for ever. Default NSWS_PONG_TIMEOUT_DEFAULT, which is 30000 even if
    /// `ping_interval_ms` is shorter; any other value must not be above `ping_interval_ms`. Ignored without a
    /// heartbeat. While this side does not read, because it is paused or a listener is slow, pings go out, but the
    /// time does not run.
    pub pong_timeout_ms: u32,
    /// How long the whole attempt may take, in milliseconds: from the name lookup to the upgrade, the proxy
    /// included. Default 15000, at least 1.
    pub connect_timeout_ms: u32,
    /// How long closing may take, in milliseconds: from nsws_client_close() to the peer's answer, sending what is
    /// queued included. Default 5000, at least 1.
    pub close_timeout_ms: u32,
    /// How often in a row the client reconnects by itself when an attempt fails or the connection is lost (or the
    /// peer closes it with 1001, 1012 or 1013). Default 0: never; NSWS_FOR_EVER: no limit. It stops if the server
    /// or proxy refused (a status below 500 other than 408 and 429), can't be trusted or answered something
    /// invalid, if a redirect was not followed, if sub-protocol or ALPN can't be agreed on, or if a setting or file
    /// can't be used. It goes on if a certificate is not valid yet or has expired, since clocks and certificates
    /// get corrected, and behind a captive portal; one that redirects to its page is recognised only with
    /// `max_redirects`. A server's `Retry-After` makes the delay longer, up to an hour, or up to
    /// `reconnect_max_delay_ms` if that is longer. Each time, `reconnecting` follows the events that end the
    /// attempt or connection. nsws_client_close() ends reconnecting.
    pub reconnect_max_attempts: u32,
    /// The delay before the first of these attempts, in milliseconds; it doubles each time, and half of it is
    /// random. Default 1000, at least 1.
    pub reconnect_min_delay_ms: u32,
    /// The longest delay, in milliseconds. Default 30000; at least `reconnect_min_delay_ms`.
    pub reconnect_max_delay_ms: u32,
    /// The proxy's port, 1 to 65535.
    pub proxy_port: u32,
    /// The oldest acceptable TLS version: NSWS_TLS_1_2 (the default) or NSWS_TLS_1_3.
    pub min_tls_version: u8,
    /// 1: any server certificate and any host name is accepted, except certificates whose key the handshake can't use:
    /// with TLS 1.2, P-521 and RSA-PSS-only keys. For tests; it makes TLS worthless, unless `pinned_public_keys` names
    /// the key. Default 0.
    pub skip_server_cert_verification: u8,
    /// 1, the default: the `Origin` header has the port if it isn't the default of the scheme (RFC 6454 6.2); many
    /// servers compare it with `Host`. 0: it never has a port.
    pub support_origin_port: u8,
    /// Which proxy to use, one of NSWS_PROXY_*. Connections of both ws and wss go through a tunnel. Default
    /// NSWS_PROXY_SYSTEM: the proxy is named by the platform's hook (nsws_set_platform()) or, without a hook, by
    /// the environment, which nsws_client_connect() reads as curl does: `ws_proxy`, `WS_PROXY`, `http_proxy` (in
    /// lower case only), `all_proxy`, `ALL_PROXY` for ws; `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`,
    /// `all_proxy`, `ALL_PROXY` for wss; the first that isn't empty counts. Its form is
    /// `[http://|socks5://|socks5h://][user:password@]host[:port]`, with port 1080 if there is none. `no_proxy` and
    /// `NO_PROXY` have the form of `proxy_exclusion_list`, but a name also covers its subdomains. A set-user-ID
    /// program does not read the environment (secure_getenv(3)). With a proxy, only the proxy looks up the server's
    /// name.
    pub proxy_mode: u8,
    /// The value of the `Origin` header. Default NULL: scheme (http or https), host and, with
    /// `support_origin_port`, port of the URL. "": no such header. An `Origin` in `headers` takes precedence. No
    /// control characters.
    /// @since 0.2
    pub origin: *const c_char,
    /// The longest URL, in bytes; a longer one is NSWS_ERR_URL. Default 2048. Many servers and proxies refuse more
    /// than 8 KiB.
    /// @since 0.2
    pub max_url_length: usize,
    /// Messages below this size, in bytes, are sent uncompressed, and so are those that would not shrink. Default
    /// 1024.
    /// @since 0.2
    pub compression_threshold: usize,
    /// How many bytes one connection may use to compress and decompress: the windows are negotiated so small that
    /// they fit; if none fit, there is no compression. Default 512 KiB.
    /// @since 0.2
    pub compression_memory: usize,
    /// How long a message that has begun may go without a further byte, in milliseconds. In ten times as long, at
    /// least 64 KiB of it must arrive. The time does not run while this side does not read. A slower message ends
    /// the connection with 1008 and NSWS_DETAIL_MESSAGE_TIMEOUT. Default 60000; 0: no limit.
    /// @since 0.2
    pub message_timeout_ms: u32,
    /// 1: offer permessage-deflate (RFC 7692). Default 0. In a build without compression: NSWS_ERR_NOT_SUPPORTED.
    /// The length of compressed data reveals something about its content: leave it off for messages that mix
    /// secrets with what an attacker may choose.
    /// @since 0.2
    pub compression: u8,
    /// How hard to compress, 1 to 9. Default 6.
    /// @since 0.2
    pub compression_level: u8,
    /// The largest window for the client's messages, as a power of two, 8 to 15. Default 15.
    /// @since 0.2
    pub client_max_window_bits: u8,
    /// The largest window for the server's messages, as a power of two, 8 to 15. Default 15.
    /// @since 0.2
    pub server_max_window_bits: u8,
    /// 1: each of the client's messages is compressed by itself. Default 0.
    /// @since 0.2
    pub client_no_context_takeover: u8,
    /// 1: each of the server's messages is compressed by itself. Default 0.
    /// @since 0.2
    pub server_no_context_takeover: u8,
    /// 1: messages arrive in parts, as `message_part` events instead of `message`. `max_receive_size` still bounds
    /// the whole message. Default 0.
    /// @since 0.2
    pub receive_parts: u8,
    /// How many redirects (301, 302, 303, 307, 308) to follow in a row, all within `connect_timeout_ms`. `Location`
    /// may be relative, and http and https mean ws and wss. A redirect from wss to ws is not followed. Another
    /// origin (scheme, host and port) gets neither the user and password of the URL, nor `client_cert_path`, nor
    /// the headers `Authorization`, `Cookie`, `Proxy-Authorization` and `Host`; other headers go along. A redirect
    /// that can't be followed is an `error` event of phase handshake with NSWS_DETAIL_REDIRECT. At most 50. Default
    /// 0: a redirect is a refusal like any other, with NSWS_DETAIL_HTTP_STATUS.
    /// @since 0.2
    pub max_redirects: u32,
    /// The local address to connect from, an IPv4 or IPv6 literal; only server addresses of its family are tried.
    /// For a link-local address, the interface is that of the URL's zone or `bind_interface`; without either, and
    /// for an address that this device doesn't have, there is an `error` event with NSWS_DETAIL_UNREACHABLE. NULL
    /// or "": the system's choice. This member and those down to `tcp_user_timeout_ms` also hold for the connection
    /// to a proxy.
    /// @since 0.2
    pub bind_address: *const c_char,
    /// The network interface to go through, whatever the routes say (SO_BINDTODEVICE), such as "wlan0"; at most 15
    /// bytes. An interface that doesn't exist, or that this process may not choose, is an `error` event with
    /// NSWS_DETAIL_UNREACHABLE. NULL or "": as the routes say.
    /// @since 0.2
    pub bind_interface: *const c_char,
    /// Addresses for names, used instead of a lookup, as curl writes them: `host:port:address[,address]`, several
    /// separated by `;`. The host may be `*` for all names; IPv6 addresses may have brackets. An entry for the name
    /// counts before one for all names, and a later entry before an earlier one. A leading `+` makes no difference;
    /// `-host:port` is refused. The certificate must still be the name's. NULL or "": none.
    /// @since 0.2
    pub resolve: *const c_char,
    /// The size of the system's receive buffer for the connection, in bytes, at most 2147483647; the system bounds
    /// it. Default 0: the system's choice, which grows with the traffic.
    /// @since 0.2
    pub receive_buffer_size: usize,
    /// The size of the system's send buffer for the connection, in bytes, at most 2147483647; the system bounds it.
    /// Default 0: the system's choice.
    /// @since 0.2
    pub send_buffer_size: usize,
    /// After how much silence, and then how often, TCP itself probes the peer (SO_KEEPALIVE), in milliseconds,
    /// rounded up to seconds, at most 32767000. This costs less than `ping_interval_ms`, but only shows that the
    /// peer's system is alive, and a proxy may answer in its place. Default 0: never.
    /// @since 0.2
    pub tcp_keepalive_ms: u32,
    /// How long sent data may stay unacknowledged before the connection counts as lost (TCP_USER_TIMEOUT), in
    /// milliseconds, at most 2147483647. Default 0: the system's choice, some 15 minutes.
    /// @since 0.2
    pub tcp_user_timeout_ms: u32,
    /// The server's name in TLS, a host name or an IP address, if the server is reached by an address or another
    /// name: the name that is sent (SNI, RFC 6066 3) and that the certificate must be for. NULL or "": the URL's
    /// host. It is not used after a redirect to another origin.
    /// @since 0.2
    pub tls_server_name: *const c_char,
}

/// Writes the defaults into `options`.
///
/// @param options the struct to prepare
/// @param struct_size `sizeof *options`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `options` is NULL, or the size is below that of a size_t or above 4096;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connect_options_init(
    options: *mut nsws_connect_options,
    struct_size: usize,
) -> i32 {
    // SAFETY: as promised to this function.
    call(|| unsafe { write_defaults(options, struct_size, connect_defaults()) })
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

pub fn tls_version(value: u8) -> Result<TlsVersion> {
    match value {
        NSWS_TLS_1_2 => Ok(TlsVersion::Tls12),
        NSWS_TLS_1_3 => Ok(TlsVersion::Tls13),
        other => Err(Error::call(Code::Parameter, format!("min_tls_version {other} is unknown."))),
    }
}

/// The protocol of a proxy of this mode; `None`: the mode names no proxy.
pub fn proxy_kind(mode: u8) -> Option<ProxyKind> {
    match mode {
        NSWS_PROXY_HTTP => Some(ProxyKind::Http),
        NSWS_PROXY_SOCKS5 => Some(ProxyKind::Socks5),
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

/// # Safety
/// Each text is NULL or NUL-terminated.
unsafe fn read_link_options(given: &nsws_connect_options) -> Result<LinkOptions> {
    // SAFETY: as promised to this function.
    let (address, interface, resolve) = unsafe {
        (
            text(given.bind_address, "bind_address")?,
            text(given.bind_interface, "bind_interface")?,
            text(given.resolve, "resolve")?,
        )
    };
    Ok(LinkOptions {
        bind_address: LinkOptions::address(address.unwrap_or_default())?,
        bind_interface: interface.filter(|name| !name.is_empty()).map(str::to_owned),
        resolve: Known::parse_list(resolve.unwrap_or_default())?,
        keepalive: in_time(given.tcp_keepalive_ms),
        user_timeout: in_time(given.tcp_user_timeout_ms),
        receive_buffer_size: given.receive_buffer_size,
        send_buffer_size: given.send_buffer_size,
    })
}

/// The rule of secure_getenv(3): a process with more privileges than its caller does not trust the environment,
/// which the caller has made.
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
    // SAFETY: the caller promises `header_count` headers.
    let headers = unsafe { read_headers(given.headers, given.header_count) }?;
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
        limits: read_limits!(given),
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
