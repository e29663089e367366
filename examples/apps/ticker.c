/* A price ticker. In the project's folder:
 *
 *     build/release/examples/apps/ticker
 *
 * A client says "+SYMBOL" for the prices that it wants, and "-SYMBOL" for those that it no longer
 * wants. Each symbol is a group of connections, and each price goes to one group, compressed. The
 * client is ticker_client.c.
 */

#define _POSIX_C_SOURCE 200809L

#include "../c/values.h"

#include <netstack_websocket.h>

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: ticker [options]\n"
                            "  --ip ADDRESS   listen on this address only (127.0.0.1)\n"
                            "  --port PORT    listen on this port; 0: the system picks one (8080)\n"
                            "  --every MS     how often the prices change, in milliseconds (250)\n"
                            "The end of standard input stops the server.\n";

struct price {
    const char *symbol;
    int cents, change, high, low;
};

enum { SYMBOLS = 4, LONGEST_SYMBOL = 8, LONGEST_PRICE = 160 };

struct market {
    pthread_mutex_t lock; /* the callbacks read the prices that the main thread changes */
    struct price prices[SYMBOLS];
};

static int as_text(const struct price *price, char *text, size_t room) {
    return snprintf(text, room,
                    "{\"symbol\":\"%s\",\"price\":%.2f,\"change\":%.2f,\"high\":%.2f,\"low\":%.2f}",
                    price->symbol, price->cents / 100.0, price->change / 100.0, price->high / 100.0,
                    price->low / 100.0);
}

/* Sends the current price first; the lock keeps newer ones behind it.
 */
static int subscribe(struct market *market, nsws_connection connection, const char *symbol) {
    char text[LONGEST_PRICE];

    for (size_t i = 0; i < SYMBOLS; i++) {
        if (strcmp(market->prices[i].symbol, symbol) == 0) {
            pthread_mutex_lock(&market->lock);
            int length = as_text(&market->prices[i], text, sizeof text);
            nsws_connection_send_text(connection, text, (size_t)length);
            nsws_connection_join(connection, symbol);
            pthread_mutex_unlock(&market->lock);
            return 1;
        }
    }
    return 0;
}

static void on_message(nsws_server server, nsws_connection connection,
                       const nsws_message_event *event, void *user_data) {
    char word[LONGEST_SYMBOL + 2];
    (void)server;

    snprintf(word, sizeof word, "%.*s", (int)event->length, (const char *)event->data);
    if (word[0] == '-' && word[1] != '\0') {
        nsws_connection_leave(connection, word + 1);
    } else if (word[0] != '+' || !subscribe(user_data, connection, word + 1)) {
        nsws_connection_close(connection, 1008, "there is no such symbol");
    }
}

/* The last chance to read a connection's figures. */
static void on_close(nsws_server server, nsws_connection connection, const nsws_close_event *event,
                     void *user_data) {
    nsws_connection_info info;
    (void)server, (void)event, (void)user_data;

    if (nsws_connection_get_info(connection, &info, sizeof info) == NSWS_OK) {
        printf("%s left: %" PRIu64 " prices of %" PRIu64 " bytes went out as %" PRIu64 "\n",
               info.client_ip, info.messages_sent, info.bytes_sent, info.wire_bytes_sent);
    }
}

/* A client that reads too slowly is left out, and gets the next price. */
static void move_prices(struct market *market, nsws_server server) {
    char text[LONGEST_PRICE];

    pthread_mutex_lock(&market->lock);
    for (size_t i = 0; i < SYMBOLS; i++) {
        struct price *price = &market->prices[i];
        price->change = rand() % 41 - 20;
        if (price->cents + price->change < 100) {
            price->change = 20;
        }
        price->cents += price->change;
        price->high = price->cents > price->high ? price->cents : price->high;
        price->low = price->cents < price->low ? price->cents : price->low;
        int length = as_text(price, text, sizeof text);
        nsws_server_broadcast_group(server, price->symbol, text, (size_t)length, 1, NULL);
    }
    pthread_mutex_unlock(&market->lock);
}

int main(int argc, char **argv) {
    static struct market market = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                   .prices = {{"ACME", 10025, 0, 10025, 10025},
                                              {"BOLT", 4710, 0, 4710, 4710},
                                              {"CORK", 1999, 0, 1999, 1999},
                                              {"DUNE", 23150, 0, 23150, 23150}}};
    struct pollfd input = {.fd = 0, .events = POLLIN};
    nsws_server server;
    nsws_server_options options;
    uint16_t port;
    int every = 250, is_started = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    nsws_server_options_init(&options, sizeof options);
    options.server_ip = "127.0.0.1";
    options.server_port = 8080;
    options.max_receive_size = LONGEST_SYMBOL + 1;
    options.send_queue_size = 64 << 10; /* nobody wants the prices of a minute ago */
    options.compression = 1;
    options.compression_threshold = 16;     /* prices are short but similar */
    options.compression_memory = 320 << 10; /* for each client */
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--ip") == 0) {
            options.server_ip = argv[i + 1];
        } else if (i + 1 < argc && strcmp(argv[i], "--port") == 0) {
            options.server_port = number(argv[i + 1], 65535);
        } else if (i + 1 < argc && strcmp(argv[i], "--every") == 0) {
            every = (int)number(argv[i + 1], 60000);
        } else {
            fputs(usage, stderr);
            return 2;
        }
    }

    if (nsws_server_create(&server) == NSWS_OK) {
        nsws_server_on_message(server, on_message, &market, NULL);
        nsws_server_on_close(server, on_close, NULL, NULL);
        is_started = nsws_server_start(server, &options) == NSWS_OK &&
                     nsws_server_get_port(server, &port) == NSWS_OK;
        if (is_started) {
            printf("ws://%s:%u/\n", options.server_ip, (unsigned)port);
            while (poll(&input, 1, every) == 0) {
                move_prices(&market, server);
            }
            nsws_server_stop_gracefully(server, 2000); /* clients reconnect after 1001 */
        } else {
            fprintf(stderr, "%s\n", nsws_last_error());
        }
        nsws_server_destroy(server);
    }
    return nsws_shutdown(5000) == NSWS_OK && is_started ? 0 : 1;
}
