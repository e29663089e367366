//! fastwebsockets, as its own echo example uses it: a frame is read, and written back.

use std::future::Future;
use std::time::{Duration, Instant};

use fastwebsockets::upgrade::{upgrade, UpgradeFut};
use fastwebsockets::{handshake, FragmentCollector, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::Request;
use hyper_util::rt::TokioIo;
use peers::{Exchange, Serve, Stream, Task};
use tokio::task::unconstrained;

type Link = FragmentCollector<TokioIo<Upgraded>>;

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut link = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = link.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => link.write_frame(frame).await?,
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
struct Echo;

impl Serve for Echo {
    async fn serve<S: Stream>(self, stream: S) {
        let answer = service_fn(|mut request: Request<Incoming>| async move {
            let (response, upgraded) = upgrade(&mut request)?;
            tokio::spawn(unconstrained(echo(upgraded)));
            Ok::<_, WebSocketError>(response)
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).with_upgrades().await;
    }
}

/// hyper's tasks run on the runtime of this thread.
struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

struct Client(Link);

impl Exchange for Client {
    async fn open(stream: Box<dyn Stream>) -> Client {
        let request = Request::get("/")
            .header(HOST, "localhost")
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let (link, _) = handshake::client(&Spawn, request, stream).await.expect("the handshake");
        Client(FragmentCollector::new(link))
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
    if task.broadcast {
        peers::refuse();
    }
    if task.client {
        peers::run_client::<Client>(&task);
    } else {
        peers::serve(&task, Echo);
    }
}
