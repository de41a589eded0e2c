"""Statistics of a trace's sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..graph.fan_in import join_edges
from ..graph.sessions import old_parents, session_codes


@dataclass(frozen=True)
class SessionShape:
    """Statistics of sessions.

    Attributes:
        sessions: How many there are.
        single_requests: Rows that belong to none.
        turns_p50: The turns of the middle session (the lower of two).
        turns_max: The most turns.
        follow_ups: Rows that follow another row.
        think_p50_s: The middle recorded think time of all rows that have one, in seconds.
        think_max_s: The longest.
        overlaps: Rows that follow another row, and arrive no later than it or share its parent with a row before
            them: turns that ran beside each other.
        joins: Rows that wait for several others, and not for the one they follow alone.
        joins_max: The most that one of them waits for.
    """

    sessions: int
    single_requests: int
    turns_p50: int
    turns_max: int
    follow_ups: int
    think_p50_s: float | None
    think_max_s: float | None
    overlaps: int
    joins: int = 0
    joins_max: int = 0


def session_units(table: pa.Table) -> NDArray[np.int64]:
    """A number from 0 up for each row's session; a row without one is a session of its own."""
    units = session_codes(table["session_id"])
    alone = units < 0
    units = units.copy()
    units[alone] = int(units.max(initial=-1)) + 1 + np.arange(np.count_nonzero(alone))
    return units


def session_shape(table: pa.Table) -> SessionShape | None:
    """The statistics of a trace's sessions; None for a trace that records none."""
    names = table["session_id"].combine_chunks()
    if names.null_count == len(names):
        return None
    turns = np.sort(np.bincount(session_codes(names.drop_null())))
    think = table["think_ns"].combine_chunks().drop_null().to_numpy(zero_copy_only=False)
    parent = old_parents(table["parent"])
    rows = np.flatnonzero(parent >= 0)
    arrival = table["arrival_ns"].to_numpy()
    beside = arrival[rows] <= arrival[parent[rows]]
    _, first = np.unique(parent[rows], return_index=True)
    again = np.ones(len(rows), np.bool_)
    again[first] = False
    further = np.bincount(join_edges(table["also_after"]).rows, minlength=len(table))
    return SessionShape(
        sessions=len(turns),
        single_requests=names.null_count,
        turns_p50=int(turns[(len(turns) - 1) // 2]),
        turns_max=int(turns[-1]),
        follow_ups=len(rows),
        think_p50_s=float(np.median(think)) / 1e9 if len(think) else None,
        think_max_s=float(think.max()) / 1e9 if len(think) else None,
        overlaps=int(np.count_nonzero(beside | again)),
        joins=int(np.count_nonzero(further)),
        joins_max=1 + int(further.max()) if further.any() else 0,
    )
