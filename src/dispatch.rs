//! Events to listeners: in order, one at a time for each handle, and on/off from anywhere.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;
use crate::error::{Code, Error, Result};
use crate::runtime::{Runtime, Strand};

thread_local! {
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
    static SENT: Cell<usize> = const { Cell::new(0) };
}

/// While this lives, the thread counts as being inside a callback.
#[derive(Debug)]
pub struct InCallback(());

/// Marks the thread as being inside a callback. The library's own threads are so all their life, since what
/// calls the library there is a callback; other threads while they run a `free_fn` or write a log line.
pub fn enter_callback() -> InCallback {
    let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() + 1));
    InCallback(())
}

impl Drop for InCallback {
    fn drop(&mut self) {
        let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() - 1));
    }
}

/// Whether this thread is inside a callback, where nothing may wait.
pub fn in_callback() -> bool {
    CALLBACKS.try_with(|depth| depth.get() > 0).unwrap_or(true)
}

/// Tells that this thread has sent a large message, whose copying and writing is not the callback's fault.
pub(crate) fn note_sent(bytes: usize) {
    let _ = SENT.try_with(|sent| sent.set(sent.get().saturating_add(bytes)));
}

fn take_sent() -> usize {
    SENT.try_with(Cell::take).unwrap_or(0)
}

/// What makes a listener the same as another: its function and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerKey(pub usize, pub usize);

type Call<E> = Box<dyn Fn(&E) + Send + Sync>;

struct Listener<E> {
    key: ListenerKey,
    call: Call<E>,
    /// Cleared by `remove`, so that it isn't called again by an event that is being delivered.
    registered: AtomicBool,
}

/// The listeners of one event, in the order of their registration.
pub struct Listeners<E> {
    list: Mutex<List<E>>,
    /// How often the list has changed.
    version: AtomicU32,
}

type Snapshot<E> = Arc<Vec<Arc<Listener<E>>>>;

struct List<E> {
    listeners: Snapshot<E>,
    closed: bool,
}

/// The listeners as a batch of events knows them, which spares each event the lock.
pub(crate) struct View<E> {
    version: u32,
    listeners: Option<Snapshot<E>>,
}

impl<E> Default for View<E> {
    fn default() -> Self {
        View { version: 0, listeners: None }
    }
}

impl<E> Default for Listeners<E> {
    fn default() -> Self {
        let list = List { listeners: Arc::default(), closed: false };
        Listeners { list: Mutex::new(list), version: AtomicU32::new(0) }
    }
}

impl<E> Listeners<E> {
    /// Adds a listener, which `make` makes unless the key is there already.
    pub fn add(&self, key: ListenerKey, make: impl FnOnce() -> Call<E>) -> Result<()> {
        let mut list = self.list.lock();
        if list.closed {
            return Err(Error::code(Code::BadHandle));
        }
        if list.listeners.iter().any(|listener| listener.key == key) {
            return Ok(());
        }
        let listener = Arc::new(Listener { key, call: make(), registered: AtomicBool::new(true) });
        // A new list, since an event may be going through the old one.
        let mut listeners = Vec::clone(&list.listeners);
        listeners.push(listener);
        list.listeners = Arc::new(listeners);
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Removes one listener, or all of them for `None`.
    pub fn remove(&self, key: Option<ListenerKey>) {
        // Dropped outside the lock: what a listener owns may call back.
        let _removed = {
            let mut list = self.list.lock();
            let (removed, kept): (Vec<_>, Vec<_>) = list
                .listeners
                .iter()
                .cloned()
                .partition(|listener| key.is_none_or(|key| listener.key == key));
            for listener in &removed {
                listener.registered.store(false, Ordering::Release);
            }
            self.version.fetch_add(1, Ordering::Release);
            (std::mem::replace(&mut list.listeners, Arc::new(kept)), removed)
        };
    }

    /// Removes all listeners and takes no more.
    pub fn close(&self) {
        self.list.lock().closed = true;
        self.remove(None);
    }

    /// Calls the listeners, until `closed`.
    pub(crate) fn emit(&self, event: &E, closed: &AtomicBool) {
        self.emit_in(event, closed, &mut View::default());
    }

    /// [`Listeners::emit`] for one of many events.
    pub(crate) fn emit_in(&self, event: &E, closed: &AtomicBool, view: &mut View<E>) {
        if view.version != self.version.load(Ordering::Acquire) {
            let list = self.list.lock();
            let seen = (self.version.load(Ordering::Relaxed), Some(list.listeners.clone()));
            drop(list);
            (view.version, view.listeners) = seen;
        }
        for listener in view.listeners.iter().flat_map(|listeners| listeners.iter()) {
            if listener.registered.load(Ordering::Acquire) && !closed.load(Ordering::Acquire) {
                (listener.call)(event);
            }
        }
    }
}

/// Short calls in a row after which a handle is trusted to hold the lead.
const TRUST: u32 = 16;
/// A call that takes longer ends the trust.
const SHORT: Duration = Duration::from_micros(100);
/// A large payload may take longer: to be copied once or twice, or to be sent.
const BYTES_PER_NANOSECOND: u64 = 2;
const BYTES_SENT_PER_NANOSECOND: u64 = 1;
/// How many events are timed together.
const TIMED_TOGETHER: u32 = 8;
/// Events and payload bytes of one connection that may wait in a mailbox before the reading of its socket stops.
const MOST_EVENTS: usize = 1024;
const MOST_BYTES: usize = 1 << 20;
/// Larger queues are given back when they are empty and little came in last.
const KEPT_CAPACITY: usize = 32;

/// How much of one connection waits in a mailbox: a slow listener stops the reading of the socket.
#[derive(Default)]
pub(crate) struct Room {
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// The reading has stopped for want of room.
    starved: AtomicBool,
    /// What comes in is not kept.
    unbounded: AtomicBool,
    /// The program wants nothing read.
    paused: AtomicBool,
}

impl Room {
    /// Whether more may be read; if not, [`Actor::resume`] tells when.
    pub fn is_left(&self) -> bool {
        if self.has_space() {
            return true;
        }
        self.starved.store(true, Ordering::SeqCst);
        // What was taken out meanwhile may have missed the mark.
        self.has_space() && self.starved.swap(false, Ordering::SeqCst)
    }

