//! What a program does with a connection of a server.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use tungstenite::protocol::Role;

use super::arguments::{bytes, part, text, utf8, write_defaults};
use super::call;
use super::client_stats::{chars, tls_number};
use super::handle::nsws_connection;
use super::table::{HandleKind, Table};
use crate::connection::{send_here, Payload};
use crate::error::Result;
use crate::server::{Accepted, Names};

static CONNECTIONS: Table<Accepted> = Table::new(HandleKind::Connection);

/// The connections of servers are named by their handles.
pub(super) struct Handles;

impl Names for Handles {
    fn add(&self, connection: &Arc<Accepted>) -> Result<u64> {
        CONNECTIONS.insert(connection.clone())
    }

    fn remove(&self, handle: u64) {
        // It may be gone already.
        let _ = CONNECTIONS.remove(handle);
    }
}

pub(super) fn connection(handle: nsws_connection) -> Result<Arc<Accepted>> {
    CONNECTIONS.get(handle.id)
}

pub(super) fn named(connection: &Accepted) -> nsws_connection {
    nsws_connection { id: connection.name() }
}

fn send(handle: nsws_connection, payload: Payload<'_>) -> Result<()> {
    if let Some(sent) = send_here(handle.id, Role::Server, payload) {
        return sent;
    }
    if CONNECTIONS.with(handle.id, |connection| connection.send_behind(payload))? {
        return Ok(());
    }
    connection(handle)?.send(payload)
}

/// Sends a text message to a client. Accepted messages are sent in order, and nsws_connection_close() sends them
/// before it closes; see nsws_close_event for what happens when the client closes first. After any error nothing
/// was queued.
///
/// @param connection the connection
/// @param text UTF-8, copied; may hold NULs, which are sent; may be NULL if `length` is 0
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the text is NULL, not UTF-8 or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_MESSAGE_UNFINISHED: a message
///         that is being sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
///         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_send_text(
    connection: nsws_connection,
    text: *const c_char,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let text = utf8(unsafe { bytes(text.cast(), length) }?)?;
        send(connection, Payload::Text(text))
    })
}

/// Sends a binary message to a client. Accepted messages are sent in order, and nsws_connection_close() sends
/// them before it closes; see nsws_close_event for what happens when the client closes first. After any error
/// nothing was queued.
///
/// @param connection the connection
/// @param data the payload, copied; may be NULL if `length` is 0
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_MESSAGE_UNFINISHED: a message
///         that is being sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
///         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_send_binary(
    connection: nsws_connection,
    data: *const c_void,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        send(connection, Payload::Binary(unsafe { bytes(data.cast(), length) }?))
    })
}

/// Sends a client a part of a message whose length need not be known yet. Each part goes out as a fragment, and
/// counts in the send queue as a message does. Until the last part, other messages are refused with
/// NSWS_ERR_MESSAGE_UNFINISHED and broadcasts leave this connection out; pings pass, and
/// nsws_connection_close() sends what was accepted before it closes. After any error nothing was queued.
///
/// @param connection the connection
/// @param data the bytes, copied; may be NULL if `length` is 0
/// @param length how many bytes there are, at most `max_send_size`
/// @param is_text 1: the message is text, valid UTF-8 as a whole; a part may end within a character. 0: it is
///         binary. The first part decides.
/// @param is_last 1: the message ends with this part; 0: more follow
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or a flag is neither 0 nor 1;
///         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_CONNECTED: the connection is closing or over;
///         NSWS_ERR_QUEUE_FULL: `drain` follows when there is room; NSWS_ERR_NO_RESOURCES: there is no memory
///         for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_send_part(
    connection: nsws_connection,
    data: *const c_void,
    length: usize,
    is_text: u8,
    is_last: u8,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let (data, is_text, is_last) = unsafe { part(data, length, is_text, is_last) }?;
        self::connection(connection)?.send_part(data, is_text, is_last)
    })
}

/// Sends a ping to a client. Its answer counts as a sign of life and sets `rtt_us` of
/// nsws_connection_get_info(). It may pass between the parts of a message.
///
/// @param connection the connection
/// @param data the payload, copied; may be NULL if `length` is 0
/// @param length its length in bytes, at most 125
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_QUEUE_FULL: `drain` follows when
///         there is room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_ping(
    connection: nsws_connection,
    data: *const c_void,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let data = unsafe { bytes(data.cast(), length) }?;
        self::connection(connection)?.ping(data)
    })
}

/// Closes a connection: sends what was accepted, then the close frame, and waits in the background for the
/// client's. `close` follows.
///
/// @param connection the connection
/// @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; 1000 is the usual one
/// @param reason NUL-terminated UTF-8 of at most 123 bytes, copied; NULL is ""
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the code or the reason may not be sent; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the connection is closing already, or over; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_close(
    connection: nsws_connection,
    code: u16,
    reason: *const c_char,
) -> i32 {
    call(|| {
        let connection = self::connection(connection)?;
        // SAFETY: NULL or NUL-terminated.
        let reason = unsafe { text(reason, "reason") }?;
        connection.close(code, reason.unwrap_or_default())
    })
}

