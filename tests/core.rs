//! The safe core as a Rust library: what a panic does, and the order of a session.

mod common;

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{echo_server, Recorder, Seen};
use netstack_websocket::client::{Client, ConnectOptions};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::error::Code;
use tungstenite::Message;

const KEY: ListenerKey = ListenerKey(9, 9);

#[test]
fn a_session_has_its_events_in_order() {
    let (url, _) = echo_server();
    let recorder = Recorder::connect(&url);
    recorder.expect([Seen::Header, Seen::Open]);
    recorder.client.send_text("one").unwrap();
    recorder.client.send_binary(b"").unwrap();
    recorder.expect([Seen::Message(b"one".to_vec()), Seen::DataEnd, Seen::Message(vec![]), Seen::DataEnd]);
    recorder.client.close(1000, "").unwrap();
    assert_eq!(recorder.client.send_text("late").unwrap_err().code, Code::NotConnected);
    assert_eq!(recorder.client.close(1000, "").unwrap_err().code, Code::NotConnected);
    recorder.expect([Seen::Close(1000)]);
    recorder.expect_nothing_more();
}

#[test]
fn a_listener_that_panics_fails_its_connection_and_no_other() {
    let (url, _) = echo_server();
    let other = Recorder::connect(&url);
    other.expect([Seen::Header, Seen::Open]);

    let broken = Recorder::connect(&url);
    broken.client.listeners.message.add(KEY, || Box::new(|_| panic!("a test's panic"))).unwrap();
    broken.expect([Seen::Header, Seen::Open]);
    broken.client.send_text("x").unwrap();
    broken.expect([Seen::Message(b"x".to_vec()), Seen::Error(Code::Internal as i32), Seen::Close(1011)]);

    other.client.send_text("still here").unwrap();
    other.expect([Seen::Message(b"still here".to_vec()), Seen::DataEnd]);

    // The client itself is not lost, either.
    broken.client.listeners.message.remove(Some(KEY));
    broken.client.connect(&url, ConnectOptions::default()).unwrap();
    broken.expect([Seen::Header, Seen::Open]);
    broken.client.send_text("again").unwrap();
    broken.expect([Seen::Message(b"again".to_vec()), Seen::DataEnd]);
    broken.expect_nothing_more();
}

/// What a panic carries may call the library when it is dropped.
#[test]
fn what_a_panic_carries_is_dropped_without_a_lock() {
    struct Releases(Arc<Client>, std::sync::mpsc::Sender<()>);
    impl Drop for Releases {
        fn drop(&mut self) {
            self.0.release();
            self.1.send(()).unwrap();
        }
    }
    let (url, _) = echo_server();
    let recorder = Recorder::connect(&url);
    recorder.expect([Seen::Header, Seen::Open]);
    let ((done, is_done), client) = (channel(), recorder.client.clone());
    let listen = || -> Box<netstack_websocket::client::MessageListener> {
        Box::new(move |_| std::panic::panic_any(Releases(client.clone(), done.clone())))
    };
    recorder.client.listeners.message.add(KEY, listen).unwrap();
    recorder.client.send_text("x").unwrap();
    is_done.recv_timeout(Duration::from_secs(20)).unwrap();
}

#[test]
fn a_panic_before_open_ends_the_attempt() {
    let (url, _) = echo_server();
    let recorder = Recorder::new();
    recorder.client.listeners.header_receive.add(KEY, || Box::new(|_| panic!("a test's panic"))).unwrap();
    recorder.client.connect(&url, ConnectOptions::default()).unwrap();
    recorder.expect([Seen::Header, Seen::Error(Code::Internal as i32)]);
    recorder.client.connect(&url, ConnectOptions::default()).unwrap();
    recorder.expect([Seen::Header, Seen::Error(Code::Internal as i32)]);
    recorder.expect_nothing_more();
}

#[test]
fn a_client_may_drop_its_own_listeners_and_itself_in_a_callback() {
    struct Tell(std::sync::mpsc::Sender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (url, _) = echo_server();
    let recorder = Recorder::connect(&url);
    let (dropped, drops) = channel();
    let tell = Tell(dropped);
    let client: Arc<Client> = recorder.client.clone();
    recorder
        .client
        .listeners
        .open
        .add(KEY, || {
            Box::new(move |_| {
                let _ = &tell;
                client.listeners.open.remove(Some(KEY));
                client.destroy();
            })
        })
        .unwrap();
    drops.recv().expect("the listener's data is dropped after its last call");
    assert_eq!(recorder.client.send_text("x").unwrap_err().code, Code::BadHandle);
    // The callback may still be returning; a destroy outside callbacks waits for that.
    recorder.client.destroy();
    assert!(recorder.client.listeners.open.add(KEY, || Box::new(|_| ())).is_err());
}

/// The buffers change size between messages: they grow for large ones, and shrink a second after the last.
#[test]
fn no_message_is_lost_when_the_buffers_change_size() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        let large = Message::binary(vec![7; 70_000]);
        socket.write(large.clone()).unwrap();
        let (start, mut number) = (Instant::now(), 0u32);
        while start.elapsed() < Duration::from_millis(2500) {
            for _ in 0..10 {
                socket.write(Message::binary(number.to_be_bytes().to_vec())).unwrap();
                number += 1;
            }
            socket.flush().unwrap();
        }
        socket.send(large).unwrap();
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
        number
    });
    let recorder = Recorder::connect(&url);
    recorder.expect([Seen::Header, Seen::Open, Seen::Message(vec![7; 70_000]), Seen::DataEnd]);
    let mut received = 0u32;
    loop {
        match recorder.next() {
            Seen::Message(data) if data.len() == 70_000 => break,
            message => assert_eq!(message, Seen::Message(received.to_be_bytes().to_vec())),
        }
        recorder.expect([Seen::DataEnd]);
        received += 1;
    }
    recorder.expect([Seen::DataEnd, Seen::Close(1005)]);
    assert_eq!(received, server.join().unwrap());
}
