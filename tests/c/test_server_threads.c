/*
 * Threads: destroying servers in every state and from everywhere, shutting down, servers that block, and everything at
 * once.
 *
 *     test_server_threads [ITERATIONS [ROUNDS]]
 *
 * ITERATIONS: how often each way to destroy is tried (120). ROUNDS: how many servers live and die in the stress test (200).
 */
#include "server.h"

static int iterations = 120;
static int rounds = 200;

/* A server whose user_data is freed by free_fn alone: a call after that is seen by valgrind and ASan. */

struct life {
    int freed;
    struct counter *gone;
    void (*on_event)(nsws_server, nsws_connection, enum server_kind, struct life *);
    void *data;
    struct counter counts[SERVER_KINDS], asked;
};

enum { REGISTRATIONS = SERVER_KINDS + 1 };

static void seen(nsws_server s, nsws_connection c, enum server_kind kind, struct life *life) {
    if (life->on_event) life->on_event(s, c, kind, life);
    counter_add(&life->counts[kind], 1);
}

static void life_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)e;
    seen(s, c, ON_CONNECT, user);
}
static void life_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)e;
    seen(s, c, ON_MESSAGE, user);
}
static void life_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)e;
    seen(s, c, ON_CLOSE, user);
}
static void life_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)e;
    seen(s, c, ON_ERROR, user);
}
static void life_drain(nsws_server s, nsws_connection c, const nsws_drain_event *e, void *user) {
    (void)e;
    seen(s, c, ON_DRAIN, user);
}
static uint16_t life_accept(nsws_server s, const nsws_connect_event *e, void *user) {
    (void)s, (void)e;
    counter_add(&((struct life *)user)->asked, 1);
    return 0;
}

static void life_free(void *user) {
    struct life *life = user;
    struct counter *gone = life->gone;
    if (__atomic_add_fetch(&life->freed, 1, __ATOMIC_SEQ_CST) < REGISTRATIONS) return;
    free(life);
    counter_add(gone, 1);
}

static struct life *new_life(struct counter *gone, void (*on_event)(nsws_server, nsws_connection, enum server_kind, struct life *),
                             void *data) {
    struct life *life = calloc(1, sizeof *life);
    life->gone = gone;
    life->on_event = on_event;
    life->data = data;
    for (int kind = 0; kind < SERVER_KINDS; kind++) counter_init(&life->counts[kind]);
    counter_init(&life->asked);
    return life;
}

static int listen_with(nsws_server s, struct life *life) {
    return CHECK_OK(nsws_server_on_connect(s, life_connect, life, life_free)) &
           CHECK_OK(nsws_server_on_message(s, life_message, life, life_free)) &
           CHECK_OK(nsws_server_on_close(s, life_close, life, life_free)) &
           CHECK_OK(nsws_server_on_error(s, life_error, life, life_free)) &
           CHECK_OK(nsws_server_on_drain(s, life_drain, life, life_free)) &
           CHECK_OK(nsws_server_set_accept_hook(s, life_accept, life, life_free));
}

static int starts(nsws_server s, uint16_t *port) {
    nsws_server_options options = server_defaults();
    options.close_timeout_ms = 20;
    return CHECK_OK(nsws_server_start(s, &options)) && CHECK_OK(nsws_server_get_port(s, port));
}

static int open_to(uint16_t port) {
    return raw_open_at(__FILE__, __LINE__, raw_connect_from("127.0.0.1", port), RAW_REQUEST);
}

/* Destroying in every state. */

enum state { NEW, LISTENING, SHAKING, CONNECTED, FLOWING, CLOSING, STOPPING, STOPPED, STATES };
static const char *const state_names[STATES] = {
    "new", "listening", "shaking hands", "connected", "messages flowing", "closing", "stopping", "stopped"
};

static void keep_connection(nsws_server s, nsws_connection c, enum server_kind kind, struct life *life) {
    (void)s;
    if (kind == ON_CONNECT) *(nsws_connection *)life->data = c;
}

