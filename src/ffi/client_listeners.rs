//! Adding and removing the listeners of a client.

use std::ffi::c_void;

use super::client_events::*;
use super::handle::nsws_client;
use super::listener::{nsws_free_fn, off, on};

/// Adds a listener of `header_receive`. The listeners of an event are called in the order of their
/// registration. Adding the same `fn` with the same `user_data` again has no effect, and the second `free_fn`
/// is not called.
///
/// Callbacks run on threads of the library, never inside a call, and never two at once for one client. A
/// callback that blocks delays only its own client.
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_header_receive(
    client: nsws_client,
    r#fn: nsws_header_receive_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.header_receive, r#fn, user_data, free_fn)
}

/// Removes a listener of `header_receive`. It is not called again. A running call goes on: this function does
/// not wait for it, and may be called inside it. Removing a listener that isn't there is no error.
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_header_receive(
    client: nsws_client,
    r#fn: nsws_header_receive_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.header_receive, r#fn, user_data)
}

/// Adds a listener of `open`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_open(
    client: nsws_client,
    r#fn: nsws_open_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.open, r#fn, user_data, free_fn)
}

/// Removes a listener of `open`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_open(
    client: nsws_client,
    r#fn: nsws_open_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.open, r#fn, user_data)
}

/// Adds a listener of `message`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_message(
    client: nsws_client,
    r#fn: nsws_message_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.message, r#fn, user_data, free_fn)
}

/// Removes a listener of `message`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_message(
    client: nsws_client,
    r#fn: nsws_message_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.message, r#fn, user_data)
}

/// Adds a listener of `message_part`; as nsws_client_on_header_receive(). With `receive_parts` of
/// nsws_connect_options it is called instead of `message`, as the bytes arrive; `data_end` follows the last
/// part.
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_message_part(
    client: nsws_client,
    r#fn: nsws_message_part_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.message_part, r#fn, user_data, free_fn)
}

/// Removes a listener of `message_part`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_message_part(
    client: nsws_client,
    r#fn: nsws_message_part_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.message_part, r#fn, user_data)
}

/// Adds a listener of `data_end`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_data_end(
    client: nsws_client,
    r#fn: nsws_data_end_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.data_end, r#fn, user_data, free_fn)
}

/// Removes a listener of `data_end`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_data_end(
    client: nsws_client,
    r#fn: nsws_data_end_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.data_end, r#fn, user_data)
}

/// Adds a listener of `close`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_close(
    client: nsws_client,
    r#fn: nsws_close_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.close, r#fn, user_data, free_fn)
}

/// Removes a listener of `close`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_close(
    client: nsws_client,
    r#fn: nsws_close_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.close, r#fn, user_data)
}

/// Adds a listener of `error`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_error(
    client: nsws_client,
    r#fn: nsws_error_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.error, r#fn, user_data, free_fn)
}

/// Removes a listener of `error`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_error(
    client: nsws_client,
    r#fn: nsws_error_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.error, r#fn, user_data)
}

/// Adds a listener of `drain`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_drain(
    client: nsws_client,
    r#fn: nsws_drain_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.drain, r#fn, user_data, free_fn)
}

/// Removes a listener of `drain`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_drain(
    client: nsws_client,
    r#fn: nsws_drain_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.drain, r#fn, user_data)
}

/// Adds a listener of `reconnecting`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_reconnecting(
    client: nsws_client,
    r#fn: nsws_reconnecting_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(client, |client| &client.listeners.reconnecting, r#fn, user_data, free_fn)
}

/// Removes a listener of `reconnecting`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_reconnecting(
    client: nsws_client,
    r#fn: nsws_reconnecting_fn,
    user_data: *mut c_void,
) -> i32 {
    off(client, |client| &client.listeners.reconnecting, r#fn, user_data)
}
