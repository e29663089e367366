//! Proxies: which one a connection takes, if any, and the way through it.

mod choice;
mod environment;
mod exclusion;
mod server;
mod socks5;
pub(crate) mod tunnel;

pub(crate) use choice::Choice;
pub use environment::from_variables;
#[cfg(feature = "server")]
pub(crate) use exclusion::is_within;
pub use exclusion::{Exclusions, Names};
pub use server::{Proxy, ProxyKind, Server};
pub(crate) use tunnel::open;
