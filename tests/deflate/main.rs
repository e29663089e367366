//! Compression of messages (RFC 7692 7.2), without a connection around it.
#![cfg(feature = "deflate")]

mod counted;
mod distances;

use flate2::{Compress, Compression, FlushCompress};
use netstack_websocket::frame::deflate::{Deflater, InflateError, Inflater, Progress};
use netstack_websocket::frame::extension::{memory, Way};

/// The same numbers each time.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn words(&mut self, length: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < length {
            text.extend_from_slice(
                format!("{{\"key{}\": {}}}, ", self.below(40), self.below(1000)).as_bytes(),
            );
        }
        text.truncate(length);
        text
    }

    /// Words, noise, or what repeats; of any size.
    fn message(&mut self) -> Vec<u8> {
        let bound = 1 << (1 + self.below(17));
        let length = self.below(bound);
        match self.below(4) {
            0 => self.bytes(length),
            1 => {
                let period = 1 + self.below(40_000);
                self.bytes(period.min(length + 1)).into_iter().cycle().take(length).collect()
            }
            _ => self.words(length),
        }
    }
}

fn way(bits: u8, no_takeover: bool) -> Way {
    Way { bits, no_takeover }
}

/// Decompresses a message that arrives in pieces of any size, in steps of any size.
fn inflate(
    inflater: &mut Inflater,
    random: &mut Random,
    message: &[u8],
    limit: usize,
) -> Result<Vec<u8>, InflateError> {
    let (mut out, mut rest) = (Vec::new(), message);
    loop {
        let bound = 1 << (1 + random.below(17));
        let (piece, behind) = rest.split_at(random.below(bound).min(rest.len()));
        rest = behind;
        let mut input = piece;
        loop {
            let before = out.len();
            let most = 1 + random.below(bound);
            let Progress { consumed, done } = inflater.step(input, rest.is_empty(), &mut out, limit, most)?;
            assert!(out.len() - before <= most && out.capacity() <= limit);
            input = &input[consumed..];
            if done {
                assert!(input.is_empty());
                break;
            }
        }
        if rest.is_empty() {
            return Ok(out);
        }
    }
}

fn inflate_whole(inflater: &mut Inflater, message: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let progress = inflater.step(message, true, &mut out, 1 << 30, usize::MAX)?;
    assert_eq!(progress, Progress { consumed: message.len(), done: true });
    Ok(out)
}

#[test]
fn every_window_carries_messages_plain_and_compressed() {
    for bits in 8..=15 {
        for no_takeover in [false, true] {
            for level in [1, 2, 3, 4, 6, 7, 9] {
                let way = way(bits, no_takeover);
                let (mut deflater, mut inflater) = (Deflater::new(way, level), Inflater::new(way));
                let mut random = Random::new(u64::from(bits) * 100 + u64::from(level));
                let mut compressed = 0;
                for _ in 0..25 {
                    let message = random.message();
                    let mut frame = b"before".to_vec();
                    if !deflater.compress(&message, &mut frame) {
                        assert_eq!(frame, b"before");
                        continue;
                    }
                    compressed += 1;
                    let frame = frame.strip_prefix(b"before").unwrap();
                    assert!(frame.len() < message.len());
                    let longest = distances::longest(frame);
                    assert!(longest <= 1 << bits, "{bits} {level}: {longest}");
                    let limit = message.len();
                    assert!(
                        inflate(&mut inflater, &mut random, frame, limit) == Ok(message),
                        "{bits} {level}"
                    );
                }
                assert!(compressed > 3);
            }
        }
    }
}

#[test]
fn a_window_is_used_and_never_exceeded() {
    let mut random = Random::new(2);
    for (bits, level) in (8..=15).flat_map(|bits| (1..=9).map(move |level| (bits, level))) {
        let reach = (1 << bits.max(9)) - 262;
        for (period, is_found) in [(reach, true), (reach + 1, false), ((1 << bits) + 1, false)] {
            let mut deflater = Deflater::new(way(bits, false), level);
            let block = random.bytes(period);
            let mut message = block.repeat(4);
            message.extend_from_slice(&[0; 400]);
            let mut frames = [Vec::new(), Vec::new()];
            for frame in &mut frames {
                // Noise need not shrink unless it repeats.
                if !deflater.compress(&message, frame) {
                    assert!(!is_found);
                    continue;
                }
                let longest = distances::longest(frame);
                assert!(longest <= 1 << bits, "{bits} {level}: {longest} of {period}");
                assert_eq!(longest >= reach, is_found, "{bits} {level}: {longest} of {period}");
            }
        }
    }
}

