//! The client's exports.

use std::ffi::{c_char, c_void};
use std::mem::size_of;
use std::net::SocketAddr;
use std::sync::Arc;

use super::event::*;
use super::handle::nsws_client;
use super::listener::{add, remove};
use super::options::{
    bytes, nsws_connect_options, read_connect_options, text, utf8, NSWS_TLS_1_2, NSWS_TLS_1_3,
};
use super::{call, check_out, prepare, threads, write_out};
use crate::client::{
    Client, CloseEvent, DataEndEvent, DrainEvent, HeaderReceiveEvent, MessageEvent, OpenEvent, Progress,
    ReconnectingEvent,
};
use crate::connection::Payload;
use crate::error::{Code, Error, Result};
use crate::handle::{Kind, Table};
use crate::options::TlsVersion;
use crate::runtime;

static CLIENTS: Table<Client> = Table::new(Kind::Client);

pub(super) fn client(handle: nsws_client) -> Result<Arc<Client>> {
    CLIENTS.get(handle.id)
}

fn send(handle: nsws_client, payload: Payload<'_>) -> Result<()> {
    match CLIENTS.with(handle.id, |client| client.send_behind(payload))? {
        true => Ok(()),
        false => client(handle)?.send(payload),
    }
}

/// Every client that there is.
pub(super) fn all() -> Vec<Arc<Client>> {
    CLIENTS.all()
}

/// Releases every client, as nsws_shutdown() does.
pub(super) fn release_all() {
    for client in CLIENTS.drain() {
        client.release();
    }
}

/// Creates a client. The first object also starts the library's threads.
///
/// @param out receives the handle; destroy it with nsws_client_destroy() or nsws_client_release()
/// @return 0; 401 when `out` is NULL; `NSWS_ERR_NO_RESOURCES`; `NSWS_ERR_SHUTTING_DOWN`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_create(out: *mut nsws_client) -> i32 {
    call(|| {
        check_out(out)?;
        prepare();
        let id = threads::starting(|| runtime::create(|runtime| CLIENTS.insert(Client::new(runtime)?)))?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, nsws_client { id }) }
    })
}

/// Starts to connect, and returns. What becomes of the attempt arrives as exactly one of `open` (after
/// `header_receive`), `error`, or, after nsws_client_close(), `close` with code 1006.
///
/// What is checked, in this order: the options' values (401), the permission, the URL, whether its host is
/// allowed, the files, and whether the client may connect now.
///
/// @param client the client; it may connect again after `close` or a failed attempt's `error`
/// @param url `ws://` or `wss://`, UTF-8 of at most `max_url_length` bytes, without a fragment. User and
///        password in it become Basic authorization. A link-local address may name its interface:
///        `ws://[fe80::1%25wlan0]/` (RFC 6874).
/// @param options prepared by nsws_connect_options_init(), or NULL for the defaults; copied
/// @return 0; 401 for an option out of its range; `NSWS_ERR_NOT_SUPPORTED` for `compression` in a build without it;
///         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_URL`; `NSWS_ERR_DOMAIN_NOT_ALLOWED`; `NSWS_ERR_CERT_FILE`; `NSWS_ERR_ALREADY_CONNECTED` while connecting,
///         connected or closing (the connection is unharmed); `NSWS_ERR_SHUTTING_DOWN`; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_connect(
    client: nsws_client,
    url: *const c_char,
    options: *const nsws_connect_options,
) -> i32 {
    call(|| {
        let client = self::client(client)?;
        // SAFETY: the parameter's description asks for it.
        let options = unsafe { read_connect_options(options) }?;
        // SAFETY: NULL or NUL-terminated.
        let url = unsafe { text(url, "url") }
            .and_then(|url| url.ok_or_else(|| Error::call(Code::Url, "The URL is NULL.")))
            .map_err(|error| Error { code: Code::Url, ..error });
        client.connect_to(url, options)
    })
}

