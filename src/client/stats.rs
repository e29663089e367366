//! Figures of a client: of its connection, and of the way to it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::connection::Traffic;
use crate::tls::Secured;

/// How long each step of an attempt took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// The name lookup, of the proxy's name if there is a proxy.
    pub dns: Duration,
    /// The TCP connection, and the way through the proxy.
    pub tcp: Duration,
    /// Of that, the way through the proxy.
    pub proxy: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The opening handshake.
    pub handshake: Duration,
}

/// What an attempt has found and agreed to.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// The other end of TCP: the server's, or its proxy's.
    pub peer: Option<SocketAddr>,
    /// What TLS has agreed on, for wss.
    pub tls: Secured,
    /// The extensions, as a header has them, or "".
    pub extensions: String,
}

/// Figures of the current connection, or of the last one.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// What went over the connection.
    pub traffic: Traffic,
    /// How long its attempt took.
    pub timings: Timings,
    /// What its attempt has found.
    pub agreement: Agreement,
    /// How often the client has connected again by itself.
    pub reconnects: u32,
}
