//! What is written when: messages, answers to pings, the close frame.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::Role;

use super::close::CloseFrame;
use super::inbox::Delivery;
use super::link::{Link, Signals};
use super::payload::{cost, Payload, FRAGMENT};
use super::segment::{Segment, Sent};
use super::send::{Compressor, Outbox, Packed, Stage, LARGE, SMALL};
use super::turn::waits_for_turn;
use super::{Connection, LinkLock};
use crate::error::{Code, Error, Result};
use crate::frame::write::put_header;
use crate::frame::{mask, LARGEST_HEADER};
use crate::platform;
use crate::runtime::{hold_back, own_work};

/// So much of what is corked is worth a write of its own.
const CORKED: usize = 16 << 10;
/// How a whole message begins.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
/// Others have their turn when one connection has written so much.
const WRITE_TURN: usize = 256 << 10;
/// A send on the caller's thread writes at once when so much time has passed since the last.
const BURST: Duration = Duration::from_micros(50);

/// What a write does next.
enum Next {
    /// Writes what was taken from the outbox.
    Write,
    /// Sends the close frame.
    Close(Box<CloseFrame>),
    /// Sends a close frame that reports this side's failure.
    Fail(Box<Error>),
    /// Stops for now; `true` if there is more to write.
    Later(bool),
}

/// Moves what was accepted to the link, and says what the write does next.
fn next(outbox: &mut Outbox, link: &mut Link) -> Next {
    if let Some(ping) = outbox.ping.take() {
        let (payload, now) = *ping;
        link.signals.pulse.sent_ping(&payload, now);
    }
    if outbox.take(link.wire()) {
        return Next::Write;
    }
    match &outbox.stage {
        Stage::Closing(frame, _) if !link.close_sent => Next::Close(frame.clone()),
        _ => Next::Later(false),
    }
}

/// The first byte and the payload of a message that may be a small one.
fn plain<'a>(payload: &Payload<'a>) -> Option<(u8, &'a [u8])> {
    match payload {
        Payload::Text(text) => Some((TEXT, text.as_bytes())),
        Payload::Binary(bytes) => Some((BINARY, bytes)),
        _ => None,
    }
}

impl Connection {
    /// Sends a message that keeps to the limits: accepted whole, or not at all.
    pub(super) fn send(self: &Arc<Self>, payload: Payload<'_>) -> Result<()> {
        if let Some(compressor) = self.compressor.as_ref().filter(|compressor| compressor.takes(&payload)) {
            return own_work(|| self.send_packed(compressor, payload));
        }
        let mut outbox = self.outbox.lock();
        if let Payload::Shared(message) = payload {
            if outbox.join_shared(message, self.limits.send_queue_size) {
                return Ok(());
            }
        }
        let cost = cost(payload.len(), self.role);
        let mut outbox = match (self.admit(outbox, &payload, cost), &self.compressor) {
            (Err(error), Some(compressor)) if error.code == Code::QueueFull => {
                // What another thread compresses is booked as it is, and will cost less.
                drop(compressor.deflater.lock());
                self.admit(self.outbox.lock(), &payload, cost)?
            }
            (outbox, _) => outbox?,
        };
        if payload.len() > LARGE {
            return own_work(|| self.send_large(outbox, payload, cost));
        }
        let pushed = outbox.push(payload, Packed::Not, cost, &self.lane);
        self.queued(outbox, None, payload.len(), pushed)
    }

    /// Sends a message that may have to be compressed, which takes long: without the outbox, which the lane's thread needs.
    fn send_packed(self: &Arc<Self>, compressor: &Compressor, payload: Payload<'_>) -> Result<()> {
        let mut deflater = compressor.deflater.lock();
        let cost = cost(payload.len(), self.role);
        let outbox = self.outbox.lock();
        let unfinished = match &payload {
            Payload::Part(part) => Some(outbox.with_part(part, compressor.threshold)?),
            _ => None,
        };
        drop(self.admit(outbox, &payload, cost)?);
        let packed = compressor.pack(&mut deflater, &payload, unfinished);
        let mut outbox = self.outbox.lock();
        // It may have begun to close meanwhile.
        let pushed = match outbox.check_open().and(packed) {
            Ok(packed) => outbox.push(payload, packed, cost, &self.lane),
            Err(error) => {
                outbox.cost -= cost;
                Err(error)
            }
        };
        if pushed.is_err() {
            // The peer doesn't get what later messages would refer to.
            deflater.forget();
            if unfinished.is_some_and(|unfinished| unfinished.is_compressed) {
                outbox.lost_a_part();
            }
        }
        drop(deflater);
        self.queued(outbox, None, payload.len(), pushed)
    }

