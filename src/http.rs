//! HTTP heads (RFC 9112): read whole from a stream, within a bound, and searched for what a handshake asks.

use std::future::poll_fn;
use std::io;
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::task::{ready, Poll};

use data_encoding::BASE64;
use ring::digest;
use tokio::io::{AsyncRead, ReadBuf};

/// Heads that may come before the one that counts: a peer can't keep this side busy with interim answers (RFC 9110 15.2).
const MOST_BEFORE: usize = 16;

/// Reads heads, and keeps what comes behind the last one.
pub(crate) struct HeadReader {
    received: Vec<u8>,
    /// Where the next head begins. What is before it has been told.
    start: usize,
    /// Nothing before this needs another look.
    searched: usize,
    largest: usize,
    told: usize,
    kind: HeadKind,
}

/// What the heads are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeadKind {
    Answers,
    Requests,
}

/// Why there is no head.
#[derive(Debug)]
pub(crate) enum NoHead {
    Io(io::Error),
    /// The peer closed the stream.
    Closed,
    TooLarge,
    /// The peer speaks something else.
    NotHttp,
    /// The peer sends one interim answer after the other.
    TooMany,
}

impl NoHead {
    /// What is wrong with what the peer sent, as the end of a sentence.
    pub fn fault(&self, largest: usize) -> String {
        match self {
            NoHead::TooLarge => format!("its head is larger than {largest} bytes"),
            NoHead::TooMany => format!("more than {MOST_BEFORE} interim answers come before it"),
            NoHead::NotHttp => "it is not HTTP".to_owned(),
            NoHead::Io(_) | NoHead::Closed => "there is none".to_owned(),
        }
    }
}

impl HeadReader {
    /// A reader of answers.
    pub fn of_answers(largest: usize) -> Self {
        HeadReader::of(HeadKind::Answers, largest)
    }

    /// A reader of requests.
    pub fn of_requests(largest: usize) -> Self {
        HeadReader::of(HeadKind::Requests, largest)
    }

    fn of(kind: HeadKind, largest: usize) -> Self {
        HeadReader { received: Vec::new(), start: 0, searched: 0, largest, told: 0, kind }
    }

    /// The next head, up to and with its empty line. The lines of an answer are unfolded.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<&[u8], NoHead> {
        if self.told > MOST_BEFORE {
            return Err(NoHead::TooMany);
        }
        let end = loop {
            if let Some(end) = end_of_head(&self.received, self.start, self.searched) {
                break end;
            }
            self.searched = self.received.len();
            let begun = self.received.get(self.start..).unwrap_or_default();
            if !self.is_head(begun) {
                return Err(NoHead::NotHttp);
            }
            if begun.len() > self.largest {
                return Err(NoHead::TooLarge);
            }
            // Only a part of a head is left to be moved.
            self.received.drain(..std::mem::take(&mut self.start));
            self.searched = self.received.len();
            if self.read(stream).await.map_err(NoHead::Io)? == 0 {
                return Err(NoHead::Closed);
            }
        };
        if end - self.start > self.largest {
            return Err(NoHead::TooLarge);
        }
        self.told += 1;
        let head = self.received.get_mut(self.start..end).unwrap_or_default();
        self.start = end;
        self.searched = end;
        if self.kind == HeadKind::Answers {
            unfold(head);
        }
        Ok(head)
    }

    /// Reads more, and takes no more memory than that needs: among connections that stay, what is left of each would stay as well.
    async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut bytes = [0; 1024];
            let mut bytes = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut bytes))?;
            let bytes = bytes.filled();
            // The peer decides how much this is, within the bound.
            self.received.try_reserve(bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.received.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        })
        .await
    }

    /// Whether bytes can be the beginning of a head: a peer that speaks something else is found out at once.
    fn is_head(&self, received: &[u8]) -> bool {
        match self.kind {
            HeadKind::Answers => begins_like_an_answer(received),
            HeadKind::Requests => begins_like_a_request(received),
        }
    }

    /// What has arrived behind the last head.
    pub fn into_rest(self) -> Vec<u8> {
        self.received.get(self.start..).unwrap_or_default().to_vec()
    }
}

