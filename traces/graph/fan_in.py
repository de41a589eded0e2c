"""Fan-in: requests that wait for several others. Converts the ``also_after`` column to pairs and back.

A request that waited for several (a fan-in) has the last of them to end as its ``parent``, and the others in
``also_after``. Most traces have none of these, and nothing here looks at rows then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..table import TRACE_SCHEMA, one_array

_KIND = TRACE_SCHEMA.field("also_after").type


class Edges(NamedTuple):
    """Pairs of a request and one that it waits for, by row index; int64.

    Attributes:
        rows: Those that wait.
        after: Those that they wait for.
    """

    rows: NDArray[np.int64]
    after: NDArray[np.int64]

    def __bool__(self) -> bool:
        return len(self.rows) > 0

    def only(self, wanted: NDArray[np.bool_]) -> Edges:
        """Some of them."""
        return Edges(self.rows[wanted], self.after[wanted])


def join_edges(also_after: Any) -> Edges:
    """The edges of an ``also_after`` column, in the order of its rows."""
    if also_after.null_count == len(also_after):
        return Edges(np.zeros(0, np.int64), np.zeros(0, np.int64))
    lists = one_array(also_after)
    counts = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    after: NDArray[np.int64] = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    return Edges(np.repeat(np.arange(len(lists), dtype=np.int64), counts), after)


def fan_in_column(edges: Edges, rows: int) -> Any:
    """Return the ``also_after`` column of this number of rows; null for a row that waits for nothing more."""
    if not edges:
        return pa.nulls(rows, _KIND)
    order = np.argsort(edges.rows, kind="stable")
    counts = np.bincount(edges.rows, minlength=rows)
    offsets: Any = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(edges.after[order], pa.int64()), mask=pa.array(counts == 0))


def remap_fan_in(also_after: Any, parent: Any, old_rows: NDArray[np.int64]) -> Any:
    """The ``also_after`` column of a table that is made of some rows of another, in any order.

    Args:
        also_after: The old table's column.
        parent: The new table's ``parent``, as remap_parents makes it: a row that starts on its own waits for nobody.
        old_rows: For each row of the new table, its index in the old one; none of them twice.
    """
    edges = join_edges(also_after)
    if not edges:
        return pa.nulls(len(old_rows), _KIND)
    new_of_old = np.full(len(also_after), -1, np.int64)
    new_of_old[old_rows] = np.arange(len(old_rows), dtype=np.int64)
    moved = Edges(new_of_old[edges.rows], new_of_old[edges.after])
    moved = moved.only((moved.rows >= 0) & (moved.after >= 0))
    follows = np.asarray(parent.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    return fan_in_column(moved.only(follows[moved.rows]), len(old_rows))


def shifted_joins(also_after: Any, by: int) -> Any:
    """Return the column for rows that are moved down by this number, below those of other tables."""
    edges = join_edges(also_after)
    return fan_in_column(Edges(edges.rows, edges.after + by), len(also_after))
