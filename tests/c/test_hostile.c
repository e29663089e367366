/* Peers that break the rules: in the opening handshake, in frames, and by size. */
#include "harness.h"

/* The handshake. */

/* One error event of phase handshake and nothing else; one connection, no second try. */
static const struct event *fails_at(int line, const char *path, int32_t detail, int http_status, const char *words) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, path), NULL));
    const struct event *error = wait_event(__FILE__, line, r, ERROR, 1);
    if (!error) return NULL;
    if (error->code != NSWS_ERR_CONNECT_FAILED || error->phase != NSWS_PHASE_HANDSHAKE || error->detail != detail ||
        error->http_status != http_status)
        harness_fail(__FILE__, line, "%s: %s, phase %s, %s, status %d: %s", path, nsws_error_name(error->code),
                     nsws_phase_name(error->phase), nsws_error_name(error->detail), (int)error->http_status, error->text);
    check_contains(__FILE__, line, path, error->text, "127.0.0.1");
    check_contains(__FILE__, line, path, error->text, setting("NSWS_RAW_PORT"));
    check_contains(__FILE__, line, path, error->text, words);
    WAIT_PEER(r->token, "ended", 1);
    check_str(__FILE__, line, path, order(r), "error");
    CHECK_INT(peer_number(r->token, "connections"), 1);
    CHECK_CODE(nsws_client_send_text(r->client, "x", 1), NSWS_ERR_NOT_CONNECTED);
    return error;
}

#define FAILS(path, detail, http_status, words) fails_at(__LINE__, path, detail, http_status, words)

static void another_status_than_101_is_refused(void) {
    FAILS("/status/404/Not%20Found", NSWS_DETAIL_HTTP_STATUS, 404, "404");
    FAILS("/status/200/OK", NSWS_DETAIL_HTTP_STATUS, 200, "200");
    FAILS("/status/401/Unauthorized", NSWS_DETAIL_HTTP_STATUS, 401, "401");
    FAILS("/status/403/Forbidden", NSWS_DETAIL_HTTP_STATUS, 403, "403");
    FAILS("/status/426/Upgrade%20Required", NSWS_DETAIL_HTTP_STATUS, 426, "426");
    FAILS("/status/500/Oh%20no", NSWS_DETAIL_HTTP_STATUS, 500, "500");
    FAILS("/status/503/Busy", NSWS_DETAIL_HTTP_STATUS, 503, "503");
}

static void a_redirect_is_one_error_with_its_status(void) {
    FAILS("/redirect", NSWS_DETAIL_HTTP_STATUS, 302, "302");
    FAILS("/redirect/301", NSWS_DETAIL_HTTP_STATUS, 301, "301");
    FAILS("/redirect/307", NSWS_DETAIL_HTTP_STATUS, 307, "307");
    FAILS("/redirect/308", NSWS_DETAIL_HTTP_STATUS, 308, "308");
}

static void the_accept_header_must_be_right(void) {
    FAILS("/no-accept", NSWS_DETAIL_HANDSHAKE, 0, "Sec-WebSocket-Accept");
    FAILS("/wrong-accept", NSWS_DETAIL_HANDSHAKE, 0, "Sec-WebSocket-Accept");
}

static void upgrade_and_connection_must_be_right(void) {
    FAILS("/no-upgrade", NSWS_DETAIL_HANDSHAKE, 0, "Upgrade");
    FAILS("/wrong-upgrade", NSWS_DETAIL_HANDSHAKE, 0, "Upgrade");
    FAILS("/no-connection", NSWS_DETAIL_HANDSHAKE, 0, "Connection");
}

