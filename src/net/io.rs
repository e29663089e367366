//! A look at sockets, with epoll, and the tasks that wait for them.

use std::cell::RefCell;
use std::collections::TryReserveError;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Registry, Token};
use parking_lot::Mutex;

/// The most events of one look.
const EVENTS: usize = 1024;
/// The token of the waker, which is no socket's.
const WAKER: Token = Token(usize::MAX);

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Reading,
    Writing,
}

thread_local! {
    /// What sockets that this thread opens are added to.
    static HERE: RefCell<Option<Arc<Io>>> = const { RefCell::new(None) };
}

/// Sockets that are looked at together.
pub(crate) struct Io {
    look: Mutex<Look>,
    registry: Registry,
    waker: mio::Waker,
    sources: Mutex<Sources>,
    /// Tasks wait for a look. Set with the lock of the sources.
    is_awaited: AtomicBool,
}

/// What only the thread that looks uses.
struct Look {
    poll: mio::Poll,
    events: Events,
    woken: Vec<Waker>,
}

/// The sockets by their tokens.
#[derive(Default)]
struct Sources {
    by_token: Vec<Source>,
    free: Vec<usize>,
    /// How many looks there were.
    looks: u64,
    /// Tasks that wait for the next one.
    after_look: Vec<Waker>,
}

#[derive(Default)]
struct Source {
    reading: Readiness,
    writing: Readiness,
}

/// What the system has reported of one direction of a socket; it reports each change once.
#[derive(Default)]
struct Readiness {
    /// Something was reported, and nothing was tried since.
    is_told: bool,
    /// Closed: ready until a try finds nothing.
    is_closed: bool,
    waiting: Option<Waker>,
}

impl Source {
    fn way(&mut self, way: Way) -> &mut Readiness {
        match way {
            Way::Reading => &mut self.reading,
            Way::Writing => &mut self.writing,
        }
    }

    fn tell(&mut self, event: &Event, woken: &mut Vec<Waker>) {
        let Source { reading, writing } = self;
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            reading.is_closed |= event.is_read_closed();
            woken.extend(reading.tell());
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            writing.is_closed |= event.is_write_closed();
            woken.extend(writing.tell());
        }
    }
}

impl Readiness {
    fn tell(&mut self) -> Option<Waker> {
        self.is_told = true;
        self.waiting.take()
    }
}

/// Ends the wait of the thread that looks.
impl Wake for Io {
    fn wake(self: Arc<Self>) {
        self.interrupt();
    }
}

