/* Bytes without WebSocket: a TCP echo with one thread and epoll, one read and one write each time. What a WebSocket costs
 * is what it costs beyond this. */
#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct link {
    int fd;
    size_t start, end, room; /* what waits to be sent */
    unsigned char *waiting;
};

static unsigned char buffer[256 << 10];
static int epoll;

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

static void watch(struct link *link, uint32_t events, int operation) {
    struct epoll_event event = { .events = events, .data.ptr = link };
    if (epoll_ctl(epoll, operation, link->fd, &event) != 0) give_up("epoll_ctl");
}

static void drop(struct link *link) {
    close(link->fd);
    free(link->waiting);
    free(link);
}

/* How much was taken; -1: the connection is broken. */
static ssize_t send_some(struct link *link, const unsigned char *data, size_t length) {
    ssize_t sent = send(link->fd, data, length, MSG_NOSIGNAL);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void serve_link(struct link *link, uint32_t events) {
    if (link->start < link->end) {
        ssize_t sent = events & EPOLLOUT ? send_some(link, link->waiting + link->start, link->end - link->start) : 0;
        if (sent < 0) {
            drop(link);
            return;
        }
        link->start += (size_t)sent;
        if (link->start < link->end) return;
        watch(link, EPOLLIN, EPOLL_CTL_MOD);
    }
    ssize_t got = recv(link->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(link);
        return;
    }
    ssize_t sent = send_some(link, buffer, (size_t)got);
    if (sent < 0) {
        drop(link);
    } else if (sent < got) {
        link->start = 0;
        link->end = (size_t)(got - sent);
        if (link->room < link->end) {
            link->room = link->end;
            link->waiting = realloc(link->waiting, link->room);
        }
        memcpy(link->waiting, buffer + sent, link->end);
        watch(link, EPOLLOUT, EPOLL_CTL_MOD);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    struct epoll_event events[256];
    struct link listener = { 0 };
    int one = 1;

    peer_parse(argc, argv);
    if (peer.client || peer.cert != NULL || peer.deflate || peer.broadcast) peer_refuse();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listener.fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("bind");
    if (listen(listener.fd, 4096) != 0) give_up("listen");
    getsockname(listener.fd, (struct sockaddr *)&address, &length);
    epoll = epoll_create1(0);
    watch(&listener, EPOLLIN, EPOLL_CTL_ADD);
    peer_serving(ntohs(address.sin_port));
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr != &listener) {
                serve_link(events[i].data.ptr, events[i].events);
                continue;
            }
            int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0) continue;
            struct link *link = calloc(1, sizeof *link);
            link->fd = fd;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            watch(link, EPOLLIN, EPOLL_CTL_ADD);
        }
    }
}