static void their_case_and_company_do_not_matter(void) {
    struct recorder *r = OPEN_RAW("/connection-list", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    WAIT(r, MESSAGE, 1);
}

static void an_extension_that_was_not_offered_is_refused(void) {
    FAILS("/extension", NSWS_DETAIL_HANDSHAKE, 0, "extension");
    FAILS("/extension/x-unheard-of", NSWS_DETAIL_HANDSHAKE, 0, "extension");
}

static void a_protocol_that_was_not_offered_is_refused(void) {
    FAILS("/protocol/unasked", NSWS_DETAIL_SUB_PROTOCOL, 0, "sub-protocol");
    struct recorder *r = new_client();
    static const struct {
        const char *offer, *path;
    } cases[] = {
        { "a, b", "/protocol/c" },
        { "chat", "/protocol/Chat" },
        { "a, b", "/protocol/a,%20b" },
        { "a, b", "/two-protocols/a/b" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nsws_connect_options options = defaults();
        options.protocol = cases[i].offer;
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, cases[i].path), &options));
        const struct event *error = WAIT(r, ERROR, i + 1);
        if (!error) return;
        CHECK_INT(error->phase, NSWS_PHASE_HANDSHAKE);
        CHECK(error->detail == NSWS_DETAIL_SUB_PROTOCOL || error->detail == NSWS_DETAIL_HANDSHAKE);
    }
    CHECK_STR(order(r), "error error error error");
}

static void answers_that_are_not_http_are_refused(void) {
    FAILS("/garbage", NSWS_DETAIL_HANDSHAKE, 0, "");
    FAILS("/early-close", NSWS_DETAIL_LINK_LOST, 0, "closed");
    const struct event *error = FAILS("/early-reset", NSWS_DETAIL_LINK_LOST, 0, "reset");
    if (error) CHECK_INT(error->os_error, ECONNRESET);
}

static void interim_answers_are_passed_over(void) {
    /* RFC 9110 15.2: a client must be able to take 1xx answers before the final one. */
    struct recorder *r = OPEN_RAW("/100-continue", NULL);
    if (!r) return;
    CHECK_INT(WAIT(r, HEADER_RECEIVE, 1)->code, 101);
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    WAIT(r, DATA_END, 1);
    CHECK_STR(order(r), "header_receive open message data_end");
}

static void a_slow_answer_is_an_answer(void) {
    struct recorder *r = OPEN_RAW("/slow-head", NULL);
    if (!r) return;
    CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    WAIT(r, MESSAGE, 1);
}

static void no_answer_runs_into_the_timeout(void) {
    static const char *const paths[] = { "/never-answers", "/half-a-head", "/hold" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct recorder *r = new_client();
        nsws_connect_options options = defaults();
        options.connect_timeout_ms = 200;
        CHECK_OK(nsws_client_connect(r->client, raw_url(r, paths[i]), &options));
        const struct event *error = WAIT(r, ERROR, 1);
        if (!error) return;
        CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
        CHECK_INT(error->phase, NSWS_PHASE_HANDSHAKE);
        CHECK_INT(error->detail, NSWS_DETAIL_TIMEOUT);
        CHECK_CONTAINS(error->text, "200 ms");
        CHECK_CONTAINS(error->text, setting("NSWS_RAW_PORT"));
        WAIT_PEER(r->token, "ended", 1);
        CHECK_STR(order(r), "error");
    }
}

/* Memory that a peer makes the client hold; only known where nothing distorts it. */
static void check_memory(const char *what, long before) {
    long more = resident_kib() - before;
    if (slowness() == 1 && more > 64 * 1024) harness_fail(__FILE__, __LINE__, "%s: %ld KiB more", what, more);
}

static void headers_without_end_are_refused(void) {
    long before = resident_kib();
    FAILS("/huge-header/1048576", NSWS_DETAIL_HANDSHAKE, 0, "");
    FAILS("/huge-header/100000000", NSWS_DETAIL_HANDSHAKE, 0, "");
    FAILS("/endless-headers", NSWS_DETAIL_HANDSHAKE, 0, "");
    check_memory("headers", before);
}

/* Frames. */

