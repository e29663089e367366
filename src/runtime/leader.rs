//! The threads that lead lanes and run callbacks: one leads each lane, the others are parked or run what is slow.

use std::collections::VecDeque;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::buffers::Buffers;
use super::lane::{Lane, Strand};
use super::late::tell;
use super::runner::Runner;
use super::timer;
use crate::callback::{enter_callback, Occasion};
use crate::log::{is_wanted, Level};

/// How long a thread beyond the first spare waits before it ends while callbacks run.
const SPARE_LIFE: Duration = Duration::from_secs(1);
/// The same when none run.
const QUIET_LIFE: Duration = Duration::from_millis(200);
/// How long events wait for a thread when none can be had.
const NO_THREAD_PAUSE: Duration = Duration::from_millis(10);

/// The threads of a runtime.
pub(super) struct Pool {
    thread_stack_size: usize,
    max_threads: u32,
    closing: AtomicBool,
    pub state: Mutex<State>,
    /// Threads that are parked or about to be, beyond one for each vacant lane and each late callback. Changed with the
    /// lock of the state.
    idle: AtomicI32,
    /// Wakes a parked thread.
    parked: Condvar,
    /// Wakes the watchdog.
    pub watchdog: Condvar,
    pub watchdog_asleep: AtomicBool,
    /// Tells that a thread has ended.
    thread_ended: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// Lanes without a leader: the next thread to see one takes its lead.
    vacant: VecDeque<Arc<Lane>>,
    pub lanes: Vec<Arc<Lane>>,
    /// Threads that may run callbacks.
    alive: u32,
    /// Threads that log callbacks that take long.
    telling: u32,
    pub threads: Vec<JoinHandle<()>>,
    /// Threads that run callbacks without a lead, and how far the watchdog saw them last.
    pub watched: Vec<(Arc<Runner>, u64)>,
    /// A deadline was set while the watchdog slept.
    pub has_earlier_deadline: bool,
    /// The fewest threads that were idle when a lead was taken, since then.
    fewest_idle: i32,
    since: Option<Instant>,
    /// So many threads may end: they were idle for all of the last [`SPARE_LIFE`].
    surplus: i32,
}

impl State {
    fn alive(&self) -> u32 {
        self.alive + self.telling
    }

    /// Whether a spare thread should end though it has just led. Threads are woken in turn, so that with frequent leads none
    /// would ever wait for long, however many there are.
    fn ends_spare(&mut self, idle: i32) -> bool {
        let now = Instant::now();
        if now.duration_since(*self.since.get_or_insert(now)) >= SPARE_LIFE {
            self.surplus = self.fewest_idle - 1;
            self.fewest_idle = idle;
            self.since = Some(now);
        }
        let ends = self.surplus > 0 && idle > 1;
        self.surplus -= i32::from(ends);
        ends
    }
}

/// How a batch of callbacks begins.
enum Begin {
    /// This thread keeps the lead unless the batch takes too long.
    Holding,
    /// Another thread has the lead now.
    HandedOn,
    /// No thread could take the lead: the callbacks wait.
    NoThread,
}

impl Pool {
    pub fn new(thread_stack_size: usize, max_threads: u32) -> Arc<Pool> {
        Arc::new(Pool {
            thread_stack_size,
            max_threads,
            closing: AtomicBool::new(false),
            state: Mutex::default(),
            idle: AtomicI32::new(0),
            parked: Condvar::new(),
            watchdog: Condvar::new(),
            watchdog_asleep: AtomicBool::new(false),
            thread_ended: Condvar::new(),
        })
    }

    /// Starts a thread to lead each lane.
    pub fn start(self: &Arc<Self>, lanes: Vec<Arc<Lane>>) -> std::io::Result<()> {
        let mut state = self.state.lock();
        state.vacant.extend(lanes.iter().cloned());
        for _ in &lanes {
            self.spawn_thread(&mut state)?;
            self.idle.fetch_sub(1, Ordering::AcqRel);
        }
        state.lanes = lanes;
        Ok(())
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// How many threads there are, the watchdog not counted.
    pub fn alive(&self) -> u32 {
        self.state.lock().alive()
    }

    /// Lets go of the lanes.
    pub fn forget_lanes(&self) {
        let mut state = self.state.lock();
        let _lanes = (std::mem::take(&mut state.vacant), std::mem::take(&mut state.lanes));
        drop(state);
    }

    /// All threads end, as soon as their callbacks do.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // Passing through the lock, so that no thread is between looking and waiting.
        drop(self.state.lock());
        self.parked.notify_all();
        self.watchdog.notify_all();
    }

