/* outbox.h: measurements on their way to the controller.
 *
 * Frames are queued and written to a stream socket without blocking. A frame is an outbox_header and its bytes:
 *     OUTBOX_EVENTS    `rows` events as whole columns, in the order of event_block (columns.h)
 *     OUTBOX_REQUESTS  `rows` finished requests: a request_record and its texts each (request_record.h)
 *     OUTBOX_STATUS    one reactor_status (reactor.h)
 *     OUTBOX_WANTS     `rows` rows of the schedule as int64, whose requests will be needed soon
 * No frame is dropped while the controller lives: when it falls OUTBOX_LIMIT bytes behind, the writer waits for it. */
#ifndef TT_OUTBOX_H
#define TT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/columns.h"

#define OUTBOX_LIMIT (64u << 20)

typedef enum { OUTBOX_EVENTS = 1, OUTBOX_REQUESTS, OUTBOX_STATUS, OUTBOX_WANTS } outbox_type;

typedef struct {
    uint32_t type, rows;
    uint64_t length;         /* bytes that follow */
} outbox_header;

typedef struct outbox_frame {
    struct outbox_frame *next;
    size_t length, written;
    char bytes[];
} outbox_frame;

typedef struct {
    int fd;
    outbox_frame *first, *last;
    size_t waiting_bytes;
    bool closed;             /* the controller has closed the socket: frames are dropped */
    int64_t waited_ns;       /* time spent waiting for the controller to read */
} outbox;

void outbox_init(outbox *box, int fd);
void outbox_free(outbox *box);

/* Returns a frame with room for `length` bytes, which the caller writes at outbox_payload() before queueing it; NULL: memory is
 * out. */
outbox_frame *outbox_frame_new(outbox_type type, uint32_t rows, size_t length);
static inline char *outbox_payload(outbox_frame *frame) { return frame->bytes + sizeof(outbox_header); }
/* Queues a frame and takes ownership of it. */
void outbox_queue(outbox *box, outbox_frame *frame);

/* Queues the rows of a block as OUTBOX_EVENTS. Returns false when memory is out; then nothing is queued. */
bool outbox_queue_events(outbox *box, const event_block *block);

/* Writes as much as the socket takes. Waits for the reader while more than OUTBOX_LIMIT bytes wait; with `all` until none do. */
void outbox_write(outbox *box, bool all);

#endif
