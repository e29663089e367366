/* Every function with everything it may be given: handles, NULLs, sizes, URLs, headers, ranges, listeners. */
#include "harness.h"

#include <signal.h>
#include <sys/wait.h>

/* Each function that takes a client, by name, with arguments that are otherwise right. */

static void some_open(nsws_client c, const nsws_open_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_header_receive(nsws_client c, const nsws_header_receive_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_message(nsws_client c, const nsws_message_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_data_end(nsws_client c, const nsws_data_end_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_error(nsws_client c, const nsws_error_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_drain(nsws_client c, const nsws_drain_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_reconnecting(nsws_client c, const nsws_reconnecting_event *e, void *user) {
    (void)c, (void)e, (void)user;
}
static void some_log(int32_t level, const char *message, void *user) {
    (void)level, (void)message, (void)user;
}

static int frees;

static void count_free(void *user) {
    (void)user;
    __atomic_add_fetch(&frees, 1, __ATOMIC_SEQ_CST);
}

static int32_t call_connect(nsws_client c) { return nsws_client_connect(c, "ws://127.0.0.1:1/", NULL); }
static int32_t call_send_text(nsws_client c) { return nsws_client_send_text(c, "x", 1); }
static int32_t call_send_binary(nsws_client c) { return nsws_client_send_binary(c, "x", 1); }
static int32_t call_ping(nsws_client c) { return nsws_client_ping(c, "x", 1); }
static int32_t call_check(nsws_client c) { return nsws_client_check(c, 1000); }
static int32_t call_close(nsws_client c) { return nsws_client_close(c, 1000, ""); }
static int32_t call_cork(nsws_client c) { return nsws_client_cork(c); }
static int32_t call_uncork(nsws_client c) { return nsws_client_uncork(c); }
static int32_t call_pause(nsws_client c) { return nsws_client_pause(c); }
static int32_t call_resume(nsws_client c) { return nsws_client_resume(c); }
static int32_t call_get_state(nsws_client c) {
    int32_t state = 7, code = nsws_client_get_state(c, &state);
    CHECK_INT(state, 7);
    return code;
}
static int32_t call_on_header_receive(nsws_client c) {
    return nsws_client_on_header_receive(c, some_header_receive, NULL, count_free);
}
static int32_t call_on_open(nsws_client c) { return nsws_client_on_open(c, some_open, NULL, count_free); }
static int32_t call_on_message(nsws_client c) { return nsws_client_on_message(c, some_message, NULL, count_free); }
static int32_t call_on_data_end(nsws_client c) { return nsws_client_on_data_end(c, some_data_end, NULL, count_free); }
static int32_t call_on_close(nsws_client c) { return nsws_client_on_close(c, some_close, NULL, count_free); }
static int32_t call_on_error(nsws_client c) { return nsws_client_on_error(c, some_error, NULL, count_free); }
static int32_t call_on_drain(nsws_client c) { return nsws_client_on_drain(c, some_drain, NULL, count_free); }
static int32_t call_on_reconnecting(nsws_client c) {
    return nsws_client_on_reconnecting(c, some_reconnecting, NULL, count_free);
}
static int32_t call_off_header_receive(nsws_client c) { return nsws_client_off_header_receive(c, NULL, NULL); }
static int32_t call_off_open(nsws_client c) { return nsws_client_off_open(c, NULL, NULL); }
static int32_t call_off_message(nsws_client c) { return nsws_client_off_message(c, NULL, NULL); }
static int32_t call_off_data_end(nsws_client c) { return nsws_client_off_data_end(c, NULL, NULL); }
static int32_t call_off_close(nsws_client c) { return nsws_client_off_close(c, NULL, NULL); }
static int32_t call_off_error(nsws_client c) { return nsws_client_off_error(c, NULL, NULL); }
static int32_t call_off_drain(nsws_client c) { return nsws_client_off_drain(c, NULL, NULL); }
static int32_t call_off_reconnecting(nsws_client c) { return nsws_client_off_reconnecting(c, NULL, NULL); }
static int32_t call_get_stats(nsws_client c) {
    nsws_client_stats stats;
    return nsws_client_get_stats(c, &stats, sizeof stats);
}
static int32_t call_destroy(nsws_client c) { return nsws_client_destroy(c); }
static int32_t call_release(nsws_client c) { return nsws_client_release(c); }

static const struct {
    const char *name;
    int32_t (*call)(nsws_client);
} client_calls[] = {
    { "connect", call_connect },
    { "send_text", call_send_text },
    { "send_binary", call_send_binary },
    { "ping", call_ping },
    { "check", call_check },
    { "close", call_close },
    { "cork", call_cork },
    { "uncork", call_uncork },
    { "pause", call_pause },
    { "resume", call_resume },
    { "get_state", call_get_state },
    { "on_header_receive", call_on_header_receive },
    { "on_open", call_on_open },
    { "on_message", call_on_message },
    { "on_data_end", call_on_data_end },
    { "on_close", call_on_close },
    { "on_error", call_on_error },
    { "on_drain", call_on_drain },
    { "on_reconnecting", call_on_reconnecting },
    { "off_header_receive", call_off_header_receive },
    { "off_open", call_off_open },
    { "off_message", call_off_message },
    { "off_data_end", call_off_data_end },
    { "off_close", call_off_close },
    { "off_error", call_off_error },
    { "off_drain", call_off_drain },
    { "off_reconnecting", call_off_reconnecting },
    { "get_stats", call_get_stats },
    { "destroy", call_destroy },
    { "release", call_release },
};
enum { CLIENT_CALLS = sizeof client_calls / sizeof client_calls[0] };

static void refused_by_all(uint64_t id, const char *what) {
    nsws_client client;
    client.id = id;
    for (int i = 0; i < CLIENT_CALLS; i++) {
        int32_t code = client_calls[i].call(client);
        if (code != NSWS_ERR_BAD_HANDLE)
            harness_fail(__FILE__, __LINE__, "nsws_client_%s with %s (%llx) gives %s", client_calls[i].name, what,
                         (unsigned long long)id, nsws_error_name(code));
    }
}

/* Handles. */

static void handles_that_never_were_are_refused(void) {
    frees = 0;
    refused_by_all(0, "0");
    refused_by_all(1, "1");
    refused_by_all(UINT64_C(1) << 32, "2^32");
    refused_by_all(UINT64_C(1) << 53, "2^53");
    refused_by_all(UINT64_MAX, "the largest number");
    CHECK_INT(frees, 0);
}

static void handles_that_differ_in_one_bit_are_refused(void) {
    nsws_client client;
    CHECK_OK(nsws_client_create(&client));
    for (int bit = 0; bit < 64; bit++) refused_by_all(client.id ^ (UINT64_C(1) << bit), "one bit off");
    CHECK_OK(nsws_client_destroy(client));
}

static void handles_that_were_destroyed_are_refused(void) {
    nsws_client client;
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_destroy(client));
    refused_by_all(client.id, "a destroyed handle");

    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_release(client));
    refused_by_all(client.id, "a released handle");
}

static void handles_are_not_used_twice(void) {
    enum { MANY = 5000 };
    static uint64_t ids[MANY];
    for (int i = 0; i < MANY; i++) {
        nsws_client client;
        if (!CHECK_OK(nsws_client_create(&client))) return;
        ids[i] = client.id;
        CHECK(client.id != 0);
        CHECK(client.id < UINT64_C(1) << 53);
        CHECK_OK(nsws_client_destroy(client));
    }
    for (int i = 0; i < MANY; i++)
        for (int j = i - 1; j >= 0 && j >= i - 64; j--)
            if (!CHECK(ids[i] != ids[j])) return;
    /* Late calls with old handles reach nothing, even where the slot is in use again. */
    nsws_client client;
    CHECK_OK(nsws_client_create(&client));
    for (int i = 0; i < MANY; i++) {
        nsws_client old;
        old.id = ids[i];
        if (!CHECK_CODE(nsws_client_close(old, 1000, ""), NSWS_ERR_BAD_HANDLE)) break;
    }
    CHECK_OK(nsws_client_destroy(client));
}

static void handles_can_be_copied(void) {
    nsws_client client, copy;
    CHECK_OK(nsws_client_create(&client));
    copy = client;
    CHECK_OK(nsws_client_on_open(copy, some_open, NULL, NULL));
    CHECK_OK(nsws_client_destroy(copy));
    CHECK_CODE(nsws_client_destroy(client), NSWS_ERR_BAD_HANDLE);
}

/* NULL. */

static void null_never_crashes(void) {
    nsws_client client;
    nsws_client_stats stats;
    CHECK_CODE(nsws_client_create(NULL), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_client_create(&client));
    CHECK_CODE(nsws_client_connect(client, NULL, NULL), NSWS_ERR_URL);
    CHECK_CODE(nsws_client_send_text(client, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_binary(client, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_ping(client, NULL, 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_text(client, NULL, SIZE_MAX), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_text(client, NULL, 0), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_binary(client, NULL, 0), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_ping(client, NULL, 0), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_close(client, 1000, NULL), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_get_stats(client, NULL, sizeof stats), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_get_state(client, NULL), NSWS_ERR_PARAMETER);

    frees = 0;
    CHECK_CODE(nsws_client_on_header_receive(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_open(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_message(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_data_end(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_close(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_error(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_drain(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_on_reconnecting(client, NULL, NULL, count_free), NSWS_ERR_PARAMETER);
    CHECK_INT(frees, 0);

    CHECK_OK(nsws_client_off_header_receive(client, NULL, NULL));
    CHECK_OK(nsws_client_off_open(client, NULL, NULL));
    CHECK_OK(nsws_client_off_message(client, NULL, NULL));
    CHECK_OK(nsws_client_off_data_end(client, NULL, NULL));
    CHECK_OK(nsws_client_off_close(client, NULL, NULL));
    CHECK_OK(nsws_client_off_error(client, NULL, NULL));
    CHECK_OK(nsws_client_off_drain(client, NULL, NULL));
    CHECK_OK(nsws_client_off_reconnecting(client, NULL, NULL));
    CHECK_OK(nsws_client_destroy(client));
    CHECK_INT(frees, 0);

    CHECK_CODE(nsws_connect_options_init(NULL, sizeof(nsws_connect_options)), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_runtime_options_init(NULL, sizeof(nsws_runtime_options)), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_DEBUG, NULL, NULL, NULL));
}

/* Sizes of structs. */

static const size_t impossible_sizes[] = { 0, 1, sizeof(size_t) - 1, 4097, 65536, SIZE_MAX };
enum { IMPOSSIBLE_SIZES = sizeof impossible_sizes / sizeof impossible_sizes[0] };

static void impossible_struct_sizes_are_refused(void) {
    struct recorder *r = new_client();
    for (int i = 0; i < IMPOSSIBLE_SIZES; i++) {
        size_t size = impossible_sizes[i];
        nsws_connect_options options = defaults();
        CHECK_CODE(nsws_connect_options_init(&options, size), NSWS_ERR_PARAMETER);
        options.struct_size = size;
        CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);

        nsws_runtime_options runtime;
        CHECK_CODE(nsws_runtime_options_init(&runtime, size), NSWS_ERR_PARAMETER);
        CHECK_OK(nsws_runtime_options_init(&runtime, sizeof runtime));
        runtime.struct_size = size;
        CHECK_CODE(nsws_runtime_configure(&runtime), NSWS_ERR_PARAMETER);

        nsws_client_stats stats;
        memset(&stats, 0x5a, sizeof stats);
        CHECK_CODE(nsws_client_get_stats(r->client, &stats, size), NSWS_ERR_PARAMETER);
        CHECK_INT(stats.messages_sent, UINT64_C(0x5a5a5a5a5a5a5a5a));
    }
}

static void a_newer_struct_is_taken_when_it_asks_for_nothing_new(void) {
    struct recorder *r = new_client();
    union {
        nsws_connect_options options;
        unsigned char bytes[4096];
    } newer;
    memset(&newer, 0, sizeof newer);
    CHECK_OK(nsws_connect_options_init(&newer.options, sizeof newer));
    CHECK_INT(newer.options.struct_size, sizeof newer);
    for (size_t i = sizeof newer.options; i < sizeof newer; i++) CHECK_INT(newer.bytes[i], 0);
    if (!OPENS(r, raw_url(r, "/echo"), &newer.options)) return;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);

    newer.bytes[sizeof newer.options] = 1;
    CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), &newer.options), NSWS_ERR_PARAMETER);
    newer.bytes[sizeof newer.options] = 0;
    newer.bytes[sizeof newer - 1] = 1;
    CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), &newer.options), NSWS_ERR_PARAMETER);
}

static void an_older_struct_is_taken_with_defaults_for_the_rest(void) {
    struct recorder *r = new_client();
    nsws_connect_options options;
    memset(&options, 0xff, sizeof options);
    size_t size = offsetof(nsws_connect_options, max_receive_size);
    CHECK_OK(nsws_connect_options_init(&options, size));
    CHECK_INT(options.struct_size, size);
    CHECK(options.headers == NULL && options.ca_path == NULL);
    /* Nothing beyond the size is written or read. */
    CHECK_INT(options.max_receive_size, SIZE_MAX);
    CHECK_INT(options.support_origin_port, 0xff);
    if (!OPENS(r, raw_url(r, "/echo"), &options)) return;
    options.struct_size = sizeof(size_t);
    CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), &options), NSWS_ERR_ALREADY_CONNECTED);

    union {
        nsws_client_stats stats;
        unsigned char bytes[4096];
    } larger;
    memset(&larger, 0x5a, sizeof larger);
    CHECK_OK(nsws_client_get_stats(r->client, &larger.stats, offsetof(nsws_client_stats, messages_received)));
    CHECK_INT(larger.stats.struct_size, offsetof(nsws_client_stats, messages_received));
    CHECK_INT(larger.stats.messages_sent, 0);
    CHECK_INT(larger.stats.messages_received, UINT64_C(0x5a5a5a5a5a5a5a5a));
    CHECK_OK(nsws_client_get_stats(r->client, &larger.stats, sizeof larger));
    CHECK_INT(larger.bytes[sizeof larger - 1], 0);
}

static void the_defaults_are_the_contract_s(void) {
    nsws_connect_options options = defaults();
    CHECK_INT(options.struct_size, sizeof options);
    CHECK(options.headers == NULL && options.protocol == NULL && options.ca_path == NULL);
    CHECK_INT(options.header_count, 0);
    CHECK_INT(options.max_receive_size, 16 << 20);
    CHECK_INT(options.max_send_size, 5 << 20);
    CHECK_INT(options.send_queue_size, 16 << 20);
    CHECK_INT(options.ping_interval_ms, 30000);
    CHECK_INT(options.pong_timeout_ms, NSWS_PONG_TIMEOUT_DEFAULT);
    CHECK_INT(options.connect_timeout_ms, 15000);
    CHECK_INT(options.close_timeout_ms, 5000);
    CHECK_INT(options.reconnect_max_attempts, 0);
    CHECK_INT(options.reconnect_min_delay_ms, 1000);
    CHECK_INT(options.reconnect_max_delay_ms, 30000);
    CHECK_INT(options.min_tls_version, NSWS_TLS_1_2);
    CHECK_INT(options.skip_server_cert_verification, 0);
    CHECK_INT(options.support_origin_port, 1);
    CHECK(options.origin == NULL);
    CHECK_INT(options.max_url_length, 2048);
}

/* URLs. */

static void invalid_urls_are_refused_at_once(void) {
    static const char *const urls[] = {
        "", " ", "/", "hello", "localhost", "www.example.com", "//host/", "ws:", "ws:/", "ws://", "wss://", "ws:///path",
        "ws://?query", "ws:host", "http://host/", "https://host/", "ftp://host/", "wsx://host/", "ws//host/",
        "ws://host/#fragment", "ws://host#", "ws://host/?query#fragment", "ws://ho st/", "ws://host/a b", " ws://host/",
        "ws://host/ ", "ws://host/\r\nX: y", "ws://host/\n", "ws://host/\t", "ws://ho\x01st/", "ws://host:0/",
        "ws://host:65536/", "ws://host:99999999999/", "ws://host:-1/", "ws://host:port/", "ws://[::1/", "ws://[zz]/",
        "ws://[]/", "ws://:80/", "ws://user@/", "ws://user:password@:80/", "ws://host\\path", "ws://\xff\xfe/",
        "ws://host/\xc3", "ws://ho%00st/", "ws://ho<st/",
    };
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        int32_t code = nsws_client_connect(r->client, urls[i], NULL);
        if (code != NSWS_ERR_URL)
            harness_fail(__FILE__, __LINE__, "the URL \"%s\" gives %s", urls[i], nsws_error_name(code));
        CHECK(strlen(nsws_last_error()) > 0);
    }
    /* The client is as it was when it was new. */
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_STR(order(r), "header_receive open");
}

static void a_url_may_have_2048_characters_and_not_2049(void) {
    struct recorder *r = new_client();
    char url[2050];
    int length = snprintf(url, sizeof url, "ws://127.0.0.1:%s/echo/?t=%s&", setting("NSWS_RAW_PORT"), r->token);
    memset(url + length, 'u', sizeof url - (size_t)length);
    url[2049] = 0;
    CHECK_CODE(nsws_client_connect(r->client, url, NULL), NSWS_ERR_URL);
    CHECK_CONTAINS(nsws_last_error(), "2048");
    /* "/echo/" has an empty argument, which echo doesn't take: another behaviour that takes one. */
    length = snprintf(url, sizeof url, "ws://127.0.0.1:%s/protocol/?t=%s&", setting("NSWS_RAW_PORT"), r->token);
    memset(url + length, 'u', sizeof url - (size_t)length);
    url[2048] = 0;
    if (!OPENS(r, url, NULL)) return;
    char *head = ask_peer("get %s head", r->token);
    CHECK(head != NULL && strstr(head, "uuuu HTTP/1.1\r\n") != NULL);
    free(head);
}

static void max_url_length_is_how_long_a_url_may_be(void) {
    struct recorder *r = new_client();
    char url[5001];
    nsws_connect_options options = defaults();
    int length = snprintf(url, sizeof url, "ws://127.0.0.1:%s/protocol/?t=%s&", setting("NSWS_RAW_PORT"), r->token);
    memset(url + length, 'u', sizeof url - 1 - (size_t)length);
    url[sizeof url - 1] = 0;
    options.max_url_length = sizeof url - 2;
    CHECK_CODE(nsws_client_connect(r->client, url, &options), NSWS_ERR_URL);
    CHECK_CONTAINS(nsws_last_error(), "4999");
    options.max_url_length = sizeof url - 1;
    OPENS(r, url, &options);
}

static void the_scheme_is_case_insensitive(void) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "Ws://127.0.0.1:%s/echo?t=%s", setting("NSWS_RAW_PORT"), r->token);
    OPENS(r, r->url, NULL);
}

