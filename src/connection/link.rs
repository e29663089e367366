//! The link to the socket: the thread that holds its lock reads and writes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use tokio::io::AsyncWrite;
use tungstenite::protocol::frame::coding::Control;

use super::close::Ending;
use super::heartbeat::Pulse;
use super::receive::{Controls, Receiver};
use super::segment::{Memory, Segment, Sent};
use crate::frame::{LARGEST_CONTROL, LARGEST_HEADER};
use crate::runtime::{Alarm, Block, Buffers};
use crate::transport::{Carried, Transport};

/// Segments that one write takes.
const PARTS: usize = 16;
/// A larger queue of segments is given back when it is empty.
const KEPT_CAPACITY: usize = 1;
/// A large message is masked and written in pieces of this size. Each write may wake the peer, which costs more than smaller
/// pieces save in the processor's cache.
const MASKED: usize = 256 << 10;
/// The same in TLS, which takes so much at a time.
const MASKED_TLS: usize = 64 << 10;
/// So much of an unfinished message must arrive in ten times the time that it may pause.
const LEAST_BYTES: u64 = 64 << 10;

/// What is needed to read and write.
pub(super) struct Link {
    /// `None` once the connection has hung up.
    pub transport: Option<Transport>,
    /// Tells the connection that its socket is ready.
    pub waker: Waker,
    pub receiver: Receiver,
    /// The stream has ended, and what came before was not yet looked at.
    pub end_of_stream: Option<io::Result<()>>,
    /// What came with the handshake was not looked at.
    pub has_early: bool,
    pub signals: Signals,
    /// What was read and had no place in its turn.
    pub rest: Option<Box<Rest>>,
    /// What was taken from the outbox and not yet written.
    wire: VecDeque<Segment>,
    /// TLS holds something that isn't flushed.
    dirty: bool,
    /// The transport took no more at the last try.
    pub blocked: bool,
    /// What has been written since it was booked last.
    pub sent: Sent,
    pub messages_received: u64,
    pub bytes_received: u64,
    /// When it began, and how long after that the first message was there.
    opened: Instant,
    pub first_message: Option<Duration>,
    /// What the transport has carried, once it is gone.
    pub carried: Carried,
    /// What the peer has presented in TLS, once the transport is gone.
    pub presented: Box<[CertificateDer<'static>]>,
    /// Received since the last send, so that the next send is worth a write of its own.
    pub answering: bool,
    pub close_sent: bool,
    /// A write has failed; what the peer has sent before it went is still read.
    pub broken: Option<Box<Broken>>,
    /// How the connection has ended; what is left is to flush.
    pub ending: Option<Box<Ending>>,
    /// Until when the last frame may take.
    pub end_by: Option<Instant>,
    pub unfinished: Option<Unfinished>,
    pub alarm: Option<Alarm>,
    /// The last write got as far as the outbox and found it open.
    pub was_open: bool,
    /// A deadline is over; what arrives up to this count of bytes may have been in time.
    pub in_time: Option<u64>,
    /// The end has been reported.
    pub is_over: bool,
    /// How it ended, until the task that waits for it takes it.
    pub outcome: Option<Box<Ending>>,
    pub awaits_outcome: Option<Waker>,
}

/// The link after a failed write.
pub(super) struct Broken {
    pub error: io::Error,
    /// How much time is left for reading, since when this side reads.
    pub left: Duration,
    pub reading_since: Option<Instant>,
}

/// What control frames have brought.
pub(super) struct Signals {
    pub pulse: Pulse,
    /// The payloads of pings, each behind its length.
    pub pings: Vec<u8>,
    pub close: Option<Vec<u8>>,
}

impl Controls for Signals {
    fn ping(&mut self, payload: &[u8]) {
        self.pings.push(payload.len() as u8);
        self.pings.extend_from_slice(payload);
    }

    fn pong(&mut self, payload: &[u8]) {
        self.pulse.got_pong(payload, Instant::now());
    }

    fn close(&mut self, payload: &[u8]) {
        self.close = Some(payload.to_vec());
    }
}

impl Signals {
    /// The payloads of the pings.
    pub fn payloads(pings: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut left = pings;
        std::iter::from_fn(move || {
            let (length, rest) = left.split_first()?;
            let (payload, rest) = rest.split_at_checked(usize::from(*length))?;
            left = rest;
            Some(payload)
        })
    }
}

/// What one turn has left of what was read.
pub(super) struct Rest {
    pub block: Block,
    /// Up to here it holds what was read.
    pub end: usize,
    /// There was more to read.
    pub more: bool,
    /// The parts of the block that came before and are done with.
    pub done: Option<Block>,
}

/// A message whose end has not come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    /// How many messages came before it.
    pub number: u64,
    /// What [`Receiver::arrived`] returned last.
    arrived: u64,
    /// When the last byte came.
    last: Instant,
    /// When this stretch began, and what it has brought.
    since: Instant,
    bytes: u64,
}

