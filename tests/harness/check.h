/*
 * Checks that print what they saw, waits that end when something has happened, and the loop that runs a program's tests.
 * Nothing here sleeps; the guard (20 s, times NSWS_TEST_SLOW) only keeps a failing test from hanging.
 */
#ifndef HARNESS_CHECK_H
#define HARNESS_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netstack_websocket.h"

#ifdef __GNUC__
#define HARNESS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define HARNESS_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Time. */
long long now_us(void);

/* How many times slower than usual the program runs: 1, or 30 under valgrind. */
int slowness(void);
int guard_seconds(void);
struct timespec guard_end(void);

/* Waits for a change until then; 0 when the time is over. */
int in_time(pthread_cond_t *changed, pthread_mutex_t *lock, const struct timespec *end);
void condition_init(pthread_cond_t *condition);

/* A recursive lock: a list of events is searched with its lock held or not. */
void lock_init(pthread_mutex_t *lock);

/* Checks. Each returns whether it held, so that a test can stop: if (!CHECK(...)) return; */
int harness_fail(const char *file, int line, const char *format, ...) HARNESS_PRINTF(3, 4);

/* How many checks of the test that runs have failed. */
int failed_checks(void);
int check_int(const char *file, int line, const char *what, long long actual, long long expected);
int check_least(const char *file, int line, const char *what, long long actual, long long least);
int check_most(const char *file, int line, const char *what, long long actual, long long most);
int check_str(const char *file, int line, const char *what, const char *actual, const char *expected);
int check_contains(const char *file, int line, const char *what, const char *text, const char *part);
int check_lacks(const char *file, int line, const char *what, const char *text, const char *part);
int check_code(const char *file, int line, const char *what, int32_t actual, int32_t expected);
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

/* A variable of the environment that tests/interop/run.py sets; without it the program ends. */
const char *setting(const char *name);
/* A file in the folder of the certificates (tests/interop/certs.py). Valid for the next 15 calls. */
const char *certificate_file(const char *name);

/* Something that callbacks wait for. Make it static: a callback that is just leaving must still find it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int open, waiting;
};

void gate_init(struct gate *gate);

/* Waits until the gate is open, forever if need be. */
void gate_pass(struct gate *gate);
void gate_open(struct gate *gate);
int wait_waiting(const char *file, int line, struct gate *gate, int count);

/* Waits until exactly so many callbacks wait at the gate. */
#define WAIT_WAITING(gate, count) wait_waiting(__FILE__, __LINE__, gate, count)

/* A number that callbacks raise. */
struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    long value;
};

void counter_init(struct counter *counter);

/* Sets it to 0 while callbacks may still raise it. */
void counter_reset(struct counter *counter);
void counter_add(struct counter *counter, long number);
long counter_value(struct counter *counter);
int wait_counter(const char *file, int line, const char *what, struct counter *counter, long least);
#define WAIT_COUNTER(counter, least) wait_counter(__FILE__, __LINE__, #counter, counter, least)

/* Runs a test. NSWS_TEST_ONLY and NSWS_TEST_SKIP choose tests by parts of their names. */
void run_test(const char *name, void (*test)(void));
#define RUN(test) run_test(#test, test)

/* Under which name the checks of a program fail that runs no tests. */
void name_test(const char *name);

/* What a test made and its end takes away, in this order. */
enum leftover { OF_APPS, OF_CLIENTS, OF_OTHERS, OF_SERVERS, LEFTOVERS };

/* Sets what the end of every test calls; setting it again changes nothing. */
void at_end(enum leftover what, void (*end)(void));

/* Prints how many tests passed; returns what main returns. */
int report_tests(void);

/* The same after nsws_shutdown(), which must find nothing left. */
int end_tests(void);

/* Evaluates an expression until it has a value; fails when it never has. */
#define BECOMES(expression, value)                                                        \
    do {                                                                                  \
        long long becomes_end = now_us() + guard_seconds() * 1000000LL;                   \
        while ((long long)(expression) != (long long)(value) && now_us() < becomes_end) sched_yield(); \
        CHECK_INT(expression, value);                                                     \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
