//! The listeners of an event: added, removed and called from any thread.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use super::pace::Calling;
use crate::callback::Occasion;
use crate::error::{Code, Error, Result};

/// What makes a listener the same as another: its function and its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerKey(pub usize, pub usize);

/// What is called for an event.
pub type Listener<E> = dyn Fn(&E) + Send + Sync;

struct Registered<C: ?Sized> {
    key: ListenerKey,
    /// Cleared by `remove`, so that it isn't called again by an event that is being delivered.
    registered: AtomicBool,
    call: Box<C>,
}

/// The listeners of one event, in the order of their registration. `C` is what is called.
pub struct Listeners<C: ?Sized> {
    occasion: Occasion,
    /// Changed with the lock of the list.
    closed: AtomicBool,
    /// How often the list has changed.
    version: AtomicU32,
    list: Mutex<Snapshot<C>>,
}

/// Without listeners it takes no memory: most clients have none for most events.
type Snapshot<C> = Arc<[Arc<Registered<C>>]>;

/// The listeners as a batch of events knows them, which spares each event the lock.
pub(crate) struct View<C: ?Sized> {
    version: u32,
    listeners: Option<Snapshot<C>>,
}

impl<C: ?Sized> Default for View<C> {
    fn default() -> Self {
        View { version: 0, listeners: None }
    }
}

impl<C: ?Sized> Listeners<C> {
    /// Those of this event.
    pub(crate) fn of(occasion: Occasion) -> Self {
        Listeners {
            occasion,
            closed: AtomicBool::new(false),
            version: AtomicU32::new(0),
            list: Mutex::new(Arc::default()),
        }
    }

    /// Adds a listener, which `make` makes unless the key is there already.
    pub fn add(&self, key: ListenerKey, make: impl FnOnce() -> Box<C>) -> Result<()> {
        let mut list = self.list.lock();
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::code(Code::BadHandle));
        }
        if list.iter().any(|listener| listener.key == key) {
            return Ok(());
        }
        let listener = Arc::new(Registered { key, registered: AtomicBool::new(true), call: make() });
        // A new list, since an event may be going through the old one.
        *list = list.iter().cloned().chain([listener]).collect();
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Removes one listener, or all of them for `None`.
    pub fn remove(&self, key: Option<ListenerKey>) {
        // Dropped outside the lock: what a listener owns may call back.
        let _removed = {
            let mut list = self.list.lock();
            let (removed, kept): (Vec<_>, Vec<_>) =
                list.iter().cloned().partition(|listener| key.is_none_or(|key| listener.key == key));
            for listener in &removed {
                listener.registered.store(false, Ordering::Release);
            }
            self.version.fetch_add(1, Ordering::Release);
            (std::mem::replace(&mut *list, kept.into()), removed)
        };
    }

    /// Removes all listeners and takes no more.
    pub fn close(&self) {
        {
            let _list = self.list.lock();
            self.closed.store(true, Ordering::Relaxed);
        }
        self.remove(None);
    }

    /// Calls the listeners.
    pub(crate) fn emit(&self, calling: Calling<'_>, call: impl Fn(&C)) {
        self.emit_in(calling, &mut View::default(), call);
    }

    /// [`Listeners::emit`] for one of many events.
    #[inline]
    pub(crate) fn emit_in(&self, calling: Calling<'_>, view: &mut View<C>, call: impl Fn(&C)) {
        if view.version != self.version.load(Ordering::Acquire) {
            let list = self.list.lock();
            let seen = (self.version.load(Ordering::Relaxed), Some(list.clone()));
            drop(list);
            (view.version, view.listeners) = seen;
        }
        let listeners = view.listeners.as_ref().map_or(&[][..], |listeners| listeners);
        for listener in listeners {
            if listener.registered.load(Ordering::Acquire) && !calling.is_closed() {
                calling.begin(self.occasion);
                call(&listener.call);
            }
        }
    }
}
