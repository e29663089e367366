//! PEM (RFC 7468): the blocks of a file, whatever stands between them. Copies of keys are wiped.
//!
//! The headers of RFC 1421 that OpenSSL writes above an encrypted key are kept, which other readers don't do.

use std::io::{self, BufRead, Read};
use std::str;

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// How much of a file is read at a time. Memory for all of it would cost more than decoding it: each new page is a page fault.
const PIECE: usize = 16 << 10;

/// What stands between a BEGIN and its END line.
pub struct Block<'a> {
    pub label: &'a str,
    /// The number of its BEGIN line.
    pub line: usize,
    /// Headers and base64. `None`: there is no END line.
    body: Option<&'a [u8]>,
}

impl Block<'_> {
    /// The value of a header, such as `DEK-Info`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.body?.split(|byte| *byte == b'\n').find_map(|line| {
            let (found, value) = str::from_utf8(line).ok()?.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What the block holds; or what is wrong with it, as the end of a sentence.
    pub fn decode(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let (mut base64, mut content) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
        self.decode_to(&mut base64, &mut content)?;
        Ok(content)
    }

    /// The same for what is no secret: nothing is wiped, which would take as long as decoding. `base64` is scratch memory.
    pub fn decode_to(&self, base64: &mut Vec<u8>, content: &mut Vec<u8>) -> Result<(), String> {
        let place = || format!("the block {} in line {}", self.label, self.line);
        let body = self.body.ok_or_else(|| format!("has no end of {}", place()))?;
        base64.clear();
        base64.reserve_exact(body.len());
        // A colon is in every header and in no base64.
        let has_headers = body.contains(&b':');
        for line in lines(body).filter(|line| !has_headers || !line.contains(&b':')) {
            base64.extend_from_slice(line.trim_ascii());
        }
        from_base64(base64, content)
            .or_else(|| {
                // Blanks within lines are rare.
                base64.retain(|byte| !byte.is_ascii_whitespace());
                from_base64(base64, content)
            })
            .ok_or_else(|| format!("has broken base64 in {}", place()))
    }
}

fn from_base64(base64: &[u8], content: &mut Vec<u8>) -> Option<()> {
    content.resize(BASE64.decode_len(base64.len()).ok()?, 0);
    let length = BASE64.decode_mut(base64, content).ok()?;
    content.truncate(length);
    Some(())
}

/// The lines of a text, each with its end.
fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let whole = text;
        // Finds the end faster than an iterator over bytes, and never fails.
        let length = text.skip_until(b'\n').ok().filter(|length| *length > 0)?;
        whole.get(..length)
    })
}

/// A block that has no END line yet.
struct Open<'a> {
    label: &'a str,
    line: usize,
    /// Where its BEGIN line and its body begin.
    start: usize,
    body: usize,
}

/// The blocks of a text, in order.
pub fn blocks(text: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let open = scan(text, 0, |block| blocks.push(block));
    blocks.extend(open.map(|Open { label, line, .. }| Block { label, line, body: None }));
    blocks
}

/// Calls `each` for the blocks of a file, in order.
pub fn read_blocks(mut file: impl Read, mut each: impl FnMut(Block<'_>)) -> io::Result<()> {
    let mut buffer = Zeroizing::new(vec![0; PIECE]);
    let (mut filled, mut lines_before) = (0, 0);
    loop {
        let read = match file.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        filled += read;
        let text = buffer.get(..filled).unwrap_or_default();
        if read == 0 {
            let open = scan(text, lines_before, &mut each);
            open.into_iter().for_each(|Open { label, line, .. }| each(Block { label, line, body: None }));
            return Ok(());
        }
        // The last line and the last block may go on.
        let lines = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let done = match scan(text.get(..lines).unwrap_or_default(), lines_before, &mut each) {
            Some(open) => open.start,
            None => lines,
        };
        lines_before += text.iter().take(done).filter(|byte| **byte == b'\n').count();
        buffer.copy_within(done..filled, 0);
        filled -= done;
        if filled == buffer.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * filled));
            larger.extend_from_slice(&buffer);
            larger.resize(2 * filled, 0);
            buffer = larger;
        }
    }
}

