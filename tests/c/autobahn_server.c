/*
 * The server for the Autobahn test suite and for Chromium: sends back every message. Prints {"port": N} when it listens, and
 * ends when its standard input does.
 *
 *     autobahn_server [BITS TAKEOVER]     the windows of compression, and whether it keeps its context: 1 or 0
 */
#include "harness.h"

#define MIB ((size_t)1 << 20)

static void send_back(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user) {
    (void)server, (void)user;
    int32_t code = event->is_text ? nsws_connection_send_text(connection, (const char *)event->data, event->length)
                                  : nsws_connection_send_binary(connection, event->data, event->length);
    /* The client may have closed meanwhile. */
    CHECK(code == NSWS_OK || code == NSWS_ERR_NOT_CONNECTED);
}

int main(int count, char **words) {
    char byte;
    uint16_t port;
    nsws_server server;
    nsws_server_options options;
    if (!CHECK_OK(nsws_server_options_init(&options, sizeof options))) return 1;
    options.server_ip = "127.0.0.1";
    options.max_connections_per_client = 1000;
    options.max_upgrades_per_minute = 0;
    options.max_receive_size = options.max_send_size = 64 * MIB;
    options.send_queue_size = 512 * MIB;
    options.ping_interval_ms = 0;
    options.compression = 1;
    options.compression_threshold = 1;
    if (count > 2) {
        options.client_max_window_bits = options.server_max_window_bits = (uint8_t)atoi(words[1]);
        options.client_no_context_takeover = options.server_no_context_takeover = atoi(words[2]) == 0;
    }
    if (!CHECK_OK(nsws_server_create(&server)) || !CHECK_OK(nsws_server_on_message(server, send_back, NULL, NULL)) ||
        !CHECK_OK(nsws_server_start(server, &options)) || !CHECK_OK(nsws_server_get_port(server, &port)))
        return 1;
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    while (read(0, &byte, 1) == 1) {
    }
    CHECK_OK(nsws_server_destroy(server));
    CHECK_OK(nsws_shutdown(20000));
    return failed_checks() != 0;
}
