//! One session: an attempt to connect and, if it succeeds, the connection to its end.

use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::attempt::{attempt, Opened};
use super::{Client, CloseEvent, Kind, Stage};
use crate::connection::{Connection, Ending, Limits, Owner, Received, ABNORMAL};
use crate::error::{Code, Error, Phase, Result};
use crate::log::{log, Level};
use crate::options::ConnectOptions;
use crate::url::Target;

/// A session, to be spawned.
pub(super) async fn run(client: Arc<Client>, number: u32, target: Target, options: ConnectOptions) {
    let session = Session { client: client.clone(), number };
    let result = caught(converse(&client, session, target, options)).await;
    if result.is_none() {
        // A defect of this library: the listeners get their last event all the same.
        let error = Error { code: Code::Internal, ..Error::event(Phase::Call, Code::Ok, "Internal error.") };
        let was_open = matches!(client.state.lock().stage, Stage::Open(_));
        let close = CloseEvent { code: ABNORMAL, reason: String::new(), was_clean: false };
        match was_open {
            true => client.post(number, [Kind::Error(error.into()), Kind::Close(close.into())]),
            false => client.post(number, [Kind::Failed(error.into())]),
        }
    }
}

async fn converse(client: &Arc<Client>, session: Session, target: Target, options: ConnectOptions) {
    let number = session.number;
    let peer = target.address();
    // Boxed, so that an open connection doesn't keep the room that the attempt needed.
    let opened = match Box::pin(attempt(client, &target, &options)).await {
        Ok(opened) => opened,
        Err(error) => {
            log(Level::Info, || format!("{peer}: {error}"));
            client.post(number, [Kind::Failed(Box::new(error))]);
            return;
        }
    };
    let limits = match limits(&options) {
        Ok(limits) => limits,
        Err(error) => return client.post(number, [Kind::Failed(Box::new(error))]),
    };
    drop(options);
    drop(target);
    let Opened { transport, early, header_receive, open, timings } = opened;
    let role = tungstenite::protocol::Role::Client;
    let connection = Connection::new(transport, role, early, limits, Arc::new(session), peer.clone());
    {
        let mut state = client.state.lock();
        match &mut state.stage {
            Stage::Connecting { connection: place, .. } => *place = Some(connection.clone()),
            _ => return,
        }
        state.stats.timings = timings;
    }
    log(Level::Info, || format!("{peer}: open"));
    client.post(number, [Kind::HeaderReceive(header_receive.into()), Kind::Open(open.into())]);

    let Ending { error, code, reason, was_clean } = connection.run().await;
    log(Level::Info, || format!("{peer}: closed with {code}"));
    let lost = error.is_some() && code == ABNORMAL;
    let error = error.map(|error| Kind::Error(Box::new(error)));
    let close = Kind::Close(Box::new(CloseEvent { code, reason, was_clean }));
    client.post(number, error.into_iter().chain([close]));
    match lost {
        true => connection.hang_up(),
        false => connection.linger().await,
    }
}

fn limits(options: &ConnectOptions) -> Result<Limits> {
    Ok(Limits {
        max_receive_size: options.max_receive_size,
        max_send_size: options.max_send_size,
        send_queue_size: options.send_queue_size,
        close_timeout: options.close_timeout,
        heartbeat: options.heartbeat()?,
    })
}

/// A future's output, or `None` if it panicked.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// The client as its connection sees it. The circle of references ends with the client's stage.
struct Session {
    client: Arc<Client>,
    number: u32,
}

impl Owner for Session {
    fn received(&self, messages: &mut Vec<Received>) {
        self.client.post(self.number, messages.drain(..).map(Kind::Message));
    }

    fn has_room(&self) -> bool {
        self.client.mailbox.has_room()
    }

    fn drained(&self, queued_bytes: usize) {
        self.client.post(self.number, [Kind::Drain(queued_bytes)]);
    }

    fn hold_back(&self, connection: &Arc<Connection>) -> bool {
        self.client.mailbox.hold_back(connection)
    }
}
