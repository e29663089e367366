/* On OpenHarmony the log goes to hilog unless the program says otherwise. */
#include "harness.h"

#include "hilog.h"

static struct printed lines[64];

static int session(void) {
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return 0;
    CHECK_OK(nsws_client_send_text(r->client, "a payload", 9));
    WAIT(r, MESSAGE, 1);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    /* Every session has ended then. */
    end_recorders();
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
    return printed_lines(lines, 64);
}

static void a_program_that_says_nothing_finds_its_connections_in_hilog(void) {
    int count = session();
    if (!CHECK_LEAST(count, 2)) return;
    CHECK_CONTAINS(lines[0].text, ": open");
    CHECK_CONTAINS(lines[1].text, ": closed with 1000");
    for (int i = 0; i < count; i++) {
        CHECK_INT(lines[i].type, 0);
        CHECK_INT(lines[i].level, 4);
        CHECK_INT(lines[i].domain, 0);
        CHECK_STR(lines[i].tag, "netstack_websocket");
        CHECK_STR(lines[i].format, "%{public}s");
        CHECK_LACKS(lines[i].text, "payload");
    }
}

static void a_program_that_wants_no_log_gets_none(void) {
    int before = printed_lines(lines, 64);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    CHECK_INT(session(), before);
    CHECK_INT(session(), before);
}

int main(void) {
    RUN(a_program_that_says_nothing_finds_its_connections_in_hilog);
    RUN(a_program_that_wants_no_log_gets_none);
    return end_tests();
}
