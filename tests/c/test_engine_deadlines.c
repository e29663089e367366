/*
 * A deadline is judged after a real read of the socket: a program that was stopped past it sees first what its peer had sent in
 * time. And a write that fails doesn't overrule what can still be read. The stopped program is this one, run again.
 */
#include "pair.h"

#include <stdarg.h>

enum { KIB = 1024, DEADLINE_MS = 300 };

/* The program that is stopped: a client or a server that sends back what it gets, closes on the message "close", and prints the
 * connection's events. */

static void says(const char *format, ...) HARNESS_PRINTF(1, 2);

static void says(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

static int is_close(const nsws_message_event *e) {
    return e->length == 5 && memcmp(e->data, "close", 5) == 0;
}

static void on_open(nsws_client c, const nsws_open_event *e, void *user) {
    (void)e, (void)user;
    nsws_client_send_text(c, "open", 4);
}

static void on_message(nsws_client c, const nsws_message_event *e, void *user) {
    (void)user;
    if (is_close(e)) nsws_client_close(c, 4000, "told so");
    else nsws_client_send_text(c, (const char *)e->data, e->length);
}

static void on_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)c, (void)user;
    says("close %d %s\n", e->code, e->was_clean ? "clean" : "lost");
}

static void on_error(nsws_client c, const nsws_error_event *e, void *user) {
    (void)c, (void)user;
    says("error %s\n", nsws_error_name(e->detail));
}

static void server_told(nsws_server s, nsws_connection c, const nsws_message_event *e, void *user) {
    (void)s, (void)user;
    if (is_close(e)) nsws_connection_close(c, 4000, "told so");
    else nsws_connection_send_text(c, (const char *)e->data, e->length);
}

static void server_closed(nsws_server s, nsws_connection c, const nsws_close_event *e, void *user) {
    (void)s;
    on_close((nsws_client){ c.id }, e, user);
}

static void server_failed(nsws_server s, nsws_connection c, const nsws_error_event *e, void *user) {
    (void)s;
    on_error((nsws_client){ c.id }, e, user);
}

static int be_stopped(enum role role, int port, uint32_t ping, uint32_t others) {
    char url[64];
    if (role == AS_CLIENT) {
        nsws_connect_options options = defaults();
        nsws_client client;
        options.ping_interval_ms = options.pong_timeout_ms = ping;
        options.connect_timeout_ms = options.close_timeout_ms = others;
        nsws_client_create(&client);
        nsws_client_on_open(client, on_open, NULL, NULL);
        nsws_client_on_message(client, on_message, NULL, NULL);
        nsws_client_on_close(client, on_close, NULL, NULL);
        nsws_client_on_error(client, on_error, NULL, NULL);
        snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
        nsws_client_connect(client, url, &options);
    } else {
        nsws_server_options options = server_defaults();
        nsws_server server;
        uint16_t own = 0;
        options.ping_interval_ms = options.pong_timeout_ms = ping;
        options.handshake_timeout_ms = options.close_timeout_ms = others;
        nsws_server_create(&server);
        nsws_server_on_message(server, server_told, NULL, NULL);
        nsws_server_on_close(server, server_closed, NULL, NULL);
        nsws_server_on_error(server, server_failed, NULL, NULL);
        nsws_server_start(server, &options);
        nsws_server_get_port(server, &own);
        says("port %d\n", own);
    }
    /* Until the program that started it ends. */
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
}

/* The other side: it starts the program, stops it, and talks to it. */

static const char *self;

struct program {
    enum role role;
    pid_t process;
    int listener, input;
    FILE *output;
    uint16_t port;
    struct pair *p;
    char line[256];
    long long since; /* when its deadline began, or before */
};

static const char *next_line(struct program *program) {
    struct pollfd ready = { fileno(program->output), POLLIN, 0 };
    program->line[0] = 0;
    if (poll(&ready, 1, guard_seconds() * 1000) == 1 && fgets(program->line, sizeof program->line, program->output))
        program->line[strcspn(program->line, "\n")] = 0;
    return program->line;
}

