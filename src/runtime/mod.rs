//! The threads. One of them leads: it drives all I/O, and when a handle has events it leaves the I/O and runs
//! that handle's callbacks on its own stack. The others wait to take the lead, which a watchdog hands on when
//! a callback takes long. So a callback costs no hop between threads, and one that blocks delays only its own
//! handle.

mod blocking;

use std::collections::{HashMap, VecDeque};
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::task::AbortHandle;

pub use blocking::can_be_driven_here;
use blocking::{Lookups, BLOCKING_THREADS};

use crate::dispatch::{enter_callback, in_callback};
use crate::error::{Code, Error, Result};

/// How often the watchdog looks. A callback may hold the lead for one to two ticks.
const TICK: Duration = Duration::from_millis(2);
/// How many ticks without a callback send the watchdog to sleep.
const QUIET_TICKS: u32 = 50;
/// How long, after a callback held the lead too long, the lead is handed on before every callback.
const CAREFUL: Duration = Duration::from_millis(100);
/// How long a thread beyond the first spare waits before it ends.
const SPARE_LIFE: Duration = Duration::from_secs(1);
/// How long threads that have nothing left to do may take to end, when the time of a shutdown is over.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// How long events wait for a thread when none can be had.
const NO_THREAD_PAUSE: Duration = Duration::from_millis(10);

/// How the threads are made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The stack of a thread that runs callbacks, in bytes.
    pub thread_stack_size: usize,
    /// The most threads that may run callbacks at once.
    pub max_threads: u32,
}

impl Config {
    const DEFAULT: Config = Config { thread_stack_size: 1 << 20, max_threads: 1024 };
}

impl Default for Config {
    fn default() -> Self {
        Config::DEFAULT
    }
}

/// The callbacks of one handle, which run in order and never two at once.
pub(crate) trait Strand: Send + Sync {
    /// Runs some of the callbacks that wait. `holding`: this thread has the lead, and sends may be held back
    /// until the batch ends. Returns whether more callbacks wait.
    fn run_batch(self: Arc<Self>, holding: bool) -> bool;
    /// Whether its callbacks have been short so far.
    fn is_trusted(&self) -> bool;
    /// The batch that runs has lost the lead: what it held back goes out now.
    fn lost_lead(&self);
}

/// The library's threads and what they share.
pub struct Runtime {
    tokio: tokio::runtime::Handle,
    ready: Mutex<Ready>,
    pool: Mutex<Pool>,
    /// Wakes a parked thread.
    parked: Condvar,
    /// Wakes the watchdog.
    watchdog: Condvar,
    /// Tells that a thread has ended.
    thread_ended: Condvar,
    /// Tells that a session has ended.
    session_ended: Condvar,
    closing: AtomicBool,
    config: Config,
    sessions: Mutex<HashMap<u64, Option<AbortHandle>>>,
    lookups: Arc<Lookups>,
    /// The TLS configurations of this runtime's clients.
    pub(crate) tls: crate::tls::Cache,
}

/// Handles that have events, and the leader who waits for them.
#[derive(Default)]
struct Ready {
    strands: VecDeque<Arc<dyn Strand>>,
    leader: Option<Waker>,
}

#[derive(Default)]
struct Pool {
    /// Nobody leads: the next thread to see this takes the lead.
    vacant: bool,
    /// Threads that are parked or about to be.
    idle: u32,
    /// Threads that exist, the watchdog not counted.
    alive: u32,
    /// The batch that the leader runs, with its number.
    running: Option<Arc<dyn Strand>>,
    batch: u64,
    careful_until: Option<Instant>,
    watchdog_asleep: bool,
    threads: Vec<JoinHandle<()>>,
    session_count: u64,
}

/// The tokio runtime, which must not be dropped where it could wait.
struct Engine(Option<tokio::runtime::Runtime>);

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.as_ref().map(|runtime| runtime.block_on(future))
    }
}

/// The process's runtime, made when it is first needed.
struct Current {
    config: Config,
    runtime: Option<(Arc<Runtime>, Arc<Engine>)>,
    shutting_down: bool,
    /// Runtimes that a shutdown could not end.
    left_behind: Vec<Arc<Runtime>>,
}

static CURRENT: Mutex<Current> = Mutex::new(Current {
    config: Config::DEFAULT,
    runtime: None,
    shutting_down: false,
    left_behind: Vec::new(),
});

