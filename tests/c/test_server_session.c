/* Sessions: clients connect, exchange messages and close; with clients of other libraries, too. */
#include "server.h"

#include <poll.h>

#define MIB ((size_t)1 << 20)

/* The other clients: each is given the same commands. */

static void a_client_is_heard_and_answered(void) {
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct server *s = new_server();
        struct other *other = new_other(other_clients[i]);
        s->echo = 1;
        if (!START(s, NULL)) return;
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/chat/room?x=%%20y - X-Token: abc", s->port), "open -");
        const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
        if (!connect) return;
        CHECK_STR(connect->path, "/chat/room?x=%20y");
        CHECK_STR(connect->protocol, "");
        CHECK_STR(connect->ip, "127.0.0.1");
        CHECK_STR(header_of(connect, "x-token"), "abc");
        CHECK_STR(header_of(connect, "Sec-WebSocket-Version"), "13");
        char address[64];
        snprintf(address, sizeof address, "127.0.0.1 %d", connect->port);
        CHECK_STR(ask_other(other, "address a"), address);
        CHECK_STR(ask_other(other, "ping a"), "pong");
        CHECK_STR(ask_other(other, "echo a text 5"), "same");
        CHECK_OK(nsws_connection_send_text(connect->connection, "from the server", 15));
        CHECK_STR(ask_other(other, "read a"), "text from the server");
        nsws_connection_info info;
        CHECK_OK(nsws_connection_get_info(connect->connection, &info, sizeof info));
        CHECK(info.messages_sent == 2 && info.bytes_sent == 20);
        CHECK(info.messages_received == 1 && info.bytes_received == 5 && info.queued_bytes == 0);
        CHECK_STR(info.client_ip, "127.0.0.1");
        CHECK_INT(info.client_port, connect->port);
        CHECK_STR(ask_other(other, "close a 3000 so long"), "closed 3000 so long");
        const struct server_event *close = SERVER_WAIT(s, ON_CLOSE, 1);
        if (close) CHECK(close->code == 3000 && close->was_clean && strcmp(close->text, "so long") == 0);
        CHECK_STR(server_order(s, connect->connection), "connect message close");
    }
}

static void every_size_comes_back(void) {
    static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, MIB, MIB + 1, 5 * MIB };
    struct server *s = new_server();
    s->echo = 1;
    if (!START(s, NULL)) return;
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct other *other = new_other(other_clients[i]);
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/", s->port), "open -");
        for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
            CHECK_STR(ask_other(other, "echo a text %ld", (long)sizes[size]), "same");
            CHECK_STR(ask_other(other, "echo a binary %ld", (long)sizes[size]), "same");
        }
        CHECK_STR(ask_other(other, "close a 1000"), "closed 1000");
    }
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        char *data = pattern(sizes[size]);
        CHECK_OK(nsws_client_send_binary(r->client, data, sizes[size]));
        const struct event *event = WAIT(r, MESSAGE, size + 1);
        CHECK(event && !event->is_text && event->length == sizes[size] && memcmp(event->text, data, event->length) == 0);
        free(data);
    }
}

static void the_sub_protocol_is_the_servers_first_that_the_client_speaks(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.protocol = "chat.v2, chat.v1";
    if (!START(s, &options)) return;
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct other *other = new_other(other_clients[i]);
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/ chat.v1,chat.v2", s->port), "open chat.v2");
        CHECK_STR(ask_other(other, "open b ws://127.0.0.1:%d/ other,chat.v1", s->port), "open chat.v1");
        CHECK_STR(ask_other(other, "open c ws://127.0.0.1:%d/", s->port), "open -");
    }
    nsws_connect_options client = defaults();
    client.protocol = "Chat.v2";
    struct recorder *r = new_client();
    if (!OPENS(r, url_of(s, "/"), &client)) return;
    const struct event *open = WAIT(r, OPEN, 1);
    if (open) CHECK_STR(open->protocol, "");
    static const char *const chosen[] = { "chat.v2", "chat.v1", "" };
    for (size_t i = 0; i < 6; i++) {
        const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, i + 1);
        if (connect) CHECK_STR(connect->protocol, chosen[i % 3]);
    }
}

