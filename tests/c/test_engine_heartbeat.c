/* The heartbeat: a ping each interval, whatever arrives; any byte after it proves life; no deadline while this side doesn't read. */
#include "pair.h"

enum { KIB = 1024 };

static struct pair *open_at(int line, enum role role, uint32_t interval, uint32_t timeout, int wss) {
    struct pair_options options = pair_defaults();
    SET(options, ping_interval_ms, interval);
    SET(options, pong_timeout_ms, timeout);
    options.wss = wss;
    return open_pair_at(__FILE__, line, role, &options);
}

/* A thread that writes something again and again until it is stopped. */
struct pusher {
    struct pair *p;
    const void *bytes;
    size_t length;
    useconds_t pause;
    int stop;
    pthread_t thread;
};

static void *push(void *data) {
    struct pusher *pusher = data;
    while (!__atomic_load_n(&pusher->stop, __ATOMIC_SEQ_CST) && raw_write(pusher->p->fd, pusher->bytes, pusher->length))
        usleep(pusher->pause);
    return NULL;
}

static void start_pushing(struct pusher *pusher) {
    pusher->stop = 0;
    pthread_create(&pusher->thread, NULL, push, pusher);
}

static void stop_pushing(struct pusher *pusher) {
    __atomic_store_n(&pusher->stop, 1, __ATOMIC_SEQ_CST);
    pthread_join(pusher->thread, NULL);
}

/* Waits for this many pings, and answers them or not. */
static int pings_come(int line, struct pair *p, int count, int answered) {
    for (int i = 1; i <= count; i++) {
        struct frame frame;
        if (!peer_receive_kind(p, PING_FRAME, &frame))
            return harness_fail(__FILE__, line, "the %s's ping no. %d does not come", role_names[p->role], i);
        if (answered && !CHECK(peer_send(p, PONG_FRAME, frame.data, frame.length))) return 0;
    }
    return 1;
}

static void is_alive(int line, struct pair *p) {
    check_int(__FILE__, line, "errors", (long long)PAIR_ERRORS(p), 0);
    check_int(__FILE__, line, "closes", (long long)PAIR_CLOSES(p), 0);
}

static void a_ping_goes_out_each_interval_whatever_arrives(void) {
    BOTH_ROLES(role)
        for (int kind = 0; kind < 5; kind++) {
            unsigned char bytes[256];
            struct pair *p = open_at(__LINE__, role, 100, 0, kind == 4);
            if (!p) return;
            struct pusher pusher = { .p = p, .bytes = bytes, .pause = 30000 };
            switch (kind) {
                case 0: /* messages */
                case 4:
                    pusher.length = peer_frame(p, bytes, TEXT_FRAME, "quote", 5);
                    break;
                case 1: /* pings */
                    pusher.length = peer_frame(p, bytes, PING_FRAME, "mine", 4);
                    break;
                case 2: /* unsolicited pongs */
                    pusher.length = peer_frame(p, bytes, PONG_FRAME, "", 0);
                    break;
                case 3: /* fragments of a message that never ends */
                    peer_send(p, BINARY_FRAME & ~FIN, "begin", 5);
                    pusher.length = peer_frame(p, bytes, CONTINUATION_FRAME & ~FIN, "more", 4);
                    break;
            }
            start_pushing(&pusher);
            int came = pings_come(__LINE__, p, 5, 1);
            stop_pushing(&pusher);
            if (!came) return;
            is_alive(__LINE__, p);
            peer_leaves(p);
        }
}

/* Sending doesn't replace a ping, either. */
static void a_ping_goes_out_each_interval_whatever_is_sent(void) {
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 100, 0, 0);
        if (!p) return;
        struct frame frame;
        struct pollfd next = { p->fd, POLLIN, 0 };
        for (int pings = 0; pings < 5;) {
            CHECK_OK(pair_send(p, "busy", 4, 1));
            do if (!CHECK(peer_receive(p, &frame))) return;
            while (frame.first == PING_FRAME && ++pings && CHECK(peer_send(p, PONG_FRAME, frame.data, frame.length)));
            poll(&next, 1, 20);
        }
        is_alive(__LINE__, p);
        peer_leaves(p);
    }
}

