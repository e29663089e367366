/*
 * Where memory is limited (RLIMIT_AS), what a peer announces costs nothing, and an allocation that fails ends that connection
 * alone, with 1009. Each case runs this program again, in a process of its own: a failed allocation that is not handled aborts.
 */
#include "pair.h"

#include <sys/resource.h>

enum { KIB = 1024, MIB = 1024 * 1024, GIB = 1024 * 1024 * 1024 };

#ifndef NSWS_DETAIL_NO_MEMORY
enum { NSWS_DETAIL_NO_MEMORY = 2302974 };
#endif

static long address_space_kib(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1) pages = -1;
    if (file != NULL) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* From now on the process may have this much more. */
static void limit_to_more(long mib) {
    struct rlimit limit = { 0, RLIM_INFINITY };
    limit.rlim_cur = (rlim_t)address_space_kib() * KIB + (rlim_t)mib * MIB;
    CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
}

static void ignored(struct pair *p, const nsws_message_event *e) { (void)p, (void)e; }

static struct pair *open_at(int line, enum role role, int wss) {
    struct pair_options options = pair_defaults();
    SET(options, max_receive_size, GIB);
    options.server.max_concurrent_clients = 1000;
    options.on_message = ignored;
    options.wss = wss;
    return open_pair_at(__FILE__, line, role, &options);
}

static struct pair *another_at(int line, struct pair *first, int number) {
    struct pair_options options = pair_defaults();
    char from[32];
    if (first->role == AS_CLIENT) return open_at(line, AS_CLIENT, first->wss);
    snprintf(from, sizeof from, "127.0.0.%d", 2 + number / 10);
    options.on_message = ignored;
    options.wss = first->wss;
    return join_at(__FILE__, line, first, from, &options);
}

static int announces(struct pair *p, int first, uint64_t length, size_t bytes) {
    unsigned char head[FRAME_ROOM];
    char some[64] = { 0 };
    return raw_write(p->fd, head, peer_head(p, head, first, length)) && (bytes == 0 || raw_write(p->fd, some, bytes));
}

/* Whether it still receives and answers. */
static void goes_on(int line, struct pair *p) {
    long before = counter_value(&p->messages);
    peer_is_answered(__FILE__, line, p, "are you there?");
    check_int(__FILE__, line, "the echo's send", pair_send(p, "still", 5, 1), NSWS_OK);
    struct frame frame;
    if (!peer_receive_kind(p, TEXT_FRAME, &frame)) harness_fail(__FILE__, line, "a %s that had enough memory is not heard", role_names[p->role]);
    CHECK(peer_send(p, TEXT_FRAME, "x", 1));
    if (p->role == AS_CLIENT) wait_counter(__FILE__, line, "messages", &p->messages, before + 1);
}

/* Heads alone, of any length within the limit; and the first bytes of what they announce. */
static void heads(enum role role, int wss) {
    static const uint64_t lengths[] = { 126, 65536, MIB, 16 * MIB, 100 * MIB, 500 * MIB, GIB - 1, GIB };
    enum { LENGTHS = sizeof lengths / sizeof *lengths };
    struct pair *witness = open_at(__LINE__, role, wss), *p[LENGTHS * 2];
    if (!witness) return;
    for (int i = 0; i < LENGTHS * 2; i++) {
        p[i] = another_at(__LINE__, witness, i);
        if (!p[i]) return;
    }
    goes_on(__LINE__, witness);
    limit_to_more(160);
    for (int i = 0; i < LENGTHS; i++) {
        CHECK(announces(p[i], BINARY_FRAME, lengths[i], 0));
        CHECK(announces(p[LENGTHS + i], TEXT_FRAME & ~FIN, lengths[i], 50));
    }
    goes_on(__LINE__, witness);
    for (int i = 0; i < LENGTHS * 2; i++) CHECK_INT(PAIR_CLOSES(p[i]), 0);
}

/* Many of them, each at the default limit: 100 times 16 MiB. */
static void many_heads(enum role role, int wss) {
    enum { MANY = 100 };
    static struct pair *p[MANY];
    struct pair *witness = open_at(__LINE__, role, wss);
    for (int i = 0; witness && i < MANY; i++) p[i] = another_at(__LINE__, witness, i);
    if (!witness || !p[MANY - 1]) return;
    goes_on(__LINE__, witness);
    limit_to_more(160);
    for (int i = 0; i < MANY; i++) CHECK(announces(p[i], BINARY_FRAME, 16 * MIB, 14));
    goes_on(__LINE__, witness);
    for (int i = 0; i < MANY; i++) CHECK_INT(PAIR_CLOSES(p[i]), 0);
}