/// Sends a text message. What was accepted is delivered in order; nsws_client_close() flushes it first.
///
/// @param client the client
/// @param text UTF-8, copied; NULL is allowed when `length` is 0. NULs in it are sent as they are.
/// @param length its length in bytes; 0 sends an empty message
/// @return 0; 401 for invalid UTF-8 or more than `max_send_size`; `NSWS_ERR_PERMISSION_DENIED`;
///         `NSWS_ERR_NOT_CONNECTED` before `open` and after `close`; `NSWS_ERR_MESSAGE_UNFINISHED` between the
///         parts of another message; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
///         `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_send_text(
    client: nsws_client,
    text: *const c_char,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let text = utf8(unsafe { bytes(text.cast(), length) }?)?;
        send(client, Payload::Text(text))
    })
}

/// Sends a binary message. As nsws_client_send_text().
///
/// @param client the client
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes; 0 sends an empty message
/// @return as nsws_client_send_text()
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_send_binary(
    client: nsws_client,
    data: *const c_void,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        send(client, Payload::Binary(unsafe { bytes(data.cast(), length) }?))
    })
}

/// Sends a ping. The answer counts as a sign of life and sets `rtt_us` of nsws_client_get_stats().
///
/// @param client the client
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes, at most 125
/// @return 0; 401 above 125 bytes; else as nsws_client_send_text(), but never `NSWS_ERR_MESSAGE_UNFINISHED`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_ping(client: nsws_client, data: *const c_void, length: usize) -> i32 {
    call(|| {
        let client = self::client(client)?;
        // SAFETY: the parameter's description asks for it.
        client.ping(unsafe { bytes(data.cast(), length) }?)
    })
}

/// Closes the connection: sends what was accepted, then the close frame, and waits in the background for
/// the peer's. `close` follows. While connecting, the attempt is abandoned and `close` has code 1006.
///
/// @param client the client
/// @param code 1000-1003, 1007-1014 or 3000-4999; 1000 is the normal one
/// @param reason at most 123 bytes of UTF-8; NULL is ""
/// @return 0; 401 for a code or reason that may not be sent; `NSWS_ERR_NOT_CONNECTED` when there is nothing
///         to close or it is being closed already; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_close(client: nsws_client, code: u16, reason: *const c_char) -> i32 {
    call(|| {
        let client = self::client(client)?;
        // SAFETY: NULL or NUL-terminated.
        let reason = unsafe { text(reason, "reason") }?;
        client.close(code, reason.unwrap_or_default())
    })
}

/// Lets small messages wait for each other: what is sent until nsws_client_uncork() goes out in few writes.
/// For programs that answer many messages in a row outside the library's callbacks, inside of which this is
/// so by itself.
///
/// Each cork needs its uncork: without it a message may wait for ever. But corks don't add up: one uncork, on
/// any thread, ends them all. Messages above 1 KiB don't wait, nor do small ones once they are 16 KiB or fill the
/// send queue. nsws_client_close() and nsws_client_destroy() send what waits; the next connection isn't corked.
///
/// @param client the client
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_cork(client: nsws_client) -> i32 {
    call(|| self::client(client)?.cork())
}

/// Sends what has waited since nsws_client_cork(), on this thread if it can. Without a cork it does nothing.
///
/// @param client the client
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_uncork(client: nsws_client) -> i32 {
    call(|| self::client(client)?.uncork())
}

/// Stops the reading of the connection: what was read already is still delivered, and then the peer has to
/// wait. For programs that hand messages on to a queue of their own, which must not grow without bound. While
/// paused, neither the peer's close frame nor its pongs are read, and the heartbeat waits.
///
/// @param client the client; it stays paused, over connections, until nsws_client_resume()
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_pause(client: nsws_client) -> i32 {
    call(|| {
        self::client(client)?.pause();
        Ok(())
    })
}

/// Ends what nsws_client_pause() began.
///
/// @param client the client
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_resume(client: nsws_client) -> i32 {
    call(|| {
        self::client(client)?.unpause();
        Ok(())
    })
}

