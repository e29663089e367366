/*
 * A connection of the library, as a client or as a server, whose other end is a plain socket in the test's hands: what is
 * true of frames is true in both roles, over ws and over wss. Programs that include this run with --peers python.
 */
#ifndef PAIR_H
#define PAIR_H

#include "server.h"

#include <malloc.h>
#include <poll.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* What the library is. */
enum role { AS_CLIENT, AS_SERVER, ROLES };

static const char *const role_names[ROLES] = { "client", "server" };

enum { CONTINUATION_FRAME = 0x80, FIN = 0x80 };

struct pair {
    enum role role;
    int wss;
    /* The library's client, or its server and that one's connection. */
    struct recorder *r;
    struct server *s;
    nsws_connection connection;
    /* In its listener: which of the server's connections this is about. */
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
    void (*on_message)(struct pair *, const nsws_message_event *);
    void *data;
};

HARNESS struct pair_options pair_defaults(void) {
    struct pair_options options;
    memset(&options, 0, sizeof options);
    options.client = defaults();
    options.server = server_defaults();
    return options;
}

/* Sets what both roles have. */
#define SET(options, member, value) ((options).client.member = (options).server.member = (value))

/* The peer's side of the opening handshake. */

HARNESS void sha1_block(uint32_t state[5], const unsigned char *block) {
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) {
        uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
        w[i] = x << 1 | x >> 31;
    }
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = (a << 5 | a >> 27) + f + e + k + w[i];
        e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* Sec-WebSocket-Accept for a key (RFC 6455 4.2.2). */
HARNESS void accept_value(const char *key, char value[29]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    unsigned char text[128] = { 0 }, digest[21] = { 0 };
    int length = snprintf((char *)text, 120, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    text[length] = 0x80;
    text[126] = (unsigned char)(length * 8 >> 8);
    text[127] = (unsigned char)(length * 8);
    sha1_block(state, text);
    sha1_block(state, text + 64);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0, out = 0; i < 21; i += 3) {
        unsigned bits = (unsigned)digest[i] << 16 | (unsigned)digest[i + 1] << 8 | digest[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) value[out++] = digits[bits >> shift & 63];
    }
    value[27] = '=';
    value[28] = 0;
}

/* A socket of loopback that listens; its port. */
HARNESS int listening_socket(uint16_t *port) {
    int fd, on = 1;
    *port = (uint16_t)refused_port(&fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (raw_room > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &raw_room, sizeof raw_room);
    if (listen(fd, 16) != 0) abort();
    return fd;
}

/* The next that connects; -1 when nobody does in time. */
HARNESS int accepted_socket(int listener) {
    struct timeval guard = { guard_seconds(), 0 };
    struct pollfd ready = { listener, POLLIN, 0 };
    if (poll(&ready, 1, guard_seconds() * 1000) != 1) return -1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    return fd;
}

/* The value of a header of a head that was read; "" when it has none. It lives until the next call. */
HARNESS const char *head_value(const char *head, const char *name) {
    static __thread char value[1024];
    const char *at = strcasestr(head, name);
    value[0] = 0;
    if (at) sscanf(at + strlen(name), ": %1023[^\r\n]", value);
    return value;
}

/* Reads a client's request and answers it; extra are more header lines, each with its end. */
HARNESS int raw_accepts(int fd, const char *extra) {
    char accept[29], answer[2048];
    const char *head = raw_head(fd);
    if (!*head) return 0;
    accept_value(head_value(head, "Sec-WebSocket-Key"), accept);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
             accept, extra);
    return raw_say(fd, answer);
}

/* The two ends. */

HARNESS void pair_message(struct pair *p, const nsws_message_event *e) {
    if (p->on_message) p->on_message(p, e);
    counter_add(&p->bytes, (long)e->length);
    counter_add(&p->messages, 1);
}

HARNESS void pair_client_message(nsws_client client, const nsws_message_event *e, void *user) {
    (void)client;
    pair_message(user, e);
}

HARNESS void pair_server_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user) {
    struct pair *p = user;
    (void)server;
    p->talking = connection;
    pair_message(p, e);
}

