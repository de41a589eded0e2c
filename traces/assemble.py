"""From a reader's columns to a trace: rows in order of arrival, times from 0, and what a user should know."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .stats import quantisation
from .table import TRACE_SCHEMA, Rounding, Trace

INT32_MAX = 2**31 - 1


def duration_text(ns: int) -> str:
    """A duration as people write it: 3 s, 10 ms, 100 ns."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if ns >= size:
            return f"{ns / size:,.6g} {unit}"
    return f"{ns} ns"


def rows_text(n: int) -> str:
    """A number of rows, as in ``1 row`` and ``12,031 rows``."""
    return "1 row" if n == 1 else f"{n:,} rows"


def block_lists(ids: Sequence[Sequence[int] | None]) -> tuple[Any, bool]:
    """Block ids as list<int32>, null where a row has none.

    Args:
        ids: One list per row.

    Returns:
        The array, and whether ids had to be numbered anew, densely in order of appearance, because one was
        negative or beyond int32.
    """
    lengths = np.fromiter((0 if row is None else len(row) for row in ids), np.int64, len(ids))
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] > INT32_MAX:
        raise AssertionError(f"{offsets[-1]} block ids do not fit one list array")
    rows = [row or () for row in ids]
    total = int(offsets[-1])
    remapped = False
    try:
        flat = np.fromiter(chain.from_iterable(rows), np.int64, total)
        remapped = bool(total) and (int(flat.min()) < 0 or int(flat.max()) > INT32_MAX)
    except OverflowError:
        remapped = True
    if remapped:
        dense: dict[int, int] = {}
        renumbered = (dense.setdefault(block, len(dense)) for block in chain.from_iterable(rows))
        flat = np.fromiter(renumbered, np.int64, total)
    missing = np.fromiter((row is None for row in ids), np.bool_, len(ids))
    arrays: Any = (pa.array(offsets.astype(np.int32)), pa.array(flat.astype(np.int32)))
    mask: Any = pa.array(missing) if missing.any() else None
    return pa.ListArray.from_arrays(*arrays, mask=mask), remapped


def assemble(
    *,
    source: str,
    format: str,
    digest: str,
    arrival_ns: NDArray[np.int64],
    input_tokens: NDArray[Any],
    output_tokens: NDArray[Any],
    source_row: NDArray[np.int64],
    optional: dict[str, Any] | None = None,
    turns: bool = False,
    block_tokens: int | None = None,
    block_rounding: Rounding = "ceil",
    notes: Sequence[str] = (),
    skipped_rows: int = 0,
) -> Trace:
    """Build a trace from the good rows of a file.

    Args:
        source: The file as the user named it.
        format: The reader's name.
        digest: SHA-256 of the file.
        arrival_ns: Arrivals on any clock, in the order of the file; at least one.
        input_tokens: Lengths, as checked by the reader.
        output_tokens: Likewise.
        source_row: Record numbers.
        optional: Arrow arrays of nullable columns of TRACE_SCHEMA that the format has.
        turns: Number the turns of each ``session_id`` in order of arrival, each following the one before it.
        block_tokens: See Trace.
        block_rounding: See Trace.
        notes: What the reader has to say; the general notes come after them.
        skipped_rows: Bad rows left out.
    """
    said = list(notes)
    columns: dict[str, Any] = dict(optional or {})
    columns |= {"input_tokens": input_tokens, "output_tokens": output_tokens, "source_row": source_row}
    late = int(np.count_nonzero(arrival_ns < np.maximum.accumulate(arrival_ns)))
    if late:
        order = np.argsort(arrival_ns, kind="stable")
        arrival_ns = arrival_ns[order]
        taken: Any = pa.array(order)
        columns = {
            name: values.take(taken) if isinstance(values, (pa.Array, pa.ChunkedArray)) else values[order]
            for name, values in columns.items()
        }
        said.append(f"{rows_text(late)} out of order {'was' if late == 1 else 'were'} sorted by arrival")
    columns["arrival_ns"] = arrival_ns - arrival_ns[0]
    rows = len(arrival_ns)
    if turns:
        columns |= _turns(columns["session_id"].to_pylist())
    else:
        columns["turn"] = np.zeros(rows, np.int32)
    said += observations(columns["arrival_ns"], columns["input_tokens"], columns["output_tokens"])
    arrays = [_column(columns.get(field.name), field, rows) for field in TRACE_SCHEMA]
    return Trace(
        table=pa.Table.from_arrays(arrays, schema=TRACE_SCHEMA),
        format=format,
        source=source,
        digest=digest,
        block_tokens=block_tokens,
        block_rounding=block_rounding,
        notes=tuple(said),
        skipped_rows=skipped_rows,
    )


def _column(values: Any, field: Any, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, field.type)
    if isinstance(values, np.ndarray):
        return pa.array(values.astype(field.type.to_pandas_dtype(), copy=False))
    return values


def _turns(sessions: list[str | None]) -> dict[str, Any]:
    """Turn and parent of each row, in order of arrival; a row without a session is a turn 0 of its own."""
    turn: list[int] = []
    seen: dict[str, int] = {}
    for session in sessions:
        if session is None:
            turn.append(0)
        else:
            turn.append(seen.get(session, 0))
            seen[session] = turn[-1] + 1
    parents = [number - 1 if number else None for number in turn]
    return {"turn": pa.array(turn, pa.int32()), "parent": pa.array(parents, pa.int32())}


def observations(arrival_ns: NDArray[np.int64], input_tokens: NDArray[Any], output_tokens: NDArray[Any]) -> list[str]:
    """What a user should know of a trace's times and lengths, one sentence each."""
    said = []
    grid = quantisation(arrival_ns)
    if grid is not None:
        said.append(
            f"timestamps are quantised to {duration_text(grid.quantum_ns)}: {grid.distinct:,} distinct among "
            f"{grid.rows:,} rows, up to {grid.most_at_once:,} at once; replayed as recorded, "
            "they arrive in bursts that the original traffic did not have"
        )
    for values, one, more in ((input_tokens, "has", "have"), (output_tokens, "asks for", "ask for")):
        zeros = int(np.count_nonzero(values == 0))
        if zeros:
            kind = "input" if values is input_tokens else "output"
            said.append(f"{rows_text(zeros)} {one if zeros == 1 else more} 0 {kind} tokens")
    return said