/* After open: error of phase protocol, then close; the peer got a close frame with the same code. */
static const struct event *breaks_at(int line, const char *path, const nsws_connect_options *options, int code, int32_t detail) {
    struct recorder *r = open_raw_at(__FILE__, line, path, options);
    const struct event *close = r ? wait_event(__FILE__, line, r, CLOSE, 1) : NULL;
    if (!close) return NULL;
    check_int(__FILE__, line, "the close event's code", close->code, code);
    check_int(__FILE__, line, "was_clean", close->was_clean, 0);
    const struct event *error = find_event(r, ERROR, 1);
    if (error == NULL) {
        harness_fail(__FILE__, line, "%s: no error event: %s", path, order(r));
        return NULL;
    }
    if (error->code != NSWS_ERR_CONNECT_FAILED || error->phase != NSWS_PHASE_PROTOCOL || error->detail != detail)
        harness_fail(__FILE__, line, "%s: %s, phase %s, %s: %s", path, nsws_error_name(error->code),
                     nsws_phase_name(error->phase), nsws_error_name(error->detail), error->text);
    check_contains(__FILE__, line, path, error->text, setting("NSWS_RAW_PORT"));
    check_int(__FILE__, line, "errors", (long long)count_events(r, ERROR), 1);
    WAIT_PEER(r->token, "ended", 1);
    check_int(__FILE__, line, "close frames", peer_number(r->token, "close_frames"), 1);
    check_int(__FILE__, line, "the close frame's code", peer_number(r->token, "close_code"), code);
    check_int(__FILE__, line, "frames without a mask", peer_number(r->token, "unmasked"), 0);
    check_int(__FILE__, line, "messages", (long long)count_events(r, MESSAGE), 0);
    return error;
}

#define BREAKS(path, code, detail) breaks_at(__LINE__, path, NULL, code, detail)