static int starts(struct program *program, enum role role, uint32_t ping, uint32_t others) {
    int input[2], output[2];
    char argument[128], *words[32];
    struct pair_options options = pair_defaults();
    memset(program, 0, sizeof *program);
    program->role = role;
    program->listener = role == AS_CLIENT ? listening_socket(&program->port) : -1;
    snprintf(argument, sizeof argument, "%d,%d,%u,%u", role, program->port, ping, others);
    command_line(words, self, argument);
    program->since = now_us();
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) abort();
    program->process = fork();
    if (program->process == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        execvp(words[0], words);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    program->input = input[1];
    program->output = fdopen(output[0], "r");
    setvbuf(program->output, NULL, _IONBF, 0);
    program->p = new_pair(role, &options);
    if (role == AS_CLIENT) {
        program->p->fd = accepted_socket(program->listener);
    } else {
        int port = 0;
        sscanf(next_line(program), "port %d", &port);
        program->port = (uint16_t)port;
        program->since = now_us();
        program->p->fd = raw_connect_from("127.0.0.1", program->port);
    }
    return CHECK_LEAST(program->p->fd, 0);
}

static int opens_it(struct program *program) {
    struct frame frame;
    if (program->role == AS_SERVER) return CHECK_INT(raw_open_at(__FILE__, __LINE__, program->p->fd, RAW_REQUEST), program->p->fd);
    return CHECK(raw_accepts(program->p->fd, "")) && CHECK(peer_receive_kind(program->p, TEXT_FRAME, &frame));
}

static void ends(struct program *program) {
    int status;
    kill(program->process, SIGCONT);
    close(program->input);
    waitpid(program->process, &status, 0);
    fclose(program->output);
    if (program->listener >= 0) close(program->listener);
    peer_leaves(program->p);
}

static void stop_it(struct program *program) {
    int status;
    kill(program->process, SIGSTOP);
    waitpid(program->process, &status, WUNTRACED);
}

/* On a busy machine more than the deadline may have passed before what was to come in time was sent. Such a try says nothing: it is
 * ended, and made again, up to twenty times in a test. */
static int came_too_late(struct program *program, int *late) {
    if (now_us() - program->since <= DEADLINE_MS * 1000LL || (*late)++ >= 20) return 0;
    ends(program);
    return 1;
}

/* Well past the deadline: that is what this test is about. */
static void go_on_after_the_deadline(struct program *program) {
    usleep(DEADLINE_MS * 2000);
    kill(program->process, SIGCONT);
}

static void sends_back(int line, struct program *program, const char *what, const char *text) {
    struct frame frame;
    CHECK(peer_send(program->p, TEXT_FRAME, text, strlen(text)));
    do
        if (!peer_receive_kind(program->p, TEXT_FRAME, &frame)) {
            harness_fail(__FILE__, line, "a %s that was stopped is gone, though %s was in its socket: %s", role_names[program->role], what,
                         next_line(program));
            return;
        }
    while (frame.length != strlen(text) || memcmp(frame.data, text, frame.length) != 0);
}

