#include "raw_peer.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/time.h>

char *ask_peer(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';

    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(setting("NSWS_CONTROL_PORT")));
    struct timeval guard = { guard_seconds(), 0 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    size_t size = 0, capacity = 4096;
    char *answer = malloc(capacity);
    int ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, line, (size_t)length) == length;
    while (ok) {
        ssize_t count = read(fd, answer + size, capacity - size - 1);
        if (count < 0) ok = 0;
        if (count <= 0) break;
        size += (size_t)count;
        if (capacity - size < 2) answer = realloc(answer, capacity *= 2);
    }
    close(fd);
    answer[size] = 0;
    if (ok) return answer;
    free(answer);
    return NULL;
}

long long peer_number(const char *token, const char *key) {
    char *answer = ask_peer("get %s %s", token, key);
    long long number = answer ? atoll(answer) : -1;
    free(answer);
    return number;
}

int wait_peer(const char *file, int line, const char *token, const char *key, long long least) {
    char *answer = ask_peer("wait %s %s %lld", token, key, least);
    if (answer == NULL)
        return harness_fail(file, line, "the peer counts %lld %s, not yet %lld", peer_number(token, key), key, least);
    free(answer);
    return 1;
}

int check_peer_text(const char *file, int line, const char *token, const char *key, const char *expected) {
    char *answer = ask_peer("get %s %s", token, key);
    int ok = check_str(file, line, key, answer, expected);
    free(answer);
    return ok;
}

void release_peer(const char *token) {
    free(ask_peer("release %s", token));
}

int refused_port(int *fd) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int on = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*fd, (struct sockaddr *)&address, sizeof address) != 0) abort();
    getsockname(*fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

char *pattern(size_t length) {
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) data[i] = (char)(unsigned char)(i % 251);
    data[length] = 0;
    return data;
}

char *letters(size_t length) {
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) data[i] = (char)('a' + i % 26);
    data[length] = 0;
    return data;
}
