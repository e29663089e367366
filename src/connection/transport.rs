//! The byte stream beneath a connection, and the door through which tungstenite reaches it.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{ready, Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::scan::Scan;

/// How long the link stays open after the last that this side sends, for the peer to read it and to close the
/// link.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// So many full reads in a row mean that more is coming than a small buffer takes.
const FULL_READS: u32 = 4;

/// TCP, with or without TLS.
#[derive(Debug)]
pub enum Transport {
    /// ws.
    Plain(Tcp),
    /// wss.
    Tls(Box<TlsStream<Tcp>>),
}

impl Transport {
    /// Ends this side of the stream and waits, within bounds, until the peer has read all and ends its own
    /// (RFC 6455 7.1.1). Hanging up at once would reset the link if the peer has sent more, and the reset
    /// would overtake what was written last.
    pub(crate) async fn linger(mut self) {
        // Whether the peer was in time makes no difference.
        let _ = tokio::time::timeout(LINGER, poll_fn(|cx| self.poll_drain(cx))).await;
    }

    /// The body of [`Transport::linger`], without its bound.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = ready!(Pin::new(&mut *self).poll_shutdown(cx));
        let mut buffer = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            match ready!(Pin::new(&mut *self).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => continue,
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// TCP whose every write spares the process SIGPIPE; tokio's vectored write, which TLS uses, does not.
#[derive(Debug)]
pub struct Tcp(pub TcpStream);

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.get_mut().0;
        loop {
            ready!(stream.poll_write_ready(cx))?;
            let sent = stream.try_io(Interest::WRITABLE, || {
                SockRef::from(stream).send_vectored_with_flags(bufs, libc::MSG_NOSIGNAL)
            });
            match sent {
                // Not ready after all; waiting for it again registers the waker.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A transport for code that knows `WouldBlock` instead of tasks. Whoever calls, from whatever thread, it is
/// the connection's task that is woken when the transport is ready again.
#[derive(Debug)]
pub struct Door {
    /// `None` once the connection has hung up.
    transport: Option<Transport>,
    /// What arrived before there was a connection; read first.
    early: Vec<u8>,
    pub waker: Waker,
    /// Bytes have come in since this was last cleared.
    pub heard: bool,
    /// Where in the stream of frames they ended.
    pub scan: Scan,
    /// Reads in a row that filled the buffer.
    full_reads: u32,
    /// Reads end with the frame, so that there comes a moment between messages.
    pub stops_between_frames: bool,
}

impl Door {
    pub fn new(transport: Transport, early: Vec<u8>) -> Self {
        Door { transport: Some(transport), early, ..Door::closed() }
    }

    /// A door to nowhere.
    pub fn closed() -> Self {
        Door {
            transport: None,
            early: Vec::new(),
            waker: Waker::noop().clone(),
            heard: false,
            scan: Scan::default(),
            full_reads: 0,
            stops_between_frames: false,
        }
    }

    /// Closes the transport, whoever else still knows the connection.
    pub fn hang_up(&mut self) {
        self.transport = None;
    }

    /// Whether larger reads would have paid off since this was asked last: a large frame has begun, or many
    /// small ones came at once.
    pub fn take_busy(&mut self) -> bool {
        let full = self.full_reads >= FULL_READS;
        if full {
            self.full_reads = 0;
        }
        self.scan.take_large() || full
    }

    /// Whether a read may bring something. If not, the task is woken when it may.
    pub fn is_readable(&mut self) -> bool {
        match &self.transport {
            Some(Transport::Plain(tcp)) if self.early.is_empty() => {
                tcp.0.poll_read_ready(&mut Context::from_waker(&self.waker)).is_ready()
            }
            // TLS may hold what it has decrypted.
            _ => true,
        }
    }

    pub fn transport(&mut self) -> io::Result<&mut Transport> {
        self.transport.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let transport = self.transport.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        match poll(Pin::new(transport), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Door {
    fn read(&mut self, mut buf: &mut [u8]) -> io::Result<usize> {
        if self.stops_between_frames {
            let rest = self.scan.rest_of_frame();
            if (1..buf.len()).contains(&rest) {
                buf = buf.split_at_mut(rest).0;
            }
        }
        let mut buf = ReadBuf::new(buf);
        if self.early.is_empty() {
            self.poll(|transport, cx| transport.poll_read(cx, &mut buf))?;
        } else {
            let rest = self.early.split_off(buf.remaining().min(self.early.len()));
            buf.put_slice(&std::mem::replace(&mut self.early, rest));
        }
        let length = buf.filled().len();
        self.full_reads = if buf.remaining() == 0 { self.full_reads.saturating_add(1) } else { 0 };
        self.heard |= length > 0;
        self.scan.feed(buf.filled());
        Ok(length)
    }
}

impl Write for Door {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.poll(|transport, cx| transport.poll_write(cx, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.poll(|transport, cx| transport.poll_flush(cx))
    }
}
