/* The platform's hooks: which are called, when, and what their answers do. */
#include "harness.h"

struct answers {
    uint8_t permission, host;
    int asked_permission, asked_host, freed, lines;
    char host_seen[256], url_seen[512];
    /* Called inside a hook. */
    void (*inside)(void *);
    void *inside_data;
};

static uint8_t has_permission(void *user) {
    struct answers *answers = user;
    __atomic_add_fetch(&answers->asked_permission, 1, __ATOMIC_SEQ_CST);
    if (answers->inside) answers->inside(answers->inside_data);
    return answers->permission;
}

static uint8_t is_allowed(const char *host, const char *url, void *user) {
    struct answers *answers = user;
    answers->asked_host++;
    snprintf(answers->host_seen, sizeof answers->host_seen, "%s", host);
    snprintf(answers->url_seen, sizeof answers->url_seen, "%s", url);
    return answers->host;
}

static void on_log(int32_t level, const char *line, void *user) {
    (void)level;
    struct answers *answers = user;
    if (strstr(line, "127.0.0.1")) __atomic_add_fetch(&answers->lines, 1, __ATOMIC_SEQ_CST);
}

static void on_free(void *user) {
    struct answers *answers = user;
    __atomic_add_fetch(&answers->freed, 1, __ATOMIC_SEQ_CST);
}

static nsws_platform platform_of(struct answers *answers) {
    nsws_platform platform;
    memset(answers, 0, sizeof *answers);
    answers->permission = answers->host = 1;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.user_data = answers;
    platform.free_fn = on_free;
    platform.has_internet_permission = has_permission;
    platform.is_host_allowed = is_allowed;
    return platform;
}

