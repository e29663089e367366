/* Messages that never end: a server's budget over all connections, and the time that a message may take. */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

static void ignored(struct pair *p, const nsws_message_event *e) { (void)p, (void)e; }

/* Sends this many bytes of a message that goes on, in fragments. */
static int goes_on(struct pair *p, size_t *sent, size_t bytes) {
    static char data[256 * KIB];
    while (bytes > 0) {
        size_t part = bytes < sizeof data ? bytes : sizeof data;
        if (!peer_send(p, (*sent ? CONTINUATION_FRAME : BINARY_FRAME) & ~FIN, data, part)) return 0;
        *sent += part;
        bytes -= part;
    }
    return 1;
}

static int finishes(struct pair *p) {
    return peer_send(p, CONTINUATION_FRAME, "end", 3);
}

/* This side ends the connection: checks the close frame's code, the event's, and the error before it. */
static void is_ended(int line, struct pair *p, int code, int32_t detail) {
    struct told error = pair_wait(__FILE__, line, p, ERROR, ON_ERROR, 1);
    check_int(__FILE__, line, "the close frame's code", peer_close_code(p), code);
    peer_leaves(p);
    struct told close = pair_wait(__FILE__, line, p, CLOSE, ON_CLOSE, 1);
    if (error.came && error.detail != detail)
        harness_fail(__FILE__, line, "the error is %s: %s", nsws_error_name(error.detail), error.text);
    if (error.came) check_int(__FILE__, line, "the error's code", error.code, NSWS_ERR_CONNECT_FAILED);
    if (close.came) check_int(__FILE__, line, "the close's code", close.code, code);
    if (close.came) check_int(__FILE__, line, "was_clean", close.was_clean, 0);
}

static void the_options_have_their_defaults(void) {
    nsws_connect_options client = defaults();
    nsws_server_options server = server_defaults();
    CHECK_INT(client.message_timeout_ms, 60000);
    CHECK_INT(server.message_timeout_ms, 60000);
    /* 0 is the default: the larger of 64 MiB and max_receive_size. */
    CHECK(server.receive_budget == 0 || server.receive_budget == 64 * MIB);
}

/* The budget. */

static struct pair *budgeted(int line, size_t budget, size_t most, void (*on_message)(struct pair *, const nsws_message_event *)) {
    struct pair_options options = pair_defaults();
    options.server.receive_budget = budget;
    options.server.max_receive_size = most;
    options.server.max_concurrent_clients = 100;
    options.on_message = on_message;
    return open_pair_at(__FILE__, line, AS_SERVER, &options);
}

static void the_address_that_holds_most_loses_its_largest_message(void) {
    enum { BUDGET = 16 * MIB };
    struct pair_options options = pair_defaults();
    options.on_message = ignored;
    struct pair *witness = budgeted(__LINE__, BUDGET, 8 * MIB, ignored);
    if (!witness) return;
    /* One address has three messages, another one that is larger than each of them. */
    struct pair *greedy[3], *other = JOIN(witness, "127.0.0.3", &options);
    size_t greedy_sent[3] = { 0 }, other_sent = 0;
    for (int i = 0; i < 3; i++) greedy[i] = JOIN(witness, "127.0.0.2", &options);
    if (!other || !greedy[2]) return;
    CHECK(goes_on(other, &other_sent, 4 * MIB));
    CHECK(goes_on(greedy[0], &greedy_sent[0], 2 * MIB));
    CHECK(goes_on(greedy[1], &greedy_sent[1], 3 * MIB));
    CHECK(goes_on(greedy[2], &greedy_sent[2], MIB));
    IS_ANSWERED(greedy[2], "10 of 16 MiB");
    CHECK_INT(server_count(witness->s, ON_ERROR), 0);
    /* The other one goes on and fills the budget: it isn't the one that holds most. */
    CHECK(goes_on(witness, &(size_t){ 0 }, 3 * MIB));
    for (int i = 0; i < 16 && server_count(witness->s, ON_ERROR) == 0; i++)
        if (!goes_on(greedy[2], &greedy_sent[2], 256 * KIB)) break;
    const struct server_event *error = SERVER_WAIT(witness->s, ON_ERROR, 1);
    if (!error) return;
    struct pair *ended = greedy[1];
    for (int i = 0; i < 3; i++)
        if (greedy[i]->connection.id == error->connection.id) ended = greedy[i];
    /* Its largest: whichever has grown most. */
    CHECK(ended == greedy[1] || (ended == greedy[2] && greedy_sent[2] >= greedy_sent[1]));
    is_ended(__LINE__, ended, 1009, NSWS_DETAIL_RECEIVE_BUDGET);
    CHECK(finishes(other) && finishes(witness));
    /* All others end well. */
    for (int i = 0; i < 3; i++)
        if (greedy[i] != ended) CHECK(finishes(greedy[i]));
    WAIT_COUNTER(&witness->messages, 4);
    CHECK_INT(server_count(witness->s, ON_ERROR), 1);
    peer_leaves(witness);
    peer_leaves(other);
    for (int i = 0; i < 3; i++) peer_leaves(greedy[i]);
}

