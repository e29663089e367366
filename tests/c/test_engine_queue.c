/* What waits to be sent is counted as it is held: each item costs its frame's bytes plus 64. */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024, ITEM = 64 };

/* The cost of a message that is one frame. */
static size_t cost(enum role role, size_t length) {
    return (length < 126 ? 2 : length < 65536 ? 4 : 10) + (role == AS_CLIENT ? 4 : 0) + length + ITEM;
}

/* The queue's bytes once they no longer change: the system takes no more. */
static size_t settled(struct pair *p) {
    size_t queued = pair_figures(p).queued_bytes;
    for (int same = 0; same < 200; same++) {
        size_t now = pair_figures(p).queued_bytes;
        if (now != queued) same = 0;
        queued = now;
        usleep(100);
    }
    return queued;
}

/* A connection whose peer reads nothing, and whose system takes no more. */
static struct pair *stalled(int line, enum role role, size_t queue, size_t first) {
    struct pair_options options = pair_defaults();
    SET(options, send_queue_size, queue);
    SET(options, max_send_size, 64 * MIB);
    raw_room = 4096;
    struct pair *p = open_pair_at(__FILE__, line, role, &options);
    raw_room = 0;
    if (!p) return NULL;
    char *data = pattern(first);
    check_code(__FILE__, line, "send", pair_send(p, data, first, 0), NSWS_OK);
    free(data);
    if (settled(p) > 0) return p;
    harness_fail(__FILE__, line, "the system takes all %ld bytes", (long)first);
    return NULL;
}

static void each_queued_item_costs_its_frame_and_64_bytes(void) {
    static const size_t lengths[] = { 0, 1, 125, 126, 1000, 1024, 1025, 4096, 65535 };
    char *data = letters(65535);
    BOTH_ROLES(role) {
        struct pair *p = stalled(__LINE__, role, 1024 * MIB, 16 * MIB);
        if (!p) return;
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int is_text = 0; is_text < 2; is_text++)
                for (int count = 1; count <= 100; count *= 10) {
                    size_t before = settled(p);
                    for (int j = 0; j < count; j++) CHECK_OK(pair_send(p, data, lengths[i], is_text));
                    size_t more = settled(p) - before, expected = cost(role, lengths[i]) * (size_t)count;
                    /* A message may go out in several frames, each with a head, but not in more than needed. */
                    if (lengths[i] < 16 * KIB ? more == expected : more >= expected && more < expected + expected / 100) continue;
                    harness_fail(__FILE__, __LINE__, "a %s queues %d messages of %ld bytes: %ld bytes more, not %ld", role_names[role],
                                 count, (long)lengths[i], (long)more, (long)expected);
                    count = 100;
                }
        peer_leaves(p);
    }
    free(data);
}

static void the_program_s_own_pings_cost_as_much(void) {
    char *data = letters(125);
    struct pair *p = stalled(__LINE__, AS_CLIENT, 1024 * MIB, 16 * MIB);
    if (!p) return;
    for (size_t length = 0; length <= 125; length += 25) {
        size_t before = settled(p);
        for (int i = 0; i < 10; i++) CHECK_OK(nsws_client_ping(p->r->client, data, length));
        CHECK_INT(settled(p) - before, 10 * cost(AS_CLIENT, length));
    }
    free(data);
    peer_leaves(p);
}

static void what_is_corked_costs_the_same(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        if (!p) return;
        CHECK_INT(pair_figures(p).queued_bytes, 0);
        CHECK_OK(pair_cork(p));
        for (int i = 0; i < 10; i++) CHECK_OK(pair_send(p, NULL, 0, 0));
        CHECK_INT(pair_figures(p).queued_bytes, 10 * cost(role, 0));
        CHECK_OK(pair_send(p, "hello", 5, 1));
        CHECK_INT(pair_figures(p).queued_bytes, 10 * cost(role, 0) + cost(role, 5));
        CHECK_OK(pair_uncork(p));
        BECOMES(pair_figures(p).queued_bytes, 0);
        peer_leaves(p);
    }
}

