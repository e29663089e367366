/* Neither side can make the other hold more than agreed: a full send queue, and a slow listener. */
#include "harness.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* Sending: the queue. */

/* Sends until the queue is full; returns how many were accepted. */
static int fill(struct recorder *r, const char *data, size_t size) {
    int accepted = 0;
    for (;;) {
        int32_t code = nsws_client_send_binary(r->client, data, size);
        if (code == NSWS_ERR_QUEUE_FULL) return accepted;
        if (!CHECK_CODE(code, NSWS_OK) || !CHECK_MOST(++accepted, 100000)) return -1;
    }
}

static void a_full_queue_is_refused_and_drain_follows(void) {
    enum { SIZE = 64 * KIB, LARGEST = 48 * MIB };
    nsws_client_stats stats;
    nsws_connect_options options = defaults();
    options.send_queue_size = 1 * MIB;
    options.max_send_size = LARGEST;
    struct recorder *r = OPEN_RAW("/stall", &options);
    if (!r) return;
    /* More than the system's own buffers take, so that the queue stays full. */
    char *data = pattern(LARGEST);
    CHECK_OK(nsws_client_send_binary(r->client, data, LARGEST));
    CHECK_CODE(nsws_client_send_binary(r->client, data, SIZE), NSWS_ERR_QUEUE_FULL);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.queued_bytes, 1 * MIB);
    CHECK_INT(count_events(r, DRAIN), 0);

    release_peer(r->token);
    const struct event *drain = WAIT(r, DRAIN, 1);
    if (!drain) return;
    CHECK_MOST(drain->queued_bytes, 1 * MIB / 2);
    CHECK_OK(nsws_client_send_binary(r->client, data, SIZE));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    /* Exactly what was accepted has arrived. */
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 2);
    CHECK_INT(peer_number(r->token, "bytes"), LARGEST + SIZE);
    CHECK_INT(count_events(r, DRAIN), 1);
    free(data);
}

static void each_refusal_has_its_drain(void) {
    enum { SIZE = 64 * KIB, MESSAGES = 400 };
    char *data = pattern(SIZE);
    nsws_connect_options options = defaults();
    options.send_queue_size = 256 * KIB;
    struct recorder *r = OPEN_RAW("/sink", &options);
    if (!r) return;
    size_t drains = 0;
    int sent = 0;
    while (sent < MESSAGES) {
        int32_t code = nsws_client_send_binary(r->client, data, SIZE);
        if (code == NSWS_OK) {
            sent++;
        } else if (!CHECK_CODE(code, NSWS_ERR_QUEUE_FULL) || !WAIT(r, DRAIN, ++drains)) {
            return;
        }
    }
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), MESSAGES);
    CHECK_INT(count_events(r, DRAIN), drains);
    free(data);
}

static void an_empty_queue_takes_any_message(void) {
    enum { SIZE = 3 * MIB };
    char *data = pattern(SIZE);
    nsws_connect_options options = defaults();
    options.send_queue_size = 1000;
    struct recorder *r = OPEN_RAW("/stall", &options);
    if (!r) return;
    /* Larger than the queue, and than what the system takes: it is accepted and waits. */
    CHECK_OK(nsws_client_send_binary(r->client, data, SIZE));
    int accepted = 1 + fill(r, data, SIZE);
    CHECK_LEAST(accepted, 1);
    CHECK_CODE(nsws_client_send_binary(r->client, data, SIZE), NSWS_ERR_QUEUE_FULL);
    release_peer(r->token);
    WAIT(r, DRAIN, 1);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), accepted);
    free(data);
}

struct pump {
    const char *data;
    size_t size;
    int left;
};

static void pump(struct recorder *r, const struct event *event) {
    struct pump *pump = r->hook_data;
    if (event->kind != OPEN && event->kind != DRAIN) return;
    while (pump->left > 0 && nsws_client_send_binary(r->client, pump->data, pump->size) == NSWS_OK) pump->left--;
    if (pump->left == 0) CHECK_OK(nsws_client_close(r->client, 1000, "all sent"));
}

static void a_sender_may_live_on_drain_alone(void) {
    enum { SIZE = 64 * KIB, MESSAGES = 500 };
    struct pump state = { pattern(SIZE), SIZE, MESSAGES };
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.send_queue_size = 512 * KIB;
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    r->hook_data = &state;
    r->hook = pump;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/sink"), &options));
    if (WAIT(r, CLOSE, 1)) {
        CHECK_INT(WAIT(r, CLOSE, 1)->code, 1000);
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "messages"), MESSAGES);
    }
    destroy_client(r);
    free((void *)state.data);
}

