//! Answers to requests that are no upgrade: health checks, a page. Small and whole, and the link ends with them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::event::{HttpAnswer, HttpHook, HttpRequest, Peer};
use super::handshake::{reason_phrase, target, Refusal, MOST_HEADERS};
use super::live::{Event, Kind};
use super::options::OWNED_IN_ANSWERS;
use super::places::Underway;
use super::Server;
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
            return wrong(format!("The status {status} is none of 200 to 599."));
        }
        if body.len() > LARGEST_BODY {
            return wrong(format!("A body of {} bytes is more than {LARGEST_BODY}.", body.len()));
        }
        if !body.is_empty() && matches!(status, 204 | 304) {
            return wrong(format!("An answer with the status {status} has no body."));
        }
        headers.iter().try_for_each(|(name, value)| check_header(name, value, &OWNED_IN_ANSWERS))?;
        Ok(HttpAnswer { status, headers, body })
    }

    /// The whole HTTP answer, with more lines in its head. `method`: what it answers.
    fn write(&self, method: &str, more: &str) -> Vec<u8> {
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

/// A request that is no upgrade: of HTTP/1.1, or of HTTP/1.0, which proxies speak that look after a server. Its body isn't read.
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

impl Server {
    /// Asks a hook, which `make` makes, about requests that are no upgrade; `None`: they are refused.
    pub fn set_http_hook(&self, make: Option<impl FnOnce() -> HttpHook>) -> Result<()> {
        self.replace_hook(&self.http_hook, make)
    }

    pub(super) fn has_http_hook(&self) -> bool {
        self.http_hook.lock().is_some()
    }

    /// The answer to a request that is no upgrade, if there is another than a refusal.
    pub(super) async fn answer_http(
        self: &Arc<Self>,
        request: HttpRequest,
        health_path: Option<&str>,
        underway: &Underway,
        more: &str,
    ) -> Option<Vec<u8>> {
        let method = request.method.clone();
        let path = request.path.split('?').next();
        let is_check = matches!(method.as_str(), "GET" | "HEAD") && path.is_some() && path == health_path;
        if self.is_behind() {
            return Some(Refusal::unavailable("The server is busy.").answer(more).into_bytes());
        }
        let answer = match is_check {
            true => HttpAnswer { status: 200, headers: Vec::new(), body: b"OK\n".to_vec() },
            false if !self.has_http_hook() => return None,
            false => underway.excused(self.ask_http(request)).await.ok()??,
        };
        Some(answer.write(&method, more))
    }

    fn ask_http(self: &Arc<Self>, request: HttpRequest) -> oneshot::Receiver<Option<HttpAnswer>> {
        let (decide, decision) = oneshot::channel();
        self.begin_question();
        self.post([Event { connection: None, kind: Kind::Http(Box::new((request, decide))) }]);
        decision
    }

    /// Puts the question to the hook.
    pub(super) fn decide_http(&self, request: &HttpRequest, decide: oneshot::Sender<Option<HttpAnswer>>) {
        self.end_question();
        // The handshake was cut while the question waited.
        if decide.is_closed() {
            return;
        }
        let hook = self.http_hook.lock().clone();
        // The client may have left.
        let _ = decide.send(hook.and_then(|hook| hook(request)));
    }
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
        assert!(answer(204, &[], "x").is_err());
        assert!(answer(200, &[], &"x".repeat(LARGEST_BODY)).is_ok());
        assert!(answer(200, &[], &"x".repeat(LARGEST_BODY + 1)).is_err());
    }
}
