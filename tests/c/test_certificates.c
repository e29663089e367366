/* nsws_client_list_certificates(): what a server has presented, compared with what openssl says of its files (certs.py). */
#include "server.h"

enum { MOST = 4 };

/* What a call of the function has shown. */
struct listed {
    int count;
    struct {
        char subject[256], issuer[256], names[256], pin[64], fingerprint[80];
        int64_t first, last;
    } of[MOST];
    char pem[16384];
};

static void keep(nsws_client client, const nsws_certificate *certificate, void *user) {
    struct listed *listed = user;
    int at = listed->count++;
    CHECK(client.id != 0);
    CHECK_INT(certificate->struct_size, sizeof *certificate);
    if (!CHECK_LEAST(MOST - 1, at)) return;
    snprintf(listed->of[at].subject, sizeof listed->of[at].subject, "%s", certificate->subject);
    snprintf(listed->of[at].issuer, sizeof listed->of[at].issuer, "%s", certificate->issuer);
    snprintf(listed->of[at].pin, sizeof listed->of[at].pin, "%s", certificate->pin);
    snprintf(listed->of[at].fingerprint, sizeof listed->of[at].fingerprint, "%s", certificate->fingerprint);
    char *names = listed->of[at].names;
    for (size_t i = 0; i < certificate->name_count; i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof listed->of[at].names - length, "%s%s", i ? "; " : "", certificate->names[i]);
    }
    listed->of[at].first = certificate->not_before_s;
    listed->of[at].last = certificate->not_after_s;
    /* The DER begins with its own length, which is above 255 and below 65536. */
    CHECK(certificate->der_length > 4 && certificate->der[0] == 0x30 && certificate->der[1] == 0x82 &&
          certificate->der_length == 4u + certificate->der[2] * 256u + certificate->der[3]);
    size_t length = strlen(listed->pem);
    snprintf(listed->pem + length, sizeof listed->pem - length, "%s", certificate->pem);
}

static int32_t list(nsws_client client, struct listed *listed) {
    *listed = (struct listed){ 0 };
    return nsws_client_list_certificates(client, keep, listed);
}

static char ca_file[512];

static nsws_connect_options trusting(const char *name) {
    nsws_connect_options options = defaults();
    snprintf(ca_file, sizeof ca_file, "%s/%s.pem", setting("NSWS_CERT_DIR"), name);
    options.ca_path = ca_file;
    return options;
}

static struct recorder *open_at_host(const char *host, const char *variable, nsws_connect_options options) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "wss://%s:%s/", host, setting(variable));
    return OPENS(r, r->url, &options) ? r : NULL;
}

static struct recorder *open_at(const char *variable, nsws_connect_options options) {
    return open_at_host("127.0.0.1", variable, options);
}

/* Checks one that is listed with the line of facts.txt. */
static void check_facts(int line, const struct listed *listed, int at, const char *name) {
    char path[600], found[64], pin[64], fingerprint[80];
    long long first, last;
    snprintf(path, sizeof path, "%s/facts.txt", setting("NSWS_CERT_DIR"));
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL)) return;
    int fields;
    do {
        fields = fscanf(file, "%63s %lld %lld %63s %79s", found, &first, &last, pin, fingerprint);
    } while (fields == 5 && strcmp(found, name) != 0);
    fclose(file);
    if (!CHECK_INT(fields, 5) || !CHECK_LEAST(listed->count, at + 1)) return;
    if (listed->of[at].first != first || listed->of[at].last != last)
        harness_fail(__FILE__, line, "%s: valid from %lld to %lld, not from %lld to %lld", name, (long long)listed->of[at].first,
                     (long long)listed->of[at].last, first, last);
    CHECK_STR(listed->of[at].pin, pin);
    CHECK_STR(listed->of[at].fingerprint, fingerprint);
}

#define FACTS(listed, at, name) check_facts(__LINE__, listed, at, name)

