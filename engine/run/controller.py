"""The controller: starts the workers, feeds them, collects what they measure, writes the tape."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...cext.reactor import order_page_size
from ..errors import UserError
from ..plan import Plan, Shard, shard_joins, shard_links, shards
from ..scheduling import giving_way
from ..tape import TapeWriter
from ..transport.route import Route
from .bodies import Composer, Feeder, FollowerFeeder, LiveComposer
from .channel import CANCEL, COMMAND, EVENTS, GO, REQUESTS, STATUS, STOP, WANTS, Setup, send_setup
from .frames import FrameReader
from .records import STATUS as STATUS_RECORD
from .records import Constants, probe_batch, request_batch, unpack_events, unpack_requests, unsent_batch

READY_S = 60.0
"""A worker that needs longer than this to start is not going to."""


class Interrupted(Exception):
    """The user asked twice to stop: the journal is left for ``tokentape recover``."""


@dataclass
class Status:
    """Where a run stands, over all workers."""

    planned: int
    sent: int = 0
    finished: int = 0
    succeeded: int = 0
    active: int = 0
    tokens: int = 0
    events: int = 0
    coalesced: int = 0
    starved: int = 0
    blocked: int = 0
    clock_steps: int = 0
    elapsed_ns: int = 0
    until_ns: int = 0
    """When a closed loop ends by the clock, since the start; 0: `planned` requests are sent."""
    stopping: bool = False
    lateness: NDArray[np.int64] = field(default_factory=lambda: np.zeros(128, np.int64))

    def lateness_quantile_us(self, q: float) -> float | None:
        """Upper bound of the bucket that holds the quantile (``lateness_bucket`` of cext/reactor/reactor.h), in us."""
        total = int(self.lateness.sum())
        if not total:
            return None
        bucket = int(np.searchsorted(np.cumsum(self.lateness), q * total))
        if bucket < 4:
            return float(bucket + 1)
        octave, quarter = divmod(bucket, 4)
        return float((4 + quarter + 1) << (octave - 1))


@dataclass
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    control: socket.socket
    wanted: socket.socket
    shard: Shard
    frames: FrameReader
    status: Any = None
    longest_turn_ns: int = 0
    done: bool = False
    problem: str | None = None
    follower_feeder: FollowerFeeder | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Of the plan, ascending."""
        return self.shard.rows

    def command(self, letter: bytes, argument: int = 0) -> None:
        """Tell it something; a worker that is gone already needs no telling: its channel says so."""
        try:
            self.control.send(COMMAND.pack(letter, argument))
        except (BrokenPipeError, ConnectionResetError):
            return


