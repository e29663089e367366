/*
 * libwebsockets with its permessage-deflate. The first line of standard input says what it is:
 *
 *     serve                       an echo server, until standard input ends; it prints its port. It answers what is empty with
 *                                 "empty": behind another message, 4.1 can't compress nothing.
 *     client PORT ROUNDS OFFER    a client that offers this, sends messages of many lengths, several of them under way, and
 *                                 compares what comes back; it prints "same COUNT", or what was wrong. All are worth compressing:
 *                                 with the extension, 4.1 delivers the first byte of a plain message again and again.
 */
#include <libwebsockets.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNDER_WAY = 8, SHORTEST = 100, LONGEST = 1 << 20 };

static const size_t lengths[] = {
    SHORTEST, 125, 126, 127, 1000, 1023, 1024, 5000, 32768, 65535, 65536, 70000, 300000, 999999, LONGEST,
};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* A message to send. */
struct message {
    struct message *next;
    size_t length;
    int flags;
    unsigned char data[];
};

struct link {
    /* What has come of a message. */
    unsigned char *whole;
    size_t size, capacity;
    struct message *first, **last;
    /* What is being compressed, from its own memory, until the link is writable again. */
    struct message *busy;
};

static struct message *new_message(size_t length, int flags) {
    struct message *message = malloc(sizeof *message + LWS_PRE + length + 1);
    message->next = NULL;
    message->length = length;
    message->flags = flags;
    return message;
}

/* Adds a piece of a message; whether it is whole. */
static int receive(struct lws *wsi, struct link *link, const void *data, size_t length) {
    if (link->size + length >= link->capacity) {
        link->capacity = 2 * (link->size + length + 1);
        link->whole = realloc(link->whole, link->capacity);
    }
    memcpy(link->whole + link->size, data, length);
    link->size += length;
    return lws_is_final_fragment(wsi);
}

static int send_message(struct lws *wsi, struct link *link, struct message *message) {
    free(link->busy);
    link->busy = message;
    return lws_write(wsi, message->data + LWS_PRE, message->length, (enum lws_write_protocol)message->flags) < 0 ? -1 : 0;
}

/* With smaller buffers, it breaks where the four bytes that a message lacks are at their edge. Powers of two. */
static void has_opened(struct lws *wsi) {
    lws_set_extension_option(wsi, "permessage-deflate", "tx_buf_size", "21");
    lws_set_extension_option(wsi, "permessage-deflate", "rx_buf_size", "21");
}

/* The server. */

