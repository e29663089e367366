/* Streams: messages as parts, sent as fragments and received as they come, in both roles. */
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static int32_t send_part(struct pair *p, const void *data, size_t length, int is_text, int is_last) {
    return p->role == AS_CLIENT ? nsws_client_send_part(p->r->client, data, length, (uint8_t)is_text, (uint8_t)is_last)
                                : nsws_connection_send_part(p->connection, data, length, (uint8_t)is_text, (uint8_t)is_last);
}

/* Reads the next data frames up to the end of a message: its text, its opcode, and how many frames there were. */
static char *peer_message(struct pair *p, int *opcode, size_t *length, int *frames) {
    static char text[1 << 20];
    struct frame frame;
    *length = 0;
    *frames = 0;
    for (;;) {
        if (!peer_receive(p, &frame)) return NULL;
        if ((frame.first & 15) >= 8) continue;
        if (++*frames == 1) *opcode = frame.first & 15;
        else if ((frame.first & 15) != 0) return NULL;
        if (frame.length > sizeof frame.data || *length + frame.length > sizeof text) return NULL;
        memcpy(text + *length, frame.data, frame.length);
        *length += frame.length;
        if (frame.first & FIN) return text;
    }
}

static void sends_as(int line, struct pair *p, int opcode, const char *text) {
    int got = -1, frames = 0;
    size_t length = 0;
    char *message = peer_message(p, &got, &length, &frames);
    if (!message || got != opcode || length != strlen(text) || memcmp(message, text, length) != 0)
        harness_fail(__FILE__, line, "a %s sends %d \"%.*s\" in %d frames, not %d \"%s\"", role_names[p->role], got, message ? (int)length : 0,
                     message ? message : "", frames, opcode, text);
}

#define SENDS(pair, opcode, text) sends_as(__LINE__, pair, opcode, text)

static void parts_become_one_message(void) {
    BOTH_ROLES(role)
        for (int wss = 0; wss < 2; wss++) {
            struct pair_options options = pair_defaults();
            options.wss = wss;
            struct pair *p = OPEN_PAIR(role, &options);
            if (!p) return;
            CHECK_OK(send_part(p, "one, ", 5, 1, 0));
            CHECK_OK(send_part(p, "two, ", 5, 1, 0));
            CHECK_OK(send_part(p, "three", 5, 1, 1));
            SENDS(p, 1, "one, two, three");
            CHECK_OK(send_part(p, "whole", 5, 0, 1));
            SENDS(p, 2, "whole");
            /* Empty parts: the first, one in the middle, the last, all. */
            CHECK_OK(send_part(p, NULL, 0, 1, 0));
            CHECK_OK(send_part(p, "x", 1, 1, 0));
            CHECK_OK(send_part(p, NULL, 0, 1, 0));
            CHECK_OK(send_part(p, NULL, 0, 1, 1));
            SENDS(p, 1, "x");
            CHECK_OK(send_part(p, NULL, 0, 0, 1));
            SENDS(p, 2, "");
            CHECK_OK(pair_send(p, "and as usual", 12, 1));
            SENDS(p, 1, "and as usual");
            peer_leaves(p);
        }
}

static void a_part_goes_out_before_the_last_is_there(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        struct frame frame;
        if (!p) return;
        for (int i = 0; i < 3; i++) {
            CHECK_OK(send_part(p, "part", 4, 0, 0));
            if (!CHECK(peer_receive(p, &frame)) || !CHECK(!(frame.first & FIN)) || !CHECK_INT(frame.length, 4)) return;
            CHECK_INT(frame.first & 15, i == 0 ? 2 : 0);
        }
        CHECK_OK(send_part(p, "end", 3, 0, 1));
        if (CHECK(peer_receive(p, &frame))) CHECK_INT(frame.first, CONTINUATION_FRAME);
        peer_leaves(p);
    }
}

