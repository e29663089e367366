/* How connections end: which codes and reasons may be sent, what is flushed, what is reported. */
#include "harness.h"

static const struct event *closed(const char *file, int line, struct recorder *r, size_t nth, int code, const char *reason,
                                  int was_clean) {
    const struct event *event = wait_event(file, line, r, CLOSE, nth);
    if (event == NULL) return NULL;
    check_int(file, line, "the close code", event->code, code);
    check_str(file, line, "the close reason", event->text, reason);
    check_int(file, line, "was_clean", event->was_clean, was_clean);
    return event;
}

#define CLOSED(recorder, nth, code, reason, was_clean) closed(__FILE__, __LINE__, recorder, nth, code, reason, was_clean)

/* Codes and reasons. */

static int may_be_sent(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static void a_program_may_send_these_codes_and_no_others(void) {
    struct recorder *r = new_client();
    for (int code = 0; code <= 65535; code++) {
        int32_t expected = may_be_sent(code) ? NSWS_ERR_NOT_CONNECTED : NSWS_ERR_PARAMETER;
        int32_t actual = nsws_client_close(r->client, (uint16_t)code, "");
        if (actual != expected) harness_fail(__FILE__, __LINE__, "code %d gives %s", code, nsws_error_name(actual));
    }
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    for (int code = 0; code <= 65535; code++)
        if (!may_be_sent(code) && !CHECK_CODE(nsws_client_close(r->client, (uint16_t)code, ""), NSWS_ERR_PARAMETER)) return;
    /* None of them closed anything. */
    CHECK_OK(nsws_client_send_text(r->client, "open", 4));
    WAIT(r, MESSAGE, 1);
    CHECK_OK(nsws_client_close(r->client, 4999, ""));
    CLOSED(r, 1, 4999, "", 1);
}

static void the_peer_gets_the_code_and_the_reason(void) {
    static const uint16_t codes[] = {
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct recorder *r = OPEN_RAW("/echo", NULL);
        char reason[32];
        if (!r) return;
        snprintf(reason, sizeof reason, "because %d", codes[i]);
        CHECK_OK(nsws_client_close(r->client, codes[i], reason));
        CLOSED(r, 1, codes[i], reason, 1);
        CHECK_STR(order(r), "header_receive open close");
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "close_code"), codes[i]);
        CHECK_INT(peer_number(r->token, "close_frames"), 1);
        CHECK_PEER_TEXT(r->token, "close_reason", reason);
    }
}

static void python_and_node_agree(void) {
    const char *const urls[] = { setting("NSWS_ECHO_URL"), setting("NSWS_NODE_URL") };
    for (int i = 0; i < 2; i++) {
        struct recorder *r = new_client();
        if (!OPENS(r, urls[i], NULL)) return;
        CHECK_OK(nsws_client_close(r->client, 3001, "good night"));
        CLOSED(r, 1, 3001, "good night", 1);

        r = new_client();
        snprintf(r->url, sizeof r->url, "%sclose/4001/bye", urls[i]);
        if (!OPENS(r, r->url, NULL)) return;
        CHECK_OK(nsws_client_send_text(r->client, "go", 2));
        CLOSED(r, 1, 4001, "bye", 1);
        CHECK_STR(order(r), "header_receive open close");
    }
}

static void a_reason_has_at_most_123_bytes_of_utf8(void) {
    char reason[125];
    memset(reason, 'r', sizeof reason);
    reason[124] = 0;
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_CODE(nsws_client_close(r->client, 1000, reason), NSWS_ERR_PARAMETER);
    /* 62 characters of two bytes. */
    for (int i = 0; i < 124; i += 2) memcpy(reason + i, "\xc3\xa4", 2);
    CHECK_CODE(nsws_client_close(r->client, 1000, reason), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_close(r->client, 1000, "\xff"), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_close(r->client, 1000, "cut \xe2\x82"), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_close(r->client, 999, reason), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_client_send_text(r->client, "open", 4));
    WAIT(r, MESSAGE, 1);
    /* 41 characters of three bytes. */
    for (int i = 0; i < 123; i += 3) memcpy(reason + i, "\xe2\x82\xac", 3);
    reason[123] = 0;
    CHECK_OK(nsws_client_close(r->client, 1000, reason));
    CLOSED(r, 1, 1000, reason, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_PEER_TEXT(r->token, "close_reason", reason);
}

static void a_null_reason_is_an_empty_one(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_close(r->client, 1000, NULL));
    const struct event *close = CLOSED(r, 1, 1000, "", 1);
    if (close) CHECK_INT(close->length, 0);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_PEER_TEXT(r->token, "close_reason", "");
}

