/* What a client tells of its connection in figures, and a server of each of its. */
#include "pair.h"
#include "server.h"

static nsws_client_stats stats_of(struct recorder *r) {
    nsws_client_stats stats;
    memset(&stats, 0xff, sizeof stats);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.struct_size, sizeof stats);
    return stats;
}

static nsws_connect_options quiet(void) {
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    return options;
}

static void bytes_on_the_wire_are_those_of_requests_and_frames(void) {
    nsws_connect_options options = quiet();
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (!r) return;
    char *head = ask_peer("get %s head", r->token);
    nsws_client_stats before = stats_of(r), after;
    CHECK_INT(before.wire_bytes_sent, strlen(head));
    CHECK_LEAST(before.wire_bytes_received, strlen("HTTP/1.1 101 Switching Protocols\r\n"));
    free(head);
    CHECK_OK(nsws_client_send_text(r->client, "hello", 5));
    if (!WAIT(r, MESSAGE, 1)) return;
    after = stats_of(r);
    CHECK_INT(after.wire_bytes_sent - before.wire_bytes_sent, 2 + 4 + 5);
    CHECK_INT(after.wire_bytes_received - before.wire_bytes_received, 2 + 5);
    /* They stay when the connection is over. */
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    if (!WAIT(r, CLOSE, 1)) return;
    before = stats_of(r);
    CHECK_INT(before.wire_bytes_sent - after.wire_bytes_sent, 2 + 4 + 2);
    CHECK_INT(before.wire_bytes_received - after.wire_bytes_received, 2 + 2);
}

static void the_first_message_has_its_time(void) {
    nsws_connect_options options = quiet();
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (!r) return;
    CHECK_INT(stats_of(r).first_message_us, 0);
    CHECK_OK(nsws_client_send_text(r->client, "one", 3));
    if (!WAIT(r, MESSAGE, 1)) return;
    uint64_t first = stats_of(r).first_message_us;
    CHECK_LEAST(first, 1);
    CHECK_OK(nsws_client_send_text(r->client, "two", 3));
    if (WAIT(r, MESSAGE, 2)) CHECK_INT(stats_of(r).first_message_us, first);
}

static void round_trips_are_smoothed(void) {
    nsws_connect_options options = quiet();
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (!r) return;
    CHECK_INT(stats_of(r).smoothed_rtt_us, 0);
    CHECK_OK(nsws_client_ping(r->client, "1", 1));
    /* Behind the pong. */
    CHECK_OK(nsws_client_send_text(r->client, "1", 1));
    if (!WAIT(r, MESSAGE, 1)) return;
    nsws_client_stats stats = stats_of(r);
    CHECK_LEAST(stats.rtt_us, 1);
    CHECK_INT(stats.smoothed_rtt_us, stats.rtt_us);
    CHECK_INT(stats.pings_answered, 1);
}

static void a_plain_link_has_its_peer_and_no_tls(void) {
    struct recorder *r = new_client();
    nsws_client_stats stats = stats_of(r);
    CHECK_STR(stats.peer_ip, "");
    CHECK_INT(stats.peer_port, 0);
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    stats = stats_of(r);
    CHECK_STR(stats.peer_ip, "127.0.0.1");
    CHECK_INT(stats.peer_port, atoi(setting("NSWS_RAW_PORT")));
    CHECK_INT(stats.tls_version, 0);
    CHECK_STR(stats.tls_cipher, "");
    CHECK_STR(stats.extensions, "");
    CHECK_INT(stats.proxy_us + stats.reconnects, 0);
}

static void a_link_with_tls_has_its_version_and_cipher(void) {
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("ca.pem");
    struct recorder *r = new_client();
    if (!OPENS(r, setting("NSWS_ECHO_WSS_URL"), &options)) return;
    nsws_client_stats stats = stats_of(r);
    CHECK_INT(stats.tls_version, NSWS_TLS_1_3);
    CHECK(strncmp(stats.tls_cipher, "TLS_", 4) == 0 && !strstr(stats.tls_cipher, "TLS13"));
    CHECK_LEAST(stats.tls_us, 1);
    CHECK_LEAST(stats.wire_bytes_received, 1000);
}

