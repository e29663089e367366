//! Bytes to frame headers.

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The header of a frame (RFC 6455 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub is_final: bool,
    /// RSV1 to RSV3, where they are in the first byte.
    pub reserved: u8,
    pub opcode: OpCode,
    pub mask: Option<[u8; 4]>,
    /// The header's own length.
    pub size: usize,
    /// The payload's length.
    pub length: u64,
}

/// What makes a header impossible, as the end of a sentence.
pub(crate) type Fault = &'static str;

impl Header {
    /// The header at the beginning of these bytes; `None` if they don't hold all of it.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Fault> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let opcode = match first & 0x0f {
            0 => OpCode::Data(Data::Continue),
            1 => OpCode::Data(Data::Text),
            2 => OpCode::Data(Data::Binary),
            8 => OpCode::Control(Control::Close),
            9 => OpCode::Control(Control::Ping),
            10 => OpCode::Control(Control::Pong),
            _ => return Err("a frame has an opcode that is reserved"),
        };
        let (mut size, length) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            length => (2, u64::from(length)),
        };
        if length >> 63 != 0 {
            return Err("a frame's length has its highest bit set");
        }
        let mut mask = None;
        if second & 0x80 != 0 {
            let Some(bytes) = bytes.get(size..).and_then(|bytes| bytes.first_chunk()) else {
                return Ok(None);
            };
            mask = Some(*bytes);
            size += 4;
        }
        Ok(Some(Header { is_final: first & 0x80 != 0, reserved: first & 0x70, opcode, mask, size, length }))
    }
}

/// A header is what tungstenite makes of it, and is written as it was read.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    use tungstenite::protocol::frame::FrameHeader;

    use super::write::{first_byte, header_size, put_header};
    use super::LARGEST_HEADER;

    let mut cursor = std::io::Cursor::new(data);
    let theirs = FrameHeader::parse(&mut cursor);
    let ours = Header::parse(data);
    for end in 0..data.len().min(LARGEST_HEADER) {
        let part = Header::parse(data.get(..end).unwrap_or_default());
        // A fault is found as soon as its byte is there, a header when all of it is.
        assert!(part == Ok(None) || part.is_err() && part == ours || ours.is_ok_and(|ours| part == Ok(ours)));
    }
    let (ours, (theirs, length)) = match (ours, theirs) {
        (Ok(Some(ours)), Ok(Some(theirs))) => (ours, theirs),
        (Ok(None), Ok(None)) => return,
        // Tungstenite looks at the opcode last, and leaves the highest bit of the length to its limit.
        (Err(_), Err(_) | Ok(None)) => return,
        (Err(_), Ok(Some((_, length)))) => return assert!(length >> 63 != 0),
        (ours, theirs) => panic!("{ours:?} {theirs:?}"),
    };
    assert_eq!((ours.is_final, ours.opcode, ours.mask), (theirs.is_final, theirs.opcode, theirs.mask));
    let reserved = [(theirs.rsv1, 0x40), (theirs.rsv2, 0x20), (theirs.rsv3, 0x10)];
    assert_eq!(ours.reserved, reserved.iter().map(|(is_set, bit)| if *is_set { *bit } else { 0 }).sum());
    assert_eq!((ours.size as u64, ours.length), (cursor.position(), length));

    let Ok(size) = usize::try_from(length) else { return };
    let mut written = [0; LARGEST_HEADER];
    let first = first_byte(ours.opcode, ours.is_final, ours.reserved);
    let end = put_header(&mut written, first, size, ours.mask);
    let mut expected = Vec::new();
    assert!(theirs.format(length, &mut expected).is_ok());
    assert_eq!(written.get(..end), Some(&expected[..]));
    assert_eq!(header_size(size, ours.mask.is_some()), end);
    // A length may be written longer than it need be.
    assert!(ours.size >= end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_when_all_of_it_is_there() {
        for (bytes, size, length) in [
            (&[0x81, 5][..], 2, 5),
            (&[0x82, 126, 1, 2], 4, 0x102),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 10, 0x10000),
            (&[0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 9, 8, 7, 6], 14, 0x10000),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..cut]), Ok(None), "{bytes:?} {cut}");
            }
            let header = Header::parse(bytes).unwrap().unwrap();
            assert_eq!((header.size, header.length), (size, length));
            assert_eq!(header.mask, (size == 14).then_some([9, 8, 7, 6]));
        }
    }

    #[test]
    fn what_no_frame_can_have_is_refused() {
        for opcode in [3, 7, 11, 15] {
            assert!(Header::parse(&[0x80 | opcode, 0]).is_err());
        }
        assert!(Header::parse(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
