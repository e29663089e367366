//! What is written when: messages, answers to pings, the close frame.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::Role;

use super::inbox::Delivery;
use super::link::{Link, Signals};
use super::payload::{cost, Payload, FRAGMENT};
use super::segment::{Segment, Sent};
use super::send::{Outbox, Stage, LARGE};
use super::Connection;
use crate::error::Result;
use crate::frame::write::put_header;
use crate::frame::LARGEST_HEADER;
use crate::platform;
use crate::runtime::{hold_back, own_work};

/// So much of what is corked is worth a write of its own.
const CORKED: usize = 16 << 10;
/// Small messages may join others that wait while their object is locked.
const SMALL: usize = 1 << 10;
/// How a whole message begins.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
/// A send on the caller's thread writes at once when so much time has passed since the last.
const BURST: Duration = Duration::from_micros(50);

impl Connection {
    /// Sends a message that keeps to the limits: accepted whole, or not at all.
    pub(super) fn send(self: &Arc<Self>, payload: Payload<'_>) -> Result<()> {
        let cost = cost(payload.len(), self.role);
        let mut outbox = self.outbox.lock();
        outbox.check_turn(&payload)?;
        if let Err(error) = outbox.admit(cost, self.limits.send_queue_size) {
            // A program that is refused waits for `drain`, so what is corked waits no longer.
            let corked = outbox.corked;
            outbox.is_due |= corked;
            drop(outbox);
            if corked {
                self.attend();
            }
            return Err(error);
        }
        if payload.len() > LARGE {
            return own_work(|| self.send_large(outbox, payload, cost));
        }
        let was_scheduled = outbox.scheduled;
        if let Err(error) = outbox.push(payload, cost, &self.lane) {
            let failed = !matches!(outbox.stage, Stage::Open);
            drop(outbox);
            if failed {
                self.attend();
            }
            return Err(error);
        }
        outbox.scheduled = true;
        if was_scheduled || outbox.corked {
            let many = outbox.waiting() >= CORKED && outbox.waiting() - payload.len() < CORKED;
            let worth_a_write = outbox.corked && (many || payload.len() > SMALL);
            outbox.is_due |= worth_a_write;
            drop(outbox);
            if worth_a_write {
                self.attend();
            }
            return Ok(());
        }
        drop(outbox);
        if !hold_back(self) {
            self.write_soon();
        }
        Ok(())
    }

    /// Writes what waits, here if that is worth it.
    fn write_soon(self: &Arc<Self>) {
        // In a burst one thread queues while another writes; a single message is not worth a wake-up.
        let now = Instant::now();
        let in_burst = self.outbox.lock().last_send.replace(now).is_some_and(|last| now - last < BURST);
        match self.try_link() {
            Some(mut link) if link.is_free() && (link.answering || !in_burst) => {
                link.answering = false;
                self.pump(&mut link);
            }
            link => {
                drop(link);
                self.attend();
            }
        }
    }

    /// Sends a large message. A server's goes straight from the caller's memory if nothing else waits.
    fn send_large(
        self: &Arc<Self>,
        mut outbox: MutexGuard<'_, Outbox>,
        payload: Payload<'_>,
        cost: usize,
    ) -> Result<()> {
        let is_direct =
            matches!((self.role, &payload), (Role::Server, Payload::Text(_) | Payload::Binary(_)));
        let is_direct = is_direct && outbox.is_empty() && !outbox.corked && !outbox.compresses(payload.len());
        // Released only when the outbox is.
        let link = is_direct.then(|| self.try_link()).flatten();
        let taken = match link {
            Some(mut link) if link.is_free() => {
                drop(outbox);
                self.send_direct(&mut link, payload, cost);
                return Ok(());
            }
            link => link,
        };
        let (was_scheduled, was_corked) = (outbox.scheduled, outbox.corked);
        let pushed = outbox.push(payload, cost, &self.lane);
        outbox.scheduled |= pushed.is_ok();
        outbox.is_due |= was_corked;
        let failed = pushed.is_err() && !matches!(outbox.stage, Stage::Open);
        drop(outbox);
        drop(taken);
        if failed {
            self.attend();
        }
        pushed?;
        match (was_scheduled, was_corked) {
            (_, true) => self.attend(),
            (true, false) => {}
            (false, false) if !hold_back(self) => self.write_soon(),
            _ => {}
        }
        Ok(())
    }

