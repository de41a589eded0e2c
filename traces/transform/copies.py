"""More rows: sessions replicated, a trace again and again, several traces as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import TraceError
from ..graph.fan_in import shifted_joins
from ..stats.session_shape import session_units
from ..table import TRACE_SCHEMA, Trace, one_array
from .derive import INT64_MAX, derived, sorted_rows, with_column

MOST_COPIES = 10_000
MOST_ROWS = 50_000_000
MOST_OFFSET_NS = 600 * 10**9
_INT32_MAX = 2**31 - 1


def multiply(trace: Trace, copies: int, *, seed: int = 0) -> Trace:
    """Copy every session this number of times within the same span: a higher rate by more users, not by faster ones.

    The first copy is the trace itself. Each other one has block ids and session names of its own, so that it
    shares no prefix with another, and begins by a seeded offset of up to 10 minutes later, so that the
    copies' bursts do not coincide while the trace's slow changes do. Sessions that would begin beyond the trace's
    end begin at its start instead; the times within a session stay as they are.

    Args:
        trace: The trace.
        copies: How many of each session, 1 to 10,000.
        seed: Decides the offsets.

    Raises:
        TraceError: The number is none of these, or the block ids of so many copies leave int32, or it would be over 50
            million rows.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise TraceError(trace.source, f"{copies:,} copies cannot be made; 1 to {MOST_COPIES:,} can")
    _check_rows(trace.source, copies * len(trace))
    around_ns = trace.span_ns + 1
    offsets = np.random.default_rng([seed, 3]).integers(1, min(MOST_OFFSET_NS, around_ns) + 1, copies - 1)
    arrival = trace.table["arrival_ns"].to_numpy()
    sessions = session_units(trace.table)
    _, first = np.unique(sessions, return_index=True)
    begin = arrival[first][sessions]
    parts = [trace.table]
    for number, offset in enumerate(offsets.tolist(), start=1):
        part = _fresh(trace, number, fresh_blocks=True)
        parts.append(with_column(part, "arrival_ns", arrival - begin + (begin + offset) % around_ns))
    table = sorted_rows(_stacked(trace.source, parts))
    return derived(trace, table, f"multiply({copies}, seed={seed})", _with_verbatim(trace))


def loop(trace: Trace, times: int, *, namespace: Literal["same", "new"] = "same") -> Trace:
    """Repeat the trace this number of times, one mean gap apart.

    Args:
        trace: The trace.
        times: How often, 1 to 10,000.
        namespace: "same": a server's cache may know the prompts from the round before. "new": each round has block
            ids of its own.

    Raises:
        TraceError: The number is none of these, the trace would last over 292 years, its block ids leave int32, or it
            would have over 50 million rows.
    """
    if not 1 <= times <= MOST_COPIES:
        raise TraceError(trace.source, f"a trace cannot be looped {times:,} times; 1 to {MOST_COPIES:,} can be")
    _check_rows(trace.source, times * len(trace))
    period = trace.span_ns + trace.span_ns // max(1, len(trace) - 1)
    if period * times > INT64_MAX:
        raise TraceError(trace.source, f"{times:,} rounds would last over 292 years")
    arrival = trace.table["arrival_ns"].to_numpy()
    parts = [trace.table]
    for number in range(1, times):
        part = _fresh(trace, number, fresh_blocks=namespace == "new")
        parts.append(with_column(part, "arrival_ns", arrival + number * period))
    table = sorted_rows(_stacked(trace.source, parts))
    notes = _with_verbatim(trace) if namespace == "new" else None
    return derived(trace, table, f"loop({times}, namespace={namespace})", notes)


