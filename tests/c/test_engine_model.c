/*
 * The model: random sessions against a peer that counts, half of them with permessage-deflate, half receiving in parts, most of
 * them sending in parts, too. Every message that was accepted is delivered once, whole and in order, or the connection is
 * reported lost; and exactly one close ends it.
 *
 *     test_engine_model [SESSIONS [SEED]]
 *
 * The seed is printed; the same seed makes the same choices, if not the same timing.
 */
#include "deflate.h"
#include "pair.h"

#include <stdarg.h>

/* FRAGMENT: what the library sends of a large message at once. */
enum { KIB = 1024, FRAGMENT = 1024 * KIB, SENDERS = 2, HEADER = 24, BLOCK = 64, COMPRESSED = 0x40 };
/* The threads that send are sources of messages, and so is the stream: its messages have parts that any of them sends. */
enum { STREAM = SENDERS, SOURCES };

static uint64_t seed_of_all;
static int sessions = 40;
static struct counter compressed_by_library, compressed_by_peer, parts_sent, parts_received, cut_short;

/* Choices. */

struct chance {
    uint64_t state;
};

static uint64_t next(struct chance *c) {
    c->state += 0x9e3779b97f4a7c15u;
    uint64_t x = c->state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static unsigned below(struct chance *c, unsigned limit) {
    return (unsigned)(next(c) % limit);
}

static int one_in(struct chance *c, unsigned number) {
    return below(c, number) == 0;
}

/* A length: mostly small, often at an edge, now and then large, seldom more than goes into one fragment. */
static size_t some_length(struct chance *c) {
    static const size_t edges[] = { 0, 1, 125, 126, 127, 1023, 1024, 1025, 16383, 16384, 65535, 65536, 65537, 70000 };
    switch (below(c, 20)) {
        case 0:
            return one_in(c, 15) ? 1024 * KIB + some_length(c) : below(c, 300 * KIB);
        case 1:
        case 2:
        case 3:
            return edges[below(c, sizeof edges / sizeof *edges)];
        case 4:
        case 5:
            return below(c, 5000);
        default:
            return below(c, 130);
    }
}

static int is_text_of(unsigned number) {
    return number % 3 != 0;
}

static uint32_t mix(uint32_t x, uint32_t y) {
    x = x * 0x9e3779b1u + y * 0x85ebca6bu;
    x = (x ^ x >> 15) * 0x2c1b3c6du;
    return x ^ x >> 12;
}

/*
 * Letters that repeat themselves, in blocks that differ, so that none can stand for another; a block of a text ends with a
 * character of three bytes. Of some binary messages, bytes that no compressor makes fewer.
 */
static char byte_of(unsigned number, size_t at, size_t length) {
    size_t block = at / BLOCK, place = at % BLOCK;
    if (number % 6 == 0) return (char)mix((uint32_t)at, number);
    if (place >= BLOCK - 3 && (block + 1) * BLOCK <= length && is_text_of(number)) return "\xe2\x82\xac"[place - (BLOCK - 3)];
    return (char)('a' + (place + mix((uint32_t)block, number) % 26) % 26);
}

/* A message names its source, its number and its length; the rest follows from that. */
static char *message_of(int source, unsigned number, size_t length, size_t *size) {
    char *data = malloc(HEADER + length + 1);
    sprintf(data, "%03d:%010u:%08lu;", source, number, (unsigned long)length);
    for (size_t i = 0; i < length; i++) data[HEADER + i] = byte_of(number, i, length);
    *size = HEADER + length;
    return data;
}

/* The number of a message, and what it lacks, if its content is right as far as it goes; -1 otherwise. */
static long number_of(const char *data, size_t size, int is_text, int *source, size_t *lacks) {
    char head[HEADER + 1] = { 0 };
    unsigned number;
    unsigned long length;
    if (size < HEADER) return -1;
    memcpy(head, data, HEADER);
    if (sscanf(head, "%d:%u:%lu;", source, &number, &length) != 3 || is_text != is_text_of(number) || size > HEADER + length) return -1;
    for (size_t i = 0; i < size - HEADER; i++)
        if (data[HEADER + i] != byte_of(number, i, length)) return -1;
    *lacks = HEADER + length - size;
    return number;
}

/* A session. */

enum ending { THIS_SIDE_CLOSES, PEER_CLOSES, PEER_VANISHES, ENDINGS };

static const char *const ending_names[ENDINGS] = { "this side closes", "the peer closes", "the peer vanishes" };

/* The message that is sent in parts, if there is one, and how much of it was accepted. */
struct stream {
    pthread_mutex_t lock;
    struct chance chance;
    char *data;
    size_t size, at;
    int begun;
};

struct session {
    struct pair *p;
    uint64_t seed;
    enum ending ending;
    int sends_parts, receives_parts;
    /* How messages are compressed, if they are; 0 bits: they are not. */
    int own_bits, own_takeover, peer_bits, peer_takeover;
    char extensions[200];
    struct flow from_library, to_library;
    /* What this side's program does. Empty messages have no number: they are counted apart. */
    unsigned accepted[SOURCES], accepted_empty[SOURCES];
    long pinged;
    struct stream stream;
    int slow_listener, wrong;
    long delivered, delivered_empty, ends;
    /* What its listener has of a message in parts. */
    struct batch parts;
    int is_within, is_text;
    int stop;
    /* What the peer saw and sent. */
    unsigned counted[SOURCES], counted_empty, pings, pongs;
    long counted_pings;
    unsigned sent, sent_empty;
    int said_goodbye, close_code;
    struct counter over;
};

static void wrong(struct session *s, const char *format, ...) HARNESS_PRINTF(2, 3);

static void wrong(struct session *s, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (__atomic_exchange_n(&s->wrong, 1, __ATOMIC_SEQ_CST) == 0)
        harness_fail(__FILE__, __LINE__, "seed %llu, %s, %s, %s%s%s: %s", (unsigned long long)s->seed, role_names[s->p->role],
                     ending_names[s->ending], s->sends_parts ? "sends parts, " : "", s->receives_parts ? "receives parts, " : "",
                     s->own_bits ? s->extensions : "no compression", text);
}

static int stops(struct session *s) {
    return __atomic_load_n(&s->stop, __ATOMIC_SEQ_CST) || __atomic_load_n(&s->wrong, __ATOMIC_SEQ_CST);
}

static int32_t ping(struct pair *p, const char *payload) {
    return p->role == AS_CLIENT ? nsws_client_ping(p->r->client, payload, strlen(payload))
                                : nsws_connection_ping(p->connection, payload, strlen(payload));
}

/* The library has delivered a whole message. */
static void delivered(struct session *s, const void *data, size_t length, int is_text) {
    struct chance c = { s->seed + 1000 + (uint64_t)s->delivered };
    int source;
    size_t lacks = 0;
    if (length == 0) {
        s->delivered_empty++;
        return;
    }
    long number = number_of(data, length, is_text, &source, &lacks);
    if (number != s->delivered || lacks > 0)
        wrong(s, "message %ld of the peer is delivered as number %ld (%ld bytes and %ld too few)", number, s->delivered, (long)length, (long)lacks);
    s->delivered++;
    if (s->slow_listener && one_in(&c, 10)) usleep(below(&c, 3000));
    /* A listener sends, too: pings, which don't count as messages. */
    if (one_in(&c, 20)) ping(s->p, "from the listener");
}

static void message_arrives(struct pair *p, const nsws_message_event *e) {
    struct session *s = p->data;
    if (s->receives_parts) wrong(s, "a message is delivered whole");
    delivered(s, e->data, e->length, e->is_text);
}

/* Whether this ends within a character of byte_of(). */
static int ends_within(const unsigned char *data, size_t length) {
    return (length > 0 && data[length - 1] == 0xe2) || (length > 1 && data[length - 2] == 0xe2);
}

static void part_arrives(struct session *s, const nsws_message_part_event *e) {
    struct batch *b = &s->parts;
    counter_add(&parts_received, 1);
    if (!s->receives_parts) wrong(s, "a part is delivered");
    if (e->is_first == s->is_within) wrong(s, "a part is%s the first of a message", e->is_first ? "" : " not");
    if (e->is_first) s->is_text = e->is_text;
    if (e->is_text != s->is_text) wrong(s, "a part is%s text, the first was%s", e->is_text ? "" : " not", s->is_text ? "" : " not");
    if (e->is_text && ends_within(e->data, e->length)) wrong(s, "a part ends within a character");
    if (b->size + e->length > b->capacity) b->bytes = realloc(b->bytes, b->capacity = 2 * (b->size + e->length));
    if (e->length > 0) memcpy(b->bytes + b->size, e->data, e->length);
    b->size += e->length;
    s->is_within = !e->is_last;
    if (s->is_within) return;
    delivered(s, b->bytes, b->size, e->is_text);
    b->size = 0;
}

static void client_part(nsws_client client, const nsws_message_part_event *e, void *user) {
    (void)client;
    part_arrives(user, e);
}

static void server_part(nsws_server server, nsws_connection connection, const nsws_message_part_event *e, void *user) {
    (void)server, (void)connection;
    part_arrives(user, e);
}

static void client_end(nsws_client client, const nsws_data_end_event *e, void *user) {
    struct session *s = user;
    (void)client, (void)e;
    s->ends++;
    if (s->is_within || s->ends != s->delivered + s->delivered_empty)
        wrong(s, "end %ld comes after %ld messages", s->ends, s->delivered + s->delivered_empty);
}

/* Whether a message lacks parts. */
static int is_begun(struct session *s) {
    pthread_mutex_lock(&s->stream.lock);
    int is = s->stream.begun;
    pthread_mutex_unlock(&s->stream.lock);
    return is;
}

/* Sends the next part of the stream, on whichever thread this is. Without a message under way, it may begin one. */
static int32_t send_part(struct session *s, int may_begin) {
    struct stream *stream = &s->stream;
    struct chance *c = &stream->chance;
    int32_t code = NSWS_OK;
    pthread_mutex_lock(&stream->lock);
    if (!stream->data && may_begin) {
        stream->data = message_of(STREAM, s->accepted[STREAM], some_length(c), &stream->size);
        stream->at = 0;
        if (one_in(c, 25)) stream->size = 0;
    }
    if (stream->data) {
        size_t left = stream->size - stream->at, few = left < 10 ? left : 10;
        size_t part = one_in(c, 3) ? left : below(c, (unsigned)(one_in(c, 3) ? few : left) + 1);
        uint8_t is_text = (uint8_t)is_text_of(s->accepted[STREAM]), is_last = part == left && one_in(c, 2);
        code = s->p->role == AS_CLIENT ? nsws_client_send_part(s->p->r->client, stream->data + stream->at, part, is_text, is_last)
                                       : nsws_connection_send_part(s->p->connection, stream->data + stream->at, part, is_text, is_last);
        if (code == NSWS_OK) {
            counter_add(&parts_sent, 1);
            stream->at += part;
            stream->begun = !is_last;
        }
        if (code == NSWS_OK && is_last) {
            (stream->size == 0 ? s->accepted_empty : s->accepted)[STREAM]++;
            free(stream->data);
            stream->data = NULL;
        }
    }
    pthread_mutex_unlock(&stream->lock);
    return code;
}

struct sender {
    struct session *s;
    int number;
};

/* A thread of the program sends. */
static void *send_many(void *data) {
    struct sender *sender = data;
    struct session *s = sender->s;
    struct chance c = { s->seed + 2000 + (uint64_t)sender->number };
    unsigned number = 0, empty = 0, most = (50 + below(&c, 1500)) / (s->sends_parts ? 3 : 1);
    while (!stops(s) && (number < most || is_begun(s))) {
        int is_over = number >= most, is_part = is_over || (s->sends_parts && one_in(&c, 3));
        if (one_in(&c, 30)) pair_cork(s->p);
        int32_t code = NSWS_ERR_MESSAGE_UNFINISHED;
        if (!is_part) {
            size_t size;
            int is_empty = one_in(&c, 25);
            char *message = message_of(sender->number, number, some_length(&c), &size);
            code = pair_send(s->p, message, is_empty ? 0 : size, is_text_of(number));
            free(message);
            if (code == NSWS_OK) *(is_empty ? &empty : &number) += 1;
        }
        /* While a message lacks parts, whichever thread comes by sends the next. */
        if (code == NSWS_ERR_MESSAGE_UNFINISHED && s->sends_parts) code = send_part(s, !is_over && is_part);
        if (code == NSWS_ERR_QUEUE_FULL) usleep(500);
        else if (code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_BAD_HANDLE) break;
        else if (code != NSWS_OK) wrong(s, "a send answers %s: %s", nsws_error_name(code), nsws_last_error());
        if (one_in(&c, 30) && ping(s->p, "from a sender") == NSWS_OK) __atomic_add_fetch(&s->pinged, 1, __ATOMIC_SEQ_CST);
        /* Any thread may cork; without the uncork nothing would go out. */
        if (one_in(&c, 10)) pair_uncork(s->p);
        if (one_in(&c, 200)) usleep(below(&c, 2000));
    }
    pair_uncork(s->p);
    s->accepted[sender->number] = number;
    s->accepted_empty[sender->number] = empty;
    return NULL;
}

/* Another thread pauses and resumes the reading. */
static void *pause_now_and_then(void *data) {
    struct session *s = data;
    struct chance c = { s->seed + 3000 };
    while (!stops(s)) {
        usleep(1000 + below(&c, 20000));
        if (pair_pause(s->p) != NSWS_OK) break;
        usleep(below(&c, 5000));
        if (pair_resume(s->p) != NSWS_OK) break;
    }
    pair_resume(s->p);
    return NULL;
}

/* Whether this is the next message of its source, and one of which a part may have gone out: in parts, or a large one. */
static int is_next(struct session *s, const char *data, size_t size, int is_text) {
    int source = -1;
    size_t lacks;
    long number = number_of(data, size, is_text, &source, &lacks);
    if (number < 0 || source < 0 || source >= SOURCES || number != s->counted[source]) return 0;
    return source == STREAM || size % FRAGMENT == 0;
}

/* The close frame may cut a message that lacks parts; if the peer closes first, also one that was to go out in fragments. */
static void check_cut(struct session *s, const char *data, size_t size, int is_text, int is_compressed) {
    static const char tail[] = { 0, 0, (char)0xff, (char)0xff };
    struct stream *stream = &s->stream;
    counter_add(&cut_short, 1);
    if (is_compressed && size > 0) {
        /* A part ends with what a message lacks. */
        if (size >= sizeof tail && memcmp(data + size - sizeof tail, tail, sizeof tail) == 0) size -= sizeof tail;
        data = (const char *)inflate_message(&s->from_library, data, size, &size);
        if (!data && s->ending != THIS_SIDE_CLOSES) return; /* within a part */
    }
    pthread_mutex_lock(&stream->lock);
    if (!data) wrong(s, "what the library compressed of a message is damaged");
    else if (s->ending == THIS_SIDE_CLOSES && (!stream->begun || size != stream->at || memcmp(data, stream->data, size) != 0))
        wrong(s, "of a message in parts %ld bytes were accepted, and %ld arrive", stream->begun ? (long)stream->at : -1, (long)size);
    else if (size >= HEADER && !is_next(s, data, size, is_text))
        wrong(s, "the close frame cuts a message, or what arrives of it is wrong (%ld bytes)", (long)size);
    else if (!s->sends_parts && size % FRAGMENT != 0)
        wrong(s, "the close frame cuts a message");
    pthread_mutex_unlock(&stream->lock);
}

/* The peer counts what it reads, and takes its time. */
static void *count_all(void *data) {
    struct session *s = data;
    struct pair *p = s->p;
    struct chance c = { s->seed + 4000 };
    size_t size = 0, capacity = 4096;
    char *message = malloc(capacity);
    int is_text = 0, is_compressed = 0, lazy = one_in(&c, 2), under_way = 0;
    for (;;) {
        unsigned char head[2], wide[8], mask[4] = { 0 }, control[125];
        if (lazy && one_in(&c, 50)) usleep(below(&c, 2000));
        if (!peer_read(p, head, 2)) break;
        size_t length = head[1] & 127;
        if (!!(head[1] & 0x80) != (p->role == AS_CLIENT)) wrong(s, "a frame's mask");
        if (length >= 126) {
            size_t bytes = length == 126 ? 2 : 8;
            if (!peer_read(p, wide, bytes)) break;
            length = 0;
            for (size_t i = 0; i < bytes; i++) length = length << 8 | wide[i];
        }
        if (p->role == AS_CLIENT && !peer_read(p, mask, 4)) break;
        int opcode = head[0] & 15, is_control = opcode >= 8;
        int reserved = head[0] & 0x70, may_compress = s->own_bits && (opcode == 1 || opcode == 2);
        if (length > (1 << 24) || (is_control && length > 125) || (reserved && !(may_compress && reserved == COMPRESSED))) {
            wrong(s, "a frame %02x of %ld bytes", head[0], (long)length);
            break;
        }
        if (!is_control && size + length > capacity) message = realloc(message, capacity = 2 * (size + length));
        unsigned char *payload = is_control ? control : (unsigned char *)message + size;
        if (!peer_read(p, payload, length)) break;
        for (size_t i = 0; i < length; i++) payload[i] ^= mask[i % 4];
        if (opcode == 8) {
            s->close_code = length < 2 ? 1005 : payload[0] << 8 | payload[1];
            if (under_way) check_cut(s, message, size, is_text, is_compressed);
            else if (s->ending == THIS_SIDE_CLOSES && is_begun(s)) wrong(s, "the parts of a message do not arrive");
            break;
        }
        if (opcode == 10) s->pongs++;
        if (opcode == 9 && length == 13 && memcmp(payload, "from a sender", 13) == 0) s->counted_pings++;
        if (is_control) continue;
        if (under_way != (opcode == 0)) wrong(s, "a frame %02x is out of place", head[0]);
        if (opcode) is_text = opcode == 1, is_compressed = reserved != 0;
        size += length;
        under_way = !(head[0] & 0x80);
        if (under_way) continue;
        const char *data = message;
        if (is_compressed) {
            data = (const char *)inflate_message(&s->from_library, message, size, &size);
            counter_add(&compressed_by_library, 1);
            if (!data) {
                wrong(s, "what the library compressed is damaged, or refers to what the peer does not keep");
                break;
            }
        }
        int source = -1;
        size_t lacks = 0;
        long number = number_of(data, size, is_text, &source, &lacks);
        if (size == 0) s->counted_empty++;
        else if (number < 0 || source < 0 || source >= SOURCES) wrong(s, "the peer gets a message that nobody sent (%ld bytes)", (long)size);
        else if (lacks > 0) wrong(s, "the peer gets number %ld of source %d without %ld of its bytes", number, source, (long)lacks);
        else if (number != s->counted[source]) wrong(s, "the peer gets number %ld of source %d, not %u", number, source, s->counted[source]);
        else s->counted[source]++;
        size = 0;
    }
    free(message);
    counter_add(&s->over, 1);
    return NULL;
}

/* The peer sends: messages in fragments, with pings and pongs between, in writes that end anywhere. */
static void *say_many(void *data) {
    struct session *s = data;
    struct pair *p = s->p;
    struct chance c = { s->seed + 5000 };
    struct batch b = { 0 };
    unsigned most = 50 + below(&c, 2000), number = 0, empty = 0;
    int alive = 1;
    while (alive && number < most && !stops(s)) {
        size_t size, at = 0;
        int is_empty = one_in(&c, 25);
        char *message = message_of(0, number, some_length(&c), &size);
        int first = is_text_of(number) ? TEXT_FRAME : BINARY_FRAME, fragments = one_in(&c, 4);
        if (is_empty) size = 0;
        if (s->peer_bits && !one_in(&c, 3)) {
            char *plain = message;
            message = (char *)deflate_message(&s->to_library, below(&c, SHAPES), plain, size, &size);
            first |= COMPRESSED;
            free(plain);
            counter_add(&compressed_by_peer, 1);
        }
        do {
            size_t part = fragments ? below(&c, (unsigned)(size - at) + 1) : size - at;
            int is_last = at + part == size && (!fragments || one_in(&c, 2));
            batch_frame(p, &b, is_last ? first : first & ~FIN, message + at, part);
            at += part;
            first = CONTINUATION_FRAME;
            if (is_last) break;
            if (one_in(&c, 8)) batch_frame(p, &b, PING_FRAME, "0123456789abcdef", below(&c, 17)), s->pings++;
        } while (1);
        free(message);
        *(is_empty ? &empty : &number) += 1;
        if (one_in(&c, 10)) batch_frame(p, &b, PING_FRAME, "ping", 4), s->pings++;
        if (one_in(&c, 20)) batch_frame(p, &b, PONG_FRAME, "nobody asked", below(&c, 13));
        if (b.size > below(&c, 20000)) {
            size_t part = one_in(&c, 3) ? below(&c, (unsigned)b.size) : b.size;
            alive = raw_write(p->fd, b.bytes, part) && raw_write(p->fd, b.bytes + part, b.size - part);
            b.size = 0;
        }
        if (one_in(&c, 100)) usleep(below(&c, 3000));
    }
    if (alive && b.size) alive = raw_write(p->fd, b.bytes, b.size);
    free(b.bytes);
    s->sent = alive ? number : (unsigned)-1;
    s->sent_empty = empty;
    return NULL;
}

/* Agrees on a compression: how each side does it, and from which length on the library does. */
static void compress(struct session *s, enum role role, struct pair_options *options, struct chance *c) {
    static const uint8_t bits[] = { 15, 15, 15, 9, 10, 12 };
    enum { KINDS_OF_BITS = sizeof bits / sizeof *bits };
    char windows[80];
    s->own_bits = bits[below(c, KINDS_OF_BITS)];
    s->peer_bits = bits[below(c, KINDS_OF_BITS)];
    s->own_takeover = one_in(c, 2);
    s->peer_takeover = one_in(c, 2);
    int client_bits = role == AS_CLIENT ? s->own_bits : s->peer_bits, server_bits = role == AS_CLIENT ? s->peer_bits : s->own_bits;
    int client_takeover = role == AS_CLIENT ? s->own_takeover : s->peer_takeover;
    int server_takeover = role == AS_CLIENT ? s->peer_takeover : s->own_takeover;
    flow_init(&s->from_library, s->own_bits, s->own_takeover);
    flow_init(&s->to_library, s->peer_bits, s->peer_takeover);
    SET(*options, compression, 1);
    SET(*options, compression_level, (uint8_t)(1 + below(c, 9)));
    SET(*options, compression_threshold, below(c, 200));
    SET(*options, client_max_window_bits, (uint8_t)client_bits);
    SET(*options, server_max_window_bits, (uint8_t)server_bits);
    SET(*options, client_no_context_takeover, !client_takeover);
    SET(*options, server_no_context_takeover, !server_takeover);
    /* A client that has no limit of its own asks for none. */
    snprintf(windows, sizeof windows, client_bits == 15 ? "; server_max_window_bits=%d" : "; server_max_window_bits=%d; client_max_window_bits=%d",
             server_bits, client_bits);
    snprintf(s->extensions, sizeof s->extensions, "permessage-deflate%s%s%s", windows, client_takeover ? "" : "; client_no_context_takeover",
             server_takeover ? "" : "; server_no_context_takeover");
    options->extensions = s->extensions;
}

struct variant {
    enum role role;
    int compresses, sends_parts, receives_parts;
};

static void one_session(struct variant variant, uint64_t seed) {
    static struct session s;
    enum role role = variant.role;
    struct chance c = { seed };
    struct pair_options options = pair_defaults();
    pthread_t senders[SENDERS], pauser, counter, sayer;
    struct sender of[SENDERS];
    memset(&s, 0, sizeof s);
    s.seed = seed;
    s.sends_parts = variant.sends_parts;
    s.receives_parts = variant.receives_parts;
    s.stream.chance.state = seed + 6000;
    pthread_mutex_init(&s.stream.lock, NULL);
    s.ending = below(&c, ENDINGS);
    s.slow_listener = one_in(&c, 2);
    counter_init(&s.over);
    options.on_message = message_arrives;
    SET(options, receive_parts, (uint8_t)variant.receives_parts);
    options.data = &s;
    SET(options, send_queue_size, one_in(&c, 2) ? 16 << 20 : 64 * KIB + below(&c, 500 * KIB));
    SET(options, ping_interval_ms, one_in(&c, 2) ? 30000 : 50 + below(&c, 200));
    SET(options, pong_timeout_ms, 0);
    SET(options, close_timeout_ms, (uint32_t)guard_seconds() * 1000);
    int pauses = one_in(&c, 2), in_the_midst = one_in(&c, 3);
    if (one_in(&c, 3)) raw_room = 8192;
    if (variant.compresses) compress(&s, role, &options, &c);
    struct pair *p = s.p = OPEN_PAIR(role, &options);
    raw_room = 0;
    if (!p) return;
    if (role == AS_SERVER) CHECK_OK(nsws_server_on_message_part(p->s->handle, server_part, &s, NULL));
    else CHECK_OK(nsws_client_on_message_part(p->r->client, client_part, &s, NULL));
    if (role == AS_CLIENT) CHECK_OK(nsws_client_on_data_end(p->r->client, client_end, &s, NULL));
    pthread_create(&counter, NULL, count_all, &s);
    pthread_create(&sayer, NULL, say_many, &s);
    if (pauses) pthread_create(&pauser, NULL, pause_now_and_then, &s);
    for (int i = 0; i < SENDERS; i++) {
        of[i] = (struct sender){ &s, i };
        pthread_create(&senders[i], NULL, send_many, &of[i]);
    }
    if (in_the_midst) {
        usleep(below(&c, 50000));
        if (s.ending == THIS_SIDE_CLOSES) {
            /* What was accepted before goes out; the senders stop with NOT_CONNECTED. */
            CHECK_OK(pair_close(p, 4000, "in the midst"));
        } else if (s.ending == PEER_VANISHES) {
            shutdown(p->fd, one_in(&c, 2) ? SHUT_RDWR : SHUT_WR);
        } else {
            __atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
        }
    }
    for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
    if (!in_the_midst && s.ending == THIS_SIDE_CLOSES) {
        pthread_join(sayer, NULL);
        /* All that the peer sent is on its way: it comes before the answer. */
        CHECK_OK(pair_close(p, 4000, "all sent"));
    } else {
        pthread_join(sayer, NULL);
    }
    __atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
    if (pauses) pthread_join(pauser, NULL);
    if (s.ending == PEER_CLOSES) {
        s.said_goodbye = peer_closes(p, 4001, "that is all");
        /* It hangs up once it has been answered. */
        WAIT_COUNTER(&s.over, 1);
    } else if (s.ending == THIS_SIDE_CLOSES) {
        /* Its close frame is the last that the peer reads; the answer is the last that the peer sends. */
        WAIT_COUNTER(&s.over, 1);
        s.said_goodbye = peer_closes(p, s.close_code ? s.close_code : 4000, "");
    } else {
        if (!in_the_midst && one_in(&c, 2)) {
            struct linger now = { 1, 0 };
            setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        shutdown(p->fd, SHUT_RDWR);
    }
    /* The server is the first to hang up (RFC 6455 7.1.1). */
    if (s.ending != PEER_VANISHES && role == AS_CLIENT) shutdown(p->fd, SHUT_WR);
    struct told close = PAIR_CLOSE(p);
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(counter, NULL);
    unsigned accepted_empty = 0;
    for (int i = 0; i < SOURCES; i++) accepted_empty += s.accepted_empty[i];
    const char *error = "";
    if (PAIR_ERRORS(p) > 0) error = PAIR_ERROR(p).text;
    if (!close.came) {
        wrong(&s, "no close comes");
    } else if (s.ending == THIS_SIDE_CLOSES) {
        if (close.code != 4000 || !close.was_clean) wrong(&s, "the close is %d, %sclean: %s", close.code, close.was_clean ? "" : "not ", error);
        for (int i = 0; i < SOURCES; i++)
            if (s.counted[i] != s.accepted[i]) wrong(&s, "of source %d's %u messages %u arrived", i, s.accepted[i], s.counted[i]);
        if (s.counted_pings != s.pinged) wrong(&s, "of %ld pings %ld arrived", s.pinged, s.counted_pings);
        if (s.counted_empty != accepted_empty) wrong(&s, "of %u empty messages %u arrived", accepted_empty, s.counted_empty);
        if (s.sent != (unsigned)-1 && s.delivered != s.sent) wrong(&s, "of the peer's %u messages %ld are delivered", s.sent, s.delivered);
        if (s.sent != (unsigned)-1 && s.delivered_empty != s.sent_empty)
            wrong(&s, "of the peer's %u empty messages %ld are delivered", s.sent_empty, s.delivered_empty);
    } else if (s.ending == PEER_CLOSES) {
        if (close.code != 4001 || !close.was_clean) wrong(&s, "the close is %d, %sclean: %s", close.code, close.was_clean ? "" : "not ", error);
        if (s.delivered != s.sent) wrong(&s, "of the peer's %u messages %ld are delivered", s.sent, s.delivered);
        if (s.delivered_empty != s.sent_empty) wrong(&s, "of the peer's %u empty messages %ld are delivered", s.sent_empty, s.delivered_empty);
        for (int i = 0; i < SOURCES; i++)
            if (s.counted[i] > s.accepted[i]) wrong(&s, "of source %d's %u messages %u arrived", i, s.accepted[i], s.counted[i]);
    } else {
        if (close.code != 1006 || close.was_clean || PAIR_ERRORS(p) != 1)
            wrong(&s, "the close is %d, %sclean, after %ld errors", close.code, close.was_clean ? "" : "not ", (long)PAIR_ERRORS(p));
        for (int i = 0; i < SOURCES; i++)
            if (s.counted[i] > s.accepted[i]) wrong(&s, "of source %d's %u messages %u arrived", i, s.accepted[i], s.counted[i]);
    }
    if (s.counted_empty > accepted_empty) wrong(&s, "of %u empty messages %u arrived", accepted_empty, s.counted_empty);
    if (s.is_within && s.ending == PEER_CLOSES) wrong(&s, "a message lacks its last part");
    if (role == AS_CLIENT && s.ends != s.delivered + s.delivered_empty)
        wrong(&s, "%ld ends of %ld messages", s.ends, s.delivered + s.delivered_empty);
    CHECK_INT(PAIR_CLOSES(p), 1);
    if (s.counted_pings > s.pinged) wrong(&s, "of %ld pings %ld arrived", s.pinged, s.counted_pings);
    if (s.pongs > s.pings) wrong(&s, "%u pings and %u pongs", s.pings, s.pongs);
    if (role == AS_CLIENT) destroy_client(p->r);
    else destroy_server(p->s);
    peer_leaves(p);
    free(s.from_library.bytes);
    free(s.to_library.bytes);
    free(s.stream.data);
    free(s.parts.bytes);
}

/* Whether this build can compress. */
static int can_compress(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.compression = 1;
    int32_t code = nsws_server_start(s->handle, &options);
    CHECK(code == NSWS_OK || code == NSWS_ERR_NOT_SUPPORTED);
    destroy_server(s);
    return code == NSWS_OK;
}

/* Whether each kind of message went both ways. */
static int has_seen_all(int compresses) {
    int has_compressed = counter_value(&compressed_by_library) > 0 && counter_value(&compressed_by_peer) > 0;
    return (has_compressed || !compresses) && counter_value(&parts_sent) > 0 && counter_value(&parts_received) > 0;
}

static void every_message_is_delivered_once_and_in_order_or_the_connection_is_lost(void) {
    int compresses = can_compress();
    counter_init(&compressed_by_library);
    counter_init(&compressed_by_peer);
    counter_init(&parts_sent);
    counter_init(&parts_received);
    counter_init(&cut_short);
    /*
     * All variants come within 24 sessions; which one it is follows from the seed, too. A session may end before it sends
     * anything, and a few may all do so: then it takes more of them.
     */
    for (int i = 0; (i < sessions || (sessions >= 4 && !has_seen_all(compresses) && i < sessions + 24)) && failed_checks() == 0; i++) {
        uint64_t seed = seed_of_all + (uint64_t)i;
        struct variant variant = { seed % 2 ? AS_SERVER : AS_CLIENT, compresses && seed / 2 % 2, seed % 3 > 0, (seed + seed / 2 + seed / 4) % 2 };
        one_session(variant, seed);
    }
    printf("    compressed: %ld messages of the library, %ld of the peer\n", counter_value(&compressed_by_library),
           counter_value(&compressed_by_peer));
    printf("    parts: %ld sent, %ld received; messages that lacked parts at the close: %ld\n", counter_value(&parts_sent),
           counter_value(&parts_received), counter_value(&cut_short));
    if (sessions >= 4 && failed_checks() == 0) CHECK(has_seen_all(compresses));
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    sessions = count > 1 ? atoi(words[1]) : slowness() > 1 ? 4 : 40;
    seed_of_all = count > 2 ? strtoull(words[2], NULL, 10) : (uint64_t)now_us() % 1000000007;
    printf("seed %llu\n", (unsigned long long)seed_of_all);
    RUN(every_message_is_delivered_once_and_in_order_or_the_connection_is_lost);
    return end_tests();
}
