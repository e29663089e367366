//! The listening socket, and what happens to clients that connect: TLS, the opening handshake, admission.

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
use tungstenite::protocol::Role;

use super::accepted::{Accepted, Seat};
use super::admission::{Admission, Permit};
use super::certificates::Certificates;
use super::event::{ClientCertificate, ConnectEvent, Peer};
use super::forwarded::Trusted;
use super::handshake::{Refusal, Request, LARGEST_HEAD};
use super::http_hook;
use super::live::{Event, Kind, Server};
use super::options::ServerOptions;
use super::places::{Places, Underway};
use super::proxy_protocol;
use super::turns::Turns;

use crate::connection::{Budget, CloseEvent, Connection, End, Limits, Opening, ABNORMAL};
use crate::error::{Code, Error, Phase, Result};
use crate::frame::extension::{agree, Agreed};
use crate::http::HeadReader;
use crate::log::{log, Level};
use crate::runtime::{caught, in_time};
use crate::transport::{Tcp, Transport};

/// Clients that may wait in the system to be accepted; most systems allow as many.
const BACKLOG: i32 = 4096;
/// How long the server waits when the system has no descriptor left for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket and the rules that it was opened with.
pub(super) struct Listening {
    /// `None` once the server has stopped.
    socket: Mutex<Option<Listener>>,
    address: SocketAddr,
    tls: Option<Arc<Certificates>>,
    protocols: Vec<String>,
    /// Of web pages that may connect; `None`: any.
    origins: Option<Vec<String>>,
    /// What the program has every answer say, as lines of its head.
    response_headers: String,
    health_path: Option<String>,
    /// The proxies that are believed, and whether their links begin with a header of the PROXY protocol.
    trusted: Trusted,
    proxy_protocol: bool,
    handshake_timeout: Duration,
    limits: Limits,
    budget: Arc<Budget>,
    pub(super) admission: Arc<Admission>,
    places: Arc<Places>,
    tls_turns: Turns,
}

/// The system listens from the first moment on; tokio is told of it where it runs.
enum Listener {
    Untold(std::net::TcpListener),
    Told(TcpListener),
}

