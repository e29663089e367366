//! Delivers a client's events to its listeners, which also changes the client's state.

use std::sync::Arc;

use super::event::{ClientListeners, DataEndEvent, MessageListener, MessagePartListener};
use super::live::{Client, Event, Kind, Stage, Turn};
use crate::connection::{DrainEvent, End, MessageEvent, MessagePartEvent, Sink};
use crate::dispatch::{Actor, Calling, Listener, Mailbox, Pace, View};
use crate::error::{Code, Error, Phase};
use crate::runtime::Lane;

/// The listeners of a client's connection, during one turn.
struct Heard<'a> {
    client: &'a Client,
    calling: Calling<'a>,
    session: u32,
    message: View<MessageListener>,
    message_part: View<MessagePartListener>,
    data_end: View<Listener<DataEndEvent>>,
}

impl Sink for Heard<'_> {
    #[inline]
    fn message(&mut self, data: &[u8], is_text: bool) {
        let message = MessageEvent { data, is_text };
        let listeners = &self.client.listeners;
        if self.client.counts(self.session) {
            listeners.message.emit_in(self.calling, &mut self.message, |listener| listener(&message));
            listeners.data_end.emit_in(self.calling, &mut self.data_end, |listener| listener(&DataEndEvent));
        }
    }

    fn part(&mut self, part: MessagePartEvent<'_>) {
        let listeners = &self.client.listeners;
        if self.client.counts(self.session) {
            listeners.message_part.emit_in(self.calling, &mut self.message_part, |listener| listener(&part));
            if part.is_last {
                listeners
                    .data_end
                    .emit_in(self.calling, &mut self.data_end, |listener| listener(&DataEndEvent));
            }
        }
    }

    fn drained(&mut self, queued_bytes: usize) {
        if self.client.counts(self.session) {
            let event = DrainEvent { queued_bytes };
            self.client.listeners.drain.emit(self.calling, |listener| listener(&event));
        }
    }

    fn ended(&mut self, end: End) {
        let listeners = &self.client.listeners;
        if let Some(error) = end.error.filter(|_| self.client.counts(self.session)) {
            listeners.error.emit(self.calling, |listener| listener(&error));
        }
        let counts = self.client.leave(self.session, end.is_last);
        self.client.settled.notify_one();
        if counts {
            listeners.close.emit(self.calling, |listener| listener(&end.close));
        }
    }
}

impl Actor for Client {
    type Event = Event;
    type Line = Turn;

    fn mailbox(&self) -> &Mailbox<Event, Turn> {
        &self.mailbox
    }

    fn lane(&self) -> &Lane {
        &self.lane
    }

    fn deliver(&self, event: Event, calling: Calling<'_>) {
        let listeners = &self.listeners;
        if !self.enter(&event) {
            return;
        }
        match event.kind {
            Kind::HeaderReceive(event) => listeners.header_receive.emit(calling, |listener| listener(&event)),
            Kind::Open(event) => listeners.open.emit(calling, |listener| listener(&event)),
            Kind::Error(error) => listeners.error.emit(calling, |listener| listener(&error)),
            Kind::Close(event) => listeners.close.emit(calling, |listener| listener(&event)),
            Kind::Reconnecting(event) => {
                self.state.lock().is_untold = false;
                self.settled.notify_one();
                listeners.reconnecting.emit(calling, |listener| listener(&event));
            }
        }
    }

    fn turn(&self, Turn(connection): &Turn, pace: &mut Pace<'_>) -> bool {
        let mut heard = Heard {
            client: self,
            calling: pace.calling(),
            session: connection.tag(),
            message: View::default(),
            message_part: View::default(),
            data_end: View::default(),
        };
        connection.turn(self.name(), pace, &mut heard)
    }

    /// The listener's panic itself ends in `dispatch::mailbox`.
    fn panicked(self: &Arc<Self>) {
        let error = Error {
            code: Code::Internal,
            ..Error::event(Phase::Call, Code::Ok, "A listener panicked; its connection is closed.")
        };
        let mut state = self.state.lock();
        match &state.stage {
            Stage::Open(connection) => connection.fail(error),
            Stage::Connecting(_) => self.abandon(&mut state, Kind::Error(Box::new(error))),
            _ => {}
        }
    }

    fn retire(&self) {
        let ClientListeners {
            header_receive,
            open,
            message,
            message_part,
            data_end,
            close,
            error,
            drain,
            reconnecting,
        } = &self.listeners;
        message_part.close();
        header_receive.close();
        open.close();
        message.close();
        data_end.close();
        close.close();
        error.close();
        drain.close();
        reconnecting.close();
    }
}
