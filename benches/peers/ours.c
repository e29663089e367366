/* This library, through its C ABI. */
#include "peer.h"

#include <netstack_websocket.h>
#include <stdint.h>

static void check(int32_t code) {
    if (code == NSWS_OK) return;
    fprintf(stderr, "%s: %s\n", nsws_error_name(code), nsws_last_error());
    exit(1);
}

static void on_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)server;
    (void)user_data;
    int32_t code = event->is_text ? nsws_connection_send_text(connection, (const char *)event->data, event->length)
                                  : nsws_connection_send_binary(connection, event->data, event->length);
    if (code != NSWS_ERR_NOT_CONNECTED) check(code);
}

static void on_message_to_all(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)connection;
    (void)user_data;
    check(nsws_server_broadcast(server, event->data, event->length, event->is_text, NULL));
}

static void serve(void) {
    nsws_server server;
    nsws_server_options options;
    uint16_t port;
#ifndef NSWS_HAS_COMPRESSION
    if (peer.deflate) peer_refuse();
#endif
    check(nsws_server_create(&server));
    check(nsws_server_on_message(server, peer.broadcast ? on_message_to_all : on_message, NULL, NULL));
    check(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.cert_path = peer.cert;
    options.key_path = peer.key;
    options.max_concurrent_clients = UINT32_MAX;
    options.max_connections_per_client = UINT32_MAX;
    options.max_upgrades_per_minute = 0;
    if (peer.no_ping) options.ping_interval_ms = 0;
#ifdef NSWS_HAS_COMPRESSION
    options.compression = (uint8_t)peer.deflate;
#endif
    check(nsws_server_start(server, &options));
    check(nsws_server_port(server, &port));
    peer_serving(port);
    for (;;) pause();
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
    if (peer.client) peer_refuse();
    serve();
}
