//! What a server's operator does: stop gracefully, replace certificates, list and lift bans.

use std::ffi::c_char;

use super::arguments::{ms, text};
use super::handle::nsws_server;
use super::server::server;
use super::{call, check_list, check_out, write_out};
use crate::error::{Code, Error};
use crate::server::CertificateFiles;

/// Stops a server as nsws_server_stop() does, and waits until each connection has had its `close` event. Every
/// client has the whole time to answer, whatever `close_timeout_ms` is. When the time is over, the links of
/// clients that have not answered are cut, and their `error` and `close` events follow.
///
/// @param server the server; it may start again afterwards
/// @param timeout_ms how long to wait, in milliseconds, at least 1
/// @return NSWS_OK: no connection is left; NSWS_ERR_BUSY: some had to be cut, or their listeners have not
///         returned; NSWS_ERR_PARAMETER: the time is 0; NSWS_ERR_WOULD_DEADLOCK: the call is made inside a
///         callback; NSWS_ERR_PERMISSION_DENIED; NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread, but not inside a callback. Waits up to `timeout_ms`. After NSWS_OK and NSWS_ERR_BUSY the
///       server has stopped; after any other error nothing has changed.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_server_stop_gracefully(server: nsws_server, timeout_ms: u32) -> i32 {
    call(|| self::server(server)?.stop_gracefully(ms(timeout_ms)))
}

/// Adds a certificate for other names. A client gets the certificate for the name that it asks for (SNI). If
/// there is none, it gets the server's first: `cert_path` of nsws_server_options. If there are several, it gets
/// one with a kind of key that it supports.
///
/// Added certificates stay with the server when it stops and starts again. If it is started without
/// `cert_path`, it speaks wss with the first that was added. A server that already listens without TLS
/// continues without TLS until it starts again.
///
/// @param server the server; while it listens, new connections can get the certificate from now on
/// @param cert_path a PEM file, as `cert_path` of nsws_server_options
/// @param key_path a PEM file, as `key_path` of nsws_server_options
/// @return NSWS_OK: also if these files were added before, in which case all certificates are read again;
///         NSWS_ERR_PARAMETER: a path is NULL, "" or not UTF-8; NSWS_ERR_CERT_FILE; NSWS_ERR_CERT_UNUSABLE;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread; reads the certificate files. After any error nothing has changed.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_add_certificate(
    server: nsws_server,
    cert_path: *const c_char,
    key_path: *const c_char,
) -> i32 {
    call(|| {
        // SAFETY: each is NULL or NUL-terminated.
        let (chain, key) = unsafe { (text(cert_path, "cert_path")?, text(key_path, "key_path")?) };
        match (chain, key) {
            (Some(chain), Some(key)) if !chain.is_empty() && !key.is_empty() => {
                let files = CertificateFiles { chain: chain.into(), key: key.into() };
                self::server(server)?.add_certificate(files)
            }
            _ => Err(Error::call(Code::Parameter, "cert_path or key_path is missing.")),
        }
    })
}

/// Reads all certificate files of a server again, `client_ca_path` included. A server does so by itself when
/// they have changed: see `cert_path` of nsws_server_options. New connections get the new certificates; open
/// ones stay as they are.
///
/// @param server the server
/// @return NSWS_OK; NSWS_ERR_CERT_UNUSABLE: a file can't be read or used, and the old certificates stay;
///         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread; reads the certificate files.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_server_reload_certificates(server: nsws_server) -> i32 {
    call(|| self::server(server)?.reload_certificates())
}

/// A ban. This struct never grows.
/// @since 0.2
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_ban {
    /// The banned IP address as text, or an IPv6 network ("2001:db8:0:1::/64"); NUL-terminated.
    pub ip: [c_char; 52],
    /// How long the ban still lasts, in milliseconds.
    pub remaining_ms: u32,
}

/// Lists the addresses that are banned: see `max_upgrades_per_minute` of nsws_server_options.
/// nsws_server_stop() ends all bans.
///
/// @param server the server
/// @param list receives up to `capacity` bans; may be NULL if `capacity` is 0
/// @param capacity how many bans `list` has room for
/// @param out_count receives how many bans there are, which may be more than `capacity`
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `out_count` is NULL, or `list` is NULL and `capacity` is not 0;
///         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_list_bans(
    server: nsws_server,
    list: *mut nsws_ban,
    capacity: usize,
    out_count: *mut usize,
) -> i32 {
    call(|| {
        check_out(out_count)?;
        check_list(list, capacity)?;
        let bans = self::server(server)?.bans()?;
        for (place, ban) in bans.iter().take(capacity).enumerate() {
            let mut ip = [0; 52];
            for (place, byte) in ip.iter_mut().zip(ban.whom.bytes()) {
                *place = byte as c_char;
            }
            // A minute at most.
            let remaining_ms = ban.remaining.as_millis() as u32;
            // SAFETY: the caller promises room for `capacity` bans.
            unsafe { list.add(place).write(nsws_ban { ip, remaining_ms }) };
        }
        // SAFETY: the parameter's description asks for it.
        unsafe { write_out(out_count, bans.len()) }
    })
}

/// Lifts a ban, and forgets what was counted for it.
///
/// @param server the server
/// @param ip an IP address, to lift its ban and that of its IPv6 network; or a network as
///        nsws_server_list_bans() has it, to lift only the network's ban
/// @return NSWS_OK: also when there was no ban; NSWS_ERR_PARAMETER: `ip` is NULL or neither;
///         NSWS_ERR_NOT_LISTENING; NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub unsafe extern "C" fn nsws_server_unban(server: nsws_server, ip: *const c_char) -> i32 {
    call(|| {
        // SAFETY: NULL or NUL-terminated.
        let ip = unsafe { text(ip, "ip") }?.ok_or_else(|| Error::call(Code::Parameter, "ip is NULL."))?;
        self::server(server)?.unban(ip)
    })
}
