//! What codes mean, and the sentence of the last failure on a thread.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use super::arguments::c_text;
use crate::error::{Code, Error, Phase};

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// Returns one English sentence about the last call that failed on this thread. It names the argument and the
/// cause, and never holds a secret.
///
/// @return a string that lives until the next call on this thread that fails; "" if none has failed
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Keeps an error's sentence for [`nsws_last_error`].
pub fn keep_last_error(error: Error) {
    // A thread that is ending can't keep it any more.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = c_text(error.message));
}

/// Returns the name of a code, such as "NSWS_ERR_URL".
///
/// @param code one of NSWS_ERR_* or NSWS_DETAIL_*
/// @return a string that lives as long as the library; "NSWS_ERR_UNKNOWN" for any other number
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_error_name(code: i32) -> *const c_char {
    Code::from_number(code).map_or(c"NSWS_ERR_UNKNOWN", Code::name).as_ptr()
}

/// Returns what a code means, as one English sentence.
///
/// @param code one of NSWS_ERR_* or NSWS_DETAIL_*
/// @return a string that lives as long as the library; "Unknown code." for any other number
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_error_message(code: i32) -> *const c_char {
    Code::from_number(code).map_or(c"Unknown code.", Code::message).as_ptr()
}

/// Returns the name of a phase, such as "tls".
///
/// @param phase one of NSWS_PHASE_*
/// @return a string that lives as long as the library; "unknown" for any other number
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_phase_name(phase: i32) -> *const c_char {
    Phase::ALL.iter().find(|known| **known as i32 == phase).map_or(c"unknown", |known| known.name()).as_ptr()
}
