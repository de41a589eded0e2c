"""Load control as the reactor's caller meets it: a closed loop, its end, and planned cancellations."""

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
    """A reactor between a controller, the test, and a server that answers when the test says so."""

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
        frames = [FEED_HEADER.pack(row, len(REQUEST)) + REQUEST for row in rows]
        self.channel.sendall(b"".join(frames) + (FEED_END if end else b""))

    def turn(self) -> bool:
        """Wait for something to happen and let it; True: the reactor has finished."""
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
        while self.arrived < requests:
            assert not self.turn()

    def until_finished(self) -> tuple[NDArray[Any], list[str | None], Any]:
        """The records, their errors and the last status."""
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
def test_a_row_that_its_slot_waited_for_is_late_not_due_later(run: Run) -> None:
    """The request came after the slot was free: that counts as starved, and its due time stays the slot's."""
    run.feed(0)
    run.turn()  # it reads ahead before the start
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
def test_what_is_left_at_the_end_is_counted_and_what_is_under_way_goes_on(run: Run) -> None:
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
def test_a_planned_cancellation_closes_the_connection_by_itself(run: Run) -> None:
    """The server says nothing, so that only the reactor's own timer can wake it."""
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


def test_a_worker_waits_for_what_another_has_before_it(page: int) -> None:
    """The other one never begins, so that the first request leaves when patience ends, 5 ms after its due time."""
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
        ({"slot_opens_ns": openings(5, 4)}, "slots' openings must be ascending"),
        ({"cancel_after_ns": memoryview(array("q", [0, -2]))}, "a time of cancellation must be -1 or more"),
        ({"cancel_after_ns": memoryview(array("q", [0]))}, "1 times of cancellation for 2 requests"),
        ({"also_row": places(1), "also_parent": places(0)}, "1 rows wait for 1 further ones; each needs a parent too"),
        (LINKED | {"also_row": places(1, 1), "also_parent": places(0)}, "2 rows wait for 1 further ones"),
        (LINKED | {"also_row": places(1), "also_parent": places(1)}, "what a row waits for must stand above it"),
        (LINKED | {"also_row": places(0), "also_parent": places(-1)}, "what a row waits for must stand above it"),
    ],
)
def test_a_load_that_cannot_be_is_refused(load: dict[str, Any], message: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match=message):
        make_reactor(2, 1, theirs.fileno(), **load)
