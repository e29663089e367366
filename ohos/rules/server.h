// How the platform's servers start: with limits that the library doesn't have, found in the
// platform's order.
#pragma once

#include <netstack_websocket.h>

#include <cstdint>

namespace nsws_rules {

// The most clients, and the most connections of each.
constexpr uint32_t MOST_OF_A_SERVER = 10;
constexpr uint32_t HIGHEST_PORT = 65535;

// What a program has given that the library can't be told as it is.
struct WrongConfig {
    // Not 1 to 65535.
    bool port = false;
    // Above 10.
    bool limits = false;
    // A path that no file can have.
    bool files = false;
};

inline WrongConfig wrong_in(const nsws_server_options &options) {
    WrongConfig wrong;
    wrong.port = options.server_port < 1 || options.server_port > HIGHEST_PORT;
    wrong.limits = options.max_concurrent_clients > MOST_OF_A_SERVER ||
                   options.max_connections_per_client > MOST_OF_A_SERVER;
    return wrong;
}

// Starts a server, and finds what is wrong in this order: permission, address, port, limits,
// certificate files, the socket. The answer is the library's; NSWS_ERR_INTERNAL for the limits.
inline int32_t start(nsws_server server, nsws_server_options options, WrongConfig wrong) {
    if (!wrong.port && !wrong.limits && !wrong.files) {
        return nsws_server_start(server, &options);
    }
    // With a port that is none, the library looks no further than that.
    options.server_port = HIGHEST_PORT + 1;
    const int32_t before = nsws_server_start(server, &options);
    if (before != NSWS_ERR_LISTEN_PORT || wrong.port) {
        return before;
    }
    return wrong.limits ? NSWS_ERR_INTERNAL : NSWS_ERR_CERT_FILE;
}

}  // namespace nsws_rules
