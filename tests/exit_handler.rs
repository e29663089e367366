//! The library is shut down in an exit handler, where the main thread's thread-locals are gone. Without the usual harness, since
//! that runs tests on other threads.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use netstack_websocket::ffi::{
    nsws_client_connect, nsws_client_create, nsws_client_destroy, nsws_last_error, nsws_shutdown,
};

extern "C" fn tidy_up() {
    let code = nsws_shutdown(10_000);
    // SAFETY: the sentence lives until the next call.
    let sentence = unsafe { CStr::from_ptr(nsws_last_error()) };
    println!("shutdown in an exit handler: {code} {sentence:?}");
    if code != 0 {
        // SAFETY: ends the process, whose exit code is wrong otherwise.
        unsafe { libc::_exit(1) };
    }
}

fn main() {
    let mut client = MaybeUninit::uninit();
    let mut gone = MaybeUninit::uninit();
    // SAFETY: the outputs are writable, the URL is NUL-terminated, and the options may be NULL.
    unsafe {
        assert_eq!(libc::atexit(tidy_up), 0);
        assert_eq!(nsws_client_create(client.as_mut_ptr()), 0);
        assert_eq!(nsws_client_create(gone.as_mut_ptr()), 0);
        let client = client.assume_init();
        assert_eq!(nsws_client_connect(client, c"ws://127.0.0.1:9/".as_ptr(), std::ptr::null()), 0);
        // A sentence that is in a thread-local already.
        assert_ne!(nsws_client_connect(client, c"http://x/".as_ptr(), std::ptr::null()), 0);
        nsws_client_destroy(gone.assume_init());
    }
}
