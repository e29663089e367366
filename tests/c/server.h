/*
 * What the server's tests are made of, beside harness.h: a server whose events are recorded and can be waited
 * for, and its clients: this library's, others (the programs that run.py names), and raw sockets.
 */
#ifndef SERVER_H
#define SERVER_H

#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/* ASan keeps what is freed, so the resident memory says nothing. */
#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_COUNTS = 0 };
#else
enum { MEMORY_COUNTS = 1 };
#endif

/* The recorded server. */

enum server_kind { ON_CONNECT, ON_MESSAGE, ON_CLOSE, ON_ERROR, ON_DRAIN, SERVER_KINDS };

static const char *const server_kind_names[SERVER_KINDS] = { "connect", "message", "close", "error", "drain" };

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
    char **names, **values;
    size_t header_count;
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

static struct server *harness_servers;

HARNESS struct server_event *server_event_new(struct server *s, enum server_kind kind, nsws_connection connection, size_t size) {
    struct server_event *event = calloc(1, sizeof *event);
    event->kind = kind;
    event->connection = connection;
    event->struct_size = size;
    if (__atomic_add_fetch(&s->running, 1, __ATOMIC_SEQ_CST) != 1)
        __atomic_add_fetch(&s->overlaps, 1, __ATOMIC_SEQ_CST);
    return event;
}

HARNESS void server_record(struct server *s, struct server_event *event) {
    pthread_mutex_lock(&s->lock);
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 16;
        s->events = realloc(s->events, s->capacity * sizeof *s->events);
    }
    event->place = s->count;
    s->events[s->count++] = event;
    s->counts[event->kind]++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->hook) s->hook(s, event);
    __atomic_sub_fetch(&s->running, 1, __ATOMIC_SEQ_CST);
}

HARNESS void server_on_connect(nsws_server server, nsws_connection connection, const nsws_connect_event *e, void *user) {
    struct server *s = user;
    struct server_event *event = server_event_new(s, ON_CONNECT, connection, e->struct_size);
    CHECK_INT(server.id, s->handle.id);
    event->ip = copy_text(e->client_ip);
    event->port = e->client_port;
    event->path = copy_text(e->path);
    event->protocol = copy_text(e->protocol);
    event->header_count = e->header_count;
    event->names = calloc(e->header_count + 1, sizeof *event->names);
    event->values = calloc(e->header_count + 1, sizeof *event->values);
    for (size_t i = 0; i < e->header_count; i++) {
        event->names[i] = copy_text(e->headers[i].name);
        event->values[i] = copy_text(e->headers[i].value);
    }
    server_record(s, event);
}

HARNESS void server_on_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user) {
    struct server *s = user;
    struct server_event *event = server_event_new(s, ON_MESSAGE, connection, e->struct_size);
    (void)server;
    CHECK(e->data != NULL);
    event->is_text = e->is_text;
    event->length = e->length;
    event->text = copy_bytes(e->data, e->length);
    if (s->echo) {
        int32_t code = e->is_text ? nsws_connection_send_text(connection, (const char *)e->data, e->length)
                                  : nsws_connection_send_binary(connection, e->data, e->length);
        if (code == NSWS_ERR_QUEUE_FULL) s->refused++;
        /* The client may be gone, or the server stopping. */
        else CHECK(code == NSWS_OK || code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_BAD_HANDLE);
    }
    server_record(s, event);
}

HARNESS void server_on_close(nsws_server server, nsws_connection connection, const nsws_close_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_CLOSE, connection, e->struct_size);
    (void)server;
    event->code = e->code;
    event->was_clean = e->was_clean;
    event->length = e->reason_length;
    event->text = copy_bytes(e->reason, e->reason_length);
    CHECK_INT(e->reason[e->reason_length], 0);
    server_record(user, event);
}

HARNESS void server_on_error(nsws_server server, nsws_connection connection, const nsws_error_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_ERROR, connection, e->struct_size);
    (void)server;
    event->code = e->code;
    event->detail = e->detail;
    event->phase = e->phase;
    event->os_error = e->os_error;
    event->text = copy_text(e->message);
    server_record(user, event);
}

HARNESS void server_on_drain(nsws_server server, nsws_connection connection, const nsws_drain_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_DRAIN, connection, e->struct_size);
    (void)server;
    event->queued_bytes = e->queued_bytes;
    server_record(user, event);
}

