/* A chat server, as an app on a TV would run one for the phones and browsers in the room:
 *
 *     tv_server --port 8080
 *     tv_server --port 8443 --cert tv.pem --key tv.key --origin https://chat.example --token 4711
 *
 * Clients connect to ws://TV:8080/chat?name=Ann and see what the others write, and what is typed here. The page
 * examples/web/index.html is such a client.
 */

#define _POSIX_C_SOURCE 200809L

#include "values.h"

#include <netstack_websocket.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_GUESTS = 64, MAX_NAME = 24, MAX_MESSAGE = 1000, MAX_ORIGINS = 8 };

static const char usage[] =
    "usage: tv_server [options]\n"
    "  --ip ADDRESS       listen on this address only; \"::\" for IPv6 and IPv4 (every IPv4 address)\n"
    "  --port PORT        listen on this port (the system picks one)\n"
    "  --cert FILE        speak wss, with the certificate chain of this PEM file\n"
    "  --key FILE         the certificate's private key\n"
    "  --origin ORIGIN    let in only pages from this origin, such as https://chat.example (any); up to 8\n"
    "  --token TOKEN      let in only clients with ?token=TOKEN in the URL\n"
    "  --per-client N     how many connections one address may have (10)\n"
    "  --log              print the library's log\n"
    "Each line of standard input goes to everyone. /who lists the guests, /quit or its end stops the server.\n";

/* Which clients may come in. Set before the server starts, and only read afterwards. */
struct house_rules {
    const char *origins[MAX_ORIGINS];
    size_t origin_count;
    const char *token;
};

/* A connected client. Used only in the server's callbacks, which take turns, so it needs no lock. */
struct guest {
    nsws_connection connection; /* id 0: a free place */
    char name[MAX_NAME + 1];
};

struct party {
    struct house_rules rules;
    struct guest guests[MAX_GUESTS];
};

/* Requests. */

static int is_allowed_origin(const struct house_rules *rules, const nsws_connect_event *event) {
    for (size_t i = 0; i < event->header_count && rules->origin_count > 0; i++) {
        if (strcasecmp(event->headers[i].name, "Origin") != 0) {
            continue;
        }
        for (size_t j = 0; j < rules->origin_count; j++) {
            if (strcmp(event->headers[i].value, rules->origins[j]) == 0) {
                return 1;
            }
        }
        return 0;
    }
    return 1; /* programs send no Origin; only browsers, which can't lie about it */
}

/* The accept hook: asked before a client is answered. 0 lets it in, an HTTP status refuses it. */
static uint16_t on_accept(nsws_server server, const nsws_connect_event *event, void *user_data) {
    const struct party *party = user_data;
    char token[128];
    (void)server;

    if (strncmp(event->path, "/chat", 5) != 0 || (event->path[5] != '\0' && event->path[5] != '?')) {
        return 404;
    }
    if (!is_allowed_origin(&party->rules, event)) {
        return 403;
    }
    if (party->rules.token != NULL &&
        (!query_value(event->path, "token", token, sizeof token) || strcmp(token, party->rules.token) != 0)) {
        return 401;
    }
    return 0;
}

/* The party. */

static struct guest *find_guest(struct party *party, nsws_connection connection) {
    for (size_t i = 0; i < MAX_GUESTS; i++) {
        if (party->guests[i].connection.id == connection.id) {
            return &party->guests[i];
        }
    }
    return NULL;
}

/* Tells everyone, and the TV's own screen. A guest whose queue is full doesn't get it. */
static void tell_all(nsws_server server, const char *name, const char *words, size_t length) {
    char line[MAX_NAME + 2 + MAX_MESSAGE + 1];
    int written = snprintf(line, sizeof line, "%s: %.*s", name, (int)length, words);

    for (char *byte = line; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < ' ') {
            *byte = ' '; /* a terminal would obey a control character */
        }
    }
    printf("%s\n", line);
    if (nsws_server_broadcast(server, line, (size_t)written, 1, NULL) != NSWS_OK) {
        printf("not sent: %s\n", nsws_last_error());
    }
}

static void on_connect(nsws_server server, nsws_connection connection, const nsws_connect_event *event, void *user_data) {
    static const nsws_connection nobody = {0};
    struct party *party = user_data;
    struct guest *guest = find_guest(party, nobody);

    if (guest == NULL) {
        nsws_connection_close(connection, 1013, "no chair is free");
        return;
    }
    guest->connection = connection;
    if (!query_value(event->path, "name", guest->name, sizeof guest->name) || guest->name[0] == '\0') {
        snprintf(guest->name, sizeof guest->name, "guest %u", (unsigned)event->client_port);
    }
    printf("(%s is at %s, port %u)\n", guest->name, event->client_ip, (unsigned)event->client_port);
    tell_all(server, guest->name, "has come", strlen("has come"));
}

static void on_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    const struct guest *guest = find_guest(user_data, connection);

    if (guest == NULL) {
        return; /* there was no free place; its close is under way */
    }
    if (!event->is_text) {
        nsws_connection_close(connection, 1003, "this chat is for words");
        return;
    }
    tell_all(server, guest->name, (const char *)event->data, event->length);
}

