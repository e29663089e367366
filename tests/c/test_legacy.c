/* The defects of the system that this library replaces, C1 to C13: each has a test that it would fail. */
#include "harness.h"

static long c1_round_trips = 20000;

static int says_error_first(struct recorder *r, int32_t phase, int32_t detail) {
    const struct event *error = WAIT(r, ERROR, 1);
    return error != NULL && CHECK_INT(error->code, 200) && CHECK_INT(error->phase, phase) &&
           CHECK_INT(error->detail, detail);
}

/* Lost wake-up: a message from an application thread stayed in the queue for seconds. */
static void c1_a_send_from_an_application_thread_is_never_stuck(void) {
    long long longest = 0;
    long total = slowness() > 1 ? c1_round_trips / 20 : c1_round_trips;
    struct recorder *r = new_client();
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    for (long i = 1; i <= total; i++) {
        long long start = now_us();
        if (!CHECK_OK(nsws_client_send_text(r->client, "x", 1)) || !WAIT(r, MESSAGE, (size_t)i)) return;
        if (now_us() - start > longest) longest = now_us() - start;
    }
    printf("  %ld round trips, the longest %lld us\n", total, longest);
}

/* What was sent before open was stuck until something was sent after it: it is refused, and nothing is lost. */
static void c2_a_send_before_open_is_refused_and_not_stuck(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL));
    int32_t code = nsws_client_send_text(r->client, "early", 5);
    size_t accepted = code == NSWS_OK;
    if (!accepted) CHECK_CODE(code, NSWS_ERR_NOT_CONNECTED);
    if (!WAIT(r, OPEN, 1)) return;
    CHECK_OK(nsws_client_send_text(r->client, "after", 5));
    const struct event *message = WAIT(r, MESSAGE, 1 + accepted);
    if (message) CHECK_STR(message->text, "after");
    CHECK_INT(count_events(r, MESSAGE), 1 + accepted);
}

/* close dropped queued messages. */
static void c3_close_flushes_what_was_accepted(void) {
    enum { COUNT = 500, SIZE = 4000 };
    char *data = pattern(SIZE);
    struct recorder *r = OPEN_RAW("/sink", NULL);
    if (!r) return;
    for (int i = 0; i < COUNT; i++) CHECK_OK(nsws_client_send_binary(r->client, data, SIZE));
    CHECK_OK(nsws_client_close(r->client, 1000, "done"));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), COUNT);
    CHECK_INT(peer_number(r->token, "bytes"), (long long)COUNT * SIZE);
    free(data);
}

/* Destroying an open client, at once or right after close, crashed. */
static void c4_destroy_while_open_is_safe(void) {
    for (int i = 0; i < 50; i++) {
        struct recorder *open = OPEN_RAW("/flow/64", NULL), *closing = OPEN_RAW("/flow/64", NULL);
        if (!open || !closing) return;
        WAIT(open, MESSAGE, 1);
        destroy_client(open);
        CHECK_OK(nsws_client_close(closing->client, 1000, ""));
        destroy_client(closing);
        WAIT_PEER(open->token, "ended", 1);
        WAIT_PEER(closing->token, "ended", 1);
        CHECK_INT(peer_number(open->token, "upgrades"), 1);
        end_recorders();
    }
}

/* A failed connect left a thread, three descriptors and 0.9 MB behind. */
static void c5_failed_connects_leave_nothing_behind(void) {
    int fd, threads = 0, fds = 0;
    long memory = 0;
    for (int i = 0; i < 1100; i++) {
        if (i == 100) {
            threads = count_threads();
            fds = count_fds();
            memory = resident_kib();
        }
        struct recorder *r = new_client();
        CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), NULL));
        says_error_first(r, NSWS_PHASE_TCP, NSWS_DETAIL_REFUSED);
        close(fd);
        end_recorders();
    }
    REACHES(count_threads, threads);
    REACHES(count_fds, fds);
    if (slowness() == 1) CHECK_MOST(resident_kib() - memory, 1024);
}

/* destroy while open returned success and changed nothing. */
static void c6_destroy_ends_the_connection_and_its_callbacks(void) {
    struct recorder *r = OPEN_RAW("/flow/64", NULL);
    if (!r) return;
    WAIT(r, MESSAGE, 10);
    int fds = count_fds();
    destroy_client(r);
    size_t seen = count_events(r, MESSAGE);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
    CHECK_INT(count_events(r, MESSAGE), seen);
    CHECK_INT(count_events(r, CLOSE), 0);
    REACHES(count_fds, fds - 1);
}

/* Client objects were never freed. */
static void c7_clients_are_freed(void) {
    const nsws_header header = { "X-Header", "value" };
    nsws_connect_options options = defaults();
    options.headers = &header;
    options.header_count = 1;
    long memory = 0;
    for (int i = 0; i < 600; i++) {
        if (i == 200) memory = resident_kib();
        struct recorder *r = OPEN_RAW("/echo", &options);
        if (!r) return;
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        WAIT(r, CLOSE, 1);
        free(ask_peer("forget %s", r->token));
        end_recorders();
    }
    if (slowness() == 1) CHECK_MOST(resident_kib() - memory, 1024);
}

