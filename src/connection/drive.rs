//! What drives a connection: turns on the thread that leads, and the service, which goes on while listeners block.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tungstenite::protocol::frame::coding::{Control, OpCode};

use super::budget::Share;
use super::close::{self, BadClose, CloseFrame, Ending};
use super::heartbeat::Beat;
use super::inbox::{Delivery, End, Waiting};
use super::link::{Broken, Link, Rest, Signals, Unfinished, LONGEST_CONTROL};
use super::receive::{Fault, Item, Place, Turn, TURN_BYTES, TURN_FRAMES};
use super::send::Stage;
use super::{Connection, LinkLock, MessageEvent, MessagePartEvent, Release};
use crate::dispatch::Pace;
use crate::error::{Code, Error, Phase};
use crate::frame::write::{first_byte, put_frame};
use crate::runtime::Block;

/// The listeners of a connection.
pub(crate) trait Sink {
    fn message(&mut self, message: MessageEvent<'_>);
    fn part(&mut self, part: MessagePartEvent<'_>);
    fn drained(&mut self, queued_bytes: usize);
    fn ended(&mut self, end: End);
}

/// What a read has brought.
struct Read {
    /// There may be more.
    more: bool,
    /// The block that the turn's items lie in.
    block: Option<Block>,
    /// The parts of it that came before.
    done: Option<Block>,
}

impl Read {
    const NOTHING: Read = Read { more: false, block: None, done: None };
}

impl Connection {
    /// One turn: delivers what waits; then, if this thread leads, reads and delivers. Whether it wants another turn.
    pub(crate) fn turn(self: &Arc<Self>, pace: &mut Pace<'_>, sink: &mut impl Sink) -> bool {
        let (mut bytes, mut messages) = (0, 0);
        while bytes < TURN_BYTES && messages < TURN_FRAMES && !pace.is_closed() {
            let Some(delivery) = self.inbox.pop() else { break };
            let (delivered, of_bytes) = self.deliver(delivery, pace, sink);
            (messages, bytes) = (messages + delivered, bytes + of_bytes);
        }
        if pace.is_closed() {
            return false;
        }
        if !pace.leads() || messages > 0 {
            return pace.leads() || !self.inbox.is_empty();
        }
        let mut turn = Turn::new();
        let read = {
            let Some(mut link) = self.link_or_later() else { return false };
            // The service may have read meanwhile, and that comes first.
            if !self.inbox.is_empty() {
                return true;
            }
            self.work(&mut link, Some(&mut turn), false)
        };
        if !turn.items.is_empty() {
            pace.enter();
            let more = read.more;
            Left { connection: self, turn, next: 0, read }.deliver(pace, sink);
            return more;
        }
        let more = read.more;
        self.give_back(read);
        more
    }

    /// Delivers what has waited; how many messages that were, and what they held.
    fn deliver(self: &Arc<Self>, delivery: Delivery, pace: &mut Pace<'_>, sink: &mut impl Sink) -> (u32, usize) {
        pace.enter();
        match delivery {
            Delivery::Messages(messages) => {
                let in_parts = self.limits.receive_parts;
                let mut left = LeftWaiting { connection: self, messages };
                let (mut count, mut bytes) = (0, 0);
                while !pace.is_closed() {
                    let held = left.messages.next(|item, data| emit(sink, in_parts, item, data));
                    let Some(held) = held else { break };
                    pace.called(held);
                    (count, bytes) = (count + 1, bytes + held);
                    if self.inbox.give_back(held, self.share()) {
                        self.attend();
                    }
                }
                (count, bytes)
            }
            Delivery::Drained(queued_bytes) => {
                sink.drained(queued_bytes);
                pace.called(0);
                (0, 0)
            }
            Delivery::Ended(end) => {
                sink.ended(*end);
                pace.called(0);
                (0, 0)
            }
        }
    }

    /// Does what can be done without listeners.
    pub(super) fn drive_without_listeners(self: &Arc<Self>, is_due: bool) {
        let driven = catch_unwind(AssertUnwindSafe(|| {
            let Some(mut link) = self.link_or_later() else {
                if is_due {
                    // Whoever holds it is quick; the deadline stays over.
                    self.lane.service.at(Instant::now(), self);
                }
                return;
            };
            if is_due {
                link.alarm = None;
            }
            let mut turn = Turn::new();
            let read = self.work(&mut link, Some(&mut turn), is_due);
            if !turn.items.is_empty() {
                let bytes = read.block.as_ref().map(Block::get).unwrap_or_default();
                self.inbox.push(Delivery::Messages(Waiting::copied(&mut turn, 0, bytes)), self.share());
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
            // A defect of this library. The connection is over; whoever waits for its end hears of it.
            self.link.lock().ended = None;
        }
    }

    /// Writes, reads one turn, and looks at the clock.
    fn work(self: &Arc<Self>, link: &mut Link, turn: Option<&mut Turn>, is_due: bool) -> Read {
        let mut read = Read::NOTHING;
        if link.transport.is_none() || link.ended.is_none() {
            return read;
        }
        let now = Instant::now();
        link.signals.now = now;
        self.fail_if_asked(link);
        self.pump(link);
        if link.ending.is_none() && self.share().is_some_and(Share::is_over) {
            self.fault(link, Fault::OverBudget);
        }
        if let (None, Some(turn)) = (&link.ending, turn) {
            let room = self.inbox.has_room() && self.share().is_none_or(|share| share.has_room(self));
            link.signals.pulse.set_deaf(!room);
            match room {
                true => read = self.read(link, turn, now),
                false => link.unfinished = None,
            }
            if let Some(share) = self.share() {
                share.holds_unfinished(link.receiver.held());
            }
            self.note_unread(link, room, now);
        }
        self.answer(link);
        self.look_at_clock(link, now, is_due);
        if !link.has_more_to_write() {
            if let Some(ending) = link.ending.take() {
                read.more = false;
                self.finish(link, ending);
            }
        }
        read
    }

    /// Tells whoever waits for the end.
    fn finish(self: &Arc<Self>, link: &mut Link, ending: Ending) {
        if let Some(alarm) = link.alarm.take() {
            self.lane.service.cancel(alarm);
        }
        if let Some(ended) = link.ended.take() {
            // Gone, if the whole library ends.
            let _ = ended.send(ending);
        }
    }

    fn fail_if_asked(&self, link: &mut Link) {
        let mut outbox = self.outbox.lock();
        if !matches!(outbox.stage, Stage::Failed(_)) || link.ending.is_some() {
            return;
        }
        if let Stage::Failed(error) = std::mem::replace(&mut outbox.stage, Stage::Closed) {
            drop(outbox);
            self.fail_with(link, CloseFrame::own(close::INTERNAL_ERROR, "Internal error"), error);
        }
    }

    /// Reads one turn.
    fn read(self: &Arc<Self>, link: &mut Link, turn: &mut Turn, now: Instant) -> Read {
        let had = turn.items.len();
        let result = self.receive(link, turn, now);
        for item in turn.items.iter().skip(had) {
            link.messages_received += u64::from(item.is_last);
            link.bytes_received += match item.place {
                Place::Block(_, length) => u64::from(length),
                Place::Own => 0,
            };
        }
        link.bytes_received += turn.own.iter().map(|own| own.bytes().len() as u64).sum::<u64>();
        let (read, fault) = match result {
            Ok(read) => (read, None),
            Err((read, fault)) => (read, Some(fault)),
        };
        if let Some(fault) = fault {
            self.fault(link, fault);
        } else if let Some(payload) = link.signals.close.take() {
            self.closed_by_peer(link, &payload);
            return Read { more: false, ..read };
        }
        read
    }

    /// The body of [`Connection::read`]; the end of the stream is settled here.
    fn receive(
        self: &Arc<Self>,
        link: &mut Link,
        turn: &mut Turn,
        now: Instant,
    ) -> Result<Read, (Read, Fault)> {
        let buffers = &self.lane.buffers;
        let is_rest = link.rest.is_some();
        let Rest { mut block, end, mut more, done } = match link.rest.take() {
            Some(rest) => rest,
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
                if let Some(read) = self.receive_direct(link, turn, now)? {
                    return Ok(read);
                }
                let Some(mut block) = buffers.block() else { return Err((Read::NOTHING, Fault::NoMemory)) };
                match self.fill(link, &mut block, now) {
                    Ok((end, more)) => Rest { block, end, more, done: None },
                    Err(()) => {
                        buffers.give_back(block);
                        return Ok(Read::NOTHING);
                    }
                }
            }
        };
        let mut at = 0;
        let taken = link.receiver.take(block.bytes(), &mut at, end, turn, &mut link.signals, buffers);
        match taken {
            Err(fault) => Err((Read { more: false, block: Some(block), done }, fault)),
            Ok(()) if at < end && turn.is_over() => {
                let front = match buffers.may_keep_block() {
                    true => block.split_to(at),
                    false => {
                        let Some(copy) = Block::copied(block.get().get(at..end).unwrap_or_default()) else {
                            return Err((Read { more: false, block: Some(block), done }, Fault::NoMemory));
                        };
                        std::mem::replace(&mut block, copy)
                    }
                };
                link.rest = Some(Rest { block, end: end - at, more, done });
                Ok(Read { more: true, block: Some(front), done: None })
            }
            Ok(()) => {
                // While the rest waited, the socket may have told that it is ready, which it does but once.
                more |= (is_rest && self.is_readable(link)) || link.receiver.has_compressed();
                let kept = link.receiver.keep(block.get().get(at..end).unwrap_or_default());
                let read = Read { more, block: Some(block), done };
                match kept {
                    Ok(()) => Ok(read),
                    Err(fault) => Err((read, fault)),
                }
            }
        }
    }

    /// Reads to where a large message grows. `None`: there is none, or too little of it is to come.
    fn receive_direct(
        self: &Arc<Self>,
        link: &mut Link,
        turn: &mut Turn,
        now: Instant,
    ) -> Result<Option<Read>, (Read, Fault)> {
        let fault = |fault| (Read::NOTHING, fault);
        let Some((memory, most)) = link.receiver.direct(&self.lane.buffers).map_err(fault)? else {
            return Ok(None);
        };
        let Some(transport) = &mut link.transport else { return Ok(Some(Read::NOTHING)) };
        let read = transport.poll_receive_behind(&mut Context::from_waker(&link.waker), memory, most);
        let Some(length) = self.length(link, read, now) else { return Ok(Some(Read::NOTHING)) };
        link.receiver.took_direct(length, turn).map_err(fault)?;
        let more = length == most || self.is_readable(link);
        Ok(Some(Read { more, ..Read::NOTHING }))
    }

    /// Reads into a block, behind what is left of an earlier read: how far, and whether there may be more. An error
    /// when there is nothing new; the end of the stream is settled.
    fn fill(self: &Arc<Self>, link: &mut Link, block: &mut Block, now: Instant) -> Result<(usize, bool), ()> {
        if let Some(end) = link.end_of_stream.take() {
            let _ = self.length(link, Poll::Ready(end.map(|()| 0)), now);
            return Err(());
        }
        let mut end = link.receiver.tail.len();
        if let Some(place) = block.bytes().get_mut(..end) {
            place.copy_from_slice(&link.receiver.tail);
        }
        // What came with the handshake was never looked at, so it needs no read.
        let mut is_new = std::mem::take(&mut link.has_early);
        let more = loop {
            let Some(transport) = &mut link.transport else { return Err(()) };
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
            let Some(length) = self.length(link, read, now) else { break false };
            is_new = true;
            end += length;
            if is_plain {
                break length == most || self.is_readable(link);
            }
            // TLS gives a record at a time, and asks to be woken only when it has none.
            if end >= TURN_BYTES {
                break true;
            }
        };
        if !is_new {
            return Err(());
        }
        link.receiver.tail = Vec::new();
        Ok((end, more))
    }

    /// What a read has brought. `None`: nothing, or the end of the stream.
    fn length(&self, link: &mut Link, read: Poll<io::Result<usize>>, now: Instant) -> Option<usize> {
        match read {
            Poll::Ready(Ok(0)) => {
                let message = format!("{} closed the connection without a close frame.", self.subject());
                self.lost(link, Error::event(Phase::Io, Code::LinkLost, message));
                None
            }
            Poll::Ready(Ok(length)) => {
                link.signals.pulse.heard();
                link.answering = true;
                if let Some(unfinished) = &mut link.unfinished {
                    unfinished.arrived(length, now);
                }
                Some(length)
            }
            Poll::Ready(Err(error)) => {
                self.lost(link, self.io_error(&error));
                None
            }
            Poll::Pending => None,
        }
    }

    /// Whether there may be more to read; if not, the connection is told when there is.
    fn is_readable(&self, link: &Link) -> bool {
        let mut cx = Context::from_waker(&link.waker);
        link.transport.as_ref().is_some_and(|transport| transport.poll_readable(&mut cx).is_ready())
    }

    /// A block of which every item has been delivered.
    fn give_back(self: &Arc<Self>, read: Read) {
        let Some(block) = read.block else { return };
        let whole = match read.done {
            Some(mut done) => {
                done.join(block);
                done
            }
            None => block,
        };
        if whole.is_part() {
            // The rest of it may still be there.
            let mut link = LinkLock { link: self.link.lock(), _then: Release(self) };
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

    /// The peer at the beginning of a sentence.
    fn subject(&self) -> String {
        match self.peer.strip_prefix("the ") {
            Some(name) => format!("The {name}"),
            None => self.peer.clone(),
        }
    }

    fn io_error(&self, error: &io::Error) -> Error {
        Error::io(Phase::Io, format!("The connection to {} broke", self.peer), error)
    }

    /// The stream is over. If a write has failed before, that is why.
    fn lost(&self, link: &mut Link, error: Error) {
        let error = match link.broken.take() {
            Some(broken) => self.io_error(&broken.error),
            None => error,
        };
        link.drop_unwritten();
        link.settle(Ending::lost(error));
    }

    /// A write has failed: nothing more is written, and what can be read comes first.
    pub(super) fn broke(&self, link: &mut Link, error: io::Error) {
        link.drop_unwritten();
        if link.ending.is_some() || link.broken.is_some() {
            // The rest of the close frame can't be written, which changes nothing.
            return;
        }
        link.broken = Some(Broken { error, left: self.limits.close_timeout, reading_since: None });
        let mut outbox = self.outbox.lock();
        if matches!(outbox.stage, Stage::Open) {
            outbox.stage = Stage::Broken;
        }
        outbox.discard();
    }

    /// The peer's close frame.
    fn closed_by_peer(&self, link: &mut Link, payload: &[u8]) {
        let peer = self.subject();
        let frame = match CloseFrame::received(payload) {
            Ok(frame) => frame,
            Err(BadClose::Code) => {
                let message = format!("{peer} sent a close code that must not be sent.");
                let error = Error::event(Phase::Protocol, Code::Protocol, message);
                let frame = CloseFrame::own(close::PROTOCOL_ERROR, "Protocol error");
                self.send_last(link, &frame);
                return link.settle(Ending { error: Some(error), ..Ending::clean(Some(frame)) });
            }
            Err(BadClose::HalfACode) => {
                return self.fault(link, Fault::Protocol("a close frame has a payload of one byte"))
            }
            Err(BadClose::Reason) => return self.fault(link, Fault::Utf8),
        };
        if let Some(broken) = link.broken.take() {
            let error = Some(self.io_error(&broken.error));
            let mut ending = Ending { error, ..Ending::clean(frame) };
            ending.close.was_clean = false;
            return link.settle(ending);
        }
        if !link.close_sent {
            link.close_sent = true;
            self.conclude(link, payload);
        }
        link.settle(Ending::clean(frame));
    }

    /// What the peer sent can't be accepted: says so, and ends.
    fn fault(&self, link: &mut Link, fault: Fault) {
        let peer = self.subject();
        let protocol = |detail, message: String| Error::event(Phase::Protocol, detail, message);
        let (code, reason, error) = match fault {
            Fault::Protocol(what) => (
                close::PROTOCOL_ERROR,
                "Protocol error",
                protocol(Code::Protocol, format!("{peer} broke the WebSocket protocol: {what}.")),
            ),
            Fault::Utf8 => (
                close::INVALID_DATA,
                "Invalid UTF-8",
                protocol(Code::InvalidUtf8, format!("{peer} sent text that is not UTF-8.")),
            ),
            Fault::TooBig(size) => {
                let most = self.limits.max_receive_size;
                let message = format!("{peer} sent a message of {size} bytes, more than {most}.");
                (close::TOO_BIG, "Message too big", protocol(Code::MessageTooBig, message))
            }
            Fault::OverBudget => {
                let message = format!("The server's receive budget is used up, most of it by {}.", self.peer);
                (close::TOO_BIG, "Out of memory", protocol(Code::ReceiveBudget, message))
            }
            Fault::Compression => {
                let message = format!("{peer} sent compressed data that is damaged.");
                (close::INVALID_DATA, "Invalid compressed data", protocol(Code::Compression, message))
            }
            Fault::NoMemory => {
                let message = format!("There is no memory for a message of {}.", self.peer);
                (close::TOO_BIG, "No memory", protocol(Code::NoMemory, message))
            }
        };
        self.fail_with(link, CloseFrame::own(code, reason), error);
    }

    fn fail_with(&self, link: &mut Link, frame: CloseFrame, error: Error) {
        self.send_last(link, &frame);
        link.settle(Ending::failed(error, &frame));
    }

    /// Sends a close frame, once, and nothing behind it; a link that can't take it is broken anyway.
    fn send_last(&self, link: &mut Link, frame: &CloseFrame) {
        if !std::mem::replace(&mut link.close_sent, true) {
            self.conclude(link, &frame.to_wire());
        }
    }

    fn conclude(&self, link: &mut Link, payload: &[u8]) {
        link.conclude(self.control(Control::Close, payload));
    }

    /// A control frame.
    fn control(&self, opcode: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(LONGEST_CONTROL);
        self.put_control(&mut frame, opcode, payload);
        frame
    }

    fn put_control(&self, out: &mut Vec<u8>, opcode: Control, payload: &[u8]) {
        // Where there are no random bytes, no frame is sent: a mask must not be known before.
        if let Ok(mask) = self.outbox.lock().mask() {
            put_frame(out, first_byte(OpCode::Control(opcode), true, 0), payload, mask);
        }
    }

    /// Answers the pings, all in one write; of those that can't be answered now the last is kept.
    fn answer(self: &Arc<Self>, link: &mut Link) {
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

    fn write(self: &Arc<Self>, link: &mut Link) {
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

    fn book(self: &Arc<Self>, link: &mut Link) {
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

    /// Notes whether the peer owes the rest of something, while this side reads.
    fn note_unread(&self, link: &mut Link, reads: bool, now: Instant) {
        if let Some(broken) = &mut link.broken {
            let since = std::mem::replace(&mut broken.reading_since, reads.then_some(now));
            let spent = since.map_or_else(Default::default, |since| now.saturating_duration_since(since));
            broken.left = broken.left.saturating_sub(spent);
        }
        let owes = reads && link.ending.is_none() && link.rest.is_none() && link.receiver.is_unfinished();
        match (owes, &link.unfinished) {
            (true, None) => link.unfinished = Some(Unfinished::new(now)),
            (false, Some(_)) => link.unfinished = None,
            _ => {}
        }
    }

    /// Looks at the deadlines, and sets the next alarm.
    fn look_at_clock(self: &Arc<Self>, link: &mut Link, now: Instant, is_due: bool) {
        if link.ended.is_none() {
            return;
        }
        let next = self.next_deadline(link, now, is_due);
        if let (Some(next), None) = (next, &link.alarm) {
            link.alarm = Some(self.lane.service.at(next, self));
        } else if let (Some(next), Some(alarm)) = (next, link.alarm) {
            // One that comes too early is set anew then.
            if next < alarm.at {
                self.lane.service.cancel(alarm);
                link.alarm = Some(self.lane.service.at(next, self));
            }
        }
    }

    /// Does what is due, and says when to look again. A deadline counts only after a look at the socket.
    fn next_deadline(self: &Arc<Self>, link: &mut Link, now: Instant, is_due: bool) -> Option<Instant> {
        if link.ending.is_some() {
            // Only the close frame is left to write.
            let until = *link.end_by.get_or_insert(now + self.limits.close_timeout);
            if now >= until {
                link.drop_unwritten();
                return None;
            }
            return Some(until);
        }
        if let Some(broken) = &link.broken {
            let until = broken.reading_since.map(|since| since + broken.left);
            if is_due && until.is_some_and(|until| now >= until) {
                let error = self.io_error(&broken.error);
                self.lost(link, error);
                return None;
            }
            return until;
        }
        let closing = {
            let outbox = self.outbox.lock();
            match &outbox.stage {
                Stage::Closing(_, until) => Some((*until, outbox.cost)),
                _ => None,
            }
        };
        if let Some((until, queued)) = closing {
            if now >= until && is_due {
                let message = format!(
                    "{} did not end the closing handshake within {} ms; {queued} bytes were not sent.",
                    self.subject(),
                    self.limits.close_timeout.as_millis(),
                );
                self.lost(link, Error::event(Phase::Io, Code::CloseTimeout, message));
                return None;
            }
            return Some(until);
        }
        let timeout = self.limits.message_timeout;
        let unfinished =
            link.unfinished.zip(timeout).map(|(unfinished, timeout)| unfinished.deadline(timeout));
        if is_due && unfinished.is_some_and(|deadline| now >= deadline) {
            let message = format!(
                "{} began a message and did not go on with it within {} ms.",
                self.subject(),
                timeout.unwrap_or_default().as_millis()
            );
            let error = Error::event(Phase::Protocol, Code::MessageTimeout, message);
            self.fail_with(link, CloseFrame::own(close::POLICY, "Message timeout"), error);
            self.write(link);
            return link.has_more_to_write().then_some(now + self.limits.close_timeout);
        }
        loop {
            match link.signals.pulse.beat(now) {
                Beat::Wait(next) => return next.into_iter().chain(unfinished).min(),
                Beat::Ping(payload) => {
                    link.signals.pulse.sent_ping(&payload, now);
                    // One that finds no room is as good as unanswered.
                    if !link.blocked {
                        link.interject(self.control(Control::Ping, &payload));
                        self.write(link);
                    }
                }
                Beat::Lost if !is_due => return Some(now),
                Beat::Lost => {
                    let message = format!(
                        "{} did not answer a ping within {} ms.",
                        self.subject(),
                        link.signals.pulse.timeout().as_millis()
                    );
                    self.lost(link, Error::event(Phase::Heartbeat, Code::HeartbeatLost, message));
                    return None;
                }
            }
        }
    }
}

/// Calls the listeners of a message.
#[inline]
fn emit(sink: &mut impl Sink, in_parts: bool, item: &Item, data: &[u8]) {
    let Item { is_text, is_first, is_last, .. } = *item;
    match in_parts {
        false => sink.message(MessageEvent { data, is_text }),
        true => sink.part(MessagePartEvent { data, is_text, is_first, is_last }),
    }
}

/// What a turn has read and not yet delivered. If a listener panics, the rest waits for another turn.
struct Left<'a> {
    connection: &'a Arc<Connection>,
    turn: Turn,
    next: usize,
    read: Read,
}

impl Left<'_> {
    #[inline]
    fn deliver(&mut self, pace: &mut Pace<'_>, sink: &mut impl Sink) {
        let block = self.read.block.as_ref().map(Block::get).unwrap_or_default();
        let in_parts = self.connection.limits.receive_parts;
        while let Some(item) = self.turn.items.get(self.next) {
            if pace.is_closed() {
                self.next = self.turn.items.len();
                return;
            }
            self.next += 1;
            let length = match item.place {
                Place::Block(start, length) => {
                    let (start, length) = (start as usize, length as usize);
                    emit(sink, in_parts, item, block.get(start..start + length).unwrap_or_default());
                    length
                }
                Place::Own => {
                    let own = self.turn.own.pop_front().unwrap_or_default();
                    emit(sink, in_parts, item, own.bytes());
                    let length = own.bytes().len();
                    self.connection.lane.buffers.give_back_large(own.memory);
                    length
                }
            };
            pace.called(length);
        }
    }
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let read = std::mem::replace(&mut self.read, Read::NOTHING);
        if self.next < self.turn.items.len() {
            let block = read.block.as_ref().map(Block::get).unwrap_or_default();
            let waiting = Waiting::copied(&mut self.turn, self.next, block);
            self.connection.inbox.push_first(waiting, self.connection.share());
        }
        self.connection.give_back(read);
    }
}

/// Messages that have waited. If a listener panics, the rest waits for another turn.
struct LeftWaiting<'a> {
    connection: &'a Arc<Connection>,
    messages: Waiting,
}

impl Drop for LeftWaiting<'_> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            self.connection.inbox.put_back(std::mem::take(&mut self.messages));
        }
    }
}
