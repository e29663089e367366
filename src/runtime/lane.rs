//! A lane: one I/O loop, the handles that live on it, and the thread that leads it.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::buffers::Buffers;
use super::runner::Runner;
use super::service::{Served, Service};
use super::tasks::{Driver, Runnable, Task};
use crate::net::{within_budget, without_budget, Io, BUDGET};

/// The most turns that tasks have at a time.
const TURNS_TOGETHER: usize = 64;

/// The callbacks of one handle, which run in order and never two at once.
pub(crate) trait Strand: Send + Sync {
    /// Runs some of the callbacks that wait. Returns itself if more wait.
    fn run_batch(self: Arc<Self>, runner: &Runner) -> Option<Arc<dyn Strand>>;
    /// Whether its callbacks have been short so far.
    fn is_trusted(&self) -> bool;
    /// The batch that runs has lost the lead: the service takes over its connections, and writes what callbacks have sent.
    fn lost_lead(&self);
    /// No thread can be had for its batch: the service reads what waits for a turn.
    fn waits_for_thread(&self);
}

/// One I/O loop and what lives on it.
pub(crate) struct Lane {
    /// Its sockets.
    pub(super) io: Arc<Io>,
    ready: Mutex<Ready>,
    /// The leader waits for the I/O, and nothing has woken it yet. Set to `true` with the lock.
    waits: AtomicBool,
    pub(super) leading: Mutex<Leading>,
    closing: AtomicBool,
    /// What goes on without listeners.
    pub service: Service,
    /// Memory that connections borrow.
    pub buffers: Buffers,
}

/// Handles that have events, and tasks that wait for a turn.
#[derive(Default)]
struct Ready {
    strands: VecDeque<Arc<dyn Strand>>,
    /// How many of them may still run before a look at the I/O.
    round: usize,
    tasks: VecDeque<Arc<dyn Runnable>>,
    /// How often they may still use sockets before a look at the I/O.
    budget: u32,
}

/// Who leads, and what it runs.
#[derive(Default)]
pub(super) struct Leading {
    pub leader: Option<Arc<Runner>>,
    pub running: Option<Arc<dyn Strand>>,
    /// How far the watchdog saw it last.
    pub seen: u64,
    pub careful_until: Option<Instant>,
}

impl Lane {
    pub(super) fn new() -> io::Result<Arc<Lane>> {
        let lane = Arc::new(Lane {
            io: Io::new()?,
            ready: Mutex::default(),
            waits: AtomicBool::new(false),
            leading: Mutex::default(),
            closing: AtomicBool::new(false),
            service: Service::default(),
            buffers: Buffers::default(),
        });
        let served = lane.clone();
        let mut run =
            Box::pin(async move { served.service.run(|| served.io.look_after(served.io.looks())).await });
        // Its turns are short, and it gives way to the I/O by itself.
        let run = poll_fn(move |context| without_budget(|| run.as_mut().poll(context)));
        lane.run_soon(Task::new(lane.clone(), run));
        Ok(lane)
    }

    /// A handle has events: its strand's turn will come.
    pub(crate) fn make_ready(&self, strand: Arc<dyn Strand>) {
        self.add(|ready| ready.strands.push_back(strand));
    }

    #[inline]
    fn add(&self, add: impl FnOnce(&mut Ready)) {
        let mut ready = self.ready.lock();
        // A lane that ends has no turns left to give, and its handles own it.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        add(&mut ready);
        let waits = self.waits.load(Ordering::Relaxed);
        if waits {
            self.waits.store(false, Ordering::Relaxed);
        }
        // The leader takes the lock when it wakes, maybe before this thread goes on.
        drop(ready);
        if waits {
            self.io.interrupt();
        }
    }

