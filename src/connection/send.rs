//! What waits to be sent: encoded when it is accepted, written by the thread that has the link.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::Role;

mod compress;
mod join;

use super::close::CloseFrame;
use super::payload::{cost, encode, Part, Payload, FRAGMENT, ITEM, WHOLE_FRAGMENT};
use super::segment::{Segment, Sent};
use crate::error::{Code, Error, Phase, Result};
use crate::frame::mask::Keys;
use crate::frame::utf8::Pieces;
use crate::frame::write::{first_byte, put_frame};
use crate::frame::{LARGEST_HEADER, RSV1};
use crate::runtime::Lane;

pub(super) use compress::{Compressor, Packed};

/// Frames up to this length go out together; a longer one is a segment of its own.
pub(super) const LARGE: usize = 16 << 10;
/// Small messages may join others that wait while their object is locked.
pub(super) const SMALL: usize = 1 << 10;
/// So much goes out together at most.
const TOGETHER: usize = 64 << 10;
/// The first size of an outgoing buffer.
const SMALLEST: usize = 1024;

/// How far a connection is, as sending sees it.
#[derive(Debug)]
pub(super) enum Stage {
    Open,
    /// What was accepted goes out, then the frame; until the time, the peer must have answered.
    Closing(Box<CloseFrame>, Instant),
    /// This side can't go on.
    Failed(Box<Error>),
    /// Nothing is accepted any more: a write has failed. What the peer has sent is still read.
    Unwritable,
    /// Nothing is accepted any more: the end is settled.
    Broken,
    /// Nothing can be sent any more.
    Closed,
}

/// A message that is sent in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnfinishedMessage {
    is_text: bool,
    pub is_compressed: bool,
    text: Pieces,
}

/// The messages that were accepted.
#[derive(Debug)]
pub(super) struct Outbox {
    role: Role,
    /// Whole segments, and behind them the frames that others may join.
    segments: VecDeque<Segment>,
    buffer: Vec<u8>,
    buffered: Sent,
    keys: Option<Box<Keys>>,
    /// [`SMALL`], or less where such messages are too long or compressed.
    joinable: usize,
    /// The message of which a part was sent and not the last.
    unfinished: Option<UnfinishedMessage>,
    /// What was accepted and isn't written costs so much.
    pub cost: usize,
    /// A thread will write.
    pub scheduled: bool,
    /// It will do so in the connection's next turn, which has all of its frames already.
    pub waits_for_rest: bool,
    /// A message was refused because the queue was full.
    refused: bool,
    /// Small messages wait for others, until the program uncorks.
    pub corked: bool,
    /// What is corked waits no longer.
    pub is_due: bool,
    pub stage: Stage,
    /// When a send last had the choice to write at once.
    pub last_send: Option<Instant>,
    /// The program's last ping, until the link knows of it.
    pub ping: Option<Box<(Box<[u8]>, Instant)>>,
    pub sent: Sent,
}

impl Outbox {
    /// Of a connection that sends messages up to `most` bytes, and compresses those from `threshold` on.
    pub fn new(role: Role, most: usize, threshold: usize) -> Self {
        Outbox {
            joinable: SMALL.min(most).min(threshold.saturating_sub(1)),
            unfinished: None,
            role,
            segments: VecDeque::new(),
            buffer: Vec::new(),
            buffered: Sent::default(),
            keys: matches!(role, Role::Client).then(|| Box::new(Keys::new())),
            cost: 0,
            scheduled: false,
            waits_for_rest: false,
            refused: false,
            corked: false,
            is_due: false,
            stage: Stage::Open,
            last_send: None,
            ping: None,
            sent: Sent::default(),
        }
    }

    /// The mask of the next frame; a server's have none.
    #[inline(always)]
    pub fn mask(&mut self) -> Result<Option<[u8; 4]>> {
        match &mut self.keys {
            None => Ok(None),
            Some(keys) => keys.next().map(Some),
        }
    }

