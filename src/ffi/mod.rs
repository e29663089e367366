//! The C ABI: checks what comes in, forwards to the safe core, and keeps panics in.
//!
//! The doc comments of the exports become the C header, so they speak to C programmers. What a caller must
//! guarantee for an `unsafe` export stands in its parameters' descriptions.
#![allow(unsafe_code, clippy::missing_safety_doc)]

mod client;
mod codes;
mod event;
mod fork;
mod handle;
#[cfg(target_env = "ohos")]
mod hilog;
mod library;
mod link;
mod link_options;
mod listener;
mod options;
mod parts;
mod platform;
mod runtime_options;
mod server;
mod server_options;
mod threads;

pub use client::*;
pub use codes::*;
pub use event::*;
pub use handle::{nsws_client, nsws_connection, nsws_server};
pub use library::*;
pub use link::*;
pub use options::{
    nsws_connect_options, nsws_connect_options_init, NSWS_PONG_TIMEOUT_DEFAULT, NSWS_PROXY_HTTP,
    NSWS_PROXY_NONE, NSWS_PROXY_SOCKS5, NSWS_PROXY_SYSTEM, NSWS_TLS_1_2, NSWS_TLS_1_3,
};
pub use parts::*;
pub use platform::*;
pub use runtime_options::{nsws_runtime_options, nsws_runtime_options_init};
pub use server::*;
pub use server_options::{nsws_server_options, nsws_server_options_init};

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::error::{Code, Error, Result};

/// Runs the body of an export: refuses forked children, stops panics, and turns an error into its number
/// after keeping its sentence for nsws_last_error().
fn call(body: impl FnOnce() -> Result<()>) -> i32 {
    let result = match fork::in_child() {
        true => Err(Error::code(Code::Forked)),
        false => catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(Error::code(Code::Internal))),
    };
    match result {
        Ok(()) => codes::NSWS_OK,
        Err(error) => {
            let code = error.code as i32;
            library::keep_last_error(error);
            code
        }
    }
}

/// What every object needs before it is created.
fn prepare() {
    fork::remember_process();
    #[cfg(target_env = "ohos")]
    hilog::use_by_default();
}

/// Writes an output, which comes last and only on success.
///
/// # Safety
/// `out` is NULL or points to a writable `T`.
unsafe fn write_out<T>(out: *mut T, value: T) -> Result<()> {
    check_out(out)?;
    // SAFETY: not NULL, and writable as the caller promises.
    unsafe { out.write(value) };
    Ok(())
}

/// Refuses a NULL output before anything is done for it.
fn check_out<T>(out: *mut T) -> Result<()> {
    match out.is_null() {
        true => Err(Error::call(Code::Parameter, "The pointer for the result is NULL.")),
        false => Ok(()),
    }
}