    /// Serves a connection soon.
    pub(crate) fn serve_soon<T: Served + 'static>(&self, served: &Arc<T>) {
        // A lane that ends serves nothing more, and what waits in its queue would keep the lane alive.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        if let Some(waker) = self.service.soon(served) {
            waker.wake();
        }
    }

    /// A handle whose batch could not begin is the next one again.
    pub(super) fn put_back(&self, strand: Arc<dyn Strand>) {
        let mut ready = self.ready.lock();
        if !self.closing.load(Ordering::Acquire) {
            ready.strands.push_front(strand);
        }
    }

    /// The handles that wait for their turn.
    pub(super) fn waiting(&self) -> Vec<Arc<dyn Strand>> {
        self.ready.lock().strands.iter().cloned().collect()
    }

    /// Drives the I/O and the tasks until `until` is ready or the lane ends; runs no strand.
    pub(super) fn pause(&self, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        let waker = Waker::from(self.io.clone());
        let mut context = Context::from_waker(&waker);
        let mut ready = self.ready.lock();
        // No watchdog keeps the time of a lane that ends.
        while !self.closing.load(Ordering::Acquire) {
            if MutexGuard::unlocked(&mut ready, || until.as_mut().poll(&mut context)).is_ready() {
                return;
            }
            let must_look = self.run_tasks(&mut ready);
            self.look(&mut ready, must_look);
        }
    }

    /// No batch begins any more, and the leader leaves.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.io.interrupt();
    }

    /// Lets go of what waits; it and the lane would keep each other.
    pub(super) fn clear(&self) {
        let _never_run = std::mem::take(&mut *self.ready.lock());
        self.io.clear();
        self.service.clear();
    }

    /// Drives the I/O and the tasks until a handle has events; `None` when the lane ends. Those that wait together run one after
    /// another; then comes a look at the I/O.
    pub(super) fn next_ready(&self) -> Option<Arc<dyn Strand>> {
        let mut ready = self.ready.lock();
        while !self.closing.load(Ordering::Acquire) {
            // After a look, strands come first, since tasks may be busy without end.
            if let Some(strand) = ready.take() {
                return Some(strand);
            }
            let must_look = self.run_tasks(&mut ready);
            if self.closing.load(Ordering::Acquire) {
                break;
            }
            if let Some(strand) = ready.take() {
                return Some(strand);
            }
            let must_look = must_look || !ready.strands.is_empty();
            self.look(&mut ready, must_look);
            // One more, so that a strand that a task makes ready needs no look of its own.
            ready.round = ready.strands.len() + 1;
        }
        None
    }

    /// Looks at the I/O, and waits for it unless it must not.
    fn look(&self, ready: &mut MutexGuard<'_, Ready>, must_look: bool) {
        let must_look = must_look || self.closing.load(Ordering::Acquire);
        self.waits.store(!must_look, Ordering::Relaxed);
        let timeout = must_look.then_some(Duration::ZERO);
        MutexGuard::unlocked(ready, || self.io.look(timeout, || self.waits.store(false, Ordering::Relaxed)));
        ready.budget = BUDGET;
    }

    /// Gives tasks their turns, looks once at the I/O, and keeps the time.
    #[cfg(test)]
    pub(super) fn step(&self) {
        let next = self.service.ring(Instant::now());
        let must_look = self.run_tasks(&mut self.ready.lock());
        let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
        self.io.look(if must_look { Some(Duration::ZERO) } else { wait }, || ());
        self.ready.lock().budget = BUDGET;
    }

    /// Gives tasks their turns. Returns whether some wait for a look at the I/O, or for turns after it.
    fn run_tasks(&self, ready: &mut MutexGuard<'_, Ready>) -> bool {
        for _ in 0..TURNS_TOGETHER {
            let mut budget = ready.budget;
            if budget == 0 {
                break;
            }
            let Some(task) = ready.tasks.pop_front() else { break };
            MutexGuard::unlocked(ready, || within_budget(&mut budget, || task.run()));
            ready.budget = budget;
        }
        !ready.tasks.is_empty() || self.io.is_awaited()
    }
}

impl Driver for Lane {
    fn run_soon(&self, task: Arc<dyn Runnable>) {
        self.add(|ready| ready.tasks.push_back(task));
    }
}

impl Ready {
    /// The first of those that may run before a look at the I/O.
    fn take(&mut self) -> Option<Arc<dyn Strand>> {
        let left = self.round.checked_sub(1)?;
        let first = self.strands.pop_front()?;
        self.round = left;
        Some(first)
    }
}
