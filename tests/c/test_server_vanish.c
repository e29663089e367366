/*
 * Clients that disappear, 2,000 in each of six ways: each is seen by the server to have got that far, costs nothing but
 * itself, and leaves nothing behind.
 *
 *     test_server_vanish [OF_EACH]
 */
#include "server.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static int of_each = 2000;
enum { WAVE = 200 };

/* A server that counts: recording every event would take the memory that is measured. */
struct counting {
    nsws_server handle;
    uint16_t port;
    struct counter connects, messages, closes, errors, pings_lost;
};

static void on_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)s, (void)c, (void)e;
    counter_add(&((struct counting *)user)->connects, 1);
}
static void on_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s;
    counter_add(&((struct counting *)user)->messages, 1);
    nsws_connection_send_binary(c, e->data, e->length);
}
static void on_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s, (void)c;
    CHECK(e->code == 1006 || e->was_clean);
    counter_add(&((struct counting *)user)->closes, 1);
}
static void on_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    struct counting *counting = user;
    (void)s;
    CHECK(c.id != 0);
    counter_add(&counting->errors, 1);
    if (e->detail == NSWS_DETAIL_HEARTBEAT_LOST) counter_add(&counting->pings_lost, 1);
}

static int counting_begins(struct counting *s, const nsws_server_options *options) {
    counter_init(&s->connects);
    counter_init(&s->messages);
    counter_init(&s->closes);
    counter_init(&s->errors);
    counter_init(&s->pings_lost);
    return CHECK_OK(nsws_server_create(&s->handle)) && CHECK_OK(nsws_server_on_connect(s->handle, on_connect, s, NULL)) &&
           CHECK_OK(nsws_server_on_message(s->handle, on_message, s, NULL)) &&
           CHECK_OK(nsws_server_on_close(s->handle, on_close, s, NULL)) &&
           CHECK_OK(nsws_server_on_error(s->handle, on_error, s, NULL)) &&
           CHECK_OK(nsws_server_start(s->handle, options)) && CHECK_OK(nsws_server_get_port(s->handle, &s->port));
}

/* None of the clients is left. */
static void nobody_is_left(struct counting *s) {
    int all_read;
    size_t count;
    BECOMES(accepted_sockets(s->port, &all_read), 0);
    WAIT_COUNTER(&s->closes, counter_value(&s->connects));
    CHECK_INT(counter_value(&s->closes), counter_value(&s->connects));
    CHECK_OK(nsws_server_list_connections(s->handle, NULL, 0, &count));
    BECOMES((nsws_server_list_connections(s->handle, NULL, 0, &count), count), 0);
}

/* Waits until so many are there and all that they sent was read. */
static void all_was_read(struct counting *s, int count) {
    long long end = now_us() + guard_seconds() * 1000000LL;
    int there, all_read;
    while (((there = accepted_sockets(s->port, &all_read)) != count || !all_read) && now_us() < end) sched_yield();
    CHECK(there == count && all_read);
}

static void still_works(struct counting *s, int secure) {
    struct other *python = new_other("NSWS_PYTHON_CLIENT");
    CHECK_STR(ask_other(python, "open a ws%s://localhost:%d/", secure ? "s" : "", s->port), "open -");
    CHECK_STR(ask_other(python, "echo a binary 1000"), "same");
    CHECK_STR(ask_other(python, "close a 1000"), "closed 1000");
    end_others();
}

static int fds[WAVE];

static int open_one(uint16_t port) {
    int fd = raw_connect_from("127.0.0.1", port);
    if (fd < 0 || !raw_say(fd, RAW_REQUEST) || raw_status(fd) != 101) return -1;
    return fd;
}

static void open_wave(struct counting *s, int count) {
    for (int i = 0; i < count; i++)
        if (!CHECK((fds[i] = open_one(s->port)) >= 0)) return;
}

/* Each makes one wave of clients vanish. */

static void are_killed(struct counting *s, int count) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes);
    int stay[2];
    if (pipe2(stay, O_CLOEXEC) != 0) abort();
    pid_t child = fork();
    if (child == 0) {
        /* Raw sockets alone: a forked child can't use the library. */
        char byte;
        for (int i = 0; i < count; i++)
            if (open_one(s->port) < 0) _exit(1);
        close(stay[1]);
        _exit(read(stay[0], &byte, 1) < 0);
    }
    WAIT_COUNTER(&s->connects, before + count);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    close(stay[0]);
    close(stay[1]);
    WAIT_COUNTER(&s->closes, over + count);
}

