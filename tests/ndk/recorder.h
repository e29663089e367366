/*
 * What the tests of the NDK surface are made of, beside tests/c/harness.h: a client whose callbacks are recorded and can
 * be waited for. The NDK's callbacks carry no user data, so the client's address finds the recorder.
 */
#ifndef NDK_RECORDER_H
#define NDK_RECORDER_H

#include "../c/harness.h"

#include <sys/mman.h>

#include "net_websocket.h"

enum callback { ON_OPEN, ON_MESSAGE, ON_ERROR, ON_CLOSE, CALLBACKS };

static const char *const callback_names[CALLBACKS] = { "open", "message", "error", "close" };

struct call {
    enum callback kind;
    uint32_t code;
    /* The message, reason or sentence; NUL-terminated besides. */
    char *text;
    size_t length;
    pthread_t thread;
};

struct app {
    struct WebSocket *client;
    char token[64];
    char url[4200];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct call **calls;
    size_t count, capacity;
    size_t counts[CALLBACKS];
    int running, overlaps;
    /* Destroy has returned, outside callbacks: no call may come. */
    int over;
    int ended;
    /* Called in the callback, after it was recorded. */
    void (*hook)(struct app *, const struct call *);
    void *hook_data;
    struct app *next;
};

static struct app *apps;
static pthread_mutex_t apps_lock = PTHREAD_MUTEX_INITIALIZER;

/* The newest of this address: the system may give an address twice. */
HARNESS struct app *app_of(struct WebSocket *client) {
    pthread_mutex_lock(&apps_lock);
    struct app *app = apps;
    while (app != NULL && app->client != client) app = app->next;
    pthread_mutex_unlock(&apps_lock);
    if (app == NULL) abort();
    return app;
}

