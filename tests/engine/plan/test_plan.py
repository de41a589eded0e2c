"""The plan: pure, exact, and the same every time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokentape import traces
from tokentape.engine.plan import make_plan, peak_rows, shard_fan_in, shard_links, shards
from tokentape.traces import TraceError
from tokentape.traces.table import Trace
from tokentape.traces.transform.derive import with_column

MS = 1_000_000


def test_due_times_are_the_traces_divided_by_the_speed(small_trace: Callable[..., Path]) -> None:
    trace = traces.read(small_trace(10, gap_ms=7))
    for speed, divisor in ((1, 1), ("2", 2), (0.5, 0.5), ("7", 7)):
        plan = make_plan(trace, speed_factor=speed)
        assert plan.due_ns.tolist() == [int(row * 7 * MS / divisor) for row in range(10)]
        assert plan.span_ns == plan.due_ns[-1]
        assert plan.due_ns.dtype == np.int64


def test_a_window_and_a_limit_cut(small_trace: Callable[..., Path]) -> None:
    trace = traces.read(small_trace(100, gap_ms=10))
    plan = make_plan(trace, start_ns=200 * MS, end_ns=700 * MS, limit_rows=7, speed_factor=2)
    assert len(plan) == 7
    assert plan.due_ns.tolist() == [row * 5 * MS for row in range(7)]
    assert plan.trace.table["source_row"].to_pylist() == list(range(21, 28))


def test_the_digest_is_of_all_that_is_sent(small_trace: Callable[..., Path]) -> None:
    trace = traces.read(small_trace(10))
    digests = [
        make_plan(trace).digest,
        make_plan(trace, speed_factor=2).digest,
        make_plan(trace, limit_rows=9).digest,
        make_plan(trace, recipe="another seed").digest,
        make_plan(traces.read(small_trace(10, output_tokens=5))).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert make_plan(trace).digest == digests[0]


def test_no_output_becomes_one_token_and_is_said(small_trace: Callable[..., Path]) -> None:
    plan = make_plan(traces.read(small_trace(3, output_tokens=0)))
    assert plan.output_tokens.tolist() == [1, 1, 1]
    assert "3 rows have 0 recorded output tokens; 1 is requested" in plan.notes


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast", "1e-30"])
def test_a_speed_that_is_none_is_refused(small_trace: Callable[..., Path], speed: str) -> None:
    with pytest.raises(TraceError, match="speed"):
        make_plan(traces.read(small_trace(3)), speed_factor=speed)


def test_nothing_to_send_is_told(small_trace: Callable[..., Path]) -> None:
    with pytest.raises(TraceError, match="no request arrives from 5 s on"):
        make_plan(traces.read(small_trace(3)), start_ns=5000 * MS)


def test_the_peak_is_of_any_second(small_trace: Callable[..., Path]) -> None:
    plan = make_plan(traces.read(small_trace(100, gap_ms=100)))
    assert peak_rows(plan) == 10
    assert peak_rows(plan, within_ns=1) == 1
    assert peak_rows(make_plan(traces.read(small_trace(100, gap_ms=0)))) == 100


@pytest.mark.parametrize("workers", [1, 2, 3, 64])
def test_shards_hold_every_row_once_in_order(small_trace: Callable[..., Path], workers: int) -> None:
    plan = make_plan(traces.read(small_trace(20)))
    parts = [part.rows for part in shards(plan, workers)]
    assert len(parts) == workers
    assert sorted(int(row) for part in parts for row in part) == list(range(20))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def _waiting(trace: Trace, parent: list[Any], also_after: list[Any]) -> Trace:
    table = with_column(with_column(trace.table, "parent", parent), "also_after", also_after)
    return replace(trace, table=table)


def test_what_is_waited_for_is_in_the_plan(small_trace: Callable[..., Path]) -> None:
    parent, further = [None, 0, 0, 2, None, 3], [None, None, None, [1, 0], None, [4, 1]]
    trace = _waiting(traces.read(small_trace(6)), parent, further)
    plan = make_plan(trace, sessions="closed")
    assert plan.also is not None
    assert (plan.also.rows.tolist(), plan.also.after.tolist()) == ([3, 3, 5, 5], [0, 1, 1, 4])
    assert make_plan(trace).also is None
    fewer = _waiting(trace, parent, [None, None, None, [1], None, [4, 1]])
    assert make_plan(fewer, sessions="closed").digest != plan.digest
    none = make_plan(_waiting(trace, parent, [None] * 6), sessions="closed")
    assert none.also is None
    assert shard_fan_in(none, np.arange(6)) is None


def test_what_arrives_after_its_waiter_is_not_waited_for_and_said(small_trace: Callable[..., Path]) -> None:
    trace = _waiting(traces.read(small_trace(4)), [None, 0, 3, 0], [None, [2, 3], [0], [1]])
    plan = make_plan(trace, sessions="hybrid")
    assert plan.also is not None
    assert (plan.also.rows.tolist(), plan.also.after.tolist()) == ([3], [1])
    assert "1 rows arrive before a row that they wait for; they do not wait for it" in plan.notes


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_sessions_that_wait_for_each_other_share_a_shard(small_trace: Callable[..., Path], workers: int) -> None:
    roots = 8
    count = 3 * roots  # one root after the other, then their second turns, then their third
    further: list[Any] = [None] * count
    further[roots + 5], further[roots + 6], further[2 * roots + 7] = [2], [1, 5], [roots + 5]
    parent = [None] * roots + list(range(2 * roots))
    plan = make_plan(_waiting(traces.read(small_trace(count)), parent, further), sessions="closed")
    assert plan.also is not None
    found = set()
    parts = shards(plan, workers)
    assert sorted(int(row) for part in parts for row in part.rows) == list(range(count))
    for part in parts:
        links, _ = shard_links(plan, part.rows)
        assert all(
            part.rows[above] == plan.parent[row] for above, row in zip(links, part.rows, strict=True) if above >= 0
        )
        joins = shard_fan_in(plan, part.rows)
        if joins is not None:
            found |= set(zip(part.rows[joins.rows].tolist(), part.rows[joins.after].tolist(), strict=True))
    assert found == set(zip(plan.also.rows.tolist(), plan.also.after.tolist(), strict=True)) == {
        (13, 2), (14, 1), (14, 5), (23, 13)}  # fmt: skip
    own = [set((part.rows % roots).tolist()) for part in parts]
    assert sum({1, 2, 5, 6, 7} <= sessions for sessions in own) == 1
    assert all(own)
