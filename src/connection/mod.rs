//! One open WebSocket connection: what it has in common for every role.
//!
//! A task drives it ([`Connection::run`]); sends may also write on the thread that makes them. Both go through
//! the link's lock, and neither waits for it: who finds it taken leaves the work to the task.

mod close;
mod heartbeat;
mod queue;
pub(crate) mod scan;
mod transport;

use std::future::{poll_fn, Future};
use std::io::ErrorKind;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, Sleep};
use tungstenite::error::{CapacityError, Error as WsError, ProtocolError};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::Message;

use crate::dispatch;
use crate::error::{Code, Error, Phase, Result};
use crate::options::Limits;
use crate::platform;

pub use close::{CloseEvent, CloseFrame, Ending};
pub(crate) use close::{ABNORMAL, GOING_AWAY};
#[cfg(feature = "server")]
pub(crate) use queue::Broadcast;
pub use queue::DrainEvent;
pub(crate) use queue::Payload;
pub use transport::{Tcp, Transport};

use close::{INTERNAL_ERROR, INVALID_DATA, PROTOCOL_ERROR, TOO_BIG};
use heartbeat::{Beat, Pulse};
use queue::{Frames, Next, Outbox, Stage, SMALL};
use scan::LARGE;
use transport::{Door, LINGER};

/// Read at once, before the others have their turn.
const READ_BATCH: usize = 128;
const READ_BATCH_BYTES: usize = 1 << 20;
/// Read at once. The first is what an idle connection keeps; the second is for streams of large messages.
const SMALL_READS: usize = 10 << 10;
const LARGE_READS: usize = 64 << 10;
/// How long after the last large message the large buffers stay.
const LARGE_FOR: Duration = Duration::from_secs(1);
/// So much of what is corked is worth a write of its own.
const CORKED: usize = 16 << 10;
/// Written at once while more is to come.
const WRITE_BUFFER: usize = 64 << 10;
/// What may wait in tungstenite: besides what is written at once, the largest frame and the pongs of one
/// batch. Of pongs that would come on top only the last is kept (RFC 6455 5.5.3), else who pings and never
/// reads would fill the memory.
const MOST_WRITTEN: usize = WRITE_BUFFER + queue::FRAGMENT + READ_BATCH * LARGEST_PONG + LARGEST_HEADER;
const LARGEST_HEADER: usize = 14;
const LARGEST_PONG: usize = LARGEST_HEADER + 125;
/// A send on the caller's thread writes at once when so much time has passed since the last.
const BURST: Duration = Duration::from_micros(50);

/// What the connection tells the object that it belongs to.
pub(crate) trait Owner: Send + Sync {
    /// Messages have arrived, at least one.
    fn received(&self, messages: Vec<Received>);
    /// Whether more messages may be read now. If not, the owner wakes the connection later.
    fn has_room(&self) -> bool;
    /// The send queue was full and has room again.
    fn drained(&self, queued_bytes: usize);
    /// Whether the owner will call [`Connection::flush_now`] soon.
    fn hold_back(&self, connection: &Arc<Connection>) -> bool;
}

/// A whole message.
#[derive(Clone, Debug)]
pub struct Received {
    /// The payload.
    pub data: Bytes,
    /// Whether it is text, and then valid UTF-8.
    pub is_text: bool,
}

/// Messages that arrived together and wait to be delivered one by one.
pub(crate) struct Messages(std::vec::IntoIter<Received>);

impl From<Vec<Received>> for Messages {
    fn from(messages: Vec<Received>) -> Self {
        Messages(messages.into_iter())
    }
}

impl Messages {
    /// The next message, and whether it is the last.
    pub fn next(&mut self) -> Option<(Received, bool)> {
        let message = self.0.next()?;
        Some((message, self.0.as_slice().is_empty()))
    }

    /// How many they are, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let messages = self.0.as_slice();
        (messages.len(), messages.iter().map(|message| message.data.len()).sum())
    }
}