/* When it may be called. */

static void closing_twice_is_refused(void) {
    struct recorder *r = OPEN_RAW("/close-late", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_close(r->client, 3000, "first"));
    CHECK_CODE(nsws_client_close(r->client, 3001, "second"), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_send_binary(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_ping(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL), NSWS_ERR_ALREADY_CONNECTED);
    WAIT_PEER(r->token, "close_frames", 1);
    CHECK_CODE(nsws_client_close(r->client, 3002, "third"), NSWS_ERR_NOT_CONNECTED);
    release_peer(r->token);
    CLOSED(r, 1, 3000, "first", 1);
    CHECK_CODE(nsws_client_close(r->client, 3003, "fourth"), NSWS_ERR_NOT_CONNECTED);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 3000);
    CHECK_INT(peer_number(r->token, "close_frames"), 1);
    CHECK_INT(peer_number(r->token, "messages"), 0);
}

static void a_close_before_connect_does_no_harm(void) {
    struct recorder *r = new_client();
    CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CLOSED(r, 1, 1000, "", 1);
}

static void a_close_while_connecting_abandons_the_attempt(void) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/hold"), NULL));
    WAIT_PEER(r->token, "connections", 1);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_INT(close->code, 1006);
    CHECK_INT(close->was_clean, 0);
    /* The peer sees the link end, without a frame. */
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "upgrades"), 0);
    CHECK_STR(order(r), "close");
    /* And the client may connect again. */
    if (OPENS(r, setting("NSWS_ECHO_URL"), NULL)) CHECK_STR(order(r), "close header_receive open");
}

static void a_close_right_after_connect_gives_one_close_event(void) {
    for (int i = 0; i < 50; i++) {
        struct recorder *r = new_client();
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL));
        for (int spin = 0; spin < i * 40; spin++) sched_yield();
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        const struct event *close = WAIT(r, CLOSE, 1);
        if (!close) return;
        /* Before open it is 1006 and nothing else; but open may come first. */
        CHECK_INT(close->code, count_events(r, OPEN) ? 1000 : 1006);
        CHECK_INT(count_events(r, ERROR), 0);
        CHECK_INT(count_events(r, CLOSE), 1);
    }
}

static void close_in_header_receive(struct recorder *r, const struct event *event) {
    if (event->kind == HEADER_RECEIVE) CHECK_OK(nsws_client_close(r->client, 1000, ""));
}

static void a_close_in_header_receive_still_abandons_the_attempt(void) {
    struct recorder *r = new_client();
    r->hook = close_in_header_receive;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL));
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_INT(close->code, 1006);
    CHECK_STR(order(r), "header_receive close");
    WAIT_PEER(r->token, "ended", 1);
}

static void close_in_open(struct recorder *r, const struct event *event) {
    if (event->kind == OPEN) CHECK_OK(nsws_client_close(r->client, 3000, "at once"));
}

static void a_close_in_open_is_a_normal_one(void) {
    struct recorder *r = new_client();
    r->hook = close_in_open;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/echo"), NULL));
    CLOSED(r, 1, 3000, "at once", 1);
    CHECK_STR(order(r), "header_receive open close");
}

static void close_in_message(struct recorder *r, const struct event *event) {
    if (event->kind == MESSAGE) nsws_client_close(r->client, 3000, "enough");
}

static void a_close_in_message_is_a_normal_one(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    /* The peer's answer comes after what it sent before: a slow client reads all of that first. */
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    r->hook = close_in_message;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/flow/64"), &options));
    CLOSED(r, 1, 3000, "enough", 1);
    CHECK_INT(count_events(r, MESSAGE), count_events(r, DATA_END));
    CHECK_INT(count_events(r, ERROR), 0);
}

/* Flushing. */

static void close_flushes_what_was_accepted(void) {
    enum { COUNT = 5000 };
    char text[32];
    struct recorder *r = OPEN_RAW("/sink", NULL);
    if (!r) return;
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(text, sizeof text, "%d:", i);
        if (!CHECK_OK(nsws_client_send_text(r->client, text, (size_t)length))) return;
    }
    CHECK_OK(nsws_client_close(r->client, 4000, "all of it"));
    CLOSED(r, 1, 4000, "all of it", 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), COUNT);
    CHECK_INT(peer_number(r->token, "ordered"), COUNT);
    CHECK_INT(peer_number(r->token, "close_code"), 4000);
}

