/* Each ping is answered, whatever surrounds it (RFC 6455 5.5.2), in both roles, over ws and wss. */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* Lengths around where a buffer may end, and beyond what one holds. */
static const size_t sizes[] = { 0, 1, 125, 126, 4096, 65521, 65535, 65536, 65537, 70000, 256 * KIB, 262145, MIB, 3 * MIB + 7 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static void ignored(struct pair *p, const nsws_message_event *e) { (void)p, (void)e; }

static struct pair *open_at(int line, enum role role, int wss) {
    struct pair_options options = pair_defaults();
    options.wss = wss;
    options.on_message = ignored;
    return open_pair_at(__FILE__, line, role, &options);
}

/* Checks for the pongs of these pings, in this order, and no others. */
static int pongs_come(int line, struct pair *p, const char *what, size_t size, const char *const *payloads, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct frame frame;
        if (!peer_receive(p, &frame))
            return harness_fail(__FILE__, line, "%s %s, %ld bytes: the ping \"%s\" is not answered", role_names[p->role], what,
                                (long)size, payloads[i]);
        if (frame.first != PONG_FRAME || frame.length != strlen(payloads[i]) || memcmp(frame.data, payloads[i], frame.length) != 0)
            return harness_fail(__FILE__, line, "%s %s, %ld bytes: instead of the pong \"%s\" there is %02x \"%.*s\"",
                                role_names[p->role], what, (long)size, payloads[i], (unsigned)frame.first, (int)frame.length, frame.data);
    }
    return 1;
}

/* Both parts as frames of one message; a ping where the letter is: before, inside, behind. */
static void layout(struct pair *p, struct batch *b, const char *pings, const char *data, size_t size) {
    if (strchr(pings, 'b')) batch_frame(p, b, PING_FRAME, "before", 6);
    if (strchr(pings, 'i')) {
        size_t first = size - size / 3;
        batch_frame(p, b, BINARY_FRAME & ~FIN, data, first);
        batch_frame(p, b, PING_FRAME, "inside", 6);
        batch_frame(p, b, CONTINUATION_FRAME, data + first, size - first);
    } else {
        batch_frame(p, b, BINARY_FRAME, data, size);
    }
    if (strchr(pings, 'a')) batch_frame(p, b, PING_FRAME, "after", 5);
}

static int answers_at(int line, struct pair *p, const char *pings, size_t size) {
    const char *payloads[3];
    size_t count = 0;
    if (strchr(pings, 'b')) payloads[count++] = "before";
    if (strchr(pings, 'i')) payloads[count++] = "inside";
    if (strchr(pings, 'a')) payloads[count++] = "after";
    return pongs_come(line, p, pings, size, payloads, count);
}

static void surrounded(enum role role, int wss) {
    static const char *const places[] = { "b", "i", "a", "bia" };
    char *data = pattern(sizes[SIZES - 1]);
    for (size_t place = 0; place < 4; place++) {
        for (size_t i = 0; i < SIZES; i++) {
            /* A connection of its own: the first large message is another case than the second. */
            struct batch b = { 0 };
            struct pair *p = open_at(__LINE__, role, wss);
            if (!p) return;
            layout(p, &b, places[place], data, sizes[i]);
            if (!CHECK(batch_send(p, &b)) || !answers_at(__LINE__, p, places[place], sizes[i]) || !IS_ANSWERED(p, "and now")) return;
            layout(p, &b, places[place], data, sizes[i]);
            if (!CHECK(batch_send(p, &b)) || !answers_at(__LINE__, p, places[place], sizes[i])) return;
            free(b.bytes);
            peer_leaves(p);
            if (wss) end_others();
        }
    }
    free(data);
}

static void a_ping_is_answered_wherever_it_is(void) {
    BOTH_ROLES(role) surrounded(role, 0);
}

static void a_ping_is_answered_wherever_it_is_over_tls(void) {
    static const size_t some[] = { 125, 65536, 70000, MIB };
    char *data = pattern(MIB);
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 1);
        struct batch b = { 0 };
        for (size_t i = 0; p && i < 4; i++) {
            layout(p, &b, "bia", data, some[i]);
            if (!CHECK(batch_send(p, &b)) || !answers_at(__LINE__, p, "bia", some[i])) break;
        }
        free(b.bytes);
    }
    free(data);
}

/* The bytes of a large message and of the pings around it, cut where a read may end. */
static void a_ping_is_answered_wherever_the_reads_end(void) {
    static const size_t cuts[] = { 1, 2, 5, 9, 13, 4096, 65535, 65536, 65537, 69990 };
    char *data = pattern(70000);
    BOTH_ROLES(role) {
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
            for (int from_the_end = 0; from_the_end < 2; from_the_end++) {
                struct batch b = { 0 };
                struct pair *p = open_at(__LINE__, role, 0);
                if (!p) return;
                layout(p, &b, "ia", data, 70000);
                size_t cut = from_the_end ? b.size - cuts[i] : cuts[i];
                CHECK(raw_write(p->fd, b.bytes, cut));
                /* What was written has been read: what follows is another read. */
                BECOMES(peer_unread(p), 0);
                CHECK(raw_write(p->fd, b.bytes + cut, b.size - cut));
                free(b.bytes);
                if (!answers_at(__LINE__, p, "ia", 70000)) return;
                peer_leaves(p);
            }
        }
    }
    free(data);
}

