/* A client whose events are recorded, in order, and can be waited for. */
#ifndef HARNESS_RECORDER_H
#define HARNESS_RECORDER_H

#include "raw_peer.h"

enum kind { HEADER_RECEIVE, OPEN, MESSAGE, DATA_END, CLOSE, ERROR, DRAIN, RECONNECTING, KINDS };
extern const char *const kind_names[KINDS];

/* Headers of a request or an answer. */
struct header_list {
    char **names, **values;
    size_t count;
};

struct header_list copy_headers(const nsws_header *headers, size_t count);
void free_headers(struct header_list list);

struct event {
    enum kind kind;
    pthread_t thread;
    size_t struct_size;
    /* Status of header_receive and open; the code of close and error; the attempt of reconnecting. */
    int32_t code;
    int32_t detail, phase, os_error, http_status;
    int is_text, was_clean;
    /* The payload, reason, sentence or status text; NUL-terminated besides. */
    char *text;
    size_t length;
    char *protocol;
    struct header_list headers;
    size_t queued_bytes;
    uint32_t delay_ms;
};

struct recorder {
    nsws_client client;
    /* Names this client to the raw peer. */
    char token[64];
    char url[4200];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event **events;
    size_t count, capacity;
    size_t counts[KINDS];
    int running, overlaps, freed, destroyed;
    /* Some of the recorder's own listeners were removed: the order has gaps. */
    int partial;
    /* Called in the callback, after the event was recorded. Set before connect: callbacks read it unlocked. */
    void (*hook)(struct recorder *, const struct event *);
    void *hook_data;
    struct recorder *next;
};

/* Copies, NUL-terminated besides. */
char *copy_bytes(const void *data, size_t length);
char *copy_text(const char *text);

/* Adds an event at the end of a callback; and callbacks that new_client() registers and a test may replace. */
void record(struct recorder *r, struct event *event);
void record_message(nsws_client client, const nsws_message_event *e, void *user);
void record_data_end(nsws_client client, const nsws_data_end_event *e, void *user);
void record_error(nsws_client client, const nsws_error_event *e, void *user);

/* A recorder of the events of a client that will be r->client. */
struct recorder *new_recorder(void);

/* A client whose events are recorded. The end of the test destroys it. */
struct recorder *new_client(void);

size_t count_events(struct recorder *r, enum kind kind);

/* The events so far: "header_receive open message data_end close". */
const char *order(struct recorder *r);
const struct event *find_event(struct recorder *r, enum kind kind, size_t nth);
const struct event *wait_event(const char *file, int line, struct recorder *r, enum kind kind, size_t nth);

/* The nth event of a kind, from 1, as soon as it is there; NULL, and a failed check, when it isn't in time. */
#define WAIT(recorder, kind, nth) wait_event(__FILE__, __LINE__, recorder, kind, nth)

int wait_freed(const char *file, int line, struct recorder *r, int count);
#define WAIT_FREED(recorder, count) wait_freed(__FILE__, __LINE__, recorder, count)

void free_recorder(struct recorder *r);

/* Destroys a recorded client before the end of the test does. */
void destroy_client(struct recorder *r);

/* Destroys all recorded clients and checks what holds for each; the end of the test does so too. */
void end_recorders(void);

/* Options with their defaults. */
nsws_connect_options defaults(void);

int opens(const char *file, int line, struct recorder *r, const char *url, const nsws_connect_options *options);

/* Connects and waits for open; returns whether it came. An attempt that fails ends the wait. */
#define OPENS(recorder, url, options) opens(__FILE__, __LINE__, recorder, url, options)

/* The URL of one of the raw peer's behaviours, with this client's token or another. */
const char *raw_url(struct recorder *r, const char *path);
const char *raw_url_as(struct recorder *r, const char *path, const char *token);

struct recorder *open_raw_at(const char *file, int line, const char *path, const nsws_connect_options *options);

/* A client with an open connection to one of the raw peer's behaviours; NULL, and a failed check, when it doesn't open. */
#define OPEN_RAW(path, options) open_raw_at(__FILE__, __LINE__, path, options)

/* A URL to which nothing listens as long as the descriptor is open. */
const char *refused_url(struct recorder *r, int *fd);

#endif
