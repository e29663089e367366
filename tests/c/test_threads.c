/*
 * Threads: destroying in every state and from everywhere, shutting down, and clients that block in their
 * callbacks while others go on.
 *
 *     test_threads [ITERATIONS [CLIENTS [QUICK]]]
 *
 * ITERATIONS: how often each way to destroy is tried (300). CLIENTS: how many block (32), each after QUICK
 * quick callbacks (10000).
 */
#include "harness.h"

#include <glob.h>

static int iterations = 300;
static int blocked_clients = 32;
static int quick_callbacks = 10000;

/* A client whose user_data is freed by free_fn alone: a call after that is seen by valgrind and ASan. */

struct life {
    /* No callback may come once this is set. */
    int dead;
    int registered;
    int freed;
    struct counter *gone;
    void (*on_event)(nsws_client, enum kind, struct life *);
    void *data;
};

static long called_after_destroy;

static void seen(nsws_client client, enum kind kind, struct life *life) {
    if (__atomic_load_n(&life->dead, __ATOMIC_SEQ_CST)) {
        if (__atomic_add_fetch(&called_after_destroy, 1, __ATOMIC_SEQ_CST) == 1)
            fprintf(stderr, "    %s after destroy\n", kind_names[kind]);
    }
    if (life->on_event) life->on_event(client, kind, life);
}

static void life_header_receive(nsws_client c, const nsws_header_receive_event *e, void *user) {
    (void)e;
    seen(c, HEADER_RECEIVE, user);
}
static void life_open(nsws_client c, const nsws_open_event *e, void *user) {
    (void)e;
    seen(c, OPEN, user);
}
static void life_message(nsws_client c, const nsws_message_event *e, void *user) {
    (void)e;
    seen(c, MESSAGE, user);
}
static void life_data_end(nsws_client c, const nsws_data_end_event *e, void *user) {
    (void)e;
    seen(c, DATA_END, user);
}
static void life_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)e;
    seen(c, CLOSE, user);
}
static void life_error(nsws_client c, const nsws_error_event *e, void *user) {
    (void)e;
    seen(c, ERROR, user);
}
static void life_drain(nsws_client c, const nsws_drain_event *e, void *user) {
    (void)e;
    seen(c, DRAIN, user);
}

static void life_free(void *user) {
    struct life *life = user;
    struct counter *gone = life->gone;
    if (__atomic_add_fetch(&life->freed, 1, __ATOMIC_SEQ_CST) < life->registered) return;
    free(life);
    if (gone) counter_add(gone, 1);
}

static struct life *new_life(struct counter *gone, void (*on_event)(nsws_client, enum kind, struct life *), void *data) {
    struct life *life = calloc(1, sizeof *life);
    life->gone = gone;
    life->on_event = on_event;
    life->data = data;
    life->registered = 7;
    return life;
}

static int listen_with(nsws_client client, struct life *life) {
    return CHECK_OK(nsws_client_on_header_receive(client, life_header_receive, life, life_free)) &
           CHECK_OK(nsws_client_on_open(client, life_open, life, life_free)) &
           CHECK_OK(nsws_client_on_message(client, life_message, life, life_free)) &
           CHECK_OK(nsws_client_on_data_end(client, life_data_end, life, life_free)) &
           CHECK_OK(nsws_client_on_close(client, life_close, life, life_free)) &
           CHECK_OK(nsws_client_on_error(client, life_error, life, life_free)) &
           CHECK_OK(nsws_client_on_drain(client, life_drain, life, life_free));
}

static const char *raw_path(char *url, size_t size, const char *path, const char *token) {
    snprintf(url, size, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, token);
    return url;
}

static const char *new_token(const char *name) {
    static char tokens[8][64];
    static int next;
    char *token = tokens[next++ % 8];
    snprintf(token, sizeof tokens[0], "%s-%ld-%d", name, (long)getpid(), next);
    return token;
}

/* What the events of one client have reached. */
struct reached {
    struct counter counts[KINDS];
};

static void count_reached(nsws_client client, enum kind kind, struct life *life) {
    struct reached *reached = life->data;
    (void)client;
    counter_add(&reached->counts[kind], 1);
}

/* Destroying in every state, on this thread: after destroy returns nothing is called, all is freed. */

