//! A client: its state, as its listeners know it, and what its program may do.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use tokio::sync::Notify;

use super::event::{ClientListeners, HeaderReceiveEvent, OpenEvent, ReconnectingEvent, Standing};
use super::stats::{Agreement, Stats, Timings};
use crate::callback::in_callback;
use crate::connection::{
    self, CloseEvent, CloseFrame, Connection, Part, Payload, Traffic, ABNORMAL, GOING_AWAY,
};
use crate::dispatch::{Line, Mailbox};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::runtime::{Lane, Runtime, TaskHandle};
use crate::tls::{self, ServerCertificate};

/// What waits to be delivered, and which session it belongs to.
pub(crate) struct Event {
    pub session: u32,
    /// The session is over.
    pub is_last: bool,
    pub kind: Kind,
}

pub(crate) enum Kind {
    HeaderReceive(Box<HeaderReceiveEvent>),
    Open(Box<OpenEvent>),
    Error(Box<Error>),
    Close(Box<CloseEvent>),
    Reconnecting(ReconnectingEvent),
}

/// A WebSocket client.
pub struct Client {
    pub(super) runtime: Arc<Runtime>,
    pub(super) tls: Arc<tls::Cache>,
    pub(super) lane: Arc<Lane>,
    pub(super) mailbox: Mailbox<Event, Turn>,
    /// The program has paused reading, also of later connections.
    pub(super) is_paused: AtomicBool,
    /// The listeners of the client's events.
    pub listeners: ClientListeners,
    pub(super) state: Mutex<State>,
    /// The number of the session whose events count.
    session: AtomicU32,
    name: OnceLock<u64>,
    /// Notifies a session that wants to connect again: its last connection's `close`, or `reconnecting`, is being delivered.
    pub(super) settled: Notify,
    /// Ends a session's wait before it connects again.
    pub(super) hurry: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub stage: Stage,
    /// The session that is under way.
    pub task: Option<TaskHandle>,
    pub timings: Timings,
    pub agreement: Agreement,
    pub reconnects: u32,
    /// Of the last connection, once it is over.
    traffic: Option<Box<Traffic>>,
    /// The program has not heard yet that there will be another attempt.
    pub is_untold: bool,
    /// The program has closed the open connection, which may have been lost by then.
    is_given_up: bool,
    /// What the server has presented in the last attempt, if that failed.
    pub presented: Box<[CertificateDer<'static>]>,
}

impl State {
    /// A session begins.
    pub fn forget_figures(&mut self) {
        (self.timings, self.agreement) = Default::default();
        (self.reconnects, self.traffic) = Default::default();
        (self.is_untold, self.is_given_up, self.presented) = Default::default();
    }
}

/// Where the client stands, as its listeners have been told: it is open once `open` is being delivered.
#[derive(Default)]
pub(super) enum Stage {
    #[default]
    Idle,
    /// The connection, if there is one, has its `open` event on the way.
    Connecting(Option<Arc<Connection>>),
    /// Closed while connecting; the `close` event is on its way.
    Abandoned,
    Open(Arc<Connection>),
    Destroyed,
}

impl Client {
    /// A client that is not connected.
    pub fn new(runtime: Arc<Runtime>, tls: &Arc<tls::Cache>) -> Result<Arc<Client>> {
        Ok(Arc::new(Client {
            lane: runtime.choose_lane()?,
            runtime,
            tls: tls.clone(),
            mailbox: Mailbox::new(),
            is_paused: AtomicBool::new(false),
            listeners: ClientListeners::default(),
            state: Mutex::new(State::default()),
            session: AtomicU32::new(0),
            name: OnceLock::new(),
            settled: Notify::new(),
            hurry: Notify::new(),
        }))
    }

    /// Gives the client a name: its handle.
    pub fn set_name(&self, name: u64) {
        let _ = self.name.set(name);
    }

    /// Its name, or 0.
    pub(super) fn name(&self) -> u64 {
        self.name.get().copied().unwrap_or_default()
    }

    /// Sends text.
    pub fn send_text(&self, text: &str) -> Result<()> {
        self.send(Payload::Text(text))
    }

    /// Sends bytes.
    pub fn send_binary(&self, data: &[u8]) -> Result<()> {
        self.send(Payload::Binary(data))
    }

    pub(crate) fn send(&self, payload: Payload<'_>) -> Result<()> {
        let open = self.open_connection();
        connection::send(open.as_ref().map_err(Error::clone), payload)
    }

    /// [`Connection::send_behind`].
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        matches!(&self.state.lock().stage, Stage::Open(connection) if connection.send_behind(payload))
    }

    /// Sends a part of a message, as a fragment.
    pub fn send_part(&self, data: &[u8], is_text: bool, is_last: bool) -> Result<()> {
        self.send(Payload::Part(Part { data, is_text, is_last }))
    }

