/* Servers behind proxies: haproxy and nginx, and peers that would be taken for them. */
#include "server.h"

static nsws_server_options behind(const char *trusted) {
    nsws_server_options options = server_defaults();
    options.trusted_proxies = trusted;
    options.health_path = "/healthz";
    return options;
}

/* A request from an address of loopback, with more headers; its status. */
static int ask_from(const char *from, uint16_t port, const char *before, const char *more, int *fd) {
    char request[2048];
    *fd = raw_connect_from(from, port);
    snprintf(request, sizeof request, "%sGET /path HTTP/1.1\r\n" RAW_HOST "%s" RAW_UPGRADE "\r\n", before, more);
    raw_say(*fd, request);
    return raw_status(*fd);
}

/* Who the nth client is, and where its link comes from: "1.2.3.4:5 over 127.0.0.1". */
static const char *who(struct server *s, size_t nth) {
    static char text[160];
    const struct server_event *event = SERVER_WAIT(s, ON_CONNECT, nth);
    nsws_connection_info info;
    if (!event || !CHECK_OK(nsws_connection_get_info(event->connection, &info, sizeof info))) return "";
    CHECK_STR(info.client_ip, event->ip);
    CHECK_INT(info.client_port, event->port);
    CHECK(info.link_port != 0);
    snprintf(text, sizeof text, "%s:%d over %s", event->ip, event->port, info.link_ip);
    return text;
}

static void a_client_is_who_trusted_proxies_say(void) {
    nsws_server_options options = behind("127.0.0.1, 10.0.0.0/8");
    struct server *s = started_server(&options);
    static const char *const told[][2] = {
        { "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0 over 127.0.0.1" },
        { "X-Forwarded-For: 9.9.9.9, 192.0.2.1:77, 10.1.1.1\r\n", "192.0.2.1:77 over 127.0.0.1" },
        { "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0 over 127.0.0.1" },
        { "Forwarded: for=\"[2001:db8::1]:4711\";proto=https\r\n", "2001:db8::1:4711 over 127.0.0.1" },
        { "Forwarded: for=9.9.9.9\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0 over 127.0.0.1" },
    };
    enum { TOLD = sizeof told / sizeof *told };
    int fds[TOLD];
    if (!s) return;
    for (size_t i = 0; i < TOLD; i++) {
        CHECK_INT(ask_from("127.0.0.1", s->port, "", told[i][0], &fds[i]), 101);
        CHECK_STR(who(s, i + 1), told[i][1]);
    }
    nsws_connection found;
    CHECK_OK(nsws_server_find_connection(s->handle, "192.0.2.1", 77, &found));
    CHECK_INT(found.id, SERVER_WAIT(s, ON_CONNECT, 2)->connection.id);
    for (size_t i = 0; i < TOLD; i++) close(fds[i]);
}

static void nobody_else_is_believed(void) {
    nsws_server_options options = behind("127.0.0.1");
    struct server *s = started_server(&options);
    char expected[64];
    int fd;
    if (!s) return;
    CHECK_INT(ask_from("127.0.0.2", s->port, "", "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n", &fd), 101);
    snprintf(expected, sizeof expected, "127.0.0.2:%d over 127.0.0.2", raw_port(fd));
    CHECK_STR(who(s, 1), expected);
    close(fd);
    /* A trusted proxy's garbage leaves its own address. */
    CHECK_INT(ask_from("127.0.0.1", s->port, "", "X-Forwarded-For: 192.0.2.1, \"; DROP\r\n", &fd), 101);
    snprintf(expected, sizeof expected, "127.0.0.1:%d over 127.0.0.1", raw_port(fd));
    CHECK_STR(who(s, 2), expected);
    close(fd);
    struct server *usual = started_server(NULL);
    CHECK_INT(ask_from("127.0.0.1", usual->port, "", "X-Forwarded-For: 192.0.2.1\r\n", &fd), 101);
    snprintf(expected, sizeof expected, "127.0.0.1:%d over 127.0.0.1", raw_port(fd));
    CHECK_STR(who(usual, 1), expected);
    close(fd);
}

