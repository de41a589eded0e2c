"""Check that a trace can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .assembly.block_ids import due_blocks, wrong_count
from .assembly.trace_builder import rows_text
from .errors import TraceError
from .graph.fan_in import join_edges
from .graph.sessions import check_parents, old_parents
from .reading.field_checks import NAMED_ROWS
from .table import Trace, one_array


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        rows: Requests that can be read.
        format: The format's name; None if it could not be found out.
        problems: What is wrong, one sentence each.
        notes: What a user should know of a trace that is right.
    """

    rows: int
    format: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def validate(path: str | Path, *, format: str | None = None, mapping: str | None = None) -> Findings:
    """Read a trace and check it; rows that cannot be read are problems, and the others are checked all the same."""
    from .detect import read_trace

    try:
        trace = read_trace(path, format=format, mapping=mapping)
    except TraceError as error:
        first = str(error)
    else:
        return Findings(len(trace), trace.format, tuple(problems_of(trace)), trace.notes)
    try:
        trace = read_trace(path, format=format, mapping=mapping, skip_bad_rows=True)
    except TraceError as error:
        if not error.rows:
            return Findings(0, None, (first,), ())
        return Findings(0, None, (*map(str, error.rows), f"{path}: none of its rows can be read"), ())
    named = trace.bad_rows if first in trace.bad_rows else (first, *trace.bad_rows)
    more = trace.skipped_rows - len(trace.bad_rows)
    rows = f"{rows_text(trace.skipped_rows)} cannot be read{f', {more:,} of them not listed' if more else ''}"
    summary = (f"{rows}; --skip-bad-rows would leave them out",) if trace.skipped_rows > 1 else ()
    return Findings(len(trace), trace.format, (*named, *summary, *problems_of(trace)), trace.notes)


def problems_of(trace: Trace) -> list[str]:
    """Return the errors of a trace's rows: order, parents, think times, numbers of block ids.

    Of each kind the first NAMED_ROWS rows are named, and the others counted.
    """
    table = trace.table
    arrival = table["arrival_ns"].to_numpy()
    late = np.flatnonzero(np.diff(arrival, prepend=arrival[:1]) < 0)
    found = _said(
        trace,
        late,
        "arrival_ns",
        lambda row: f"{arrival[row]:,} ns lies before the row above, {arrival[row - 1]:,} ns; rows belong in order",
    )
    think = table["think_ns"].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False)
    found += _said(
        trace,
        np.flatnonzero(think < 0),
        "think_ns",
        lambda row: f"{think[row]:,} ns is negative; 0 or more belong there, or null",
    )
    try:
        check_parents(trace.source, table)
    except TraceError as error:
        found.append(str(error))
    else:
        parents = old_parents(table["parent"])
        early = np.flatnonzero((parents >= 0) & (arrival < arrival[parents]))
        found += _said(
            trace,
            early,
            "arrival_ns",
            lambda row: f"{arrival[row]:,} ns lies before the request it follows, {arrival[parents[row]]:,} ns",
        )
        edges = join_edges(table["also_after"])
        found += _said(
            trace,
            np.unique(edges.rows[arrival[edges.rows] < arrival[edges.after]]),
            "arrival_ns",
            lambda row: f"{arrival[row]:,} ns lies before another request that it waits for",
        )
    return found + _block_counts(trace)


def _block_counts(trace: Trace) -> list[str]:
    if trace.block_tokens is None:
        return []
    counts = one_array(trace.table["block_ids"]).value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    tokens = trace.table["input_tokens"].to_numpy().astype(np.int64)
    size, rounding = trace.block_tokens, trace.block_rounding
    wrong = np.flatnonzero((counts >= 0) & (counts != due_blocks(tokens, size, rounding)))
    return _said(trace, wrong, "block_ids", lambda row: wrong_count(int(counts[row]), int(tokens[row]), size, rounding))


def _said(trace: Trace, rows: NDArray[np.int64], field: str, problem: Callable[[int], str]) -> list[str]:
    """Return a message for each of the first rows, and one for the number of others."""
    records = trace.table["source_row"].take(pa.array(rows[:NAMED_ROWS])).to_pylist()
    messages = [
        str(TraceError(trace.source, problem(row), row=record, field=field))
        for row, record in zip(rows[:NAMED_ROWS].tolist(), records, strict=True)
    ]
    more = len(rows) - len(messages)
    return [*messages, *([f"{trace.source}: {rows_text(more)} more like these in {field!r}"] if more else [])]
