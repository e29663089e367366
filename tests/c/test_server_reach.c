/* A server's operator: groups of connections, bans that are listed and lifted, a stop that waits. */
#include "server.h"

/* Groups. */

static void a_group_gets_what_is_sent_to_it_and_nobody_else_does(void) {
    struct server *s = started_server(NULL);
    struct recorder *clients[3];
    nsws_connection c[3];
    size_t accepted = 7;
    for (size_t i = 0; i < 3; i++) {
        clients[i] = OPEN_CLIENT(s, "/");
        if (!clients[i]) return;
        c[i] = SERVER_WAIT(s, ON_CONNECT, i + 1)->connection;
    }
    CHECK_OK(nsws_connection_join(c[0], "news"));
    CHECK_OK(nsws_connection_join(c[0], "n\xc3\xa4hen"));
    CHECK_OK(nsws_connection_join(c[1], "news"));
    /* Once is enough. */
    CHECK_OK(nsws_connection_join(c[1], "news"));
    CHECK_OK(nsws_server_broadcast_group(s->handle, "news", "one", 3, 1, &accepted));
    CHECK_INT(accepted, 2);
    CHECK_OK(nsws_server_broadcast_group(s->handle, "n\xc3\xa4hen", "two", 3, 0, NULL));
    CHECK_OK(nsws_server_broadcast_group(s->handle, "nobody", "three", 5, 1, &accepted));
    CHECK_INT(accepted, 0);
    CHECK_OK(nsws_connection_leave(c[0], "news"));
    CHECK_OK(nsws_connection_leave(c[0], "news"));
    CHECK_OK(nsws_connection_leave(c[0], "nobody"));
    CHECK_OK(nsws_server_broadcast_group(s->handle, "news", "four", 4, 1, &accepted));
    CHECK_INT(accepted, 1);
    CHECK_OK(nsws_server_broadcast(s->handle, "last", 4, 1, &accepted));
    CHECK_INT(accepted, 3);
    static const char *const expected[3] = { "one two last", "one four last", "last" };
    static const size_t counts[3] = { 3, 3, 1 };
    for (int i = 0; i < 3; i++) {
        char all[64] = "";
        for (size_t nth = 1; nth <= counts[i]; nth++) {
            const struct event *message = WAIT(clients[i], MESSAGE, nth);
            if (message) snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", nth > 1 ? " " : "", message->text);
        }
        CHECK_STR(all, expected[i]);
    }
}

/* While its close is told, a connection is a member still, and takes nothing; then it is none. */
static void send_in_close(struct server *s, const struct server_event *event) {
    size_t accepted = 7;
    if (event->kind != ON_CLOSE) return;
    CHECK_OK(nsws_server_broadcast_group(s->handle, "room", "x", 1, 1, &accepted));
    CHECK_INT(accepted, 1);
    CHECK_OK(nsws_connection_join(event->connection, "another"));
}

static void a_connection_that_is_over_has_left_its_groups(void) {
    struct server *s = started_server(NULL);
    s->hook = send_in_close;
    struct recorder *leaves = OPEN_CLIENT(s, "/"), *stays = leaves ? OPEN_CLIENT(s, "/") : NULL;
    size_t accepted = 7;
    if (!stays) return;
    nsws_connection gone = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    CHECK_OK(nsws_connection_join(gone, "room"));
    CHECK_OK(nsws_connection_join(SERVER_WAIT(s, ON_CONNECT, 2)->connection, "room"));
    CHECK_OK(nsws_client_close(leaves->client, 1000, ""));
    SERVER_WAIT(s, ON_CLOSE, 1);
    BECOMES(listed(s), 1);
    CHECK_CODE(nsws_connection_join(gone, "room"), NSWS_ERR_BAD_HANDLE);
    CHECK_CODE(nsws_connection_leave(gone, "room"), NSWS_ERR_BAD_HANDLE);
    CHECK_OK(nsws_server_broadcast_group(s->handle, "another", "x", 1, 1, &accepted));
    CHECK_INT(accepted, 0);
    CHECK_OK(nsws_server_broadcast_group(s->handle, "room", "y", 1, 1, &accepted));
    CHECK_INT(accepted, 1);
    WAIT(stays, MESSAGE, 2);
    s->hook = NULL;
}

