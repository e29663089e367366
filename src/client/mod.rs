//! A client: its state, its listeners, and the sessions it goes through one after another.

mod attempt;
mod dial;
pub(crate) mod handshake;
mod link_options;
mod reconnect;
mod redirect;
pub(crate) mod refusal;
mod retry_after;
mod session;
mod stats;

pub use link_options::{Known, LinkOptions};
pub use reconnect::Reconnect;
pub use stats::{Agreement, Stats, Timings};

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::attempt::Plan;
use crate::callback::in_callback;
use crate::connection::{self, CloseFrame, Connection, End, Part, Payload, Sink, ABNORMAL, GOING_AWAY};
pub use crate::connection::{CloseEvent, DrainEvent, MessageEvent, MessagePartEvent};
use crate::dispatch::{Actor, Line, Listener, Listeners, Mailbox, Pace, View};
use crate::error::{Code, Error, Phase, Result};
use crate::options::ConnectOptions;
use crate::platform;
use crate::runtime::{Lane, Runtime};
use crate::url::Target;

/// The server's answer to the upgrade.
#[derive(Clone, Debug)]
pub struct HeaderReceiveEvent {
    /// The HTTP status.
    pub status: u16,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The connection is open.
#[derive(Clone, Debug)]
pub struct OpenEvent {
    /// The HTTP status.
    pub status: u16,
    /// The status text.
    pub message: String,
    /// The sub-protocol that the server chose, or "".
    pub protocol: String,
    /// The extensions that were agreed to, as a header has them, or "".
    pub extensions: String,
}

/// The message before was complete.
#[derive(Clone, Copy, Debug)]
pub struct DataEndEvent;

/// The client will connect again by itself.
#[derive(Clone, Copy, Debug)]
pub struct ReconnectingEvent {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The wait before it.
    pub delay: Duration,
}

/// What is called for a message.
pub type MessageListener = dyn Fn(&MessageEvent<'_>) + Send + Sync;
/// What is called for a part of a message.
pub type MessagePartListener = dyn Fn(&MessagePartEvent<'_>) + Send + Sync;

/// The listeners of each event.
#[derive(Default)]
pub struct ClientListeners {
    /// The server's answer, before `open`.
    pub header_receive: Listeners<Listener<HeaderReceiveEvent>>,
    /// The connection is open.
    pub open: Listeners<Listener<OpenEvent>>,
    /// A message.
    pub message: Listeners<MessageListener>,
    /// A part of a message, with `receive_parts`.
    pub message_part: Listeners<MessagePartListener>,
    /// Right after each message.
    pub data_end: Listeners<Listener<DataEndEvent>>,
    /// The connection is over.
    pub close: Listeners<Listener<CloseEvent>>,
    /// Something failed.
    pub error: Listeners<Listener<Error>>,
    /// The send queue has room again.
    pub drain: Listeners<Listener<DrainEvent>>,
    /// The client will connect again by itself.
    pub reconnecting: Listeners<Listener<ReconnectingEvent>>,
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It can connect.
    Idle,
    /// An attempt is under way, or will be after a wait.
    Connecting,
    /// It can send.
    Open,
    /// Its program has closed it; `close` follows.
    Closing,
}

/// What waits to be delivered, and which session it belongs to.
pub(crate) struct Event {
    session: u32,
    /// The session is over.
    is_last: bool,
    kind: Kind,
}

enum Kind {
    HeaderReceive(Box<HeaderReceiveEvent>),
    Open(Box<OpenEvent>),
    Error(Box<Error>),
    Close(Box<CloseEvent>),
    Reconnecting(ReconnectingEvent),
}

/// A WebSocket client.
pub struct Client {
    runtime: Arc<Runtime>,
    lane: Arc<Lane>,
    mailbox: Mailbox<Event, Turn>,
    /// The program wants nothing read, also from connections to come.
    is_paused: AtomicBool,
    /// Who is told of what happens.
    pub listeners: ClientListeners,
    state: Mutex<State>,
    /// The number of the session whose events count.
    session: AtomicU32,
    /// Tells a session that wants to connect again that its last connection's `close` is being delivered.
    settled: Notify,
    /// Ends a session's wait before it connects again.
    hurry: Notify,
}

struct State {
    stage: Stage,
    /// The session that is under way.
    task: Option<AbortHandle>,
    stats: Stats,
}

/// Where the client stands, as its listeners have been told: it is open once `open` is being delivered.
enum Stage {
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
    pub fn new(runtime: Arc<Runtime>) -> Result<Arc<Client>> {
        Ok(Arc::new(Client {
            lane: runtime.choose_lane()?,
            runtime,
            mailbox: Mailbox::new(),
            is_paused: AtomicBool::new(false),
            listeners: ClientListeners::default(),
            state: Mutex::new(State { stage: Stage::Idle, task: None, stats: Stats::default() }),
            session: AtomicU32::new(0),
            settled: Notify::new(),
            hurry: Notify::new(),
        }))
    }

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
        options.ca_path.iter().chain(own).try_for_each(|path| crate::tls::check_file(path))?;
        let plan = Box::new(Plan::new(target, options));
        let mut state = self.state.lock();
        match state.stage {
            Stage::Idle => {}
            Stage::Destroyed => return Err(Error::code(Code::BadHandle)),
            _ => return Err(Error::code(Code::AlreadyConnected)),
        }
        let number = self.next_session();
        state.stats = Stats::default();
        state.stage = Stage::Connecting(None);
        state.task = Some(self.runtime.spawn(&self.lane, session::run(self.clone(), number, plan)));
        Ok(())
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
        connection::send(self.open_connection(), payload)
    }

    /// [`Connection::send_behind`].
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        match &self.state.lock().stage {
            Stage::Open(connection) => connection.send_behind(payload),
            _ => false,
        }
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
    pub fn progress(&self) -> Progress {
        match &self.state.lock().stage {
            Stage::Idle | Stage::Destroyed => Progress::Idle,
            Stage::Connecting(_) => Progress::Connecting,
            Stage::Abandoned => Progress::Closing,
            Stage::Open(connection) if connection.is_closing() => Progress::Closing,
            Stage::Open(_) => Progress::Open,
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
            (state.stats.clone(), connection)
        };
        if let Some(connection) = connection {
            stats.traffic = connection.traffic();
        }
        stats
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
    fn next_session(&self) -> u32 {
        self.session.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    fn post(self: &Arc<Self>, session: u32, kinds: impl IntoIterator<Item = Kind>) {
        Mailbox::post(self, kinds.into_iter().map(|kind| Event { session, is_last: false, kind }));
    }

    /// Posts the last event of a session.
    fn post_last(self: &Arc<Self>, session: u32, kind: Kind) {
        Mailbox::post(self, [Event { session, is_last: true, kind }]);
    }

    /// Ends an attempt with this event and nothing else.
    fn abandon(self: &Arc<Self>, state: &mut State, last: Kind) {
        if let Some(task) = state.task.take() {
            task.abort();
        }
        state.stage = Stage::Abandoned;
        self.post_last(self.next_session(), last);
    }

    /// Whether events of this session still count.
    fn counts(&self, session: u32) -> bool {
        session == self.session.load(Ordering::Relaxed)
    }

    /// Changes the state as an event asks that is about to be delivered. Whether it still counts.
    fn enter(&self, event: &Event) -> bool {
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
    fn leave(&self, session: u32, is_last: bool) -> bool {
        let mut state = self.state.lock();
        if !self.counts(session) || matches!(state.stage, Stage::Destroyed) {
            return false;
        }
        let next = if is_last { Stage::Idle } else { Stage::Connecting(None) };
        if let Stage::Open(connection) = std::mem::replace(&mut state.stage, next) {
            state.stats.traffic = connection.traffic();
        }
        true
    }
}

/// A client's connection, which has turns.
#[derive(Clone)]
pub(crate) struct Turn(Arc<Connection>);

impl Line for Turn {
    fn mark(&self) -> &AtomicBool {
        self.0.turn_mark()
    }

    fn serve(&self) {
        self.0.attend();
    }
}

/// The listeners of a client's connection, during one turn.
struct Heard<'a> {
    client: &'a Client,
    session: u32,
    message: View<MessageListener>,
    message_part: View<MessagePartListener>,
    data_end: View<Listener<DataEndEvent>>,
}

impl Sink for Heard<'_> {
    #[inline]
    fn message(&mut self, message: MessageEvent<'_>) {
        let (listeners, closed) = (&self.client.listeners, &self.client.mailbox.closed);
        if self.client.counts(self.session) {
            listeners.message.emit_in(closed, &mut self.message, |listener| listener(&message));
            listeners.data_end.emit_in(closed, &mut self.data_end, |listener| listener(&DataEndEvent));
        }
    }

    fn part(&mut self, part: MessagePartEvent<'_>) {
        let (listeners, closed) = (&self.client.listeners, &self.client.mailbox.closed);
        if self.client.counts(self.session) {
            listeners.message_part.emit_in(closed, &mut self.message_part, |listener| listener(&part));
            if part.is_last {
                listeners.data_end.emit_in(closed, &mut self.data_end, |listener| listener(&DataEndEvent));
            }
        }
    }

    fn drained(&mut self, queued_bytes: usize) {
        if self.client.counts(self.session) {
            let event = DrainEvent { queued_bytes };
            self.client.listeners.drain.emit(&self.client.mailbox.closed, |listener| listener(&event));
        }
    }

    fn ended(&mut self, end: End) {
        let (listeners, closed) = (&self.client.listeners, &self.client.mailbox.closed);
        if let Some(error) = end.error.filter(|_| self.client.counts(self.session)) {
            listeners.error.emit(closed, |listener| listener(&error));
        }
        let counts = self.client.leave(self.session, end.is_last);
        self.client.settled.notify_one();
        if counts {
            listeners.close.emit(closed, |listener| listener(&end.close));
        }
    }
}

impl Actor for Client {
    type Event = Event;
    type Line = Turn;

    fn mailbox(&self) -> &Mailbox<Event, Turn> {
        &self.mailbox
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }

    fn deliver(&self, event: Event) {
        let (listeners, closed) = (&self.listeners, &self.mailbox.closed);
        if !self.enter(&event) {
            return;
        }
        match event.kind {
            Kind::HeaderReceive(event) => listeners.header_receive.emit(closed, |listener| listener(&event)),
            Kind::Open(event) => listeners.open.emit(closed, |listener| listener(&event)),
            Kind::Error(error) => listeners.error.emit(closed, |listener| listener(&error)),
            Kind::Close(event) => listeners.close.emit(closed, |listener| listener(&event)),
            Kind::Reconnecting(event) => listeners.reconnecting.emit(closed, |listener| listener(&event)),
        }
    }

    fn name(event: &Event) -> &'static str {
        match event.kind {
            Kind::HeaderReceive(_) => "header_receive",
            Kind::Open(_) => "open",
            Kind::Error(_) => "error",
            Kind::Close(_) => "close",
            Kind::Reconnecting(_) => "reconnecting",
        }
    }

    fn turn(&self, Turn(connection): &Turn, pace: &mut Pace<'_>) -> bool {
        let mut heard = Heard {
            client: self,
            session: connection.tag(),
            message: View::default(),
            message_part: View::default(),
            data_end: View::default(),
        };
        connection.turn(pace, &mut heard)
    }

    fn panicked(self: &Arc<Self>) {
        let error = Error {
            code: Code::Internal,
            ..Error::event(Phase::Call, Code::Ok, "A listener panicked; its connection is closed.")
        };
        let mut state = self.state.lock();
        match &state.stage {
            Stage::Open(connection) => connection.fail(error),
            Stage::Connecting(_) => self.abandon(&mut state, Kind::Error(Box::new(error))),
            _ => {}
        }
    }

    fn retire(&self) {
        let ClientListeners {
            header_receive,
            open,
            message,
            message_part,
            data_end,
            close,
            error,
            drain,
            reconnecting,
        } = &self.listeners;
        message_part.close();
        header_receive.close();
        open.close();
        message.close();
        data_end.close();
        close.close();
        error.close();
        drain.close();
        reconnecting.close();
    }
}
