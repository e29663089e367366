/* The far end of every measured server: as cheap as it can be made, one thread. It drives a server, and reads what that
 * cost the server's process from the kernel.
 *
 *     load MODE --port P --pid PID [--connections N] [--window W] [--size S] [--count C] [--raw] [--ca FILE]
 *         [--deflate]
 *
 * pipeline   every connection has a window of messages under way, and sends the next when all have come back
 * rtt        one message after another
 * connect    connections that come, say something and go, one after another
 * storm      N connections that come at once and go, again and again
 * idle       connections that rest; "open" is printed, then a line is awaited
 * documents  JSON of 4 KiB, compressed (RFC 7692), W under way
 * broadcast  one connection sends a message, and all connections receive it; W messages are under way
 * generate   prints so many of these documents instead
 *
 * It prints one line of JSON. CPU time is the process's, threads that have ended included, as the kernel's scheduler
 * accounts it in nanoseconds; how it divides into user and system time is the kernel's division (/proc/PID/stat).
 */
#define _GNU_SOURCE
#include "deflate.h"

#include <getopt.h>
#include <signal.h>

static long count = 1;
static int compressed, port, pid, connections = 1, window = 1;
static size_t size = 32;

struct cost {
    double wall, cpu;
    unsigned long user, system;
};

static double seconds(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) fail("clock_gettime");
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct cost now(void) {
    struct cost cost;
    char path[64], text[1024];
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) != 0) fail("the server's CPU clock");
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    if (sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &cost.user, &cost.system) != 2)
        fail(path);
    cost.cpu = seconds(clock);
    cost.wall = seconds(CLOCK_MONOTONIC);
    return cost;
}

static long warmed_up; /* messages before those that are measured */

/* Everything as nanoseconds for each of `messages`. */
static void report(struct cost start, struct cost end, long messages, const char *more) {
    double cpu = (end.cpu - start.cpu) * 1e9 / (double)messages, wall = (end.wall - start.wall) * 1e9 / (double)messages;
    unsigned long user = end.user - start.user, ticks = user + end.system - start.system;
    printf("{\"messages\": %ld, \"total\": %ld, \"cpu_ns\": %.1f, \"wall_ns\": %.1f", messages, warmed_up + messages, cpu, wall);
    if (handshakes > 0) printf(", \"resumed\": %.1f", 100.0 * (double)resumed / (double)handshakes);
    /* The division is counted in ticks of 10 ms: it says nothing about a short run. */
    if (ticks >= 20) printf(", \"user_ns\": %.1f", cpu * (double)user / (double)ticks);
    printf("%s}\n", more);
}

static struct link *open_all(void) {
    struct link *links = calloc((size_t)connections, sizeof *links);
    for (int i = 0; i < connections; i++) {
        connect_to(&links[i], port);
        handshake(&links[i], port, "");
    }
    return links;
}

/* Writes what the socket takes of the bytes that are still to be sent of `frames`. */
static void write_some(int epoll, struct link *link, uint32_t index, const unsigned char *frames, size_t length) {
    int was_blocked = link->blocked;
    link->blocked = 0;
    while (link->sent < length) {
        ssize_t written = link_write(link, frames + link->sent, length - link->sent);
        if (written < 0) {
            link->blocked = 1;
            break;
        }
        link->sent += (size_t)written;
    }
    if (link->blocked != was_blocked) {
        struct epoll_event event = { .events = EPOLLIN | (link->blocked ? EPOLLOUT : 0), .data.u32 = index };
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event) != 0) fail("epoll_ctl");
    }
}

static int watch(struct link *links) {
    int epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        set_blocking(&links[i], 0);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, links[i].fd, &event) != 0) fail("epoll_ctl");
    }
    return epoll;
}

static int wait_for(int epoll, struct epoll_event *events, int most) {
    int ready = epoll_wait(epoll, events, most, 30000);
    if (ready == 0) fail("30 seconds without a byte");
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    return ready;
}

static long pipeline(struct link *links, int epoll, const unsigned char *frames, size_t length, long messages) {
    long rounds = messages / connections / window, done = 0;
    int finished = 0;
    struct epoll_event events[256];
    if (rounds < 1) rounds = 1;
    for (int i = 0; i < connections; i++) {
        links[i].received = links[i].rounds = 0;
        links[i].sent = 0;
        write_some(epoll, &links[i], (uint32_t)i, frames, length);
    }
    while (finished < connections) {
        int ready = wait_for(epoll, events, 256);
        for (int i = 0; i < ready; i++) {
            struct link *link = &links[events[i].data.u32];
            if (events[i].events & ~(uint32_t)EPOLLOUT) {
                read_some(link);
                if (link->received > window) fail("more answers than questions");
                if (link->received == window) {
                    link->received = 0;
                    done += window;
                    if (++link->rounds == rounds) {
                        finished++;
                        continue;
                    }
                    link->sent = 0;
                }
            }
            if (link->sent < length && link->rounds < rounds) write_some(epoll, link, events[i].data.u32, frames, length);
        }
    }
    return done;
}

