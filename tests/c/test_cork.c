/* Small messages can wait for each other, and a program that can't take more can make its peers wait. */
#include "server.h"

#include <poll.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

/* A client that writes only when it is called: its heartbeat is off, and it has had an answer. */
static struct recorder *quiet_client(size_t send_queue_size) {
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    options.pong_timeout_ms = 0;
    if (send_queue_size) options.send_queue_size = send_queue_size;
    struct recorder *r = OPEN_RAW("/echo", &options);
    if (!r || !CHECK_OK(nsws_client_send_text(r->client, "first", 5)) || !WAIT(r, DATA_END, 1)) return NULL;
    return r;
}

static uint64_t waiting(struct recorder *r) {
    nsws_client_stats stats;
    CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
    return stats.queued_bytes;
}

/* What messages of one length cost while they wait: their frames, and 64 bytes each; a client's frame has a mask. */
enum { A_CLIENT_S = 2 + 4 + 64, A_SERVER_S = 2 + 64 };

static int say(struct recorder *r, const char *words) {
    return CHECK_OK(nsws_client_send_text(r->client, words, strlen(words)));
}

static void what_is_corked_waits_for_the_uncork(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    CHECK_OK(nsws_client_cork(r->client));
    static const char *const words[] = { "a", "b", "c", "d", "e" };
    for (int i = 0; i < 5; i++) say(r, words[i]);
    CHECK_INT(waiting(r), 5 * (1 + A_CLIENT_S));
    CHECK_OK(nsws_client_uncork(r->client));
    WAIT(r, MESSAGE, 6);
    for (int i = 0; i < 5; i++) CHECK_STR(WAIT(r, MESSAGE, (size_t)i + 2)->text, words[i]);
    /* And then nothing waits any more. */
    say(r, "x");
    WAIT(r, MESSAGE, 7);
}

static void corks_do_not_add_up(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    for (int i = 0; i < 3; i++) CHECK_OK(nsws_client_cork(r->client));
    say(r, "x");
    CHECK_INT(waiting(r), 1 + A_CLIENT_S);
    CHECK_OK(nsws_client_uncork(r->client));
    WAIT(r, MESSAGE, 2);
    say(r, "y");
    WAIT(r, MESSAGE, 3);
    /* One uncork too many does nothing. */
    for (int i = 0; i < 3; i++) CHECK_OK(nsws_client_uncork(r->client));
}

static void a_large_message_takes_the_small_ones_before_it_along(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    char *data = letters(1 * KIB + 1);
    CHECK_OK(nsws_client_cork(r->client));
    say(r, "x");
    CHECK_OK(nsws_client_send_text(r->client, data, 1 * KIB + 1));
    const struct event *large = WAIT(r, MESSAGE, 3);
    if (large) CHECK_INT(large->length, 1 * KIB + 1);
    CHECK_OK(nsws_client_uncork(r->client));
    free(data);
}

static void many_small_messages_do_not_wait(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    char *data = letters(1 * KIB);
    CHECK_OK(nsws_client_cork(r->client));
    for (int i = 0; i < 16; i++) CHECK_OK(nsws_client_send_text(r->client, data, 1 * KIB));
    WAIT(r, MESSAGE, 17);
    CHECK_OK(nsws_client_uncork(r->client));
    free(data);
}

static void a_queue_that_corked_messages_fill_has_its_drain(void) {
    struct recorder *r = quiet_client(1000);
    if (!r) return;
    char *data = letters(100);
    int accepted = 0;
    CHECK_OK(nsws_client_cork(r->client));
    for (;;) {
        int32_t code = nsws_client_send_text(r->client, data, 100);
        if (code == NSWS_ERR_QUEUE_FULL) break;
        if (!CHECK_OK(code) || !CHECK_MOST(++accepted, 1000)) return;
    }
    WAIT(r, DRAIN, 1);
    WAIT(r, MESSAGE, (size_t)accepted + 1);
    CHECK_OK(nsws_client_uncork(r->client));
    free(data);
}

static void close_sends_what_is_corked(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    CHECK_OK(nsws_client_cork(r->client));
    for (int i = 0; i < 5; i++) say(r, "x");
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    WAIT_PEER(r->token, "ended", 1);
    CHECK_INT(peer_number(r->token, "messages"), 6);
    CHECK_INT(peer_number(r->token, "close_code"), 1000);
}

