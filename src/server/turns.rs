//! Turns of TLS handshakes: each step of one may cost milliseconds, and between two of them the I/O of everyone else has its turn.

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::places::Underway;
use crate::runtime::{look_after, looks};

#[derive(Default)]
pub(super) struct Turns {
    /// Held by the handshake whose turn it is; the others wait in the order in which they came. The value is how many times the
    /// lane had looked at the I/O when the last turn ended.
    turn: tokio::sync::Mutex<u64>,
}

impl Turns {
    /// Runs a handshake, one step in each turn.
    pub async fn take<T>(&self, handshake: impl Future<Output = T>, underway: &Underway) -> T {
        let mut handshake = pin!(handshake);
        let woken =
            Arc::new(Woken { is_woken: AtomicBool::new(true), task: Mutex::new(Waker::noop().clone()) });
        let waker = Waker::from(woken.clone());
        loop {
            poll_fn(|cx| woken.poll(cx)).await;
            let turn = async {
                let turn = self.turn.lock().await;
                look_after(*turn).await;
                turn
            };
            let mut turn = underway.excused(turn).await;
            let step = handshake.as_mut().poll(&mut Context::from_waker(&waker));
            *turn = looks();
            drop(turn);
            if let Poll::Ready(done) = step {
                return done;
            }
        }
    }
}

/// Tells what it is the waker of from whatever else wakes the task.
struct Woken {
    is_woken: AtomicBool,
    task: Mutex<Waker>,
}

impl Woken {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.task.lock().clone_from(cx.waker());
        match self.is_woken.swap(false, Ordering::AcqRel) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.lock().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Ipv4Addr;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use tokio::io::AsyncReadExt;

    use super::super::places::Places;
    use super::*;
    use crate::net::TcpStream;
    use crate::runtime::{Config, Runtime};

    /// Only a guard.
    const FAR: Duration = Duration::from_secs(60);

    #[test]
    fn between_two_steps_of_handshakes_what_has_arrived_is_read() {
        const STEPS: usize = 20;
        let runtime = Runtime::start(Config::DEFAULT).unwrap();
        let lane = runtime.choose_lane().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        let (of, on, sees) = (runtime.clone(), lane.clone(), seen.clone());
        let (tell, told) = channel();
        let test = async move {
            let (turns, places) = (Arc::new(Turns::default()), Places::new(None));
            let (reader, writer) = UnixStream::pair().unwrap();
            reader.set_nonblocking(true).unwrap();
            let mut reader = TcpStream::new(reader).unwrap();
            let writer = Arc::new(writer);
            for _ in 0..STEPS {
                let (turns, writer, seen) = (turns.clone(), writer.clone(), sees.clone());
                places.begin(Ipv4Addr::LOCALHOST.into(), false, |underway| {
                    let handshake = async move {
                        let step = async {
                            seen.lock().push('S');
                            (&*writer).write_all(b"x").unwrap();
                        };
                        let mut turn = pin!(turns.take(step, &underway));
                        // Polled more often than it is woken, as by a timer that has run out.
                        poll_fn(|cx| match turn.as_mut().poll(cx) {
                            Poll::Pending => turn.as_mut().poll(cx),
                            ready => ready,
                        })
                        .await;
                    };
                    of.spawn(&on, Box::pin(handshake))
                });
            }
            for _ in 0..STEPS {
                reader.read_u8().await.unwrap();
                sees.lock().push('R');
            }
            tell.send(()).unwrap();
        };
        runtime.spawn(&lane, Box::pin(test));
        told.recv_timeout(FAR).expect("all have their turns");
        runtime.end(Instant::now() + FAR);
        assert_eq!(*seen.lock(), "SR".repeat(STEPS));
    }
}
