//! A server: its state, its listeners, and the connections that it has accepted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::accepted::{Accepted, Host, Turn};
use super::event::{
    AcceptHook, ConnectEvent, HttpAnswer, HttpHook, HttpRequest, MessageListener, MessagePartListener, Names,
    Of, ServerError, ServerListeners, Standing,
};
use super::groups::Groups;
use super::listening::Listening;
use super::options::CertificateFiles;
use super::peer::Peer;
use crate::callback::{in_callback, Occasion};
use crate::connection::{Connection, DrainEvent, End, MessageEvent, MessagePartEvent, Owner, Sink};
use crate::dispatch::{Actor, Calling, Mailbox, Pace, View};
use crate::error::{Code, Error, Phase, Result};
use crate::platform;
use crate::runtime::{Lane, Runtime, TaskHandle};

/// Whether there may be servers here: not on a device that is no TV. Asks the platform, so no lock may be held.
pub(crate) fn check_device() -> Result<()> {
    match platform::is_tv_device() {
        true => Ok(()),
        false => Err(Error::call(Code::NotSupported, "This device does not run servers.")),
    }
}

/// What waits to be delivered.
pub(crate) struct Event {
    pub connection: Option<Arc<Accepted>>,
    pub kind: Kind,
}

pub(crate) enum Kind {
    Accept(Box<(ConnectEvent, oneshot::Sender<(ConnectEvent, u16)>)>),
    Connect(Box<ConnectEvent>),
    Http(Box<(HttpRequest, oneshot::Sender<Option<HttpAnswer>>)>),
    Error(Box<Error>),
}

/// A WebSocket server.
pub struct Server {
    pub(super) runtime: Arc<Runtime>,
    pub(super) lane: Arc<Lane>,
    names: Option<&'static dyn Names>,
    pub(super) mailbox: Mailbox<Event, Turn>,
    listeners: ServerListeners,
    accept_hook: Mutex<Option<Arc<AcceptHook>>>,
    pub(super) http_hook: Mutex<Option<Arc<HttpHook>>>,
    pub(super) state: Mutex<State>,
    /// Tells that the listeners have heard of the end of a connection.
    pub(super) parted: Condvar,
    pub(super) groups: Groups,
    /// Those that were added, beside the one of the options. Held while the server starts.
    pub(super) certificates: Mutex<Vec<CertificateFiles>>,
    /// Held while a broadcast is queued.
    pub(super) broadcasting: Mutex<()>,
    /// Accept hooks and closes that wait for the program. No limit of connections bounds them, since their
    /// connections may be over.
    waiting: AtomicUsize,
}

/// With so many accept hooks and closes waiting, no more clients are let in.
const MOST_WAITING: usize = 1024;

pub(super) struct State {
    pub stage: Stage,
    /// Those whose `close` was not delivered yet, by their numbers.
    pub connections: BTreeMap<u64, Arc<Accepted>>,
    /// The same, kept from one broadcast to the next until a connection comes or goes. If each broadcast cloned every `Arc`, it
    /// would write to each connection's memory twice more.
    all: Option<Arc<[Arc<Accepted>]>>,
}

pub(super) enum Stage {
    Stopped,
    /// With the task that accepts clients.
    Listening(Arc<Listening>, TaskHandle),
    Destroyed,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(runtime: Arc<Runtime>) -> Result<Arc<Server>> {
        Server::make(runtime, None)
    }

    /// [`Server::new`] whose connections get names.
    pub fn with_names(runtime: Arc<Runtime>, names: &'static dyn Names) -> Result<Arc<Server>> {
        Server::make(runtime, Some(names))
    }

