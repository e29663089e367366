//! What a program sends, and what it costs in the queue. A large message goes out in fragments, so that it starves no pings.

use bytes::Bytes;
use parking_lot::Mutex;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::Role;

use crate::error::{Code, Error, Result};
use crate::frame::deflate::Deflater;
use crate::frame::extension::Way;
use crate::frame::mask::Keys;
use crate::frame::write::{first_byte, header_size, put_frame};
use crate::frame::{LARGEST_CONTROL, RSV1};

/// A larger message goes out in fragments of this size, so that pings, pongs and close frames pass between them.
pub(super) const FRAGMENT: usize = 1 << 20;
/// What a queued item costs besides the bytes of its frames.
pub(super) const ITEM: usize = 64;

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
    Shared(&'a Broadcast<'a>),
    /// A part of a message whose length isn't known yet.
    Part(Part<'a>),
}

/// A part of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub data: &'a [u8],
    /// Only the first part's counts.
    pub is_text: bool,
    pub is_last: bool,
}

/// A message for many connections of a server.
#[derive(Debug)]
pub(crate) struct Broadcast<'a> {
    pub(super) payload: &'a [u8],
    pub(super) opcode: OpCode,
    /// Whole frames.
    pub(super) frames: Bytes,
    /// The same compressed, for connections where each message stands alone. `None`: it did not shrink.
    compressed: Mutex<Vec<(Way, Option<Bytes>)>>,
}

/// The length of each frame but the last of a large message without masks.
pub(super) const WHOLE_FRAGMENT: usize = FRAGMENT + 10;

impl<'a> Broadcast<'a> {
    /// Encodes the message, once for all.
    pub fn new(payload: Payload<'a>) -> Result<Broadcast<'a>> {
        let (opcode, payload) = (payload.opcode(), payload.into_bytes());
        let frames = encode_for_all(opcode, 0, payload)?;
        Ok(Broadcast { payload, opcode, frames, compressed: Mutex::default() })
    }

    /// The frames of the compressed message, made when they are first needed.
    pub(super) fn compressed(&self, deflater: &mut Deflater, way: Way) -> Option<Bytes> {
        let mut made = self.compressed.lock();
        if let Some((_, frames)) = made.iter().find(|(made, _)| *made == way) {
            return frames.clone();
        }
        let mut bytes = Vec::new();
        let shrinks = deflater.compress(self.payload, &mut bytes);
        // Without memory for it, the message goes as it is.
        let frames = shrinks.then(|| encode_for_all(self.opcode, RSV1, &bytes).ok()).flatten();
        made.push((way, frames.clone()));
        frames
    }
}

/// The frames of a server's message.
fn encode_for_all(opcode: OpCode, reserved: u8, payload: &[u8]) -> Result<Bytes> {
    let mut frames = Vec::new();
    let length = cost(payload.len(), Role::Server);
    frames.try_reserve_exact(length).map_err(|_| Error::code(Code::NoResources))?;
    encode(&mut frames, opcode, reserved, payload, None, |_| Ok(()))?;
    Ok(frames.into())
}

impl<'a> Payload<'a> {
    pub(super) fn opcode(&self) -> OpCode {
        match self {
            Payload::Text(_) => OpCode::Data(Data::Text),
            Payload::Binary(_) => OpCode::Data(Data::Binary),
            Payload::Shared(message) => message.opcode,
            Payload::Part(part) => OpCode::Data(if part.is_text { Data::Text } else { Data::Binary }),
            Payload::Ping(_) => OpCode::Control(Control::Ping),
        }
    }

    fn into_bytes(self) -> &'a [u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) | Payload::Ping(bytes) => bytes,
            Payload::Shared(message) => message.payload,
            Payload::Part(part) => part.data,
        }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.into_bytes()
    }

    pub(super) fn first_byte(&self) -> u8 {
        first_byte(self.opcode(), true, 0)
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Refuses what is too long.
    #[inline]
    pub fn check(&self, largest_message: usize) -> Result<()> {
        let (what, most) = match self {
            Payload::Ping(_) => ("ping", LARGEST_CONTROL),
            Payload::Part(_) => ("part", largest_message),
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
pub(super) fn encode(
    out: &mut Vec<u8>,
    opcode: OpCode,
    reserved: u8,
    payload: &[u8],
    mut keys: Option<&mut Keys>,
    mut cut: impl FnMut(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let count = payload.len().div_ceil(FRAGMENT).max(1);
    let mut pieces = payload.chunks(FRAGMENT);
    for number in 1..=count {
        let (opcode, reserved) =
            if number == 1 { (opcode, reserved) } else { (OpCode::Data(Data::Continue), 0) };
        let mask = keys.as_mut().map(|keys| keys.next()).transpose()?;
        put_frame(
            out,
            first_byte(opcode, number == count, reserved),
            pieces.next().unwrap_or_default(),
            mask,
        );
        if number < count {
            cut(out)?;
        }
    }
    Ok(())
}