    /// Writes a server's message from the caller's memory, and keeps what the socket does not take.
    fn send_direct(self: &Arc<Self>, link: &mut Link, payload: Payload<'_>, cost: usize) {
        let sent = Sent { cost, messages: 1, bytes: payload.len() as u64 };
        link.answering = false;
        let count = payload.len().div_ceil(FRAGMENT);
        for (number, piece) in payload.bytes().chunks(FRAGMENT).enumerate() {
            let is_last = number + 1 == count;
            // The first byte of a whole message has the final bit set.
            let first = if number == 0 { payload.first_byte() & 0x7f } else { 0 };
            let first = first | if is_last { 0x80 } else { 0 };
            let mut header = [0; LARGEST_HEADER];
            let size = put_header(&mut header, first, piece.len(), None);
            let header = header.get(..size).unwrap_or_default();
            let written = match link.blocked {
                true => Ok(0),
                false => link.write_direct(header, piece),
            };
            match written {
                Ok(written) if written == size + piece.len() => {}
                Ok(written) => {
                    let (header, piece) =
                        (header.get(written.min(size)..), piece.get(written.saturating_sub(size)..));
                    let (header, piece) = (header.unwrap_or_default(), piece.unwrap_or_default());
                    let mut rest = Vec::new();
                    if rest.try_reserve_exact(header.len() + piece.len()).is_err() {
                        self.broke(link, io::ErrorKind::OutOfMemory.into());
                        return self.attend();
                    }
                    rest.extend_from_slice(header);
                    rest.extend_from_slice(piece);
                    let sent = if is_last { sent } else { Sent::default() };
                    link.wire().push_back(Segment { begun: written > 0, ..Segment::new(rest, sent) });
                    continue;
                }
                Err(error) => {
                    self.broke(link, error);
                    return self.attend();
                }
            }
            if is_last {
                link.sent.add(sent);
            }
        }
        // TLS flushes what it holds.
        self.pump(link);
    }

    /// Sends a small message if it only has to join others that wait, which is short: nothing is written on
    /// this thread. `false`: it was not sent, and [`send`] does it or says why not.
    #[inline(always)]
    pub(crate) fn send_behind(&self, payload: Payload<'_>) -> bool {
        let (first, bytes) = match payload {
            Payload::Text(text) => (TEXT, text.as_bytes()),
            Payload::Binary(bytes) => (BINARY, bytes),
            _ => return false,
        };
        if bytes.len() > SMALL.min(self.limits.max_send_size) || platform::has_hooks() {
            return false;
        }
        let cost = cost(bytes.len(), self.role);
        self.outbox.lock().join(first, bytes, cost, self.limits.send_queue_size)
    }

    /// Answers the pings, all in one write; of those that can't be answered now the last is kept.
    pub(super) fn answer(self: &Arc<Self>, link: &mut Link) {
        if !link.signals.pings.is_empty() {
            if !link.may_write() {
                link.signals.pings = Vec::new();
            } else if link.blocked {
                link.signals.keep_last_ping();
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
        if let Err(error) = link.write(&self.lane.buffers) {
            self.broke(link, error);
        }
        self.book(link);
    }

    /// Writes what was accepted as far as the transport takes it, then the close frame if one is due.
    pub(super) fn pump(self: &Arc<Self>, link: &mut Link) {
        loop {
            if link.has_more_to_write() {
                self.write(link);
            } else if link.sent.cost > 0 {
                self.book(link);
            }
            if link.blocked || link.broken.is_some() || link.ending.is_some() || link.transport.is_none() {
                return;
            }
            if !link.signals.pings.is_empty() {
                self.answer(link);
                if link.blocked || link.broken.is_some() {
                    return;
                }
            }
            let mut outbox = self.outbox.lock();
            if let Some((payload, now)) = outbox.ping.take() {
                link.signals.pulse.sent_ping(&payload, now);
            }
            if !outbox.take(link.wire()) {
                let due = match &outbox.stage {
                    Stage::Closing(frame, _) if !link.close_sent => Some(frame.clone()),
                    _ => None,
                };
                drop(outbox);
                let Some(frame) = due else { return };
                self.send_last(link, &frame);
            }
        }
    }

    pub(super) fn book(self: &Arc<Self>, link: &mut Link) {
        let sent = std::mem::take(&mut link.sent);
        if sent.cost == 0 {
            return;
        }
        let mut outbox = self.outbox.lock();
        let room = outbox.book(sent, self.limits.send_queue_size);
        let queued = outbox.cost;
        drop(outbox);
        if room {
            self.inbox.push(Delivery::Drained(queued), None);
            self.owner.deliverable(self);
        }
    }
}