HARNESS struct pair *new_pair(enum role role, const struct pair_options *options) {
    static struct pair pairs[256];
    static int next;
    struct pair *p = &pairs[next++ % 256];
    if (p->fd > 0) close(p->fd);
    memset(p, 0, offsetof(struct pair, in));
    p->role = role;
    p->wss = options->wss;
    p->on_message = options->on_message;
    p->data = options->data;
    counter_init(&p->messages);
    counter_init(&p->bytes);
    p->fd = -1;
    end_servers = end_recorded_servers;
    return p;
}

/* A port behind which TLS is put on ("wrap") or taken off ("unwrap") what comes, on its way to another port. */
HARNESS uint16_t relay(const char *how, uint16_t port) {
    struct other *other = new_other("NSWS_TLS_RELAY");
    int found = 0;
    const char *answer = ask_other(other, "%s %d", how, port);
    if (sscanf(answer, "%d", &found) != 1) harness_fail(__FILE__, __LINE__, "the relay says %s", answer);
    return (uint16_t)found;
}

HARNESS const char *certificate_file(const char *name) {
    static __thread char paths[4][512];
    static __thread int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", setting("NSWS_CERT_DIR"), name);
    return path;
}

/* Connects one more client socket to the server of a pair, from an address of loopback. */
HARNESS int pair_joins(const char *file, int line, struct pair *p, struct server *s, const char *from) {
    size_t before = server_count(s, ON_CONNECT);
    p->s = s;
    p->fd = raw_open_at(file, line, raw_connect_from(from, p->wss ? relay("wrap", s->port) : s->port), RAW_REQUEST);
    const struct server_event *connect = p->fd < 0 ? NULL : server_wait(file, line, s, every_connection, ON_CONNECT, before + 1);
    if (!connect) return 0;
    p->connection = connect->connection;
    return 1;
}

HARNESS int pair_opens(const char *file, int line, struct pair *p, const struct pair_options *options) {
    if (p->role == AS_SERVER) {
        nsws_server_options server = options->server;
        struct server *s = new_server();
        if (options->wss) {
            server.cert_path = certificate_file("good.pem");
            server.key_path = certificate_file("good.key");
        }
        if (options->on_message) {
            CHECK_OK(nsws_server_off_message(s->handle, server_on_message, s));
            CHECK_OK(nsws_server_on_message(s->handle, pair_server_message, p, NULL));
        }
        return server_starts(file, line, s, &server) && pair_joins(file, line, p, s, "127.0.0.1");
    }
    nsws_connect_options client = options->client;
    uint16_t port;
    int listener = listening_socket(&port);
    p->r = new_client();
    if (options->wss) {
        client.ca_path = certificate_file("ca.pem");
        port = relay("unwrap", port);
    }
    if (options->on_message) {
        p->r->partial = 1;
        CHECK_OK(nsws_client_off_message(p->r->client, record_message, p->r));
        CHECK_OK(nsws_client_off_data_end(p->r->client, record_data_end, p->r));
        CHECK_OK(nsws_client_on_message(p->r->client, pair_client_message, p, NULL));
    }
    snprintf(p->r->url, sizeof p->r->url, "%s://127.0.0.1:%d/", options->wss ? "wss" : "ws", port);
    if (!check_code(file, line, "connect", nsws_client_connect(p->r->client, p->r->url, &client), NSWS_OK)) return 0;
    p->fd = accepted_socket(listener);
    close(listener);
    if (p->fd < 0 || !raw_accepts(p->fd, "")) return harness_fail(file, line, "the client does not come");
    return wait_event(file, line, p->r, OPEN, 1) != NULL;
}

HARNESS struct pair *open_pair_at(const char *file, int line, enum role role, const struct pair_options *options) {
    struct pair_options usual = pair_defaults();
    struct pair *p = new_pair(role, options ? options : &usual);
    return pair_opens(file, line, p, options ? options : &usual) ? p : NULL;
}

/* A connection of the library and the other end; NULL, and a failed check, when it doesn't open. */
#define OPEN_PAIR(role, options) open_pair_at(__FILE__, __LINE__, role, options)

HARNESS struct pair *join_at(const char *file, int line, struct pair *first, const char *from, const struct pair_options *options) {
    struct pair *p = new_pair(AS_SERVER, options);
    return pair_joins(file, line, p, first->s, from) ? p : NULL;
}

