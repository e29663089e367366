//! The options of the way to the server: the local address and interface, the socket's options, and addresses that
//! need no lookup.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, TcpKeepalive, Type};
use url::Host;

use crate::error::{cause, Code, Error, Phase, Result};
use crate::net::TcpStream;
use crate::url::is_interface;

/// The largest number that the system's options take.
const LARGEST: u64 = i32::MAX as u64;
/// TCP_KEEPIDLE's largest.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// The way to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkOptions {
    /// The local address.
    pub bind_address: Option<IpAddr>,
    /// The interface.
    pub bind_interface: Option<String>,
    /// Names whose addresses are known.
    pub resolve: Vec<Known>,
    /// After how much silence TCP asks the other side whether it is there.
    pub keepalive: Option<Duration>,
    /// How long TCP may wait until what was sent is acknowledged.
    pub user_timeout: Option<Duration>,
    /// The size of the system's buffer of what arrives; 0: its own choice.
    pub receive_buffer_size: usize,
    /// The size of the system's buffer of what is sent; 0: its own choice.
    pub send_buffer_size: usize,
}

/// A name whose addresses are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `None`: every name.
    host: Option<String>,
    port: u16,
    addresses: Vec<IpAddr>,
}

impl Known {
    /// Reads curl's form, `[+]host:port:address[,address]`, of which several are separated by semicolons.
    pub fn parse_list(list: &str) -> Result<Vec<Known>> {
        let entries = list.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                Known::parse(entry).ok_or_else(|| {
                    let message = format!("{entry:?} in resolve is not host:port:address.");
                    Error::call(Code::Parameter, message)
                })
            })
            .collect()
    }

    fn parse(entry: &str) -> Option<Known> {
        // curl's plus lets an entry expire, which none does here; its minus removes one.
        let entry = entry.strip_prefix('+').unwrap_or(entry);
        let (host, rest) = entry.split_once(':').filter(|(host, _)| !host.starts_with('-'))?;
        let (port, addresses) = rest.split_once(':')?;
        let host = match host {
            "*" => None,
            host => match Host::parse(host).ok()? {
                Host::Domain(name) => Some(name),
                // An address needs no lookup.
                Host::Ipv4(_) | Host::Ipv6(_) => return None,
            },
        };
        let addresses = addresses.split(',').map(|address| {
            let address = address.trim();
            let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
            match bare {
                Some(bare) => bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
                None => address.parse().ok(),
            }
        });
        let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
        Some(Known { host, port, addresses: addresses.collect::<Option<_>>()? })
            .filter(|known| known.port > 0)
    }
}

fn wrong(message: &str) -> Error {
    Error::call(Code::Parameter, message)
}

impl LinkOptions {
    /// Reads a local address; "": none.
    pub fn address(text: &str) -> Result<Option<IpAddr>> {
        let address = (!text.is_empty()).then(|| text.parse()).transpose();
        address.map_err(|_| wrong("bind_address is not an IPv4 or IPv6 address."))
    }

    /// Checks the rules that need no network.
    pub fn check(&self) -> Result<()> {
        if self.bind_interface.as_ref().is_some_and(|name| !is_interface(name)) {
            return Err(wrong("bind_interface can't be the name of an interface."));
        }
        if self.keepalive.is_some_and(|keepalive| keepalive > LONGEST_KEEPALIVE) {
            return Err(wrong("tcp_keepalive_ms is above 32767000."));
        }
        if self.user_timeout.is_some_and(|timeout| timeout.as_millis() > LARGEST.into()) {
            return Err(wrong("tcp_user_timeout_ms is above 2147483647."));
        }
        match self.receive_buffer_size.max(self.send_buffer_size) as u64 > LARGEST {
            true => Err(wrong("The size of a buffer is above 2147483647.")),
            false => Ok(()),
        }
    }

    /// The addresses that the program knows of a name: an entry for it counts before one for all, and the last before others.
    pub(super) fn known(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let last_of = |name: Option<&str>| {
            self.resolve.iter().rev().find(|known| known.port == port && known.host.as_deref() == name)
        };
        let known = last_of(Some(&host.to_ascii_lowercase())).or_else(|| last_of(None))?;
        Some(known.addresses.iter().map(|address| SocketAddr::new(*address, port)).collect())
    }

