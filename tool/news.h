/* What the library's callbacks tell the main thread: a queue, on which the main thread waits beside
 * its input. */

#ifndef NSWS_TOOL_NEWS_H
#define NSWS_TOOL_NEWS_H

#include <netstack_websocket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum news_kind {
    NEWS_HEADER,
    NEWS_OPEN,
    NEWS_MESSAGE, /* a message, or a part of one */
    NEWS_CLOSE,
    NEWS_ERROR,
    NEWS_DRAIN,
    NEWS_RECONNECTING,
    NEWS_CONNECT, /* a server's */
    NEWS_LOG,
    NEWS_DONE, /* a benchmark's connection has all its answers */
};

struct news {
    struct news *next;
    enum news_kind kind;
    nsws_client client;
    nsws_connection connection;
    int32_t code, detail, phase, os_error,
        http_status; /* an error; `code` is also a status or a close code */
    int32_t state;   /* the client's, inside the callback */
    uint32_t attempt, delay_ms;
    bool is_text, is_first, is_last, was_clean;
    uint16_t port;
    nsws_client_stats stats; /* of `open` */
    /* Strings, each within `data`: what they are depends on the kind. */
    const char *text, *protocol, *extensions, *path;
    size_t header_count; /* at `headers`: name NUL value NUL ... */
    const char *headers;
    size_t length; /* of a payload, at `data` */
    uint8_t data[];
};

/* Once, before the first object. False: there is no pipe. It also makes SIGINT and SIGTERM news. */
bool news_start(void);
/* From now on nothing is queued, and nobody waits for room: before objects are destroyed. */
void news_stop(void);

/* Waits for news, an interrupt or, if `fd` isn't -1, input on it: until then, or `timeout_ms` (-1:
 * for ever). Returns whether there is input. */
bool news_wait(int fd, int timeout_ms);
/* The oldest, or NULL. Free it with free(). */
struct news *news_take(void);
/* How often the program was interrupted. */
int interrupts(void);

/* For callbacks: takes ownership. Waits while the queue is full, which makes the peer wait. */
void news_push(struct news *news);
/* A piece of news with room for `room` bytes; never NULL. */
struct news *news_new(enum news_kind kind, size_t room);
/* The callbacks of a client, all of which push. */
bool news_listen_to_client(nsws_client client);
bool news_listen_to_server(nsws_server server); /* all but its messages */
bool news_listen_to_messages(nsws_server server);
void news_listen_to_log(void);

#endif