/* The queue is never empty, and the socket takes no more than the peer reads. */
static void a_ping_goes_out_each_interval_however_much_waits_to_be_sent(void) {
    enum { MESSAGE = 1024 * KIB, QUEUE = 32 * MESSAGE };
    char *data = pattern(MESSAGE);
    BOTH_ROLES(role)
        for (int wss = 0; wss < 2; wss++) {
            struct pair_options options = pair_defaults();
            SET(options, ping_interval_ms, 100);
            SET(options, pong_timeout_ms, 0);
            SET(options, send_queue_size, QUEUE);
            options.wss = wss;
            struct pair *p = OPEN_PAIR(role, &options);
            if (!p) return;
            struct frame frame;
            long long end = now_us() + guard_seconds() * 1000000LL;
            int pings = 0;
            while (pings < 3 && now_us() < end) {
                int32_t sent;
                while ((sent = pair_send(p, data, MESSAGE, 0)) == NSWS_OK) {
                }
                if (!CHECK_CODE(sent, NSWS_ERR_QUEUE_FULL) || !CHECK(peer_receive(p, &frame))) return;
                if (frame.first == PING_FRAME) pings++;
            }
            CHECK_INT(pings, 3);
            pair_ends(p);
        }
    free(data);
}

static void any_byte_after_a_ping_proves_life(void) {
    enum { INTERVAL = 1000 };
    BOTH_ROLES(role)
        for (int kind = 0; kind < 4; kind++) {
            unsigned char bytes[256], head[FRAME_ROOM];
            struct pair *p = open_at(__LINE__, role, INTERVAL, INTERVAL, 0);
            if (!p) return;
            struct pusher pusher = { .p = p, .bytes = bytes, .pause = 50000 };
            switch (kind) {
                case 0:
                    pusher.length = peer_frame(p, bytes, TEXT_FRAME, "alive", 5);
                    break;
                case 1:
                    pusher.length = peer_frame(p, bytes, PONG_FRAME, "another", 7);
                    break;
                case 2:
                    pusher.length = peer_frame(p, bytes, PING_FRAME, "mine", 4);
                    break;
                case 3: /* a long frame, byte by byte */
                    CHECK(raw_write(p->fd, head, peer_head(p, head, BINARY_FRAME, 100000)));
                    bytes[0] = 'x';
                    pusher.length = 1;
                    break;
            }
            start_pushing(&pusher);
            int came = pings_come(__LINE__, p, 2, 0);
            is_alive(__LINE__, p);
            stop_pushing(&pusher);
            if (!came) return;
            peer_leaves(p);
        }
}

static void a_peer_that_says_nothing_is_lost(void) {
    BOTH_ROLES(role)
        for (int wss = 0; wss < 2; wss++) {
            struct pair *p = open_at(__LINE__, role, 200, 100, wss);
            if (!p) return;
            pings_come(__LINE__, p, 1, 0);
            struct told error = PAIR_ERROR(p), close = PAIR_CLOSE(p);
            if (error.came) CHECK(error.detail == NSWS_DETAIL_HEARTBEAT_LOST && error.phase == NSWS_PHASE_HEARTBEAT);
            if (close.came) CHECK(close.code == 1006 && !close.was_clean);
            peer_leaves(p);
        }
}

/* What came before the ping proves nothing: the oldest that is unanswered counts, though later pings follow. */
static void later_pings_do_not_put_off_the_deadline(void) {
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 100, 100, 0);
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME, "last words", 10));
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_HEARTBEAT_LOST);
        peer_leaves(p);
    }
}

static void by_default_a_pong_has_30_seconds_whatever_the_interval(void) {
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 50, NSWS_PONG_TIMEOUT_DEFAULT, 0);
        if (!p) return;
        /* Ten intervals of silence. */
        pings_come(__LINE__, p, 10, 0);
        is_alive(__LINE__, p);
        peer_leaves(p);
    }
}