enum state { IDLE, CONNECTING, IS_OPEN, FLOWING, CLOSING, CLOSED, STATES };
static const char *const state_names[STATES] = { "idle", "connecting", "open", "message flowing", "closing", "closed" };
static const char *const state_paths[STATES] = { NULL, "/never-answers", "/echo", "/flow/64", "/never-close", "/echo" };

static void destroy_in_every_state(int by_release) {
    static struct reached reached;
    static struct counter gone;
    const char *tokens[STATES];
    int counts[STATES] = { 0 };
    char url[256];
    for (int state = 0; state < STATES; state++) tokens[state] = new_token("state");
    for (int kind = 0; kind < KINDS; kind++) counter_init(&reached.counts[kind]);
    counter_init(&gone);
    called_after_destroy = 0;

    for (int i = 0; i < iterations; i++) {
        enum state state = (enum state)(i % STATES);
        nsws_client client;
        struct life *life = new_life(&gone, count_reached, &reached);
        if (!CHECK_OK(nsws_client_create(&client)) || !listen_with(client, life)) return;
        nsws_connect_options options = defaults();
        options.close_timeout_ms = 100;
        long opens = counter_value(&reached.counts[OPEN]), messages = counter_value(&reached.counts[MESSAGE]);
        long closes = counter_value(&reached.counts[CLOSE]);
        int there = 1;
        if (state_paths[state])
            there = CHECK_OK(nsws_client_connect(client, raw_path(url, sizeof url, state_paths[state], tokens[state]), &options));
        if (state == CONNECTING) there = there && WAIT_PEER(tokens[state], "connections", counts[state] + 1);
        if (state >= IS_OPEN) there = there && WAIT_COUNTER(&reached.counts[OPEN], opens + 1);
        if (state == FLOWING) there = there && WAIT_COUNTER(&reached.counts[MESSAGE], messages + 3);
        if (state == CLOSING)
            there = there && CHECK_OK(nsws_client_close(client, 1000, "")) &&
                    WAIT_PEER(tokens[state], "close_frames", counts[state] + 1);
        if (state == CLOSED)
            there = there && CHECK_OK(nsws_client_close(client, 1000, "")) && WAIT_COUNTER(&reached.counts[CLOSE], closes + 1);
        if (!there) return;
        counts[state]++;

        if (by_release) {
            CHECK_OK(nsws_client_release(client));
            if (!WAIT_COUNTER(&gone, i + 1)) return;
        } else {
            CHECK_OK(nsws_client_destroy(client));
            if (!CHECK_INT(counter_value(&gone), i + 1)) return;
        }
        CHECK_CODE(nsws_client_close(client, 1000, ""), NSWS_ERR_BAD_HANDLE);
    }
    printf("   ");
    for (int state = 0; state < STATES; state++) {
        printf(" %s %d%s", state_names[state], counts[state], state + 1 < STATES ? "," : "\n");
        if (state == IDLE) continue;
        /* The peer confirms each: it was connected, and it is gone. */
        WAIT_PEER(tokens[state], "ended", counts[state]);
        CHECK_INT(peer_number(tokens[state], "connections"), counts[state]);
        CHECK_INT(peer_number(tokens[state], "upgrades"), state == CONNECTING ? 0 : counts[state]);
        free(ask_peer("forget %s", tokens[state]));
    }
    CHECK_INT(called_after_destroy, 0);
}

static void destroy_is_safe_in_every_state(void) { destroy_in_every_state(0); }
static void release_is_safe_in_every_state(void) { destroy_in_every_state(1); }

/* From each callback: destroy doesn't wait, nothing is called after it, and free_fn marks the end. */

struct inside {
    enum kind when;
    struct counter *reached;
};

static void destroy_inside(nsws_client client, enum kind kind, struct life *life) {
    struct inside *inside = life->data;
    if (kind != inside->when || life->dead) return;
    CHECK_CODE(nsws_connection_send_text((nsws_connection){ client.id }, "x", 1), NSWS_ERR_BAD_HANDLE);
    CHECK_OK(nsws_client_destroy(client));
    CHECK_CODE(nsws_client_destroy(client), NSWS_ERR_BAD_HANDLE);
    CHECK_CODE(nsws_client_send_text(client, "x", 1), NSWS_ERR_BAD_HANDLE);
    /* What is this callback's own stays until it returns. */
    CHECK_INT(life->freed, 0);
    __atomic_store_n(&life->dead, 1, __ATOMIC_SEQ_CST);
    counter_add(inside->reached, 1);
}

