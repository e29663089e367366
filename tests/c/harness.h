/*
 * What the C tests are made of: checks that print what they saw, a client whose events are recorded and can
 * be waited for, and the raw peer's control port. Programs that include this run under tests/interop/run.py.
 *
 * Nothing here sleeps. A wait ends when what it waits for has happened; the guard (20 s, times
 * NSWS_TEST_SLOW) only keeps a failing test from hanging.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "netstack_websocket.h"

#if defined(__GNUC__)
#define HARNESS __attribute__((unused)) static
#define HARNESS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define HARNESS static
#define HARNESS_PRINTF(text, first)
#endif

/* Clang before 21 doesn't define what GCC does. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* Time. */

HARNESS long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How many times slower than usual things are: 1, or 30 under valgrind. */
HARNESS int slowness(void) {
    const char *value = getenv("NSWS_TEST_SLOW");
    int factor = value ? atoi(value) : 1;
    return factor > 0 ? factor : 1;
}

HARNESS int guard_seconds(void) {
    return 20 * slowness();
}

HARNESS struct timespec guard_end(void) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += guard_seconds();
    return end;
}

HARNESS void condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* A list of events is looked through with its lock held or not. */
HARNESS void lock_init(pthread_mutex_t *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* Checks. Each returns whether it held, so that a test can stop: if (!CHECK(...)) return; */

static int harness_failed_checks;
static int harness_passed;
static int harness_failed;
static const char *harness_test = "";

HARNESS int harness_fail(const char *file, int line, const char *format, ...) HARNESS_PRINTF(3, 4);

HARNESS int harness_fail(const char *file, int line, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    __atomic_add_fetch(&harness_failed_checks, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, harness_test, text);
    return 0;
}

HARNESS int check_int(const char *file, int line, const char *what, long long actual, long long expected) {
    return actual == expected || harness_fail(file, line, "%s is %lld, not %lld", what, actual, expected);
}

HARNESS int check_least(const char *file, int line, const char *what, long long actual, long long least) {
    return actual >= least || harness_fail(file, line, "%s is %lld, less than %lld", what, actual, least);
}

HARNESS int check_most(const char *file, int line, const char *what, long long actual, long long most) {
    return actual <= most || harness_fail(file, line, "%s is %lld, more than %lld", what, actual, most);
}

HARNESS int check_str(const char *file, int line, const char *what, const char *actual, const char *expected) {
    if (actual != NULL && strcmp(actual, expected) == 0) return 1;
    return harness_fail(file, line, "%s is \"%s\", not \"%s\"", what, actual ? actual : "(NULL)", expected);
}

HARNESS int check_contains(const char *file, int line, const char *what, const char *text, const char *part) {
    if (text != NULL && strcasestr(text, part) != NULL) return 1;
    return harness_fail(file, line, "%s is \"%s\", which has no \"%s\"", what, text ? text : "(NULL)", part);
}

HARNESS int check_lacks(const char *file, int line, const char *what, const char *text, const char *part) {
    if (text != NULL && strcasestr(text, part) == NULL) return 1;
    return harness_fail(file, line, "%s is \"%s\", which has \"%s\"", what, text ? text : "(NULL)", part);
}

HARNESS int check_code(const char *file, int line, const char *what, int32_t actual, int32_t expected) {
    if (actual == expected) return 1;
    return harness_fail(file, line, "%s is %s (%s), not %s", what, nsws_error_name(actual),
                        actual ? nsws_last_error() : "success", nsws_error_name(expected));
}

#define CHECK(condition) ((condition) ? 1 : harness_fail(__FILE__, __LINE__, "not so: %s", #condition))
#define CHECK_INT(actual, expected) \
    check_int(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))
#define CHECK_LEAST(actual, least) check_least(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(least))
#define CHECK_MOST(actual, most) check_most(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(most))
#define CHECK_STR(actual, expected) check_str(__FILE__, __LINE__, #actual, actual, expected)
#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, #text, text, part)
#define CHECK_LACKS(text, part) check_lacks(__FILE__, __LINE__, #text, text, part)
#define CHECK_CODE(call, expected) check_code(__FILE__, __LINE__, #call, call, expected)
#define CHECK_OK(call) check_code(__FILE__, __LINE__, #call, call, NSWS_OK)

