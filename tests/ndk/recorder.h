/*
 * A client of the NDK whose callbacks are recorded and can be waited for. The NDK's callbacks carry no user data, so the client's
 * address finds the recorder.
 */
#ifndef NDK_RECORDER_H
#define NDK_RECORDER_H

#include "harness.h"
#include "net_websocket.h"

enum callback { ON_OPEN, ON_MESSAGE, ON_ERROR, ON_CLOSE, CALLBACKS };

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

/* The newest with this address, which the system may give twice. */
struct app *app_of(struct WebSocket *client);
void app_on_open(struct WebSocket *client, WebSocket_OpenResult result);
void app_on_message(struct WebSocket *client, char *data, uint32_t length);
void app_on_error(struct WebSocket *client, WebSocket_ErrorResult result);
void app_on_close(struct WebSocket *client, WebSocket_CloseResult result);

/* A program with one client. The end of the test destroys it. */
struct app *new_app(void);
size_t count_calls(struct app *app, enum callback kind);

/* The calls so far: "open message close". */
const char *call_order(struct app *app);
const struct call *wait_call(const char *file, int line, struct app *app, enum callback kind, size_t nth);

/* The nth call of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define WAIT_CALL(app, kind, nth) wait_call(__FILE__, __LINE__, app, kind, nth)
int check_call(const char *file, int line, const struct call *call, uint32_t code, const char *text);

/* Checks the code and the text (NULL: any) of the first call of a kind. */
#define CHECK_CALL(app, kind, code, text) check_call(__FILE__, __LINE__, WAIT_CALL(app, kind, 1), code, text)
const char *app_url(struct app *app, const char *path);
int app_connect(struct app *app, const char *url);
int app_send(struct app *app, const char *data, size_t length);
int app_close(struct app *app, uint32_t code, const char *reason);
int app_destroy(struct app *app);
int app_opens(const char *file, int line, struct app *app, const char *url);

/* Connects and waits for onOpen; returns whether it came. */
#define APP_OPENS(app, url) app_opens(__FILE__, __LINE__, app, url)

#endif
