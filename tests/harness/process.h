/* What the process holds: threads, descriptors, sockets, memory. */
#ifndef HARNESS_PROCESS_H
#define HARNESS_PROCESS_H

#include "check.h"

/* Clang before 21 doesn't define what GCC does. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/* ASan keeps what is freed, so the resident memory means nothing. */
#ifdef __SANITIZE_ADDRESS__
enum { MEMORY_COUNTS = 0 };
#else
enum { MEMORY_COUNTS = 1 };
#endif

#ifdef __SANITIZE_THREAD__
enum { THREADS_SANITIZED = 1 };
#else
enum { THREADS_SANITIZED = 0 };
#endif
enum { SANITIZED = THREADS_SANITIZED || !MEMORY_COUNTS };

#ifdef __cplusplus
extern "C" {
#endif

/* Threads of the program, without those of an emulator or a sanitizer. */
int count_threads(void);

/* Descriptors of the process; always one more for the folder that is being read. */
int count_fds(void);
long resident_kib(void);
int reaches(const char *file, int line, const char *what, int (*count)(void), int most);

/* Waits until a count of the process is back where it was. */
#define REACHES(count, most) reaches(__FILE__, __LINE__, #count, count, most)

/* A command that runs a program of this kind: the emulator's words from NSWS_TEST_EMULATOR, if any, then the program and
 * its argument, then NULL. */
void command_line(char *words[32], const char *program, const char *argument);

/* How many sockets of this process were accepted on a port, and whether everything that came in on them was read. */
int accepted_sockets(uint16_t port, int *all_read);

/* Memory that the process holds, after what is free was given back. */
long held_kib(void);

/* Checks that no more is held than before; passes where a sanitizer or valgrind distorts the count. */
int check_held(const char *file, int line, const char *what, long before, long most_kib);
#define CHECK_HELD(what, before, most_kib) check_held(__FILE__, __LINE__, what, before, most_kib)

/* A page that can't be touched, and the end of the readable one before it. */
struct guarded {
    char *page, *end;
};

struct guarded guarded_page(void);
void free_guarded(struct guarded guarded);

#ifdef __cplusplus
}
#endif

#endif
