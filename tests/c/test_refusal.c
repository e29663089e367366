/* Servers that refuse the upgrade: what they answer, when they say to come back, and where they send to. */
#include "pair.h"

enum { MOST_BODY = 16 << 10 };

/* The answer that a client's last error has brought. */
struct answer {
    struct recorder *r;
    size_t header_count, body_length;
    char headers[8192];
    char body[2 * MOST_BODY];
    uint32_t retry_after_ms;
    int is_null;
};

static void record_answer(nsws_client client, const nsws_error_event *e, void *user) {
    struct answer *answer = user;
    answer->is_null = e->headers == NULL && e->body == NULL;
    answer->header_count = e->header_count;
    answer->headers[0] = 0;
    for (size_t i = 0; i < e->header_count; i++) {
        size_t length = strlen(answer->headers);
        snprintf(answer->headers + length, sizeof answer->headers - length, "%s: %s\n", e->headers[i].name, e->headers[i].value);
    }
    answer->body_length = e->body_length;
    if (CHECK_MOST(e->body_length, MOST_BODY) && e->body_length > 0) memcpy(answer->body, e->body, e->body_length);
    answer->body[e->body_length] = 0;
    answer->retry_after_ms = e->retry_after_ms;
    record_error(client, e, answer->r);
}

/* A client whose errors are recorded with their answers. */
static struct answer *new_answer(void) {
    static struct answer answers[64];
    static size_t next;
    struct answer *answer = &answers[next++];
    if (next > sizeof answers / sizeof answers[0]) abort();
    answer->r = new_client();
    CHECK_OK(nsws_client_off_error(answer->r->client, record_error, answer->r));
    CHECK_OK(nsws_client_on_error(answer->r->client, record_answer, answer, NULL));
    return answer;
}

/* The answer of a raw peer that refuses, and its error. */
static struct answer *refused(const char *path, const nsws_connect_options *options, const struct event **error) {
    struct answer *answer = new_answer();
    CHECK_OK(nsws_client_connect(answer->r->client, raw_url(answer->r, path), options));
    *error = WAIT(answer->r, ERROR, 1);
    return *error ? answer : NULL;
}

static void a_refusal_has_its_headers_and_its_body(void) {
    const struct event *error;
    static const char *const ends[] = { "length", "chunked", "close" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "/refuse/401/WWW-Authenticate=Bearer/Set-Cookie=a/set-cookie=b/body=%%7B%%22why%%22%%3A1%%7D/end=%s", ends[i]);
        struct answer *answer = refused(path, NULL, &error);
        if (!answer) return;
        CHECK_INT(error->http_status, 401);
        CHECK_INT(error->detail, NSWS_DETAIL_HTTP_STATUS);
        CHECK_STR(answer->body, "{\"why\":1}");
        CHECK_CONTAINS(answer->headers, "WWW-Authenticate: Bearer\nSet-Cookie: a\nset-cookie: b\n");
        CHECK_INT(answer->retry_after_ms, 0);
        CHECK_LACKS(error->text, "why");
    }
}

static void an_empty_refusal_is_told_at_once(void) {
    const struct event *error;
    struct answer *answer = refused("/refuse/403", NULL, &error);
    if (!answer) return;
    CHECK_INT(answer->body_length, 0);
    CHECK_STR(answer->headers, "Content-Length: 0\n");
}

static void errors_without_an_answer_have_none(void) {
    const struct event *error;
    struct answer *answer = refused("/garbage", NULL, &error);
    if (!answer) return;
    CHECK(answer->is_null);
    CHECK_INT(answer->header_count + answer->body_length + answer->retry_after_ms, 0);
}

static void a_long_body_is_cut(void) {
    const struct event *error;
    static const char *const paths[] = {
        "/refuse/500/size=1000000", "/refuse/500/size=1000000/end=chunked", "/refuse/500/size=1000000/end=never", "/refuse/500/size=16384/end=never"
    };
    char *expected = pattern(MOST_BODY);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct answer *answer = refused(paths[i], NULL, &error);
        if (!answer) break;
        CHECK_INT(answer->body_length, MOST_BODY);
        CHECK(memcmp(answer->body, expected, MOST_BODY) == 0);
    }
    free(expected);
}

/* A server that never ends its answer has refused all the same: not a time that ran out. */
static void a_body_that_does_not_end_is_not_waited_for(void) {
    const struct event *error;
    nsws_connect_options options = defaults();
    for (int i = 0; i < 2; i++) {
        if (i == 1) options.connect_timeout_ms = slowness() > 1 ? 300 * (uint32_t)slowness() : 1500;
        struct answer *answer = refused("/refuse/503/body=busy/end=never", &options, &error);
        if (!answer) return;
        CHECK_INT(error->detail, NSWS_DETAIL_HTTP_STATUS);
        CHECK_INT(error->http_status, 503);
        CHECK_STR(answer->body, "busy");
    }
}

