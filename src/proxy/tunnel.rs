//! The way through a proxy: HTTP CONNECT (RFC 9110 9.3.6) and SOCKS5 (RFC 1928).

use data_encoding::BASE64;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::server::{Credentials, ProxyKind, Server};
use super::socks5::{self, Fault as Socks};
use crate::error::{Code, Error, Phase, Result};
use crate::http::{status_line, values, HeadReader, NoHead};
use crate::transport::Tcp;
use crate::url::Target;

/// The largest answer that is read: a proxy can't make a client remember more.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 256;

/// Asks the proxy at the other end for a tunnel. What goes through `stream` afterwards goes to the target, whose
/// name is not looked up here.
pub(crate) async fn open(stream: &mut Tcp, proxy: &Server, target: &Target) -> Result<()> {
    match proxy.kind {
        ProxyKind::Http => connect(stream, proxy, target).await,
        ProxyKind::Socks5 => socks5(stream, proxy, target).await,
    }
}

async fn connect(stream: &mut Tcp, proxy: &Server, target: &Target) -> Result<()> {
    let broke = |error| {
        Error::io(Phase::Proxy, format!("The connection to {proxy} broke before it answered"), &error)
    };
    let request = request(proxy, target);
    stream.write_all(request.as_bytes()).await.map_err(broke)?;
    stream.flush().await.map_err(broke)?;
    let mut heads = HeadReader::of_answers(LARGEST_HEAD);
    loop {
        let head = heads.next(stream).await.map_err(|why| match why {
            NoHead::Io(error) => broke(error),
            NoHead::Closed => closed(proxy),
            fault => invalid(proxy, fault.fault(LARGEST_HEAD)),
        })?;
        if check(head, proxy, target)? {
            break;
        }
    }
    // In the tunnel, this side speaks first. A proxy that shows its own page with a 200 is found out here, or, if
    // the page comes later, by the next handshake.
    match heads.into_rest().is_empty() {
        true => Ok(()),
        false => Err(invalid(proxy, "more follows it, as if the proxy itself were the server")),
    }
}

/// The request, with its credentials.
fn request(proxy: &Server, target: &Target) -> Zeroizing<String> {
    const REST: usize = 64;
    let address = target.address();
    let pair = proxy.credentials.as_ref().map(pair);
    let encoded = pair.as_ref().map_or(0, |pair| BASE64.encode_len(pair.len()));
    // As much as it takes: a text that grows leaves copies behind.
    let mut head = Zeroizing::new(String::with_capacity(REST + 2 * address.len() + encoded));
    for part in ["CONNECT ", &address, " HTTP/1.1\r\nHost: ", &address, "\r\n"] {
        head.push_str(part);
    }
    if let Some(pair) = pair {
        head.push_str("Proxy-Authorization: Basic ");
        BASE64.encode_append(pair.as_bytes(), &mut head);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head
}

/// User and password (RFC 7617 2).
fn pair(credentials: &Credentials) -> Zeroizing<String> {
    let Credentials { username, password } = credentials;
    let (username, password) = (username.expose(), password.expose());
    let mut pair = Zeroizing::new(String::with_capacity(username.len() + 1 + password.len()));
    for part in [username, ":", password] {
        pair.push_str(part);
    }
    pair
}

/// Checks a complete head. Whether the tunnel is open; else another head follows.
fn check(head: &[u8], proxy: &Server, target: &Target) -> Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(head).map_err(|error| invalid(proxy, error))?;
    let status = response.code.unwrap_or_default();
    let answer = status_line(&response);
    let (detail, sentence) = match (status, &proxy.credentials) {
        (200..300, _) => return Ok(true),
        (100..200, _) if status != 101 => return Ok(false),
        (407, _) if !offers_basic(response.headers) => {
            (Code::ProxyAuth, format!("{proxy} demands an authentication other than Basic: {answer}."))
        }
        (407, None) => (Code::ProxyAuth, format!("{proxy} demands a user name and a password: {answer}.")),
        // Some proxies answer 401 as if they were the server.
        (401 | 407, Some(_)) => {
            (Code::ProxyAuth, format!("{proxy} refused the user name or password: {answer}."))
        }
        _ => (Code::ProxyRefused, format!("{proxy} did not connect to {}: {answer}.", target.address())),
    };
    Err(Error { http_status: status, ..failed(detail, sentence) })
}

