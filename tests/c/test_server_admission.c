/* Which clients may connect: the limits, the ban, the accept hook. src/server/admission.rs tests how long a ban lasts. */
#include "server.h"

/* The status that a request from an address of loopback gets; *fd is the socket, still open. */
static int knock(struct server *s, const char *from, int *fd) {
    *fd = raw_connect_from(from, s->port);
    raw_say(*fd, RAW_REQUEST);
    return raw_status(*fd);
}

static int knock_and_leave(struct server *s, const char *from) {
    int fd, status = knock(s, from, &fd);
    raw_reset(fd);
    return status;
}


/* Limits. */

static void addresses_above_the_limit_are_refused_with_503(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_concurrent_clients = 2;
    if (!START(s, &options)) return;
    int one, same, two, three;
    CHECK_INT(knock(s, "127.0.0.1", &one), 101);
    CHECK_INT(knock(s, "127.0.0.1", &same), 101);
    CHECK_INT(knock(s, "127.0.0.2", &two), 101);
    CHECK_INT(knock(s, "127.0.0.3", &three), 503);
    CHECK(raw_ends(three));
    SERVER_WAIT(s, ON_CONNECT, 3);
    /* One connection of an address that has two is over: the address is still there. */
    close(same);
    SERVER_WAIT(s, ON_CLOSE, 1);
    CHECK_INT(knock_and_leave(s, "127.0.0.3"), 503);
    close(two);
    SERVER_WAIT(s, ON_CLOSE, 2);
    close(three);
    CHECK_INT(knock(s, "127.0.0.3", &three), 101);
    SERVER_WAIT(s, ON_CONNECT, 4);
    CHECK_INT(listed(s), 2);
    close(one);
    close(three);
}

static void connections_above_the_limit_of_an_address_are_refused_with_503(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_connections_per_client = 3;
    if (!START(s, &options)) return;
    int fds[3], other;
    for (int i = 0; i < 3; i++) CHECK_INT(knock(s, "127.0.0.1", &fds[i]), 101);
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 503);
    CHECK_INT(knock(s, "127.0.0.2", &other), 101);
    /* As other libraries see it. */
    for (int i = 0; i < OTHER_CLIENTS; i++)
        CHECK_STR(ask_other(new_other(other_clients[i]), "open a ws://127.0.0.1:%d/", s->port), "refused 503");
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, url_of(s, "/"), NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK_INT(error->http_status, 503);
    /* A client that closes makes room at once. */
    for (size_t i = 0; i < 20; i++) {
        raw_send(fds[0], CLOSE_FRAME, "", 0);
        CHECK_INT(raw_close_code(fds[0]), 1005);
        close(fds[0]);
        if (!CHECK_INT(knock(s, "127.0.0.1", &fds[0]), 101)) break;
    }
    for (int i = 0; i < 3; i++) close(fds[i]);
    close(other);
}

static void without_limits_it_is_10_addresses_and_10_connections_of_each(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_concurrent_clients = options.max_connections_per_client = 0;
    if (!START(s, &options)) return;
    int fds[20];
    char from[32];
    for (int i = 0; i < 10; i++) CHECK_INT(knock(s, "127.0.0.1", &fds[i]), 101);
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 503);
    for (int i = 0; i < 9; i++) {
        snprintf(from, sizeof from, "127.0.0.%d", i + 2);
        CHECK_INT(knock(s, from, &fds[10 + i]), 101);
    }
    CHECK_INT(knock_and_leave(s, "127.0.0.11"), 503);
    for (int i = 0; i < 19; i++) close(fds[i]);
}

