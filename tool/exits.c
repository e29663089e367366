#include "exits.h"

#include <netstack_websocket.h>

#include <stddef.h>

const struct exit_row exit_rows[] = {
    {EXIT_OK, "Done; the connection was closed with 1000, 1001 or without a code."},
    {EXIT_FAILED, "Something else failed: memory, threads, writing the output."},
    {EXIT_USAGE, "A mistake in the arguments, the URL or a file that they name."},
    {EXIT_NETWORK, "No connection: unknown name, no route, refused, or lost on the way."},
    {EXIT_TLS, "TLS failed: the certificate, the pin, the client's key."},
    {EXIT_HANDSHAKE, "The server refused the upgrade, or answered it wrongly."},
    {EXIT_PROXY, "The proxy failed or refused."},
    {EXIT_TIMEOUT, "The time ran out."},
    {EXIT_BROKEN, "The open connection broke, or a side violated the protocol."},
    {EXIT_CLOSED, "The server closed with another code, or before everything was done."},
    {EXIT_LISTEN, "The server can't listen: its address, its port, its certificate."},
    {EXIT_INTERRUPTED, "Interrupted by Ctrl-C or SIGTERM; a server or ping ends with 0."},
    {0, NULL},
};

int exit_of_call(int32_t code) {
    switch (code) {
    case NSWS_OK:
        return EXIT_OK;
    case NSWS_ERR_PARAMETER:
    case NSWS_ERR_URL:
    case NSWS_ERR_CERT_FILE:
        return EXIT_USAGE;
    case NSWS_ERR_LISTEN_ADDRESS:
    case NSWS_ERR_LISTEN_PORT:
    case NSWS_ERR_PORT_IN_USE:
    case NSWS_ERR_CERT_UNUSABLE:
        return EXIT_LISTEN;
    case NSWS_ERR_NOT_CONNECTED:
        return EXIT_BROKEN;
    default:
        return EXIT_FAILED;
    }
}

int exit_of_attempt(int32_t code, int32_t detail, int32_t phase) {
    if (code != NSWS_ERR_CONNECT_FAILED) {
        return exit_of_call(code);
    }
    if (detail == NSWS_DETAIL_TIMEOUT) {
        return EXIT_TIMEOUT;
    }
    switch (phase) {
    case NSWS_PHASE_PARSE:
        return EXIT_USAGE;
    case NSWS_PHASE_DNS:
    case NSWS_PHASE_TCP:
        return EXIT_NETWORK;
    case NSWS_PHASE_PROXY:
        return EXIT_PROXY;
    case NSWS_PHASE_TLS:
        return EXIT_TLS;
    case NSWS_PHASE_HANDSHAKE:
        return detail == NSWS_DETAIL_LINK_LOST ? EXIT_NETWORK : EXIT_HANDSHAKE;
    default:
        return EXIT_BROKEN;
    }
}
