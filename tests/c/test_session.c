/* Sessions as they should be: order of events, handshake headers, messages of every size, pings, figures. */
#include "harness.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static const char *echo_url(void) { return setting("NSWS_ECHO_URL"); }
static const char *node_url(void) { return setting("NSWS_NODE_URL"); }

static const char *under(struct recorder *r, const char *base, const char *path) {
    snprintf(r->url, sizeof r->url, "%s%s", base, path);
    return r->url;
}

/* Sends a message and checks that it comes back the same, followed by data_end. */
static int comes_back(struct recorder *r, int is_text, const char *data, size_t length) {
    size_t before = count_events(r, MESSAGE);
    int32_t code = is_text ? nsws_client_send_text(r->client, data, length) : nsws_client_send_binary(r->client, data, length);
    if (!CHECK_OK(code)) return 0;
    const struct event *message = WAIT(r, MESSAGE, before + 1);
    if (message == NULL || WAIT(r, DATA_END, before + 1) == NULL) return 0;
    return CHECK_INT(message->is_text, is_text) & CHECK_INT(message->length, length) &
           CHECK(message->length != length || length == 0 || memcmp(message->text, data, length) == 0);
}

static int closes(struct recorder *r, uint16_t code, const char *reason) {
    if (!CHECK_OK(nsws_client_close(r->client, code, reason))) return 0;
    const struct event *close = WAIT(r, CLOSE, 1);
    return close != NULL && CHECK_INT(close->code, code) & CHECK_STR(close->text, reason) & CHECK_INT(close->was_clean, 1);
}

/* Order. */

static void a_session_goes_as_the_header_says(void) {
    struct recorder *r = new_client();
    if (!OPENS(r, echo_url(), NULL)) return;
    comes_back(r, 1, "one", 3);
    comes_back(r, 0, "two", 3);
    closes(r, 1000, "done");
    CHECK_STR(order(r), "header_receive open message data_end message data_end close");

    const struct event *answer = WAIT(r, HEADER_RECEIVE, 1);
    const struct event *open = WAIT(r, OPEN, 1);
    CHECK_INT(answer->code, 101);
    CHECK_INT(open->code, 101);
    CHECK_STR(open->text, "Switching Protocols");
    CHECK_STR(open->protocol, "");
}

static void a_session_goes_the_same_way_over_tls(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("ca.pem");
    if (!OPENS(r, setting("NSWS_ECHO_WSS_URL"), &options)) return;
    comes_back(r, 1, "one", 3);
    comes_back(r, 0, "two", 3);
    closes(r, 1000, "done");
    CHECK_STR(order(r), "header_receive open message data_end message data_end close");
}

static void callbacks_never_run_inside_a_call(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    for (int i = 0; i < 200; i++) CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    WAIT(r, MESSAGE, 200);
    closes(r, 1000, "");
    for (size_t i = 0; i < r->count; i++) CHECK(!pthread_equal(r->events[i]->thread, pthread_self()));
}

/* The opening handshake. */

static const char *header_of(const struct event *answer, const char *name, int nth) {
    for (size_t i = 0; i < answer->headers.count; i++)
        if (strcasecmp(answer->headers.names[i], name) == 0 && --nth == 0) return answer->headers.values[i];
    return NULL;
}

static void all_response_headers_arrive_and_repeated_ones_are_kept(void) {
    struct recorder *r = OPEN_RAW("/headers", NULL);
    if (!r) return;
    const struct event *answer = WAIT(r, HEADER_RECEIVE, 1);
    static const char *const names[] = {
        "Upgrade", "Connection", "Sec-WebSocket-Accept", "Set-Cookie", "X-Peer", "set-cookie", "Set-Cookie", "X-Empty"
    };
    if (!CHECK_INT(answer->headers.count, 8)) return;
    for (size_t i = 0; i < 8; i++) CHECK_STR(answer->headers.names[i], names[i]);
    CHECK_STR(answer->headers.values[3], "a=1");
    CHECK_STR(answer->headers.values[4], "raw");
    CHECK_STR(answer->headers.values[5], "b=2; Path=/");
    CHECK_STR(answer->headers.values[6], "c=");
    CHECK_STR(answer->headers.values[7], "");

    struct recorder *python = new_client();
    if (!OPENS(python, echo_url(), NULL)) return;
    answer = WAIT(python, HEADER_RECEIVE, 1);
    CHECK_STR(header_of(answer, "Set-Cookie", 1), "first=1");
    CHECK_STR(header_of(answer, "set-cookie", 2), "second=2");
}

