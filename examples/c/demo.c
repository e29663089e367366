/* Shows every event of a client, against an echo server:
 *
 *     demo WS_URL WSS_URL CA_FILE
 *
 * A session over ws and one over wss; then a certificate that is refused and a path that isn't there. Exits
 * with 0 when all went as it should.
 */

#define _POSIX_C_SOURCE 200809L

#include <netstack_websocket.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MEBIBYTE = 1024 * 1024, PATIENCE_SECONDS = 20 };

/* What the callbacks saw; the main thread waits for it. */
struct seen {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int headers, opens, messages, data_ends, errors, closes;
    size_t length;   /* of the last message */
    int is_text;     /* the last message's kind */
    uint32_t hash;   /* of the last message's payload */
    int32_t detail;  /* of the last error */
    int32_t status;  /* of the last error */
    uint16_t code;   /* of the last close */
    int was_clean;   /* the last close's word */
};

static struct seen seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static int mistakes;
static int earlier_errors; /* of the clients before this one */
static uint8_t large[MEBIBYTE];

static uint32_t hash(const void *data, size_t length) { /* FNV-1a */
    const uint8_t *bytes = data;
    uint32_t value = 2166136261u;
    for (size_t i = 0; i < length; i++) {
        value = (value ^ bytes[i]) * 16777619u;
    }
    return value;
}

static void changed(void) {
    pthread_cond_signal(&seen.changed);
    pthread_mutex_unlock(&seen.mutex);
}

static void on_header_receive(nsws_client client, const nsws_header_receive_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("  <- header_receive  status %" PRId32 ", %zu headers\n", event->status, event->header_count);
    for (size_t i = 0; i < event->header_count; i++) {
        printf("       %s: %s\n", event->headers[i].name, event->headers[i].value);
    }
    pthread_mutex_lock(&seen.mutex);
    seen.headers++;
    changed();
}

static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("  <- open            status %" PRId32 " \"%s\", protocol \"%s\"\n", event->status, event->message,
           event->protocol);
    pthread_mutex_lock(&seen.mutex);
    seen.opens++;
    changed();
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("  <- message         %s, %zu bytes", event->is_text ? "text" : "binary", event->length);
    if (event->is_text && event->length > 0) {
        printf(": \"%.*s\"", (int)event->length, (const char *)event->data);
    }
    printf("\n");
    pthread_mutex_lock(&seen.mutex);
    seen.messages++;
    seen.length = event->length;
    seen.is_text = event->is_text;
    seen.hash = hash(event->data, event->length);
    changed();
}

static void on_data_end(nsws_client client, const nsws_data_end_event *event, void *user_data) {
    (void)client, (void)event, (void)user_data;
    printf("  <- data_end\n");
    pthread_mutex_lock(&seen.mutex);
    seen.data_ends++;
    changed();
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("  <- error           %s\n", event->message);
    printf("       code %" PRId32 " %s, detail %" PRId32 " %s, phase %s, http_status %" PRId32 "\n", event->code,
           nsws_error_name(event->code), event->detail, nsws_error_name(event->detail),
           nsws_phase_name(event->phase), event->http_status);
    pthread_mutex_lock(&seen.mutex);
    seen.errors++;
    seen.detail = event->detail;
    seen.status = event->http_status;
    changed();
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("  <- close           code %" PRIu16 " \"%s\", %s\n", event->code, event->reason,
           event->was_clean ? "clean" : "not clean");
    pthread_mutex_lock(&seen.mutex);
    seen.closes++;
    seen.code = event->code;
    seen.was_clean = event->was_clean;
    changed();
}

static void check(int right, const char *what) {
    if (!right) {
        printf("  NOT AS EXPECTED: %s\n", what);
        mistakes++;
    }
}

/* Waits until `counter` has reached `wanted`, or an error has come instead; close comes also after an error. */
static int wait_for(const int *counter, int wanted) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    pthread_mutex_lock(&seen.mutex);
    int late = 0;
    while (*counter < wanted && (seen.errors == earlier_errors || counter == &seen.closes) && !late) {
        late = pthread_cond_timedwait(&seen.changed, &seen.mutex, &until) != 0;
    }
    int reached = *counter >= wanted;
    pthread_mutex_unlock(&seen.mutex);
    return reached;
}

