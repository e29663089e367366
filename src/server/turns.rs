//! Turns of TLS handshakes: each step of one may cost milliseconds, and between two of them the I/O of everyone else has its turn.

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::places::Underway;

#[derive(Default)]
pub(super) struct Turns {
    /// Held by the handshake whose turn it is; the others wait in the order in which they came.
    turn: tokio::sync::Mutex<()>,
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
            let turn = underway.excused(self.turn.lock()).await;
            let step = handshake.as_mut().poll(&mut Context::from_waker(&waker));
            has_looked_at_io().await;
            drop(turn);
            if let Poll::Ready(done) = step {
                return done;
            }
        }
    }
}

/// Waits until the runtime has looked at the I/O; what that woke runs first. Nothing else ends it: yield_now() alone would end
/// with the next poll, and a timer that has run out polls once more.
async fn has_looked_at_io() {
    let looked = Woken::new(false);
    let waker = Waker::from(looked.clone());
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
    poll_fn(|cx| looked.poll(cx)).await;
}

/// Tells what it is the waker of from whatever else wakes the task.
struct Woken {
    is_woken: AtomicBool,
    task: Mutex<Waker>,
}

impl Woken {
    fn new(is_woken: bool) -> Arc<Woken> {
        Arc::new(Woken { is_woken: AtomicBool::new(is_woken), task: Mutex::new(Waker::noop().clone()) })
    }

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
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::super::places::Places;
    use super::*;

    #[test]
    fn between_two_steps_of_handshakes_what_has_arrived_is_read() {
        const STEPS: usize = 20;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        runtime.block_on(async {
            let (turns, places) = (Arc::new(Turns::default()), Places::new(None));
            let (mut reader, writer) = UnixStream::pair().unwrap();
            let writer = Arc::new(tokio::sync::Mutex::new(writer));
            for _ in 0..STEPS {
                let (turns, writer, seen) = (turns.clone(), writer.clone(), seen.clone());
                places.begin(Ipv4Addr::LOCALHOST.into(), false, |underway| {
                    let handshake = async move {
                        let step = async {
                            seen.lock().push('S');
                            writer.lock().await.write_all(b"x").await.unwrap();
                        };
                        let mut turn = pin!(turns.take(step, &underway));
                        // Polled more often than it is woken, as by a timer that has run out.
                        poll_fn(|cx| match turn.as_mut().poll(cx) {
                            Poll::Pending => turn.as_mut().poll(cx),
                            ready => ready,
                        })
                        .await;
                    };
                    tokio::spawn(handshake).abort_handle()
                });
            }
            for _ in 0..STEPS {
                reader.read_u8().await.unwrap();
                seen.lock().push('R');
            }
        });
        assert_eq!(*seen.lock(), "SR".repeat(STEPS));
    }
}
