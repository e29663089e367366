//! The options of nsws_runtime_configure().

use std::mem::size_of;

use super::arguments::{read_struct, write_defaults};
use super::call;
use crate::error::Result;
use crate::runtime::Config;

/// The options of nsws_runtime_configure(). Prepare them with nsws_runtime_options_init(), then set what
/// differs from the defaults.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct nsws_runtime_options {
    /// The size of this struct; nsws_runtime_options_init() sets it.
    pub struct_size: usize,
    /// The stack of the threads that run callbacks, in bytes. Default 1 MiB; from 128 KiB to 1 GiB, else
    /// NSWS_ERR_PARAMETER.
    pub thread_stack_size: usize,
    /// How many threads may run callbacks at the same time. Default 1024; at least one more than `io_threads`,
    /// else NSWS_ERR_PARAMETER. A callback that blocks occupies a thread; when all are occupied, further
    /// callbacks wait.
    pub max_threads: u32,
    /// How many I/O loops there are, each with a thread of its own. Clients and servers are spread over them, so
    /// that a program with several busy objects uses several processors. Default 1; 0, or more than there are
    /// processors: NSWS_ERR_PARAMETER.
    /// @since 0.2
    pub io_threads: usize,
}

/// Writes the defaults into `options`.
///
/// @param options the struct to prepare
/// @param struct_size `sizeof *options`, in bytes
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `options` is NULL, or the size is below that of a size_t or above 4096;
///         NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn nsws_runtime_options_init(
    options: *mut nsws_runtime_options,
    struct_size: usize,
) -> i32 {
    // SAFETY: as promised to this function.
    call(|| unsafe { write_defaults(options, struct_size, runtime_defaults()) })
}

fn runtime_defaults() -> nsws_runtime_options {
    let defaults = Config::default();
    nsws_runtime_options {
        struct_size: size_of::<nsws_runtime_options>(),
        thread_stack_size: defaults.thread_stack_size,
        max_threads: defaults.max_threads,
        io_threads: defaults.io_threads,
    }
}

/// The caller's runtime options, or the defaults for NULL.
///
/// # Safety
/// `options` is NULL or as [`read_struct`] demands.
pub unsafe fn read_runtime_options(options: *const nsws_runtime_options) -> Result<Config> {
    if options.is_null() {
        return Ok(Config::default());
    }
    // SAFETY: as promised to this function.
    let given = unsafe { read_struct(options, runtime_defaults()) }?;
    Ok(Config {
        thread_stack_size: given.thread_stack_size,
        max_threads: given.max_threads,
        io_threads: given.io_threads,
    })
}
