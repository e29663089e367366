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
    CHECK_OK(nsws_client_check(r->client, slowness() > 1 ? 15000 : 2000));
    if (!WAIT(r, DATA_END, 1)) return;
    /* The deadline of the second one is behind that of the first. */
    struct recorder *clock = OPEN_RAW("/silent", &options);
    if (!clock) return;
    CHECK_OK(nsws_client_check(clock->client, slowness() > 1 ? 15000 : 2000));
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
    CHECK_OK(nsws_client_check(r->client, 1500));
    CHECK_OK(nsws_client_check(clock->client, 2000));
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
    CHECK_OK(nsws_network_changed(slowness() > 1 ? 15000 : 2000));
    const struct event *error = WAIT(gone, ERROR, 1);
    if (!error || !WAIT(gone, RECONNECTING, 1)) return;
    CHECK_INT(error->detail, NSWS_DETAIL_HEARTBEAT_LOST);
    CHECK_INT(peer_number(alive->token, "pings"), 1);
    CHECK_OK(nsws_network_changed(3600000));
    if (WAIT(gone, OPEN, 2)) CHECK_STR(order(alive), "header_receive open");
}

/* The way to the server. */

static void a_client_leaves_from_the_address_that_it_is_given(void) {
    nsws_connect_options options = defaults();
    options.bind_address = "127.0.0.9";
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (r) CHECK_PEER_TEXT(r->token, "address", "127.0.0.9");
}

/* The one error of an attempt that the program's choice of the way makes fail. */
static const struct event *no_way(const nsws_connect_options *options, const char *words) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), options));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return NULL;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_TCP);
    CHECK_INT(error->detail, NSWS_DETAIL_UNREACHABLE);
    CHECK_CONTAINS(error->text, setting("NSWS_RAW_PORT"));
    CHECK_CONTAINS(error->text, words);
    CHECK_STR(order(r), "error");
    CHECK_INT(peer_number(r->token, "connections"), 0);
    return error;
}

static void an_address_that_can_not_be_left_from_says_so(void) {
    nsws_connect_options options = defaults();
    options.bind_address = "203.0.113.7";
    const struct event *error = no_way(&options, "from the address 203.0.113.7");
    if (error) CHECK_INT(error->os_error, EADDRNOTAVAIL);
    options.bind_address = "::1";
    no_way(&options, "only IPv4 addresses");
}

static void a_client_goes_through_the_interface_that_it_is_given(void) {
    nsws_connect_options options = defaults();
    options.bind_interface = "lo";
    OPEN_RAW("/echo", &options);
    options.bind_interface = "nosuch0";
    const struct event *error = no_way(&options, "from the interface nosuch0");
    if (error) CHECK_INT(error->os_error, ENODEV);
}

static void known_addresses_need_no_lookup(void) {
    char resolve[256];
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    snprintf(resolve, sizeof resolve, "other.invalid:1:127.0.0.2;server.invalid:%s:127.0.0.1", setting("NSWS_RAW_PORT"));
    options.resolve = resolve;
    options.proxy_mode = NSWS_PROXY_NONE;
    snprintf(r->url, sizeof r->url, "ws://Server.invalid:%s/echo?t=%s", setting("NSWS_RAW_PORT"), r->token);
    if (!OPENS(r, r->url, &options)) return;
    char *head = ask_peer("get %s head", r->token);
    CHECK_CONTAINS(head, "Host: server.invalid:");
    free(head);
    nsws_client_stats stats;
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.dns_us, 0);
}

static void options_of_the_link_are_checked(void) {
    static const char *const addresses[] = { "localhost", "127.0.0.1:80", "[::1]", "256.0.0.1", "127.0.0.1 ", "\xff" };
    static const char *const interfaces[] = { "sixteen-bytes-xx", "a/b", "a b", "a\n", "\xff" };
    static const char *const resolves[] = { "a", "a:1", "a:1:b", "a:0:127.0.0.1", "a:1:127.0.0.1;b", "a\r\nX:1:127.0.0.1", "\xff" };
    struct recorder *r = new_client();
    const char *url = "ws://127.0.0.1:1/";
#define REFUSED(member, value)                                                                            \
    do {                                                                                                  \
        nsws_connect_options options = defaults();                                                        \
        options.member = value;                                                                           \
        CHECK_CODE(nsws_client_connect(r->client, url, &options), NSWS_ERR_PARAMETER);                    \
    } while (0)
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) REFUSED(bind_address, addresses[i]);
    for (size_t i = 0; i < sizeof interfaces / sizeof interfaces[0]; i++) REFUSED(bind_interface, interfaces[i]);
    for (size_t i = 0; i < sizeof resolves / sizeof resolves[0]; i++) REFUSED(resolve, resolves[i]);
    REFUSED(tcp_keepalive_ms, 32767001);
    REFUSED(tcp_user_timeout_ms, 0x80000000);
    REFUSED(receive_buffer_size, SIZE_MAX);
    REFUSED(send_buffer_size, (size_t)0x80000000);
#undef REFUSED
    CHECK_STR(order(r), "");
    nsws_connect_options options = defaults();
    options.bind_address = options.bind_interface = options.resolve = "";
    options.tcp_keepalive_ms = 32767000;
    options.tcp_user_timeout_ms = 0x7FFFFFFF;
    options.receive_buffer_size = options.send_buffer_size = 0x7FFFFFFF;
    OPENS(r, raw_url(r, "/echo"), &options);
}

static void a_zone_of_no_interface_says_so(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_connect(r->client, "ws://[::1%25lo]:1/", NULL), NSWS_ERR_URL);
    CHECK_OK(nsws_client_connect(r->client, "ws://[fe80::1%25nosuch0]:1/", NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_NAME_NOT_FOUND);
    CHECK_CONTAINS(error->text, "fe80::1%nosuch0");
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
    RUN(a_client_leaves_from_the_address_that_it_is_given);
    RUN(an_address_that_can_not_be_left_from_says_so);
    RUN(a_client_goes_through_the_interface_that_it_is_given);
    RUN(known_addresses_need_no_lookup);
    RUN(options_of_the_link_are_checked);
    RUN(a_zone_of_no_interface_says_so);
    return end_tests();
}
