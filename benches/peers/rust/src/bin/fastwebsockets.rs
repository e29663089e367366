//! fastwebsockets, as its own echo example uses it: a frame is read, and written back.

use std::time::{Duration, Instant};

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use peers::{Exchange, Serve, Stream, Task};
use tokio::task::unconstrained;

#[derive(Clone, Copy)]
struct Echo;

impl Serve for Echo {
    async fn serve<S: Stream>(self, stream: S) {
        let mut link = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
        unconstrained(async move {
            while let Ok(frame) = link.read_frame().await {
                let is_message = matches!(frame.opcode, OpCode::Text | OpCode::Binary);
                if frame.opcode == OpCode::Close || (is_message && link.write_frame(frame).await.is_err()) {
                    break;
                }
            }
        })
        .await;
    }
}

struct Client(FragmentCollector<Box<dyn Stream>>);

impl Exchange for Client {
    fn open(stream: Box<dyn Stream>) -> Client {
        Client(FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client)))
    }

    async fn exchange(
        &mut self,
        window: usize,
        size: usize,
        count: usize,
        mut times: Option<&mut Vec<Duration>>,
    ) {
        let payload = vec![b'a'; size];
        let mut unsent = count - window;
        unconstrained(async move {
            // What is written is masked in place.
            let message = || Frame::binary(Payload::Owned(payload.clone()));
            let mut sent_at = Instant::now();
            for _ in 0..window {
                self.0.write_frame(message()).await.expect("send");
            }
            for _ in 0..count {
                let answer = self.0.read_frame().await.expect("receive");
                assert!(answer.opcode == OpCode::Binary && answer.payload.len() == size);
                if let Some(times) = &mut times {
                    times.push(sent_at.elapsed());
                    sent_at = Instant::now();
                }
                if unsent > 0 {
                    unsent -= 1;
                    self.0.write_frame(message()).await.expect("send");
                }
            }
        })
        .await
    }

    async fn close(mut self) {
        self.0.write_frame(Frame::close(1000, b"")).await.expect("close");
        let _ = self.0.read_frame().await;
    }
}

fn main() {
    let task = Task::read();
    if task.client {
        peers::run_client::<Client>(&task);
    } else {
        peers::serve(&task, Echo);
    }
}
