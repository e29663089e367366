//! The answer of a server that refuses the upgrade: the beginning of its body, and whether it is a web page.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::error::{Code, Error};
use crate::http::first_value;
use crate::runtime::in_time;
use crate::transport::Transport;

/// How much of a body the program gets.
const MOST_BODY: usize = 16 << 10;
/// How long a body may take. The refusal itself is known by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the body of a refusal, as far as it comes in time, and looks at it: a web page is that of a captive portal, unless it is
/// the server's own.
pub(super) async fn read_body(
    transport: &mut Transport,
    error: &mut Error,
    limit: Duration,
    is_the_servers_own: bool,
) {
    let status = error.http_status;
    let Some(refusal) = &mut error.refusal else { return };
    let mut body = Body::new(status, &refusal.headers);
    let mut is_over = body.take(&std::mem::take(&mut refusal.body));
    let reading = async {
        let mut buffer = Vec::with_capacity(4096);
        while !is_over && matches!(transport.read_buf(&mut buffer).await, Ok(1..)) {
            is_over = body.take(&buffer);
            buffer.clear();
        }
    };
    // Whether all of it came makes no difference.
    in_time(limit.min(PATIENCE), reading).await;
    refusal.body = body.taken;
    // RFC 6585 6 has a status for it, which few portals know.
    if status == 511 || (status == 200 && !is_the_servers_own && is_web_page(&refusal.headers, &refusal.body))
    {
        error.detail = Code::CaptivePortal;
        add_clause(error, "the answer is a web page, as from a captive portal");
    }
}

/// Adds to the sentence of an error.
pub(super) fn add_clause(error: &mut Error, clause: &str) {
    let sentence = error.message.trim_end_matches('.');
    error.message = format!("{sentence}; {clause}.");
}

fn is_web_page(headers: &[(String, Vec<u8>)], body: &[u8]) -> bool {
    let begins = |text: &[u8], with: &[u8]| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    match first_value(headers, "Content-Type") {
        Some(kind) => begins(kind, b"text/html") || begins(kind, b"application/xhtml+xml"),
        None => {
            let body = body.trim_ascii_start();
            begins(body, b"<!doctype html") || begins(body, b"<html")
        }
    }
}

/// A body as it arrives.
struct Body {
    framing: Framing,
    taken: Vec<u8>,
}

/// How a body ends (RFC 9112 6.3).
#[derive(Clone, Copy)]
enum Framing {
    /// After so many bytes.
    Length(u64),
    Chunked(Chunk),
    WithTheConnection,
}

/// Where a chunked body has come to (RFC 9112 7.1).
#[derive(Clone, Copy)]
enum Chunk {
    /// In the digits of a size.
    Size(u64),
    /// Behind the digits.
    Extension(u64),
    Data(u64),
    /// Behind the data.
    LineEnd,
    Over,
}

impl Body {
    fn new(status: u16, headers: &[(String, Vec<u8>)]) -> Body {
        let length = || std::str::from_utf8(first_value(headers, "Content-Length")?).ok()?.parse().ok();
        let is_chunked = first_value(headers, "Transfer-Encoding").is_some_and(|codings| {
            let last = codings.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            last.trim_ascii().eq_ignore_ascii_case(b"chunked")
        });
        let framing = match length() {
            _ if matches!(status, 204 | 304) => Framing::Length(0),
            _ if is_chunked => Framing::Chunked(Chunk::Size(0)),
            Some(length) => Framing::Length(length),
            None => Framing::WithTheConnection,
        };
        Body { framing, taken: Vec::new() }
    }

    /// Takes what has arrived. Whether nothing more is wanted.
    fn take(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() && !self.is_over() {
            let used = match self.framing {
                Framing::Length(left) => {
                    let used = self.keep(data, left);
                    self.framing = Framing::Length(left - used as u64);
                    used
                }
                Framing::WithTheConnection => self.keep(data, u64::MAX),
                Framing::Chunked(Chunk::Data(left)) => {
                    let used = self.keep(data, left);
                    self.framing = Framing::Chunked(match left - used as u64 {
                        0 => Chunk::LineEnd,
                        left => Chunk::Data(left),
                    });
                    used
                }
                Framing::Chunked(chunk) => {
                    let next = data.first().map_or(chunk, |byte| chunk.behind(*byte));
                    self.framing = Framing::Chunked(next);
                    1
                }
            };
            data = data.get(used..).unwrap_or_default();
        }
        self.is_over()
    }

    /// How many bytes were used, of which `left` belong to the body.
    fn keep(&mut self, data: &[u8], left: u64) -> usize {
        let room = MOST_BODY - self.taken.len();
        let used = data.len().min(room).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.taken.extend_from_slice(data.get(..used).unwrap_or_default());
        used
    }

