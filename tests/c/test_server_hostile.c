/* Clients that break the rules: in the opening handshake, in frames, by being slow or many. Each gets its answer or is cut off,
 * and a well-behaved client goes on all the while. */
#include "server.h"

#include <poll.h>
#include <sys/resource.h>

/* The well-behaved client: it sends back what the server sends back, without end. */

static void send_on(struct recorder *r, const struct event *event) {
    if (event->kind == MESSAGE) nsws_client_send_text(r->client, "x", 1);
}

struct witness {
    struct server *server;
    struct recorder *client;
};

static int witness_begins(struct witness *w, const nsws_server_options *options) {
    w->server = new_server();
    w->server->echo = 1;
    if (!START(w->server, options)) return 0;
    w->client = new_client();
    w->client->hook = send_on;
    nsws_connect_options client = defaults();
    char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d/", options && options->cert_path ? "wss" : "ws", w->server->port);
    client.ca_path = certificate_file("ca.pem");
    if (!OPENS(w->client, url, &client)) return 0;
    CHECK_OK(nsws_client_send_text(w->client->client, "x", 1));
    return WAIT(w->client, MESSAGE, 10) != NULL;
}

static int goes_on(const char *file, int line, struct witness *w) {
    return wait_event(file, line, w->client, MESSAGE, count_events(w->client, MESSAGE) + 10) != NULL;
}

/* Ten more round trips of the well-behaved client. */
#define GOES_ON(witness) goes_on(__FILE__, __LINE__, witness)

/* The opening handshake. */

static char *repeated(const char *line, int count) {
    size_t length = strlen(line);
    char *text = malloc(length * (size_t)count + 1);
    for (int i = 0; i < count; i++) memcpy(text + (size_t)i * length, line, length);
    text[length * (size_t)count] = 0;
    return text;
}

static char *request_with(const char *more) {
    char *request = NULL;
    if (asprintf(&request, "GET / HTTP/1.1\r\n" RAW_HOST "%s" RAW_UPGRADE "\r\n", more) < 0) abort();
    return request;
}

static void what_is_no_valid_upgrade_gets_its_answer(void) {
#define REST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    static const struct {
        int status;
        const char *request, *header;
    } cases[] = {
        { 426, "GET / HTTP/1.1\r\n" RAW_HOST "\r\n", "\r\nUpgrade: websocket\r\n" },
        { 426, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" REST, "" },
        { 426, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: close\r\n" REST, "" },
        { 426, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
          "\r\nSec-WebSocket-Version: 13\r\n" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\n\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: c2hvcnQ=\r\nSec-WebSocket-Version: 13\r\n\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Sec-WebSocket-Version: 13\r\n" RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST RAW_HOST RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.0\r\n" RAW_HOST RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/2.0\r\n" RAW_HOST RAW_UPGRADE "\r\n", "" },
        { 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "" },
        { 400, "GET /\r\n\r\n", "" },
        { 400, "GET / x HTTP/1.1\r\n" RAW_HOST RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Bad Name: x\r\n" RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "X: a\r\n folded\r\n" RAW_UPGRADE "\r\n", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Content-Length: 5\r\n" RAW_UPGRADE "\r\nhello", "" },
        { 400, "GET / HTTP/1.1\r\n" RAW_HOST "Transfer-Encoding: chunked\r\n" RAW_UPGRADE "\r\n", "" },
        { 405, "POST / HTTP/1.1\r\n" RAW_HOST RAW_UPGRADE "\r\n", "\r\nAllow: GET\r\n" },
        { 405, "HEAD / HTTP/1.1\r\n" RAW_HOST "\r\n", "" },
        { 405, "OPTIONS * HTTP/1.1\r\n" RAW_HOST "\r\n", "" },
        { 400, "\r\n\r\n", "" },
        { 400, "{\"json\": true}\n", "" },
        { 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "" }, /* TLS */
        { 400, "\x80\x80\x80\x80", "" },
    };
#undef REST
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = raw_connect(w.server), status = 0;
        raw_say(fd, cases[i].request);
        const char *head = raw_head(fd);
        sscanf(head, "HTTP/1.1 %d ", &status);
        if (status != cases[i].status)
            harness_fail(__FILE__, __LINE__, "\"%.200s\" gives %d, not %d", cases[i].request, status, cases[i].status);
        if (*cases[i].header) CHECK_CONTAINS(head, cases[i].header);
        CHECK_CONTAINS(head, "\r\nConnection: close\r\n");
        CHECK_CONTAINS(head, "\r\nContent-Length: ");
        CHECK(raw_ends(fd));
        close(fd);
        GOES_ON(&w);
    }
    /* None of them became a client. */
    CHECK_INT(server_count(w.server, ON_CONNECT), 1);
    CHECK_INT(server_count(w.server, ON_ERROR), 0);
}

static void a_head_that_is_too_large_gets_431_and_no_memory(void) {
    static const struct {
        const char *line;
        int count;
        int status;
    } cases[] = {
        { "X-A: b\r\n", 10000, 431 }, /* 10,000 headers */
        { "X-A: b\r\n", 200, 431 },   /* a short head, but many */
        { "X-A: b\r\n", 100, 101 },
        { "X", 100000, 431 },         /* 100 kB without a line's end */
        { "X", 30000, 426 },          /* it fits, and hides the Upgrade */
    };
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *more = repeated(cases[i].line, cases[i].count), *request = request_with(more);
        int fd = raw_connect(w.server);
        raw_say(fd, request);
        CHECK_INT(raw_status(fd), cases[i].status);
        if (cases[i].status != 101) CHECK(raw_ends(fd));
        close(fd);
        free(request);
        free(more);
        GOES_ON(&w);
    }
    /* A path alone, and a head that never ends, while the client goes on writing until the test stops it. */
    int fd = raw_connect(w.server);
    char *letters_ = letters(4096);
    raw_say(fd, "GET /");
    size_t sent = 0;
    struct pollfd answer = { fd, POLLIN, 0 };
    while (sent < (1 << 20) && poll(&answer, 1, 0) == 0 && raw_write(fd, letters_, 4096)) sent += 4096;
    CHECK_INT(raw_status(fd), 431);
    close(fd);
    free(letters_);
    GOES_ON(&w);
}

