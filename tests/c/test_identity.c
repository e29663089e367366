/* Who the client is, and whom it trusts: the matrix of keys, passwords and demands, and that of server certificates and
 * options. Keys and certificates are OpenSSL's; the servers are Python's ssl module and openssl s_server.
 */
#include "harness.h"

#include <stdarg.h>
#include <sys/stat.h>

/* The outcome of an attempt: a detail code and words of its sentence; 0 when it opens. */
struct outcome {
    int32_t detail;
    const char *words;
};

#define OPENS_IT { 0, NULL }

static const char *password(void) {
    return setting("NSWS_IDENTITY_PASSWORD");
}

/* A file in the certificates' folder. */
static const char *file(const char *format, ...) HARNESS_PRINTF(1, 2);

static const char *file(const char *format, ...) {
    static char paths[64][512];
    static int next;
    char *path = paths[next++ % 64];
    int length = snprintf(path, sizeof paths[0], "%s/", setting("NSWS_CERT_DIR"));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path + length, sizeof paths[0] - (size_t)length, format, arguments);
    va_end(arguments);
    return path;
}

static const char *pin(const char *name) {
    static char pins[4][64];
    static int next;
    char *text = pins[next++ % 4];
    FILE *in = fopen(file("%s.pin", name), "r");
    if (!CHECK(in != NULL && fgets(text, sizeof pins[0], in) != NULL)) abort();
    fclose(in);
    return text;
}

static void write_file(const char *path, const char *text) {
    FILE *out = fopen(path, "w");
    if (!CHECK(out != NULL)) abort();
    fputs(text, out);
    fclose(out);
}

static const char *port_of(const char *prefix, const char *name) {
    char variable[128];
    int length = snprintf(variable, sizeof variable, "NSWS_%s_%s_PORT", prefix, name);
    for (int i = 0; i < length; i++) {
        if (variable[i] >= 'a' && variable[i] <= 'z') variable[i] = (char)(variable[i] - 'a' + 'A');
        if (variable[i] == '-') variable[i] = '_';
    }
    return setting(variable);
}

/* What is logged, at the highest level. */
static struct counter configurations;
static int secrets_logged;

static void on_log(int32_t level, const char *line, void *user) {
    (void)level, (void)user;
    if (strstr(line, "A TLS configuration is made")) counter_add(&configurations, 1);
    if (strstr(line, password()) || strstr(line, "-----BEGIN")) __atomic_store_n(&secrets_logged, 1, __ATOMIC_SEQ_CST);
}

static nsws_connect_options trusting(const char *name) {
    nsws_connect_options options = defaults();
    options.ca_path = name ? file("%s.pem", name) : NULL;
    return options;
}

/* Makes an attempt and checks its outcome. Where it opens and `who` isn't NULL, the server must have seen that identity. */
static int comes_to(int line, const char *what, const char *host, const char *port, nsws_connect_options options,
                    struct outcome expected, const char *who) {
    struct recorder *r = new_client();
    int ok;
    snprintf(r->url, sizeof r->url, "wss://%s:%s/", host, port);
    if (expected.detail == 0) {
        ok = opens(__FILE__, line, r, r->url, &options);
        if (ok && who) {
            const struct event *message = wait_event(__FILE__, line, r, MESSAGE, 1);
            ok = message && check_str(__FILE__, line, "who the client is", message->text, who);
        }
    } else {
        ok = check_code(__FILE__, line, "connect", nsws_client_connect(r->client, r->url, &options), NSWS_OK);
        const struct event *error = ok ? wait_event(__FILE__, line, r, ERROR, 1) : NULL;
        int32_t phase = expected.detail == NSWS_DETAIL_HTTP_STATUS ? NSWS_PHASE_HANDSHAKE : NSWS_PHASE_TLS;
        if (error && (error->code != NSWS_ERR_CONNECT_FAILED || error->phase != phase || error->detail != expected.detail))
            ok = harness_fail(__FILE__, line, "%s, phase %s, %s: %s", nsws_error_name(error->code),
                              nsws_phase_name(error->phase), nsws_error_name(error->detail), error->text);
        ok = error && ok && check_contains(__FILE__, line, "the sentence", error->text, expected.words) &&
             check_contains(__FILE__, line, "the sentence", error->text, port) &&
             check_lacks(__FILE__, line, "the sentence", error->text, password()) &&
             check_str(__FILE__, line, "the order", order(r), "error");
    }
    if (!ok) fprintf(stderr, "    with %s\n", what);
    /* The clients of a matrix are many. */
    nsws_client_destroy(r->client);
    __atomic_store_n(&r->destroyed, 1, __ATOMIC_SEQ_CST);
    return ok;
}