/* Ten addresses with ten connections each, all just below the limit: what is held stays within the budget. */
static void the_budget_bounds_what_a_server_holds(void) {
    enum { BUDGET = 32 * MIB, ADDRESSES = 5, EACH = 5 };
    struct pair_options options = pair_defaults();
    options.on_message = ignored;
    struct pair *witness = budgeted(__LINE__, BUDGET, 16 * MIB, ignored), *p[ADDRESSES * EACH];
    if (!witness) return;
    long before = held_kib();
    for (int i = 0; i < ADDRESSES * EACH; i++) {
        char from[32];
        size_t sent = 0;
        snprintf(from, sizeof from, "127.0.0.%d", 10 + i / EACH);
        p[i] = JOIN(witness, from, &options);
        if (!p[i]) return;
        goes_on(p[i], &sent, 8 * MIB);
    }
    IS_ANSWERED(witness, "after 200 MiB");
    /* What exceeded the budget was dropped, message by message. */
    SERVER_WAIT(witness->s, ON_ERROR, (ADDRESSES * EACH * 8 - 32) / 8 - 2);
    CHECK_HELD("unfinished messages", before, (BUDGET + 32 * MIB) / KIB);
    CHECK(peer_send(witness, TEXT_FRAME, "small", 5));
    WAIT_COUNTER(&witness->messages, 1);
    for (int i = 0; i < ADDRESSES * EACH; i++) peer_leaves(p[i]);
    peer_leaves(witness);
}

/* Of messages that have just begun, the room counts, and not the one byte that has come. */
static void the_memory_that_a_message_was_given_counts(void) {
    enum { BUDGET = MIB, ROOM = 64 * KIB, MANY = 40 };
    struct pair_options options = pair_defaults();
    options.on_message = ignored;
    struct pair *witness = budgeted(__LINE__, BUDGET, BUDGET, ignored), *p[MANY];
    unsigned char begun[FRAME_ROOM + 1] = { 0 };
    if (!witness) return;
    size_t size = peer_head(witness, begun, BINARY_FRAME, BUDGET) + 1;
    for (int i = 0; i < MANY; i++) {
        p[i] = JOIN(witness, i % 2 ? "127.0.0.2" : "127.0.0.3", &options);
        if (!p[i]) return;
        CHECK(raw_write(p[i]->fd, begun, size));
    }
    SERVER_WAIT(witness->s, ON_ERROR, MANY - BUDGET / ROOM);
    for (int i = 0; i < MANY; i++) peer_leaves(p[i]);
    SERVER_WAIT(witness->s, ON_CLOSE, MANY);
    for (size_t i = 1; i <= MANY - BUDGET / ROOM; i++) {
        const struct server_event *error = server_find(witness->s, every_connection, ON_ERROR, i);
        if (error) CHECK_INT(error->detail, NSWS_DETAIL_RECEIVE_BUDGET);
    }
    IS_ANSWERED(witness, "beside them");
    peer_leaves(witness);
}

