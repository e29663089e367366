//! The PROXY protocol, versions 1 and 2: a proxy's header about the client, before the client's own bytes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;

use super::peer::Peer;
use crate::net::TcpStream;

/// The beginning of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// The shortest.
const SHORTEST_LINE: usize = b"PROXY UNKNOWN\r\n".len();
/// The most that is read behind the 16 bytes that version 2 begins with: addresses, and what else a proxy tells.
const LARGEST_REST: usize = 4096;

/// What was read so far.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// So many bytes more belong to the header for sure.
    Needs(usize),
    /// It is whole. `None`: the proxy speaks for itself, or doesn't know.
    Whole(Option<Peer>),
    Wrong(&'static str),
}

/// Reads the header, and nothing behind it.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Option<Peer>, String> {
    let mut header = Vec::with_capacity(LONGEST_LINE);
    loop {
        match parse(&header) {
            Progress::Needs(more) => {
                let end = header.len();
                header.resize(end + more, 0);
                let rest = header.get_mut(end..).unwrap_or_default();
                stream.read_exact(rest).await.map_err(|error: io::Error| error.to_string())?;
            }
            Progress::Whole(client) => return Ok(client),
            Progress::Wrong(why) => return Err(why.to_owned()),
        }
    }
}

fn parse(header: &[u8]) -> Progress {
    if header.len() < SIGNATURE.len() {
        return Progress::Needs(SIGNATURE.len() - header.len());
    }
    match header.strip_prefix(SIGNATURE) {
        Some(rest) => parse_v2(rest),
        None if header.starts_with(b"PROXY ") => parse_v1(header),
        None => Progress::Wrong("it is none"),
    }
}

fn parse_v1(header: &[u8]) -> Progress {
    if header.len() < SHORTEST_LINE {
        return Progress::Needs(SHORTEST_LINE - header.len());
    }
    let Some(line) = header.strip_suffix(b"\r\n") else {
        return match header.len() < LONGEST_LINE {
            true => Progress::Needs(1),
            false => Progress::Wrong("its line is too long"),
        };
    };
    let wrong = Progress::Wrong("its line is damaged");
    let Ok(line) = std::str::from_utf8(line) else { return wrong };
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    if family == Some("UNKNOWN") {
        return Progress::Whole(None);
    }
    let (Some(from), Some(to), Some(port), Some(to_port), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return wrong;
    };
    let ip = match family {
        Some("TCP4") => to.parse::<Ipv4Addr>().and_then(|_| from.parse::<Ipv4Addr>()).map(Into::into).ok(),
        Some("TCP6") => to.parse::<Ipv6Addr>().and_then(|_| from.parse::<Ipv6Addr>()).map(Into::into).ok(),
        _ => None,
    };
    match (ip, decimal(port), decimal(to_port)) {
        (Some(ip), Some(port), Some(_)) => Progress::Whole(Some(SocketAddr::new(ip, port).into())),
        _ => wrong,
    }
}

