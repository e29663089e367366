/* Pings, one after the other, and how long their answers take: nsws ping. */

#include "clock.h"
#include "commands.h"
#include "exits.h"
#include "json.h"
#include "session.h"
#include "show.h"

#include <inttypes.h>

struct rounds {
    struct session session;
    uint32_t sent, answered;
    uint64_t least_us, most_us, sum_us;
};

static nsws_client_stats stats_now(const struct rounds *rounds) {
    nsws_client_stats stats = {0};
    nsws_client_get_stats(rounds->session.client, &stats, sizeof stats);
    return stats;
}

static void wait_until(struct rounds *rounds, uint64_t deadline_us) {
    struct session *session = &rounds->session;
    for (uint64_t now = clock_us(); !session->over && !session->closing && now < deadline_us;
         now = clock_us()) {
        session_wait(session, -1, (int)((deadline_us - now) / 1000 + 1));
    }
}

/* The time of a ping, or 0 when none came in time. No event tells of a pong: a figure changes. */
static uint64_t ping(struct rounds *rounds) {
    struct session *session = &rounds->session;
    uint64_t before = stats_now(rounds).pings_answered;
    uint64_t deadline = clock_us() + (uint64_t)session->options->timeout_ms * 1000;
    if (nsws_client_ping(session->client, NULL, 0) != NSWS_OK) {
        session->opened = false; /* `close` is on its way */
        return 0;
    }
    while (!session->over && !session->closing && clock_us() < deadline) {
        session_wait(session, -1, 1);
        nsws_client_stats stats = stats_now(rounds);
        if (stats.pings_answered > before) {
            return stats.rtt_us;
        }
    }
    return 0;
}

static void show_ping(struct rounds *rounds, uint64_t us) {
    if (rounds->session.options->json) {
        json_begin("ping");
        json_number("sequence", rounds->sent);
        json_number("rtt_us", (int64_t)us);
        json_end();
    } else if (us > 0 && !rounds->session.options->quiet) {
        printf("pong %" PRIu32 ": %.3f ms\n", rounds->sent, (double)us / 1000);
        fflush(stdout);
    } else if (us == 0) {
        printf("pong %" PRIu32 ": none\n", rounds->sent);
        fflush(stdout);
    }
}

static void show_summary(const struct rounds *rounds) {
    double mean = rounds->answered > 0 ? (double)rounds->sum_us / rounds->answered : 0;
    if (rounds->session.options->json) {
        json_begin("pings");
        json_number("sent", rounds->sent);
        json_number("answered", rounds->answered);
        json_number("min_us", (int64_t)rounds->least_us);
        json_decimal("mean_us", mean);
        json_number("max_us", (int64_t)rounds->most_us);
        json_end();
        return;
    }
    printf("%" PRIu32 " pings, %" PRIu32 " answered", rounds->sent, rounds->answered);
    if (rounds->answered > 0) {
        printf("; fastest %.3f ms, mean %.3f ms, slowest %.3f ms", (double)rounds->least_us / 1000,
               mean / 1000, (double)rounds->most_us / 1000);
    }
    putchar('\n');
}

static void wait_for_open(struct session *session) {
    while (!session->over && !session->closing && !session->opened) {
        session_wait(session, -1, -1);
    }
}

static void ping_on(struct rounds *rounds) {
    struct session *session = &rounds->session;
    const struct options *options = session->options;
    wait_for_open(session);
    session->resting = session->opened;
    while (!session->over && !session->closing &&
           (options->count == 0 || rounds->sent < options->count)) {
        uint64_t next = clock_us() + (uint64_t)options->interval_ms * 1000;
        wait_for_open(session); /* again, after a connection was lost */
        uint64_t us = ping(rounds);
        if (us == 0 && (session->over || session->closing)) {
            break;
        }
        rounds->sent++;
        if (us > 0) {
            rounds->least_us =
                rounds->answered == 0 || us < rounds->least_us ? us : rounds->least_us;
            rounds->most_us = us > rounds->most_us ? us : rounds->most_us;
            rounds->sum_us += us;
            rounds->answered++;
        }
        show_ping(rounds, us);
        if (options->count == 0 || rounds->sent < options->count) {
            wait_until(rounds, next);
        }
    }
    if (!session->over && !session->closing) {
        session_close(session, 1000, "");
    }
    while (!session->over) {
        session_wait(session, -1, -1);
    }
}

int run_ping(struct options *options) {
    struct rounds rounds = {0};
    options->client.ping_interval_ms = 0; /* the heartbeat's pings would set the figure too */
    if (session_start(&rounds.session, options, options->operands[0])) {
        ping_on(&rounds);
        if (rounds.session.resting) {
            show_summary(&rounds);
        }
        if (rounds.session.exit == EXIT_OK && rounds.answered < rounds.sent) {
            rounds.session.exit = EXIT_TIMEOUT;
        }
    }
    return session_end(&rounds.session);
}
