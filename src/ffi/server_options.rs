//! The options of nsws_server_start().

use std::ffi::c_char;
use std::mem::size_of;

use super::arguments::{flag, in_ms, in_time, ms, read_struct, text, text_lossy, write_defaults};
use super::call;
use super::connect_options::{tls_version, NSWS_PONG_TIMEOUT_DEFAULT, NSWS_TLS_1_2};
use super::header::{nsws_header, read_headers};
use super::limits::read_limits;
use crate::connection::DEFAULT_PING_INTERVAL;
use crate::error::Result;
use crate::server::{CertificateFiles, ServerOptions};

/// The options of nsws_server_start(). Prepare them with nsws_server_options_init(), then set what differs from
/// the defaults. The call copies everything. A value that breaks a rule below is NSWS_ERR_PARAMETER unless
/// another code is named.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_server_options {
    /// The size of this struct; nsws_server_options_init() sets it.
    pub struct_size: usize,
    /// The only IPv4 or IPv6 address to listen on. NULL or "": "0.0.0.0", every IPv4 address; "::" is every
    /// address of either family. An address that this device doesn't have is NSWS_ERR_LISTEN_ADDRESS.
    pub server_ip: *const c_char,
    /// A PEM file with the server's certificate and those that lead to its CA. With it, the server speaks only
    /// wss. NULL or "": ws. A file that can't be opened is NSWS_ERR_CERT_FILE; one that can't be used is
    /// NSWS_ERR_CERT_UNUSABLE. When a client connects, but at most once a second, the server looks whether its
    /// files have changed, and new ones that can be used replace the old. More certificates:
    /// nsws_server_add_certificate().
    pub cert_path: *const c_char,
    /// A PEM file with the private key of the certificate (PKCS#8, PKCS#1 or SEC1), not encrypted. The errors are
    /// those of `cert_path`.
    pub key_path: *const c_char,
    /// The sub-protocols that the server speaks, separated by commas, the preferred one first. The first one that
    /// the client offers as well is chosen. NULL or "": none.
    pub protocol: *const c_char,
    /// The largest message that is received, in bytes; a larger one ends the connection with 1009. Default 16 MiB,
    /// at least 1.
    pub max_receive_size: usize,
    /// The largest message that may be sent, in bytes. Default 5 MiB.
    pub max_send_size: usize,
    /// How much may wait to be sent on one connection, in bytes; as in nsws_connect_options. Default 16 MiB.
    pub send_queue_size: usize,
    /// The port to listen on. Default 0: the system picks one, see nsws_server_get_port(). Above 65535:
    /// NSWS_ERR_LISTEN_PORT.
    pub server_port: u32,
    /// How many client addresses may be connected at the same time; clients from further addresses are refused
    /// with status 503. 0 means the default, 10.
    pub max_concurrent_clients: u32,
    /// How many connections one address may have; more are refused with status 503. 0 means the default, 10. The
    /// addresses of one IPv6 network of 64 bits may have four times as many together, unless they are link-local.
    pub max_connections_per_client: u32,
    /// How many upgrade requests one address may make within 60 seconds. An address that makes more is banned for
    /// the next 60 seconds: requests get status 429, and wss links are cut before TLS. Default 50; 0: no limit. An
    /// address that begins more than twice as many TLS handshakes is banned as well. IPv6 networks have four times
    /// these limits, as above.
    pub max_upgrades_per_minute: u32,
    /// How long a client may take from its TCP connection to the end of the opening handshake, TLS included, in
    /// milliseconds; a slower one is cut off. Default 10000, at least 1.
    pub handshake_timeout_ms: u32,
    /// As in nsws_connect_options: in milliseconds, default 30000; 0: no heartbeat.
    pub ping_interval_ms: u32,
    /// As in nsws_connect_options: in milliseconds, default NSWS_PONG_TIMEOUT_DEFAULT; 0: for ever.
    pub pong_timeout_ms: u32,
    /// How long closing may take, in milliseconds: from nsws_connection_close() or nsws_server_stop() to the
    /// client's answer, sending what is queued included. Default 5000, at least 1.
    pub close_timeout_ms: u32,
    /// The oldest acceptable TLS version: NSWS_TLS_1_2 (the default) or NSWS_TLS_1_3.
    pub min_tls_version: u8,
    /// The origins of the web pages that may connect, separated by commas: "https://example.com,
    /// http://10.0.0.7:8080". A request with another `Origin`, or with `Origin: null`, is refused with status 403
    /// before the accept hook is asked, and doesn't count towards a ban. A request without an `Origin` passes;
    /// browsers always send one. NULL: any page. "": none.
    ///
    /// Any web page in a browser that can reach this server can connect to it, from the address of the browser's
    /// user. Without this list or an accept hook, the page can do what the user's own programs can, and 51
    /// connection attempts of a page ban everyone behind that address for a minute.
    /// @since 0.2
    pub allowed_origins: *const c_char,
    /// Messages below this size, in bytes, are sent uncompressed, and so are those that would not shrink. Default
    /// 1024.
    /// @since 0.2
    pub compression_threshold: usize,
    /// How many bytes one connection may use to compress and decompress: the windows are negotiated so small that
    /// they fit; if none fit, there is no compression. Default 512 KiB.
    /// @since 0.2
    pub compression_memory: usize,
    /// How many bytes of received messages all connections may hold together: messages that wait for the
    /// listeners, and incomplete ones. When the budget is used up, reading stops until messages are delivered. If
    /// none waits, the connection with the largest incomplete message of the address or IPv6 network that holds most
    /// ends with 1009 and NSWS_DETAIL_RECEIVE_BUDGET. Default 0: the larger of 64 MiB and `max_receive_size`.
    /// @since 0.2
    pub receive_budget: usize,
    /// As in nsws_connect_options: in milliseconds, default 60000; 0: no limit.
    /// @since 0.2
    pub message_timeout_ms: u32,
    /// 1: agree to permessage-deflate (RFC 7692). Default 0. In a build without compression:
    /// NSWS_ERR_NOT_SUPPORTED. The length of compressed data reveals something about its content: leave it off for
    /// messages that mix secrets with what an attacker may choose.
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
    /// 1: other servers may listen on the same address and port, in this process and in others of the same user,
    /// if each of them sets this as well (SO_REUSEPORT). The system spreads the clients over them, so that a
    /// program can use several processors: start as many servers as there are `io_threads`. Each server has its
    /// own limits and bans. When a server stops, clients that the system has assigned to it and that it has not
    /// accepted yet are reset. Not with `server_port` 0. Default 0: a port that is in use is NSWS_ERR_PORT_IN_USE.
    /// @since 0.2
    pub reuse_port: u8,
    /// 1: each link from an address in `trusted_proxies` begins with a header of the PROXY protocol, version 1 or
    /// 2, that names the client (`send-proxy` and `send-proxy-v2` of haproxy, `proxy_protocol on` of nginx). A
    /// link from there without such a header is cut, and so is one whose header is damaged or has more than 4096
    /// bytes. The proxy's own requests (`LOCAL`) have the proxy's address. From other peers, such a header is not
    /// accepted. Needs `trusted_proxies`. Default 0.
    /// @since 0.2
    pub proxy_protocol: u8,
    /// A path such as "/healthz", for load balancers and supervisors: a `GET` or `HEAD` of it that isn't an upgrade
    /// gets 200 and "OK", or 503 while clients are refused because the server's callbacks lag behind. It begins
    /// with a slash and has no query; the query of a request isn't looked at. NULL or "": none.
    /// nsws_server_set_http_hook() answers other requests.
    /// @since 0.2
    pub health_path: *const c_char,
    /// Headers for every answer to a request, whether 101 or a refusal, such as `Server` or
    /// `Strict-Transport-Security`. Names are tokens; values hold no control characters. Headers that belong to
    /// the handshake or to the body of an answer can't be set (`Upgrade`, `Connection`,
    /// `Sec-WebSocket-Protocol`, `Content-Type`, `Content-Encoding`, `Content-Length` and the like). NULL if there
    /// are none.
    /// @since 0.2
    pub response_headers: *const nsws_header,
    /// How many headers there are.
    /// @since 0.2
    pub response_header_count: usize,
    /// The proxies in front of this server that are trusted to name the client's address: addresses and networks,
    /// separated by commas ("127.0.0.1, 10.0.0.0/8, fd00::/8"). An IPv4 address that is written as an IPv6 address
    /// ("::ffff:10.0.0.0/104") is the same. NULL or "": none.
    ///
    /// In a request from one of them, `X-Forwarded-For` is read from the right, or `Forwarded` (RFC 7239) if there
    /// is no such header, and the first address that isn't a trusted proxy's is taken as the client's. So what a
    /// client writes there has no effect, provided that the proxy appends to the header that is read; a proxy that
    /// writes only `Forwarded` must remove `X-Forwarded-For`. This address is the one in events, and the one that
    /// limits and bans count. The proxy's own address is used only if the proxy names no client. Such headers from
    /// other peers are ignored.
    /// @since 0.2
    pub trusted_proxies: *const c_char,
    /// A PEM file with the CAs of the certificates that clients must have, or with such certificates themselves.
    /// The TLS handshake fails for a client without one; the accept hook and `connect` show the certificate of any
    /// other. NULL or "": clients need no certificate. A file that can't be opened is NSWS_ERR_CERT_FILE; one
    /// that can't be used is NSWS_ERR_CERT_UNUSABLE. The server itself must have a certificate.
    /// @since 0.2
    pub client_ca_path: *const c_char,
}