/// Sets how the threads of the next runtime are made.
pub fn configure(config: Config) -> Result<()> {
    if config.thread_stack_size < 128 << 10 || config.thread_stack_size > 1 << 30 {
        return Err(Error::call(Code::Parameter, "thread_stack_size is below 128 KiB or above 1 GiB."));
    }
    if config.max_threads < 2 {
        return Err(Error::call(Code::Parameter, "max_threads is below 2."));
    }
    let mut current = CURRENT.lock();
    if current.runtime.is_some() || current.shutting_down {
        return Err(Error::call(Code::Busy, "The library's threads run already."));
    }
    current.config = config;
    Ok(())
}

/// Makes an object of the process's runtime, which is started if need be. A shutdown comes either before, and
/// is the answer, or after, and finds the object.
pub fn create<T>(make: impl FnOnce(Arc<Runtime>) -> Result<T>) -> Result<T> {
    let mut current = CURRENT.lock();
    if current.shutting_down {
        return Err(Error::code(Code::ShuttingDown));
    }
    let runtime = match &current.runtime {
        Some((runtime, _)) => runtime.clone(),
        None => {
            let (runtime, engine) = Runtime::start(current.config)?;
            current.runtime = Some((runtime.clone(), engine));
            runtime
        }
    };
    make(runtime)
}

/// An error inside a callback, where waiting could be waiting for oneself.
pub fn check_may_wait() -> Result<()> {
    match in_callback() {
        true => Err(Error::code(Code::WouldDeadlock)),
        false => Ok(()),
    }
}

/// Ends the process's runtime. `release_all` releases every object of it.
pub fn shutdown(timeout: Duration, release_all: impl FnOnce()) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let (runtime, mut left_behind) = {
        let mut current = CURRENT.lock();
        if current.shutting_down {
            return Err(Error::call(Code::Busy, "Another thread is shutting the library down."));
        }
        current.shutting_down = true;
        (current.runtime.take(), std::mem::take(&mut current.left_behind))
    };
    release_all();
    if let Some((runtime, engine)) = runtime {
        runtime.end(engine, deadline);
        left_behind.push(runtime);
    }
    left_behind.retain(|runtime| !(runtime.join(deadline) && runtime.lookups.wait(deadline)));
    let busy = left_behind.first().map(|runtime| runtime.still_busy());
    let mut current = CURRENT.lock();
    current.shutting_down = false;
    current.left_behind = left_behind;
    match busy {
        Some(what) => Err(Error::call(Code::Busy, what)),
        None => Ok(()),
    }
}

impl Runtime {
    fn start(config: Config) -> Result<(Arc<Runtime>, Arc<Engine>)> {
        let no_resources = |error: std::io::Error| {
            Error::call(Code::NoResources, format!("The library's threads can't be started: {error}."))
        };
        let engine = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(SPARE_LIFE)
            .thread_name("OS_NET_WSlookup")
            .thread_stack_size(512 << 10)
            .build()
            .map_err(no_resources)?;
        let runtime = Arc::new(Runtime {
            tokio: engine.handle().clone(),
            ready: Mutex::default(),
            pool: Mutex::default(),
            parked: Condvar::new(),
            watchdog: Condvar::new(),
            thread_ended: Condvar::new(),
            session_ended: Condvar::new(),
            closing: AtomicBool::new(false),
            config,
            sessions: Mutex::default(),
            lookups: Arc::default(),
            tls: crate::tls::Cache::default(),
        });
        let engine = Arc::new(Engine(Some(engine)));
        let started = {
            let mut pool = runtime.pool.lock();
            pool.vacant = true;
            runtime.clone().spawn_thread(&mut pool, &engine).and_then(|()| {
                let watched = runtime.clone();
                let engine = engine.clone();
                let thread = std::thread::Builder::new()
                    .name("OS_NET_WSwatch".into())
                    .stack_size(128 << 10)
                    .spawn(move || watched.watch(&engine))?;
                pool.threads.push(thread);
                Ok(())
            })
        };
        if let Err(error) = started {
            runtime.stop_threads();
            return Err(no_resources(error));
        }
        Ok((runtime, engine))
    }

    /// Runs a session until it ends or the runtime does.
    pub(crate) fn spawn(self: &Arc<Self>, session: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        struct Registered(Arc<Runtime>, u64);
        impl Drop for Registered {
            fn drop(&mut self) {
                self.0.sessions.lock().remove(&self.1);
                self.0.session_ended.notify_all();
            }
        }
        let number = {
            let mut pool = self.pool.lock();
            pool.session_count += 1;
            pool.session_count
        };
        self.sessions.lock().insert(number, None);
        let registered = Registered(self.clone(), number);
        let task = self.tokio.spawn(async move {
            let _registered = registered;
            session.await;
        });
        let abort = task.abort_handle();
        // If it has ended already, it is gone from the list.
        if let Some(place) = self.sessions.lock().get_mut(&number) {
            *place = Some(abort.clone());
        }
        abort
    }

