//! What a program does with a client.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use tungstenite::protocol::Role;

use super::arguments::{bytes, part, text, utf8};
use super::connect_options::{nsws_connect_options, read_connect_options};
use super::handle::nsws_client;
use super::listener::Handle;
use super::table::{HandleKind, Table};
use super::{call, check_out, prepare, threads, write_out};
use crate::client::{Client, Standing};
use crate::connection::{send_here, Payload};
use crate::error::{Code, Error, Result};
use crate::process;

static CLIENTS: Table<Client> = Table::new(HandleKind::Client);

pub(super) fn client(handle: nsws_client) -> Result<Arc<Client>> {
    CLIENTS.get(handle.id)
}

impl Handle for nsws_client {
    type Object = Client;

    fn object(self) -> Result<Arc<Client>> {
        client(self)
    }
}

fn send(handle: nsws_client, payload: Payload<'_>) -> Result<()> {
    if let Some(sent) = send_here(handle.id, Role::Client, payload) {
        return sent;
    }
    if CLIENTS.with(handle.id, |client| client.send_behind(payload))? {
        return Ok(());
    }
    client(handle)?.send(payload)
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

/// Creates a client. The first object that a process creates also starts the library's threads.
///
/// @param out receives the handle; end it with nsws_client_destroy() or nsws_client_release()
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NO_RESOURCES; NSWS_ERR_SHUTTING_DOWN;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_create(out: *mut nsws_client) -> i32 {
    call(|| {
        check_out(out)?;
        prepare();
        let id = threads::starting(|| {
            process::create(|runtime, tls| {
                let client = Client::new(runtime, tls)?;
                let id = CLIENTS.insert(client.clone())?;
                client.set_name(id);
                Ok(id)
            })
        })?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, nsws_client { id }) }
    })
}

/// Starts to connect, and returns. The attempt ends in exactly one of these: `open`, preceded by
/// `header_receive`; `error`; or, when nsws_client_close() is called first, `close` with code 1006. After
/// nsws_client_destroy() there is no event.
///
/// The checks come in this order: the values of the options, the permission, the URL, whether its host is
/// allowed, the files, and whether the client can connect now.
///
/// @param client the client; it can connect again after `close`, or after the `error` of a failed attempt
/// @param url a ws:// or wss:// URL without a fragment: NUL-terminated UTF-8 of at most `max_url_length` bytes,
///         copied. A user name and password in it become Basic authorization. A link-local address may name its
///         interface: ws://[fe80::1%25wlan0]/ (RFC 6874).
/// @param options prepared by nsws_connect_options_init(), or NULL for the defaults; copied
/// @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
///         NSWS_ERR_NOT_SUPPORTED: `compression` in a build without it; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_URL: the URL is NULL, too long or invalid; NSWS_ERR_DOMAIN_NOT_ALLOWED; NSWS_ERR_CERT_FILE:
///         a file can't be opened; NSWS_ERR_ALREADY_CONNECTED: the client is connecting, open or closing, and
///         stays as it is; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Sends a text message. Accepted messages are sent in order, and nsws_client_close() sends them before it
/// closes; see nsws_close_event for what happens when the server closes first. After any error nothing was queued.
///
/// @param client the client
/// @param text UTF-8, copied; may hold NULs, which are sent; may be NULL if `length` is 0
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the text is NULL, not UTF-8 or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_MESSAGE_UNFINISHED: a message that is being
///         sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is room;
///         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Sends a binary message. Accepted messages are sent in order, and nsws_client_close() sends them before it
/// closes; see nsws_close_event for what happens when the server closes first. After any error nothing was queued.
///
/// @param client the client
/// @param data the payload, copied; may be NULL if `length` is 0
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_MESSAGE_UNFINISHED: a message that is being
///         sent in parts lacks its last part; NSWS_ERR_QUEUE_FULL: `drain` follows when there is room;
///         NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Sends a part of a message whose length need not be known yet. Each part goes out as a fragment, and counts
/// in the send queue as a message does. Until the last part, other messages are refused with
/// NSWS_ERR_MESSAGE_UNFINISHED; pings pass, and nsws_client_close() sends what was accepted before it closes.
/// After any error nothing was queued.
///
/// @param client the client
/// @param data the bytes, copied; may be NULL if `length` is 0
/// @param length how many bytes there are, at most `max_send_size`
/// @param is_text 1: the message is text, valid UTF-8 as a whole; a part may end within a character. 0: it is
///         binary. The first part decides.
/// @param is_last 1: the message ends with this part; 0: more follow
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or a flag is neither 0 nor 1;
///         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_QUEUE_FULL:
///         `drain` follows when there is room; NSWS_ERR_NO_RESOURCES: there is no memory for it;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Sends a ping. Its answer counts as a sign of life and sets `rtt_us` of nsws_client_get_stats(). It may pass
/// between the parts of a message.
///
/// @param client the client
/// @param data the payload, copied; may be NULL if `length` is 0
/// @param length its length in bytes, at most 125
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL or too long; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_QUEUE_FULL: `drain` follows when there is
///         room; NSWS_ERR_NO_RESOURCES: there is no memory for it; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_ping(client: nsws_client, data: *const c_void, length: usize) -> i32 {
    call(|| {
        let client = self::client(client)?;
        // SAFETY: the parameter's description asks for it.
        client.ping(unsafe { bytes(data.cast(), length) }?)
    })
}

