"""How much of a trace's prompts a cache of prefix blocks could have kept: exact LRU hits for every capacity at once.

The cache is asked for all blocks of a request when it arrives, and takes them in afterwards, the last block first,
so that among blocks of one age the end of a prompt is dropped before its beginning, as servers do.
A block hits a cache of C blocks if fewer than C others were used since its own last use (its stack distance:
Mattson et al., 1970). Blocks come in runs: neighbours that were last used as neighbours share one answer, which
makes 94 million block ids a matter of a few hundred thousand runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table import one_array

Int64s = NDArray[np.int64]

_SEGMENT = 1 << 16  # block ids looked at in one go
_SPARSE = 4  # ids beyond so many times their number are numbered anew


@dataclass(frozen=True)
class Reuse:
    """Hits of an LRU cache of any size.

    Attributes:
        blocks: All block ids of all requests.
        distinct: Different ones among them.
        starts: For each run of reused blocks, sorted: the capacity up to which none of it hits.
        ends: Likewise: the capacity from which on all of it hits. Between the two each block more is a hit more.
    """

    blocks: int
    distinct: int
    starts: Int64s
    ends: Int64s

    @property
    def rate(self) -> float:
        """Share of blocks that were there before, in an infinite cache."""
        return 1 - self.distinct / self.blocks

    def hits(self, capacity: int) -> int:
        """Block hits of a cache of ``capacity`` blocks."""
        reached = [edges[: np.searchsorted(edges, capacity)] for edges in (self.starts, self.ends)]
        gained, full = (capacity * len(edges) - int(edges.sum()) for edges in reached)
        return gained - full

    def hit_rate(self, capacity: int) -> float:
        """Share of blocks that a cache of ``capacity`` blocks has."""
        return self.hits(capacity) / self.blocks


def reuse(block_ids: Any) -> Reuse | None:
    """The reuse of a trace's ``block_ids`` column, rows in order of arrival; None if it holds no ids.

    Args:
        block_ids: Arrow list<int32>, null where a row has none.
    """
    column = one_array(block_ids)
    ids = column.flatten().to_numpy(zero_copy_only=False)
    if not len(ids):
        return None
    ends = np.cumsum(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if int(ids.max()) >= _SPARSE * len(ids):
        ids = np.unique(ids, return_inverse=True)[1]
    (before, length, row_start), distinct = _runs(ids, ends)
    between = _distinct_between(before, length, row_start)
    within = before >= row_start  # a block twice in one request is there at once
    at_once = int(length[within].sum())
    between, length = between[~within], length[~within]
    return Reuse(
        blocks=len(ids),
        distinct=distinct,
        starts=np.sort(np.concatenate([between, np.zeros(at_once, np.int64)])),
        ends=np.sort(np.concatenate([between + length, np.ones(at_once, np.int64)])),
    )


def _segments(ends: Int64s) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of stretches of whole rows that hold about _SEGMENT ids each."""
    first = 0
    while first < len(ends):
        begin = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, begin + _SEGMENT, side="right")))
        yield first, last
        first = last


def _runs(ids: NDArray[Any], ends: Int64s) -> tuple[tuple[Int64s, Int64s, Int64s], int]:
    """Runs of blocks of one row that were last used one after the other, and the number of distinct ids.

    Returns:
        For each run, in the order of use: the position, in that order, of its first block's use before; its length;
        the position where its row begins.
    """
    last = np.full(int(ids.max()) + 1, -1, np.int64)
    found: list[tuple[Int64s, Int64s, Int64s]] = []
    for first_row, last_row in _segments(ends):
        begin = int(ends[first_row - 1]) if first_row else 0
        stops = ends[first_row:last_row]
        lengths = np.diff(stops, prepend=begin)
        starts = np.repeat(stops - lengths, lengths)
        position = np.arange(begin, int(stops[-1]), dtype=np.int64)
        used = ids[starts + np.repeat(stops, lengths) - 1 - position]
        before = _previous(used, position, last)
        step = position - before
        fresh = before < 0
        step[fresh] = 0
        broken = np.ones(len(position), np.bool_)
        broken[1:] = (step[1:] != step[:-1]) | (starts[1:] != starts[:-1])
        heads = np.flatnonzero(broken)
        length = np.diff(heads, append=len(position))
        known = ~fresh[heads]
        heads = heads[known]
        found.append((before[heads], length[known], starts[heads]))
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return (columns[0], columns[1], columns[2]), int(np.count_nonzero(last >= 0))


def _previous(used: NDArray[Any], position: Int64s, last: Int64s) -> Int64s:
    """Return where each id was used before, -1 for never; ``last`` is brought up to date."""
    order = np.argsort(used, kind="stable")
    ranked, places = used[order], position[order]
    fresh = np.ones(len(ranked), np.bool_)
    fresh[1:] = ranked[1:] != ranked[:-1]
    earlier = np.empty(len(ranked), np.int64)
    earlier[1:] = places[:-1]
    earlier[fresh] = last[ranked[fresh]]
    final = np.append(fresh[1:], True) if len(fresh) else fresh
    last[ranked[final]] = places[final]
    before = np.empty(len(ranked), np.int64)
    before[order] = earlier
    return before


def _distinct_between(before: Int64s, length: Int64s, row_start: Int64s) -> Int64s:
    """For each run, the distinct blocks used after its last use and before the row that uses it again.

    They are the positions between, less those whose block was used again before the row: runs themselves. As no
    position is followed by two uses, the runs' earlier positions are disjoint intervals; at most one of
    them reaches over the left edge.
    """
    rows, runs_before = np.unique(row_start, return_index=True)
    earlier = runs_before[np.searchsorted(rows, row_start)]
    edge = before + length
    order = np.argsort(before)
    rank = np.empty(len(before), np.int64)
    rank[order] = np.arange(len(before))
    from_rank = np.searchsorted(before[order], edge)
    again = _weight_right_of(rank, length, earlier, from_rank)
    over = order[np.maximum(from_rank - 1, 0)]
    reach = before[over] + length[over] - edge
    again += np.where((over < earlier) & (reach > 0) & (from_rank > 0), reach, 0)
    return row_start - edge - again


def _weight_right_of(x: Int64s, weight: Int64s, first: Int64s, least: Int64s) -> Int64s:
    """For each query j, the sum of weight[i] over the i below first[j] with x[i] at least least[j].

    Args:
        x: A permutation of 0 to n-1.
        weight: n weights.
        first: 0 to n.
        least: 0 to n.
    """
    n = len(x)
    total = np.zeros(len(first), np.int64)
    places = np.arange(n, dtype=np.int64)
    for level in range(n.bit_length()):  # a prefix is one block of 2**level places for each bit of its length
        asked = np.flatnonzero((first >> level) & 1)
        if not len(asked):
            continue
        key = (places >> level) * (n + 1) + x
        order = np.argsort(key)
        summed = np.concatenate([[0], np.cumsum(weight[order])])
        blocks = first[asked] >> level
        low = np.searchsorted(key[order], (blocks - 1) * (n + 1) + least[asked])
        total[asked] += summed[blocks << level] - summed[low]
    return total
