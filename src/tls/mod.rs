//! TLS. For clients, one configuration for each distinct set of options, made off the caller's thread and kept.

mod decrypt;
mod der;
pub(crate) mod describe;
mod files;
pub(crate) mod identity;
#[cfg(feature = "keylog")]
mod key_log;
#[cfg(test)]
mod made;
mod pem;
mod pins;
mod roots;
#[cfg(feature = "server")]
mod server;
mod verify;
mod x509;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use rustls_pki_types::ServerName;
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::options::{ClientCert, ConnectOptions, TlsVersion};
use crate::platform;
use crate::runtime::Runtime;
use crate::transport::Tcp;

pub(crate) use describe::late_alert;
pub use files::check_file;
use files::Stamps;
pub use pins::PublicKeyPin;
#[cfg(feature = "server")]
pub(crate) use server::server_config;

/// What is spoken inside TLS (RFC 7301 6).
const ALPN: &[u8] = b"http/1.1";
/// Configurations that are kept; the one that was asked for first goes first.
const KEPT_CONFIGS: usize = 16;

/// What of the options decides a TLS configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    trust: Trust,
    pins: Vec<PublicKeyPin>,
    client_cert: Option<ClientCert>,
    min_version: TlsVersion,
    #[cfg(feature = "keylog")]
    key_log: Option<PathBuf>,
}

/// Who vouches for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust {
    /// The files and directories that the environment names, or else the system's CAs, with or without the user's.
    System {
        named: Vec<PathBuf>,
        with_users: bool,
    },
    CaFile(PathBuf),
    Anybody,
}

impl TlsOptions {
    /// Reads the environment if the system's CAs are wanted.
    pub fn new(options: &ConnectOptions, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        TlsOptions {
            #[cfg(feature = "keylog")]
            key_log: variable("SSLKEYLOGFILE").map(PathBuf::from),
            trust: match &options.ca_path {
                _ if options.skip_server_cert_verification => Trust::Anybody,
                Some(path) => Trust::CaFile(path.clone()),
                None => {
                    let named = roots::named_by_the_environment(variable);
                    Trust::System { named, with_users: false }
                }
            },
            pins: options.pinned_public_keys.clone(),
            client_cert: options.client_cert.clone(),
            min_version: options.min_tls_version,
        }
    }

    /// This side shows no certificate.
    pub fn forget_client_cert(&mut self) {
        self.client_cert = None;
    }

    /// These options with what the platform says now about the user's CAs.
    async fn asked(&self, runtime: &Runtime) -> Self {
        let mut asked = self.clone();
        if let Trust::System { named, with_users } = &mut asked.trust {
            if named.is_empty() && platform::has_hooks() {
                *with_users = runtime.blocking(platform::trusts_user_ca).await.unwrap_or(false);
            }
        }
        asked
    }
}

/// The configurations made so far. Each also remembers TLS sessions, so that a second connection is quicker.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<Vec<Arc<Kept>>>,
}

struct Kept {
    options: TlsOptions,
    /// An async lock: who needs a configuration that is being made waits for it, and for no other.
    made: tokio::sync::Mutex<Option<Made>>,
}

struct Made {
    config: Arc<ClientConfig>,
    /// The files as they were read.
    stamps: Stamps,
}

impl Cache {
    /// The configuration for these options; made anew if a file has changed since.
    pub async fn client_config(&self, runtime: &Runtime, options: &TlsOptions) -> Result<Arc<ClientConfig>> {
        let options = &options.asked(runtime).await;
        let kept = self.kept(options);
        let mut made = kept.made.lock().await;
        if let Some(made) = made.as_ref().filter(|made| made.stamps.are_current()) {
            return Ok(made.config.clone());
        }
        let wanted = options.clone();
        let fresh = runtime
            .reading(move || make(&wanted))
            .await
            .unwrap_or_else(|error| Err(Error::event(Phase::Tls, Code::Tls, format!("{error}."))));
        match fresh {
            Ok(fresh) => Ok(made.insert(fresh).config.clone()),
            Err(error) => {
                // It would only hold a password and the place of one that works.
                self.kept.lock().retain(|other| !Arc::ptr_eq(other, &kept));
                Err(error)
            }
        }
    }

