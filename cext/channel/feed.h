/* feed.h: the requests to send, read from the controller ahead of their time.
 *
 * The controller writes frames into a stream socket: a feed_header, then `length` bytes, the whole HTTP request. The
 * worker reads them when it has nothing better to do, and no further than `limit` bytes ahead: then the socket fills, and
 * the controller waits. So the bodies of a long trace never stand in memory together. */
#ifndef TT_FEED_H
#define TT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t row;            /* of the schedule, ascending from 0; FEED_END: no more will come */
    int64_t length;
} feed_header;

#define FEED_END (-1)
#define FEED_BUFFER 65536
#define FEED_ROWS_AHEAD 65536   /* requests that wait at most, however small they are */

/* One request's bytes. Whoever takes it owns it: free(). */
typedef struct feed_item {
    struct feed_item *next;
    int64_t row;
    int64_t released_ns;    /* the taker's: since when a cap lets it go; 0: none held it */
    size_t length;
    bool missed;            /* likewise: it came after it had been due */
    char bytes[];
} feed_item;

typedef struct {
    int fd;
    size_t limit;
    feed_item *first, *last;       /* whole requests, in order */
    size_t waiting_bytes;
    int64_t waiting_rows;
    bool ended;                    /* FEED_END was read */
    bool closed;                   /* the controller is gone */
    bool discard;                  /* read and forget: nothing will be sent any more */
    /* private */
    feed_item *partial;            /* being read */
    size_t partial_read;
    char *buffer;
    size_t start, end;
} feed;

typedef enum { FEED_IDLE, FEED_PROGRESS, FEED_FULL, FEED_BROKEN } feed_result;

/* false: memory out. The descriptor stays the caller's. */
bool feed_init(feed *f, int fd, size_t limit);
void feed_free(feed *f);

/* One step: at most one read of the socket. FEED_PROGRESS: call again when convenient; FEED_IDLE: nothing to read now;
 * FEED_FULL: far enough ahead; FEED_BROKEN: not a frame, or memory out. */
feed_result feed_step(feed *f);

/* The request of `row` if it is here, else NULL. Rows must be asked for in order. */
feed_item *feed_take(feed *f, int64_t row);

#endif
