#include "channel/outbox.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

void outbox_init(outbox *box, int fd) { *box = (outbox){.fd = fd}; }

static void drop_first(outbox *box) {
    outbox_frame *frame = box->first;
    box->first = frame->next;
    if (!box->first)
        box->last = NULL;
    box->waiting_bytes -= frame->length;
    free(frame);
}

void outbox_free(outbox *box) {
    while (box->first)
        drop_first(box);
}

outbox_frame *outbox_frame_new(outbox_type type, uint32_t rows, size_t length) {
    outbox_frame *frame = malloc(sizeof *frame + sizeof(outbox_header) + length);
    if (!frame)
        return NULL;
    *frame = (outbox_frame){.length = sizeof(outbox_header) + length};
    outbox_header header = {.type = type, .rows = rows, .length = length};
    memcpy(frame->bytes, &header, sizeof header);
    return frame;
}

void outbox_queue(outbox *box, outbox_frame *frame) {
    if (box->closed) {
        free(frame);
        return;
    }
    if (box->last)
        box->last->next = frame;
    else
        box->first = frame;
    box->last = frame;
    box->waiting_bytes += frame->length;
}

bool outbox_queue_events(outbox *box, const event_block *block) {
    size_t rows = block->rows;
    outbox_frame *frame = outbox_frame_new(OUTBOX_EVENTS, block->rows, rows * EVENT_ROW_BYTES);
    if (!frame)
        return false;
    char *p = outbox_payload(frame);
#define COLUMN(name)                                  \
    memcpy(p, block->name, rows * sizeof *block->name); \
    p += rows * sizeof *block->name
    COLUMN(request_id);
    COLUMN(arrival_ns);
    COLUMN(read_ns);
    COLUMN(event);
    COLUMN(tokens);
    COLUMN(bytes);
    COLUMN(kind);
    COLUMN(coalesced);
#undef COLUMN
    outbox_queue(box, frame);
    return true;
}

void outbox_write(outbox *box, bool all) {
    while (box->first) {
        outbox_frame *frame = box->first;
        ssize_t n = send(box->fd, frame->bytes + frame->written, frame->length - frame->written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            frame->written += (size_t)n;
            if (frame->written == frame->length)
                drop_first(box);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!all && box->waiting_bytes < OUTBOX_LIMIT)
                return;
            int64_t begin = clock_mono_ns();
            poll(&(struct pollfd){.fd = box->fd, .events = POLLOUT}, 1, 100);
            box->waited_ns += clock_mono_ns() - begin;
        } else if (errno != EINTR) {
            box->closed = true;
            outbox_free(box);
        }
    }
}
