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

/// A socket belongs where it is opened.
fn register(socket: &impl AsRawFd) -> io::Result<Registration> {
    Io::here().ok_or(ErrorKind::NotConnected)?.add(socket.as_raw_fd())
}

/// A connection.
#[derive(Debug)]
pub(crate) struct TcpStream {
    // Dropped in this order.
    socket: net::TcpStream,
    registration: Registration,
    /// There is nothing to read until the system tells so.
    is_drained: bool,
    /// It takes nothing until the system tells so.
    is_full: bool,
}

impl TcpStream {
    /// Of a socket that does not block.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<TcpStream> {
        let socket = net::TcpStream::from(socket.into());
        let registration = register(&socket)?;
        Ok(TcpStream { socket, registration, is_drained: true, is_full: false })
    }

    /// Connects a socket that does not block.
    pub async fn connect(socket: Socket, address: SocketAddr) -> io::Result<TcpStream> {
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let stream = TcpStream::new(socket)?;
        poll_fn(|cx| stream.registration.poll_ready(Way::Writing, cx, true)).await;
        match stream.socket.take_error()? {
            None => Ok(stream),
            Some(error) => Err(error),
        }
    }

    /// Whether small writes go out at once.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    /// Has the next read ask the system, whatever it has told.
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
                    // The system tells when there is more, and that the stream has ended for good.
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
    /// Nobody is to be accepted until the system tells so.
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
