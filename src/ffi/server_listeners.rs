//! Adding and removing the listeners of a server.

use std::ffi::c_void;

use super::handle::nsws_server;
use super::listener::{nsws_free_fn, off, on};
use super::server_events::*;

/// Adds a listener of `connect`. Listeners of one event are called in the order of their registration; the
/// same (`fn`, `user_data`) counts once, and then the first registration's `free_fn` stays.
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
///        called.
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread. The callbacks run on threads of the library, never inside a call, and for one server never two
/// at once; a callback that blocks delays only its own server. While it is so far behind that 1024 `close`
/// events and questions to the accept hook wait, more clients are refused with 503.
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

/// Removes a listener of `connect`. It isn't called again, but a call that runs now goes on: this doesn't
/// wait, and may be called inside the listener. Removing one that isn't there is no error.
///
/// @param server the server
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_message(
    server: nsws_server,
    r#fn: nsws_server_message_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().message, r#fn, user_data)
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
    on(server, |server| &server.listeners().message_part, r#fn, user_data, free_fn)
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
    off(server, |server| &server.listeners().message_part, r#fn, user_data)
}

/// Adds a listener of `close`; as nsws_server_on_connect().
///
/// @param server the server
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
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
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_off_drain(
    server: nsws_server,
    r#fn: nsws_server_drain_fn,
    user_data: *mut c_void,
) -> i32 {
    off(server, |server| &server.listeners().drain, r#fn, user_data)
}
