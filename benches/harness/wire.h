/* What the load generators share: connections, TLS, and RFC 6455's frames as a client sends and receives them. */
#ifndef WIRE_H
#define WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct link {
    SSL *ssl;
    size_t sent;          /* bytes of this window that were written */
    int blocked;          /* the socket takes no more for now */
    long received;        /* messages of this window that have come back */
    long rounds;          /* windows that are complete */
    uint64_t payload;     /* bytes of the current frame's payload that are to come */
    unsigned char head[10];
    unsigned head_length; /* bytes of the next frame's header that have come */
    int fd;
    int may_end, ended;
};

static int raw;           /* plain bytes instead of WebSocket frames */
static int verify = 1;    /* compare what comes back with what was sent */
static size_t wire_size;  /* bytes of a message; raw bytes are counted in these */
static SSL_CTX *tls;
static SSL_SESSION *session;
static long handshakes, resumed; /* of TLS connections that are over; how many of them resumed a session */
static unsigned char buffer[256 << 10];

static void fail(const char *what) {
    fprintf(stderr, "%s", what);
    if (errno != 0) fprintf(stderr, ": %s", strerror(errno));
    fprintf(stderr, "\n");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *fresh) {
    (void)ssl;
    if (session != NULL) SSL_SESSION_free(session);
    session = fresh;
    return 1;
}

/* From now on, connections use TLS, trust this CA alone, and resume the last session. */
static void use_tls(const char *ca) {
    tls = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_load_verify_locations(tls, ca, NULL) != 1) fail(ca);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* Some end TLS with TCP: to OpenSSL this is an error, after which it would not resume the session. */
    SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls, keep_session);
}

static void set_blocking(struct link *link, int blocking) {
    int flags = fcntl(link->fd, F_GETFL);
    if (fcntl(link->fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0) fail("fcntl");
}

/* A connection that isn't complete yet. */
static int begin_connect(int port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) fail("TCP_NODELAY");
    return fd;
}

static void begin_tls(struct link *link) {
    link->ssl = SSL_new(tls);
    SSL_set_fd(link->ssl, link->fd);
    SSL_set1_host(link->ssl, "localhost");
    SSL_set_tlsext_host_name(link->ssl, "localhost");
    if (session != NULL) SSL_set_session(link->ssl, session);
}

/* Whether TLS's handshake is over; it goes on as far as it can. */
static int tls_ready(struct link *link) {
    if (link->ssl == NULL || SSL_is_init_finished(link->ssl)) return 1;
    int result = SSL_connect(link->ssl);
    if (result == 1) return 1;
    int error = SSL_get_error(link->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) fail("the TLS handshake");
    return 0;
}

static void connect_to(struct link *link, int port) {
    struct pollfd writable = { .events = POLLOUT };
    writable.fd = link->fd = begin_connect(port);
    if (poll(&writable, 1, 30000) != 1 || !(writable.revents & POLLOUT)) fail("connect");
    set_blocking(link, 1);
    if (tls == NULL) return;
    begin_tls(link);
    if (!tls_ready(link)) fail("the TLS handshake");
}

static void hang_up(struct link *link) {
    if (link->ssl != NULL) {
        handshakes++;
        resumed += SSL_session_reused(link->ssl);
        SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else the session can't be resumed */
        SSL_free(link->ssl);
    }
    close(link->fd);
}

/* What was written or read; -1 when the socket isn't ready, 0 at the end of what is to be read. */
static ssize_t link_write(struct link *link, const void *data, size_t length) {
    ssize_t written;
    if (link->ssl == NULL) {
        do written = send(link->fd, data, length, MSG_NOSIGNAL);
        while (written < 0 && errno == EINTR);
        if (written < 0 && errno != EAGAIN) fail("write");
        return written;
    }
    written = SSL_write(link->ssl, data, length > INT32_MAX ? INT32_MAX : (int)length);
    if (written > 0) return written;
    int error = SSL_get_error(link->ssl, (int)written);
    if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) fail("write");
    return -1;
}

