"""Sharing a plan among workers, so that N of them send what one would."""

import numpy as np
from numpy.typing import NDArray

from .plan import Plan


def shards(plan: Plan, workers: int) -> list[NDArray[np.int64]]:
    """The plan's rows that each worker sends, ascending.

    Rows go round in turn: a burst is spread over all workers, and each one's part is as dense as the others'. A row
    that follows another goes where that one went. Together the shards hold every row once, with its due time unchanged.
    """
    rows = np.arange(len(plan), dtype=np.int64)
    if plan.parent is None:
        return [rows[worker::workers] for worker in range(workers)]
    root = rows.copy()
    for row in np.flatnonzero(plan.parent >= 0).tolist():  # a parent stands above its row: its root is known
        root[row] = root[plan.parent[row]]
    turn = np.cumsum(plan.parent < 0) - 1
    return [rows[turn[root] % workers == worker] for worker in range(workers)]


def shard_links(plan: Plan, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Parents, as places within the shard, and think times of a shard's rows; for a plan that has them."""
    assert plan.parent is not None and plan.think_ns is not None
    parent = plan.parent[rows]
    return np.where(parent < 0, -1, np.searchsorted(rows, parent)), np.ascontiguousarray(plan.think_ns[rows])