static void the_slow_are_cut_after_the_handshake_timeout(void) {
    struct witness w;
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = 1500;
    if (!witness_begins(&w, &options)) return;
    /* Slow-loris: byte by byte, without an end. Silent: no byte at all. Half: half a request line. */
    int loris = raw_connect(w.server), silent = raw_connect(w.server), half = raw_connect(w.server);
    raw_say(half, "GET /pa");
    const char *request = RAW_REQUEST;
    struct pollfd end = { loris, POLLIN | POLLRDHUP, 0 };
    size_t sent = 0;
    while (sent < strlen(request) - 4 && poll(&end, 1, 25) == 0 && raw_write(loris, request + sent, 1)) sent++;
    CHECK(raw_ends(loris));
    CHECK_MOST(sent, strlen(request) - 5);
    CHECK(raw_ends(silent));
    CHECK(raw_ends(half));
    GOES_ON(&w);
    close(loris);
    close(silent);
    close(half);
    /* One byte after the other is fine when it is quick. */
    int fd = raw_connect(w.server);
    for (const char *byte = request; *byte; byte++) raw_write(fd, byte, 1);
    int status = raw_status(fd);
    CHECK(status == 101 || slowness() > 1);
    close(fd);
}

static void many_who_dawdle_lose_to_those_who_do_not(void) {
    enum { MANY = 300, BOUND = 128 };
    struct witness w;
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = UINT32_MAX;
    if (!witness_begins(&w, &options)) return;
    static int fds[MANY];
    for (int i = 0; i < MANY; i++) fds[i] = raw_connect(w.server);
    /* The oldest are cut off, and only as many as the bound are left. */
    for (int i = 0; i < MANY - BOUND; i++) CHECK(raw_ends(fds[i]));
    int all_read;
    BECOMES(accepted_sockets(w.server->port, &all_read), BOUND + 1);
    /* The newest, and those that come now, are served. */
    raw_say(fds[MANY - 1], RAW_REQUEST);
    CHECK_INT(raw_status(fds[MANY - 1]), 101);
    int fd = RAW_OPEN(w.server);
    GOES_ON(&w);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    close(fd);
}

/* Called wherever the library logs: it may call the library, even to stop the server that so many clients connect to. */
static struct server *logged;
static struct counter stops;

static void stop_when_one_is_cut(int32_t level, const char *line, void *user) {
    (void)level, (void)user;
    if (strstr(line, "too many handshakes") == NULL || counter_value(&stops) > 0) return;
    CHECK_OK(nsws_server_stop(logged->handle));
    counter_add(&stops, 1);
}

/* Whether the links of all clients of a server that was stopped are closed. When a listening socket is closed, Linux now and then
 * says nothing to a client that waits to be accepted: a byte from the client gets the answer. */
static void check_let_go(const int *fds, int count) {
    for (int i = 0; i < count; i++) {
        if (fds[i] < 0) continue;
        raw_say(fds[i], "G");
        CHECK(raw_ends(fds[i]));
        close(fds[i]);
    }
}

static void a_log_callback_may_stop_the_server(void) {
    enum { MANY = 150 };
    static int fds[MANY];
    logged = started_server(NULL);
    counter_init(&stops);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_INFO, stop_when_one_is_cut, NULL, NULL));
    for (int i = 0; i < MANY; i++) fds[i] = raw_connect(logged);
    WAIT_COUNTER(&stops, 1);
    check_let_go(fds, MANY);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    CHECK_INT(raw_connect(logged), -1);
}

