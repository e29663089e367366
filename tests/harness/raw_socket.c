#include "raw_socket.h"

#include "server.h"

int raw_room;

int raw_connect_from(const char *from, uint16_t port) {
    struct sockaddr_in here, there;
    struct timeval guard = { guard_seconds(), 0 };
    int on = 1;
    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    inet_pton(AF_INET, from, &here.sin_addr);
    there = here;
    there.sin_port = htons(port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (raw_room > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &raw_room, sizeof raw_room);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0 && connect(fd, (struct sockaddr *)&there, sizeof there) == 0) {
        /* Where nobody listens, a socket that was given that very port is connected to itself. */
        if (raw_port(fd) != port || here.sin_addr.s_addr != there.sin_addr.s_addr) return fd;
    }
    close(fd);
    return -1;
}

int raw_connect(struct server *s) {
    return raw_connect_from("127.0.0.1", s->port);
}

uint16_t raw_port(int fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

int raw_write(int fd, const void *data, size_t length) {
    const char *bytes = data;
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        bytes += count;
        length -= (size_t)count;
    }
    return 1;
}

int raw_say(int fd, const char *text) {
    return raw_write(fd, text, strlen(text));
}

static int raw_read(int fd, void *data, size_t length) {
    char *bytes = data;
    while (length > 0) {
        ssize_t count = recv(fd, bytes, length, 0);
        if (count <= 0) return 0;
        bytes += count;
        length -= (size_t)count;
    }
    return 1;
}

const char *raw_head(int fd) {
    static __thread char head[65536];
    size_t length = 0;
    head[0] = 0;
    while (length < sizeof head - 1 && raw_read(fd, head + length, 1)) {
        head[++length] = 0;
        if (length >= 4 && strcmp(head + length - 4, "\r\n\r\n") == 0) return head;
    }
    return "";
}

int raw_status(int fd) {
    int status = 0;
    return sscanf(raw_head(fd), "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

int raw_ends(int fd) {
    char rest[65536];
    ssize_t count;
    while ((count = recv(fd, rest, sizeof rest, 0)) > 0) {
    }
    return count == 0 || errno == ECONNRESET;
}

void raw_reset(int fd) {
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

size_t frame_head(unsigned char *frame, int first, uint64_t length, int is_masked) {
    size_t size = 0;
    int mask = is_masked ? 0x80 : 0;
    frame[size++] = (unsigned char)first;
    if (length < 126) {
        frame[size++] = (unsigned char)(mask | (int)length);
    } else {
        int wide = length > 65535;
        frame[size++] = (unsigned char)(mask | (wide ? 127 : 126));
        for (int i = wide ? 7 : 1; i >= 0; i--) frame[size++] = (unsigned char)(length >> (8 * i));
    }
    if (mask) {
        memset(frame + size, 0, 4);
        size += 4;
    }
    return size;
}

size_t raw_frame(unsigned char *frame, int first, const void *data, size_t length) {
    size_t size = frame_head(frame, first, length, 1);
    if (length > 0) memcpy(frame + size, data, length);
    return size + length;
}

int raw_send(int fd, int first, const void *data, size_t length) {
    unsigned char *frame = malloc(length + FRAME_ROOM);
    int sent = raw_write(fd, frame, raw_frame(frame, first, data, length));
    free(frame);
    return sent;
}

int raw_receive(int fd, int wanted, struct frame *frame) {
    for (;;) {
        unsigned char head[2], wide[8];
        if (!raw_read(fd, head, 2)) return 0;
        frame->first = head[0];
        frame->length = head[1] & 127;
        if (head[1] & 128) return 0; /* a server doesn't mask */
        if (frame->length >= 126) {
            size_t bytes = frame->length == 126 ? 2 : 8;
            if (!raw_read(fd, wide, bytes)) return 0;
            frame->length = 0;
            for (size_t i = 0; i < bytes; i++) frame->length = frame->length << 8 | wide[i];
        }
        for (size_t done = 0, part; done < frame->length; done += part) {
            unsigned char more[4096];
            part = frame->length - done < sizeof more ? frame->length - done : sizeof more;
            if (!raw_read(fd, more, part)) return 0;
            if (done == 0) memcpy(frame->data, more, part < sizeof frame->data ? part : sizeof frame->data);
        }
        if (wanted == 0 || frame->first == wanted) return 1;
    }
}

int raw_close_code(int fd) {
    struct frame frame;
    if (!raw_receive(fd, CLOSE_FRAME, &frame)) return 0;
    return frame.length < 2 ? 1005 : frame.data[0] << 8 | frame.data[1];
}

int raw_open_at(const char *file, int line, int fd, const char *request) {
    raw_say(fd, request);
    const char *head = raw_head(fd);
    if (strncmp(head, "HTTP/1.1 101 ", 13) == 0) return fd;
    harness_fail(file, line, "a raw client does not open: %s", head);
    if (fd >= 0) close(fd);
    return -1;
}

/* The peer's side of the opening handshake. */

static void sha1_block(uint32_t state[5], const unsigned char *block) {
    uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) {
        uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
        w[i] = x << 1 | x >> 31;
    }
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = (a << 5 | a >> 27) + f + e + k + w[i];
        e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

void accept_value(const char *key, char value[29]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    unsigned char text[128] = { 0 }, digest[21] = { 0 };
    int length = snprintf((char *)text, 120, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    text[length] = 0x80;
    text[126] = (unsigned char)(length * 8 >> 8);
    text[127] = (unsigned char)(length * 8);
    sha1_block(state, text);
    sha1_block(state, text + 64);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0, out = 0; i < 21; i += 3) {
        unsigned bits = (unsigned)digest[i] << 16 | (unsigned)digest[i + 1] << 8 | digest[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) value[out++] = digits[bits >> shift & 63];
    }
    value[27] = '=';
    value[28] = 0;
}

int listening_socket(uint16_t *port) {
    int fd, on = 1;
    *port = (uint16_t)refused_port(&fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (raw_room > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &raw_room, sizeof raw_room);
    if (listen(fd, 16) != 0) abort();
    return fd;
}

int accepted_socket(int listener) {
    struct timeval guard = { guard_seconds(), 0 };
    struct pollfd ready = { listener, POLLIN, 0 };
    if (poll(&ready, 1, guard_seconds() * 1000) != 1) return -1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof guard);
    return fd;
}

const char *head_value(const char *head, const char *name) {
    static __thread char value[1024];
    const char *at = strcasestr(head, name);
    value[0] = 0;
    if (at) sscanf(at + strlen(name), ": %1023[^\r\n]", value);
    return value;
}

int raw_accepts(int fd, const char *extra) {
    char accept[29], answer[2048];
    const char *head = raw_head(fd);
    if (!*head) return 0;
    accept_value(head_value(head, "Sec-WebSocket-Key"), accept);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
             accept, extra);
    return raw_say(fd, answer);
}
