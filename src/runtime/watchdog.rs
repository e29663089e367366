//! The watchdog: it takes the lead away from callbacks that take long, so that the I/O and the other handles go on. It
//! also keeps the time: it wakes the service when a connection's or a task's deadline comes. It is woken when a batch
//! begins, and when a deadline is set that is earlier than the others.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Wake;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::lane::Lane;
use super::late::LateThreads;
use super::leader::{Pool, State};
use crate::callback::enter_callback;

/// How often the watchdog looks. A callback may hold the lead for one to two ticks.
const TICK: Duration = Duration::from_millis(2);
/// How many ticks without a callback send the watchdog to sleep.
const QUIET_TICKS: u32 = 50;
/// How long, after a callback held the lead too long, the lead is handed on before every callback.
const CAREFUL: Duration = Duration::from_millis(100);

/// Starts it.
pub(super) fn start(pool: &Arc<Pool>) -> std::io::Result<()> {
    for lane in &pool.state.lock().lanes {
        lane.service.set_timekeeper(Arc::new(Timekeeper(Arc::downgrade(pool))).into());
    }
    let watched = pool.clone();
    let thread = std::thread::Builder::new()
        .name("OS_NET_WSwatch".into())
        .stack_size(128 << 10)
        .spawn(move || watch(&watched))?;
    pool.state.lock().threads.push(thread);
    Ok(())
}

/// Wakes the watchdog for an earlier deadline.
struct Timekeeper(Weak<Pool>);

impl Wake for Timekeeper {
    fn wake(self: Arc<Self>) {
        let Some(pool) = self.0.upgrade() else { return };
        if pool.watchdog_asleep.load(Ordering::SeqCst) {
            pool.state.lock().has_earlier_deadline = true;
            pool.watchdog.notify_one();
        }
    }
}

/// Wakes each service that has a deadline due. Returns when to ring next.
fn ring(state: &State, now: Instant) -> Option<Instant> {
    state.lanes.iter().filter_map(|lane| lane.service.ring(now)).min()
}

/// Sleeps until a batch begins, a deadline comes, or an earlier one is set. Returns whether a batch may have begun.
fn sleep(pool: &Pool, state: &mut MutexGuard<'_, State>) -> bool {
    pool.watchdog_asleep.store(true, Ordering::SeqCst);
    state.has_earlier_deadline = false;
    // Catches a batch that began, or a deadline that was set, just before.
    let next = ring(state, Instant::now());
    let runs = |lane: &Lane| lane.leading.lock().running.is_some();
    let is_over = if !state.watched.is_empty() || state.lanes.iter().any(|lane| runs(lane)) {
        false
    } else if let Some(next) = next {
        pool.watchdog.wait_until(state, next).timed_out()
    } else {
        pool.watchdog.wait(state);
        false
    };
    pool.watchdog_asleep.store(false, Ordering::SeqCst);
    !is_over && !state.has_earlier_deadline
}

/// Takes the lead from a callback that holds it too long, sends what a stuck callback holds back, and has the log
/// tell of it.
fn watch(pool: &Arc<Pool>) {
    let _inside = enter_callback();
    let mut state = pool.state.lock();
    let mut quiet = 0;
    let mut late = LateThreads::default();
    while !pool.is_closing() {
        if quiet > QUIET_TICKS {
            if !sleep(pool, &mut state) {
                continue;
            }
            quiet = 0;
        }
        pool.watchdog.wait_for(&mut state, TICK);
        let now = Instant::now();
        ring(&state, now);
        quiet += 1;
        let mut stuck = Vec::new();
        state.watched.retain_mut(|(runner, seen)| {
            let progress = runner.progress();
            let moves = std::mem::replace(seen, progress) != progress;
            if !moves {
                late.note(runner, now);
                stuck.push(runner.clone());
            }
            moves
        });
        if !state.watched.is_empty() {
            quiet = 0;
        }
        for place in 0..state.lanes.len() {
            let Some(lane) = state.lanes.get(place).cloned() else { break };
            let mut leading = lane.leading.lock();
            let (Some(runner), Some(_)) = (leading.leader.clone(), &leading.running) else { continue };
            quiet = 0;
            let progress = runner.progress();
            if std::mem::replace(&mut leading.seen, progress) != progress {
                continue;
            }
            late.note(&runner, now);
            drop(leading);
            if !pool.has_spare_in(&mut state) {
                continue;
            }
            let mut leading = lane.leading.lock();
            // It may have ended, or gone on, meanwhile.
            // Progress also identifies the runner: no two ever have the same.
            let is_late = leading.leader.as_ref().is_some_and(|leader| leader.progress() == progress);
            let late = if is_late { leading.running.take() } else { None };
            let Some(strand) = late else { continue };
            leading.careful_until = Some(now + CAREFUL);
            runner.lose_lead();
            drop(leading);
            pool.promote(&mut state, &lane);
            stuck.push(runner);
            MutexGuard::unlocked(&mut state, move || {
                strand.lost_lead();
                drop((strand, lane));
            });
        }
        if !stuck.is_empty() {
            MutexGuard::unlocked(&mut state, move || stuck.iter().for_each(|runner| runner.release()));
        }
        for occasion in late.due(now) {
            pool.tell_late(&mut state, occasion);
        }
        if late.are_waiting() {
            quiet = 0;
        }
    }
}
