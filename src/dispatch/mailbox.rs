//! The events of one handle, and the turns of its connections, that wait for their callbacks. A listener's panic ends here.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::pace::{Calling, Pace, Trust};
use crate::runtime::{Lane, Runner, Strand};

/// Larger queues are given back when they are empty.
const KEPT_CAPACITY: usize = 32;

/// A connection of a handle, which takes turns with the others.
pub(crate) trait Line: Clone + Send + Sync {
    /// Whether it waits for its turn.
    fn mark(&self) -> &AtomicBool;
    /// Reads and writes what can be, without listeners.
    fn serve(&self);
}

/// What has a mailbox and can deliver its events.
pub(crate) trait Actor: Send + Sync + Sized + 'static {
    type Event: Send;
    type Line: Line;

    fn mailbox(&self) -> &Mailbox<Self::Event, Self::Line>;
    fn lane(&self) -> &Lane;
    /// Calls the listeners of an event.
    fn deliver(&self, event: Self::Event, calling: Calling<'_>);
    /// Delivers what a connection has received, and reads more if this thread leads. Whether it wants another turn.
    fn turn(&self, line: &Self::Line, pace: &mut Pace<'_>) -> bool;
    /// A listener's panic has ended in `run_batch`: fails the connection.
    fn panicked(self: &Arc<Self>);
    /// The mailbox is closed and no callback runs: the listeners go.
    fn retire(&self);
}

/// The mailbox of one handle.
pub(crate) struct Mailbox<E, L> {
    state: Mutex<State<E, L>>,
    /// Tells that the last batch of a closed mailbox is over.
    ended: Condvar,
    /// No callback starts any more.
    pub closed: AtomicBool,
    trust: Trust,
}

struct State<E, L> {
    waiting: VecDeque<Entry<E, L>>,
    /// Connections that want another turn: behind what a look at the I/O brings.
    again: Vec<L>,
    /// Among those that wait is one to read.
    has_readable: bool,
    batch: BatchState,
    /// The batch that runs has the lead.
    leads: bool,
    /// Whose turn it is.
    current: Option<L>,
}

impl<E, L: Line> State<E, L> {
    /// A batch begins. Without the lead, connections are read elsewhere.
    fn begin(&mut self, leads: bool) {
        self.batch = BatchState::Running;
        self.leads = leads;
        self.waiting.extend(self.again.drain(..).map(Entry::Turn));
        if !leads {
            self.serve_readable();
        }
    }

    /// Has the connections that wait for a turn read elsewhere, if one of them may have something to read.
    fn serve_readable(&mut self) {
        if std::mem::take(&mut self.has_readable) {
            self.turns().for_each(L::serve);
        }
    }

    /// The connections that wait for a turn.
    fn turns(&self) -> impl Iterator<Item = &L> {
        let turns = self.waiting.iter().filter_map(|entry| match entry {
            Entry::Turn(line) => Some(line),
            Entry::Event(_) => None,
        });
        turns.chain(&self.again)
    }

    fn take_all(&mut self) -> VecDeque<Entry<E, L>> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend(std::mem::take(&mut self.again).into_iter().map(Entry::Turn));
        waiting
    }
}

enum Entry<E, L> {
    Event(E),
    Turn(L),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchState {
    Idle,
    Ready,
    Running,
}

impl<E: Send, L: Line> Mailbox<E, L> {
    pub fn new() -> Self {
        let (waiting, again) = (VecDeque::new(), Vec::new());
        let (batch, has_readable, leads, current) = (BatchState::Idle, false, false, None);
        let state = State { waiting, again, has_readable, batch, leads, current };
        Mailbox {
            state: Mutex::new(state),
            ended: Condvar::new(),
            closed: AtomicBool::new(false),
            trust: Trust::default(),
        }
    }

    /// Adds events; their callbacks follow.
    pub fn post<A>(actor: &Arc<A>, events: impl IntoIterator<Item = E>)
    where
        A: Actor<Event = E, Line = L>,
    {
        let mut events = events.into_iter().map(Entry::Event).peekable();
        if events.peek().is_some() {
            Self::push(actor, |state| {
                if state.waiting.capacity() == 0 {
                    // All that most clients ever need.
                    state.waiting.reserve_exact(2);
                }
                state.waiting.extend(events);
            });
        }
    }

    /// A connection may be read. Without the lead, or with callbacks that are not known to be short, it is read
    /// elsewhere.
    pub fn ready<A>(actor: &Arc<A>, line: L)
    where
        A: Actor<Event = E, Line = L>,
    {
        let mailbox = actor.mailbox();
        if !mailbox.trust.is_given() {
            return line.serve();
        }
        let mut state = mailbox.state.lock();
        if (state.batch == BatchState::Running && !state.leads) || mailbox.closed.load(Ordering::Acquire) {
            drop(state);
            return line.serve();
        }
        // Also if it waits already, to deliver something.
        state.has_readable = true;
        if line.mark().swap(true, Ordering::SeqCst) {
            return;
        }
        state.waiting.push_back(Entry::Turn(line));
        Self::make_ready(actor, state);
    }

