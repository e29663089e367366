/* One client and what has become of it; the commands that connect are loops around session_wait().
 */

#ifndef NSWS_TOOL_SESSION_H
#define NSWS_TOOL_SESSION_H

#include "news.h"
#include "options.h"

enum { EXIT_UNKNOWN = -1 };

struct session {
    const struct options *options;
    nsws_client client;
    bool opened;       /* it can send */
    bool stalled;      /* the queue is full; `drain` follows */
    bool closing;      /* session_close() was called */
    bool over;         /* nothing more will happen */
    bool resting;      /* SIGINT is no failure */
    uint64_t received; /* messages */
    int exit;          /* EXIT_UNKNOWN until something says it */
};

/* False after a sentence; `exit` says why. Call session_end() in either case. */
bool session_start(struct session *session, const struct options *options, const char *url);
/* Waits as news_wait(), then shows all the news and follows them. Returns whether there is input on
 * `fd`. */
bool session_wait(struct session *session, int fd, int timeout_ms);
/* Sends a message; false when it was not accepted: then the session is stalled, closing or over, or
 * the message can't be sent
 * (`*out_refused`), which a sentence has said. */
bool session_send(struct session *session, const void *data, size_t length, bool is_text,
                  bool *out_refused);
void session_close(struct session *session, uint16_t code, const char *reason);
/* Closes for a reason of the tool's own, which becomes the exit code. */
void session_give_up(struct session *session, int exit);
/* Whether all that was accepted has gone out. */
uint64_t session_queued(const struct session *session);
/* Ends it all and returns the exit code. */
int session_end(struct session *session);

/* Sends typed lines, each behind `prefix`, until the end: connect, and chat. */
int converse(struct options *options, const char *url, const char *prefix);

#endif
