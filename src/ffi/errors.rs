//! What codes mean, and the sentence of the last failure on a thread.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use crate::error::{Code, Error, Phase};

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
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
