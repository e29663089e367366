//! One open WebSocket connection, either role: what a program may do with it.
//!
//! It has two locks: the outbox, in which every thread may leave what it sends, and the link, which reads and
//! writes. No thread waits for the link: one that finds it taken leaves the work to the lane's service.

mod budget;
mod clock;
mod close;
mod course;
mod drive;
mod ending;
mod figures;
#[cfg(fuzzing)]
pub mod fuzz;
mod heartbeat;
mod inbox;
mod link;
mod message;
mod options;
mod payload;
mod peer;
mod receive;
mod segment;
mod send;
mod turn;
mod write;

use std::sync::atomic::{fence, AtomicBool, Ordering};
use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tungstenite::protocol::Role;

use crate::error::{Error, Result};
use crate::frame::deflate::Inflater;
use crate::frame::extension::Agreed;
use crate::platform;
use crate::runtime::{HeldBack, Lane, Served};
use crate::transport::Transport;

#[cfg(feature = "server")]
pub(crate) use budget::Budget;
pub(crate) use budget::Share;
pub use close::{CloseEvent, CloseFrame, Ending};
pub(crate) use close::{ABNORMAL, GOING_AWAY};
pub(crate) use course::Course;
pub use figures::Traffic;
pub(crate) use inbox::End;
pub(crate) use options::DEFAULT_PING_INTERVAL;
pub use options::{Heartbeat, Limits};
#[cfg(feature = "server")]
pub(crate) use payload::Broadcast;
pub use payload::DrainEvent;
pub(crate) use payload::{Part, Payload};
pub(crate) use peer::PeerName;
pub(crate) use turn::{send_here, Sink};

use budget::Member;
use heartbeat::Pulse;
use inbox::{Delivery, Inbox};
use link::Link;
use receive::Receiver;
use send::{Compressor, Outbox, Stage};

/// What the connection tells the object that it belongs to.
pub(crate) trait Owner: Send + Sync {
    /// The socket is ready: the connection wants a turn.
    fn ready(&self, connection: &Arc<Connection>);
    /// Something waits for the listeners.
    fn deliverable(&self, connection: &Arc<Connection>);
}

/// A whole message.
#[derive(Clone, Copy, Debug)]
pub struct MessageEvent<'a> {
    /// The payload.
    pub data: &'a [u8],
    /// Whether it is text, and then valid UTF-8.
    pub is_text: bool,
}

/// A part of a message: `data` is a piece of it as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct MessagePartEvent<'a> {
    /// The piece; of text, whole characters.
    pub data: &'a [u8],
    /// Whether the message is text.
    pub is_text: bool,
    /// Whether the message begins with it.
    pub is_first: bool,
    /// Whether the message ends with it.
    pub is_last: bool,
}

/// An open connection.
pub struct Connection {
    link: Mutex<Link>,
    /// A thread found the link taken: the service looks when it is released.
    wanted: AtomicBool,
    outbox: Mutex<Outbox>,
    compressor: Option<Box<Compressor>>,
    inbox: Inbox,
    /// Boxed, since clients have none.
    share: Option<Box<Share>>,
    owner: Arc<dyn Owner>,
    lane: Arc<Lane>,
    /// It waits for its turn, or to be served.
    has_turn: AtomicBool,
    is_served: AtomicBool,
    limits: Arc<Limits>,
    role: Role,
    /// The number by which its owner knows it.
    tag: u32,
    peer: PeerName,
}

/// The link's lock. Must not be released while the outbox is locked.
struct LinkLock<'a> {
    // Dropped in this order.
    link: MutexGuard<'a, Link>,
    _then: Release<'a>,
}

/// Has the service look at the link, when it is released, if a thread found it taken.
struct Release<'a>(&'a Arc<Connection>);

impl std::ops::Deref for LinkLock<'_> {
    type Target = Link;
    fn deref(&self) -> &Link {
        &self.link
    }
}

impl std::ops::DerefMut for LinkLock<'_> {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        // Pairs with the fence in `link_or_later`: this thread sees the wish, or the other one sees the lock released.
        fence(Ordering::SeqCst);
        if self.0.wanted.load(Ordering::SeqCst) && self.0.wanted.swap(false, Ordering::SeqCst) {
            self.0.attend();
        }
    }
}