static void the_request_arrives_as_it_was_written(void) {
    struct server *s = started_server(NULL);
    int fd = raw_connect(s);
    raw_say(fd, "GET /a?b%23c HTTP/1.1\r\nhost:x\r\nX-Twice: one\r\nx-tWICE:  two \r\nX-Empty:\r\nX-Bytes: \xe4\xb8\x96\r\n" RAW_UPGRADE "\r\n");
    CHECK_INT(raw_status(fd), 101);
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!connect) return;
    CHECK_STR(connect->path, "/a?b%23c");
    static const char *const expected[][2] = {
        { "host", "x" }, { "X-Twice", "one" }, { "x-tWICE", "two" }, { "X-Empty", "" }, { "X-Bytes", "\xe4\xb8\x96" },
    };
    CHECK_LEAST(connect->headers.count, 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(connect->headers.names[i], expected[i][0]);
        CHECK_STR(connect->headers.values[i], expected[i][1]);
    }
    close(fd);
}

static void what_follows_the_head_in_its_segment_is_the_first_message(void) {
    struct server *s = started_server(NULL);
    unsigned char frame[64];
    char bytes[1024];
    int fd = raw_connect(s);
    size_t head = strlen(RAW_REQUEST), size = raw_frame(frame, TEXT_FRAME, "early", 5);
    memcpy(bytes, RAW_REQUEST, head);
    /* One and a half messages. */
    memcpy(bytes + head, frame, size);
    memcpy(bytes + head + size, frame, 3);
    raw_write(fd, bytes, head + size + 3);
    CHECK_INT(raw_status(fd), 101);
    const struct server_event *message = SERVER_WAIT(s, ON_MESSAGE, 1);
    if (message) CHECK_STR(message->text, "early");
    raw_write(fd, frame + 3, size - 3);
    message = SERVER_WAIT(s, ON_MESSAGE, 2);
    if (message) CHECK_STR(message->text, "early");
    CHECK_STR(server_order(s, every_connection), "connect message message");
    close(fd);
}

static void fragments_are_joined_and_pings_answered_between_them(void) {
    struct server *s = started_server(NULL);
    struct frame frame;
    int fd = RAW_OPEN(s);
    raw_send(fd, 0x01, "he", 2);
    raw_send(fd, PING_FRAME, "knock", 5);
    CHECK(raw_receive(fd, PONG_FRAME, &frame) && frame.length == 5 && memcmp(frame.data, "knock", 5) == 0);
    raw_send(fd, 0x00, "l", 1);
    raw_send(fd, 0x80, "lo", 2);
    const struct server_event *message = SERVER_WAIT(s, ON_MESSAGE, 1);
    if (message) CHECK_STR(message->text, "hello");
    close(fd);
}

/* Broadcast. */

static void a_broadcast_reaches_everyone(void) {
    struct server *s = started_server(NULL);
    struct other *others[OTHER_CLIENTS];
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        others[i] = new_other(other_clients[i]);
        CHECK_STR(ask_other(others[i], "open a ws://127.0.0.1:%d/", s->port), "open -");
    }
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    SERVER_WAIT(s, ON_CONNECT, 3);
    size_t accepted = 0;
    CHECK_OK(nsws_server_broadcast(s->handle, "to all", 6, 1, &accepted));
    CHECK_INT(accepted, 3);
    char *large = pattern(3 * MIB);
    CHECK_OK(nsws_server_broadcast(s->handle, large, 3 * MIB, 0, &accepted));
    CHECK_INT(accepted, 3);
    CHECK_OK(nsws_server_broadcast(s->handle, NULL, 0, 0, NULL));
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        CHECK_STR(ask_other(others[i], "read a"), "text to all");
        CHECK_STR(ask_other(others[i], "read a"), "binary 3145728");
        CHECK_STR(ask_other(others[i], "read a"), "binary 0");
    }
    const struct event *event = WAIT(r, MESSAGE, 3);
    if (!event) return;
    CHECK(!event->is_text && event->length == 0);
    CHECK_STR(find_event(r, MESSAGE, 1)->text, "to all");
    event = find_event(r, MESSAGE, 2);
    CHECK(event->length == 3 * MIB && memcmp(event->text, large, 3 * MIB) == 0);
    free(large);
}