static void what_came_while_it_was_stopped_proves_life(void) {
    static const char *const kinds[] = { "a pong", "a message", "a ping", "half a frame", "a message behind its ping" };
    int late = 0;
    BOTH_ROLES(role)
        for (int kind = 0; kind < 5; kind++)
            for (int before_the_ping = 0; before_the_ping < 2; before_the_ping++) {
                struct program program;
                struct frame ping = { 0 };
                if (!starts(&program, role, DEADLINE_MS, 10000) || !opens_it(&program)) return ends(&program);
                if (!before_the_ping && !CHECK(peer_receive_kind(program.p, PING_FRAME, &ping))) return ends(&program);
                program.since = now_us();
                stop_it(&program);
                switch (kind) {
                    case 0:
                        peer_send(program.p, PONG_FRAME, ping.data, ping.length);
                        break;
                    case 1:
                        peer_send(program.p, TEXT_FRAME, "while you slept", 15);
                        break;
                    case 2:
                        peer_send(program.p, PING_FRAME, "hello?", 6);
                        break;
                    case 3:
                        raw_write(program.p->fd, "\x8a", 1);
                        break;
                    case 4:
                        peer_send(program.p, PONG_FRAME, ping.data, ping.length);
                        peer_send(program.p, BINARY_FRAME & ~FIN, "and", 3);
                        peer_send(program.p, CONTINUATION_FRAME, "more", 4);
                        break;
                }
                if (came_too_late(&program, &late)) {
                    before_the_ping--;
                    continue;
                }
                go_on_after_the_deadline(&program);
                if (kind == 3) {
                    unsigned char head[FRAME_ROOM];
                    raw_write(program.p->fd, head + 1, peer_head(program.p, head, PONG_FRAME, 0) - 1);
                }
                sends_back(__LINE__, &program, kinds[kind], "now?");
                ends(&program);
            }
}

static void when_nothing_came_it_is_lost_all_the_same(void) {
    BOTH_ROLES(role) {
        struct program program;
        struct frame ping;
        if (!starts(&program, role, DEADLINE_MS, 10000) || !opens_it(&program)) return ends(&program);
        CHECK(peer_receive_kind(program.p, PING_FRAME, &ping));
        stop_it(&program);
        go_on_after_the_deadline(&program);
        CHECK_STR(next_line(&program), "error NSWS_DETAIL_HEARTBEAT_LOST");
        CHECK_STR(next_line(&program), "close 1006 lost");
        ends(&program);
    }
}

static void an_answer_that_came_in_time_opens_the_connection(void) {
    struct program program;
    struct frame frame;
    int late = 0;
    for (int together = 0; together < 2; together++) {
        if (!starts(&program, AS_CLIENT, 30000, DEADLINE_MS)) return ends(&program);
        /* The whole answer; or its head before the stop, and the rest during it. */
        char answer[512], accept[29];
        const char *head = raw_head(program.p->fd);
        accept_value(head_value(head, "Sec-WebSocket-Key"), accept);
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
        size_t first = together ? 0 : 40;
        raw_write(program.p->fd, answer, first);
        stop_it(&program);
        raw_say(program.p->fd, answer + first);
        peer_send(program.p, TEXT_FRAME, "hello", 5);
        if (came_too_late(&program, &late)) {
            together--;
            continue;
        }
        go_on_after_the_deadline(&program);
        if (!peer_receive_kind(program.p, TEXT_FRAME, &frame))
            harness_fail(__FILE__, __LINE__, "the answer was in the socket of a client that was stopped: %s", next_line(&program));
        else sends_back(__LINE__, &program, "the answer", "now?");
        ends(&program);
    }
}

/* How many bytes wait in the socket of another process, as the system's table says; -1 when it isn't there. */
static long waiting_in(uint16_t own, uint16_t peer) {
    char line[512];
    long waiting = -1;
    FILE *table = fopen("/proc/net/tcp", "r");
    while (table && fgets(line, sizeof line, table)) {
        unsigned here, there, in;
        if (sscanf(line, "%*d: %*8x:%x %*8x:%x %*x %*x:%x", &here, &there, &in) == 3 && here == own && there == peer) waiting = in;
    }
    if (table) fclose(table);
    return waiting;
}