class Controller:
    """One run of a plan.

    Args:
        plan: What to send.
        setup: What workers are told, but for what is of their shards.
        routes: To the run's servers.
        composer: Makes the requests.
        constants: What all rows of the tape share. Its epoch is the tape's.
        writer: The open tape.
        workers: Processes.
        grace_ns: How long open streams may go on after a stop.
        keep_bodies: Write request bodies and response texts.
        on_status: Called some times a second.
        on_note: Called with what the user should know at once.
    """

    def __init__(
        self,
        plan: Plan,
        setup: Setup,
        routes: Sequence[Route],
        composer: Composer,
        constants: Constants,
        writer: TapeWriter,
        *,
        workers: int,
        grace_ns: int,
        keep_bodies: bool,
        on_status: Callable[[Status], None],
        on_note: Callable[[str], None],
    ) -> None:
        self._plan, self._setup, self._composer = plan, setup, composer
        self._routes = routes
        self._constants, self._writer = constants, writer
        self._on_status, self._on_note = on_status, on_note
        self._grace_ns, self._keep_bodies = grace_ns, keep_bodies
        self._count = workers
        self._workers: list[_Worker] = []
        self._feeders: list[Feeder] = []
        self._selector = selectors.DefaultSelector()
        self._seen = np.zeros(len(plan), np.bool_)
        self._interrupts = 0
        self._stopped_ns: int | None = None
        self._cancelled = False
        self._kept: dict[int, bytes] = {}
        self._never_left = 0
        self.start_ns = 0
        self.status = Status(planned=len(plan), until_ns=plan.load.stop_ns)
        self.problems: list[str] = []

    def run(self) -> None:
        """Send the plan and write all that is measured; returns when every row of the plan has its row on the tape.

        Raises:
            Interrupted: The user interrupted twice.
            UserError: The workers could not be started.
        """
        with self._interruptible():
            try:
                ordered = self._spawn_all()
                with giving_way():
                    self._start(ordered)
                    self._collect()
                self._write_unsent()
            finally:
                self._end()

    # ---- the start ----

    def _spawn_all(self) -> int:
        """Returns how many of the workers send in one order: all, or none."""
        parts = shards(self._plan, self._count)
        ordered = 0 if self._plan.load.closed or len(parts) == 1 else len(parts)
        with _shared_page(order_page_size(ordered)) as order_fd:
            for number, shard in enumerate(parts):
                self._workers.append(self._spawn(number, shard, order_fd))
        return ordered

    def _start(self, ordered: int) -> None:
        for worker in self._workers:
            due_ns = np.ascontiguousarray(self._plan.due_ns[worker.rows])
            follows = self._plan.parent is not None
            links = shard_links(self._plan, worker.rows) if follows else ()
            also = shard_joins(self._plan, worker.rows)
            cancel = self._plan.cancel_after_ns
            try:
                send_setup(
                    worker.channel,
                    self._setup_of(worker, ordered),
                    due_ns,
                    worker.rows,
                    *links,
                    cancel_after_ns=None if cancel is None else np.ascontiguousarray(cancel[worker.rows]),
                    slot_opens_ns=worker.shard.load.slot_opens_ns if self._plan.load.closed else None,
                    also_row=also and also.rows,
                    also_parent=also and also.after,
                )
            except (BrokenPipeError, ConnectionResetError):
                continue  # it died at once: its silence is told below
            self._feed(worker, np.flatnonzero(links[0] < 0) if links else np.arange(len(worker.rows)), follows)
        for worker in self._workers:
            worker.control.settimeout(READY_S)
            if not self._receive_ready(worker):
                raise UserError("a worker process ended while it started; what it said stands above")
        self.start_ns = time.monotonic_ns() + self._lead_ns()
        for worker in self._workers:
            worker.command(GO, self.start_ns)
            self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _feed(self, worker: _Worker, roots: NDArray[np.int64], follows: bool) -> None:
        """Start the threads that write a worker's requests: those due by themselves, and those that follow others."""
        places = zip(roots.tolist(), worker.rows[roots].tolist(), strict=True)
        feeders = [Feeder(worker.channel, places, self._composer, self._keeper())]
        if follows:
            worker.follower_feeder = FollowerFeeder(worker.wanted, self._composer, self._keeper())
            feeders.append(worker.follower_feeder)
        for feeder in feeders:
            feeder.start()
        self._feeders += feeders

    @staticmethod
    def _receive_ready(worker: _Worker) -> bool:
        try:
            return len(worker.control.recv(COMMAND.size)) == COMMAND.size
        except (TimeoutError, ConnectionResetError):
            return False

    def _setup_of(self, worker: _Worker, ordered: int) -> Setup:
        shard = worker.shard
        return replace(
            self._setup,
            route=self._routes[shard.server],
            max_in_flight=shard.load.max_in_flight,
            max_prefilling=shard.load.max_prefilling,
            stop_ns=shard.load.stop_ns,
            order_own=worker.number,
            order_count=ordered,
        )

    def _spawn(self, number: int, shard: Shard, order_fd: int) -> _Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        wanted, their_wanted = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = [*(end.fileno() for end in (theirs, their_control, their_wanted)), order_fd]
        for end in (ours, theirs, wanted):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        process = subprocess.Popen(
            # -P: a json.py in the user's folder is none of a worker's business
            [sys.executable, "-P", "-m", "tokentape.engine.run.worker", *map(str, fds)],
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is the controller's to handle
        )
        for end in (theirs, their_control, their_wanted):
            end.close()
        return _Worker(number, process, ours, control, wanted, shard, FrameReader(ours))

    def _lead_ns(self) -> int:
        """Time between the order to go and the first due time: the connections of the first burst are opened in it."""
        first = self._plan.due_ns[0]
        due_ns = self._plan.load.slot_opens_ns if self._plan.load.closed else self._plan.due_ns
        burst = int(np.searchsorted(due_ns, first + self._setup.horizon_ns))
        return 50_000_000 + min(burst, self._setup.max_connections) * 100_000

    def _keeper(self) -> Callable[[int, bytes], None] | None:
        if not self._keep_bodies:
            return None

        def keep(row: int, request: bytes) -> None:
            self._kept[row] = request.partition(b"\r\n\r\n")[2]

        return keep

    # ---- the run ----

    def _collect(self) -> None:
        while not all(worker.done for worker in self._workers):
            for key, _ in self._selector.select(timeout=0.1):
                self._read(key.data)
            self._obey_user()
            self._check_feeders()
            self._tell()

    def _read(self, worker: _Worker) -> None:
        if not worker.frames.read():
            worker.done = True
            self._selector.unregister(worker.channel)
            if worker.status is None or not worker.status["done"]:
                self._mourn(worker)
            return
        for type_, rows, frame in worker.frames.frames():
            self._take(worker, type_, rows, frame)

    def _mourn(self, worker: _Worker) -> None:
        code = worker.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        worker.problem = f"worker {worker.number} ended early ({how})"
        self.problems.append(worker.problem)
        self._on_note(f"{worker.problem}; its requests that had not ended are lost, those of other workers go on")

    def _take(self, worker: _Worker, type_: int, rows: int, frame: memoryview) -> None:
        if type_ == EVENTS:
            self._writer.events(unpack_events(frame, rows, self._constants.epoch_ns))
        elif type_ == REQUESTS:
            finished = unpack_requests(bytes(frame), rows)
            self._seen[finished.records["request_id"]] = True
            shown = self._routes[worker.shard.server].shown
            batch = request_batch(finished, self._plan, self._constants, worker.number, self.start_ns, shown)
            self._writer.requests(batch)
            if isinstance(self._composer, LiveComposer):
                for row, text in zip(finished.records["request_id"].tolist(), finished.texts, strict=True):
                    self._composer.heard(row, text or "")
            if self._keep_bodies or self._setup.keep_text:
                self._write_bodies(finished.records["request_id"], finished.texts)
        elif type_ == STATUS:
            worker.status = np.frombuffer(bytes(frame), STATUS_RECORD)[0]
            worker.longest_turn_ns = max(worker.longest_turn_ns, int(worker.status["longest_turn_ns"]))
            self._write_probe(worker)
            if worker.status["done"]:
                worker.done = True
                self._selector.unregister(worker.channel)
        elif type_ == WANTS:
            assert worker.follower_feeder is not None
            for place in np.frombuffer(bytes(frame), np.int64).tolist():
                worker.follower_feeder.ask(place, int(worker.rows[place]))
        else:
            raise AssertionError(f"a frame of type {type_} from worker {worker.number}")

    def _write_probe(self, worker: _Worker) -> None:
        self._writer.probes(probe_batch(worker.status, worker.number, self._constants.epoch_ns))

    def _write_bodies(self, request_ids: NDArray[np.int64], texts: list[str | None]) -> None:
        bodies = [self._kept.pop(int(row), None) for row in request_ids]
        columns = [
            pa.array(request_ids.copy()),
            pa.array(bodies, pa.binary()),
            pa.array(texts, pa.string()),
        ]
        self._writer.bodies(pa.RecordBatch.from_arrays(columns, ["request_id", "request_body", "response_text"]))

    def _check_feeders(self) -> None:
        for feeder in self._feeders:
            if feeder.error is not None:
                raise feeder.error

    def _tell(self) -> None:
        statuses = [worker.status for worker in self._workers if worker.status is not None]
        if not statuses:
            return
        status = self.status
        names = (
            "sent",
            "finished",
            "succeeded",
            "active",
            "tokens",
            "events",
            "coalesced",
            "starved",
            "blocked",
        )
        for name in (*names, "clock_steps"):
            setattr(status, name, sum(int(s[name]) for s in statuses))
        status.elapsed_ns = max(0, max(int(s["at_ns"]) for s in statuses) - self.start_ns)
        status.lateness = np.sum([s["lateness"] for s in statuses], axis=0, dtype=np.int64)
        status.stopping = self._stopped_ns is not None
        self._on_status(status)

    def worker_facts(self) -> list[dict[str, Any]]:
        """What each worker says of itself at the end, for the manifest."""
        facts: list[dict[str, Any]] = []
        for worker in self._workers:
            if worker.status is None:
                facts.append({"worker": worker.number, "requests": len(worker.rows)})
                continue
            elapsed_ns = max(1, int(worker.status["at_ns"]) - self.start_ns)
            names = ("sent", "finished", "starved", "blocked", "clock_steps", "waited_ns")
            facts.append(
                {"worker": worker.number, "requests": len(worker.rows)}
                | {name: int(worker.status[name]) for name in names}
                | {
                    "busy_share": round(int(worker.status["busy_ns"]) / elapsed_ns, 4),
                    "longest_turn_ns": worker.longest_turn_ns,
                }
            )
        return facts

    # ---- the end ----

    def _obey_user(self) -> None:
        if self._interrupts >= 2:
            raise Interrupted
        if self._interrupts and self._stopped_ns is None:
            self.stop()
        ended_ns = self._stopped_ns if self._stopped_ns is not None else self._planned_end_ns()
        if ended_ns is not None and not self._cancelled and time.monotonic_ns() - ended_ns > self._grace_ns:
            self._cancelled = True
            for worker in self._workers:
                worker.command(CANCEL)

    def _planned_end_ns(self) -> int | None:
        """When sending ends by the clock, on CLOCK_MONOTONIC; None: when the last request has left."""
        end_ns = self._plan.load.end_ns
        return self.start_ns + end_ns if end_ns else None

    def stop(self) -> None:
        """Send nothing more; open streams have the grace time to end."""
        self._stopped_ns = time.monotonic_ns()
        for feeder in self._feeders:
            feeder.stop()
        for worker in self._workers:
            worker.command(STOP)

    @property
    def rows_sent(self) -> int:
        """Rows of the plan that were part of the run: all, but for a closed loop that ended by the clock."""
        return len(self._plan) - self._never_left

    @property
    def was_stopped(self) -> bool:
        """Did the user stop it before its end?"""
        return self._stopped_ns is not None

    def _write_unsent(self) -> None:
        for worker in self._workers:
            rows = worker.rows[~self._seen[worker.rows]]
            if self._plan.load.stop_ns:
                self._never_left += len(rows)  # a closed loop that ends by the clock is as long as it got
            elif len(rows):
                why = worker.problem or self._why_unsent()
                number = worker.number
                self._writer.requests(unsent_batch(rows, self._plan, self._constants, self.start_ns, number, why))

    def _why_unsent(self) -> str:
        if self.was_stopped:
            return "not sent: the run was stopped"
        return "not sent: a request before it in its session failed"

    def _end(self) -> None:
        for feeder in self._feeders:
            feeder.stop()
        for worker in self._workers:
            worker.control.close()
            with suppress(OSError):  # its other end may be closed already
                worker.channel.shutdown(socket.SHUT_RDWR)
                worker.wanted.shutdown(socket.SHUT_RDWR)
            if not worker.done:
                worker.process.kill()
            try:
                worker.process.wait(5)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        for feeder in self._feeders:
            feeder.join(5)
        for worker in self._workers:
            worker.channel.close()
            worker.wanted.close()
        self._selector.close()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        def count(signum: int, frame: FrameType | None) -> None:
            self._interrupts += 1

        try:
            before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: interrupts go elsewhere
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _shared_page(size: int) -> Iterator[int]:
    """A file of zero bytes that lies in memory alone, and goes with the last process that has it."""
    fd = os.memfd_create("tokentape-order")
    try:
        os.ftruncate(fd, size)
        yield fd
    finally:
        os.close(fd)


def descriptors_for(plan: Plan, peak: int, workers: int) -> tuple[int, str | None]:
    """Raise the limit of open files to what is allowed, and say how many connections a worker may hold.

    Args:
        plan: What will be sent.
        peak: The most requests due within one second.
        workers: Processes that share them; each has a limit of its own.

    Returns:
        Connections, and a warning when fewer than the plan has requests could be open together, or None.

    Raises:
        UserError: Not even one second's requests would fit.
    """
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reserve = 64
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    room = hard - reserve
    burst = -(-peak // workers)
    if room < burst:
        raise UserError(
            f"a worker may have {burst:,} requests due within one second, but a process may open only {hard:,} files; "
            f"raise the hard limit (as root: ulimit -Hn {burst + reserve}), use more --workers or a lower --speed"
        )
    if room * workers < len(plan):
        return room, (
            f"at most {room * workers:,} streams can be open at once (hard limit of open files: {hard:,}); "
            "further requests would wait, and count as late"
        )
    return room, None
