/* An echo server on libwebsockets, as its own examples do it: one queue of messages for each connection, one
 * write for each writable callback. The port is the first line on stdout; it serves until stdin ends.
 */

#include <libwebsockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct message {
    struct message *next;
    size_t length;
    int flags;
    unsigned char data[];
};

struct session {
    struct message *first, **last;
};

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct session *session = user;
    struct message *message;

    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
            session->first = NULL;
            session->last = &session->first;
            break;
        case LWS_CALLBACK_RECEIVE:
            message = malloc(sizeof *message + LWS_PRE + length);
            if (message == NULL) return -1;
            message->next = NULL;
            message->length = length;
            message->flags = lws_write_ws_flags(lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT,
                                                lws_is_first_fragment(wsi), lws_is_final_fragment(wsi));
            memcpy(message->data + LWS_PRE, in, length);
            *session->last = message;
            session->last = &message->next;
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_SERVER_WRITEABLE:
            message = session->first;
            if (message == NULL) break;
            if (lws_write(wsi, message->data + LWS_PRE, message->length, (enum lws_write_protocol)message->flags) < 0)
                return -1;
            session->first = message->next;
            if (session->first == NULL) session->last = &session->first;
            else lws_callback_on_writable(wsi);
            free(message);
            break;
        case LWS_CALLBACK_CLOSED:
            while ((message = session->first) != NULL) {
                session->first = message->next;
                free(message);
            }
            break;
        default:
            break;
    }
    return 0;
}

int main(void) {
    static const struct lws_protocols protocols[] = {
        { "", on_event, sizeof(struct session), 65536, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.port = 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.pt_serv_buf_size = 65536;
    lws_set_log_level(0, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL) return 1;
    printf("%d\n", lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
    fflush(stdout);
    for (;;) {
        struct pollfd input = { STDIN_FILENO, POLLIN, 0 };
        lws_service(context, 0);
        if (poll(&input, 1, 0) > 0) break;
    }
    lws_context_destroy(context);
    return 0;
}
