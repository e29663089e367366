//! Adding and removing the listeners of a server.

use std::ffi::c_void;

use super::handle::nsws_server;
use super::listener::{nsws_free_fn, off, on};
use super::server_events::*;

/// Adds a listener of `connect`. The listeners of an event are called in the order of their registration.
/// Adding the same `fn` with the same `user_data` again has no effect, and the second `free_fn` is not called.
///
/// Callbacks run on threads of the library, never inside a call, and never two at once for one server. A
/// callback that blocks delays only its own server; while 1024 `close` events and calls of the accept hook
/// wait, further clients are refused with status 503.
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_connect(
    server: nsws_server,
    r#fn: nsws_server_connect_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().connect, r#fn, user_data, free_fn)
}

/// Removes a listener of `connect`. It is not called again. A running call goes on: this function does not wait
/// for it, and may be called inside it. Removing a listener that isn't there is no error.
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_connect(
    server: nsws_server,
    r#fn: nsws_server_connect_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().connect, r#fn, user_data)
}

/// Adds a listener of `message`; as nsws_server_on_connect().
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_message(
    server: nsws_server,
    r#fn: nsws_server_message_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().message, r#fn, user_data, free_fn)
}

/// Removes a listener of `message`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_message(
    server: nsws_server,
    r#fn: nsws_server_message_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().message, r#fn, user_data)
}

/// Adds a listener of `message_part`; as nsws_server_on_connect(). With `receive_parts` of nsws_server_options
/// it is called instead of `message`, as the bytes arrive.
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_message_part(
    server: nsws_server,
    r#fn: nsws_server_message_part_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().message_part, r#fn, user_data, free_fn)
}

/// Removes a listener of `message_part`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_message_part(
    server: nsws_server,
    r#fn: nsws_server_message_part_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().message_part, r#fn, user_data)
}

/// Adds a listener of `close`; as nsws_server_on_connect().
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_close(
    server: nsws_server,
    r#fn: nsws_server_close_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().close, r#fn, user_data, free_fn)
}

/// Removes a listener of `close`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_close(
    server: nsws_server,
    r#fn: nsws_server_close_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().close, r#fn, user_data)
}

/// Adds a listener of `error`; as nsws_server_on_connect().
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_error(
    server: nsws_server,
    r#fn: nsws_server_error_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().error, r#fn, user_data, free_fn)
}

/// Removes a listener of `error`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_error(
    server: nsws_server,
    r#fn: nsws_server_error_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().error, r#fn, user_data)
}

/// Adds a listener of `drain`; as nsws_server_on_connect().
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `fn` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_on_drain(
    server: nsws_server,
    r#fn: nsws_server_drain_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    on(server, |server| &server.listeners().drain, r#fn, user_data, free_fn)
}

/// Removes a listener of `drain`; as nsws_server_off_connect().
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored if `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_drain(
    server: nsws_server,
    r#fn: nsws_server_drain_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().drain, r#fn, user_data)
}