static void *sessions(void *unused) {
    (void)unused;
    for (int i = 0; i < 20; i++) {
        struct recorder *r = OPEN_RAW("/echo", NULL);
        if (!r) break;
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
        WAIT(r, MESSAGE, 1);
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        WAIT(r, CLOSE, 1);
    }
    return NULL;
}

/* Data races, ten in a session of 25 lines: ThreadSanitizer and valgrind read this one. */
static void c8_sessions_on_many_threads_at_once(void) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, sessions, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void c9_refused(const char *server, int32_t detail) {
    char name[64], ca[512];
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    snprintf(ca, sizeof ca, "%s/ca.pem", setting("NSWS_CERT_DIR"));
    options.ca_path = ca;
    snprintf(name, sizeof name, "NSWS_WSS_%s_PORT", server);
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting(name));
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    says_error_first(r, NSWS_PHASE_TLS, detail);
    CHECK_INT(count_events(r, OPEN), 0);
}

/* Self-signed, unknown CA, wrong host name: all were accepted. */
static void c9_a_server_that_can_not_be_trusted_is_refused(void) {
    c9_refused("SELF_SIGNED", NSWS_DETAIL_CERT_INVALID);
    c9_refused("SELF_SIGNED_LEAF", NSWS_DETAIL_CERT_ISSUER);
    c9_refused("UNKNOWN_CA", NSWS_DETAIL_CERT_ISSUER);
    c9_refused("WRONG_NAME", NSWS_DETAIL_CERT_NAME);
}

/* No callback at all for a redirect; http:// opened a WebSocket; extensions that were never offered. */
static void c10_every_wrong_answer_is_one_error(void) {
    struct recorder *redirect = new_client(), *extension = new_client(), *scheme = new_client();
    CHECK_OK(nsws_client_connect(redirect->client, raw_url(redirect, "/redirect"), NULL));
    if (says_error_first(redirect, NSWS_PHASE_HANDSHAKE, NSWS_DETAIL_HTTP_STATUS))
        CHECK_INT(WAIT(redirect, ERROR, 1)->http_status, 302);
    CHECK_OK(nsws_client_connect(extension->client, raw_url(extension, "/extension"), NULL));
    says_error_first(extension, NSWS_PHASE_HANDSHAKE, NSWS_DETAIL_HANDSHAKE);
    CHECK_CODE(nsws_client_connect(scheme->client, "http://127.0.0.1/", NULL), NSWS_ERR_URL);
}

/* After close the client could not connect again; a close before connect poisoned it. */
static void c11_a_client_connects_again(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    for (size_t i = 1; i <= 5; i++) {
        if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        WAIT(r, CLOSE, i);
    }
}

/* Invalid UTF-8 was delivered and sent; broken frames ended the connection without a close frame. */
static void c12_broken_input_is_refused_and_answered(void) {
    static const struct {
        const char *path;
        int code;
    } broken[] = { { "/invalid-utf8", 1007 }, { "/rsv", 1002 }, { "/bad-opcode", 1002 }, { "/stray-continuation", 1002 } };
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_CODE(nsws_client_send_text(r->client, "\xff\xfe", 2), NSWS_ERR_PARAMETER);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct recorder *victim = OPEN_RAW(broken[i].path, NULL);
        const struct event *close = victim ? WAIT(victim, CLOSE, 1) : NULL;
        if (!close) return;
        CHECK_INT(close->code, broken[i].code);
        CHECK_INT(count_events(victim, MESSAGE), 0);
        WAIT_PEER(victim->token, "ended", 1);
        CHECK_INT(peer_number(victim->token, "close_code"), broken[i].code);
    }
}

/* The close callback did not wait for the peer's frame; long reasons were cut. */
static void c13_close_waits_for_the_peer_and_refuses_long_reasons(void) {
    char *reason = letters(124);
    struct recorder *r = OPEN_RAW("/close-other/3456/mine", NULL);
    if (!r) return;
    CHECK_CODE(nsws_client_close(r->client, 1000, reason), NSWS_ERR_PARAMETER);
    reason[123] = 0;
    CHECK_OK(nsws_client_close(r->client, 1000, reason));
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_INT(close->code, 3456);
    CHECK_STR(close->text, "mine");
    CHECK_INT(close->was_clean, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_PEER_TEXT(r->token, "close_reason", reason);
    free(reason);
}

int main(int argc, char **argv) {
    if (argc > 1) c1_round_trips = atol(argv[1]);
    RUN(c1_a_send_from_an_application_thread_is_never_stuck);
    RUN(c2_a_send_before_open_is_refused_and_not_stuck);
    RUN(c3_close_flushes_what_was_accepted);
    RUN(c4_destroy_while_open_is_safe);
    RUN(c5_failed_connects_leave_nothing_behind);
    RUN(c6_destroy_ends_the_connection_and_its_callbacks);
    RUN(c7_clients_are_freed);
    RUN(c8_sessions_on_many_threads_at_once);
    RUN(c9_a_server_that_can_not_be_trusted_is_refused);
    RUN(c10_every_wrong_answer_is_one_error);
    RUN(c11_a_client_connects_again);
    RUN(c12_broken_input_is_refused_and_answered);
    RUN(c13_close_waits_for_the_peer_and_refuses_long_reasons);
    return end_tests();
}