    /// Leaves the addresses that can be reached from the local one. An error if the program's choice of the way is
    /// impossible, which it is for all addresses, so none is tried.
    pub(super) fn narrow(
        &self,
        addresses: Vec<SocketAddr>,
        phase: Phase,
        name: &str,
    ) -> Result<Vec<SocketAddr>> {
        let Some(first) = addresses.first().copied() else { return Ok(addresses) };
        let unreachable = |message| Error::event(phase, Code::Unreachable, message);
        let left: Vec<SocketAddr> = match self.bind_address {
            None => addresses,
            Some(from) => {
                addresses.into_iter().filter(|address| address.is_ipv4() == from.is_ipv4()).collect()
            }
        };
        let Some(usable) = left.first() else {
            let family = if first.is_ipv4() { "IPv4" } else { "IPv6" };
            let message = format!("{name} has only {family} addresses, which bind_address can't reach.");
            return Err(unreachable(message));
        };
        let cannot = |what: String, error: &io::Error| Error {
            os_error: error.raw_os_error().unwrap_or(0),
            ..unreachable(format!("Can't connect to {name} from {what}: {}.", cause(error)))
        };
        if self.bind_address.is_some() || self.bind_interface.is_some() {
            let socket = plain_socket(*usable).map_err(|error| cannot("here".into(), &error))?;
            self.bind_device(&socket).map_err(|error| {
                cannot(
                    format!("the interface {}", self.bind_interface.as_deref().unwrap_or_default()),
                    &error,
                )
            })?;
            self.bind(&socket, *usable).map_err(|error| {
                cannot(
                    format!("the address {}", self.bind_address.unwrap_or(Ipv4Addr::UNSPECIFIED.into())),
                    &error,
                )
            })?;
        }
        Ok(left)
    }

    /// Connects to an address. Returns the peer's address, too, as the system completed it.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
        let socket = plain_socket(address)?;
        self.bind_device(&socket)?;
        self.bind(&socket, address)?;
        if let Some(time) = self.keepalive {
            // Whole seconds, at least one.
            let time = Duration::from_secs(time.as_millis().div_ceil(1000) as u64);
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(time).with_interval(time))?;
        }
        if self.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        // Before the handshake, in which TCP agrees on the window.
        if self.receive_buffer_size > 0 {
            socket.set_recv_buffer_size(self.receive_buffer_size)?;
        }
        if self.send_buffer_size > 0 {
            socket.set_send_buffer_size(self.send_buffer_size)?;
        }
        TcpStream::connect(socket, address).await
    }

    fn bind_device(&self, socket: &Socket) -> io::Result<()> {
        match &self.bind_interface {
            None => Ok(()),
            Some(name) => socket.bind_device(Some(name.as_bytes())),
        }
    }

    fn bind(&self, socket: &Socket, to: SocketAddr) -> io::Result<()> {
        let Some(address) = self.bind_address else { return Ok(()) };
        let mut from = SocketAddr::new(address, 0);
        // A link-local address is one of the interface that the target's is of. Another interface that was chosen would be
        // overridden.
        if let (SocketAddr::V6(from), SocketAddr::V6(to), None) = (&mut from, to, &self.bind_interface) {
            from.set_scope_id(to.scope_id());
        }
        socket.bind(&from.into())
    }
}

