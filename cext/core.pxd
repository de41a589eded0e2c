"""What the C headers declare, header by header. The headers are the manual."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from posix.time cimport clockid_t


cdef extern from "base/clock.h" nogil:
    const int64_t TT_NS_PER_S
    const int64_t TT_NS_PER_MS
    const int64_t TT_NS_PER_US

    int64_t clock_ns(clockid_t clock)
    int64_t clock_mono_ns()
    int64_t clock_unix_ns()
    int64_t clock_offset_ns()


cdef extern from "parse/json.h" nogil:
    const int JSON_MAX_DEPTH
    const int JSON_MALFORMED

    ctypedef enum json_type:
        JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT

    ctypedef struct json_match:
        int slot
        json_type type
        const char *start
        size_t length
        int64_t count

    ctypedef struct json_paths:
        pass

    json_paths *json_paths_new()
    void json_paths_free(json_paths *paths)
    int json_paths_add(json_paths *paths, const char *path, int slot)
    int json_scan(const json_paths *paths, const char *text, size_t length, json_match *matches, int room, int *found)
    int64_t json_integer(const json_match *match, int64_t otherwise)


cdef extern from "parse/http1.h" nogil:
    const uint32_t HTTP1_MAX_HEAD

    ctypedef enum http1_result:
        HTTP1_MORE, HTTP1_HEADERS, HTTP1_BODY, HTTP1_COMPLETE, HTTP1_ERROR

    ctypedef enum http1_type:
        HTTP1_TYPE_OTHER, HTTP1_TYPE_SSE, HTTP1_TYPE_JSON, HTTP1_TYPE_NDJSON, HTTP1_TYPE_HTML

    ctypedef struct http1_span:
        const char *start
        size_t length

    ctypedef struct http1:
        uint16_t status
        uint16_t interim
        uint8_t content_type
        bint chunked
        bint close_delimited
        bint keep_alive
        bint encoded
        int64_t content_length
        int32_t retry_after_s
        const char *error

    void http1_init(http1 *parser)
    void http1_reset(http1 *parser)
    void http1_free(http1 *parser)
    http1_result http1_next(http1 *parser, const char **p, const char *end, http1_span *body)
    http1_result http1_finish(http1 *parser)


cdef extern from "parse/sse.h" nogil:
    const uint32_t SSE_MAX_EVENT

    ctypedef enum sse_result:
        SSE_MORE, SSE_EVENT, SSE_TOO_LARGE

    ctypedef struct sse_event:
        const char *data
        size_t data_length
        const char *name
        size_t name_length
        uint32_t wire_bytes
        bint comment
        bint has_data
        bint error_field

    ctypedef struct sse:
        pass

    void sse_init(sse *framer)
    void sse_reset(sse *framer)
    void sse_free(sse *framer)
    sse_result sse_next(sse *framer, const char **p, const char *end, sse_event *event)
    sse_result sse_finish(sse *framer, sse_event *event)


cdef extern from "parse/ndjson.h" nogil:
    ctypedef struct ndjson:
        pass

    void ndjson_init(ndjson *framer)
    void ndjson_reset(ndjson *framer)
    void ndjson_free(ndjson *framer)
    sse_result ndjson_next(ndjson *framer, const char **p, const char *end, sse_event *event)
    sse_result ndjson_finish(ndjson *framer, sse_event *event)


cdef extern from "response/event.h" nogil:
    ctypedef enum event_kind:
        KIND_TOKEN, KIND_REASONING, KIND_TOOL_CALL, KIND_ROLE, KIND_USAGE, KIND_DONE, KIND_ERROR
        KIND_COMMENT, KIND_OTHER, KIND_COUNT

    ctypedef enum event_role:
        ROLE_TEXT, ROLE_REASONING, ROLE_TOOL, ROLE_SPEAKER, ROLE_FINISH, ROLE_INPUT_TOKENS, ROLE_OUTPUT_TOKENS
        ROLE_CACHED_TOKENS, ROLE_REASONING_TOKENS, ROLE_TOKEN_IDS, ROLE_ID, ROLE_ERROR, ROLE_TYPE, ROLE_END
        ROLE_TEXT_SO_FAR, ROLE_WHOLE_TEXT, ROLE_INPUT_BESIDE, ROLE_CACHED_BESIDE, ROLE_MEDIA, ROLE_FINISH_MESSAGE, ROLE_COUNT

    ctypedef struct event_dialect:
        pass

    ctypedef struct event_span:
        const char *start
        size_t length

    ctypedef struct event_scan_result:
        event_kind kind
        bint ends
        bint done_marker
        bint malformed
        int32_t token_ids
        int64_t input_tokens
        int64_t output_tokens
        int64_t cached_tokens
        int64_t reasoning_tokens
        event_span text
        bint so_far
        event_kind kind_unless_grown
        event_span whole
        event_span finish
        event_span id
        event_span error

    event_dialect *event_dialect_new()
    void event_dialect_free(event_dialect *dialect)
    int event_dialect_path(event_dialect *dialect, const char *path, event_role role)
    int event_dialect_type(event_dialect *dialect, const char *type, event_kind kind)
    void event_scan(const event_dialect *dialect, const char *name, size_t name_length,
                    const char *data, size_t data_length, event_scan_result *result)


cdef extern from "base/columns.h" nogil:
    const int EVENT_ROWS
    const int EVENT_ROW_BYTES

    ctypedef struct event_block:
        event_block *next
        uint32_t rows
        int64_t *request_id
        int64_t *arrival_ns
        int64_t *read_ns
        int32_t *event
        int32_t *tokens
        int32_t *bytes
        uint8_t *kind
        uint8_t *coalesced

    ctypedef struct event_columns:
        event_block *open
        event_block *closed
        uint32_t closed_count
        uint32_t spare_count

    bint columns_init(event_columns *columns)
    void columns_free(event_columns *columns)
    bint columns_close_block(event_columns *columns)
    event_block *columns_take(event_columns *columns)
    void columns_recycle(event_columns *columns, event_block *block)
    uint32_t columns_row(const event_columns *columns)
    bint columns_added(event_columns *columns)
