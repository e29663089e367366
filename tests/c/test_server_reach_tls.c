/* A server's certificates: several, replaced while it runs; and those that it wants of its clients. Its peers are openssl's
 * s_client and this library's client. */
#include "server.h"

#include <stdarg.h>

static nsws_server_options secure(const char *name) {
    char cert[64], key[64];
    nsws_server_options options = server_defaults();
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    options.cert_path = certificate_file(cert);
    options.key_path = certificate_file(key);
    options.health_path = "/healthz";
    return options;
}

static int32_t add(struct server *s, const char *name) {
    nsws_server_options files = secure(name);
    return nsws_server_add_certificate(s->handle, files.cert_path, files.key_path);
}

/* What a command of the shell writes, without the end of its last line. */
static const char *output_of(const char *format, ...) HARNESS_PRINTF(1, 2);

static const char *output_of(const char *format, ...) {
    static char output[8192];
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    FILE *from = popen(command, "r");
    size_t length = from ? fread(output, 1, sizeof output - 1, from) : 0;
    if (from) pclose(from);
    while (length > 0 && output[length - 1] == '\n') length--;
    output[length] = 0;
    return output;
}

/* The subject of the certificate that the server shows to who asks for a name. */
static const char *shown_to(struct server *s, const char *options) {
    return output_of("openssl s_client -connect 127.0.0.1:%d %s </dev/null 2>/dev/null | sed -n 's/^subject=//p' | tr -d ' '", s->port, options);
}

static void each_client_is_shown_the_certificate_for_the_name_that_it_asks_for(void) {
    struct server *s = new_server();
    nsws_server_options options = secure("good");
    if (!CHECK_OK(add(s, "wrong-name")) || !START(s, &options)) return;
    CHECK_STR(shown_to(s, "-servername elsewhere.example"), "CN=wrong-name");
    CHECK_STR(shown_to(s, "-servername ELSEWHERE.example -tls1_2"), "CN=wrong-name");
    CHECK_STR(shown_to(s, "-servername localhost"), "CN=good");
    CHECK_STR(shown_to(s, "-servername unknown.example"), "CN=good");
    CHECK_STR(shown_to(s, "-noservername"), "CN=good");
    /* While it listens; of two for one name, the one of a kind that the client knows. */
    CHECK_OK(add(s, "rsa"));
    CHECK_STR(shown_to(s, "-servername localhost -sigalgs rsa_pss_rsae_sha256"), "CN=rsa");
    CHECK_STR(shown_to(s, "-servername localhost"), "CN=good");
    /* They stay. */
    CHECK_OK(nsws_server_stop(s->handle));
    if (!START(s, &options)) return;
    CHECK_STR(shown_to(s, "-servername elsewhere.example"), "CN=wrong-name");
}

static void added_certificates_are_enough_for_wss(void) {
    struct server *s = new_server();
    if (!CHECK_OK(add(s, "good")) || !CHECK_OK(add(s, "wrong-name")) || !CHECK_OK(add(s, "good")) || !START(s, NULL)) return;
    CHECK_STR(shown_to(s, "-noservername"), "CN=good");
    CHECK_STR(shown_to(s, "-servername elsewhere.example"), "CN=wrong-name");
    /* One that speaks ws goes on so. */
    struct server *plain = started_server(NULL);
    CHECK_OK(add(plain, "good"));
    CHECK_OK(nsws_server_reload_certificates(plain->handle));
    int fd = RAW_OPEN(plain);
    close(fd);
}

static void certificates_that_can_not_be_used_are_not_added(void) {
    struct server *s = new_server();
    nsws_server_options options = secure("good");
    const char *good = certificate_file("good.pem"), *key = certificate_file("good.key");
    for (int listens = 0; listens < 2; listens++) {
        CHECK_CODE(nsws_server_add_certificate(s->handle, NULL, key), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_add_certificate(s->handle, good, NULL), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_add_certificate(s->handle, "", key), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_add_certificate(s->handle, "\xff", key), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_server_add_certificate(s->handle, certificate_file("none.pem"), key), NSWS_ERR_CERT_FILE);
        CHECK_CODE(nsws_server_add_certificate(s->handle, good, certificate_file("none.key")), NSWS_ERR_CERT_FILE);
        CHECK_CODE(nsws_server_add_certificate(s->handle, certificate_file("empty.pem"), key), NSWS_ERR_CERT_UNUSABLE);
        CHECK_CODE(nsws_server_add_certificate(s->handle, good, certificate_file("rsa.key")), NSWS_ERR_CERT_UNUSABLE);
        CHECK_CODE(nsws_server_add_certificate(s->handle, good, certificate_file("encrypted.key")), NSWS_ERR_CERT_UNUSABLE);
        if (!listens) {
            CHECK_CODE(nsws_server_reload_certificates(s->handle), NSWS_ERR_NOT_LISTENING);
            if (!START(s, &options)) return;
        }
    }
    CHECK_STR(shown_to(s, "-servername localhost"), "CN=good");
}