/* The request as the server got it; NULL when there was no answer. */
static const char *request_with(struct recorder *r, const char *url, const nsws_connect_options *options) {
    size_t before = count_events(r, MESSAGE);
    if (!OPENS(r, url, options)) return NULL;
    const struct event *message = WAIT(r, MESSAGE, before + 1);
    if (message == NULL) return NULL;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, count_events(r, OPEN));
    return message->text;
}

/* How often a header stands in a request. */
static int times(const char *request, const char *line_start) {
    int count = 0;
    for (const char *at = request; (at = strcasestr(at, line_start)) != NULL; at++) count += at[-1] == '\n';
    return count;
}

static void the_request_is_complete(void) {
    char line[256];
    struct recorder *r = new_client();
    const char *request = request_with(r, raw_url(r, "/echo-request"), NULL);
    if (!request) return;
    snprintf(line, sizeof line, "GET /echo-request?t=%s HTTP/1.1\r\n", r->token);
    CHECK(strncmp(request, line, strlen(line)) == 0);
    snprintf(line, sizeof line, "\r\nHost: 127.0.0.1:%s\r\n", setting("NSWS_RAW_PORT"));
    CHECK_CONTAINS(request, line);
    CHECK_CONTAINS(request, "\r\nUpgrade: websocket\r\n");
    CHECK_CONTAINS(request, "\r\nConnection: Upgrade\r\n");
    CHECK_CONTAINS(request, "\r\nSec-WebSocket-Version: 13\r\n");
    CHECK_CONTAINS(request, "\r\nSec-WebSocket-Key: ");
    snprintf(line, sizeof line, "\r\nOrigin: http://127.0.0.1:%s\r\n", setting("NSWS_RAW_PORT"));
    CHECK_CONTAINS(request, line);
    CHECK_LACKS(request, "Sec-WebSocket-Extensions");
    CHECK_LACKS(request, "Sec-WebSocket-Protocol");
    CHECK_LACKS(request, "Authorization");
    CHECK_CONTAINS(request, "\r\n\r\n");
    CHECK_INT(times(request, "Host:"), 1);
    CHECK_INT(times(request, "Origin:"), 1);
}

static void each_attempt_has_a_key_of_its_own(void) {
    char keys[2][64] = { "", "" };
    struct recorder *r = new_client();
    for (int i = 0; i < 2; i++) {
        const char *request = request_with(r, raw_url(r, "/echo-request"), NULL);
        const char *key = request ? strcasestr(request, "Sec-WebSocket-Key: ") : NULL;
        if (!CHECK(key != NULL)) return;
        sscanf(key, "%*s %63s", keys[i]);
        CHECK_INT(strlen(keys[i]), 24);
    }
    CHECK(strcmp(keys[0], keys[1]) != 0);
}

static void the_origin_has_a_port_unless_it_may_not(void) {
    char line[256];
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.support_origin_port = 0;
    const char *request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nOrigin: http://127.0.0.1\r\n");
    request = request_with(new_client(), raw_url(r, "/echo-request"), NULL);
    if (!request) return;
    snprintf(line, sizeof line, "\r\nOrigin: http://127.0.0.1:%s\r\n", setting("NSWS_RAW_PORT"));
    CHECK_CONTAINS(request, line);
}

static void the_origin_may_be_another_or_none(void) {
    static const nsws_header header = { "origin", "https://header.example" };
    nsws_connect_options options = defaults();
    options.origin = "https://app.example";
    struct recorder *r = new_client();
    const char *request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nOrigin: https://app.example\r\n");
    CHECK_INT(times(request, "Origin:"), 1);
    options.origin = "";
    r = new_client();
    request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_INT(times(request, "Origin:"), 0);
    /* A header takes precedence over the option. */
    options.headers = &header;
    options.header_count = 1;
    r = new_client();
    request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nOrigin: https://header.example\r\n");
}

