//! The library's log, and its receiver.

use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;

use super::arguments::text;
use super::listener::{nsws_free_fn, UserData};
use super::{call, fork};
use crate::error::{Code, Error};
use crate::log::{self, Level};

/// Log level: nothing.
pub const NSWS_LOG_OFF: i32 = 0;
/// Log level: failures of the library.
pub const NSWS_LOG_ERROR: i32 = 1;
/// Log level: also what looks wrong.
pub const NSWS_LOG_WARN: i32 = 2;
/// Log level: also connections that open and close.
pub const NSWS_LOG_INFO: i32 = 3;
/// Log level: also each step of an attempt.
pub const NSWS_LOG_DEBUG: i32 = 4;

/// Receives a line of the log. It may be called on any thread, and on several at once. It may call the library,
/// but must not wait for it.
/// @since 0.1
#[allow(non_camel_case_types)]
pub type nsws_log_fn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Sets the receiver of the log. Without one, nothing is logged; on OpenHarmony, lines up to NSWS_LOG_INFO go
/// to hilog, with the tag "netstack_websocket". No secret and no payload is ever logged.
///
/// When a callback has held its thread for a second, a line of NSWS_LOG_WARN names its event ("message", or "accept" and
/// "http" for the hooks of a server); when it has returned, a second line says how long it took.
///
/// @param max_level the most verbose level to receive, one of NSWS_LOG_*
/// @param fn the receiver; NULL: none
/// @param user_data passed to `fn`
/// @param free_fn called once when `fn` is no longer used, or NULL; not called if this call fails, or if `fn`
///         is NULL
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the level is unknown; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
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

/// Writes a line to the log, for layers that are built on the library and share its log. It also succeeds if
/// the log has no receiver.
///
/// @param level one of NSWS_LOG_ERROR to NSWS_LOG_DEBUG
/// @param message the line, NUL-terminated UTF-8; copied
/// @return NSWS_OK; NSWS_ERR_PARAMETER: the level is none of these, or the message is NULL or not UTF-8;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_log(level: i32, message: *const c_char) -> i32 {
    call(|| {
        let level = Level::from_number(level)
            .filter(|level| *level != Level::Off)
            .ok_or_else(|| Error::call(Code::Parameter, format!("The log level {level} is unknown.")))?;
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