static void destroy_and_release_send_what_is_corked(void) {
    for (int releases = 0; releases < 2; releases++) {
        struct recorder *r = quiet_client(0);
        if (!r) return;
        CHECK_OK(nsws_client_cork(r->client));
        for (int i = 0; i < 5; i++) say(r, "x");
        if (releases) {
            r->destroyed = 1;
            CHECK_OK(nsws_client_release(r->client));
        } else {
            destroy_client(r);
        }
        WAIT_PEER(r->token, "ended", 1);
        CHECK_INT(peer_number(r->token, "messages"), 6);
        CHECK_INT(peer_number(r->token, "close_code"), 1001);
    }
}

static void the_next_connection_is_not_corked(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    CHECK_OK(nsws_client_cork(r->client));
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    say(r, "again");
    WAIT(r, MESSAGE, 2);
}

static void cork_in_the_first_message(struct recorder *r, const struct event *event) {
    if (event->kind != MESSAGE || count_events(r, MESSAGE) > 1) return;
    CHECK_OK(nsws_client_cork(r->client));
    say(r, "inside");
}

static void a_cork_outlives_the_callback_that_made_it(void) {
    struct recorder *r = new_client();
    r->hook = cork_in_the_first_message;
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    if (!OPENS(r, raw_url(r, "/echo"), &options)) return;
    say(r, "first");
    WAIT(r, DATA_END, 1);
    say(r, "outside");
    CHECK_INT(waiting(r), 153); /* two frames of 12 and 13 bytes, 64 for each */
    CHECK_OK(nsws_client_uncork(r->client));
    WAIT(r, MESSAGE, 3);
    CHECK_STR(WAIT(r, MESSAGE, 2)->text, "inside");
    CHECK_STR(WAIT(r, MESSAGE, 3)->text, "outside");
}

static void answer_in_cork_and_uncork(struct recorder *r, const struct event *event) {
    if (event->kind != MESSAGE || count_events(r, MESSAGE) > 1) return;
    say(r, "before");
    CHECK_OK(nsws_client_cork(r->client));
    say(r, "between");
    CHECK_OK(nsws_client_uncork(r->client));
    say(r, "behind");
}

static void a_callback_may_cork_and_uncork(void) {
    struct recorder *r = new_client();
    r->hook = answer_in_cork_and_uncork;
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    say(r, "first");
    WAIT(r, MESSAGE, 4);
    CHECK_STR(WAIT(r, MESSAGE, 2)->text, "before");
    CHECK_STR(WAIT(r, MESSAGE, 3)->text, "between");
    CHECK_STR(WAIT(r, MESSAGE, 4)->text, "behind");
}

/* Two threads that each send numbers, corked. */

enum { SENDS = 5000 };

struct sender {
    pthread_t thread;
    struct recorder *r;
    int first;
};

static void *send_in_corks(void *data) {
    struct sender *sender = data;
    for (int i = 0; i < SENDS; i++) {
        uint32_t number = (uint32_t)(sender->first + i);
        if (i % 7 == 0) CHECK_OK(nsws_client_cork(sender->r->client));
        if (!CHECK_OK(nsws_client_send_binary(sender->r->client, &number, sizeof number))) break;
        if (i % 7 == 4) CHECK_OK(nsws_client_uncork(sender->r->client));
    }
    CHECK_OK(nsws_client_uncork(sender->r->client));
    return NULL;
}

static void two_threads_may_cork_and_lose_nothing(void) {
    struct recorder *r = quiet_client(0);
    if (!r) return;
    struct sender senders[2] = { { .r = r, .first = 0 }, { .r = r, .first = SENDS } };
    for (int i = 0; i < 2; i++) pthread_create(&senders[i].thread, NULL, send_in_corks, &senders[i]);
    for (int i = 0; i < 2; i++) pthread_join(senders[i].thread, NULL);
    if (!WAIT(r, DATA_END, 2 * SENDS + 1)) return;
    uint32_t next[2] = { 0, SENDS };
    for (size_t i = 0, messages = 0; i < r->count; i++) {
        const struct event *event = r->events[i];
        uint32_t number;
        if (event->kind != MESSAGE || messages++ == 0) continue;
        memcpy(&number, event->text, sizeof number);
        if (!CHECK_INT(number, next[number >= SENDS]++)) return;
    }
}

