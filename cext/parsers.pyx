"""The parsers' face: dialects for the reactor, and whole responses parsed at once for tests and tools."""

from collections import namedtuple

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .core cimport (
    HTTP1_BODY, HTTP1_COMPLETE, HTTP1_ERROR, HTTP1_HEADERS, HTTP1_MORE, HTTP1_TYPE_NDJSON, HTTP1_TYPE_SSE,
    JSON_MALFORMED, KIND_COUNT, ROLE_COUNT, SSE_EVENT, SSE_TOO_LARGE,
    event_dialect_free, event_dialect_new, event_dialect_path, event_dialect_type, event_kind, event_role,
    event_scan, event_scan_result, event_span, http1, http1_finish, http1_free, http1_init, http1_next,
    http1_result, http1_span, json_integer, json_match, json_paths, json_paths_add, json_paths_free,
    json_paths_new, json_scan, ndjson, ndjson_finish, ndjson_free, ndjson_init, ndjson_next, sse, sse_event, sse_finish, sse_free, sse_init, sse_next, sse_result,
)

# In the order of the C enums.
KINDS = ("token", "reasoning", "tool_call", "role", "usage", "done", "error", "comment", "other")
ROLES = (
    "text", "reasoning", "tool", "speaker", "finish", "input_tokens", "output_tokens", "cached_tokens",
    "reasoning_tokens", "token_ids", "id", "error", "type", "end",
    "text_so_far", "whole_text", "input_beside", "cached_beside", "media", "finish_message",
)
CONTENT_TYPES = ("other", "sse", "json", "ndjson", "html")
JSON_TYPES = ("null", "false", "true", "number", "string", "array", "object")
RESULTS = {HTTP1_MORE: "more", HTTP1_HEADERS: "headers", HTTP1_COMPLETE: "complete", HTTP1_ERROR: "error"}
assert len(KINDS) == KIND_COUNT and len(ROLES) == ROLE_COUNT

cdef enum:
    MATCHES = 65536              # of one json_find

JsonMatch = namedtuple("JsonMatch", "path type text size integer")
Frame = namedtuple("Frame", "name data wire_bytes comment has_data error_field")
Scan = namedtuple(
    "Scan",
    "kind ends done_marker malformed token_ids input_tokens output_tokens cached_tokens reasoning_tokens"
    " text finish id error so_far whole",
)
ParsedResponse = namedtuple(
    "ParsedResponse",
    "result error status interim content_type chunked close_delimited keep_alive encoded content_length"
    " retry_after_s body frames scans too_large unread",
)


cdef class Dialect:
    """Where an API puts its tokens, in a form that the C core reads."""

    def __cinit__(self, paths, types=()):
        self.ptr = event_dialect_new()
        if self.ptr is NULL:
            raise MemoryError
        self.paths = dict(paths)
        self.types = dict(types)
        for path, role in self.paths.items():
            if role not in ROLES:
                raise ValueError(f"path {path!r}: no role is called {role!r}; there are {', '.join(ROLES)}")
            if event_dialect_path(self.ptr, c_string(path), <event_role><int>ROLES.index(role)) != 0:
                raise ValueError(f"path {path!r} cannot be added: keys joined by dots, [] after an array's key")
        for name, kind in self.types.items():
            if kind not in KINDS:
                raise ValueError(f"type {name!r}: no kind is called {kind!r}; there are {', '.join(KINDS)}")
            if event_dialect_type(self.ptr, c_string(name), <event_kind><int>KINDS.index(kind)) != 0:
                raise ValueError(f"type {name!r} cannot be added: at most 64 types of at most 63 bytes")

    def __dealloc__(self):
        event_dialect_free(self.ptr)

    def __reduce__(self):
        return type(self), (self.paths, self.types)

    def scan(self, bytes data, bytes name=b""):
        """What one event's data means; ``name`` is the SSE event field."""
        cdef event_scan_result result
        event_scan(self.ptr, name, len(name), data, len(data), &result)
        return scan_fields(&result)


cdef bytes c_string(str text):
    encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError(f"{text!r} holds a NUL")
    return encoded


cdef object span(const event_span *found):
    return None if found.start is NULL else found.start[:found.length]


cdef object scan_fields(const event_scan_result *result):
    return Scan(
        KINDS[<int>result.kind], bool(result.ends), bool(result.done_marker), bool(result.malformed),
        result.token_ids, result.input_tokens, result.output_tokens, result.cached_tokens,
        result.reasoning_tokens,
        span(&result.text), span(&result.finish), span(&result.id), span(&result.error),
        bool(result.so_far), span(&result.whole),
    )


cdef object frame_fields(const sse_event *event):
    return Frame(
        event.name[:event.name_length], event.data[:event.data_length], event.wire_bytes,
        bool(event.comment), bool(event.has_data), bool(event.error_field),
    )


cdef char *piece_copy(bytes piece) except NULL:
    """The piece in memory of just its size, so that a sanitizer sees a read past its end."""
    cdef char *copy = <char *>malloc(len(piece) if piece else 1)
    if copy is NULL:
        raise MemoryError
    memcpy(copy, <const char *>piece, len(piece))
    return copy


cdef int piece_free(char *copy, size_t length) except -1:
    """Overwrites it first, so that a span kept beyond its time shows."""
    memset(copy, 0xAA, length)
    free(copy)
    return 0


