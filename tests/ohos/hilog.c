/* Stands in for OpenHarmony's libhilog_ndk.z.so: keeps what is printed. */
#include "hilog.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct printed lines[64];
static int count;

int OH_LOG_Print(int type, int level, unsigned domain, const char *tag, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (count < 64) {
        struct printed *line = &lines[count++];
        *line = (struct printed){ .type = type, .level = level, .domain = domain };
        snprintf(line->tag, sizeof line->tag, "%s", tag);
        snprintf(line->format, sizeof line->format, "%s", format);
        snprintf(line->text, sizeof line->text, "%s", va_arg(arguments, const char *));
    }
    pthread_mutex_unlock(&lock);
    va_end(arguments);
    return 0;
}

int printed_lines(struct printed *out, int most) {
    pthread_mutex_lock(&lock);
    int copied = count < most ? count : most;
    memcpy(out, lines, (size_t)copied * sizeof *out);
    pthread_mutex_unlock(&lock);
    return copied;
}
