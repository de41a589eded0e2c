/* request_record.h: what became of one request, as the reactor hands it to the controller.
 *
 * The layout is read by numpy (engine/run/row_batches.py): 8-byte fields first, no padding between fields. */
#ifndef TT_REQUEST_H
#define TT_REQUEST_H

#include <stdint.h>

/* The tape's outcomes, in this order. */
typedef enum {
    OUTCOME_OK, OUTCOME_HTTP_ERROR, OUTCOME_STREAM_ERROR, OUTCOME_TRUNCATED, OUTCOME_TIMEOUT, OUTCOME_CONNECT_ERROR,
    OUTCOME_PROTOCOL_ERROR, OUTCOME_CANCELLED
} outcome;

/* What ended the response, in this order; NONE is null on the tape. */
typedef enum { END_NONE, END_DONE, END_FINISH, END_TERMINAL_EVENT, END_LENGTH, END_CLOSE } end_marker;

/* Times are CLOCK_MONOTONIC ns, 0 = it never happened. Counts of tokens are -1 when nobody told. */
typedef struct {
    int64_t request_id;
    int64_t scheduled_ns;
    int64_t released_ns;        /* it was due, and waited until then for room under a cap; 0: it did not */
    int64_t connect_start_ns, connected_ns, tls_ns, sent_ns, sent_end_ns, headers_ns, first_event_ns, first_token_ns,
        last_token_ns, end_ns,
        first_visible_ns;       /* the first output that is neither reasoning nor a tool call */
    int64_t bytes_sent, bytes_received;
    int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;   /* the server's usage */
    int64_t event_tokens;       /* sum over output events of their exact counts; -1 when one of them has none */
    int32_t events, output_events;
    int32_t connection_id;
    int32_t retry_after_s;      /* -1: none */
    uint32_t id_length, finish_length, error_length, text_length;   /* of the bytes that follow the record, in this order */
    uint16_t http_status;       /* 0: no response */
    uint8_t outcome, end_marker;
    uint8_t user_clock;         /* 1: at least one stamp had to come from user space */
    uint8_t connection_reused;
    uint8_t retries;            /* times it was sent again because a pooled connection had died */
    uint8_t streamed;           /* the response was an event stream */
} request_record;

_Static_assert(sizeof(request_record) == 21 * 8 + 4 * 4 + 4 * 4 + 2 + 6, "numpy reads this layout");

#endif
