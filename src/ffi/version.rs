//! The version of the library and of its binary interface.

use std::ffi::c_char;

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