#[test]
fn parts_of_a_message_are_readable_as_they_come() {
    for no_takeover in [false, true] {
        let way = way(15, no_takeover);
        let (mut deflater, mut inflater) = (Deflater::new(way, 6), Inflater::new(way));
        let mut random = Random::new(7);
        for _ in 0..50 {
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            for left in (0..random.below(5)).rev() {
                let part = random.message();
                let mut frame = Vec::new();
                deflater.compress_part(&part, left == 0, &mut frame).unwrap();
                sent.extend_from_slice(&part);
                let progress = inflater.step(&frame, left == 0, &mut received, 1 << 30, usize::MAX);
                assert_eq!(progress, Ok(Progress { consumed: frame.len(), done: true }));
                assert!(sent == received);
            }
        }
    }
}

#[test]
fn empty_messages_and_parts_are_one_byte_or_none() {
    let (mut deflater, mut inflater) = (Deflater::new(way(15, false), 6), Inflater::new(way(15, false)));
    let mut frame = Vec::new();
    assert!(!deflater.compress(b"", &mut frame));
    deflater.compress_part(b"", false, &mut frame).unwrap();
    assert_eq!(frame, b"");
    deflater.compress_part(b"", true, &mut frame).unwrap();
    assert_eq!(frame, [0]);
    for empty in [&b"\0"[..], b"", b"\x02\0", b"\x03\0\0", b"\0\0\0\xff\xff\0"] {
        assert_eq!(inflate_whole(&mut inflater, empty), Ok(Vec::new()), "{empty:?}");
    }
    // An empty last part follows one that isn't.
    let mut frame = Vec::new();
    deflater.compress_part(b"Hello", false, &mut frame).unwrap();
    deflater.compress_part(b"", true, &mut frame).unwrap();
    assert_eq!(inflate_whole(&mut inflater, &frame), Ok(b"Hello".to_vec()));
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let mut inflater = Inflater::new(way(15, false));
    let examples: [&[u8]; 6] = [
        // One block; the same with the window of the first; no compression; the last block of a stream; two blocks.
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        // It refers to bytes from before the end of a stream.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
    ];
    for example in examples {
        assert_eq!(inflate_whole(&mut inflater, example), Ok(b"Hello".to_vec()), "{example:x?}");
    }
}

/// A stream that ends, with what came before as its window.
fn ended_stream(data: &[u8], window: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new_with_window_bits(Compression::new(6), false, 15);
    if !window.is_empty() {
        compress.set_dictionary(window).unwrap();
    }
    let mut out = Vec::with_capacity(data.len() + 100);
    compress.compress_vec(data, &mut out, FlushCompress::Finish).unwrap();
    out
}

#[test]
fn streams_that_end_are_followed_by_others_with_the_same_window() {
    let mut inflater = Inflater::new(way(15, false));
    let mut random = Random::new(3);
    let mut window = Vec::new();
    for _ in 0..50 {
        let (mut message, mut frame) = (Vec::new(), Vec::new());
        for _ in 0..random.below(4) {
            let part = random.message();
            frame.extend(ended_stream(&part, &window));
            message.extend_from_slice(&part);
            window.extend_from_slice(&part);
            window.drain(..window.len().saturating_sub(32 << 10));
        }
        // Some leave out the empty block that has to follow.
        if random.below(2) == 0 {
            frame.push(0);
        }
        assert!(inflate(&mut inflater, &mut random, &frame, message.len()) == Ok(message));
    }
}

#[test]
fn a_message_that_ends_too_early_is_corrupt() {
    let mut random = Random::new(9);
    let stored = [0, 5, 0, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0].to_vec();
    let mut frames = vec![stored, vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]];
    for message in [random.words(300), random.words(5000), vec![b'x'; 100_000]] {
        let mut frame = Vec::new();
        assert!(Deflater::new(way(15, false), 6).compress(&message, &mut frame));
        frames.push(frame);
    }
    for frame in frames {
        assert!(inflate_whole(&mut Inflater::new(way(15, false)), &frame).is_ok());
        // The first byte of the first is a message without content.
        let shortest = if frame[0] == 0 { 2 } else { 1 };
        for end in shortest..frame.len() {
            let verdict = inflate_whole(&mut Inflater::new(way(15, false)), &frame[..end]);
            assert_eq!(verdict, Err(InflateError::Corrupt), "{end} of {}", frame.len());
        }
    }
}

#[test]
fn what_is_not_deflate_is_corrupt() {
    for frame in [
        &b"\x06"[..],                            // a block of type 3
        b"\x00\x01\x00\x00\x00x\x00",            // stored, with a length that isn't repeated
        b"\xf2\x00\x11\x00\x00",                 // refers to bytes that never were
        b"Hello, world",                         // text
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x07",     // something behind
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x07", // something behind the end of a stream
    ] {
        let verdict = inflate_whole(&mut Inflater::new(way(15, false)), frame);
        assert_eq!(verdict, Err(InflateError::Corrupt), "{frame:x?}");
    }
    // Without takeover nothing is left of the message before.
    let mut inflater = Inflater::new(way(15, true));
    assert!(inflate_whole(&mut inflater, b"\xf2\x48\xcd\xc9\xc9\x07\x00").is_ok());
    assert_eq!(inflate_whole(&mut inflater, b"\xf2\x00\x11\x00\x00"), Err(InflateError::Corrupt));
}

