/*
 * A server behind a proxy at 127.0.0.9, for browser_proxies.py: its HTTP hook serves a page, it tells each client who it is, and
 * echoes. Arguments: 1 with the PROXY protocol, else 0; then the certificate and its key, or nothing. Prints its port. It asks
 * its clients to leave when its input ends.
 */
#include <netstack_websocket.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *header_of(const nsws_header *headers, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(headers[i].name, name) == 0) return headers[i].value;
    return "-";
}

static void serve_page(nsws_server server, const nsws_http_request *request, nsws_http_answer *answer, void *user_data) {
    (void)server, (void)user_data;
    const nsws_header html = { "Content-Type", "text/html" };
    char page[256];
    int length = snprintf(page, sizeof page, "<!DOCTYPE html><title>page</title>%s over %s", request->client_ip, request->link_ip);
    nsws_http_answer_set(answer, 200, &html, 1, page, (size_t)length);
}

static void greet(nsws_server server, nsws_connection connection, const nsws_connect_event *e, void *user_data) {
    (void)server, (void)user_data;
    char text[512];
    const nsws_header *headers = e->headers;
    snprintf(text, sizeof text, "%s over %s", e->client_ip, e->link_ip);
    nsws_connection_send_text(connection, text, strlen(text));
    snprintf(text, sizeof text, "%s to %s", header_of(headers, e->header_count, "Origin"), header_of(headers, e->header_count, "X-Protocol"));
    nsws_connection_send_text(connection, text, strlen(text));
}

static void echo(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user_data) {
    (void)server, (void)user_data;
    if (e->is_text) nsws_connection_send_text(connection, (const char *)e->data, e->length);
    else nsws_connection_send_binary(connection, e->data, e->length);
}

int main(int argc, char **argv) {
    nsws_server server;
    nsws_server_options options;
    uint16_t port;
    nsws_server_options_init(&options, sizeof options);
    options.server_ip = "127.0.0.1";
    options.trusted_proxies = "127.0.0.9";
    options.health_path = "/healthz";
    options.proxy_protocol = argc > 1 && strcmp(argv[1], "1") == 0;
    options.cert_path = argc > 3 ? argv[2] : NULL;
    options.key_path = argc > 3 ? argv[3] : NULL;
    if (nsws_server_create(&server) != NSWS_OK) return 1;
    nsws_server_set_http_hook(server, serve_page, NULL, NULL);
    nsws_server_on_connect(server, greet, NULL, NULL);
    nsws_server_on_message(server, echo, NULL, NULL);
    if (nsws_server_start(server, &options) != NSWS_OK || nsws_server_get_port(server, &port) != NSWS_OK) {
        fprintf(stderr, "%s\n", nsws_last_error());
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    while (getchar() != EOF) {}
    nsws_server_stop_gracefully(server, 10000);
    nsws_server_destroy(server);
    return nsws_shutdown(5000) == NSWS_OK ? 0 : 1;
}
