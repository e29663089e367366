/* Events as JSON: tool/events.schema.json has what they hold. */

#include "json.h"
#include "show.h"

static void timing_as_json(const nsws_client_stats *stats) {
    json_number("dns_us", (int64_t)stats->dns_us);
    json_number("tcp_us", (int64_t)stats->tcp_us);
    json_number("tls_us", (int64_t)stats->tls_us);
    json_number("handshake_us", (int64_t)stats->handshake_us);
    json_bool("tls_resumed", stats->tls_resumed);
}

static void error_as_json(const struct news *news) {
    json_number("code", news->code);
    json_text("name", nsws_error_name(news->code));
    json_number("detail", news->detail);
    json_text("detail_name", news->detail != 0 ? nsws_error_name(news->detail) : "");
    json_text("phase", nsws_phase_name(news->phase));
    json_number("os_error", news->os_error);
    json_number("http_status", news->http_status);
    json_text("message", news->text);
}

void show_as_json(const struct news *news, unsigned number, const char *file,
                  uint64_t file_length) {
    static const char *const events[] = {
        [NEWS_HEADER] = "header",   [NEWS_OPEN] = "open",   [NEWS_MESSAGE] = "message",
        [NEWS_CLOSE] = "close",     [NEWS_ERROR] = "error", [NEWS_RECONNECTING] = "reconnecting",
        [NEWS_CONNECT] = "connect", [NEWS_LOG] = "log"};
    if (news->kind == NEWS_DRAIN || news->kind == NEWS_DONE) {
        return;
    }
    json_begin(events[news->kind]);
    if (number > 0) {
        json_number("connection", number);
    }
    switch (news->kind) {
    case NEWS_HEADER:
        json_number("status", news->code);
        json_headers("headers", news->headers, news->header_count);
        break;
    case NEWS_OPEN:
        json_number("status", news->code);
        json_text("protocol", news->protocol);
        json_text("extensions", news->extensions);
        timing_as_json(&news->stats);
        break;
    case NEWS_CONNECT:
        json_text("address", news->text);
        json_number("port", news->port);
        json_text("path", news->path);
        json_text("protocol", news->protocol);
        json_text("extensions", news->extensions);
        json_headers("headers", news->headers, news->header_count);
        break;
    case NEWS_MESSAGE:
        json_text("kind", news->is_text ? "text" : "binary");
        if (file != NULL) {
            json_number("length", (int64_t)file_length);
            json_text("file", file);
        } else {
            json_number("length", (int64_t)news->length);
            if (news->is_text) {
                json_bytes_as_text("text", news->data, news->length);
            } else {
                json_base64("base64", news->data, news->length);
            }
        }
        break;
    case NEWS_CLOSE:
        json_number("code", news->code);
        json_text("reason", news->text);
        json_bool("clean", news->was_clean);
        break;
    case NEWS_ERROR:
        error_as_json(news);
        break;
    case NEWS_RECONNECTING:
        json_number("attempt", news->attempt);
        json_number("delay_ms", news->delay_ms);
        break;
    case NEWS_LOG:
        json_number("level", news->code);
        json_text("line", news->text);
        break;
    case NEWS_DRAIN:
    case NEWS_DONE:
        break;
    }
    json_end();
}

void show_stats_as_json(const nsws_client_stats *stats) {
    json_begin("stats");
    json_number("messages_sent", (int64_t)stats->messages_sent);
    json_number("messages_received", (int64_t)stats->messages_received);
    json_number("bytes_sent", (int64_t)stats->bytes_sent);
    json_number("bytes_received", (int64_t)stats->bytes_received);
    json_number("queued_bytes", (int64_t)stats->queued_bytes);
    json_number("rtt_us", (int64_t)stats->rtt_us);
    timing_as_json(stats);
    json_end();
}
