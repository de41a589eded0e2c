"""Python interface of the reactor, which an event loop drives."""

from .parsers import Dialect

class Reactor:
    """Sends requests when they are due and stamps what arrives; see ``reactor.h``.

    Arrays are contiguous buffers of int64 (a NumPy array, or a memoryview of format q) with one element per row of the
    plan, unless said otherwise. A root is a row that follows no other row.

    Args:
        due_ns: When each row is due, in ns after the start; not negative, ascending over the roots.
        request_ids: Id of each row on the tape.
        address: ``struct sockaddr`` of the server, or of the proxy before it.
        channel_fd: Stream socket to the controller: requests in, measurements out.
        dialect: Meaning of the API's events.
        connect_timeout_ns: A request fails when its connection is not open after this long.
        read_timeout_ns: A request fails when nothing arrives for this long.
        idle_timeout_ns: Time after which a pooled connection is closed.
        horizon_ns: Connections are opened this long before they are needed.
        spin_ns: Poll instead of sleeping this long before each due time; 0: sleep.
        feed_limit: Bytes of requests that may wait in the worker.
        max_connections: Upper limit of open connections; with all of them busy, due requests wait.
        reuse: Keep connections for further requests.
        stamps: Ask the kernel for receive stamps.
        keep_text: Hand over the output text of each response.
        needs_end: A stream counts as truncated unless it ends with [DONE], a finish reason or a terminal event.
        parent: The row, above it, that each row follows; -1: a root. None: all rows are roots.
        think_ns: Time from the end of that row to the due time of this one.
        follower_feed_fd: Stream socket for the requests of followers, which the worker asks for.
        ahead_ns: A follower's request is asked for this long before its due time.
        floors: A follower is not due before its own due_ns either.
        live_history: Ask for a follower's request only after the end of the row that it follows.
        go_on_after_failure: Send the followers of a failed request all the same.
        tunnel: The CONNECT request that opens a tunnel through the proxy at ``address``; empty: no tunnel.
        tls_host: Name or address for which the server's certificate must be valid. None: no TLS.
        ca_file: File of certificates to trust (PEM) instead of the system's.
        store_file, store_dir: Further places of the system's certificates, besides those that OpenSSL knows.
        insecure: Trust any certificate.
        max_in_flight: Upper limit of requests in flight; due requests wait. 0: no limit.
        max_prefilling: Upper limit of requests in flight without a first token; due requests wait. 0: no limit.
        stop_ns: Time after the start from which no request begins; 0: no end.
        cancel_after_ns: The connection is closed this long after the request was sent; -1: never. None: never, for
            all rows.
        slot_opens_ns: Makes a closed loop with one slot per element: when each slot opens, in ns after the start,
            ascending. A root is then due when a slot is free. The slot is free again when that root, and all rows that
            follow it, have ended.
        lines: Streams are lines of JSON; their Content-Type is ignored.
        fan_in_row, fan_in_parent: Pairs of a row that has a parent and a further row above it that it waits for. The
            think time begins at the end of the last row that it waits for.
        send_order_fd: File of ``send_order_page_size(send_order_workers)`` bytes, zero at first, that the workers of a
            run share. With it, roots are sent in the order of their ``request_ids`` over all workers, as long as none
            is more than 5 ms late. -1: no such file.
        send_order_worker: Number of this worker in that file, from 0.
        send_order_workers: Number of workers that share the file; 0: no such file.

    Raises:
        ValueError: Arrays differ in length or break a rule above.
        OSError: The system lacks descriptors or memory, there is no OpenSSL, or ``ca_file`` holds no certificates.
    """

    def __init__(
        self,
        due_ns: memoryview[int],
        request_ids: memoryview[int],
        *,
        address: bytes,
        channel_fd: int,
        dialect: Dialect,
        connect_timeout_ns: int,
        read_timeout_ns: int,
        idle_timeout_ns: int,
        horizon_ns: int,
        spin_ns: int,
        feed_limit: int,
        max_connections: int,
        reuse: bool,
        stamps: bool,
        keep_text: bool,
        needs_end: bool,
        parent: memoryview[int] | None = None,
        think_ns: memoryview[int] | None = None,
        follower_feed_fd: int = -1,
        ahead_ns: int = 0,
        floors: bool = False,
        live_history: bool = False,
        go_on_after_failure: bool = False,
        tunnel: bytes = b"",
        tls_host: bytes | None = None,
        ca_file: bytes | None = None,
        store_file: bytes | None = None,
        store_dir: bytes | None = None,
        insecure: bool = False,
        max_in_flight: int = 0,
        max_prefilling: int = 0,
        stop_ns: int = 0,
        cancel_after_ns: memoryview[int] | None = None,
        slot_opens_ns: memoryview[int] | None = None,
        lines: bool = False,
        fan_in_row: memoryview[int] | None = None,
        fan_in_parent: memoryview[int] | None = None,
        send_order_fd: int = -1,
        send_order_worker: int = 0,
        send_order_workers: int = 0,
    ) -> None: ...
    def fileno(self) -> int:
        """Return the epoll descriptor to register in an event loop for reading."""

    def begin(self, start_ns: int) -> None:
        """Set the start: row i is due at ``start_ns + due_ns[i]`` on CLOCK_MONOTONIC."""

    def run(self, budget_ns: int) -> bool:
        """Work for about ``budget_ns`` without the GIL. Return True when all requests are finished and handed over."""

    def stop(self) -> int:
        """Begin no more requests; requests in flight go on. Return how many rows will not be sent."""

    def cancel(self) -> None:
        """End every request in flight as cancelled. Call `stop` first."""

def check_tls(
    host: bytes,
    *,
    ca_file: bytes | None = None,
    store_file: bytes | None = None,
    store_dir: bytes | None = None,
    insecure: bool = False,
) -> None:
    """Check that a `Reactor` can use TLS with these settings.

    Raises:
        OSError: There is no OpenSSL, or ``ca_file`` holds no certificates; the message is meant for users.
    """

def send_order_page_size(workers: int) -> int:
    """Return the size in bytes of the file by which ``workers`` workers send in one order."""

def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to send this process a signal when its parent dies."""

def wake_exactly() -> None:
    """Set this thread's timer slack to 1 ns, so that sleeps end on time and not up to 50 us later.

    Also ask the scheduler for short time slices, see ``time_slice.h``.
    """
