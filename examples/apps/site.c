#define _DEFAULT_SOURCE /* getifaddrs */

#include "site.h"

#include "../c/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { MOST_OF_A_PAGE = 65536 }; /* nsws_http_answer_set() takes no more */

int site_argument(struct site *site, const char *name, const char *value) {
    if (strcmp(name, "--ip") == 0) {
        site->options.server_ip = value;
    } else if (strcmp(name, "--port") == 0) {
        site->options.server_port = number(value, 65535);
    } else if (strcmp(name, "--page") == 0) {
        site->page_file = value;
    } else if (strcmp(name, "--code") == 0 && strlen(value) < sizeof site->code) {
        strcpy(site->code, value);
    } else {
        return 0;
    }
    return 1;
}

static int read_page(struct site *site) {
    FILE *file = fopen(site->page_file, "rb");

    if (file == NULL) {
        fprintf(stderr, "%s: %s; start this in the project's folder, or give --page\n",
                site->page_file, strerror(errno));
        return 0;
    }
    site->page = malloc(MOST_OF_A_PAGE);
    site->page_length = site->page != NULL ? fread(site->page, 1, MOST_OF_A_PAGE, file) : 0;
    fclose(file);
    return site->page_length > 0;
}

/* Six digits are enough where max_upgrades_per_minute allows an address 50 attempts. */
static int make_code(struct site *site) {
    int is_limited = site->options.max_upgrades_per_minute != 0;
    uint64_t random;

    if (site->code[0] != '\0') {
        return 1;
    }
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        perror("getrandom");
        return 0;
    }
    snprintf(site->code, sizeof site->code, "%0*" PRIu64, is_limited ? 6 : 12,
             random % (is_limited ? 1000000 : 1000000000000));
    return 1;
}

/* Requests that are no WebSocket's. */
static void on_request(nsws_server server, const nsws_http_request *request,
                       nsws_http_answer *answer, void *user_data) {
    static const nsws_header headers[] = {{"Content-Type", "text/html; charset=utf-8"},
                                          {"Cache-Control", "no-store"}};
    static const char lost[] = "There is only one page: /\n";
    const struct site *site = user_data;
    (void)server;

    if (strcspn(request->path, "?") == 1) {
        nsws_http_answer_set(answer, 200, headers, 2, site->page, site->page_length);
    } else {
        nsws_http_answer_set(answer, 404, NULL, 0, lost, sizeof lost - 1);
    }
}

/* What can be typed into a phone. The page takes the code from the part behind the #, which no
 * browser sends. */
static void print_addresses(const struct site *site, uint16_t port) {
    const char *only = site->options.server_ip;
    struct ifaddrs *all = NULL;
    char ip[INET_ADDRSTRLEN];

    if (only != NULL) {
        const char *format =
            strchr(only, ':') != NULL ? "http://[%s]:%u/#%s\n" : "http://%s:%u/#%s\n";
        printf(format, only, (unsigned)port, site->code);
        return;
    }
    if (getifaddrs(&all) != 0) {
        perror("getifaddrs");
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *address =
                (const struct sockaddr_in *)(const void *)one->ifa_addr;
            inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
            printf("http://%s:%u/#%s\n", ip, (unsigned)port, site->code);
        }
    }
    freeifaddrs(all);
}

int site_start(struct site *site, nsws_server server) {
    uint16_t port;

    if (!read_page(site) || !make_code(site)) {
        return 0;
    }
    nsws_server_set_http_hook(server, on_request, site, NULL);
    if (nsws_server_start(server, &site->options) != NSWS_OK ||
        nsws_server_get_port(server, &port) != NSWS_OK) {
        fprintf(stderr, "%s\n", nsws_last_error());
        return 0;
    }
    print_addresses(site, port);
    return 1;
}

uint16_t site_check(const struct site *site, const char *request, const char *path) {
    size_t length = strlen(path);
    char code[sizeof site->code];

    if (strncmp(request, path, length) != 0 ||
        (request[length] != '?' && request[length] != '\0')) {
        return 404;
    }
    return query_value(request, "code", code, sizeof code) && strcmp(code, site->code) == 0 ? 0
                                                                                            : 401;
}

void site_free(struct site *site) {
    free(site->page);
}
