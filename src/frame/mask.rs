//! Masking (RFC 6455 5.3), eight bytes at a time.

use crate::error::{Code, Error, Result};

/// What the loop below does at once; compilers make wide instructions of it.
const WIDE: usize = 32;
/// So much is copied before it is masked, while the processor still has it at hand.
const PIECE: usize = 4 << 10;

/// Applies a mask whose first byte belongs to the payload's byte `at` less than these.
#[inline]
pub(crate) fn apply(data: &mut [u8], mask: [u8; 4], at: usize) {
    let mask = turned(mask, at);
    let [a, b, c, d] = mask;
    let wide =
        [a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d];
    let mut blocks = data.chunks_exact_mut(WIDE);
    for block in &mut blocks {
        if let Ok(block) = <&mut [u8; WIDE]>::try_from(block) {
            xor(block, &wide);
        }
    }
    for bytes in blocks.into_remainder().chunks_mut(4) {
        xor(bytes, &mask);
    }
}

/// Appends these bytes masked.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, data: &[u8], mask: [u8; 4]) {
    for piece in data.chunks(PIECE) {
        let start = out.len();
        out.extend_from_slice(piece);
        // Pieces begin where the mask does.
        apply(out.get_mut(start..).unwrap_or_default(), mask, 0);
    }
}

/// The mask for what comes `at` bytes later.
pub(crate) fn turned(mut mask: [u8; 4], at: usize) -> [u8; 4] {
    mask.rotate_left(at & 3);
    mask
}

#[inline]
fn xor(bytes: &mut [u8], mask: &[u8]) {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Mask keys from the operating system's generator, fetched many at a time.
#[derive(Debug)]
pub(crate) struct Keys {
    pool: [u8; Keys::POOL],
    at: usize,
}

impl Keys {
    const POOL: usize = 256;

    pub fn new() -> Keys {
        Keys { pool: [0; Keys::POOL], at: Keys::POOL }
    }

    #[inline]
    pub fn next(&mut self) -> Result<[u8; 4]> {
        if self.at >= Keys::POOL {
            let random = ring::rand::SystemRandom::new();
            ring::rand::SecureRandom::fill(&random, &mut self.pool)
                .map_err(|_| Error::call(Code::NoResources, "The system gives no random bytes for masks."))?;
            self.at = 0;
        }
        let key = self.pool.get(self.at..).and_then(|bytes| bytes.first_chunk()).copied();
        self.at += 4;
        key.ok_or_else(|| Error::code(Code::Internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_the_same_however_the_payload_is_cut() {
        let data: Vec<u8> = (0..200).collect();
        let mask = [3, 141, 59, 26];
        let plain: Vec<u8> = data.iter().enumerate().map(|(place, byte)| byte ^ mask[place & 3]).collect();
        for cut in 0..data.len() {
            let mut masked = data.clone();
            let (first, second) = masked.split_at_mut(cut);
            apply(first, mask, 0);
            apply(second, mask, cut);
            assert_eq!(masked, plain, "{cut}");
        }
        let long: Vec<u8> = data.iter().cycle().take(3 * PIECE + 7).copied().collect();
        let mut out = vec![9];
        append(&mut out, &long, mask);
        apply(&mut out[1..], mask, 0);
        assert_eq!(out[1..], long);
    }

    #[test]
    fn keys_differ() {
        let mut keys = Keys::new();
        let mut seen: Vec<[u8; 4]> = (0..1000).map(|_| keys.next().unwrap()).collect();
        seen.sort();
        seen.dedup();
        assert!(seen.len() > 990);
    }
}