/// nsws_client_get_state(): it can connect. nsws_server_get_state(): it does not listen, and no connection is left.
pub const NSWS_STATE_IDLE: i32 = 0;
/// nsws_client_get_state(): an attempt is under way, or will be after the wait that `reconnecting` told of.
pub const NSWS_STATE_CONNECTING: i32 = 1;
/// nsws_client_get_state(): it can send. nsws_server_get_state(): it listens.
pub const NSWS_STATE_OPEN: i32 = 2;
/// nsws_client_get_state(): nsws_client_close() was called, or the connection has ended; `close` follows.
/// nsws_server_get_state(): nsws_server_stop() was called; connections end, and `close` follows for each.
pub const NSWS_STATE_CLOSING: i32 = 3;

/// Tells where a client stands, as its events have told so far: from the listeners of `open` on it is open, or
/// closing, and from those of `close` or of a failed attempt's `error` on it is idle, unless it will connect
/// again by itself.
///
/// @param client the client
/// @param out receives one of `NSWS_STATE_*`
/// @return 0; 401 when `out` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_get_state(client: nsws_client, out: *mut i32) -> i32 {
    call(|| {
        let state = match self::client(client)?.progress() {
            Progress::Idle => NSWS_STATE_IDLE,
            Progress::Connecting => NSWS_STATE_CONNECTING,
            Progress::Open => NSWS_STATE_OPEN,
            Progress::Closing => NSWS_STATE_CLOSING,
        };
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, state) }
    })
}

/// Destroys a client, and waits until no callback of it runs and each `free_fn` has run. An open connection
/// is closed in the background (1001, or as a nsws_client_close() before said); no event tells of it.
///
/// Inside a callback of any handle it doesn't wait: it returns at once, no further callback of the client
/// starts, and `free_fn` tells when its last one has ended.
///
/// @param client the client; stale from now on
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_destroy(client: nsws_client) -> i32 {
    call(|| {
        CLIENTS.remove(client.id)?.destroy();
        Ok(())
    })
}

/// Destroys a client without ever waiting, for finalisers and UI threads: a callback that runs now may
/// still run when this returns, and `free_fn` tells when it has ended.
///
/// @param client the client; stale from now on
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_release(client: nsws_client) -> i32 {
    call(|| {
        CLIENTS.remove(client.id)?.release();
        Ok(())
    })
}

/// Figures of a client's current connection, or of the last one.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_client_stats {
    /// The size of this struct, as given to nsws_client_get_stats().
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
    /// How long the name lookup took, of the proxy's name if there is a proxy, in microseconds; 0 for an
    /// address.
    pub dns_us: u64,
    /// How long the TCP connection took, and the way through the proxy, in microseconds.
    pub tcp_us: u64,
    /// How long the TLS handshake took, in microseconds; 0 for ws.
    pub tls_us: u64,
    /// How long the opening handshake took, in microseconds.
    pub handshake_us: u64,
    /// The last ping's time to its pong, in microseconds; 0 before the first.
    pub rtt_us: u64,
    /// 1 when the TLS handshake went on from an earlier session, which makes it short; else 0.
    pub tls_resumed: u8,
    /// Bytes that went to the system, with the opening handshake, the frames' headers and TLS.
    /// @since 0.2
    pub wire_bytes_sent: u64,
    /// Bytes that came from the system, in the same way.
    /// @since 0.2
    pub wire_bytes_received: u64,
    /// The time of pings to their pongs, smoothed as TCP does (RFC 6298), in microseconds; 0 before the first.
    /// @since 0.2
    pub smoothed_rtt_us: u64,
    /// Of `tcp_us`, how long the proxy took to open the way, in microseconds; 0 without a proxy.
    /// @since 0.2
    pub proxy_us: u64,
    /// How long after the opening handshake the first message was there, in microseconds; 0 before.
    /// @since 0.2
    pub first_message_us: u64,
    /// How often the client has connected again by itself since nsws_client_connect().
    /// @since 0.2
    pub reconnects: u32,
    /// The port at the other end of TCP.
    /// @since 0.2
    pub peer_port: u16,
    /// `NSWS_TLS_1_2` or `NSWS_TLS_1_3`; 0 for ws.
    /// @since 0.2
    pub tls_version: u8,
    /// The cipher suite of TLS as IANA names it, such as "TLS_AES_256_GCM_SHA384"; "" for ws.
    /// @since 0.2
    pub tls_cipher: [c_char; 64],
    /// The IP address at the other end of TCP as text: the server's or, with a proxy, the proxy's; "" before the first
    /// connection. A link-local address ends with the number of its interface (`%2`).
    /// @since 0.2
    pub peer_ip: [c_char; 64],
    /// The extensions that were agreed to, as the header has them, or "".
    /// @since 0.2
    pub extensions: [c_char; 160],
}

