//! The mailbox.

#[path = "../../../src/dispatch/mailbox.rs"]
pub mod mailbox;
pub use pace::Pace;

/// Without times, by which the library's ends a batch: they would differ each time that loom tries an order.
pub mod pace {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::runtime::Runner;

    #[derive(Default)]
    pub struct Trust;

    impl Trust {
        pub fn is_given(&self) -> bool {
            true
        }

        pub fn withdraw(&self) {}
    }

    pub struct Pace<'a> {
        runner: &'a Runner,
        closed: &'a AtomicBool,
    }

    impl<'a> Pace<'a> {
        pub fn new(runner: &'a Runner, closed: &'a AtomicBool, _: &'a Trust) -> Self {
            Pace { runner, closed }
        }

        pub fn is_closed(&self) -> bool {
            self.closed.load(Ordering::Acquire)
        }

        pub fn leads(&self) -> bool {
            self.runner.leads()
        }

        pub fn is_over(&self) -> bool {
            false
        }

        pub fn called(&mut self, _: usize) {}

        pub fn leave(&mut self) {}

        pub fn enter(&mut self) {}

        pub fn name(&mut self, _: &'static str) {}
    }
}
