/* Which servers a client trusts: each certificate of tests/interop/certs.py, with each choice of CAs. */
#include "harness.h"

#include <sys/socket.h>
#include <sys/stat.h>

static const char *cert(const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s.pem", setting("NSWS_CERT_DIR"), name);
    return path;
}

/* The Python server that has this certificate. */
static const char *port_of(const char *name) {
    char variable[128];
    int length = snprintf(variable, sizeof variable, "NSWS_WSS_%s_PORT", name);
    for (int i = 0; i < length; i++) {
        if (variable[i] >= 'a' && variable[i] <= 'z') variable[i] = (char)(variable[i] - 'a' + 'A');
        if (variable[i] == '-') variable[i] = '_';
    }
    return setting(variable);
}

static const char *wss_url(struct recorder *r, const char *host, const char *name) {
    snprintf(r->url, sizeof r->url, "wss://%s:%s/", host, port_of(name));
    return r->url;
}

static nsws_connect_options trusting(const char *name) {
    nsws_connect_options options = defaults();
    options.ca_path = name ? cert(name) : NULL;
    return options;
}

static int echoes(struct recorder *r) {
    size_t before = count_events(r, MESSAGE);
    return CHECK_OK(nsws_client_send_text(r->client, "over TLS", 8)) && WAIT(r, MESSAGE, before + 1) != NULL;
}

static void accepted_at(const char *host, const char *server, nsws_connect_options options) {
    struct recorder *r = new_client();
    if (OPENS(r, wss_url(r, host, server), &options)) echoes(r);
}

static void accepted(const char *server, nsws_connect_options options) {
    accepted_at("127.0.0.1", server, options);
}

/* One error event and nothing else, with this detail; the sentence names the address and these words. */
static void refused_at(int line, const char *host, const char *server, nsws_connect_options options, int32_t detail,
                       const char *words) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, wss_url(r, host, server), &options));
    const struct event *error = wait_event(__FILE__, line, r, ERROR, 1);
    if (!error) return;
    if (error->code != NSWS_ERR_CONNECT_FAILED || error->phase != NSWS_PHASE_TLS || error->detail != detail ||
        error->http_status != 0)
        harness_fail(__FILE__, line, "%s: %s, phase %s, %s: %s", server, nsws_error_name(error->code),
                     nsws_phase_name(error->phase), nsws_error_name(error->detail), error->text);
    CHECK_CONTAINS(error->text, host);
    CHECK_CONTAINS(error->text, port_of(server));
    CHECK_CONTAINS(error->text, words);
    CHECK_STR(order(r), "error");
}

#define REFUSED(server, options, detail, words) refused_at(__LINE__, "127.0.0.1", server, options, detail, words)

/* With the right CA. */

static void the_right_ca_is_accepted(void) {
    accepted_at("127.0.0.1", "good", trusting("ca"));
    accepted_at("localhost", "good", trusting("ca"));
}

static void a_chain_is_followed_to_the_ca(void) {
    accepted("chain", trusting("ca"));
    REFUSED("incomplete-chain", trusting("ca"), NSWS_DETAIL_CERT_ISSUER, "intermediate");
    /* The intermediate CA in ca_path will do, too. */
    accepted("incomplete-chain", trusting("intermediate"));
}

static void a_ca_file_may_hold_several_certificates(void) {
    char path[600], line[4096];
    static const char *const parts[] = { "other-ca", "empty", "ca", "self-signed" };
    snprintf(path, sizeof path, "%s/several-%ld.pem", setting("NSWS_CERT_DIR"), (long)getpid());
    FILE *out = fopen(path, "w");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        FILE *in = fopen(cert(parts[i]), "r");
        if (!CHECK(in != NULL && out != NULL)) return;
        while (fgets(line, sizeof line, in)) fputs(line, out);
        fclose(in);
    }
    fclose(out);
    nsws_connect_options options = defaults();
    options.ca_path = path;
    accepted("good", options);
    accepted("unknown-ca", options);
    accepted("self-signed", options);
    unlink(path);
}

static void the_path_is_copied(void) {
    char path[512];
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    snprintf(path, sizeof path, "%s", cert("ca"));
    options.ca_path = path;
    CHECK_OK(nsws_client_connect(r->client, wss_url(r, "127.0.0.1", "good"), &options));
    memset(path, '!', sizeof path);
    memset(&options, '!', sizeof options);
    WAIT(r, OPEN, 1);
}

/* Without it. */

static void an_unknown_ca_is_refused(void) {
    REFUSED("unknown-ca", trusting("ca"), NSWS_DETAIL_CERT_ISSUER, "trusted");
    REFUSED("good", trusting("other-ca"), NSWS_DETAIL_CERT_ISSUER, "trusted");
}