    /// Whether anything can still be sent.
    pub fn check_open(&self) -> Result<()> {
        match self.stage {
            Stage::Open => Ok(()),
            _ => Err(Error::code(Code::NotConnected)),
        }
    }

    /// Whether this may be sent now: between the parts of a message only another part, or a ping.
    #[inline]
    pub fn check_turn(&self, payload: &Payload<'_>) -> Result<()> {
        match (&self.unfinished, payload) {
            (Some(_), Payload::Text(_) | Payload::Binary(_) | Payload::Shared(_)) => {
                self.check_open()?;
                Err(Error::code(Code::MessageUnfinished))
            }
            _ => Ok(()),
        }
    }

    /// Makes room for what costs so much if it may be accepted. An empty queue takes any message.
    #[inline]
    pub fn takes(&mut self, cost: usize, capacity: usize) -> bool {
        let room = self.cost == 0 || self.cost.saturating_add(cost) <= capacity;
        let takes = room && matches!(self.stage, Stage::Open);
        if takes {
            self.cost += cost;
        }
        takes
    }

    /// [`Outbox::takes`], or why not.
    pub fn admit(&mut self, cost: usize, capacity: usize) -> Result<()> {
        if self.takes(cost, capacity) {
            return Ok(());
        }
        self.check_open()?;
        self.refused = true;
        Err(Error::call(
            Code::QueueFull,
            format!("{} bytes wait to be sent; the send queue holds {capacity}.", self.cost),
        ))
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.buffer.is_empty()
    }

    /// How much waits here to be written together.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Queues what was admitted at this cost.
    pub fn push(&mut self, payload: Payload<'_>, packed: Packed, cost: usize, lane: &Lane) -> Result<()> {
        let mut sent = match payload {
            Payload::Ping(data) => {
                self.ping = Some(Box::new((data.into(), Instant::now())));
                Sent { cost, ..Sent::default() }
            }
            _ => Sent { cost, messages: 1, bytes: payload.len() as u64 },
        };
        let result = match (payload, packed) {
            (Payload::Part(part), packed) => self.push_part(part, packed, &mut sent, lane),
            (_, Packed::Compressed(bytes)) => {
                sent.cost = self::cost(bytes.len(), self.role);
                self.push_frames(payload.opcode(), RSV1, &bytes, sent, lane)
            }
            (Payload::Shared(_), Packed::Frames(frames)) => {
                sent.cost = frames.len() + ITEM;
                self.push_shared(frames, sent, lane)
            }
            (Payload::Shared(message), _) => self.push_shared(message.frames.clone(), sent, lane),
            _ => self.push_frames(payload.opcode(), 0, payload.bytes(), sent, lane),
        };
        match result {
            // What was admitted and is not needed.
            Ok(()) => self.cost = self.cost + sent.cost - cost,
            Err(_) => self.cost -= cost,
        }
        result
    }

    /// Queues a message, or the beginning of one.
    fn push_frames(
        &mut self,
        opcode: OpCode,
        reserved: u8,
        payload: &[u8],
        sent: Sent,
        lane: &Lane,
    ) -> Result<()> {
        match payload.len() > LARGE {
            true => self.push_large(opcode, reserved, payload, sent, lane),
            false => self.push_small(first_byte(opcode, true, reserved), payload, sent, lane),
        }
    }

    fn push_small(&mut self, first: u8, payload: &[u8], sent: Sent, lane: &Lane) -> Result<()> {
        self.make_room(payload.len(), lane);
        let mask = self.mask()?;
        put_frame(&mut self.buffer, first, payload, mask);
        self.buffered.add(sent);
        Ok(())
    }

    /// Makes the buffer ready for a small frame.
    fn make_room(&mut self, length: usize, lane: &Lane) {
        if self.buffer.len() + LARGEST_HEADER + length > TOGETHER {
            self.close_buffer();
        }
        if self.buffer.capacity() == 0 {
            self.buffer = lane.buffers.outgoing();
            self.buffer.reserve(SMALLEST);
        }
    }