static void given_headers_are_sent_and_replace_the_library_s(void) {
    static const nsws_header headers[] = {
        { "Host", "other.example:99" },     { "origin", "https://app.example" }, { "User-Agent", "tests/1" },
        { "Authorization", "Bearer abc" },  { "Cookie", "a=1; b=2" },            { "X-Twice", "one" },
        { "X-Twice", "two" },               { "X-Empty", "" },                   { "X-Tab", "a\tb" },
        { "X-Utf8", "\xc3\xa4" },
    };
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.headers = headers;
    options.header_count = sizeof headers / sizeof headers[0];
    const char *request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nHost: other.example:99\r\n");
    CHECK_CONTAINS(request, "\r\nOrigin: https://app.example\r\n");
    CHECK_CONTAINS(request, "\r\nUser-Agent: tests/1\r\n");
    CHECK_CONTAINS(request, "\r\nAuthorization: Bearer abc\r\n");
    CHECK_CONTAINS(request, "\r\nCookie: a=1; b=2\r\n");
    CHECK_CONTAINS(request, "\r\nX-Twice: one\r\n");
    CHECK_CONTAINS(request, "\r\nX-Twice: two\r\n");
    CHECK_CONTAINS(request, "\r\nX-Empty:");
    CHECK_CONTAINS(request, "\r\nX-Tab: a\tb\r\n");
    CHECK_CONTAINS(request, "\r\nX-Utf8: \xc3\xa4\r\n");
    CHECK_INT(times(request, "Host:"), 1);
    CHECK_INT(times(request, "Origin:"), 1);
    CHECK_INT(times(request, "User-Agent:"), 1);
    CHECK_INT(times(request, "Authorization:"), 1);
}

static void user_and_password_become_basic_authorization(void) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "ws://Aladdin:open%%20sesame@127.0.0.1:%s/echo-request?t=%s", setting("NSWS_RAW_PORT"),
             r->token);
    const char *request = request_with(r, r->url, NULL);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n");
    CHECK_LACKS(request, "Aladdin");
    CHECK_LACKS(request, "sesame");
    CHECK_INT(times(request, "Authorization:"), 1);
}

static void a_query_without_a_path_gets_a_slash(void) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s?t=%s", setting("NSWS_RAW_PORT"), r->token);
    if (!OPENS(r, r->url, NULL)) return;
    char *head = ask_peer("get %s head", r->token), line[128];
    snprintf(line, sizeof line, "GET /?t=%s HTTP/1.1\r\n", r->token);
    CHECK(head != NULL && strncmp(head, line, strlen(line)) == 0);
    free(head);
}

static void ipv6_hosts_are_connected_to(void) {
    const char *port = getenv("NSWS_RAW_PORT_6");
    if (port == NULL) {
        printf("   (no IPv6 on this machine)\n");
        return;
    }
    char line[128];
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.support_origin_port = 1;
    snprintf(r->url, sizeof r->url, "ws://[::1]:%s/echo-request?t=%s", port, r->token);
    const char *request = request_with(r, r->url, &options);
    if (!request) return;
    snprintf(line, sizeof line, "\r\nHost: [::1]:%s\r\n", port);
    CHECK_CONTAINS(request, line);
    snprintf(line, sizeof line, "\r\nOrigin: http://[::1]:%s\r\n", port);
    CHECK_CONTAINS(request, line);
}

static void host_names_are_looked_up(void) {
    struct recorder *r = new_client();
    nsws_client_stats stats;
    snprintf(r->url, sizeof r->url, "ws://localhost:%s/echo?t=%s", setting("NSWS_RAW_PORT"), r->token);
    if (!OPENS(r, r->url, NULL)) return;
    comes_back(r, 1, "hello", 5);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.dns_us, 1);
}

static void a_name_without_an_address_is_an_error_of_phase_dns(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, "ws://does-not-exist.invalid:8080/", NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_DNS);
    CHECK_INT(error->detail, NSWS_DETAIL_NAME_NOT_FOUND);
    CHECK_CONTAINS(error->text, "does-not-exist.invalid");
    CHECK_STR(order(r), "error");
}

static void a_refused_connection_is_an_error_of_phase_tcp(void) {
    char address[64];
    int fd;
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_TCP);
    CHECK_INT(error->detail, NSWS_DETAIL_REFUSED);
    CHECK_INT(error->os_error, ECONNREFUSED);
    CHECK_INT(error->http_status, 0);
    sscanf(r->url, "ws://%63[^/]", address);
    CHECK_CONTAINS(error->text, address);
    CHECK_CONTAINS(error->text, "refused");
    CHECK_STR(order(r), "error");
    close(fd);
}

