/* libwebsockets, as its own examples use it: a queue of messages for each connection, one write for each writeable callback. */
#include "client.h"

#include <libwebsockets.h>

struct message {
    size_t length;
    int flags, owners;
    unsigned char data[];
};

/* A server's connection. */
struct link {
    struct link *next; /* of all, for broadcasts */
    struct message **queue; /* a ring */
    unsigned first, count, room;
    /* What is being compressed, from its own memory, until the link is writable again. */
    struct message *busy;
    struct lws *wsi;
};

static struct link *everyone;

static void release(struct message *message) {
    if (message != NULL && --message->owners == 0) free(message);
}

static void push(struct link *link, struct message *message) {
    if (link->count == link->room) {
        unsigned room = link->room == 0 ? 16 : 2 * link->room;
        struct message **queue = malloc(room * sizeof *queue);
        for (unsigned i = 0; i < link->count; i++) queue[i] = link->queue[(link->first + i) % link->room];
        free(link->queue);
        link->queue = queue;
        link->room = room;
        link->first = 0;
    }
    link->queue[(link->first + link->count++) % link->room] = message;
    message->owners++;
    lws_callback_on_writable(link->wsi);
}

static struct message *pop(struct link *link) {
    struct message *message = link->queue[link->first];
    link->first = (link->first + 1) % link->room;
    link->count--;
    return message;
}

/* As all have it: level 6. A document isn't cut into pieces of a kilobyte, which is the default. */
static void set_up_deflate(struct lws *wsi) {
    lws_set_extension_option(wsi, "permessage-deflate", "compression_level", "6");
    lws_set_extension_option(wsi, "permessage-deflate", "rx_buf_size", "13"); /* 2^13 bytes */
    lws_set_extension_option(wsi, "permessage-deflate", "tx_buf_size", "13");
}

static int serve_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct link *link = user;
    struct message *message;

    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
            memset(link, 0, sizeof *link);
            link->wsi = wsi;
            link->next = everyone;
            everyone = link;
            if (peer.deflate) set_up_deflate(wsi);
            break;
        case LWS_CALLBACK_RECEIVE:
            message = malloc(sizeof *message + LWS_PRE + length);
            if (message == NULL) return -1;
            message->length = length;
            message->owners = 0;
            message->flags = lws_write_ws_flags(lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
                                                lws_is_first_fragment(wsi), lws_is_final_fragment(wsi));
            memcpy(message->data + LWS_PRE, in, length);
            if (!peer.broadcast) push(link, message);
            else
                for (link = everyone; link != NULL; link = link->next) push(link, message);
            break;
        case LWS_CALLBACK_SERVER_WRITEABLE:
            if (link->count == 0) break;
            release(link->busy);
            message = link->busy = pop(link);
            if (link->count > 0) lws_callback_on_writable(wsi);
            if (lws_write(wsi, message->data + LWS_PRE, message->length, (enum lws_write_protocol)message->flags) < 0)
                return -1;
            break;
        case LWS_CALLBACK_CLOSED:
            for (struct link **at = &everyone; *at != NULL; at = &(*at)->next) {
                if (*at != link) continue;
                *at = link->next;
                break;
            }
            release(link->busy);
            while (link->count > 0) release(pop(link));
            free(link->queue);
            break;
        default:
            break;
    }
    return 0;
}

/* A client's connection: each answer sends the next message. */
struct flow {
    struct lws *wsi;
    long to_send, to_receive;
    size_t received; /* of the answer that is not complete yet */
    int allowed;     /* messages that may be sent: those that they wait for have come back */
    int closing;
};

static int busy; /* what is awaited: connections that aren't open, whose phase isn't over, or that aren't closed */
static double *times, sent_at;
static long timed;

static int client_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    static unsigned char *buffer;
    struct flow *flow = user;

    switch (reason) {
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
            fprintf(stderr, "%s\n", in != NULL ? (const char *)in : "no connection");
            exit(1);
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
            if (peer.documents != NULL) set_up_deflate(wsi);
            busy--;
            break;
        case LWS_CALLBACK_CLIENT_RECEIVE:
            flow->received += length;
            if (!lws_is_final_fragment(wsi)) break;
            if (flow->received != peer.size) exit(1);
            flow->received = 0;
            if (times != NULL) times[timed++] = client_now() - sent_at;
            if (--flow->to_receive == 0) busy--;
            if (flow->to_send == 0) break;
            flow->allowed++;
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_CLIENT_WRITEABLE:
            if (flow->closing) {
                lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
                return -1;
            }
            if (flow->allowed == 0 || flow->to_send == 0) break;
            /* It is masked where it lies, so each time it has to be copied there. */
            if (buffer == NULL) buffer = malloc(LWS_PRE + peer.size);
            if (times != NULL) sent_at = client_now();
            memcpy(buffer + LWS_PRE, client_next(), peer.size);
            flow->to_send--;
            flow->allowed--;
            if (lws_write(wsi, buffer + LWS_PRE, peer.size, peer.documents != NULL ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < 0)
                return -1;
            if (flow->allowed > 0) lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_CLIENT_CLOSED:
            if (!flow->closing) exit(1);
            busy--;
            break;
        default:
            break;
    }
    return 0;
}

