"""Build a trace from a reader's columns: rows in order of arrival, times from 0, and notes for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..graph.fan_in import Edges, fan_in_column, remap_fan_in
from ..graph.sessions import check_parents, number_turns, remap_parents
from ..reading.field_checks import BadRows
from ..stats import quantisation
from ..table import TRACE_SCHEMA, Rounding, Trace, one_array
from .reorder import reordered

_CROWD = 5_000_000  # input tokens per second that no recorded service has taken
_LONELY_NS = 600 * 10**9  # mean time between requests that is longer than in any recorded service


def duration_text(ns: int) -> str:
    """Return a duration as people write it: 3 s, 10 ms, 100 ns."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if ns >= size:
            return f"{ns / size:,.6g} {unit}"
    return f"{ns} ns"


def rows_text(n: int) -> str:
    """Return a number of rows as text, as in ``1 row`` and ``12,031 rows``."""
    return "1 row" if n == 1 else f"{n:,} rows"


def build_trace(
    *,
    source: str,
    format: str,
    digest: str,
    arrival_ns: NDArray[np.int64],
    input_tokens: NDArray[Any],
    output_tokens: NDArray[Any],
    source_row: NDArray[np.int64],
    optional: dict[str, Any] | None = None,
    parent: NDArray[np.int64] | None = None,
    joins: Edges | None = None,
    block_tokens: int | None = None,
    block_rounding: Rounding = "ceil",
    notes: Sequence[str] = (),
    bad: BadRows | None = None,
) -> Trace:
    """Build a trace from the good rows of a file.

    Args:
        source: The file as the user named it.
        format: The reader's name.
        digest: SHA-256 of the file.
        arrival_ns: Arrivals on any clock, in the order of the file; at least one.
        input_tokens: Lengths, as checked by the reader.
        output_tokens: Output length of each request, in tokens.
        source_row: Record numbers.
        optional: Arrow arrays of nullable columns of TRACE_SCHEMA that the format has. They are taken out of
            it, so that they need not be held twice where rows are sorted.
        parent: For each row the index, in the order given here, of the row that it follows, -1 for none. None:
            each turn of a ``session_id`` follows the one that arrived before it.
        joins: Further rows that rows with a parent wait for, by index.
        block_tokens: See Trace.
        block_rounding: See Trace.
        notes: Notes of the reader; the general notes come after them.
        bad: The bad rows that were left out.

    Raises:
        TraceError: Rows wait for each other in a cycle.
    """
    texts = list(notes)
    columns: dict[str, Any] = {} if optional is None else optional
    columns |= {"input_tokens": input_tokens, "output_tokens": output_tokens, "source_row": source_row}
    rows = len(arrival_ns)
    order = np.arange(rows)
    late = int(np.count_nonzero(arrival_ns < np.maximum.accumulate(arrival_ns)))
    if late:
        order = np.argsort(arrival_ns, kind="stable")
        arrival_ns = arrival_ns[order]
        for name in list(columns):
            values = columns.pop(name)  # the old rows go as soon as they are in their new order
            columns[name] = values[order] if isinstance(values, np.ndarray) else reordered(values, order)
        texts.append(f"{rows_text(late)} out of order {'was' if late == 1 else 'were'} sorted by arrival")
    if "block_ids" in columns:
        columns["block_ids"] = one_array(columns["block_ids"])
    origin_ns = int(arrival_ns[0])
    arrival_ns = arrival_ns - origin_ns
    columns["arrival_ns"] = arrival_ns
    turn, before = number_turns(columns.get("session_id"), rows)
    columns["turn"] = turn
    if parent is None:
        columns["parent"] = pa.array(before, pa.int64(), mask=before < 0)
    else:
        columns["parent"] = remap_parents(pa.array(parent, pa.int64(), mask=parent < 0), order)
    if joins:
        columns["also_after"] = remap_fan_in(fan_in_column(joins, rows), columns["parent"], order)
    texts += observations(columns["arrival_ns"], columns["input_tokens"], columns["output_tokens"])
    arrays = [_column(columns.get(field.name), field, rows) for field in TRACE_SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=TRACE_SCHEMA)
    check_parents(source, table)
    return Trace(
        table=table,
        format=format,
        source=source,
        digest=digest,
        block_tokens=block_tokens,
        block_rounding=block_rounding,
        notes=tuple(texts),
        skipped_rows=0 if bad is None else bad.count + bad.torn,
        bad_rows=() if bad is None else tuple(map(str, bad.errors)),
        origin_ns=origin_ns,
    )


def _column(values: Any, field: Any, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, field.type)
    if isinstance(values, np.ndarray):
        return pa.array(values.astype(field.type.to_pandas_dtype(), copy=False))
    return values


def observations(arrival_ns: NDArray[np.int64], input_tokens: NDArray[Any], output_tokens: NDArray[Any]) -> list[str]:
    """Return what a user should know of a trace's times and lengths, one sentence each."""
    texts = []
    grid = quantisation(arrival_ns)
    if grid is not None:
        texts.append(
            f"timestamps are quantised to {duration_text(grid.quantum_ns)}: {grid.distinct:,} distinct among "
            f"{grid.rows:,} rows, up to {grid.most_at_once:,} at once; replayed as recorded, "
            "they arrive in bursts that the original traffic did not have"
        )
    texts += _unit_doubts(arrival_ns, input_tokens)
    for values, one, more in ((input_tokens, "has", "have"), (output_tokens, "asks for", "ask for")):
        zeros = int(np.count_nonzero(values == 0))
        if zeros:
            kind = "input" if values is input_tokens else "output"
            texts.append(f"{rows_text(zeros)} {one if zeros == 1 else more} 0 {kind} tokens")
    return texts


def _unit_doubts(arrival_ns: NDArray[np.int64], input_tokens: NDArray[Any]) -> list[str]:
    """Return a note on timestamps whose unit is probably not the unit of the format."""
    rows, span_ns = len(arrival_ns), int(arrival_ns[-1])
    if rows < 100 or not span_ns:
        return []
    rate = int(input_tokens.sum()) * 10**9 // span_ns
    if rate > _CROWD:
        return [
            f"all {rows:,} requests come within {duration_text(span_ns)}, {rate / 1e6:,.0f} million input tokens "
            "each second; if the timestamps are in a longer unit than this format's, name it with --map"
        ]
    if span_ns // rows > _LONELY_NS:
        return [
            f"{rows:,} requests take {duration_text(span_ns)}, {duration_text(span_ns // rows)} each; "
            "if the timestamps are in a shorter unit than this format's, name it with --map"
        ]
    return []
