/*
 * Every function is called from a thread with a stack of 64 KiB, half of what musl gives a thread by default, in a session
 * with this library's own server over TLS: a call on the caller's thread may format, lock, encrypt and write.
 * tests/every_export.sh compares what is called here with what is exported.
 */
#include "harness.h"

enum { STACK = 64 << 10, LARGE = 1 << 20 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int opened, messages, closed, errors, connects, server_messages, server_closed, freed;
} counts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static nsws_connection accepted;

static void count(int *one) {
    pthread_mutex_lock(&counts.lock);
    ++*one;
    pthread_cond_broadcast(&counts.changed);
    pthread_mutex_unlock(&counts.lock);
}

static int reached(int *one, int value) {
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&counts.lock);
    while (*one < value && !late) late = pthread_cond_timedwait(&counts.changed, &counts.lock, &end) == ETIMEDOUT;
    pthread_mutex_unlock(&counts.lock);
    return !late;
}

static void on_header_receive(nsws_client c, const nsws_header_receive_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_open(nsws_client c, const nsws_open_event *e, void *user) { (void)c, (void)e, (void)user, count(&counts.opened); }
static void on_certificate(nsws_client c, const nsws_certificate *certificate, void *user) { (void)c, (void)certificate, ++*(int *)user; }
static void on_message(nsws_client c, const nsws_message_event *e, void *user) { (void)c, (void)e, (void)user, count(&counts.messages); }
static void on_message_part(nsws_client c, const nsws_message_part_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_data_end(nsws_client c, const nsws_data_end_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_close(nsws_client c, const nsws_close_event *e, void *user) { (void)c, (void)e, (void)user, count(&counts.closed); }
static void on_error(nsws_client c, const nsws_error_event *e, void *user) { (void)c, (void)e, (void)user, count(&counts.errors); }
static void on_drain(nsws_client c, const nsws_drain_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_reconnecting(nsws_client c, const nsws_reconnecting_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_log(int32_t level, const char *line, void *user) { (void)level, (void)line, (void)user; }
static void on_free(void *user) { (void)user, count(&counts.freed); }

static void server_on_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)s, (void)e, (void)user;
    accepted = c;
    count(&counts.connects);
}

static void server_on_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)user;
    CHECK_OK(nsws_connection_send_binary(c, e->data, e->length));
    count(&counts.server_messages);
}

static void server_on_message_part(nsws_server s, nsws_connection c, const nsws_message_part_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
    count(&counts.server_closed);
}

static void server_on_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_drain(nsws_server s, nsws_connection c, const nsws_drain_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static uint16_t accept_all(nsws_server s, const nsws_connect_event *e, void *user) { (void)s, (void)e, (void)user; return 0; }

static void answer_all(nsws_server s, const nsws_http_request *r, nsws_http_answer *answer, void *user) {
    (void)s, (void)r, (void)user;
    CHECK_OK(nsws_http_answer_set(answer, 200, NULL, 0, "x", 1));
}

static uint8_t yes(void *user) { (void)user; return 1; }
static uint8_t any_host(const char *host, const char *url, void *user) { (void)host, (void)url, (void)user; return 1; }
static void no_proxy(const char *url, nsws_system_proxy_answer *answer, void *user) { (void)url, (void)answer, (void)user; }
static void look_up(const char *host, nsws_resolve_answer *answer, void *user) {
    (void)host, (void)user;
    CHECK_OK(nsws_resolve_answer_set(answer, "127.0.0.1"));
}

static void set_up(void) {
    CHECK(strcmp(nsws_version(), "") != 0);
    CHECK_INT(nsws_abi_version(), NSWS_ABI_VERSION);
    CHECK_STR(nsws_error_name(NSWS_ERR_URL), "NSWS_ERR_URL");
    CHECK(*nsws_error_message(NSWS_ERR_URL) != 0);
    CHECK_STR(nsws_phase_name(NSWS_PHASE_TLS), "tls");

    nsws_runtime_options runtime;
    CHECK_OK(nsws_runtime_options_init(&runtime, sizeof runtime));
    CHECK_OK(nsws_runtime_configure(&runtime));
    /* The calls that format most. */
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_DEBUG, on_log, NULL, on_free));
    CHECK_OK(nsws_log(NSWS_LOG_INFO, "a line"));
    nsws_platform platform;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.has_internet_permission = platform.is_tv_device = yes;
    platform.is_host_allowed = any_host;
    platform.get_system_proxy = no_proxy;
    platform.resolve = look_up;
    CHECK_OK(nsws_set_platform(&platform));
    nsws_system_proxy proxy;
    CHECK_OK(nsws_system_proxy_init(&proxy, sizeof proxy));
    CHECK_CODE(nsws_system_proxy_set(NULL, &proxy), NSWS_ERR_PARAMETER);
    CHECK(*nsws_last_error() != 0);
}

