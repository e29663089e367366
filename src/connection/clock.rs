//! The deadlines of a connection.

use std::sync::Arc;
use std::time::Instant;

use tungstenite::protocol::frame::coding::Control;

use super::close::{self, CloseFrame};
use super::heartbeat::Beat;
use super::link::{Link, Unfinished};
use super::send::Stage;
use super::Connection;
use crate::error::{Code, Error, Phase};

impl Connection {
    /// Notes whether the peer owes the rest of something, while this side reads.
    pub(super) fn note_unread(&self, link: &mut Link, reads: bool, now: Instant) {
        if let Some(broken) = &mut link.broken {
            let since = std::mem::replace(&mut broken.reading_since, reads.then_some(now));
            let spent = since.map_or_else(Default::default, |since| now.saturating_duration_since(since));
            broken.left = broken.left.saturating_sub(spent);
        }
        let owes = reads && link.ending.is_none() && link.receiver.is_unfinished();
        let (number, arrived) = (link.messages_received, link.receiver.arrived());
        match &mut link.unfinished {
            Some(unfinished) if owes && unfinished.number == number => unfinished.note(arrived, now),
            unfinished => *unfinished = owes.then(|| Unfinished::new(number, arrived, now)),
        }
    }

    /// Looks at the deadlines, and sets the next alarm.
    pub(super) fn look_at_clock(self: &Arc<Self>, link: &mut Link, now: Instant, is_due: bool) {
        if link.is_over {
            return;
        }
        if !is_due && link.is_calm(now) {
            link.in_time = None;
            return;
        }
        let next = self.next_deadline(link, now, is_due);
        if next.is_none_or(|next| next > now) {
            link.in_time = None;
        }
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
    pub(super) fn next_deadline(
        self: &Arc<Self>,
        link: &mut Link,
        now: Instant,
        is_due: bool,
    ) -> Option<Instant> {
        if link.ending.is_some() {
            // Only the close frame is left to write.
            let until = *link.end_by.get_or_insert(now + self.limits.close_timeout);
            if now >= until {
                link.drop_unwritten();
                return None;
            }
            return Some(until);
        }
        let closing = {
            let outbox = self.outbox.lock();
            match &outbox.stage {
                Stage::Closing(_, until) => Some((*until, outbox.cost)),
                _ => None,
            }
        };
        if let Some(broken) = &link.broken {
            let until = broken.reading_since.map(|since| since + broken.left);
            if is_due && until.is_some_and(|until| now >= until) {
                let error = self.io_error(&broken.error);
                self.lost(link, error);
                return None;
            }
            // While this side doesn't read, only a close ends it.
            if closing.is_none_or(|(by, _)| until.is_some_and(|until| until <= by)) {
                return until;
            }
        }
        if let Some((until, queued)) = closing {
            if now >= until && is_due {
                link.broken = None;
                let message = format!(
                    "{} did not end the closing handshake in time; {queued} bytes were not sent.",
                    self.peer.subject(),
                );
                self.lost(link, Error::event(Phase::Io, Code::CloseTimeout, message));
                return None;
            }
            return Some(until);
        }
        let timeout = self.limits.message_timeout;
        // What was read comes first.
        let unfinished = link.unfinished.filter(|_| link.rest.is_none());
        let unfinished = unfinished.zip(timeout).map(|(unfinished, timeout)| unfinished.deadline(timeout));
        if is_due && unfinished.is_some_and(|deadline| now >= deadline) {
            let message = format!(
                "{} began a message and sent it too slowly: message_timeout_ms is {}.",
                self.peer.subject(),
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
                    // Where there is no room, it goes behind the frame that is being written, and its time runs.
                    link.interject_last(Control::Ping, self.control(Control::Ping, &payload));
                    if !link.blocked {
                        self.write(link);
                    }
                }
                Beat::Lost if !is_due => return Some(now),
                Beat::Lost => {
                    let message = format!(
                        "{} did not answer a ping within {} ms.",
                        self.peer.subject(),
                        link.signals.pulse.timeout().as_millis()
                    );
                    self.lost(link, Error::event(Phase::Heartbeat, Code::HeartbeatLost, message));
                    return None;
                }
            }
        }
    }
}
