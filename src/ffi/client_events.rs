//! The events of clients, and how the core's events become them.

use std::ffi::{c_char, c_void};
use std::mem::size_of;

use super::arguments::c_text;
use super::handle::nsws_client;
use super::header::{nsws_header, with_headers};
use super::listener::ClientEvent;
use crate::client::{
    CloseEvent, DataEndEvent, DrainEvent, HeaderReceiveEvent, MessageEvent, MessageListener,
    MessagePartListener, OpenEvent, ReconnectingEvent,
};
use crate::connection::MessagePartEvent;
use crate::dispatch::Listener;
use crate::error::Error;

/// `header_receive`: the server's complete answer to the upgrade. Always before `open`.
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

/// Receives `header_receive`. `event` and what it points to live until the callback returns, here and in all
/// callbacks.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_header_receive_fn = Option<
    unsafe extern "C" fn(
        client: nsws_client,
        event: *const nsws_header_receive_event,
        user_data: *mut c_void,
    ),
>;

/// `open`: the connection is open. From now on messages can be sent.
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
    /// The extensions that were agreed on, as the header has them, or "".
    /// @since 0.2
    pub extensions: *const c_char,
}

/// Receives `open` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_open_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_open_event, user_data: *mut c_void)>;

/// `message`: one whole message.
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

/// Receives `message` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_message_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_message_event, user_data: *mut c_void),
>;

/// `message_part`: a part of a message. An empty message is one part; the parts of a text end at whole
/// characters.
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
    /// 1: the message ends with this part. If the connection breaks before, there is no such part.
    pub is_last: u8,
}

/// Receives `message_part` of a client.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_message_part_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_message_part_event, user_data: *mut c_void),
>;

/// `data_end`: the message is complete. Comes right after each `message`, or after its last `message_part`.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_data_end_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
}

/// Receives `data_end` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_data_end_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_data_end_event, user_data: *mut c_void),
>;

/// `close`: the connection is over. It comes exactly once for each connection that reached `open`, and for
/// an attempt that nsws_client_close() ended, as the last event.
///
/// Messages that were accepted and still wait when the peer's close frame arrives are not sent, since the answer
/// follows at once (RFC 6455 5.5.1); that is not an error, and the close can be clean. In this event, `messages_sent` of
/// nsws_client_get_stats() or nsws_connection_get_info() counts the messages that went to the system, and
/// `queued_bytes` is above 0 if others did not.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_close_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The reason of the close frame, NUL-terminated; "" if there is none; "The link is down" if the connection broke or
    /// timed out.
    pub reason: *const c_char,
    /// The reason's length in bytes, at most 123. A reason may hold NULs.
    pub reason_length: usize,
    /// The code of the close frame that was received; 1005 if it held none; 1006 if the link broke without a close
    /// frame. If this side failed the connection, the code that it sent: 1002, 1007, 1008 or 1009 for what it
    /// received, 1011 for a fault of its own.
    pub code: u16,
    /// 1: both sides sent a close frame (RFC 6455 7.1.4). 0: they did not.
    pub was_clean: u8,
}

/// Receives `close` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_close_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_close_event, user_data: *mut c_void)>;

/// `error`: something failed. Before `open` it ends the attempt; after it, `close` follows. Nothing
/// follows an error of a server itself.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_error_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// One English sentence that names host, port and cause. It never holds a secret or a payload.
    pub message: *const c_char,
    /// One of NSWS_ERR_*; NSWS_ERR_CONNECT_FAILED for everything that the network or the peer did.
    pub code: i32,
    /// A finer code, one of NSWS_DETAIL_*, or NSWS_OK.
    pub detail: i32,
    /// The phase that failed, one of NSWS_PHASE_*.
    pub phase: i32,
    /// The operating system's error number, or 0.
    pub os_error: i32,
    /// The HTTP status of the answer that refused the connection (404, or 407 from a proxy), or 0.
    pub http_status: i32,
    /// The headers of the server's answer if it refused the upgrade, in the order of arrival, among them `Location`,
    /// `Retry-After` and `WWW-Authenticate`; else NULL.
    /// @since 0.2
    pub headers: *const nsws_header,
    /// How many headers there are.
    /// @since 0.2
    pub header_count: usize,
    /// The first 16 KiB of that answer's body, or what of them arrived within 2 s and `connect_timeout_ms`; NULL
    /// without such an answer. Not NUL-terminated. A `Content-Encoding` is not undone.
    /// @since 0.2
    pub body: *const u8,
    /// How many bytes of the body there are.
    /// @since 0.2
    pub body_length: usize,
    /// How long the server asks the client to wait before the next attempt (`Retry-After`, seconds or a date),
    /// in milliseconds; 0: it does not ask.
    /// @since 0.2
    pub retry_after_ms: u32,
}

