//! The events of servers, and how the core's events become them.

use std::ffi::{c_char, c_void};
use std::mem::size_of;

use super::arguments::c_text;
use super::client_events::{
    nsws_close_event, nsws_drain_event, nsws_error_event, nsws_message_event, nsws_message_part_event,
    with_close, with_drain, with_error, with_message, with_part,
};
use super::connection::named;
use super::handle::{nsws_connection, nsws_server};
use super::header::{nsws_header, with_headers};
use super::listener::ServerEvent;
use crate::connection::{CloseEvent, DrainEvent};
use crate::dispatch::Listener;
use crate::server::{
    ClientCertificate, ConnectEvent, ConnectionListener, MessageListener, MessagePartListener, ServerError,
};

/// `connect`: a client has connected to a server. The accept hook receives the same before the client is
/// answered.
/// @since 0.1
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct nsws_connect_event {
    /// The size of this struct in the library that made it.
    pub struct_size: usize,
    /// The client's IP address as text. An IPv4 client of a server on "::" has its IPv4 address. Behind proxies that
    /// `trusted_proxies` of nsws_server_options names, it is the address that they pass on; limits and bans count
    /// it.
    pub client_ip: *const c_char,
    /// Path and query of the request, as the client wrote them.
    pub path: *const c_char,
    /// The sub-protocol that the server chose, or "".
    pub protocol: *const c_char,
    /// The request's headers in the order of arrival, repeated names kept, names as the client wrote them.
    pub headers: *const nsws_header,
    /// How many headers there are.
    pub header_count: usize,
    /// The client's port; 0 if a trusted proxy doesn't pass it on.
    pub client_port: u16,
    /// The extensions that were agreed on, as the header has them, or "".
    /// @since 0.2
    pub extensions: *const c_char,
    /// The IP address that the link comes from, as text: the client's, or that of a trusted proxy in between.
    /// @since 0.2
    pub link_ip: *const c_char,
    /// The subject of the client's certificate, as "CN=..., O=...", with `client_ca_path` of nsws_server_options;
    /// "" without. Show it to people, but identify clients by the fingerprint or the certificate itself: a name
    /// may hold commas.
    /// @since 0.2
    pub client_cert_subject: *const c_char,
    /// The SHA-256 of the client's certificate (its DER) in 64 lower-case hexadecimal digits, or "".
    /// @since 0.2
    pub client_cert_fingerprint: *const c_char,
    /// The client's certificate as PEM, or "".
    /// @since 0.2
    pub client_cert_pem: *const c_char,
    /// The port that the link comes from.
    /// @since 0.2
    pub link_port: u16,
}

/// Receives `connect` of a server. From now on the connection can be used.
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

/// Receives `message` of a connection.
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

/// Receives `message_part` of a connection.
/// @since 0.2
#[allow(non_camel_case_types)]
pub type nsws_server_message_part_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        connection: nsws_connection,
        event: *const nsws_message_part_event,
        user_data: *mut c_void,
    ),
>;

/// Receives `close` of a connection: exactly once for each that had `connect`, as its last event. The handle is
/// stale once the listeners have returned.
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

/// Receives `error` of a connection, or of the server itself: then the `id` of the connection is 0. A server
/// fails, for example, when it can't accept clients because the process has no descriptor left.
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

/// Receives `drain` of a connection.
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

/// Decides whether a client may connect. 0 accepts it; an HTTP status from 400 to 599 refuses it with that
/// status; any other value refuses it with 403. The hook takes turns with the listeners of the server.
/// Meanwhile the client waits, at most for what is left of `handshake_timeout_ms`.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_accept_fn = Option<
    unsafe extern "C" fn(
        server: nsws_server,
        event: *const nsws_connect_event,
        user_data: *mut c_void,
    ) -> u16,
>;

pub(super) fn with_connect<R>(event: &ConnectEvent, call: impl FnOnce(*const nsws_connect_event) -> R) -> R {
    let (ip, path) = (c_text(event.peer.ip.to_string()), c_text(event.path.as_str()));
    let protocol = c_text(event.protocol.as_str());
    let extensions = c_text(event.extensions.as_str());
    let link_ip = c_text(event.link.ip.to_string());
    let shown = |text: fn(&ClientCertificate) -> &String| {
        c_text(event.certificate.as_ref().map(text).cloned().unwrap_or_default())
    };
    let subject = shown(|certificate| &certificate.subject);
    let fingerprint = shown(|certificate| &certificate.fingerprint);
    let pem = shown(|certificate| &certificate.pem);
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
            link_ip: link_ip.as_ptr(),
            client_cert_subject: subject.as_ptr(),
            client_cert_fingerprint: fingerprint.as_ptr(),
            client_cert_pem: pem.as_ptr(),
            link_port: event.link.port,
        })
    })
}

impl ServerEvent<ConnectionListener<ConnectEvent>> for nsws_connect_event {
    fn listener(
        tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static,
    ) -> Box<ConnectionListener<ConnectEvent>> {
        Box::new(move |of| with_connect(&of.event, |event| tell(named(of.connection), event)))
    }
}

impl ServerEvent<MessageListener> for nsws_message_event {
    fn listener(tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static) -> Box<MessageListener> {
        Box::new(move |of| with_message(&of.event, |event| tell(named(of.connection), event)))
    }
}

impl ServerEvent<MessagePartListener> for nsws_message_part_event {
    fn listener(
        tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static,
    ) -> Box<MessagePartListener> {
        Box::new(move |of| with_part(&of.event, |event| tell(named(of.connection), event)))
    }
}

impl ServerEvent<ConnectionListener<CloseEvent>> for nsws_close_event {
    fn listener(
        tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static,
    ) -> Box<ConnectionListener<CloseEvent>> {
        Box::new(move |of| with_close(&of.event, |event| tell(named(of.connection), event)))
    }
}

impl ServerEvent<Listener<ServerError>> for nsws_error_event {
    fn listener(
        tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static,
    ) -> Box<Listener<ServerError>> {
        Box::new(move |of| {
            let connection = of.connection.as_deref().map_or(nsws_connection { id: 0 }, named);
            with_error(&of.error, |event| tell(connection, event));
        })
    }
}

impl ServerEvent<ConnectionListener<DrainEvent>> for nsws_drain_event {
    fn listener(
        tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static,
    ) -> Box<ConnectionListener<DrainEvent>> {
        Box::new(move |of| with_drain(&of.event, |event| tell(named(of.connection), event)))
    }
}
