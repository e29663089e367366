//! How far back a DEFLATE stream (RFC 1951) refers, read by nothing but the RFC.

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        let bit = |at: usize| usize::from(self.data[at / 8] >> (at % 8) & 1);
        let value = (0..count).map(|bit_of| bit(self.at + bit_of) << bit_of).sum();
        self.at += count;
        value
    }
}

/// A Huffman code, as the lengths of its words (3.2.2).
struct Code {
    /// How many words there are of each length, and the symbols by length.
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().for_each(|length| counts[*length] += 1);
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Code { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut word, mut first, mut before) = (0, 0, 0);
        for count in &self.counts[1..] {
            word |= bits.take(1);
            if word < first + count {
                return self.symbols[before + word - first];
            }
            before += count;
            first = (first + count) << 1;
            word <<= 1;
        }
        panic!("no such word");
    }
}

/// The extra bits of a length symbol (3.2.5), from 257.
fn extra_of_length(symbol: usize) -> usize {
    match symbol - 257 {
        0..=7 | 28 => 0,
        other => other / 4 - 1,
    }
}

/// The longest distance in a message, of which the tail has been cut off.
pub fn longest(message: &[u8]) -> usize {
    let data = [message, &[0, 0, 0xff, 0xff]].concat();
    let mut bits = Bits { data: &data, at: 0 };
    let mut longest = 0;
    while bits.at < data.len() * 8 {
        let _is_last = bits.take(1);
        let (literals, distances) = match bits.take(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let length = bits.take(16);
                assert_eq!(bits.take(16), !length & 0xffff);
                bits.at += length * 8;
                continue;
            }
            1 => {
                let lengths = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                (Code::new(&lengths), Code::new(&[5; 30]))
            }
            2 => dynamic(&mut bits),
            _ => panic!("no such block"),
        };
        loop {
            let symbol = literals.read(&mut bits);
            if symbol == 256 {
                break;
            }
            if symbol > 256 {
                bits.take(extra_of_length(symbol));
                let symbol = distances.read(&mut bits);
                let extra = (symbol / 2).saturating_sub(1);
                let base = if symbol < 2 { symbol } else { (2 + symbol % 2) << extra };
                longest = longest.max(1 + base + bits.take(extra));
            }
        }
    }
    assert_eq!(bits.at, data.len() * 8);
    longest
}

/// 3.2.7
fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut lengths = [0; 19];
    ORDER[..codes].iter().for_each(|symbol| lengths[*symbol] = bits.take(3));
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(bits) {
            16 => (*lengths.last().unwrap(), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
}