static void destroy_is_safe_from_every_callback(void) {
    static struct counter gone, reached[KINDS];
    static const char *const paths[KINDS] = {
        "/headers", "/echo", "/flow/64", "/flow/64", "/close-code/1000", "/rst-after-open", "/stall"
    };
    static char big[65536];
    const char *stalled = new_token("drain");
    char url[256];
    counter_init(&gone);
    static struct inside insides[KINDS];
    for (int kind = 0; kind < KINDS; kind++) {
        counter_init(&reached[kind]);
        insides[kind].when = (enum kind)kind;
        insides[kind].reached = &reached[kind];
    }
    called_after_destroy = 0;
    for (int i = 0; i < iterations; i++) {
        enum kind when = (enum kind)(i % 7);
        struct inside *inside = &insides[when];
        nsws_client client;
        const char *token = when == DRAIN ? new_token("drain") : stalled;
        if (!CHECK_OK(nsws_client_create(&client)) || !listen_with(client, new_life(&gone, destroy_inside, inside))) return;
        nsws_connect_options options = defaults();
        options.send_queue_size = 1;
        options.close_timeout_ms = 100;
        if (!CHECK_OK(nsws_client_connect(client, raw_path(url, sizeof url, paths[when], token), &options))) return;
        if (when == ERROR) {
            WAIT_PEER(token, "upgrades", 1);
            /* Until it is open the sends are refused; one of them makes the peer break the link. */
            while (nsws_client_send_text(client, "go", 2) == NSWS_ERR_NOT_CONNECTED && counter_value(&gone) <= i) sched_yield();
        }
        if (when == DRAIN) {
            int32_t code;
            do code = nsws_client_send_binary(client, big, sizeof big);
            while (code == NSWS_OK || code == NSWS_ERR_NOT_CONNECTED);
            CHECK_CODE(code, NSWS_ERR_QUEUE_FULL);
            release_peer(token);
        }
        if (!WAIT_COUNTER(&gone, i + 1)) {
            fprintf(stderr, "    in %s\n", kind_names[when]);
            return;
        }
        CHECK_CODE(nsws_client_close(client, 1000, ""), NSWS_ERR_BAD_HANDLE);
    }
    printf("   ");
    for (int kind = 0; kind <= DRAIN; kind++) {
        printf(" %s %ld%s", kind_names[kind], counter_value(&reached[kind]), kind < DRAIN ? "," : "\n");
        CHECK_INT(counter_value(&reached[kind]), (iterations + 6 - kind) / 7);
    }
    CHECK_INT(called_after_destroy, 0);
}

/* Listeners behind the one that destroys are not called. */

static void destroy_now(nsws_client client, const nsws_message_event *event, void *user) {
    (void)event;
    CHECK_OK(nsws_client_destroy(client));
    counter_add(user, 1);
}

static void must_not_run(nsws_client client, const nsws_message_event *event, void *user) {
    (void)client, (void)event, (void)user;
    __atomic_add_fetch(&called_after_destroy, 1, __ATOMIC_SEQ_CST);
}

static void count_freed(void *user) {
    counter_add(user, 1);
}

static void no_further_listener_is_called_after_a_destroy(void) {
    static struct counter destroyed, gone;
    char url[256];
    nsws_client client;
    called_after_destroy = 0;
    counter_init(&destroyed);
    counter_init(&gone);
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_on_message(client, destroy_now, &destroyed, NULL));
    CHECK_OK(nsws_client_on_message(client, must_not_run, &gone, count_freed));
    CHECK_OK(nsws_client_connect(client, raw_path(url, sizeof url, "/pipelined-frame", "further"), NULL));
    WAIT_COUNTER(&gone, 1);
    CHECK_INT(counter_value(&destroyed), 1);
    CHECK_INT(called_after_destroy, 0);
}

/* Two callbacks that destroy each other's clients at the same moment: neither waits for the other. */

struct pair {
    nsws_client clients[2];
    struct gate *gate;
    int destroyed;
};

static void destroy_the_other(nsws_client client, enum kind kind, struct life *life) {
    struct pair *pair = life->data;
    if (kind != OPEN) return;
    gate_pass(pair->gate);
    int other = client.id == pair->clients[0].id;
    CHECK_OK(nsws_client_destroy(pair->clients[other]));
    __atomic_add_fetch(&pair->destroyed, 1, __ATOMIC_SEQ_CST);
}

