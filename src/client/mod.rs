//! A client: its state, its listeners, and the sessions it goes through one after another.

mod attempt;
mod delivery;
mod dial;
mod event;
pub(crate) mod handshake;
mod link_options;
mod live;
mod options;
mod plan;
mod reconnect;
mod redirect;
pub(crate) mod refusal;
mod retry_after;
mod session;
mod stats;

pub use event::{
    ClientListeners, DataEndEvent, HeaderReceiveEvent, MessageListener, MessagePartListener, OpenEvent,
    ReconnectingEvent, Standing,
};
pub use link_options::{Known, LinkOptions};
pub use live::Client;
pub use options::ConnectOptions;
pub use reconnect::Reconnect;
pub use stats::{Agreement, Stats, Timings};

pub use crate::connection::{CloseEvent, DrainEvent, MessageEvent, MessagePartEvent};
