/* Lines that are typed go to the server, what arrives is printed: nsws connect, and the guests of
 * nsws chat. */

#include "commands.h"
#include "exits.h"
#include "input.h"
#include "session.h"
#include "show.h"
#include "transfer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char commands_text[] =
    "/ping [TEXT]            send a ping; /stats shows how long the answer took\n"
    "/file PATH              send a file as a binary message; /text PATH as text\n"
    "/stats                  the connection's figures\n"
    "/close [CODE [REASON]]  close; so does the end of input, Ctrl-D\n"
    "//WORDS                 send /WORDS";

struct talk {
    struct session session;
    struct transfer transfer;
    const char *prefix;
    char *pending; /* a line that had no room in the queue */
    size_t pending_length;
};

/* "/close 4000 that's all": cuts the word behind the command off. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static void close_as_told(struct talk *talk, char *rest) {
    uint32_t code = 1000;
    char *word = next_word(&rest);
    if (*word != '\0' && !parse_number(word, 1000, 4999, &code)) {
        show_failure("\"%s\" is no close code: 1000 to 4999", word);
        return;
    }
    session_close(&talk->session, (uint16_t)code, rest);
}

static void obey(struct talk *talk, char *line) {
    char *rest = line + 1;
    char *command = next_word(&rest);
    if (strcmp(command, "ping") == 0) {
        if (nsws_client_ping(talk->session.client, rest, strlen(rest)) != NSWS_OK) {
            show_call_failure("no ping");
        }
    } else if (strcmp(command, "file") == 0 || strcmp(command, "text") == 0) {
        transfer_start(&talk->transfer, rest, *command == 't');
    } else if (strcmp(command, "stats") == 0) {
        show_stats(talk->session.client);
    } else if (strcmp(command, "close") == 0 || strcmp(command, "quit") == 0) {
        close_as_told(talk, rest);
    } else if (strcmp(command, "help") == 0) {
        input_hide();
        puts(commands_text);
        input_show();
    } else {
        show_failure("there is no /%s; /help lists the commands", command);
    }
}

/* False: the line waits for room. */
static bool take_line(struct talk *talk, char *line, size_t length) {
    bool refused;
    if (input_is_typed() && line[0] == '/' && line[1] != '/') {
        obey(talk, line);
        return true;
    }
    if (input_is_typed() && line[0] == '/') {
        line++;
        length--;
    }
    bool is_text = !talk->session.options->binary;
    if (*talk->prefix == '\0') {
        return session_send(&talk->session, line, length, is_text, &refused) || refused;
    }
    size_t before = strlen(talk->prefix);
    char *whole = malloc(before + length + 1);
    if (whole == NULL) {
        abort();
    }
    memcpy(whole, talk->prefix, before);
    memcpy(whole + before, line, length);
    bool sent = session_send(&talk->session, whole, before + length, true, &refused);
    free(whole);
    return sent || refused;
}

static bool can_send(const struct talk *talk) {
    return talk->session.opened && !talk->session.stalled && !talk->session.closing &&
           !talk->transfer.active;
}

static void take_lines(struct talk *talk) {
    while (can_send(talk)) {
        size_t length = talk->pending_length;
        char *line = talk->pending != NULL ? talk->pending : input_line(&length);
        talk->pending = NULL;
        if (line == NULL) {
            if (input_ended()) {
                session_close(&talk->session, 1000, "");
            }
            return;
        }
        if (take_line(talk, line, length)) {
            free(line);
        } else {
            talk->pending = line;
            talk->pending_length = length;
        }
    }
}

int converse(struct options *options, const char *url, const char *prefix) {
    struct talk *talk = calloc(1, sizeof *talk);
    if (talk == NULL) {
        abort();
    }
    talk->prefix = prefix;
    if (session_start(&talk->session, options, url)) {
        struct session *session = &talk->session;
        bool started = false;
        while (!session->over) {
            int fd =
                can_send(talk) && !input_ended() ? STDIN_FILENO : transfer_input(&talk->transfer);
            bool ready = session_wait(session, fd, talk->transfer.active ? 100 : -1);
            if (session->opened && !started) {
                started = true;
                if (!options->json) {
                    input_start("> ");
                }
            }
            if (talk->transfer.active) {
                transfer_step(&talk->transfer, session, ready);
                if (talk->transfer.active) {
                    transfer_show(&talk->transfer, session);
                } else if (!talk->transfer.failed) {
                    show_note("Sent %" PRIu64 " bytes.", talk->transfer.accepted);
                }
            } else if (ready) {
                input_read();
            }
            take_lines(talk);
        }
        input_stop();
    }
    int exit = session_end(&talk->session);
    free(talk->pending);
    free(talk);
    return exit;
}

int run_connect(struct options *options) {
    return converse(options, options->operands[0], "");
}
