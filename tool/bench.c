/* Measures an echo server: each connection keeps some messages under way and sends one for each
 * that comes back. */

#include "clock.h"
#include "commands.h"
#include "exits.h"
#include "json.h"
#include "news.h"
#include "options.h"
#include "show.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Times in microseconds: exact below 64, then 32 steps for each doubling. */
enum { STEPS = 32, BUCKETS = 64 + 58 * STEPS };

struct bench;

/* One connection. After the start only its own callbacks use it, which run one at a time. */
struct line {
    struct bench *bench;
    nsws_client client;
    uint64_t sent, received;
    uint64_t *sent_at; /* a ring of as many as are under way */
    bool done;
    atomic_bool started; /* what came before, such as a greeting, is no echo */
};

struct bench {
    const struct options *options;
    struct line *lines;
    uint8_t *payload;
    atomic_bool stop;
    atomic_uint_fast64_t buckets[BUCKETS], messages, slowest_us;
};

static size_t bucket_of(uint64_t us) {
    if (us < 64) {
        return us;
    }
    unsigned shift = 0;
    while (us >> shift >= 64) {
        shift++;
    }
    return 64 + (size_t)(shift - 1) * STEPS + (size_t)((us >> shift) - 32);
}

static uint64_t time_of(size_t bucket) {
    if (bucket < 64) {
        return bucket;
    }
    size_t shift = (bucket - 64) / STEPS + 1;
    return (uint64_t)((bucket - 64) % STEPS + 32) << shift;
}

static int32_t send_one(struct line *line) {
    const struct options *options = line->bench->options;
    line->sent_at[line->sent % options->window] = clock_us();
    int32_t code = options->binary
                       ? nsws_client_send_binary(line->client, line->bench->payload, options->size)
                       : nsws_client_send_text(line->client, (const char *)line->bench->payload,
                                               options->size);
    line->sent += code == NSWS_OK;
    return code;
}

