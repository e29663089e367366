#include "chain.h"

#include "json.h"
#include "show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct kept {
    struct kept *next;
    nsws_certificate of; /* its texts are behind this struct; it has no DER */
};

void chain_begin(struct chain *chain) {
    *chain = (struct chain){NULL, &chain->first, 0};
}

void chain_free(struct chain *chain) {
    struct kept *next;
    for (struct kept *it = chain->first; it != NULL; it = next) {
        next = it->next;
        free(it);
    }
    chain_begin(chain);
}

/* Copies a string to where *at is, and moves it behind. */
static const char *keep(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

void chain_keep(nsws_client client, const nsws_certificate *certificate, void *user_data) {
    struct chain *chain = user_data;
    const char *texts[] = {certificate->pem, certificate->fingerprint, certificate->pin,
                           certificate->subject, certificate->issuer};
    size_t size = sizeof(struct kept) + certificate->name_count * sizeof(const char *);
    (void)client;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size += strlen(texts[i]) + 1;
    }
    for (size_t i = 0; i < certificate->name_count; i++) {
        size += strlen(certificate->names[i]) + 1;
    }
    struct kept *kept = malloc(size);
    if (kept == NULL) {
        abort();
    }
    const char **names = (const char **)(kept + 1);
    char *at = (char *)(names + certificate->name_count);
    kept->next = NULL;
    kept->of = *certificate;
    kept->of.der = NULL;
    kept->of.der_length = 0;
    kept->of.pem = keep(&at, certificate->pem);
    kept->of.fingerprint = keep(&at, certificate->fingerprint);
    kept->of.pin = keep(&at, certificate->pin);
    kept->of.subject = keep(&at, certificate->subject);
    kept->of.issuer = keep(&at, certificate->issuer);
    kept->of.names = names;
    for (size_t i = 0; i < certificate->name_count; i++) {
        names[i] = keep(&at, certificate->names[i]);
    }
    *chain->end = kept;
    chain->end = &kept->next;
    chain->count++;
}

const char *chain_pin(const struct chain *chain) {
    return chain->first != NULL ? chain->first->of.pin : "";
}

/* One that can't be read has nothing but its PEM and its fingerprint. */
static bool is_read(const nsws_certificate *certificate) {
    return certificate->pin[0] != '\0';
}

enum { DAY = 24 * 60 * 60, HOUR = 60 * 60 };

/* A second since 1970 as a date, in UTC. */
static const char *date(char text[32], int64_t second, const char *format) {
    time_t time = (time_t)second;
    struct tm parts;
    if (gmtime_r(&time, &parts) == NULL || strftime(text, 32, format, &parts) == 0) {
        text[0] = '\0';
    }
    return text;
}

/* "3 days", "1 hour", "0 hours". */
static const char *span(char text[32], int64_t seconds) {
    int64_t count = seconds >= DAY ? seconds / DAY : seconds / HOUR;
    snprintf(text, 32, "%" PRId64 " %s%s", count, seconds >= DAY ? "day" : "hour",
             count == 1 ? "" : "s");
    return text;
}

static void show_validity(const nsws_certificate *certificate, int64_t now) {
    char first[32], last[32], text[32];
    printf("valid       %s to %s UTC, ",
           date(first, certificate->not_before_s, "%Y-%m-%d %H:%M:%S"),
           date(last, certificate->not_after_s, "%Y-%m-%d %H:%M:%S"));
    const char *bad = show_style("\033[31m"), *end = show_style("\033[0m");
    if (now > certificate->not_after_s) {
        printf("%sexpired%s %s ago\n", bad, end, span(text, now - certificate->not_after_s));
    } else if (now < certificate->not_before_s) {
        printf("%snot yet%s: in %s\n", bad, end, span(text, certificate->not_before_s - now));
    } else {
        printf("%s left\n", span(text, certificate->not_after_s - now));
    }
}

static void show_text(const char *name, const char *text) {
    printf("%-11s ", name);
    show_foreign(stdout, text, strlen(text));
    putchar('\n');
}

void chain_show(const struct chain *chain) {
    size_t number = 0;
    int64_t now = time(NULL);
    for (const struct kept *it = chain->first; it != NULL; it = it->next) {
        printf("\ncertificate %zu of %zu%s\n", ++number, chain->count,
               is_read(&it->of) ? "" : ", which can't be read");
        if (is_read(&it->of)) {
            show_text("subject", it->of.subject);
            show_text("issuer", it->of.issuer);
            printf("names       %s", it->of.name_count == 0 ? "none" : "");
            for (size_t i = 0; i < it->of.name_count; i++) {
                fputs(i == 0 ? "" : ", ", stdout);
                show_foreign(stdout, it->of.names[i], strlen(it->of.names[i]));
            }
            putchar('\n');
            show_validity(&it->of, now);
            show_text("public key", it->of.pin);
        }
        show_text("SHA-256", it->of.fingerprint);
    }
}

void chain_show_pem(const struct chain *chain) {
    for (const struct kept *it = chain->first; it != NULL; it = it->next) {
        fputs(it->of.pem, stdout);
    }
}

/* Whole days from now to then; negative if it was earlier. */
static int64_t days_to(int64_t then, int64_t now) {
    int64_t seconds = then - now;
    return seconds >= 0 ? seconds / DAY : -((-seconds + DAY - 1) / DAY);
}

void chain_show_as_json(const struct chain *chain) {
    static const char iso_8601[] = "%Y-%m-%dT%H:%M:%SZ";
    size_t number = 0;
    int64_t now = time(NULL);
    for (const struct kept *it = chain->first; it != NULL; it = it->next) {
        const nsws_certificate *of = &it->of;
        bool known = is_read(of);
        char first[32], last[32];
        json_begin("certificate");
        json_number("number", (int64_t)++number);
        json_text("subject", of->subject);
        json_text("issuer", of->issuer);
        json_texts("names", of->names, of->name_count);
        json_text("not_before", known ? date(first, of->not_before_s, iso_8601) : "");
        json_text("not_after", known ? date(last, of->not_after_s, iso_8601) : "");
        json_number("days_left", known ? days_to(of->not_after_s, now) : 0);
        json_text("pin", of->pin);
        json_text("fingerprint", of->fingerprint);
        json_text("pem", of->pem);
        json_end();
    }
}
