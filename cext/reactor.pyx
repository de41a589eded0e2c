"""Python interface of the reactor, which an event loop drives."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EINVAL, errno
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcpy, memset

from .parsers cimport Dialect

import os


cdef extern from "response/event.h" nogil:
    ctypedef struct event_dialect:
        pass

cdef extern from "<sys/socket.h>" nogil:
    cdef struct sockaddr_storage:
        pass

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, ...)
    int PR_SET_PDEATHSIG, PR_SET_TIMERSLACK

cdef extern from "base/time_slice.h" nogil:
    void time_slice_request_short()

cdef extern from "schedule/schedule.h" nogil:
    ctypedef struct schedule_links:
        const int64_t *parent
        const int64_t *think_ns
        bint floors
        int64_t ahead_ns
        const int64_t *fan_in_row
        const int64_t *fan_in_parent
        int64_t fan_in_count
    ctypedef struct schedule_slots:
        const int64_t *opens_ns
        int64_t count

cdef extern from "schedule/send_order.h" nogil:
    int64_t send_order_size(int32_t count)

cdef extern from "net/tls.h" nogil:
    enum: TLS_ERROR_BYTES
    ctypedef struct tls_context:
        pass
    ctypedef struct tls_client_options:
        const char *host
        const char *ca_file
        const char *store_file
        const char *store_dir
        bint insecure
    tls_context *tls_client(const tls_client_options *options, char *why)
    void tls_context_free(tls_context *context)

cdef extern from "net/transport.h" nogil:
    ctypedef struct transport_route:
        sockaddr_storage address
        uint32_t address_length
        bint stamps
        const char *tunnel
        size_t tunnel_length
        tls_context *tls

cdef extern from "reactor/reactor.h" nogil:
    ctypedef struct reactor_config:
        transport_route route
        int channel_fd
        const event_dialect *dialect
        int64_t connect_timeout_ns
        int64_t read_timeout_ns
        int64_t idle_timeout_ns
        int64_t horizon_ns
        int64_t spin_ns
        size_t feed_limit
        uint32_t max_connections
        bint reuse
        bint keep_text
        bint needs_end
        bint lines
        int follower_feed_fd
        bint live_history
        bint go_on_after_failure
        uint32_t max_in_flight
        uint32_t max_prefilling
        int64_t stop_ns
        int send_order_fd
        int32_t send_order_worker
        int32_t send_order_workers
    ctypedef struct reactor_rows:
        int64_t count
        const int64_t *due_ns
        const int64_t *request_ids
        const int64_t *cancel_after_ns
        const schedule_links *links
        const schedule_slots *slots
    ctypedef struct reactor:
        pass
    reactor *reactor_new(const reactor_config *config, const reactor_rows *rows)
    void reactor_free(reactor *r)
    int reactor_fd(const reactor *r)
    void reactor_begin(reactor *r, int64_t start_ns)
    bint reactor_run(reactor *r, int64_t budget_ns)
    int64_t reactor_stop(reactor *r)
    void reactor_cancel(reactor *r)


cdef const char *text_or_null(bytes text):
    if text is None:
        return NULL
    return text


cdef tls_context *client_context(bytes host, bytes ca_file, bytes store_file, bytes store_dir, bint insecure) except NULL:
    cdef tls_client_options options
    cdef char why[TLS_ERROR_BYTES]
    options.host = host
    options.ca_file = text_or_null(ca_file)
    options.store_file = text_or_null(store_file)
    options.store_dir = text_or_null(store_dir)
    options.insecure = insecure
    cdef tls_context *context = tls_client(&options, why)
    if context is NULL:
        raise OSError((<bytes>why).decode("utf-8", "replace"))
    return context


def check_tls(bytes host, *, bytes ca_file=None, bytes store_file=None, bytes store_dir=None, bint insecure=False):
    tls_context_free(client_context(host, ca_file, store_file, store_dir, insecure))


cdef class Reactor:
    cdef reactor *ptr
    cdef Dialect dialect        # kept alive here, because the reactor reads them
    cdef bytes tunnel
    cdef tls_context *tls

    def __cinit__(self, const int64_t[::1] due_ns, const int64_t[::1] request_ids, *, bytes address, int channel_fd,
                  Dialect dialect, int64_t connect_timeout_ns, int64_t read_timeout_ns, int64_t idle_timeout_ns,
                  int64_t horizon_ns, int64_t spin_ns, size_t feed_limit, uint32_t max_connections, bint reuse, bint stamps,
                  bint keep_text, bint needs_end, const int64_t[::1] parent=None, const int64_t[::1] think_ns=None,
                  int follower_feed_fd=-1, int64_t ahead_ns=0, bint floors=False, bint live_history=False,
                  bint go_on_after_failure=False, bytes tunnel=b"", bytes tls_host=None, bytes ca_file=None,
                  bytes store_file=None, bytes store_dir=None, bint insecure=False,
                  uint32_t max_in_flight=0, uint32_t max_prefilling=0, int64_t stop_ns=0,
                  const int64_t[::1] cancel_after_ns=None, const int64_t[::1] slot_opens_ns=None, bint lines=False,
                  const int64_t[::1] fan_in_row=None, const int64_t[::1] fan_in_parent=None,
                  int send_order_fd=-1, int32_t send_order_worker=0, int32_t send_order_workers=0):
        cdef reactor_config config
        cdef reactor_rows plan
        cdef schedule_links links
        cdef schedule_slots slots
        if due_ns.shape[0] != request_ids.shape[0]:
            raise ValueError(f"due_ns has {due_ns.shape[0]} elements and request_ids {request_ids.shape[0]}")
        if PyBytes_GET_SIZE(address) > <Py_ssize_t>sizeof(config.route.address):
            raise ValueError("address is longer than a struct sockaddr_storage")
        memset(&config, 0, sizeof(config))
        memcpy(&config.route.address, PyBytes_AS_STRING(address), PyBytes_GET_SIZE(address))
        config.route.address_length = <uint32_t>PyBytes_GET_SIZE(address)
        config.channel_fd = channel_fd
        config.dialect = <const event_dialect *>dialect.ptr
        config.connect_timeout_ns = connect_timeout_ns
        config.read_timeout_ns = read_timeout_ns
        config.idle_timeout_ns = idle_timeout_ns
        config.horizon_ns = horizon_ns
        config.spin_ns = spin_ns
        config.feed_limit = feed_limit
        config.max_connections = max_connections
        config.reuse = reuse
        config.route.stamps = stamps
        self.tunnel = tunnel
        config.route.tunnel = PyBytes_AS_STRING(tunnel) if tunnel else NULL
        config.route.tunnel_length = PyBytes_GET_SIZE(tunnel)
        config.keep_text = keep_text
        config.needs_end = needs_end
        config.lines = lines
        config.follower_feed_fd = follower_feed_fd
        config.live_history = live_history
        config.go_on_after_failure = go_on_after_failure
        config.max_in_flight = max_in_flight
        config.max_prefilling = max_prefilling
        config.stop_ns = stop_ns
        config.send_order_fd = send_order_fd
        config.send_order_worker = send_order_worker
        config.send_order_workers = send_order_workers
        self.dialect = dialect
        cdef int64_t rows = due_ns.shape[0]
        memset(&plan, 0, sizeof(plan))
        plan.count = rows
        plan.links = &links
        plan.slots = &slots
        if rows:
            plan.due_ns = &due_ns[0]
            plan.request_ids = &request_ids[0]
        if cancel_after_ns is not None and rows:
            if cancel_after_ns.shape[0] != rows:
                raise ValueError(f"cancel_after_ns has {cancel_after_ns.shape[0]} elements for {rows} requests")
            plan.cancel_after_ns = &cancel_after_ns[0]
        memset(&slots, 0, sizeof(slots))
        if slot_opens_ns is not None and slot_opens_ns.shape[0]:
            slots.opens_ns = &slot_opens_ns[0]
            slots.count = slot_opens_ns.shape[0]
        memset(&links, 0, sizeof(links))
        links.floors = floors
        links.ahead_ns = ahead_ns
        if parent is not None and think_ns is not None and rows:
            if parent.shape[0] != rows or think_ns.shape[0] != rows:
                raise ValueError(f"parent has {parent.shape[0]} elements and think_ns {think_ns.shape[0]} for {rows} requests")
            links.parent = &parent[0]
            links.think_ns = &think_ns[0]
        if fan_in_row is not None and fan_in_parent is not None and fan_in_row.shape[0]:
            if parent is None or fan_in_row.shape[0] != fan_in_parent.shape[0]:
                raise ValueError(f"fan_in_row has {fan_in_row.shape[0]} elements and fan_in_parent {fan_in_parent.shape[0]}; "
                                 "they must be as many, and each row needs a parent too")
            links.fan_in_row = &fan_in_row[0]
            links.fan_in_parent = &fan_in_parent[0]
            links.fan_in_count = fan_in_row.shape[0]
        if tls_host is not None:
            self.tls = client_context(tls_host, ca_file, store_file, store_dir, insecure)
        config.route.tls = self.tls
        self.ptr = reactor_new(&config, &plan)
        if self.ptr is NULL:
            if errno == EINVAL:
                raise ValueError("due_ns and slot_opens_ns must be ascending and not negative, a row can wait only for rows "
                                 "above it, and cancel_after_ns must be -1 or more")
            raise OSError(errno, f"the reactor cannot start: {os.strerror(errno)}")

    def __dealloc__(self):
        reactor_free(self.ptr)
        tls_context_free(self.tls)

    def fileno(self):
        return reactor_fd(self.ptr)

    def begin(self, int64_t start_ns):
        with nogil:
            reactor_begin(self.ptr, start_ns)

    def run(self, int64_t budget_ns):
        cdef bint finished
        with nogil:
            finished = reactor_run(self.ptr, budget_ns)
        return finished

    def stop(self):
        return reactor_stop(self.ptr)

    def cancel(self):
        with nogil:
            reactor_cancel(self.ptr)


def send_order_page_size(int32_t workers):
    return send_order_size(workers)


def die_with_parent(int signal_number):
    if prctl(PR_SET_PDEATHSIG, signal_number) != 0:
        raise OSError(errno, os.strerror(errno))


def wake_exactly():
    # The kernel may delay a wake-up by the timer slack, 50 us by default, to combine it with others.
    if prctl(PR_SET_TIMERSLACK, <unsigned long>1) != 0:
        raise OSError(errno, os.strerror(errno))
    time_slice_request_short()