static void reset_the_link(struct counting *s, int count) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes);
    open_wave(s, count);
    WAIT_COUNTER(&s->connects, before + count);
    for (int i = 0; i < count; i++) raw_reset(fds[i]);
    WAIT_COUNTER(&s->closes, over + count);
}

/* Without a FIN: they just don't answer any more, as when the cable is pulled, until the server gives them up. */
static void fall_silent(struct counting *s, int count) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes), lost = counter_value(&s->pings_lost);
    open_wave(s, count);
    WAIT_COUNTER(&s->connects, before + count);
    WAIT_COUNTER(&s->closes, over + count);
    CHECK_INT(counter_value(&s->pings_lost), lost + count);
    for (int i = 0; i < count; i++) raw_reset(fds[i]);
}

static void leave_half_a_frame(struct counting *s, int count) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes), said = counter_value(&s->messages);
    unsigned char frame[2 * 1000 + 2 * FRAME_ROOM];
    char data[1000] = "";
    size_t size = raw_frame(frame, BINARY_FRAME, data, sizeof data);
    /* One and a half of it. */
    raw_frame(frame + size, BINARY_FRAME, data, sizeof data);
    open_wave(s, count);
    for (int i = 0; i < count; i++) raw_write(fds[i], frame, size + size / 2);
    WAIT_COUNTER(&s->connects, before + count);
    WAIT_COUNTER(&s->messages, said + count);
    all_was_read(s, count);
    for (int i = 0; i < count; i++) i % 2 ? raw_reset(fds[i]) : (void)close(fds[i]);
    WAIT_COUNTER(&s->closes, over + count);
    CHECK_INT(counter_value(&s->messages), said + count);
}

/* Half of a record of an open connection, and half of the very first. */
static void leave_half_a_tls_record(struct counting *s, int count) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes);
    int open = (count + 1) / 2, shaking = count - open;
    char answer[32];
    struct other *python = new_other("NSWS_HALF_TLS_CLIENT");
    snprintf(answer, sizeof answer, "half %d", open);
    CHECK_STR(ask_other(python, "%d %d", s->port, open), answer);
    for (int i = 0; i < shaking; i++) {
        fds[i] = raw_connect_from("127.0.0.1", s->port);
        raw_write(fds[i], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 half of a ClientHello", 33);
    }
    WAIT_COUNTER(&s->connects, before + open);
    all_was_read(s, count);
    CHECK_STR(ask_other(python, "go"), "gone");
    for (int i = 0; i < shaking; i++) i % 2 ? raw_reset(fds[i]) : (void)close(fds[i]);
    WAIT_COUNTER(&s->closes, over + open);
    CHECK_INT(counter_value(&s->connects), before + open);
    end_others();
}

static void leave_half_a_request_line(struct counting *s, int count) {
    long before = counter_value(&s->connects);
    for (int i = 0; i < count; i++) {
        fds[i] = raw_connect_from("127.0.0.1", s->port);
        raw_say(fds[i], "GET /chat HT");
    }
    all_was_read(s, count);
    for (int i = 0; i < count; i++) i % 2 ? raw_reset(fds[i]) : (void)close(fds[i]);
    CHECK_INT(counter_value(&s->connects), before);
}

/* Makes the library borrow all the buffers that it keeps, at once. */
static void borrow_all_buffers(struct counting *s) {
    long before = counter_value(&s->connects), over = counter_value(&s->closes);
    nsws_connection connections[WAVE];
    char data[1000] = "";
    size_t count;
    open_wave(s, WAVE);
    WAIT_COUNTER(&s->connects, before + WAVE);
    CHECK_OK(nsws_server_list_connections(s->handle, connections, WAVE, &count));
    if (!CHECK_INT(count, WAVE)) return;
    for (int i = 0; i < WAVE; i++) {
        CHECK_OK(nsws_connection_cork(connections[i]));
        for (int message = 0; message < 8; message++) CHECK_OK(nsws_connection_send_binary(connections[i], data, sizeof data));
    }
    for (int i = 0; i < WAVE; i++) CHECK_OK(nsws_connection_uncork(connections[i]));
    for (int i = 0; i < WAVE; i++) raw_reset(fds[i]);
    WAIT_COUNTER(&s->closes, over + WAVE);
}

