/*
 * Four lanes: many threads use objects of all lanes at once, every message is counted, and what blocks on one lane delays nobody
 * else.
 *
 *     test_lanes [CALLS]
 *
 * CALLS: how many connections each of the calling threads makes (100).
 */
#include "server.h"

#include <glob.h>

enum { LANES = 4 };
static int calls = 100;

/* The library sees a machine with a processor for each lane: there may not be more lanes than that. */
int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set) {
    (void)process;
    CPU_ZERO_S(size, set);
    for (int i = 0; i < LANES; i++) CPU_SET_S(i, size, set);
    return 0;
}

static void configure(void) {
    nsws_runtime_options options;
    CHECK_OK(nsws_runtime_options_init(&options, sizeof options));
    options.io_threads = LANES;
    CHECK_OK(nsws_runtime_configure(&options));
}

static unsigned dice(unsigned *seed, unsigned sides) {
    return (unsigned)rand_r(seed) % sides;
}

static int is_fine(int32_t code) {
    return code == NSWS_OK || code == NSWS_ERR_BAD_HANDLE || code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_NOT_LISTENING ||
           code == NSWS_ERR_ALREADY_CONNECTED || code == NSWS_ERR_QUEUE_FULL || code == NSWS_ERR_NO_CONNECTION ||
           code == NSWS_ERR_SHUTTING_DOWN;
}

#define FINE(call) (is_fine(call) ? 1 : harness_fail(__FILE__, __LINE__, "%s: %s", #call, nsws_last_error()))

/* How many threads lead lanes or could: the library gives them this name. */
static int leaders(void) {
    glob_t files;
    int found = 0;
    if (glob("/proc/self/task/*/comm", 0, NULL, &files) != 0) return 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        char name[32] = "";
        FILE *file = fopen(files.gl_pathv[i], "r");
        if (file && fgets(name, sizeof name, file)) found += strcmp(name, "OS_NET_WS\n") == 0;
        if (file) fclose(file);
    }
    globfree(&files);
    return found;
}

static void each_lane_has_a_thread_of_its_own(void) {
    struct server *s = started_server(NULL);
    if (s && OPEN_CLIENT(s, "/")) BECOMES(leaders() > LANES, 1);
}

/* Everything at once. */

enum { CALLERS = 6, STEADY = 4, PLACES = 8, MOST = 300 };

/* A server. The steady ones stay; the others stop and start again. */
struct place {
    nsws_server handle;
    uint16_t port;
    /* Broadcasts have numbers, in the order in which they are made. */
    pthread_mutex_t lock;
    unsigned broadcasts;
    /* What it has received, and what it must have received in the end. */
    struct counter received, expected;
};

static struct place places[PLACES];
static struct counter round_trips, heard_broadcasts, calls_made;
static int is_over;

static void echo(nsws_server server, nsws_connection connection, const nsws_message_event *e, void *user) {
    struct place *place = user;
    (void)server;
    counter_add(&place->received, 1);
    FINE(e->is_text ? nsws_connection_send_text(connection, (const char *)e->data, e->length)
                    : nsws_connection_send_binary(connection, e->data, e->length));
}

static void open_place(struct place *place) {
    nsws_server_options options = server_defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    memset(place, 0, sizeof *place);
    pthread_mutex_init(&place->lock, NULL);
    counter_init(&place->received);
    counter_init(&place->expected);
    CHECK_OK(nsws_server_create(&place->handle));
    CHECK_OK(nsws_server_on_message(place->handle, echo, place, NULL));
    CHECK_OK(nsws_server_start(place->handle, &options));
    CHECK_OK(nsws_server_get_port(place->handle, &place->port));
}

/* A client of one thread. Echoes of its messages are binary, and broadcasts are text. */
struct caller {
    nsws_client client;
    unsigned echoed;
    long last_broadcast;
    struct counter opened, echoes, closed, freed;
    int was_clean;
};

static void caller_opens(nsws_client client, const nsws_open_event *e, void *user) {
    (void)client, (void)e;
    counter_add(&((struct caller *)user)->opened, 1);
}

