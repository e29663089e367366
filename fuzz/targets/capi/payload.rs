//! Messages that say who has sent them, and which of the sender's messages they are. All of it is ASCII, for texts.

/// What a message says of itself.
pub struct Header {
    /// 0: a client's; 1: the echo of one; 2, 3: a broadcast to all, or to a group; 4: to one connection.
    pub kind: u8,
    pub sender: usize,
    pub number: u32,
    /// The client, or the server.
    pub about: usize,
}

const LENGTH: usize = 8;
/// What begins so or not with ASCII, or is shorter, has no number.
pub const ANONYMOUS: u8 = b'p';
/// The rest of the message is anything.
const UNFILLED: u8 = 1;

/// A message of this length, but not shorter than what it says.
pub fn write(header: &Header, length: usize, is_filled: bool) -> Vec<u8> {
    let seven = |shift: u32| (header.number >> shift) as u8 & 127;
    let mut message = vec![b'A' + header.kind, header.sender as u8, header.about as u8];
    message.extend([seven(14), seven(7), seven(0), 0, if is_filled { 0 } else { UNFILLED }]);
    message.resize(length.max(LENGTH), fill(header.number));
    message
}

/// `None`: it has no number.
pub fn parse(message: &[u8], is_text: bool) -> Option<Header> {
    assert!(!is_text || std::str::from_utf8(message).is_ok(), "a text is not UTF-8");
    if message.len() < LENGTH || message[0] == ANONYMOUS || !message[0].is_ascii() {
        return None;
    }
    let number = message[3..6].iter().fold(0, |number, byte| number << 7 | u32::from(*byte));
    let (kind, sender, about) =
        (message[0].wrapping_sub(b'A'), usize::from(message[1]), usize::from(message[2]));
    assert!(kind <= 4 && message[6] == 0, "a message that nobody has sent");
    if message[7] != UNFILLED {
        assert!(message[LENGTH..].iter().all(|byte| *byte == fill(number)), "a message has changed");
    }
    Some(Header { kind, sender, number, about })
}

fn fill(number: u32) -> u8 {
    b'a' + (number % 26) as u8
}

/// The echo of a client's message.
pub fn echo(message: &[u8]) -> Vec<u8> {
    let mut echo = message.to_vec();
    if message.len() >= LENGTH && message[0] == b'A' {
        echo[0] = b'B';
    }
    echo
}