/* Keys: each kind in each container with each password. */

static const char *const kinds[] = { "rsa", "p256", "p384", "ed25519" };

#define NO_PASSWORD { NSWS_DETAIL_NO_PASSWORD, "holds an encrypted private key, and no password was given" }
#define WRONG_PASSWORD { NSWS_DETAIL_WRONG_PASSWORD, "holds an encrypted private key, and the password is wrong" }
#define CONVERT { NSWS_DETAIL_KEY_FORM, "this converts it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW" }
#define PLAIN OPENS_IT, OPENS_IT, OPENS_IT
#define ENCRYPTED OPENS_IT, WRONG_PASSWORD, NO_PASSWORD
#define UNREADABLE CONVERT, CONVERT, CONVERT

static const struct {
    const char *container;
    struct outcome right_password, wrong_password, no_password;
} containers[] = {
    { "pkcs8", PLAIN },
    { "traditional", PLAIN },
    { "aes-128", ENCRYPTED },
    { "aes-192", ENCRYPTED },
    { "aes-256", ENCRYPTED },
    { "3des", ENCRYPTED },
    { "sha-1", ENCRYPTED },
    { "sha-512", ENCRYPTED },
    { "scrypt", ENCRYPTED },
    { "pbes1", UNREADABLE },
    { "old-aes-128", ENCRYPTED },
    { "old-aes-192", ENCRYPTED },
    { "old-aes-256", ENCRYPTED },
    { "old-3des", ENCRYPTED },
    { "old-camellia", UNREADABLE },
};

static void each_key_in_each_container_with_each_password(void) {
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
            const char *key = file("identity/%s-%s.key", kinds[kind], containers[i].container);
            /* Ed25519 has no traditional form. */
            if (access(key, F_OK) != 0 && strcmp(kinds[kind], "ed25519") == 0) continue;
            const struct {
                const char *password;
                struct outcome outcome;
            } columns[] = {
                { password(), containers[i].right_password },
                { "wrong", containers[i].wrong_password },
                { NULL, containers[i].no_password },
            };
            for (size_t column = 0; column < 3; column++) {
                char what[128];
                nsws_connect_options options = trusting("ca");
                options.client_cert_path = file("identity/%s.pem", kinds[kind]);
                options.client_key_path = key;
                options.client_key_password = columns[column].password;
                snprintf(what, sizeof what, "%s-%s, password %s", kinds[kind], containers[i].container,
                         columns[column].password ? columns[column].password : "none");
                comes_to(__LINE__, what, "127.0.0.1", port_of("IDENTITY", "demands"), options, columns[column].outcome,
                         kinds[kind]);
            }
        }
    }
}

/* Demands: what each server does with each identity. */

#define REQUIRED { NSWS_DETAIL_CLIENT_CERT_REQUIRED, "it demands a client certificate (client_cert_path)" }
/* TLS 1.2 has no alert for it. */
#define MAYBE { NSWS_DETAIL_TLS, "or demands a client certificate (client_cert_path)" }
#define UNKNOWN_CA { NSWS_DETAIL_CLIENT_CERT_REFUSED, "refused the client's certificate with the alert UnknownCA" }
#define EXPIRED { NSWS_DETAIL_CLIENT_CERT_REFUSED, "refused the client's certificate with the alert CertificateExpired" }
/* s_server has no WebSocket: it answers with a page when it accepts the client. */
#define PAGE { NSWS_DETAIL_HTTP_STATUS, "refused the upgrade: 200" }

