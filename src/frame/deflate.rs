//! Compresses and decompresses messages (RFC 7692 7.2).
//!
//! Neither side holds memory before its first message. What the two hold together is [`super::extension::memory`].

use std::collections::TryReserveError;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::extension::Way;

/// What a flush ends with, and a message lacks.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// [`TAIL`], then a last block with nothing in it: it ends the stream if, and only if, a whole block came before.
const END: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];
/// What is compressed, or decompressed, at once.
const STEP: usize = 32 << 10;

/// There is no memory to compress with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        NoMemory
    }
}

/// Compresses what this side sends.
#[derive(Debug)]
pub struct Deflater {
    way: Way,
    level: u8,
    state: Option<Compress>,
}

impl Deflater {
    /// A compressor at a level from 1 to 9.
    pub fn new(way: Way, level: u8) -> Self {
        Deflater { way, level, state: None }
    }

    /// Appends the compressed message to `out`. `false` if that would not be smaller, or there is no memory: `out` is as it
    /// was, and the message goes as it is.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        let is_smaller = self.append(message, out, message.len()) == Ok(true)
            && cut_tail(out)
            && out.len() - begin < message.len();
        if !is_smaller {
            out.truncate(begin);
        }
        if !is_smaller || self.way.no_takeover {
            // What the peer doesn't get must not be referred to.
            self.forget();
        }
        is_smaller
    }

    /// Appends the next part of a compressed message to `out`, in a form of which the peer can decompress all. The parts are
    /// the fragments of one message; the last may be empty. After an error no other part can follow.
    pub fn compress_part(&mut self, part: &[u8], is_last: bool, out: &mut Vec<u8>) -> Result<(), NoMemory> {
        if !part.is_empty() {
            if !self.append(part, out, usize::MAX)? {
                return Err(NoMemory);
            }
            if is_last {
                cut_tail(out);
            }
        } else if is_last {
            // An empty block, of which the tail is the rest.
            out.push(0);
        }
        if is_last && self.way.no_takeover {
            self.forget();
        }
        Ok(())
    }

    /// Compresses up to a flush; `false` if it gave up, since that would take more than `most` bytes and the tail.
    fn append(&mut self, data: &[u8], out: &mut Vec<u8>, most: usize) -> Result<bool, NoMemory> {
        let state = match &mut self.state {
            Some(state) => state,
            None => {
                // The crate panics where it gets no memory.
                let size = super::extension::deflater_memory(self.way.bits);
                Vec::<u8>::new().try_reserve_exact(size)?;
                let level = Compression::new(self.level.into());
                // The smallest window of zlib is 9 bits, of which it reaches back 250 bytes: that will do for 8.
                self.state.insert(Compress::new_with_window_bits(level, false, self.way.bits.clamp(9, 15)))
            }
        };
        let (begin, mut rest) = (out.len(), data);
        // What is likely to be enough.
        let mut room = data.len() / 2 + 64;
        loop {
            if out.len() - begin > most.saturating_add(TAIL.len()) {
                return Ok(false);
            }
            // Less would make zlib repeat its flush.
            if out.capacity() - out.len() < 16 {
                out.try_reserve(room.clamp(64, 1 << 20))?;
                room *= 2;
            }
            let before = state.total_in();
            let status = state.compress_vec(rest, out, FlushCompress::Sync);
            let consumed = (state.total_in() - before) as usize;
            rest = rest.get(consumed..).unwrap_or_default();
            if status.is_err() {
                return Ok(false);
            }
            if rest.is_empty() && out.len() < out.capacity() {
                return Ok(true);
            }
        }
    }

    /// Makes what follows refer to nothing before it, since the peer doesn't get what was compressed.
    pub fn forget(&mut self) {
        match &mut self.state {
            Some(state) if !self.way.no_takeover => state.reset(),
            state => *state = None,
        }
    }
}

fn cut_tail(out: &mut Vec<u8>) -> bool {
    let is_flushed = out.ends_with(&TAIL);
    if is_flushed {
        out.truncate(out.len() - TAIL.len());
    }
    is_flushed
}

/// Why a message can't be decompressed. The connection can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The data is not DEFLATE's, or ends within a block.
    Corrupt,
    /// The message is larger than the limit.
    TooBig,
    /// There is no memory.
    NoMemory,
}

impl From<TryReserveError> for InflateError {
    fn from(_: TryReserveError) -> Self {
        InflateError::NoMemory
    }
}

/// How far [`Inflater::step`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes of the input are done with: the next step begins behind them.
    pub consumed: usize,
    /// Whether all of the input is, and, if it was the last, the message.
    pub done: bool,
}

/// Decompresses what this side receives.
#[derive(Debug)]
pub struct Inflater {
    way: Way,
    /// Only within a message.
    state: Option<Decompress>,
    history: History,
    /// The size of the message so far.
    size: usize,
    /// Whether a stream, and with it a block, ended where the input did.
    is_at_end: bool,
}

