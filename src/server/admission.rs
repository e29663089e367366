//! Who may connect: how many clients, how many connections each, how often; and who is banned for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::handshake::Refusal;
use super::options::{ServerOptions, DEFAULT_QUOTA};

/// Addresses whose upgrades are counted; a flood of addresses can't make the table larger.
const MOST_ADDRESSES: usize = 4096;
/// The window in which upgrades are counted, in seconds.
const WINDOW: usize = 60;
/// How long an address is banned that asked too often.
const BAN: Duration = Duration::from_secs(60);

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// Addresses that are connected at once.
    pub clients: u32,
    /// Connections of one address.
    pub connections_per_client: u32,
    /// Upgrades that one address asks for within a minute; 0 for no limit.
    pub upgrades_per_minute: u32,
}

impl From<&ServerOptions> for Quota {
    fn from(options: &ServerOptions) -> Self {
        let or_default = |given| if given == 0 { DEFAULT_QUOTA } else { given };
        Quota {
            clients: or_default(options.max_concurrent_clients),
            connections_per_client: or_default(options.max_connections_per_client),
            upgrades_per_minute: options.max_upgrades_per_minute,
        }
    }
}

/// The clients of one listening socket.
pub(super) struct Admission {
    quota: Quota,
    /// The clock of the counts begins here.
    since: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections, by address.
    connected: HashMap<IpAddr, u32>,
    rates: HashMap<IpAddr, Rate>,
}

/// The upgrades that one address has asked for.
struct Rate {
    /// By second, in a ring: a window that slides.
    counts: [u32; WINDOW],
    /// The second of the last of them.
    last: u64,
    banned_until: Option<Instant>,
}

/// A connection's place among those that are allowed.
pub(super) struct Permit {
    admission: Arc<Admission>,
    ip: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock();
        if let Some(count) = state.connected.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                state.connected.remove(&self.ip);
            }
        }
    }
}

impl Admission {
    pub fn new(quota: Quota, now: Instant) -> Arc<Admission> {
        Arc::new(Admission { quota, since: now, state: Mutex::default() })
    }

    /// Decides about a well-formed request to upgrade.
    pub fn admit(self: &Arc<Self>, ip: IpAddr, now: Instant) -> Result<Permit, Refusal> {
        let mut state = self.state.lock();
        if self.quota.upgrades_per_minute > 0 {
            state.rate(ip, self.second(now)).count(self.quota.upgrades_per_minute, self.second(now), now)?;
        }
        let clients = state.connected.len();
        let count = state.connected.get(&ip).copied().unwrap_or(0);
        if count >= self.quota.connections_per_client {
            return Err(Refusal::unavailable("Too many connections from this address."));
        }
        if count == 0 && clients >= self.quota.clients as usize {
            return Err(Refusal::unavailable("Too many clients."));
        }
        state.connected.insert(ip, count + 1);
        Ok(Permit { admission: self.clone(), ip })
    }

    /// Whether an address asked too often lately.
    pub fn is_banned(&self, ip: IpAddr, now: Instant) -> bool {
        self.state.lock().rates.get(&ip).is_some_and(|rate| rate.is_banned(now))
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }
}

impl State {
    /// An address's counts. A full table loses those that count least: not banned, and quiet for longest.
    fn rate(&mut self, ip: IpAddr, second: u64) -> &mut Rate {
        if self.rates.len() >= MOST_ADDRESSES && !self.rates.contains_key(&ip) {
            self.rates.retain(|_, rate| rate.last + WINDOW as u64 > second);
        }
        if self.rates.len() >= MOST_ADDRESSES && !self.rates.contains_key(&ip) {
            let least = self.rates.iter().min_by_key(|(_, rate)| (rate.banned_until.is_some(), rate.last));
            if let Some(least) = least.map(|(ip, _)| *ip) {
                self.rates.remove(&least);
            }
        }
        self.rates.entry(ip).or_insert(Rate { counts: [0; WINDOW], last: second, banned_until: None })
    }
}

