//! The handles of the C ABI: values that name an object of the core.

/// A client. A value that may be copied; an `id` of 0 is never valid.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct nsws_client {
    /// Opaque. Below 2^53, so that JavaScript can hold it as a number.
    pub id: u64,
}

/// A server. A value that may be copied; an `id` of 0 is never valid.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct nsws_server {
    /// Opaque. Below 2^53.
    pub id: u64,
}

/// A connection that a server has accepted. A value that may be copied; an `id` of 0 is never valid. It is
/// stale once the listeners of its `close` have returned.
/// @since 0.1
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct nsws_connection {
    /// Opaque. Below 2^53.
    pub id: u64,
}
