"""Traces made from traces: fewer and more sessions, rounds, merged, without idle time, off their grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError
from tokentape.traces.graph.sessions import check_parents, old_parents
from tokentape.traces.stats import quantisation
from tokentape.traces.table import Trace
from tokentape.traces.transform import (
    dequantize,
    idle_cap,
    limit,
    loop,
    merge,
    multiply,
    rate,
    select,
    sort,
    speed,
    thin,
    window,
)
from tokentape.traces.transform.derive import with_column

Build = Callable[..., Trace]
S = 10**9


def column(trace: Trace, name: str) -> list[Any]:
    values = trace.table[name].to_pylist()
    assert isinstance(values, list)
    return values


def follows(trace: Trace) -> list[tuple[int, int]]:
    """Pairs of records, the second of which follows the first."""
    records = column(trace, "source_row")
    return [(records[parent], record) for parent, record in zip(column(trace, "parent"), records, strict=True)
            if parent is not None]  # fmt: skip


# ---- fewer


def test_thin_keeps_or_drops_sessions_whole(build: Build) -> None:
    names = [f"s{row % 50}" for row in range(200)]
    trace = build(list(range(200)), session_id=names)
    kept = thin(trace, 0.5, seed=3)
    sessions = set(column(kept, "session_id"))
    assert 10 < len(sessions) < 40
    assert column(kept, "source_row") == [row + 1 for row in range(200) if names[row] in sessions]
    assert follows(kept) == [pair for pair in follows(trace) if names[pair[1] - 1] in sessions]
    assert kept.transforms == ("thin(0.5, seed=3)",)
    assert kept.digest == thin(trace, 0.5, seed=3).digest != thin(trace, 0.5, seed=4).digest


def test_thin_draws_for_each_row_without_a_session(build: Build) -> None:
    kept = column(thin(build(list(range(4000))), 0.25), "source_row")
    assert 850 < len(kept) < 1150
    assert np.diff(kept).std() / np.diff(kept).mean() == pytest.approx(0.866, abs=0.1)  # geometric: sqrt(1 - p)


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_shares_that_are_none(build: Build, share: float) -> None:
    with pytest.raises(TraceError, match="must be above 0 and at most 1"):
        thin(build([0, 1]), share)


def test_thin_says_when_nothing_is_left(build: Build) -> None:
    with pytest.raises(TraceError, match=r"no session of 2 is left by thin\(1e-12, seed=0\)"):
        thin(build([0, 1]), 1e-12)


def test_select(build: Build) -> None:
    trace = build(
        [0, 10, 20, 30],
        session_id=["a", "b", "a", "a"],
        model=["m-1", None, "m-2", "x"],
        input_tokens=[5, 6, 7, 8],
        output_tokens=[1, 2, 3, 4],
    )
    for kind, rows in (
        ({"model": "m-*"}, [1, 3]),
        ({"session": "a"}, [1, 3, 4]),
        ({"input_tokens": (6, None)}, [2, 3, 4]),
        ({"input_tokens": (6, 7), "output_tokens": (None, 2)}, [2]),
        ({"model": "?-2", "session": "a"}, [3]),
    ):
        assert column(select(trace, **kind), "source_row") == rows
    assert follows(trace) == [(1, 3), (3, 4)]
    assert follows(select(trace, input_tokens=(6, None))) == [(3, 4)]
    assert select(trace, model="m-*", input_tokens=(1, None)).transforms == ("select(model=m-*, input_tokens=1:)",)
    with pytest.raises(TraceError, match="no request has session=c, output_tokens=:9"):
        select(trace, session="c", output_tokens=(None, 9))


def test_a_window_leaves_parents_right(build: Build) -> None:
    trace = build([0, 10, 20, 30], session_id=["a", "b", "a", "a"])
    cut = window(trace, 10)
    assert column(cut, "parent") == [None, None, 1]
    assert follows(limit(trace, 3)) == [(1, 3)]


def test_what_is_waited_for_moves_with_the_rows(build: Build) -> None:
    trace = build([0, 10, 20, 30], session_id=["a"] * 4, also_after=[None, None, None, [0, 1]])
    assert column(limit(trace, 4), "also_after") == [None, None, None, [0, 1]]
    assert column(window(trace, 10), "also_after") == [None, None, [0]]
    assert column(window(trace, 30), "also_after") == [None]  # a row that starts on its own waits for nobody
    twice = loop(trace, 2)
    assert column(twice, "also_after") == [None] * 3 + [[0, 1]] + [None] * 3 + [[4, 5]]
    beside = merge([build([5], session_id=["b"]), trace])
    assert column(beside, "also_after") == [None] * 4 + [[1, 2]]
    assert column(beside, "session_id") == ["b", "a", "a", "a", "a"]


# ---- more


def test_multiply_by_hand(build: Build) -> None:
    trace = build([0, 50, 100], session_id=["a", None, "a"], block_ids=[[0, 4], None, [0, 4, 9]])
    more = multiply(trace, 2, seed=1)
    rows = list(
        zip(*(column(more, name) for name in ("source_row", "session_id", "block_ids", "arrival_ns")), strict=True)
    )
    assert [row[:3] for row in sorted(rows, key=lambda row: (row[1] or "", row[0]))] == [
        (2, None, None),
        (2, None, None),
        (1, "a", [0, 4]),
        (3, "a", [0, 4, 9]),
        (1, "a~1", [10, 14]),
        (3, "a~1", [10, 14, 19]),
    ]
    times = {(session, record): arrival for record, session, _, arrival in rows if session}
    assert times["a", 3] - times["a", 1] == times["a~1", 3] - times["a~1", 1] == 100
    assert 0 < times["a~1", 1] <= 100  # within the trace's span
    assert follows(more) == [(1, 3), (1, 3)]


def test_multiply_again_makes_other_names_and_blocks(build: Build) -> None:
    more = multiply(multiply(build([0, 50], session_id=["a", "b"], block_ids=[[1], [1]]), 3), 3)
    names = column(more, "session_id")
    assert len(set(names)) == len(names) == 18
    assert len({block for blocks in column(more, "block_ids") for block in blocks}) == 9
    assert more.transforms == ("multiply(3, seed=0)", "multiply(3, seed=0)")


def test_more_blocks_than_int32_holds(build: Build) -> None:
    with pytest.raises(TraceError, match="needs more block ids of its own than int32 holds"):
        multiply(build([0, 5], block_ids=[[2**30], [1]]), 3)


def test_more_rows_than_anyone_can_use(build: Build) -> None:
    trace = build(list(range(6000)))
    for make in (multiply, loop):
        with pytest.raises(TraceError, match="would have 60,000,000 requests; at most 50,000,000 can be made"):
            make(trace, 10_000)


def test_copies_of_recorded_prompts_are_said_to_share_them(build: Build) -> None:
    trace = build([0, 5], body=[b"{}", None])
    said = "copies of a request share its prompt"
    assert any(said in note for note in multiply(trace, 2).notes)
    assert any(said in note for note in loop(trace, 2, namespace="new").notes)
    assert loop(trace, 2).notes == ()
    assert multiply(build([0, 5]), 2).notes == ()


@pytest.mark.parametrize("copies", [0, -2, 10_001])
def test_copies_and_rounds_that_are_none(build: Build, copies: int) -> None:
    trace = build([0, 5])
    with pytest.raises(TraceError, match="1 to 10,000 can"):
        multiply(trace, copies)
    with pytest.raises(TraceError, match="1 to 10,000 can be"):
        loop(trace, copies)


@pytest.mark.parametrize(("target", "rows"), [(1.0, 1000), (0.3, 300), (2.5, 2500), (4.0, 4000)])
def test_rate(build: Build, target: float, rows: int) -> None:
    made = rate(build([row * S for row in range(1000)]), target, seed=2)
    assert len(made) == pytest.approx(rows, rel=0.1)
    assert made.span_ns == pytest.approx(1000 * S, rel=0.02)


@pytest.mark.parametrize("target", [0, -1, float("inf"), float("nan")])
def test_rates_that_are_none(build: Build, target: float) -> None:
    with pytest.raises(TraceError, match="requests per second is not possible"):
        rate(build([0, S]), target)


def test_no_rate_without_a_span(build: Build) -> None:
    with pytest.raises(TraceError, match="all requests arrive at once"):
        rate(build([0, 0]), 2)


def test_loop_by_hand(build: Build) -> None:
    trace = build([0, 10, 40], session_id=["a", "a", None], block_ids=[[0], [0, 1], None])
    same = loop(trace, 3)
    assert column(same, "arrival_ns") == [0, 10, 40, 60, 70, 100, 120, 130, 160]  # 40 and a mean gap of 20
    assert column(same, "session_id") == ["a", "a", None, "a~1", "a~1", None, "a~2", "a~2", None]
    assert column(same, "parent") == [None, 0, None, None, 3, None, None, 6, None]
    assert column(same, "block_ids") == [[0], [0, 1], None] * 3
    assert same.transforms == ("loop(3, namespace=same)",)
    new = loop(trace, 2, namespace="new")
    assert column(new, "block_ids") == [[0], [0, 1], None, [2], [2, 3], None]


def test_a_loop_beyond_all_time(build: Build) -> None:
    with pytest.raises(TraceError, match="would last over 292 years"):
        loop(build([0, 2**61]), 5)


def test_merge_by_hand(build: Build) -> None:
    one = build([0, 10], session_id=["a", "a"], block_ids=[[0], [0, 3]])
    two = build([0, 5], session_id=["a", "b"], block_ids=[[0], [1]])
    both = merge([one, two, build([7])])
    assert column(both, "arrival_ns") == [0, 0, 0, 5, 10]
    assert column(both, "session_id") == ["a", "a~1", None, "b~1", "a"]
    assert column(both, "block_ids") == [[0], [4], None, [5], [0, 3]]
    assert column(both, "parent") == [None, None, None, None, 0]
    assert both.source == "t + t + t"
    assert column(merge([one, two], namespace="same"), "block_ids") == [[0], [0], [1], [0, 3]]


def test_blocks_of_two_sizes_do_not_merge(build: Build) -> None:
    trace = build([0], block_ids=[[1]])
    with pytest.raises(TraceError, match="has blocks of 64 tokens rounded up, and t of 512 rounded up"):
        merge([trace, replace(trace, block_tokens=64)])


# ---- other times


def test_idle_cap_by_hand(build: Build) -> None:
    trace = build(
        [0, 1 * S, 100 * S, 101 * S, 400 * S],
        session_id=["a", "b", "a", "a", "b"],
        think_ns=[None, None, 90 * S, 1 * S, 390 * S],
    )
    capped = idle_cap(trace, 30 * S)
    # a's second turn waits 60 s less and its third follows it, b's second 360 s less: at 40, 41 and 40 s. The 39 s
    # before them, in which nobody sends, become 30.
    assert column(capped, "source_row") == [1, 2, 3, 5, 4]
    assert column(capped, "arrival_ns") == [0, 1 * S, 31 * S, 31 * S, 32 * S]
    assert column(capped, "think_ns") == [None, None, 30 * S, 30 * S, 1 * S]
    assert column(capped, "parent") == [None, None, 0, 1, 2]
    assert capped.transforms == (f"idle_cap({30 * S})",)


def test_idle_cap_of_arrivals_alone(build: Build) -> None:
    assert column(idle_cap(build([0, 7, 20, 1000, 1003]), 10), "arrival_ns") == [0, 7, 17, 27, 30]
    with pytest.raises(TraceError, match="must be above 0"):
        idle_cap(build([0, 1]), 0)


def test_even_stamps_by_hand(build: Build) -> None:
    trace = build([3 * S * (row // 3) for row in range(30)])
    even = dequantize(trace, "even")
    assert column(even, "arrival_ns") == [S * row for row in range(30)]
    assert even.transforms == ("dequantize(even)",)
    assert "quantised" in trace.notes[0]
    assert even.notes == ()


def test_uniform_stamps_stay_in_their_step(build: Build) -> None:
    trace = build([3 * S * (row // 10) for row in range(2000)])
    spread = dequantize(trace, "uniform", seed=5)
    moved = np.array(column(spread, "arrival_ns")) - np.array(column(trace, "arrival_ns"))
    assert (np.diff(column(spread, "arrival_ns")) >= 0).all()
    assert 0 <= moved.min() < moved.max() < 3 * S
    assert moved.mean() == pytest.approx(1.5 * S, rel=0.05)
    assert column(spread, "source_row") == column(trace, "source_row")
    assert quantisation(np.array(column(spread, "arrival_ns"))) is None
    assert spread.digest == dequantize(trace, "uniform", seed=5).digest != dequantize(trace, "uniform", seed=6).digest


def test_nothing_to_spread(build: Build) -> None:
    with pytest.raises(TraceError, match="timestamps are not quantised"):
        dequantize(build(list(range(100))), "even")


# ---- what holds of all


@st.composite
def traces(draw: st.DrawFn, build: Build) -> Trace:
    rows = draw(st.integers(2, 12))
    times = sorted(draw(st.lists(st.integers(0, 1000), min_size=rows, max_size=rows)))
    names = draw(st.lists(st.sampled_from(["a", "b", None]), min_size=rows, max_size=rows))
    think = draw(st.lists(st.integers(0, 500) | st.none(), min_size=rows, max_size=rows))
    ids = draw(st.lists(st.none() | st.lists(st.integers(0, 9), max_size=3), min_size=rows, max_size=rows))
    trace = build(times, session_id=names, think_ns=think, block_ids=ids)
    further = [
        draw(st.lists(st.sampled_from([at for at in range(row) if names[at] == names[row]]), unique=True)) or None
        if parent is not None
        else None
        for row, parent in enumerate(column(trace, "parent"))
    ]
    return replace(trace, table=with_column(trace.table, "also_after", further))


STEPS: dict[str, Callable[[Trace], Trace]] = {
    "thin": lambda t: thin(t, 0.9, seed=1),
    "multiply": lambda t: multiply(t, 2, seed=1),
    "loop": lambda t: loop(t, 2),
    "idle_cap": lambda t: idle_cap(t, 100),
    "speed": lambda t: speed(t, "1.5"),
    "sort": sort,
    "limit": lambda t: limit(t, 7),
    "window": lambda t: window(t, 0, t.span_ns + 1),
    "select": lambda t: select(t, input_tokens=(1, None)),
    "merge": lambda t: merge([t, t]),
}


@settings(deadline=None, max_examples=120)
@given(data=st.data(), names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4))
def test_steps_compose(data: st.DataObject, names: list[str], build: Build) -> None:
    trace = data.draw(traces(build))
    made = trace
    for name in names:
        try:
            step = STEPS[name](made)
        except TraceError as error:
            assert name == "thin"
            assert "is left" in str(error)  # all sessions may be drawn out
            return
        assert step.transforms[:-1] == made.transforms
        assert step.transforms[-1].startswith(name + "(")
        made = step
    arrival = np.array(column(made, "arrival_ns"))
    assert (np.diff(arrival) >= 0).all()
    check_parents("t", made.table)
    parents = old_parents(made.table["parent"])
    sessions = column(made, "session_id")
    for row, parent in enumerate(parents.tolist()):
        assert parent < row
        assert parent < 0 or sessions[parent] == sessions[row]
    records, recorded = column(made, "source_row"), column(trace, "source_row")
    waits = {(recorded[row], recorded[other]) for row, further in enumerate(column(trace, "also_after"))
             for other in further or ()}  # fmt: skip
    for row, further in enumerate(column(made, "also_after")):
        assert further is None or parents[row] >= 0
        for other in further or ():
            assert other < row
            assert sessions[other] == sessions[row]
            assert (records[row], records[other]) in waits
    blocks = dict(zip(column(trace, "source_row"), column(trace, "block_ids"), strict=True))
    lengths = {None: None} | {record: len(ids) for record, ids in blocks.items() if ids is not None}
    fresh = {"multiply", "merge"} & set(names)
    for record, ids in zip(column(made, "source_row"), column(made, "block_ids"), strict=True):
        if not fresh:
            assert ids == blocks[record]
        assert (ids is None) == (blocks[record] is None)
        assert ids is None or len(ids) == lengths[record]
    for row, think in enumerate(column(made, "think_ns")):
        assert think is None or think >= 0
        assert made.table["turn"][row].as_py() >= 0


@settings(deadline=None, max_examples=100)
@given(data=st.data(), most=st.integers(1, 400))
def test_idle_cap_keeps_sessions_in_order_and_every_gap_small(data: st.DataObject, most: int, build: Build) -> None:
    trace = data.draw(traces(build))
    capped = idle_cap(trace, most)
    assert max(np.diff(column(capped, "arrival_ns"))) <= most
    for name in ("a", "b"):
        order = [
            [
                record
                for record, session in zip(column(t, "source_row"), column(t, "session_id"), strict=True)
                if session == name
            ]
            for t in (trace, capped)
        ]
        assert order[0] == order[1]
    assert all(think is None or think <= most for think in column(capped, "think_ns"))