fn defaults() -> nsws_server_options {
    let defaults = ServerOptions::default();
    let limits = defaults.limits;
    nsws_server_options {
        struct_size: size_of::<nsws_server_options>(),
        server_ip: std::ptr::null(),
        cert_path: std::ptr::null(),
        key_path: std::ptr::null(),
        protocol: std::ptr::null(),
        max_receive_size: limits.max_receive_size,
        max_send_size: limits.max_send_size,
        send_queue_size: limits.send_queue_size,
        server_port: defaults.port,
        max_concurrent_clients: defaults.max_concurrent_clients,
        max_connections_per_client: defaults.max_connections_per_client,
        max_upgrades_per_minute: defaults.max_upgrades_per_minute,
        handshake_timeout_ms: in_ms(defaults.handshake_timeout),
        ping_interval_ms: in_ms(DEFAULT_PING_INTERVAL),
        pong_timeout_ms: NSWS_PONG_TIMEOUT_DEFAULT,
        close_timeout_ms: in_ms(limits.close_timeout),
        min_tls_version: NSWS_TLS_1_2,
        allowed_origins: std::ptr::null(),
        message_timeout_ms: in_ms(limits.message_timeout.unwrap_or_default()),
        compression: limits.compression.enabled.into(),
        compression_level: limits.compression.level,
        client_max_window_bits: limits.compression.client_max_window_bits,
        server_max_window_bits: limits.compression.server_max_window_bits,
        client_no_context_takeover: limits.compression.client_no_context_takeover.into(),
        server_no_context_takeover: limits.compression.server_no_context_takeover.into(),
        receive_parts: limits.receive_parts.into(),
        reuse_port: defaults.reuse_port.into(),
        compression_threshold: limits.compression.threshold,
        compression_memory: limits.compression.memory,
        receive_budget: 0,
        health_path: std::ptr::null(),
        response_headers: std::ptr::null(),
        response_header_count: 0,
        proxy_protocol: 0,
        trusted_proxies: std::ptr::null(),
        client_ca_path: std::ptr::null(),
    }
}

