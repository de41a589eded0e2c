/* outbox.h: what has been measured, on its way to the controller.
 *
 * Frames are queued and written to a stream socket without blocking. A frame is an outbox_header and its bytes:
 *     OUTBOX_EVENTS    rows x the columns of columns.h, each column whole, in the order of event_block
 *     OUTBOX_REQUESTS  rows times: a request_record and its texts (request_record.h)
 *     OUTBOX_STATUS    one reactor_status (reactor.h)
 *     OUTBOX_WANTS     rows of the schedule, int64 each, whose requests will be needed soon
 * Nothing is ever dropped: when the controller falls OUTBOX_LIMIT bytes behind, the writer waits for it. */
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
    bool closed;             /* the controller is gone: frames are dropped, since nobody is left to read them */
    int64_t waited_ns;       /* time spent waiting for the controller */
} outbox;

void outbox_init(outbox *box, int fd);
void outbox_free(outbox *box);

/* A frame with room for `length` bytes after its header, to be filled at outbox_payload() and queued. NULL: memory out. */
outbox_frame *outbox_frame_new(outbox_type type, uint32_t rows, size_t length);
static inline char *outbox_payload(outbox_frame *frame) { return frame->bytes + sizeof(outbox_header); }
void outbox_queue(outbox *box, outbox_frame *frame);

/* Queues a block's rows as OUTBOX_EVENTS. false: memory out, nothing is queued. */
bool outbox_queue_events(outbox *box, const event_block *block);

/* Writes what the socket takes now; waits for the reader when over OUTBOX_LIMIT, or for all with `all`. */
void outbox_write(outbox *box, bool all);

#endif