/// Calls `each` for each block that ends within the text. Returns the one that doesn't.
fn scan<'a>(text: &'a [u8], lines_before: usize, mut each: impl FnMut(Block<'a>)) -> Option<Open<'a>> {
    let mut open: Option<Open<'_>> = None;
    let mut at = 0;
    for (index, line) in lines(text).enumerate() {
        let start = at;
        at += line.len();
        let begins = marker(line, "-----BEGIN ");
        if let Some(Open { label, line: number, body, .. }) = open {
            let ends = marker(line, "-----END ") == Some(label);
            if ends || begins.is_some() {
                let body = text.get(body..start).filter(|_| ends);
                each(Block { label, line: number, body });
                open = None;
            }
        }
        if let Some(label) = begins {
            open = Some(Open { label, line: lines_before + index + 1, start, body: at });
        }
    }
    open
}

/// The label of a BEGIN or END line.
fn marker<'a>(line: &'a [u8], start: &str) -> Option<&'a str> {
    // Most lines are base64.
    if line.first().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    str::from_utf8(line)
        .ok()?
        .trim_start_matches('\u{feff}')
        .trim()
        .strip_prefix(start)?
        .strip_suffix("-----")
}

/// A certificate as PEM.
pub fn certificate_pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let text = BASE64.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem += line;
        pem.push('\n');
        rest = more;
    }
    pem += "-----END CERTIFICATE-----\n";
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, usize, Result<Vec<u8>, String>)> {
        let content = |block: &Block<'_>| block.decode().map(|content| content.to_vec());
        blocks(text.as_bytes()).iter().map(|block| (block.label.into(), block.line, content(block))).collect()
    }

    #[test]
    fn blocks_are_found_between_comments_and_with_any_line_ends() {
        let text = "\u{feff}-----BEGIN A-----\r\naGVs\r\nbG8=\r\n-----END A-----\r\nsubject=X\n\n  \
                    -----BEGIN B C-----\n aGVsbG8= \n-----END B C-----";
        let hello = || Ok(b"hello".to_vec());
        assert_eq!(found(text), [("A".into(), 1, hello()), ("B C".into(), 7, hello())]);
        assert_eq!(found("no block, -----BEGIN A-----\n----BEGIN A-----\n"), []);
        assert_eq!(found("-----BEGIN A-----\naG VsbG\t8=\n-----END A-----\n"), [("A".into(), 1, hello())]);
        assert!(blocks(b"\xff\xfe\n-----BEGIN \xff-----\n").is_empty());
    }

    #[test]
    fn a_broken_block_spoils_no_other() {
        let text =
            "-----BEGIN A-----\n!!!!\n-----END A-----\n-----BEGIN A-----\n-----BEGIN B-----\naGVsbG8=\n\
                    -----END B-----\n-----BEGIN C-----\naGVsbG8=\n-----END D-----\n";
        let wrong = |what: &str| Err(what.to_owned());
        assert_eq!(
            found(text),
            [
                ("A".into(), 1, wrong("has broken base64 in the block A in line 1")),
                ("A".into(), 4, wrong("has no end of the block A in line 4")),
                ("B".into(), 5, Ok(b"hello".to_vec())),
                ("C".into(), 8, wrong("has no end of the block C in line 8")),
            ]
        );
    }

    /// Read in pieces of any size.
    #[test]
    fn the_blocks_of_a_file_are_those_of_its_text() {
        struct Pieces<'a>(&'a [u8], usize);

        impl Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let most = into.len().min(self.1);
                self.0.read(into.get_mut(..most).unwrap())
            }
        }

        let long = |length: usize| format!("-----BEGIN L-----\n{}\n-----END L-----\n", "QUFB".repeat(length));
        let line = |length: usize| format!("{}\n", "x".repeat(length));
        for text in [
            String::new(),
            "no end of line".into(),
            "\u{feff}-----BEGIN A-----\r\naGVs\r\nbG8=\r\n-----END A-----\r\nx\n-----BEGIN B-----\n".into(),
            format!(
                "{}{}{}-----BEGIN A-----\naGVsbG8=\n-----END A-----",
                line(PIECE),
                long(10),
                long(2 * PIECE)
            ),
            format!("{}x\n-----END L-----\n{}", long(PIECE / 4 - 9).repeat(5), long(1).repeat(2000)),
        ] {
            for size in [1, 7, PIECE - 1, PIECE, 10 * PIECE].into_iter().filter(|size| size * 50 > text.len())
            {
                let mut read = Vec::new();
                read_blocks(Pieces(text.as_bytes(), size), |block| {
                    read.push((
                        block.label.into(),
                        block.line,
                        block.decode().map(|content| content.to_vec()),
                    ));
                })
                .unwrap();
                assert_eq!(read, found(&text), "{size}");
            }
        }
    }

    #[test]
    fn headers_are_not_content() {
        let text = "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\ndek-info: AES-128-CBC,00FF\n\naGVsbG8=\n-----END K-----\n";
        let blocks = blocks(text.as_bytes());
        assert_eq!(blocks[0].header("DEK-Info"), Some("AES-128-CBC,00FF"));
        assert_eq!(blocks[0].header("Other"), None);
        assert_eq!(blocks[0].decode().unwrap().as_slice(), b"hello");
    }
}
