//! Events are delivered once, in order, on one thread at a time; after a close that waits, nothing is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use loom::thread;
use parking_lot::Mutex;

use crate::dispatch::mailbox::{Actor, Line, Mailbox};
use crate::dispatch::pace::Calling;
use crate::every_order;
use crate::runtime::Lane;

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

struct Handle {
    mailbox: Mailbox<usize, Socket>,
    lane: Arc<Lane>,
    delivered: Mutex<Vec<usize>>,
    turns: AtomicUsize,
    inside: AtomicBool,
    retired: AtomicUsize,
    /// An event of this number closes the mailbox inside its callback.
    closes: usize,
}

fn handle(closes: usize) -> Arc<Handle> {
    Arc::new(Handle {
        mailbox: Mailbox::new(),
        lane: Arc::new(Lane::new()),
        delivered: Mutex::new(Vec::new()),
        turns: AtomicUsize::new(0),
        inside: AtomicBool::new(false),
        retired: AtomicUsize::new(0),
        closes,
    })
}

impl Handle {
    /// What a callback does.
    fn called(&self, what: impl FnOnce()) {
        assert!(!self.inside.swap(true, Ordering::SeqCst), "two callbacks at once");
        assert_eq!(self.retired.load(Ordering::SeqCst), 0, "a callback after the listeners went");
        what();
        thread::yield_now();
        self.inside.store(false, Ordering::SeqCst);
    }
}

impl Actor for Handle {
    type Event = usize;
    type Line = Socket;

    fn mailbox(&self) -> &Mailbox<usize, Socket> {
        &self.mailbox
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }

    fn deliver(&self, event: usize, _: Calling<'_>) {
        self.called(|| self.delivered.lock().push(event));
        if event == self.closes {
            Mailbox::close(self, false);
        }
    }

    fn turn(&self, _: &Socket, _: &mut crate::dispatch::Pace<'_>) -> bool {
        self.called(|| {
            let _ = self.turns.fetch_add(1, Ordering::SeqCst);
        });
        false
    }

    fn panicked(self: &Arc<Self>) {}

    fn retire(&self) {
        assert!(!self.inside.load(Ordering::SeqCst), "the listeners go while a callback runs");
        self.retired.fetch_add(1, Ordering::SeqCst);
    }
}

const NEVER: usize = usize::MAX;

/// A thread that runs callbacks until none waits.
fn runs(handle: &Arc<Handle>) -> thread::JoinHandle<()> {
    let lane = handle.lane.clone();
    thread::spawn(move || lane.run(true))
}

#[test]
fn events_of_two_threads_are_delivered_once_and_in_order() {
    every_order(|| {
        let handle = handle(NEVER);
        let poster = {
            let handle = handle.clone();
            thread::spawn(move || Mailbox::post(&handle, [10, 11]))
        };
        let runner = runs(&handle);
        Mailbox::post(&handle, [1]);
        Mailbox::post(&handle, [2]);
        poster.join().unwrap();
        runner.join().unwrap();
        // What came after the runner looked.
        handle.lane.run(true);
        let mut delivered = handle.delivered.lock().clone();
        for pair in [[1, 2], [10, 11]] {
            let of_pair: Vec<_> = delivered.iter().filter(|event| pair.contains(event)).copied().collect();
            assert_eq!(of_pair, pair);
        }
        delivered.sort_unstable();
        assert_eq!(delivered, [1, 2, 10, 11]);
    });
}

#[test]
fn two_threads_that_run_callbacks_never_run_those_of_one_handle_at_once() {
    every_order(|| {
        let handle = handle(NEVER);
        Mailbox::post(&handle, [1]);
        let (one, other) = (runs(&handle), runs(&handle));
        Mailbox::post(&handle, [2]);
        one.join().unwrap();
        other.join().unwrap();
        handle.lane.run(false);
        assert_eq!(*handle.delivered.lock(), [1, 2]);
    });
}

#[test]
fn after_a_close_that_waits_no_callback_runs_and_the_listeners_have_gone_once() {
    every_order(|| {
        let handle = handle(NEVER);
        Mailbox::post(&handle, [1, 2]);
        let runner = runs(&handle);
        Mailbox::close(&*handle, true);
        assert!(!handle.inside.load(Ordering::SeqCst));
        assert_eq!(handle.retired.load(Ordering::SeqCst), 1);
        let delivered = handle.delivered.lock().len();
        Mailbox::post(&handle, [3]);
        runner.join().unwrap();
        handle.lane.run(true);
        assert_eq!(handle.delivered.lock().len(), delivered);
        assert_eq!(handle.retired.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_close_inside_a_callback_is_the_last_word() {
    every_order(|| {
        let handle = handle(1);
        Mailbox::post(&handle, [1, 2]);
        let runner = runs(&handle);
        Mailbox::post(&handle, [3]);
        runner.join().unwrap();
        handle.lane.run(true);
        assert_eq!(*handle.delivered.lock(), [1]);
        assert_eq!(handle.retired.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_socket_that_becomes_readable_has_its_turn_or_is_served_elsewhere() {
    every_order(|| {
        let (handle, socket) = (handle(NEVER), Socket::default());
        Mailbox::post(&handle, [1]);
        let runner = runs(&handle);
        let reader = {
            let (handle, socket) = (handle.clone(), socket.clone());
            thread::spawn(move || Mailbox::ready(&handle, socket))
        };
        reader.join().unwrap();
        runner.join().unwrap();
        handle.lane.run(true);
        assert!(handle.turns.load(Ordering::SeqCst) + socket.0 .1.load(Ordering::Relaxed) >= 1);
    });
}

#[test]
fn a_socket_that_becomes_readable_while_its_handle_is_destroyed_is_served_elsewhere() {
    every_order(|| {
        let (handle, socket) = (handle(NEVER), Socket::default());
        let runner = runs(&handle);
        let reader = {
            let (handle, socket) = (handle.clone(), socket.clone());
            thread::spawn(move || Mailbox::ready(&handle, socket))
        };
        Mailbox::close(&*handle, true);
        reader.join().unwrap();
        runner.join().unwrap();
        handle.lane.run(true);
        assert_eq!(handle.retired.load(Ordering::SeqCst), 1);
        assert!(handle.turns.load(Ordering::SeqCst) + socket.0 .1.load(Ordering::Relaxed) >= 1);
    });
}