static void groups_of_two_servers_are_two(void) {
    struct server *one = started_server(NULL), *other = started_server(NULL);
    size_t accepted = 7;
    if (!OPEN_CLIENT(one, "/") || !OPEN_CLIENT(other, "/")) return;
    CHECK_OK(nsws_connection_join(SERVER_WAIT(one, ON_CONNECT, 1)->connection, "room"));
    CHECK_OK(nsws_server_broadcast_group(other->handle, "room", "x", 1, 1, &accepted));
    CHECK_INT(accepted, 0);
    /* Nor does a destroyed server keep them. */
    nsws_connection kept = SERVER_WAIT(other, ON_CONNECT, 1)->connection;
    CHECK_OK(nsws_connection_join(kept, "room"));
    destroy_server(other);
    CHECK_CODE(nsws_connection_join(kept, "room"), NSWS_ERR_BAD_HANDLE);
    CHECK_CODE(nsws_server_broadcast_group(other->handle, "room", "x", 1, 1, &accepted), NSWS_ERR_BAD_HANDLE);
}

static void what_a_group_is_sent_is_checked(void) {
    struct server *s = started_server(NULL);
    size_t accepted = 7;
    if (!OPEN_CLIENT(s, "/")) return;
    nsws_connection c = SERVER_WAIT(s, ON_CONNECT, 1)->connection;
    static const char *const names[] = { NULL, "", "\xff" };
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(nsws_connection_join(c, names[i]), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_connection_leave(c, names[i]), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_broadcast_group(s->handle, names[i], "x", 1, 1, &accepted), NSWS_ERR_PARAMETER);
    }
    CHECK_OK(nsws_connection_join(c, "room"));
    CHECK_CODE(nsws_server_broadcast_group(s->handle, "room", NULL, 1, 1, &accepted), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast_group(s->handle, "room", "\xff", 1, 1, &accepted), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast_group(s->handle, "room", "x", 1, 2, &accepted), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_broadcast_group(s->handle, "room", "x", (size_t)6 << 20, 0, &accepted), NSWS_ERR_PARAMETER);
    CHECK_INT(accepted, 7);
    CHECK_OK(nsws_server_broadcast_group(s->handle, "room", NULL, 0, 1, &accepted));
    CHECK_INT(accepted, 1);
}

enum { TALKERS = 4, ROUNDS = 300 };

static struct server *crowded;
static nsws_connection in_crowd[TALKERS];

static void *comes_and_goes(void *nth) {
    nsws_connection c = in_crowd[(size_t)nth];
    size_t accepted;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(nsws_connection_join(c, "crowd"));
        CHECK_OK(nsws_server_broadcast_group(crowded->handle, "crowd", "x", 1, 1, &accepted));
        CHECK(accepted >= 1 && accepted <= TALKERS);
        CHECK_OK(nsws_connection_leave(c, "crowd"));
    }
    return NULL;
}

static void threads_may_join_leave_and_send_at_once(void) {
    pthread_t threads[TALKERS];
    size_t accepted = 7;
    crowded = started_server(NULL);
    for (size_t i = 0; i < TALKERS; i++) {
        if (!OPEN_CLIENT(crowded, "/")) return;
        in_crowd[i] = SERVER_WAIT(crowded, ON_CONNECT, i + 1)->connection;
    }
    for (size_t i = 0; i < TALKERS; i++) pthread_create(&threads[i], NULL, comes_and_goes, (void *)i);
    for (size_t i = 0; i < TALKERS; i++) pthread_join(threads[i], NULL);
    CHECK_OK(nsws_server_broadcast_group(crowded->handle, "crowd", "x", 1, 1, &accepted));
    CHECK_INT(accepted, 0);
}

/* Bans. */

