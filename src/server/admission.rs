//! Admission: how many clients may connect, with how many connections each, and how often. An address that asks too often is
//! banned here, for a while.

use std::collections::hash_map::Entry;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::event::Ban;
use super::handshake::Refusal;
use super::options::{ServerOptions, DEFAULT_QUOTA};

/// How many addresses and networks are counted; a flood of addresses can't make the table larger.
const MOST_ADDRESSES: usize = 4096;
/// The window in which upgrades are counted, in seconds.
const WINDOW: usize = 60;
/// How long an address that asked too often is banned.
const BAN: Duration = Duration::from_secs(60);

/// How much more an IPv6 network may do than one address: a household or a site shares one, and so does an attacker that
/// makes up addresses.
const NETWORK_FACTOR: u32 = 4;
/// How many TLS handshakes an address may begin for each upgrade that it may ask for: some fail on the client's side.
const HANDSHAKES_PER_UPGRADE: u32 = 2;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    Address(IpAddr),
    /// The first 64 bits of IPv6 addresses, the rest of which each subscriber may choose (RFC 7934 4).
    Network([u8; 8]),
}

impl Source {
    /// The network of an address. Link-local addresses are all in one, which says nothing.
    fn network(ip: IpAddr) -> Option<Source> {
        match ip {
            IpAddr::V6(ip) if !ip.is_unicast_link_local() => {
                ip.octets().first_chunk().map(|network| Source::Network(*network))
            }
            _ => None,
        }
    }

    /// The network, or the address if there is none.
    pub fn widest(ip: IpAddr) -> Source {
        Source::network(ip).unwrap_or(Source::Address(ip))
    }

    /// The address, or the one that stands for its network.
    pub fn address(self) -> IpAddr {
        match self {
            Source::Address(ip) => ip,
            Source::Network(network) => {
                Ipv6Addr::from_bits(u128::from(u64::from_be_bytes(network)) << 64).into()
            }
        }
    }

    /// All sources that the limits count for this address, each with how much more it may do than an address.
    fn all(ip: IpAddr) -> impl Iterator<Item = (Source, u32)> {
        // The network first: once it is banned, its addresses don't even fill the table.
        let network = Source::network(ip).map(|network| (network, NETWORK_FACTOR));
        network.into_iter().chain([(Source::Address(ip), 1)])
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if matches!(self, Source::Network(_)) { "/64" } else { "" };
        write!(f, "{}{bits}", self.address())
    }
}

/// What is counted of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Upgrades,
    TlsHandshakes,
}

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
    /// Connections.
    connected: HashMap<Source, u32>,
    /// How many of the connected sources are addresses.
    clients: usize,
    rates: HashMap<(Source, Counted), Rate>,
}

/// What one address or network has asked for.
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
        let state = &mut *self.admission.state.lock();
        for (source, _) in Source::all(self.ip) {
            if let Entry::Occupied(mut count) = state.connected.entry(source) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                    state.clients -= usize::from(matches!(source, Source::Address(_)));
                }
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
        let state = &mut *self.state.lock();
        self.count(state, ip, Counted::Upgrades, self.quota.upgrades_per_minute, now)?;
        let of = |state: &State, source| state.connected.get(&source).copied().unwrap_or(0);
        for (source, factor) in Source::all(ip) {
            if of(state, source) >= self.quota.connections_per_client.saturating_mul(factor) {
                return Err(Refusal::unavailable("Too many connections from this address."));
            }
        }
        let is_new = of(state, Source::Address(ip)) == 0;
        if is_new && state.clients >= self.quota.clients as usize {
            return Err(Refusal::unavailable("Too many clients."));
        }
        state.clients += usize::from(is_new);
        for (source, _) in Source::all(ip) {
            *state.connected.entry(source).or_default() += 1;
        }
        Ok(Permit { admission: self.clone(), ip })
    }

    /// Whether an address may begin a TLS handshake, which is counted. It may not when it, or its network, is banned or began too
    /// many.
    pub fn may_begin_tls(&self, ip: IpAddr, now: Instant) -> bool {
        let most = self.quota.upgrades_per_minute.saturating_mul(HANDSHAKES_PER_UPGRADE);
        let state = &mut *self.state.lock();
        !state.is_banned(ip, now) && self.count(state, ip, Counted::TlsHandshakes, most, now).is_ok()
    }

    /// A TLS handshake of this address doesn't count after all.
    pub fn take_back_tls(&self, ip: IpAddr) {
        let state = &mut *self.state.lock();
        for (source, _) in Source::all(ip) {
            if let Some(rate) = state.rates.get_mut(&(source, Counted::TlsHandshakes)) {
                rate.take_back();
            }
        }
    }

    /// The addresses and networks that are banned now.
    pub fn bans(&self, now: Instant) -> Vec<Ban> {
        let state = self.state.lock();
        let remaining = |source, counted| {
            let until = state.rates.get(&(source, counted)).and_then(|rate| rate.banned_until);
            until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
        };
        let mut bans = Vec::new();
        for (source, counted) in state.rates.keys() {
            let upgrades = remaining(*source, Counted::Upgrades);
            let handshakes = remaining(*source, Counted::TlsHandshakes);
            // Listed once, with the longer of its bans.
            let (longer, of) = match upgrades >= handshakes {
                true => (upgrades, Counted::Upgrades),
                false => (handshakes, Counted::TlsHandshakes),
            };
            if *counted == of && !longer.is_zero() {
                bans.push((*source, longer));
            }
        }
        drop(state);
        bans.sort_unstable();
        bans.into_iter().map(|(source, remaining)| Ban { whom: source.to_string(), remaining }).collect()
    }

    /// Forgets what an address and its network, or a network alone, asked for, and lifts their bans. `None`: `whom` names neither.
    pub fn lift_ban(&self, whom: &str) -> Option<()> {
        let network = whom.strip_suffix("/64");
        let ip = network.unwrap_or(whom).parse::<IpAddr>().ok()?.to_canonical();
        let sources: Vec<Source> = match network {
            None => Source::all(ip).map(|(source, _)| source).collect(),
            Some(_) => vec![Source::network(ip)?],
        };
        self.state.lock().rates.retain(|(source, _), _| !sources.contains(source));
        Some(())
    }

    /// Counts what an address does, at most `most` times within a minute; 0: no limit. An address that does more is banned, for
    /// whatever is counted.
    fn count(
        &self,
        state: &mut State,
        ip: IpAddr,
        counted: Counted,
        most: u32,
        now: Instant,
    ) -> Result<(), Refusal> {
        if most == 0 {
            return Ok(());
        }
        if state.is_banned(ip, now) {
            return Err(Refusal::too_many_requests());
        }
        let second = self.second(now);
        Source::all(ip).try_for_each(|(source, factor)| {
            state.rate((source, counted), second).count(most.saturating_mul(factor), second, now)
        })
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }
}