    /// A connection has something to deliver.
    pub fn deliverable<A>(actor: &Arc<A>, line: L)
    where
        A: Actor<Event = E, Line = L>,
    {
        if !line.mark().swap(true, Ordering::SeqCst) {
            Self::push(actor, |state| state.waiting.push_back(Entry::Turn(line)));
        }
    }

    fn push<A>(actor: &Arc<A>, add: impl FnOnce(&mut State<E, L>))
    where
        A: Actor<Event = E, Line = L>,
    {
        let mailbox = actor.mailbox();
        let mut state = mailbox.state.lock();
        if mailbox.closed.load(Ordering::Acquire) {
            return;
        }
        add(&mut state);
        Self::make_ready(actor, state);
    }

    fn make_ready<A>(actor: &Arc<A>, mut state: MutexGuard<'_, State<E, L>>)
    where
        A: Actor<Event = E, Line = L>,
    {
        if state.batch == BatchState::Idle {
            state.batch = BatchState::Ready;
            drop(state);
            actor.lane().make_ready(actor.clone());
        }
    }

    /// Ends the delivery. With `wait`, returns when no callback runs and the actor has retired; without, the
    /// actor retires when its last callback has returned.
    pub fn close<A>(actor: &A, wait: bool)
    where
        A: Actor<Event = E, Line = L>,
    {
        let mailbox = actor.mailbox();
        let mut state = mailbox.state.lock();
        mailbox.closed.store(true, Ordering::Release);
        let waiting = state.take_all();
        let running = state.batch == BatchState::Running;
        drop(state);
        Self::serve_all(waiting);
        if !running {
            actor.retire();
        } else if wait {
            let mut state = mailbox.state.lock();
            mailbox.ended.wait_while(&mut state, |state| state.batch == BatchState::Running);
        }
    }

    /// Connections go on without their listeners.
    fn serve_all(waiting: VecDeque<Entry<E, L>>) {
        for entry in waiting {
            if let Entry::Turn(line) = entry {
                line.serve();
            }
        }
    }

    /// What comes first, up to `count` of them.
    fn next(&self, state: &mut State<E, L>, count: &mut usize) -> Option<Entry<E, L>> {
        *count = count.checked_sub(1)?;
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let entry = state.waiting.pop_front();
        if let Some(Entry::Turn(line)) = &entry {
            // Cleared before the turn looks at the inbox, which it does without a lock: a later push sets it again.
            line.mark().swap(false, Ordering::SeqCst);
            state.current = Some(line.clone());
        }
        entry
    }

    /// The turn is over; the connection has another one if it wants one. Else it is returned, to be dropped without the lock.
    fn end_turn(&self, state: &mut State<E, L>, line: L, more: bool, leads: bool) -> Option<L> {
        state.current = None;
        state.has_readable |= more;
        // Without the lead nothing was read, or not all. The thread that took the lead serves the lines that wait when
        // [`Strand::lost_lead`] runs, and this one may have ended before, or wait only from now on.
        if !leads && (state.leads || more) {
            line.serve();
        }
        if more && self.closed.load(Ordering::Acquire) {
            line.serve();
        } else if more && !line.mark().swap(true, Ordering::SeqCst) {
            state.again.push(line);
            return None;
        }
        Some(line)
    }
}

impl<A: Actor> Strand for A {
    fn run_batch(self: Arc<Self>, runner: &Runner) -> Option<Arc<dyn Strand>> {
        let mailbox = self.mailbox();
        let mut over = None;
        let mut state = mailbox.state.lock();
        if mailbox.closed.load(Ordering::Acquire) {
            state.batch = BatchState::Idle;
            return None;
        }
        state.begin(runner.leads());
        let mut count = state.waiting.len();
        let calling = Calling::new(runner, &mailbox.closed);
        let mut pace = Pace::new(calling, &mailbox.trust);
        while !pace.is_over() {
            let Some(entry) = mailbox.next(&mut state, &mut count) else { break };
            drop(state);
            drop(over);
            // A listener's panic ends here.
            let (delivered, turn) = match entry {
                Entry::Event(event) => {
                    let deliver = AssertUnwindSafe(|| {
                        pace.enter();
                        self.deliver(event, calling);
                        pace.called(0);
                    });
                    (catch_unwind(deliver), None)
                }
                Entry::Turn(line) => {
                    let turned = catch_unwind(AssertUnwindSafe(|| self.turn(&line, &mut pace)));
                    pace.end_turn();
                    // After a panic, what is left of it has a turn of its own.
                    let more = *turned.as_ref().unwrap_or(&true);
                    (turned.map(|_| ()), Some((line, more)))
                }
            };
            // The panic's payload is the program's and may call the library: drop it without the lock.
            if let Err(_panic) = delivered {
                mailbox.trust.withdraw();
                self.panicked();
            }
            pace.leave();
            runner.flush();
            state = mailbox.state.lock();
            over = turn.and_then(|(line, more)| mailbox.end_turn(&mut state, line, more, runner.leads()));
        }
        state.leads = false;
        if mailbox.closed.load(Ordering::Acquire) {
            let waiting = state.take_all();
            drop(state);
            Mailbox::<A::Event, A::Line>::serve_all(waiting);
            self.retire();
            mailbox.state.lock().batch = BatchState::Idle;
            mailbox.ended.notify_all();
            return None;
        }
        if state.waiting.is_empty() && state.waiting.capacity() > KEPT_CAPACITY {
            state.waiting = VecDeque::new();
        }
        let more = !state.waiting.is_empty() || !state.again.is_empty();
        state.batch = if more { BatchState::Ready } else { BatchState::Idle };
        drop(state);
        more.then_some(self)
    }

