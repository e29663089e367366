#include "options.h"

#include "commands.h"
#include "exits.h"

#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
    {"connect", "URL", "Talk to a server: each line that you type is a message.",
     "On a terminal, a line that begins with / is a command; /help lists them.", FOR_CONNECT,
     CONNECTING, 1, 1, run_connect},
    {"send", "URL [MESSAGE...]", "Send messages, print the replies, and close.",
     "Without MESSAGE and --file, each line of standard input is a message.", FOR_SEND, CONNECTING,
     1, MAX_OPERANDS, run_send},
    {"listen", "[ADDRESS:]PORT", "Run a server: print what arrives, send each typed line to all.",
     "ADDRESS is 127.0.0.1 unless given; port 0 lets the system pick one.", FOR_LISTEN, SERVING, 1,
     1, run_listen},
    {"echo", "[ADDRESS:]PORT", "Run a server that sends each message back.",
     "ADDRESS is 127.0.0.1 unless given; port 0 lets the system pick one.", FOR_ECHO, SERVING, 1, 1,
     run_echo},
    {"chat", "URL|[ADDRESS:]PORT", "Join the chat room at a URL, or host one.",
     "Any client may join: messages are texts, \"NAME: words\".", FOR_CHAT, CONNECTING | SERVING, 1,
     1, run_chat},
    {"bench", "URL", "Measure an echo server: messages a second and latency.",
     "The server must echo, as \"nsws echo\" does.", FOR_BENCH, CONNECTING, 1, 1, run_bench},
    {"ping", "URL", "Send pings and print how long the answers take.",
     "Ctrl-C prints the summary as well.", FOR_PING, CONNECTING, 1, 1, run_ping},
    {"cert", "HOST[:PORT]|URL", "Check a server's certificates and show them, with their pins.",
     "If they aren't trusted, it exits with 4 and sends no request.\n"
     "If they are, it opens a WebSocket connection and closes it.",
     FOR_CERT, CONNECTING, 1, 1, run_cert},
    {"explain", "CODE|NAME", "Say what an error code means, what to look at, what to do.",
     "\"nsws explain all\" lists every code.", FOR_EXPLAIN, 0, 1, 1, run_explain},
};
const size_t command_count = sizeof commands / sizeof *commands;

