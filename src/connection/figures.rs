//! What a connection tells of itself: its figures, and who is at its other end.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::{Connection, LinkLock, Release};
use crate::transport::Carried;

/// Figures of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Messages handed to the system.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Payload bytes of the messages sent.
    pub bytes_sent: u64,
    /// Payload bytes of the messages received.
    pub bytes_received: u64,
    /// What waits to be sent: the bytes of the frames, and 64 for each message or ping.
    pub queued_bytes: usize,
    /// The last ping's time to its pong.
    pub rtt: Duration,
    /// The same over the last pings.
    pub smoothed_rtt: Duration,
    /// How many pings were answered before another was sent.
    pub pings_answered: u64,
    /// How long after the connection was open the first message was there; zero before.
    pub first_message: Duration,
    /// What the system has carried, handshakes and TLS included.
    pub carried: Carried,
}

impl Connection {
    /// Figures up to now.
    pub fn traffic(self: &Arc<Self>) -> Traffic {
        let mut traffic = {
            // Like a check, this waits for the link: its holders never wait themselves.
            let link = LinkLock { link: self.link.lock(), _then: Release(self) };
            Traffic {
                messages_received: link.messages_received,
                bytes_received: link.bytes_received,
                rtt: link.signals.pulse.rtt(),
                smoothed_rtt: link.signals.pulse.smoothed_rtt(),
                pings_answered: link.signals.pulse.answered().into(),
                first_message: link.first_message.unwrap_or_default(),
                carried: link.carried(),
                ..Traffic::default()
            }
        };
        let outbox = self.outbox.lock();
        traffic.messages_sent = outbox.sent.messages;
        traffic.bytes_sent = outbox.sent.bytes;
        traffic.queued_bytes = outbox.cost;
        traffic
    }

    /// The certificates that the peer has presented in TLS, its own first; none with ws.
    pub(crate) fn certificates(self: &Arc<Self>) -> Vec<CertificateDer<'static>> {
        LinkLock { link: self.link.lock(), _then: Release(self) }.presented().to_vec()
    }
}
