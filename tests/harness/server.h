/*
 * A server whose events are recorded and can be waited for, and its clients: this library's, others (other.h), and raw sockets
 * (raw_socket.h).
 */
#ifndef HARNESS_SERVER_H
#define HARNESS_SERVER_H

#include "harness.h"
#include "other.h"
#include "raw_socket.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum server_kind { ON_CONNECT, ON_MESSAGE, ON_CLOSE, ON_ERROR, ON_DRAIN, SERVER_KINDS };
extern const char *const server_kind_names[SERVER_KINDS];

struct server_event {
    enum server_kind kind;
    nsws_connection connection;
    /* Its place among all events. */
    size_t place;
    size_t struct_size;
    /* The code of close and error. */
    int32_t code;
    int32_t detail, phase, os_error;
    int is_text, was_clean;
    /* The payload, reason or sentence; NUL-terminated besides. */
    char *text;
    size_t length;
    char *ip, *path, *protocol;
    uint16_t port;
    struct header_list headers;
    size_t queued_bytes;
};

struct server {
    nsws_server handle;
    /* Where it listens. */
    uint16_t port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct server_event **events;
    size_t count, capacity;
    size_t counts[SERVER_KINDS];
    int running, overlaps, freed, destroyed;
    /* Messages are sent back; how many were refused because the queue was full. */
    int echo;
    long refused;
    /* Called in the callback, after the event was recorded. */
    void (*hook)(struct server *, const struct server_event *);
    void *hook_data;
    struct server *next;
};

/* A server whose events are recorded. The end of the test destroys it. */
struct server *new_server(void);

/* The callbacks that new_server() registers; a test may replace one. */
void server_on_connect(nsws_server server, nsws_connection connection, const nsws_connect_event *e, void *user);
void server_on_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user);
void server_on_close(nsws_server server, nsws_connection connection, const nsws_close_event *e, void *user);
void server_on_error(nsws_server server, nsws_connection connection, const nsws_error_event *e, void *user);
void server_on_drain(nsws_server server, nsws_connection connection, const nsws_drain_event *e, void *user);

/* Options: on loopback alone, without limits that a test would reach by chance. */
nsws_server_options server_defaults(void);
int server_starts(const char *file, int line, struct server *s, const nsws_server_options *options);

/* Starts a server, with these options or, if NULL, server_defaults(); returns whether that worked. */
#define START(server, options) server_starts(__FILE__, __LINE__, server, options)

/* A server that listens; NULL, and a failed check, when it can't. */
struct server *started_server(const nsws_server_options *options);
size_t server_count(struct server *s, enum server_kind kind);

/* The same of all servers of the test. */
size_t servers_count(enum server_kind kind);

/* The events so far, or those of one connection: "connect message close". */
const char *server_order(struct server *s, nsws_connection of);
/* Where all connections are meant. */
extern const nsws_connection every_connection;

/* The nth event of a kind, from 1, of one connection or of all; NULL when it isn't there. */
const struct server_event *server_find(struct server *s, nsws_connection of, enum server_kind kind, size_t nth);
const struct server_event *server_wait(const char *file, int line, struct server *s, nsws_connection of,
                                       enum server_kind kind, size_t nth);

/* The nth event of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define SERVER_WAIT(server, kind, nth) server_wait(__FILE__, __LINE__, server, every_connection, kind, nth)

/* The same, of one connection. */
#define SERVER_WAIT_OF(server, connection, kind, nth) server_wait(__FILE__, __LINE__, server, connection, kind, nth)
int server_wait_freed(const char *file, int line, struct server *s, int count);
#define SERVER_WAIT_FREED(server, count) server_wait_freed(__FILE__, __LINE__, server, count)

/* The value of a connect event's header, the first of that name; NULL when it has none. */
const char *header_of(const struct server_event *event, const char *name);

/* Destroys a recorded server before the end of the test does. */
void destroy_server(struct server *s);

/* How many connections the server lists. */
size_t listed(struct server *s);

/* A URL of the server. It stays valid for the next seven calls. */
const char *url_of(struct server *s, const char *path);
struct recorder *open_client_at(const char *file, int line, struct server *s, const char *path);

/* One of this library's clients, connected to the server; NULL, and a failed check, when it isn't. */
#define OPEN_CLIENT(server, path) open_client_at(__FILE__, __LINE__, server, path)

#endif
