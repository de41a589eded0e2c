"""Hits of an LRU cache of prefix blocks: by hand, and against a cache that is played block by block."""

from __future__ import annotations

from collections import OrderedDict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces.stats import reuse
from tokentape.traces.stats.reuse import Reuse

Rows = list[list[int] | None]


def column(rows: Rows) -> pa.Array:
    return pa.array(rows, pa.list_(pa.int32()))


def found(rows: Rows) -> Reuse:
    curve = reuse(column(rows))
    assert curve is not None
    return curve


def played(rows: Rows, capacity: int) -> int:
    """Ask for all blocks of a row, then store them, the last first."""
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for row in rows:
        blocks = row or []
        hits += sum(block in cache or block in blocks[:place] for place, block in enumerate(blocks))
        for block in reversed(blocks):
            cache.pop(block, None)
            cache[block] = None
        while len(cache) > capacity:
            cache.popitem(last=False)
    return hits


@pytest.mark.parametrize("rows", [[], [None], [[]], [None, []]])
def test_no_blocks_no_reuse(rows: Rows) -> None:
    assert reuse(column(rows)) is None


def test_a_prefix_of_two_blocks_between_which_three_others_come() -> None:
    curve = found([[1, 2], [3, 4, 5], None, [1, 2, 6]])
    assert (curve.blocks, curve.distinct, curve.rate) == (8, 6, 0.25)
    # Block 1, stored after 2, is dropped after 2: with 4 places it is there, with 5 both are.
    assert [curve.hits(capacity) for capacity in (1, 3, 4, 5, 100)] == [0, 0, 1, 2, 2]


def test_a_block_used_in_every_row_needs_its_row_kept() -> None:
    curve = found([[0, row] for row in range(1, 11)])
    assert [curve.hits(capacity) for capacity in (1, 2)] == [9, 9]
    assert curve.hit_rate(1) == 9 / 20


def test_ids_far_apart_are_the_same_as_ids_close_together() -> None:
    rows: Rows = [[7, 2**31 - 1], [2**31 - 1], [7]]
    assert [found(rows).hits(capacity) for capacity in (1, 2)] == [0, 2]
    assert [played(rows, capacity) for capacity in (1, 2)] == [0, 2]


@st.composite
def conversations(draw: st.DrawFn) -> Rows:
    """Rows that go on where earlier ones stopped, with blocks that come again anywhere, even in one row."""
    rows: list[list[int]] = []
    for _ in range(draw(st.integers(1, 12))):
        start = draw(st.sampled_from(rows)) if rows and draw(st.booleans()) else []
        rows.append(start[: draw(st.integers(0, 8))] + draw(st.lists(st.integers(0, 20), max_size=6)))
    return [row or draw(st.sampled_from([None, []])) for row in rows]


@settings(deadline=None, max_examples=300)
@given(rows=conversations())
def test_every_capacity_against_a_cache_that_is_played(rows: Rows) -> None:
    curve = reuse(column(rows))
    if curve is None:
        assert not any(rows)
        return
    for capacity in range(1, 24):
        assert curve.hits(capacity) == played(rows, capacity)
    assert curve.hits(10**9) == curve.blocks - curve.distinct


def test_rows_beyond_one_segment() -> None:
    rows: Rows = [list(range(row % 7, 5_000 + row % 7)) for row in range(40)]
    assert sum(map(len, filter(None, rows))) > 3 * (1 << 16)
    for capacity in (1, 4_999, 5_001, 5_005, 5_006):
        assert found(rows).hits(capacity) == played(rows, capacity)
