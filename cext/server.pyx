"""Python interface of the simulated LLM server."""

import os
from collections import namedtuple

from libc.errno cimport ENAMETOOLONG, EPROTO, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "base/columns.h" nogil:
    ctypedef struct event_block:
        uint32_t rows
        int64_t *request_id
        int64_t *arrival_ns
        int32_t *event
        int32_t *tokens
        int32_t *bytes
        uint8_t *kind
        uint8_t *coalesced

cdef extern from "server/model/draw.h" nogil:
    ctypedef int draw_shape
    ctypedef struct draw_distribution:
        draw_shape shape
        double a_ns, b_ns
    uint64_t draw_key(uint64_t seed, uint64_t request)
    int64_t draw_ns(const draw_distribution *law, uint64_t key, uint64_t index)

cdef extern from "server/apis/wire.h" nogil:
    enum: WIRE_MAX_CHUNK_TOKENS
    ctypedef int wire_role
    ctypedef int wire_finish
    ctypedef int wire_line
    ctypedef int wire_framing
    ctypedef int wire_shape
    ctypedef int wire_stream_error
    ctypedef int wire_ping
    ctypedef struct wire_options:
        wire_role role
        wire_finish finish
        wire_line line
        wire_framing framing
        wire_shape shape
        wire_stream_error stream_error
        wire_ping ping
        bint done, space, empty_choice, continuous_usage, chunk_extensions, trailers
        int32_t tokens_per_chunk, reasoning_tokens
    const char *wire_word(int32_t token, size_t *length)

cdef extern from "server/apis/dialect.h" nogil:
    ctypedef int api_kind
    enum: API_COUNT
    ctypedef struct wire_dialect:
        const char *name
    const wire_dialect *dialect_of(api_kind kind)

cdef extern from "server/model/prefix_cache.h" nogil:
    enum: CACHE_MAX_BLOCKS

cdef extern from "server/server.h" nogil:
    enum: SERVER_MODEL_BYTES
    enum: SERVER_MAX_BLOCK_TOKENS
    enum: API_MAX_TOKENS
    enum: API_MAX_DIMENSIONS
    ctypedef int server_fault
    ctypedef struct server_config:
        char *host
        uint16_t port
        char *unix_path
        const char *certificate_file
        const char *key_file
        char *model
        uint64_t seed
        draw_distribution ttft, itl
        int32_t default_tokens, dimensions
        wire_options wire
        int64_t headers_ns, keepalive_ns
        bint interim
        uint32_t split_bytes, close_after
        int64_t idle_close_ns
        server_fault fault
        int32_t fault_after
        double fault_share
        uint16_t fault_status
        int64_t retry_after_s
        uint32_t cache_blocks, block_tokens
        bint truth
    ctypedef struct server_request_row:
        int64_t request, received_ns, headers_ns, first_event_ns, first_token_ns, last_token_ns, end_ns
        int64_t bytes_received, bytes_sent
        int32_t cached_tokens, prompt_tokens, asked_tokens, output_tokens, events, output_events, connection
        uint16_t status
        uint8_t endpoint, outcome
        bint kernel_clock, reused, stream, done_marker
        char *id
        char *model
    ctypedef struct server_stats:
        uint64_t requests, events, tokens, sends, wakes, connections, dropped_rows
        int64_t open_streams, peak_streams, open_connections, cpu_user_ns, cpu_system_ns
    ctypedef struct server:
        pass
    server *server_new(const server_config *config, const char **error)
    uint16_t server_port(const server *s)
    bint server_start(server *s)
    void server_stop(server *s)
    void server_free(server *s)
    void server_read_stats(server *s, server_stats *stats)
    event_block *server_take_events(server *s)
    void server_give_events(server *s, event_block *block)
    size_t server_take_requests(server *s, server_request_row *rows, size_t room)

# In the order of the C enums.
DISTRIBUTIONS = ("constant", "uniform", "normal", "lognormal")
ROLES = ("before", "with", "early", "none")
FINISHES = ("alone", "last", "usage")
LINE_ENDS = ("lf", "crlf", "cr")
FRAMINGS = ("chunked", "length", "close")
SHAPES = ("openai", "fastapi", "text", "html", "api")
STREAM_ERRORS = ("data", "event", "field")
PINGS = ("ping", "bare")
FAULTS = ("none", "status", "redirect", "error", "cut", "reset", "stall", "silent", "length")
ENDPOINTS = tuple((<bytes>dialect_of(kind).name).decode() for kind in range(API_COUNT))