const struct option_row option_rows[] = {
    {O_BINARY, 'b', "binary", NULL, "send binary messages",
     FOR_CONNECT | FOR_SEND | FOR_LISTEN | FOR_BENCH},
    {O_FILE, 'f', "file", "FILE", "send this file as one message; -: standard input", FOR_SEND},
    {O_TEXT, 0, "text", NULL, "send the file as text", FOR_SEND},
    {O_OUTPUT, 'o', "output", "FILE", "write what is received to FILE, and nothing else",
     FOR_CONNECT | FOR_SEND | FOR_LISTEN},
    {O_REPLIES, 'r', "replies", "N", "wait for N messages before closing (default 0)", FOR_SEND},
    {O_TIMEOUT, 't', "timeout", "TIME", "how long to wait for an answer (default 10s)",
     FOR_SEND | FOR_PING},
    {O_ONCE, '1', "once", NULL, "end when the first connection is over", FOR_LISTEN | FOR_ECHO},
    {O_NAME, 'n', "name", "NAME", "your name in the room (default: the user's)", FOR_CHAT},
    {O_COUNT, 'c', "count", "N", "stop after N on each connection (0: no limit)",
     FOR_PING | FOR_BENCH},
    {O_INTERVAL, 'i', "interval", "TIME", "the time between pings (default 1s)", FOR_PING},
    {O_CONNECTIONS, 'n', "connections", "N", "how many connections to open (default 1)", FOR_BENCH},
    {O_DURATION, 'd', "duration", "TIME", "how long to measure (default 5s)", FOR_BENCH},
    {O_SIZE, 's', "size", "SIZE", "the size of a message (default 64)", FOR_BENCH},
    {O_WINDOW, 'w', "window", "N", "messages under way on a connection (default 1)", FOR_BENCH},
    {O_THREADS, 0, "threads", "N", "I/O threads (default 1)", FOR_BENCH},
    {O_TIMING, 0, "timing", NULL, "show how long each step of connecting took",
     FOR_CONNECT | FOR_SEND | FOR_CHAT},
    {O_PEM, 0, "pem", NULL, "print the certificates as PEM, and nothing else", FOR_CERT},

    {O_HEADER, 'H', "header", "'N: VALUE'", "add a request header; up to 64", CONNECTING},
    {O_PROTOCOL, 'p', "protocol", "LIST", "sub-protocols, separated by commas",
     CONNECTING | SERVING},
    {O_ORIGIN, 0, "origin", "ORIGIN", "the Origin header; '': none", CONNECTING},
    {O_CA, 0, "ca", "FILE", "trust the CAs in this PEM file, not the system's", CONNECTING},
    {O_CERT, 0, "cert", "FILE", "this side's certificate (PEM)", CONNECTING | SERVING},
    {O_KEY, 0, "key", "FILE", "its key (PEM), if not in the same file", CONNECTING | SERVING},
    {O_PIN, 0, "pin", "PINS", "public keys: sha256//BASE64, separated by ;", CONNECTING},
    {O_INSECURE, 'k', "insecure", NULL, "accept any certificate", CONNECTING},
    {O_TLS13, 0, "tls13", NULL, "refuse TLS 1.2", CONNECTING | SERVING},
    {O_PROXY, 'x', "proxy", "URL", "[socks5://][USER:PASSWORD@]HOST[:PORT], or none", CONNECTING},
    {O_NO_PROXY, 0, "no-proxy", "LIST", "hosts to reach without --proxy", CONNECTING},
    {O_PING_INTERVAL, 0, "ping-interval", "TIME", "time between pings (default 30s; 0: none)",
     CONNECTING | SERVING},
    {O_PONG_TIMEOUT, 0, "pong-timeout", "TIME", "how long the peer may be silent (default 30s)",
     CONNECTING | SERVING},
    {O_CONNECT_TIMEOUT, 0, "connect-timeout", "TIME", "how long connecting may take (default 15s)",
     CONNECTING},
    {O_RECONNECT, 0, "reconnect", "N", "try again N times, or forever (default 0)", CONNECTING},
    {O_COMPRESS, 'z', "compress", NULL, "offer or accept permessage-deflate", CONNECTING | SERVING},
    {O_MAX_SIZE, 0, "max-size", "SIZE", "largest message to receive (default 16M)",
     CONNECTING | SERVING},
    {O_ORIGINS, 0, "allow-origins", "LIST", "origins of pages that may connect; '': none", SERVING},
    {O_MAX_CLIENTS, 0, "max-clients", "N", "at most N addresses, N connections each (1000)",
     SERVING},

    {O_JSON, 'j', "json", NULL, "print events as JSON, one object a line", FOR_EVERY},
    {O_COLOR, 0, "color", "WHEN", "use colours: auto, always or never", FOR_EVERY},
    {O_QUIET, 'q', "quiet", NULL, "print only results and errors", FOR_EVERY & ~FOR_EXPLAIN},
    {O_VERBOSE, 'v', "verbose", NULL, "show headers and the library's log",
     FOR_EVERY & ~FOR_EXPLAIN},
    {O_HELP, 'h', "help", NULL, "show this help", FOR_EVERY},
};
const size_t option_row_count = sizeof option_rows / sizeof *option_rows;

const struct command *find_command(const char *name) {
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

bool has_option(const struct command *command, const struct option_row *row) {
    return (row->belongs & (command->bit | command->groups)) != 0;
}

static const struct option_row *find_row(const struct command *command, char letter,
                                         const char *name, size_t length) {
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        bool same = letter != 0
                        ? row->letter == letter
                        : strlen(row->name) == length && memcmp(row->name, name, length) == 0;
        if (same && has_option(command, row)) {
            return row;
        }
    }
    return NULL;
}

