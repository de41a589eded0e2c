/* stream_internal.h: what the parts of the response share. Included by stream*.c alone. From the bottom up:
 *
 *   stream_buffer.c    growing buffers, and the text of what went wrong
 *   stream_events.c    one event, or a whole body, becomes a row and changes the request's record
 *   stream.c           the HTTP message: its head, its body cut into events, its end */
#ifndef TT_STREAM_INTERNAL_H
#define TT_STREAM_INTERNAL_H

#include "response/stream.h"

#define STREAM_OUT_OF_MEMORY "out of memory in the client"

/* What one read has told so far. */
typedef struct {
    int64_t arrival_ns, read_ns;
    event_block *block;        /* the row of the latest event of this read */
    uint32_t row;
    const char *event_end;     /* where the body bytes of that event ended */
} read_state;

/* ---- stream_buffer.c */

/* Appends bytes; false when there is no memory, or the buffer would grow over `limit`. */
bool stream_buffer_append(stream_buffer *b, const char *bytes, size_t length, size_t limit);
void stream_buffer_free(stream_buffer *b);

/* Keeps a text as the response's error, in place of what was kept before. */
void stream_keep_error(stream *s, const char *bytes, size_t length);
/* Keeps a text of ours, followed by the beginning of the bytes that it is about. */
void stream_keep_error_about(stream *s, const char *text, const char *bytes, size_t length);

/* ---- stream_events.c */

/* Takes in one event of a stream. false: out of memory. */
bool stream_take_event(stream *s, stream_shared *shared, read_state *now, const sse_event *event);
/* Takes in s->body, the body of a response that is no event stream, as one event: all of its tokens arrived with its last byte.
 * Returns what is wrong with it, or NULL. */
const char *stream_take_whole(stream *s, stream_shared *shared, read_state *now);
/* Takes in s->body, the beginning of a stream without one event: an error that was not framed, or nothing that an event stream may
 * hold. false: out of memory. */
bool stream_take_eventless(stream *s, stream_shared *shared, read_state *now);

#endif
