//! TLS. For clients, one configuration for each distinct set of options, made off the caller's thread and kept.

mod decrypt;
mod describe;
mod files;
mod identity;
mod pem;
#[cfg(feature = "server")]
mod server;
mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

use crate::connection::Tcp;
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::options::{ConnectOptions, TlsVersion};

pub use files::check_file;
use files::Stamp;
#[cfg(feature = "server")]
pub(crate) use server::server_config;

/// Configurations that are kept; the one that was made first goes first.
const KEPT_CONFIGS: usize = 16;

/// What of the options decides a TLS configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    ca_path: Option<PathBuf>,
    skip_verification: bool,
    min_version: TlsVersion,
}

impl From<&ConnectOptions> for TlsOptions {
    fn from(options: &ConnectOptions) -> Self {
        TlsOptions {
            // Without verification no CA matters.
            ca_path: options.ca_path.clone().filter(|_| !options.skip_server_cert_verification),
            skip_verification: options.skip_server_cert_verification,
            min_version: options.min_tls_version,
        }
    }
}

/// The configurations made so far. Each also remembers TLS sessions, so that a second connection is quicker.
#[derive(Default)]
pub(crate) struct Cache {
    /// An async lock: who needs a configuration that is being made waits for it.
    configs: tokio::sync::Mutex<Vec<Kept>>,
}

struct Kept {
    options: TlsOptions,
    /// The files as they were read.
    stamp: Option<Stamp>,
    config: Arc<ClientConfig>,
}

impl Cache {
    /// The configuration for these options; made anew if a file has changed since.
    pub async fn client_config(&self, options: &TlsOptions) -> Result<Arc<ClientConfig>> {
        let stamp = options.ca_path.as_deref().and_then(|path| Stamp::of(path).ok());
        let mut configs = self.configs.lock().await;
        if let Some(kept) = configs.iter().find(|kept| kept.options == *options && kept.stamp == stamp) {
            return Ok(kept.config.clone());
        }
        let wanted = options.clone();
        let config = tokio::task::spawn_blocking(move || make_config(&wanted))
            .await
            .map_err(|error| Error::event(Phase::Tls, Code::Tls, format!("{error}.")))??;
        configs.retain(|kept| kept.options != *options);
        if configs.len() >= KEPT_CONFIGS {
            configs.remove(0);
        }
        let config = Arc::new(config);
        configs.push(Kept { options: options.clone(), stamp, config: config.clone() });
        Ok(config)
    }
}

fn make_config(options: &TlsOptions) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |what: String| Error::event(Phase::Tls, Code::Tls, what);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions(options.min_version))
        .map_err(|error| unusable(format!("{error}.")))?;
    let verifier: Arc<dyn rustls::client::danger::ServerCertVerifier> = match options.skip_verification {
        true => Arc::new(verify::AcceptAny::new(&provider)),
        false => {
            let own = match &options.ca_path {
                Some(path) => files::ca_certificates(path)?,
                None => Vec::new(),
            };
            let roots = match &options.ca_path {
                Some(_) => store_of(own.iter().cloned()),
                None => system_store()?,
            };
            Arc::new(verify::Verifier::new(roots, own, provider)?)
        }
    };
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(64);
    Ok(config)
}

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST_FIRST: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    match oldest {
        TlsVersion::Tls12 => &NEWEST_FIRST,
        TlsVersion::Tls13 => NEWEST_FIRST.split_at(1).0,
    }
}

fn system_store() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let store = store_of(found.certs);
    if store.is_empty() {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let message = match causes.is_empty() {
            true => "the system has no CA certificates; name a file of them in ca_path.".to_owned(),
            false => format!("the system's CA certificates can't be read: {}.", causes.join("; ")),
        };
        return Err(Error::event(Phase::Tls, Code::CaFile, message));
    }
    Ok(store)
}

fn store_of(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(certificates);
    log(Level::Debug, || format!("CA certificates: {added} usable, {ignored} not."));
    store
}

/// The TLS handshake.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    peer: &str,
    stream: Tcp,
) -> Result<TlsStream<Tcp>> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let message = format!("{host} can't be the name of a TLS server.");
        Error::event(Phase::Tls, Code::CertName, message)
    })?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| describe::handshake_error(peer, &error))
}
