#include "transfer.h"

#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool transfer_start(struct transfer *transfer, const char *path, bool is_text) {
    struct stat status;
    memset(transfer, 0, sizeof *transfer);
    transfer->is_text = is_text;
    transfer->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (transfer->fd < 0 || fstat(transfer->fd, &status) != 0) {
        show_failure("can't read %s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        show_failure("can't send %s: it is a directory", path);
        close(transfer->fd);
        return false;
    }
    transfer->size_is_known = S_ISREG(status.st_mode);
    transfer->size = transfer->size_is_known ? (uint64_t)status.st_size : 0;
    transfer->active = true;
    return true;
}

int transfer_input(const struct transfer *transfer) {
    return transfer->active && !transfer->size_is_known && transfer->held == 0 && !transfer->at_end
               ? transfer->fd
               : -1;
}

static void finish(struct transfer *transfer, bool failed) {
    transfer->active = false;
    transfer->failed = failed;
    if (transfer->fd != STDIN_FILENO) {
        close(transfer->fd);
    }
}

/* Fills the buffer if it is empty. */
static bool fill(struct transfer *transfer) {
    if (transfer->held > 0 || transfer->at_end) {
        return true;
    }
    ssize_t got = read(transfer->fd, transfer->buffer, sizeof transfer->buffer);
    if (got < 0) {
        show_failure("can't read on: %s", strerror(errno));
        return false;
    }
    transfer->held = (size_t)got;
    transfer->at_end = got == 0 || (transfer->size_is_known &&
                                    transfer->accepted + transfer->held >= transfer->size);
    return true;
}

void transfer_step(struct transfer *transfer, struct session *session, bool ready) {
    while (transfer->active && session->opened && !session->stalled) {
        if (transfer_input(transfer) >= 0 && !ready) {
            return;
        }
        ready = false;
        if (!fill(transfer)) {
            finish(transfer, true);
            return;
        }
        int32_t code = nsws_client_send_part(session->client, transfer->buffer, transfer->held,
                                             transfer->is_text, transfer->at_end);
        if (code == NSWS_ERR_QUEUE_FULL) {
            session->stalled = true;
        } else if (code == NSWS_ERR_NOT_CONNECTED) {
            session->opened = false;
        } else if (code != NSWS_OK) {
            show_call_failure("not sent");
            finish(transfer, true);
        } else {
            transfer->accepted += transfer->held;
            transfer->held = 0;
            if (transfer->at_end) {
                show_sent(transfer->is_text, transfer->accepted);
                finish(transfer, false);
            }
        }
    }
}

void transfer_show(const struct transfer *transfer, const struct session *session) {
    uint64_t queued = session_queued(session);
    show_progress("sent", transfer->accepted > queued ? transfer->accepted - queued : 0,
                  transfer->size);
}