static void a_second_connect_is_refused_and_the_first_unharmed(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/hold"), NULL));
    CHECK_CODE(nsws_client_connect(r->client, echo_url(), NULL), NSWS_ERR_ALREADY_CONNECTED);
    WAIT_PEER(r->token, "connections", 1);
    CHECK_CODE(nsws_client_connect(r->client, echo_url(), NULL), NSWS_ERR_ALREADY_CONNECTED);
    release_peer(r->token);
    if (!WAIT(r, OPEN, 1)) return;
    CHECK_CODE(nsws_client_connect(r->client, echo_url(), NULL), NSWS_ERR_ALREADY_CONNECTED);
    /* Arguments are checked before the state. */
    CHECK_CODE(nsws_client_connect(r->client, "http://x", NULL), NSWS_ERR_URL);
    comes_back(r, 1, "still here", 10);
    closes(r, 1000, "");
    CHECK_INT(peer_number(r->token, "connections"), 1);
}

/* Sub-protocols. */

static void with_protocols(const char *url, const char *offer, const char *as_header, const char *chosen) {
    struct recorder *r = new_client();
    nsws_header header = { "Sec-WebSocket-Protocol", as_header };
    nsws_connect_options options = defaults();
    options.protocol = offer;
    if (as_header) {
        options.headers = &header;
        options.header_count = 1;
    }
    if (!OPENS(r, url, &options)) return;
    CHECK_STR(WAIT(r, OPEN, 1)->protocol, chosen);
    comes_back(r, 1, "hello", 5);
}

static void the_server_chooses_one_of_the_protocols_or_none(void) {
    with_protocols(echo_url(), "chat.v1", NULL, "chat.v1");
    with_protocols(echo_url(), "chat.v1, chat.v2", NULL, "chat.v2");
    with_protocols(echo_url(), "chat.v1,other,", NULL, "chat.v1");
    with_protocols(node_url(), "first, second", NULL, "first");
    struct recorder *r = new_client();
    with_protocols(raw_url(r, "/protocol/"), "chat.v1", NULL, "");
    with_protocols(raw_url(r, "/protocol/b"), "a, b", NULL, "b");
}

static void a_protocol_header_acts_as_the_protocol_option(void) {
    with_protocols(echo_url(), NULL, "chat.v1", "chat.v1");
    with_protocols(node_url(), "", "from-a-header", "from-a-header");
    with_protocols(echo_url(), "unknown", "chat.v1", "chat.v1");
}

static void the_protocols_are_offered_in_their_order(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.protocol = "zebra, apple ,mango";
    const char *request = request_with(r, raw_url(r, "/echo-request"), &options);
    if (!request) return;
    CHECK_CONTAINS(request, "\r\nSec-WebSocket-Protocol: zebra, apple, mango\r\n");
    CHECK_INT(times(request, "Sec-WebSocket-Protocol:"), 1);
}

/* Messages. */

static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, 65537, 1 * MIB, 5 * MIB };
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void every_size_comes_back(const char *url, const nsws_connect_options *options) {
    struct recorder *r = new_client();
    if (!OPENS(r, url, options)) return;
    for (int i = 0; i < SIZES; i++) {
        char *text = letters(sizes[i]), *data = pattern(sizes[i]);
        comes_back(r, 1, text, sizes[i]);
        comes_back(r, 0, data, sizes[i]);
        free(text);
        free(data);
    }
    closes(r, 1000, "");
}

static void every_size_comes_back_from_python(void) { every_size_comes_back(echo_url(), NULL); }
static void every_size_comes_back_from_node(void) { every_size_comes_back(node_url(), NULL); }

static void every_size_comes_back_over_tls(void) {
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("ca.pem");
    every_size_comes_back(setting("NSWS_ECHO_WSS_URL"), &options);
    every_size_comes_back(setting("NSWS_NODE_WSS_URL"), &options);
}

static void every_size_comes_back_from_the_raw_peer(void) {
    struct recorder *r = new_client();
    every_size_comes_back(raw_url(r, "/echo"), NULL);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "text"), SIZES);
    CHECK_INT(peer_number(r->token, "binary"), SIZES);
    CHECK_INT(peer_number(r->token, "unmasked"), 0);
    CHECK_INT(peer_number(r->token, "reserved_bits"), 0);
}