static void close_and_destroy_end_the_reading_of_a_body(void) {
    struct recorder *closed = new_client(), *destroyed = new_client();
    CHECK_OK(nsws_client_connect(closed->client, raw_url(closed, "/refuse/503/body=busy/end=never"), NULL));
    CHECK_OK(nsws_client_connect(destroyed->client, raw_url(destroyed, "/refuse/503/body=busy/end=never"), NULL));
    if (!WAIT_PEER(closed->token, "connections", 1) || !WAIT_PEER(destroyed->token, "connections", 1)) return;
    CHECK_OK(nsws_client_close(closed->client, 1000, ""));
    if (WAIT(closed, CLOSE, 1)) CHECK_STR(order(closed), "close");
    destroy_client(destroyed);
    CHECK_STR(order(destroyed), "");
}

static void retry_after_is_told_in_seconds_and_as_a_date(void) {
    static const struct {
        const char *path;
        uint32_t ms;
    } cases[] = {
        { "/refuse/503/Retry-After=120", 120000 },
        { "/refuse/429/retry-after=0", 0 },
        { "/refuse/503/Retry-After=soon", 0 },
        { "/refuse/503/Retry-After=99999999999", 0xFFFFFFFF },
        { "/refuse/503/Date=Sun,%2006%20Nov%201994%2008:49:37%20GMT/Retry-After=Sun,%2006%20Nov%201994%2008:50:07%20GMT", 30000 },
        { "/refuse/503/Retry-After=Sun,%2006%20Nov%201994%2008:50:07%20GMT", 0 },
    };
    const struct event *error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer *answer = refused(cases[i].path, NULL, &error);
        if (answer && !CHECK_INT(answer->retry_after_ms, cases[i].ms)) fprintf(stderr, "    %s\n", cases[i].path);
    }
}

static void reconnecting_waits_as_long_as_the_server_asks(void) {
    static const struct {
        const char *path;
        uint32_t ms;
    } cases[] = { { "/refuse/503/Retry-After=120", 120000 }, { "/refuse/429/Retry-After=99999999", 3600000 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = defaults();
        options.reconnect_max_attempts = 1;
        options.reconnect_min_delay_ms = 10;
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, cases[i].path), &options));
        const struct event *event = WAIT(r, RECONNECTING, 1);
        if (event) CHECK_INT(event->delay_ms, cases[i].ms);
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        WAIT(r, CLOSE, 1);
    }
}

static void a_web_page_in_place_of_the_upgrade_is_a_captive_portal(void) {
    static const struct {
        const char *path;
        int32_t detail;
    } cases[] = {
        { "/refuse/200/Content-Type=text%2Fhtml;%20charset=utf-8/body=login", NSWS_DETAIL_CAPTIVE_PORTAL },
        { "/refuse/200/body=%3C!DOCTYPE%20html%3E", NSWS_DETAIL_CAPTIVE_PORTAL },
        { "/refuse/511/body=login", NSWS_DETAIL_CAPTIVE_PORTAL },
        { "/refuse/200/Content-Type=application%2Fjson/body=%3Chtml%3E", NSWS_DETAIL_HTTP_STATUS },
        { "/refuse/404/Content-Type=text%2Fhtml", NSWS_DETAIL_HTTP_STATUS },
    };
    const struct event *error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!refused(cases[i].path, NULL, &error)) return;
        CHECK_INT(error->detail, cases[i].detail);
        if (cases[i].detail == NSWS_DETAIL_CAPTIVE_PORTAL) CHECK_CONTAINS(error->text, "captive portal");
    }
}

/* The user logs in, and the network is there. */
static void a_captive_portal_is_tried_again(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.reconnect_max_attempts = 1;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 10;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/refuse/200/Content-Type=text%2Fhtml"), &options));
    if (WAIT(r, ERROR, 2)) CHECK_STR(order(r), "error reconnecting error");
}

/* Redirects. */

static nsws_connect_options following(uint32_t most) {
    nsws_connect_options options = defaults();
    options.max_redirects = most;
    return options;
}