static void no_error_shows_a_password(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_connect(r->client, "ws://user:sEcReT@host:99999/", NULL), NSWS_ERR_URL);
    CHECK_LACKS(nsws_last_error(), "sEcReT");
    CHECK_CODE(nsws_client_connect(r->client, "ws://user:sEcReT@host/#x", NULL), NSWS_ERR_URL);
    CHECK_LACKS(nsws_last_error(), "sEcReT");

    nsws_header header = { "Authorization", "sEcReT\r\nX: y" };
    nsws_connect_options options = defaults();
    options.headers = &header;
    options.header_count = 1;
    CHECK_CODE(nsws_client_connect(r->client, "ws://host/", &options), NSWS_ERR_PARAMETER);
    CHECK_LACKS(nsws_last_error(), "sEcReT");

    int fd, port = refused_port(&fd);
    snprintf(r->url, sizeof r->url, "ws://user:sEcReT@127.0.0.1:%d/", port);
    CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK_LACKS(error->text, "sEcReT");
    close(fd);
}

/* Headers. */

static int32_t connect_with_header(struct recorder *r, const char *name, const char *value) {
    nsws_header header;
    nsws_connect_options options = defaults();
    header.name = name;
    header.value = value;
    options.headers = &header;
    options.header_count = 1;
    return nsws_client_connect(r->client, raw_url(r, "/echo-request"), &options);
}

