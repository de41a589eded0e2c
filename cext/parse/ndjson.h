/* ndjson.h: cuts a stream of bytes into lines of JSON, one event each (Ollama).
 *
 * Lines end with LF or CRLF, cut anywhere; lines of nothing but white space are skipped; sse_event.data is the line without
 * its end, and wire_bytes counts the end. The other fields stay empty. At the end of the stream ndjson_finish() hands out a line
 * whose end never came. Whether a line is JSON is not looked at.
 *
 * It is used like sse.h, in its words. A line that lies whole within the buffer is not copied. */
#ifndef TT_NDJSON_H
#define TT_NDJSON_H

#include "parse/sse.h"

#define NDJSON_MAX_LINE SSE_MAX_EVENT   /* more is SSE_TOO_LARGE */

typedef struct {
    /* private */
    sse_buffer line;     /* cut by the end of a buffer, owned */
    bool failed;
} ndjson;

void ndjson_init(ndjson *framer);
/* Ready for another stream; frees what it held. */
void ndjson_reset(ndjson *framer);
void ndjson_free(ndjson *framer);

/* Advances *p; SSE_EVENT fills *event, whose span stays valid until the next call on this framer or the end of the
 * caller's buffer; SSE_MORE when *p == end. After SSE_TOO_LARGE (also: memory out) it answers the same for ever. */
sse_result ndjson_next(ndjson *framer, const char **p, const char *end, sse_event *event);

/* The stream ended: SSE_EVENT when a line was held, else SSE_MORE. Call until SSE_MORE. */
sse_result ndjson_finish(ndjson *framer, sse_event *event);

#endif