static void more_than_5_mib_is_refused_by_default(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    char *data = letters(5 * MIB + 1);
    CHECK_CODE(nsws_client_send_text(r->client, data, 5 * MIB + 1), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_send_binary(r->client, data, 5 * MIB + 1), NSWS_ERR_PARAMETER);
    comes_back(r, 0, data, 5 * MIB);
    free(data);
    closes(r, 1000, "");
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 1);
}

static void the_largest_message_can_be_set(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.max_send_size = 100;
    if (!OPENS(r, raw_url(r, "/echo"), &options)) return;
    char *data = letters(101);
    CHECK_CODE(nsws_client_send_text(r->client, data, 101), NSWS_ERR_PARAMETER);
    comes_back(r, 1, data, 100);
    closes(r, 1000, "");
    free(data);

    options.max_send_size = 8 * MIB;
    data = pattern(8 * MIB);
    if (OPENS(r, raw_url(r, "/echo"), &options)) comes_back(r, 0, data, 8 * MIB);
    free(data);
}

static void text_may_hold_nuls_and_every_character(void) {
    static const char text[] = "a\0b\0\0c \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf \x01\x7f\xef\xbb\xbf";
    const char *const urls[] = { echo_url(), node_url() };
    for (int i = 0; i < 2; i++) {
        struct recorder *r = new_client();
        if (!OPENS(r, urls[i], NULL)) return;
        comes_back(r, 1, text, sizeof text - 1);
        comes_back(r, 0, text, sizeof text - 1);
        comes_back(r, 1, "\0", 1);
    }
}

static void text_that_is_not_utf8_is_refused(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        { "\xff", 1 },         { "abc\x80", 4 },         { "\xc3", 1 },         { "\xc0\xaf", 2 },       { "\xe0\x80\xaf", 3 },
        { "\xed\xa0\x80", 3 }, { "\xf4\x90\x80\x80", 4 }, { "\xe2\x82", 2 },     { "\xf0\x9f\x98", 3 },   { "a\0\xfe", 3 },
    };
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_CODE(nsws_client_send_text(r->client, wrong[i].bytes, wrong[i].length), NSWS_ERR_PARAMETER);
        comes_back(r, 0, wrong[i].bytes, wrong[i].length);
    }
    closes(r, 1000, "");
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "text"), 0);
}

static void empty_messages_are_sent_and_delivered(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    comes_back(r, 1, NULL, 0);
    comes_back(r, 0, NULL, 0);
    comes_back(r, 1, "", 0);
    comes_back(r, 0, "x", 0);
    closes(r, 1000, "");
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "text"), 2);
    CHECK_INT(peer_number(r->token, "binary"), 2);
    CHECK_INT(peer_number(r->token, "bytes"), 0);
}

static void the_data_is_copied_before_the_call_returns(void) {
    enum { COUNT = 200 };
    struct recorder *r = OPEN_RAW("/echo", NULL);
    char data[4096];
    if (!r) return;
    for (int i = 0; i < COUNT; i++) {
        memset(data, 'a' + i % 26, sizeof data);
        CHECK_OK(nsws_client_send_binary(r->client, data, sizeof data));
        memset(data, '!', sizeof data);
    }
    if (!WAIT(r, MESSAGE, COUNT)) return;
    for (int i = 0; i < COUNT; i++) {
        const struct event *message = WAIT(r, MESSAGE, (size_t)i + 1);
        memset(data, 'a' + i % 26, sizeof data);
        if (!CHECK(message->length == sizeof data && memcmp(message->text, data, sizeof data) == 0)) return;
    }
}

static void many_messages_arrive_in_order(void) {
    enum { COUNT = 20000 };
    char text[32];
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(text, sizeof text, "%d:", i);
        if (!CHECK_OK(nsws_client_send_text(r->client, text, (size_t)length))) return;
    }
    if (!WAIT(r, DATA_END, COUNT)) return; /* after it nothing is recorded */
    int next = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->events[i]->kind == MESSAGE && !CHECK_INT(atoi(r->events[i]->text), next++)) return;
    closes(r, 1000, "");
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "ordered"), COUNT);
}