/// Lets small messages to a client wait for each other, as nsws_client_cork() does.
///
/// @param connection the connection
/// @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_cork(connection: nsws_connection) -> i32 {
    call(|| self::connection(connection)?.cork())
}

/// Sends what has waited since nsws_connection_cork(), on this thread if possible. Without a cork it does
/// nothing.
///
/// @param connection the connection
/// @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the connection is closing or over; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_uncork(connection: nsws_connection) -> i32 {
    call(|| self::connection(connection)?.uncork())
}

/// Stops reading from a connection, as nsws_client_pause() does.
///
/// @param connection the connection; it stays paused until nsws_connection_resume()
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_pause(connection: nsws_connection) -> i32 {
    call(|| {
        self::connection(connection)?.pause();
        Ok(())
    })
}

/// Reads again after nsws_connection_pause().
///
/// @param connection the connection
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_resume(connection: nsws_connection) -> i32 {
    call(|| {
        self::connection(connection)?.unpause();
        Ok(())
    })
}

/// The other end of a connection, and the connection's figures.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_connection_info {
    /// The size of this struct, as given to nsws_connection_get_info().
    pub struct_size: usize,
    /// How many messages were handed to the system; control frames do not count.
    pub messages_sent: u64,
    /// How many messages were received.
    pub messages_received: u64,
    /// The bytes of payload of the messages sent.
    pub bytes_sent: u64,
    /// The bytes of payload of the messages received.
    pub bytes_received: u64,
    /// How much waits to be sent, in bytes: the frames, and 64 bytes for each message or ping. In `close`: how much was
    /// accepted and not sent.
    pub queued_bytes: u64,
    /// The time from the last answered ping to its pong, in microseconds; 0 before the first.
    pub rtt_us: u64,
    /// The client's IP address as text, NUL-terminated.
    pub client_ip: [c_char; 46],
    /// The client's port; 0 if a trusted proxy doesn't pass it on.
    pub client_port: u16,
    /// The IP address that the link comes from, as text: the client's, or that of a trusted proxy in between.
    /// @since 0.2
    pub link_ip: [c_char; 46],
    /// The port that the link comes from.
    /// @since 0.2
    pub link_port: u16,
    /// The bytes that were handed to the system, including the WebSocket handshake, the frames' headers and TLS.
    /// @since 0.2
    pub wire_bytes_sent: u64,
    /// The bytes that were received from the system, counted in the same way, without a header of the PROXY protocol.
    /// @since 0.2
    pub wire_bytes_received: u64,
    /// The time from pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the first.
    /// @since 0.2
    pub smoothed_rtt_us: u64,
    /// How long after the WebSocket handshake the first message arrived, in microseconds; 0 before it has.
    /// @since 0.2
    pub first_message_us: u64,
    /// NSWS_TLS_1_2 or NSWS_TLS_1_3; 0 for ws.
    /// @since 0.2
    pub tls_version: u8,
    /// 1: the TLS handshake resumed an earlier session, which makes it short; else 0.
    /// @since 0.2
    pub tls_resumed: u8,
    /// The cipher suite of TLS as IANA names it, such as "TLS_AES_256_GCM_SHA384"; "" for ws.
    /// @since 0.2
    pub tls_cipher: [c_char; 64],
    /// How many pings, including heartbeats, the client answered before the next one was sent. `rtt_us` has been measured
    /// this many times.
    /// @since 0.2
    pub pings_answered: u64,
}

/// Reads the address of a connection's client, and the connection's current figures.
///
/// @param connection the connection
/// @param info receives them
/// @param struct_size `sizeof *info`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `info` is NULL, or the size is below that of a size_t or above 4096;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_get_info(
    connection: nsws_connection,
    info: *mut nsws_connection_info,
    struct_size: usize,
) -> i32 {
    call(|| {
        let connection = self::connection(connection)?;
        let (peer, link, traffic) = (connection.peer(), connection.link(), connection.traffic());
        let tls = connection.tls();
        let us = |duration: Duration| duration.as_micros() as u64;
        let values = nsws_connection_info {
            struct_size,
            messages_sent: traffic.messages_sent,
            messages_received: traffic.messages_received,
            bytes_sent: traffic.bytes_sent,
            bytes_received: traffic.bytes_received,
            queued_bytes: traffic.queued_bytes as u64,
            rtt_us: us(traffic.rtt),
            client_ip: chars(&peer.ip.to_string()),
            client_port: peer.port,
            link_ip: chars(&link.ip.to_string()),
            link_port: link.port,
            wire_bytes_sent: traffic.carried.sent,
            wire_bytes_received: traffic.carried.received,
            smoothed_rtt_us: us(traffic.smoothed_rtt),
            first_message_us: us(traffic.first_message),
            tls_version: tls.version.map_or(0, tls_number),
            tls_resumed: tls.resumed.into(),
            tls_cipher: chars(tls.cipher),
            pings_answered: traffic.pings_answered,
        };
        // SAFETY: the parameters' descriptions ask for it.
        unsafe { write_defaults(info, struct_size, values) }
    })
}