HARNESS void server_free(void *user) {
    struct server *s = user;
    pthread_mutex_lock(&s->lock);
    s->freed++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* A server whose events are recorded. It needs no clean-up: the end of the test destroys it. */
HARNESS struct server *new_server(void);

/* On loopback alone, and no limit that a test would reach by chance. */
HARNESS nsws_server_options server_defaults(void) {
    nsws_server_options options;
    CHECK_OK(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.max_connections_per_client = 1000000;
    options.max_upgrades_per_minute = 0;
    return options;
}

HARNESS int server_starts(const char *file, int line, struct server *s, const nsws_server_options *options) {
    nsws_server_options usual = server_defaults();
    return check_code(file, line, "start", nsws_server_start(s->handle, options ? options : &usual), NSWS_OK) &&
           check_code(file, line, "port", nsws_server_get_port(s->handle, &s->port), NSWS_OK);
}

/* Starts a server, with options or the tests' usual ones; whether that worked. */
#define START(server, options) server_starts(__FILE__, __LINE__, server, options)

/* A server that listens; NULL, and a failed check, when it can't. */
HARNESS struct server *started_server(const nsws_server_options *options) {
    struct server *s = new_server();
    return START(s, options) ? s : NULL;
}

HARNESS size_t server_count(struct server *s, enum server_kind kind) {
    pthread_mutex_lock(&s->lock);
    size_t count = s->counts[kind];
    pthread_mutex_unlock(&s->lock);
    return count;
}

/* The events so far, or those of one connection: "connect message close". */
HARNESS const char *server_order(struct server *s, nsws_connection of) {
    static char text[4096];
    size_t length = 0;
    text[0] = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count && length < sizeof text - 32; i++)
        if (of.id == 0 || s->events[i]->connection.id == of.id)
            length += (size_t)sprintf(text + length, "%s%s", length ? " " : "", server_kind_names[s->events[i]->kind]);
    pthread_mutex_unlock(&s->lock);
    return text;
}

static const nsws_connection every_connection = { 0 };

/* The nth event of a kind, from 1, of one connection or of all; its lock is held. */
HARNESS const struct server_event *server_find(struct server *s, nsws_connection of, enum server_kind kind, size_t nth) {
    const struct server_event *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count && !found; i++)
        if (s->events[i]->kind == kind && (of.id == 0 || s->events[i]->connection.id == of.id) && --nth == 0)
            found = s->events[i];
    pthread_mutex_unlock(&s->lock);
    return found;
}

HARNESS const struct server_event *server_wait(const char *file, int line, struct server *s, nsws_connection of,
                                               enum server_kind kind, size_t nth) {
    struct timespec end = guard_end();
    const struct server_event *event = NULL;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while (!late) {
        event = s->counts[kind] < nth ? NULL : server_find(s, of, kind, nth);
        if (event) break;
        late = pthread_cond_timedwait(&s->changed, &s->lock, &end) == ETIMEDOUT;
    }
    pthread_mutex_unlock(&s->lock);
    if (event == NULL)
        harness_fail(file, line, "%s no. %ld did not come; there were: %s", server_kind_names[kind], (long)nth,
                     server_order(s, of));
    return event;
}

/* The nth event of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define SERVER_WAIT(server, kind, nth) server_wait(__FILE__, __LINE__, server, every_connection, kind, nth)
/* The same, of one connection. */
#define SERVER_WAIT_OF(server, connection, kind, nth) server_wait(__FILE__, __LINE__, server, connection, kind, nth)

HARNESS int server_wait_freed(const char *file, int line, struct server *s, int count) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while (s->freed < count && !late) late = pthread_cond_timedwait(&s->changed, &s->lock, &end) == ETIMEDOUT;
    int freed = s->freed;
    pthread_mutex_unlock(&s->lock);
    return check_int(file, line, "free_fn calls", freed, count);
}

#define SERVER_WAIT_FREED(server, count) server_wait_freed(__FILE__, __LINE__, server, count)

/* The value of a connect event's header, the first of that name; NULL when it has none. */
HARNESS const char *header_of(const struct server_event *event, const char *name) {
    for (size_t i = 0; i < event->header_count; i++)
        if (strcasecmp(event->names[i], name) == 0) return event->values[i];
    return NULL;
}

