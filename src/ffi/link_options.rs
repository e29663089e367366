//! What of the connect options is about the way to the server.

use std::net::IpAddr;

use super::options::{in_time, nsws_connect_options, text};
use crate::client::{Known, LinkOptions};
use crate::error::{Code, Error, Result};

/// # Safety
/// Each text is NULL or NUL-terminated.
pub unsafe fn read_link_options(given: &nsws_connect_options) -> Result<LinkOptions> {
    // SAFETY: as promised to this function.
    let (address, interface, resolve) = unsafe {
        (
            text(given.bind_address, "bind_address")?,
            text(given.bind_interface, "bind_interface")?,
            text(given.resolve, "resolve")?,
        )
    };
    let address = address.filter(|address| !address.is_empty()).map(str::parse::<IpAddr>);
    let bind_address = address
        .transpose()
        .map_err(|_| Error::call(Code::Parameter, "bind_address is not an IPv4 or IPv6 address."))?;
    Ok(LinkOptions {
        bind_address,
        bind_interface: interface.filter(|name| !name.is_empty()).map(str::to_owned),
        resolve: Known::parse_list(resolve.unwrap_or_default())?,
        keepalive: in_time(given.tcp_keepalive_ms),
        user_timeout: in_time(given.tcp_user_timeout_ms),
        receive_buffer_size: given.receive_buffer_size,
        send_buffer_size: given.send_buffer_size,
    })
}