struct memory {
    long allocated_kib, resident_kib;
};

static struct memory memory_now(void) {
    struct memory memory = { 0, 0 };
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    memory.allocated_kib = (long)((info.uordblks + info.hblkhd) >> 10);
    malloc_trim(0);
#endif
    memory.resident_kib = resident_kib();
    return memory;
}

static void ten_thousand_clients_vanish_and_nothing_is_left(void) {
    enum { PLAIN, IMPATIENT, SECURE, SERVERS };
    static struct counting servers[SERVERS];
    static const struct {
        const char *what;
        void (*vanish)(struct counting *, int);
        int server;
        /* One address can't have more handshakes in progress at once. */
        int most;
    } kinds[] = {
        { "killed", are_killed, PLAIN, WAVE },
        { "reset", reset_the_link, PLAIN, WAVE },
        { "silent", fall_silent, IMPATIENT, WAVE },
        { "half a frame", leave_half_a_frame, PLAIN, WAVE },
        { "half a TLS record", leave_half_a_tls_record, SECURE, WAVE },
        { "half a request line", leave_half_a_request_line, PLAIN, 120 },
    };
    enum { KINDS_OF_VANISHING = sizeof kinds / sizeof *kinds };
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = UINT32_MAX;
    options.ping_interval_ms = 0;
    if (!counting_begins(&servers[PLAIN], &options)) return;
    options.ping_interval_ms = options.pong_timeout_ms = 100 * (uint32_t)slowness();
    if (!counting_begins(&servers[IMPATIENT], &options)) return;
    options.ping_interval_ms = 0;
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    if (!counting_begins(&servers[SECURE], &options)) return;

    /* The first wave of each makes what stays: tables of their largest size, threads, allocators' pools. */
    struct memory before = memory_now();
    int descriptors = 0;
    for (int rounds = 0; rounds < 2; rounds++) {
        for (int kind = 0; kind < KINDS_OF_VANISHING; kind++) {
            struct counting *s = &servers[kinds[kind].server];
            long long start = now_us();
            int left = rounds == 0 && of_each > WAVE ? WAVE : of_each;
            for (int count; left > 0; left -= count) {
                count = left < kinds[kind].most ? left : kinds[kind].most;
                kinds[kind].vanish(s, count);
                nobody_is_left(s);
                if (failed_checks()) return;
            }
            if (rounds == 1) printf("    %d %s (%lld ms)\n", of_each, kinds[kind].what, (now_us() - start) / 1000);
        }
        for (int server = 0; server < SERVERS; server++)
            if (server != IMPATIENT) still_works(&servers[server], server == SECURE);
        for (int server = 0; server < SERVERS; server++) nobody_is_left(&servers[server]);
        if (rounds == 0) {
            borrow_all_buffers(&servers[PLAIN]);
            nobody_is_left(&servers[PLAIN]);
            before = memory_now();
        }
        if (rounds == 1) REACHES(count_fds, descriptors);
        descriptors = count_fds();
    }
    if (slowness() == 1 && MEMORY_COUNTS) {
        /* A leak of 52 bytes for each client would be seen; the pages may be scattered. */
        struct memory after = memory_now();
        long long end = now_us() + guard_seconds() * 1000000LL;
        while (after.allocated_kib > before.allocated_kib + 512 && now_us() < end) after = memory_now();
        printf("    after %d of each: %ld KiB allocated, %ld KiB resident; after all: %ld KiB, %ld KiB\n", WAVE,
               before.allocated_kib, before.resident_kib, after.allocated_kib, after.resident_kib);
        CHECK_MOST(after.allocated_kib, before.allocated_kib + 512);
        CHECK_MOST(after.resident_kib, before.resident_kib + 6 * 1024);
    }
    for (int server = 0; server < SERVERS; server++) CHECK_OK(nsws_server_destroy(servers[server].handle));
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1) of_each = atoi(argv[1]);
    else if (slowness() > 1) of_each = 40;
    RUN(ten_thousand_clients_vanish_and_nothing_is_left);
    return end_tests();
}
