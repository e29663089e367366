//! The server of the safe core, against tungstenite's own client.

#![cfg(feature = "server")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::FAR;
use netstack_websocket::connection::{Limits, MessageEvent};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::error::Code;
use netstack_websocket::process;
use netstack_websocket::server::{Accepted, Of, Server, ServerOptions};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::Frame;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Connect(String),
    Message(Vec<u8>),
    Close(u16),
    Error,
}

/// A server whose events are recorded, and which echoes.
struct Echo {
    server: Arc<Server>,
    events: Receiver<(Arc<Accepted>, Seen)>,
}

impl Echo {
    fn start() -> Echo {
        Echo::start_with(Limits::default())
    }

    fn start_with(limits: Limits) -> Echo {
        let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
        let (to, events) = channel();
        let key = ListenerKey(0, 0);
        let listeners = server.listeners();
        let sender = to.clone();
        listeners
            .connect
            .add(key, || {
                Box::new(move |of| {
                    sender.send((of.connection.clone(), Seen::Connect(of.event.path.clone()))).unwrap()
                })
            })
            .unwrap();
        let sender = to.clone();
        listeners
            .message
            .add(key, || {
                Box::new(move |of| {
                    sender.send((of.connection.clone(), Seen::Message(of.event.data.to_vec()))).unwrap();
                    of.connection.send_binary(of.event.data).unwrap();
                })
            })
            .unwrap();
        let sender = to.clone();
        listeners
            .error
            .add(key, || {
                Box::new(move |of| sender.send((of.connection.clone().unwrap(), Seen::Error)).unwrap())
            })
            .unwrap();
        listeners
            .close
            .add(key, || {
                Box::new(move |of| to.send((of.connection.clone(), Seen::Close(of.event.code))).unwrap())
            })
            .unwrap();
        server.start(&ServerOptions { ip: "127.0.0.1".into(), limits, ..ServerOptions::default() }).unwrap();
        Echo { server, events }
    }

    fn connect(&self) -> (WebSocket<MaybeTlsStream<TcpStream>>, Arc<Accepted>) {
        let url = format!("ws://127.0.0.1:{}/path", self.server.port().unwrap());
        let (client, _) = tungstenite::connect(url).unwrap();
        let (accepted, seen) = self.next();
        assert_eq!(seen, Seen::Connect("/path".into()));
        (client, accepted)
    }

    fn next(&self) -> (Arc<Accepted>, Seen) {
        self.events.recv_timeout(FAR).expect("an event")
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.server.destroy();
    }
}

#[test]
fn a_client_is_heard_and_answered_until_it_says_goodbye() {
    let echo = Echo::start();
    let (mut client, accepted) = echo.connect();
    assert_eq!(echo.server.connections().unwrap().len(), 1);
    let peer = accepted.peer();
    assert!(Arc::ptr_eq(&echo.server.find(peer.ip, peer.port).unwrap(), &accepted));

    client.send(Message::binary(b"hello".to_vec())).unwrap();
    assert_eq!(echo.next().1, Seen::Message(b"hello".to_vec()));
    assert_eq!(client.read().unwrap(), Message::binary(b"hello".to_vec()));

    client.close(None).unwrap();
    assert_eq!(echo.next().1, Seen::Close(1005));
    while client.read().is_ok() {}
    assert_eq!(accepted.send_text("late").unwrap_err().code, Code::NotConnected);
}

/// A connection that the program has paused, and whose peer has reset it since.
fn paused_and_reset(echo: &Echo) -> Arc<Accepted> {
    let (client, accepted) = echo.connect();
    accepted.pause();
    let MaybeTlsStream::Plain(stream) = client.get_ref() else { panic!("it is not TLS") };
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    accepted
}

#[test]
fn a_paused_connection_whose_peer_is_gone_ends_in_time_when_it_is_closed() {
    let echo = Echo::start_with(Limits { close_timeout: Duration::from_millis(50), ..Limits::default() });
    let ends = || assert_eq!([echo.next().1, echo.next().1], [Seen::Error, Seen::Close(1006)]);
    paused_and_reset(&echo).close(1000, "").unwrap();
    ends();
    // A write has failed before.
    let written_to = paused_and_reset(&echo);
    let refused = loop {
        match written_to.send_text("x") {
            Ok(()) => std::thread::yield_now(),
            Err(error) => break error.code,
        }
    };
    assert_eq!(refused, Code::NotConnected);
    written_to.close(1000, "").unwrap();
    assert_eq!(written_to.close(1000, "").unwrap_err().code, Code::NotConnected);
    ends();
    paused_and_reset(&echo).send_text("x").unwrap();
    echo.server.stop().unwrap();
    ends();
}