/// How a connection begins.
pub(crate) struct Opening {
    pub transport: Transport,
    pub role: Role,
    /// What arrived behind the handshake.
    pub early: Vec<u8>,
    pub limits: Arc<Limits>,
    /// What the handshake has agreed to.
    pub compression: Option<Agreed>,
    pub lane: Arc<Lane>,
    pub owner: Arc<dyn Owner>,
    /// Its share of its server's receive budget.
    pub share: Option<Share>,
    pub tag: u32,
    pub peer: PeerName,
}

/// Sends on a connection if it is open. What is wrong with the message comes first, then what the platform
/// forbids, then the state.
pub(crate) fn send(open: Result<&Arc<Connection>>, payload: Payload<'_>) -> Result<()> {
    match &open {
        Ok(connection) => payload.check(connection.limits.max_send_size)?,
        Err(_) => payload.check(usize::MAX)?,
    }
    platform::check_permission()?;
    open?.send(payload)
}

/// [`send`] when the platform has been asked.
#[cfg(feature = "server")]
pub(crate) fn send_permitted(connection: &Arc<Connection>, payload: Payload<'_>) -> Result<()> {
    payload.check(connection.limits.max_send_size)?;
    connection.send(payload)
}

impl Connection {
    /// A connection after its opening handshake.
    pub(crate) fn new(opening: Opening) -> (Arc<Connection>, Course) {
        let Opening { transport, role, early, limits, compression, lane, owner, share, tag, peer } = opening;
        let now = Instant::now();
        let ways = compression.map(|agreed| match role {
            Role::Client => (agreed.client, agreed.server),
            Role::Server => (agreed.server, agreed.client),
        });
        let inflater = ways.map(|(_, incoming)| Box::new(Inflater::new(incoming)));
        let (level, threshold) = (limits.compression.level, limits.compression.threshold);
        let compressor = ways.map(|(way, _)| Compressor::new(way, level, threshold));
        let threshold = if compressor.is_some() { threshold } else { usize::MAX };
        let receiver = Receiver::new(role, limits.max_receive_size, limits.receive_parts, inflater, early);
        let link = Link::new(transport, receiver, Pulse::new(limits.heartbeat, now), now);
        let connection = Arc::new(Connection {
            link: Mutex::new(link),
            wanted: AtomicBool::new(false),
            outbox: Mutex::new(Outbox::new(role, limits.max_send_size, threshold)),
            compressor,
            inbox: Inbox::default(),
            share: share.map(Box::new),
            owner,
            lane,
            has_turn: AtomicBool::new(false),
            is_served: AtomicBool::new(false),
            limits,
            role,
            tag,
            peer,
        });
        // A circle, until the connection hangs up.
        connection.link.lock().waker = connection.clone().into();
        if let Some(share) = &connection.share {
            share.join(&connection);
        }
        let course = Course::new(connection.clone());
        (connection, course)
    }

    /// The peer within a sentence.
    pub(crate) fn peer(&self) -> &PeerName {
        &self.peer
    }

    /// The number by which its owner knows it.
    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    /// Whether it waits for its turn.
    pub(crate) fn turn_mark(&self) -> &AtomicBool {
        &self.has_turn
    }

    /// From now on small messages wait for others.
    pub(crate) fn cork(&self) -> Result<()> {
        let mut outbox = self.outbox.lock();
        outbox.check_open()?;
        outbox.corked = true;
        // What an earlier turn has sent doesn't wait for the uncorking.
        outbox.is_due |= outbox.waits_for_rest;
        Ok(())
    }

    /// Sends what has waited.
    pub(crate) fn uncork(self: &Arc<Self>) -> Result<()> {
        let waits = {
            let mut outbox = self.outbox.lock();
            outbox.check_open()?;
            std::mem::take(&mut outbox.corked) && !outbox.is_empty()
        };
        if waits {
            self.flush_now();
        }
        Ok(())
    }

    /// Starts to close: what was accepted goes first.
    pub(crate) fn close(self: &Arc<Self>, frame: CloseFrame) -> Result<()> {
        self.outbox.lock().close(Stage::Closing(frame.into(), Instant::now() + self.limits.close_timeout))?;
        self.attend();
        Ok(())
    }

    /// Starts to close, and has until then to end. One that is closing already gets no more time than that.
    pub(crate) fn close_by(self: &Arc<Self>, frame: CloseFrame, until: Instant) {
        {
            let mut outbox = self.outbox.lock();
            match &mut outbox.stage {
                Stage::Closing(_, by) => *by = until.min(*by),
                stage @ (Stage::Open | Stage::Unwritable) => *stage = Stage::Closing(frame.into(), until),
                Stage::Failed(_) | Stage::Broken | Stage::Closed => return,
            }
        }
        self.attend();
    }