static void headers_can_not_be_injected(void) {
    static const char *const pairs[][2] = {
        { "X", "a\r\nY: b" }, { "X", "a\nY: b" }, { "X", "a\rY: b" }, { "X", "a\r\n" }, { "X", "\n" }, { "X", "a\x01" },
        { "X", "a\x7f" }, { "X\r\nY", "b" }, { "X\n", "b" }, { "X Y", "b" }, { " X", "b" }, { "X ", "b" }, { "X:", "b" },
        { "X:Y", "b" }, { "", "b" }, { "X\x01", "b" }, { "X\t", "b" }, { "H\xc3\xa4", "b" }, { "X(", "b" }, { "X\"", "b" },
        { "X", "\xff" },
    };
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int32_t code = connect_with_header(r, pairs[i][0], pairs[i][1]);
        if (code != NSWS_ERR_PARAMETER)
            harness_fail(__FILE__, __LINE__, "header \"%s\": \"%s\" gives %s", pairs[i][0], pairs[i][1], nsws_error_name(code));
    }
    CHECK_CODE(connect_with_header(r, NULL, "b"), NSWS_ERR_PARAMETER);
    CHECK_CODE(connect_with_header(r, "X", NULL), NSWS_ERR_PARAMETER);

    nsws_connect_options options = defaults();
    options.header_count = 1;
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    CHECK_INT(peer_number(r->token, "connections"), 0);
}

