/* What a close frame says is judged by its code, whatever its reason, in both roles. */
#include "pair.h"

/* What may go over the wire (RFC 6455 7.4, and 1012 to 1014 of IANA's registry), at the edges. */
static const int allowed[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 };
enum { ALLOWED = sizeof allowed / sizeof *allowed };

static const int forbidden[] = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535 };
enum { FORBIDDEN = sizeof forbidden / sizeof *forbidden };

/* The peer closes first: its code and reason are reported as they are, and answered. */
static void is_reported(int line, enum role role, int wss, int code, const char *reason) {
    struct pair_options options = pair_defaults();
    options.wss = wss;
    struct pair *p = open_pair_at(__FILE__, line, role, &options);
    if (!p) return;
    struct frame answer;
    CHECK(peer_closes(p, code, reason));
    if (!CHECK(peer_receive_kind(p, CLOSE_FRAME, &answer))) return;
    int answered = answer.length < 2 ? 1005 : answer.data[0] << 8 | answer.data[1];
    peer_leaves(p);
    struct told close = PAIR_CLOSE(p);
    if (!close.came) return;
    if (close.code != code || answered != code || !close.was_clean || strcmp(close.text, reason) != 0 || PAIR_ERRORS(p) > 0)
        harness_fail(__FILE__, line, "a %s is closed with %d \"%s\": it answers %d and reports %d \"%s\", %sclean, with %ld errors",
                     role_names[role], code, reason, answered, close.code, close.text, close.was_clean ? "" : "not ", (long)PAIR_ERRORS(p));
}

static void each_code_that_may_be_sent_is_reported_and_answered(void) {
    BOTH_ROLES(role)
        for (size_t i = 0; i < ALLOWED; i++) {
            is_reported(__LINE__, role, 0, allowed[i], "");
            is_reported(__LINE__, role, 0, allowed[i], "Grüße");
        }
}

static void a_reason_may_say_anything(void) {
    static const char *const reasons[] = {
        "Protocol violation", "Protocol error", "protocol violation", "Protocol violation.", "Invalid close code", "Invalid close sequence",
        "Forbidden close code", "Unsupported reserved bits", "Message too long", "Not UTF-8", "1006", "abnormal", "x",
        "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123",
    };
    BOTH_ROLES(role)
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
            is_reported(__LINE__, role, 0, 1002, reasons[i]);
            is_reported(__LINE__, role, 0, i % 2 ? 1007 : 1009, reasons[i]);
        }
    BOTH_ROLES(role) {
        is_reported(__LINE__, role, 1, 1002, "Protocol violation");
        is_reported(__LINE__, role, 1, 1014, "Bad gateway");
    }
}

/* What the library makes of a close frame that breaks the rules. */
static void is_an_error(int line, enum role role, const void *payload, size_t length, int answer, int32_t detail) {
    int is_whole = length >= 2 && answer == 1002; /* it ends the connection, although it is wrong */
    struct pair *p = open_pair_at(__FILE__, line, role, NULL);
    if (!p) return;
    CHECK(peer_send(p, CLOSE_FRAME, payload, length));
    int answered = peer_close_code(p);
    peer_leaves(p);
    struct told close = PAIR_CLOSE(p), error = PAIR_ERROR(p);
    const unsigned char *bytes = payload;
    if (!close.came || !error.came) return;
    if (answered != answer || close.code != answer || (close.was_clean && !is_whole) || error.detail != detail || error.phase != NSWS_PHASE_PROTOCOL || PAIR_ERRORS(p) != 1)
        harness_fail(__FILE__, line, "a %s gets close code %d in %ld bytes: it answers %d, reports %d, %sclean, and %s", role_names[role],
                     length < 2 ? -1 : bytes[0] << 8 | bytes[1], (long)length, answered, close.code, close.was_clean ? "" : "not ",
                     nsws_error_name(error.detail));
}

static void codes_that_must_not_be_sent_are_protocol_errors(void) {
    BOTH_ROLES(role)
        for (size_t i = 0; i < FORBIDDEN; i++) {
            unsigned char payload[] = { (unsigned char)(forbidden[i] >> 8), (unsigned char)forbidden[i], 'w', 'h', 'y' };
            is_an_error(__LINE__, role, payload, 2, 1002, NSWS_DETAIL_PROTOCOL);
            is_an_error(__LINE__, role, payload, sizeof payload, 1002, NSWS_DETAIL_PROTOCOL);
        }
}

static void half_a_code_is_a_protocol_error(void) {
    BOTH_ROLES(role) {
        is_an_error(__LINE__, role, "\x03", 1, 1002, NSWS_DETAIL_PROTOCOL);
        is_an_error(__LINE__, role, "\x00", 1, 1002, NSWS_DETAIL_PROTOCOL);
        is_an_error(__LINE__, role, "\xff", 1, 1002, NSWS_DETAIL_PROTOCOL);
    }
}

