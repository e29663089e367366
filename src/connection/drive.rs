//! What drives a connection: the leader in its turn, or the service, which goes on while listeners block.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::budget::Share;
use super::close::{self, CloseFrame, Ending};
use super::inbox::{Delivery, Waiting};
use super::link::{Link, Rest};
use super::message::{Fault, Turn, TURN_BYTES};
use super::Connection;
use crate::error::{Code, Error, Phase};
use crate::runtime::Block;
use crate::transport::Transport;

/// What a read has brought.
pub(super) struct Read {
    /// There may be more.
    pub more: bool,
    /// The block that the turn's items lie in.
    pub block: Option<Block>,
    /// The parts of it that came before.
    pub done: Option<Block>,
    /// The turn has ended amid what was read.
    pub is_cut: bool,
}

impl Read {
    pub(super) const NOTHING: Read = Read { more: false, block: None, done: None, is_cut: false };
}

impl Connection {
    /// Does what can be done without listeners.
    pub(super) fn drive_without_listeners(self: &Arc<Self>, is_due: bool) {
        let driven = catch_unwind(AssertUnwindSafe(|| {
            let Some(mut link) = self.link_or_later() else {
                if is_due {
                    // The thread that holds it is quick; the deadline stays over.
                    self.lane.service.at(Instant::now(), self);
                }
                return;
            };
            if is_due {
                link.alarm = None;
                if let Some(transport) = &mut link.transport {
                    transport.ask_the_system();
                }
            }
            self.outbox.lock().waits_for_rest = false;
            let mut turn = Turn::new();
            let read = self.work(&mut link, Some(&mut turn), Instant::now(), is_due);
            if !turn.items.is_empty() {
                let bytes = read.block.as_ref().map(Block::get).unwrap_or_default();
                match Waiting::copied(&mut turn, 0, bytes) {
                    Ok(waiting) => self.inbox.push(Delivery::Messages(waiting), self.share()),
                    Err(_) => {
                        self.fault(&mut link, Fault::NoMemory);
                        self.attend();
                    }
                }
            }
            drop(link);
            let more = read.more;
            self.give_back(read);
            if !self.inbox.is_empty() {
                self.owner.deliverable(self);
            }
            if more {
                self.attend();
            }
        }));
        if driven.is_err() {
            // A defect of this library. The connection is over; the task that waits for its end learns of it.
            let ending = Ending::lost(Error::code(Code::Internal));
            self.finish(&mut self.link.lock(), ending.into());
        }
    }

    /// Writes, reads one turn, and looks at the clock.
    pub(super) fn work(
        self: &Arc<Self>,
        link: &mut Link,
        turn: Option<&mut Turn>,
        mut now: Instant,
        is_due: bool,
    ) -> Read {
        let mut read = Read::NOTHING;
        if link.transport.is_none() || link.is_over {
            return read;
        }
        let waits_for_rest = link.rest.is_some() && self.outbox.lock().waits_for_rest;
        let writes_more = match waits_for_rest {
            true => {
                self.fail_if_asked(link);
                false
            }
            false => self.pump(link),
        };
        if link.ending.is_none() && self.share().is_some_and(Share::is_over) {
            self.fault(link, Fault::OverBudget);
        }
        let mut room = false;
        if let (None, Some(turn)) = (&link.ending, turn) {
            // What was read already counts, whether it waits here or for its listeners.
            let counts = link.rest.is_some();
            room = self.inbox.has_room() && (counts || self.share().is_none_or(|share| share.has_room(self)));
            link.signals.pulse.set_deaf(!room);
            match room {
                true => read = self.read(link, turn, now),
                false => link.unfinished = None,
            }
            if let Some(share) = self.share() {
                share.holds_unfinished(link.receiver.held());
                let rest = link.rest.as_ref().map_or(0, |rest| rest.end);
                share.holds_rest(rest, self.inbox.is_paused());
            }
            // The clock is asked again only where a deadline may depend on it.
            if link.receiver.is_unfinished() || !link.is_calm(now) {
                now = Instant::now();
            }
            self.note_unread(link, room, now);
        }
        self.answer(link);
        // What this side doesn't read puts off nothing.
        let is_due = is_due && !(room && link.has_more_in_time(read.more));
        if link.ending.is_none() || link.has_more_to_write() {
            self.look_at_clock(link, now, is_due);
        }
        read.more |= writes_more || (link.has_more_to_write() && !link.blocked);
        if !link.has_more_to_write() {
            if let Some(ending) = link.ending.take() {
                read.more = false;
                self.finish(link, ending);
            }
        }
        read
    }

