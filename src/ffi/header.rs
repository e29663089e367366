//! HTTP headers, as programs give and get them.

use std::ffi::{c_char, CString};

use super::arguments::{c_text, text};
use crate::error::{Code, Error, Result};

/// An HTTP header. This struct never grows.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_header {
    /// The name, NUL-terminated.
    pub name: *const c_char,
    /// The value, NUL-terminated; never NULL in an event.
    pub value: *const c_char,
}

pub(super) fn with_headers<R>(headers: &[(String, Vec<u8>)], call: impl FnOnce(&[nsws_header]) -> R) -> R {
    let pairs: Vec<(CString, CString)> =
        headers.iter().map(|(name, value)| (c_text(name.as_bytes()), c_text(value.as_slice()))).collect();
    let headers: Vec<nsws_header> = pairs
        .iter()
        .map(|(name, value)| nsws_header { name: name.as_ptr(), value: value.as_ptr() })
        .collect();
    call(&headers)
}

/// The caller's headers, names and values.
///
/// # Safety
/// `headers` is NULL or points to `count` headers, whose members are NULL or NUL-terminated.
pub unsafe fn read_headers(headers: *const nsws_header, count: usize) -> Result<Vec<(String, String)>> {
    if headers.is_null() && count > 0 {
        return Err(Error::call(Code::Parameter, "headers is NULL, but header_count is not 0."));
    }
    let mut pairs = Vec::new();
    for index in 0..count {
        // SAFETY: the caller promises `count` headers.
        let header = unsafe { *headers.add(index) };
        // SAFETY: each is NULL or NUL-terminated.
        let pair =
            unsafe { (text(header.name, "A header's name")?, text(header.value, "A header's value")?) };
        match pair {
            (Some(name), Some(value)) => pairs.push((name.to_owned(), value.to_owned())),
            _ => return Err(Error::call(Code::Parameter, "A header's name or value is NULL.")),
        }
    }
    Ok(pairs)
}
