//! What waits to be sent: encoded when it is accepted, written by whoever has the link.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::Role;

use super::close::CloseFrame;
use crate::error::{Code, Error, Result};
use crate::frame::mask::Keys;
use crate::frame::write::{first_byte, header_size, put_frame};
use crate::frame::{LARGEST_CONTROL, LARGEST_HEADER};
use crate::runtime::Lane;

/// A larger message goes out in fragments: control frames pass between them.
pub(super) const FRAGMENT: usize = 1 << 20;
/// Frames up to this length go out together; a longer one is a segment of its own.
pub(super) const LARGE: usize = 16 << 10;
/// So much goes out together at most.
const TOGETHER: usize = 64 << 10;
/// What a queued item costs besides the bytes of its frames.
const ITEM: usize = 64;
/// The first size of an outgoing buffer.
const SMALLEST: usize = 512;

/// The send queue has room again.
#[derive(Clone, Copy, Debug)]
pub struct DrainEvent {
    /// What waits in the queue: the bytes of the frames, and 64 for each message or ping.
    pub queued_bytes: usize,
}

/// What a program sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    /// What goes to many connections, encoded before.
    Shared(&'a Broadcast),
}

/// A message for many connections of a server.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    /// Whole frames.
    frames: Bytes,
    /// The lengths of the payload and of each frame but the last.
    length: usize,
    frame: usize,
}

impl Broadcast {
    /// Encodes the message, once for all.
    pub fn new(payload: Payload<'_>) -> Broadcast {
        let bytes = payload.bytes();
        let mut frames = Vec::with_capacity(cost(bytes.len(), Role::Server));
        // Without masks nothing can fail.
        let _ = encode(&mut frames, payload.opcode(), bytes, None, |_| Ok(()));
        let frame = header_size(FRAGMENT, false) + FRAGMENT;
        Broadcast { frames: frames.into(), length: bytes.len(), frame }
    }
}

impl Payload<'_> {
    fn opcode(&self) -> OpCode {
        match self {
            Payload::Text(_) => OpCode::Data(Data::Text),
            Payload::Binary(_) | Payload::Shared(_) => OpCode::Data(Data::Binary),
            Payload::Ping(_) => OpCode::Control(Control::Ping),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) | Payload::Ping(bytes) => bytes,
            Payload::Shared(_) => &[],
        }
    }

    pub(super) fn first_byte(&self) -> u8 {
        first_byte(self.opcode(), true, 0)
    }

    pub(super) fn is_message(&self) -> bool {
        !matches!(self, Payload::Ping(_))
    }

    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Payload::Shared(message) => message.length,
            _ => self.bytes().len(),
        }
    }

    /// Refuses what is too long.
    #[inline]
    pub fn check(&self, largest_message: usize) -> Result<()> {
        let (what, most) = match self {
            Payload::Ping(_) => ("ping", LARGEST_CONTROL),
            Payload::Text(_) | Payload::Binary(_) | Payload::Shared(_) => ("message", largest_message),
        };
        match self.len() > most {
            true => Err(Error::call(
                Code::Parameter,
                format!("The {what} has {} bytes, more than {most}.", self.len()),
            )),
            false => Ok(()),
        }
    }
}

/// What a message of this length costs in the queue.
pub(super) fn cost(length: usize, role: Role) -> usize {
    let is_masked = matches!(role, Role::Client);
    if length <= FRAGMENT {
        return header_size(length, is_masked) + length + ITEM;
    }
    let (whole, rest) = (length / FRAGMENT, length % FRAGMENT);
    let last = if rest > 0 { header_size(rest, is_masked) } else { 0 };
    (whole * header_size(FRAGMENT, is_masked) + last).saturating_add(length).saturating_add(ITEM)
}

