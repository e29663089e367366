//! Messages in parts: what arrives as it arrives, what is sent as it is made.

use std::ffi::c_void;
use std::mem::size_of;

use super::call;
use super::client::{client, null_callback};
use super::event::nsws_free_fn;
use super::handle::{nsws_client, nsws_connection, nsws_server};
use super::listener::{add, remove};
use super::options::{bytes, flag};
use super::server::{named, server};
use crate::connection::MessagePartEvent;
use crate::error::Result;
use crate::server::{connection, Of};

/// A part of a message: `message_part`. An empty message is one part; the parts of a text end at whole characters.
/// @since 0.2
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_message_part_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The bytes; never NULL, not NUL-terminated.
    pub data: *const u8,
    /// How many bytes there are; may be 0.
    pub length: usize,
    /// 1: the message is text, valid UTF-8 so far. 0: it is binary.
    pub is_text: u8,
    /// 1: the message begins with this part.
    pub is_first: u8,
    /// 1: the message ends with this part. A connection that breaks before ends without it.
    pub is_last: u8,
}

/// Called for `message_part` of a client.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_message_part_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_message_part_event, user_data: *mut c_void),
>;

/// Called for `message_part` of a server's connection.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_server_message_part_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_message_part_event,
        user_data: *mut c_void,
    ),
>;

fn with_part(part: &MessagePartEvent<'_>, call: impl FnOnce(*const nsws_message_part_event)) {
    call(&nsws_message_part_event {
        struct_size: size_of::<nsws_message_part_event>(),
        data: part.data.as_ptr(),
        length: part.data.len(),
        is_text: part.is_text.into(),
        is_first: part.is_first.into(),
        is_last: part.is_last.into(),
    });
}

/// Adds a listener of `message_part`; as nsws_client_on_header_receive(). With `receive_parts` of
/// nsws_connect_options, it is called instead of `message`, as the bytes arrive; `data_end` follows the last part.
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_message_part(
    client: nsws_client,
    r#fn: nsws_message_part_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let object = self::client(client)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners.message_part, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |part: &MessagePartEvent<'_>| {
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_part(part, |event| unsafe { function(client, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `message_part`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_message_part(
    client: nsws_client,
    r#fn: nsws_message_part_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.message_part;
        remove(listeners, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `message_part`; as nsws_server_on_connect(). With `receive_parts` of nsws_server_options, it
/// is called instead of `message`, as the bytes arrive.
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_message_part(
    server: nsws_server,
    r#fn: nsws_server_message_part_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().message_part, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &Of<'_, MessagePartEvent<'_>>| {
                let connection = named(of.connection);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_part(&of.event, |event| unsafe { function(server, connection, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `message_part`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_message_part(
    server: nsws_server,
    r#fn: nsws_server_message_part_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        let object = self::server(server)?;
        remove(&object.listeners().message_part, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Sends a part of a message whose length need not be known. Each part goes out as a fragment, and counts in the send
/// queue as a message does. Until the last part, other messages to this peer are refused with
/// `NSWS_ERR_MESSAGE_UNFINISHED`; pings pass, and nsws_client_close() sends what was accepted before it closes.
///
/// @param client the client
/// @param data the bytes, copied; NULL is allowed when `length` is 0
/// @param length how many there are, at most `max_send_size`
/// @param is_text 1: the message is text, and valid UTF-8 over the whole; a part may end within a character. What the
///        first part says counts.
/// @param is_last 1: the message ends with this part
/// @return 0; 401 for invalid UTF-8, more than `max_send_size`, or a flag that is neither 0 nor 1;
///         `NSWS_ERR_NOT_CONNECTED`; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
///         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
/// Any thread; never blocks on the network.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_send_part(
    client: nsws_client,
    data: *const c_void,
    length: usize,
    is_text: u8,
    is_last: u8,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let (data, is_text, is_last) = unsafe { part(data, length, is_text, is_last) }?;
        self::client(client)?.send_part(data, is_text, is_last)
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
        self::connection(connection.id)?.send_part(data, is_text, is_last)
    })
}

/// A part as the caller gives it.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that outlive `'a`.
unsafe fn part<'a>(
    data: *const c_void,
    length: usize,
    is_text: u8,
    is_last: u8,
) -> Result<(&'a [u8], bool, bool)> {
    // SAFETY: as promised to this function.
    let data = unsafe { bytes(data.cast(), length) }?;
    Ok((data, flag(is_text, "is_text")?, flag(is_last, "is_last")?))
}