/// Whether a 407 can be answered with Basic credentials. One that names no scheme is given the benefit of the
/// doubt.
fn offers_basic(headers: &[httparse::Header<'_>]) -> bool {
    let mut named = false;
    let basic = values(headers, "Proxy-Authenticate").any(|value| {
        named = true;
        // A challenge, or several separated by commas, which its parameters may hold as well (RFC 9110 11.6.1).
        value.split(|byte| *byte == b',').any(|part| {
            let scheme = part.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next();
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic"))
        })
    });
    basic || !named
}

async fn socks5(stream: &mut Tcp, proxy: &Server, target: &Target) -> Result<()> {
    let opened = socks5::open(stream, proxy.credentials.as_ref(), &target.host, target.port).await;
    opened.map_err(|fault| socks5_error(fault, proxy, target))
}

fn socks5_error(fault: Socks, proxy: &Server, target: &Target) -> Error {
    let refused = |cause: &str| {
        let sentence = format!("{proxy} did not connect to {}: {cause}.", target.address());
        failed(Code::ProxyRefused, sentence)
    };
    match fault {
        Socks::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => closed(proxy),
        Socks::Io(error) => {
            Error::io(Phase::Proxy, format!("The connection to {proxy} broke before it answered"), &error)
        }
        Socks::Credentials => failed(Code::ProxyAuth, format!("{proxy} refused the user name or password.")),
        Socks::Method => {
            let demands = match proxy.credentials {
                None => "demands a user name and a password, or another authentication",
                Some(_) => "demands an authentication other than a user name and a password",
            };
            failed(Code::ProxyAuth, format!("{proxy} {demands}."))
        }
        Socks::Refused(cause) => refused(cause),
        Socks::LongName => refused("the name is too long for SOCKS5"),
        Socks::Invalid => invalid(proxy, "it is not SOCKS5"),
    }
}

fn closed(proxy: &Server) -> Error {
    failed(Code::LinkLost, format!("{proxy} closed the connection without an answer."))
}

fn invalid(proxy: &Server, what: impl std::fmt::Display) -> Error {
    failed(Code::ProxyAnswer, format!("The answer of {proxy} is invalid: {what}."))
}

/// An error whose sentence begins with a capital letter, whatever it begins with here.
fn failed(detail: Code, sentence: String) -> Error {
    let mut rest = sentence.chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    Error::event(Phase::Proxy, detail, first.into_iter().chain(rest).collect::<String>())
}

/// Any answer of a proxy is checked without a panic, and what is told of it is fit for a log.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    use std::future::Future;

    let Some((options, head)) = data.split_first() else { return };
    let password = (options & 1 == 1).then_some("secret");
    let exclusions = super::Exclusions::default();
    let Ok(proxy) = Server::new(ProxyKind::Http, "proxy", 1, password, password, exclusions) else {
        unreachable!()
    };
    let Ok(target) = Target::parse("ws://host/") else { unreachable!() };
    let answer = match options & 2 {
        0 => check(head, &proxy, &target).map(drop),
        _ => {
            // All there is to read is there, so it never waits.
            let mut stream = tokio::io::join(head, tokio::io::sink());
            let opening = socks5::open(&mut stream, proxy.credentials.as_ref(), &target.host, target.port);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let opened = std::pin::pin!(opening).poll(&mut context);
            match opened {
                std::task::Poll::Ready(opened) => {
                    opened.map_err(|fault| socks5_error(fault, &proxy, &target))
                }
                std::task::Poll::Pending => unreachable!(),
            }
        }
    };
    // Of the proxy's own words a sentence shows no control characters.
    let said: String = String::from_utf8_lossy(head).chars().filter(|shown| !shown.is_control()).collect();
    if let Err(error) = answer {
        assert_eq!(error.phase, Phase::Proxy);
        assert!(error.message.len() < 2000 && !error.message.contains(char::is_control), "{error}");
        assert!(!error.message.contains("secret") || said.contains("secret"), "{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Exclusions;

    fn proxy(credentials: Option<(&str, &str)>) -> Server {
        let (username, password) = credentials.unzip();
        Server::new(ProxyKind::Http, "proxy", 3128, username, password, Exclusions::default()).unwrap()
    }

    fn target() -> Target {
        Target::parse("wss://user:hidden@[2001:db8::1]/path").unwrap()
    }

    #[test]
    fn the_request_has_the_target_and_the_credentials() {
        assert_eq!(
            *request(&proxy(None), &target()),
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n"
        );
        assert_eq!(
            *request(&proxy(Some(("Aladdin", "open sesame"))), &target()),
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    #[test]
    fn the_request_is_written_where_it_stays() {
        for length in 1..300 {
            let request = request(&proxy(Some(("user", &"p".repeat(length)))), &target());
            // With less room than it takes, it would have twice as much in the end.
            assert!(request.capacity() - request.len() < 64, "{length}: {}", request.capacity());
        }
    }

    #[test]
    fn answers_that_open_the_tunnel_or_announce_another() {
        for (head, open) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 204\r\n\r\n", true),
            ("HTTP/1.1 103 Early Hints\r\n\r\n", false),
        ] {
            assert_eq!(check(head.as_bytes(), &proxy(None), &target()).unwrap(), open, "{head}");
        }
    }

    #[test]
    fn answers_that_refuse_and_what_they_mean() {
        let with = Some(("user", "secret"));
        let basic = "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM, basic realm=\"a, b\"\r\n";
        let other = "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: Digest realm=\"Basic\"\r\n";
        for (credentials, status, headers, detail, words) in [
            (
                None,
                "407 Proxy Authentication Required",
                "",
                Code::ProxyAuth,
                "demands a user name and a password",
            ),
            (None, "407 Who?", basic, Code::ProxyAuth, "demands a user name and a password: 407 Who?"),
            (with, "407 Who?", basic, Code::ProxyAuth, "refused the user name or password: 407 Who?"),
            (with, "407 Who?", other, Code::ProxyAuth, "other than Basic"),
            (with, "401 Unauthorized", "", Code::ProxyAuth, "refused the user name or password"),
            (None, "401 Unauthorized", "", Code::ProxyRefused, "401"),
            (
                None,
                "403 Forbidden",
                "",
                Code::ProxyRefused,
                "did not connect to [2001:db8::1]:443: 403 Forbidden",
            ),
            (None, "502", "", Code::ProxyRefused, ": 502."),
            (None, "302 Found", "Location: http://login/?secret\r\n", Code::ProxyRefused, "302"),
            (None, "101 Switching Protocols", "", Code::ProxyRefused, "101"),
        ] {
            let head = format!("HTTP/1.1 {status}\r\n{headers}\r\n");
            let error = check(head.as_bytes(), &proxy(credentials), &target()).unwrap_err();
            assert_eq!((error.phase, error.detail), (Phase::Proxy, detail), "{error}");
            assert_eq!(error.http_status.to_string(), status.split(' ').next().unwrap());
            assert!(error.message.starts_with("The proxy proxy:3128 "), "{error}");
            assert!(error.message.contains(words), "{error}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }

    #[test]
    fn answers_that_are_none() {
        for head in [
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        ] {
            let error = check(head.as_bytes(), &proxy(None), &target()).unwrap_err();
            assert_eq!((error.detail, error.http_status), (Code::ProxyAnswer, 0), "{head:?}: {error}");
        }
    }
}
