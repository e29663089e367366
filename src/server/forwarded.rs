//! The address of a client behind trusted proxies, as X-Forwarded-For or Forwarded (RFC 7239) has it.

use std::net::{IpAddr, SocketAddr};

use super::peer::Peer;
use crate::error::{Code, Error, Result};
use crate::proxy::is_within;

/// The proxies that are trusted: addresses and networks.
#[derive(Clone, Debug, Default)]
pub(super) struct Trusted(Vec<(IpAddr, u32)>);

impl Trusted {
    /// Reads a comma list.
    pub fn parse(list: &str) -> Result<Trusted> {
        let network = |entry: &str| {
            let (address, bits) = entry.split_once('/').map_or((entry, None), |(one, two)| (one, Some(two)));
            let ip = address.parse::<IpAddr>().ok()?;
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let bits = match bits {
                None => most,
                Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
                Some(_) => return None,
            };
            // A client that comes by IPv4 is known by its IPv4 address, whatever the socket.
            let canonical = ip.to_canonical();
            let prefix = if canonical.is_ipv4() { most - 32 } else { 0 };
            (prefix..=most).contains(&bits).then(|| (canonical, bits - prefix))
        };
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| {
            network(entry).ok_or_else(|| {
                let message = format!(
                    "trusted_proxies: {entry:?} is neither an address nor a network such as 10.0.0.0/8."
                );
                Error::call(Code::Parameter, message)
            })
        };
        entries.map(read).collect::<Result<_>>().map(Trusted)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn cover(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|(network, bits)| is_within(ip, *network, *bits))
    }

    /// The client of a request that came from this peer: the word of a trusted proxy about the host before it counts, and no
    /// other. X-Forwarded-For counts, and Forwarded only without it.
    pub fn client(&self, from: Peer, headers: &[(String, Vec<u8>)]) -> Peer {
        if !self.cover(from.ip) {
            return from;
        }
        let lines = |name: &'static str| {
            let lines = headers.iter().rev().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
            lines.map(|(_, value)| value.as_slice())
        };
        let elements =
            |value| split_from_right(value, b',').filter(|element| !element.trim_ascii().is_empty());
        match lines("X-Forwarded-For").next() {
            Some(_) => {
                let told = lines("X-Forwarded-For").flat_map(|value| value.rsplit(|byte| *byte == b','));
                self.walk(from, told.filter(|element| !element.trim_ascii().is_empty()).map(node))
            }
            None => self.walk(from, lines("Forwarded").flat_map(elements).map(forwarded_for)),
        }
    }

    /// From the last proxy to the first host that isn't trusted, or to the last that is named.
    fn walk(&self, from: Peer, told: impl Iterator<Item = Option<Peer>>) -> Peer {
        let mut client = from;
        for told in told {
            match told {
                Some(told) if self.cover(client.ip) => client = told,
                _ => break,
            }
        }
        client
    }
}

/// The parts of a list from its end, cut where the separator isn't quoted. What the client wrote is on the left: no quote in it can
/// hide what a proxy has put behind.
fn split_from_right(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let at = text.iter().rposition(|byte| {
            is_quoted ^= *byte == b'"';
            *byte == separator && !is_quoted
        });
        rest = at.and_then(|at| text.get(..at));
        at.map_or(Some(text), |at| text.get(at + 1..))
    })
}

/// The client of an element of Forwarded.
fn forwarded_for(element: &[u8]) -> Option<Peer> {
    let mut values = split_from_right(element, b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(at);
        name.eq_ignore_ascii_case(b"for").then_some(value.get(1..)?)
    });
    let (value, None) = (values.next()?, values.next()) else { return None };
    let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    node(bare.unwrap_or(value))
}

/// An address with or without a port; `None` for "unknown" and for names that say nothing (RFC 7239 6.3).
fn node(text: &[u8]) -> Option<Peer> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    // The port may be one that says nothing.
    let address = text.rsplit_once(":_").map_or(text, |(address, _)| address);
    let bare = address.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(address);
    Some(Peer { ip: bare.parse::<IpAddr>().ok()?.to_canonical(), port: 0 })
}