static void broadcast_what_comes(struct server *s, const struct server_event *event) {
    if (event->kind == ON_MESSAGE) CHECK_OK(nsws_server_broadcast(s->handle, event->text, event->length, 1, NULL));
}

static void a_message_may_be_broadcast_in_its_callback(void) {
    struct server *s = started_server(NULL);
    struct recorder *clients[3];
    s->hook = broadcast_what_comes;
    for (int i = 0; i < 3; i++)
        if (!(clients[i] = OPEN_CLIENT(s, "/"))) return;
    SERVER_WAIT(s, ON_CONNECT, 3);
    for (int i = 0; i < 300; i++) CHECK_OK(nsws_client_send_text(clients[i % 3]->client, "x", 1));
    for (int i = 0; i < 3; i++) WAIT(clients[i], MESSAGE, 300);
}

enum { BROADCASTS = 100 };
static struct gate together;

static void *broadcast_numbers(void *user) {
    struct server *s = user;
    static int threads;
    int thread = __atomic_add_fetch(&threads, 1, __ATOMIC_SEQ_CST);
    gate_pass(&together);
    for (int i = 0; i < BROADCASTS; i++) {
        /* So long that writing it takes a while. */
        static const size_t length = 16384;
        char *text = letters(length);
        snprintf(text, length, "%d of thread %d", i, thread);
        CHECK_OK(nsws_server_broadcast(s->handle, text, length, 1, NULL));
        free(text);
        sched_yield();
    }
    return NULL;
}

static void broadcasts_of_several_threads_reach_all_in_the_same_order(void) {
    enum { THREADS = 3, CLIENTS = 6, ALL = THREADS * BROADCASTS };
    struct server *s = started_server(NULL);
    struct recorder *clients[CLIENTS];
    pthread_t threads[THREADS];
    for (int i = 0; i < CLIENTS; i++)
        if (!(clients[i] = OPEN_CLIENT(s, "/"))) return;
    SERVER_WAIT(s, ON_CONNECT, CLIENTS);
    gate_init(&together);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, broadcast_numbers, s);
    WAIT_WAITING(&together, THREADS);
    gate_open(&together);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < CLIENTS; i++)
        if (!WAIT(clients[i], DATA_END, ALL)) return;
    for (size_t message = 1; message <= ALL; message++)
        for (int i = 1; i < CLIENTS; i++)
            if (!CHECK_STR(find_event(clients[i], MESSAGE, message)->text, find_event(clients[0], MESSAGE, message)->text)) return;
}

/* A reader that never reads: its queue fills and refuses, the others get everything, and it costs only itself. */
static void a_client_that_never_reads_is_passed_over_by_broadcasts(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.send_queue_size = 4 * MIB;
    options.close_timeout_ms = 200;
    if (!START(s, &options)) return;
    int deaf = RAW_OPEN(s);
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!connect || !r) return;
    SERVER_WAIT(s, ON_CONNECT, 2);
    char *data = pattern(MIB / 2);
    size_t accepted = 2, rounds = 0;
    while (accepted == 2 && rounds < 1000) {
        CHECK_OK(nsws_server_broadcast(s->handle, data, MIB / 2, 0, &accepted));
        if (!WAIT(r, MESSAGE, ++rounds)) return;
    }
    CHECK_INT(accepted, 1);
    nsws_connection_info info;
    CHECK_OK(nsws_connection_get_info(connect->connection, &info, sizeof info));
    CHECK_MOST(info.queued_bytes, 4 * MIB);
    CHECK_LEAST(info.queued_bytes, 3 * MIB);
    CHECK_CODE(nsws_connection_send_binary(connect->connection, data, MIB), NSWS_ERR_QUEUE_FULL);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(nsws_server_broadcast(s->handle, data, MIB / 2, 0, &accepted));
        CHECK_INT(accepted, 1);
        if (!WAIT(r, MESSAGE, ++rounds)) return;
    }
    /* Now it reads: everything that was accepted arrives, and a drain event says that there is room. */
    char *received = malloc(MIB);
    long long expected = (long long)(rounds - 21) * (long long)(MIB / 2 + 10), got = 0;
    while (got < expected) {
        ssize_t count = recv(deaf, received, MIB, 0);
        if (!CHECK(count > 0)) break;
        got += count;
    }
    CHECK_INT(got, expected);
    const struct server_event *drain = SERVER_WAIT(s, ON_DRAIN, 1);
    if (drain) CHECK(drain->connection.id == connect->connection.id && drain->queued_bytes <= 2 * MIB);
    CHECK_OK(nsws_connection_send_binary(connect->connection, data, 1));
    free(received);
    free(data);
    close(deaf);
}

