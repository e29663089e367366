//! Groups of a server's connections.

use std::ffi::{c_char, c_void};

use super::call;
use super::handle::{nsws_connection, nsws_server};
use super::options::{bytes, flag, text, utf8};
use super::server::server;
use super::write_out;
use crate::connection::Payload;
use crate::error::{Code, Error, Result};
use crate::server::connection;

/// Makes a connection a member of a group of its server's connections: a room, a topic, whatever messages are sent to
/// with nsws_server_broadcast_group(). A group exists while it has members. A connection may be in several, and leaves
/// them by itself when its `close` was delivered.
///
/// @param connection the connection
/// @param group the group's name, any UTF-8 but ""; copied
/// @return 0, also when it is a member already; 401 when `group` is NULL, "" or not UTF-8; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_join(connection: nsws_connection, group: *const c_char) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let group = unsafe { name(group) }?;
        self::connection(connection.id)?.join(group)
    })
}

/// Ends a connection's membership in a group.
///
/// @param connection the connection
/// @param group the group's name
/// @return 0, also when it is no member; 401 when `group` is NULL, "" or not UTF-8; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_leave(connection: nsws_connection, group: *const c_char) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let group = unsafe { name(group) }?;
        self::connection(connection.id)?.leave(group)
    })
}

/// Sends a message to the members of a group, as nsws_server_broadcast() does to all connections: encoded once, in the
/// same order for all.
///
/// @param server the server
/// @param group the group's name
/// @param data the payload, copied; NULL is allowed when `length` is 0. Text must be UTF-8.
/// @param length its length in bytes; 0 sends an empty message
/// @param is_text 1: a text message; 0: a binary one
/// @param out_accepted receives how many connections accepted it, 0 when the group has no members; or NULL. Who doesn't
///        accept it: as with nsws_server_broadcast()
/// @return 0; 401 when `group` is NULL, "" or not UTF-8, for invalid UTF-8, more than `max_send_size`, or `is_text`
///         neither 0 nor 1, and then nobody was sent anything; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_broadcast_group(
    server: nsws_server,
    group: *const c_char,
    data: *const c_void,
    length: usize,
    is_text: u8,
    out_accepted: *mut usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameters' descriptions ask for it.
        let (group, data) = unsafe { (name(group)?, bytes(data.cast(), length)?) };
        let payload = match flag(is_text, "is_text")? {
            true => Payload::Text(utf8(data)?),
            false => Payload::Binary(data),
        };
        let accepted = self::server(server)?.broadcast_group(group, payload)?;
        match out_accepted.is_null() {
            true => Ok(()),
            // SAFETY: not NULL, and writable as the parameter's description asks.
            false => unsafe { write_out(out_accepted, accepted) },
        }
    })
}

/// # Safety
/// `group` is NULL or NUL-terminated, and outlives `'a`.
unsafe fn name<'a>(group: *const c_char) -> Result<&'a str> {
    // SAFETY: as promised to this function.
    let name = unsafe { text(group, "group") }?;
    name.ok_or_else(|| Error::call(Code::Parameter, "group is NULL."))
}
