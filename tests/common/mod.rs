//! What the tests of the safe core share: an echo server, and a client whose events can be awaited.
#![allow(dead_code)]

use std::net::TcpListener;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

use netstack_websocket::client::{Client, ConnectOptions};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::process;

/// Only a guard: no test waits so long unless it fails.
pub const FAR: Duration = Duration::from_secs(60);

/// Serves each connection on a thread of its own, and says how many there have been.
pub fn echo_server() -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (accepted, accepts) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let accepted = accepted.clone();
            std::thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else { return };
                let _ = accepted.send(());
                while let Ok(message) = socket.read() {
                    if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (url, accepts)
}

#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Header,
    Open,
    Message(Vec<u8>),
    DataEnd,
    Error(i32),
    Close(u16),
    Reconnecting(u32),
}

/// A client that records its events.
pub struct Recorder {
    pub client: Arc<Client>,
    events: Receiver<Seen>,
}

impl Recorder {
    pub fn new() -> Recorder {
        let client = process::create(Client::new).unwrap();
        let (sender, events) = channel();
        let key = ListenerKey(0, 0);
        let on = |sender: &Sender<Seen>| sender.clone();
        let listeners = &client.listeners;
        let to = on(&sender);
        listeners.header_receive.add(key, || Box::new(move |_| to.send(Seen::Header).unwrap())).unwrap();
        let to = on(&sender);
        listeners.open.add(key, || Box::new(move |_| to.send(Seen::Open).unwrap())).unwrap();
        let to = on(&sender);
        listeners
            .message
            .add(key, || Box::new(move |message| to.send(Seen::Message(message.data.to_vec())).unwrap()))
            .unwrap();
        let to = on(&sender);
        listeners.data_end.add(key, || Box::new(move |_| to.send(Seen::DataEnd).unwrap())).unwrap();
        let to = on(&sender);
        listeners
            .error
            .add(key, || Box::new(move |error| to.send(Seen::Error(error.code as i32)).unwrap()))
            .unwrap();
        let to = on(&sender);
        listeners
            .reconnecting
            .add(key, || Box::new(move |event| to.send(Seen::Reconnecting(event.attempt)).unwrap()))
            .unwrap();
        let to = sender;
        listeners
            .close
            .add(key, || Box::new(move |close| to.send(Seen::Close(close.code)).unwrap()))
            .unwrap();
        Recorder { client, events }
    }

    pub fn connect(url: &str) -> Recorder {
        let recorder = Recorder::new();
        recorder.client.connect(url, ConnectOptions::default()).unwrap();
        recorder
    }

    pub fn next(&self) -> Seen {
        self.events.recv_timeout(FAR).expect("an event")
    }

    pub fn expect(&self, expected: impl IntoIterator<Item = Seen>) {
        for expected in expected {
            assert_eq!(self.next(), expected);
        }
    }

    pub fn expect_nothing_more(self) {
        self.client.destroy();
        drop(self.client);
        assert_eq!(self.events.try_recv().ok(), None);
    }
}
