//! Frames (RFC 6455 5): their headers, masks, text and compression (RFC 7692).

#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "no_deflate.rs"]
pub mod deflate;
pub mod extension;
pub(crate) mod mask;
pub(crate) mod read;
pub(crate) mod utf8;
pub(crate) mod write;

/// The largest payload of a control frame (RFC 6455 5.5).
pub(crate) const LARGEST_CONTROL: usize = 125;
/// The longest header: two bytes, a length of eight, a mask.
pub(crate) const LARGEST_HEADER: usize = 14;

/// The bit that marks a compressed message (RFC 7692 6).
pub(crate) const RSV1: u8 = 0x40;
