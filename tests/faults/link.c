/*
 * One end of a link that a test disturbs: says on its standard output what it hears, and does what its standard input says.
 *
 *     link serve IP PORT PING_MS PONG_MS     a server that sends everything back
 *     link talk URL PING_MS PONG_MS          a client that connects again by itself
 *         send COUNT LENGTH                  sends so many messages, numbered on
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netstack_websocket.h"

static void says(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

static void asks(int32_t code) {
    if (code == NSWS_OK) return;
    says("refused %s: %s", nsws_error_name(code), nsws_last_error());
}

static void said_close(const nsws_close_event *e) { says("close %d %s", e->code, e->was_clean ? "clean" : "lost"); }

static void said_error(const nsws_error_event *e) {
    if (e->detail != NSWS_OK) says("error %s", nsws_error_name(e->detail));
}

/* The server. */

static void on_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
    says("connect");
}

static void on_server_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)user;
    asks(nsws_connection_send_binary(c, e->data, e->length));
}

static void on_server_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s, (void)c, (void)user;
    said_close(e);
}

static void on_server_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)s, (void)c, (void)user;
    said_error(e);
}

static void serve(const char *ip, const char *port, const char *ping, const char *pong) {
    nsws_server server;
    nsws_server_options options;
    uint16_t own = 0;
    nsws_server_options_init(&options, sizeof options);
    options.server_ip = ip;
    options.server_port = (uint32_t)atoi(port);
    options.ping_interval_ms = (uint32_t)atoi(ping);
    options.pong_timeout_ms = (uint32_t)atoi(pong);
    options.handshake_timeout_ms = 120000;
    options.max_upgrades_per_minute = 0;
    asks(nsws_server_create(&server));
    asks(nsws_server_on_connect(server, on_connect, NULL, NULL));
    asks(nsws_server_on_message(server, on_server_message, NULL, NULL));
    asks(nsws_server_on_close(server, on_server_close, NULL, NULL));
    asks(nsws_server_on_error(server, on_server_error, NULL, NULL));
    asks(nsws_server_start(server, &options));
    asks(nsws_server_get_port(server, &own));
    says("port %d", own);
    while (getchar() != EOF) continue;
    asks(nsws_server_destroy(server));
}

/* The client. */

static unsigned sent, got;

static void on_open(nsws_client c, const nsws_open_event *e, void *user) {
    (void)c, (void)e, (void)user;
    got = sent;
    says("open");
}

static void on_message(nsws_client c, const nsws_message_event *e, void *user) {
    unsigned number = 0;
    (void)c, (void)user;
    if (e->length >= sizeof number) memcpy(&number, e->data, sizeof number);
    if (number != got) says("wrong: message %u instead of %u", number, got);
    for (size_t i = sizeof number; i < e->length; i++) {
        if (e->data[i] == (uint8_t)(number + i)) continue;
        says("wrong: message %u differs at %zu", number, i);
        break;
    }
    got++;
    says("message %u %zu", number, e->length);
}

static void on_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)c, (void)user;
    said_close(e);
}

static void on_error(nsws_client c, const nsws_error_event *e, void *user) {
    (void)c, (void)user;
    said_error(e);
}

static void talk(const char *url, const char *ping, const char *pong) {
    nsws_client client;
    nsws_connect_options options;
    unsigned count, length;
    char line[128];
    nsws_connect_options_init(&options, sizeof options);
    options.ping_interval_ms = (uint32_t)atoi(ping);
    options.pong_timeout_ms = (uint32_t)atoi(pong);
    options.connect_timeout_ms = 120000;
    options.reconnect_max_attempts = NSWS_FOR_EVER;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 200;
    asks(nsws_client_create(&client));
    asks(nsws_client_on_open(client, on_open, NULL, NULL));
    asks(nsws_client_on_message(client, on_message, NULL, NULL));
    asks(nsws_client_on_close(client, on_close, NULL, NULL));
    asks(nsws_client_on_error(client, on_error, NULL, NULL));
    asks(nsws_client_connect(client, url, &options));
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "send %u %u", &count, &length) != 2) continue;
        uint8_t *data = malloc(length + sizeof sent);
        for (; count > 0; count--, sent++) {
            memcpy(data, &sent, sizeof sent);
            for (size_t i = sizeof sent; i < length; i++) data[i] = (uint8_t)(sent + i);
            asks(nsws_client_send_binary(client, data, length < sizeof sent ? sizeof sent : length));
        }
        free(data);
    }
    asks(nsws_client_destroy(client));
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 6 && strcmp(words[1], "serve") == 0) serve(words[2], words[3], words[4], words[5]);
    else if (count == 5 && strcmp(words[1], "talk") == 0) talk(words[2], words[3], words[4]);
    else return 2;
    asks(nsws_shutdown(20000));
    return 0;
}