/* One more connection to the server of a pair, from an address of loopback. */
#define JOIN(first, from, options) join_at(__FILE__, __LINE__, first, from, options)

/* The peer's end goes away. */
HARNESS void peer_leaves(struct pair *p) {
    if (!p || p->fd < 0) return;
    close(p->fd);
    p->fd = -1;
}

/* Frames of the peer. */

/* A frame as the peer writes it; the length that is announced may differ from what follows. */
HARNESS size_t peer_head(const struct pair *p, unsigned char *frame, int first, uint64_t length) {
    size_t size = 0;
    int mask = p->role == AS_SERVER ? 0x80 : 0;
    frame[size++] = (unsigned char)first;
    if (length < 126) {
        frame[size++] = (unsigned char)(mask | (int)length);
    } else {
        int wide = length > 65535;
        frame[size++] = (unsigned char)(mask | (wide ? 127 : 126));
        for (int i = wide ? 7 : 1; i >= 0; i--) frame[size++] = (unsigned char)(length >> (8 * i));
    }
    if (mask) {
        memset(frame + size, 0, 4);
        size += 4;
    }
    return size;
}

HARNESS size_t peer_frame(const struct pair *p, unsigned char *frame, int first, const void *data, size_t length) {
    size_t size = peer_head(p, frame, first, length);
    if (length > 0) memcpy(frame + size, data, length);
    return size + length;
}

HARNESS int peer_send(struct pair *p, int first, const void *data, size_t length) {
    unsigned char *frame = malloc(length + FRAME_ROOM);
    int sent = raw_write(p->fd, frame, peer_frame(p, frame, first, data, length));
    free(frame);
    return sent;
}

HARNESS int peer_closes(struct pair *p, int code, const char *reason) {
    unsigned char payload[125] = { (unsigned char)(code >> 8), (unsigned char)code };
    size_t length = strlen(reason);
    memcpy(payload + 2, reason, length);
    return peer_send(p, CLOSE_FRAME, payload, 2 + length);
}

/* Frames that go out in one write. */
struct batch {
    unsigned char *bytes;
    size_t size, capacity;
};

HARNESS void batch_frame(const struct pair *p, struct batch *b, int first, const void *data, size_t length) {
    if (b->size + length + FRAME_ROOM > b->capacity) {
        b->capacity = 2 * (b->capacity + length + FRAME_ROOM);
        b->bytes = realloc(b->bytes, b->capacity);
    }
    b->size += peer_frame(p, b->bytes + b->size, first, data, length);
}

HARNESS int batch_send(struct pair *p, struct batch *b) {
    int sent = raw_write(p->fd, b->bytes, b->size);
    b->size = 0;
    return sent;
}

HARNESS int peer_read(struct pair *p, void *data, size_t length) {
    unsigned char *bytes = data;
    while (length > 0) {
        if (p->from == p->to) {
            ssize_t count = recv(p->fd, p->in, sizeof p->in, 0);
            if (count <= 0) return 0;
            p->from = 0;
            p->to = (size_t)count;
        }
        size_t part = p->to - p->from < length ? p->to - p->from : length;
        if (bytes) {
            memcpy(bytes, p->in + p->from, part);
            bytes += part;
        }
        p->from += part;
        length -= part;
    }
    return 1;
}

/* The next frame that the library sends; of a long payload what there is room for. Whether there was one. */
HARNESS int peer_receive(struct pair *p, struct frame *frame) {
    unsigned char head[2], wide[8], mask[4] = { 0 };
    if (!peer_read(p, head, 2)) return 0;
    frame->first = head[0];
    frame->length = head[1] & 127;
    if (!!(head[1] & 0x80) != (p->role == AS_CLIENT))
        return harness_fail(__FILE__, __LINE__, "a %s sends a frame that is%s masked", role_names[p->role], head[1] & 0x80 ? "" : " not");
    if (frame->length >= 126) {
        size_t bytes = frame->length == 126 ? 2 : 8;
        if (!peer_read(p, wide, bytes)) return 0;
        frame->length = 0;
        for (size_t i = 0; i < bytes; i++) frame->length = frame->length << 8 | wide[i];
    }
    if (p->role == AS_CLIENT && !peer_read(p, mask, 4)) return 0;
    size_t kept = frame->length < sizeof frame->data ? frame->length : sizeof frame->data;
    if (!peer_read(p, frame->data, kept) || !peer_read(p, NULL, frame->length - kept)) return 0;
    for (size_t i = 0; i < kept; i++) frame->data[i] ^= mask[i % 4];
    return 1;
}

