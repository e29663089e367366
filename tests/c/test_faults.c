/*
 * What happens around the library: peers that are killed, servers that start anew, files that are replaced, clocks that jump,
 * descriptors that are used up, signals that are blocked, and the library itself loaded twice, or again and again.
 */
#include "pair.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static const char *self;

/* A child that is this program once more. A socket that is not -1 is handed over as its third descriptor. */
static pid_t starts_self(const char *argument, int socket, int *input, FILE **output) {
    int to[2], from[2];
    char *words[32];
    command_line(words, self, argument);
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) abort();
    pid_t child = fork();
    if (child == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        if (socket == 3) fcntl(3, F_SETFD, 0);
        else if (socket >= 0) dup2(socket, 3);
        execvp(words[0], words);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    *input = to[1];
    *output = fdopen(from[0], "r");
    return child;
}

static void is_gone(pid_t child, int input, FILE *output) {
    int status;
    close(input);
    waitpid(child, &status, 0);
    fclose(output);
}

/* The clock. Programs' definitions of these come before the C library's; Rust's standard library calls the first. */

static long long jump;
static long looks_at_the_date;

#if defined(__GLIBC__) && defined(__LP64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { CAN_JUMP = 1 };

int clock_gettime(clockid_t clock, struct timespec *out) {
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        __atomic_add_fetch(&looks_at_the_date, 1, __ATOMIC_SEQ_CST);
        out->tv_sec += __atomic_load_n(&jump, __ATOMIC_SEQ_CST);
    }
    return result;
}
#else
enum { CAN_JUMP = 0 };
#endif

static void pings_go_on(struct pair *p, int count) {
    struct frame frame;
    for (int i = 0; i < count; i++) {
        if (!CHECK(peer_receive_kind(p, PING_FRAME, &frame))) return;
        peer_send(p, PONG_FRAME, frame.data, frame.length);
    }
}

static void the_clock_jumps_and_no_deadline_does(void) {
    static const long long years[] = { 10, -20, 0, 60 };
    /* Sanitizers and other C libraries have their own way to the clock; under valgrind, deadlines are not what they were. */
    if (!CAN_JUMP || slowness() > 1) return;
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        SET(options, ping_interval_ms, 1500);
        SET(options, pong_timeout_ms, 1500);
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        /* A message is under way all the time, and a handshake. */
        CHECK(peer_send(p, TEXT_FRAME & ~FIN, "begun", 5));
        int waiting = role == AS_SERVER ? raw_connect(p->s) : -1;
        for (size_t i = 0; i < sizeof years / sizeof *years; i++) {
            __atomic_store_n(&jump, years[i] * 365 * 86400, __ATOMIC_SEQ_CST);
            pings_go_on(p, 1);
        }
        CHECK(peer_send(p, CONTINUATION_FRAME, ", and ended", 11));
        CHECK_INT(PAIR_CLOSES(p), 0);
        if (role == AS_SERVER) CHECK_INT(raw_open_at(__FILE__, __LINE__, waiting, RAW_REQUEST), waiting);
        if (waiting >= 0) close(waiting);
        /* The date is looked at where it counts: in certificates, which are out of date by then. */
        if (role == AS_CLIENT) {
            struct recorder *r = new_client();
            struct pair_options secure = pair_defaults();
            long before = __atomic_load_n(&looks_at_the_date, __ATOMIC_SEQ_CST);
            secure.client.ca_path = certificate_file("ca.pem");
            snprintf(r->url, sizeof r->url, "%s", setting("NSWS_ECHO_WSS_URL"));
            CHECK_OK(nsws_client_connect(r->client, r->url, &secure.client));
            const struct event *error = WAIT(r, ERROR, 1);
            if (error) CHECK_INT(error->detail, NSWS_DETAIL_CERT_EXPIRED);
            CHECK(__atomic_load_n(&looks_at_the_date, __ATOMIC_SEQ_CST) > before);
        }
        __atomic_store_n(&jump, 0, __ATOMIC_SEQ_CST);
        /* And one who says nothing is lost all the same. */
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_HEARTBEAT_LOST);
    }
}

/* A peer that is killed while data is under way in both directions. */

/* The peer: it takes over the socket that is its third descriptor, writes until it can't, reads nothing, and says so. */
static void floods(void) {
    struct pair peer;
    unsigned char frame[KIB + FRAME_ROOM], one[KIB] = { 0 };
    memset(&peer, 0, sizeof peer);
    peer.role = getenv("NSWS_TEST_ROLE")[0] == 's' ? AS_SERVER : AS_CLIENT;
    size_t size = peer_frame(&peer, frame, BINARY_FRAME, one, sizeof one);
    for (int i = 0; i < 500; i++) raw_write(3, frame, size);
    puts("written");
    fflush(stdout);
    for (;;) pause();
}

