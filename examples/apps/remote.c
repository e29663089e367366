/* A TV that phones control. In the project's folder:
 *
 *     build/release/examples/apps/remote
 *
 * It prints the addresses of its page, remote.html. Every phone in the room can open it: what one
 * presses, the TV and all other phones show. The TV has buttons, too: its keyboard. A message is
 * the name of a button, and the answer is the TV's state, which goes to all phones.
 */

#define _POSIX_C_SOURCE 200809L

#include "site.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOUDEST = 20, CHANNELS = 5, LONGEST_BUTTON = 15, MAX_PHONES = 16 };

static const char *const channels[CHANNELS] = {"News", "Football", "Films", "Music", "Cartoons"};

struct tv {
    struct site site;
    pthread_mutex_t lock; /* of what follows: the phones' thread and the keyboard's change it */
    int is_on, channel, volume, is_muted;
    size_t phones;
};

/* Returns 0 if there is no such button. A TV that is off has one button only; it ignores the
 * others. */
static int press(struct tv *tv, const char *button) {
    int number = button[0] - '1';

    if (strcmp(button, "power") == 0) {
        tv->is_on = !tv->is_on;
    } else if (strcmp(button, "mute") == 0) {
        tv->is_muted ^= tv->is_on;
    } else if (strcmp(button, "louder") == 0) {
        tv->volume += tv->is_on && tv->volume < LOUDEST;
    } else if (strcmp(button, "softer") == 0) {
        tv->volume -= tv->is_on && tv->volume > 0;
    } else if (number >= 0 && number < CHANNELS && button[1] == '\0') {
        tv->channel = tv->is_on ? number : tv->channel;
    } else {
        return 0;
    }
    return 1;
}

/* Shows the state on the TV and on all phones. One that is too slow for it gets the next. */
static void show(const struct tv *tv, nsws_server server) {
    static const char bar[] = "####################";
    const char *name = channels[tv->channel];
    char state[160];
    int length = snprintf(
        state, sizeof state,
        "{\"on\":%s,\"channel\":%d,\"name\":\"%s\",\"volume\":%d,\"muted\":%s,\"phones\":%zu}",
        tv->is_on ? "true" : "false", tv->channel + 1, name, tv->volume,
        tv->is_muted ? "true" : "false", tv->phones);

    if (!tv->is_on) {
        printf("off, phones: %zu\n", tv->phones);
    } else {
        printf("%d %-8s  %s [%-20.*s]  phones: %zu\n", tv->channel + 1, name,
               tv->is_muted ? "muted " : "volume", tv->volume, bar, tv->phones);
    }
    nsws_server_broadcast(server, state, (size_t)length, 1, NULL);
}

static uint16_t on_accept(nsws_server server, const nsws_connect_event *event, void *user_data) {
    const struct tv *tv = user_data;
    (void)server;
    return site_check(&tv->site, event->path, "/remote");
}

static void on_connect(nsws_server server, nsws_connection connection,
                       const nsws_connect_event *event, void *user_data) {
    struct tv *tv = user_data;
    (void)connection, (void)event;

    pthread_mutex_lock(&tv->lock);
    tv->phones++;
    show(tv, server);
    pthread_mutex_unlock(&tv->lock);
}

static void on_message(nsws_server server, nsws_connection connection,
                       const nsws_message_event *event, void *user_data) {
    struct tv *tv = user_data;
    char button[LONGEST_BUTTON + 1];

    snprintf(button, sizeof button, "%.*s", (int)event->length, (const char *)event->data);
    pthread_mutex_lock(&tv->lock);
    if (press(tv, button)) {
        show(tv, server);
    } else {
        nsws_connection_close(connection, 1008, "there is no such button");
    }
    pthread_mutex_unlock(&tv->lock);
}

static void on_close(nsws_server server, nsws_connection connection, const nsws_close_event *event,
                     void *user_data) {
    struct tv *tv = user_data;
    (void)connection, (void)event;

    pthread_mutex_lock(&tv->lock);
    tv->phones--;
    show(tv, server);
    pthread_mutex_unlock(&tv->lock);
}

/* Until "quit", or the end of the input. */
static void read_keyboard(struct tv *tv, nsws_server server) {
    char line[80];

    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0) {
            return;
        }
        pthread_mutex_lock(&tv->lock);
        if (press(tv, line)) {
            show(tv, server);
        } else {
            printf("The buttons: power, mute, louder, softer, 1 to %d; quit\n", CHANNELS);
        }
        pthread_mutex_unlock(&tv->lock);
    }
}

int main(int argc, char **argv) {
    static struct tv tv = {.lock = PTHREAD_MUTEX_INITIALIZER, .is_on = 1, .volume = 7};
    nsws_server server;
    int is_started = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    tv.site.page_file = "examples/apps/remote.html";
    nsws_server_options_init(&tv.site.options, sizeof tv.site.options);
    tv.site.options.server_port = 8080;
    tv.site.options.max_receive_size = LONGEST_BUTTON;
    tv.site.options.max_concurrent_clients = MAX_PHONES;
    tv.site.options.ping_interval_ms = 5000; /* a phone that has gone away is soon counted out */
    tv.site.options.pong_timeout_ms = 5000;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !site_argument(&tv.site, argv[i], argv[i + 1])) {
            fprintf(stderr, "usage: remote [options]\n" SITE_USAGE, "examples/apps/remote.html");
            return 2;
        }
    }

    if (nsws_server_create(&server) == NSWS_OK) {
        nsws_server_set_accept_hook(server, on_accept, &tv, NULL);
        nsws_server_on_connect(server, on_connect, &tv, NULL);
        nsws_server_on_message(server, on_message, &tv, NULL);
        nsws_server_on_close(server, on_close, &tv, NULL);
        is_started = site_start(&tv.site, server);
        if (is_started) {
            read_keyboard(&tv, server);
        }
        nsws_server_destroy(server); /* every phone gets 1001 */
    }
    site_free(&tv.site);
    return nsws_shutdown(5000) == NSWS_OK && is_started ? 0 : 1;
}