static void whole_messages_that_wait_only_stop_the_reading(void) {
    enum { BUDGET = 2 * MIB, MANY = 8 };
    struct pair_options options = pair_defaults();
    struct pair *first = budgeted(__LINE__, BUDGET, BUDGET, wait_there), *p[MANY];
    char *data = pattern(100000);
    gate_init(&gate);
    options.on_message = wait_there;
    long sent = 0;
    if (!first) return;
    for (int i = 0; i < MANY; i++) {
        p[i] = JOIN(first, i % 2 ? "127.0.0.2" : "127.0.0.3", &options);
        if (!p[i]) return;
    }
    for (int i = 0; i < MANY; i++) {
        unsigned char *frame = malloc(100000 + FRAME_ROOM);
        size_t size = peer_frame(p[i], frame, BINARY_FRAME, data, 100000);
        sent += (long)(peer_fills(p[i], frame, size, 10 * size) / size);
        free(frame);
    }
    CHECK_INT(server_count(first->s, ON_ERROR), 0);
    CHECK_INT(server_count(first->s, ON_CLOSE), 0);
    gate_open(&gate);
    WAIT_COUNTER(&first->messages, sent);
    CHECK_INT(server_count(first->s, ON_ERROR), 0);
    for (int i = 0; i < MANY; i++) peer_leaves(p[i]);
    peer_leaves(first);
    free(data);
}

/* Small messages: one turn of each connection is delivered, and what was read with it waits for the next turns. */
static void what_was_read_and_has_no_turn_yet_counts(void) {
    enum { BUDGET = MIB, MANY = 40, EACH = 2000 };
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    gate_init(&gate);
    struct pair *first = budgeted(__LINE__, BUDGET, MIB, wait_there), *p[MANY];
    struct batch b = { 0 };
    if (!first) return;
    for (int i = 0; i < MANY; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.0.0.%d", 10 + i / 5);
        p[i] = JOIN(first, from, &options);
        if (!p[i]) return;
    }
    char *data = letters(100);
    for (int i = 0; i < EACH; i++) batch_frame(first, &b, BINARY_FRAME, data, 100);
    for (int i = 0; i < MANY; i++) raw_write(p[i]->fd, b.bytes, b.size);
    /* Until nothing has been read for half a second. */
    long all = MANY * (long)b.size, read = -1;
    long long end = now_us() + guard_seconds() * 1000000LL;
    for (long now = 0; (now != read || read < BUDGET / 2) && now_us() < end; usleep(500000)) {
        read = now;
        now = all;
        for (int i = 0; i < MANY; i++) now -= peer_unread(p[i]);
    }
    CHECK_LEAST(read, BUDGET / 2);
    CHECK_LEAST(BUDGET + BUDGET / 2, read);
    gate_open(&gate);
    WAIT_COUNTER(&first->messages, MANY * EACH);
    CHECK_INT(server_count(first->s, ON_ERROR), 0);
    for (int i = 0; i < MANY; i++) peer_leaves(p[i]);
    peer_leaves(first);
    free(data);
    free(b.bytes);
}

static nsws_connection to_pause;
static struct gate paused;

static void pause_it(struct pair *p, const nsws_message_event *e) {
    (void)e;
    if (p->talking.id != to_pause.id) return;
    CHECK_OK(nsws_connection_pause(p->talking));
    to_pause = (nsws_connection){ 0 };
    gate_open(&paused);
}

/* What was read of it is not delivered until the program says so, so the others don't wait for that. */
static void a_paused_connection_does_not_stop_the_others(void) {
    enum { BUDGET = 2 * MIB };
    struct pair_options options = pair_defaults();
    options.on_message = pause_it;
    gate_init(&paused);
    struct pair *witness = budgeted(__LINE__, BUDGET, BUDGET, pause_it), *others[2];
    struct pair *standing = witness ? JOIN(witness, "127.0.0.2", &options) : NULL;
    struct batch b = { 0 };
    if (!standing) return;
    for (int i = 0; i < 2; i++) {
        others[i] = JOIN(witness, i ? "127.0.0.3" : "127.0.0.4", &options);
        if (!others[i]) return;
    }
    /* More than one turn takes, in one read. */
    to_pause = standing->connection;
    for (int i = 0; i < 300; i++) batch_frame(standing, &b, TEXT_FRAME, "small", 5);
    CHECK(batch_send(standing, &b));
    gate_pass(&paused);
    for (int i = 0; i < 2; i++) CHECK(goes_on(others[i], &(size_t){ 0 }, BUDGET - MIB / 2));
    /* The larger one makes room. */
    const struct server_event *error = SERVER_WAIT(witness->s, ON_ERROR, 1);
    if (error) CHECK_INT(error->detail, NSWS_DETAIL_RECEIVE_BUDGET);
    IS_ANSWERED(witness, "beside a paused one");
    CHECK_OK(nsws_connection_resume(standing->connection));
    WAIT_COUNTER(&witness->messages, 300);
    for (int i = 0; i < 2; i++) peer_leaves(others[i]);
    peer_leaves(standing);
    peer_leaves(witness);
    free(b.bytes);
}