static void run_pipeline(void) {
    size_t length;
    unsigned char *frames = make_frames(size, window, &length);
    struct link *links = open_all();
    int epoll = watch(links);
    warmed_up = pipeline(links, epoll, frames, length, count / 20);
    verify = 0;
    struct cost start = now();
    long done = pipeline(links, epoll, frames, length, count);
    report(start, now(), done, "");
}

static long broadcast(struct link *links, int epoll, const unsigned char *frames, size_t length, long messages) {
    long rounds = messages / window;
    struct epoll_event events[256];
    if (rounds < 1) rounds = 1;
    for (long round = 0; round < rounds; round++) {
        int finished = 0;
        links[0].sent = 0;
        for (int i = 0; i < connections; i++) links[i].received = 0;
        write_some(epoll, &links[0], 0, frames, length);
        while (finished < connections) {
            int ready = wait_for(epoll, events, 256);
            for (int i = 0; i < ready; i++) {
                struct link *link = &links[events[i].data.u32];
                if (events[i].events & ~(uint32_t)EPOLLOUT) {
                    read_some(link);
                    if (link->received == window) finished++;
                }
                if (link == links && link->sent < length) write_some(epoll, link, 0, frames, length);
            }
        }
    }
    return rounds * window * connections;
}

static void run_broadcast(void) {
    size_t length;
    unsigned char *frames = make_frames(size, window, &length);
    struct link *links = open_all();
    int epoll = watch(links);
    warmed_up = broadcast(links, epoll, frames, length, window * 2);
    verify = 0;
    struct cost start = now();
    long done = broadcast(links, epoll, frames, length, count);
    report(start, now(), done, "");
}

static void round_trip(struct link *link, const unsigned char *frame, size_t length) {
    link->received = 0;
    write_all(link, frame, length);
    while (link->received == 0) read_some(link);
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void run_rtt(void) {
    size_t length;
    unsigned char *frame = make_frames(size, 1, &length);
    struct link *link = open_all();
    double *times = calloc((size_t)count, sizeof *times);
    char more[128];
    for (; warmed_up < count / 20 + 10; warmed_up++) round_trip(link, frame, length);
    verify = 0;
    struct cost start = now();
    for (long i = 0; i < count; i++) {
        double begin = seconds(CLOCK_MONOTONIC);
        round_trip(link, frame, length);
        times[i] = (seconds(CLOCK_MONOTONIC) - begin) * 1e9;
    }
    struct cost end = now();
    qsort(times, (size_t)count, sizeof *times, by_value);
    snprintf(more, sizeof more, ", \"p50_ns\": %.0f, \"p99_ns\": %.0f", times[count / 2], times[count * 99 / 100]);
    report(start, end, count, more);
}

/* Connects, asks one thing, says goodbye, and waits until the server has hung up. */
static void visit(const unsigned char *frame, size_t length) {
    static const unsigned char goodbye[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8 };
    struct link link = { 0 };
    connect_to(&link, port);
    handshake(&link, port, "");
    round_trip(&link, frame, length);
    if (raw) shutdown(link.fd, SHUT_WR);
    else write_all(&link, goodbye, sizeof goodbye);
    link.may_end = 1;
    while (!link.ended) read_some(&link);
    hang_up(&link);
}

static void run_connect(void) {
    size_t length;
    unsigned char *frame = make_frames(size, 1, &length);
    for (; warmed_up < count / 20 + 5; warmed_up++) visit(frame, length);
    handshakes = resumed = 0;
    struct cost start = now();
    for (long i = 0; i < count; i++) visit(frame, length);
    report(start, now(), count, "");
}

/* Many connections that come at once: each is answered, and all go. */
static void storm(void) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct link *links = calloc((size_t)connections, sizeof *links);
    struct epoll_event events[256];
    int epoll = epoll_create1(0), open = 0;
    for (int i = 0; i < connections; i++) {
        links[i].fd = begin_connect(port);
        if (tls != NULL) begin_tls(&links[i]);
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &links[i] };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, links[i].fd, &event) != 0) fail("epoll_ctl");
    }
    while (open < connections) {
        int ready = wait_for(epoll, events, 256);
        for (int i = 0; i < ready; i++) {
            struct link *link = events[i].data.ptr;
            if (!(events[i].events & (EPOLLIN | EPOLLOUT))) fail("a connection of many was refused");
            if (link->rounds == 1 || !tls_ready(link)) continue;
            if (link->sent == 0) {
                if (!(events[i].events & EPOLLOUT)) continue;
                /* TCP alone has no handshake: it is answered one message. */
                size_t length = raw ? wire_size : sizeof request - 1;
                if (link_write(link, raw ? (const void *)buffer : request, length) != (ssize_t)length) fail("write");
                link->sent = length;
            }
            ssize_t got;
            while ((got = link_read(link, link->head, 1)) == 1) {
                /* The answer ends with an empty line. */
                if (raw) link->received++;
                else if (link->head[0] == '\n') link->head_length++;
                else if (link->head[0] != '\r') link->head_length = 0;
                if (raw ? (size_t)link->received == wire_size : link->head_length == 2) {
                    link->rounds = 1;
                    open++;
                    break;
                }
            }
            if (got == 0) fail("the server hung up in the handshake");
        }
    }
    for (int i = 0; i < connections; i++) hang_up(&links[i]);
    close(epoll);
    free(links);
}

