// What @ohos.net.webSocket allows and the library doesn't know: the rules that its two implementations here share.
#pragma once

#include <netstack_websocket.h>

// A close code that may be sent; any other is sent as 1000.
inline uint16_t close_code_to_send(double code) {
    bool may = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1013) || (code >= 3000 && code <= 4999);
    return may && code == static_cast<uint16_t>(code) ? static_cast<uint16_t>(code) : 1000;
}

// Servers have at most 10 clients and 10 connections of each, and no port 0.
class ServerLimits {
  public:
    // To be called when all options are set. What is wrong is left to nsws_server_start() to find, in its turn: it asks for the
    // certificate files where the limits are to be asked for, and a file that can't exist stops it there.
    explicit ServerLimits(nsws_server_options &options)
        : are_wrong_(options.max_concurrent_clients > MOST || options.max_connections_per_client > MOST) {
        if (options.server_port == 0) options.server_port = NO_PORT;
        if (!are_wrong_) return;
        options.cert_path = "/dev/null/no-such-file";
        options.key_path = options.cert_path;
    }

    // What nsws_server_start() has answered, as this surface says it.
    int32_t answer(int32_t code) const { return are_wrong_ && code == NSWS_ERR_CERT_FILE ? NSWS_ERR_INTERNAL : code; }

  private:
    static constexpr uint32_t MOST = 10;
    static constexpr uint32_t NO_PORT = 65536;

    const bool are_wrong_;
};