/* Every state of a client. */

static void check_state(const char *file, int line, nsws_client client, int32_t expected, int can_cork) {
    int32_t state = -1, corks = can_cork ? NSWS_OK : NSWS_ERR_NOT_CONNECTED;
    check_code(file, line, "get_state", nsws_client_get_state(client, &state), NSWS_OK);
    check_int(file, line, "the state", state, expected);
    check_code(file, line, "cork", nsws_client_cork(client), corks);
    check_code(file, line, "uncork", nsws_client_uncork(client), corks);
    check_code(file, line, "pause", nsws_client_pause(client), NSWS_OK);
    check_code(file, line, "resume", nsws_client_resume(client), NSWS_OK);
}

#define CHECK_STATE(client, state) check_state(__FILE__, __LINE__, client, state, (state) == NSWS_STATE_OPEN)

/* What the listeners expect, and how many have looked. */
struct look {
    int reconnects;
    struct counter looked;
};

static void check_state_in_callback(struct recorder *r, const struct event *event) {
    struct look *look = r->hook_data;
    switch (event->kind) {
        case HEADER_RECEIVE:
        case RECONNECTING: CHECK_STATE(r->client, NSWS_STATE_CONNECTING); break;
        case OPEN:
        case MESSAGE:
        case DATA_END: CHECK_STATE(r->client, NSWS_STATE_OPEN); break;
        case CLOSE: CHECK_STATE(r->client, look->reconnects ? NSWS_STATE_CONNECTING : NSWS_STATE_IDLE); break;
        case ERROR:
            if (count_events(r, OPEN) == 0) CHECK_STATE(r->client, NSWS_STATE_IDLE);
            break;
        default: break;
    }
    counter_add(&look->looked, 1);
}

static struct recorder *looking_client(struct look *look) {
    struct recorder *r = new_client();
    counter_init(&look->looked);
    r->hook = check_state_in_callback;
    r->hook_data = look;
    return r;
}

static void each_state_is_told_and_takes_corks_when_open(void) {
    struct look look = { .reconnects = 0 };
    struct recorder *r = looking_client(&look);
    CHECK_STATE(r->client, NSWS_STATE_IDLE);
    CHECK_OK(nsws_client_connect(r->client, raw_url(r, "/never-answers"), NULL));
    WAIT_PEER(r->token, "connections", 1);
    CHECK_STATE(r->client, NSWS_STATE_CONNECTING);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT_COUNTER(&look.looked, 1);
    CHECK_STATE(r->client, NSWS_STATE_IDLE);

    int fd;
    CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), NULL));
    WAIT_COUNTER(&look.looked, 2);
    close(fd);
    CHECK_STATE(r->client, NSWS_STATE_IDLE);

    nsws_connect_options options = defaults();
    options.close_timeout_ms = (uint32_t)guard_seconds() * 1000;
    if (!OPENS(r, raw_url(r, "/close-late"), &options)) return;
    say(r, "hello");
    WAIT_COUNTER(&look.looked, 6);
    CHECK_STR(order(r), "close error header_receive open message data_end");
    CHECK_STATE(r->client, NSWS_STATE_OPEN);
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CHECK_STATE(r->client, NSWS_STATE_CLOSING);
    WAIT_PEER(r->token, "close_frames", 1);
    CHECK_STATE(r->client, NSWS_STATE_CLOSING);
    destroy_client(r);
    release_peer(r->token);
}

static void a_client_that_connects_again_is_connecting(void) {
    struct look look = { .reconnects = 1 };
    struct recorder *r = looking_client(&look);
    nsws_connect_options options = defaults();
    options.reconnect_max_attempts = 1;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 3600000;
    if (!OPENS(r, raw_url(r, "/rst-after-open"), &options)) return;
    WAIT_COUNTER(&look.looked, 2);
    say(r, "go");
    WAIT_COUNTER(&look.looked, 5);
    CHECK_STR(order(r), "header_receive open error close reconnecting");
    CHECK_STATE(r->client, NSWS_STATE_CONNECTING);
    look.reconnects = 0;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT_COUNTER(&look.looked, 6);
    CHECK_STATE(r->client, NSWS_STATE_IDLE);
}

/* A server's connections. */

