//! A lane: one I/O loop, the handles that live on it, and the thread that leads it.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::coop;

use super::buffers::Buffers;
use super::runner::Runner;
use super::service::{Served, Service};
use super::tasks::{Driver, Runnable, Task};

/// The most turns that tasks have at a time.
const TURNS_TOGETHER: usize = 64;

/// The callbacks of one handle, which run in order and never two at once.
pub(crate) trait Strand: Send + Sync {
    /// Runs some of the callbacks that wait. Returns itself if more wait.
    fn run_batch(self: Arc<Self>, runner: &Runner) -> Option<Arc<dyn Strand>>;
    /// Whether its callbacks have been short so far.
    fn is_trusted(&self) -> bool;
    /// The batch that runs has lost the lead.
    fn lost_lead(&self);
}

/// One I/O loop and what lives on it.
pub(crate) struct Lane {
    ready: Mutex<Ready>,
    /// How many strands may still run before a look at the I/O. Only the leader uses it.
    round: AtomicUsize,
    pub(super) leading: Mutex<Leading>,
    closing: AtomicBool,
    /// What goes on without listeners.
    pub service: Service,
    /// Memory that connections borrow.
    pub buffers: Buffers,
}

/// Handles that have events, tasks that wait for a turn, and how to wake the leader.
#[derive(Default)]
struct Ready {
    strands: VecDeque<Arc<dyn Strand>>,
    tasks: VecDeque<Arc<dyn Runnable>>,
    /// Tasks that wait for a look at the I/O.
    await_look: Vec<Waker>,
    /// How many looks there were.
    looks: u64,
    leader: Option<Waker>,
    /// The leader waits, and nothing has woken it yet.
    waits: bool,
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

/// The tokio runtime of a lane, which must not be dropped where it could wait.
pub(super) struct Engine(Option<tokio::runtime::Runtime>);

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    pub fn new(runtime: tokio::runtime::Runtime) -> Engine {
        Engine(Some(runtime))
    }

    pub fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.as_ref().map(|runtime| runtime.block_on(future))
    }

    pub fn into_inner(mut self) -> Option<tokio::runtime::Runtime> {
        self.0.take()
    }
}

impl Lane {
    pub(super) fn new() -> Arc<Lane> {
        let lane = Arc::new(Lane {
            ready: Mutex::default(),
            round: AtomicUsize::new(0),
            leading: Mutex::default(),
            closing: AtomicBool::new(false),
            service: Service::default(),
            buffers: Buffers::default(),
        });
        let served = lane.clone();
        // Its turns are short, and it gives way to the I/O by itself.
        let run = async move { served.service.run(|| served.look_after(served.looks())).await };
        lane.run_soon(Task::new(lane.clone(), Box::pin(coop::unconstrained(run))));
        lane
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
        if std::mem::take(&mut ready.waits) {
            ready.leader.iter().for_each(Waker::wake_by_ref);
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

    /// How many times it has looked at the I/O.
    pub(super) fn looks(&self) -> u64 {
        self.ready.lock().looks
    }

    /// Waits until it has looked at the I/O more than `looks` times. If it has to wait, the tasks that the look wakes have their
    /// turns first.
    pub(super) async fn look_after(&self, looks: u64) {
        poll_fn(|context| self.poll_look(looks, context)).await;
    }

    fn poll_look(&self, looks: u64, context: &Context<'_>) -> Poll<()> {
        let mut ready = self.ready.lock();
        if looks < ready.looks {
            return Poll::Ready(());
        }
        ready.await_look.push(context.waker().clone());
        Poll::Pending
    }

    /// A handle whose batch could not begin is the next one again.
    pub(super) fn put_back(&self, strand: Arc<dyn Strand>) {
        self.ready.lock().strands.push_front(strand);
    }

    /// Drives the I/O and the tasks until `until` is ready or the lane ends; runs no strand.
    pub(super) fn pause(&self, engine: &Engine, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        let mut has_looked = false;
        engine.block_on(poll_fn(|context| {
            if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let mut ready = self.ready.lock();
            if std::mem::replace(&mut has_looked, true) {
                self.note_look(&mut ready);
            }
            let must_look = self.run_tasks(&mut ready);
            // No watchdog keeps the time of a lane that ends.
            if self.closing.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            ready.go_on(must_look, context)
        }));
    }

    /// No batch begins any more, and the leader leaves.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        if let Some(leader) = &self.ready.lock().leader {
            leader.wake_by_ref();
        }
    }