static void limits_have_no_upper_bound(void) {
    enum { MANY = 400 };
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_concurrent_clients = MANY / 2;
    options.max_connections_per_client = 2;
    if (!START(s, &options)) return;
    static int fds[MANY];
    char from[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(from, sizeof from, "127.0.1.%d", 1 + i / 2);
        if (!CHECK_INT(knock(s, from, &fds[i]), 101)) return;
    }
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 503);
    SERVER_WAIT(s, ON_CONNECT, MANY);
    size_t reached = 0;
    CHECK_OK(nsws_server_broadcast(s->handle, "x", 1, 1, &reached));
    CHECK_INT(reached, MANY);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    SERVER_WAIT(s, ON_CLOSE, MANY);
}

/* The ban. */

static void an_address_that_asks_too_often_gets_429_and_is_banned(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_upgrades_per_minute = 5;
    if (!START(s, &options)) return;
    int kept;
    CHECK_INT(knock(s, "127.0.0.1", &kept), 101);
    /* A request that is not an upgrade doesn't count. */
    for (int i = 0; i < 10; i++) {
        int fd = raw_connect(s);
        raw_say(fd, "GET / HTTP/1.1\r\n" RAW_HOST "\r\n");
        CHECK_INT(raw_status(fd), 426);
        close(fd);
    }
    for (int i = 0; i < 4; i++) CHECK_INT(knock_and_leave(s, "127.0.0.1"), 101);
    int fd = raw_connect(s);
    raw_say(fd, RAW_REQUEST);
    const char *head = raw_head(fd);
    CHECK_CONTAINS(head, "HTTP/1.1 429 Too Many Requests\r\n");
    CHECK_CONTAINS(head, "\r\nRetry-After: 60\r\n");
    CHECK(raw_ends(fd));
    close(fd);
    for (int i = 0; i < 10; i++) CHECK_INT(knock_and_leave(s, "127.0.0.1"), 429);
    for (int i = 0; i < OTHER_CLIENTS; i++)
        CHECK_STR(ask_other(new_other(other_clients[i]), "open a ws://127.0.0.1:%d/", s->port), "refused 429");
    /* No other address is banned, and clients that are connected stay connected. */
    CHECK_INT(knock_and_leave(s, "127.0.0.2"), 101);
    raw_send(kept, TEXT_FRAME, "x", 1);
    SERVER_WAIT(s, ON_MESSAGE, 1);
    close(kept);
}

static void refusals_count_for_the_ban(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_upgrades_per_minute = 5;
    options.max_connections_per_client = 1;
    if (!START(s, &options)) return;
    int kept;
    CHECK_INT(knock(s, "127.0.0.1", &kept), 101);
    for (int i = 0; i < 4; i++) CHECK_INT(knock_and_leave(s, "127.0.0.1"), 503);
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 429);
    close(kept);
}

static void without_a_limit_nobody_is_banned(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_upgrades_per_minute = 0;
    if (!START(s, &options)) return;
    for (int i = 0; i < 200; i++)
        if (!CHECK_INT(knock_and_leave(s, "127.0.0.1"), 101)) return;
}