static void until_the_last_part_other_sends_queue_nothing(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        struct frame frame;
        size_t accepted = 9;
        if (!p) return;
        CHECK_OK(send_part(p, "first ", 6, 1, 0));
        CHECK_CODE(pair_send(p, "other", 5, 1), NSWS_ERR_MESSAGE_UNFINISHED);
        CHECK_CODE(pair_send(p, "other", 5, 0), NSWS_ERR_MESSAGE_UNFINISHED);
        CHECK_CODE(pair_send(p, NULL, 0, 0), NSWS_ERR_MESSAGE_UNFINISHED);
        if (role == AS_SERVER) {
            CHECK_OK(nsws_server_broadcast(p->s->handle, "to all", 6, 1, &accepted));
            CHECK_INT(accepted, 0);
        }
        BECOMES(pair_figures(p).queued_bytes, 0);
        CHECK_OK(send_part(p, "last", 4, 1, 1));
        SENDS(p, 1, "first last");
        CHECK_OK(pair_send(p, "other", 5, 1));
        SENDS(p, 1, "other");
        /* And nothing else. */
        CHECK(peer_send(p, PING_FRAME, "", 0));
        if (CHECK(peer_receive(p, &frame))) CHECK_INT(frame.first, PONG_FRAME);
        peer_leaves(p);
    }
}

static void pings_pass_between_parts(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        struct frame frame;
        if (!p) return;
        CHECK_OK(send_part(p, "be", 2, 1, 0));
        if (role == AS_CLIENT) {
            CHECK_OK(nsws_client_ping(p->r->client, "mine", 4));
            CHECK(peer_receive_kind(p, PING_FRAME, &frame));
        }
        IS_ANSWERED(p, "yours");
        CHECK_OK(send_part(p, "tween", 5, 1, 1));
        int opcode, frames;
        size_t length;
        char *rest = peer_message(p, &opcode, &length, &frames);
        CHECK(rest && opcode == 0 && length == 5);
        peer_leaves(p);
    }
}

/* A character may be split between parts, but the whole must be valid. */
static void text_is_valid_over_the_whole(void) {
    static const char text[] = "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80!";
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        if (!p) return;
        for (size_t i = 0; i < sizeof text - 1; i++) CHECK_OK(send_part(p, text + i, 1, 1, i == sizeof text - 2));
        SENDS(p, 1, text);
        /* A wrong part is refused and not queued: the message goes on. */
        CHECK_OK(send_part(p, "good ", 5, 1, 0));
        CHECK_CODE(send_part(p, "\xff", 1, 1, 0), NSWS_ERR_PARAMETER);
        CHECK_OK(send_part(p, "\xe2\x82", 2, 1, 0));
        CHECK_CODE(send_part(p, "x", 1, 1, 0), NSWS_ERR_PARAMETER);
        CHECK_CODE(send_part(p, NULL, 0, 1, 1), NSWS_ERR_PARAMETER);
        CHECK_OK(send_part(p, "\xac", 1, 1, 1));
        SENDS(p, 1, "good \xe2\x82\xac");
        /* Binary may be anything. */
        CHECK_OK(send_part(p, "\xff\xfe", 2, 0, 0));
        CHECK_OK(send_part(p, "\xc3", 1, 0, 1));
        SENDS(p, 2, "\xff\xfe\xc3");
        peer_leaves(p);
    }
}

static void arguments_and_states_are_checked(void) {
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        SET(options, max_send_size, 1000);
        struct pair *p = OPEN_PAIR(role, &options);
        if (!p) return;
        char *data = letters(1001);
        CHECK_CODE(send_part(p, NULL, 1, 0, 1), NSWS_ERR_PARAMETER);
        CHECK_CODE(send_part(p, "x", 1, 2, 1), NSWS_ERR_PARAMETER);
        CHECK_CODE(send_part(p, "x", 1, 1, 2), NSWS_ERR_PARAMETER);
        /* The limit applies to each part. */
        CHECK_CODE(send_part(p, data, 1001, 0, 0), NSWS_ERR_PARAMETER);
        for (int i = 0; i < 5; i++) CHECK_OK(send_part(p, data, 1000, 0, i == 4));
        free(data);
        size_t got = 0;
        struct frame frame;
        do {
            if (!CHECK(peer_receive(p, &frame))) return;
            got += frame.length;
        } while (!(frame.first & FIN));
        CHECK_INT(got, 5000);
        peer_leaves(p);
        PAIR_CLOSE(p);
        int32_t code = send_part(p, "x", 1, 0, 1);
        CHECK(code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_BAD_HANDLE);
    }
}

