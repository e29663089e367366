//! The server's exports.

use std::ffi::{c_char, c_void};
use std::mem::size_of;
use std::net::IpAddr;
use std::sync::Arc;

use super::client::{null_callback, NSWS_STATE_CLOSING, NSWS_STATE_IDLE, NSWS_STATE_OPEN};
use super::event::*;
use super::handle::{nsws_connection, nsws_server};
use super::listener::{add, remove, UserData};
use super::options::{bytes, flag, text, utf8, write_defaults};
use super::server_options::{nsws_server_options, read_server_options};
use super::{call, check_out, prepare, threads, write_out};
use crate::connection::{CloseEvent, DrainEvent, MessageEvent, Payload};
use crate::error::{Code, Error, Result};
use crate::handle::{Kind, Table};
use crate::process;
use crate::server::{self, Accepted, ConnectEvent, Of, Server, ServerError, Standing};

static SERVERS: Table<Server> = Table::new(Kind::Server);

pub(super) fn server(handle: nsws_server) -> Result<Arc<Server>> {
    SERVERS.get(handle.id)
}

pub(super) fn named(connection: &Accepted) -> nsws_connection {
    nsws_connection { id: connection.handle() }
}

/// Releases every server, as nsws_shutdown() does.
pub(super) fn release_all() {
    for server in SERVERS.drain() {
        server.release();
    }
}

fn with_connect<R>(event: &ConnectEvent, call: impl FnOnce(*const nsws_connect_event) -> R) -> R {
    let (ip, path) = (c_text(event.peer.ip.to_string()), c_text(event.path.as_str()));
    let protocol = c_text(event.protocol.as_str());
    let extensions = c_text(event.extensions.as_str());
    with_headers(&event.headers, |headers| {
        call(&nsws_connect_event {
            struct_size: size_of::<nsws_connect_event>(),
            client_ip: ip.as_ptr(),
            path: path.as_ptr(),
            protocol: protocol.as_ptr(),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            client_port: event.peer.port,
            extensions: extensions.as_ptr(),
        })
    })
}

/// Creates a server, which does not listen yet. The first object also starts the library's threads.
///
/// @param out receives the handle; destroy it with nsws_server_destroy() or nsws_server_release()
/// @return 0; 401 when `out` is NULL; `NSWS_ERR_NOT_SUPPORTED` in a build without servers, or on a device
///         where servers may not run (`is_tv_device` of nsws_platform); `NSWS_ERR_NO_RESOURCES`;
///         `NSWS_ERR_SHUTTING_DOWN`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_create(out: *mut nsws_server) -> i32 {
    call(|| {
        check_out(out)?;
        prepare();
        server::check_device()?;
        let id = threads::starting(|| process::create(|runtime, _| SERVERS.insert(Server::new(runtime)?)))?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, nsws_server { id }) }
    })
}

/// Listens. When this returns 0, clients can connect; each that does arrives as `connect`.
///
/// What is checked, in this order: the options' values (401), the permission, address, port, certificate
/// files, whether the server listens already, and the socket.
///
/// @param server the server; it may start again after nsws_server_stop(), at once
/// @param options prepared by nsws_server_options_init(), or NULL for the defaults; copied
/// @return 0; 401; `NSWS_ERR_NOT_SUPPORTED` for `compression` in a build without it;
///         `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_LISTEN_ADDRESS`; `NSWS_ERR_LISTEN_PORT` (too
///         large, or not permitted); `NSWS_ERR_CERT_FILE`; `NSWS_ERR_CERT_UNUSABLE`;
///         `NSWS_ERR_ALREADY_CONNECTED` when it listens already; `NSWS_ERR_PORT_IN_USE`;
///         `NSWS_ERR_NO_RESOURCES`; `NSWS_ERR_BAD_HANDLE`
/// Any thread; reads the certificate files, never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_start(server: nsws_server, options: *const nsws_server_options) -> i32 {
    call(|| {
        let server = self::server(server)?;
        // SAFETY: the parameter's description asks for it.
        server.start(&unsafe { read_server_options(options) }?)
    })
}

/// Stops to listen: when this returns, the port is free. Every connection is closed in the background with
/// 1001, "server is going away", what was accepted for it goes out first, and each has its `close` event
/// within `close_timeout_ms`. Clients whose handshake is under way are cut off.
///
/// @param server the server
/// @return 0; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_NOT_LISTENING`; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_stop(server: nsws_server) -> i32 {
    call(|| self::server(server)?.stop())
}

