//! How a connection ends: what the peer did, and which close code it gets.

use std::io;

use tungstenite::protocol::frame::coding::{Control, OpCode};

use super::close::{self, BadClose, CloseFrame, Ending};
use super::link::{Broken, Link, LONGEST_CONTROL};
use super::message::Fault;
use super::send::Stage;
use super::Connection;
use crate::error::{Code, Error, Phase};
use crate::frame::write::{first_byte, put_frame};

impl Connection {
    pub(super) fn io_error(&self, error: &io::Error) -> Error {
        Error::io(Phase::Io, format!("The connection to {} broke", self.peer), error)
    }

    /// The stream is over. If a write has failed before, that is why.
    pub(super) fn lost(&self, link: &mut Link, error: Error) {
        let error = match link.broken.take() {
            Some(broken) => self.io_error(&broken.error),
            None => error,
        };
        link.drop_unwritten();
        self.settle(link, Ending::lost(error));
    }

    /// The connection is over: nothing more is accepted, and what is left is to flush.
    pub(super) fn settle(&self, link: &mut Link, ending: Ending) {
        link.settle(ending);
        if let Some(share) = self.share() {
            share.holds_unfinished(0);
            share.holds_rest(0, false);
        }
        let mut outbox = self.outbox.lock();
        if matches!(outbox.stage, Stage::Open | Stage::Unwritable) {
            outbox.stage = Stage::Broken;
        }
    }

    /// A write has failed: nothing more is written, and what can be read comes first.
    pub(super) fn broke(&self, link: &mut Link, error: io::Error) {
        link.drop_unwritten();
        if link.ending.is_some() || link.broken.is_some() {
            // The rest of the close frame can't be written, which changes nothing.
            return;
        }
        link.broken = Some(Broken { error, left: self.limits.close_timeout, reading_since: None }.into());
        let mut outbox = self.outbox.lock();
        if matches!(outbox.stage, Stage::Open) {
            outbox.stage = Stage::Unwritable;
        }
        outbox.discard();
    }

    /// The peer's close frame.
    pub(super) fn closed_by_peer(&self, link: &mut Link, payload: &[u8]) {
        let frame = match CloseFrame::received(payload) {
            Ok(frame) => frame,
            Err(BadClose::Code) => {
                let message = format!("{} sent a close code that must not be sent.", self.peer.subject());
                let error = Error::event(Phase::Protocol, Code::Protocol, message);
                let frame = CloseFrame::own(close::PROTOCOL_ERROR, "Protocol error");
                self.send_last(link, &frame);
                return self.settle(link, Ending { error: Some(error), ..Ending::clean(Some(frame)) });
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
            return self.settle(link, ending);
        }
        if !link.close_sent {
            link.close_sent = true;
            self.conclude(link, payload);
        }
        self.settle(link, Ending::clean(frame));
    }

    /// What the peer sent can't be accepted: says so, and ends.
    pub(super) fn fault(&self, link: &mut Link, fault: Fault) {
        let peer = self.peer.subject();
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
                let message = format!("There is no memory for a message from {}.", self.peer);
                (close::TOO_BIG, "No memory", protocol(Code::NoMemory, message))
            }
        };
        self.fail_with(link, CloseFrame::own(code, reason), error);
    }

    pub(super) fn fail_with(&self, link: &mut Link, frame: CloseFrame, error: Error) {
        self.send_last(link, &frame);
        self.settle(link, Ending::failed(error, &frame));
    }

    /// Sends a close frame, once, and nothing behind it; a link that can't take it is broken anyway.
    pub(super) fn send_last(&self, link: &mut Link, frame: &CloseFrame) {
        if !std::mem::replace(&mut link.close_sent, true) {
            self.conclude(link, &frame.to_wire());
        }
    }

    pub(super) fn conclude(&self, link: &mut Link, payload: &[u8]) {
        link.conclude(self.control(Control::Close, payload));
    }

    /// A control frame.
    pub(super) fn control(&self, opcode: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(LONGEST_CONTROL);
        self.put_control(&mut frame, opcode, payload);
        frame
    }

    pub(super) fn put_control(&self, out: &mut Vec<u8>, opcode: Control, payload: &[u8]) {
        // Where there are no random bytes, no frame is sent: a mask must not be known before.
        if let Ok(mask) = self.outbox.lock().mask() {
            put_frame(out, first_byte(OpCode::Control(opcode), true, 0), payload, mask);
        }
    }
}
