//! One session, from `connect` on: an attempt and, if it succeeds, the connection to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;

use super::attempt::{attempt, Failed, Opened};
use super::event::ReconnectingEvent;
use super::live::{Client, Kind, Stage, Turn};
use super::options::ConnectOptions;
use super::plan::Plan;
use super::reconnect::{may_help_after_ending, may_help_after_failure, Backoff};
use crate::connection::{
    CloseEvent, Connection, Course, End, Ending, Limits, Opening, Owner, PeerName, ABNORMAL,
};
use crate::dispatch::Mailbox;
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::platform;
use crate::runtime::{boxed, caught, in_time};
use crate::tls::{self, Trust};
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
        let plan = Box::new(Plan::new(target, options));
        let config = self.current_config(&plan);
        if config.is_none() {
            let own = plan.options.client_cert.iter().flat_map(|cert| [&cert.cert_path, &cert.key_path]);
            plan.options.ca_path.iter().chain(own).try_for_each(|path| tls::check_file(path))?;
        }
        let mut state = self.state.lock();
        match state.stage {
            Stage::Idle => {}
            Stage::Destroyed => return Err(Error::code(Code::BadHandle)),
            _ => return Err(Error::code(Code::AlreadyConnected)),
        }
        let number = self.next_session();
        state.forget_figures();
        state.stage = Stage::Connecting(None);
        state.task = Some(self.runtime.spawn(&self.lane, Box::pin(run(self.clone(), number, plan, config))));
        Ok(())
    }

    /// The TLS configuration for a first attempt, if it is there already: its files have just been looked at.
    fn current_config(&self, plan: &Plan) -> Option<Arc<ClientConfig>> {
        // Only with a CA file that is used: one that isn't must still be checked, and without one the platform may have to be
        // asked about the user's CAs.
        let is_settled = plan.target.secure && matches!(plan.tls.trust, Trust::CaFile(_));
        is_settled.then(|| self.tls.current(&plan.tls)).flatten()
    }
}