static void a_destroyed_client_drops_a_full_queue_after_the_close_timeout(void) {
    enum { SIZE = 64 * KIB };
    char *data = pattern(SIZE);
    nsws_connect_options options = defaults();
    options.send_queue_size = 1 * MIB;
    options.close_timeout_ms = 200;
    struct recorder *r = OPEN_RAW("/stall", &options);
    if (!r) return;
    fill(r, data, SIZE);
    int fds = count_fds();
    destroy_client(r);
    REACHES(count_fds, fds - 1);
    release_peer(r->token);
    WAIT_PEER(r->token, "ended", 1);
    free(data);
}

/* Receiving: a slow listener. */

static void wait_at_the_gate(struct recorder *r, const struct event *event) {
    if (event->kind == MESSAGE && count_events(r, MESSAGE) == 1) gate_pass(r->hook_data);
}

static int round_trips(struct recorder *r, int count) {
    size_t before = count_events(r, MESSAGE);
    for (int i = 1; i <= count; i++)
        if (!CHECK_OK(nsws_client_send_text(r->client, "x", 1)) || !WAIT(r, MESSAGE, before + (size_t)i)) return 0;
    return 1;
}

static void a_slow_listener_stops_the_reading_of_its_own_socket_alone(void) {
    /* 16 KiB messages, 256 MiB of them: far more than sockets and buffers hold. */
    enum { SIZE = 16 * KIB, COUNT = 16384 };
    static struct gate gate;
    gate_init(&gate);
    struct recorder *other = OPEN_RAW("/echo", NULL), *slow = new_client();
    if (!other) return;
    slow->hook_data = &gate;
    slow->hook = wait_at_the_gate;
    if (OPENS(slow, raw_url(slow, "/flood/16384/16384"), NULL)) {
        WAIT_WAITING(&gate, 1);
        WAIT_PEER(slow->token, "blocked", 1);
        long long sent = peer_number(slow->token, "sent") * SIZE;
        CHECK_MOST(sent, 32 * MIB);
        /* Another client is not affected, nor is a new one. */
        round_trips(other, 200);
        struct recorder *fresh = OPEN_RAW("/echo", NULL);
        if (fresh) round_trips(fresh, 20);
        /* The server is still waiting. */
        CHECK_MOST(peer_number(slow->token, "sent") * SIZE, 32 * MIB);
        CHECK_INT(count_events(slow, MESSAGE), 1);
        CHECK_INT(count_events(slow, ERROR), 0);
    }
    gate_open(&gate);
    WAIT(slow, MESSAGE, 1000);
    destroy_client(slow);
    WAIT_PEER(slow->token, "ended", 1);
}

static void a_slow_listener_loses_nothing(void) {
    enum { COUNT = 2000 };
    static struct gate gate;
    gate_init(&gate);
    struct recorder *r = new_client();
    r->hook_data = &gate;
    r->hook = wait_at_the_gate;
    if (OPENS(r, raw_url(r, "/flood/10000/2000"), NULL)) {
        WAIT_WAITING(&gate, 1);
        WAIT_PEER(r->token, "blocked", 1);
    }
    gate_open(&gate);
    if (!WAIT(r, DATA_END, COUNT + 1)) return;
    char *data = pattern(10000);
    size_t number = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct event *event = r->events[i];
        if (event->kind != MESSAGE || ++number > COUNT) continue;
        if (!CHECK(event->length == 10000 && memcmp(event->text, data, 10000) == 0)) break;
    }
    CHECK_STR(WAIT(r, MESSAGE, COUNT + 1)->text, "the end");
    free(data);
}

static void a_slow_listener_is_not_a_dead_peer(void) {
    /* What isn't read can't prove that the peer is alive; that is not the peer's fault. */
    static struct gate gate;
    gate_init(&gate);
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = options.pong_timeout_ms = 1500;
    r->hook_data = &gate;
    r->hook = wait_at_the_gate;
    if (OPENS(r, raw_url(r, "/flood/16384/4000"), &options)) {
        WAIT_WAITING(&gate, 1);
        WAIT_PEER(r->token, "blocked", 1);
        /* A peer that is dead, with the same deadlines, is the clock. */
        struct recorder *dead = OPEN_RAW("/silent", &options);
        if (dead) WAIT(dead, CLOSE, 1);
    }
    gate_open(&gate);
    WAIT(r, MESSAGE, 4001);
    CHECK_INT(count_events(r, ERROR), 0);
}

