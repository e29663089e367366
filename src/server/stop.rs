//! How a server stops: at once, or when its connections have closed.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::live::{end_listening, Stage};
use super::{Accepted, Server};
use crate::error::{Code, Error, Result};
use crate::{callback, platform};

impl Server {
    /// Stops listening at once, and closes every connection.
    pub fn stop(&self) -> Result<()> {
        for accepted in self.stop_listening()? {
            accepted.go_away();
        }
        Ok(())
    }

    /// Stops, and waits until the listeners have heard of every connection's end. Those that are left when the time is over are
    /// cut.
    pub fn stop_gracefully(&self, timeout: Duration) -> Result<()> {
        if timeout.is_zero() {
            return Err(Error::call(Code::Parameter, "A timeout of 0 is not allowed."));
        }
        if callback::in_callback() {
            return Err(Error::code(Code::WouldDeadlock));
        }
        let left = self.stop_listening()?;
        let until = Instant::now() + timeout;
        for accepted in &left {
            accepted.go_away_by(until);
        }
        let mut state = self.state.lock();
        let mut waits_for = left.as_slice();
        while let Some((accepted, others)) = waits_for.split_last() {
            if !state.connections.contains_key(&accepted.number) {
                waits_for = others;
            } else if self.parted.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        // Those that were cut may be gone before this thread wakes.
        let late = left.iter().filter(|accepted| {
            state.connections.contains_key(&accepted.number) || accepted.cut.load(Ordering::Relaxed)
        });
        match late.count() {
            0 => Ok(()),
            late => {
                Err(Error::call(Code::Busy, format!("{late} connections did not end in time; they are cut.")))
            }
        }
    }

    /// Stops listening; returns the connections that are left.
    fn stop_listening(&self) -> Result<Vec<Arc<Accepted>>> {
        platform::check_permission()?;
        let mut state = self.state.lock();
        match std::mem::replace(&mut state.stage, Stage::Stopped) {
            Stage::Listening(listening, task) => end_listening(&listening, &task),
            Stage::Stopped => return Err(Error::code(Code::NotListening)),
            Stage::Destroyed => {
                state.stage = Stage::Destroyed;
                return Err(Error::code(Code::BadHandle));
            }
        }
        Ok(state.connections.values().cloned().collect())
    }
}
