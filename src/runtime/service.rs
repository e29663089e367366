//! What a lane does for its connections without their listeners: pings, close frames, the heartbeat, the clock.
//! It runs within the I/O, so it goes on while callbacks block.

use std::collections::{BTreeMap, VecDeque};
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How many connections are served before a look at the I/O.
const SERVED_TOGETHER: usize = 16;

/// What can be served.
pub(crate) trait Served: Send + Sync {
    /// Reads and writes what can be, and looks at the clock. With `is_due`, one of its deadlines is over, and the
    /// system has been asked since whether anything has arrived.
    fn serve(self: Arc<Self>, is_due: bool);
    /// Whether it is in the queue.
    fn mark(&self) -> &AtomicBool;
}

/// The connections of a lane that are to be served, now or later.
#[derive(Default)]
pub(crate) struct Service {
    queue: Mutex<Queue>,
    /// Whether the queue has connections. Changed with its lock.
    has_waiting: AtomicBool,
    clock: Mutex<Clock>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Served>>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Clock {
    deadlines: BTreeMap<Alarm, Arc<dyn Served>>,
    count: u64,
}

/// A deadline that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alarm {
    pub at: Instant,
    number: u64,
}

impl Service {
    /// Serves a connection soon.
    pub fn soon<T: Served + 'static>(&self, served: &Arc<T>) {
        if served.mark().swap(true, Ordering::AcqRel) {
            return;
        }
        let waker = {
            let mut queue = self.queue.lock();
            queue.waiting.push_back(served.clone());
            self.has_waiting.store(true, Ordering::Release);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Serves a connection at this time.
    pub fn at<T: Served + 'static>(&self, at: Instant, served: &Arc<T>) -> Alarm {
        let (alarm, first) = {
            let mut clock = self.clock.lock();
            clock.count += 1;
            let alarm = Alarm { at, number: clock.count };
            let first = clock.deadlines.first_key_value().is_none_or(|(first, _)| at < first.at);
            clock.deadlines.insert(alarm, served.clone());
            (alarm, first)
        };
        if first {
            let waker = self.queue.lock().waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        alarm
    }

    /// Whether a connection waits to be served.
    pub(super) fn has_waiting(&self) -> bool {
        self.has_waiting.load(Ordering::Acquire)
    }

    fn pop(&self) -> Option<Arc<dyn Served>> {
        let mut queue = self.queue.lock();
        let first = queue.waiting.pop_front();
        self.has_waiting.store(!queue.waiting.is_empty(), Ordering::Release);
        first
    }

    /// Forgets a deadline.
    pub fn cancel(&self, alarm: Alarm) {
        let _served = self.clock.lock().deadlines.remove(&alarm);
    }

    /// Lets go of everything that waits.
    pub(super) fn clear(&self) {
        while self.pop().is_some() {}
        let _deadlines = std::mem::take(&mut self.clock.lock().deadlines);
    }

    /// Serves until the lane ends.
    pub(super) async fn run(&self) {
        let far = || tokio::time::Instant::now() + Duration::from_secs(86400 * 365);
        let mut timer = pin!(tokio::time::sleep_until(far()));
        let mut due = VecDeque::new();
        loop {
            poll_fn(|cx| {
                {
                    let mut queue = self.queue.lock();
                    if !queue.waiting.is_empty() || !due.is_empty() {
                        return Poll::Ready(());
                    }
                    // Before the look at the deadlines, so that none is set unseen.
                    queue.waker = Some(cx.waker().clone());
                }
                let next = self.clock.lock().deadlines.first_key_value().map(|(first, _)| first.at);
                let next = next.map_or_else(far, tokio::time::Instant::from_std);
                if timer.deadline() != next {
                    timer.as_mut().reset(next);
                }
                timer.as_mut().poll(cx)
            })
            .await;
            // Connections that want more come after the others, and after a look at the I/O.
            let count = self.queue.lock().waiting.len().min(SERVED_TOGETHER);
            for _ in 0..count {
                let Some(served) = self.pop() else { break };
                served.mark().store(false, Ordering::Release);
                served.serve(false);
            }
            due.extend(self.clock.lock().take(Instant::now()));
            // What lies in the sockets comes before the judgement: after a pause of the whole process all of it has
            // arrived in time.
            tokio::task::yield_now().await;
            for served in due.drain(..due.len().min(SERVED_TOGETHER)) {
                served.serve(true);
            }
        }
    }
}

impl Clock {
    /// What is due.
    fn take(&mut self, now: Instant) -> Vec<Arc<dyn Served>> {
        let mut due = Vec::new();
        while let Some(first) = self.deadlines.first_entry().filter(|first| first.key().at <= now) {
            due.push(first.remove());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stub {
        mark: AtomicBool,
        name: &'static str,
        served: Arc<Mutex<Vec<&'static str>>>,
        /// What the first of them wakes.
        wakes: Option<(Arc<Service>, Arc<Stub>)>,
    }

    impl Served for Stub {
        fn serve(self: Arc<Self>, _: bool) {
            let mut served = self.served.lock();
            if let (true, Some((service, other))) = (served.is_empty(), &self.wakes) {
                service.soon(other);
            }
            served.push(self.name);
        }

        fn mark(&self) -> &AtomicBool {
            &self.mark
        }
    }

    #[test]
    fn where_many_deadlines_are_due_together_others_have_their_turn() {
        let (service, served) = (Arc::new(Service::default()), Arc::new(Mutex::new(Vec::new())));
        let stub = |name, wakes| {
            Arc::new(Stub { mark: AtomicBool::new(false), name, served: served.clone(), wakes })
        };
        let other = stub("other", None);
        for _ in 0..10 * SERVED_TOGETHER {
            service.at(Instant::now(), &stub("due", Some((service.clone(), other.clone()))));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = pin!(service.run());
            poll_fn(|cx| {
                let _ = run.as_mut().poll(cx);
                match served.lock().len() > 10 * SERVED_TOGETHER {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        });
        let place = served.lock().iter().position(|name| *name == "other").unwrap();
        assert!(place <= 2 * SERVED_TOGETHER, "{place}");
    }
}