/* The next frame of this kind; others are passed over. */
HARNESS int peer_receive_kind(struct pair *p, int first, struct frame *frame) {
    do if (!peer_receive(p, frame)) return 0;
    while (frame->first != first);
    return 1;
}

/* The code of the library's close frame; 1005 when it holds none, 0 when none comes. */
HARNESS int peer_close_code(struct pair *p) {
    struct frame frame;
    if (!peer_receive_kind(p, CLOSE_FRAME, &frame)) return 0;
    return frame.length < 2 ? 1005 : frame.data[0] << 8 | frame.data[1];
}

/* Whether a ping is answered by a pong with its payload; what comes before it is passed over. */
HARNESS int peer_is_answered(const char *file, int line, struct pair *p, const char *payload) {
    struct frame frame;
    if (!peer_send(p, PING_FRAME, payload, strlen(payload))) return harness_fail(file, line, "a ping can't be written");
    do if (!peer_receive_kind(p, PONG_FRAME, &frame)) return harness_fail(file, line, "the ping \"%s\" is not answered", payload);
    while (frame.length != strlen(payload) || memcmp(frame.data, payload, frame.length) != 0);
    return 1;
}

#define IS_ANSWERED(pair, payload) peer_is_answered(__FILE__, __LINE__, pair, payload)

/* What the library is asked. */

HARNESS int32_t pair_send(struct pair *p, const void *data, size_t length, int is_text) {
    if (p->role == AS_CLIENT)
        return is_text ? nsws_client_send_text(p->r->client, data, length) : nsws_client_send_binary(p->r->client, data, length);
    return is_text ? nsws_connection_send_text(p->connection, data, length) : nsws_connection_send_binary(p->connection, data, length);
}

HARNESS int32_t pair_close(struct pair *p, int code, const char *reason) {
    return p->role == AS_CLIENT ? nsws_client_close(p->r->client, (uint16_t)code, reason)
                                : nsws_connection_close(p->connection, (uint16_t)code, reason);
}

HARNESS int32_t pair_pause(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_pause(p->r->client) : nsws_connection_pause(p->connection);
}

HARNESS int32_t pair_resume(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_resume(p->r->client) : nsws_connection_resume(p->connection);
}

HARNESS int32_t pair_cork(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_cork(p->r->client) : nsws_connection_cork(p->connection);
}

HARNESS int32_t pair_uncork(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_uncork(p->r->client) : nsws_connection_uncork(p->connection);
}

struct figures {
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received, queued_bytes;
};

HARNESS struct figures pair_figures(struct pair *p) {
    struct figures figures = { 0 };
    if (p->role == AS_CLIENT) {
        nsws_client_stats stats;
        int32_t code = nsws_client_get_stats(p->r->client, &stats, sizeof stats);
        /* A callback may still run when its client is being destroyed. */
        if (code == NSWS_ERR_BAD_HANDLE || !CHECK_OK(code)) return figures;
        figures = (struct figures){ stats.messages_sent, stats.messages_received, stats.bytes_sent, stats.bytes_received, stats.queued_bytes };
    } else {
        nsws_connection_info info;
        int32_t code = nsws_connection_get_info(p->connection, &info, sizeof info);
        if (code == NSWS_ERR_BAD_HANDLE || !CHECK_OK(code)) return figures;
        figures = (struct figures){ info.messages_sent, info.messages_received, info.bytes_sent, info.bytes_received, info.queued_bytes };
    }
    return figures;
}

/* An event of either role. */
struct told {
    int came;
    int32_t code, detail, phase;
    int was_clean, is_text;
    const char *text;
    size_t length;
};

