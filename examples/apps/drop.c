/* A file drop: takes files of any size from the page that it serves, drop.html, or from the command
 * line, and holds none of them in memory. In the project's folder:
 *
 *     build/release/examples/apps/drop
 *
 * A connection carries one file. The query of its URL has the code, the file's name and, if the
 * sender knows it, the size:
 *
 *     ws://HOST:8080/drop?code=CODE&name=NAME&size=BYTES&changed=TIME
 *
 * With a size, the content may come in any number of binary messages; without one, it is one
 * message. Meanwhile the server says "have BYTES", first of all and then after each MiB, and "done"
 * at the end. What arrived before a connection broke is kept: the next one with the same name, size
 * and time of change goes on from there.
 */

#define _POSIX_C_SOURCE 200809L

#include "site.h"

#include "../c/values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NAME = 180, MAX_PART = MAX_NAME + 60, TOLD_EVERY = 1 << 20 };

struct upload {
    struct upload *next;
    nsws_connection connection;
    char name[MAX_NAME + 1], part[MAX_PART]; /* within the folder */
    int file, has_size;
    uint64_t size, have, told; /* in bytes; a file of unknown size has the largest */
};

/* Used only in callbacks, which take turns. */
struct drop {
    struct site site;
    const char *folder_name;
    int folder;
    uint64_t most;
    struct upload *uploads;
};

static struct upload **find(struct drop *drop, nsws_connection connection) {
    struct upload **at = &drop->uploads;
    while (*at != NULL && (*at)->connection.id != connection.id) {
        at = &(*at)->next;
    }
    return at;
}

/* What came of a file whose size is unknown is worth nothing without the rest. */
static void forget(struct drop *drop, struct upload **at) {
    struct upload *upload = *at;

    *at = upload->next;
    if (!upload->has_size) {
        unlinkat(drop->folder, upload->part, 0);
    }
    if (upload->file >= 0) {
        close(upload->file);
    }
    free(upload);
}

static void refuse(struct drop *drop, struct upload **at, uint16_t code, const char *why) {
    printf("%s: %s\n", (*at)->name, why);
    nsws_connection_close((*at)->connection, code, why);
    forget(drop, at);
}

static void tell(struct upload *upload) {
    char words[32];
    int length = snprintf(words, sizeof words, "have %" PRIu64, upload->have);
    upload->told = upload->have;
    nsws_connection_send_text(upload->connection, words, (size_t)length);
}

