/*
 * Memory that can't be had, wherever a peer decides how much is asked for and that may be more than 64 KiB: its connection ends
 * with 1009 and NO_MEMORY, the others go on. The program's malloc() refuses what is larger than a bound, on the library's
 * threads. Each case runs in a process of its own, this program once more: an allocation that nobody handles aborts it.
 */
#include "deflate.h"
#include "pair.h"

enum { KIB = 1024, MIB = 1024 * 1024, MINIMUM = 64 * KIB };

/* The allocator: glibc's, with a bound. */

static size_t bound = SIZE_MAX;
static long refusals;
/* How many larger allocations still succeed. */
static long spared;
/* The test's own threads may have what they want, but where they stand for a caller of the library. */
static __thread int is_test;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { CAN_REFUSE = 1 };
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static int refuses(size_t size) {
    if (size <= __atomic_load_n(&bound, __ATOMIC_RELAXED) || is_test || __atomic_fetch_sub(&spared, 1, __ATOMIC_SEQ_CST) > 0) return 0;
    __atomic_add_fetch(&refusals, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return refuses(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return refuses(count * size) ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return refuses(size) ? NULL : __libc_realloc(memory, size); }
void *memalign(size_t alignment, size_t size) { return refuses(size) ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    if (refuses(size)) return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
#else
enum { CAN_REFUSE = 0 };
#endif

static void refuse_above(size_t most) {
    __atomic_store_n(&spared, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&bound, most, __ATOMIC_SEQ_CST);
}

/* Two connections: one whose peer asks for much, and a witness that goes on. */

static struct pair *witness, *victim;
static struct gate gate;
static long spares;
/* What the victim's listener does with a message, after it was let through the gate. */
static int32_t (*answers)(struct pair *, const nsws_message_event *);
static int32_t answer;
static struct counter answered;

static void on_message(struct pair *p, const nsws_message_event *e) {
    if (p == NULL || p->talking.id != victim->connection.id || (p->role == AS_CLIENT && p != victim)) return;
    gate_pass(&gate);
    if (!answers) return;
    refuse_above(MINIMUM);
    __atomic_store_n(&spared, spares, __ATOMIC_SEQ_CST);
    answer = answers(victim, e);
    refuse_above(SIZE_MAX);
    counter_add(&answered, 1);
}

/* Whether the witness still hears and is heard. */
static void the_witness_goes_on(int line) {
    struct frame frame;
    peer_is_answered(__FILE__, line, witness, "are you there?");
    CHECK_OK(pair_send(witness, "still", 5, 1));
    if (!peer_receive_kind(witness, TEXT_FRAME, &frame)) harness_fail(__FILE__, line, "the %s that had enough memory is not heard", role_names[witness->role]);
}

static int begins(enum role role, int compression) {
    struct pair_options options = pair_defaults();
    static const struct pair nobody;
    is_test = 1;
    gate_init(&gate);
    counter_init(&answered);
    SET(options, compression, (uint8_t)compression);
    options.on_message = on_message;
    victim = (struct pair *)&nobody;
    witness = OPEN_PAIR(role, &options);
    if (!witness) return 0;
    if (compression) options.extensions = "permessage-deflate";
    struct pair *other = role == AS_CLIENT ? OPEN_PAIR(role, &options) : JOIN(witness, "127.0.0.2", &options);
    if (!other) return 0;
    victim = other;
    /* What lanes keep is made: a block to read into. */
    peer_is_answered(__FILE__, __LINE__, victim, "are you there?");
    the_witness_goes_on(__LINE__);
    return 1;
}

/* The victim's connection has ended for want of memory, and no other. */
static void ends_with(int line, int code) {
    BECOMES(__atomic_load_n(&refusals, __ATOMIC_SEQ_CST) > 0, 1);
    refuse_above(SIZE_MAX);
    struct told error = PAIR_ERROR(victim), close = PAIR_CLOSE(victim);
    if (error.came) CHECK_INT(error.detail, NSWS_DETAIL_NO_MEMORY);
    if (close.came && !(close.code == code && !close.was_clean)) harness_fail(__FILE__, line, "it ends with %d", close.code);
    CHECK_INT(PAIR_CLOSES(witness), 0);
    the_witness_goes_on(line);
}

static void ends_alone(int line) {
    ends_with(line, 1009);
}

/* The cases. */

/* One frame that arrives, with more and more memory refused. */
static void frame(enum role role, size_t most) {
    if (!begins(role, 0)) return;
    char *data = pattern(4 * MIB);
    gate_open(&gate);
    refuse_above(most);
    peer_send(victim, BINARY_FRAME, data, 4 * MIB);
    ends_alone(__LINE__);
    free(data);
}

static void fragments(enum role role, size_t length) {
    if (!begins(role, 0)) return;
    char *data = pattern(length);
    gate_open(&gate);
    refuse_above(300 * KIB);
    for (size_t sent = 0; sent < 4 * MIB; sent += length)
        if (!peer_send(victim, (sent ? CONTINUATION_FRAME : BINARY_FRAME) & ~FIN, data, length)) break;
    ends_alone(__LINE__);
    free(data);
}

/* Writes bits as RFC 1951 3.1.1 has them: those of a Huffman code from its highest on. */
struct bits {
    unsigned char *bytes;
    size_t count;
};

static void put_code(struct bits *out, unsigned code, int length) {
    while (length-- > 0) {
        if (code >> length & 1) out->bytes[out->count / 8] |= (unsigned char)(1 << out->count % 8);
        out->count++;
    }
}

/* A kilobyte or two that becomes two megabytes of zeros. */
static void inflated(enum role role, size_t most) {
    if (!begins(role, 1)) return;
    static unsigned char packed[16 * KIB];
    struct bits bits = { packed, 0 };
    put_code(&bits, 2, 3);    /* not the last block; fixed codes */
    put_code(&bits, 0x30, 8); /* a zero */
    for (int i = 0; i < 2 * MIB / 258; i++) put_code(&bits, 0xc5 << 5, 13); /* 258 times what was one byte ago */
    put_code(&bits, 0, 7);
    put_code(&bits, 0, 3); /* the empty stored block, of which RFC 7692 leaves the rest away */
    gate_open(&gate);
    refuse_above(most);
    peer_send(victim, BINARY_FRAME | 0x40, packed, (bits.count + 7) / 8);
    ends_alone(__LINE__);
}

/* What waits for a listener that is busy: below a block, and above it. */
static void waits(enum role role, size_t length) {
    if (!begins(role, 0)) return;
    char *data = pattern(length);
    CHECK(peer_send(victim, TEXT_FRAME, "first", 5));
    WAIT_WAITING(&gate, 1);
    refuse_above(MINIMUM);
    /* Once more is refused, its socket isn't read any more. */
    for (int i = 0; i < 8 && __atomic_load_n(&refusals, __ATOMIC_SEQ_CST) == 0; i++) peer_send(victim, BINARY_FRAME, data, length);
    BECOMES(__atomic_load_n(&refusals, __ATOMIC_SEQ_CST) > 0, 1);
    refuse_above(SIZE_MAX);
    gate_open(&gate);
    ends_alone(__LINE__);
    free(data);
}

/* A whole message that one read brings, and that waits for a listener. */
static void read_whole(enum role role) {
    enum { LENGTH = 200 * KIB, ROOM = 2 * MIB };
    int room = ROOM, in = 0;
    if (!begins(role, 0)) return;
    char *data = pattern(LENGTH);
    peer_unread(victim);
    int library = victim->library_fd;
    CHECK_INT(setsockopt(library, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    CHECK(peer_send(victim, TEXT_FRAME, "first", 5));
    WAIT_WAITING(&gate, 1);
    CHECK_OK(pair_pause(victim));
    CHECK(peer_send(victim, BINARY_FRAME, data, LENGTH));
    BECOMES((ioctl(library, FIONREAD, &in), in >= LENGTH), 1);
    refuse_above(MINIMUM);
    CHECK_OK(pair_resume(victim));
    BECOMES(__atomic_load_n(&refusals, __ATOMIC_SEQ_CST) > 0, 1);
    refuse_above(SIZE_MAX);
    gate_open(&gate);
    ends_alone(__LINE__);
    free(data);
}

/* A message of which the socket takes a part, since the peer does not read. */
static void unread(enum role role) {
    enum { LENGTH = 4 * MIB };
    int room = 256 * KIB;
    if (!begins(role, 0)) return;
    /* With a larger send buffer, the system might take the whole message. peer_unread() sets library_fd. */
    peer_unread(victim);
    CHECK_INT(setsockopt(victim->library_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    char *data = pattern(LENGTH);
    gate_open(&gate);
    refuse_above(MINIMUM);
    is_test = 0;
    int32_t code = pair_send(victim, data, LENGTH, 0);
    is_test = 1;
    refuse_above(SIZE_MAX);
    /* Its beginning is out already, so nothing else can be sent. */
    CHECK_OK(code);
    ends_with(__LINE__, 1006);
    free(data);
}

static int32_t sends_back(struct pair *p, const nsws_message_event *e) {
    return pair_send(p, e->data, e->length, 0);
}

static int32_t sends_back_in_parts(struct pair *p, const nsws_message_event *e) {
    return p->role == AS_CLIENT ? nsws_client_send_part(p->r->client, e->data, e->length, 0, 1)
                                : nsws_connection_send_part(p->connection, e->data, e->length, 0, 1);
}

static int32_t broadcasts(struct pair *p, const nsws_message_event *e) {
    size_t accepted;
    return nsws_server_broadcast(p->s->handle, e->data, e->length, 0, &accepted);
}

/* An answer as large as the message: what can't be queued is refused, or sent as it is, and the connection goes on. */
static void echo(enum role role, int32_t (*how)(struct pair *, const nsws_message_event *), int compression) {
    enum { LENGTH = 200 * KIB };
    struct frame frame;
    if (!begins(role, compression)) return;
    char *data = pattern(LENGTH);
    answers = how;
    gate_open(&gate);
    CHECK(peer_send(victim, BINARY_FRAME, data, LENGTH));
    if (!WAIT_COUNTER(&answered, 1)) return;
    CHECK(answer == NSWS_OK || answer == NSWS_ERR_NO_RESOURCES);
    if (answer == NSWS_OK) CHECK(peer_receive(victim, &frame));
    answers = NULL;
    CHECK_INT(PAIR_CLOSES(victim), 0);
    the_witness_goes_on(__LINE__);
    free(data);
}

/* Reads a message, compressed or not; returns whether it is `data`. */
static int peer_gets(struct flow *flow, const char *data, size_t length) {
    unsigned char head[2], wide[8], mask[4] = { 0 };
    size_t size = 0, bytes;
    if (!peer_read(victim, head, 2)) return 0;
    bytes = (head[1] & 127) == 127 ? 8 : (head[1] & 127) == 126 ? 2 : 0;
    if (!peer_read(victim, wide, bytes)) return 0;
    for (size_t i = 0; i < bytes; i++) size = size << 8 | wide[i];
    if (bytes == 0) size = head[1] & 127;
    if (victim->role == AS_CLIENT && !peer_read(victim, mask, 4)) return 0;
    unsigned char *payload = malloc(size + 1);
    int is_read = peer_read(victim, payload, size);
    for (size_t i = 0; is_read && i < size; i++) payload[i] ^= mask[i % 4];
    const unsigned char *message = head[0] & 0x40 ? inflate_message(flow, payload, size, &size) : payload;
    int is_same = is_read && message && size == length && memcmp(message, data, length) == 0;
    free(payload);
    return is_same;
}

/* An answer that is compressed and then can't be queued: what follows does not refer to it. */
static void forgotten(enum role role, size_t number) {
    enum { LENGTH = 200 * KIB, NOISE = 120 * KIB, PART = 20 * KIB };
    static struct flow flow;
    static char data[LENGTH];
    uint32_t state = 1;
    if (!begins(role, 1)) return;
    flow_init(&flow, 15, 1);
    for (size_t i = LENGTH - NOISE; i < LENGTH; i++) data[i] = (char)((state = state * 1103515245u + 12345u) >> 16);
    answers = sends_back;
    spares = (long)number;
    gate_open(&gate);
    /* The compressor is made while there is memory. */
    CHECK_OK(pair_send(victim, data, 2000, 0));
    CHECK(peer_gets(&flow, data, 2000));
    CHECK(peer_send(victim, BINARY_FRAME, data, LENGTH));
    if (!WAIT_COUNTER(&answered, 1)) return;
    CHECK(answer == NSWS_OK || answer == NSWS_ERR_NO_RESOURCES);
    if (answer == NSWS_OK) CHECK(peer_gets(&flow, data, LENGTH));
    CHECK_OK(pair_send(victim, data + LENGTH - PART, PART, 0));
    CHECK(peer_gets(&flow, data + LENGTH - PART, PART));
    CHECK_INT(PAIR_CLOSES(victim), 0);
    the_witness_goes_on(__LINE__);
    free(flow.bytes);
}

/* An answer to the handshake without end. */
static void head(void) {
    struct pair_options options = pair_defaults();
    uint16_t port;
    char url[64], *line = malloc(8 * KIB);
    is_test = 1;
    struct recorder *r = new_client();
    int listener = listening_socket(&port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%d/", port);
    refuse_above(MINIMUM);
    CHECK_OK(nsws_client_connect(r->client, url, &options.client));
    int fd = accepted_socket(listener);
    raw_head(fd);
    raw_say(fd, "HTTP/1.1 101 Switching Protocols\r\n");
    memset(line, 'x', 8 * KIB);
    memcpy(line, "X-Long: ", 8);
    memcpy(line + 8 * KIB - 2, "\r\n", 2);
    for (int i = 0; i < 100 && raw_write(fd, line, 8 * KIB); i++) {
    }
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK(error->phase == NSWS_PHASE_HANDSHAKE && error->detail == NSWS_DETAIL_NO_MEMORY);
    refuse_above(SIZE_MAX);
    close(fd);
    close(listener);
    free(line);
}

static const char *self;

static void run_case(const char *which) {
    char name[32] = "", role_name[16] = "";
    size_t number = 0;
    sscanf(which, "%31[^,],%15[^,],%zu", name, role_name, &number);
    enum role role = strcmp(role_name, "server") == 0 ? AS_SERVER : AS_CLIENT;
    if (strcmp(name, "frame") == 0) frame(role, number * KIB);
    if (strcmp(name, "fragments") == 0) fragments(role, number * KIB);
    if (strcmp(name, "inflated") == 0) inflated(role, number * KIB);
    if (strcmp(name, "waits") == 0) waits(role, number * KIB);
    if (strcmp(name, "whole") == 0) read_whole(role);
    if (strcmp(name, "unread") == 0) unread(role);
    if (strcmp(name, "echo") == 0) echo(role, sends_back, (int)number);
    if (strcmp(name, "parts") == 0) echo(role, sends_back_in_parts, (int)number);
    if (strcmp(name, "broadcast") == 0) echo(role, broadcasts, (int)number);
    if (strcmp(name, "forgotten") == 0) forgotten(role, number);
    if (strcmp(name, "head") == 0) head();
}

/* Runs a case; whether it survives, and finds nothing wrong. */
static void survives(const char *name, enum role role, size_t number) {
    char *words[32], which[64];
    snprintf(which, sizeof which, "%s,%s,%zu", name, role_names[role], number);
    command_line(words, self, which);
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execvp(words[0], words);
        _exit(127);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) harness_fail(__FILE__, __LINE__, "%s is ended by signal %d", which, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0) harness_fail(__FILE__, __LINE__, "%s fails", which);
}

static void a_frame_without_memory_ends_its_connection_alone(void) {
    static const size_t bounds[] = { 64, 100, 300, 1500 };
    BOTH_ROLES(role)
        for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) survives("frame", role, bounds[i]);
}

static void fragments_without_memory_end_their_connection_alone(void) {
    BOTH_ROLES(role) {
        survives("fragments", role, 1);
        survives("fragments", role, 64);
        survives("fragments", role, 1024);
    }
}

static void inflated_data_without_memory_ends_its_connection_alone(void) {
    BOTH_ROLES(role) {
        survives("inflated", role, 64);
        survives("inflated", role, 300);
    }
}

static void what_waits_for_a_listener_without_memory_ends_its_connection_alone(void) {
    BOTH_ROLES(role) {
        survives("waits", role, 200);
        survives("waits", role, 1024);
    }
}

static void a_message_read_at_once_that_has_to_wait_without_memory_ends_its_connection_alone(void) {
    BOTH_ROLES(role) survives("whole", role, 0);
}

static void what_a_peer_does_not_read_without_memory_harms_nobody_else(void) {
    BOTH_ROLES(role) survives("unread", role, 0);
}

static void an_answer_without_memory_is_refused(void) {
    BOTH_ROLES(role)
        for (size_t compression = 0; compression < 2; compression++) survives("echo", role, compression);
}

static void a_part_without_memory_is_refused(void) {
    BOTH_ROLES(role) survives("parts", role, 0);
}

static void what_follows_a_compressed_answer_without_memory_does_not_refer_to_it(void) {
    BOTH_ROLES(role)
        for (size_t spared_ones = 0; spared_ones < 4; spared_ones++) survives("forgotten", role, spared_ones);
}

static void a_broadcast_without_memory_is_refused(void) {
    survives("broadcast", AS_SERVER, 0);
}

static void an_answer_to_the_handshake_without_end_fails_its_attempt(void) {
    survives("head", AS_CLIENT, 0);
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    self = words[0];
    if (count > 1) {
        name_test(words[1]);
        run_case(words[1]);
        fflush(stdout);
        _exit(failed_checks() != 0);
    }
    /* Sanitizers, valgrind and emulators have allocators of their own. */
    if (!CAN_REFUSE || slowness() > 1 || getenv("NSWS_TEST_EMULATOR")) return 0;
    RUN(a_frame_without_memory_ends_its_connection_alone);
    RUN(fragments_without_memory_end_their_connection_alone);
    RUN(inflated_data_without_memory_ends_its_connection_alone);
    RUN(what_waits_for_a_listener_without_memory_ends_its_connection_alone);
    RUN(a_message_read_at_once_that_has_to_wait_without_memory_ends_its_connection_alone);
    RUN(what_a_peer_does_not_read_without_memory_harms_nobody_else);
    RUN(an_answer_without_memory_is_refused);
    RUN(a_part_without_memory_is_refused);
    RUN(what_follows_a_compressed_answer_without_memory_does_not_refer_to_it);
    RUN(a_broadcast_without_memory_is_refused);
    RUN(an_answer_to_the_handshake_without_end_fails_its_attempt);
    return end_tests();
}
