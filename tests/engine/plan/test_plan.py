"""The plan: pure, exact, and the same every time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokentape import traces
from tokentape.engine.plan import make_plan, peak_rows, shards
from tokentape.traces import TraceError

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
    assert "3 rows recorded 0 output tokens; they ask for 1" in plan.notes


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
