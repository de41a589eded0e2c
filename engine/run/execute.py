"""Sending a plan and sealing the tape: the steps that all kinds of runs share."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..host import clock_pair, host
from ..plan import Plan
from ..requests.composer import Composer, LiveComposer
from ..requests.endpoints import Endpoint
from ..scheduling import check_realtime, cores_awake
from ..simulate.simulator_process import simulated_server
from ..tape import Tape, TapeWriter
from ..tape.seal import TokenCounts
from ..tokenizer import TokenCounter
from ..transport.request_head import redact
from ..transport.target import Target
from .channel import Setup
from .controller import Controller
from .row_batches import Constants
from .run_status import Status
from .send_options import SendOptions

FEED_LIMIT = 16 << 20
"""Bytes of composed requests that wait in a worker."""

IDLE_TIMEOUT_NS = 4_000_000_000
"""Idle time of a pooled connection before it is closed; llama.cpp and uvicorn close theirs after 5.0 s."""


@dataclass(frozen=True)
class Job:
    """Everything that is decided before the first request is sent.

    Attributes:
        plan: The requests and their due times.
        endpoint: The API, which interprets the events of responses.
        targets: The servers; a row's server is in Plan.server.
        composer: Composes the requests.
        constants: Values that rows of the tape share; the epoch is the tape's.
        epoch: Clock readings at that epoch.
        facts: Manifest entries of this kind of run.
        connections: Limit of open connections per worker.
        go_on_after_failure: Send requests that follow a failed one.
    """

    plan: Plan
    endpoint: Endpoint
    targets: Sequence[Target]
    composer: Composer
    constants: Constants
    epoch: Mapping[str, int]
    facts: Mapping[str, Any]
    connections: int
    go_on_after_failure: bool = False


def execute(
    job: Job,
    out: Path,
    options: SendOptions,
    *,
    command: Sequence[str],
    on_status: Callable[[Status], None],
    on_note: Callable[[str], None],
) -> "Execution":
    """Send a plan; return when each of its rows has a row in the tape's journal.

    Args:
        job: The plan, the servers and the composer.
        out: Path of the tape.
        options: Options of the run.
        command: The command line, for the manifest.
        on_status: Called several times a second while requests are sent.
        on_note: Called with each note for the user.

    Raises:
        Interrupted: The user interrupted twice; the journal can be recovered.
        UserError: A worker could not be started, or the tape could not be written.
    """
    epoch = job.epoch
    manifest = _manifest(job, options, command)
    writer = TapeWriter(out, manifest, epoch_mono_ns=epoch["mono_ns"], epoch_unix_ns=epoch["unix_ns"])
    controller = Controller(
        job.plan,
        _setup(job, options),
        [target.route() for target in job.targets],
        job.composer,
        job.constants,
        writer,
        workers=options.workers,
        grace_ns=options.grace_ns,
        keep_bodies=options.keep_bodies,
        on_status=on_status,
        on_note=on_note,
    )
    try:
        with cores_awake() if options.realtime else nullcontext() as lack:
            if lack:
                on_note(f"idle cores cannot be kept awake, so that some requests are sent about 20 us later ({lack})")
            controller.run()
    except BaseException:
        writer.close()  # the journal stays, without a lock, so that it can be recovered
        raise
    return Execution(writer, controller, job, options)


@dataclass(frozen=True)
class Execution:
    """A run that has ended and whose tape is not yet sealed."""

    writer: TapeWriter
    controller: Controller
    job: Job
    options: SendOptions

    def seal(self) -> Tape:
        """Count tokens where the server sent no count, and seal the journal into a tape."""
        options, controller, epoch = self.options, self.controller, self.job.epoch
        counts = None if options.tokenizer is None else _count_tokens(self.writer, options)
        outcome = {
            "plan": self.writer.manifest["plan"] | {"rows": controller.rows_sent},
            "start_ns": controller.start_ns - epoch["mono_ns"],
            "stopped_by_user": controller.was_stopped,
            "problems": controller.problems,
            "clocks": [dict(epoch), clock_pair()],
            "workers": controller.worker_facts(),
            "tokenizer": options.tokenizer,
            "finished_unix_ns": time.time_ns(),
        }
        return self.writer.seal(counts=counts, keep_bodies=options.keep_bodies, **outcome)


@contextmanager
def server_of(options: SendOptions) -> Iterator[str]:
    """Yield the server's URL: the user's, or that of a simulator that runs as long as the context."""
    if options.url is not None:
        yield options.url
        return
    with simulated_server(options.simulator) as url:
        yield url


def check_start(out: Path, options: SendOptions) -> None:
    """Raise UserError for a run that cannot work, before anything is created.

    Raises:
        UserError: The tape's path exists or cannot be created, or this process may not use real-time priority.
    """
    if options.realtime:
        check_realtime()
    try:
        taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise UserError(f"{out}: cannot be created: {error.strerror}; choose another path with --out") from None
    if taken:
        raise UserError(f"{out} exists; choose another path with --out, or remove it")


def _count_tokens(writer: TapeWriter, options: SendOptions) -> TokenCounts:
    """Return the token count of every response text; called after the run."""
    assert options.tokenizer is not None
    counter = TokenCounter(
        options.tokenizer, revision=options.tokenizer_revision, trust_remote_code=options.trust_remote_code
    )
    ids: list[int] = []
    counts: list[int] = []
    for request_ids, texts in writer.texts():
        told = [(int(row), text) for row, text in zip(request_ids, texts, strict=True) if text is not None]
        ids += [row for row, _ in told]
        counts += counter.count([text for _, text in told])
    order = np.argsort(np.array(ids, np.int64), kind="stable")
    return TokenCounts(np.array(ids, np.int64)[order], np.array(counts, np.int32)[order])


def _setup(job: Job, options: SendOptions) -> Setup:
    live = isinstance(job.composer, LiveComposer)
    return Setup(
        route=job.targets[0].route(),
        fields=dict(job.endpoint.fields),
        types=dict(job.endpoint.types),
        connect_timeout_ns=options.connect_timeout_ns,
        read_timeout_ns=options.read_timeout_ns,
        idle_timeout_ns=IDLE_TIMEOUT_NS,
        horizon_ns=options.preopen_ns,
        spin_ns=options.spin_ns,
        feed_limit=FEED_LIMIT // max(options.workers, len(job.targets)),
        max_connections=job.connections,
        reuse=options.reuse,
        stamps=options.kernel_stamps,
        keep_text=options.keep_bodies or options.tokenizer is not None or live,
        needs_end=job.endpoint.needs_end,
        follows=job.plan.parent is not None,
        floors=job.plan.floors,
        live_history=live,
        go_on_after_failure=job.go_on_after_failure,
        lines=job.endpoint.framing == "ndjson" and options.stream,
        realtime=options.realtime,
    )


def _manifest(job: Job, options: SendOptions, command: Sequence[str]) -> dict[str, Any]:
    plan, target = job.plan, job.targets[0]
    facts = dict(job.facts)
    return {
        "role": "client",
        "command": redact(command, options.headers),
        "options": options.shown(),
        "target": {**target.facts(), "model": job.constants.model},
        "targets": [each.facts() for each in job.targets],
        **facts,
        "plan": {
            "sha256": plan.digest,
            "rows": len(plan),
            "span_ns": plan.span_ns,
            "seed": options.seed,
            "input_tokens": int(plan.input_tokens.sum(dtype="i8")),
            "output_tokens": int(plan.output_tokens.sum(dtype="i8")),
            "input_lengths": "exact" if job.constants.exact_inputs else "estimated",
            **facts.get("plan", {}),
        },
        "host": host(),
        "clocks": [dict(job.epoch)],
        "workers": [],
    }
