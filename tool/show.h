/* What the user sees: events for people or as JSON, the waterfall, the progress of long transfers.
 *
 * Messages and results go to standard output, everything else to standard error; with --json,
 * events go to standard output.
 */

#ifndef NSWS_TOOL_SHOW_H
#define NSWS_TOOL_SHOW_H

#include "news.h"
#include "options.h"

/* Opens --output. False after a sentence. */
bool show_start(const struct options *options);
/* Ends --output. False after a sentence: not all could be written. */
bool show_end(void);

/* A piece of news. `number` is a server's number for the connection, 0 for a client. */
void show_news(const struct news *news, unsigned number);
/* Something that went on, for people only; not with --quiet. */
void show_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A mistake or failure of the tool's own, in any case: "nsws: ..." */
void show_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "nsws: what: " and the library's sentence about the call that failed. */
void show_call_failure(const char *what);
void show_connecting(const char *url);
void show_sent(bool is_text, uint64_t length);
void show_stats(nsws_client client);
/* The same as JSON. With `file`, which has `file_length` bytes of it, a message is without its
 * payload. */
void show_as_json(const struct news *news, unsigned number, const char *file, uint64_t file_length);
void show_stats_as_json(const nsws_client_stats *stats);
/* A URL without the user name and password. */
const char *show_url(const char *url);

/* "\033[32m", or "" where standard output has no colour. */
const char *show_style(const char *sequence);
/* Text from elsewhere, followed by nothing; on a terminal without control characters. */
void show_foreign(FILE *out, const void *text, size_t length);

/* How far a transfer is; `total` 0: nobody knows. Only on a terminal. */
void show_progress(const char *what, uint64_t done, uint64_t total);
void show_progress_end(void);
bool show_wants_progress(void);

#endif
