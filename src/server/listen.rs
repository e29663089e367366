//! Listening: what lets clients in.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::certificates::Certificates;
use super::listening::{is_out_of_descriptors, Listening};
use super::live::{Event, Kind, Server, Stage};
use super::options::ServerOptions;
use super::peer::Peer;
use super::visit::Visit;
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::net::TcpStream;
use crate::platform;
use crate::runtime::{look, sleep};

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
        let task = self.runtime.spawn(&self.lane, Box::pin(accept(self.clone(), listening.clone())));
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
                look().await;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    let error = Error::io(Phase::Tcp, "Clients can't be accepted now", &error);
                    log(Level::Error, || error.message.clone());
                    server.post([Event { connection: None, kind: Kind::Error(error.into()) }]);
                }
                sleep(ACCEPT_PAUSE).await;
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
        server
            .runtime
            .spawn(&server.lane, Visit::begin(server.clone(), listening.clone(), underway, stream, peer))
    });
}
