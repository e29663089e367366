//! A bare tokio-tungstenite client at its best: one thread, everything that is ready is fed, and it is flushed
//! once when nothing more is waiting.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::{Sink, Stream as _};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::WebSocketStream;

use crate::meter::{micros, report_burst, report_connects, report_slope, Meter};
use crate::os::{cpu_time, holdings};
use crate::Task;

/// TCP, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Link = WebSocketStream<Box<dyn Stream>>;

/// Where to connect to, and how to speak TLS there.
struct Peer {
    address: String,
    path: String,
    tls: Option<TlsConnector>,
}

impl Peer {
    fn new(task: &Task) -> Peer {
        let (_, rest) = task.url.split_once("://").expect("a URL");
        let (address, path) = rest.split_once('/').expect("a path");
        let tls = task.certificate.as_deref().map(|path| TlsConnector::from(crate::tls::client_config(path)));
        Peer { address: address.to_owned(), path: path.to_owned(), tls }
    }

    async fn connect(&self, config: WebSocketConfig) -> Link {
        let Peer { address, path, tls } = self;
        let stream = TcpStream::connect(address).await.expect("connect");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let mut stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from("127.0.0.1").expect("a name");
                Box::new(tls.connect(name, stream).await.expect("TLS"))
            }
        };
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("request");
        let mut answer = Vec::with_capacity(1024);
        let end = loop {
            assert_ne!(stream.read_buf(&mut answer).await.expect("answer"), 0, "the peer hung up");
            if let Some(at) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        let rest = answer.split_off(end);
        WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await
    }
}

