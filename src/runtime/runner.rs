//! A thread that runs callbacks, as the watchdog sees it: what it does, how far it is, and what it holds back.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::callback::Occasion;

/// What is held back by more connections than this is timed.
const TIMED_TOGETHER: usize = 16;
/// A thread that takes longer to do what it has held back loses the lead, so that others go on.
const LONG_FLUSH: Duration = Duration::from_millis(5);

/// What a batch of callbacks holds back, to do it once when a turn is over.
pub(crate) trait HeldBack: Send + Sync {
    /// Does it on this thread.
    fn flush(self: Arc<Self>);
    /// Has it done elsewhere: the thread that held it back is stuck.
    fn flush_elsewhere(self: Arc<Self>);
}

/// A thread that runs callbacks.
#[derive(Default)]
pub(crate) struct Runner {
    /// Advances with every few callbacks. Only the thread itself writes it.
    progress: AtomicU64,
    /// The [`Occasion`] of the callbacks that run, or 0. Only the thread itself writes it.
    occasion: AtomicU8,
    /// A batch runs.
    runs: AtomicBool,
    /// The batch that runs has the lead of its lane.
    leads: AtomicBool,
    /// For how many nanoseconds the library itself has worked inside callbacks. Only the thread itself uses it.
    own: AtomicU64,
    /// Something may be held back. Only the thread itself uses it, to spare the lock.
    holds: AtomicBool,
    held: Mutex<Vec<Arc<dyn HeldBack>>>,
    /// The thread is stuck, and holds nothing more back until its batch is over. Set with the lock of the list.
    is_released: AtomicBool,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Runner>>> = const { RefCell::new(None) };
}

/// Holds something back until the turn that runs on this thread is over. `false`: no turn runs here, or this thread is stuck.
pub(crate) fn hold_back<T: HeldBack + 'static>(held: &Arc<T>) -> bool {
    let hold = |runner: &Arc<Runner>| {
        if !runner.runs.load(Ordering::Relaxed) {
            return false;
        }
        let mut list = runner.held.lock();
        if runner.is_released.load(Ordering::Relaxed) {
            return false;
        }
        list.push(held.clone());
        runner.holds.store(true, Ordering::Relaxed);
        true
    };
    CURRENT.try_with(|current| current.borrow().as_ref().is_some_and(hold)).unwrap_or(false)
}

/// Whether this thread runs a batch that has the lead.
pub(crate) fn leads_here() -> bool {
    CURRENT
        .try_with(|current| current.borrow().as_ref().is_some_and(|runner| runner.leads()))
        .unwrap_or(false)
}

/// Runs work of the library that may take long inside a callback, and is not the callback's fault.
pub(crate) fn own_work<T>(work: impl FnOnce() -> T) -> T {
    let runner = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
    let Some(runner) = runner else { return work() };
    let occasion = runner.occasion.load(Ordering::Relaxed);
    runner.calls_nothing();
    let since = Instant::now();
    let result = work();
    // Work inside such work has been counted.
    if occasion != 0 {
        let worked = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        runner.own.store(runner.own.load(Ordering::Relaxed).saturating_add(worked), Ordering::Relaxed);
    }
    runner.occasion.store(occasion, Ordering::Relaxed);
    result
}

impl Runner {
    /// The runner of a thread that begins its life.
    pub(super) fn of_this_thread() -> Arc<Runner> {
        // Apart from those of every other thread, for the watchdog compares nothing else.
        static THREADS: AtomicU64 = AtomicU64::new(1);
        let first = THREADS.fetch_add(1, Ordering::Relaxed) << 40;
        let runner = Arc::new(Runner { progress: AtomicU64::new(first), ..Runner::default() });
        let _ = CURRENT.try_with(|current| *current.borrow_mut() = Some(runner.clone()));
        runner
    }

