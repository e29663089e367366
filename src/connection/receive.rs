//! What arrives: frames to messages, where they lie, and the rules that a peer must keep (RFC 6455 5).

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::Role;

use super::message::{Fault, Frame, Item, Message, Own, Place, Turn};
use crate::frame::deflate::{InflateError, Inflater};
use crate::frame::read::Header;
use crate::frame::utf8::{self, Pieces};
use crate::frame::{mask, LARGEST_CONTROL, LARGEST_HEADER, RSV1};
use crate::runtime::{Buffers, BLOCK};

/// A longer frame that isn't whole has its payload collected where the message grows; a shorter one waits.
const COLLECTED: usize = 32 << 10;
/// So much of a frame still to come is read straight to where the message grows.
const DIRECT: u64 = 16 << 10;
/// So much of a compressed message is decompressed together.
const INFLATED: usize = 16 << 10;
/// How a whole message begins.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A control frame's receiver.
pub(super) trait Controls {
    fn ping(&mut self, payload: &[u8]);
    fn pong(&mut self, payload: &[u8]);
    /// Nothing is read behind it.
    fn close(&mut self, payload: &[u8]);
}

/// The reading side of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    role: Role,
    /// The largest message.
    limit: usize,
    /// Messages are handed on in parts, as they arrive.
    in_parts: bool,
    /// Bytes of a frame that isn't whole.
    pub tail: Vec<u8>,
    frame: Option<Frame>,
    message: Option<Box<Message>>,
    /// The bytes that were taken of messages that did not arrive whole.
    taken: u64,
    inflater: Option<Box<Inflater>>,
    is_closed: bool,
}

impl Receiver {
    pub fn new(
        role: Role,
        limit: usize,
        in_parts: bool,
        inflater: Option<Box<Inflater>>,
        early: Vec<u8>,
    ) -> Receiver {
        let (frame, message, is_closed) = (None, None, false);
        Receiver { role, limit, in_parts, tail: early, frame, message, taken: 0, inflater, is_closed }
    }