static void a_peer_killed_amid_both_directions_is_lost_after_what_it_sent(void) {
    BOTH_ROLES(role) {
        int input;
        FILE *output;
        char line[64] = "", *data = pattern(MIB);
        struct pair_options options = pair_defaults();
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        setenv("NSWS_TEST_ROLE", role == AS_SERVER ? "server" : "client", 1);
        pid_t child = starts_self("floods", p->fd, &input, &output);
        close(p->fd);
        p->fd = -1;
        CHECK(fgets(line, sizeof line, output) != NULL);
        CHECK_STR(line, "written\n");
        int32_t code = NSWS_OK;
        for (int i = 0; i < 64 && code == NSWS_OK; i++) code = pair_send(p, data, MIB, 0);
        CHECK_CODE(code, NSWS_ERR_QUEUE_FULL);
        kill(child, SIGKILL);
        is_gone(child, input, output);
        struct told close = PAIR_CLOSE(p);
        if (close.came) CHECK(close.code == 1006 && !close.was_clean);
        CHECK(pair_send(p, "late", 4, 1) != NSWS_OK);
        free(data);
    }
}

/* A server that starts anew under its clients. */

static void serve_on_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)user;
    nsws_connection_send_binary(c, e->data, e->length);
}

static int serves(const char *port) {
    nsws_server_options options = server_defaults();
    nsws_server server;
    uint16_t own = 0;
    char byte;
    options.server_port = (uint32_t)atoi(port);
    options.max_concurrent_clients = options.max_connections_per_client = 5000;
    options.max_upgrades_per_minute = 0;
    nsws_server_create(&server);
    nsws_server_on_message(server, serve_on_message, NULL, NULL);
    int32_t code = nsws_server_start(server, &options);
    nsws_server_get_port(server, &own);
    printf("%d %d %s\n", own, code, code ? nsws_last_error() : "");
    fflush(stdout);
    /* A line: it stops as a program should. The end: it is over anyhow. */
    if (read(0, &byte, 1) == 1) {
        nsws_server_destroy(server);
        nsws_shutdown(20000);
    }
    _exit(0);
}

struct restarted {
    nsws_client client;
    unsigned number;
};

static struct counter opened, echoed, closed;
static long generation;

static void restarted_open(nsws_client c, const nsws_open_event *e, void *user) {
    struct restarted *r = user;
    unsigned said[2] = { r->number, (unsigned)__atomic_load_n(&generation, __ATOMIC_SEQ_CST) };
    (void)e;
    counter_add(&opened, 1);
    CHECK_OK(nsws_client_send_binary(c, said, sizeof said));
}

static void restarted_message(nsws_client c, const nsws_message_event *e, void *user) {
    struct restarted *r = user;
    unsigned heard[2] = { 0, 0 };
    (void)c;
    if (CHECK_INT(e->length, sizeof heard)) memcpy(heard, e->data, sizeof heard);
    CHECK_INT(heard[0], r->number);
    counter_add(&echoed, 1);
}

static void restarted_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)c, (void)e, (void)user;
    counter_add(&closed, 1);
}

