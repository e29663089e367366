//! The deadlines of tasks, which the watchdog keeps beside those of connections. With timers of its own, a lane would look at them
//! and at the clock before each wait for I/O.

use std::cell::RefCell;
use std::future::{pending, poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::task::{ready, Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::lane::Lane;
use super::service::{Alarm, Served};
use crate::net::{without_budget, Io};

thread_local! {
    /// The lane that this thread leads.
    static LANE: RefCell<Option<Arc<Lane>>> = const { RefCell::new(None) };
}

/// Sets the lane that this thread leads.
pub(super) fn drives(lane: Option<&Arc<Lane>>) {
    LANE.replace(lane.cloned());
    Io::enter(lane.map(|lane| lane.io.clone()));
}

fn led() -> Option<Arc<Lane>> {
    LANE.with_borrow(Clone::clone)
}

/// A future's output, or `None` if it takes longer. What is in its sockets at the deadline is in time: the lane looks at the
/// I/O before it wakes the task, even after a pause of the whole process.
pub(crate) fn in_time<F: Future>(limit: Duration, future: F) -> impl Future<Output = Option<F::Output>> {
    before(Instant::now().checked_add(limit), future)
}

/// The same with a deadline; `None` is never.
async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    #[cfg(test)] // Unit tests run futures without a lane.
    if let (Some(deadline), None) = (deadline, led()) {
        return tokio::time::timeout_at(deadline.into(), future).await.ok();
    }
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| match (future.as_mut().poll(cx), deadline) {
        (Poll::Ready(output), _) => Poll::Ready(Some(output)),
        (Poll::Pending, Some(deadline)) => {
            ready!(timer.get_or_insert_with(|| Timer::new(deadline)).poll(cx));
            // Once more without a budget: there may have been none left for the first poll.
            match without_budget(|| future.as_mut().poll(cx)) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => Poll::Ready(None),
            }
        }
        (Poll::Pending, None) => Poll::Pending,
    })
    .await
}

/// Waits this long.
pub(crate) async fn sleep(time: Duration) {
    in_time(time, pending::<()>()).await;
}

/// How many times the lane has looked at the I/O.
pub(crate) fn looks() -> u64 {
    Io::here().map_or(0, |io| io.looks())
}

/// Waits until the lane has looked at the I/O more than `looks` times. If it has to wait, the tasks that the look wakes have their
/// turns first.
pub(crate) async fn look_after(looks: u64) {
    match Io::here() {
        Some(io) => io.look_after(looks).await,
        #[cfg(test)] // Unit tests run futures without a lane.
        None => tokio::task::yield_now().await,
        #[cfg(not(test))]
        None => {}
    }
}

/// Waits for the lane's next look at the I/O.
pub(crate) async fn look() {
    look_after(looks()).await;
}

/// Runs a future, with what it opens, on a lane of its own.
#[cfg(test)]
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let lane = Lane::new().unwrap();
    drives(Some(&lane));
    let mut future = pin!(future);
    let waker = Waker::from(lane.io.clone());
    let output = loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => break output,
            Poll::Pending => lane.step(),
        }
    };
    drives(None);
    lane.clear();
    output
}

/// A deadline of a task.
struct Timer {
    /// Where it is set, and when. Tasks are driven by lanes alone, so there is a lane.
    set: Option<(Arc<Lane>, Alarm)>,
    alert: Arc<Alert>,
}

/// What the lane serves when the deadline has come.
#[derive(Default)]
struct Alert {
    mark: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_over: bool,
    task: Option<Waker>,
}

impl Served for Alert {
    fn serve(self: Arc<Self>, _: bool) {
        let mut state = self.state.lock();
        state.is_over = true;
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    fn mark(&self) -> &AtomicBool {
        &self.mark
    }
}

impl Timer {
    fn new(deadline: Instant) -> Timer {
        let alert = Arc::new(Alert::default());
        let set = led().map(|lane| {
            let alarm = lane.service.at(deadline, &alert);
            (lane, alarm)
        });
        Timer { set, alert }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.alert.state.lock();
        if state.is_over {
            return Poll::Ready(());
        }
        match &mut state.task {
            Some(task) => task.clone_from(cx.waker()),
            task => *task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((lane, alarm)) = &self.set {
            lane.service.cancel(*alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;

    use tokio::io::AsyncReadExt as _;

    use super::super::{Config, Runtime};
    use super::*;
    use crate::net::TcpStream;

    /// Only a guard.
    const FAR: Duration = Duration::from_secs(60);

    /// Runs a task on a lane.
    fn on_a_lane<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        let (tell, told) = channel();
        runtime
            .spawn(&runtime.choose_lane().unwrap(), Box::pin(async move { tell.send(task.await).unwrap() }));
        let answer = told.recv_timeout(FAR).expect("the task ends");
        runtime.end(Instant::now() + FAR);
        answer
    }

    #[test]
    fn what_takes_too_long_is_given_up_and_nothing_else() {
        let answers = on_a_lane(async {
            let quick = in_time(FAR, sleep(Duration::from_millis(1))).await;
            let slow = in_time(Duration::from_millis(1), sleep(FAR)).await;
            let at_once = in_time(Duration::ZERO, std::future::ready(())).await;
            let too_late = before(Some(Instant::now()), pending::<()>()).await;
            let without_end = in_time(Duration::MAX, sleep(Duration::from_millis(1))).await;
            [quick, slow, at_once, too_late, without_end]
        });
        assert_eq!(answers, [Some(()), None, Some(()), None, Some(())]);
    }

    #[test]
    fn what_arrived_by_the_deadline_is_in_time() {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let read = on_a_lane(async move {
            let mut stream = TcpStream::new(stream).unwrap();
            let deadline = Instant::now() + Duration::from_millis(5);
            let mut begun = false;
            let reading = async {
                let mut byte = [0];
                stream.read(&mut byte).await.map(|_| byte)
            };
            let mut reading = pin!(reading);
            before(
                Some(deadline),
                poll_fn(|cx| {
                    let polled = reading.as_mut().poll(cx);
                    // Holds the lane's thread past the deadline, as a stopped process would.
                    if !std::mem::replace(&mut begun, true) {
                        peer.write_all(&[7]).unwrap();
                        while Instant::now() < deadline {
                            std::thread::yield_now();
                        }
                    }
                    polled
                }),
            )
            .await
        });
        assert_eq!(read.map(Result::unwrap), Some([7]));
    }

    #[test]
    fn a_dropped_timer_is_cancelled() {
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        drives(Some(&runtime.choose_lane().unwrap()));
        let timer = Timer::new(Instant::now() + FAR);
        let alert = Arc::downgrade(&timer.alert);
        assert_eq!(alert.strong_count(), 2, "the timer and the lane hold it");
        drop(timer);
        assert!(alert.upgrade().is_none());
        drives(None);
        runtime.end(Instant::now() + FAR);
    }
}
