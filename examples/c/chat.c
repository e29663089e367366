/* A chat or echo client: sends each line of standard input, prints every event.
 *
 *     chat wss://example.com/chat -H 'Authorization: Bearer abc'
 */

#define _POSIX_C_SOURCE 200809L

#include <netstack_websocket.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HEADERS = 64 };

static const char usage[] =
    "usage: chat URL [options]\n"
    "  -H 'Name: value'       add a request header (up to 64)\n"
    "  --protocol LIST        offer sub-protocols, separated by commas\n"
    "  --ca FILE              trust the CAs of this PEM file instead of the system's\n"
    "  --cert FILE            show this PEM certificate to a server that asks for one\n"
    "  --key FILE             its PEM key, if it is not in the same file; CHAT_KEY_PASSWORD opens it\n"
    "  --pin sha256//BASE64   the public key that the server must have; several are separated by ;\n"
    "  --insecure             accept any server certificate\n"
    "  --tls13                refuse TLS 1.2\n"
    "  --ping-interval MS     send a ping this often; 0: never\n"
    "  --connect-timeout MS   give up connecting after this time\n"
    "  --binary               send lines as binary messages\n"
    "  --stats                print the connection's figures at the end\n"
    "  --log                  print the library's log\n"
    "Sends each line of standard input; closes at its end.\n"
    "Exits with 0 after a clean close, 1 after a failure, 2 for a mistake in the arguments.\n";

/* The callbacks run on threads of the library. They tell the main thread what happened with one byte. */
enum news { OPENED = 'o', DRAINED = 'd', CLOSED_CLEANLY = 'c', BROKEN = 'b', FAILED = 'f' };

static int news_pipe[2];

static void tell(enum news news) {
    char byte = (char)news;
    if (write(news_pipe[1], &byte, 1) != 1) {
        abort();
    }
}

static int opened; /* used in callbacks only, which run one at a time */

static void on_header_receive(nsws_client client, const nsws_header_receive_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("header_receive: status %" PRId32 "\n", event->status);
    for (size_t i = 0; i < event->header_count; i++) {
        printf("  %s: %s\n", event->headers[i].name, event->headers[i].value);
    }
}

static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("open: status %" PRId32 " \"%s\", protocol \"%s\"\n", event->status, event->message, event->protocol);
    opened = 1;
    tell(OPENED);
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("message: %s, %zu bytes", event->is_text ? "text" : "binary", event->length);
    if (event->is_text) {
        printf(": ");
        fwrite(event->data, 1, event->length, stdout);
    } else {
        for (size_t i = 0; i < event->length && i < 32; i++) {
            printf("%s%02x", i == 0 ? ": " : " ", event->data[i]);
        }
        printf("%s", event->length > 32 ? " ..." : "");
    }
    printf("\n");
}

static void on_data_end(nsws_client client, const nsws_data_end_event *event, void *user_data) {
    (void)client, (void)event, (void)user_data;
    printf("data_end\n");
}

static void on_drain(nsws_client client, const nsws_drain_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("drain: %zu bytes wait\n", event->queued_bytes);
    tell(DRAINED);
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("error: %s\n", event->message);
    printf("  code %" PRId32 " %s, phase %s", event->code, nsws_error_name(event->code),
           nsws_phase_name(event->phase));
    if (event->detail != 0) {
        printf(", detail %" PRId32 " %s", event->detail, nsws_error_name(event->detail));
    }
    if (event->os_error != 0) {
        printf(", os_error %" PRId32, event->os_error);
    }
    if (event->http_status != 0) {
        printf(", http_status %" PRId32, event->http_status);
    }
    printf("\n");
    if (!opened) {
        tell(FAILED); /* after open, a close event follows */
    }
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    (void)client, (void)user_data;
    printf("close: code %" PRIu16 " \"%s\", %s\n", event->code, event->reason, event->was_clean ? "clean" : "not clean");
    tell(event->was_clean ? CLOSED_CLEANLY : BROKEN);
}

static void on_log(int32_t level, const char *message, void *user_data) {
    (void)user_data;
    fprintf(stderr, "log %" PRId32 ": %s\n", level, message);
}

static void complain(const char *what) {
    fprintf(stderr, "chat: %s: %s\n", what, nsws_last_error());
}

static enum news next_news(void) {
    char byte;
    return read(news_pipe[0], &byte, 1) == 1 ? (enum news)byte : FAILED;
}