static void a_thousand_clients_outlive_restarts_of_their_server(void) {
    static struct restarted clients[1000];
    struct rlimit limit, before;
    int count = slowness() > 1 ? 50 : 1000, input, port = 0, code = -1;
    FILE *output;
    char line[256], argument[32], url[64];
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    if (limit.rlim_max >= 4096 && limit.rlim_cur < 4096) limit.rlim_cur = 4096;
    if (limit.rlim_cur < 4096) {
        count = 100;
        puts("****** SKIPPED: a thousand clients want 4,096 descriptors; a hundred take their place ******");
    }
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    counter_init(&opened);
    counter_init(&echoed);
    counter_init(&closed);
    int held, own = refused_port(&held);
    snprintf(argument, sizeof argument, "serves %d", own);
    pid_t child = starts_self(argument, -1, &input, &output);
    if (!fgets(line, sizeof line, output) || sscanf(line, "%d %d", &port, &code) != 2 || !CHECK_INT(code, 0)) return;
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    nsws_connect_options options = defaults();
    options.reconnect_max_attempts = NSWS_FOR_EVER;
    options.reconnect_min_delay_ms = 50;
    options.reconnect_max_delay_ms = 500;
    options.connect_timeout_ms = 60000;
    for (int i = 0; i < count; i++) {
        clients[i].number = (unsigned)i;
        CHECK_OK(nsws_client_create(&clients[i].client));
        CHECK_OK(nsws_client_on_open(clients[i].client, restarted_open, &clients[i], NULL));
        CHECK_OK(nsws_client_on_message(clients[i].client, restarted_message, &clients[i], NULL));
        CHECK_OK(nsws_client_on_close(clients[i].client, restarted_close, &clients[i], NULL));
        CHECK_OK(nsws_client_connect(clients[i].client, url, &options));
    }
    WAIT_COUNTER(&echoed, count);
    for (int times = 1; times <= 3; times++) {
        __atomic_store_n(&generation, times, __ATOMIC_SEQ_CST);
        if (times == 2) CHECK(write(input, "\n", 1) == 1);
        else kill(child, SIGKILL);
        is_gone(child, input, output);
        /* Some come while nobody listens, and some while the first of them are let in. */
        WAIT_COUNTER(&closed, (long)count * times);
        snprintf(argument, sizeof argument, "serves %d", port);
        child = starts_self(argument, -1, &input, &output);
        code = -1;
        if (!fgets(line, sizeof line, output) || sscanf(line, "%*d %d", &code) != 1 || !CHECK_INT(code, 0)) break;
        WAIT_COUNTER(&echoed, (long)count * (times + 1));
        CHECK_INT(counter_value(&opened), (long)count * (times + 1));
    }
    for (int i = 0; i < count; i++) CHECK_OK(nsws_client_destroy(clients[i].client));
    kill(child, SIGKILL);
    is_gone(child, input, output);
    close(held);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* A server's certificate that is replaced on disk. */

static void copies(const char *name, const char *to, size_t most) {
    char bytes[64 * KIB];
    FILE *in = fopen(certificate_file(name), "r"), *out = fopen(to, "w");
    size_t size = in && out ? fread(bytes, 1, sizeof bytes, in) : 0;
    if (!CHECK(size > 0) || !CHECK(fwrite(bytes, 1, size < most ? size : most, out) > 0)) return;
    fclose(in);
    fclose(out);
}

/* Whether a client that trusts the CA alone gets through. */
static void is_trusted(int line, struct server *s, int expected) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("ca.pem");
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%d/", s->port);
    check_code(__FILE__, line, "connect", nsws_client_connect(r->client, r->url, &options), NSWS_OK);
    if (expected) wait_event(__FILE__, line, r, OPEN, 1);
    else wait_event(__FILE__, line, r, ERROR, 1);
}

static void a_certificate_replaced_on_disk_counts_from_the_next_start_on(void) {
    char cert[512], key[512];
    snprintf(cert, sizeof cert, "%s/replaced-%ld.pem", setting("NSWS_CERT_DIR"), (long)getpid());
    snprintf(key, sizeof key, "%s/replaced-%ld.key", setting("NSWS_CERT_DIR"), (long)getpid());
    copies("good.pem", cert, SIZE_MAX);
    copies("good.key", key, SIZE_MAX);
    nsws_server_options options = server_defaults();
    options.cert_path = cert;
    options.key_path = key;
    struct server *s = started_server(&options);
    is_trusted(__LINE__, s, 1);
    /* Half written, of another key, gone: what runs goes on with what it has read. */
    copies("unknown-ca.pem", cert, 300);
    is_trusted(__LINE__, s, 1);
    CHECK_OK(nsws_server_stop(s->handle));
    CHECK(nsws_server_start(s->handle, &options) != NSWS_OK);
    copies("unknown-ca.pem", cert, SIZE_MAX);
    CHECK(nsws_server_start(s->handle, &options) != NSWS_OK);
    copies("unknown-ca.key", key, SIZE_MAX);
    if (!START(s, &options)) return;
    is_trusted(__LINE__, s, 0);
    unlink(cert);
    unlink(key);
    is_trusted(__LINE__, s, 0);
    CHECK_OK(nsws_server_stop(s->handle));
    CHECK(nsws_server_start(s->handle, &options) != NSWS_OK);
    copies("good.pem", cert, SIZE_MAX);
    copies("good.key", key, SIZE_MAX);
    if (!START(s, &options)) return;
    is_trusted(__LINE__, s, 1);
    unlink(cert);
    unlink(key);
}

/* No descriptor is left for a client. */

