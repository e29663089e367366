//! Frames to bytes.

use tungstenite::protocol::frame::coding::OpCode;

use super::{mask, LARGEST_HEADER};

/// How a frame begins: its final bit, reserved bits and opcode.
pub(crate) fn first_byte(opcode: OpCode, is_final: bool, reserved: u8) -> u8 {
    u8::from(opcode) | reserved | if is_final { 0x80 } else { 0 }
}

/// The length of the header of a frame.
#[inline]
pub(crate) fn header_size(length: usize, is_masked: bool) -> usize {
    let size = match length {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    size + if is_masked { 4 } else { 0 }
}

/// Writes a header, and says how long it is.
#[inline]
pub(crate) fn put_header(
    out: &mut [u8; LARGEST_HEADER],
    first: u8,
    length: usize,
    mask: Option<[u8; 4]>,
) -> usize {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let [a, b, c, d, e, f, g, h, i, j, ..] = out;
    *a = first;
    let size = match length {
        0..=125 => {
            *b = masked | length as u8;
            2
        }
        126..=0xffff => {
            *b = masked | 126;
            [*c, *d] = (length as u16).to_be_bytes();
            4
        }
        _ => {
            *b = masked | 127;
            [*c, *d, *e, *f, *g, *h, *i, *j] = (length as u64).to_be_bytes();
            10
        }
    };
    let Some(mask) = mask else { return size };
    if let Some(place) = out.get_mut(size..size + 4) {
        place.copy_from_slice(&mask);
    }
    size + 4
}

/// Appends a whole frame.
#[inline(always)]
pub(crate) fn put_frame(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    let length = payload.len();
    match (mask, length) {
        // Usual frames, byte by byte: that costs less than a call.
        (None, 0..=125) => {
            out.push(first);
            out.push(length as u8);
        }
        (None, 126..=0xffff) => {
            let [high, low] = (length as u16).to_be_bytes();
            out.push(first);
            out.push(126);
            out.push(high);
            out.push(low);
        }
        (Some(mask), 126..=0xffff) => {
            let [high, low] = (length as u16).to_be_bytes();
            let [a, b, c, d] = mask;
            for byte in [first, 0x80 | 126, high, low, a, b, c, d] {
                out.push(byte);
            }
        }
        _ => {
            let mut header = [0; LARGEST_HEADER];
            let size = put_header(&mut header, first, length, mask);
            out.reserve(size + length);
            out.extend_from_slice(header.get(..size).unwrap_or_default());
        }
    }
    match mask {
        None => out.extend_from_slice(payload),
        Some(mask) => mask::append(out, payload, mask),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::Header;
    use super::*;
    use tungstenite::protocol::frame::coding::Data;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for length in [0, 1, 125, 126, 127, 0xffff, 0x10000] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
                let mut wire = Vec::new();
                put_frame(&mut wire, first_byte(OpCode::Data(Data::Text), true, 0x40), &payload, mask);
                let header = Header::parse(&wire).unwrap().unwrap();
                assert_eq!(header.size, header_size(length, mask.is_some()));
                assert!(header.is_final && header.reserved == 0x40);
                assert_eq!((header.opcode, header.mask), (OpCode::Data(Data::Text), mask));
                assert_eq!(wire.len(), header.size + length);
                let body = &mut wire[header.size..];
                if let Some(mask) = mask {
                    mask::apply(body, mask, 0);
                }
                assert_eq!(body, payload);
            }
        }
    }
}