static int complain(const struct command *command, const char *what, const char *which) {
    fprintf(stderr, "nsws %s: %s%s; see nsws %s --help\n", command->name, what, which,
            command->name);
    return EXIT_USAGE;
}

static bool add_header(struct options *options, char *value) {
    char *colon = strchr(value, ':');
    if (colon == NULL || options->client.header_count == MAX_HEADERS) {
        return false;
    }
    *colon = '\0';
    nsws_header *header = &options->headers[options->client.header_count++];
    header->name = value;
    header->value = colon + 1 + strspn(colon + 1, " \t");
    return true;
}

/* Sets a size of the library's, which counts in size_t. */
static bool set_size(const char *value, uint64_t *out) {
    return parse_size(value, out) && *out > 0 && *out <= SIZE_MAX / 2;
}

/* Takes the value of an option; false: it can't be one. `client` and `server` are the library's
 * options. */
static bool set_option(struct options *options, enum option_id id, char *value) {
    nsws_connect_options *client = &options->client;
    nsws_server_options *server = &options->server;
    uint64_t size;
    switch (id) {
    case O_HEADER:
        return add_header(options, value);
    case O_PROTOCOL:
        client->protocol = server->protocol = value;
        return true;
    case O_ORIGIN:
        client->origin = value;
        return true;
    case O_CA:
        client->ca_path = value;
        return true;
    case O_CERT:
        client->client_cert_path = server->cert_path = value;
        client->client_key_password = getenv("NSWS_KEY_PASSWORD");
        if (server->key_path == NULL) {
            server->key_path = value;
        }
        return true;
    case O_KEY:
        client->client_key_path = server->key_path = value;
        return true;
    case O_PIN:
        client->pinned_public_keys = value;
        return true;
    case O_INSECURE:
        client->skip_server_cert_verification = 1;
        return true;
    case O_TLS13:
        client->min_tls_version = server->min_tls_version = NSWS_TLS_1_3;
        return true;
    case O_PROXY:
        return parse_proxy(value, client);
    case O_NO_PROXY:
        client->proxy_exclusion_list = value;
        return true;
    case O_PING_INTERVAL:
        if (!parse_time(value, &client->ping_interval_ms)) {
            return false;
        }
        server->ping_interval_ms = client->ping_interval_ms;
        return true;
    case O_PONG_TIMEOUT:
        if (!parse_time(value, &client->pong_timeout_ms)) {
            return false;
        }
        server->pong_timeout_ms = client->pong_timeout_ms;
        return true;
    case O_CONNECT_TIMEOUT:
        return parse_time(value, &client->connect_timeout_ms) && client->connect_timeout_ms > 0;
    case O_RECONNECT:
        if (strcmp(value, "forever") == 0) {
            client->reconnect_max_attempts = NSWS_FOR_EVER;
            return true;
        }
        return parse_number(value, 0, NSWS_FOR_EVER - 1, &client->reconnect_max_attempts);
    case O_COMPRESS:
        client->compression = server->compression = 1;
        return true;
    case O_MAX_SIZE:
        if (!set_size(value, &size)) {
            return false;
        }
        client->max_receive_size = server->max_receive_size = (size_t)size;
        options->max_size_given = true;
        return true;
    case O_ORIGINS:
        server->allowed_origins = value;
        return true;
    case O_MAX_CLIENTS:
        if (!parse_number(value, 1, 1000000, &server->max_concurrent_clients)) {
            return false;
        }
        server->max_connections_per_client = server->max_concurrent_clients;
        return true;
    case O_BINARY:
        options->binary = true;
        return true;
    case O_TEXT:
        options->text = true;
        return true;
    case O_FILE:
        options->file = value;
        return true;
    case O_OUTPUT:
        options->output = value;
        return true;
    case O_REPLIES:
        return parse_number(value, 0, UINT32_MAX, &options->replies);
    case O_TIMEOUT:
        return parse_time(value, &options->timeout_ms);
    case O_ONCE:
        options->once = true;
        return true;
    case O_NAME:
        options->name = value;
        return *value != '\0';
    case O_COUNT:
        return parse_number(value, 0, UINT32_MAX, &options->count);
    case O_INTERVAL:
        return parse_time(value, &options->interval_ms);
    case O_CONNECTIONS:
        return parse_number(value, 1, 100000, &options->connections);
    case O_DURATION:
        return parse_time(value, &options->duration_ms) && options->duration_ms > 0;
    case O_SIZE:
        return parse_size(value, &options->size) && options->size <= 1 << 30;
    case O_WINDOW:
        return parse_number(value, 1, 65536, &options->window);
    case O_THREADS:
        return parse_number(value, 1, 4096, &options->threads);
    case O_TIMING:
        options->timing = true;
        return true;
    case O_PEM:
        options->pem = true;
        return true;
    case O_JSON:
        options->json = true;
        return true;
    case O_QUIET:
        options->quiet = true;
        return true;
    case O_VERBOSE:
        options->verbose = true;
        return true;
    case O_COLOR:
        options->color = strcmp(value, "always") == 0  ? COLOR_ALWAYS
                         : strcmp(value, "never") == 0 ? COLOR_NEVER
                                                       : COLOR_AUTO;
        return options->color != COLOR_AUTO || strcmp(value, "auto") == 0;
    case O_HELP:
        return true;
    }
    return false;
}

