/* Connecting again by itself: when, how often, and how it ends. */
#include "harness.h"

static nsws_connect_options reconnecting(uint32_t attempts) {
    nsws_connect_options options = defaults();
    options.reconnect_max_attempts = attempts;
    options.reconnect_min_delay_ms = 10;
    options.reconnect_max_delay_ms = 40;
    return options;
}

static void a_failed_attempt_is_tried_again_as_often_as_asked(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(3);
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    if (!WAIT(r, ERROR, 4)) return;
    CHECK_STR(order(r), "error reconnecting error reconnecting error reconnecting error");
    for (size_t i = 1; i <= 3; i++) {
        const struct event *event = WAIT(r, RECONNECTING, i);
        CHECK_INT(event->code, i);
        /* Half of the wait is random. */
        uint32_t whole = i == 1 ? 10 : i == 2 ? 20 : 40;
        CHECK_LEAST(event->delay_ms, whole / 2);
        CHECK_MOST(event->delay_ms, whole);
    }
    CHECK_INT(peer_number(r->token, "connections"), 4);
    /* It has ended, and the client can be used like a new one. */
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_INT(count_events(r, RECONNECTING), 3);
}

static void a_refused_connection_is_tried_again(void) {
    int fd;
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(2);
    CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), &options));
    if (WAIT(r, ERROR, 3)) CHECK_STR(order(r), "error reconnecting error reconnecting error");
    close(fd);
}

static void a_lost_connection_is_made_again_and_the_count_starts_anew(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(1);
    if (!OPENS(r, raw_url(r, "/rst-after-open"), &options)) return;
    for (size_t i = 1; i <= 5; i++) {
        CHECK_OK(nsws_client_send_text(r->client, "go", 2));
        const struct event *event = WAIT(r, RECONNECTING, i);
        if (!event || !WAIT(r, OPEN, i + 1)) return;
        CHECK_INT(event->code, 1);
    }
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 6);
    CHECK_INT(peer_number(r->token, "upgrades"), 6);
    /* A close by the program is the end. */
    CHECK_INT(count_events(r, RECONNECTING), 5);
    CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
}

static struct gate answer;

static void wait_with_the_first_answer(struct recorder *r, const struct event *event) {
    if (event->kind == HEADER_RECEIVE && count_events(r, HEADER_RECEIVE) == 1) gate_pass(&answer);
}

static void wait_with_the_first_error(struct recorder *r, const struct event *event) {
    if (event->kind == ERROR && count_events(r, ERROR) == 1) gate_pass(&answer);
}

static void while_a_callback_blocks_the_events_of_further_attempts_do_not_pile_up(void) {
    gate_init(&answer);
    struct recorder *r = new_client(), *clock = new_client();
    nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
    r->hook = wait_with_the_first_error;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    int waits = WAIT_WAITING(&answer, 1);
    /* Another client has time for several attempts. */
    options = reconnecting(10);
    CHECK_OK(nsws_client_connect(clock->client, raw_url(clock, "/status/503"), &options));
    waits = WAIT(clock, ERROR, 11) && waits;
    CHECK_INT(peer_number(r->token, "connections"), 1);
    gate_open(&answer);
    if (waits) WAIT(r, ERROR, 4);
    CHECK(strncmp(order(r), "error reconnecting error reconnecting error ", 44) == 0);
}

/* The program gets the events of one connection after the other, however late. */
static void a_connection_that_ends_before_its_open_is_told_is_made_again_after_its_close(void) {
    gate_init(&answer);
    struct recorder *r = new_client(), *clock = new_client();
    nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
    r->hook = wait_with_the_first_answer;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/close-code/1001"), &options));
    int waits = WAIT_WAITING(&answer, 1) && WAIT_PEER(r->token, "ended", 1);
    /* Another client has time for several attempts. */
    options = reconnecting(5);
    CHECK_OK(nsws_client_connect(clock->client, raw_url(clock, "/status/503"), &options));
    waits = WAIT(clock, ERROR, 6) && waits;
    CHECK_INT(peer_number(r->token, "upgrades"), 1);
    gate_open(&answer);
    if (!waits || !WAIT(r, OPEN, 3)) return;
    CHECK(strncmp(order(r), "header_receive open close reconnecting header_receive open close reconnecting ", 76) == 0);
}

static void some_close_codes_of_the_peer_invite_again(void) {
    static const struct {
        int code, again;
    } cases[] = { { 1001, 1 }, { 1012, 1 }, { 1013, 1 }, { 1000, 0 }, { 1008, 0 }, { 1011, 0 }, { 4000, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        struct recorder *r = new_client();
        nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
        snprintf(path, sizeof path, "/close-code/%d", cases[i].code);
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, path), &options));
        if (cases[i].again) {
            if (!WAIT(r, OPEN, 3)) return;
            CHECK_LEAST(count_events(r, RECONNECTING), 2);
        } else {
            if (!WAIT(r, CLOSE, 1)) return;
            /* It is over: the client takes a new connect. */
            if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
            CHECK_INT(count_events(r, RECONNECTING), 0);
        }
    }
}

