/* Proxies: which one applies, the way through it, those that break the rules, and happy eyeballs. */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

/* The scriptable proxy: it counts under the client's token with "-proxy" behind it. */

struct way {
    struct recorder *r;
    char token[80];
    nsws_connect_options options;
};

static void start_proxy(struct way *way, uint8_t mode, const char *what) {
    way->r = new_client();
    snprintf(way->token, sizeof way->token, "%s-proxy", way->r->token);
    char *port = ask_peer("proxy %s %s", way->token, what);
    if (port == NULL || atoi(port) == 0) harness_fail(__FILE__, __LINE__, "no proxy that %s", what);
    way->options = defaults();
    way->options.proxy_mode = mode;
    way->options.proxy_host = "127.0.0.1";
    way->options.proxy_port = port ? (uint32_t)atoi(port) : 1;
    free(port);
}

/* "proxy 127.0.0.1:PORT", as sentences name it. */
static const char *named(const nsws_connect_options *options) {
    static char name[300];
    snprintf(name, sizeof name, "the proxy %s:%u", options->proxy_host, (unsigned)options->proxy_port);
    return name;
}

/* A behaviour of the raw peer under a name that only the proxy can look up. */
static const char *unknown_url(struct recorder *r, const char *path) {
    snprintf(r->url, sizeof r->url, "ws://known-to-the-proxy.test:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, r->token);
    return r->url;
}

static void echoes(int line, struct recorder *r) {
    size_t before = count_events(r, MESSAGE);
    CHECK_OK(nsws_client_send_text(r->client, "through", 7));
    const struct event *message = wait_event(__FILE__, line, r, MESSAGE, before + 1);
    if (message) check_str(__FILE__, line, "the echo", message->text, "through");
}

/* One error event of phase proxy, and nothing else. */
static const struct event *fails_at(int line, struct recorder *r, const char *url, const nsws_connect_options *options,
                                    int32_t phase, int32_t detail, int http_status, const char *words) {
    size_t before = count_events(r, ERROR);
    check_code(__FILE__, line, "connect", nsws_client_connect(r->client, url, options), NSWS_OK);
    const struct event *error = wait_event(__FILE__, line, r, ERROR, before + 1);
    if (!error) return NULL;
    if (error->code != NSWS_ERR_CONNECT_FAILED || error->phase != phase || error->detail != detail ||
        error->http_status != http_status)
        harness_fail(__FILE__, line, "%s, phase %s, %s, status %d: %s", nsws_error_name(error->code),
                     nsws_phase_name(error->phase), nsws_error_name(error->detail), (int)error->http_status, error->text);
    check_contains(__FILE__, line, "the sentence", error->text, words);
    CHECK_INT(count_events(r, OPEN), 0);
    return error;
}

/* Short, but long enough to get to the stage that the test is about. */
static uint32_t soon(void) {
    return slowness() == 1 ? 300 : 3000;
}

static const char *not_soon_enough(void) {
    static char words[50];
    snprintf(words, sizeof words, "did not end within %u ms.", (unsigned)soon());
    return words;
}

/* What a proxy does wrong, and what the client reports: the proxy is named, the server isn't looked up. */
static void wrong_at(int line, uint8_t mode, const char *what, int32_t detail, int http_status, const char *words) {
    struct way way;
    start_proxy(&way, mode, what);
    const struct event *error = fails_at(line, way.r, unknown_url(way.r, "/echo"), &way.options, NSWS_PHASE_PROXY,
                                         detail, http_status, words);
    if (error) check_contains(__FILE__, line, what, error->text, named(&way.options));
    wait_peer(__FILE__, line, way.token, "ended", 1);
    check_int(__FILE__, line, "connections", peer_number(way.token, "connections"), 1);
    check_str(__FILE__, line, what, order(way.r), "error");
}

#define WRONG(mode, what, detail, http_status, words) wrong_at(__LINE__, mode, what, detail, http_status, words)
#define HTTP NSWS_PROXY_HTTP
#define SOCKS NSWS_PROXY_SOCKS5

/* The way through. */

static void an_http_proxy_is_asked_for_a_tunnel_and_looks_up_the_name(void) {
    struct way way;
    start_proxy(&way, HTTP, "tunnel");
    if (!OPENS(way.r, unknown_url(way.r, "/echo"), &way.options)) return;
    echoes(__LINE__, way.r);
    char head[300];
    const char *port = setting("NSWS_RAW_PORT");
    snprintf(head, sizeof head, "CONNECT known-to-the-proxy.test:%s HTTP/1.1\r\nHost: known-to-the-proxy.test:%s\r\n\r\n", port, port);
    CHECK_PEER_TEXT(way.token, "head", head);
    /* The server gets what it would get without a proxy. */
    char *request = ask_peer("get %s head", way.r->token);
    CHECK_CONTAINS(request, "GET /echo?t=");
    CHECK_LACKS(request, "proxy-");
    free(request);
}

static void an_http_proxy_is_told_user_and_password(void) {
    struct way way;
    start_proxy(&way, HTTP, "tunnel Aladdin:open%20sesame:1");
    way.options.proxy_username = "Aladdin";
    way.options.proxy_password = "open sesame:1";
    if (!OPENS(way.r, unknown_url(way.r, "/echo"), &way.options)) return;
    echoes(__LINE__, way.r);
    char *request = ask_peer("get %s head", way.r->token);
    CHECK_LACKS(request, "QWxhZGRpbjpvcGVuIHNlc2FtZToxC");
    free(request);
}

static void a_socks5_proxy_looks_up_the_name(void) {
    struct way way;
    start_proxy(&way, SOCKS, "socks");
    if (!OPENS(way.r, unknown_url(way.r, "/echo"), &way.options)) return;
    echoes(__LINE__, way.r);
    char target[100];
    snprintf(target, sizeof target, "3 known-to-the-proxy.test:%s", setting("NSWS_RAW_PORT"));
    CHECK_PEER_TEXT(way.token, "target", target);
}

static void a_socks5_proxy_is_told_user_and_password(void) {
    struct way way;
    start_proxy(&way, SOCKS, "socks user:pass:word");
    way.options.proxy_username = "user";
    way.options.proxy_password = "pass:word";
    if (!OPENS(way.r, raw_url(way.r, "/echo"), &way.options)) return;
    echoes(__LINE__, way.r);
    char target[100];
    snprintf(target, sizeof target, "1 127.0.0.1:%s", setting("NSWS_RAW_PORT"));
    CHECK_PEER_TEXT(way.token, "target", target);
}

static void a_proxy_may_have_an_ipv6_address_or_a_name(void) {
    static const char *const hosts[] = { "::1", "[::1]", "localhost" };
    for (size_t i = 0; i < 3; i++) {
        struct way way;
        start_proxy(&way, HTTP, i < 2 ? "six/tunnel" : "tunnel");
        way.options.proxy_host = hosts[i];
        if (!OPENS(way.r, unknown_url(way.r, "/echo"), &way.options)) return;
        echoes(__LINE__, way.r);
    }
    /* An IPv6 target goes into brackets for HTTP, and as an address for SOCKS5. */
    if (getenv("NSWS_RAW_PORT_6") == NULL) return;
    static const char *const whats[] = { "tunnel", "socks" };
    for (size_t i = 0; i < 2; i++) {
        struct way way;
        start_proxy(&way, i == 0 ? HTTP : SOCKS, whats[i]);
        char url[200], target[100];
        snprintf(url, sizeof url, "ws://[::1]:%s/echo?t=%s", setting("NSWS_RAW_PORT_6"), way.r->token);
        if (!OPENS(way.r, url, &way.options)) return;
        snprintf(target, sizeof target, i == 0 ? "[::1]:%s" : "4 ::1:%s", setting("NSWS_RAW_PORT_6"));
        CHECK_PEER_TEXT(way.token, "target", target);
    }
}

static void tls_goes_through_the_tunnel(void) {
    static const char *const whats[] = { "tunnel", "socks" };
    for (size_t i = 0; i < 2; i++) {
        struct way way;
        start_proxy(&way, i == 0 ? HTTP : SOCKS, whats[i]);
        way.options.ca_path = certificate_file("ca.pem");
        if (!OPENS(way.r, setting("NSWS_ECHO_WSS_URL"), &way.options)) return;
        echoes(__LINE__, way.r);
        CHECK_INT(peer_number(way.token, "tunnels"), 1);
    }
}

/* Proxies that refuse. */

static void wrong_or_missing_credentials_are_one_clear_error(void) {
    WRONG(HTTP, "tunnel user:pw", NSWS_DETAIL_PROXY_AUTH, 407, "demands a user name and a password: 407 Who are you.");
    WRONG(SOCKS, "socks user:pw", NSWS_DETAIL_PROXY_AUTH, 0, "demands a user name and a password");
    static const char *const whats[] = { "tunnel zyx:right", "socks zyx:right" };
    for (size_t i = 0; i < 2; i++) {
        struct way way;
        start_proxy(&way, i == 0 ? HTTP : SOCKS, whats[i]);
        way.options.proxy_username = "zyx";
        way.options.proxy_password = "vuts";
        const struct event *error = fails_at(__LINE__, way.r, unknown_url(way.r, "/echo"), &way.options, NSWS_PHASE_PROXY,
                                             NSWS_DETAIL_PROXY_AUTH, i == 0 ? 407 : 0, "refused the user name or password");
        if (!error) return;
        CHECK_CONTAINS(error->text, named(&way.options));
        CHECK_LACKS(error->text, "zyx");
        CHECK_LACKS(error->text, "vuts");
    }
}

static void a_proxy_that_refuses_is_an_error_with_its_status(void) {
    WRONG(HTTP, "says HTTP/1.1%20403%20Forbidden%0d%0aContent-Length:%205%0d%0a%0d%0ahello", NSWS_DETAIL_PROXY_REFUSED, 403,
          "did not connect to known-to-the-proxy.test");
    WRONG(HTTP, "says HTTP/1.1%20502%20Bad%20Gateway%0d%0a%0d%0a", NSWS_DETAIL_PROXY_REFUSED, 502, "502 Bad Gateway");
    WRONG(HTTP, "says HTTP/1.0%20302%20Found%0d%0aLocation:%20http://login/%0d%0a%0d%0a", NSWS_DETAIL_PROXY_REFUSED, 302, "302");
    WRONG(HTTP, "says HTTP/1.1%20101%20Switching%20Protocols%0d%0a%0d%0a", NSWS_DETAIL_PROXY_REFUSED, 101, "101");
    static const struct {
        const char *reply, *words;
    } socks[] = {
        { "0501", "general failure" },       { "0502", "rules" },
        { "0503", "network is unreachable" }, { "0504", "host is unreachable" },
        { "0505", "connection was refused" }, { "0506", "TTL" },
        { "0507", "CONNECT" },                { "0508", "address" },
    };
    for (size_t i = 0; i < sizeof socks / sizeof socks[0]; i++) {
        char what[100];
        snprintf(what, sizeof what, "replies 0500 %s0001000000000000", socks[i].reply);
        WRONG(SOCKS, what, NSWS_DETAIL_PROXY_REFUSED, 0, socks[i].words);
    }
    WRONG(SOCKS, "replies 05ff", NSWS_DETAIL_PROXY_AUTH, 0, "demands a user name");
}

/* Proxies that break the rules. */

static void answers_that_are_none_are_refused(void) {
    WRONG(HTTP, "says SSH-2.0-OpenSSH%0d%0a", NSWS_DETAIL_PROXY_ANSWER, 0, "not HTTP");
    WRONG(HTTP, "says %05%ff", NSWS_DETAIL_PROXY_ANSWER, 0, "not HTTP");
    WRONG(HTTP, "says %00%00%00%00", NSWS_DETAIL_PROXY_ANSWER, 0, "not HTTP");
    WRONG(HTTP, "says HTTP/1.1%20200%20OK%0d%0aA:%20b%00c%0d%0a%0d%0a", NSWS_DETAIL_PROXY_ANSWER, 0, "invalid");
    WRONG(HTTP, "says HTTP/1.1%20200%20O%00K%0d%0a%0d%0a", NSWS_DETAIL_PROXY_ANSWER, 0, "invalid");
    WRONG(HTTP, "says HTTP/1.1%20two%20hundred%0d%0a%0d%0a", NSWS_DETAIL_PROXY_ANSWER, 0, "invalid");
    WRONG(HTTP, "interim", NSWS_DETAIL_PROXY_ANSWER, 0, "more than 16 interim answers come before it");
    WRONG(HTTP, "says-and-closes", NSWS_DETAIL_LINK_LOST, 0, "closed the connection without an answer");
    WRONG(HTTP, "says-and-closes HTTP/1.1%20200%20OK%0d%0aA:", NSWS_DETAIL_LINK_LOST, 0, "closed the connection");
    WRONG(HTTP, "resets", NSWS_DETAIL_LINK_LOST, 0, "broke");
    WRONG(SOCKS, "replies 4854", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0402", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0507", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0500 04000001000000000000", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0500 05000009000000000000", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0500 05770001000000000000", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "replies 0500 0500000302ffff0000", NSWS_DETAIL_PROXY_ANSWER, 0, "not SOCKS5");
    WRONG(SOCKS, "resets", NSWS_DETAIL_LINK_LOST, 0, "broke");
}

static void what_follows_the_answer_at_once_is_not_from_the_server(void) {
    /* A page in the same packet, and answers within the answer. */
    WRONG(HTTP, "says HTTP/1.1%20200%20OK%0d%0aContent-Length:%205%0d%0a%0d%0alogin", NSWS_DETAIL_PROXY_ANSWER, 0,
          "more follows");
    WRONG(HTTP, "says HTTP/1.1%20200%20OK%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0a%0d%0aHTTP/1.1%20200%20OK%0d%0a%0d%0a",
          NSWS_DETAIL_PROXY_ANSWER, 0, "more follows");
}

static void a_page_in_the_servers_place_is_told_with_the_proxys_name(void) {
    static const struct {
        const char *url, *what, *words;
        int32_t phase, detail;
        int http_status;
    } cases[] = {
        { "ws://server.test/", "page <html>login</html>", "does not answer in HTTP", NSWS_PHASE_HANDSHAKE,
          NSWS_DETAIL_HANDSHAKE, 0 },
        { "ws://server.test/", "page HTTP/1.1%20200%20OK%0d%0a%0d%0a<html>", "refused the upgrade: 200 OK", NSWS_PHASE_HANDSHAKE,
          NSWS_DETAIL_CAPTIVE_PORTAL, 200 },
        { "ws://server.test/", "page HTTP/1.1%20101%20OK%0d%0aA:%00%0d%0a%0d%0a", "invalid", NSWS_PHASE_HANDSHAKE,
          NSWS_DETAIL_HANDSHAKE, 0 },
        { "wss://server.test/", "page <html>login</html>", "does not speak TLS", NSWS_PHASE_TLS, NSWS_DETAIL_TLS, 0 },
        { "wss://server.test/", "page HTTP/1.1%20200%20OK%0d%0a%0d%0a", "does not speak TLS", NSWS_PHASE_TLS,
          NSWS_DETAIL_TLS, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct way way;
        start_proxy(&way, HTTP, cases[i].what);
        way.options.skip_server_cert_verification = 1;
        const struct event *error = fails_at(__LINE__, way.r, cases[i].url, &way.options, cases[i].phase, cases[i].detail,
                                             cases[i].http_status, cases[i].words);
        if (!error) return;
        char through[400];
        snprintf(through, sizeof through, "server.test:%s through %s", i < 3 ? "80" : "443", named(&way.options));
        CHECK_CONTAINS(error->text, through);
    }
}

static void a_silent_or_slow_proxy_runs_into_the_timeout(void) {
    static const struct {
        uint8_t mode;
        const char *what;
    } cases[] = {
        { HTTP, "silent" }, { SOCKS, "silent" }, { HTTP, "slow" },
        { HTTP, "says HTTP/1.1%20200%20OK%0d%0a" }, { SOCKS, "replies 0500" }, { SOCKS, "replies 0500 050000" },
        /* An HTTP proxy waits for the end of the request that SOCKS5's bytes began. */
        { SOCKS, "tunnel" },
    };
    long before = resident_kib();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct way way;
        start_proxy(&way, cases[i].mode, cases[i].what);
        way.options.connect_timeout_ms = soon();
        const struct event *error = fails_at(__LINE__, way.r, unknown_url(way.r, "/echo"), &way.options, NSWS_PHASE_PROXY,
                                             NSWS_DETAIL_TIMEOUT, 0, not_soon_enough());
        if (!error) return;
        CHECK_CONTAINS(error->text, named(&way.options));
        CHECK_CONTAINS(error->text, "known-to-the-proxy.test");
        CHECK_CONTAINS(error->text, cases[i].mode == HTTP ? "(HTTP)" : "(SOCKS5)");
        WAIT_PEER(way.token, "ended", 1);
    }
    if (slowness() == 1) CHECK_MOST(resident_kib() - before, 64 * 1024);
}

static void a_gigabyte_of_headers_is_cut_off(void) {
    long before = resident_kib();
    WRONG(HTTP, "headers", NSWS_DETAIL_PROXY_ANSWER, 0, "larger than 65536 bytes");
    if (slowness() == 1) CHECK_MOST(resident_kib() - before, 64 * 1024);
}

/* Reaching the proxy. */

static void a_proxy_that_cannot_be_reached_is_named(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    int fd;
    options.proxy_mode = HTTP;
    options.proxy_host = "127.0.0.1";
    options.proxy_port = (uint32_t)refused_port(&fd);
    const struct event *error = fails_at(__LINE__, r, unknown_url(r, "/echo"), &options, NSWS_PHASE_PROXY,
                                         NSWS_DETAIL_REFUSED, 0, "refused");
    if (error) {
        CHECK_CONTAINS(error->text, named(&options));
        CHECK_INT(error->os_error, ECONNREFUSED);
    }
    close(fd);
    options.proxy_host = "no-such-proxy.invalid";
    error = fails_at(__LINE__, r, unknown_url(r, "/echo"), &options, NSWS_PHASE_PROXY, NSWS_DETAIL_NAME_NOT_FOUND, 0,
                     "could not be resolved");
    if (error) CHECK_CONTAINS(error->text, named(&options));
}

static void close_and_destroy_end_an_attempt_in_a_proxy(void) {
    for (int i = 0; i < 2; i++) {
        struct way way;
        start_proxy(&way, i == 0 ? HTTP : SOCKS, "silent");
        CHECK_OK(nsws_client_connect(way.r->client, unknown_url(way.r, "/echo"), &way.options));
        WAIT_PEER(way.token, "connections", 1);
        if (i == 0) {
            CHECK_OK(nsws_client_close(way.r->client, 1000, ""));
            const struct event *event = WAIT(way.r, CLOSE, 1);
            if (event) CHECK_INT(event->code, 1006);
        } else {
            destroy_client(way.r);
        }
        WAIT_PEER(way.token, "ended", 1);
        CHECK_STR(order(way.r), i == 0 ? "close" : "");
    }
}

static void wrong_credentials_are_not_tried_again(void) {
    struct way way;
    start_proxy(&way, HTTP, "tunnel user:pw");
    way.options.reconnect_max_attempts = 3;
    way.options.reconnect_min_delay_ms = way.options.reconnect_max_delay_ms = 1;
    fails_at(__LINE__, way.r, unknown_url(way.r, "/echo"), &way.options, NSWS_PHASE_PROXY, NSWS_DETAIL_PROXY_AUTH, 407, "407");
    CHECK_OK(nsws_client_connect(way.r->client, raw_url(way.r, "/echo"), NULL));
    WAIT(way.r, OPEN, 1);
    CHECK_INT(count_events(way.r, RECONNECTING), 0);
    CHECK_INT(peer_number(way.token, "connections"), 1);
}

/* Which proxy. */

static void an_excluded_host_is_reached_without(void) {
    static const struct {
        const char *list;
        int direct;
    } cases[] = {
        { "127.0.0.1", 1 }, { "127.0.0.0/8", 1 },      { "*", 1 },           { "10.*, 127.*", 1 }, { "localhost 127.0.0.1", 1 },
        { "", 0 },          { "localhost,10.0.0.0/8", 0 }, { ".0.0.1,::1", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct way way;
        start_proxy(&way, HTTP, "tunnel");
        way.options.proxy_exclusion_list = cases[i].list;
        if (!OPENS(way.r, raw_url(way.r, "/echo"), &way.options)) return;
        if (peer_number(way.token, "connections") != !cases[i].direct)
            harness_fail(__FILE__, __LINE__, "\"%s\": %s", cases[i].list, cases[i].direct ? "through the proxy" : "not through it");
    }
}

static void options_that_make_no_proxy_are_refused(void) {
    static const struct {
        int mode;
        const char *host, *username, *password, *list;
        uint32_t port;
        const char *words;
    } cases[] = {
        { HTTP, NULL, NULL, NULL, NULL, 1, "no host" },
        { SOCKS, "", NULL, NULL, NULL, 1, "no host" },
        { HTTP, "h", NULL, NULL, NULL, 0, "port" },
        { HTTP, "h", NULL, NULL, NULL, 65536, "65536" },
        { HTTP, "http://h", NULL, NULL, NULL, 1, "host" },
        { HTTP, "h:80", NULL, NULL, NULL, 1, "host" },
        { HTTP, "h\r\nX: y", NULL, NULL, NULL, 1, "host" },
        { HTTP, "h\xff", NULL, NULL, NULL, 1, "UTF-8" },
        { HTTP, "h", "secret\r\nX: y", "p", NULL, 1, "control character" },
        { HTTP, "h", "u", "secret\n", NULL, 1, "control character" },
        { SOCKS, "h", "secret\n", "p", NULL, 1, "control character" },
        { HTTP, "h", "sec:ret", "p", NULL, 1, "colon" },
        { HTTP, "h", NULL, "secret", NULL, 1, "no user name" },
        { HTTP, "h", "", "secret", NULL, 1, "no user name" },
        { SOCKS, "h", "secret", NULL, NULL, 1, "255" },
        { HTTP, "h", "secret\xff", NULL, NULL, 1, "proxy_username" },
        { HTTP, "h", NULL, NULL, "10.0.0.0/33", 1, "10.0.0.0/33" },
        { HTTP, "h", NULL, NULL, "a,b\r\nc", 1, "control character" },
        { NSWS_PROXY_SYSTEM, "h", NULL, NULL, NULL, 0, "proxy_mode" },
        { NSWS_PROXY_NONE, NULL, NULL, NULL, NULL, 1, "proxy_mode" },
        { NSWS_PROXY_NONE, NULL, "secret", NULL, NULL, 0, "proxy_mode" },
        { NSWS_PROXY_NONE, NULL, NULL, "secret", NULL, 0, "proxy_mode" },
        { NSWS_PROXY_SYSTEM, NULL, NULL, NULL, "*", 0, "proxy_mode" },
        { 4, "h", NULL, NULL, NULL, 1, "proxy_mode 4" },
    };
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nsws_connect_options options = defaults();
        options.proxy_mode = (uint8_t)cases[i].mode;
        options.proxy_host = cases[i].host;
        options.proxy_port = cases[i].port;
        options.proxy_username = cases[i].username;
        options.proxy_password = cases[i].password;
        options.proxy_exclusion_list = cases[i].list;
        if (!CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1/", &options), NSWS_ERR_PARAMETER)) return;
        CHECK_CONTAINS(nsws_last_error(), cases[i].words);
        CHECK_LACKS(nsws_last_error(), "secret");
    }
    /* Empty texts are none. */
    nsws_connect_options options = defaults();
    options.proxy_mode = NSWS_PROXY_NONE;
    options.proxy_host = options.proxy_username = options.proxy_password = options.proxy_exclusion_list = "";
    OPENS(r, raw_url(r, "/echo"), &options);
}

/* The platform's. */

struct system_proxy {
    nsws_system_proxy proxy;
    int asked, answers, twice;
    int32_t result;
    char url[300], sentence[300];
    struct gate *gate;
};

static void get_system_proxy(const char *url, nsws_system_proxy_answer *answer, void *user) {
    struct system_proxy *system = user;
    system->asked++;
    snprintf(system->url, sizeof system->url, "%s", url);
    if (system->gate) gate_pass(system->gate);
    if (!system->answers) return;
    if (system->twice) {
        nsws_system_proxy other;
        CHECK_OK(nsws_system_proxy_init(&other, sizeof other));
        other.host = "no-such-proxy.invalid";
        other.port = 1;
        CHECK_OK(nsws_system_proxy_set(answer, &other));
    }
    system->result = nsws_system_proxy_set(answer, &system->proxy);
    if (system->result != NSWS_OK) snprintf(system->sentence, sizeof system->sentence, "%s", nsws_last_error());
}

/* The proxy of `way` becomes the system's. */
static void make_system(struct system_proxy *system, struct way *way) {
    memset(system, 0, sizeof *system);
    CHECK_OK(nsws_system_proxy_init(&system->proxy, sizeof system->proxy));
    CHECK_INT(system->proxy.mode, NSWS_PROXY_HTTP);
    system->answers = 1;
    system->proxy.mode = way->options.proxy_mode;
    system->proxy.host = way->options.proxy_host;
    system->proxy.port = way->options.proxy_port;
    system->proxy.username = way->options.proxy_username;
    system->proxy.password = way->options.proxy_password;
    nsws_platform platform;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.get_system_proxy = get_system_proxy;
    platform.user_data = system;
    CHECK_OK(nsws_set_platform(&platform));
}

static void the_platform_says_which_proxy_by_default(void) {
    static struct system_proxy system;
    struct way way;
    start_proxy(&way, SOCKS, "socks user:password");
    way.options.proxy_username = "user";
    way.options.proxy_password = "password";
    make_system(&system, &way);
    system.twice = 1;
    if (!OPENS(way.r, unknown_url(way.r, "/echo"), NULL)) return;
    echoes(__LINE__, way.r);
    char url[100];
    snprintf(url, sizeof url, "ws://known-to-the-proxy.test:%s/", setting("NSWS_RAW_PORT"));
    CHECK_STR(system.url, url);
    CHECK_INT(system.asked, 1);
    CHECK_INT(peer_number(way.token, "tunnels"), 1);

    /* Only the default asks it. */
    struct recorder *direct = new_client();
    nsws_connect_options options = defaults();
    options.proxy_mode = NSWS_PROXY_NONE;
    if (!OPENS(direct, raw_url(direct, "/echo"), &options)) return;
    CHECK_INT(system.asked, 1);

    /* Without a proxy, said in each possible way. */
    struct recorder *none = new_client();
    for (int i = 0; i < 4; i++) {
        system.twice = 0;
        system.answers = i > 0;
        system.proxy.mode = i == 1 ? NSWS_PROXY_NONE : SOCKS;
        system.proxy.host = i == 2 ? "" : i == 3 ? NULL : "127.0.0.1";
        if (!OPENS(none, raw_url(none, "/echo"), NULL)) return;
        CHECK_OK(nsws_client_close(none->client, 1000, ""));
        WAIT(none, CLOSE, (size_t)i + 1);
        CHECK_INT(system.result, NSWS_OK);
    }
    CHECK_INT(system.asked, 5);
    CHECK_INT(peer_number(way.token, "connections"), 1);
    CHECK_OK(nsws_set_platform(NULL));
}

static void the_platforms_list_excludes_and_forgives(void) {
    static struct system_proxy system;
    struct way way;
    start_proxy(&way, HTTP, "tunnel");
    make_system(&system, &way);
    system.proxy.exclusion_list = "http://wrong/entry, 10.0.0.0/99, 127.0.0.0/8";
    if (!OPENS(way.r, raw_url(way.r, "/echo"), NULL)) return;
    CHECK_INT(system.asked, 1);
    CHECK_INT(peer_number(way.token, "connections"), 0);
    CHECK_OK(nsws_set_platform(NULL));
}

static void a_platforms_answer_that_is_no_proxy_fails_the_attempt(void) {
    static struct system_proxy system;
    struct way way;
    start_proxy(&way, HTTP, "tunnel");
    make_system(&system, &way);
    static const struct {
        const char *host, *password;
        uint32_t port;
        int mode;
        size_t struct_size;
        const char *words;
    } cases[] = {
        { "127.0.0.1", NULL, 0, HTTP, sizeof(nsws_system_proxy), "port" },
        { "127.0.0.1", NULL, 65536, HTTP, sizeof(nsws_system_proxy), "port" },
        { "http://proxy", NULL, 1, HTTP, sizeof(nsws_system_proxy), "host" },
        { "proxy", "secret", 1, HTTP, sizeof(nsws_system_proxy), "user name" },
        { "proxy", NULL, 1, NSWS_PROXY_SYSTEM, sizeof(nsws_system_proxy), "mode" },
        { "proxy", NULL, 1, HTTP, 0, "struct_size" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        system.proxy.host = cases[i].host;
        system.proxy.password = cases[i].password;
        system.proxy.port = cases[i].port;
        system.proxy.mode = (uint8_t)cases[i].mode;
        system.proxy.struct_size = cases[i].struct_size;
        const struct event *error = fails_at(__LINE__, way.r, raw_url(way.r, "/echo"), NULL, NSWS_PHASE_PROXY,
                                             NSWS_DETAIL_PROXY_SETTING, 0, cases[i].words);
        if (!error) return;
        CHECK_LACKS(error->text, "secret");
        CHECK_INT(system.result, NSWS_ERR_PARAMETER);
        CHECK_CONTAINS(system.sentence, cases[i].words);
    }
    CHECK_CODE(nsws_system_proxy_set(NULL, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_system_proxy_init(NULL, sizeof(nsws_system_proxy)), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_set_platform(NULL));
}

static void the_platform_is_asked_before_each_attempt(void) {
    static struct system_proxy system;
    struct way way;
    start_proxy(&way, HTTP, "says-and-closes");
    make_system(&system, &way);
    nsws_connect_options options = defaults();
    options.reconnect_max_attempts = 2;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 1;
    CHECK_OK(nsws_client_connect(way.r->client, unknown_url(way.r, "/echo"), &options));
    if (!WAIT(way.r, ERROR, 3)) return;
    CHECK_STR(order(way.r), "error reconnecting error reconnecting error");
    CHECK_INT(system.asked, 3);
    CHECK_OK(nsws_set_platform(NULL));
}

static void a_platform_that_takes_its_time_delays_its_own_attempt_only(void) {
    static struct system_proxy system;
    static struct gate gate;
    gate_init(&gate);
    struct way way;
    start_proxy(&way, HTTP, "tunnel");
    make_system(&system, &way);
    system.gate = &gate;
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = soon();
    const struct event *error = fails_at(__LINE__, way.r, raw_url(way.r, "/echo"), &options, NSWS_PHASE_PROXY,
                                         NSWS_DETAIL_TIMEOUT, 0, not_soon_enough());
    if (error) CHECK_CONTAINS(error->text, "Asking the platform");
    /* It still hasn't answered; others go on, and nsws_shutdown() reports what is busy. */
    WAIT_WAITING(&gate, 1);
    struct recorder *other = new_client();
    options = defaults();
    options.proxy_mode = NSWS_PROXY_NONE;
    if (OPENS(other, raw_url(other, "/echo"), &options)) echoes(__LINE__, other);
    end_recorders();
    CHECK_CODE(nsws_shutdown(0), NSWS_ERR_BUSY);
    CHECK_CONTAINS(nsws_last_error(), "platform");
    gate_open(&gate);
    WAIT_WAITING(&gate, 0);
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
}

/* The environment's, in a process of its own: this program with a URL. Prints how it went. */

static const char *program;

static int as_child(const char *url) {
    struct recorder *r = new_client();
    nsws_platform platform;
    nsws_connect_options options = defaults();
    options.ca_path = getenv("CHILD_CA");
    /* Hooks, but not this one: the environment counts. */
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    CHECK_OK(nsws_set_platform(&platform));
    CHECK_OK(nsws_client_connect(r->client, url, &options));
    struct timespec end = guard_end();
    int late = 0;
    pthread_mutex_lock(&r->lock);
    while (r->counts[OPEN] + r->counts[ERROR] == 0 && !late)
        late = pthread_cond_timedwait(&r->changed, &r->lock, &end) == ETIMEDOUT;
    const struct event *error = find_event(r, ERROR, 1);
    pthread_mutex_unlock(&r->lock);
    if (error) printf("%s %s\n", nsws_error_name(error->detail), error->text);
    else printf(late ? "nothing\n" : "open\n");
    fflush(stdout);
    end_recorders();
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    return failed_checks() != 0;
}

/* What the child prints, in an environment with these variables added (NULL ends them). */
static char *child_says(const char *url, char *const variables[]) {
    char *environment[1000];
    size_t count = 0;
    for (char **variable = environ; *variable && count < 900; variable++)
        if (!strcasestr(*variable, "proxy=")) environment[count++] = *variable;
    while (*variables) environment[count++] = *variables++;
    environment[count] = NULL;
    char *arguments[32];
    command_line(arguments, program, url);
    int ends[2];
    if (pipe(ends) != 0) abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t child;
    CHECK_INT(posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environment), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    static char said[1000];
    size_t length = 0;
    ssize_t more;
    while (length < sizeof said - 1 && (more = read(ends[0], said + length, sizeof said - 1 - length)) > 0) length += (size_t)more;
    said[length] = 0;
    close(ends[0]);
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    return said;
}

static void the_environment_says_which_proxy_when_the_platform_does_not(void) {
    static const struct {
        const char *url;
        /* %u is the proxy's port. */
        const char *variables[3];
        const char *what, *says;
        int tunnels;
    } cases[] = {
        { "ws", { "http_proxy=http://127.0.0.1:%u" }, "tunnel", "open", 1 },
        { "ws", { "HTTP_PROXY=http://127.0.0.1:%u" }, "tunnel", "NAME_NOT_FOUND", 0 },
        { "ws", { "https_proxy=http://127.0.0.1:%u" }, "tunnel", "NAME_NOT_FOUND", 0 },
        { "ws", { "ALL_PROXY=socks5h://user:pass%%77ord@127.0.0.1:%u" }, "socks user:password", "open", 1 },
        { "ws", { "all_proxy=127.0.0.1:%u" }, "tunnel", "open", 1 },
        { "ws", { "http_proxy=127.0.0.1:%u", "no_proxy=test" }, "tunnel", "NAME_NOT_FOUND", 0 },
        { "ws", { "http_proxy=127.0.0.1:%u", "NO_PROXY=elsewhere,.to-the-proxy.test" }, "tunnel", "open", 1 },
        { "ws", { "http_proxy=https://user:secret@127.0.0.1:%u" }, "tunnel", "PROXY_SETTING", 0 },
        { "wss", { "https_proxy=http://127.0.0.1:%u", "http_proxy=http://127.0.0.1:1" }, "tunnel", "open", 1 },
        { "wss", { "HTTPS_PROXY=socks5://127.0.0.1:%u" }, "socks", "open", 1 },
        { "wss", { "https_proxy=127.0.0.1:1", "no_proxy=127.0.0.0/8" }, "tunnel", "open", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct way way;
        start_proxy(&way, HTTP, cases[i].what);
        char texts[3][300], *variables[4] = { NULL };
        size_t count = 0;
        for (; count < 2 && cases[i].variables[count]; count++) {
            snprintf(texts[count], sizeof texts[count], cases[i].variables[count], (unsigned)way.options.proxy_port);
            variables[count] = texts[count];
        }
        snprintf(texts[2], sizeof texts[2], "CHILD_CA=%s/ca.pem", setting("NSWS_CERT_DIR"));
        variables[count] = texts[2];
        int tls = strcmp(cases[i].url, "wss") == 0;
        char *says = child_says(tls ? setting("NSWS_ECHO_WSS_URL") : unknown_url(way.r, "/echo"), variables);
        if (strstr(says, cases[i].says) == NULL || strstr(says, "secret") != NULL)
            harness_fail(__FILE__, __LINE__, "%s %s: %s", texts[0], cases[i].variables[1] ? texts[1] : "", says);
        CHECK_INT(peer_number(way.token, "tunnels"), cases[i].tunnels);
    }
}

/* Real ones. */

static const struct {
    const char *name, *port, *auth_port;
    uint8_t mode;
    /* How each answers: without credentials, with wrong ones, for a target that refuses. */
    int unknown, wrong, refused;
} real[] = {
    { "tinyproxy", "NSWS_TINYPROXY_PORT", "NSWS_TINYPROXY_AUTH_PORT", HTTP, 407, 401, 500 },
    { "squid", "NSWS_SQUID_PORT", "NSWS_SQUID_AUTH_PORT", HTTP, 407, 407, 503 },
    { "microsocks", "NSWS_SOCKS_PORT", "NSWS_SOCKS_AUTH_PORT", SOCKS, 0, 0, 0 },
};

static nsws_connect_options through(size_t which, const char *port) {
    nsws_connect_options options = defaults();
    options.proxy_mode = real[which].mode;
    options.proxy_host = "127.0.0.1";
    options.proxy_port = (uint32_t)atoi(setting(port));
    return options;
}

static void ws_and_wss_go_through_real_proxies(void) {
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        for (int with = 0; with < 2; with++) {
            nsws_connect_options options = through(i, with ? real[i].auth_port : real[i].port);
            options.proxy_username = with ? setting("NSWS_PROXY_USER") : NULL;
            options.proxy_password = with ? setting("NSWS_PROXY_PASSWORD") : NULL;
            options.ca_path = certificate_file("ca.pem");
            struct recorder *plain = new_client(), *tls = new_client(), *by_name = new_client();
            if (OPENS(plain, setting("NSWS_ECHO_URL"), &options)) echoes(__LINE__, plain);
            if (OPENS(tls, setting("NSWS_ECHO_WSS_URL"), &options)) echoes(__LINE__, tls);
            /* The proxy looks the name up. */
            char url[200];
            snprintf(url, sizeof url, "wss://localhost:%s/", setting("NSWS_WSS_GOOD_PORT"));
            if (OPENS(by_name, url, &options)) echoes(__LINE__, by_name);
            /* More than one packet each way. */
            char *data = pattern(1 << 20);
            CHECK_OK(nsws_client_send_binary(tls->client, data, 1 << 20));
            const struct event *message = WAIT(tls, MESSAGE, 2);
            if (message) CHECK(message->length == 1 << 20 && memcmp(message->text, data, 1 << 20) == 0);
            free(data);
            CHECK_OK(nsws_client_close(plain->client, 1000, "bye"));
            const struct event *closed = WAIT(plain, CLOSE, 1);
            if (closed) CHECK(closed->code == 1000 && closed->was_clean);
        }
    }
}

static void real_proxies_refuse_strangers(void) {
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        nsws_connect_options options = through(i, real[i].auth_port);
        struct recorder *r = new_client();
        const struct event *error = fails_at(__LINE__, r, setting("NSWS_ECHO_URL"), &options, NSWS_PHASE_PROXY,
                                             NSWS_DETAIL_PROXY_AUTH, real[i].unknown, "demands a user name");
        if (error) CHECK_CONTAINS(error->text, named(&options));
        options.proxy_username = setting("NSWS_PROXY_USER");
        options.proxy_password = "not-it";
        error = fails_at(__LINE__, r, setting("NSWS_ECHO_URL"), &options, NSWS_PHASE_PROXY, NSWS_DETAIL_PROXY_AUTH,
                         real[i].wrong, "refused the user name or password");
        if (!error) return;
        CHECK_CONTAINS(error->text, named(&options));
        CHECK_LACKS(error->text, "not-it");
        CHECK_LACKS(error->text, setting("NSWS_PROXY_USER"));
    }
}

static void a_target_that_real_proxies_cannot_reach_is_told(void) {
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        nsws_connect_options options = through(i, real[i].port);
        struct recorder *r = new_client();
        int fd;
        const char *url = refused_url(r, &fd);
        const struct event *error = fails_at(__LINE__, r, url, &options, NSWS_PHASE_PROXY, NSWS_DETAIL_PROXY_REFUSED,
                                             real[i].refused, "did not connect to 127.0.0.1");
        if (error) CHECK_CONTAINS(error->text, named(&options));
        close(fd);
    }
}

static void a_real_proxy_of_the_other_kind_is_told(void) {
    /* SOCKS5 to an HTTP proxy, and the other way round: an answer that makes no sense, or none at all. */
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        nsws_connect_options options = through(i, real[i].port);
        options.proxy_mode = real[i].mode == HTTP ? SOCKS : HTTP;
        options.connect_timeout_ms = soon();
        struct recorder *r = new_client();
        CHECK_OK(nsws_client_connect(r->client, setting("NSWS_ECHO_URL"), &options));
        const struct event *error = WAIT(r, ERROR, 1);
        if (!error) return;
        CHECK_INT(error->phase, NSWS_PHASE_PROXY);
        CHECK(error->detail == NSWS_DETAIL_PROXY_ANSWER || error->detail == NSWS_DETAIL_TIMEOUT ||
              error->detail == NSWS_DETAIL_LINK_LOST);
        CHECK_CONTAINS(error->text, named(&options));
    }
}

/* Happy eyeballs. `localhost` may have one address or two; src/client/dial.rs has the tests with more. */

static void a_name_whose_other_address_refuses_is_reached(void) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "ws://localhost:%s/echo?t=%s", setting("NSWS_RAW_PORT"), r->token);
    if (OPENS(r, r->url, NULL)) echoes(__LINE__, r);
}

