"""Python interface of the recording proxy."""

import os
from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from .core cimport event_block
from .parsers cimport Dialect

cdef extern from "<sys/socket.h>" nogil:
    cdef struct sockaddr_storage:
        pass
    ctypedef unsigned int socklen_t

cdef extern from "response/event.h" nogil:
    ctypedef struct event_dialect:
        pass

cdef extern from "base/request_record.h" nogil:
    ctypedef struct request_record:
        uint32_t id_length, finish_length, error_length, text_length

cdef extern from "proxy/proxy.h" nogil:
    enum: PROXY_ENDPOINTS
    enum: PROXY_MAX_BODY
    ctypedef struct proxy_config:
        char *host
        uint16_t port
        sockaddr_storage upstream
        socklen_t upstream_length
        const event_dialect **dialects
        bint *needs_end
        bint keep_text
        int64_t connect_timeout_ns, half_closed_ns
    ctypedef struct proxy_row:
        request_record record
        int64_t received_ns
        uint8_t endpoint
        bint body_kept
        char *head
        char *body
        size_t head_length, body_length
        char *texts
    ctypedef struct proxy_stats:
        uint64_t connections, requests, recorded, events, tokens, coalesced, refused, unfollowed, dropped_rows
        uint64_t dropped_bodies
        int64_t open_connections, open_requests, oldest_open, next_request, at_ns, cpu_user_ns, cpu_system_ns
    ctypedef struct proxy:
        pass
    proxy *proxy_new(const proxy_config *config, const char **error)
    uint16_t proxy_port(const proxy *p)
    bint proxy_start(proxy *p)
    void proxy_drain(proxy *p)
    void proxy_mute(proxy *p)
    void proxy_stop(proxy *p)
    void proxy_free(proxy *p)
    void proxy_read_stats(proxy *p, proxy_stats *stats)
    event_block *proxy_take_events(proxy *p)
    void proxy_give_events(proxy *p, event_block *block)
    proxy_row *proxy_take_request(proxy *p)
    void proxy_row_free(proxy *p, proxy_row *row)

ENDPOINTS = ("chat", "completions", "embeddings")   # in the order of proxy_endpoint
MAX_BODY = PROXY_MAX_BODY
assert len(ENDPOINTS) == PROXY_ENDPOINTS

Stats = namedtuple(
    "Stats",
    "connections requests recorded events tokens coalesced refused unfollowed dropped_rows dropped_bodies open_connections"
    " open_requests oldest_open next_request at_ns cpu_user_ns cpu_system_ns",
)
EventColumns = namedtuple("EventColumns", "request_id event arrival_ns read_ns kind tokens size coalesced")
RecordedRequest = namedtuple("RecordedRequest", "record id finish error text received_ns endpoint head body")


cdef class Proxy:
    """A recording reverse proxy in a native thread of this process."""

    cdef proxy *ptr
    cdef tuple dialects          # kept alive here, because the proxy reads them
    cdef bint running

    def __cinit__(self, *, str host, uint16_t port, bytes upstream, tuple dialects, tuple needs_end, bint keep_text,
                  int64_t connect_timeout_ns, int64_t half_closed_ns):
        cdef proxy_config config
        cdef const char *error = NULL
        cdef Dialect dialect
        memset(&config, 0, sizeof(config))
        host_bytes = host.encode()
        if len(host_bytes) > 63:
            raise ValueError("host is longer than 63 bytes")
        if PyBytes_GET_SIZE(upstream) > <Py_ssize_t>sizeof(config.upstream):
            raise ValueError("upstream is longer than a struct sockaddr_storage")
        if len(dialects) != PROXY_ENDPOINTS or len(needs_end) != PROXY_ENDPOINTS:
            raise ValueError(f"dialects and needs_end must have one element for each of {ENDPOINTS}")
        memcpy(config.host, <const char *>host_bytes, len(host_bytes))
        memcpy(&config.upstream, PyBytes_AS_STRING(upstream), PyBytes_GET_SIZE(upstream))
        config.port, config.upstream_length = port, <socklen_t>PyBytes_GET_SIZE(upstream)
        for place in range(PROXY_ENDPOINTS):
            dialect = dialects[place]
            config.dialects[place] = <const event_dialect *>dialect.ptr
            config.needs_end[place] = needs_end[place]
        config.keep_text, config.connect_timeout_ns, config.half_closed_ns = keep_text, connect_timeout_ns, half_closed_ns
        self.dialects = dialects
        self.ptr = proxy_new(&config, &error)
        if self.ptr is NULL:
            code = errno
            raise OSError(code, f"{error.decode()} at {host}:{port}: {os.strerror(code)}")

    def __dealloc__(self):
        if self.ptr is not NULL:
            with nogil:
                proxy_free(self.ptr)

    @property
    def port(self):
        return proxy_port(self.ptr)

    def start(self):
        if self.running:
            raise RuntimeError("the proxy is already running")
        if not proxy_start(self.ptr):
            raise OSError(errno, "cannot make the proxy's thread")
        self.running = True

    def drain(self):
        proxy_drain(self.ptr)

    def mute(self):
        proxy_mute(self.ptr)

    def stop(self):
        with nogil:
            proxy_stop(self.ptr)

    def stats(self):
        cdef proxy_stats s
        proxy_read_stats(self.ptr, &s)
        return Stats(
            s.connections, s.requests, s.recorded, s.events, s.tokens, s.coalesced, s.refused, s.unfollowed, s.dropped_rows,
            s.dropped_bodies, s.open_connections, s.open_requests, s.oldest_open, s.next_request, s.at_ns, s.cpu_user_ns,
            s.cpu_system_ns,
        )

    def take_events(self):
        cdef event_block *block
        cdef Py_ssize_t n
        taken = []
        while True:
            block = proxy_take_events(self.ptr)
            if block is NULL:
                return taken
            n = block.rows
            try:
                taken.append(EventColumns(
                    (<char *>block.request_id)[:8 * n], (<char *>block.event)[:4 * n], (<char *>block.arrival_ns)[:8 * n],
                    (<char *>block.read_ns)[:8 * n], (<char *>block.kind)[:n], (<char *>block.tokens)[:4 * n],
                    (<char *>block.bytes)[:4 * n], (<char *>block.coalesced)[:n],
                ))
            finally:
                proxy_give_events(self.ptr, block)

    def take_requests(self, Py_ssize_t most):
        cdef proxy_row *row
        cdef request_record *r
        cdef const char *at
        taken = []
        while len(taken) < most:
            row = proxy_take_request(self.ptr)
            if row is NULL:
                break
            r = &row.record
            at = row.texts
            try:
                identity = at[:r.id_length]
                at += r.id_length
                finish = at[:r.finish_length]
                at += r.finish_length
                error = at[:r.error_length]
                at += r.error_length
                text = at[:r.text_length]
                # Cython cannot slice a NULL pointer.
                body = None if not row.body_kept else b"" if row.body is NULL else row.body[:row.body_length]
                head = b"" if row.head is NULL else row.head[:row.head_length]
                taken.append(RecordedRequest(
                    (<char *>r)[:sizeof(request_record)], identity, finish, error, text, row.received_ns,
                    ENDPOINTS[row.endpoint], head, body,
                ))
            finally:
                proxy_row_free(self.ptr, row)
        return taken
