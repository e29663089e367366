//! What one connection has received and not yet delivered to its listeners.

use std::collections::{TryReserveError, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::budget::Share;
use super::close::CloseEvent;
use super::message::{Item, Own, Place, Turn, ITEM};
use crate::error::Error;

/// What may wait for the listeners of one connection before the reading of its socket stops.
const MOST_HELD: usize = 1 << 20;
const MOST_MESSAGES: usize = 1024;

/// What waits, in the order of its delivery.
pub(super) enum Delivery {
    Messages(Waiting),
    Drained(usize),
    Ended(Box<End>),
}

/// How a connection ended, for its listeners.
pub(crate) struct End {
    pub error: Option<Error>,
    pub close: CloseEvent,
    /// There will not be another connection by itself.
    pub is_last: bool,
}

/// Messages that wait, with memory of their own.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    items: VecDeque<Item>,
    own: VecDeque<Own>,
}

impl Waiting {
    /// Copies what a turn has left out of its block; an error when there is no memory for it.
    pub fn copied(turn: &mut Turn, from: usize, block: &[u8]) -> Result<Waiting, TryReserveError> {
        let mut waiting = Waiting { own: std::mem::take(&mut turn.own), ..Waiting::default() };
        let lengths = turn.items.iter().skip(from).map(|item| match item.place {
            Place::Block(_, length) => length as usize,
            Place::Own => 0,
        });
        waiting.bytes.try_reserve_exact(lengths.sum())?;
        for item in turn.items.iter().skip(from) {
            let mut item = *item;
            if let Place::Block(start, length) = item.place {
                let place = waiting.bytes.len() as u32;
                let (start, end) = (start as usize, start as usize + length as usize);
                waiting.bytes.extend_from_slice(block.get(start..end).unwrap_or_default());
                item.place = Place::Block(place, length);
            }
            waiting.items.push_back(item);
        }
        for own in &mut waiting.own {
            own.shrink();
        }
        Ok(waiting)
    }

    /// Hands the next message to `take`, and says what it held. `None`: there is none.
    pub fn next(&mut self, take: impl FnOnce(&Item, &[u8])) -> Option<usize> {
        let item = self.items.pop_front()?;
        let held = match item.place {
            Place::Block(start, length) => {
                let (start, length) = (start as usize, length as usize);
                take(&item, self.bytes.get(start..start + length).unwrap_or_default());
                length
            }
            Place::Own => {
                let own = self.own.pop_front().unwrap_or_default();
                take(&item, own.bytes());
                own.bytes().len()
            }
        };
        Some(held + ITEM)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn size(&self) -> (usize, usize) {
        let own: usize = self.own.iter().map(|own| own.bytes().len()).sum();
        (self.items.len(), self.bytes.len() + own + self.items.len() * ITEM)
    }
}

/// What waits for the listeners of one connection, within a bound.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<VecDeque<Delivery>>,
    /// Whether something waits. Written under the lock and read without it: a turn clears the connection's mark before it looks, and
    /// a push sets the mark afterwards.
    has_waiting: AtomicBool,
    messages: AtomicUsize,
    held: AtomicUsize,
    /// The reading has stopped, because the inbox is full.
    starved: AtomicBool,
    /// What comes in is not kept.
    discards: AtomicBool,
    /// The program has paused reading.
    paused: AtomicBool,
}

impl Inbox {
    pub fn push(&self, delivery: Delivery, share: Option<&Share>) {
        if let Delivery::Messages(messages) = &delivery {
            if self.discards() {
                return;
            }
            self.count(messages, share);
        }
        self.add(|waiting| match (waiting.back_mut(), &delivery) {
            // One event tells of both.
            (Some(Delivery::Drained(queued)), Delivery::Drained(later)) => *queued = *later,
            _ => waiting.push_back(delivery),
        });
    }

    fn add(&self, add: impl FnOnce(&mut VecDeque<Delivery>)) {
        let mut waiting = self.waiting.lock();
        add(&mut waiting);
        self.has_waiting.store(true, Ordering::SeqCst);
    }