static int serve_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct link *link = user;
    struct message *message;
    switch (reason) {
        case LWS_CALLBACK_ESTABLISHED:
            memset(link, 0, sizeof *link);
            link->last = &link->first;
            has_opened(wsi);
            break;
        case LWS_CALLBACK_RECEIVE:
            if (!receive(wsi, link, in, length)) break;
            if (link->size == 0) receive(wsi, link, "empty", 5);
            message = new_message(link->size, lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
            memcpy(message->data + LWS_PRE, link->whole, link->size);
            link->size = 0;
            *link->last = message;
            link->last = &message->next;
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_SERVER_WRITEABLE:
            message = link->first;
            if (message == NULL) break;
            link->first = message->next;
            if (link->first == NULL) link->last = &link->first;
            else lws_callback_on_writable(wsi);
            return send_message(wsi, link, message);
        case LWS_CALLBACK_CLOSED:
            free(link->whole);
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

/* The client. */

static struct link own;
static long all, sent, received;
static char result[200] = "it does not connect";
static int is_over;

static size_t length_of(long number) {
    return lengths[number % LENGTHS];
}

/* Letters, and noise that repeats itself. */
static unsigned char byte_of(long number, size_t at) {
    if (number % 3 == 0) return (unsigned char)('a' + (at + (size_t)number) % 26);
    uint32_t x = ((uint32_t)at % 40 + (uint32_t)number % 100) * 0x9e3779b1u;
    return (unsigned char)(x >> 24);
}

static int ends(const char *format, long a, long b, struct lws *wsi) {
    snprintf(result, sizeof result, format, a, b);
    is_over = 1;
    if (wsi) lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
    return -1;
}

static int client_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
    struct message *message;
    (void)user;
    switch (reason) {
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
            has_opened(wsi);
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_CLIENT_WRITEABLE:
            if (sent == all || sent - received >= UNDER_WAY) break;
            message = new_message(length_of(sent), sent % 3 == 0 ? LWS_WRITE_TEXT : LWS_WRITE_BINARY);
            for (size_t i = 0; i < message->length; i++) message->data[LWS_PRE + i] = byte_of(sent, i);
            sent++;
            lws_callback_on_writable(wsi);
            return send_message(wsi, &own, message);
        case LWS_CALLBACK_CLIENT_RECEIVE:
            if (!receive(wsi, &own, in, length)) break;
            if (own.size != length_of(received) || lws_frame_is_binary(wsi) != (received % 3 != 0))
                return ends("number %ld comes back with %ld bytes, or with another type", received, (long)own.size, wsi);
            for (size_t i = 0; i < own.size; i++)
                if (own.whole[i] != byte_of(received, i)) return ends("byte %ld of number %ld differs", (long)i, received, wsi);
            own.size = 0;
            if (++received == all) return ends("same %ld", received, 0, wsi);
            lws_callback_on_writable(wsi);
            break;
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
            snprintf(result, sizeof result, "no connection: %s", in ? (const char *)in : "?");
            is_over = 1;
            break;
        case LWS_CALLBACK_CLIENT_CLOSED:
            if (!is_over) ends("it is closed after %ld of %ld", received, all, NULL);
            is_over = 2;
            break;
        default:
            break;
    }
    return 0;
}

static void *await_end(void *unused) {
    char byte;
    (void)unused;
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
}

int main(void) {
    static const struct lws_protocols protocols[2][2] = {
        { { "", serve_event, sizeof(struct link), 1 << 22, 0, NULL, 0 }, { NULL, NULL, 0, 0, 0, NULL, 0 } },
        { { "", client_event, 0, 1 << 22, 0, NULL, 0 }, { NULL, NULL, 0, 0, 0, NULL, 0 } },
    };
    static struct lws_extension deflate[] = {
        { "permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate" },
        { NULL, NULL, NULL },
    };
    struct lws_context_creation_info info;
    char line[512], offer[400] = "";
    int port = 0, rounds = 0;
    pthread_t ender;
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
    int is_client = sscanf(line, "client %d %d %399[^\n]", &port, &rounds, offer) == 3;
    if (is_client) deflate[0].client_offer = offer;
    pthread_create(&ender, NULL, await_end, NULL);

    memset(&info, 0, sizeof info);
    info.port = is_client ? CONTEXT_PORT_NO_LISTEN : 0;
    info.iface = is_client ? NULL : "127.0.0.1";
    info.protocols = protocols[is_client];
    info.extensions = deflate;
    info.pt_serv_buf_size = 65536;
    lws_set_log_level(0, NULL);
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL) return 1;
    if (is_client) {
        struct lws_client_connect_info to;
        memset(&to, 0, sizeof to);
        all = (long)rounds * LENGTHS;
        to.context = context;
        to.address = to.host = to.origin = "127.0.0.1";
        to.port = port;
        to.path = "/";
        if (lws_client_connect_via_info(&to) == NULL) is_over = 1;
    } else {
        printf("%d\n", lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
        fflush(stdout);
    }
    /* A client whose result is there waits until it is closed. */
    while (is_over < 2 && !(is_over && sent == 0) && lws_service(context, 0) >= 0) {
    }
    puts(result);
    fflush(stdout);
    pthread_join(ender, NULL);
    return 1;
}
