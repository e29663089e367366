//! One session: an attempt to connect and, if it succeeds, the connection to its end.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{attempt, Opened, Plan};
use super::reconnect::{may_help_after_ending, may_help_after_failure, Backoff};
use super::{Client, CloseEvent, Kind, Place, ReconnectingEvent, Stage};
use crate::connection::{Connection, Owner, Received, ABNORMAL};
use crate::error::{Code, Error, Phase};
use crate::log::{log, Level};
use crate::runtime::caught;

/// A session, to be spawned.
pub(super) async fn run(client: Arc<Client>, number: u32, plan: Box<Plan>) {
    let session = Arc::new(Session { client, number });
    // Boxed, since a future that is handed on keeps the room that it had before.
    if caught(Box::pin(session.live(plan))).await.is_none() {
        // A defect of this library: the listeners get their last event all the same.
        let error = Error { code: Code::Internal, ..Error::event(Phase::Call, Code::Ok, "Internal error.") };
        let (client, error) = (&session.client, Kind::Error(error.into()));
        let was_open = matches!(client.state.lock().stage, Stage::Open(_));
        match was_open {
            true => {
                client.post(number, [error]);
                let close = CloseEvent { code: ABNORMAL, reason: String::new(), was_clean: false };
                client.post_at(number, Place::Last, Kind::Close(close.into()));
            }
            false => client.post_at(number, Place::Last, error),
        }
    }
}

impl Session {
    /// One connection after another, if the options ask for more than one.
    async fn live(self: &Arc<Self>, plan: Box<Plan>) {
        let mut backoff = Backoff::new(plan.options.reconnect);
        loop {
            // Boxed, so that an open connection doesn't keep the room that the attempt needed.
            let again = match Box::pin(attempt(&self.client, &plan)).await {
                Ok(opened) => {
                    backoff.succeeded();
                    self.converse(opened, &plan, &mut backoff).await
                }
                Err(error) => {
                    log(Level::Info, || format!("{}: {error}", plan.target.address()));
                    let again =
                        Some(()).filter(|()| may_help_after_failure(&error)).and_then(|()| backoff.next());
                    let place = if again.is_some() { Place::Within } else { Place::Last };
                    self.client.post_at(self.number, place, Kind::Error(Box::new(error)));
                    again
                }
            };
            let Some((attempt, delay)) = again else { return };
            let event = ReconnectingEvent { attempt, delay };
            self.client.post(self.number, [Kind::Reconnecting(event)]);
            tokio::time::sleep(delay).await;
            while matches!(self.client.state.lock().stage, Stage::Open(_)) {
                self.client.settled.notified().await;
            }
            if !matches!(self.client.state.lock().stage, Stage::Connecting(_)) {
                return;
            }
        }
    }

    /// An open connection, to its end. Whether, and how, to connect again.
    async fn converse(
        self: &Arc<Self>,
        opened: Opened,
        plan: &Plan,
        backoff: &mut Backoff,
    ) -> Option<(u32, Duration)> {
        let (client, number, peer) = (&self.client, self.number, plan.target.address());
        let Opened { transport, early, header_receive, open, timings } = opened;
        let role = tungstenite::protocol::Role::Client;
        let connection =
            Connection::new(transport, role, early, plan.options.limits, self.clone(), peer.clone());
        {
            let mut state = client.state.lock();
            match &mut state.stage {
                Stage::Connecting(place) => *place = Some(connection.clone()),
                _ => return None,
            }
            state.stats.timings = timings;
        }
        log(Level::Info, || format!("{peer}: open"));
        client.post(number, [Kind::HeaderReceive(header_receive.into()), Kind::Open(open.into())]);

        let ending = connection.run().await;
        log(Level::Info, || format!("{peer}: closed with {}", ending.close.code));
        let again = match !ending.wanted && may_help_after_ending(&ending) {
            true => backoff.next(),
            false => None,
        };
        let lost = ending.is_lost();
        client.post(number, ending.error.map(|error| Kind::Error(Box::new(error))));
        let place = if again.is_some() { Place::EndsConnection } else { Place::Last };
        client.post_at(number, place, Kind::Close(Box::new(ending.close)));
        match lost {
            true => connection.hang_up(),
            false => connection.linger().await,
        }
        again
    }
}

/// The client as its connection sees it. The circle of references ends with the client's stage.
struct Session {
    client: Arc<Client>,
    number: u32,
}

impl Owner for Session {
    fn received(&self, messages: Vec<Received>) {
        self.client.post(self.number, [Kind::Messages(messages.into())]);
    }

    fn has_room(&self) -> bool {
        self.client.room.is_left()
    }

    fn drained(&self, queued_bytes: usize) {
        self.client.post(self.number, [Kind::Drain(queued_bytes)]);
    }

    fn hold_back(&self, connection: &Arc<Connection>) -> bool {
        self.client.mailbox.hold_back(connection)
    }
}
