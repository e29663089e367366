/* What a server says over HTTP: health checks, the program's answers, headers in every answer. */
#include "server.h"

/* The answer's head and body; "" when the link ends before. */
static const char *answer_to(struct server *s, const char *request) {
    static char answer[131072];
    int fd = raw_connect(s);
    size_t length = 0;
    ssize_t count;
    raw_say(fd, request);
    while (length < sizeof answer - 1 && (count = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0) length += (size_t)count;
    answer[length] = 0;
    close(fd);
    return answer;
}

#define PLAIN(method, path) method " " path " HTTP/1.1\r\n" RAW_HOST "\r\n"

static void a_health_check_gets_200_and_counts_for_nothing(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.health_path = "/healthz";
    options.max_upgrades_per_minute = options.max_connections_per_client = 1;
    if (!START(s, &options)) return;
    int kept = RAW_OPEN(s);
    for (int i = 0; i < 20; i++) {
        const char *answer = answer_to(s, PLAIN("GET", "/healthz?probe=1"));
        CHECK_CONTAINS(answer, "HTTP/1.1 200 OK\r\n");
        CHECK_CONTAINS(answer, "\r\nContent-Length: 3\r\n");
        CHECK_CONTAINS(answer, "\r\nConnection: close\r\n");
        if (!CHECK_CONTAINS(answer, "\r\n\r\nOK\n")) break;
    }
    const char *head = answer_to(s, PLAIN("HEAD", "/healthz"));
    CHECK_CONTAINS(head, "HTTP/1.1 200 OK\r\n");
    CHECK_STR(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    /* As proxies ask that speak HTTP/1.0. */
    CHECK_CONTAINS(answer_to(s, "GET /healthz HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/other")), "HTTP/1.1 426 ");
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/healthz/")), "HTTP/1.1 426 ");
    CHECK_CONTAINS(answer_to(s, PLAIN("POST", "/healthz")), "HTTP/1.1 405 ");
    CHECK_CONTAINS(answer_to(s, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 ");
    CHECK_INT(server_count(s, ON_CONNECT), 1);
    close(kept);
}

static void an_upgrade_of_the_health_path_is_an_upgrade(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.health_path = "/";
    if (!START(s, &options)) return;
    int fd = RAW_OPEN(s);
    SERVER_WAIT(s, ON_CONNECT, 1);
    close(fd);
}

static void members_that_an_older_program_does_not_know_are_not_read(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.health_path = "no path";
    options.response_header_count = 7;
    options.trusted_proxies = "nobody";
    options.client_ca_path = "/nowhere/ca.pem";
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    options.struct_size = offsetof(nsws_server_options, health_path);
    if (!START(s, &options)) return;
    int fd = RAW_OPEN(s);
    const struct server_event *event = SERVER_WAIT(s, ON_CONNECT, 1);
    nsws_connection_info info;
    memset(&info, 7, sizeof info);
    CHECK_OK(nsws_connection_get_info(event->connection, &info, offsetof(nsws_connection_info, link_ip)));
    CHECK_INT(info.link_ip[0], 7);
    close(fd);
}

static void what_is_no_path_is_refused(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    static const char *const wrong[] = { "healthz", "/a?b", "/a#b", "/a b", "/a\r\nX: y", "/\xc3\xa4", "\xff" };
    for (int i = 0; i < 7; i++) {
        options.health_path = wrong[i];
        CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    }
    options.health_path = "";
    START(s, &options);
}

/* The hook. */

static struct {
    struct counter asked, freed;
    char method[32], path[64], ip[64], header[64];
    size_t struct_size;
    uint16_t port;
} seen;

static void answers(nsws_server server, const nsws_http_request *request, nsws_http_answer *answer, void *user) {
    (void)server, (void)user;
    seen.struct_size = request->struct_size;
    snprintf(seen.method, sizeof seen.method, "%s", request->method);
    snprintf(seen.path, sizeof seen.path, "%s", request->path);
    snprintf(seen.ip, sizeof seen.ip, "%s", request->client_ip);
    seen.port = request->client_port;
    seen.header[0] = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, "x-probe") == 0)
            snprintf(seen.header, sizeof seen.header, "%s", request->headers[i].value);
    counter_add(&seen.asked, 1);
    if (strcmp(request->path, "/page") == 0) {
        nsws_header headers[] = { { "Content-Type", "text/html" }, { "Cache-Control", "no-store" } };
        CHECK_OK(nsws_http_answer_set(answer, 200, headers, 2, "<p>hello</p>", 12));
    } else if (strcmp(request->path, "/moved") == 0) {
        nsws_header header = { "Location", "https://example.com/" };
        CHECK_OK(nsws_http_answer_set(answer, 301, &header, 1, NULL, 0));
    } else if (strcmp(request->path, "/wrong") == 0) {
        static char large[65537];
        static const nsws_header wrong[] = {
            { "X", "a\r\nSet-Cookie: b" }, { "X\r\nY", "a" }, { "X", "a\nb" }, { "", "a" }, { "X y", "a" }, { "X", "\x01" },
            { "Content-Length", "1" }, { "Transfer-Encoding", "chunked" }, { "Connection", "keep-alive" }, { "Upgrade", "websocket" },
            { NULL, "a" }, { "X", NULL }, { "X", "\xff" },
        };
        memset(large, 'x', sizeof large);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            CHECK_CODE(nsws_http_answer_set(answer, 200, &wrong[i], 1, "x", 1), NSWS_ERR_PARAMETER);
        static const uint16_t statuses[] = { 0, 100, 101, 199, 600, 65535 };
        for (size_t i = 0; i < 6; i++) CHECK_CODE(nsws_http_answer_set(answer, statuses[i], NULL, 0, NULL, 0), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_http_answer_set(answer, 200, NULL, 1, NULL, 0), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_http_answer_set(answer, 200, NULL, 0, NULL, 1), NSWS_ERR_PARAMETER);
        static const uint16_t empty[] = { 204, 205, 304 };
        for (size_t i = 0; i < 3; i++) CHECK_CODE(nsws_http_answer_set(answer, empty[i], NULL, 0, "x", 1), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_http_answer_set(answer, 200, NULL, 0, large, sizeof large), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_http_answer_set(NULL, 200, NULL, 0, NULL, 0), NSWS_ERR_PARAMETER);
        CHECK_OK(nsws_http_answer_set(answer, 200, NULL, 0, large, 65536));
    }
}

static void hook_freed(void *user) {
    (void)user;
    counter_add(&seen.freed, 1);
}

static struct server *server_that_answers(const nsws_server_options *options) {
    struct server *s = new_server();
    memset(&seen, 0, sizeof seen);
    counter_init(&seen.asked);
    counter_init(&seen.freed);
    CHECK_OK(nsws_server_set_http_hook(s->handle, answers, NULL, hook_freed));
    return START(s, options) ? s : NULL;
}

static void the_program_answers_what_is_no_upgrade(void) {
    struct server *s = server_that_answers(NULL);
    if (!s) return;
    const char *page = answer_to(s, "GET /page HTTP/1.1\r\n" RAW_HOST "X-Probe: yes\r\n\r\n");
    CHECK_STR(page,
              "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nContent-Length: 12\r\n"
              "Connection: close\r\n\r\n<p>hello</p>");
    CHECK_LEAST(seen.struct_size, sizeof(nsws_http_request));
    CHECK_STR(seen.method, "GET");
    CHECK_STR(seen.path, "/page");
    CHECK_STR(seen.ip, "127.0.0.1");
    CHECK_STR(seen.header, "yes");
    CHECK(seen.port != 0);
    CHECK_CONTAINS(answer_to(s, "POST /moved HTTP/1.1\r\n" RAW_HOST "Content-Length: 5\r\n\r\nhello"),
                   "HTTP/1.1 301 Moved Permanently\r\nLocation: https://example.com/\r\n");
    CHECK_STR(seen.method, "POST");
    /* What it doesn't answer is refused as ever. */
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/")), "HTTP/1.1 426 ");
    CHECK_CONTAINS(answer_to(s, PLAIN("PUT", "/")), "HTTP/1.1 405 ");
    CHECK_INT(counter_value(&seen.asked), 4);
    /* Upgrades, valid or not, and what is no HTTP are not its business. */
    int fd = RAW_OPEN(s);
    close(fd);
    CHECK_CONTAINS(answer_to(s, "GET /page HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "HTTP/1.1 400 ");
    CHECK_CONTAINS(answer_to(s, "GET /page HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 ");
    CHECK_CONTAINS(answer_to(s, "\x16\x03\x01"), "HTTP/1.1 400 ");
    CHECK_INT(counter_value(&seen.asked), 4);
    CHECK_OK(nsws_server_set_http_hook(s->handle, NULL, NULL, NULL));
    WAIT_COUNTER(&seen.freed, 1);
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/page")), "HTTP/1.1 426 ");
    CHECK_INT(counter_value(&seen.asked), 4);
}

static void answers_that_would_break_http_are_refused(void) {
    struct server *s = server_that_answers(NULL);
    if (!s) return;
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/wrong")), "\r\nContent-Length: 65536\r\n");
    nsws_server gone = s->handle;
    destroy_server(s);
    WAIT_COUNTER(&seen.freed, 1);
    CHECK_CODE(nsws_server_set_http_hook(gone, answers, NULL, hook_freed), NSWS_ERR_BAD_HANDLE);
    CHECK_INT(counter_value(&seen.freed), 1);
}

static struct gate held;

static void hold(struct server *s, const struct server_event *event) {
    (void)s;
    if (event->kind == ON_CONNECT) gate_pass(&held);
}

static void the_hook_is_asked_in_turn_with_the_listeners_and_health_checks_wait_for_nothing(void) {
    nsws_server_options options = server_defaults();
    options.health_path = "/healthz";
    struct server *s = server_that_answers(&options);
    if (!s) return;
    gate_init(&held);
    s->hook = hold;
    int kept = RAW_OPEN(s), asking = raw_connect(s);
    WAIT_WAITING(&held, 1);
    raw_say(asking, PLAIN("GET", "/page"));
    CHECK_CONTAINS(answer_to(s, PLAIN("GET", "/healthz")), "HTTP/1.1 200 OK\r\n");
    CHECK_INT(counter_value(&seen.asked), 0);
    gate_open(&held);
    CHECK_INT(raw_status(asking), 200);
    CHECK_INT(counter_value(&seen.asked), 1);
    close(asking);
    close(kept);
}

/* Headers in every answer. */

static void every_answer_has_the_program_s_headers(void) {
    nsws_header headers[] = { { "Server", "tv/1.0" }, { "Strict-Transport-Security", "max-age=63072000" } };
    nsws_server_options options = server_defaults();
    options.response_headers = headers;
    options.response_header_count = 2;
    options.health_path = "/healthz";
    options.max_connections_per_client = 1;
    struct server *s = server_that_answers(&options);
    if (!s) return;
    headers[0].value = "changed afterwards";
    static const char *const requests[] = {
        RAW_REQUEST, RAW_REQUEST, PLAIN("GET", "/healthz"), PLAIN("GET", "/page"), PLAIN("PUT", "/"), "\x16",
    };
    static const char *const statuses[] = { "101 ", "503 ", "200 ", "200 ", "405 ", "400 " };
    int fds[6];
    for (int i = 0; i < 6; i++) {
        fds[i] = raw_connect(s);
        raw_say(fds[i], requests[i]);
        const char *head = raw_head(fds[i]);
        CHECK_CONTAINS(head, statuses[i]);
        CHECK_CONTAINS(head, "\r\nServer: tv/1.0\r\n");
        CHECK_CONTAINS(head, "\r\nStrict-Transport-Security: max-age=63072000\r\n");
    }
    raw_send(fds[0], TEXT_FRAME, "x", 1);
    SERVER_WAIT(s, ON_MESSAGE, 1);
    for (int i = 0; i < 6; i++) close(fds[i]);
}

static void headers_that_would_break_an_answer_are_refused(void) {
    static const nsws_header wrong[] = {
        { "X", "a\r\nSet-Cookie: b" }, { "X\r\nY", "a" }, { "X", "a\nb" }, { "X", "a\rb" }, { "", "a" }, { "X y", "a" },
        { "X:", "a" }, { "X", "\x7f" }, { "Upgrade", "h2c" }, { "connection", "close" }, { "Sec-WebSocket-Accept", "x" },
        { "Sec-WebSocket-Protocol", "chat" }, { "Sec-WebSocket-Extensions", "x" }, { "Content-Length", "5" },
        { "Content-Type", "text/html" }, { "Content-Encoding", "gzip" }, { "content-range", "bytes 0-1/2" },
        { "Transfer-Encoding", "chunked" }, { NULL, "a" }, { "X", NULL }, { "X", "\xff" },
    };
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.response_header_count = 1;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.response_headers = &wrong[i];
        CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    }
    /* No secret is told. */
    static const nsws_header secret = { "X", "hunter2\r\n" };
    options.response_headers = &secret;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    CHECK_LACKS(nsws_last_error(), "hunter2");
}

int main(void) {
    RUN(a_health_check_gets_200_and_counts_for_nothing);
    RUN(an_upgrade_of_the_health_path_is_an_upgrade);
    RUN(members_that_an_older_program_does_not_know_are_not_read);
    RUN(what_is_no_path_is_refused);
    RUN(the_program_answers_what_is_no_upgrade);
    RUN(answers_that_would_break_http_are_refused);
    RUN(the_hook_is_asked_in_turn_with_the_listeners_and_health_checks_wait_for_nothing);
    RUN(every_answer_has_the_program_s_headers);
    RUN(headers_that_would_break_an_answer_are_refused);
    return end_tests();
}