    fn kept(&self, options: &TlsOptions) -> Arc<Kept> {
        let mut all = self.kept.lock();
        if let Some(kept) = all.iter().find(|kept| kept.options == *options) {
            return kept.clone();
        }
        if all.len() >= KEPT_CONFIGS {
            all.remove(0);
        }
        let kept = Arc::new(Kept { options: options.clone(), made: Default::default() });
        all.push(kept.clone());
        kept
    }
}

/// Reads the files, which takes milliseconds, and seconds for an encrypted key.
fn make(options: &TlsOptions) -> Result<Made> {
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
        .with_protocol_versions(versions(options.min_version))
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
    // The one protocol that this side speaks: a server of others says so, instead of answering in another.
    config.alpn_protocols = vec![ALPN.to_vec()];
    #[cfg(feature = "keylog")]
    if let Some(log) = options.key_log.as_deref().and_then(key_log::KeyLogFile::open) {
        config.key_log = log;
    }
    Ok(Made { config: Arc::new(config), stamps })
}

fn versions(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST_FIRST: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    match oldest {
        TlsVersion::Tls12 => &NEWEST_FIRST,
        TlsVersion::Tls13 => NEWEST_FIRST.split_at(1).0,
    }
}

/// Whether a server can have this name in TLS.
pub(crate) fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

/// What a TLS handshake leaves.
pub(crate) struct Secured {
    pub stream: TlsStream<Tcp>,
    /// The handshake went on from an earlier session.
    pub resumed: bool,
    pub version: Option<TlsVersion>,
    /// The cipher suite, as IANA has it.
    pub cipher: String,
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
    let session = stream.get_ref().1;
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
        _ => None,
    };
    let cipher = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    // RFC 8446 B.4.
    let cipher = cipher.unwrap_or_default().replace("TLS13_", "TLS_");
    Ok(Secured { stream, resumed, version, cipher })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::platform::Hooks;

    /// What becomes of a handshake with a server that speaks this.
    #[cfg(feature = "server")]
    fn handshake(made: &made::Made, spoken: &[&str]) -> Result<(), Code> {
        let config = server_config(&made.path("s.pem"), &made.path("s.key"), TlsVersion::Tls12).unwrap();
        let mut config = rustls::ServerConfig::clone(&config);
        config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
        let options = ConnectOptions { skip_server_cert_verification: true, ..ConnectOptions::default() };
        let client = make(&TlsOptions::new(&options, |_| None)).unwrap().config;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let _ = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await;
            });
            let stream = Tcp::new(tokio::net::TcpStream::connect(address).await.unwrap());
            let secured = connect(client, "localhost", "localhost:443", stream).await;
            server.await.unwrap();
            secured.map(drop).map_err(|error| error.detail)
        })
    }

    #[test]
    #[cfg(feature = "server")]
    fn a_server_that_speaks_another_protocol_alone_is_refused() {
        let made = made::Made::new("alpn");
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
    #[cfg(not(feature = "keylog"))]
    fn the_secrets_of_tls_are_not_written() {
        let options = ConnectOptions { skip_server_cert_verification: true, ..ConnectOptions::default() };
        let options = TlsOptions::new(&options, |name| {
            assert_ne!(name, "SSLKEYLOGFILE");
            None
        });
        assert!(!make(&options).unwrap().config.key_log.will_log("CLIENT_RANDOM"));
    }

    #[test]
    fn another_answer_about_the_users_cas_is_noticed() {
        static TRUSTED: AtomicBool = AtomicBool::new(false);
        let hook: platform::Ask = Box::new(|| TRUSTED.load(Ordering::Acquire));
        platform::set(Some(Hooks { trusts_user_ca: Some(hook), ..Hooks::default() }));
        let runtime = crate::runtime::create(Ok).unwrap();
        let options = Arc::new(TlsOptions::new(&ConnectOptions::default(), |_| None));
        let config = |trusted: bool| {
            TRUSTED.store(trusted, Ordering::Release);
            let (runtime, options) = (runtime.clone(), options.clone());
            let (to, made) = channel();
            let lane = runtime.choose_lane().unwrap();
            runtime.clone().spawn(&lane, async move {
                to.send(runtime.tls.client_config(&runtime, &options).await.unwrap()).unwrap();
            });
            made.recv().unwrap()
        };
        let without = config(false);
        let with = config(true);
        assert!(!Arc::ptr_eq(&without, &with));
        assert!(Arc::ptr_eq(&without, &config(false)) && Arc::ptr_eq(&with, &config(true)));
        platform::set(None);
    }
}