static void close_flushes_large_messages(void) {
    enum { SIZE = 4 << 20, COUNT = 3 };
    nsws_connect_options options = defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    struct recorder *r = OPEN_RAW("/stall", &options);
    if (!r) return;
    char *data = pattern(SIZE);
    for (int i = 0; i < COUNT; i++) CHECK_OK(nsws_client_send_binary(r->client, data, SIZE));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    release_peer(r->token);
    CLOSED(r, 1, 1000, "", 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "bytes"), (long long)SIZE * COUNT);
    free(data);
}

static void a_destroyed_client_says_goodbye_in_the_background(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    destroy_client(r);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
    CHECK_STR(order(r), "header_receive open");

    r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    r->destroyed = 1;
    CHECK_OK(nsws_client_release(r->client));
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
}

static void a_close_before_destroy_counts_and_flushes(void) {
    enum { COUNT = 1000 };
    char text[32];
    struct recorder *r = OPEN_RAW("/sink", NULL);
    if (!r) return;
    for (int i = 0; i < COUNT; i++) {
        int length = snprintf(text, sizeof text, "%d:", i);
        CHECK_OK(nsws_client_send_text(r->client, text, (size_t)length));
    }
    CHECK_OK(nsws_client_close(r->client, 4001, "last words"));
    destroy_client(r);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "ordered"), COUNT);
    CHECK_INT(peer_number(r->token, "close_code"), 4001);
    CHECK_PEER_TEXT(r->token, "close_reason", "last words");
    CHECK_STR(order(r), "header_receive open");
}

static void shutdown_says_goodbye_too(void) {
    struct recorder *r = OPEN_RAW("/sink", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_send_text(r->client, "0:", 2));
    r->destroyed = 1;
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    CHECK_INT(r->freed, KINDS);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1001);
    CHECK_INT(peer_number(r->token, "ordered"), 1);
}

/* The peer that doesn't answer. */

static void a_peer_that_never_answers_is_cut_off(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.close_timeout_ms = 200;
    if (!OPENS(r, raw_url(r, "/never-close"), &options)) return;
    CHECK_OK(nsws_client_close(r->client, 1000, "bye"));
    CLOSED(r, 1, 1006, "The link is down", 0);
    CHECK_STR(order(r), "header_receive open error close");
    const struct event *error = WAIT(r, ERROR, 1);
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->detail, NSWS_DETAIL_CLOSE_TIMEOUT);
    CHECK_CONTAINS(error->text, setting("NSWS_RAW_PORT"));
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1000);
}

static void the_close_timeout_covers_the_flush_and_says_what_was_not_sent(void) {
    enum { SIZE = 4 << 20, COUNT = 4 };
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.close_timeout_ms = 200;
    options.send_queue_size = 2 * COUNT * SIZE;
    if (!OPENS(r, raw_url(r, "/stall"), &options)) return;
    char *data = pattern(SIZE);
    for (int i = 0; i < COUNT; i++) CHECK_OK(nsws_client_send_binary(r->client, data, SIZE));
    free(data);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CLOSED(r, 1, 1006, "The link is down", 0);
    CHECK_STR(order(r), "header_receive open error close");
    const struct event *error = WAIT(r, ERROR, 1);
    CHECK_INT(error->detail, NSWS_DETAIL_CLOSE_TIMEOUT);
    CHECK_CONTAINS(error->text, "bytes");
    CHECK(strpbrk(error->text, "123456789") != NULL);
    release_peer(r->token);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_frames"), 0);
}

static void a_peer_that_keeps_the_tcp_connection_is_no_error(void) {
    struct recorder *r = OPEN_RAW("/stay-after-close", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_close(r->client, 1000, "bye"));
    CLOSED(r, 1, 1000, "bye", 1);
    CHECK_STR(order(r), "header_receive open close");
    /* The client hangs up. */
    WAIT_PEER(r->token, "ended", 1);
}

/* What the peer says. */

static void the_peer_s_code_and_reason_are_reported(void) {
    static const int codes[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/close-code/%d/why%%20not", codes[i]);
        struct recorder *r = OPEN_RAW(path, NULL);
        if (!r) return;
        CLOSED(r, 1, codes[i], "why not", 1);
        CHECK_STR(order(r), "header_receive open close");
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "close_code"), codes[i]);
        CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
        CHECK_CODE(nsws_client_close(r->client, 1000, ""), NSWS_ERR_NOT_CONNECTED);
    }
}

