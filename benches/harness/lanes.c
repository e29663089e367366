/* Two servers of one process that send compressed JSON to peers that throw the bytes away: what another lane is worth.
 *
 *     lanes LANES COUNT     each server sends COUNT messages of 1 MiB, 2 of them under way; prints one line of JSON
 */
#include "deflate.h"

#include <netstack_websocket.h>
#include <pthread.h>
#include <stdint.h>

enum { SERVERS = 2, WINDOW = 2, MESSAGE = 256 * DOCUMENT };

static char message[MESSAGE];
static long count;

static void check(int32_t code) {
    if (code == NSWS_OK) return;
    fprintf(stderr, "%s: %s\n", nsws_error_name(code), nsws_last_error());
    exit(1);
}

static void on_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)server;
    (void)event;
    (void)user_data;
    check(nsws_connection_send_text(connection, message, sizeof message));
}

static uint16_t serve(void) {
    nsws_server server;
    nsws_server_options options;
    uint16_t port;
    check(nsws_server_create(&server));
    check(nsws_server_on_message(server, on_message, NULL, NULL));
    check(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.compression = 1;
    options.compression_level = 6;
    check(nsws_server_start(server, &options));
    check(nsws_server_get_port(server, &port));
    return port;
}

static void ask(struct link *link) {
    unsigned char frame[15];
    write_all(link, frame, write_frame(frame, 0x81, "", 0));
}

/* Takes one message, inflating nothing. */
static void take(struct link *link, unsigned char *bytes, size_t room) {
    unsigned char head[10];
    uint64_t length = 0;
    read_all(link, head, 2);
    if (head[0] != 0xc1) fail("the message is not whole and compressed");
    unsigned more = head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0;
    read_all(link, head + 2, more);
    if (more == 0) length = head[1];
    for (unsigned i = 0; i < more; i++) length = length << 8 | head[2 + i];
    while (length > 0) {
        size_t part = length < room ? (size_t)length : room;
        read_all(link, bytes, part);
        length -= part;
    }
}

static void *receive(void *link) {
    static _Thread_local unsigned char bytes[256 << 10];
    for (int i = 0; i < WINDOW; i++) ask(link);
    for (long i = 0; i < count; i++) {
        take(link, bytes, sizeof bytes);
        if (i + WINDOW < count) ask(link);
    }
    return NULL;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 3 || (count = atol(argv[2])) < WINDOW) fail("LANES COUNT");
    nsws_runtime_options runtime;
    check(nsws_runtime_options_init(&runtime, sizeof runtime));
    runtime.io_threads = (uint32_t)atoi(argv[1]);
    check(nsws_runtime_configure(&runtime));

    uint32_t state = 1;
    char document[DOCUMENT + 1];
    for (size_t at = 0; at < MESSAGE; at += DOCUMENT) {
        make_document(document, &state);
        memcpy(message + at, document, DOCUMENT);
    }
    struct link links[SERVERS] = { 0 };
    for (int i = 0; i < SERVERS; i++) {
        int port = serve();
        connect_to(&links[i], port);
        if (strstr(handshake(&links[i], port, "Sec-WebSocket-Extensions: permessage-deflate\r\n"), "permessage-deflate") == NULL)
            fail("the server doesn't compress");
    }
    pthread_t threads[SERVERS];
    double begin = now();
    for (int i = 0; i < SERVERS; i++) pthread_create(&threads[i], NULL, receive, &links[i]);
    for (int i = 0; i < SERVERS; i++) pthread_join(threads[i], NULL);
    double took = now() - begin;
    printf("{\"messages\": %ld, \"wall_ns\": %.1f}\n", SERVERS * count, took * 1e9 / (double)(SERVERS * count));
    for (int i = 0; i < SERVERS; i++) hang_up(&links[i]);
    return nsws_shutdown(5000) == NSWS_OK ? 0 : 1;
}