/* The time. */

static struct pair *timed(int line, enum role role, uint32_t timeout, uint32_t ping) {
    struct pair_options options = pair_defaults();
    SET(options, message_timeout_ms, timeout);
    SET(options, ping_interval_ms, ping);
    SET(options, pong_timeout_ms, 0);
    options.on_message = ignored;
    return open_pair_at(__FILE__, line, role, &options);
}

static void a_message_that_stands_still_is_ended(void) {
    BOTH_ROLES(role)
        for (int kind = 0; kind < 3; kind++) {
            struct pair *p = timed(__LINE__, role, 300, 0);
            unsigned char head[FRAME_ROOM];
            if (!p) return;
            switch (kind) {
                case 0: /* after a fragment */
                    CHECK(peer_send(p, TEXT_FRAME & ~FIN, "begins", 6));
                    break;
                case 1: /* an empty one */
                    CHECK(peer_send(p, BINARY_FRAME & ~FIN, "", 0));
                    break;
                case 2: /* within a frame */
                    CHECK(raw_write(p->fd, head, peer_head(p, head, BINARY_FRAME, 1000)) && raw_write(p->fd, "some", 4));
                    break;
            }
            is_ended(__LINE__, p, 1008, NSWS_DETAIL_MESSAGE_TIMEOUT);
        }
}

/* The heartbeat is the clock: three of its pings take as long as may pass without a byte of the message. */
static void control_frames_do_not_keep_a_message_alive(void) {
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, 300, 100);
        struct frame frame = { 0 };
        int pings = 0;
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME & ~FIN, "begins", 6));
        struct pollfd next = { p->fd, POLLIN, 0 };
        while (pings < 10 && peer_send(p, PING_FRAME, "still here", 10) && peer_receive(p, &frame) && frame.first != CLOSE_FRAME) {
            pings += frame.first == PING_FRAME;
            poll(&next, 1, 20);
        }
        if (!CHECK_INT(frame.first, CLOSE_FRAME)) return;
        CHECK_INT(frame.data[0] << 8 | frame.data[1], 1008);
        peer_leaves(p);
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_MESSAGE_TIMEOUT);
    }
}

static void a_message_that_trickles_is_ended_after_ten_times(void) {
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, 200, 0);
        if (!p) return;
        CHECK(peer_send(p, BINARY_FRAME & ~FIN, "begins", 6));
        struct pollfd answer = { p->fd, POLLIN, 0 };
        while (peer_send(p, CONTINUATION_FRAME & ~FIN, "x", 1) && poll(&answer, 1, 30) == 0) {
        }
        is_ended(__LINE__, p, 1008, NSWS_DETAIL_MESSAGE_TIMEOUT);
    }
}

static void a_message_that_comes_steadily_may_take_its_time(void) {
    static char data[16 * KIB];
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, 1000 * (uint32_t)slowness(), 200);
        struct frame frame;
        if (!p) return;
        CHECK(peer_send(p, BINARY_FRAME & ~FIN, "begins", 6));
        /* The heartbeat is the clock: ten pings take twice as long as may pass without a byte. */
        for (int i = 0; i < 10; i++) {
            if (!CHECK(peer_send(p, CONTINUATION_FRAME & ~FIN, data, sizeof data))) return;
            CHECK(peer_receive_kind(p, PING_FRAME, &frame));
        }
        CHECK(finishes(p));
        WAIT_COUNTER(&p->messages, 1);
        CHECK_INT(PAIR_ERRORS(p), 0);
        peer_leaves(p);
    }
}

/* Each write ends in the middle of a message. 65 pings take more than ten times as long as a message may pause. If this program
 * itself pauses for so long, on a busy machine, that says nothing: the try is made again. */
