/*
 * Clients and servers of the library for as long as is asked, over ws and wss, with and without compression, while several
 * threads send, close, destroy, pause, and stop servers, and attackers come to the same servers. What is looked for: each
 * accepted message is delivered once, in order and whole, or its connection is reported lost; memory, threads and descriptors
 * stay what they were.
 *
 *     soak SECONDS CLIENTS ACTIONS_PER_SECOND SEED CERTIFICATE KEY CA >samples.csv
 *
 * Each line of its output is a sample. The last lines of its standard error are a summary; it ends with 1 when something was
 * wrong, and says what.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "netstack_websocket.h"

enum {
    SERVERS = 4,
    ACTORS = 4,
    STOPPERS = 2,
    MOST_CLIENTS = 4096,
    BUCKETS = 4096,
    LARGEST = 1 << 20,
    TABLE = 8192,
    HEAD = 34,
    /* So many clients at most are on their way at once, since handshakes have their places. */
    MOST_CONNECTING = 60,
    /* After so long a server has heard of each client that got through. */
    UNHEARD_SECONDS = 120
};

static long clients_wanted, actions_per_second, seconds;
static const char *cert_path, *key_path, *ca_path;
static char payloads[TABLE + LARGEST];

/* What went wrong, and figures. */

static long violations;
static long delivered, delivered_bytes, refused, sessions_begun, sessions_over, unreached, clean_ends, lost_ends, ended_by_destroy;
static long connecting, open_clients, server_stops, destroys, attacked;

#define ADD(what, number) __atomic_add_fetch(&(what), number, __ATOMIC_SEQ_CST)
#define READ(what) __atomic_load_n(&(what), __ATOMIC_SEQ_CST)

static void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void violation(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (ADD(violations, 1) <= 50) fprintf(stderr, "soak: WRONG: %s\n", text);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static __thread uint64_t random_state;

static uint32_t drawn(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) % below);
}

static uint64_t seed;

/* Callbacks run on threads that the program hasn't begun. */
static uint32_t drawn_anywhere(uint32_t below) {
    static uint64_t threads;
    if (random_state == 0) random_state = (seed + ADD(threads, 1)) * 0x9e3779b97f4a7c15u | 1;
    return drawn(below);
}

/* A session is one connection, or one attempt at one, with both of its ends. */

enum end { NOT_YET, OPEN, CLEAN, LOST, DESTROYED };

struct session {
    uint64_t number;
    int server;
    /* Guards what follows; held while a message is sent, so that none is accepted unseen. */
    pthread_mutex_t lock;
    enum end client, served;
    uint64_t client_sent, client_got, server_sent, server_got;
    nsws_connection connection;
    double over;
    int judged;
    long references;
    struct session *next_by_number, *next_by_connection;
};

static pthread_mutex_t tables = PTHREAD_MUTEX_INITIALIZER;
static struct session *by_number[BUCKETS], *by_connection[BUCKETS];

static struct session *keep(struct session *s) {
    ADD(s->references, 1);
    return s;
}