/* The last event of a connection; its handle is stale afterwards. */
static void on_close(nsws_server server, nsws_connection connection, const nsws_close_event *event, void *user_data) {
    struct guest *guest = find_guest(user_data, connection);
    char words[64];

    if (guest == NULL) {
        return;
    }
    guest->connection.id = 0;
    snprintf(words, sizeof words, "has left (%u)", (unsigned)event->code);
    tell_all(server, guest->name, words, strlen(words));
}

/* A connection failed; `close` follows. The connection's id is 0 if the server itself has failed at something. */
static void on_error(nsws_server server, nsws_connection connection, const nsws_error_event *event, void *user_data) {
    (void)server, (void)connection, (void)user_data;
    printf("(%s)\n", event->message);
}

static void on_log(int32_t level, const char *message, void *user_data) {
    (void)user_data;
    fprintf(stderr, "log %" PRId32 ": %s\n", level, message);
}

/* The TV's own keyboard, on the main thread: every function may be called from any thread. */

static void list_guests(nsws_server server) {
    nsws_connection list[MAX_GUESTS];
    size_t count = 0;

    if (nsws_server_list_connections(server, list, MAX_GUESTS, &count) != NSWS_OK) {
        return;
    }
    printf("(%zu connected)\n", count);
    for (size_t i = 0; i < count && i < MAX_GUESTS; i++) {
        nsws_connection_info info;
        /* The handle of a guest who has left is stale: the call returns an error code, and that is all. */
        if (nsws_connection_get_info(list[i], &info, sizeof info) == NSWS_OK) {
            printf("(  %s, port %u: %" PRIu64 " messages, round trip %" PRIu64 " us)\n", info.client_ip,
                   (unsigned)info.client_port, info.messages_received, info.rtt_us);
        }
    }
}

static void read_keyboard(nsws_server server) {
    char line[MAX_MESSAGE];

    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "/quit") == 0) {
            return;
        }
        if (strcmp(line, "/who") == 0) {
            list_guests(server);
        } else if (line[0] != '\0') {
            tell_all(server, "TV", line, strlen(line));
        }
    }
}

static void read_arguments(int argc, char **argv, nsws_server_options *options, struct house_rules *rules) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else if (strcmp(name, "--log") == 0) {
            nsws_set_log_callback(NSWS_LOG_DEBUG, on_log, NULL, NULL);
            continue;
        } else if (value != NULL && strcmp(name, "--ip") == 0) {
            options->server_ip = value;
        } else if (value != NULL && strcmp(name, "--port") == 0) {
            options->server_port = number(value, 65535);
        } else if (value != NULL && strcmp(name, "--cert") == 0) {
            options->cert_path = value;
        } else if (value != NULL && strcmp(name, "--key") == 0) {
            options->key_path = value;
        } else if (value != NULL && strcmp(name, "--token") == 0) {
            rules->token = value;
        } else if (value != NULL && strcmp(name, "--per-client") == 0) {
            options->max_connections_per_client = number(value, 1000);
        } else if (value != NULL && strcmp(name, "--origin") == 0 && rules->origin_count < MAX_ORIGINS) {
            rules->origins[rules->origin_count++] = value;
        } else {
            fputs(usage, stderr);
            exit(2);
        }
        i++;
    }
}

/* An address that the others can type. */
static void tell_address(const nsws_server_options *options, uint16_t port) {
    const char *scheme = options->cert_path != NULL ? "wss" : "ws", *ip = options->server_ip;
    if (ip == NULL || strcmp(ip, "0.0.0.0") == 0) {
        printf("(%s://127.0.0.1:%u/chat, and at this machine's other IPv4 addresses)\n", scheme, (unsigned)port);
    } else if (strcmp(ip, "::") == 0) {
        printf("(%s://[::1]:%u/chat, and at this machine's other addresses)\n", scheme, (unsigned)port);
    } else {
        const char *bracket = strchr(ip, ':') != NULL ? "[" : "";
        printf("(%s://%s%s%s:%u/chat)\n", scheme, bracket, ip, *bracket != '\0' ? "]" : "", (unsigned)port);
    }
}

int main(int argc, char **argv) {
    static struct party party;
    nsws_server_options options;
    nsws_server server;
    uint16_t port;

    setvbuf(stdout, NULL, _IOLBF, 0);
    nsws_server_options_init(&options, sizeof options);
    options.protocol = "chat";
    options.max_receive_size = MAX_MESSAGE;
    options.max_concurrent_clients = MAX_GUESTS;
    read_arguments(argc, argv, &options, &party.rules);

    if (nsws_server_create(&server) != NSWS_OK) {
        fprintf(stderr, "tv_server: %s\n", nsws_last_error());
        return 1;
    }
    nsws_server_set_accept_hook(server, on_accept, &party, NULL);
    nsws_server_on_connect(server, on_connect, &party, NULL);
    nsws_server_on_message(server, on_message, &party, NULL);
    nsws_server_on_close(server, on_close, &party, NULL);
    nsws_server_on_error(server, on_error, &party, NULL);

    int32_t code = nsws_server_start(server, &options);
    if (code != NSWS_OK || nsws_server_get_port(server, &port) != NSWS_OK) {
        fprintf(stderr, "tv_server: %s\n", nsws_last_error());
        nsws_server_destroy(server);
        nsws_shutdown(5000);
        return 1;
    }
    tell_address(&options, port);

    read_keyboard(server);

    nsws_server_stop(server); /* 1001 to everyone; the port is free */
    nsws_server_destroy(server);
    return nsws_shutdown(5000) == NSWS_OK ? 0 : 1;
}
