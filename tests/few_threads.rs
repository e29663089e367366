//! When no thread can be started, callbacks wait and I/O goes on. Alone in its process, since it configures it.

mod common;

use std::net::TcpListener;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::Duration;

use common::{echo_server, Recorder, Seen, FAR};
use netstack_websocket::client::ConnectOptions;
use netstack_websocket::connection::{Heartbeat, Limits};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::error::Code;
use netstack_websocket::log::{set_sink, Level};
use netstack_websocket::process;
use netstack_websocket::runtime::Config;
use tungstenite::Message;

/// A server that reports each ping it receives.
fn pinged_server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (pinged, pings) = channel();
    std::thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_ping() {
                let _ = pinged.send(());
            }
        }
    });
    (url, pings)
}

/// A server that sends its client a byte for each `Some`, and a ping for each `None`, and reports the pong.
fn steady_server() -> (String, Sender<Option<u8>>, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (sends, to_send) = channel::<Option<u8>>();
    let (ponged, pongs) = channel();
    std::thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        for byte in to_send {
            match byte {
                Some(byte) => socket.send(Message::binary(vec![byte])).unwrap(),
                None => {
                    socket.send(Message::Ping("?".into())).unwrap();
                    while !socket.read().unwrap().is_pong() {}
                    ponged.send(()).unwrap();
                }
            }
        }
    });
    (url, sends, pongs)
}

/// A client whose open callback blocks until something is sent.
fn blocker(url: &str) -> (Recorder, Sender<()>) {
    let blocker = Recorder::connect(url);
    let (entered, is_in) = channel();
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let listener = || {
        Box::new(move |_: &_| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        }) as Box<_>
    };
    blocker.client.listeners.open.add(ListenerKey(1, 1), listener).unwrap();
    blocker.expect([Seen::Header, Seen::Open]);
    is_in.recv().unwrap();
    (blocker, release)
}

#[test]
fn callbacks_wait_for_a_thread_and_none_is_lost() {
    process::configure(Config { max_threads: 2, ..Config::default() }).unwrap();
    let (url, accepts) = echo_server();

    // The receiver of the log blocks as well.
    let (tell, told) = channel();
    let (go_on, goes_on) = channel::<()>();
    let goes_on = std::sync::Mutex::new(goes_on);
    let sink = move |_: Level, line: &str| {
        let _ = tell.send(line.to_owned());
        let _ = goes_on.lock().unwrap().recv();
    };
    set_sink(Level::Warn, Some(Box::new(sink)));

    // A client whose callbacks are short.
    let (steady, sends, pongs) = steady_server();
    let trusted = Recorder::new();
    // Without a heartbeat, which would look at the socket.
    let limits = Limits { heartbeat: Heartbeat { interval: None, timeout: None }, ..Limits::default() };
    trusted.client.connect(&steady, ConnectOptions { limits, ..ConnectOptions::default() }).unwrap();
    trusted.expect([Seen::Header, Seen::Open]);
    for byte in 0..=u8::MAX {
        sends.send(Some(byte)).unwrap();
        trusted.expect([Seen::Message(vec![byte]), Seen::DataEnd]);
    }

    let (blocked, release) = blocker(&url);
    accepts.recv().unwrap();

    // One thread is held, the other drives I/O: the next client gets its connection, but not its callbacks.
    let waiting = Recorder::connect(&url);
    accepts.recv().unwrap();
    assert_eq!(waiting.client.send_text("x").unwrap_err().code, Code::NotConnected);
    assert_eq!(process::configure(Config::default()).unwrap_err().code, Code::Busy);

    // No thread is left, and the log tells of the callback all the same.
    let line = told.recv_timeout(FAR).unwrap();
    assert!(
        line.starts_with("The callbacks of open have held their thread for 1000 ms and still do"),
        "{line}"
    );

    // A client that was trusted until now gets its I/O, too.
    for _ in 0..3 {
        sends.send(None).unwrap();
        pongs.recv_timeout(FAR).unwrap();
    }
    sends.send(Some(0)).unwrap();

    // Deadlines are kept meanwhile.
    let (pinged, pings) = pinged_server();
    let pinging = Recorder::new();
    let heartbeat = Heartbeat { interval: Some(Duration::from_millis(10)), timeout: None };
    let limits = Limits { heartbeat, ..Limits::default() };
    pinging.client.connect(&pinged, ConnectOptions { limits, ..ConnectOptions::default() }).unwrap();
    for _ in 0..3 {
        pings.recv_timeout(FAR).unwrap();
    }

    drop(go_on);
    release.send(()).unwrap();
    waiting.expect([Seen::Header, Seen::Open]);
    waiting.client.send_text("x").unwrap();
    waiting.expect([Seen::Message(b"x".to_vec()), Seen::DataEnd]);
    trusted.expect([Seen::Message(vec![0]), Seen::DataEnd]);

    // Its peer hangs up.
    drop(sends);
    trusted.client.destroy();
    pinging.client.destroy();
    waiting.client.destroy();
    blocked.client.destroy();
    process::shutdown(FAR, || {}).unwrap();

    // While events wait for a thread, a shutdown still ends the thread that drives the I/O.
    let (blocked, release) = blocker(&url);
    accepts.recv().unwrap();
    let waiting = Recorder::connect(&url);
    accepts.recv().unwrap();
    let still_busy = process::shutdown(Duration::from_millis(100), || {}).unwrap_err();
    assert_eq!(still_busy.code, Code::Busy);
    release.send(()).unwrap();
    process::shutdown(FAR, || {}).unwrap();
    drop((blocked, waiting));
    process::configure(Config::default()).unwrap();
}