static void caller_fails(nsws_client client, const nsws_error_event *e, void *user) {
    (void)client, (void)e;
    counter_add(&((struct caller *)user)->opened, 1);
}

static void caller_hears(nsws_client client, const nsws_message_event *e, void *user) {
    struct caller *caller = user;
    char text[32] = "";
    unsigned number = 0;
    (void)client;
    memcpy(text, e->data, e->length < sizeof text ? e->length : sizeof text - 1);
    CHECK_INT(sscanf(text, "%u", &number), 1);
    if (!e->is_text) {
        CHECK_INT(number, caller->echoed);
        caller->echoed++;
        counter_add(&caller->echoes, 1);
        counter_add(&round_trips, 1);
    } else {
        if (caller->last_broadcast >= 0) CHECK_INT(number, caller->last_broadcast + 1);
        caller->last_broadcast = number;
        counter_add(&heard_broadcasts, 1);
    }
}

static void caller_closes(nsws_client client, const nsws_close_event *e, void *user) {
    struct caller *caller = user;
    (void)client;
    caller->was_clean = e->was_clean;
    counter_add(&caller->opened, 1);
    counter_add(&caller->closed, 1);
}

static void caller_is_freed(void *user) {
    counter_add(&((struct caller *)user)->freed, 1);
}

/* Sends up to `most` messages; returns how many were accepted. */
static unsigned sends(struct caller *caller, unsigned most, unsigned *seed) {
    unsigned number = 0;
    while (number < most) {
        nsws_client_stats stats;
        char text[32];
        size_t length = (size_t)sprintf(text, "%u", number);
        if (dice(seed, 40) == 0) FINE(nsws_client_cork(caller->client));
        int32_t code = nsws_client_send_binary(caller->client, text, length);
        if (code == NSWS_OK) number++;
        else if (code == NSWS_ERR_QUEUE_FULL) sched_yield();
        else if (!FINE(code) || code == NSWS_ERR_NOT_CONNECTED) break;
        if (dice(seed, 20) == 0) FINE(nsws_client_uncork(caller->client));
        if (dice(seed, 50) == 0) FINE(nsws_client_ping(caller->client, "ping", 4));
        if (dice(seed, 50) == 0) FINE(nsws_client_get_stats(caller->client, &stats, sizeof stats));
    }
    FINE(nsws_client_uncork(caller->client));
    return number;
}

/* A connection, from its beginning to its end. */
static void one_call(struct place *place, int is_steady, unsigned *seed) {
    struct caller caller = { .last_broadcast = -1 };
    char url[64];
    counter_init(&caller.opened);
    counter_init(&caller.echoes);
    counter_init(&caller.closed);
    counter_init(&caller.freed);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", place->port);
    CHECK_OK(nsws_client_create(&caller.client));
    CHECK_OK(nsws_client_on_open(caller.client, caller_opens, &caller, NULL));
    CHECK_OK(nsws_client_on_error(caller.client, caller_fails, &caller, NULL));
    CHECK_OK(nsws_client_on_message(caller.client, caller_hears, &caller, NULL));
    CHECK_OK(nsws_client_on_close(caller.client, caller_closes, &caller, caller_is_freed));
    nsws_connect_options options = defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    CHECK_OK(nsws_client_connect(caller.client, url, &options));
    WAIT_COUNTER(&caller.opened, 1);
    unsigned sent = sends(&caller, dice(seed, MOST), seed);
    /* Two in three wait for the echoes, the others close right after sending. */
    int waits = dice(seed, 3) > 0;
    if (is_steady && waits) WAIT_COUNTER(&caller.echoes, sent);
    if (is_steady && (!waits || dice(seed, 2))) {
        CHECK_OK(nsws_client_close(caller.client, 1000, ""));
        if (WAIT_COUNTER(&caller.closed, 1)) CHECK(caller.was_clean);
    }
    if (dice(seed, 2)) {
        CHECK_OK(nsws_client_destroy(caller.client));
    } else {
        CHECK_OK(nsws_client_release(caller.client));
        WAIT_COUNTER(&caller.freed, 1);
    }
    CHECK_INT(counter_value(&caller.freed), 1);
    CHECK_MOST(caller.echoed, sent);
    if (is_steady) {
        if (waits) CHECK_INT(caller.echoed, sent);
        counter_add(&place->expected, sent);
    }
    counter_add(&calls_made, 1);
}

