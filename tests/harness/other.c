#include "other.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

static struct other *others;

const char *const other_clients[OTHER_CLIENTS] = { "NSWS_PYTHON_CLIENT", "NSWS_NODE_CLIENT" };

struct other *new_other(const char *variable) {
    int to[2], from[2];
    struct other *other = calloc(1, sizeof *other);
    char *command = NULL;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) abort();
    if (asprintf(&command, "exec %s", setting(variable)) < 0) abort();
    other->process = fork();
    if (other->process == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    free(command);
    close(to[0]);
    close(from[1]);
    other->to = fdopen(to[1], "w");
    other->from = fdopen(from[0], "r");
    at_end(OF_OTHERS, end_others);
    other->next = others;
    others = other;
    return other;
}

void tell(struct other *other, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(other->to, format, arguments);
    va_end(arguments);
    fputc('\n', other->to);
    fflush(other->to);
}

const char *take_answer(struct other *other) {
    if (fgets(other->answer, sizeof other->answer, other->from) == NULL) return "(it has ended)";
    other->answer[strcspn(other->answer, "\n")] = 0;
    return other->answer;
}

const char *ask_other(struct other *other, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    tell(other, "%s", line);
    return take_answer(other);
}

void end_others(void) {
    while (others != NULL) {
        struct other *other = others;
        int status = -1;
        fclose(other->to);
        waitpid(other->process, &status, 0);
        CHECK_INT(status, 0);
        fclose(other->from);
        others = other->next;
        free(other);
    }
}

uint16_t relay(const char *how, uint16_t port) {
    struct other *other = new_other("NSWS_TLS_RELAY");
    int found = 0;
    const char *answer = ask_other(other, "%s %d", how, port);
    if (sscanf(answer, "%d", &found) != 1) harness_fail(__FILE__, __LINE__, "the relay says %s", answer);
    return (uint16_t)found;
}
