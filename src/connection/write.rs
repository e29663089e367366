//! What is written when: answers to pings, what was accepted, the close frame.

use std::sync::Arc;

use tungstenite::protocol::frame::coding::Control;

use super::inbox::Delivery;
use super::link::{Link, Signals};
use super::send::Stage;
use super::Connection;

impl Connection {
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
