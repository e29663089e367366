//! Checking the links of clients: one of them, or all when the network has changed.

use super::arguments::ms;
use super::call;
use super::client::{all, client};
use super::handle::nsws_client;
use crate::error::{Code, Error};

/// Asks the server for a sign of life: sends a ping at once. If nothing arrives within the time, the connection is
/// lost: `error` with NSWS_DETAIL_HEARTBEAT_LOST, then `close`. It is for a device that was asleep or has changed
/// its network. Any byte counts as an answer. While this side does not read, because it is paused or a listener is
/// slow, the time does not run, and the check starts again afterwards. It needs no heartbeat, and doesn't change
/// it.
///
/// @param client the client
/// @param timeout_ms how long the answer may take, in milliseconds, at least 1; of two checks at once, the earlier
///         deadline counts
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `timeout_ms` is 0; NSWS_ERR_NOT_CONNECTED: the client is not open;
///         NSWS_ERR_BAD_HANDLE; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_client_check(client: nsws_client, timeout_ms: u32) -> i32 {
    call(|| self::client(client)?.check(ms(timeout_ms)))
}

/// Tells the library that the platform has reported a change of the network. Each open client is checked, as by
/// nsws_client_check(); each client that waits to reconnect tries at once. Attempts that are under way go on.
///
/// @param timeout_ms how long the servers' answers may take, in milliseconds, at least 1
/// @return NSWS_OK; NSWS_ERR_PARAMETER: `timeout_ms` is 0; NSWS_ERR_FORKED; NSWS_ERR_INTERNAL
/// @note Any thread.
/// @since 0.2
#[no_mangle]
pub extern "C" fn nsws_network_changed(timeout_ms: u32) -> i32 {
    call(|| {
        if timeout_ms == 0 {
            return Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed."));
        }
        all().iter().for_each(|client| client.network_changed(ms(timeout_ms)));
        Ok(())
    })
}
