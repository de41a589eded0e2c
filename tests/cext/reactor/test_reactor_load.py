"""Load control by the reactor: a closed loop, its end, planned cancellations, and the order of workers."""

import mmap
import os
import selectors
import socket
import time
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokentape.cext.parsers import Dialect
from tokentape.cext.reactor import Reactor, send_order_page_size
from tokentape.engine.run.channel import FEED_END, FEED_HEADER, REQUESTS, STATUS
from tokentape.engine.run.frame_reader import FrameReader
from tokentape.engine.run.row_batches import STATUS as STATUS_RECORD
from tokentape.engine.run.row_batches import unpack_requests
from tokentape.engine.tape.schema import OUTCOMES
from tokentape.engine.transport.target import find_target

MS = 1_000_000
REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
NOTHING = 2**63 - 1  # SEND_ORDER_NONE
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def make_reactor(rows: int, port: int, channel_fd: int, **load: Any) -> Reactor:
    return Reactor(
        memoryview(array("q", [0] * rows)),
        memoryview(array("q", range(rows))),
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
        **load,
    )


class Run:
    """A reactor whose controller and server are played by the test."""

    def __init__(self, rows: int, **load: Any) -> None:
        self.channel, theirs = socket.socketpair()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.reactor = make_reactor(rows, self.listener.getsockname()[1], theirs.fileno(), **load)
        self.loop = selectors.DefaultSelector()
        self.loop.register(self.reactor.fileno(), selectors.EVENT_READ, None)
        self.loop.register(self.listener, selectors.EVENT_READ, self.listener)
        self.server: list[socket.socket] = []
        self.arrived = 0
        self._theirs, self._frames = theirs, FrameReader(self.channel)

    def feed(self, *rows: int, end: bool = False) -> None:
        """Deliver the requests of these rows, and with `end` the end of the feed."""
        frames = [FEED_HEADER.pack(row, len(REQUEST)) + REQUEST for row in rows]
        self.channel.sendall(b"".join(frames) + (FEED_END if end else b""))

    def turn(self) -> bool:
        """Wait for an event and handle it. Return True when the reactor has finished."""
        finished = False
        ready = self.loop.select(timeout=5)
        assert ready, f"nothing woke the loop; {self.arrived} requests had arrived"
        for key, _ in ready:
            if key.data is None:
                finished = self.reactor.run(0)
            elif key.data is self.listener:
                self.server.append(self.listener.accept()[0])
                self.loop.register(self.server[-1], selectors.EVENT_READ, self.server[-1])
            else:
                got = key.data.recv(65536)
                self.arrived += got.count(REQUEST)
                if not got:
                    self.loop.unregister(key.data)
        return finished

    def until_arrived(self, requests: int) -> None:
        """Run until `requests` requests have arrived at the server."""
        while self.arrived < requests:
            assert not self.turn()

    def until_finished(self) -> tuple[NDArray[Any], list[str | None], Any]:
        """Run until the reactor has finished; return the records, their errors and the last status."""
        while not self.turn():
            pass
        self.channel.setblocking(False)
        self._frames.read()
        records, errors, status = [], [], None
        for type_, rows, frame in self._frames.frames():
            if type_ == REQUESTS:
                finished = unpack_requests(bytes(frame), rows)
                records.append(finished.records)
                errors += finished.errors
            elif type_ == STATUS:
                status = np.frombuffer(bytes(frame), STATUS_RECORD)[0]
        return np.concatenate(records), errors, status

    def close(self) -> None:
        for end in (self.channel, self._theirs, self.listener, *self.server):
            end.close()
        self.loop.close()


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    made = Run(**request.param)
    yield made
    made.close()


def openings(*opens_ns: int) -> memoryview:
    return memoryview(array("q", opens_ns))


@pytest.mark.parametrize("run", [{"rows": 2, "slot_opens_ns": openings(0)}], indirect=True)
def test_a_request_delivered_after_its_slot_was_free_is_late(run: Run) -> None:
    """It counts as starved, and its due time is the time when its slot became free."""
    run.feed(0)
    run.turn()  # the reactor reads requests before the start
    run.reactor.begin(time.monotonic_ns())
    run.until_arrived(1)
    run.server[0].sendall(ANSWER)
    answered_ns = time.monotonic_ns()
    while time.monotonic_ns() < answered_ns + 60 * MS:
        run.turn()
    assert run.arrived == 1
    fed_ns = time.monotonic_ns()
    run.feed(1, end=True)
    run.until_arrived(2)
    run.server[0].sendall(ANSWER)
    records, _, status = run.until_finished()
    assert records["scheduled_ns"][1] == records["end_ns"][0] < fed_ns < records["sent_ns"][1]
    assert records["connection_id"].tolist() == [0, 0]
    assert status["starved"] == 1


