//! Connecting again by itself.

mod common;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Recorder, Seen, FAR};
use netstack_websocket::client::{Client, CloseEvent, ConnectOptions, Reconnect};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::error::{Code, Error};
use netstack_websocket::process;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::CloseFrame;

/// Does one thing with each connection, then is gone.
fn server(script: &'static [Act]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for act in script {
            let (stream, _) = listener.accept().unwrap();
            match act {
                Act::HangUp => drop(stream),
                Act::OpenAndHangUp => drop(tungstenite::accept(stream).unwrap()),
                Act::Close(code) => {
                    let mut socket = tungstenite::accept(stream).unwrap();
                    let frame = CloseFrame { code: CloseCode::from(*code), reason: "".into() };
                    socket.close(Some(frame)).unwrap();
                    while socket.read().is_ok() {}
                }
            }
        }
    });
    url
}

enum Act {
    HangUp,
    OpenAndHangUp,
    Close(u16),
}

fn options(max_attempts: u32) -> ConnectOptions {
    let ms = Duration::from_millis;
    let reconnect = Reconnect { max_attempts, min_delay: ms(1), max_delay: ms(4) };
    ConnectOptions { reconnect, ..Default::default() }
}

const FAILED: Seen = Seen::Error(Code::ConnectFailed as i32);

#[test]
fn a_lost_connection_and_failed_attempts_are_tried_again_until_the_peer_says_goodbye() {
    let url = server(&[Act::OpenAndHangUp, Act::HangUp, Act::HangUp, Act::Close(1012), Act::Close(1000)]);
    let recorder = Recorder::new();
    recorder.client.connect(&url, options(3)).unwrap();
    recorder.expect([Seen::Header, Seen::Open, FAILED, Seen::Close(1006), Seen::Reconnecting(1)]);
    recorder.expect([FAILED, Seen::Reconnecting(2), FAILED, Seen::Reconnecting(3)]);
    recorder.expect([Seen::Header, Seen::Open, Seen::Close(1012), Seen::Reconnecting(1)]);
    recorder.expect([Seen::Header, Seen::Open, Seen::Close(1000)]);
    recorder.expect_nothing_more();
}

#[test]
fn attempts_end_with_an_error_when_they_are_used_up() {
    let url = server(&[Act::HangUp, Act::HangUp]);
    let recorder = Recorder::new();
    recorder.client.connect(&url, options(1)).unwrap();
    recorder.expect([FAILED, Seen::Reconnecting(1), FAILED]);
    recorder.expect_nothing_more();
}

#[test]
fn close_ends_the_waiting() {
    let url = server(&[Act::HangUp]);
    let recorder = Recorder::new();
    let hour = Duration::from_secs(3600);
    let reconnect = Reconnect { max_attempts: u32::MAX, min_delay: hour, max_delay: hour };
    recorder.client.connect(&url, ConnectOptions { reconnect, ..Default::default() }).unwrap();
    recorder.expect([FAILED, Seen::Reconnecting(1)]);
    let again = recorder.client.connect(&url, ConnectOptions::default());
    assert_eq!(again.unwrap_err().code, Code::AlreadyConnected);
    recorder.client.close(1000, "").unwrap();
    recorder.expect([Seen::Close(1006)]);
    recorder.expect_nothing_more();
}

#[test]
fn close_ends_reconnecting_though_the_connection_is_lost_already() {
    let url = server(&[Act::OpenAndHangUp, Act::Close(1000)]);
    let recorder = Recorder::new();
    let (weak, listeners) = (Arc::downgrade(&recorder.client), &recorder.client.listeners);
    let closing = weak.clone();
    let close = Box::new(move |_: &Error| {
        let closed = closing.upgrade().unwrap().close(1000, "");
        assert_eq!(closed.unwrap_err().code, Code::NotConnected);
    });
    listeners.error.add(ListenerKey(1, 0), || close).unwrap();
    // The session that has ended leaves the next one alone.
    let again = url.clone();
    let connect = Box::new(move |event: &CloseEvent| {
        if event.code == 1006 {
            weak.upgrade().unwrap().connect(&again, options(3)).unwrap();
        }
    });
    listeners.close.add(ListenerKey(1, 0), || connect).unwrap();
    recorder.client.connect(&url, options(3)).unwrap();
    recorder.expect([Seen::Header, Seen::Open, FAILED, Seen::Close(1006)]);
    recorder.expect([Seen::Header, Seen::Open, Seen::Close(1000)]);
    recorder.expect_nothing_more();
}

#[test]
fn a_client_that_is_released_as_its_connection_is_lost_ends() {
    let url = server(&[Act::OpenAndHangUp]);
    let client = process::create(Client::new).unwrap();
    let weak = Arc::downgrade(&client);
    let of = weak.clone();
    let release = Box::new(move |_: &Error| of.upgrade().unwrap().release());
    client.listeners.error.add(ListenerKey(0, 0), || release).unwrap();
    client.connect(&url, options(3)).unwrap();
    drop(client);
    let start = Instant::now();
    while weak.upgrade().is_some() {
        assert!(start.elapsed() < FAR, "its session goes on");
        std::thread::yield_now();
    }
}