fn tls_number(version: TlsVersion) -> u8 {
    match version {
        TlsVersion::Tls12 => NSWS_TLS_1_2,
        TlsVersion::Tls13 => NSWS_TLS_1_3,
    }
}

fn ip_text(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V6(peer) if peer.scope_id() != 0 => format!("{}%{}", peer.ip(), peer.scope_id()),
        peer => peer.ip().to_string(),
    }
}

/// A text as a member of a struct, with a NUL at its end.
fn chars<const SIZE: usize>(text: &str) -> [c_char; SIZE] {
    let mut chars = [0; SIZE];
    for (place, byte) in chars.iter_mut().take(SIZE - 1).zip(text.bytes()) {
        *place = byte as c_char;
    }
    chars
}

/// Reads figures of the current connection, or of the last one.
///
/// @param client the client
/// @param stats receives the figures
/// @param struct_size `sizeof *stats`
/// @return 0; 401 when `stats` is NULL or the size is impossible; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_get_stats(
    client: nsws_client,
    stats: *mut nsws_client_stats,
    struct_size: usize,
) -> i32 {
    call(|| {
        let now = self::client(client)?.stats();
        let us = |duration: std::time::Duration| duration.as_micros() as u64;
        let values = nsws_client_stats {
            struct_size,
            messages_sent: now.traffic.messages_sent,
            messages_received: now.traffic.messages_received,
            bytes_sent: now.traffic.bytes_sent,
            bytes_received: now.traffic.bytes_received,
            queued_bytes: now.traffic.queued_bytes as u64,
            dns_us: us(now.timings.dns),
            tcp_us: us(now.timings.tcp),
            tls_us: us(now.timings.tls),
            handshake_us: us(now.timings.handshake),
            rtt_us: us(now.traffic.rtt),
            tls_resumed: now.timings.tls_resumed.into(),
            wire_bytes_sent: now.traffic.carried.sent,
            wire_bytes_received: now.traffic.carried.received,
            smoothed_rtt_us: us(now.traffic.smoothed_rtt),
            proxy_us: us(now.timings.proxy),
            first_message_us: us(now.traffic.first_message),
            reconnects: now.reconnects,
            peer_port: now.agreement.peer.map_or(0, |peer| peer.port()),
            tls_version: now.agreement.tls_version.map_or(0, tls_number),
            tls_cipher: chars(&now.agreement.tls_cipher),
            peer_ip: chars(&now.agreement.peer.map(ip_text).unwrap_or_default()),
            extensions: chars(&now.agreement.extensions),
        };
        // SAFETY: the parameters' descriptions ask for it.
        unsafe { super::options::write_defaults(stats, struct_size, values) }
    })
}

/// Adds a listener of `header_receive`. Listeners of one event are called in the order of their registration;
/// the same (`fn`, `user_data`) counts once, and then the first registration's `free_fn` stays.
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
///        called.
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread. The callbacks run on threads of the library, never inside a call, and for one client never two
/// at once; a callback that blocks delays only its own client.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_header_receive(
    client: nsws_client,
    r#fn: nsws_header_receive_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.header_receive;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &HeaderReceiveEvent| {
                with_headers(&event.headers, |headers| {
                    let event = nsws_header_receive_event {
                        struct_size: size_of::<nsws_header_receive_event>(),
                        headers: headers.as_ptr(),
                        header_count: headers.len(),
                        status: event.status.into(),
                    };
                    // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                    unsafe { function(client, &raw const event, user_data.get()) }
                })
            })
        })
    })
}

