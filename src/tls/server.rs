//! TLS for servers.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::ServerConfig;

use super::identity;
use super::options::TlsVersion;
use crate::error::{Code, Error, Result};

/// A server's configuration from its PEM files.
pub(crate) fn server_config(chain: &Path, key: &Path, oldest: TlsVersion) -> Result<Arc<ServerConfig>> {
    let unusable = |error: Error| Error {
        message: format!("TLS can't be set up: {error}"),
        ..Error { code: Code::CertUnusable, ..error }
    };
    let key: Arc<CertifiedKey> = identity::load(chain, key, None).map_err(unusable)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(oldest.and_newer())
        .map_err(|error| Error::call(Code::Internal, format!("{error}.")))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    Ok(Arc::new(config))
}