static nsws_server serve(uint16_t *port) {
    nsws_server server = { 0 };
    nsws_server_options options;
    CHECK_OK(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    options.max_receive_size = 2 * LARGE;
    CHECK_OK(nsws_server_create(&server));
    CHECK_OK(nsws_server_on_connect(server, server_on_connect, NULL, on_free));
    CHECK_OK(nsws_server_on_message(server, server_on_message, NULL, on_free));
    CHECK_OK(nsws_server_on_close(server, server_on_close, NULL, on_free));
    CHECK_OK(nsws_server_on_error(server, server_on_error, NULL, on_free));
    CHECK_OK(nsws_server_on_drain(server, server_on_drain, NULL, on_free));
    CHECK_OK(nsws_server_on_message_part(server, server_on_message_part, NULL, on_free));
    CHECK_OK(nsws_server_set_accept_hook(server, accept_all, NULL, on_free));
    CHECK_OK(nsws_server_set_http_hook(server, answer_all, NULL, on_free));
    CHECK_OK(nsws_server_start(server, &options));
    CHECK_OK(nsws_server_add_certificate(server, options.cert_path, options.key_path));
    CHECK_OK(nsws_server_reload_certificates(server));
    CHECK_OK(nsws_server_get_port(server, port));
    return server;
}

static nsws_client connect_to(uint16_t port) {
    nsws_client client = { 0 };
    char url[64];
    snprintf(url, sizeof url, "wss://localhost:%u/path", (unsigned)port);
    nsws_connect_options options;
    CHECK_OK(nsws_connect_options_init(&options, sizeof options));
    options.ca_path = certificate_file("ca.pem");
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_on_header_receive(client, on_header_receive, NULL, on_free));
    CHECK_OK(nsws_client_on_open(client, on_open, NULL, on_free));
    CHECK_OK(nsws_client_on_message(client, on_message, NULL, on_free));
    CHECK_OK(nsws_client_on_message_part(client, on_message_part, NULL, on_free));
    CHECK_OK(nsws_client_on_data_end(client, on_data_end, NULL, on_free));
    CHECK_OK(nsws_client_on_close(client, on_close, NULL, on_free));
    CHECK_OK(nsws_client_on_error(client, on_error, NULL, on_free));
    CHECK_OK(nsws_client_on_drain(client, on_drain, NULL, on_free));
    CHECK_OK(nsws_client_on_reconnecting(client, on_reconnecting, NULL, on_free));
    CHECK_OK(nsws_client_connect(client, url, &options));
    return client;
}

static void talk(nsws_client client, nsws_server server) {
    static char data[LARGE];
    memset(data, 'x', sizeof data);
    /* The second on a quiet connection is written by this thread. */
    CHECK_OK(nsws_client_send_text(client, "small", 5));
    CHECK(reached(&counts.messages, 1));
    CHECK_OK(nsws_client_send_text(client, data, LARGE));
    CHECK(reached(&counts.messages, 2));
    CHECK_OK(nsws_client_send_binary(client, data, LARGE));
    CHECK_OK(nsws_client_ping(client, "ping", 4));
    CHECK(reached(&counts.messages, 3));
    nsws_client_stats stats;
    int32_t state = 0;
    CHECK_OK(nsws_client_get_stats(client, &stats, sizeof stats));
    CHECK_OK(nsws_client_get_state(client, &state));
    CHECK_INT(state, NSWS_STATE_OPEN);
    int certificates = 0;
    CHECK_OK(nsws_client_list_certificates(client, on_certificate, &certificates));
    CHECK_INT(certificates, 1);
    CHECK_OK(nsws_client_check(client, 60000));
    CHECK_OK(nsws_network_changed(60000));
    CHECK_OK(nsws_client_cork(client));
    CHECK_OK(nsws_client_send_text(client, "corked", 6));
    CHECK_OK(nsws_client_uncork(client));
    CHECK(reached(&counts.messages, 4));
    CHECK_OK(nsws_client_pause(client));
    CHECK_OK(nsws_client_resume(client));

    nsws_connection list[4];
    size_t listed = 0, told = 0;
    CHECK_OK(nsws_server_list_connections(server, list, 4, &listed));
    CHECK_INT(listed, 1);
    nsws_connection_info info;
    CHECK_OK(nsws_connection_get_info(list[0], &info, sizeof info));
    CHECK_OK(nsws_server_find_connection(server, info.client_ip, info.client_port, list));
    CHECK_INT(list[0].id, accepted.id);
    CHECK_OK(nsws_server_get_state(server, &state));
    CHECK_INT(state, NSWS_STATE_OPEN);
    CHECK_OK(nsws_connection_ping(accepted, "ping", 4));
    CHECK_OK(nsws_connection_pause(accepted));
    CHECK_OK(nsws_connection_resume(accepted));
    CHECK_OK(nsws_connection_cork(accepted));
    CHECK_OK(nsws_connection_send_text(accepted, "corked", 6));
    CHECK_OK(nsws_connection_uncork(accepted));
    CHECK_OK(nsws_connection_send_text(accepted, data, LARGE));
    CHECK_OK(nsws_connection_send_binary(accepted, data, LARGE));
    CHECK_OK(nsws_server_broadcast(server, data, LARGE, 1, &told));
    CHECK_INT(told, 1);
    CHECK(reached(&counts.messages, 8));
    CHECK_OK(nsws_connection_join(accepted, "room"));
    CHECK_OK(nsws_server_broadcast_group(server, "room", data, LARGE, 1, &told));
    CHECK_INT(told, 1);
    CHECK_OK(nsws_connection_leave(accepted, "room"));
    CHECK(reached(&counts.messages, 9));
    nsws_ban bans[1];
    CHECK_OK(nsws_server_list_bans(server, bans, 1, &told));
    CHECK_OK(nsws_server_unban(server, "127.0.0.1"));
    CHECK_OK(nsws_connection_send_part(accepted, data, LARGE, 1, 0));
    CHECK_OK(nsws_connection_send_part(accepted, "", 0, 1, 1));
    CHECK_OK(nsws_client_send_part(client, "a", 1, 0, 0));
    CHECK_OK(nsws_client_send_part(client, data, LARGE, 0, 1));
    CHECK(reached(&counts.messages, 11));
}

