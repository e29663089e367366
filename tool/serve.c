/* Servers: nsws listen, nsws echo, and the host of nsws chat. */

#include "commands.h"
#include "echo.h"
#include "exits.h"
#include "input.h"
#include "json.h"
#include "news.h"
#include "options.h"
#include "session.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct guest {
    struct guest *next;
    nsws_connection connection;
    unsigned number; /* what people see */
    char name[64];
};

struct host {
    const struct options *options;
    nsws_server server;
    struct guest *guests;
    unsigned last_number;
    bool stopping;
    char user[64]; /* of chat: who sits at the terminal */
};

static struct guest *find_guest(struct host *host, nsws_connection connection) {
    struct guest *guest = host->guests;
    while (guest != NULL && guest->connection.id != connection.id) {
        guest = guest->next;
    }
    return guest;
}

static struct guest *add_guest(struct host *host, const struct news *news) {
    struct guest *guest = calloc(1, sizeof *guest);
    if (guest == NULL) {
        abort();
    }
    guest->connection = news->connection;
    guest->number = ++host->last_number;
    snprintf(guest->name, sizeof guest->name, "#%u (%.46s)", guest->number, news->text);
    guest->next = host->guests;
    host->guests = guest;
    return guest;
}

static void remove_guest(struct host *host, struct guest *gone) {
    struct guest **at = &host->guests;
    while (*at != gone) {
        at = &(*at)->next;
    }
    *at = gone->next;
    free(gone);
}

static bool is_chat(const struct host *host) {
    return host->options->command->bit == FOR_CHAT;
}

/* To every guest but one. A guest that can't keep up would miss lines without knowing: it has to
 * leave. */
static void tell_others(struct host *host, const struct guest *but, const void *text,
                        size_t length) {
    for (struct guest *guest = host->guests; guest != NULL; guest = guest->next) {
        if (guest != but &&
            nsws_connection_send_text(guest->connection, text, length) == NSWS_ERR_QUEUE_FULL) {
            nsws_connection_close(guest->connection, 1008, "too slow for this room");
        }
    }
}

static void announce(struct host *host, const struct guest *guest, const char *what) {
    char line[128];
    int length = snprintf(line, sizeof line, "* %s %s", guest->name, what);
    tell_others(host, guest, line, (size_t)length);
}

static void follow(struct host *host, const struct news *news) {
    struct guest *guest =
        news->kind == NEWS_CONNECT ? add_guest(host, news) : find_guest(host, news->connection);
    if (news->kind != NEWS_MESSAGE || host->options->command->bit != FOR_ECHO) {
        show_news(news, guest != NULL ? guest->number : 0);
    }
    if (guest == NULL) {
        return;
    }
    if (news->kind == NEWS_CONNECT && is_chat(host)) {
        announce(host, guest, "has come");
    } else if (news->kind == NEWS_MESSAGE && is_chat(host)) {
        if (news->is_text) {
            tell_others(host, guest, news->data, news->length);
        } else {
            nsws_connection_close(guest->connection, 1003, "this room is for text");
        }
    } else if (news->kind == NEWS_CLOSE) {
        if (is_chat(host)) {
            announce(host, guest, "has left");
        }
        remove_guest(host, guest);
        if (host->options->once) {
            host->stopping = true;
        }
    }
}

static void take_lines(struct host *host) {
    char *line;
    size_t length;
    while ((line = input_line(&length)) != NULL) {
        int32_t code;
        if (is_chat(host)) {
            size_t before = strlen(host->user);
            char *whole = malloc(before + length + 1);
            if (whole == NULL) {
                abort();
            }
            memcpy(whole, host->user, before);
            memcpy(whole + before, line, length);
            code = nsws_server_broadcast(host->server, whole, before + length, 1, NULL);
            free(whole);
        } else {
            code = nsws_server_broadcast(host->server, line, length, !host->options->binary, NULL);
        }
        if (code != NSWS_OK) {
            show_call_failure("not sent");
        } else {
            show_sent(is_chat(host) || !host->options->binary, length);
        }
        free(line);
    }
}

