/* Checks a server's certificates and shows them: nsws cert.
 *
 * One connection, made as the options say, tells whether the server is trusted, and brings its
 * certificates whether it is or not. If it didn't open, a second one finds out whether the server
 * speaks TLS 1.3. If there are no certificates then, because TLS ended too early, a third one may
 * bring them. These two are made without verification and with a pin that nobody has: TLS ends at
 * the certificates, and no request is sent.
 */

#include "chain.h"
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
    uint8_t tls_version; /* of one that opened; else 0 */
    struct news *error;  /* or NULL */
};

/* The first certificates that are seen stay. */
static void see(nsws_client client, struct chain *chain) {
    if (chain->count == 0) {
        nsws_client_list_certificates(client, chain_keep, chain);
    }
}

static void see_in_open(nsws_client client, const nsws_open_event *event, void *user_data) {
    (void)event;
    see(client, user_data);
}

static void see_in_error(nsws_client client, const nsws_error_event *event, void *user_data) {
    (void)event;
    see(client, user_data);
}

/* Connects once, and closes. False when the call failed or the user interrupted: then `*out_exit`
 * is set. */
static bool attempt(const char *url, const nsws_connect_options *client_options,
                    struct chain *chain, struct outcome *out, int *out_exit) {
    nsws_client client;
    struct news *news;
    bool over = false;
    *out = (struct outcome){0};
    int32_t code = nsws_client_create(&client);
    /* Before those that make news of it: then the certificates are there. */
    if (code == NSWS_OK && (nsws_client_on_open(client, see_in_open, chain, NULL) != NSWS_OK ||
                            nsws_client_on_error(client, see_in_error, chain, NULL) != NSWS_OK ||
                            !news_listen_to_client(client))) {
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
            bool opened = out->tls_version != 0;
            if (news->kind == NEWS_OPEN) {
                out->tls_version = news->stats.tls_version;
                nsws_client_close(client, 1000, "");
            } else if (news->kind == NEWS_LOG) {
                show_news(news, 0);
            }
            over = news->kind == NEWS_CLOSE || (news->kind == NEWS_ERROR && !opened);
            if (news->kind == NEWS_ERROR && !opened) {
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
    return outcome->error == NULL || outcome->error->phase == NSWS_PHASE_HANDSHAKE;
}

/* Looks again, without verification; false as attempt(). `*out_has_tls13` receives whether the
 * server speaks it. */
static bool look_again(const char *url, const struct options *options, struct chain *chain,
                       bool *out_has_tls13, int *out_exit) {
    nsws_connect_options without = options->client;
    struct outcome newest, any = {0};
    without.skip_server_cert_verification = 1;
    without.pinned_public_keys = nobodys_pin;
    without.min_tls_version = NSWS_TLS_1_3;
    bool went = attempt(url, &without, chain, &newest, out_exit);
    *out_has_tls13 =
        went && newest.error != NULL && newest.error->detail == NSWS_DETAIL_PIN_MISMATCH;
    if (went && chain->count == 0) {
        without.min_tls_version = options->client.min_tls_version;
        went = attempt(url, &without, chain, &any, out_exit);
    }
    free(newest.error);
    free(any.error);
    return went;
}

/* `distrust`: NULL if the server is trusted. Without certificates, it is all there is. */
static void show_findings(const char *url, const struct news *distrust, bool has_tls13,
                          const struct chain *chain, const struct options *options) {
    if (options->json) {
        json_begin("cert");
        json_text("url", show_url(url));
        json_bool("trusted", distrust == NULL);
        json_number("detail", distrust != NULL ? distrust->detail : 0);
        json_text("detail_name", distrust != NULL ? nsws_error_name(distrust->detail) : "");
        json_text("message", distrust != NULL ? distrust->text : "");
        json_text("pin", chain_pin(chain));
        if (chain->count > 0) {
            json_bool("tls13", has_tls13);
        } else {
            json_null("tls13");
        }
        json_end();
        chain_show_as_json(chain);
        return;
    }
    if (options->pem || chain->count == 0) {
        chain_show_pem(chain);
        if (distrust != NULL) {
            show_news(distrust, 0);
        }
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
    printf("TLS         %s\n", has_tls13 ? "1.3" : "1.2, not 1.3");
    chain_show(chain);
}

static int look(const struct options *options, const char *url, struct chain *chain) {
    struct outcome checked;
    int exit;
    if (!attempt(url, &options->client, chain, &checked, &exit)) {
        return exit;
    }
    if (!passed_tls(&checked) && checked.error->phase != NSWS_PHASE_TLS) {
        show_news(checked.error, 0);
        exit = exit_of_attempt(checked.error->code, checked.error->detail, checked.error->phase);
        free(checked.error);
        return exit;
    }
    bool has_tls13 = checked.tls_version == NSWS_TLS_1_3;
    if (checked.error == NULL || look_again(url, options, chain, &has_tls13, &exit)) {
        const struct news *distrust = passed_tls(&checked) ? NULL : checked.error;
        show_findings(url, distrust, has_tls13, chain, options);
        exit = EXIT_OK;
        if (distrust != NULL) {
            exit = chain->count > 0
                       ? EXIT_TLS
                       : exit_of_attempt(distrust->code, distrust->detail, distrust->phase);
        }
    }
    free(checked.error);
    return exit;
}

/* HOST[:PORT], a wss:// URL or the https:// one of the same server, as a wss:// URL. */
static bool make_url(char *url, size_t size, const char *server) {
    static const char https[] = "https://";
    bool is_https = strncmp(server, https, sizeof https - 1) == 0;
    const char *scheme = is_https || strstr(server, "://") == NULL ? "wss://" : "";
    const char *rest = is_https ? server + sizeof https - 1 : server;
    return snprintf(url, size, "%s%s", scheme, rest) < (int)size;
}

/* What can't be asked for, as a sentence; or NULL. */
static const char *mistake(const struct options *options) {
    if (strncmp(options->operands[0], "ws://", 5) == 0) {
        return "a ws:// server has no certificates; give a wss:// URL or HOST:PORT";
    }
    if (options->client.skip_server_cert_verification &&
        options->client.pinned_public_keys == NULL) {
        return "--insecure would leave nothing to check";
    }
    return options->json && options->pem ? "either --json or --pem" : NULL;
}

int run_cert(struct options *options) {
    char url[2048];
    const char *wrong = mistake(options);
    if (wrong == NULL && !make_url(url, sizeof url, options->operands[0])) {
        wrong = "the URL is too long";
    }
    if (wrong != NULL) {
        fprintf(stderr, "nsws cert: %s\n", wrong);
        return EXIT_USAGE;
    }
    options->client.reconnect_max_attempts = 0;
    struct chain chain;
    chain_begin(&chain);
    int exit = show_start(options) ? look(options, url, &chain) : EXIT_FAILED;
    chain_free(&chain);
    news_stop();
    nsws_shutdown(5000);
    return show_end() ? exit : EXIT_FAILED;
}