static void let_go(struct session *s) {
    if (s == NULL || ADD(s->references, -1) > 0) return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct session *begin_session(int server) {
    static uint64_t numbers;
    struct session *s = calloc(1, sizeof *s);
    s->number = ADD(numbers, 1);
    s->server = server;
    s->references = 2;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_lock(&tables);
    s->next_by_number = by_number[s->number % BUCKETS];
    by_number[s->number % BUCKETS] = s;
    pthread_mutex_unlock(&tables);
    ADD(sessions_begun, 1);
    return s;
}

static struct session *session_of(nsws_connection connection) {
    pthread_mutex_lock(&tables);
    struct session *s = by_connection[connection.id % BUCKETS];
    while (s && s->connection.id != connection.id) s = s->next_by_connection;
    if (s) keep(s);
    pthread_mutex_unlock(&tables);
    return s;
}

static int takes_out(struct session **at, struct session *s, int of_numbers) {
    while (*at && *at != s) at = of_numbers ? &(*at)->next_by_number : &(*at)->next_by_connection;
    if (*at == NULL) return 0;
    *at = of_numbers ? s->next_by_number : s->next_by_connection;
    return 1;
}

/* Both ends are over: what one accepted, the other got, unless it was told of a loss. */
static void judge(struct session *s) {
    pthread_mutex_lock(&s->lock);
    int over = !s->judged && s->client >= CLEAN && s->served >= CLEAN;
    if (over) {
        s->judged = 1;
        if (s->client == CLEAN && s->client_got != s->server_sent)
            violation("session %llu: the server's messages: %llu accepted, %llu delivered, and the client's end is clean",
                      (unsigned long long)s->number, (unsigned long long)s->server_sent, (unsigned long long)s->client_got);
        if (s->served == CLEAN && s->server_got != s->client_sent)
            violation("session %llu: the client's messages: %llu accepted, %llu delivered, and the server's end is clean",
                      (unsigned long long)s->number, (unsigned long long)s->client_sent, (unsigned long long)s->server_got);
        if (s->client_got > s->server_sent || s->server_got > s->client_sent)
            violation("session %llu: more was delivered than was accepted", (unsigned long long)s->number);
        for (int i = 0; i < 2; i++) {
            enum end end = i ? s->client : s->served;
            if (end == CLEAN) ADD(clean_ends, 1);
            if (end == LOST) ADD(lost_ends, 1);
            if (end == DESTROYED) ADD(ended_by_destroy, 1);
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (!over) return;
    ADD(sessions_over, 1);
    pthread_mutex_lock(&tables);
    int was_in = takes_out(&by_number[s->number % BUCKETS], s, 1);
    pthread_mutex_unlock(&tables);
    if (was_in) let_go(s);
}

static enum end client_end(struct session *s) {
    pthread_mutex_lock(&s->lock);
    enum end end = s->client;
    pthread_mutex_unlock(&s->lock);
    return end;
}

static void set_end(struct session *s, int of_client, enum end end) {
    pthread_mutex_lock(&s->lock);
    enum end *which = of_client ? &s->client : &s->served;
    /* A callback may run when its client is released. */
    if (*which >= CLEAN && *which != DESTROYED && end != DESTROYED) violation("session %llu ends twice", (unsigned long long)s->number);
    if (*which < CLEAN) {
        if (of_client && *which == NOT_YET) ADD(connecting, -1);
        if (of_client && (*which == OPEN) != (end == OPEN)) ADD(open_clients, end == OPEN ? 1 : -1);
        *which = end;
        if (end >= CLEAN) s->over = now();
    }
    pthread_mutex_unlock(&s->lock);
    judge(s);
}

/* Messages say which session they belong to, which of its messages they are, and how long they are. */

static size_t drawn_length(void) {
    uint32_t kind = drawn_anywhere(1000), most = kind < 600 ? 200 : kind < 850 ? 4000 : kind < 985 ? 40000 : kind < 998 ? 200000 : LARGEST;
    return HEAD + drawn_anywhere(most - HEAD);
}

static char *message(uint64_t session, uint64_t number, size_t length) {
    char *data = malloc(length + 1);
    snprintf(data, HEAD + 1, "%016llx %07llx %07zx:", (unsigned long long)session, (unsigned long long)number, length);
    data[HEAD - 1] = ' ';
    memcpy(data + HEAD, payloads + (session + number) % TABLE, length - HEAD);
    return data;
}

/* Whether a message is what was sent; its number. */
static int is_whole(const nsws_message_event *e, uint64_t session, uint64_t *number) {
    unsigned long long from, nth;
    size_t length;
    char head[HEAD + 1] = "";
    if (e->length < HEAD) return 0;
    memcpy(head, e->data, HEAD);
    if (sscanf(head, "%16llx %7llx %7zx:", &from, &nth, &length) != 3 || from != session || length != e->length) return 0;
    *number = nth;
    return e->is_text == nth % 2 && memcmp(e->data + HEAD, payloads + (from + nth) % TABLE, length - HEAD) == 0;
}

static void sends(struct session *s, int from_client, nsws_client client) {
    pthread_mutex_lock(&s->lock);
    uint64_t *sent = from_client ? &s->client_sent : &s->server_sent;
    if ((from_client ? s->client : s->served) == OPEN) {
        size_t length = drawn_length();
        char *data = message(s->number, *sent, length);
        int32_t code;
        if (from_client) code = *sent % 2 ? nsws_client_send_text(client, data, length) : nsws_client_send_binary(client, data, length);
        else
            code = *sent % 2 ? nsws_connection_send_text(s->connection, data, length)
                             : nsws_connection_send_binary(s->connection, data, length);
        if (code == NSWS_OK) ++*sent;
        else ADD(refused, 1);
        if (code != NSWS_OK && code != NSWS_ERR_QUEUE_FULL && code != NSWS_ERR_NOT_CONNECTED && code != NSWS_ERR_BAD_HANDLE)
            violation("a send answers %s", nsws_error_name(code));
        free(data);
    }
    pthread_mutex_unlock(&s->lock);
}

static void gets(struct session *s, int at_client, const nsws_message_event *e, uint64_t *got) {
    uint64_t number = 0;
    if (!is_whole(e, s->number, &number))
        violation("session %llu: the %s gets %zu bytes that nobody sent", (unsigned long long)s->number, at_client ? "client" : "server", e->length);
    else if (number != *got)
        violation("session %llu: the %s gets message %llu instead of %llu", (unsigned long long)s->number,
                  at_client ? "client" : "server", (unsigned long long)number, (unsigned long long)*got);
    ++*got;
    ADD(delivered, 1);
    ADD(delivered_bytes, (long)e->length);
    /* Some listeners are slow. */
    if (drawn_anywhere(5000) == 0) usleep(5000);
}

/* The clients. What their listeners are given lives until all of those are gone. */

struct client {
    nsws_client handle;
    struct session *session;
    int listeners;
};

static void client_open(nsws_client c, const nsws_open_event *e, void *user) {
    struct client *client = user;
    (void)e;
    set_end(client->session, 1, OPEN);
    sends(client->session, 1, c);
}

static void client_message(nsws_client c, const nsws_message_event *e, void *user) {
    struct client *client = user;
    gets(client->session, 1, e, &client->session->client_got);
    if (drawn_anywhere(8) == 0) sends(client->session, 1, c);
}

static void client_close(nsws_client c, const nsws_close_event *e, void *user) {
    (void)c;
    set_end(((struct client *)user)->session, 1, e->was_clean ? CLEAN : LOST);
}

/* Before open it is the end of the attempt; afterwards `close` follows. */
static void client_error(nsws_client c, const nsws_error_event *e, void *user) {
    struct client *client = user;
    (void)c, (void)e;
    if (client_end(client->session) == NOT_YET) set_end(client->session, 1, LOST);
}

static void client_freed(void *user) {
    struct client *client = user;
    if (ADD(client->listeners, -1) > 0) return;
    let_go(client->session);
    free(client);
}

struct slot {
    pthread_mutex_t lock;
    struct client *client;
    int paused;
};

static struct slot slots[MOST_CLIENTS];

/* The servers. */

static struct serving {
    pthread_rwlock_t lock;
    nsws_server handle;
    uint16_t port;
} servers[SERVERS];

static void server_connect(nsws_server server, nsws_connection c, const nsws_connect_event *e, void *user) {
    unsigned long long number = 0;
    (void)server, (void)user;
    if (sscanf(e->path, "/%llu", &number) != 1) {
        ADD(attacked, 1);
        return;
    }
    pthread_mutex_lock(&tables);
    struct session *s = by_number[number % BUCKETS];
    while (s && s->number != number) s = s->next_by_number;
    if (s) {
        keep(s);
        s->connection = c;
        s->next_by_connection = by_connection[c.id % BUCKETS];
        by_connection[c.id % BUCKETS] = s;
    }
    pthread_mutex_unlock(&tables);
    if (s == NULL) violation("a server hears of session %llu, which is long over", number);
    else set_end(s, 0, OPEN);
}

static void server_message(nsws_server server, nsws_connection c, const nsws_message_event *e, void *user) {
    struct session *s = session_of(c);
    (void)server, (void)user;
    if (s == NULL) return;
    gets(s, 0, e, &s->server_got);
    if (drawn_anywhere(3) == 0) sends(s, 0, (nsws_client){ 0 });
    let_go(s);
}

/* The server's end of a session is over. */
static void server_is_over(struct session *s, enum end end) {
    pthread_mutex_lock(&tables);
    int was_in = takes_out(&by_connection[s->connection.id % BUCKETS], s, 0);
    pthread_mutex_unlock(&tables);
    if (!was_in) return;
    set_end(s, 0, end);
    let_go(s);
}

static void server_close(nsws_server server, nsws_connection c, const nsws_close_event *e, void *user) {
    struct session *s = session_of(c);
    (void)server, (void)user;
    if (s == NULL) return;
    server_is_over(s, e->was_clean ? CLEAN : LOST);
    let_go(s);
}

static int starts(struct serving *serving) {
    int index = (int)(serving - servers);
    nsws_server_options options;
    nsws_server_options_init(&options, sizeof options);
    options.server_ip = "127.0.0.1";
    options.server_port = serving->port;
    options.max_concurrent_clients = options.max_connections_per_client = 1000;
    options.max_upgrades_per_minute = 0;
    options.handshake_timeout_ms = 20000;
    options.message_timeout_ms = 20000;
    options.compression = index >= 2;
    options.max_receive_size = 16 << 20;
    if (index % 2) {
        options.cert_path = cert_path;
        options.key_path = key_path;
    }
    int32_t code = nsws_server_start(serving->handle, &options);
    if (code == NSWS_OK && serving->port == 0) code = nsws_server_get_port(serving->handle, &serving->port);
    if (code != NSWS_OK && code != NSWS_ERR_ALREADY_CONNECTED) violation("a server does not start: %s", nsws_last_error());
    return code == NSWS_OK;
}

static void begins_to_serve(struct serving *serving) {
    if (nsws_server_create(&serving->handle) != NSWS_OK || nsws_server_on_connect(serving->handle, server_connect, NULL, NULL) != NSWS_OK ||
        nsws_server_on_message(serving->handle, server_message, NULL, NULL) != NSWS_OK ||
        nsws_server_on_close(serving->handle, server_close, NULL, NULL) != NSWS_OK)
        violation("a server can't be made: %s", nsws_last_error());
    starts(serving);
}

/* What a destroyed server had open; its `close` doesn't come. */
static void forget_those_of(int server) {
    for (int i = 0; i < BUCKETS; i++) {
        for (;;) {
            pthread_mutex_lock(&tables);
            struct session *s = by_connection[i];
            while (s && s->server != server) s = s->next_by_connection;
            if (s) keep(s);
            pthread_mutex_unlock(&tables);
            if (s == NULL) break;
            server_is_over(s, DESTROYED);
            let_go(s);
        }
    }
}

/* Sessions that no server has heard of, and no server will. */
static void forget_the_unheard(double older_than) {
    for (int i = 0; i < BUCKETS; i++) {
        pthread_mutex_lock(&tables);
        for (struct session **at = &by_number[i]; *at;) {
            struct session *s = *at;
            pthread_mutex_lock(&s->lock);
            int unheard = s->client >= CLEAN && s->served == NOT_YET && s->over < older_than;
            pthread_mutex_unlock(&s->lock);
            if (unheard) {
                *at = s->next_by_number;
                ADD(unreached, 1);
                let_go(s);
            } else {
                at = &s->next_by_number;
            }
        }
        pthread_mutex_unlock(&tables);
    }
}

/* What the threads of the program do. */

static int stopping;

static void connects(struct slot *slot, int index) {
    nsws_connect_options options;
    char url[64];
    int server = index % SERVERS;
    struct client *client = slot->client;
    if (READ(connecting) >= MOST_CONNECTING) return;
    if (client == NULL) {
        client = calloc(1, sizeof *client);
        if (nsws_client_create(&client->handle) != NSWS_OK) {
            violation("a client can't be made: %s", nsws_last_error());
            free(client);
            return;
        }
        client->listeners = 4;
        nsws_client_on_open(client->handle, client_open, client, client_freed);
        nsws_client_on_message(client->handle, client_message, client, client_freed);
        nsws_client_on_close(client->handle, client_close, client, client_freed);
        nsws_client_on_error(client->handle, client_error, client, client_freed);
        slot->client = client;
    }
    let_go(client->session);
    client->session = begin_session(server);
    slot->paused = 0;
    nsws_connect_options_init(&options, sizeof options);
    options.connect_timeout_ms = 30000;
    options.ca_path = ca_path;
    options.proxy_mode = NSWS_PROXY_NONE;
    options.compression = server >= 2;
    options.compression_level = (uint8_t)(1 + drawn(9));
    options.client_no_context_takeover = drawn(4) == 0;
    options.server_no_context_takeover = drawn(4) == 0;
    options.client_max_window_bits = (uint8_t)(9 + drawn(7));
    snprintf(url, sizeof url, "ws%s://127.0.0.1:%u/%llu", server % 2 ? "s" : "", servers[server].port,
             (unsigned long long)client->session->number);
    ADD(connecting, 1);
    int32_t code = nsws_client_connect(client->handle, url, &options);
    if (code == NSWS_OK) return;
    /* Between the last event and the state after it. */
    if (code != NSWS_ERR_ALREADY_CONNECTED) violation("connect answers %s: %s", nsws_error_name(code), nsws_last_error());
    set_end(client->session, 1, LOST);
}

static void ends_client(struct slot *slot, int32_t (*ends)(nsws_client)) {
    struct session *s = keep(slot->client->session);
    nsws_client handle = slot->client->handle;
    slot->client = NULL;
    ADD(destroys, 1);
    if (ends(handle) != NSWS_OK) violation("a client is not destroyed: %s", nsws_last_error());
    set_end(s, 1, DESTROYED);
    let_go(s);
}

static void acts(struct slot *slot, int index) {
    static const uint16_t codes[] = { 1000, 1001, 1008, 3000, 4999 };
    struct client *client = slot->client;
    struct session *s = client ? client->session : NULL;
    if (client == NULL || client_end(s) >= CLEAN) {
        if (client && drawn(8) == 0) ends_client(slot, nsws_client_destroy);
        connects(slot, index);
        return;
    }
    if (slot->paused) {
        nsws_client_resume(client->handle);
        slot->paused = 0;
    }
    uint32_t what = drawn(1000);
    if (what < 4) {
        nsws_client_close(client->handle, codes[drawn(5)], "at random");
    } else if (what < 8) {
        ends_client(slot, what % 2 ? nsws_client_destroy : nsws_client_release);
    } else if (what < 11) {
        pthread_mutex_lock(&s->lock);
        if (s->served == OPEN) nsws_connection_close(s->connection, codes[drawn(5)], "at random");
        pthread_mutex_unlock(&s->lock);
    } else if (what < 20) {
        nsws_client_pause(client->handle);
        slot->paused = 1;
    } else if (what < 40) {
        nsws_client_ping(client->handle, "?", 1);
    } else if (what < 60) {
        nsws_client_cork(client->handle);
        for (int i = 0; i < 5; i++) sends(s, 1, client->handle);
        nsws_client_uncork(client->handle);
    } else {
        sends(s, what % 2, client->handle);
    }
}

static void *actor(void *number) {
    random_state = (seed + 1000 + (uintptr_t)number) * 0x9e3779b97f4a7c15u | 1;
    double next = now();
    while (!READ(stopping)) {
        int index = (int)drawn((uint32_t)clients_wanted);
        struct slot *slot = &slots[index];
        if (pthread_mutex_trylock(&slot->lock) == 0) {
            acts(slot, index);
            pthread_mutex_unlock(&slot->lock);
        }
        next += (double)ACTORS / (double)actions_per_second;
        double wait = next - now();
        if (wait > 0) usleep((useconds_t)(wait * 1e6));
        else next = now();
    }
    return NULL;
}

static void *stopper(void *number) {
    random_state = (seed + 2000 + (uintptr_t)number) * 0x9e3779b97f4a7c15u | 1;
    for (int tick = 0; !READ(stopping); tick++) {
        usleep(200000);
        if (tick % 100 != 99) continue;
        struct serving *serving = &servers[drawn(SERVERS)];
        ADD(server_stops, 1);
        if (drawn(3) > 0) {
            pthread_rwlock_rdlock(&serving->lock);
            int32_t code = nsws_server_stop(serving->handle);
            if (code != NSWS_OK && code != NSWS_ERR_NOT_LISTENING) violation("stop answers %s", nsws_error_name(code));
            starts(serving);
            pthread_rwlock_unlock(&serving->lock);
        } else {
            pthread_rwlock_wrlock(&serving->lock);
            if (nsws_server_destroy(serving->handle) != NSWS_OK) violation("a server is not destroyed: %s", nsws_last_error());
            forget_those_of((int)(serving - servers));
            begins_to_serve(serving);
            pthread_rwlock_unlock(&serving->lock);
        }
        forget_the_unheard(now() - UNHEARD_SECONDS);
    }
    return NULL;
}

/* Samples. */

static long number_in(const char *path, const char *format) {
    char line[256];
    long number = -1;
    FILE *file = fopen(path, "r");
    while (file && number < 0 && fgets(line, sizeof line, file)) sscanf(line, format, &number);
    if (file) fclose(file);
    return number;
}

static long descriptors(void) {
    long count = -3; /* ., .. and the folder itself */
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

static long allocated_kib(void) {
    struct mallinfo2 info = mallinfo2();
    return (long)((info.uordblks + info.hblkhd) / 1024);
}

static void sample(double since) {
    printf("%.1f,%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld,%ld\n", now() - since, number_in("/proc/self/status", "VmRSS: %ld"), allocated_kib(),
           number_in("/proc/self/status", "Threads: %ld"), descriptors(), READ(open_clients), READ(delivered), READ(delivered_bytes) / 1024,
           READ(sessions_over), READ(lost_ends), READ(attacked));
    fflush(stdout);
}

/* Waits for something that comes soon. */
static int comes_true(int (*is)(void), int within) {
    for (double end = now() + within; now() < end; usleep(20000))
        if (is()) return 1;
    return is();
}

static int all_are_over(void) {
    forget_the_unheard(now() - 5);
    int none = 1;
    pthread_mutex_lock(&tables);
    for (int i = 0; i < BUCKETS && none; i++) none = by_number[i] == NULL && by_connection[i] == NULL;
    pthread_mutex_unlock(&tables);
    return none;
}

static long threads_before, descriptors_before;

static int as_before(void) {
    return number_in("/proc/self/status", "Threads: %ld") <= threads_before && descriptors() <= descriptors_before;
}

/* ASCII alone: a message begins anywhere in it. */
static void make_payloads(void) {
    static const char *const words[] = { "message ", "of the ", "soak, ", "which ", "goes on ", "and on, ", "over ", "0123456789 " };
    random_state = 88172645463325252u;
    for (size_t at = 0; at < sizeof payloads;) {
        const char *word = words[drawn(8)];
        for (; *word && at < sizeof payloads; word++) payloads[at++] = *word;
        if (at < sizeof payloads) payloads[at++] = (char)('a' + drawn(26));
    }
}

static pid_t attackers(const char *self, int *input) {
    char ports[SERVERS][8], *words[SERVERS + 3] = { (char *)self, "attack" };
    int ends[2];
    for (int i = 0; i < SERVERS; i++) {
        snprintf(ports[i], sizeof ports[i], "%u", servers[i].port);
        words[2 + i] = ports[i];
    }
    if (pipe2(ends, O_CLOEXEC) != 0) abort();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], 0);
        dup2(2, 1);
        execv("/proc/self/exe", words);
        _exit(127);
    }
    close(ends[0]);
    *input = ends[1];
    return child;
}

int main(int count, char **words) {
    unsigned short ports[SERVERS];
    if (count >= 2 && strcmp(words[1], "attack") == 0) {
        for (int i = 0; i < SERVERS && i + 2 < count; i++) ports[i] = (unsigned short)atoi(words[i + 2]);
        return attack(ports, SERVERS);
    }
    if (count != 8) {
        fprintf(stderr, "usage: soak SECONDS CLIENTS ACTIONS_PER_SECOND SEED CERTIFICATE KEY CA\n");
        return 2;
    }
    seconds = atol(words[1]);
    clients_wanted = atol(words[2]);
    actions_per_second = atol(words[3]);
    seed = strtoull(words[4], NULL, 10);
    cert_path = words[5];
    key_path = words[6];
    ca_path = words[7];
    if (seconds < 1 || clients_wanted < 1 || clients_wanted > MOST_CLIENTS || actions_per_second < 1) return 2;
    signal(SIGPIPE, SIG_IGN);
    make_payloads();
    threads_before = number_in("/proc/self/status", "Threads: %ld");
    descriptors_before = descriptors();

    for (int i = 0; i < SERVERS; i++) {
        pthread_rwlock_init(&servers[i].lock, NULL);
        begins_to_serve(&servers[i]);
    }
    for (int i = 0; i < clients_wanted; i++) pthread_mutex_init(&slots[i].lock, NULL);
    int input = -1, status = -1;
    pid_t child = attackers(words[0], &input);
    pthread_t threads[ACTORS + STOPPERS];
    for (uintptr_t i = 0; i < ACTORS + STOPPERS; i++)
        if (pthread_create(&threads[i], NULL, i < ACTORS ? actor : stopper, (void *)i) != 0) abort();

    printf("seconds,resident_kib,allocated_kib,threads,descriptors,open,messages,kib,sessions,lost_ends,let_in_attackers\n");
    double begun = now(), interval = (double)seconds / 600;
    if (interval < 1) interval = 1;
    for (double next = begun + interval; now() < begun + (double)seconds; next += interval) {
        for (double wait; (wait = next - now()) > 0;) usleep((useconds_t)(wait * 1e6));
        sample(begun);
    }

    __atomic_store_n(&stopping, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < ACTORS + STOPPERS; i++) pthread_join(threads[i], NULL);
    close(input);
    waitpid(child, &status, 0);
    if (status != 0) violation("the attackers end with status %d", status);
    for (int i = 0; i < clients_wanted; i++) {
        if (slots[i].client == NULL) continue;
        if (slots[i].paused) nsws_client_resume(slots[i].client->handle);
        nsws_client_close(slots[i].client->handle, 1000, "the end");
    }
    if (!comes_true(all_are_over, 120)) violation("two minutes after the last close some sessions are not over");
    for (int i = 0; i < clients_wanted; i++)
        if (slots[i].client) nsws_client_destroy(slots[i].client->handle);
    for (int i = 0; i < SERVERS; i++) nsws_server_destroy(servers[i].handle);
    int32_t code = nsws_shutdown(60000);
    if (code != NSWS_OK) violation("shutdown answers %s: %s", nsws_error_name(code), nsws_last_error());
    if (!comes_true(as_before, 10))
        violation("after shutdown there are %ld threads and %ld descriptors; before, %ld and %ld", number_in("/proc/self/status", "Threads: %ld"),
                  descriptors(), threads_before, descriptors_before);

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    fprintf(stderr,
            "soak: %.0f s, %ld clients; %ld messages (%ld MiB) delivered, %ld sends refused\n"
            "soak: %ld sessions: %ld over, %ld that reached no server; ends: %ld clean, %ld reported lost, %ld destroyed\n"
            "soak: %ld clients destroyed, %ld servers stopped or destroyed, %ld attackers let in; CPU %.0f s (%.0f %%)\n"
            "soak: after shutdown %ld KiB allocated, %ld descriptors, %ld threads\n"
            "soak: %ld WRONG\n",
            now() - begun, clients_wanted, delivered, delivered_bytes >> 20, refused, sessions_begun, sessions_over, unreached, clean_ends,
            lost_ends, ended_by_destroy, destroys, server_stops, attacked, cpu, 100 * cpu / (now() - begun), allocated_kib(), descriptors(),
            number_in("/proc/self/status", "Threads: %ld"), violations);
    return violations != 0;
}
