//! The hosts that are reached without a proxy.

use std::net::IpAddr;

use url::Host;

use crate::log::{log, Level};

/// What a bare name in a list stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// That host alone.
    Exact,
    /// The host and everything below it, with or without a dot before it: what curl makes of `no_proxy`.
    AndBelow,
}

/// A list of hosts.
#[derive(Clone, Debug, Default)]
pub struct Exclusions(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Any,
    Host(String),
    /// Begins with the dot.
    Below(String),
    /// With `*` for any run of characters.
    Glob(String),
    Network(IpAddr, u32),
}

impl Exclusions {
    /// Reads a list, or says which entry is wrong.
    pub fn parse(list: &str, names: Names) -> Result<Exclusions, String> {
        entries(list).map(|entry| rules(entry, names)).collect::<Result<Vec<_>, _>>().map(of)
    }

    /// Reads a list that the program can't mend: wrong entries exclude nothing.
    pub fn parse_leniently(list: &str, names: Names) -> Exclusions {
        let rules = entries(list).filter_map(|entry| {
            rules(entry, names).inspect_err(|error| log(Level::Warn, || error.clone())).ok()
        });
        of(rules.collect())
    }

    /// Whether a host, as a URL has it but without brackets, is in the list. No name is looked up.
    pub fn cover(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        self.0.iter().any(|rule| match (rule, address) {
            (Rule::Any, _) => true,
            (Rule::Glob(pattern), _) => is_like(host.as_bytes(), pattern.as_bytes()),
            (Rule::Host(name), None) => host == *name,
            (Rule::Below(suffix), None) => host.ends_with(suffix),
            (Rule::Network(network, bits), Some(address)) => is_within(address, *network, *bits),
            (Rule::Host(_) | Rule::Below(_), Some(_)) | (Rule::Network(..), None) => false,
        })
    }
}

fn of(rules: Vec<Vec<Rule>>) -> Exclusions {
    Exclusions(rules.into_iter().flatten().collect())
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty())
}

/// What an entry means: one rule, or two.
fn rules(entry: &str, names: Names) -> Result<Vec<Rule>, String> {
    let shown: String = entry.chars().take(100).collect();
    let wrong = |what| Err(format!("The entry {shown:?} of the proxy's exclusion list {what}."));
    if entry == "*" {
        return Ok(vec![Rule::Any]);
    }
    if entry.chars().any(char::is_control) {
        return wrong("holds a control character");
    }
    let address = |text: &str| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse::<IpAddr>().ok()
    };
    if let Some(address) = address(entry) {
        return Ok(vec![Rule::Network(address.to_canonical(), 128)]);
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let most = |network: &IpAddr| if network.is_ipv4() { 32 } else { 128 };
        return match (address(network), bits.parse::<u32>()) {
            (Some(network), Ok(bits)) if bits <= most(&network) => Ok(vec![Rule::Network(network, bits)]),
            _ => wrong("has a slash but is no network such as 10.0.0.0/8"),
        };
    }
    if entry.contains('*') {
        return Ok(vec![Rule::Glob(entry.to_ascii_lowercase())]);
    }
    let dotless = entry.strip_prefix('.').unwrap_or(entry);
    let name = dotless.strip_suffix('.').unwrap_or(dotless);
    // URLs have such names in this form as well.
    let name = match name.is_ascii() {
        true => name.to_ascii_lowercase(),
        false => match Host::parse(name) {
            Ok(host) => host.to_string(),
            Err(_) => return wrong("is not a host name"),
        },
    };
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let below = Rule::Below(format!(".{name}"));
    Ok(match (names, dotless.len() < entry.len()) {
        (Names::Exact, false) => vec![Rule::Host(name)],
        (Names::Exact, true) => vec![below],
        (Names::AndBelow, _) => vec![Rule::Host(name), below],
    })
}

/// `bits` may be more than an address has: all of them.
pub(crate) fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let rest = 32u32.saturating_sub(bits);
            (u32::from(address) ^ u32::from(network)).checked_shr(rest).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let rest = 128u32.saturating_sub(bits);
            (u128::from(address) ^ u128::from(network)).checked_shr(rest).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Whether a text fits a pattern. Each `*` is tried at its first fit and moved on when that fails, which only
/// the last one seen ever needs.
fn is_like(mut text: &[u8], mut pattern: &[u8]) -> bool {
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => {
                pattern = rest;
                retry = Some((rest, text));
            }
            ([], []) => return true,
            ([expected, after @ ..], [byte, rest @ ..]) if expected == byte => {
                (pattern, text) = (after, rest);
            }
            _ => match retry {
                Some((after_star, [_, rest @ ..])) => {
                    (pattern, text) = (after_star, rest);
                    retry = Some((after_star, rest));
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(list: &str, names: Names, host: &str) -> bool {
        Exclusions::parse(list, names).unwrap().cover(host)
    }

    #[test]
    fn a_list_excludes_hosts_suffixes_globs_and_networks() {
        for (list, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", false),
            ("example.com", "notexample.com", false),
            ("Example.COM.", "example.com", true),
            ("example.com", "example.com.", true),
            (".example.com", "www.example.com", true),
            (".example.com", "a.b.example.com", true),
            (".example.com", "example.com", false),
            (".example.com", "notexample.com", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            (".bücher.example", "a.xn--bcher-kva.example", true),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "example.com", false),
            ("*example.com", "example.com", true),
            ("w*.ex*.com", "www.example.com", true),
            ("w*.ex*.com", "www.example.org", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("**", "anything", true),
            ("192.168.*", "192.168.7.8", true),
            ("192.168.*", "192.169.7.8", false),
            ("*", "example.com", true),
            ("*", "::1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.10", false),
            ("[::1]", "::1", true),
            ("0:0::1", "::1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.255.255.255/8", "10.0.0.1", true),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::/0", "::1", true),
            ("10.0.0.0/8", "10.example.com", false),
            (".0.0.1", "127.0.0.1", false),
            ("a, b\tc ,,d", "a", true),
            ("a, b\tc ,,d", "c", true),
            ("a, b\tc ,,d", "d", true),
            ("a, b\tc ,,d", "e", false),
            ("", "example.com", false),
            (" , ,", "", false),
            (".", "example.com", false),
        ] {
            assert_eq!(covers(list, Names::Exact, host), expected, "{list:?} {host}");
        }
    }

    #[test]
    fn in_no_proxy_a_name_covers_what_is_below_it() {
        for (list, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", true),
            ("example.com", "notexample.com", false),
            (".example.com", "example.com", true),
            (".example.com", "www.example.com", true),
            ("com", "example.com", true),
        ] {
            assert_eq!(covers(list, Names::AndBelow, host), expected, "{list:?} {host}");
        }
    }

    #[test]
    fn wrong_entries_are_told_or_passed_over() {
        for list in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "http://example.com",
            "10/8",
            "a\r\nb",
            "a\0",
        ] {
            let sentence = Exclusions::parse(list, Names::Exact).unwrap_err();
            assert!(!sentence.contains(['\r', '\n', '\0']), "{sentence:?}");
            let list = format!("{list},example.com");
            assert!(Exclusions::parse_leniently(&list, Names::Exact).cover("example.com"));
            assert!(!Exclusions::parse_leniently(&list, Names::Exact).cover("10.0.0.1"));
        }
    }
}