static void the_handshake_s_own_headers_can_not_be_set(void) {
    static const char *const names[] = {
        "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "upgrade",
        "CONNECTION", "sec-websocket-key", "SEC-WEBSOCKET-VERSION", "Sec-Websocket-Extensions",
    };
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!CHECK_CODE(connect_with_header(r, names[i], "x"), NSWS_ERR_PARAMETER))
            fprintf(stderr, "    header %s\n", names[i]);
    }
}

static void a_protocol_can_not_inject_headers(void) {
    static const char *const protocols[] = { "a\r\nX: y", "a\nX: y", "a b", "a\x01", "chat,\r\n", "\xff" };
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        nsws_connect_options options = defaults();
        options.protocol = protocols[i];
        CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), &options), NSWS_ERR_PARAMETER);
        CHECK_CODE(connect_with_header(r, "Sec-WebSocket-Protocol", protocols[i]), NSWS_ERR_PARAMETER);
    }
}

/* Ranges. */

static void options_out_of_their_range_are_refused(void) {
    struct recorder *r = new_client();
    int fd;
    const char *url = refused_url(r, &fd);
    size_t failed = 0;

    /* REFUSED and TAKEN set one thing that differs from the defaults. */
#define WITH(setting, check) \
    do { \
        nsws_connect_options o = defaults(); \
        setting; \
        check; \
    } while (0)
#define REFUSED(setting) WITH(setting, CHECK_CODE(nsws_client_connect(r->client, url, &o), NSWS_ERR_PARAMETER))
#define TAKEN(setting) \
    WITH(setting, if (CHECK_OK(nsws_client_connect(r->client, url, &o))) WAIT(r, ERROR, ++failed))

    REFUSED(o.ping_interval_ms = 30000001);
    REFUSED(o.ping_interval_ms = UINT32_MAX);
    TAKEN(o.ping_interval_ms = 30000000);
    TAKEN(o.ping_interval_ms = 1);
    TAKEN(o.ping_interval_ms = 0);
    REFUSED(o.pong_timeout_ms = 30001);
    REFUSED(o.pong_timeout_ms = UINT32_MAX - 1);
    REFUSED((o.ping_interval_ms = 1000, o.pong_timeout_ms = 1001));
    TAKEN((o.ping_interval_ms = 1000, o.pong_timeout_ms = 1000));
    TAKEN((o.ping_interval_ms = 1000, o.pong_timeout_ms = 0));
    TAKEN((o.ping_interval_ms = 0, o.pong_timeout_ms = 99999));
    TAKEN((o.ping_interval_ms = 5, o.pong_timeout_ms = NSWS_PONG_TIMEOUT_DEFAULT));
    REFUSED(o.connect_timeout_ms = 0);
    TAKEN(o.connect_timeout_ms = UINT32_MAX);
    REFUSED(o.close_timeout_ms = 0);
    TAKEN(o.close_timeout_ms = UINT32_MAX);
    REFUSED(o.max_receive_size = 0);
    TAKEN(o.max_receive_size = 1);
    TAKEN(o.max_receive_size = SIZE_MAX);
    TAKEN(o.max_send_size = 0);
    TAKEN(o.max_send_size = SIZE_MAX);
    TAKEN(o.send_queue_size = 0);
    TAKEN(o.send_queue_size = SIZE_MAX);
    REFUSED((o.reconnect_max_attempts = 1, o.reconnect_min_delay_ms = 0));
    REFUSED((o.reconnect_max_attempts = 1, o.reconnect_min_delay_ms = 1000, o.reconnect_max_delay_ms = 999));
    TAKEN((o.reconnect_min_delay_ms = 1000, o.reconnect_max_delay_ms = 1000));
    REFUSED(o.min_tls_version = 0);
    REFUSED(o.min_tls_version = 10);
    REFUSED(o.min_tls_version = 11);
    REFUSED(o.min_tls_version = 14);
    TAKEN(o.min_tls_version = NSWS_TLS_1_3);
    REFUSED(o.skip_server_cert_verification = 2);
    REFUSED(o.support_origin_port = 255);
    REFUSED(o.origin = "http://a\r\nX: y");
    REFUSED(o.origin = "\xff");
    TAKEN(o.origin = "");
    TAKEN(o.protocol = "");
    REFUSED(o.max_redirects = 51);
    REFUSED(o.max_redirects = UINT32_MAX);
    TAKEN(o.max_redirects = 50);
    close(fd);
}

