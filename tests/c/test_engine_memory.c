/* What a peer can make the library hold is bounded, whatever kind of frame it is: in both roles. */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

#ifndef NSWS_DETAIL_RECEIVE_BUDGET
enum { NSWS_DETAIL_RECEIVE_BUDGET = 2302975 };
#endif

/* A mailbox holds 1 MiB or 1,024 messages; in addition there are a few read blocks of 256 KiB, and one large message. */
enum { MOST_HELD_KIB = 6 * KIB };

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

static struct pair *open_blocked(int line, enum role role) {
    gate_init(&gate);
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    struct pair *p = open_pair_at(__FILE__, line, role, &options);
    if (!p) return NULL;
    CHECK(peer_send(p, BINARY_FRAME, "first", 5));
    return wait_waiting(__FILE__, line, &gate, 1) ? p : NULL;
}

/* A thread that reads what comes back, so that only the listener stops the library. */
static void *read_all(void *data) {
    char buffer[65536];
    while (recv(((struct pair *)data)->fd, buffer, sizeof buffer, 0) > 0) {
    }
    return NULL;
}

/* Small messages among other frames: each may pin the block that it was read into. */
static void pins(int line, enum role role, int filler, size_t length, int count, size_t message, size_t large) {
    struct pair *p = open_blocked(line, role);
    if (!p) return gate_open(&gate);
    char *data = pattern(large > 200 ? large : 200);
    struct batch b = { 0 };
    pthread_t reader;
    pthread_create(&reader, NULL, read_all, p);
    if (large) peer_send(p, BINARY_FRAME, data, large);
    batch_frame(p, &b, BINARY_FRAME, data, message);
    for (int i = 0; i < count; i++) batch_frame(p, &b, filler, data, length);
    long before = held_kib();
    size_t sent = peer_fills(p, b.bytes, b.size, 1400 * b.size);
    char what[128];
    snprintf(what, sizeof what, "%s: %ld messages of %ld bytes, each among %d frames (%02x) of %ld bytes, behind %ld bytes", role_names[role],
             (long)(sent / b.size), (long)message, count, (unsigned)filler, (long)length, (long)large);
    check_held(__FILE__, line, what, before, MOST_HELD_KIB);
    gate_open(&gate);
    WAIT_COUNTER(&p->messages, (long)(sent / b.size) + 1 + (large > 0));
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(reader, NULL);
    pair_ends(p);
    free(b.bytes);
    free(data);
}

static void small_messages_among_control_frames_pin_nothing(void) {
    BOTH_ROLES(role) {
        pins(__LINE__, role, PONG_FRAME, 125, 80, 1, 0);
        pins(__LINE__, role, PONG_FRAME, 125, 520, 1, 70000);
        pins(__LINE__, role, PONG_FRAME, 125, 1040, 1, 70000);
        pins(__LINE__, role, PING_FRAME, 125, 300, 0, 0);
        pins(__LINE__, role, PONG_FRAME, 0, 5000, 3, MIB);
    }
}

/* Messages alone, of many sizes. */
static void waits(int line, enum role role, size_t length) {
    struct pair *p = open_blocked(line, role);
    if (!p) return gate_open(&gate);
    char *data = pattern(length);
    struct batch b = { 0 };
    batch_frame(p, &b, BINARY_FRAME, data, length);
    free(data);
    /* The socket's buffers are the system's. */
    size_t unit = b.size;
    while (b.size < 64 * KIB) {
        if (b.size + unit > b.capacity) b.bytes = realloc(b.bytes, b.capacity = 2 * (b.capacity + unit));
        memcpy(b.bytes + b.size, b.bytes, unit);
        b.size += unit;
    }
    long before = held_kib();
    size_t sent = peer_fills(p, b.bytes, b.size, 512 * MIB);
    char what[128];
    snprintf(what, sizeof what, "%s: messages of %ld bytes", role_names[role], (long)length);
    /* One large message is allowed; its buffer grows by doubling. */
    check_held(__FILE__, line, what, before, MOST_HELD_KIB + 3 * (long)(length / KIB));
    if (sent >= 512 * MIB) harness_fail(__FILE__, line, "%s: all are read, though the listener waits", what);
    gate_open(&gate);
    WAIT_COUNTER(&p->messages, (long)(sent / unit) + 1);
    pair_ends(p);
    free(b.bytes);
}

