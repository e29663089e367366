//! The threads and the I/O. Each lane has one I/O loop, and one thread leads it: it drives the I/O, and when a handle
//! has events it leaves the I/O and runs that handle's callbacks on its own stack. Other threads wait to take the
//! lead, which a watchdog hands on when a callback takes long. So a callback costs no hop between threads, and one
//! that blocks delays only its own handle.

mod blocking;
mod buffers;
mod lane;
mod pool;
mod runner;
mod service;

use std::collections::HashMap;
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::task::AbortHandle;

use crate::callback::in_callback;
use crate::error::{Code, Error, Result};
pub use blocking::can_be_driven_here;
use blocking::{Lookups, BLOCKING_THREADS};
use lane::Engine;
use pool::Pool;

pub(crate) use buffers::{padding, Block, Buffers, BLOCK};
pub(crate) use lane::{Lane, Strand};
pub(crate) use runner::{hold_back, HeldBack, Runner};
pub(crate) use service::{Alarm, Served};

/// How long a thread for what may block stays when it has nothing to do.
const SPARE_LIFE: Duration = Duration::from_secs(1);
/// How long threads that have nothing left to do may take to end, when the time of a shutdown is over.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// How the threads are made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The stack of a thread that runs callbacks, in bytes.
    pub thread_stack_size: usize,
    /// The most threads that may run callbacks at once.
    pub max_threads: u32,
    /// How many I/O loops there are.
    pub io_threads: usize,
}

impl Config {
    const DEFAULT: Config = Config { thread_stack_size: 1 << 20, max_threads: 1024, io_threads: 1 };
}

impl Default for Config {
    fn default() -> Self {
        Config::DEFAULT
    }
}

/// The library's threads and what they share.
pub struct Runtime {
    lanes: Vec<Arc<Lane>>,
    next_lane: AtomicUsize,
    pool: Pool,
    closing: AtomicBool,
    config: Config,
    tasks: Mutex<Tasks>,
    /// Tells that a task has ended.
    task_ended: Condvar,
    lookups: Arc<Lookups>,
    /// The TLS configurations of this runtime's clients.
    pub(crate) tls: crate::tls::Cache,
}

#[derive(Default)]
struct Tasks {
    running: HashMap<u64, Option<AbortHandle>>,
    count: u64,
}

/// The process's runtime, made when it is first needed.
struct Current {
    config: Config,
    runtime: Option<Arc<Runtime>>,
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
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    if config.io_threads == 0 || config.io_threads > processors {
        return Err(Error::call(Code::Parameter, format!("io_threads is 0 or above {processors}.")));
    }
    let least = config.io_threads + 1;
    if (config.max_threads as usize) < least {
        return Err(Error::call(Code::Parameter, format!("max_threads is below {least}.")));
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
        Some(runtime) => runtime.clone(),
        None => {
            let runtime = Runtime::start(current.config)?;
            current.runtime = Some(runtime.clone());
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
    if let Some(runtime) = runtime {
        runtime.end(deadline);
        left_behind.push(runtime);
    }
    left_behind.retain(|runtime| !(runtime.pool.join(deadline) && runtime.lookups.wait(deadline)));
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
    fn start(config: Config) -> Result<Arc<Runtime>> {
        let no_resources = |error: std::io::Error| {
            Error::call(Code::NoResources, format!("The library's threads can't be started: {error}."))
        };
        let mut lanes = Vec::new();
        for _ in 0..config.io_threads {
            let engine = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_keep_alive(SPARE_LIFE)
                .thread_name("OS_NET_WSlookup")
                .thread_stack_size(512 << 10)
                .build()
                .map_err(no_resources)?;
            lanes.push((Lane::new(engine.handle().clone()), Arc::new(Engine::new(engine))));
        }
        let runtime = Arc::new(Runtime {
            lanes: lanes.iter().map(|(lane, _)| lane.clone()).collect(),
            next_lane: AtomicUsize::new(0),
            pool: Pool::default(),
            closing: AtomicBool::new(false),
            config,
            tasks: Mutex::default(),
            task_ended: Condvar::new(),
            lookups: Arc::default(),
            tls: crate::tls::Cache::default(),
        });
        if let Err(error) = runtime.start_threads(lanes) {
            runtime.stop_threads();
            return Err(no_resources(error));
        }
        Ok(runtime)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The lane of a new object: each in its turn.
    pub(crate) fn choose_lane(&self) -> Result<Arc<Lane>> {
        let turn = self.next_lane.fetch_add(1, Ordering::Relaxed);
        let lane = self.lanes.get(turn % self.lanes.len().max(1));
        lane.cloned().ok_or_else(|| Error::code(Code::Internal))
    }

    /// Runs a task until it ends or the runtime does.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        lane: &Lane,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        struct Registered(Arc<Runtime>, u64);
        impl Drop for Registered {
            fn drop(&mut self) {
                self.0.tasks.lock().running.remove(&self.1);
                self.0.task_ended.notify_all();
            }
        }
        let number = {
            let mut tasks = self.tasks.lock();
            tasks.count += 1;
            let number = tasks.count;
            tasks.running.insert(number, None);
            number
        };
        let registered = Registered(self.clone(), number);
        let task = lane.tokio.spawn(async move {
            let _registered = registered;
            task.await;
        });
        let abort = task.abort_handle();
        // If it has ended already, it is gone from the list.
        if let Some(place) = self.tasks.lock().running.get_mut(&number) {
            *place = Some(abort.clone());
        }
        abort
    }

    fn stop_threads(&self) {
        self.closing.store(true, Ordering::Release);
        self.lanes.iter().for_each(|lane| lane.close());
        self.pool.wake_all();
    }

    /// Lets the tasks end, stops the threads, and cuts the tasks that are left.
    fn end(&self, deadline: Instant) {
        {
            let mut tasks = self.tasks.lock();
            while !tasks.running.is_empty() {
                if self.task_ended.wait_until(&mut tasks, deadline).timed_out() {
                    break;
                }
            }
        }
        self.stop_threads();
        self.pool.join(deadline.max(Instant::now() + LAST_MOMENT));
        let engines = self.pool.forget_lanes();
        self.lanes.iter().for_each(|lane| lane.clear());
        for task in self.tasks.lock().running.values().flatten() {
            task.abort();
        }
        // Nobody leads any more, so this thread drives the cut tasks to their end.
        while !self.tasks.lock().running.is_empty() {
            for engine in &engines {
                engine.block_on(tokio::task::yield_now());
            }
        }
        for engine in engines {
            // A thread in a callback keeps the engine; else it ends here, with its lookups if they end in time.
            if let Some(runtime) = Arc::into_inner(engine).and_then(Engine::into_inner) {
                runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
            }
        }
    }

    fn still_busy(&self) -> String {
        let callbacks = self.pool.alive();
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

/// A future's output, or `None` if it isn't there in time. What lies in its sockets when the time is over has come in time:
/// after a pause of the whole process, all of it is seen at once.
pub(crate) async fn in_time<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if let Ok(output) = tokio::time::timeout(limit, future.as_mut()).await {
        return Some(output);
    }
    // A look at the I/O.
    tokio::task::yield_now().await;
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
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
