//! Masking (RFC 6455 5.3).

use crate::error::{Code, Error, Result};

/// So much is copied before it is masked, while the processor still has it at hand.
const PIECE: usize = 4 << 10;

/// Applies a mask whose first byte belongs to the payload's byte `at` less than these.
#[inline]
pub(crate) fn apply(data: &mut [u8], mask: [u8; 4], at: usize) {
    let mask = turned(mask, at);
    let word = u64::from(u32::from_ne_bytes(mask));
    let word = u128::from(word << 32 | word);
    let wide = word << 64 | word;
    // Compilers make wide instructions of these words, and a short loop when they optimize for size.
    let mut words = data.chunks_exact_mut(16);
    for word in &mut words {
        if let Ok(word) = <&mut [u8; 16]>::try_from(word) {
            *word = (u128::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
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

/// Mask keys from the operating system's generator, fetched many at a time.
#[derive(Debug)]
pub(crate) struct Keys {
    pool: [u8; Keys::POOL],
    at: usize,
    /// How many bytes are fetched next.
    next: usize,
}

impl Keys {
    const POOL: usize = 256;
    /// Many connections send little, and this costs a third of the pool.
    const FIRST: usize = 32;

    pub fn new() -> Keys {
        Keys { pool: [0; Keys::POOL], at: Keys::POOL, next: Keys::FIRST }
    }

    pub fn next(&mut self) -> Result<[u8; 4]> {
        if self.at >= Keys::POOL {
            let random = ring::rand::SystemRandom::new();
            let start = Keys::POOL.saturating_sub(self.next);
            ring::rand::SecureRandom::fill(&random, self.pool.get_mut(start..).unwrap_or_default())
                .map_err(|_| Error::call(Code::NoResources, "The system gives no random bytes for masks."))?;
            (self.at, self.next) = (start, Keys::POOL);
        }
        self.at_hand().ok_or_else(|| Error::code(Code::Internal))
    }

    /// The next key, if the system need not be asked for it.
    #[inline(always)]
    pub fn at_hand(&mut self) -> Option<[u8; 4]> {
        let key = self.pool.get(self.at..)?.first_chunk().copied()?;
        self.at += 4;
        Some(key)
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
