//! The C ABI: checks what comes in, forwards to the safe core, and keeps panics in. `tests/symbols.txt` lists the exports.
//!
//! The doc comments of what is exported become the C header, so they are written for C programmers. What a caller must guarantee
//! for an `unsafe` export stands in the descriptions of its parameters. The header has the order of the files in the table in
//! `tests/header/order.rs`, and within a file that of its items.
#![allow(unsafe_code, clippy::missing_safety_doc)]

mod arguments;
mod client;
mod client_certificates;
mod client_events;
mod client_link;
mod client_listeners;
mod client_stats;
mod codes;
mod connect_options;
mod connection;
mod errors;
mod fork;
mod handle;
mod header;
#[cfg(target_env = "ohos")]
mod hilog;
mod library;
mod limits;
mod listener;
mod log;
mod platform;
mod runtime_options;
mod server;
mod server_admin;
mod server_events;
mod server_groups;
mod server_http;
mod server_listeners;
mod server_options;
mod table;
mod threads;
mod version;

pub use client::*;
pub use client_certificates::*;
pub use client_events::*;
pub use client_link::*;
pub use client_listeners::*;
pub use client_stats::*;
pub use codes::*;
pub use connect_options::{
    nsws_connect_options, nsws_connect_options_init, NSWS_PONG_TIMEOUT_DEFAULT, NSWS_PROXY_HTTP,
    NSWS_PROXY_NONE, NSWS_PROXY_SOCKS5, NSWS_PROXY_SYSTEM, NSWS_TLS_1_2, NSWS_TLS_1_3,
};
pub use connection::*;
pub use errors::{nsws_error_message, nsws_error_name, nsws_last_error, nsws_phase_name};
pub use handle::{nsws_client, nsws_connection, nsws_server};
pub use header::nsws_header;
pub use library::*;
pub use listener::nsws_free_fn;
pub use log::{
    nsws_log, nsws_log_fn, nsws_set_log_callback, NSWS_LOG_DEBUG, NSWS_LOG_ERROR, NSWS_LOG_INFO,
    NSWS_LOG_OFF, NSWS_LOG_WARN,
};
pub use platform::*;
pub use runtime_options::{nsws_runtime_options, nsws_runtime_options_init};
pub use server::*;
pub use server_admin::*;
pub use server_events::*;
pub use server_groups::*;
pub use server_http::{
    nsws_http_answer, nsws_http_answer_set, nsws_http_fn, nsws_http_request, nsws_server_set_http_hook,
};
pub use server_listeners::*;
pub use server_options::{nsws_server_options, nsws_server_options_init};
pub use version::*;

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::error::{Code, Error, Result};

/// Runs the body of an export: refuses forked children, stops panics, and turns an error into its number
/// after keeping its sentence for nsws_last_error().
fn call(body: impl FnOnce() -> Result<()>) -> i32 {
    if fork::in_child() {
        return failed(Error::code(Code::Forked));
    }
    let checked = AssertUnwindSafe(|| body().map_or_else(failed, |()| codes::NSWS_OK));
    catch_unwind(checked).unwrap_or_else(|_| failed(Error::code(Code::Internal)))
}

/// Keeps the error for its thread; its code.
#[cold]
fn failed(error: Error) -> i32 {
    let code = error.code as i32;
    errors::keep_last_error(error);
    code
}

/// Prepares the process for its first object.
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

/// Refuses a list for results that is NULL, unless its capacity is 0.
fn check_list<T>(list: *mut T, capacity: usize) -> Result<()> {
    match list.is_null() && capacity > 0 {
        true => Err(Error::call(Code::Parameter, "list is NULL, but its capacity is not 0.")),
        false => Ok(()),
    }
}

/// Refuses a NULL output before anything is done for it.
fn check_out<T>(out: *mut T) -> Result<()> {
    match out.is_null() {
        true => Err(Error::call(Code::Parameter, "The pointer for the result is NULL.")),
        false => Ok(()),
    }
}