static void limits_and_bans_count_the_client_and_not_the_proxy(void) {
    nsws_server_options options = behind("127.0.0.1");
    options.max_connections_per_client = 1;
    options.max_upgrades_per_minute = 3;
    struct server *s = started_server(&options);
    char header[64];
    int fds[5], fd;
    if (!s) return;
    for (int i = 0; i < 5; i++) {
        snprintf(header, sizeof header, "X-Forwarded-For: 192.0.2.%d\r\n", i + 1);
        CHECK_INT(ask_from("127.0.0.1", s->port, "", header, &fds[i]), 101);
    }
    static const int statuses[] = { 503, 503, 429, 429 };
    for (int i = 0; i < 4; i++) {
        CHECK_INT(ask_from("127.0.0.1", s->port, "", "X-Forwarded-For: 192.0.2.1\r\n", &fd), statuses[i]);
        close(fd);
    }
    nsws_ban ban;
    size_t count;
    CHECK_OK(nsws_server_list_bans(s->handle, &ban, 1, &count));
    CHECK_INT(count, 1);
    CHECK_STR(ban.ip, "192.0.2.1");
    CHECK_INT(ask_from("127.0.0.1", s->port, "", "X-Forwarded-For: 192.0.2.6\r\n", &fd), 101);
    close(fd);
    for (int i = 0; i < 5; i++) close(fds[i]);
}

/* The PROXY protocol. */

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_CLIENT "\x21\x11\0\x0c\xc0\0\2\x07\x7f\0\0\1\x10\x01\x01\xbb"

static void headers_of_the_proxy_protocol_name_the_client(void) {
    nsws_server_options options = behind("127.0.0.1");
    options.proxy_protocol = 1;
    struct server *s = started_server(&options);
    int fd;
    if (!s) return;
    CHECK_INT(ask_from("127.0.0.1", s->port, "PROXY TCP4 192.0.2.7 127.0.0.1 4097 443\r\n", "", &fd), 101);
    CHECK_STR(who(s, 1), "192.0.2.7:4097 over 127.0.0.1");
    close(fd);
    CHECK_INT(ask_from("127.0.0.1", s->port, "PROXY TCP6 2001:db8::7 ::1 4097 443\r\n", "", &fd), 101);
    CHECK_STR(who(s, 2), "2001:db8::7:4097 over 127.0.0.1");
    close(fd);
    /* Cut into pieces, with the request right behind. */
    static const char v2[] = V2 V2_CLIENT RAW_REQUEST;
    fd = raw_connect(s);
    for (size_t i = 0; i < sizeof v2 - 1; i++) raw_write(fd, v2 + i, 1);
    CHECK_INT(raw_status(fd), 101);
    CHECK_STR(who(s, 3), "192.0.2.7:4097 over 127.0.0.1");
    close(fd);
    /* What the proxy says for itself. */
    static const char local[] = V2 "\x20\0\0\0" "GET /healthz HTTP/1.0\r\n\r\n";
    fd = raw_connect(s);
    raw_write(fd, local, sizeof local - 1);
    CHECK_INT(raw_status(fd), 200);
    close(fd);
    char expected[64];
    CHECK_INT(ask_from("127.0.0.1", s->port, "PROXY UNKNOWN\r\n", "", &fd), 101);
    snprintf(expected, sizeof expected, "127.0.0.1:%d over 127.0.0.1", raw_port(fd));
    CHECK_STR(who(s, 4), expected);
    close(fd);
    /* The client is no proxy: what it says of another is not believed. */
    CHECK_INT(ask_from("127.0.0.1", s->port, "PROXY TCP4 192.0.2.7 127.0.0.1 4097 443\r\n", "X-Forwarded-For: 9.9.9.9\r\n", &fd), 101);
    CHECK_STR(who(s, 5), "192.0.2.7:4097 over 127.0.0.1");
    close(fd);
}