static void the_default_is_50_a_minute(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    CHECK_OK(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.max_connections_per_client = 1000;
    if (!START(s, &options)) return;
    long long start = now_us();
    int statuses[2] = { 0, 0 };
    for (int i = 0; i < 51; i++) statuses[i == 50] = knock_and_leave(s, "127.0.0.1");
    CHECK_INT(statuses[0], 101);
    /* Unless this took a minute, as under valgrind on a busy machine. */
    if (now_us() - start < 50000000) CHECK_INT(statuses[1], 429);
}

static void over_tls_the_banned_get_no_handshake(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    options.max_upgrades_per_minute = 1;
    if (!START(s, &options)) return;
    struct other *python = new_other("NSWS_PYTHON_CLIENT");
    CHECK_STR(ask_other(python, "open a wss://127.0.0.1:%d/", s->port), "open -");
    CHECK_STR(ask_other(python, "open b wss://127.0.0.1:%d/", s->port), "refused 429");
    CHECK_CONTAINS(ask_other(python, "open c wss://127.0.0.1:%d/", s->port), "failed");
    CHECK_STR(ask_other(python, "ping a"), "pong");
}

/* The accept hook. */

struct hook {
    struct counter asked, freed;
    struct gate gate;
    int waits;
    /* Called inside. */
    void (*inside)(struct hook *, nsws_server);
    char path[64], token[64], origin[64], protocol[64], ip[64];
    uint16_t port;
};

static struct hook hook;

/* Answers by path, /STATUS; a client with the right token is let in. */
static uint16_t decides(nsws_server server, const nsws_connect_event *event, void *user) {
    struct hook *h = user;
    int status = 0;
    CHECK_LEAST(event->struct_size, sizeof *event);
    snprintf(h->path, sizeof h->path, "%s", event->path);
    snprintf(h->protocol, sizeof h->protocol, "%s", event->protocol);
    snprintf(h->ip, sizeof h->ip, "%s", event->client_ip);
    h->port = event->client_port;
    h->token[0] = h->origin[0] = 0;
    for (size_t i = 0; i < event->header_count; i++) {
        if (strcasecmp(event->headers[i].name, "x-token") == 0)
            snprintf(h->token, sizeof h->token, "%s", event->headers[i].value);
        if (strcasecmp(event->headers[i].name, "origin") == 0)
            snprintf(h->origin, sizeof h->origin, "%s", event->headers[i].value);
    }
    counter_add(&h->asked, 1);
    if (h->waits) gate_pass(&h->gate);
    if (h->inside) h->inside(h, server);
    sscanf(event->path, "/%d", &status);
    return strcmp(h->token, "open sesame") == 0 ? 0 : (uint16_t)status;
}

static void hook_freed(void *user) {
    counter_add(&((struct hook *)user)->freed, 1);
}

static struct server *server_with_hook(const nsws_server_options *options) {
    struct server *s = new_server();
    memset(&hook, 0, sizeof hook);
    counter_init(&hook.asked);
    counter_init(&hook.freed);
    gate_init(&hook.gate);
    CHECK_OK(nsws_server_set_accept_hook(s->handle, decides, &hook, hook_freed));
    return START(s, options) ? s : NULL;
}

static int ask_for(struct server *s, const char *path, const char *more) {
    char request[512];
    int fd = raw_connect(s);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" RAW_HOST "%s" RAW_UPGRADE "\r\n", path, more);
    raw_say(fd, request);
    int status = raw_status(fd);
    raw_reset(fd);
    return status;
}

static void the_hook_sees_the_request_and_decides(void) {
    nsws_server_options options = server_defaults();
    options.protocol = "chat";
    struct server *s = server_with_hook(&options);
    if (!s) return;
    CHECK_INT(ask_for(s, "/401", "Origin: http://evil.example\r\n"), 401);
    CHECK_STR(hook.path, "/401");
    CHECK_STR(hook.origin, "http://evil.example");
    CHECK_STR(hook.ip, "127.0.0.1");
    CHECK(hook.port != 0);
    CHECK_STR(hook.protocol, "");
    CHECK_INT(ask_for(s, "/403", ""), 403);
    CHECK_INT(ask_for(s, "/599", ""), 599);
    CHECK_INT(ask_for(s, "/400", ""), 400);
    /* A value that is not an HTTP refusal refuses with 403. */
    CHECK_INT(ask_for(s, "/200", ""), 403);
    CHECK_INT(ask_for(s, "/101", ""), 403);
    CHECK_INT(ask_for(s, "/600", ""), 403);
    CHECK_INT(ask_for(s, "/65535", ""), 403);
    CHECK_INT(server_count(s, ON_CONNECT), 0);
    CHECK_INT(ask_for(s, "/403", "X-Token: open sesame\r\nSec-WebSocket-Protocol: chat\r\n"), 101);
    CHECK_STR(hook.protocol, "chat");
    CHECK_INT(ask_for(s, "/", ""), 101);
    SERVER_WAIT(s, ON_CLOSE, 2);
    CHECK_INT(server_count(s, ON_CONNECT), 2);
    CHECK_INT(counter_value(&hook.asked), 10);
    for (int i = 0; i < OTHER_CLIENTS; i++) {
        struct other *other = new_other(other_clients[i]);
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/418", s->port), "refused 418");
        CHECK_STR(ask_other(other, "open a ws://127.0.0.1:%d/418 chat X-Token: open sesame", s->port), "open chat");
        CHECK_STR(ask_other(other, "ping a"), "pong");
    }
}

static void the_hook_is_asked_after_the_limits_and_about_valid_requests_only(void) {
    nsws_server_options options = server_defaults();
    options.max_connections_per_client = 1;
    struct server *s = server_with_hook(&options);
    int kept;
    if (!s) return;
    CHECK_INT(knock(s, "127.0.0.1", &kept), 101);
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 503);
    int fd = raw_connect(s);
    raw_say(fd, "GET / HTTP/1.1\r\n" RAW_HOST "\r\n");
    CHECK_INT(raw_status(fd), 426);
    close(fd);
    CHECK_INT(counter_value(&hook.asked), 1);
    /* A refused client holds no place. */
    close(kept);
    SERVER_WAIT(s, ON_CLOSE, 1);
    CHECK_INT(ask_for(s, "/403", ""), 403);
    CHECK_INT(knock(s, "127.0.0.1", &kept), 101);
    close(kept);
}