static void as_many_redirects_are_followed_as_asked(void) {
    nsws_connect_options options = following(3);
    struct recorder *r = OPEN_RAW("/hops/3", &options);
    if (!r) return;
    CHECK_INT(peer_number(r->token, "connections"), 4);
    CHECK_OK(nsws_client_send_text(r->client, "there", 5));
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "there");
    if (WAIT(r, DATA_END, 1)) CHECK_STR(order(r), "header_receive open message data_end");

    const struct event *error;
    struct answer *answer = refused("/hops/4", &options, &error);
    if (!answer) return;
    CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
    CHECK_INT(error->phase, NSWS_PHASE_HANDSHAKE);
    CHECK_INT(error->http_status, 307);
    CHECK_CONTAINS(error->text, "more than 3 redirects");
    CHECK_CONTAINS(answer->headers, "Location: /echo");
    CHECK_INT(peer_number(answer->r->token, "connections"), 4);
}

static void each_status_of_a_redirect_is_followed_and_no_other(void) {
    static const struct {
        int status, follows;
    } cases[] = { { 301, 1 }, { 302, 1 }, { 303, 1 }, { 307, 1 }, { 308, 1 }, { 300, 0 }, { 304, 0 }, { 305, 0 }, { 201, 0 } };
    nsws_connect_options options = following(1);
    const struct event *error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/redirect-to/%d/%%2Fecho", cases[i].status);
        if (cases[i].follows) {
            OPEN_RAW(path, &options);
        } else if (refused(path, &options, &error)) {
            CHECK_INT(error->detail, NSWS_DETAIL_HTTP_STATUS);
            CHECK_INT(error->http_status, cases[i].status);
        }
    }
}

static void without_being_asked_no_redirect_is_followed(void) {
    const struct event *error;
    struct answer *answer = refused("/hops/1", NULL, &error);
    if (!answer) return;
    CHECK_INT(error->detail, NSWS_DETAIL_HTTP_STATUS);
    CHECK_CONTAINS(error->text, "redirects are not followed");
    CHECK_CONTAINS(answer->headers, "Location: /echo");
}

static void a_redirect_that_can_not_be_followed_says_why(void) {
    static const struct {
        const char *path, *words;
    } cases[] = {
        { "/redirect-to/302/ftp:%2F%2F127.0.0.1%2F", "does not lead to a WebSocket server" },
        { "/redirect-to/302/ws:%2F%2F", "Location can't be used" },
        { "/redirect-to/302/ws:%2F%2Fhost:0%2F", "Location can't be used" },
    };
    nsws_connect_options options = following(5);
    const struct event *error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer *answer = refused(cases[i].path, &options, &error);
        if (!answer) return;
        CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
        CHECK_CONTAINS(error->text, cases[i].words);
        CHECK_INT(peer_number(answer->r->token, "connections"), 1);
    }
}

static void from_wss_to_ws_is_not_followed(void) {
    struct answer *answer = new_answer();
    struct recorder *r = answer->r;
    nsws_connect_options options = following(5);
    char path[128], secure[4200];
    snprintf(path, sizeof path, "/redirect-to/302/http:%%2F%%2F127.0.0.1:%s%%2Fecho", setting("NSWS_RAW_PORT"));
    snprintf(secure, sizeof secure, "wss://localhost:%u%s?t=%s", (unsigned)relay("unwrap", (uint16_t)atoi(setting("NSWS_RAW_PORT"))), path, r->token);
    options.ca_path = certificate_file("ca.pem");
    CHECK_OK(nsws_client_connect(r->client, secure, &options));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
    CHECK_CONTAINS(error->text, "from wss to ws");
    CHECK_INT(peer_number(r->token, "connections"), 1);
}

static void from_ws_to_wss_is_followed(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = following(1);
    char path[128];
    unsigned port = relay("unwrap", (uint16_t)atoi(setting("NSWS_RAW_PORT")));
    snprintf(path, sizeof path, "/redirect-to/308/https:%%2F%%2Flocalhost:%u%%2Fecho", port);
    options.ca_path = certificate_file("ca.pem");
    if (!OPENS(r, raw_url(r, path), &options)) return;
    CHECK_INT(peer_number(r->token, "connections"), 2);
}

/* Most portals redirect to a page of their own, with a certificate of their own: it is not the server's. */
static void a_page_of_another_host_is_not_the_server_s_own(void) {
    unsigned port = relay("unwrap", (uint16_t)atoi(setting("NSWS_RAW_PORT")));
    for (int same = 0; same <= 1; same++) {
        struct recorder *r = new_client();
        nsws_connect_options options = following(1);
        options.ca_path = certificate_file("ca.pem");
        options.reconnect_max_attempts = 1;
        options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 10;
        char url[4200];
        snprintf(url, sizeof url, "ws://%s:%s/redirect-to/302/https:%%2F%%2Flocalhost:%u%%2Frefuse%%2F200%%2FContent-Type=text%%252Fhtml?t=%s",
                 same ? "localhost" : "127.0.0.1", setting("NSWS_RAW_PORT"), port, r->token);
        CHECK_OK(nsws_client_connect(r->client, url, &options));
        const struct event *error = WAIT(r, ERROR, same ? 1 : 2);
        if (!error) return;
        CHECK_INT(error->http_status, 200);
        CHECK_INT(error->detail, same ? NSWS_DETAIL_HTTP_STATUS : NSWS_DETAIL_CAPTIVE_PORTAL);
        CHECK_STR(order(r), same ? "error" : "error reconnecting error");
        CHECK_INT(peer_number(r->token, "connections"), same ? 2 : 4);
    }
}