    fn is_trusted(&self) -> bool {
        self.mailbox().trust.is_given()
    }

    fn waits_for_thread(&self) {
        self.mailbox().state.lock().serve_readable();
    }

    fn lost_lead(&self) {
        let mailbox = self.mailbox();
        mailbox.trust.withdraw();
        let mut state = mailbox.state.lock();
        state.leads = false;
        let lines: Vec<A::Line> = state.current.iter().chain(state.turns()).cloned().collect();
        drop(state);
        for line in lines {
            line.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Clone, Default)]
    struct Socket(Arc<(AtomicBool, AtomicUsize)>);

    impl Line for Socket {
        fn mark(&self) -> &AtomicBool {
            &self.0 .0
        }

        fn serve(&self) {
            self.0 .1.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Loses its lead in each turn.
    struct Handle {
        mailbox: Mailbox<(), Socket>,
        runner: Runner,
        /// When it was read before that, and there is more.
        was_read: bool,
    }

    impl Actor for Handle {
        type Event = ();
        type Line = Socket;

        fn mailbox(&self) -> &Mailbox<(), Socket> {
            &self.mailbox
        }

        fn lane(&self) -> &Lane {
            unreachable!("the test has it run")
        }

        fn deliver(&self, (): (), _: Calling<'_>) {}

        fn turn(&self, _: &Socket, _: &mut Pace<'_>) -> bool {
            self.runner.lose_lead();
            if self.was_read {
                self.lost_lead();
            }
            self.was_read
        }

        fn panicked(self: &Arc<Self>) {}

        fn retire(&self) {}
    }

    #[test]
    fn what_waits_for_a_thread_is_served_when_there_may_be_something_to_read() {
        let handle = Arc::new(Handle { mailbox: Mailbox::new(), runner: Runner::default(), was_read: false });
        let (waits, again) = (Socket::default(), Socket::default());
        let count = |socket: &Socket| socket.0 .1.load(Ordering::Relaxed);
        {
            let mut state = handle.mailbox.state.lock();
            state.batch = BatchState::Ready;
            state.waiting.push_back(Entry::Turn(waits.clone()));
            state.again.push(again.clone());
        }
        handle.waits_for_thread();
        assert_eq!((count(&waits), count(&again)), (0, 0));
        // Whether the handle is trusted or not: it may have lost the trust while its turn was cut.
        for times in 1..=2 {
            handle.mailbox.state.lock().has_readable = true;
            handle.waits_for_thread();
            handle.waits_for_thread();
            assert_eq!((count(&waits), count(&again)), (times, times));
        }
    }

    /// How often the socket was served after the turn had lost the lead.
    fn served(was_read: bool) -> usize {
        let handle = Arc::new(Handle { mailbox: Mailbox::new(), runner: Runner::default(), was_read });
        let socket = Socket::default();
        {
            let mut state = handle.mailbox.state.lock();
            state.batch = BatchState::Ready;
            state.waiting.push_back(Entry::Turn(socket.clone()));
        }
        handle.runner.begin(true);
        handle.clone().run_batch(&handle.runner);
        if !was_read {
            handle.lost_lead();
        }
        socket.0 .1.load(Ordering::Relaxed)
    }

    #[test]
    fn a_socket_whose_turn_ends_before_the_loss_of_the_lead_is_known_is_served() {
        assert_eq!(served(false), 1);
    }

    #[test]
    fn a_socket_that_has_more_to_read_when_the_lead_is_lost_is_served_after_its_turn() {
        assert_eq!(served(true), 2);
    }
}