    fn is_over(&self) -> bool {
        self.taken.len() >= MOST_BODY
            || matches!(self.framing, Framing::Length(0) | Framing::Chunked(Chunk::Over))
    }
}

impl Chunk {
    /// The state behind this byte, which is none of the data.
    fn behind(self, byte: u8) -> Chunk {
        let begin = |size| if size == 0 { Chunk::Over } else { Chunk::Data(size) };
        match (self, byte) {
            (Chunk::Size(size) | Chunk::Extension(size), b'\n') => begin(size),
            (Chunk::Size(size), b'\r' | b';' | b' ' | b'\t') => Chunk::Extension(size),
            (Chunk::Size(size), digit) => match (char::from(digit).to_digit(16), size.checked_mul(16)) {
                (Some(digit), Some(size)) => Chunk::Size(size + u64::from(digit)),
                // What is malformed ends it.
                _ => Chunk::Over,
            },
            (Chunk::LineEnd, b'\n') => Chunk::Size(0),
            (other, _) => other,
        }
    }
}

/// However a body is cut into pieces, the same is taken of it, and never more than is told.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let Some(([kind, length, piece], rest)) = data.split_first_chunk::<3>() else { return };
    let headers = match kind % 3 {
        0 => vec![("content-length".to_owned(), (u32::from(*length) * 97).to_string().into_bytes())],
        1 => vec![("Transfer-Encoding".to_owned(), b"gzip, Chunked".to_vec())],
        _ => Vec::new(),
    };
    let (mut whole, mut pieces) = (Body::new(403, &headers), Body::new(403, &headers));
    let is_over = whole.take(rest);
    let was_over = rest.chunks(usize::from(*piece) + 1).fold(pieces.is_over(), |_, piece| pieces.take(piece));
    assert_eq!((is_over, &whole.taken), (was_over, &pieces.taken));
    assert!(whole.taken.len() <= MOST_BODY && whole.taken.len() <= rest.len());
    super::retry_after::fuzz(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        given.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    /// What is taken of a body in pieces of every size, and whether it is over.
    fn taken(given: &[(&str, &str)], body: &str) -> (String, bool) {
        let mut results = (1..=body.len()).map(|size| {
            let mut taken = Body::new(403, &headers(given));
            let is_over = body.as_bytes().chunks(size).fold(false, |_, piece| taken.take(piece));
            (String::from_utf8(taken.taken).unwrap(), is_over)
        });
        let first = results.next().unwrap();
        assert!(results.all(|other| other == first));
        first
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let chunked = [("transfer-encoding", "chunked"), ("Content-Length", "3")];
        for (given, body, expected, is_over) in [
            (&[("Content-Length", "4")][..], "bodyrest", "body", true),
            (&[("Content-Length", "9")][..], "body", "body", false),
            (&[("Content-Length", "-4")][..], "body", "body", false),
            (&[][..], "body", "body", false),
            (&chunked[..], "4\r\nbody\r\n0\r\n\r\n", "body", true),
            (&chunked[..], "2;a=b\r\nbo\r\n00000002 \r\ndy\r\n0;x\r\nTrailer: y\r\n\r\n", "body", true),
            (&chunked[..], "A\nten bytes.\n0\n\n", "ten bytes.", true),
            (&chunked[..], "4\r\nbody\r\nnonsense", "body", true),
            (&chunked[..], "ffffffffffffffffff\r\nbody", "", true),
            (&chunked[..], "ffffffffffffffff\r\nbody", "body", false),
        ] {
            assert_eq!(taken(given, body), (expected.to_owned(), is_over), "{given:?} {body:?}");
        }
    }

    #[test]
    fn a_body_is_bounded() {
        let long = "x".repeat(2 * MOST_BODY);
        for given in [&[][..], &[("Content-Length", "40000")][..], &[("Transfer-Encoding", "chunked")][..]] {
            let body = if given.first().is_some_and(|(name, _)| *name == "Transfer-Encoding") {
                format!("8000\r\n{long}\r\n0\r\n\r\n")
            } else {
                long.clone()
            };
            let mut taken = Body::new(403, &headers(given));
            assert!(taken.take(body.as_bytes()));
            assert_eq!(taken.taken.len(), MOST_BODY);
        }
    }

    #[test]
    fn web_pages_are_known_by_their_type_or_their_beginning() {
        for (kind, body, expected) in [
            (Some("text/html; charset=utf-8"), "", true),
            (Some("TEXT/HTML"), "", true),
            (Some("application/json"), "<html>", false),
            (None, "\r\n <!DOCTYPE html>", true),
            (None, "<HTML><head>", true),
            (None, "<h", false),
        ] {
            let given: Vec<_> = kind.iter().map(|kind| ("content-type", *kind)).collect();
            assert_eq!(is_web_page(&headers(&given), body.as_bytes()), expected, "{kind:?} {body:?}");
        }
    }
}
