//! Closing: which close codes may be sent, and how a connection ended (RFC 6455 7).

use crate::error::{Code, Error, Result};

/// This side is going away.
pub(crate) const GOING_AWAY: u16 = 1001;
/// A message took too long.
pub(crate) const POLICY: u16 = 1008;
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
    /// What a program asks to send.
    pub fn checked(code: u16, reason: &str) -> Result<CloseFrame> {
        if !may_be_sent(code) {
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

    /// The payload of the frame.
    pub(super) fn to_wire(&self) -> Vec<u8> {
        [&self.code.to_be_bytes()[..], self.reason.as_bytes()].concat()
    }

    /// What a peer has sent; `None`: without a code (RFC 6455 5.5.1).
    pub(super) fn received(payload: &[u8]) -> Result<Option<CloseFrame>, BadClose> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(None) } else { Err(BadClose::HalfACode) };
        };
        let code = u16::from_be_bytes(*code);
        if !may_be_sent(code) {
            return Err(BadClose::Code);
        }
        let reason = std::str::from_utf8(reason).map_err(|_| BadClose::Reason)?;
        Ok(Some(CloseFrame { code, reason: reason.to_owned() }))
    }
}

/// The codes that a close frame may hold (RFC 6455 7.4, and 1012 to 1014 of IANA's registry).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What a close frame must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadClose {
    HalfACode,
    Code,
    Reason,
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
    /// The last event.
    pub close: CloseEvent,
    /// This side's program had asked for it.
    pub wanted: bool,
}

impl Ending {
    pub(super) fn clean(frame: Option<CloseFrame>) -> Ending {
        let (code, reason) = match frame {
            Some(frame) => (frame.code, frame.reason),
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

    /// There was no close frame, and there is no peer left to send one to.
    pub(crate) fn is_lost(&self) -> bool {
        !self.close.was_clean && self.close.code == ABNORMAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_is_judged_by_the_code_on_the_wire() {
        let received = |code: u16, reason: &str| {
            CloseFrame::received(&[&code.to_be_bytes()[..], reason.as_bytes()].concat())
        };
        assert_eq!(CloseFrame::received(b""), Ok(None));
        assert_eq!(CloseFrame::received(b"\x03"), Err(BadClose::HalfACode));
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999] {
            let frame = received(code, "Protocol violation").unwrap().unwrap();
            assert_eq!((frame.code, frame.reason.as_str()), (code, "Protocol violation"));
            assert!(CloseFrame::checked(code, "").is_ok());
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
            assert_eq!(received(code, ""), Err(BadClose::Code));
            assert!(CloseFrame::checked(code, "").is_err());
        }
        assert_eq!(CloseFrame::received(b"\x03\xe8\xff"), Err(BadClose::Reason));
    }
}
