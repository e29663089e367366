/*
 * Round trips of 32 bytes, the next sent inside the message callback, through the C ABI or through the NDK:
 *
 *     round_trip serve              an echo server of the library's; prints its port, ends with its standard input
 *     round_trip abi|ndk URL COUNT  prints the median round trip and the CPU time of each, in microseconds
 *
 * benches/ndk/run.py compares the two.
 */
#include <netstack_websocket.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net_websocket.h"

enum { SIZE = 32, WARM_UP = 2000 };

static char message[SIZE + 1] = "0123456789abcdef0123456789abcdef";
static sem_t over;
static double *times, since;
static long count, done;

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void fail(const char *what) {
    fprintf(stderr, "round_trip: %s\n", what);
    exit(1);
}

/* A message is back; whether another is to be sent. */
static int another(size_t length) {
    double now = now_us();
    if (length != SIZE) fail("not what was sent");
    if (done >= WARM_UP) times[done - WARM_UP] = now - since;
    if (++done == WARM_UP + count) {
        sem_post(&over);
        return 0;
    }
    since = now_us();
    return 1;
}

/* The C ABI. */

static void abi_send(nsws_client client) {
    if (nsws_client_send_text(client, message, SIZE) != NSWS_OK) fail(nsws_last_error());
}

static void abi_open(nsws_client client, const nsws_open_event *event, void *user) {
    (void)event, (void)user;
    since = now_us();
    abi_send(client);
}

static void abi_message(nsws_client client, const nsws_message_event *event, void *user) {
    (void)user;
    if (another(event->length)) abi_send(client);
}

static void abi_error(nsws_client client, const nsws_error_event *event, void *user) {
    (void)client, (void)user;
    fail(event->message);
}

static void abi_start(const char *url) {
    nsws_client client;
    if (nsws_client_create(&client) != NSWS_OK) fail(nsws_last_error());
    nsws_client_on_open(client, abi_open, NULL, NULL);
    nsws_client_on_message(client, abi_message, NULL, NULL);
    nsws_client_on_error(client, abi_error, NULL, NULL);
    if (nsws_client_connect(client, url, NULL) != NSWS_OK) fail(nsws_last_error());
}

/* The NDK. */

static void ndk_send(struct WebSocket *client) {
    if (OH_WebSocketClient_Send(client, message, SIZE) != WEBSOCKET_OK) fail("Send");
}

static void ndk_open(struct WebSocket *client, WebSocket_OpenResult result) {
    (void)result;
    since = now_us();
    ndk_send(client);
}

static void ndk_message(struct WebSocket *client, char *data, uint32_t length) {
    (void)data;
    if (another(length)) ndk_send(client);
}

static void ndk_error(struct WebSocket *client, WebSocket_ErrorResult result) {
    (void)client;
    fail(result.errorMessage);
}

static void ndk_start(const char *url) {
    struct WebSocket *client = OH_WebSocketClient_Constructor(ndk_open, ndk_message, ndk_error, NULL);
    if (client == NULL || OH_WebSocketClient_Connect(client, url, client->requestOptions) != WEBSOCKET_OK) fail("Connect");
}

/* The peer. */

static void echo(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user) {
    (void)server, (void)user;
    nsws_connection_send_text(connection, (const char *)event->data, event->length);
}

static int serve(void) {
    nsws_server server;
    nsws_server_options options;
    uint16_t port = 0;
    char end;
    nsws_server_options_init(&options, sizeof options);
    options.server_ip = "127.0.0.1";
    if (nsws_server_create(&server) != NSWS_OK || nsws_server_on_message(server, echo, NULL, NULL) != NSWS_OK ||
        nsws_server_start(server, &options) != NSWS_OK || nsws_server_get_port(server, &port) != NSWS_OK)
        fail(nsws_last_error());
    printf("%u\n", port);
    fflush(stdout);
    while (read(0, &end, 1) > 0) {
    }
    nsws_server_destroy(server);
    return nsws_shutdown(5000);
}

static int compare(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "serve") == 0) return serve();
    if (argc != 4) fail("round_trip serve | abi URL COUNT | ndk URL COUNT");
    count = atol(argv[3]);
    times = calloc((size_t)count, sizeof *times);
    sem_init(&over, 0, 0);
    double start = cpu_us();
    (strcmp(argv[1], "ndk") == 0 ? ndk_start : abi_start)(argv[2]);
    sem_wait(&over);
    double cpu = (cpu_us() - start) / (double)(count + WARM_UP);
    qsort(times, (size_t)count, sizeof *times, compare);
    printf("%.3f %.3f\n", times[count / 2], cpu);
    return 0;
}
