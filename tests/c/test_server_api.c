/* The server's functions with everything they may be given: handles, NULLs, options, addresses, files. */
#include "server.h"

/* Handles. */

static void some_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}
static void some_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}
static void some_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}
static void some_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}
static void some_drain(nsws_server s, nsws_connection c, const nsws_drain_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}
static void some_http(nsws_server s, const nsws_http_request *r, nsws_http_answer *a, void *user) {
    (void)s, (void)r, (void)a, (void)user;
}
static uint16_t some_accept(nsws_server s, const nsws_connect_event *e, void *user) {
    (void)s, (void)e, (void)user;
    return 0;
}

static int frees;

static void count_free(void *user) {
    (void)user;
    __atomic_add_fetch(&frees, 1, __ATOMIC_SEQ_CST);
}

static int32_t call_start(nsws_server s) { return nsws_server_start(s, NULL); }
static int32_t call_stop(nsws_server s) { return nsws_server_stop(s); }
static int32_t call_port(nsws_server s) {
    uint16_t port = 7;
    int32_t code = nsws_server_get_port(s, &port);
    CHECK_INT(port, 7);
    return code;
}
static int32_t call_get_state(nsws_server s) {
    int32_t state = 7, code = nsws_server_get_state(s, &state);
    CHECK_INT(state, 7);
    return code;
}
static int32_t call_list(nsws_server s) {
    nsws_connection list[1] = { { 7 } };
    size_t count = 7;
    int32_t code = nsws_server_list_connections(s, list, 1, &count);
    CHECK(count == 7 && list[0].id == 7);
    return code;
}
static int32_t call_find(nsws_server s) {
    nsws_connection found = { 7 };
    int32_t code = nsws_server_find_connection(s, "127.0.0.1", 1, &found);
    CHECK(found.id == 7);
    return code;
}
static int32_t call_broadcast(nsws_server s) {
    size_t accepted = 7;
    int32_t code = nsws_server_broadcast(s, "x", 1, 1, &accepted);
    CHECK_INT(accepted, 7);
    return code;
}
static int32_t call_set_accept_hook(nsws_server s) { return nsws_server_set_accept_hook(s, some_accept, NULL, count_free); }
static int32_t call_clear_accept_hook(nsws_server s) { return nsws_server_set_accept_hook(s, NULL, NULL, NULL); }
static int32_t call_set_http_hook(nsws_server s) { return nsws_server_set_http_hook(s, some_http, NULL, count_free); }
static int32_t call_on_connect(nsws_server s) { return nsws_server_on_connect(s, some_connect, NULL, count_free); }
static int32_t call_on_message(nsws_server s) { return nsws_server_on_message(s, some_message, NULL, count_free); }
static int32_t call_on_close(nsws_server s) { return nsws_server_on_close(s, some_close, NULL, count_free); }
static int32_t call_on_error(nsws_server s) { return nsws_server_on_error(s, some_error, NULL, count_free); }
static int32_t call_on_drain(nsws_server s) { return nsws_server_on_drain(s, some_drain, NULL, count_free); }
static int32_t call_off_connect(nsws_server s) { return nsws_server_off_connect(s, NULL, NULL); }
static int32_t call_off_message(nsws_server s) { return nsws_server_off_message(s, NULL, NULL); }
static int32_t call_off_close(nsws_server s) { return nsws_server_off_close(s, NULL, NULL); }
static int32_t call_off_error(nsws_server s) { return nsws_server_off_error(s, NULL, NULL); }
static int32_t call_off_drain(nsws_server s) { return nsws_server_off_drain(s, NULL, NULL); }
static int32_t call_broadcast_group(nsws_server s) {
    size_t accepted = 7;
    int32_t code = nsws_server_broadcast_group(s, "room", "x", 1, 1, &accepted);
    CHECK_INT(accepted, 7);
    return code;
}
static int32_t call_list_bans(nsws_server s) {
    size_t count = 7;
    int32_t code = nsws_server_list_bans(s, NULL, 0, &count);
    CHECK_INT(count, 7);
    return code;
}
static int32_t call_unban(nsws_server s) { return nsws_server_unban(s, "127.0.0.1"); }
static int32_t call_add_certificate(nsws_server s) { return nsws_server_add_certificate(s, "cert", "key"); }
static int32_t call_reload_certificates(nsws_server s) { return nsws_server_reload_certificates(s); }
static int32_t call_stop_gracefully(nsws_server s) { return nsws_server_stop_gracefully(s, 1000); }
static int32_t call_destroy(nsws_server s) { return nsws_server_destroy(s); }
static int32_t call_release(nsws_server s) { return nsws_server_release(s); }

static const struct {
    const char *name;
    int32_t (*call)(nsws_server);
} server_calls[] = {
    { "start", call_start },
    { "stop", call_stop },
    { "get_port", call_port },
    { "get_state", call_get_state },
    { "list_connections", call_list },
    { "find_connection", call_find },
    { "broadcast", call_broadcast },
    { "set_accept_hook", call_set_accept_hook },
    { "set_accept_hook NULL", call_clear_accept_hook },
    { "set_http_hook", call_set_http_hook },
    { "on_connect", call_on_connect },
    { "on_message", call_on_message },
    { "on_close", call_on_close },
    { "on_error", call_on_error },
    { "on_drain", call_on_drain },
    { "off_connect", call_off_connect },
    { "off_message", call_off_message },
    { "off_close", call_off_close },
    { "off_error", call_off_error },
    { "off_drain", call_off_drain },
    { "broadcast_group", call_broadcast_group },
    { "list_bans", call_list_bans },
    { "unban", call_unban },
    { "add_certificate", call_add_certificate },
    { "reload_certificates", call_reload_certificates },
    { "stop_gracefully", call_stop_gracefully },
    { "destroy", call_destroy },
    { "release", call_release },
};
enum { SERVER_CALLS = sizeof server_calls / sizeof server_calls[0] };

