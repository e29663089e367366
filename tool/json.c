#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void name_of(const char *name) {
    printf(",\"%s\":", name);
}

/* The length of the UTF-8 sequence at `bytes`, or 0 if it isn't one (RFC 3629). */
static size_t sequence(const uint8_t *bytes, size_t length) {
    uint8_t first = bytes[0];
    size_t need = first < 0x80                    ? 1
                  : first >= 0xc2 && first < 0xe0 ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
    if (need == 0 || need > length) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && bytes[1] < 0xa0) || (first == 0xf0 && bytes[1] < 0x90);
    bool beyond = (first == 0xed && bytes[1] >= 0xa0) || (first == 0xf4 && bytes[1] >= 0x90);
    return overlong || beyond ? 0 : need;
}

static void quoted(const uint8_t *bytes, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length;) {
        size_t whole = sequence(bytes + i, length - i);
        if (whole == 0) {
            fputs("\\ufffd", stdout);
            i++;
            continue;
        }
        uint8_t c = bytes[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c == '\n') {
            fputs("\\n", stdout);
        } else if (c < 0x20 || c == 0x7f) {
            printf("\\u%04x", c);
        } else {
            fwrite(bytes + i, 1, whole, stdout);
        }
        i += whole;
    }
    putchar('"');
}

void json_begin(const char *event) {
    printf("{\"event\":\"%s\"", event);
}

void json_end(void) {
    fputs("}\n", stdout);
    fflush(stdout);
}

void json_bytes_as_text(const char *name, const void *bytes, size_t length) {
    name_of(name);
    quoted(bytes, length);
}

void json_text(const char *name, const char *text) {
    json_bytes_as_text(name, text, strlen(text));
}

void json_base64(const char *name, const void *data, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    name_of(name);
    putchar('"');
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        putchar(digits[group >> 18]);
        putchar(digits[group >> 12 & 63]);
        putchar(left > 1 ? digits[group >> 6 & 63] : '=');
        putchar(left > 2 ? digits[group & 63] : '=');
    }
    putchar('"');
}

void json_number(const char *name, int64_t number) {
    name_of(name);
    printf("%" PRId64, number);
}

void json_decimal(const char *name, double number) {
    name_of(name);
    printf("%.3f", number);
}

void json_bool(const char *name, bool value) {
    name_of(name);
    fputs(value ? "true" : "false", stdout);
}

void json_null(const char *name) {
    name_of(name);
    fputs("null", stdout);
}

void json_texts(const char *name, const char *const *texts, size_t count) {
    name_of(name);
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ",", stdout);
        quoted((const uint8_t *)texts[i], strlen(texts[i]));
    }
    putchar(']');
}

void json_headers(const char *name, const char *headers, size_t count) {
    name_of(name);
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        const char *value = headers + strlen(headers) + 1;
        fputs(i == 0 ? "[" : ",[", stdout);
        quoted((const uint8_t *)headers, strlen(headers));
        putchar(',');
        quoted((const uint8_t *)value, strlen(value));
        putchar(']');
        headers = value + strlen(value) + 1;
    }
    putchar(']');
}