static void without_permission_every_call_is_refused_after_its_parameters(void) {
    static struct answers answers;
    nsws_platform platform = platform_of(&answers);
    CHECK_OK(nsws_set_platform(&platform));
    struct recorder *idle = new_client(), *open = OPEN_RAW("/echo", NULL);
    if (!open) return;
    answers.permission = 0;
    struct recorder *both[] = { idle, open };
    for (size_t i = 0; i < 2; i++) {
        nsws_client client = both[i]->client;
        CHECK_CODE(nsws_client_connect(client, "ws://127.0.0.1/", NULL), NSWS_ERR_PERMISSION_DENIED);
        nsws_connect_options options;
        CHECK_OK(nsws_connect_options_init(&options, sizeof options));
        options.close_timeout_ms = 0;
        CHECK_CODE(nsws_client_connect(client, "ws://127.0.0.1/", &options), NSWS_ERR_PARAMETER);
        static const char *const urls[] = { "no url", "", "ws://", "ws://h/\xff", NULL };
        for (size_t j = 0; j < 5; j++) CHECK_CODE(nsws_client_connect(client, urls[j], NULL), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_client_send_text(client, "a", 1), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_client_send_text(client, "\xff", 1), NSWS_ERR_PARAMETER);
        CHECK_CODE(nsws_client_send_binary(client, "a", 1), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_client_ping(client, "a", 1), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_client_close(client, 1000, ""), NSWS_ERR_PERMISSION_DENIED);
        CHECK_CODE(nsws_client_close(client, 1006, ""), NSWS_ERR_PARAMETER);
    }
    /* It had no effect, and the open connection is not affected. */
    answers.permission = 1;
    CHECK_OK(nsws_client_send_text(open->client, "after", 5));
    const struct event *event = WAIT(open, MESSAGE, 1);
    if (event) CHECK_STR(event->text, "after");
    CHECK_INT(count_events(open, ERROR) + count_events(idle, ERROR), 0);
    CHECK_CODE(nsws_client_send_text(idle->client, "a", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_INT(answers.freed, 1);
}

static void a_host_may_be_forbidden(void) {
    static struct answers answers;
    nsws_platform platform = platform_of(&answers);
    CHECK_OK(nsws_set_platform(&platform));
    struct recorder *r = new_client();
    answers.host = 0;
    CHECK_CODE(nsws_client_connect(r->client, "wss://user:pw@[::1]:8443/path?q", NULL), NSWS_ERR_DOMAIN_NOT_ALLOWED);
    CHECK_STR(answers.host_seen, "::1");
    CHECK_STR(answers.url_seen, "wss://user:pw@[::1]:8443/path?q");
    CHECK_LACKS(nsws_last_error(), "pw");
    /* Permission comes first. */
    answers.permission = 0;
    int asked = answers.asked_host;
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1/", NULL), NSWS_ERR_PERMISSION_DENIED);
    CHECK_INT(answers.asked_host, asked);
    answers.permission = answers.host = 1;
    if (!OPENS(r, raw_url(r, "/echo"), NULL)) return;
    CHECK_STR(answers.host_seen, "127.0.0.1");
    /* Only connect asks for the host; the domain comes before the state. */
    asked = answers.asked_host;
    CHECK_OK(nsws_client_send_text(r->client, "a", 1));
    CHECK_INT(answers.asked_host, asked);
    answers.host = 0;
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1/", NULL), NSWS_ERR_DOMAIN_NOT_ALLOWED);
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_CODE(nsws_client_connect(r->client, "ws://127.0.0.1/", NULL), NSWS_ERR_ALREADY_CONNECTED);
}

static void new_hooks_replace_the_old_ones(void) {
    static struct answers first, second;
    nsws_platform platform = platform_of(&first);
    CHECK_OK(nsws_set_platform(&platform));
    platform = platform_of(&second);
    platform.is_host_allowed = NULL;
    CHECK_OK(nsws_set_platform(&platform));
    CHECK_INT(first.freed, 1);
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    CHECK_INT(first.asked_permission, 0);
    CHECK_LEAST(second.asked_permission, 1);
    CHECK_INT(second.asked_host, 0);
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_INT(second.freed, 1);
    int asked = second.asked_permission;
    CHECK_OK(nsws_client_close(r->client, 1000, ""));
    CHECK_INT(second.asked_permission, asked);
}

static void release_in_a_hook(void *user) {
    struct recorder *r = user;
    /* It is a callback: destroy doesn't wait for the call that it is in. */
    nsws_client_destroy(r->client);
    CHECK_CODE(nsws_shutdown(0), NSWS_ERR_WOULD_DEADLOCK);
    CHECK_OK(nsws_set_platform(NULL));
}

static void a_hook_may_call_the_library(void) {
    static struct answers answers;
    nsws_platform platform = platform_of(&answers);
    struct recorder *r = OPEN_RAW("/echo", NULL);
    if (!r) return;
    answers.inside = release_in_a_hook;
    answers.inside_data = r;
    CHECK_OK(nsws_set_platform(&platform));
    CHECK_CODE(nsws_client_send_text(r->client, "a", 1), NSWS_ERR_NOT_CONNECTED);
    CHECK_INT(answers.freed, 1);
    CHECK_INT(answers.asked_permission, 1);
    r->destroyed = 1;
}

static void the_log_may_go_to_the_platform(void) {
    static struct answers answers;
    nsws_platform platform = platform_of(&answers);
    platform.log = on_log;
    platform.log_level = NSWS_LOG_DEBUG;
    CHECK_OK(nsws_set_platform(&platform));
    if (!OPEN_RAW("/echo", NULL)) return;
    CHECK_LEAST(__atomic_load_n(&answers.lines, __ATOMIC_SEQ_CST), 1);
    CHECK_OK(nsws_set_platform(NULL));
    /* The log still has the line. */
    CHECK_INT(answers.freed, 0);
    CHECK_OK(nsws_set_log_callback(NSWS_LOG_OFF, NULL, NULL, NULL));
    CHECK_INT(answers.freed, 1);
}

static void a_wrong_struct_is_refused_and_nothing_changes(void) {
    static struct answers answers;
    nsws_platform platform = platform_of(&answers);
    CHECK_CODE(nsws_platform_init(NULL, sizeof platform), NSWS_ERR_PARAMETER);
    CHECK_CODE(nsws_platform_init(&platform, 4), NSWS_ERR_PARAMETER);
    platform.struct_size = 0;
    CHECK_CODE(nsws_set_platform(&platform), NSWS_ERR_PARAMETER);
    platform.struct_size = sizeof platform;
    platform.log = on_log;
    platform.log_level = 77;
    CHECK_CODE(nsws_set_platform(&platform), NSWS_ERR_PARAMETER);
    CHECK_INT(answers.freed, 0);
    if (!OPEN_RAW("/echo", NULL)) return;
    CHECK_INT(answers.asked_permission, 0);
}

/* The platform looks names up. */

static struct counter lookups;
static struct gate slow_names;
static const char *bad_answer;
static int32_t bad_result;

static void look_up(const char *host, nsws_resolve_answer *answer, void *user) {
    (void)user;
    counter_add(&lookups, 1);
    if (strcmp(host, "tv.test") == 0) CHECK_OK(nsws_resolve_answer_set(answer, "127.0.0.1"));
    if (strcmp(host, "two.test") == 0) CHECK_OK(nsws_resolve_answer_set(answer, " 127.0.0.3,[::1] , 127.0.0.1"));
    if (strcmp(host, "none.test") == 0) CHECK_OK(nsws_resolve_answer_set(answer, bad_answer));
    if (strcmp(host, "bad.test") == 0) bad_result = nsws_resolve_answer_set(answer, bad_answer);
    if (strncmp(host, "slow", 4) != 0) return;
    gate_pass(&slow_names);
    CHECK_OK(nsws_resolve_answer_set(answer, "127.0.0.1"));
}

static void platform_looks_up(void) {
    nsws_platform platform;
    counter_init(&lookups);
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.resolve = look_up;
    CHECK_OK(nsws_set_platform(&platform));
}

static const char *url_at(struct recorder *r, const char *host) {
    snprintf(r->url, sizeof r->url, "ws://%s:%s/echo?t=%s", host, setting("NSWS_RAW_PORT"), r->token);
    return r->url;
}

static void the_platform_may_look_names_up(void) {
    platform_looks_up();
    static const char *const hosts[] = { "tv.test", "two.test", "localhost" };
    for (size_t i = 0; i < 3; i++) {
        struct recorder *r = new_client();
        if (!OPENS(r, url_at(r, hosts[i]), NULL)) return;
        CHECK_INT(counter_value(&lookups), i + 1);
        nsws_client_stats stats;
        CHECK_OK(nsws_client_get_stats(r->client, &stats, sizeof stats));
        CHECK_LEAST(stats.dns_us, 1);
    }
    /* What is known already, and no names. */
    nsws_connect_options options = defaults();
    char known[64];
    snprintf(known, sizeof known, "known.test:%s:127.0.0.1", setting("NSWS_RAW_PORT"));
    options.resolve = known;
    struct recorder *r = new_client();
    if (!OPENS(r, url_at(r, "known.test"), &options) || !OPEN_RAW("/echo", NULL)) return;
    r = new_client();
    CHECK_OK(nsws_client_connect(r->client, "ws://[fe80::1%25nosuch0]:1/", NULL));
    WAIT(r, ERROR, 1);
    CHECK_INT(counter_value(&lookups), 3);
    CHECK_OK(nsws_set_platform(NULL));
    CHECK_CODE(nsws_resolve_answer_set(NULL, "127.0.0.1"), NSWS_ERR_PARAMETER);
}

static const struct event *lookup_error(const char *host, const nsws_connect_options *options) {
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, url_at(r, host), options));
    const struct event *error = WAIT(r, ERROR, 1);
    if (!error) return NULL;
    CHECK_INT(error->code, NSWS_ERR_CONNECT_FAILED);
    CHECK_INT(error->detail, NSWS_DETAIL_NAME_NOT_FOUND);
    CHECK_CONTAINS(error->text, host);
    return error;
}

