/* A callback that holds its thread for long is told in the log, with its event: while it does, and when it has returned. */
#include "server.h"

enum { EVENTS = 3 };

/* The lines about one event. */
static struct lines {
    const char *event;
    struct counter while_it_runs, when_it_has_returned;
} lines[EVENTS];

static void read_line(int32_t level, const char *line, void *user) {
    (void)user;
    if (level != NSWS_LOG_WARN) return;
    for (int i = 0; i < EVENTS; i++) {
        char part[64];
        snprintf(part, sizeof part, "callbacks of %s ", lines[i].event);
        if (!strstr(line, part)) continue;
        counter_add(strstr(line, "still") ? &lines[i].while_it_runs : &lines[i].when_it_has_returned, 1);
    }
}

static void listen_for(const char *first, const char *second, const char *third) {
    const char *events[] = { first, second, third };
    for (int i = 0; i < EVENTS; i++) {
        lines[i].event = events[i];
        counter_init(&lines[i].while_it_runs);
        counter_init(&lines[i].when_it_has_returned);
    }
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_WARN, read_line, NULL, NULL));
}

/* The callback of the event holds its thread until the log has told so. */
static void hold_at(const char *event, const struct lines *here) {
    if (strcmp(event, here->event) == 0) WAIT_COUNTER((struct counter *)&here->while_it_runs, 1);
}

static void each_is_told_twice(void) {
    for (int i = 0; i < EVENTS; i++) {
        WAIT_COUNTER(&lines[i].when_it_has_returned, 1);
        CHECK_LEAST(counter_value(&lines[i].while_it_runs), 1);
    }
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    for (int i = 0; i < EVENTS; i++) CHECK_INT(counter_value(&lines[i].when_it_has_returned), 1);
}

static void client_holds(struct recorder *r, const struct event *event) {
    hold_at(kind_names[event->kind], r->hook_data);
}

static void a_client_s_callback_is_told_while_it_holds_its_thread(void) {
    listen_for("open", "data_end", "close");
    struct server *s = started_server(NULL);
    if (!s) return;
    s->echo = 1;
    struct recorder *clients[EVENTS];
    for (int i = 0; i < EVENTS; i++) {
        clients[i] = new_client();
        clients[i]->hook = client_holds;
        clients[i]->hook_data = &lines[i];
        CHECK_OK(nsws_client_connect(clients[i]->client, url_of(s, "/"), NULL));
    }
    for (int i = 0; i < EVENTS; i++) {
        if (!WAIT(clients[i], OPEN, 1)) return;
        CHECK_OK(nsws_client_send_text(clients[i]->client, "a", 1));
    }
    for (int i = 0; i < EVENTS; i++) {
        WAIT(clients[i], DATA_END, 1);
        CHECK_OK(nsws_client_close(clients[i]->client, 1000, ""));
    }
    each_is_told_twice();
}

static void server_holds(struct server *s, const struct server_event *event) {
    hold_at(server_kind_names[event->kind], s->hook_data);
}

static void a_server_s_callback_is_told_while_it_holds_its_thread(void) {
    listen_for("connect", "message", "close");
    struct recorder *clients[EVENTS];
    for (int i = 0; i < EVENTS; i++) {
        struct server *s = started_server(NULL);
        if (!s) return;
        s->hook = server_holds;
        s->hook_data = &lines[i];
        clients[i] = OPEN_CLIENT(s, "/");
        if (!clients[i]) return;
        CHECK_OK(nsws_client_send_text(clients[i]->client, "a", 1));
    }
    for (int i = 0; i < EVENTS; i++) CHECK_OK(nsws_client_close(clients[i]->client, 1000, ""));
    each_is_told_twice();
}

static uint16_t accept_holds(nsws_server server, const nsws_connect_event *e, void *user) {
    (void)server, (void)e;
    hold_at("accept", user);
    return 0;
}

static void http_holds(nsws_server server, const nsws_http_request *request, nsws_http_answer *answer, void *user) {
    (void)server, (void)request, (void)answer;
    hold_at("http", user);
}

static void part_holds(nsws_server server, nsws_connection connection, const nsws_message_part_event *e, void *user) {
    (void)server, (void)connection, (void)e;
    hold_at("message_part", user);
}

static void a_hook_is_told_while_it_holds_its_thread(void) {
    listen_for("accept", "http", "message_part");
    struct server *servers[EVENTS];
    nsws_server_options options = server_defaults();
    options.receive_parts = 1;
    for (int i = 0; i < EVENTS; i++) {
        servers[i] = started_server(&options);
        if (!servers[i]) return;
    }
    CHECK_OK(nsws_server_set_accept_hook(servers[0]->handle, accept_holds, &lines[0], NULL));
    CHECK_OK(nsws_server_set_http_hook(servers[1]->handle, http_holds, &lines[1], NULL));
    CHECK_OK(nsws_server_on_message_part(servers[2]->handle, part_holds, &lines[2], NULL));
    int fd = raw_connect(servers[1]);
    CHECK(raw_say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    struct recorder *accepted = new_client();
    CHECK_OK(nsws_client_connect(accepted->client, url_of(servers[0], "/"), NULL));
    struct recorder *sends = OPEN_CLIENT(servers[2], "/");
    if (sends) CHECK_OK(nsws_client_send_text(sends->client, "a", 1));
    each_is_told_twice();
    close(fd);
}

int main(void) {
    RUN(a_client_s_callback_is_told_while_it_holds_its_thread);
    RUN(a_server_s_callback_is_told_while_it_holds_its_thread);
    RUN(a_hook_is_told_while_it_holds_its_thread);
    return end_tests();
}
