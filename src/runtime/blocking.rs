//! What may block: name lookups, questions to the platform, and reading files. Each runs on a thread of its own.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::Runtime;

/// Name lookups, and questions to the platform, that may run at once; they can't be cancelled.
const LOOKUPS: usize = 4;
/// Threads for lookups and, beside them, for reading certificates.
pub(super) const BLOCKING_THREADS: usize = LOOKUPS + 2;

/// The lookups, questions to the platform and readings of files that run.
pub(super) struct Lookups {
    places: Arc<tokio::sync::Semaphore>,
    running: Mutex<usize>,
    ended: Condvar,
}

/// One of them, with its place if it needs one.
struct Lookup {
    lookups: Arc<Lookups>,
    _place: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Default for Lookups {
    fn default() -> Self {
        let places = Arc::new(tokio::sync::Semaphore::new(LOOKUPS));
        Lookups { places, running: Mutex::default(), ended: Condvar::new() }
    }
}

impl Lookups {
    pub(super) fn count(&self) -> usize {
        *self.running.lock()
    }

    fn begin(lookups: &Arc<Lookups>, place: Option<tokio::sync::OwnedSemaphorePermit>) -> Lookup {
        *lookups.running.lock() += 1;
        Lookup { lookups: lookups.clone(), _place: place }
    }

    /// Waits for their end; whether all have.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let mut running = self.running.lock();
        while *running > 0 {
            if self.ended.wait_until(&mut running, deadline).timed_out() {
                break;
            }
        }
        *running == 0
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        *self.lookups.running.lock() -= 1;
        self.lookups.ended.notify_all();
    }
}

/// Whether this thread can drive a runtime: not once its thread-locals are gone.
pub fn can_be_driven_here() -> bool {
    !matches!(tokio::runtime::Handle::try_current(), Err(error) if error.is_thread_local_destroyed())
}

impl Runtime {
    /// The addresses of a host.
    pub(crate) async fn look_up(&self, host: &str, port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        let host = host.to_owned();
        self.blocking(move || {
            std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port)).map(Vec::from_iter)
        })
        .await?
    }

    /// Does what may block for long and can't be cancelled, a name lookup or a question to the platform, on a
    /// thread for that. More than [`LOOKUPS`] wait here, so that they hold no thread that others need.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let place = self.lookups.places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
        self.on_a_thread(Some(place), work).await
    }

    /// Reads files on a thread that may block, beside the lookups.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        self.on_a_thread(None, work).await
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        place: Option<tokio::sync::OwnedSemaphorePermit>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        // Kept by the thread: who waits for it may give up.
        let running = Lookups::begin(&self.lookups, place);
        let working = tokio::task::spawn_blocking(move || {
            let _running = running;
            work()
        });
        working.await.map_err(std::io::Error::other)
    }
}
