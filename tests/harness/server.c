#include "server.h"

const char *const server_kind_names[SERVER_KINDS] = { "connect", "message", "close", "error", "drain" };

static struct server *servers;

static struct server_event *server_event_new(struct server *s, enum server_kind kind, nsws_connection connection, size_t size) {
    struct server_event *event = calloc(1, sizeof *event);
    event->kind = kind;
    event->connection = connection;
    event->struct_size = size;
    if (__atomic_add_fetch(&s->running, 1, __ATOMIC_SEQ_CST) != 1)
        __atomic_add_fetch(&s->overlaps, 1, __ATOMIC_SEQ_CST);
    return event;
}

static void server_record(struct server *s, struct server_event *event) {
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

void server_on_connect(nsws_server server, nsws_connection connection, const nsws_connect_event *e, void *user) {
    struct server *s = user;
    struct server_event *event = server_event_new(s, ON_CONNECT, connection, e->struct_size);
    CHECK_INT(server.id, s->handle.id);
    event->ip = copy_text(e->client_ip);
    event->port = e->client_port;
    event->path = copy_text(e->path);
    event->protocol = copy_text(e->protocol);
    event->headers = copy_headers(e->headers, e->header_count);
    server_record(s, event);
}

void server_on_message(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user) {
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

void server_on_close(nsws_server server, nsws_connection connection, const nsws_close_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_CLOSE, connection, e->struct_size);
    (void)server;
    event->code = e->code;
    event->was_clean = e->was_clean;
    event->length = e->reason_length;
    event->text = copy_bytes(e->reason, e->reason_length);
    CHECK_INT(e->reason[e->reason_length], 0);
    server_record(user, event);
}

void server_on_error(nsws_server server, nsws_connection connection, const nsws_error_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_ERROR, connection, e->struct_size);
    (void)server;
    event->code = e->code;
    event->detail = e->detail;
    event->phase = e->phase;
    event->os_error = e->os_error;
    event->text = copy_text(e->message);
    server_record(user, event);
}

void server_on_drain(nsws_server server, nsws_connection connection, const nsws_drain_event *e, void *user) {
    struct server_event *event = server_event_new(user, ON_DRAIN, connection, e->struct_size);
    (void)server;
    event->queued_bytes = e->queued_bytes;
    server_record(user, event);
}

