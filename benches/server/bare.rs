//! A bare tokio-tungstenite echo server at its best: one thread, everything that is ready is fed, and it is flushed
//! once when nothing more is waiting.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::{Sink, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::WebSocketStream;

/// Serves until stdin ends. The read buffer is 16 KiB: the default one, 128 KiB, would stay with each client.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    std::thread::spawn(crate::end_with_stdin);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            tokio::spawn(echo(stream));
        }
    });
}

async fn echo(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut request = Vec::with_capacity(1024);
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    let request = String::from_utf8_lossy(&request);
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
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
    Some(())
}