static void what_waits_for_a_listener_is_bounded(void) {
    static const size_t lengths[] = { 0, 1, 20, 100, 1000, 5000, 40000, 65536, 100000, MIB, 5 * MIB };
    BOTH_ROLES(role)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) waits(__LINE__, role, lengths[i]);
}

/* A listener that takes its time, while the peer sends as fast as it can: what is received and not yet delivered is bounded all
 * the while, and the reading goes on with the delivery. */

static long most_ahead;
static int slow_us;

static void slowly(struct pair *p, const nsws_message_event *e) {
    long ahead = (long)pair_figures(p).bytes_received - counter_value(&p->bytes) - (long)e->length;
    if (ahead > __atomic_load_n(&most_ahead, __ATOMIC_SEQ_CST)) __atomic_store_n(&most_ahead, ahead, __ATOMIC_SEQ_CST);
    if (slow_us) usleep((useconds_t)slow_us);
}

static void *write_all(void *data) {
    struct pair *p = data;
    struct batch *b = p->data;
    while (raw_write(p->fd, b->bytes, b->size)) {
    }
    return NULL;
}

static void keeps_pace(enum role role, size_t length, int us, int messages) {
    struct pair_options options = pair_defaults();
    struct batch b = { 0 };
    options.on_message = slowly;
    options.data = &b;
    most_ahead = 0;
    slow_us = us;
    struct pair *p = OPEN_PAIR(role, &options);
    if (!p) return;
    char *data = pattern(length);
    while (b.size < 256 * KIB) batch_frame(p, &b, BINARY_FRAME, data, length);
    long before = held_kib();
    pthread_t writer;
    pthread_create(&writer, NULL, write_all, p);
    WAIT_COUNTER(&p->messages, messages / slowness());
    char what[128];
    snprintf(what, sizeof what, "%s: messages of %ld bytes, %d us each", role_names[role], (long)length, us);
    check_held(__FILE__, __LINE__, what, before, MOST_HELD_KIB + 3 * (long)(length / KIB));
    long ahead = __atomic_load_n(&most_ahead, __ATOMIC_SEQ_CST);
    if (ahead > 2 * MIB + 2 * (long)length) harness_fail(__FILE__, __LINE__, "%s: %ld bytes are received and not delivered", what, ahead);
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(writer, NULL);
    if (role == AS_CLIENT) destroy_client(p->r);
    else destroy_server(p->s);
    peer_leaves(p);
    free(b.bytes);
    free(data);
}

static void a_slow_listener_is_not_run_ahead_of(void) {
    BOTH_ROLES(role) {
        keeps_pace(role, 1000, 100, 10000);
        keeps_pace(role, 1000, 1000, 2000);
        keeps_pace(role, 100, 50, 20000);
        keeps_pace(role, 20000, 500, 4000);
        keeps_pace(role, 300000, 2000, 600);
    }
}

/* Step by step: what was delivered has made room, though its neighbours still wait. */

static struct steps {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    long allowed, taken;
} steps = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };

static void step(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    pthread_mutex_lock(&steps.lock);
    while (steps.taken >= steps.allowed) pthread_cond_wait(&steps.changed, &steps.lock);
    steps.taken++;
    pthread_mutex_unlock(&steps.lock);
}

static void allow(long more) {
    pthread_mutex_lock(&steps.lock);
    steps.allowed += more;
    pthread_cond_broadcast(&steps.changed);
    pthread_mutex_unlock(&steps.lock);
}

static void room_is_given_back_as_messages_are_delivered(void) {
    enum { LENGTH = 2000 };
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        options.on_message = step;
        steps.allowed = steps.taken = 0;
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        unsigned char frame[LENGTH + FRAME_ROOM] = { 0 };
        char *data = pattern(LENGTH);
        size_t size = peer_frame(p, frame, BINARY_FRAME, data, LENGTH);
        free(data);
        size_t written = peer_fills(p, frame, size, 512 * MIB);
        /* What the library has read. */
#define TAKEN(p) (((long)written - peer_unread(p)) / (long)size)
        long waiting = TAKEN(p), before = -1;
        for (; waiting != before; usleep(100000)) before = waiting, waiting = TAKEN(p); /* nothing tells that it reads no more */
        if (!CHECK_LEAST(waiting, 100)) return allow(1L << 40);
        /* Most of what waited is delivered, not all: the peer can go on writing. */
        long most = waiting * 7 / 8;
        allow(most);
        WAIT_COUNTER(&p->messages, most);
        long long end = now_us() + guard_seconds() * 1000000LL;
        while (TAKEN(p) < waiting + most / 2 && now_us() < end) usleep(1000);
        CHECK_LEAST(TAKEN(p), waiting + most / 2);
        /* And no further than one read ahead. */
        CHECK_MOST(TAKEN(p) - most, waiting + 256 * KIB / LENGTH);
        allow(1L << 40);
        WAIT_COUNTER(&p->messages, (long)(written / size));
        peer_leaves(p);
    }
}

