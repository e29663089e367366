//! A server's certificates: several, and replaced while it runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_rustls::TlsAcceptor;

use super::options::{CertificateFiles, ServerOptions};
use super::places::Underway;
use crate::error::{Code, Error, Result};
use crate::log::{log, Level};
use crate::runtime::Runtime;
use crate::tls::{self, Stamps, TlsVersion};

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The certificates that a listening socket shows, and the CAs of those that clients must show.
pub(super) struct Certificates {
    client_ca: Option<PathBuf>,
    oldest: TlsVersion,
    state: Mutex<State>,
    /// Held while the files are read, so that no change of the list is lost.
    replacing: Mutex<()>,
}

struct State {
    files: Vec<CertificateFiles>,
    acceptor: TlsAcceptor,
    /// The files as they were when they were last read, whether they could be used or not.
    stamps: Stamps,
    looked: Instant,
    is_looking: bool,
}

impl Certificates {
    /// Reads the files; `None` without any.
    pub fn read(options: &ServerOptions, added: &[CertificateFiles]) -> Result<Option<Arc<Certificates>>> {
        let files: Vec<_> = options.certificate.iter().chain(added).cloned().collect();
        for file in files.iter().flat_map(|files| [&files.chain, &files.key]).chain(&options.client_ca) {
            tls::check_file(file)?;
        }
        if files.is_empty() {
            return match options.client_ca {
                None => Ok(None),
                Some(_) => {
                    Err(Error::call(Code::Parameter, "With client_ca_path, the server needs a certificate."))
                }
            };
        }
        let (client_ca, oldest) = (options.client_ca.clone(), options.min_tls_version);
        let (acceptor, stamps) = make(&files, client_ca.as_ref(), oldest)?;
        let state = State { files, acceptor, stamps, looked: Instant::now(), is_looking: false };
        Ok(Some(Arc::new(Certificates {
            client_ca,
            oldest,
            state: Mutex::new(state),
            replacing: Mutex::default(),
        })))
    }

    /// Whether these can be used.
    pub fn check(files: &CertificateFiles) -> Result<()> {
        tls::check_file(&files.chain)?;
        tls::check_file(&files.key)?;
        make(std::slice::from_ref(files), None, TlsVersion::Tls12).map(drop)
    }

    /// Shows one more.
    pub fn add(&self, files: &CertificateFiles) -> Result<()> {
        self.replace(|all| {
            if !all.contains(files) {
                all.push(files.clone());
            }
        })
    }

    /// Reads the files again. If one can't be used, the old ones stay.
    pub fn reload(&self) -> Result<()> {
        self.replace(|_| ())
    }

    fn replace(&self, change: impl FnOnce(&mut Vec<CertificateFiles>)) -> Result<()> {
        let _replacing = self.replacing.lock();
        let mut files = self.state.lock().files.clone();
        change(&mut files);
        let (acceptor, stamps) = make(&files, self.client_ca.as_ref(), self.oldest)?;
        let mut state = self.state.lock();
        (state.files, state.acceptor, state.stamps) = (files, acceptor, stamps);
        Ok(())
    }

    /// What the next handshake is made with. Now and then it waits until the files have been looked at.
    pub async fn acceptor(self: &Arc<Self>, runtime: &Runtime, underway: &Underway) -> TlsAcceptor {
        let is_due = {
            let mut state = self.state.lock();
            let is_due = !state.is_looking && state.looked.elapsed() >= LOOK;
            state.is_looking |= is_due;
            is_due
        };
        if is_due {
            let looking = Looking(self.clone());
            // Without a thread, they are looked at another time.
            let _ = underway.excused(runtime.blocking().read_files(move || looking.0.look())).await;
        }
        self.state.lock().acceptor.clone()
    }

    fn look(&self) {
        // Without the lock, which handshakes take: a file system may be slow.
        let read = self.state.lock().stamps.clone();
        if read.are_current() {
            return;
        }
        match self.reload() {
            Ok(()) => {
                log(Level::Info, || "The server's certificate files have changed and were read again.".into())
            }
            Err(error) => {
                log(Level::Warn, || {
                    format!(
                        "The server's certificate files have changed, but the old ones stay in use: {error}"
                    )
                });
                let files = self.state.lock().files.clone();
                let stamps = stamps(&files, self.client_ca.as_ref());
                self.state.lock().stamps = stamps;
            }
        }
    }
}

/// Ends the look, whatever becomes of it.
struct Looking(Arc<Certificates>);

impl Drop for Looking {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        (state.looked, state.is_looking) = (Instant::now(), false);
    }
}

fn stamps(files: &[CertificateFiles], client_ca: Option<&PathBuf>) -> Stamps {
    let files = files.iter().flat_map(|files| [&files.chain, &files.key]);
    Stamps::of(files.chain(client_ca).cloned())
}

fn make(
    files: &[CertificateFiles],
    client_ca: Option<&PathBuf>,
    oldest: TlsVersion,
) -> Result<(TlsAcceptor, Stamps)> {
    // Before they are read, so that a change meanwhile is noticed.
    let stamps = stamps(files, client_ca);
    let identities: Vec<_> = files.iter().map(|files| (files.chain.clone(), files.key.clone())).collect();
    Ok((tls::server_config(&identities, client_ca.map(PathBuf::as_path), oldest)?.into(), stamps))
}