/* Items of one kind fill a queue of some size behind a message that is stuck: it is full when it has reached its size. */
static void fills(int line, enum role role, size_t length, int pings) {
    enum { FIRST = 16 * MIB };
    const size_t queue = FIRST + (slowness() > 1 ? 1 : 4) * MIB;
    char *data = letters(length);
    struct pair *p = stalled(line, role, queue, FIRST);
    if (!p) return;
    size_t before = settled(p), item = cost(role, length), accepted = 0, most = (queue - before) / item + 1;
    int32_t code;
    for (;;) {
        code = pings ? nsws_client_ping(p->r->client, data, length) : pair_send(p, data, length, 0);
        if (code != NSWS_OK) break;
        if (++accepted > most) break;
    }
    free(data);
    size_t queued = settled(p);
    if (code != NSWS_ERR_QUEUE_FULL || accepted + 1 < most) {
        harness_fail(__FILE__, line, "a %s accepts %ld%s items of %ld bytes, not %ld; %ld bytes are queued", role_names[role], (long)accepted,
                     accepted > most ? " and more" : "", (long)length, (long)most, (long)queued);
        return peer_leaves(p);
    }
    CHECK_INT(queued - before, accepted * item);
    CHECK_LEAST(queued, queue - item);
    CHECK_MOST(queued, queue + item);
    /* No drain event yet; when the peer reads, there is room, and everything arrives. */
    CHECK_INT(pair_count(p, DRAIN, ON_DRAIN), 0);
    struct frame frame;
    size_t bytes = 0, items = 0;
    while (bytes < FIRST || items < accepted) {
        if (!CHECK(peer_receive(p, &frame))) return;
        if (bytes < FIRST) bytes += frame.length;
        else items += frame.length == length && frame.first == (pings ? PING_FRAME : BINARY_FRAME);
    }
    struct told drain = PAIR_DRAIN(p, 1);
    if (drain.came) {
        size_t at = role == AS_CLIENT ? find_event(p->r, DRAIN, 1)->queued_bytes : server_find(p->s, p->connection, ON_DRAIN, 1)->queued_bytes;
        CHECK_MOST(at, queue / 2);
    }
    BECOMES(pair_figures(p).queued_bytes, 0);
    CHECK_OK(pair_send(p, "again", 5, 1));
    if (CHECK(peer_receive(p, &frame))) CHECK_INT(frame.length, 5);
    peer_leaves(p);
}

static void empty_messages_fill_the_queue(void) {
    BOTH_ROLES(role) fills(__LINE__, role, 0, 0);
}

static void small_messages_fill_the_queue(void) {
    BOTH_ROLES(role) {
        fills(__LINE__, role, 1, 0);
        fills(__LINE__, role, 130, 0);
    }
}

static void large_messages_fill_the_queue(void) {
    BOTH_ROLES(role) fills(__LINE__, role, 10000, 0);
}

static void the_program_s_own_pings_fill_the_queue(void) {
    fills(__LINE__, AS_CLIENT, 0, 1);
    fills(__LINE__, AS_CLIENT, 125, 1);
}

static struct counter refused;

static void echo(struct pair *p, const nsws_message_event *e) {
    int32_t code = pair_send(p, e->data, e->length, e->is_text);
    if (code == NSWS_ERR_QUEUE_FULL) counter_add(&refused, 1);
    else CHECK_OK(code);
}

/* A peer that sends and doesn't read: what is held as answers is bounded, whatever their size. */
static void echoes_to_a_peer_that_reads_nothing_are_bounded(void) {
    enum { QUEUE = 256 * KIB };
    /* A slow run skips the last two: it takes a million of them to fill the system's buffers. */
    static const size_t lengths[] = { 1000, 20, 1, 0 };
    const size_t count = slowness() > 1 ? 2 : sizeof lengths / sizeof *lengths;
    char *data = letters(1000);
    BOTH_ROLES(role)
        for (size_t i = 0; i < count; i++) {
            struct pair_options options = pair_defaults();
            SET(options, send_queue_size, QUEUE);
            options.on_message = echo;
            counter_init(&refused);
            raw_room = 4096;
            struct pair *p = OPEN_PAIR(role, &options);
            raw_room = 0;
            if (!p) return;
            struct batch b = { 0 };
            long before = held_kib(), sent = 0;
            size_t round = (slowness() > 1 ? 32 : 256) * KIB;
            while (b.size < round) batch_frame(p, &b, BINARY_FRAME, data, lengths[i]), sent++;
            size_t size = b.size;
            /* Enough for the system's buffers and the queue, ten times over. */
            int rounds = 0;
            for (size_t all = 0; all < 64 * MIB && counter_value(&refused) < 1000; all += size, rounds++) {
                if (!CHECK(raw_write(p->fd, b.bytes, size))) return;
                CHECK_MOST(pair_figures(p).queued_bytes, QUEUE + cost(role, lengths[i]));
            }
            free(b.bytes);
            WAIT_COUNTER(&p->messages, sent * rounds);
            CHECK_LEAST(counter_value(&refused), 1000);
            CHECK_HELD("echoes", before, 12 * KIB);
            peer_leaves(p);
        }
    free(data);
}

