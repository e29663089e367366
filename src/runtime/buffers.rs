//! Memory that a lane lends: blocks to read into, buffers to write from.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::Mutex;

/// What one read may bring.
pub(crate) const BLOCK: usize = 256 << 10;
/// The size of a block until a read has filled it. Many programs never need more.
const SMALL_BLOCK: usize = 16 << 10;
/// Blocks that connections may keep whose turn has ended amid what they have read. The lane keeps one more, for the next
/// read.
const BLOCKS: usize = 4;
/// The bytes of the outgoing buffers that a lane keeps, enough for a broadcast to a thousand, and of the largest of them.
const OUTGOING: usize = 1 << 20;
const LARGEST_BUFFER: usize = 64 << 10;
/// The room that a buffer gets when there is no memory for more.
const SCARCE: usize = 16 << 10;
/// The bytes of the buffers that a lane keeps for large messages, received or half sent.
const SPARE: usize = 4 << 20;
/// On some processors, copying large blocks is at its best from and to this place within a page.
const PAGE: usize = 4096;
const PLACE: usize = 2048;

/// How many bytes to leave free at the beginning of a large buffer at this address.
pub(crate) fn padding(buffer: &[u8]) -> usize {
    (PLACE + PAGE - buffer.as_ptr() as usize % PAGE) % PAGE
}

/// A place to read into, or a part of one. Its bytes are initialised once.
#[derive(Debug)]
pub(crate) struct Block {
    memory: BytesMut,
    /// What all parts of a block share. A copy of some bytes has none.
    whole: Option<Arc<Whole>>,
}