/* The PEM of all is the file that the server has. */
static void check_file(const struct listed *listed, const char *name) {
    char path[600], text[16384];
    snprintf(path, sizeof path, "%s/%s.pem", setting("NSWS_CERT_DIR"), name);
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL)) return;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    CHECK_STR(listed->pem, text);
}

static void check_chain(const struct listed *listed) {
    if (!CHECK_INT(listed->count, 2)) return;
    check_file(listed, "chain");
    FACTS(listed, 0, "chain");
    FACTS(listed, 1, "intermediate");
    CHECK_STR(listed->of[0].subject, "CN=chain");
    CHECK_STR(listed->of[0].issuer, "CN=The tests' intermediate");
    CHECK_STR(listed->of[0].names, "localhost; 127.0.0.1; ::1");
    CHECK_STR(listed->of[1].subject, "CN=The tests' intermediate");
    CHECK_STR(listed->of[1].issuer, "CN=The tests' ca");
    CHECK_STR(listed->of[1].names, "");
}

/* Of an open connection. */

static void a_chain_is_listed_in_the_server_s_order(void) {
    struct listed listed;
    struct recorder *r = open_at("NSWS_WSS_CHAIN_PORT", trusting("ca"));
    if (!r) return;
    CHECK_OK(list(r->client, &listed));
    check_chain(&listed);
}

static void names_are_fit_to_be_shown(void) {
    struct listed listed;
    struct recorder *r = open_at("NSWS_WSS_ODD_NAMES_PORT", trusting("ca"));
    if (!r) return;
    CHECK_OK(list(r->client, &listed));
    CHECK_INT(listed.count, 1);
    check_file(&listed, "odd-names");
    FACTS(&listed, 0, "odd-names");
    CHECK_STR(listed.of[0].subject, "CN=[31moddname");
    CHECK_STR(listed.of[0].names, "localhost; 127.0.0.1; ::1; [31modd; 192.0.2.1 as a DNS name");
}

static void a_certificate_may_have_no_names(void) {
    struct listed listed;
    nsws_connect_options options = defaults();
    options.skip_server_cert_verification = 1;
    struct recorder *r = open_at("NSWS_WSS_CN_ONLY_PORT", options);
    if (!r) return;
    CHECK_OK(list(r->client, &listed));
    CHECK_INT(listed.count, 1);
    FACTS(&listed, 0, "cn-only");
    CHECK_STR(listed.of[0].subject, "CN=localhost");
    CHECK_STR(listed.of[0].names, "");
}

static struct listed in_header_receive, in_open, in_message, in_close;
static int32_t answer_in_header_receive, answer_in_close;

/* How many clients' last callbacks have come to their end. */
static struct counter ended;

static void list_in_callbacks(struct recorder *r, const struct event *e) {
    if (e->kind == HEADER_RECEIVE) answer_in_header_receive = list(r->client, &in_header_receive);
    if (e->kind == OPEN) {
        CHECK_OK(list(r->client, &in_open));
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
    }
    if (e->kind == MESSAGE) {
        CHECK_OK(list(r->client, &in_message));
        CHECK_OK(nsws_client_close(r->client, 1000, NULL));
    }
    if (e->kind != CLOSE) return;
    answer_in_close = list(r->client, &in_close);
    counter_add(&ended, 1);
}

static void from_open_to_close_callbacks_can_list_them(void) {
    struct recorder *r = new_client();
    r->hook = list_in_callbacks;
    counter_reset(&ended);
    nsws_connect_options options = trusting("ca");
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting("NSWS_WSS_CHAIN_PORT"));
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    if (!WAIT_COUNTER(&ended, 1)) return;
    CHECK_CODE(answer_in_header_receive, NSWS_ERR_NOT_CONNECTED);
    check_chain(&in_open);
    check_chain(&in_message);
    CHECK_CODE(answer_in_close, NSWS_ERR_NOT_CONNECTED);
    CHECK_INT(in_header_receive.count + in_close.count, 0);
}