static void pages_of_other_origins_are_refused_before_the_hook_and_ban_nobody(void) {
    nsws_server_options options = server_defaults();
    options.max_upgrades_per_minute = 5;
    options.allowed_origins = "https://example.com, http://10.0.0.7:8080";
    struct server *s = server_with_hook(&options);
    if (!s) return;
    static const char *const others[] = { "null", "", "http://example.com", "https://example.com:8443", "https://example.com.evil" };
    char origin[128];
    for (int i = 0; i < 10; i++) {
        snprintf(origin, sizeof origin, "Origin: %s\r\n", others[i % 5]);
        CHECK_INT(ask_for(s, "/", origin), 403);
    }
    CHECK_INT(counter_value(&hook.asked), 0);
    CHECK_INT(ask_for(s, "/", "Origin: http://10.0.0.7:8080\r\n"), 101);
    CHECK_INT(ask_for(s, "/", ""), 101);
    CHECK_INT(counter_value(&hook.asked), 2);

    static const char *const wrong[] = { "*", "null", "example.com", "https://example.com/", "https://a, b" };
    struct server *other = new_server();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        options.allowed_origins = wrong[i];
        CHECK_CODE(nsws_server_start(other->handle, &options), NSWS_ERR_PARAMETER);
        CHECK_CONTAINS(nsws_last_error(), "allowed_origins");
    }
    /* No page at all. */
    options.allowed_origins = "";
    if (!START(other, &options)) return;
    CHECK_INT(ask_for(other, "/", "Origin: https://example.com\r\n"), 403);
    CHECK_INT(ask_for(other, "/", ""), 101);
}

static void a_hook_that_blocks_delays_its_server_only(void) {
    struct server *s = server_with_hook(NULL), *other = started_server(NULL);
    if (!s) return;
    other->echo = 1;
    hook.waits = 1;
    int waiting = raw_connect(s);
    raw_say(waiting, RAW_REQUEST);
    WAIT_WAITING(&hook.gate, 1);
    /* It holds neither another server, nor those that are no upgrades. */
    struct recorder *r = OPEN_CLIENT(other, "/");
    if (!r) return;
    for (size_t i = 1; i <= 100; i++) {
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
        if (!WAIT(r, MESSAGE, i)) return;
    }
    int fd = raw_connect(s);
    raw_say(fd, "POST / HTTP/1.1\r\n" RAW_HOST "\r\n");
    CHECK_INT(raw_status(fd), 405);
    close(fd);
    gate_open(&hook.gate);
    CHECK_INT(raw_status(waiting), 101);
    close(waiting);
}