static const struct {
    const char *server;
    /* Whether the server learns who the client is. */
    int asks;
    struct outcome without, with, with_expired;
} demands[] = {
    { "nothing", 0, OPENS_IT, OPENS_IT, OPENS_IT },
    { "asks", 1, OPENS_IT, OPENS_IT, EXPIRED },
    { "demands", 1, REQUIRED, OPENS_IT, EXPIRED },
    { "demands-1-2", 1, MAYBE, OPENS_IT, EXPIRED },
    { "other-ca", 1, REQUIRED, UNKNOWN_CA, UNKNOWN_CA },
    { "other-ca-1-2", 1, MAYBE, UNKNOWN_CA, UNKNOWN_CA },
    { "s-server", 1, REQUIRED, PAGE, EXPIRED },
    { "s-server-1-2", 1, MAYBE, PAGE, EXPIRED },
};

static void each_demand_with_each_identity(void) {
    for (size_t i = 0; i < sizeof demands / sizeof demands[0]; i++) {
        const char *port = port_of("IDENTITY", demands[i].server);
        nsws_connect_options options = trusting("ca");
        comes_to(__LINE__, demands[i].server, "127.0.0.1", port, options, demands[i].without,
 "nobody");
        for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
            options.client_cert_path = file("identity/%s.pem", kinds[kind]);
            options.client_key_path = file("identity/%s.key", kinds[kind]);
            comes_to(__LINE__, demands[i].server, "127.0.0.1", port, options, demands[i].with,
                     demands[i].asks ? kinds[kind] : "nobody");
        }
        options.client_cert_path = file("identity/expired.pem");
        options.client_key_path = file("identity/expired.key");
        comes_to(__LINE__, demands[i].server, "127.0.0.1", port, options, demands[i].with_expired, "nobody");
    }
}

/* Trust: each server certificate with each choice of options. */

enum { NO_OPTION, CA_PATH, SKIP, PIN, OTHER_PIN, SKIP_PIN, SKIP_OTHER_PIN, TLS_1_3, OPTIONS };

static const char *const option_names[OPTIONS] = {
    "no option", "ca_path", "skip", "ca_path and its pin", "ca_path and another pin", "skip and its pin",
    "skip and another pin", "ca_path and TLS 1.3",
};

#define ISSUER(words) { NSWS_DETAIL_CERT_ISSUER, words }
#define SELF_SIGNED ISSUER("its certificate is self-signed and not among those that are trusted")
#define BY(name) ISSUER("its certificate was issued by \"CN=The tests' " name "\", which is not trusted")
#define NOT_PINNED { NSWS_DETAIL_PIN_MISMATCH, NULL /* its own pin */ }
#define GONE { NSWS_DETAIL_CERT_EXPIRED, "its certificate expired on " }
#define EARLY { NSWS_DETAIL_CERT_NOT_YET_VALID, "its certificate is not valid before " }
#define FOR(names, host) { NSWS_DETAIL_CERT_NAME, "its certificate was issued for " names ", not for " host }
#define NAMELESS(host) FOR("no name (it has no subjectAltName)", host)
#define WEAK { NSWS_DETAIL_CERT_INVALID, "its certificate has an RSA key of 1024 bits, at least 2048 are needed" }