    /// Sends a ping.
    pub fn ping(&self, data: &[u8]) -> Result<()> {
        self.send(Payload::Ping(data))
    }

    /// [`Connection::check`] of the open connection.
    pub fn check(&self, timeout: Duration) -> Result<()> {
        if timeout.is_zero() {
            return Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed."));
        }
        self.open_connection()?.check(timeout)
    }

    /// The network is another one: an open connection is checked, and a wait before another attempt ends.
    pub fn network_changed(&self, timeout: Duration) {
        // Without a connection there is nothing to check.
        let _ = self.check(timeout);
        self.hurry.notify_waiters();
    }

    /// Closes the connection, or abandons the attempt.
    pub fn close(self: &Arc<Self>, code: u16, reason: &str) -> Result<()> {
        let frame = CloseFrame::checked(code, reason)?;
        platform::check_permission()?;
        let mut state = self.state.lock();
        match &mut state.stage {
            Stage::Open(connection) => {
                let connection = connection.clone();
                state.is_given_up = true;
                drop(state);
                connection.close(frame)
            }
            Stage::Connecting(_) => {
                let event = CloseEvent { code: ABNORMAL, reason: String::new(), was_clean: false };
                self.abandon(&mut state, Kind::Close(Box::new(event)));
                Ok(())
            }
            Stage::Destroyed => Err(Error::code(Code::BadHandle)),
            Stage::Idle | Stage::Abandoned => Err(Error::code(Code::NotConnected)),
        }
    }

    /// [`Connection::cork`] of the open connection.
    pub fn cork(&self) -> Result<()> {
        self.open_connection()?.cork()
    }

    /// [`Connection::uncork`] of the open connection.
    pub fn uncork(&self) -> Result<()> {
        self.open_connection()?.uncork()
    }

    /// Stops the reading, also of connections to come.
    pub fn pause(&self) {
        self.is_paused.store(true, Ordering::SeqCst);
        self.with_connection(|connection| connection.pause());
    }

    /// Lets the reading go on.
    pub fn unpause(&self) {
        self.is_paused.store(false, Ordering::SeqCst);
        self.with_connection(Connection::unpause);
    }

    /// Where the client stands, as its listeners have been told.
    pub fn standing(&self) -> Standing {
        match &self.state.lock().stage {
            Stage::Idle | Stage::Destroyed => Standing::Idle,
            Stage::Connecting(_) => Standing::Connecting,
            Stage::Abandoned => Standing::Closing,
            Stage::Open(connection) if connection.is_closing() => Standing::Closing,
            Stage::Open(_) => Standing::Open,
        }
    }

    /// Figures of the current connection, or of the last one.
    pub fn stats(&self) -> Stats {
        let (mut stats, connection) = {
            let state = self.state.lock();
            let connection = match &state.stage {
                Stage::Open(connection) => Some(connection.clone()),
                _ => None,
            };
            let stats = Stats {
                traffic: state.traffic.as_deref().copied().unwrap_or_default(),
                timings: state.timings,
                agreement: state.agreement.clone(),
                reconnects: state.reconnects,
            };
            (stats, connection)
        };
        if let Some(connection) = connection {
            stats.traffic = connection.traffic();
        }
        stats
    }

    /// The certificates that the server has presented, its own first: on the open connection or, if the last attempt has failed,
    /// in that.
    pub fn certificates(&self) -> Result<Vec<ServerCertificate>> {
        let (connection, presented) = {
            let state = self.state.lock();
            match &state.stage {
                Stage::Open(connection) => (Some(connection.clone()), Vec::new()),
                Stage::Destroyed => return Err(Error::code(Code::BadHandle)),
                _ => (None, state.presented.to_vec()),
            }
        };
        let presented = connection.map_or(presented, |connection| connection.certificates());
        match presented.is_empty() {
            true => Err(Error::call(
                Code::NotConnected,
                "No certificate is known: there is no connection over TLS.",
            )),
            false => Ok(presented.iter().map(|der| ServerCertificate::of(der)).collect()),
        }
    }

    /// Ends the client. Outside callbacks, returns when no callback of it runs and its listeners are gone.
    pub fn destroy(&self) {
        self.end(!in_callback());
    }

    /// Ends the client without waiting.
    pub fn release(&self) {
        self.end(false);
    }

    fn end(&self, wait: bool) {
        let (stage, task) = {
            let mut state = self.state.lock();
            // Before `open` is skipped, or a message would come without it.
            self.mailbox.closed.store(true, Ordering::Release);
            (std::mem::replace(&mut state.stage, Stage::Destroyed), state.task.take())
        };
        match (stage, task) {
            (Stage::Open(connection), _) => {
                // If it is closing already, it goes on doing so.
                let _ = connection.close(CloseFrame { code: GOING_AWAY, reason: String::new() });
                // The peer may have to get rid of what it sends before it comes to the close frame.
                connection.discard();
                self.settled.notify_one();
            }
            (Stage::Connecting(_), Some(task)) => task.abort(),
            _ => {}
        }
        Mailbox::close(self, wait);
    }