static void fragments_are_joined(void) {
    static const struct {
        const char *path, *text;
    } cases[] = {
        { "/fragments", "hello" },
        { "/ping-between-fragments", "hello" },
        { "/utf8-split", "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder *r = OPEN_RAW(cases[i].path, NULL);
        const struct event *message = r ? WAIT(r, MESSAGE, 1) : NULL;
        if (!message) return;
        CHECK_STR(message->text, cases[i].text);
        CHECK_INT(message->is_text, 1);
        comes_back(r, 1, "and on", 6);
    }
    struct recorder *r = new_client();
    if (!OPENS(r, under(r, node_url(), "fragments"), NULL)) return;
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "hello");

    r = OPEN_RAW("/big-fragmented/1000000/333", NULL);
    const struct event *message = r ? WAIT(r, MESSAGE, 1) : NULL;
    if (!message) return;
    char *data = pattern(1000000);
    CHECK(message->length == 1000000 && memcmp(message->text, data, 1000000) == 0);
    free(data);
}

static void a_message_in_the_segment_of_the_answer_comes_after_open(void) {
    struct recorder *r = OPEN_RAW("/pipelined-frame", NULL);
    if (!r || !WAIT(r, DATA_END, 2)) return;
    CHECK_STR(order(r), "header_receive open message data_end message data_end");
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "with the answer");
    CHECK_STR(WAIT(r, MESSAGE, 2)->text, "and another");
    CHECK_INT(WAIT(r, MESSAGE, 2)->is_text, 0);

    r = OPEN_RAW("/pipelined-close", NULL);
    if (!r || !WAIT(r, CLOSE, 1)) return;
    CHECK_STR(order(r), "header_receive open message data_end close");
    CHECK_INT(WAIT(r, CLOSE, 1)->code, 1001);
}

static void send_in_open(struct recorder *r, const struct event *event) {
    if (event->kind != OPEN) return;
    for (int i = 0; i < 3; i++) CHECK_OK(nsws_client_send_text(r->client, "from open", 9));
    CHECK_OK(nsws_client_send_binary(r->client, "and this", 8));
}

static void open_may_send(void) {
    struct recorder *r = new_client();
    r->hook = send_in_open;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL));
    WAIT(r, DATA_END, 4);
}

static void echo_from_the_callback(struct recorder *r, const struct event *event) {
    if (event->kind != MESSAGE || atoi(event->text) >= 500) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%d", atoi(event->text) + 1);
    CHECK_OK(nsws_client_send_text(r->client, text, (size_t)length));
}

static void messages_may_be_answered_in_the_callback(void) {
    struct recorder *r = new_client();
    r->hook = echo_from_the_callback;
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_OK(nsws_client_send_text(r->client, "0", 1));
    if (!WAIT(r, MESSAGE, 501)) return;
    closes(r, 1000, "");
}

/* Before open and after close. */

static void sends_need_an_open_connection(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/hold"), NULL));
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    WAIT_PEER(r->token, "connections", 1);
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_binary(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_ping(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    release_peer(r->token);
    if (!WAIT(r, OPEN, 1)) return;
    comes_back(r, 1, "first", 5);
    closes(r, 1000, "");
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_ping(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 1);
    CHECK_INT(peer_number(r->token, "pings"), 0);
}

/* Pings. */

static void pings_are_answered_also_between_fragments(void) {
    struct recorder *r = OPEN_RAW("/ping-between-fragments", NULL);
    if (!r) return;
    WAIT_PEER(r->token, "pongs", 1);
    CHECK_PEER_TEXT(r->token, "last_pong", "still there?");

    r = OPEN_RAW("/ping/10", NULL);
    if (!r) return;
    /* RFC 6455 5.5.3: the last one at least. */
    char *last;
    do {
        WAIT_PEER(r->token, "pongs", 1);
        last = ask_peer("get %s last_pong", r->token);
        if (last && strcmp(last, "9") == 0) break;
        free(last);
        last = NULL;
    } while (comes_back(r, 1, "round", 5));
    CHECK_STR(last, "9");
    free(last);

    r = new_client();
    if (!OPENS(r, under(r, node_url(), "ping"), NULL)) return;
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "pong");
}

static void pongs_that_nobody_asked_for_do_no_harm(void) {
    struct recorder *r = OPEN_RAW("/pongs", NULL);
    if (!r || !WAIT(r, MESSAGE, 1)) return;
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "after");
    comes_back(r, 1, "on", 2);
}

