//! A connection's way to its end.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::close::Ending;
use super::send::Stage;
use super::{Connection, LinkLock, Release};
use crate::runtime::{boxed, in_time};
use crate::transport::LINGER;

/// The end of a connection, for the task that waits for it. If it is dropped before the end, the link is cut.
pub(crate) struct Course {
    connection: Arc<Connection>,
}

impl Drop for Course {
    fn drop(&mut self) {
        self.connection.hang_up();
    }
}

impl Course {
    pub(super) fn new(connection: Arc<Connection>) -> Course {
        Course { connection }
    }

    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Starts reading, behind the events that are queued.
    pub fn start(&self) {
        self.connection.owner.ready(&self.connection);
    }

    /// Waits until the connection has ended.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let ending = {
            let mut link = LinkLock { link: self.connection.link.lock(), _then: Release(&self.connection) };
            let Some(ending) = link.outcome.take() else {
                link.awaits_outcome = Some(cx.waker().clone());
                return Poll::Pending;
            };
            ending
        };
        let stage = std::mem::replace(&mut self.connection.outbox.lock().stage, Stage::Closed);
        Poll::Ready(Ending { wanted: matches!(stage, Stage::Closing(..)), ..*ending })
    }

    /// Whether closing the socket now could lose data: if the peer sends anything more, the system answers with a reset, which
    /// can overtake the last bytes written. After both close frames, plain TCP can only bring a pong; TLS has yet to end.
    pub fn must_linger(&self, ending: &Ending) -> bool {
        let has_said_goodbye = ending.close.was_clean && ending.error.is_none();
        let mut link = self.connection.link.lock();
        let is_done = has_said_goodbye
            && !link.signals.pulse.awaits_pong()
            && link
                .transport
                .as_mut()
                .is_some_and(|transport| transport.is_plain() && transport.is_drained());
        !is_done && !ending.is_lost()
    }

    /// Drains the link after the close frames, for at most [`LINGER`].
    pub async fn linger(&self) {
        let mut is_shut = false;
        let drained = std::future::poll_fn(|cx| match &mut self.connection.link.lock().transport {
            Some(transport) => transport.poll_drain(&mut is_shut, cx),
            None => std::task::Poll::Ready(()),
        });
        // It is larger than what else an open connection's task holds.
        boxed(|| in_time(LINGER, drained)).await;
    }
}
