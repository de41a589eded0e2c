#include "channel/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool feed_init(feed *f, int fd, size_t limit) {
    *f = (feed){.fd = fd, .limit = limit, .buffer = malloc(FEED_BUFFER)};
    return f->buffer != NULL;
}

static void free_items(feed *f) {
    while (f->first) {
        feed_item *next = f->first->next;
        free(f->first);
        f->first = next;
    }
    f->last = NULL;
    f->waiting_bytes = 0;
    f->waiting_rows = 0;
}

void feed_free(feed *f) {
    free_items(f);
    free(f->partial);
    free(f->buffer);
    *f = (feed){.fd = -1};
}

static void add_item(feed *f, feed_item *item) {
    if (f->discard) {
        free(item);
        return;
    }
    if (f->last)
        f->last->next = item;
    else
        f->first = item;
    f->last = item;
    f->waiting_bytes += item->length;
    f->waiting_rows++;
}

/* Splits the buffer into frames. Returns false when it holds no valid frame or memory is out. */
static bool parse(feed *f) {
    while (f->end - f->start >= sizeof(feed_header)) {
        feed_header header;
        memcpy(&header, f->buffer + f->start, sizeof header);
        f->start += sizeof header;
        if (header.row == FEED_END) {
            f->ended = true;
            return header.length == 0 && f->start == f->end;
        }
        if (header.row < 0 || header.length <= 0 || header.length > INT32_MAX)
            return false;
        feed_item *item = malloc(sizeof *item + (size_t)header.length);
        if (!item)
            return false;
        *item = (feed_item){.row = header.row, .length = (size_t)header.length};
        size_t here = f->end - f->start < item->length ? f->end - f->start : item->length;
        memcpy(item->bytes, f->buffer + f->start, here);
        f->start += here;
        if (here < item->length) {
            f->partial = item;
            f->partial_read = here;
            break;
        }
        add_item(f, item);
    }
    if (f->start == f->end)
        f->start = f->end = 0;
    return true;
}

static feed_result read_step(feed *f, char *into, size_t room, size_t *got) {
    ssize_t n;
    do
        n = recv(f->fd, into, room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        *got = (size_t)n;
        return FEED_PROGRESS;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return FEED_IDLE;
    f->closed = true;
    return FEED_IDLE;
}

feed_result feed_step(feed *f) {
    if (f->closed)
        return FEED_IDLE;
    if (f->discard && f->first)
        free_items(f);
    size_t got;
    if (f->partial) {
        /* the rest of a long request is read straight into its item */
        size_t missing = f->partial->length - f->partial_read;
        feed_result result = read_step(f, f->partial->bytes + f->partial_read, missing < 4 * FEED_BUFFER ? missing : 4 * FEED_BUFFER, &got);
        if (result != FEED_PROGRESS)
            return result;
        f->partial_read += got;
        if (f->partial_read == f->partial->length) {
            add_item(f, f->partial);
            f->partial = NULL;
        }
        return FEED_PROGRESS;
    }
    if (f->waiting_rows && (f->waiting_bytes >= f->limit || f->waiting_rows >= FEED_ROWS_AHEAD))
        return FEED_FULL;
    if (f->start) {
        memmove(f->buffer, f->buffer + f->start, f->end - f->start);
        f->end -= f->start;
        f->start = 0;
    }
    feed_result result = read_step(f, f->buffer + f->end, FEED_BUFFER - f->end, &got);
    if (result != FEED_PROGRESS)
        return result;
    f->end += got;
    return parse(f) ? FEED_PROGRESS : FEED_BROKEN;
}

feed_item *feed_take(feed *f, int64_t row) {
    feed_item *item = f->first;
    if (!item || item->row != row)
        return NULL;
    f->first = item->next;
    if (!f->first)
        f->last = NULL;
    f->waiting_bytes -= item->length;
    f->waiting_rows--;
    item->next = NULL;
    return item;
}
