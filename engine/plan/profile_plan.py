"""The plan of a profile: a set of prepared requests, sent repeatedly at a rate or by concurrent slots."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...traces.inputs.batches import order as in_turn
from ...traces.table import TRACE_SCHEMA, Trace
from ..errors import UserError
from .arrival_process import Process, Segment, arrivals
from .load_control import Load, choose, slot_openings
from .plan import Plan

Order = Literal["sequential", "shuffle", "random"]

CLOSED_LOOP_ROWS = 5_000_000
"""Largest number of rows of a closed loop that ends by the clock; they take some hundred megabytes."""

CLOSED_LOOP_RATE = 20_000
"""Assumed upper limit of a closed loop's requests per second."""


@dataclass(frozen=True)
class Pace:
    """Timing of requests: either `segments` (an open loop) or `concurrency` (a closed loop).

    Attributes:
        segments: The rate over time.
        process, burstiness: Arrival process; see `arrivals`.
        concurrency: Number of slots of a closed loop.
        ramp_ns, ramp_steps: Ramp of the slots; see `slot_openings`.
        count: Number of requests after the warm-up.
        duration_ns: Duration without the warm-up; None: `count` decides.
        warmup_count, warmup_ns: Requests or duration of the warm-up.
        max_in_flight, max_prefilling: See Load.
        cancel_share, cancel_after_ns: Share of requests that are cancelled, and the time from send to cancellation.
    """

    segments: Sequence[Segment] | None = None
    process: Process = "constant"
    burstiness: float = 1.0
    concurrency: int = 0
    ramp_ns: int = 0
    ramp_steps: int = 0
    count: int | None = None
    duration_ns: int | None = None
    warmup_count: int = 0
    warmup_ns: int = 0
    max_in_flight: int = 0
    max_prefilling: int = 0
    cancel_share: float = 0.0
    cancel_after_ns: int = 0


@dataclass(frozen=True)
class Choice:
    """Distribution of rows over several models or servers.

    Attributes:
        kinds: Number of models or servers.
        strategy, weights: See `choose`.
    """

    kinds: int = 1
    strategy: str = "round_robin"
    weights: Sequence[float] = ()


def profile_plan(
    input_tokens: NDArray[np.int32],
    output_tokens: NDArray[np.int32],
    pace: Pace,
    *,
    seed: int,
    order: Order = "sequential",
    models: Choice | None = None,
    servers: Choice | None = None,
    workers: int = 1,
    source: str = "synthetic",
    recipe: str = "",
) -> Plan:
    """Compute which prepared request is sent when, and to which server. Pure: no clock is read.

    Args:
        input_tokens: Length of each prepared request's prompt.
        output_tokens: Requested output tokens of each prepared request, at least 1.
        pace: Timing of the requests.
        seed: Seed of all random choices in the plan.
        order: Order of the prepared requests. "sequential": cyclic; "shuffle": each cycle in another order;
            "random": each drawn independently.
        models, servers: Models and servers to choose from; None: there is one.
        workers: Number of workers, which limits the requests of a closed loop that ends by the clock.
        source: Source of the requests, for the manifest.
        recipe: Everything else that determines bodies; part of the digest.

    Raises:
        UserError: There would be no request, or too many.
    """
    draws = [
        np.random.default_rng([seed, part]) for part in range(5)
    ]  # one generator per purpose, so that one choice does not change another
    load = Load(
        slot_opens_ns=slot_openings(pace.concurrency, pace.ramp_ns, pace.ramp_steps),
        max_in_flight=pace.max_in_flight,
        max_prefilling=pace.max_prefilling,
        end_ns=0 if pace.duration_ns is None else pace.duration_ns + pace.warmup_ns,
        warmup_rows=pace.warmup_count,
        warmup_ns=pace.warmup_ns,
    )
    due_ns = _due_times(pace, workers, draws[0])
    n = len(due_ns)
    rows = _order(n, len(input_tokens), order, seed, draws[1])
    cancel = None
    if pace.cancel_share:
        cancel = np.where(draws[2].random(n) < pace.cancel_share, np.int64(pace.cancel_after_ns), np.int64(-1))
    model, server = (
        None if choice is None or choice.kinds == 1 else choose(n, choice.kinds, choice.strategy, choice.weights, draw)
        for choice, draw in ((models, draws[3]), (servers, draws[4]))
    )
    digest = hashlib.sha256(f"{recipe}\0{load.digest_words()}\0".encode())
    for column in (due_ns, rows, input_tokens, output_tokens, model, server, cancel):
        digest.update(b"" if column is None else column.tobytes())
    return Plan(
        trace=prepared_trace(input_tokens, output_tokens, source),
        due_ns=due_ns,
        input_tokens=input_tokens[rows],
        output_tokens=output_tokens[rows],
        digest=digest.hexdigest(),
        source=rows,
        load=load,
        server=server,
        model=model,
        cancel_after_ns=cancel,
    )


def prepared_trace(input_tokens: NDArray[np.int32], output_tokens: NDArray[np.int32], source: str) -> Trace:
    """Return prepared requests as a trace whose rows have no times."""
    n = len(input_tokens)
    known = {
        "arrival_ns": np.zeros(n, np.int64),
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "turn": np.zeros(n, np.int32),
        "source_row": np.arange(1, n + 1),
    }
    columns = [
        pa.array(known[field.name]) if field.name in known else pa.nulls(n, field.type) for field in TRACE_SCHEMA
    ]
    return Trace(pa.Table.from_arrays(columns, schema=TRACE_SCHEMA), format="prepared", source=source, digest="")


def _due_times(pace: Pace, workers: int, rng: np.random.Generator) -> NDArray[np.int64]:
    count = None if pace.count is None else pace.count + pace.warmup_count
    length_ns = None if pace.duration_ns is None else pace.duration_ns + pace.warmup_ns
    if pace.segments is not None:
        return arrivals(
            pace.segments, pace.process, rng, count=count, duration_ns=length_ns, burstiness=pace.burstiness
        )
    if length_ns is None:
        assert count is not None
        return np.zeros(count, np.int64)
    most = min(CLOSED_LOOP_ROWS, -(-length_ns * CLOSED_LOOP_RATE * workers // 10**9))
    if not most:
        raise UserError("a closed loop needs a --duration above 0")
    return np.zeros(most if count is None else min(count, most), np.int64)


def _order(n: int, prepared: int, order: Order, seed: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if order == "random":
        return rng.integers(prepared, size=n, dtype=np.int64)
    return in_turn(prepared, n, seed=seed if order == "shuffle" else None).astype(np.int64)