/* A broadcast is copied once, but counts in the queue of each connection. */
static void a_broadcast_costs_each_connection(void) {
    struct pair *p = stalled(__LINE__, AS_SERVER, 1024 * MIB, 16 * MIB);
    if (!p) return;
    size_t before = settled(p), accepted = 0;
    for (int i = 0; i < 100; i++) CHECK_OK(nsws_server_broadcast(p->s->handle, "hello", 5, 1, &accepted));
    CHECK_INT(accepted, 1);
    CHECK_INT(settled(p) - before, 100 * cost(AS_SERVER, 5));
    for (int i = 0; i < 100; i++) CHECK_OK(nsws_server_broadcast(p->s->handle, NULL, 0, 0, &accepted));
    CHECK_INT(settled(p) - before, 100 * (cost(AS_SERVER, 5) + cost(AS_SERVER, 0)));
    peer_leaves(p);
}

/* What the figures say in the close event. */
static struct figures at_the_end;

static void client_ends(struct recorder *r, const struct event *event) {
    if (event->kind == CLOSE) at_the_end = pair_figures(r->hook_data);
}

static void server_ends(struct server *s, const struct server_event *event) {
    if (event->kind == ON_CLOSE) at_the_end = pair_figures(s->hook_data);
}

static void what_waits_when_the_peer_closes_is_not_sent_and_the_figures_tell(void) {
    BOTH_ROLES(role) {
        struct pair *p = stalled(__LINE__, role, 1024 * MIB, 16 * MIB);
        if (!p) return;
        for (int i = 0; i < 3; i++) CHECK_OK(pair_send(p, "waits", 5, 1));
        size_t before = settled(p);
        CHECK_LEAST(before, 16 * MIB);
        memset(&at_the_end, 0, sizeof at_the_end);
        if (role == AS_CLIENT) p->r->hook_data = p, p->r->hook = client_ends;
        else p->s->hook_data = p, p->s->hook = server_ends;
        CHECK(peer_closes(p, 4000, "enough"));
        /* The fragment that has begun comes before the answer, which cuts the message off. */
        CHECK_INT(peer_close_code(p), 4000);
        shutdown(p->fd, SHUT_WR);
        struct told close = PAIR_CLOSE(p);
        if (close.came) CHECK(close.code == 4000 && close.was_clean);
        CHECK_INT(PAIR_ERRORS(p), 0);
        CHECK_INT(at_the_end.messages_sent, 0);
        CHECK_INT(at_the_end.queued_bytes, before);
        if (role == AS_CLIENT) CHECK_INT(pair_figures(p).queued_bytes, before);
        peer_leaves(p);
    }
}

/* Answers each message with the same. */
static void answer(struct pair *p, const nsws_message_event *e) { pair_send(p, e->data, e->length, e->is_text); }

