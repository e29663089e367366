/* A client of ticker.c, which shows the prices of the symbols that it is given:
 *
 *     build/release/examples/apps/ticker_client ws://127.0.0.1:8080/ ACME BOLT
 *
 * When the server is gone, it goes on trying until the server is back. Ctrl+C stops it.
 */

#define _POSIX_C_SOURCE 200809L

#include <netstack_websocket.h>

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sem_t over;
static int has_failed;

struct symbols {
    char **names;
    int count;
};

/* Each connection begins anew: the server knows nothing of the last one. */
static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    const struct symbols *symbols = user_data;
    char word[64];

    printf("open: %s\n", event->extensions);
    for (int i = 0; i < symbols->count; i++) {
        int length = snprintf(word, sizeof word, "+%.60s", symbols->names[i]);
        nsws_client_send_text(client, word, (size_t)length);
    }
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    char text[160], symbol[16];
    double price, change;
    (void)client, (void)user_data;

    snprintf(text, sizeof text, "%.*s", (int)event->length, (const char *)event->data);
    if (sscanf(text, "{\"symbol\":\"%15[A-Z]\",\"price\":%lf,\"change\":%lf", symbol, &price,
               &change) == 3) {
        printf("%-8s %8.2f  %+.2f\n", symbol, price, change);
    }
}

/* After an error or a close that no further attempt follows, the client is idle. */
static void end_if_idle(nsws_client client) {
    int32_t state;
    if (nsws_client_get_state(client, &state) == NSWS_OK && state == NSWS_STATE_IDLE) {
        has_failed = 1;
        sem_post(&over);
    }
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)user_data;
    printf("error: %s\n", event->message);
    end_if_idle(client);
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    (void)user_data;
    printf("closed: %d %s\n", event->code, event->reason);
    end_if_idle(client);
}

static void on_reconnecting(nsws_client client, const nsws_reconnecting_event *event,
                            void *user_data) {
    (void)client, (void)user_data;
    printf("attempt %" PRIu32 " in %" PRIu32 " ms\n", event->attempt, event->delay_ms);
}

static void on_signal(int signal_number) {
    (void)signal_number;
    sem_post(&over);
}

int main(int argc, char **argv) {
    struct symbols symbols = {.names = argv + 2, .count = argc - 2};
    nsws_client client;
    nsws_connect_options options;
    nsws_client_stats stats;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 3) {
        fputs("usage: ticker_client URL SYMBOL...\n", stderr);
        return 2;
    }
    if (sem_init(&over, 0, 0) != 0 || nsws_client_create(&client) != NSWS_OK) {
        return 1;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    nsws_client_on_open(client, on_open, &symbols, NULL);
    nsws_client_on_message(client, on_message, NULL, NULL);
    nsws_client_on_error(client, on_error, NULL, NULL);
    nsws_client_on_close(client, on_close, NULL, NULL);
    nsws_client_on_reconnecting(client, on_reconnecting, NULL, NULL);
    nsws_connect_options_init(&options, sizeof options);
    options.compression = 1;
    options.reconnect_max_attempts = NSWS_FOR_EVER;
    options.reconnect_min_delay_ms = 500;
    options.reconnect_max_delay_ms = 10000;
    options.ping_interval_ms = 5000; /* a server that vanished without a word is missed ... */
    options.pong_timeout_ms = 5000;  /* ... within ten seconds */
    if (nsws_client_connect(client, argv[1], &options) == NSWS_OK) {
        while (sem_wait(&over) != 0 && errno == EINTR) {
        }
        if (nsws_client_get_stats(client, &stats, sizeof stats) == NSWS_OK) {
            printf("%" PRIu64 " prices of %" PRIu64 " bytes came in as %" PRIu64 "\n",
                   stats.messages_received, stats.bytes_received, stats.wire_bytes_received);
        }
    } else {
        fprintf(stderr, "%s\n", nsws_last_error());
        has_failed = 1;
    }
    nsws_client_destroy(client);
    return nsws_shutdown(5000) == NSWS_OK && !has_failed ? 0 : 1;
}
