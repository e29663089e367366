//! OpenHarmony's log, hilog, which receives the library's lines unless the program sets a receiver. It is loaded at
//! run time, so that the library needs nothing but libc.

use std::ffi::{c_char, c_int, c_uint, c_void, CStr, CString};
use std::mem::transmute;
use std::sync::Once;

use crate::log::{self, Level, Sink};

const TAG: &CStr = c"netstack_websocket";
/// What isn't marked public is printed as "<private>".
const FORMAT: &CStr = c"%{public}s";
/// The only type, and the domain, of programs that have none of their own.
const LOG_APP: c_uint = 0;
const DOMAIN: c_uint = 0;

type Print = unsafe extern "C" fn(c_uint, c_uint, c_uint, *const c_char, *const c_char, ...) -> c_int;

/// Sends the log to hilog if there is one and the program has set no receiver.
pub fn use_by_default() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Some(sink) = sink() {
            log::set_default_sink(Level::Info, sink);
        }
    });
}

fn sink() -> Option<Sink> {
    // SAFETY: both names end with NUL; the handle is never closed, so the function stays. That it has this type is
    // what the system's header says.
    let print = unsafe {
        let library = libc::dlopen(c"libhilog_ndk.z.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        if library.is_null() {
            return None;
        }
        let function = libc::dlsym(library, c"OH_LOG_Print".as_ptr());
        if function.is_null() {
            return None;
        }
        transmute::<*mut c_void, Print>(function)
    };
    Some(Box::new(move |level, line| {
        let line = CString::new(line.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the format has one argument, a string that ends with NUL; hilog copies it.
        unsafe { print(LOG_APP, number(level), DOMAIN, TAG.as_ptr(), FORMAT.as_ptr(), line.as_ptr()) };
    }))
}

fn number(level: Level) -> c_uint {
    match level {
        Level::Off | Level::Debug => 3,
        Level::Info => 4,
        Level::Warn => 5,
        Level::Error => 6,
    }
}
