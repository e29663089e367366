// Where a limit differs from the C ABI's: those of NetStack's C, C++ and JavaScript programs.
#pragma once

#include <netstack_websocket.h>

#include <cstddef>
#include <cstdint>

namespace nsws_rules {

// The largest message that a client receives, that a server receives, and that a C or C++ client
// sends.
constexpr size_t CLIENT_RECEIVES = 1u << 30;
constexpr size_t SERVER_RECEIVES = 64u << 20;
constexpr size_t CLIENT_SENDS = 4u << 20;

// The longest URL of C and C++ programs and of NetStack's JavaScript layer, in bytes, and the most
// request headers.
constexpr size_t LONGEST_URL = 8196;
constexpr size_t MOST_HEADERS = 8192;

// JavaScript's module: the longest URL, and seconds of a heartbeat that isn't given, and at most.
constexpr size_t JS_LONGEST_URL = 2048;
constexpr double JS_HEARTBEAT_SECONDS = 30;
constexpr double JS_MOST_HEARTBEAT_SECONDS = 30000;

// Of a proxy whose port isn't given.
constexpr uint32_t DEFAULT_PROXY_PORT = 80;

// What one message costs in a queue: its frame, and what holding it takes.
constexpr size_t queued_cost(size_t length) {
    constexpr size_t small = 125, medium = 65535, mask = 4, overhead = 64;
    const size_t header = length <= small ? 2 : length <= medium ? 4 : 10;
    return header + mask + length + overhead;
}

// The C ABI's defaults for a client of NetStack's.
inline nsws_connect_options client_defaults() {
    nsws_connect_options options{};
    nsws_connect_options_init(&options, sizeof options);
    options.max_receive_size = CLIENT_RECEIVES;
    options.max_url_length = LONGEST_URL;
    options.support_origin_port = 0;
    return options;
}

// The C ABI's defaults for a server of NetStack's.
inline nsws_server_options server_defaults() {
    nsws_server_options options{};
    nsws_server_options_init(&options, sizeof options);
    options.max_receive_size = SERVER_RECEIVES;
    return options;
}

}  // namespace nsws_rules