static void *make_calls(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    for (int i = 0; i < calls && failed_checks() == 0; i++) {
        int which = (int)dice(&seed, PLACES);
        one_call(&places[which], which < STEADY, &seed);
    }
    return NULL;
}

static void *make_broadcasts(void *user) {
    (void)user;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        for (int i = 0; i < PLACES; i++) {
            struct place *place = &places[i];
            char text[32];
            pthread_mutex_lock(&place->lock);
            size_t length = (size_t)sprintf(text, "%u", place->broadcasts);
            if (FINE(nsws_server_broadcast(place->handle, text, length, 1, NULL))) place->broadcasts++;
            pthread_mutex_unlock(&place->lock);
        }
        sched_yield();
    }
    return NULL;
}

/* Looks at connections of all servers, and closes some whose messages aren't counted. */
static void *look_around(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        int which = (int)dice(&seed, PLACES);
        nsws_connection list[8];
        nsws_connection_info info;
        size_t count = 0;
        FINE(nsws_server_list_connections(places[which].handle, list, 8, &count));
        for (size_t i = 0; i < count && i < 8; i++) {
            FINE(nsws_connection_get_info(list[i], &info, sizeof info));
            FINE(nsws_connection_ping(list[i], "you", 3));
            if (which >= STEADY && dice(&seed, 10) == 0) FINE(nsws_connection_close(list[i], 4000, "enough"));
        }
        sched_yield();
    }
    return NULL;
}

static void *stop_and_start(void *user) {
    unsigned seed = (unsigned)(uintptr_t)user;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        struct place *place = &places[STEADY + dice(&seed, PLACES - STEADY)];
        nsws_server_options options = server_defaults();
        options.server_port = place->port;
        FINE(nsws_server_stop(place->handle));
        int32_t code = nsws_server_start(place->handle, &options);
        /* Another program's connection may have taken the port meanwhile. */
        if (code != NSWS_ERR_PORT_IN_USE) FINE(code);
        for (unsigned i = dice(&seed, 5000); i > 0; i--) sched_yield();
    }
    return NULL;
}

static void every_message_of_all_lanes_is_delivered_once_and_in_order(void) {
    static void *(*const others[])(void *) = { make_broadcasts, make_broadcasts, look_around, stop_and_start };
    enum { OTHERS = sizeof others / sizeof *others };
    pthread_t callers[CALLERS], threads[OTHERS];
    counter_init(&round_trips);
    counter_init(&heard_broadcasts);
    counter_init(&calls_made);
    is_over = 0;
    for (int i = 0; i < PLACES; i++) open_place(&places[i]);
    for (uintptr_t i = 0; i < OTHERS; i++) pthread_create(&threads[i], NULL, others[i], (void *)(i + 1));
    for (uintptr_t i = 0; i < CALLERS; i++) pthread_create(&callers[i], NULL, make_calls, (void *)(i + 100));
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < OTHERS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++) {
        if (i < STEADY && WAIT_COUNTER(&places[i].received, counter_value(&places[i].expected)))
            CHECK_INT(counter_value(&places[i].received), counter_value(&places[i].expected));
        CHECK_OK(nsws_server_destroy(places[i].handle));
    }
    printf("    %ld connections, %ld round trips, %ld broadcasts heard\n", counter_value(&calls_made), counter_value(&round_trips),
           counter_value(&heard_broadcasts));
    CHECK_INT(counter_value(&calls_made), CALLERS * calls);
    CHECK_LEAST(counter_value(&round_trips), CALLERS * calls);
}

/* A lane that blocks. Objects are spread in turn: each fourth is on the same lane. */

static struct gate gate;

static void block_on_message(struct recorder *r, const struct event *event) {
    if (event->kind == MESSAGE && r->hook_data) gate_pass(&gate);
}

