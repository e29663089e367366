//! The log: lines about problems, to the sink that the program set, or nowhere.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::callback::enter_callback;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Nothing at all.
    Off = 0,
    /// What the library could not do.
    Error = 1,
    /// What is odd.
    Warn = 2,
    /// Connections that come and go.
    Info = 3,
    /// Each step of an attempt.
    Debug = 4,
}

impl Level {
    /// The level with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Level> {
        [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| *level as i32 == number)
    }
}

/// Receives the lines; on any thread, several at once.
pub type Sink = Box<dyn Fn(Level, &str) + Send + Sync>;

struct Current {
    sink: Option<Arc<Sink>>,
    /// The program has set the receiver of the log, or none.
    chosen: bool,
}

static WANTED: AtomicI32 = AtomicI32::new(Level::Off as i32);
static CURRENT: Mutex<Current> = Mutex::new(Current { sink: None, chosen: false });

/// Replaces the sink.
pub fn set_sink(level: Level, sink: Option<Sink>) {
    let wanted = if sink.is_some() { level } else { Level::Off };
    // The old sink's `free_fn` may log, so it is dropped outside the lock.
    let _old = {
        let mut current = CURRENT.lock();
        current.chosen = true;
        WANTED.store(wanted as i32, Ordering::Relaxed);
        std::mem::replace(&mut current.sink, sink.map(Arc::new))
    };
}

/// The sink of a program that hasn't set one.
pub fn set_default_sink(level: Level, sink: Sink) {
    let mut current = CURRENT.lock();
    if !current.chosen {
        WANTED.store(level as i32, Ordering::Relaxed);
        current.sink = Some(Arc::new(sink));
    }
}

/// Whether there is a receiver for lines of this level.
pub(crate) fn is_wanted(level: Level) -> bool {
    level as i32 <= WANTED.load(Ordering::Relaxed)
}

/// Logs a line that is made only if there is a receiver. It must not hold a secret or a payload.
pub fn log(level: Level, line: impl FnOnce() -> String) {
    if !is_wanted(level) {
        return;
    }
    let sink = CURRENT.lock().sink.clone();
    if let Some(sink) = sink {
        let _inside = enter_callback();
        sink(level, &line());
    }
}
