/*
 * A connection of the library, as a client or as a server, whose other end is a plain socket of the test: what is true of frames
 * is true in both roles, over ws and over wss. Programs that include this run with --peers python.
 */
#ifndef HARNESS_PAIR_H
#define HARNESS_PAIR_H

#include "server.h"

/* What the library is. */
enum role { AS_CLIENT, AS_SERVER, ROLES };
extern const char *const role_names[ROLES];

struct pair {
    enum role role;
    int wss;
    /* The library's client, or its server and that one's connection. */
    struct recorder *r;
    struct server *s;
    nsws_connection connection;
    /* In its listener: the server's connection that the message came from. */
    nsws_connection talking;
    /* Replaces the recording of messages, which keeps them all. */
    void (*on_message)(struct pair *, const nsws_message_event *);
    void *data;
    struct counter messages, bytes;
    /* The peer's end, and what was read from it but not yet taken. */
    int fd;
    /* The library's, once it was asked for. */
    int library_fd;
    size_t from, to;
    unsigned char in[16384];
};

struct pair_options {
    nsws_connect_options client;
    nsws_server_options server;
    int wss;
    /* What the peer offers as a client, and answers with as a server; NULL: no extensions. */
    const char *extensions;
    void (*on_message)(struct pair *, const nsws_message_event *);
    void *data;
};

struct pair_options pair_defaults(void);

/* Sets what both roles have. */
#define SET(options, member, value) ((options).client.member = (options).server.member = (value))

/* The listeners of a pair, which call its on_message. */
void pair_client_message(nsws_client client, const nsws_message_event *e, void *user);
void pair_server_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user);
struct pair *new_pair(enum role role, const struct pair_options *options);
int pair_opens(const char *file, int line, struct pair *p, const struct pair_options *options);
struct pair *open_pair_at(const char *file, int line, enum role role, const struct pair_options *options);

/* A connection of the library and the other end; NULL, and a failed check, when it doesn't open. */
#define OPEN_PAIR(role, options) open_pair_at(__FILE__, __LINE__, role, options)
struct pair *join_at(const char *file, int line, struct pair *first, const char *from, const struct pair_options *options);

/* One more connection to the server of a pair, from an address of loopback. */
#define JOIN(first, from, options) join_at(__FILE__, __LINE__, first, from, options)

/* Closes the peer's end. */
void peer_leaves(struct pair *p);
/* The same, and destroys the library's client or server: none of its callbacks runs afterwards. */
void pair_ends(struct pair *p);

/* The head of a frame as the peer writes it; what follows may differ from the length that is announced. */
size_t peer_head(const struct pair *p, unsigned char *frame, int first, uint64_t length);
size_t peer_frame(const struct pair *p, unsigned char *frame, int first, const void *data, size_t length);
int peer_send(struct pair *p, int first, const void *data, size_t length);
int peer_closes(struct pair *p, int code, const char *reason);

/* Frames that go out in one write. */
struct batch {
    unsigned char *bytes;
    size_t size, capacity;
};

void batch_frame(const struct pair *p, struct batch *b, int first, const void *data, size_t length);
int batch_send(struct pair *p, struct batch *b);
int peer_read(struct pair *p, void *data, size_t length);

/* Reads the next frame that the library sends, of a long payload what there is room for; returns whether there was one. */
int peer_receive(struct pair *p, struct frame *frame);

/* The same for the next frame with this first byte; others are skipped. */
int peer_receive_kind(struct pair *p, int first, struct frame *frame);

/* The code of the library's close frame; 1005 when it holds none, 0 when none comes. */
int peer_close_code(struct pair *p);

/* Checks that a ping is answered by a pong with its payload; what comes before it is skipped. */
int peer_is_answered(const char *file, int line, struct pair *p, const char *payload);
#define IS_ANSWERED(pair, payload) peer_is_answered(__FILE__, __LINE__, pair, payload)

/* Calls to the library. */
int32_t pair_send(struct pair *p, const void *data, size_t length, int is_text);
int32_t pair_close(struct pair *p, int code, const char *reason);
int32_t pair_pause(struct pair *p);
int32_t pair_resume(struct pair *p);
int32_t pair_cork(struct pair *p);
int32_t pair_uncork(struct pair *p);

struct figures {
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received, queued_bytes;
};

struct figures pair_figures(struct pair *p);

/* An event of either role. */
struct told {
    int came;
    int32_t code, detail, phase;
    int was_clean, is_text;
    const char *text;
    size_t length;
};

struct told pair_wait(const char *file, int line, struct pair *p, enum kind client, enum server_kind server, size_t nth);
#define PAIR_MESSAGE(pair, nth) pair_wait(__FILE__, __LINE__, pair, MESSAGE, ON_MESSAGE, nth)
#define PAIR_CLOSE(pair) pair_wait(__FILE__, __LINE__, pair, CLOSE, ON_CLOSE, 1)
#define PAIR_ERROR(pair) pair_wait(__FILE__, __LINE__, pair, ERROR, ON_ERROR, 1)
#define PAIR_DRAIN(pair, nth) pair_wait(__FILE__, __LINE__, pair, DRAIN, ON_DRAIN, nth)

/* How many events of a kind there were so far. */
size_t pair_count(struct pair *p, enum kind client, enum server_kind server);
#define PAIR_ERRORS(pair) pair_count(pair, ERROR, ON_ERROR)
#define PAIR_CLOSES(pair) pair_count(pair, CLOSE, ON_CLOSE)
#define PAIR_MESSAGES(pair) pair_count(pair, MESSAGE, ON_MESSAGE)

/* How much of what the peer wrote the library has not read: what is on its way, and what waits in its socket. */
long peer_unread(struct pair *p);

/* Writes a unit again and again until the library hasn't read for half a second; returns how many bytes were written. The
 * last unit may be cut. */
size_t peer_fills(struct pair *p, const void *unit, size_t size, size_t most);

/* Runs what follows in both roles, one after the other. */
#define BOTH_ROLES(role) for (enum role role = AS_CLIENT; role < ROLES; role++)

#endif
