//! Which thread is inside a callback, and how long the library itself has worked there.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
    static OWN: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// While this lives, the thread counts as being inside a callback.
#[derive(Debug)]
pub struct InCallback(());

/// Marks the thread as being inside a callback. The library's own threads are so all their life, since what
/// calls the library there is a callback; other threads while they run a `free_fn` or write a log line.
pub fn enter_callback() -> InCallback {
    let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() + 1));
    InCallback(())
}

impl Drop for InCallback {
    fn drop(&mut self) {
        let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() - 1));
    }
}

/// Whether this thread is inside a callback, where nothing may wait.
pub fn in_callback() -> bool {
    CALLBACKS.try_with(|depth| depth.get() > 0).unwrap_or(true)
}

/// Runs work of the library that may take long inside a callback, and is not the callback's fault.
pub(crate) fn own_work<T>(work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let result = work();
    let _ = OWN.try_with(|own| own.set(own.get() + since.elapsed()));
    result
}

/// How long [`own_work`] took on this thread since this was asked last.
pub(crate) fn take_own_work() -> Duration {
    OWN.try_with(Cell::take).unwrap_or_default()
}