static void a_client_that_waits_too_long_for_the_hook_is_cut(void) {
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = slowness() > 1 ? 5000 : 1500;
    struct server *s = server_with_hook(&options);
    if (!s) return;
    hook.waits = 1;
    int first = raw_connect(s), second = raw_connect(s);
    raw_say(first, RAW_REQUEST);
    raw_say(second, RAW_REQUEST);
    WAIT_WAITING(&hook.gate, 1);
    CHECK(raw_ends(first));
    CHECK(raw_ends(second));
    gate_open(&hook.gate);
    hook.waits = 0;
    CHECK_INT(knock_and_leave(s, "127.0.0.1"), 101);
    /* The second was cut before its turn came, so the hook was not called for it. */
    CHECK_INT(counter_value(&hook.asked), 2);
    SERVER_WAIT(s, ON_CLOSE, 1);
    CHECK_INT(server_count(s, ON_CONNECT), 1);
    close(first);
    close(second);
}

static void a_client_that_leaves_while_the_hook_decides_does_no_harm(void) {
    struct server *s = server_with_hook(NULL);
    if (!s) return;
    hook.waits = 1;
    int leaving = raw_connect(s);
    raw_say(leaving, RAW_REQUEST);
    WAIT_WAITING(&hook.gate, 1);
    raw_reset(leaving);
    gate_open(&hook.gate);
    int fd;
    CHECK_INT(knock(s, "127.0.0.1", &fd), 101);
    raw_send(fd, TEXT_FRAME, "x", 1);
    SERVER_WAIT(s, ON_MESSAGE, 1);
    BECOMES(listed(s), 1);
    close(fd);
}

static void a_server_may_stop_or_end_while_the_hook_decides(void) {
    for (int way = 0; way < 3; way++) {
        struct server *s = server_with_hook(NULL);
        if (!s) return;
        hook.waits = 1;
        int fd = raw_connect(s);
        raw_say(fd, RAW_REQUEST);
        WAIT_WAITING(&hook.gate, 1);
        if (way == 0) CHECK_OK(nsws_server_stop(s->handle));
        if (way == 1) CHECK_OK(nsws_server_release(s->handle));
        if (way == 2) {
            /* destroy waits for the hook. */
            gate_open(&hook.gate);
            destroy_server(s);
            CHECK_INT(counter_value(&hook.freed), 1);
        }
        if (way == 1) CHECK_INT(counter_value(&hook.freed), 0);
        CHECK(raw_ends(fd));
        gate_open(&hook.gate);
        if (way == 1) {
            s->destroyed = 1;
            WAIT_COUNTER(&hook.freed, 1);
        }
        if (way == 0) {
            hook.waits = 0;
            if (START(s, NULL)) CHECK_INT(knock_and_leave(s, "127.0.0.1"), 101);
        }
        CHECK_INT(counter_value(&hook.asked), way == 0 ? 2 : 1);
        close(fd);
    }
}

static void stop_inside(struct hook *h, nsws_server server) {
    h->inside = NULL;
    CHECK_OK(nsws_server_stop(server));
}
static void destroy_inside(struct hook *h, nsws_server server) {
    h->inside = NULL;
    CHECK_OK(nsws_server_destroy(server));
    CHECK_INT(counter_value(&h->freed), 0);
    CHECK_CODE(nsws_server_set_accept_hook(server, decides, h, hook_freed), NSWS_ERR_BAD_HANDLE);
}
static void remove_inside(struct hook *h, nsws_server server) {
    h->inside = NULL;
    CHECK_OK(nsws_server_set_accept_hook(server, NULL, NULL, NULL));
    CHECK_INT(counter_value(&h->freed), 0);
}

