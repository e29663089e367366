//! The tasks that run on the lanes. Each but the service is known until it has ended, so that a shutdown can wait for it or cut it.
//! A lane gives them their turns between its looks at the I/O.

use std::collections::BTreeMap;
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// A task, as its lane sees it.
pub(super) trait Runnable: Send + Sync {
    /// Runs it until it waits or ends.
    fn run(self: Arc<Self>);
    /// Ends it at its next turn.
    fn abort(self: Arc<Self>);
    /// Ends it on this thread. If a turn of it is under way on another and lasts until `until`, it ends there.
    fn cut(&self, until: Instant);
}

/// What gives tasks their turns.
pub(super) trait Driver: Send + Sync {
    /// A task was woken: its turn will come.
    fn run_soon(&self, task: Arc<dyn Runnable>);
}

/// A future that a lane drives.
pub(super) struct Task<F> {
    lane: Arc<dyn Driver>,
    /// `None` when it has ended.
    future: Mutex<Option<F>>,
    /// It has asked for a turn.
    is_woken: AtomicBool,
    is_aborted: AtomicBool,
}

/// A task that was started.
pub(crate) struct TaskHandle(Arc<dyn Runnable>);

impl TaskHandle {
    /// Ends it at its next turn, on its lane.
    pub fn abort(&self) {
        self.0.clone().abort();
    }
}

impl<F: Future<Output = ()> + Send + Unpin + 'static> Task<F> {
    /// A task that has not begun.
    pub fn new(lane: Arc<dyn Driver>, future: F) -> Arc<Task<F>> {
        Arc::new(Task {
            lane,
            future: Mutex::new(Some(future)),
            is_woken: AtomicBool::new(false),
            is_aborted: AtomicBool::new(false),
        })
    }
}

impl<F: Future<Output = ()> + Send + Unpin + 'static> Wake for Task<F> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.lane.run_soon(self.clone());
        }
    }
}

impl<F: Future<Output = ()> + Send + Unpin + 'static> Runnable for Task<F> {
    fn run(self: Arc<Self>) {
        // What wakes it from now on is for its next turn.
        self.is_woken.swap(false, Ordering::AcqRel);
        let mut place = self.future.lock();
        let Some(future) = &mut *place else { return };
        let has_ended = self.is_aborted.load(Ordering::Acquire) || {
            let waker = Waker::from(self.clone());
            let mut context = Context::from_waker(&waker);
            // The panic was reported when it happened.
            let poll = catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(&mut context)));
            poll.map_or(true, |poll| poll.is_ready()) || self.is_aborted.load(Ordering::Acquire)
        };
        if has_ended {
            let future = place.take();
            drop(place);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        }
    }

    fn abort(self: Arc<Self>) {
        self.is_aborted.store(true, Ordering::Release);
        self.wake();
    }

    fn cut(&self, until: Instant) {
        self.is_aborted.store(true, Ordering::Release);
        let future = self.future.try_lock_until(until).and_then(|mut place| place.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
    }
}

/// Unit tests spawn tasks without a lane.
#[cfg(test)]
impl From<tokio::task::AbortHandle> for TaskHandle {
    fn from(task: tokio::task::AbortHandle) -> TaskHandle {
        TaskHandle(Arc::new(task))
    }
}

#[cfg(test)]
impl Runnable for tokio::task::AbortHandle {
    fn run(self: Arc<Self>) {}

    fn abort(self: Arc<Self>) {
        tokio::task::AbortHandle::abort(&self);
    }

    fn cut(&self, _: Instant) {}
}

/// The tasks of a runtime.
#[derive(Default)]
pub(super) struct Tasks {
    running: Mutex<Running>,
    /// Tells that a task has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Running {
    by_number: BTreeMap<u64, Arc<dyn Runnable>>,
    count: u64,
}

/// A future that is known until it has ended. It is no `async` block, which takes twice the room of what it awaits.
struct Known<F> {
    future: F,
    _registered: Registered,
}

struct Registered(Arc<Tasks>, u64);

impl<F: Future<Output = ()> + Unpin> Future for Known<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.future).poll(cx)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _task = self.0.running.lock().by_number.remove(&self.1);
        self.0.ended.notify_all();
    }
}

impl Tasks {
    /// Runs a future until it ends or its lane does.
    pub fn spawn(
        self: &Arc<Self>,
        on: Arc<dyn Driver>,
        future: impl Future<Output = ()> + Send + Unpin + 'static,
    ) -> TaskHandle {
        let task = {
            let mut running = self.running.lock();
            running.count += 1;
            let number = running.count;
            let task = Task::new(on, Known { future, _registered: Registered(self.clone(), number) });
            running.by_number.insert(number, task.clone());
            task
        };
        task.wake_by_ref();
        TaskHandle(task)
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

    /// Ends those that are left, on this thread. Those whose turns last until `until` end where they run.
    pub fn cut(&self, until: Instant) {
        let tasks: Vec<_> = self.running.lock().by_number.values().cloned().collect();
        tasks.iter().for_each(|task| task.cut(until));
    }
}

/// A future in a box, made there: with `Box::pin(future)`, the task that waits keeps room for the future as well.
pub(crate) fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{channel, Receiver, Sender};
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::super::{Config, Lane, Runner, Runtime, Strand};
    use super::*;
    use crate::net::{spend, TcpStream};