static void end(nsws_client client, nsws_server server) {
    CHECK_OK(nsws_connection_close(accepted, 1000, "enough"));
    CHECK(reached(&counts.closed, 1) && reached(&counts.server_closed, 1));
    CHECK_OK(nsws_client_off_header_receive(client, on_header_receive, NULL));
    CHECK_OK(nsws_client_off_open(client, on_open, NULL));
    CHECK_OK(nsws_client_off_message(client, on_message, NULL));
    CHECK_OK(nsws_client_off_message_part(client, on_message_part, NULL));
    CHECK_OK(nsws_client_off_data_end(client, on_data_end, NULL));
    CHECK_OK(nsws_client_off_close(client, on_close, NULL));
    CHECK_OK(nsws_client_off_error(client, on_error, NULL));
    CHECK_OK(nsws_client_off_drain(client, on_drain, NULL));
    CHECK_OK(nsws_client_off_reconnecting(client, on_reconnecting, NULL));
    CHECK_OK(nsws_server_off_connect(server, server_on_connect, NULL));
    CHECK_OK(nsws_server_off_message(server, server_on_message, NULL));
    CHECK_OK(nsws_server_off_message_part(server, server_on_message_part, NULL));
    CHECK_OK(nsws_server_off_close(server, server_on_close, NULL));
    CHECK_OK(nsws_server_off_error(server, server_on_error, NULL));
    CHECK_OK(nsws_server_off_drain(server, server_on_drain, NULL));
    CHECK_OK(nsws_client_destroy(client));
    CHECK_OK(nsws_server_stop(server));
    CHECK_CODE(nsws_server_stop_gracefully(server, 1000), NSWS_ERR_NOT_LISTENING);
    CHECK_OK(nsws_server_destroy(server));
}

static void *session(void *unused) {
    (void)unused;
    set_up();
    for (int round = 1; round <= 2; round++) {
        uint16_t port = 0;
        nsws_server server = serve(&port);
        nsws_client client = connect_to(port);
        if (!CHECK(reached(&counts.opened, round) && reached(&counts.connects, round))) break;
        if (round == 1) {
            talk(client, server);
            end(client, server);
        } else { /* With the connection open. */
            CHECK_OK(nsws_client_close(client, 1000, ""));
            CHECK_OK(nsws_client_release(client));
            CHECK_OK(nsws_server_release(server));
        }
    }
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    /* Of two clients, two servers with their hooks, and the log. */
    CHECK_INT(counts.freed, 2 * 9 + 2 * 8 + 1);
    return NULL;
}

static void every_function_may_be_called_with_a_small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    condition_init(&counts.changed);
    pthread_attr_init(&attributes);
    CHECK_INT(pthread_attr_setstacksize(&attributes, STACK), 0);
    if (CHECK_INT(pthread_create(&thread, &attributes, session, NULL), 0)) pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

int main(void) {
    RUN(every_function_may_be_called_with_a_small_stack);
    return end_tests();
}
