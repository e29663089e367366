//! A message while it arrives, and what a turn makes of it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use crate::frame::deflate::InflateError;
use crate::frame::mask;
use crate::frame::utf8::Pieces;
use crate::runtime::{padding, Buffers};

/// One turn of a connection ends when it has handed on so many bytes, or so many frames of any kind.
pub(super) const TURN_BYTES: usize = 64 << 10;
pub(super) const TURN_FRAMES: u32 = 128;
/// The first size of a message that grows, and the most that it grows by.
const FIRST_SIZE: usize = 64 << 10;
const LEAST_STEP: usize = 256;
const LARGEST_STEP: usize = 4 << 20;
/// What a message that waits costs besides its bytes.
pub(super) const ITEM: usize = 128;

/// What the peer must not send, or this side can't take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// As the end of a sentence.
    Protocol(&'static str),
    Utf8,
    TooBig(u64),
    NoMemory,
    /// The server's connections hold too much.
    OverBudget,
    /// Compressed data is damaged.
    Compression,
}

impl From<InflateError> for Fault {
    fn from(error: InflateError) -> Fault {
        match error {
            InflateError::Corrupt => Fault::Compression,
            InflateError::TooBig => Fault::TooBig(0),
            InflateError::NoMemory => Fault::NoMemory,
        }
    }
}

/// A message, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub place: Place,
    pub is_text: bool,
    pub is_first: bool,
    pub is_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Bytes of the block.
    Block(u32, u32),
    /// The next message with memory of its own.
    Own,
}

/// A message with memory of its own, and where it begins there.
#[derive(Debug, Default)]
pub(super) struct Own {
    memory: Vec<u8>,
    start: usize,
    /// So many of the last bytes are only room to read into. It is initialised once, however often it is lent.
    room: usize,
}

impl Own {
    pub fn of(memory: Vec<u8>) -> Own {
        Own { memory, start: 0, room: 0 }
    }

    /// What a lane lends, with bytes of earlier messages.
    fn lent(memory: Vec<u8>) -> Own {
        Own { room: memory.len(), memory, start: 0 }
    }

    pub fn into_memory(self) -> Vec<u8> {
        self.memory
    }

    /// Where it ends in its memory.
    pub fn end(&self) -> usize {
        self.memory.len() - self.room
    }

    /// How much there is to read into without more memory.
    pub fn left(&self) -> usize {
        self.memory.capacity() - self.end()
    }

    /// Adds to the message.
    pub fn extend(&mut self, piece: &[u8]) {
        match piece.len() <= self.room {
            true => self.took(piece.len()).copy_from_slice(piece),
            false => self.open().extend_from_slice(piece),
        }
    }

    /// The memory, to add to the message.
    pub fn open(&mut self) -> &mut Vec<u8> {
        let end = self.end();
        self.room = 0;
        self.memory.truncate(end);
        &mut self.memory
    }

    /// Makes room for so many bytes.
    fn reserve(&mut self, more: usize) -> Result<(), Fault> {
        let more = more.saturating_sub(self.room);
        self.memory.try_reserve_exact(more).map_err(|_| Fault::NoMemory)
    }

    /// Room to read into, within what is left.
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.end();
        let length = length.min(self.left());
        if length > self.room {
            self.memory.resize(end + length, 0);
            self.room = length;
        }
        self.memory.get_mut(end..end + length).unwrap_or_default()
    }

    /// So much of the room has been read into; returns it.
    pub fn took(&mut self, length: usize) -> &mut [u8] {
        let start = self.end();
        self.room = self.room.saturating_sub(length);
        let end = self.end();
        self.memory.get_mut(start..end).unwrap_or_default()
    }

    /// Gives back what it doesn't need, if that is most of it and there is memory to copy the rest to.
    pub fn shrink(&mut self) {
        let mut memory = Vec::new();
        if self.memory.capacity() / 2 > self.end() && memory.try_reserve_exact(self.bytes().len()).is_ok() {
            memory.extend_from_slice(self.bytes());
            *self = Own::of(memory);
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end()).unwrap_or_default()
    }
}

/// What one turn has read, and how much more it may.
#[derive(Debug)]
pub(super) struct Turn {
    pub items: Vec<Item>,
    pub own: VecDeque<Own>,
    pub frames: u32,
    pub bytes: usize,
    /// What was handed on and not yet counted: whole messages, and bytes.
    pub messages: u64,
    pub payload: u64,
}

thread_local! {
    static ITEMS: Cell<Vec<Item>> = const { Cell::new(Vec::new()) };
}

impl Turn {
    pub fn new() -> Turn {
        let items = ITEMS.try_with(Cell::take).unwrap_or_default();
        let (frames, bytes) = (TURN_FRAMES, TURN_BYTES);
        Turn { items, own: VecDeque::new(), frames, bytes, messages: 0, payload: 0 }
    }

    #[inline]
    pub fn is_over(&self) -> bool {
        self.frames == 0 || self.bytes == 0
    }

    #[inline(always)]
    pub fn frame(&mut self) {
        self.frames = self.frames.saturating_sub(1);
    }

    #[inline(always)]
    pub fn hand_on(&mut self, item: Item, length: usize) {
        self.messages += u64::from(item.is_last);
        self.payload += length as u64;
        self.items.push(item);
        self.bytes = self.bytes.saturating_sub(length);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        items.clear();
        let _ = ITEMS.try_with(|kept| kept.set(items));
    }
}

