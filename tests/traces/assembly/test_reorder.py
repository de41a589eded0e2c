"""Columns in another order: what Arrow's take gives, however the column is cut up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tokentape.traces.assembly.reorder import reordered

KINDS = {
    pa.string(): st.text(max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.list_(pa.int32()): st.lists(st.integers(0, 2**31 - 1), max_size=5),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
}


@st.composite
def columns(draw: Any) -> Any:
    """Chunked arrays with nulls, of which some chunks are slices of longer ones."""
    kind = draw(st.sampled_from(sorted(KINDS, key=str)))
    chunks = []
    for values in draw(st.lists(st.lists(st.none() | KINDS[kind], max_size=6), max_size=4)):
        cut = draw(st.integers(0, len(values)))
        chunks.append(pa.array(values, kind).slice(cut))
    return pa.chunked_array(chunks, kind)


@given(columns(), st.randoms(use_true_random=False), st.integers(5, 12))
def test_rows_are_those_that_take_gives(column: Any, random: Any, array_units: int) -> None:
    order = list(range(len(column)))
    random.shuffle(order)
    moved = reordered(column, np.array(order, np.int64), array_units)
    moved.validate(full=True)
    assert moved.type == column.type
    assert moved.to_pylist() == [column[row].as_py() for row in order]


def test_rows_of_many_pieces_find_their_places() -> None:
    rng = np.random.default_rng(3)
    texts = pa.array([bytes([row % 251]) * int(size) for row, size in enumerate(rng.integers(0, 30_000, 2_000))])
    assert texts.nbytes > 20 << 20
    order = np.argsort(np.arange(2_000) + rng.integers(0, 300, 2_000), kind="stable")
    assert reordered(texts, order).equals(texts.take(pa.array(order)))