static void destroy_in_every_state(int by_release) {
    static struct counter gone;
    static nsws_connection connection;
    counter_init(&gone);
    for (int i = 0; i < iterations; i++) {
        enum state state = (enum state)(i % STATES);
        nsws_server server;
        uint16_t port = 0;
        int fd = -1;
        struct life *life = new_life(&gone, keep_connection, &connection);
        if (!CHECK_OK(nsws_server_create(&server)) || !listen_with(server, life)) return;
        if (state > NEW && !starts(server, &port)) return;
        if (state == SHAKING) {
            int all_read;
            fd = raw_connect_from("127.0.0.1", port);
            raw_say(fd, "GET / HTTP/1.1\r\n");
            do BECOMES(accepted_sockets(port, &all_read), 1);
            while (!all_read);
        }
        if (state >= CONNECTED) {
            fd = open_to(port);
            if (!WAIT_COUNTER(&life->counts[ON_CONNECT], 1)) return;
        }
        if (state == FLOWING) {
            unsigned char frame[FRAME_ROOM + 1], frames[1000 * sizeof frame];
            size_t size = raw_frame(frame, TEXT_FRAME, "x", 1);
            for (size_t j = 0; j < 1000; j++) memcpy(frames + j * size, frame, size);
            raw_write(fd, frames, 1000 * size);
            if (!WAIT_COUNTER(&life->counts[ON_MESSAGE], 3)) return;
        }
        if (state == CLOSING) CHECK_OK(nsws_connection_close(connection, 1000, ""));
        if (state >= STOPPING) CHECK_OK(nsws_server_stop(server));
        if (state == STOPPED && !WAIT_COUNTER(&life->counts[ON_CLOSE], 1)) return;

        if (by_release) {
            CHECK_OK(nsws_server_release(server));
            if (!WAIT_COUNTER(&gone, i + 1)) return;
        } else {
            CHECK_OK(nsws_server_destroy(server));
            if (!CHECK_INT(counter_value(&gone), i + 1)) return;
        }
        CHECK_CODE(nsws_server_stop(server), NSWS_ERR_BAD_HANDLE);
        if (state >= CONNECTED) CHECK_CODE(nsws_connection_send_text(connection, "x", 1), NSWS_ERR_BAD_HANDLE);
        if (port) CHECK_INT(raw_connect_from("127.0.0.1", port), -1);
        /* The client gets the close frame, and in the end the link is closed. */
        if (state == CONNECTED || state == FLOWING) CHECK_INT(raw_close_code(fd), 1001);
        if (fd >= 0 && !CHECK(raw_ends(fd))) {
            fprintf(stderr, "    when %s\n", state_names[state]);
            return;
        }
        if (fd >= 0) close(fd);
    }
}

static void destroy_is_safe_in_every_state(void) { destroy_in_every_state(0); }
static void release_is_safe_in_every_state(void) { destroy_in_every_state(1); }

/* From a second thread, while this one uses the server and its connections. */

struct victim {
    nsws_server server;
    int spin;
    int destroyed;
};

