//! A server in a process that has no descriptor left. Alone in its process, since it takes all of them.

#![cfg(feature = "server")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::FAR;
use netstack_websocket::log::{set_sink, Level};
use netstack_websocket::process;
use netstack_websocket::server::{Server, ServerOptions};
use socket2::{Domain, Socket, Type};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn with_no_descriptor_left_a_silent_client_makes_room_for_one_that_is_not() {
    let limit = libc::rlimit { rlim_cur: 128, rlim_max: 128 };
    // SAFETY: reads the struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let options = ServerOptions {
        ip: "127.0.0.1".into(),
        handshake_timeout: Duration::from_secs(100_000),
        ..ServerOptions::default()
    };
    server.start(&options).unwrap();
    let (cut, cuts) = channel();
    set_sink(Level::Info, Some(Box::new(move |_, line| drop(cut.send(line.to_owned())))));

    let address = SocketAddr::from(([127, 0, 0, 1], server.port().unwrap()));
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let (mut silent, mut quick) = (socket(), socket());
    silent.connect(&address.into()).unwrap();
    // The silent client has been accepted once a later one has been answered.
    let mut known = socket();
    known.connect(&address.into()).unwrap();
    known.write_all(b"nonsense\r\n\r\n").unwrap();
    known.read_exact(&mut [0; 12]).unwrap();
    drop(known);

    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    quick.set_read_timeout(Some(FAR)).unwrap();
    quick.connect(&address.into()).unwrap();
    quick.write_all(REQUEST).unwrap();
    let mut status = [0; 12];
    quick.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 101");
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or_default(), 0);
    assert!(cuts.iter().take(10).any(|line| line.contains("too many handshakes are under way")));
    drop(taken);
    set_sink(Level::Off, None);
    server.destroy();
}
