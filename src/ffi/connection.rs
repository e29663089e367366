//! The exports about a server's connections.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::arguments::{bytes, part, text, utf8, write_defaults};
use super::call;
use super::handle::nsws_connection;
use super::table::{Kind, Table};
use crate::connection::Payload;
use crate::error::Result;
use crate::server::{Accepted, Names};

static CONNECTIONS: Table<Accepted> = Table::new(Kind::Connection);

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
    match CONNECTIONS.with(handle.id, |connection| connection.send_behind(payload))? {
        true => Ok(()),
        false => connection(handle)?.send(payload),
    }
}

/// Sends a text message to a client. What was accepted is delivered in order; nsws_connection_close() flushes
/// it first.
///
/// @param connection the connection
/// @param text UTF-8, copied; NULL is allowed when `length` is 0. NULs in it are sent as they are.
/// @param length its length in bytes; 0 sends an empty message
/// @return 0; 401 for invalid UTF-8 or more than `max_send_size`; `NSWS_ERR_PERMISSION_DENIED`;
///         `NSWS_ERR_NOT_CONNECTED` when the connection is closing or over; `NSWS_ERR_MESSAGE_UNFINISHED` between
///         the parts of another message; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
///         `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
/// Any thread; never blocks on the network.
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

/// Sends a binary message to a client. As nsws_connection_send_text().
///
/// @param connection the connection
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes; 0 sends an empty message
/// @return as nsws_connection_send_text()
/// Any thread; never blocks on the network.
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

/// Sends a part of a message to a client. As nsws_client_send_part(); broadcasts pass over a connection that waits
/// for the last part.
///
/// @param connection the connection
/// @param data the bytes, copied; NULL is allowed when `length` is 0
/// @param length how many there are, at most `max_send_size`
/// @param is_text 1: the message is text
/// @param is_last 1: the message ends with this part
/// @return as nsws_client_send_part()
/// Any thread; never blocks on the network.
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

/// Sends a ping to a client. The answer counts as a sign of life and sets `rtt_us` of nsws_connection_get_info().
///
/// @param connection the connection
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes, at most 125
/// @return 0; 401 above 125 bytes; else as nsws_connection_send_text(), but never `NSWS_ERR_MESSAGE_UNFINISHED`
/// Any thread; never blocks on the network.
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
/// @param code 1000-1003, 1007-1014 or 3000-4999; 1000 is the normal one
/// @param reason at most 123 bytes of UTF-8; NULL is ""
/// @return 0; 401 for a code or reason that may not be sent; `NSWS_ERR_PERMISSION_DENIED`;
///         `NSWS_ERR_NOT_CONNECTED` when it is being closed already; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
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

/// Lets small messages wait for each other; as nsws_client_cork().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_cork(connection: nsws_connection) -> i32 {
    call(|| self::connection(connection)?.cork())
}

/// Sends what has waited since nsws_connection_cork(), on this thread if it can; as
/// nsws_client_uncork().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_uncork(connection: nsws_connection) -> i32 {
    call(|| self::connection(connection)?.uncork())
}

/// Stops the reading of a connection; as nsws_client_pause().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_pause(connection: nsws_connection) -> i32 {
    call(|| {
        self::connection(connection)?.pause();
        Ok(())
    })
}

/// Ends what nsws_connection_pause() began.
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_resume(connection: nsws_connection) -> i32 {
    call(|| {
        self::connection(connection)?.unpause();
        Ok(())
    })
}

/// Who is at the other end of a connection, and figures of it.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_connection_info {
    /// The size of this struct, as given to nsws_connection_get_info().
    pub struct_size: usize,
    /// Messages sent to the system, control frames not counted.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Payload bytes of the messages sent.
    pub bytes_sent: u64,
    /// Payload bytes of the messages received.
    pub bytes_received: u64,
    /// What waits to be sent: the bytes of the frames, and 64 for each message or ping.
    pub queued_bytes: u64,
    /// The last ping's time to its pong, in microseconds; 0 before the first.
    pub rtt_us: u64,
    /// The client's IP address as text, NUL-terminated.
    pub client_ip: [c_char; 46],
    /// The client's port.
    pub client_port: u16,
}

/// Tells who is at the other end of a connection, and figures of it up to now.
///
/// @param connection the connection
/// @param info receives them
/// @param struct_size `sizeof *info`
/// @return 0; 401 when `info` is NULL or the size is impossible; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_get_info(
    connection: nsws_connection,
    info: *mut nsws_connection_info,
    struct_size: usize,
) -> i32 {
    call(|| {
        let connection = self::connection(connection)?;
        let (peer, traffic) = (connection.peer(), connection.traffic());
        let mut client_ip = [0; 46];
        for (place, byte) in client_ip.iter_mut().zip(peer.ip.to_string().bytes()) {
            *place = byte as c_char;
        }
        let values = nsws_connection_info {
            struct_size,
            messages_sent: traffic.messages_sent,
            messages_received: traffic.messages_received,
            bytes_sent: traffic.bytes_sent,
            bytes_received: traffic.bytes_received,
            queued_bytes: traffic.queued_bytes as u64,
            rtt_us: traffic.rtt.as_micros() as u64,
            client_ip,
            client_port: peer.port,
        };
        // SAFETY: the parameters' descriptions ask for it.
        unsafe { write_defaults(info, struct_size, values) }
    })
}
