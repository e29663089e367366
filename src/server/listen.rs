//! What happens to clients that connect: TLS, the opening handshake, admission.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tungstenite::protocol::Role;

use super::accepted::Accepted;
use super::admission::Permit;
use super::certificates::Certificates;
use super::event::{ClientCertificate, ConnectEvent};
use super::handshake::{Refusal, Request, LARGEST_HEAD};
use super::listening::{is_out_of_descriptors, Listening};
use super::live::{Event, Kind, Seat, Server, Stage};
use super::options::ServerOptions;
use super::peer::Peer;
use super::places::Underway;
use super::plain;
use crate::connection::{CloseEvent, Connection, End, Opening, ABNORMAL};
use crate::error::{Code, Error, Phase, Result};
use crate::frame::extension::{agree, Agreed};
use crate::http::HeadReader;
use crate::log::{log, Level};
use crate::platform;
use crate::runtime::{caught, in_time};
use crate::tls::Secured;
use crate::transport::{Tcp, Transport};

/// How long the server waits when the system has no descriptor left for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Listens, and accepts clients from now on.
    pub fn start(self: &Arc<Self>, options: &ServerOptions) -> Result<()> {
        options.check()?;
        platform::check_permission()?;
        let address = options.address()?;
        let added = self.certificates.lock();
        let certificates = Certificates::read(options, &added)?;
        let mut state = self.state.lock();
        match state.stage {
            Stage::Stopped => {}
            Stage::Listening(..) => {
                return Err(Error::call(Code::AlreadyConnected, "The server is listening already."))
            }
            Stage::Destroyed => return Err(Error::code(Code::BadHandle)),
        }
        let listening = Listening::open(address, certificates, options)?;
        let task = self.runtime.spawn(&self.lane, accept(self.clone(), listening.clone()));
        state.stage = Stage::Listening(listening, task);
        Ok(())
    }
}

/// Accepts clients until the socket is closed.
async fn accept(server: Arc<Server>, listening: Arc<Listening>) {
    let mut failing = false;
    loop {
        listening.places.wait_for_room().await;
        let Some(accepted) = poll_fn(|cx| listening.poll_accept(cx)).await else { return };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                greet(&server, &listening, stream, address.into());
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

/// Starts the handshake with a client.
fn greet(server: &Arc<Server>, listening: &Arc<Listening>, stream: TcpStream, peer: Peer) {
    let of_many = listening.trusted.cover(peer.ip);
    if !of_many && !listening.may_begin(peer) {
        return;
    }
    listening.places.begin(peer.ip, of_many, |underway| {
        server.runtime.spawn(&server.lane, serve(server.clone(), listening.clone(), underway, stream, peer))
    });
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
    tls: Secured,
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
    let (mut certificate, mut tls) = (None, Secured::default());
    let mut transport = match &listening.tls {
        None => Transport::Plain(Tcp::new(stream)),
        Some(certificates) => {
            let acceptor = certificates.acceptor(&server.runtime, underway).await;
            match listening.tls_turns.take(acceptor.accept(Tcp::new(stream)), underway).await {
                Ok(stream) => {
                    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    tls = Secured::of(stream.get_ref().1);
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
            .map_err(|refusal| (refusal, plain::parse(head, link).filter(|_| answers_http))),
        Err(why) => Err((Refusal::of(&why)?, None)),
    };
    let answered = match request {
        Ok(request) => {
            let arrived = Arrived { link, peer, tls, certificate };
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
    Arrived { link, peer, tls, certificate }: Arrived,
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
    let accepted = Accepted::new(server.clone(), peer, link, tls);
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
        owner: Seat::of(server, &accepted),
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
        let _lingering = task.map(|task| listening.places.let_linger(task));
        course.linger().await;
    }
}
