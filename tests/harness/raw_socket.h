/* Plain sockets of the test: clients of a server, and servers of a client. */
#ifndef HARNESS_RAW_SOCKET_H
#define HARNESS_RAW_SOCKET_H

#include "raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RAW_HOST "Host: 127.0.0.1\r\n"
#define RAW_UPGRADE                                             \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"             \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"           \
    "Sec-WebSocket-Version: 13\r\n"
#define RAW_REQUEST "GET / HTTP/1.1\r\n" RAW_HOST RAW_UPGRADE "\r\n"

/* The receive buffer of the next raw sockets; 0 is the system's own choice. */
extern int raw_room;

struct server;

/* A socket connected from an address of loopback; -1 when it is refused. */
int raw_connect_from(const char *from, uint16_t port);
int raw_connect(struct server *s);
uint16_t raw_port(int fd);
int raw_write(int fd, const void *data, size_t length);
int raw_say(int fd, const char *text);

/* The head of the answer, up to its empty line; "" when the link ends before. */
const char *raw_head(int fd);

/* The status of the answer; 0 when the link ends without one. */
int raw_status(int fd);

/* Whether the server ends the link, by a reset or a FIN, whatever it sends before. */
int raw_ends(int fd);

/* Closes with a reset. */
void raw_reset(int fd);

/* First bytes of frames, and the room that a head takes at most. */
enum {
    FIN = 0x80,
    CONTINUATION_FRAME = FIN,
    TEXT_FRAME = FIN | 1,
    BINARY_FRAME = FIN | 2,
    CLOSE_FRAME = FIN | 8,
    PING_FRAME = FIN | 9,
    PONG_FRAME = FIN | 10,
    FRAME_ROOM = 14
};

/* Writes a frame's head, with a mask of zero if any; returns its size. */
size_t frame_head(unsigned char *frame, int first, uint64_t length, int is_masked);

/* Writes a masked frame; returns its size. */
size_t raw_frame(unsigned char *frame, int first, const void *data, size_t length);
int raw_send(int fd, int first, const void *data, size_t length);

struct frame {
    int first;
    size_t length;
    /* As far as there is room. */
    unsigned char data[512];
};

/* Reads the next frame with this first byte, or the very next if that is 0; returns whether there was one. */
int raw_receive(int fd, int wanted, struct frame *frame);

/* The code of the server's close frame, after any messages; 1005 when it holds none, 0 when none comes. */
int raw_close_code(int fd);
int raw_open_at(const char *file, int line, int fd, const char *request);

/* A raw socket whose connection is open; -1, and a failed check, when it isn't. */
#define RAW_OPEN(server) raw_open_at(__FILE__, __LINE__, raw_connect(server), RAW_REQUEST)

/* Sec-WebSocket-Accept for a key (RFC 6455 4.2.2). */
void accept_value(const char *key, char value[29]);

/* A socket that listens on loopback, and its port. */
int listening_socket(uint16_t *port);

/* The next connection; -1 when none comes in time. */
int accepted_socket(int listener);

/* The value of a header of a head that was read; "" when it has none. Valid until the next call. */
const char *head_value(const char *head, const char *name);

/* Reads a client's request and accepts it; extra is more header lines, each with its end. */
int raw_accepts(int fd, const char *extra);

#endif
