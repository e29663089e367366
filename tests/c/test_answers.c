/*
 * What each function answers is what its @return lists in the header. Every function is called with handles that name nothing, with
 * wrong arguments, without permission, in each state of its object, and in a forked child; what comes is compared with the header.
 */
#include "harness.h"
#include "raw_socket.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* The functions of the header, and what they have answered. */

static const int32_t codes[] = {
    NSWS_OK, NSWS_ERR_CONNECT_FAILED, NSWS_ERR_PERMISSION_DENIED, NSWS_ERR_PARAMETER, NSWS_ERR_URL, NSWS_ERR_CERT_FILE,
    NSWS_ERR_ALREADY_CONNECTED, NSWS_ERR_LISTEN_ADDRESS, NSWS_ERR_LISTEN_PORT, NSWS_ERR_NO_CONNECTION, NSWS_ERR_PORT_IN_USE,
    NSWS_ERR_DOMAIN_NOT_ALLOWED, NSWS_ERR_INTERNAL, NSWS_ERR_BAD_HANDLE, NSWS_ERR_NOT_CONNECTED, NSWS_ERR_QUEUE_FULL,
    NSWS_ERR_WOULD_DEADLOCK, NSWS_ERR_NOT_SUPPORTED, NSWS_ERR_BUSY, NSWS_ERR_FORKED, NSWS_ERR_SHUTTING_DOWN, NSWS_ERR_NO_RESOURCES,
    NSWS_ERR_NOT_LISTENING, NSWS_ERR_CERT_UNUSABLE, NSWS_ERR_MESSAGE_UNFINISHED
};
enum { CODES = sizeof codes / sizeof codes[0], OTHER = CODES, MOST_FUNCTIONS = 256, LARGE = 1 << 20 };

static struct function {
    char name[64];
    char returns[2048];
    uint32_t answers; /* bit N: codes[N] */
} *functions; /* shared with the forked child */
static int function_count;

static void read_header(void) {
    static char text[1 << 20];
    FILE *file = fopen(NSWS_HEADER, "r");
    if (!CHECK(file != NULL)) return;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    CHECK(length > 0 && length < sizeof text - 1);
    functions = mmap(NULL, MOST_FUNCTIONS * sizeof *functions, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(functions != MAP_FAILED)) return;
    const char *returns = NULL;
    for (char *line = text, *next; *line && function_count < MOST_FUNCTIONS; line = next) {
        next = strchr(line, '\n') + 1;
        if (strncmp(line, "/**", 3) == 0) returns = NULL;
        if (strncmp(line, " * @return ", 11) == 0) returns = line;
        if (strncmp(line, "int32_t nsws_", 13) != 0 || !CHECK(returns != NULL)) continue;
        struct function *function = &functions[function_count++];
        const char *name = line + 8, *end = strstr(returns + 1, "\n * @");
        snprintf(function->name, sizeof function->name, "%.*s", (int)strcspn(name, "("), name);
        snprintf(function->returns, sizeof function->returns, "%.*s", (int)(end - returns), returns);
    }
    CHECK_LEAST(function_count, 90);
}

static int lists(const struct function *function, int32_t code) {
    const char *name = code ? nsws_error_name(code) : "NSWS_OK", *found = function->returns;
    size_t length = strlen(name);
    while ((found = strstr(found, name)) != NULL) {
        found += length;
        if (strchr(";:\n", *found)) return 1; /* or at the end */
    }
    return 0;
}

static int32_t answered(const char *name, int32_t code) {
    int index = 0;
    while (index < CODES && codes[index] != code) index++;
    for (int i = 0; i < function_count; i++)
        if (strcmp(functions[i].name, name) == 0) __atomic_or_fetch(&functions[i].answers, UINT32_C(1) << index, __ATOMIC_SEQ_CST);
    return code;
}

#define ANSWER(function, ...) answered(#function, function(__VA_ARGS__))

/* What is waited for. */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int opens, connects, blocked;
} counts = { .lock = PTHREAD_MUTEX_INITIALIZER };
static nsws_connection accepted;
static int may_go_on;

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

