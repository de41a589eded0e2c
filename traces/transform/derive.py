"""Steps that all transformations share: take rows with their parents, set a column, and add to the history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.trace_builder import observations
from ..graph.fan_in import remap_fan_in
from ..graph.sessions import remap_parents
from ..table import TRACE_SCHEMA, Trace, table_digest

INT64_MAX = 2**63 - 1


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """The table with other values in one column."""
    field = TRACE_SCHEMA.field(name)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


def take_rows(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Some rows in any order, none of them twice; parents follow, and are null where they are left out."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        taken = table.slice(int(rows[0]), len(rows))
    else:
        taken = table.take(pa.array(rows))
    parent = remap_parents(table["parent"], rows)
    taken = with_column(taken, "also_after", remap_fan_in(table["also_after"], parent, rows))
    return with_column(taken, "parent", parent)


def sorted_rows(table: pa.Table) -> pa.Table:
    """The rows in order of arrival; those of one arrival as they were."""
    arrival = table["arrival_ns"].to_numpy()
    if (np.diff(arrival) >= 0).all():
        return table
    return take_rows(table, np.argsort(arrival, kind="stable"))


def derived(trace: Trace, table: pa.Table, what: str, notes: tuple[str, ...] | None = None) -> Trace:
    """The trace made from another, with its own digest, one more entry in its history, and notes that hold of it.

    Args:
        trace: What it was made from.
        table: The new rows, at least one.
        what: The function's name and arguments, as in ``thin(0.5, seed=7)``.
        notes: What a user should know besides what the rows show; None: the other trace's.
    """
    stale = _observed(trace.table) if len(trace) else []
    kept = tuple(note for note in (trace.notes if notes is None else notes) if note not in stale)
    return replace(
        trace,
        table=table,
        digest=table_digest(table),
        notes=kept + tuple(note for note in _observed(table) if note not in kept),
        transforms=(*trace.transforms, what),
    )


def _observed(table: pa.Table) -> list[str]:
    return observations(*(table[name].to_numpy() for name in ("arrival_ns", "input_tokens", "output_tokens")))