HARNESS void record_call(struct app *app, enum callback kind, uint32_t code, const void *text, size_t length) {
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

HARNESS void app_on_open(struct WebSocket *client, WebSocket_OpenResult result) {
    record_call(app_of(client), ON_OPEN, result.code, result.reason, strlen(result.reason));
}

HARNESS void app_on_message(struct WebSocket *client, char *data, uint32_t length) {
    CHECK(data != NULL);
    CHECK_INT(data[length], 0);
    record_call(app_of(client), ON_MESSAGE, 0, data, length);
    /* A program may do so. */
    memset(data, '!', length);
}

HARNESS void app_on_error(struct WebSocket *client, WebSocket_ErrorResult result) {
    record_call(app_of(client), ON_ERROR, result.errorCode, result.errorMessage, strlen(result.errorMessage));
}

HARNESS void app_on_close(struct WebSocket *client, WebSocket_CloseResult result) {
    record_call(app_of(client), ON_CLOSE, result.code, result.reason, strlen(result.reason));
}

/* A program with one client. */
HARNESS struct app *new_app(void) {
    static int number;
    struct app *app = calloc(1, sizeof *app);
    snprintf(app->token, sizeof app->token, "ndk-%ld-%d", (long)getpid(), ++number);
    pthread_mutex_init(&app->lock, NULL);
    condition_init(&app->changed);
    app->client = OH_WebSocketClient_Constructor(app_on_open, app_on_message, app_on_error, app_on_close);
    if (!CHECK(app->client != NULL)) abort();
    pthread_mutex_lock(&apps_lock);
    app->next = apps;
    apps = app;
    pthread_mutex_unlock(&apps_lock);
    return app;
}

HARNESS size_t count_calls(struct app *app, enum callback kind) {
    pthread_mutex_lock(&app->lock);
    size_t count = app->counts[kind];
    pthread_mutex_unlock(&app->lock);
    return count;
}

/* The calls so far: "open message close". */
HARNESS const char *call_order(struct app *app) {
    static char text[65536];
    size_t length = 0;
    text[0] = 0;
    pthread_mutex_lock(&app->lock);
    for (size_t i = 0; i < app->count && length < sizeof text - 32; i++)
        length += (size_t)sprintf(text + length, "%s%s", i ? " " : "", callback_names[app->calls[i]->kind]);
    pthread_mutex_unlock(&app->lock);
    return text;
}

HARNESS const struct call *wait_call(const char *file, int line, struct app *app, enum callback kind, size_t nth) {
    struct timespec end = guard_end();
    const struct call *found = NULL;
    int late = 0;
    pthread_mutex_lock(&app->lock);
    while (app->counts[kind] < nth && !late) late = pthread_cond_timedwait(&app->changed, &app->lock, &end) == ETIMEDOUT;
    for (size_t i = 0, left = nth; i < app->count && !found; i++)
        if (app->calls[i]->kind == kind && --left == 0) found = app->calls[i];
    pthread_mutex_unlock(&app->lock);
    if (found == NULL)
        harness_fail(file, line, "callback %s no. %ld did not come; there were: %s", callback_names[kind], (long)nth, call_order(app));
    return found;
}

/* The nth call of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define WAIT_CALL(app, kind, nth) wait_call(__FILE__, __LINE__, app, kind, nth)

HARNESS int check_call(const char *file, int line, const struct call *call, uint32_t code, const char *text) {
    return call != NULL && check_int(file, line, callback_names[call->kind], call->code, code) &
                               (text == NULL || check_str(file, line, callback_names[call->kind], call->text, text));
}

/* The first call of a kind, its code and its text (NULL: any). */
#define CHECK_CALL(app, kind, code, text) check_call(__FILE__, __LINE__, WAIT_CALL(app, kind, 1), code, text)

HARNESS const char *app_url(struct app *app, const char *path) {
    snprintf(app->url, sizeof app->url, "ws://127.0.0.1:%s%s?t=%s", setting("NSWS_RAW_PORT"), path, app->token);
    return app->url;
}

HARNESS int app_connect(struct app *app, const char *url) {
    return OH_WebSocketClient_Connect(app->client, url, app->client->requestOptions);
}

HARNESS int app_send(struct app *app, const char *data, size_t length) {
    return OH_WebSocketClient_Send(app->client, (char *)data, length);
}

HARNESS int app_close(struct app *app, uint32_t code, const char *reason) {
    struct WebSocket_CloseOption option = { code, reason };
    return OH_WebSocketClient_Close(app->client, option);
}

HARNESS int app_destroy(struct app *app) {
    int result = OH_WebSocketClient_Destroy(app->client);
    if (result != WEBSOCKET_CLIENT_NOT_CREATED) __atomic_store_n(&app->over, 1, __ATOMIC_SEQ_CST);
    return result;
}

/* Connects and waits for onOpen; whether it came. */
HARNESS int app_opens(const char *file, int line, struct app *app, const char *url) {
    return check_int(file, line, "Connect", app_connect(app, url), 0) &&
           wait_call(file, line, app, ON_OPEN, count_calls(app, ON_OPEN) + 1) != NULL;
}

#define APP_OPENS(app, url) app_opens(__FILE__, __LINE__, app, url)

/* Destroys what the test left, and checks what holds for every client. The recorders stay: a callback whose client another
   callback destroyed may still run, and nothing tells when it has returned. */
HARNESS void end_apps(void) {
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

static void (*app_test)(void);

HARNESS void with_apps(void) {
    app_test();
    end_apps();
}

#define RUN_APP(test) (app_test = test, run_test(#test, with_apps))

/* A page that nobody may touch, and the end of the readable one before it. */
struct guarded {
    char *page, *end;
};

HARNESS struct guarded guarded_page(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0) abort();
    return (struct guarded){ pages, pages + size };
}

HARNESS void free_guarded(struct guarded guarded) {
    munmap(guarded.page, 2 * (size_t)sysconf(_SC_PAGESIZE));
}

#endif