impl Unfinished {
    pub fn new(number: u64, arrived: u64, now: Instant) -> Unfinished {
        Unfinished { number, arrived, last: now, since: now, bytes: 0 }
    }

    /// Notes what [`Receiver::arrived`] returns now.
    pub fn note(&mut self, arrived: u64, now: Instant) {
        let bytes = arrived.saturating_sub(self.arrived);
        self.arrived = arrived;
        if bytes == 0 {
            return;
        }
        self.last = now;
        self.bytes += bytes;
        if self.bytes >= LEAST_BYTES {
            (self.since, self.bytes) = (now, 0);
        }
    }

    /// When it has taken too long.
    pub fn deadline(&self, timeout: Duration) -> Instant {
        (self.last + timeout).min(self.since + timeout * 10)
    }
}

impl Link {
    pub fn new(transport: Transport, receiver: Receiver, pulse: Pulse, now: Instant) -> Link {
        Link {
            transport: Some(transport),
            waker: Waker::noop().clone(),
            end_of_stream: None,
            has_early: !receiver.tail.is_empty(),
            receiver,
            signals: Signals { pulse, pings: Vec::new(), close: None },
            rest: None,
            wire: VecDeque::new(),
            dirty: false,
            blocked: false,
            sent: Sent::default(),
            messages_received: 0,
            bytes_received: 0,
            opened: now,
            first_message: None,
            carried: Carried::default(),
            presented: Box::default(),
            answering: true,
            close_sent: false,
            broken: None,
            ending: None,
            end_by: None,
            unfinished: None,
            alarm: None,
            was_open: false,
            in_time: None,
            is_over: false,
            outcome: None,
            awaits_outcome: None,
        }
    }

    /// What was received has been counted.
    #[inline]
    pub fn note_first_message(&mut self, now: Instant) {
        if self.first_message.is_none() && self.messages_received > 0 {
            self.first_message = Some(now.saturating_duration_since(self.opened));
        }
    }

    /// Whether nothing has begun that could bring a deadline before the alarm that is set.
    #[inline]
    pub fn is_calm(&self, now: Instant) -> bool {
        let has_begun_nothing = self.ending.is_none() && self.broken.is_none() && self.unfinished.is_none();
        self.was_open
            && has_begun_nothing
            && self.signals.pulse.is_calm()
            && self.alarm.is_some_and(|alarm| now < alarm.at)
    }

    /// What the transport has carried.
    pub fn carried(&self) -> Carried {
        self.transport.as_ref().map_or(self.carried, Transport::carried)
    }

    /// The certificates that the peer has presented in TLS, its own first.
    pub fn presented(&self) -> &[CertificateDer<'static>] {
        self.transport.as_ref().map_or(&self.presented, Transport::peer_certificates)
    }