static int round_trip(struct recorder *r) {
    size_t before = count_events(r, MESSAGE);
    return CHECK_OK(nsws_client_send_text(r->client, "x", 1)) && WAIT(r, MESSAGE, before + 1);
}

static void a_lane_whose_callbacks_all_block_delays_no_object(void) {
    enum { EACH = 6, ALL = EACH * LANES };
    int trips = slowness() > 1 ? 10 : 50;
    struct recorder *clients[ALL];
    struct server *s = new_server();
    s->echo = 1;
    gate_init(&gate);
    if (!START(s, NULL)) return;
    for (int i = 0; i < ALL; i++) {
        clients[i] = new_client();
        clients[i]->hook = block_on_message;
        /* All clients of the first lane but one. */
        clients[i]->hook_data = i % LANES == 0 && i > 0 ? &gate : NULL;
        if (!OPENS(clients[i], url_of(s, "/"), NULL)) return;
    }
    for (int i = 0; i < ALL; i++)
        for (int j = 0; clients[i]->hook_data && j < 3; j++) CHECK_OK(nsws_client_send_text(clients[i]->client, "x", 1));
    WAIT_WAITING(&gate, EACH - 1);
    for (int i = 0; i < ALL; i++)
        for (int j = 0; !clients[i]->hook_data && j < trips; j++)
            if (!round_trip(clients[i])) goto end;
    /* New ones too, on each lane. */
    for (int i = 0; i < LANES; i++) {
        struct recorder *r = OPEN_CLIENT(s, "/");
        if (!r || !round_trip(r)) goto end;
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        WAIT(r, CLOSE, 1);
    }
    /* Clients whose callbacks block can still send. */
    for (int i = LANES; i < ALL; i += LANES) CHECK_OK(nsws_client_send_text(clients[i]->client, "x", 1));
end:
    CHECK_INT(gate.waiting, EACH - 1);
    gate_open(&gate);
    for (int i = LANES; i < ALL; i += LANES) WAIT(clients[i], MESSAGE, 4);
}

/* Callbacks that end objects of other lanes. */

static struct counter destroyed, gone;
static struct gate both;

struct mutual {
    nsws_client clients[2];
};

static void destroy_the_other(nsws_client client, const nsws_open_event *e, void *user) {
    struct mutual *mutual = user;
    (void)e;
    gate_pass(&both);
    CHECK_OK(nsws_client_destroy(mutual->clients[client.id == mutual->clients[0].id]));
    counter_add(&destroyed, 1);
}

static void is_gone(void *user) {
    (void)user;
    counter_add(&gone, 1);
}

static void callbacks_of_two_lanes_may_destroy_each_other_s_objects(void) {
    struct server *s = started_server(NULL);
    if (!s) return;
    counter_init(&destroyed);
    counter_init(&gone);
    for (int i = 0; i < calls; i++) {
        struct mutual mutual;
        gate_init(&both);
        for (int j = 0; j < 2; j++) {
            CHECK_OK(nsws_client_create(&mutual.clients[j]));
            CHECK_OK(nsws_client_on_open(mutual.clients[j], destroy_the_other, &mutual, is_gone));
        }
        for (int j = 0; j < 2; j++) CHECK_OK(nsws_client_connect(mutual.clients[j], url_of(s, "/"), NULL));
        int are_in = WAIT_WAITING(&both, 2);
        gate_open(&both);
        if (!WAIT_COUNTER(&gone, 2 * (i + 1)) || !are_in) return;
        CHECK_INT(counter_value(&destroyed), 2 * (i + 1));
    }
}

/* Forks and shutdowns. */

