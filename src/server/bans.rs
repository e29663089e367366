//! Bans, as the program lists and lifts them. `admission` makes them, and they end with the listening socket.

use std::time::Instant;

use super::event::Ban;
use super::Server;
use crate::error::{Code, Error, Result};

impl Server {
    /// The bans that hold now.
    pub fn bans(&self) -> Result<Vec<Ban>> {
        Ok(self.listening()?.admission.bans(Instant::now()))
    }

    /// Lifts the bans of an address, or of a network as the list has it.
    pub fn unban(&self, whom: &str) -> Result<()> {
        let lifted = self.listening()?.admission.lift_ban(whom);
        lifted.ok_or_else(|| {
            Error::call(Code::Parameter, "ip is neither an IP address nor a network as bans are listed.")
        })
    }
}