/// Destroys a server, and waits until no callback of it runs and each `free_fn` has run. It stops to listen,
/// and its connections are closed in the background (1001); no event tells of it, and their handles are
/// stale.
///
/// Inside a callback of any handle it doesn't wait: it returns at once, no further callback of the server
/// starts, and `free_fn` tells when its last one has ended.
///
/// @param server the server; stale from now on
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_destroy(server: nsws_server) -> i32 {
    call(|| {
        SERVERS.remove(server.id)?.destroy();
        Ok(())
    })
}

/// Destroys a server without ever waiting, for finalisers and UI threads: a callback that runs now may still
/// run when this returns, and `free_fn` tells when it has ended. The port is free when this returns.
///
/// @param server the server; stale from now on
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_release(server: nsws_server) -> i32 {
    call(|| {
        SERVERS.remove(server.id)?.release();
        Ok(())
    })
}

/// Returns the port that a server listens on. Programs written for 0.1 call it nsws_server_port(), which is a macro now.
///
/// @param server the server
/// @param out receives the port
/// @return 0; 401 when `out` is NULL; `NSWS_ERR_NOT_LISTENING`; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_get_port(server: nsws_server, out: *mut u16) -> i32 {
    call(|| {
        check_out(out)?;
        let port = self::server(server)?.port()?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, port) }
    })
}

/// Returns what a server does now: `NSWS_STATE_OPEN` while it listens; `NSWS_STATE_CLOSING` after nsws_server_stop()
/// until the listeners have been told of the last `close`; else `NSWS_STATE_IDLE`. It can start again in both.
///
/// @param server the server
/// @param out receives one of `NSWS_STATE_*`; never `NSWS_STATE_CONNECTING`
/// @return 0; 401 when `out` is NULL; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_get_state(server: nsws_server, out: *mut i32) -> i32 {
    call(|| {
        check_out(out)?;
        let state = match self::server(server)?.standing() {
            Standing::Idle => NSWS_STATE_IDLE,
            Standing::Listening => NSWS_STATE_OPEN,
            Standing::Closing => NSWS_STATE_CLOSING,
        };
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, state) }
    })
}

/// Lists a server's connections: those whose `connect` was delivered, or is being delivered, and whose
/// `close` was not.
///
/// @param server the server
/// @param list receives up to `capacity` handles; NULL is allowed when `capacity` is 0
/// @param capacity how many handles `list` has room for
/// @param out_count receives how many connections there are, which may be more than `capacity`
/// @return 0; 401 for NULL; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_list_connections(
    server: nsws_server,
    list: *mut nsws_connection,
    capacity: usize,
    out_count: *mut usize,
) -> i32 {
    call(|| {
        check_out(out_count)?;
        if list.is_null() && capacity > 0 {
            return Err(Error::call(Code::Parameter, "list is NULL, its capacity is not 0."));
        }
        let connections = self::server(server)?.connections()?;
        for (place, connection) in connections.iter().take(capacity).enumerate() {
            // SAFETY: the caller promises room for `capacity` handles.
            unsafe { list.add(place).write(named(connection)) };
        }
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out_count, connections.len()) }
    })
}

/// Finds the connection of a client by its address and port.
///
/// @param server the server
/// @param client_ip the client's IP address as text
/// @param client_port the client's port
/// @param out receives the handle
/// @return 0; 401 for NULL or text that is no address; `NSWS_ERR_NO_CONNECTION` when there is none;
///         `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_find_connection(
    server: nsws_server,
    client_ip: *const c_char,
    client_port: u16,
    out: *mut nsws_connection,
) -> i32 {
    call(|| {
        check_out(out)?;
        // SAFETY: NULL or NUL-terminated.
        let ip: Option<IpAddr> = unsafe { text(client_ip, "client_ip") }?.and_then(|ip| ip.parse().ok());
        let ip = ip.ok_or_else(|| Error::call(Code::Parameter, "client_ip is no IP address."))?;
        let connection = self::server(server)?.find(ip, client_port)?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, named(&connection)) }
    })
}

