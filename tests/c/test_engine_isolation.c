/* A listener that blocks delays only the listeners of its own object: not that object's pongs, close frames, heartbeats and sends,
 * and no other object. */
#include "pair.h"

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

enum { MANY = 20 };

static struct pair *first, *many[MANY];

/* A server with many connections whose listener waits at the gate with a message of the first. */
static int opens_stuck(const struct pair_options *options) {
    gate_init(&gate);
    memset(many, 0, sizeof many);
    first = OPEN_PAIR(AS_SERVER, options);
    if (!first) return 0;
    for (int i = 0; i < MANY; i++) {
        many[i] = JOIN(first, "127.0.0.1", options);
        if (!many[i]) return 0;
    }
    CHECK(peer_send(first, TEXT_FRAME, "stuck", 5));
    return WAIT_WAITING(&gate, 1);
}

static void end_stuck(void) {
    gate_open(&gate);
    peer_leaves(first);
    for (int i = 0; i < MANY; i++) peer_leaves(many[i]);
}

static void a_stuck_server_answers_the_pings_of_all_its_connections(void) {
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    if (opens_stuck(&options)) {
        for (int round = 0; round < 3; round++) {
            IS_ANSWERED(first, "me too");
            for (int i = 0; i < MANY; i++) {
                /* After messages, which have to wait. */
                CHECK(peer_send(many[i], TEXT_FRAME, "waits", 5));
                IS_ANSWERED(many[i], "ping");
            }
        }
        CHECK_INT(counter_value(&first->messages), 0);
        gate_open(&gate);
        WAIT_COUNTER(&first->messages, 1 + 3 * MANY);
    }
    end_stuck();
}

static void a_stuck_server_answers_the_goodbyes_of_all_its_connections(void) {
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    if (opens_stuck(&options)) {
        for (int i = 0; i < MANY; i++) {
            if (i % 2) CHECK(peer_send(many[i], TEXT_FRAME, "waits", 5));
            CHECK(peer_closes(many[i], 4000 + i, "bye"));
        }
        for (int i = 0; i < MANY; i++) CHECK_INT(peer_close_code(many[i]), 4000 + i);
        CHECK_INT(server_count(first->s, ON_CLOSE), 0);
        gate_open(&gate);
        for (int i = 0; i < MANY; i++) {
            struct told close = PAIR_CLOSE(many[i]);
            if (close.came) CHECK(close.code == 4000 + i && close.was_clean);
        }
        WAIT_COUNTER(&first->messages, 1 + MANY / 2);
    }
    end_stuck();
}

static void a_stuck_server_keeps_the_heartbeats_of_all_its_connections(void) {
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    options.server.ping_interval_ms = options.server.pong_timeout_ms = slowness() > 1 ? 5000 : 1500;
    if (opens_stuck(&options)) {
        /* The connections that answer stay open; the one that doesn't is cut, and its close comes later. */
        for (int round = 0; round < 2; round++)
            for (int i = 1; i < MANY; i++) {
                struct frame ping;
                if (!CHECK(peer_receive_kind(many[i], PING_FRAME, &ping))) break;
                CHECK(peer_send(many[i], PONG_FRAME, ping.data, ping.length));
            }
        CHECK(raw_ends(many[0]->fd));
        CHECK_INT(server_count(first->s, ON_CLOSE), 0);
        gate_open(&gate);
        struct told close = PAIR_CLOSE(many[0]);
        if (close.came) CHECK_INT(close.code, 1006);
        for (int i = 1; i < MANY; i++) CHECK_INT(PAIR_ERRORS(many[i]), 0);
    }
    end_stuck();
}

static void a_stuck_server_delays_no_other_object(void) {
    enum { ROUNDS = 300 };
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    if (opens_stuck(&options)) {
        struct server *other = new_server();
        other->echo = 1;
        if (START(other, NULL)) {
            struct recorder *client = OPEN_CLIENT(other, "/");
            for (int i = 1; client && i <= ROUNDS / slowness(); i++) {
                CHECK_OK(nsws_client_send_text(client->client, "round", 5));
                if (!WAIT(client, MESSAGE, (size_t)i)) break;
            }
            /* Nor a new client. */
            struct recorder *fresh = OPEN_CLIENT(other, "/");
            if (fresh && CHECK_OK(nsws_client_send_text(fresh->client, "new", 3))) WAIT(fresh, MESSAGE, 1);
        }
        CHECK_INT(counter_value(&first->messages), 0);
    }
    end_stuck();
}

static void what_others_send_to_a_stuck_server_s_clients_goes_out(void) {
    struct pair_options options = pair_defaults();
    options.on_message = wait_there;
    if (opens_stuck(&options)) {
        size_t accepted = 0;
        struct frame frame;
        CHECK_OK(nsws_server_broadcast(first->s->handle, "to all", 6, 1, &accepted));
        CHECK_INT(accepted, 1 + MANY);
        for (int i = 0; i < MANY; i++) {
            CHECK_OK(pair_send(many[i], "to you", 6, 1));
            CHECK(peer_receive_kind(many[i], TEXT_FRAME, &frame) && memcmp(frame.data, "to all", 6) == 0);
            CHECK(peer_receive_kind(many[i], TEXT_FRAME, &frame) && memcmp(frame.data, "to you", 6) == 0);
        }
        /* They can be closed, and get the close frame. */
        CHECK_OK(pair_close(many[0], 4009, "enough"));
        CHECK_INT(peer_close_code(many[0]), 4009);
    }
    end_stuck();
}

/* What a callback sends is held back until its batch is over, but not by one that blocks. */

static void sends_and_waits(struct pair *p, const nsws_message_event *e) {
    long number = counter_value(&p->messages);
    CHECK_OK(pair_send(p, e->data, e->length, e->is_text));
    if (number == (long)(intptr_t)p->data) gate_pass(&gate);
}

static void what_a_callback_sent_before_it_blocks_goes_out(void) {
    enum { MESSAGES = 200 };
    static const int places[] = { 0, 1, 7, 8, 100 };
    BOTH_ROLES(role)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            gate_init(&gate);
            struct pair_options options = pair_defaults();
            options.on_message = sends_and_waits;
            options.data = (void *)(intptr_t)places[i];
            struct pair *p = OPEN_PAIR(role, &options);
            struct batch b = { 0 };
            struct frame frame;
            if (!p) return;
            for (int k = 0; k < MESSAGES; k++) batch_frame(p, &b, TEXT_FRAME, "answer me", 9);
            CHECK(batch_send(p, &b));
            free(b.bytes);
            /* All that were delivered before it blocks, this one's own too. */
            for (int k = 0; k <= places[i]; k++)
                if (!CHECK(peer_receive(p, &frame))) break;
            WAIT_WAITING(&gate, 1);
            gate_open(&gate);
            for (int k = places[i] + 1; k < MESSAGES; k++)
                if (!CHECK(peer_receive(p, &frame))) break;
            pair_ends(p);
        }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(a_stuck_server_answers_the_pings_of_all_its_connections);
    RUN(a_stuck_server_answers_the_goodbyes_of_all_its_connections);
    RUN(a_stuck_server_keeps_the_heartbeats_of_all_its_connections);
    RUN(a_stuck_server_delays_no_other_object);
    RUN(what_others_send_to_a_stuck_server_s_clients_goes_out);
    RUN(what_a_callback_sent_before_it_blocks_goes_out);
    return end_tests();
}
