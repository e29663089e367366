//! The version of the library and of its binary interface.

use std::ffi::c_char;

/// The version of the binary interface that this header describes. It changes when programs must be rebuilt.
pub const NSWS_ABI_VERSION: u32 = 1;
/// The major version of this header. nsws_version() returns the version of the library.
/// @since 0.2
pub const NSWS_VERSION_MAJOR: u32 = 0;
/// The minor version of this header.
/// @since 0.2
pub const NSWS_VERSION_MINOR: u32 = 2;
/// The patch version of this header.
/// @since 0.2
pub const NSWS_VERSION_PATCH: u32 = 0;

/// Returns the version of the library, "major.minor.patch".
///
/// @return a string that lives as long as the library; never NULL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Returns the NSWS_ABI_VERSION of the library. A program may compare it with the number that it was compiled
/// with.
///
/// @return the number
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub extern "C" fn nsws_abi_version() -> u32 {
    NSWS_ABI_VERSION
}
