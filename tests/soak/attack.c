#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char REQUEST[] =
    "GET /attack HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

enum { HELD = 64, FRAME_HEAD = 14 };

static const unsigned short *ports;
static int port_count;

static uint32_t drawn(uint32_t below) {
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % below);
}

/* A socket connected to one of the ports, from an address that no other client has; -1 when it is refused. */
static int comes(int secure) {
    struct sockaddr_in here = { .sin_family = AF_INET }, there = here;
    char from[32];
    int count = (port_count + !secure) / 2;
    snprintf(from, sizeof from, "127.0.66.%u", 1 + drawn(8));
    inet_pton(AF_INET, from, &here.sin_addr);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(ports[2 * drawn((uint32_t)count) + (uint32_t)secure]);
    struct timeval patience = { 2, 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0 && connect(fd, (struct sockaddr *)&there, sizeof there) == 0) return fd;
    close(fd);
    return -1;
}

static int says(int fd, const void *data, size_t length) {
    return fd >= 0 && send(fd, data, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void resets(int fd) {
    struct linger now = { 1, 0 };
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* An upgraded connection; -1 when the server says no. */
static int is_let_in(void) {
    char answer[1024];
    int fd = comes(0);
    if (!says(fd, REQUEST, sizeof REQUEST - 1) || recv(fd, answer, sizeof answer, 0) < 12 || memcmp(answer + 9, "101", 3) != 0) {
        resets(fd);
        return -1;
    }
    return fd;
}

/* A head whose mask is zero, which masks nothing. */
static size_t head(unsigned char *out, int first, uint64_t length) {
    size_t size = 2;
    out[0] = (unsigned char)first;
    out[1] = (unsigned char)(0x80 | (length < 126 ? length : 127));
    for (int i = 7; length >= 126 && i >= 0; i--) out[size++] = (unsigned char)(length >> (8 * i));
    memset(out + size, 0, 4);
    return size + 4;
}

/* Connections that open and are reset at once, with a message on its way. */
static void rapid_reset(void) {
    unsigned char frame[FRAME_HEAD + 100] = { 0 };
    for (int i = 0; i < 10; i++) {
        int fd = is_let_in();
        if (fd < 0) continue;
        size_t size = head(frame, 0x82, 100);
        says(fd, frame, size + (i % 2 ? 100 : 50));
        resets(fd);
    }
}

/* Requests that come one byte at a time, and connections that say nothing at all. */
static void slow_loris(void) {
    static int fds[HELD];
    static size_t said[HELD];
    for (int i = 0; i < HELD; i++) {
        if (fds[i] <= 0) {
            fds[i] = comes(i % 4 == 3);
            said[i] = 0;
        } else if (i % 2 && said[i] < sizeof REQUEST - 1 && !says(fds[i], REQUEST + said[i]++, 1)) {
            close(fds[i]);
            fds[i] = 0;
        } else if (drawn(40) == 0) {
            close(fds[i]);
            fds[i] = 0;
        }
    }
}

static size_t put(unsigned char *out, size_t at, const char *bytes, size_t length) {
    memcpy(out + at, bytes, length);
    return at + length;
}

/* A ClientHello of TLS 1.3 that a server has to answer with a signature; its key share is nobody's. */
static size_t client_hello(unsigned char *out) {
    size_t at = 9;
    at = put(out, at, "\x03\x03", 2);
    for (int i = 0; i < 32; i++) out[at++] = (unsigned char)drawn(256);
    at = put(out, at, "\x00\x00\x02\x13\x01\x01\x00", 7);
    size_t extensions = at;
    at += 2;
    at = put(out, at, "\x00\x2b\x00\x03\x02\x03\x04", 7);
    at = put(out, at, "\x00\x0a\x00\x04\x00\x02\x00\x1d", 8);
    at = put(out, at, "\x00\x0d\x00\x0a\x00\x08\x04\x03\x08\x04\x04\x01\x08\x07", 14);
    at = put(out, at, "\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20", 10);
    for (int i = 0; i < 32; i++) out[at++] = (unsigned char)(i ? drawn(256) : 9);
    size_t length = at - extensions - 2;
    out[extensions] = (unsigned char)(length >> 8);
    out[extensions + 1] = (unsigned char)length;
    length = at - 9;
    put(out, 0, "\x16\x03\x01", 3);
    out[3] = (unsigned char)((length + 4) >> 8);
    out[4] = (unsigned char)(length + 4);
    put(out, 5, "\x01\x00", 2);
    out[7] = (unsigned char)(length >> 8);
    out[8] = (unsigned char)length;
    return at;
}

/* TLS handshakes of which half is there, or that nobody goes on with once the server has signed. */
static void half_handshakes(void) {
    unsigned char hello[512], answer[4096];
    for (int i = 0; i < 4; i++) {
        int fd = comes(1);
        size_t size = client_hello(hello);
        if (says(fd, hello, i % 2 ? size / 2 : size) && i % 2 == 0 && recv(fd, answer, sizeof answer, 0) < 0) perror("no ServerHello");
        resets(fd);
    }
}

/* Pings and empty fragments without end, from a client that reads nothing. */
static void flood(void) {
    unsigned char frames[6 * 2000];
    size_t size = 0;
    int fd = is_let_in();
    size += head(frames, 0x01, 0);
    while (size < sizeof frames - 12) {
        size += head(frames + size, 0x00, 0);
        size += head(frames + size, 0x89, 0);
    }
    if (fd >= 0) fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 20; i++)
        if (!says(fd, i ? frames + 6 : frames, i ? size - 6 : size)) break;
    resets(fd);
}

/* Messages that are announced, begun and never ended. */
static void unfinished(void) {
    static int fds[HELD / 4];
    static unsigned char frame[FRAME_HEAD + 65536];
    for (int i = 0; i < HELD / 4; i++) {
        if (fds[i] <= 0) {
            fds[i] = is_let_in();
            if (fds[i] >= 0) says(fds[i], frame, head(frame, i % 2 ? 0x02 : 0x82, 15 << 20));
        } else if (drawn(10) == 0 || !says(fds[i], frame, 1 + drawn(60000))) {
            resets(fds[i]);
            fds[i] = 0;
        }
    }
}

/* Frames that break the rules, compressed data that is none, and noise in the place of a request. */
static void rubbish(void) {
    unsigned char bytes[600];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)drawn(256);
    for (int i = 0; i < 4; i++) {
        int fd = i == 3 ? comes(1) : i == 2 ? comes(0) : is_let_in();
        if (i == 0) head(bytes, 0xc2, 125);
        if (says(fd, bytes, sizeof bytes)) shutdown(fd, SHUT_WR);
        if (fd >= 0) close(fd);
    }
}

int attack(const unsigned short *of, int count) {
    static void (*const kinds[])(void) = { rapid_reset, slow_loris, half_handshakes, flood, unfinished, rubbish };
    struct pollfd end = { 0, POLLIN | POLLHUP, 0 };
    ports = of;
    port_count = count;
    signal(SIGPIPE, SIG_IGN);
    for (unsigned turn = 0; poll(&end, 1, 150) == 0; turn++) kinds[turn % (sizeof kinds / sizeof *kinds)]();
    return 0;
}