/// Closes the connection: sends what was accepted, then the close frame, and waits in the background for the
/// peer's. `close` follows. While the client is connecting, the attempt is abandoned, and `close` has code
/// 1006. The client doesn't reconnect, even if the connection has already been lost.
///
/// @param client the client
/// @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; 1000 is the usual one
/// @param reason NUL-terminated UTF-8 of at most 123 bytes, copied; NULL is ""
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the code or the reason may not be sent; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_NOT_CONNECTED: there is nothing to close, or it is closing already or lost;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Lets small messages wait for each other: those that are sent from now on go out in few writes, at
/// nsws_client_uncork(). It is for programs that answer many messages in a row outside the library's callbacks;
/// inside a callback, this happens by itself.
///
/// Each cork needs an uncork, else a message may wait for ever. Corks don't add up: one uncork, on any thread,
/// ends them all. Messages above 1 KiB don't wait, nor do small ones once they are 16 KiB together or fill the
/// send queue. nsws_client_close() and nsws_client_destroy() send what waits; the next connection isn't corked.
///
/// @param client the client
/// @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_cork(client: nsws_client) -> i32 {
    call(|| self::client(client)?.cork())
}

/// Sends what has waited since nsws_client_cork(), on this thread if possible. Without a cork it does nothing.
///
/// @param client the client
/// @return NSWS_OK; NSWS_ERR_NOT_CONNECTED: the client is not open; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_uncork(client: nsws_client) -> i32 {
    call(|| self::client(client)?.uncork())
}

/// Stops reading from the connection: what was read already is still delivered, and then the peer has to wait.
/// It is for programs that hand messages on to a queue of their own, which must not grow without bound. While
/// the client is paused, neither the peer's close frame nor its pongs are read, and the pong timeout does not
/// run. Closing does not end the pause: without nsws_client_resume(), the peer's answer is not read, and after
/// `close_timeout_ms` the connection ends with NSWS_DETAIL_CLOSE_TIMEOUT and the code 1006.
///
/// @param client the client; it stays paused, also in later connections, until nsws_client_resume()
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_pause(client: nsws_client) -> i32 {
    call(|| {
        self::client(client)?.pause();
        Ok(())
    })
}

/// Reads again after nsws_client_pause().
///
/// @param client the client
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_resume(client: nsws_client) -> i32 {
    call(|| {
        self::client(client)?.unpause();
        Ok(())
    })
}

/// A client can connect; a server does not listen, and has no connection left.
pub const NSWS_STATE_IDLE: i32 = 0;
/// A client is trying to connect, or will after the delay of its `reconnecting`; a server is never in this state.
pub const NSWS_STATE_CONNECTING: i32 = 1;
/// A client can send; a server listens.
pub const NSWS_STATE_OPEN: i32 = 2;
/// nsws_client_close() was called, or the connection has ended, and `close` follows; nsws_server_stop() was called, and
/// `close` follows for each connection.
pub const NSWS_STATE_CLOSING: i32 = 3;

/// Returns the state of a client as of the last delivered event. The client is open (or closing) from the
/// moment the listeners of `open` are called; it is idle from the moment those of `close`, or of the `error`
/// that ends an attempt, are called, unless it will reconnect.
///
/// @param client the client
/// @param out receives one of NSWS_STATE_*
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_client_get_state(client: nsws_client, out: *mut i32) -> i32 {
    call(|| {
        let state = match self::client(client)?.standing() {
            Standing::Idle => NSWS_STATE_IDLE,
            Standing::Connecting => NSWS_STATE_CONNECTING,
            Standing::Open => NSWS_STATE_OPEN,
            Standing::Closing => NSWS_STATE_CLOSING,
        };
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, state) }
    })
}

/// Destroys a client, and waits until none of its callbacks runs and each `free_fn` has run. An open connection
/// is closed in the background, with code 1001 or as an earlier nsws_client_close() asked; no event follows.
///
/// Inside any callback, of this client or not, it returns at once: no further callback of the client starts,
/// and `free_fn` runs when the last one has ended.
///
/// @param client the client; stale from now on
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread. Waits for running callbacks, unless it is called inside one.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_destroy(client: nsws_client) -> i32 {
    call(|| {
        CLIENTS.remove(client.id)?.destroy();
        Ok(())
    })
}

/// Destroys a client without ever waiting, for finalisers and UI threads. A running callback may go on after
/// this returns, and `free_fn` runs when it has ended.
///
/// @param client the client; stale from now on
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_client_release(client: nsws_client) -> i32 {
    call(|| {
        CLIENTS.remove(client.id)?.release();
        Ok(())
    })
}
