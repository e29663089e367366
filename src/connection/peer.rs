//! The name of a peer within a sentence.

use std::fmt;
use std::net::SocketAddr;

/// Made into a sentence's part only when there is one: most connections end without.
#[derive(Clone, Debug)]
pub(crate) enum PeerName {
    /// A server, by its host and port.
    Server(Box<str>),
    Client(SocketAddr),
}

impl PeerName {
    /// At the beginning of a sentence.
    pub fn subject(&self) -> String {
        match self {
            PeerName::Server(address) => address.to_string(),
            PeerName::Client(address) => format!("The client {address}"),
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerName::Server(address) => f.write_str(address),
            PeerName::Client(address) => write!(f, "the client {address}"),
        }
    }
}
