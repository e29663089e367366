//! How long callbacks take, and how much one batch of them may do.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::callback::take_own_work;
use crate::log::{log, Level};
use crate::runtime::Runner;

/// Short calls in a row after which a handle is trusted to hold the lead.
const TRUST: u32 = 16;
/// A call that takes longer is long.
const SHORT: Duration = Duration::from_micros(100);
/// A call that takes longer is logged.
const VERY_LONG: Duration = Duration::from_secs(1);
/// A large payload may take longer, to be copied once or twice.
const BYTES_PER_NANOSECOND: u64 = 2;
/// How many calls are timed together.
const TIMED_TOGETHER: u32 = 8;
/// So many long groups, without a run of short ones between, end the trust: one may have lost its processor to
/// another process.
const LONG_GROUPS: u32 = 3;
const MESSAGE: &str = "message";
/// What one batch hands on before a look at the I/O: about as much as one turn of a busy connection.
const BATCH_CALLS: u32 = 128;
const BATCH_BYTES: u64 = 64 << 10;

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

/// The time of one batch of callbacks.
pub(crate) struct Pace<'a> {
    runner: &'a Runner,
    closed: &'a AtomicBool,
    trust: &'a Trust,
    since: Instant,
    /// Whose callbacks they are.
    event: &'static str,
    /// Calls and bytes since then.
    group: u32,
    group_bytes: u64,
    /// Calls and bytes of the batch.
    calls: u32,
    bytes: u64,
    is_long: bool,
}

impl<'a> Pace<'a> {
    pub(super) fn new(runner: &'a Runner, closed: &'a AtomicBool, trust: &'a Trust) -> Self {
        let since = Instant::now();
        let (group, group_bytes, calls, bytes) = (0, 0, 0, 0);
        Pace {
            runner,
            closed,
            trust,
            since,
            event: MESSAGE,
            group,
            group_bytes,
            calls,
            bytes,
            is_long: false,
        }
    }

    /// No callback may start any more.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether this thread may read sockets.
    #[inline]
    pub fn leads(&self) -> bool {
        self.runner.leads()
    }

    /// The others should have their turn.
    pub(super) fn is_over(&self) -> bool {
        self.is_long || self.calls >= BATCH_CALLS || self.bytes >= BATCH_BYTES
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

    /// What follows is not the callbacks' time.
    pub fn leave(&mut self) {
        if self.group > 0 {
            self.look();
        }
    }

    /// What follows is the callbacks' time, of messages unless it is said otherwise.
    pub fn enter(&mut self) {
        let _ = take_own_work();
        self.since = Instant::now();
        self.event = MESSAGE;
    }

    /// The callbacks that follow are those of this event.
    pub fn name(&mut self, event: &'static str) {
        self.event = event;
    }

    fn look(&mut self) {
        self.runner.advance();
        let now = Instant::now();
        let own = take_own_work();
        let allowed = SHORT + Duration::from_nanos(self.group_bytes / BYTES_PER_NANOSECOND) + own;
        if now - self.since > allowed {
            self.is_long = true;
            self.trust.was_long();
            let (event, took) = (self.event, (now - self.since).saturating_sub(own));
            if took >= VERY_LONG {
                log(Level::Warn, || {
                    let calls =
                        if self.group > 1 { format!("{} calls", self.group) } else { "A call".into() };
                    let ms = took.as_millis();
                    format!(
                        "{calls} of listeners of {event} took {ms} ms; other events of the same client or server waited."
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
