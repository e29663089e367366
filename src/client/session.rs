//! One session, from `connect` on: an attempt and, if it succeeds, the connection to its end.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{attempt, Opened};
use super::event::ReconnectingEvent;
use super::live::{Client, Kind, Stage, Turn};
use super::options::ConnectOptions;
use super::plan::Plan;
use super::reconnect::{may_help_after_ending, may_help_after_failure, Backoff};
use crate::connection::{CloseEvent, Connection, End, Opening, Owner, ABNORMAL};
use crate::dispatch::Mailbox;
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::platform;
use crate::runtime::caught;
use crate::tls;
use crate::url::Target;

impl Client {
    /// Starts to connect. Events tell what becomes of it.
    pub fn connect(self: &Arc<Self>, url: &str, options: ConnectOptions) -> Result<()> {
        self.connect_to(Ok(url), options)
    }

    /// [`Client::connect`] with a URL that may turn out to be none, which counts where the URL has its turn.
    pub(crate) fn connect_to(self: &Arc<Self>, url: Result<&str>, options: ConnectOptions) -> Result<()> {
        options.check()?;
        platform::check_permission()?;
        let url = url?;
        let target = Target::parse_within(url, options.max_url_length)?;
        platform::check_host(&target.host, url)?;
        let own = options.client_cert.iter().flat_map(|cert| [&cert.cert_path, &cert.key_path]);
        options.ca_path.iter().chain(own).try_for_each(|path| tls::check_file(path))?;
        let plan = Box::new(Plan::new(target, options));
        let mut state = self.state.lock();
        match state.stage {
            Stage::Idle => {}
            Stage::Destroyed => return Err(Error::code(Code::BadHandle)),
            _ => return Err(Error::code(Code::AlreadyConnected)),
        }
        let number = self.next_session();
        state.stats = Default::default();
        state.stage = Stage::Connecting(None);
        state.task = Some(self.runtime.spawn(&self.lane, run(self.clone(), number, plan)));
        Ok(())
    }
}

/// A session, to be spawned.
async fn run(client: Arc<Client>, number: u32, plan: Box<Plan>) {
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
                client.post_last(number, Kind::Close(close.into()));
            }
            false => client.post_last(number, error),
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
                    let asked = error.refusal.as_ref().and_then(|refusal| refusal.retry_after);
                    let again = match may_help_after_failure(&error) {
                        true => backoff.next_after(asked.unwrap_or_default()),
                        false => None,
                    };
                    let error = Kind::Error(Box::new(error));
                    match again {
                        Some(_) => self.client.post(self.number, [error]),
                        None => self.client.post_last(self.number, error),
                    }
                    again
                }
            };
            let Some((attempt, delay)) = again else { return };
            // A connection that ended before its `open` was delivered counts until its `close` is.
            while matches!(self.client.state.lock().stage, Stage::Open(_) | Stage::Connecting(Some(_))) {
                self.client.settled.notified().await;
            }
            // Enabled before the event is delivered, so that no notification is missed.
            let mut hurry = pin!(self.client.hurry.notified());
            hurry.as_mut().enable();
            let event = ReconnectingEvent { attempt, delay };
            self.client.post(self.number, [Kind::Reconnecting(event)]);
            let _ = tokio::time::timeout(delay, hurry).await;
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
        let (client, number) = (&self.client, self.number);
        let Opened { transport, address: peer, early, header_receive, open, compression, timings, agreement } =
            opened;
        let role = tungstenite::protocol::Role::Client;
        let (connection, mut course) = Connection::new(Opening {
            transport,
            role,
            early,
            limits: plan.options.limits,
            compression,
            lane: client.lane.clone(),
            owner: self.clone(),
            share: None,
            tag: number,
            peer: peer.clone(),
        });
        {
            let mut state = client.state.lock();
            match &mut state.stage {
                Stage::Connecting(place) => *place = Some(connection.clone()),
                _ => return None,
            }
            let is_first = state.stats.agreement.peer.is_none();
            state.stats.reconnects += u32::from(!is_first);
            (state.stats.timings, state.stats.agreement) = (timings, agreement);
            if client.is_paused.load(Ordering::SeqCst) {
                connection.pause();
            }
        }
        log(Level::Info, || format!("{peer}: open"));
        client.post(number, [Kind::HeaderReceive(header_receive.into()), Kind::Open(open.into())]);

        let ending = course.run().await;
        log(Level::Info, || format!("{peer}: closed with {}", ending.close.code));
        let again = match !ending.wanted && may_help_after_ending(&ending) {
            true => backoff.next(),
            false => None,
        };
        let lost = ending.is_lost();
        connection.tell_end(End { error: ending.error, close: ending.close, is_last: again.is_none() });
        if !lost {
            course.linger().await;
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
    fn ready(&self, connection: &Arc<Connection>) {
        Mailbox::ready(&self.client, &Turn(connection.clone()));
    }

    fn deliverable(&self, connection: &Arc<Connection>) {
        Mailbox::deliverable(&self.client, &Turn(connection.clone()));
    }
}
