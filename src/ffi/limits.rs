//! What the options of clients and servers have in common: the members that become [`Limits`].

/// The [`Limits`](crate::connection::Limits) of either struct of options, which name these members alike. A macro, since C has no
/// struct that both could hold.
macro_rules! read_limits {
    ($given:expr) => {
        $crate::connection::Limits {
            max_receive_size: $given.max_receive_size,
            max_send_size: $given.max_send_size,
            send_queue_size: $given.send_queue_size,
            close_timeout: ms($given.close_timeout_ms),
            heartbeat: $crate::connection::Heartbeat::new(
                ms($given.ping_interval_ms),
                ($given.pong_timeout_ms != NSWS_PONG_TIMEOUT_DEFAULT).then(|| ms($given.pong_timeout_ms)),
            )?,
            message_timeout: in_time($given.message_timeout_ms),
            compression: $crate::frame::extension::CompressionOptions {
                enabled: flag($given.compression, "compression")?,
                level: $given.compression_level,
                threshold: $given.compression_threshold,
                client_max_window_bits: $given.client_max_window_bits,
                server_max_window_bits: $given.server_max_window_bits,
                client_no_context_takeover: flag(
                    $given.client_no_context_takeover,
                    "client_no_context_takeover",
                )?,
                server_no_context_takeover: flag(
                    $given.server_no_context_takeover,
                    "server_no_context_takeover",
                )?,
                memory: $given.compression_memory,
            },
            receive_parts: flag($given.receive_parts, "receive_parts")?,
        }
    };
}
pub(super) use read_limits;