static void a_timeout_above_the_interval_is_refused(void) {
    struct recorder *r = new_client();
    struct server *s = new_server();
    nsws_connect_options client = defaults();
    nsws_server_options server = server_defaults();
    client.ping_interval_ms = server.ping_interval_ms = 1000;
    client.pong_timeout_ms = server.pong_timeout_ms = 1001;
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1:9/", &client), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_start(s->handle, &server), NSWS_ERR_PARAMETER);
    server.pong_timeout_ms = 1000;
    CHECK_OK(nsws_server_start(s->handle, &server));
}

static void while_paused_pings_go_out_and_no_deadline_runs(void) {
    BOTH_ROLES(role) {
        struct pair *p = open_at(__LINE__, role, 700, 700, 0);
        if (!p) return;
        IS_ANSWERED(p, "open");
        CHECK_OK(pair_pause(p));
        /* Their pongs aren't read, nor does a deadline run for them. */
        if (!pings_come(__LINE__, p, 4, 0)) return;
        is_alive(__LINE__, p);
        CHECK(peer_send(p, TEXT_FRAME, "patient", 7));
        if (!pings_come(__LINE__, p, 2, 0)) return;
        is_alive(__LINE__, p);
        CHECK_INT(PAIR_MESSAGES(p), 0);
        CHECK_OK(pair_resume(p));
        PAIR_MESSAGE(p, 1);
        peer_leaves(p);
    }
}

/* One for each role: what is left of the first is still being delivered while the second is tried. */
static struct gate gates[2];

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)e;
    gate_pass(&gates[p->role]);
}

static void while_a_slow_listener_stops_the_reading_pings_go_out_and_no_deadline_runs(void) {
    BOTH_ROLES(role) {
        gate_init(&gates[role]);
        struct pair_options options = pair_defaults();
        /* On a slow machine it takes longer until the library has stopped reading. */
        uint32_t interval = 200 * (uint32_t)slowness();
        SET(options, ping_interval_ms, interval);
        SET(options, pong_timeout_ms, interval);
        options.on_message = wait_there;
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        unsigned char unit[1000 + FRAME_ROOM];
        static const char data[1000];
        size_t size = peer_frame(p, unit, BINARY_FRAME, data, sizeof data);
        /* More than the library takes in: it has stopped reading, and the pongs are behind what it doesn't read. */
        peer_fills(p, unit, size, 256 << 20);
        int came = pings_come(__LINE__, p, slowness() > 1 ? 2 : 6, 0);
        is_alive(__LINE__, p);
        gate_open(&gates[role]);
        if (!came) return;
        WAIT_COUNTER(&p->messages, 1000);
        pair_ends(p);
    }
}

static void without_a_heartbeat_there_is_no_ping(void) {
    BOTH_ROLES(role) {
        struct frame frame;
        struct pair *with = open_at(__LINE__, role, 50, 0, 0), *without = open_at(__LINE__, role, 0, 0, 0);
        if (!with || !without) return;
        /* For as long as ten intervals of another connection, which has no deadline. */
        pings_come(__LINE__, with, 10, 0);
        is_alive(__LINE__, with);
        CHECK_OK(pair_send(without, "first", 5, 1));
        if (CHECK(peer_receive(without, &frame))) CHECK_INT(frame.first, TEXT_FRAME);
        peer_leaves(with);
        peer_leaves(without);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(a_ping_goes_out_each_interval_whatever_arrives);
    RUN(a_ping_goes_out_each_interval_whatever_is_sent);
    RUN(a_ping_goes_out_each_interval_however_much_waits_to_be_sent);
    RUN(any_byte_after_a_ping_proves_life);
    RUN(a_peer_that_says_nothing_is_lost);
    RUN(later_pings_do_not_put_off_the_deadline);
    RUN(by_default_a_pong_has_30_seconds_whatever_the_interval);
    RUN(a_timeout_above_the_interval_is_refused);
    RUN(while_paused_pings_go_out_and_no_deadline_runs);
    RUN(while_a_slow_listener_stops_the_reading_pings_go_out_and_no_deadline_runs);
    RUN(without_a_heartbeat_there_is_no_ping);
    return end_tests();
}
