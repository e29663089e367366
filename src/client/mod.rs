//! A client: its state, its listeners, and the sessions it goes through one after another.

mod attempt;
mod delivery;
mod dial;
mod event;
pub(crate) mod handshake;
mod live;
mod options;
mod reconnect;
mod session;

pub use event::{
    ClientListeners, DataEndEvent, HeaderReceiveEvent, MessageListener, MessagePartListener, OpenEvent,
    ReconnectingEvent, Standing, Stats, Timings,
};
pub use live::Client;
pub use options::ConnectOptions;
pub use reconnect::Reconnect;

pub use crate::connection::{CloseEvent, DrainEvent, MessageEvent, MessagePartEvent};