/* Messages that never end, from one address, by the defaults: the server gives up the largest before it holds too much. */
static void unfinished_messages_of_one_address_are_bounded(void) {
    enum { CONNECTIONS = 10, EACH = 15 };
    struct pair_options options = pair_defaults();
    options.on_message = NULL;
    struct pair *first = OPEN_PAIR(AS_SERVER, &options), *p[CONNECTIONS];
    if (!first) return;
    char *data = pattern(MIB);
    long before = held_kib();
    for (int i = 0; i < CONNECTIONS; i++) {
        p[i] = JOIN(first, "127.0.0.2", &options);
        if (!p[i]) return;
        for (int k = 0; k < EACH; k++)
            if (!peer_send(p[i], (k == 0 ? BINARY_FRAME : CONTINUATION_FRAME) & ~FIN, data, MIB)) break;
    }
    /* 150 MiB were sent: some had to go. */
    const struct server_event *error = SERVER_WAIT(first->s, ON_ERROR, 1);
    if (error) {
        CHECK_INT(error->detail, NSWS_DETAIL_RECEIVE_BUDGET);
        const struct server_event *close = SERVER_WAIT_OF(first->s, error->connection, ON_CLOSE, 1);
        if (close) CHECK_INT(close->code, 1009);
    }
    /* 64 MiB is the budget; buffers grow by doubling, and one is copied. */
    CHECK_HELD("unfinished messages", before, 112 * KIB);
    int ended = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct frame frame;
        peer_send(p[i], PING_FRAME, "still there", 11);
        if (!CHECK(peer_receive(p[i], &frame))) break;
        if (frame.first == CLOSE_FRAME) {
            ended++;
            CHECK_INT(frame.data[0] << 8 | frame.data[1], 1009);
            SERVER_WAIT_OF(first->s, p[i]->connection, ON_ERROR, 1);
        } else {
            CHECK_INT(frame.first, PONG_FRAME);
        }
        peer_leaves(p[i]);
    }
    CHECK(ended > 0 && ended < CONNECTIONS);
    free(data);
    /* Another address is not affected. */
    CHECK(peer_send(first, TEXT_FRAME, "small", 5));
    SERVER_WAIT_OF(first->s, first->connection, ON_MESSAGE, 1);
    peer_leaves(first);
}

/* What was dropped is freed. */
static void the_memory_of_large_messages_is_given_back(void) {
    char *data = pattern(10 * MIB);
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        options.on_message = slowly;
        slow_us = 0;
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        long before = held_kib();
        for (int i = 0; i < 5; i++) {
            CHECK(peer_send(p, BINARY_FRAME, data, 10 * MIB));
            WAIT_COUNTER(&p->messages, i + 1);
        }
        /* A small message that never ends goes, too, with its connection. */
        CHECK(peer_send(p, BINARY_FRAME & ~FIN, data, 5 * MIB));
        BECOMES(peer_unread(p), 0);
        peer_leaves(p);
        PAIR_CLOSE(p);
        /* One spare buffer may be kept, and what the allocator keeps for the next. The rest goes with the connection, a
         * moment after its last callback. */
        BECOMES(held_kib() - before < 24 * KIB, 1);
    }
    free(data);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(small_messages_among_control_frames_pin_nothing);
    RUN(what_waits_for_a_listener_is_bounded);
    RUN(a_slow_listener_is_not_run_ahead_of);
    RUN(room_is_given_back_as_messages_are_delivered);
    RUN(unfinished_messages_of_one_address_are_bounded);
    RUN(the_memory_of_large_messages_is_given_back);
    return end_tests();
}