MAX_TOKENS = API_MAX_TOKENS
MAX_DIMENSIONS = API_MAX_DIMENSIONS
MAX_CHUNK_TOKENS = WIRE_MAX_CHUNK_TOKENS
MODEL_BYTES = SERVER_MODEL_BYTES - 1
MAX_CACHE_BLOCKS = CACHE_MAX_BLOCKS
MAX_BLOCK_TOKENS = SERVER_MAX_BLOCK_TOKENS
ERROR_FAULT_STATUSES = (400, 599)

Stats = namedtuple(
    "Stats",
    "requests events tokens sends wakes connections dropped_rows open_streams peak_streams open_connections"
    " cpu_user_ns cpu_system_ns",
)
EventColumns = namedtuple("EventColumns", "request_id event arrival_ns kind tokens size coalesced")
RequestRow = namedtuple(
    "RequestRow",
    "request received_ns headers_ns first_event_ns first_token_ns last_token_ns end_ns bytes_received bytes_sent"
    " cached_tokens prompt_tokens asked_tokens output_tokens events output_events connection status endpoint outcome kernel_clock reused stream"
    " done_marker id model",
)


def words(int count):
    """Return the words of an answer of `count` tokens, in order."""
    cdef size_t length
    cdef const char *word
    result = []
    for token in range(count):
        word = wire_word(token, &length)
        result.append(word[:length].decode())
    return result


cdef draw_distribution read_distribution(distribution):
    name, a_ns, b_ns = distribution
    return draw_distribution(shape=DISTRIBUTIONS.index(name), a_ns=a_ns, b_ns=b_ns)


def draws(distribution, uint64_t seed, uint64_t request, uint64_t count):
    """Return the first `count` draws of a distribution for a request, in ns."""
    cdef draw_distribution c_distribution = read_distribution(distribution)
    cdef uint64_t key = draw_key(seed, request)
    return [draw_ns(&c_distribution, key, index) for index in range(count)]