/// Figures of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Messages handed to the system.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Payload bytes of the messages sent.
    pub bytes_sent: u64,
    /// Payload bytes of the messages received.
    pub bytes_received: u64,
    /// Payload bytes that wait to be sent.
    pub queued_bytes: usize,
    /// The last ping's time to its pong.
    pub rtt: Duration,
}

/// An open connection.
pub struct Connection {
    link: Mutex<Link>,
    /// The task found the link's lock taken and waits for its release.
    task_waits: AtomicBool,
    outbox: Mutex<Outbox>,
    owner: Arc<dyn Owner>,
    limits: Limits,
    /// Who the peer is, for error messages.
    peer: String,
}

/// What is needed to read and write.
struct Link {
    socket: WebSocket<Door>,
    role: Role,
    /// A large frame went in or out since the buffers were looked at.
    large_frame: bool,
    has_large_buffers: bool,
    large_until: Option<Instant>,
    /// What was taken from the outbox and not yet written.
    frames: Frames,
    /// Something was written and not flushed.
    dirty: bool,
    /// The transport took no more at the last try.
    blocked: bool,
    pulse: Pulse,
    received: Vec<Received>,
    /// How many the last read brought.
    last_received: usize,
    /// Messages and control frames that tungstenite has told of.
    told: u64,
    messages_received: u64,
    bytes_received: u64,
    /// Received since the last send, so that the next send is worth a write of its own.
    answering: bool,
    close_sent: bool,
    /// How the connection has ended; what is left is to flush.
    ending: Option<Ending>,
    /// Until when the last frame may take.
    end_by: Option<Instant>,
    /// A write on another thread failed.
    broken: Option<WsError>,
}

/// The link's lock. Must not be released while the outbox is locked.
struct LinkLock<'a> {
    // Dropped in this order.
    link: MutexGuard<'a, Link>,
    _then: WakeTask<'a>,
}

/// Wakes the task, when the link is released, if it found the link taken.
struct WakeTask<'a>(&'a Connection);

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

impl Drop for WakeTask<'_> {
    fn drop(&mut self) {
        if self.0.task_waits.swap(false, Ordering::SeqCst) {
            self.0.wake();
        }
    }
}

/// Sends on a connection if it is open. What is wrong with the message comes first, then what the platform
/// forbids, then the state.
pub(crate) fn send(open: Result<Arc<Connection>>, payload: Payload<'_>) -> Result<()> {
    match &open {
        Ok(connection) => payload.check(connection.limits.max_send_size)?,
        Err(_) => payload.check(usize::MAX)?,
    }
    platform::check_permission()?;
    open?.send(payload)
}

/// [`send`] when the platform has been asked.
#[cfg(feature = "server")]
pub(crate) fn send_permitted(open: Result<Arc<Connection>>, payload: Payload<'_>) -> Result<()> {
    let connection = open?;
    payload.check(connection.limits.max_send_size)?;
    connection.send(payload)
}

impl Connection {
    /// A connection after its opening handshake. `early` is what arrived behind the handshake.
    pub(crate) fn new(
        transport: Transport,
        role: Role,
        early: Vec<u8>,
        limits: Limits,
        owner: Arc<dyn Owner>,
        peer: String,
    ) -> Arc<Connection> {
        let link = Link {
            socket: new_socket(Door::new(transport, early), role, &limits, SMALL_READS),
            role,
            large_frame: false,
            has_large_buffers: false,
            large_until: None,
            frames: Frames::default(),
            dirty: false,
            blocked: false,
            pulse: Pulse::new(limits.heartbeat, Instant::now()),
            received: Vec::new(),
            last_received: 0,
            told: 0,
            messages_received: 0,
            bytes_received: 0,
            answering: true,
            close_sent: false,
            ending: None,
            end_by: None,
            broken: None,
        };
        Arc::new(Connection {
            link: Mutex::new(link),
            task_waits: AtomicBool::new(false),
            outbox: Mutex::new(Outbox::new()),
            owner,
            limits,
            peer,
        })
    }