/* The recorder: a client, and every event of it in order. */

enum kind { HEADER_RECEIVE, OPEN, MESSAGE, DATA_END, CLOSE, ERROR, DRAIN, RECONNECTING, KINDS };

static const char *const kind_names[KINDS] = {
    "header_receive", "open", "message", "data_end", "close", "error", "drain", "reconnecting"
};

struct event {
    enum kind kind;
    pthread_t thread;
    size_t struct_size;
    /* Status of header_receive and open; the code of close and error; the attempt of reconnecting. */
    int32_t code;
    int32_t detail, phase, os_error, http_status;
    int is_text, was_clean;
    /* The payload, reason, sentence or status text; NUL-terminated besides. */
    char *text;
    size_t length;
    char *protocol;
    char **names, **values;
    size_t header_count;
    size_t queued_bytes;
    uint32_t delay_ms;
};

struct recorder {
    nsws_client client;
    /* Names this client at the raw peer. */
    char token[64];
    char url[4200];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event **events;
    size_t count, capacity;
    size_t counts[KINDS];
    int running, overlaps, freed, destroyed;
    /* Some of the recorder's own listeners were removed: the order has gaps. */
    int partial;
    /* Called in the callback, after the event was recorded. Set before connect: callbacks read it unlocked. */
    void (*hook)(struct recorder *, const struct event *);
    void *hook_data;
    struct recorder *next;
};

static struct recorder *harness_recorders;

HARNESS char *copy_bytes(const void *data, size_t length) {
    char *copy = malloc(length + 1);
    if (length > 0) memcpy(copy, data, length);
    copy[length] = 0;
    return copy;
}

HARNESS char *copy_text(const char *text) {
    return copy_bytes(text, strlen(text));
}

HARNESS struct event *event_new(struct recorder *r, enum kind kind, size_t struct_size) {
    struct event *event = calloc(1, sizeof *event);
    event->kind = kind;
    event->thread = pthread_self();
    event->struct_size = struct_size;
    if (__atomic_add_fetch(&r->running, 1, __ATOMIC_SEQ_CST) != 1)
        __atomic_add_fetch(&r->overlaps, 1, __ATOMIC_SEQ_CST);
    return event;
}