static int32_t call_send_text(nsws_connection c) { return nsws_connection_send_text(c, "x", 1); }
static int32_t call_send_binary(nsws_connection c) { return nsws_connection_send_binary(c, "x", 1); }
static int32_t call_ping(nsws_connection c) { return nsws_connection_ping(c, "x", 1); }
static int32_t call_close(nsws_connection c) { return nsws_connection_close(c, 1000, ""); }
static int32_t call_cork(nsws_connection c) { return nsws_connection_cork(c); }
static int32_t call_uncork(nsws_connection c) { return nsws_connection_uncork(c); }
static int32_t call_pause(nsws_connection c) { return nsws_connection_pause(c); }
static int32_t call_resume(nsws_connection c) { return nsws_connection_resume(c); }
static int32_t call_join(nsws_connection c) { return nsws_connection_join(c, "room"); }
static int32_t call_leave(nsws_connection c) { return nsws_connection_leave(c, "room"); }
static int32_t call_get_info(nsws_connection c) {
    nsws_connection_info info = { .struct_size = 7, .client_port = 7 };
    int32_t code = nsws_connection_get_info(c, &info, sizeof info);
    CHECK(info.struct_size == 7 && info.client_port == 7);
    return code;
}

static const struct {
    const char *name;
    int32_t (*call)(nsws_connection);
} connection_calls[] = {
    { "send_text", call_send_text },
    { "send_binary", call_send_binary },
    { "ping", call_ping },
    { "close", call_close },
    { "cork", call_cork },
    { "uncork", call_uncork },
    { "pause", call_pause },
    { "resume", call_resume },
    { "join", call_join },
    { "leave", call_leave },
    { "get_info", call_get_info },
};
enum { CONNECTION_CALLS = sizeof connection_calls / sizeof connection_calls[0] };

static void refused_by_all(uint64_t id, const char *what) {
    nsws_server server = { id };
    nsws_connection connection = { id };
    for (int i = 0; i < SERVER_CALLS; i++) {
        int32_t code = server_calls[i].call(server);
        if (code != NSWS_ERR_BAD_HANDLE)
            harness_fail(__FILE__, __LINE__, "nsws_server_%s with %s gives %s", server_calls[i].name, what, nsws_error_name(code));
    }
    for (int i = 0; i < CONNECTION_CALLS; i++) {
        int32_t code = connection_calls[i].call(connection);
        if (code != NSWS_ERR_BAD_HANDLE)
            harness_fail(__FILE__, __LINE__, "nsws_connection_%s with %s gives %s", connection_calls[i].name, what,
                         nsws_error_name(code));
    }
}

static void handles_that_name_nothing_are_refused_by_every_function(void) {
    frees = 0;
    refused_by_all(0, "0");
    refused_by_all(1, "1");
    refused_by_all(UINT64_MAX, "all ones");
    refused_by_all((uint64_t)1 << 53, "2^53");
    nsws_server destroyed;
    CHECK_OK(nsws_server_create(&destroyed));
    CHECK(destroyed.id != 0 && destroyed.id < (uint64_t)1 << 53);
    CHECK_OK(nsws_server_destroy(destroyed));
    refused_by_all(destroyed.id, "a destroyed server");
    CHECK_OK(nsws_server_create(&destroyed));
    CHECK_OK(nsws_server_release(destroyed));
    refused_by_all(destroyed.id, "a released server");
    refused_by_all(new_client()->client.id, "a client");
    CHECK_INT(frees, 0);
}

static void handles_of_one_kind_are_refused_as_another(void) {
    struct server *s = started_server(NULL);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    nsws_connection connection = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    CHECK(connection.id != 0 && connection.id < (uint64_t)1 << 53);
    for (int i = 0; i < SERVER_CALLS; i++) {
        nsws_server server = { connection.id };
        CHECK_CODE(server_calls[i].call(server), NSWS_ERR_BAD_HANDLE);
    }
    for (int i = 0; i < CONNECTION_CALLS; i++) {
        nsws_connection wrong = { s->handle.id };
        CHECK_CODE(connection_calls[i].call(wrong), NSWS_ERR_BAD_HANDLE);
    }
    nsws_client client = { connection.id };
    CHECK_CODE(nsws_client_send_text(client, "x", 1), NSWS_ERR_BAD_HANDLE);
    CHECK_OK(nsws_connection_send_text(connection, "x", 1));
    WAIT(r, MESSAGE, 1);
}

