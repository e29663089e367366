//! Groups of a server's connections.

use std::ffi::{c_char, c_void};

use super::arguments::text;
use super::call;
use super::connection::connection;
use super::handle::{nsws_connection, nsws_server};
use super::server::{message, server, write_count};
use crate::error::{Code, Error, Result};

/// Makes a connection a member of a group of its server's connections, such as a room or a topic;
/// nsws_server_broadcast_group() sends to a group. A group exists while it has members. A connection may be in
/// several groups, and leaves them once its `close` listeners have returned.
///
/// @param connection the connection
/// @param group the name of the group, any UTF-8 but ""; copied
/// @return NSWS_OK: also when it is a member already; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_join(connection: nsws_connection, group: *const c_char) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let group = unsafe { name(group) }?;
        self::connection(connection)?.join(group)
    })
}

/// Ends the membership of a connection in a group.
///
/// @param connection the connection
/// @param group the name of the group
/// @return NSWS_OK: also when it is no member; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_leave(connection: nsws_connection, group: *const c_char) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let group = unsafe { name(group) }?;
        self::connection(connection)?.leave(group)
    })
}

/// Sends a message to the members of a group, as nsws_server_broadcast() does to all connections: it is encoded
/// once for all of them, and all get the messages of different threads in the same order. After any error
/// nothing was sent to anybody.
///
/// @param server the server
/// @param group the name of the group
/// @param data the payload, copied; may be NULL if `length` is 0. Text must be UTF-8.
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @param is_text 1: a text message; 0: a binary one
/// @param out_accepted receives how many connections accepted it, 0 if the group has no members; or NULL. A
///        connection does not for the reasons that nsws_server_broadcast() names.
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `group` is NULL, "" or not UTF-8, the data is NULL, not UTF-8 or too
///         long, or `is_text` is neither 0 nor 1; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
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
        let (group, payload) = unsafe { (name(group)?, message(data, length, is_text)?) };
        let accepted = self::server(server)?.broadcast_group(group, payload)?;
        // SAFETY: as above.
        unsafe { write_count(out_accepted, accepted) }
    })
}

/// # Safety
/// `group` is NULL or NUL-terminated, and outlives `'a`.
unsafe fn name<'a>(group: *const c_char) -> Result<&'a str> {
    // SAFETY: as promised to this function.
    let name = unsafe { text(group, "group") }?;
    name.ok_or_else(|| Error::call(Code::Parameter, "group is NULL."))
}