    /// Records how the connection ended, once, and wakes the task that waits for it.
    pub(super) fn finish(self: &Arc<Self>, link: &mut Link, ending: Box<Ending>) {
        if let Some(alarm) = link.alarm.take() {
            self.lane.service.cancel(alarm);
        }
        if !std::mem::replace(&mut link.is_over, true) {
            link.outcome = Some(ending);
            link.awaits_outcome.take().into_iter().for_each(Waker::wake);
        }
    }

    pub(super) fn fail_if_asked(&self, link: &mut Link) {
        if link.ending.is_none() && !link.is_over {
            let failure = self.outbox.lock().take_failure();
            failure.into_iter().for_each(|error| self.fail_now(link, *error));
        }
    }

    pub(super) fn fail_now(&self, link: &mut Link, error: Error) {
        self.fail_with(link, CloseFrame::own(close::INTERNAL_ERROR, "Internal error"), error);
    }

    /// Reads one turn.
    pub(super) fn read(self: &Arc<Self>, link: &mut Link, turn: &mut Turn, now: Instant) -> Read {
        let result = self.receive(link, turn);
        link.messages_received += std::mem::take(&mut turn.messages);
        link.bytes_received += std::mem::take(&mut turn.payload);
        link.note_first_message(now);
        let (read, fault) = match result {
            Ok(read) => (read, None),
            Err((read, fault)) => (read, Some(fault)),
        };
        let is_over = fault.is_some() || link.signals.close.is_some();
        if is_over && (link.has_more_to_write() || self.outbox.lock().waits_for_rest) {
            // What was sent in earlier turns comes before the end.
            let accepted = self.outbox.lock().cost;
            // Control frames may pass it.
            self.pump_up_to(link, accepted + TURN_BYTES);
        }
        if let Some(fault) = fault {
            self.fault(link, fault);
        } else if let Some(payload) = link.signals.close.take() {
            self.closed_by_peer(link, &payload);
            return Read { more: false, ..read };
        }
        read
    }

    /// The body of [`Connection::read`]; the end of the stream is settled here.
    pub(super) fn receive(self: &Arc<Self>, link: &mut Link, turn: &mut Turn) -> Result<Read, (Read, Fault)> {
        let buffers = &self.lane.buffers;
        let is_rest = link.rest.is_some();
        let Rest { mut block, end, mut more, done } = match link.rest.take() {
            Some(rest) => *rest,
            None if link.receiver.has_compressed() => {
                let (mut at, mut nothing) = (0, []);
                let taken = link.receiver.take(&mut nothing, &mut at, 0, turn, &mut link.signals, buffers);
                let read = Read { more: true, ..Read::NOTHING };
                return match taken {
                    Ok(()) => Ok(read),
                    Err(fault) => Err((read, fault)),
                };
            }
            None => {
                if let Some(read) = self.receive_direct(link, turn)? {
                    return Ok(read);
                }
                let Some(mut block) = buffers.block() else { return Err((Read::NOTHING, Fault::NoMemory)) };
                match self.fill(link, &mut block) {
                    Ok((end, more)) => Rest { block, end, more, done: None },
                    Err(more) => {
                        buffers.give_back(block);
                        return Ok(Read { more, ..Read::NOTHING });
                    }
                }
            }
        };
        let mut at = 0;
        let taken = link.receiver.take(block.bytes(), &mut at, end, turn, &mut link.signals, buffers);
        match taken {
            Err(fault) => Err((Read { block: Some(block), done, ..Read::NOTHING }, fault)),
            Ok(()) if at < end && turn.is_over() => {
                let front = match buffers.may_keep_block() {
                    true => block.split_to(at),
                    false => {
                        let Some(copy) = Block::copied(block.get().get(at..end).unwrap_or_default()) else {
                            return Err((
                                Read { block: Some(block), done, ..Read::NOTHING },
                                Fault::NoMemory,
                            ));
                        };
                        std::mem::replace(&mut block, copy)
                    }
                };
                link.rest = Some(Rest { block, end: end - at, more, done }.into());
                Ok(Read { more: true, block: Some(front), done: None, is_cut: true })
            }
            Ok(()) => {
                // While the rest waited, the socket may have told that it is ready, which it does but once.
                more |= (is_rest && self.is_readable(link)) || link.receiver.has_compressed();
                let kept = link.receiver.keep(block.get().get(at..end).unwrap_or_default());
                let read = Read { more, block: Some(block), done, is_cut: false };
                match kept {
                    Ok(()) => Ok(read),
                    Err(fault) => Err((read, fault)),
                }
            }
        }
    }

