/* The layout of the header's structs, pinned. They may grow at their end only, so an existing line here never
 * changes; what is added gets a line of its own, and SIZE moves.
 */

#include <netstack_websocket.h>

struct aligned_u64 {
    char byte;
    uint64_t value;
};

enum {
    WIDE = sizeof(void *) == 8,
    U64 = offsetof(struct aligned_u64, value) /* 4 on 32-bit x86, else 8 */
};

#define SIZE(type, on_64, on_32) \
    _Static_assert(sizeof(type) == (WIDE ? (on_64) : (on_32)), "size of " #type)
#define AT(type, member, on_64, on_32) \
    _Static_assert(offsetof(type, member) == (WIDE ? (on_64) : (on_32)), "offset of " #type "." #member)

SIZE(nsws_client, 8, 8);
AT(nsws_client, id, 0, 0);

SIZE(nsws_server, 8, 8);
AT(nsws_server, id, 0, 0);

SIZE(nsws_connection, 8, 8);
AT(nsws_connection, id, 0, 0);

SIZE(nsws_header, 16, 8);
AT(nsws_header, name, 0, 0);
AT(nsws_header, value, 8, 4);

SIZE(nsws_connect_options, 272, 164);
AT(nsws_connect_options, struct_size, 0, 0);
AT(nsws_connect_options, headers, 8, 4);
AT(nsws_connect_options, header_count, 16, 8);
AT(nsws_connect_options, protocol, 24, 12);
AT(nsws_connect_options, ca_path, 32, 16);
AT(nsws_connect_options, client_cert_path, 40, 20);
AT(nsws_connect_options, client_key_path, 48, 24);
AT(nsws_connect_options, client_key_password, 56, 28);
AT(nsws_connect_options, pinned_public_keys, 64, 32);
AT(nsws_connect_options, proxy_host, 72, 36);
AT(nsws_connect_options, proxy_username, 80, 40);
AT(nsws_connect_options, proxy_password, 88, 44);
AT(nsws_connect_options, proxy_exclusion_list, 96, 48);
AT(nsws_connect_options, max_receive_size, 104, 52);
AT(nsws_connect_options, max_send_size, 112, 56);
AT(nsws_connect_options, send_queue_size, 120, 60);
AT(nsws_connect_options, ping_interval_ms, 128, 64);
AT(nsws_connect_options, pong_timeout_ms, 132, 68);
AT(nsws_connect_options, connect_timeout_ms, 136, 72);
AT(nsws_connect_options, close_timeout_ms, 140, 76);
AT(nsws_connect_options, reconnect_max_attempts, 144, 80);
AT(nsws_connect_options, reconnect_min_delay_ms, 148, 84);
AT(nsws_connect_options, reconnect_max_delay_ms, 152, 88);
AT(nsws_connect_options, proxy_port, 156, 92);
AT(nsws_connect_options, min_tls_version, 160, 96);
AT(nsws_connect_options, skip_server_cert_verification, 161, 97);
AT(nsws_connect_options, support_origin_port, 162, 98);
AT(nsws_connect_options, proxy_mode, 163, 99);
AT(nsws_connect_options, origin, 168, 100);
AT(nsws_connect_options, max_url_length, 176, 104);
AT(nsws_connect_options, compression_threshold, 184, 108);
AT(nsws_connect_options, compression_memory, 192, 112);
AT(nsws_connect_options, message_timeout_ms, 200, 116);
AT(nsws_connect_options, compression, 204, 120);
AT(nsws_connect_options, compression_level, 205, 121);
AT(nsws_connect_options, client_max_window_bits, 206, 122);
AT(nsws_connect_options, server_max_window_bits, 207, 123);
AT(nsws_connect_options, client_no_context_takeover, 208, 124);
AT(nsws_connect_options, server_no_context_takeover, 209, 125);
AT(nsws_connect_options, receive_parts, 210, 126);
AT(nsws_connect_options, max_redirects, 212, 128);
AT(nsws_connect_options, bind_address, 216, 132);
AT(nsws_connect_options, bind_interface, 224, 136);
AT(nsws_connect_options, resolve, 232, 140);
AT(nsws_connect_options, receive_buffer_size, 240, 144);
AT(nsws_connect_options, send_buffer_size, 248, 148);
AT(nsws_connect_options, tcp_keepalive_ms, 256, 152);
AT(nsws_connect_options, tcp_user_timeout_ms, 260, 156);
AT(nsws_connect_options, tls_server_name, 264, 160);

SIZE(nsws_client_stats, 440, U64 + 424 + U64);
AT(nsws_client_stats, struct_size, 0, 0);
AT(nsws_client_stats, messages_sent, 8, U64);
AT(nsws_client_stats, messages_received, 16, U64 + 8);
AT(nsws_client_stats, bytes_sent, 24, U64 + 16);
AT(nsws_client_stats, bytes_received, 32, U64 + 24);
AT(nsws_client_stats, queued_bytes, 40, U64 + 32);
AT(nsws_client_stats, dns_us, 48, U64 + 40);
AT(nsws_client_stats, tcp_us, 56, U64 + 48);
AT(nsws_client_stats, tls_us, 64, U64 + 56);
AT(nsws_client_stats, handshake_us, 72, U64 + 64);
AT(nsws_client_stats, rtt_us, 80, U64 + 72);
AT(nsws_client_stats, tls_resumed, 88, U64 + 80);
AT(nsws_client_stats, wire_bytes_sent, 96, U64 + 80 + U64);
AT(nsws_client_stats, wire_bytes_received, 104, U64 + 88 + U64);
AT(nsws_client_stats, smoothed_rtt_us, 112, U64 + 96 + U64);
AT(nsws_client_stats, proxy_us, 120, U64 + 104 + U64);
AT(nsws_client_stats, first_message_us, 128, U64 + 112 + U64);
AT(nsws_client_stats, reconnects, 136, U64 + 120 + U64);
AT(nsws_client_stats, peer_port, 140, U64 + 124 + U64);
AT(nsws_client_stats, tls_version, 142, U64 + 126 + U64);
AT(nsws_client_stats, tls_cipher, 143, U64 + 127 + U64);
AT(nsws_client_stats, peer_ip, 207, U64 + 191 + U64);
AT(nsws_client_stats, extensions, 271, U64 + 255 + U64);
AT(nsws_client_stats, pings_answered, 432, U64 + 416 + U64);

SIZE(nsws_certificate, 96, 56);
AT(nsws_certificate, struct_size, 0, 0);
AT(nsws_certificate, der, 8, 4);
AT(nsws_certificate, der_length, 16, 8);
AT(nsws_certificate, pem, 24, 12);
AT(nsws_certificate, fingerprint, 32, 16);
AT(nsws_certificate, pin, 40, 20);
AT(nsws_certificate, subject, 48, 24);
AT(nsws_certificate, issuer, 56, 28);
AT(nsws_certificate, names, 64, 32);
AT(nsws_certificate, name_count, 72, 36);
AT(nsws_certificate, not_before_s, 80, 40);
AT(nsws_certificate, not_after_s, 88, 48);

SIZE(nsws_header_receive_event, 32, 16);
AT(nsws_header_receive_event, struct_size, 0, 0);
AT(nsws_header_receive_event, headers, 8, 4);
AT(nsws_header_receive_event, header_count, 16, 8);
AT(nsws_header_receive_event, status, 24, 12);

SIZE(nsws_open_event, 40, 20);
AT(nsws_open_event, struct_size, 0, 0);
AT(nsws_open_event, message, 8, 4);
AT(nsws_open_event, protocol, 16, 8);
AT(nsws_open_event, status, 24, 12);
AT(nsws_open_event, extensions, 32, 16);

SIZE(nsws_message_event, 32, 16);
AT(nsws_message_event, struct_size, 0, 0);
AT(nsws_message_event, data, 8, 4);
AT(nsws_message_event, length, 16, 8);
AT(nsws_message_event, is_text, 24, 12);

SIZE(nsws_message_part_event, 32, 16);
AT(nsws_message_part_event, struct_size, 0, 0);
AT(nsws_message_part_event, data, 8, 4);
AT(nsws_message_part_event, length, 16, 8);
AT(nsws_message_part_event, is_text, 24, 12);
AT(nsws_message_part_event, is_first, 25, 13);
AT(nsws_message_part_event, is_last, 26, 14);

SIZE(nsws_data_end_event, 8, 4);
AT(nsws_data_end_event, struct_size, 0, 0);

SIZE(nsws_close_event, 32, 16);
AT(nsws_close_event, struct_size, 0, 0);
AT(nsws_close_event, reason, 8, 4);
AT(nsws_close_event, reason_length, 16, 8);
AT(nsws_close_event, code, 24, 12);
AT(nsws_close_event, was_clean, 26, 14);

SIZE(nsws_error_event, 80, 48);
AT(nsws_error_event, struct_size, 0, 0);
AT(nsws_error_event, message, 8, 4);
AT(nsws_error_event, code, 16, 8);
AT(nsws_error_event, detail, 20, 12);
AT(nsws_error_event, phase, 24, 16);
AT(nsws_error_event, os_error, 28, 20);
AT(nsws_error_event, http_status, 32, 24);
AT(nsws_error_event, headers, 40, 28);
AT(nsws_error_event, header_count, 48, 32);
AT(nsws_error_event, body, 56, 36);
AT(nsws_error_event, body_length, 64, 40);
AT(nsws_error_event, retry_after_ms, 72, 44);

SIZE(nsws_drain_event, 16, 8);
AT(nsws_drain_event, struct_size, 0, 0);
AT(nsws_drain_event, queued_bytes, 8, 4);

SIZE(nsws_reconnecting_event, 16, 12);
AT(nsws_reconnecting_event, struct_size, 0, 0);
AT(nsws_reconnecting_event, attempt, 8, 4);
AT(nsws_reconnecting_event, delay_ms, 12, 8);

SIZE(nsws_runtime_options, 32, 16);
AT(nsws_runtime_options, struct_size, 0, 0);
AT(nsws_runtime_options, thread_stack_size, 8, 4);
AT(nsws_runtime_options, max_threads, 16, 8);
AT(nsws_runtime_options, io_threads, 24, 12);

SIZE(nsws_platform, 88, 44);
AT(nsws_platform, struct_size, 0, 0);
AT(nsws_platform, user_data, 8, 4);
AT(nsws_platform, free_fn, 16, 8);
AT(nsws_platform, has_internet_permission, 24, 12);
AT(nsws_platform, is_host_allowed, 32, 16);
AT(nsws_platform, get_system_proxy, 40, 20);
AT(nsws_platform, trusts_user_ca, 48, 24);
AT(nsws_platform, is_tv_device, 56, 28);
AT(nsws_platform, log, 64, 32);
AT(nsws_platform, log_level, 72, 36);
AT(nsws_platform, resolve, 80, 40);

SIZE(nsws_system_proxy, 48, 28);
AT(nsws_system_proxy, struct_size, 0, 0);
AT(nsws_system_proxy, host, 8, 4);
AT(nsws_system_proxy, username, 16, 8);
AT(nsws_system_proxy, password, 24, 12);
AT(nsws_system_proxy, exclusion_list, 32, 16);
AT(nsws_system_proxy, port, 40, 20);
AT(nsws_system_proxy, mode, 44, 24);

SIZE(nsws_connect_event, 104, 52);
AT(nsws_connect_event, struct_size, 0, 0);
AT(nsws_connect_event, client_ip, 8, 4);
AT(nsws_connect_event, path, 16, 8);
AT(nsws_connect_event, protocol, 24, 12);
AT(nsws_connect_event, headers, 32, 16);
AT(nsws_connect_event, header_count, 40, 20);
AT(nsws_connect_event, client_port, 48, 24);
AT(nsws_connect_event, extensions, 56, 28);
AT(nsws_connect_event, link_ip, 64, 32);
AT(nsws_connect_event, client_cert_subject, 72, 36);
AT(nsws_connect_event, client_cert_fingerprint, 80, 40);
AT(nsws_connect_event, client_cert_pem, 88, 44);
AT(nsws_connect_event, link_port, 96, 48);

SIZE(nsws_server_options, 192, 120);
AT(nsws_server_options, struct_size, 0, 0);
AT(nsws_server_options, server_ip, 8, 4);
AT(nsws_server_options, cert_path, 16, 8);
AT(nsws_server_options, key_path, 24, 12);
AT(nsws_server_options, protocol, 32, 16);
AT(nsws_server_options, max_receive_size, 40, 20);
AT(nsws_server_options, max_send_size, 48, 24);
AT(nsws_server_options, send_queue_size, 56, 28);
AT(nsws_server_options, server_port, 64, 32);
AT(nsws_server_options, max_concurrent_clients, 68, 36);
AT(nsws_server_options, max_connections_per_client, 72, 40);
AT(nsws_server_options, max_upgrades_per_minute, 76, 44);
AT(nsws_server_options, handshake_timeout_ms, 80, 48);
AT(nsws_server_options, ping_interval_ms, 84, 52);
AT(nsws_server_options, pong_timeout_ms, 88, 56);
AT(nsws_server_options, close_timeout_ms, 92, 60);
AT(nsws_server_options, min_tls_version, 96, 64);
AT(nsws_server_options, compression_threshold, 112, 72);
AT(nsws_server_options, compression_memory, 120, 76);
AT(nsws_server_options, receive_budget, 128, 80);
AT(nsws_server_options, message_timeout_ms, 136, 84);
AT(nsws_server_options, compression, 140, 88);
AT(nsws_server_options, compression_level, 141, 89);
AT(nsws_server_options, client_max_window_bits, 142, 90);
AT(nsws_server_options, server_max_window_bits, 143, 91);
AT(nsws_server_options, client_no_context_takeover, 144, 92);
AT(nsws_server_options, server_no_context_takeover, 145, 93);
AT(nsws_server_options, receive_parts, 146, 94);
AT(nsws_server_options, reuse_port, 147, 95);
AT(nsws_server_options, proxy_protocol, 148, 96);
AT(nsws_server_options, health_path, 152, 100);
AT(nsws_server_options, response_headers, 160, 104);
AT(nsws_server_options, response_header_count, 168, 108);
AT(nsws_server_options, trusted_proxies, 176, 112);
AT(nsws_server_options, client_ca_path, 184, 116);
AT(nsws_server_options, allowed_origins, 104, 68);

SIZE(nsws_http_request, 64, 32);
AT(nsws_http_request, struct_size, 0, 0);
AT(nsws_http_request, method, 8, 4);
AT(nsws_http_request, path, 16, 8);
AT(nsws_http_request, client_ip, 24, 12);
AT(nsws_http_request, headers, 32, 16);
AT(nsws_http_request, header_count, 40, 20);
AT(nsws_http_request, link_ip, 48, 24);
AT(nsws_http_request, client_port, 56, 28);
AT(nsws_http_request, link_port, 58, 30);

SIZE(nsws_ban, 56, 56);
AT(nsws_ban, ip, 0, 0);
AT(nsws_ban, remaining_ms, 52, 52);

SIZE(nsws_connection_info, 264, U64 + 248 + U64);
AT(nsws_connection_info, struct_size, 0, 0);
AT(nsws_connection_info, messages_sent, 8, U64);
AT(nsws_connection_info, messages_received, 16, U64 + 8);
AT(nsws_connection_info, bytes_sent, 24, U64 + 16);
AT(nsws_connection_info, bytes_received, 32, U64 + 24);
AT(nsws_connection_info, queued_bytes, 40, U64 + 32);
AT(nsws_connection_info, rtt_us, 48, U64 + 40);
AT(nsws_connection_info, client_ip, 56, U64 + 48);
AT(nsws_connection_info, client_port, 102, U64 + 94);
AT(nsws_connection_info, link_ip, 104, U64 + 96);
AT(nsws_connection_info, link_port, 150, U64 + 142);
AT(nsws_connection_info, wire_bytes_sent, 152, U64 + 144);
AT(nsws_connection_info, wire_bytes_received, 160, U64 + 152);
AT(nsws_connection_info, smoothed_rtt_us, 168, U64 + 160);
AT(nsws_connection_info, first_message_us, 176, U64 + 168);
AT(nsws_connection_info, tls_version, 184, U64 + 176);
AT(nsws_connection_info, tls_resumed, 185, U64 + 177);
AT(nsws_connection_info, tls_cipher, 186, U64 + 178);
AT(nsws_connection_info, pings_answered, 256, U64 + 240 + U64);
