//! The arrival of a client: TLS, the opening handshake, admission.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncWriteExt;

use super::accepted::Accepted;
use super::admission::Permit;
use super::event::{ClientCertificate, ConnectEvent};
use super::handshake::{Refusal, Request, LARGEST_HEAD};
use super::listening::Listening;
use super::live::Server;
use super::peer::Peer;
use super::places::Underway;
use super::plain;
use crate::frame::extension::{agree, Agreed};
use crate::http::HeadReader;
use crate::log::{log, Level};
use crate::net::TcpStream;
use crate::runtime::in_time;
use crate::tls::Secured;
use crate::transport::{Tcp, Transport, LINGER};

/// What a successful handshake leaves.
pub(super) struct Opened {
    pub admitted: Admitted,
    pub transport: Transport,
    /// What arrived behind the request.
    pub early: Vec<u8>,
}

/// A client that may connect.
pub(super) struct Admitted {
    pub accepted: Arc<Accepted>,
    pub connect: ConnectEvent,
    pub compression: Option<Agreed>,
    pub permit: Permit,
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
pub(super) async fn handshake(
    server: &Arc<Server>,
    listening: &Listening,
    underway: &Underway,
    mut stream: TcpStream,
    link: Peer,
) -> Option<Box<Opened>> {
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
                linger(transport).await;
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
        Some(admitted) => Some(Opened { admitted, transport, early: heads.into_rest() }.into()),
        None => {
            linger(transport).await;
            None
        }
    }
}

/// Gives the peer time to read an answer before the link is cut.
async fn linger(mut transport: Transport) {
    let mut is_shut = false;
    // Whether the peer was in time makes no difference.
    in_time(LINGER, poll_fn(|cx| transport.poll_drain(&mut is_shut, cx))).await;
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