    /// Sends a message that keeps to the limits: accepted whole, or not at all.
    fn send(self: &Arc<Self>, payload: Payload<'_>) -> Result<()> {
        if payload.len() > LARGE {
            dispatch::note_sent(payload.len());
        }
        let mut outbox = self.outbox.lock();
        if let Err(error) = outbox.admit(payload.len(), self.limits.send_queue_size) {
            let corked = outbox.corked;
            drop(outbox);
            // Who is refused waits for `drain`, so what is corked waits no longer.
            if corked {
                self.wake();
            }
            return Err(error);
        }
        if !outbox.is_idle() || (outbox.corked && payload.len() <= SMALL) {
            self.push_behind(outbox, payload);
            return Ok(());
        }
        if self.owner.hold_back(self) {
            outbox.push(payload);
            return Ok(());
        }
        // In a burst one thread queues while another writes; a single message is not worth a wake-up.
        let now = Instant::now();
        let in_burst = outbox.last_send.replace(now).is_some_and(|last| now - last < BURST);
        match self.try_link() {
            Some(mut link) if link.is_free() && (link.answering || !in_burst) => {
                outbox.push(payload);
                drop(outbox);
                link.answering = false;
                self.pump_or_leave(&mut link);
            }
            link => {
                outbox.push(payload);
                drop(outbox);
                drop(link);
                self.wake();
            }
        }
        Ok(())
    }

