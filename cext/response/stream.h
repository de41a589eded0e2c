/* stream.h: the response of one request, from bytes to rows. No sockets, no clocks: both come from the caller.
 *
 * stream_bytes() takes what one read returned, with the read's two stamps, runs it through the HTTP parser, the framer of its
 * events (server-sent events, or lines of JSON) and the dialect's scanner, appends a row per event to the columns and keeps the request's own record. */
#ifndef TT_STREAM_H
#define TT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/columns.h"
#include "response/event.h"
#include "parse/http1.h"
#include "parse/ndjson.h"
#include "base/request_record.h"
#include "parse/sse.h"

#define STREAM_MAX_BODY (64u << 20)    /* of a response that is no event stream */
#define STREAM_MAX_OBSERVED (8u << 20) /* likewise, when it is only observed */
#define STREAM_MAX_ERROR 4096u         /* bytes of an error's text that are kept */
#define STREAM_MAX_TEXT (16u << 20)    /* of a response's output text, when it is kept */

/* A growing buffer. */
typedef struct { char *bytes; size_t length, capacity; } stream_buffer;

/* How a response is cut into events; FRAMED_WHOLE: it is one. */
typedef enum { FRAMED_WHOLE, FRAMED_SSE, FRAMED_LINES } stream_framing;

/* What all streams of a reactor share. */
typedef struct {
    const event_dialect *dialect;
    event_columns *columns;
    bool keep_text;            /* keep the output text (its JSON escapes stay) */
    bool lines;                /* streams of this API are lines of JSON, whatever Content-Type they come with (but SSE and HTML) */
    bool needs_end;            /* an event stream must end with [DONE], a finish reason or a terminal event */
    bool observes;             /* the response is on its way to somebody else: one that is compressed, or over STREAM_MAX_OBSERVED or
                                  SSE_MAX_EVENT, is followed to its end unread, and is no failure */
    int64_t tokens, coalesced, events;   /* counters over all streams */
} stream_shared;

typedef struct {
    request_record record;
    http1 http;
    stream_framing framing;
    sse framer;
    ndjson lines;
    stream_buffer body;        /* of a response that is no event stream; of one, its beginning until it has an event */
    stream_buffer text;        /* output text, with keep_text */
    stream_buffer error;       /* what went wrong, in the server's words or ours; of a success without output, the event not understood */
    char id[128], finish[32];
    bool ended, done_marker, failed_in_stream, has_finish;
    bool unread;               /* see stream_shared.observes */
    bool malformed;            /* an event was cut off inside its JSON: output was lost */
    bool has_event;            /* an event that is more than a comment has come */
    bool remarked;             /* error holds the first event that was not understood */
    bool uncounted;            /* an output event told no count */
    int64_t usage_so_far;      /* output tokens that events have told, by a running usage or as ids */
    size_t text_so_far;        /* bytes of the longest text that an event repeated up to itself */
} stream;

typedef enum { STREAM_MORE, STREAM_COMPLETE, STREAM_BROKEN } stream_result;

void stream_init(stream *s);
/* Ready for another request on the same connection. */
void stream_begin(stream *s, int64_t request_id, int64_t scheduled_ns);
void stream_free(stream *s);

/* STREAM_COMPLETE: the message is whole and record.outcome is settled; *left counts bytes that came after it. STREAM_BROKEN:
 * record.outcome and error say why; the connection is of no more use. */
stream_result stream_bytes(stream *s, stream_shared *shared, const char *bytes, size_t length, int64_t arrival_ns,
                           int64_t read_ns, size_t *left);

/* The peer closed, or the caller gives up: settles the outcome. `reason` is used where the response was not whole. */
void stream_closed(stream *s, stream_shared *shared, int64_t at_ns, const char *reason);

/* Ends it with an outcome and a text, unless it had been whole ([DONE] seen): then it stays a success. */
void stream_fail(stream *s, outcome why, int64_t at_ns, const char *text);

/* May the connection serve another request? Only meaningful after STREAM_COMPLETE. */
static inline bool stream_keep_alive(const stream *s) { return s->http.keep_alive; }

/* Has any byte of the response arrived? */
static inline bool stream_silent(const stream *s) { return s->record.bytes_received == 0; }

#endif
