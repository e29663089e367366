//! TLS for clients: a configuration made from its options, and the handshake.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

use super::files::{self, Stamps};
use super::options::{ClientCert, TlsOptions, Trust};
use super::{describe, identity, pins, roots, verify};
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::transport::Tcp;

/// A configuration, and the files that it was made from.
pub(crate) struct Made {
    pub config: Arc<ClientConfig>,
    /// The files as they were read.
    pub stamps: Stamps,
}

/// Reads the files, which takes milliseconds, and seconds for an encrypted key.
pub(super) fn make(options: &TlsOptions) -> Result<Made> {
    log(Level::Debug, || "A TLS configuration is made anew.".into());
    let cas = match &options.trust {
        Trust::System { named, with_users } if named.is_empty() => roots::system_sources(*with_users),
        Trust::System { named, .. } => named.clone(),
        Trust::CaFile(path) => vec![path.clone()],
        Trust::Anybody => Vec::new(),
    };
    let own = options.client_cert.iter().flat_map(|cert| [cert.cert_path.clone(), cert.key_path.clone()]);
    let stamps = Stamps::of(cas.iter().cloned().chain(own));

    let provider = Arc::new(ring::default_provider());
    let unusable = |what: String| Error::event(Phase::Tls, Code::Tls, what);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(options.min_version.and_newer())
        .map_err(|error| unusable(format!("{error}.")))?;
    let mut verifier: Arc<dyn ServerCertVerifier> = match &options.trust {
        Trust::Anybody => Arc::new(verify::AcceptAny::new(&provider)),
        Trust::CaFile(path) => {
            let named = files::ca_certificates(path)?;
            Arc::new(verify::Verifier::new(&named, provider.clone()).and_own(named))
        }
        Trust::System { .. } => {
            let mut all = roots::read(&cas)?;
            let verifier = verify::Verifier::new(&all, provider.clone());
            // What the system holds beside its CAs.
            all.retain(|certificate| !verify::may_issue(certificate));
            Arc::new(verifier.and_own(all))
        }
    };
    if !options.pins.is_empty() {
        verifier = Arc::new(pins::Pinned { inner: verifier, pins: options.pins.clone(), provider });
    }
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &options.client_cert {
        None => builder.with_no_client_auth(),
        Some(ClientCert { cert_path, key_path, key_password }) => {
            let identity = identity::load(cert_path, key_path, key_password.as_ref())?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
    };
    config.resumption = Resumption::in_memory_sessions(64);
    Ok(Made { config: Arc::new(config), stamps })
}

/// What a TLS handshake leaves.
pub(crate) struct Secured {
    pub stream: TlsStream<Tcp>,
    /// The handshake went on from an earlier session.
    pub resumed: bool,
}

/// The TLS handshake.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    peer: &str,
    stream: Tcp,
) -> Result<Secured> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let message = format!("{host} can't be the name of a TLS server.");
        Error::event(Phase::Tls, Code::CertName, message)
    })?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| describe::handshake_error(peer, &error))?;
    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    Ok(Secured { stream, resumed })
}