static void a_ping_measures_the_round_trip(void) {
    nsws_client_stats stats;
    char data[125];
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.rtt_us, 0);
    CHECK_OK(nsws_client_ping(r->client, NULL, 0));
    CHECK_OK(nsws_client_ping(r->client, "knock", 5));
    memset(data, 'k', sizeof data);
    CHECK_OK(nsws_client_ping(r->client, data, 125));
    CHECK_CODE(nsws_client_ping(r->client, data, 126), NSWS_ERR_PARAMETER);
    /* The pongs come before what is sent after the pings. */
    comes_back(r, 1, "after", 5);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.rtt_us, 1);
    CHECK_INT(stats.messages_sent, 1);
    CHECK_INT(stats.messages_received, 1);
    CHECK_INT(peer_number(r->token, "pings"), 3);
    char *last = ask_peer("get %s last_ping", r->token);
    CHECK(last != NULL && strlen(last) == 125);
    free(last);
}

static void the_heartbeat_pings_when_nothing_comes(void) {
    nsws_client_stats stats;
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 50;
    options.pong_timeout_ms = 0;
    if (!OPENS(r, raw_url(r, "/echo"), &options)) return;
    WAIT_PEER(r->token, "pings", 5);
    comes_back(r, 1, "alive", 5);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.rtt_us, 1);
    CHECK_STR(order(r), "header_receive open message data_end");
}

static void a_peer_that_answers_no_ping_is_lost(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = options.pong_timeout_ms = 100;
    if (!OPENS(r, raw_url(r, "/silent"), &options)) return;
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_STR(order(r), "header_receive open error close");
    const struct event *error = WAIT(r, ERROR, 1);
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_HEARTBEAT);
    CHECK_INT(error->detail, NSWS_DETAIL_HEARTBEAT_LOST);
    CHECK_CONTAINS(error->text, setting("NSWS_RAW_PORT"));
    CHECK_INT(close->code, 1006);
    CHECK_STR(close->text, "The link is down");
    CHECK_INT(close->was_clean, 0);
    CHECK_LEAST(peer_number(r->token, "pings"), 1);
    WAIT_PEER(r->token, "ended", 1);
}

static void any_frame_proves_that_the_peer_is_alive(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = options.pong_timeout_ms = slowness() > 1 ? 3000 : 1000;
    if (!OPENS(r, raw_url(r, "/ticks"), &options)) return;
    if (!WAIT(r, MESSAGE, 3)) return;
    CHECK_INT(count_events(r, ERROR), 0);
    CHECK_INT(count_events(r, CLOSE), 0);
}

static void without_a_heartbeat_there_are_no_pings(void) {
    struct recorder *quiet = new_client(), *beating = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    if (!OPENS(quiet, raw_url(quiet, "/silent"), &options)) return;
    options.ping_interval_ms = 30;
    options.pong_timeout_ms = 0;
    /* For as long as another client takes for 10 pings; a missing pong doesn't matter to that one. */
    if (!OPENS(beating, raw_url(beating, "/silent"), &options)) return;
    WAIT_PEER(beating->token, "pings", 10);
    CHECK_INT(peer_number(quiet->token, "pings"), 0);
    comes_back(beating, 1, "x", 1);
    comes_back(quiet, 1, "x", 1);
}

/* Figures. */

static void the_figures_count_messages_and_bytes(void) {
    nsws_client_stats stats;
    struct recorder *r = new_client();
    memset(&stats, 0xff, sizeof stats);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.struct_size, sizeof stats);
    CHECK_INT(stats.messages_sent + stats.messages_received + stats.bytes_sent + stats.bytes_received, 0);
    CHECK_INT(stats.queued_bytes + stats.dns_us + stats.tcp_us + stats.tls_us + stats.handshake_us + stats.rtt_us, 0);

    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    comes_back(r, 1, "four", 4);
    comes_back(r, 0, "sixsix", 6);
    comes_back(r, 0, "", 0);
    char *data = pattern(100000);
    comes_back(r, 0, data, 100000);
    free(data);
    for (int closed = 0; closed < 2; closed++) {
        /* Once while it is open, and once after close. */
        CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
        CHECK_INT(stats.messages_sent, 4);
        CHECK_INT(stats.messages_received, 4);
        CHECK_INT(stats.bytes_sent, 100010);
        CHECK_INT(stats.bytes_received, 100010);
        CHECK_INT(stats.queued_bytes, 0);
        CHECK_INT(stats.dns_us, 0);
        CHECK_LEAST(stats.tcp_us, 1);
        CHECK_INT(stats.tls_us, 0);
        CHECK_LEAST(stats.handshake_us, 1);
        if (!closed) closes(r, 1000, "");
    }
    /* A new connection counts from 0. */
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.messages_sent + stats.messages_received + stats.bytes_sent + stats.bytes_received, 0);
    CHECK_LEAST(stats.handshake_us, 1);
}