#[test]
fn a_message_up_to_the_limit_is_taken_and_a_byte_more_is_not() {
    let mut random = Random::new(5);
    for length in [0, 1, 5, 511, 512, 513, 4096, 32 << 10, 100_000] {
        let message = random.words(length);
        let mut frame = Vec::new();
        Deflater::new(way(15, false), 6).compress_part(&message, true, &mut frame).unwrap();
        let mut inflater = Inflater::new(way(15, false));
        for _ in 0..3 {
            assert!(inflate(&mut inflater, &mut random, &frame, length) == Ok(message.clone()), "{length}");
        }
        if length > 0 {
            let verdict = inflate(&mut inflater, &mut random, &frame, length - 1);
            assert_eq!(verdict, Err(InflateError::TooBig), "{length}");
        }
    }
}

#[test]
fn the_limit_counts_what_has_been_taken_away() {
    let mut frame = Vec::new();
    assert!(Deflater::new(way(15, false), 6).compress(&[b'x'; 100_000], &mut frame));
    let (mut inflater, mut input, mut total) = (Inflater::new(way(15, false)), &frame[..], 0);
    let verdict = loop {
        let mut out = Vec::new();
        match inflater.step(input, true, &mut out, 99_999, 1000) {
            Ok(Progress { consumed, done: false }) => input = &input[consumed..],
            verdict => break verdict,
        }
        total += out.len();
    };
    assert_eq!((verdict, total), (Err(InflateError::TooBig), 99_000));
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let (limit, mebibyte) = (1 << 20, vec![0; 1 << 20]);
    let mut deflater = Deflater::new(way(15, false), 9);
    let mut bomb = Vec::new();
    for _ in 0..128 {
        deflater.compress_part(&mebibyte, false, &mut bomb).unwrap();
    }
    for most in [usize::MAX, 64 << 10] {
        let held = counted::most_held(|| {
            let (mut inflater, mut input, mut out) = (Inflater::new(way(15, false)), &bomb[..], Vec::new());
            let verdict = loop {
                match inflater.step(input, true, &mut out, limit, most) {
                    Ok(progress) => input = &input[progress.consumed..],
                    Err(error) => break error,
                }
            };
            assert_eq!(verdict, InflateError::TooBig);
        });
        // The vector is copied as it grows.
        let allowed = limit + limit / 2 + memory(15, 15);
        assert!(held <= allowed, "{held} of {allowed}");
    }
}

#[test]
fn a_connection_holds_as_much_as_is_reckoned() {
    let messages: Vec<Vec<u8>> = (0..10).map(|seed| Random::new(seed).words(50_000)).collect();
    for (outgoing, incoming) in (8..=15).flat_map(|one| (8..=15).map(move |other| (one, other))) {
        let mut frames = Vec::new();
        let mut peer = Deflater::new(way(incoming, false), 6);
        for message in &messages {
            let mut frame = Vec::new();
            assert!(peer.compress(message, &mut frame));
            frames.push(frame);
        }
        let mut out = Vec::with_capacity(1 << 20);
        let held = counted::most_held(|| {
            let (mut deflater, mut inflater) =
                (Deflater::new(way(outgoing, false), 6), Inflater::new(way(incoming, false)));
            for (message, frame) in messages.iter().zip(&frames) {
                out.clear();
                assert!(deflater.compress(message, &mut out));
                out.clear();
                assert!(inflater.step(frame, true, &mut out, 1 << 20, usize::MAX).is_ok());
            }
        });
        let reckoned = memory(outgoing, incoming);
        assert!(
            held <= reckoned && held + (16 << 10) >= reckoned,
            "{outgoing} {incoming}: {held} of {reckoned}"
        );
    }
}

#[test]
fn a_connection_holds_nothing_before_its_first_message_nor_without_takeover() {
    let message = Random::new(1).words(50_000);
    let mut frame = Vec::new();
    let held = counted::held(|| {
        let mut both = (Deflater::new(way(15, true), 6), Inflater::new(way(15, true)));
        assert_eq!(counted::now(), 0);
        frame.reserve_exact(message.len());
        let before = counted::now();
        assert!(both.0.compress(&message, &mut frame));
        assert!(inflate_whole(&mut both.1, &frame).is_ok());
        assert_eq!(counted::now(), before);
        frame = Vec::new();
    });
    assert_eq!(held, 0);
}
