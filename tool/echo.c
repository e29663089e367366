#include "echo.h"

#include <stdlib.h>
#include <string.h>

/* Messages that had no room in the queue of a client that sends but doesn't read. It is not read on
 * until they have gone, so that there are few. Only callbacks use them, which take turns. */
struct held {
    struct held *next;
    nsws_connection connection;
    uint8_t is_text;
    size_t length;
    uint8_t data[];
};

static struct held *oldest, **end = &oldest;

static int32_t answer(nsws_connection connection, const void *data, size_t length,
                      uint8_t is_text) {
    return is_text ? nsws_connection_send_text(connection, data, length)
                   : nsws_connection_send_binary(connection, data, length);
}

static bool holds(nsws_connection connection) {
    for (const struct held *held = oldest; held != NULL; held = held->next) {
        if (held->connection.id == connection.id) {
            return true;
        }
    }
    return false;
}

static void hold(nsws_connection connection, const nsws_message_event *event) {
    struct held *held = malloc(sizeof *held + event->length);
    if (held == NULL) {
        nsws_connection_close(connection, 1013, "no memory");
        return;
    }
    held->next = NULL;
    held->connection = connection;
    held->is_text = event->is_text;
    held->length = event->length;
    memcpy(held->data, event->data, event->length);
    *end = held;
    end = &held->next;
    nsws_connection_pause(connection);
}

static void on_message(nsws_server server, nsws_connection connection,
                       const nsws_message_event *event, void *user_data) {
    (void)server, (void)user_data;
    if (holds(connection) ||
        answer(connection, event->data, event->length, event->is_text) == NSWS_ERR_QUEUE_FULL) {
        hold(connection, event);
    }
}

/* Sends what is held for a connection, or forgets it. */
static void release(nsws_connection connection, bool forget) {
    struct held **at = &oldest;
    bool full = false;
    while (*at != NULL) {
        struct held *held = *at;
        if (held->connection.id != connection.id || full) {
            at = &held->next;
        } else if (!forget && answer(connection, held->data, held->length, held->is_text) ==
                                  NSWS_ERR_QUEUE_FULL) {
            full = true;
        } else {
            *at = held->next;
            free(held);
        }
    }
    end = at;
    if (!full && !forget) {
        nsws_connection_resume(connection);
    }
}

static void on_drain(nsws_server server, nsws_connection connection, const nsws_drain_event *event,
                     void *user_data) {
    (void)server, (void)event, (void)user_data;
    release(connection, false);
}

static void on_close(nsws_server server, nsws_connection connection, const nsws_close_event *event,
                     void *user_data) {
    (void)server, (void)event, (void)user_data;
    release(connection, true);
}

bool echo_messages(nsws_server server) {
    return nsws_server_on_message(server, on_message, NULL, NULL) == NSWS_OK &&
           nsws_server_on_drain(server, on_drain, NULL, NULL) == NSWS_OK &&
           nsws_server_on_close(server, on_close, NULL, NULL) == NSWS_OK;
}

void echo_end(void) {
    while (oldest != NULL) {
        struct held *held = oldest;
        oldest = held->next;
        free(held);
    }
    end = &oldest;
}
