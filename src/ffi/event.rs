//! The event structs that callbacks receive, and how the core's events become them.

use std::ffi::{c_char, c_void, CString};
use std::mem::size_of;

use super::handle::{nsws_client, nsws_connection, nsws_server};
use crate::connection::{CloseEvent, DrainEvent, MessageEvent};
use crate::error::Error;

/// Releases what a registration's `user_data` stands for.
///
/// Runs exactly once, after the last call that uses `user_data`, on any thread. It may call the
/// library but must not wait for it.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_free_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// An HTTP header. This struct never changes.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_header {
    /// The name, NUL-terminated.
    pub name: *const c_char,
    /// The value, NUL-terminated; never NULL in an event.
    pub value: *const c_char,
}

/// The server's answer to the upgrade, complete: `header_receive`, always before `open`.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_header_receive_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The headers in the order of arrival, repeated names kept, names as the server wrote them.
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// The HTTP status: 101.
    pub status: i32,
}

/// The connection is open: `open`. From now on `send` is allowed.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_open_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The HTTP status text: "Switching Protocols".
    pub message: *const c_char,
    /// The sub-protocol that the server chose, or "".
    pub protocol: *const c_char,
    /// The HTTP status: 101.
    pub status: i32,
    /// The extensions that were agreed to, as the header has them, or "".
    /// @since 0.2
    pub extensions: *const c_char,
}

/// One whole message: `message`.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_message_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The payload; never NULL, not NUL-terminated.
    pub data: *const u8,
    /// The payload's length in bytes; may be 0.
    pub length: usize,
    /// 1: a text message, which is valid UTF-8. 0: a binary message.
    pub is_text: u8,
}

/// Comes right after each `message`: `data_end`.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_data_end_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
}

/// The connection is over: `close`. Exactly once per connection that reached `open`, and last.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_close_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The reason, NUL-terminated; "" when there is none.
    pub reason: *const c_char,
    /// The reason's length in bytes, at most 123 (a reason may hold NULs).
    pub reason_length: usize,
    /// The code of the close frame that was received; 1005 when it held none; 1006 when the link broke
    /// without one; and 1002, 1007 or 1009 when this side ended the connection because of what it received.
    pub code: u16,
    /// 1 when both sides have said goodbye (RFC 6455 7.1.4), else 0.
    pub was_clean: u8,
}

/// Something failed: `error`. Before `open` it ends the attempt; after it, `close` follows.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_error_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// One English sentence that names host, port and cause. Never holds a secret or a payload.
    pub message: *const c_char,
    /// One of `NSWS_ERR_*`; `NSWS_ERR_CONNECT_FAILED` (200) for everything that the network or the peer did.
    pub code: i32,
    /// A finer code, one of `NSWS_DETAIL_*`, or 0.
    pub detail: i32,
    /// The phase that failed, one of `NSWS_PHASE_*`.
    pub phase: i32,
    /// The operating system's error number, or 0.
    pub os_error: i32,
    /// The HTTP status of the answer that refused the connection (404, or 407 from a proxy), or 0.
    pub http_status: i32,
    /// The headers of the server's answer when it refused the upgrade, in the order of arrival, among them `Location`,
    /// `Retry-After`, `WWW-Authenticate`; else NULL.
    /// @since 0.2
    pub headers: *const nsws_header,
    /// How many headers there are.
    /// @since 0.2
    pub header_count: usize,
    /// The first 16 KiB of that answer's body, or as much of them as came within 2 s and `connect_timeout_ms`; NULL
    /// without such an answer. Not NUL-terminated. A `Content-Encoding` is not undone.
    /// @since 0.2
    pub body: *const u8,
    /// How many bytes of the body there are.
    /// @since 0.2
    pub body_length: usize,
    /// How long the server asks to wait before the next attempt (`Retry-After`, in seconds or as a date), in
    /// milliseconds; 0: it does not ask.
    /// @since 0.2
    pub retry_after_ms: u32,
}

/// The send queue has room again after a `NSWS_ERR_QUEUE_FULL`: `drain`.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_drain_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// What waits in the queue now: the bytes of the frames, and 64 for each message or ping.
    pub queued_bytes: usize,
}

/// The client will connect again by itself: `reconnecting`. Follows the events that end an attempt or a
/// connection.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_reconnecting_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The number of the attempt since the last success, from 1.
    pub attempt: u32,
    /// The wait before it, in milliseconds.
    pub delay_ms: u32,
}

/// A client has connected to a server: `connect`. The accept hook receives the same before the client is
/// answered.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_connect_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The client's IP address as text; an IPv4 client of a dual-stack server has its IPv4 address.
    pub client_ip: *const c_char,
    /// Path and query of the request, as the client wrote them.
    pub path: *const c_char,
    /// The sub-protocol that the server chose, or "".
    pub protocol: *const c_char,
    /// The request's headers in the order of arrival, repeated names kept, names as the client wrote them.
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// The client's port.
    pub client_port: u16,
    /// The extensions that were agreed to, as the header has them, or "".
    /// @since 0.2
    pub extensions: *const c_char,
}