    /// Lets go of what waits; it and the lane would keep each other.
    pub(super) fn clear(&self) {
        let _never_run = std::mem::take(&mut *self.ready.lock());
        self.service.clear();
    }

    /// Drives the I/O and the tasks until a handle has events; `None` when the lane ends. Those that wait together run one after
    /// another; then comes a look at the I/O.
    pub(super) fn next_ready(&self, engine: &Engine) -> Option<Arc<dyn Strand>> {
        if self.closing.load(Ordering::Acquire) {
            return None;
        }
        if self.round.load(Ordering::Relaxed) > 0 {
            if let Some(strand) = self.take(&mut self.ready.lock()) {
                return Some(strand);
            }
        }
        let mut has_looked = false;
        engine
            .block_on(poll_fn(|context| self.poll_ready(context, std::mem::replace(&mut has_looked, true))))?
    }

    /// The first of those that may run before a look at the I/O.
    fn take(&self, ready: &mut Ready) -> Option<Arc<dyn Strand>> {
        let left = self.round.load(Ordering::Relaxed).checked_sub(1)?;
        let first = ready.strands.pop_front()?;
        self.round.store(left, Ordering::Relaxed);
        Some(first)
    }

    /// Waits until a strand is ready, or the lane ends. Between two calls in one
    /// `block_on`, tokio looks at the I/O.
    fn poll_ready(&self, context: &mut Context<'_>, has_looked: bool) -> Poll<Option<Arc<dyn Strand>>> {
        let mut ready = self.ready.lock();
        if has_looked {
            self.note_look(&mut ready);
            // One more, so that a strand that a task makes ready needs no look of its own.
            self.round.store(ready.strands.len() + 1, Ordering::Relaxed);
        }
        // After a look, strands come first, since tasks may be busy without end. The tasks have their turns before the next look.
        let mut must_look = false;
        if !has_looked || ready.strands.is_empty() {
            must_look = self.run_tasks(&mut ready);
        }
        if self.closing.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        // A task that has used up tokio's budget is woken at the next look in this `block_on`. If that ended first, the task would
        // never be woken.
        if coop::has_budget_remaining() {
            if let Some(strand) = self.take(&mut ready) {
                return Poll::Ready(Some(strand));
            }
        }
        let must_look = must_look || !ready.strands.is_empty();
        ready.go_on(must_look, context)
    }

    fn note_look(&self, ready: &mut MutexGuard<'_, Ready>) {
        ready.waits = false;
        ready.looks += 1;
        while let Some(waker) = ready.await_look.pop() {
            MutexGuard::unlocked(ready, || waker.wake());
        }
    }

    /// Gives tasks their turns. Returns whether some wait for a look at the I/O, or for turns after it.
    fn run_tasks(&self, ready: &mut MutexGuard<'_, Ready>) -> bool {
        ready.waits = false;
        let mut turns = 0;
        while turns < TURNS_TOGETHER && coop::has_budget_remaining() {
            let Some(task) = ready.tasks.pop_front() else { break };
            MutexGuard::unlocked(ready, || task.run());
            turns += 1;
        }
        !coop::has_budget_remaining() || !ready.tasks.is_empty() || !ready.await_look.is_empty()
    }
}

impl Driver for Lane {
    fn run_soon(&self, task: Arc<dyn Runnable>) {
        self.add(|ready| ready.tasks.push_back(task));
    }
}

impl Ready {
    /// The leader looks at the I/O, or waits until something wakes it.
    fn go_on<T>(&mut self, must_look: bool, context: &Context<'_>) -> Poll<T> {
        self.waits = !must_look;
        match (must_look, &mut self.leader) {
            (true, _) => context.waker().wake_by_ref(),
            (false, Some(leader)) => leader.clone_from(context.waker()),
            (false, leader) => *leader = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}
