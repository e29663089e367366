//! The threads and the I/O. Each lane has one I/O loop, and one thread leads it: it looks at the I/O, runs the tasks and, when a
//! handle has events, runs that handle's callbacks on its own stack. Other threads wait to take the lead, which a watchdog hands on
//! when a callback takes long. So a callback costs no hop between threads, and one that blocks delays only its own handle.

mod blocking;
mod buffers;
mod lane;
mod late;
mod leader;
mod runner;
mod service;
mod tasks;
mod timer;
mod watchdog;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::callback::in_callback;
use crate::error::{Code, Error, Result};
pub use blocking::can_be_driven_here;
use blocking::Blocking;
use leader::Pool;
use tasks::Tasks;

pub(crate) use buffers::{padding, Block, Buffers, BLOCK};
pub(crate) use lane::{Lane, Strand};
pub(crate) use late::VERY_LONG;
pub(crate) use runner::{hold_back, leads_here, own_work, HeldBack, Runner};
pub(crate) use service::{Alarm, Served};
pub(crate) use tasks::{boxed, caught, TaskHandle};
#[cfg(test)]
pub(crate) use timer::run;
pub(crate) use timer::{in_time, look};
#[cfg(feature = "server")]
pub(crate) use timer::{look_after, looks, sleep};

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
    pub(crate) const DEFAULT: Config =
        Config { thread_stack_size: 1 << 20, max_threads: 1024, io_threads: 1 };

    /// Checks the rules.
    pub fn check(&self) -> Result<()> {
        if self.thread_stack_size < 128 << 10 || self.thread_stack_size > 1 << 30 {
            return Err(Error::call(Code::Parameter, "thread_stack_size is below 128 KiB or above 1 GiB."));
        }
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        if self.io_threads == 0 || self.io_threads > processors {
            return Err(Error::call(
                Code::Parameter,
                format!("io_threads is 0 or above {processors}, the number of processors."),
            ));
        }
        let least = self.io_threads + 1;
        if (self.max_threads as usize) < least {
            return Err(Error::call(Code::Parameter, format!("max_threads is below {least}.")));
        }
        Ok(())
    }
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
    pool: Arc<Pool>,
    tasks: Arc<Tasks>,
    blocking: Arc<Blocking>,
}

/// An error inside a callback, where waiting could be waiting for oneself.
pub fn check_may_wait() -> Result<()> {
    match in_callback() {
        true => Err(Error::code(Code::WouldDeadlock)),
        false => Ok(()),
    }
}

impl Runtime {
    /// Starts the threads.
    pub(crate) fn start(config: Config) -> Result<Arc<Runtime>> {
        let no_resources = |error: std::io::Error| {
            Error::call(Code::NoResources, format!("The library's threads can't be started: {error}."))
        };
        let mut lanes = Vec::new();
        for _ in 0..config.io_threads {
            // A lane and its service own each other, so a lane that is merely dropped leaks.
            match Lane::new() {
                Ok(lane) => lanes.push(lane),
                Err(error) => {
                    lanes.iter().for_each(|lane| lane.clear());
                    return Err(no_resources(error));
                }
            }
        }
        let runtime = Arc::new(Runtime {
            lanes: lanes.clone(),
            next_lane: AtomicUsize::new(0),
            pool: Pool::new(config.thread_stack_size, config.max_threads),
            tasks: Arc::default(),
            blocking: Arc::default(),
        });
        if let Err(error) = runtime.pool.start(lanes).and_then(|()| watchdog::start(&runtime.pool)) {
            runtime.stop_threads();
            runtime.pool.join(Instant::now() + LAST_MOMENT);
            runtime.lanes.iter().for_each(|lane| lane.clear());
            return Err(no_resources(error));
        }
        Ok(runtime)
    }

    /// The lane of a new object: each in its turn.
    pub(crate) fn choose_lane(&self) -> Result<Arc<Lane>> {
        let turn = self.next_lane.fetch_add(1, Ordering::Relaxed);
        let lane = self.lanes.get(turn % self.lanes.len().max(1));
        lane.cloned().ok_or_else(|| Error::code(Code::Internal))
    }

    /// Runs a task until it ends or the runtime does.
    pub(crate) fn spawn(
        &self,
        lane: &Arc<Lane>,
        task: impl Future<Output = ()> + Send + Unpin + 'static,
    ) -> TaskHandle {
        self.tasks.spawn(lane.clone(), task)
    }

    /// Callbacks will come soon: starts the spare thread that they need.
    pub(crate) fn expect_callbacks(&self) {
        self.pool.has_spare();
    }

    /// The threads for what may block.
    pub(crate) fn blocking(&self) -> &Arc<Blocking> {
        &self.blocking
    }

    fn stop_threads(&self) {
        self.lanes.iter().for_each(|lane| lane.close());
        self.pool.close();
    }

    /// Lets the tasks end, stops the threads, and cuts the tasks that are left.
    pub(crate) fn end(&self, deadline: Instant) {
        self.tasks.wait(deadline);
        self.stop_threads();
        self.pool.join(deadline.max(Instant::now() + LAST_MOMENT));
        self.pool.forget_lanes();
        self.lanes.iter().for_each(|lane| lane.clear());
        self.tasks.cut(Instant::now() + LAST_MOMENT);
        self.blocking.end(deadline);
    }

    /// Waits for what [`Runtime::end`] could not end; whether all of it has.
    pub(crate) fn wait(&self, deadline: Instant) -> bool {
        self.pool.join(deadline) && self.blocking.wait(deadline)
    }

    /// What has not ended yet, as a sentence.
    pub(crate) fn still_busy(&self) -> String {
        let callbacks = self.pool.alive();
        let lookups = self.blocking.count();
        match (callbacks, lookups) {
            (0, lookups) => {
                format!("{lookups} name lookup(s), platform hook(s) or file read(s) are still running.")
            }
            (callbacks, 0) => format!("{callbacks} callback(s) have not returned."),
            (callbacks, lookups) => format!(
                "{callbacks} callback(s) have not returned, and {lookups} name lookup(s), platform hook(s) or file \
                 read(s) are still running."
            ),
        }
    }
}
