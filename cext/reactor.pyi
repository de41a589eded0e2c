"""The reactor's face: made from a configuration and a schedule, driven by an event loop."""

from .parsers import Dialect

class Reactor:
    """Sends requests when they are due and stamps what comes back; see ``reactor.h``.

    Args:
        due_ns: A buffer of int64 (an array, or a memoryview of format q): when each row is due, in ns after the
            start; ascending, not below 0.
        request_ids: The tape's id of each row.
        address: The server's ``struct sockaddr``, as bytes.
        channel_fd: A stream socket to the controller: requests in, measurements out.
        dialect: What the API's events mean.
        connect_timeout_ns: A handshake that takes longer fails its request.
        read_timeout_ns: A stream that is silent for longer fails.
        idle_timeout_ns: Pooled connections are closed after this long.
        horizon_ns: Connections are opened this long before they are needed.
        spin_ns: Poll instead of sleeping this long before a due time.
        feed_limit: Bytes of requests that wait in the worker.
        max_connections: Connections open at once; further requests wait.
        reuse: Keep connections for further requests.
        stamps: Ask the kernel for receive stamps.
        keep_text: Hand over the output text of each response.
        needs_end: A stream without an end of its own counts as truncated.
        parent: The row, above it, that each row follows; -1: none. Without it, none follows another.
        think_ns: From the end of that row to this one's due time.
        follower_feed_fd: A stream socket on which followers' requests come, after they were asked for.
        ahead_ns: How long before its due time a follower's request is asked for.
        floors: A follower is not due before its own due_ns either.
        live_history: Ask for a follower's request only after the end of what it follows.
        go_on_after_failure: Send what follows a failed request all the same.
        tunnel: The CONNECT request that opens a tunnel through the proxy at ``address``; empty: there is none.
        tls_host: Speak TLS with a server whose certificate must be for this name or address. None: plain.
        ca_file: The certificates to trust (PEM) instead of the system's.
        store_file, store_dir: Where the system's may lie beside where OpenSSL looks.
        insecure: Trust any certificate.
        max_in_flight: What is due waits while so many requests are under way; 0: there is no such cap.
        max_prefilling: Likewise while so many have neither a token nor an end.
        stop_ns: No request begins later than this after the start, and what has not begun is left; 0: never.
        cancel_after_ns: The connection of each row is closed so long after the request was sent; -1: never.
        slot_opens_ns: A closed loop of so many slots: when each opens, in ns after the start, ascending. A row that
            follows none is then due when a slot is free; the slot is free again when that row, and all that follows
            it, has ended.
        lines: Streams are lines of JSON, whatever Content-Type they come with.
        also_row, also_parent: Rows that have a parent, and further rows above them that they wait for as well, one a
            pair: the think time begins at the end of the last.
        send_order_fd: File of ``send_order_page_size(send_order_workers)`` bytes, zero at first, that the workers of a
            run share. With it, rows that follow no other row are sent in the order of their ``request_ids`` over all
            workers, as long as none is more than 5 ms late. -1: no such file.
        send_order_worker: Number of this worker in that file, from 0.
        send_order_workers: Number of workers that share the file; 0: no such file.

    Raises:
        ValueError: Due times or openings are not ascending, or the arrays differ in length.
        OSError: Descriptors or memory are out; there is no OpenSSL; ``ca_file`` holds no certificates.
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
        also_row: memoryview[int] | None = None,
        also_parent: memoryview[int] | None = None,
        send_order_fd: int = -1,
        send_order_worker: int = 0,
        send_order_workers: int = 0,
    ) -> None: ...
    def fileno(self) -> int:
        """The epoll descriptor to register in an event loop for reading."""

    def begin(self, start_ns: int) -> None:
        """Row i is sent at ``start_ns + due_ns[i]`` on CLOCK_MONOTONIC."""

    def run(self, budget_ns: int) -> bool:
        """Work for about ``budget_ns`` without the GIL. True: all is finished and handed over."""

    def stop(self) -> int:
        """Send nothing more; open streams go on. Returns how many rows will never be sent."""

    def cancel(self) -> None:
        """End every open stream as cancelled."""

def check_tls(
    host: bytes,
    *,
    ca_file: bytes | None = None,
    store_file: bytes | None = None,
    store_dir: bytes | None = None,
    insecure: bool = False,
) -> None:
    """Find out whether a `Reactor` could speak TLS with these.

    Raises:
        OSError: There is no OpenSSL, or ``ca_file`` holds no certificates: what it says is for people.
    """

def send_order_page_size(count: int) -> int:
    """Bytes of the file by which so many workers keep one order."""

def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent dies."""

def wake_exactly() -> None:
    """Set this thread's timer slack to 1 ns: a sleep ends when it should, not up to 50 us later."""