static void headers_that_are_none_are_cut_and_others_can_not_send_any(void) {
    nsws_server_options options = behind("127.0.0.1");
    options.proxy_protocol = 1;
    struct server *s = started_server(&options);
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
#define BYTES(text) { text, sizeof(text) - 1 }
        BYTES(RAW_REQUEST),
        BYTES("PROXY TCP4 192.0.2.7 127.0.0.1 99999 443\r\n" RAW_REQUEST),
        BYTES("PROXY TCP4 localhost 127.0.0.1 1 443\r\n" RAW_REQUEST),
        BYTES("PROXY TCP4 192.0.2.7\r\n" RAW_REQUEST),
        BYTES("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
        BYTES(V2 "\x11\x11\0\x0c\xc0\0\2\x07\x7f\0\0\1\x10\x01\x01\xbb"),
        BYTES(V2 "\x21\x11\0\x04\xc0\0\2\x07"),
        BYTES(V2 "\x21\x11\xff\xff"),
        BYTES("\x16\x03\x01\0\x05\x01\0\0\x01\0\0\0\0"),
    };
    int fd;
    if (!s) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fd = raw_connect(s);
        raw_write(fd, wrong[i].bytes, wrong[i].length);
        CHECK_STR(raw_head(fd), "");
        CHECK(raw_ends(fd));
        close(fd);
    }
    fd = raw_connect_from("127.0.0.2", s->port);
    raw_say(fd, "PROXY TCP4 192.0.2.7 127.0.0.1 4097 443\r\n" RAW_REQUEST);
    CHECK_INT(raw_status(fd), 400);
    close(fd);
    CHECK_INT(ask_from("127.0.0.2", s->port, "", "", &fd), 101);
    SERVER_WAIT(s, ON_CONNECT, 1);
    close(fd);
}

static void a_client_that_sends_half_a_header_is_cut_when_the_handshake_s_time_is_over(void) {
    nsws_server_options options = behind("127.0.0.1");
    options.proxy_protocol = 1;
    options.handshake_timeout_ms = 100;
    struct server *s = started_server(&options);
    static const char *const halves[] = { "", "PROXY ", "PROXY TCP4 192.0.2.7 ", "\r\n\r\n" };
    if (!s) return;
    for (int i = 0; i < 4; i++) {
        int fd = raw_connect(s);
        raw_say(fd, halves[i]);
        CHECK(raw_ends(fd));
        close(fd);
    }
}

static void over_tls_the_header_comes_first_and_its_client_counts(void) {
    nsws_server_options options = behind("127.0.0.1");
    options.proxy_protocol = 1;
    options.max_upgrades_per_minute = 2;
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    struct server *s = started_server(&options);
    if (!s) return;
    /* A proxy in TCP mode passes on TLS: each of its clients has its own count. */
    struct other *proxies = new_other("NSWS_REVERSE_PROXIES"), *python = new_other("NSWS_PYTHON_CLIENT");
    int port = atoi(ask_other(proxies, "haproxy-tls %d", s->port));
    if (!CHECK(port != 0)) return;
    CHECK_STR(ask_other(python, "open a wss://127.0.0.1:%d/", port), "open -");
    const struct server_event *event = SERVER_WAIT(s, ON_CONNECT, 1);
    if (event) CHECK_STR(event->ip, "127.0.0.1");
    CHECK_STR(ask_other(python, "open b wss://127.0.0.1:%d/", port), "open -");
    CHECK_STR(ask_other(python, "open c wss://127.0.0.1:%d/", port), "refused 429");
    /* Banned: not even a handshake. */
    CHECK_CONTAINS(ask_other(python, "open d wss://127.0.0.1:%d/", port), "failed");
    CHECK_STR(ask_other(python, "ping a"), "pong");
}

