//! A caller's function and `user_data` as a listener of the core.

use std::ffi::c_void;

use super::event::nsws_free_fn;
use crate::callback::enter_callback;
use crate::dispatch::{ListenerKey, Listeners};
use crate::error::Result;

/// `user_data` with its `free_fn`, which runs when the last use is over.
pub struct UserData {
    data: *mut c_void,
    free_fn: nsws_free_fn,
}

// SAFETY: the header says that callbacks and `free_fn` run on any thread; what `user_data` points to is the
// caller's to share, and the library never looks at it.
unsafe impl Send for UserData {}
// SAFETY: as above; a listener never runs twice at once.
unsafe impl Sync for UserData {}

impl UserData {
    /// From now on `free_fn` will run.
    pub fn new(data: *mut c_void, free_fn: nsws_free_fn) -> Self {
        UserData { data, free_fn }
    }

    pub fn get(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(free_fn) = self.free_fn {
            // A free_fn counts as a callback: nothing that it calls may wait.
            let _inside = enter_callback();
            // SAFETY: the caller registered the function for this data, and it runs once.
            unsafe { free_fn(self.data) };
        }
    }
}

/// Registers a listener. `user_data` becomes the library's only when this succeeds; a pair that is
/// registered already counts once.
pub fn add<C: ?Sized>(
    listeners: &Listeners<C>,
    function: usize,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
    listener: impl FnOnce(UserData) -> Box<C>,
) -> Result<()> {
    let key = ListenerKey(function, user_data as usize);
    listeners.add(key, || listener(UserData::new(user_data, free_fn)))
}

/// Removes one listener, or all of them.
pub fn remove<C: ?Sized>(listeners: &Listeners<C>, function: Option<usize>, user_data: *mut c_void) {
    listeners.remove(function.map(|function| ListenerKey(function, user_data as usize)));
}
