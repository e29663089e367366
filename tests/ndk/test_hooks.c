/* The C client where the platform refuses, and what it logs: with the library outside, so that hooks can be set. */
#include "recorder.h"

static int may_use_the_network, may_reach_the_host;
static char last_host[256], last_line[1024];
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

static uint8_t has_permission(void *user) {
    (void)user;
    return (uint8_t)__atomic_load_n(&may_use_the_network, __ATOMIC_SEQ_CST);
}

static uint8_t is_allowed(const char *host, const char *url, void *user) {
    (void)url, (void)user;
    snprintf(last_host, sizeof last_host, "%s", host);
    return (uint8_t)may_reach_the_host;
}

static void keep_line(int32_t level, const char *line, void *user) {
    (void)user;
    pthread_mutex_lock(&line_lock);
    if (level <= NSWS_LOG_WARN) snprintf(last_line, sizeof last_line, "%s", line);
    pthread_mutex_unlock(&line_lock);
}

static void set_hooks(int network, int host) {
    nsws_platform platform;
    may_use_the_network = network;
    may_reach_the_host = host;
    last_host[0] = last_line[0] = 0;
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.has_internet_permission = has_permission;
    platform.is_host_allowed = is_allowed;
    platform.log = keep_line;
    CHECK_OK(nsws_set_platform(&platform));
}

static void without_permission_connect_is_1020(void) {
    struct app *app = new_app();
    set_hooks(0, 1);
    CHECK_INT(app_connect(app, app_url(app, "/echo")), 1020);
    CHECK_INT(app_connect(app, "www.example.com"), 1020);
    /* Whatever the URL is. */
    CHECK_INT(app_connect(app, "http://127.0.0.1/"), 1020);
    CHECK_INT(app_connect(app, ""), 1020);
    CHECK_INT(app_connect(app, NULL), 1020);
    CHECK_INT(app_close(app, 1000, ""), 1020);
    CHECK_INT(app_destroy(app), WEBSOCKET_NO_CONNECTION_CONTEXT);
}

static void a_permission_that_is_taken_away_ends_send_and_close_too(void) {
    struct app *app = new_app();
    set_hooks(1, 1);
    if (!APP_OPENS(app, app_url(app, "/sink"))) return;
    __atomic_store_n(&may_use_the_network, 0, __ATOMIC_SEQ_CST);
    CHECK_INT(app_connect(app, app->url), 1020);
    CHECK_INT(app_send(app, "x", 1), 1020);
    CHECK_INT(app_send(app, NULL, 1), WEBSOCKET_SEND_DATA_NULL);
    CHECK_INT(app_close(app, 1000, ""), 1020);
    __atomic_store_n(&may_use_the_network, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(app_close(app, 1000, ""), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "");
}

static void without_permission_close_leaves_an_attempt_alone(void) {
    struct app *app = new_app();
    set_hooks(1, 1);
    CHECK_INT(app_connect(app, app_url(app, "/hold")), 0);
    __atomic_store_n(&may_use_the_network, 0, __ATOMIC_SEQ_CST);
    CHECK_INT(app_close(app, 1000, ""), 1020);
    __atomic_store_n(&may_use_the_network, 1, __ATOMIC_SEQ_CST);
    release_peer(app->token);
    WAIT_CALL(app, ON_OPEN, 1);
}

static void a_host_that_is_not_allowed_is_1021(void) {
    struct app *app = new_app();
    set_hooks(1, 0);
    CHECK_INT(app_connect(app, app_url(app, "/echo")), 1021);
    CHECK_STR(last_host, "127.0.0.1");
    /* Without the permission, the host is not asked about. */
    set_hooks(0, 0);
    CHECK_INT(app_connect(app, app->url), 1020);
    CHECK_STR(last_host, "");
}

static void a_dropped_message_leaves_a_line_in_the_log(void) {
    struct app *app = new_app();
    set_hooks(1, 1);
    CHECK_INT(app_send(app, "sEcReT", 6), 0);
    CHECK_CONTAINS(last_line, "dropped");
    CHECK_LACKS(last_line, "sEcReT");
}


static struct app *asking;

static uint8_t ask_back(void *user) {
    (void)user;
    if (asking != NULL) {
        struct app *app = asking;
        asking = NULL;
        app_send(app, "x", 1);
        CHECK_INT(app_close(app, 1000, ""), WEBSOCKET_NO_CONNECTION);
        asking = app;
    }
    return 1;
}

static void a_hook_may_call_the_client_that_it_is_asked_for(void) {
    nsws_platform platform;
    struct app *app = new_app();
    CHECK_OK(nsws_platform_init(&platform, sizeof platform));
    platform.has_internet_permission = ask_back;
    CHECK_OK(nsws_set_platform(&platform));
    asking = app;
    CHECK_INT(app_connect(app, app_url(app, "/echo")), 0);
    asking = NULL;
    if (WAIT_CALL(app, ON_OPEN, 1) == NULL) return;
    CHECK_INT(app_close(app, 1000, ""), 0);
    CHECK_CALL(app, ON_CLOSE, 1000, "");
}

int main(void) {
    RUN(without_permission_connect_is_1020);
    RUN(a_permission_that_is_taken_away_ends_send_and_close_too);
    RUN(without_permission_close_leaves_an_attempt_alone);
    RUN(a_host_that_is_not_allowed_is_1021);
    RUN(a_dropped_message_leaves_a_line_in_the_log);
    RUN(a_hook_may_call_the_client_that_it_is_asked_for);
    CHECK_OK(nsws_set_platform(NULL));
    return end_tests();
}