static void a_client_destroyed_with_a_slow_listener_says_goodbye_all_the_same(void) {
    /* The peer's answer to the message is stuck, and the close frame behind the message, until this side reads. */
    static struct gate gate;
    gate_init(&gate);
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    r->hook_data = &gate;
    r->hook = wait_at_the_gate;
    if (OPENS(r, raw_url(r, "/flood/16384/16384"), &options)) {
        WAIT_WAITING(&gate, 1);
        WAIT_PEER(r->token, "blocked", 1);
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
        WAIT_PEER(r->token, "messages", 1);
        r->destroyed = 1;
        CHECK_OK(nsws_client_release(r->client));
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "close_code"), 1001);
        CHECK_INT(peer_number(r->token, "reset"), 0);
    }
    gate_open(&gate);
}

static void a_blocked_listener_can_still_be_sent_for(void) {
    /* A client whose callback blocks still sends what other threads give it. */
    static struct gate gate;
    gate_init(&gate);
    struct recorder *r = new_client();
    r->hook_data = &gate;
    r->hook = wait_at_the_gate;
    if (OPENS(r, raw_url(r, "/echo"), NULL)) {
        CHECK_OK(nsws_client_send_text(r->client, "first", 5));
        WAIT_WAITING(&gate, 1);
        for (int i = 0; i < 100; i++) CHECK_OK(nsws_client_send_text(r->client, "more", 4));
        WAIT_PEER(r->token, "messages", 101);
        CHECK_INT(count_events(r, MESSAGE), 1);
    }
    gate_open(&gate);
}

static void pause_at_the_first_message(struct recorder *r, const struct event *event) {
    if (event->kind == MESSAGE && count_events(r, MESSAGE) == 1) CHECK_OK(nsws_client_pause(r->client));
}

static void a_paused_client_reads_nothing_until_it_is_resumed(void) {
    enum { SIZE = 16 * KIB, COUNT = 16384 };
    struct recorder *r = new_client();
    r->hook = pause_at_the_first_message;
    if (!OPENS(r, raw_url(r, "/flood/16384/16384"), NULL)) return;
    WAIT_PEER(r->token, "blocked", 1);
    CHECK_MOST(peer_number(r->token, "sent") * SIZE, 32 * MIB);
    CHECK_MOST(count_events(r, MESSAGE) * SIZE, 32 * MIB);
    CHECK_OK(nsws_client_resume(r->client));
    WAIT(r, MESSAGE, COUNT + 1);
    CHECK_INT(count_events(r, ERROR), 0);
    /* Resuming twice is no error, nor is a pause without a connection. */
    CHECK_OK(nsws_client_resume(r->client));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    CHECK_OK(nsws_client_pause(r->client));
    destroy_client(r);
}

static void a_paused_client_that_is_destroyed_still_says_goodbye(void) {
    struct recorder *r = new_client();
    r->hook = pause_at_the_first_message;
    if (!OPENS(r, raw_url(r, "/flood/16384/4000"), NULL)) return;
    WAIT_PEER(r->token, "blocked", 1);
    destroy_client(r);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
}

int main(void) {
    RUN(a_full_queue_is_refused_and_drain_follows);
    RUN(each_refusal_has_its_drain);
    RUN(an_empty_queue_takes_any_message);
    RUN(a_sender_may_live_on_drain_alone);
    RUN(a_destroyed_client_drops_a_full_queue_after_the_close_timeout);
    RUN(a_slow_listener_stops_the_reading_of_its_own_socket_alone);
    RUN(a_slow_listener_loses_nothing);
    RUN(a_slow_listener_is_not_a_dead_peer);
    RUN(a_client_destroyed_with_a_slow_listener_says_goodbye_all_the_same);
    RUN(a_blocked_listener_can_still_be_sent_for);
    RUN(a_paused_client_reads_nothing_until_it_is_resumed);
    RUN(a_paused_client_that_is_destroyed_still_says_goodbye);
    return end_tests();
}
