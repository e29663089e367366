//! TCP for tasks.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, ReadBuf};

use super::budget::spend;
use super::io::{Io, Registration, Way};

/// A socket belongs to the lane of the thread that opens it.
fn register(socket: &impl AsRawFd) -> io::Result<Registration> {
    Io::here().ok_or(ErrorKind::NotConnected)?.add(socket.as_raw_fd())
}

/// A connection.
#[derive(Debug)]
pub(crate) struct TcpStream {
    // Dropped in this order.
    socket: net::TcpStream,
    registration: Registration,
    /// Nothing to read until the system says so.
    is_drained: bool,
    /// It takes no more until the system says so.
    is_full: bool,
}

impl TcpStream {
    /// Of a socket that does not block.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<TcpStream> {
        let socket = net::TcpStream::from(socket.into());
        let registration = register(&socket)?;
        Ok(TcpStream { socket, registration, is_drained: true, is_full: false })
    }

    /// Connects a socket that does not block. Returns the peer's address, too.
    pub async fn connect(socket: Socket, address: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = TcpStream::new(socket)?;
        loop {
            poll_fn(|cx| stream.registration.poll_ready(Way::Writing, cx, true)).await;
            if let Some(error) = stream.socket.take_error()? {
                return Err(error);
            }
            match stream.socket.peer_addr() {
                // The event was that of an earlier socket with this token, which a forked child still holds open.
                Err(error) if error.kind() == ErrorKind::NotConnected => {
                    stream.registration.found_nothing(Way::Writing);
                }
                peer => return peer.map(|peer| (stream, peer)),
            }
        }
    }

    /// Whether small writes go out at once.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    /// Has the next read ask the system, whatever it has reported.
    pub fn ask_the_system(&mut self) {
        self.is_drained = false;
    }

    /// Whether there may be something to read; if not, the task is woken when there is.
    #[inline]
    pub fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        match self.is_drained {
            true => self.registration.poll_ready(Way::Reading, cx, false),
            false => Poll::Ready(()),
        }
    }

    /// Reads what is there.
    pub fn poll_read(&mut self, cx: &Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(spend(cx));
        loop {
            if self.is_drained {
                ready!(self.registration.poll_ready(Way::Reading, cx, true));
                self.is_drained = false;
            }
            match self.socket.read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_drained = true;
                    self.registration.found_nothing(Way::Reading);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(length) => {
                    // After a short read, the system reports when more comes; an end that it has reported stays reported.
                    self.is_drained = 0 < length && length < room.len();
                    return Poll::Ready(Ok(length));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes what fits, and spares the process SIGPIPE.
    pub fn poll_write(&mut self, cx: &Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(spend(cx));
        loop {
            if self.is_full {
                ready!(self.registration.poll_ready(Way::Writing, cx, true));
                self.is_full = false;
            }
            let sent = match parts {
                [part] => self.socket.write(part),
                _ => SockRef::from(&self.socket).send_vectored_with_flags(parts, libc::MSG_NOSIGNAL),
            };
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_full = true;
                    self.registration.found_nothing(Way::Writing);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => {
                    let all = parts.iter().map(|part| part.len()).sum();
                    self.is_full = sent.as_ref().is_ok_and(|sent| (1..all).contains(sent));
                    return Poll::Ready(sent);
                }
            }
        }
    }

    /// Ends this side of the stream.
    pub fn shutdown(&self) -> io::Result<()> {
        self.socket.shutdown(net::Shutdown::Write)
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = ready!(self.get_mut().poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A listening socket.
#[cfg(feature = "server")]
#[derive(Debug)]
pub(crate) struct TcpListener {
    // Dropped in this order.
    socket: mio::net::TcpListener,
    registration: Registration,
    /// No client to accept until the system says so.
    is_drained: bool,
}

#[cfg(feature = "server")]
impl TcpListener {
    /// Of a socket that does not block.
    pub fn new(socket: net::TcpListener) -> io::Result<TcpListener> {
        let registration = register(&socket)?;
        let socket = mio::net::TcpListener::from_std(socket);
        Ok(TcpListener { socket, registration, is_drained: true })
    }

    /// Accepts a client.
    pub fn poll_accept(&mut self, cx: &Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        ready!(spend(cx));
        loop {
            if self.is_drained {
                ready!(self.registration.poll_ready(Way::Reading, cx, true));
                self.is_drained = false;
            }
            match self.socket.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_drained = true;
                    self.registration.found_nothing(Way::Reading);
                }
                Err(error) => return Poll::Ready(Err(error)),
                Ok((socket, address)) => {
                    return Poll::Ready(TcpStream::new(socket).map(|stream| (stream, address)))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::os::unix::net::UnixStream;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use super::super::{within_budget, BUDGET};
    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Count {
        fn take(&self) -> usize {
            self.0.swap(0, Ordering::SeqCst)
        }
    }

    /// Sockets of this thread, and a waker that counts.
    struct Here {
        io: Arc<Io>,
        count: Arc<Count>,
        waker: Waker,
    }

    impl Here {
        fn new() -> Here {
            let io = Io::new().unwrap();
            Io::enter(Some(io.clone()));
            let count = Arc::new(Count::default());
            Here { io, waker: count.clone().into(), count }
        }

        fn cx(&self) -> Context<'_> {
            Context::from_waker(&self.waker)
        }

        /// Looks without waiting. How often the waker was woken.
        fn look(&self) -> usize {
            self.io.look(Some(Duration::ZERO), || ());
            self.count.take()
        }
    }

    impl Drop for Here {
        fn drop(&mut self) {
            Io::enter(None);
        }
    }

    /// A stream, and its peer.
    fn pair() -> (TcpStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        (TcpStream::new(near).unwrap(), far)
    }

    fn length(read: Poll<io::Result<usize>>) -> Option<usize> {
        match read {
            Poll::Ready(length) => Some(length.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_comes_while_no_task_waits_is_read_later_and_a_waiting_task_is_woken_once() {
        let here = Here::new();
        let (mut stream, mut peer) = pair();
        peer.write_all(b"early").unwrap();
        assert_eq!(here.look(), 0);
        let mut room = [0; 100];
        assert!(stream.poll_readable(&here.cx()).is_ready());
        assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), Some(5));
        assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), None);
        assert!(stream.poll_readable(&here.cx()).is_pending());
        assert_eq!(here.look(), 0);
        peer.write_all(b"late").unwrap();
        assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), None, "no look has told of it");
        assert_eq!((here.look(), here.look()), (1, 0));
        assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), Some(4));
    }

    #[test]
    fn the_end_behind_a_short_read_is_told_whether_it_came_before_or_after() {
        let here = Here::new();
        for comes_before in [true, false] {
            let (mut stream, mut peer) = pair();
            let mut room = [0; 100];
            assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), None);
            peer.write_all(b"last").unwrap();
            let mut peer = Some(peer);
            drop(peer.take_if(|_| comes_before));
            assert_eq!(here.look(), 1);
            assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), Some(4));
            if !comes_before {
                assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), None);
                drop(peer);
                assert_eq!(here.look(), 1);
            }
            assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), Some(0), "{comes_before}");
            assert_eq!(length(stream.poll_read(&here.cx(), &mut room)), Some(0), "for good");
        }
    }

    #[test]
    fn a_full_socket_takes_more_when_its_peer_has_read() {
        let here = Here::new();
        let (mut stream, mut peer) = pair();
        let bytes = [7; 100_000];
        let mut sent = 0;
        while let Some(more) = length(stream.poll_write(&here.cx(), &[IoSlice::new(&bytes)])) {
            sent += more;
        }
        here.look();
        assert_eq!(length(stream.poll_write(&here.cx(), &[IoSlice::new(&bytes)])), None);
        let mut room = vec![0; sent];
        peer.read_exact(&mut room).unwrap();
        assert_eq!(here.look(), 1);
        let two = [IoSlice::new(&bytes[..1000]), IoSlice::new(&bytes[..24])];
        assert_eq!(length(stream.poll_write(&here.cx(), &two)), Some(1024));
        stream.shutdown().unwrap();
        assert_eq!(peer.read_to_end(&mut room).unwrap(), 1024);
    }

    #[test]
    fn a_connection_is_made_or_refused() {
        let here = Here::new();
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || {
            let socket =
                Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM.nonblocking(), None).unwrap();
            let mut connecting = pin!(TcpStream::connect(socket, address));
            loop {
                match connecting.as_mut().poll(&mut here.cx()) {
                    Poll::Ready(connected) => return connected,
                    Poll::Pending => here.io.look(None, || ()),
                }
            }
        };
        let (stream, peer) = connect().unwrap();
        assert_eq!(peer, address);
        assert_eq!(listener.accept().unwrap().1, stream.socket.local_addr().unwrap());
        drop(listener);
        assert_eq!(connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_turn_uses_sockets_so_often_and_goes_on_after_a_look() {
        let here = Here::new();
        let (mut stream, mut peer) = pair();
        peer.write_all(&[1; 1000]).unwrap();
        here.look();
        let mut turn = |mut budget: u32| {
            let mut count = 0;
            within_budget(&mut budget, || {
                while length(stream.poll_read(&here.cx(), &mut [0])).is_some() {
                    count += 1;
                }
            });
            assert_eq!(budget, 0);
            count
        };
        for budget in [0, 7, BUDGET] {
            assert_eq!(turn(budget), budget);
            assert!(here.io.is_awaited());
            assert_eq!(here.look(), 1);
            assert!(!here.io.is_awaited());
        }
    }

    #[test]
    fn a_wait_ends_when_another_thread_interrupts_it() {
        let here = Here::new();
        let io = here.io.clone();
        let waits = std::thread::spawn(move || io.look(None, || ()));
        here.io.interrupt();
        waits.join().unwrap();
    }

    #[test]
    fn a_waiting_task_is_let_go_with_its_socket_and_at_the_end() {
        let here = Here::new();
        let (mut first, _peer) = pair();
        let (mut second, _other_peer) = pair();
        let held = |count: &Arc<Count>| Arc::strong_count(count);
        let before = held(&here.count);
        for stream in [&mut first, &mut second] {
            assert_eq!(length(stream.poll_read(&here.cx(), &mut [0])), None);
        }
        assert_eq!(held(&here.count), before + 2);
        drop(first);
        assert_eq!(held(&here.count), before + 1);
        here.io.clear();
        assert_eq!(held(&here.count), before);
    }
}