static void server_free(void *user) {
    struct server *s = user;
    pthread_mutex_lock(&s->lock);
    s->freed++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

nsws_server_options server_defaults(void) {
    nsws_server_options options;
    CHECK_OK(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.max_connections_per_client = 1000000;
    options.max_upgrades_per_minute = 0;
    return options;
}

int server_starts(const char *file, int line, struct server *s, const nsws_server_options *options) {
    nsws_server_options usual = server_defaults();
    return check_code(file, line, "start", nsws_server_start(s->handle, options ? options : &usual), NSWS_OK) &&
           check_code(file, line, "port", nsws_server_get_port(s->handle, &s->port), NSWS_OK);
}

struct server *started_server(const nsws_server_options *options) {
    struct server *s = new_server();
    return START(s, options) ? s : NULL;
}

size_t server_count(struct server *s, enum server_kind kind) {
    pthread_mutex_lock(&s->lock);
    size_t count = s->counts[kind];
    pthread_mutex_unlock(&s->lock);
    return count;
}

size_t servers_count(enum server_kind kind) {
    size_t count = 0;
    for (struct server *s = servers; s; s = s->next) count += server_count(s, kind);
    return count;
}

const char *server_order(struct server *s, nsws_connection of) {
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

const nsws_connection every_connection = { 0 };

const struct server_event *server_find(struct server *s, nsws_connection of, enum server_kind kind, size_t nth) {
    const struct server_event *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count && !found; i++)
        if (s->events[i]->kind == kind && (of.id == 0 || s->events[i]->connection.id == of.id) && --nth == 0)
            found = s->events[i];
    pthread_mutex_unlock(&s->lock);
    return found;
}

const struct server_event *server_wait(const char *file, int line, struct server *s, nsws_connection of,
                                       enum server_kind kind, size_t nth) {
    struct timespec end = guard_end();
    const struct server_event *event = NULL;
    pthread_mutex_lock(&s->lock);
    do event = s->counts[kind] < nth ? NULL : server_find(s, of, kind, nth);
    while (!event && in_time(&s->changed, &s->lock, &end));
    pthread_mutex_unlock(&s->lock);
    if (event == NULL)
        harness_fail(file, line, "%s no. %ld did not come; there were: %s", server_kind_names[kind], (long)nth,
                     server_order(s, of));
    return event;
}

int server_wait_freed(const char *file, int line, struct server *s, int count) {
    struct timespec end = guard_end();
    pthread_mutex_lock(&s->lock);
    while (s->freed < count && in_time(&s->changed, &s->lock, &end)) {
    }
    int freed = s->freed;
    pthread_mutex_unlock(&s->lock);
    return check_int(file, line, "free_fn calls", freed, count);
}

const char *header_of(const struct server_event *event, const char *name) {
    for (size_t i = 0; i < event->headers.count; i++)
        if (strcasecmp(event->headers.names[i], name) == 0) return event->headers.values[i];
    return NULL;
}

static int by_connection(const void *left, const void *right) {
    const struct server_event *one = *(struct server_event *const *)left, *other = *(struct server_event *const *)right;
    if (one->connection.id != other->connection.id) return one->connection.id < other->connection.id ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

/* For every connection: connect first, close last, once each. After destroy, close doesn't come. */
static void check_server_order(struct server *s) {
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

static void check_server_sizes(struct server *s) {
    static const size_t sizes[SERVER_KINDS] = {
        sizeof(nsws_connect_event), sizeof(nsws_message_event), sizeof(nsws_close_event), sizeof(nsws_error_event),
        sizeof(nsws_drain_event),
    };
    for (size_t i = 0; i < s->count; i++)
        if (!CHECK_LEAST(s->events[i]->struct_size, sizes[s->events[i]->kind])) return;
}

void destroy_server(struct server *s) {
    if (s->destroyed) return;
    s->destroyed = 1;
    CHECK_OK(nsws_server_destroy(s->handle));
    CHECK_INT(s->freed, SERVER_KINDS);
}

static void free_server(struct server *s) {
    for (size_t i = 0; i < s->count; i++) {
        struct server_event *event = s->events[i];
        free_headers(event->headers);
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

static void end_servers(void) {
    while (servers != NULL) {
        struct server *s = servers;
        destroy_server(s);
        if (!SERVER_WAIT_FREED(s, SERVER_KINDS)) abort();
        check_server_order(s);
        check_server_sizes(s);
        CHECK_INT(s->overlaps, 0);
        servers = s->next;
        free_server(s);
    }
}

struct server *new_server(void) {
    struct server *s = calloc(1, sizeof *s);
    lock_init(&s->lock);
    condition_init(&s->changed);
    if (!CHECK_OK(nsws_server_create(&s->handle))) abort();
    CHECK_OK(nsws_server_on_connect(s->handle, server_on_connect, s, server_free));
    CHECK_OK(nsws_server_on_message(s->handle, server_on_message, s, server_free));
    CHECK_OK(nsws_server_on_close(s->handle, server_on_close, s, server_free));
    CHECK_OK(nsws_server_on_error(s->handle, server_on_error, s, server_free));
    CHECK_OK(nsws_server_on_drain(s->handle, server_on_drain, s, server_free));
    at_end(OF_SERVERS, end_servers);
    s->next = __atomic_load_n(&servers, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(&servers, &s->next, s, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return s;
}

size_t listed(struct server *s) {
    size_t count = 0;
    CHECK_OK(nsws_server_list_connections(s->handle, NULL, 0, &count));
    return count;
}

const char *url_of(struct server *s, const char *path) {
    static char urls[8][256];
    static int next;
    char *url = urls[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 8];
    snprintf(url, sizeof urls[0], "ws://127.0.0.1:%d%s", s->port, path);
    return url;
}

struct recorder *open_client_at(const char *file, int line, struct server *s, const char *path) {
    struct recorder *r = new_client();
    return opens(file, line, r, url_of(s, path), NULL) ? r : NULL;
}
