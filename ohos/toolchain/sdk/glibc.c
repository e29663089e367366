/* Debian's libunwind and libc++ are built against glibc, fortified. These are the functions that musl lacks. */
#define _GNU_SOURCE
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#pragma GCC visibility push(hidden)

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list arguments) {
    (void)flag;
    return vfprintf(file, format, arguments);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = __vfprintf_chk(file, flag, format, arguments);
    va_end(arguments);
    return written;
}

int __vsnprintf_chk(char *text, size_t size, int flag, size_t object, const char *format, va_list arguments) {
    (void)flag, (void)object;
    return vsnprintf(text, size, format, arguments);
}

int __vasprintf_chk(char **text, int flag, const char *format, va_list arguments) {
    (void)flag;
    return vasprintf(text, format, arguments);
}

long long strtoll_l(const char *text, char **end, int base, locale_t locale) {
    (void)locale;
    return strtoll(text, end, base);
}

unsigned long long strtoull_l(const char *text, char **end, int base, locale_t locale) {
    (void)locale;
    return strtoull(text, end, base);
}
