/* sse.h: cuts a stream of bytes into server-sent events.
 *
 * After the WHATWG HTML standard, section 9.2 "Server-sent events": lines end with LF, CRLF
 * or CR, in any mixture and cut anywhere; a blank line ends an event; the lines of
 * several data fields are joined by LF; a space after the colon is optional; a leading
 * byte order mark is skipped; id and retry fields are ignored. Three things differ, because
 * a benchmark must see them:
 * - a comment line (":...") outside of an event's fields is handed out as an event of its own when the
 *   blank line after it, or the next field, comes: comments are keepalives, and on the tape;
 * - an event without data is handed out too (some gateways send them), unless it had no field at all;
 * - a comment among an event's fields is skipped, but gives the text of an "event: error" without data (Dynamo);
 * - at the end of the stream sse_finish() hands out an event whose blank line never came.
 *
 *     while (sse_next(&framer, &p, end, &event) == SSE_EVENT) ...
 *
 * The spans of an event stay valid until the next call on this framer or the end of the caller's buffer,
 * whichever is first. An event that lies whole within the buffer, in one data line, is not copied. */
#ifndef TT_SSE_H
#define TT_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_MAX_EVENT (16u << 20)  /* bytes of one event; more is SSE_TOO_LARGE */

typedef enum { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE } sse_result;

typedef struct {
    const char *data;  size_t data_length;    /* joined data lines; of a comment, what follows the colon; of
                                                 an "event: error" without data, its comment (Dynamo) */
    const char *name;  size_t name_length;    /* the event field; empty when absent */
    uint32_t wire_bytes;                      /* bytes of the stream that belong to it, with the line ends and the blank line.
                                                 A blank line that ends in CR does not wait for an LF: it is counted where the
                                                 line before ended in CRLF, else not */
    bool comment;
    bool has_data;                            /* a data field was present, be it empty */
    bool error_field;                         /* an "error:" field was present (old llama.cpp): data is its text */
} sse_event;

typedef struct { char *bytes; size_t length, capacity; } sse_buffer;   /* owned */

typedef struct {
    /* private */
    sse_buffer data, name;    /* of the event, carried over from earlier buffers or joined */
    sse_buffer line;          /* a line cut by the end of a buffer */
    uint32_t wire_bytes;
    uint8_t flags, bom_matched;
    bool skip_lf, failed;
} sse;

void sse_init(sse *framer);
/* Ready for another stream; frees what it held. */
void sse_reset(sse *framer);
void sse_free(sse *framer);

/* Advances *p; SSE_EVENT fills *event; SSE_MORE when *p == end. After SSE_TOO_LARGE (also: memory out) it
 * answers the same for ever. */
sse_result sse_next(sse *framer, const char **p, const char *end, sse_event *event);

/* The stream ended: SSE_EVENT when an unfinished event was held, else SSE_MORE. Call until SSE_MORE. */
sse_result sse_finish(sse *framer, sse_event *event);

#endif
