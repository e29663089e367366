/* The server's defects S1 to S9 of the implementation that this library replaces; none of them may come back. */
#include "server.h"

/* S1: after the first disconnect of any client, or a port scan, send, close, stop and list failed for all clients, forever. */

static void s1_one_disconnect_disturbs_nobody(void) {
    struct server *s = new_server();
    s->echo = 1;
    if (!START(s, NULL)) return;
    struct recorder *r = OPEN_CLIENT(s, "/");
    const struct server_event *connect = SERVER_WAIT(s, ON_CONNECT, 1);
    if (!r || !connect) return;
    size_t gone = 0;
    for (int i = 0; i < 50; i++) {
        int scan = raw_connect(s); /* a port scan: connects and leaves without a byte */
        close(scan);
        int fd = RAW_OPEN(s);
        i % 2 ? raw_reset(fd) : (void)close(fd);
        if (!SERVER_WAIT(s, ON_CLOSE, ++gone)) return;
        CHECK_OK(nsws_client_send_text(r->client, "ping", 4));
        CHECK_OK(nsws_connection_send_text(connect->connection, "hello", 5));
        if (!WAIT(r, MESSAGE, gone * 2)) return;
        BECOMES(listed(s), 1);
    }
    CHECK_OK(nsws_connection_close(connect->connection, 1000, "bye"));
    const struct event *close = WAIT(r, CLOSE, 1);
    if (close) CHECK(close->code == 1000 && close->was_clean);
    SERVER_WAIT(s, ON_CLOSE, ++gone);
    CHECK_OK(nsws_server_stop(s->handle));
}

/* S2: one empty close frame from any client shut the server to new clients. */

static void s2_an_empty_close_frame_ends_its_connection_only(void) {
    struct server *s = started_server(NULL);
    struct recorder *r = OPEN_CLIENT(s, "/");
    if (!r) return;
    for (size_t i = 1; i <= 20; i++) {
        int fd = RAW_OPEN(s);
        raw_send(fd, CLOSE_FRAME, NULL, 0);
        CHECK_INT(raw_close_code(fd), 1005);
        const struct server_event *end = SERVER_WAIT(s, ON_CLOSE, i);
        if (end) CHECK(end->code == 1005 && end->length == 0 && end->was_clean);
        close(fd);
    }
    CHECK_INT(count_events(r, CLOSE), 0);
    CHECK_OK(nsws_client_send_text(r->client, "still here", 10));
    SERVER_WAIT(s, ON_MESSAGE, 1);
    if (OPEN_CLIENT(s, "/")) SERVER_WAIT(s, ON_CONNECT, 22);
}

/* S3: with a certificate configured it still spoke plain ws. */

static void s3_with_a_certificate_it_speaks_tls_and_nothing_else(void) {
    unsigned char answer[8] = { 0 };
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.cert_path = certificate_file("good.pem");
    options.key_path = certificate_file("good.key");
    if (!START(s, &options)) return;
    /* A client without TLS gets a TLS alert at most, and never a WebSocket. */
    int fd = raw_connect(s);
    raw_say(fd, RAW_REQUEST);
    ssize_t count = recv(fd, answer, sizeof answer, 0);
    CHECK(count <= 0 || answer[0] == 21);
    CHECK(raw_ends(fd));
    close(fd);
    struct recorder *plain = new_client(), *secure = new_client();
    CHECK_OK(nsws_client_connect(plain->client, url_of(s, "/"), NULL));
    WAIT(plain, ERROR, 1);
    nsws_connect_options client = defaults();
    client.ca_path = certificate_file("ca.pem");
    snprintf(secure->url, sizeof secure->url, "wss://localhost:%d/", s->port);
    if (!OPENS(secure, secure->url, &client)) return;
    SERVER_WAIT(s, ON_CONNECT, 1);
    CHECK_INT(server_count(s, ON_CONNECT), 1);
    CHECK_INT(count_events(plain, OPEN), 0);
}

/* S4: the error callback carried an uninitialised message pointer. */

