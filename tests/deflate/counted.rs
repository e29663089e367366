//! How many bytes of the heap the calling thread holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fn add(bytes: isize) {
    // A thread that ends may free after its counters are gone.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        MOST.with(|most| most.set(most.get().max(now.get())));
    });
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What the thread holds since [`held`] or [`most_held`] began.
pub fn now() -> isize {
    NOW.get()
}

/// What is held after the call and wasn't before.
pub fn held(call: impl FnOnce()) -> isize {
    NOW.set(0);
    call();
    NOW.get()
}

/// The most that is held at once within the call.
pub fn most_held(call: impl FnOnce()) -> usize {
    MOST.set(0);
    held(call);
    usize::try_from(MOST.get()).unwrap()
}