static void two_callbacks_may_destroy_each_other_s_clients(void) {
    static struct counter gone;
    static struct gate gate;
    const char *token = new_token("pair");
    char url[256];
    counter_init(&gone);
    raw_path(url, sizeof url, "/echo", token);
    for (int i = 0; i < iterations; i++) {
        struct pair pair;
        memset(&pair, 0, sizeof pair);
        gate_init(&gate);
        pair.gate = &gate;
        for (int j = 0; j < 2; j++)
            if (!CHECK_OK(nsws_client_create(&pair.clients[j])) ||
                !listen_with(pair.clients[j], new_life(&gone, destroy_the_other, &pair)))
                return;
        for (int j = 0; j < 2; j++) CHECK_OK(nsws_client_connect(pair.clients[j], url, NULL));
        /* Both are in their callbacks, and start together. */
        int both = WAIT_WAITING(&gate, 2);
        gate_open(&gate);
        if (!WAIT_COUNTER(&gone, 2 * (i + 1)) || !both) return;
        CHECK_INT(pair.destroyed, 2);
    }
    WAIT_PEER(token, "ended", 2 * iterations);
    printf("    %d pairs\n", iterations);
}

/* From a second thread, while this one uses the client. */

struct victim {
    nsws_client client;
    int spin;
    int destroyed;
};

