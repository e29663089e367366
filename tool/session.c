#include "session.h"

#include "exits.h"
#include "show.h"

#include <stdlib.h>

bool session_start(struct session *session, const struct options *options, const char *url) {
    *session = (struct session){.options = options, .exit = EXIT_UNKNOWN};
    if (!show_start(options)) {
        session->exit = EXIT_FAILED;
        return false;
    }
    int32_t code = nsws_client_create(&session->client);
    if (code == NSWS_OK && !news_listen_to_client(session->client)) {
        code = NSWS_ERR_NO_RESOURCES;
    }
    if (code == NSWS_OK) {
        show_connecting(url);
        code = nsws_client_connect(session->client, url, &options->client);
    }
    if (code != NSWS_OK) {
        show_call_failure(show_url(url));
        session->exit = exit_of_call(code);
    }
    return code == NSWS_OK;
}

static void conclude(struct session *session, int exit) {
    session->over = true;
    if (session->exit == EXIT_UNKNOWN) {
        session->exit = exit;
    }
}

static int exit_of_close(const struct news *news) {
    if (!news->was_clean) {
        return EXIT_BROKEN;
    }
    return news->code == 1000 || news->code == 1001 || news->code == 1005 ? EXIT_OK : EXIT_CLOSED;
}

static void follow(struct session *session, const struct news *news) {
    switch (news->kind) {
    case NEWS_OPEN:
        session->opened = true;
        session->stalled = false;
        break;
    case NEWS_DRAIN:
        session->stalled = false;
        break;
    case NEWS_MESSAGE:
        session->received += news->is_last;
        break;
    case NEWS_CLOSE:
        session->opened = false;
        if (news->state == NSWS_STATE_IDLE) {
            conclude(session, exit_of_close(news));
        }
        break;
    case NEWS_ERROR:
        if (news->state == NSWS_STATE_IDLE) {
            conclude(session, exit_of_attempt(news->code, news->detail, news->phase));
        }
        break;
    default:
        break;
    }
}

bool session_wait(struct session *session, int fd, int timeout_ms) {
    struct news *news;
    bool ready = news_wait(fd, timeout_ms);
    while ((news = news_take()) != NULL) {
        show_news(news, 0);
        follow(session, news);
        free(news);
    }
    if (interrupts() > 0 && !session->closing && !session->over) {
        session_give_up(session, session->resting ? EXIT_OK : EXIT_INTERRUPTED);
    }
    return ready && !session->over;
}

bool session_send(struct session *session, const void *data, size_t length, bool is_text,
                  bool *out_refused) {
    int32_t code = is_text ? nsws_client_send_text(session->client, data, length)
                           : nsws_client_send_binary(session->client, data, length);
    *out_refused = false;
    if (code == NSWS_OK) {
        show_sent(is_text, length);
    } else if (code == NSWS_ERR_QUEUE_FULL) {
        session->stalled = true;
    } else if (code == NSWS_ERR_NOT_CONNECTED) {
        session->opened = false; /* `close` is on its way */
    } else {
        show_call_failure("not sent");
        *out_refused = true;
    }
    return code == NSWS_OK;
}

void session_close(struct session *session, uint16_t code, const char *reason) {
    int32_t result = nsws_client_close(session->client, code, reason);
    if (result == NSWS_OK) {
        session->closing = true;
    } else if (result == NSWS_ERR_PARAMETER) {
        show_call_failure("not closed");
    }
}

void session_give_up(struct session *session, int exit) {
    if (session->exit == EXIT_UNKNOWN) {
        session->exit = exit;
    }
    session->closing = true;
    nsws_client_close(session->client, 1000, "");
}

uint64_t session_queued(const struct session *session) {
    nsws_client_stats stats;
    return nsws_client_get_stats(session->client, &stats, sizeof stats) == NSWS_OK
               ? stats.queued_bytes
               : 0;
}

int session_end(struct session *session) {
    news_stop();
    nsws_client_destroy(session->client);
    nsws_shutdown(5000);
    if (!show_end() && session->exit == EXIT_OK) {
        session->exit = EXIT_FAILED;
    }
    return session->exit == EXIT_UNKNOWN ? EXIT_FAILED : session->exit;
}