static void no_code_is_reported_as_1005(void) {
    struct recorder *r = OPEN_RAW("/close-frame-hex", NULL);
    if (!r) return;
    CLOSED(r, 1, 1005, "", 1);
    CHECK_STR(order(r), "header_receive open close");
    WAIT_PEER(r->token, "close_frames", 1);
}

static void a_reason_may_hold_a_nul_and_123_bytes(void) {
    struct recorder *r = OPEN_RAW("/close-frame-hex/03e8610062", NULL);
    if (!r) return;
    const struct event *close = WAIT(r, CLOSE, 1);
    if (!close) return;
    CHECK_INT(close->length, 3);
    CHECK(memcmp(close->text, "a\0b", 3) == 0);

    char path[300] = "/close-frame-hex/03e8", reason[124] = "";
    for (int i = 0; i < 123; i++) {
        strcat(path, "7a");
        strcat(reason, "z");
    }
    r = OPEN_RAW(path, NULL);
    if (r) CLOSED(r, 1, 1000, reason, 1);
}

static void the_code_that_was_received_counts_also_when_this_side_began(void) {
    struct recorder *r = OPEN_RAW("/close-other/4321/my%20own", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_close(r->client, 1000, "mine"));
    CLOSED(r, 1, 4321, "my own", 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1000);
}

static void nothing_is_delivered_behind_a_close_frame(void) {
    struct recorder *r = OPEN_RAW("/close-then-data", NULL);
    if (!r) return;
    CLOSED(r, 1, 4000, "done", 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_STR(order(r), "header_receive open message data_end close");
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "before");
}

static void codes_that_must_not_be_sent_are_protocol_errors(void) {
    static const int codes[] = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535 };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/close-code/%d", codes[i]);
        struct recorder *r = OPEN_RAW(path, NULL);
        const struct event *close = r ? WAIT(r, CLOSE, 1) : NULL;
        if (!close) return;
        if (!CHECK_INT(close->code, 1002)) fprintf(stderr, "    for %d\n", codes[i]);
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "close_code"), 1002);
        if (!CHECK_STR(order(r), "header_receive open error close")) continue;
        const struct event *error = WAIT(r, ERROR, 1);
        CHECK_INT(error->phase, NSWS_PHASE_PROTOCOL);
        CHECK_INT(error->detail, NSWS_DETAIL_PROTOCOL);
    }
}

/* The link that breaks. */

static void lost(const char *path, int send, int os_error) {
    struct recorder *r = OPEN_RAW(path, NULL);
    if (!r) return;
    if (send) CHECK_OK(nsws_client_send_text(r->client, "go", 2));
    CLOSED(r, 1, 1006, "The link is down", 0);
    CHECK_STR(order(r), "header_receive open error close");
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_IO);
    CHECK_INT(error->detail, NSWS_DETAIL_LINK_LOST);
    CHECK_INT(error->os_error, os_error);
    CHECK_INT(error->http_status, 0);
    CHECK_CONTAINS(error->text, "127.0.0.1");
    CHECK_CONTAINS(error->text, setting("NSWS_RAW_PORT"));
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
}

static void a_link_that_ends_without_a_frame_is_lost(void) { lost("/close-without-frame", 1, 0); }
static void a_link_that_is_reset_is_lost(void) { lost("/rst-after-open", 1, ECONNRESET); }
static void a_link_that_ends_within_a_message_is_lost(void) { lost("/half-a-message", 0, 0); }

/* And again. */

static void a_client_connects_again_after_close(void) {
    struct recorder *r = new_client();
    for (size_t i = 1; i <= 20; i++) {
        char text[16];
        if (!OPENS(r, i % 2 ? setting("NSWS_ECHO_URL") : setting("NSWS_NODE_URL"), NULL)) return;
        int length = snprintf(text, sizeof text, "round %d", (int)i);
        CHECK_OK(nsws_client_send_text(r->client, text, (size_t)length));
        const struct event *message = WAIT(r, MESSAGE, i);
        if (!message) return;
        CHECK_STR(message->text, text);
        CHECK_OK(nsws_client_close(r->client, 1000, text));
        if (!CLOSED(r, i, 1000, text, 1)) return;
    }
}

