//! A turn of a connection: what it has received goes to its listeners.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tungstenite::protocol::Role;

use super::drive::Read;
use super::inbox::{Delivery, End, Waiting};
use super::message::{Item, Place, Turn, ITEM, TURN_BYTES, TURN_FRAMES};
use super::{Connection, MessagePartEvent, Payload};
use crate::dispatch::Pace;
use crate::error::Result;
use crate::runtime::{leads_here, Block, HeldBack};

/// The listeners of a connection.
pub(crate) trait Sink {
    fn message(&mut self, data: &[u8], is_text: bool);
    fn part(&mut self, part: MessagePartEvent<'_>);
    fn drained(&mut self, queued_bytes: usize);
    fn ended(&mut self, end: End);
}
impl Connection {
    /// One turn: delivers what waits; then, if this thread leads, reads and delivers. Whether it wants another turn.
    /// `name` is the handle by which listeners send on it, or 0.
    pub(crate) fn turn(self: &Arc<Self>, name: u64, pace: &mut Pace<'_>, sink: &mut impl Sink) -> bool {
        let mut here = None;
        let (mut bytes, mut messages) = (0, 0);
        while bytes < TURN_BYTES && messages < TURN_FRAMES && !pace.is_closed() {
            let Some(delivery) = self.inbox.pop() else { break };
            here.get_or_insert_with(|| Here::enter(name, self));
            let (delivered, of_bytes) = self.deliver(delivery, pace, sink);
            (messages, bytes) = (messages + delivered, bytes + of_bytes);
        }
        if pace.is_closed() {
            self.wait_for_rest(false);
            return false;
        }
        if !pace.leads() || messages > 0 {
            // Writing does not count as the callbacks' time.
            pace.leave();
            drop(here);
            pace.has_written();
            return pace.leads() || !self.inbox.is_empty();
        }
        let mut turn = Turn::new();
        let (read, had_rest) = {
            let Some(mut link) = self.link_or_later() else { return false };
            // The service may have read meanwhile, and that comes first.
            if !self.inbox.is_empty() {
                return true;
            }
            let had_rest = link.rest.is_some();
            (self.work(&mut link, Some(&mut turn), pace.now(), false), had_rest)
        };
        let (more, is_cut) = (read.more, read.is_cut);
        if turn.items.is_empty() {
            self.give_back(read);
        } else {
            here.get_or_insert_with(|| Here::enter(name, self));
            pace.enter();
            Left { connection: self, turn, next: 0, read }.deliver(pace, sink);
            pace.leave();
        }
        if is_cut || had_rest {
            self.wait_for_rest(is_cut && pace.was_quick());
        }
        drop(here);
        pace.has_written();
        more
    }

    /// If a quick turn was cut short, what it has sent goes out with what the next one sends: each write may wake the
    /// peer, which costs more than a hundred small messages.
    fn wait_for_rest(self: &Arc<Self>, may_wait: bool) {
        let mut outbox = self.outbox.lock();
        let waited = outbox.waits_for_rest;
        outbox.waits_for_rest = may_wait && outbox.may_wait(self.limits.send_queue_size);
        let is_over = waited && !outbox.waits_for_rest;
        drop(outbox);
        if is_over {
            self.flush_now();
        }
    }

