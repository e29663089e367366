#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t number(const char *text, unsigned long most) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value > most) {
        fprintf(stderr, "\"%s\" is not a number from 0 to %lu\n", text, most);
        exit(2);
    }
    return (uint32_t)value;
}

static int hex_digit(char digit) {
    const char *digits = "0123456789abcdef", *found = strchr(digits, digit | 0x20);
    return digit != '\0' && found != NULL ? (int)(found - digits) : -1;
}

int query_value(const char *path, const char *name, char *value, size_t room) {
    const char *at = strchr(path, '?');
    size_t name_length = strlen(name), length = 0;

    while (at != NULL && (strncmp(at + 1, name, name_length) != 0 || at[1 + name_length] != '=')) {
        at = strchr(at + 1, '&');
    }
    if (at == NULL) {
        return 0;
    }
    for (at += name_length + 2; *at != '\0' && *at != '&'; at++) {
        char byte = *at;
        if (byte == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            byte = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
            at += 2;
        } else if (byte == '+') {
            byte = ' '; /* as browsers write it */
        }
        if (length + 1 >= room || (unsigned char)byte < ' ') {
            return 0;
        }
        value[length++] = byte;
    }
    value[length] = '\0';
    return 1;
}