/// A socket that does not block.
fn plain_socket(to: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;
    use crate::runtime::run;

    #[test]
    fn known_addresses_in_curls_form() {
        let list = "a.example:80:127.0.0.1,::1; b:443:[::2] ;;Bücher.example:81:10.0.0.1;*:82:10.0.0.2";
        let link = LinkOptions { resolve: Known::parse_list(list).unwrap(), ..Default::default() };
        let known = |host: &str, port| {
            let addresses = link.known(host, port)?;
            Some(addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(known("A.example", 80).as_deref(), Some("127.0.0.1:80 [::1]:80"));
        assert_eq!(known("b", 443).as_deref(), Some("[::2]:443"));
        assert_eq!(known("xn--bcher-kva.example", 81).as_deref(), Some("10.0.0.1:81"));
        assert_eq!(known("anything", 82).as_deref(), Some("10.0.0.2:82"));
        assert_eq!((known("b", 80), known("c", 443)), (None, None));
        // An exact name before all names, wherever it stands, and the later of two entries.
        let list = "*:80:10.0.0.1;a:80:10.0.0.2;+a:80:10.0.0.3;*:80:10.0.0.4;b:80:10.0.0.5;*:81:10.0.0.6";
        let link = LinkOptions { resolve: Known::parse_list(list).unwrap(), ..Default::default() };
        let known = |host: &str, port| link.known(host, port).unwrap()[0].to_string();
        assert_eq!(
            [known("a", 80), known("b", 80), known("c", 80)],
            ["10.0.0.3:80", "10.0.0.5:80", "10.0.0.4:80"]
        );
        assert_eq!(known("a", 81), "10.0.0.6:81");
        assert!(Known::parse_list("").unwrap().is_empty());
        for list in [
            "a",
            "a:80",
            "a:80:",
            "a:0:1.2.3.4",
            "a:+80:1.2.3.4",
            "a:65536:1.2.3.4",
            "a:80:b",
            "a:80:1.2.3.4,",
            ":80:1.2.3.4",
            "a b:80:1.2.3.4",
            "1.2.3.4:80:1.2.3.4",
            "a:80:[1.2.3.4]",
            "a:80:1.2.3.4;b",
            "-a:80",
            "-a:80:1.2.3.4",
            "+:80:1.2.3.4",
        ] {
            assert_eq!(Known::parse_list(list).expect_err(list).code, Code::Parameter);
        }
    }

    #[test]
    fn what_the_system_does_not_take_is_refused() {
        let name = |name: &str| LinkOptions { bind_interface: Some(name.into()), ..Default::default() };
        let time = |ms| Some(Duration::from_millis(ms));
        for link in [
            name(""),
            name("sixteen-bytes-xx"),
            name("a/b"),
            name("a b"),
            LinkOptions { keepalive: time(32_767_001), ..Default::default() },
            LinkOptions { user_timeout: time(1 << 31), ..Default::default() },
            LinkOptions { receive_buffer_size: 1 << 31, ..Default::default() },
            LinkOptions { send_buffer_size: usize::MAX, ..Default::default() },
        ] {
            assert_eq!(link.check().unwrap_err().code, Code::Parameter, "{link:?}");
        }
        for link in [
            name("fifteen-bytes-x"),
            LinkOptions { keepalive: time(32_767_000), ..Default::default() },
            LinkOptions { user_timeout: time((1 << 31) - 1), ..Default::default() },
            LinkOptions { receive_buffer_size: (1 << 31) - 1, ..Default::default() },
        ] {
            link.check().unwrap();
        }
    }

    #[test]
    fn a_socket_gets_what_was_asked_for() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let link = LinkOptions {
                bind_address: Some("127.0.0.9".parse().unwrap()),
                keepalive: Some(Duration::from_millis(1500)),
                user_timeout: Some(Duration::from_millis(7000)),
                receive_buffer_size: 50_000,
                send_buffer_size: 60_000,
                ..Default::default()
            };
            let (stream, _) = link.connect(listener.local_addr().unwrap()).await.unwrap();
            let socket = SockRef::from(&stream);
            let local = socket.local_addr().unwrap().as_socket().unwrap();
            assert_eq!(local.ip(), link.bind_address.unwrap());
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(2));
            assert_eq!(socket.tcp_user_timeout().unwrap(), link.user_timeout);
            // The system adds as much for itself.
            assert_eq!(socket.recv_buffer_size().unwrap(), 100_000);
            assert_eq!(socket.send_buffer_size().unwrap(), 120_000);
            let (plain, _) = LinkOptions::default().connect(listener.local_addr().unwrap()).await.unwrap();
            assert!(!SockRef::from(&plain).keepalive().unwrap());
        });
    }
}
