//! Bare tokio-tungstenite at its best: one thread, everything that is ready is fed, and it is flushed once when nothing more
//! is waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, Sink, Stream as _, StreamExt};
use peers::{Exchange, Serve, Stream, Task};
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::WebSocketStream;

#[derive(Clone, Copy)]
struct Echo;

impl Serve for Echo {
    async fn serve<S: Stream>(self, stream: S) {
        // The default read buffer, 128 KiB, would stay with each client.
        let config = WebSocketConfig::default().read_buffer_size(16 << 10);
        let mut link = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        let (mut unsent, mut unflushed) = (VecDeque::new(), false);
        unconstrained(poll_fn(|context| loop {
            let mut link = Pin::new(&mut link);
            while !unsent.is_empty() {
                match link.as_mut().poll_ready(context) {
                    Poll::Pending => break,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(())) => {}
                }
                let Some(message) = unsent.pop_front() else { break };
                if link.as_mut().start_send(message).is_err() {
                    return Poll::Ready(());
                }
                unflushed = true;
            }
            match link.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(message))) if message.is_binary() || message.is_text() => {
                    unsent.push_back(message)
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    if unflushed && link.as_mut().poll_flush(context).is_ready() {
                        unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }))
        .await;
    }
}

struct Client(WebSocketStream<Box<dyn Stream>>);

impl Exchange for Client {
    fn open(stream: Box<dyn Stream>) -> Client {
        // Nothing in it waits: what is returned is ready.
        let link = WebSocketStream::from_raw_socket(stream, Role::Client, None).now_or_never();
        Client(link.expect("no waiting"))
    }

    async fn exchange(
        &mut self,
        window: usize,
        size: usize,
        count: usize,
        mut times: Option<&mut Vec<Duration>>,
    ) {
        let payload = Bytes::from(vec![b'a'; size]);
        let (mut to_send, mut unsent, mut to_receive) = (window, count - window, count);
        let (mut unflushed, mut sent_at) = (false, Instant::now());
        unconstrained(poll_fn(|context| loop {
            let mut link = Pin::new(&mut self.0);
            while to_send > 0
                && link.as_mut().poll_ready(context).map(|ready| ready.expect("send")).is_ready()
            {
                if times.is_some() {
                    sent_at = Instant::now();
                }
                link.as_mut().start_send(Message::Binary(payload.clone())).expect("send");
                to_send -= 1;
                unflushed = true;
            }
            match link.as_mut().poll_next(context) {
                Poll::Ready(message) => {
                    let message = message.expect("the server hung up").expect("receive");
                    if !message.is_binary() {
                        continue;
                    }
                    assert_eq!(message.len(), size);
                    if let Some(times) = &mut times {
                        times.push(sent_at.elapsed());
                    }
                    to_receive -= 1;
                    if unsent > 0 {
                        unsent -= 1;
                        to_send += 1;
                    }
                    if to_receive == 0 {
                        return Poll::Ready(());
                    }
                }
                Poll::Pending => {
                    if unflushed
                        && link.as_mut().poll_flush(context).map(|flushed| flushed.expect("send")).is_ready()
                    {
                        unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }))
        .await
    }

    async fn close(mut self) {
        self.0.close(None).await.expect("close");
        while self.0.next().await.is_some() {}
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