static void *stop_it(void *server) {
    CHECK_OK(nsws_server_stop(((struct server *)server)->handle));
    return NULL;
}

static void a_client_that_comes_in_the_moment_of_the_stop_is_let_go(void) {
    enum { MANY = 50 };
    int rounds = slowness() > 1 ? 3 : 100;
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = UINT32_MAX;
    for (int round = 0; round < rounds; round++) {
        int fds[MANY];
        pthread_t stopper;
        struct server *s = started_server(&options);
        for (int i = 0; i < MANY; i++) {
            fds[i] = raw_connect(s);
            if (i == round % MANY) pthread_create(&stopper, NULL, stop_it, s);
        }
        pthread_join(stopper, NULL);
        check_let_go(fds, MANY);
        destroy_server(s);
    }
}

/* TLS. */

static void tls_that_is_none_ends(void) {
    struct witness w;
    nsws_server_options options = server_defaults();
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    options.handshake_timeout_ms = 2000 + 200 * (uint32_t)slowness();
    if (!witness_begins(&w, &options)) return;
    /* Plain text; a record of a wrong version; one that is too long; a ClientHello of nonsense. */
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        { RAW_REQUEST, sizeof RAW_REQUEST - 1 },
        { "\x16\x09\x09\x00\x05hello", 10 },
        { "\x16\x03\x01\xff\xff", 5 },
        { "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10 },
        { "\x17\x03\x03\x00\x05hello", 10 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = raw_connect(w.server);
        raw_write(fd, cases[i].bytes, cases[i].length);
        CHECK(raw_ends(fd));
        close(fd);
        GOES_ON(&w);
    }
    /* The server waits for half a record, but not forever. */
    int fd = raw_connect(w.server);
    raw_write(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    GOES_ON(&w);
    CHECK(raw_ends(fd));
    close(fd);
    CHECK_INT(server_count(w.server, ON_CONNECT), 1);
}

static void tls_at_a_plain_port_gets_an_answer(void) {
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    for (int i = 0; i < OTHER_CLIENTS; i++)
        CHECK_CONTAINS(ask_other(new_other(other_clients[i]), "open a wss://127.0.0.1:%d/", w.server->port), "failed");
    GOES_ON(&w);
}

/* Frames. */

static void frames_that_break_the_rules_are_answered_with_their_code(void) {
    static const struct {
        int code;
        const char *bytes;
        size_t length;
        int32_t detail;
    } cases[] = {
        { 1002, "\x81\x01x", 3, NSWS_DETAIL_PROTOCOL },                             /* not masked */
        { 1002, "\xc1\x81\0\0\0\0x", 7, NSWS_DETAIL_PROTOCOL },                     /* RSV1 */
        { 1002, "\xa1\x81\0\0\0\0x", 7, NSWS_DETAIL_PROTOCOL },                     /* RSV2 */
        { 1002, "\x83\x80\0\0\0\0", 6, NSWS_DETAIL_PROTOCOL },                      /* a reserved opcode */
        { 1002, "\x8b\x80\0\0\0\0", 6, NSWS_DETAIL_PROTOCOL },                      /* a reserved control opcode */
        { 1002, "\x80\x80\0\0\0\0", 6, NSWS_DETAIL_PROTOCOL },                      /* a continuation of nothing */
        { 1002, "\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 12, NSWS_DETAIL_PROTOCOL },     /* a message inside another */
        { 1002, "\x09\x80\0\0\0\0", 6, NSWS_DETAIL_PROTOCOL },                      /* a ping in fragments */
        { 1002, "\x88\x81\0\0\0\0\x03", 7, NSWS_DETAIL_PROTOCOL },                  /* half a close code */
        { 1002, "\x88\x82\0\0\0\0\x03\xed", 8, NSWS_DETAIL_PROTOCOL },              /* 1005 on the wire */
        { 1002, "\x88\x82\0\0\0\0\x00\x00", 8, NSWS_DETAIL_PROTOCOL },              /* close code 0 */
        { 1007, "\x81\x82\0\0\0\0\xc3(", 8, NSWS_DETAIL_INVALID_UTF8 },             /* text that is not UTF-8 */
        { 1007, "\x01\x81\0\0\0\0\xff", 7, NSWS_DETAIL_INVALID_UTF8 },              /* the same, in the first fragment */
        { 1009, "\x82\xff\x00\x00\x00\x00\x40\x00\x00\x00\0\0\0\0", 14, NSWS_DETAIL_MESSAGE_TOO_BIG }, /* 1 GiB is to come */
        { 1009, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, NSWS_DETAIL_MESSAGE_TOO_BIG }, /* all there is */
    };
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = RAW_OPEN(w.server);
        const struct server_event *connect = SERVER_WAIT(w.server, ON_CONNECT, i + 2);
        if (!connect) return;
        raw_write(fd, cases[i].bytes, cases[i].length);
        int code = raw_close_code(fd);
        if (code != cases[i].code) harness_fail(__FILE__, __LINE__, "case %ld is closed with %d, not %d", (long)i, code, cases[i].code);
        shutdown(fd, SHUT_WR);
        CHECK(raw_ends(fd));
        close(fd);
        const struct server_event *error = SERVER_WAIT_OF(w.server, connect->connection, ON_ERROR, 1);
        const struct server_event *end = SERVER_WAIT_OF(w.server, connect->connection, ON_CLOSE, 1);
        if (error && error->detail != cases[i].detail)
            harness_fail(__FILE__, __LINE__, "case %ld is %s", (long)i, nsws_error_name(error->detail));
        if (end) CHECK_INT(end->code, cases[i].code);
        CHECK_STR(server_order(w.server, connect->connection), "connect error close");
        GOES_ON(&w);
    }
}

/* It reads none of the pongs, which the server would have to keep. */
static void a_flood_of_pings_costs_no_memory_and_delays_nobody(void) {
    enum { PINGS = 1000, ROUNDS = 300 };
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    raw_room = 4096;
    int fd = RAW_OPEN(w.server);
    raw_room = 0;
    unsigned char frame[FRAME_ROOM + 125];
    char payload[125];
    memset(payload, 'p', sizeof payload);
    size_t size = raw_frame(frame, PING_FRAME, payload, sizeof payload);
    char *pings = malloc(size * PINGS);
    for (size_t i = 0; i < PINGS; i++) memcpy(pings + i * size, frame, size);
    int rounds = ROUNDS / slowness();
    long before = resident_kib();
    for (int i = 0; i < rounds; i++)
        if (!CHECK(raw_write(fd, pings, size * PINGS))) break;
    GOES_ON(&w);
    /* 39 MB of pings: what is kept of them is bounded. */
    if (slowness() == 1 && MEMORY_COUNTS) CHECK_MOST(resident_kib() - before, 12 << 10);
    /* It can still talk, and read what it hadn't read: the pong for its last ping is there. */
    raw_send(fd, PING_FRAME, "last", 4);
    raw_send(fd, TEXT_FRAME, "x", 1);
    struct frame got;
    do if (!CHECK(raw_receive(fd, 0, &got))) break;
    while (got.length != 4);
    CHECK(got.first == PONG_FRAME && memcmp(got.data, "last", 4) == 0);
    CHECK(raw_receive(fd, TEXT_FRAME, &got));
    close(fd);
    free(pings);
}

/* Out of descriptors. */

static void without_descriptors_clients_wait_and_the_program_hears_of_it(void) {
    struct rlimit usual, low;
    struct witness w;
    if (!witness_begins(&w, NULL)) return;
    struct other *python = new_other("NSWS_PYTHON_CLIENT");
    CHECK_STR(ask_other(python, "open a ws://127.0.0.1:%d/", w.server->port), "open -");
    getrlimit(RLIMIT_NOFILE, &usual);
    low = usual;
    low.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &low);
    tell(python, "open b ws://127.0.0.1:%d/", w.server->port);
    const struct server_event *error = SERVER_WAIT(w.server, ON_ERROR, 1);
    if (error) CHECK(error->connection.id == 0 && error->os_error == EMFILE && error->phase == NSWS_PHASE_TCP);
    GOES_ON(&w);
    setrlimit(RLIMIT_NOFILE, &usual);
    CHECK_STR(take_answer(python), "open -");
    CHECK_STR(ask_other(python, "echo b text 5"), "same");
    /* It was reported once. */
    CHECK_INT(server_count(w.server, ON_ERROR), 1);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(what_is_no_valid_upgrade_gets_its_answer);
    RUN(a_head_that_is_too_large_gets_431_and_no_memory);
    RUN(the_slow_are_cut_after_the_handshake_timeout);
    RUN(many_who_dawdle_lose_to_those_who_do_not);
    RUN(a_log_callback_may_stop_the_server);
    RUN(a_client_that_comes_in_the_moment_of_the_stop_is_let_go);
    RUN(tls_that_is_none_ends);
    RUN(tls_at_a_plain_port_gets_an_answer);
    RUN(frames_that_break_the_rules_are_answered_with_their_code);
    RUN(a_flood_of_pings_costs_no_memory_and_delays_nobody);
    /* valgrind accepts such a client and hangs up. */
    if (slowness() == 1) RUN(without_descriptors_clients_wait_and_the_program_hears_of_it);
    return end_tests();
}
