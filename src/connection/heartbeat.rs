//! Heartbeat: when to ping, and when a silent peer counts as lost.

use std::time::{Duration, Instant};

use super::options::Heartbeat;

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing before this time; `None`: nothing at all.
    Wait(Option<Instant>),
    /// A ping with this payload.
    Ping([u8; 8]),
    /// The peer counts as lost.
    Lost,
}

/// The signs of life of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    heartbeat: Heartbeat,
    /// When the next ping goes out, whatever arrives.
    next_ping: Option<Instant>,
    /// The oldest ping since which nothing was received.
    unanswered: Option<Instant>,
    /// The program wants to know whether the peer is there. Boxed, as it seldom does.
    check: Option<Box<Check>>,
    /// A ping goes out with the next beat.
    ping_now: bool,
    /// Reading has stopped, so silence means nothing.
    deaf: bool,
    pings: u64,
    /// The last ping that was sent, for the round-trip time.
    last_ping: Option<Box<(Box<[u8]>, Instant)>>,
    /// How often one was answered.
    answered: u32,
    rtt: Duration,
    /// As TCP smooths it (RFC 6298 2).
    smoothed_rtt: Duration,
}

#[derive(Debug)]
struct Check {
    /// How long it may take.
    timeout: Duration,
    /// Since when its time runs.
    since: Option<Instant>,
}

impl Pulse {
    pub fn new(heartbeat: Heartbeat, now: Instant) -> Self {
        Pulse {
            heartbeat,
            next_ping: heartbeat.interval.map(|interval| now + interval),
            unanswered: None,
            check: None,
            ping_now: false,
            deaf: false,
            pings: 0,
            last_ping: None,
            answered: 0,
            rtt: Duration::ZERO,
            smoothed_rtt: Duration::ZERO,
        }
    }

    /// Something arrived: anything proves that the peer is alive.
    #[inline]
    pub fn heard(&mut self) {
        self.unanswered = None;
        if self.check.as_ref().is_some_and(|check| check.since.is_some()) {
            self.check = None;
        }
    }

    /// Asks the peer for a sign of life with the next beat. Of two checks under way, the one that ends first counts.
    pub fn check(&mut self, timeout: Duration, now: Instant) {
        let is_sooner = |other: Duration, since: Option<Instant>| {
            let left = since.map_or(other, |since| (since + other).saturating_duration_since(now));
            timeout < left
        };
        if self.check.as_ref().is_none_or(|other| is_sooner(other.timeout, other.since)) {
            self.check = Some(Check { timeout, since: None }.into());
        }
        self.ping_now = true;
    }

    /// Whether nothing is due before the next regular ping.
    #[inline]
    pub fn is_calm(&self) -> bool {
        self.unanswered.is_none() && self.check.is_none() && !self.ping_now
    }

    /// Reading has stopped or goes on.
    #[inline]
    pub fn set_deaf(&mut self, deaf: bool) {
        if self.deaf && !deaf {
            self.unanswered = None;
        }
        if deaf {
            // It begins anew when this side reads again.
            if let Some(check) = &mut self.check {
                (check.since, self.ping_now) = (None, true);
            }
        }
        self.deaf = deaf;
    }

    pub fn sent_ping(&mut self, payload: &[u8], now: Instant) {
        self.last_ping = Some(Box::new((payload.into(), now)));
    }

    pub fn got_pong(&mut self, payload: &[u8], now: Instant) {
        if let Some(ping) = self.last_ping.take_if(|ping| *ping.0 == *payload) {
            self.answered = self.answered.saturating_add(1);
            self.rtt = now.saturating_duration_since(ping.1);
            self.smoothed_rtt = match self.smoothed_rtt {
                Duration::ZERO => self.rtt,
                before => (before * 7 + self.rtt) / 8,
            };
        }
    }

    /// Whether the peer still owes the last ping's answer.
    pub fn awaits_pong(&self) -> bool {
        self.last_ping.is_some()
    }

