/* What the clients in C and C++ have in common.
 *
 * A client connects, keeps a window of messages under way on each connection for a short while, prints "ready" with the
 * nanoseconds in which its first connection opened, and waits for a line on stdin: at this moment its process has done
 * nothing that is measured. Then it does the same for --count messages (each that comes back sends the next), prints one line
 * of JSON, and ends with its stdin.
 * With --documents it sends the documents of a file, compressed. With --stuck it does round trips before and after the
 * callbacks of so many other clients have got stuck. With --connect it connects and closes --count times, one after another,
 * instead.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "peer.h"

#include <time.h>

static inline double client_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* What is sent: letters, or the documents of the file in turn. */
static unsigned char *client_payload;
static size_t client_documents;

static inline void client_make_payload(void) {
    if (peer.documents == NULL) {
        client_payload = (unsigned char *)malloc(peer.size);
        memset(client_payload, 'a', peer.size);
        return;
    }
    FILE *file = fopen(peer.documents, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) exit(1);
    peer.size = 4096;
    client_documents = (size_t)ftell(file) / peer.size;
    client_payload = (unsigned char *)malloc(client_documents * peer.size);
    rewind(file);
    if (fread(client_payload, peer.size, client_documents, file) != client_documents) exit(1);
    fclose(file);
}

/* The next message, of peer.size bytes. */
static inline unsigned char *client_next(void) {
    static size_t sent;
    if (peer.documents == NULL) return client_payload;
    return client_payload + __atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED) % client_documents * peer.size;
}

static double client_opened_in; /* nanoseconds that opening the first connection took, all that it needs included */

static inline void client_ready(void) {
    printf("ready %.0f\n", client_opened_in);
    fflush(stdout);
    if (getchar() == EOF) exit(0);
}

static int client_by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static inline double client_median(double *times, long count) {
    qsort(times, (size_t)count, sizeof *times, client_by_value);
    return times[count / 2];
}

/* `times` holds `count` round trips, or is NULL; `warmed_up`: messages before those that are measured. */
static inline void client_report(double start, double *times, long count, long warmed_up) {
    printf("{\"messages\": %ld, \"total\": %ld, \"wall_ns\": %.1f", count, warmed_up + count, (client_now() - start) / (double)count);
    if (times != NULL) {
        double middle = client_median(times, count);
        printf(", \"p50_ns\": %.0f, \"p99_ns\": %.0f", middle, times[count * 99 / 100]);
    }
    puts("}");
    fflush(stdout);
    peer_await_end(NULL);
}

/* Messages of each connection in the two phases. */
static inline long client_share(long count) {
    long share = count / peer.connections;
    return share < peer.window ? peer.window : share;
}

static inline long client_warm_up(void) {
    return client_share(peer.count / 20);
}

#endif