static bool wants_more(const struct line *line) {
    uint32_t count = line->bench->options->count;
    return !atomic_load_explicit(&line->bench->stop, memory_order_relaxed) &&
           (count == 0 || line->sent < count);
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user_data) {
    struct line *line = user_data;
    struct bench *bench = line->bench;
    (void)client, (void)event;
    if (!atomic_load(&line->started)) {
        return;
    }
    uint64_t us = clock_us() - line->sent_at[line->received++ % bench->options->window];
    uint64_t slowest = atomic_load_explicit(&bench->slowest_us, memory_order_relaxed);
    while (us > slowest && !atomic_compare_exchange_weak(&bench->slowest_us, &slowest, us)) {
    }
    atomic_fetch_add_explicit(&bench->buckets[bucket_of(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&bench->messages, 1, memory_order_relaxed);
    if (wants_more(line)) {
        send_one(line);
    } else if (line->received == line->sent && !line->done) {
        line->done = true;
        news_push(news_new(NEWS_DONE, 0));
    }
}

static uint64_t percentile(const struct bench *bench, uint64_t all, double part) {
    uint64_t wanted = (uint64_t)((double)all * part), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += atomic_load(&bench->buckets[i]);
        if (seen > wanted) {
            return time_of(i);
        }
    }
    return atomic_load(&bench->slowest_us);
}

static void report(struct bench *bench, double seconds) {
    const struct options *options = bench->options;
    uint64_t all = atomic_load(&bench->messages), slowest = atomic_load(&bench->slowest_us);
    double rate = (double)all / seconds, bytes = rate * (double)options->size;
    uint64_t half = percentile(bench, all, 0.5), p90 = percentile(bench, all, 0.9),
             p99 = percentile(bench, all, 0.99);
    if (options->json) {
        json_begin("bench");
        json_number("connections", options->connections);
        json_number("size", (int64_t)options->size);
        json_number("window", options->window);
        json_number("messages", (int64_t)all);
        json_decimal("seconds", seconds);
        json_decimal("messages_per_second", rate);
        json_decimal("bytes_per_second", bytes);
        json_number("p50_us", (int64_t)half);
        json_number("p90_us", (int64_t)p90);
        json_number("p99_us", (int64_t)p99);
        json_number("max_us", (int64_t)slowest);
        json_end();
        return;
    }
    printf("%" PRIu64 " messages of %" PRIu64 " bytes there and back in %.2f s, %" PRIu32
           " connections, %" PRIu32 " under way each\n",
           all, options->size, seconds, options->connections, options->window);
    printf("  %s%.0f messages/s%s, %.1f MB/s each way\n", show_style("\033[1m"), rate,
           show_style("\033[0m"), bytes / 1e6);
    printf("  latency: 50 %% %.3f ms, 90 %% %.3f ms, 99 %% %.3f ms, slowest %.3f ms\n",
           (double)half / 1000, (double)p90 / 1000, (double)p99 / 1000, (double)slowest / 1000);
}

/* Waits until so many pieces of news of a kind have come, or the time is over (0: never). Returns
 * an exit code once a connection fails. */
static int wait_for(enum news_kind kind, uint32_t count, uint64_t deadline_us) {
    int exit = EXIT_OK;
    while (count > 0 && exit == EXIT_OK && interrupts() == 0) {
        struct news *news;
        uint64_t now = clock_us();
        if (deadline_us != 0 && now >= deadline_us) {
            return EXIT_TIMEOUT;
        }
        news_wait(-1, deadline_us != 0 ? (int)((deadline_us - now) / 1000 + 1) : -1);
        while ((news = news_take()) != NULL) {
            count -= news->kind == kind && count > 0;
            if (news->kind == NEWS_ERROR || news->kind == NEWS_LOG) {
                show_news(news, 0);
            }
            if (news->kind == NEWS_ERROR) {
                exit = exit_of_attempt(news->code, news->detail, news->phase);
            } else if (news->kind == NEWS_CLOSE && exit == EXIT_OK) {
                show_failure("the server closed a connection: %d %s", (int)news->code, news->text);
                exit = news->was_clean ? EXIT_CLOSED : EXIT_BROKEN;
            }
            free(news);
        }
    }
    return exit;
}

static int connect_all(struct bench *bench) {
    const struct options *options = bench->options;
    for (uint32_t i = 0; i < options->connections; i++) {
        struct line *line = &bench->lines[i];
        line->bench = bench;
        line->sent_at = calloc(options->window, sizeof *line->sent_at);
        int32_t code =
            line->sent_at == NULL ? NSWS_ERR_NO_RESOURCES : nsws_client_create(&line->client);
        if (code == NSWS_OK &&
            !(news_listen_to_client(line->client) &&
              nsws_client_off_message(line->client, NULL, NULL) == NSWS_OK &&
              nsws_client_on_message(line->client, on_message, line, NULL) == NSWS_OK)) {
            code = NSWS_ERR_NO_RESOURCES;
        }
        code = code == NSWS_OK
                   ? nsws_client_connect(line->client, options->operands[0], &options->client)
                   : code;
        if (code != NSWS_OK) {
            show_call_failure(show_url(options->operands[0]));
            return exit_of_call(code);
        }
    }
    return wait_for(NEWS_OPEN, options->connections, 0);
}

/* The first messages go out on this thread. No echo of theirs is delivered until the client reads
 * on, so that no callback uses the line meanwhile. */
static int start_all(struct bench *bench) {
    for (uint32_t i = 0; i < bench->options->connections; i++) {
        struct line *line = &bench->lines[i];
        nsws_client_pause(line->client);
        nsws_client_cork(line->client);
        for (uint32_t k = 0; k < bench->options->window && wants_more(line); k++) {
            int32_t code = send_one(line);
            if (code != NSWS_OK) {
                show_call_failure("not sent");
                return exit_of_call(code);
            }
        }
        atomic_store(&line->started, true);
        nsws_client_uncork(line->client);
        nsws_client_resume(line->client);
    }
    return EXIT_OK;
}

static int measure(struct bench *bench) {
    const struct options *options = bench->options;
    int exit = connect_all(bench);
    if (exit != EXIT_OK || interrupts() > 0) {
        return exit;
    }
    show_note("Connected %u times; measuring.", (unsigned)options->connections);
    uint64_t start = clock_us();
    exit = start_all(bench);
    if (exit == EXIT_OK) {
        exit = wait_for(NEWS_DONE, options->connections,
                        options->count > 0 ? 0 : start + (uint64_t)options->duration_ms * 1000);
    }
    double seconds = (double)(clock_us() - start + 1) / 1e6;
    atomic_store(&bench->stop, true);
    if (exit == EXIT_TIMEOUT) {
        exit = EXIT_OK; /* as asked */
    }
    if (exit == EXIT_OK) {
        report(bench, seconds);
    }
    return exit;
}

int run_bench(struct options *options) {
    struct bench *bench = calloc(1, sizeof *bench);
    nsws_runtime_options threads;
    bench->lines = calloc(options->connections, sizeof *bench->lines);
    bench->payload = malloc(options->size + 1);
    if (bench->lines == NULL || bench->payload == NULL) {
        abort();
    }
    bench->options = options;
    memset(bench->payload, 'x', options->size);
    options->client.max_send_size = options->client.max_receive_size = options->size + 1;
    uint64_t room = (options->size + 64) * options->window * 2;
    if (room > options->client.send_queue_size) {
        options->client.send_queue_size = room < SIZE_MAX / 2 ? (size_t)room : SIZE_MAX / 2;
    }
    nsws_runtime_options_init(&threads, sizeof threads);
    threads.io_threads = options->threads;
    int exit = EXIT_USAGE;
    if (nsws_runtime_configure(&threads) != NSWS_OK) {
        show_call_failure("--threads");
    } else if (show_start(options)) {
        exit = measure(bench);
    }
    for (uint32_t i = 0; i < options->connections; i++) {
        nsws_client_close(bench->lines[i].client, 1000, "");
    }
    news_stop();
    nsws_shutdown(5000);
    for (uint32_t i = 0; i < options->connections; i++) {
        free(bench->lines[i].sent_at);
    }
    free(bench->lines);
    free(bench->payload);
    free(bench);
    return show_end() ? exit : EXIT_FAILED;
}
