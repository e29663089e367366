//! How often tasks may use sockets between two looks at the I/O.

use std::cell::Cell;
use std::task::{Context, Poll};

use super::io::Io;

/// How often tasks may use sockets between two looks at the I/O.
pub(crate) const BUDGET: u32 = 128;

thread_local! {
    /// How often the task whose turn it is may still use sockets; `None`: what runs has no such bound.
    static BUDGET_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Gives a task its turn, in which it uses up a part of the budget.
pub(crate) fn within_budget(budget: &mut u32, run: impl FnOnce()) {
    *budget = with_budget(Some(*budget), || {
        run();
        BUDGET_LEFT.get().unwrap_or_default()
    });
}

/// Runs without that bound what ends by itself.
pub(crate) fn without_budget<T>(run: impl FnOnce() -> T) -> T {
    with_budget(None, run)
}

fn with_budget<T>(budget: Option<u32>, run: impl FnOnce() -> T) -> T {
    struct Before(Option<u32>);
    impl Drop for Before {
        fn drop(&mut self) {
            BUDGET_LEFT.set(self.0);
        }
    }
    let _before = Before(BUDGET_LEFT.replace(budget));
    run()
}

/// Uses up a part of the budget. If nothing is left, the task has another turn after a look at the I/O.
#[inline]
pub(crate) fn spend(cx: &Context<'_>) -> Poll<()> {
    let Some(left) = BUDGET_LEFT.get() else { return Poll::Ready(()) };
    match left.checked_sub(1) {
        Some(left) => {
            BUDGET_LEFT.set(Some(left));
            Poll::Ready(())
        }
        None => {
            if let Some(io) = Io::here() {
                io.wake_after_look(cx.waker());
            }
            Poll::Pending
        }
    }
}
