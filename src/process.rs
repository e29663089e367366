//! What a process has once: the runtime and what its clients share, made when first needed, ended by a shutdown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::{Code, Error, Result};
use crate::runtime::{Config, Runtime};
use crate::tls;

/// What the objects of a process share until it is shut down.
struct Shared {
    runtime: Arc<Runtime>,
    tls: Arc<tls::Cache>,
}

struct Process {
    config: Config,
    shared: Option<Shared>,
    shutting_down: bool,
    /// Runtimes that a shutdown could not end.
    left_behind: Vec<Arc<Runtime>>,
}

static PROCESS: Mutex<Process> = Mutex::new(Process {
    config: Config::DEFAULT,
    shared: None,
    shutting_down: false,
    left_behind: Vec::new(),
});

/// Sets how the threads of the next runtime are made.
pub fn configure(config: Config) -> Result<()> {
    config.check()?;
    let mut process = PROCESS.lock();
    if process.shared.is_some() || process.shutting_down {
        return Err(Error::call(Code::Busy, "The library's threads are running already."));
    }
    process.config = config;
    Ok(())
}

/// Makes an object of the process's runtime, which is started if need be. A shutdown comes either before, and
/// is the answer, or after, and finds the object.
pub fn create<T>(make: impl FnOnce(Arc<Runtime>, &Arc<tls::Cache>) -> Result<T>) -> Result<T> {
    let process = &mut *PROCESS.lock();
    if process.shutting_down {
        return Err(Error::code(Code::ShuttingDown));
    }
    let shared = match &mut process.shared {
        Some(shared) => shared,
        none => none.insert(Shared { runtime: Runtime::start(process.config)?, tls: Arc::default() }),
    };
    make(shared.runtime.clone(), &shared.tls)
}

/// Ends the process's runtime. `release_all` releases every object of it.
pub fn shutdown(timeout: Duration, release_all: impl FnOnce()) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let (shared, mut left_behind) = {
        let mut process = PROCESS.lock();
        if process.shutting_down {
            return Err(Error::call(Code::Busy, "Another thread is shutting the library down."));
        }
        process.shutting_down = true;
        (process.shared.take(), std::mem::take(&mut process.left_behind))
    };
    release_all();
    if let Some(Shared { runtime, .. }) = shared {
        runtime.end(deadline);
        left_behind.push(runtime);
    }
    left_behind.retain(|runtime| !runtime.wait(deadline));
    let busy = left_behind.first().map(|runtime| runtime.still_busy());
    let mut process = PROCESS.lock();
    process.shutting_down = false;
    process.left_behind = left_behind;
    match busy {
        Some(what) => Err(Error::call(Code::Busy, what)),
        None => Ok(()),
    }
}