static void a_forked_child_is_refused_and_its_parent_goes_on(void) {
    struct server *s = new_server();
    struct recorder *clients[LANES];
    s->echo = 1;
    if (!START(s, NULL)) return;
    for (int i = 0; i < LANES; i++)
        if (!(clients[i] = OPEN_CLIENT(s, "/"))) return;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        nsws_client client;
        nsws_server server;
        int is_refused = nsws_client_create(&client) == NSWS_ERR_FORKED && nsws_server_create(&server) == NSWS_ERR_FORKED &&
                         nsws_server_stop(s->handle) == NSWS_ERR_FORKED && nsws_shutdown(0) == NSWS_ERR_FORKED;
        for (int i = 0; i < LANES; i++) {
            is_refused &= nsws_client_send_text(clients[i]->client, "x", 1) == NSWS_ERR_FORKED;
            is_refused &= nsws_client_destroy(clients[i]->client) == NSWS_ERR_FORKED;
        }
        /* Without exit(): valgrind would look for leaks in a process whose other threads' stacks are gone. */
        if (is_refused) kill(getpid(), SIGKILL);
        _exit(1);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < LANES; i++) round_trip(clients[i]);
}

static void *use_objects_until_told(void *user) {
    struct counter *created = user;
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        nsws_server server;
        nsws_client client;
        uint16_t port = 0;
        char url[64];
        int32_t code = nsws_server_create(&server);
        if (!FINE(code) || code != NSWS_OK) continue;
        nsws_server_options options = server_defaults();
        FINE(nsws_server_start(server, &options));
        FINE(nsws_server_get_port(server, &port));
        code = nsws_client_create(&client);
        if (FINE(code) && code == NSWS_OK) {
            snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port ? port : 1);
            FINE(nsws_client_connect(client, url, NULL));
            for (int i = 0; i < 100; i++) {
                FINE(nsws_client_send_text(client, "x", 1));
                FINE(nsws_server_broadcast(server, "all", 3, 1, NULL));
            }
            FINE(nsws_client_destroy(client));
        }
        FINE(nsws_server_destroy(server));
        counter_add(created, 1);
    }
    return NULL;
}

static void a_shutdown_ends_all_lanes_whatever_goes_on_and_they_begin_again(void) {
    static struct counter created;
    pthread_t threads[LANES];
    counter_init(&created);
    is_over = 0;
    for (int i = 0; i < LANES; i++) pthread_create(&threads[i], NULL, use_objects_until_told, &created);
    for (int i = 1; i <= 20; i++) {
        if (!WAIT_COUNTER(&created, 2 * i) || !CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000))) break;
    }
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < LANES; i++) pthread_join(threads[i], NULL);
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    REACHES(count_threads, 1);
    configure();
    each_lane_has_a_thread_of_its_own();
}

static void a_shutdown_tells_of_a_lane_that_is_busy(void) {
    struct server *s = new_server();
    struct recorder *clients[LANES];
    s->echo = 1;
    gate_init(&gate);
    if (!START(s, NULL)) return;
    for (int i = 0; i < LANES; i++) {
        clients[i] = new_client();
        clients[i]->hook = block_on_message;
        clients[i]->hook_data = i == 0 ? &gate : NULL;
        if (!OPENS(clients[i], url_of(s, "/"), NULL)) return;
        CHECK_OK(nsws_client_send_text(clients[i]->client, "x", 1));
    }
    int is_in = WAIT_WAITING(&gate, 1);
    s->destroyed = 1;
    for (int i = 0; i < LANES; i++) clients[i]->destroyed = 1;
    CHECK_CODE(nsws_shutdown(50), NSWS_ERR_BUSY);
    gate_open(&gate);
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    CHECK(is_in);
    REACHES(count_threads, 1);
    for (int i = 0; i < LANES; i++) CHECK_INT(clients[i]->freed, KINDS);
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    if (slowness() > 1) calls = 8;
    if (count > 1) calls = atoi(words[1]);
    name_test("configure");
    configure();
    RUN(each_lane_has_a_thread_of_its_own);
    RUN(every_message_of_all_lanes_is_delivered_once_and_in_order);
    RUN(a_lane_whose_callbacks_all_block_delays_no_object);
    RUN(callbacks_of_two_lanes_may_destroy_each_other_s_objects);
    RUN(a_forked_child_is_refused_and_its_parent_goes_on);
    RUN(a_shutdown_ends_all_lanes_whatever_goes_on_and_they_begin_again);
    RUN(a_shutdown_tells_of_a_lane_that_is_busy);
    return end_tests();
}
