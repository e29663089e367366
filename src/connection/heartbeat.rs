//! Heartbeat: when to ping, and when silence means that the peer is gone.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::options::Heartbeat;

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing before this time; `None`: nothing at all.
    Wait(Option<Instant>),
    /// A ping with this payload.
    Ping([u8; 8]),
    /// The peer counts as gone.
    Lost,
}

/// The signs of life of one connection.
#[derive(Debug)]
pub struct Pulse {
    heartbeat: Heartbeat,
    heard: Instant,
    /// A ping of the heartbeat that nothing has answered yet.
    unanswered: Option<Instant>,
    /// Reading has stopped, so silence means nothing.
    deaf: bool,
    pings: u64,
    /// The last ping that was sent, for the round-trip time.
    last_ping: Option<(Bytes, Instant)>,
    rtt: Duration,
}

impl Pulse {
    pub fn new(heartbeat: Heartbeat, now: Instant) -> Self {
        Pulse {
            heartbeat,
            heard: now,
            unanswered: None,
            deaf: false,
            pings: 0,
            last_ping: None,
            rtt: Duration::ZERO,
        }
    }

    /// Something arrived: anything proves that the peer is alive.
    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.unanswered = None;
    }

    /// Reading has stopped or goes on.
    pub fn set_deaf(&mut self, deaf: bool, now: Instant) {
        if self.deaf && !deaf {
            self.heard(now);
        }
        self.deaf = deaf;
    }

    pub fn sent_ping(&mut self, payload: Bytes, now: Instant) {
        self.last_ping = Some((payload, now));
    }

    pub fn got_pong(&mut self, payload: &Bytes, now: Instant) {
        if let Some((_, sent)) = self.last_ping.take_if(|(expected, _)| expected == payload) {
            self.rtt = now - sent;
        }
    }

    pub fn rtt(&self) -> Duration {
        self.rtt
    }

    /// How long the peer may be silent after a ping.
    pub fn timeout(&self) -> Duration {
        self.heartbeat.timeout.unwrap_or_default()
    }

    pub fn beat(&mut self, now: Instant) -> Beat {
        let Some(interval) = self.heartbeat.interval.filter(|_| !self.deaf) else {
            return Beat::Wait(None);
        };
        let due = match (self.unanswered, self.heartbeat.timeout) {
            (Some(pinged), Some(timeout)) if now >= pinged + timeout => return Beat::Lost,
            (Some(pinged), Some(timeout)) => return Beat::Wait(Some(pinged + timeout)),
            (Some(pinged), None) => pinged + interval,
            (None, _) => self.heard + interval,
        };
        if now < due {
            return Beat::Wait(Some(due));
        }
        self.unanswered = Some(now);
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
    fn any_sign_of_life_answers_a_ping() {
        let (mut pulse, start) = pulse(30, 10);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        pulse.heard(start + 35 * SECOND);
        assert_eq!(pulse.beat(start + 41 * SECOND), Beat::Wait(Some(start + 65 * SECOND)));
    }

    #[test]
    fn without_a_timeout_pings_go_on_for_ever() {
        let (mut pulse, start) = pulse(30, 0);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        assert_eq!(pulse.beat(start + 59 * SECOND), Beat::Wait(Some(start + 60 * SECOND)));
        assert!(matches!(pulse.beat(start + 60 * SECOND), Beat::Ping(_)));
    }

    #[test]
    fn while_nothing_is_read_silence_means_nothing() {
        let (mut pulse, start) = pulse(30, 10);
        assert!(matches!(pulse.beat(start + 30 * SECOND), Beat::Ping(_)));
        pulse.set_deaf(true, start + 31 * SECOND);
        assert_eq!(pulse.beat(start + 99 * SECOND), Beat::Wait(None));
        pulse.set_deaf(false, start + 99 * SECOND);
        assert_eq!(pulse.beat(start + 99 * SECOND), Beat::Wait(Some(start + 129 * SECOND)));
    }

    #[test]
    fn without_an_interval_there_is_no_heartbeat() {
        let (mut pulse, start) = pulse(0, 0);
        assert_eq!(pulse.beat(start + 9999 * SECOND), Beat::Wait(None));
    }

    #[test]
    fn only_the_pong_of_the_last_ping_sets_the_round_trip_time() {
        let (mut pulse, start) = pulse(0, 0);
        pulse.sent_ping(Bytes::from_static(b"one"), start);
        pulse.got_pong(&Bytes::from_static(b"two"), start + SECOND);
        assert_eq!(pulse.rtt(), Duration::ZERO);
        pulse.got_pong(&Bytes::from_static(b"one"), start + 2 * SECOND);
        pulse.got_pong(&Bytes::from_static(b"one"), start + 9 * SECOND);
        assert_eq!(pulse.rtt(), 2 * SECOND);
    }
}