    fn push_large(
        &mut self,
        opcode: OpCode,
        reserved: u8,
        payload: &[u8],
        sent: Sent,
        lane: &Lane,
    ) -> Result<()> {
        self.close_buffer();
        let most = payload.len().min(FRAGMENT) + LARGEST_HEADER;
        let reserve =
            |memory: &mut Vec<u8>| memory.try_reserve(most).map_err(|_| Error::code(Code::NoResources));
        let mut memory = if payload.len() > TOGETHER { lane.buffers.large(most) } else { Vec::new() };
        memory.clear();
        reserve(&mut memory)?;
        let mut whole = Vec::new();
        encode(&mut memory, opcode, reserved, payload, self.keys.as_deref_mut(), |out| {
            let mut next = Vec::new();
            reserve(&mut next)?;
            whole.push(Segment::new(std::mem::replace(out, next), Sent::default()));
            Ok(())
        })?;
        self.segments.extend(whole);
        // The message is sent when its last fragment is.
        self.segments.push_back(Segment::new(memory, sent));
        Ok(())
    }

    fn push_shared(&mut self, mut frames: Bytes, sent: Sent, lane: &Lane) -> Result<()> {
        if frames.len() <= LARGE {
            self.make_room(frames.len(), lane);
            self.buffer.extend_from_slice(&frames);
            self.buffered.add(sent);
            return Ok(());
        }
        self.close_buffer();
        while frames.len() > WHOLE_FRAGMENT {
            let first = frames.split_to(WHOLE_FRAGMENT);
            self.segments.push_back(Segment::shared(first, Sent::default()));
        }
        self.segments.push_back(Segment::shared(frames, sent));
        Ok(())
    }

    /// The message that a part continues or begins, with this part; compressed, if it may be.
    pub fn with_part(&self, part: &Part<'_>, threshold: usize) -> Result<UnfinishedMessage> {
        let mut unfinished = self.unfinished.unwrap_or(UnfinishedMessage {
            is_text: part.is_text,
            is_compressed: threshold < usize::MAX && (part.data.len() >= threshold || !part.is_last),
            text: Pieces::default(),
        });
        let text = &mut unfinished.text;
        if unfinished.is_text && !(text.accept(part.data) && (!part.is_last || text.is_complete())) {
            return Err(Error::call(Code::Parameter, "The text is not UTF-8."));
        }
        Ok(unfinished)
    }

    /// Queues a part of a message as a fragment.
    fn push_part(&mut self, part: Part<'_>, packed: Packed, sent: &mut Sent, lane: &Lane) -> Result<()> {
        let (unfinished, compressed) = match packed {
            Packed::Part(unfinished, compressed) => (unfinished, Some(compressed)),
            _ => (self.with_part(&part, usize::MAX)?, None),
        };
        let first = self.unfinished.is_none();
        let opcode = match (first, unfinished.is_text) {
            (false, _) => Data::Continue,
            (true, true) => Data::Text,
            (true, false) => Data::Binary,
        };
        let mut data = part.data;
        if let Some(compressed) = &compressed {
            data = compressed;
            sent.cost = cost(data.len(), self.role);
        }
        sent.messages = u64::from(part.is_last);
        let reserved = if first && unfinished.is_compressed { RSV1 } else { 0 };
        self.push_fragments(opcode, reserved, data, part.is_last, *sent, lane)?;
        self.unfinished = (!part.is_last).then_some(unfinished);
        Ok(())
    }

    /// Ends the connection: the peer won't get what was compressed already, to which later messages may refer.
    pub fn lost_a_part(&mut self) {
        if self.check_open().is_err() {
            return;
        }
        let sentence = "There is no memory to compress a message.";
        self.stage = Stage::Failed(Error::event(Phase::Io, Code::NoMemory, sentence).into());
    }