/* Limits. */

static void a_message_above_the_limit_ends_its_connection_with_1009(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_receive_size = 1000;
    if (!START(s, &options)) return;
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct other *other = new_other(other_clients[i]);
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/", s->port), "open -");
        CHECK_STR(ask_other(other, "send a binary 1000"), "sent");
        SERVER_WAIT(s, ON_MESSAGE, (size_t)i + 1);
        CHECK_STR(ask_other(other, "send a binary 1001"), "sent");
        CHECK_STR(ask_other(other, "closed a"), "closed 1009 Message too big");
    }
    const struct server_event *error = SERVER_WAIT(s, ON_ERROR, 1), *close = SERVER_WAIT(s, ON_CLOSE, 2);
    if (error) CHECK(error->detail == NSWS_DETAIL_MESSAGE_TOO_BIG && error->phase == NSWS_PHASE_PROTOCOL);
    if (error) CHECK_CONTAINS(error->text, "127.0.0.1");
    if (close) CHECK(close->code == 1009 && !close->was_clean);
    CHECK_STR(server_order(s, close->connection), "connect message error close");
}

static void more_than_the_limit_is_not_sent(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_send_size = 10;
    if (!START(s, &options)) return;
    struct recorder *r = OPEN_CLIENT(s, "/");
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!r || !connect) return;
    CHECK_CODE(nsws_connection_send_text(connect->connection, "01234567890", 11), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast(s->handle, "01234567890", 11, 1, NULL), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_connection_send_text(connect->connection, "0123456789", 10));
    CHECK_OK(nsws_server_broadcast(s->handle, "0123456789", 10, 1, NULL));
    WAIT(r, MESSAGE, 2);
}

/* Heartbeat. */

static void a_client_that_answers_no_ping_is_given_up(void) {
    struct server *s = new_server();
    struct frame frame;
    nsws_server_options options = server_defaults();
    options.ping_interval_ms = 50;
    options.pong_timeout_ms = 50;
    if (!START(s, &options)) return;
    int silent = RAW_OPEN(s);
    const struct server_event *error = SERVER_WAIT(s, ON_ERROR, 1), *end = SERVER_WAIT(s, ON_CLOSE, 1);
    if (error) CHECK(error->detail == NSWS_DETAIL_HEARTBEAT_LOST && error->phase == NSWS_PHASE_HEARTBEAT);
    if (end) CHECK(end->code == 1006 && !end->was_clean);
    if (end) CHECK_STR(end->text, "The link is down");
    CHECK(raw_receive(silent, PING_FRAME, &frame));
    CHECK(raw_ends(silent));
    close(silent);
}

static void a_client_that_answers_pings_is_kept(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.ping_interval_ms = 20;
    options.pong_timeout_ms = 0;
    if (!START(s, &options)) return;
    struct recorder *r = OPEN_CLIENT(s, "/");
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    int quiet = RAW_OPEN(s);
    struct frame frame;
    if (!r || !connect) return;
    /* Without a timeout, pings go on although no pong comes; the other one's round trips are measured. */
    for (int i = 0; i < 5; i++) CHECK(raw_receive(quiet, PING_FRAME, &frame));
    nsws_connection_info info = { 0 };
    long long end = now_us() + guard_seconds() * 1000000LL;
    while (info.rtt_us == 0 && now_us() < end) CHECK_OK(nsws_connection_get_info(connect->connection, &info, sizeof info));
    CHECK_LEAST(info.rtt_us, 1);
    CHECK_INT(server_count(s, ON_CLOSE), 0);
    close(quiet);
}