static void close_sends_what_was_accepted_and_then_the_close_frame(void) {
    BOTH_ROLES(role) {
        struct pair *p = OPEN_PAIR(role, NULL);
        struct frame frame;
        if (!p) return;
        CHECK_OK(pair_send(p, "whole", 5, 1));
        CHECK_OK(send_part(p, "begun", 5, 1, 0));
        CHECK_OK(pair_close(p, 4000, "enough"));
        CHECK_CODE(send_part(p, "more", 4, 1, 1), NSWS_ERR_NOT_CONNECTED);
        CHECK_CODE(pair_send(p, "other", 5, 1), NSWS_ERR_NOT_CONNECTED);
        CHECK(peer_receive(p, &frame) && frame.first == TEXT_FRAME && frame.length == 5);
        CHECK(peer_receive(p, &frame) && frame.first == (TEXT_FRAME & ~FIN) && frame.length == 5);
        CHECK(peer_receive(p, &frame) && frame.first == CLOSE_FRAME);
        CHECK(peer_closes(p, 4000, ""));
        peer_leaves(p);
        struct told close = PAIR_CLOSE(p);
        if (close.came) CHECK(close.code == 4000 && close.was_clean);
    }
}

static void parts_fill_the_queue_and_drain_follows(void) {
    enum { PART = 10000, QUEUE = MIB };
    char *data = letters(PART);
    BOTH_ROLES(role) {
        struct pair_options options = pair_defaults();
        SET(options, send_queue_size, QUEUE);
        raw_room = 4096;
        struct pair *p = OPEN_PAIR(role, &options);
        raw_room = 0;
        if (!p) return;
        long accepted = 0;
        int32_t code;
        while ((code = send_part(p, data, PART, 0, 0)) == NSWS_OK && accepted < 10000) accepted++;
        CHECK_INT(code, NSWS_ERR_QUEUE_FULL);
        CHECK_MOST(pair_figures(p).queued_bytes, QUEUE + PART + 100);
        size_t got = 0;
        struct frame frame;
        while (got < (size_t)accepted * PART && CHECK(peer_receive(p, &frame))) got += frame.length;
        PAIR_DRAIN(p, 1);
        CHECK_OK(send_part(p, data, PART, 0, 1));
        do if (!CHECK(peer_receive(p, &frame))) return;
        while (!(frame.first & FIN));
        peer_leaves(p);
    }
    free(data);
}

/* Receiving. */

struct part {
    char *data;
    size_t length;
    int is_text, is_first, is_last, ends;
};

static struct parts {
    pthread_mutex_t lock;
    struct part list[20000];
    struct counter count, ends, whole;
    long messages; /* that the test has seen to their end */
    void (*hook)(void);
} parts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void add_part(const nsws_message_part_event *e) {
    CHECK_LEAST(e->struct_size, sizeof *e);
    CHECK(e->data != NULL);
    pthread_mutex_lock(&parts.lock);
    void (*hook)(void) = parts.hook;
    long number = counter_value(&parts.count);
    if (number < 20000)
        parts.list[number] = (struct part){ copy_bytes(e->data, e->length), e->length, e->is_text, e->is_first, e->is_last, (int)counter_value(&parts.ends) };
    counter_add(&parts.count, 1);
    pthread_mutex_unlock(&parts.lock);
    if (hook) hook();
}

static void client_part(nsws_client c, const nsws_message_part_event *e, void *user) {
    (void)c, (void)user;
    add_part(e);
}

static void server_part(nsws_server s, nsws_connection c, const nsws_message_part_event *e, void *user) {
    (void)s, (void)c, (void)user;
    add_part(e);
}

static void client_end(nsws_client c, const nsws_data_end_event *e, void *user) {
    (void)c, (void)e, (void)user;
    counter_add(&parts.ends, 1);
}

static void a_whole_one(struct pair *p, const nsws_message_event *e) {
    (void)p, (void)e;
    counter_add(&parts.whole, 1);
}

