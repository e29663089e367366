/* The commands, their options and what was asked for: one table, of which help, man page and
 * completions are made. */

#ifndef NSWS_TOOL_OPTIONS_H
#define NSWS_TOOL_OPTIONS_H

#include <netstack_websocket.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_HEADERS = 64, MAX_OPERANDS = 64 };

/* What an option belongs to: commands, and the two groups that several commands share. */
enum {
    FOR_CONNECT = 1 << 0,
    FOR_SEND = 1 << 1,
    FOR_LISTEN = 1 << 2,
    FOR_ECHO = 1 << 3,
    FOR_CHAT = 1 << 4,
    FOR_BENCH = 1 << 5,
    FOR_PING = 1 << 6,
    FOR_CERT = 1 << 7,
    FOR_EXPLAIN = 1 << 8,
    FOR_EVERY = (1 << 9) - 1,
    CONNECTING = 1 << 9,
    SERVING = 1 << 10,
};

enum option_id {
    O_HEADER,
    O_PROTOCOL,
    O_ORIGIN,
    O_CA,
    O_CERT,
    O_KEY,
    O_PIN,
    O_INSECURE,
    O_TLS13,
    O_PROXY,
    O_NO_PROXY,
    O_PING_INTERVAL,
    O_PONG_TIMEOUT,
    O_CONNECT_TIMEOUT,
    O_COMPRESS,
    O_RECONNECT,
    O_MAX_SIZE,
    O_ORIGINS,
    O_MAX_CLIENTS,
    O_BINARY,
    O_TEXT,
    O_FILE,
    O_OUTPUT,
    O_REPLIES,
    O_TIMEOUT,
    O_ONCE,
    O_NAME,
    O_COUNT,
    O_INTERVAL,
    O_CONNECTIONS,
    O_DURATION,
    O_SIZE,
    O_WINDOW,
    O_THREADS,
    O_TIMING,
    O_PEM,
    O_JSON,
    O_QUIET,
    O_VERBOSE,
    O_COLOR,
    O_HELP,
};

struct option_row {
    enum option_id id;
    char letter; /* 0: none */
    const char *name;
    const char *value; /* NULL: it takes none */
    const char *text;
    unsigned belongs;
};

struct options;

struct command {
    const char *name;
    const char *operands;
    const char *text;
    const char *more; /* for --help, after the options; lines of less than 80 columns */
    unsigned bit;
    unsigned groups; /* CONNECTING, SERVING */
    int least, most; /* operands */
    int (*run)(struct options *options);
};

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
    const struct command *command;
    nsws_connect_options client;
    nsws_server_options server;
    nsws_header headers[MAX_HEADERS];
    const char *operands[MAX_OPERANDS];
    int operand_count;
    bool binary, text, once, timing, pem, json, quiet, verbose, max_size_given;
    enum color color;
    const char *file, *output, *name;
    uint32_t replies, count, connections, window, threads;
    uint32_t timeout_ms, interval_ms, duration_ms;
    uint64_t size;
};

extern const struct command commands[];
extern const struct option_row option_rows[];
extern const size_t command_count, option_row_count;

const struct command *find_command(const char *name);
bool has_option(const struct command *command, const struct option_row *row);

/* Fills `options` from the words behind the command. Returns 0, or the exit code after a sentence;
 * EXIT_HELP for --help. */
enum { EXIT_HELP = -1 };
int parse_options(struct options *options, const struct command *command, int argc, char **argv);

/* "500ms", "30s", "2m", "1h"; a number alone is seconds. False: it is none, or above the most that
 * fits. */
bool parse_time(const char *text, uint32_t *out_ms);
/* "100", "64K", "16M", "1G". */
bool parse_size(const char *text, uint64_t *out);
bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out);
/* http://USER:PASSWORD@HOST:PORT, socks5://..., or "none". */
bool parse_proxy(const char *text, nsws_connect_options *client);
/* PORT, ADDRESS:PORT or [ADDRESS]:PORT. */
bool parse_address(const char *text, nsws_server_options *server);

/* Prints help to `out`; false when there is no such topic. NULL: the overview. */
bool print_help(FILE *out, const char *topic);
/* One line for each command and option, separated by tabs, for the generator of man page and
 * completions. */
void print_table(void);

#endif