HARNESS void record(struct recorder *r, struct event *event) {
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

HARNESS void record_header_receive(nsws_client client, const nsws_header_receive_event *e, void *user) {
    struct event *event = event_new(user, HEADER_RECEIVE, e->struct_size);
    (void)client;
    event->code = e->status;
    event->header_count = e->header_count;
    event->names = calloc(e->header_count + 1, sizeof *event->names);
    event->values = calloc(e->header_count + 1, sizeof *event->values);
    for (size_t i = 0; i < e->header_count; i++) {
        event->names[i] = copy_text(e->headers[i].name);
        event->values[i] = copy_text(e->headers[i].value);
    }
    record(user, event);
}

HARNESS void record_open(nsws_client client, const nsws_open_event *e, void *user) {
    struct event *event = event_new(user, OPEN, e->struct_size);
    (void)client;
    event->code = e->status;
    event->text = copy_text(e->message);
    event->protocol = copy_text(e->protocol);
    record(user, event);
}

HARNESS void record_message(nsws_client client, const nsws_message_event *e, void *user) {
    struct event *event = event_new(user, MESSAGE, e->struct_size);
    (void)client;
    CHECK(e->data != NULL);
    event->is_text = e->is_text;
    event->length = e->length;
    event->text = copy_bytes(e->data, e->length);
    record(user, event);
}

HARNESS void record_data_end(nsws_client client, const nsws_data_end_event *e, void *user) {
    (void)client;
    record(user, event_new(user, DATA_END, e->struct_size));
}

HARNESS void record_close(nsws_client client, const nsws_close_event *e, void *user) {
    struct event *event = event_new(user, CLOSE, e->struct_size);
    (void)client;
    event->code = e->code;
    event->was_clean = e->was_clean;
    event->length = e->reason_length;
    event->text = copy_bytes(e->reason, e->reason_length);
    CHECK_INT(e->reason[e->reason_length], 0);
    record(user, event);
}

HARNESS void record_error(nsws_client client, const nsws_error_event *e, void *user) {
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

HARNESS void record_drain(nsws_client client, const nsws_drain_event *e, void *user) {
    struct event *event = event_new(user, DRAIN, e->struct_size);
    (void)client;
    event->queued_bytes = e->queued_bytes;
    record(user, event);
}

HARNESS void record_reconnecting(nsws_client client, const nsws_reconnecting_event *e, void *user) {
    struct event *event = event_new(user, RECONNECTING, e->struct_size);
    (void)client;
    event->code = (int32_t)e->attempt;
    event->delay_ms = e->delay_ms;
    record(user, event);
}

HARNESS void record_free(void *user) {
    struct recorder *r = user;
    pthread_mutex_lock(&r->lock);
    r->freed++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* A recorder of the events of a client that will be r->client. */
HARNESS struct recorder *new_recorder(void) {
    static int number;
    struct recorder *r = calloc(1, sizeof *r);
    snprintf(r->token, sizeof r->token, "%ld-%d", (long)getpid(), __atomic_add_fetch(&number, 1, __ATOMIC_SEQ_CST));
    lock_init(&r->lock);
    condition_init(&r->changed);
    return r;
}

/* A client whose events are recorded. It needs no clean-up: the end of the test destroys it. */
HARNESS struct recorder *new_client(void) {
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
    r->next = __atomic_load_n(&harness_recorders, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(&harness_recorders, &r->next, r, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return r;
}

HARNESS size_t count_events(struct recorder *r, enum kind kind) {
    pthread_mutex_lock(&r->lock);
    size_t count = r->counts[kind];
    pthread_mutex_unlock(&r->lock);
    return count;
}

/* The events so far: "header_receive open message data_end close". */
HARNESS const char *order(struct recorder *r) {
    static char text[65536];
    size_t length = 0;
    text[0] = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && length < sizeof text - 32; i++)
        length += (size_t)sprintf(text + length, "%s%s", i ? " " : "", kind_names[r->events[i]->kind]);
    pthread_mutex_unlock(&r->lock);
    return text;
}

HARNESS const struct event *find_event(struct recorder *r, enum kind kind, size_t nth) {
    const struct event *found = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && !found; i++)
        if (r->events[i]->kind == kind && --nth == 0) found = r->events[i];
    pthread_mutex_unlock(&r->lock);
    return found;
}

HARNESS const struct event *wait_event(const char *file, int line, struct recorder *r, enum kind kind, size_t nth) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&r->lock);
    while (r->counts[kind] < nth && !late) late = pthread_cond_timedwait(&r->changed, &r->lock, &end) == ETIMEDOUT;
    const struct event *event = find_event(r, kind, nth);
    pthread_mutex_unlock(&r->lock);
    if (event == NULL) {
        harness_fail(file, line, "event %s no. %ld did not come; there were: %s", kind_names[kind], (long)nth, order(r));
        for (size_t i = 1; i <= count_events(r, ERROR); i++)
            fprintf(stderr, "    error: %s\n", find_event(r, ERROR, i)->text);
    }
    return event;
}

/* The nth event of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define WAIT(recorder, kind, nth) wait_event(__FILE__, __LINE__, recorder, kind, nth)

HARNESS int wait_freed(const char *file, int line, struct recorder *r, int count) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&r->lock);
    while (r->freed < count && !late) late = pthread_cond_timedwait(&r->changed, &r->lock, &end) == ETIMEDOUT;
    int freed = r->freed;
    pthread_mutex_unlock(&r->lock);
    return check_int(file, line, "free_fn calls", freed, count);
}

#define WAIT_FREED(recorder, count) wait_freed(__FILE__, __LINE__, recorder, count)

/* The order that the header promises, for every connection of every recorded client. */
HARNESS void check_order(struct recorder *r) {
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

HARNESS void check_sizes(struct recorder *r) {
    static const size_t sizes[KINDS] = {
        sizeof(nsws_header_receive_event), sizeof(nsws_open_event), sizeof(nsws_message_event),
        sizeof(nsws_data_end_event), sizeof(nsws_close_event), sizeof(nsws_error_event), sizeof(nsws_drain_event),
        sizeof(nsws_reconnecting_event),
    };
    for (size_t i = 0; i < r->count; i++)
        if (!CHECK_LEAST(r->events[i]->struct_size, sizes[r->events[i]->kind])) return;
}

HARNESS void free_recorder(struct recorder *r) {
    for (size_t i = 0; i < r->count; i++) {
        struct event *event = r->events[i];
        for (size_t j = 0; j < event->header_count; j++) {
            free(event->names[j]);
            free(event->values[j]);
        }
        free(event->names);
        free(event->values);
        free(event->protocol);
        free(event->text);
        free(event);
    }
    free(r->events);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

/* Destroys a recorded client, which the end of the test does otherwise. */
HARNESS void destroy_client(struct recorder *r) {
    if (r->destroyed) return;
    r->destroyed = 1;
    CHECK_OK(nsws_client_destroy(r->client));
    CHECK_INT(r->freed, KINDS);
}

HARNESS void end_recorders(void) {
    while (harness_recorders != NULL) {
        struct recorder *r = harness_recorders;
        destroy_client(r);
        if (!WAIT_FREED(r, KINDS)) abort();
        if (!r->partial) check_order(r);
        check_sizes(r);
        CHECK_INT(r->overlaps, 0);
        harness_recorders = r->next;
        free_recorder(r);
    }
}

/* What else a test has made and its end destroys; servers.h sets it. */
static void (*end_servers)(void);

/* Something that callbacks wait for. Static, so that a callback that just leaves it still finds it there. */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int open, waiting;
};

HARNESS void gate_init(struct gate *gate) {
    pthread_mutex_init(&gate->lock, NULL);
    condition_init(&gate->changed);
    gate->open = gate->waiting = 0;
}

/* Waits at the gate, for ever if need be. */
HARNESS void gate_pass(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) pthread_cond_wait(&gate->changed, &gate->lock);
    gate->waiting--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

HARNESS void gate_open(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = 1;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

HARNESS int wait_waiting(const char *file, int line, struct gate *gate, int count) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&gate->lock);
    while (gate->waiting != count && !late)
        late = pthread_cond_timedwait(&gate->changed, &gate->lock, &end) == ETIMEDOUT;
    int waiting = gate->waiting;
    pthread_mutex_unlock(&gate->lock);
    return check_int(file, line, "callbacks at the gate", waiting, count);
}

/* Waits until so many callbacks stand at the gate. */
#define WAIT_WAITING(gate, count) wait_waiting(__FILE__, __LINE__, gate, count)

/* A number that callbacks raise. */

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    long value;
};

