//! What a program does with a server.

use std::ffi::{c_char, c_void};
use std::net::IpAddr;
use std::sync::Arc;

use super::arguments::{bytes, flag, text, utf8};
use super::client::{NSWS_STATE_CLOSING, NSWS_STATE_IDLE, NSWS_STATE_OPEN};
use super::connection::{named, Handles};
use super::handle::{nsws_connection, nsws_server};
use super::listener::{nsws_free_fn, Handle, UserData};
use super::server_events::{nsws_accept_fn, with_connect};
use super::server_options::{nsws_server_options, read_server_options};
use super::table::{HandleKind, Table};
use super::{call, check_list, check_out, prepare, threads, write_out};
use crate::connection::Payload;
use crate::error::{Code, Error, Result};
use crate::process;
use crate::server::{self, ConnectEvent, Server, Standing};

static SERVERS: Table<Server> = Table::new(HandleKind::Server);

pub(super) fn server(handle: nsws_server) -> Result<Arc<Server>> {
    SERVERS.get(handle.id)
}

impl Handle for nsws_server {
    type Object = Server;

    fn object(self) -> Result<Arc<Server>> {
        server(self)
    }
}

/// Releases every server, as nsws_shutdown() does.
pub(super) fn release_all() {
    for server in SERVERS.drain() {
        server.release();
    }
}

/// Creates a server, which does not listen yet. The first object that a process creates also starts the
/// library's threads.
///
/// @param out receives the handle; end it with nsws_server_destroy() or nsws_server_release()
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NOT_SUPPORTED: a build without servers, or a
///         device on which servers may not run (`is_tv_device` of nsws_platform); NSWS_ERR_NO_RESOURCES;
///         NSWS_ERR_SHUTTING_DOWN; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_create(out: *mut nsws_server) -> i32 {
    call(|| {
        check_out(out)?;
        prepare();
        server::check_device()?;
        let id = threads::starting(|| {
            process::create(|runtime, _| SERVERS.insert(Server::with_names(runtime, &Handles)?))
        })?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, nsws_server { id }) }
    })
}

/// Starts listening. When this returns NSWS_OK, clients can connect; each client that does is a `connect` event.
///
/// The checks come in this order: the values of the options, the permission, address, port, certificate files,
/// whether the server listens already, and the socket.
///
/// @param server the server; it can start again right after nsws_server_stop()
/// @param options prepared by nsws_server_options_init(), or NULL for the defaults; copied
/// @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
///         NSWS_ERR_NOT_SUPPORTED: `compression` in a build without it; NSWS_ERR_PERMISSION_DENIED;
///         NSWS_ERR_LISTEN_ADDRESS: `server_ip` is not an address of this device; NSWS_ERR_LISTEN_PORT: the
///         port is above 65535, or this process may not use it; NSWS_ERR_CERT_FILE: a file can't be opened;
///         NSWS_ERR_CERT_UNUSABLE: certificate or key can't be used; NSWS_ERR_ALREADY_CONNECTED: the server
///         listens already; NSWS_ERR_PORT_IN_USE; NSWS_ERR_NO_RESOURCES; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread. Reads the certificate files.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_server_start(server: nsws_server, options: *const nsws_server_options) -> i32 {
    call(|| {
        let server = self::server(server)?;
        // SAFETY: the parameter's description asks for it.
        server.start(&unsafe { read_server_options(options) }?)
    })
}

/// Returns the port that a server listens on. Programs written for 0.1 call it nsws_server_port(), which is now
/// a macro.
///
/// @param server the server
/// @param out receives the port
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Returns the state of a server: NSWS_STATE_OPEN while it listens; NSWS_STATE_CLOSING after
/// nsws_server_stop(), until the listeners of the last `close` have returned; else NSWS_STATE_IDLE. A server
/// can start unless it is listening.
///
/// @param server the server
/// @param out receives one of NSWS_STATE_*; never NSWS_STATE_CONNECTING
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Sets the hook that decides whether a client may connect, for example by its origin, a token in a header, or
/// its path. The hook is asked after the server's own limits and before the client is answered. Without one,
/// every client may connect.
///
/// @param server the server
/// @param fn the hook; NULL: none
/// @param user_data passed to `fn`
/// @param free_fn called once after the last use of `user_data`, or NULL; not called if this call fails, or if
///         `fn` is NULL
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread. `fn` is called on threads of the library, in turn with the server's listeners.
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