impl Listening {
    pub fn open(
        address: SocketAddr,
        tls: Option<Arc<Certificates>>,
        options: &ServerOptions,
    ) -> Result<Arc<Listening>> {
        let socket = listen(address, options.reuse_port).map_err(|error| cannot_listen(address, &error))?;
        let address = socket.local_addr().map_err(|error| cannot_listen(address, &error))?;
        Ok(Arc::new(Listening {
            socket: Mutex::new(Some(Listener::Untold(socket))),
            address,
            tls,
            protocols: options.protocols()?,
            origins: options.origins()?,
            response_headers: options.response_header_lines()?,
            health_path: options.health_path.clone(),
            trusted: Trusted::parse(&options.trusted_proxies)?,
            proxy_protocol: options.proxy_protocol,
            handshake_timeout: options.handshake_timeout,
            limits: options.limits,
            budget: Budget::new(options.receive_budget()),
            admission: Admission::new(options.into(), Instant::now()),
            places: Places::new(options.descriptors),
            tls_turns: Turns::default(),
        }))
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn certificates(&self) -> Option<Arc<Certificates>> {
        self.tls.clone()
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Closes the socket; when this returns, the port is free. Handshakes under way are cut.
    pub fn close(&self) {
        drop(self.socket.lock().take());
        self.places.close();
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

    /// Whether an address may begin a handshake. One of TLS is dear: each counts, and a banned address gets none.
    fn may_begin(&self, peer: Peer) -> bool {
        let may = self.tls.is_none() || self.admission.may_begin_tls(peer.ip, Instant::now());
        if !may {
            log(Level::Info, || format!("{peer}: cut, its address began too many TLS handshakes"));
        }
        may
    }

    /// The client that a proxy names for its link, if the proxy sends such a header; `None`: the link is cut.
    async fn introduced(&self, stream: &mut TcpStream, link: Peer, underway: &Underway) -> Option<Peer> {
        if !self.proxy_protocol || !self.trusted.cover(link.ip) {
            return Some(link);
        }
        match proxy_protocol::read(stream).await {
            Ok(None) => Some(link),
            Ok(Some(peer)) => {
                underway.belongs_to(peer.ip);
                self.may_begin(peer).then_some(peer)
            }
            Err(why) => {
                log(Level::Warn, || {
                    format!("{link}: cut, its header of the PROXY protocol can't be used: {why}")
                });
                None
            }
        }
    }

    /// Starts the handshake with a client.
    fn greet(self: &Arc<Self>, server: &Arc<Server>, stream: TcpStream, peer: Peer) {
        let of_many = self.trusted.cover(peer.ip);
        if !of_many && !self.may_begin(peer) {
            return;
        }
        self.places.begin(peer.ip, of_many, |underway| {
            server.runtime.spawn(&server.lane, serve(server.clone(), self.clone(), underway, stream, peer))
        });
    }
}

fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.ip() == IpAddr::from(std::net::Ipv6Addr::UNSPECIFIED) {
        // Every address, of either family.
        socket.set_only_v6(false)?;
    }
    // Connections of an earlier server that the system still remembers don't keep the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::AddrInUse => Code::PortInUse,
        ErrorKind::PermissionDenied => Code::ListenPort,
        _ if is_out_of_descriptors(error) => Code::NoResources,
        _ => Code::ListenAddress,
    };
    Error { code, ..Error::io(Phase::Call, format!("Can't listen on {address}"), error) }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Accepts clients until the socket is closed.
pub(super) async fn accept(server: Arc<Server>, listening: Arc<Listening>) {
    let mut failing = false;
    loop {
        listening.places.wait_for_room().await;
        let Some(accepted) = poll_fn(|cx| listening.poll_accept(cx)).await else { return };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                listening.greet(&server, stream, address.into());
            }
            // This client has left before it was its turn.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            // The task that goes has to run once more before its descriptor is free.
            Err(error) if is_out_of_descriptors(&error) && listening.places.spare_one() => {
                tokio::task::yield_now().await;
            }
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
async fn serve(
    server: Arc<Server>,
    listening: Arc<Listening>,
    underway: Underway,
    stream: TcpStream,
    peer: Peer,
) {
    // Boxed, so that an open connection doesn't keep the room that the handshake needed.
    let handshake = Box::pin(handshake(&server, &listening, &underway, stream, peer));
    let opened = in_time(listening.handshake_timeout, underway.run(handshake)).await;
    let task = underway.leave();
    match opened {
        Some(Some(Some(opened))) => converse(&server, &listening, task, opened).await,
        Some(_) => {}
        None => log(Level::Info, || format!("{peer}: cut, the handshake took too long")),
    }
}

/// What a successful handshake leaves.
struct Opened {
    admitted: Admitted,
    transport: Transport,
    /// What arrived behind the request.
    early: Vec<u8>,
}

/// A client that may connect.
struct Admitted {
    accepted: Arc<Accepted>,
    connect: ConnectEvent,
    compression: Option<Agreed>,
    permit: Permit,
}

/// Where a link comes from, and the client that a header of the PROXY protocol names.
struct Arrived {
    link: Peer,
    peer: Peer,
    /// The certificate that the client has shown.
    certificate: Option<ClientCertificate>,
}

/// TLS and the opening handshake; `None` when the client was refused or has left.
async fn handshake(
    server: &Arc<Server>,
    listening: &Listening,
    underway: &Underway,
    mut stream: TcpStream,
    link: Peer,
) -> Option<Opened> {
    // Only latency is lost without it.
    let _ = stream.set_nodelay(true);
    let peer = listening.introduced(&mut stream, link, underway).await?;
    let mut certificate = None;
    let mut transport = match &listening.tls {
        None => Transport::Plain(Tcp::new(stream)),
        Some(certificates) => {
            let acceptor = certificates.acceptor(&server.runtime, underway).await;
            match listening.tls_turns.take(acceptor.accept(Tcp::new(stream)), underway).await {
                Ok(stream) => {
                    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    certificate = shown.map(|leaf| ClientCertificate::of(leaf));
                    Transport::Tls(Box::new(stream.into()))
                }
                Err(error) => {
                    log(Level::Info, || format!("{peer}: the TLS handshake failed: {error}"));
                    return None;
                }
            }
        }
    };
    let mut heads = HeadReader::of_requests(LARGEST_HEAD);
    let more = listening.response_headers.as_str();
    let answers_http = listening.health_path.is_some() || server.has_http_hook();
    let request = match heads.next(&mut transport).await {
        Ok(head) => Request::parse(head)
            .map_err(|refusal| (refusal, http_hook::parse(head, link).filter(|_| answers_http))),
        Err(why) => Err((Refusal::of(&why)?, None)),
    };
    let answered = match request {
        Ok(request) => {
            let arrived = Arrived { link, peer, certificate };
            admit(server, listening, underway, arrived, request).await
        }
        Err((refusal, None)) => Err(refusal),
        Err((refusal, Some(mut request))) => {
            request.peer = listening.trusted.client(peer, &request.headers);
            let health_path = listening.health_path.as_deref();
            if let Some(answer) = server.answer_http(request, health_path, underway, more).await {
                transport.write_all(&answer).await.ok()?;
                transport.flush().await.ok()?;
                transport.linger().await;
                return None;
            }
            Err(refusal)
        }
    };
    let (answer, opened) = match answered {
        Ok((answer, admitted)) => (answer, Some(admitted)),
        Err(refusal) => {
            log(Level::Info, || format!("{peer}: refused with {refusal}"));
            (refusal.answer(more), None)
        }
    };
    transport.write_all(answer.as_bytes()).await.ok()?;
    transport.flush().await.ok()?;
    match opened {
        Some(admitted) => Some(Opened { admitted, transport, early: heads.into_rest() }),
        None => {
            transport.linger().await;
            None
        }
    }
}

/// Decides about a request: the limits, then the program.
async fn admit(
    server: &Arc<Server>,
    listening: &Listening,
    underway: &Underway,
    Arrived { link, peer, certificate }: Arrived,
    request: Request,
) -> Result<(String, Admitted), Refusal> {
    if let Some(origins) = &listening.origins {
        // Before it counts: a page must not ban others that share its address.
        request.check_origin(origins).inspect_err(|_| {
            // A proxy's own are not counted.
            if listening.tls.is_some() && (peer != link || !listening.trusted.cover(link.ip)) {
                listening.admission.take_back_tls(peer.ip);
            }
        })?;
    }
    let peer = listening.trusted.client(peer, &request.headers);
    let permit = listening.admission.admit(peer.ip, Instant::now())?;
    if server.is_behind() {
        return Err(Refusal::unavailable("The server is busy."));
    }
    let protocol = request.choose(&listening.protocols);
    let offered =
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Extensions"));
    let agreed = agree(&listening.limits.compression, offered.map(|(_, value)| value.as_slice()));
    let (compression, extensions) = agreed.unzip();
    let answer = request.answer(&protocol, extensions.as_deref(), &listening.response_headers);
    let connect = ConnectEvent {
        peer,
        link,
        path: request.path,
        headers: request.headers,
        protocol,
        extensions: compression.map(|agreed| agreed.describe()).unwrap_or_default(),
        certificate,
    };
    let accepted = Accepted::new(server.clone(), peer, link);
    match server.has_accept_hook() {
        false => Ok((answer, Admitted { accepted, connect, compression, permit })),
        true => match underway.excused(server.ask(&accepted, connect)).await {
            Ok((connect, 0)) => Ok((answer, Admitted { accepted, connect, compression, permit })),
            Ok((_, status)) => Err(Refusal::by_the_program(status)),
            // The server was destroyed meanwhile.
            Err(_) => Err(Refusal::unavailable("The server is going away.")),
        },
    }
}

/// An open connection, to its end.
async fn converse(
    server: &Arc<Server>,
    listening: &Arc<Listening>,
    task: Option<AbortHandle>,
    opened: Opened,
) {
    let Opened { admitted, transport, early } = opened;
    let Admitted { accepted, connect, compression, permit } = admitted;
    let peer = accepted.peer();
    let (connection, mut course) = Connection::new(Opening {
        transport,
        role: Role::Server,
        early,
        limits: listening.limits,
        compression,
        lane: server.lane.clone(),
        owner: Seat::of(&accepted),
        share: Some(listening.budget.share(peer.ip)),
        tag: 0,
        peer: format!("the client {peer}"),
    });
    if let Err(error) = server.admit(listening, &accepted, connection.clone(), connect) {
        log(Level::Info, || format!("{peer}: dropped: {error}"));
        return;
    }
    log(Level::Info, || format!("{peer}: open"));
    let ending = caught(course.run()).await;
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
    // A place among the clients is free when its descriptor is, before the program hears of it if nothing is left to be said.
    let leaving = (!lost).then_some((course, permit));
    server.part(&connection, End { error, close, is_last: true });
    drop(accepted);
    if let Some((course, _permit)) = &leaving {
        let _goodbye = task.map(|task| listening.places.say_goodbye(task));
        course.linger().await;
    }
}