/// A port, without zeros before it.
fn decimal(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// What is behind the signature.
fn parse_v2(header: &[u8]) -> Progress {
    let Some(([version_command, family, high, low], rest)) = header.split_first_chunk::<4>() else {
        return Progress::Needs(4 - header.len());
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > LARGEST_REST {
        return Progress::Wrong("it is too long");
    }
    if rest.len() < length {
        return Progress::Needs(length - rest.len());
    }
    let ports = |bytes: &[u8]| bytes.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
    let client = match (version_command, family) {
        // The proxy itself, to see whether anybody is there.
        (0x20, _) => return Progress::Whole(None),
        // Not told, or a client on the proxy's own machine.
        (0x21, 0x00 | 0x31) => return Progress::Whole(None),
        (0x21, 0x11) => rest.split_first_chunk::<4>().and_then(|(from, rest)| {
            Some(SocketAddr::new(Ipv4Addr::from(*from).into(), ports(rest.get(4..)?.first_chunk::<4>()?)?))
        }),
        (0x21, 0x21) => rest.split_first_chunk::<16>().and_then(|(from, rest)| {
            Some(SocketAddr::new(Ipv6Addr::from(*from).into(), ports(rest.get(16..)?.first_chunk::<4>()?)?))
        }),
        _ => None,
    };
    match client {
        Some(client) => Progress::Whole(Some(client.into())),
        None => Progress::Wrong("its version, command or addresses are not those of a TCP connection"),
    }
}

/// A header is read to its end and no further, within bounds, wherever it is cut.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let mut read = 0;
    loop {
        match parse(data.get(..read).unwrap_or_default()) {
            Progress::Needs(more) => {
                assert!(more > 0);
                read += more;
                assert!(read <= SIGNATURE.len() + 4 + LARGEST_REST);
                if read > data.len() {
                    return;
                }
            }
            Progress::Whole(_) => {
                let header = data.get(..read).unwrap_or_default();
                return assert!(
                    header.starts_with(SIGNATURE) || header.ends_with(b"\r\n") && read <= LONGEST_LINE
                );
            }
            Progress::Wrong(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a header says, and how long it is; bytes behind it are not looked at.
    fn read(bytes: &[u8]) -> Result<(Option<String>, usize), &'static str> {
        let mut read = 0;
        loop {
            match parse(&bytes[..read]) {
                Progress::Needs(more) if read + more > bytes.len() => return Err("more"),
                Progress::Needs(more) => read += more,
                Progress::Whole(client) => return Ok((client.map(|client| client.to_string()), read)),
                Progress::Wrong(why) => return Err(why),
            }
        }
    }

    fn v2(version_command: u8, family: u8, length: u16, rest: &[u8]) -> Vec<u8> {
        [&SIGNATURE[..], &[version_command, family], &length.to_be_bytes(), rest].concat()
    }

    #[test]
    fn lines_of_version_1_are_read() {
        for (line, client) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", Some("192.0.2.1:56324")),
            ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Some("0.0.0.0:0")),
            ("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n", Some("[2001:db8::1]:65535")),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", Some("192.0.2.1:1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            let bytes = format!("{line}GET / HTTP/1.1\r\n");
            assert_eq!(read(bytes.as_bytes()), Ok((client.map(str::to_owned), line.len())), "{line}");
            for cut in 0..line.len() {
                assert_eq!(read(&line.as_bytes()[..cut]), Err("more"), "{line} {cut}");
            }
        }
        for line in [
            "GET / HTTP/1.1\r\n\r\n",
            "proxy TCP4 192.0.2.1 10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1 1 1\r\n",
            "PROXY TCP4  192.0.2.1 10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 65536 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 01 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 +1 1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1 -1\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1 1\n\n\n\r\n",
            "PROXY TCP4 192.0.2.01 10.0.0.1 1 1\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 1\r\n",
            "PROXY TCP6 192.0.2.1 10.0.0.1 1 1\r\n",
            "PROXY UDP4 192.0.2.1 10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.1 host 1 1\r\n",
            "PROXY \0\0\0\0\0\0\0\0\0\r\n",
        ] {
            assert!(matches!(read(line.as_bytes()), Err(why) if why != "more"), "{line:?}");
        }
        let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
        assert_eq!(read(&endless[..LONGEST_LINE]), Err("its line is too long"));
    }

    #[test]
    fn headers_of_version_2_are_read() {
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0xdc, 4, 1, 0xbb];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        v6[15] = 1;
        v6[32..34].copy_from_slice(&[0xff, 0xff]);
        let more = [&v4[..], &[4, 0, 1, 7]].concat();
        for (header, client) in [
            (v2(0x21, 0x11, 12, &v4), Some("192.0.2.1:56324")),
            (v2(0x21, 0x11, 16, &more), Some("192.0.2.1:56324")),
            (v2(0x21, 0x21, 36, &v6), Some("[2001:db8::1]:65535")),
            (v2(0x20, 0x00, 0, &[]), None),
            (v2(0x20, 0x11, 12, &v4), None),
            (v2(0x21, 0x00, 4, &[1, 2, 3, 4]), None),
            (v2(0x21, 0x31, 4096, &[0; 4096]), None),
        ] {
            let bytes = [&header[..], b"\x16\x03\x01"].concat();
            assert_eq!(read(&bytes), Ok((client.map(str::to_owned), header.len())), "{header:?}");
            for cut in 0..header.len() {
                assert_eq!(read(&header[..cut]), Err("more"), "{header:?} {cut}");
            }
        }
        for header in [
            v2(0x11, 0x11, 12, &v4),
            v2(0x22, 0x11, 12, &v4),
            v2(0x31, 0x11, 12, &v4),
            v2(0x21, 0x12, 12, &v4),
            v2(0x21, 0x22, 36, &v6),
            v2(0x21, 0x41, 12, &v4),
            v2(0x21, 0x11, 11, &v4[..11]),
            v2(0x21, 0x21, 35, &v6[..35]),
            v2(0x21, 0x11, 0, &[]),
            v2(0x21, 0x11, 4097, &[]),
            v2(0x20, 0x00, 65535, &[]),
        ] {
            assert!(matches!(read(&header), Err(why) if why != "more"), "{header:?}");
        }
    }
}