static void a_request_that_came_in_time_is_accepted(void) {
    static const char *const request = RAW_REQUEST;
    struct program program;
    int late = 0;
    for (size_t half = 1; half < strlen(request); half += 60) {
        if (!starts(&program, AS_SERVER, 30000, DEADLINE_MS)) return ends(&program);
        raw_write(program.p->fd, request, half);
        BECOMES(waiting_in(program.port, raw_port(program.p->fd)) <= 0, 1); /* -1: it was cut, and is tried again */
        stop_it(&program);
        raw_say(program.p->fd, request + half);
        if (came_too_late(&program, &late)) {
            half -= 60;
            continue;
        }
        go_on_after_the_deadline(&program);
        int status = raw_status(program.p->fd);
        if (CHECK_INT(status, 101)) sends_back(__LINE__, &program, "the request", "now?");
        ends(&program);
    }
}

static void hears_a_goodbye_behind(int messages) {
    BOTH_ROLES(role) {
        struct program program;
        int late = 0, sent;
        do {
            if (!starts(&program, role, 30000, DEADLINE_MS) || !opens_it(&program)) return ends(&program);
            program.since = now_us();
            CHECK(peer_send(program.p, TEXT_FRAME, "close", 5));
            CHECK_INT(peer_close_code(program.p), 4000);
            stop_it(&program);
            sent = 1;
            for (int i = 0; i < messages; i++) sent &= peer_send(program.p, BINARY_FRAME, "", 0);
            sent &= peer_closes(program.p, 4001, "you too");
            shutdown(program.p->fd, SHUT_WR);
        } while (came_too_late(&program, &late));
        CHECK(sent);
        go_on_after_the_deadline(&program);
        CHECK_STR(next_line(&program), "close 4001 clean");
        ends(&program);
    }
}

static void a_goodbye_that_came_in_time_is_heard(void) {
    hears_a_goodbye_behind(0);
}

/* More than one turn. */
static void a_goodbye_behind_many_messages_is_heard(void) {
    hears_a_goodbye_behind(600);
}

/* A peer that never stops. */

static void ignore(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
}

static void *sends_on(void *pair) {
    struct pair *p = pair;
    struct batch b = { 0 };
    for (int i = 0; i < 1000; i++) batch_frame(p, &b, BINARY_FRAME, "more", 4);
    while (write(p->fd, b.bytes, b.size) > 0) {
    }
    free(b.bytes);
    return NULL;
}

static void a_peer_that_goes_on_sending_is_cut_after_the_close_timeout(void) {
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        pthread_t thread;
        options.on_message = ignore;
        SET(options, close_timeout_ms, DEADLINE_MS);
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        pthread_create(&thread, NULL, sends_on, p);
        CHECK_OK(pair_close(p, 4000, "enough"));
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_CLOSE_TIMEOUT);
        shutdown(p->fd, SHUT_RDWR);
        pthread_join(thread, NULL);
    }
}

static void pause_it(struct pair *p, const nsws_message_event *e) {
    (void)e;
    CHECK_OK(pair_pause(p));
}

/* Part of what was read waits for the program, which closes instead of reading on. */
static void a_close_amid_what_was_read_is_cut_after_the_close_timeout(void) {
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        struct batch batch = { 0 };
        options.on_message = pause_it;
        SET(options, close_timeout_ms, DEADLINE_MS);
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        for (int i = 0; i < 3000; i++) batch_frame(p, &batch, TEXT_FRAME, "small", 5);
        CHECK(batch_send(p, &batch));
        free(batch.bytes);
        WAIT_COUNTER(&p->messages, 1);
        CHECK_OK(pair_close(p, 4000, "enough"));
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_CLOSE_TIMEOUT);
        peer_leaves(p);
    }
}

/* A write that fails. */

static struct gate gate;

static void wait_there(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    gate_pass(&gate);
}