#[test]
fn stop_says_goodbye_frees_the_port_at_once_and_start_works_again() {
    let echo = Echo::start();
    let (mut client, _) = echo.connect();
    let port = echo.server.port().unwrap();
    echo.server.stop().unwrap();
    assert_eq!(echo.server.stop().unwrap_err().code, Code::NotListening);
    let options = ServerOptions { ip: "127.0.0.1".into(), port: port.into(), ..ServerOptions::default() };
    echo.server.start(&options).unwrap();
    assert_eq!(echo.server.start(&options).unwrap_err().code, Code::AlreadyConnected);

    let Message::Close(Some(frame)) = client.read().unwrap() else { panic!("no close frame") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Away, "server is going away"));
    while client.read().is_ok() {}
    assert_eq!(echo.next().1, Seen::Close(1001));
    echo.connect();
}

#[test]
fn a_server_destroyed_with_a_slow_listener_says_goodbye_all_the_same() {
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let (called, calls) = channel();
    let (end, ends) = channel::<()>();
    let ends = std::sync::Mutex::new(ends);
    let block = move |_: &Of<'_, MessageEvent<'_>>| {
        let _ = called.send(());
        let _ = ends.lock().unwrap().recv();
    };
    server.listeners().message.add(ListenerKey(0, 0), || Box::new(block)).unwrap();
    let limits = Limits { close_timeout: FAR, ..Limits::default() };
    server.start(&ServerOptions { ip: "127.0.0.1".into(), limits, ..ServerOptions::default() }).unwrap();

    let stream = TcpStream::connect(("127.0.0.1", server.port().unwrap())).unwrap();
    // The only clock: how long the server must not read to count as one that doesn't.
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut client, _) = tungstenite::client("ws://server/", stream).unwrap();
    let message = Message::binary(vec![0; 64 << 10]);
    let stuck = loop {
        if let Err(error) = client.send(message.clone()) {
            break error;
        }
    };
    assert!(
        matches!(&stuck, tungstenite::Error::Io(error) if error.kind() == ErrorKind::WouldBlock),
        "{stuck}"
    );
    calls.recv_timeout(FAR).unwrap();

    server.release();
    client.get_ref().set_write_timeout(Some(FAR)).unwrap();
    for _ in 0..64 {
        client.send(message.clone()).expect("the server reads on");
    }
    let Message::Close(Some(frame)) = client.read().unwrap() else { panic!("no close frame") };
    assert_eq!(frame.code, CloseCode::Away);
    drop(end);
}

#[test]
fn all_of_a_crowd_get_in_though_their_requests_come_late() {
    const CROWD: usize = 300;
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let options = ServerOptions {
        ip: "127.0.0.1".into(),
        max_connections_per_client: CROWD as u32,
        max_upgrades_per_minute: 0,
        // So that half of them wait to be accepted.
        descriptors: Some(CROWD as u64),
        ..ServerOptions::default()
    };
    server.start(&options).unwrap();
    let address = ("127.0.0.1", server.port().unwrap());
    let mut crowd: Vec<_> = (0..CROWD).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut crowd {
        client.write_all(REQUEST).unwrap();
    }
    for client in &mut crowd {
        client.set_read_timeout(Some(FAR)).unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 101");
    }
    server.destroy();
}

/// For so long a server waits for a client to hang up. A test that was held up for longer learns nothing.
const LINGER: Duration = Duration::from_secs(2);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A place among the clients is free again when the descriptor is, not earlier.
#[test]
fn a_client_that_is_cut_off_and_does_not_hang_up_keeps_its_place() {
    with_one_place(
        |_| {},
        |ended, ask| {
            let (mut first, status) = ask();
            assert_eq!(status, "101");
            // Not masked.
            let since = Instant::now();
            first.write_all(b"\x81\0").unwrap();
            assert_eq!(ended.recv_timeout(FAR).unwrap(), 1002);
            let status = ask().1;
            assert!(status == "503" || since.elapsed() >= LINGER, "{status}");
            drop(first);
            while ask().1 != "101" {}
        },
    );
}

/// After both close frames, nothing is to come that would need the descriptor.
#[test]
fn a_client_that_says_goodbye_and_does_not_hang_up_keeps_no_descriptor() {
    with_one_place(
        |_| {},
        |ended, ask| {
            let (mut first, status) = ask();
            assert_eq!(status, "101");
            first.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
            assert_eq!(ended.recv_timeout(FAR).unwrap(), 1000);
            assert_eq!(ask().1, "101");
            let mut rest = Vec::new();
            first.read_to_end(&mut rest).unwrap();
            assert!(rest.ends_with(b"\x88\x02\x03\xe8"));
        },
    );
}

/// A server for one connection of each client: the codes of its close events, and how to ask it for one.
fn with_one_place(
    connected: fn(&Accepted),
    test: impl FnOnce(&Receiver<u16>, &dyn Fn() -> (TcpStream, String)),
) {
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let (to, ended) = channel();
    let key = ListenerKey(0, 0);
    server.listeners().close.add(key, || Box::new(move |of| to.send(of.event.code).unwrap())).unwrap();
    server.listeners().connect.add(key, || Box::new(move |of| connected(of.connection))).unwrap();
    let options =
        ServerOptions { ip: "127.0.0.1".into(), max_connections_per_client: 1, ..ServerOptions::default() };
    server.start(&options).unwrap();
    let address = ("127.0.0.1", server.port().unwrap());
    test(&ended, &|| {
        let mut client = connect_slowly(address.1);
        client.set_read_timeout(Some(FAR)).unwrap();
        client.write_all(REQUEST).unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).unwrap();
        (client, String::from_utf8_lossy(&status[9..]).into_owned())
    });
    server.destroy();
}

