//! The listening socket, and what happens to those who knock: TLS, the opening handshake, admission.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tungstenite::protocol::Role;

use super::accepted::{Accepted, Seat};
use super::admission::{Admission, Permit};
use super::event::{ConnectEvent, Peer};
use super::handshake::{Refusal, Request, LARGEST_HEAD};
use super::live::{Event, Kind, Server};
use super::options::ServerOptions;

use crate::connection::{CloseEvent, Connection, Tcp, Transport, ABNORMAL};
use crate::error::{Code, Error, Phase, Result};
use crate::http::HeadReader;
use crate::log::{log, Level};
use crate::options::Limits;
use crate::runtime::caught;

/// Clients that may wait in the system to be accepted.
const BACKLOG: i32 = 1024;
/// Handshakes under way, in all and from one address. Who comes after that takes the place of the oldest: a
/// client that dawdles loses to one that doesn't.
const MOST_HANDSHAKES: usize = 1024;
const MOST_HANDSHAKES_OF_ONE: usize = 128;
/// How long the server waits when the system has no descriptor left for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket and the rules that it was opened with.
pub(super) struct Listening {
    /// `None` once the server has stopped.
    socket: Mutex<Option<Listener>>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    protocols: Vec<String>,
    handshake_timeout: Duration,
    limits: Limits,
    admission: Arc<Admission>,
    handshakes: Mutex<Handshakes>,
}

/// The system listens from the first moment on; tokio is told of it where it runs.
enum Listener {
    Untold(std::net::TcpListener),
    Told(TcpListener),
}

#[derive(Default)]
struct Handshakes {
    /// In the order of their arrival, and so of their numbers.
    under_way: VecDeque<Handshake>,
    count: u64,
}

struct Handshake {
    number: u64,
    ip: IpAddr,
    task: AbortHandle,
}