static void the_parameters_of_sends_are_checked_before_the_state(void) {
    char long_ping[126];
    struct recorder *r = new_client();
    memset(long_ping, 'p', sizeof long_ping);
    CHECK_CODE(nsws_client_ping(r->client, long_ping, 126), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_ping(r->client, long_ping, 125), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_text(r->client, "\xff", 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_text(r->client, "\xc3\xa4", 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_text(r->client, "\xc3\xa4", 2), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_binary(r->client, "\xff", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_close(r->client, 999, ""), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_close(r->client, 1000, "\xff"), NSWS_ERR_PARAMETER);
}

/* Codes and what describes them. */

static void every_code_has_its_name_and_message(void) {
#define NAMED(code) CHECK_STR(nsws_error_name(code), #code), CHECK(strlen(nsws_error_message(code)) > 0)
    CHECK_STR(nsws_error_name(NSWS_OK), "NSWS_OK");
    NAMED(NSWS_ERR_CONNECT_FAILED);
    NAMED(NSWS_ERR_PERMISSION_DENIED);
    NAMED(NSWS_ERR_PARAMETER);
    NAMED(NSWS_ERR_URL);
    NAMED(NSWS_ERR_CERT_FILE);
    NAMED(NSWS_ERR_ALREADY_CONNECTED);
    NAMED(NSWS_ERR_LISTEN_ADDRESS);
    NAMED(NSWS_ERR_LISTEN_PORT);
    NAMED(NSWS_ERR_NO_CONNECTION);
    NAMED(NSWS_ERR_PORT_IN_USE);
    NAMED(NSWS_ERR_DOMAIN_NOT_ALLOWED);
    NAMED(NSWS_ERR_INTERNAL);
    NAMED(NSWS_ERR_BAD_HANDLE);
    NAMED(NSWS_ERR_NOT_CONNECTED);
    NAMED(NSWS_ERR_QUEUE_FULL);
    NAMED(NSWS_ERR_WOULD_DEADLOCK);
    NAMED(NSWS_ERR_NOT_SUPPORTED);
    NAMED(NSWS_ERR_BUSY);
    NAMED(NSWS_ERR_FORKED);
    NAMED(NSWS_ERR_SHUTTING_DOWN);
    NAMED(NSWS_ERR_NO_RESOURCES);
    NAMED(NSWS_DETAIL_TIMEOUT);
    NAMED(NSWS_DETAIL_NAME_NOT_FOUND);
    NAMED(NSWS_DETAIL_REFUSED);
    NAMED(NSWS_DETAIL_UNREACHABLE);
    NAMED(NSWS_DETAIL_LINK_LOST);
    NAMED(NSWS_DETAIL_CA_FILE);
    NAMED(NSWS_DETAIL_CERT_EXPIRED);
    NAMED(NSWS_DETAIL_CERT_NOT_YET_VALID);
    NAMED(NSWS_DETAIL_CERT_NAME);
    NAMED(NSWS_DETAIL_CERT_ISSUER);
    NAMED(NSWS_DETAIL_CERT_INVALID);
    NAMED(NSWS_DETAIL_TLS);
    NAMED(NSWS_DETAIL_HTTP_STATUS);
    NAMED(NSWS_DETAIL_HANDSHAKE);
    NAMED(NSWS_DETAIL_SUB_PROTOCOL);
    NAMED(NSWS_DETAIL_PROTOCOL);
    NAMED(NSWS_DETAIL_INVALID_UTF8);
    NAMED(NSWS_DETAIL_MESSAGE_TOO_BIG);
    NAMED(NSWS_DETAIL_HEARTBEAT_LOST);
    NAMED(NSWS_DETAIL_CLOSE_TIMEOUT);
    NAMED(NSWS_DETAIL_PROXY_SETTING);
    NAMED(NSWS_DETAIL_PROXY_AUTH);
    NAMED(NSWS_DETAIL_PROXY_REFUSED);
    NAMED(NSWS_DETAIL_PROXY_ANSWER);
#undef NAMED

    static const int32_t none[] = { -1, 1, 202, 400, 2302000, 2302008, 2302899, 2302949, 2302999 + 1, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CHECK_STR(nsws_error_name(none[i]), "NSWS_ERR_UNKNOWN");
        CHECK(nsws_error_message(none[i]) != NULL);
    }
}

static void the_numbers_and_messages_are_the_contract_s(void) {
    static const struct {
        int32_t code, number;
        const char *message;
    } rows[] = {
        { NSWS_ERR_PERMISSION_DENIED, 201, "Permission denied." },
        { NSWS_ERR_PARAMETER, 401, "Parameter error." },
        { NSWS_ERR_CONNECT_FAILED, 200, "Websocket connect failed." },
        { NSWS_ERR_URL, 2302001, "Websocket url error." },
        { NSWS_ERR_CERT_FILE, 2302002, "Websocket certificate file does not exist." },
        { NSWS_ERR_ALREADY_CONNECTED, 2302003, "Websocket connection already exists." },
        { NSWS_ERR_LISTEN_ADDRESS, 2302004, "Can't listen on the given NIC." },
        { NSWS_ERR_LISTEN_PORT, 2302005, "Can't listen on the given Port." },
        { NSWS_ERR_NO_CONNECTION, 2302006, "websocket connection does not exist." },
        { NSWS_ERR_PORT_IN_USE, 2302007, "Websocket port already occupied." },
        { NSWS_ERR_DOMAIN_NOT_ALLOWED, 2302998, "It is not allowed to access this domain." },
        { NSWS_ERR_INTERNAL, 2302999, "Internal error." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(rows[i].code, rows[i].number);
        CHECK_STR(nsws_error_message(rows[i].number), rows[i].message);
    }
}

static void every_phase_has_its_name(void) {
    CHECK_STR(nsws_phase_name(NSWS_PHASE_CALL), "call");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_PARSE), "parse");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_DNS), "dns");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_TCP), "tcp");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_PROXY), "proxy");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_TLS), "tls");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_HANDSHAKE), "handshake");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_PROTOCOL), "protocol");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_HEARTBEAT), "heartbeat");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_IO), "io");
    CHECK_STR(nsws_phase_name(-1), "unknown");
    CHECK_STR(nsws_phase_name(NSWS_PHASE_IO + 1), "unknown");
}