static void run_storm(void) {
    storm();
    long storms = count / connections;
    if (storms < 1) storms = 1;
    handshakes = resumed = 0;
    struct cost start = now();
    for (long i = 0; i < storms; i++) storm();
    report(start, now(), storms * connections, "");
}

static void documents(struct link *link, struct codec *codec, long messages) {
    static uint32_t state = 20260101;
    static char (*window_of)[DOCUMENT + 1];
    if (window_of == NULL) window_of = calloc((size_t)window, sizeof *window_of);
    for (long done = 0; done < messages; done += window) {
        for (int i = 0; i < window; i++) {
            make_document(window_of[i], &state);
            send_document(link, codec, window_of[i]);
        }
        for (int i = 0; i < window; i++) receive_document(link, codec, window_of[i]);
    }
}

static void run_documents(void) {
    struct link link = { 0 };
    char more[64];
    connect_to(&link, port);
    struct codec *codec = deflate_handshake(&link, port);
    documents(&link, codec, count / 20 + 1);
    codec->wire = 0;
    struct cost start = now();
    documents(&link, codec, count);
    struct cost end = now();
    long messages = (count + window - 1) / window * window;
    snprintf(more, sizeof more, ", \"wire_bytes\": %.1f", (double)codec->wire / (double)messages);
    report(start, end, messages, more);
}

/* The documents that clients are to send. */
static void generate(void) {
    uint32_t state = 20260101;
    char document[DOCUMENT + 1];
    for (long i = 0; i < count; i++) {
        make_document(document, &state);
        fwrite(document, 1, DOCUMENT, stdout);
    }
}

/* Answers pings until a line comes: a ping without an answer would end the connection. */
static void stay(struct link *links) {
    int epoll = watch(links);
    struct epoll_event events[256], line = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
    unsigned char ping[127], pong[127 + 14];
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &line) != 0) fail("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.u32 == UINT32_MAX) return;
            struct link *link = &links[events[i].data.u32];
            ssize_t got = link_read(link, ping, sizeof ping);
            if (got == 0) fail("the server hung up");
            if (got >= 2 && ping[0] == 0x89) link_write(link, pong, write_frame(pong, 0x8a, ping + 2, (size_t)got - 2));
        }
    }
}

static void run_idle(void) {
    size_t length;
    unsigned char *frame = make_frames(size, 1, &length);
    struct link *links = compressed ? calloc((size_t)connections, sizeof *links) : open_all();
    for (int i = 0; i < connections; i++) {
        if (compressed) {
            connect_to(&links[i], port);
            struct codec *codec = deflate_handshake(&links[i], port);
            documents(&links[i], codec, 4);
            deflateEnd(&codec->out);
            inflateEnd(&codec->in);
            free(codec);
        } else {
            for (int times = 0; times < 3; times++) round_trip(&links[i], frame, length);
        }
    }
    puts("open");
    fflush(stdout);
    /* At rest: what the line's writer waits is what is measured. */
    struct cost start = now();
    stay(links);
    report(start, now(), connections, "");
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        { "port", 1, 0, 'p' }, { "pid", 1, 0, 'i' },   { "connections", 1, 0, 'n' }, { "window", 1, 0, 'w' },
        { "size", 1, 0, 's' }, { "count", 1, 0, 'c' }, { "raw", 0, 0, 'r' },         { "ca", 1, 0, 'a' },
        { "deflate", 0, 0, 'd' },
        { 0 },
    };
    alarm(240); /* a server that has stalled doesn't stall the whole run */
    signal(SIGPIPE, SIG_IGN); /* TLS writes without MSG_NOSIGNAL */
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
            case 'p': port = atoi(optarg); break;
            case 'i': pid = atoi(optarg); break;
            case 'n': connections = atoi(optarg); break;
            case 'w': window = atoi(optarg); break;
            case 's': size = (size_t)atol(optarg); break;
            case 'c': count = atol(optarg); break;
            case 'r': raw = 1; break;
            case 'd': compressed = 1; break;
            case 'a': use_tls(optarg); break;
            default: return 2;
        }
    }
    const char *mode = argc > optind ? argv[optind] : "";
    if (strcmp(mode, "generate") == 0) {
        generate();
        return 0;
    }
    if (port == 0 || pid == 0 || connections < 1 || window < 1 || count < 1) fail("load MODE --port P --pid PID ...");
    wire_size = size;
    if (strcmp(mode, "pipeline") == 0) run_pipeline();
    else if (strcmp(mode, "rtt") == 0) run_rtt();
    else if (strcmp(mode, "connect") == 0) run_connect();
    else if (strcmp(mode, "storm") == 0) run_storm();
    else if (strcmp(mode, "documents") == 0) run_documents();
    else if (strcmp(mode, "idle") == 0) run_idle();
    else if (strcmp(mode, "broadcast") == 0) run_broadcast();
    else fail("no such mode");
    return 0;
}