def json_find(paths, bytes data):
    """The values at ``paths`` in the order of the text, and whether the text was malformed."""
    cdef json_paths *compiled = json_paths_new()
    cdef json_match *matches = <json_match *>malloc(MATCHES * sizeof(json_match))
    cdef char *text = NULL
    cdef int found = 0, i, answer
    cdef size_t length = len(data)
    names = list(paths)
    try:
        if compiled is NULL or matches is NULL:
            raise MemoryError
        for slot, path in enumerate(names):
            if json_paths_add(compiled, c_string(path), slot) != 0:
                raise ValueError(f"path {path!r} cannot be added")
        text = piece_copy(data)
        answer = json_scan(compiled, text, length, matches, MATCHES, &found)
        result = []
        for i in range(found):
            integer = json_integer(&matches[i], -1)
            if integer == -1 and json_integer(&matches[i], -2) == -2:
                integer = None
            result.append(JsonMatch(
                names[matches[i].slot], JSON_TYPES[<int>matches[i].type],
                matches[i].start[:matches[i].length], matches[i].count, integer,
            ))
        return result, answer == JSON_MALFORMED
    finally:
        if text is not NULL:
            piece_free(text, length)
        free(matches)
        json_paths_free(compiled)


cdef class Framing:
    """A framer with what came out of it."""

    cdef sse framer
    cdef ndjson liner
    cdef bint lines              # of JSON, no server-sent events
    cdef Dialect dialect
    cdef list frames, scans
    cdef bint too_large

    def __cinit__(self):
        sse_init(&self.framer)
        ndjson_init(&self.liner)
        self.frames, self.scans = [], []

    def __dealloc__(self):
        sse_free(&self.framer)
        ndjson_free(&self.liner)

    cdef sse_result next(self, const char **p, const char *end, sse_event *event) noexcept:
        return ndjson_next(&self.liner, p, end, event) if self.lines else sse_next(&self.framer, p, end, event)

    cdef sse_result last(self, sse_event *event) noexcept:
        return ndjson_finish(&self.liner, event) if self.lines else sse_finish(&self.framer, event)

    cdef int feed(self, const char *p, const char *end) except -1:
        cdef sse_event event
        cdef sse_result got = self.next(&p, end, &event)
        while got == SSE_EVENT:
            self.take(&event)
            got = self.next(&p, end, &event)
        self.too_large = self.too_large or got == SSE_TOO_LARGE
        return 0

    cdef int finish(self) except -1:
        cdef sse_event event
        cdef sse_result got = self.last(&event)
        while got == SSE_EVENT:
            self.take(&event)
            got = self.last(&event)
        self.too_large = self.too_large or got == SSE_TOO_LARGE
        return 0

    cdef int take(self, const sse_event *event) except -1:
        cdef event_scan_result result
        cdef const char *name = event.name
        cdef const char *data = event.data
        cdef size_t name_length = event.name_length
        cdef size_t data_length = event.data_length
        if event.error_field:
            name, name_length = "error", 5
        if event.comment:
            data_length = 0
        self.frames.append(frame_fields(event))
        if self.dialect is None:
            return 0
        event_scan(self.dialect.ptr, name, name_length, data, data_length, &result)
        self.scans.append(scan_fields(&result))
        return 0


def sse_frames(pieces, finish=True):
    """The events of a stream that arrives in ``pieces``, and whether one was too large."""
    return frames_of(pieces, finish, False)


def ndjson_frames(pieces, finish=True):
    """The lines of a stream that arrives in ``pieces``, and whether one was too large."""
    return frames_of(pieces, finish, True)


cdef object frames_of(pieces, finish, bint lines):
    cdef Framing framing = Framing()
    framing.lines = lines
    cdef char *copy
    cdef size_t length
    for piece in pieces:
        length = len(piece)
        copy = piece_copy(piece)
        try:
            framing.feed(copy, copy + length)
        finally:
            piece_free(copy, length)
    if finish:
        framing.finish()
    return framing.frames, framing.too_large


cdef class Response:
    """A parser of one response with what came out of it."""

    cdef http1 parser
    cdef http1_result result
    cdef Framing framing
    cdef list body
    cdef bytes unread

    def __cinit__(self):
        http1_init(&self.parser)
        self.result = HTTP1_MORE
        self.framing = Framing()
        self.body = []
        self.unread = b""

    def __dealloc__(self):
        http1_free(&self.parser)

    cdef int feed(self, const char *p, const char *end) except -1:
        cdef http1_span span
        cdef http1_result got
        while True:
            got = http1_next(&self.parser, &p, end, &span)
            if got == HTTP1_MORE:
                assert p == end
                return 0
            if got == HTTP1_BODY:
                self.body.append(span.start[:span.length])
                self.framing.lines = self.parser.content_type == HTTP1_TYPE_NDJSON
                if self.framing.lines or self.parser.content_type == HTTP1_TYPE_SSE:
                    self.framing.feed(span.start, span.start + span.length)
                continue
            self.result = got
            if got != HTTP1_HEADERS:
                self.unread += p[:end - p]
                return 0


def parse_response(pieces, Dialect dialect, close=True):
    """Parse one response that arrives in ``pieces``; ``close``: the peer then closes the connection."""
    cdef Response response = Response()
    cdef http1 *parser = &response.parser
    cdef char *copy
    cdef size_t length
    response.framing.dialect = dialect
    for piece in pieces:
        length = len(piece)
        copy = piece_copy(piece)
        try:
            response.feed(copy, copy + length)
        finally:
            piece_free(copy, length)
    if close:
        response.result = http1_finish(parser)
        response.framing.finish()
    return ParsedResponse(
        RESULTS[response.result], None if parser.error is NULL else parser.error.decode(),
        parser.status, parser.interim, CONTENT_TYPES[parser.content_type], bool(parser.chunked),
        bool(parser.close_delimited), bool(parser.keep_alive), bool(parser.encoded), parser.content_length,
        parser.retry_after_s, b"".join(response.body), response.framing.frames, response.framing.scans,
        bool(response.framing.too_large), response.unread,
    )
