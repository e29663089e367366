#include "recorder.h"

static const char *const callback_names[CALLBACKS] = { "open", "message", "error", "close" };

static struct app *apps;

static pthread_mutex_t apps_lock = PTHREAD_MUTEX_INITIALIZER;

struct app *app_of(struct WebSocket *client) {
    pthread_mutex_lock(&apps_lock);
    struct app *app = apps;
    while (app != NULL && app->client != client) app = app->next;
    pthread_mutex_unlock(&apps_lock);
    if (app == NULL) abort();
    return app;
}

static void record_call(struct app *app, enum callback kind, uint32_t code, const void *text, size_t length) {
    if (__atomic_add_fetch(&app->running, 1, __ATOMIC_SEQ_CST) != 1) __atomic_add_fetch(&app->overlaps, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(__atomic_load_n(&app->over, __ATOMIC_SEQ_CST), 0);
    pthread_mutex_lock(&app->lock);
    struct call *call = malloc(sizeof *call);
    *call = (struct call){ kind, code, copy_bytes(text, length), length, pthread_self() };
    if (app->count == app->capacity) {
        app->capacity = app->capacity ? 2 * app->capacity : 16;
        app->calls = realloc(app->calls, app->capacity * sizeof *app->calls);
    }
    app->calls[app->count++] = call;
    app->counts[kind]++;
    pthread_cond_broadcast(&app->changed);
    pthread_mutex_unlock(&app->lock);
    if (app->hook) app->hook(app, call);
    __atomic_sub_fetch(&app->running, 1, __ATOMIC_SEQ_CST);
}

void app_on_open(struct WebSocket *client, WebSocket_OpenResult result) {
    record_call(app_of(client), ON_OPEN, result.code, result.reason, strlen(result.reason));
}

void app_on_message(struct WebSocket *client, char *data, uint32_t length) {
    CHECK(data != NULL);
    CHECK_INT(data[length], 0);
    record_call(app_of(client), ON_MESSAGE, 0, data, length);
    /* A program may do so. */
    memset(data, '!', length);
}

void app_on_error(struct WebSocket *client, WebSocket_ErrorResult result) {
    record_call(app_of(client), ON_ERROR, result.errorCode, result.errorMessage, strlen(result.errorMessage));
}

void app_on_close(struct WebSocket *client, WebSocket_CloseResult result) {
    record_call(app_of(client), ON_CLOSE, result.code, result.reason, strlen(result.reason));
}

int app_destroy(struct app *app) {
    int result = OH_WebSocketClient_Destroy(app->client);
    if (result != WEBSOCKET_CLIENT_NOT_CREATED) __atomic_store_n(&app->over, 1, __ATOMIC_SEQ_CST);
    return result;
}

/* Destroys what the test left, and checks what holds for every client. The recorders stay: a callback whose client was destroyed
   by another callback may still run, and no event says when it has returned. */
static void end_apps(void) {
    for (struct app *app = apps; app != NULL && !app->ended; app = app->next) {
        if (!app->over) app_destroy(app);
        app->ended = 1;
        pthread_mutex_lock(&app->lock);
        CHECK_INT(app->overlaps, 0);
        for (size_t i = 0; i < app->count; i++) {
            free(app->calls[i]->text);
            app->calls[i]->text = NULL;
        }
        pthread_mutex_unlock(&app->lock);
    }
}

struct app *new_app(void) {
    static int number;
    struct app *app = calloc(1, sizeof *app);
    snprintf(app->token, sizeof app->token, "ndk-%ld-%d", (long)getpid(), ++number);
    pthread_mutex_init(&app->lock, NULL);
    condition_init(&app->changed);
    app->client = OH_WebSocketClient_Constructor(app_on_open, app_on_message, app_on_error, app_on_close);
    if (!CHECK(app->client != NULL)) abort();
    pthread_mutex_lock(&apps_lock);
    at_end(OF_APPS, end_apps);
    app->next = apps;
    apps = app;
    pthread_mutex_unlock(&apps_lock);
    return app;
}

size_t count_calls(struct app *app, enum callback kind) {
    pthread_mutex_lock(&app->lock);
    size_t count = app->counts[kind];
    pthread_mutex_unlock(&app->lock);
    return count;
}

const char *call_order(struct app *app) {
    static char text[65536];
    size_t length = 0;
    text[0] = 0;
    pthread_mutex_lock(&app->lock);
    for (size_t i = 0; i < app->count && length < sizeof text - 32; i++)
        length += (size_t)sprintf(text + length, "%s%s", i ? " " : "", callback_names[app->calls[i]->kind]);
    pthread_mutex_unlock(&app->lock);
    return text;
}

const struct call *wait_call(const char *file, int line, struct app *app, enum callback kind, size_t nth) {
    struct timespec end = guard_end();
    const struct call *found = NULL;
    pthread_mutex_lock(&app->lock);
    while (app->counts[kind] < nth && in_time(&app->changed, &app->lock, &end)) {
    }
    for (size_t i = 0, left = nth; i < app->count && !found; i++)
        if (app->calls[i]->kind == kind && --left == 0) found = app->calls[i];
    pthread_mutex_unlock(&app->lock);
    if (found == NULL)
        harness_fail(file, line, "callback %s no. %ld did not come; there were: %s", callback_names[kind], (long)nth, call_order(app));
    return found;
}

int check_call(const char *file, int line, const struct call *call, uint32_t code, const char *text) {
    return call != NULL && check_int(file, line, callback_names[call->kind], call->code, code) &
                               (text == NULL || check_str(file, line, callback_names[call->kind], call->text, text));
}

const char *app_url(struct app *app, const char *path) {
    snprintf(app->url, sizeof app->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, app->token);
    return app->url;
}

int app_connect(struct app *app, const char *url) {
    return OH_WebSocketClient_Connect(app->client, url, app->client->requestOptions);
}

int app_send(struct app *app, const char *data, size_t length) {
    return OH_WebSocketClient_Send(app->client, (char *)data, length);
}

int app_close(struct app *app, uint32_t code, const char *reason) {
    struct WebSocket_CloseOption option = { code, reason };
    return OH_WebSocketClient_Close(app->client, option);
}

int app_opens(const char *file, int line, struct app *app, const char *url) {
    /* Counted first: the callback may have come before connect returns. */
    size_t next = count_calls(app, ON_OPEN) + 1;
    return check_int(file, line, "Connect", app_connect(app, url), 0) &&
           wait_call(file, line, app, ON_OPEN, next) != NULL;
}
