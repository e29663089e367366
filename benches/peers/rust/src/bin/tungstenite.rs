//! Bare tokio-tungstenite at its best: one thread, everything that is ready is fed, and it is flushed once when nothing more
//! is waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::{Sink, Stream as _, StreamExt};
use peers::{Exchange, Serve, Stream, Task};
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{accept_async_with_config, client_async, WebSocketStream};

/// Each connection's, where a message goes to all.
static EVERYONE: Mutex<Vec<UnboundedSender<Message>>> = Mutex::new(Vec::new());

fn everyone() -> std::sync::MutexGuard<'static, Vec<UnboundedSender<Message>>> {
    EVERYONE.lock().expect("no thread panicked with it")
}

/// Sends each message back, or to all.
#[derive(Clone, Copy)]
struct Server {
    broadcast: bool,
}

impl Serve for Server {
    async fn serve<S: Stream>(self, stream: S) {
        // The default read buffer, 128 KiB, would stay with each client.
        let config = WebSocketConfig::default().read_buffer_size(16 << 10);
        let Ok(mut link) = accept_async_with_config(stream, Some(config)).await else { return };
        let (mut unsent, mut unflushed) = (VecDeque::new(), false);
        let mut inbox = self.broadcast.then(|| {
            let (sender, inbox) = unbounded_channel();
            everyone().push(sender);
            inbox
        });
        unconstrained(poll_fn(|context| loop {
            let mut link = Pin::new(&mut link);
            if let Some(inbox) = &mut inbox {
                while let Poll::Ready(Some(message)) = inbox.poll_recv(context) {
                    unsent.push_back(message);
                }
            }
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
                    if self.broadcast {
                        everyone().retain(|one| one.send(message.clone()).is_ok());
                    } else {
                        unsent.push_back(message);
                    }
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
    async fn open(stream: Box<dyn Stream>) -> Client {
        Client(client_async("ws://localhost/", stream).await.expect("the handshake").0)
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
        peers::serve(&task, Server { broadcast: task.broadcast });
    }
}
