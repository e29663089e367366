//! A client from its arrival to its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use tungstenite::protocol::Role;

use super::accepted::Accepted;
use super::admission::{Permit, Source};
use super::arrival::{handshake, Admitted, Opened};
use super::listening::Listening;
use super::live::{Seat, Server};
use super::peer::Peer;
use super::places::Underway;
use crate::connection::{Connection, Course, End, Ending, Opening, PeerName};
use crate::log::{log, Level};
use crate::net::TcpStream;
use crate::runtime::{boxed, in_time, TaskHandle};

/// A client's task. It is no `async` function, whose future would be twice as large: this is what an open connection holds.
pub(super) struct Visit {
    server: Arc<Server>,
    listening: Arc<Listening>,
    stage: Stage,
}

enum Stage {
    Arriving(Pin<Box<dyn Future<Output = Option<Arrival>> + Send>>),
    Open(Conversation),
    Leaving(Pin<Box<dyn Future<Output = ()> + Send>>),
    Gone,
}

/// What a handshake ends with, unless the client was refused or has left.
struct Arrival {
    opened: Box<Opened>,
    /// This task, unless it was cut.
    task: Option<TaskHandle>,
}

/// A connection that is open.
struct Conversation {
    accepted: Arc<Accepted>,
    course: Course,
    permit: Permit,
    task: Option<TaskHandle>,
}

impl Visit {
    /// Begins with the handshake.
    pub fn begin(
        server: Arc<Server>,
        listening: Arc<Listening>,
        underway: Underway,
        stream: TcpStream,
        peer: Peer,
    ) -> Visit {
        let arriving = arrive(server.clone(), listening.clone(), underway, stream, peer);
        Visit { server, listening, stage: Stage::Arriving(Box::pin(arriving)) }
    }
}

impl Future for Visit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Visit { server, listening, stage } = self.get_mut();
        loop {
            let next = match stage {
                Stage::Arriving(arriving) => {
                    let arrival = ready!(arriving.as_mut().poll(cx));
                    arrival.and_then(|arrival| open(server, listening, arrival)).map(Stage::Open)
                }
                Stage::Open(conversation) => {
                    let ending = ready!(conversation.course.poll_end(cx));
                    match std::mem::replace(stage, Stage::Gone) {
                        Stage::Open(conversation) => leave(server, listening, conversation, ending),
                        _ => None,
                    }
                }
                Stage::Leaving(leaving) => {
                    ready!(leaving.as_mut().poll(cx));
                    None
                }
                Stage::Gone => return Poll::Ready(()),
            };
            *stage = next.unwrap_or(Stage::Gone);
        }
    }
}

/// The handshake, in time.
async fn arrive(
    server: Arc<Server>,
    listening: Arc<Listening>,
    underway: Underway,
    stream: TcpStream,
    peer: Peer,
) -> Option<Arrival> {
    let handshake = boxed(|| handshake(&server, &listening, &underway, stream, peer));
    let opened = in_time(listening.handshake_timeout, underway.run(handshake)).await;
    let task = underway.leave();
    if opened.is_none() {
        log(Level::Info, || format!("{peer}: cut, the handshake took too long"));
    }
    opened.flatten().flatten().map(|opened| Arrival { opened, task })
}

/// Opens the connection; `None` if the server is no longer there.
fn open(server: &Arc<Server>, listening: &Arc<Listening>, arrival: Arrival) -> Option<Conversation> {
    let Opened { admitted, transport, early } = *arrival.opened;
    let Admitted { accepted, connect, compression, permit } = admitted;
    let peer = accepted.peer();
    let (connection, course) = Connection::new(Opening {
        transport,
        role: Role::Server,
        early,
        limits: listening.limits.clone(),
        compression,
        lane: server.lane.clone(),
        owner: Seat::of(server, &accepted),
        share: Some(listening.budget.share(Source::widest(peer.ip).address())),
        tag: 0,
        peer: PeerName::Client((peer.ip, peer.port).into()),
    });
    match server.admit(listening, &accepted, connection, connect) {
        Ok(()) => {
            log(Level::Info, || format!("{peer}: open"));
            course.start();
            Some(Conversation { accepted, course, permit, task: arrival.task })
        }
        Err(error) => {
            log(Level::Info, || format!("{peer}: dropped: {error}"));
            None
        }
    }
}

/// Tells the program how a connection has ended, and lets it linger where that may matter.
fn leave(
    server: &Arc<Server>,
    listening: &Arc<Listening>,
    conversation: Conversation,
    ending: Ending,
) -> Option<Stage> {
    let Conversation { accepted, course, permit, task } = conversation;
    let (connection, lingers) = (course.connection().clone(), course.must_linger(&ending));
    let Ending { error, close, .. } = ending;
    log(Level::Info, || format!("{}: closed with {}", accepted.peer(), close.code));
    // A place among the clients is free when its descriptor is, before the program hears of it if nothing is left to be said.
    let left = lingers.then_some((course, permit));
    server.part(&connection, End { error, close, is_last: true });
    let (course, permit) = left?;
    let lingering = task.map(|task| listening.places.let_linger(task));
    Some(Stage::Leaving(Box::pin(async move {
        course.linger().await;
        drop((course, permit, lingering));
    })))
}
