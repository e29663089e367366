//! One accepted connection, as the server's listeners know it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;

use super::peer::Peer;
use crate::connection::{self, CloseFrame, Connection, Part, Payload, Traffic, GOING_AWAY};
use crate::dispatch::Line;
use crate::error::{Code, Error, Result};
use crate::tls::Secured;

/// The server, as its connections know it.
pub(super) trait Host: Send + Sync {
    /// The name of a connection that is open from now on, if the server names them.
    fn add_name(&self, accepted: &Arc<Accepted>) -> Result<Option<u64>>;

    /// A name that is not used any more.
    fn remove_name(&self, name: u64);

    /// Makes a connection a member of a group.
    fn join(&self, accepted: &Arc<Accepted>, group: &str) -> Result<()>;

    /// Ends a connection's membership.
    fn leave(&self, accepted: &Accepted, group: &str) -> Result<()>;
}

/// The groups that a connection is in. Changed under the lock of the server's groups.
#[derive(Default)]
pub(super) struct Memberships {
    pub names: Vec<Arc<str>>,
    /// The connection is over, and joins nothing.
    pub is_over: bool,
}

/// A connection that the server has accepted.
pub struct Accepted {
    server: Arc<dyn Host>,
    peer: Peer,
    link: Peer,
    tls: Secured,
    /// Connections are numbered as they come.
    pub(super) number: u64,
    name: OnceLock<u64>,
    connection: OnceLock<Arc<Connection>>,
    /// The listeners have been told of it.
    known: AtomicBool,
    /// It ended because the client did not close in time.
    pub(super) cut: AtomicBool,
    pub(super) memberships: Mutex<Memberships>,
}

impl Accepted {
    pub(super) fn new(server: Arc<dyn Host>, peer: Peer, link: Peer, tls: Secured) -> Arc<Accepted> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Accepted {
            server,
            peer,
            link,
            tls,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            name: OnceLock::new(),
            connection: OnceLock::new(),
            known: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            memberships: Mutex::default(),
        })
    }

    /// Where the client is.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Where the link comes from: the client, or a trusted proxy.
    pub fn link(&self) -> Peer {
        self.link
    }

    /// What TLS has agreed on, if the server speaks it.
    pub fn tls(&self) -> Secured {
        self.tls
    }

    /// What the server's [`super::Names`] call the connection once it is open.
    pub fn name(&self) -> u64 {
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

    /// Sends a part of a message, as a fragment.
    pub fn send_part(&self, data: &[u8], is_text: bool, is_last: bool) -> Result<()> {
        self.send(Payload::Part(Part { data, is_text, is_last }))
    }

    /// Sends a ping.
    pub fn ping(&self, data: &[u8]) -> Result<()> {
        self.send(Payload::Ping(data))
    }

    pub(crate) fn send(&self, payload: Payload<'_>) -> Result<()> {
        connection::send(self.open_connection(), payload)
    }

    /// Sends when the platform has been asked; calls nothing of the program.
    pub(super) fn send_permitted(&self, payload: Payload<'_>) -> Result<()> {
        connection::send_permitted(self.open_connection()?, payload)
    }

    /// [`Connection::send_behind`].
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        self.connection.get().is_some_and(|connection| connection.send_behind(payload))
    }

    /// Closes the connection.
    pub fn close(&self, code: u16, reason: &str) -> Result<()> {
        let frame = CloseFrame::checked(code, reason)?;
        crate::platform::check_permission()?;
        self.open_connection()?.close(frame)
    }

    /// [`Connection::cork`].
    pub fn cork(&self) -> Result<()> {
        self.open_connection()?.cork()
    }

    /// [`Connection::uncork`].
    pub fn uncork(&self) -> Result<()> {
        self.open_connection()?.uncork()
    }

    /// Stops the reading.
    pub fn pause(&self) {
        self.with_connection(|connection| connection.pause());
    }

    /// Lets the reading go on.
    pub fn unpause(&self) {
        self.with_connection(Connection::unpause);
    }

    /// Makes the connection a member of a group.
    pub fn join(self: &Arc<Self>, group: &str) -> Result<()> {
        self.server.join(self, group)
    }

    /// Ends the connection's membership, if it is a member.
    pub fn leave(&self, group: &str) -> Result<()> {
        self.server.leave(self, group)
    }

    /// Figures up to now.
    pub fn traffic(&self) -> Traffic {
        self.open_connection().map(|connection| connection.traffic()).unwrap_or_default()
    }

    fn open_connection(&self) -> Result<&Arc<Connection>> {
        self.connection.get().ok_or_else(|| Error::code(Code::NotConnected))
    }

    /// From now on the connection can be used.
    pub(super) fn opened(self: &Arc<Self>, connection: Arc<Connection>) -> Result<()> {
        if let Some(name) = self.server.add_name(self)? {
            let _ = self.name.set(name);
        }
        let _ = self.connection.set(connection);
        Ok(())
    }

    pub(super) fn tell(&self) {
        self.known.store(true, Ordering::Release);
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// Begins to close, unless that has begun; what was accepted is sent first.
    pub(super) fn go_away(&self) {
        if let Ok(connection) = self.open_connection() {
            // If it is closing already, it goes on doing so.
            let _ = connection.close(going_away());
        }
    }

    /// Begins to close, unless that has begun. At `until`, the connection must be over.
    pub(super) fn go_away_by(&self, until: Instant) {
        self.with_connection(|connection| connection.close_by(going_away(), until));
    }

    /// The connection fails because this side lacks something.
    pub(super) fn fail(&self, error: Error) {
        if let Ok(connection) = self.open_connection() {
            connection.fail(error);
        }
    }

    /// The connection, if it is open.
    pub(super) fn with_connection(&self, act: impl FnOnce(&Arc<Connection>)) {
        if let Some(connection) = self.connection.get() {
            act(connection);
        }
    }

    pub(super) fn get_connection(&self) -> Option<&Arc<Connection>> {
        self.connection.get()
    }

    /// Its name names nothing from now on.
    pub(super) fn retire(&self) {
        self.server.remove_name(self.name());
    }
}

fn going_away() -> CloseFrame {
    CloseFrame { code: GOING_AWAY, reason: "server is going away".into() }
}

/// A connection that has turns.
#[derive(Clone)]
pub(crate) struct Turn(pub(super) Arc<Accepted>);

impl Line for Turn {
    fn mark(&self) -> &AtomicBool {
        static NONE: AtomicBool = AtomicBool::new(true);
        self.0.connection.get().map_or(&NONE, |connection| connection.turn_mark())
    }

    fn serve(&self) {
        self.0.with_connection(Connection::attend);
    }
}