/* What the last request held. */
static void check_request(struct recorder *r, const char *part, int has_it) {
    char *head = ask_peer("get %s head", r->token);
    if (has_it) CHECK_CONTAINS(head, part);
    else CHECK_LACKS(head, part);
    free(head);
}

static void only_the_same_origin_gets_credentials(void) {
    nsws_header headers[] = { { "Cookie", "session=1" }, { "X-Kept", "yes" } };
    for (int same = 0; same <= 1; same++) {
        struct recorder *r = new_client();
        nsws_connect_options options = following(2);
        options.headers = headers;
        options.header_count = 2;
        char url[4200];
        snprintf(url, sizeof url, "ws://user:secret@127.0.0.1:%s/redirect-to/307/ws:%%2F%%2F%s:%s%%2Fecho?t=%s", setting("NSWS_RAW_PORT"),
                 same ? "127.0.0.1" : "localhost", setting("NSWS_RAW_PORT"), r->token);
        if (!OPENS(r, url, &options)) return;
        CHECK_INT(peer_number(r->token, "connections"), 2);
        check_request(r, "Authorization: Basic", same);
        check_request(r, "Cookie: session=1", same);
        check_request(r, "X-Kept: yes", 1);
        check_request(r, same ? "Host: 127.0.0.1:" : "Host: localhost:", 1);
        check_request(r, same ? "Origin: http://127.0.0.1:" : "Origin: http://localhost:", 1);
    }
}

static uint8_t not_localhost(const char *host, const char *url, void *user) {
    (void)url, (void)user;
    return strcmp(host, "localhost") != 0;
}

static void a_redirect_to_a_host_that_is_not_allowed_is_not_followed(void) {
    nsws_platform platform;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.is_host_allowed = not_localhost;
    CHECK_OK(nsws_set_platform(&platform));
    char path[128];
    const struct event *error;
    nsws_connect_options options = following(2);
    snprintf(path, sizeof path, "/redirect-to/307/ws:%%2F%%2Flocalhost:%s%%2Fecho", setting("NSWS_RAW_PORT"));
    if (refused(path, &options, &error)) {
        CHECK_INT(error->detail, NSWS_DETAIL_REDIRECT);
        CHECK_CONTAINS(error->text, "not allowed to access this domain");
    }
    OPEN_RAW("/hops/2", &options);
    CHECK_OK(nsws_set_platform(NULL));
}

/* The end of the way is what reconnecting begins with again. */
static void reconnecting_begins_with_the_first_url(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = following(1);
    options.reconnect_max_attempts = 1;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 10;
    if (!OPENS(r, raw_url(r, "/redirect-to/301/%2Frst-after-open"), &options)) return;
    CHECK_OK(nsws_client_send_text(r->client, "go", 2));
    if (!WAIT(r, OPEN, 2)) return;
    CHECK_INT(peer_number(r->token, "connections"), 4);
}

int main(void) {
    RUN(a_refusal_has_its_headers_and_its_body);
    RUN(an_empty_refusal_is_told_at_once);
    RUN(errors_without_an_answer_have_none);
    RUN(a_long_body_is_cut);
    RUN(a_body_that_does_not_end_is_not_waited_for);
    RUN(close_and_destroy_end_the_reading_of_a_body);
    RUN(retry_after_is_told_in_seconds_and_as_a_date);
    RUN(reconnecting_waits_as_long_as_the_server_asks);
    RUN(a_web_page_in_place_of_the_upgrade_is_a_captive_portal);
    RUN(a_captive_portal_is_tried_again);
    RUN(as_many_redirects_are_followed_as_asked);
    RUN(each_status_of_a_redirect_is_followed_and_no_other);
    RUN(without_being_asked_no_redirect_is_followed);
    RUN(a_redirect_that_can_not_be_followed_says_why);
    RUN(from_wss_to_ws_is_not_followed);
    RUN(from_ws_to_wss_is_followed);
    RUN(a_page_of_another_host_is_not_the_server_s_own);
    RUN(only_the_same_origin_gets_credentials);
    RUN(a_redirect_to_a_host_that_is_not_allowed_is_not_followed);
    RUN(reconnecting_begins_with_the_first_url);
    return end_tests();
}