static void a_name_that_the_platform_does_not_know_is_an_error_of_phase_dns(void) {
    platform_looks_up();
    static const char *const nothing[] = { NULL, "", " " };
    for (size_t i = 0; i < 3; i++) {
        bad_answer = nothing[i];
        const struct event *error = lookup_error("none.test", NULL);
        if (!error) return;
        CHECK_INT(error->phase, NSWS_PHASE_DNS);
        CHECK_CONTAINS(error->text, "no address");
    }
    /* The proxy's name. */
    nsws_connect_options options = defaults();
    options.proxy_mode = NSWS_PROXY_HTTP;
    options.proxy_host = "none.test";
    options.proxy_port = 1;
    struct recorder *r = new_client();
    CHECK_OK(nsws_client_connect(r->client, "ws://tv.test/", &options));
    const struct event *error = WAIT(r, ERROR, 1);
    if (error) CHECK_INT(error->phase, NSWS_PHASE_PROXY);
    CHECK_INT(counter_value(&lookups), 4);
    CHECK_OK(nsws_set_platform(NULL));
}

static void what_is_no_address_fails_the_attempt(void) {
    platform_looks_up();
    static const char *const answers[] = {
        "garbage", "127.0.0.1:80", "127.0.0.1,", ",", "127.0.0.1 127.0.0.2", "127.0.0.1;127.0.0.2",
        "127.0.0.1, x\ny", "[127.0.0.1]", "::1%lo", "fe80::1%", "\xff", "http://127.0.0.1",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        bad_answer = answers[i];
        bad_result = 0;
        const struct event *error = lookup_error("bad.test", NULL);
        if (!error) return;
        CHECK_INT(error->phase, NSWS_PHASE_DNS);
        CHECK_CONTAINS(error->text, "platform's answer");
        CHECK_LACKS(error->text, "\n");
        CHECK_CODE(bad_result, NSWS_ERR_PARAMETER);
    }
    /* The form is right, the interface isn't there. */
    bad_answer = "fe80::1%nosuch0";
    lookup_error("bad.test", NULL);
    CHECK_OK(bad_result);
    CHECK_OK(nsws_set_platform(NULL));
}

