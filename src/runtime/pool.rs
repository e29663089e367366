//! The threads that lead lanes and run callbacks, and the watchdog that takes a lead away.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::lane::{Engine, Lane, CAREFUL};
use super::runner::Runner;
use super::Runtime;
use crate::callback::enter_callback;

/// How often the watchdog looks. A callback may hold the lead for one to two ticks.
const TICK: Duration = Duration::from_millis(2);
/// How many ticks without a callback send the watchdog to sleep.
const QUIET_TICKS: u32 = 50;
/// How long a thread beyond the first spare waits before it ends.
const SPARE_LIFE: Duration = Duration::from_secs(1);

/// The threads of a runtime.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// Threads that are parked or about to be.
    idle: AtomicU32,
    /// Wakes a parked thread.
    parked: Condvar,
    /// Wakes the watchdog.
    watchdog: Condvar,
    watchdog_asleep: AtomicBool,
    /// Tells that a thread has ended.
    thread_ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Lanes that nobody leads: the next thread to see one takes its lead.
    vacant: VecDeque<(Arc<Lane>, Arc<Engine>)>,
    engines: Vec<(Arc<Lane>, Arc<Engine>)>,
    /// Threads that exist, the watchdog not counted.
    alive: u32,
    threads: Vec<JoinHandle<()>>,
    /// Threads that run callbacks without a lead, and how far the watchdog saw them last.
    watched: Vec<(Arc<Runner>, u64)>,
}

impl Pool {
    /// How many threads there are.
    pub fn alive(&self) -> u32 {
        self.state.lock().alive
    }

    /// Lets go of the lanes.
    pub fn forget_lanes(&self) -> Vec<Arc<Engine>> {
        let mut state = self.state.lock();
        state.vacant.clear();
        state.engines.drain(..).map(|(_, engine)| engine).collect()
    }

    /// Wakes all threads, to see that the runtime ends.
    pub fn wake_all(&self) {
        // Passing through the lock, so that nobody is between looking and waiting.
        drop(self.state.lock());
        self.parked.notify_all();
        self.watchdog.notify_all();
    }

    /// Waits for the threads to end; whether all of them have.
    pub fn join(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.alive > 0 {
            if self.thread_ended.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        if state.alive > 0 {
            return false;
        }
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        for thread in threads {
            // The thread has nothing left to do but to return. Its panic, if any, was reported then.
            let _ = thread.join();
        }
        true
    }
}

impl Runtime {
    /// Starts the first threads: one to lead each lane, and the watchdog.
    pub(super) fn start_threads(
        self: &Arc<Self>,
        lanes: Vec<(Arc<Lane>, Arc<Engine>)>,
    ) -> std::io::Result<()> {
        let mut state = self.pool.state.lock();
        state.vacant.extend(lanes.iter().cloned());
        for _ in 0..lanes.len() {
            self.spawn_thread(&mut state)?;
        }
        state.engines = lanes;
        let watched = self.clone();
        let thread = std::thread::Builder::new()
            .name("OS_NET_WSwatch".into())
            .stack_size(128 << 10)
            .spawn(move || watched.watch())?;
        state.threads.push(thread);
        Ok(())
    }

    /// Makes sure that a thread is there to take a lead.
    pub(super) fn has_spare(self: &Arc<Self>) -> bool {
        self.pool.idle.load(Ordering::Acquire) > 0 || self.spawn_thread(&mut self.pool.state.lock()).is_ok()
    }

    /// Gives the lead of a lane to a parked thread. The one that had it is watched.
    pub(super) fn hand_on(&self, lane: &Arc<Lane>, runner: &Arc<Runner>) {
        let mut state = self.pool.state.lock();
        self.promote(&mut state, lane);
        state.watched.push((runner.clone(), runner.progress()));
        drop(state);
        self.wake_watchdog();
    }

    /// The batch of a thread without a lead is over.
    pub(super) fn unwatch(&self, runner: &Arc<Runner>) {
        self.pool.state.lock().watched.retain(|(watched, _)| !Arc::ptr_eq(watched, runner));
    }

    #[inline]
    pub(super) fn wake_watchdog(&self) {
        if self.pool.watchdog_asleep.load(Ordering::SeqCst) {
            let _state = self.pool.state.lock();
            self.pool.watchdog.notify_one();
        }
    }

