//! The events of a client, and their listeners.

use std::time::Duration;

use crate::callback::Occasion;
use crate::connection::{CloseEvent, DrainEvent, MessageEvent, MessagePartEvent};
use crate::dispatch::{Listener, Listeners};
use crate::error::Error;

/// The server's answer to the upgrade.
#[derive(Clone, Debug)]
pub struct HeaderReceiveEvent {
    /// The HTTP status.
    pub status: u16,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The connection is open.
#[derive(Clone, Debug)]
pub struct OpenEvent {
    /// The HTTP status.
    pub status: u16,
    /// The status text.
    pub message: String,
    /// The sub-protocol that the server chose, or "".
    pub protocol: String,
    /// The extensions that were agreed to, as a header has them, or "".
    pub extensions: String,
}

/// The message before was complete.
#[derive(Clone, Copy, Debug)]
pub struct DataEndEvent;

/// The client will connect again by itself.
#[derive(Clone, Copy, Debug)]
pub struct ReconnectingEvent {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The wait before it.
    pub delay: Duration,
}

/// What is called for a message.
pub type MessageListener = dyn Fn(&MessageEvent<'_>) + Send + Sync;
/// What is called for a part of a message.
pub type MessagePartListener = dyn Fn(&MessagePartEvent<'_>) + Send + Sync;

/// The listeners of each event.
pub struct ClientListeners {
    /// The server's answer, before `open`.
    pub header_receive: Listeners<Listener<HeaderReceiveEvent>>,
    /// The connection is open.
    pub open: Listeners<Listener<OpenEvent>>,
    /// A message.
    pub message: Listeners<MessageListener>,
    /// A part of a message, with `receive_parts`.
    pub message_part: Listeners<MessagePartListener>,
    /// Right after each message.
    pub data_end: Listeners<Listener<DataEndEvent>>,
    /// The connection is over.
    pub close: Listeners<Listener<CloseEvent>>,
    /// Something failed.
    pub error: Listeners<Listener<Error>>,
    /// The send queue has room again.
    pub drain: Listeners<Listener<DrainEvent>>,
    /// The client will connect again by itself.
    pub reconnecting: Listeners<Listener<ReconnectingEvent>>,
}

impl Default for ClientListeners {
    fn default() -> Self {
        ClientListeners {
            header_receive: Listeners::of(Occasion::HeaderReceive),
            open: Listeners::of(Occasion::Open),
            message: Listeners::of(Occasion::Message),
            message_part: Listeners::of(Occasion::MessagePart),
            data_end: Listeners::of(Occasion::DataEnd),
            close: Listeners::of(Occasion::Close),
            error: Listeners::of(Occasion::Error),
            drain: Listeners::of(Occasion::Drain),
            reconnecting: Listeners::of(Occasion::Reconnecting),
        }
    }
}

/// How far a client has come, as its listeners have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can connect.
    Idle,
    /// An attempt is under way, or will be after a wait.
    Connecting,
    /// It can send.
    Open,
    /// Its program has closed it; `close` follows.
    Closing,
}
