//! Fuzzing of [`Receiver`]: what a connection makes of the bytes that arrive.

use std::io::{self, Write};

use tungstenite::error::Error as TheirError;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::Message;

use super::close::{self, BadClose, CloseFrame};
use super::message::{Fault, Place, Turn, TURN_BYTES};
use super::receive::{Controls, Receiver};
use crate::frame::deflate::Inflater;
use crate::frame::extension::Way;
use crate::frame::LARGEST_HEADER;
use crate::runtime::Buffers;

/// What has come out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    messages: Vec<(bool, Vec<u8>)>,
    /// Those that are owed a pong.
    pings: Vec<Vec<u8>>,
    pongs: Vec<Vec<u8>>,
    end: Option<End>,
}

/// What ends a connection, and the code that it ends with.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed(Option<(u16, String)>),
    /// A close frame with a code that must not be sent.
    BadCode,
    Fault(u16),
}

/// However the stream is cut, the receiver makes of it what tungstenite makes of it, whole or in parts.
pub fn fuzz(data: &[u8]) {
    let Some(([flags, limit, cuts @ ..], program)) = data.split_first_chunk::<6>() else { return };
    let role = if flags & 1 == 0 { Role::Client } else { Role::Server };
    let limit = [200_000, 125, 4096, 100_000][usize::from(limit & 3)];
    let stream = if flags & 2 == 0 { program.to_vec() } else { frames(role, program) };
    if flags & 4 != 0 {
        // Tungstenite knows no compression, so the cuts are compared with one another.
        let of = |cuts: &[u8], in_parts| ours(role, limit, &stream, cuts, in_parts, true);
        let (whole, cut) = (of(&[0], false), of(cuts, false));
        // What is both too big and damaged is either, as the cuts fall.
        assert_eq!(whole.end.is_some(), cut.end.is_some());
        assert!(whole.messages == cut.messages && whole.pings == cut.pings && whole.pongs == cut.pongs);
        let parts = of(cuts, true);
        // In parts, what is there of a frame is judged at once.
        assert!(parts.end.is_some() || whole.end.is_none());
        assert!(whole.messages == parts.messages && whole.pings == parts.pings && whole.pongs == parts.pongs);
        return;
    }
    for (cuts, in_parts) in [(&cuts[..], false), (&cuts[..], true), (&[0], false)] {
        let mut theirs = Theirs::new(role, limit);
        theirs.feed(&stream);
        compare(&ours(role, limit, &stream, cuts, in_parts, false), theirs, limit);
    }
}

fn compare(ours: &Seen, mut theirs: Theirs, limit: usize) {
    if matches!(ours.end, Some(End::Fault(_))) && theirs.seen.end.is_none() {
        // A header, or the beginning of a payload, is judged as soon as it is there; tungstenite waits for the rest
        // of the frame.
        theirs.feed(&vec![0; limit.max(1 << 16) + LARGEST_HEADER]);
    }
    let theirs = &theirs.seen;
    assert!(ours.messages == theirs.messages, "{ours:?}\n{theirs:?}");
    assert!(ours.pings == theirs.pings && ours.pongs == theirs.pongs, "{ours:?}\n{theirs:?}");
    match (&ours.end, &theirs.end) {
        // What else is wrong with a header counts before its length.
        (Some(End::Fault(close::PROTOCOL_ERROR)), Some(End::Fault(close::TOO_BIG))) => {}
        // Where both are wrong, the code counts before the reason.
        (Some(End::BadCode), Some(End::Fault(close::INVALID_DATA))) => {}
        // Tungstenite puts this frame in the place of one whose code it refuses, as it does 1014, which IANA has
        // registered.
        (Some(End::BadCode | End::Closed(Some((1014, _)))), Some(End::Closed(Some((1002, reason)))))
            if reason == "Protocol violation" => {}
        (ours, theirs) => assert_eq!(ours, theirs),
    }
}