static uint64_t queued(nsws_connection connection) {
    nsws_connection_info info;
    CHECK_OK(nsws_connection_get_info(connection, &info, sizeof info));
    return info.queued_bytes;
}

/* A server, a client of it that has had an answer, and their connection. */
static struct recorder *quiet_connection(struct server *s, nsws_connection *connection) {
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    s->echo = 1;
    struct recorder *r = new_client();
    if (!OPENS(r, url_of(s, "/"), &options)) return NULL;
    say(r, "first");
    if (!WAIT(r, DATA_END, 1)) return NULL;
    *connection = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    return r;
}

static void a_server_s_connection_is_corked_alone(void) {
    nsws_connection connection;
    nsws_server_options options = server_defaults();
    options.ping_interval_ms = 0;
    struct server *s = started_server(&options);
    struct recorder *r = quiet_connection(s, &connection), *other = OPEN_CLIENT(s, "/");
    if (!r || !other) return;
    for (int i = 0; i < 2; i++) CHECK_OK(nsws_connection_cork(connection));
    for (int i = 0; i < 5; i++) CHECK_OK(nsws_connection_send_text(connection, "x", 1));
    CHECK_INT(queued(connection), 5 * (1 + A_SERVER_S));
    CHECK_OK(nsws_connection_send_text(SERVER_WAIT(s, ON_CONNECT, 2)->connection, "free", 4));
    WAIT(other, MESSAGE, 1);
    CHECK_INT(queued(connection), 5 * (1 + A_SERVER_S));
    CHECK_OK(nsws_connection_uncork(connection));
    WAIT(r, MESSAGE, 6);
}

static void a_broadcast_waits_for_the_uncork_and_leaves_no_one_behind(void) {
    nsws_connection connection;
    nsws_server_options options = server_defaults();
    options.ping_interval_ms = 0;
    struct server *s = started_server(&options);
    struct recorder *r = quiet_connection(s, &connection), *other = OPEN_CLIENT(s, "/");
    if (!r || !other || !SERVER_WAIT(s, ON_CONNECT, 2)) return;
    size_t accepted = 0;
    CHECK_OK(nsws_connection_cork(connection));
    CHECK_OK(nsws_server_broadcast(s->handle, "all", 3, 1, &accepted));
    CHECK_INT(accepted, 2);
    WAIT(other, MESSAGE, 1);
    CHECK_INT(queued(connection), 3 + A_SERVER_S);
    CHECK_OK(nsws_connection_uncork(connection));
    WAIT(r, MESSAGE, 2);
}

static void a_close_and_a_stop_send_what_is_corked(void) {
    for (int stops = 0; stops < 2; stops++) {
        nsws_connection connection;
        struct server *s = started_server(NULL);
        struct recorder *r = quiet_connection(s, &connection);
        if (!r) return;
        CHECK_OK(nsws_connection_cork(connection));
        for (int i = 0; i < 5; i++) CHECK_OK(nsws_connection_send_text(connection, "x", 1));
        if (stops) {
            CHECK_OK(nsws_server_stop(s->handle));
        } else {
            CHECK_OK(nsws_connection_close(connection, 1000, ""));
        }
        WAIT(r, CLOSE, 1);
        CHECK_INT(count_events(r, MESSAGE), 6);
    }
}

static void cork_in_connect_and_close(struct server *s, const struct server_event *event) {
    /* The error is that the link is lost. */
    int32_t expected = event->kind == ON_CONNECT ? NSWS_OK : NSWS_ERR_NOT_CONNECTED;
    CHECK_CODE(nsws_connection_cork(event->connection), expected);
    CHECK_CODE(nsws_connection_uncork(event->connection), expected);
    CHECK_OK(nsws_connection_pause(event->connection));
    CHECK_OK(nsws_connection_resume(event->connection));
    counter_add(s->hook_data, 1);
}

static void a_connection_takes_corks_from_its_connect_to_its_close(void) {
    static struct counter looked;
    counter_init(&looked);
    struct server *s = started_server(NULL);
    s->hook = cork_in_connect_and_close;
    s->hook_data = &looked;
    int fd = RAW_OPEN(s);
    if (fd < 0) return;
    const struct server_event *event = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!event || !WAIT_COUNTER(&looked, 1)) return;
    CHECK_OK(nsws_connection_cork(event->connection));
    CHECK_OK(nsws_connection_uncork(event->connection));
    /* The raw client leaves the close frame unanswered. */
    CHECK_OK(nsws_connection_close(event->connection, 1000, ""));
    CHECK_CODE(nsws_connection_cork(event->connection), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_connection_uncork(event->connection), NSWS_ERR_NOT_CONNECTED);
    close(fd);
    SERVER_WAIT(s, ON_CLOSE, 1);
    WAIT_COUNTER(&looked, server_count(s, ON_ERROR) + 2);
}