static void the_hook_may_stop_destroy_and_remove_itself(void) {
    struct server *s = server_with_hook(NULL);
    if (!s) return;
    hook.inside = stop_inside;
    int fd = raw_connect(s);
    raw_say(fd, RAW_REQUEST);
    CHECK_INT(raw_status(fd), 0);
    close(fd);
    /* The client may have been cut before the hook has returned. */
    CHECK_OK(nsws_server_set_accept_hook(s->handle, NULL, NULL, NULL));
    WAIT_COUNTER(&hook.freed, 1);

    s = server_with_hook(NULL);
    if (!s) return;
    hook.inside = destroy_inside;
    fd = raw_connect(s);
    raw_say(fd, RAW_REQUEST);
    CHECK_INT(raw_status(fd), 0);
    WAIT_COUNTER(&hook.freed, 1);
    s->destroyed = 1;
    close(fd);

    s = server_with_hook(NULL);
    if (!s) return;
    hook.inside = remove_inside;
    CHECK_INT(ask_for(s, "/403", ""), 403);
    WAIT_COUNTER(&hook.freed, 1);
    CHECK_INT(ask_for(s, "/403", ""), 101);
    CHECK_INT(counter_value(&hook.asked), 1);
}

/* A program that is stuck doesn't fill its memory with clients that have come and gone. */
static void a_server_whose_program_is_stuck_lets_nobody_in_before_long(void) {
    enum { BOUND = 1024, KEPT = 100 };
    nsws_server_options options = server_defaults();
    options.handshake_timeout_ms = 1000;
    struct server *s = server_with_hook(&options);
    if (!s) return;
    hook.waits = 1;
    int fds[KEPT], status = 0, sent = 0;
    for (int i = 0; i < KEPT; i++) fds[i] = -1;
    /* Clients that wait for the hook get no answer; one client too many gets it at once. Some never get as far as the hook:
     * handshakes that are too many at once lose to later ones. */
    for (int round = 1; round <= 10 && status == 0; round++) {
        for (; sent < (BOUND + KEPT) * round; sent++) {
            int *fd = &fds[sent % KEPT];
            if (*fd >= 0) close(*fd);
            *fd = raw_connect(s);
            raw_say(*fd, RAW_REQUEST);
        }
        WAIT_WAITING(&hook.gate, 1);
        status = knock_and_leave(s, "127.0.0.1");
    }
    CHECK_INT(status, 503);
    hook.waits = 0;
    gate_open(&hook.gate);
    for (int i = 0; i < KEPT; i++) close(fds[i]);
    /* All of that is forgotten, and clients are let in again. */
    long long end = now_us() + guard_seconds() * 1000000LL;
    while ((status = knock_and_leave(s, "127.0.0.1")) != 101 && now_us() < end) {
    }
    CHECK_INT(status, 101);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(addresses_above_the_limit_are_refused_with_503);
    RUN(connections_above_the_limit_of_an_address_are_refused_with_503);
    RUN(without_limits_it_is_10_addresses_and_10_connections_of_each);
    RUN(limits_have_no_upper_bound);
    RUN(an_address_that_asks_too_often_gets_429_and_is_banned);
    RUN(refusals_count_for_the_ban);
    RUN(without_a_limit_nobody_is_banned);
    RUN(the_default_is_50_a_minute);
    RUN(over_tls_the_banned_get_no_handshake);
    RUN(the_hook_sees_the_request_and_decides);
    RUN(the_hook_is_asked_after_the_limits_and_about_valid_requests_only);
    RUN(pages_of_other_origins_are_refused_before_the_hook_and_ban_nobody);
    RUN(a_hook_that_blocks_delays_its_server_only);
    RUN(a_client_that_waits_too_long_for_the_hook_is_cut);
    RUN(a_client_that_leaves_while_the_hook_decides_does_no_harm);
    RUN(a_server_may_stop_or_end_while_the_hook_decides);
    RUN(the_hook_may_stop_destroy_and_remove_itself);
    RUN(a_server_whose_program_is_stuck_lets_nobody_in_before_long);
    return end_tests();
}