/* The bytes come, too, until there is no more memory. */
static void fills_up(enum role role, int wss, size_t fragment) {
    struct pair *witness = open_at(__LINE__, role, wss), *p = witness ? another_at(__LINE__, witness, 0) : NULL;
    if (!p) return;
    char *data = pattern(fragment < MIB ? fragment : MIB);
    goes_on(__LINE__, witness);
    limit_to_more(160);
    if (fragment == GIB) {
        announces(p, BINARY_FRAME, GIB, 0);
        for (int i = 0; i < 1024 && raw_write(p->fd, data, MIB); i++) {
        }
    } else {
        for (size_t sent = 0; sent < GIB; sent += fragment)
            if (!peer_send(p, (sent ? CONTINUATION_FRAME : BINARY_FRAME) & ~FIN, data, fragment)) break;
    }
    struct told error = PAIR_ERROR(p), close = PAIR_CLOSE(p);
    if (error.came) {
        CHECK_INT(error.code, NSWS_ERR_CONNECT_FAILED);
        /* A server may have met its budget before. */
        if (error.detail != 2302975 || role != AS_SERVER) CHECK_INT(error.detail, NSWS_DETAIL_NO_MEMORY);
    }
    if (close.came) CHECK(close.code == 1009 && !close.was_clean);
    free(data);
    goes_on(__LINE__, witness);
}

/* What there is memory for is delivered. */
static void fits(enum role role, int wss) {
    struct pair *p = open_at(__LINE__, role, wss);
    if (!p) return;
    char *data = pattern(10 * MIB);
    limit_to_more(200);
    for (int i = 1; i <= 3; i++) {
        CHECK(peer_send(p, BINARY_FRAME, data, 10 * MIB));
        WAIT_COUNTER(&p->messages, i);
    }
    CHECK_INT(counter_value(&p->bytes), 30 * MIB);
    CHECK_INT(PAIR_ERRORS(p), 0);
    free(data);
}

static void run_case(const char *which) {
    char name[16] = "", role_name[16] = "", scheme[16] = "";
    sscanf(which, "%15[^,],%15[^,],%15s", name, role_name, scheme);
    enum role role = strcmp(role_name, "server") == 0 ? AS_SERVER : AS_CLIENT;
    int wss = strcmp(scheme, "wss") == 0;
    if (strcmp(name, "heads") == 0) heads(role, wss);
    if (strcmp(name, "many") == 0) many_heads(role, wss);
    if (strcmp(name, "frame") == 0) fills_up(role, wss, GIB);
    if (strcmp(name, "large") == 0) fills_up(role, wss, MIB);
    if (strcmp(name, "small") == 0) fills_up(role, wss, 1000);
    if (strcmp(name, "fits") == 0) fits(role, wss);
}

static const char *self;

/* Runs a case; returns whether it survives and finds nothing wrong. */
static void survives(const char *which) {
    char *words[32];
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

static void in_both_roles(const char *name, int with_tls) {
    BOTH_ROLES(role)
        for (int wss = 0; wss <= with_tls; wss++) {
            char which[64];
            snprintf(which, sizeof which, "%s,%s,%s", name, role_names[role], wss ? "wss" : "ws");
            survives(which);
        }
}

static void what_is_announced_costs_nothing(void) { in_both_roles("heads", 1); }
static void a_hundred_announcements_cost_nothing(void) { in_both_roles("many", 0); }
static void a_frame_that_can_t_be_held_ends_its_connection_alone(void) { in_both_roles("frame", 1); }
static void large_fragments_that_can_t_be_held_end_their_connection_alone(void) { in_both_roles("large", 0); }
static void small_fragments_that_can_t_be_held_end_their_connection_alone(void) { in_both_roles("small", 0); }
static void what_can_be_held_is_delivered(void) { in_both_roles("fits", 1); }

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    self = words[0];
    if (count > 1) {
        name_test(words[1]);
        run_case(words[1]);
        fflush(stdout);
        /* Its memory is used up: it ends without cleaning up. */
        _exit(failed_checks() != 0);
    }
    /* A sanitizer and an emulator need more address space than there is. */
    if (SANITIZED || getenv("NSWS_TEST_EMULATOR")) return 0;
    RUN(what_is_announced_costs_nothing);
    RUN(a_hundred_announcements_cost_nothing);
    RUN(a_frame_that_can_t_be_held_ends_its_connection_alone);
    RUN(large_fragments_that_can_t_be_held_end_their_connection_alone);
    RUN(small_fragments_that_can_t_be_held_end_their_connection_alone);
    RUN(what_can_be_held_is_delivered);
    return end_tests();
}