    /// Makes room for a message, if it may be sent now.
    fn admit<'a>(
        self: &Arc<Self>,
        mut outbox: MutexGuard<'a, Outbox>,
        payload: &Payload<'_>,
        cost: usize,
    ) -> Result<MutexGuard<'a, Outbox>> {
        outbox.check_turn(payload)?;
        let Err(error) = outbox.admit(cost, self.limits.send_queue_size) else { return Ok(outbox) };
        // A program that is refused waits for `drain`, so what is corked waits no longer.
        let corked = outbox.corked;
        outbox.is_due |= corked;
        drop(outbox);
        if corked {
            self.attend();
        }
        Err(error)
    }

    /// Has what was queued written, here or elsewhere, unless it waits for more. A link that this thread has taken is released.
    fn queued(
        self: &Arc<Self>,
        mut outbox: MutexGuard<'_, Outbox>,
        taken: Option<LinkLock<'_>>,
        length: usize,
        pushed: Result<()>,
    ) -> Result<()> {
        let is_queued = pushed.is_ok();
        let was_scheduled = outbox.scheduled;
        outbox.scheduled |= is_queued;
        let is_corked = outbox.corked;
        let (must_write, room) = match is_queued {
            true => {
                let waiting = outbox.waiting();
                let many = waiting >= CORKED && waiting.saturating_sub(length) < CORKED;
                let is_worth_a_write = is_corked && (many || length > SMALL);
                outbox.is_due |= is_worth_a_write;
                (is_worth_a_write, None)
            }
            // What was refused meanwhile had no room beside this message.
            false => (!matches!(outbox.stage, Stage::Open), self.room_after(&mut outbox, Sent::default())),
        };
        let is_first = is_queued && !was_scheduled && !is_corked;
        // Known while the outbox is locked, so that a thread that takes the lead away finds the message.
        let waits_for_turn = is_first && !must_write && waits_for_turn(self);
        drop(outbox);
        drop(taken);
        self.tell_room(room);
        if must_write {
            self.attend();
        } else if is_first && !waits_for_turn && !hold_back(self) {
            self.write_soon();
        }
        pushed
    }

    /// Writes what waits, here if that is worth it.
    fn write_soon(self: &Arc<Self>) {
        // In a burst one thread queues while another writes; a single message is not worth a wake-up.
        let now = Instant::now();
        let in_burst = self.outbox.lock().last_send.replace(now).is_some_and(|last| now - last < BURST);
        match self.try_link() {
            Some(mut link) if link.is_free() && (link.answering || !in_burst) => {
                link.answering = false;
                self.pump_or_attend(&mut link);
            }
            link => {
                drop(link);
                self.attend();
            }
        }
    }

    /// Sends a large message, straight from the caller's memory if nothing else waits.
    fn send_large<'a>(
        self: &'a Arc<Self>,
        mut outbox: MutexGuard<'a, Outbox>,
        payload: Payload<'_>,
        cost: usize,
    ) -> Result<()> {
        let is_direct = matches!(payload, Payload::Text(_) | Payload::Binary(_));
        // Not released while the outbox is locked.
        let mut taken = None;
        if is_direct && outbox.is_empty() && !outbox.corked {
            taken = self.try_link();
            if let Some(link) = taken.as_mut().filter(|link| link.is_free()) {
                drop(outbox);
                return self.send_direct(link, payload, cost);
            }
        }
        let pushed = outbox.push(payload, Packed::Not, cost, &self.lane);
        self.queued(outbox, taken, payload.len(), pushed)
    }

    /// Writes a message from the caller's memory, and keeps what the socket does not take.
    fn send_direct(self: &Arc<Self>, link: &mut Link, payload: Payload<'_>, cost: usize) -> Result<()> {
        let sent = Sent { cost, messages: 1, bytes: payload.len() as u64 };
        link.answering = false;
        let room =
            if self.role == Role::Client { link.piece().min(payload.len().next_multiple_of(4)) } else { 0 };
        let mut masked = self.lane.buffers.with_room(room);
        let count = payload.len().div_ceil(FRAGMENT);
        for (number, piece) in payload.bytes().chunks(FRAGMENT).enumerate() {
            let is_last = number + 1 == count;
            let mask = self.outbox.lock().mask();
            let Ok(mask) = mask else { return self.lacks(link, number > 0, cost) };
            // The first byte of a whole message has the final bit set.
            let first = if number == 0 { payload.first_byte() & 0x7f } else { 0 };
            let first = first | if is_last { 0x80 } else { 0 };
            let mut header = [0; LARGEST_HEADER];
            let size = put_header(&mut header, first, piece.len(), mask);
            let header = header.get(..size).unwrap_or_default();
            let written = match link.blocked {
                true => Ok(0),
                false => self.write_frame(link, header, piece, mask, &mut masked),
            };
            match written {
                Ok(written) if written == size + piece.len() => {}
                Ok(written) => {
                    let done = written.saturating_sub(size);
                    let (header, piece) = (header.get(written.min(size)..), piece.get(done..));
                    let (header, piece) = (header.unwrap_or_default(), piece.unwrap_or_default());
                    let mut rest = self.lane.buffers.large(header.len() + piece.len());
                    rest.clear();
                    if rest.try_reserve_exact(header.len() + piece.len()).is_err() {
                        return self.lacks(link, number > 0 || written > 0, cost);
                    }
                    rest.extend_from_slice(header);
                    match mask {
                        Some(mask) => mask::append(&mut rest, piece, mask::turned(mask, done)),
                        None => rest.extend_from_slice(piece),
                    }
                    let sent = if is_last { sent } else { Sent::default() };
                    link.wire().push_back(Segment { begun: written > 0, ..Segment::new(rest, sent) });
                    continue;
                }
                Err(error) => {
                    self.broke(link, error);
                    self.attend();
                    return Ok(());
                }
            }
            if is_last {
                link.sent.add(sent);
            }
        }
        self.lane.buffers.give_back_outgoing(masked);
        // TLS flushes what it holds.
        self.pump_or_attend(link);
        Ok(())
    }

    /// There is no memory, or no mask, for a message or the rest of one that has begun.
    fn lacks(self: &Arc<Self>, link: &mut Link, has_begun: bool, cost: usize) -> Result<()> {
        if has_begun {
            self.broke(link, io::ErrorKind::OutOfMemory.into());
            self.attend();
            return Ok(());
        }
        link.sent.cost += cost;
        self.book(link);
        Err(Error::code(Code::NoResources))
    }

    /// Writes as much of a frame as the link takes. A masked payload goes in pieces, for which `masked` has room.
    fn write_frame(
        &self,
        link: &mut Link,
        header: &[u8],
        payload: &[u8],
        mask: Option<[u8; 4]>,
        masked: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let Some(mask) = mask else { return link.write_direct(header, payload) };
        let (mut header, mut written) = (header, 0);
        // A multiple of 4, so that each piece starts with the mask's first byte.
        for piece in payload.chunks(link.piece().min(masked.capacity()) & !3) {
            masked.clear();
            mask::append(masked, piece, mask);
            written += link.write_direct(header, masked)?;
            if link.blocked {
                break;
            }
            header = &[];
        }
        Ok(written)
    }

    /// Sends a small message if it only has to join others that wait; this is quick, for nothing is written.
    /// Otherwise [`send`] sends it, or says why not.
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        let Some((first, bytes)) = plain(&payload).filter(|_| !platform::has_hooks()) else { return false };
        let cost = cost(bytes.len(), self.role);
        // Don't wait here: the table of handles may be locked.
        let outbox = self.outbox.try_lock();
        outbox.is_some_and(|mut outbox| outbox.join(first, bytes, cost, self.limits.send_queue_size))
    }

    /// Sends in the turn of this connection. Returns whether the message has joined others. If not, `sent` is the result; it stays
    /// `None` if only a full send can do it. Not inlined: with the rest in one function, the compiler runs short of registers.
    #[inline(never)]
    pub(super) fn send_in_turn(
        self: &Arc<Self>,
        payload: Payload<'_>,
        sent: &mut Option<Result<()>>,
    ) -> bool {
        let Some((first, bytes)) = plain(&payload).filter(|_| !platform::has_hooks()) else { return false };
        let cost = cost(bytes.len(), self.role);
        let mut outbox = self.outbox.lock();
        let joins = outbox.join(first, bytes, cost, self.limits.send_queue_size);
        if !joins {
            *sent = self.send_first(outbox, payload, cost);
        }
        joins
    }

    /// The first message of a turn, or one that can't join others.
    #[inline(never)]
    fn send_first(
        self: &Arc<Self>,
        mut outbox: MutexGuard<'_, Outbox>,
        payload: Payload<'_>,
        cost: usize,
    ) -> Option<Result<()>> {
        if outbox.may_begin(payload.len()) && outbox.takes(cost, self.limits.send_queue_size) {
            let pushed = outbox.push(payload, Packed::Not, cost, &self.lane);
            return Some(self.queued(outbox, None, payload.len(), pushed));
        }
        outbox.check_open().ok()?;
        drop(outbox);
        Some(super::send(Ok(self), payload))
    }

    /// Answers the pings, all in one write. Of those that can't be answered now the last is kept (RFC 6455 5.5.3), and
    /// its pong goes behind the frame that is being written.
    pub(super) fn answer(self: &Arc<Self>, link: &mut Link) {
        if !link.signals.pings.is_empty() {
            if !link.may_write() {
                link.signals.pings = Vec::new();
            } else if link.blocked {
                let pings = std::mem::take(&mut link.signals.pings);
                if let Some(payload) = Signals::payloads(&pings).last() {
                    link.interject_last(Control::Pong, self.control(Control::Pong, payload));
                }
            } else {
                let pings = std::mem::take(&mut link.signals.pings);
                let mut pongs = Vec::new();
                for payload in Signals::payloads(&pings) {
                    self.put_control(&mut pongs, Control::Pong, payload);
                }
                link.interject(pongs);
            }
        }
        if link.has_more_to_write() && !link.blocked {
            self.write(link);
        }
    }

    pub(super) fn write(self: &Arc<Self>, link: &mut Link) {
        self.write_up_to(link, &mut { WRITE_TURN });
        self.book(link);
    }

    fn write_up_to(self: &Arc<Self>, link: &mut Link, left: &mut usize) {
        if let Err(error) = link.write(&self.lane.buffers, left) {
            self.broke(link, error);
        }
    }

    /// Writes one turn of what was accepted, then the close frame if one is due, also because this side has failed. Whether there
    /// is more to write now.
    pub(super) fn pump(self: &Arc<Self>, link: &mut Link) -> bool {
        self.pump_up_to(link, WRITE_TURN)
    }

    /// [`Connection::pump`], where the caller has no further turn.
    pub(super) fn pump_or_attend(self: &Arc<Self>, link: &mut Link) {
        if self.pump(link) || link.broken.is_some() {
            self.attend();
        }
    }

    pub(super) fn pump_up_to(self: &Arc<Self>, link: &mut Link, mut left: usize) -> bool {
        link.was_open = false;
        loop {
            if link.has_more_to_write() {
                self.write_up_to(link, &mut left);
            }
            // Nothing goes behind the close frame.
            let is_over = link.ending.is_some() || link.is_over;
            if link.blocked || link.broken.is_some() || is_over || link.transport.is_none() {
                self.book(link);
                self.fail_if_asked(link);
                return false;
            }
            let mut outbox = self.outbox.lock();
            let room = self.book_in(&mut outbox, link);
            link.was_open = matches!(outbox.stage, Stage::Open);
            let failure = outbox.take_failure();
            let next = match (failure, left) {
                (Some(error), _) => Next::Fail(error),
                (None, 0) => Next::Later(
                    link.has_more_to_write() || outbox.scheduled || !matches!(outbox.stage, Stage::Open),
                ),
                (None, _) => next(&mut outbox, link),
            };
            drop(outbox);
            self.tell_room(room);
            match next {
                Next::Write => {}
                Next::Close(frame) => self.send_last(link, &frame),
                Next::Fail(error) => self.fail_now(link, *error),
                Next::Later(more) => return more,
            }
        }
    }

    pub(super) fn book(self: &Arc<Self>, link: &mut Link) {
        if link.sent.cost > 0 {
            let room = self.book_in(&mut self.outbox.lock(), link);
            self.tell_room(room);
        }
    }

    fn book_in(&self, outbox: &mut Outbox, link: &mut Link) -> Option<usize> {
        let sent = std::mem::take(&mut link.sent);
        if sent.cost == 0 {
            return None;
        }
        self.room_after(outbox, sent)
    }

    /// Books what was written. What waits then, if a sender that was refused may hear that there is room.
    fn room_after(&self, outbox: &mut Outbox, sent: Sent) -> Option<usize> {
        outbox.book(sent, self.limits.send_queue_size).then_some(outbox.cost)
    }

    fn tell_room(self: &Arc<Self>, queued: Option<usize>) {
        if let Some(queued) = queued {
            self.inbox.push(Delivery::Drained(queued), None);
            self.owner.deliverable(self);
        }
    }
}
