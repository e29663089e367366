//! One message for many: for every client, or for the members of a group.

use super::groups;
use super::live::{Server, Stage};
use crate::connection::{Broadcast, Payload};
use crate::error::Result;
use crate::platform;
use crate::runtime::own_work;

impl Server {
    /// Sends a message to every client; how many connections accepted it. Those whose queue is full don't get it.
    pub(crate) fn broadcast(&self, payload: Payload<'_>) -> Result<usize> {
        self.encode_once(payload, |message| {
            let all = self.all();
            let known = all.iter().filter(|accepted| accepted.is_known());
            // One that refuses is closing, or does not read.
            known.filter(|accepted| accepted.send_permitted(message).is_ok()).count()
        })
    }

    /// Sends a message to the members of a group; as [`Server::broadcast`].
    pub(crate) fn broadcast_group(&self, group: &str, payload: Payload<'_>) -> Result<usize> {
        groups::check(group)?;
        self.encode_once(payload, |message| {
            let members = self.groups.members(group).unwrap_or_default();
            members.values().filter(|member| member.send_permitted(message).is_ok()).count()
        })
    }

    /// Encodes a message for many connections, to which `send` sends it.
    fn encode_once<T>(&self, payload: Payload<'_>, send: impl FnOnce(Payload<'_>) -> T) -> Result<T> {
        // The limit is that of the connections that are open, whether there are any or not.
        let largest = match &self.state.lock().stage {
            Stage::Listening(listening, _) => listening.limits.max_send_size,
            Stage::Stopped | Stage::Destroyed => usize::MAX,
        };
        payload.check(largest)?;
        platform::check_permission()?;
        let message = Broadcast::new(payload)?;
        // One at a time, so that all clients get the broadcasts of several threads in the same order.
        let _turn = self.broadcasting.lock();
        Ok(own_work(|| send(Payload::Shared(&message))))
    }
}
