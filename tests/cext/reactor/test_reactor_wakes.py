"""The reactor's descriptor wakes the outer loop for every due request, even if each call of run() is short."""

import selectors
import socket
import time
from array import array

from tokentape.cext.parsers import Dialect
from tokentape.cext.reactor import Reactor
from tokentape.engine.run.channel import FEED_END, FEED_HEADER
from tokentape.engine.transport.target import find_target

MS = 1_000_000
DUE_MS = (5, 60, 61, 120, 200)
REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"


def make_reactor(port: int, channel_fd: int) -> Reactor:
    return Reactor(
        memoryview(array("q", [due_ms * MS for due_ms in DUE_MS])),
        memoryview(array("q", range(len(DUE_MS)))),
        address=find_target(f"http://127.0.0.1:{port}", "/").sockaddr,
        channel_fd=channel_fd,
        dialect=Dialect({}, {}),
        connect_timeout_ns=60_000 * MS,
        read_timeout_ns=60_000 * MS,
        idle_timeout_ns=60_000 * MS,
        horizon_ns=0,
        spin_ns=0,
        feed_limit=1 << 20,
        max_connections=16,
        reuse=True,
        stamps=True,
        keep_text=False,
        needs_end=True,
    )


def test_every_due_request_is_sent_although_each_run_has_no_budget() -> None:
    """A call of run() without a budget handles one wake-up, and must leave the timer set for the next.

    The server never answers, so only the reactor's own timer wakes the loop.
    """
    ours, theirs = socket.socketpair()
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ours, theirs, selectors.DefaultSelector() as loop:
        for row in range(len(DUE_MS)):
            ours.sendall(FEED_HEADER.pack(row, len(REQUEST)) + REQUEST)
        ours.sendall(FEED_END)
        reactor = make_reactor(listener.getsockname()[1], theirs.fileno())
        loop.register(reactor.fileno(), selectors.EVENT_READ, None)
        loop.register(listener, selectors.EVENT_READ, listener)
        reactor.begin(time.monotonic_ns())
        arrived = 0
        while arrived < len(DUE_MS) * len(REQUEST):
            ready = loop.select(timeout=5)
            assert ready, f"nothing woke the loop; {arrived} bytes of the requests had arrived"
            for key, _ in ready:
                if key.data is None:
                    assert not reactor.run(0)
                elif key.data is listener:
                    accepted.append(listener.accept()[0])
                    loop.register(accepted[-1], selectors.EVENT_READ, accepted[-1])
                else:
                    arrived += len(key.data.recv(65536))
        for connection in accepted:
            connection.close()
