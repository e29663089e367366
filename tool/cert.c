/* Checks a server's certificate and shows its public key's pin: nsws cert.
 *
 * The library has no call that shows certificates. It says what is wrong with one, and a pin that
 * can't match makes it name the right one, so three short connections tell what can be told.
 */

#include "commands.h"
#include "exits.h"
#include "json.h"
#include "news.h"
#include "options.h"
#include "show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The pin of no key: 32 zero bytes are nobody's hash. */
static const char nobodys_pin[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/* How an attempt ended. */
struct outcome {
    bool opened;
    struct news *error; /* or NULL */
};

/* Connects once, and closes. False when the call failed or the user interrupted: then `*out_exit`
 * is set. */
static bool attempt(const char *url, const nsws_connect_options *client_options,
                    struct outcome *out, int *out_exit) {
    nsws_client client;
    struct news *news;
    bool over = false;
    *out = (struct outcome){0};
    int32_t code = nsws_client_create(&client);
    if (code == NSWS_OK && !news_listen_to_client(client)) {
        code = NSWS_ERR_NO_RESOURCES;
    }
    code = code == NSWS_OK ? nsws_client_connect(client, url, client_options) : code;
    if (code != NSWS_OK) {
        show_call_failure(show_url(url));
        *out_exit = exit_of_call(code);
        return false;
    }
    while (!over && interrupts() == 0) {
        news_wait(-1, -1);
        while (!over && (news = news_take()) != NULL) {
            if (news->kind == NEWS_OPEN) {
                out->opened = true;
                nsws_client_close(client, 1000, "");
            } else if (news->kind == NEWS_LOG) {
                show_news(news, 0);
            }
            over = news->kind == NEWS_CLOSE || (news->kind == NEWS_ERROR && !out->opened);
            if (news->kind == NEWS_ERROR && !out->opened) {
                out->error = news;
            } else {
                free(news);
            }
        }
    }
    nsws_client_destroy(client);
    while ((news = news_take()) != NULL) {
        free(news);
    }
    *out_exit = EXIT_INTERRUPTED;
    return over;
}

/* Whether TLS was done when the attempt ended. */
static bool passed_tls(const struct outcome *outcome) {
    return outcome->opened ||
           (outcome->error != NULL && outcome->error->phase == NSWS_PHASE_HANDSHAKE);
}

/* The pin in the sentence about the key that isn't pinned: 52 characters. */
static bool find_pin(const struct outcome *outcome, char pin[64]) {
    const char *found = outcome->error != NULL && outcome->error->detail == NSWS_DETAIL_PIN_MISMATCH
                            ? strstr(outcome->error->text, "sha256//")
                            : NULL;
    if (found != NULL) {
        snprintf(pin, 64, "%.52s", found);
    }
    return found != NULL;
}

struct findings {
    const struct news *distrust; /* NULL: trusted */
    char pin[64];
    bool has_tls13;
};

static void show_findings(const char *url, const struct findings *found, bool as_json) {
    const struct news *distrust = found->distrust;
    if (as_json) {
        json_begin("cert");
        json_text("url", show_url(url));
        json_bool("trusted", distrust == NULL);
        json_number("detail", distrust != NULL ? distrust->detail : 0);
        json_text("detail_name", distrust != NULL ? nsws_error_name(distrust->detail) : "");
        json_text("message", distrust != NULL ? distrust->text : "");
        json_text("pin", found->pin);
        json_bool("tls13", found->has_tls13);
        json_end();
        return;
    }
    printf("server      %s\n", show_url(url));
    if (distrust == NULL) {
        printf("trusted     %syes%s\n", show_style("\033[32m"), show_style("\033[0m"));
    } else {
        printf("trusted     %sno%s: ", show_style("\033[31m"), show_style("\033[0m"));
        show_foreign(stdout, distrust->text, strlen(distrust->text));
        printf("\n            %s; \"nsws explain %" PRId32 "\" tells more\n",
               nsws_error_name(distrust->detail), distrust->detail);
    }
    printf("public key  %s\n", found->pin[0] != '\0' ? found->pin : "unknown");
    printf("TLS         %s\n", found->has_tls13 ? "1.3" : "1.2, not 1.3");
}

static int look(const struct options *options, const char *url) {
    nsws_connect_options without = options->client;
    struct outcome checked, keyed, newest;
    struct findings found = {0};
    int exit;
    if (!attempt(url, &options->client, &checked, &exit)) {
        return exit;
    }
    if (checked.error != NULL && !passed_tls(&checked) && checked.error->phase != NSWS_PHASE_TLS) {
        show_news(checked.error, 0);
        exit = exit_of_attempt(checked.error->code, checked.error->detail, checked.error->phase);
        free(checked.error);
        return exit;
    }
    without.skip_server_cert_verification = 1;
    without.pinned_public_keys = nobodys_pin;
    bool went = attempt(url, &without, &keyed, &exit);
    if (went) {
        find_pin(&keyed, found.pin);
        without.min_tls_version = NSWS_TLS_1_3;
        went = attempt(url, &without, &newest, &exit);
    }
    if (went) {
        char same[64];
        found.has_tls13 = find_pin(&newest, same);
        found.distrust = passed_tls(&checked) ? NULL : checked.error;
        show_findings(url, &found, options->json);
        exit = found.distrust == NULL ? EXIT_OK : EXIT_TLS;
        free(newest.error);
    }
    free(keyed.error);
    free(checked.error);
    return exit;
}

int run_cert(struct options *options) {
    const char *server = options->operands[0];
    char url[2048];
    if (strncmp(server, "ws://", 5) == 0) {
        fputs("nsws cert: ws has no certificates; give a wss:// URL or HOST:PORT\n", stderr);
        return EXIT_USAGE;
    }
    if (snprintf(url, sizeof url, "%s%s", strstr(server, "://") != NULL ? "" : "wss://", server) >=
        (int)sizeof url) {
        fputs("nsws cert: the URL is too long\n", stderr);
        return EXIT_USAGE;
    }
    options->client.reconnect_max_attempts = 0;
    int exit = show_start(options) ? look(options, url) : EXIT_FAILED;
    news_stop();
    nsws_shutdown(5000);
    return show_end() ? exit : EXIT_FAILED;
}