static void a_client_without_a_descriptor_is_told_and_connects_when_there_is_one(void) {
    struct rlimit limit = { 256, 256 }, before;
    int taken[512], count = 0;
    /* Nothing lingers whose end would leave a descriptor. */
    CHECK_OK(nsws_shutdown(20000));
    struct server *s = started_server(NULL);
    struct recorder *other = OPEN_CLIENT(s, "/");
    if (!other) return;
    getrlimit(RLIMIT_NOFILE, &before);
    limit.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (count < 512 && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) count++;
    struct recorder *r = new_client();
    int32_t code = nsws_client_connect(r->client, url_of(s, "/"), NULL);
    if (code == NSWS_OK) {
        const struct event *error = WAIT(r, ERROR, 1);
        if (error) CHECK_INT(error->os_error, EMFILE);
    } else {
        CHECK_CODE(code, NSWS_ERR_NO_RESOURCES);
    }
    /* Those that are open don't mind. */
    CHECK_OK(nsws_client_send_text(other->client, "still", 5));
    SERVER_WAIT(s, ON_MESSAGE, 1);
    while (count > 0) close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(opens(__FILE__, __LINE__, r, url_of(s, "/"), NULL));
}

/* A program that blocks all signals, in each of its threads. */

static void a_program_may_block_all_signals(void) {
    sigset_t all, before;
    sigfillset(&all);
    CHECK_OK(nsws_shutdown(20000));
    pthread_sigmask(SIG_BLOCK, &all, &before);
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        SET(options, ping_interval_ms, 100);
        SET(options, pong_timeout_ms, 0);
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) break;
        pings_go_on(p, 2);
        CHECK(peer_send(p, TEXT_FRAME, "hello", 5));
        peer_leaves(p);
        PAIR_CLOSE(p);
        /* It went without a signal that somebody would find later. */
        CHECK(pair_send(p, "nobody hears this", 17, 1) != NSWS_OK);
    }
    sigset_t pending;
    sigpending(&pending);
    CHECK_INT(sigismember(&pending, SIGPIPE), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Many callbacks that block at once, and afterwards one listener that is slow all the time. */

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

static void takes_its_time(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    usleep(300);
}

static void threads_that_a_burst_has_taken_end_while_others_work(void) {
    enum { MANY = 40, FEW = 12 };
    gate_init(&gate);
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    for (int i = 0; i < MANY; i++) {
        struct pair *p = OPEN_PAIR(AS_CLIENT, &options);
        if (!p) return gate_open(&gate);
        CHECK(peer_send(p, TEXT_FRAME, "wait", 4));
    }
    WAIT_WAITING(&gate, MANY);
    CHECK_LEAST(count_threads(), MANY);
    gate_open(&gate);
    options.on_message = takes_its_time;
    struct pair *p = OPEN_PAIR(AS_CLIENT, &options);
    if (!p) return;
    long sent = 0;
    for (long long end = now_us() + guard_seconds() * 1000000LL; count_threads() > FEW && now_us() < end;) {
        CHECK(peer_send(p, TEXT_FRAME, "x", 1));
        if (!WAIT_COUNTER(&p->messages, ++sent)) return;
    }
    CHECK_MOST(count_threads(), FEW);
}

/* The library, loaded once more. */

struct copy {
    void *handle;
    int32_t (*client_create)(nsws_client *);
    int32_t (*client_on_open)(nsws_client, nsws_open_fn, void *, nsws_free_fn);
    int32_t (*client_connect)(nsws_client, const char *, const nsws_connect_options *);
    int32_t (*client_send_text)(nsws_client, const char *, size_t);
    int32_t (*client_destroy)(nsws_client);
    int32_t (*shutdown)(uint32_t);
};

static int loads(struct copy *copy, const char *path) {
    static const char *const names[] = { "client_create", "client_on_open", "client_connect", "client_send_text", "client_destroy", "shutdown" };
    void **places = (void **)&copy->client_create;
    copy->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!copy->handle) return harness_fail(__FILE__, __LINE__, "%s", dlerror());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, "nsws_%s", names[i]);
        places[i] = dlsym(copy->handle, name);
        if (!CHECK(places[i] != NULL)) return 0;
    }
    return 1;
}

/* Makes a copy of the library's file, which the loader takes for another one. */
static int copies_library(char *path, size_t size) {
    Dl_info info;
    static char bytes[MIB];
    static int number;
    ssize_t count;
    if (!CHECK(dladdr((void *)nsws_shutdown, &info) != 0)) return 0;
    snprintf(path, size, "%s/copy-%ld-%d.so", setting("NSWS_CERT_DIR"), (long)getpid(), ++number);
    int in = open(info.dli_fname, O_RDONLY | O_CLOEXEC), out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    while ((count = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)count) != count) break;
    close(in);
    close(out);
    return CHECK_INT(count, 0);
}