static void reserved_bits_are_a_protocol_error(void) {
    BREAKS("/rsv/4", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/rsv/2", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/rsv/1", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/rsv/7", 1002, NSWS_DETAIL_PROTOCOL);
}

static void unknown_opcodes_are_a_protocol_error(void) {
    static const char *const paths[] = {
        "/bad-opcode/3", "/bad-opcode/4", "/bad-opcode/5", "/bad-opcode/6", "/bad-opcode/7",
        "/bad-opcode/b", "/bad-opcode/c", "/bad-opcode/d", "/bad-opcode/e", "/bad-opcode/f",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) BREAKS(paths[i], 1002, NSWS_DETAIL_PROTOCOL);
}

static void fragments_out_of_order_are_a_protocol_error(void) {
    BREAKS("/stray-continuation", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/interrupted-fragments", 1002, NSWS_DETAIL_PROTOCOL);
    /* Binary within text; a continuation that is final, then another. */
    BREAKS("/frames/0102686502026c6c", 1002, NSWS_DETAIL_PROTOCOL);
}

static void a_second_continuation_after_the_last_is_a_protocol_error(void) {
    struct recorder *r = OPEN_RAW("/frames/010168800169800170", NULL);
    if (!r || !WAIT(r, CLOSE, 1)) return;
    CHECK_STR(order(r), "header_receive open message data_end error close");
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "hi");
    CHECK_INT(WAIT(r, ERROR, 1)->detail, NSWS_DETAIL_PROTOCOL);
}

static void a_masked_frame_from_a_server_is_a_protocol_error(void) {
    BREAKS("/masked", 1002, NSWS_DETAIL_PROTOCOL);
}

static void control_frames_that_are_too_long_or_fragmented_are_a_protocol_error(void) {
    BREAKS("/oversize-control", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/fragmented-control", 1002, NSWS_DETAIL_PROTOCOL);
    /* The same with a pong and with a close frame. */
    BREAKS("/frames/0a0168", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/frames/080203e8", 1002, NSWS_DETAIL_PROTOCOL);
    char pong[300] = "/frames/8a7e007e";
    for (int i = 0; i < 126; i++) strcat(pong, "70");
    BREAKS(pong, 1002, NSWS_DETAIL_PROTOCOL);
}

static void broken_close_frames_are_errors(void) {
    BREAKS("/close-1-byte", 1002, NSWS_DETAIL_PROTOCOL);
    BREAKS("/close-bad-utf8", 1007, NSWS_DETAIL_INVALID_UTF8);
}

static void text_that_is_not_utf8_is_answered_with_1007(void) {
    BREAKS("/invalid-utf8", 1007, NSWS_DETAIL_INVALID_UTF8);
    BREAKS("/invalid-utf8-fragmented", 1007, NSWS_DETAIL_INVALID_UTF8);
    /* Overlong, a surrogate, above U+10FFFF, cut short. */
    BREAKS("/frames/8102c0af", 1007, NSWS_DETAIL_INVALID_UTF8);
    BREAKS("/frames/8103eda080", 1007, NSWS_DETAIL_INVALID_UTF8);
    BREAKS("/frames/8104f4908080", 1007, NSWS_DETAIL_INVALID_UTF8);
    BREAKS("/frames/8102e282", 1007, NSWS_DETAIL_INVALID_UTF8);
    BREAKS("/frames/810180", 1007, NSWS_DETAIL_INVALID_UTF8);
}

static void binary_may_hold_anything(void) {
    struct recorder *r = OPEN_RAW("/frames/8204c0affffe", NULL);
    const struct event *message = r ? WAIT(r, MESSAGE, 1) : NULL;
    if (message) CHECK(message->length == 4 && !message->is_text && memcmp(message->text, "\xc0\xaf\xff\xfe", 4) == 0);
}

static void what_came_before_a_broken_frame_is_delivered(void) {
    struct recorder *r = OPEN_RAW("/frames/8105666972737481067365636f6e64c10362616481056c61746572", NULL);
    if (!r || !WAIT(r, CLOSE, 1)) return;
    CHECK_STR(order(r), "header_receive open message data_end message data_end error close");
    CHECK_STR(WAIT(r, MESSAGE, 1)->text, "first");
    CHECK_STR(WAIT(r, MESSAGE, 2)->text, "second");
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "close_code"), 1002);
}

/* Size. */

static void a_message_above_the_limit_is_answered_with_1009(void) {
    nsws_connect_options options = defaults();
    options.max_receive_size = 1000;
    const struct event *error = breaks_at(__LINE__, "/big/1001", &options, 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    if (error) CHECK_CONTAINS(error->text, "1000");
    breaks_at(__LINE__, "/big/1000000", &options, 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    breaks_at(__LINE__, "/big-fragmented/1001/100", &options, 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    breaks_at(__LINE__, "/big-fragmented/1001/1000", &options, 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    options.max_receive_size = 1;
    breaks_at(__LINE__, "/big/2", &options, 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
}

static void a_message_at_the_limit_is_delivered(void) {
    static const char *const paths[] = { "/big/1000", "/big-fragmented/1000/100", "/big-fragmented/1000/999" };
    nsws_connect_options options = defaults();
    options.max_receive_size = 1000;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct recorder *r = OPEN_RAW(paths[i], &options);
        const struct event *message = r ? WAIT(r, MESSAGE, 1) : NULL;
        if (message) CHECK_INT(message->length, 1000);
    }
}

static void sixteen_mib_are_received_by_default_and_not_a_byte_more(void) {
    struct recorder *r = OPEN_RAW("/big/16777216", NULL);
    const struct event *message = r ? WAIT(r, MESSAGE, 1) : NULL;
    if (!message) return;
    CHECK_INT(message->length, 16 << 20);
    char *data = pattern(16 << 20);
    CHECK(memcmp(message->text, data, 16 << 20) == 0);
    free(data);
    BREAKS("/big/16777217", 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
}

static void an_announced_size_costs_nothing(void) {
    long before = resident_kib();
    BREAKS("/announce/4294967296", 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    BREAKS("/announce/4611686018427387904", 1009, NSWS_DETAIL_MESSAGE_TOO_BIG);
    check_memory("announced sizes", before);
    /* What is within the limit costs nothing before it arrives: 40 clients, 16 MiB each. */
    for (int i = 0; i < 40; i++) {
        struct recorder *r = OPEN_RAW("/announce/16000000", NULL);
        if (!r) return;
        CHECK_OK(nsws_client_ping(r->client, "x", 1));
        WAIT_PEER(r->token, "pings", 1);
    }
    check_memory("announced messages", before);
}

static void a_size_with_the_highest_bit_is_refused(void) {
    /* RFC 6455 5.2: it must be 0; whether this is 1002 or 1009 is open. */
    struct recorder *r = OPEN_RAW("/announce/18446744073709551615", NULL);
    if (!r || !WAIT(r, CLOSE, 1)) return;
    CHECK_STR(order(r), "header_receive open error close");
    WAIT_PEER(r->token, "ended", 1);
    long long code = peer_number(r->token, "close_code");
    CHECK(code == 1002 || code == 1009);
    CHECK_INT(WAIT(r, CLOSE, 1)->code, code);
}

static void a_message_without_end_is_cut_off(void) {
    long before = resident_kib();
    nsws_connect_options options = defaults();
    options.max_receive_size = 1 << 20;
    struct recorder *r = OPEN_RAW("/endless-message", &options);
    const struct event *close = r ? WAIT(r, CLOSE, 1) : NULL;
    if (!close) return;
    CHECK_INT(close->code, 1009);
    CHECK_STR(order(r), "header_receive open error close");
    CHECK_INT(WAIT(r, ERROR, 1)->detail, NSWS_DETAIL_MESSAGE_TOO_BIG);
    WAIT_PEER(r->token, "ended", 1);
    check_memory("an endless message", before);
}

static void a_flood_of_pings_is_survived(void) {
    char path[64];
    snprintf(path, sizeof path, "/ping/%d", 20000);
    struct recorder *r = OPEN_RAW(path, NULL);
    if (!r) return;
    CHECK_OK(nsws_client_send_text(r->client, "through", 7));
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "through");
}

int main(void) {
    RUN(another_status_than_101_is_refused);
    RUN(a_redirect_is_one_error_with_its_status);
    RUN(the_accept_header_must_be_right);
    RUN(upgrade_and_connection_must_be_right);
    RUN(their_case_and_company_do_not_matter);
    RUN(an_extension_that_was_not_offered_is_refused);
    RUN(a_protocol_that_was_not_offered_is_refused);
    RUN(answers_that_are_not_http_are_refused);
    RUN(interim_answers_are_passed_over);
    RUN(a_slow_answer_is_an_answer);
    RUN(no_answer_runs_into_the_timeout);
    RUN(headers_without_end_are_refused);
    RUN(reserved_bits_are_a_protocol_error);
    RUN(unknown_opcodes_are_a_protocol_error);
    RUN(fragments_out_of_order_are_a_protocol_error);
    RUN(a_second_continuation_after_the_last_is_a_protocol_error);
    RUN(a_masked_frame_from_a_server_is_a_protocol_error);
    RUN(control_frames_that_are_too_long_or_fragmented_are_a_protocol_error);
    RUN(broken_close_frames_are_errors);
    RUN(text_that_is_not_utf8_is_answered_with_1007);
    RUN(binary_may_hold_anything);
    RUN(what_came_before_a_broken_frame_is_delivered);
    RUN(a_message_above_the_limit_is_answered_with_1009);
    RUN(a_message_at_the_limit_is_delivered);
    RUN(sixteen_mib_are_received_by_default_and_not_a_byte_more);
    RUN(an_announced_size_costs_nothing);
    RUN(a_size_with_the_highest_bit_is_refused);
    RUN(a_message_without_end_is_cut_off);
    RUN(a_flood_of_pings_is_survived);
    return end_tests();
}