static void options_of_proxies_are_checked(void) {
    struct server *s = new_server();
    nsws_server_options options = behind(NULL);
    static const char *const wrong[] = { "localhost", "10.0.0.0/33", "127.0.0.1;10.0.0.1", "*", "\xff" };
    for (int i = 0; i < 5; i++) {
        options.trusted_proxies = wrong[i];
        CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    }
    options.proxy_protocol = 1;
    static const char *const none[] = { NULL, "", " , " };
    for (int i = 0; i < 3; i++) {
        options.trusted_proxies = none[i];
        CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    }
    options.trusted_proxies = "::1";
    options.proxy_protocol = 2;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    options.proxy_protocol = 1;
    START(s, &options);
}

/* haproxy and nginx. */

static const struct {
    const char *kind;
    int proxy_protocol, tells_port;
} proxies_known[] = {
    { "haproxy", 0, 0 }, { "nginx", 0, 0 }, { "nginx-forwarded", 0, 0 },
    { "haproxy-send-proxy", 1, 1 }, { "haproxy-send-proxy-v2", 1, 1 }, { "haproxy-both", 1, 1 },
};

static void clients_come_through_haproxy_and_nginx_as_themselves(void) {
    for (size_t i = 0; i < sizeof proxies_known / sizeof *proxies_known; i++) {
        nsws_server_options options = behind("127.0.0.1");
        options.proxy_protocol = (uint8_t)proxies_known[i].proxy_protocol;
        options.max_connections_per_client = 1;
        struct server *s = started_server(&options);
        if (!s) return;
        s->echo = 1;
        struct other *proxies = new_other("NSWS_REVERSE_PROXIES");
        uint16_t port = (uint16_t)atoi(ask_other(proxies, "%s %d", proxies_known[i].kind, s->port));
        int one, same, other;
        char expected[64];
        struct frame frame;
        if (!CHECK(port != 0)) continue;
        if (strncmp(proxies_known[i].kind, "haproxy", 7) == 0)
            CHECK_STR(ask_other(proxies, "health %s", proxies_known[i].kind), "up");
        const char *lie = "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n";
        CHECK_INT(ask_from("127.0.0.7", port, "", lie, &one), 101);
        snprintf(expected, sizeof expected, "127.0.0.7:%d over 127.0.0.1", proxies_known[i].tells_port ? raw_port(one) : 0);
        CHECK_STR(who(s, 1), expected);
        raw_send(one, TEXT_FRAME, "hello", 5);
        CHECK(raw_receive(one, TEXT_FRAME, &frame) && frame.length == 5);
        CHECK_INT(ask_from("127.0.0.7", port, "", lie, &same), 503);
        CHECK_INT(ask_from("127.0.0.8", port, "", lie, &other), 101);
        int health = raw_connect_from("127.0.0.9", port);
        raw_say(health, "GET /healthz HTTP/1.1\r\n" RAW_HOST "\r\n");
        CHECK_INT(raw_status(health), 200);
        CHECK_OK(nsws_server_stop(s->handle));
        CHECK_INT(raw_close_code(one), 1001);
        close(one), close(same), close(other), close(health);
    }
}

int main(void) {
    RUN(a_client_is_who_trusted_proxies_say);
    RUN(nobody_else_is_believed);
    RUN(limits_and_bans_count_the_client_and_not_the_proxy);
    RUN(headers_of_the_proxy_protocol_name_the_client);
    RUN(headers_that_are_none_are_cut_and_others_can_not_send_any);
    RUN(a_client_that_sends_half_a_header_is_cut_when_the_handshake_s_time_is_over);
    RUN(over_tls_the_header_comes_first_and_its_client_counts);
    RUN(options_of_proxies_are_checked);
    RUN(clients_come_through_haproxy_and_nginx_as_themselves);
    return end_tests();
}
