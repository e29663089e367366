/* Bytes without WebSocket: a TCP echo with one thread and epoll, one read and one write each time. What a WebSocket costs
 * is what it costs beyond this. */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

/* The client: what comes back is counted in bytes; for each message of them, the next is sent. */
struct flow {
    int fd, blocked;
    long to_send, to_receive;
    size_t unsent, partial; /* bytes to write; bytes of an answer that isn't whole */
};

static unsigned char *payload;

static int move_bytes(struct flow *flow, double *times, long *timed, double *sent_at) {
    ssize_t got = recv(flow->fd, buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) give_up("recv");
    if (got > 0) {
        flow->partial += (size_t)got;
        long answers = (long)(flow->partial / peer.size), next = answers < flow->to_send ? answers : flow->to_send;
        flow->partial %= peer.size;
        flow->to_receive -= answers;
        flow->to_send -= next;
        flow->unsent += (size_t)next * peer.size;
        if (times != NULL && answers > 0) {
            double now = client_now();
            times[(*timed)++] = now - *sent_at;
            *sent_at = now;
        }
    }
    while (flow->unsent > 0) {
        size_t most = (size_t)peer.window * peer.size;
        ssize_t sent = send(flow->fd, payload, flow->unsent < most ? flow->unsent : most, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) give_up("send");
        flow->unsent -= (size_t)sent;
    }
    if (flow->blocked != (flow->unsent > 0)) {
        flow->blocked = flow->unsent > 0;
        struct epoll_event event = { .events = EPOLLIN | (flow->blocked ? EPOLLOUT : 0), .data.ptr = flow };
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, flow->fd, &event) != 0) give_up("epoll_ctl");
    }
    return flow->to_receive == 0;
}

static void run_phase(struct flow *flows, long share, double *times) {
    struct epoll_event events[256];
    int busy = peer.connections;
    long timed = 0;
    double sent_at = client_now();
    for (int i = 0; i < peer.connections; i++) {
        flows[i].to_receive = share;
        flows[i].to_send = share - peer.window;
        flows[i].unsent = (size_t)peer.window * peer.size;
        move_bytes(&flows[i], NULL, NULL, NULL);
    }
    while (busy > 0) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct flow *flow = events[i].data.ptr;
            if (flow->to_receive > 0 && move_bytes(flow, times, &timed, &sent_at)) busy--;
        }
    }
}

static int connect_one(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)peer.port) };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) give_up("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Connects, says goodbye as TCP does, and waits until the server has done so too. */
static void visits(long count) {
    for (long i = 0; i < count; i++) {
        int fd = connect_one();
        shutdown(fd, SHUT_WR);
        if (recv(fd, buffer, sizeof buffer, 0) != 0) give_up("recv");
        close(fd);
    }
}

static void run_client(void) {
    struct flow *flows = calloc((size_t)peer.connections, sizeof *flows);
    double *times = peer.window == 1 && peer.connections == 1 ? calloc((size_t)peer.count + 1, sizeof *times) : NULL;
    if (peer.connect) {
        visits(peer.count / 20 + 5);
        client_ready();
        double start = client_now();
        visits(peer.count);
        client_report(start, NULL, peer.count, peer.count / 20 + 5);
    }
    payload = calloc((size_t)peer.window, peer.size);
    epoll = epoll_create1(0);
    for (int i = 0; i < peer.connections; i++) {
        double start = client_now();
        flows[i].fd = connect_one();
        if (i == 0) client_opened_in = client_now() - start;
        fcntl(flows[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &flows[i] };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, flows[i].fd, &event) != 0) give_up("epoll_ctl");
    }
    run_phase(flows, client_warm_up(), NULL);
    client_ready();
    double start = client_now();
    run_phase(flows, client_share(peer.count), times);
    client_report(start, times, client_share(peer.count) * peer.connections, client_warm_up() * peer.connections);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    struct epoll_event events[256];
    struct link listener = { 0 };
    int one = 1;

    peer_parse(argc, argv);
    if (peer.cert != NULL || peer.ca != NULL || peer.deflate || peer.documents != NULL || peer.broadcast || peer.thread || peer.lanes || peer.stuck)
        peer_refuse();
    if (peer.client) run_client();
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