/// A connection to this port whose receive buffer is small.
fn connect_slowly(port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    socket.into()
}

/// A client has to answer pings until it has read the close frame (RFC 6455 5.5.2).
#[test]
fn a_late_pong_does_not_cost_the_close_frame() {
    let connected = |accepted: &Accepted| {
        accepted.ping(b"?").unwrap();
        accepted.send_binary(&[0; 100_000]).unwrap();
    };
    with_one_place(connected, |ended, ask| {
        let (mut client, status) = ask();
        assert_eq!(status, "101");
        let mut begun = Vec::new();
        while !begun.ends_with(b"\r\n\r\n\x89\x01?") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            begun.extend(byte);
        }
        let since = Instant::now();
        client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
        assert_eq!(ended.recv_timeout(FAR).unwrap(), 1000);
        // Everything is on its way, most of it in the server's system.
        let _ = client.write_all(b"\x8a\x81\0\0\0\0?");
        let mut rest = Vec::new();
        let read = client.read_to_end(&mut rest);
        let is_whole = read.is_ok() && rest.len() > 100_000 && rest.ends_with(b"\x88\x02\x03\xe8");
        assert!(is_whole || since.elapsed() >= LINGER, "{} bytes, {read:?}", rest.len());
    });
}

#[test]
fn pages_of_other_origins_are_refused_and_ban_nobody() {
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let options = ServerOptions {
        ip: "127.0.0.1".into(),
        allowed_origins: Some("https://here".into()),
        max_upgrades_per_minute: 5,
        ..ServerOptions::default()
    };
    server.start(&options).unwrap();
    let status = |origin: &str| {
        let mut client = TcpStream::connect(("127.0.0.1", server.port().unwrap())).unwrap();
        client.set_read_timeout(Some(FAR)).unwrap();
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        client.write_all(request.replace("Host: a\r\n", &format!("Host: a\r\n{origin}")).as_bytes()).unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).unwrap();
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    for _ in 0..20 {
        assert_eq!(status("Origin: https://elsewhere\r\n"), "403");
    }
    assert_eq!(status("Origin: https://here\r\n"), "101");
    assert_eq!(status(""), "101");
    server.destroy();
    let wrong = ServerOptions { allowed_origins: Some("here".into()), ..options };
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    assert_eq!(server.start(&wrong).unwrap_err().code, Code::Parameter);
    server.destroy();
}

/// One that spreads its messages over the addresses of its network gains nothing.
#[test]
fn the_network_that_holds_most_loses_its_largest_message() {
    const KIB: usize = 1024;
    let server = process::create(|runtime, _| Server::new(runtime)).unwrap();
    let options = ServerOptions {
        ip: "127.0.0.1".into(),
        receive_budget: 1024 * KIB,
        trusted_proxies: "127.0.0.1".into(),
        ..ServerOptions::default()
    };
    server.start(&options).unwrap();
    let url = format!("ws://127.0.0.1:{}/", server.port().unwrap());
    // A client from this address that has sent the beginning of a message.
    let begun = |from: &str, bytes: usize| {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("X-Forwarded-For", from.parse().unwrap());
        let (mut client, _) = tungstenite::connect(request).unwrap();
        let part = Frame::message(vec![b'x'; bytes], OpCode::Data(Data::Binary), false);
        client.send(Message::Frame(part)).unwrap();
        client.send(Message::Ping(Default::default())).unwrap();
        client
    };
    let is_answered =
        |client: &mut WebSocket<MaybeTlsStream<TcpStream>>| matches!(client.read(), Ok(Message::Pong(_)));
    let mut other = begun("203.0.113.1", 400 * KIB);
    assert!(is_answered(&mut other));
    let greedy: Vec<_> = (1..=4)
        .map(|host| {
            let mut client = begun(&format!("2001:db8:0:1::{host}"), 300 * KIB);
            // By then the server has counted what came before.
            let is_open = is_answered(&mut client);
            (client, is_open)
        })
        .collect();
    let is_left = |(mut client, is_open): (WebSocket<MaybeTlsStream<TcpStream>>, bool)| {
        is_open && client.send(Message::Ping(Default::default())).is_ok() && is_answered(&mut client)
    };
    let left: Vec<bool> = greedy.into_iter().map(is_left).collect();
    assert_eq!(left.iter().filter(|left| **left).count(), 2, "{left:?}");
    other.send(Message::Ping(Default::default())).unwrap();
    assert!(is_answered(&mut other), "it holds less than the four of one network");
    server.destroy();
}
