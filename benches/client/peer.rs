//! The peer of both clients: an echo server that costs as little as it can, in a process of its own.
//!
//! One thread, one epoll. A frame from a client is longer than the answer to it by its mask, so everything that
//! one read brings is unmasked where it lies and goes back in one write, frame by frame. Under `/sink` binary
//! messages are dropped and text is echoed. Under `/whole/1000` each message has 1000 bytes, and comes back as one
//! frame even when it came in fragments: what the clients receive is the same then, however they send. With a
//! certificate it speaks TLS, on the same port and nothing else.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

const READ: usize = 256 << 10;
/// Room for answers that are longer than what they answer: the one head of a message that came in fragments.
const SLACK: usize = 16;

/// Serves until stdin ends. The port is the first line on stdout.
pub fn serve(certificate: Option<&Path>) -> Result<()> {
    let tls = certificate.map(crate::tls::server_config);
    crate::os::raise_descriptor_limit();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // SAFETY: a listening socket; more than the standard library's 128 may wait.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    let epoll = Epoll::new()?;
    epoll.watch(libc::EPOLL_CTL_ADD, listener.as_raw_fd(), libc::EPOLLIN)?;
    epoll.watch(libc::EPOLL_CTL_ADD, 0, libc::EPOLLIN)?;
    let mut links: Vec<Option<Link>> = Vec::new();
    let mut buffer = vec![0; READ];
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
    loop {
        let count = epoll.wait(&mut events)?;
        for event in &events[..count] {
            let fd = event.u64 as RawFd;
            if fd == 0 {
                return Ok(());
            }
            if fd == listener.as_raw_fd() {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let fd = stream.as_raw_fd();
                    epoll.watch(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN)?;
                    if links.len() <= fd as usize {
                        links.resize_with(fd as usize + 1, || None);
                    }
                    links[fd as usize] = Some(Link::new(Stream::new(stream, tls.clone())));
                }
                continue;
            }
            let Some(link) = &mut links[fd as usize] else { continue };
            let was_blocked = link.is_blocked();
            if link.turn(&mut buffer).is_err() {
                links[fd as usize] = None;
            } else if link.is_blocked() != was_blocked {
                // What it can't send stops what it reads.
                let interest = if was_blocked { libc::EPOLLIN } else { libc::EPOLLOUT };
                epoll.watch(libc::EPOLL_CTL_MOD, fd, interest)?;
            }
        }
    }
}

struct Epoll(RawFd);

impl Epoll {
    fn new() -> Result<Epoll> {
        // SAFETY: no pointers.
        match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => Err(std::io::Error::last_os_error()),
            fd => Ok(Epoll(fd)),
        }
    }

    fn watch(&self, operation: i32, fd: RawFd, interest: i32) -> Result<()> {
        let mut event = libc::epoll_event { events: interest as u32, u64: fd as u64 };
        // SAFETY: the event outlives the call.
        match unsafe { libc::epoll_ctl(self.0, operation, fd, &mut event) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    fn wait(&self, events: &mut [libc::epoll_event]) -> Result<usize> {
        // SAFETY: the array has room for as many events as are asked for.
        match unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), events.len() as i32, -1) } {
            -1 if std::io::Error::last_os_error().kind() == ErrorKind::Interrupted => Ok(0),
            -1 => Err(std::io::Error::last_os_error()),
            count => Ok(count as usize),
        }
    }
}

/// TCP, with or without TLS; both know `WouldBlock`.
enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<ServerConnection>),
}

impl Stream {
    fn new(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Stream {
        match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                Stream::Tls(stream, Box::new(ServerConnection::new(config).expect("a TLS connection")))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let (stream, tls) = match self {
            Stream::Plain(stream) => return stream.read(buffer),
            Stream::Tls(stream, tls) => (stream, tls),
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
            if tls.read_tls(stream)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(Error::other)?;
            // What the handshake has to say.
            flush(stream, tls)?;
        }
    }

    /// How much was taken; with TLS, everything, and what the socket doesn't take waits in there.
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        match self {
            Stream::Plain(stream) => match stream.write(data) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                result => result,
            },
            Stream::Tls(stream, tls) => {
                tls.writer().write_all(data)?;
                flush(stream, tls)?;
                Ok(data.len())
            }
        }
    }

    fn is_blocked(&self) -> bool {
        matches!(self, Stream::Tls(_, tls) if tls.wants_write())
    }
}

fn flush(stream: &mut TcpStream, tls: &mut ServerConnection) -> Result<()> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// One accepted connection.
struct Link {
    stream: Stream,
    /// The request, or the head of a frame, as far as it has come.
    head: Vec<u8>,
    open: bool,
    sink: bool,
    whole: Option<u64>,
    frame: Frame,
    /// What could not be sent.
    unsent: Vec<u8>,
    closing: bool,
}

