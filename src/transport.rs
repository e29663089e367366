//! The byte stream beneath a connection: TCP, with or without TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{ready, Context, Poll, Waker};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::net::{without_budget, TcpStream};

/// How long the link stays open after the last that this side sends, for the peer to read it and to close the
/// link.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// How often a turn may read from the system: enough for 64 KiB of TLS, which reads 4 KiB at a time.
const TURN_READS: u32 = 20;

/// TCP, with or without TLS.
#[derive(Debug)]
pub enum Transport {
    /// ws.
    Plain(Tcp),
    /// wss.
    Tls(Box<TlsStream<Tcp>>),
}

impl Transport {
    /// Ends this side of the stream (noted in `is_shut`) and waits until the peer has read everything and ends its own
    /// (RFC 6455 7.1.1). Hanging up at once would reset the link if the peer has sent more, and the reset would overtake
    /// what was written last.
    pub(crate) fn poll_drain(&mut self, is_shut: &mut bool, cx: &mut Context<'_>) -> Poll<()> {
        if !*is_shut {
            let _ = ready!(Pin::new(&mut *self).poll_shutdown(cx));
            *is_shut = true;
        }
        self.begin_turn();
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
    fn tcp(&self) -> &Tcp {
        match self {
            Transport::Plain(tcp) => tcp,
            Transport::Tls(stream) => stream.get_ref().0,
        }
    }

    fn tcp_mut(&mut self) -> &mut Tcp {
        match self {
            Transport::Plain(tcp) => tcp,
            Transport::Tls(stream) => stream.get_mut().0,
        }
    }

    /// How many bytes it has carried, TLS and handshakes included.
    pub(crate) fn carried(&self) -> Carried {
        self.tcp().carried
    }

    /// How many bytes the system may hold for it.
    pub(crate) fn receive_buffer(&self) -> u64 {
        SockRef::from(&self.tcp().stream).recv_buffer_size().map_or(0, |size| size as u64)
    }

    /// Makes the next reads ask the system, whatever the lane knows: its last look at the sockets may be older
    /// than what lies in this one.
    pub(crate) fn ask_the_system(&mut self) {
        self.tcp_mut().stream.ask_the_system();
    }

    /// From now on, reading ends after a number of reads from the system, and goes on in the next turn. By itself, TLS would read
    /// until data has come, whatever else the peer sends.
    pub(crate) fn begin_turn(&mut self) {
        self.tcp_mut().reads_left = TURN_READS;
    }

    /// Whether the turn has no reads left, so that there may be more.
    pub(crate) fn is_turn_over(&self) -> bool {
        self.tcp().reads_left == 0
    }

    /// The certificates that the peer has presented in TLS, its own first.
    pub(crate) fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        match self {
            Transport::Plain(_) => &[],
            Transport::Tls(stream) => stream.get_ref().1.peer_certificates().unwrap_or_default(),
        }
    }

    /// Whether a short read tells that nothing more is there.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }

    /// Whether nothing is left to be read.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.ask_the_system();
        self.begin_turn();
        let mut cx = Context::from_waker(Waker::noop());
        let read = without_budget(|| self.poll_receive(&mut cx, &mut [0]));
        matches!(read, Poll::Pending | Poll::Ready(Ok(0) | Err(_)))
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

    /// Asks to be woken when there is something to read. Whether there may be already.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Transport::Plain(tcp) => tcp.stream.poll_readable(cx),
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
        Pin::new(self).poll_write_vectored(cx, parts)
    }
}

/// TCP that counts what it carries.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    carried: Carried,
    /// How often this turn may still read.
    reads_left: u32,
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
    pub(crate) fn new(stream: TcpStream) -> Tcp {
        Tcp { stream, carried: Carried::default(), reads_left: u32::MAX }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tcp = self.get_mut();
        let Some(reads_left) = tcp.reads_left.checked_sub(1) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        tcp.reads_left = reads_left;
        let length = ready!(tcp.stream.poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(length);
        tcp.carried.received += length as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tcp = self.get_mut();
        let sent = ready!(tcp.stream.poll_write(cx, bufs))?;
        tcp.carried.sent += sent as u64;
        Poll::Ready(Ok(sent))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown())
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
    use std::future::poll_fn;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::runtime::run;

    /// A transport, and its peer.
    fn pair() -> (Transport, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (Transport::Plain(Tcp::new(TcpStream::new(near).unwrap())), far)
    }

    /// The lane sees the socket only when it looks, which this test never lets it do in between.
    #[test]
    fn a_read_can_go_past_the_last_look_of_the_lane() {
        run(async {
            let (mut transport, mut peer) = pair();
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

    #[test]
    fn a_turn_reads_so_often_and_then_asks_for_another() {
        run(async {
            let (mut transport, mut peer) = pair();
            peer.write_all(&[1; 4096]).unwrap();
            poll_fn(|cx| transport.poll_readable(cx)).await;
            for _ in 0..2 {
                transport.begin_turn();
                for _ in 0..TURN_READS {
                    let byte = poll_fn(|cx| transport.poll_receive(cx, &mut [0])).await;
                    assert_eq!(byte.unwrap(), 1);
                }
                assert!(transport.is_turn_over());
                let woken = Arc::new(Woken::default());
                let waker = Waker::from(woken.clone());
                assert!(transport.poll_receive(&mut Context::from_waker(&waker), &mut [0]).is_pending());
                assert!(woken.0.load(Ordering::SeqCst));
            }
        });
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