    /// Sends a small message if it only has to join others that wait, which is short: nothing is written on
    /// this thread. `false`: it was not sent, and [`send`] does it or says why not.
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        if payload.len() > SMALL.min(self.limits.max_send_size) || platform::has_hooks() {
            return false;
        }
        let mut outbox = self.outbox.lock();
        let joins = !outbox.is_idle() && outbox.takes(payload.len(), self.limits.send_queue_size);
        if joins {
            self.push_behind(outbox, payload);
        }
        joins
    }

    /// Lets a message join others that wait, or wait for others.
    fn push_behind(&self, mut outbox: MutexGuard<'_, Outbox>, payload: Payload<'_>) {
        let length = payload.len();
        outbox.push(payload);
        let many = outbox.bytes >= CORKED && outbox.bytes - length < CORKED;
        let worth_a_write = outbox.corked && (many || length > SMALL);
        drop(outbox);
        if worth_a_write {
            self.wake();
        }
    }

    /// From now on small messages wait for others.
    pub(crate) fn cork(&self) -> Result<()> {
        let mut outbox = self.outbox.lock();
        outbox.check_open()?;
        outbox.corked = true;
        Ok(())
    }

    /// Sends what has waited.
    pub(crate) fn uncork(self: &Arc<Self>) -> Result<()> {
        let waits = {
            let mut outbox = self.outbox.lock();
            outbox.check_open()?;
            std::mem::take(&mut outbox.corked) && !outbox.is_idle()
        };
        if waits {
            self.flush_now();
        }
        Ok(())
    }

    /// Starts to close: what was accepted goes first.
    pub(crate) fn close(&self, frame: CloseFrame) -> Result<()> {
        self.outbox.lock().close(Stage::Closing(frame, Instant::now() + self.limits.close_timeout))?;
        self.wake();
        Ok(())
    }

    /// Whether this side has begun to close, or the connection is over.
    pub(crate) fn is_closing(&self) -> bool {
        !matches!(self.outbox.lock().stage, Stage::Open)
    }

    /// Ends the connection because this side failed.
    pub(crate) fn fail(&self, error: Error) {
        self.outbox.lock().stage = Stage::Failed(error);
        self.wake();
    }

    /// Lets the task look at everything again.
    pub(crate) fn wake(&self) {
        let waker = self.outbox.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Writes what is queued on this thread, if the link is free; else the task does it.
    pub(crate) fn flush_now(self: &Arc<Self>) {
        match self.try_link() {
            Some(mut link) => self.pump_or_leave(&mut link),
            None => self.wake(),
        }
    }

    /// Figures up to now.
    pub fn traffic(&self) -> Traffic {
        let (messages_received, bytes_received, rtt) = {
            // The only one to wait for the link: its holders never wait themselves.
            let link = LinkLock { link: self.link.lock(), _then: WakeTask(self) };
            (link.messages_received, link.bytes_received, link.pulse.rtt())
        };
        let outbox = self.outbox.lock();
        Traffic {
            messages_sent: outbox.messages_sent,
            messages_received,
            bytes_sent: outbox.bytes_sent,
            bytes_received,
            queued_bytes: outbox.bytes,
            rtt,
        }
    }

    /// Drives the connection to its end.
    pub(crate) async fn run(self: &Arc<Self>) -> Ending {
        let mut timer = pin!(tokio::time::sleep_until(far_away(Instant::now())));
        let ending = poll_fn(|cx| self.poll(cx, timer.as_mut())).await;
        let stage = std::mem::replace(&mut self.outbox.lock().stage, Stage::Closed);
        Ending { wanted: matches!(stage, Stage::Closing(..)), ..ending }
    }

    /// [`Transport::linger`] after the close frames, then hangs up.
    pub(crate) async fn linger(self: &Arc<Self>) {
        let drained = poll_fn(|cx| match self.link.lock().socket.get_mut().transport() {
            Ok(transport) => transport.poll_drain(cx),
            Err(_) => Poll::Ready(()),
        });
        let _ = tokio::time::timeout(LINGER, drained).await;
        self.hang_up();
    }

    /// Closes the link, whoever else still knows the connection.
    pub(crate) fn hang_up(&self) {
        self.link.lock().socket.get_mut().hang_up();
    }

    fn try_link(&self) -> Option<LinkLock<'_>> {
        self.link.try_lock().map(|link| LinkLock { link, _then: WakeTask(self) })
    }

    /// The link for the task, which is woken when it is free if it isn't now.
    fn link_for_task(&self, cx: &Context<'_>) -> Poll<LinkLock<'_>> {
        if let Some(link) = self.try_link() {
            return Poll::Ready(link);
        }
        self.keep_waker(cx);
        self.task_waits.store(true, Ordering::SeqCst);
        match self.try_link() {
            Some(link) => Poll::Ready(link),
            None => Poll::Pending,
        }
    }

    fn poll(self: &Arc<Self>, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Ending> {
        let mut link = ready!(self.link_for_task(cx));
        if !link.socket.get_ref().waker.will_wake(cx.waker()) {
            link.socket.get_mut().waker = cx.waker().clone();
            self.keep_waker(cx);
        }
        let mut now = Instant::now();
        let more = link.ending.is_none() && self.read(&mut link, now);
        if let Some(error) = link.broken.take_if(|_| !more) {
            self.end(&mut link, error);
        }
        loop {
            // A flush is dear, so it waits until nothing more is there to read.
            if let Err(error) = self.pump(&mut link, !more) {
                self.end(&mut link, error);
            }
            if !link.blocked {
                if let Some(ending) = link.ending.take() {
                    return Poll::Ready(ending);
                }
            }
            self.fit_buffers(&mut link, now);
            let deadline = match self.look_at_clock(&mut link, now) {
                Clock::Wait(deadline) => deadline,
                Clock::Ping(payload) => {
                    let ping = link.frames.heartbeat(payload);
                    if let Err(error) = link.write(ping) {
                        self.end(&mut link, error);
                    }
                    continue;
                }
                Clock::Fail(error) => {
                    self.fail_with(&mut link, CloseFrame::own(INTERNAL_ERROR, "Internal error"), error);
                    continue;
                }
                Clock::Cut(ending) => return Poll::Ready(ending),
            };
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                if more {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            now = Instant::now();
        }
    }

    /// Reads a batch of messages. Whether there may be more to read at once.
    fn read(&self, link: &mut Link, now: Instant) -> bool {
        let room = self.owner.has_room();
        link.pulse.set_deaf(!room, now);
        if !room {
            return false;
        }
        let (mut bytes, mut more, mut pinged) = (0, true, false);
        for _ in 0..READ_BATCH {
            if link.has_told_all() {
                self.fit_buffers(link, now);
                if !link.socket.get_mut().is_readable() {
                    more = false;
                    break;
                }
            }
            let read = link.socket.read();
            link.told += u64::from(read.is_ok());
            let (data, is_text) = match read {
                Ok(Message::Text(text)) => (Bytes::from(text), true),
                Ok(Message::Binary(data)) => (data, false),
                Ok(Message::Pong(payload)) => {
                    link.pulse.got_pong(&payload, now);
                    continue;
                }
                Ok(Message::Close(frame)) => {
                    let forbidden = !link.close_sent && close::was_forbidden(frame.as_ref());
                    let error = forbidden.then(|| {
                        let message = format!("{} sent a close code that must not be sent.", self.peer);
                        Error::event(Phase::Protocol, Code::Protocol, message)
                    });
                    link.ending = Some(Ending { error, ..Ending::clean(frame) });
                    link.dirty = true;
                    more = false;
                    break;
                }
                // The answer to a ping is written by the next read or flush.
                Ok(Message::Ping(_) | Message::Frame(_)) => {
                    pinged = true;
                    continue;
                }
                Err(WsError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    more = false;
                    break;
                }
                Err(error) => {
                    self.end(link, error);
                    more = false;
                    break;
                }
            };
            bytes += data.len();
            link.messages_received += 1;
            link.bytes_received += data.len() as u64;
            if link.received.is_empty() {
                // As many as the last time are likely.
                link.received.reserve(link.last_received);
            }
            link.received.push(Received { data, is_text });
            if bytes > READ_BATCH_BYTES {
                break;
            }
        }
        if std::mem::take(&mut link.socket.get_mut().heard) {
            link.pulse.heard(now);
            link.answering = true;
        }
        let received = std::mem::take(&mut link.received);
        link.last_received = received.len();
        if !received.is_empty() {
            self.owner.received(received);
        }
        if pinged && link.ending.is_none() {
            // Tells whether the transport takes the pongs; tungstenite's reads keep that to themselves.
            if let Err(error) = link.flush() {
                self.end(link, error);
                more = false;
            }
        }
        more
    }

    /// Gives the socket large buffers when large messages have begun to flow, and small ones some time after
    /// the last: between messages, when tungstenite holds nothing. If it holds something to be written, the next
    /// occasion will do.
    fn fit_buffers(&self, link: &mut Link, now: Instant) {
        let door = link.socket.get_mut();
        if door.take_busy() || std::mem::take(&mut link.large_frame) {
            link.large_until = Some(now + LARGE_FOR);
        }
        let large = link.large_until.is_some_and(|until| now < until);
        if large == link.has_large_buffers {
            return;
        }
        let between_messages = link.has_told_all() && link.socket.get_ref().scan.is_between_messages();
        if !between_messages {
            link.socket.get_mut().stops_between_frames = true;
        } else if link.is_free() && !link.dirty {
            let mut door = std::mem::replace(link.socket.get_mut(), Door::closed());
            door.stops_between_frames = false;
            let reads = if large { LARGE_READS } else { SMALL_READS };
            link.socket = new_socket(door, link.role, &self.limits, reads);
            if !large {
                self.outbox.lock().forget_large();
            }
            link.has_large_buffers = large;
        }
    }

    /// Writes what was accepted as far as the transport takes it, then the close frame if one is due.
    fn pump(&self, link: &mut Link, flush: bool) -> Result<(), WsError> {
        if link.blocked {
            link.flush()?;
        }
        while !link.blocked && link.ending.is_none() {
            if link.frames.is_empty() {
                let mut outbox = self.outbox.lock();
                if !link.frames.take(&mut outbox) {
                    self.close_if_due(link, outbox);
                    break;
                }
            }
            while let Some(next) = link.frames.next() {
                link.write(next)?;
                if link.blocked {
                    break;
                }
            }
            self.book(link);
        }
        if flush && link.dirty && !link.blocked {
            link.flush()?;
        }
        Ok(())
    }

    fn pump_or_leave(&self, link: &mut Link) {
        if let Err(error) = self.pump(link, true) {
            link.broken = Some(error);
            self.wake();
        }
    }

    fn book(&self, link: &mut Link) {
        let written = std::mem::take(&mut link.frames.written);
        let mut outbox = self.outbox.lock();
        let room = outbox.book(written, self.limits.send_queue_size);
        let queued = outbox.bytes;
        drop(outbox);
        if room {
            self.owner.drained(queued);
        }
    }

    /// Everything accepted is written: if the connection is closing, its close frame is next.
    fn close_if_due(&self, link: &mut Link, outbox: MutexGuard<'_, Outbox>) {
        if let Stage::Closing(frame, _) = &outbox.stage {
            let frame = frame.clone();
            drop(outbox);
            link.send_close(&frame);
        }
    }

    /// The connection can't go on: says so to the peer where that makes sense, and settles how it ended.
    fn end(&self, link: &mut Link, error: WsError) {
        if link.ending.is_some() {
            // The rest of the close frame can't be written, which changes nothing.
            link.blocked = false;
            return;
        }
        let peer = &self.peer;
        let protocol = |detail, message: String| Error::event(Phase::Protocol, detail, message);
        match error {
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | WsError::ConnectionClosed
            | WsError::AlreadyClosed => {
                let message = format!("{peer} closed the connection without a close frame.");
                link.ending = Some(Ending::lost(Error::event(Phase::Io, Code::LinkLost, message)));
            }
            WsError::Io(error) => {
                let error = Error::io(Phase::Io, format!("The connection to {peer} broke"), &error);
                link.ending = Some(Ending::lost(error));
            }
            WsError::Utf8(_) => {
                let error = protocol(Code::InvalidUtf8, format!("{peer} sent text that is not UTF-8."));
                self.fail_with(link, CloseFrame::own(INVALID_DATA, "Invalid UTF-8"), error);
            }
            WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                let message = format!("{peer} sent a message of {size} bytes, more than {max_size}.");
                let error = protocol(Code::MessageTooBig, message);
                self.fail_with(link, CloseFrame::own(TOO_BIG, "Message too big"), error);
            }
            WsError::Protocol(error) => {
                let error =
                    protocol(Code::Protocol, format!("{peer} broke the WebSocket protocol: {error}."));
                self.fail_with(link, CloseFrame::own(PROTOCOL_ERROR, "Protocol error"), error);
            }
            error => {
                let error = Error { code: Code::Internal, ..protocol(Code::Ok, format!("{error}.")) };
                self.fail_with(link, CloseFrame::own(INTERNAL_ERROR, "Internal error"), error);
            }
        }
    }

    fn fail_with(&self, link: &mut Link, frame: CloseFrame, error: Error) {
        link.send_close(&frame);
        link.ending = Some(Ending::failed(error, &frame));
    }

    fn look_at_clock(&self, link: &mut Link, now: Instant) -> Clock {
        if link.ending.is_some() {
            // Only the close frame is left to write.
            let until = *link.end_by.get_or_insert(now + self.limits.close_timeout);
            return match link.ending.take_if(|_| now >= until) {
                Some(ending) => Clock::Cut(ending),
                None => Clock::Wait(until),
            };
        }
        let (closing, queued) = {
            let outbox = self.outbox.lock();
            let closing = match &outbox.stage {
                Stage::Closing(_, until) => Some(*until),
                Stage::Failed(error) => return Clock::Fail(error.clone()),
                Stage::Open | Stage::Closed => None,
            };
            (closing, outbox.bytes)
        };
        if let Some(until) = closing {
            if now < until {
                return Clock::Wait(until);
            }
            let message = format!(
                "{} did not end the closing handshake within {} ms; {queued} bytes were not sent.",
                self.peer,
                self.limits.close_timeout.as_millis(),
            );
            return Clock::Cut(Ending::lost(Error::event(Phase::Io, Code::CloseTimeout, message)));
        }
        match link.pulse.beat(now) {
            Beat::Wait(until) => {
                let shrink = link.large_until.filter(|until| link.has_large_buffers && *until > now);
                Clock::Wait(until.into_iter().chain(shrink).min().unwrap_or_else(|| far_away(now)))
            }
            Beat::Ping(payload) => Clock::Ping(payload),
            Beat::Lost => {
                let message = format!(
                    "{} did not answer a ping within {} ms.",
                    self.peer,
                    link.pulse.timeout().as_millis()
                );
                Clock::Cut(Ending::lost(Error::event(Phase::Heartbeat, Code::HeartbeatLost, message)))
            }
        }
    }

    fn keep_waker(&self, cx: &Context<'_>) {
        self.outbox.lock().waker = Some(cx.waker().clone());
    }
}

/// Not `from_partially_read`: its buffer never grows beyond what the next header needs, and each message would
/// take a read of its own.
fn new_socket(door: Door, role: Role, limits: &Limits, reads: usize) -> WebSocket<Door> {
    let config = WebSocketConfig::default()
        .read_buffer_size(reads)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MOST_WRITTEN)
        .max_message_size(Some(limits.max_receive_size))
        .max_frame_size(Some(limits.max_receive_size));
    WebSocket::from_raw_socket(door, role, Some(config))
}

