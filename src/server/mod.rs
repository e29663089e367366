//! Servers: listening, admission, and the connections that are accepted.

mod event;
mod options;
mod peer;

#[cfg(feature = "server")]
mod accepted;
#[cfg(feature = "server")]
mod admission;
#[cfg(feature = "server")]
mod arrival;
#[cfg(feature = "server")]
mod bans;
#[cfg(feature = "server")]
mod broadcast;
#[cfg(feature = "server")]
mod certificates;
#[cfg(feature = "server")]
pub(crate) mod forwarded;
#[cfg(feature = "server")]
mod groups;
#[cfg(feature = "server")]
pub(crate) mod handshake;
#[cfg(feature = "server")]
mod http_hook;
#[cfg(feature = "server")]
mod listen;
#[cfg(feature = "server")]
mod listening;
#[cfg(feature = "server")]
mod live;
#[cfg(feature = "server")]
mod places;
#[cfg(feature = "server")]
pub(crate) mod plain;
#[cfg(feature = "server")]
pub(crate) mod proxy_protocol;
#[cfg(feature = "server")]
mod renewal;
#[cfg(feature = "server")]
mod stop;
#[cfg(feature = "server")]
mod turns;
#[cfg(feature = "server")]
mod visit;

#[cfg(not(feature = "server"))]
mod absent;

pub use event::{
    AcceptHook, Ban, ClientCertificate, ConnectEvent, ConnectionListener, HttpAnswer, HttpHook, HttpRequest,
    MessageListener, MessagePartListener, Names, Of, ServerError, ServerListeners, Standing,
};
pub use options::{CertificateFiles, ServerOptions};
pub use peer::Peer;

#[cfg(feature = "server")]
pub use accepted::Accepted;
#[cfg(feature = "server")]
pub(crate) use live::check_device;
#[cfg(feature = "server")]
pub use live::Server;

#[cfg(not(feature = "server"))]
pub(crate) use absent::check_device;
#[cfg(not(feature = "server"))]
pub use absent::{Accepted, Server};