static void s4_every_error_carries_a_sentence(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        { "\x81\x01x", 3 },                                      /* a protocol error */
        { "\x81\x81\0\0\0\0\xff", 7 },                           /* not UTF-8 */
        { "\x82\xff\0\0\0\0\x40\0\0\0\0\0\0\0", 14 },            /* too big */
        { "", 0 },                                               /* gone */
    };
    struct server *s = started_server(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = RAW_OPEN(s);
        raw_write(fd, cases[i].bytes, cases[i].length);
        if (cases[i].length > 0) raw_close_code(fd);
        char peer[64];
        snprintf(peer, sizeof peer, "127.0.0.1:%d", raw_port(fd));
        close(fd);
        const struct server_event *error = SERVER_WAIT(s, ON_ERROR, i + 1);
        if (!error) return;
        CHECK_CONTAINS(error->text, peer);
        CHECK(error->text[strlen(error->text) - 1] == '.');
        CHECK(error->code == NSWS_ERR_CONNECT_FAILED && error->detail != 0 && error->phase != 0);
        CHECK(error->connection.id != 0);
    }
}

/* S5: deleting the server after a failed stop left its thread on freed memory. */

static uint8_t no_permission(void *user) {
    (void)user;
    return 0;
}

static void s5_a_server_may_be_destroyed_after_a_failed_stop(void) {
    for (int i = 0; i < 20; i++) {
        struct server *s = started_server(NULL);
        struct recorder *r = OPEN_CLIENT(s, "/");
        if (!r) return;
        nsws_platform platform;
        CHECK_OK(nsws_platform_init(&platform, sizeof platform));
        platform.has_internet_permission = no_permission;
        CHECK_OK(nsws_set_platform(&platform));
        CHECK_CODE(nsws_server_stop(s->handle), NSWS_ERR_PERMISSION_DENIED);
        CHECK_OK(nsws_set_platform(NULL));
        destroy_server(s);
        /* It is gone: its clients get the close, and nothing listens. */
        const struct event *close = WAIT(r, CLOSE, 1);
        if (close) CHECK_INT(close->code, 1001);
        CHECK_INT(raw_connect(s), -1);
    }
}

/* S6: a client that is reset during a send from another thread was used after it was freed. */

struct sender {
    struct server *server;
    int stop;
    long sent;
};

static void *send_to_all(void *user) {
    struct sender *sender = user;
    nsws_connection list[64];
    char data[512] = "";
    while (!__atomic_load_n(&sender->stop, __ATOMIC_SEQ_CST)) {
        size_t count = 0;
        CHECK_OK(nsws_server_list_connections(sender->server->handle, list, 64, &count));
        for (size_t i = 0; i < count && i < 64; i++) {
            int32_t code = nsws_connection_send_binary(list[i], data, sizeof data);
            if (code == NSWS_OK) __atomic_add_fetch(&sender->sent, 1, __ATOMIC_SEQ_CST);
            else CHECK(code == NSWS_ERR_BAD_HANDLE || code == NSWS_ERR_NOT_CONNECTED || code == NSWS_ERR_QUEUE_FULL);
        }
        if (count == 0) sched_yield();
    }
    return NULL;
}

static void s6_clients_may_be_reset_during_sends(void) {
    struct server *s = started_server(NULL);
    static struct sender sender;
    pthread_t threads[3];
    memset(&sender, 0, sizeof sender);
    sender.server = s;
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, send_to_all, &sender);
    int rounds = slowness() > 1 ? 20 : 500;
    for (int i = 0; i < rounds; i++) {
        struct frame frame;
        int fd = RAW_OPEN(s);
        if (fd < 0) break;
        /* Sends to it are in progress. */
        CHECK(raw_receive(fd, BINARY_FRAME, &frame));
        raw_reset(fd);
    }
    SERVER_WAIT(s, ON_CLOSE, (size_t)rounds);
    __atomic_store_n(&sender.stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    CHECK_LEAST(sender.sent, rounds);
    BECOMES(listed(s), 0);
}

/* S7: the configured IP was checked and then ignored: it listened everywhere. */

static int reaches_address(const char *ip, uint16_t port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, ip, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reached = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return reached;
}

static void s7_the_address_is_really_bound(void) {
    struct server *s = new_server();
    nsws_server_options options = server_defaults();
    options.server_ip = "127.0.0.2";
    if (!START(s, &options)) return;
    CHECK(reaches_address("127.0.0.2", s->port));
    CHECK(!reaches_address("127.0.0.1", s->port));
    CHECK(!reaches_address("127.0.0.3", s->port));
    /* So another server may have the same port on another address. */
    struct server *other = new_server();
    options.server_ip = "127.0.0.3";
    options.server_port = s->port;
    if (!START(other, &options)) return;
    CHECK(reaches_address("127.0.0.3", s->port));
    CHECK(!reaches_address("127.0.0.1", s->port));
}