/* Callbacks. */

static void on_header_receive(nsws_client c, const nsws_header_receive_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_message(nsws_client c, const nsws_message_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_message_part(nsws_client c, const nsws_message_part_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_data_end(nsws_client c, const nsws_data_end_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_close(nsws_client c, const nsws_close_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_error(nsws_client c, const nsws_error_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_drain(nsws_client c, const nsws_drain_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_reconnecting(nsws_client c, const nsws_reconnecting_event *e, void *user) { (void)c, (void)e, (void)user; }
static void on_certificate(nsws_client c, const nsws_certificate *certificate, void *user) { (void)c, (void)certificate, (void)user; }
static void on_log(int32_t level, const char *line, void *user) { (void)level, (void)line, (void)user; }

static void on_open(nsws_client c, const nsws_open_event *e, void *user) {
    (void)c, (void)e, (void)user;
    CHECK_CODE(ANSWER(nsws_shutdown, 0), NSWS_ERR_WOULD_DEADLOCK);
    count(&counts.opens);
}

static void block(nsws_client c, const nsws_error_event *e, void *user) {
    (void)c, (void)e, (void)user;
    count(&counts.blocked);
    CHECK(reached(&may_go_on, 1));
}

static void server_on_connect(nsws_server s, nsws_connection c, const nsws_connect_event *e, void *user) {
    (void)e, (void)user;
    accepted = c;
    CHECK_CODE(ANSWER(nsws_server_stop_gracefully, s, 1000), NSWS_ERR_WOULD_DEADLOCK);
    count(&counts.connects);
}

static void server_on_message(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_message_part(nsws_server s, nsws_connection c, const nsws_message_part_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_close(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_error(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static void server_on_drain(nsws_server s, nsws_connection c, const nsws_drain_event *e, void *user) {
    (void)s, (void)c, (void)e, (void)user;
}

static uint16_t accept_all(nsws_server s, const nsws_connect_event *e, void *user) { (void)s, (void)e, (void)user; return 0; }

static void answer_all(nsws_server s, const nsws_http_request *request, nsws_http_answer *answer, void *user) {
    (void)s, (void)request, (void)user;
    CHECK_CODE(ANSWER(nsws_http_answer_set, answer, 101, NULL, 0, NULL, 0), NSWS_ERR_PARAMETER);
    CHECK_OK(ANSWER(nsws_http_answer_set, answer, 200, NULL, 0, "x", 1));
}

static uint8_t no(void *user) { (void)user; return 0; }
static uint8_t no_host(const char *host, const char *url, void *user) { (void)host, (void)url, (void)user; return 0; }

static void no_proxy(const char *url, nsws_system_proxy_answer *answer, void *user) {
    (void)url, (void)user;
    CHECK_OK(ANSWER(nsws_system_proxy_set, answer, NULL));
}

static void no_address(const char *host, nsws_resolve_answer *answer, void *user) {
    (void)host, (void)user;
    CHECK_CODE(ANSWER(nsws_resolve_answer_set, answer, "garbage"), NSWS_ERR_PARAMETER);
    CHECK_OK(ANSWER(nsws_resolve_answer_set, answer, NULL));
}

/* Every function, in three ways. */

struct hand {
    nsws_client client;
    nsws_server server;
    nsws_connection connection;
};

/* No system's buffers take so much. */
enum { HUGE = 48 << 20 };

static nsws_connect_options client_options(void) {
    nsws_connect_options options;
    ANSWER(nsws_connect_options_init, &options, sizeof options);
    options.max_send_size = HUGE;
    options.send_queue_size = 64 << 10;
    options.close_timeout_ms = 600000; /* what is closing stays so until it is looked at */
    return options;
}

static nsws_server_options server_options(void) {
    nsws_server_options options;
    ANSWER(nsws_server_options_init, &options, sizeof options);
    options.server_ip = "127.0.0.1";
    options.send_queue_size = 64 << 10;
    options.close_timeout_ms = 600000; /* what is closing stays so until it is looked at */
    return options;
}

/* With arguments that are right. Connects and starts last. */
static void call_all(struct hand h) {
    int32_t state;
    uint16_t port;
    size_t listed;
    nsws_connection list[4];
    nsws_client_stats stats;
    nsws_connection_info info;
    nsws_platform platform;
    nsws_system_proxy proxy;
    nsws_runtime_options runtime;
    ANSWER(nsws_runtime_options_init, &runtime, sizeof runtime);
    ANSWER(nsws_runtime_configure, NULL);
    ANSWER(nsws_platform_init, &platform, sizeof platform);
    ANSWER(nsws_system_proxy_init, &proxy, sizeof proxy);
    ANSWER(nsws_system_proxy_set, NULL, &proxy);
    ANSWER(nsws_resolve_answer_set, NULL, "192.0.2.1");
    ANSWER(nsws_set_log_callback, NSWS_LOG_DEBUG, on_log, NULL, NULL);
    ANSWER(nsws_log, NSWS_LOG_INFO, "a line");

    ANSWER(nsws_client_on_header_receive, h.client, on_header_receive, NULL, NULL);
    ANSWER(nsws_client_on_open, h.client, on_open, NULL, NULL);
    ANSWER(nsws_client_on_message, h.client, on_message, NULL, NULL);
    ANSWER(nsws_client_on_message_part, h.client, on_message_part, NULL, NULL);
    ANSWER(nsws_client_on_data_end, h.client, on_data_end, NULL, NULL);
    ANSWER(nsws_client_on_close, h.client, on_close, NULL, NULL);
    ANSWER(nsws_client_on_error, h.client, on_error, NULL, NULL);
    ANSWER(nsws_client_on_drain, h.client, on_drain, NULL, NULL);
    ANSWER(nsws_client_on_reconnecting, h.client, on_reconnecting, NULL, NULL);
    ANSWER(nsws_client_off_header_receive, h.client, on_header_receive, NULL);
    ANSWER(nsws_client_off_open, h.client, on_open, &state);
    ANSWER(nsws_client_off_message, h.client, on_message, NULL);
    ANSWER(nsws_client_off_message_part, h.client, on_message_part, NULL);
    ANSWER(nsws_client_off_data_end, h.client, on_data_end, NULL);
    ANSWER(nsws_client_off_close, h.client, on_close, NULL);
    ANSWER(nsws_client_off_error, h.client, on_error, NULL);
    ANSWER(nsws_client_off_drain, h.client, on_drain, NULL);
    ANSWER(nsws_client_off_reconnecting, h.client, on_reconnecting, NULL);
    ANSWER(nsws_client_send_text, h.client, "x", 1);
    ANSWER(nsws_client_send_binary, h.client, "x", 1);
    ANSWER(nsws_client_send_part, h.client, "x", 1, 1, 1);
    ANSWER(nsws_client_ping, h.client, "x", 1);
    ANSWER(nsws_client_check, h.client, 60000);
    ANSWER(nsws_network_changed, 60000);
    ANSWER(nsws_client_cork, h.client);
    ANSWER(nsws_client_uncork, h.client);
    ANSWER(nsws_client_pause, h.client);
    ANSWER(nsws_client_resume, h.client);
    ANSWER(nsws_client_get_state, h.client, &state);
    ANSWER(nsws_client_get_stats, h.client, &stats, sizeof stats);
    ANSWER(nsws_client_list_certificates, h.client, on_certificate, NULL);

    ANSWER(nsws_server_on_connect, h.server, server_on_connect, NULL, NULL);
    ANSWER(nsws_server_on_message, h.server, server_on_message, NULL, NULL);
    ANSWER(nsws_server_on_message_part, h.server, server_on_message_part, NULL, NULL);
    ANSWER(nsws_server_on_close, h.server, server_on_close, NULL, NULL);
    ANSWER(nsws_server_on_error, h.server, server_on_error, NULL, NULL);
    ANSWER(nsws_server_on_drain, h.server, server_on_drain, NULL, NULL);
    ANSWER(nsws_server_off_connect, h.server, server_on_connect, &state);
    ANSWER(nsws_server_off_message, h.server, server_on_message, NULL);
    ANSWER(nsws_server_off_message_part, h.server, server_on_message_part, NULL);
    ANSWER(nsws_server_off_close, h.server, server_on_close, NULL);
    ANSWER(nsws_server_off_error, h.server, server_on_error, NULL);
    ANSWER(nsws_server_off_drain, h.server, server_on_drain, NULL);
    ANSWER(nsws_server_set_accept_hook, h.server, accept_all, NULL, NULL);
    ANSWER(nsws_server_set_http_hook, h.server, answer_all, NULL, NULL);
    ANSWER(nsws_http_answer_set, NULL, 200, NULL, 0, NULL, 0);
    ANSWER(nsws_server_add_certificate, h.server, "/nowhere/cert.pem", "/nowhere/cert.key");
    ANSWER(nsws_server_reload_certificates, h.server);
    ANSWER(nsws_server_list_bans, h.server, NULL, 0, &listed);
    ANSWER(nsws_server_unban, h.server, "127.0.0.1");
    ANSWER(nsws_server_get_port, h.server, &port);
    ANSWER(nsws_server_get_state, h.server, &state);
    ANSWER(nsws_server_list_connections, h.server, list, 4, &listed);
    ANSWER(nsws_server_find_connection, h.server, "127.0.0.1", 1, list);
    ANSWER(nsws_server_broadcast, h.server, "x", 1, 1, NULL);
    ANSWER(nsws_server_broadcast_group, h.server, "room", "x", 1, 1, NULL);

    ANSWER(nsws_connection_join, h.connection, "room");
    ANSWER(nsws_connection_leave, h.connection, "room");
    ANSWER(nsws_connection_send_text, h.connection, "x", 1);
    ANSWER(nsws_connection_send_binary, h.connection, "x", 1);
    ANSWER(nsws_connection_send_part, h.connection, "x", 1, 1, 1);
    ANSWER(nsws_connection_ping, h.connection, "x", 1);
    ANSWER(nsws_connection_cork, h.connection);
    ANSWER(nsws_connection_uncork, h.connection);
    ANSWER(nsws_connection_pause, h.connection);
    ANSWER(nsws_connection_resume, h.connection);
    if (ANSWER(nsws_connection_get_info, h.connection, &info, sizeof info) == NSWS_OK)
        ANSWER(nsws_server_find_connection, h.server, info.client_ip, info.client_port, list);

    nsws_server_options to_serve = server_options();
    ANSWER(nsws_server_start, h.server, &to_serve);
    nsws_connect_options options = client_options();
    char url[64] = "ws://127.0.0.1:1/";
    if (ANSWER(nsws_server_get_port, h.server, &port) == NSWS_OK) snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)port);
    ANSWER(nsws_client_connect, h.client, url, &options);
}

/* With an argument that is wrong. */
static void call_wrongly(struct hand h) {
    size_t listed;
    nsws_connection found;
    char stats[8192];
    ANSWER(nsws_runtime_options_init, NULL, sizeof(nsws_runtime_options));
    ANSWER(nsws_connect_options_init, NULL, sizeof(nsws_connect_options));
    ANSWER(nsws_server_options_init, NULL, sizeof(nsws_server_options));
    ANSWER(nsws_platform_init, NULL, sizeof(nsws_platform));
    ANSWER(nsws_system_proxy_init, NULL, sizeof(nsws_system_proxy));
    ANSWER(nsws_connect_options_init, (nsws_connect_options *)(void *)stats, 1);
    nsws_runtime_options runtime = { .struct_size = 1 };
    ANSWER(nsws_runtime_configure, &runtime);
    nsws_platform platform = { .struct_size = 1 };
    ANSWER(nsws_set_platform, &platform);
    ANSWER(nsws_set_log_callback, 9, on_log, NULL, NULL);
    ANSWER(nsws_log, NSWS_LOG_INFO, NULL);

    ANSWER(nsws_client_create, NULL);
    nsws_connect_options options = { .struct_size = 1 };
    ANSWER(nsws_client_connect, h.client, "ws://127.0.0.1:1/", &options);
    ANSWER(nsws_client_connect, h.client, NULL, NULL);
    ANSWER(nsws_client_send_text, h.client, NULL, 1);
    ANSWER(nsws_client_send_text, h.client, "\xFF", 1);
    ANSWER(nsws_client_send_binary, h.client, NULL, 1);
    ANSWER(nsws_client_send_part, h.client, "x", 1, 2, 0);
    ANSWER(nsws_client_ping, h.client, stats, 126);
    ANSWER(nsws_client_check, h.client, 0);
    ANSWER(nsws_network_changed, 0);
    ANSWER(nsws_client_close, h.client, 1005, NULL);
    ANSWER(nsws_client_get_state, h.client, NULL);
    ANSWER(nsws_client_get_stats, h.client, (nsws_client_stats *)(void *)stats, sizeof stats);
    ANSWER(nsws_client_list_certificates, h.client, NULL, NULL);
    ANSWER(nsws_client_on_header_receive, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_open, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_message, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_message_part, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_data_end, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_close, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_error, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_drain, h.client, NULL, NULL, NULL);
    ANSWER(nsws_client_on_reconnecting, h.client, NULL, NULL, NULL);

    ANSWER(nsws_server_create, NULL);
    nsws_server_options to_serve = { .struct_size = 1 };
    ANSWER(nsws_server_start, h.server, &to_serve);
    ANSWER(nsws_server_get_port, h.server, NULL);
    ANSWER(nsws_server_get_state, h.server, NULL);
    ANSWER(nsws_server_list_connections, h.server, NULL, 1, &listed);
    ANSWER(nsws_server_find_connection, h.server, "nowhere", 1, &found);
    ANSWER(nsws_server_broadcast, h.server, "x", 1, 2, NULL);
    ANSWER(nsws_server_broadcast_group, h.server, NULL, "x", 1, 1, NULL);
    ANSWER(nsws_server_add_certificate, h.server, NULL, NULL);
    ANSWER(nsws_server_list_bans, h.server, NULL, 1, &listed);
    ANSWER(nsws_server_unban, h.server, "nobody");
    ANSWER(nsws_server_stop_gracefully, h.server, 0);
    ANSWER(nsws_connection_join, h.connection, "");
    ANSWER(nsws_connection_leave, h.connection, NULL);
    ANSWER(nsws_server_on_connect, h.server, NULL, NULL, NULL);
    ANSWER(nsws_server_on_message, h.server, NULL, NULL, NULL);
    ANSWER(nsws_server_on_message_part, h.server, NULL, NULL, NULL);
    ANSWER(nsws_server_on_close, h.server, NULL, NULL, NULL);
    ANSWER(nsws_server_on_error, h.server, NULL, NULL, NULL);
    ANSWER(nsws_server_on_drain, h.server, NULL, NULL, NULL);

    ANSWER(nsws_connection_send_text, h.connection, NULL, 1);
    ANSWER(nsws_connection_send_binary, h.connection, NULL, 1);
    ANSWER(nsws_connection_send_part, h.connection, "\xFF", 1, 1, 1);
    ANSWER(nsws_connection_ping, h.connection, stats, 126);
    ANSWER(nsws_connection_close, h.connection, 1006, NULL);
    ANSWER(nsws_connection_get_info, h.connection, NULL, sizeof(nsws_connection_info));
}

static void close_all(struct hand h) {
    ANSWER(nsws_client_close, h.client, 1000, NULL);
    ANSWER(nsws_connection_close, h.connection, 1000, NULL);
    ANSWER(nsws_server_stop, h.server);
    ANSWER(nsws_server_stop_gracefully, h.server, 1000);
}

static void end_all(struct hand h) {
    ANSWER(nsws_client_destroy, h.client);
    ANSWER(nsws_client_release, h.client);
    ANSWER(nsws_server_destroy, h.server);
    ANSWER(nsws_server_release, h.server);
}

static struct hand create_both(void) {
    struct hand h = { { 0 }, { 0 }, { 0 } };
    CHECK_OK(ANSWER(nsws_client_create, &h.client));
    CHECK_OK(ANSWER(nsws_server_create, &h.server));
    return h;
}

/* A client that is connected with a server, which is its own. */
static struct hand connect_both(void) {
    struct hand h = create_both();
    int opens = counts.opens, connects = counts.connects;
    call_all(h);
    CHECK(reached(&counts.opens, opens + 1) && reached(&counts.connects, connects + 1));
    h.connection = accepted;
    return h;
}

static void platform_says(nsws_platform *platform) {
    CHECK_OK(ANSWER(nsws_set_platform, platform));
}

/* The tests: each brings answers, and the last two look at them. */

static void handles_that_name_nothing(void) {
    static const uint64_t ids[] = { 0, 1, UINT64_MAX };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct hand h = { { ids[i] }, { ids[i] }, { ids[i] } };
        call_all(h);
        close_all(h);
        end_all(h);
    }
    struct hand live = create_both();
    struct hand foreign = { { live.server.id }, { live.client.id }, { live.client.id } };
    call_all(foreign);
    close_all(foreign);
    end_all(foreign);
    CHECK_OK(ANSWER(nsws_client_release, live.client));
    CHECK_OK(ANSWER(nsws_server_release, live.server));
    call_all(live);
    end_all(live);
}

static void objects_at_rest(void) {
    struct hand h = create_both();
    call_wrongly(h);
    close_all(h);
    ANSWER(nsws_client_connect, h.client, "http://127.0.0.1/", NULL);
    nsws_connect_options options = client_options();
    options.ca_path = "/nowhere/ca.pem";
    ANSWER(nsws_client_connect, h.client, "ws://127.0.0.1:1/", &options);
    end_all(h);
}

static void servers_that_cannot_listen(void) {
    struct hand h = connect_both();
    uint16_t port = 0;
    CHECK_OK(ANSWER(nsws_server_get_port, h.server, &port));
    nsws_server other;
    CHECK_OK(ANSWER(nsws_server_create, &other));
    nsws_server_options options = server_options();
    options.server_port = port;
    ANSWER(nsws_server_start, other, &options);
    options.server_port = 65536;
    ANSWER(nsws_server_start, other, &options);
    options = server_options();
    options.server_ip = "192.0.2.1"; /* RFC 5737: nobody's */
    ANSWER(nsws_server_start, other, &options);
    options = server_options();
    options.cert_path = "/nowhere/cert.pem";
    ANSWER(nsws_server_start, other, &options);
    options.cert_path = options.key_path = certificate_file("good.key");
    ANSWER(nsws_server_start, other, &options);
    CHECK_OK(ANSWER(nsws_server_destroy, other));
    end_all(h);
}

static void servers_that_stop_gracefully(void) {
    struct hand h = connect_both();
    CHECK_OK(ANSWER(nsws_server_stop_gracefully, h.server, (uint32_t)guard_seconds() * 1000));
    end_all(h);
    h = connect_both();
    /* It reads no close frame. */
    CHECK_OK(ANSWER(nsws_client_pause, h.client));
    CHECK_CODE(ANSWER(nsws_server_stop_gracefully, h.server, 10), NSWS_ERR_BUSY);
    end_all(h);
}

static void certificates_that_change(void) {
    struct hand h = create_both();
    const char *cert = certificate_file("good.pem"), *key = certificate_file("good.key"), *copy = certificate_file("copy.key");
    CHECK_CODE(ANSWER(nsws_server_add_certificate, h.server, key, key), NSWS_ERR_CERT_UNUSABLE);
    remove(copy);
    CHECK_INT(link(key, copy), 0);
    CHECK_OK(ANSWER(nsws_server_add_certificate, h.server, cert, copy));
    nsws_server_options options = server_options();
    CHECK_OK(ANSWER(nsws_server_start, h.server, &options));
    CHECK_OK(ANSWER(nsws_server_reload_certificates, h.server));
    uint16_t port = 0;
    CHECK_OK(ANSWER(nsws_server_get_port, h.server, &port));
    struct recorder *r = new_client();
    nsws_connect_options anybody = client_options();
    anybody.skip_server_cert_verification = 1;
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%u/", (unsigned)port);
    if (OPENS(r, r->url, &anybody)) CHECK_OK(ANSWER(nsws_client_list_certificates, r->client, on_certificate, NULL));
    CHECK_INT(remove(copy), 0);
    CHECK_CODE(ANSWER(nsws_server_reload_certificates, h.server), NSWS_ERR_CERT_UNUSABLE);
    end_all(h);
}

static void a_request_that_is_no_upgrade(void) {
    struct hand h = connect_both();
    uint16_t port = 0;
    CHECK_OK(ANSWER(nsws_server_get_port, h.server, &port));
    int fd = raw_connect_from("127.0.0.1", port);
    raw_say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_INT(raw_status(fd), 200);
    close(fd);
    end_all(h);
}

static void a_connection_that_is_open(void) {
    struct hand h = connect_both();
    call_wrongly(h);
    call_all(h);
    ANSWER(nsws_client_send_part, h.client, "x", 1, 1, 0);
    ANSWER(nsws_client_send_text, h.client, "x", 1);
    ANSWER(nsws_client_send_binary, h.client, "x", 1);
    ANSWER(nsws_connection_send_part, h.connection, "x", 1, 1, 0);
    ANSWER(nsws_connection_send_text, h.connection, "x", 1);
    ANSWER(nsws_connection_send_binary, h.connection, "x", 1);
    end_all(h);
}

static void queues_that_are_full(void) {
    static char data[LARGE], huge[HUGE];
    enum { MANY = 1000 };
    memset(data, 'x', sizeof data);
    struct hand h = connect_both();
    CHECK_OK(ANSWER(nsws_client_pause, h.client));
    CHECK_OK(ANSWER(nsws_connection_pause, h.connection));
    CHECK_OK(ANSWER(nsws_client_send_binary, h.client, huge, HUGE));
    CHECK_CODE(ANSWER(nsws_client_send_text, h.client, data, LARGE), NSWS_ERR_QUEUE_FULL);
    ANSWER(nsws_client_send_binary, h.client, data, LARGE);
    ANSWER(nsws_client_send_part, h.client, data, LARGE, 1, 1);
    ANSWER(nsws_client_ping, h.client, data, 125);
    for (int i = 0; i < MANY && ANSWER(nsws_connection_send_text, h.connection, data, LARGE) == NSWS_OK; i++) {}
    ANSWER(nsws_connection_send_binary, h.connection, data, LARGE);
    ANSWER(nsws_connection_send_part, h.connection, data, LARGE, 1, 1);
    ANSWER(nsws_connection_ping, h.connection, data, 125);
    /* And one that is closing, for neither side reads. */
    close_all(h);
    close_all(h);
    call_all(h);
    end_all(h);
}

static void a_platform_that_says_no(void) {
    struct hand h = connect_both();
    nsws_platform platform;
    CHECK_OK(ANSWER(nsws_platform_init, &platform, sizeof platform));
    platform.has_internet_permission = no;
    platform_says(&platform);
    call_all(h);
    close_all(h);
    CHECK_OK(ANSWER(nsws_platform_init, &platform, sizeof platform));
    platform.is_host_allowed = no_host;
    platform.is_tv_device = no;
    platform_says(&platform);
    nsws_client client;
    CHECK_OK(ANSWER(nsws_client_create, &client));
    ANSWER(nsws_client_connect, client, "ws://127.0.0.1:1/", NULL);
    nsws_server server;
    ANSWER(nsws_server_create, &server);
    CHECK_OK(ANSWER(nsws_client_destroy, client));
    end_all(h);

    CHECK_OK(ANSWER(nsws_platform_init, &platform, sizeof platform));
    platform.get_system_proxy = no_proxy;
    platform_says(&platform);
    end_all(connect_both());

    CHECK_OK(ANSWER(nsws_platform_init, &platform, sizeof platform));
    platform.resolve = no_address;
    platform_says(&platform);
    struct recorder *r = new_client();
    CHECK_OK(ANSWER(nsws_client_connect, r->client, "ws://host.test/", NULL));
    WAIT(r, ERROR, 1);
    platform_says(NULL);
}

static void a_forked_child_is_refused(void) {
    struct hand h = connect_both();
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        call_all(h);
        close_all(h);
        end_all(h);
        nsws_client client;
        nsws_server server;
        ANSWER(nsws_client_create, &client);
        ANSWER(nsws_server_create, &server);
        ANSWER(nsws_set_platform, NULL);
        ANSWER(nsws_shutdown, 0);
        /* Not an exit: valgrind would look for leaks, in a process whose other threads' stacks are gone. */
        kill(getpid(), SIGKILL);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    end_all(h);
    for (int i = 0; i < function_count; i++) {
        int index = 0;
        while (codes[index] != NSWS_ERR_FORKED) index++;
        if (!(functions[i].answers >> index & 1))
            harness_fail(__FILE__, __LINE__, "%s does not refuse a forked child", functions[i].name);
    }
}

static void an_end_that_waits(void) {
    nsws_client client;
    CHECK_OK(ANSWER(nsws_client_create, &client));
    CHECK_OK(ANSWER(nsws_client_on_error, client, block, NULL, NULL));
    CHECK_OK(ANSWER(nsws_client_connect, client, "ws://127.0.0.1:1/", NULL));
    CHECK(reached(&counts.blocked, 1));
    CHECK_CODE(ANSWER(nsws_shutdown, 0), NSWS_ERR_BUSY);
    count(&may_go_on);
    CHECK_OK(ANSWER(nsws_shutdown, (uint32_t)guard_seconds() * 1000));
    CHECK_OK(ANSWER(nsws_runtime_configure, NULL));
}

static void no_function_answers_what_its_return_does_not_list(void) {
    for (int i = 0; i < function_count; i++) {
        struct function *function = &functions[i];
        CHECK(!(function->answers >> OTHER & 1));
        for (int c = 0; c < CODES; c++)
            if (function->answers >> c & 1 && !lists(function, codes[c]))
                harness_fail(__FILE__, __LINE__, "%s answers %s, which its @return does not list", function->name,
                             codes[c] ? nsws_error_name(codes[c]) : "NSWS_OK");
    }
}

/* What no test can bring, or only another build. */
static int is_out_of_reach(const char *name, int32_t code) {
    switch (code) {
    case NSWS_ERR_INTERNAL:
    case NSWS_ERR_NO_RESOURCES:
    case NSWS_ERR_SHUTTING_DOWN:
        return 1;
    case NSWS_ERR_NOT_SUPPORTED:
        return strcmp(name, "nsws_client_connect") == 0 || strcmp(name, "nsws_server_start") == 0;
    case NSWS_ERR_FORKED: /* a test of its own, which not every machine can run */
        return 1;
    default:
        return 0;
    }
}

static void what_a_return_lists_does_come(void) {
    for (int i = 0; i < function_count; i++)
        for (int c = 0; c < CODES; c++) {
            struct function *function = &functions[i];
            if (lists(function, codes[c]) && !(function->answers >> c & 1) && !is_out_of_reach(function->name, codes[c]))
                harness_fail(__FILE__, __LINE__, "%s never answers %s, which its @return lists", function->name,
                             codes[c] ? nsws_error_name(codes[c]) : "NSWS_OK");
        }
}

int main(void) {
    condition_init(&counts.changed);
    RUN(read_header);
    RUN(handles_that_name_nothing);
    RUN(objects_at_rest);
    RUN(servers_that_cannot_listen);
    RUN(servers_that_stop_gracefully);
    RUN(certificates_that_change);
    RUN(a_request_that_is_no_upgrade);
    RUN(a_connection_that_is_open);
    RUN(queues_that_are_full);
    RUN(a_platform_that_says_no);
    RUN(a_forked_child_is_refused);
    RUN(an_end_that_waits);
    RUN(no_function_answers_what_its_return_does_not_list);
    RUN(what_a_return_lists_does_come);
    return end_tests();
}
