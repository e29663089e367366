#include "show.h"

#include "input.h"
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct options *asked;
static FILE *output;
static bool output_failed;
static uint64_t output_length; /* of the message that arrives */
static bool colored[3];        /* by descriptor */

static bool wants_color(int fd) {
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (asked->color != COLOR_AUTO) {
        return asked->color == COLOR_ALWAYS;
    }
    return isatty(fd) && (no == NULL || *no == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

bool show_start(const struct options *options) {
    asked = options;
    colored[STDOUT_FILENO] = wants_color(STDOUT_FILENO);
    colored[STDERR_FILENO] = wants_color(STDERR_FILENO);
    if (options->verbose) {
        news_listen_to_log();
    }
    if (options->output != NULL) {
        output = fopen(options->output, "wb");
        if (output == NULL) {
            show_failure("can't write %s: %s", options->output, strerror(errno));
        }
        return output != NULL;
    }
    return true;
}

bool show_end(void) {
    show_progress_end();
    if (output != NULL && fclose(output) != 0) {
        output_failed = true;
    }
    output = NULL;
    if (output_failed) {
        show_failure("%s is not complete: %s", asked->output, strerror(errno));
    }
    return !output_failed;
}

bool show_wants_progress(void) {
    return isatty(STDERR_FILENO) && !asked->quiet && !asked->json;
}

static const char *style(int fd, const char *sequence) {
    return colored[fd] ? sequence : "";
}

const char *show_style(const char *sequence) {
    return style(STDOUT_FILENO, sequence);
}

void show_foreign(FILE *out, const void *text, size_t length) {
    const uint8_t *bytes = text;
    if (!isatty(fileno(out))) {
        fwrite(bytes, 1, length, out);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7f) {
            fprintf(out, "^%c", bytes[i] ^ 0x40);
        } else if (bytes[i] == 0xc2 && i + 1 < length && bytes[i + 1] >= 0x80 &&
                   bytes[i + 1] < 0xa0) {
            fputc('?', out); /* a control character of ISO 6429 */
            i++;
        } else {
            fputc(bytes[i], out);
        }
    }
}

static void foreign_string(FILE *out, const char *text) {
    show_foreign(out, text, strlen(text));
}

void show_note(const char *format, ...) {
    va_list arguments;
    if (asked->quiet || asked->json) {
        return;
    }
    input_hide();
    show_progress_end();
    fputs(style(STDERR_FILENO, "\033[2m"), stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", style(STDERR_FILENO, "\033[0m"));
    input_show();
}

void show_failure(const char *format, ...) {
    va_list arguments;
    input_hide();
    show_progress_end();
    fprintf(stderr, "%snsws: ", style(STDERR_FILENO, "\033[31m"));
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", style(STDERR_FILENO, "\033[0m"));
    input_show();
}

void show_call_failure(const char *what) {
    show_failure("%s: %s", what, nsws_last_error());
}

const char *show_url(const char *url) {
    static char shown[4096];
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *start = host;
    for (size_t i = 0; i < authority; i++) {
        start = host[i] == '@' ? host + i + 1 : start;
    }
    snprintf(shown, sizeof shown, "%.*s%s", (int)(host - url), url, start);
    return shown;
}

void show_connecting(const char *url) {
    if (asked->json) {
        json_begin("connecting");
        json_text("url", show_url(url));
        json_end();
    }
}

void show_sent(bool is_text, uint64_t length) {
    if (asked->json) {
        json_begin("sent");
        json_text("kind", is_text ? "text" : "binary");
        json_number("length", (int64_t)length);
        json_end();
    }
}

/* A bar of 40 columns, from `start` to `end` of `all`. */
static void bar(uint64_t start, uint64_t end, uint64_t all, const char *background) {
    enum { COLUMNS = 40 };
    unsigned from = (unsigned)(start * COLUMNS / all), to = (unsigned)(end * COLUMNS / all);
    if (from == COLUMNS) {
        from--;
    }
    to = end > start && to == from ? from + 1 : to;
    fprintf(stderr, "%*s%s", (int)from, "", style(STDERR_FILENO, background));
    for (unsigned i = from; i < to; i++) {
        fputc(colored[STDERR_FILENO] ? ' ' : '=', stderr);
    }
    fprintf(stderr, "%s\n", style(STDERR_FILENO, "\033[0m"));
}

static void waterfall(const nsws_client_stats *stats) {
    const struct {
        const char *name;
        uint64_t us;
        const char *background;
    } steps[] = {{"dns", stats->dns_us, "\033[46m"},
                 {"tcp", stats->tcp_us, "\033[44m"},
                 {"tls", stats->tls_us, "\033[45m"},
                 {"handshake", stats->handshake_us, "\033[42m"}};
    uint64_t all = stats->dns_us + stats->tcp_us + stats->tls_us + stats->handshake_us, start = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        fprintf(stderr, "  %-10s%9.3f ms  ", steps[i].name, (double)steps[i].us / 1000);
        bar(start, start + steps[i].us, all > 0 ? all : 1, steps[i].background);
        start += steps[i].us;
    }
    fprintf(stderr, "  %-10s%9.3f ms%s\n", "all", (double)all / 1000,
            stats->tls_resumed ? "  (tls went on from an earlier session)" : "");
}

static void show_open(const struct news *news) {
    if (asked->quiet && !asked->timing) {
        return;
    }
    fprintf(stderr, "%sConnected", style(STDERR_FILENO, "\033[32m"));
    if (*news->protocol != '\0') {
        fputs(", sub-protocol ", stderr);
        foreign_string(stderr, news->protocol);
    }
    if (*news->extensions != '\0') {
        fputs(", ", stderr);
        foreign_string(stderr, news->extensions);
    }
    fprintf(stderr, ".%s\n", style(STDERR_FILENO, "\033[0m"));
    if (asked->timing || (isatty(STDERR_FILENO) && input_is_typed())) {
        waterfall(&news->stats);
    }
}

static void show_headers(const struct news *news, const char *mark) {
    const char *at = news->headers;
    for (size_t i = 0; i < news->header_count; i++) {
        const char *value = at + strlen(at) + 1;
        fprintf(stderr, "%s ", mark);
        foreign_string(stderr, at);
        fputs(": ", stderr);
        foreign_string(stderr, value);
        fputc('\n', stderr);
        at = value + strlen(value) + 1;
    }
}

static void show_message(const struct news *news, unsigned number) {
    if (number > 0) {
        printf("%s#%u%s ", show_style("\033[36m"), number, show_style("\033[0m"));
    } else if (input_is_typed() && asked->command->bit == FOR_CONNECT) {
        printf("%s<%s ", show_style("\033[36m"), show_style("\033[0m"));
    }
    if (news->is_text) {
        show_foreign(stdout, news->data, news->length);
    } else {
        printf("binary, %zu bytes", news->length);
        for (size_t i = 0; i < news->length && i < 16; i++) {
            printf("%s%02x", i == 0 ? ": " : " ", news->data[i]);
        }
        fputs(news->length > 16 ? " ..." : "", stdout);
    }
    putchar('\n');
    fflush(stdout);
}

static void show_error(const struct news *news) {
    fprintf(stderr, "%snsws: ", style(STDERR_FILENO, "\033[31m"));
    foreign_string(stderr, news->text);
    int32_t code = news->detail != 0 ? news->detail : news->code;
    fprintf(stderr, "%s\n      %s; \"nsws explain %" PRId32 "\" tells more\n",
            style(STDERR_FILENO, "\033[0m"), nsws_error_name(code), code);
}

static void show_close(const struct news *news, unsigned number) {
    if (asked->quiet) {
        return;
    }
    fputs(style(STDERR_FILENO, "\033[2m"), stderr);
    if (number > 0) {
        fprintf(stderr, "#%u: ", number);
    }
    fprintf(stderr, "Closed, %" PRId32, news->code);
    if (*news->text != '\0') {
        fputs(" \"", stderr);
        foreign_string(stderr, news->text);
        fputc('"', stderr);
    }
    fprintf(stderr, "%s.%s\n", news->was_clean ? "" : ", not cleanly",
            style(STDERR_FILENO, "\033[0m"));
}

static void show_for_people(const struct news *news, unsigned number) {
    switch (news->kind) {
    case NEWS_HEADER:
        if (asked->verbose) {
            show_headers(news, "<");
        }
        break;
    case NEWS_OPEN:
        show_open(news);
        break;
    case NEWS_CONNECT:
        if (!asked->quiet) {
            fprintf(stderr, "%s#%u: %s, port %u, connects: ", style(STDERR_FILENO, "\033[32m"),
                    number, news->text, news->port);
            foreign_string(stderr, news->path);
            fprintf(stderr, "%s\n", style(STDERR_FILENO, "\033[0m"));
        }
        if (asked->verbose) {
            show_headers(news, ">");
        }
        break;
    case NEWS_MESSAGE:
        show_message(news, number);
        break;
    case NEWS_CLOSE:
        show_close(news, number);
        break;
    case NEWS_ERROR:
        show_error(news);
        break;
    case NEWS_RECONNECTING:
        if (!asked->quiet) {
            fprintf(stderr, "Trying again in %.1f s (attempt %" PRIu32 ").\n",
                    news->delay_ms / 1000.0, news->attempt);
        }
        break;
    case NEWS_LOG:
        fprintf(stderr, "%slog %" PRId32 ": %s%s\n", style(STDERR_FILENO, "\033[2m"), news->code,
                news->text, style(STDERR_FILENO, "\033[0m"));
        break;
    case NEWS_DRAIN:
    case NEWS_DONE:
        break;
    }
}

/* A part goes into the file; the message is news with its last one. */
static bool write_output(const struct news *news) {
    output_length = news->is_first ? 0 : output_length;
    output_length += news->length;
    if (fwrite(news->data, 1, news->length, output) != news->length ||
        (news->is_last && fflush(output) != 0)) {
        output_failed = true;
    }
    if (!news->is_last) {
        show_progress("received", output_length, 0);
    }
    return news->is_last;
}

void show_news(const struct news *news, unsigned number) {
    bool to_file = news->kind == NEWS_MESSAGE && output != NULL;
    if (to_file && !write_output(news)) {
        return;
    }
    if (asked->json) {
        show_as_json(news, number, output != NULL ? asked->output : NULL, output_length);
        return;
    }
    input_hide();
    show_progress_end();
    if (!to_file) {
        show_for_people(news, number);
    } else if (!asked->quiet) {
        fprintf(stderr, "Received %" PRIu64 " bytes, written to %s.\n", output_length,
                asked->output);
    }
    input_show();
}

void show_stats(nsws_client client) {
    nsws_client_stats stats;
    if (nsws_client_get_stats(client, &stats, sizeof stats) != NSWS_OK) {
        show_call_failure("no figures");
        return;
    }
    if (asked->json) {
        show_stats_as_json(&stats);
        return;
    }
    input_hide();
    fprintf(stderr,
            "sent      %" PRIu64 " messages, %" PRIu64 " bytes; %" PRIu64 " bytes wait\n"
            "received  %" PRIu64 " messages, %" PRIu64 " bytes\n",
            stats.messages_sent, stats.bytes_sent, stats.queued_bytes, stats.messages_received,
            stats.bytes_received);
    if (stats.rtt_us > 0) {
        fprintf(stderr, "last ping %.3f ms\n", (double)stats.rtt_us / 1000);
    }
    waterfall(&stats);
    input_show();
}
