//! TLS for servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::ServerConfig;
use rustls_pki_types::ServerName;

use super::clients::ClientVerifier;
use super::identity;
use super::options::TlsVersion;
use crate::error::{Code, Error, Result};

/// A server's configuration from its PEM files: its chains with their keys, the first for names that no other is for; and the CAs
/// of its clients, if they must have certificates.
pub(crate) fn server_config(
    identities: &[(PathBuf, PathBuf)],
    client_ca: Option<&Path>,
    oldest: TlsVersion,
) -> Result<Arc<ServerConfig>> {
    let unusable = |error: Error| Error {
        message: format!("TLS can't be set up: {error}"),
        ..Error { code: Code::CertUnusable, ..error }
    };
    let load = |(chain, key): &(PathBuf, PathBuf)| identity::load(chain, key, None).map_err(unusable);
    let identities: Vec<Arc<CertifiedKey>> = identities.iter().map(load).collect::<Result<_>>()?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(oldest.and_newer())
        .map_err(|error| Error::call(Code::Internal, format!("{error}.")))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = ClientVerifier::read(path, provider).map_err(unusable)?;
            builder.with_client_cert_verifier(Arc::new(verifier))
        }
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(ByName(identities)))))
}

/// Shows each client the certificate for the name that it asked for (RFC 6066 3).
#[derive(Debug)]
struct ByName(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let default = self.0.first();
        if self.0.len() < 2 {
            return default.cloned();
        }
        let name = hello.server_name().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let is_for_it = |identity: &&Arc<CertifiedKey>| {
            let leaf = identity.cert.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
            leaf.zip(name.as_ref()).is_some_and(|(leaf, name)| verify_server_name(&leaf, name).is_ok())
        };
        let is_understood =
            |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(hello.signature_schemes()).is_some();
        // There may be one for each kind of key.
        let named: Vec<_> = self.0.iter().filter(is_for_it).collect();
        let understood = named.iter().copied().find(is_understood);
        understood.or_else(|| named.first().copied()).or(default).cloned()
    }
}
