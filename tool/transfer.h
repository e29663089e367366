/* Sends a file as one message, in parts, so that it needn't fit into memory. */

#ifndef NSWS_TOOL_TRANSFER_H
#define NSWS_TOOL_TRANSFER_H

#include "session.h"

struct transfer {
    bool active; /* begun and not all accepted */
    bool failed; /* it can't go on: after a sentence */
    bool is_text;
    int fd;
    uint64_t size, accepted;
    bool size_is_known;
    size_t held; /* bytes that were read and not accepted */
    bool at_end; /* nothing is left to be read */
    uint8_t buffer[64 * 1024];
};

/* "-" is standard input. False after a sentence. */
bool transfer_start(struct transfer *transfer, const char *path, bool is_text);
/* What to wait for before the next step: the descriptor of a pipe or terminal, or -1. */
int transfer_input(const struct transfer *transfer);
/* Sends until the session is stalled or all is accepted. `ready`: there is input on
 * transfer_input(). */
void transfer_step(struct transfer *transfer, struct session *session, bool ready);
void transfer_show(const struct transfer *transfer, const struct session *session);

#endif
