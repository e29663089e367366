//! What a client may be told of its link.

use super::call;
use super::client::{all, client};
use super::handle::nsws_client;
use super::options::ms;
use crate::error::{Code, Error, Result};

/// Asks the server for a sign of life: sends a ping at once, and if nothing arrives within the time, the connection is
/// lost: `error` with `NSWS_DETAIL_HEARTBEAT_LOST`, then `close`. For a device that has been asleep or has changed its
/// network. Any byte counts as an answer. While this side does not read, because it is paused or a listener is slow, no
/// time runs, and the check begins anew afterwards. It needs no heartbeat, and changes none.
///
/// @param client the client
/// @param timeout_ms how long the answer may take, in milliseconds. Of two checks at once, the one that ends first
///        counts.
/// @return 0; 401 when `timeout_ms` is 0; `NSWS_ERR_NOT_CONNECTED` unless it is open; `NSWS_ERR_BAD_HANDLE`
/// Any thread; never blocks on the network.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_client_check(client: nsws_client, timeout_ms: u32) -> i32 {
    call(|| self::client(client)?.check(ms(timeout_ms)))
}

/// Tells the library that the network is another one, as the platform reports it: each open client is checked, as by
/// nsws_client_check(), and each that waits to connect again tries at once. The attempts of the others go on.
///
/// @param timeout_ms how long the servers' answers may take, in milliseconds
/// @return 0; 401 when `timeout_ms` is 0
/// Any thread; never blocks on the network.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_network_changed(timeout_ms: u32) -> i32 {
    call(|| {
        check_time(timeout_ms)?;
        all().iter().for_each(|client| client.network_changed(ms(timeout_ms)));
        Ok(())
    })
}

fn check_time(timeout_ms: u32) -> Result<()> {
    match timeout_ms {
        0 => Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed.")),
        _ => Ok(()),
    }
}
