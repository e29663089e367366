/*
 * The client side of the Autobahn test suite: asks the fuzzing server how many cases it has, sends back
 * every message in each of them, and has the report written.
 *
 *     autobahn_client ws://127.0.0.1:PORT AGENT
 */
#include "harness.h"

#define MIB ((size_t)1 << 20)

/* Sends back what comes, or waits for room and goes on. */
static void send_back(nsws_client client, const nsws_message_event *event, void *user) {
    (void)user;
    int32_t code = event->is_text ? nsws_client_send_text(client, (const char *)event->data, event->length)
                                  : nsws_client_send_binary(client, event->data, event->length);
    /* The peer may have closed meanwhile. */
    CHECK(code == NSWS_OK || code == NSWS_ERR_NOT_CONNECTED);
}

static void keep_number(nsws_client client, const nsws_message_event *event, void *user) {
    char text[32] = "";
    (void)client;
    memcpy(text, event->data, event->length < sizeof text ? event->length : sizeof text - 1);
    *(int *)user = atoi(text);
}

static void over_close(nsws_client client, const nsws_close_event *event, void *user) {
    (void)client, (void)event;
    counter_add(user, 1);
}

static void over_error(nsws_client client, const nsws_error_event *event, void *user) {
    (void)client;
    /* After open, close follows; before it, this is the end. */
    if (event->phase <= NSWS_PHASE_HANDSHAKE) {
        CHECK_STR(event->message, "");
        counter_add(user, 1);
    }
}

/* One connection, from connect to close. */
static int talk(const char *url, nsws_message_fn on_message, void *user) {
    static struct counter over;
    nsws_client client;
    nsws_connect_options options = defaults();
    options.max_receive_size = 64 * MIB;
    options.max_send_size = 64 * MIB;
    options.send_queue_size = 512 * MIB;
    options.ping_interval_ms = 0;
    options.compression = 1;
    options.compression_threshold = 1;
    counter_init(&over);
    int ok = CHECK_OK(nsws_client_create(&client)) && CHECK_OK(nsws_client_on_message(client, on_message, user, NULL)) &&
             CHECK_OK(nsws_client_on_close(client, over_close, &over, NULL)) &&
             CHECK_OK(nsws_client_on_error(client, over_error, &over, NULL)) &&
             CHECK_OK(nsws_client_connect(client, url, &options)) && WAIT_COUNTER(&over, 1);
    CHECK_OK(nsws_client_destroy(client));
    return ok && failed_checks() == 0;
}

int main(int argc, char **argv) {
    char url[512];
    int cases = 0;
    if (argc != 3) return 2;
    /* The longest cases take a minute; the guard is there for a server that hangs. */
    setenv("NSWS_TEST_SLOW", "15", 0);
    snprintf(url, sizeof url, "%s/getCaseCount", argv[1]);
    if (!talk(url, keep_number, &cases)) return 1;
    for (int i = 1; i <= cases; i++) {
        snprintf(url, sizeof url, "%s/runCase?case=%d&agent=%s", argv[1], i, argv[2]);
        if (!talk(url, send_back, NULL)) fprintf(stderr, "case no. %d went wrong\n", i);
    }
    snprintf(url, sizeof url, "%s/updateReports?agent=%s", argv[1], argv[2]);
    int ok = talk(url, send_back, NULL);
    CHECK_OK(nsws_shutdown(20000));
    printf("%d cases\n", cases);
    return !ok || cases == 0 || failed_checks() != 0;
}
