//! How long callbacks take, and how much one batch of them may do.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::callback::Occasion;
use crate::log::{log, Level};
use crate::runtime::{Runner, VERY_LONG};

/// Short calls in a row after which a handle is trusted to hold the lead.
const TRUST: u32 = 16;
/// A call that takes longer is long.
const SHORT: Duration = Duration::from_micros(100);
/// A quick turn takes less.
const QUICK: Duration = Duration::from_micros(100);
/// A large payload may take longer, to be copied once or twice.
const BYTES_PER_NANOSECOND: u64 = 2;
/// How many calls are timed together.
const TIMED_TOGETHER: u32 = 8;
/// So many long groups, without a run of short ones between, end the trust: one may have lost its processor to
/// another process.
const LONG_GROUPS: u32 = 3;
/// A batch ends, for a look at the I/O, when it has handed on one of these amounts and this time has passed.
const BATCH_CALLS: u32 = 128;
const BATCH_BYTES: u64 = 64 << 10;
const BATCH_TIME: Duration = Duration::from_micros(250);

/// Whether a handle's callbacks are short.
#[derive(Default)]
pub(super) struct Trust {
    short: AtomicU32,
    long: AtomicU32,
}

impl Trust {
    pub fn is_given(&self) -> bool {
        self.short.load(Ordering::Relaxed) >= TRUST
    }

    pub fn withdraw(&self) {
        self.short.store(0, Ordering::Relaxed);
        self.long.store(0, Ordering::Relaxed);
    }

    fn was_short(&self, calls: u32) {
        let short = self.short.load(Ordering::Relaxed);
        if short < TRUST {
            self.short.store(short + calls, Ordering::Relaxed);
        } else if self.long.load(Ordering::Relaxed) > 0 && calls > 0 {
            self.long.store(0, Ordering::Relaxed);
        }
    }

    fn was_long(&self) {
        let long = self.long.load(Ordering::Relaxed) + 1;
        self.long.store(long, Ordering::Relaxed);
        if long >= LONG_GROUPS || !self.is_given() {
            self.withdraw();
        }
    }
}

/// Where callbacks run.
#[derive(Clone, Copy)]
pub(crate) struct Calling<'a> {
    runner: &'a Runner,
    closed: &'a AtomicBool,
}

impl<'a> Calling<'a> {
    /// On the thread of this runner, until `closed`.
    pub(super) fn new(runner: &'a Runner, closed: &'a AtomicBool) -> Self {
        Calling { runner, closed }
    }

    /// No callback may start any more.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What the callbacks that follow are called for, which the log names if they take long.
    #[inline]
    pub fn begin(&self, occasion: Occasion) {
        self.runner.calls(occasion);
    }
}

/// The time of one batch of callbacks.
pub(crate) struct Pace<'a> {
    calling: Calling<'a>,
    trust: &'a Trust,
    /// When the batch began, and the turn of the callbacks that run.
    began: Instant,
    entered: Instant,
    since: Instant,
    /// Calls and bytes since then.
    group: u32,
    group_bytes: u64,
    /// Calls and bytes of the batch.
    calls: u32,
    bytes: u64,
    /// Calls up to the last turn's end.
    calls_before: u32,
    /// A turn has called nobody.
    was_silent: bool,
    is_long: bool,
}

impl<'a> Pace<'a> {
    pub(super) fn new(calling: Calling<'a>, trust: &'a Trust) -> Self {
        let since = Instant::now();
        let (group, group_bytes, calls, bytes) = (0, 0, 0, 0);
        Pace {
            calling,
            trust,
            began: since,
            entered: since,
            since,
            group,
            group_bytes,
            calls,
            bytes,
            calls_before: 0,
            was_silent: false,
            is_long: false,
        }
    }

    /// Where the batch runs.
    pub fn calling(&self) -> Calling<'a> {
        self.calling
    }

    /// No callback may start any more.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.calling.is_closed()
    }

    /// The time as last read: when the batch began, or its last turn ended. Saves asking the clock.
    #[inline]
    pub fn now(&self) -> Instant {
        self.since
    }

    /// Whether this thread may read sockets.
    #[inline]
    pub fn leads(&self) -> bool {
        self.calling.runner.leads()
    }

    /// The others should have their turn.
    pub(super) fn is_over(&self) -> bool {
        let has_enough = self.calls >= BATCH_CALLS || self.bytes >= BATCH_BYTES || self.was_silent;
        self.is_long || (has_enough && self.since - self.began >= BATCH_TIME)
    }

    /// The callbacks of one event, which had so many bytes, have returned.
    #[inline]
    pub fn called(&mut self, bytes: usize) {
        self.group += 1;
        self.group_bytes += bytes as u64;
        if self.group >= TIMED_TOGETHER {
            self.look();
        }
    }

    /// A turn is over. One that has called nobody takes time, too.
    pub(super) fn end_turn(&mut self) {
        let calls = self.calls + self.group;
        if calls == self.calls_before {
            self.calling.runner.advance();
            self.since = Instant::now();
            self.was_silent = true;
        }
        self.calls_before = calls;
    }

    /// What follows is not the callbacks' time.
    pub fn leave(&mut self) {
        if self.group > 0 {
            self.look();
        }
        self.calling.runner.calls_nothing();
    }

    /// What the callbacks sent has been written: progress, for the watchdog.
    pub fn has_written(&self) {
        self.calling.runner.advance();
    }

    /// What follows is the callbacks' time.
    pub fn enter(&mut self) {
        self.leave();
        let _ = self.calling.runner.take_own_work();
        self.since = Instant::now();
        self.entered = self.since;
    }

    /// The callbacks since [`Pace::enter`] have taken little time together.
    pub fn was_quick(&self) -> bool {
        self.since - self.entered < QUICK
    }

    fn look(&mut self) {
        let runner = self.calling.runner;
        runner.advance();
        let now = Instant::now();
        let own = runner.take_own_work();
        let allowed = SHORT + Duration::from_nanos(self.group_bytes / BYTES_PER_NANOSECOND) + own;
        if now - self.since > allowed {
            self.is_long = true;
            self.trust.was_long();
            let took = (now - self.since).saturating_sub(own);
            if let Some(occasion) = runner.occasion().filter(|_| took >= VERY_LONG) {
                log(Level::Warn, || {
                    let (event, ms) = (occasion.name(), took.as_millis());
                    format!(
                        "The callbacks of {event} took {ms} ms; other events of the same client or server waited."
                    )
                });
            }
        } else {
            self.trust.was_short(self.group);
        }
        self.calls += self.group;
        self.bytes += self.group_bytes;
        (self.group, self.group_bytes, self.since) = (0, 0, now);
    }
}
