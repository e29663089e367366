//! Frames that are encoded, on their way to the socket.

use bytes::Bytes;
use tungstenite::protocol::frame::coding::Control;

/// Whole frames on their way out.
#[derive(Debug)]
pub(super) struct Segment {
    pub memory: Memory,
    /// How many bytes of it are written.
    pub at: usize,
    /// Bytes of its first frame are written, so no other frame may come before it.
    pub begun: bool,
    pub sent: Sent,
    /// A control frame that a later one of its kind replaces while none of it is written.
    pub control: Option<Control>,
}

#[derive(Debug)]
pub(super) enum Memory {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Segment {
    pub fn new(bytes: Vec<u8>, sent: Sent) -> Segment {
        Segment { memory: Memory::Own(bytes), at: 0, begun: false, sent, control: None }
    }

    pub fn shared(bytes: Bytes, sent: Sent) -> Segment {
        Segment { memory: Memory::Shared(bytes), at: 0, begun: false, sent, control: None }
    }

    /// What is still to be written.
    pub fn left(&self) -> &[u8] {
        let bytes: &[u8] = match &self.memory {
            Memory::Own(bytes) => bytes,
            Memory::Shared(bytes) => bytes,
        };
        bytes.get(self.at..).unwrap_or_default()
    }
}

/// What has been sent when a segment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// What it cost in the queue.
    pub cost: usize,
    /// Whole messages, pings not counted.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sent {
    pub fn add(&mut self, other: Sent) {
        self.cost += other.cost;
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}
