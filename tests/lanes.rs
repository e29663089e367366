//! Several I/O loops. Alone in its process, since it configures it.

mod common;

use std::sync::mpsc::channel;
use std::time::Duration;

use common::{echo_server, Recorder, Seen};
use netstack_websocket::dispatch::ListenerKey;
use netstack_websocket::error::Code;
use netstack_websocket::process;
use netstack_websocket::runtime::Config;

#[test]
fn clients_are_spread_over_lanes_and_a_blocked_one_delays_none() {
    let lanes = std::thread::available_parallelism().map_or(1, |count| count.get()).min(4);
    let config = |io_threads, max_threads| Config { io_threads, max_threads, ..Config::default() };
    for wrong in [config(0, 8), config(usize::MAX, 8), config(lanes, lanes as u32)] {
        assert_eq!(process::configure(wrong).unwrap_err().code, Code::Parameter, "{wrong:?}");
    }
    process::configure(config(lanes, 64)).unwrap();
    let (url, _) = echo_server();

    // As many that block as there are lanes: one on each.
    let (release, released) = channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let (entered, is_in) = channel();
    let blocked: Vec<Recorder> = (0..lanes)
        .map(|_| {
            let client = Recorder::new();
            let (entered, released) = (entered.clone(), released.clone());
            let block = move |_: &_| {
                entered.send(()).unwrap();
                let _ = released.lock().unwrap().recv();
            };
            client.client.listeners.open.add(ListenerKey(1, 1), || Box::new(block)).unwrap();
            client.client.connect(&url, Default::default()).unwrap();
            client
        })
        .collect();
    is_in.recv().unwrap();

    let clients: Vec<Recorder> = (0..3 * lanes).map(|_| Recorder::connect(&url)).collect();
    for client in &clients {
        client.expect([Seen::Header, Seen::Open]);
    }
    for round in 0..200u32 {
        let data = round.to_be_bytes();
        for client in &clients {
            client.client.send_binary(&data).unwrap();
        }
        for client in &clients {
            client.expect([Seen::Message(data.to_vec()), Seen::DataEnd]);
        }
    }
    for _ in &blocked {
        release.send(()).unwrap();
    }
    for client in clients.into_iter().chain(blocked) {
        client.client.destroy();
    }
    process::shutdown(Duration::from_secs(30), || {}).unwrap();
}