/* Backpressure. */

static struct gate slow_gate;

static void wait_at_the_first_message(struct server *s, const struct server_event *event) {
    if (event->kind == ON_MESSAGE && server_count(s, ON_MESSAGE) == 1) gate_pass(&slow_gate);
}

static void a_slow_listener_stops_the_reading(void) {
    struct server *s = started_server(NULL);
    gate_init(&slow_gate);
    s->hook = wait_at_the_first_message;
    int fd = RAW_OPEN(s);
    char *data = letters(65536);
    unsigned char *frame = malloc(65536 + FRAME_ROOM);
    size_t size = raw_frame(frame, BINARY_FRAME, data, 65536), sent = 0;
    raw_write(fd, frame, size);
    WAIT_WAITING(&slow_gate, 1);
    /* The socket takes what the system's buffers and the mailbox hold, far less than 256 MiB, and then nothing more. */
    struct pollfd room = { fd, POLLOUT, 0 };
    size_t offset = 0;
    while (sent < 4096 && poll(&room, 1, 300) == 1) {
        ssize_t count = send(fd, frame + offset, size - offset, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) offset += (size_t)count;
        if (offset == size) {
            sent++;
            offset = 0;
        }
    }
    CHECK_LEAST(sent, 1);
    CHECK_MOST(sent, 4095);
    gate_open(&slow_gate);
    if (offset > 0) raw_write(fd, frame + offset, size - offset);
    sent += offset > 0;
    SERVER_WAIT(s, ON_MESSAGE, sent + 1);
    for (size_t i = 1; i <= sent + 1; i++) CHECK_INT(server_find(s, every_connection, ON_MESSAGE, i)->length, 65536);
    free(frame);
    free(data);
    close(fd);
}

/* Closing. */

static void codes_go_both_ways(void) {
    static const int codes[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999 };
    struct server *s = started_server(NULL);
    struct other *python = new_other("NSWS_PYTHON_CLIENT");
    size_t count = 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "closed %d because", codes[i]);
        /* The client begins. */
        CHECK_STR(ask_other(python, "open a ws://127.0.0.1:%d/", s->port), "open -");
        CHECK_STR(ask_other(python, "close a %d because", codes[i]), expected);
        const struct server_event *close = SERVER_WAIT(s, ON_CLOSE, ++count);
        if (close) CHECK(close->code == codes[i] && close->was_clean && strcmp(close->text, "because") == 0);
        /* The server begins. */
        CHECK_STR(ask_other(python, "open a ws://127.0.0.1:%d/", s->port), "open -");
        const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, count + 1);
        if (!connect) return;
        CHECK_OK(nsws_connection_send_text(connect->connection, "last words", 10));
        CHECK_OK(nsws_connection_close(connect->connection, (uint16_t)codes[i], "because"));
        CHECK_STR(ask_other(python, "read a"), "text last words");
        CHECK_STR(ask_other(python, "closed a"), expected);
        close = SERVER_WAIT(s, ON_CLOSE, ++count);
        if (close) CHECK(close->code == codes[i] && close->was_clean);
    }
    CHECK_INT(server_count(s, ON_ERROR), 0);
}

static void a_client_that_does_not_answer_is_cut_after_the_close_timeout(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.close_timeout_ms = 50;
    if (!START(s, &options)) return;
    int fd = RAW_OPEN(s);
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!connect) return;
    CHECK_OK(nsws_connection_close(connect->connection, 1000, ""));
    CHECK_INT(raw_close_code(fd), 1000);
    CHECK(raw_ends(fd));
    const struct server_event *error = SERVER_WAIT(s, ON_ERROR, 1), *end = SERVER_WAIT(s, ON_CLOSE, 1);
    if (error) CHECK_INT(error->detail, NSWS_DETAIL_CLOSE_TIMEOUT);
    if (end) CHECK(end->code == 1006 && !end->was_clean);
    close(fd);
}