impl Io {
    pub fn new() -> io::Result<Arc<Io>> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, WAKER)?;
        let look = Look { poll, events: Events::with_capacity(EVENTS), woken: Vec::new() };
        let (look, sources) = (Mutex::new(look), Mutex::default());
        Ok(Arc::new(Io { look, registry, waker, sources, is_awaited: AtomicBool::new(false) }))
    }

    /// What sockets that this thread opens are added to.
    pub fn here() -> Option<Arc<Io>> {
        HERE.with_borrow(Clone::clone)
    }

    /// Adds sockets that this thread opens to these from now on.
    pub fn enter(io: Option<Arc<Io>>) {
        HERE.replace(io);
    }

    /// Ends the wait of the thread that looks.
    pub fn interrupt(&self) {
        // It fails only if the system is out of memory, and then there is nothing to be done.
        let _ = self.waker.wake();
    }

    /// Waits for events, at most for `timeout`, calls `looked`, and wakes the tasks that wait for these sockets.
    pub fn look(&self, timeout: Option<Duration>, looked: impl FnOnce()) {
        let mut look = self.look.lock();
        let Look { poll, events, woken } = &mut *look;
        // A signal ends a wait, as an event does.
        let _ = poll.poll(events, timeout);
        looked();
        let mut sources = self.sources.lock();
        for event in events.iter() {
            if let Some(source) = sources.by_token.get_mut(event.token().0) {
                source.tell(event, woken);
            }
        }
        sources.looks += 1;
        // Behind those that the look has woken.
        woken.append(&mut sources.after_look);
        self.is_awaited.store(false, Ordering::Relaxed);
        drop(sources);
        woken.drain(..).for_each(Waker::wake);
    }

    /// How many looks there were.
    pub fn looks(&self) -> u64 {
        self.sources.lock().looks
    }

    /// Waits until there were more looks than `looks`. If it has to wait, the tasks that the look wakes have their turns first.
    pub async fn look_after(&self, looks: u64) {
        poll_fn(|cx| match self.looks() > looks {
            true => Poll::Ready(()),
            false => {
                self.wake_after_look(cx.waker());
                Poll::Pending
            }
        })
        .await;
    }

    /// Wakes a task after the next look, behind those that the look itself wakes.
    pub(super) fn wake_after_look(&self, waker: &Waker) {
        let mut sources = self.sources.lock();
        sources.after_look.push(waker.clone());
        self.is_awaited.store(true, Ordering::Relaxed);
    }

    /// Whether tasks wait for a look, as the thread that looks sees it.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    /// Drops the wakers of waiting tasks, which may own sockets.
    pub fn clear(&self) {
        let mut waiting = Vec::new();
        let mut sources = self.sources.lock();
        waiting.append(&mut sources.after_look);
        for Source { reading, writing } in &mut sources.by_token {
            waiting.extend(reading.waiting.take().into_iter().chain(writing.waiting.take()));
        }
        drop(sources);
        // After the lock: a waker may own a socket, whose drop takes it.
        drop(waiting);
    }

    /// Registers a socket until it is closed. Drop the socket before its registration.
    pub(super) fn add(self: &Arc<Self>, socket: RawFd) -> io::Result<Registration> {
        let token = self.sources.lock().take().map_err(|_| io::ErrorKind::OutOfMemory)?;
        let registration = Registration { io: self.clone(), token };
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut SourceFd(&socket), Token(token), both)?;
        Ok(registration)
    }
}

impl Sources {
    /// A place for a socket; an error when there is no memory.
    fn take(&mut self) -> Result<usize, TryReserveError> {
        if let Some(token) = self.free.pop() {
            // A late event of the socket that had this token before may have marked it.
            self.by_token.get_mut(token).map(std::mem::take);
            return Ok(token);
        }
        self.by_token.try_reserve(1)?;
        // Room for all of them, so that giving one back takes no memory.
        self.free.try_reserve(self.by_token.len() + 1)?;
        self.by_token.push(Source::default());
        Ok(self.by_token.len() - 1)
    }
}

/// A socket's place among those of a lane.
pub(super) struct Registration {
    io: Arc<Io>,
    token: usize,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Registration").field(&self.token).finish()
    }
}

impl Registration {
    /// Whether something was reported since the last try. If not, the task is woken when it is. `takes`: the caller tries now.
    pub fn poll_ready(&self, way: Way, cx: &Context<'_>, takes: bool) -> Poll<()> {
        let mut sources = self.io.sources.lock();
        let Some(source) = sources.by_token.get_mut(self.token) else { return Poll::Pending };
        let ready = source.way(way);
        if ready.is_told || ready.is_closed {
            ready.is_told &= !takes;
            return Poll::Ready(());
        }
        let is_same = ready.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker()));
        let before = if is_same { None } else { ready.waiting.replace(cx.waker().clone()) };
        // After the lock: a waker may own a socket, whose drop takes it.
        drop(sources);
        drop(before);
        Poll::Pending
    }

    /// A try has found nothing to do, whatever was reported.
    pub fn found_nothing(&self, way: Way) {
        if let Some(source) = self.io.sources.lock().by_token.get_mut(self.token) {
            source.way(way).is_closed = false;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sources = self.io.sources.lock();
        let _source = sources.by_token.get_mut(self.token).map(std::mem::take);
        sources.free.push(self.token);
        // After the lock: a waker may own a socket, whose drop takes it.
        drop(sources);
    }
}
