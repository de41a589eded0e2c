"""The graph of a trace's sessions: which row follows which, through every change of order, and proof that it is one.

``parent`` is the row index, in the same table, of the request that a row follows; null for one that follows none.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import TraceError
from .fan_in import Edges, join_edges


def remap_parents(parent: Any, old_rows: NDArray[np.int64]) -> Any:
    """The ``parent`` column of a table that is made of some rows of another, in any order.

    Args:
        parent: The old table's whole ``parent`` column: int64, null for a row that follows none.
        old_rows: For each row of the new table, its index in the old one; none of them twice. To replicate rows,
            call it once for each replica and add that replica's first row to the result.

    Returns:
        int64 array, one entry per new row: the new index of its parent; null where it had none, and where the
        parent is not among the rows taken, so that the row starts on its own.
    """
    old = old_parents(parent)
    new_of_old = np.full(len(old), -1, np.int64)
    new_of_old[old_rows] = np.arange(len(old_rows), dtype=np.int64)
    taken = old[old_rows]
    moved = np.where(taken < 0, -1, new_of_old[taken])
    return pa.array(moved, pa.int64(), mask=moved < 0)


def old_parents(parent: Any) -> NDArray[np.int64]:
    """A ``parent`` column as int64 numbers, -1 for null."""
    column = parent.combine_chunks() if isinstance(parent, pa.ChunkedArray) else parent
    if not len(column):
        return np.zeros(0, np.int64)
    values: NDArray[np.int64] = column.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return values


def number_turns(session: Any, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The turns of each session, counted in the order of the rows.

    Args:
        session: Arrow strings, null for a request without a session; None where there are no sessions.
        rows: How many there are.

    Returns:
        Each row's 0-based turn, and the index of its session's row before it, -1 for none. A row without a
        session is a turn 0 of its own.
    """
    turn, before = np.zeros(rows, np.int64), np.full(rows, -1, np.int64)
    if session is None:
        return turn, before
    codes = session_codes(session)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    same = np.zeros(rows, np.bool_)
    same[1:] = (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)
    position = np.arange(rows)
    turn[order] = position - np.maximum.accumulate(np.where(same, 0, position))
    before[order[1:]] = np.where(same[1:], order[:-1], -1)
    return turn, before


