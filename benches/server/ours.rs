//! An echo server of the library, through its C ABI.

use std::ffi::{c_void, CStr};
use std::mem::size_of;

use netstack_websocket::ffi::*;

fn check(code: i32) {
    if code != NSWS_OK {
        // SAFETY: the string lives until the next call on this thread that fails.
        let sentence = unsafe { CStr::from_ptr(nsws_last_error()) };
        panic!("{code}: {}", sentence.to_string_lossy());
    }
}

unsafe extern "C" fn echo(
    _server: nsws_server,
    connection: nsws_connection,
    event: *const nsws_message_event,
    _user_data: *mut c_void,
) {
    // SAFETY: the event lives until this returns.
    let sent = unsafe {
        let event = &*event;
        match event.is_text {
            0 => nsws_connection_send_binary(connection, event.data.cast(), event.length),
            _ => nsws_connection_send_text(connection, event.data.cast(), event.length),
        }
    };
    // A client may have gone away.
    if sent != NSWS_OK && sent != NSWS_ERR_NOT_CONNECTED {
        check(sent);
    }
}

/// Serves until stdin ends.
pub fn serve() {
    let mut server = nsws_server { id: 0 };
    // SAFETY: the outputs are writable, and the options are prepared.
    unsafe {
        check(nsws_server_create(&mut server));
        check(nsws_server_on_message(server, Some(echo), std::ptr::null_mut(), None));
        let mut options = std::mem::zeroed::<nsws_server_options>();
        check(nsws_server_options_init(&mut options, size_of::<nsws_server_options>()));
        options.server_ip = c"127.0.0.1".as_ptr();
        options.max_concurrent_clients = u32::MAX;
        options.max_connections_per_client = u32::MAX;
        options.max_upgrades_per_minute = 0;
        check(nsws_server_start(server, &options));
        let mut port = 0;
        check(nsws_server_get_port(server, &mut port));
        println!("{port}");
    }
    crate::end_with_stdin();
}
