//! Closing: which codes may be sent, and how a connection ended (RFC 6455 7).

use crate::error::{Code, Error, Result};

/// This side is going away.
pub(crate) const GOING_AWAY: u16 = 1001;
/// The peer broke the protocol.
pub(crate) const PROTOCOL_ERROR: u16 = 1002;
/// The close frame held no code; never sent.
pub(crate) const NO_STATUS: u16 = 1005;
/// There was no close frame; never sent.
pub(crate) const ABNORMAL: u16 = 1006;
/// Text that is not UTF-8.
pub(crate) const INVALID_DATA: u16 = 1007;
/// A message above the limit.
pub(crate) const TOO_BIG: u16 = 1009;
/// This side failed.
pub(crate) const INTERNAL_ERROR: u16 = 1011;

/// The reason of a `close` event when the link broke.
pub(crate) const LINK_DOWN: &str = "The link is down";

const LONGEST_REASON: usize = 123;

/// Code and reason for a close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// One that may be sent.
    pub code: u16,
    /// At most 123 bytes.
    pub reason: String,
}

impl CloseFrame {
    /// What a program asks to send. 1014 would pass RFC 6455 but not tungstenite.
    pub fn checked(code: u16, reason: &str) -> Result<CloseFrame> {
        if !matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999) {
            return Err(Error::call(Code::Parameter, format!("The close code {code} may not be sent.")));
        }
        if reason.len() > LONGEST_REASON {
            return Err(Error::call(
                Code::Parameter,
                format!("The reason has {} bytes, more than {LONGEST_REASON}.", reason.len()),
            ));
        }
        Ok(CloseFrame { code, reason: reason.to_owned() })
    }

    /// What this library itself sends.
    pub(super) fn own(code: u16, reason: &'static str) -> CloseFrame {
        CloseFrame { code, reason: reason.to_owned() }
    }

    pub(super) fn to_wire(&self) -> tungstenite::protocol::CloseFrame {
        tungstenite::protocol::CloseFrame { code: self.code.into(), reason: self.reason.as_str().into() }
    }
}

/// Whether the peer's frame held a code that must not be sent: tungstenite then shows its own answer instead.
pub(super) fn was_forbidden(frame: Option<&tungstenite::protocol::CloseFrame>) -> bool {
    frame.is_some_and(|frame| {
        u16::from(frame.code) == PROTOCOL_ERROR && frame.reason.as_str() == "Protocol violation"
    })
}

/// The connection is over.
#[derive(Clone, Debug)]
pub struct CloseEvent {
    /// The code, as RFC 6455 7.1.5 defines it.
    pub code: u16,
    /// The reason.
    pub reason: String,
    /// Both sides sent a close frame.
    pub was_clean: bool,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What went wrong, if something did.
    pub error: Option<Error>,
    /// What the program is told last.
    pub close: CloseEvent,
    /// This side's program had asked for it.
    pub wanted: bool,
}

impl Ending {
    pub(super) fn clean(frame: Option<tungstenite::protocol::CloseFrame>) -> Ending {
        let (code, reason) = match frame {
            Some(frame) => (frame.code.into(), frame.reason.to_string()),
            None => (NO_STATUS, String::new()),
        };
        Ending { error: None, close: CloseEvent { code, reason, was_clean: true }, wanted: false }
    }

    pub(super) fn lost(error: Error) -> Ending {
        let close = CloseEvent { code: ABNORMAL, reason: LINK_DOWN.into(), was_clean: false };
        Ending { error: Some(error), close, wanted: false }
    }

    pub(super) fn failed(error: Error, frame: &CloseFrame) -> Ending {
        let close = CloseEvent { code: frame.code, reason: frame.reason.clone(), was_clean: false };
        Ending { error: Some(error), close, wanted: false }
    }

    /// There was no close frame: there is no one left to say goodbye to.
    pub(crate) fn is_lost(&self) -> bool {
        !self.close.was_clean && self.close.code == ABNORMAL
    }
}
