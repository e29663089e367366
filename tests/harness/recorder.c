#include "recorder.h"

const char *const kind_names[KINDS] = {
    "header_receive", "open", "message", "data_end", "close", "error", "drain", "reconnecting"
};

static struct recorder *recorders;

char *copy_bytes(const void *data, size_t length) {
    char *copy = malloc(length + 1);
    if (length > 0) memcpy(copy, data, length);
    copy[length] = 0;
    return copy;
}

char *copy_text(const char *text) {
    return copy_bytes(text, strlen(text));
}

struct header_list copy_headers(const nsws_header *headers, size_t count) {
    struct header_list list = { calloc(count + 1, sizeof *list.names), calloc(count + 1, sizeof *list.values), count };
    for (size_t i = 0; i < count; i++) {
        list.names[i] = copy_text(headers[i].name);
        list.values[i] = copy_text(headers[i].value);
    }
    return list;
}

void free_headers(struct header_list list) {
    for (size_t i = 0; i < list.count; i++) {
        free(list.names[i]);
        free(list.values[i]);
    }
    free(list.names);
    free(list.values);
}

static struct event *event_new(struct recorder *r, enum kind kind, size_t struct_size) {
    struct event *event = calloc(1, sizeof *event);
    event->kind = kind;
    event->thread = pthread_self();
    event->struct_size = struct_size;
    if (__atomic_add_fetch(&r->running, 1, __ATOMIC_SEQ_CST) != 1)
        __atomic_add_fetch(&r->overlaps, 1, __ATOMIC_SEQ_CST);
    return event;
}

void record(struct recorder *r, struct event *event) {
    pthread_mutex_lock(&r->lock);
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 16;
        r->events = realloc(r->events, r->capacity * sizeof *r->events);
    }
    r->events[r->count++] = event;
    r->counts[event->kind]++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (r->hook) r->hook(r, event);
    __atomic_sub_fetch(&r->running, 1, __ATOMIC_SEQ_CST);
}

static void record_header_receive(nsws_client client, const nsws_header_receive_event *e, void *user) {
    struct event *event = event_new(user, HEADER_RECEIVE, e->struct_size);
    (void)client;
    event->code = e->status;
    event->headers = copy_headers(e->headers, e->header_count);
    record(user, event);
}

static void record_open(nsws_client client, const nsws_open_event *e, void *user) {
    struct event *event = event_new(user, OPEN, e->struct_size);
    (void)client;
    event->code = e->status;
    event->text = copy_text(e->message);
    event->protocol = copy_text(e->protocol);
    record(user, event);
}

void record_message(nsws_client client, const nsws_message_event *e, void *user) {
    struct event *event = event_new(user, MESSAGE, e->struct_size);
    (void)client;
    CHECK(e->data != NULL);
    event->is_text = e->is_text;
    event->length = e->length;
    event->text = copy_bytes(e->data, e->length);
    record(user, event);
}

void record_data_end(nsws_client client, const nsws_data_end_event *e, void *user) {
    (void)client;
    record(user, event_new(user, DATA_END, e->struct_size));
}

static void record_close(nsws_client client, const nsws_close_event *e, void *user) {
    struct event *event = event_new(user, CLOSE, e->struct_size);
    (void)client;
    event->code = e->code;
    event->was_clean = e->was_clean;
    event->length = e->reason_length;
    event->text = copy_bytes(e->reason, e->reason_length);
    CHECK_INT(e->reason[e->reason_length], 0);
    record(user, event);
}

void record_error(nsws_client client, const nsws_error_event *e, void *user) {
    struct event *event = event_new(user, ERROR, e->struct_size);
    (void)client;
    event->code = e->code;
    event->detail = e->detail;
    event->phase = e->phase;
    event->os_error = e->os_error;
    event->http_status = e->http_status;
    event->text = copy_text(e->message);
    record(user, event);
}

static void record_drain(nsws_client client, const nsws_drain_event *e, void *user) {
    struct event *event = event_new(user, DRAIN, e->struct_size);
    (void)client;
    event->queued_bytes = e->queued_bytes;
    record(user, event);
}

