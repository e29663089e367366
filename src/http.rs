//! HTTP heads (RFC 9112): read whole from a stream, within a bound, and searched for what a handshake asks.

use std::io;

use data_encoding::BASE64;
use ring::digest;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads heads, and keeps what comes behind the last one.
pub(crate) struct HeadReader {
    received: Vec<u8>,
    /// Nothing before this needs another look.
    searched: usize,
    largest: usize,
    /// Whether bytes can be the beginning of a head: a peer that speaks something else is found out at once.
    is_head: fn(&[u8]) -> bool,
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
}

impl HeadReader {
    /// A reader of answers.
    pub fn of_answers(largest: usize) -> Self {
        HeadReader {
            received: Vec::with_capacity(1024),
            searched: 0,
            largest,
            is_head: begins_like_an_answer,
        }
    }

    /// A reader of requests.
    pub fn of_requests(largest: usize) -> Self {
        HeadReader { is_head: begins_like_a_request, ..HeadReader::of_answers(largest) }
    }

    /// The next head, up to and with its empty line.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, NoHead> {
        loop {
            if let Some(end) = end_of_head(&self.received, self.searched) {
                let rest = self.received.split_off(end);
                self.searched = 0;
                return Ok(std::mem::replace(&mut self.received, rest));
            }
            self.searched = self.received.len();
            if !(self.is_head)(&self.received) {
                return Err(NoHead::NotHttp);
            }
            if self.received.len() > self.largest {
                return Err(NoHead::TooLarge);
            }
            if stream.read_buf(&mut self.received).await.map_err(NoHead::Io)? == 0 {
                return Err(NoHead::Closed);
            }
        }
    }

    /// What has arrived behind the last head.
    pub fn into_rest(self) -> Vec<u8> {
        self.received
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

/// Whether a header that is a list has a token, in any case.
pub(crate) fn has_token(headers: &[httparse::Header<'_>], name: &'static str, token: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Status and reason, for a sentence; the peer decides how long the reason is, and what is in it.
pub(crate) fn status_line(response: &httparse::Response<'_, '_>) -> String {
    let reason = response.reason.unwrap_or_default();
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("{} {reason}", response.code.unwrap_or_default()).trim_end().to_owned()
}

/// Headers as they are told to the program.
pub(crate) fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect()
}

/// Where the head ends, if it does; nothing before `searched` needs another look.
fn end_of_head(received: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let rest = received.get(from..)?;
    let newlines = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| from + at + 1);
    newlines.into_iter().find_map(|next| match received.get(next..)? {
        [b'\n', ..] => Some(next + 1),
        [b'\r', b'\n', ..] => Some(next + 2),
        _ => None,
    })
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
                assert_eq!(head, expected);
                rest = others;
                continue;
            }
            Err(NoHead::Closed) => assert_eq!(end, None),
            Err(NoHead::TooLarge) => assert!(end.is_none_or(|end| end > largest)),
            Err(NoHead::NotHttp) => assert!(!(heads.is_head)(rest)),
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
                let first = end_of_head(&stream.as_bytes()[..cut], 0);
                assert_eq!(first, (cut >= head.len()).then_some(head.len()), "{head:?} {cut}");
                assert_eq!(end_of_head(stream.as_bytes(), cut.min(head.len() - 1)), Some(head.len()));
            }
        }
    }
}