static void a_server_that_said_no_is_not_asked_again(void) {
    static const char *const paths[] = { "/status/400", "/status/401", "/status/403", "/status/404", "/redirect" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, paths[i]), &options));
        if (!WAIT(r, ERROR, 1) || !OPENS(r, raw_url(r, "/echo"), NULL)) return;
        CHECK_STR(order(r), "error header_receive open");
    }
    static const char *const busy[] = { "/status/408", "/status/429", "/status/500" };
    for (size_t i = 0; i < sizeof busy / sizeof busy[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = reconnecting(1);
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, busy[i]), &options));
        if (WAIT(r, ERROR, 2)) CHECK_STR(order(r), "error reconnecting error");
    }
}

static void a_tls_server_that_can_not_be_trusted_is_not_asked_again(void) {
    static const char *const ports[] = {
        "NSWS_WSS_GOOD_PORT", "NSWS_WSS_WRONG_NAME_PORT", "NSWS_WSS_SELF_SIGNED_LEAF_PORT"
    };
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
        snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting(ports[i]));
        CHECK_OK(nsws_client_connect(r->client, r->url, &options));
        if (!WAIT(r, ERROR, 1) || !OPENS(r, raw_url(r, "/echo"), NULL)) return;
        CHECK_STR(order(r), "error header_receive open");
    }
}

/* A device's clock may be wrong until it is set, and certificates are renewed. */
static void a_certificate_that_is_out_of_date_is_asked_for_again(void) {
    static const char *const ports[] = { "NSWS_WSS_EXPIRED_PORT", "NSWS_WSS_NOT_YET_VALID_PORT" };
    static const int32_t details[] = { NSWS_DETAIL_CERT_EXPIRED, NSWS_DETAIL_CERT_NOT_YET_VALID };
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = reconnecting(1);
        options.ca_path = certificate_file("ca.pem");
        snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting(ports[i]));
        CHECK_OK(nsws_client_connect(r->client, r->url, &options));
        const struct event *error = WAIT(r, ERROR, 2);
        if (!error) continue;
        CHECK_INT(error->detail, details[i]);
        CHECK_STR(order(r), "error reconnecting error");
    }
}

static void close_ends_the_waiting(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 3600000;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    if (!WAIT(r, RECONNECTING, 1)) return;
    /* The client counts as connecting. */
    CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL), NSWS_ERR_ALREADY_CONNECTED);
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK_INT(close->code, 1006);
    if (OPENS(r, raw_url(r, "/echo"), NULL)) CHECK_STR(order(r), "error reconnecting close header_receive open");
}

static void destroy_ends_the_waiting(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 3600000;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    if (!WAIT(r, RECONNECTING, 1)) return;
    destroy_client(r);
    CHECK_STR(order(r), "error reconnecting");
}

static void close_in_reconnecting(struct recorder *r, const struct event *event) {
    if (event->kind == RECONNECTING && event->code == 2) CHECK_OK(nsws_client_close(r->client, 1000, ""));
}

static void the_listener_may_end_it(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = reconnecting(NSWS_FOR_EVER);
    r->hook = close_in_reconnecting;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), &options));
    if (WAIT(r, CLOSE, 1)) CHECK_STR(order(r), "error reconnecting error reconnecting close");
}

static void without_being_asked_nothing_is_tried_again(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), NULL));
    if (!WAIT(r, ERROR, 1) || !OPENS(r, raw_url(r, "/close-code/1001"), NULL) || !WAIT(r, CLOSE, 1)) return;
    if (OPENS(r, raw_url(r, "/echo"), NULL)) CHECK_INT(count_events(r, RECONNECTING), 0);
}

int main(void) {
    RUN(a_failed_attempt_is_tried_again_as_often_as_asked);
    RUN(a_refused_connection_is_tried_again);
    RUN(a_lost_connection_is_made_again_and_the_count_starts_anew);
    RUN(while_a_callback_blocks_the_events_of_further_attempts_do_not_pile_up);
    RUN(a_connection_that_ends_before_its_open_is_told_is_made_again_after_its_close);
    RUN(some_close_codes_of_the_peer_invite_again);
    RUN(a_server_that_said_no_is_not_asked_again);
    RUN(a_tls_server_that_can_not_be_trusted_is_not_asked_again);
    RUN(a_certificate_that_is_out_of_date_is_asked_for_again);
    RUN(close_ends_the_waiting);
    RUN(destroy_ends_the_waiting);
    RUN(the_listener_may_end_it);
    RUN(without_being_asked_nothing_is_tried_again);
    return end_tests();
}
