//! A build without compression: no peer ever agrees to any, so nothing here is ever reached.

use super::extension::Way;

/// See the module of the same name in a build with compression.
#[derive(Debug)]
pub enum InflateError {
    /// Any compressed data.
    Corrupt,
    /// Never.
    TooBig,
    /// Never.
    NoMemory,
}

/// How far [`Inflater::step`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes of the input are done with.
    pub consumed: usize,
    /// Whether all of the input is.
    pub done: bool,
}

/// Compresses nothing.
#[derive(Debug)]
pub struct Deflater;

impl Deflater {
    /// A compressor.
    pub fn new(_: Way, _: u8) -> Self {
        Deflater
    }

    /// Leaves the message as it is.
    pub fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        false
    }

    /// There is nothing to forget.
    pub fn forget(&mut self) {}

    /// Refuses.
    pub fn compress_part(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), NoMemory> {
        Err(NoMemory)
    }
}

/// There is no memory for a compressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Decompresses nothing.
#[derive(Debug)]
pub struct Inflater;

impl Inflater {
    /// A decompressor.
    pub fn new(_: Way) -> Self {
        Inflater
    }

    /// Refuses.
    pub fn step(
        &mut self,
        _: &[u8],
        _: bool,
        _: &mut Vec<u8>,
        _: usize,
        _: usize,
    ) -> Result<Progress, InflateError> {
        Err(InflateError::Corrupt)
    }
}