HARNESS int by_connection(const void *left, const void *right) {
    const struct server_event *one = *(struct server_event *const *)left, *other = *(struct server_event *const *)right;
    if (one->connection.id != other->connection.id) return one->connection.id < other->connection.id ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

/* For every connection: connect first, close last, once each. After destroy, close doesn't come. */
HARNESS void check_server_order(struct server *s) {
    size_t count = 0;
    struct server_event **events = malloc((s->count + 1) * sizeof *events);
    for (size_t i = 0; i < s->count; i++)
        if (s->events[i]->connection.id != 0) events[count++] = s->events[i];
    qsort(events, count, sizeof *events, by_connection);
    for (size_t i = 0; i < count; i++) {
        int is_first = i == 0 || events[i]->connection.id != events[i - 1]->connection.id;
        int is_last = i + 1 == count || events[i]->connection.id != events[i + 1]->connection.id;
        if ((events[i]->kind == ON_CONNECT) == is_first && (events[i]->kind != ON_CLOSE || is_last)) continue;
        harness_fail(__FILE__, __LINE__, "the order of a connection's events: %s", server_order(s, events[i]->connection));
        break;
    }
    free(events);
}

HARNESS void check_server_sizes(struct server *s) {
    static const size_t sizes[SERVER_KINDS] = {
        sizeof(nsws_connect_event), sizeof(nsws_message_event), sizeof(nsws_close_event), sizeof(nsws_error_event),
        sizeof(nsws_drain_event),
    };
    for (size_t i = 0; i < s->count; i++)
        if (!CHECK_LEAST(s->events[i]->struct_size, sizes[s->events[i]->kind])) return;
}

/* Destroys a recorded server, which the end of the test does otherwise. */
HARNESS void destroy_server(struct server *s) {
    if (s->destroyed) return;
    s->destroyed = 1;
    CHECK_OK(nsws_server_destroy(s->handle));
    CHECK_INT(s->freed, SERVER_KINDS);
}

HARNESS void free_server(struct server *s) {
    for (size_t i = 0; i < s->count; i++) {
        struct server_event *event = s->events[i];
        for (size_t j = 0; j < event->header_count; j++) {
            free(event->names[j]);
            free(event->values[j]);
        }
        free(event->names);
        free(event->values);
        free(event->ip);
        free(event->path);
        free(event->protocol);
        free(event->text);
        free(event);
    }
    free(s->events);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

HARNESS void end_others(void);

HARNESS void end_recorded_servers(void) {
    end_others();
    while (harness_servers != NULL) {
        struct server *s = harness_servers;
        destroy_server(s);
        if (!SERVER_WAIT_FREED(s, SERVER_KINDS)) abort();
        check_server_order(s);
        check_server_sizes(s);
        CHECK_INT(s->overlaps, 0);
        harness_servers = s->next;
        free_server(s);
    }
}

HARNESS struct server *new_server(void) {
    struct server *s = calloc(1, sizeof *s);
    lock_init(&s->lock);
    condition_init(&s->changed);
    if (!CHECK_OK(nsws_server_create(&s->handle))) abort();
    CHECK_OK(nsws_server_on_connect(s->handle, server_on_connect, s, server_free));
    CHECK_OK(nsws_server_on_message(s->handle, server_on_message, s, server_free));
    CHECK_OK(nsws_server_on_close(s->handle, server_on_close, s, server_free));
    CHECK_OK(nsws_server_on_error(s->handle, server_on_error, s, server_free));
    CHECK_OK(nsws_server_on_drain(s->handle, server_on_drain, s, server_free));
    end_servers = end_recorded_servers;
    s->next = __atomic_load_n(&harness_servers, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(&harness_servers, &s->next, s, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return s;
}

/* This library's clients. */

HARNESS const char *url_of(struct server *s, const char *path) {
    static char urls[8][256];
    static int next;
    char *url = urls[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 8];
    snprintf(url, sizeof urls[0], "ws://127.0.0.1:%d%s", s->port, path);
    return url;
}

HARNESS struct recorder *open_client_at(const char *file, int line, struct server *s, const char *path) {
    struct recorder *r = new_client();
    return opens(file, line, r, url_of(s, path), NULL) ? r : NULL;
}

/* One of this library's clients, connected to the server; NULL, and a failed check, when it isn't. */
#define OPEN_CLIENT(server, path) open_client_at(__FILE__, __LINE__, server, path)

/* Other libraries' clients: programs that do what they are told, see python_client.py. */

struct other {
    pid_t process;
    FILE *to, *from;
    char answer[1024];
    struct other *next;
};

static struct other *harness_others;
static const char *const other_clients[] = { "NSWS_PYTHON_CLIENT", "NSWS_NODE_CLIENT" };
enum { OTHER_CLIENTS = 2 };

/* Starts one; the end of the test ends it. */
HARNESS struct other *new_other(const char *variable) {
    int to[2], from[2];
    struct other *other = calloc(1, sizeof *other);
    char *command = NULL;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) abort();
    if (asprintf(&command, "exec %s", setting(variable)) < 0) abort();
    other->process = fork();
    if (other->process == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    free(command);
    close(to[0]);
    close(from[1]);
    other->to = fdopen(to[1], "w");
    other->from = fdopen(from[0], "r");
    other->next = harness_others;
    harness_others = other;
    return other;
}

/* Tells it something without waiting for the answer, which take_answer() does. */
HARNESS void tell(struct other *other, const char *format, ...) HARNESS_PRINTF(2, 3);

HARNESS void tell(struct other *other, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(other->to, format, arguments);
    va_end(arguments);
    fputc('\n', other->to);
    fflush(other->to);
}

HARNESS const char *take_answer(struct other *other) {
    if (fgets(other->answer, sizeof other->answer, other->from) == NULL) return "(it has ended)";
    other->answer[strcspn(other->answer, "\n")] = 0;
    return other->answer;
}

/* Tells it something, and its answer. */
HARNESS const char *ask_other(struct other *other, const char *format, ...) HARNESS_PRINTF(2, 3);

HARNESS const char *ask_other(struct other *other, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    tell(other, "%s", line);
    return take_answer(other);
}

HARNESS void end_others(void) {
    while (harness_others != NULL) {
        struct other *other = harness_others;
        int status = -1;
        fclose(other->to);
        waitpid(other->process, &status, 0);
        CHECK_INT(status, 0);
        fclose(other->from);
        harness_others = other->next;
        free(other);
    }
}

/* Raw sockets. */

#define RAW_HOST "Host: 127.0.0.1\r\n"
#define RAW_UPGRADE                                             \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"             \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"           \
    "Sec-WebSocket-Version: 13\r\n"
#define RAW_REQUEST "GET / HTTP/1.1\r\n" RAW_HOST RAW_UPGRADE "\r\n"

/* The receive buffer of the next raw sockets; 0 is the system's own choice. */
static int raw_room;

/* A socket connected from an address of loopback; -1 when it is refused. */
HARNESS int raw_connect_from(const char *from, uint16_t port) {
    struct sockaddr_in here, there;
    struct timeval guard = { guard_seconds(), 0 };
    int on = 1;
    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    inet_pton(AF_INET, from, &here.sin_addr);
    there = here;
    there.sin_port = htons(port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (raw_room > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &raw_room, sizeof raw_room);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0 && connect(fd, (struct sockaddr *)&there, sizeof there) == 0)
        return fd;
    close(fd);
    return -1;
}

HARNESS int raw_connect(struct server *s) {
    return raw_connect_from("127.0.0.1", s->port);
}

HARNESS uint16_t raw_port(int fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

HARNESS int raw_write(int fd, const void *data, size_t length) {
    const char *bytes = data;
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        bytes += count;
        length -= (size_t)count;
    }
    return 1;
}

HARNESS int raw_say(int fd, const char *text) {
    return raw_write(fd, text, strlen(text));
}

HARNESS int raw_read(int fd, void *data, size_t length) {
    char *bytes = data;
    while (length > 0) {
        ssize_t count = recv(fd, bytes, length, 0);
        if (count <= 0) return 0;
        bytes += count;
        length -= (size_t)count;
    }
    return 1;
}

/* The head of the answer, up to its empty line; "" when the link ends before. */
HARNESS const char *raw_head(int fd) {
    static __thread char head[65536];
    size_t length = 0;
    head[0] = 0;
    while (length < sizeof head - 1 && raw_read(fd, head + length, 1)) {
        head[++length] = 0;
        if (length >= 4 && strcmp(head + length - 4, "\r\n\r\n") == 0) return head;
    }
    return "";
}

/* The status of the answer; 0 when the link ends without one. */
HARNESS int raw_status(int fd) {
    int status = 0;
    return sscanf(raw_head(fd), "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

/* Whether the server ends the link, whatever it sends before; both a reset and a FIN are an end. */
HARNESS int raw_ends(int fd) {
    char rest[65536];
    ssize_t count;
    while ((count = recv(fd, rest, sizeof rest, 0)) > 0) {
    }
    return count == 0 || errno == ECONNRESET;
}

/* Closes with a reset. */
HARNESS void raw_reset(int fd) {
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* A masked frame; the mask is zero, which masks nothing. */
HARNESS size_t raw_frame(unsigned char *frame, int first, const void *data, size_t length) {
    size_t size = 0;
    frame[size++] = (unsigned char)first;
    if (length < 126) {
        frame[size++] = (unsigned char)(0x80 | length);
    } else {
        int wide = length > 65535;
        frame[size++] = (unsigned char)(0x80 | (wide ? 127 : 126));
        for (int i = wide ? 7 : 1; i >= 0; i--) frame[size++] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    memset(frame + size, 0, 4);
    size += 4;
    if (length > 0) memcpy(frame + size, data, length);
    return size + length;
}

enum { FRAME_ROOM = 14, TEXT_FRAME = 0x81, BINARY_FRAME = 0x82, CLOSE_FRAME = 0x88, PING_FRAME = 0x89, PONG_FRAME = 0x8a };

HARNESS int raw_send(int fd, int first, const void *data, size_t length) {
    unsigned char *frame = malloc(length + FRAME_ROOM);
    int sent = raw_write(fd, frame, raw_frame(frame, first, data, length));
    free(frame);
    return sent;
}

struct frame {
    int first;
    size_t length;
    /* As far as there is room. */
    unsigned char data[512];
};

/* The next frame, skipping over those that aren't of the wanted first byte unless that is 0; whether there was one. */
HARNESS int raw_receive(int fd, int wanted, struct frame *frame) {
    for (;;) {
        unsigned char head[2], wide[8];
        if (!raw_read(fd, head, 2)) return 0;
        frame->first = head[0];
        frame->length = head[1] & 127;
        if (head[1] & 128) return 0; /* a server doesn't mask */
        if (frame->length >= 126) {
            size_t bytes = frame->length == 126 ? 2 : 8;
            if (!raw_read(fd, wide, bytes)) return 0;
            frame->length = 0;
            for (size_t i = 0; i < bytes; i++) frame->length = frame->length << 8 | wide[i];
        }
        for (size_t done = 0, part; done < frame->length; done += part) {
            unsigned char more[4096];
            part = frame->length - done < sizeof more ? frame->length - done : sizeof more;
            if (!raw_read(fd, more, part)) return 0;
            if (done == 0) memcpy(frame->data, more, part < sizeof frame->data ? part : sizeof frame->data);
        }
        if (wanted == 0 || frame->first == wanted) return 1;
    }
}

/* The code of the server's close frame, which is next but for messages; 1005 when it holds none, 0 when none comes. */
HARNESS int raw_close_code(int fd) {
    struct frame frame;
    if (!raw_receive(fd, CLOSE_FRAME, &frame)) return 0;
    return frame.length < 2 ? 1005 : frame.data[0] << 8 | frame.data[1];
}

HARNESS int raw_open_at(const char *file, int line, int fd, const char *request) {
    raw_say(fd, request);
    const char *head = raw_head(fd);
    if (strncmp(head, "HTTP/1.1 101 ", 13) == 0) return fd;
    harness_fail(file, line, "a raw client does not open: %s", head);
    if (fd >= 0) close(fd);
    return -1;
}

/* A raw socket whose connection is open; -1, and a failed check, when it isn't. */
#define RAW_OPEN(server) raw_open_at(__FILE__, __LINE__, raw_connect(server), RAW_REQUEST)

/* Looks until there are so many, or gives up. */
#define BECOMES(expression, value)                                                        \
    do {                                                                                  \
        long long becomes_end = now_us() + guard_seconds() * 1000000LL;                   \
        while ((long long)(expression) != (long long)(value) && now_us() < becomes_end) sched_yield(); \
        CHECK_INT(expression, value);                                                     \
    } while (0)

/* How many connections the server lists. */
HARNESS size_t listed(struct server *s) {
    size_t count = 0;
    CHECK_OK(nsws_server_list_connections(s->handle, NULL, 0, &count));
    return count;
}

/* The accepted sockets of this process that belong to a listening port; and whether all that came in on them was read. */
HARNESS int accepted_sockets(uint16_t port, int *all_read) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    *all_read = 1;
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        int fd = atoi(entry->d_name), waiting = 0;
        struct sockaddr_in here, there;
        socklen_t size = sizeof here;
        if (getsockname(fd, (struct sockaddr *)&here, &size) != 0 || here.sin_family != AF_INET) continue;
        size = sizeof there;
        if (ntohs(here.sin_port) != port || getpeername(fd, (struct sockaddr *)&there, &size) != 0) continue;
        if (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0) *all_read = 0;
        count++;
    }
    if (directory) closedir(directory);
    return count;
}

#endif