static void every_address_that_was_tried_is_told_with_its_cause(void) {
    struct recorder *r = new_client();
    int fd;
    char url[100], tried[100];
    int port = refused_port(&fd);
    snprintf(url, sizeof url, "ws://localhost:%d/", port);
    snprintf(tried, sizeof tried, "127.0.0.1:%d: Connection refused", port);
    const struct event *error = fails_at(__LINE__, r, url, NULL, NSWS_PHASE_TCP, NSWS_DETAIL_REFUSED, 0, tried);
    if (error) CHECK_INT(error->os_error, ECONNREFUSED);
    close(fd);
}

static void addresses_that_do_not_answer_are_told_when_the_time_is_up(void) {
    /* The backlog of this listener is full: the system drops what comes. */
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[4];
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 0) != 0) abort();
    getsockname(listener, (struct sockaddr *)&address, &size);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, size);
    }
    int port = ntohs(address.sin_port);
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = soon();
    char url[100], words[200];
    struct recorder *r = new_client();
    snprintf(url, sizeof url, "ws://localhost:%d/", port);
    snprintf(words, sizeof words, "127.0.0.1:%d: no answer", port);
    fails_at(__LINE__, r, url, &options, NSWS_PHASE_TCP, NSWS_DETAIL_TIMEOUT, 0, words);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    snprintf(words, sizeof words, "The TCP connection to 127.0.0.1:%d %s", port, not_soon_enough());
    fails_at(__LINE__, r, url, &options, NSWS_PHASE_TCP, NSWS_DETAIL_TIMEOUT, 0, words);
    /* The same on the way to a proxy. */
    options.proxy_mode = HTTP;
    options.proxy_host = "localhost";
    options.proxy_port = (uint32_t)port;
    snprintf(words, sizeof words, "The TCP connection to the proxy localhost:%d (tried ", port);
    fails_at(__LINE__, r, "ws://server.test/", &options, NSWS_PHASE_PROXY, NSWS_DETAIL_TIMEOUT, 0, words);
    for (int i = 0; i < 4; i++) close(fillers[i]);
    close(listener);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2) return as_child(argv[1]);
    RUN(an_http_proxy_is_asked_for_a_tunnel_and_looks_up_the_name);
    RUN(an_http_proxy_is_told_user_and_password);
    RUN(a_socks5_proxy_looks_up_the_name);
    RUN(a_socks5_proxy_is_told_user_and_password);
    RUN(a_proxy_may_have_an_ipv6_address_or_a_name);
    RUN(tls_goes_through_the_tunnel);
    RUN(wrong_or_missing_credentials_are_one_clear_error);
    RUN(a_proxy_that_refuses_is_an_error_with_its_status);
    RUN(answers_that_are_none_are_refused);
    RUN(what_follows_the_answer_at_once_is_not_from_the_server);
    RUN(a_page_in_the_servers_place_is_told_with_the_proxys_name);
    RUN(a_silent_or_slow_proxy_runs_into_the_timeout);
    RUN(a_gigabyte_of_headers_is_cut_off);
    RUN(a_proxy_that_cannot_be_reached_is_named);
    RUN(close_and_destroy_end_an_attempt_in_a_proxy);
    RUN(wrong_credentials_are_not_tried_again);
    RUN(an_excluded_host_is_reached_without);
    RUN(options_that_make_no_proxy_are_refused);
    RUN(the_platform_says_which_proxy_by_default);
    RUN(the_platforms_list_excludes_and_forgives);
    RUN(a_platforms_answer_that_is_no_proxy_fails_the_attempt);
    RUN(the_platform_is_asked_before_each_attempt);
    RUN(a_platform_that_takes_its_time_delays_its_own_attempt_only);
    RUN(the_environment_says_which_proxy_when_the_platform_does_not);
    RUN(ws_and_wss_go_through_real_proxies);
    RUN(real_proxies_refuse_strangers);
    RUN(a_target_that_real_proxies_cannot_reach_is_told);
    RUN(a_real_proxy_of_the_other_kind_is_told);
    RUN(a_name_whose_other_address_refuses_is_reached);
    RUN(every_address_that_was_tried_is_told_with_its_cause);
    RUN(addresses_that_do_not_answer_are_told_when_the_time_is_up);
    return end_tests();
}