    /// Whether there is something to decompress that has arrived already.
    pub fn has_compressed(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.compressed.is_some())
    }

    /// Whether the peer owes the rest of a message or frame.
    pub fn is_unfinished(&self) -> bool {
        !self.tail.is_empty() || self.frame.is_some() || self.message.is_some()
    }

    /// How much has arrived of messages that did not arrive whole. The beginning of a control frame does not count
    /// towards the message that it interrupts.
    pub fn arrived(&self) -> u64 {
        let is_control = self.tail.first().is_some_and(|first| first & 0x08 != 0);
        let tail = if is_control && self.message.is_some() { 0 } else { self.tail.len() };
        self.taken + tail as u64
    }

    /// What an unfinished message holds.
    pub fn held(&self) -> usize {
        let left = self.frame.as_ref().map_or(0, |frame| frame.left);
        self.tail.len() + self.message.as_ref().map_or(0, |message| message.held(left))
    }

    /// Nothing more of what arrives matters.
    pub fn close(&mut self) {
        (self.tail, self.frame, self.message, self.inflater) = (Vec::new(), None, None, None);
        self.is_closed = true;
    }

    /// Takes what was read to `block[*at..end]`, as far as the turn goes. What is left behind `at` then is for the
    /// next turn if this one is over, else for [`Receiver::keep`].
    pub fn take(
        &mut self,
        block: &mut [u8],
        at: &mut usize,
        end: usize,
        turn: &mut Turn,
        controls: &mut impl Controls,
        buffers: &Buffers,
    ) -> Result<(), Fault> {
        while !turn.is_over() && !self.is_closed {
            if self.has_compressed() {
                self.inflate(None, turn)?;
                continue;
            }
            if self.frame.is_some() {
                if *at == end {
                    break;
                }
                self.continue_frame(block, at, end, turn, buffers)?;
                continue;
            }
            if self.message.is_none() {
                self.take_usual(block, at, end, turn)?;
                if turn.is_over() {
                    break;
                }
            }
            let bytes = block.get(*at..end).unwrap_or_default();
            let Some(header) = Header::parse(bytes).map_err(Fault::Protocol)? else { break };
            let opcode = match header.opcode {
                OpCode::Data(opcode) => opcode,
                OpCode::Control(opcode) => {
                    self.check_control(&header)?;
                    let length = header.length as usize;
                    let Some(payload) =
                        block.get_mut(*at + header.size..end).and_then(|bytes| bytes.get_mut(..length))
                    else {
                        break;
                    };
                    if let Some(mask) = header.mask {
                        mask::apply(payload, mask, 0);
                    }
                    *at += header.size + length;
                    turn.frame();
                    match opcode {
                        Control::Ping => controls.ping(payload),
                        Control::Pong => controls.pong(payload),
                        _ => {
                            self.close();
                            controls.close(payload);
                        }
                    }
                    continue;
                }
            };
            self.check_data(&header, opcode)?;
            let is_whole = (bytes.len() - header.size) as u64 >= header.length;
            let is_compressed = header.reserved != 0;
            if is_whole && header.is_final && self.message.is_none() && !is_compressed {
                let start = *at + header.size;
                let length = header.length as usize;
                *at = start + length;
                let payload = block.get_mut(start..*at).unwrap_or_default();
                take_whole(payload, start, opcode == Data::Text, header.mask, turn)?;
                continue;
            }
            if !is_whole && !self.in_parts && !is_compressed && header.length <= COLLECTED as u64 {
                break;
            }
            *at += header.size;
            self.frame = Some(Frame { left: header.length, mask: header.mask, is_final: header.is_final });
            self.message.get_or_insert_with(|| {
                Box::new(Message {
                    is_text: opcode == Data::Text,
                    own: Own::default(),
                    length: 0,
                    text: Pieces::default(),
                    begun: Vec::new(),
                    is_first: true,
                    compressed: None,
                    is_compressed,
                })
            });
            if header.length == 0 {
                self.continue_frame(block, at, *at, turn, buffers)?;
            }
        }
        Ok(())
    }

    /// The usual frames, short messages that are whole and all there, up to something else, which takes the longer way.
    /// A fuzz target holds the two together. Apart, so that the loop has the processor's registers for itself.
    #[inline(never)]
    fn take_usual(
        &mut self,
        block: &mut [u8],
        at: &mut usize,
        end: usize,
        turn: &mut Turn,
    ) -> Result<(), Fault> {
        let is_masked = matches!(self.role, Role::Server);
        let (mask_bit, mask_size) = if is_masked { (0x80, 4) } else { (0, 0) };
        let mut rest = block.get_mut(*at..end).unwrap_or_default();
        while !turn.is_over() {
            let Some([first @ (TEXT | BINARY), second, high, low]) = rest.first_chunk() else { break };
            let is_text = *first == TEXT;
            // A mask where there should be none, or none where there should be one, makes it more than 127.
            let (size, length) = match second ^ mask_bit {
                length @ 0..=125 => (2 + mask_size, usize::from(length)),
                126 => (4 + mask_size, usize::from(u16::from_be_bytes([*high, *low]))),
                _ => break,
            };
            if length > self.limit {
                break;
            }
            let Some((frame, behind)) = std::mem::take(&mut rest).split_at_mut_checked(size + length) else {
                break;
            };
            rest = behind;
            let Some((header, payload)) = frame.split_at_mut_checked(size) else { break };
            let mask = header.last_chunk().copied().filter(|_| is_masked);
            let start = *at + size;
            *at = start + length;
            take_whole(payload, start, is_text, mask, turn)?;
        }
        Ok(())
    }

    /// Keeps the beginning of a frame that isn't whole.
    pub fn keep(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() || self.is_closed {
            return Ok(());
        }
        debug_assert!(bytes.len() <= COLLECTED + LARGEST_HEADER);
        let mut tail = Vec::new();
        tail.try_reserve_exact(bytes.len()).map_err(|_| Fault::NoMemory)?;
        tail.extend_from_slice(bytes);
        self.tail = tail;
        Ok(())
    }

    fn check_mask(&self, header: &Header) -> Result<(), Fault> {
        match (self.role, header.mask) {
            (Role::Server, None) => Err(Fault::Protocol("a client's frame isn't masked")),
            (Role::Client, Some(_)) => Err(Fault::Protocol("a server's frame is masked")),
            _ => Ok(()),
        }
    }

    fn check_control(&self, header: &Header) -> Result<(), Fault> {
        self.check_mask(header)?;
        if header.reserved != 0 {
            return Err(Fault::Protocol("a control frame has a reserved bit set"));
        }
        if !header.is_final {
            return Err(Fault::Protocol("a control frame is fragmented"));
        }
        if header.length > LARGEST_CONTROL as u64 {
            return Err(Fault::Protocol("a control frame has more than 125 bytes"));
        }
        Ok(())
    }

    #[inline]
    fn check_data(&self, header: &Header, opcode: Data) -> Result<(), Fault> {
        self.check_mask(header)?;
        let allowed = if self.inflater.is_some() && opcode != Data::Continue { RSV1 } else { 0 };
        if header.reserved & !allowed != 0 {
            return Err(Fault::Protocol("a frame has a reserved bit set"));
        }
        match (opcode, &self.message) {
            (Data::Continue, None) => return Err(Fault::Protocol("there is no message to continue")),
            (Data::Text | Data::Binary, Some(_)) => {
                return Err(Fault::Protocol("a message begins before the one before has ended"))
            }
            _ => {}
        }
        // Compressed messages are bounded by what they become.
        if header.reserved != 0 || self.message.as_ref().is_some_and(|message| message.is_compressed) {
            return Ok(());
        }
        let so_far = self.message.as_ref().map_or(0, |message| message.length);
        let length = so_far.saturating_add(header.length);
        match length > self.limit as u64 {
            true => Err(Fault::TooBig(length)),
            false => Ok(()),
        }
    }

    /// More of the payload of a frame.
    fn continue_frame(
        &mut self,
        block: &mut [u8],
        at: &mut usize,
        end: usize,
        turn: &mut Turn,
        buffers: &Buffers,
    ) -> Result<(), Fault> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let is_compressed = self.message.as_ref().is_some_and(|message| message.is_compressed);
        let most = match (is_compressed, self.in_parts) {
            (true, _) => INFLATED,
            (false, true) => turn.bytes.max(1),
            (false, false) => usize::MAX,
        };
        let length = frame.left.min((end - *at) as u64).min(most as u64) as usize;
        let range = *at..*at + length;
        *at += length;
        self.taken += length as u64;
        let piece = block.get_mut(range.clone()).unwrap_or_default();
        frame.arrived(piece);
        let (is_over, left, is_final) = (frame.left == 0, frame.left, frame.is_final);
        let is_end = is_over && is_final;
        if is_over {
            self.frame = None;
            turn.frame();
        }
        if is_compressed {
            return self.inflate(Some((piece, is_end)), turn);
        }
        let Some(message) = &mut self.message else { return Ok(()) };
        message.length += length as u64;
        message.check_text(piece, is_end)?;
        if self.in_parts {
            message.hand_on_part(block, range, is_end, turn);
        } else {
            message.grow(length, length as u64 + left, is_final, buffers)?;
            message.own.extend(piece);
            turn.bytes = turn.bytes.saturating_sub(length);
        }
        if is_end {
            self.finish(turn);
        }
        Ok(())
    }

    /// Where a large message grows, for what can be read straight to there: room for at least one byte.
    pub fn direct(&mut self, buffers: &Buffers) -> Result<Option<&mut [u8]>, Fault> {
        let (Some(frame), Some(message)) = (&self.frame, &mut self.message) else { return Ok(None) };
        if self.in_parts || message.is_compressed || frame.left < DIRECT {
            return Ok(None);
        }
        let left = usize::try_from(frame.left).unwrap_or(usize::MAX);
        message.grow(1, frame.left, frame.is_final, buffers)?;
        Ok(Some(message.own.room(left.min(BLOCK))))
    }

    /// `length` bytes have been read there.
    pub fn took_direct(&mut self, length: usize, turn: &mut Turn) -> Result<(), Fault> {
        let (Some(frame), Some(message)) = (&mut self.frame, &mut self.message) else { return Ok(()) };
        let piece = message.own.took(length);
        frame.arrived(piece);
        self.taken += length as u64;
        let is_over = frame.left == 0;
        let is_end = is_over && frame.is_final;
        message.length += length as u64;
        let valid =
            !message.is_text || (message.text.accept(piece) && (!is_end || message.text.is_complete()));
        if !valid {
            return Err(Fault::Utf8);
        }
        if is_over {
            self.frame = None;
            turn.frame();
        }
        if is_end {
            self.finish(turn);
        }
        Ok(())
    }

    /// Decompresses, as far as the turn goes: a piece, or what waits.
    fn inflate(&mut self, piece: Option<(&[u8], bool)>, turn: &mut Turn) -> Result<(), Fault> {
        let (Some(inflater), Some(message)) = (&mut self.inflater, &mut self.message) else { return Ok(()) };
        let waiting = message.compressed.take();
        let Some((input, is_last)) =
            piece.or(waiting.as_ref().map(|(bytes, is_last)| (&bytes[..], *is_last)))
        else {
            return Ok(());
        };
        let out = message.own.open();
        let start = out.len();
        let progress = inflater.step(input, is_last, out, self.limit, turn.bytes.max(1)).map_err(
            |error| match error {
                InflateError::TooBig => Fault::TooBig(self.limit as u64 + 1),
                error => error.into(),
            },
        )?;
        if !progress.done {
            let rest = input.get(progress.consumed..).unwrap_or_default();
            let mut kept = Vec::new();
            kept.try_reserve_exact(rest.len()).map_err(|_| Fault::NoMemory)?;
            kept.extend_from_slice(rest);
            message.compressed = Some((kept, is_last));
        }
        let is_end = progress.done && is_last;
        let produced = out.len() - start;
        turn.bytes = turn.bytes.saturating_sub(produced.max(progress.consumed));
        let mut own = std::mem::take(&mut message.own);
        message.check_text(own.open().get(start..).unwrap_or_default(), is_end)?;
        message.own = own;
        if self.in_parts {
            message.hand_on_inflated(is_end, turn);
        }
        if is_end {
            self.finish(turn);
        }
        Ok(())
    }

    /// The message is complete.
    fn finish(&mut self, turn: &mut Turn) {
        let Some(message) = self.message.take().filter(|_| !self.in_parts) else { return };
        let length = message.own.bytes().len();
        turn.own.push_back(message.own);
        let item = Item { place: Place::Own, is_text: message.is_text, is_first: true, is_last: true };
        turn.hand_on(item, length);
    }
}

/// A message that is one frame, and all there: its payload begins at `start` of the block.
#[inline(always)]
fn take_whole(
    payload: &mut [u8],
    start: usize,
    is_text: bool,
    mask: Option<[u8; 4]>,
    turn: &mut Turn,
) -> Result<(), Fault> {
    turn.frame();
    if let Some(mask) = mask {
        mask::apply(payload, mask, 0);
    }
    if is_text && !utf8::is_valid(payload) {
        return Err(Fault::Utf8);
    }
    let place = Place::Block(start as u32, payload.len() as u32);
    turn.hand_on(Item { place, is_text, is_first: true, is_last: true }, payload.len());
    Ok(())
}
