//! What waits to be sent: accepted in the outbox by any thread, cut into frames by whoever has the link.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::Frame;

use super::close::CloseFrame;
use super::scan::LARGE;
use crate::error::{Code, Error, Result};

/// A larger message goes out in fragments: control frames pass between them, and no buffer grows beyond them.
pub(super) const FRAGMENT: usize = 1 << 20;

const KEPT_CAPACITY: usize = 32;

/// Messages up to this length that wait together are copied into common blocks, which spares an allocation each.
pub(super) const SMALL: usize = 1 << 10;
const BLOCK: usize = 8 << 10;

const LARGEST_PING: usize = 125;

/// The send queue has room again.
#[derive(Clone, Copy, Debug)]
pub struct DrainEvent {
    /// Bytes that wait in the queue.
    pub queued_bytes: usize,
}

/// What a program sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    /// What goes to many connections, copied before.
    Shared(&'a Broadcast),
}

/// A message for many connections.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    data: Bytes,
    is_text: bool,
}

impl From<Payload<'_>> for Broadcast {
    fn from(payload: Payload<'_>) -> Self {
        Broadcast { data: payload.copied(), is_text: payload.kind() == Kind::Text }
    }
}

impl Payload<'_> {
    fn kind(&self) -> Kind {
        match self {
            Payload::Text(_) => Kind::Text,
            Payload::Binary(_) => Kind::Binary,
            Payload::Ping(_) => Kind::Ping,
            Payload::Shared(message) if message.is_text => Kind::Text,
            Payload::Shared(_) => Kind::Binary,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) | Payload::Ping(bytes) => bytes,
            Payload::Shared(message) => &message.data,
        }
    }

    fn copied(&self) -> Bytes {
        match self {
            Payload::Shared(message) => message.data.clone(),
            _ => Bytes::copy_from_slice(self.bytes()),
        }
    }

    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Refuses what is too long.
    pub fn check(&self, largest_message: usize) -> Result<()> {
        let (what, most) = match self {
            Payload::Ping(_) => ("ping", LARGEST_PING),
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

/// A message, or a piece of a large one, copied.
#[derive(Debug)]
struct Piece {
    data: Bytes,
    kind: Kind,
    is_first: bool,
    is_last: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
    Ping,
}

/// Copies bytes into the block, which has room for them, and leaves it the rest of the room.
fn copy_into(block: &mut BytesMut, bytes: &[u8]) -> Bytes {
    block.extend_from_slice(bytes);
    block.split().freeze()
}

/// How far a connection is, as seen by those who send.
#[derive(Debug)]
pub enum Stage {
    Open,
    /// What was accepted goes out, then the frame; until the time, the peer must have answered.
    Closing(CloseFrame, Instant),
    /// This side can't go on.
    Failed(Error),
    Closed,
}

/// The messages that were accepted.
#[derive(Debug)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    /// Room for more small messages.
    small: BytesMut,
    /// Where the last large message was, to spare the system the making of new pages for the next.
    large: BytesMut,
    /// Accepted and not yet written, those in [`Frames`] included.
    pub bytes: usize,
    /// Somebody has been told to write.
    scheduled: bool,
    /// A message was refused for want of room.
    refused: bool,
    /// Small messages wait for others, until the program says that these were all.
    pub corked: bool,
    pub stage: Stage,
    pub waker: Option<Waker>,
    /// When a send last had the choice to write at once.
    pub last_send: Option<Instant>,
    pub messages_sent: u64,
    pub bytes_sent: u64,
}

impl Outbox {
    pub fn new() -> Self {
        Outbox {
            pieces: VecDeque::new(),
            small: BytesMut::new(),
            large: BytesMut::new(),
            bytes: 0,
            scheduled: false,
            refused: false,
            corked: false,
            stage: Stage::Open,
            waker: None,
            last_send: None,
            messages_sent: 0,
            bytes_sent: 0,
        }
    }

    /// Whether anything can still be sent.
    pub fn check_open(&self) -> Result<()> {
        match self.stage {
            Stage::Open => Ok(()),
            _ => Err(Error::code(Code::NotConnected)),
        }
    }

    /// Makes room for a message of this length if it may be accepted. An empty queue takes any message.
    pub fn takes(&mut self, length: usize, capacity: usize) -> bool {
        let room = self.bytes == 0 || self.bytes.saturating_add(length) <= capacity;
        let takes = room && matches!(self.stage, Stage::Open);
        if takes {
            self.bytes += length;
        }
        takes
    }

    /// [`Outbox::takes`], or why not.
    pub fn admit(&mut self, length: usize, capacity: usize) -> Result<()> {
        if self.takes(length, capacity) {
            return Ok(());
        }
        self.check_open()?;
        self.refused = true;
        Err(Error::call(
            Code::QueueFull,
            format!("{} bytes wait to be sent; the send queue holds {capacity}.", self.bytes),
        ))
    }

    /// Nothing waits and nobody has been told to write.
    pub fn is_idle(&self) -> bool {
        self.pieces.is_empty() && !self.scheduled
    }

    /// Queues a message that was admitted.
    pub fn push(&mut self, payload: Payload<'_>) {
        self.scheduled = true;
        let (kind, bytes) = (payload.kind(), payload.bytes());
        if bytes.len() <= LARGE {
            let alone = bytes.len() > SMALL || self.pieces.is_empty();
            let data = if alone || matches!(payload, Payload::Shared(_)) {
                payload.copied()
            } else {
                if self.small.capacity() < bytes.len() {
                    self.small = BytesMut::with_capacity(BLOCK);
                }
                copy_into(&mut self.small, bytes)
            };
            return self.pieces.push_back(Piece { data, kind, is_first: true, is_last: true });
        }
        let count = bytes.len().div_ceil(FRAGMENT);
        for (number, piece) in bytes.chunks(FRAGMENT).enumerate() {
            let data = match payload {
                Payload::Shared(message) => message.data.slice_ref(piece),
                _ => {
                    // Uses the same memory again if what was in it is gone.
                    self.large.reserve(piece.len());
                    copy_into(&mut self.large, piece)
                }
            };
            let (is_first, is_last) = (number == 0, number + 1 == count);
            self.pieces.push_back(Piece { data, kind, is_first, is_last });
        }
    }

    /// Large messages have become rare.
    pub fn forget_large(&mut self) {
        self.large = BytesMut::new();
    }

    pub fn close(&mut self, closing: Stage) -> Result<()> {
        self.check_open()?;
        self.stage = closing;
        Ok(())
    }

    /// Books what was written. Whether a refused sender may be told that there is room.
    pub fn book(&mut self, written: Written, capacity: usize) -> bool {
        self.bytes = self.bytes.saturating_sub(written.queued_bytes);
        self.messages_sent += written.messages;
        self.bytes_sent += written.bytes;
        let room = self.refused && self.bytes <= capacity / 2;
        self.refused &= !room;
        room
    }
}

/// What was written since it was booked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes that no longer count as queued.
    pub queued_bytes: usize,
    /// Whole messages, pings not counted.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Messages on their way to the socket, cut into frames.
#[derive(Debug, Default)]
pub struct Frames {
    pieces: VecDeque<Piece>,
    pub written: Written,
}

/// A frame to write; a ping's payload, to know its pong.
pub struct Next {
    pub frame: Frame,
    pub ping: Option<Bytes>,
}

impl Frames {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Takes all that was accepted. Whether there is anything to write.
    pub fn take(&mut self, outbox: &mut Outbox) -> bool {
        outbox.scheduled = false;
        outbox.small = BytesMut::new();
        // A large queue is given back, but not while it is being filled again.
        if self.pieces.capacity() > KEPT_CAPACITY && outbox.pieces.len() <= KEPT_CAPACITY {
            self.pieces = VecDeque::new();
        }
        std::mem::swap(&mut self.pieces, &mut outbox.pieces);
        !self.pieces.is_empty()
    }

    /// A ping of the heartbeat, which nobody queued. Goes before the messages, between fragments if need be.
    pub fn heartbeat(&mut self, payload: [u8; 8]) -> Next {
        let payload = Bytes::copy_from_slice(&payload);
        Next { frame: Frame::ping(payload.clone()), ping: Some(payload) }
    }

    pub fn next(&mut self) -> Option<Next> {
        let Piece { data, kind, is_first, is_last } = self.pieces.pop_front()?;
        self.written.queued_bytes += data.len();
        let opcode = match kind {
            Kind::Ping => return Some(Next { frame: Frame::ping(data.clone()), ping: Some(data) }),
            _ if !is_first => Data::Continue,
            Kind::Text => Data::Text,
            Kind::Binary => Data::Binary,
        };
        self.written.bytes += data.len() as u64;
        self.written.messages += u64::from(is_last);
        Some(Next { frame: Frame::message(data, OpCode::Data(opcode), is_last), ping: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(payload: Payload<'_>) -> Vec<Frame> {
        let (mut outbox, mut frames) = (Outbox::new(), Frames::default());
        outbox.push(payload);
        assert!(frames.take(&mut outbox));
        let cut: Vec<Frame> = std::iter::from_fn(|| frames.next().map(|next| next.frame)).collect();
        assert_eq!(frames.written.queued_bytes, payload.len());
        cut
    }

    #[test]
    fn a_large_message_goes_out_in_fragments() {
        let data: Vec<u8> = (0..2 * FRAGMENT + 1).map(|byte| byte as u8).collect();
        let frames = frames_of(Payload::Binary(&data));
        let shape: Vec<(OpCode, bool, usize)> = frames
            .iter()
            .map(|frame| (frame.header().opcode, frame.header().is_final, frame.payload().len()))
            .collect();
        let (binary, more) = (OpCode::Data(Data::Binary), OpCode::Data(Data::Continue));
        assert_eq!(shape, [(binary, false, FRAGMENT), (more, false, FRAGMENT), (more, true, 1)]);
        assert_eq!(frames.iter().flat_map(|frame| frame.payload()).copied().collect::<Vec<u8>>(), data);
    }

    #[test]
    fn a_message_that_fits_is_one_frame_even_when_empty() {
        let text = "a".repeat(FRAGMENT);
        for text in ["", "a", &text] {
            let frames = frames_of(Payload::Text(text));
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].header().opcode, OpCode::Data(Data::Text));
            assert!(frames[0].header().is_final);
            assert_eq!(frames[0].payload(), text.as_bytes());
        }
    }

    #[test]
    fn a_full_queue_refuses_and_tells_when_half_of_it_is_empty() {
        let mut outbox = Outbox::new();
        outbox.admit(100, 10).expect("an empty queue takes any message");
        assert_eq!(outbox.admit(1, 10).unwrap_err().code, Code::QueueFull);
        assert!(!outbox.book(Written { queued_bytes: 94, ..Default::default() }, 10));
        assert!(outbox.book(Written { queued_bytes: 1, ..Default::default() }, 10));
        assert!(!outbox.book(Written { queued_bytes: 1, ..Default::default() }, 10), "told once");
        outbox.admit(6, 10).unwrap();
        assert_eq!(outbox.bytes, 10);
    }

    #[test]
    fn after_close_nothing_is_accepted() {
        let mut outbox = Outbox::new();
        let closing = || Stage::Closing(CloseFrame::checked(1000, "").unwrap(), Instant::now());
        outbox.close(closing()).unwrap();
        assert_eq!(outbox.admit(1, 10).unwrap_err().code, Code::NotConnected);
        assert_eq!(outbox.close(closing()).unwrap_err().code, Code::NotConnected);
    }
}