/// Sends a message to every connection of a server; it is copied once for all of them. Clients get the
/// broadcasts of several threads in the same order.
///
/// @param server the server
/// @param data the payload, copied; NULL is allowed when `length` is 0. Text must be UTF-8.
/// @param length its length in bytes; 0 sends an empty message
/// @param is_text 1: a text message; 0: a binary one
/// @param out_accepted receives how many connections accepted it, or NULL. One that is closing doesn't, nor
///        one between the parts of another message, nor one whose send queue is full: that one gets `drain`
///        when there is room again.
/// @return 0; 401 for invalid UTF-8, more than `max_send_size`, or `is_text` neither 0 nor 1, and then nobody
///         was sent anything; `NSWS_ERR_PERMISSION_DENIED`; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_broadcast(
    server: nsws_server,
    data: *const c_void,
    length: usize,
    is_text: u8,
    out_accepted: *mut usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let data = unsafe { bytes(data.cast(), length) }?;
        let payload = match flag(is_text, "is_text")? {
            true => Payload::Text(utf8(data)?),
            false => Payload::Binary(data),
        };
        let accepted = self::server(server)?.broadcast(payload)?;
        match out_accepted.is_null() {
            true => Ok(()),
            // SAFETY: not NULL, and writable as the parameter's description asks.
            false => unsafe { write_out(out_accepted, accepted) },
        }
    })
}

/// Sets who decides whether a client may connect, after the server's limits and before the client is
/// answered: by its origin, a token in a header, its path. Without one, every client may.
///
/// @param server the server
/// @param fn the function to ask; NULL: nobody is asked
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL. If this call fails, it isn't
///        called.
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_set_accept_hook(
    server: nsws_server,
    r#fn: nsws_accept_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let make = r#fn.map(|function| {
            move || -> server::AcceptHook {
                let user_data = UserData::new(user_data, free_fn);
                Box::new(move |event: &ConnectEvent| {
                    // SAFETY: the caller gave the function for these arguments; the event outlives the call.
                    with_connect(event, |event| unsafe { function(server, event, user_data.get()) })
                })
            }
        });
        self::server(server)?.set_accept_hook(make)
    })
}

/// Sends a text message to a client. What was accepted is delivered in order; nsws_connection_close() flushes
/// it first.
///
/// @param connection the connection
/// @param text UTF-8, copied; NULL is allowed when `length` is 0. NULs in it are sent as they are.
/// @param length its length in bytes; 0 sends an empty message
/// @return 0; 401 for invalid UTF-8 or more than `max_send_size`; `NSWS_ERR_PERMISSION_DENIED`;
///         `NSWS_ERR_NOT_CONNECTED` when the connection is closing or over; `NSWS_ERR_MESSAGE_UNFINISHED` between
///         the parts of another message; `NSWS_ERR_QUEUE_FULL`, then `drain` follows; `NSWS_ERR_NO_RESOURCES`;
///         `NSWS_ERR_BAD_HANDLE`. After any error nothing was queued.
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_send_text(
    connection: nsws_connection,
    text: *const c_char,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let text = utf8(unsafe { bytes(text.cast(), length) }?)?;
        server::send(connection.id, Payload::Text(text))
    })
}

/// Sends a binary message to a client. As nsws_connection_send_text().
///
/// @param connection the connection
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes; 0 sends an empty message
/// @return as nsws_connection_send_text()
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_send_binary(
    connection: nsws_connection,
    data: *const c_void,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        server::send(connection.id, Payload::Binary(unsafe { bytes(data.cast(), length) }?))
    })
}

/// Sends a ping to a client. The answer counts as a sign of life and sets `rtt_us` of nsws_connection_get_info().
///
/// @param connection the connection
/// @param data the payload, copied; NULL is allowed when `length` is 0
/// @param length its length in bytes, at most 125
/// @return 0; 401 above 125 bytes; else as nsws_connection_send_text(), but never `NSWS_ERR_MESSAGE_UNFINISHED`
/// Any thread; never blocks on the network.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_ping(
    connection: nsws_connection,
    data: *const c_void,
    length: usize,
) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let data = unsafe { bytes(data.cast(), length) }?;
        server::connection(connection.id)?.ping(data)
    })
}

/// Closes a connection: sends what was accepted, then the close frame, and waits in the background for the
/// client's. `close` follows.
///
/// @param connection the connection
/// @param code 1000-1003, 1007-1014 or 3000-4999; 1000 is the normal one
/// @param reason at most 123 bytes of UTF-8; NULL is ""
/// @return 0; 401 for a code or reason that may not be sent; `NSWS_ERR_PERMISSION_DENIED`;
///         `NSWS_ERR_NOT_CONNECTED` when it is being closed already; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_close(
    connection: nsws_connection,
    code: u16,
    reason: *const c_char,
) -> i32 {
    call(|| {
        let connection = server::connection(connection.id)?;
        // SAFETY: NULL or NUL-terminated.
        let reason = unsafe { text(reason, "reason") }?;
        connection.close(code, reason.unwrap_or_default())
    })
}