static const struct {
    const char *server, *host, *ca;
    struct outcome outcomes[OPTIONS];
} certificates[] = {
    { "good", "127.0.0.1", "ca",
      { BY("ca"), OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "good", "localhost", "ca",
      { BY("ca"), OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "self-signed-leaf", "127.0.0.1", "self-signed-leaf",
      { SELF_SIGNED, OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "self-signed", "127.0.0.1", "self-signed",
      { SELF_SIGNED, OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "unknown-ca", "127.0.0.1", "ca",
      { BY("other-ca"), BY("other-ca"), OPENS_IT, BY("other-ca"), BY("other-ca"), OPENS_IT, NOT_PINNED, BY("other-ca") } },
    { "expired", "127.0.0.1", "ca", { GONE, GONE, OPENS_IT, GONE, GONE, OPENS_IT, NOT_PINNED, GONE } },
    { "not-yet-valid", "127.0.0.1", "ca", { EARLY, EARLY, OPENS_IT, EARLY, EARLY, OPENS_IT, NOT_PINNED, EARLY } },
    { "wrong-name", "127.0.0.1", "ca",
      { BY("ca"), FOR("elsewhere.example, 192.0.2.1", "127.0.0.1"), OPENS_IT, FOR("elsewhere.example, 192.0.2.1", "127.0.0.1"),
        FOR("elsewhere.example, 192.0.2.1", "127.0.0.1"), OPENS_IT, NOT_PINNED,
        FOR("elsewhere.example, 192.0.2.1", "127.0.0.1") } },
    { "ip-only", "127.0.0.1", "ca",
      { BY("ca"), OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "ip-only", "localhost", "ca",
      { BY("ca"), FOR("127.0.0.1", "localhost"), OPENS_IT, FOR("127.0.0.1", "localhost"), FOR("127.0.0.1", "localhost"),
        OPENS_IT, NOT_PINNED, FOR("127.0.0.1", "localhost") } },
    { "cn-only", "localhost", "ca",
      { BY("ca"), NAMELESS("localhost"), OPENS_IT, NAMELESS("localhost"), NAMELESS("localhost"), OPENS_IT, NOT_PINNED,
        NAMELESS("localhost") } },
    /* Only the handshake's signature shows that a server has the key that is pinned, so it counts there. */
    { "rsa-1024", "127.0.0.1", "ca", { BY("ca"), WEAK, OPENS_IT, WEAK, NOT_PINNED, WEAK, NOT_PINNED, WEAK } },
    { "chain", "127.0.0.1", "ca",
      { BY("intermediate"), OPENS_IT, OPENS_IT, OPENS_IT, NOT_PINNED, OPENS_IT, NOT_PINNED, OPENS_IT } },
    { "incomplete-chain", "127.0.0.1", "ca",
      { BY("intermediate"), BY("intermediate"), OPENS_IT, BY("intermediate"), BY("intermediate"), OPENS_IT, NOT_PINNED,
        BY("intermediate") } },
};

static void each_server_certificate_with_each_option(void) {
    for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++) {
        const char *server = certificates[i].server, *other = strcmp(server, "good") ? "good" : "expired";
        for (int option = 0; option < OPTIONS; option++) {
            nsws_connect_options options = defaults();
            struct outcome expected = certificates[i].outcomes[option];
            char what[128], own[128];
            if (option == SKIP || option == SKIP_PIN || option == SKIP_OTHER_PIN)
                options.skip_server_cert_verification = 1;
            else if (option != NO_OPTION)
                options.ca_path = file("%s.pem", certificates[i].ca);
            if (option == PIN || option == SKIP_PIN) options.pinned_public_keys = pin(server);
            if (option == OTHER_PIN || option == SKIP_OTHER_PIN) options.pinned_public_keys = pin(other);
            if (option == TLS_1_3) options.min_tls_version = NSWS_TLS_1_3;
            snprintf(own, sizeof own, "its public key is %s, which is not pinned", pin(server));
            if (expected.detail == NSWS_DETAIL_PIN_MISMATCH) expected.words = own;
            snprintf(what, sizeof what, "%s at %s, %s", server, certificates[i].host, option_names[option]);
            comes_to(__LINE__, what, certificates[i].host, port_of("WSS", server), options, expected, NULL);
        }
    }
}

/* Pins. */

static void one_of_several_pins_is_enough(void) {
    char pins[256];
    nsws_connect_options options = trusting("ca");
    options.pinned_public_keys = pins;
    snprintf(pins, sizeof pins, "%s;%s", pin("expired"), pin("good"));
    comes_to(__LINE__, pins, "127.0.0.1", port_of("WSS", "good"), options, (struct outcome)OPENS_IT, NULL);
    snprintf(pins, sizeof pins, "%s;%s", pin("expired"), pin("chain"));
    comes_to(__LINE__, pins, "127.0.0.1", port_of("WSS", "good"), options,
             (struct outcome){ NSWS_DETAIL_PIN_MISMATCH, pin("good") }, NULL);
}

static void a_pin_of_the_ca_is_not_the_server_s(void) {
    nsws_connect_options options = trusting("ca");
    options.pinned_public_keys = pin("incomplete-chain");
    comes_to(__LINE__, "the leaf's", "127.0.0.1", port_of("WSS", "chain"), options, (struct outcome)OPENS_IT, NULL);
    options.pinned_public_keys = pin("self-signed");
    comes_to(__LINE__, "another's", "127.0.0.1", port_of("WSS", "chain"), options,
             (struct outcome){ NSWS_DETAIL_PIN_MISMATCH, "not pinned" }, NULL);
}

static void malformed_pins_are_refused_at_once(void) {
    char longer[128];
    static const char *const malformed[] = {
        "", ";", "sha256//", "sha256//AAAA", "sha1//qhJPeRcsLu63sL3JlLTTWRrI4s8IlPWVQMCGiNuINK4=",
        "qhJPeRcsLu63sL3JlLTTWRrI4s8IlPWVQMCGiNuINK4=", "sha256//qhJPeRcsLu63sL3JlLTTWRrI4s8IlPWVQMCGiNuINK4", "\xff",
    };
    struct recorder *r = new_client();
    nsws_connect_options options = defaults();
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        options.pinned_public_keys = malformed[i];
        CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    }
    snprintf(longer, sizeof longer, "%s;", pin("good"));
    options.pinned_public_keys = longer;
    CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    CHECK_CONTAINS(nsws_last_error(), "pin");
}

/* Files. */

static void files_that_can_not_be_opened_are_refused_at_once(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = trusting("ca");
    const char *const missing[] = { file("no-such.pem"), "", setting("NSWS_CERT_DIR") };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        options.client_cert_path = missing[i];
        options.client_key_path = file("identity/rsa.key");
        CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_CERT_FILE);
        options.client_cert_path = file("identity/rsa.pem");
        options.client_key_path = missing[i];
        CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_CERT_FILE);
    }
    options.client_key_path = file("no-such.key");
    CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_CERT_FILE);
    CHECK_CONTAINS(nsws_last_error(), "no-such.key");
    CHECK_STR(order(r), "");
}

