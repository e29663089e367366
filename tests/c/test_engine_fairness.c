/*
 * No connection gets more than a turn, 64 KiB or 128 frames of any kind, before the others have theirs. This is measured by
 * counting: a quiet connection's next message is in its socket before its listener returns from the last one, so that between
 * the two only one turn of each flooding connection may pass. What passes is counted as the bytes of the flood that are read,
 * and as its messages.
 */
#include "pair.h"

/* On the leading thread, one turn of each passes. Where the scheduler takes the processor from it in the middle of callbacks,
 * another thread leads, and the reading goes on until that one wakes up: a few turns, never hundreds. */
enum { TURNS = 4 };

enum { KIB = 1024, MIB = 1024 * 1024, TURN_BYTES = 64 * KIB, TURN_FRAMES = 128, BLOCK = 256 * KIB, MOST_FLOODS = 4, ROUNDS = 600 };

/* A kind of flood: frames that are written again and again behind something that comes first. */
struct flood {
    const char *name;
    int first;
    size_t length;
    /* What comes first: nothing, a message that never ends, or a large message before that. SENT: the program sends it. */
    enum { NOTHING, UNFINISHED, LARGE_FIRST, SENT } begin;
};

static const struct flood floods[] = {
    { "pings", PING_FRAME, 0, NOTHING },
    { "pings with a payload", PING_FRAME, 125, NOTHING },
    { "pongs", PONG_FRAME, 0, NOTHING },
    { "pongs behind a large message", PONG_FRAME, 3, LARGE_FIRST },
    { "empty fragments", CONTINUATION_FRAME & ~FIN, 0, UNFINISHED },
    { "empty fragments behind a large message", CONTINUATION_FRAME & ~FIN, 0, LARGE_FIRST },
    { "fragments of one byte", CONTINUATION_FRAME & ~FIN, 1, UNFINISHED },
    { "empty messages", BINARY_FRAME, 0, NOTHING },
    { "messages of 20 bytes", TEXT_FRAME, 20, NOTHING },
    { "messages of 10,000 bytes", BINARY_FRAME, 10000, NOTHING },
    { "messages of 1 MiB", BINARY_FRAME, MIB, NOTHING },
    { "messages of 60,000 bytes that the program sends", BINARY_FRAME, 60000, SENT },
};
enum { FLOODS = sizeof floods / sizeof *floods };

/* What one turn of a flood may take from its socket, or write to it. */
static long turn_bytes(const struct pair *p, const struct flood *flood) {
    /* The program's threads write as well, on other processors. */
    if (flood->begin == SENT) return 4 * (256 * KIB + TURN_BYTES);
    unsigned char head[FRAME_ROOM];
    long frame = (long)(peer_head(p, head, flood->first, flood->length) + flood->length), turn = TURN_FRAMES * frame;
    return turn < TURN_BYTES + frame ? turn : TURN_BYTES + frame;
}

static long turn_messages(const struct flood *flood) {
    long messages = flood->length ? TURN_BYTES / (long)flood->length + 1 : TURN_FRAMES;
    return messages < TURN_FRAMES ? messages : TURN_FRAMES;
}

/* A flooding peer, or a program that floods its peer: one thread writes, another reads what comes back. */
struct flooder {
    struct pair *p;
    struct batch frames;
    const char *sent;
    size_t length;
    int stop;
    long written;
    pthread_t writer, reader;
};

static void *write_flood(void *data) {
    struct flooder *f = data;
    size_t at = 0;
    while (!__atomic_load_n(&f->stop, __ATOMIC_SEQ_CST)) {
        if (f->sent) {
            if (pair_send(f->p, f->sent, f->length, 0) != NSWS_OK) usleep(1000);
            continue;
        }
        struct pollfd ready = { f->p->fd, POLLOUT, 0 };
        ssize_t count = send(f->p->fd, f->frames.bytes + at, f->frames.size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno != EAGAIN) break;
            poll(&ready, 1, 10);
            continue;
        }
        __atomic_add_fetch(&f->written, count, __ATOMIC_SEQ_CST);
        at = (at + (size_t)count) % f->frames.size;
    }
    return NULL;
}

static void *read_pongs(void *data) {
    struct flooder *f = data;
    char buffer[65536];
    while (recv(f->p->fd, buffer, sizeof buffer, 0) > 0) {
    }
    return NULL;
}

/* What the library has read of a flood, or written. */
static long taken(struct flooder *f) {
    if (f->sent) return (long)pair_figures(f->p).bytes_sent;
    return __atomic_load_n(&f->written, __ATOMIC_SEQ_CST) - peer_unread(f->p);
}