static void *last_error_elsewhere(void *copy) {
    nsws_client none = { 0 };
    snprintf(copy, 256, "before: \"%s\"", nsws_last_error());
    nsws_client_close(none, 1000, "");
    snprintf((char *)copy + 256, 256, "%s", nsws_last_error());
    return NULL;
}

static void the_last_error_belongs_to_its_thread(void) {
    char copies[512], mine[256];
    pthread_t thread;
    CHECK_CODE(nsws_client_create(NULL), NSWS_ERR_PARAMETER);
    snprintf(mine, sizeof mine, "%s", nsws_last_error());
    CHECK(strlen(mine) > 0);
    pthread_create(&thread, NULL, last_error_elsewhere, copies);
    pthread_join(thread, NULL);
    CHECK_STR(copies, "before: \"\"");
    CHECK(strlen(copies + 256) > 0);
    CHECK(strcmp(copies + 256, mine) != 0);
    CHECK_STR(nsws_last_error(), mine);
    /* A success changes nothing. */
    nsws_client client;
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_destroy(client));
    CHECK_STR(nsws_last_error(), mine);
}

static void the_version_is_a_version(void) {
    int major, minor, patch, length = 0;
    CHECK_INT(sscanf(nsws_version(), "%d.%d.%d%n", &major, &minor, &patch, &length), 3);
    CHECK_INT(length, strlen(nsws_version()));
    CHECK_INT(major, NSWS_VERSION_MAJOR);
    CHECK_INT(minor, NSWS_VERSION_MINOR);
    CHECK_INT(patch, NSWS_VERSION_PATCH);
    CHECK_INT(nsws_abi_version(), NSWS_ABI_VERSION);
}

/* Listeners. */

static char called[256];
static pthread_mutex_t called_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called_more = PTHREAD_COND_INITIALIZER;

static void note(const char *name) {
    pthread_mutex_lock(&called_lock);
    strncat(called, name, sizeof called - strlen(called) - 1);
    pthread_cond_broadcast(&called_more);
    pthread_mutex_unlock(&called_lock);
}

/* Waits for so many notes: free_fn may run a moment later, on another thread. */
static void wait_called(size_t letters) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += guard_seconds();
    pthread_mutex_lock(&called_lock);
    while (strlen(called) < letters && pthread_cond_timedwait(&called_more, &called_lock, &end) == 0) {
    }
    pthread_mutex_unlock(&called_lock);
}

static void on_message_note(nsws_client c, const nsws_message_event *e, void *user) {
    (void)c, (void)e;
    note(user);
}

static void on_message_note_x(nsws_client c, const nsws_message_event *e, void *user) {
    (void)c, (void)e, (void)user;
    note("x");
}

static void note_free(void *user) {
    note("-");
    note(user);
}

static char A[] = "a", B[] = "b", C[] = "c";

/* One message goes there and back: each listener is called for it. */
static int round_trip(struct recorder *r) {
    size_t before = count_events(r, DATA_END);
    called[0] = 0;
    return CHECK_OK(nsws_client_send_text(r->client, "x", 1)) && WAIT(r, DATA_END, before + 1) != NULL;
}

static void listeners_are_called_in_the_order_of_their_registration(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, NULL));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note_x, NULL, NULL));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, NULL));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, C, NULL));
    if (round_trip(r)) CHECK_STR(called, "bxac");
    CHECK_OK(nsws_client_off_message(r->client, on_message_note, A));
    if (round_trip(r)) CHECK_STR(called, "bxc");
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, NULL));
    if (round_trip(r)) CHECK_STR(called, "bxca");
}

static void the_same_function_and_user_data_count_once(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    called[0] = 0;
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, note_free));
    CHECK_STR(called, "");
    if (round_trip(r)) CHECK_STR(called, "ab");
    called[0] = 0;
    destroy_client(r);
    wait_called(4);
    CHECK(strcmp(called, "-a-b") == 0 || strcmp(called, "-b-a") == 0);
}

static void off_removes_one_and_off_with_null_removes_all(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, A, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note_x, NULL, NULL));
    /* Removing what isn't there is no error. */
    CHECK_OK(nsws_client_off_message(r->client, on_message_note, C));
    CHECK_OK(nsws_client_off_message(r->client, on_message_note_x, A));
    CHECK_OK(nsws_client_off_message(r->client, some_message, NULL));
    if (round_trip(r)) CHECK_STR(called, "abx");
    called[0] = 0;
    CHECK_OK(nsws_client_off_message(r->client, on_message_note, A));
    CHECK_OK(nsws_client_off_message(r->client, on_message_note, A));
    wait_called(2);
    CHECK_STR(called, "-a");
    if (round_trip(r)) CHECK_STR(called, "bx");
    called[0] = 0;
    r->partial = 1;
    CHECK_OK(nsws_client_off_message(r->client, NULL, C));
    wait_called(2);
    CHECK_STR(called, "-b");
    WAIT_FREED(r, 1);
    if (round_trip(r)) CHECK_STR(called, "");
    /* Other events keep their listeners. */
    CHECK_INT(count_events(r, MESSAGE), 2);
    CHECK_INT(count_events(r, DATA_END), 3);
}

static void on_message_off_myself(nsws_client c, const nsws_message_event *e, void *user) {
    (void)e;
    CHECK_OK(nsws_client_off_message(c, on_message_off_myself, user));
    note(user);
    /* What this call still uses is not freed meanwhile. */
    CHECK_LACKS(called, "-");
}

static void a_listener_may_remove_itself(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_on_message(r->client, on_message_off_myself, A, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, NULL));
    if (round_trip(r)) {
        wait_called(4);
        CHECK_CONTAINS(called, "-a");
        CHECK(strcmp(called, "a-ab") == 0 || strcmp(called, "ab-a") == 0);
    }
    if (round_trip(r)) CHECK_STR(called, "b");
}

static void on_message_off_b(nsws_client c, const nsws_message_event *e, void *user) {
    (void)e;
    note(user);
    CHECK_OK(nsws_client_off_message(c, on_message_note, B));
}

static void a_listener_that_another_removes_is_not_called_again(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_on_message(r->client, on_message_off_b, A, NULL));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, NULL));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, C, NULL));
    if (round_trip(r)) CHECK_STR(called, "ac");
}

static void on_message_off_all(nsws_client c, const nsws_message_event *e, void *user) {
    (void)e;
    note(user);
    CHECK_OK(nsws_client_off_message(c, NULL, NULL));
}