    /// Tells the watchdog that callbacks return.
    #[inline]
    pub(crate) fn advance(&self) {
        self.progress.store(self.progress.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The callbacks that follow are called for this.
    #[inline]
    pub(crate) fn calls(&self, occasion: Occasion) {
        self.occasion.store(occasion as u8, Ordering::Relaxed);
    }

    /// No callback runs.
    pub(crate) fn calls_nothing(&self) {
        self.occasion.store(0, Ordering::Relaxed);
    }

    /// What the callbacks that run are called for. `None` while none runs, and while the library does its own work in
    /// one.
    pub(crate) fn occasion(&self) -> Option<Occasion> {
        Occasion::from_number(self.occasion.load(Ordering::Relaxed))
    }

    /// How long [`own_work`] took on this thread since this was asked last.
    pub(crate) fn take_own_work(&self) -> Duration {
        let own = self.own.load(Ordering::Relaxed);
        self.own.store(0, Ordering::Relaxed);
        Duration::from_nanos(own)
    }

    /// Whether a batch runs.
    pub(super) fn runs(&self) -> bool {
        self.runs.load(Ordering::Acquire)
    }

    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Whether the batch that runs has the lead: it may read sockets.
    #[inline]
    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    pub(crate) fn begin(&self, leads: bool) {
        self.leads.store(leads, Ordering::Release);
        self.runs.store(true, Ordering::Release);
        self.advance();
        // The batch that was stuck is over.
        if self.is_released.load(Ordering::Acquire) {
            let _held = self.held.lock();
            self.is_released.store(false, Ordering::Relaxed);
        }
    }

    /// The lead has gone to another thread.
    pub(crate) fn lose_lead(&self) {
        self.leads.store(false, Ordering::Release);
    }

    /// Does what this thread's callbacks have held back.
    pub(crate) fn flush(&self) {
        if !self.holds.load(Ordering::Relaxed) {
            return;
        }
        self.holds.store(false, Ordering::Relaxed);
        let mut held = self.held.lock();
        if held.len() <= 1 {
            let only = held.pop();
            drop(held);
            only.into_iter().for_each(|held| held.flush());
            return self.advance();
        }
        let mut list = std::mem::take(&mut *held);
        drop(held);
        let mut since = None;
        for (number, held) in list.drain(..).enumerate() {
            held.flush();
            // Thousands, after a broadcast, take longer than a callback may.
            if number % TIMED_TOGETHER == TIMED_TOGETHER - 1
                && since.get_or_insert_with(Instant::now).elapsed() < LONG_FLUSH
            {
                self.advance();
            }
        }
        self.advance();
        // Keeps the list's memory.
        let mut held = self.held.lock();
        if held.is_empty() {
            *held = list;
        }
    }

    /// The batch is over.
    pub(super) fn end(&self) {
        self.leads.store(false, Ordering::Release);
        self.runs.store(false, Ordering::Release);
        self.flush();
    }

    /// The thread is stuck in a callback: what it held back is done elsewhere, and it holds nothing back until
    /// its batch is over.
    pub(super) fn release(&self) {
        let list = {
            let mut held = self.held.lock();
            self.is_released.store(true, Ordering::Release);
            std::mem::take(&mut *held)
        };
        list.into_iter().for_each(|held| held.flush_elsewhere());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes how far its runner is when it is flushed.
    struct Held {
        runner: Arc<Runner>,
        seen: Mutex<Vec<u64>>,
    }

    impl HeldBack for Held {
        fn flush(self: Arc<Self>) {
            self.seen.lock().push(self.runner.progress());
        }

        fn flush_elsewhere(self: Arc<Self>) {}
    }

    #[test]
    fn while_much_is_flushed_the_watchdog_sees_progress() {
        std::thread::spawn(|| {
            let runner = Runner::of_this_thread();
            let held = Arc::new(Held { runner: runner.clone(), seen: Mutex::default() });
            runner.begin(true);
            (0..2 * TIMED_TOGETHER).for_each(|_| assert!(hold_back(&held)));
            runner.flush();
            let seen = held.seen.lock();
            assert_eq!(seen.len(), 2 * TIMED_TOGETHER);
            assert!(seen.first() < seen.last());
        })
        .join()
        .unwrap();
    }
}