    /// Only a guard.
    const FAR: Duration = Duration::from_secs(60);

    /// Tells that it is dropped.
    struct Told(Sender<()>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    fn told() -> (Told, Receiver<()>) {
        let (tell, told) = channel();
        (Told(tell), told)
    }

    fn with_runtime(test: impl FnOnce(&Arc<Runtime>, &Arc<Lane>)) {
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        let lane = runtime.choose_lane().unwrap();
        test(&runtime, &lane);
        runtime.end(Instant::now() + FAR);
        assert!(runtime.tasks.running.lock().by_number.is_empty());
    }

    #[test]
    fn a_task_is_dropped_when_it_ends_panics_or_is_aborted() {
        with_runtime(|runtime, lane| {
            let (end, ended) = told();
            runtime.spawn(lane, Box::pin(async move { drop(end) }));
            ended.recv_timeout(FAR).unwrap();
            let (panic, panicked) = told();
            runtime.spawn(
                lane,
                Box::pin(async move {
                    let _panic = panic;
                    ready(()).await;
                    std::panic::resume_unwind(Box::new("a test's"));
                }),
            );
            panicked.recv_timeout(FAR).unwrap();
            let (wait, aborted) = told();
            let task = runtime.spawn(
                lane,
                Box::pin(async move {
                    let _wait = wait;
                    pending().await
                }),
            );
            task.abort();
            aborted.recv_timeout(FAR).unwrap();
            task.abort();
        });
    }

    #[test]
    fn a_task_that_never_waits_does_not_starve_the_sockets() {
        with_runtime(|runtime, lane| {
            let task = runtime.spawn(
                lane,
                Box::pin(poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })),
            );
            let (mut near, far) = UnixStream::pair().unwrap();
            far.set_nonblocking(true).unwrap();
            let (tell, told) = channel();
            runtime.spawn(
                lane,
                Box::pin(async move {
                    let mut stream = TcpStream::new(far).unwrap();
                    tell.send(()).unwrap();
                    stream.read_u8().await.unwrap();
                    tell.send(()).unwrap();
                }),
            );
            told.recv_timeout(FAR).unwrap();
            near.write_all(&[1]).unwrap();
            told.recv_timeout(FAR).expect("the socket is read");
            task.abort();
        });
    }

    struct Heard(Sender<()>);

    impl Strand for Heard {
        fn run_batch(self: Arc<Self>, _: &Runner) -> Option<Arc<dyn Strand>> {
            let _ = self.0.send(());
            None
        }

        fn is_trusted(&self) -> bool {
            true
        }

        fn lost_lead(&self) {}

        fn waits_for_thread(&self) {}
    }

    #[test]
    fn a_task_that_uses_up_its_budget_does_not_starve_callbacks_and_tasks() {
        with_runtime(|runtime, lane| {
            let (begin, begun) = channel();
            let busy = runtime.spawn(
                lane,
                Box::pin(async move {
                    loop {
                        let _ = begin.send(());
                        poll_fn(|cx| spend(cx)).await;
                    }
                }),
            );
            begun.recv_timeout(FAR).unwrap();
            let (call, called) = channel();
            lane.make_ready(Arc::new(Heard(call.clone())));
            called.recv_timeout(FAR).expect("the callback runs");
            runtime.spawn(lane, Box::pin(async move { call.send(()).unwrap() }));
            called.recv_timeout(FAR).expect("the other task runs");
            busy.abort();
        });
    }

    #[test]
    fn a_waiting_task_is_dropped_when_a_shutdown_cuts_it() {
        let (wait, cut) = told();
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        let lane = runtime.choose_lane().unwrap();
        let (begin, begun) = channel();
        runtime.spawn(
            &lane,
            Box::pin(async move {
                let _wait = wait;
                begin.send(()).unwrap();
                pending().await
            }),
        );
        begun.recv_timeout(FAR).unwrap();
        runtime.end(Instant::now());
        cut.try_recv().unwrap();
    }

    #[test]
    fn a_task_whose_turn_does_not_end_holds_up_no_shutdown_and_ends_there() {
        let (wait, ended) = told();
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        let lane = runtime.choose_lane().unwrap();
        let (begin, begun) = channel();
        let (release, released) = channel::<()>();
        runtime.spawn(
            &lane,
            Box::pin(async move {
                let _wait = wait;
                begin.send(()).unwrap();
                // As a log's receiver may.
                released.recv().unwrap();
                pending().await
            }),
        );
        begun.recv_timeout(FAR).unwrap();
        runtime.end(Instant::now());
        assert!(!runtime.wait(Instant::now()));
        release.send(()).unwrap();
        ended.recv_timeout(FAR).unwrap();
        assert!(runtime.wait(Instant::now() + FAR));
    }
}
