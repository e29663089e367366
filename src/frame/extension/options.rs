//! What a program asks of compression, what two sides agree to, and what that costs.

use std::fmt::Write;

use crate::error::{Code, Error, Result};

pub(super) const NAME: &str = "permessage-deflate";
/// The windows that RFC 7692 knows, as powers of two, and zlib's smallest.
pub(super) const SMALLEST: u8 = 8;
pub(super) const LARGEST: u8 = 15;
pub(super) const SMALLEST_OF_ZLIB: u8 = 9;

/// What a program asks of compression.
#[derive(Clone, Copy, Debug)]
pub struct CompressionOptions {
    /// Whether a client offers it, and a server agrees to it.
    pub enabled: bool,
    /// How hard to try, 1 to 9.
    pub level: u8,
    /// Messages with fewer bytes are sent as they are.
    pub threshold: usize,
    /// The largest window of what clients send, as a power of two, 8 to 15.
    pub client_max_window_bits: u8,
    /// The largest window of what servers send.
    pub server_max_window_bits: u8,
    /// Whether each message of clients stands alone.
    pub client_no_context_takeover: bool,
    /// Whether each message of servers stands alone.
    pub server_no_context_takeover: bool,
    /// How many bytes a connection may hold for both directions.
    pub memory: usize,
}

impl Default for CompressionOptions {
    fn default() -> Self {
        CompressionOptions {
            enabled: false,
            level: 6,
            threshold: 1024,
            client_max_window_bits: LARGEST,
            server_max_window_bits: LARGEST,
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            memory: 512 << 10,
        }
    }
}

impl CompressionOptions {
    /// Checks the rules of the contract.
    pub fn check(&self) -> Result<()> {
        if !(1..=9).contains(&self.level) {
            let message = format!("compression_level {} is not from 1 to 9.", self.level);
            return Err(Error::call(Code::Parameter, message));
        }
        for (name, bits) in [
            ("client_max_window_bits", self.client_max_window_bits),
            ("server_max_window_bits", self.server_max_window_bits),
        ] {
            if !(SMALLEST..=LARGEST).contains(&bits) {
                let message = format!("{name} {bits} is not from {SMALLEST} to {LARGEST}.");
                return Err(Error::call(Code::Parameter, message));
            }
        }
        if self.enabled && !cfg!(feature = "deflate") {
            return Err(Error::call(Code::NotSupported, "This build has no compression."));
        }
        Ok(())
    }

    pub(super) fn is_on(&self) -> bool {
        cfg!(feature = "deflate") && self.enabled
    }
}

/// How one direction is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The window, as a power of two, 8 to 15.
    pub bits: u8,
    /// Whether each message stands alone.
    pub no_takeover: bool,
}

/// What both sides have agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What the client sends.
    pub client: Way,
    /// What the server sends.
    pub server: Way,
}

impl Agreed {
    /// The agreement as a header has it.
    pub fn describe(&self) -> String {
        let mut text = String::from(NAME);
        for (side, way) in [("server", self.server), ("client", self.client)] {
            if way.no_takeover {
                // Writing to a String can't fail.
                let _ = write!(text, "; {side}_no_context_takeover");
            }
            if way.bits < LARGEST {
                let _ = write!(text, "; {side}_max_window_bits={}", way.bits);
            }
        }
        text
    }
}

/// The most that a compressor holds, in bytes: twice its window, a u16 for each byte of the window, a table of 128 KiB,
/// buffers of 112 KiB, and up to 8 KiB of state.
pub(in crate::frame) const fn deflater_memory(bits: u8) -> usize {
    let bits = if bits < SMALLEST_OF_ZLIB { SMALLEST_OF_ZLIB } else { bits };
    (4 << bits) + (248 << 10)
}

/// The most that a decompressor holds besides our copy of its window: 32 KiB for any window, and up to 16 KiB of state.
pub(in crate::frame) const INFLATER_MEMORY: usize = 48 << 10;

/// The most bytes that a connection holds which compresses with the one window and decompresses with the other.
pub fn memory(outgoing_bits: u8, incoming_bits: u8) -> usize {
    deflater_memory(outgoing_bits) + INFLATER_MEMORY + (1 << incoming_bits)
}