/// Removes a listener of `header_receive`. It isn't called again, but a call that runs now goes on: this
/// doesn't wait, and may be called inside the listener. Removing one that isn't there is no error.
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_header_receive(
    client: nsws_client,
    r#fn: nsws_header_receive_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(
            &self::client(client)?.listeners.header_receive,
            r#fn.map(|function| function as usize),
            user_data,
        );
        Ok(())
    })
}

/// Adds a listener of `open`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_open(
    client: nsws_client,
    r#fn: nsws_open_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.open;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &OpenEvent| {
                let (message, protocol) = (c_text(event.message.as_str()), c_text(event.protocol.as_str()));
                let extensions = c_text(event.extensions.as_str());
                let event = nsws_open_event {
                    struct_size: size_of::<nsws_open_event>(),
                    message: message.as_ptr(),
                    protocol: protocol.as_ptr(),
                    status: event.status.into(),
                    extensions: extensions.as_ptr(),
                };
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                unsafe { function(client, &raw const event, user_data.get()) }
            })
        })
    })
}

/// Removes a listener of `open`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_open(
    client: nsws_client,
    r#fn: nsws_open_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.open, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `message`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_message(
    client: nsws_client,
    r#fn: nsws_message_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.message;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &MessageEvent<'_>| {
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_message(event, |event| unsafe { function(client, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `message`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_message(
    client: nsws_client,
    r#fn: nsws_message_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.message, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `data_end`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_data_end(
    client: nsws_client,
    r#fn: nsws_data_end_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.data_end;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &DataEndEvent| {
                let DataEndEvent = event;
                let event = nsws_data_end_event { struct_size: size_of::<nsws_data_end_event>() };
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                unsafe { function(client, &raw const event, user_data.get()) }
            })
        })
    })
}

/// Removes a listener of `data_end`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_data_end(
    client: nsws_client,
    r#fn: nsws_data_end_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.data_end, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `close`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_close(
    client: nsws_client,
    r#fn: nsws_close_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.close;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &CloseEvent| {
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_close(event, |event| unsafe { function(client, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `close`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_close(
    client: nsws_client,
    r#fn: nsws_close_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.close, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `error`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_error(
    client: nsws_client,
    r#fn: nsws_error_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.error;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &Error| {
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_error(event, |event| unsafe { function(client, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `error`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_error(
    client: nsws_client,
    r#fn: nsws_error_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.error, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `drain`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_drain(
    client: nsws_client,
    r#fn: nsws_drain_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.drain;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &DrainEvent| {
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_drain(event, |event| unsafe { function(client, event, user_data.get()) })
            })
        })
    })
}

/// Removes a listener of `drain`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_drain(
    client: nsws_client,
    r#fn: nsws_drain_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(&self::client(client)?.listeners.drain, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}

/// Adds a listener of `reconnecting`; as nsws_client_on_header_receive().
///
/// @param client the client
/// @param fn the function to call; not NULL
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL
/// @return 0; 401 when `fn` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_on_reconnecting(
    client: nsws_client,
    r#fn: nsws_reconnecting_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let listeners = &self::client(client)?.listeners.reconnecting;
        let function = r#fn.ok_or_else(null_callback)?;
        add(listeners, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |event: &ReconnectingEvent| {
                let event = nsws_reconnecting_event {
                    struct_size: size_of::<nsws_reconnecting_event>(),
                    attempt: event.attempt,
                    delay_ms: u32::try_from(event.delay.as_millis()).unwrap_or(u32::MAX),
                };
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                unsafe { function(client, &raw const event, user_data.get()) }
            })
        })
    })
}

/// Removes a listener of `reconnecting`; as nsws_client_off_header_receive().
///
/// @param client the client
/// @param fn the function; NULL removes all listeners of this event
/// @param user_data as it was registered; ignored when `fn` is NULL
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_off_reconnecting(
    client: nsws_client,
    r#fn: nsws_reconnecting_fn,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        remove(
            &self::client(client)?.listeners.reconnecting,
            r#fn.map(|function| function as usize),
            user_data,
        );
        Ok(())
    })
}

pub(super) fn null_callback() -> Error {
    Error::call(Code::Parameter, "The callback is NULL.")
}