    /// Reads to where a large message grows. `None`: there is none, or too little of it is to come.
    pub(super) fn receive_direct(
        self: &Arc<Self>,
        link: &mut Link,
        turn: &mut Turn,
    ) -> Result<Option<Read>, (Read, Fault)> {
        let fault = |fault| (Read::NOTHING, fault);
        if link.end_of_stream.is_some() {
            return Ok(None);
        }
        let mut so_far: Option<usize> = None;
        loop {
            let Some(room) = link.receiver.direct(&self.lane.buffers).map_err(fault)? else {
                return Ok(so_far.map(|_| Read { more: true, ..Read::NOTHING }));
            };
            let Some(transport) = &mut link.transport else { return Ok(Some(Read::NOTHING)) };
            if so_far.is_none() {
                transport.begin_turn();
            }
            let (most, is_plain) = (room.len(), transport.is_plain());
            let read = transport.poll_receive(&mut Context::from_waker(&link.waker), room);
            let Some(length) = self.length(link, read) else {
                let more = link.transport.as_ref().is_some_and(Transport::is_turn_over);
                return Ok(Some(Read { more, ..Read::NOTHING }));
            };
            link.receiver.took_direct(length, turn).map_err(fault)?;
            let read = so_far.unwrap_or_default() + length;
            // TLS gives what one read has brought.
            if is_plain || read >= TURN_BYTES {
                let more = !is_plain || length == most || self.is_readable(link);
                return Ok(Some(Read { more, ..Read::NOTHING }));
            }
            so_far = Some(read);
        }
    }

    /// Reads into a block, behind what is left of an earlier read: how far, and whether there may be more. An error, whether there
    /// may be more, when there is nothing new; the end of the stream is settled.
    pub(super) fn fill(self: &Arc<Self>, link: &mut Link, block: &mut Block) -> Result<(usize, bool), bool> {
        if let Some(end) = link.end_of_stream.take() {
            let _ = self.length(link, Poll::Ready(end.map(|()| 0)));
            return Err(false);
        }
        let mut end = link.receiver.tail.len();
        block.grow_if_full(end);
        if let Some(place) = block.bytes().get_mut(..end) {
            place.copy_from_slice(&link.receiver.tail);
        }
        // What came with the handshake was never looked at, so it needs no read.
        let mut is_new = std::mem::take(&mut link.has_early);
        if let Some(transport) = &mut link.transport {
            transport.begin_turn();
        }
        let more = loop {
            let Some(transport) = &mut link.transport else { return Err(false) };
            let room = block.bytes().get_mut(end..).unwrap_or_default();
            let (most, is_plain) = (room.len(), transport.is_plain());
            let read = transport.poll_receive(&mut Context::from_waker(&link.waker), room);
            if is_new && matches!(read, Poll::Ready(Ok(0) | Err(_))) {
                // What came before the end comes first.
                link.end_of_stream = match read {
                    Poll::Ready(end) => Some(end.map(|_| ())),
                    Poll::Pending => None,
                };
                break true;
            }
            let Some(length) = self.length(link, read) else {
                break link.transport.as_ref().is_some_and(Transport::is_turn_over);
            };
            is_new = true;
            end += length;
            block.grow_if_full(end);
            if is_plain {
                break length == most || self.is_readable(link);
            }
            // TLS gives what one read has brought, and asks to be woken only when it has none.
            if end >= TURN_BYTES {
                break true;
            }
        };
        if !is_new {
            return Err(more);
        }
        link.receiver.tail = Vec::new();
        Ok((end, more))
    }

    /// What a read has brought. `None`: nothing, or the end of the stream.
    pub(super) fn length(&self, link: &mut Link, read: Poll<io::Result<usize>>) -> Option<usize> {
        match read {
            Poll::Ready(Ok(0)) => {
                let message = format!("{} closed the connection without a close frame.", self.peer.subject());
                self.lost(link, Error::event(Phase::Io, Code::LinkLost, message));
                None
            }
            Poll::Ready(Ok(length)) => {
                link.signals.pulse.heard();
                link.answering = true;
                Some(length)
            }
            Poll::Ready(Err(error)) => {
                self.lost(link, self.io_error(&error));
                None
            }
            Poll::Pending => None,
        }
    }

    /// Whether there may be more to read; if not, the connection is notified when there is.
    pub(super) fn is_readable(&self, link: &Link) -> bool {
        let mut cx = Context::from_waker(&link.waker);
        link.transport.as_ref().is_some_and(|transport| transport.poll_readable(&mut cx).is_ready())
    }

    /// A block of which every item has been delivered.
    pub(super) fn give_back(self: &Arc<Self>, read: Read) {
        let Some(block) = read.block else { return };
        let whole = match read.done {
            Some(mut done) => {
                done.join(block);
                done
            }
            None => block,
        };
        if whole.is_part() {
            // The rest of it may still be in use. If the link is taken, as during a large write, drop this part.
            let Some(mut link) = self.try_link() else { return };
            if let Some(rest) = &mut link.rest {
                match &mut rest.done {
                    Some(done) => done.join(whole),
                    done => *done = Some(whole),
                }
            }
        } else {
            self.lane.buffers.give_back(whole);
        }
    }
}
