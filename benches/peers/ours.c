/* This library, through its C ABI. */
#include "client.h"

#include <netstack_websocket.h>
#include <stdint.h>

static void check(int32_t code) {
    if (code == NSWS_OK) return;
    fprintf(stderr, "%s: %s\n", nsws_error_name(code), nsws_last_error());
    exit(1);
}

static void on_message(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)server;
    (void)user_data;
    int32_t code = event->is_text ? nsws_connection_send_text(connection, (const char *)event->data, event->length)
                                  : nsws_connection_send_binary(connection, event->data, event->length);
    if (code != NSWS_ERR_NOT_CONNECTED) check(code);
}

static void on_message_to_all(nsws_server server, nsws_connection connection, const nsws_message_event *event, void *user_data) {
    (void)connection;
    (void)user_data;
    check(nsws_server_broadcast(server, event->data, event->length, event->is_text, NULL));
}

static void use_lanes(void) {
    if (peer.lanes == 0) return;
#ifdef NSWS_HAS_LANES
    nsws_runtime_options options;
    check(nsws_runtime_options_init(&options, sizeof options));
    options.io_threads = (uint32_t)peer.lanes;
    check(nsws_runtime_configure(&options));
#else
    peer_refuse();
#endif
}

static void serve(void) {
    nsws_server server;
    nsws_server_options options;
    uint16_t port;
    use_lanes();
    check(nsws_server_create(&server));
    check(nsws_server_on_message(server, peer.broadcast ? on_message_to_all : on_message, NULL, NULL));
    check(nsws_server_options_init(&options, sizeof options));
    options.server_ip = "127.0.0.1";
    options.cert_path = peer.cert;
    options.key_path = peer.key;
    options.max_concurrent_clients = UINT32_MAX;
    options.max_connections_per_client = UINT32_MAX;
    options.max_upgrades_per_minute = 0;
    if (peer.no_ping) options.ping_interval_ms = 0;
#ifdef NSWS_HAS_COMPRESSION
    options.compression = (uint8_t)peer.deflate;
#endif
    check(nsws_server_start(server, &options));
    check(nsws_server_get_port(server, &port));
    peer_serving(port);
    for (;;) pause();
}