impl Listening {
    pub fn open(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        options: &ServerOptions,
    ) -> Result<Arc<Listening>> {
        let socket = listen(address).map_err(|error| cannot_listen(address, &error))?;
        let address = socket.local_addr().map_err(|error| cannot_listen(address, &error))?;
        Ok(Arc::new(Listening {
            socket: Mutex::new(Some(Listener::Untold(socket))),
            address,
            tls,
            protocols: options.protocols()?,
            handshake_timeout: options.handshake_timeout,
            limits: options.limits,
            admission: Admission::new(options.into(), Instant::now()),
            handshakes: Mutex::default(),
        }))
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Closes the socket; when this returns, the port is free. Handshakes under way are cut.
    pub fn close(&self) {
        drop(self.socket.lock().take());
        for handshake in self.handshakes.lock().under_way.drain(..) {
            handshake.task.abort();
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<(TcpStream, SocketAddr)>>> {
        let mut socket = self.socket.lock();
        let listener = match socket.take() {
            None => return Poll::Ready(None),
            Some(Listener::Told(listener)) => listener,
            Some(Listener::Untold(listener)) => match TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
        };
        let accepted = listener.poll_accept(cx);
        *socket = Some(Listener::Told(listener));
        accepted.map(Some)
    }

    /// Starts the handshake with a client.
    fn greet(self: &Arc<Self>, server: &Arc<Server>, stream: TcpStream, peer: Peer) {
        // A TLS handshake is dear, and a banned address gets none.
        if self.tls.is_some() && self.admission.is_banned(peer.ip, Instant::now()) {
            return;
        }
        let oldest = {
            let mut handshakes = self.handshakes.lock();
            // Accepted in the moment of close(), which may have emptied the list already.
            if self.socket.lock().is_none() {
                return;
            }
            let oldest = handshakes.make_room(peer.ip);
            handshakes.count += 1;
            let number = handshakes.count;
            let underway = Underway { listening: self.clone(), number };
            let task = server.runtime.spawn(serve(server.clone(), underway, stream, peer));
            handshakes.under_way.push_back(Handshake { number, ip: peer.ip, task });
            oldest
        };
        // Outside the lock: the log may call back.
        if let Some(handshake) = oldest {
            handshake.task.abort();
            log(Level::Info, || format!("{}: cut, too many handshakes are under way", handshake.ip));
        }
    }
}

impl Handshakes {
    /// The handshake that another one of this address has to make room for, if there are too many.
    fn make_room(&mut self, ip: IpAddr) -> Option<Handshake> {
        let mut of_one = self.under_way.iter().enumerate().filter(|(_, handshake)| handshake.ip == ip);
        let oldest = of_one.next().map(|(place, _)| place);
        if of_one.count() + 1 >= MOST_HANDSHAKES_OF_ONE {
            self.under_way.remove(oldest?)
        } else if self.under_way.len() >= MOST_HANDSHAKES {
            self.under_way.pop_front()
        } else {
            None
        }
    }
}

/// A handshake's place in the list, which it leaves whatever becomes of it.
struct Underway {
    listening: Arc<Listening>,
    number: u64,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let under_way = &mut self.listening.handshakes.lock().under_way;
        if let Ok(place) = under_way.binary_search_by_key(&self.number, |handshake| handshake.number) {
            under_way.remove(place);
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.ip() == IpAddr::from(std::net::Ipv6Addr::UNSPECIFIED) {
        // Every address, of either family.
        socket.set_only_v6(false)?;
    }
    // Connections of an earlier server that the system still remembers don't keep the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::AddrInUse => Code::PortInUse,
        ErrorKind::PermissionDenied => Code::ListenPort,
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Code::NoResources,
        _ => Code::ListenAddress,
    };
    Error { code, ..Error::io(Phase::Call, format!("Can't listen on {address}"), error) }
}

/// Accepts clients until the socket is closed.
pub(super) async fn accept(server: Arc<Server>, listening: Arc<Listening>) {
    let mut failing = false;
    while let Some(accepted) = poll_fn(|cx| listening.poll_accept(cx)).await {
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                listening.greet(&server, stream, address.into());
            }
            // This client has left before it was its turn.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    let error = Error::io(Phase::Tcp, "Clients can't be accepted now", &error);
                    log(Level::Error, || error.message.clone());
                    server.post([Event { connection: None, kind: Kind::Error(error.into()) }]);
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A client from its arrival to its end.
async fn serve(server: Arc<Server>, underway: Underway, stream: TcpStream, peer: Peer) {
    let listening = underway.listening.clone();
    // Boxed, so that an open connection doesn't keep the room that the handshake needed.
    let handshake = Box::pin(handshake(&server, &listening, stream, peer));
    let opened = tokio::time::timeout(listening.handshake_timeout, handshake).await;
    drop(underway);
    match opened {
        Ok(Some(opened)) => converse(&server, &listening, opened).await,
        Ok(None) => {}
        Err(_) => log(Level::Info, || format!("{peer}: cut, the handshake took too long")),
    }
}

/// What a successful handshake leaves.
struct Opened {
    accepted: Arc<Accepted>,
    transport: Transport,
    /// What arrived behind the request.
    early: Vec<u8>,
    connect: ConnectEvent,
    permit: Permit,
}

/// TLS and the opening handshake; `None` when the client was refused or has left.
async fn handshake(
    server: &Arc<Server>,
    listening: &Listening,
    stream: TcpStream,
    peer: Peer,
) -> Option<Opened> {
    // Only latency is lost without it.
    let _ = stream.set_nodelay(true);
    let mut transport = match &listening.tls {
        None => Transport::Plain(Tcp(stream)),
        Some(acceptor) => match acceptor.accept(Tcp(stream)).await {
            Ok(stream) => Transport::Tls(Box::new(stream.into())),
            Err(error) => {
                log(Level::Info, || format!("{peer}: the TLS handshake failed: {error}"));
                return None;
            }
        },
    };
    let mut heads = HeadReader::of_requests(LARGEST_HEAD);
    let request = match heads.next(&mut transport).await {
        Ok(head) => Request::parse(&head),
        Err(why) => Err(Refusal::of(&why)?),
    };
    let accepted = Accepted::new(server.clone(), peer);
    let answered = match request {
        Ok(request) => admit(listening, &accepted, request).await,
        Err(refusal) => Err(refusal),
    };
    let (answer, opened) = match answered {
        Ok((answer, connect, permit)) => (answer, Some((connect, permit))),
        Err(refusal) => {
            log(Level::Info, || format!("{peer}: refused with {refusal}"));
            (refusal.answer(), None)
        }
    };
    transport.write_all(answer.as_bytes()).await.ok()?;
    transport.flush().await.ok()?;
    match opened {
        Some((connect, permit)) => {
            Some(Opened { accepted, transport, early: heads.into_rest(), connect, permit })
        }
        None => {
            transport.linger().await;
            None
        }
    }
}

/// Decides about a request: the limits, then the program.
async fn admit(
    listening: &Listening,
    accepted: &Arc<Accepted>,
    request: Request,
) -> Result<(String, ConnectEvent, Permit), Refusal> {
    let permit = listening.admission.admit(accepted.peer().ip, Instant::now())?;
    if accepted.server.is_behind() {
        return Err(Refusal::unavailable("The server is busy."));
    }
    let protocol = request.choose(&listening.protocols);
    let answer = request.answer(&protocol);
    let connect =
        ConnectEvent { peer: accepted.peer(), path: request.path, headers: request.headers, protocol };
    match accepted.server.has_accept_hook() {
        false => Ok((answer, connect, permit)),
        true => match accepted.server.ask(accepted, connect).await {
            Ok((connect, 0)) => Ok((answer, connect, permit)),
            Ok((_, status)) => Err(Refusal::by_the_program(status)),
            // The server was destroyed meanwhile.
            Err(_) => Err(Refusal::unavailable("The server is going away.")),
        },
    }
}

/// An open connection, to its end.
async fn converse(server: &Arc<Server>, listening: &Arc<Listening>, opened: Opened) {
    let Opened { accepted, transport, early, connect, permit } = opened;
    let peer = accepted.peer();
    let owner = Seat::of(&accepted);
    let connection = Connection::new(
        transport,
        Role::Server,
        early,
        listening.limits,
        owner,
        format!("The client {peer}"),
    );
    if let Err(error) = server.admit(listening, &accepted, connection.clone(), connect) {
        log(Level::Info, || format!("{peer}: dropped: {error}"));
        return connection.hang_up();
    }
    log(Level::Info, || format!("{peer}: open"));
    let ending = caught(connection.run()).await;
    drop(permit);
    let lost = ending.as_ref().is_none_or(|ending| ending.is_lost());
    let (error, close) = match ending {
        Some(ending) => (ending.error, ending.close),
        // A defect of this library: the listeners get their last event all the same.
        None => {
            let error =
                Error { code: Code::Internal, ..Error::event(Phase::Call, Code::Ok, "Internal error.") };
            let close = CloseEvent { code: ABNORMAL, reason: String::new(), was_clean: false };
            (Some(error), close)
        }
    };
    log(Level::Info, || format!("{peer}: closed with {}", close.code));
    server.part(&accepted, error, close);
    drop(accepted);
    match lost {
        true => connection.hang_up(),
        false => connection.linger().await,
    }
}
