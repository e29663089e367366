//! What programs pass and get: text, bytes, flags, times, and structs of any version.

use std::ffi::{c_char, c_void, CStr, CString};
use std::mem::size_of;
use std::time::Duration;

use crate::error::{Code, Error, Result};

/// Structs larger than this are refused: no version of them ever was.
const LARGEST_STRUCT: usize = 4096;

/// Writes a struct, as far as the caller's version of it goes.
///
/// # Safety
/// `options` is NULL or points to `struct_size` writable bytes.
pub unsafe fn write_defaults<T: Copy>(options: *mut T, struct_size: usize, mut defaults: T) -> Result<()> {
    if options.is_null() {
        return Err(Error::call(Code::Parameter, "The struct is NULL."));
    }
    if !(size_of::<usize>()..=LARGEST_STRUCT).contains(&struct_size) {
        return Err(Error::call(Code::Parameter, format!("struct_size {struct_size} is out of range.")));
    }
    let known = struct_size.min(size_of::<T>());
    // SAFETY: both structs are `repr(C)` and begin with `struct_size`, a usize.
    unsafe { (&raw mut defaults).cast::<usize>().write(struct_size) };
    let options = options.cast::<u8>();
    // SAFETY: the caller owns `struct_size` bytes, of which the first `known` come from `defaults` and the
    // rest, members that this version doesn't know, become 0.
    unsafe {
        options.copy_from_nonoverlapping((&raw const defaults).cast::<u8>(), known);
        options.add(known).write_bytes(0, struct_size - known);
    }
    Ok(())
}

/// Reads a caller's struct of any version: what it lacks has its default, what this version doesn't know
/// must be 0.
///
/// # Safety
/// `options` is not NULL and points to as many readable bytes as its first member, a `size_t`, says.
pub unsafe fn read_struct<T: Copy>(options: *const T, mut defaults: T) -> Result<T> {
    // SAFETY: the struct begins with `struct_size`.
    let struct_size = unsafe { options.cast::<usize>().read_unaligned() };
    if !(size_of::<usize>()..=LARGEST_STRUCT).contains(&struct_size) {
        return Err(Error::call(
            Code::Parameter,
            format!(
                "struct_size {struct_size} is out of range: was the struct prepared by its _init function?"
            ),
        ));
    }
    let known = struct_size.min(size_of::<T>());
    let bytes = options.cast::<u8>();
    // SAFETY: the caller's struct has `struct_size` bytes.
    let tail = unsafe { std::slice::from_raw_parts(bytes.add(known), struct_size - known) };
    if tail.iter().any(|byte| *byte != 0) {
        return Err(Error::call(Code::Parameter, "The struct sets members that this version doesn't know."));
    }
    // SAFETY: `known` is no larger than either side; `T` is plain data, valid for any bytes.
    unsafe { (&raw mut defaults).cast::<u8>().copy_from_nonoverlapping(bytes, known) };
    Ok(defaults)
}

/// NUL-terminated UTF-8 from the caller; NULL is `None`.
///
/// # Safety
/// `text` is NULL or NUL-terminated, and outlives `'a`.
pub unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises it.
    let bytes = unsafe { CStr::from_ptr(text) };
    bytes.to_str().map(Some).map_err(|_| Error::call(Code::Parameter, format!("{name} is not UTF-8.")))
}

/// [`text`] that is checked elsewhere: U+FFFD stands for what is not UTF-8.
///
/// # Safety
/// `text` is NULL or NUL-terminated.
pub unsafe fn text_lossy(text: *const c_char) -> Option<String> {
    // SAFETY: as promised to this function.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Text for a C program, which would take a NUL for its end.
pub fn c_text(text: impl Into<Vec<u8>>) -> CString {
    let mut text = text.into();
    text.retain(|byte| *byte != 0);
    CString::new(text).unwrap_or_default()
}

/// Bytes from the caller: NULL is empty when `length` is 0.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that outlive `'a`.
#[inline]
pub unsafe fn bytes<'a>(data: *const u8, length: usize) -> Result<&'a [u8]> {
    match (data.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Error::call(Code::Parameter, "data is NULL, but its length is not 0.")),
        (false, length) if length > isize::MAX as usize => {
            Err(Error::call(Code::Parameter, format!("A length of {length} bytes is impossible.")))
        }
        // SAFETY: the caller promises it.
        (false, length) => Ok(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

/// Text that a program sends.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    crate::frame::utf8::text(bytes).ok_or_else(|| Error::call(Code::Parameter, "The text is not UTF-8."))
}

/// A flag is 0 or 1; anything else is a struct that was not prepared.
pub fn flag(value: u8, name: &str) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::call(Code::Parameter, format!("{name} is {other}, neither 0 nor 1."))),
    }
}

pub fn ms(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

pub fn in_ms(duration: Duration) -> u32 {
    duration.as_millis() as u32
}

/// A time of which 0 means none.
pub fn in_time(value: u32) -> Option<Duration> {
    (value > 0).then(|| ms(value))
}

/// A part as the caller gives it.
///
/// # Safety
/// `data` is NULL or points to `length` readable bytes that outlive `'a`.
pub unsafe fn part<'a>(
    data: *const c_void,
    length: usize,
    is_text: u8,
    is_last: u8,
) -> Result<(&'a [u8], bool, bool)> {
    // SAFETY: as promised to this function.
    let data = unsafe { bytes(data.cast(), length) }?;
    Ok((data, flag(is_text, "is_text")?, flag(is_last, "is_last")?))
}