/// Appends a message as one frame, or as fragments if it is large; `cut` is called between them.
fn encode(
    out: &mut Vec<u8>,
    opcode: OpCode,
    payload: &[u8],
    mut keys: Option<&mut Keys>,
    mut cut: impl FnMut(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let count = payload.len().div_ceil(FRAGMENT).max(1);
    let mut pieces = payload.chunks(FRAGMENT);
    for number in 1..=count {
        let opcode = if number == 1 { opcode } else { OpCode::Data(Data::Continue) };
        let mask = keys.as_mut().map(|keys| keys.next()).transpose()?;
        put_frame(out, first_byte(opcode, number == count, 0), pieces.next().unwrap_or_default(), mask);
        if number < count {
            cut(out)?;
        }
    }
    Ok(())
}

/// Whole frames on their way out.
#[derive(Debug)]
pub(super) struct Segment {
    pub memory: Memory,
    /// How many bytes of it are written.
    pub at: usize,
    /// Bytes of its first frame are written, so no other frame may come before it.
    pub begun: bool,
    pub sent: Sent,
}

#[derive(Debug)]
pub(super) enum Memory {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    pub fn new(bytes: Vec<u8>, sent: Sent) -> Segment {
        Segment { memory: Memory::Own(bytes), at: 0, begun: false, sent }
    }

    /// What is still to be written.
    pub fn left(&self) -> &[u8] {
        let bytes: &[u8] = match &self.memory {
            Memory::Own(bytes) => bytes,
            Memory::Shared(bytes) => bytes,
        };
        bytes.get(self.at..).unwrap_or_default()
    }
}

/// What has been sent when a segment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// What it cost in the queue.
    pub cost: usize,
    /// Whole messages, pings not counted.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sent {
    pub fn add(&mut self, other: Sent) {
        self.cost += other.cost;
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// How far a connection is, as seen by those who send.
#[derive(Debug)]
pub(super) enum Stage {
    Open,
    /// What was accepted goes out, then the frame; until the time, the peer must have answered.
    Closing(CloseFrame, Instant),
    /// This side can't go on.
    Failed(Error),
    /// A write has failed; what the peer sent is still read.
    Broken,
    /// Nothing can be sent any more.
    Closed,
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
    /// What was accepted and isn't written costs so much.
    pub cost: usize,
    /// Somebody has been told to write.
    pub scheduled: bool,
    /// A message was refused because the queue was full.
    refused: bool,
    /// Small messages wait for others, until the program says that these were all.
    pub corked: bool,
    pub stage: Stage,
    /// When a send last had the choice to write at once.
    pub last_send: Option<Instant>,
    /// The program's last ping, until the link knows of it.
    pub ping: Option<(Box<[u8]>, Instant)>,
    pub sent: Sent,
}

impl Outbox {
    pub fn new(role: Role) -> Self {
        Outbox {
            role,
            segments: VecDeque::new(),
            buffer: Vec::new(),
            buffered: Sent::default(),
            keys: matches!(role, Role::Client).then(|| Box::new(Keys::new())),
            cost: 0,
            scheduled: false,
            refused: false,
            corked: false,
            stage: Stage::Open,
            last_send: None,
            ping: None,
            sent: Sent::default(),
        }
    }

    /// The mask of the next frame; a server's have none.
    pub fn mask(&mut self) -> Result<Option<[u8; 4]>> {
        self.keys.as_mut().map(|keys| keys.next()).transpose()
    }

    /// Whether anything can still be sent.
    pub fn check_open(&self) -> Result<()> {
        match self.stage {
            Stage::Open => Ok(()),
            _ => Err(Error::code(Code::NotConnected)),
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

    /// Queues a message that was admitted at this cost.
    #[inline]
    pub fn push(&mut self, payload: Payload<'_>, cost: usize, lane: &Lane) -> Result<()> {
        let sent = match payload.is_message() {
            true => Sent { cost, messages: 1, bytes: payload.len() as u64 },
            false => Sent { cost, ..Sent::default() },
        };
        if let Payload::Ping(data) = payload {
            self.ping = Some((data.into(), Instant::now()));
        }
        let result = match payload {
            Payload::Shared(message) if message.length > LARGE => {
                self.push_shared(message, sent);
                Ok(())
            }
            _ if payload.len() > LARGE => self.push_large(payload, sent, lane),
            _ => self.push_small(payload, sent, lane),
        };
        if result.is_err() {
            self.cost -= cost;
        }
        result
    }

    #[inline]
    fn push_small(&mut self, payload: Payload<'_>, sent: Sent, lane: &Lane) -> Result<()> {
        if self.buffer.len() + LARGEST_HEADER + payload.len() > TOGETHER {
            self.close_buffer();
        }
        if self.buffer.capacity() == 0 {
            self.buffer = lane.buffers.outgoing();
            self.buffer.reserve(SMALLEST);
        }
        match payload {
            Payload::Shared(message) => self.buffer.extend_from_slice(&message.frames),
            _ => {
                let mask = self.mask()?;
                put_frame(&mut self.buffer, payload.first_byte(), payload.bytes(), mask);
            }
        }
        self.buffered.add(sent);
        Ok(())
    }

    fn push_large(&mut self, payload: Payload<'_>, sent: Sent, lane: &Lane) -> Result<()> {
        self.close_buffer();
        let most = payload.len().min(FRAGMENT) + LARGEST_HEADER;
        let reserve = |memory: &mut Vec<u8>| memory.try_reserve(most).map_err(|_| Error::code(Code::NoResources));
        let mut memory = if payload.len() > TOGETHER { lane.buffers.large() } else { Vec::new() };
        reserve(&mut memory)?;
        let mut whole = Vec::new();
        encode(&mut memory, payload.opcode(), payload.bytes(), self.keys.as_deref_mut(), |out| {
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

    fn push_shared(&mut self, message: &Broadcast, sent: Sent) {
        self.close_buffer();
        let (mut frames, frame) = (message.frames.clone(), message.frame);
        while frames.len() > frame {
            let memory = Memory::Shared(frames.split_to(frame));
            self.segments.push_back(Segment { memory, at: 0, begun: false, sent: Sent::default() });
        }
        self.segments.push_back(Segment { memory: Memory::Shared(frames), at: 0, begun: false, sent });
    }

    /// No more frames join those in the buffer.
    fn close_buffer(&mut self) {
        if !self.buffer.is_empty() {
            let sent = std::mem::take(&mut self.buffered);
            self.segments.push_back(Segment::new(std::mem::take(&mut self.buffer), sent));
        }
    }

    /// Moves everything to the wire. Whether there was anything.
    pub fn take(&mut self, wire: &mut VecDeque<Segment>) -> bool {
        self.scheduled = false;
        if self.segments.is_empty() {
            if self.buffer.is_empty() {
                return false;
            }
            let sent = std::mem::take(&mut self.buffered);
            wire.push_back(Segment::new(std::mem::take(&mut self.buffer), sent));
            return true;
        }
        self.close_buffer();
        wire.append(&mut self.segments);
        self.segments = VecDeque::new();
        true
    }

    /// Drops what was accepted: the link takes no more.
    pub fn discard(&mut self) {
        (self.segments, self.buffer, self.buffered) = (VecDeque::new(), Vec::new(), Sent::default());
    }

    pub fn close(&mut self, closing: Stage) -> Result<()> {
        self.check_open()?;
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