    /// Gives the lead of a lane to a parked thread, of which there is one.
    fn promote(&self, state: &mut MutexGuard<'_, State>, lane: &Arc<Lane>) {
        let engine = state.engines.iter().find(|(of, _)| Arc::ptr_eq(of, lane)).cloned();
        state.vacant.extend(engine);
        self.pool.parked.notify_one();
    }

    fn spawn_thread(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> std::io::Result<()> {
        if state.alive >= self.config.max_threads || self.is_closing() {
            return Err(std::io::ErrorKind::QuotaExceeded.into());
        }
        let runtime = self.clone();
        let thread = std::thread::Builder::new()
            .name("OS_NET_WS".into())
            .stack_size(self.config.thread_stack_size)
            .spawn(move || runtime.take_turns())?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.alive += 1;
        self.pool.idle.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// A pool thread's life: parked, leading, parked again.
    fn take_turns(self: Arc<Self>) {
        let _inside = enter_callback();
        let runner = Runner::of_this_thread();
        let pool = &self.pool;
        let mut state = pool.state.lock();
        while !self.is_closing() {
            if let Some((lane, engine)) = state.vacant.pop_front() {
                pool.idle.fetch_sub(1, Ordering::AcqRel);
                MutexGuard::unlocked(&mut state, || lane.lead(&self, &engine, &runner));
                // Dropped outside the lock.
                MutexGuard::unlocked(&mut state, || drop((lane, engine)));
                pool.idle.fetch_add(1, Ordering::AcqRel);
                continue;
            }
            if pool.idle.load(Ordering::Acquire) == 1 {
                pool.parked.wait(&mut state);
            } else if pool.parked.wait_for(&mut state, SPARE_LIFE).timed_out()
                && state.vacant.is_empty()
                && pool.idle.load(Ordering::Acquire) > 1
            {
                break;
            }
        }
        pool.idle.fetch_sub(1, Ordering::AcqRel);
        state.alive -= 1;
        drop(state);
        pool.thread_ended.notify_all();
    }

    /// Takes the lead from a callback that holds it too long, and sends what a stuck callback holds back.
    fn watch(self: Arc<Self>) {
        let _inside = enter_callback();
        let pool = &self.pool;
        let mut state = pool.state.lock();
        let mut quiet = 0;
        while !self.is_closing() {
            if quiet > QUIET_TICKS {
                pool.watchdog_asleep.store(true, Ordering::SeqCst);
                // A batch that began before it could see this is seen here.
                if !state.engines.iter().any(|(lane, _)| lane.leading.lock().running.is_some()) {
                    pool.watchdog.wait(&mut state);
                }
                pool.watchdog_asleep.store(false, Ordering::SeqCst);
                quiet = 0;
            }
            pool.watchdog.wait_for(&mut state, TICK);
            quiet += 1;
            let mut stuck = Vec::new();
            state.watched.retain_mut(|(runner, seen)| {
                let progress = runner.progress();
                let moves = std::mem::replace(seen, progress) != progress;
                if !moves {
                    stuck.push(runner.clone());
                }
                moves
            });
            if !state.watched.is_empty() {
                quiet = 0;
            }
            for place in 0..state.engines.len() {
                let Some((lane, _)) = state.engines.get(place).cloned() else { break };
                let mut leading = lane.leading.lock();
                let Some((runner, _)) = &leading.running else { continue };
                quiet = 0;
                let progress = runner.progress();
                if std::mem::replace(&mut leading.seen, progress) != progress {
                    continue;
                }
                drop(leading);
                if pool.idle.load(Ordering::Acquire) == 0 && self.spawn_thread(&mut state).is_err() {
                    continue;
                }
                let mut leading = lane.leading.lock();
                // It may have ended, or gone on, meanwhile.
                let late = leading.running.take_if(|(runner, _)| runner.progress() == progress);
                let Some((runner, strand)) = late else { continue };
                leading.careful_until = Some(Instant::now() + CAREFUL);
                runner.lose_lead();
                drop(leading);
                self.promote(&mut state, &lane);
                stuck.push(runner);
                MutexGuard::unlocked(&mut state, move || {
                    strand.lost_lead();
                    drop((strand, lane));
                });
            }
            if !stuck.is_empty() {
                MutexGuard::unlocked(&mut state, move || stuck.iter().for_each(|runner| runner.release()));
            }
        }
    }
}