static void a_lost_link_is_an_error_and_1006(void) {
    struct server *s = started_server(NULL);
    for (int reset = 0; reset < 2; reset++) {
        int fd = RAW_OPEN(s);
        if (!SERVER_WAIT(s, ON_CONNECT, (size_t)reset + 1)) return;
        if (reset) raw_reset(fd);
        else close(fd);
        const struct server_event *error = SERVER_WAIT(s, ON_ERROR, (size_t)reset + 1);
        const struct server_event *end = SERVER_WAIT(s, ON_CLOSE, (size_t)reset + 1);
        if (error) CHECK(error->code == NSWS_ERR_CONNECT_FAILED && error->detail == NSWS_DETAIL_LINK_LOST);
        if (error && reset) CHECK_INT(error->os_error, ECONNRESET);
        if (error) CHECK_CONTAINS(error->text, "127.0.0.1");
        if (end) CHECK(end->code == 1006 && !end->was_clean && strcmp(end->text, "The link is down") == 0);
    }
}

/* Stopping. */

static int connect_fails(struct server *s) {
    int fd = raw_connect(s);
    if (fd >= 0) close(fd);
    return fd < 0;
}

/* The port is free: any server can take it at once, although old connections are still closing. */
static void the_port_is_free(struct server *s) {
    struct server *second = new_server();
    nsws_server_options options = server_defaults();
    CHECK(connect_fails(s));
    options.server_port = s->port;
    CHECK_OK(nsws_server_start(second->handle, &options));
    CHECK_OK(nsws_server_stop(second->handle));
}

static void stop_tells_100_busy_clients_goodbye(void) {
    enum { MINE = 34, THEIRS = 33, ALL = MINE + 2 * THEIRS };
    struct server *s = new_server();
    struct other *others[OTHER_CLIENTS];
    struct recorder *mine[MINE];
    s->echo = 1;
    if (!START(s, NULL)) return;
    for (int i = 0; i < OTHER_CLIENTS; i++) others[i] = new_other(other_clients[i]);
    for (int i = 0; i < OTHER_CLIENTS; i++) tell(others[i], "busy %d ws://127.0.0.1:%d/", THEIRS, s->port);
    for (int i = 0; i < MINE; i++)
        if (!(mine[i] = OPEN_CLIENT(s, "/"))) return;
    for (int i = 0; i < OTHER_CLIENTS; i++) CHECK_STR(take_answer(others[i]), "busy 33");
    SERVER_WAIT(s, ON_CONNECT, ALL);
    char *data = pattern(100);
    for (int i = 0; i < MINE; i++)
        for (int j = 0; j < 20; j++) CHECK_OK(nsws_client_send_binary(mine[i]->client, data, 100));
    SERVER_WAIT(s, ON_MESSAGE, ALL * 5);

    CHECK_OK(nsws_server_stop(s->handle));
    the_port_is_free(s);
    for (int i = 0; i < OTHER_CLIENTS; i++) CHECK_STR(ask_other(others[i], "over"), "1001=33");
    for (int i = 0; i < MINE; i++) {
        const struct event *close = WAIT(mine[i], CLOSE, 1);
        if (close) CHECK(close->code == 1001 && close->was_clean && strcmp(close->text, "server is going away") == 0);
    }
    SERVER_WAIT(s, ON_CLOSE, ALL);
    BECOMES(listed(s), 0);
    CHECK_INT(server_count(s, ON_CONNECT), ALL);
    for (size_t i = 1; i <= ALL; i++) {
        const struct server_event *close = server_find(s, every_connection, ON_CLOSE, i);
        CHECK(close->code == 1001 && close->was_clean);
    }
    /* And again. */
    nsws_server_options options = server_defaults();
    options.server_port = s->port;
    if (!START(s, &options)) return;
    struct recorder *again = OPEN_CLIENT(s, "/");
    if (!again) return;
    CHECK_OK(nsws_client_send_text(again->client, "again", 5));
    WAIT(again, MESSAGE, 1);
    free(data);
}