static void a_reason_that_is_not_utf8_is_answered_with_1007(void) {
    static const char *const reasons[] = { "\xff", "bye \xc3", "\xc3(", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf" };
    BOTH_ROLES(role)
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
            char payload[32] = "\x03\xe8";
            memcpy(payload + 2, reasons[i], strlen(reasons[i]));
            is_an_error(__LINE__, role, payload, 2 + strlen(reasons[i]), 1007, NSWS_DETAIL_INVALID_UTF8);
        }
}

static void no_code_is_reported_as_1005(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        if (!p) return;
        CHECK(peer_send(p, CLOSE_FRAME, "", 0));
        CHECK_INT(peer_close_code(p), 1005);
        peer_leaves(p);
        struct told close = PAIR_CLOSE(p);
        if (close.came) CHECK(close.code == 1005 && close.was_clean && close.length == 0);
    }
}

static void a_program_may_send_each_of_them(void) {
    BOTH_ROLES(role)
        for (size_t i = 0; i < ALLOWED; i++) {
            struct pair *p = OPEN_PAIR(role, NULL);
            if (!p || !CHECK_OK(pair_close(p, allowed[i], "Grüße"))) return;
            struct frame frame;
            if (!CHECK(peer_receive_kind(p, CLOSE_FRAME, &frame)) || !CHECK_INT(frame.length, 2 + strlen("Grüße"))) return;
            CHECK_INT(frame.data[0] << 8 | frame.data[1], allowed[i]);
            CHECK(memcmp(frame.data + 2, "Grüße", strlen("Grüße")) == 0);
            /* The code that was received counts. */
            CHECK(peer_closes(p, allowed[ALLOWED - 1 - i], ""));
            peer_leaves(p);
            struct told close = PAIR_CLOSE(p);
            if (close.came) CHECK(close.code == allowed[ALLOWED - 1 - i] && close.was_clean);
            CHECK_INT(PAIR_ERRORS(p), 0);
        }
}

static void a_program_may_send_no_other(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        if (!p) return;
        for (size_t i = 0; i < FORBIDDEN; i++) CHECK_CODE(pair_close(p, forbidden[i], ""), NSWS_ERR_PARAMETER);
        IS_ANSWERED(p, "unharmed");
        if (CHECK_OK(pair_close(p, 1014, ""))) CHECK_INT(peer_close_code(p), 1014);
        peer_leaves(p);
    }
}

/* What comes before it is delivered; what comes after it is not. */
static void a_close_frame_is_the_last_that_counts(void) {
    BOTH_ROLES(role)
        for (int code = 1000; code <= 1014; code += 7) {
            struct pair *p = OPEN_PAIR(role, NULL);
            if (!p) return;
            struct batch b = { 0 };
            unsigned char payload[] = { (unsigned char)(code >> 8), (unsigned char)code };
            batch_frame(p, &b, TEXT_FRAME, "before", 6);
            batch_frame(p, &b, TEXT_FRAME & ~FIN, "never ends", 10);
            batch_frame(p, &b, CLOSE_FRAME, payload, 2);
            batch_frame(p, &b, CONTINUATION_FRAME, "", 0);
            batch_frame(p, &b, PING_FRAME, "ping", 4);
            batch_frame(p, &b, 0x83, "a reserved opcode", 17);
            CHECK(batch_send(p, &b));
            free(b.bytes);
            struct frame frame;
            if (!CHECK(peer_receive(p, &frame)) || !CHECK_INT(frame.first, CLOSE_FRAME)) return;
            CHECK_INT(frame.data[0] << 8 | frame.data[1], code);
            CHECK(!peer_receive(p, &frame));
            peer_leaves(p);
            struct told close = PAIR_CLOSE(p);
            if (close.came) CHECK(close.code == code && close.was_clean);
            CHECK_INT(PAIR_MESSAGES(p), 1);
            CHECK_INT(PAIR_ERRORS(p), 0);
        }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(each_code_that_may_be_sent_is_reported_and_answered);
    RUN(a_reason_may_say_anything);
    RUN(codes_that_must_not_be_sent_are_protocol_errors);
    RUN(half_a_code_is_a_protocol_error);
    RUN(a_reason_that_is_not_utf8_is_answered_with_1007);
    RUN(no_code_is_reported_as_1005);
    RUN(a_program_may_send_each_of_them);
    RUN(a_program_may_send_no_other);
    RUN(a_close_frame_is_the_last_that_counts);
    return end_tests();
}