    /// Stops the reading.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Lets the reading go on. Whether it had stopped.
    pub fn unpause(&self) -> bool {
        self.paused.store(false, Ordering::SeqCst);
        self.starved.swap(false, Ordering::SeqCst)
    }

    fn has_space(&self) -> bool {
        self.unbounded.load(Ordering::SeqCst)
            || !self.paused.load(Ordering::SeqCst)
                && self.events.load(Ordering::SeqCst) < MOST_EVENTS
                && self.bytes.load(Ordering::SeqCst) < MOST_BYTES
    }

    /// There is always room from now on, since the handle is about to drop its events. Whether the reading had
    /// stopped.
    pub fn lift_bound(&self) -> bool {
        self.unbounded.store(true, Ordering::SeqCst);
        self.starved.swap(false, Ordering::SeqCst)
    }

    fn fill(&self, events: usize, bytes: usize) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether the reading had stopped.
    fn empty(&self, events: usize, bytes: usize) -> bool {
        self.events.fetch_sub(events, Ordering::SeqCst);
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.starved.swap(false, Ordering::SeqCst)
    }
}

/// The events of one handle that wait for their callbacks.
pub(crate) struct Mailbox<E> {
    state: Mutex<State<E>>,
    /// Tells that the last batch of a closed mailbox is over.
    ended: Condvar,
    /// No callback starts any more.
    pub closed: AtomicBool,
    trust: AtomicU32,
    /// Connections on which the batch that runs has sent. `None`: sends are not held back.
    held_back: Mutex<Option<Vec<Arc<Connection>>>>,
}

struct State<E> {
    events: VecDeque<E>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Ready,
    Running,
}

/// What has a mailbox and can deliver its events.
pub(crate) trait Actor: Send + Sync + 'static {
    type Event: Send;
    /// The views of the events that come in numbers.
    type Views: Default;

    fn mailbox(&self) -> &Mailbox<Self::Event>;
    /// Takes what comes first of the events that wait and calls its listeners; how many bytes of payload it had.
    /// An event that holds several messages stays until the last.
    fn deliver(&self, waiting: &mut VecDeque<Self::Event>, views: &mut Self::Views) -> Option<usize>;
    /// How much an event holds: what is delivered at once counts as one, and has so many bytes of payload.
    fn size(event: &Self::Event) -> (usize, usize);
    /// What the event takes room of: its connection's.
    fn room<'a>(&'a self, event: &'a Self::Event) -> &'a Room;
    /// The event's connection has room again.
    fn resume(&self, event: &Self::Event);
    /// A listener panicked.
    fn panicked(self: &Arc<Self>);
    /// The mailbox is closed and no callback runs: the listeners go.
    fn retire(&self);
}

impl<E: Send> Mailbox<E> {
    pub fn new() -> Self {
        let state = State { events: VecDeque::new(), phase: Phase::Idle };
        Mailbox {
            state: Mutex::new(state),
            ended: Condvar::new(),
            closed: AtomicBool::new(false),
            trust: AtomicU32::new(0),
            held_back: Mutex::new(None),
        }
    }

    /// Adds events of one connection; their callbacks follow.
    pub fn post<A>(actor: &Arc<A>, runtime: &Runtime, events: impl IntoIterator<Item = E>)
    where
        A: Actor<Event = E>,
    {
        let mailbox = actor.mailbox();
        let mut state = mailbox.state.lock();
        if mailbox.closed.load(Ordering::Acquire) {
            return;
        }
        for event in events {
            let (count, bytes) = A::size(&event);
            actor.room(&event).fill(count, bytes);
            state.events.push_back(event);
        }
        if state.phase == Phase::Idle && !state.events.is_empty() {
            state.phase = Phase::Ready;
            drop(state);
            runtime.make_ready(actor.clone());
        }
    }