/* S8: it served files of ./mount-origin to plain HTTP requests. */

static void s8_no_files_are_served(void) {
    static const char *const paths[] = { "/", "/index.html", "/mount-origin/x", "/x.txt", "/../etc/passwd", "/%2e%2e/etc/passwd" };
    char folder[] = "/tmp/nsws-s8-XXXXXX", here[4096], command[64];
    if (mkdtemp(folder) == NULL || getcwd(here, sizeof here) == NULL || chdir(folder) != 0) abort();
    if (system("mkdir mount-origin && echo secret-content | "
               "tee x.txt index.html mount-origin/x mount-origin/index.html >/dev/null") != 0)
        abort();
    struct server *s = started_server(NULL);
    for (size_t i = 0; s && i < sizeof paths / sizeof *paths; i++) {
        char request[256], answer[4096];
        size_t length = 0;
        ssize_t count;
        int fd = raw_connect(s);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" RAW_HOST "\r\n", paths[i]);
        raw_say(fd, request);
        while (length < sizeof answer - 1 && (count = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0)
            length += (size_t)count;
        answer[length] = 0;
        CHECK_CONTAINS(answer, "HTTP/1.1 426 ");
        CHECK_LACKS(answer, "secret-content");
        CHECK_LACKS(answer, "root:");
        close(fd);
    }
    if (chdir(here) != 0) abort();
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0) abort();
}

/* S9: unmasked and RSV client frames were accepted. Stop fired no close events and kept the port. */

static void s9_frames_that_are_not_masked_or_have_rsv_bits_are_refused(void) {
    static const char *const frames[] = { "\x81\x01x", "\xc1\x81\x01\x01\x01\x01y", "\xa1\x81\x01\x01\x01\x01y", "\x91\x81\x01\x01\x01\x01y" };
    struct server *s = started_server(NULL);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        int fd = RAW_OPEN(s);
        raw_say(fd, frames[i]);
        CHECK_INT(raw_close_code(fd), 1002);
        close(fd);
        const struct server_event *error = SERVER_WAIT(s, ON_ERROR, i + 1), *end = SERVER_WAIT(s, ON_CLOSE, i + 1);
        if (error) CHECK_INT(error->detail, NSWS_DETAIL_PROTOCOL);
        if (end) CHECK(end->code == 1002 && !end->was_clean);
    }
    CHECK_INT(server_count(s, ON_MESSAGE), 0);
}

static void s9_stop_gives_every_connection_its_close_and_frees_the_port(void) {
    struct server *s = started_server(NULL);
    struct recorder *clients[5];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            if (!(clients[i] = OPEN_CLIENT(s, "/"))) return;
        SERVER_WAIT(s, ON_CONNECT, (size_t)(round + 1) * 5);
        CHECK_OK(nsws_server_stop(s->handle));
        CHECK_INT(raw_connect(s), -1);
        nsws_server_options options = server_defaults();
        options.server_port = s->port;
        if (!START(s, &options)) return;
        SERVER_WAIT(s, ON_CLOSE, (size_t)(round + 1) * 5);
        for (int i = 0; i < 5; i++) {
            const struct event *close = WAIT(clients[i], CLOSE, 1);
            if (close) CHECK(close->code == 1001 && close->was_clean);
        }
    }
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    RUN(s1_one_disconnect_disturbs_nobody);
    RUN(s2_an_empty_close_frame_ends_its_connection_only);
    RUN(s3_with_a_certificate_it_speaks_tls_and_nothing_else);
    RUN(s4_every_error_carries_a_sentence);
    RUN(s5_a_server_may_be_destroyed_after_a_failed_stop);
    RUN(s6_clients_may_be_reset_during_sends);
    RUN(s7_the_address_is_really_bound);
    RUN(s8_no_files_are_served);
    RUN(s9_frames_that_are_not_masked_or_have_rsv_bits_are_refused);
    RUN(s9_stop_gives_every_connection_its_close_and_frees_the_port);
    return end_tests();
}