/// Lists the connections of a server: those whose `connect` was delivered, or is being delivered, and whose
/// `close` was not.
///
/// @param server the server
/// @param list receives up to `capacity` handles; may be NULL if `capacity` is 0
/// @param capacity how many handles `list` has room for
/// @param out_count receives how many connections there are, which may be more than `capacity`
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out_count` is NULL, or `list` is and `capacity` is not 0;
///         NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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
        check_list(list, capacity)?;
        let connections = self::server(server)?.connections()?;
        for (place, connection) in connections.iter().take(capacity).enumerate() {
            // SAFETY: the caller promises room for `capacity` handles.
            unsafe { list.add(place).write(named(connection)) };
        }
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out_count, connections.len()) }
    })
}

/// Finds the connection of a client by the client's address and port.
///
/// @param server the server
/// @param client_ip the client's IP address as text, NUL-terminated
/// @param client_port the client's port
/// @param out receives the handle
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out` is NULL, or `client_ip` is no IP address; NSWS_ERR_NO_CONNECTION:
///         there is none; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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
        let ip = ip.ok_or_else(|| Error::call(Code::Parameter, "client_ip is not an IP address."))?;
        let connection = self::server(server)?.find(ip, client_port)?;
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out, named(&connection)) }
    })
}

/// Sends a message to every connection of a server; it is copied once for all of them. All clients get the
/// broadcasts of different threads in the same order. After any error nothing was sent to anybody.
///
/// @param server the server
/// @param data the payload, copied; may be NULL if `length` is 0. Text must be UTF-8.
/// @param length its length in bytes, at most `max_send_size`; 0 sends an empty message
/// @param is_text 1: a text message; 0: a binary one
/// @param out_accepted receives how many connections accepted it, or NULL. A connection does not if it is
///         closing, if a message that is being sent in parts lacks its last part, or if its send queue is full;
///         in the last case `drain` follows when there is room.
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the data is NULL, not UTF-8 or too long, or `is_text` is neither 0 nor
///         1; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NO_RESOURCES: there is no memory for it;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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
        let payload = unsafe { message(data, length, is_text) }?;
        let accepted = self::server(server)?.broadcast(payload)?;
        // SAFETY: as above.
        unsafe { write_count(out_accepted, accepted) }
    })
}

/// What a broadcast sends.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that outlive `'a`.
pub(super) unsafe fn message<'a>(data: *const c_void, length: usize, is_text: u8) -> Result<Payload<'a>> {
    // SAFETY: as promised to this function.
    let data = unsafe { bytes(data.cast(), length) }?;
    Ok(match flag(is_text, "is_text")? {
        true => Payload::Text(utf8(data)?),
        false => Payload::Binary(data),
    })
}

/// Writes how many connections accepted a broadcast, if the program wants to know.
///
/// # Safety
/// `out` is NULL or writable.
pub(super) unsafe fn write_count(out: *mut usize, accepted: usize) -> Result<()> {
    match out.is_null() {
        true => Ok(()),
        // SAFETY: not NULL, and writable as promised to this function.
        false => unsafe { write_out(out, accepted) },
    }
}

/// Stops listening: when this returns, the port is free. Every connection is closed in the background with code
/// 1001, "server is going away": what was accepted for it goes out first, and its `close` event comes within
/// `close_timeout_ms`. Clients whose handshake is under way are cut off.
///
/// @param server the server
/// @return NSWS_OK; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_stop(server: nsws_server) -> i32 {
    call(|| self::server(server)?.stop())
}

/// Destroys a server, and waits until none of its callbacks runs and each `free_fn` has run. It stops
/// listening, and its connections are closed in the background with code 1001; no event follows, and their
/// handles are stale.
///
/// Inside any callback, of this server or not, it returns at once: no further callback of the server starts,
/// and `free_fn` runs when the last one has ended.
///
/// @param server the server; stale from now on
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread. Waits for running callbacks, unless it is called inside one.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_destroy(server: nsws_server) -> i32 {
    call(|| {
        SERVERS.remove(server.id)?.destroy();
        Ok(())
    })
}

/// Destroys a server without ever waiting, for finalisers and UI threads. A running callback may go on after
/// this returns, and `free_fn` runs when it has ended. The port is free when this returns.
///
/// @param server the server; stale from now on
/// @return NSWS_OK; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_server_release(server: nsws_server) -> i32 {
    call(|| {
        SERVERS.remove(server.id)?.release();
        Ok(())
    })
}