    pub fn answered(&self) -> u32 {
        self.answered
    }

    pub fn rtt(&self) -> Duration {
        self.rtt
    }

    pub fn smoothed_rtt(&self) -> Duration {
        self.smoothed_rtt
    }

    /// How long the peer may be silent after the ping that it did not answer.
    pub fn timeout(&self) -> Duration {
        self.deadline().map_or(Duration::ZERO, |(_, timeout)| timeout)
    }

    /// When the peer counts as gone if it stays silent.
    fn lost_at(&self) -> Option<Instant> {
        self.deadline().map(|(at, _)| at)
    }

    /// [`Pulse::lost_at`], and the time that was given.
    fn deadline(&self) -> Option<(Instant, Duration)> {
        if self.deaf {
            return None;
        }
        let pinged = self.unanswered.zip(self.heartbeat.timeout);
        let checked = self.check.as_ref().and_then(|check| Some((check.since?, check.timeout)));
        [pinged, checked].into_iter().flatten().map(|(since, timeout)| (since + timeout, timeout)).min()
    }

    pub fn beat(&mut self, now: Instant) -> Beat {
        if self.lost_at().is_some_and(|at| now >= at) {
            return Beat::Lost;
        }
        if self.ping_now && !self.deaf {
            self.ping_now = false;
            if let Some(check) = &mut self.check {
                check.since.get_or_insert(now);
            }
            self.pings += 1;
            return Beat::Ping(self.pings.to_be_bytes());
        }
        let (Some(interval), Some(due)) = (self.heartbeat.interval, self.next_ping) else {
            return Beat::Wait(self.lost_at());
        };
        if now < due {
            return Beat::Wait(Some(self.lost_at().map_or(due, |at| at.min(due))));
        }
        // After a long sleep one ping is enough.
        self.next_ping = Some(now + interval);
        if self.unanswered.is_none() && !self.deaf {
            self.unanswered = Some(now);
        }
        self.pings += 1;
        Beat::Ping(self.pings.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pulse(interval: u32, timeout: u32) -> (Pulse, Instant) {
        let now = Instant::now();
        let some = |seconds: u32| (seconds > 0).then_some(SECOND * seconds);
        (Pulse::new(Heartbeat { interval: some(interval), timeout: some(timeout) }, now), now)
    }

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let (mut pulse, start) = pulse(30, 10);
        assert_eq!(pulse.beat(start), Beat::Wait(Some(start + 30 * SECOND)));
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 31 * SECOND), Beat::Wait(Some(start + 40 * SECOND)));
        assert_eq!(pulse.beat(start + 40 * SECOND), Beat::Lost);
    }

    #[test]
    fn a_ping_goes_out_each_interval_whatever_arrives() {
        let (mut pulse, start) = pulse(30, 10);
        for second in 0..30 {
            pulse.heard();
            assert_eq!(pulse.beat(start + second * SECOND), Beat::Wait(Some(start + 30 * SECOND)));
        }
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        pulse.heard();
        assert_eq!(pulse.beat(start + 41 * SECOND), Beat::Wait(Some(start + 60 * SECOND)));
        assert!(matches!(pulse.beat(start + 60 * SECOND), Beat::Ping(_)));
    }

    #[test]
    fn the_deadline_runs_from_the_oldest_ping_that_nothing_answered() {
        let (mut pulse, start) = pulse(5, 30);
        for beat in 1..=6 {
            assert!(matches!(pulse.beat(start + 5 * beat * SECOND), Beat::Ping(_)), "{beat}");
        }
        assert_eq!(pulse.beat(start + 34 * SECOND), Beat::Wait(Some(start + 35 * SECOND)));
        assert_eq!(pulse.beat(start + 35 * SECOND), Beat::Lost);
    }

    #[test]
    fn without_a_timeout_pings_go_on_for_ever() {
        let (mut pulse, start) = pulse(30, 0);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 59 * SECOND), Beat::Wait(Some(start + 60 * SECOND)));
        assert!(matches!(pulse.beat(start + 60 * SECOND), Beat::Ping(_)));
    }

    #[test]
    fn while_nothing_is_read_pings_go_out_and_silence_means_nothing() {
        let (mut pulse, start) = pulse(30, 10);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        pulse.set_deaf(true);
        assert!(matches!(pulse.beat(start + 60 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 61 * SECOND), Beat::Wait(Some(start + 90 * SECOND)));
        pulse.set_deaf(false);
        assert_eq!(pulse.beat(start + 62 * SECOND), Beat::Wait(Some(start + 90 * SECOND)));
    }

    #[test]
    fn without_an_interval_there_is_no_heartbeat() {
        let (mut pulse, start) = pulse(0, 0);
        assert_eq!(pulse.beat(start + 9999 * SECOND), Beat::Wait(None));
    }

    #[test]
    fn a_check_pings_at_once_and_any_byte_answers_it() {
        let (mut pulse, start) = pulse(0, 0);
        pulse.check(5 * SECOND, start);
        assert!(matches!(pulse.beat(start + SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 2 * SECOND), Beat::Wait(Some(start + 6 * SECOND)));
        pulse.heard();
        assert_eq!(pulse.beat(start + 9 * SECOND), Beat::Wait(None));
        pulse.check(5 * SECOND, start + 9 * SECOND);
        // What came before the ping is no answer to it.
        pulse.heard();
        assert!(matches!(pulse.beat(start + 9 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 14 * SECOND), Beat::Lost);
        assert_eq!(pulse.timeout(), 5 * SECOND);
    }

    #[test]
    fn of_a_check_and_the_heartbeat_the_earlier_deadline_counts() {
        let (mut pulse, start) = pulse(30, 10);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        pulse.check(60 * SECOND, start + 31 * SECOND);
        assert!(matches!(pulse.beat(start + 31 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 32 * SECOND), Beat::Wait(Some(start + 40 * SECOND)));
        // Another check can shorten one that runs, and not prolong it.
        pulse.check(99 * SECOND, start + 32 * SECOND);
        assert!(matches!(pulse.beat(start + 32 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 32 * SECOND), Beat::Wait(Some(start + 40 * SECOND)));
        pulse.check(2 * SECOND, start + 33 * SECOND);
        assert!(matches!(pulse.beat(start + 33 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 35 * SECOND), Beat::Lost);
        assert_eq!(pulse.timeout(), 2 * SECOND);
    }

    #[test]
    fn a_check_waits_until_this_side_reads() {
        let (mut pulse, start) = pulse(0, 0);
        pulse.check(5 * SECOND, start);
        assert!(matches!(pulse.beat(start), Beat::Ping(_)));
        pulse.set_deaf(true);
        assert_eq!(pulse.beat(start + 9 * SECOND), Beat::Wait(None));
        pulse.set_deaf(false);
        assert!(matches!(pulse.beat(start + 10 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 15 * SECOND), Beat::Lost);
    }

    #[test]
    fn only_the_pong_of_the_last_ping_sets_the_round_trip_time() {
        let (mut pulse, start) = pulse(0, 0);
        pulse.sent_ping(b"one", start);
        pulse.got_pong(b"two", start + SECOND);
        assert_eq!(pulse.rtt(), Duration::ZERO);
        pulse.got_pong(b"one", start + 2 * SECOND);
        pulse.got_pong(b"one", start + 9 * SECOND);
        assert_eq!((pulse.rtt(), pulse.smoothed_rtt()), (2 * SECOND, 2 * SECOND));
        pulse.sent_ping(b"two", start);
        pulse.got_pong(b"two", start + 10 * SECOND);
        assert_eq!((pulse.rtt(), pulse.smoothed_rtt()), (10 * SECOND, 3 * SECOND));
    }
}