static nsws_client new_client(void) {
    nsws_client client = {0};
    earlier_errors = seen.errors;
    check(nsws_client_create(&client) == NSWS_OK, "nsws_client_create");
    nsws_client_on_header_receive(client, on_header_receive, NULL, NULL);
    nsws_client_on_open(client, on_open, NULL, NULL);
    nsws_client_on_message(client, on_message, NULL, NULL);
    nsws_client_on_data_end(client, on_data_end, NULL, NULL);
    nsws_client_on_error(client, on_error, NULL, NULL);
    nsws_client_on_close(client, on_close, NULL, NULL);
    return client;
}

static void echo(nsws_client client, int is_text, const void *data, size_t length, const char *name) {
    int messages = seen.messages + 1, data_ends = seen.data_ends + 1;
    printf("  -> %s\n", name);
    int32_t code = is_text ? nsws_client_send_text(client, data, length) : nsws_client_send_binary(client, data, length);
    check(code == NSWS_OK, nsws_last_error());
    check(wait_for(&seen.messages, messages), "an echo");
    check(seen.length == length && seen.is_text == is_text && seen.hash == hash(data, length), "the same message back");
    check(wait_for(&seen.data_ends, data_ends), "data_end after the message");
}

static void session(const char *url, const char *ca_file) {
    static const uint8_t bytes[] = {0, 1, 2, 253, 254, 255};
    nsws_client client = new_client();
    nsws_connect_options options;
    int headers = seen.headers, opens = seen.opens + 1, closes = seen.closes + 1;

    printf("\n%s\n", url);
    nsws_connect_options_init(&options, sizeof options);
    options.protocol = "chat";
    options.ca_path = ca_file;
    check(nsws_client_connect(client, url, &options) == NSWS_OK, nsws_last_error());
    if (wait_for(&seen.opens, opens)) {
        check(seen.headers == headers + 1, "header_receive before open");
        echo(client, 1, "hello, \xe4\xb8\x96\xe7\x95\x8c", 13, "text, 13 bytes");
        echo(client, 0, bytes, sizeof bytes, "binary, 6 bytes");
        echo(client, 0, large, sizeof large, "binary, 1 MiB");
        echo(client, 1, "", 0, "empty text");
        printf("  -> close 1000 \"bye\"\n");
        check(nsws_client_close(client, 1000, "bye") == NSWS_OK, nsws_last_error());
        check(wait_for(&seen.closes, closes) && seen.code == 1000 && seen.was_clean, "a clean close with 1000");
    } else {
        check(0, "open");
    }
    nsws_client_destroy(client);
}

static void refusal(const char *url, const char *ca_file, int32_t detail, int32_t status) {
    nsws_client client = new_client();
    nsws_connect_options options;
    int errors = seen.errors + 1, opens = seen.opens;

    printf("\n%s\n", url);
    nsws_connect_options_init(&options, sizeof options);
    options.ca_path = ca_file;
    check(nsws_client_connect(client, url, &options) == NSWS_OK, nsws_last_error());
    check(wait_for(&seen.errors, errors) && seen.opens == opens, "an error instead of open");
    check(seen.detail == detail && seen.status == status, "the detail and status of the error");
    nsws_client_destroy(client);
}

int main(int argc, char **argv) {
    char missing[256];
    if (argc != 4) {
        fprintf(stderr, "usage: demo WS_URL WSS_URL CA_FILE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (uint8_t)(i * 31 + i / 256);
    }
    snprintf(missing, sizeof missing, "%s/missing", argv[1]);

    printf("netstack_websocket %s\n", nsws_version());
    session(argv[1], NULL);
    session(argv[2], argv[3]);
    printf("\nThe same server, but its CA is not trusted:");
    refusal(argv[2], NULL, NSWS_DETAIL_CERT_ISSUER, 0);
    printf("\nA path that isn't there:");
    refusal(missing, NULL, NSWS_DETAIL_HTTP_STATUS, 404);

    check(nsws_shutdown(5000) == NSWS_OK, nsws_last_error());
    printf("\n%s\n", mistakes == 0 ? "All as expected." : "Not all as expected.");
    return mistakes != 0;
}
