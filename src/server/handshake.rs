//! The server's opening handshake (RFC 6455 4.2): a request becomes an upgrade, or gets a proper HTTP answer.

use data_encoding::BASE64;

use crate::http::{accept_key, has_token, is_authority, owned, values, NoHead};

/// The largest request that is read.
pub(super) const LARGEST_HEAD: usize = 32 << 10;
pub(super) const MOST_HEADERS: usize = 128;

/// A valid request to upgrade.
#[derive(Debug)]
pub(super) struct Request {
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    key: Vec<u8>,
}

/// Why a request is refused: what the HTTP answer says.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: u16,
    why: &'static str,
    /// Headers that the status asks for.
    headers: &'static str,
}

impl Refusal {
    fn new(status: u16, why: &'static str) -> Self {
        Refusal { status, why, headers: "" }
    }

    fn upgrade_required(why: &'static str) -> Self {
        // RFC 9110 7.8: a message with Upgrade names it in Connection.
        let headers = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        Refusal { headers, ..Refusal::new(426, why) }
    }

    pub fn unavailable(why: &'static str) -> Self {
        Refusal::new(503, why)
    }

    pub fn too_many_requests() -> Self {
        let headers = "Retry-After: 60\r\n";
        Refusal { headers, ..Refusal::new(429, "Too many connections in a short time.") }
    }

    /// What the program's accept hook said.
    pub fn by_the_program(status: u16) -> Self {
        let status = if (400..600).contains(&status) { status } else { 403 };
        Refusal::new(status, "Refused.")
    }

    /// The answer to a peer that sent no head; `None` when it isn't there any more.
    pub fn of(why: &NoHead) -> Option<Self> {
        match why {
            NoHead::TooLarge => Some(Refusal::new(431, "The request's head is too large.")),
            NoHead::NotHttp | NoHead::TooMany => Some(Refusal::new(400, "This is not an HTTP request.")),
            NoHead::Io(_) | NoHead::Closed => None,
        }
    }

    /// The whole HTTP answer, with more lines in its head.
    pub fn answer(&self, more: &str) -> String {
        let Refusal { status, why, headers } = self;
        format!(
            "HTTP/1.1 {status} {}\r\n{more}{headers}Content-Type: text/plain\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{why}\n",
            reason_phrase(*status),
            why.len() + 1,
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.why)
    }
}

/// RFC 9110 15 and RFC 6585; a client goes by the number alone.
pub(super) fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        ..400 => "",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Refused",
    }
}

impl Request {
    /// Reads a complete head.
    pub fn parse(head: &[u8]) -> Result<Request, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let invalid = || Refusal::new(400, "This is not a valid HTTP request.");
        let parsed = request.parse(head).map_err(|error| match error {
            httparse::Error::TooManyHeaders => Refusal::new(431, "The request has too many headers."),
            _ => invalid(),
        })?;
        if parsed.is_partial() {
            return Err(invalid());
        }
        if request.method != Some("GET") {
            let headers = "Allow: GET\r\n";
            return Err(Refusal { headers, ..Refusal::new(405, "Only GET can be upgraded.") });
        }
        if request.version != Some(1) {
            return Err(Refusal::new(400, "The request is not HTTP/1.1."));
        }
        let headers: &[httparse::Header<'_>] = request.headers;
        let only = |name, missing, repeated| {
            let mut found = values(headers, name);
            match (found.next(), found.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => Err(Refusal::new(400, missing)),
                (Some(_), Some(_)) => Err(Refusal::new(400, repeated)),
            }
        };
        let host = only("Host", "The request has no Host.", "The request has more than one Host.")?;
        if !is_authority(host) {
            return Err(Refusal::new(400, "The request's Host is not a host."));
        }
        let (named, path) = target(request.path.unwrap_or_default())
            .ok_or_else(|| Refusal::new(400, "The request's target is neither a path nor a URL."))?;
        // What followed would be read as frames.
        if values(headers, "Transfer-Encoding").next().is_some()
            || values(headers, "Content-Length").any(|length| length != b"0")
        {
            return Err(Refusal::new(400, "A request to upgrade can't have a body."));
        }
        if !has_token(headers, "Upgrade", "websocket") || !has_token(headers, "Connection", "upgrade") {
            return Err(Refusal::upgrade_required("This server speaks only WebSocket (RFC 6455)."));
        }
        let version = only(
            "Sec-WebSocket-Version",
            "The request has no Sec-WebSocket-Version.",
            "The request has more than one Sec-WebSocket-Version.",
        )?;
        if version != b"13" {
            return Err(Refusal::upgrade_required("This server speaks only version 13 of the protocol."));
        }
        let key = only(
            "Sec-WebSocket-Key",
            "The request has no Sec-WebSocket-Key.",
            "The request has more than one Sec-WebSocket-Key.",
        )?;
        // The decoder would also take several texts in a row, each with its padding.
        if key.len() != 24 || BASE64.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
            return Err(Refusal::new(400, "The Sec-WebSocket-Key is not 16 bytes in base64."));
        }
        let mut headers = owned(headers);
        // RFC 9112 3.2.2.
        if let Some(named) = named {
            let host = headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Host"));
            host.into_iter().for_each(|(_, value)| *value = named.as_bytes().to_vec());
        }
        Ok(Request { path, headers, key: key.to_owned() })
    }

    /// Whether it is of a page that may connect, or of no page.
    pub fn check_origin(&self, allowed: &[String]) -> Result<(), Refusal> {
        let mut origins = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Origin"));
        let is_allowed =
            |origin: &[u8]| allowed.iter().any(|allowed| allowed.as_bytes() == origin.trim_ascii());
        match origins.all(|(_, origin)| is_allowed(origin)) {
            true => Ok(()),
            false => Err(Refusal::new(403, "Pages of this origin may not connect.")),
        }
    }

    /// The first of the server's sub-protocols that the client speaks too, or "".
    pub fn choose(&self, spoken: &[String]) -> String {
        let is_offered = |protocol: &&String| {
            let lists =
                self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
            let mut offered = lists.flat_map(|(_, value)| value.split(|byte| *byte == b','));
            offered.any(|offered| offered.trim_ascii() == protocol.as_bytes())
        };
        spoken.iter().find(is_offered).cloned().unwrap_or_default()
    }

    /// The answer that opens the connection, with more lines in its head.
    pub fn answer(&self, protocol: &str, extensions: Option<&str>, more: &str) -> String {
        let protocol = match protocol {
            "" => String::new(),
            chosen => format!("Sec-WebSocket-Protocol: {chosen}\r\n"),
        };
        let extensions = extensions.map(|agreed| format!("Sec-WebSocket-Extensions: {agreed}\r\n"));
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{protocol}{}{more}\r\n",
            accept_key(&self.key),
            extensions.unwrap_or_default(),
        )
    }
}

