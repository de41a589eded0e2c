/* feed.h: the requests to send, read from the controller ahead of their due times.
 *
 * The controller writes frames into a stream socket: a feed_header, then `length` bytes, the whole HTTP request. The worker
 * reads them when nothing is due, and at most `limit` bytes ahead. Then the socket fills and the controller waits. So the bodies
 * of a long trace are never in memory all at once. */
#ifndef TT_FEED_H
#define TT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t row;            /* of the schedule, ascending from 0; FEED_END: there are no more */
    int64_t length;
} feed_header;

#define FEED_END (-1)
#define FEED_BUFFER 65536
#define FEED_ROWS_AHEAD 65536   /* upper limit of waiting requests, however small they are */

/* The bytes of one request. feed_take passes it to the caller, who calls free(). */
typedef struct feed_item {
    struct feed_item *next;
    int64_t row;
    int64_t released_ns;    /* for the caller: when a limit that held it back released it; 0: none did */
    size_t length;
    bool missed;            /* for the caller: it arrived after it was due */
    char bytes[];
} feed_item;

typedef struct {
    int fd;
    size_t limit;
    feed_item *first, *last;       /* complete requests, in order */
    size_t waiting_bytes;
    int64_t waiting_rows;
    bool ended;                    /* FEED_END was read */
    bool closed;                   /* the controller has closed the socket */
    bool discard;                  /* read requests and free them: no more will be sent */
    /* private */
    feed_item *partial;            /* the request that is being read */
    size_t partial_read;
    char *buffer;
    size_t start, end;
} feed;

typedef enum { FEED_IDLE, FEED_PROGRESS, FEED_FULL, FEED_BROKEN } feed_result;

/* Makes a feed; the caller closes the descriptor. Returns false when memory is out. */
bool feed_init(feed *f, int fd, size_t limit);
void feed_free(feed *f);

/* Does one step, with at most one read of the socket. Returns FEED_PROGRESS: there may be more, call again; FEED_IDLE: nothing can
 * be read now; FEED_FULL: enough has been read ahead; FEED_BROKEN: the bytes are not a frame, or memory is out. */
feed_result feed_step(feed *f);

/* Returns the request of `row`, or NULL if it has not arrived. Rows must be asked for in order. */
feed_item *feed_take(feed *f, int64_t row);

#endif