    fn make(runtime: Arc<Runtime>, names: Option<&'static dyn Names>) -> Result<Arc<Server>> {
        Ok(Arc::new(Server {
            lane: runtime.choose_lane()?,
            runtime,
            names,
            mailbox: Mailbox::new(),
            listeners: ServerListeners::default(),
            accept_hook: Mutex::new(None),
            http_hook: Mutex::new(None),
            state: Mutex::new(State { stage: Stage::Stopped, connections: BTreeMap::new(), all: None }),
            parted: Condvar::new(),
            groups: Groups::default(),
            certificates: Mutex::default(),
            broadcasting: Mutex::new(()),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// The listeners of the server's events.
    pub fn listeners(&self) -> &ServerListeners {
        &self.listeners
    }

    /// Asks a hook, which `make` makes, about each client; `None`: every client is accepted.
    pub fn set_accept_hook(&self, make: Option<impl FnOnce() -> AcceptHook>) -> Result<()> {
        self.replace_hook(&self.accept_hook, make)
    }

    pub(super) fn replace_hook<H>(
        &self,
        hook: &Mutex<Option<Arc<H>>>,
        make: Option<impl FnOnce() -> H>,
    ) -> Result<()> {
        // Dropped outside the lock: what the hook owns may call back.
        let _old = {
            let mut current = hook.lock();
            if matches!(self.state.lock().stage, Stage::Destroyed) {
                return Err(Error::code(Code::BadHandle));
            }
            std::mem::replace(&mut *current, make.map(|make| Arc::new(make())))
        };
        Ok(())
    }

    pub(super) fn has_accept_hook(&self) -> bool {
        self.accept_hook.lock().is_some()
    }

    /// Whether the program is so far behind that more clients would fill the memory with what it has not heard yet.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MOST_WAITING
    }

    /// The port that the server listens on.
    pub fn port(&self) -> Result<u16> {
        self.listening().map(|listening| listening.port())
    }

    pub(super) fn listening(&self) -> Result<Arc<Listening>> {
        match &self.state.lock().stage {
            Stage::Listening(listening, _) => Ok(listening.clone()),
            Stage::Stopped => Err(Error::code(Code::NotListening)),
            Stage::Destroyed => Err(Error::code(Code::BadHandle)),
        }
    }

    /// Whether the server listens, and what is left of it if not.
    pub fn standing(&self) -> Standing {
        let state = self.state.lock();
        match &state.stage {
            Stage::Listening(..) => Standing::Listening,
            Stage::Stopped if !state.connections.is_empty() => Standing::Closing,
            Stage::Stopped | Stage::Destroyed => Standing::Idle,
        }
    }

    /// The connections that the listeners know of.
    pub fn connections(&self) -> Result<Vec<Arc<Accepted>>> {
        platform::check_permission()?;
        Ok(self.known_connections())
    }

    fn known_connections(&self) -> Vec<Arc<Accepted>> {
        self.state.lock().connections.values().filter(|accepted| accepted.is_known()).cloned().collect()
    }

    /// All connections, including those that the program doesn't know yet.
    pub(super) fn all(&self) -> Arc<[Arc<Accepted>]> {
        let State { connections, all, .. } = &mut *self.state.lock();
        all.get_or_insert_with(|| connections.values().cloned().collect()).clone()
    }

    /// The connection of the client at this address and port.
    pub fn find(&self, ip: IpAddr, port: u16) -> Result<Arc<Accepted>> {
        let peer = Peer { ip: ip.to_canonical(), port };
        let state = self.state.lock();
        let mut known = state.connections.values().filter(|accepted| accepted.is_known());
        let found = known.find(|accepted| accepted.peer() == peer).cloned();
        found.ok_or_else(|| Error::code(Code::NoConnection))
    }

    /// Ends the server. Outside callbacks, returns when no callback of it runs and its listeners are gone.
    pub fn destroy(&self) {
        self.end(!in_callback());
    }

    /// Ends the server without waiting.
    pub fn release(&self) {
        self.end(false);
    }

    fn end(&self, wait: bool) {
        let connections = {
            let mut state = self.state.lock();
            // Before the connections end, or a quick client's answer would still be told.
            self.mailbox.closed.store(true, Ordering::Release);
            if let Stage::Listening(listening, task) = std::mem::replace(&mut state.stage, Stage::Destroyed) {
                end_listening(&listening, &task);
            }
            state.all = None;
            std::mem::take(&mut state.connections)
        };
        for accepted in connections.values() {
            accepted.go_away();
            // The client may have to get rid of what it sends before it comes to the close frame.
            accepted.with_connection(Connection::discard);
            accepted.retire();
            self.groups.leave_all(accepted);
        }
        self.parted.notify_all();
        Mailbox::close(self, wait);
    }

    /// A connection is open: the listeners hear of it, unless the server has stopped meanwhile.
    pub(super) fn admit(
        self: &Arc<Self>,
        listening: &Arc<Listening>,
        accepted: &Arc<Accepted>,
        connection: Arc<Connection>,
        connect: ConnectEvent,
    ) -> Result<()> {
        let mut state = self.state.lock();
        match &state.stage {
            Stage::Listening(current, _) if Arc::ptr_eq(current, listening) => {}
            _ => return Err(Error::code(Code::NotListening)),
        }
        accepted.opened(connection)?;
        state.connections.insert(accepted.number, accepted.clone());
        state.all = None;
        self.post([Event { connection: Some(accepted.clone()), kind: Kind::Connect(connect.into()) }]);
        Ok(())
    }

    pub(super) fn post(self: &Arc<Self>, events: impl IntoIterator<Item = Event>) {
        Mailbox::post(self, events);
    }

    /// Puts a question to the accept hook; it comes back with the answer.
    pub(super) fn ask(
        self: &Arc<Self>,
        accepted: &Arc<Accepted>,
        connect: ConnectEvent,
    ) -> oneshot::Receiver<(ConnectEvent, u16)> {
        let (decide, decision) = oneshot::channel();
        self.begin_question();
        let kind = Kind::Accept(Box::new((connect, decide)));
        self.post([Event { connection: Some(accepted.clone()), kind }]);
        decision
    }

    pub(super) fn begin_question(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end_question(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells the listeners how a connection ended.
    pub(super) fn part(&self, connection: &Arc<Connection>, end: End) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        connection.tell_end(end);
    }

    /// The listeners have been told that a connection is over.
    fn forget(&self, accepted: &Arc<Accepted>) {
        accepted.retire();
        self.groups.leave_all(accepted);
        {
            let mut state = self.state.lock();
            state.all = None;
            state.connections.remove(&accepted.number);
        }
        self.parted.notify_all();
    }

    fn decide(
        &self,
        connect: ConnectEvent,
        decide: oneshot::Sender<(ConnectEvent, u16)>,
        calling: Calling<'_>,
    ) {
        self.end_question();
        // The handshake was cut while the question waited: the program need not hear of it.
        if decide.is_closed() {
            return;
        }
        let hook = self.accept_hook.lock().clone();
        calling.begin(Occasion::Accept);
        let status = hook.map_or(0, |hook| hook(&connect));
        // The client may have left.
        let _ = decide.send((connect, status));
    }

    /// Puts a question to the HTTP hook.
    fn decide_http(
        &self,
        request: &HttpRequest,
        decide: oneshot::Sender<Option<HttpAnswer>>,
        calling: Calling<'_>,
    ) {
        self.end_question();
        // The handshake was cut while the question waited.
        if decide.is_closed() {
            return;
        }
        let hook = self.http_hook.lock().clone();
        calling.begin(Occasion::Http);
        // The client may have left.
        let _ = decide.send(hook.and_then(|hook| hook(request)));
    }
}

pub(super) fn end_listening(listening: &Listening, task: &TaskHandle) {
    listening.close();
    task.abort();
}

impl Host for Server {
    fn add_name(&self, accepted: &Arc<Accepted>) -> Result<Option<u64>> {
        self.names.map(|names| names.add(accepted)).transpose()
    }

    fn remove_name(&self, name: u64) {
        if let Some(names) = self.names {
            names.remove(name);
        }
    }

    fn join(&self, accepted: &Arc<Accepted>, group: &str) -> Result<()> {
        self.groups.join(accepted, group)
    }

    fn leave(&self, accepted: &Accepted, group: &str) -> Result<()> {
        self.groups.leave(accepted, group)
    }
}

/// An accepted connection as its [`Connection`] sees it, which is owned by it.
pub(super) struct Seat {
    server: Arc<Server>,
    accepted: Weak<Accepted>,
}

impl Seat {
    pub fn of(server: &Arc<Server>, accepted: &Arc<Accepted>) -> Arc<Seat> {
        Arc::new(Seat { server: server.clone(), accepted: Arc::downgrade(accepted) })
    }
}

impl Owner for Seat {
    fn ready(&self, _: &Arc<Connection>) {
        if let Some(accepted) = self.accepted.upgrade() {
            Mailbox::ready(&self.server, Turn(accepted));
        }
    }

    fn deliverable(&self, _: &Arc<Connection>) {
        if let Some(accepted) = self.accepted.upgrade() {
            Mailbox::deliverable(&self.server, Turn(accepted));
        }
    }
}

/// Fails the connection whose listener panics. The panic itself ends in `dispatch::mailbox`.
struct Delivering<'a>(&'a Arc<Accepted>);

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error {
                code: Code::Internal,
                ..Error::event(Phase::Call, Code::Ok, "A listener panicked; its connection is closed.")
            });
        }
    }
}