    /// Delivers what has waited; how many messages that were, and what they held.
    fn deliver(
        self: &Arc<Self>,
        delivery: Delivery,
        pace: &mut Pace<'_>,
        sink: &mut impl Sink,
    ) -> (u32, usize) {
        pace.enter();
        match delivery {
            Delivery::Messages(messages) => {
                let in_parts = self.limits.receive_parts;
                let mut left = LeftWaiting { connection: self, messages, heard: 0 };
                let (mut count, mut bytes) = (0, 0);
                while !pace.is_closed() {
                    let LeftWaiting { messages, heard, .. } = &mut left;
                    let held = messages.next(|item, data| {
                        *heard = data.len() + ITEM;
                        emit(sink, in_parts, item, data);
                    });
                    let Some(held) = held else { break };
                    left.give_back();
                    pace.called(held);
                    (count, bytes) = (count + 1, bytes + held);
                }
                (count, bytes)
            }
            Delivery::Drained(queued_bytes) => {
                sink.drained(queued_bytes);
                pace.called(0);
                (1, 0)
            }
            Delivery::Ended(end) => {
                sink.ended(*end);
                pace.called(0);
                (0, 0)
            }
        }
    }
}

thread_local! {
    /// The connection whose listeners run on this thread.
    static HERE: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

struct Heard {
    connection: Arc<Connection>,
    /// Its handle, or 0.
    name: u64,
    /// Its listeners have sent something, to be written when the turn is over.
    has_sent: Cell<bool>,
}

/// While it lives, listeners on this thread can send on this turn's connection without the table of handles. When it is dropped,
/// what they have sent is written.
struct Here;

impl Here {
    #[inline(never)]
    fn enter(name: u64, connection: &Arc<Connection>) -> Here {
        let heard = Heard { connection: connection.clone(), name, has_sent: Cell::new(false) };
        let _ = HERE.try_with(|here| *here.borrow_mut() = Some(heard));
        Here
    }
}

impl Drop for Here {
    #[inline(never)]
    fn drop(&mut self) {
        let Ok(Some(heard)) = HERE.try_with(RefCell::take) else { return };
        if heard.has_sent.get() {
            heard.connection.flush();
        }
    }
}

/// Sends on the connection of this handle, of a client or of a server, if its listeners run on this thread. `None`: only a full send
/// can do it, or tell why not.
#[inline(always)]
pub(crate) fn send_here(name: u64, role: Role, payload: Payload<'_>) -> Option<Result<()>> {
    let mut sent = None;
    let is_meant = |heard: &Heard| heard.name == name && heard.connection.role == role && name != 0;
    let joins = here(|heard| is_meant(heard).then(|| heard.connection.send_in_turn(payload, &mut sent)));
    match joins {
        Some(true) => Some(Ok(())),
        _ => sent,
    }
}

/// Whether what is sent on this connection waits until its turn is over, which this thread runs with the lead.
pub(super) fn waits_for_turn(connection: &Arc<Connection>) -> bool {
    let waits = |heard: &Heard| {
        let waits = Arc::ptr_eq(&heard.connection, connection) && leads_here();
        heard.has_sent.set(waits || heard.has_sent.get());
        waits.then_some(())
    };
    here(waits).is_some()
}

#[inline(always)]
fn here<T>(act: impl FnOnce(&Heard) -> Option<T>) -> Option<T> {
    HERE.try_with(|here| act(here.try_borrow().ok()?.as_ref()?)).ok().flatten()
}

/// Calls the listeners of a message.
#[inline]
fn emit(sink: &mut impl Sink, in_parts: bool, item: &Item, data: &[u8]) {
    let Item { is_text, is_first, is_last, .. } = *item;
    match in_parts {
        false => sink.message(data, is_text),
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
            // No listener is called once the mailbox is closed.
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
                    self.connection.lane.buffers.give_back_large(own.into_memory());
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
            match Waiting::copied(&mut self.turn, self.next, block) {
                Ok(waiting) => self.connection.inbox.push_first(waiting, self.connection.share()),
                // Its listener has panicked, so the connection is about to end.
                Err(_) => self.connection.inbox.discard(self.connection.share()),
            }
        }
        self.connection.give_back(read);
    }
}

/// Messages that have waited. If a listener panics, the rest waits for another turn.
struct LeftWaiting<'a> {
    connection: &'a Arc<Connection>,
    messages: Waiting,
    /// What the message holds that is being delivered.
    heard: usize,
}

impl LeftWaiting<'_> {
    fn give_back(&mut self) {
        let held = std::mem::take(&mut self.heard);
        if held > 0 && self.connection.inbox.give_back(held, self.connection.share()) {
            self.connection.attend();
        }
    }
}

impl Drop for LeftWaiting<'_> {
    fn drop(&mut self) {
        self.give_back();
        if !self.messages.is_empty() {
            self.connection.inbox.put_back(std::mem::take(&mut self.messages));
        }
    }
}
