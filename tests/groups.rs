//! A message to a group is encoded once, and no member costs an allocation. Alone in its process, since allocations are counted.
#![cfg(feature = "server")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_void;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{channel, Sender};

use netstack_websocket::ffi::*;

const MEMBERS: usize = 20;
/// One that many share, and one that is put behind what waits for each.
const LARGE: usize = 40_000;
const SMALL: usize = 300;

thread_local! {
    /// The allocations of this thread, and those among them that have room for a message.
    static ALLOCATIONS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| {
            let (all, large) = count.get();
            count.set((all + 1, large + usize::from(layout.size() >= LARGE)));
        });
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

unsafe extern "C" fn connected(
    _: nsws_server,
    connection: nsws_connection,
    _: *const nsws_connect_event,
    to: *mut c_void,
) {
    // SAFETY: the test's sender, which outlives the server.
    unsafe { &*to.cast::<Sender<nsws_connection>>() }.send(connection).unwrap();
}

fn connect(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

#[test]
fn a_message_to_a_group_is_encoded_once_and_members_cost_no_allocation() {
    let (sender, connections) = channel::<nsws_connection>();
    let sender = Box::new(sender);
    let (mut server, mut port) = (nsws_server { id: 0 }, 0);
    // SAFETY: as the header says, here and below.
    unsafe {
        let mut options = std::mem::zeroed();
        assert_eq!(nsws_server_options_init(&raw mut options, size_of_val(&options)), 0);
        options.server_ip = c"127.0.0.1".as_ptr();
        options.max_connections_per_client = 2 * MEMBERS as u32;
        assert_eq!(nsws_server_create(&raw mut server), 0);
        let user = (&raw const *sender).cast_mut().cast();
        assert_eq!(nsws_server_on_connect(server, Some(connected), user, None), 0);
        assert_eq!(nsws_server_start(server, &raw const options), 0);
        assert_eq!(nsws_server_get_port(server, &raw mut port), 0);
    }
    // The first is the one of the group "one".
    let mut clients: Vec<TcpStream> = (0..=MEMBERS).map(|_| connect(port)).collect();
    for member in 0..=MEMBERS {
        let connection = connections.recv().unwrap();
        for group in [c"one", c"many"].into_iter().skip(usize::from(member > 0)) {
            // SAFETY: as above.
            assert_eq!(unsafe { nsws_connection_join(connection, group.as_ptr()) }, 0);
        }
    }
    let mut send = |group: &std::ffi::CStr, length: usize| {
        let (message, mut accepted) = (vec![b'x'; length], 0);
        ALLOCATIONS.set((0, 0));
        // SAFETY: as above.
        let code = unsafe {
            let (data, out) = (message.as_ptr().cast(), &raw mut accepted);
            nsws_server_broadcast_group(server, group.as_ptr(), data, length, 1, out)
        };
        let counted = ALLOCATIONS.get();
        assert_eq!(code, 0);
        // So that nothing waits when the next is sent.
        for client in clients.iter_mut().take(accepted) {
            let mut frame = vec![0; 4 + length];
            client.read_exact(&mut frame).unwrap();
            assert_eq!(frame, [&[0x81, 126], &(length as u16).to_be_bytes()[..], &message].concat());
        }
        (accepted, counted)
    };
    // A connection's buffer is made when it is first needed.
    send(c"many", SMALL);
    let (accepted, (one, _)) = send(c"one", SMALL);
    assert_eq!(accepted, 1);
    let (accepted, (many, _)) = send(c"many", SMALL);
    assert_eq!(accepted, MEMBERS + 1);
    // What the connections share may grow once for all of them.
    assert!(many < one + 4, "{many} allocations for {accepted} members, {one} for one");
    let (accepted, (_, encodings)) = send(c"many", LARGE);
    assert_eq!((accepted, encodings), (MEMBERS + 1, 1));

    assert_eq!(nsws_server_destroy(server), 0);
}