/// The frames that a program describes: their first byte, their length, what they hold, and where it repeats.
fn frames(role: Role, mut program: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some(([first, low, high, count, mask], rest)) = program.split_first_chunk::<5>() {
        let count = usize::from(*count).min(rest.len());
        let (content, behind) = rest.split_at(count);
        program = behind;
        // Three lengths of four are those of the content.
        let length = if low & 3 == 0 { usize::from(u16::from_le_bytes([*low, *high])) * 2 } else { count };
        let payload: Vec<u8> = match content.is_empty() {
            true => vec![b'a'; length],
            false => content.iter().copied().cycle().take(length).collect(),
        };
        let mask = matches!(role, Role::Server).then_some([*mask, 0, *low, *high]);
        crate::frame::write::put_frame(&mut stream, *first, &payload, mask);
        if stream.len() > 256 << 10 {
            break;
        }
    }
    stream
}

impl Controls for Seen {
    fn ping(&mut self, payload: &[u8]) {
        self.pings.push(payload.to_vec());
    }

    fn pong(&mut self, payload: &[u8]) {
        self.pongs.push(payload.to_vec());
    }

    fn close(&mut self, payload: &[u8]) {
        assert_eq!(self.end, None);
        self.end = Some(match CloseFrame::received(payload) {
            Ok(frame) => End::Closed(frame.map(|frame| (frame.code, frame.reason))),
            Err(BadClose::Code) => End::BadCode,
            Err(BadClose::HalfACode) => End::Fault(close::PROTOCOL_ERROR),
            Err(BadClose::Reason) => End::Fault(close::INVALID_DATA),
        });
    }
}

fn code(fault: &Fault) -> u16 {
    match fault {
        Fault::Protocol(_) => close::PROTOCOL_ERROR,
        Fault::Utf8 | Fault::Compression => close::INVALID_DATA,
        Fault::TooBig(_) | Fault::NoMemory | Fault::OverBudget => close::TOO_BIG,
    }
}

/// Reads a stream as a connection does: each read as long as the cuts say, each turn to its end, and what it has left
/// in the next one.
fn ours(role: Role, limit: usize, stream: &[u8], cuts: &[u8], in_parts: bool, inflates: bool) -> Seen {
    let buffers = Buffers::default();
    let inflater = inflates.then(|| Box::new(Inflater::new(Way { bits: 9, no_takeover: false })));
    let mut receiver = Receiver::new(role, limit, in_parts, inflater, Vec::new());
    let mut seen = Seen::default();
    // The squares of the bytes, so that cuts are small and large; 0 is as much as a block takes.
    let mut cuts = cuts.iter().cycle().map(|cut| usize::from(*cut).pow(2));
    let (mut unread, mut rest, mut unfinished) = (stream, None::<(Vec<u8>, usize)>, None);
    loop {
        let mut turn = Turn::new();
        let size = match cuts.next().unwrap_or_default() {
            0 => usize::MAX,
            size => size,
        };
        let (mut block, mut at) = (Vec::new(), 0);
        let result = if let Some((left, from)) = rest.take() {
            (block, at) = (left, from);
            None
        } else if receiver.has_compressed() {
            None
        } else if unread.is_empty() {
            break;
        } else {
            let direct = match receiver.direct(&buffers) {
                Ok(Some(room)) => {
                    let (read, behind) = unread.split_at(size.min(room.len()).min(unread.len()));
                    room[..read.len()].copy_from_slice(read);
                    unread = behind;
                    Ok(Some(read.len()))
                }
                Ok(None) => Ok(None),
                Err(fault) => Err(fault),
            };
            match direct {
                Ok(Some(length)) => Some(receiver.took_direct(length, &mut turn)),
                Ok(None) => {
                    block = std::mem::take(&mut receiver.tail);
                    let (read, behind) = unread.split_at(size.min(2 * TURN_BYTES).min(unread.len()));
                    block.extend_from_slice(read);
                    unread = behind;
                    None
                }
                Err(fault) => Some(Err(fault)),
            }
        };
        let end = block.len();
        let mut has_rest = false;
        let result = result.unwrap_or_else(|| {
            let taken = receiver.take(&mut block, &mut at, end, &mut turn, &mut seen, &buffers);
            match taken {
                Ok(()) if at < end && turn.is_over() && seen.end.is_none() => {
                    has_rest = true;
                    Ok(())
                }
                Ok(()) => receiver.keep(block.get(at..end).unwrap_or_default()),
                fault => fault,
            }
        });
        collect(&mut turn, &block, in_parts, &mut seen, &mut unfinished);
        rest = has_rest.then_some((block, at));
        if let Err(fault) = result {
            assert_eq!(seen.end, None);
            seen.end = Some(End::Fault(code(&fault)));
        }
        if seen.end.is_some() {
            break;
        }
        assert!(in_parts || !unread.is_empty() || rest.is_some() || receiver.held() <= 2 * limit + (4 << 20));
    }
    seen
}

