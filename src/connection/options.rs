//! What a program may ask of a connection, whichever side this is, with the defaults and the rules of the contract.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::frame::extension::CompressionOptions;

/// What an open connection may hold and how long it may take, whichever side this is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest message that is received.
    pub max_receive_size: usize,
    /// The largest message that may be sent.
    pub max_send_size: usize,
    /// How many bytes may wait to be sent.
    pub send_queue_size: usize,
    /// How long closing may take.
    pub close_timeout: Duration,
    /// When to ping.
    pub heartbeat: Heartbeat,
    /// How long a message under way may pause; `None`: for ever.
    pub message_timeout: Option<Duration>,
    /// Whether and how to compress.
    pub compression: CompressionOptions,
    /// Hand on messages in parts, as they arrive.
    pub receive_parts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_receive_size: 16 << 20,
            max_send_size: 5 << 20,
            send_queue_size: 16 << 20,
            close_timeout: Duration::from_secs(5),
            message_timeout: Some(Duration::from_secs(60)),
            compression: CompressionOptions::default(),
            receive_parts: false,
            heartbeat: Heartbeat {
                interval: Some(DEFAULT_PING_INTERVAL),
                timeout: Some(DEFAULT_PONG_TIMEOUT),
            },
        }
    }
}

impl Limits {
    /// Checks the rules.
    pub fn check(&self) -> Result<()> {
        if self.close_timeout.is_zero() {
            return Err(parameter("A timeout of 0 is not allowed."));
        }
        if self.max_receive_size == 0 {
            return Err(parameter("A receive limit of 0 is not allowed."));
        }
        self.compression.check()
    }
}

/// How often a ping is sent, unless the program says otherwise.
pub const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the peer may be silent after a ping before it counts as lost, unless the program says otherwise.
const DEFAULT_PONG_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_PING_INTERVAL: Duration = Duration::from_millis(30_000_000);

/// When to ping, and when a silent peer counts as lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// `None`: no heartbeat.
    pub interval: Option<Duration>,
    /// `None`: the peer may be silent for ever.
    pub timeout: Option<Duration>,
}

impl Heartbeat {
    /// The heartbeat that a program asks for. An interval of zero is none; a timeout of zero is for ever, `None`
    /// the default, which alone may be longer than the interval.
    pub fn new(interval: Duration, timeout: Option<Duration>) -> Result<Heartbeat> {
        if interval > LONGEST_PING_INTERVAL {
            return Err(parameter("The ping interval is longer than 30000000 ms."));
        }
        if interval.is_zero() {
            return Ok(Heartbeat::default());
        }
        if timeout.is_some_and(|timeout| timeout > interval) {
            return Err(parameter("The pong timeout is longer than the ping interval."));
        }
        let timeout = timeout.unwrap_or(DEFAULT_PONG_TIMEOUT);
        Ok(Heartbeat { interval: Some(interval), timeout: (!timeout.is_zero()).then_some(timeout) })
    }
}

fn parameter(message: impl Into<String>) -> Error {
    Error::call(Code::Parameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pong_timeout_is_bounded_by_the_interval() {
        let heartbeat = |ping, pong: Option<u64>| {
            Heartbeat::new(Duration::from_millis(ping), pong.map(Duration::from_millis))
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        let beat = |interval, timeout| Heartbeat { interval, timeout };
        assert_eq!(heartbeat(30_000, None).unwrap(), beat(ms(30_000), ms(30_000)));
        assert_eq!(heartbeat(30_000, None).unwrap(), Limits::default().heartbeat);
        assert_eq!(heartbeat(5_000, None).unwrap(), beat(ms(5_000), ms(30_000)));
        assert_eq!(heartbeat(90_000, None).unwrap(), beat(ms(90_000), ms(30_000)));
        assert_eq!(heartbeat(5_000, Some(0)).unwrap(), beat(ms(5_000), None));
        assert_eq!(heartbeat(0, Some(99)).unwrap(), beat(None, None));
        assert!(heartbeat(5_000, Some(5_001)).is_err());
        assert!(heartbeat(30_000_001, None).is_err());
        heartbeat(30_000_000, None).unwrap();
    }
}