static void *destroy_it(void *data) {
    struct victim *victim = data;
    for (int i = 0; i < victim->spin; i++) sched_yield();
    CHECK_OK(nsws_client_destroy(victim->client));
    __atomic_store_n(&victim->destroyed, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void some_drain(nsws_client client, const nsws_drain_event *event, void *user) {
    (void)client, (void)event, (void)user;
}

static void destroy_is_safe_from_a_second_thread(void) {
    static struct counter gone;
    const char *token = new_token("second");
    char url[256];
    int refused = 0, sent = 0;
    counter_init(&gone);
    for (int i = 0; i < iterations; i++) {
        static const char *const paths[] = { "/echo", "/flow/64", "/close-code/1000" };
        struct victim victim;
        pthread_t thread;
        nsws_client_stats stats;
        struct life *life = new_life(&gone, NULL, NULL);
        memset(&victim, 0, sizeof victim);
        if (!CHECK_OK(nsws_client_create(&victim.client)) || !listen_with(victim.client, life)) return;
        CHECK_OK(nsws_client_connect(victim.client, raw_path(url, sizeof url, paths[i % 3], token), NULL));
        victim.spin = i % 97;
        pthread_create(&thread, NULL, destroy_it, &victim);
        for (int32_t code = NSWS_OK; code != NSWS_ERR_BAD_HANDLE; sched_yield()) {
            code = nsws_client_send_text(victim.client, "x", 1);
            if (code == NSWS_ERR_BAD_HANDLE) break;
            if (code == NSWS_OK) sent++;
            if (code == NSWS_ERR_NOT_CONNECTED) refused++;
            CHECK(code == NSWS_OK || code == NSWS_ERR_NOT_CONNECTED);
            code = nsws_client_get_stats(victim.client, &stats, sizeof stats);
            CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
            code = nsws_client_on_drain(victim.client, some_drain, &victim, NULL);
            CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
            code = nsws_client_off_drain(victim.client, some_drain, &victim);
            CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
        }
        pthread_join(thread, NULL);
        /* destroy waits for each free_fn. */
        if (!CHECK_INT(counter_value(&gone), i + 1)) return;
    }
    printf("    %d clients; meanwhile %d sends accepted, %d refused\n", iterations, sent, refused);
}

/* A destroy outside callbacks waits for the one that runs. */

static void block_in_message(nsws_client client, enum kind kind, struct life *life) {
    (void)client;
    if (kind == MESSAGE) gate_pass(life->data);
}

static void destroy_waits_for_a_callback_that_runs(void) {
    static struct counter gone;
    static struct gate gate;
    char url[256];
    struct victim victim;
    pthread_t thread;
    memset(&victim, 0, sizeof victim);
    counter_init(&gone);
    gate_init(&gate);
    if (!CHECK_OK(nsws_client_create(&victim.client)) ||
        !listen_with(victim.client, new_life(&gone, block_in_message, &gate)))
        return;
    raw_path(url, sizeof url, "/pipelined-frame", new_token("waits"));
    CHECK_OK(nsws_client_connect(victim.client, url, NULL));
    int blocked = WAIT_WAITING(&gate, 1);
    pthread_create(&thread, NULL, destroy_it, &victim);
    /* The handle is stale from the start of destroy. */
    long long end = now_us() + guard_seconds() * 1000000LL;
    while (nsws_client_send_text(victim.client, "x", 1) != NSWS_ERR_BAD_HANDLE && now_us() < end) sched_yield();
    CHECK_INT(__atomic_load_n(&victim.destroyed, __ATOMIC_SEQ_CST), 0);
    CHECK_INT(counter_value(&gone), 0);
    gate_open(&gate);
    pthread_join(thread, NULL);
    CHECK_INT(counter_value(&gone), 1);
    CHECK(blocked);
}

static void release_never_waits(void) {
    static struct counter gone;
    static struct gate gate;
    char url[256];
    nsws_client client;
    counter_init(&gone);
    gate_init(&gate);
    if (!CHECK_OK(nsws_client_create(&client)) || !listen_with(client, new_life(&gone, block_in_message, &gate))) return;
    CHECK_OK(nsws_client_connect(client, raw_path(url, sizeof url, "/pipelined-frame", new_token("release")), NULL));
    int blocked = WAIT_WAITING(&gate, 1);
    /* It returns although the callback doesn't. */
    CHECK_OK(nsws_client_release(client));
    CHECK_INT(counter_value(&gone), 0);
    CHECK_CODE(nsws_client_destroy(client), NSWS_ERR_BAD_HANDLE);
    gate_open(&gate);
    WAIT_COUNTER(&gone, 1);
    CHECK(blocked);
}

/* All functions inside a callback. */

static void use_everything(struct recorder *r, const struct event *event) {
    nsws_client_stats stats;
    nsws_client other;
    if (event->kind != MESSAGE || strcmp(event->text, "go") != 0) return;
    CHECK_CODE(nsws_shutdown(0), NSWS_ERR_WOULD_DEADLOCK);
    CHECK_CODE(nsws_shutdown(10000), NSWS_ERR_WOULD_DEADLOCK);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1:1/", NULL), NSWS_ERR_ALREADY_CONNECTED);
    CHECK_CODE(nsws_runtime_configure(NULL), NSWS_ERR_BUSY);
    CHECK(strlen(nsws_last_error()) > 0);
    CHECK_OK(nsws_client_ping(r->client, "p", 1));
    CHECK_OK(nsws_client_send_text(r->client, "t", 1));
    CHECK_OK(nsws_client_create(&other));
    CHECK_OK(nsws_client_connect(other, r->url, NULL));
    CHECK_OK(nsws_client_close(other, 1000, ""));
    CHECK_OK(nsws_client_destroy(other));
    CHECK_OK(nsws_client_create(&other));
    CHECK_OK(nsws_client_release(other));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
}

static void every_function_may_be_called_in_a_callback_and_shutdown_refuses(void) {
    struct recorder *r = new_client();
    r->hook = use_everything;
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_OK(nsws_client_send_text(r->client, "go", 2));
    WAIT(r, CLOSE, 1);
}

/* Shutting down. */

static void a_debugger_sees_whose_threads_they_are(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    glob_t files;
    int named = 0;
    if (!CHECK_INT(glob("/proc/self/task/*/comm", 0, NULL, &files), 0)) return;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char name[32] = "";
        FILE *file = fopen(files.gl_pathv[i], "r");
        if (file && fgets(name, sizeof name, file)) named += strncmp(name, "OS_NET_WS", 9) == 0;
        if (file) fclose(file);
    }
    globfree(&files);
    CHECK_LEAST(named, 2);
}

static void shutdown_leaves_nothing_and_the_library_can_be_used_again(void) {
    end_recorders();
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    REACHES(count_threads, 1);
    int threads = count_threads(), fds = count_fds();
    for (int round = 0; round < 10; round++) {
        struct recorder *clients[5];
        for (int i = 0; i < 5; i++) {
            clients[i] = new_client();
            static const char *const paths[] = { "/echo", "/flow/64", "/never-answers", "/never-close", NULL };
            nsws_connect_options options = defaults();
            options.close_timeout_ms = 200;
            if (paths[i]) CHECK_OK(nsws_client_connect(clients[i]->client, raw_url(clients[i], paths[i]), &options));
        }
        if (!WAIT(clients[0], OPEN, 1) || !WAIT(clients[1], MESSAGE, 1) || !WAIT(clients[3], OPEN, 1)) return;
        WAIT_PEER(clients[2]->token, "connections", 1);
        for (int i = 0; i < 5; i++) clients[i]->destroyed = 1;
        CHECK_OK(nsws_shutdown(round % 2 ? NSWS_FOR_EVER : (uint32_t)guard_seconds() * 1000));
        for (int i = 0; i < 5; i++) {
            CHECK_INT(clients[i]->freed, KINDS);
            CHECK_CODE(nsws_client_close(clients[i]->client, 1000, ""), NSWS_ERR_BAD_HANDLE);
        }
        REACHES(count_threads, threads);
        REACHES(count_fds, fds);
        /* Doing it twice is the same as once. */
        CHECK_OK(nsws_shutdown(0));
        end_recorders();
    }
}

static void shutdown_says_what_is_busy(void) {
    static struct gate gate;
    struct recorder *r = OPEN_RAW("/echo", NULL);
    static struct counter gone;
    char url[256];
    nsws_client client;
    if (!r) return;
    counter_init(&gone);
    gate_init(&gate);
    if (!CHECK_OK(nsws_client_create(&client)) || !listen_with(client, new_life(&gone, block_in_message, &gate))) return;
    CHECK_OK(nsws_client_connect(client, raw_path(url, sizeof url, "/pipelined-frame", new_token("busy")), NULL));
    int blocked = WAIT_WAITING(&gate, 1);
    r->destroyed = 1;
    CHECK_CODE(nsws_shutdown(50), NSWS_ERR_BUSY);
    CHECK_CONTAINS(nsws_last_error(), "callback");
    CHECK_CODE(nsws_client_close(client, 1000, ""), NSWS_ERR_BAD_HANDLE);
    CHECK_CODE(nsws_shutdown(1), NSWS_ERR_BUSY);
    gate_open(&gate);
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    CHECK_INT(counter_value(&gone), 1);
    CHECK_INT(r->freed, KINDS);
    REACHES(count_threads, 1);
    CHECK(blocked);
    /* And the library can be used again. */
    end_recorders();
    r = OPEN_RAW("/echo", NULL);
}

static void some_message(nsws_client client, const nsws_message_event *event, void *user) {
    (void)client, (void)event;
    *(char *)user = 1;
}

struct users {
    int stop;
    int created;
};

static void *use_clients_until_told(void *data) {
    struct users *users = data;
    while (!__atomic_load_n(&users->stop, __ATOMIC_SEQ_CST)) {
        nsws_client client;
        char url[256];
        int32_t code = nsws_client_create(&client);
        if (!CHECK(code == NSWS_OK || code == NSWS_ERR_SHUTTING_DOWN) || code != NSWS_OK) continue;
        __atomic_add_fetch(&users->created, 1, __ATOMIC_SEQ_CST);
        char *written = malloc(1);
        if (nsws_client_on_message(client, some_message, written, free) != NSWS_OK) free(written);
        nsws_client_connect(client, raw_path(url, sizeof url, "/flow/64", "shutdown"), NULL);
        nsws_client_send_text(client, "x", 1);
        code = nsws_client_destroy(client);
        CHECK(code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE);
    }
    return NULL;
}

static void shutdown_may_race_with_everything(void) {
    struct users users = { 0, 0 };
    int shutdowns = 0;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, use_clients_until_told, &users);
    long long end = now_us() + guard_seconds() * 1000000LL;
    while ((shutdowns < 50 || __atomic_load_n(&users.created, __ATOMIC_SEQ_CST) < iterations) && now_us() < end) {
        if (!CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000))) break;
        shutdowns++;
    }
    __atomic_store_n(&users.stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    CHECK_LEAST(users.created, iterations);
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    REACHES(count_threads, 1);
    printf("    %d shutdowns, %d clients\n", shutdowns, users.created);
}

