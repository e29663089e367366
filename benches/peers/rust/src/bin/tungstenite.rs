//! Bare tokio-tungstenite at its best: one thread, everything that is ready is fed, and it is flushed once when nothing more
//! is waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::{Sink, Stream as _};
use peers::{Serve, Stream, Task};
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
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

fn main() {
    let task = Task::read();
    if task.client {
        std::process::exit(2);
    }
    peers::serve(&task, Echo);
}