static void stop_flushes_what_was_accepted(void) {
    struct server *s = started_server(NULL);
    struct recorder *r = OPEN_CLIENT(s, "/");
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!r || !connect) return;
    char *data = pattern(MIB);
    for (int i = 0; i < 10; i++) CHECK_OK(nsws_connection_send_binary(connect->connection, data, MIB));
    CHECK_OK(nsws_server_stop(s->handle));
    CHECK_CODE(nsws_connection_send_binary(connect->connection, data, 1), NSWS_ERR_NOT_CONNECTED);
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK(close->code == 1001 && close->was_clean);
    CHECK_INT(count_events(r, MESSAGE), 10);
    free(data);
}

static void stop_cuts_handshakes_and_those_who_do_not_answer(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.close_timeout_ms = 50;
    if (!START(s, &options)) return;
    int silent = RAW_OPEN(s), shaking = raw_connect(s), all_read;
    if (!SERVER_WAIT(s, ON_CONNECT, 1)) return;
    raw_say(shaking, "GET / HT");
    do BECOMES(accepted_sockets(s->port, &all_read), 2);
    while (!all_read);
    CHECK_OK(nsws_server_stop(s->handle));
    CHECK(raw_ends(shaking));
    CHECK_INT(raw_close_code(silent), 1001);
    CHECK(raw_ends(silent));
    const struct server_event *end = SERVER_WAIT(s, ON_CLOSE, 1);
    if (end) CHECK_INT(end->code, 1006);
    close(shaking);
    close(silent);
}

/* Everything inside every callback. */

struct inside {
    enum server_kind when;
    int32_t (*call)(struct server *, nsws_connection);
    int32_t result;
    struct counter done;
};

static int32_t send_there(struct server *s, nsws_connection c) {
    (void)s;
    return nsws_connection_send_text(c, "inside", 6);
}
static int32_t close_there(struct server *s, nsws_connection c) {
    (void)s;
    return nsws_connection_close(c, 4000, "inside");
}
static int32_t stop_there(struct server *s, nsws_connection c) {
    (void)c;
    return nsws_server_stop(s->handle);
}
static int32_t restart_there(struct server *s, nsws_connection c) {
    nsws_server_options options = server_defaults();
    (void)c;
    CHECK_OK(nsws_server_stop(s->handle));
    options.server_port = s->port;
    return nsws_server_start(s->handle, &options);
}
static int32_t destroy_there(struct server *s, nsws_connection c) {
    (void)c;
    s->destroyed = 1;
    int32_t code = nsws_server_destroy(s->handle);
    CHECK_CODE(nsws_server_destroy(s->handle), NSWS_ERR_BAD_HANDLE);
    CHECK_CODE(nsws_connection_send_text(c, "x", 1), NSWS_ERR_BAD_HANDLE);
    return code;
}
static int32_t broadcast_there(struct server *s, nsws_connection c) {
    CHECK_CODE(nsws_client_send_text((nsws_client){ c.id }, "x", 1), NSWS_ERR_BAD_HANDLE);
    return nsws_server_broadcast(s->handle, "inside", 6, 1, NULL);
}

static void do_inside(struct server *s, const struct server_event *event) {
    struct inside *inside = s->hook_data;
    if (event->kind != inside->when || counter_value(&inside->done) > 0) return;
    inside->result = inside->call(s, event->connection);
    counter_add(&inside->done, 1);
}