static const struct lws_extension deflate[] = {
    { "permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_max_window_bits" },
    { NULL, NULL, NULL },
};

static struct lws_context *context_with(struct lws_context_creation_info *info, lws_callback_function *callback, size_t user_size) {
    static struct lws_protocols protocols[] = {
        { "", NULL, 0, 65536, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    protocols[0].callback = callback;
    protocols[0].per_session_data_size = user_size;
    info->protocols = protocols;
    info->pt_serv_buf_size = 65536;
    if (peer.deflate || peer.documents != NULL) info->extensions = deflate;
    lws_set_log_level(0, NULL);
    struct lws_context *context = lws_create_context(info);
    if (context == NULL) exit(1);
    return context;
}

static void serve(void) {
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.iface = "127.0.0.1";
    if (peer.cert != NULL) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = peer.cert;
        info.ssl_private_key_filepath = peer.key;
    }
    struct lws_context *context = context_with(&info, serve_event, sizeof(struct link));
    peer_serving(lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
    while (lws_service(context, 0) >= 0) {}
    exit(1);
}

static void await_all(struct lws_context *context) {
    while (busy > 0)
        if (lws_service(context, 0) < 0) exit(1);
}

static void open_one(struct lws_context *context, struct flow *flow) {
    struct lws_client_connect_info info;
    memset(&info, 0, sizeof info);
    memset(flow, 0, sizeof *flow);
    info.context = context;
    info.address = "127.0.0.1";
    info.host = info.origin = "localhost";
    info.port = peer.port;
    info.path = "/";
    info.ssl_connection = peer.ca != NULL ? LCCSCF_USE_SSL : 0;
    info.userdata = flow;
    info.pwsi = &flow->wsi;
    busy++;
    if (lws_client_connect_via_info(&info) == NULL) exit(1);
    await_all(context);
}

static void visits(struct lws_context *context, long count) {
    for (long i = 0; i < count; i++) {
        struct flow flow;
        open_one(context, &flow);
        flow.closing = 1;
        lws_callback_on_writable(flow.wsi);
        busy++;
        await_all(context);
    }
}

static void run_phase(struct lws_context *context, struct flow *flows, long share) {
    busy = peer.connections;
    for (int i = 0; i < peer.connections; i++) {
        flows[i].to_send = flows[i].to_receive = share;
        flows[i].allowed = peer.window;
        lws_callback_on_writable(flows[i].wsi);
    }
    await_all(context);
}

static void run_client(void) {
    struct lws_context_creation_info info;
    struct flow *flows = calloc((size_t)peer.connections, sizeof *flows);
    client_make_payload();
    memset(&info, 0, sizeof info);
    double start = client_now();
    info.port = CONTEXT_PORT_NO_LISTEN;
    if (peer.ca != NULL) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.client_ssl_ca_filepath = peer.ca;
    }
    struct lws_context *context = context_with(&info, client_event, 0);
    if (peer.connect) {
        visits(context, peer.count / 20 + 5);
        client_ready();
        start = client_now();
        visits(context, peer.count);
        client_report(start, NULL, peer.count, peer.count / 20 + 5);
    }
    for (int i = 0; i < peer.connections; i++) {
        open_one(context, &flows[i]);
        if (i == 0) client_opened_in = client_now() - start;
    }
    run_phase(context, flows, client_warm_up());
    client_ready();
    if (peer.window == 1 && peer.connections == 1) times = calloc((size_t)peer.count + 1, sizeof *times);
    start = client_now();
    run_phase(context, flows, client_share(peer.count));
    client_report(start, times, client_share(peer.count) * peer.connections, client_warm_up() * peer.connections);
}

int main(int argc, char **argv) {
    peer_parse(argc, argv);
    if (peer.thread || peer.lanes || peer.stuck) peer_refuse();
    if (peer.client) run_client();
    else serve();
}
