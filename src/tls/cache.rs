//! The clients' TLS configurations: one for each distinct set of options, made when it is first needed, and kept.

use std::future::Future;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ClientConfig;

use super::client::{make, Made};
use super::options::TlsOptions;
use crate::error::{Code, Error, Phase, Result};

/// Configurations that are kept; the one that was asked for first goes first.
const KEPT_CONFIGS: usize = 16;

/// Makes a configuration, on a thread that may read files.
pub(crate) type Make = Box<dyn FnOnce() -> Result<Made> + Send>;

/// The configurations made so far. Each also remembers TLS sessions, so that a second connection is quicker.
#[derive(Default)]
pub struct Cache {
    kept: Mutex<Vec<Arc<Kept>>>,
}

struct Kept {
    options: TlsOptions,
    /// An async lock: an attempt that needs a configuration that is being made waits for it, and for no other.
    made: tokio::sync::Mutex<Option<Made>>,
}

impl Cache {
    /// The configuration for these options, if there is one and no file has changed since.
    pub(crate) fn current(&self, options: &TlsOptions) -> Option<Arc<ClientConfig>> {
        let kept = self.kept.lock().iter().find(|kept| kept.options == *options)?.clone();
        let made = kept.made.try_lock().ok()?;
        made.as_ref().and_then(Made::current)
    }

    /// The configuration for these options; made anew if a file has changed since. `read_files` has the work done
    /// on a thread that may block.
    pub(crate) async fn client_config<F>(
        &self,
        options: &TlsOptions,
        read_files: impl FnOnce(Make) -> F,
    ) -> Result<Arc<ClientConfig>>
    where
        F: Future<Output = io::Result<Result<Made>>>,
    {
        let kept = self.kept(options);
        let mut made = kept.made.lock().await;
        if let Some(config) = made.as_ref().and_then(Made::current) {
            return Ok(config);
        }
        let wanted = options.clone();
        let fresh = read_files(Box::new(move || make(&wanted)))
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
