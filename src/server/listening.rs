//! The listening socket, and the rules for clients that connect to it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::{Domain, Socket, Type};

use super::admission::Admission;
use super::certificates::Certificates;
use super::forwarded::Trusted;
use super::options::ServerOptions;
use super::peer::Peer;
use super::places::{Places, Underway};
use super::proxy_protocol;
use super::turns::Turns;
use crate::connection::{Budget, Limits};
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::net::{TcpListener, TcpStream};

/// Clients that may wait in the system to be accepted; most systems allow as many.
const BACKLOG: i32 = 4096;

/// A listening socket and the rules that it was opened with.
pub(super) struct Listening {
    /// `None` once the server has stopped.
    socket: Mutex<Option<Listener>>,
    address: SocketAddr,
    pub(super) tls: Option<Arc<Certificates>>,
    pub(super) protocols: Vec<String>,
    /// Of web pages that may connect; `None`: any.
    pub(super) origins: Option<Vec<String>>,
    /// What the program has every answer say, as lines of its head.
    pub(super) response_headers: String,
    pub(super) health_path: Option<String>,
    /// The proxies that are believed, and whether their links begin with a header of the PROXY protocol.
    pub(super) trusted: Trusted,
    proxy_protocol: bool,
    pub(super) handshake_timeout: Duration,
    pub(super) limits: Arc<Limits>,
    pub(super) budget: Arc<Budget>,
    pub(super) admission: Arc<Admission>,
    pub(super) places: Arc<Places>,
    pub(super) tls_turns: Turns,
}

/// The system listens from the first moment on; the lane's task registers the socket when it first accepts.
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
            limits: Arc::new(options.limits),
            budget: Budget::new(options.receive_budget()),
            admission: Admission::new(options.into(), Instant::now()),
            places: Places::new(options.descriptors),
            tls_turns: Turns::default(),
        }))
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Closes the socket; when this returns, the port is free. Handshakes under way are cut.
    pub fn close(&self) {
        drop(self.socket.lock().take());
        self.places.close();
    }

    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<(TcpStream, SocketAddr)>>> {
        let mut socket = self.socket.lock();
        let mut listener = match socket.take() {
            None => return Poll::Ready(None),
            Some(Listener::Told(listener)) => listener,
            // A failure takes the socket with it, and another try needs one.
            Some(Listener::Untold(listener)) => match listener.try_clone().and_then(TcpListener::new) {
                Ok(listener) => listener,
                Err(error) => {
                    *socket = Some(Listener::Untold(listener));
                    return Poll::Ready(Some(Err(error)));
                }
            },
        };
        let accepted = listener.poll_accept(cx);
        *socket = Some(Listener::Told(listener));
        accepted.map(Some)
    }

    /// Whether an address may begin a handshake. TLS handshakes are expensive, so each counts: see `admission`.
    pub fn may_begin(&self, peer: Peer) -> bool {
        let may = self.tls.is_none() || self.admission.may_begin_tls(peer.ip, Instant::now());
        if !may {
            log(Level::Info, || format!("{peer}: cut, its address began too many TLS handshakes"));
        }
        may
    }

    /// The client that a proxy names in its header, if it is one that sends it; `None`: the link is cut.
    pub async fn introduced(&self, stream: &mut TcpStream, link: Peer, underway: &Underway) -> Option<Peer> {
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

pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