impl Rate {
    fn is_banned(&self, now: Instant) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }

    fn count(&mut self, most: u32, second: u64, now: Instant) -> Result<(), Refusal> {
        if self.is_banned(now) {
            return Err(Refusal::too_many_requests());
        }
        if self.banned_until.take().is_some() {
            self.counts = [0; WINDOW];
        }
        for passed in (self.last + 1..=second).take(WINDOW) {
            *self.at(passed) = 0;
        }
        self.last = second;
        let count = self.at(second);
        *count = count.saturating_add(1);
        if self.counts.iter().map(|count| u64::from(*count)).sum::<u64>() > u64::from(most) {
            self.banned_until = Some(now + BAN);
            return Err(Refusal::too_many_requests());
        }
        Ok(())
    }

    fn at(&mut self, second: u64) -> &mut u32 {
        // Never beyond the ring.
        &mut self.counts[(second % WINDOW as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(quota: Quota) -> (Arc<Admission>, Instant) {
        let now = Instant::now();
        (Admission::new(quota, now), now)
    }

    fn ip(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    const SECOND: Duration = Duration::from_secs(1);
    const LARGE: Quota =
        Quota { clients: 1_000_000, connections_per_client: 1_000_000, upgrades_per_minute: 0 };

    #[test]
    fn clients_are_addresses_and_each_has_its_share() {
        let (admission, now) = admission(Quota { clients: 2, connections_per_client: 2, ..LARGE });
        let status = |result: Result<Permit, Refusal>| result.map_or_else(|refusal| refusal.status, |_| 101);
        let _one = admission.admit(ip(1), now).ok().unwrap();
        let second = admission.admit(ip(1), now).ok().unwrap();
        assert_eq!(status(admission.admit(ip(1), now)), 503, "a third connection");
        let other = admission.admit(ip(2), now).ok().unwrap();
        assert_eq!(status(admission.admit(ip(3), now)), 503, "a third client");
        drop(second);
        assert_eq!(status(admission.admit(ip(1), now)), 101);
        assert_eq!(status(admission.admit(ip(3), now)), 503, "still two clients");
        drop(other);
        assert_eq!(status(admission.admit(ip(3), now)), 101);
    }

    #[test]
    fn who_asks_too_often_is_banned_for_a_minute_and_nobody_else_is() {
        let (admission, start) = admission(Quota { upgrades_per_minute: 50, ..LARGE });
        for request in 0..50 {
            assert!(admission.admit(ip(1), start + request * SECOND).is_ok(), "{request}");
        }
        let banned = start + 55 * SECOND;
        assert_eq!(admission.admit(ip(1), banned).err().unwrap().status, 429);
        assert!(admission.is_banned(ip(1), banned + 59 * SECOND));
        assert_eq!(admission.admit(ip(1), banned + 59 * SECOND).err().unwrap().status, 429);
        assert!(admission.admit(ip(2), banned).is_ok());
        assert!(!admission.is_banned(ip(1), banned + 60 * SECOND));
        for _ in 0..50 {
            assert!(admission.admit(ip(1), banned + 60 * SECOND).is_ok());
        }
        assert_eq!(admission.admit(ip(1), banned + 61 * SECOND).err().unwrap().status, 429);
    }

    #[test]
    fn the_window_slides() {
        let (admission, start) = admission(Quota { upgrades_per_minute: 2, ..LARGE });
        for second in [0, 30, 61, 91, 122] {
            assert!(admission.admit(ip(1), start + second * SECOND).is_ok(), "{second}");
        }
        assert!(admission.admit(ip(1), start + 9999 * SECOND).is_ok());
        assert!(admission.admit(ip(1), start + 9999 * SECOND).is_ok());
        assert!(admission.admit(ip(1), start + 9999 * SECOND).is_err());
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_table_nor_lift_a_ban() {
        let (admission, start) = admission(Quota { upgrades_per_minute: 1, ..LARGE });
        assert!(admission.admit(ip(0), start).is_ok());
        assert!(admission.admit(ip(0), start).is_err());
        for number in 1..3 * MOST_ADDRESSES as u32 {
            assert!(admission.admit(ip(number), start + SECOND).is_ok());
        }
        assert_eq!(admission.state.lock().rates.len(), MOST_ADDRESSES);
        assert!(admission.state.lock().connected.is_empty(), "dropped permits leave nothing");
        assert!(admission.is_banned(ip(0), start + 2 * SECOND));
    }
}