impl State {
    /// Whether an address, or its network, did or asked too much lately.
    fn is_banned(&self, ip: IpAddr, now: Instant) -> bool {
        Source::all(ip).any(|(source, _)| {
            [Counted::Upgrades, Counted::TlsHandshakes]
                .into_iter()
                .any(|counted| self.rates.get(&(source, counted)).is_some_and(|rate| rate.is_banned(now)))
        })
    }

    /// The counts of one. A full table loses those that count least: not banned, and quiet for longest.
    fn rate(&mut self, whose: (Source, Counted), second: u64) -> &mut Rate {
        if self.rates.len() >= MOST_ADDRESSES && !self.rates.contains_key(&whose) {
            self.rates.retain(|_, rate| rate.last + WINDOW as u64 > second);
        }
        if self.rates.len() >= MOST_ADDRESSES && !self.rates.contains_key(&whose) {
            let least = self.rates.iter().min_by_key(|(_, rate)| (rate.banned_until.is_some(), rate.last));
            if let Some(least) = least.map(|(whose, _)| *whose) {
                self.rates.remove(&least);
            }
        }
        self.rates.entry(whose).or_insert(Rate { counts: [0; WINDOW], last: second, banned_until: None })
    }
}

impl Rate {
    fn is_banned(&self, now: Instant) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }

    fn count(&mut self, most: u32, second: u64, now: Instant) -> Result<(), Refusal> {
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

    /// Uncounts the latest.
    fn take_back(&mut self) {
        for second in (self.last.saturating_sub(WINDOW as u64 - 1)..=self.last).rev() {
            let count = self.at(second);
            if *count > 0 {
                *count -= 1;
                return;
            }
        }
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

    fn is_banned(admission: &Admission, ip: IpAddr, now: Instant) -> bool {
        admission.state.lock().is_banned(ip, now)
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
    fn an_address_that_asks_too_often_is_banned_for_a_minute_and_no_other_is() {
        let (admission, start) = admission(Quota { upgrades_per_minute: 50, ..LARGE });
        for request in 0..50 {
            assert!(admission.admit(ip(1), start + request * SECOND).is_ok(), "{request}");
        }
        let banned = start + 55 * SECOND;
        assert_eq!(admission.admit(ip(1), banned).err().unwrap().status, 429);
        assert!(is_banned(&admission, ip(1), banned + 59 * SECOND));
        assert_eq!(admission.admit(ip(1), banned + 59 * SECOND).err().unwrap().status, 429);
        assert!(admission.admit(ip(2), banned).is_ok());
        assert!(!is_banned(&admission, ip(1), banned + 60 * SECOND));
        for _ in 0..50 {
            assert!(admission.admit(ip(1), banned + 60 * SECOND).is_ok());
        }
        assert_eq!(admission.admit(ip(1), banned + 61 * SECOND).err().unwrap().status, 429);
    }

    #[test]
    fn bans_are_listed_and_can_be_lifted() {
        let (admission, now) = admission(Quota { upgrades_per_minute: 1, ..LARGE });
        let listed = |now| -> Vec<(String, u64)> {
            admission.bans(now).into_iter().map(|ban| (ban.whom, ban.remaining.as_secs())).collect()
        };
        let network = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        let ban = |ip| assert!((0..2).map(|_| admission.admit(ip, now).is_ok()).eq([true, false]));
        ban(ip(1));
        ban(ip(2));
        ban(network(1));
        assert!((2..5).map(|host| admission.admit(network(host), now).is_ok()).eq([true, true, false]));
        let of = |whom: &[&str], left| whom.iter().map(|ip| (ip.to_string(), left)).collect::<Vec<_>>();
        let (one, two) = (ip(1).to_string(), ip(2).to_string());
        assert_eq!(listed(now + 20 * SECOND), of(&[&one, &two, "2001:db8:0:1::1", "2001:db8:0:1::/64"], 40));
        assert_eq!(listed(now + 60 * SECOND), []);

        assert_eq!(admission.lift_ban("nobody"), None);
        assert_eq!(admission.lift_ban("10.0.0.0/64"), None);
        admission.lift_ban("10.99.99.99").unwrap();
        admission.lift_ban(&one).unwrap();
        assert!(admission.admit(ip(1), now).is_ok());
        assert!(admission.admit(ip(2), now).is_err());
        admission.lift_ban("2001:db8:0:1::/64").unwrap();
        assert!(admission.admit(network(1), now).is_err(), "the address is banned by itself");
        admission.lift_ban("2001:db8:0:1::1").unwrap();
        assert!(admission.admit(network(1), now).is_ok());
        assert_eq!(listed(now), of(&[&two], 60));
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
        assert!(is_banned(&admission, ip(0), start + 2 * SECOND));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_have_limits_together_but_not_the_link_local() {
        let quota = Quota { connections_per_client: 2, upgrades_per_minute: 3, ..LARGE };
        let ip = |network: &str, host: u32| -> IpAddr { format!("{network}::{host:x}").parse().unwrap() };
        let status = |result: Result<Permit, Refusal>| result.map_or_else(|refusal| refusal.status, |_| 101);

        let (limited, now) = admission(Quota { upgrades_per_minute: 0, ..quota });
        let in_all = |network: &str, hosts: u32| {
            let permits: Vec<_> = (1..=hosts).map(|host| limited.admit(ip(network, host), now)).collect();
            permits.iter().filter(|permit| permit.is_ok()).count()
        };
        assert_eq!(in_all("2001:db8:0:1", 20), 8, "four times the connections of one address");
        assert_eq!(in_all("2001:db8:0:1", 20), 8, "which are given back");
        assert_eq!(in_all("fe80", 20), 20);
        assert!(limited.state.lock().connected.is_empty() && limited.state.lock().clients == 0);

        let (admission, now) = admission(quota);
        for host in 1..=12 {
            assert_eq!(status(admission.admit(ip("2001:db8:0:1", host), now)), 101, "{host}");
        }
        assert_eq!(status(admission.admit(ip("2001:db8:0:1", 13), now)), 429);
        assert_eq!(status(admission.admit(ip("2001:db8:0:1", 14), now)), 429, "all of it is banned");
        assert_eq!(status(admission.admit(ip("2001:db8:0:2", 1), now)), 101, "and nobody else is");
        for host in 1..=100 {
            assert_eq!(status(admission.admit(ip("fe80", host), now)), 101, "{host}");
        }
    }

    #[test]
    fn tls_handshakes_are_counted_by_themselves_and_too_many_are_a_ban() {
        let (admission, now) = admission(Quota { upgrades_per_minute: 50, ..LARGE });
        for handshake in 0..100 {
            assert!(admission.may_begin_tls(ip(1), now), "{handshake}");
        }
        assert!(admission.admit(ip(1), now).is_ok(), "upgrades have a count of their own");
        assert!(!admission.may_begin_tls(ip(1), now));
        assert_eq!(admission.admit(ip(1), now).err().unwrap().status, 429);
        assert!(admission.may_begin_tls(ip(2), now));
        assert!(admission.may_begin_tls(ip(1), now + BAN));

        for _ in 0..1000 {
            assert!(admission.may_begin_tls(ip(3), now));
            admission.take_back_tls(ip(3));
        }
        // A page of another origin that begins many, and asks when others have begun.
        for minute in 1..4 {
            let then = now + minute * BAN;
            assert!((0..99).all(|_| admission.may_begin_tls(ip(4), then)), "{minute}");
            assert!(admission.may_begin_tls(ip(4), then + SECOND));
            (0..100).for_each(|_| admission.take_back_tls(ip(4)));
            assert!((0..100).all(|_| admission.may_begin_tls(ip(4), then + 2 * SECOND)), "{minute}");
            (0..100).for_each(|_| admission.take_back_tls(ip(4)));
        }

        let (unlimited, now) = self::admission(LARGE);
        assert!((0..1000).all(|_| unlimited.may_begin_tls(ip(1), now)));
    }
}
