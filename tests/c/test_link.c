/* A client's say over its link: whether it still carries, and which way it takes. */
#include "pair.h"

/* Asking for a sign of life. */

static nsws_connect_options without_heartbeat(void) {
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    return options;
}

static void a_check_is_a_ping_at_once(void) {
    nsws_connect_options options = without_heartbeat();
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (!r) return;
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(nsws_client_check(r->client, 3600000));
        if (!WAIT_PEER(r->token, "pings", i)) return;
    }
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    if (WAIT(r, DATA_END, 1)) CHECK_STR(order(r), "header_receive open message data_end");
}

static void a_server_that_does_not_answer_a_check_is_lost(void) {
    nsws_connect_options options = without_heartbeat();
    struct recorder *r = OPEN_RAW("/silent", &options);
    if (!r) return;
    CHECK_OK(nsws_client_check(r->client, 50));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->phase, NSWS_PHASE_HEARTBEAT);
    CHECK_INT(error->detail, NSWS_DETAIL_HEARTBEAT_LOST);
    CHECK_CONTAINS(error->text, "within 50 ms");
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK_INT(close->code, 1006);
}

/* A pong or not: the server is there. */
static void a_message_answers_a_check(void) {
    nsws_connect_options options = without_heartbeat();
    struct recorder *r = OPEN_RAW("/ticks", &options);
    if (!r) return;
    CHECK_OK(nsws_client_check(r->client, (uint32_t)(500 * slowness())));
    if (!WAIT(r, DATA_END, 1)) return;
    /* The deadline of the second one is behind that of the first. */
    struct recorder *clock = OPEN_RAW("/silent", &options);
    if (!clock) return;
    CHECK_OK(nsws_client_check(clock->client, (uint32_t)(500 * slowness())));
    if (WAIT(clock, CLOSE, 1)) CHECK_STR(order(r), "header_receive open message data_end");
}

static void a_check_of_what_is_not_open_is_refused(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_check(r->client, 1000), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_check(r->client, 0), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_network_changed(0), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_network_changed(1000));
    if (!OPENS(r, raw_url(r, "/never-close"), NULL)) return;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CHECK_CODE(nsws_client_check(r->client, 1000), NSWS_ERR_NOT_CONNECTED);
    nsws_client stale = r->client, foreign = { 0 };
    nsws_server server;
    CHECK_OK(nsws_server_create(&server));
    foreign.id = server.id;
    CHECK_CODE(nsws_client_check(foreign, 1000), NSWS_ERR_BAD_HANDLE);
    CHECK_OK(nsws_server_destroy(server));
    destroy_client(r);
    CHECK_CODE(nsws_client_check(stale, 1000), NSWS_ERR_BAD_HANDLE);
}

static void while_paused_no_check_is_lost(void) {
    nsws_connect_options options = without_heartbeat();
    struct recorder *r = OPEN_RAW("/echo", &options), *clock = OPEN_RAW("/silent", &options);
    if (!r || !clock) return;
    CHECK_OK(nsws_client_pause(r->client));
    CHECK_OK(nsws_client_check(r->client, 50));
    CHECK_OK(nsws_client_check(clock->client, 100));
    if (!WAIT(clock, CLOSE, 1)) return;
    CHECK_OK(nsws_client_resume(r->client));
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    if (WAIT(r, DATA_END, 1)) CHECK_STR(order(r), "header_receive open message data_end");
}

/* Another network. */

static nsws_connect_options waiting_long(void) {
    nsws_connect_options options = without_heartbeat();
    options.reconnect_max_attempts = 5;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 3600000;
    return options;
}

static void another_network_ends_the_waiting(void) {
    nsws_connect_options options = waiting_long();
    struct recorder *one = new_client(), *other = new_client();
    CHECK_OK(nsws_client_connect(one->client, raw_url(one, "/status/503"), &options));
    CHECK_OK(nsws_client_connect(other->client, raw_url(other, "/refuse/503/Retry-After=999999"), &options));
    for (size_t i = 1; i <= 3; i++) {
        if (!WAIT(one, RECONNECTING, i) || !WAIT(other, RECONNECTING, i)) return;
        CHECK_OK(nsws_network_changed(1000));
    }
    WAIT(one, ERROR, 4);
    WAIT(other, ERROR, 4);
}

static void tell_of_another_network(struct recorder *r, const struct event *event) {
    (void)r;
    if (event->kind == RECONNECTING && event->code == 1) CHECK_OK(nsws_network_changed(1000));
}

static void another_network_may_be_told_of_in_the_listener(void) {
    nsws_connect_options options = waiting_long();
    struct recorder *r = new_client();
    r->hook = tell_of_another_network;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    WAIT(r, RECONNECTING, 2);
}

static void another_network_checks_what_is_open(void) {
    nsws_connect_options options = waiting_long();
    struct recorder *alive = OPEN_RAW("/echo", &options), *gone = OPEN_RAW("/silent", &options);
    if (!alive || !gone) return;
    CHECK_OK(nsws_network_changed((uint32_t)(500 * slowness())));
    const struct event *error = WAIT(gone, ERROR, 1);
    if (!error || !WAIT(gone, RECONNECTING, 1)) return;
    CHECK_INT(error->detail, NSWS_DETAIL_HEARTBEAT_LOST);
    CHECK_INT(peer_number(alive->token, "pings"), 1);
    CHECK_OK(nsws_network_changed(3600000));
    if (WAIT(gone, OPEN, 2)) CHECK_STR(order(alive), "header_receive open");
}

int main(void) {
    RUN(a_check_is_a_ping_at_once);
    RUN(a_server_that_does_not_answer_a_check_is_lost);
    RUN(a_message_answers_a_check);
    RUN(a_check_of_what_is_not_open_is_refused);
    RUN(while_paused_no_check_is_lost);
    RUN(another_network_ends_the_waiting);
    RUN(another_network_may_be_told_of_in_the_listener);
    RUN(another_network_checks_what_is_open);
    return end_tests();
}