/* A server with the chain. */
static struct server *server_of_the_chain(void) {
    char chain[600], key[600];
    snprintf(chain, sizeof chain, "%s/chain.pem", setting("NSWS_CERT_DIR"));
    snprintf(key, sizeof key, "%s/chain.key", setting("NSWS_CERT_DIR"));
    nsws_server_options options = server_defaults();
    options.cert_path = chain;
    options.key_path = key;
    return started_server(&options);
}

static void close_at_once(struct server *s, const struct server_event *e) {
    (void)s;
    if (e->kind == ON_CONNECT) CHECK_OK(nsws_connection_close(e->connection, 1000, NULL));
}

static void list_once_it_is_over(struct recorder *r, const struct event *e) {
    if (e->kind == HEADER_RECEIVE) SERVER_WAIT((struct server *)r->hook_data, ON_CLOSE, 1);
    if (e->kind == OPEN) CHECK_OK(list(r->client, &in_open));
    if (e->kind == CLOSE) counter_add(&ended, 1);
}

static void so_can_they_when_the_server_has_closed_before_open(void) {
    struct server *s = server_of_the_chain();
    if (!s) return;
    s->hook = close_at_once;
    struct recorder *r = new_client();
    r->hook = list_once_it_is_over;
    r->hook_data = s;
    counter_reset(&ended);
    nsws_connect_options options = trusting("ca");
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%u/", (unsigned)s->port);
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    if (WAIT_COUNTER(&ended, 1)) check_chain(&in_open);
}

static void resumed_at(const char *host, const char *variable, uint8_t version, int count) {
    nsws_connect_options options = trusting("ca");
    struct listed listed = { 0 };
    nsws_client_stats stats = { 0 };
    for (int i = 0; i < 2; i++) {
        struct recorder *r = open_at_host(host, variable, options);
        if (!r) return;
        /* In TLS 1.3, what the next session needs comes after the handshake. */
        CHECK_OK(nsws_client_send_text(r->client, "x", 1));
        if (!WAIT(r, MESSAGE, 1)) return;
        CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
        CHECK_OK(list(r->client, &listed));
        CHECK_OK(nsws_client_close(r->client, 1000, NULL));
        if (!WAIT(r, CLOSE, 1)) return;
    }
    CHECK_INT(stats.tls_version, version);
    CHECK_INT(stats.tls_resumed, 1);
    CHECK_INT(listed.count, count);
    if (count == 2) check_chain(&listed);
}

static void a_resumed_session_has_those_of_the_first(void) {
    resumed_at("127.0.0.1", "NSWS_WSS_CHAIN_PORT", NSWS_TLS_1_3, 2);
    /* Another name, so that no ticket of the first server is offered to the second. */
    resumed_at("localhost", "NSWS_WSS_TLS_1_2_PORT", NSWS_TLS_1_2, 1);
}

static void list_and_release(nsws_client client, const nsws_certificate *certificate, void *user) {
    keep(client, certificate, user);
    /* The first call ends the client; what was presented is listed to the end. */
    CHECK_CODE(nsws_client_release(client), ((struct listed *)user)->count == 1 ? NSWS_OK : NSWS_ERR_BAD_HANDLE);
}

static void the_function_may_call_the_library(void) {
    struct listed listed = { 0 };
    struct recorder *r = open_at("NSWS_WSS_CHAIN_PORT", trusting("ca"));
    if (!r) return;
    r->destroyed = 1;
    CHECK_OK(nsws_client_list_certificates(r->client, list_and_release, &listed));
    check_chain(&listed);
    CHECK_CODE(list(r->client, &listed), NSWS_ERR_BAD_HANDLE);
}

/* Without one. */

static void without_tls_there_are_none(void) {
    struct listed listed;
    struct recorder *r = new_client();
    CHECK_CODE(list(r->client, &listed), NSWS_ERR_NOT_CONNECTED);
    if (!OPENS(r, setting("NSWS_ECHO_URL"), NULL)) return;
    CHECK_CODE(list(r->client, &listed), NSWS_ERR_NOT_CONNECTED);
    CHECK_CODE(nsws_client_list_certificates(r->client, NULL, NULL), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_client_list_certificates((nsws_client){ 0 }, keep, &listed), NSWS_ERR_BAD_HANDLE);
    CHECK_INT(listed.count, 0);
}

