//! A lane: one I/O loop, the handles that live on it, and the thread that leads it.

use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::buffers::Buffers;
use super::runner::Runner;
use super::service::{Served, Service};

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
    pub(super) tokio: tokio::runtime::Handle,
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

/// Handles that have events, and how to wake the leader.
#[derive(Default)]
struct Ready {
    strands: VecDeque<Arc<dyn Strand>>,
    leader: Option<Waker>,
    /// The leader waits, and nothing has woken it yet.
    waits: bool,
    /// The leader drives the I/O for a while, and gives no strand a turn.
    pauses: bool,
    /// Tasks that the leader is to wake before it waits.
    to_wake: Vec<Waker>,
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
    pub(super) fn new(tokio: tokio::runtime::Handle) -> Arc<Lane> {
        let lane = Arc::new(Lane {
            tokio,
            ready: Mutex::default(),
            round: AtomicUsize::new(0),
            leading: Mutex::default(),
            closing: AtomicBool::new(false),
            service: Service::default(),
            buffers: Buffers::default(),
        });
        let served = lane.clone();
        // Its turns are short, and it gives way to the I/O by itself.
        lane.tokio.spawn(tokio::task::unconstrained(async move { served.service.run().await }));
        lane
    }

    /// A handle has events: its strand's turn will come.
    pub(crate) fn make_ready(&self, strand: Arc<dyn Strand>) {
        let mut ready = self.ready.lock();
        // A lane that ends has no turns left to give, and its handles own it.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        ready.strands.push_back(strand);
        if std::mem::take(&mut ready.waits) {
            ready.leader.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Serves a connection soon.
    pub(crate) fn serve_soon<T: Served + 'static>(&self, served: &Arc<T>) {
        if let Some(waker) = self.service.soon(served) {
            self.wake(waker);
        }
    }

    /// Wakes a task. If the leader is not in the I/O, it wakes the task when it gets there: a wake from outside costs two
    /// system calls, a write to the eventfd and a wait for I/O that it ends at once.
    pub(crate) fn wake(&self, waker: Waker) {
        let mut ready = self.ready.lock();
        if ready.waits || ready.pauses || self.closing.load(Ordering::Acquire) {
            drop(ready);
            return waker.wake();
        }
        ready.to_wake.push(waker);
    }

    /// A handle whose batch could not begin is the next one again.
    pub(super) fn put_back(&self, strand: Arc<dyn Strand>) {
        self.ready.lock().strands.push_front(strand);
    }

    /// Drives the I/O until `until` is ready or the lane ends; runs no strand.
    pub(super) fn pause(&self, engine: &Engine, until: impl Future<Output = ()>) {
        let to_wake = {
            let mut ready = self.ready.lock();
            ready.pauses = true;
            std::mem::take(&mut ready.to_wake)
        };
        to_wake.into_iter().for_each(Waker::wake);
        let mut until = pin!(until);
        engine.block_on(poll_fn(|cx| {
            // No watchdog keeps the time of a lane that ends.
            let ends = {
                let mut ready = self.ready.lock();
                ready.leader = Some(cx.waker().clone());
                self.closing.load(Ordering::Acquire)
            };
            match ends {
                true => Poll::Ready(()),
                false => until.as_mut().poll(cx),
            }
        }));
        self.ready.lock().pauses = false;
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

    /// Drives I/O until a handle has events; `None` when the lane ends. Those that wait together run one after
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
        engine.block_on(async {
            let mut look = Look::default();
            loop {
                match poll_fn(|context| self.poll_ready(context, &mut look)).await {
                    Some(next) => return next,
                    None => tokio::task::yield_now().await,
                }
            }
        })?
    }

    /// The first of those that may run before a look at the I/O.
    fn take(&self, ready: &mut Ready) -> Option<Arc<dyn Strand>> {
        let round = self.round.load(Ordering::Relaxed);
        self.round.store(round.checked_sub(1)?, Ordering::Relaxed);
        ready.strands.pop_front()
    }

    /// Waits until a strand is ready, or the lane ends. `None`: a look at the I/O comes first.
    fn poll_ready(
        &self,
        context: &mut Context<'_>,
        look: &mut Look,
    ) -> Poll<Option<Option<Arc<dyn Strand>>>> {
        let mut ready = self.ready.lock();
        while let Some(waker) = ready.to_wake.pop() {
            MutexGuard::unlocked(&mut ready, || waker.wake());
        }
        ready.waits = false;
        if self.closing.load(Ordering::Acquire) {
            return Poll::Ready(Some(None));
        }
        if ready.strands.is_empty() {
            look.has_looked = true;
            ready.waits = true;
            match &mut ready.leader {
                Some(leader) => leader.clone_from(context.waker()),
                leader => *leader = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        // Those that are served without listeners have their turn as well.
        let waits_for = match look.has_looked {
            true if !look.has_served && self.service.has_waiting() => &mut look.has_served,
            true => {
                self.round.store(ready.strands.len(), Ordering::Relaxed);
                return Poll::Ready(Some(self.take(&mut ready)));
            }
            false => &mut look.has_looked,
        };
        *waits_for = true;
        Poll::Ready(None)
    }
}

/// What has had its turn since the last strand ran.
#[derive(Default)]
struct Look {
    has_looked: bool,
    has_served: bool,
}