/* The peer sends some messages and a close frame, and goes; this side, which doesn't read, finds out by writing. */
static void last_words(enum role role, int blocked, int messages, size_t length, int unread, int wss) {
    gate_init(&gate);
    struct pair_options options = pair_defaults();
    options.wss = wss;
    options.on_message = wait_there;
    /* A close frame that can't be answered is no reason to wait. */
    SET(options, close_timeout_ms, 5000 * (uint32_t)slowness());
    struct pair *p = OPEN_PAIR(role, &options);
    if (!p) return;
    char what[128], *data = letters(length);
    snprintf(what, sizeof what, "%s, %s%s, %d messages of %ld bytes%s", role_names[role], blocked ? "its listener blocks" : "paused",
             wss ? ", wss" : "", messages, (long)length, unread ? ", one unread" : "");
    if (blocked) {
        CHECK(peer_send(p, TEXT_FRAME, "first", 5));
        WAIT_WAITING(&gate, 1);
    } else {
        gate_open(&gate);
        IS_ANSWERED(p, "open");
        CHECK_OK(pair_pause(p));
    }
    if (unread) CHECK_OK(pair_send(p, "nobody reads this", 17, 1));
    for (int i = 0; i < messages; i++) CHECK(peer_send(p, BINARY_FRAME, data, length));
    CHECK(peer_closes(p, 4001, "token expired"));
    /* All of it has arrived at this side, but hasn't been read. */
    int out = 1;
    for (long long end = now_us() + guard_seconds() * 1000000LL; out > 0 && now_us() < end;) ioctl(p->fd, TIOCOUTQ, &out);
    CHECK_INT(out, 0);
    peer_leaves(p);
    int32_t code = NSWS_OK;
    for (long long end = now_us() + guard_seconds() * 1000000LL; code == NSWS_OK && now_us() < end; usleep(1000)) code = pair_send(p, "are you there?", 14, 1);
    if (code != NSWS_ERR_NOT_CONNECTED) harness_fail(__FILE__, __LINE__, "%s: after the write error a send answers %s", what, nsws_error_name(code));
    CHECK_INT(PAIR_CLOSES(p), 0);
    if (!blocked) CHECK_OK(pair_resume(p));
    gate_open(&gate);
    struct told close = PAIR_CLOSE(p);
    if (close.came && (close.code != 4001 || strcmp(close.text, "token expired") != 0 || counter_value(&p->messages) != messages + blocked))
        harness_fail(__FILE__, __LINE__, "%s: %ld messages come, then close %d \"%s\"", what, counter_value(&p->messages), close.code, close.text);
    free(data);
}

static void a_write_error_does_not_overrule_what_can_still_be_read(void) {
    BOTH_ROLES(role)
        for (int blocked = 0; blocked < 2; blocked++) {
            last_words(role, blocked, 10, 8, 0, 0);
            last_words(role, blocked, 10, 8, 1, 0);
            last_words(role, blocked, 0, 0, 0, 0);
            last_words(role, blocked, 40, 1000, 0, 0);
            last_words(role, blocked, 3000, 1, 1, 0);
            last_words(role, blocked, 1, 30000, 0, 0);
        }
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    self = words[0];
    if (count > 1) {
        int role, port;
        uint32_t ping, others;
        if (sscanf(words[1], "%d,%d,%u,%u", &role, &port, &ping, &others) == 4) return be_stopped(role ? AS_SERVER : AS_CLIENT, port, ping, others);
    }
    /* Seconds of a stopped program are no longer there when everything takes thirty times as long. */
    if (slowness() == 1) {
        RUN(what_came_while_it_was_stopped_proves_life);
        RUN(when_nothing_came_it_is_lost_all_the_same);
        RUN(an_answer_that_came_in_time_opens_the_connection);
        RUN(a_request_that_came_in_time_is_accepted);
        RUN(a_goodbye_that_came_in_time_is_heard);
        RUN(a_goodbye_behind_many_messages_is_heard);
    }
    RUN(a_peer_that_goes_on_sending_is_cut_after_the_close_timeout);
    RUN(a_close_amid_what_was_read_is_cut_after_the_close_timeout);
    RUN(a_write_error_does_not_overrule_what_can_still_be_read);
    return end_tests();
}
