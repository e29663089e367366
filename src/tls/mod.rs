//! TLS: the CAs that this side trusts, its own certificate, the configurations for both, and the handshake.

mod cache;
mod client;
#[cfg(feature = "server")]
mod clients;
mod decrypt;
mod der;
mod describe;
mod files;
pub(crate) mod identity;
#[cfg(feature = "keylog")]
mod key_log;
#[cfg(test)]
mod made;
mod options;
mod pem;
mod pins;
pub(crate) mod presented;
mod roots;
mod secured;
#[cfg(feature = "server")]
mod server;
mod signature;
mod verify;
mod x509;

pub use cache::Cache;
pub(crate) use client::{connect, is_server_name, Failed};
#[cfg(feature = "server")]
pub use clients::ClientCertificate;
pub(crate) use describe::late_alert;
pub use files::check_file;
#[cfg(feature = "server")]
pub(crate) use files::Stamps;
pub use options::{ClientCert, TlsVersion};
pub(crate) use options::{TlsOptions, Trust};
pub use pins::PublicKeyPin;
pub use presented::ServerCertificate;
pub use secured::Secured;
#[cfg(feature = "server")]
pub(crate) use server::server_config;
