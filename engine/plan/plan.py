"""The plan: requests and their due times, computed before the start."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...traces.graph.fan_in import Edges, join_edges
from ...traces.graph.sessions import old_parents
from ...traces.table import Trace
from ...traces.transform import limit, speed, window
from ..errors import UserError
from .load_control import Load

Sessions = Literal["open", "closed", "hybrid"]
Think = Literal["recorded", "none"] | int


@dataclass(frozen=True)
class Plan:
    """Requests in send order. Row i of the plan is request i of the tape.

    Attributes:
        trace: The recorded requests, already cut and scaled.
        due_ns: Due time of each request, in ns after the run's start; int64, ascending.
        input_tokens: Planned length of each prompt.
        output_tokens: Requested output tokens, at least 1.
        digest: SHA-256 in hex of the plan, and of the options and the seed that determine bodies.
        notes: Notes for the user, one sentence each.
    """

    trace: Trace
    due_ns: NDArray[np.int64]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    digest: str
    notes: tuple[str, ...] = ()
    parent: NDArray[np.int64] | None = None
    """The row that each row follows, or -1; None: all rows have their own times."""
    think_ns: NDArray[np.int64] | None = None
    """Time from the end of that row, or of the last row that this one waits for, to this row's due time."""
    also: Edges | None = None
    """Further earlier rows that rows with a parent wait for, sorted by the rows that are waited for."""
    floors: bool = False
    """Whether a request that follows another also waits for its own recorded time."""
    source: NDArray[np.int64] | None = None
    """The trace's row of each row, if rows are sent several times; None: row i of the trace is row i of the plan."""
    load: Load = field(default_factory=Load)
    """Limits of the run in addition to due times."""
    server: NDArray[np.int16] | None = None
    """Index of each row's server; None: there is one server."""
    model: NDArray[np.int16] | None = None
    """Index of each row's model; None: there is one model."""
    cancel_after_ns: NDArray[np.int64] | None = None
    """Time after its send at which each row is cancelled, -1: never; None: no row is cancelled."""

    def __len__(self) -> int:
        return len(self.due_ns)

    def trace_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the trace for rows of the plan."""
        return rows if self.source is None else self.source[rows]

    def phases(self, rows: NDArray[np.int64], scheduled_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each row whether it belongs to the main phase or to the warm-up.

        Args:
            rows: Rows of the plan.
            scheduled_ns: Their due times since the start.
        """
        return (rows >= self.load.warmup_rows) & (scheduled_ns >= self.load.warmup_ns)

    @property
    def span_ns(self) -> int:
        """Time from the start to the last due time, in ns."""
        return int(self.due_ns[-1]) if len(self) else 0


def make_plan(
    trace: Trace,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    limit_rows: int | None = None,
    speed_factor: str | float = 1,
    sessions: Sessions = "open",
    think: Think = "recorded",
    recipe: str = "",
) -> Plan:
    """Cut and scale a trace and compute each request's due time. Pure: no clock is read.

    Args:
        trace: A trace as read from a file.
        start_ns: Start of the window, which becomes time 0; earlier requests are dropped.
        end_ns: End of the window; requests at this time or later are dropped.
        limit_rows: Largest number of rows to keep, from the start of the window.
        speed_factor: Divisor of all times.
        sessions: "open": every request is sent at its recorded time. "closed": a later turn is sent a think time
            after the end of the turn before it. "hybrid": at the later of these two times.
        think: "recorded", "none", or a think time in ns for all turns.
        recipe: Everything besides the trace that determines bodies (endpoint, seed, …); part of the digest.

    Raises:
        TraceError: The speed is not above 0, or no request is left.
    """
    cut = trace
    if start_ns is not None or end_ns is not None:
        cut = window(cut, start_ns or 0, end_ns)
    if limit_rows is not None:
        cut = limit(cut, limit_rows)
    if speed_factor != 1:
        cut = speed(cut, speed_factor)
    due_ns = np.ascontiguousarray(cut.table["arrival_ns"].to_numpy(), dtype=np.int64)
    input_tokens = cut.table["input_tokens"].to_numpy().astype(np.int32)
    recorded = cut.table["output_tokens"].to_numpy().astype(np.int32)
    output_tokens = np.maximum(recorded, 1)
    silent = int((recorded < 1).sum())
    bodies = cut.table["body"].null_count < len(cut)
    unless = " unless their recorded bodies set another limit" if bodies else ""
    notes = (f"{silent:,} rows have 0 recorded output tokens; 1 is requested{unless}",) if silent else ()
    parent, think_ns, session_notes = _links(cut, sessions, think)
    also, join_notes = (None, ()) if parent is None else _joins(cut, parent)
    digest = hashlib.sha256(f"{trace.digest}\0{cut.transforms}\0{recipe}\0".encode())
    links = () if parent is None or think_ns is None else (parent, think_ns)
    for column in (due_ns, input_tokens, output_tokens, *links, *(also or ())):
        digest.update(column.tobytes())
    return Plan(
        trace=replace(cut, notes=()),
        due_ns=due_ns,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        digest=digest.hexdigest(),
        notes=trace.notes + notes + session_notes + join_notes,
        parent=parent,
        think_ns=think_ns,
        also=also,
        floors=sessions == "hybrid",
    )


def _links(
    trace: Trace, sessions: Sessions, think: Think
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None, tuple[str, ...]]:
    """Return each row's parent and think time, and notes for the user."""
    if sessions == "open":
        return None, None, ()
    parent = old_parents(trace.table["parent"])
    early = parent >= np.arange(len(parent))
    parent = np.where(early, -1, parent)
    follows = parent >= 0
    if not follows.any():
        raise UserError(f"{trace.source}: no request follows another, so there are no sessions; use --sessions open")
    notes = []
    if early.any():
        notes.append(f"{int(early.sum()):,} rows arrive before the row they follow; they are sent at their own times")
    if think == "recorded":
        recorded = trace.table["think_ns"]
        missing = follows & recorded.is_null().to_numpy()
        if missing.any():
            notes.append(f"{int(missing.sum()):,} turns have no recorded think time; they are sent at once")
        think_ns = recorded.fill_null(0).to_numpy().astype(np.int64)
    else:
        think_ns = np.full(len(parent), 0 if think == "none" else think, np.int64)
    return parent, np.where(follows, np.maximum(think_ns, 0), 0), tuple(notes)


def _joins(trace: Trace, parent: NDArray[np.int64]) -> tuple[Edges | None, tuple[str, ...]]:
    """Return the rows that rows wait for besides their parents, and notes for the user."""
    edges = join_edges(trace.table["also_after"])
    edges = edges.only(parent[edges.rows] >= 0)
    above = edges.after < edges.rows
    early = len(np.unique(edges.rows[~above]))
    edges = edges.only(above)
    notes = (f"{early:,} rows arrive before a row that they wait for; they do not wait for it",) if early else ()
    order = np.argsort(edges.after, kind="stable")
    return (Edges(edges.rows[order], edges.after[order]) if edges else None), notes


def peak_rows(plan: Plan, within_ns: int = 10**9) -> int:
    """Return the largest number of requests that are due within any period of ``within_ns``."""
    ends = np.searchsorted(plan.due_ns, plan.due_ns + within_ns, side="left")
    return int((ends - np.arange(len(plan))).max()) if len(plan) else 0