/* The floods are set up before the quiet connection's listener looks at them; what both change is under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct flooder flooders[MOST_FLOODS];
static int flooding, done;
static struct counter rounds;
static long seen_bytes, seen_messages;
static long bytes_between[ROUNDS + 1], messages_between[ROUNDS + 1];

static void count_it(struct pair *p, const nsws_message_event *e) { (void)p, (void)e; }

/* The quiet connection's listener: notes how much of the floods has passed since its last call, and sends the next message. */
static void next_round(struct pair *p, const nsws_message_event *e) {
    long bytes = 0, messages = 0, round = counter_value(&rounds);
    (void)e;
    pthread_mutex_lock(&lock);
    if (round > ROUNDS || done) {
        pthread_mutex_unlock(&lock);
        return;
    }
    for (int i = 0; i < flooding; i++) {
        bytes += taken(&flooders[i]);
        messages += counter_value(&flooders[i].p->messages);
    }
    /* Bytes may be read a little before they are counted as written. */
    if (bytes < seen_bytes) bytes = seen_bytes;
    bytes_between[round] = bytes - seen_bytes;
    messages_between[round] = messages - seen_messages;
    peer_send(p, TEXT_FRAME, "quiet", 5);
    seen_bytes = bytes;
    seen_messages = messages;
    pthread_mutex_unlock(&lock);
    counter_add(&rounds, 1);
}

static int by_size(const void *left, const void *right) {
    long one = *(const long *)left, other = *(const long *)right;
    return one < other ? -1 : one > other;
}

/* A server has one listener for all its connections. */
static struct pair *quiet;

static void either(struct pair *p, const nsws_message_event *e) {
    /* All messages of a server come to its first pair, with the connection they came from. */
    struct pair *flood = NULL;
    pthread_mutex_lock(&lock);
    struct pair *of = p->talking.id == quiet->connection.id ? quiet : NULL;
    for (int i = 0; i < flooding; i++)
        if (flooders[i].p->connection.id == p->talking.id) flood = flooders[i].p;
    pthread_mutex_unlock(&lock);
    if (flood) counter_add(&flood->messages, 1);
    else if (of) next_round(of, e);
}