static void forget_parts(void) {
    pthread_mutex_lock(&parts.lock);
    for (long i = 0; i < counter_value(&parts.count) && i < 20000; i++) free(parts.list[i].data);
    counter_reset(&parts.count);
    counter_reset(&parts.ends);
    counter_reset(&parts.whole);
    parts.messages = 0;
    parts.hook = NULL;
    pthread_mutex_unlock(&parts.lock);
}

static struct pair *open_for_parts(int line, enum role role, size_t most, int wss) {
    struct pair_options options = pair_defaults();
    SET(options, receive_parts, 1);
    SET(options, max_receive_size, most);
    options.wss = wss;
    options.on_message = a_whole_one;
    forget_parts();
    struct pair *p = new_pair(role, &options);
    if (role == AS_SERVER) {
        if (!pair_opens(__FILE__, line, p, &options)) return NULL;
        CHECK_OK(nsws_server_on_message_part(p->s->handle, server_part, p, NULL));
    } else {
        if (!pair_opens(__FILE__, line, p, &options)) return NULL;
        CHECK_OK(nsws_client_on_message_part(p->r->client, client_part, p, NULL));
        CHECK_OK(nsws_client_on_data_end(p->r->client, client_end, p, NULL));
    }
    return p;
}

/* Checks that the parts from one place on make up a message with this text; returns the place after them. */
static long is_message(int line, struct pair *p, long at, const char *text, size_t length, int is_text) {
    size_t done = 0;
    for (long i = at;; i++) {
        if (!wait_counter(__FILE__, line, "parts", &parts.count, i + 1)) return i;
        struct part *part = &parts.list[i];
        if (part->is_first != (i == at) || part->is_text != is_text || done + part->length > length ||
            memcmp(part->data, text + done, part->length) != 0) {
            harness_fail(__FILE__, line, "%s: part %ld of %ld bytes at %ld: first %d, text %d", role_names[p->role], i - at, (long)part->length,
                         (long)done, part->is_first, part->is_text);
            return i + 1;
        }
        /* A text part ends at a code point. */
        if (is_text && part->length < length - done && ((unsigned char)text[done + part->length] & 0xc0) == 0x80)
            harness_fail(__FILE__, line, "%s: part %ld ends within a character", role_names[p->role], i - at);
        done += part->length;
        if (!part->is_last) continue;
        parts.messages++;
        if (p->role == AS_CLIENT) wait_counter(__FILE__, line, "ends", &parts.ends, parts.messages);
        if (done != length) harness_fail(__FILE__, line, "%s: the last part ends at %ld of %ld", role_names[p->role], (long)done, (long)length);
        return i + 1;
    }
}

static void messages_arrive_as_parts(void) {
    static const size_t lengths[] = { 0, 1, 125, 126, 5000, 65536, 70000, MIB, 5 * MIB };
    enum { LENGTHS = sizeof lengths / sizeof *lengths };
    char *data = letters(5 * MIB);
    BOTH_ROLES(role)
        for (int wss = 0; wss < 2; wss++) {
            struct pair *p = open_for_parts(__LINE__, role, 16 * MIB, wss);
            if (!p) return;
            long at = 0;
            for (size_t i = 0; i < LENGTHS; i++) {
                CHECK(peer_send(p, i % 2 ? TEXT_FRAME : BINARY_FRAME, data, lengths[i]));
                long before = at;
                at = is_message(__LINE__, p, at, data, lengths[i], i % 2);
                /* An empty message is one part. */
                if (lengths[i] == 0) CHECK_INT(at - before, 1);
                IS_ANSWERED(p, "between");
            }
            CHECK_INT(counter_value(&parts.count), at);
            CHECK_INT(counter_value(&parts.whole), 0);
            CHECK_INT(counter_value(&parts.ends), role == AS_CLIENT ? LENGTHS : 0);
            peer_leaves(p);
            PAIR_CLOSE(p);
            if (wss) end_others();
        }
    free(data);
}