/* Isolation. */

struct sleeper {
    nsws_client client;
    int quick;
    struct counter *ready;
    struct gate *gate;
};

static void count_then_block(nsws_client client, const nsws_message_event *event, void *user) {
    struct sleeper *sleeper = user;
    (void)client;
    if (event->is_text) {
        gate_pass(sleeper->gate);
    } else if (++sleeper->quick == quick_callbacks) {
        counter_add(sleeper->ready, 1);
    }
}

static int trips(const char *when, struct recorder *r, int count) {
    long long worst = 0, start = now_us();
    size_t before = count_events(r, MESSAGE);
    for (int i = 1; i <= count; i++) {
        long long sent = now_us();
        if (!CHECK_OK(nsws_client_send_text(r->client, "x", 1)) || !WAIT(r, MESSAGE, before + (size_t)i)) return 0;
        long long took = now_us() - sent;
        if (took > worst) worst = took;
    }
    printf("    %s: %d round trips, mean %lld us, longest %lld us\n", when, count, (now_us() - start) / count, worst);
    return 1;
}

static void clients_that_block_for_ever_delay_nobody_else(void) {
    static struct counter ready;
    static struct gate gate;
    const char *token = new_token("isolation");
    char url[256], path[64];
    end_recorders();
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    int threads = count_threads(), fds = count_fds();

    counter_init(&ready);
    gate_init(&gate);
    struct sleeper *sleepers = calloc((size_t)blocked_clients, sizeof *sleepers);
    struct recorder *other = OPEN_RAW("/echo", NULL);
    if (!other) return;
    trips("undisturbed", other, 1000);
    snprintf(path, sizeof path, "/burst/%d/16", quick_callbacks);
    for (int i = 0; i < blocked_clients; i++) {
        sleepers[i].ready = &ready;
        sleepers[i].gate = &gate;
        if (!CHECK_OK(nsws_client_create(&sleepers[i].client))) return;
        CHECK_OK(nsws_client_on_message(sleepers[i].client, count_then_block, &sleepers[i], NULL));
        CHECK_OK(nsws_client_connect(sleepers[i].client, raw_path(url, sizeof url, path, token), NULL));
    }
    int all = WAIT_COUNTER(&ready, blocked_clients);
    /* On one command, the peer sends to all of them at the same moment. */
    release_peer(token);
    all = all && WAIT_WAITING(&gate, blocked_clients);
    if (all) {
        printf("    %d clients, each quick for %d callbacks, stand in their callbacks; %d threads\n", blocked_clients,
               quick_callbacks, count_threads());
        trips("meanwhile", other, 1000);
        struct recorder *fresh = OPEN_RAW("/echo", NULL);
        if (fresh) trips("a new client", fresh, 100);
        for (int i = 0; i < blocked_clients; i++) CHECK_OK(nsws_client_send_binary(sleepers[i].client, "x", 1));
        CHECK_INT(gate.waiting, blocked_clients);
    }
    gate_open(&gate);
    for (int i = 0; i < blocked_clients; i++) CHECK_OK(nsws_client_destroy(sleepers[i].client));
    end_recorders();
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    REACHES(count_threads, threads);
    REACHES(count_fds, fds);
    WAIT_PEER(token, "ended", blocked_clients);
    free(sleepers);
}

int main(int argc, char **argv) {
    /* A race shows in fewer of them, and each takes ten times as long. */
    if (THREADS_SANITIZED) iterations = 100;
    if (argc > 1) iterations = atoi(argv[1]);
    if (argc > 2) blocked_clients = atoi(argv[2]);
    if (argc > 3) quick_callbacks = atoi(argv[3]);
    RUN(destroy_is_safe_in_every_state);
    RUN(release_is_safe_in_every_state);
    RUN(destroy_is_safe_from_every_callback);
    RUN(no_further_listener_is_called_after_a_destroy);
    RUN(two_callbacks_may_destroy_each_other_s_clients);
    RUN(destroy_is_safe_from_a_second_thread);
    RUN(destroy_waits_for_a_callback_that_runs);
    RUN(release_never_waits);
    RUN(every_function_may_be_called_in_a_callback_and_shutdown_refuses);
    RUN(a_debugger_sees_whose_threads_they_are);
    RUN(shutdown_leaves_nothing_and_the_library_can_be_used_again);
    RUN(shutdown_says_what_is_busy);
    RUN(shutdown_may_race_with_everything);
    RUN(clients_that_block_for_ever_delay_nobody_else);
    return end_tests();
}