static void pause_at_the_first_message(struct server *s, const struct server_event *event) {
    if (event->kind == ON_MESSAGE && server_count(s, ON_MESSAGE) == 1) CHECK_OK(nsws_connection_pause(event->connection));
}

/* Writes this frame again and again, at most `count` times; returns how often it was written when the other side stopped reading,
 * that is, took nothing for half a second. The next call finishes a frame that was half written. */
static int write_until_blocked(int fd, const unsigned char *frame, size_t length, int count, size_t *written) {
    while (*written < (size_t)count * length) {
        size_t part = *written % length;
        ssize_t now = send(fd, frame + part, length - part, MSG_DONTWAIT | MSG_NOSIGNAL);
        struct pollfd writable = { fd, POLLOUT, 0 };
        if (now > 0) *written += (size_t)now;
        else if (errno != EAGAIN || poll(&writable, 1, 500) <= 0) break;
    }
    return (int)(*written / length);
}

static void a_paused_connection_slows_its_own_client_alone(void) {
    /* 64 MiB: more than sockets and buffers hold. */
    enum { SIZE = 64 * KIB, COUNT = 1024 };
    struct server *s = started_server(NULL);
    s->hook = pause_at_the_first_message;
    int fd = RAW_OPEN(s);
    if (fd < 0) return;
    nsws_connection slow = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    char *data = pattern(SIZE);
    unsigned char *frame = malloc(SIZE + FRAME_ROOM);
    size_t length = raw_frame(frame, BINARY_FRAME, data, SIZE), written = 0;
    CHECK_MOST(write_until_blocked(fd, frame, length, COUNT, &written) * (long long)SIZE, 48 * MIB);
    CHECK_MOST(server_count(s, ON_MESSAGE) * SIZE, 4 * MIB);
    /* Another client is not affected. */
    struct recorder *other = OPEN_CLIENT(s, "/");
    if (!other) return;
    nsws_connection free_one = SERVER_WAIT(s, ON_CONNECT, 2)->connection;
    for (size_t i = 1; i <= 100; i++) {
        say(other, "x");
        if (!SERVER_WAIT_OF(s, free_one, ON_MESSAGE, i)) return;
    }
    CHECK_MOST((server_count(s, ON_MESSAGE) - 100) * SIZE, 4 * MIB);
    /* Doing it twice is no error. */
    for (int i = 0; i < 2; i++) CHECK_OK(nsws_connection_resume(slow));
    while (write_until_blocked(fd, frame, length, COUNT, &written) < COUNT) {
    }
    SERVER_WAIT_OF(s, slow, ON_MESSAGE, COUNT);
    CHECK_INT(server_count(s, ON_ERROR), 0);
    close(fd);
    free(frame);
    free(data);
}

int main(void) {
    RUN(what_is_corked_waits_for_the_uncork);
    RUN(corks_do_not_add_up);
    RUN(a_large_message_takes_the_small_ones_before_it_along);
    RUN(many_small_messages_do_not_wait);
    RUN(a_queue_that_corked_messages_fill_has_its_drain);
    RUN(close_sends_what_is_corked);
    RUN(destroy_and_release_send_what_is_corked);
    RUN(the_next_connection_is_not_corked);
    RUN(a_cork_outlives_the_callback_that_made_it);
    RUN(a_callback_may_cork_and_uncork);
    RUN(two_threads_may_cork_and_lose_nothing);
    RUN(each_state_is_told_and_takes_corks_when_open);
    RUN(a_client_that_connects_again_is_connecting);
    RUN(a_server_s_connection_is_corked_alone);
    RUN(a_broadcast_waits_for_the_uncork_and_leaves_no_one_behind);
    RUN(a_close_and_a_stop_send_what_is_corked);
    RUN(a_connection_takes_corks_from_its_connect_to_its_close);
    RUN(a_paused_connection_slows_its_own_client_alone);
    return end_tests();
}
