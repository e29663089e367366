//! parking_lot's names over loom's locks, as far as the modules under test use them.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex as Cell, OnceLock};

/// A value that is put behind a loom lock when it is first used: loom's are not made in constants.
struct Late<T, L> {
    value: Cell<Option<T>>,
    lock: OnceLock<L>,
}

impl<T, L> Late<T, L> {
    const fn new(value: T) -> Self {
        Late { value: Cell::new(Some(value)), lock: OnceLock::new() }
    }

    fn get(&self, make: fn(T) -> L) -> &L {
        self.lock.get_or_init(|| make(self.value.lock().unwrap().take().unwrap()))
    }
}

pub struct Mutex<T>(Late<T, loom::sync::Mutex<T>>);

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Mutex(Late::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.get(loom::sync::Mutex::new).lock().unwrap()))
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().unwrap()
    }
}

pub struct Condvar(OnceLock<loom::sync::Condvar>);

impl Condvar {
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Condvar(OnceLock::new())
    }

    fn get(&self) -> &loom::sync::Condvar {
        self.0.get_or_init(loom::sync::Condvar::new)
    }

    pub fn notify_all(&self) {
        self.get().notify_all();
    }

    pub fn wait_while<T>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(&mut *guard) {
            let taken = guard.0.take().unwrap();
            guard.0 = Some(self.get().wait(taken).unwrap());
        }
    }
}

pub struct RwLock<T>(Late<T, loom::sync::RwLock<T>>);

impl<T> RwLock<T> {
    pub const fn new(value: T) -> Self {
        RwLock(Late::new(value))
    }

    pub fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
        self.0.get(loom::sync::RwLock::new).read().unwrap()
    }

    pub fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
        self.0.get(loom::sync::RwLock::new).write().unwrap()
    }
}