    fn open_connection(&self) -> Result<Arc<Connection>> {
        match &self.state.lock().stage {
            Stage::Open(connection) => Ok(connection.clone()),
            Stage::Destroyed => Err(Error::code(Code::BadHandle)),
            _ => Err(Error::code(Code::NotConnected)),
        }
    }

    fn with_connection(&self, act: impl FnOnce(&Arc<Connection>)) {
        match &self.state.lock().stage {
            Stage::Open(connection) | Stage::Connecting(Some(connection)) => act(connection),
            _ => {}
        }
    }

    /// Events of earlier sessions no longer count.
    pub(super) fn next_session(&self) -> u32 {
        self.session.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    pub(super) fn post(self: &Arc<Self>, session: u32, kinds: impl IntoIterator<Item = Kind>) {
        Mailbox::post(self, kinds.into_iter().map(|kind| Event { session, is_last: false, kind }));
    }

    /// Posts the last event of a session.
    pub(super) fn post_last(self: &Arc<Self>, session: u32, kind: Kind) {
        Mailbox::post(self, [Event { session, is_last: true, kind }]);
    }

    /// Ends an attempt with this event and nothing else.
    pub(super) fn abandon(self: &Arc<Self>, state: &mut State, last: Kind) {
        if let Some(task) = state.task.take() {
            task.abort();
        }
        state.stage = Stage::Abandoned;
        self.post_last(self.next_session(), last);
    }

    /// Whether a session is to connect again: it is the client's, and the program has not given it up.
    pub(super) fn connects(&self, state: &State, session: u32) -> bool {
        self.counts(session) && matches!(state.stage, Stage::Connecting(_))
    }

    /// Whether events of this session still count.
    pub(super) fn counts(&self, session: u32) -> bool {
        session == self.session.load(Ordering::Relaxed)
    }

    /// Changes the state as an event asks that is about to be delivered. Whether it still counts.
    pub(super) fn enter(&self, event: &Event) -> bool {
        let mut state = self.state.lock();
        if !self.counts(event.session) || matches!(state.stage, Stage::Destroyed) {
            return false;
        }
        if let (Kind::Open(_), Stage::Connecting(Some(connection))) = (&event.kind, &state.stage) {
            state.stage = Stage::Open(connection.clone());
        }
        if event.is_last {
            state.stage = Stage::Idle;
        }
        true
    }

    /// The connection of a session is over. Whether that still counts.
    pub(super) fn leave(&self, session: u32, is_last: bool) -> bool {
        let mut state = self.state.lock();
        if !self.counts(session) || matches!(state.stage, Stage::Destroyed) {
            return false;
        }
        let next = if is_last || state.is_given_up { Stage::Idle } else { Stage::Connecting(None) };
        if let Stage::Open(connection) = std::mem::replace(&mut state.stage, next) {
            state.traffic = Some(connection.traffic().into());
        }
        true
    }
}

/// A client's connection, which has turns.
#[derive(Clone)]
pub(crate) struct Turn(pub(super) Arc<Connection>);

impl Line for Turn {
    fn mark(&self) -> &AtomicBool {
        self.0.turn_mark()
    }

    fn serve(&self) {
        self.0.attend();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Config;
    use std::sync::mpsc::channel;

    /// Else a message would come without its `open`, which is skipped.
    #[test]
    fn no_callback_starts_once_a_client_counts_as_destroyed() {
        let client = Client::new(Runtime::start(Config::DEFAULT).unwrap(), &Arc::default()).unwrap();
        client.state.lock().stage = Stage::Connecting(None);
        let ((begun, has_begun), (end, may_end)) = (channel(), channel::<()>());
        let is_closed = std::thread::scope(|scope| {
            // While these events are being added, the release waits for the mailbox.
            let events = (1..=2).map(move |attempt| {
                if attempt == 2 {
                    begun.send(()).unwrap();
                    let _ = may_end.recv();
                }
                Kind::Reconnecting(ReconnectingEvent { attempt, delay: Duration::ZERO })
            });
            scope.spawn(|| client.post(client.next_session(), events));
            has_begun.recv().unwrap();
            scope.spawn(|| client.release());
            while client.standing() != Standing::Idle {
                std::thread::yield_now();
            }
            let is_closed = client.mailbox.closed.load(Ordering::Acquire);
            drop(end);
            is_closed
        });
        assert!(is_closed);
    }
}
