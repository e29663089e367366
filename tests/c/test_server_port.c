/* Servers that share a port (reuse_port). */
#include "server.h"

/* So many clients, and no server of two had one: one chance in 2^200. */
enum { ENOUGH = 200 };

static nsws_server_options sharing(uint32_t port) {
    nsws_server_options options = server_defaults();
    options.reuse_port = 1;
    options.server_port = port;
    return options;
}

/* A port that nobody else is given until the program ends. */
static uint32_t own_port(void) {
    int fd;
    return (uint32_t)refused_port(&fd);
}

static void servers_that_share_a_port_all_get_clients(void) {
    nsws_server_options options = sharing(own_port());
    struct server *one = started_server(&options), *two = started_server(&options);
    if (!one || !two) return;
    CHECK_INT(one->port, options.server_port);
    CHECK_INT(two->port, options.server_port);
    for (int i = 0; i < ENOUGH && (server_count(one, ON_CONNECT) == 0 || server_count(two, ON_CONNECT) == 0); i++)
        if (!OPEN_CLIENT(one, "/")) return;
    SERVER_WAIT(one, ON_CONNECT, 1);
    SERVER_WAIT(two, ON_CONNECT, 1);
    /* Once one has stopped, the other gets them all. */
    CHECK_OK(nsws_server_stop(one->handle));
    size_t before = server_count(two, ON_CONNECT);
    for (size_t i = 1; i <= 8; i++)
        if (!OPEN_CLIENT(one, "/") || !SERVER_WAIT(two, ON_CONNECT, before + i)) return;
}

static void limits_are_each_server_s_own(void) {
    nsws_server_options options = sharing(own_port());
    options.max_connections_per_client = 1;
    struct server *one = started_server(&options), *two = started_server(&options);
    if (!one || !two) return;
    int fds[2], open = 0;
    for (int i = 0; i < ENOUGH && open < 2; i++) {
        fds[open] = raw_connect(one);
        raw_say(fds[open], RAW_REQUEST);
        if (raw_status(fds[open]) == 101)
            open++;
        else
            close(fds[open]);
    }
    CHECK_INT(open, 2);
    SERVER_WAIT(one, ON_CONNECT, 1);
    SERVER_WAIT(two, ON_CONNECT, 1);
    while (open > 0) close(fds[--open]);
}

static void a_port_is_shared_only_by_servers_that_all_ask_for_it(void) {
    nsws_server_options shared = sharing(own_port()), alone = shared;
    alone.reuse_port = 0;
    struct server *one = started_server(&alone), *two = new_server();
    CHECK_CODE(nsws_server_start(two->handle, &alone), NSWS_ERR_PORT_IN_USE);
    CHECK_CODE(nsws_server_start(two->handle, &shared), NSWS_ERR_PORT_IN_USE);
    CHECK_OK(nsws_server_stop(one->handle));
    CHECK_OK(nsws_server_start(one->handle, &shared));
    CHECK_CODE(nsws_server_start(two->handle, &alone), NSWS_ERR_PORT_IN_USE);
    CHECK_OK(nsws_server_start(two->handle, &shared));
}

static void a_port_that_the_system_picks_is_not_shared(void) {
    nsws_server_options options = sharing(0);
    struct server *s = new_server();
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    CHECK_CONTAINS(nsws_last_error(), "reuse_port");
    options = sharing(own_port());
    options.reuse_port = 2;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
}

int main(void) {
    RUN(servers_that_share_a_port_all_get_clients);
    RUN(limits_are_each_server_s_own);
    RUN(a_port_is_shared_only_by_servers_that_all_ask_for_it);
    RUN(a_port_that_the_system_picks_is_not_shared);
    return end_tests();
}
