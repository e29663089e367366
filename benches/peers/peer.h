/* What every peer in C and C++ has in common: its command line, and its end.
 *
 *     PEER server [--cert FILE --key FILE] [--deflate] [--broadcast] [--no-ping] [--lanes L]
 *     PEER client --port P [--ca FILE] [--connections N] [--window W] [--size S] [--count C] [--documents FILE] [--no-ping]
 *         [--thread] [--connect] [--stuck N]
 *
 * A server listens on a port of 127.0.0.1 that the system picks, prints it, answers each message with itself (or sends it to
 * all, with --broadcast), and ends with its stdin. A client keeps messages under way, and prints one line of JSON: see
 * client.h. What a peer can't do, it refuses with status 2.
 */
#ifndef PEER_H
#define PEER_H

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *cert, *key, *ca, *documents;
    long count;
    size_t size;
    int client, port, connections, window, deflate, broadcast, no_ping, thread, connect, stuck, lanes;
} peer;

static inline void peer_parse(int argc, char **argv) {
    static const struct option options[] = {
        { "cert", 1, 0, 'c' },    { "key", 1, 0, 'k' },     { "ca", 1, 0, 'a' },          { "deflate", 0, 0, 'd' },
        { "broadcast", 0, 0, 'b' }, { "no-ping", 0, 0, 'q' }, { "port", 1, 0, 'p' },        { "connections", 1, 0, 'n' },
        { "window", 1, 0, 'w' },  { "size", 1, 0, 's' },    { "count", 1, 0, 'm' },       { "thread", 0, 0, 't' },
        { "connect", 0, 0, 'o' },   { "stuck", 1, 0, 'u' },  { "lanes", 1, 0, 'l' },       { "documents", 1, 0, 'j' },
        { 0, 0, 0, 0 },
    };
    peer.size = 32;
    peer.count = peer.connections = peer.window = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
            case 'c': peer.cert = optarg; break;
            case 'k': peer.key = optarg; break;
            case 'a': peer.ca = optarg; break;
            case 'd': peer.deflate = 1; break;
            case 'b': peer.broadcast = 1; break;
            case 'q': peer.no_ping = 1; break;
            case 'p': peer.port = atoi(optarg); break;
            case 'n': peer.connections = atoi(optarg); break;
            case 'w': peer.window = atoi(optarg); break;
            case 's': peer.size = (size_t)atol(optarg); break;
            case 'm': peer.count = atol(optarg); break;
            case 't': peer.thread = 1; break;
            case 'o': peer.connect = 1; break;
            case 'u': peer.stuck = atoi(optarg); break;
            case 'l': peer.lanes = atoi(optarg); break;
            case 'j': peer.documents = optarg; break;
            default: exit(2);
        }
    }
    peer.client = optind < argc && strcmp(argv[optind], "client") == 0;
}

static inline void *peer_await_end(void *unused) {
    char byte;
    (void)unused;
    while (read(STDIN_FILENO, &byte, 1) > 0) {}
    _exit(0);
}

/* The server listens: says where, and ends the process when stdin ends. */
static inline void peer_serving(int port) {
    pthread_t thread;
    printf("%d\n", port);
    fflush(stdout);
    pthread_create(&thread, NULL, peer_await_end, NULL);
}

static inline void peer_refuse(void) {
    exit(2);
}

#endif
