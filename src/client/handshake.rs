//! The client's opening handshake (RFC 6455 4.1).

use std::io::ErrorKind;
use std::time::SystemTime;

use data_encoding::BASE64;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::options::ConnectOptions;
use super::retry_after::retry_after;
use crate::error::{Code, Error, Phase, Refusal, Result};
use crate::frame::extension::{accept_answer, offer, Agreed, CompressionOptions};
use crate::http::{accept_key, has_token, owned, status_line, values, HeadReader, NoHead};
use crate::tls::late_alert;
use crate::transport::Transport;
use crate::url::Target;

/// The largest answer that is read: a server can't make a client remember more.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 256;

/// The upgrade request, and what the answer must fit.
pub(super) struct Request {
    /// It may hold a password.
    head: Zeroizing<String>,
    accept: String,
    protocols: Vec<String>,
    compression: CompressionOptions,
    peer: String,
}

/// The server's answer: 101, and valid.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub protocol: String,
    pub compression: Option<Agreed>,
    /// What arrived behind it.
    pub early: Vec<u8>,
}

/// A `Sec-WebSocket-Key`: 16 random bytes.
fn new_key() -> Result<String> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::call(Code::Internal, "The system gives no random numbers."))?;
    Ok(BASE64.encode(&bytes))
}

impl Request {
    /// `peer` is the server as errors call it.
    pub fn new(target: &Target, options: &ConnectOptions, peer: &str) -> Result<Request> {
        let key = new_key()?;
        let protocols: Vec<String> = options.protocols()?.into_iter().map(str::to_owned).collect();
        let given = |name: &str| {
            let header = options.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            header.map(|(_, value)| value.clone())
        };
        let long: usize = options.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let own = target.authorization.as_ref().map_or(0, |value| value.expose().len());
        // As much as it takes: a text that grows leaves copies behind.
        let enough =
            1024 + 2 * target.resource.len() + 3 * target.host.len() + options.protocol.len() + long + own;
        let mut head = Zeroizing::new(String::with_capacity(enough));
        ["GET ", &target.resource, " HTTP/1.1\r\n"].iter().for_each(|part| head.push_str(part));
        let mut add = |name: &str, value: &str| {
            [name, ": ", value, "\r\n"].iter().for_each(|part| head.push_str(part));
        };
        add("Host", &given("Host").unwrap_or_else(|| target.authority()));
        add("Upgrade", "websocket");
        add("Connection", "Upgrade");
        add("Sec-WebSocket-Key", &key);
        add("Sec-WebSocket-Version", "13");
        let origin = given("Origin").or_else(|| options.origin.clone());
        let origin = origin.unwrap_or_else(|| target.origin(options.support_origin_port));
        if !origin.is_empty() {
            add("Origin", &origin);
        }
        if let Some(extensions) = offer(&options.limits.compression) {
            add("Sec-WebSocket-Extensions", &extensions);
        }
        if !protocols.is_empty() {
            add("Sec-WebSocket-Protocol", &protocols.join(", "));
        }
        if let Some(authorization) =
            target.authorization.as_ref().filter(|_| given("Authorization").is_none())
        {
            add("Authorization", authorization.expose());
        }
        for (name, value) in &options.headers {
            let written = ["Host", "Origin", "Sec-WebSocket-Protocol"];
            if !written.iter().any(|written| name.eq_ignore_ascii_case(written)) {
                add(name, value);
            }
        }
        head.push_str("\r\n");
        let compression = options.limits.compression;
        Ok(Request {
            head,
            accept: accept_key(key.as_bytes()),
            protocols,
            compression,
            peer: peer.to_owned(),
        })
    }