static void record_reconnecting(nsws_client client, const nsws_reconnecting_event *e, void *user) {
    struct event *event = event_new(user, RECONNECTING, e->struct_size);
    (void)client;
    event->code = (int32_t)e->attempt;
    event->delay_ms = e->delay_ms;
    record(user, event);
}

static void record_free(void *user) {
    struct recorder *r = user;
    pthread_mutex_lock(&r->lock);
    r->freed++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

struct recorder *new_recorder(void) {
    static int number;
    struct recorder *r = calloc(1, sizeof *r);
    snprintf(r->token, sizeof r->token, "%ld-%d", (long)getpid(), __atomic_add_fetch(&number, 1, __ATOMIC_SEQ_CST));
    lock_init(&r->lock);
    condition_init(&r->changed);
    return r;
}

struct recorder *new_client(void) {
    struct recorder *r = new_recorder();
    if (!CHECK_OK(nsws_client_create(&r->client))) abort();
    CHECK_OK(nsws_client_on_header_receive(r->client, record_header_receive, r, record_free));
    CHECK_OK(nsws_client_on_open(r->client, record_open, r, record_free));
    CHECK_OK(nsws_client_on_message(r->client, record_message, r, record_free));
    CHECK_OK(nsws_client_on_data_end(r->client, record_data_end, r, record_free));
    CHECK_OK(nsws_client_on_close(r->client, record_close, r, record_free));
    CHECK_OK(nsws_client_on_error(r->client, record_error, r, record_free));
    CHECK_OK(nsws_client_on_drain(r->client, record_drain, r, record_free));
    CHECK_OK(nsws_client_on_reconnecting(r->client, record_reconnecting, r, record_free));
    at_end(OF_CLIENTS, end_recorders);
    r->next = __atomic_load_n(&recorders, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(&recorders, &r->next, r, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return r;
}

size_t count_events(struct recorder *r, enum kind kind) {
    pthread_mutex_lock(&r->lock);
    size_t count = r->counts[kind];
    pthread_mutex_unlock(&r->lock);
    return count;
}

const char *order(struct recorder *r) {
    static char text[65536];
    size_t length = 0;
    text[0] = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && length < sizeof text - 32; i++)
        length += (size_t)sprintf(text + length, "%s%s", i ? " " : "", kind_names[r->events[i]->kind]);
    pthread_mutex_unlock(&r->lock);
    return text;
}

const struct event *find_event(struct recorder *r, enum kind kind, size_t nth) {
    const struct event *found = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && !found; i++)
        if (r->events[i]->kind == kind && --nth == 0) found = r->events[i];
    pthread_mutex_unlock(&r->lock);
    return found;
}

const struct event *wait_event(const char *file, int line, struct recorder *r, enum kind kind, size_t nth) {
    struct timespec end = guard_end();
    pthread_mutex_lock(&r->lock);
    while (r->counts[kind] < nth && in_time(&r->changed, &r->lock, &end)) {
    }
    const struct event *event = find_event(r, kind, nth);
    pthread_mutex_unlock(&r->lock);
    if (event == NULL) {
        harness_fail(file, line, "event %s no. %ld did not come; there were: %s", kind_names[kind], (long)nth, order(r));
        for (size_t i = 1; i <= count_events(r, ERROR); i++)
            fprintf(stderr, "    error: %s\n", find_event(r, ERROR, i)->text);
    }
    return event;
}

int wait_freed(const char *file, int line, struct recorder *r, int count) {
    struct timespec end = guard_end();
    pthread_mutex_lock(&r->lock);
    while (r->freed < count && in_time(&r->changed, &r->lock, &end)) {
    }
    int freed = r->freed;
    pthread_mutex_unlock(&r->lock);
    return check_int(file, line, "free_fn calls", freed, count);
}

/* The order that the header promises, for every connection of every recorded client. */
static void check_order(struct recorder *r) {
    enum { IDLE, ANSWERED, IS_OPEN, IN_MESSAGE } state = IDLE;
    for (size_t i = 0; i < r->count; i++) {
        const struct event *event = r->events[i];
        int next = -1;
        switch (state) {
            case IDLE:
                if (event->kind == HEADER_RECEIVE) next = ANSWERED;
                if (event->kind == ERROR) next = IDLE;
                if (event->kind == RECONNECTING && i > 0) next = IDLE;
                if (event->kind == CLOSE && event->code == 1006) next = IDLE;
                break;
            case ANSWERED:
                if (event->kind == OPEN) next = IS_OPEN;
                if (event->kind == CLOSE && event->code == 1006) next = IDLE;
                break;
            case IS_OPEN:
                if (event->kind == MESSAGE) next = IN_MESSAGE;
                if (event->kind == ERROR || event->kind == DRAIN) next = IS_OPEN;
                if (event->kind == CLOSE) next = IDLE;
                break;
            case IN_MESSAGE:
                if (event->kind == DATA_END) next = IS_OPEN;
                break;
        }
        if (next < 0) {
            harness_fail(__FILE__, __LINE__, "event no. %ld, %s, has no place there: %s", (long)i + 1,
                         kind_names[event->kind], order(r));
            return;
        }
        state = next;
    }
}

static void check_sizes(struct recorder *r) {
    static const size_t sizes[KINDS] = {
        sizeof(nsws_header_receive_event), sizeof(nsws_open_event), sizeof(nsws_message_event),
        sizeof(nsws_data_end_event), sizeof(nsws_close_event), sizeof(nsws_error_event), sizeof(nsws_drain_event),
        sizeof(nsws_reconnecting_event),
    };
    for (size_t i = 0; i < r->count; i++)
        if (!CHECK_LEAST(r->events[i]->struct_size, sizes[r->events[i]->kind])) return;
}

void free_recorder(struct recorder *r) {
    for (size_t i = 0; i < r->count; i++) {
        struct event *event = r->events[i];
        free_headers(event->headers);
        free(event->protocol);
        free(event->text);
        free(event);
    }
    free(r->events);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

void destroy_client(struct recorder *r) {
    if (r->destroyed) return;
    r->destroyed = 1;
    CHECK_OK(nsws_client_destroy(r->client));
    CHECK_INT(r->freed, KINDS);
}

void end_recorders(void) {
    while (recorders != NULL) {
        struct recorder *r = recorders;
        destroy_client(r);
        if (!WAIT_FREED(r, KINDS)) abort();
        if (!r->partial) check_order(r);
        check_sizes(r);
        CHECK_INT(r->overlaps, 0);
        recorders = r->next;
        free_recorder(r);
    }
}

nsws_connect_options defaults(void) {
    nsws_connect_options options;
    CHECK_OK(nsws_connect_options_init(&options, sizeof options));
    return options;
}

int opens(const char *file, int line, struct recorder *r, const char *url, const nsws_connect_options *options) {
    size_t before = count_events(r, OPEN), failures = count_events(r, ERROR) + count_events(r, CLOSE);
    if (!check_code(file, line, "connect", nsws_client_connect(r->client, url, options), NSWS_OK)) return 0;
    struct timespec end = guard_end();
    pthread_mutex_lock(&r->lock);
    while (r->counts[OPEN] == before && r->counts[ERROR] + r->counts[CLOSE] == failures && in_time(&r->changed, &r->lock, &end)) {
    }
    const struct event *error = find_event(r, ERROR, r->counts[ERROR]);
    int opened = r->counts[OPEN] > before;
    pthread_mutex_unlock(&r->lock);
    return opened || harness_fail(file, line, "%s does not open: %s", url, error ? error->text : "nothing happens");
}

const char *raw_url(struct recorder *r, const char *path) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, r->token);
    return r->url;
}

const char *raw_url_as(struct recorder *r, const char *path, const char *token) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, token);
    return r->url;
}

struct recorder *open_raw_at(const char *file, int line, const char *path, const nsws_connect_options *options) {
    struct recorder *r = new_client();
    return opens(file, line, r, raw_url(r, path), options) ? r : NULL;
}

const char *refused_url(struct recorder *r, int *fd) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%d/", refused_port(fd));
    return r->url;
}
