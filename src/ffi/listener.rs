//! A caller's function and `user_data` as a listener of the core.

use std::ffi::c_void;
use std::sync::Arc;

use super::call;
use super::handle::{nsws_client, nsws_connection, nsws_server};
use crate::callback::enter_callback;
use crate::dispatch::{ListenerKey, Listeners};
use crate::error::{Code, Error, Result};

/// Releases what the `user_data` of a registration stands for. It runs exactly once, after the last call that
/// uses the `user_data`, on any thread. It may call the library, but must not wait for it.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_free_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

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
    /// From now on `free_fn` runs when this is dropped.
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

/// A handle whose object has listeners.
pub trait Handle: Copy {
    type Object;

    fn object(self) -> Result<Arc<Self::Object>>;
}

/// A function of the program that listens to an event; `L` is the listener that the core calls.
pub trait Callback<L: ?Sized>: Copy {
    /// The handle of the object whose event it is.
    type Of: Handle;

    /// Which function it is.
    fn address(self) -> usize;

    /// The listener that calls it.
    fn listener(self, of: Self::Of, user_data: UserData) -> Box<L>;
}

type ClientFn<E> = unsafe extern "C" fn(nsws_client, *const E, *mut c_void);
type ServerFn<E> = unsafe extern "C" fn(nsws_server, nsws_connection, *const E, *mut c_void);

/// An event of a client, as a callback receives it.
pub trait ClientEvent<L: ?Sized>: Sized + 'static {
    /// The listener that passes each event on to `tell`.
    fn listener(tell: impl Fn(*const Self) + Send + Sync + 'static) -> Box<L>;
}

/// An event of a server, as a callback receives it.
pub trait ServerEvent<L: ?Sized>: Sized + 'static {
    /// The listener that passes each event on to `tell`, with its connection.
    fn listener(tell: impl Fn(nsws_connection, *const Self) + Send + Sync + 'static) -> Box<L>;
}

impl<L: ?Sized, E: ClientEvent<L>> Callback<L> for ClientFn<E> {
    type Of = nsws_client;

    fn address(self) -> usize {
        self as usize
    }

    fn listener(self, client: nsws_client, user_data: UserData) -> Box<L> {
        // SAFETY: the caller registered the function for these arguments; the event outlives the call.
        E::listener(move |event| unsafe { self(client, event, user_data.get()) })
    }
}

impl<L: ?Sized, E: ServerEvent<L>> Callback<L> for ServerFn<E> {
    type Of = nsws_server;

    fn address(self) -> usize {
        self as usize
    }

    fn listener(self, server: nsws_server, user_data: UserData) -> Box<L> {
        E::listener(move |connection, event| {
            // SAFETY: the caller registered the function for these arguments; the event outlives the call.
            unsafe { self(server, connection, event, user_data.get()) }
        })
    }
}

/// Registers a listener. `free_fn` will run only if this succeeds; a pair that is registered already counts once.
pub fn on<L: ?Sized, F: Callback<L>>(
    of: F::Of,
    listeners: impl FnOnce(&<F::Of as Handle>::Object) -> &Listeners<L>,
    function: Option<F>,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let object = of.object()?;
        let function = function.ok_or_else(|| Error::call(Code::Parameter, "The callback is NULL."))?;
        let key = ListenerKey(function.address(), user_data as usize);
        listeners(&object).add(key, || function.listener(of, UserData::new(user_data, free_fn)))
    })
}

/// Removes one listener, or all of them.
pub fn off<L: ?Sized, F: Callback<L>>(
    of: F::Of,
    listeners: impl FnOnce(&<F::Of as Handle>::Object) -> &Listeners<L>,
    function: Option<F>,
    user_data: *mut c_void,
) -> i32 {
    call(|| {
        let key = function.map(|function| ListenerKey(function.address(), user_data as usize));
        listeners(&*of.object()?).remove(key);
        Ok(())
    })
}