static void a_listener_may_remove_all(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    r->partial = 1;
    CHECK_OK(nsws_client_on_message(r->client, on_message_off_all, A, note_free));
    CHECK_OK(nsws_client_on_message(r->client, on_message_note, B, note_free));
    if (round_trip(r)) {
        wait_called(5);
        CHECK(called[0] == 'a');
        CHECK_CONTAINS(called, "-a");
        CHECK_CONTAINS(called, "-b");
        CHECK_INT(strlen(called), 5);
    }
    if (round_trip(r)) CHECK_STR(called, "");
}

static void on_message_on_b(nsws_client c, const nsws_message_event *e, void *user) {
    (void)e;
    note(user);
    CHECK_OK(nsws_client_on_message(c, on_message_note, B, NULL));
}

static void a_listener_may_add_another(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_on_message(r->client, on_message_on_b, A, NULL));
    round_trip(r);
    if (round_trip(r)) CHECK_STR(called, "ab");
}

struct listener_life {
    struct counter freed;
    nsws_client client;
};

static void calls_the_library(void *user) {
    struct listener_life *life = user;
    nsws_client_stats stats;
    nsws_client_get_stats(life->client, &stats, sizeof stats);
    nsws_client_send_text(life->client, "from free_fn", 12);
    nsws_client_off_open(life->client, NULL, NULL);
    CHECK(nsws_version() != NULL);
    counter_add(&life->freed, 1);
}

static void a_free_fn_may_call_the_library(void) {
    static struct listener_life life;
    counter_init(&life.freed);
    for (int i = 0; i < 4; i++) {
        struct recorder *r = OPEN_RAW("/echo", NULL);
        if (!r) return;
        life.client = r->client;
        r->partial = 1;
        CHECK_OK(nsws_client_on_message(r->client, some_message, &life, calls_the_library));
        if (i == 0) CHECK_OK(nsws_client_off_message(r->client, some_message, &life));
        if (i == 1) CHECK_OK(nsws_client_off_message(r->client, NULL, NULL));
        if (i == 2) destroy_client(r);
        if (i == 3) {
            r->destroyed = 1;
            CHECK_OK(nsws_client_release(r->client));
        }
        WAIT_COUNTER(&life.freed, i + 1);
    }
    CHECK_INT(counter_value(&life.freed), 4);
}

static void free_fn_runs_once_for_each_registration(void) {
    struct recorder *r = new_client();
    frees = 0;
    for (int i = 0; i < CLIENT_CALLS; i++)
        if (strncmp(client_calls[i].name, "on_", 3) == 0) CHECK_OK(client_calls[i].call(r->client));
    CHECK_INT(frees, 0);
    destroy_client(r);
    CHECK_INT(frees, KINDS);
}

/* The log. */

static char *log_text;
static size_t log_size;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int log_levels[NSWS_LOG_DEBUG + 1];

static void keep_log(int32_t level, const char *message, void *user) {
    pthread_mutex_lock(&log_lock);
    CHECK(level > NSWS_LOG_OFF && level <= NSWS_LOG_DEBUG);
    CHECK(user == A);
    log_levels[level]++;
    size_t length = strlen(message);
    log_text = realloc(log_text, log_size + length + 2);
    memcpy(log_text + log_size, message, length);
    log_size += length;
    memcpy(log_text + log_size++, "\n", 2);
    pthread_mutex_unlock(&log_lock);
}

static void the_log_tells_of_a_session_and_holds_no_secret(void) {
    log_text = copy_text("");
    log_size = 0;
    memset(log_levels, 0, sizeof log_levels);
    frees = 0;
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_DEBUG, keep_log, A, count_free));
    struct recorder *r = new_client();
    nsws_header header = { "Authorization", "Bearer sEcReT" };
    nsws_connect_options options = defaults();
    options.headers = &header;
    options.header_count = 1;
    if (OPENS(r, raw_url(r, "/echo"), &options)) {
        CHECK_OK(nsws_client_send_text(r->client, "sEcReT", 6));
        WAIT(r, MESSAGE, 1);
        CHECK_OK(nsws_client_close(r->client, 1000, "sEcReT"));
        WAIT(r, CLOSE, 1);
    }
    snprintf(r->url, sizeof r->url, "ws://user:sEcReT@127.0.0.1:%s/status/404?password=sEcReT", setting("NSWS_RAW_PORT"));
    CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
    WAIT(r, ERROR, 1);
    destroy_client(r);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    /* The old receiver is freed when nothing logs any more; no other receiver gets those lines. */
    CHECK_INT(frees, 1);
    pthread_mutex_lock(&log_lock);
    CHECK_LEAST(log_levels[NSWS_LOG_INFO] + log_levels[NSWS_LOG_WARN] + log_levels[NSWS_LOG_ERROR], 1);
    CHECK_LEAST(log_levels[NSWS_LOG_DEBUG], 1);
    CHECK_CONTAINS(log_text, "127.0.0.1");
    CHECK_LACKS(log_text, "sEcReT");
    free(log_text);
    pthread_mutex_unlock(&log_lock);
}

static void the_log_keeps_to_its_level(void) {
    log_text = copy_text("");
    log_size = 0;
    memset(log_levels, 0, sizeof log_levels);
    CHECK_CODE(nsws_set_log_callback(-1, keep_log, A, count_free), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_set_log_callback(NSWS_LOG_DEBUG + 1, keep_log, A, count_free), NSWS_ERR_PARAMETER);
    frees = 0;
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_INFO, keep_log, A, count_free));
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (r) destroy_client(r);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, keep_log, A, count_free));
    CHECK_INT(log_levels[NSWS_LOG_DEBUG], 0);
    r = OPEN_RAW("/echo", NULL);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    free(log_text);
}

