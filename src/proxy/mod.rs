//! Proxies: which one a connection takes, if any, and the way through it.

mod choice;
mod environment;
mod exclusion;
mod server;
mod socks5;
pub(crate) mod tunnel;

pub(crate) use choice::Choice;
pub use environment::from_variables;
pub use exclusion::{Exclusions, Names};
pub use server::{Kind, Proxy, Server};
pub(crate) use tunnel::open;