static void extensions_are_told_as_agreed(void) {
    nsws_connect_options options = defaults();
    options.compression = 1;
    struct recorder *r = new_client();
    int32_t code = nsws_client_connect(r->client, setting("NSWS_DEFLATE_PYTHON_URL"), &options);
    if (code == NSWS_ERR_NOT_SUPPORTED) return; /* A build without compression. */
    CHECK_OK(code);
    if (!WAIT(r, OPEN, 1)) return;
    nsws_client_stats stats = stats_of(r);
    CHECK(strncmp(stats.extensions, "permessage-deflate", 18) == 0);
}

static void a_way_through_a_proxy_has_its_time_and_the_proxy_s_address(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    char *port = ask_peer("proxy %s tunnel", r->token);
    options.proxy_mode = NSWS_PROXY_HTTP;
    options.proxy_host = "127.0.0.1";
    options.proxy_port = port ? (uint32_t)atoi(port) : 1;
    free(port);
    if (!OPENS(r, raw_url(r, "/echo"), &options)) return;
    nsws_client_stats stats = stats_of(r);
    CHECK_LEAST(stats.proxy_us, 1);
    CHECK_LEAST(stats.tcp_us, stats.proxy_us);
    CHECK_INT(stats.peer_port, options.proxy_port);
}

static void reconnects_are_counted_since_connect(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = quiet();
    options.reconnect_max_attempts = 1;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 10;
    if (!OPENS(r, raw_url(r, "/rst-after-open"), &options)) return;
    for (size_t i = 1; i <= 3; i++) {
        CHECK_INT(stats_of(r).reconnects, i - 1);
        CHECK_OK(nsws_client_send_text(r->client, "go", 2));
        if (!WAIT(r, OPEN, i + 1)) return;
    }
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    if (!WAIT(r, CLOSE, 4) || !OPENS(r, raw_url(r, "/echo"), &options)) return;
    CHECK_INT(stats_of(r).reconnects, 0);
}

/* The struct of a program that was built with an earlier version. */
static void an_older_program_gets_what_it_knows(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    union {
        nsws_client_stats stats;
        unsigned char bytes[sizeof(nsws_client_stats)];
    } old;
    size_t size = offsetof(nsws_client_stats, wire_bytes_sent);
    memset(&old, 0xee, sizeof old);
    CHECK_OK(nsws_client_get_stats(r->client, &old.stats, size));
    CHECK_INT(old.stats.struct_size, size);
    for (size_t i = size; i < sizeof old; i++)
        if (!CHECK_INT(old.bytes[i], 0xee)) return;
}

/* Connections of a server. */

static nsws_connection_info info_of(nsws_connection connection) {
    nsws_connection_info info;
    memset(&info, 0xff, sizeof info);
    CHECK_OK(nsws_connection_get_info(connection, &info, sizeof info));
    CHECK_INT(info.struct_size, sizeof info);
    return info;
}

static void a_server_s_connection_counts_what_its_client_counts(void) {
    struct server *s = started_server(NULL);
    nsws_connect_options options = quiet();
    struct recorder *r = new_client();
    if (!s) return;
    s->echo = 1;
    if (!OPENS(r, url_of(s, "/"), &options)) return;
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!connect) return;
    nsws_connection_info info = info_of(connect->connection);
    nsws_client_stats stats = stats_of(r);
    CHECK_INT(info.wire_bytes_sent, stats.wire_bytes_received);
    CHECK_INT(info.wire_bytes_received, stats.wire_bytes_sent);
    CHECK_INT(info.smoothed_rtt_us + info.first_message_us + info.pings_answered, 0);
    CHECK_INT(info.tls_version + info.tls_resumed, 0);
    CHECK_STR(info.tls_cipher, "");
    CHECK_OK(nsws_client_send_text(r->client, "hello", 5));
    if (!WAIT(r, MESSAGE, 1)) return;
    nsws_connection_info later = info_of(connect->connection);
    CHECK_INT(later.wire_bytes_received - info.wire_bytes_received, 2 + 4 + 5);
    CHECK_INT(later.wire_bytes_sent - info.wire_bytes_sent, 2 + 5);
    CHECK_LEAST(later.first_message_us, 1);
    CHECK_OK(nsws_connection_ping(connect->connection, "1", 1));
    /* Behind the pong. */
    CHECK_OK(nsws_connection_send_text(connect->connection, "2", 1));
    if (!WAIT(r, MESSAGE, 2)) return;
    CHECK_OK(nsws_client_send_text(r->client, "3", 1));
    if (!SERVER_WAIT(s, ON_MESSAGE, 2)) return;
    info = info_of(connect->connection);
    CHECK_LEAST(info.rtt_us, 1);
    CHECK_INT(info.smoothed_rtt_us, info.rtt_us);
    CHECK_INT(info.pings_answered, 1);
}