static int knock_and_leave(struct server *s, const char *from) {
    int fd = raw_connect_from(from, s->port);
    raw_say(fd, RAW_REQUEST);
    int status = raw_status(fd);
    raw_reset(fd);
    return status;
}

static void bans_are_listed_and_lifted(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.max_upgrades_per_minute = 1;
    nsws_ban bans[2];
    size_t count = 7;
    CHECK_CODE(nsws_server_list_bans(s->handle, bans, 2, &count), NSWS_ERR_NOT_LISTENING);
    CHECK_CODE(nsws_server_unban(s->handle, "127.0.0.1"), NSWS_ERR_NOT_LISTENING);
    if (!START(s, &options)) return;
    CHECK_OK(nsws_server_list_bans(s->handle, NULL, 0, &count));
    CHECK_INT(count, 0);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) CHECK_INT(knock_and_leave(s, i ? "127.0.0.3" : "127.0.0.2"), j ? 429 : 101);
    CHECK_OK(nsws_server_list_bans(s->handle, bans, 1, &count));
    CHECK_INT(count, 2);
    CHECK_OK(nsws_server_list_bans(s->handle, bans, 2, &count));
    CHECK_STR(bans[0].ip, "127.0.0.2");
    CHECK_STR(bans[1].ip, "127.0.0.3");
    CHECK(bans[0].remaining_ms > 0 && bans[0].remaining_ms <= 60000);
    CHECK_OK(nsws_server_unban(s->handle, "127.0.0.2"));
    CHECK_OK(nsws_server_unban(s->handle, "127.0.0.9"));
    CHECK_OK(nsws_server_unban(s->handle, "2001:db8::/64"));
    CHECK_INT(knock_and_leave(s, "127.0.0.2"), 101);
    CHECK_INT(knock_and_leave(s, "127.0.0.3"), 429);
    static const char *const wrong[] = { NULL, "", "nobody", "127.0.0.3/32", "127.0.0.3/64", "::1/128", "\xff" };
    for (int i = 0; i < 7; i++) CHECK_CODE(nsws_server_unban(s->handle, wrong[i]), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_list_bans(s->handle, NULL, 1, &count), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_server_list_bans(s->handle, bans, 1, NULL), NSWS_ERR_PARAMETER);
}

/* A stop that waits. */

static void a_graceful_stop_returns_when_every_client_has_said_goodbye(void) {
    struct server *s = started_server(NULL);
    struct recorder *r[3];
    for (int i = 0; i < 3; i++)
        if (!(r[i] = OPEN_CLIENT(s, "/"))) return;
    SERVER_WAIT(s, ON_CONNECT, 3);
    CHECK_CODE(nsws_server_stop_gracefully(s->handle, 0), NSWS_ERR_PARAMETER);
    CHECK_OK(nsws_server_stop_gracefully(s->handle, (uint32_t)guard_seconds() * 1000));
    CHECK_INT(server_count(s, ON_CLOSE), 3);
    CHECK_INT(server_count(s, ON_ERROR), 0);
    for (int i = 0; i < 3; i++) {
        const struct event *close = WAIT(r[i], CLOSE, 1);
        if (close) CHECK_INT(close->code, 1001);
    }
    CHECK_CODE(nsws_server_stop_gracefully(s->handle, 1000), NSWS_ERR_NOT_LISTENING);
    CHECK_INT(raw_connect(s), -1);
    if (START(s, NULL)) CHECK(OPEN_CLIENT(s, "/") != NULL);
}

