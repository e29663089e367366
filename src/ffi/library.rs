//! The library as a whole: its threads, and its end.

use std::time::Duration;

use super::runtime_options::{nsws_runtime_options, read_runtime_options};
use super::{call, threads};
use crate::{process, runtime};

/// No limit: for `reconnect_max_attempts` of nsws_connect_options and the timeout of nsws_shutdown(), and for
/// nothing else.
/// @since 0.2
pub const NSWS_FOR_EVER: u32 = 0xFFFF_FFFF;

/// Longer than any process runs.
const LIFETIME: Duration = Duration::from_secs(u32::MAX as u64);

/// Sets how the library makes its threads. Optional; call it before the first object is created, or after
/// nsws_shutdown().
///
/// @param options prepared by nsws_runtime_options_init(), copied; NULL: the defaults
/// @return NSWS_OK; NSWS_ERR_PARAMETER: an option is out of range, or the struct was not prepared;
///         NSWS_ERR_BUSY: the threads are running already; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_runtime_configure(options: *const nsws_runtime_options) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let config = unsafe { read_runtime_options(options) }?;
        process::configure(config)
    })
}

/// Ends the library: destroys all objects, closes their connections with code 1001, runs every `free_fn`, and
/// ends the library's threads. Afterwards the library can be used again, or unloaded. It may be called in an
/// exit handler, or in the destructor of a global object.
///
/// If it returns NSWS_ERR_BUSY, something could not be ended in time: a callback or platform hook that does not
/// return, a name lookup, a file that is being read, or another thread's nsws_shutdown(); nsws_last_error() says
/// which. Each such thread ends when its work does. Call again to go on waiting.
///
/// @param timeout_ms how long to wait, in milliseconds, for closing handshakes and running callbacks;
///         NSWS_FOR_EVER: until they end. Then the remaining connections are cut, and the threads get up to a
///         second more to end.
/// @return NSWS_OK; NSWS_ERR_BUSY; NSWS_ERR_WOULD_DEADLOCK: it was called inside a callback;
///         NSWS_ERR_NO_RESOURCES: an exit handler could not get the thread it needs; NSWS_ERR_FORKED;
///         NSWS_ERR_INTERNAL
/// @note Any thread, but not inside a callback. Waits up to `timeout_ms`, and up to a second more.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_shutdown(timeout_ms: u32) -> i32 {
    let timeout = match timeout_ms {
        NSWS_FOR_EVER => LIFETIME,
        _ => Duration::from_millis(timeout_ms.into()),
    };
    call(|| {
        runtime::check_may_wait()?;
        threads::driving(|| {
            process::shutdown(timeout, || {
                super::client::release_all();
                super::server::release_all();
            })
        })
    })
}