    /// Waits for the threads to end; whether all of them have.
    pub fn join(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.alive() > 0 {
            if self.thread_ended.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        if state.alive() > 0 {
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

    /// Makes sure that a thread is there to take a lead.
    pub fn has_spare(self: &Arc<Self>) -> bool {
        self.idle.load(Ordering::Acquire) > 0 || self.spawn_thread(&mut self.state.lock()).is_ok()
    }

    /// The same for a caller that has the lock.
    pub fn has_spare_in(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> bool {
        self.idle.load(Ordering::Acquire) > 0 || self.spawn_thread(state).is_ok()
    }

    /// Gives the lead of a lane to a parked thread, if one is left. The thread that had it is watched.
    fn hand_on(self: &Arc<Self>, lane: &Arc<Lane>, runner: &Arc<Runner>) -> bool {
        let mut state = self.state.lock();
        // The leader of another lane may have taken the one that was seen.
        if !self.has_spare_in(&mut state) {
            return false;
        }
        self.promote(&mut state, lane);
        state.watched.push((runner.clone(), runner.progress()));
        drop(state);
        self.wake_watchdog();
        true
    }

    /// The batch of a thread without a lead is over.
    fn unwatch(&self, runner: &Arc<Runner>) {
        self.state.lock().watched.retain(|(watched, _)| !Arc::ptr_eq(watched, runner));
    }

    #[inline]
    fn wake_watchdog(&self) {
        if self.watchdog_asleep.load(Ordering::SeqCst) {
            let _state = self.state.lock();
            self.watchdog.notify_one();
        }
    }

    /// Gives the lead of a lane to a parked thread, of which there is one.
    pub fn promote(&self, state: &mut MutexGuard<'_, State>, lane: &Arc<Lane>) {
        state.vacant.push_back(lane.clone());
        let idle = self.idle.fetch_sub(1, Ordering::AcqRel) - 1;
        state.fewest_idle = state.fewest_idle.min(idle);
        self.parked.notify_one();
    }

    /// Logs that callbacks take long, on a thread of its own, since the log's receiver may block too. If no thread can be
    /// started, the line is lost: the watchdog must not wait.
    pub fn tell_late(self: &Arc<Self>, state: &mut MutexGuard<'_, State>, occasion: Occasion) {
        if !is_wanted(Level::Warn) {
            return;
        }
        let pool = self.clone();
        let thread = std::thread::Builder::new()
            .name("OS_NET_WSlog".into())
            .stack_size(self.thread_stack_size)
            .spawn(move || {
                let _ = catch_unwind(|| tell(occasion));
                pool.state.lock().telling -= 1;
                pool.thread_ended.notify_all();
            });
        if let Ok(thread) = thread {
            state.threads.retain(|thread| !thread.is_finished());
            state.threads.push(thread);
            state.telling += 1;
        }
    }

    fn spawn_thread(self: &Arc<Self>, state: &mut MutexGuard<'_, State>) -> std::io::Result<()> {
        if state.alive >= self.max_threads || self.is_closing() {
            return Err(std::io::ErrorKind::QuotaExceeded.into());
        }
        let pool = self.clone();
        let thread = std::thread::Builder::new()
            .name("OS_NET_WS".into())
            .stack_size(self.thread_stack_size)
            .spawn(move || pool.take_turns())?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.alive += 1;
        self.idle.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// A pool thread's life: parked, leading, parked again.
    fn take_turns(self: Arc<Self>) {
        let _inside = enter_callback();
        let runner = Runner::of_this_thread();
        let mut state = self.state.lock();
        while !self.is_closing() {
            if let Some(lane) = state.vacant.pop_front() {
                MutexGuard::unlocked(&mut state, || {
                    timer::drives(Some(&lane));
                    Buffers::enter();
                    self.lead(&lane, &runner);
                    lane.buffers.leave();
                    timer::drives(None);
                    // Not under the lock.
                    drop(lane);
                });
                self.idle.fetch_add(1, Ordering::AcqRel);
                continue;
            }
            if state.ends_spare(self.idle.load(Ordering::Acquire)) {
                break;
            }
            if self.idle.load(Ordering::Acquire) == 1 {
                self.parked.wait(&mut state);
            } else if self.waits_in_vain(&mut state) {
                break;
            }
        }
        self.idle.fetch_sub(1, Ordering::AcqRel);
        state.alive -= 1;
        drop(state);
        self.thread_ended.notify_all();
    }

    /// Waits for a lead. Returns whether the thread should end because none came.
    fn waits_in_vain(&self, state: &mut MutexGuard<'_, State>) -> bool {
        let until = Instant::now() + SPARE_LIFE;
        while self.parked.wait_for(state, QUIET_LIFE).timed_out() {
            if !state.vacant.is_empty() || self.idle.load(Ordering::Acquire) <= 1 {
                return false;
            }
            // While the watchdog is awake, callbacks run: more may need the thread, and ending it would take the processor from the one
            // that leads.
            if self.watchdog_asleep.load(Ordering::Relaxed) || Instant::now() >= until {
                return true;
            }
        }
        false
    }

    /// Leads until the lead is lost or the lane ends.
    fn lead(self: &Arc<Self>, lane: &Arc<Lane>, runner: &Arc<Runner>) {
        lane.leading.lock().leader = Some(runner.clone());
        while let Some(strand) = lane.next_ready() {
            match self.begin_batch(lane, &strand, runner) {
                Begin::Holding => {
                    let more = strand.run_batch(runner);
                    let leading = end_batch(lane, runner);
                    runner.end();
                    more.into_iter().for_each(|strand| lane.make_ready(strand));
                    if !leading {
                        self.unwatch(runner);
                        return;
                    }
                }
                Begin::HandedOn => {
                    let more = strand.run_batch(runner);
                    runner.end();
                    self.unwatch(runner);
                    more.into_iter().for_each(|strand| lane.make_ready(strand));
                    return;
                }
                Begin::NoThread => {
                    lane.put_back(strand);
                    // Callbacks wait, but I/O goes on, including what their turns would have read.
                    lane.waiting().iter().for_each(|strand| strand.waits_for_thread());
                    lane.pause(timer::sleep(NO_THREAD_PAUSE));
                }
            }
        }
    }

    /// Decides how a batch runs, and begins it: before the watchdog sees it, which might take the batch for stuck when
    /// this thread has to wait for a processor. Whatever it is, another thread is there to take the lead.
    fn begin_batch(
        self: &Arc<Self>,
        lane: &Arc<Lane>,
        strand: &Arc<dyn Strand>,
        runner: &Arc<Runner>,
    ) -> Begin {
        if !self.has_spare() {
            return Begin::NoThread;
        }
        let mut leading = lane.leading.lock();
        let careful = leading.careful_until.is_some_and(|until| Instant::now() < until);
        if careful || !strand.is_trusted() {
            drop(leading);
            runner.begin(false);
            lane.buffers.leave();
            if self.hand_on(lane, runner) {
                return Begin::HandedOn;
            }
            Buffers::enter();
            runner.end();
            return Begin::NoThread;
        }
        leading.careful_until = None;
        runner.begin(true);
        leading.running = Some(strand.clone());
        drop(leading);
        self.wake_watchdog();
        Begin::Holding
    }
}

/// Whether this thread still leads after its batch.
fn end_batch(lane: &Lane, runner: &Arc<Runner>) -> bool {
    let mut leading = lane.leading.lock();
    let leads = leading.leader.as_ref().is_some_and(|leader| Arc::ptr_eq(leader, runner));
    let strand = if leads { leading.running.take() } else { None };
    drop(leading);
    strand.is_some()
}
