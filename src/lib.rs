//! WebSocket (RFC 6455) clients and servers for embedding, behind a C ABI.
//!
//! C and C++ programs use `include/netstack_websocket.h`, which is generated from [`ffi`]. The modules below
//! are the safe core that it forwards to; nothing in them knows C types.
#![deny(unsafe_code)]
// What only servers use.
#![cfg_attr(not(feature = "server"), allow(dead_code))]

mod callback;
pub mod client;
pub mod connection;
pub mod dispatch;
pub mod error;
pub mod ffi;
pub mod frame;
mod header;
mod http;
pub mod log;
mod net;
pub mod platform;
pub mod process;
pub mod proxy;
pub mod runtime;
pub mod secret;
pub mod server;
pub mod tls;
pub mod transport;
pub mod url;

/// The targets of `fuzz/`: each is at the end of the parser that it is for.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::client::handshake::fuzz as answer;
    pub use crate::client::refusal::fuzz as refusal;
    pub use crate::connection::fuzz::fuzz as frames;
    #[cfg(feature = "deflate")]
    pub use crate::frame::deflate::{fuzz_deflate as deflate, fuzz_inflate as inflate};
    #[cfg(feature = "deflate")]
    pub use crate::frame::extension::fuzz as extension;
    pub use crate::frame::read::fuzz as header;
    pub use crate::http::fuzz as head;
    pub use crate::proxy::tunnel::fuzz as proxy_answer;
    #[cfg(feature = "server")]
    pub use crate::server::forwarded::fuzz as forwarded;
    #[cfg(feature = "server")]
    pub use crate::server::plain::fuzz as request;
    #[cfg(feature = "server")]
    pub use crate::server::proxy_protocol::fuzz as proxy_protocol;
    pub use crate::tls::identity::fuzz as key;
    pub use crate::tls::presented::fuzz as certificate;
    pub use crate::url::fuzz as url;
}
