//! Requests that aren't upgrades, and answers to them: small and whole, and the link ends with them.

use super::event::{HttpAnswer, HttpRequest};
use super::handshake::{reason_phrase, target, MOST_HEADERS};
use super::options::OWNED_IN_ANSWERS;
use super::peer::Peer;
use crate::error::{Code, Error, Result};
use crate::header::check_header;
use crate::http::{has_token, is_authority, owned, values};

/// The largest body of an answer.
const LARGEST_BODY: usize = 64 << 10;

impl HttpAnswer {
    /// An answer that may be given.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Result<HttpAnswer> {
        let wrong = |message| Err(Error::call(Code::Parameter, message));
        if !(200..600).contains(&status) {
            return wrong(format!("The status {status} is not from 200 to 599."));
        }
        if body.len() > LARGEST_BODY {
            return wrong(format!("The body has {} bytes, more than {LARGEST_BODY}.", body.len()));
        }
        if !body.is_empty() && matches!(status, 204 | 205 | 304) {
            return wrong(format!("An answer with the status {status} can't have a body."));
        }
        headers.iter().try_for_each(|(name, value)| check_header(name, value, &OWNED_IN_ANSWERS))?;
        Ok(HttpAnswer { status, headers, body })
    }

    /// The whole HTTP answer, with more lines in its head. `method`: what it answers.
    pub(super) fn write(&self, method: &str, more: &str) -> Vec<u8> {
        let HttpAnswer { status, headers, body } = self;
        let mut head = format!("HTTP/1.1 {status} {}\r\n{more}", reason_phrase(*status));
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            head += "Content-Type: text/plain; charset=utf-8\r\n";
        }
        if !matches!(status, 204 | 304) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "Connection: close\r\n\r\n";
        let mut answer = head.into_bytes();
        if method != "HEAD" {
            answer.extend_from_slice(body);
        }
        answer
    }
}

/// A request that isn't an upgrade: of HTTP/1.1, or of HTTP/1.0, which proxies speak that look after a server. Its body isn't read.
pub(super) fn parse(head: &[u8], link: Peer) -> Option<HttpRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(head).ok()?.is_partial() || has_token(request.headers, "Upgrade", "websocket") {
        return None;
    }
    let mut hosts = values(request.headers, "Host");
    match (request.version?, hosts.next(), hosts.next()) {
        (0, None, None) => {}
        (0 | 1, Some(host), None) if is_authority(host) => {}
        _ => return None,
    }
    let (_, path) = target(request.path?)?;
    let (method, headers) = (request.method?.to_owned(), owned(request.headers));
    Some(HttpRequest { peer: link, link, method, path, headers })
}

/// What is no upgrade for the one is none for the other.
#[cfg(fuzzing)]
pub fn fuzz(head: &[u8]) {
    use super::handshake::{self, Request};

    let peer = Peer { ip: std::net::Ipv4Addr::LOCALHOST.into(), port: 7 };
    if let Some(plain) = parse(head, peer) {
        assert!(Request::parse(head).is_err() && plain.path.starts_with('/'));
    }
    handshake::fuzz(head);
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn parsed(head: &str) -> Option<(String, String)> {
        let peer = Peer { ip: IpAddr::from([10, 0, 0, 1]), port: 7 };
        parse(head.as_bytes(), peer).map(|request| (request.method, request.path))
    }

    #[test]
    fn requests_that_are_no_upgrade_are_read() {
        let is = |head: &str, method: &str, path: &str| {
            assert_eq!(parsed(head), Some((method.into(), path.into())), "{head:?}");
        };
        is("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a?b");
        is("OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS", "/");
        is("POST http://b/c HTTP/1.0\r\nHost: a:1\r\nContent-Length: 5\r\n\r\n", "POST", "/c");
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x, WebSocket\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "",
        ] {
            assert_eq!(parsed(head), None, "{head:?}");
        }
    }

    #[test]
    fn answers_are_whole_and_say_what_the_program_and_the_options_say() {
        let answer = |status, headers: &[(&str, &str)], body: &str| {
            let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            HttpAnswer::new(status, headers, body.into())
        };
        let text = |answer: &HttpAnswer, method| String::from_utf8(answer.write(method, "A: b\r\n")).unwrap();
        let page = answer(200, &[("Content-Type", "text/html"), ("X-C", "d")], "<p>").unwrap();
        let head = "HTTP/1.1 200 OK\r\nA: b\r\nContent-Type: text/html\r\nX-C: d\r\nContent-Length: 3\r\n\
                    Connection: close\r\n\r\n";
        assert_eq!(text(&page, "GET"), format!("{head}<p>"));
        assert_eq!(text(&page, "HEAD"), head);
        let plain = text(&answer(404, &[], "no").unwrap(), "GET");
        assert!(plain.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{plain}");
        let empty = text(&answer(204, &[], "").unwrap(), "GET");
        assert_eq!(empty, "HTTP/1.1 204 No Content\r\nA: b\r\nConnection: close\r\n\r\n");

        for status in [0, 100, 101, 199, 600, 65535] {
            assert_eq!(answer(status, &[], "").unwrap_err().code, Code::Parameter, "{status}");
        }
        for (name, value) in [
            ("X", "a\r\nSet-Cookie: b"),
            ("X\r\nY", "a"),
            ("X: a", "b"),
            ("", "a"),
            ("X", "a\0"),
            ("Content-Length", "0"),
            ("transfer-encoding", "chunked"),
            ("Connection", "keep-alive"),
            ("Upgrade", "h2c"),
            ("Sec-WebSocket-Accept", "x"),
        ] {
            assert_eq!(answer(200, &[(name, value)], "").unwrap_err().code, Code::Parameter, "{name:?}");
        }
        for status in [204, 205, 304] {
            assert!(answer(status, &[], "x").is_err() && answer(status, &[], "").is_ok(), "{status}");
        }
        assert!(answer(200, &[], &"x".repeat(LARGEST_BODY)).is_ok());
        assert!(answer(200, &[], &"x".repeat(LARGEST_BODY + 1)).is_err());
    }
}