/// Lets small messages wait for each other; as nsws_client_cork().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_cork(connection: nsws_connection) -> i32 {
    call(|| server::connection(connection.id)?.cork())
}

/// Sends what has waited since nsws_connection_cork(), on this thread if it can; as
/// nsws_client_uncork().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_uncork(connection: nsws_connection) -> i32 {
    call(|| server::connection(connection.id)?.uncork())
}

/// Stops the reading of a connection; as nsws_client_pause().
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_pause(connection: nsws_connection) -> i32 {
    call(|| {
        server::connection(connection.id)?.pause();
        Ok(())
    })
}

/// Ends what nsws_connection_pause() began.
///
/// @param connection the connection
/// @return 0; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_connection_resume(connection: nsws_connection) -> i32 {
    call(|| {
        server::connection(connection.id)?.unpause();
        Ok(())
    })
}

/// Who is at the other end of a connection, and figures of it.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_connection_info {
    /// The size of this struct, as given to nsws_connection_get_info().
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
    /// The last ping's time to its pong, in microseconds; 0 before the first.
    pub rtt_us: u64,
    /// The client's IP address as text, NUL-terminated.
    pub client_ip: [c_char; 46],
    /// The client's port.
    pub client_port: u16,
}

/// Tells who is at the other end of a connection, and figures of it up to now.
///
/// @param connection the connection
/// @param info receives them
/// @param struct_size `sizeof *info`
/// @return 0; 401 when `info` is NULL or the size is impossible; `NSWS_ERR_BAD_HANDLE`
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_connection_get_info(
    connection: nsws_connection,
    info: *mut nsws_connection_info,
    struct_size: usize,
) -> i32 {
    call(|| {
        let connection = server::connection(connection.id)?;
        let (peer, traffic) = (connection.peer(), connection.traffic());
        let mut client_ip = [0; 46];
        for (place, byte) in client_ip.iter_mut().zip(peer.ip.to_string().bytes()) {
            *place = byte as c_char;
        }
        let values = nsws_connection_info {
            struct_size,
            messages_sent: traffic.messages_sent,
            messages_received: traffic.messages_received,
            bytes_sent: traffic.bytes_sent,
            bytes_received: traffic.bytes_received,
            queued_bytes: traffic.queued_bytes as u64,
            rtt_us: traffic.rtt.as_micros() as u64,
            client_ip,
            client_port: peer.port,
        };
        // SAFETY: the parameters' descriptions ask for it.
        unsafe { write_defaults(info, struct_size, values) }
    })
}

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
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().connect, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &Of<'_, ConnectEvent>| {
                let connection = named(of.connection);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_connect(&of.event, |event| unsafe {
                    function(server, connection, event, user_data.get())
                })
            })
        })
    })
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
    call(|| {
        remove(&self::server(server)?.listeners().connect, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
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
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().message, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &Of<'_, MessageEvent<'_>>| {
                let connection = named(of.connection);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_message(&of.event, |event| unsafe {
                    function(server, connection, event, user_data.get())
                })
            })
        })
    })
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
    call(|| {
        remove(&self::server(server)?.listeners().message, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
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
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().close, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &Of<'_, CloseEvent>| {
                let connection = named(of.connection);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_close(&of.event, |event| unsafe { function(server, connection, event, user_data.get()) })
            })
        })
    })
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
    call(|| {
        remove(&self::server(server)?.listeners().close, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
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
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().error, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &ServerError| {
                let connection = of.connection.as_deref().map_or(nsws_connection { id: 0 }, named);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_error(&of.error, |event| unsafe { function(server, connection, event, user_data.get()) })
            })
        })
    })
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
    call(|| {
        remove(&self::server(server)?.listeners().error, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
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
    call(|| {
        let object = self::server(server)?;
        let function = r#fn.ok_or_else(null_callback)?;
        add(&object.listeners().drain, function as usize, user_data, free_fn, |user_data| {
            Box::new(move |of: &Of<'_, DrainEvent>| {
                let connection = named(of.connection);
                // SAFETY: the caller registered the function for these arguments; the event outlives the call.
                with_drain(&of.event, |event| unsafe { function(server, connection, event, user_data.get()) })
            })
        })
    })
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
    call(|| {
        remove(&self::server(server)?.listeners().drain, r#fn.map(|function| function as usize), user_data);
        Ok(())
    })
}