    /// A handle has events: its strand's turn will come.
    pub(crate) fn make_ready(&self, strand: Arc<dyn Strand>) {
        let mut ready = self.ready.lock();
        // A runtime that ends has no turns left to give, and its handles own it.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        ready.strands.push_back(strand);
        if let Some(leader) = &ready.leader {
            leader.wake_by_ref();
        }
    }

    /// Leads until the lead is lost or the runtime ends.
    fn lead(self: &Arc<Self>, engine: &Arc<Engine>) {
        while let Some(strand) = self.next_ready(engine) {
            match self.begin_batch(&strand, engine) {
                Begin::Holding(batch) => {
                    let more = strand.clone().run_batch(true);
                    let leading = self.end_batch(batch);
                    if more {
                        self.make_ready(strand);
                    }
                    if !leading {
                        return;
                    }
                }
                Begin::HandedOn => {
                    if strand.clone().run_batch(false) {
                        self.make_ready(strand);
                    }
                    return;
                }
                Begin::NoThread => {
                    self.ready.lock().strands.push_front(strand);
                    engine.block_on(async { tokio::time::sleep(NO_THREAD_PAUSE).await });
                }
            }
        }
    }

    /// Drives I/O until a handle has events; `None` when the runtime ends.
    fn next_ready(&self, engine: &Engine) -> Option<Arc<dyn Strand>> {
        if self.closing.load(Ordering::Acquire) {
            return None;
        }
        if let Some(strand) = self.ready.lock().strands.pop_front() {
            return Some(strand);
        }
        engine.block_on(poll_fn(|context| {
            let mut ready = self.ready.lock();
            if self.closing.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            if let Some(strand) = ready.strands.pop_front() {
                return Poll::Ready(Some(strand));
            }
            match &mut ready.leader {
                Some(leader) => leader.clone_from(context.waker()),
                leader => *leader = Some(context.waker().clone()),
            }
            Poll::Pending
        }))?
    }

    /// Decides how a batch runs. Whatever it is, another thread is there to take the lead.
    fn begin_batch(self: &Arc<Self>, strand: &Arc<dyn Strand>, engine: &Arc<Engine>) -> Begin {
        let mut pool = self.pool.lock();
        if pool.idle == 0 && self.clone().spawn_thread(&mut pool, engine).is_err() {
            return Begin::NoThread;
        }
        let careful = pool.careful_until.is_some_and(|until| Instant::now() < until);
        if careful || !strand.is_trusted() {
            self.promote(&mut pool);
            return Begin::HandedOn;
        }
        pool.careful_until = None;
        pool.batch += 1;
        pool.running = Some(strand.clone());
        if pool.watchdog_asleep {
            self.watchdog.notify_one();
        }
        Begin::Holding(pool.batch)
    }

    /// Whether this thread still leads after its batch.
    fn end_batch(&self, batch: u64) -> bool {
        let mut pool = self.pool.lock();
        let leading = pool.batch == batch && pool.running.is_some();
        if leading {
            pool.running = None;
        }
        leading
    }

    /// Gives the lead to a parked thread, of which there is one.
    fn promote(&self, pool: &mut MutexGuard<'_, Pool>) {
        pool.vacant = true;
        self.parked.notify_one();
    }

    fn spawn_thread(
        self: Arc<Self>,
        pool: &mut MutexGuard<'_, Pool>,
        engine: &Arc<Engine>,
    ) -> std::io::Result<()> {
        if pool.alive >= self.config.max_threads || self.closing.load(Ordering::Acquire) {
            return Err(std::io::ErrorKind::QuotaExceeded.into());
        }
        let engine = engine.clone();
        let stack_size = self.config.thread_stack_size;
        let thread = std::thread::Builder::new()
            .name("OS_NET_WS".into())
            .stack_size(stack_size)
            .spawn(move || self.take_turns(&engine))?;
        pool.threads.retain(|thread| !thread.is_finished());
        pool.threads.push(thread);
        pool.idle += 1;
        pool.alive += 1;
        Ok(())
    }

