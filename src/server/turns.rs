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
            // Comes back when the runtime has looked at the I/O, and what that woke runs first.
            tokio::task::yield_now().await;
            drop(turn);
            if let Poll::Ready(done) = step {
                return done;
            }
        }
    }
}

/// Tells a handshake that its peer has sent something from whatever else wakes its task.
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
                places.begin(Ipv4Addr::LOCALHOST.into(), |underway| {
                    let handshake = async move {
                        let step = async {
                            seen.lock().push('S');
                            writer.lock().await.write_all(b"x").await.unwrap();
                        };
                        turns.take(step, &underway).await;
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