static void a_lookup_that_blocks_holds_up_no_other(void) {
    enum { MANY = 20 };
    platform_looks_up();
    gate_init(&slow_names);
    struct recorder *slow[MANY];
    for (int i = 0; i < MANY; i++) {
        char host[32];
        snprintf(host, sizeof host, "slow%d.test", i);
        slow[i] = new_client();
        CHECK_OK(nsws_client_connect(slow[i]->client, url_at(slow[i], host), NULL));
    }
    struct recorder *r = new_client();
    if (!OPENS(r, url_at(r, "tv.test"), NULL)) return;
    /* One that takes too long is given up, and its hook goes on. */
    nsws_connect_options options = defaults();
    options.connect_timeout_ms = 50;
    struct recorder *late = new_client();
    CHECK_OK(nsws_client_connect(late->client, url_at(late, "slow.test"), &options));
    const struct event *error = WAIT(late, ERROR, 1);
    if (error) CHECK_INT(error->phase, NSWS_PHASE_DNS);
    gate_open(&slow_names);
    for (int i = 0; i < MANY; i++) WAIT(slow[i], OPEN, 1);
    CHECK_OK(nsws_set_platform(NULL));
}

/* The struct of a program that was built with an earlier version. */
static void an_older_program_has_no_lookup(void) {
    nsws_platform platform;
    memset(&platform, 0xee, sizeof platform);
    CHECK_OK(nsws_platform_init(&platform, offsetof(nsws_platform, resolve)));
    CHECK_INT(platform.struct_size, offsetof(nsws_platform, resolve));
    CHECK_OK(nsws_set_platform(&platform));
    struct recorder *r = new_client();
    OPENS(r, url_at(r, "localhost"), NULL);
    CHECK_OK(nsws_set_platform(NULL));
}

int main(void) {
    RUN(without_permission_every_call_is_refused_after_its_parameters);
    RUN(a_host_may_be_forbidden);
    RUN(new_hooks_replace_the_old_ones);
    RUN(a_hook_may_call_the_library);
    RUN(the_log_may_go_to_the_platform);
    RUN(a_wrong_struct_is_refused_and_nothing_changes);
    RUN(the_platform_may_look_names_up);
    RUN(a_name_that_the_platform_does_not_know_is_an_error_of_phase_dns);
    RUN(what_is_no_address_fails_the_attempt);
    RUN(a_lookup_that_blocks_holds_up_no_other);
    RUN(an_older_program_has_no_lookup);
    return end_tests();
}