/* A pair of files that change. */

static char now_cert[512], now_key[512];

static void becomes(const char *name) {
    CHECK_STR(output_of("cd '%s' && cp %s.key changing.key && cp %s.pem changing.pem && echo done", setting("NSWS_CERT_DIR"), name, name), "done");
}

static nsws_server_options changing(void) {
    nsws_server_options options = secure("changing");
    snprintf(now_cert, sizeof now_cert, "%s", options.cert_path);
    snprintf(now_key, sizeof now_key, "%s", options.key_path);
    options.cert_path = now_cert;
    options.key_path = now_key;
    becomes("good");
    return options;
}

static void certificates_are_replaced_on_call_and_who_is_connected_stays(void) {
    struct server *s = new_server();
    nsws_server_options options = changing();
    nsws_connect_options connect;
    if (!START(s, &options)) return;
    CHECK_OK(nsws_connect_options_init(&connect, sizeof connect));
    connect.ca_path = certificate_file("ca.pem");
    struct recorder *r = new_client();
    char url[64];
    snprintf(url, sizeof url, "wss://localhost:%d/", s->port);
    if (!OPENS(r, url, &connect)) return;
    becomes("rsa");
    CHECK_OK(nsws_server_reload_certificates(s->handle));
    CHECK_STR(shown_to(s, ""), "CN=rsa");
    /* What can't be used leaves the old ones. */
    CHECK_STR(output_of("cp '%s' '%s' && echo done", certificate_file("good.key"), now_key), "done");
    CHECK_CODE(nsws_server_reload_certificates(s->handle), NSWS_ERR_CERT_UNUSABLE);
    CHECK_INT(remove(now_cert), 0);
    CHECK_CODE(nsws_server_reload_certificates(s->handle), NSWS_ERR_CERT_UNUSABLE);
    CHECK_STR(shown_to(s, ""), "CN=rsa");
    s->echo = 1;
    CHECK_OK(nsws_client_send_text(r->client, "still here", 10));
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "still here");
}

static int is_shown_at_last(struct server *s, const char *subject) {
    long long end = now_us() + guard_seconds() * 1000000LL;
    while (now_us() < end)
        if (strcmp(shown_to(s, ""), subject) == 0) return 1;
    return 0;
}

static struct counter kept;

static void count_kept(int32_t level, const char *line, void *user) {
    (void)level, (void)user;
    if (strstr(line, "the old ones stay in use") != NULL) counter_add(&kept, 1);
}

static void changed_files_are_noticed(void) {
    struct server *s = new_server();
    nsws_server_options options = changing();
    if (!START(s, &options)) return;
    CHECK_STR(shown_to(s, ""), "CN=good");
    becomes("rsa");
    CHECK(is_shown_at_last(s, "CN=rsa"));
    /* Damaged for a while. */
    CHECK_STR(output_of("cp '%s' '%s' && echo done", certificate_file("empty.pem"), now_cert), "done");
    counter_init(&kept);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_WARN, count_kept, NULL, NULL));
    long long end = now_us() + guard_seconds() * 1000000LL;
    do {
        if (!CHECK_STR(shown_to(s, ""), "CN=rsa")) break;
    } while (counter_value(&kept) == 0 && now_us() < end);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    /* It is told once, whoever connects. */
    CHECK_INT(counter_value(&kept), 1);
    becomes("good");
    CHECK(is_shown_at_last(s, "CN=good"));
}

/* Clients' certificates. */

static char seen_subject[256], seen_fingerprint[128], seen_pem[8192];
static struct counter asked;

static uint16_t looks(nsws_server server, const nsws_connect_event *event, void *user) {
    (void)server, (void)user;
    snprintf(seen_subject, sizeof seen_subject, "%s", event->client_cert_subject);
    snprintf(seen_fingerprint, sizeof seen_fingerprint, "%s", event->client_cert_fingerprint);
    snprintf(seen_pem, sizeof seen_pem, "%s", event->client_cert_pem);
    counter_add(&asked, 1);
    return 0;
}

static struct server *demanding(const char *client_ca) {
    struct server *s = new_server();
    nsws_server_options options = secure("good");
    options.client_ca_path = certificate_file(client_ca);
    counter_init(&asked);
    CHECK_OK(nsws_server_set_accept_hook(s->handle, looks, NULL, NULL));
    return START(s, &options) ? s : NULL;
}