/// A whole block, gone with its last part.
#[derive(Debug)]
struct Whole {
    length: AtomicUsize,
    /// How many blocks the lane has.
    count: Arc<AtomicUsize>,
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Block {
    fn new(count: &Arc<AtomicUsize>) -> Option<Block> {
        let mut memory: Vec<u8> = Vec::new();
        memory.try_reserve_exact(BLOCK + PAGE).ok()?;
        memory.resize(SMALL_BLOCK + PAGE, 0);
        let start = padding(&memory);
        let mut memory = Bytes::from(memory).try_into_mut().ok()?;
        memory.advance(start);
        memory.truncate(SMALL_BLOCK);
        count.fetch_add(1, Ordering::Relaxed);
        let whole = Whole { length: AtomicUsize::new(SMALL_BLOCK), count: count.clone() };
        Some(Block { memory, whole: Some(whole.into()) })
    }

    /// Grows to [`BLOCK`] in place if so many bytes fill it; the memory is already reserved.
    #[inline]
    pub fn grow_if_full(&mut self, end: usize) {
        if end < self.memory.len() || self.is_part() || self.memory.len() == BLOCK {
            return;
        }
        if let Some(whole) = &self.whole {
            self.memory.resize(BLOCK, 0);
            whole.length.store(BLOCK, Ordering::Relaxed);
        }
    }

    /// A copy of some bytes; `None` when there is no memory.
    pub fn copied(bytes: &[u8]) -> Option<Block> {
        let mut memory: Vec<u8> = Vec::new();
        memory.try_reserve_exact(bytes.len()).ok()?;
        memory.extend_from_slice(bytes);
        Some(Block { memory: Bytes::from(memory).try_into_mut().ok()?, whole: None })
    }

    #[inline]
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    #[inline]
    pub fn get(&self) -> &[u8] {
        &self.memory
    }

    /// Takes the first bytes off.
    pub fn split_to(&mut self, at: usize) -> Block {
        let memory = self.memory.split_to(at.min(self.memory.len()));
        Block { memory, whole: self.whole.clone() }
    }

    /// Whether it is less than a whole one.
    pub fn is_part(&self) -> bool {
        self.whole.as_ref().is_none_or(|whole| self.memory.len() < whole.length.load(Ordering::Relaxed))
    }

    /// Puts a part back behind this one, unless there is another between them.
    pub fn join(&mut self, behind: Block) {
        if self.memory.as_ptr_range().end == behind.memory.as_ptr() {
            self.memory.unsplit(behind.memory);
        }
    }
}

thread_local! {
    /// What the thread that leads a lane has at hand, which spares it the locks; `None`: it leads none.
    static AT_HAND: RefCell<Option<AtHand>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct AtHand {
    block: Option<Block>,
    outgoing: Option<Vec<u8>>,
}

/// Keeps it at hand if the place is free; returns it if not.
#[inline]
fn keep_at_hand<T>(thing: T, place: impl FnOnce(&mut AtHand) -> &mut Option<T>) -> Option<T> {
    let mut thing = Some(thing);
    at_hand(|at_hand| {
        let place = place(at_hand);
        if place.is_none() {
            *place = thing.take();
        }
        Some(())
    });
    thing
}

#[inline]
fn at_hand<T>(act: impl FnOnce(&mut AtHand) -> Option<T>) -> Option<T> {
    AT_HAND.try_with(|at_hand| at_hand.borrow_mut().as_mut().and_then(act)).ok().flatten()
}

/// What a lane lends.
#[derive(Default)]
pub(crate) struct Buffers {
    blocks: Mutex<Vec<Block>>,
    /// How many blocks there are, lent or not.
    count: Arc<AtomicUsize>,
    outgoing: Mutex<Outgoing>,
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Empty buffers, and their bytes.
#[derive(Default)]
struct Outgoing {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Buffers {
    /// This thread leads the lane.
    pub(super) fn enter() {
        AT_HAND.replace(Some(AtHand::default()));
    }

    /// This thread no longer leads: the lane takes back what it has at hand.
    pub(super) fn leave(&self) {
        let AtHand { block, outgoing } = AT_HAND.take().unwrap_or_default();
        block.into_iter().for_each(|block| self.give_back(block));
        outgoing.into_iter().for_each(|buffer| self.give_back_outgoing(buffer));
    }

    /// A block; `None` when there is no memory.
    pub fn block(&self) -> Option<Block> {
        if let Some(block) = at_hand(|at_hand| at_hand.block.take()) {
            return Some(block);
        }
        let kept = self.blocks.lock().pop();
        kept.or_else(|| Block::new(&self.count))
    }

    /// Takes a block back if it is whole.
    pub fn give_back(&self, block: Block) {
        if block.is_part() || self.count.load(Ordering::Relaxed) > BLOCKS + 1 {
            return;
        }
        if let Some(block) = keep_at_hand(block, |at_hand| &mut at_hand.block) {
            self.blocks.lock().push(block);
        }
    }

    /// Whether a connection may keep a block beyond its turn.
    pub fn may_keep_block(&self) -> bool {
        self.count.load(Ordering::Relaxed) <= BLOCKS
    }

    /// An empty buffer for what is to be sent.
    pub fn outgoing(&self) -> Vec<u8> {
        if let Some(buffer) = at_hand(|at_hand| at_hand.outgoing.take()) {
            return buffer;
        }
        let mut outgoing = self.outgoing.lock();
        let buffer = outgoing.buffers.pop().unwrap_or_default();
        outgoing.bytes -= buffer.capacity();
        buffer
    }

    /// An empty buffer with room for so much or, if memory is short, for [`SCARCE`] bytes.
    pub fn with_room(&self, length: usize) -> Vec<u8> {
        let mut buffer = if length > LARGEST_BUFFER { self.large(length) } else { self.outgoing() };
        buffer.clear();
        if buffer.try_reserve_exact(length).is_err() {
            buffer.reserve_exact(SCARCE);
        }
        buffer
    }

    /// Takes back what has been sent.
    pub fn give_back_outgoing(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > LARGEST_BUFFER {
            return self.give_back_large(buffer);
        }
        buffer.clear();
        let Some(buffer) = keep_at_hand(buffer, |at_hand| &mut at_hand.outgoing) else { return };
        let mut outgoing = self.outgoing.lock();
        if outgoing.bytes + buffer.capacity() <= OUTGOING {
            outgoing.bytes += buffer.capacity();
            outgoing.buffers.push(buffer);
        }
    }

    /// Memory for a message of this length, which may be empty or too small, and may hold bytes of an earlier one. None is given
    /// that is far too large.
    pub fn large(&self, length: usize) -> Vec<u8> {
        let mut spare = self.spare.lock();
        let sizes = spare.iter().map(Vec::capacity).enumerate().filter(|(_, size)| size / 2 <= length);
        let largest = sizes.max_by_key(|(_, size)| *size);
        largest.map(|(place, _)| spare.swap_remove(place)).unwrap_or_default()
    }

    /// Takes such memory back. What came last is kept.
    pub fn give_back_large(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= LARGEST_BUFFER || buffer.capacity() > SPARE {
            return;
        }
        let mut spare = self.spare.lock();
        spare.push(buffer);
        while spare.iter().map(Vec::capacity).sum::<usize>() > SPARE {
            spare.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_grows_where_it_is_when_a_read_has_filled_it() {
        let buffers = Buffers::default();
        let mut block = buffers.block().unwrap();
        block.bytes().fill(7);
        block.grow_if_full(SMALL_BLOCK - 1);
        assert_eq!(block.get().len(), SMALL_BLOCK);
        let place = block.get().as_ptr();
        // A part of one never grows: another part may lie behind it.
        let mut part = block.split_to(SMALL_BLOCK / 2);
        part.grow_if_full(SMALL_BLOCK / 2);
        assert!(part.is_part());
        part.join(block);
        part.grow_if_full(SMALL_BLOCK);
        assert_eq!((part.get().len(), part.get().as_ptr()), (BLOCK, place));
        assert!(!part.is_part() && part.get()[..SMALL_BLOCK].iter().all(|byte| *byte == 7));
        buffers.give_back(part);
        assert_eq!(buffers.block().unwrap().get().len(), BLOCK);
    }

    #[test]
    fn so_many_bytes_of_outgoing_buffers_are_kept_whatever_their_sizes() {
        for size in [1 << 10, LARGEST_BUFFER] {
            let buffers = Buffers::default();
            let count = OUTGOING / size;
            (0..=count).for_each(|_| buffers.give_back_outgoing(Vec::with_capacity(size)));
            let kept = (0..=count).filter(|_| buffers.outgoing().capacity() > 0).count();
            assert_eq!(kept, count);
        }
    }

    #[test]
    fn so_many_bytes_of_large_buffers_are_kept_and_the_largest_that_fits_is_given() {
        const SIZE: usize = SPARE / 4;
        let buffers = Buffers::default();
        for size in [SPARE, SIZE, SIZE, SIZE / 2, SIZE * 3 / 2, SPARE + 1] {
            buffers.give_back_large(Vec::with_capacity(size));
        }
        let kept: Vec<usize> = buffers.spare.lock().iter().map(Vec::capacity).collect();
        assert_eq!(kept, [SIZE, SIZE, SIZE / 2, SIZE * 3 / 2]);
        assert_eq!(buffers.large(SIZE / 2).capacity(), SIZE);
        assert_eq!(buffers.large(SIZE).capacity(), SIZE * 3 / 2);
        // Too small, but still given.
        assert_eq!(buffers.large(2 * SIZE).capacity(), SIZE);
    }

    #[test]
    fn a_message_gets_no_memory_that_is_far_too_large() {
        let buffers = Buffers::default();
        buffers.give_back_large(Vec::with_capacity(1 << 20));
        assert_eq!(buffers.large((1 << 19) - 1).capacity(), 0);
        assert!(buffers.large(1 << 19).capacity() >= 1 << 20);
        assert_eq!(buffers.large(1 << 20).capacity(), 0);
    }
}
