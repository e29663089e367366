//! The byte stream beneath a connection: TCP, with or without TLS.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// How long the link stays open after the last that this side sends, for the peer to read it and to close the
/// link.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

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
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

impl Transport {
    /// How many bytes it has carried, TLS and handshakes included.
    pub(crate) fn carried(&self) -> Carried {
        match self {
            Transport::Plain(tcp) => tcp.carried,
            Transport::Tls(stream) => stream.get_ref().0.carried,
        }
    }

    /// How many bytes the system may hold for it.
    pub(crate) fn receive_buffer(&self) -> u64 {
        let tcp = match self {
            Transport::Plain(tcp) => tcp,
            Transport::Tls(stream) => stream.get_ref().0,
        };
        SockRef::from(&tcp.stream).recv_buffer_size().map_or(0, |size| size as u64)
    }

    /// Makes the next reads ask the system, whatever the runtime knows: its last look at the sockets may be older
    /// than what lies in this one.
    pub(crate) fn ask_the_system(&mut self) {
        match self {
            Transport::Plain(tcp) => tcp.asks = true,
            Transport::Tls(stream) => stream.get_mut().0.asks = true,
        }
    }

    /// Whether a short read tells that nothing more is there.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }

    /// Reads what is there.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(self).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads up to `most` bytes behind those of a buffer that has room for them.
    pub(crate) fn poll_receive_behind(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut room = bytes::BufMut::limit(buffer, most);
        let read = std::pin::pin!(self.read_buf(&mut room));
        std::future::Future::poll(read, cx)
    }

    /// Asks to be woken when there is something to read. Whether there may be already.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Transport::Plain(tcp) => tcp.stream.poll_read_ready(cx).map(|_| ()),
            // Only a read can tell: TLS may hold what it has decrypted.
            Transport::Tls(_) => Poll::Ready(()),
        }
    }

    /// Writes what fits.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (&mut *self, parts) {
            (Transport::Plain(tcp), [part]) => Pin::new(tcp).poll_write(cx, part),
            _ => Pin::new(self).poll_write_vectored(cx, parts),
        }
    }
}

/// TCP whose every write spares the process SIGPIPE; tokio's vectored write, which TLS uses, does not.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    carried: Carried,
    /// Reads go to the system until it has nothing.
    asks: bool,
}

/// How many bytes a connection has carried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// To the peer.
    pub sent: u64,
    /// From the peer.
    pub received: u64,
}

impl Tcp {
    /// A connection that has carried nothing.
    pub fn new(stream: TcpStream) -> Tcp {
        Tcp { stream, carried: Carried::default(), asks: false }
    }

    /// The other end.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    #[inline]
    fn count_sent(&mut self, sent: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(sent)) = &sent {
            self.carried.sent += *sent as u64;
        }
        sent
    }
}

/// Reads what the system has.
fn ask(stream: &TcpStream, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    match (&*SockRef::from(stream)).read(buf.initialize_unfilled()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        read => Poll::Ready(read.map(|count| buf.advance(count))),
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tcp = self.get_mut();
        let before = buf.filled().len();
        let mut read = Poll::Pending;
        if tcp.asks {
            read = ask(&tcp.stream, buf);
            tcp.asks = read.is_ready();
        }
        if read.is_pending() {
            read = Pin::new(&mut tcp.stream).poll_read(cx, buf);
        }
        tcp.carried.received += (buf.filled().len() - before) as u64;
        read
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let tcp = self.get_mut();
        let sent = Pin::new(&mut tcp.stream).poll_write(cx, buf);
        tcp.count_sent(sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tcp = self.get_mut();
        let stream = &tcp.stream;
        loop {
            ready!(stream.poll_write_ready(cx))?;
            let sent = stream.try_io(Interest::WRITABLE, || {
                SockRef::from(stream).send_vectored_with_flags(bufs, libc::MSG_NOSIGNAL)
            });
            match sent {
                // Not ready after all; waiting for it again registers the waker.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                sent => return tcp.count_sent(Poll::Ready(sent)),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
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

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::task::Waker;

    use super::*;

    /// The runtime sees the socket only when it waits, which this test never lets it do in between.
    #[test]
    fn a_read_can_go_past_the_last_look_of_the_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut transport = Transport::Plain(Tcp::new(listener.accept().await.unwrap().0));
            let mut cx = Context::from_waker(Waker::noop());
            let mut buffer = [0; 3];
            assert!(transport.poll_receive(&mut cx, &mut buffer).is_pending());
            peer.write_all(b"close").unwrap();
            assert!(transport.poll_receive(&mut cx, &mut buffer).is_pending());
            transport.ask_the_system();
            let mut read = || match transport.poll_receive(&mut cx, &mut buffer) {
                Poll::Ready(Ok(length)) => Some(buffer[..length].to_vec()),
                _ => None,
            };
            assert_eq!(read().as_deref(), Some(&b"clo"[..]));
            assert_eq!(read().as_deref(), Some(&b"se"[..]));
            assert_eq!(read(), None);
            assert_eq!(transport.carried().received, 5);
        });
    }
}