impl Inflater {
    /// A decompressor.
    pub fn new(way: Way) -> Self {
        Inflater { way, state: None, history: History::default(), size: 0, is_at_end: true }
    }

    /// Appends to `out` what the next bytes of a message decompress to, but at most `most` bytes.
    ///
    /// `is_last`: the message ends with `input`. `limit` is for the whole message: `out` never gets more of it, nor
    /// room for more. A message begins with the first step after the one that was last and done.
    pub fn step(
        &mut self,
        input: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
        limit: usize,
        most: usize,
    ) -> Result<Progress, InflateError> {
        let (begin, mut rest) = (out.len(), input);
        let mut chunk = input.len().saturating_mul(4).clamp(512, STEP);
        loop {
            let budget = most.saturating_sub(out.len() - begin);
            if budget == 0 {
                return Ok(Progress { consumed: input.len() - rest.len(), done: false });
            }
            let allowed = limit.saturating_sub(self.size);
            let (consumed, produced, room, status) = if allowed == 0 {
                // It may be whole: one byte more tells.
                let (consumed, produced, status) = self.run(rest, &mut [0])?;
                if produced > 0 {
                    return Err(InflateError::TooBig);
                }
                (consumed, 0, 1, status)
            } else {
                if out.len() == out.capacity() {
                    out.try_reserve_exact(out.capacity().max(chunk).min(allowed))?;
                }
                let start = out.len();
                let room = (out.capacity() - start).min(chunk).min(budget).min(allowed);
                out.resize(start + room, 0);
                let result = self.run(rest, out.get_mut(start..).unwrap_or_default());
                let (consumed, produced, status) = result.inspect_err(|_| out.truncate(start))?;
                out.truncate(start + produced);
                self.history.add(out.get(start..).unwrap_or_default(), self.way.bits)?;
                (consumed, produced, room, status)
            };
            self.size = self.size.saturating_add(produced);
            rest = rest.get(consumed..).unwrap_or_default();
            chunk = STEP;
            if consumed > 0 {
                self.is_at_end = false;
            }
            if status == Status::StreamEnd {
                // A peer may end a stream and begin another (RFC 7692 7.2.3.4).
                self.state = None;
                self.is_at_end = true;
            }
            if rest.is_empty() && (produced < room || self.is_at_end) {
                if is_last {
                    self.end()?;
                }
                return Ok(Progress { consumed: input.len(), done: true });
            }
            if consumed == 0 && produced == 0 {
                return Err(InflateError::Corrupt);
            }
        }
    }

    /// Decompresses what there is room for.
    fn run(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize, Status), InflateError> {
        if self.state.is_none() && input.is_empty() {
            return Ok((0, 0, Status::BufError));
        }
        let state = match &mut self.state {
            Some(state) => state,
            None => {
                // The crate panics where it gets no memory.
                Vec::<u8>::new().try_reserve_exact(super::extension::INFLATER_MEMORY)?;
                let mut state = Decompress::new(false);
                for part in self.history.parts() {
                    state.set_dictionary(part).map_err(|_| InflateError::Corrupt)?;
                }
                self.state.insert(state)
            }
        };
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status =
            state.decompress(input, room, FlushDecompress::None).map_err(|_| InflateError::Corrupt)?;
        Ok(((state.total_in() - before_in) as usize, (state.total_out() - before_out) as usize, status))
    }

    /// Ends the message, which must be whole.
    fn end(&mut self) -> Result<(), InflateError> {
        // Strictly, what ends at a stream's end lacks an empty block; and what is empty lacks all.
        if !self.is_at_end {
            let (consumed, produced, status) = self.run(&END, &mut [0])?;
            if status != Status::StreamEnd || consumed != END.len() || produced != 0 {
                return Err(InflateError::Corrupt);
            }
        }
        self.state = None;
        self.size = 0;
        self.is_at_end = true;
        if self.way.no_takeover {
            self.history = History::default();
        }
        Ok(())
    }
}

/// What the peer may refer to: the last bytes that were decompressed, at most a window of them. zlib forgets them where a
/// stream ends.
#[derive(Debug, Default)]
struct History {
    bytes: Vec<u8>,
    /// Where the oldest byte is, once there is a whole window.
    oldest: usize,
}

impl History {
    fn add(&mut self, data: &[u8], bits: u8) -> Result<(), TryReserveError> {
        let window = 1 << bits;
        let data = data.get(data.len().saturating_sub(window)..).unwrap_or_default();
        let (growth, mut rest) = data.split_at(data.len().min(window - self.bytes.len()));
        let length = self.bytes.len() + growth.len();
        if length > self.bytes.capacity() {
            let capacity = length.max(2 * self.bytes.capacity()).min(window);
            self.bytes.try_reserve_exact(capacity - self.bytes.len())?;
        }
        self.bytes.extend_from_slice(growth);
        while !rest.is_empty() {
            let room = self.bytes.get_mut(self.oldest..).unwrap_or_default();
            let (part, behind) = rest.split_at(rest.len().min(room.len()));
            room.iter_mut().zip(part).for_each(|(old, new)| *old = *new);
            self.oldest = (self.oldest + part.len()) % window;
            rest = behind;
        }
        Ok(())
    }

