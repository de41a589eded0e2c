"""Whether a trace can be replayed as it stands, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import TraceError
from .sessions import check_parents, old_parents
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
    except TraceError:
        return Findings(0, None, (first,), ())
    bad = trace.skipped_rows
    more = (f"{bad:,} rows cannot be read; --skip-bad-rows would leave them out",) if bad > 1 else ()
    return Findings(len(trace), trace.format, (first, *more, *problems_of(trace)), trace.notes)


def problems_of(trace: Trace) -> list[str]:
    """What is wrong with the rows of a trace: order, parents, think times, numbers of block ids."""
    found = []
    table = trace.table
    arrival = table["arrival_ns"].to_numpy()
    late = np.flatnonzero(np.diff(arrival) < 0)
    if len(late):
        found.append(_said(trace, int(late[0]) + 1, len(late), "arrival_ns", "lies before the row above"))
    think = table["think_ns"].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False)
    negative = np.flatnonzero(think < 0)
    if len(negative):
        found.append(_said(trace, int(negative[0]), len(negative), "think_ns", "is negative"))
    try:
        check_parents(trace.source, table)
    except TraceError as error:
        found.append(str(error))
    else:
        parents = old_parents(table["parent"])
        early = np.flatnonzero((parents >= 0) & (arrival < arrival[parents]))
        if len(early):
            found.append(_said(trace, int(early[0]), len(early), "arrival_ns", "lies before the request it follows"))
    return found + _block_counts(trace)


def _block_counts(trace: Trace) -> list[str]:
    if trace.block_tokens is None:
        return []
    counts = one_array(trace.table["block_ids"]).value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    tokens = trace.table["input_tokens"].to_numpy().astype(np.int64)
    size = trace.block_tokens
    due = -(-tokens // size) if trace.block_rounding == "ceil" else tokens // size
    wrong = np.flatnonzero((counts >= 0) & (counts != due))
    if not len(wrong):
        return []
    row = int(wrong[0])
    rounded = "up" if trace.block_rounding == "ceil" else "down"
    problem = (
        f"has {counts[row]:,} for {tokens[row]:,} input tokens; blocks of {size} rounded {rounded} make {due[row]:,}"
    )
    return [_said(trace, row, len(wrong), "block_ids", problem)]


def _said(trace: Trace, row: int, rows: int, field: str, problem: str) -> str:
    record = int(trace.table["source_row"][row].as_py())
    more = f" (and {rows - 1:,} more rows)" if rows > 1 else ""
    return str(TraceError(trace.source, problem + more, row=record, field=field))