/* Its last moment: while the close listeners run the handle is good, and nothing can be sent. */
static void use_in_close(struct server *s, const struct server_event *event) {
    nsws_connection_info info;
    nsws_connection found;
    if (event->kind != ON_CLOSE || server_count(s, ON_CLOSE) > 1) return;
    CHECK_OK(nsws_connection_get_info(event->connection, &info, sizeof info));
    CHECK_INT(info.messages_received, 1);
    CHECK_CODE(nsws_connection_send_text(event->connection, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_connection_ping(event->connection, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_connection_close(event->connection, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    CHECK_INT(listed(s), 1);
    CHECK_OK(nsws_server_find_connection(s->handle, "127.0.0.1", info.client_port, &found));
}

static void a_connection_s_handle_is_stale_after_its_close(void) {
    struct server *s = started_server(NULL);
    s->hook = use_in_close;
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    nsws_connection connection = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    SERVER_WAIT(s, ON_CLOSE, 1);
    BECOMES(listed(s), 0);
    for (int i = 0; i < CONNECTION_CALLS; i++) CHECK_CODE(connection_calls[i].call(connection), NSWS_ERR_BAD_HANDLE);
    /* Nor does the next connection get the same handle. */
    if (!OPEN_CLIENT(s, "/")) return;
    const struct server_event *next = SERVER_WAIT(s, ON_CONNECT, 2);
    CHECK(next && next->connection.id != connection.id);
}

/* Parameters. */

static void null_never_crashes(void) {
    nsws_server_options options;
    nsws_connection_info info;
    struct server *s = started_server(NULL);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    nsws_connection c = SERVER_WAIT(s, ON_CONNECT, 1)->connection, found;
    size_t count = 7;
    frees = 0;
    CHECK_CODE(nsws_server_create(NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_options_init(NULL, sizeof options), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_get_port(s->handle, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_get_state(s->handle, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_list_connections(s->handle, NULL, 1, &count), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_list_connections(s->handle, &found, 1, NULL), NSWS_ERR_PARAMETER);
    CHECK_INT(count, 7);
    CHECK_OK(nsws_server_list_connections(s->handle, NULL, 0, &count));
    CHECK_INT(count, 1);
    CHECK_CODE(nsws_server_find_connection(s->handle, NULL, 1, &found), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_find_connection(s->handle, "127.0.0.1", 1, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast(s->handle, NULL, 1, 1, &count), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_server_broadcast(s->handle, NULL, 0, 1, NULL));
    CHECK_CODE(nsws_server_on_connect(s->handle, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_on_message(s->handle, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_on_close(s->handle, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_on_error(s->handle, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_on_drain(s->handle, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_INT(frees, 0);
    CHECK_CODE(nsws_connection_send_text(c, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_send_binary(c, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_ping(c, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_connection_send_text(c, NULL, 0));
    CHECK_OK(nsws_connection_send_binary(c, NULL, 0));
    CHECK_OK(nsws_connection_ping(c, NULL, 0));
    CHECK_CODE(nsws_connection_get_info(c, NULL, sizeof info), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_get_info(c, &info, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_get_info(c, &info, 4097), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_connection_close(c, 1000, NULL));
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK_INT(close->code, 1000);
    CHECK_INT(count_events(r, MESSAGE), 3);
}

static void what_is_sent_is_checked_before_the_state(void) {
    struct server *s = started_server(NULL);
    struct frame frame;
    int fd = RAW_OPEN(s);
    if (fd < 0) return;
    nsws_connection c = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    size_t large = 5 * 1024 * 1024 + 1, count = 7;
    char *data = letters(large);
    CHECK_CODE(nsws_connection_send_text(c, data, large), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_send_binary(c, data, large), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast(s->handle, data, large, 0, &count), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_send_text(c, "\xc3(", 2), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast(s->handle, "\xc3(", 2, 1, &count), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast(s->handle, "x", 1, 2, &count), NSWS_ERR_PARAMETER);
    CHECK_INT(count, 7);
    static const uint16_t forbidden[] = { 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535 };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        CHECK_CODE(nsws_connection_close(c, forbidden[i], ""), NSWS_ERR_PARAMETER);
    char reason[125];
    memset(reason, 'r', 124);
    reason[124] = 0;
    CHECK_CODE(nsws_connection_close(c, 1000, reason), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_close(c, 1000, "\xff"), NSWS_ERR_PARAMETER);
    reason[123] = 0;
    CHECK_OK(nsws_connection_close(c, 4999, reason));
    CHECK_CODE(nsws_connection_close(c, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_connection_close(c, 1006, ""), NSWS_ERR_PARAMETER);
    /* The close frame is the first that the client gets. */
    if (CHECK(raw_receive(fd, 0, &frame))) {
        CHECK_INT(frame.first, CLOSE_FRAME);
        CHECK(frame.length == 125 && frame.data[0] << 8 == (4999 & 0xff00) && frame.data[1] == (4999 & 0xff));
        CHECK(memcmp(frame.data + 2, reason, 123) == 0);
    }
    close(fd);
    /* Without clients it is the same. */
    BECOMES(listed(s), 0);
    CHECK_CODE(nsws_server_broadcast(s->handle, data, large, 0, &count), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_server_broadcast(s->handle, data, large - 1, 0, &count));
    CHECK_INT(count, 0);
    free(data);
}

static void clients_are_found_by_address_and_port(void) {
    struct server *s = started_server(NULL);
    nsws_connection found = { 0 };
    CHECK_CODE(nsws_server_find_connection(s->handle, "127.0.0.1", 1, &found), NSWS_ERR_NO_CONNECTION);
    CHECK_CODE(nsws_server_find_connection(s->handle, "localhost", 1, &found), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_find_connection(s->handle, "", 1, &found), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_find_connection(s->handle, "127.0.0.1:1", 1, &found), NSWS_ERR_PARAMETER);
    int one = raw_open_at(__FILE__, __LINE__, raw_connect_from("127.0.0.1", s->port), RAW_REQUEST);
    int two = raw_open_at(__FILE__, __LINE__, raw_connect_from("127.0.0.2", s->port), RAW_REQUEST);
    SERVER_WAIT(s, ON_CONNECT, 2);
    CHECK_OK(nsws_server_find_connection(s->handle, "127.0.0.2", raw_port(two), &found));
    nsws_connection_info info;
    CHECK_OK(nsws_connection_get_info(found, &info, sizeof info));
    CHECK_STR(info.client_ip, "127.0.0.2");
    CHECK_INT(info.client_port, raw_port(two));
    CHECK_INT(info.struct_size, sizeof info);
    /* The same client, written as IPv6. */
    nsws_connection mapped = { 0 };
    CHECK_OK(nsws_server_find_connection(s->handle, "::ffff:127.0.0.2", raw_port(two), &mapped));
    CHECK(mapped.id == found.id);
    CHECK_CODE(nsws_server_find_connection(s->handle, "127.0.0.2", raw_port(one), &found), NSWS_ERR_NO_CONNECTION);
    /* A short list tells how long it should be. */
    nsws_connection list[3] = { { 7 }, { 7 }, { 7 } };
    size_t count = 0;
    CHECK_OK(nsws_server_list_connections(s->handle, list, 1, &count));
    CHECK(count == 2 && list[0].id != 7 && list[1].id == 7);
    CHECK_OK(nsws_server_list_connections(s->handle, list, 3, &count));
    CHECK(count == 2 && list[0].id != list[1].id && list[1].id != 7 && list[2].id == 7);
    close(one);
    close(two);
    SERVER_WAIT(s, ON_CLOSE, 2);
    BECOMES(listed(s), 0);
}

/* Options. */

static void the_defaults_are_the_contract_s(void) {
    nsws_server_options options;
    memset(&options, 0xaa, sizeof options);
    CHECK_OK(nsws_server_options_init(&options, sizeof options));
    CHECK_INT(options.struct_size, sizeof options);
    CHECK(!options.server_ip && !options.cert_path && !options.key_path && !options.protocol);
    CHECK_INT(options.server_port, 0);
    CHECK_INT(options.max_concurrent_clients, 10);
    CHECK_INT(options.max_connections_per_client, 10);
    CHECK_INT(options.max_upgrades_per_minute, 50);
    CHECK_INT(options.handshake_timeout_ms, 10000);
    CHECK_INT(options.ping_interval_ms, 30000);
    CHECK_INT(options.pong_timeout_ms, NSWS_PONG_TIMEOUT_DEFAULT);
    CHECK_INT(options.close_timeout_ms, 5000);
    CHECK_INT(options.max_receive_size, 16 << 20);
    CHECK_INT(options.max_send_size, 5 << 20);
    CHECK_INT(options.send_queue_size, 16 << 20);
    CHECK_INT(options.min_tls_version, NSWS_TLS_1_2);
    /* Members that this version doesn't know become zero, and are accepted. */
    struct {
        nsws_server_options known;
        char newer[64];
    } large;
    memset(&large, 0xaa, sizeof large);
    CHECK_OK(nsws_server_options_init(&large.known, sizeof large));
    CHECK_INT(large.newer[0] | large.newer[63], 0);
    large.known.server_ip = "127.0.0.1";
    struct server *s = new_server();
    if (START(s, &large.known)) CHECK_OK(nsws_server_stop(s->handle));
    large.newer[63] = 1;
    CHECK_CODE(nsws_server_start(s->handle, &large.known), NSWS_ERR_PARAMETER);
    /* Without options it listens on every IPv4 address. */
    CHECK_OK(nsws_server_start(s->handle, NULL));
    CHECK_OK(nsws_server_get_port(s->handle, &s->port));
    int fd = raw_connect(s);
    CHECK(fd >= 0);
    close(fd);
    CHECK_INT(options.proxy_protocol, 0);
    CHECK_INT(options.response_header_count, 0);
    CHECK(options.health_path == NULL && options.response_headers == NULL);
    CHECK(options.trusted_proxies == NULL && options.client_ca_path == NULL);
}

static void options_out_of_their_range_are_refused(void) {
    struct server *s = new_server();
    nsws_server_options options;
#define REFUSED(change, code)                                             \
    options = server_defaults();                                          \
    change;                                                               \
    CHECK_CODE(nsws_server_start(s->handle, &options), code);             \
    CHECK_CODE(nsws_server_get_port(s->handle, &s->port), NSWS_ERR_NOT_LISTENING)
    REFUSED(options.struct_size = 0, NSWS_ERR_PARAMETER);
    REFUSED(options.struct_size = 4097, NSWS_ERR_PARAMETER);
    REFUSED(options.handshake_timeout_ms = 0, NSWS_ERR_PARAMETER);
    REFUSED(options.close_timeout_ms = 0, NSWS_ERR_PARAMETER);
    REFUSED(options.max_receive_size = 0, NSWS_ERR_PARAMETER);
    REFUSED(options.ping_interval_ms = 30000001, NSWS_ERR_PARAMETER);
    REFUSED((options.ping_interval_ms = 100, options.pong_timeout_ms = 101), NSWS_ERR_PARAMETER);
    REFUSED(options.min_tls_version = 11, NSWS_ERR_PARAMETER);
    REFUSED(options.min_tls_version = 0, NSWS_ERR_PARAMETER);
    REFUSED(options.protocol = "a b", NSWS_ERR_PARAMETER);
    REFUSED(options.protocol = "a\r\nX: y", NSWS_ERR_PARAMETER);
    REFUSED(options.protocol = "\xff", NSWS_ERR_PARAMETER);
    REFUSED(options.cert_path = "\xff", NSWS_ERR_PARAMETER);
    REFUSED(options.server_port = 65536, NSWS_ERR_LISTEN_PORT);
    REFUSED(options.server_port = UINT32_MAX, NSWS_ERR_LISTEN_PORT);
#undef REFUSED
    /* Values at the edges are accepted. */
    options = server_defaults();
    options.protocol = " a ,, b,a";
    options.ping_interval_ms = 30000000;
    options.max_connections_per_client = options.max_concurrent_clients = UINT32_MAX;
    options.max_receive_size = 1;
    options.max_send_size = options.send_queue_size = SIZE_MAX;
    options.close_timeout_ms = options.handshake_timeout_ms = UINT32_MAX;
    if (!START(s, &options)) return;
    int fd = RAW_OPEN(s);
    raw_send(fd, TEXT_FRAME, "x", 1);
    SERVER_WAIT(s, ON_MESSAGE, 1);
    close(fd);
}

static void addresses_that_are_not_this_device_s_are_refused(void) {
    static const char *const wrong[] = {
        "localhost", "127.0.0.1:80", "[::1]", "1.2.3", "127.0.0.256", "::g", "\xff", " 127.0.0.1", "192.0.2.1",
        "2001:db8::1", "255.255.255.255", "224.0.0.1", "ff02::1",
    };
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.server_ip = wrong[i];
        int32_t code = nsws_server_start(s->handle, &options);
        if (code != NSWS_ERR_LISTEN_ADDRESS)
            harness_fail(__FILE__, __LINE__, "server_ip \"%s\" gives %s", wrong[i], nsws_error_name(code));
        if (code == NSWS_OK) nsws_server_stop(s->handle);
    }
    options.server_ip = "";
    START(s, &options);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (file == NULL) abort();
    fputs(text, file);
    fclose(file);
}

static void what_is_wrong_is_told_in_this_order(void) {
    struct server *s = started_server(NULL), *other = new_server();
    const char *missing = certificate_file("there-is-none.pem");
    const char *bad = certificate_file("empty.pem");
    nsws_server_options options = server_defaults();
    /* Everything is wrong at once; each time the first of it is put right. */
    options.close_timeout_ms = 0;
    options.server_ip = "nowhere";
    options.server_port = 65536;
    options.cert_path = missing;
    options.key_path = missing;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    options.close_timeout_ms = 1000;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_LISTEN_ADDRESS);
    CHECK_CONTAINS(nsws_last_error(), "nowhere");
    options.server_ip = "127.0.0.1";
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_LISTEN_PORT);
    CHECK_CONTAINS(nsws_last_error(), "65536");
    options.server_port = s->port;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_FILE);
    CHECK_CONTAINS(nsws_last_error(), missing);
    options.cert_path = certificate_file("good.pem");
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_FILE);
    options.key_path = NULL;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_FILE);
    options.key_path = bad;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_UNUSABLE);
    CHECK_CONTAINS(nsws_last_error(), bad);
    options.cert_path = options.key_path = NULL;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_ALREADY_CONNECTED);
    CHECK_CODE(nsws_server_start(other->handle, &options), NSWS_ERR_PORT_IN_USE);
    /* The server that listens is not affected. */
    if (OPEN_CLIENT(s, "/")) SERVER_WAIT(s, ON_CONNECT, 1);
    /* "" is not a certificate, nor is a key alone, nor is a folder a file. */
    options.cert_path = "";
    options.key_path = missing;
    options.server_port = 0;
    if (START(other, &options)) CHECK_OK(nsws_server_stop(other->handle));
    options.cert_path = setting("NSWS_CERT_DIR");
    CHECK_CODE(nsws_server_start(other->handle, &options), NSWS_ERR_CERT_FILE);
}

static void a_port_in_use_is_told_whoever_uses_it(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    int fd, port = refused_port(&fd);
    listen(fd, 1);
    options.server_port = (uint32_t)port;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PORT_IN_USE);
    CHECK_CONTAINS(nsws_last_error(), "127.0.0.1");
    options.server_ip = "0.0.0.0";
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PORT_IN_USE);
    options.server_ip = "127.0.0.2";
    CHECK_OK(nsws_server_start(s->handle, &options));
    CHECK_OK(nsws_server_stop(s->handle));
    close(fd);
    options.server_ip = "127.0.0.1";
    CHECK_OK(nsws_server_start(s->handle, &options));
}

static void the_system_picks_port_0(void) {
    struct server *one = started_server(NULL), *two = started_server(NULL);
    CHECK(one->port != 0 && two->port != 0 && one->port != two->port);
    struct server *servers[] = { one, two };
    for (int i = 0; i < 2; i++)
        if (OPEN_CLIENT(servers[i], "/")) SERVER_WAIT(servers[i], ON_CONNECT, 1);
}

/* Every state. */

static void a_server_that_does_not_listen_says_so(void) {
    struct server *s = new_server();
    for (int round = 0; round < 2; round++) {
        size_t count = 7;
        nsws_connection found;
        CHECK_CODE(nsws_server_stop(s->handle), NSWS_ERR_NOT_LISTENING);
        CHECK_CODE(nsws_server_get_port(s->handle, &s->port), NSWS_ERR_NOT_LISTENING);
        CHECK_OK(nsws_server_list_connections(s->handle, NULL, 0, &count));
        CHECK_INT(count, 0);
        count = 7;
        CHECK_OK(nsws_server_broadcast(s->handle, "x", 1, 1, &count));
        CHECK_INT(count, 0);
        CHECK_CODE(nsws_server_find_connection(s->handle, "127.0.0.1", 1, &found), NSWS_ERR_NO_CONNECTION);
        if (round == 0 && START(s, NULL)) CHECK_OK(nsws_server_stop(s->handle));
    }
}

/* The state during a listener of `close`. */
static int32_t state_in_close;

static void note_state_in_close(struct server *s, const struct server_event *event) {
    if (event->kind != ON_CLOSE) return;
    int32_t state = -1;
    CHECK_OK(nsws_server_get_state(s->handle, &state));
    __atomic_store_n(&state_in_close, state, __ATOMIC_SEQ_CST);
}

static int32_t server_state(struct server *s) {
    int32_t state = -1;
    CHECK_OK(nsws_server_get_state(s->handle, &state));
    return state;
}

static void a_server_s_state_is_idle_open_closing_idle(void) {
    struct server *s = new_server();
    struct frame frame;
    s->hook = note_state_in_close;
    for (int round = 0; round < 2; round++) {
        CHECK_INT(server_state(s), NSWS_STATE_IDLE);
        if (!START(s, NULL)) return;
        CHECK_INT(server_state(s), NSWS_STATE_OPEN);
        int fd = RAW_OPEN(s);
        if (fd < 0 || !SERVER_WAIT(s, ON_CONNECT, (size_t)round + 1)) return;
        __atomic_store_n(&state_in_close, -1, __ATOMIC_SEQ_CST);
        CHECK_OK(nsws_server_stop(s->handle));
        /* The client has not answered yet. */
        CHECK_INT(server_state(s), NSWS_STATE_CLOSING);
        CHECK(raw_receive(fd, 0, &frame) && frame.first == CLOSE_FRAME);
        close(fd);
        SERVER_WAIT(s, ON_CLOSE, (size_t)round + 1);
        /* The hook runs after what is waited for. */
        BECOMES(__atomic_load_n(&state_in_close, __ATOMIC_SEQ_CST), NSWS_STATE_CLOSING);
        BECOMES(server_state(s), NSWS_STATE_IDLE);
    }
}

static uint64_t round_trip(nsws_connection c) {
    nsws_connection_info info = { 0 };
    CHECK_OK(nsws_connection_get_info(c, &info, sizeof info));
    return info.rtt_us;
}

static void a_ping_to_a_client_is_answered_and_timed(void) {
    struct server *s = started_server(NULL);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    nsws_connection c = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    char data[126] = "knock";
    CHECK_INT(round_trip(c), 0);
    CHECK_CODE(nsws_connection_ping(c, data, 126), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_connection_ping(c, data, 125));
    BECOMES(round_trip(c) > 0, 1);
    CHECK_OK(nsws_connection_close(c, 1000, ""));
    WAIT(r, CLOSE, 1);
    CHECK_INT(count_events(r, MESSAGE), 0);
}

static void the_old_name_of_get_port_goes_on_working(void) {
    struct server *s = started_server(NULL);
    uint16_t port = 0;
    CHECK_OK(nsws_server_port(s->handle, &port));
    CHECK_INT(port, s->port);
}

static void listeners_and_the_hook_are_freed_once(void) {
    struct server *s = new_server();
    frees = 0;
    CHECK_OK(call_on_connect(s->handle));
    CHECK_OK(call_on_connect(s->handle)); /* the same: counts once */
    CHECK_OK(call_on_message(s->handle));
    CHECK_OK(call_on_close(s->handle));
    CHECK_OK(call_on_error(s->handle));
    CHECK_OK(call_on_drain(s->handle));
    CHECK_OK(call_set_accept_hook(s->handle));
    CHECK_INT(frees, 0);
    CHECK_OK(call_set_accept_hook(s->handle)); /* replaces the first */
    CHECK_INT(frees, 1);
    CHECK_OK(call_clear_accept_hook(s->handle));
    CHECK_INT(frees, 2);
    CHECK_OK(nsws_server_off_connect(s->handle, some_connect, s));
    CHECK_INT(frees, 2);
    CHECK_OK(nsws_server_off_connect(s->handle, some_connect, NULL));
    CHECK_INT(frees, 3);
    CHECK_OK(call_set_accept_hook(s->handle));
    destroy_server(s);
    CHECK_INT(frees, 8);
}

/* Listeners of one event are called in their order, and not after off. */

static char calls[64];
static struct counter called;

static void note(char letter) {
    size_t length = strlen(calls);
    if (length + 1 < sizeof calls) calls[length] = letter;
}

static void on_message_a(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)c, (void)e;
    note('a');
    /* The next one is not called for this message, nor is this one called again. */
    if (strcmp(calls, "ababca") == 0) CHECK_OK(nsws_server_off_message(s, NULL, NULL));
    counter_add(user, 1);
}
static void on_message_b(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)c, (void)e;
    note('b');
    counter_add(user, 1);
}
static void on_message_c(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)c, (void)e;
    note('c');
    counter_add(user, 1);
}

static void listeners_are_called_in_the_order_of_their_registration(void) {
    struct server *s = new_server();
    counter_init(&called);
    memset(calls, 0, sizeof calls);
    CHECK_OK(nsws_server_off_message(s->handle, NULL, NULL));
    CHECK_OK(nsws_server_on_message(s->handle, on_message_a, &called, NULL));
    CHECK_OK(nsws_server_on_message(s->handle, on_message_b, &called, NULL));
    CHECK_OK(nsws_server_on_message(s->handle, on_message_a, &called, NULL)); /* the same */
    if (!START(s, NULL)) return;
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    CHECK_OK(nsws_client_send_text(r->client, "1", 1));
    WAIT_COUNTER(&called, 2);
    CHECK_OK(nsws_server_on_message(s->handle, on_message_c, &called, NULL));
    CHECK_OK(nsws_client_send_text(r->client, "2", 1));
    WAIT_COUNTER(&called, 5);
    CHECK_OK(nsws_client_send_text(r->client, "3", 1));
    WAIT_COUNTER(&called, 6);
    CHECK_OK(nsws_client_send_text(r->client, "4", 1));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    SERVER_WAIT(s, ON_CLOSE, 1);
    CHECK_STR(calls, "ababca");
}

/* The platform. */

static uint8_t answers_permission = 1, answers_tv = 1;

static uint8_t permission(void *user) {
    (void)user;
    return answers_permission;
}

/* Calls functions that take the library's locks, to find out whether one is held. */
static uint8_t is_tv(void *user) {
    nsws_client client;
    (void)user;
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_destroy(client));
    return answers_tv;
}

static void without_permission_every_call_is_refused_after_its_parameters(void) {
    nsws_platform platform;
    struct server *s = started_server(NULL), *idle = new_server();
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    nsws_connection c = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.has_internet_permission = permission;
    answers_permission = 0;
    CHECK_OK(nsws_set_platform(&platform));
    nsws_server_options options = server_defaults();
    struct server *both[] = { s, idle };
    for (int i = 0; i < 2; i++) {
        size_t count = 7;
        options.server_ip = i == 0 ? "nowhere" : "\xff";
        options.close_timeout_ms = 1;
        CHECK_CODE(nsws_server_start(both[i]->handle, &options), NSWS_ERR_PERMISSION_DENIED);
        options.close_timeout_ms = 0;
        CHECK_CODE(nsws_server_start(both[i]->handle, &options), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_stop(both[i]->handle), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_server_list_connections(both[i]->handle, NULL, 0, &count), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_server_broadcast(both[i]->handle, "x", 1, 1, &count), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_server_broadcast(both[i]->handle, "\xff", 1, 1, &count), NSWS_ERR_PARAMETER);
        CHECK_INT(count, 7);
    }
    CHECK_CODE(nsws_connection_send_text(c, "x", 1), NSWS_ERR_PERMISSION_DENIED);
    CHECK_CODE(nsws_connection_send_text(c, "\xff", 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_connection_send_binary(c, "x", 1), NSWS_ERR_PERMISSION_DENIED);
    CHECK_CODE(nsws_connection_ping(c, "x", 1), NSWS_ERR_PERMISSION_DENIED);
    CHECK_CODE(nsws_connection_close(c, 1000, ""), NSWS_ERR_PERMISSION_DENIED);
    CHECK_CODE(nsws_connection_close(c, 1006, ""), NSWS_ERR_PARAMETER);
    /* It had no effect. */
    answers_permission = 1;
    CHECK_OK(nsws_connection_send_text(c, "after", 5));
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "after");
    CHECK_OK(nsws_set_platform(NULL));
}

static void where_the_device_is_no_tv_there_is_no_server(void) {
    nsws_platform platform;
    nsws_server server = { 7 };
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.is_tv_device = is_tv;
    CHECK_OK(nsws_set_platform(&platform));
    answers_tv = 0;
    CHECK_CODE(nsws_server_create(&server), NSWS_ERR_NOT_SUPPORTED);
    CHECK_CODE(nsws_server_create(NULL), NSWS_ERR_PARAMETER);
    CHECK_INT(server.id, 7);
    answers_tv = 1;
    CHECK_OK(nsws_server_create(&server));
    CHECK_OK(nsws_server_destroy(server));
    CHECK_OK(nsws_set_platform(NULL));
}

/* Certificates. */

static nsws_server_options secure(const char *cert, const char *key) {
    nsws_server_options options = server_defaults();
    options.cert_path = certificate_file(cert);
    options.key_path = certificate_file(key);
    return options;
}

static struct recorder *open_secure(struct server *s, nsws_connect_options *options) {
    struct recorder *r = new_client();
    options->ca_path = certificate_file("ca.pem");
    snprintf(r->url, sizeof r->url, "wss://localhost:%d/", s->port);
    return OPENS(r, r->url, options) ? r : NULL;
}

static void certificates_that_can_not_be_used_say_why(void) {
    static const struct {
        const char *cert, *key, *words;
    } cases[] = {
        { "empty.pem", "good.key", "no PEM certificate" },
        { "good.pem", "good.pem", "no PEM private key" },
        { "good.pem", "wrong-name.key", "does not belong" },
        { "good.pem", "encrypted.key", "encrypted" },
        { "broken.pem", "good.key", "broken.pem" },
        { "good.pem", "broken.key", "broken.key" },
    };
    write_file(certificate_file("broken.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write_file(certificate_file("broken.key"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    struct server *s = new_server();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nsws_server_options options = secure(cases[i].cert, cases[i].key);
        CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_UNUSABLE);
        CHECK_CONTAINS(nsws_last_error(), cases[i].words);
        CHECK_LACKS(nsws_last_error(), "AAAA");
    }
    nsws_server_options options = secure("good.pem", "good.key");
    START(s, &options);
}

static void keys_of_every_form_and_chains_are_served(void) {
    static const char *const pairs[][2] = {
        { "good.pem", "good.key" }, { "good.pem", "sec1.key" }, { "rsa.pem", "rsa.key" }, { "rsa.pem", "pkcs1.key" },
        { "chain.pem", "chain.key" }, { "both.pem", "both.pem" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct server *s = new_server();
        nsws_server_options options = secure(pairs[i][0], pairs[i][1]);
        nsws_connect_options client = defaults();
        s->echo = 1;
        if (!START(s, &options)) continue;
        struct recorder *r = open_secure(s, &client);
        if (!r) {
            fprintf(stderr, "    with %s and %s\n", pairs[i][0], pairs[i][1]);
            continue;
        }
        CHECK_OK(nsws_client_send_text(r->client, "hello", 5));
        const struct event *message = WAIT(r, MESSAGE, 1);
        if (message) CHECK_STR(message->text, "hello");
        destroy_client(r);
        destroy_server(s);
    }
}

static void other_libraries_speak_tls_1_2_and_1_3(void) {
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct other *other = new_other(other_clients[i]);
        for (int oldest = NSWS_TLS_1_2; oldest <= NSWS_TLS_1_3; oldest++) {
            struct server *s = new_server();
            nsws_server_options options = secure("good.pem", "good.key");
            options.min_tls_version = (uint8_t)oldest;
            s->echo = 1;
            if (!START(s, &options)) return;
            CHECK_STR(ask_other(other, "tls 1.3"), "ok");
            CHECK_STR(ask_other(other, "open a wss://localhost:%d/", s->port), "open -");
            CHECK_STR(ask_other(other, "echo a binary 100000"), "same");
            CHECK_STR(ask_other(other, "close a 1000 bye"), "closed 1000 bye");
            CHECK_STR(ask_other(other, "tls 1.2"), "ok");
            const char *answer = ask_other(other, "open b wss://localhost:%d/", s->port);
            if (oldest == NSWS_TLS_1_3) {
                CHECK_CONTAINS(answer, "failed");
                continue;
            }
            CHECK_STR(answer, "open -");
            CHECK_STR(ask_other(other, "echo b text 100000"), "same");
            CHECK_STR(ask_other(other, "close b 1000"), "closed 1000");
            SERVER_WAIT(s, ON_CLOSE, 2);
        }
    }
}

/* IPv6. */

static int raw_connect_6(const char *to, uint16_t port) {
    struct sockaddr_in6 address;
    struct timeval guard = { guard_seconds(), 0 };
    memset(&address, 0, sizeof address);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    inet_pton(AF_INET6, to, &address.sin6_addr);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static void ipv6_is_listened_on_alone(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.server_ip = "::1";
    /* The IPv4 port of that number may be somebody else's: not five times in a row. */
    int other = -1;
    for (int i = 0; i < 5; i++) {
        if (i > 0) CHECK_OK(nsws_server_stop(s->handle));
        if (!START(s, &options)) return;
        if ((other = raw_connect(s)) < 0) break;
        close(other);
    }
    CHECK_INT(other, -1);
    int fd = raw_open_at(__FILE__, __LINE__, raw_connect_6("::1", s->port), RAW_REQUEST);
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (connect) CHECK_STR(connect->ip, "::1");
    nsws_connection found;
    if (connect) CHECK_OK(nsws_server_find_connection(s->handle, "0:0:0:0:0:0:0:1", connect->port, &found));
    close(fd);
}

static void every_address_of_either_family_is_listened_on(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.server_ip = "::";
    options.max_connections_per_client = 1;
    if (!START(s, &options)) return;
    int six = raw_open_at(__FILE__, __LINE__, raw_connect_6("::1", s->port), RAW_REQUEST);
    int four = RAW_OPEN(s);
    const struct server_event *first = SERVER_WAIT(s, ON_CONNECT, 1), *second = SERVER_WAIT(s, ON_CONNECT, 2);
    if (!first || !second) return;
    CHECK_STR(first->ip, "::1");
    /* An IPv4 client is the IPv4 client it is, also for the limits: another of its connections is one too many. */
    CHECK_STR(second->ip, "127.0.0.1");
    int again = raw_connect_6("::ffff:127.0.0.1", s->port);
    raw_say(again, RAW_REQUEST);
    CHECK_INT(raw_status(again), 503);
    close(again);
    close(six);
    close(four);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* for the programs of the other clients */
    RUN(handles_that_name_nothing_are_refused_by_every_function);
    RUN(handles_of_one_kind_are_refused_as_another);
    RUN(a_connection_s_handle_is_stale_after_its_close);
    RUN(null_never_crashes);
    RUN(what_is_sent_is_checked_before_the_state);
    RUN(clients_are_found_by_address_and_port);
    RUN(the_defaults_are_the_contract_s);
    RUN(options_out_of_their_range_are_refused);
    RUN(addresses_that_are_not_this_device_s_are_refused);
    RUN(what_is_wrong_is_told_in_this_order);
    RUN(a_port_in_use_is_told_whoever_uses_it);
    RUN(the_system_picks_port_0);
    RUN(a_server_that_does_not_listen_says_so);
    RUN(a_server_s_state_is_idle_open_closing_idle);
    RUN(a_ping_to_a_client_is_answered_and_timed);
    RUN(the_old_name_of_get_port_goes_on_working);
    RUN(listeners_and_the_hook_are_freed_once);
    RUN(listeners_are_called_in_the_order_of_their_registration);
    RUN(without_permission_every_call_is_refused_after_its_parameters);
    RUN(where_the_device_is_no_tv_there_is_no_server);
    RUN(certificates_that_can_not_be_used_say_why);
    RUN(keys_of_every_form_and_chains_are_served);
    RUN(other_libraries_speak_tls_1_2_and_1_3);
    RUN(ipv6_is_listened_on_alone);
    RUN(every_address_of_either_family_is_listened_on);
    return end_tests();
}