HARNESS void counter_init(struct counter *counter) {
    pthread_mutex_init(&counter->lock, NULL);
    condition_init(&counter->changed);
    counter->value = 0;
}

/* Back to 0 while others may count: what counter_init() would do under their feet. */
HARNESS void counter_reset(struct counter *counter) {
    pthread_mutex_lock(&counter->lock);
    counter->value = 0;
    pthread_mutex_unlock(&counter->lock);
}

HARNESS void counter_add(struct counter *counter, long number) {
    pthread_mutex_lock(&counter->lock);
    counter->value += number;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

HARNESS long counter_value(struct counter *counter) {
    pthread_mutex_lock(&counter->lock);
    long value = counter->value;
    pthread_mutex_unlock(&counter->lock);
    return value;
}

HARNESS int wait_counter(const char *file, int line, const char *what, struct counter *counter, long least) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&counter->lock);
    while (counter->value < least && !late)
        late = pthread_cond_timedwait(&counter->changed, &counter->lock, &end) == ETIMEDOUT;
    long value = counter->value;
    pthread_mutex_unlock(&counter->lock);
    return check_least(file, line, what, value, least);
}

#define WAIT_COUNTER(counter, least) wait_counter(__FILE__, __LINE__, #counter, counter, least)

/* The peers. */

HARNESS const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set: run this program under tests/interop/run.py\n", name);
        exit(2);
    }
    return value;
}

/* Asks the raw peer's control port; the answer is NUL-terminated, and NULL when none came in time. */
HARNESS char *ask_peer(const char *format, ...) HARNESS_PRINTF(1, 2);