/// The frame whose payload is coming in.
#[derive(Default)]
struct Frame {
    left: u64,
    mask: [u8; 4],
    dropped: bool,
}

impl Link {
    fn new(stream: Stream) -> Link {
        Link {
            stream,
            head: Vec::new(),
            open: false,
            sink: false,
            whole: None,
            frame: Frame::default(),
            unsent: Vec::new(),
            closing: false,
        }
    }

    fn is_blocked(&self) -> bool {
        !self.unsent.is_empty() || self.stream.is_blocked()
    }

    /// Does what the socket is ready for; an error ends the link.
    fn turn(&mut self, buffer: &mut [u8]) -> Result<()> {
        if self.is_blocked() {
            let sent = self.stream.write(&self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
            }
        } else {
            // Room for what the last read left of a head.
            let kept = SLACK + self.head.len();
            buffer[SLACK..kept].copy_from_slice(&self.head);
            let count = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.head.clear();
            let input = &mut buffer[..kept + count];
            let answer = if self.open {
                let length = self.echo(input);
                &input[..length]
            } else {
                &self.upgrade(&input[SLACK..])?
            };
            let sent = if answer.is_empty() { 0 } else { self.stream.write(answer)? };
            self.unsent.extend_from_slice(&answer[sent..]);
        }
        match self.closing && !self.is_blocked() {
            true => Err(ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    /// The opening handshake.
    fn upgrade(&mut self, input: &[u8]) -> Result<Vec<u8>> {
        if !input.ends_with(b"\r\n\r\n") {
            self.head.extend_from_slice(input);
            return Ok(Vec::new());
        }
        let request = String::from_utf8_lossy(input);
        let key = request.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
        });
        let key = key.ok_or(ErrorKind::InvalidData)?;
        self.open = true;
        self.sink = request.starts_with("GET /sink ");
        self.whole = request
            .strip_prefix("GET /whole/")
            .and_then(|rest| rest.split(' ').next())
            .and_then(|size| size.parse().ok());
        Ok(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            tungstenite::handshake::derive_accept_key(key.as_bytes())
        )
        .into_bytes())
    }

    /// Turns what came in, behind the slack, into the answer, at the start, and returns the answer's length.
    fn echo(&mut self, data: &mut [u8]) -> usize {
        let (mut from, mut to) = (SLACK, 0);
        loop {
            let length = (self.frame.left.min((data.len() - from) as u64)) as usize;
            if length > 0 {
                if !self.frame.dropped {
                    unmask(&mut data[from..from + length], self.frame.mask);
                    data.copy_within(from..from + length, to);
                    to += length;
                }
                self.frame.mask.rotate_left(length % 4);
                self.frame.left -= length as u64;
                from += length;
            }
            if from == data.len() {
                return to;
            }
            let rest = &data[from..];
            let (first, short) = (rest[0], rest.get(1).map_or(0, |byte| byte & 0x7f));
            let size = match short {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            if rest.len() < size + 4 {
                self.head.extend_from_slice(rest);
                return to;
            }
            let left = match size {
                2 => short as u64,
                4 => u16::from_be_bytes([rest[2], rest[3]]) as u64,
                _ => u64::from_be_bytes(rest[2..10].try_into().expect("8 bytes")),
            };
            let mask = [rest[size], rest[size + 1], rest[size + 2], rest[size + 3]];
            let opcode = first & 0x0f;
            let dropped = opcode == 10 || (self.sink && opcode == 2);
            self.frame = Frame { left, mask, dropped };
            self.closing |= opcode == 8;
            from += size + 4;
            let answer = match (opcode, self.whole) {
                _ if dropped => None,
                (0, Some(_)) => None,
                (1 | 2, Some(whole)) => Some((0x80 | opcode, whole)),
                (9, _) => Some((first + 1, left)),
                _ => Some((first, left)),
            };
            if let Some((first, length)) = answer {
                to += put_head(&mut data[to..from], first, length);
            }
        }
    }
}

/// Writes the head of a frame, and returns its length.
fn put_head(data: &mut [u8], first: u8, length: u64) -> usize {
    data[0] = first;
    match length {
        0..126 => {
            data[1] = length as u8;
            2
        }
        126..0x1_0000 => {
            data[1] = 126;
            data[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            data[1] = 127;
            data[2..10].copy_from_slice(&length.to_be_bytes());
            10
        }
    }
}

fn unmask(data: &mut [u8], mask: [u8; 4]) {
    let half = u32::from_ne_bytes(mask) as u64;
    let wide = half << 32 | half;
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let value = u64::from_ne_bytes((&*chunk).try_into().expect("8 bytes")) ^ wide;
        chunk.copy_from_slice(&value.to_ne_bytes());
    }
    for (index, byte) in chunks.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[index % 4];
    }
}