/// Sends what `outgoing` has, and hands on what comes in, until `incoming` says that it was the last.
async fn pump(
    link: &mut Link,
    mut outgoing: impl FnMut(&mut Context<'_>) -> Poll<Message>,
    mut incoming: impl FnMut(Bytes) -> bool,
) {
    let mut unflushed = false;
    unconstrained(poll_fn(|context| loop {
        let mut link = Pin::new(&mut *link);
        while link.as_mut().poll_ready(context).map(|ready| ready.expect("send")).is_ready() {
            let Poll::Ready(message) = outgoing(context) else { break };
            link.as_mut().start_send(message).expect("send");
            unflushed = true;
        }
        match link.as_mut().poll_next(context) {
            Poll::Ready(message) => {
                let message = message.expect("the peer hung up").expect("receive");
                if (message.is_binary() || message.is_text()) && incoming(message.into_data()) {
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

pub fn run(task: &Task) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        match task.measure.as_str() {
            "rtt" => echo(task, Meter::of_round_trips(task.count), 1).await,
            "pipeline" | "stream" => echo(task, Meter::new(task.count), task.window).await,
            "app" => app(task).await,
            "burst" => burst(task).await,
            "connect" => connects(task).await,
            "idle" => idle(task).await,
            other => panic!("no such measure: {other}"),
        }
    });
}

/// Keeps `window` messages under way; each that comes back sends the next.
async fn echo(task: &Task, mut meter: Meter, window: u64) {
    let mut link = Peer::new(task).connect(WebSocketConfig::default()).await;
    let payload = Bytes::from(vec![b'x'; task.size]);
    let to_send = Cell::new(window);
    let mut unsent = meter.total() - window;
    let outgoing = |_: &mut Context<'_>| match to_send.get() {
        0 => Poll::Pending,
        count => {
            to_send.set(count - 1);
            Poll::Ready(Message::Binary(payload.clone()))
        }
    };
    let incoming = |data: Bytes| {
        assert_eq!(data.len(), task.size);
        if unsent > 0 {
            unsent -= 1;
            to_send.set(to_send.get() + 1);
        }
        meter.saw()
    };
    pump(&mut link, outgoing, incoming).await;
    meter.report(task.size);
}

/// Round trips that a thread outside the runtime sends.
async fn app(task: &Task) {
    let mut link = Peer::new(task).connect(WebSocketConfig::default()).await;
    let mut meter = Meter::of_round_trips(task.count);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let arrived = Arc::new(AtomicBool::new(true));
    let total = meter.total();
    let size = task.size;
    let thread = std::thread::spawn({
        let arrived = arrived.clone();
        move || {
            for _ in 0..total {
                while !arrived.swap(false, Ordering::Acquire) {
                    std::thread::park();
                }
                sender.send(Message::Binary(Bytes::from(vec![b'x'; size]))).expect("the runtime is there");
            }
            // The runtime ends with the last answer.
            sender
        }
    });
    let outgoing =
        |context: &mut Context<'_>| receiver.poll_recv(context).map(|message| message.expect("sender"));
    let incoming = |_: Bytes| {
        let last = meter.saw();
        arrived.store(true, Ordering::Release);
        thread.thread().unpark();
        last
    };
    pump(&mut link, outgoing, incoming).await;
    drop(thread.join());
    meter.report(task.size);
}

/// Messages that a thread outside the runtime sends as fast as it can; the peer answers only the last.
async fn burst(task: &Task) {
    let mut link = Peer::new(task).connect(WebSocketConfig::default()).await;
    // As many as fit in the library's queue.
    let (sender, mut receiver) = mpsc::channel((16 << 20) / task.size);
    let (count, size) = (task.count, task.size);
    let start = Instant::now();
    let start_cpu = cpu_time();
    let thread = std::thread::spawn(move || {
        let payload = vec![b'x'; size];
        let mut waited = Duration::ZERO;
        let start = Instant::now();
        for _ in 0..count {
            let message = Message::Binary(Bytes::copy_from_slice(&payload));
            if let Err(mpsc::error::TrySendError::Full(message)) = sender.try_send(message) {
                let full = Instant::now();
                sender.blocking_send(message).expect("the runtime is there");
                waited += full.elapsed();
            }
        }
        let calls = start.elapsed() - waited;
        sender.blocking_send(Message::Text("last".into())).expect("the runtime is there");
        (calls, sender)
    });
    let outgoing =
        |context: &mut Context<'_>| receiver.poll_recv(context).map(|message| message.expect("sender"));
    pump(&mut link, outgoing, |_| true).await;
    let (whole, cpu) = (start.elapsed(), cpu_time() - start_cpu);
    let (calls, _sender) = thread.join().expect("the sender");
    report_burst(count, calls, whole, cpu);
}

async fn connects(task: &Task) {
    let peer = Peer::new(task);
    let mut opens = Vec::new();
    for _ in 0..task.count {
        let start = Instant::now();
        let link = peer.connect(WebSocketConfig::default()).await;
        opens.push(micros(start.elapsed()));
        drop(link);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    report_connects(&mut [], &mut opens);
}

/// The read buffer is 16 KiB here: the default one, 128 KiB, would stay with each client.
async fn idle(task: &Task) {
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    let peer = Peer::new(task);
    let payload = Bytes::from(vec![b'x'; task.size]);
    let mut few = None;
    for number in 1..=task.count {
        let mut link = peer.connect(config).await;
        let (to_send, mut left) = (Cell::new(1), 10);
        let outgoing = |_: &mut Context<'_>| match to_send.replace(0) {
            0 => Poll::Pending,
            _ => Poll::Ready(Message::Binary(payload.clone())),
        };
        let incoming = |_: Bytes| {
            to_send.set(1);
            left -= 1;
            left == 0
        };
        pump(&mut link, outgoing, incoming).await;
        tokio::spawn(async move { pump(&mut link, |_| Poll::Pending, |_| false).await });
        if number == task.count / 10 {
            tokio::time::sleep(crate::SETTLE).await;
            few = Some(holdings());
        }
    }
    tokio::time::sleep(crate::SETTLE).await;
    report_slope(few.expect("at least 10 clients"), holdings(), (task.count - task.count / 10) as usize);
}