static void a_server_s_connection_over_tls_has_its_version_and_cipher(void) {
    nsws_server_options options = server_defaults();
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    struct server *s = started_server(&options);
    if (!s) return;
    nsws_connect_options trusting = quiet();
    trusting.ca_path = certificate_file("ca.pem");
    char url[64];
    snprintf(url, sizeof url, "wss://localhost:%d/", s->port);
    for (size_t i = 1; i <= 2; i++) {
        struct recorder *r = new_client();
        if (!OPENS(r, url, &trusting)) return;
        const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, i);
        if (!connect) return;
        /* What resumes a session has come before the message. */
        CHECK_OK(nsws_connection_send_text(connect->connection, "a", 1));
        if (!WAIT(r, MESSAGE, 1)) return;
        nsws_connection_info info = info_of(connect->connection);
        nsws_client_stats stats = stats_of(r);
        CHECK_INT(info.tls_version, NSWS_TLS_1_3);
        CHECK_STR(info.tls_cipher, stats.tls_cipher);
        CHECK_INT(info.tls_resumed, stats.tls_resumed);
        CHECK_INT(info.tls_resumed, i - 1);
        /* The certificates are sent once. */
        if (!info.tls_resumed) CHECK_LEAST(info.wire_bytes_sent, 1000);
    }
}

/* The struct of a program that was built with an earlier version. */
static void an_older_program_gets_what_it_knows_of_a_server_s_connection(void) {
    struct server *s = started_server(NULL);
    struct recorder *r = s ? OPEN_CLIENT(s, "/") : NULL;
    const struct server_event *connect = r ? SERVER_WAIT(s, ON_CONNECT, 1) : NULL;
    if (!connect) return;
    union {
        nsws_connection_info info;
        unsigned char bytes[sizeof(nsws_connection_info)];
    } old;
    size_t size = offsetof(nsws_connection_info, wire_bytes_sent);
    memset(&old, 0xee, sizeof old);
    CHECK_OK(nsws_connection_get_info(connect->connection, &old.info, size));
    CHECK_STR(old.info.link_ip, "127.0.0.1");
    for (size_t i = size; i < sizeof old; i++)
        if (!CHECK_INT(old.bytes[i], 0xee)) return;
}

int main(void) {
    RUN(bytes_on_the_wire_are_those_of_requests_and_frames);
    RUN(the_first_message_has_its_time);
    RUN(round_trips_are_smoothed);
    RUN(a_plain_link_has_its_peer_and_no_tls);
    RUN(a_link_with_tls_has_its_version_and_cipher);
    RUN(extensions_are_told_as_agreed);
    RUN(a_way_through_a_proxy_has_its_time_and_the_proxy_s_address);
    RUN(reconnects_are_counted_since_connect);
    RUN(an_older_program_gets_what_it_knows);
    RUN(a_server_s_connection_counts_what_its_client_counts);
    RUN(a_server_s_connection_over_tls_has_its_version_and_cipher);
    RUN(an_older_program_gets_what_it_knows_of_a_server_s_connection);
    return end_tests();
}