static void copy_open(nsws_client client, const nsws_open_event *e, void *user) {
    (void)client, (void)e;
    counter_add(user, 1);
}

/* A client of a copy talks to a server of the library itself. */
static void talks(int line, struct copy *copy, struct server *s) {
    struct counter open;
    nsws_client client;
    counter_init(&open);
    size_t before = server_count(s, ON_MESSAGE);
    check_code(__FILE__, line, "create", copy->client_create(&client), NSWS_OK);
    check_code(__FILE__, line, "on_open", copy->client_on_open(client, copy_open, &open, NULL), NSWS_OK);
    check_code(__FILE__, line, "connect", copy->client_connect(client, url_of(s, "/"), NULL), NSWS_OK);
    WAIT_COUNTER(&open, 1);
    check_code(__FILE__, line, "send", copy->client_send_text(client, "from a copy", 11), NSWS_OK);
    server_wait(__FILE__, line, s, every_connection, ON_MESSAGE, before + 1);
    /* The library itself has no such client. */
    CHECK(nsws_client_send_text(client, "?", 1) != NSWS_OK);
    check_code(__FILE__, line, "destroy", copy->client_destroy(client), NSWS_OK);
}

static void two_copies_in_one_process_do_not_know_each_other(void) {
    struct copy copy;
    char path[512];
    /* Sanitizers take what an unloaded library has held for leaks. */
    if (SANITIZED) return;
    struct server *s = started_server(NULL);
    if (!copies_library(path, sizeof path) || !loads(&copy, path)) return;
    talks(__LINE__, &copy, s);
    CHECK_OK(copy.shutdown(20000));
    /* The end of one is not the end of the other. */
    CHECK(OPEN_CLIENT(s, "/") != NULL);
    talks(__LINE__, &copy, s);
    CHECK_OK(copy.shutdown(20000));
    CHECK_INT(dlclose(copy.handle), 0);
    CHECK(OPEN_CLIENT(s, "/") != NULL);
    unlink(path);
}

struct used_copy {
    struct copy *copy;
    struct server *s;
};

static void *uses_copy(void *argument) {
    struct used_copy *used = argument;
    talks(__LINE__, used->copy, used->s);
    CHECK_OK(used->copy->shutdown(20000));
    return NULL;
}

static int count_maps(const char *path) {
    char line[1024];
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (file && fgets(line, sizeof line, file))
        if (strstr(line, path)) count++;
    if (file) fclose(file);
    return count;
}

static void the_library_may_be_loaded_and_unloaded_again_and_again(void) {
    const int times = slowness() > 1 ? 3 : 30;
    char path[512];
    int descriptors = 0, threads = 0, unloads = 0;
    if (SANITIZED) return;
    struct server *s = started_server(NULL);
    nsws_server_options many = server_defaults();
    many.max_upgrades_per_minute = 0;
    CHECK_OK(nsws_server_stop(s->handle));
    if (!START(s, &many) || !copies_library(path, sizeof path)) return;
    for (int i = 0; i < times && failed_checks() == 0; i++) {
        /* On a thread of its own: a library stays as long as there are threads with thread-locals of it. */
        struct copy copy;
        struct used_copy used = { &copy, s };
        pthread_t thread;
        if (!loads(&copy, path) || pthread_create(&thread, NULL, uses_copy, &used) != 0) return;
        pthread_join(thread, NULL);
        CHECK_INT(dlclose(copy.handle), 0);
        unloads += count_maps(path) == 0;
        if (i == 1) descriptors = count_fds(), threads = count_threads();
    }
#ifdef __GLIBC__
    /* Others never unload. */
    CHECK_INT(unloads, times);
#endif
    REACHES(count_fds, descriptors);
    REACHES(count_threads, threads);
    unlink(path);
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    self = words[0];
    if (count > 1 && strcmp(words[1], "floods") == 0) floods();
    if (count > 1 && strncmp(words[1], "serves ", 7) == 0) return serves(words[1] + 7);
    RUN(the_clock_jumps_and_no_deadline_does);
    RUN(a_peer_killed_amid_both_directions_is_lost_after_what_it_sent);
    RUN(a_thousand_clients_outlive_restarts_of_their_server);
    RUN(a_certificate_replaced_on_disk_counts_from_the_next_start_on);
    RUN(a_client_without_a_descriptor_is_told_and_connects_when_there_is_one);
    RUN(a_program_may_block_all_signals);
    RUN(threads_that_a_burst_has_taken_end_while_others_work);
    RUN(two_copies_in_one_process_do_not_know_each_other);
    RUN(the_library_may_be_loaded_and_unloaded_again_and_again);
    return end_tests();
}