static void many_pings_in_one_segment_are_all_answered(void) {
    enum { PINGS = 900 };
    struct frame frame;
    BOTH_ROLES(role) {
        for (int after = 0; after < 3; after++) {
            struct pair *p = open_at(__LINE__, role, 0);
            if (!p) return;
            struct batch b = { 0 };
            char *data = pattern(MIB);
            if (after > 0) batch_frame(p, &b, BINARY_FRAME, data, after == 1 ? 70000 : MIB);
            for (int i = 0; i < PINGS; i++) {
                char payload[8];
                batch_frame(p, &b, PING_FRAME, payload, (size_t)snprintf(payload, sizeof payload, "%d", i));
            }
            CHECK(batch_send(p, &b));
            free(b.bytes);
            free(data);
            for (int i = 0; i < PINGS; i++) {
                if (!CHECK(peer_receive(p, &frame)) || !CHECK_INT(frame.first, PONG_FRAME)) return;
                frame.data[frame.length] = 0;
                if (!CHECK_INT(atoi((char *)frame.data), i)) return;
            }
            peer_leaves(p);
        }
    }
}

static void a_pong_carries_the_payload_of_its_ping(void) {
    char *data = pattern(125);
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 0);
        struct frame frame;
        for (size_t length = 0; p && length <= 125; length++) {
            CHECK(peer_send(p, PING_FRAME, data, length));
            if (!CHECK(peer_receive(p, &frame)) || !CHECK_INT(frame.first, PONG_FRAME) || !CHECK_INT(frame.length, length) ||
                !CHECK(memcmp(frame.data, data, length) == 0))
                break;
        }
    }
    free(data);
}

/* A peer that reads nothing: the pongs that can't be written don't pile up, and the last one is there. */
static void of_pongs_that_cannot_be_written_the_last_is_kept(void) {
    enum { PINGS = 200000 };
    int pings = PINGS / slowness();
    BOTH_ROLES(role) {
        raw_room = 4096;
        struct pair *p = open_at(__LINE__, role, 0);
        raw_room = 0;
        if (!p) return;
        struct batch b = { 0 };
        long before = held_kib();
        for (int i = 1; i <= pings; i++) {
            char payload[126];
            memset(payload, ' ', 125);
            snprintf(payload, sizeof payload, "%d", i);
            payload[strlen(payload)] = ' ';
            batch_frame(p, &b, PING_FRAME, payload, 125);
            if ((i % 1000 == 0 || i == pings) && !CHECK(batch_send(p, &b))) return;
        }
        free(b.bytes);
        CHECK_HELD("pongs", before, 4 * KIB);
        struct frame frame;
        int last = 0, pongs = 0;
        while (last < pings) {
            if (!peer_receive(p, &frame)) {
                harness_fail(__FILE__, __LINE__, "a %s: after pong %d of %d none comes", role_names[role], last, pings);
                break;
            }
            if (!CHECK_INT(frame.first, PONG_FRAME)) return;
            frame.data[125] = 0;
            int number = atoi((char *)frame.data);
            if (!CHECK_LEAST(number, last + 1)) return;
            last = number;
            pongs++;
        }
        if (slowness() == 1) CHECK_MOST(pongs, pings - 1);
        IS_ANSWERED(p, "and now");
        peer_leaves(p);
    }
}

/* The pong goes behind the frame that is being written, and not behind all that waits. */
static void a_pong_passes_a_large_message_that_is_being_sent(void) {
    enum { LENGTH = 32 * MIB };
    char *data = pattern(LENGTH);
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        SET(options, max_send_size, LENGTH);
        SET(options, send_queue_size, 2 * LENGTH);
        SET(options, ping_interval_ms, 0);
        struct pair *p = OPEN_PAIR(role, &options);
        struct frame frame = { 0 };
        size_t before = 0;
        if (!p) break;
        CHECK_OK(pair_send(p, data, LENGTH, 0));
        CHECK(peer_send(p, PING_FRAME, "first", 5));
        BECOMES(peer_unread(p), 0);
        CHECK(peer_send(p, PING_FRAME, "second", 6));
        BECOMES(peer_unread(p), 0);
        do {
            if (!CHECK(peer_receive(p, &frame))) break;
            if (frame.first != PONG_FRAME) before += frame.length;
        } while (before < LENGTH && (frame.first != PONG_FRAME || frame.length != 6));
        if (CHECK_INT(frame.first, PONG_FRAME)) CHECK(memcmp(frame.data, "second", 6) == 0);
        /* What the system holds has gone already. */
        CHECK_MOST(before, LENGTH / 2);
        pair_ends(p);
    }
    free(data);
}

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

/* A ping doesn't depend on what the listener does. */
static void pings_are_answered_while_the_listener_blocks(void) {
    char *data = pattern(70000);
    BOTH_ROLES(role) {
        gate_init(&gate);
        struct pair_options options = pair_defaults();
        options.on_message = wait_there;
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME, "first", 5));
        WAIT_WAITING(&gate, 1);
        CHECK(IS_ANSWERED(p, "alone"));
        /* With messages that have to wait. */
        struct batch b = { 0 };
        for (int i = 0; i < 3; i++) layout(p, &b, "ia", data, 70000);
        CHECK(batch_send(p, &b));
        for (int i = 0; i < 3; i++) answers_at(__LINE__, p, "ia", 70000);
        free(b.bytes);
        gate_open(&gate);
        WAIT_COUNTER(&p->messages, 4);
        pair_ends(p);
    }
    free(data);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(a_ping_is_answered_wherever_it_is);
    RUN(a_ping_is_answered_wherever_it_is_over_tls);
    RUN(a_ping_is_answered_wherever_the_reads_end);
    RUN(many_pings_in_one_segment_are_all_answered);
    RUN(a_pong_carries_the_payload_of_its_ping);
    RUN(of_pongs_that_cannot_be_written_the_last_is_kept);
    RUN(a_pong_passes_a_large_message_that_is_being_sent);
    RUN(pings_are_answered_while_the_listener_blocks);
    return end_tests();
}