static ssize_t link_read(struct link *link, void *data, size_t length) {
    ssize_t got;
    if (link->ssl == NULL) {
        do got = recv(link->fd, data, length, 0);
        while (got < 0 && errno == EINTR);
        if (got < 0 && errno == ECONNRESET && link->may_end) return 0;
        if (got < 0 && errno != EAGAIN) fail("read");
        return got;
    }
    got = SSL_read(link->ssl, data, (int)length);
    if (got > 0) return got;
    int error = SSL_get_error(link->ssl, (int)got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -1;
    if (error == SSL_ERROR_ZERO_RETURN || link->may_end) return 0;
    fail("read");
    return 0;
}

/* On a blocking connection. */
static void write_all(struct link *link, const void *data, size_t length) {
    for (size_t at = 0; at < length;) {
        ssize_t written = link_write(link, (const char *)data + at, length - at);
        if (written > 0) at += (size_t)written;
    }
}

static void read_all(struct link *link, void *data, size_t length) {
    for (size_t at = 0; at < length;) {
        ssize_t got = link_read(link, (char *)data + at, length - at);
        if (got == 0) fail("the server hung up");
        if (got > 0) at += (size_t)got;
    }
}

/* The opening handshake; `headers` are added to the request. Nothing behind the answer is read. Returns the answer. */
static const char *handshake(struct link *link, int port, const char *headers) {
    static char answer[4096];
    size_t length = 0;
    if (raw) return "";
    int request = snprintf(answer, sizeof answer,
                           "GET / HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                           port, headers);
    write_all(link, answer, (size_t)request);
    while (length < 4 || memcmp(answer + length - 4, "\r\n\r\n", 4) != 0) {
        if (length == sizeof answer - 1) fail("the answer is too long");
        ssize_t got = link_read(link, answer + length, 1);
        if (got == 0) fail("the server hung up in the handshake");
        if (got > 0) length++;
    }
    answer[length] = 0;
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) fail(answer);
    return answer;
}

/* Writes a client's frame with a fixed mask; returns its length. 14 bytes more than the payload are enough. */
static size_t write_frame(unsigned char *out, unsigned first, const void *payload, size_t length) {
    static const unsigned char mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    const unsigned char *from = payload;
    unsigned char *at = out;
    *at++ = (unsigned char)first;
    if (length < 126) {
        *at++ = (unsigned char)(0x80 | length);
    } else {
        int bytes = length < 65536 ? 2 : 8;
        *at++ = bytes == 2 ? 0xfe : 0xff;
        while (bytes-- > 0) *at++ = (unsigned char)((uint64_t)length >> (8 * bytes));
    }
    memcpy(at, mask, 4);
    at += 4;
    for (size_t i = 0; i < length; i++) at[i] = from[i] ^ mask[i & 3];
    return (size_t)(at - out) + length;
}

/* `number` binary messages of `size` letters in a row. */
static unsigned char *make_frames(size_t size, int number, size_t *length) {
    unsigned char *payload = malloc(size), *frames = malloc((size + 14) * (size_t)number);
    memset(payload, 'a', size);
    *length = 0;
    for (int i = 0; i < number; i++) {
        if (raw) memcpy(frames + *length, payload, size);
        *length += raw ? size : write_frame(frames + *length, 0x82, payload, size);
    }
    free(payload);
    return frames;
}

static void check_payload(const unsigned char *data, size_t length) {
    if (length > 0 && (data[0] != 'a' || memcmp(data, data + 1, length - 1) != 0)) fail("the answer is not what was sent");
}

/* Counts the messages that have become complete in `received`. */
static void parse(struct link *link, const unsigned char *data, size_t length) {
    while (length > 0) {
        if (link->payload > 0) {
            size_t taken = length < link->payload ? length : (size_t)link->payload;
            if (verify && (raw || (link->head[0] & 0x0f) < 8)) check_payload(data, taken);
            data += taken;
            length -= taken;
            link->payload -= taken;
            if (link->payload > 0) return;
        } else if (raw) {
            link->payload = wire_size;
            continue;
        } else {
            unsigned needed = 2;
            link->head[link->head_length++] = *data++;
            length--;
            if (link->head_length >= 2) {
                if (link->head[1] & 0x80 || link->head[0] & 0x70) fail("a frame that no server may send");
                needed += link->head[1] == 126 ? 2 : link->head[1] == 127 ? 8 : 0;
            }
            if (link->head_length < needed) continue;
            link->head_length = 0;
            if (needed == 2) link->payload = link->head[1];
            else
                for (unsigned i = 2; i < needed; i++) link->payload = link->payload << 8 | link->head[i];
            if (link->payload > 0) continue;
        }
        /* A frame is complete. */
        if (raw || ((link->head[0] & 0x0f) < 8 && link->head[0] & 0x80)) link->received++;
        else if ((link->head[0] & 0x0f) == 8 && !link->may_end) fail("the server closed the connection");
    }
}

/* Reads what is there: on a blocking connection, after it has waited for something. */
static void read_some(struct link *link) {
    for (;;) {
        ssize_t got = link_read(link, buffer, sizeof buffer);
        if (got < 0) return;
        if (got == 0) {
            if (!link->may_end) fail("the server hung up");
            link->ended = 1;
            return;
        }
        parse(link, buffer, (size_t)got);
        if (link->ssl != NULL ? SSL_pending(link->ssl) == 0 : (size_t)got < sizeof buffer) return;
        if (link->ssl == NULL && !(fcntl(link->fd, F_GETFL) & O_NONBLOCK)) return;
    }
}

#endif