static void the_figures_time_the_tls_handshake(void) {
    nsws_client_stats stats;
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("ca.pem");
    if (!OPENS(r, setting("NSWS_ECHO_WSS_URL"), &options)) return;
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.tls_us, 1);
    CHECK_LEAST(stats.tcp_us, 1);
    CHECK_LEAST(stats.handshake_us, 1);
}

/* Several clients. */

static void clients_talk_to_each_other(void) {
    enum { COUNT = 5 };
    struct recorder *clients[COUNT];
    for (int i = 0; i < COUNT; i++) {
        clients[i] = new_client();
        if (!OPENS(clients[i], under(clients[i], echo_url(), "broadcast"), NULL)) return;
    }
    for (int i = 0; i < COUNT; i++) CHECK_OK(nsws_client_send_text(clients[i]->client, "to all others", 13));
    for (int i = 0; i < COUNT; i++) {
        if (!WAIT(clients[i], DATA_END, COUNT - 1)) return;
        CHECK_STR(WAIT(clients[i], MESSAGE, COUNT - 1)->text, "to all others");
    }
}

int main(void) {
    RUN(a_session_goes_as_the_header_says);
    RUN(a_session_goes_the_same_way_over_tls);
    RUN(callbacks_never_run_inside_a_call);
    RUN(all_response_headers_arrive_and_repeated_ones_are_kept);
    RUN(the_request_is_complete);
    RUN(each_attempt_has_a_key_of_its_own);
    RUN(the_origin_has_a_port_unless_it_may_not);
    RUN(the_origin_may_be_another_or_none);
    RUN(given_headers_are_sent_and_replace_the_library_s);
    RUN(user_and_password_become_basic_authorization);
    RUN(a_query_without_a_path_gets_a_slash);
    RUN(ipv6_hosts_are_connected_to);
    RUN(host_names_are_looked_up);
    RUN(a_name_without_an_address_is_an_error_of_phase_dns);
    RUN(a_refused_connection_is_an_error_of_phase_tcp);
    RUN(a_second_connect_is_refused_and_the_first_unharmed);
    RUN(the_server_chooses_one_of_the_protocols_or_none);
    RUN(a_protocol_header_acts_as_the_protocol_option);
    RUN(the_protocols_are_offered_in_their_order);
    RUN(every_size_comes_back_from_python);
    RUN(every_size_comes_back_from_node);
    RUN(every_size_comes_back_over_tls);
    RUN(every_size_comes_back_from_the_raw_peer);
    RUN(more_than_5_mib_is_refused_by_default);
    RUN(the_largest_message_can_be_set);
    RUN(text_may_hold_nuls_and_every_character);
    RUN(text_that_is_not_utf8_is_refused);
    RUN(empty_messages_are_sent_and_delivered);
    RUN(the_data_is_copied_before_the_call_returns);
    RUN(many_messages_arrive_in_order);
    RUN(fragments_are_joined);
    RUN(a_message_in_the_segment_of_the_answer_comes_after_open);
    RUN(open_may_send);
    RUN(messages_may_be_answered_in_the_callback);
    RUN(sends_need_an_open_connection);
    RUN(pings_are_answered_also_between_fragments);
    RUN(pongs_that_nobody_asked_for_do_no_harm);
    RUN(a_ping_measures_the_round_trip);
    RUN(the_heartbeat_pings_when_nothing_comes);
    RUN(a_peer_that_answers_no_ping_is_lost);
    RUN(any_frame_proves_that_the_peer_is_alive);
    RUN(without_a_heartbeat_there_are_no_pings);
    RUN(the_figures_count_messages_and_bytes);
    RUN(the_figures_time_the_tls_handshake);
    RUN(clients_talk_to_each_other);
    return end_tests();
}
