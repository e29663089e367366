//! Compression of what a connection sends.

use bytes::Bytes;
use parking_lot::Mutex;

use super::UnfinishedMessage;
use crate::connection::payload::Payload;
use crate::error::{Code, Error, Result};
use crate::frame::deflate::{Deflater, NoMemory};
use crate::frame::extension::Way;

/// How a connection compresses what it sends.
pub struct Compressor {
    way: Way,
    /// From this length on.
    pub threshold: usize,
    /// Taken before the outbox, and held until the message is queued: the peer decompresses in this order. Reading and writing
    /// never need it, so they don't wait for what is being compressed.
    pub deflater: Mutex<Deflater>,
}

/// What a message has become.
#[derive(Debug)]
pub enum Packed {
    /// It goes as it is.
    Not,
    /// Its payload, compressed.
    Compressed(Vec<u8>),
    /// The frames of a message for many, compressed.
    Frames(Bytes),
    /// A part of a compressed message, and how far that message is with it.
    Part(UnfinishedMessage, Vec<u8>),
}

impl Compressor {
    /// A compressor at a level from 1 to 9.
    pub fn new(way: Way, level: u8, threshold: usize) -> Box<Compressor> {
        Box::new(Compressor { way, threshold, deflater: Mutex::new(Deflater::new(way, level)) })
    }

    /// Whether such a message may have to be compressed.
    #[inline]
    pub fn takes(&self, payload: &Payload<'_>) -> bool {
        match payload {
            Payload::Ping(_) => false,
            Payload::Part(_) => true,
            _ => payload.len() >= self.threshold,
        }
    }

    /// Compresses a message, or a part of one, which must not be left out then.
    pub fn pack(
        &self,
        deflater: &mut Deflater,
        payload: &Payload<'_>,
        unfinished: Option<UnfinishedMessage>,
    ) -> Result<Packed> {
        let mut bytes = Vec::new();
        let shared = match payload {
            Payload::Part(part) => {
                let Some(unfinished) = unfinished.filter(|unfinished| unfinished.is_compressed) else {
                    return Ok(Packed::Not);
                };
                let packed = deflater.compress_part(part.data, part.is_last, &mut bytes);
                packed.map_err(|NoMemory| Error::code(Code::NoResources))?;
                return Ok(Packed::Part(unfinished, bytes));
            }
            // Without a context of its own, what was compressed for another connection will do.
            Payload::Shared(message) if self.way.no_takeover => Some(message),
            _ => None,
        };
        Ok(match shared {
            Some(message) => message.compressed(deflater, self.way).map_or(Packed::Not, Packed::Frames),
            None if deflater.compress(payload.bytes(), &mut bytes) => Packed::Compressed(bytes),
            None => Packed::Not,
        })
    }
}