static void a_part_comes_before_the_message_has_ended(void) {
    BOTH_ROLES(role) {
        struct pair *p = open_for_parts(__LINE__, role, 16 * MIB, 0);
        if (!p) return;
        CHECK(peer_send(p, TEXT_FRAME & ~FIN, "one ", 4));
        WAIT_COUNTER(&parts.count, 1);
        CHECK(peer_send(p, PING_FRAME, "ping", 4));
        CHECK(peer_send(p, CONTINUATION_FRAME & ~FIN, "two ", 4));
        WAIT_COUNTER(&parts.count, 2);
        CHECK_INT(counter_value(&parts.ends), 0);
        CHECK(peer_send(p, CONTINUATION_FRAME, "three", 5));
        CHECK_INT(is_message(__LINE__, p, 0, "one two three", 13, 1), 3);
        /* Also within a frame. */
        unsigned char head[FRAME_ROOM];
        char *data = letters(100000);
        CHECK(raw_write(p->fd, head, peer_head(p, head, BINARY_FRAME, 100000)) && raw_write(p->fd, data, 50000));
        WAIT_COUNTER(&parts.count, 4);
        CHECK(raw_write(p->fd, data + 50000, 50000));
        is_message(__LINE__, p, 3, data, 100000, 0);
        free(data);
        peer_leaves(p);
    }
}

static void text_parts_end_at_a_code_point(void) {
    static const char unit[] = "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80";
    enum { UNIT = sizeof unit - 1, TIMES = 8000 };
    char *text = malloc(UNIT * TIMES + 1);
    for (int i = 0; i < TIMES; i++) memcpy(text + i * UNIT, unit, UNIT);
    BOTH_ROLES(role) {
        struct pair *p = open_for_parts(__LINE__, role, 16 * MIB, 0);
        if (!p) return;
        for (size_t i = 0; i < UNIT; i++)
            CHECK(peer_send(p, (i == UNIT - 1 ? FIN : 0) | (i == 0 ? 1 : 0), unit + i, 1));
        long at = is_message(__LINE__, p, 0, unit, UNIT, 1);
        CHECK(peer_send(p, TEXT_FRAME, text, UNIT * TIMES));
        at = is_message(__LINE__, p, at, text, UNIT * TIMES, 1);
        /* Fragments of odd lengths. */
        for (size_t done = 0, part; done < UNIT * TIMES; done += part) {
            part = 997 < UNIT * TIMES - done ? 997 : UNIT * TIMES - done;
            CHECK(peer_send(p, (done + part == UNIT * TIMES ? FIN : 0) | (done == 0 ? 1 : 0), text + done, part));
        }
        is_message(__LINE__, p, at, text, UNIT * TIMES, 1);
        peer_leaves(p);
    }
    free(text);
}

static void text_that_is_wrong_ends_with_1007_after_what_was_right(void) {
    BOTH_ROLES(role)
        for (int kind = 0; kind < 3; kind++) {
            struct pair *p = open_for_parts(__LINE__, role, 16 * MIB, 0);
            if (!p) return;
            CHECK(peer_send(p, TEXT_FRAME & ~FIN, "right", 5));
            WAIT_COUNTER(&parts.count, 1);
            if (kind == 0) CHECK(peer_send(p, CONTINUATION_FRAME & ~FIN, "\xff", 1));
            if (kind == 1) CHECK(peer_send(p, CONTINUATION_FRAME, "\xe2\x82", 2));
            if (kind == 2) CHECK(peer_send(p, CONTINUATION_FRAME & ~FIN, "\xe2\x82", 2) && peer_send(p, CONTINUATION_FRAME & ~FIN, "x", 1));
            CHECK_INT(peer_close_code(p), 1007);
            peer_leaves(p);
            struct told error = PAIR_ERROR(p), close = PAIR_CLOSE(p);
            if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_INVALID_UTF8);
            if (close.came) CHECK_INT(close.code, 1007);
            for (long i = 0; i < counter_value(&parts.count); i++) CHECK(!parts.list[i].is_last);
            CHECK_INT(counter_value(&parts.ends), 0);
        }
}

static void the_limit_is_for_the_whole_message(void) {
    static char data[5000];
    BOTH_ROLES(role) {
        struct pair *p = open_for_parts(__LINE__, role, 5000, 0);
        if (!p) return;
        for (int i = 0; i < 5; i++) CHECK(peer_send(p, (i == 4 ? FIN : 0) | (i == 0 ? 2 : 0), data, 1000));
        is_message(__LINE__, p, 0, data, 5000, 0);
        peer_leaves(p);
        p = open_for_parts(__LINE__, role, 5000, 0);
        if (!p) return;
        for (int i = 0; i < 6; i++) peer_send(p, i == 0 ? 2 : 0, data, 1000);
        CHECK_INT(peer_close_code(p), 1009);
        peer_leaves(p);
        struct told error = PAIR_ERROR(p);
        if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_MESSAGE_TOO_BIG);
        PAIR_CLOSE(p);
    }
}