HARNESS char *ask_peer(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';

    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(setting("NSWS_CONTROL_PORT")));
    struct timeval guard = { guard_seconds(), 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    size_t size = 0, capacity = 4096;
    char *answer = malloc(capacity);
    int ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, line, (size_t)length) == length;
    while (ok) {
        ssize_t count = read(fd, answer + size, capacity - size - 1);
        if (count < 0) ok = 0;
        if (count <= 0) break;
        size += (size_t)count;
        if (capacity - size < 2) answer = realloc(answer, capacity *= 2);
    }
    close(fd);
    answer[size] = 0;
    if (ok) return answer;
    free(answer);
    return NULL;
}

/* What the raw peer has counted under a token; 0 when nothing. */
HARNESS long long peer_number(const char *token, const char *key) {
    char *answer = ask_peer("get %s %s", token, key);
    long long number = answer ? atoll(answer) : -1;
    free(answer);
    return number;
}

HARNESS int wait_peer(const char *file, int line, const char *token, const char *key, long long least) {
    char *answer = ask_peer("wait %s %s %lld", token, key, least);
    if (answer == NULL)
        return harness_fail(file, line, "the peer counts %lld %s, not yet %lld", peer_number(token, key), key, least);
    free(answer);
    return 1;
}

/* Waits until the raw peer has counted so many. */
#define WAIT_PEER(token, key, least) wait_peer(__FILE__, __LINE__, token, key, least)

HARNESS int check_peer_text(const char *file, int line, const char *token, const char *key, const char *expected) {
    char *answer = ask_peer("get %s %s", token, key);
    int ok = check_str(file, line, key, answer, expected);
    free(answer);
    return ok;
}

#define CHECK_PEER_TEXT(token, key, expected) check_peer_text(__FILE__, __LINE__, token, key, expected)

HARNESS void release_peer(const char *token) {
    free(ask_peer("release %s", token));
}

/* A behaviour of the raw peer as a URL with this client's token. */
HARNESS const char *raw_url(struct recorder *r, const char *path) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, r->token);
    return r->url;
}

HARNESS const char *raw_url_as(struct recorder *r, const char *path, const char *token) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, token);
    return r->url;
}

HARNESS nsws_connect_options defaults(void) {
    nsws_connect_options options;
    CHECK_OK(nsws_connect_options_init(&options, sizeof options));
    return options;
}

/* Connects and waits for open; whether that came. An attempt that fails ends the wait. */
HARNESS int opens(const char *file, int line, struct recorder *r, const char *url, const nsws_connect_options *options) {
    size_t before = count_events(r, OPEN), failures = count_events(r, ERROR) + count_events(r, CLOSE);
    if (!check_code(file, line, "connect", nsws_client_connect(r->client, url, options), NSWS_OK)) return 0;
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&r->lock);
    while (r->counts[OPEN] == before && r->counts[ERROR] + r->counts[CLOSE] == failures && !late)
        late = pthread_cond_timedwait(&r->changed, &r->lock, &end) == ETIMEDOUT;
    const struct event *error = find_event(r, ERROR, r->counts[ERROR]);
    int opened = r->counts[OPEN] > before;
    pthread_mutex_unlock(&r->lock);
    return opened || harness_fail(file, line, "%s does not open: %s", url, error ? error->text : "nothing happens");
}

#define OPENS(recorder, url, options) opens(__FILE__, __LINE__, recorder, url, options)

/* A client with an open connection to a behaviour of the raw peer; NULL, and a failed check, when it failed. */
HARNESS struct recorder *open_raw_at(const char *file, int line, const char *path, const nsws_connect_options *options) {
    struct recorder *r = new_client();
    return opens(file, line, r, raw_url(r, path), options) ? r : NULL;
}

#define OPEN_RAW(path, options) open_raw_at(__FILE__, __LINE__, path, options)

/* A port of loopback where nothing listens, as long as the descriptor is open. */
HARNESS int refused_port(int *fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *)&address, sizeof address) != 0) abort();
    getsockname(*fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

HARNESS const char *refused_url(struct recorder *r, int *fd) {
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%d/", refused_port(fd));
    return r->url;
}

/* What the tests send: byte i is i modulo 251, as the raw peer's pattern(). */
HARNESS char *pattern(size_t length) {
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) data[i] = (char)(unsigned char)(i % 251);
    data[length] = 0;
    return data;
}