static void *destroy_it(void *data) {
    struct victim *victim = data;
    for (int i = 0; i < victim->spin; i++) sched_yield();
    CHECK_OK(nsws_server_destroy(victim->server));
    __atomic_store_n(&victim->destroyed, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void send_back(nsws_server s, nsws_connection c, enum server_kind kind, struct life *life) {
    (void)s, (void)life;
    if (kind == ON_MESSAGE) nsws_connection_send_text(c, "back", 4);
}

static void destroy_is_safe_from_a_second_thread(void) {
    static struct counter gone;
    long sent = 0;
    counter_init(&gone);
    for (int i = 0; i < iterations; i++) {
        struct victim victim;
        pthread_t thread;
        uint16_t port;
        struct life *life = new_life(&gone, send_back, NULL);
        memset(&victim, 0, sizeof victim);
        if (!CHECK_OK(nsws_server_create(&victim.server)) || !listen_with(victim.server, life)) return;
        if (!starts(victim.server, &port)) return;
        int fd = open_to(port);
        raw_send(fd, TEXT_FRAME, "x", 1);
        victim.spin = i % 31;
        pthread_create(&thread, NULL, destroy_it, &victim);
        for (;;) {
            nsws_connection list[4];
            nsws_connection_info info;
            size_t count = 0, accepted;
            int32_t code = nsws_server_list_connections(victim.server, list, 4, &count);
            if (code == NSWS_ERR_BAD_HANDLE) break;
            CHECK(code == NSWS_OK);
            for (size_t j = 0; j < count; j++) {
                code = nsws_connection_send_text(list[j], "x", 1);
                CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE || code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_QUEUE_FULL);
                sent += code == NSWS_OK;
                code = nsws_connection_get_info(list[j], &info, sizeof info);
                CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
            }
            code = nsws_server_broadcast(victim.server, "x", 1, 0, &accepted);
            CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
            code = nsws_server_set_accept_hook(victim.server, NULL, NULL, NULL);
            CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
        }
        pthread_join(thread, NULL);
        if (!CHECK_INT(counter_value(&gone), i + 1)) return;
        close(fd);
    }
    printf("    %d servers; meanwhile %ld sends were accepted\n", iterations, sent);
}

/* Waiting, and not. */

static void block(nsws_server s, nsws_connection c, enum server_kind kind, struct life *life) {
    (void)s, (void)c;
    if (kind == ON_MESSAGE) gate_pass(life->data);
}

static void destroy_waits_for_a_callback_that_runs_and_release_does_not(void) {
    for (int by_release = 0; by_release < 2; by_release++) {
        static struct counter gone;
        static struct gate gate;
        struct victim victim;
        pthread_t thread;
        uint16_t port;
        memset(&victim, 0, sizeof victim);
        counter_init(&gone);
        gate_init(&gate);
        if (!CHECK_OK(nsws_server_create(&victim.server)) || !listen_with(victim.server, new_life(&gone, block, &gate))) return;
        if (!starts(victim.server, &port)) return;
        int fd = open_to(port);
        raw_send(fd, TEXT_FRAME, "x", 1);
        raw_send(fd, TEXT_FRAME, "never delivered", 15);
        WAIT_WAITING(&gate, 1);
        if (by_release) {
            CHECK_OK(nsws_server_release(victim.server));
        } else {
            pthread_create(&thread, NULL, destroy_it, &victim);
            long long end = now_us() + guard_seconds() * 1000000LL;
            while (nsws_server_stop(victim.server) != NSWS_ERR_BAD_HANDLE && now_us() < end) sched_yield();
            CHECK_INT(__atomic_load_n(&victim.destroyed, __ATOMIC_SEQ_CST), 0);
        }
        /* The client gets the close frame meanwhile, whatever the callback does. */
        CHECK_INT(raw_close_code(fd), 1001);
        CHECK_INT(counter_value(&gone), 0);
        gate_open(&gate);
        if (!by_release) pthread_join(thread, NULL);
        if (!by_release) CHECK_INT(counter_value(&gone), 1);
        WAIT_COUNTER(&gone, 1);
        close(fd);
    }
}

struct pair {
    nsws_server servers[2];
    struct gate both;
};

static void destroy_the_other(nsws_server s, nsws_connection c, enum server_kind kind, struct life *life) {
    struct pair *pair = life->data;
    (void)c;
    if (kind != ON_MESSAGE) return;
    gate_pass(&pair->both);
    int other = pair->servers[0].id == s.id;
    int32_t code = nsws_server_destroy(pair->servers[other]);
    CHECK(code == NSWS_OK);
}

static void two_callbacks_may_destroy_each_other_s_servers(void) {
    static struct counter gone;
    static struct pair pair;
    int fds[2];
    counter_init(&gone);
    gate_init(&pair.both);
    for (int i = 0; i < 2; i++) {
        uint16_t port;
        if (!CHECK_OK(nsws_server_create(&pair.servers[i]))) return;
        if (!listen_with(pair.servers[i], new_life(&gone, destroy_the_other, &pair)) || !starts(pair.servers[i], &port)) return;
        fds[i] = open_to(port);
        raw_send(fds[i], TEXT_FRAME, "x", 1);
    }
    WAIT_WAITING(&pair.both, 2);
    gate_open(&pair.both);
    WAIT_COUNTER(&gone, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(raw_close_code(fds[i]), 1001);
        close(fds[i]);
    }
}

/* Servers that block forever delay no other server. */

static void servers_that_block_delay_no_other_server(void) {
    enum { STUCK = 16 };
    static struct counter gone;
    static struct gate gate;
    nsws_server stuck[STUCK];
    int fds[STUCK];
    counter_init(&gone);
    gate_init(&gate);
    for (int i = 0; i < STUCK; i++) {
        uint16_t port;
        if (!CHECK_OK(nsws_server_create(&stuck[i])) || !listen_with(stuck[i], new_life(&gone, block, &gate))) return;
        if (!starts(stuck[i], &port)) return;
        fds[i] = open_to(port);
        raw_send(fds[i], TEXT_FRAME, "x", 1);
    }
    WAIT_WAITING(&gate, STUCK);
    struct server *s = new_server();
    s->echo = 1;
    if (!START(s, NULL)) return;
    struct recorder *r = OPEN_CLIENT(s, "/");
    for (size_t i = 1; r && i <= 200; i++) {
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
        if (!WAIT(r, MESSAGE, i)) break;
    }
    /* The stuck servers can still be used: sending, stopping. */
    size_t accepted = 0;
    CHECK_OK(nsws_server_broadcast(stuck[0], "you", 3, 1, &accepted));
    CHECK_INT(accepted, 1);
    struct frame frame;
    CHECK(raw_receive(fds[0], TEXT_FRAME, &frame));
    for (int i = 0; i < STUCK; i++) {
        CHECK_OK(nsws_server_stop(stuck[i]));
        CHECK_INT(raw_close_code(fds[i]), 1001);
    }
    gate_open(&gate);
    for (int i = 0; i < STUCK; i++) {
        CHECK_OK(nsws_server_destroy(stuck[i]));
        close(fds[i]);
    }
    CHECK_INT(counter_value(&gone), STUCK);
}

/* Shutdown. */

static void shutdown_ends_servers_and_the_library_can_be_used_again(void) {
    int threads = 0, fds = 0;
    for (int round = 0; round < 3; round++) {
        struct server *s = started_server(NULL);
        int raw[5];
        if (!s) return;
        for (int i = 0; i < 5; i++) raw[i] = RAW_OPEN(s);
        SERVER_WAIT(s, ON_CONNECT, 5);
        int waiting = raw_connect(s);
        raw_say(waiting, "GET /");
        for (int i = 0; i < 5; i++) raw_send(raw[i], CLOSE_FRAME, "\x03\xe8", 2);
        SERVER_WAIT(s, ON_CLOSE, 5);
        int open = RAW_OPEN(s);
        SERVER_WAIT(s, ON_CONNECT, 6);
        s->destroyed = 1;
        /* One that does not answer is cut when the time is over. */
        int32_t code = nsws_shutdown(200);
        CHECK_OK(code == NSWS_ERR_BUSY ? nsws_shutdown((uint32_t)guard_seconds() * 1000) : code);
        CHECK_CODE(nsws_server_stop(s->handle), NSWS_ERR_BAD_HANDLE);
        SERVER_WAIT_FREED(s, SERVER_KINDS);
        CHECK_INT(raw_connect(s), -1);
        CHECK_INT(raw_close_code(open), 1001);
        CHECK(raw_ends(open));
        CHECK(raw_ends(waiting));
        for (int i = 0; i < 5; i++) close(raw[i]);
        close(open);
        close(waiting);
        if (round == 0) {
            threads = count_threads();
            fds = count_fds();
        }
        REACHES(count_threads, threads);
        REACHES(count_fds, fds);
    }
}

/* Everything at once. */

enum { PLACES = 4 };
static struct server *places[PLACES];
static int stress_over;
static struct counter round_trips;

static unsigned dice(unsigned *seed, unsigned sides) {
    return (unsigned)rand_r(seed) % sides;
}

static int is_fine(int32_t code) {
    return code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE || code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_NOT_LISTENING ||
           code == NSWS_ERR_ALREADY_CONNECTED || code == NSWS_ERR_QUEUE_FULL || code == NSWS_ERR_NO_CONNECTION;
}

#define FINE(call) (is_fine(call) ? 1 : harness_fail(__FILE__, __LINE__, "%s: %s", #call, nsws_last_error()))

static struct server *any_place(unsigned *seed) {
    return __atomic_load_n(&places[dice(seed, PLACES)], __ATOMIC_SEQ_CST);
}

static void destroy_once(struct server *s, int by_release) {
    int yet = 0;
    if (!__atomic_compare_exchange_n(&s->destroyed, &yet, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
    CHECK_OK(by_release ? nsws_server_release(s->handle) : nsws_server_destroy(s->handle));
}

/* In callbacks: any call, chosen at random. */
static void mischief(struct server *s, const struct server_event *event) {
    unsigned seed = (unsigned)(event->place * 7919 + s->port);
    switch (dice(&seed, 60)) {
        case 0: FINE(nsws_server_stop(s->handle)); break;
        case 1: FINE(nsws_connection_close(event->connection, 4000, "mischief")); break;
        case 2: FINE(nsws_server_broadcast(s->handle, "to all", 6, 1, NULL)); break;
        case 3: FINE(nsws_server_set_accept_hook(s->handle, NULL, NULL, NULL)); break;
        case 4:
            if (dice(&seed, 4) == 0) destroy_once(s, 0);
            break;
        default: break;
    }
}

static uint16_t accept_most(nsws_server s, const nsws_connect_event *e, void *user) {
    (void)s, (void)user;
    return e->client_port % 16 == 0 ? 403 : 0;
}

static struct server *new_place(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.close_timeout_ms = 200;
    s->echo = 1;
    s->hook = mischief;
    CHECK_OK(nsws_server_set_accept_hook(s->handle, accept_most, NULL, NULL));
    START(s, &options);
    return s;
}

static void *raw_clients(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&stress_over, __ATOMIC_SEQ_CST)) {
        struct server *s = any_place(&seed);
        struct frame frame;
        int fd = raw_connect(s);
        if (fd < 0) {
            sched_yield();
            continue;
        }
        raw_say(fd, RAW_REQUEST);
        if (dice(&seed, 8) != 0 && raw_status(fd) == 101) {
            for (unsigned i = dice(&seed, 20); i > 0; i--) {
                if (!raw_send(fd, TEXT_FRAME, "hello", 5) || !raw_receive(fd, 0, &frame) || frame.first == CLOSE_FRAME) break;
                if (frame.first == TEXT_FRAME) counter_add(&round_trips, 1);
            }
            if (dice(&seed, 2)) raw_send(fd, CLOSE_FRAME, "\x03\xe8", 2);
        }
        if (dice(&seed, 2)) raw_reset(fd);
        else close(fd);
    }
    return NULL;
}

static void *own_clients(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&stress_over, __ATOMIC_SEQ_CST)) {
        nsws_client client;
        if (!CHECK_OK(nsws_client_create(&client))) break;
        CHECK_OK(nsws_client_connect(client, url_of(any_place(&seed), "/"), NULL));
        for (unsigned i = dice(&seed, 200); i > 0; i--) {
            FINE(nsws_client_send_text(client, "hello", 5));
            sched_yield();
        }
        CHECK_OK(dice(&seed, 2) ? nsws_client_destroy(client) : nsws_client_release(client));
    }
    return NULL;
}

