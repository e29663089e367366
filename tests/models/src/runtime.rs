//! Threads without I/O: the model decides which thread runs what.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

#[path = "../../../src/runtime/runner.rs"]
mod runner;
pub(crate) use runner::Runner;

pub(crate) trait Strand: Send + Sync {
    fn run_batch(self: Arc<Self>, runner: &Runner) -> Option<Arc<dyn Strand>>;
    fn is_trusted(&self) -> bool;
    fn lost_lead(&self);
    fn waits_for_thread(&self);
}

/// What wants a thread, as in the library; here the threads are the model's.
pub(crate) struct Lane {
    ready: Mutex<VecDeque<Arc<dyn Strand>>>,
}

impl Lane {
    pub fn new() -> Self {
        Lane { ready: Mutex::new(VecDeque::new()) }
    }

    pub fn make_ready(&self, strand: Arc<dyn Strand>) {
        self.ready.lock().push_back(strand);
    }

    /// Runs what is ready until nothing is.
    pub fn run(&self, leads: bool) {
        let runner = Runner::default();
        loop {
            let Some(strand) = self.ready.lock().pop_front() else { return };
            runner.begin(leads);
            strand.run_batch(&runner).into_iter().for_each(|strand| self.make_ready(strand));
        }
    }
}
