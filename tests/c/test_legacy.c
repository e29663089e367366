/*
 * The defects of the implementation that this library replaces: one test for each, named after it.
 *
 *     test_legacy [ROUND_TRIPS [CLIENTS [DESTROYED]]]
 *
 * ROUND_TRIPS: how many messages C1 sends from an application thread (20000; the full measure is 1000000, and
 * then none may take more than a second). CLIENTS: how many connects C5 lets fail (1000). DESTROYED: how many
 * open clients C4 destroys (100; the full measure is 10000).
 */
#include "harness.h"

/* ASan keeps freed memory for a while, and so does valgrind: there the process grows. */
#ifdef __SANITIZE_ADDRESS__
enum { FREED_MEMORY_IS_KEPT = 1 };
#else
enum { FREED_MEMORY_IS_KEPT = 0 };
#endif

static int round_trips = 20000;
static int failed_connects = 1000;
static int destroyed_clients = 100;

/* C1: a message sent from an application thread stayed in the queue for seconds. */

static void raise_counter(nsws_client client, const nsws_message_event *event, void *user) {
    (void)client, (void)event;
    counter_add(user, 1);
}

static void c1_a_message_from_an_application_thread_is_never_left_waiting(void) {
    static struct counter answers;
    struct recorder *r = new_recorder();
    long long longest = 0, start = now_us();
    nsws_client client;
    counter_init(&answers);
    CHECK_OK(nsws_client_create(&client));
    CHECK_OK(nsws_client_on_message(client, raise_counter, &answers, NULL));
    CHECK_OK(nsws_client_connect(client, raw_url(r, "/echo"), NULL));
    int sent = 0, slow = 0;
    while (sent < round_trips) {
        long long begin = now_us();
        int32_t code = nsws_client_send_text(client, "there and back: 32 bytes of text", 32);
        if (sent == 0 && code == NSWS_ERR_NOT_CONNECTED && begin - start < guard_seconds() * 1000000LL) {
            sched_yield();
            continue;
        }
        if (!CHECK_OK(code) || !WAIT_COUNTER(&answers, ++sent)) break;
        long long took = now_us() - begin;
        if (took > longest) longest = took;
        if (took > 1000000) slow++;
    }
    printf("    %d round trips from an application thread, mean %lld us, longest %lld us, %d above 1 s\n", sent,
           (now_us() - start) / (sent ? sent : 1), longest, slow);
    CHECK_INT(sent, round_trips);
    if (round_trips > 20000) CHECK_INT(slow, 0);
    CHECK_OK(nsws_client_destroy(client));
    free_recorder(r);
}

/* C2: what was sent before open was stuck until something was sent after it. */

static void send_one_in_open(struct recorder *r, const struct event *event) {
    if (event->kind == OPEN) CHECK_OK(nsws_client_send_text(r->client, "0:", 2));
}

static void c2_nothing_is_queued_before_open_and_what_open_sends_goes_out(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/hold"), NULL));
    CHECK_CODE(nsws_client_send_text(r->client, "early", 5), NSWS_ERR_NOT_CONNECTED);
    WAIT_PEER(r->token, "connections", 1);
    CHECK_CODE(nsws_client_send_text(r->client, "early", 5), NSWS_ERR_NOT_CONNECTED);
    r->hook = send_one_in_open;
    release_peer(r->token);
    /* With no other send after it. */
    WAIT_PEER(r->token, "messages", 1);
    if (!WAIT(r, MESSAGE, 1)) return;
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "0:");
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 1);
    CHECK_INT(peer_number(r->token, "ordered"), 1);
}

/* C3: close dropped queued messages. */

static void c3_close_sends_what_was_queued_first(void) {
    enum { COUNT = 300, SIZE = 150000 }; /* more than the system's own buffers take */
    nsws_connect_options options = defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    options.send_queue_size = 64 << 20;
    struct recorder *r = OPEN_RAW("/stall", &options);
    nsws_client_stats stats;
    if (!r) return;
    char *data = letters(SIZE);
    for (int i = 0; i < COUNT; i++) {
        data[sprintf(data, "%d:", i)] = '.';
        if (!CHECK_OK(nsws_client_send_text(r->client, data, SIZE))) return;
    }
    CHECK_OK(nsws_client_close(r->client, 1000, "after all that"));
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_LEAST(stats.queued_bytes, 1);
    release_peer(r->token);
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK_INT(close->code, 1000);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "ordered"), COUNT);
    CHECK_INT(peer_number(r->token, "messages"), COUNT);
    CHECK_INT(peer_number(r->token, "close_code"), 1000);
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    CHECK_INT(stats.queued_bytes, 0);
    CHECK_INT(stats.messages_sent, COUNT);
    free(data);
}

