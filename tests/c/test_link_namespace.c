/*
 * A client's way over interfaces that come, go and have addresses of their own, in a network namespace with this library's
 * own server. It needs a kernel that lets this process have a namespace, as root or not, and ip(8).
 */
#include "pair.h"

#include <sys/wait.h>

#define IP(...) ip(__LINE__, __VA_ARGS__)

/* Runs ip(8); whether it succeeded. */
static int ip(int line, const char *arguments) {
    char command[256];
    snprintf(command, sizeof command, "ip %s", arguments);
    int status = system(command);
    return status == 0 || harness_fail(__FILE__, line, "%s: status %d", command, status);
}

static struct server *serve(const char *address) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.server_ip = address;
    return START(s, &options) ? s : NULL;
}

static const char *url_at(struct recorder *r, const char *host, struct server *s) {
    snprintf(r->url, sizeof r->url, "ws://%s:%u/", host, (unsigned)s->port);
    return r->url;
}

static void a_link_local_address_is_reached_through_its_zone(void) {
    struct server *s = serve("::");
    if (!s) return;
    struct recorder *r = new_client();
    OPENS(r, url_at(r, "[fe80::9%25link0]", s), NULL);
    /* The number of the interface is a zone as well; that of another one leads elsewhere. */
    struct recorder *other = new_client();
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = (uint32_t)(300 * slowness());
    CHECK_OK(nsws_client_connect(other->client, url_at(other, "[fe80::9%25lo]", s), &options));
    WAIT(other, ERROR, 1);
    CHECK_STR(order(other), "error");
}

/* A link-local address means nothing without an interface: that of the server's, or the one that was chosen. */
static void a_link_local_address_is_connected_from(void) {
    struct server *s = serve("::");
    if (!s) return;
    nsws_connect_options options = defaults();
    options.bind_address = "fe80::9";
    struct recorder *r = new_client();
    if (!OPENS(r, url_at(r, "[fe80::9%25link0]", s), &options)) return;
    const struct server_event *event = SERVER_WAIT(s, ON_CONNECT, 1);
    if (event) CHECK_CONTAINS(event->ip, "fe80::9");
    options.bind_interface = "lo";
    struct recorder *other = new_client();
    CHECK_OK(nsws_client_connect(other->client, url_at(other, "[fe80::9%25link0]", s), &options));
    const struct event *error = WAIT(other, ERROR, 1);
    if (error) CHECK_INT(error->detail, NSWS_DETAIL_UNREACHABLE);
}

static void the_interface_counts_whatever_the_routes_say(void) {
    struct server *s = serve("127.0.0.1");
    if (!s) return;
    struct recorder *through = new_client(), *beside = new_client();
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = (uint32_t)(300 * slowness());
    options.bind_interface = "link0";
    CHECK_OK(nsws_client_connect(beside->client, url_at(beside, "127.0.0.1", s), &options));
    if (!WAIT(beside, ERROR, 1)) return;
    CHECK_STR(order(beside), "error");
    options.bind_interface = "lo";
    options.connect_timeout_ms = (uint32_t)guard_seconds() * 1000;
    OPENS(through, url_at(through, "127.0.0.1", s), &options);
}

/* The link is gone without a sign, as when a device leaves a network: only a check finds out. */
static void a_lost_network_is_found_out_and_the_next_one_taken(void) {
    struct server *s = serve("0.0.0.0");
    if (!s || !IP("addr add 10.9.0.1/24 dev link0")) return;
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.ping_interval_ms = 0;
    options.reconnect_max_attempts = 5;
    options.reconnect_min_delay_ms = options.reconnect_max_delay_ms = 3600000;
    if (!OPENS(r, url_at(r, "10.9.0.1", s), &options) || !IP("addr del 10.9.0.1/24 dev link0")) return;
    CHECK_OK(nsws_network_changed((uint32_t)(200 * slowness())));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error || !WAIT(r, RECONNECTING, 1)) return;
    CHECK_INT(error->detail, NSWS_DETAIL_HEARTBEAT_LOST);
    /* The new network. */
    if (!IP("addr add 10.9.0.1/24 dev link0")) return;
    CHECK_OK(nsws_network_changed(1000));
    WAIT(r, OPEN, 2);
    IP("addr del 10.9.0.1/24 dev link0");
}

/* Whether this process has a network of its own, with a pair of interfaces beside loopback. */
static int in_a_namespace(void) {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return 0;
    if (system("ip link set lo up && ip link add link0 type veth peer name link1 && "
               "ip link set link0 up && ip link set link1 up && ip addr add fe80::9/64 dev link0 nodad") != 0)
        return 0;
    return 1;
}

int main(void) {
    if (!in_a_namespace()) {
        puts("****** SKIPPED: interfaces, zones and changed networks: no network namespace with an interface can be had here ******");
        return 0;
    }
    RUN(a_link_local_address_is_reached_through_its_zone);
    RUN(a_link_local_address_is_connected_from);
    RUN(the_interface_counts_whatever_the_routes_say);
    RUN(a_lost_network_is_found_out_and_the_next_one_taken);
    return end_tests();
}
