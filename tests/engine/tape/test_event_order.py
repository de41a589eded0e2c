"""The order of a sealed file: whatever comes in, nothing is lost and requests stay whole."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tokentape.engine.tape.event_order import chain_order, chains

spans = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 300)), max_size=40)


@given(spans)
def test_chains_hold_every_span_once_and_step_back_least(given_spans: list[tuple[int, int]]) -> None:
    first = np.array([start for start, _ in given_spans], np.int64)
    last = np.array([start + length for start, length in given_spans], np.int64)
    order = chains(first, last)
    assert sorted(order) == list(range(len(given_spans)))
    back = sum(first[b] < last[a] for a, b in pairwise(order))
    running = max((int(((first <= t) & (last > t)).sum()) for t in first), default=0)
    assert back <= max(running - 1, 0) + sum(length == 0 for _, length in given_spans)


@given(
    st.lists(st.integers(0, 6), max_size=60),
    st.sampled_from([1, 70_000, 1 << 33]),
    st.randoms(use_true_random=False),
)
def test_rows_of_a_request_stand_together_in_order(requests: list[int], far: int, random: object) -> None:
    ids = np.array(requests, np.int64) * far
    event = np.zeros(len(ids), np.int32)
    for row in range(len(ids)):
        event[row] = (ids[:row] == ids[row]).sum()
    shuffled = list(range(len(ids)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ids, event = ids[shuffled], event[shuffled]
    arrival = event.astype(np.int64) * 10 + ids
    rows = chain_order(ids, event, arrival)
    assert sorted(rows.tolist()) == list(range(len(ids)))
    runs = [int(i) for n, i in enumerate(ids[rows]) if n == 0 or i != ids[rows][n - 1]]
    assert len(runs) == len(set(runs))
    same = ids[rows][1:] == ids[rows][:-1]
    assert (np.diff(event[rows])[same] == 1).all()


def test_a_request_that_starts_after_another_ended_follows_it() -> None:
    # Two lanes: 0 then 2, 1 then 3.
    first, last = np.array([0, 5, 110, 120]), np.array([100, 105, 200, 210])
    assert chains(first, last) == [0, 3, 1, 2]