def session_codes(session: Any) -> NDArray[np.int64]:
    """A small number for each different session, -1 for null."""
    column = session.combine_chunks() if isinstance(session, pa.ChunkedArray) else session
    codes: NDArray[np.int64] = (
        column.dictionary_encode().indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    return codes


def follow_ended(
    session: NDArray[np.int64], start_ns: NDArray[np.int64], end_ns: NDArray[np.int64], slack_ns: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what each request followed when ends were recorded: the last one of its session that had ended by then.

    Turns that ran beside each other thus stay beside each other.

    Args:
        session: A number for each session, -1 for none.
        start_ns: When each arrived.
        end_ns: When each had been answered; -1 where that was not recorded, which counts as at once.
        slack_ns: How much an end may lie after a start and still count, where the clock was coarse.

    Returns:
        Row indices, -1 for none, and the time from that row's end to this one's start, never below 0, -1 where
        there is no such row or its end is unknown.
    """
    parent, think = np.full(len(session), -1, np.int64), np.full(len(session), -1, np.int64)
    sessions, starts, ends = session.tolist(), start_ns.tolist(), end_ns.tolist()
    running: list[tuple[int, int]] = []  # (end, place among the session's rows)
    rows: list[int] = []
    latest, current = -1, -1
    for row in np.lexsort((start_ns, session)).tolist():
        if sessions[row] < 0:
            continue
        if sessions[row] != current:
            running, rows, latest, current = [], [], -1, sessions[row]
        while running and running[0][0] <= starts[row] + slack_ns:
            latest = max(latest, heappop(running)[1])
        if latest >= 0:
            parent[row] = before = rows[latest]
            if ends[before] >= 0:
                think[row] = max(0, starts[row] - ends[before])
        heappush(running, (ends[row] if ends[row] >= 0 else starts[row], len(rows)))
        rows.append(row)
    return parent, think


def follow_streams(
    stream: NDArray[np.int64],
    launched_by: NDArray[np.int64],
    start_ns: NDArray[np.int64],
    end_ns: NDArray[np.int64],
    think_ns: NDArray[np.int64],
    slack_ns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what each request followed where agents launch others, which run beside them.

    A row follows the last one of its stream that had ended when it began; a stream's first row likewise in the
    stream that launched it. Rows without a known end are followed by none.

    Args:
        stream: A number for each agent's stream of requests.
        launched_by: For the first row of a launched stream the stream that launched it, else -1.
        start_ns: On one clock within a session.
        end_ns: -1: not recorded.
        think_ns: As recorded, -1: not recorded. Used unless it contradicts start and end by more than slack.
        slack_ns: How coarse the starts are.

    Returns:
        As follow_ended does.
    """
    never = np.iinfo(np.int64).max
    known = np.where(end_ns < 0, never, end_ns)
    first = launched_by >= 0
    parent, gap = follow_ended(stream, start_ns, known, slack_ns)
    launcher, pause = follow_ended(
        np.where(first, launched_by, stream), start_ns, np.where(first, never, known), slack_ns
    )
    parent, gap = np.where(first, launcher, parent), np.where(first, pause, gap)
    recorded = (think_ns >= 0) & (gap >= 0) & (np.abs(think_ns - gap) <= 2 * slack_ns)
    return parent, np.where(recorded, think_ns, gap)


def check_parents(source: str, table: pa.Table) -> None:
    """Make sure that following parents, and all else that rows wait for, always ends at a row without a parent.

    Args:
        source: The file as the user named it.
        table: With ``parent``, ``also_after``, ``session_id``, and ``source_row``.

    Raises:
        TraceError: A parent is no row of the table, a row without one waits for others, or rows follow each other in a
            circle; it names the session.
    """
    column = table["parent"]
    edges = join_edges(table["also_after"])
    if column.null_count == len(column) and not edges:
        return
    parents = old_parents(column)
    rows = np.arange(len(parents))
    given = np.asarray(column.combine_chunks().is_valid().to_numpy(zero_copy_only=False), np.bool_)
    outside = given & ((parents < 0) | (parents >= len(parents)))
    if outside.any():
        row = int(np.argmax(outside))
        problem = f"follows row {int(parents[row]) + 1:,} of a trace of {len(parents):,}; {_session(table, row)}"
        raise TraceError(source, problem, row=_record(table, row), field="parent")
    _check_joins(source, table, edges, parents)
    if (parents < rows).all() and (edges.after < edges.rows).all():
        return
    ends = parents  # each row's ancestor, twice as far away in every round
    for _ in range(len(parents).bit_length()):
        ends = np.where(ends < 0, -1, ends[ends])
    if (ends >= 0).any():
        row = int(ends[np.argmax(ends >= 0)])  # so far up that it lies on the circle itself
        problem = f"follows itself, through the rows it follows; {_session(table, row)} has a cycle"
        raise TraceError(source, problem, row=_record(table, row), field="parent")
    if edges:
        _check_circles(source, table, edges, parents)


def _check_joins(source: str, table: pa.Table, edges: Edges, parents: NDArray[np.int64]) -> None:
    outside = (edges.after < 0) | (edges.after >= len(parents))
    for wrong, problem in (
        (outside, "waits for a row that the trace does not have"),
        (parents[edges.rows] < 0, "waits for further rows, and follows none; the one that ended last is its parent"),
    ):
        if wrong.any():
            row = int(edges.rows[np.argmax(wrong)])
            raise TraceError(source, f"{problem}; {_session(table, row)}", row=_record(table, row), field="also_after")


def _check_circles(source: str, table: pa.Table, edges: Edges, parents: NDArray[np.int64]) -> None:
    """Take away rows that wait for nobody who is left, until none is left, or only such as wait for each other."""
    child = np.flatnonzero(parents >= 0)
    rows, after = np.concatenate([child, edges.rows]), np.concatenate([parents[child], edges.after])
    order = np.argsort(after, kind="stable")
    first = np.searchsorted(after[order], np.arange(len(parents) + 1)).tolist()
    followers = rows[order].tolist()
    waits = np.bincount(rows, minlength=len(parents)).tolist()
    free = [row for row, count in enumerate(waits) if not count]
    for row in free:  # it grows on the way
        for follower in followers[first[row] : first[row + 1]]:
            waits[follower] -= 1
            if not waits[follower]:
                free.append(follower)
    if len(free) < len(parents):
        row = next(row for row, count in enumerate(waits) if count)
        problem = f"waits for itself, through the rows it waits for; {_session(table, row)} has a cycle"
        raise TraceError(source, problem, row=_record(table, row), field="also_after")


def _session(table: pa.Table, row: int) -> str:
    name = table["session_id"][row].as_py()
    return "a request without a session" if name is None else f"session {str(name)[:80]!r}"


def _record(table: pa.Table, row: int) -> int:
    return int(table["source_row"][row].as_py())


def moved_parents(parent: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row indices of parents, -1 for none, after the rows were put in another order."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    taken = parent[order]
    return np.where(taken < 0, -1, place[taken])