/// Later than anything that matters.
fn far_away(now: Instant) -> Instant {
    now + Duration::from_secs(86400 * 365)
}

/// What time it is for a connection.
enum Clock {
    /// Nothing to do before.
    Wait(Instant),
    /// The heartbeat wants a ping.
    Ping([u8; 8]),
    /// This side has failed meanwhile.
    Fail(Error),
    /// The time is up.
    Cut(Ending),
}

impl Link {
    /// tungstenite has told of all that was read, and holds nothing.
    fn has_told_all(&self) -> bool {
        self.socket.get_ref().scan.is_all(self.told)
    }

    /// Nothing waits in it, and it takes messages.
    fn is_free(&self) -> bool {
        self.frames.is_empty() && !self.blocked && !self.close_sent && self.ending.is_none()
    }

    fn write(&mut self, next: Next) -> Result<(), WsError> {
        if let Some(payload) = next.ping {
            self.pulse.sent_ping(payload, Instant::now());
        }
        self.dirty = true;
        self.large_frame |= next.frame.len() > LARGE;
        let written = self.socket.write(Message::Frame(next.frame));
        self.note_blocked(written)
    }

    fn flush(&mut self) -> Result<(), WsError> {
        self.blocked = false;
        let flushed = self.socket.flush();
        self.note_blocked(flushed)?;
        self.dirty = self.blocked;
        Ok(())
    }

    /// Sends a close frame, once; a link that can't take it is broken anyway.
    fn send_close(&mut self, frame: &CloseFrame) {
        if !std::mem::replace(&mut self.close_sent, true) {
            self.dirty = true;
            let sent = self.socket.close(Some(frame.to_wire()));
            let _ = self.note_blocked(sent);
        }
    }

    /// `WouldBlock` is no error: tungstenite has kept the frame.
    fn note_blocked(&mut self, result: Result<(), WsError>) -> Result<(), WsError> {
        match result {
            // Messages are written when there is room. A ping of the heartbeat that finds none is as good as unanswered.
            Err(WsError::WriteBufferFull(_)) => {
                self.blocked = true;
                Ok(())
            }
            Err(WsError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Ok(())
            }
            // A server's last frame is out.
            Err(WsError::ConnectionClosed) if self.ending.is_some() => Ok(()),
            result => result,
        }
    }
}
