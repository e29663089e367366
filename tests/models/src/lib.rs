//! The library's own sources of what threads share, with stand-ins for what is around them.
//!
//! What loom tries is every order of taking the locks, within a bound on preemptions. The flags beside the locks are the standard
//! library's: that weaker memory shows them late is not modelled.
#![cfg(test)]
#![allow(dead_code, unused_imports)]

mod error {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Code {
        BadHandle,
        NoResources,
        Internal,
    }

    #[derive(Debug)]
    pub struct Error {
        pub code: Code,
    }

    impl Error {
        pub fn code(code: Code) -> Self {
            Error { code }
        }
    }

    pub type Result<T> = std::result::Result<T, Error>;
}

#[path = "../../../src/callback.rs"]
mod callback;

#[path = "../../../src/ffi/table.rs"]
mod handle;

mod runtime;

mod dispatch;

mod handles;
mod mailboxes;

/// Tries every order of what `body` does, within a bound on preemptions.
fn every_order(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(body);
}