static void the_system_s_cas_do_not_know_the_tests_ca(void) {
    REFUSED("good", trusting(NULL), NSWS_DETAIL_CERT_ISSUER, "trusted");
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, wss_url(r, "127.0.0.1", "good"), NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK_INT(error->detail, NSWS_DETAIL_CERT_ISSUER);
}

static void self_signed_is_refused_by_default(void) {
    /* As its own CA, and as a leaf. */
    REFUSED("self-signed", trusting(NULL), NSWS_DETAIL_CERT_ISSUER, "self-signed");
    REFUSED("self-signed-leaf", trusting(NULL), NSWS_DETAIL_CERT_ISSUER, "self-signed");
    REFUSED("self-signed-leaf", trusting("ca"), NSWS_DETAIL_CERT_ISSUER, "self-signed");
}

static void self_signed_is_accepted_when_it_is_in_ca_path(void) {
    accepted("self-signed", trusting("self-signed"));
    accepted("self-signed-leaf", trusting("self-signed-leaf"));
    accepted_at("localhost", "self-signed", trusting("self-signed"));
    /* A trusted certificate lends no trust to another. */
    REFUSED("self-signed-leaf", trusting("self-signed"), NSWS_DETAIL_CERT_ISSUER, "self-signed");
    REFUSED("good", trusting("self-signed"), NSWS_DETAIL_CERT_ISSUER, "trusted");
}

static void any_server_s_own_certificate_may_be_in_ca_path(void) {
    accepted("good", trusting("good"));
    accepted("unknown-ca", trusting("unknown-ca"));
    REFUSED("good", trusting("unknown-ca"), NSWS_DETAIL_CERT_ISSUER, "trusted");
}

static void name_and_dates_count_also_for_a_certificate_in_ca_path(void) {
    REFUSED("self-signed-expired", trusting("self-signed-expired"), NSWS_DETAIL_CERT_EXPIRED, "expired");
    REFUSED("self-signed-elsewhere", trusting("self-signed-elsewhere"), NSWS_DETAIL_CERT_NAME, "elsewhere.example");
    REFUSED("expired", trusting("expired"), NSWS_DETAIL_CERT_EXPIRED, "expired");
    REFUSED("wrong-name", trusting("wrong-name"), NSWS_DETAIL_CERT_NAME, "elsewhere.example");
}

/* Names, dates, purpose. */

static void another_host_name_is_refused(void) {
    REFUSED("wrong-name", trusting("ca"), NSWS_DETAIL_CERT_NAME, "elsewhere.example");
    REFUSED("wrong-name", trusting("ca"), NSWS_DETAIL_CERT_NAME, "not for 127.0.0.1");
    refused_at(__LINE__, "localhost", "wrong-name", trusting("ca"), NSWS_DETAIL_CERT_NAME, "not for localhost");
}

static void an_expired_certificate_is_refused(void) {
    REFUSED("expired", trusting("ca"), NSWS_DETAIL_CERT_EXPIRED, "expired");
}

static void a_certificate_of_tomorrow_is_refused(void) {
    REFUSED("not-yet-valid", trusting("ca"), NSWS_DETAIL_CERT_NOT_YET_VALID, "not valid before");
}

static void a_certificate_for_clients_is_refused(void) {
    REFUSED("client-only", trusting("ca"), NSWS_DETAIL_CERT_INVALID, "certificate");
}

/* Skipping. */

static void with_skip_any_certificate_is_accepted(void) {
    static const char *const servers[] = {
        "good", "unknown-ca", "wrong-name", "expired", "not-yet-valid", "client-only", "chain", "incomplete-chain",
        "self-signed", "self-signed-leaf", "self-signed-expired", "self-signed-elsewhere", "rsa-1024", "p521", "rsa-pss",
        "ed448",
    };
    nsws_connect_options options = defaults();
    options.skip_server_cert_verification = 1;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) accepted(servers[i], options);
    options.ca_path = cert("other-ca");
    accepted("good", options);
}

static void a_key_that_can_not_be_verified_is_told(void) {
    /* This peer hangs up without an alert. */
    REFUSED("p521", trusting("ca"), NSWS_DETAIL_LINK_LOST, "a key of a kind that can't be verified");
    REFUSED("ed448", trusting("ca"), NSWS_DETAIL_LINK_LOST, "a key of a kind that can't be verified");
}