/* C4: destroying an open client, at once or right after close, crashed. test_threads does it in every state. */

static void c4_an_open_client_may_be_destroyed_at_once_or_right_after_close(void) {
    static const char *const paths[] = { "/echo", "/flow/1000" };
    const char *const token = "c4";
    free(ask_peer("forget %s", token));
    for (int i = 0; i < destroyed_clients; i++) {
        struct recorder *r = new_client();
        if (!OPENS(r, raw_url_as(r, paths[i % 2], token), NULL)) return;
        CHECK_OK(nsws_client_send_text(r->client, "on its way", 10));
        if (i % 4 > 1) CHECK_OK(nsws_client_close(r->client, 1000, "bye"));
        destroy_client(r);
        size_t events = r->count;
        CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_BAD_HANDLE);
        CHECK_INT(r->count, events);
    }
    WAIT_PEER(token, "ended", destroyed_clients);
    CHECK_INT(peer_number(token, "upgrades"), destroyed_clients);
    CHECK_INT(peer_number(token, "messages"), destroyed_clients);
    CHECK_INT(peer_number(token, "close_frames"), destroyed_clients);
}

/* C5: a failed connect left a thread, three descriptors and 0.9 MB behind. */

static void c5_failed_connects_leave_nothing_behind(void) {
    int fd;
    struct recorder *r = new_client();
    const char *url = refused_url(r, &fd);
    size_t done = 0;
    /* What the first ones need is allocated once. */
    for (; done < 20; done++) {
        CHECK_OK(nsws_client_connect(r->client, url, NULL));
        if (!WAIT(r, ERROR, done + 1)) return;
    }
    int threads = count_threads(), fds = count_fds();
    long resident = resident_kib();
    for (int i = 0; i < failed_connects; i++) {
        /* One client again and again, and a new one each time. */
        nsws_client client;
        CHECK_OK(nsws_client_connect(r->client, url, NULL));
        CHECK_OK(nsws_client_create(&client));
        CHECK_OK(nsws_client_connect(client, url, NULL));
        if (!WAIT(r, ERROR, ++done)) return;
        CHECK_OK(nsws_client_destroy(client));
    }
    REACHES(count_threads, threads);
    REACHES(count_fds, fds);
    long more = resident_kib() - resident;
    printf("    %d refused connects: %d threads before, %d after; %d fds before, %d after; %ld KiB more\n",
           2 * failed_connects, threads, count_threads(), fds, count_fds(), more);
    /* The recorder's events are part of it. */
    if (slowness() == 1 && !FREED_MEMORY_IS_KEPT) CHECK_MOST(more, 2048 + failed_connects);
    close(fd);
}

/* C6: destroy while open returned success and changed nothing. */

static void c6_destroy_ends_the_connection_and_the_callbacks(void) {
    struct recorder *r = OPEN_RAW("/flow/100", NULL);
    if (!r || !WAIT(r, MESSAGE, 10)) return;
    int fds = count_fds();
    destroy_client(r);
    size_t events = r->count;
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
    REACHES(count_fds, fds - 1);
    CHECK_INT(r->count, events);
    CHECK_CODE(nsws_client_get_stats(r->client, &(nsws_client_stats){ 0 }, sizeof(nsws_client_stats)), NSWS_ERR_BAD_HANDLE);
}

/* C7: clients were never freed; headers came from one allocator and went to another. */

static void c7_clients_and_their_headers_are_freed(void) {
    enum { COUNT = 5000 };
    char *big = letters(2000);
    nsws_header headers[20];
    for (int i = 0; i < 20; i++) {
        headers[i].name = "X-Header";
        headers[i].value = big;
    }
    nsws_connect_options options = defaults();
    options.headers = headers;
    options.header_count = 20;
    int fd;
    struct recorder *r = new_client();
    const char *url = refused_url(r, &fd);
    long resident = 0;
    size_t failed = 0;
    for (int i = 0; i < COUNT + 500; i++) {
        nsws_client client;
        if (i % 100 == 0) {
            /* Attempts end in order: those of the clients before have ended, too. */
            CHECK_OK(nsws_client_connect(r->client, url, NULL));
            if (!WAIT(r, ERROR, ++failed)) return;
        }
        if (i == 500) resident = resident_kib();
        if (!CHECK_OK(nsws_client_create(&client))) return;
        CHECK_OK(nsws_client_on_message(client, raise_counter, letters(1000), free));
        if (i % 10 == 0) CHECK_OK(nsws_client_connect(client, url, &options));
        CHECK_OK(nsws_client_destroy(client));
    }
    long more = resident_kib() - resident;
    printf("    %d clients created and destroyed: %ld KiB more\n", COUNT, more);
    if (slowness() == 1 && !FREED_MEMORY_IS_KEPT) CHECK_MOST(more, 4096);
    free(big);
    close(fd);
    destroy_client(r);
}