    /// Whether this side has begun to close, or the connection is over.
    pub(crate) fn is_closing(&self) -> bool {
        !matches!(self.outbox.lock().stage, Stage::Open)
    }

    /// Ends the connection because this side failed.
    pub(crate) fn fail(self: &Arc<Self>, error: Error) {
        self.outbox.lock().stage = Stage::Failed(error.into());
        self.attend();
    }

    /// Has everything looked at again, without listeners.
    pub(crate) fn attend(self: &Arc<Self>) {
        self.lane.serve_soon(self);
    }

    /// Writes what is queued on this thread, if the link is free; else the service does it.
    fn flush_now(self: &Arc<Self>) {
        match self.try_link() {
            Some(mut link) => self.pump_or_attend(&mut link),
            None => self.attend(),
        }
    }

    /// Stops the reading.
    pub(crate) fn pause(&self) {
        self.inbox.pause();
    }

    /// Lets the reading go on.
    pub(crate) fn unpause(self: &Arc<Self>) {
        if self.inbox.unpause() {
            self.attend();
        }
    }

    /// Nobody will hear of what arrives: it is read, so that the peer comes to its close frame, and dropped.
    pub(crate) fn discard(self: &Arc<Self>) {
        self.inbox.discard(self.share());
        self.attend();
    }

    /// Tells the listeners how it ended, after everything that it has received.
    pub(crate) fn tell_end(self: &Arc<Self>, end: End) {
        self.inbox.push(Delivery::Ended(Box::new(end)), None);
        self.owner.deliverable(self);
    }

    /// Pings the peer, which counts as gone if nothing comes in time.
    pub(crate) fn check(self: &Arc<Self>, timeout: Duration) -> Result<()> {
        self.outbox.lock().check_open()?;
        {
            let mut link = LinkLock { link: self.link.lock(), _then: Release(self) };
            link.signals.pulse.check(timeout, Instant::now());
        }
        self.attend();
        Ok(())
    }

    /// Closes the link, even if others still hold the connection.
    fn hang_up(self: &Arc<Self>) {
        let (_transport, _wakers, alarm) = {
            let mut link = self.link.lock();
            link.receiver.close();
            link.rest = None;
            link.drop_unwritten();
            link.carried = link.carried();
            link.presented = link.presented().into();
            let waker = std::mem::replace(&mut link.waker, std::task::Waker::noop().clone());
            (link.transport.take(), (waker, link.awaits_outcome.take()), link.alarm.take())
        };
        if let Some(alarm) = alarm {
            self.lane.service.cancel(alarm);
        }
        if let Some(share) = &self.share {
            share.holds_unfinished(0);
            share.holds_rest(0, false);
        }
        let mut outbox = self.outbox.lock();
        outbox.stage = Stage::Closed;
        outbox.discard();
    }

    fn share(&self) -> Option<&Share> {
        self.share.as_deref()
    }

    fn try_link(self: &Arc<Self>) -> Option<LinkLock<'_>> {
        self.link.try_lock().map(|link| LinkLock { link, _then: Release(self) })
    }

    /// The link, for work that must be done. `None`: it is taken, and the service looks when it is released.
    fn link_or_later(self: &Arc<Self>) -> Option<LinkLock<'_>> {
        self.try_link().or_else(|| {
            self.wanted.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            self.try_link()
        })
    }
}

impl Wake for Connection {
    fn wake(self: Arc<Self>) {
        self.owner.ready(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.owner.ready(self);
    }
}

impl Member for Connection {
    fn holding(&self) -> Option<&Share> {
        self.share()
    }

    fn look_again(self: Arc<Self>) {
        self.attend();
    }
}

impl HeldBack for Connection {
    fn flush(self: Arc<Self>) {
        match self.try_link() {
            Some(link) if link.rest.is_some() && self.outbox.lock().waits_for_rest => {}
            Some(mut link) => self.pump_or_attend(&mut link),
            None => self.attend(),
        }
    }

    fn flush_elsewhere(self: Arc<Self>) {
        self.attend();
    }
}

impl Served for Connection {
    fn serve(self: Arc<Self>, is_due: bool) {
        self.drive_without_listeners(is_due);
    }

    fn mark(&self) -> &AtomicBool {
        &self.is_served
    }
}