/* A message larger than what may be held passes through. */
static void without_a_limit_a_message_of_any_size_passes(void) {
    enum { PIECES = 300 };
    char *data = pattern(MIB);
    int pieces = PIECES / slowness() + 1;
    BOTH_ROLES(role) {
        struct pair *p = open_for_parts(__LINE__, role, SIZE_MAX, 0);
        if (!p) return;
        long before = held_kib();
        size_t length = 0;
        unsigned char head[FRAME_ROOM];
        CHECK(raw_write(p->fd, head, peer_head(p, head, BINARY_FRAME, (uint64_t)pieces * MIB)));
        for (int i = 0; i < pieces; i++) {
            if (!CHECK(raw_write(p->fd, data, MIB))) return;
            /* What was recorded is the test's own memory. */
            pthread_mutex_lock(&parts.lock);
            for (long k = 0; k < counter_value(&parts.count) && k < 20000; k++)
                if (parts.list[k].data) {
                    length += parts.list[k].length;
                    free(parts.list[k].data);
                    parts.list[k].data = NULL;
                }
            pthread_mutex_unlock(&parts.lock);
        }
        CHECK_HELD("a message in parts", before, 24 * KIB);
        CHECK(peer_send(p, TEXT_FRAME, "done", 4));
        IS_ANSWERED(p, "behind it");
        peer_leaves(p);
        PAIR_CLOSE(p);
        for (long k = 0; k < counter_value(&parts.count) && k < 20000; k++)
            if (parts.list[k].data) length += parts.list[k].length;
        if (counter_value(&parts.count) < 20000) CHECK_INT(length, (size_t)pieces * MIB + 4);
    }
    free(data);
}

static struct gate gate;

static void wait_there(void) {
    gate_pass(&gate);
}

static void a_slow_listener_of_parts_stops_the_reading(void) {
    BOTH_ROLES(role) {
        gate_init(&gate);
        struct pair *p = open_for_parts(__LINE__, role, SIZE_MAX, 0);
        if (!p) return;
        pthread_mutex_lock(&parts.lock);
        parts.hook = wait_there;
        pthread_mutex_unlock(&parts.lock);
        char *data = pattern(MIB);
        unsigned char head[FRAME_ROOM];
        CHECK(raw_write(p->fd, head, peer_head(p, head, BINARY_FRAME, (uint64_t)1 << 40)));
        long before = held_kib();
        size_t sent = peer_fills(p, data, MIB, (size_t)512 * MIB);
        CHECK_MOST(sent, 64 * MIB);
        CHECK_HELD("parts that wait", before, 8 * KIB);
        free(data);
        gate_open(&gate);
        WAIT_COUNTER(&parts.count, 2);
        pair_ends(p);
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    counter_init(&parts.count);
    counter_init(&parts.ends);
    counter_init(&parts.whole);
    RUN(parts_become_one_message);
    RUN(a_part_goes_out_before_the_last_is_there);
    RUN(until_the_last_part_other_sends_queue_nothing);
    RUN(pings_pass_between_parts);
    RUN(text_is_valid_over_the_whole);
    RUN(arguments_and_states_are_checked);
    RUN(close_sends_what_was_accepted_and_then_the_close_frame);
    RUN(parts_fill_the_queue_and_drain_follows);
    RUN(messages_arrive_as_parts);
    RUN(a_part_comes_before_the_message_has_ended);
    RUN(text_parts_end_at_a_code_point);
    RUN(text_that_is_wrong_ends_with_1007_after_what_was_right);
    RUN(the_limit_is_for_the_whole_message);
    RUN(without_a_limit_a_message_of_any_size_passes);
    RUN(a_slow_listener_of_parts_stops_the_reading);
    forget_parts();
    return end_tests();
}