/// Called for `header_receive`. All callbacks: `event` and what it points to live until the callback
/// returns; a callback must not throw or longjmp out.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_header_receive_fn = Option<
    unsafe extern "C" fn(
        client: nsws_client,
        event: *const nsws_header_receive_event,
        user_data: *mut c_void,
    ),
>;

/// Called for `open`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_open_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_open_event, user_data: *mut c_void)>;

/// Called for `message`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_message_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_message_event, user_data: *mut c_void),
>;

/// Called for `data_end`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_data_end_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_data_end_event, user_data: *mut c_void),
>;

/// Called for `close`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_close_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_close_event, user_data: *mut c_void)>;

/// Called for `error`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_error_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_error_event, user_data: *mut c_void)>;

/// Called for `drain`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_drain_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_drain_event, user_data: *mut c_void)>;

/// Called for `reconnecting`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_reconnecting_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_reconnecting_event, user_data: *mut c_void),
>;

/// Called for a server's `connect`. From now on the connection can be used.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_server_connect_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_connect_event,
        user_data: *mut c_void,
    ),
>;

/// Called for a server's `message`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_server_message_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_message_event,
        user_data: *mut c_void,
    ),
>;

/// Called for a server's `close`: exactly once per connection that had `connect`, and last. The handle is
/// stale when the listeners have returned.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_server_close_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_close_event,
        user_data: *mut c_void,
    ),
>;

/// Called for a server's `error`. The connection's `id` is 0 when the server itself has failed at something,
/// such as accepting clients for want of descriptors.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_server_error_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_error_event,
        user_data: *mut c_void,
    ),
>;

/// Called for a server's `drain`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_server_drain_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_drain_event,
        user_data: *mut c_void,
    ),
>;

/// Decides whether a client may connect: 0 accepts it; an HTTP status from 400 to 599 refuses it with that
/// status, any other value with 403. Called like a listener, in turn with the server's events; the client
/// waits meanwhile, within `handshake_timeout_ms`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_accept_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        event: *const nsws_connect_event,
        user_data: *mut c_void,
    ) -> u16,
>;

/// Text for a C program, which can't see past a NUL.
pub(super) fn c_text(text: impl Into<Vec<u8>>) -> CString {
    let mut text = text.into();
    text.retain(|byte| *byte != 0);
    CString::new(text).unwrap_or_default()
}

pub(super) fn with_headers<R>(headers: &[(String, Vec<u8>)], call: impl FnOnce(&[nsws_header]) -> R) -> R {
    let pairs: Vec<(CString, CString)> =
        headers.iter().map(|(name, value)| (c_text(name.as_bytes()), c_text(value.as_slice()))).collect();
    let headers: Vec<nsws_header> = pairs
        .iter()
        .map(|(name, value)| nsws_header { name: name.as_ptr(), value: value.as_ptr() })
        .collect();
    call(&headers)
}

pub(super) fn with_message(event: &MessageEvent<'_>, call: impl FnOnce(*const nsws_message_event)) {
    call(&nsws_message_event {
        struct_size: size_of::<nsws_message_event>(),
        data: event.data.as_ptr(),
        length: event.data.len(),
        is_text: event.is_text.into(),
    });
}

pub(super) fn with_close(event: &CloseEvent, call: impl FnOnce(*const nsws_close_event)) {
    let reason = [event.reason.as_bytes(), &[0]].concat();
    call(&nsws_close_event {
        struct_size: size_of::<nsws_close_event>(),
        reason: reason.as_ptr().cast(),
        reason_length: event.reason.len(),
        code: event.code,
        was_clean: event.was_clean.into(),
    });
}

pub(super) fn with_error(event: &Error, call: impl FnOnce(*const nsws_error_event)) {
    let message = c_text(event.message.as_str());
    let refusal = event.refusal.as_deref();
    let wait = refusal.and_then(|refusal| refusal.retry_after).unwrap_or_default();
    with_headers(refusal.map_or(&[], |refusal| &refusal.headers), |headers| {
        call(&nsws_error_event {
            struct_size: size_of::<nsws_error_event>(),
            message: message.as_ptr(),
            code: event.code as i32,
            detail: event.detail as i32,
            phase: event.phase as i32,
            os_error: event.os_error,
            http_status: event.http_status.into(),
            headers: if headers.is_empty() { std::ptr::null() } else { headers.as_ptr() },
            header_count: headers.len(),
            body: refusal.map_or(std::ptr::null(), |refusal| refusal.body.as_ptr()),
            body_length: refusal.map_or(0, |refusal| refusal.body.len()),
            retry_after_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        });
    });
}

pub(super) fn with_drain(event: &DrainEvent, call: impl FnOnce(*const nsws_drain_event)) {
    call(&nsws_drain_event { struct_size: size_of::<nsws_drain_event>(), queued_bytes: event.queued_bytes });
}