/// The caller's options, or the defaults for NULL.
///
/// # Safety
/// `options` is NULL or as [`read_struct`] and its members' documentation demand.
pub unsafe fn read_server_options(options: *const nsws_server_options) -> Result<ServerOptions> {
    if options.is_null() {
        return Ok(ServerOptions { descriptors: most_descriptors(), ..ServerOptions::default() });
    }
    // SAFETY: as promised to this function.
    let given = unsafe { read_struct(options, defaults()) }?;
    // SAFETY: NULL or NUL-terminated.
    let allowed_origins = unsafe { text(given.allowed_origins, "allowed_origins") }?;
    // SAFETY: NULL or NUL-terminated.
    let client_ca = unsafe { text(given.client_ca_path, "client_ca_path") }?;
    // SAFETY: each is NULL or NUL-terminated.
    let (health_path, trusted_proxies) =
        unsafe { (text(given.health_path, "health_path")?, text(given.trusted_proxies, "trusted_proxies")?) };
    // SAFETY: as promised to this function.
    let response_headers = unsafe { read_headers(given.response_headers, given.response_header_count) }?;
    // SAFETY: each is NULL or NUL-terminated.
    let (ip, chain, key, protocol) = unsafe {
        (
            text_lossy(given.server_ip),
            text(given.cert_path, "cert_path")?,
            text(given.key_path, "key_path")?,
            text(given.protocol, "protocol")?,
        )
    };
    Ok(ServerOptions {
        ip: ip.unwrap_or_default(),
        port: given.server_port,
        reuse_port: flag(given.reuse_port, "reuse_port")?,
        certificate: chain
            .filter(|path| !path.is_empty())
            .map(|chain| CertificateFiles { chain: chain.into(), key: key.unwrap_or_default().into() }),
        client_ca: client_ca.filter(|path| !path.is_empty()).map(Into::into),
        min_tls_version: tls_version(given.min_tls_version)?,
        protocol: protocol.unwrap_or_default().to_owned(),
        max_concurrent_clients: given.max_concurrent_clients,
        max_connections_per_client: given.max_connections_per_client,
        max_upgrades_per_minute: given.max_upgrades_per_minute,
        handshake_timeout: ms(given.handshake_timeout_ms),
        limits: read_limits!(given),
        receive_budget: given.receive_budget,
        allowed_origins: allowed_origins.map(str::to_owned),
        health_path: health_path.filter(|path| !path.is_empty()).map(str::to_owned),
        response_headers,
        trusted_proxies: trusted_proxies.unwrap_or_default().to_owned(),
        proxy_protocol: flag(given.proxy_protocol, "proxy_protocol")?,
        descriptors: most_descriptors(),
    })
}

/// How many descriptors the process may have (RLIMIT_NOFILE).
fn most_descriptors() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the struct that lives here.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    // 32 bits on some systems.
    #[allow(clippy::useless_conversion)]
    known.then(|| limit.rlim_cur.into())
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
pub unsafe extern "C" fn nsws_server_options_init(
    options: *mut nsws_server_options,
    struct_size: usize,
) -> i32 {
    // SAFETY: as promised to this function.
    call(|| unsafe { write_defaults(options, struct_size, defaults()) })
}