/* After an attempt that failed. */

static struct recorder *refused_at(const char *variable, nsws_connect_options options, int32_t detail, struct listed *listed) {
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", setting(variable));
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    const struct event *error = WAIT(r, ERROR, 1);
    return error && CHECK_INT(error->detail, detail) && CHECK_OK(list(r->client, listed)) ? r : NULL;
}

static void what_was_refused_is_listed(void) {
    struct listed listed;
    if (!refused_at("NSWS_WSS_CHAIN_PORT", trusting("other-ca"), NSWS_DETAIL_CERT_ISSUER, &listed)) return;
    check_chain(&listed);
    if (!refused_at("NSWS_WSS_EXPIRED_PORT", trusting("ca"), NSWS_DETAIL_CERT_EXPIRED, &listed)) return;
    CHECK_INT(listed.count, 1);
    FACTS(&listed, 0, "expired");
    /* A key that is too weak to sign the handshake. */
    if (!refused_at("NSWS_WSS_RSA_1024_PORT", trusting("ca"), NSWS_DETAIL_CERT_INVALID, &listed)) return;
    CHECK_INT(listed.count, 1);
    CHECK_STR(listed.of[0].subject, "CN=rsa-1024");
    /* With a pin that nobody has, what is presented is seen, and no request is sent. */
    nsws_connect_options options = defaults();
    options.skip_server_cert_verification = 1;
    options.pinned_public_keys = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    if (refused_at("NSWS_WSS_CHAIN_PORT", options, NSWS_DETAIL_PIN_MISMATCH, &listed)) check_chain(&listed);
}

static struct listed in_error;

static void list_in_error(struct recorder *r, const struct event *e) {
    if (e->kind != ERROR) return;
    CHECK_OK(list(r->client, &in_error));
    counter_add(&ended, 1);
}

static uint16_t accept_nobody(nsws_server server, const nsws_connect_event *event, void *user) {
    (void)server, (void)event, (void)user;
    return 403;
}

static void so_is_what_a_server_presented_that_refuses_the_upgrade(void) {
    struct server *s = server_of_the_chain();
    if (!s) return;
    CHECK_OK(nsws_server_set_accept_hook(s->handle, accept_nobody, NULL, NULL));
    struct recorder *r = new_client();
    r->hook = list_in_error;
    counter_reset(&ended);
    nsws_connect_options options = trusting("ca");
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%u/", (unsigned)s->port);
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    if (WAIT_COUNTER(&ended, 1) && CHECK_INT(find_event(r, ERROR, 1)->http_status, 403)) check_chain(&in_error);
}

static void the_next_attempt_forgets_them(void) {
    struct listed listed;
    struct recorder *r = refused_at("NSWS_WSS_CHAIN_PORT", trusting("other-ca"), NSWS_DETAIL_CERT_ISSUER, &listed);
    if (!r) return;
    check_chain(&listed);
    int fd;
    CHECK_OK(nsws_client_connect(r->client, refused_url(r, &fd), NULL));
    CHECK_CODE(list(r->client, &listed), NSWS_ERR_NOT_CONNECTED);
    if (WAIT(r, ERROR, 2)) CHECK_CODE(list(r->client, &listed), NSWS_ERR_NOT_CONNECTED);
    close(fd);
}

int main(void) {
    counter_init(&ended);
    RUN(a_chain_is_listed_in_the_server_s_order);
    RUN(names_are_fit_to_be_shown);
    RUN(a_certificate_may_have_no_names);
    RUN(from_open_to_close_callbacks_can_list_them);
    RUN(so_can_they_when_the_server_has_closed_before_open);
    RUN(a_resumed_session_has_those_of_the_first);
    RUN(the_function_may_call_the_library);
    RUN(without_tls_there_are_none);
    RUN(what_was_refused_is_listed);
    RUN(so_is_what_a_server_presented_that_refuses_the_upgrade);
    RUN(the_next_attempt_forgets_them);
    return end_tests();
}
