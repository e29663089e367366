#include "pair.h"

const char *const role_names[ROLES] = { "client", "server" };

struct pair_options pair_defaults(void) {
    struct pair_options options;
    memset(&options, 0, sizeof options);
    options.client = defaults();
    options.server = server_defaults();
    return options;
}

static void pair_message(struct pair *p, const nsws_message_event *e) {
    if (p->on_message) p->on_message(p, e);
    counter_add(&p->bytes, (long)e->length);
    counter_add(&p->messages, 1);
}

void pair_client_message(nsws_client client, const nsws_message_event *e, void *user) {
    (void)client;
    pair_message(user, e);
}

void pair_server_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user) {
    struct pair *p = user;
    (void)server;
    p->talking = connection;
    pair_message(p, e);
}

struct pair *new_pair(enum role role, const struct pair_options *options) {
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
    return p;
}

/* The header in which the peer names its extensions, if any. */
static const char *extensions_header(const struct pair_options *options) {
    static __thread char header[512];
    const char *extensions = options->extensions;
    snprintf(header, sizeof header, "%s%s%s", extensions ? "Sec-WebSocket-Extensions: " : "", extensions ? extensions : "",
             extensions ? "\r\n" : "");
    return header;
}

/* Connects one more client socket to the server of a pair, from an address of loopback. */
static int pair_joins(const char *file, int line, struct pair *p, struct server *s, const char *from, const struct pair_options *options) {
    char request[1024];
    size_t before = server_count(s, ON_CONNECT);
    p->s = s;
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\n" RAW_HOST RAW_UPGRADE "%s\r\n", extensions_header(options));
    p->fd = raw_open_at(file, line, raw_connect_from(from, p->wss ? relay("wrap", s->port) : s->port), request);
    const struct server_event *connect = p->fd < 0 ? NULL : server_wait(file, line, s, every_connection, ON_CONNECT, before + 1);
    if (!connect) return 0;
    p->connection = connect->connection;
    return 1;
}

int pair_opens(const char *file, int line, struct pair *p, const struct pair_options *options) {
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
        return server_starts(file, line, s, &server) && pair_joins(file, line, p, s, "127.0.0.1", options);
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
    if (p->fd < 0 || !raw_accepts(p->fd, extensions_header(options))) return harness_fail(file, line, "the client does not come");
    return wait_event(file, line, p->r, OPEN, 1) != NULL;
}

struct pair *open_pair_at(const char *file, int line, enum role role, const struct pair_options *options) {
    struct pair_options usual = pair_defaults();
    struct pair *p = new_pair(role, options ? options : &usual);
    return pair_opens(file, line, p, options ? options : &usual) ? p : NULL;
}

struct pair *join_at(const char *file, int line, struct pair *first, const char *from, const struct pair_options *options) {
    struct pair *p = new_pair(AS_SERVER, options);
    return pair_joins(file, line, p, first->s, from, options) ? p : NULL;
}

void peer_leaves(struct pair *p) {
    if (!p || p->fd < 0) return;
    close(p->fd);
    p->fd = -1;
}

void pair_ends(struct pair *p) {
    peer_leaves(p);
    if (p->role == AS_CLIENT) destroy_client(p->r);
    else destroy_server(p->s);
}

size_t peer_head(const struct pair *p, unsigned char *frame, int first, uint64_t length) {
    return frame_head(frame, first, length, p->role == AS_SERVER);
}

size_t peer_frame(const struct pair *p, unsigned char *frame, int first, const void *data, size_t length) {
    size_t size = peer_head(p, frame, first, length);
    if (length > 0) memcpy(frame + size, data, length);
    return size + length;
}

int peer_send(struct pair *p, int first, const void *data, size_t length) {
    unsigned char *frame = malloc(length + FRAME_ROOM);
    int sent = raw_write(p->fd, frame, peer_frame(p, frame, first, data, length));
    free(frame);
    return sent;
}

int peer_closes(struct pair *p, int code, const char *reason) {
    unsigned char payload[125] = { (unsigned char)(code >> 8), (unsigned char)code };
    size_t length = strlen(reason);
    memcpy(payload + 2, reason, length);
    return peer_send(p, CLOSE_FRAME, payload, 2 + length);
}

