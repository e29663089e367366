//! SOCKS5 (RFC 1928), with a user name and a password (RFC 1929) or without. Reads no byte of what comes behind.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::server::Credentials;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// The proxy wants another authentication than it was offered.
    Method,
    /// The user name or the password is wrong.
    Credentials,
    /// It does not connect, and why.
    Refused(&'static str),
    /// The host's name can't be expressed.
    LongName,
    /// What it says is not SOCKS5.
    Invalid,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// Asks for a tunnel to a host, whose name the proxy looks up.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    credentials: Option<&Credentials>,
    host: &str,
    port: u16,
) -> Result<(), Fault> {
    let address = address(host, port)?;
    match credentials {
        Some(_) => stream.write_all(&[VERSION, 2, NO_AUTHENTICATION, PASSWORD]).await?,
        None => stream.write_all(&[VERSION, 1, NO_AUTHENTICATION]).await?,
    }
    match (read(stream).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, PASSWORD], Some(credentials)) => {
            stream.write_all(&authentication(credentials)?).await?;
            match read(stream).await? {
                [1, 0] => {}
                [1, _] => return Err(Fault::Credentials),
                _ => return Err(Fault::Invalid),
            }
        }
        ([VERSION, PASSWORD | 0xff], _) => return Err(Fault::Method),
        _ => return Err(Fault::Invalid),
    }
    stream.write_all(&[&[VERSION, CONNECT, 0], address.as_slice()].concat()).await?;
    match read(stream).await? {
        [VERSION, 0, 0, IPV4] => _ = read::<6>(stream).await?,
        [VERSION, 0, 0, IPV6] => _ = read::<18>(stream).await?,
        [VERSION, 0, 0, NAME] => {
            let [length] = read(stream).await?;
            let mut name = vec![0; usize::from(length)];
            stream.read_exact(&mut name).await?;
            read::<2>(stream).await?;
            std::str::from_utf8(&name).map_err(|_| Fault::Invalid)?;
        }
        [VERSION, reply, ..] => return Err(refusal(reply)),
        _ => return Err(Fault::Invalid),
    }
    Ok(())
}

async fn read<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// A host and a port as SOCKS5 has them.
fn address(host: &str, port: u16) -> Result<Vec<u8>, Fault> {
    let mut address = match host.parse() {
        Ok(IpAddr::V4(ip)) => [&[IPV4], ip.octets().as_slice()].concat(),
        Ok(IpAddr::V6(ip)) => [&[IPV6], ip.octets().as_slice()].concat(),
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| Fault::LongName)?;
            [&[NAME, length], host.as_bytes()].concat()
        }
    };
    address.extend(port.to_be_bytes());
    Ok(address)
}

/// RFC 1929 2. Its memory never moves, so that all of it is wiped.
fn authentication(credentials: &Credentials) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut request = Zeroizing::new(Vec::with_capacity(3 + 2 * 255));
    request.push(1);
    for text in [credentials.username.expose(), credentials.password.expose()] {
        request.push(u8::try_from(text.len()).map_err(|_| Fault::Credentials)?);
        request.extend_from_slice(text.as_bytes());
    }
    Ok(request)
}

/// RFC 1928 6.
fn refusal(reply: u8) -> Fault {
    Fault::Refused(match reply {
        1 => "general failure",
        2 => "its rules don't allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the connection was refused",
        6 => "the TTL expired",
        7 => "it does not support CONNECT",
        8 => "it does not support this type of address",
        _ => return Fault::Invalid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn the_credentials_go_out_from_memory_that_is_wiped_and_did_not_move() {
        let long = "x".repeat(255);
        for (username, password) in [("alice", "secret"), (&*long, &*long)] {
            let credentials =
                Credentials { username: Secret::from(username), password: Secret::from(password) };
            let request: Zeroizing<Vec<u8>> = authentication(&credentials).unwrap();
            assert_eq!(request.len(), 3 + username.len() + password.len());
            assert_eq!(request.capacity(), 3 + 2 * 255);
            assert!(request.ends_with(password.as_bytes()));
        }
    }

    #[test]
    fn hosts_go_out_as_addresses_or_as_names() {
        assert_eq!(address("10.1.2.3", 80).unwrap(), [1, 10, 1, 2, 3, 0, 80]);
        assert_eq!(address("::1", 258).unwrap(), [&[4][..], &[0; 15], &[1, 1, 2]].concat());
        assert_eq!(address("a.b", 443).unwrap(), [3, 3, b'a', b'.', b'b', 1, 187]);
        assert!(matches!(address(&"x".repeat(256), 1), Err(Fault::LongName)));
    }
}
