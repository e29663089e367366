/* The values that options take, read from text. */

#include "options.h"

#include <stdlib.h>
#include <string.h>

bool parse_time(const char *text, uint32_t *out_ms) {
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    double value = strtod(text, &end);
    double unit = strcmp(end, "ms") == 0                          ? 1
                  : strcmp(end, "") == 0 || strcmp(end, "s") == 0 ? 1000
                  : strcmp(end, "m") == 0                         ? 60000
                  : strcmp(end, "h") == 0                         ? 3600000
                                                                  : 0;
    value = value * unit + 0.5;
    if (unit == 0 || !(value < UINT32_MAX)) {
        return false;
    }
    *out_ms = (uint32_t)value;
    return true;
}

bool parse_size(const char *text, uint64_t *out) {
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    unsigned long long value = strtoull(text, &end, 10);
    int shift = strcmp(end, "") == 0    ? 0
                : strcmp(end, "K") == 0 ? 10
                : strcmp(end, "M") == 0 ? 20
                : strcmp(end, "G") == 0 ? 30
                                        : -1;
    if (shift < 0 || value > UINT64_MAX >> shift) {
        return false;
    }
    *out = (uint64_t)value << shift;
    return true;
}

bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out) {
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value < least || value > most) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Replaces %XX by what it stands for, in place. */
static bool decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '%') {
            int high = hex_digit(from[1]), low = high >= 0 ? hex_digit(from[2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                return false;
            }
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return true;
}

/* Cuts the port off "HOST:PORT" or "[HOST]:PORT". Without one, *out_port stays. */
static bool cut_port(char *host, uint32_t *out_port) {
    char *bracket = strrchr(host, ']');
    char *colon = strchr(bracket != NULL ? bracket : host, ':');
    if (colon == NULL) {
        return *host != '\0';
    }
    *colon = '\0';
    return *host != '\0' && parse_number(colon + 1, 1, 65535, out_port);
}

bool parse_proxy(const char *text, nsws_connect_options *client) {
    static const struct {
        const char *scheme;
        uint8_t mode;
    } schemes[] = {{"http://", NSWS_PROXY_HTTP},
                   {"socks5://", NSWS_PROXY_SOCKS5},
                   {"socks5h://", NSWS_PROXY_SOCKS5}};
    client->proxy_host = client->proxy_username = client->proxy_password = NULL;
    client->proxy_port = 0;
    if (strcmp(text, "none") == 0) {
        client->proxy_mode = NSWS_PROXY_NONE;
        return true;
    }
    client->proxy_mode = strstr(text, "://") == NULL ? NSWS_PROXY_HTTP : NSWS_PROXY_SYSTEM;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t length = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, length) == 0) {
            client->proxy_mode = schemes[i].mode;
            text += length;
            break;
        }
    }
    if (client->proxy_mode == NSWS_PROXY_SYSTEM) {
        return false; /* another scheme */
    }
    static char copy[1024]; /* which the options point into */
    char *host = copy;
    size_t length = strlen(text);
    if (length >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, length + 1);
    if (length > 0 && host[length - 1] == '/') {
        host[length - 1] = '\0';
    }
    char *at = strrchr(host, '@');
    if (at != NULL) {
        char *user = host;
        *at = '\0';
        host = at + 1;
        char *colon = strchr(user, ':');
        if (colon != NULL) {
            *colon = '\0';
            client->proxy_password = colon + 1;
            if (!decode(colon + 1)) {
                return false;
            }
        }
        client->proxy_username = user;
        if (!decode(user)) {
            return false;
        }
    }
    client->proxy_port = 1080; /* as where the environment names none */
    client->proxy_host = host;
    return cut_port(host, &client->proxy_port);
}

bool parse_address(const char *text, nsws_server_options *server) {
    const char *colon = strrchr(text, ':');
    const char *port = colon != NULL ? colon + 1 : text;
    if (!parse_number(port, 0, 65535, &server->server_port)) {
        return false;
    }
    server->server_ip = "127.0.0.1";
    if (colon != NULL) {
        static char copy[64]; /* which the options point into */
        size_t length = (size_t)(colon - text);
        bool bracketed = text[0] == '[' && length > 1 && text[length - 1] == ']';
        text += bracketed;
        length -= bracketed ? 2 : 0;
        if (length == 0 || length >= sizeof copy) {
            return false;
        }
        memcpy(copy, text, length);
        copy[length] = '\0';
        server->server_ip = copy;
    }
    return true;
}