static void a_client_that_does_not_say_goodbye_in_time_is_cut(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    /* The stop's own time counts. */
    options.close_timeout_ms = 3600000;
    if (!START(s, &options)) return;
    int mute = RAW_OPEN(s), closing = RAW_OPEN(s);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (mute < 0 || closing < 0 || !r) return;
    CHECK_OK(nsws_connection_close(SERVER_WAIT(s, ON_CONNECT, 2)->connection, 1000, ""));
    CHECK_CODE(nsws_server_stop_gracefully(s->handle, 100), NSWS_ERR_BUSY);
    const struct event *polite = WAIT(r, CLOSE, 1);
    if (polite) CHECK_INT(polite->code, 1001);
    CHECK_INT(raw_close_code(mute), 1001);
    CHECK_INT(raw_close_code(closing), 1000);
    CHECK(raw_ends(mute) && raw_ends(closing));
    if (!SERVER_WAIT(s, ON_CLOSE, 3)) return;
    CHECK_INT(SERVER_WAIT(s, ON_CLOSE, 2)->code, 1006);
    CHECK_INT(SERVER_WAIT(s, ON_ERROR, 2)->detail, NSWS_DETAIL_CLOSE_TIMEOUT);
    close(mute);
    close(closing);
}

static struct counter refusals;

static void stop_inside(struct server *s, const struct server_event *event) {
    if (event->kind != ON_CONNECT) return;
    CHECK_CODE(nsws_server_stop_gracefully(s->handle, 1000), NSWS_ERR_WOULD_DEADLOCK);
    counter_add(&refusals, 1);
}

static void inside_a_callback_nothing_is_stopped_gracefully(void) {
    struct server *s = started_server(NULL);
    uint16_t port = 0;
    counter_init(&refusals);
    s->hook = stop_inside;
    if (!OPEN_CLIENT(s, "/")) return;
    WAIT_COUNTER(&refusals, 1);
    /* It listens as before. */
    CHECK_OK(nsws_server_get_port(s->handle, &port));
}

static struct gate held;

static void hold_the_close(struct server *s, const struct server_event *event) {
    (void)s;
    if (event->kind == ON_CLOSE) gate_pass(&held);
}

static void *stops(void *server) {
    struct server *s = server;
    CHECK_OK(nsws_server_stop_gracefully(s->handle, (uint32_t)guard_seconds() * 1000));
    CHECK_INT(server_count(s, ON_CLOSE), 1);
    return NULL;
}

static void *stops_forgotten(void *server) {
    CHECK_OK(nsws_server_stop_gracefully(((struct server *)server)->handle, (uint32_t)guard_seconds() * 1000));
    return NULL;
}

static void a_graceful_stop_waits_for_the_listeners_and_ends_with_the_server(void) {
    struct server *s = started_server(NULL), *other = started_server(NULL);
    pthread_t one, two;
    gate_init(&held);
    s->hook = hold_the_close;
    struct recorder *r = OPEN_CLIENT(s, "/");
    int mute = RAW_OPEN(other);
    if (!r || mute < 0) return;
    SERVER_WAIT(s, ON_CONNECT, 1);
    SERVER_WAIT(other, ON_CONNECT, 1);
    pthread_create(&one, NULL, stops, s);
    SERVER_WAIT(s, ON_CLOSE, 1);
    int32_t state;
    CHECK_OK(nsws_server_get_state(s->handle, &state));
    CHECK_INT(state, NSWS_STATE_CLOSING);
    gate_open(&held);
    pthread_join(one, NULL);
    /* A destroyed server has no connections any more. */
    pthread_create(&two, NULL, stops_forgotten, other);
    CHECK_INT(raw_close_code(mute), 1001);
    destroy_server(other);
    pthread_join(two, NULL);
    close(mute);
}

int main(void) {
    RUN(a_group_gets_what_is_sent_to_it_and_nobody_else_does);
    RUN(a_connection_that_is_over_has_left_its_groups);
    RUN(groups_of_two_servers_are_two);
    RUN(what_a_group_is_sent_is_checked);
    RUN(threads_may_join_leave_and_send_at_once);
    RUN(bans_are_listed_and_lifted);
    RUN(a_graceful_stop_returns_when_every_client_has_said_goodbye);
    RUN(a_client_that_does_not_say_goodbye_in_time_is_cut);
    RUN(inside_a_callback_nothing_is_stopped_gracefully);
    RUN(a_graceful_stop_waits_for_the_listeners_and_ends_with_the_server);
    return end_tests();
}
