//! Connecting again by itself, if the program asks for it: when, how often, and how long to wait.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::connection::Ending;
use crate::error::{Code, Error};

/// How to reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// Attempts in a row without success; 0 for no reconnecting, `u32::MAX` for no end.
    pub max_attempts: u32,
    /// The wait before the first attempt; it doubles with each.
    pub min_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Reconnect { max_attempts: 0, min_delay: Duration::from_secs(1), max_delay: Duration::from_secs(30) }
    }
}

/// How long a server may ask to wait, unless the program allows longer waits itself.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// The attempts since the last success.
pub(super) struct Backoff {
    reconnect: Reconnect,
    attempts: u32,
}

impl Backoff {
    pub fn new(reconnect: Reconnect) -> Self {
        Backoff { reconnect, attempts: 0 }
    }

    pub fn succeeded(&mut self) {
        self.attempts = 0;
    }

    /// Whether there may be another attempt.
    pub fn has_next(&self) -> bool {
        self.attempts < self.reconnect.max_attempts
    }

    /// [`Backoff::next`], and no earlier than the server has asked for.
    pub fn next_after(&mut self, asked: Duration) -> Option<(u32, Duration)> {
        let asked = asked.min(LONGEST_ASKED.max(self.reconnect.max_delay));
        self.next().map(|(attempt, delay)| (attempt, delay.max(asked)))
    }

    /// The number of the next attempt and the wait before it; `None` when there is none.
    pub fn next(&mut self) -> Option<(u32, Duration)> {
        if !self.has_next() {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        let doubled = self.reconnect.min_delay.saturating_mul(1 << (self.attempts - 1).min(20));
        let delay = doubled.min(self.reconnect.max_delay);
        // Clients that lost one server must not come back all at once: half of the wait is random.
        let random = RandomState::new().build_hasher().finish() as u32;
        Some((self.attempts, delay / 2 + (delay / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))))
    }
}

/// Whether trying again can help: not when the server said no, or can't be trusted.
pub(super) fn may_help_after_failure(error: &Error) -> bool {
    match error.detail {
        // A clock that is wrong until the device has the time, or a certificate that is about to be renewed.
        Code::CertExpired | Code::CertNotYetValid => true,
        Code::CaFile
        | Code::CertName
        | Code::CertIssuer
        | Code::CertInvalid
        | Code::CertContent
        | Code::KeyContent
        | Code::NoPassword
        | Code::WrongPassword
        | Code::KeyForm
        | Code::KeyMismatch
        | Code::PinMismatch
        | Code::ClientCertRequired
        | Code::ClientCertRefused
        | Code::Alpn
        | Code::SubProtocol
        | Code::Redirect
        | Code::Handshake
        | Code::ProxySetting
        | Code::ProxyAuth
        | Code::ProxyAnswer => false,
        // SOCKS5 has no status, and its refusals are mostly about the moment.
        Code::HttpStatus | Code::ProxyRefused => matches!(error.http_status, 0 | 408 | 429 | 500..),
        _ => true,
    }
}

/// Whether an ended connection is to be had back: it was lost, or the peer said that it will be back.
pub(super) fn may_help_after_ending(ending: &Ending) -> bool {
    // The peer's code counts even if a write failed first; this side never sends these codes on its own.
    matches!(ending.close.code, 1001 | 1012 | 1013) || ending.is_lost()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::CloseEvent;
    use crate::error::Phase;

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_success_starts_over() {
        let second = Duration::from_secs(1);
        let mut backoff =
            Backoff::new(Reconnect { max_attempts: 6, min_delay: second, max_delay: 8 * second });
        for (number, longest) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (6, 8)] {
            let (attempt, delay) = backoff.next().unwrap();
            assert_eq!(attempt, number);
            assert!(delay >= longest * second / 2 && delay <= longest * second, "{delay:?}");
        }
        assert!(backoff.next().is_none());
        backoff.succeeded();
        assert_eq!(backoff.next().unwrap().0, 1);
        assert!(Backoff::new(Reconnect::default()).next().is_none());
    }

    #[test]
    fn a_server_may_ask_for_a_longer_wait_within_bounds() {
        let wait = |asked, max_delay| {
            let reconnect = Reconnect { max_attempts: 1, max_delay, ..Default::default() };
            Backoff::new(reconnect).next_after(Duration::from_secs(asked)).unwrap().1.as_secs()
        };
        let minute = Duration::from_secs(60);
        assert_eq!(wait(120, minute), 120);
        assert!(wait(0, minute) <= 1);
        assert_eq!(wait(1_000_000, minute), 3600);
        assert_eq!(wait(1_000_000, 100 * minute), 6000);
        assert!(Backoff::new(Reconnect::default()).next_after(minute).is_none());
    }

    #[test]
    fn dates_heal_by_themselves_and_names_and_issuers_do_not() {
        let helps = |detail| may_help_after_failure(&Error::event(Phase::Tls, detail, ""));
        for detail in [Code::CertExpired, Code::CertNotYetValid, Code::Timeout, Code::CaptivePortal] {
            assert!(helps(detail), "{detail:?}");
        }
        for detail in [Code::CertName, Code::CertIssuer, Code::CertInvalid, Code::PinMismatch, Code::Redirect]
        {
            assert!(!helps(detail), "{detail:?}");
        }
    }

    #[test]
    fn what_the_peer_says_counts_though_a_write_had_failed() {
        let ending = |code, was_clean| Ending {
            error: None,
            close: CloseEvent { code, reason: String::new(), was_clean },
            wanted: false,
        };
        for code in [1001, 1012, 1013] {
            assert!(
                may_help_after_ending(&ending(code, true)) && may_help_after_ending(&ending(code, false))
            );
        }
        assert!(may_help_after_ending(&ending(1006, false)));
        for (code, was_clean) in [(1000, true), (1008, true), (1002, false), (1005, true)] {
            assert!(!may_help_after_ending(&ending(code, was_clean)), "{code}");
        }
    }

    #[test]
    fn the_longest_run_of_attempts_does_not_overflow() {
        let forever = Reconnect { max_attempts: u32::MAX, max_delay: Duration::MAX, ..Default::default() };
        let mut backoff = Backoff { reconnect: forever, attempts: u32::MAX - 1 };
        assert_eq!(backoff.next().unwrap().0, u32::MAX);
    }
}