static void a_client_connects_again_after_every_kind_of_failure(void) {
    static const char *const failures[] = {
        "/status/500", "/garbage", "/early-close", "/no-accept", "/protocol/unasked", "/redirect", "/early-reset"
    };
    int fd;
    struct recorder *r = new_client();
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, failures[i]), NULL));
        if (!WAIT(r, ERROR, i + 1)) return;
    }
    CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), NULL));
    WAIT(r, ERROR, sizeof failures / sizeof failures[0] + 1);
    close(fd);
    if (!OPENS(r, raw_url(r, "/rst-after-open"), NULL)) return;
    CHECK_OK(nsws_client_send_text(r->client, "go", 2));
    CLOSED(r, 1, 1006, "The link is down", 0);
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CLOSED(r, 2, 1000, "", 1);
}

static void connect_again_in_close(struct recorder *r, const struct event *event) {
    if (event->kind != CLOSE || count_events(r, CLOSE) >= 5) return;
    CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
}

static void the_close_callback_may_connect_again(void) {
    struct recorder *r = new_client();
    r->hook = connect_again_in_close;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/close-code/1000/again"), NULL));
    if (!WAIT(r, CLOSE, 5)) return;
    CHECK_STR(order(r), "header_receive open close header_receive open close header_receive open close "
                        "header_receive open close header_receive open close");
    CHECK_INT(peer_number(r->token, "upgrades"), 5);
}

static void connect_again_in_error(struct recorder *r, const struct event *event) {
    if (event->kind != ERROR) return;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, count_events(r, ERROR) < 5 ? "/status/503" : "/echo"), NULL));
}

static void the_error_callback_may_connect_again(void) {
    struct recorder *r = new_client();
    r->hook = connect_again_in_error;
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/status/503"), NULL));
    if (WAIT(r, OPEN, 1)) CHECK_STR(order(r), "error error error error error header_receive open");
}

static void connect_in_error_after_open(struct recorder *r, const struct event *event) {
    /* Not over yet: close is still to come. */
    if (event->kind == ERROR) CHECK_CODE(nsws_client_connect(r->client, r->url, NULL), NSWS_ERR_ALREADY_CONNECTED);
}

static void after_open_the_connection_is_over_with_close_and_not_with_error(void) {
    struct recorder *r = new_client();
    r->hook = connect_in_error_after_open;
    if (!OPENS(r, raw_url(r, "/rst-after-open"), NULL)) return;
    CHECK_OK(nsws_client_send_text(r->client, "go", 2));
    CLOSED(r, 1, 1006, "The link is down", 0);
}

int main(void) {
    RUN(a_program_may_send_these_codes_and_no_others);
    RUN(the_peer_gets_the_code_and_the_reason);
    RUN(python_and_node_agree);
    RUN(a_reason_has_at_most_123_bytes_of_utf8);
    RUN(a_null_reason_is_an_empty_one);
    RUN(closing_twice_is_refused);
    RUN(a_close_before_connect_does_no_harm);
    RUN(a_close_while_connecting_abandons_the_attempt);
    RUN(a_close_right_after_connect_gives_one_close_event);
    RUN(a_close_in_header_receive_still_abandons_the_attempt);
    RUN(a_close_in_open_is_a_normal_one);
    RUN(a_close_in_message_is_a_normal_one);
    RUN(close_flushes_what_was_accepted);
    RUN(close_flushes_large_messages);
    RUN(a_destroyed_client_says_goodbye_in_the_background);
    RUN(a_close_before_destroy_counts_and_flushes);
    RUN(shutdown_says_goodbye_too);
    RUN(a_peer_that_never_answers_is_cut_off);
    RUN(the_close_timeout_covers_the_flush_and_says_what_was_not_sent);
    RUN(a_peer_that_keeps_the_tcp_connection_is_no_error);
    RUN(the_peer_s_code_and_reason_are_reported);
    RUN(no_code_is_reported_as_1005);
    RUN(a_reason_may_hold_a_nul_and_123_bytes);
    RUN(the_code_that_was_received_counts_also_when_this_side_began);
    RUN(nothing_is_delivered_behind_a_close_frame);
    RUN(codes_that_must_not_be_sent_are_protocol_errors);
    RUN(a_link_that_ends_without_a_frame_is_lost);
    RUN(a_link_that_is_reset_is_lost);
    RUN(a_link_that_ends_within_a_message_is_lost);
    RUN(a_client_connects_again_after_close);
    RUN(a_client_connects_again_after_every_kind_of_failure);
    RUN(the_close_callback_may_connect_again);
    RUN(the_error_callback_may_connect_again);
    RUN(after_open_the_connection_is_over_with_close_and_not_with_error);
    return end_tests();
}
