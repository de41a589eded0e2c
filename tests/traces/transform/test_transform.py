"""Traces made from traces."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.assembly.trace_builder import build_trace
from tokentape.traces.table import Trace, table_digest
from tokentape.traces.transform import limit, speed, window

Put = Callable[..., Path]

S = 10**9
INT64_MAX = 2**63 - 1


def trace_at(*arrivals: int) -> Trace:
    lengths = np.ones(len(arrivals), np.int64)
    return build_trace(
        source="t",
        format="mooncake",
        digest="",
        arrival_ns=np.array(arrivals, np.int64),
        input_tokens=lengths,
        output_tokens=lengths,
        source_row=np.arange(1, len(arrivals) + 1),
    )


def arrivals(trace: Trace) -> list[int]:
    return trace.table["arrival_ns"].to_pylist()


@pytest.mark.parametrize(
    ("start", "end", "kept", "rows"),
    [
        (0, None, [0, 5, 5, 9], [1, 2, 3, 4]),
        (0, 10**30, [0, 5, 5, 9], [1, 2, 3, 4]),
        (5, 9, [0, 0], [2, 3]),  # half open
        (4, 10, [1, 1, 5], [2, 3, 4]),  # the start becomes 0, not the first arrival
        (9, None, [0], [4]),
        (0, 1, [0], [1]),
    ],
)
def test_window(start: int, end: int | None, kept: list[int], rows: list[int]) -> None:
    cut = window(trace_at(0, 5, 5, 9), start, end)
    assert arrivals(cut) == kept
    assert cut.table["source_row"].to_pylist() == rows
    assert cut.transforms == (f"window({start}, {end})",)


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        (-1, None, "a window cannot start at -1e-09 s; 0 is the trace's start"),
        (5 * S, 5 * S, "a window from 5 s to 5 s is empty; its end must be later"),
        (6 * S, 5 * S, "a window from 6 s to 5 s is empty"),
        (60 * S, 120 * S, "no request arrives from 60 s on and before 120 s; the trace spans 0 to 9 s"),
        (60 * S, None, "no request arrives from 60 s on; the trace spans 0 to 9 s"),
        (INT64_MAX + 5, None, "is empty; its end must be later"),
    ],
)
def test_windows_without_requests(start: int, end: int | None, problem: str) -> None:
    with pytest.raises(TraceError) as caught:
        window(trace_at(0, 9 * S), start, end)
    assert problem in str(caught.value)


def test_limit() -> None:
    trace = trace_at(0, 5, 9)
    assert arrivals(limit(trace, 2)) == [0, 5]
    assert arrivals(limit(trace, 10)) == [0, 5, 9]
    for n in (0, -3):
        with pytest.raises(TraceError, match="must be at least 1"):
            limit(trace, n)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1, [0, 1, 10, 10**15 + 1]),
        (2, [0, 0, 5, (10**15 + 1) // 2]),
        (0.5, [0, 2, 20, 2 * 10**15 + 2]),
        (0.1, [0, 10, 100, 10**16 + 10]),
        ("1.5", [0, 0, 6, (10**15 + 1) * 2 // 3]),
        (Fraction(1, 3), [0, 3, 30, 3 * 10**15 + 3]),
        (10**9, [0, 0, 0, 10**6]),
        ("1e3", [0, 0, 0, 10**12]),
    ],
)
def test_speed(factor: float | str | Fraction, expected: list[int]) -> None:
    assert arrivals(speed(trace_at(0, 1, 10, 10**15 + 1), factor)) == expected


@pytest.mark.parametrize("factor", [0, -1, -0.0, float("nan"), float("inf"), "nan", "fast", "", "1/0", "0"])
def test_speeds_that_are_none(factor: float | str) -> None:
    with pytest.raises(TraceError, match=r"t: speed must be above 0, as in 2 or 0.5; got"):
        speed(trace_at(0, 1), factor)


def test_a_speed_that_leaves_int64() -> None:
    with pytest.raises(TraceError, match="speed 1e-12 is too slow: the trace would last over 292 years"):
        speed(trace_at(0, 3600 * S), "1e-12")


@settings(deadline=None)
@given(
    times=st.lists(st.integers(0, 10**17), min_size=1, max_size=8).map(sorted),
    factor=st.fractions(Fraction(1, 50), 10**6) | st.floats(0.02, 1e12) | st.decimals("0.02", "1e9").map(str),
)
def test_speed_is_exact_and_keeps_the_order(times: list[int], factor: float | str | Fraction) -> None:
    times = [time - times[0] for time in times]
    exact = factor if isinstance(factor, Fraction) else Fraction(str(factor)[:40])
    scaled = arrivals(speed(trace_at(*times), factor))
    assert scaled == [time * exact.denominator // exact.numerator for time in times]
    assert scaled == sorted(scaled)


def test_speed_divides_think_times_and_leaves_absent_ones(mooncake: Put) -> None:
    rows = [{"timestamp": 0, "session_id": "a"}, {"timestamp": 8, "session_id": "a", "delay": 3}]
    fast = speed(read(mooncake(*rows)), 2)
    assert fast.table["think_ns"].to_pylist() == [None, 1_500_000]
    assert fast.table["block_ids"].to_pylist() == [[0, 1], [0, 1]]


def test_transforms_add_up_and_leave_the_source_alone(mooncake: Put) -> None:
    trace = read(mooncake(*({"timestamp": 1000 * i} for i in range(10))))
    before = trace.table
    made = limit(speed(window(trace, 2 * S, 8 * S), "0.5"), 3)
    assert arrivals(made) == [0, 2 * S, 4 * S]
    assert made.transforms == (f"window({2 * S}, {8 * S})", "speed(1/2)", "limit(3)")
    assert made.source == trace.source
    assert trace.table is before
    assert trace.transforms == ()


def test_the_digest_depends_on_the_values_alone(mooncake: Put) -> None:
    trace = read(mooncake(*({"timestamp": i, "session_id": f"s{i}", "hash_ids": [0, i]} for i in range(6))))
    cut = window(trace, 10**6, 4 * 10**6)
    assert cut.digest == window(limit(trace, 4), 10**6).digest
    assert cut.digest == table_digest(cut.table.take([0, 1, 2]))
    for other in (limit(cut, 2), speed(cut, 2), window(trace, 10**6, 5 * 10**6)):
        assert other.digest != cut.digest
    column = cut.table.schema.get_field_index("session_id")
    renamed = cut.table.set_column(column, cut.table.schema.field(column), [["s1", "s", "2s3"]])
    assert table_digest(renamed) != cut.digest
