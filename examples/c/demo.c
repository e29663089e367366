/* Shows the library at work, with a server and its clients in one program:
 *
 *     demo CERTIFICATE KEY CA_FILE
 *
 * The certificate is for localhost. Shows every event that a client can have; a client that reconnects by itself; a callback that
 * blocks and delays no other client; a certificate that is refused. Exits with 0 if everything went as it should.
 */

#define _POSIX_C_SOURCE 200809L

#include <netstack_websocket.h>

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MEBIBYTE = 1024 * 1024, PATIENCE_SECONDS = 30, ROUND_TRIPS = 1000 };

/* A client, and what has happened to it. */
struct guest {
    nsws_client client;
    sem_t opened, answered, drained, closed, failed, reconnecting;
    int quiet;
};

static const char *bold = "", *green = "", *yellow = "", *red = "", *plain = "";
static sem_t let_go; /* what the callback that blocks waits for */

/* Ends the program: something was not as it should be. */
static void fail(const char *what) {
    printf("%sNOT AS EXPECTED: %s%s %s\n", red, what, plain, nsws_last_error());
    exit(1);
}

static void must(int32_t code, const char *what) {
    if (code != NSWS_OK) {
        fail(what);
    }
}

static void wait_for(sem_t *event, const char *what) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECONDS;
    while (sem_timedwait(event, &until) != 0) {
        if (errno != EINTR) {
            fail(what);
        }
    }
}

static void title(const char *text) { printf("\n%s%s%s\n", bold, text, plain); }
static void does(const char *what) { printf("  %s->%s %s\n", yellow, plain, what); }

/* The start of an event's line. */
static void event_line(const char *name) { printf("  %s<-%s %-15s ", green, plain, name); }

/* The client's events. */

static void on_header_receive(nsws_client client, const nsws_header_receive_event *event, void *user_data) {
    (void)client;
    if (!((struct guest *)user_data)->quiet) {
        event_line("header_receive");
        printf("status %" PRId32 ", %zu headers\n", event->status, event->header_count);
    }
}

static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    struct guest *guest = user_data;
    (void)client;
    if (!guest->quiet) {
        event_line("open");
        printf("%s, protocol \"%s\"\n", event->message, event->protocol);
    }
    sem_post(&guest->opened);
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    struct guest *guest = user_data;
    (void)client;
    if (!guest->quiet) {
        event_line("message");
        printf("\"%.*s\"\n", (int)event->length, (const char *)event->data);
    }
    sem_post(&guest->answered);
}

static void on_data_end(nsws_client client, const nsws_data_end_event *event, void *user_data) {
    (void)client, (void)event;
    if (!((struct guest *)user_data)->quiet) {
        event_line("data_end");
        printf("that was the message\n");
    }
}

static void on_drain(nsws_client client, const nsws_drain_event *event, void *user_data) {
    (void)client, (void)event;
    event_line("drain");
    printf("the queue has room again\n");
    sem_post(&((struct guest *)user_data)->drained);
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)client;
    event_line("error");
    printf("%s\n", event->message);
    sem_post(&((struct guest *)user_data)->failed);
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    struct guest *guest = user_data;
    (void)client;
    if (!guest->quiet) {
        event_line("close");
        printf("%u \"%s\", %s\n", (unsigned)event->code, event->reason, event->was_clean ? "clean" : "not clean");
    }
    sem_post(&guest->closed);
}

static void on_reconnecting(nsws_client client, const nsws_reconnecting_event *event, void *user_data) {
    (void)client;
    event_line("reconnecting");
    printf("attempt %" PRIu32 ", in %" PRIu32 " ms\n", event->attempt, event->delay_ms);
    sem_post(&((struct guest *)user_data)->reconnecting);
}

static void on_message_that_blocks(nsws_client client, const nsws_message_event *event, void *user_data) {
    on_message(client, event, user_data);
    wait_for(&let_go, "the end of the wait");
}

/* The server sends text back, and takes anything else. */
static void on_server_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)server, (void)user_data;
    if (event->is_text) {
        nsws_connection_send_text(connection, (const char *)event->data, event->length);
    }
}

static void enter(struct guest *guest, const char *url, const nsws_connect_options *options, nsws_message_fn hears) {
    sem_t *events[] = {&guest->opened, &guest->answered, &guest->drained, &guest->closed, &guest->failed, &guest->reconnecting};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        sem_init(events[i], 0, 0);
    }
    must(nsws_client_create(&guest->client), "a client");
    nsws_client_on_header_receive(guest->client, on_header_receive, guest, NULL);
    nsws_client_on_open(guest->client, on_open, guest, NULL);
    nsws_client_on_message(guest->client, hears, guest, NULL);
    nsws_client_on_data_end(guest->client, on_data_end, guest, NULL);
    nsws_client_on_drain(guest->client, on_drain, guest, NULL);
    nsws_client_on_error(guest->client, on_error, guest, NULL);
    nsws_client_on_close(guest->client, on_close, guest, NULL);
    nsws_client_on_reconnecting(guest->client, on_reconnecting, guest, NULL);
    must(nsws_client_connect(guest->client, url, options), "connect");
}

