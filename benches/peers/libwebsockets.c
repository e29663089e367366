/* libwebsockets, as its own examples use it: a queue of messages for each connection, one write for each writeable callback. */
#include "peer.h"

#include <libwebsockets.h>

struct message {
    struct message *next;
    size_t length;
    int flags;
    unsigned char data[];
};

struct link {
    struct message *first, **last;
    /* What is being compressed, from its own memory, until the link is writable again. */
    struct message *busy;
};

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct link *link = user;
    struct message *message;

    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
            link->first = link->busy = NULL;
            link->last = &link->first;
            break;
        case LWS_CALLBACK_RECEIVE:
            message = malloc(sizeof *message + LWS_PRE + length);
            if (message == NULL) return -1;
            message->next = NULL;
            message->length = length;
            message->flags = lws_write_ws_flags(lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
                                                lws_is_first_fragment(wsi), lws_is_final_fragment(wsi));
            memcpy(message->data + LWS_PRE, in, length);
            *link->last = message;
            link->last = &message->next;
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_SERVER_WRITEABLE:
            message = link->first;
            if (message == NULL) break;
            free(link->busy);
            link->busy = message;
            link->first = message->next;
            if (link->first == NULL) link->last = &link->first;
            else lws_callback_on_writable(wsi);
            if (lws_write(wsi, message->data + LWS_PRE, message->length, (enum lws_write_protocol)message->flags) < 0)
                return -1;
            break;
        case LWS_CALLBACK_CLOSED:
            free(link->busy);
            while ((message = link->first) != NULL) {
                link->first = message->next;
                free(message);
            }
            break;
        default:
            break;
    }
    return 0;
}

int main(int argc, char **argv) {
    static const struct lws_protocols protocols[] = {
        { "", on_event, sizeof(struct link), 65536, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    static const struct lws_extension deflate[] = {
        { "permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate" },
        { NULL, NULL, NULL },
    };
    struct lws_context_creation_info info;

    peer_parse(argc, argv);
    if (peer.client || peer.broadcast || peer.lanes || peer.stuck) peer_refuse();
    memset(&info, 0, sizeof info);
    info.port = 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.pt_serv_buf_size = 65536;
    if (peer.deflate) info.extensions = deflate;
    if (peer.cert != NULL) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = peer.cert;
        info.ssl_private_key_filepath = peer.key;
    }
    lws_set_log_level(0, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL) return 1;
    peer_serving(lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
    while (lws_service(context, 0) >= 0) {}
    return 1;
}