/// The listeners of a connection, during one turn.
struct Heard<'a> {
    server: &'a Server,
    accepted: &'a Arc<Accepted>,
    calling: Calling<'a>,
    message: View<MessageListener>,
    message_part: View<MessagePartListener>,
}

impl Sink for Heard<'_> {
    #[inline]
    fn message(&mut self, data: &[u8], is_text: bool) {
        let of = Of { connection: self.accepted, event: MessageEvent { data, is_text } };
        let listeners = &self.server.listeners.message;
        listeners.emit_in(self.calling, &mut self.message, |listener| listener(&of));
    }

    fn part(&mut self, part: MessagePartEvent<'_>) {
        let of = Of { connection: self.accepted, event: part };
        let listeners = &self.server.listeners.message_part;
        listeners.emit_in(self.calling, &mut self.message_part, |listener| listener(&of));
    }

    fn drained(&mut self, queued_bytes: usize) {
        let of = Of { connection: self.accepted, event: DrainEvent { queued_bytes } };
        self.server.listeners.drain.emit(self.calling, |listener| listener(&of));
    }

    fn ended(&mut self, end: End) {
        let listeners = &self.server.listeners;
        self.server.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(error) = end.error {
            self.accepted.cut.store(error.detail == Code::CloseTimeout, Ordering::Relaxed);
            let event = ServerError { connection: Some(self.accepted.clone()), error };
            listeners.error.emit(self.calling, |listener| listener(&event));
        }
        let of = Of { connection: self.accepted, event: end.close };
        listeners.close.emit(self.calling, |listener| listener(&of));
        self.server.forget(self.accepted);
    }
}