/* C8: data races, ten of them in a session of 25 lines. Run under helgrind or TSan this shows them. */

struct shared {
    struct recorder *r;
    struct counter *unused;
    int number;
    int sent;
};

static void *use_the_client(void *data) {
    struct shared *shared = data;
    nsws_client client = shared->r->client;
    for (int i = 0; i < 500; i++) {
        nsws_client_stats stats;
        char text[32];
        int length = snprintf(text, sizeof text, "%d of %d", i, shared->number);
        shared->sent += CHECK_OK(nsws_client_send_text(client, text, (size_t)length));
        CHECK_OK(nsws_client_on_message(client, raise_counter, shared->unused, NULL));
        CHECK_OK(nsws_client_off_message(client, raise_counter, shared->unused));
        CHECK_OK(nsws_client_get_stats(client, &stats, sizeof stats));
        if (i % 100 == 0) CHECK_OK(nsws_client_ping(client, "p", 1));
        CHECK_CODE(nsws_client_connect(client, "ws://127.0.0.1:1/", NULL), NSWS_ERR_ALREADY_CONNECTED);
    }
    return NULL;
}

static void c8_many_threads_may_use_one_client(void) {
    enum { THREADS = 6 };
    static struct counter unused;
    counter_init(&unused);
    struct recorder *r = OPEN_RAW("/echo", NULL);
    struct shared shared[THREADS];
    pthread_t threads[THREADS];
    size_t sent = 0;
    if (!r) return;
    for (int i = 0; i < THREADS; i++) {
        shared[i] = (struct shared){ r, &unused, i, 0 };
        pthread_create(&threads[i], NULL, use_the_client, &shared[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sent += (size_t)shared[i].sent;
    }
    CHECK_INT(sent, THREADS * 500);
    if (!WAIT(r, DATA_END, sent)) return;
    /* Each thread's messages are in their order. */
    int next[THREADS] = { 0 };
    for (size_t i = 0; i < r->count; i++) {
        int at, number;
        if (r->events[i]->kind != MESSAGE) continue;
        if (!CHECK_INT(sscanf(r->events[i]->text, "%d of %d", &at, &number), 2)) return;
        if (!CHECK_INT(at, next[number]++)) return;
    }
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
}

/* C9: self-signed, unknown CA, wrong host name: all were accepted, even with another CA configured. */

static void c9_certificates_are_verified(void) {
    static const struct {
        const char *port, *ca;
        int32_t detail;
    } cases[] = {
        { "NSWS_WSS_SELF_SIGNED_LEAF_PORT", NULL, NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_SELF_SIGNED_LEAF_PORT", "ca", NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_UNKNOWN_CA_PORT", NULL, NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_UNKNOWN_CA_PORT", "ca", NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_WRONG_NAME_PORT", "ca", NSWS_DETAIL_CERT_NAME },
        { "NSWS_WSS_EXPIRED_PORT", "ca", NSWS_DETAIL_CERT_EXPIRED },
        { "NSWS_WSS_GOOD_PORT", "other-ca", NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_GOOD_PORT", NULL, NSWS_DETAIL_CERT_ISSUER },
        { "NSWS_WSS_GOOD_PORT", "ca", 0 },
        { "NSWS_WSS_SELF_SIGNED_PORT", "self-signed", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder *r = new_client();
        char ca[512];
        nsws_connect_options options = defaults();
        if (cases[i].ca) {
            snprintf(ca, sizeof ca, "%s/%s.pem", setting("NSWS_CERT_DIR"), cases[i].ca);
            options.ca_path = ca;
        }
        snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting(cases[i].port));
        if (cases[i].detail == 0) {
            OPENS(r, r->url, &options);
            continue;
        }
        CHECK_OK(nsws_client_connect(r->client, r->url, &options));
        const struct event *error = WAIT(r, ERROR, 1);
        if (!error) return;
        CHECK_INT(error->phase, NSWS_PHASE_TLS);
        if (!CHECK_INT(error->detail, cases[i].detail)) fprintf(stderr, "    %s: %s\n", cases[i].port, error->text);
        CHECK_STR(order(r), "error");
    }
}

/* C10: some failures gave no callback at all, a wrong scheme was opened, an unoffered extension accepted. */

static void c10_every_failed_attempt_is_told_of(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/redirect"), NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK_INT(error->http_status, 302);

    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting("NSWS_RAW_PORT"));
    CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
    error = WAIT(r, ERROR, 2);
    if (error) CHECK_INT(error->phase, NSWS_PHASE_TLS);

    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/extension"), NULL));
    error = WAIT(r, ERROR, 3);
    if (error) CHECK_INT(error->detail, NSWS_DETAIL_HANDSHAKE);

    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%s/echo", setting("NSWS_RAW_PORT"));
    CHECK_CODE(nsws_client_connect(r->client, r->url, NULL), NSWS_ERR_URL);
    CHECK_STR(order(r), "error error error");
}

/* C11: after close the client couldn't connect again; a close before connect poisoned it. */

static void c11_a_client_connects_again_after_close(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    for (size_t i = 1; i <= 10; i++) {
        if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
        CHECK_OK(nsws_client_send_text(r->client, "again", 5));
        if (!WAIT(r, DATA_END, i)) return;
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        const struct event *close = WAIT(r, CLOSE, i);
        if (!close) return;
        CHECK_INT(close->code, 1000);
        CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    }
    CHECK_INT(peer_number(r->token, "upgrades"), 10);
}

/* C12: invalid UTF-8 was delivered and sent; broken frames ended the connection without a close frame. */

static void c12_broken_frames_and_text_are_answered_with_a_close_frame(void) {
    static const struct {
        const char *path;
        int code;
    } cases[] = {
        { "/invalid-utf8", 1007 },      { "/rsv", 1002 }, { "/bad-opcode", 1002 }, { "/stray-continuation", 1002 },
        { "/invalid-utf8-fragmented", 1007 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recorder *r = OPEN_RAW(cases[i].path, NULL);
        if (!r || !WAIT(r, CLOSE, 1)) return;
        CHECK_STR(order(r), "header_receive open error close");
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "close_frames"), 1);
        CHECK_INT(peer_number(r->token, "close_code"), cases[i].code);
    }
    struct recorder *r = OPEN_RAW("/sink", NULL);
    if (!r) return;
    CHECK_CODE(nsws_client_send_text(r->client, "\xc3(", 2), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 0);
}

/* C13: the close callback didn't wait for the peer's close frame; long reasons were cut silently. */

static void c13_close_waits_for_the_peer_and_long_reasons_are_refused(void) {
    char reason[125];
    struct recorder *r = OPEN_RAW("/close-late", NULL);
    if (!r) return;
    memset(reason, 'r', 124);
    reason[124] = 0;
    CHECK_CODE(nsws_client_close(r->client, 1000, reason), NSWS_ERR_PARAMETER);
    reason[123] = 0;
    CHECK_OK(nsws_client_close(r->client, 1000, reason));
    WAIT_PEER(r->token, "close_frames", 1);
    CHECK_PEER_TEXT(r->token, "close_reason", reason);
    CHECK_INT(count_events(r, CLOSE), 0);
    /* The peer still has something to send, and answers then. */
    release_peer(r->token);
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_INT(close->code, 1000);
    CHECK_INT(close->was_clean, 1);
    CHECK_STR(close->text, reason);
    CHECK_INT(count_events(r, ERROR), 0);
}

int main(int argc, char **argv) {
    if (argc > 1) round_trips = atoi(argv[1]);
    if (argc > 2) failed_connects = atoi(argv[2]);
    if (argc > 3) destroyed_clients = atoi(argv[3]);
    RUN(c1_a_message_from_an_application_thread_is_never_left_waiting);
    RUN(c2_nothing_is_queued_before_open_and_what_open_sends_goes_out);
    RUN(c3_close_sends_what_was_queued_first);
    RUN(c4_an_open_client_may_be_destroyed_at_once_or_right_after_close);
    RUN(c5_failed_connects_leave_nothing_behind);
    RUN(c6_destroy_ends_the_connection_and_the_callbacks);
    RUN(c7_clients_and_their_headers_are_freed);
    RUN(c8_many_threads_may_use_one_client);
    RUN(c9_certificates_are_verified);
    RUN(c10_every_failed_attempt_is_told_of);
    RUN(c11_a_client_connects_again_after_close);
    RUN(c12_broken_frames_and_text_are_answered_with_a_close_frame);
    RUN(c13_close_waits_for_the_peer_and_long_reasons_are_refused);
    return end_tests();
}
