//! Callbacks that hold their threads for long, which the log tells while they do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::runner::Runner;
use crate::callback::Occasion;
use crate::log::{log, Level};

/// A callback that takes longer is told in the log.
pub(crate) const VERY_LONG: Duration = Duration::from_secs(1);

/// A thread whose batch has made no progress for a while.
struct Late {
    runner: Arc<Runner>,
    progress: u64,
    /// Since when it has been seen in the program's code; `None`: it was not there at the last look.
    since: Option<Instant>,
    is_told: bool,
}

/// The threads whose callbacks take long, as the watchdog has seen them.
#[derive(Default)]
pub(super) struct LateThreads(Vec<Late>);

impl LateThreads {
    /// Follows the thread of a runner until its batch is over.
    pub fn note(&mut self, runner: &Arc<Runner>, now: Instant) {
        if !self.0.iter().any(|late| Arc::ptr_eq(&late.runner, runner)) {
            let (runner, progress) = (runner.clone(), runner.progress());
            let since = runner.occasion().map(|_| now);
            self.0.push(Late { runner, progress, since, is_told: false });
        }
    }

    /// The callbacks that are to be told now, each once.
    pub fn due(&mut self, now: Instant) -> Vec<Occasion> {
        self.0.retain(|late| late.runner.runs());
        let mut due = Vec::new();
        for late in &mut self.0 {
            let progress = late.runner.progress();
            if std::mem::replace(&mut late.progress, progress) != progress {
                (late.since, late.is_told) = (None, false);
            }
            let Some(occasion) = late.runner.occasion() else {
                late.since = None;
                continue;
            };
            let since = *late.since.get_or_insert(now);
            if !late.is_told && now.duration_since(since) >= VERY_LONG {
                late.is_told = true;
                due.push(occasion);
            }
        }
        due
    }

    /// Whether any may have to be told later.
    pub fn are_waiting(&self) -> bool {
        self.0.iter().any(|late| !late.is_told)
    }
}

/// Tells of callbacks that still hold their thread.
pub(super) fn tell(occasion: Occasion) {
    log(Level::Warn, || {
        let (event, ms) = (occasion.name(), VERY_LONG.as_millis());
        let held = format!("The callbacks of {event} have held their thread for {ms} ms and still do");
        format!("{held}; other events of the same client or server wait.")
    });
}

#[cfg(test)]
mod tests {
    use super::super::runner::own_work;
    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);

    #[test]
    fn a_callback_that_holds_its_thread_for_long_is_told_once() {
        let (runner, now) = (Arc::new(Runner::default()), Instant::now());
        let mut late = LateThreads::default();
        runner.begin(true);
        runner.calls(Occasion::Open);
        late.note(&runner, now);
        assert_eq!(late.due(now + VERY_LONG - MOMENT), []);
        assert!(late.are_waiting());
        late.note(&runner, now + VERY_LONG - MOMENT);
        assert_eq!(late.due(now + VERY_LONG), [Occasion::Open]);
        assert!(!late.are_waiting());
        late.note(&runner, now + VERY_LONG);
        assert_eq!(late.due(now + 3 * VERY_LONG), []);
        // The next one of the batch.
        runner.advance();
        runner.calls(Occasion::Message);
        assert_eq!(late.due(now + 4 * VERY_LONG), []);
        assert_eq!(late.due(now + 5 * VERY_LONG), [Occasion::Message]);
        runner.end();
        late.due(now + 6 * VERY_LONG);
        assert!(late.0.is_empty());
    }

    #[test]
    fn the_time_before_a_callback_does_not_count() {
        let (runner, now) = (Arc::new(Runner::default()), Instant::now());
        let mut late = LateThreads::default();
        runner.begin(true);
        late.note(&runner, now);
        assert_eq!(late.due(now), []);
        runner.calls(Occasion::Open);
        assert_eq!(late.due(now + VERY_LONG), []);
        assert_eq!(late.due(now + 2 * VERY_LONG), [Occasion::Open]);
    }

    #[test]
    fn the_library_s_own_work_does_not_count_as_a_callback_s_time() {
        std::thread::spawn(|| {
            let (runner, now) = (Runner::of_this_thread(), Instant::now());
            let mut late = LateThreads::default();
            runner.begin(true);
            runner.calls(Occasion::Message);
            late.note(&runner, now);
            let told = own_work(|| own_work(|| late.due(now + VERY_LONG)));
            assert_eq!(told, []);
            assert!(runner.take_own_work() > Duration::ZERO);
            assert_eq!(late.due(now + VERY_LONG), []);
            assert_eq!(late.due(now + 2 * VERY_LONG - MOMENT), []);
            assert_eq!(late.due(now + 2 * VERY_LONG), [Occasion::Message]);
        })
        .join()
        .unwrap();
    }
}
