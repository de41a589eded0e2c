"""Sharing a plan among workers, so that N workers together send what one would send."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...traces.graph.fan_in import Edges
from ..errors import UserError
from .load_control import Load, share
from .plan import Plan


@dataclass(frozen=True)
class Shard:
    """The part of a plan that one worker sends.

    Attributes:
        rows: Rows of the plan, ascending.
        server: Index of the server of all these rows.
        load: The worker's part of the run's slots and limits.
    """

    rows: NDArray[np.int64]
    server: int
    load: Load


def shards(plan: Plan, workers: int) -> list[Shard]:
    """Return the plan's parts, one for each worker.

    A worker has one server; with more servers than workers there is one worker per server. The rows of a server are
    dealt round-robin to its workers, so that a burst is spread over all and all parts have the same density. A row that
    waits for others goes to their worker. Together the shards hold every row once, with its due time unchanged.

    Raises:
        UserError: There are more workers than slots, or than the limit of requests in flight.
    """
    servers = 1 if plan.server is None else int(plan.server.max()) + 1
    places = [server % servers for server in range(max(workers, servers))]
    for cap in plan.load.caps:
        if cap < len(places):
            raise UserError(
                f"{len(places)} workers cannot share a limit of {cap} requests in flight; use fewer --workers"
            )
    parts: list[Shard] = []
    for number, server in enumerate(places):
        same = [other for other, at in enumerate(places) if at == server]
        rows = _rows_of(plan, server, same.index(number), len(same))
        parts.append(Shard(rows, server, _part_of(plan.load, number, len(places))))
    return parts


def _rows_of(plan: Plan, server: int, part: int, parts: int) -> NDArray[np.int64]:
    rows = np.arange(len(plan), dtype=np.int64) if plan.server is None else np.flatnonzero(plan.server == server)
    if plan.parent is None:
        return np.ascontiguousarray(rows[part::parts])
    root = np.arange(len(plan), dtype=np.int64)
    for row in np.flatnonzero(plan.parent >= 0).tolist():  # a parent precedes its row, so its root is known
        root[row] = root[plan.parent[row]]
    if plan.also is not None:
        root = _joined(root, plan.also)
    turn = np.cumsum(root == np.arange(len(plan))) - 1
    own: NDArray[np.int64] = rows[turn[root[rows]] % parts == part]
    return own


def _joined(root: NDArray[np.int64], also: Edges) -> NDArray[np.int64]:
    """Merge the roots of sessions that wait for each other into the first root."""
    first = np.arange(len(root), dtype=np.int64)
    across = np.unique(np.stack([root[also.rows], root[also.after]]), axis=1)
    for pair in across[:, across[0] != across[1]].T.tolist():
        one, other = sorted(_first(first, row) for row in pair)
        first[other] = one
    for row in np.flatnonzero(
        first != np.arange(len(root))
    ).tolist():  # in order, so that earlier ones already point to the first
        first[row] = first[first[row]]
    return first[root]


def _first(first: NDArray[np.int64], row: int) -> int:
    while first[row] != row:
        first[row] = first[first[row]]
        row = int(first[row])
    return row


def _part_of(load: Load, part: int, parts: int) -> Load:
    """Deal the slots round-robin too, so that a ramp rises on all workers."""
    return replace(
        load,
        slot_opens_ns=np.ascontiguousarray(load.slot_opens_ns[part::parts]),
        max_in_flight=share(load.max_in_flight, part, parts),
        max_prefilling=share(load.max_prefilling, part, parts),
    )


def shard_fan_in(plan: Plan, rows: NDArray[np.int64]) -> Edges | None:
    """Return the rows that a shard's rows wait for besides their parents, as indices in the shard, or None."""
    mine = None if plan.also is None else plan.also.only(np.isin(plan.also.rows, rows))
    return Edges(np.searchsorted(rows, mine.rows), np.searchsorted(rows, mine.after)) if mine else None


def shard_links(plan: Plan, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return parents, as indices in the shard, and think times of a shard's rows, for a plan that has them."""
    assert plan.parent is not None and plan.think_ns is not None
    parent = plan.parent[rows]
    return np.where(parent < 0, -1, np.searchsorted(rows, parent)), np.ascontiguousarray(plan.think_ns[rows])