@pytest.mark.parametrize("run", [{"rows": 3, "slot_opens_ns": openings(0), "stop_ns": 30 * MS}], indirect=True)
def test_at_stop_ns_requests_in_flight_go_on_and_the_rest_is_counted(run: Run) -> None:
    run.feed(0, 1, 2, end=True)
    begin_ns = time.monotonic_ns()
    run.reactor.begin(begin_ns)
    run.until_arrived(1)
    while time.monotonic_ns() < begin_ns + 60 * MS:
        assert not run.turn()
    run.server[0].sendall(ANSWER)
    records, _, status = run.until_finished()
    assert records["request_id"].tolist() == [0]
    assert records["end_ns"][0] > begin_ns + 60 * MS
    assert status["left"] == 2


@pytest.mark.parametrize("run", [{"rows": 2, "cancel_after_ns": memoryview(array("q", [25 * MS, -1]))}], indirect=True)
def test_a_planned_cancellation_closes_the_connection_on_time(run: Run) -> None:
    """The server sends nothing, so only the reactor's own timer can wake it."""
    run.feed(0, 1, end=True)
    run.reactor.begin(time.monotonic_ns())
    run.until_arrived(2)
    while len(run.loop.get_map()) == 4:  # until one connection is closed
        assert not run.turn()
    open_one = next(key.data for key in run.loop.get_map().values() if key.data in run.server)
    open_one.sendall(ANSWER)
    records, errors, _ = run.until_finished()
    records = records[np.argsort(records["request_id"])]
    assert OUTCOMES[records["outcome"][0]] == "cancelled"
    assert OUTCOMES[records["outcome"][1]] == "ok"
    assert records["end_ns"][0] - records["sent_end_ns"][0] >= 25 * MS
    assert "cancelled by the client 0.025 s after it was sent, as planned" in errors


@pytest.fixture
def page() -> Iterator[int]:
    fd = os.memfd_create("order")
    os.ftruncate(fd, send_order_page_size(2))
    yield fd
    os.close(fd)


def test_a_worker_waits_5_ms_for_an_earlier_request_of_another_worker(page: int) -> None:
    """The other worker never sends its request, so the first request is sent 5 ms after its due time."""
    run = Run(2, send_order_fd=page, send_order_worker=1, send_order_workers=2)
    lines = memoryview(mmap.mmap(page, send_order_page_size(2))).cast("q")
    own = len(lines) // 2
    run.feed(0, 1, end=True)
    lines[0] = -1
    run.reactor.begin(time.monotonic_ns())
    run.until_arrived(2)
    assert lines[own] == NOTHING
    for connection in run.server:
        connection.sendall(ANSWER)
    records, _, _ = run.until_finished()
    assert (records["sent_ns"] - records["scheduled_ns"]).min() >= 5 * MS
    assert lines[0] == -1
    run.close()


def places(*rows: int) -> memoryview:
    return memoryview(array("q", rows))


LINKED = {"parent": places(-1, 0), "think_ns": places(0, 0)}


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"slot_opens_ns": openings(5, 4)}, "slot_opens_ns must be ascending"),
        ({"cancel_after_ns": memoryview(array("q", [0, -2]))}, "cancel_after_ns must be -1 or more"),
        ({"cancel_after_ns": memoryview(array("q", [0]))}, "cancel_after_ns has 1 elements for 2 requests"),
        (
            {"fan_in_row": places(1), "fan_in_parent": places(0)},
            "fan_in_row has 1 elements and fan_in_parent 1; .* needs a parent too",
        ),
        (
            LINKED | {"fan_in_row": places(1, 1), "fan_in_parent": places(0)},
            "fan_in_row has 2 elements and fan_in_parent 1",
        ),
        (LINKED | {"fan_in_row": places(1), "fan_in_parent": places(1)}, "a row can wait only for rows above it"),
        (LINKED | {"fan_in_row": places(0), "fan_in_parent": places(-1)}, "a row can wait only for rows above it"),
    ],
)
def test_an_inconsistent_load_is_refused(load: dict[str, Any], message: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match=message):
        make_reactor(2, 1, theirs.fileno(), **load)