static void messages_that_end_in_time_may_come_without_end(void) {
    enum { LENGTH = 200, HALF = 100, PINGS = 65, PAUSE = 300, TRIES = 20 };
    int tries = 0;
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, PAUSE, 50);
        unsigned char frames[2 * (LENGTH + FRAME_ROOM)];
        struct frame frame;
        if (!p) return;
        char *data = pattern(LENGTH);
        size_t size = peer_frame(p, frames, BINARY_FRAME, data, LENGTH);
        memcpy(frames + size, frames, size);
        free(data);
        long long written = now_us(), longest = 0;
        int goes_on = raw_write(p->fd, frames, HALF);
        for (int i = 1; goes_on && i <= PINGS + 1; i++) {
            goes_on = i > PINGS || peer_receive_kind(p, PING_FRAME, &frame);
            goes_on = goes_on && raw_write(p->fd, frames + HALF, i > PINGS ? size - HALF : size);
            long long now = now_us();
            if (now - written > longest) longest = now - written;
            written = now;
        }
        if (longest > PAUSE * 500 && ++tries < TRIES) {
            peer_leaves(p);
            role--;
            continue;
        }
        CHECK(goes_on);
        WAIT_COUNTER(&p->messages, PINGS + 1);
        CHECK_INT(PAIR_ERRORS(p), 0);
        peer_leaves(p);
    }
}

static void between_messages_no_time_runs(void) {
    BOTH_ROLES(role) {
        /* The heartbeat is the clock: six pings take three times the timeout. */
        struct pair *p = timed(__LINE__, role, 200, 100);
        struct frame frame;
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME, "whole", 5));
        for (int i = 0; i < 6; i++) CHECK(peer_receive_kind(p, PING_FRAME, &frame));
        CHECK_INT(PAIR_ERRORS(p), 0);
        CHECK(peer_send(p, TEXT_FRAME, "whole", 5));
        WAIT_COUNTER(&p->messages, 2);
        peer_leaves(p);
    }
}

static void while_this_side_does_not_read_no_time_runs(void) {
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, 1000, 300);
        struct frame frame;
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME & ~FIN, "begins", 6));
        BECOMES(peer_unread(p), 0);
        CHECK_OK(pair_pause(p));
        for (int i = 0; i < 9; i++) CHECK(peer_receive_kind(p, PING_FRAME, &frame));
        CHECK_INT(PAIR_ERRORS(p), 0);
        CHECK(finishes(p));
        CHECK_OK(pair_resume(p));
        WAIT_COUNTER(&p->messages, 1);
        CHECK_INT(PAIR_ERRORS(p), 0);
        peer_leaves(p);
    }
}

static void without_a_timeout_a_message_may_stand_still(void) {
    BOTH_ROLES(role) {
        struct pair *p = timed(__LINE__, role, 0, 100);
        struct frame frame;
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME & ~FIN, "begins", 6));
        for (int i = 0; i < 8; i++) CHECK(peer_receive_kind(p, PING_FRAME, &frame));
        CHECK_INT(PAIR_ERRORS(p), 0);
        CHECK(finishes(p));
        WAIT_COUNTER(&p->messages, 1);
        peer_leaves(p);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(the_options_have_their_defaults);
    RUN(the_address_that_holds_most_loses_its_largest_message);
    RUN(the_budget_bounds_what_a_server_holds);
    RUN(the_memory_that_a_message_was_given_counts);
    RUN(whole_messages_that_wait_only_stop_the_reading);
    RUN(what_was_read_and_has_no_turn_yet_counts);
    RUN(a_paused_connection_does_not_stop_the_others);
    RUN(a_message_that_stands_still_is_ended);
    RUN(control_frames_do_not_keep_a_message_alive);
    if (slowness() == 1) RUN(a_message_that_trickles_is_ended_after_ten_times);
    RUN(a_message_that_comes_steadily_may_take_its_time);
    if (slowness() == 1) RUN(messages_that_end_in_time_may_come_without_end);
    RUN(between_messages_no_time_runs);
    RUN(while_this_side_does_not_read_no_time_runs);
    RUN(without_a_timeout_a_message_may_stand_still);
    return end_tests();
}