static void a_key_or_password_without_a_certificate_is_refused(void) {
    struct recorder *r = new_client();
    nsws_connect_options options = trusting("ca");
    options.client_key_path = file("identity/rsa.key");
    CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    CHECK_CONTAINS(nsws_last_error(), "client_cert_path");
    options.client_key_path = NULL;
    options.client_key_password = "x";
    CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    options.client_key_password = "\xff";
    options.client_cert_path = file("identity/rsa.pem");
    CHECK_CODE(nsws_client_connect(r->client, "wss://127.0.0.1:1/", &options), NSWS_ERR_PARAMETER);
    CHECK_CONTAINS(nsws_last_error(), "client_key_password");
}

static void what_is_wrong_with_the_files_is_an_error_event(void) {
    const char *empty = file("empty.pem"), *broken = file("broken-%ld.pem", (long)getpid());
    const char *cert = file("identity/rsa.pem"), *key = file("identity/rsa.key");
    write_file(broken, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n");
    const struct {
        const char *cert, *key;
        struct outcome outcome;
    } files[] = {
        { empty, key, { NSWS_DETAIL_CERT_CONTENT, "empty.pem holds no PEM certificate." } },
        { key, key, { NSWS_DETAIL_CERT_CONTENT, "rsa.key holds no PEM certificate." } },
        { broken, key, { NSWS_DETAIL_CERT_CONTENT, "has broken base64 in the block CERTIFICATE in line 1." } },
        { cert, empty, { NSWS_DETAIL_KEY_CONTENT, "empty.pem holds no PEM private key." } },
        { cert, cert, { NSWS_DETAIL_KEY_CONTENT, "rsa.pem holds no PEM private key." } },
        { cert, NULL, { NSWS_DETAIL_KEY_CONTENT, "rsa.pem holds no PEM private key." } },
        { cert, broken, { NSWS_DETAIL_KEY_CONTENT, "has no end of the block PRIVATE KEY in line 4." } },
        { cert, file("identity/p256.key"), { NSWS_DETAIL_KEY_MISMATCH, "p256.key does not belong to the first certificate in" } },
        { file("rsa-1024.pem"), file("rsa-1024.key"), { NSWS_DETAIL_KEY_CONTENT, "RSA of 2048 to 8192 bits" } },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        nsws_connect_options options = trusting("ca");
        options.client_cert_path = files[i].cert;
        options.client_key_path = files[i].key;
        comes_to(__LINE__, files[i].cert, "127.0.0.1", port_of("IDENTITY", "asks"), options, files[i].outcome, NULL);
    }
    unlink(broken);
}

/* The command in the sentence, with the names filled in, works. */
static void the_command_that_converts_a_key_works(void) {
    static const char *const keys[] = { "identity/rsa-pbes1.key", "identity/p256-pbes1.key", "identity/rsa-old-camellia.key" };
    char command[2048];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *kind = strstr(keys[i], "rsa") ? "rsa" : "p256", *converted = file("converted-%ld.key", (long)getpid());
        snprintf(command, sizeof command,
                 "openssl pkcs8 -topk8 -v2 aes-256-cbc -in '%s' -out '%s' -passin 'pass:%s' -passout 'pass:%s'",
                 file("%s", keys[i]), converted, password(), password());
        if (!CHECK_INT(system(command), 0)) return;
        nsws_connect_options options = trusting("ca");
        options.client_cert_path = file("identity/%s.pem", kind);
        options.client_key_path = converted;
        options.client_key_password = password();
        comes_to(__LINE__, keys[i], "127.0.0.1", port_of("IDENTITY", "demands"), options, (struct outcome)OPENS_IT, kind);
        unlink(converted);
    }
}

