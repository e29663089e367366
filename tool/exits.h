/* The exit codes, which scripts may rely on. */

#ifndef NSWS_TOOL_EXITS_H
#define NSWS_TOOL_EXITS_H

#include <stdint.h>

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NETWORK = 3,
    EXIT_TLS = 4,
    EXIT_HANDSHAKE = 5,
    EXIT_PROXY = 6,
    EXIT_TIMEOUT = 7,
    EXIT_BROKEN = 8,
    EXIT_CLOSED = 9,
    EXIT_LISTEN = 10,
    EXIT_INTERRUPTED = 130,
};

struct exit_row {
    int code;
    const char *text;
};

extern const struct exit_row exit_rows[]; /* ends with a NULL text */

/* The exit code for a call that failed. */
int exit_of_call(int32_t code);
/* The exit code for an attempt to connect that failed. */
int exit_of_attempt(int32_t code, int32_t detail, int32_t phase);

#endif
