/* Clients of other libraries: programs that do what they are told (tests/interop/python_client.py says how). */
#ifndef HARNESS_OTHER_H
#define HARNESS_OTHER_H

#include "check.h"

struct other {
    pid_t process;
    FILE *to, *from;
    char answer[1024];
    struct other *next;
};

enum { OTHER_CLIENTS = 2 };

/* The variables that name them. */
extern const char *const other_clients[OTHER_CLIENTS];

/* Starts the program that a variable names. The end of the test ends it. */
struct other *new_other(const char *variable);

/* Tells it something without waiting for the answer. */
void tell(struct other *other, const char *format, ...) HARNESS_PRINTF(2, 3);

/* Waits for the answer. */
const char *take_answer(struct other *other);

/* Tells it something and returns its answer. */
const char *ask_other(struct other *other, const char *format, ...) HARNESS_PRINTF(2, 3);

/* Ends all of them before the end of the test does. */
void end_others(void);

/* A port whose traffic is passed on to another one, with TLS put on ("wrap") or taken off ("unwrap"). */
uint16_t relay(const char *how, uint16_t port);

#endif
