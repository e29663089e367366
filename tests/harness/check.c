#include "check.h"

#include <stdarg.h>

long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int slowness(void) {
    const char *value = getenv("NSWS_TEST_SLOW");
    int factor = value ? atoi(value) : 1;
    return factor > 0 ? factor : 1;
}

int guard_seconds(void) {
    return 20 * slowness();
}

struct timespec guard_end(void) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += guard_seconds();
    return end;
}

int in_time(pthread_cond_t *changed, pthread_mutex_t *lock, const struct timespec *end) {
    return pthread_cond_timedwait(changed, lock, end) != ETIMEDOUT;
}

void condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void lock_init(pthread_mutex_t *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* Checks. Each returns whether it held, so that a test can stop: if (!CHECK(...)) return; */

static int failures, passed_tests, failed_tests;
static const char *current_test = "";
static void (*ends[LEFTOVERS])(void);

int harness_fail(const char *file, int line, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, __atomic_load_n(&current_test, __ATOMIC_SEQ_CST), text);
    return 0;
}

int failed_checks(void) {
    return __atomic_load_n(&failures, __ATOMIC_SEQ_CST);
}

int check_int(const char *file, int line, const char *what, long long actual, long long expected) {
    return actual == expected || harness_fail(file, line, "%s is %lld, not %lld", what, actual, expected);
}

int check_least(const char *file, int line, const char *what, long long actual, long long least) {
    return actual >= least || harness_fail(file, line, "%s is %lld, less than %lld", what, actual, least);
}

int check_most(const char *file, int line, const char *what, long long actual, long long most) {
    return actual <= most || harness_fail(file, line, "%s is %lld, more than %lld", what, actual, most);
}

int check_str(const char *file, int line, const char *what, const char *actual, const char *expected) {
    if (actual != NULL && strcmp(actual, expected) == 0) return 1;
    return harness_fail(file, line, "%s is \"%s\", not \"%s\"", what, actual ? actual : "(NULL)", expected);
}

int check_contains(const char *file, int line, const char *what, const char *text, const char *part) {
    if (text != NULL && strcasestr(text, part) != NULL) return 1;
    return harness_fail(file, line, "%s is \"%s\", which has no \"%s\"", what, text ? text : "(NULL)", part);
}

int check_lacks(const char *file, int line, const char *what, const char *text, const char *part) {
    if (text != NULL && strcasestr(text, part) == NULL) return 1;
    return harness_fail(file, line, "%s is \"%s\", which has \"%s\"", what, text ? text : "(NULL)", part);
}

int check_code(const char *file, int line, const char *what, int32_t actual, int32_t expected) {
    if (actual == expected) return 1;
    return harness_fail(file, line, "%s is %s (%s), not %s", what, nsws_error_name(actual),
                        actual ? nsws_last_error() : "success", nsws_error_name(expected));
}

const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set: run this program under tests/interop/run.py\n", name);
        exit(2);
    }
    return value;
}

const char *certificate_file(const char *name) {
    static char paths[16][512];
    static unsigned next;
    char *path = paths[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 16];
    snprintf(path, sizeof paths[0], "%s/%s", setting("NSWS_CERT_DIR"), name);
    return path;
}

void gate_init(struct gate *gate) {
    pthread_mutex_init(&gate->lock, NULL);
    condition_init(&gate->changed);
    gate->open = gate->waiting = 0;
}

void gate_pass(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) pthread_cond_wait(&gate->changed, &gate->lock);
    gate->waiting--;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate) {
    pthread_mutex_lock(&gate->lock);
    gate->open = 1;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

int wait_waiting(const char *file, int line, struct gate *gate, int count) {
    struct timespec end = guard_end();
    pthread_mutex_lock(&gate->lock);
    while (gate->waiting != count && in_time(&gate->changed, &gate->lock, &end)) {
    }
    int waiting = gate->waiting;
    pthread_mutex_unlock(&gate->lock);
    return check_int(file, line, "callbacks at the gate", waiting, count);
}

void counter_init(struct counter *counter) {
    pthread_mutex_init(&counter->lock, NULL);
    condition_init(&counter->changed);
    counter->value = 0;
}

void counter_reset(struct counter *counter) {
    pthread_mutex_lock(&counter->lock);
    counter->value = 0;
    pthread_mutex_unlock(&counter->lock);
}

void counter_add(struct counter *counter, long number) {
    pthread_mutex_lock(&counter->lock);
    counter->value += number;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

long counter_value(struct counter *counter) {
    pthread_mutex_lock(&counter->lock);
    long value = counter->value;
    pthread_mutex_unlock(&counter->lock);
    return value;
}

int wait_counter(const char *file, int line, const char *what, struct counter *counter, long least) {
    struct timespec end = guard_end();
    pthread_mutex_lock(&counter->lock);
    while (counter->value < least && in_time(&counter->changed, &counter->lock, &end)) {
    }
    long value = counter->value;
    pthread_mutex_unlock(&counter->lock);
    return check_least(file, line, what, value, least);
}

/* Whether a name has one of the words that an environment variable lists, separated by commas. */
static int is_listed(const char *variable, const char *name) {
    char words[1024], *rest = words, *word;
    const char *value = getenv(variable);
    snprintf(words, sizeof words, "%s", value ? value : "");
    while ((word = strsep(&rest, ",")) != NULL)
        if (*word && strstr(name, word)) return 1;
    return 0;
}

void name_test(const char *name) {
    __atomic_store_n(&current_test, name, __ATOMIC_SEQ_CST);
}

void at_end(enum leftover what, void (*end)(void)) {
    __atomic_store_n(&ends[what], end, __ATOMIC_SEQ_CST);
}

void run_test(const char *name, void (*test)(void)) {
    if (getenv("NSWS_TEST_ONLY") != NULL && !is_listed("NSWS_TEST_ONLY", name)) return;
    if (is_listed("NSWS_TEST_SKIP", name)) return;
    long long start = now_us();
    name_test(name);
    __atomic_store_n(&failures, 0, __ATOMIC_SEQ_CST);
    test();
    for (int i = 0; i < LEFTOVERS; i++) {
        void (*end)(void) = __atomic_load_n(&ends[i], __ATOMIC_SEQ_CST);
        if (end) end();
    }
    int failed = failed_checks() != 0;
    *(failed ? &failed_tests : &passed_tests) += 1;
    printf("%s %s (%lld ms)\n", failed ? "FAILED" : "ok", name, (now_us() - start) / 1000);
    fflush(stdout);
}

static void nothing_is_left(void) {
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
}

int report_tests(void) {
    printf("%d passed, %d failed\n", passed_tests, failed_tests);
    return failed_tests != 0 || passed_tests == 0;
}

int end_tests(void) {
    const char *only = getenv("NSWS_TEST_ONLY");
    if (only == NULL) RUN(nothing_is_left);
    else nsws_shutdown((uint32_t)guard_seconds() * 1000);
    return report_tests();
}