    /// Whether some of what lay in the socket when a deadline was over is still to be looked at. A peer that goes on
    /// sending gains no more than the system's buffer.
    pub fn has_more_in_time(&mut self, read_more: bool) -> bool {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.end as u64);
        let received = self.carried().received;
        let Some(transport) = self.transport.as_ref().filter(|_| rest > 0 || read_more) else { return false };
        let until = *self.in_time.get_or_insert_with(|| received + transport.receive_buffer());
        received.saturating_sub(rest) < until
    }

    /// Nothing waits in it, and it takes messages.
    pub fn is_free(&self) -> bool {
        self.wire.is_empty() && !self.blocked && self.may_write()
    }

    /// Whether messages can still be written.
    pub fn may_write(&self) -> bool {
        !self.close_sent && self.ending.is_none() && self.broken.is_none() && self.transport.is_some()
    }

    /// Whether something waits to be written.
    pub fn has_more_to_write(&self) -> bool {
        self.blocked || !self.wire.is_empty() || self.dirty
    }

    pub fn wire(&mut self) -> &mut VecDeque<Segment> {
        &mut self.wire
    }

    /// Puts control frames before everything that has not begun.
    pub fn interject(&mut self, frames: Vec<u8>) {
        let begun = self.wire.front().is_some_and(|first| first.begun);
        self.wire.insert(usize::from(begun), Segment::new(frames, Sent::default()));
    }

    /// Puts a control frame before everything that has not begun, in the place of one of its kind that still waits there.
    pub fn interject_last(&mut self, kind: Control, frame: Vec<u8>) {
        let begun = usize::from(self.wire.front().is_some_and(|first| first.begun));
        let mut waiting = self.wire.iter_mut().skip(begun).take_while(|segment| segment.control.is_some());
        let segment = Segment { control: Some(kind), ..Segment::new(frame, Sent::default()) };
        match waiting.find(|waits| waits.control == Some(kind)) {
            Some(waits) => *waits = segment,
            None => self.wire.insert(begun, segment),
        }
    }

    /// Puts a last frame behind what has begun, and drops the rest.
    pub fn conclude(&mut self, frame: Vec<u8>) {
        let begun = self.wire.front().is_some_and(|first| first.begun);
        self.wire.truncate(usize::from(begun));
        self.wire.push_back(Segment::new(frame, Sent::default()));
    }

    /// Writes until all is written, the transport takes no more, or nothing is `left` of the turn.
    pub fn write(&mut self, buffers: &Buffers, left: &mut usize) -> io::Result<()> {
        self.blocked = false;
        let Some(transport) = &mut self.transport else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut cx = Context::from_waker(&self.waker);
        while !self.wire.is_empty() {
            if *left == 0 {
                return Ok(());
            }
            let written = match self.wire.len() {
                1 => {
                    let first = self.wire.front().map(Segment::left).unwrap_or_default();
                    transport.poll_send(&mut cx, &[IoSlice::new(first)])
                }
                _ => {
                    let mut parts = [IoSlice::new(&[]); PARTS];
                    let (mut count, mut bytes) = (0, 0);
                    for (part, segment) in parts.iter_mut().zip(&self.wire) {
                        if bytes >= *left {
                            break;
                        }
                        *part = IoSlice::new(segment.left());
                        count += 1;
                        bytes += part.len();
                    }
                    transport.poll_send(&mut cx, parts.get(..count).unwrap_or_default())
                }
            };
            self.dirty = !transport.is_plain();
            match written {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    *left = left.saturating_sub(written);
                    advance(&mut self.wire, written, &mut self.sent, buffers);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.blocked = true;
                    return Ok(());
                }
            }
        }
        if self.wire.capacity() > KEPT_CAPACITY {
            self.wire = VecDeque::new();
        }
        if self.dirty {
            match Pin::new(transport).poll_flush(&mut cx) {
                Poll::Ready(result) => {
                    self.dirty = false;
                    result?;
                }
                Poll::Pending => self.blocked = true,
            }
        }
        Ok(())
    }

    /// Writes a frame from the caller's memory; how many bytes were taken.
    pub fn write_direct(&mut self, header: &[u8], payload: &[u8]) -> io::Result<usize> {
        let Some(transport) = &mut self.transport else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut cx = Context::from_waker(&self.waker);
        let mut written = 0;
        while written < header.len() + payload.len() {
            let head = IoSlice::new(header.get(written..).unwrap_or_default());
            let body = IoSlice::new(payload.get(written.saturating_sub(header.len())..).unwrap_or_default());
            match transport.poll_send(&mut cx, &[head, body]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.blocked = true;
                    break;
                }
            }
        }
        self.dirty = !transport.is_plain();
        Ok(written)
    }

    /// How much of a large message is to be masked at a time; a multiple of 4.
    pub fn piece(&self) -> usize {
        match self.transport.as_ref().is_some_and(Transport::is_plain) {
            true => MASKED,
            false => MASKED_TLS,
        }
    }

    /// Drops what can't be written any more.
    pub fn drop_unwritten(&mut self) {
        (self.wire, self.blocked, self.dirty) = (VecDeque::new(), false, false);
    }

    /// The connection is over: what is left is to flush.
    pub fn settle(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending.into());
            self.receiver.close();
            self.rest = None;
            self.unfinished = None;
        }
    }
}

/// Counts what was written, and gives back what is done with.
fn advance(wire: &mut VecDeque<Segment>, mut written: usize, sent: &mut Sent, buffers: &Buffers) {
    while let Some(first) = wire.front_mut() {
        let left = first.left().len();
        if written < left {
            first.at += written;
            first.begun |= written > 0;
            return;
        }
        written -= left;
        sent.add(first.sent);
        let segment = wire.pop_front();
        if let Some(Segment { memory: Memory::Own(bytes), .. }) = segment {
            buffers.give_back_outgoing(bytes);
        }
    }
}

/// The longest frame of control.
pub(super) const LONGEST_CONTROL: usize = LARGEST_HEADER + LARGEST_CONTROL;
