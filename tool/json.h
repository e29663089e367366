/* Writes events as JSON, one object a line: json_begin("open"), members, json_end(). */

#ifndef NSWS_TOOL_JSON_H
#define NSWS_TOOL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void json_begin(const char *event);
void json_end(void);

/* What isn't UTF-8 becomes U+FFFD. */
void json_text(const char *name, const char *text);
void json_bytes_as_text(const char *name, const void *bytes, size_t length);
void json_base64(const char *name, const void *bytes, size_t length);
void json_number(const char *name, int64_t number);
void json_decimal(const char *name, double number);
void json_bool(const char *name, bool value);
void json_null(const char *name);
void json_texts(const char *name, const char *const *texts, size_t count);
/* `headers` is name NUL value NUL ...: an array of pairs. */
void json_headers(const char *name, const char *headers, size_t count);

#endif
