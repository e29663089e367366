//! The library as a whole: version, errors, runtime, log.

use std::cell::RefCell;
use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;
use std::time::Duration;

use super::event::nsws_free_fn;
use super::listener::UserData;
use super::options::text;
use super::runtime_options::{nsws_runtime_options, read_runtime_options};
use super::{call, fork, threads};
use crate::error::{Code, Error, Phase};
use crate::log::{self, Level};
use crate::runtime;

/// The version of the header's binary interface. It changes when a program must be built anew.
pub const NSWS_ABI_VERSION: u32 = 1;
/// The first number of the version of this header; nsws_version() has the library's.
/// @since 0.2
pub const NSWS_VERSION_MAJOR: u32 = 0;
/// The second number of the version of this header.
/// @since 0.2
pub const NSWS_VERSION_MINOR: u32 = 2;
/// The third number of the version of this header.
/// @since 0.2
pub const NSWS_VERSION_PATCH: u32 = 0;
/// Without end: for `reconnect_max_attempts` of nsws_connect_options and the time of nsws_shutdown(), and for nothing else.
/// @since 0.2
pub const NSWS_FOR_EVER: u32 = 0xFFFF_FFFF;

/// Log level: nothing.
pub const NSWS_LOG_OFF: i32 = 0;
/// Log level: what the library could not do.
pub const NSWS_LOG_ERROR: i32 = 1;
/// Log level: what is odd.
pub const NSWS_LOG_WARN: i32 = 2;
/// Log level: connections that come and go.
pub const NSWS_LOG_INFO: i32 = 3;
/// Log level: each step of an attempt.
pub const NSWS_LOG_DEBUG: i32 = 4;

/// Longer than any process runs.
const LIFETIME: Duration = Duration::from_secs(u32::MAX as u64);

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The version of the library, "major.minor.patch".
///
/// @return a string that lives as long as the library
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The library's `NSWS_ABI_VERSION`; a program may compare it with the one it was compiled with.
///
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_abi_version() -> u32 {
    NSWS_ABI_VERSION
}

/// The name of a code, such as "NSWS_ERR_URL".
///
/// @param code one of `NSWS_ERR_*` or `NSWS_DETAIL_*`
/// @return a string that lives as long as the library; "NSWS_ERR_UNKNOWN" for a number that is no code
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_error_name(code: i32) -> *const c_char {
    Code::from_number(code).map_or(c"NSWS_ERR_UNKNOWN", Code::name).as_ptr()
}

/// What a code means, as one English sentence.
///
/// @param code one of `NSWS_ERR_*` or `NSWS_DETAIL_*`
/// @return a string that lives as long as the library
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_error_message(code: i32) -> *const c_char {
    Code::from_number(code).map_or(c"Unknown code.", Code::message).as_ptr()
}

/// The name of a phase, such as "tls".
///
/// @param phase one of `NSWS_PHASE_*`
/// @return a string that lives as long as the library; "unknown" for a number that is no phase
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_phase_name(phase: i32) -> *const c_char {
    Phase::ALL.iter().find(|known| **known as i32 == phase).map_or(c"unknown", |known| known.name()).as_ptr()
}

/// The sentence of the last call that failed on this thread, "" when none has.
///
/// @return a string that lives until the next call on this thread that fails
/// Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Keeps an error's sentence for [`nsws_last_error`].
pub fn keep_last_error(error: Error) {
    let mut text = error.message.into_bytes();
    text.retain(|byte| *byte != 0);
    // A thread that is ending has no place for it any more.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
}

/// Sets how the library's threads are made. Optional; before the first object is created, or after
/// nsws_shutdown().
///
/// @param options prepared by nsws_runtime_options_init(); NULL: the defaults
/// @return 0; 401 for a value out of range; `NSWS_ERR_BUSY` when the threads run already
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_runtime_configure(options: *const nsws_runtime_options) -> i32 {
    call(|| {
        // SAFETY: the parameter's description asks for it.
        let config = unsafe { read_runtime_options(options) }?;
        runtime::configure(config)
    })
}

/// Ends everything: destroys all objects, closes their connections (1001), runs every `free_fn`, and ends
/// the library's threads. Afterwards the library can be used again, or unloaded. It may be called in an exit
/// handler, or in the destructor of a global object.
///
/// @param timeout_ms how long to wait, in milliseconds, for closing handshakes and for callbacks that run;
///        `NSWS_FOR_EVER`: until they end. What is still connected then is cut, and threads that only have to end may
///        take half a second more.
/// @return 0 when no thread of the library is left; `NSWS_ERR_BUSY` when something could not be ended (a
///         callback that does not return, a name lookup): nsws_last_error() says what. Those threads end
///         when what holds them does; calling again waits for them again.
///         `NSWS_ERR_WOULD_DEADLOCK` inside a callback.
/// Any thread but one that runs a callback.
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
            runtime::shutdown(timeout, || {
                super::client::release_all();
                super::server::release_all();
            })
        })
    })
}

/// Receives a line of the library's log.
///
/// Called on any thread, several at once. It may call the library but must not wait for it.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_log_fn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Sets who receives the log. Without one, nothing is logged; on OpenHarmony, the lines up to `NSWS_LOG_INFO` go to hilog,
/// with the tag "netstack_websocket". No secret or payload is ever logged. A callback that has held its thread for a second
/// or longer is a line of `NSWS_LOG_WARN` that names its event.
///
/// @param max_level the most that is wanted, one of `NSWS_LOG_*`
/// @param fn the receiver; NULL: none
/// @param user_data passed to `fn`
/// @param free_fn called once when `fn` is no longer used, or NULL
/// @return 0; 401 for an unknown level
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_set_log_callback(
    max_level: i32,
    r#fn: nsws_log_fn,
    user_data: *mut c_void,
    free_fn: nsws_free_fn,
) -> i32 {
    call(|| {
        let level = Level::from_number(max_level)
            .ok_or_else(|| Error::call(Code::Parameter, format!("The log level {max_level} is unknown.")))?;
        fork::remember_process();
        let sink = r#fn.map(|function| log_sink(function, Arc::new(UserData::new(user_data, free_fn))));
        log::set_sink(level, sink);
        Ok(())
    })
}

/// Writes a line of the program's own to the log: for layers that are built on the library and share its log.
///
/// @param level one of `NSWS_LOG_ERROR` to `NSWS_LOG_DEBUG`
/// @param message the line, NUL-terminated UTF-8
/// @return 0, also when nobody receives the log; 401 for NULL, invalid UTF-8 or another level
/// Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_log(level: i32, message: *const c_char) -> i32 {
    call(|| {
        let level = Level::from_number(level)
            .filter(|level| *level != Level::Off)
            .ok_or_else(|| Error::call(Code::Parameter, format!("There is no log level {level}.")))?;
        // SAFETY: NULL or NUL-terminated.
        let message = unsafe { text(message, "message") }?
            .ok_or_else(|| Error::call(Code::Parameter, "The message is NULL."))?;
        log::log(level, || message.to_owned());
        Ok(())
    })
}

/// A caller's receiver of log lines.
pub(super) fn log_sink(
    function: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: Arc<UserData>,
) -> log::Sink {
    Box::new(move |level: Level, message: &str| {
        let message = CString::new(message.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the caller registered the function for these arguments.
        unsafe { function(level as i32, message.as_ptr(), user_data.get()) };
    })
}
