//! The figures of a client.

use std::ffi::c_char;
use std::net::SocketAddr;

use super::arguments::write_defaults;
use super::call;
use super::client::client;
use super::connect_options::{NSWS_TLS_1_2, NSWS_TLS_1_3};
use super::handle::nsws_client;
use crate::tls::TlsVersion;

/// The figures of a client's current connection, or of the last one.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_client_stats {
    /// The size of this struct, as given to nsws_client_get_stats().
    pub struct_size: usize,
    /// How many messages were handed to the system; control frames do not count.
    pub messages_sent: u64,
    /// How many messages were received.
    pub messages_received: u64,
    /// The bytes of payload of the messages sent.
    pub bytes_sent: u64,
    /// The bytes of payload of the messages received.
    pub bytes_received: u64,
    /// How much waits to be sent, in bytes: the frames, and 64 bytes for each message or ping. From `close` on: how much
    /// was accepted and not sent.
    pub queued_bytes: u64,
    /// How long the name lookup took, in microseconds: of the proxy if there is one, else of the server; 0 for an
    /// IP address.
    pub dns_us: u64,
    /// How long the TCP connection took, including the way through a proxy, in microseconds.
    pub tcp_us: u64,
    /// How long the TLS handshake took, in microseconds; 0 for ws.
    pub tls_us: u64,
    /// How long the WebSocket handshake took, in microseconds.
    pub handshake_us: u64,
    /// The time from the last answered ping to its pong, in microseconds; 0 before the first.
    pub rtt_us: u64,
    /// 1: the TLS handshake resumed an earlier session, which makes it short; else 0.
    pub tls_resumed: u8,
    /// The bytes that were handed to the system, including the WebSocket handshake, the frames' headers and
    /// TLS.
    /// @since 0.2
    pub wire_bytes_sent: u64,
    /// The bytes that were received from the system, counted in the same way.
    /// @since 0.2
    pub wire_bytes_received: u64,
    /// The time from pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the
    /// first.
    /// @since 0.2
    pub smoothed_rtt_us: u64,
    /// The part of `tcp_us` that the proxy took to open the tunnel, in microseconds; 0 without a proxy.
    /// @since 0.2
    pub proxy_us: u64,
    /// How long after the WebSocket handshake the first message arrived, in microseconds; 0 before it has.
    /// @since 0.2
    pub first_message_us: u64,
    /// How often the client has connected again by itself since nsws_client_connect().
    /// @since 0.2
    pub reconnects: u32,
    /// The port at the other end of TCP.
    /// @since 0.2
    pub peer_port: u16,
    /// NSWS_TLS_1_2 or NSWS_TLS_1_3; 0 for ws.
    /// @since 0.2
    pub tls_version: u8,
    /// The cipher suite of TLS as IANA names it, such as "TLS_AES_256_GCM_SHA384"; "" for ws.
    /// @since 0.2
    pub tls_cipher: [c_char; 64],
    /// The IP address at the other end of TCP as text: the server's or, with a proxy, the proxy's; "" before the first
    /// connection. A link-local address ends with the number of its interface (`%2`).
    /// @since 0.2
    pub peer_ip: [c_char; 64],
    /// The extensions that were agreed on, as the header has them, or "".
    /// @since 0.2
    pub extensions: [c_char; 160],
    /// How many pings, including heartbeats, the server answered before the next one was sent. `rtt_us` has been measured
    /// this many times.
    /// @since 0.2
    pub pings_answered: u64,
}

/// Reads the figures of the current connection, or of the last one.
///
/// @param client the client
/// @param stats receives the figures
/// @param struct_size `sizeof *stats`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `stats` is NULL, or the size is below that of a size_t or above 4096;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_get_stats(
    client: nsws_client,
    stats: *mut nsws_client_stats,
    struct_size: usize,
) -> i32 {
    call(|| {
        let now = self::client(client)?.stats();
        let us = |duration: std::time::Duration| duration.as_micros() as u64;
        let values = nsws_client_stats {
            struct_size,
            messages_sent: now.traffic.messages_sent,
            messages_received: now.traffic.messages_received,
            bytes_sent: now.traffic.bytes_sent,
            bytes_received: now.traffic.bytes_received,
            queued_bytes: now.traffic.queued_bytes as u64,
            dns_us: us(now.timings.dns),
            tcp_us: us(now.timings.tcp),
            tls_us: us(now.timings.tls),
            handshake_us: us(now.timings.handshake),
            rtt_us: us(now.traffic.rtt),
            tls_resumed: now.agreement.tls.resumed.into(),
            wire_bytes_sent: now.traffic.carried.sent,
            wire_bytes_received: now.traffic.carried.received,
            smoothed_rtt_us: us(now.traffic.smoothed_rtt),
            proxy_us: us(now.timings.proxy),
            first_message_us: us(now.traffic.first_message),
            reconnects: now.reconnects,
            peer_port: now.agreement.peer.map_or(0, |peer| peer.port()),
            tls_version: now.agreement.tls.version.map_or(0, tls_number),
            tls_cipher: chars(now.agreement.tls.cipher),
            peer_ip: chars(&now.agreement.peer.map(ip_text).unwrap_or_default()),
            extensions: chars(&now.agreement.extensions),
            pings_answered: now.traffic.pings_answered,
        };
        // SAFETY: the parameters' descriptions ask for it.
        unsafe { write_defaults(stats, struct_size, values) }
    })
}

/// A version of TLS, as the header has it.
pub(super) fn tls_number(version: TlsVersion) -> u8 {
    match version {
        TlsVersion::Tls12 => NSWS_TLS_1_2,
        TlsVersion::Tls13 => NSWS_TLS_1_3,
    }
}

fn ip_text(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V6(peer) if peer.scope_id() != 0 => format!("{}%{}", peer.ip(), peer.scope_id()),
        peer => peer.ip().to_string(),
    }
}

/// A text as a member of a struct, with a NUL at its end.
pub(super) fn chars<const SIZE: usize>(text: &str) -> [c_char; SIZE] {
    let mut chars = [0; SIZE];
    for (place, byte) in chars.iter_mut().take(SIZE - 1).zip(text.bytes()) {
        *place = byte as c_char;
    }
    chars
}