/// A request's target: the authority, if it is a URL, and path and query (RFC 9112 3.2). A fragment, a control character,
/// `*` and whatever else is `None`.
pub(super) fn target(text: &str) -> Option<(Option<&str>, String)> {
    if text.contains(|character: char| character == '#' || character.is_control()) {
        return None;
    }
    if text.starts_with('/') {
        return Some((None, text.to_owned()));
    }
    let (scheme, rest) = text.split_once("://")?;
    if !["http", "https", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    is_authority(authority.as_bytes()).then(|| (Some(authority), format!("{slash}{path}")))
}

/// Any request gets one whole answer, in which nothing of the request is repeated.
#[cfg(fuzzing)]
pub fn fuzz(head: &[u8]) {
    let spoken = ["chat".to_owned(), "b".to_owned()];
    let (answer, expected) = match Request::parse(head) {
        Ok(request) => {
            assert_eq!(request.key.len(), 24);
            assert!(request.path.starts_with('/') && !request.path.contains('#'));
            assert!(!request.path.contains(char::is_control) && !request.path.contains(' '));
            (request.answer(&request.choose(&spoken), None, "X-More: a\r\n"), 101)
        }
        Err(refusal) => (refusal.answer("X-More: a\r\n"), refusal.status),
    };
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = response.parse(answer.as_bytes()) else {
        panic!("{answer}")
    };
    assert_eq!(response.code, Some(expected));
    assert!(response.headers.len() <= 7);
    let body = values(response.headers, "Content-Length").next().unwrap_or(b"0");
    assert_eq!(body, (answer.len() - length).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "GET /chat?x=1 HTTP/1.1\r\nHost: tv:8080\r\nUpgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, b\r\nX-Token: a\r\n\r\n";

    #[test]
    fn the_example_of_rfc_6455_is_answered_as_it_says() {
        let request = Request::parse(VALID.as_bytes()).unwrap();
        assert_eq!(request.path, "/chat?x=1");
        assert!(request.headers.contains(&("X-Token".to_owned(), b"a".to_vec())));
        let answer = request.answer("", None, "");
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n") && !answer.contains("Protocol:"));
    }

    #[test]
    fn the_first_of_the_servers_protocols_that_the_client_offers_is_chosen() {
        let request = Request::parse(VALID.as_bytes()).unwrap();
        let choose = |spoken: &[&str]| {
            request.choose(&spoken.iter().map(|protocol| protocol.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(choose(&["a", "b", "chat"]), "b");
        assert_eq!(choose(&["chat"]), "chat");
        assert_eq!(choose(&["Chat", ""]), "");
        assert_eq!(choose(&[]), "");
        assert!(request.answer("b", None, "X-More: a\r\n").contains("\r\nSec-WebSocket-Protocol: b\r\n"));
    }

    #[test]
    fn a_url_as_target_is_its_path_and_its_host_is_the_one_that_counts() {
        for (target, host, path) in [
            ("http://other:81/x?y=1", "other:81", "/x?y=1"),
            ("WS://[::1]:81/x", "[::1]:81", "/x"),
            ("wss://other", "other", "/"),
            ("https://other?y", "other", "/?y"),
            ("/http://other/", "tv:8080", "/http://other/"),
        ] {
            let request = Request::parse(VALID.replace("/chat?x=1", target).as_bytes()).unwrap();
            assert_eq!(request.path, path);
            assert!(request.headers.contains(&("Host".to_owned(), host.into())), "{target}");
        }
        for host in [
            "tv",
            "tv:",
            "10.0.0.1:80",
            "[fe80::1]",
            "[fe80::1%eth0]:80",
            "t%41v",
            "a_b.example",
            "xn--bcher-kva.example",
        ] {
            Request::parse(VALID.replace("tv:8080", host).as_bytes()).expect(host);
        }
    }

    #[test]
    fn pages_of_other_origins_may_not_connect() {
        let allowed = ["https://a".to_owned(), "http://b:81".to_owned()];
        for (origins, status) in [
            ("", 101),
            ("Origin: https://a\r\n", 101),
            ("origin:  http://b:81 \r\n", 101),
            ("Origin: null\r\n", 403),
            ("Origin:\r\n", 403),
            ("Origin: http://a\r\n", 403),
            ("Origin: https://a:444\r\n", 403),
            ("Origin: https://a.evil\r\n", 403),
            ("Origin: http://b\r\n", 403),
            ("Origin: https://a\r\nOrigin: https://evil\r\n", 403),
            ("Origin: https://a, https://evil\r\n", 403),
        ] {
            let head = VALID.replace("X-Token: a\r\n", origins);
            let checked = Request::parse(head.as_bytes()).unwrap().check_origin(&allowed);
            assert_eq!(checked.map_or_else(|refusal| refusal.status, |()| 101), status, "{origins:?}");
        }
    }

    #[test]
    fn what_is_no_valid_upgrade_gets_its_status() {
        let many: String = (0..200).map(|number| format!("X-{number}: a\r\n")).collect();
        for (from, to, status) in [
            ("GET ", "POST ", 405),
            ("GET ", "", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("HTTP/1.1", "HTTP/2", 400),
            ("Host: tv:8080\r\n", "", 400),
            ("Host: tv:8080\r\n", "Host: a\r\nHost: b\r\n", 400),
            ("Host: tv:8080\r\n", "Host:\r\n", 400),
            ("Host: tv:8080\r\n", "Host: a b\r\n", 400),
            ("Host: tv:8080\r\n", "Host: user@tv\r\n", 400),
            ("Host: tv:8080\r\n", "Host: tv:80:80\r\n", 400),
            ("Host: tv:8080\r\n", "Host: tv:99999\r\n", 400),
            ("Host: tv:8080\r\n", "Host: tv:+80\r\n", 400),
            ("Host: tv:8080\r\n", "Host: tv/\r\n", 400),
            ("Host: tv:8080\r\n", "Host: t%zzv\r\n", 400),
            ("Host: tv:8080\r\n", "Host: [::1\r\n", 400),
            ("Host: tv:8080\r\n", "Host: [::1]x\r\n", 400),
            ("Host: tv:8080\r\n", "Host: ::1\r\n", 400),
            ("Host: tv:8080\r\n", "Host: :80\r\n", 400),
            ("/chat?x=1", "*", 400),
            ("/chat?x=1", "admin", 400),
            ("/chat?x=1", "?x=1", 400),
            ("/chat?x=1", "tv:8080", 400),
            ("/chat?x=1", "/a#b", 400),
            ("/chat?x=1", "/a\u{9b}31m", 400),
            ("/chat?x=1", "http://tv/a#b", 400),
            ("/chat?x=1", "http:///a", 400),
            ("/chat?x=1", "http://user:pass@tv/a", 400),
            ("/chat?x=1", "ftp://tv/a", 400),
            ("Upgrade: websocket\r\n", "", 426),
            ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", 426),
            ("keep-alive, Upgrade", "keep-alive", 426),
            ("Version: 13", "Version: 12", 426),
            ("Version: 13", "Version: 13, 8", 426),
            ("Sec-WebSocket-Version: 13\r\n", "", 400),
            ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", 400),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all......", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhZQ==ZSBubQ==jZQ=chat", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: x", 400),
            ("X-Token: a", "Content-Length: 5", 400),
            ("X-Token: a", "Transfer-Encoding: chunked", 400),
            ("X-Token: a", "X Token: a", 400),
            ("X-Token: a", "X-Token: \0", 400),
            ("X-Token: a", " folded", 400),
            ("X-Token: a\r\n", &many, 431),
        ] {
            assert!(VALID.contains(from));
            let refusal = Request::parse(VALID.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(refusal.status, status, "{from:?} -> {to:?}: {refusal}");
            let answer = refusal.answer("X-More: a\r\n");
            assert!(answer.contains("\r\nX-More: a\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert_eq!(answer.contains("Sec-WebSocket-Version: 13\r\n"), status == 426);
            assert_eq!(answer.contains("\r\nConnection: Upgrade\r\n"), status == 426);
            assert_eq!(answer.contains("Allow: GET\r\n"), status == 405);
        }
    }

    #[test]
    fn a_hook_may_only_refuse_with_an_error() {
        for (said, status) in [(401, 401), (599, 599), (200, 403), (101, 403), (600, 403), (u16::MAX, 403)] {
            assert_eq!(Refusal::by_the_program(said).status, status);
        }
    }
}
