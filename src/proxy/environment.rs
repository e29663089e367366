//! Reads the system's proxy from the environment, in the variables that curl reads. A platform's hook comes
//! before it: see `choice`.

use percent_encoding::percent_decode_str;
use url::Url;

use super::exclusion::{Exclusions, Names};
use super::server::{ProxyKind, Server};

/// `http_proxy` has no form in capitals: a CGI program finds a request's `Proxy` header there.
const FOR_WS: [&str; 5] = ["ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"];
const FOR_WSS: [&str; 6] = ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const WITHOUT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The port that curl takes, for every kind of proxy.
const DEFAULT_PORT: u16 = 1080;

/// The proxy for ws or, if `secure`, wss. The first variable that isn't empty counts.
pub fn from_variables(
    secure: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Server>, String> {
    let first = |names: &[&'static str]| {
        names.iter().find_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((*name, value))
        })
    };
    let Some((name, value)) = first(if secure { &FOR_WSS } else { &FOR_WS }) else { return Ok(None) };
    let without = first(&WITHOUT).map(|(_, list)| list).unwrap_or_default();
    let exclusions = Exclusions::parse_leniently(&without, Names::AndBelow);
    // The value may hold a password: it isn't shown.
    read(&value, exclusions)
        .map(Some)
        .map_err(|why| format!("The environment variable {name} can't be used: {why}"))
}

/// `[http://][user[:password]@]host[:port]`, or the same with socks5:// or socks5h://.
fn read(value: &str, exclusions: Exclusions) -> Result<Server, String> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let kind = match scheme.to_ascii_lowercase().as_str() {
        "http" => ProxyKind::Http,
        "socks5" | "socks5h" => ProxyKind::Socks5,
        _ => return Err("Only http, socks5 and socks5h proxies are supported.".into()),
    };
    // A scheme that the URL standard doesn't know has no default port that would hide a given one.
    let url =
        Url::parse(&format!("proxy://{rest}")).map_err(|error| format!("The URL is invalid: {error}."))?;
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_| "The user name or password is not UTF-8.".to_owned())
    };
    let username = zeroize::Zeroizing::new(decoded(url.username())?);
    let password = zeroize::Zeroizing::new(decoded(url.password().unwrap_or_default())?);
    let port = url.port().unwrap_or(DEFAULT_PORT);
    let host = url.host_str().unwrap_or_default();
    Server::new(kind, host, port.into(), Some(&username), Some(&password), exclusions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(secure: bool, variables: &[(&str, &str)]) -> Result<Option<Server>, String> {
        from_variables(secure, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn shown(secure: bool, variables: &[(&str, &str)]) -> String {
        let server = chosen(secure, variables).unwrap();
        server.map(|server| format!("{} {server}", server.kind().name())).unwrap_or_default()
    }

    #[test]
    fn which_variable_counts() {
        let all = [
            ("ws_proxy", "a:1"),
            ("http_proxy", "b:1"),
            ("HTTP_PROXY", "evil:1"),
            ("wss_proxy", "c:1"),
            ("https_proxy", "d:1"),
            ("HTTPS_PROXY", "e:1"),
            ("all_proxy", "f:1"),
            ("ALL_PROXY", "g:1"),
        ];
        let from = |secure: bool, skip: &[&str]| {
            let left: Vec<_> = all.into_iter().filter(|(name, _)| !skip.contains(name)).collect();
            shown(secure, &left)
        };
        assert_eq!(from(false, &[]), "HTTP the proxy a:1");
        assert_eq!(from(false, &["ws_proxy"]), "HTTP the proxy b:1");
        assert_eq!(from(false, &["ws_proxy", "http_proxy"]), "HTTP the proxy f:1");
        assert_eq!(from(false, &["ws_proxy", "http_proxy", "all_proxy"]), "HTTP the proxy g:1");
        assert_eq!(from(true, &[]), "HTTP the proxy c:1");
        assert_eq!(from(true, &["wss_proxy"]), "HTTP the proxy d:1");
        assert_eq!(from(true, &["wss_proxy", "https_proxy"]), "HTTP the proxy e:1");
        assert_eq!(from(true, &["wss_proxy", "https_proxy", "HTTPS_PROXY"]), "HTTP the proxy f:1");
        assert_eq!(shown(false, &[("HTTP_PROXY", "evil:1")]), "");
        assert_eq!(shown(false, &[("http_proxy", ""), ("all_proxy", "f:1")]), "HTTP the proxy f:1");
        assert_eq!(shown(true, &[("http_proxy", "b:1")]), "");
    }

    #[test]
    fn what_a_variable_may_say() {
        for (value, expected) in [
            ("proxy", "HTTP the proxy proxy:1080"),
            ("http://proxy", "HTTP the proxy proxy:1080"),
            ("http://proxy:80", "HTTP the proxy proxy:80"),
            ("HTTP://Proxy:3128/", "HTTP the proxy proxy:3128"),
            ("http://us%40er:p%3aw@proxy:3128", "HTTP the proxy proxy:3128"),
            ("http://[::1]:3128", "HTTP the proxy [::1]:3128"),
            ("socks5://127.0.0.1", "SOCKS5 the proxy 127.0.0.1:1080"),
            ("socks5h://user:secret@proxy:9050", "SOCKS5 the proxy proxy:9050"),
        ] {
            assert_eq!(shown(true, &[("https_proxy", value)]), expected, "{value}");
        }
        for value in [
            "https://user:secret@proxy",
            "socks4://user:secret@proxy",
            "ftp://user:secret@proxy",
            "http://user:secret@proxy:port",
            "http://user:secret@proxy:99999",
            "http://user:secret@proxy:0",
            "http://user:secret@",
            "http://:secret@proxy",
            "http://user%0d%0a:secret@proxy",
            "http://secret%ff@proxy",
            "socks5://secret@proxy",
            "http://sec ret/",
            "://secret",
        ] {
            let sentence = chosen(true, &[("https_proxy", value)]).expect_err(value);
            assert!(sentence.contains("https_proxy"), "{sentence}");
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }

    #[test]
    fn no_proxy_in_either_case_and_the_lower_one_first() {
        let excluded = |lower: &str, upper: &str| {
            let variables = [("http_proxy", "p:1"), ("no_proxy", lower), ("NO_PROXY", upper)];
            chosen(false, &variables).unwrap().unwrap().unless_excluded("www.example.com").is_none()
        };
        assert!(excluded("example.com", ""));
        assert!(excluded("", "example.com"));
        assert!(!excluded("other", "example.com"));
        assert!(excluded("10.0.0.0/99 example.com", ""));
        assert!(!excluded("", ""));
    }
}
