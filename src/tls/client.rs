//! TLS for clients: a configuration made from its options, and the handshake.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

use super::files::{self, Stamps};
use super::options::{ClientCert, TlsOptions, Trust};
use super::secured::Secured;
use super::x509::Certificate;
use super::{describe, identity, pins, roots, verify};
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::transport::Tcp;

/// What is spoken inside TLS (RFC 7301 6).
const ALPN: &[u8] = b"http/1.1";

/// A configuration, and the files that it was made from.
pub(crate) struct Made {
    pub config: Arc<ClientConfig>,
    /// The files as they were read.
    stamps: Stamps,
}

impl Made {
    /// The configuration, unless a file has changed since.
    pub fn current(&self) -> Option<Arc<ClientConfig>> {
        self.stamps.are_current().then(|| self.config.clone())
    }
}

/// Reads the files, which takes milliseconds, and seconds for an encrypted key.
pub(super) fn make(options: &TlsOptions) -> Result<Made> {
    log(Level::Debug, || "A TLS configuration is made.".into());
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
        trust => {
            let (mut verifier, mut count) = (verify::Verifier::new(provider.clone()), 0);
            let is_named = matches!(trust, Trust::CaFile(_));
            let mut add = |der: &[u8], certificate: &Certificate<'_>| {
                verifier.trust(der, certificate, is_named);
                count += 1;
            };
            match trust {
                Trust::CaFile(path) => files::ca_certificates(path, add)?,
                _ => {
                    for der in roots::read(&cas)? {
                        Certificate::parse(&der).into_iter().for_each(|read| add(&der, &read));
                    }
                }
            }
            log(Level::Debug, || {
                format!("{} of {count} trusted certificates are those of CAs.", verifier.cas())
            });
            Arc::new(verifier)
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
    // The one protocol that this side speaks: a server of others says so, instead of answering in another.
    config.alpn_protocols = vec![ALPN.to_vec()];
    #[cfg(feature = "keylog")]
    if let Some(log) = options.key_log.as_deref().and_then(super::key_log::KeyLogFile::open) {
        config.key_log = log;
    }
    Ok(Made { config: Arc::new(config), stamps })
}

/// Whether a server can have this name in TLS.
pub(crate) fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

/// A TLS handshake that failed.
pub(crate) struct Failed {
    pub error: Error,
    /// What the server had presented, if that was why.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed { error, certificates: Vec::new() }
    }
}

/// The TLS handshake.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    peer: &str,
    stream: Tcp,
) -> Result<(TlsStream<Tcp>, Secured), Failed> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let message = format!("{host} can't be the name of a TLS server.");
        Error::event(Phase::Tls, Code::CertName, message)
    })?;
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| Failed {
        certificates: describe::presented(&error),
        error: describe::handshake_error(peer, &error),
    })?;
    let secured = Secured::of(stream.get_ref().1);
    Ok((stream, secured))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use futures_util::future::join;

    use super::super::made::Made;
    use super::super::options::TlsVersion;
    use super::*;
    use crate::net::TcpStream;
    use crate::runtime::run;

    fn anybody() -> TlsOptions {
        TlsOptions {
            trust: Trust::Anybody,
            pins: Vec::new(),
            client_cert: None,
            min_version: TlsVersion::Tls12,
            #[cfg(feature = "keylog")]
            key_log: None,
        }
    }

    /// What becomes of a handshake with a server that speaks this.
    fn handshake(made: &Made, spoken: &[&str]) -> Result<(), Code> {
        let key = identity::load(&made.path("s.pem"), &made.path("s.key"), None).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
        let client = make(&anybody()).unwrap().config;
        run(async {
            let (near, far) = UnixStream::pair().unwrap();
            let [near, far] = [near, far].map(|end| {
                end.set_nonblocking(true).unwrap();
                Tcp::new(TcpStream::new(end).unwrap())
            });
            let server = async {
                let _ = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(far).await;
            };
            let (secured, ()) = join(connect(client, "localhost", "localhost:443", near), server).await;
            secured.map(drop).map_err(|failed| failed.error.detail)
        })
    }

    #[test]
    fn a_key_that_tls_1_2_has_no_use_for_here_is_told() {
        let misbehaved = rustls::PeerMisbehaved::SignedKxWithWrongAlgorithm;
        let error = std::io::Error::other(rustls::Error::PeerMisbehaved(misbehaved));
        let told = describe::handshake_error("host:443", &error);
        assert!(told.message.ends_with("that can't be used with TLS 1.2 here."), "{told}");
    }

    #[test]
    fn a_server_that_speaks_another_protocol_alone_is_refused() {
        let made = Made::new("alpn");
        made.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -subj /CN=s -out s.pem",
        );
        for (spoken, expected) in
            [(&[][..], Ok(())), (&["h2", "http/1.1"][..], Ok(())), (&["h2"][..], Err(Code::Alpn))]
        {
            assert_eq!(handshake(&made, spoken), expected, "{spoken:?}");
        }
        let chosen = rustls::PeerMisbehaved::SelectedUnofferedApplicationProtocol;
        let error = std::io::Error::other(rustls::Error::PeerMisbehaved(chosen));
        assert_eq!(describe::handshake_error("host:443", &error).detail, Code::Alpn);
    }

    #[test]
    fn the_secrets_of_tls_are_not_written_unasked() {
        assert!(!make(&anybody()).unwrap().config.key_log.will_log("CLIENT_RANDOM"));
    }
}