HARNESS struct told told_of(const struct event *client, const struct server_event *server) {
    if (client)
        return (struct told){ 1, client->code, client->detail, client->phase, client->was_clean, client->is_text, client->text, client->length };
    if (server)
        return (struct told){ 1, server->code, server->detail, server->phase, server->was_clean, server->is_text, server->text, server->length };
    return (struct told){ 0 };
}

HARNESS struct told pair_wait(const char *file, int line, struct pair *p, enum kind client, enum server_kind server, size_t nth) {
    return p->role == AS_CLIENT ? told_of(wait_event(file, line, p->r, client, nth), NULL)
                                : told_of(NULL, server_wait(file, line, p->s, p->connection, server, nth));
}

#define PAIR_MESSAGE(pair, nth) pair_wait(__FILE__, __LINE__, pair, MESSAGE, ON_MESSAGE, nth)
#define PAIR_CLOSE(pair) pair_wait(__FILE__, __LINE__, pair, CLOSE, ON_CLOSE, 1)
#define PAIR_ERROR(pair) pair_wait(__FILE__, __LINE__, pair, ERROR, ON_ERROR, 1)
#define PAIR_DRAIN(pair, nth) pair_wait(__FILE__, __LINE__, pair, DRAIN, ON_DRAIN, nth)

/* How many events of a kind there were so far. */
HARNESS size_t pair_count(struct pair *p, enum kind client, enum server_kind server) {
    size_t count = 0;
    if (p->role == AS_CLIENT) return count_events(p->r, client);
    while (server_find(p->s, p->connection, server, count + 1)) count++;
    return count;
}

#define PAIR_ERRORS(pair) pair_count(pair, ERROR, ON_ERROR)
#define PAIR_CLOSES(pair) pair_count(pair, CLOSE, ON_CLOSE)
#define PAIR_MESSAGES(pair) pair_count(pair, MESSAGE, ON_MESSAGE)

/* The library's end of a connection over ws: both ends are this process's. */
HARNESS int library_s_socket(const struct pair *p) {
    struct sockaddr_in here, there, other;
    socklen_t size = sizeof here;
    getsockname(p->fd, (struct sockaddr *)&here, &size);
    size = sizeof there;
    getpeername(p->fd, (struct sockaddr *)&there, &size);
    for (int fd = 3; fd < 4096; fd++) {
        size = sizeof other;
        if (getpeername(fd, (struct sockaddr *)&other, &size) != 0 || other.sin_port != here.sin_port) continue;
        size = sizeof other;
        if (getsockname(fd, (struct sockaddr *)&other, &size) == 0 && other.sin_port == there.sin_port) return fd;
    }
    return -1;
}

/* How much of what the peer wrote the library has not read: what is under way, and what waits in its socket. */
HARNESS long peer_unread(struct pair *p) {
    int out = 0, in = 0;
    if (p->library_fd == 0) p->library_fd = library_s_socket(p);
    ioctl(p->fd, TIOCOUTQ, &out);
    ioctl(p->library_fd, FIONREAD, &in);
    return (long)out + in;
}

/* Writes as much of a unit, again and again, as the library takes in: until it hasn't read for half a second.
 * How many bytes were written; the last unit may be cut. */
HARNESS size_t peer_fills(struct pair *p, const void *unit, size_t size, size_t most) {
    size_t written = 0;
    while (written < most) {
        struct pollfd ready = { p->fd, POLLOUT, 0 };
        size_t at = written % size;
        ssize_t count = send(p->fd, (const char *)unit + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) written += (size_t)count;
        else if (errno != EAGAIN || poll(&ready, 1, 500 * slowness()) == 0) break;
    }
    return written;
}

/* Memory that is held; only where nothing distorts it. */
HARNESS long held_kib(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return resident_kib();
}

HARNESS int check_held(const char *file, int line, const char *what, long before, long most_kib) {
    long more = held_kib() - before;
    return slowness() > 1 || !MEMORY_COUNTS || SANITIZED || more <= most_kib ||
           harness_fail(file, line, "%s: %ld KiB more are held, not %ld", what, more, most_kib);
}

#define CHECK_HELD(what, before, most_kib) check_held(__FILE__, __LINE__, what, before, most_kib)

/* Both roles, one after the other; a test says which one failed. */
#define BOTH_ROLES(role) for (enum role role = AS_CLIENT; role < ROLES; role++)

#endif