static void skip_in_one_client_does_not_loosen_another(void) {
    nsws_connect_options loose = defaults();
    loose.skip_server_cert_verification = 1;
    /* Nor does a session that could be resumed. */
    for (int i = 0; i < 3; i++) {
        accepted("good", loose);
        REFUSED("good", trusting(NULL), NSWS_DETAIL_CERT_ISSUER, "trusted");
        accepted("good", trusting("ca"));
        REFUSED("good", trusting("other-ca"), NSWS_DETAIL_CERT_ISSUER, "trusted");
    }
}

static void sessions_can_follow_each_other(void) {
    nsws_connect_options options = trusting("ca");
    struct recorder *r = new_client();
    for (size_t i = 1; i <= 5; i++) {
        if (!OPENS(r, wss_url(r, "127.0.0.1", "good"), &options) || !echoes(r)) return;
        CHECK_OK(nsws_client_close(r->client, 1000, ""));
        const struct event *close = WAIT(r, CLOSE, i);
        if (!close) return;
        CHECK_INT(close->code, 1000);
        CHECK_INT(close->was_clean, 1);
    }
}

/* Versions. */

static void a_server_of_tls_1_2_is_accepted_unless_1_3_is_asked_for(void) {
    nsws_connect_options options = trusting("ca");
    accepted("tls-1-2", options);
    options.min_tls_version = NSWS_TLS_1_3;
    REFUSED("tls-1-2", options, NSWS_DETAIL_TLS, "version");
    accepted("good", options);
    options.skip_server_cert_verification = 1;
    REFUSED("tls-1-2", options, NSWS_DETAIL_TLS, "version");
}

/* The wrong protocol. */

static void tls_to_a_plain_port_is_an_error_of_phase_tls(void) {
    const char *const ports[] = { setting("NSWS_RAW_PORT"), strrchr(setting("NSWS_ECHO_URL"), ':') + 1 };
    for (int i = 0; i < 2; i++) {
        struct recorder *r = new_client();
        snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%d/", atoi(ports[i]));
        CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
        const struct event *error = WAIT(r, ERROR, 1);
        if (!error) return;
        CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
        CHECK_INT(error->phase, NSWS_PHASE_TLS);
        CHECK(error->detail == NSWS_DETAIL_TLS || error->detail == NSWS_DETAIL_LINK_LOST);
        CHECK_CONTAINS(error->text, "127.0.0.1:");
        CHECK_STR(order(r), "error");
    }
}

static void plain_to_a_tls_port_is_an_error_of_phase_handshake(void) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "ws://127.0.0.1:%s/", port_of("good"));
    CHECK_OK(nsws_client_connect(r->client, r->url, NULL));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->phase, NSWS_PHASE_HANDSHAKE);
    CHECK(error->detail != 0);
    CHECK_CONTAINS(error->text, port_of("good"));
    CHECK_STR(order(r), "error");
}

static void a_silent_tls_server_runs_into_the_timeout(void) {
    int fd, port = refused_port(&fd);
    if (!CHECK(listen(fd, 8) == 0)) return;
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = 200;
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%d/", port);
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) {
        CHECK_INT(error->phase, NSWS_PHASE_TLS);
        CHECK_INT(error->detail, NSWS_DETAIL_TIMEOUT);
        CHECK_CONTAINS(error->text, "200 ms");
    }
    close(fd);
}

/* CA files. */

static void a_ca_file_that_can_not_be_opened_is_refused_at_once(void) {
    nsws_connect_options options = defaults();
    struct recorder *r = new_client();
    const char *const paths[] = { cert("no-such-file"), "", setting("NSWS_CERT_DIR"), "/dev/null/ca.pem" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        options.ca_path = paths[i];
        if (!CHECK_CODE(nsws_client_connect(r->client, wss_url(r, "127.0.0.1", "good"), &options), NSWS_ERR_CERT_FILE))
            fprintf(stderr, "    path \"%s\"\n", paths[i]);
    }
    options.ca_path = cert("no-such-file");
    CHECK_CODE(nsws_client_connect(r->client, wss_url(r, "127.0.0.1", "good"), &options), NSWS_ERR_CERT_FILE);
    CHECK_CONTAINS(nsws_last_error(), "no-such-file.pem");
    /* The client can be used like a new one. */
    options = trusting("ca");
    if (OPENS(r, wss_url(r, "127.0.0.1", "good"), &options)) CHECK_STR(order(r), "header_receive open");
    /* Nor may a file be missing that isn't used, though all else is there from the connection before. */
    options = defaults();
    options.skip_server_cert_verification = 1;
    struct recorder *other = new_client();
    OPENS(other, wss_url(other, "127.0.0.1", "good"), &options);
    struct recorder *late = new_client();
    options.ca_path = cert("no-such-file");
    CHECK_CODE(nsws_client_connect(late->client, wss_url(late, "127.0.0.1", "good"), &options), NSWS_ERR_CERT_FILE);
}