static void show_address(struct host *host) {
    const struct options *options = host->options;
    const char *scheme = options->server.cert_path != NULL ? "wss" : "ws",
               *ip = options->server.server_ip;
    bool v6 = strchr(ip, ':') != NULL;
    uint16_t port = 0;
    char url[128];
    nsws_server_get_port(host->server, &port);
    snprintf(url, sizeof url, "%s://%s%s%s:%u/", scheme, v6 ? "[" : "", ip, v6 ? "]" : "", port);
    if (options->json) {
        json_begin("listening");
        json_text("url", url);
        json_number("port", port);
        json_end();
    } else {
        show_note("Listening at %s; Ctrl-C ends.", url);
    }
}

static int32_t start(struct host *host) {
    int32_t code = nsws_server_create(&host->server);
    if (code == NSWS_OK && !news_listen_to_server(host->server)) {
        code = NSWS_ERR_NO_RESOURCES;
    }
    if (code == NSWS_OK && host->options->command->bit == FOR_ECHO &&
        !echo_messages(host->server)) {
        code = NSWS_ERR_NO_RESOURCES;
    } else if (code == NSWS_OK && host->options->command->bit != FOR_ECHO &&
               !news_listen_to_messages(host->server)) {
        code = NSWS_ERR_NO_RESOURCES;
    }
    return code == NSWS_OK ? nsws_server_start(host->server, &host->options->server) : code;
}

static void serve(struct host *host, bool takes_lines) {
    struct news *news;
    bool stopped = false;
    if (takes_lines && !host->options->json) {
        input_start(is_chat(host) ? host->user : "> ");
    }
    while (!stopped || host->guests != NULL) {
        bool ready = news_wait(takes_lines && !stopped && !input_ended() ? STDIN_FILENO : -1, -1);
        if (ready) {
            input_read();
        }
        while ((news = news_take()) != NULL) {
            follow(host, news);
            free(news);
        }
        if (takes_lines && !stopped) {
            take_lines(host);
        }
        bool asked = interrupts() > 0 || host->stopping ||
                     (takes_lines && input_is_typed() && input_ended());
        if (asked && !stopped) {
            stopped = true;
            nsws_server_stop(host->server);
        }
    }
    input_stop();
}

static int run_server(struct options *options, const char *address) {
    struct host host = {.options = options};
    int exit = EXIT_OK;
    if (!parse_address(address, &options->server)) {
        fprintf(stderr, "nsws %s: \"%s\" is neither PORT nor ADDRESS:PORT\n",
                options->command->name, address);
        return EXIT_USAGE;
    }
    if (!show_start(options)) {
        return EXIT_FAILED;
    }
    options->server.max_send_size = options->server.max_receive_size;
    snprintf(host.user, sizeof host.user, "%.60s: ", options->name != NULL ? options->name : "");
    int32_t code = start(&host);
    if (code == NSWS_OK) {
        show_address(&host);
        serve(&host, options->command->bit != FOR_ECHO);
    } else {
        show_call_failure(address);
        exit = exit_of_call(code);
    }
    news_stop();
    nsws_server_destroy(host.server);
    nsws_shutdown(5000);
    echo_end();
    return show_end() || exit != EXIT_OK ? exit : EXIT_FAILED;
}

int run_listen(struct options *options) {
    return run_server(options, options->operands[0]);
}

int run_echo(struct options *options) {
    return run_server(options, options->operands[0]);
}

static bool is_url(const char *text) {
    return strstr(text, "://") != NULL;
}

int run_chat(struct options *options) {
    char prefix[128];
    if (options->name == NULL) {
        const char *user = getenv("USER");
        options->name = user != NULL && *user != '\0' ? user : "guest";
    }
    if (!is_url(options->operands[0])) {
        return run_server(options, options->operands[0]);
    }
    snprintf(prefix, sizeof prefix, "%.60s: ", options->name);
    return converse(options, options->operands[0], prefix);
}