/// A session, to be spawned.
async fn run(client: Arc<Client>, number: u32, plan: Box<Plan>, config: Option<Arc<ClientConfig>>) {
    let session = Arc::new(Session { client, number });
    if caught(boxed(|| session.live(plan, config))).await.is_none() {
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
    async fn live(self: &Arc<Self>, plan: Box<Plan>, mut config: Option<Arc<ClientConfig>>) {
        let mut backoff = Backoff::new(plan.options.reconnect);
        let mut plan = Some(plan);
        while let Some(next) = &plan {
            // Boxed, so that an open connection doesn't keep the room that the attempt needed.
            let begun = match boxed(|| attempt(&self.client, next, config.take())).await {
                Ok(opened) => {
                    backoff.succeeded();
                    let limits = Arc::new(next.options.limits);
                    if !backoff.has_next() {
                        plan = None;
                    }
                    Ok(self.open(opened, limits))
                }
                Err(failed) => {
                    let Failed { error, certificates, .. } = *failed;
                    log(Level::Info, || format!("{}: {error}", next.target.address()));
                    self.keep_presented(certificates);
                    Err(self.tell_failure(error, &mut backoff))
                }
            };
            let again = match begun {
                Ok(Some(course)) => self.converse(course, &mut backoff).await,
                Ok(None) => None,
                Err(again) => again,
            };
            let Some((attempt, delay)) = again else { return };
            // A connection that ended before its `open` was delivered counts until its `close` is.
            while self.is_connected() {
                self.client.settled.notified().await;
            }
            boxed(|| self.wait_for_next(attempt, delay)).await;
            if !self.client.connects(&self.client.state.lock(), self.number) {
                return;
            }
        }
    }

    /// Whether its connection counts as one that is there.
    fn is_connected(&self) -> bool {
        let state = self.client.state.lock();
        self.client.counts(self.number) && matches!(state.stage, Stage::Open(_) | Stage::Connecting(Some(_)))
    }

    /// What the server has presented in an attempt that failed.
    fn keep_presented(&self, certificates: Vec<CertificateDer<'static>>) {
        let mut state = self.client.state.lock();
        if self.client.counts(self.number) {
            state.presented = certificates.into();
        }
    }

    /// Tells the program that an attempt has failed. Whether, and how, to connect again.
    fn tell_failure(&self, error: Error, backoff: &mut Backoff) -> Option<(u32, Duration)> {
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

    /// Waits before the next attempt.
    async fn wait_for_next(&self, attempt: u32, delay: Duration) {
        // Enabled before the event is delivered, so that no notification is missed.
        let mut hurry = pin!(self.client.hurry.notified());
        hurry.as_mut().enable();
        let event = ReconnectingEvent { attempt, delay };
        // A client that was closed or destroyed meanwhile hears nothing of it.
        {
            let mut state = self.client.state.lock();
            if !self.client.connects(&state, self.number) {
                return;
            }
            state.is_untold = true;
        }
        self.client.post(self.number, [Kind::Reconnecting(event)]);
        in_time(delay, hurry).await;
        // While a callback blocks, the events of further attempts would pile up.
        while self.is_untold() {
            self.client.settled.notified().await;
        }
    }

    /// Whether the program has yet to hear of the next attempt.
    fn is_untold(&self) -> bool {
        let state = self.client.state.lock();
        state.is_untold && self.client.connects(&state, self.number)
    }

    /// Opens the connection; `None` if the program has given it up.
    fn open(self: &Arc<Self>, opened: Box<Opened>, limits: Arc<Limits>) -> Option<Course> {
        let (client, number) = (&self.client, self.number);
        let Opened { transport, address: peer, early, header_receive, open, compression, timings, agreement } =
            *opened;
        let role = tungstenite::protocol::Role::Client;
        let (connection, course) = Connection::new(Opening {
            transport,
            role,
            early,
            limits,
            compression,
            lane: client.lane.clone(),
            owner: self.clone(),
            share: None,
            tag: number,
            peer: PeerName::Server(peer.into()),
        });
        {
            let mut state = client.state.lock();
            match &mut state.stage {
                Stage::Connecting(place) if client.counts(number) => *place = Some(connection.clone()),
                _ => return None,
            }
            let is_first = state.agreement.peer.is_none();
            state.reconnects += u32::from(!is_first);
            (state.timings, state.agreement) = (timings, agreement);
            state.presented = Box::default();
            if client.is_paused.load(Ordering::SeqCst) {
                connection.pause();
            }
        }
        log(Level::Info, || format!("{}: open", connection.peer()));
        client.post(number, [Kind::HeaderReceive(header_receive.into()), Kind::Open(open.into())]);
        course.start();
        Some(course)
    }

    /// An open connection, to its end. Whether, and how, to connect again.
    async fn converse(&self, mut course: Course, backoff: &mut Backoff) -> Option<(u32, Duration)> {
        let ending = poll_fn(|cx| course.poll_end(cx)).await;
        let (lingers, again) = self.tell_end(&course, ending, backoff);
        if lingers {
            course.linger().await;
        }
        again
    }

    /// Tells the program how a connection has ended. Whether it lingers; whether, and how, to connect again.
    fn tell_end(
        &self,
        course: &Course,
        ending: Ending,
        backoff: &mut Backoff,
    ) -> (bool, Option<(u32, Duration)>) {
        let connection = course.connection();
        log(Level::Info, || format!("{}: closed with {}", connection.peer(), ending.close.code));
        let again = match !ending.wanted && may_help_after_ending(&ending) {
            true => backoff.next(),
            false => None,
        };
        let lingers = course.must_linger(&ending);
        connection.tell_end(End { error: ending.error, close: ending.close, is_last: again.is_none() });
        (lingers, again)
    }
}

/// The client as its connection sees it. The circle of references ends with the client's stage.
struct Session {
    client: Arc<Client>,
    number: u32,
}

impl Owner for Session {
    fn ready(&self, connection: &Arc<Connection>) {
        Mailbox::ready(&self.client, Turn(connection.clone()));
    }

    fn deliverable(&self, connection: &Arc<Connection>) {
        Mailbox::deliverable(&self.client, Turn(connection.clone()));
    }
}