    /// Sends the request and reads the answer.
    pub async fn exchange(&self, transport: &mut Transport) -> Result<Answer> {
        let broke = |error| {
            let what = || format!("The connection to {} broke in the opening handshake", self.peer);
            late_alert(&self.peer, &error).unwrap_or_else(|| Error::io(Phase::Handshake, what(), &error))
        };
        // In TLS 1.3 this is where a server that wants another certificate ends it (RFC 8446 4.4.2.4); not all say why.
        let is_tls = matches!(transport, Transport::Tls(_));
        let hint = if is_tls { "; it may demand a client certificate, or refuse the one it got" } else { "" };
        let closed = |os_error| {
            let message = format!("{} closed the connection in the opening handshake{hint}.", self.peer);
            Error { os_error, ..Error::event(Phase::Handshake, Code::LinkLost, message) }
        };
        transport.write_all(self.head.as_bytes()).await.map_err(broke)?;
        transport.flush().await.map_err(broke)?;
        let mut heads = HeadReader::of_answers(LARGEST_HEAD);
        loop {
            let head = heads.next(transport).await.map_err(|why| match why {
                NoHead::Closed => closed(0),
                NoHead::Io(error) => match error.kind() {
                    ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset if is_tls => {
                        closed(error.raw_os_error().unwrap_or(0))
                    }
                    _ => broke(error),
                },
                NoHead::NotHttp => {
                    let message = format!("{} does not answer in HTTP.", self.peer);
                    Error::event(Phase::Handshake, Code::Handshake, message)
                }
                fault => self.invalid(fault.fault(LARGEST_HEAD)),
            })?;
            match self.check(head) {
                Ok(Some(answer)) => return Ok(Answer { early: heads.into_rest(), ..answer }),
                Ok(None) => {}
                Err(mut error) => {
                    if let Some(refusal) = &mut error.refusal {
                        refusal.body = heads.into_rest();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Checks a complete head; `None` for an interim answer, which another one follows.
    fn check(&self, head: &[u8]) -> Result<Option<Answer>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(head).map_err(|error| match error {
            httparse::Error::TooManyHeaders => {
                self.invalid(format!("it has more than {MOST_HEADERS} headers"))
            }
            error => self.invalid(error.to_string()),
        })?;
        let status = response.code.unwrap_or_default();
        if status != 101 {
            if (100..200).contains(&status) {
                return Ok(None);
            }
            return Err(self.refused(status, status_line(&response), response.headers));
        }
        let headers: &[httparse::Header<'_>] = response.headers;
        if response.version != Some(1) {
            return Err(self.invalid("it is not HTTP/1.1"));
        }
        let values = |name| values(headers, name);
        if !has_token(headers, "Upgrade", "websocket") {
            return Err(self.invalid("it has no \"Upgrade: websocket\""));
        }
        if !has_token(headers, "Connection", "upgrade") {
            return Err(self.invalid("it has no \"Connection: Upgrade\""));
        }
        let mut accepts = values("Sec-WebSocket-Accept");
        if accepts.next() != Some(self.accept.as_bytes()) || accepts.next().is_some() {
            return Err(self.invalid("its Sec-WebSocket-Accept is missing or wrong"));
        }
        let compression = accept_answer(&self.compression, values("Sec-WebSocket-Extensions"))
            .map_err(|what| self.invalid(what))?;
        let protocol = self.chosen_protocol(values("Sec-WebSocket-Protocol"))?;
        Ok(Some(Answer { status, headers: owned(headers), protocol, compression, early: Vec::new() }))
    }

    /// One of those that were offered, or none.
    fn chosen_protocol<'a>(&self, mut values: impl Iterator<Item = &'a [u8]>) -> Result<String> {
        let wrong = |what: &str| {
            let message = format!("{} answered the upgrade with {what}.", self.peer);
            Err(Error::event(Phase::Handshake, Code::SubProtocol, message))
        };
        let Some(value) = values.next() else { return Ok(String::new()) };
        if values.next().is_some() {
            return wrong("more than one sub-protocol");
        }
        match self.protocols.iter().find(|offered| offered.as_bytes() == value) {
            Some(chosen) => Ok(chosen.clone()),
            None => wrong("a sub-protocol that was not offered"),
        }
    }

    fn refused(&self, status: u16, mut answer: String, headers: &[httparse::Header<'_>]) -> Error {
        let location = headers.iter().find(|header| header.name.eq_ignore_ascii_case("Location"));
        if let (300..400, Some(location)) = (status, location) {
            let to: String =
                String::from_utf8_lossy(location.value).chars().filter(|c| !c.is_control()).collect();
            // A redirect's target may carry a token in its query, or a user's password.
            let to = to.split(['?', '#']).next().unwrap_or_default();
            let to: String = without_userinfo(to).chars().take(200).collect();
            answer = format!("{answer} to {to}");
        }
        let headers = owned(headers);
        let retry_after = retry_after(&headers, SystemTime::now());
        Error {
            http_status: status,
            refusal: Some(Box::new(Refusal { headers, body: Vec::new(), retry_after })),
            ..Error::event(
                Phase::Handshake,
                Code::HttpStatus,
                format!("{} refused the upgrade: {answer}.", self.peer),
            )
        }
    }

    fn invalid(&self, what: impl std::fmt::Display) -> Error {
        let message = format!("The answer to the upgrade from {} is invalid: {what}.", self.peer);
        Error::event(Phase::Handshake, Code::Handshake, message)
    }
}

/// A URL without user names and passwords, wherever something that reads URLs may find some.
fn without_userinfo(url: &str) -> String {
    let slashed = url.replace('\\', "/");
    let mut before: [Option<&str>; 2] = [None, None];
    let parts = slashed.split('/').map(|part| {
        // Behind a scheme or two slashes, or at once.
        let is_authority = match before {
            [_, None] => true,
            [None, Some(scheme)] => scheme.ends_with(':'),
            [Some(_), Some(between)] => between.is_empty(),
        };
        before = [before[1], Some(part)];
        let userinfo = part.rfind('@').filter(|_| is_authority);
        userinfo.and_then(|at| part.get(at + 1..)).unwrap_or(part)
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Any answer is checked without a panic, and what is reported of it is fit for a log. `$` stands for the right
/// `Sec-WebSocket-Accept`.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let Some((options, data)) = data.split_first() else { return };
    let protocol = if options & 1 == 0 { "" } else { "chat, b" };
    let options = ConnectOptions { protocol: protocol.into(), ..ConnectOptions::default() };
    let Ok(request) =
        Target::parse("ws://host/").and_then(|target| Request::new(&target, &options, "host:80"))
    else {
        unreachable!()
    };
    let head = data.split(|byte| *byte == b'$').collect::<Vec<_>>().join(request.accept.as_bytes());
    match request.check(&head) {
        Ok(None) => {}
        Ok(Some(answer)) => {
            assert_eq!(answer.status, 101);
            assert!(
                answer.protocol.is_empty() || protocol.split(", ").any(|offered| offered == answer.protocol)
            );
        }
        Err(error) => {
            assert_eq!(error.phase, Phase::Handshake);
            assert!(error.message.len() < 2000 && !error.message.contains(char::is_control), "{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(options: &ConnectOptions) -> Request {
        let target = Target::parse("ws://user:pw@example.com:81/chat?x=1").unwrap();
        Request::new(&target, options, "example.com:81").unwrap()
    }

    fn answer(request: &Request, changes: &[(&str, &str)], added: &str) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{added}\r\n",
            request.accept
        );
        for (from, to) in changes {
            assert!(head.contains(from));
            head = head.replace(from, to);
        }
        head.into_bytes()
    }

    #[test]
    fn the_request_has_what_rfc_6455_asks_for() {
        let options = ConnectOptions {
            protocol: "a, b".into(),
            headers: vec![("X-One".into(), "1".into()), ("origin".into(), "https://elsewhere".into())],
            ..Default::default()
        };
        let head = request(&options).head.to_string();
        assert!(head.starts_with("GET /chat?x=1 HTTP/1.1\r\nHost: example.com:81\r\n"), "{head}");
        for line in [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "X-One: 1",
            "Sec-WebSocket-Protocol: a, b",
            "Origin: https://elsewhere",
            "Authorization: Basic dXNlcjpwdw==",
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
        }
        assert_eq!(head.to_lowercase().matches("origin:").count(), 1);
        assert!(head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn answers_that_are_accepted() {
        let request = request(&ConnectOptions { protocol: "a,b".into(), ..Default::default() });
        for (changes, added, protocol) in [
            (&[][..], "", ""),
            (&[("Connection: Upgrade", "connection: keep-alive, upgrade")][..], "", ""),
            (&[("Upgrade: websocket", "UPGRADE: WebSocket")][..], "", ""),
            (&[][..], "Sec-WebSocket-Protocol: b\r\n", "b"),
            (&[][..], "Sec-WebSocket-Extensions:\r\n", ""),
        ] {
            let answer = request.check(&answer(&request, changes, added)).unwrap().expect("final");
            assert_eq!(answer.protocol, protocol);
        }
        assert!(request.check(b"HTTP/1.1 103 Early Hints\r\n\r\n").unwrap().is_none());
    }

    #[test]
    fn answers_that_are_refused() {
        let request = request(&ConnectOptions { protocol: "a".into(), ..Default::default() });
        let accept = request.accept.clone();
        for (changes, added, detail) in [
            (&[("HTTP/1.1", "HTTP/1.0")][..], "", Code::Handshake),
            (&[("Upgrade: websocket", "X: websocket")][..], "", Code::Handshake),
            (&[("Connection: Upgrade", "Connection: close")][..], "", Code::Handshake),
            (&[(accept.as_str(), "AAAA")][..], "", Code::Handshake),
            (&[("Sec-WebSocket-Accept", "X")][..], "", Code::Handshake),
            (&[][..], "Sec-WebSocket-Accept: twice\r\n", Code::Handshake),
            (&[][..], "Sec-WebSocket-Extensions: permessage-deflate\r\n", Code::Handshake),
            (&[][..], "Sec-WebSocket-Protocol: b\r\n", Code::SubProtocol),
            (&[][..], "Sec-WebSocket-Protocol: A\r\n", Code::SubProtocol),
            (&[][..], "Sec-WebSocket-Protocol:\r\n", Code::SubProtocol),
            (&[][..], "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", Code::SubProtocol),
            (&[("101 Switching Protocols", "200 OK")][..], "", Code::HttpStatus),
            (
                &[("101 Switching Protocols", "302 Found")][..],
                "Location: http://x/?token=s\r\n",
                Code::HttpStatus,
            ),
            (
                &[("101 Switching Protocols", "302 Found")][..],
                "Location: https://user:token@x/a\r\n",
                Code::HttpStatus,
            ),
        ] {
            let error = request.check(&answer(&request, changes, added)).unwrap_err();
            assert_eq!(
                (error.detail, error.phase),
                (detail, Phase::Handshake),
                "{changes:?} {added}: {error}"
            );
            assert!(!error.message.contains("token"));
        }
    }

    #[test]
    fn where_a_redirect_leads_is_told_without_a_password() {
        let long = format!("http://user:{}@host/a", "p".repeat(300));
        for (location, told) in [
            ("https://user:pass@host/a@b?c", "https://host/a@b"),
            ("//user:pass@host", "//host"),
            ("http://us@er:p@ss@host:81/", "http://host:81/"),
            ("http:\\\\user:pass@host\\a", "http://host/a"),
            ("HTTPS:/user:pass@host", "HTTPS:/host"),
            ("user:pass@host/a", "host/a"),
            ("ftp://user:pass@host/", "ftp://host/"),
            ("other+1:\\\\user:pass@host/a", "other+1://host/a"),
            ("blob:http://user:pass@host/a", "blob:http://host/a"),
            ("http:user:pass@host//a", "host//a"),
            ("\u{a0}http:///user:pass@host", "\u{a0}http:///host"),
            ("/users/@me", "/users/@me"),
            (&long, "http://host/a"),
        ] {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
            let error = request(&ConnectOptions::default()).check(head.as_bytes()).unwrap_err();
            assert!(error.message.contains(&format!(" to {told}.")), "{error}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_in_the_sentence() {
        let request = request(&ConnectOptions::default());
        let head = format!("HTTP/1.1 503 {}\r\n\r\n", "x".repeat(60_000));
        let error = request.check(head.as_bytes()).unwrap_err();
        assert_eq!(error.http_status, 503);
        assert!(error.message.len() < 300, "{}", error.message.len());
    }
}
