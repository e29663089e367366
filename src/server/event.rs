//! The events of a server, and their listeners.

use std::sync::Arc;
use std::time::Duration;

use super::peer::Peer;
use super::Accepted;
use crate::callback::Occasion;
use crate::connection::{CloseEvent, DrainEvent, MessageEvent, MessagePartEvent};
use crate::dispatch::{Listener, Listeners};
use crate::error::{Error, Result};

#[cfg(feature = "server")]
pub use crate::tls::ClientCertificate;
/// The certificate by which a client has proved its identity.
#[cfg(not(feature = "server"))]
#[allow(missing_docs)]
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    pub subject: String,
    pub fingerprint: String,
    pub pem: String,
}

/// A client has connected, or, for the accept hook, would like to.
#[derive(Clone, Debug)]
pub struct ConnectEvent {
    /// Where the client is.
    pub peer: Peer,
    /// Where the link comes from: the client, or a trusted proxy.
    pub link: Peer,
    /// Path and query of its request.
    pub path: String,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The sub-protocol that was chosen, or "".
    pub protocol: String,
    /// The extensions that were agreed to, as a header has them, or "".
    pub extensions: String,
    /// The client's certificate, if it was asked for one.
    pub certificate: Option<ClientCertificate>,
}

/// An address, or an IPv6 network, that may not connect for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The address, or the network and "/64".
    pub whom: String,
    /// How long it lasts.
    pub remaining: Duration,
}

/// Names the connections of a server for the program.
pub trait Names: Sync {
    /// The name of a connection that is open from now on.
    fn add(&self, connection: &Arc<Accepted>) -> Result<u64>;

    /// A name that is not used any more.
    fn remove(&self, name: u64);
}

/// What a server does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not listen, and no connection is left.
    Idle,
    /// It listens.
    Listening,
    /// It has stopped, and its listeners have not yet been told of the last close.
    Closing,
}

/// An event of one connection.
pub struct Of<'a, E> {
    /// The connection.
    pub connection: &'a Arc<Accepted>,
    /// What happened.
    pub event: E,
}

/// Something failed.
pub struct ServerError {
    /// The connection; `None` when it is the server itself.
    pub connection: Option<Arc<Accepted>>,
    /// What failed.
    pub error: Error,
}

/// What is called for an event of a connection.
pub type ConnectionListener<E> = dyn Fn(&Of<'_, E>) + Send + Sync;
/// What is called for a message.
pub type MessageListener = dyn Fn(&Of<'_, MessageEvent<'_>>) + Send + Sync;
/// What is called for a part of a message.
pub type MessagePartListener = dyn Fn(&Of<'_, MessagePartEvent<'_>>) + Send + Sync;

/// The listeners of each event.
pub struct ServerListeners {
    /// A client has connected.
    pub connect: Listeners<ConnectionListener<ConnectEvent>>,
    /// A message.
    pub message: Listeners<MessageListener>,
    /// A part of a message, with `receive_parts`.
    pub message_part: Listeners<MessagePartListener>,
    /// A connection is over.
    pub close: Listeners<ConnectionListener<CloseEvent>>,
    /// Something failed.
    pub error: Listeners<Listener<ServerError>>,
    /// A connection's send queue has room again.
    pub drain: Listeners<ConnectionListener<DrainEvent>>,
}

impl Default for ServerListeners {
    fn default() -> Self {
        ServerListeners {
            connect: Listeners::of(Occasion::Connect),
            message: Listeners::of(Occasion::Message),
            message_part: Listeners::of(Occasion::MessagePart),
            close: Listeners::of(Occasion::Close),
            error: Listeners::of(Occasion::Error),
            drain: Listeners::of(Occasion::Drain),
        }
    }
}

/// A request that isn't an upgrade.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Where the client is.
    pub peer: Peer,
    /// Where the link comes from: the client, or a trusted proxy.
    pub link: Peer,
    /// `GET`, or another.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What a request that isn't an upgrade gets.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Answers a request that isn't an upgrade; `None`: it is refused.
pub type HttpHook = Box<dyn Fn(&HttpRequest) -> Option<HttpAnswer> + Send + Sync>;

/// Decides whether a client may connect: 0, or the HTTP status that refuses it.
pub type AcceptHook = Box<dyn Fn(&ConnectEvent) -> u16 + Send + Sync>;
