//! The tasks that run on the lanes: each is known until it has ended, so that a shutdown can wait for it or cut it.

use std::collections::HashMap;
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::task::AbortHandle;

/// The tasks of a runtime.
#[derive(Default)]
pub(super) struct Tasks {
    running: Mutex<Running>,
    /// Tells that a task has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Running {
    by_number: HashMap<u64, Option<AbortHandle>>,
    count: u64,
}

/// A task that is known until it has ended. It is no `async` block, which takes twice the room of what it awaits.
struct Task<F> {
    task: F,
    _registered: Registered,
}

struct Registered(Arc<Tasks>, u64);

impl<F: Future<Output = ()> + Unpin> Future for Task<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.task).poll(cx)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.running.lock().by_number.remove(&self.1);
        self.0.ended.notify_all();
    }
}

impl Tasks {
    /// Runs a task until it ends or its lane does.
    pub fn spawn(
        self: &Arc<Self>,
        on: &tokio::runtime::Handle,
        task: impl Future<Output = ()> + Send + Unpin + 'static,
    ) -> AbortHandle {
        let number = {
            let mut running = self.running.lock();
            running.count += 1;
            let number = running.count;
            running.by_number.insert(number, None);
            number
        };
        let abort = on.spawn(Task { task, _registered: Registered(self.clone(), number) }).abort_handle();
        // If it has ended already, it is gone from the list.
        if let Some(place) = self.running.lock().by_number.get_mut(&number) {
            *place = Some(abort.clone());
        }
        abort
    }

    /// Waits until all have ended, or the time is over.
    pub fn wait(&self, deadline: Instant) {
        let mut running = self.running.lock();
        while !running.by_number.is_empty() {
            if self.ended.wait_until(&mut running, deadline).timed_out() {
                break;
            }
        }
    }

    pub fn have_ended(&self) -> bool {
        self.running.lock().by_number.is_empty()
    }

    /// Cuts those that run. They end when their lanes are driven once more.
    pub fn cut(&self) {
        for task in self.running.lock().by_number.values().flatten() {
            task.abort();
        }
    }
}

/// A future's output, or `None` if it panicked.
pub(crate) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
