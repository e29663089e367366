/* How far a transfer is, on a terminal: drawn again at most ten times a second, and only once it
 * takes half a second. */

#include "clock.h"
#include "show.h"

#include <inttypes.h>
#include <unistd.h>

static uint64_t begun_us, drawn_us, last_done;
static bool drawn;

static void amount(char *text, size_t size, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++) {
        bytes /= 1024;
    }
    snprintf(text, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void show_progress(const char *what, uint64_t done, uint64_t total) {
    char now_text[32], total_text[32], rate_text[32];
    uint64_t now = clock_us();
    if (begun_us == 0 || done < last_done) {
        begun_us = now;
    }
    last_done = done;
    if (!show_wants_progress() || now - begun_us < 500000 || now - drawn_us < 100000) {
        return;
    }
    drawn_us = now;
    drawn = true;
    amount(now_text, sizeof now_text, (double)done);
    amount(rate_text, sizeof rate_text, (double)done * 1e6 / (double)(now - begun_us));
    if (total > 0) {
        enum { COLUMNS = 24 };
        int full = (int)(done * COLUMNS / total);
        amount(total_text, sizeof total_text, (double)total);
        fprintf(stderr, "\r\033[K%s %s of %s [%.*s%*s] %3" PRIu64 "%%, %s/s", what, now_text,
                total_text, full, "========================", COLUMNS - full, "",
                done * 100 / total, rate_text);
    } else {
        fprintf(stderr, "\r\033[K%s %s, %s/s", what, now_text, rate_text);
    }
}

void show_progress_end(void) {
    if (drawn) {
        fputs("\r\033[K", stderr);
        drawn = false;
    }
    begun_us = 0;
}