/* The client: messages are sent in the callback that receives the one before, or by a thread of the program. */
struct flow {
    nsws_client client;
    long to_send, to_receive;
    double sent_at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int busy; /* what is awaited: connections that aren't open, or whose phase isn't over */
static double *times;
static long timed;

static void done_one(void) {
    pthread_mutex_lock(&lock);
    busy--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void await_all(void) {
    pthread_mutex_lock(&lock);
    while (busy > 0) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void send_one(struct flow *flow) {
    flow->to_send--;
    if (times != NULL) flow->sent_at = client_now();
    check(peer.documents != NULL ? nsws_client_send_text(flow->client, (const char *)client_next(), peer.size)
                                 : nsws_client_send_binary(flow->client, client_next(), peer.size));
}

static long visits_left; /* connects and closes that callbacks go on with */

static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    (void)event;
    (void)user_data;
    if (visits_left > 0) check(nsws_client_close(client, 1000, ""));
    else done_one();
}

static void on_answer(nsws_client client, const nsws_message_event *event, void *user_data) {
    struct flow *flow = user_data;
    (void)client;
    if (event->length != peer.size) exit(1);
    if (times != NULL) times[timed++] = client_now() - flow->sent_at;
    flow->to_receive--;
    if (peer.thread) done_one();
    else if (flow->to_send > 0) send_one(flow);
    else if (flow->to_receive == 0) done_one();
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)client;
    (void)user_data;
    fprintf(stderr, "error %d: %s\n", event->code, event->message);
    exit(1);
}

static void run_phase(struct flow *flows, long share) {
    if (peer.thread) { /* one message at a time, and each waits for the one before */
        for (flows->to_receive = share; flows->to_receive > 0; await_all()) {
            busy = 1;
            send_one(flows);
        }
        return;
    }
    busy = peer.connections;
    for (int i = 0; i < peer.connections; i++) {
        flows[i].to_send = flows[i].to_receive = share;
        check(nsws_client_cork(flows[i].client));
        for (int under_way = 0; under_way < peer.window; under_way++) send_one(&flows[i]);
        check(nsws_client_uncork(flows[i].client));
    }
    await_all();
}

static void open_one(nsws_client client) {
    char url[64];
    nsws_connect_options options;
    check(nsws_connect_options_init(&options, sizeof options));
    options.ca_path = peer.ca;
    options.proxy_mode = NSWS_PROXY_NONE;
#ifdef NSWS_HAS_COMPRESSION
    options.compression = peer.documents != NULL;
#endif
    if (peer.no_ping) options.ping_interval_ms = 0;
    snprintf(url, sizeof url, "%s://127.0.0.1:%d/", peer.ca != NULL ? "wss" : "ws", peer.port);
    check(nsws_client_connect(client, url, &options));
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    (void)event;
    (void)user_data;
    if (--visits_left > 0) open_one(client);
    else done_one();
}

static void visits(nsws_client client, long count) {
    busy = 1;
    visits_left = count;
    open_one(client);
    await_all();
}

static void get_stuck(nsws_client client, const nsws_message_event *event, void *user_data) {
    (void)client;
    (void)event;
    (void)user_data;
    done_one();
    for (;;) pause();
}

/* Round trips of one client, before the callbacks of others get stuck and while they are. */
static void beside_stuck(struct flow *flow) {
    nsws_client *others = calloc((size_t)peer.stuck, sizeof *others);
    double medians[2];
    for (int i = 0; i < peer.stuck; i++) {
        check(nsws_client_create(&others[i]));
        check(nsws_client_on_open(others[i], on_open, NULL, NULL));
        check(nsws_client_on_message(others[i], get_stuck, NULL, NULL));
        busy = 1;
        open_one(others[i]);
        await_all();
    }
    times = calloc((size_t)peer.count + 1, sizeof *times);
    client_ready();
    for (int stuck = 0; stuck < 2; stuck++) {
        if (stuck) {
            busy = peer.stuck;
            for (int i = 0; i < peer.stuck; i++) check(nsws_client_send_binary(others[i], client_next(), peer.size));
            await_all();
        }
        timed = 0;
        run_phase(flow, peer.count);
        medians[stuck] = client_median(times, peer.count);
    }
    printf("{\"messages\": %ld, \"p50_ns\": %.0f, \"p50_stuck_ns\": %.0f}\n", 2 * peer.count, medians[0], medians[1]);
    fflush(stdout);
    peer_await_end(NULL);
}

static void run_client(void) {
    struct flow *flows = calloc((size_t)peer.connections, sizeof *flows);
    client_make_payload();
    for (int i = 0; i < peer.connections; i++) {
        nsws_client *client = &flows[i].client;
        check(nsws_client_create(client));
        check(nsws_client_on_open(*client, on_open, NULL, NULL));
        check(nsws_client_on_message(*client, on_answer, &flows[i], NULL));
        check(nsws_client_on_error(*client, on_error, NULL, NULL));
        if (peer.connect) {
            check(nsws_client_on_close(*client, on_close, NULL, NULL));
            visits(*client, peer.count / 20 + 5);
            client_ready();
            double start = client_now();
            visits(*client, peer.count);
            client_report(start, NULL, peer.count, peer.count / 20 + 5);
        }
        double start = client_now();
        busy = 1; /* one after another: a server's backlog is bounded */
        open_one(*client);
        await_all();
        if (i == 0) client_opened_in = client_now() - start;
    }
    run_phase(flows, client_warm_up());
    if (peer.stuck > 0) beside_stuck(flows);
    client_ready();
    if (peer.window == 1 && peer.connections == 1) times = calloc((size_t)peer.count + 1, sizeof *times);
    double start = client_now();
    run_phase(flows, client_share(peer.count));
    client_report(start, times, client_share(peer.count) * peer.connections, client_warm_up() * peer.connections);
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
#ifndef NSWS_HAS_COMPRESSION
    if (peer.deflate || peer.documents != NULL) peer_refuse();
#endif
    if (peer.client) run_client();
    else serve();
}