/// Puts messages together from what a turn hands on.
fn collect(
    turn: &mut Turn,
    block: &[u8],
    in_parts: bool,
    seen: &mut Seen,
    unfinished: &mut Option<(bool, Vec<u8>)>,
) {
    for item in &turn.items {
        let own;
        let bytes = match item.place {
            Place::Block(start, length) => &block[start as usize..start as usize + length as usize],
            Place::Own => {
                own = turn.own.pop_front().unwrap();
                own.bytes()
            }
        };
        assert_eq!(item.is_first, unfinished.is_none());
        assert!(in_parts || item.is_first && item.is_last);
        assert!(!bytes.is_empty() || item.is_last);
        assert!(!item.is_text || std::str::from_utf8(bytes).is_ok());
        let message = unfinished.get_or_insert_with(|| (item.is_text, Vec::new()));
        assert_eq!(message.0, item.is_text);
        message.1.extend_from_slice(bytes);
        if item.is_last {
            seen.messages.extend(unfinished.take());
        }
    }
    assert!(turn.own.is_empty());
}

/// What tungstenite makes of a stream.
struct Theirs {
    socket: WebSocket<Pipe>,
    seen: Seen,
}

struct Pipe(Vec<u8>, usize);

impl io::Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.0.get(self.1..).unwrap_or_default();
        let length = left.len().min(buf.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buf[..length].copy_from_slice(&left[..length]);
        self.1 += length;
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Theirs {
    fn new(role: Role, limit: usize) -> Theirs {
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .max_message_size(Some(limit))
            .max_frame_size(Some(limit.max(125)));
        let socket = WebSocket::from_raw_socket(Pipe(Vec::new(), 0), role, Some(config));
        Theirs { socket, seen: Seen::default() }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.socket.get_mut().0.extend_from_slice(bytes);
        while self.seen.end.is_none() {
            let end = match self.socket.read() {
                Ok(Message::Text(text)) => {
                    self.seen.messages.push((true, text.as_bytes().to_vec()));
                    continue;
                }
                Ok(Message::Binary(bytes)) => {
                    self.seen.messages.push((false, bytes.to_vec()));
                    continue;
                }
                Ok(Message::Ping(payload)) => {
                    self.seen.pings.push(payload.to_vec());
                    continue;
                }
                Ok(Message::Pong(payload)) => {
                    self.seen.pongs.push(payload.to_vec());
                    continue;
                }
                Ok(Message::Close(frame)) => {
                    End::Closed(frame.map(|frame| (frame.code.into(), frame.reason.to_string())))
                }
                Ok(Message::Frame(_)) => unreachable!(),
                Err(TheirError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(TheirError::Utf8(_)) => End::Fault(close::INVALID_DATA),
                Err(TheirError::Capacity(_)) => End::Fault(close::TOO_BIG),
                Err(TheirError::Protocol(_)) => End::Fault(close::PROTOCOL_ERROR),
                Err(error) => unreachable!("{error:?}"),
            };
            self.seen.end = Some(end);
        }
    }
}
