//! Opening a TCP connection to whichever address of a host answers first (RFC 8305).

use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;

use super::link_options::LinkOptions;
use crate::error::cause;
use crate::net::TcpStream;
use crate::runtime::{in_time, look};

/// How long one address may take before the next one is tried as well (RFC 8305 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The most addresses that a sentence lists.
const SHOWN: usize = 8;

/// The addresses that were tried, and why each failed, if it has.
#[derive(Default)]
pub(super) struct Tried(Mutex<Vec<(SocketAddr, Option<io::Error>)>>);

impl Tried {
    fn begin(&self, address: SocketAddr) {
        self.0.lock().push((address, None));
    }

    fn failed(&self, address: SocketAddr, error: io::Error) {
        if let Some(tried) = self.0.lock().iter_mut().find(|tried| tried.0 == address) {
            tried.1 = Some(error);
        }
    }

    /// The last failure, in the order of the attempts.
    pub fn with_last_failure<T>(&self, look: impl FnOnce(&io::Error) -> T) -> Option<T> {
        self.0.lock().iter().rev().find_map(|(_, error)| error.as_ref()).map(look)
    }

    /// Starts again.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// ` (tried [::1]:80: Connection refused; 127.0.0.1:80: no answer)`; nothing if there is nothing to tell
    /// beyond the address with which the sentence ends so far.
    pub fn list_after(&self, sentence: &str) -> String {
        let tried = self.0.lock();
        match tried.as_slice() {
            [] => return String::new(),
            [(only, _)] if sentence.ends_with(&format!(" {only}")) => return String::new(),
            _ => {}
        }
        let told = tried.iter().take(SHOWN).map(|(address, error)| {
            format!("{address}: {}", error.as_ref().map_or("no answer".into(), cause))
        });
        let mut told: Vec<String> = told.collect();
        if tried.len() > SHOWN {
            told.push(format!("and {} more", tried.len() - SHOWN));
        }
        format!(" (tried {})", told.join("; "))
    }
}

/// Tries the addresses, both families in turn: the next one as soon as one has failed, or has taken a while. The
/// first connection wins, and the attempts that still run are dropped. `None`: all have failed, and `tried` says
/// why.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    link: &LinkOptions,
    tried: &Tried,
) -> Option<(TcpStream, SocketAddr)> {
    // The usual case: nothing to put in order, and nothing that runs at the same time.
    if let [only] = *addresses {
        tried.begin(only);
        return link.connect(only).await.map_err(|error| tried.failed(only, error)).ok();
    }
    let mut waiting = in_turn(addresses).into_iter();
    let mut running = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            tried.begin(address);
            running.push(Box::pin(async move { (address, link.connect(address).await) }));
        }
        if running.is_empty() {
            return None;
        }
        let next = match waiting.len() {
            0 => Some(first_of(&mut running).await),
            _ => in_time(ATTEMPT_DELAY, first_of(&mut running)).await,
        };
        match next {
            Some((_, Ok(connected))) => return Some(connected),
            Some((address, Err(error))) => {
                tried.failed(address, error);
                // Many that fail at once leave the others their time.
                look().await;
            }
            None => {}
        }
    }
}