static void leave(struct guest *guest) {
    must(nsws_client_close(guest->client, 1000, "bye"), "close");
    wait_for(&guest->closed, "close");
    nsws_client_destroy(guest->client);
}

/* What it shows. */

static void every_event(const char *url, nsws_connect_options options, nsws_server server, const nsws_server_options *house) {
    static struct guest guest;
    static const uint8_t large[MEBIBYTE];
    char line[128];

    title("A client over wss, all that it hears, and a server that goes away");
    options.send_queue_size = 64 * 1024;
    options.reconnect_max_attempts = 10;
    options.reconnect_min_delay_ms = 100;
    snprintf(line, sizeof line, "connect to %s", url);
    does(line);
    enter(&guest, url, &options, on_message);
    wait_for(&guest.opened, "open");

    does("\"hello, \xe4\xb8\x96\xe7\x95\x8c\"");
    must(nsws_client_send_text(guest.client, "hello, \xe4\xb8\x96\xe7\x95\x8c", 13), "send");
    wait_for(&guest.answered, "the same back");

    does("messages of 1 MiB, until the queue takes no more");
    int32_t code = NSWS_OK;
    while (code == NSWS_OK) {
        code = nsws_client_send_binary(guest.client, large, sizeof large);
    }
    if (code != NSWS_ERR_QUEUE_FULL) {
        fail("a full queue");
    }
    wait_for(&guest.drained, "drain");

    does("the server stops, and starts again");
    must(nsws_server_stop(server), "stop");
    wait_for(&guest.reconnecting, "reconnecting");
    must(nsws_server_start(server, house), "the server again");
    wait_for(&guest.opened, "open again");
    wait_for(&guest.closed, "the first close");
    does("close");
    leave(&guest);
}

static void nobody_waits(const char *url, const nsws_connect_options *options) {
    static struct guest stuck, lively;
    struct timespec start, end;

    title("A callback that blocks");
    sem_init(&let_go, 0, 0);
    stuck.quiet = lively.quiet = 1;
    enter(&stuck, url, options, on_message_that_blocks);
    enter(&lively, url, options, on_message);
    wait_for(&stuck.opened, "open");
    wait_for(&lively.opened, "open");
    must(nsws_client_send_text(stuck.client, "x", 1), "send");
    wait_for(&stuck.answered, "the callback that blocks");
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < ROUND_TRIPS; i++) {
        must(nsws_client_send_text(lively.client, "x", 1), "send");
        wait_for(&lively.answered, "an answer beside a callback that blocks");
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("  While the first client's callback blocks, the second has %d answers in %.0f ms.\n", ROUND_TRIPS,
           (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6);
    sem_post(&let_go);
    leave(&stuck);
    leave(&lively);
}

static void nobody_vouches(const char *url) {
    static struct guest guest;
    title("A certificate of a CA that this machine does not know");
    enter(&guest, url, NULL, on_message);
    wait_for(&guest.failed, "a refusal");
    nsws_client_destroy(guest.client);
}

int main(int argc, char **argv) {
    nsws_server_options house;
    nsws_connect_options options;
    nsws_server server;
    uint16_t port;
    char url[64];

    if (argc != 4) {
        fprintf(stderr, "usage: demo CERTIFICATE KEY CA_FILE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *terminal = getenv("TERM");
    if (isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && terminal != NULL && strcmp(terminal, "dumb") != 0) {
        bold = "\33[1m", green = "\33[32m", yellow = "\33[33m", red = "\33[31m", plain = "\33[0m";
    }

    nsws_server_options_init(&house, sizeof house);
    house.server_ip = "127.0.0.1";
    house.cert_path = argv[1];
    house.key_path = argv[2];
    house.protocol = "chat";
    must(nsws_server_create(&server), "a server");
    nsws_server_on_message(server, on_server_message, NULL, NULL);
    must(nsws_server_start(server, &house), "a server that listens");
    must(nsws_server_get_port(server, &port), "its port");
    house.server_port = port;
    snprintf(url, sizeof url, "wss://localhost:%u/", (unsigned)port);

    nsws_connect_options_init(&options, sizeof options);
    options.ca_path = argv[3];
    options.protocol = "chat";
    every_event(url, options, server, &house);
    nobody_waits(url, &options);
    nobody_vouches(url);

    nsws_server_destroy(server);
    must(nsws_shutdown(5000), "the end of all threads");
    return 0;
}