static void everything_is_copied(void) {
    char cert[512], key[512], secret[128], pins[128];
    struct recorder *r = new_client();
    nsws_connect_options options = trusting("ca");
    snprintf(cert, sizeof cert, "%s", file("identity/p384.pem"));
    snprintf(key, sizeof key, "%s", file("identity/p384-aes-256.key"));
    snprintf(secret, sizeof secret, "%s", password());
    snprintf(pins, sizeof pins, "%s", pin("good"));
    options.client_cert_path = cert;
    options.client_key_path = key;
    options.client_key_password = secret;
    options.pinned_public_keys = pins;
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", port_of("IDENTITY", "demands"));
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    memset(cert, '!', sizeof cert);
    memset(key, '!', sizeof key);
    memset(secret, '!', sizeof secret);
    memset(pins, '!', sizeof pins);
    memset(&options, '!', sizeof options);
    const struct event *message = WAIT(r, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "p384");
}

/* What is kept. */

static void copy_file(const char *from, const char *to) {
    char text[16384];
    FILE *in = fopen(from, "r");
    if (!CHECK(in != NULL)) abort();
    text[fread(text, 1, sizeof text - 1, in)] = 0;
    fclose(in);
    write_file(to, text);
}

static void files_are_read_once_until_one_changes(void) {
    const char *ca = file("kept-ca-%ld.pem", (long)getpid()), *cert = file("kept-%ld.pem", (long)getpid());
    const char *key = file("kept-%ld.key", (long)getpid());
    nsws_connect_options options = defaults();
    options.ca_path = ca;
    options.client_cert_path = cert;
    options.client_key_path = key;
    copy_file(file("ca.pem"), ca);
    for (size_t kind = 0; kind < 2; kind++) {
        copy_file(file("identity/%s.pem", kinds[kind]), cert);
        copy_file(file("identity/%s.key", kinds[kind]), key);
        long before = counter_value(&configurations);
        for (int i = 0; i < 3; i++) {
            comes_to(__LINE__, "its own files", "127.0.0.1", port_of("IDENTITY", "demands"), options,
                     (struct outcome)OPENS_IT, kinds[kind]);
            CHECK_INT(counter_value(&configurations), before + 1);
        }
    }
    /* A file that is replaced by an equal one counts as changed. */
    long before = counter_value(&configurations);
    unlink(ca);
    copy_file(file("ca.pem"), ca);
    comes_to(__LINE__, "a new CA file", "127.0.0.1", port_of("IDENTITY", "demands"), options, (struct outcome)OPENS_IT, "p256");
    CHECK_INT(counter_value(&configurations), before + 1);
    /* Another password is another set of options. */
    options.client_key_password = "ignored, since the key is not encrypted";
    comes_to(__LINE__, "a password", "127.0.0.1", port_of("IDENTITY", "demands"), options, (struct outcome)OPENS_IT, "p256");
    CHECK_INT(counter_value(&configurations), before + 2);
    unlink(ca);
    unlink(cert);
    unlink(key);
}