static void *users(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&stress_over, __ATOMIC_SEQ_CST)) {
        nsws_server server = any_place(&seed)->handle;
        nsws_connection list[16], found;
        nsws_connection_info info;
        size_t count = 0;
        uint16_t port;
        FINE(nsws_server_list_connections(server, list, 16, &count));
        for (size_t i = 0; i < count && i < 16; i++) {
            FINE(nsws_connection_send_binary(list[i], "some bytes", 10));
            if (nsws_connection_get_info(list[i], &info, sizeof info) == NSWS_OK)
                FINE(nsws_server_find_connection(server, info.client_ip, info.client_port, &found));
            if (dice(&seed, 50) == 0) FINE(nsws_connection_close(list[i], 1000, ""));
        }
        FINE(nsws_server_broadcast(server, "all", 3, 1, NULL));
        FINE(nsws_server_get_port(server, &port));
        FINE(nsws_server_set_accept_hook(server, dice(&seed, 2) ? accept_most : NULL, NULL, NULL));
        sched_yield();
    }
    return NULL;
}

static void *stops_and_starts(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&stress_over, __ATOMIC_SEQ_CST)) {
        struct server *s = any_place(&seed);
        nsws_server_options options = server_defaults();
        options.server_port = s->port;
        options.close_timeout_ms = 200;
        FINE(nsws_server_stop(s->handle));
        int32_t code = nsws_server_start(s->handle, &options);
        /* Another program's connection may have taken the port meanwhile. */
        if (code != NSWS_ERR_PORT_IN_USE) FINE(code);
        for (unsigned i = dice(&seed, 5000); i > 0; i--) sched_yield();
    }
    return NULL;
}

