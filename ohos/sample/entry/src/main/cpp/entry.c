/*
 * The native side of the sample: `talk(url, text, onLine)` connects, sends the text, and tells ArkTS, line by line, what
 * happens, until the connection is closed. Events arrive on threads of the library; a thread-safe function takes them to
 * the thread of ArkTS.
 */
#include <napi/native_api.h>
#include <netstack_websocket.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512 };

/* One conversation. It belongs to its client's listeners and is freed with the last of them. */
typedef struct {
    napi_threadsafe_function to_arkts;
    char *text;
    int listeners;
} conversation;

static void say(conversation *talk, const char *format, ...) {
    char *line = malloc(LINE);
    if (line == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, LINE, format, arguments);
    va_end(arguments);
    if (napi_call_threadsafe_function(talk->to_arkts, line, napi_tsfn_nonblocking) != napi_ok) free(line);
}

static void on_open(nsws_client client, const nsws_open_event *event, void *user) {
    conversation *talk = user;
    say(talk, "open: %d %s", (int)event->status, event->message);
    nsws_client_send_text(client, talk->text, strlen(talk->text));
}

static void on_message(nsws_client client, const nsws_message_event *event, void *user) {
    say(user, "message: %.*s", (int)event->length, (const char *)event->data);
    nsws_client_close(client, 1000, "");
}

static void on_error(nsws_client client, const nsws_error_event *event, void *user) {
    say(user, "error: %s", event->message);
    nsws_client_release(client);
}

static void on_close(nsws_client client, const nsws_close_event *event, void *user) {
    say(user, "close: %d %s", (int)event->code, event->reason);
    nsws_client_release(client);
}

static void listener_gone(void *user) {
    conversation *talk = user;
    if (__atomic_sub_fetch(&talk->listeners, 1, __ATOMIC_ACQ_REL) > 0) return;
    napi_release_threadsafe_function(talk->to_arkts, napi_tsfn_release);
    free(talk->text);
    free(talk);
}

/* On the thread of ArkTS. */
static void call_arkts(napi_env env, napi_value callback, void *context, void *line) {
    napi_value text, undefined, result;
    (void)context;
    if (env != NULL && napi_create_string_utf8(env, line, NAPI_AUTO_LENGTH, &text) == napi_ok &&
        napi_get_undefined(env, &undefined) == napi_ok) {
        napi_call_function(env, undefined, callback, 1, &text, &result);
    }
    free(line);
}

static char *string_of(napi_env env, napi_value value) {
    size_t length;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return NULL;
    char *text = malloc(length + 1);
    if (text != NULL) napi_get_value_string_utf8(env, value, text, length + 1, &length);
    return text;
}

static napi_value talk(napi_env env, napi_callback_info info) {
    napi_value arguments[3], name, undefined;
    size_t count = 3;
    nsws_client client;
    napi_get_undefined(env, &undefined);
    napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
    char *url = count == 3 ? string_of(env, arguments[0]) : NULL;
    conversation *talk = calloc(1, sizeof *talk);
    if (talk == NULL || url == NULL || (talk->text = string_of(env, arguments[1])) == NULL ||
        napi_create_string_utf8(env, "talk", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, arguments[2], NULL, name, 0, 1, NULL, NULL, NULL, call_arkts, &talk->to_arkts) != napi_ok) {
        napi_throw_error(env, "401", "talk(url, text, onLine) takes two strings and a function");
        if (talk != NULL) free(talk->text);
        free(talk);
        free(url);
        return undefined;
    }
    /* Counts this function too, until it is done. */
    talk->listeners = 5;
    int32_t code = nsws_client_create(&client);
    if (code == NSWS_OK) {
        nsws_client_on_open(client, on_open, talk, listener_gone);
        nsws_client_on_message(client, on_message, talk, listener_gone);
        nsws_client_on_error(client, on_error, talk, listener_gone);
        nsws_client_on_close(client, on_close, talk, listener_gone);
        code = nsws_client_connect(client, url, NULL);
        if (code != NSWS_OK) {
            napi_throw_error(env, nsws_error_name(code), nsws_last_error());
            nsws_client_release(client);
        }
    } else {
        napi_throw_error(env, nsws_error_name(code), nsws_last_error());
        talk->listeners = 1;
    }
    listener_gone(talk);
    free(url);
    return undefined;
}

static napi_value init(napi_env env, napi_value exports) {
    napi_property_descriptor functions[] = { { "talk", NULL, talk, NULL, NULL, NULL, napi_default, NULL } };
    napi_define_properties(env, exports, 1, functions);
    return exports;
}

__attribute__((constructor)) static void register_module(void) {
    static napi_module module = { .nm_version = 1, .nm_register_func = init, .nm_modname = "entry" };
    napi_module_register(&module);
}
