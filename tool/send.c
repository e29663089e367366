/* Sends what it was given, waits for as many replies as it was told, and closes: nsws send. */

#include "clock.h"
#include "commands.h"
#include "exits.h"
#include "input.h"
#include "session.h"
#include "show.h"
#include "transfer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct errand {
    struct session session;
    struct transfer transfer;
    const struct options *options;
    int next;      /* operand */
    char *pending; /* a line that had no room in the queue */
    size_t pending_length;
    uint64_t deadline_us; /* for the replies; 0: not all is sent yet */
};

enum source { OPERANDS, FILE_AS_MESSAGE, LINES };

static enum source source_of(const struct options *options) {
    return options->file != NULL ? FILE_AS_MESSAGE : options->operand_count > 1 ? OPERANDS : LINES;
}

/* Each returns whether all has been accepted. */
static bool send_operands(struct errand *errand) {
    const struct options *options = errand->options;
    bool refused = false;
    while (errand->next < options->operand_count) {
        const char *message = options->operands[errand->next];
        if (!session_send(&errand->session, message, strlen(message), !options->binary, &refused)) {
            break;
        }
        errand->next++;
    }
    if (refused) {
        session_give_up(&errand->session, EXIT_USAGE);
    }
    return errand->next == options->operand_count;
}

static bool send_lines(struct errand *errand) {
    bool refused = false;
    while (!errand->session.stalled && errand->session.opened && !refused) {
        char *line = errand->pending;
        size_t length = errand->pending_length;
        if (line == NULL && (line = input_line(&length)) == NULL) {
            return input_ended();
        }
        errand->pending = NULL;
        if (session_send(&errand->session, line, length, !errand->options->binary, &refused)) {
            free(line);
        } else {
            errand->pending = line;
            errand->pending_length = length;
        }
    }
    if (refused) {
        session_give_up(&errand->session, EXIT_USAGE);
    }
    return false;
}

static bool send_file(struct errand *errand, bool ready) {
    transfer_step(&errand->transfer, &errand->session, ready);
    if (errand->transfer.failed) {
        session_give_up(&errand->session, EXIT_USAGE);
    }
    return !errand->transfer.active && !errand->transfer.failed;
}

static bool send_more(struct errand *errand, enum source source, bool ready) {
    switch (source) {
    case OPERANDS:
        return send_operands(errand);
    case FILE_AS_MESSAGE:
        return send_file(errand, ready);
    default:
        if (ready) {
            input_read();
        }
        return send_lines(errand);
    }
}

/* After everything was accepted: closes once it has gone out and the replies are there, or the time
 * has run out. */
static void wait_for_replies(struct errand *errand) {
    struct session *session = &errand->session;
    if (errand->deadline_us == 0) {
        errand->deadline_us = clock_us() + (uint64_t)errand->options->timeout_ms * 1000;
    }
    if (session_queued(session) >
        0) { /* the timeout is for the replies, and that of closing is short */
        errand->deadline_us = clock_us() + (uint64_t)errand->options->timeout_ms * 1000;
        return;
    }
    if (session->received >= errand->options->replies) {
        session_close(session, 1000, "");
    } else if (clock_us() >= errand->deadline_us) {
        show_failure("%llu of %u replies after the timeout", (unsigned long long)session->received,
                     errand->options->replies);
        session_give_up(session, EXIT_TIMEOUT);
    }
}

static int input_of(const struct errand *errand, enum source source) {
    const struct session *session = &errand->session;
    if (!session->opened || session->stalled || session->closing) {
        return -1;
    }
    if (source == LINES) {
        return input_ended() || errand->pending != NULL ? -1 : STDIN_FILENO;
    }
    return source == FILE_AS_MESSAGE ? transfer_input(&errand->transfer) : -1;
}

static void run(struct errand *errand, enum source source) {
    struct session *session = &errand->session;
    bool sent = false;
    while (!session->over) {
        bool busy =
            session->opened &&
            (sent || source == FILE_AS_MESSAGE); /* something to look at while no news comes */
        bool ready =
            session_wait(session, input_of(errand, source), busy && !session->closing ? 50 : -1);
        if (!session->opened || session->closing) {
            continue;
        }
        if (!sent && !session->stalled) {
            sent = send_more(errand, source, ready);
        }
        if (source == FILE_AS_MESSAGE) {
            transfer_show(&errand->transfer, session);
        }
        if (sent && !session->closing) {
            wait_for_replies(errand);
        }
    }
    if (session->exit == EXIT_OK && (!sent || session->received < errand->options->replies)) {
        show_failure("the server closed the connection before all was done");
        session->exit = EXIT_CLOSED;
    }
}

int run_send(struct options *options) {
    struct errand *errand = calloc(1, sizeof *errand);
    enum source source = source_of(options);
    if (errand == NULL) {
        abort();
    }
    errand->options = options;
    errand->next = 1;
    if (source == FILE_AS_MESSAGE && options->operand_count > 1) {
        fputs("nsws send: either messages or --file\n", stderr);
        free(errand);
        return EXIT_USAGE;
    }
    bool ready = source != FILE_AS_MESSAGE ||
                 transfer_start(&errand->transfer, options->file, options->text);
    int exit = EXIT_USAGE;
    if (ready) {
        if (session_start(&errand->session, options, options->operands[0])) {
            run(errand, source);
        }
        exit = session_end(&errand->session);
    }
    free(errand->pending);
    free(errand);
    return exit;
}