/// Whatever the headers are: what an untrusted peer sends is ignored, and the address that the proxy appends always
/// counts.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let trusted = Trusted::parse("10.0.0.0/8, fd00::/8").unwrap_or_default();
    let peer = |a: u8| Peer { ip: IpAddr::from([a, 1, 1, 1]), port: 7 };
    for name in ["X-Forwarded-For", "Forwarded"] {
        let headers = |value: &[u8]| vec![(name.to_owned(), value.to_vec())];
        assert_eq!(trusted.client(peer(9), &headers(data)), peer(9));
        let _ = trusted.client(peer(10), &headers(data));
        let behind: &[u8] = if name == "Forwarded" { b", for=\"9.1.1.1:7\"" } else { b", 9.1.1.1:7" };
        assert_eq!(trusted.client(peer(10), &headers(&[data, behind].concat())), peer(9));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(from: &str, headers: &[(&str, &str)]) -> String {
        let trusted = Trusted::parse("127.0.0.1, 10.0.0.0/8,fd00::/8").unwrap();
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        trusted.client(node(from.as_bytes()).unwrap(), &headers).to_string()
    }

    #[test]
    fn addresses_and_networks_are_trusted_and_nothing_else() {
        let trusted = Trusted::parse(" 127.0.0.1 ,10.0.0.0/8, ::1, fd00::/8,, 0.0.0.0/32").unwrap();
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::1", true),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(trusted.cover(ip.parse().unwrap()), expected, "{ip}");
        }
        // IPv4 addresses as IPv6 has them.
        let trusted = Trusted::parse("::ffff:127.0.0.1, ::ffff:10.0.0.0/104, ::/1").unwrap();
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::1", true),
        ] {
            assert_eq!(trusted.cover(ip.parse().unwrap()), expected, "{ip}");
        }
        assert!(Trusted::parse("::ffff:0:0/96").unwrap().cover(IpAddr::from([1, 2, 3, 4])));
        assert!(Trusted::parse(" , ").unwrap().is_empty());
        assert!(Trusted::parse("0.0.0.0/0").unwrap().cover(IpAddr::from([1, 2, 3, 4])));
        for wrong in [
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "::ffff:10.0.0.0/95",
            "::ffff:10.0.0.0/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "/8",
            "10.0.0.0/8/8",
            "*",
            "1.2.3",
        ] {
            assert_eq!(Trusted::parse(wrong).unwrap_err().code, Code::Parameter, "{wrong}");
        }
    }

    #[test]
    fn trusted_proxies_are_believed_from_the_last_to_the_first() {
        let xff = "X-Forwarded-For";
        for (from, headers, expected) in [
            ("127.0.0.1:5", &[][..], "127.0.0.1:5"),
            ("127.0.0.1:5", &[(xff, "1.2.3.4")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[("x-forwarded-for", " 1.2.3.4:99 ")], "1.2.3.4:99"),
            ("127.0.0.1:5", &[(xff, "9.9.9.9, 1.2.3.4")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[(xff, "9.9.9.9, 1.2.3.4, 10.1.1.1,fd00::7")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[(xff, "9.9.9.9"), (xff, "1.2.3.4"), (xff, "10.1.1.1")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[(xff, "10.0.0.1, 10.0.0.2")], "10.0.0.1:0"),
            ("127.0.0.1:5", &[(xff, "1.2.3.4, unknown, 10.0.0.2")], "10.0.0.2:0"),
            ("127.0.0.1:5", &[(xff, "1.2.3.4, , 10.0.0.2,")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[(xff, "garbage")], "127.0.0.1:5"),
            ("127.0.0.1:5", &[(xff, "2001:db8::1")], "[2001:db8::1]:0"),
            ("127.0.0.1:5", &[(xff, "[2001:db8::1]")], "[2001:db8::1]:0"),
            ("127.0.0.1:5", &[(xff, "[2001:db8::1]:443")], "[2001:db8::1]:443"),
            ("127.0.0.1:5", &[(xff, "::ffff:1.2.3.4")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[(xff, "1.2.3.4:99999")], "127.0.0.1:5"),
            // Of an untrusted peer nothing is.
            ("8.8.8.8:5", &[(xff, "1.2.3.4")], "8.8.8.8:5"),
            ("127.0.0.2:5", &[(xff, "1.2.3.4"), ("Forwarded", "for=1.2.3.4")], "127.0.0.2:5"),
            // Forwarded.
            ("127.0.0.1:5", &[("Forwarded", "for=1.2.3.4;proto=https;by=10.0.0.1")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[("forwarded", "For=\"[2001:db8::1]:47\"")], "[2001:db8::1]:47"),
            (
                "127.0.0.1:5",
                &[("Forwarded", "for=9.9.9.9, for=1.2.3.4;host=\"a,b;c\", for=10.0.0.2")],
                "1.2.3.4:0",
            ),
            ("127.0.0.1:5", &[("Forwarded", "for=_hidden")], "127.0.0.1:5"),
            ("127.0.0.1:5", &[("Forwarded", "for=unknown, for=10.0.0.2")], "10.0.0.2:0"),
            ("127.0.0.1:5", &[("Forwarded", "for=\"1.2.3.4:_port\"")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[("Forwarded", "proto=https")], "127.0.0.1:5"),
            ("127.0.0.1:5", &[("Forwarded", "for=1.2.3.4;for=9.9.9.9")], "127.0.0.1:5"),
            // What the client wrote can't hide what the proxy wrote.
            ("127.0.0.1:5", &[("Forwarded", "for=\"9.9.9.9, for=1.2.3.4")], "1.2.3.4:0"),
            ("127.0.0.1:5", &[("Forwarded", "for=9.9.9.9"), (xff, "1.2.3.4")], "1.2.3.4:0"),
        ] {
            assert_eq!(client(from, headers), expected, "{from} {headers:?}");
        }
    }
}
