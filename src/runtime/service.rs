//! What a lane does for its connections without their listeners: pings, close frames, the heartbeat, the clock.
//! It also wakes tasks at their deadlines. It is a task of the lane, so it goes on while callbacks block.

use std::collections::{BTreeMap, VecDeque};
use std::future::{poll_fn, Future};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;

/// How many of each queue are served before a look at the I/O.
const SERVED_TOGETHER: usize = 16;

/// What can be served.
pub(crate) trait Served: Send + Sync {
    /// Does what there is to do: a connection reads, writes and looks at the clock; a timer wakes its task. With `is_due`, a
    /// deadline of it has passed, and the lane has looked at the I/O since.
    fn serve(self: Arc<Self>, is_due: bool);
    /// Whether it is in the queue.
    fn mark(&self) -> &AtomicBool;
}

/// What a lane is to serve, now or later.
#[derive(Default)]
pub(crate) struct Service {
    queue: Mutex<Queue>,
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
    /// When the watchdog is to ring; no deadline is between now and then.
    rings_at: Option<Instant>,
    /// Wakes the watchdog when an earlier deadline is set. The I/O waits without a timeout, since a timeout would cost a
    /// system timer for each wait.
    timekeeper: Option<Waker>,
}

/// A deadline that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alarm {
    pub at: Instant,
    number: u64,
}

impl Service {
    /// Queues a connection to be served. If a waker is returned, the caller must wake the service with it.
    #[must_use]
    pub fn soon<T: Served + 'static>(&self, served: &Arc<T>) -> Option<Waker> {
        if served.mark().swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut queue = self.queue.lock();
        queue.waiting.push_back(served.clone());
        queue.waker.take()
    }

    /// Sets a deadline, at which it is served.
    pub fn at<T: Served + 'static>(&self, at: Instant, served: &Arc<T>) -> Alarm {
        let mut clock = self.clock.lock();
        clock.count += 1;
        let alarm = Alarm { at, number: clock.count };
        clock.deadlines.insert(alarm, served.clone());
        if clock.rings_at.is_some_and(|rings| rings <= at) {
            return alarm;
        }
        if at <= Instant::now() {
            drop(clock);
            self.wake();
            return alarm;
        }
        clock.rings_at = Some(at);
        let timekeeper = clock.timekeeper.clone();
        drop(clock);
        timekeeper.into_iter().for_each(Waker::wake);
        alarm
    }

    /// Sets what to wake when an earlier deadline is set.
    pub(super) fn set_timekeeper(&self, timekeeper: Waker) {
        self.clock.lock().timekeeper = Some(timekeeper);
    }

    /// Wakes the service if a deadline has come. Returns when to ring next.
    pub(super) fn ring(&self, now: Instant) -> Option<Instant> {
        let mut clock = self.clock.lock();
        if clock.rings_at.is_none_or(|rings| now < rings) {
            return clock.rings_at;
        }
        clock.rings_at = clock.deadlines.keys().map(|next| next.at).find(|next| now < *next);
        let (next, is_due) = (clock.rings_at, clock.has_due(now));
        drop(clock);
        if is_due {
            self.wake();
        }
        next
    }

    fn wake(&self) {
        let waker = self.queue.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn pop(&self) -> Option<Arc<dyn Served>> {
        self.queue.lock().waiting.pop_front()
    }

    /// Forgets a deadline.
    pub fn cancel(&self, alarm: Alarm) {
        let _served = self.clock.lock().deadlines.remove(&alarm);
    }

    /// Lets go of everything that waits.
    pub(super) fn clear(&self) {
        while self.pop().is_some() {}
        let _task = self.queue.lock().waker.take();
        let _deadlines = std::mem::take(&mut *self.clock.lock());
    }

    /// Serves until the lane ends. `look` waits for a look at the I/O.
    pub(super) async fn run<F: Future<Output = ()>>(&self, look: impl Fn() -> F) {
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
                match self.clock.lock().has_due(Instant::now()) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            // Connections that want more come after the others, and after a look at the I/O.
            let count = self.queue.lock().waiting.len().min(SERVED_TOGETHER);
            for _ in 0..count {
                let Some(served) = self.pop() else { break };
                served.mark().store(false, Ordering::Release);
                served.serve(false);
            }
            self.clock.lock().take_due(&mut due);
            if due.is_empty() && self.queue.lock().waiting.is_empty() {
                continue;
            }
            // What lies in the sockets comes before the judgement: after a pause of the whole process all of it has
            // arrived in time.
            look().await;
            for served in due.drain(..due.len().min(SERVED_TOGETHER)) {
                served.serve(true);
            }
        }
    }
}

impl Clock {
    fn has_due(&self, now: Instant) -> bool {
        self.deadlines.first_key_value().is_some_and(|(first, _)| first.at <= now)
    }

    fn take_due(&mut self, due: &mut VecDeque<Arc<dyn Served>>) {
        let now = Instant::now();
        while let Some(first) = self.deadlines.first_entry().filter(|first| first.key().at <= now) {
            due.push_back(first.remove());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;

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
                service.soon(other).into_iter().for_each(Waker::wake);
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
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut run = pin!(service.run(tokio::task::yield_now));
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

    #[derive(Default)]
    struct Told(AtomicUsize);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_watchdog_hears_only_of_deadlines_before_those_it_knows() {
        let (service, told, woken) =
            (Service::default(), Arc::new(Told::default()), Arc::new(Told::default()));
        let stub =
            || Arc::new(Stub { mark: AtomicBool::new(false), name: "", served: Arc::default(), wakes: None });
        let counts = || (told.0.load(Ordering::Relaxed), woken.0.load(Ordering::Relaxed));
        let waits = || service.queue.lock().waker = Some(woken.clone().into());
        service.set_timekeeper(told.clone().into());
        waits();
        let now = Instant::now();
        let [soon, later, last] = [60, 120, 180].map(|seconds| now + Duration::from_secs(seconds));
        service.at(later, &stub());
        service.at(last, &stub());
        assert_eq!(counts(), (1, 0));
        let first = service.at(soon, &stub());
        assert_eq!(counts(), (2, 0));
        assert_eq!(service.ring(now), Some(soon));
        service.cancel(first);
        // Nothing is due, so nothing is woken.
        assert_eq!(service.ring(soon), Some(later));
        assert_eq!(counts(), (2, 0));
        assert_eq!(service.ring(later), Some(last));
        assert_eq!(counts(), (2, 1));
        // What is due already needs no watchdog.
        waits();
        service.at(now, &stub());
        assert_eq!(counts(), (2, 2));
        assert_eq!(service.ring(last), None);
    }
}
