//! Which thread is inside a callback, and what callbacks are called for.

use std::cell::Cell;

thread_local! {
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// While this lives, the thread counts as being inside a callback.
#[derive(Debug)]
pub struct InCallback(());

/// Marks the thread as being inside a callback. The library's own threads are so all their life, since what
/// calls the library there is a callback; other threads while they run a `free_fn` or write a log line.
pub fn enter_callback() -> InCallback {
    let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() + 1));
    InCallback(())
}

impl Drop for InCallback {
    fn drop(&mut self) {
        let _ = CALLBACKS.try_with(|depth| depth.set(depth.get() - 1));
    }
}

/// Whether this thread is inside a callback, where nothing may wait.
pub fn in_callback() -> bool {
    CALLBACKS.try_with(|depth| depth.get() > 0).unwrap_or(true)
}

/// What callbacks are called for: an event, or a question to a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Occasion {
    Accept = 1,
    Close,
    Connect,
    DataEnd,
    Drain,
    Error,
    HeaderReceive,
    Http,
    Message,
    MessagePart,
    Open,
    Reconnecting,
}

impl Occasion {
    const ALL: [Occasion; 12] = [
        Occasion::Accept,
        Occasion::Close,
        Occasion::Connect,
        Occasion::DataEnd,
        Occasion::Drain,
        Occasion::Error,
        Occasion::HeaderReceive,
        Occasion::Http,
        Occasion::Message,
        Occasion::MessagePart,
        Occasion::Open,
        Occasion::Reconnecting,
    ];

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Occasion> {
        Self::ALL.into_iter().find(|occasion| *occasion as u8 == number)
    }

    /// Its name, for the log.
    pub fn name(self) -> &'static str {
        match self {
            Occasion::Accept => "accept",
            Occasion::Close => "close",
            Occasion::Connect => "connect",
            Occasion::DataEnd => "data_end",
            Occasion::Drain => "drain",
            Occasion::Error => "error",
            Occasion::HeaderReceive => "header_receive",
            Occasion::Http => "http",
            Occasion::Message => "message",
            Occasion::MessagePart => "message_part",
            Occasion::Open => "open",
            Occasion::Reconnecting => "reconnecting",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_occasion_has_its_number() {
        let known = (0..=u8::MAX).filter_map(Occasion::from_number);
        assert!(known.eq(Occasion::ALL));
    }
}