static void a_ca_file_without_a_certificate_is_an_error_event(void) {
    REFUSED("good", trusting("empty"), NSWS_DETAIL_CA_FILE, "empty.pem");
    /* A private key doesn't help, either. */
    nsws_connect_options options = defaults();
    options.ca_path = certificate_file("good.key");
    REFUSED("good", options, NSWS_DETAIL_CA_FILE, "good.key");

    char path[600];
    snprintf(path, sizeof path, "%s/broken-%ld.pem", setting("NSWS_CERT_DIR"), (long)getpid());
    FILE *file = fopen(path, "w");
    if (!CHECK(file != NULL)) return;
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    options.ca_path = path;
    REFUSED("good", options, NSWS_DETAIL_CA_FILE, path);
    unlink(path);
}

static void a_ca_file_may_be_replaced(void) {
    char path[600];
    snprintf(path, sizeof path, "%s/replaced-%ld.pem", setting("NSWS_CERT_DIR"), (long)getpid());
    nsws_connect_options options = defaults();
    options.ca_path = path;
    for (int i = 0; i < 4; i++) {
        unlink(path);
        if (!CHECK_INT(symlink(cert(i % 2 ? "ca" : "other-ca"), path), 0)) return;
        if (i % 2)
            accepted("good", options);
        else
            REFUSED("good", options, NSWS_DETAIL_CERT_ISSUER, "trusted");
    }
    unlink(path);
}

static void another_name_of_the_server_counts_instead_of_the_url_s(void) {
    char ca[512];
    nsws_connect_options options = defaults();
    snprintf(ca, sizeof ca, "%s/ca.pem", setting("NSWS_CERT_DIR"));
    options.ca_path = ca;
    options.tls_server_name = "localhost";
    struct recorder *r = new_client(), *other = new_client();
    /* The certificate is for localhost, not for the address. */
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting("NSWS_WSS_GOOD_PORT"));
    OPENS(r, r->url, &options);
    options.tls_server_name = "other.example";
    snprintf(other->url, sizeof other->url, "wss://localhost:%s/", setting("NSWS_WSS_GOOD_PORT"));
    CHECK_OK(nsws_client_connect(other->client, other->url, &options));
    const struct event *error = WAIT(other, ERROR, 1);
    if (!error) return;
    CHECK_INT(error->detail, NSWS_DETAIL_CERT_NAME);
    CHECK_CONTAINS(error->text, "other.example");
    static const char *const wrong[] = { "a b", "a\r\n", "a..b", "a:443", "\xff" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        options.tls_server_name = wrong[i];
        CHECK_CODE(nsws_client_connect(other->client, other->url, &options), NSWS_ERR_PARAMETER);
    }
    options.tls_server_name = "";
    OPENS(other, other->url, &options);
}

int main(void) {
    RUN(the_right_ca_is_accepted);
    RUN(a_chain_is_followed_to_the_ca);
    RUN(a_ca_file_may_hold_several_certificates);
    RUN(the_path_is_copied);
    RUN(an_unknown_ca_is_refused);
    RUN(the_system_s_cas_do_not_know_the_tests_ca);
    RUN(self_signed_is_refused_by_default);
    RUN(self_signed_is_accepted_when_it_is_in_ca_path);
    RUN(any_server_s_own_certificate_may_be_in_ca_path);
    RUN(name_and_dates_count_also_for_a_certificate_in_ca_path);
    RUN(another_host_name_is_refused);
    RUN(an_expired_certificate_is_refused);
    RUN(a_certificate_of_tomorrow_is_refused);
    RUN(a_certificate_for_clients_is_refused);
    RUN(with_skip_any_certificate_is_accepted);
    RUN(a_key_that_can_not_be_verified_is_told);
    RUN(skip_in_one_client_does_not_loosen_another);
    RUN(sessions_can_follow_each_other);
    RUN(a_server_of_tls_1_2_is_accepted_unless_1_3_is_asked_for);
    RUN(tls_to_a_plain_port_is_an_error_of_phase_tls);
    RUN(plain_to_a_tls_port_is_an_error_of_phase_handshake);
    RUN(a_silent_tls_server_runs_into_the_timeout);
    RUN(a_ca_file_that_can_not_be_opened_is_refused_at_once);
    RUN(a_ca_file_without_a_certificate_is_an_error_event);
    RUN(a_ca_file_may_be_replaced);
    RUN(another_name_of_the_server_counts_instead_of_the_url_s);
    return end_tests();
}
