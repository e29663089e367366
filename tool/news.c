#include "news.h"

#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So many bytes of messages may wait for the main thread; then the callbacks wait, and with them
 * the peers. */
enum { MOST_WAITING = 8 * 1024 * 1024 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER;
static struct news *oldest, **end = &oldest;
static size_t waiting; /* bytes */
static bool stopped;
static int wake_pipe[2];
static volatile sig_atomic_t interrupted;

static void wake(void) {
    int saved = errno;
    ssize_t ignored = write(wake_pipe[1], "", 1); /* a full pipe wakes as well */
    (void)ignored;
    errno = saved;
}

static void on_signal(int number) {
    if (++interrupted > 1) {
        input_restore_terminal();
        _exit(128 + number);
    }
    wake();
}

int interrupts(void) {
    return interrupted;
}

bool news_start(void) {
    struct sigaction action;
    if (pipe(wake_pipe) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(wake_pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(wake_pipe[i], F_SETFD, FD_CLOEXEC);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return true;
}

void news_stop(void) {
    pthread_mutex_lock(&mutex);
    stopped = true;
    pthread_cond_broadcast(&has_room);
    pthread_mutex_unlock(&mutex);
    struct news *news;
    while ((news = news_take()) != NULL) {
        free(news);
    }
}

bool news_wait(int fd, int timeout_ms) {
    struct pollfd fds[2] = {{wake_pipe[0], POLLIN, 0}, {fd, POLLIN, 0}};
    char bytes[256];
    pthread_mutex_lock(&mutex);
    bool ready = oldest != NULL;
    pthread_mutex_unlock(&mutex);
    poll(fds, fd >= 0 ? 2 : 1, ready ? 0 : timeout_ms);
    while (read(wake_pipe[0], bytes, sizeof bytes) > 0) {
    }
    return fd >= 0 && fds[1].revents != 0;
}

struct news *news_take(void) {
    pthread_mutex_lock(&mutex);
    struct news *news = oldest;
    if (news != NULL) {
        oldest = news->next;
        if (oldest == NULL) {
            end = &oldest;
        }
        waiting -= sizeof *news + news->length;
        pthread_cond_broadcast(&has_room);
    }
    pthread_mutex_unlock(&mutex);
    return news;
}

static void push(struct news *news, bool patient) {
    pthread_mutex_lock(&mutex);
    while (patient && waiting > MOST_WAITING && !stopped) {
        pthread_cond_wait(&has_room, &mutex);
    }
    bool dropped = stopped;
    if (!dropped) {
        *end = news;
        end = &news->next;
        waiting += sizeof *news + news->length;
    }
    pthread_mutex_unlock(&mutex);
    if (dropped) {
        free(news);
    } else {
        wake();
    }
}

void news_push(struct news *news) {
    push(news, true);
}

struct news *news_new(enum news_kind kind, size_t room) {
    struct news *news = calloc(1, sizeof *news + room);
    if (news == NULL) {
        abort();
    }
    news->kind = kind;
    news->text = news->protocol = news->extensions = news->path = "";
    return news;
}

/* Copies a string to where *at is, and moves it behind. */
static const char *keep(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t size_of_headers(const nsws_header *headers, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += strlen(headers[i].name) + strlen(headers[i].value) + 2;
    }
    return size;
}

static void keep_headers(struct news *news, char **at, const nsws_header *headers, size_t count) {
    news->headers = *at;
    news->header_count = count;
    for (size_t i = 0; i < count; i++) {
        keep(at, headers[i].name);
        keep(at, headers[i].value);
    }
}

static void on_header_receive(nsws_client client, const nsws_header_receive_event *event,
                              void *user_data) {
    struct news *news = news_new(NEWS_HEADER, size_of_headers(event->headers, event->header_count));
    char *at = (char *)news->data;
    (void)user_data;
    news->client = client;
    news->code = event->status;
    keep_headers(news, &at, event->headers, event->header_count);
    news_push(news);
}

static void on_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    struct news *news =
        news_new(NEWS_OPEN, strlen(event->protocol) + strlen(event->extensions) + 2);
    char *at = (char *)news->data;
    (void)user_data;
    news->client = client;
    news->code = event->status;
    news->protocol = keep(&at, event->protocol);
    news->extensions = keep(&at, event->extensions);
    nsws_client_get_stats(client, &news->stats, sizeof news->stats);
    news_push(news);
}

static void push_payload(nsws_client client, nsws_connection connection, const uint8_t *data,
                         size_t length, bool is_text, bool is_first, bool is_last) {
    struct news *news = news_new(NEWS_MESSAGE, length);
    news->client = client;
    news->connection = connection;
    news->is_text = is_text;
    news->is_first = is_first;
    news->is_last = is_last;
    news->length = length;
    memcpy(news->data, data, length);
    news_push(news);
}

static const nsws_client no_client;
static const nsws_connection no_connection;

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    (void)user_data;
    push_payload(client, no_connection, event->data, event->length, event->is_text, true, true);
}

static void on_part(nsws_client client, const nsws_message_part_event *event, void *user_data) {
    (void)user_data;
    push_payload(client, no_connection, event->data, event->length, event->is_text, event->is_first,
                 event->is_last);
}

static struct news *close_news(const nsws_close_event *event) {
    struct news *news = news_new(NEWS_CLOSE, strlen(event->reason) + 1);
    char *at = (char *)news->data;
    news->code = event->code;
    news->was_clean = event->was_clean;
    news->text = keep(&at, event->reason);
    return news;
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user_data) {
    struct news *news = close_news(event);
    (void)user_data;
    news->client = client;
    nsws_client_get_state(client, &news->state);
    news_push(news);
}

static struct news *error_news(const nsws_error_event *event) {
    struct news *news = news_new(NEWS_ERROR, strlen(event->message) + 1);
    char *at = (char *)news->data;
    news->code = event->code;
    news->detail = event->detail;
    news->phase = event->phase;
    news->os_error = event->os_error;
    news->http_status = event->http_status;
    news->text = keep(&at, event->message);
    return news;
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    struct news *news = error_news(event);
    (void)user_data;
    news->client = client;
    nsws_client_get_state(client, &news->state);
    news_push(news);
}

static void on_drain(nsws_client client, const nsws_drain_event *event, void *user_data) {
    struct news *news = news_new(NEWS_DRAIN, 0);
    (void)event, (void)user_data;
    news->client = client;
    news_push(news);
}

static void on_reconnecting(nsws_client client, const nsws_reconnecting_event *event,
                            void *user_data) {
    struct news *news = news_new(NEWS_RECONNECTING, 0);
    (void)user_data;
    news->client = client;
    news->attempt = event->attempt;
    news->delay_ms = event->delay_ms;
    news_push(news);
}

bool news_listen_to_client(nsws_client client) {
    return nsws_client_on_header_receive(client, on_header_receive, NULL, NULL) == NSWS_OK &&
           nsws_client_on_open(client, on_open, NULL, NULL) == NSWS_OK &&
           nsws_client_on_message(client, on_message, NULL, NULL) == NSWS_OK &&
           nsws_client_on_message_part(client, on_part, NULL, NULL) == NSWS_OK &&
           nsws_client_on_close(client, on_close, NULL, NULL) == NSWS_OK &&
           nsws_client_on_error(client, on_error, NULL, NULL) == NSWS_OK &&
           nsws_client_on_drain(client, on_drain, NULL, NULL) == NSWS_OK &&
           nsws_client_on_reconnecting(client, on_reconnecting, NULL, NULL) == NSWS_OK;
}

static void on_server_connect(nsws_server server, nsws_connection connection,
                              const nsws_connect_event *event, void *user_data) {
    size_t size = size_of_headers(event->headers, event->header_count);
    size += strlen(event->client_ip) + strlen(event->path) + strlen(event->protocol) +
            strlen(event->extensions) + 4;
    struct news *news = news_new(NEWS_CONNECT, size);
    char *at = (char *)news->data;
    (void)server, (void)user_data;
    news->connection = connection;
    news->port = event->client_port;
    news->text = keep(&at, event->client_ip);
    news->path = keep(&at, event->path);
    news->protocol = keep(&at, event->protocol);
    news->extensions = keep(&at, event->extensions);
    keep_headers(news, &at, event->headers, event->header_count);
    news_push(news);
}

static void on_server_message(nsws_server server, nsws_connection connection,
                              const nsws_message_event *event, void *user_data) {
    (void)server, (void)user_data;
    push_payload(no_client, connection, event->data, event->length, event->is_text, true, true);
}

static void on_server_part(nsws_server server, nsws_connection connection,
                           const nsws_message_part_event *event, void *user_data) {
    (void)server, (void)user_data;
    push_payload(no_client, connection, event->data, event->length, event->is_text, event->is_first,
                 event->is_last);
}

static void on_server_close(nsws_server server, nsws_connection connection,
                            const nsws_close_event *event, void *user_data) {
    struct news *news = close_news(event);
    (void)server, (void)user_data;
    news->connection = connection;
    news_push(news);
}

static void on_server_error(nsws_server server, nsws_connection connection,
                            const nsws_error_event *event, void *user_data) {
    struct news *news = error_news(event);
    (void)server, (void)user_data;
    news->connection = connection;
    news_push(news);
}

bool news_listen_to_server(nsws_server server) {
    return nsws_server_on_connect(server, on_server_connect, NULL, NULL) == NSWS_OK &&
           nsws_server_on_close(server, on_server_close, NULL, NULL) == NSWS_OK &&
           nsws_server_on_error(server, on_server_error, NULL, NULL) == NSWS_OK;
}

bool news_listen_to_messages(nsws_server server) {
    return nsws_server_on_message(server, on_server_message, NULL, NULL) == NSWS_OK &&
           nsws_server_on_message_part(server, on_server_part, NULL, NULL) == NSWS_OK;
}

/* A log line must not wait for the main thread, which may be inside a call that logs. */
static void on_log(int32_t level, const char *message, void *user_data) {
    struct news *news = news_new(NEWS_LOG, strlen(message) + 1);
    char *at = (char *)news->data;
    (void)user_data;
    news->code = level;
    news->text = keep(&at, message);
    push(news, false);
}

void news_listen_to_log(void) {
    nsws_set_log_callback(NSWS_LOG_DEBUG, on_log, NULL, NULL);
}
