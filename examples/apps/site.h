/* What the examples with a web page share: the page, which the server itself serves, so that one
 * program is all that a phone needs; the code that a client must know; and the options that both
 * have. */

#ifndef EXAMPLES_SITE_H
#define EXAMPLES_SITE_H

#include <netstack_websocket.h>

/* Set page_file and options before the server starts, and only read it afterwards. */
struct site {
    nsws_server_options options;
    const char *page_file;
    char *page;
    size_t page_length;
    char code[16]; /* "": site_start() makes one */
};

#define SITE_USAGE                                                                                 \
    "  --ip ADDRESS   listen on this address only (every IPv4 address)\n"                          \
    "  --port PORT    listen on this port; 0: the system picks one (8080)\n"                       \
    "  --code CODE    what a client must know (new digits at each start)\n"                        \
    "  --page FILE    the page (%s)\n"

/* Returns 1 if it knows the argument. */
int site_argument(struct site *site, const char *name, const char *value);

/* Starts the server and prints its addresses. On failure it says why and returns 0. */
int site_start(struct site *site, nsws_server server);

/* For the accept hook: 0 if the request is for this path and has the code, else the status. */
uint16_t site_check(const struct site *site, const char *request, const char *path);

/* After nsws_server_destroy(). */
void site_free(struct site *site);

#endif