static struct recorder *connect_with(struct server *s, const char *name, uint8_t tls) {
    char cert[64], key[64], url[64];
    nsws_connect_options options;
    struct recorder *r = new_client();
    snprintf(cert, sizeof cert, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(url, sizeof url, "wss://localhost:%d/", s->port);
    CHECK_OK(nsws_connect_options_init(&options, sizeof options));
    options.ca_path = certificate_file("ca.pem");
    options.min_tls_version = tls;
    if (*name) {
        options.client_cert_path = certificate_file(cert);
        options.client_key_path = certificate_file(key);
    }
    CHECK_OK(nsws_client_connect(r->client, url, &options));
    return r;
}

static void the_accept_hook_is_told_who_the_client_has_proved_to_be(void) {
    struct server *s = demanding("ca.pem");
    if (!s) return;
    /* The second goes on from the first one's TLS session. */
    for (int i = 1; i <= 2; i++) {
        struct recorder *r = connect_with(s, "client-only", NSWS_TLS_1_2);
        if (!WAIT(r, OPEN, 1)) return;
        CHECK_INT(counter_value(&asked), i);
        CHECK_STR(seen_subject, "CN=client-only");
        CHECK_STR(seen_fingerprint,
                  output_of("openssl x509 -in '%s' -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f", certificate_file("client-only.pem")));
        seen_pem[strlen(seen_pem) - 1] = 0;
        CHECK_STR(seen_pem, output_of("cat '%s'", certificate_file("client-only.pem")));
    }
    struct server *usual = new_server();
    nsws_server_options options = secure("good");
    CHECK_OK(nsws_server_set_accept_hook(usual->handle, looks, NULL, NULL));
    if (!START(usual, &options)) return;
    if (!WAIT(connect_with(usual, "client-only", NSWS_TLS_1_2), OPEN, 1)) return;
    CHECK_STR(seen_subject, "");
    CHECK_STR(seen_fingerprint, "");
    CHECK_STR(seen_pem, "");
}

static void a_client_without_a_certificate_of_the_ca_s_does_not_connect(void) {
    struct server *s = demanding("ca.pem");
    static const char *const wrong[] = { "", "unknown-ca", "self-signed", "expired", "good" };
    if (!s) return;
    for (int i = 0; i < 5; i++) {
        struct recorder *r = connect_with(s, wrong[i], NSWS_TLS_1_2);
        const struct event *error = WAIT(r, ERROR, 1);
        if (error) CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
        CHECK_INT(count_events(r, OPEN), 0);
    }
    CHECK_INT(counter_value(&asked), 0);
    /* As OpenSSL's client sees it, in both versions. */
    static const char *const versions[] = { "-tls1_2", "-tls1_3" };
    for (int i = 0; i < 2; i++) {
        const char *ask = "printf 'GET /healthz HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' | openssl s_client -quiet %s %s -connect 127.0.0.1:%d 2>/dev/null";
        char with[1200], command[1700];
        snprintf(with, sizeof with, "-cert '%s' -key '%s'", certificate_file("client-only.pem"), certificate_file("client-only.key"));
        snprintf(command, sizeof command, ask, versions[i], with, s->port);
        CHECK_CONTAINS(output_of("%s", command), "HTTP/1.1 200 OK");
        snprintf(command, sizeof command, ask, versions[i], "", s->port);
        CHECK_LACKS(output_of("%s", command), "HTTP/1.1 200 OK");
    }
}

static void a_certificate_that_is_in_the_file_itself_is_trusted(void) {
    struct server *s = demanding("self-signed-leaf.pem");
    if (!s) return;
    if (WAIT(connect_with(s, "self-signed-leaf", NSWS_TLS_1_3), OPEN, 1)) CHECK_STR(seen_subject, "CN=self-signed-leaf");
    WAIT(connect_with(s, "client-only", NSWS_TLS_1_3), ERROR, 1);
}

static void the_file_of_the_clients_cas_is_checked(void) {
    struct server *s = new_server();
    nsws_server_options options = secure("good");
    options.client_ca_path = certificate_file("none.pem");
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_FILE);
    options.client_ca_path = certificate_file("empty.pem");
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_CERT_UNUSABLE);
    options.client_ca_path = "\xff";
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    options.client_ca_path = certificate_file("ca.pem");
    options.cert_path = NULL;
    CHECK_CODE(nsws_server_start(s->handle, &options), NSWS_ERR_PARAMETER);
    options.client_ca_path = "";
    START(s, &options);
}

int main(void) {
    RUN(each_client_is_shown_the_certificate_for_the_name_that_it_asks_for);
    RUN(added_certificates_are_enough_for_wss);
    RUN(certificates_that_can_not_be_used_are_not_added);
    RUN(certificates_are_replaced_on_call_and_who_is_connected_stays);
    RUN(changed_files_are_noticed);
    RUN(the_accept_hook_is_told_who_the_client_has_proved_to_be);
    RUN(a_client_without_a_certificate_of_the_ca_s_does_not_connect);
    RUN(a_certificate_that_is_in_the_file_itself_is_trusted);
    RUN(the_file_of_the_clients_cas_is_checked);
    return end_tests();
}
