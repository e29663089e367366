//! The short way of a small message: behind others that already wait, without a write.

use super::{Outbox, Sent, TOGETHER};
use crate::connection::payload::{cost, Broadcast};
use crate::frame::write::put_frame;

impl Outbox {
    /// Queues a small message behind others that wait, as it is. `false`: it can't join them.
    #[inline(always)]
    pub fn join(&mut self, first: u8, payload: &[u8], cost: usize, capacity: usize) -> bool {
        if !self.may_join(payload.len(), cost) || !self.takes(cost, capacity) {
            return false;
        }
        let mask = match &mut self.keys {
            None => None,
            Some(keys) => match keys.at_hand() {
                None => {
                    self.cost -= cost;
                    return false;
                }
                mask => mask,
            },
        };
        put_frame(&mut self.buffer, first, payload, mask);
        self.buffered.add(Sent { cost, messages: 1, bytes: payload.len() as u64 });
        true
    }

    /// The same for a message that is encoded already.
    pub fn join_shared(&mut self, message: &Broadcast<'_>, capacity: usize) -> bool {
        let bytes = message.payload.len();
        let cost = cost(bytes, self.role);
        if !self.may_join(bytes, cost) || !self.takes(cost, capacity) {
            return false;
        }
        self.buffer.extend_from_slice(&message.frames);
        self.buffered.add(Sent { cost, messages: 1, bytes: bytes as u64 });
        true
    }

    /// Whether a message of this length is small, and no message in parts is unfinished.
    #[inline]
    pub fn may_begin(&self, payload: usize) -> bool {
        payload <= self.joinable && self.unfinished.is_none()
    }

    #[inline(always)]
    fn may_join(&self, payload: usize, cost: usize) -> bool {
        self.scheduled
            && !self.corked
            && self.may_begin(payload)
            // There is a buffer, with room for it.
            && !self.buffer.is_empty()
            && self.buffer.len() + cost <= TOGETHER
    }
}