/* Waits until there is input or news. Input counts only while it is wanted. */
static int input_is_ready(int wanted) {
    struct pollfd fds[2] = {{news_pipe[0], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(fds, wanted ? 2 : 1, -1) < 0) {
    }
    return fds[0].revents == 0;
}

static int send_line(nsws_client client, const char *line, size_t length, int binary) {
    for (;;) {
        int32_t code = binary ? nsws_client_send_binary(client, line, length)
                              : nsws_client_send_text(client, line, length);
        if (code == NSWS_OK) {
            return 1;
        }
        if (code != NSWS_ERR_QUEUE_FULL) {
            complain("not sent");
            return code == NSWS_ERR_PARAMETER; /* the next line may be valid */
        }
        enum news news = next_news();
        if (news != DRAINED) {
            tell(news); /* read again by the loop that waits for the end */
            return 0;
        }
    }
}

/* Sends line by line until input or connection end; returns the exit status. */
static int converse(nsws_client client, int binary) {
    char *text = NULL;
    size_t length = 0, room = 0;
    int is_open = 0, at_end = 0, lost = 0;
    int status = -1;

    while (status < 0) {
        if (!input_is_ready(is_open && !at_end && !lost)) {
            switch (next_news()) {
            case OPENED:
                is_open = 1;
                break;
            case DRAINED:
                break;
            case CLOSED_CLEANLY:
                status = 0;
                break;
            default:
                status = 1;
            }
            continue;
        }
        if (room - length < 4096) {
            room = room * 2 + 8192;
            char *larger = realloc(text, room);
            if (larger == NULL) {
                abort();
            }
            text = larger;
        }
        ssize_t got = read(STDIN_FILENO, text + length, room - length);
        at_end = got <= 0;
        length += at_end ? 0 : (size_t)got;

        char *start = text, *newline;
        while (!lost && (newline = memchr(start, '\n', length - (size_t)(start - text))) != NULL) {
            lost = !send_line(client, start, (size_t)(newline - start), binary);
            start = newline + 1;
        }
        length -= (size_t)(start - text);
        memmove(text, start, length);
        if (at_end) {
            if (!lost && length > 0) { /* a last line without its newline */
                send_line(client, text, length, binary);
            }
            nsws_client_close(client, 1000, "");
        }
    }
    free(text);
    return status;
}

static void print_stats(nsws_client client) {
    nsws_client_stats stats;
    if (nsws_client_get_stats(client, &stats, sizeof stats) != NSWS_OK) {
        complain("no stats");
        return;
    }
    printf("stats: sent %" PRIu64 " messages, %" PRIu64 " bytes; received %" PRIu64 " messages, %" PRIu64 " bytes\n",
           stats.messages_sent, stats.bytes_sent, stats.messages_received, stats.bytes_received);
    printf("  dns %" PRIu64 " us, tcp %" PRIu64 " us, tls %" PRIu64 " us%s, handshake %" PRIu64 " us, rtt ",
           stats.dns_us, stats.tcp_us, stats.tls_us, stats.tls_resumed ? " (resumed)" : "", stats.handshake_us);
    if (stats.rtt_us != 0) {
        printf("%" PRIu64 " us\n", stats.rtt_us);
    } else {
        puts("unknown (no ping yet)");
    }
}

/* The number of milliseconds in `text`, or an exit with usage. */
static uint32_t milliseconds(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > UINT32_MAX) {
        fprintf(stderr, "chat: \"%s\" is no number of milliseconds\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv) {
    nsws_connect_options options;
    nsws_header headers[MAX_HEADERS];
    const char *url = NULL;
    int binary = 0, stats = 0;

    nsws_connect_options_init(&options, sizeof options);
    options.headers = headers;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (strcmp(name, "--insecure") == 0) {
            options.skip_server_cert_verification = 1;
        } else if (strcmp(name, "--tls13") == 0) {
            options.min_tls_version = NSWS_TLS_1_3;
        } else if (strcmp(name, "--binary") == 0) {
            binary = 1;
        } else if (strcmp(name, "--stats") == 0) {
            stats = 1;
        } else if (strcmp(name, "--log") == 0) {
            nsws_set_log_callback(NSWS_LOG_DEBUG, on_log, NULL, NULL);
        } else if (name[0] != '-' && url == NULL) {
            url = name;
        } else {
            char *value = i + 1 < argc ? argv[++i] : NULL;
            char *colon = value != NULL ? strchr(value, ':') : NULL;
            if (value != NULL && strcmp(name, "--protocol") == 0) {
                options.protocol = value;
            } else if (value != NULL && strcmp(name, "--ca") == 0) {
                options.ca_path = value;
            } else if (value != NULL && strcmp(name, "--cert") == 0) {
                options.client_cert_path = value;
                options.client_key_password = getenv("CHAT_KEY_PASSWORD");
            } else if (value != NULL && strcmp(name, "--key") == 0) {
                options.client_key_path = value;
            } else if (value != NULL && strcmp(name, "--pin") == 0) {
                options.pinned_public_keys = value;
            } else if (value != NULL && strcmp(name, "--ping-interval") == 0) {
                options.ping_interval_ms = milliseconds(value);
            } else if (value != NULL && strcmp(name, "--connect-timeout") == 0) {
                options.connect_timeout_ms = milliseconds(value);
            } else if (colon != NULL && strcmp(name, "-H") == 0 && options.header_count < MAX_HEADERS) {
                *colon = '\0';
                headers[options.header_count].name = value;
                headers[options.header_count++].value = colon + 1 + strspn(colon + 1, " \t");
            } else {
                fputs(usage, stderr);
                return 2;
            }
        }
    }
    if (url == NULL) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe(news_pipe) != 0) {
        perror("chat: pipe");
        return 1;
    }

    nsws_client client;
    if (nsws_client_create(&client) != NSWS_OK) {
        complain("no client");
        return 1;
    }
    nsws_client_on_header_receive(client, on_header_receive, NULL, NULL);
    nsws_client_on_open(client, on_open, NULL, NULL);
    nsws_client_on_message(client, on_message, NULL, NULL);
    nsws_client_on_data_end(client, on_data_end, NULL, NULL);
    nsws_client_on_drain(client, on_drain, NULL, NULL);
    nsws_client_on_error(client, on_error, NULL, NULL);
    nsws_client_on_close(client, on_close, NULL, NULL);

    int status;
    if (nsws_client_connect(client, url, &options) == NSWS_OK) {
        status = converse(client, binary);
    } else {
        complain(url);
        status = 2;
    }
    if (stats) {
        print_stats(client);
    }
    nsws_client_destroy(client);
    nsws_shutdown(5000);
    return status;
}
