//! Follows the frames in the bytes that come in, to know when the stream is between messages.
//!
//! tungstenite's buffers keep their first read size and their largest size for ever. Between messages it can
//! be replaced by a new one: with larger reads while large messages flow, and small again afterwards.

/// Frames above this are worth large reads.
pub(super) const LARGE: usize = 64 << 10;

/// Where in the stream of frames the bytes so far have ended.
#[derive(Debug, Default)]
pub struct Scan {
    /// The header that is incomplete.
    header: [u8; 14],
    have: usize,
    /// Payload bytes still to come.
    payload: u64,
    /// Between the fragments of a message.
    fragmented: bool,
    /// The frame that has begun is the last of something to tell: a message, or a control frame.
    tells: bool,
    /// Whole messages and control frames so far.
    told: u64,
    large: bool,
}

impl Scan {
    /// Whether the bytes so far end with a whole message.
    pub fn is_between_messages(&self) -> bool {
        self.have == 0 && self.payload == 0 && !self.fragmented
    }

    /// Whether the bytes so far end with a whole frame, and hold as many messages and control frames as that.
    pub fn is_all(&self, told: u64) -> bool {
        self.told == told && self.have == 0 && self.payload == 0
    }

    /// Whether a large frame has begun since this was asked last.
    pub fn take_large(&mut self) -> bool {
        std::mem::take(&mut self.large)
    }

    /// Payload bytes of the frame that has begun which are still to come.
    pub fn rest_of_frame(&self) -> usize {
        usize::try_from(self.payload).unwrap_or(usize::MAX)
    }

    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let rest = bytes.len().min(self.rest_of_frame());
                bytes = bytes.get(rest..).unwrap_or_default();
                self.payload -= rest as u64;
                self.count();
                continue;
            }
            let had = self.have;
            let frame = match had {
                0 => Head::parse(bytes),
                _ => {
                    // As much as the longest header may have; what doesn't belong to it stays.
                    self.keep(bytes);
                    Head::parse(self.header.get(..self.have).unwrap_or_default())
                }
            };
            let Some(frame) = frame else {
                if had == 0 {
                    self.keep(bytes);
                }
                return;
            };
            bytes = bytes.get(frame.header - had..).unwrap_or_default();
            self.have = 0;
            self.payload = frame.payload;
            self.large |= frame.payload > LARGE as u64;
            self.tells = frame.is_control || frame.is_final;
            if !frame.is_control {
                self.fragmented = !frame.is_final;
            }
            self.count();
        }
    }

    /// The frame may be complete.
    fn count(&mut self) {
        if self.payload == 0 && self.tells {
            self.told += 1;
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        for (place, byte) in self.header.iter_mut().skip(self.have).zip(bytes) {
            *place = *byte;
            self.have += 1;
        }
    }
}

/// What matters of a frame's header (RFC 6455 5.2).
struct Head {
    /// The header's length.
    header: usize,
    payload: u64,
    is_control: bool,
    is_final: bool,
}

impl Head {
    /// `None` if the bytes don't hold the whole header.
    fn parse(bytes: &[u8]) -> Option<Head> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (extended, payload) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (8, u64::from_be_bytes(*rest.first_chunk()?)),
            length => (0, u64::from(length)),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if rest.len() < extended + mask {
            return None;
        }
        Some(Head {
            header: 2 + extended + mask,
            payload,
            is_control: first & 0x08 != 0,
            is_final: first & 0x80 != 0,
        })
    }
}

/// It is between messages when tungstenite, given the same stream, has told of a whole one and of nothing else; and
/// it makes no difference how the stream is cut.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    use std::io::{self, Read, Write};
    use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
    use tungstenite::Message;

    /// Brings one byte at a time.
    struct Drops(Option<u8>);
    impl Read for Drops {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match (self.0.take(), buf.first_mut()) {
                (Some(byte), Some(place)) => {
                    *place = byte;
                    Ok(1)
                }
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
    impl Write for Drops {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let Some(([role, piece], stream)) = data.split_first_chunk::<2>() else { return };
    let role = if role & 1 == 0 { Role::Client } else { Role::Server };
    let config = WebSocketConfig::default().read_buffer_size(16).max_message_size(Some(1 << 16));
    let mut socket = WebSocket::from_raw_socket(Drops(None), role, Some(config));
    let (mut by_bytes, mut by_pieces) = (Scan::default(), Scan::default());
    for piece in stream.chunks(usize::from(*piece) + 1) {
        by_pieces.feed(piece);
        for byte in piece {
            by_bytes.feed(&[*byte]);
            socket.get_mut().0 = Some(*byte);
            let told = match socket.read() {
                Ok(Message::Close(_)) => return,
                Ok(message) => Some(message),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
                // The connection ends.
                Err(_) => return,
            };
            let is_data = matches!(told, Some(Message::Text(_) | Message::Binary(_)));
            assert!(told.is_some() || !by_bytes.is_between_messages());
            assert!(!is_data || by_bytes.is_between_messages());
        }
        assert_eq!(by_pieces.is_between_messages(), by_bytes.is_between_messages());
        assert_eq!(by_pieces.rest_of_frame(), by_bytes.rest_of_frame());
    }
    assert_eq!(by_pieces.take_large(), by_bytes.take_large());
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::coding::{Data, OpCode};
    use tungstenite::protocol::frame::Frame;

    fn wire(frame: Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.format(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_is_between_messages_exactly_after_the_last_byte_however_the_stream_is_cut() {
        let data =
            |opcode, length: usize, fin| wire(Frame::message(vec![7; length], OpCode::Data(opcode), fin));
        let messages = [
            data(Data::Text, 0, true),
            data(Data::Binary, 125, true),
            data(Data::Binary, 126, true),
            data(Data::Binary, 70_000, true),
            wire(Frame::ping(vec![1, 2])),
            [data(Data::Text, 3, false), wire(Frame::ping(vec![])), data(Data::Continue, 0, true)].concat(),
        ];
        let ends: Vec<usize> = messages
            .iter()
            .scan(0, |end, message| {
                *end += message.len();
                Some(*end)
            })
            .collect();
        let stream = messages.concat();
        for step in [1, 2, 3, 7, 1000] {
            let (mut scan, mut at) = (Scan::default(), 0);
            let frames = messages.len() as u64 + 1; // one ping is between fragments
            for piece in stream.chunks(step) {
                scan.feed(piece);
                at += piece.len();
                assert_eq!(scan.is_between_messages(), ends.contains(&at), "{step} {at}");
            }
            assert!(scan.take_large() && !scan.take_large());
            assert!(scan.is_all(frames) && !scan.is_all(frames - 1), "{step}");
        }
    }

    #[test]
    fn a_masked_header_is_four_bytes_longer() {
        let mut scan = Scan::default();
        scan.feed(&[0x82, 0x81, 1, 2, 3]);
        assert!(!scan.is_between_messages());
        scan.feed(&[4]);
        assert!(!scan.is_between_messages());
        scan.feed(&[9]);
        assert!(scan.is_between_messages());
    }

    #[test]
    fn an_absurd_length_is_only_a_number() {
        let mut scan = Scan::default();
        scan.feed(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6]);
        assert!(!scan.is_between_messages());
    }
}