/* Where reading is slow, what waits in the socket of a flood that is over would keep the library from the next one. */
static void holds_little(struct pair *p) {
    int size = BLOCK / 2;
    if (slowness() == 1) return;
    peer_unread(p);
    setsockopt(p->library_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

/* Whether the library was fair, or wasn't tried; a check fails if this is the last try. */
static int is_fair(enum role role, const struct flood *flood, int count, int wss, int is_last) {
    int is = 1;
    struct pair_options options = pair_defaults();
    SET(options, max_receive_size, SIZE_MAX);
    options.on_message = role == AS_CLIENT ? next_round : either;
    counter_init(&rounds);
    flooding = done = 0;
    seen_bytes = seen_messages = 0;
    memset(flooders, 0, sizeof flooders);
    struct pair *first = OPEN_PAIR(role, &options), *one = first;
    /* The first pair of a server gets the messages of all connections. */
    if (first && role == AS_SERVER) one = JOIN(first, "127.0.0.1", &options);
    if (!one) return 1;
    pthread_mutex_lock(&lock);
    quiet = one;
    pthread_mutex_unlock(&lock);
    char *data = letters(flood->length);
    for (int i = 0; i < count; i++) {
        struct flooder *f = &flooders[i];
        options.on_message = count_it;
        options.wss = wss;
        f->p = role == AS_CLIENT ? OPEN_PAIR(role, &options) : JOIN(first, "127.0.0.7", &options);
        if (!f->p) return 1;
        holds_little(f->p);
    }
    pthread_mutex_lock(&lock);
    flooding = count;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++) {
        struct flooder *f = &flooders[i];
        if (flood->begin == SENT) {
            f->sent = data;
            f->length = flood->length;
            continue;
        }
        if (flood->begin == LARGE_FIRST) {
            char *large = pattern(70000);
            batch_frame(f->p, &f->frames, BINARY_FRAME, large, 70000);
            free(large);
        }
        if (flood->begin != NOTHING && flood->first == (CONTINUATION_FRAME & ~FIN))
            batch_frame(f->p, &f->frames, BINARY_FRAME & ~FIN, "", 0);
        if (f->frames.size && !CHECK(batch_send(f->p, &f->frames))) return 1;
        do batch_frame(f->p, &f->frames, flood->first, data, flood->length);
        while (f->frames.size < MIB);
    }
    for (int i = 0; i < count; i++) {
        pthread_create(&flooders[i].reader, NULL, read_pongs, &flooders[i]);
        pthread_create(&flooders[i].writer, NULL, write_flood, &flooders[i]);
    }
    /* The flood has begun when some of it was read. */
    for (int i = 0; i < count; i++) {
        long long end = now_us() + guard_seconds() * 1000000LL;
        long begun = 0;
        while ((begun = taken(&flooders[i])) < 100000 && now_us() < end) usleep(1000);
        CHECK_LEAST(begun, 100000);
    }
    CHECK(peer_send(one, TEXT_FRAME, "quiet", 5));
    WAIT_COUNTER(&rounds, THREADS_SANITIZED ? 20 : ROUNDS / slowness());
    pthread_mutex_lock(&lock);
    done = 1;
    pthread_mutex_unlock(&lock);
    int number = (int)counter_value(&rounds);
    if (number > ROUNDS) number = ROUNDS;
    for (int i = 0; i < count; i++) {
        __atomic_store_n(&flooders[i].stop, 1, __ATOMIC_SEQ_CST);
        shutdown(flooders[i].p->fd, SHUT_RDWR);
        pthread_join(flooders[i].writer, NULL);
        pthread_join(flooders[i].reader, NULL);
    }
    /* TSan slows each thread down by another factor, so it only looks for races. */
    if (number > 20 && !THREADS_SANITIZED) {
        /* The first round began in the middle of things. A tenth may be longer: another thread took over meanwhile, or a busy
         * machine ran something else than this listener. */
        qsort(bytes_between + 1, (size_t)number - 1, sizeof(long), by_size);
        qsort(messages_between + 1, (size_t)number - 1, sizeof(long), by_size);
        int most = 1 + (number - 1) * 9 / 10;
        long bytes = 0;
        for (int i = 1; i < most; i++) bytes += bytes_between[i];
        /* Valgrind runs one thread at a time, and an emulator's threads are slow to wake: more pass while the leader waits. */
        long slow = slowness() > 1 ? 2 : 1;
        long allowed = (most * turn_bytes(one, flood) * TURNS * slow + BLOCK) * count;
        long turn = turn_messages(flood) * count, median = messages_between[number / 2], late = messages_between[most - 1];
        /* Where callbacks are not known to be short, one turn passes before the quiet one is read, and one before it is heard. */
        long usual = 2 * turn * slow, most_late = 2 * TURNS * turn * slow;
        /* A relay takes in more than this. */
        if (wss) bytes = 0;
        is = bytes <= allowed && median <= usual && late <= most_late;
        if (!is && is_last)
            harness_fail(__FILE__, __LINE__,
                         "%s, %d of %s: within %d rounds %ld bytes pass, not %ld; between two rounds %ld messages (median), not %ld; %ld (of ten, the ninth), not %ld",
                         role_names[role], count, flood->name, most, bytes, allowed, median, usual, late, most_late);
    }
    for (int i = 0; i < count; i++) {
        free(flooders[i].frames.bytes);
        peer_leaves(flooders[i].p);
    }
    free(data);
    pair_ends(one);
    if (first != one) peer_leaves(first);
    return is;
}

/* On a busy machine the scheduler is unfair now and then; a library that is unfair is so in each of three tries. */
static void must_be_fair(enum role role, const struct flood *flood, int count, int wss) {
    for (int tries = 1; tries <= 3 && !is_fair(role, flood, count, wss, tries == 3); tries++) {
    }
}

static void beside(int number, int count) {
    /* Two floods show a race as well as four, in a time that fits. */
    if (THREADS_SANITIZED && count > 2) count = 2;
    BOTH_ROLES(role) must_be_fair(role, &floods[number], count, 0);
}

#define BESIDE(name, number)                                                                    \
    static void a_quiet_one_is_served_beside_##name(void) { beside(number, 1); }                \
    static void a_quiet_one_is_served_beside_four_with_##name(void) { beside(number, 4); }

BESIDE(pings, 0)
BESIDE(pings_of_125_bytes, 1)
BESIDE(pongs, 2)
BESIDE(pongs_behind_a_large_message, 3)
BESIDE(empty_fragments, 4)
BESIDE(empty_fragments_behind_a_large_message, 5)
BESIDE(fragments_of_a_byte, 6)
BESIDE(empty_messages, 7)
BESIDE(messages_of_20_bytes, 8)
BESIDE(messages_of_10000_bytes, 9)
BESIDE(messages_of_1_mib, 10)
BESIDE(messages_that_are_sent, 11)

static void a_quiet_one_is_served_beside_a_flood_in_tls(void) {
    must_be_fair(AS_CLIENT, &floods[8], 1, 1);
    must_be_fair(AS_CLIENT, &floods[9], 2, 1);
}

#define RUN_BESIDE(name)                        \
    do {                                        \
        RUN(a_quiet_one_is_served_beside_##name); \
        RUN(a_quiet_one_is_served_beside_four_with_##name); \
    } while (0)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN_BESIDE(pings);
    RUN_BESIDE(pings_of_125_bytes);
    RUN_BESIDE(pongs);
    RUN_BESIDE(pongs_behind_a_large_message);
    RUN_BESIDE(empty_fragments);
    RUN_BESIDE(empty_fragments_behind_a_large_message);
    RUN_BESIDE(fragments_of_a_byte);
    RUN_BESIDE(empty_messages);
    RUN_BESIDE(messages_of_20_bytes);
    RUN_BESIDE(messages_of_10000_bytes);
    RUN_BESIDE(messages_of_1_mib);
    RUN_BESIDE(messages_that_are_sent);
    RUN(a_quiet_one_is_served_beside_a_flood_in_tls);
    return end_tests();
}