/// Receives `error` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_error_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_error_event, user_data: *mut c_void)>;

/// `drain`: the send queue has room again after an NSWS_ERR_QUEUE_FULL.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_drain_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// How much waits to be sent now, in bytes: the frames, and 64 bytes for each message or ping.
    pub queued_bytes: usize,
}

/// Receives `drain` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_drain_fn =
    Option<unsafe extern "C" fn(client: nsws_client, event: *const nsws_drain_event, user_data: *mut c_void)>;

/// `reconnecting`: the client will reconnect. It follows the events that end an attempt or a connection.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_reconnecting_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The number of the next attempt since the last success, from 1.
    pub attempt: u32,
    /// The delay before it, in milliseconds.
    pub delay_ms: u32,
}

/// Receives `reconnecting` of a client.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_reconnecting_fn = Option<
    unsafe extern "C" fn(client: nsws_client, event: *const nsws_reconnecting_event, user_data: *mut c_void),
>;

pub(super) fn with_message(event: &MessageEvent<'_>, call: impl FnOnce(*const nsws_message_event)) {
    call(&nsws_message_event {
        struct_size: size_of::<nsws_message_event>(),
        data: event.data.as_ptr(),
        // Apart from the pointer: one load of both would wait for the two stores that have just made them.
        length: std::hint::black_box(event.data.len()),
        is_text: event.is_text.into(),
    });
}

pub(super) fn with_part(part: &MessagePartEvent<'_>, call: impl FnOnce(*const nsws_message_part_event)) {
    call(&nsws_message_part_event {
        struct_size: size_of::<nsws_message_part_event>(),
        data: part.data.as_ptr(),
        length: part.data.len(),
        is_text: part.is_text.into(),
        is_first: part.is_first.into(),
        is_last: part.is_last.into(),
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

impl ClientEvent<Listener<HeaderReceiveEvent>> for nsws_header_receive_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<HeaderReceiveEvent>> {
        Box::new(move |event| {
            with_headers(&event.headers, |headers| {
                tell(&nsws_header_receive_event {
                    struct_size: size_of::<nsws_header_receive_event>(),
                    headers: headers.as_ptr(),
                    header_count: headers.len(),
                    status: event.status.into(),
                });
            });
        })
    }
}

impl ClientEvent<Listener<OpenEvent>> for nsws_open_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<OpenEvent>> {
        Box::new(move |event| {
            let (message, protocol) = (c_text(event.message.as_str()), c_text(event.protocol.as_str()));
            let extensions = c_text(event.extensions.as_str());
            tell(&nsws_open_event {
                struct_size: size_of::<nsws_open_event>(),
                message: message.as_ptr(),
                protocol: protocol.as_ptr(),
                status: event.status.into(),
                extensions: extensions.as_ptr(),
            });
        })
    }
}

impl ClientEvent<MessageListener> for nsws_message_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<MessageListener> {
        Box::new(move |event| with_message(event, &tell))
    }
}

impl ClientEvent<MessagePartListener> for nsws_message_part_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<MessagePartListener> {
        Box::new(move |event| with_part(event, &tell))
    }
}

impl ClientEvent<Listener<DataEndEvent>> for nsws_data_end_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<DataEndEvent>> {
        Box::new(move |DataEndEvent| {
            tell(&nsws_data_end_event { struct_size: size_of::<nsws_data_end_event>() });
        })
    }
}

impl ClientEvent<Listener<CloseEvent>> for nsws_close_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<CloseEvent>> {
        Box::new(move |event| with_close(event, &tell))
    }
}

impl ClientEvent<Listener<Error>> for nsws_error_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<Error>> {
        Box::new(move |event| with_error(event, &tell))
    }
}

impl ClientEvent<Listener<DrainEvent>> for nsws_drain_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<DrainEvent>> {
        Box::new(move |event| with_drain(event, &tell))
    }
}

impl ClientEvent<Listener<ReconnectingEvent>> for nsws_reconnecting_event {
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<Listener<ReconnectingEvent>> {
        Box::new(move |event| {
            tell(&nsws_reconnecting_event {
                struct_size: size_of::<nsws_reconnecting_event>(),
                attempt: event.attempt,
                delay_ms: u32::try_from(event.delay.as_millis()).unwrap_or(u32::MAX),
            });
        })
    }
}