    /// Adds messages that come before everything that waits.
    pub fn push_first(&self, messages: Waiting, share: Option<&Share>) {
        if !self.discards() {
            self.count(&messages, share);
            self.put_back(messages);
        }
    }

    fn count(&self, messages: &Waiting, share: Option<&Share>) {
        let (count, held) = messages.size();
        self.messages.fetch_add(count, Ordering::Relaxed);
        self.held.fetch_add(held, Ordering::Relaxed);
        if let Some(share) = share {
            share.wait_for(held);
        }
    }

    /// Puts back what a delivery has left; it is counted already.
    pub fn put_back(&self, messages: Waiting) {
        self.add(|waiting| waiting.push_front(Delivery::Messages(messages)));
    }

    pub fn pop(&self) -> Option<Delivery> {
        if self.is_empty() {
            return None;
        }
        let mut waiting = self.waiting.lock();
        let first = waiting.pop_front();
        if waiting.is_empty() {
            *waiting = VecDeque::new();
            self.has_waiting.store(false, Ordering::SeqCst);
        }
        first
    }

    pub fn is_empty(&self) -> bool {
        !self.has_waiting.load(Ordering::SeqCst)
    }

    /// One message has been delivered. Whether the reading had stopped and may go on.
    pub fn give_back(&self, held: usize, share: Option<&Share>) -> bool {
        if let Some(share) = share {
            share.delivered(held);
        }
        self.messages.fetch_sub(1, Ordering::SeqCst);
        self.held.fetch_sub(held, Ordering::SeqCst);
        self.starved.load(Ordering::SeqCst) && self.has_space() && self.starved.swap(false, Ordering::SeqCst)
    }

    /// Whether more may be read; if not, [`Inbox::give_back`] or [`Inbox::unpause`] tells when.
    pub fn has_room(&self) -> bool {
        if self.has_space() {
            return true;
        }
        self.starved.store(true, Ordering::SeqCst);
        // What was taken out meanwhile may have missed the mark.
        self.has_space() && self.starved.swap(false, Ordering::SeqCst)
    }

    fn has_space(&self) -> bool {
        self.discards()
            || !self.paused.load(Ordering::SeqCst)
                && self.messages.load(Ordering::SeqCst) < MOST_MESSAGES
                && self.held.load(Ordering::SeqCst) < MOST_HELD
    }

    /// Stops the reading.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Lets the reading go on. Whether it had stopped.
    pub fn unpause(&self) -> bool {
        self.paused.store(false, Ordering::SeqCst);
        self.starved.swap(false, Ordering::SeqCst)
    }

    pub fn discards(&self) -> bool {
        self.discards.load(Ordering::SeqCst)
    }

    /// Keeps nothing from now on: no listener will get it.
    pub fn discard(&self, share: Option<&Share>) {
        self.discards.store(true, Ordering::SeqCst);
        let waiting = {
            let mut waiting = self.waiting.lock();
            self.has_waiting.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        for delivery in &waiting {
            if let (Delivery::Messages(messages), Some(share)) = (delivery, share) {
                share.delivered(messages.size().1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::budget::Budget;

    #[test]
    fn what_a_turn_has_left_counts_as_long_as_it_waits() {
        let mut turn = Turn::new();
        for start in [0, 3] {
            let place = Place::Block(start, 3);
            turn.items.push(Item { place, is_text: false, is_first: true, is_last: true });
        }
        let inbox = Inbox::default();
        let share = Budget::new(1 << 20).share([127, 0, 0, 1].into());
        inbox.push_first(Waiting::copied(&mut turn, 1, b"onetwo").unwrap(), Some(&share));
        assert_eq!(inbox.messages.load(Ordering::Relaxed), 1);
        let Some(Delivery::Messages(mut messages)) = inbox.pop() else { panic!("nothing waits") };
        let held = messages.next(|_, data| assert_eq!(data, b"two")).unwrap();
        inbox.give_back(held, Some(&share));
        assert_eq!(inbox.messages.load(Ordering::Relaxed), 0);
        assert!(inbox.has_room());
    }
}