def merge(traces: Sequence[Trace], *, namespace: Literal["same", "new"] = "new") -> Trace:
    """Several traces side by side, all from the same 0.

    Args:
        traces: At least one. Those with block ids must have blocks of one size.
        namespace: "new": block ids of different traces are different blocks. "same": equal ids are equal blocks, as
            in parts of one recording.

    Raises:
        TraceError: Block sizes differ, or block ids leave int32.
    """
    first, *others = traces
    sized = [trace for trace in traces if trace.block_tokens is not None]
    for trace in sized[1:]:
        if (trace.block_tokens, trace.block_rounding) != (sized[0].block_tokens, sized[0].block_rounding):
            raise TraceError(
                trace.source,
                f"has blocks of {trace.block_tokens} tokens rounded {_rounded(trace)}, and {sized[0].source} of "
                f"{sized[0].block_tokens} rounded {_rounded(sized[0])}; traces of one block size can be merged",
            )
    parts = [first.table]
    taken = _names(first.table)
    beyond = _next_block(first.table)
    for trace in others:
        part = trace.table
        if namespace == "new":
            part = _shifted(trace.source, part, beyond)
        beyond = max(beyond, _next_block(part))
        tag = 1
        while any(f"{name}~{tag}" in taken for name in _names(part)):
            tag += 1
        if taken & _names(part):
            part = _renamed(part, tag)
        taken |= _names(part)
        parts.append(part)
    base = replace(
        first,
        source=" + ".join(trace.source for trace in traces),
        format=first.format if len({trace.format for trace in traces}) == 1 else "merged",
        block_tokens=sized[0].block_tokens if sized else None,
        block_rounding=sized[0].block_rounding if sized else "ceil",
        skipped_rows=sum(trace.skipped_rows for trace in traces),
    )
    notes = tuple(dict.fromkeys(note for trace in traces for note in trace.notes))
    history = "; ".join(" ".join((trace.source, *trace.transforms)) for trace in others)
    table = sorted_rows(_stacked(base.source, parts))
    return derived(base, table, f"merge({history}, namespace={namespace})", notes)


def _check_rows(source: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise TraceError(source, f"would have {rows:,} requests; at most {MOST_ROWS:,} can be made")


def _with_verbatim(trace: Trace) -> tuple[str, ...]:
    """The notes, and a word on recorded prompts, which fresh block ids do not change."""
    if all(trace.table[name].null_count == len(trace) for name in ("body", "text", "token_ids")):
        return trace.notes
    said = (
        "recorded prompts are sent as they are: copies of a request share its prompt, and their block ids do not matter"
    )
    return tuple(dict.fromkeys((*trace.notes, said)))


def _rounded(trace: Trace) -> str:
    return "up" if trace.block_rounding == "ceil" else "down"


def _fresh(trace: Trace, number: int, *, fresh_blocks: bool) -> pa.Table:
    """A copy of the rows in sessions of their own, and, if wanted, with blocks of their own."""
    names = _names(trace.table)
    tag = number
    while any(f"{name}~{tag}" in names for name in names):
        tag += len(names) + MOST_COPIES
    table = _renamed(trace.table, tag) if names else trace.table
    return _shifted(trace.source, table, number * _next_block(trace.table)) if fresh_blocks else table


def _names(table: pa.Table) -> set[str]:
    return set(table["session_id"].combine_chunks().drop_null().unique().to_pylist())


def _renamed(table: pa.Table, tag: int) -> pa.Table:
    """Other names for all sessions."""
    coded = table["session_id"].combine_chunks().dictionary_encode()
    renamed = pa.array([f"{name}~{tag}" for name in coded.dictionary.to_pylist()], pa.string())
    return with_column(table, "session_id", renamed.take(coded.indices))


def _next_block(table: pa.Table) -> int:
    """One more than the greatest block id; 0 without any."""
    ids = one_array(table["block_ids"]).flatten()
    return int(ids.to_numpy(zero_copy_only=False).max()) + 1 if len(ids) else 0


def _shifted(source: str, table: pa.Table, by: int) -> pa.Table:
    """Block ids that are greater by a number."""
    lists: Any = one_array(table["block_ids"])
    if not by or lists.null_count == len(lists):
        return table
    ids: NDArray[np.int64] = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64) + by
    if len(ids) and int(ids.max()) > _INT32_MAX:
        raise TraceError(source, "needs more block ids of its own than int32 holds; make fewer copies")
    offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))])
    missing = lists.is_null() if lists.null_count else None
    arrays: Any = (pa.array(offsets.astype(np.int32)), pa.array(ids.astype(np.int32)))
    return with_column(table, "block_ids", pa.ListArray.from_arrays(*arrays, mask=missing))


def _stacked(source: str, parts: Sequence[pa.Table]) -> pa.Table:
    """Tables below each other; a row that another waits for counts from its own table's first."""
    if sum(len(one_array(part["block_ids"]).flatten()) for part in parts) > _INT32_MAX:
        raise TraceError(source, "would have more than 2,147,483,647 block ids; make fewer copies")
    below: list[pa.Table] = []
    first = 0
    for part in parts:
        parent = part["parent"].combine_chunks()
        missing = parent.is_null().to_numpy(zero_copy_only=False)
        moved = parent.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) + first
        part = with_column(part, "also_after", shifted_joins(part["also_after"], first))
        below.append(with_column(part, "parent", pa.array(moved, pa.int64(), mask=missing)))
        first += part.num_rows
    return pa.concat_tables(below).cast(TRACE_SCHEMA).combine_chunks()
