//! Handles are checked here: a table finds the object of a handle, and refuses a stale, foreign or made-up one. A handle is a
//! number below 2^53, so that JavaScript can hold it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::{Code, Error, Result};

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 26;
const SLOTS: usize = 1 << SLOT_BITS;
const LAST_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// What a handle names. Part of the handle, so that one of another kind is refused.
#[derive(Clone, Copy)]
#[repr(u64)]
pub enum HandleKind {
    Client = 1,
    Server = 2,
    Connection = 3,
}

/// The live objects of one kind.
pub struct Table<T> {
    kind: HandleKind,
    slots: RwLock<Slots<T>>,
}

struct Slots<T> {
    entries: Vec<Slot<T>>,
    /// First in, first out: a slot is used again as late as possible.
    free: VecDeque<usize>,
}

struct Slot<T> {
    generation: u32,
    object: Option<Arc<T>>,
}

impl<T> Table<T> {
    pub const fn new(kind: HandleKind) -> Self {
        Table { kind, slots: RwLock::new(Slots { entries: Vec::new(), free: VecDeque::new() }) }
    }

    /// Adds an object.
    pub fn insert(&self, object: Arc<T>) -> Result<u64> {
        let mut slots = self.slots.write();
        let slot = match slots.free.pop_front() {
            Some(slot) => slot,
            None if slots.entries.len() < SLOTS => {
                slots.entries.push(Slot { generation: 1, object: None });
                slots.entries.len() - 1
            }
            None => return Err(Error::code(Code::NoResources)),
        };
        let Some(entry) = slots.entries.get_mut(slot) else {
            return Err(Error::code(Code::Internal));
        };
        let id = (self.kind as u64) << (SLOT_BITS + GENERATION_BITS)
            | u64::from(entry.generation) << SLOT_BITS
            | slot as u64;
        entry.object = Some(object);
        Ok(id)
    }

    pub fn get(&self, id: u64) -> Result<Arc<T>> {
        self.with(id, Arc::clone)
    }

    /// Uses an object while the table is locked, which is cheaper than [`Table::get`]. `short` must be short, and must not use the
    /// tables.
    pub fn with<R>(&self, id: u64, short: impl FnOnce(&Arc<T>) -> R) -> Result<R> {
        self.split(id)
            .and_then(|(slot, generation)| {
                let slots = self.slots.read();
                let entry = slots.entries.get(slot).filter(|entry| entry.generation == generation)?;
                entry.object.as_ref().map(short)
            })
            .ok_or_else(bad_handle)
    }

    /// Takes an object out; from now on its handle is stale.
    pub fn remove(&self, id: u64) -> Result<Arc<T>> {
        let (slot, generation) = self.split(id).ok_or_else(bad_handle)?;
        let mut slots = self.slots.write();
        let entry = slots
            .entries
            .get_mut(slot)
            .filter(|entry| entry.generation == generation)
            .ok_or_else(bad_handle)?;
        let object = entry.object.take().ok_or_else(bad_handle)?;
        // A slot whose generations are used up retires, so that no handle ever comes back.
        if generation < LAST_GENERATION {
            entry.generation += 1;
            slots.free.push_back(slot);
        }
        Ok(object)
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.slots.read().entries.iter().filter_map(|entry| entry.object.clone()).collect()
    }

    /// Takes every object out.
    pub fn drain(&self) -> Vec<Arc<T>> {
        let mut slots = self.slots.write();
        let mut objects = Vec::new();
        for slot in 0..slots.entries.len() {
            let Some(entry) = slots.entries.get_mut(slot) else { break };
            if let Some(object) = entry.object.take() {
                objects.push(object);
                if entry.generation < LAST_GENERATION {
                    entry.generation += 1;
                    slots.free.push_back(slot);
                }
            }
        }
        objects
    }

    fn split(&self, id: u64) -> Option<(usize, u32)> {
        let kind = id >> (SLOT_BITS + GENERATION_BITS);
        let generation = (id >> SLOT_BITS) as u32 & LAST_GENERATION;
        (kind == self.kind as u64).then_some(((id as usize) & (SLOTS - 1), generation))
    }
}

fn bad_handle() -> Error {
    Error::code(Code::BadHandle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_stale_once_its_object_is_gone_and_never_comes_back() {
        let table: Table<u32> = Table::new(HandleKind::Client);
        let first = table.insert(Arc::new(7)).unwrap();
        assert_eq!(*table.get(first).unwrap(), 7);
        assert!(first != 0 && first < 1 << 53);
        table.remove(first).unwrap();
        assert_eq!(table.get(first).unwrap_err().code, Code::BadHandle);
        assert_eq!(table.remove(first).unwrap_err().code, Code::BadHandle);
        let second = table.insert(Arc::new(8)).unwrap();
        assert_ne!(first, second);
        assert_eq!(table.get(first).unwrap_err().code, Code::BadHandle);
    }

    #[test]
    fn a_slot_with_no_generation_left_retires() {
        let table: Table<u32> = Table::new(HandleKind::Client);
        let first = table.insert(Arc::new(1)).unwrap();
        table.slots.write().entries[0].generation = LAST_GENERATION;
        let last = first | u64::from(LAST_GENERATION) << SLOT_BITS;
        table.remove(last).unwrap();
        let next = table.insert(Arc::new(2)).unwrap();
        assert_eq!(next & (SLOTS as u64 - 1), 1);
    }

    #[test]
    fn foreign_numbers_are_refused() {
        let table: Table<u32> = Table::new(HandleKind::Client);
        table.insert(Arc::new(1)).unwrap();
        for id in [0, 1, u64::MAX, 1 << 53, 2 << (SLOT_BITS + GENERATION_BITS) | 1 << SLOT_BITS] {
            assert_eq!(table.get(id).unwrap_err().code, Code::BadHandle);
        }
    }
}