    /// Queues a fragment at a time, so that control frames pass between.
    fn push_fragments(
        &mut self,
        opcode: Data,
        reserved: u8,
        data: &[u8],
        is_last: bool,
        sent: Sent,
        lane: &Lane,
    ) -> Result<()> {
        let count = data.len().div_ceil(FRAGMENT).max(1);
        let mut pieces = data.chunks(FRAGMENT);
        let mut large = Vec::new();
        for number in 1..=count {
            let piece = pieces.next().unwrap_or_default();
            let (opcode, reserved) = if number == 1 { (opcode, reserved) } else { (Data::Continue, 0) };
            let sent = if number == count { sent } else { Sent::default() };
            let first = first_byte(OpCode::Data(opcode), is_last && number == count, reserved);
            if piece.len() > LARGE {
                let mut frame = Vec::new();
                let size = piece.len() + LARGEST_HEADER;
                frame.try_reserve_exact(size).map_err(|_| Error::code(Code::NoResources))?;
                put_frame(&mut frame, first, piece, self.mask()?);
                large.push(Segment::new(frame, sent));
                continue;
            }
            self.append(&mut large);
            self.push_small(first, piece, sent, lane)?;
        }
        self.append(&mut large);
        Ok(())
    }

    /// Queues whole segments behind what there is.
    fn append(&mut self, segments: &mut Vec<Segment>) {
        if !segments.is_empty() {
            self.close_buffer();
            self.segments.extend(segments.drain(..));
        }
    }

    /// No more frames join those in the buffer.
    fn close_buffer(&mut self) {
        if !self.buffer.is_empty() {
            let sent = std::mem::take(&mut self.buffered);
            self.segments.push_back(Segment::new(std::mem::take(&mut self.buffer), sent));
        }
    }

    /// Moves everything to the wire, unless it waits for more. Whether there was anything.
    pub fn take(&mut self, wire: &mut VecDeque<Segment>) -> bool {
        if self.corked && !self.is_due && matches!(self.stage, Stage::Open) {
            return false;
        }
        (self.scheduled, self.is_due, self.waits_for_rest) = (false, false, false);
        if self.segments.is_empty() {
            if self.buffer.is_empty() {
                return false;
            }
            let sent = std::mem::take(&mut self.buffered);
            wire.reserve_exact(1); // kept, so that most writes allocate nothing
            wire.push_back(Segment::new(std::mem::take(&mut self.buffer), sent));
            return true;
        }
        self.close_buffer();
        wire.append(&mut self.segments);
        self.segments = VecDeque::new();
        true
    }

    /// Whether what a turn has sent may wait for the next one.
    pub fn may_wait(&self, capacity: usize) -> bool {
        let is_due = !matches!(self.stage, Stage::Open) || self.corked || self.ping.is_some();
        self.scheduled && !is_due && self.segments.is_empty() && self.cost <= capacity / 8
    }

    /// Why this side can't go on. Only the first call gets it.
    pub fn take_failure(&mut self) -> Option<Box<Error>> {
        if !matches!(self.stage, Stage::Failed(_)) {
            return None;
        }
        match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Drops what was accepted: the link takes no more.
    pub fn discard(&mut self) {
        (self.segments, self.buffer, self.buffered) = (VecDeque::new(), Vec::new(), Sent::default());
    }

    pub fn close(&mut self, closing: Stage) -> Result<()> {
        if !matches!(self.stage, Stage::Unwritable) {
            self.check_open()?;
        }
        self.stage = closing;
        Ok(())
    }

    /// Books what was written. Whether a refused sender may be told that there is room.
    pub fn book(&mut self, sent: Sent, capacity: usize) -> bool {
        self.cost = self.cost.saturating_sub(sent.cost);
        self.sent.add(sent);
        let room = self.refused && self.cost <= capacity / 2;
        self.refused &= !room;
        room
    }
}