/* Letters, which are text as well. */
HARNESS char *letters(size_t length) {
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) data[i] = (char)('a' + i % 26);
    data[length] = 0;
    return data;
}

/* The process. */

HARNESS int count_entries(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

#ifdef __SANITIZE_THREAD__
/* TSan starts a thread of its own with the program's first, and keeps it. */
enum { SANITIZER_THREADS = 1 };

HARNESS void *no_work(void *data) {
    return data;
}

HARNESS void start_the_sanitizer_s_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, no_work, NULL) == 0) pthread_join(thread, NULL);
}
#else
enum { SANITIZER_THREADS = 0 };

HARNESS void start_the_sanitizer_s_thread(void) {}
#endif

/* An emulator has threads of its own: those that are there before any of the program's. */
static int emulator_threads;

__attribute__((constructor)) HARNESS void count_what_is_not_the_program_s(void) {
    emulator_threads = count_entries("/proc/self/task") - 1;
    start_the_sanitizer_s_thread();
}

HARNESS int count_threads(void) {
    return count_entries("/proc/self/task") - SANITIZER_THREADS - emulator_threads;
}

/* The descriptor that reads the folder counts as well, each time. */
HARNESS int count_fds(void) {
    return count_entries("/proc/self/fd");
}

HARNESS long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) pages = -1;
    if (file != NULL) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

HARNESS int reaches(const char *file, int line, const char *what, int (*count)(void), int most) {
    /* A thread that was joined stays in /proc for a moment; the kernel tells nobody when it is gone. */
    long long end = now_us() + guard_seconds() * 1000000LL;
    while (count() > most && now_us() < end) sched_yield();
    return check_most(file, line, what, count(), most);
}

/* Waits until a count of the process is no higher than it was. */
#define REACHES(count, most) reaches(__FILE__, __LINE__, #count, count, most)

/* A command that runs a program of this kind: the emulator's words from NSWS_TEST_EMULATOR, if any, then the program and
 * its argument, then NULL. */
HARNESS void command_line(char *words[32], const char *program, const char *argument) {
    static char emulator[1024];
    const char *value = getenv("NSWS_TEST_EMULATOR");
    size_t count = 0;
    snprintf(emulator, sizeof emulator, "%s", value ? value : "");
    for (char *word, *rest = emulator; (word = strsep(&rest, " ")) != NULL && count < 29;)
        if (*word) words[count++] = word;
    words[count++] = (char *)program;
    words[count++] = (char *)argument;
    words[count] = NULL;
}

/* The program. */

/* Whether a name has one of the words that an environment variable lists, separated by commas. */
HARNESS int is_listed(const char *variable, const char *name) {
    char words[1024], *rest = words, *word;
    const char *value = getenv(variable);
    snprintf(words, sizeof words, "%s", value ? value : "");
    while ((word = strsep(&rest, ",")) != NULL)
        if (*word && strstr(name, word)) return 1;
    return 0;
}

/* NSWS_TEST_ONLY and NSWS_TEST_SKIP choose tests by parts of their names. */
HARNESS void run_test(const char *name, void (*test)(void)) {
    if (getenv("NSWS_TEST_ONLY") != NULL && !is_listed("NSWS_TEST_ONLY", name)) return;
    if (is_listed("NSWS_TEST_SKIP", name)) return;
    long long start = now_us();
    harness_test = name;
    harness_failed_checks = 0;
    test();
    end_recorders();
    if (end_servers) end_servers();
    int failed = __atomic_load_n(&harness_failed_checks, __ATOMIC_SEQ_CST) != 0;
    *(failed ? &harness_failed : &harness_passed) += 1;
    printf("%s %s (%lld ms)\n", failed ? "FAILED" : "ok", name, (now_us() - start) / 1000);
    fflush(stdout);
}

#define RUN(test) run_test(#test, test)

HARNESS void nothing_is_left(void) {
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
}

/* Says how it went; what main returns. */
HARNESS int end_tests(void) {
    const char *only = getenv("NSWS_TEST_ONLY");
    if (only == NULL) RUN(nothing_is_left);
    else nsws_shutdown((uint32_t)guard_seconds() * 1000);
    printf("%d passed, %d failed\n", harness_passed, harness_failed);
    return harness_failed != 0 || harness_passed == 0;
}

#endif
