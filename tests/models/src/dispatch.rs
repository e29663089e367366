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

    #[derive(Clone, Copy)]
    pub struct Calling<'a> {
        runner: &'a Runner,
        closed: &'a AtomicBool,
    }

    impl<'a> Calling<'a> {
        pub fn new(runner: &'a Runner, closed: &'a AtomicBool) -> Self {
            Calling { runner, closed }
        }

        pub fn is_closed(&self) -> bool {
            self.closed.load(Ordering::Acquire)
        }
    }

    pub struct Pace<'a>(Calling<'a>);

    impl<'a> Pace<'a> {
        pub fn new(calling: Calling<'a>, _: &'a Trust) -> Self {
            Pace(calling)
        }

        pub fn is_closed(&self) -> bool {
            self.0.is_closed()
        }

        pub fn leads(&self) -> bool {
            self.0.runner.leads()
        }

        pub fn is_over(&self) -> bool {
            false
        }

        pub fn called(&mut self, _: usize) {}

        pub fn leave(&mut self) {}

        pub fn end_turn(&mut self) {}

        pub fn enter(&mut self) {}
    }
}