void batch_frame(const struct pair *p, struct batch *b, int first, const void *data, size_t length) {
    if (b->size + length + FRAME_ROOM > b->capacity) {
        b->capacity = 2 * (b->capacity + length + FRAME_ROOM);
        b->bytes = realloc(b->bytes, b->capacity);
    }
    b->size += peer_frame(p, b->bytes + b->size, first, data, length);
}

int batch_send(struct pair *p, struct batch *b) {
    int sent = raw_write(p->fd, b->bytes, b->size);
    b->size = 0;
    return sent;
}

int peer_read(struct pair *p, void *data, size_t length) {
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

int peer_receive(struct pair *p, struct frame *frame) {
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

int peer_receive_kind(struct pair *p, int first, struct frame *frame) {
    do if (!peer_receive(p, frame)) return 0;
    while (frame->first != first);
    return 1;
}

int peer_close_code(struct pair *p) {
    struct frame frame;
    if (!peer_receive_kind(p, CLOSE_FRAME, &frame)) return 0;
    return frame.length < 2 ? 1005 : frame.data[0] << 8 | frame.data[1];
}

int peer_is_answered(const char *file, int line, struct pair *p, const char *payload) {
    struct frame frame;
    if (!peer_send(p, PING_FRAME, payload, strlen(payload))) return harness_fail(file, line, "a ping can't be written");
    do if (!peer_receive_kind(p, PONG_FRAME, &frame)) return harness_fail(file, line, "the ping \"%s\" is not answered", payload);
    while (frame.length != strlen(payload) || memcmp(frame.data, payload, frame.length) != 0);
    return 1;
}

int32_t pair_send(struct pair *p, const void *data, size_t length, int is_text) {
    if (p->role == AS_CLIENT)
        return is_text ? nsws_client_send_text(p->r->client, data, length) : nsws_client_send_binary(p->r->client, data, length);
    return is_text ? nsws_connection_send_text(p->connection, data, length) : nsws_connection_send_binary(p->connection, data, length);
}

int32_t pair_close(struct pair *p, int code, const char *reason) {
    return p->role == AS_CLIENT ? nsws_client_close(p->r->client, (uint16_t)code, reason)
                                : nsws_connection_close(p->connection, (uint16_t)code, reason);
}

int32_t pair_pause(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_pause(p->r->client) : nsws_connection_pause(p->connection);
}

int32_t pair_resume(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_resume(p->r->client) : nsws_connection_resume(p->connection);
}

int32_t pair_cork(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_cork(p->r->client) : nsws_connection_cork(p->connection);
}

int32_t pair_uncork(struct pair *p) {
    return p->role == AS_CLIENT ? nsws_client_uncork(p->r->client) : nsws_connection_uncork(p->connection);
}

struct figures pair_figures(struct pair *p) {
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

static struct told told_of(const struct event *client, const struct server_event *server) {
    if (client)
        return (struct told){ 1, client->code, client->detail, client->phase, client->was_clean, client->is_text, client->text, client->length };
    if (server)
        return (struct told){ 1, server->code, server->detail, server->phase, server->was_clean, server->is_text, server->text, server->length };
    return (struct told){ 0 };
}

struct told pair_wait(const char *file, int line, struct pair *p, enum kind client, enum server_kind server, size_t nth) {
    return p->role == AS_CLIENT ? told_of(wait_event(file, line, p->r, client, nth), NULL)
                                : told_of(NULL, server_wait(file, line, p->s, p->connection, server, nth));
}

size_t pair_count(struct pair *p, enum kind client, enum server_kind server) {
    size_t count = 0;
    if (p->role == AS_CLIENT) return count_events(p->r, client);
    while (server_find(p->s, p->connection, server, count + 1)) count++;
    return count;
}

/* The library's end of a connection over ws: both ends are this process's. */
static int library_s_socket(const struct pair *p) {
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

long peer_unread(struct pair *p) {
    int out = 0, in = 0;
    if (p->library_fd == 0) p->library_fd = library_s_socket(p);
    ioctl(p->fd, TIOCOUTQ, &out);
    ioctl(p->library_fd, FIONREAD, &in);
    return (long)out + in;
}

size_t peer_fills(struct pair *p, const void *unit, size_t size, size_t most) {
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
