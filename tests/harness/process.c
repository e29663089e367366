#include "process.h"

#include <dirent.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

static int count_entries(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void *no_work(void *data) {
    return data;
}

/* Threads of an emulator: those that are there before any of the program's. */
static int emulator_threads;

__attribute__((constructor)) static void count_foreign_threads(void) {
    emulator_threads = count_entries("/proc/self/task") - 1;
    /* TSan starts a thread of its own with the program's first, and keeps it. */
    pthread_t first;
    if (THREADS_SANITIZED && pthread_create(&first, NULL, no_work, NULL) == 0) pthread_join(first, NULL);
}

int count_threads(void) {
    return count_entries("/proc/self/task") - THREADS_SANITIZED - emulator_threads;
}

int count_fds(void) {
    return count_entries("/proc/self/fd");
}

long resident_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) pages = -1;
    if (file != NULL) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int reaches(const char *file, int line, const char *what, int (*count)(void), int most) {
    /* A thread that was joined stays in /proc for a moment; no event says when it is gone. */
    long long end = now_us() + guard_seconds() * 1000000LL;
    while (count() > most && now_us() < end) sched_yield();
    return check_most(file, line, what, count(), most);
}

void command_line(char *words[32], const char *program, const char *argument) {
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

int accepted_sockets(uint16_t port, int *all_read) {
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

long held_kib(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return resident_kib();
}

int check_held(const char *file, int line, const char *what, long before, long most_kib) {
    long more = held_kib() - before;
    return slowness() > 1 || !MEMORY_COUNTS || SANITIZED || more <= most_kib ||
           harness_fail(file, line, "%s: %ld KiB more are held, not %ld", what, more, most_kib);
}

struct guarded guarded_page(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0) abort();
    return (struct guarded){ pages, pages + size };
}

void free_guarded(struct guarded guarded) {
    munmap(guarded.page, 2 * (size_t)sysconf(_SC_PAGESIZE));
}
