"""The controller: starts the workers, sends them requests, collects their measurements, and writes the tape."""

import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...cext.reactor import send_order_page_size
from ..errors import UserError
from ..plan import Plan, shard_fan_in, shard_links, shards
from ..requests.composer import Composer, LiveComposer
from ..scheduling import giving_way
from ..tape import TapeWriter
from ..transport.route import Route
from .channel import CANCEL, COMMAND, EVENTS, GO, REQUESTS, STATUS, STOP, WANTS, Setup, send_setup
from .feeder import Feeder, FollowerFeeder
from .row_batches import STATUS as STATUS_RECORD
from .row_batches import Constants, probe_batch, request_batch, unpack_events, unpack_requests, unsent_batch
from .run_status import Status
from .worker_process import READY_S, WorkerProcess, shared_page, spawn


class Interrupted(Exception):
    """The user interrupted twice; the journal remains for ``tokentape recover``."""


class Controller:
    """One run of a plan.

    Args:
        plan: The plan to send.
        setup: Settings common to all workers; per-shard settings are added later.
        routes: Routes to the run's servers.
        composer: Composes the requests.
        constants: Values that all rows of the tape share; the epoch is the tape's.
        writer: The open tape.
        workers: Number of worker processes.
        grace_ns: Time that open streams have to end after a stop.
        keep_bodies: Write request bodies and response texts.
        on_status: Called several times a second.
        on_note: Called with each note for the user, at once.
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
        self._workers: list[WorkerProcess] = []
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
        """Send the plan and write the measurements; return when every row of the plan has a row on the tape.

        Raises:
            Interrupted: The user interrupted twice.
            UserError: A worker could not be started.
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
        """Return how many workers share one send order: all, or none."""
        parts = shards(self._plan, self._count)
        ordered = 0 if self._plan.load.closed or len(parts) == 1 else len(parts)
        with shared_page(send_order_page_size(ordered)) as send_order_fd:
            for number, shard in enumerate(parts):
                self._workers.append(spawn(number, shard, send_order_fd))
        return ordered

    def _start(self, ordered: int) -> None:
        for worker in self._workers:
            due_ns = np.ascontiguousarray(self._plan.due_ns[worker.rows])
            follows = self._plan.parent is not None
            links = shard_links(self._plan, worker.rows) if follows else ()
            also = shard_fan_in(self._plan, worker.rows)
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
                    fan_in_row=also and also.rows,
                    fan_in_parent=also and also.after,
                )
            except (BrokenPipeError, ConnectionResetError):
                continue  # the worker ended at once; its missing reply is reported below
            self._feed(worker, np.flatnonzero(links[0] < 0) if links else np.arange(len(worker.rows)), follows)
        for worker in self._workers:
            worker.control.settimeout(READY_S)
            if not self._receive_ready(worker):
                raise UserError("a worker process ended while it started; its messages are above")
        self.start_ns = time.monotonic_ns() + self._lead_ns()
        for worker in self._workers:
            worker.command(GO, self.start_ns)
            self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _feed(self, worker: WorkerProcess, roots: NDArray[np.int64], follows: bool) -> None:
        """Start the threads that write a worker's requests: one for requests with due times, one for followers."""
        places = zip(roots.tolist(), worker.rows[roots].tolist(), strict=True)
        feeders = [Feeder(worker.channel, places, self._composer, self._keeper())]
        if follows:
            worker.follower_feeder = FollowerFeeder(worker.wanted, self._composer, self._keeper())
            feeders.append(worker.follower_feeder)
        for feeder in feeders:
            feeder.start()
        self._feeders += feeders

    @staticmethod
    def _receive_ready(worker: WorkerProcess) -> bool:
        try:
            return len(worker.control.recv(COMMAND.size)) == COMMAND.size
        except (TimeoutError, ConnectionResetError):
            return False

    def _setup_of(self, worker: WorkerProcess, ordered: int) -> Setup:
        shard = worker.shard
        return replace(
            self._setup,
            route=self._routes[shard.server],
            max_in_flight=shard.load.max_in_flight,
            max_prefilling=shard.load.max_prefilling,
            stop_ns=shard.load.stop_ns,
            send_order_worker=worker.number,
            send_order_workers=ordered,
        )

    def _lead_ns(self) -> int:
        """Return the time from the start command to the first due time, in which the first connections are opened."""
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
            self._handle_interrupts()
            self._check_feeders()
            self._update_status()

    def _read(self, worker: WorkerProcess) -> None:
        if not worker.frames.read():
            worker.done = True
            self._selector.unregister(worker.channel)
            if worker.status is None or not worker.status["done"]:
                self._report_early_end(worker)
            return
        for type_, rows, frame in worker.frames.frames():
            self._take(worker, type_, rows, frame)

    def _report_early_end(self, worker: WorkerProcess) -> None:
        code = worker.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        worker.problem = f"worker {worker.number} ended early ({how})"
        self.problems.append(worker.problem)
        self._on_note(f"{worker.problem}; its unfinished requests are lost, the other workers continue")

    def _take(self, worker: WorkerProcess, type_: int, rows: int, frame: memoryview) -> None:
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
            raise AssertionError(f"an unknown frame type {type_} from worker {worker.number}")

    def _write_probe(self, worker: WorkerProcess) -> None:
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

    def _update_status(self) -> None:
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
        """Return the facts of each worker at the end of the run, for the manifest."""
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

    def _handle_interrupts(self) -> None:
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
        """Return when sending ends by the clock, on CLOCK_MONOTONIC; None: when the last request has left."""
        end_ns = self._plan.load.end_ns
        return self.start_ns + end_ns if end_ns else None

    def stop(self) -> None:
        """Stop sending. Open streams have the grace time to end."""
        self._stopped_ns = time.monotonic_ns()
        for feeder in self._feeders:
            feeder.stop()
        for worker in self._workers:
            worker.command(STOP)

    @property
    def rows_sent(self) -> int:
        """Number of rows of the plan in the run: all, unless a closed loop ended by the clock."""
        return len(self._plan) - self._never_left

    @property
    def was_stopped(self) -> bool:
        """Whether the user stopped the run before its end."""
        return self._stopped_ns is not None

    def _write_unsent(self) -> None:
        for worker in self._workers:
            rows = worker.rows[~self._seen[worker.rows]]
            if self._plan.load.stop_ns:
                self._never_left += len(rows)  # a closed loop that ends by the clock has the rows that it started
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
            with suppress(OSError):  # the other end may be closed already
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
        except ValueError:  # signals can be handled in the main thread only
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