static void everything_may_be_called_inside_every_callback(void) {
    static const struct {
        const char *name;
        int32_t (*call)(struct server *, nsws_connection);
        /* What it returns in connect, message, close, error, drain. */
        int32_t results[SERVER_KINDS];
    } calls[] = {
        { "send", send_there, { NSWS_OK, NSWS_OK, NSWS_ERR_NOT_CONNECTED, NSWS_ERR_NOT_CONNECTED, NSWS_OK } },
        { "close", close_there, { NSWS_OK, NSWS_OK, NSWS_ERR_NOT_CONNECTED, NSWS_ERR_NOT_CONNECTED, NSWS_OK } },
        { "stop", stop_there, { NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK } },
        { "stop and start", restart_there, { NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK } },
        { "broadcast", broadcast_there, { NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK } },
        { "destroy", destroy_there, { NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK, NSWS_OK } },
    };
    char *data = pattern(MIB);
    for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
        for (int kind = 0; kind < SERVER_KINDS; kind++) {
            struct server *s = new_server();
            static struct inside inside;
            inside.when = (enum server_kind)kind;
            inside.call = calls[call].call;
            counter_init(&inside.done);
            nsws_server_options options = server_defaults();
            options.send_queue_size = MIB;
            options.close_timeout_ms = 100;
            s->hook = do_inside;
            s->hook_data = &inside;
            if (!START(s, &options)) return;
            int fd = RAW_OPEN(s);
            if (kind == ON_MESSAGE) raw_send(fd, TEXT_FRAME, "x", 1);
            if (kind == ON_CLOSE) raw_send(fd, CLOSE_FRAME, "", 0);
            if (kind == ON_ERROR && SERVER_WAIT(s, ON_CONNECT, 1)) raw_reset(fd);
            if (kind == ON_DRAIN) {
                const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
                if (!connect) return;
                while (nsws_connection_send_binary(connect->connection, data, MIB) == NSWS_OK) {
                }
                char *received = malloc(MIB);
                while (server_count(s, ON_DRAIN) == 0 && recv(fd, received, MIB, 0) > 0) {
                }
                free(received);
            }
            if (!WAIT_COUNTER(&inside.done, 1)) return;
            if (s->destroyed) SERVER_WAIT_FREED(s, SERVER_KINDS);
            else destroy_server(s);
            if (inside.result != calls[call].results[kind])
                harness_fail(__FILE__, __LINE__, "%s in %s gives %s", calls[call].name, server_kind_names[kind],
                             nsws_error_name(inside.result));
            if (kind != ON_ERROR) close(fd);
        }
    }
    free(data);
}

static void stop_in_message(struct server *s, const struct server_event *event) {
    if (event->kind == ON_MESSAGE && server_count(s, ON_MESSAGE) == 1) CHECK_OK(nsws_server_stop(s->handle));
}

static void stop_in_a_callback_still_gives_each_its_close(void) {
    struct server *s = new_server();
    s->hook = stop_in_message;
    if (!START(s, NULL)) return;
    struct recorder *clients[10];
    for (int i = 0; i < 10; i++)
        if (!(clients[i] = OPEN_CLIENT(s, "/"))) return;
    SERVER_WAIT(s, ON_CONNECT, 10);
    CHECK_OK(nsws_client_send_text(clients[3]->client, "stop", 4));
    SERVER_WAIT(s, ON_CLOSE, 10);
    for (int i = 0; i < 10; i++) {
        const struct event *close = WAIT(clients[i], CLOSE, 1);
        if (close) CHECK_INT(close->code, 1001);
    }
    the_port_is_free(s);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(a_client_is_heard_and_answered);
    RUN(every_size_comes_back);
    RUN(the_sub_protocol_is_the_servers_first_that_the_client_speaks);
    RUN(the_request_arrives_as_it_was_written);
    RUN(what_follows_the_head_in_its_segment_is_the_first_message);
    RUN(fragments_are_joined_and_pings_answered_between_them);
    RUN(a_broadcast_reaches_everyone);
    RUN(a_message_may_be_broadcast_in_its_callback);
    RUN(broadcasts_of_several_threads_reach_all_in_the_same_order);
    RUN(a_client_that_never_reads_is_passed_over_by_broadcasts);
    RUN(a_message_above_the_limit_ends_its_connection_with_1009);
    RUN(more_than_the_limit_is_not_sent);
    RUN(a_client_that_answers_no_ping_is_given_up);
    RUN(a_client_that_answers_pings_is_kept);
    RUN(a_slow_listener_stops_the_reading);
    RUN(codes_go_both_ways);
    RUN(a_client_that_does_not_answer_is_cut_after_the_close_timeout);
    RUN(a_lost_link_is_an_error_and_1006);
    RUN(stop_tells_100_busy_clients_goodbye);
    RUN(stop_flushes_what_was_accepted);
    RUN(stop_cuts_handshakes_and_those_who_do_not_answer);
    RUN(everything_may_be_called_inside_every_callback);
    RUN(stop_in_a_callback_still_gives_each_its_close);
    return end_tests();
}