    /// Whether the connection will be flushed when the batch that runs now is over. What another thread sends
    /// isn't held back: the batch's may be waiting for a processor.
    pub fn hold_back(&self, connection: &Arc<Connection>) -> bool {
        if !in_callback() {
            return false;
        }
        match &mut *self.held_back.lock() {
            Some(connections) => {
                connections.push(connection.clone());
                true
            }
            None => false,
        }
    }

    /// Ends the delivery. With `wait`, returns when no callback runs and the actor has retired; without, the
    /// actor retires when its last callback has returned.
    pub fn close<A>(actor: &A, wait: bool)
    where
        A: Actor<Event = E>,
    {
        let mailbox = actor.mailbox();
        let mut state = mailbox.state.lock();
        mailbox.closed.store(true, Ordering::Release);
        let events = std::mem::take(&mut state.events);
        if state.phase == Phase::Running {
            if wait {
                mailbox.ended.wait_while(&mut state, |state| state.phase == Phase::Running);
            }
            return;
        }
        drop(state);
        drop(events);
        actor.retire();
    }

    fn send_what_was_held_back(&self, send: impl Fn(&Arc<Connection>)) {
        let connections = self.held_back.lock().take();
        for connection in connections.iter().flatten() {
            send(connection);
        }
    }
}

impl<A: Actor> Strand for A {
    fn run_batch(self: Arc<Self>, holding: bool) -> bool {
        let mailbox = self.mailbox();
        let mut batch = {
            let mut state = mailbox.state.lock();
            if mailbox.closed.load(Ordering::Acquire) {
                state.phase = Phase::Idle;
                return false;
            }
            state.phase = Phase::Running;
            std::mem::take(&mut state.events)
        };
        for event in &batch {
            let (count, bytes) = A::size(event);
            if self.room(event).empty(count, bytes) {
                self.resume(event);
            }
        }
        let busy = batch.len() > KEPT_CAPACITY;
        if holding {
            *mailbox.held_back.lock() = Some(Vec::new());
        }
        let delivered = catch_unwind(AssertUnwindSafe(|| deliver_batch(&*self, &mut batch)));
        if holding {
            mailbox.send_what_was_held_back(Connection::flush_now);
        }
        let trust = match delivered {
            Ok(calls) => calls.map_or(0, |calls| mailbox.trust.load(Ordering::Relaxed).saturating_add(calls)),
            Err(_) => {
                self.panicked();
                0
            }
        };
        mailbox.trust.store(trust.min(TRUST), Ordering::Relaxed);
        self.finish_batch(batch, busy)
    }

    fn is_trusted(&self) -> bool {
        self.mailbox().trust.load(Ordering::Relaxed) >= TRUST
    }

    fn lost_lead(&self) {
        self.mailbox().send_what_was_held_back(|connection| connection.wake());
    }
}

/// Delivers until the batch is empty, a call was long, or the mailbox is closed. How many calls there were;
/// `None` when one was long.
fn deliver_batch<A: Actor>(actor: &A, batch: &mut VecDeque<A::Event>) -> Option<u32> {
    let closed = &actor.mailbox().closed;
    let mut views = A::Views::default();
    let (mut calls, mut weight, mut since) = (0, 0, Instant::now());
    while !closed.load(Ordering::Acquire) {
        let Some(bytes) = actor.deliver(batch, &mut views) else { break };
        weight += bytes as u64;
        calls += 1;
        if calls % TIMED_TOGETHER == 0 || batch.is_empty() {
            let now = Instant::now();
            let (received, sent) = (weight / BYTES_PER_NANOSECOND, take_sent() as u64);
            if now - since > SHORT + Duration::from_nanos(received + sent / BYTES_SENT_PER_NANOSECOND) {
                return None;
            }
            (weight, since) = (0, now);
        }
    }
    Some(calls)
}

trait FinishBatch: Actor + Sized {
    /// Puts back what was not delivered. Whether more events wait.
    fn finish_batch(&self, mut left: VecDeque<Self::Event>, busy: bool) -> bool {
        let mailbox = self.mailbox();
        let mut state = mailbox.state.lock();
        if mailbox.closed.load(Ordering::Acquire) {
            drop(state);
            drop(left);
            self.retire();
            mailbox.state.lock().phase = Phase::Idle;
            mailbox.ended.notify_all();
            return false;
        }
        for event in &left {
            let (count, bytes) = Self::size(event);
            self.room(event).fill(count, bytes);
        }
        left.append(&mut state.events);
        if left.is_empty() && left.capacity() > KEPT_CAPACITY && !busy {
            left = VecDeque::new();
        }
        state.events = left;
        let more = !state.events.is_empty();
        state.phase = if more { Phase::Ready } else { Phase::Idle };
        more
    }
}

impl<A: Actor> FinishBatch for A {}