/// Puts blanks where a header goes on in the next line (RFC 9112 5.2). The first line is no header.
fn unfold(head: &mut [u8]) {
    // Folded lines are rare. This search never stops early, so the compiler can use vector instructions.
    let pairs = head.iter().zip(head.get(1..).unwrap_or_default());
    let folds = pairs.map(|(one, next)| (*one == b'\n') & ((*next == b' ') | (*next == b'\t')));
    if !folds.fold(false, |any, folds| any | folds) {
        return;
    }
    let newline = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
    let Some(mut line) = newline(head).map(|end| end + 1) else { return };
    while let Some(length) = head.get(line..).and_then(newline) {
        let end = line + length;
        if let Some([line_end, b' ' | b'\t']) = head.get_mut(end..end + 2) {
            *line_end = b' ';
            if let Some(before @ b'\r') = head.get_mut(end - 1) {
                *before = b' ';
            }
        }
        line = end + 1;
    }
}

/// What answers a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
pub(crate) fn accept_key(key: &[u8]) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(hash.finish().as_ref())
}

/// The values of a header, in order.
pub(crate) fn values<'h>(
    headers: &'h [httparse::Header<'h>],
    name: &'static str,
) -> impl Iterator<Item = &'h [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

/// The first value of a header.
pub(crate) fn first_value<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h [u8]> {
    let header = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    header.map(|(_, value)| value.trim_ascii())
}

/// Whether a header that is a list has a token, in any case.
pub(crate) fn has_token(headers: &[httparse::Header<'_>], name: &'static str, token: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether this is a host with or without a port (RFC 3986 3.2.2, 3.2.3), as `Host` has it.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (is_host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            // Some clients name the interface as well.
            let (address, interface) = address.split_once('%').unwrap_or((address, ""));
            (address.parse::<Ipv6Addr>().is_ok() && is_name(0, interface), port)
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (!host.is_empty() && host.split('%').enumerate().all(|(nth, part)| is_name(nth, part)), port)
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some("") => true,
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    is_host && is_port
}

/// Whether this may be the part of a registered name that comes behind so many percent signs.
fn is_name(nth: usize, part: &str) -> bool {
    let is_encoded = nth == 0
        || matches!(part.as_bytes(), [one, other, ..] if one.is_ascii_hexdigit() && other.is_ascii_hexdigit());
    is_encoded && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte))
}

/// Status and reason, for a sentence; the peer decides how long the reason is, and what is in it.
pub(crate) fn status_line(response: &httparse::Response<'_, '_>) -> String {
    let reason = response.reason.unwrap_or_default();
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("{} {reason}", response.code.unwrap_or_default()).trim_end().to_owned()
}

/// Headers as the program gets them.
pub(crate) fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect()
}

/// Where the head that begins at `start` ends, if it does; nothing before `searched` needs another look.
fn end_of_head(received: &[u8], start: usize, searched: usize) -> Option<usize> {
    let mut next = searched.saturating_sub(3).max(start);
    loop {
        next += received.get(next..)?.iter().position(|byte| *byte == b'\n')? + 1;
        match received.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => {}
        }
    }
}

fn begins_like_an_answer(received: &[u8]) -> bool {
    received.iter().zip(b"HTTP/1.").all(|(byte, expected)| byte == expected)
}

fn begins_like_a_request(received: &[u8]) -> bool {
    received.first().is_none_or(u8::is_ascii_alphabetic)
}