/* How many of 300 messages are answered that arrive together with the end behind them; -1 when the answers are out of order. */
static int answered_before(enum role role, int end) {
    enum { BURST = 300, QUIET = 40 };
    struct pair_options options = pair_defaults();
    struct batch burst = { 0 };
    struct frame frame;
    unsigned char number[2];
    int answered = 0;
    options.on_message = answer;
    struct pair *p = OPEN_PAIR(role, &options);
    if (!p) return -1;
    /* Callbacks that have been quick so far may hold the lead. */
    for (int i = 0; i < QUIET; i++) CHECK(peer_send(p, BINARY_FRAME, "quick", 5) && peer_receive(p, &frame));
    for (int i = 0; i < BURST; i++) {
        number[0] = (unsigned char)(i >> 8), number[1] = (unsigned char)i;
        batch_frame(p, &burst, BINARY_FRAME, number, sizeof number);
    }
    batch_frame(p, &burst, end, end == CLOSE_FRAME ? "\x03\xe8" : "??", 2);
    CHECK(batch_send(p, &burst));
    while (answered >= 0 && peer_receive(p, &frame) && frame.first == BINARY_FRAME) {
        int is_next = frame.length == 2 && (frame.data[0] << 8 | frame.data[1]) == answered;
        answered = is_next ? answered + 1 : -1;
    }
    free(burst.bytes);
    peer_leaves(p);
    return answered;
}

/* Of what is read at once, a turn takes 128 messages, and what it sends may wait for the turns that follow; but not beyond a
 * goodbye or a fault, after which nothing is sent. When the scheduler takes the processor from the leading thread, another
 * one reads everything before a listener is called, and nothing can be answered any more: that is tried again. */
static void what_a_turn_has_sent_goes_out_before_the_end_that_is_behind_it(void) {
    enum { TWO_TURNS = 256, TRIES = 50, RESERVED_FRAME = FIN | 3 };
    static const int ends[] = { CLOSE_FRAME, RESERVED_FRAME };
    BOTH_ROLES(role)
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int answered = 0;
        for (int tries = 0; tries < TRIES && answered >= 0 && answered < TWO_TURNS; tries++)
            answered = answered_before(role, ends[i]);
        CHECK(answered >= TWO_TURNS);
    }
}

/* The same, and corks in the second turn, unless that is so late that the peer has given up. */
static void answer_and_cork(struct pair *p, const nsws_message_event *e) {
    answer(p, e);
    if (e->length != 2 || ((const unsigned char *)e->data)[1] != 200) return;
    int32_t code = pair_cork(p);
    if (code != NSWS_ERR_NOT_CONNECTED) CHECK_OK(code);
}

static void a_cork_holds_back_nothing_of_an_earlier_turn(void) {
    enum { BURST = 250, TURN = 128, QUIET = 40, TRIES = 50 };
    BOTH_ROLES(role) {
        int answered = 0;
        for (int tries = 0; tries < TRIES && answered < TURN; tries++) {
            struct pair_options options = pair_defaults();
            struct batch burst = { 0 };
            struct frame frame;
            unsigned char number[2] = { 0 };
            options.on_message = answer_and_cork;
            struct pair *p = OPEN_PAIR(role, &options);
            if (!p) return;
            for (int i = 0; i < QUIET; i++) CHECK(peer_send(p, BINARY_FRAME, "quick", 5) && peer_receive(p, &frame));
            for (int i = 0; i < BURST; i++) {
                number[1] = (unsigned char)i;
                batch_frame(p, &burst, BINARY_FRAME, number, sizeof number);
            }
            CHECK(batch_send(p, &burst));
            struct pollfd ready = { p->fd, POLLIN, 0 };
            answered = 0;
            while (answered < TURN && (p->from < p->to || poll(&ready, 1, 2000) == 1) && peer_receive(p, &frame)) answered++;
            free(burst.bytes);
            peer_leaves(p);
        }
        CHECK(answered >= TURN);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(each_queued_item_costs_its_frame_and_64_bytes);
    RUN(the_program_s_own_pings_cost_as_much);
    RUN(what_is_corked_costs_the_same);
    RUN(empty_messages_fill_the_queue);
    RUN(small_messages_fill_the_queue);
    RUN(large_messages_fill_the_queue);
    RUN(the_program_s_own_pings_fill_the_queue);
    RUN(echoes_to_a_peer_that_reads_nothing_are_bounded);
    RUN(a_broadcast_costs_each_connection);
    RUN(what_waits_when_the_peer_closes_is_not_sent_and_the_figures_tell);
    RUN(what_a_turn_has_sent_goes_out_before_the_end_that_is_behind_it);
    RUN(a_cork_holds_back_nothing_of_an_earlier_turn);
    return end_tests();
}