static void the_system_s_cas_are_read_once(void) {
    nsws_connect_options options = defaults();
    const struct outcome refused = BY("ca");
    comes_to(__LINE__, "the system's CAs", "127.0.0.1", port_of("WSS", "good"), options, refused, NULL);
    long before = counter_value(&configurations);
    for (int i = 0; i < 3; i++)
        comes_to(__LINE__, "the system's CAs", "127.0.0.1", port_of("WSS", "good"), options, refused, NULL);
    CHECK_INT(counter_value(&configurations), before);
}

static void the_environment_may_name_the_system_s_cas(void) {
    const struct outcome opens_it = OPENS_IT, refused = BY("ca");
    setenv("SSL_CERT_FILE", file("ca.pem"), 1);
    comes_to(__LINE__, "SSL_CERT_FILE", "127.0.0.1", port_of("WSS", "good"), defaults(), opens_it, NULL);
    unsetenv("SSL_CERT_FILE");
    comes_to(__LINE__, "no variable", "127.0.0.1", port_of("WSS", "good"), defaults(), refused, NULL);
    setenv("SSL_CERT_DIR", setting("NSWS_CERT_DIR"), 1);
    comes_to(__LINE__, "SSL_CERT_DIR", "127.0.0.1", port_of("WSS", "good"), defaults(), opens_it, NULL);
    unsetenv("SSL_CERT_DIR");
}

static int resumes(const char *port, const nsws_connect_options *options) {
    nsws_client_stats stats;
    struct recorder *r = new_client();
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", port);
    /* In TLS 1.3 the session's ticket comes after the handshake; it is there when a message is. */
    if (!OPENS(r, r->url, options) || !WAIT(r, MESSAGE, 1)) return -1;
    if (!CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats))) return -1;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    WAIT(r, CLOSE, 1);
    return stats.tls_resumed;
}

static void tls_sessions_are_resumed(void) {
    static const char *const servers[] = { "nothing", "demands", "demands-1-2" };
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        const char *port = port_of("IDENTITY", servers[i]);
        nsws_connect_options options = trusting("ca");
        options.client_cert_path = file("identity/p256.pem");
        options.client_key_path = file("identity/p256-pkcs8.key");
        /* The pin keeps these options apart from other tests'. */
        char pins[256];
        snprintf(pins, sizeof pins, "%s;%s", pin("good"), pin(i == 0 ? "chain" : i == 1 ? "expired" : "self-signed"));
        options.pinned_public_keys = pins;
        CHECK_INT(resumes(port, &options), 0);
        CHECK_INT(resumes(port, &options), 1);
        CHECK_INT(resumes(port, &options), 1);
        /* Another identity doesn't resume this one's session. */
        options.client_cert_path = file("identity/p384.pem");
        options.client_key_path = file("identity/p384-pkcs8.key");
        CHECK_INT(resumes(port, &options), 0);
    }
}