cdef class Server:
    """A simulated LLM server in a native thread of this process."""

    cdef server *ptr
    cdef bint running

    def __cinit__(
        self, *, str host, uint16_t port, str model, uint64_t seed, tuple ttft, tuple itl, int default_tokens,
        int dimensions, str role, str finish, str line_end, str framing, str error_shape, str stream_error, str ping,
        bint done, bint space, bint empty_choice, bint continuous_usage, bint chunk_extensions, bint trailers,
        int tokens_per_chunk, int reasoning_tokens, int64_t headers_ns, int64_t keepalive_ns, bint interim,
        uint32_t split_bytes, uint32_t close_after, int64_t idle_close_ns, str fault, int fault_after,
        double fault_share, uint16_t fault_status, int64_t retry_after_s, bint truth,
        uint32_t prefix_cache=0, uint32_t block_tokens=512, bytes unix_path=b"", bytes certificate_file=None,
        bytes key_file=None,
    ):
        cdef server_config config
        cdef const char *error = NULL
        memset(&config, 0, sizeof(config))
        host_bytes, model_bytes = host.encode(), model.encode()
        if len(host_bytes) > 63 or len(model_bytes) > MODEL_BYTES or b'"' in model_bytes or b"\\" in model_bytes:
            raise ValueError("host and model must have at most 63 bytes, and model no quotes or backslashes")
        if not 1 <= tokens_per_chunk <= WIRE_MAX_CHUNK_TOKENS:
            raise ValueError(f"tokens_per_chunk must be from 1 to {WIRE_MAX_CHUNK_TOKENS}")
        if not (1 <= default_tokens <= API_MAX_TOKENS and 1 <= dimensions <= API_MAX_DIMENSIONS):
            raise ValueError(f"default_tokens must be from 1 to {API_MAX_TOKENS}, dimensions from 1 to {API_MAX_DIMENSIONS}")
        if not (prefix_cache <= CACHE_MAX_BLOCKS and 1 <= block_tokens <= SERVER_MAX_BLOCK_TOKENS):
            raise ValueError(f"prefix_cache must be from 0 to {CACHE_MAX_BLOCKS}, block_tokens from 1 to {SERVER_MAX_BLOCK_TOKENS}")
        memcpy(config.host, <const char *>host_bytes, len(host_bytes))
        memcpy(config.model, <const char *>model_bytes, len(model_bytes))
        config.port, config.seed = port, seed
        config.ttft, config.itl = read_distribution(ttft), read_distribution(itl)
        config.default_tokens, config.dimensions = default_tokens, dimensions
        config.wire.role, config.wire.finish = ROLES.index(role), FINISHES.index(finish)
        config.wire.line, config.wire.framing = LINE_ENDS.index(line_end), FRAMINGS.index(framing)
        config.wire.shape, config.wire.stream_error = SHAPES.index(error_shape), STREAM_ERRORS.index(stream_error)
        config.wire.ping, config.wire.done, config.wire.space = PINGS.index(ping), done, space
        config.wire.empty_choice, config.wire.continuous_usage = empty_choice, continuous_usage
        config.wire.chunk_extensions, config.wire.trailers = chunk_extensions, trailers
        config.wire.tokens_per_chunk, config.wire.reasoning_tokens = tokens_per_chunk, reasoning_tokens
        config.headers_ns, config.keepalive_ns, config.interim = headers_ns, keepalive_ns, interim
        config.split_bytes, config.close_after, config.idle_close_ns = split_bytes, close_after, idle_close_ns
        config.fault, config.fault_after = FAULTS.index(fault), fault_after
        config.fault_share, config.fault_status = fault_share, fault_status
        config.retry_after_s, config.truth = retry_after_s, truth
        config.cache_blocks, config.block_tokens = prefix_cache, block_tokens
        if len(unix_path) > 107:
            raise OSError(ENAMETOOLONG, "a Unix socket's path has at most 107 bytes")
        memcpy(config.unix_path, <const char *>unix_path, len(unix_path))
        if certificate_file is not None and key_file is not None:
            config.certificate_file, config.key_file = certificate_file, key_file
        self.ptr = server_new(&config, &error)
        if self.ptr is NULL:
            code = errno
            if code == EPROTO:
                raise OSError(code, error.decode("utf-8", "replace"))
            raise OSError(code, f"{error.decode()} at {unix_path.decode() or f'{host}:{port}'}: {os.strerror(code)}")

    def __dealloc__(self):
        if self.ptr is not NULL:
            with nogil:
                server_free(self.ptr)

    @property
    def port(self):
        return server_port(self.ptr)

    def start(self):
        if self.running:
            raise RuntimeError("the server is already running")
        if not server_start(self.ptr):
            raise OSError(errno, "cannot make the server's thread")
        self.running = True

    def stop(self):
        with nogil:
            server_stop(self.ptr)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stats(self):
        cdef server_stats s
        server_read_stats(self.ptr, &s)
        return Stats(
            s.requests, s.events, s.tokens, s.sends, s.wakes, s.connections, s.dropped_rows, s.open_streams,
            s.peak_streams, s.open_connections, s.cpu_user_ns, s.cpu_system_ns,
        )

    def take_events(self):
        cdef event_block *block
        cdef Py_ssize_t n
        taken = []
        while True:
            block = server_take_events(self.ptr)
            if block is NULL:
                return taken
            n = block.rows
            try:
                taken.append(EventColumns(
                    (<char *>block.request_id)[:8 * n], (<char *>block.event)[:4 * n],
                    (<char *>block.arrival_ns)[:8 * n], (<char *>block.kind)[:n], (<char *>block.tokens)[:4 * n],
                    (<char *>block.bytes)[:4 * n], (<char *>block.coalesced)[:n],
                ))
            finally:
                server_give_events(self.ptr, block)

    def take_requests(self):
        cdef server_request_row rows[64]
        cdef server_request_row *r
        cdef size_t count, i
        taken = []
        while True:
            count = server_take_requests(self.ptr, rows, 64)
            if count == 0:
                return taken
            for i in range(count):
                r = &rows[i]
                taken.append(RequestRow(
                    r.request, r.received_ns, r.headers_ns, r.first_event_ns, r.first_token_ns, r.last_token_ns, r.end_ns,
                    r.bytes_received, r.bytes_sent, r.cached_tokens, r.prompt_tokens, r.asked_tokens, r.output_tokens, r.events,
                    r.output_events, r.connection, r.status, ENDPOINTS[r.endpoint], r.outcome, r.kernel_clock, r.reused, r.stream,
                    r.done_marker, (<bytes>r.id).decode(), (<bytes>r.model).decode("utf-8", "replace"),
                ))