    /// The older part first.
    fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.oldest);
        [older, newer]
    }
}

/// However messages are cut, they decompress to what flate2 makes of them as a whole, and are refused when that is.
#[cfg(fuzzing)]
pub fn fuzz_inflate(data: &[u8]) {
    let Some(([flags, bits, low, high, cuts @ ..], data)) = data.split_first_chunk::<8>() else { return };
    let way = Way { bits: 8 + bits % 8, no_takeover: flags & 4 != 0 };
    let limit = usize::from(u16::from_le_bytes([*low, *high]));
    let mut cuts = cuts.iter().cycle().map(|cut| usize::from(*cut));
    let mut inflater = Inflater::new(way);
    let mut window = Vec::new();
    for message in data.chunks(data.len() / (1 + usize::from(flags & 3)) + 1) {
        let expected = inflate_whole(message, &mut window, way, limit);
        let (mut out, mut rest) = (Vec::new(), message);
        let verdict = loop {
            let (piece, behind) = rest.split_at((1 + cuts.next().unwrap_or_default()).min(rest.len()));
            let most = cuts.next().unwrap_or_default().pow(2) + 1;
            let before = out.len();
            let step = inflater.step(piece, behind.is_empty(), &mut out, limit, most);
            assert!(out.len() <= limit && out.len() - before <= most && out.capacity() <= limit);
            match step {
                Ok(progress) => {
                    rest = rest.get(progress.consumed..).unwrap_or_default();
                    assert!(!progress.done || progress.consumed == piece.len());
                    if progress.done && behind.is_empty() {
                        break Ok(());
                    }
                }
                Err(error) => break Err(error),
            }
        };
        // What is both too big and corrupt is either, as the cuts fall.
        assert_eq!(verdict.is_ok(), expected.is_ok(), "{verdict:?} {expected:?}");
        let Ok(expected) = expected else { return };
        assert_eq!(out, expected);
    }
}

#[cfg(fuzzing)]
fn inflate_whole(
    message: &[u8],
    window: &mut Vec<u8>,
    way: Way,
    limit: usize,
) -> Result<Vec<u8>, InflateError> {
    let (mut out, mut rest) = (Vec::with_capacity(limit + 1), message);
    while !rest.is_empty() {
        let mut state = Decompress::new(false);
        let known = [window.as_slice(), &out].concat();
        let reach = known.get(known.len().saturating_sub(1 << way.bits)..).unwrap_or_default();
        state.set_dictionary(reach).map_err(|_| InflateError::Corrupt)?;
        let status = state.decompress_vec(rest, &mut out, FlushDecompress::None);
        let status = status.map_err(|_| InflateError::Corrupt)?;
        if out.len() > limit {
            return Err(InflateError::TooBig);
        }
        rest = rest.get(state.total_in() as usize..).unwrap_or_default();
        if status != Status::StreamEnd {
            assert!(rest.is_empty());
            let (size, length) = (state.total_out(), state.total_in() as usize);
            let status = state.decompress(&END, &mut [0], FlushDecompress::None);
            let is_whole = state.total_in() as usize == length + END.len() && state.total_out() == size;
            if status.ok() != Some(Status::StreamEnd) || !is_whole {
                return Err(InflateError::Corrupt);
            }
        }
    }
    window.extend_from_slice(&out);
    if way.no_takeover {
        window.clear();
    }
    Ok(out)
}

/// What is compressed, whole or in parts, is smaller, and what was compressed.
#[cfg(fuzzing)]
pub fn fuzz_deflate(data: &[u8]) {
    let Some(([flags, bits, level, times], data)) = data.split_first_chunk::<4>() else { return };
    let way = Way { bits: 8 + bits % 8, no_takeover: flags & 2 != 0 };
    let (mut deflater, mut inflater) = (Deflater::new(way, level % 9 + 1), Inflater::new(way));
    for (index, content) in data.chunks(data.len() / 4 + 1).enumerate() {
        let message = content.repeat(usize::from(*times) + 1);
        let (mut frame, mut out) = (Vec::new(), Vec::new());
        if usize::from(flags & 1) == index % 2 {
            let parts = content.first().map_or(1, |byte| usize::from(*byte) * 16 + 1);
            for part in message.chunks(parts) {
                assert_eq!(deflater.compress_part(part, false, &mut frame), Ok(()));
            }
            assert_eq!(deflater.compress_part(&[], true, &mut frame), Ok(()));
        } else if !deflater.compress(&message, &mut frame) {
            assert!(frame.is_empty());
            continue;
        } else {
            assert!(frame.len() < message.len());
        }
        let done = Progress { consumed: frame.len(), done: true };
        assert_eq!(inflater.step(&frame, true, &mut out, message.len(), usize::MAX), Ok(done));
        assert_eq!(out, message);
    }
}