/// Waits until one of the futures is ready, and takes it out.
async fn first_of<T>(running: &mut Vec<Pin<Box<impl Future<Output = T>>>>) -> T {
    poll_fn(|cx| {
        for index in 0..running.len() {
            let Some(future) = running.get_mut(index) else { break };
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                drop(running.swap_remove(index));
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}

/// A name may have any number of addresses; so many are tried.
const MOST_ADDRESSES: usize = 512;

/// Each address once, in the system's order of preference, but with the families in turn (RFC 8305 4): the first
/// address's family begins.
fn in_turn(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut left: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if left.len() < MOST_ADDRESSES && !left.contains(address) {
            left.push(*address);
        }
    }
    let v6_first = left.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|address| address.is_ipv6() == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return ordered,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::{Ipv4Addr, TcpListener};
    use std::pin::pin;

    use futures_util::future::{select, Either};
    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::runtime;

    /// Only a guard: far more than any of these takes, far less than the system's own patience.
    const FAR: Duration = Duration::from_secs(60);

    fn run<T>(future: impl Future<Output = T>) -> T {
        runtime::run(async { in_time(FAR, future).await.expect("in time") })
    }

    /// An address that never answers: the backlog of its listener is full, so the system drops what comes.
    fn silent(domain: Domain, address: &str) -> (SocketAddr, Vec<Socket>) {
        let listener = Socket::new(domain, Type::STREAM, None).unwrap();
        listener.bind(&address.parse::<SocketAddr>().unwrap().into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let filler = Socket::new(domain, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&address);
            sockets.push(filler);
        }
        (address.as_socket().unwrap(), sockets)
    }

    /// An address of loopback where nothing listens, as long as the socket lives.
    fn refused(host: Ipv4Addr) -> (SocketAddr, Socket) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((host, 0)).into()).unwrap();
        (socket.local_addr().unwrap().as_socket().unwrap(), socket)
    }

    #[test]
    fn families_take_turns_and_the_systems_first_choice_begins() {
        let addresses = |list: &str| -> Vec<SocketAddr> {
            let port = |address: &str| SocketAddr::new(address.parse().unwrap(), 80);
            list.split_whitespace().map(port).collect()
        };
        for (given, ordered) in [
            ("", ""),
            ("::1 ::2 ::3 10.0.0.1 10.0.0.2", "::1 10.0.0.1 ::2 10.0.0.2 ::3"),
            ("10.0.0.1 10.0.0.2 ::1", "10.0.0.1 ::1 10.0.0.2"),
            ("10.0.0.1 10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2"),
            ("::1 10.0.0.1 ::2", "::1 10.0.0.1 ::2"),
        ] {
            assert_eq!(in_turn(&addresses(given)), addresses(ordered), "{given}");
        }
    }

    #[test]
    fn an_address_that_never_answers_does_not_hold_up_the_others() {
        let (hangs, _sockets) = silent(Domain::IPV6, "[::1]:0");
        let (hangs_too, _more_sockets) = silent(Domain::IPV4, "127.0.0.1:0");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let answers = listener.local_addr().unwrap();
        let tried = Tried::default();
        let (_, peer) =
            run(dial(&[hangs, hangs_too, answers], &LinkOptions::default(), &tried)).expect("a connection");
        assert_eq!(peer, answers);
        assert_eq!(
            tried.list_after("Can't connect to host:80"),
            format!(" (tried {hangs}: no answer; {hangs_too}: no answer; {answers}: no answer)")
        );
    }

    #[test]
    fn the_first_address_is_still_heard_when_later_ones_have_failed() {
        let (slow, mut sockets) = silent(Domain::IPV4, "127.0.0.1:0");
        let (gone, _socket) = refused(Ipv4Addr::LOCALHOST);
        let (tried, addresses, link) = (Tried::default(), [slow, gone], LinkOptions::default());
        let stream = run(async {
            let dialling = dial(&addresses, &link, &tried);
            let making_room = async {
                // Room is made once the other address has failed.
                while tried.with_last_failure(|_| ()).is_none() {
                    in_time(Duration::from_millis(1), pending::<()>()).await;
                }
                sockets.truncate(1);
                sockets[0].set_nonblocking(true).unwrap();
                while sockets[0].accept().is_ok() {}
                pending::<()>().await;
            };
            match select(pin!(dialling), pin!(making_room)).await {
                Either::Left((stream, _)) => stream,
                Either::Right(_) => None,
            }
        });
        assert_eq!(stream.expect("a connection").1, slow);
    }

    /// With the delay before each, this would take far longer than the guard allows.
    #[test]
    fn a_failure_starts_the_next_attempt_at_once() {
        let (refused, _sockets): (Vec<_>, Vec<_>) =
            (0..=255).map(|last| refused(Ipv4Addr::new(127, 0, 1, last))).unzip();
        assert!(ATTEMPT_DELAY * refused.len() as u32 > FAR);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let answers = listener.local_addr().unwrap();
        let addresses: Vec<SocketAddr> = refused.into_iter().chain([answers]).collect();
        let (_, peer) = run(dial(&addresses, &LinkOptions::default(), &Tried::default())).unwrap();
        assert_eq!(peer, answers);
    }

    #[test]
    fn all_failures_are_told() {
        let (addresses, _sockets): (Vec<_>, Vec<_>) =
            (1..=10).map(|last| refused(Ipv4Addr::new(127, 0, 0, last))).unzip();
        let tried = Tried::default();
        assert!(run(dial(&addresses, &LinkOptions::default(), &tried)).is_none());
        let told = tried.list_after("Can't connect to host:80");
        let begin = format!(" (tried {}: Connection refused; {}: ", addresses[0], addresses[1]);
        assert!(told.starts_with(&begin), "{told}");
        assert!(told.ends_with("; and 2 more)"), "{told}");
        assert_eq!(tried.with_last_failure(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
        assert!(run(dial(&[], &LinkOptions::default(), &Tried::default())).is_none());
    }

    #[test]
    fn one_address_is_not_told_twice() {
        let (address, _socket) = refused(Ipv4Addr::LOCALHOST);
        let tried = Tried::default();
        assert!(run(dial(&[address], &LinkOptions::default(), &tried)).is_none());
        assert_eq!(tried.list_after(&format!("Can't connect to {address}")), "");
        assert_ne!(tried.list_after(&format!("Can't connect to localhost:{}", address.port())), "");
        tried.clear();
        assert_eq!(tried.list_after("Can't connect to localhost:80"), "");
    }
}