/* A key that takes long to open delays neither the caller nor another client. */
static void an_expensive_key_delays_nobody_else(void) {
    /* Valgrind runs one thread at a time, and would take minutes. */
    if (slowness() > 1) return;
    struct recorder *slow = new_client();
    nsws_connect_options options = trusting("ca");
    options.client_cert_path = file("identity/p256.pem");
    options.client_key_path = file("identity/p256-slow.key");
    options.client_key_password = password();
    snprintf(slow->url, sizeof slow->url, "wss://127.0.0.1:%s/", port_of("IDENTITY", "demands"));
    options.connect_timeout_ms = (uint32_t)guard_seconds() * 1000;
    CHECK_OK(nsws_client_connect(slow->client, slow->url, &options));
    comes_to(__LINE__, "no identity", "127.0.0.1", port_of("IDENTITY", "nothing"), trusting("ca"), (struct outcome)OPENS_IT,
             "nobody");
    CHECK_STR(order(slow), "");
    const struct event *message = WAIT(slow, MESSAGE, 1);
    if (message) CHECK_STR(message->text, "p256");
}

static void shutdown_tells_of_a_key_that_is_being_opened(void) {
    if (slowness() > 1) return;
    struct recorder *r = new_client();
    nsws_connect_options options = trusting("ca");
    options.client_cert_path = file("identity/p256.pem");
    options.client_key_path = file("identity/p256-slow.key");
    options.client_key_password = "wrong";
    snprintf(r->url, sizeof r->url, "wss://127.0.0.1:%s/", port_of("IDENTITY", "demands"));
    long before = counter_value(&configurations);
    CHECK_OK(nsws_client_connect(r->client, r->url, &options));
    if (!WAIT_COUNTER(&configurations, before + 1)) return;
    if (CHECK_CODE(nsws_shutdown(1), NSWS_ERR_BUSY)) CHECK_CONTAINS(nsws_last_error(), "1 name lookup(s), platform hook(s) or file read(s)");
    __atomic_store_n(&r->destroyed, 1, __ATOMIC_SEQ_CST);
    CHECK_OK(nsws_shutdown((uint32_t)guard_seconds() * 1000));
}

static void nothing_secret_was_logged(void) {
    CHECK_LEAST(counter_value(&configurations), 10);
    CHECK(!secrets_logged);
}

int main(void) {
    counter_init(&configurations);
    nsws_set_log_callback(NSWS_LOG_DEBUG, on_log, NULL, NULL);
    RUN(each_key_in_each_container_with_each_password);
    RUN(each_demand_with_each_identity);
    RUN(each_server_certificate_with_each_option);
    RUN(one_of_several_pins_is_enough);
    RUN(a_pin_of_the_ca_is_not_the_server_s);
    RUN(malformed_pins_are_refused_at_once);
    RUN(files_that_can_not_be_opened_are_refused_at_once);
    RUN(a_key_or_password_without_a_certificate_is_refused);
    RUN(what_is_wrong_with_the_files_is_an_error_event);
    RUN(the_command_that_converts_a_key_works);
    RUN(everything_is_copied);
    RUN(files_are_read_once_until_one_changes);
    RUN(the_system_s_cas_are_read_once);
    RUN(the_environment_may_name_the_system_s_cas);
    RUN(tls_sessions_are_resumed);
    RUN(an_expensive_key_delays_nobody_else);
    RUN(shutdown_tells_of_a_key_that_is_being_opened);
    RUN(nothing_secret_was_logged);
    return end_tests();
}