static int exists(const struct drop *drop, const char *name) {
    struct stat about;
    return fstatat(drop->folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

static void finish(struct drop *drop, struct upload **at) {
    struct upload *upload = *at;

    if (exists(drop, upload->name)) {
        refuse(drop, at, 4009, "a file with this name exists");
    } else if (renameat(drop->folder, upload->part, drop->folder, upload->name) != 0) {
        refuse(drop, at, 1011, strerror(errno));
    } else {
        printf("%s: done, %" PRIu64 " bytes\n", upload->name, upload->have);
        nsws_connection_send_text(upload->connection, "done", 4);
        nsws_connection_close(upload->connection, 1000, "");
        upload->has_size = 1; /* nothing is left to be removed */
        forget(drop, at);
    }
}

static uint16_t on_accept(nsws_server server, const nsws_connect_event *event, void *user_data) {
    const struct drop *drop = user_data;
    (void)server;
    return site_check(&drop->site, event->path, "/drop");
}

/* Fills in what the URL says. Returns why it can't be taken, or NULL. */
static const char *read_query(struct upload *upload, const char *path) {
    char size[24], changed[24];

    if (!query_value(path, "name", upload->name, sizeof upload->name) || upload->name[0] == '\0' ||
        upload->name[0] == '.' || strchr(upload->name, '/') != NULL) {
        upload->name[0] = '\0';
        return "this is not a valid file name";
    }
    snprintf(upload->part, sizeof upload->part, ".%s.%" PRIu64 ".part", upload->name,
             upload->connection.id);
    upload->has_size = query_value(path, "size", size, sizeof size);
    if (upload->has_size) {
        if (size[0] == '\0' || strspn(size, "0123456789") != strlen(size)) {
            return "the size is not a number";
        }
        errno = 0;
        upload->size = strtoull(size, NULL, 10);
        if (errno != 0) {
            return "the size is not a number";
        }
        if (!query_value(path, "changed", changed, sizeof changed) ||
            strspn(changed, "0123456789") != strlen(changed)) {
            strcpy(changed, "0");
        }
        snprintf(upload->part, sizeof upload->part, ".%s.%s-%" PRIu64 ".part", upload->name,
                 changed, upload->size);
    }
    return NULL;
}

/* An earlier connection for the same file, which may be dead without having noticed it, yields to
 * the new one. */
static void take_over(struct drop *drop, const struct upload *upload) {
    struct upload **at = &drop->uploads;

    while (*at != NULL && strcmp((*at)->part, upload->part) != 0) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        refuse(drop, at, 4001, "another connection has resumed this upload");
    }
}

static void on_connect(nsws_server server, nsws_connection connection,
                       const nsws_connect_event *event, void *user_data) {
    struct drop *drop = user_data;
    struct upload *upload = calloc(1, sizeof *upload);
    const char *refusal;
    struct stat about;
    (void)server;

    if (upload == NULL) {
        nsws_connection_close(connection, 1011, "no memory");
        return;
    }
    upload->connection = connection;
    upload->file = -1;
    upload->size = drop->most;
    refusal = read_query(upload, event->path);
    if (refusal == NULL) {
        take_over(drop, upload);
    }
    upload->next = drop->uploads;
    drop->uploads = upload;
    if (refusal != NULL) {
        refuse(drop, &drop->uploads, 4000, refusal);
        return;
    }
    if (upload->size > drop->most) {
        refuse(drop, &drop->uploads, 4013, "the file is too large");
        return;
    }
    if (exists(drop, upload->name)) {
        refuse(drop, &drop->uploads, 4009, "a file with this name exists");
        return;
    }
    upload->file = openat(drop->folder, upload->part,
                          (upload->has_size ? O_APPEND : O_TRUNC) | O_WRONLY | O_CREAT |
                              O_NOFOLLOW | O_CLOEXEC,
                          0600);
    if (upload->file < 0 || fstat(upload->file, &about) != 0) {
        refuse(drop, &drop->uploads, 1011, strerror(errno));
        return;
    }
    upload->have = (uint64_t)about.st_size;
    if (upload->have > upload->size) {
        refuse(drop, &drop->uploads, 1011, "the partial file is larger than the announced size");
        return;
    }
    printf("%s: from %s, have %" PRIu64 "\n", upload->name, event->client_ip, upload->have);
    tell(upload);
    if (upload->has_size && upload->have == upload->size) {
        finish(drop, &drop->uploads);
    }
}

static int write_all(int file, const uint8_t *data, size_t length) {
    while (length > 0) {
        ssize_t written = write(file, data, length);
        if (written < 0 && errno != EINTR) {
            return 0;
        }
        data += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return 1;
}

/* While this writes, the server reads no more than a little of any file: a slow disk slows the
 * senders down. */
static void on_part(nsws_server server, nsws_connection connection,
                    const nsws_message_part_event *event, void *user_data) {
    struct drop *drop = user_data;
    struct upload **at = find(drop, connection), *upload = *at;
    (void)server;

    if (upload == NULL) {
        return; /* refused; its close is under way */
    }
    if (event->is_text || event->length > upload->size - upload->have) {
        refuse(drop, at, 1008,
               event->is_text ? "send binary messages"
                              : "the file exceeds its announced size or the limit");
        return;
    }
    if (!write_all(upload->file, event->data, event->length)) {
        refuse(drop, at, 1011, strerror(errno));
        return;
    }
    upload->have += event->length;
    if (upload->has_size ? upload->have == upload->size : event->is_last) {
        finish(drop, at);
    } else if (upload->have - upload->told >= TOLD_EVERY) {
        tell(upload);
    }
}

static void on_close(nsws_server server, nsws_connection connection, const nsws_close_event *event,
                     void *user_data) {
    struct drop *drop = user_data;
    struct upload **at = find(drop, connection);
    (void)server;

    if (*at != NULL) {
        printf("%s: cut after %" PRIu64 " bytes (%u)\n", (*at)->name, (*at)->have,
               (unsigned)event->code);
        forget(drop, at);
    }
}

static int open_folder(struct drop *drop) {
    if (mkdir(drop->folder_name, 0700) != 0 && errno != EEXIST) {
        perror(drop->folder_name);
        return 0;
    }
    drop->folder = open(drop->folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (drop->folder < 0) {
        perror(drop->folder_name);
        return 0;
    }
    return 1;
}

static int read_arguments(struct drop *drop, int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) {
            return 0;
        }
        if (strcmp(argv[i], "--folder") == 0) {
            drop->folder_name = argv[i + 1];
        } else if (strcmp(argv[i], "--most") == 0) {
            drop->most = (uint64_t)number(argv[i + 1], 1 << 20) << 20;
        } else if (!site_argument(&drop->site, argv[i], argv[i + 1])) {
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    static struct drop drop = {
        .folder_name = "dropped", .folder = -1, .most = (uint64_t)4096 << 20};
    nsws_server server;
    int is_started = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    drop.site.page_file = "examples/apps/drop.html";
    nsws_server_options_init(&drop.site.options, sizeof drop.site.options);
    drop.site.options.server_port = 8080;
    drop.site.options.receive_parts = 1;
    drop.site.options.max_receive_size = SIZE_MAX; /* of a message: on_part() counts for itself */
    drop.site.options.receive_budget =
        8 << 20; /* for all senders together, whatever the size of their files */
    drop.site.options.send_queue_size = 64 << 10;
    drop.site.options.max_upgrades_per_minute = 0; /* someone may have a hundred small files */
    if (!read_arguments(&drop, argc, argv)) {
        fprintf(stderr,
                "usage: drop [options]\n"
                "  --folder DIR   where the files go (dropped)\n"
                "  --most MIB     the largest file (4096)\n" SITE_USAGE,
                "examples/apps/drop.html");
        return 2;
    }

    if (open_folder(&drop) && nsws_server_create(&server) == NSWS_OK) {
        nsws_server_set_accept_hook(server, on_accept, &drop, NULL);
        nsws_server_on_connect(server, on_connect, &drop, NULL);
        nsws_server_on_message_part(server, on_part, &drop, NULL);
        nsws_server_on_close(server, on_close, &drop, NULL);
        is_started = site_start(&drop.site, server);
        while (is_started && getchar() != EOF) {
        }
        nsws_server_destroy(server);
    }
    while (drop.uploads != NULL) {
        forget(&drop, &drop.uploads);
    }
    if (drop.folder >= 0) {
        close(drop.folder);
    }
    site_free(&drop.site);
    return nsws_shutdown(5000) == NSWS_OK && is_started ? 0 : 1;
}