    /// A pool thread's life: parked, leading, parked again.
    fn take_turns(self: Arc<Self>, engine: &Arc<Engine>) {
        let _inside = enter_callback();
        let mut pool = self.pool.lock();
        loop {
            if self.closing.load(Ordering::Acquire) {
                break;
            }
            if pool.vacant {
                pool.vacant = false;
                pool.idle -= 1;
                MutexGuard::unlocked(&mut pool, || self.lead(engine));
                pool.idle += 1;
                continue;
            }
            if pool.idle == 1 {
                self.parked.wait(&mut pool);
            } else if self.parked.wait_for(&mut pool, SPARE_LIFE).timed_out() && !pool.vacant && pool.idle > 1
            {
                break;
            }
        }
        pool.idle -= 1;
        pool.alive -= 1;
        drop(pool);
        self.thread_ended.notify_all();
    }

    /// Takes the lead from a callback that holds it too long.
    fn watch(self: Arc<Self>, engine: &Arc<Engine>) {
        let _inside = enter_callback();
        let mut pool = self.pool.lock();
        let (mut seen, mut quiet) = (0, 0);
        while !self.closing.load(Ordering::Acquire) {
            if quiet > QUIET_TICKS {
                pool.watchdog_asleep = true;
                self.watchdog.wait(&mut pool);
                pool.watchdog_asleep = false;
                quiet = 0;
            }
            self.watchdog.wait_for(&mut pool, TICK);
            if pool.batch != seen {
                (seen, quiet) = (pool.batch, 0);
                continue;
            }
            if pool.running.is_none() {
                quiet += 1;
                continue;
            }
            if pool.idle == 0 && self.clone().spawn_thread(&mut pool, engine).is_err() {
                continue;
            }
            let late = pool.running.take();
            pool.careful_until = Some(Instant::now() + CAREFUL);
            self.promote(&mut pool);
            if let Some(late) = late {
                MutexGuard::unlocked(&mut pool, move || late.lost_lead());
            }
        }
    }

    fn stop_threads(&self) {
        self.closing.store(true, Ordering::Release);
        // Passing through the locks, so that nobody is between looking at `closing` and waiting.
        drop(self.pool.lock());
        self.parked.notify_all();
        self.watchdog.notify_all();
        if let Some(leader) = &self.ready.lock().leader {
            leader.wake_by_ref();
        }
    }

    /// Lets the sessions end, stops the threads, and cuts the sessions that are left.
    fn end(&self, engine: Arc<Engine>, deadline: Instant) {
        {
            let mut sessions = self.sessions.lock();
            while !sessions.is_empty() {
                if self.session_ended.wait_until(&mut sessions, deadline).timed_out() {
                    break;
                }
            }
        }
        self.stop_threads();
        self.join(deadline.max(Instant::now() + LAST_MOMENT));
        // Dropped outside the lock; they and the runtime would keep each other.
        let _never_run = std::mem::take(&mut *self.ready.lock());
        for session in self.sessions.lock().values().flatten() {
            session.abort();
        }
        // Nobody leads any more, so this thread drives the cut sessions to their end.
        engine.block_on(async {
            while !self.sessions.lock().is_empty() {
                tokio::task::yield_now().await;
            }
        });
        // A thread in a callback keeps the engine; else it ends here, with its lookups if they end in time.
        if let Some(runtime) = Arc::into_inner(engine).and_then(|mut engine| engine.0.take()) {
            runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits for the threads to end; whether all of them have.
    fn join(&self, deadline: Instant) -> bool {
        let mut pool = self.pool.lock();
        while pool.alive > 0 {
            if self.thread_ended.wait_until(&mut pool, deadline).timed_out() {
                break;
            }
        }
        if pool.alive > 0 {
            return false;
        }
        let threads = std::mem::take(&mut pool.threads);
        drop(pool);
        for thread in threads {
            // The thread has nothing left to do but to return. Its panic, if any, was reported then.
            let _ = thread.join();
        }
        true
    }

    fn still_busy(&self) -> String {
        let callbacks = self.pool.lock().alive;
        let lookups = self.lookups.count();
        match (callbacks, lookups) {
            (0, lookups) => {
                format!("{lookups} name lookup(s), platform hook(s) or key(s) being opened can't be cancelled.")
            }
            (callbacks, 0) => format!("{callbacks} callback(s) have not returned."),
            (callbacks, lookups) => format!(
                "{callbacks} callback(s) have not returned, and {lookups} name lookup(s), platform hook(s) or key(s) \
                 being opened still run."
            ),
        }
    }
}

/// A future's output, or `None` if it panicked.
pub(crate) async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// How a batch of callbacks begins.
enum Begin {
    /// This thread keeps the lead unless the batch with this number takes too long.
    Holding(u64),
    /// Another thread has the lead now.
    HandedOn,
    /// No thread could take the lead: the callbacks wait.
    NoThread,
}