static void a_layer_above_may_write_to_the_log(void) {
    log_text = copy_text("");
    log_size = 0;
    memset(log_levels, 0, sizeof log_levels);
    CHECK_OK(nsws_log(NSWS_LOG_ERROR, "nobody receives this"));
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_WARN, keep_log, A, NULL));
    CHECK_OK(nsws_log(NSWS_LOG_WARN, "a line"));
    CHECK_OK(nsws_log(NSWS_LOG_INFO, "a line that is not wanted"));
    CHECK_CODE(nsws_log(NSWS_LOG_WARN, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_log(NSWS_LOG_WARN, "\xff"), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_log(NSWS_LOG_OFF, "a line"), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_log(NSWS_LOG_DEBUG + 1, "a line"), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    CHECK_STR(log_text, "a line\n");
    CHECK_INT(log_levels[NSWS_LOG_WARN], 1);
    free(log_text);
}

/* The runtime. */

static void the_runtime_is_configured_before_it_runs(void) {
    nsws_runtime_options options;
    nsws_client client;
    CHECK_OK(nsws_shutdown(20000));
    CHECK_OK(nsws_runtime_options_init(&options, sizeof options));
    CHECK_INT(options.thread_stack_size, 1 << 20);
    CHECK_INT(options.max_threads, 1024);

    options.max_threads = 0;
    CHECK_CODE(nsws_runtime_configure(&options), NSWS_ERR_PARAMETER);
    options.max_threads = 1;
    CHECK_CODE(nsws_runtime_configure(&options), NSWS_ERR_PARAMETER);
    options.max_threads = 2;
    CHECK_OK(nsws_runtime_configure(&options));
    options.thread_stack_size = (128 << 10) - 1;
    CHECK_CODE(nsws_runtime_configure(&options), NSWS_ERR_PARAMETER);
    options.thread_stack_size = 0;
    CHECK_CODE(nsws_runtime_configure(&options), NSWS_ERR_PARAMETER);
    options.thread_stack_size = 512 << 10;
    CHECK_OK(nsws_runtime_configure(&options));

    CHECK_OK(nsws_client_create(&client));
    CHECK_CODE(nsws_runtime_configure(&options), NSWS_ERR_BUSY);
    CHECK_CODE(nsws_runtime_configure(NULL), NSWS_ERR_BUSY);
    CHECK_OK(nsws_client_destroy(client));

    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (r) round_trip(r);
    end_recorders();
    CHECK_OK(nsws_shutdown(20000));
    CHECK_OK(nsws_runtime_configure(NULL));
}

/* Fork. */

struct child_call {
    const char *name;
    int32_t code;
};

static void child_reports(int fd, const char *name, int32_t code) {
    char line[128];
    if (code == NSWS_ERR_FORKED) return;
    int length = snprintf(line, sizeof line, "%s gives %d; ", name, (int)code);
    if (write(fd, line, (size_t)length) < 0) _exit(3);
}

static void a_forked_child_is_refused_by_every_call(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    char report[4096] = "";
    int pipes[2], status = -1;
    if (!r || pipe(pipes) != 0) return;
    pid_t child = fork();
    if (child == 0) {
        nsws_client client;
        nsws_connect_options options;
        nsws_runtime_options runtime;
        for (int i = 0; i < CLIENT_CALLS; i++) child_reports(pipes[1], client_calls[i].name, client_calls[i].call(r->client));
        child_reports(pipes[1], "create", nsws_client_create(&client));
        child_reports(pipes[1], "shutdown", nsws_shutdown(0));
        child_reports(pipes[1], "network_changed", nsws_network_changed(1000));
        child_reports(pipes[1], "configure", nsws_runtime_configure(NULL));
        child_reports(pipes[1], "set_log_callback", nsws_set_log_callback(NSWS_LOG_INFO, some_log, NULL, NULL));
        child_reports(pipes[1], "log", nsws_log(NSWS_LOG_INFO, "a line"));
        child_reports(pipes[1], "connect_options_init", nsws_connect_options_init(&options, sizeof options));
        child_reports(pipes[1], "runtime_options_init", nsws_runtime_options_init(&runtime, sizeof runtime));
        if (strlen(nsws_last_error()) == 0) child_reports(pipes[1], "last_error", 0);
        if (write(pipes[1], "done", 4) != 4) _exit(3);
        /* Without exit(): valgrind would look for leaks in a process whose other threads' stacks are gone. */
        kill(getpid(), SIGKILL);
    }
    close(pipes[1]);
    size_t size = 0;
    ssize_t count;
    while ((count = read(pipes[0], report + size, sizeof report - 1 - size)) > 0) size += (size_t)count;
    close(pipes[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_STR(report, "done");
    /* The parent is not affected. */
    round_trip(r);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
}

/* Runs first: a child of a process that has not used the library may use it itself. */
static void a_child_forked_before_the_first_use_is_a_process_like_any_other(void) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        struct recorder *r = OPEN_RAW("/echo", NULL);
        int ok = r != NULL && round_trip(r);
        end_recorders();
        ok = ok && nsws_shutdown(20000) == NSWS_OK && failed_checks() == 0;
        _exit(ok ? 0 : 1);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

int main(void) {
    RUN(a_child_forked_before_the_first_use_is_a_process_like_any_other);
    RUN(handles_that_never_were_are_refused);
    RUN(handles_that_differ_in_one_bit_are_refused);
    RUN(handles_that_were_destroyed_are_refused);
    RUN(handles_are_not_used_twice);
    RUN(handles_can_be_copied);
    RUN(null_never_crashes);
    RUN(impossible_struct_sizes_are_refused);
    RUN(a_newer_struct_is_taken_when_it_asks_for_nothing_new);
    RUN(an_older_struct_is_taken_with_defaults_for_the_rest);
    RUN(the_defaults_are_the_contract_s);
    RUN(invalid_urls_are_refused_at_once);
    RUN(a_url_may_have_2048_characters_and_not_2049);
    RUN(max_url_length_is_how_long_a_url_may_be);
    RUN(the_scheme_is_case_insensitive);
    RUN(no_error_shows_a_password);
    RUN(headers_can_not_be_injected);
    RUN(the_handshake_s_own_headers_can_not_be_set);
    RUN(a_protocol_can_not_inject_headers);
    RUN(options_out_of_their_range_are_refused);
    RUN(the_parameters_of_sends_are_checked_before_the_state);
    RUN(every_code_has_its_name_and_message);
    RUN(the_numbers_and_messages_are_the_contract_s);
    RUN(every_phase_has_its_name);
    RUN(the_last_error_belongs_to_its_thread);
    RUN(the_version_is_a_version);
    RUN(listeners_are_called_in_the_order_of_their_registration);
    RUN(the_same_function_and_user_data_count_once);
    RUN(off_removes_one_and_off_with_null_removes_all);
    RUN(a_listener_may_remove_itself);
    RUN(a_listener_that_another_removes_is_not_called_again);
    RUN(a_listener_may_remove_all);
    RUN(a_listener_may_add_another);
    RUN(a_free_fn_may_call_the_library);
    RUN(free_fn_runs_once_for_each_registration);
    RUN(the_log_tells_of_a_session_and_holds_no_secret);
    RUN(the_log_keeps_to_its_level);
    RUN(a_layer_above_may_write_to_the_log);
    RUN(the_runtime_is_configured_before_it_runs);
    RUN(a_forked_child_is_refused_by_every_call);
    return end_tests();
}