impl Actor for Server {
    type Event = Event;
    type Line = Turn;

    fn mailbox(&self) -> &Mailbox<Event, Turn> {
        &self.mailbox
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }

    fn deliver(&self, Event { connection, kind }: Event, calling: Calling<'_>) {
        let listeners = &self.listeners;
        let _delivering = connection.as_ref().map(Delivering);
        match (kind, &connection) {
            (Kind::Accept(request), _) => self.decide(request.0, request.1, calling),
            (Kind::Http(request), _) => self.decide_http(&request.0, request.1, calling),
            (Kind::Connect(event), Some(connection)) => {
                connection.tell();
                let of = Of { connection, event: *event };
                listeners.connect.emit(calling, |listener| listener(&of));
            }
            (Kind::Connect(_), None) => {}
            (Kind::Error(error), _) => {
                let event = ServerError { connection: None, error: *error };
                listeners.error.emit(calling, |listener| listener(&event));
            }
        }
    }

    fn turn(&self, Turn(accepted): &Turn, pace: &mut Pace<'_>) -> bool {
        let Some(connection) = accepted.get_connection() else { return false };
        let _delivering = Delivering(accepted);
        let (message, message_part) = (View::default(), View::default());
        let calling = pace.calling();
        connection.turn(
            accepted.name(),
            pace,
            &mut Heard { server: self, accepted, calling, message, message_part },
        )
    }

    fn panicked(self: &Arc<Self>) {
        // `Delivering` has failed the connection.
    }

    fn retire(&self) {
        let ServerListeners { connect, message, message_part, close, error, drain } = &self.listeners;
        message_part.close();
        connect.close();
        message.close();
        close.close();
        error.close();
        drain.close();
        let _hooks = (self.accept_hook.lock().take(), self.http_hook.lock().take());
    }
}