/// However a stream is cut into pieces, its heads are the ones that a plain search finds, and no byte is lost.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    use std::future::Future;
    use std::pin::{pin, Pin};
    use std::task::{Context, Poll, Waker};

    /// Each read brings one piece.
    struct Pieces<'a> {
        rest: &'a [u8],
        lengths: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    }
    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.lengths.next().map_or(1, |length| usize::from(*length) + 1);
            let (piece, rest) = self.rest.split_at(length.min(buf.remaining()).min(self.rest.len()));
            buf.put_slice(piece);
            self.rest = rest;
            Poll::Ready(Ok(()))
        }
    }
    let Some(([kind, largest, lengths @ ..], mut rest)) = data.split_first_chunk::<5>() else { return };
    let largest = usize::from(*largest);
    let mut heads = match kind & 1 {
        0 => HeadReader::of_answers(largest),
        _ => HeadReader::of_requests(largest),
    };
    let mut told = 0;
    let mut stream = Pieces { rest, lengths: lengths.iter().cycle() };
    loop {
        let end = (1..=rest.len()).find(|end| {
            let head = rest.get(..*end).unwrap_or_default();
            head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n")
        });
        let next = {
            let mut next = pin!(heads.next(&mut stream));
            match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(next) => next,
                Poll::Pending => unreachable!(),
            }
        };
        match next {
            Ok(head) => {
                let (expected, others) = rest.split_at(end.unwrap_or_default());
                let mut expected = expected.to_vec();
                if kind & 1 == 0 {
                    unfold(&mut expected);
                }
                assert_eq!(head, expected);
                rest = others;
                told += 1;
                continue;
            }
            Err(NoHead::TooMany) => assert_eq!(told, MOST_BEFORE + 1),
            Err(NoHead::Closed) => assert_eq!(end, None),
            Err(NoHead::TooLarge) => assert!(end.is_none_or(|end| end > largest)),
            Err(NoHead::NotHttp) => assert!(!heads.is_head(rest)),
            Err(NoHead::Io(_)) => unreachable!(),
        }
        let received = rest.len() - stream.rest.len();
        assert_eq!(Some(heads.into_rest().as_slice()), rest.get(..received));
        // The bound may be passed by one read.
        return assert!(received <= largest + 1 + 256, "{received} {largest}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_has_its_answer() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_the_pieces_are_cut() {
        for head in ["HTTP/1.1 101 X\r\nA: b\r\n\r\n", "HTTP/1.1 101 X\nA: b\n\n", "HTTP/1.1 101 X\n\r\n"] {
            let stream = format!("{head}frame");
            for cut in 0..=stream.len() {
                let first = end_of_head(&stream.as_bytes()[..cut], 0, 0);
                assert_eq!(first, (cut >= head.len()).then_some(head.len()), "{head:?} {cut}");
                assert_eq!(end_of_head(stream.as_bytes(), 0, cut.min(head.len() - 1)), Some(head.len()));
            }
        }
    }

    /// The heads of a stream that arrives at once, and why there are no more.
    fn heads_of(stream: &str) -> (Vec<String>, NoHead) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut reader, mut stream) = (HeadReader::of_answers(1000), stream.as_bytes());
            let mut heads = Vec::new();
            loop {
                match reader.next(&mut stream).await {
                    Ok(head) => heads.push(String::from_utf8(head.to_vec()).unwrap()),
                    Err(why) => return (heads, why),
                }
            }
        })
    }

    #[test]
    fn a_header_that_goes_on_in_the_next_line_is_one_with_blanks() {
        for (folded, unfolded) in [
            ("Server: x\r\n y\r\nA: b", "Server: x   y\r\nA: b"),
            ("Server: x\n\ty\r\n z", "Server: x \ty   z"),
            ("Server:\r\n x", "Server:   x"),
        ] {
            let whole = |headers: &str| format!("HTTP/1.1 101 X\r\n{headers}\r\n\r\n");
            let (heads, _) = heads_of(&whole(folded));
            assert_eq!(heads, [whole(unfolded)]);
        }
        let status_line = "HTTP/1.1 101 X\r\n y: z\r\n\r\n";
        assert_eq!(heads_of(status_line).0, [status_line], "that is no header");
    }

    #[test]
    fn interim_answers_are_bounded() {
        let (heads, why) = heads_of(&"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000));
        assert_eq!(heads.len(), MOST_BEFORE + 1);
        assert!(why.fault(0).contains("interim answers"), "{why:?}");
        // Their bound is for each, not for all of them.
        let interim = format!("HTTP/1.1 103 {}\r\n\r\n", "x".repeat(900));
        assert_eq!(heads_of(&interim.repeat(MOST_BEFORE)).0.len(), MOST_BEFORE);
    }
}
