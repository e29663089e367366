//! Events to listeners: in order, one at a time for each handle, and on/off from anywhere.

mod listeners;
mod mailbox;
mod pace;

pub(crate) use listeners::View;
pub use listeners::{Listener, ListenerKey, Listeners};
pub(crate) use mailbox::{Actor, Line, Mailbox};
pub(crate) use pace::{Calling, Pace};