/// A data frame whose payload is arriving.
#[derive(Debug)]
pub(super) struct Frame {
    pub left: u64,
    pub mask: Option<[u8; 4]>,
    pub is_final: bool,
}

/// A message whose frames are arriving.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub is_text: bool,
    /// What has arrived of it, unless it is handed on in parts.
    pub own: Own,
    /// Its bytes so far.
    pub length: u64,
    pub text: Pieces,
    /// The beginning of a character that waits for its end, in parts.
    pub begun: Vec<u8>,
    pub is_first: bool,
    /// Compressed bytes that wait for a turn, and whether they are the last.
    pub compressed: Option<(Vec<u8>, bool)>,
    pub is_compressed: bool,
}

impl Frame {
    /// A piece of the payload has arrived.
    pub fn arrived(&mut self, piece: &mut [u8]) {
        self.left -= piece.len() as u64;
        if let Some(mask) = &mut self.mask {
            mask::apply(piece, *mask, 0);
            *mask = mask::turned(*mask, piece.len());
        }
    }
}

impl Message {
    /// Text must be UTF-8, and end with a whole character.
    pub fn check_text(&mut self, piece: &[u8], is_end: bool) -> Result<(), Fault> {
        match self.is_text && !(self.text.accept(piece) && (!is_end || self.text.is_complete())) {
            true => Err(Fault::Utf8),
            false => Ok(()),
        }
    }

    /// The memory that it has been given; no more than it is announced to become, of which so much is left.
    pub fn held(&self, left: u64) -> usize {
        let room = self.own.left() + self.own.bytes().len();
        match self.is_compressed {
            true => room,
            false => room.min(usize::try_from(self.length.saturating_add(left)).unwrap_or(usize::MAX)),
        }
    }

    /// Hands on what has been decompressed; of text, whole characters.
    pub fn hand_on_inflated(&mut self, is_end: bool, turn: &mut Turn) {
        let mut own = std::mem::take(&mut self.own);
        let waiting = if self.is_text { self.text.waiting() } else { 0 };
        let memory = own.open();
        self.own = Own::of(memory.split_off(memory.len().saturating_sub(waiting)));
        if memory.is_empty() && !is_end {
            return;
        }
        let item =
            Item { place: Place::Own, is_text: self.is_text, is_first: self.is_first, is_last: is_end };
        self.is_first = false;
        turn.hand_on(item, 0);
        turn.payload += own.bytes().len() as u64;
        turn.own.push_back(own);
    }

    /// Makes room for `more` bytes; `wanted` are announced, and those are the last if it `is_final`. The memory grows as
    /// bytes arrive, whatever is announced.
    pub fn grow(&mut self, more: usize, wanted: u64, is_final: bool, buffers: &Buffers) -> Result<(), Fault> {
        let own = &mut self.own;
        if own.left() >= more {
            return Ok(());
        }
        let end = own.end();
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        // Fragments of a byte must not move the message each time.
        let wanted = if is_final { wanted } else { wanted.max(end / 4).max(LEAST_STEP) };
        if own.memory.capacity() == 0 && wanted > FIRST_SIZE {
            *own = Own::lent(buffers.large(wanted));
        }
        let next = end.clamp(FIRST_SIZE, LARGEST_STEP).min(wanted).max(more);
        own.reserve(next)?;
        if end == 0 && wanted > FIRST_SIZE {
            let start = padding(&own.memory);
            own.reserve(next + start)?;
            own.room(start);
            own.took(start);
            own.start = start;
        }
        Ok(())
    }

    /// Hands on a piece; of text, whole characters.
    pub fn hand_on_part(&mut self, block: &[u8], mut range: Range<usize>, is_end: bool, turn: &mut Turn) {
        let is_text = self.is_text;
        if !self.begun.is_empty() {
            // The character that began in the piece before ends in this one, or goes on.
            let rest = block.get(range.clone()).unwrap_or_default();
            let count = rest.iter().take_while(|byte| *byte & 0xc0 == 0x80).count();
            let count = count.min(4 - self.begun.len().min(4));
            self.begun.extend(rest.iter().take(count));
            range.start += count;
            if is_end || !range.is_empty() || self.text.is_complete() {
                let is_last = is_end && range.is_empty();
                let own = Own::of(std::mem::take(&mut self.begun));
                let item = Item { place: Place::Own, is_text, is_first: self.is_first, is_last };
                self.is_first = false;
                turn.hand_on(item, own.bytes().len());
                turn.own.push_back(own);
                if is_last {
                    return;
                }
            }
        }
        let waiting = if is_text && self.begun.is_empty() { self.text.waiting().min(range.len()) } else { 0 };
        let end = range.end - waiting;
        self.begun.extend(block.get(end..range.end).unwrap_or_default());
        if end > range.start || is_end {
            let place = Place::Block(range.start as u32, (end - range.start) as u32);
            let item = Item { place, is_text, is_first: self.is_first, is_last: is_end };
            self.is_first = false;
            turn.hand_on(item, end - range.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_of_a_byte_seldom_move_their_message() {
        let buffers = Buffers::default();
        let mut message = Message::default();
        let mut moves = 0;
        for number in 1..=1_000_000 {
            let before = message.own.memory.capacity();
            assert!(message.grow(1, 1, false, &buffers).is_ok());
            message.own.open().push(0);
            let capacity = message.own.memory.capacity();
            moves += u32::from(capacity != before);
            assert!(capacity <= number + number / 4 + LEAST_STEP, "{capacity} for {number}");
        }
        assert!(moves <= 64, "{moves}");
    }
}