/* The place whose server is the next to end: one that was destroyed in a callback, or any, after some round trips; but not
 * much later, since all may have stopped. */
static int next_to_end(unsigned *seed, long trips) {
    long long end = now_us() + 50000 * slowness();
    while (counter_value(&round_trips) < trips && now_us() < end) {
        for (int place = 0; place < PLACES; place++)
            if (__atomic_load_n(&places[place]->destroyed, __ATOMIC_SEQ_CST)) return place;
        sched_yield();
    }
    return (int)dice(seed, PLACES);
}

static void everything_at_once(void) {
    static void *(*const kinds[])(void *) = { raw_clients, raw_clients, own_clients, users, stops_and_starts };
    enum { THREADS = sizeof kinds / sizeof *kinds };
    pthread_t threads[THREADS];
    unsigned seed = 1;
    counter_init(&round_trips);
    stress_over = 0;
    for (int i = 0; i < PLACES; i++) places[i] = new_place();
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, kinds[i], (void *)(i + 1));
    int round = 0;
    /* On a slow machine there are more rounds, until some clients have got through. */
    long long end = now_us() + guard_seconds() * 1000000LL;
    for (; (round < rounds || (servers_count(ON_CONNECT) < (size_t)rounds && now_us() < end)) && failed_checks() == 0; round++) {
        int place = next_to_end(&seed, (round + 1) * 100);
        struct server *old = places[place];
        __atomic_store_n(&places[place], new_place(), __ATOMIC_SEQ_CST);
        destroy_once(old, round % 2);
    }
    __atomic_store_n(&stress_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    size_t connects = servers_count(ON_CONNECT);
    printf("    %d servers, %ld connections, %ld round trips\n", round + PLACES, (long)connects, counter_value(&round_trips));
    CHECK_LEAST(connects, rounds);
    CHECK_LEAST(counter_value(&round_trips), 1);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (slowness() > 1) {
        iterations = 24;
        rounds = 8;
    }
    if (argc > 1) iterations = atoi(argv[1]);
    if (argc > 2) rounds = atoi(argv[2]);
    RUN(destroy_is_safe_in_every_state);
    RUN(release_is_safe_in_every_state);
    RUN(destroy_is_safe_from_a_second_thread);
    RUN(destroy_waits_for_a_callback_that_runs_and_release_does_not);
    RUN(two_callbacks_may_destroy_each_other_s_servers);
    RUN(servers_that_block_delay_no_other_server);
    RUN(shutdown_ends_servers_and_the_library_can_be_used_again);
    RUN(everything_at_once);
    return end_tests();
}