static void set_defaults(struct options *options, const struct command *command) {
    memset(options, 0, sizeof *options);
    options->command = command;
    nsws_connect_options_init(&options->client, sizeof options->client);
    nsws_server_options_init(&options->server, sizeof options->server);
    options->client.headers = options->headers;
    options->server.max_concurrent_clients = options->server.max_connections_per_client = 1000;
    options->server.max_upgrades_per_minute = 0;
    options->connections = options->window = options->threads = 1;
    options->timeout_ms = 10000;
    options->interval_ms = 1000;
    options->duration_ms = 5000;
    options->size = 64;
}

/* One option, at argv[*at]; moves to its value if that is a word of its own. */
static int take_option(struct options *options, int argc, char **argv, int *at) {
    const struct command *command = options->command;
    char *word = argv[*at];
    char *value = NULL;
    const struct option_row *row;
    if (word[1] == '-') {
        char *name = word + 2;
        value = strchr(name, '=');
        row = find_row(command, 0, name, value != NULL ? (size_t)(value - name) : strlen(name));
        value = value != NULL ? value + 1 : NULL;
    } else {
        row = find_row(command, word[1], NULL, 0);
        value = word[2] != '\0' ? word + 2 : NULL;
    }
    if (row == NULL) {
        return complain(command, "there is no option ", word);
    }
    if (row->id == O_HELP) {
        return EXIT_HELP;
    }
    if (row->value == NULL && value != NULL) {
        return complain(command, "this option takes no value: ", word);
    }
    if (row->value != NULL && value == NULL) {
        if (*at + 1 == argc) {
            return complain(command, "a value is missing after ", word);
        }
        value = argv[++*at];
    }
    /* A header is cut in two, so a wrong value is shown from a copy. */
    char shown[200];
    snprintf(shown, sizeof shown, "%s: \"%s\"", row->name, value != NULL ? value : "");
    return set_option(options, row->id, value) ? 0 : complain(command, "wrong value for --", shown);
}

int parse_options(struct options *options, const struct command *command, int argc, char **argv) {
    bool only_operands = false;
    set_defaults(options, command);
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            int status = take_option(options, argc, argv, &i);
            if (status != 0) {
                return status;
            }
        } else if (options->operand_count == command->most) {
            return complain(command, "too many arguments: ", word);
        } else {
            options->operands[options->operand_count++] = word;
        }
    }
    if (options->operand_count < command->least) {
        return complain(command, "missing: ", command->operands);
    }
    if (options->output != NULL) {
        options->client.receive_parts = options->server.receive_parts = 1;
        if (!options->max_size_given) { /* the disk is the limit */
            options->client.max_receive_size = options->server.max_receive_size = SIZE_MAX / 2;
        }
    }
    return 0;
}
