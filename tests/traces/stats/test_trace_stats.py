"""All statistics of a trace: by hand, and those that are known of the public traces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokentape.traces import read
from tokentape.traces.stats import arrivals, session_shape, stats
from tokentape.traces.table import Trace
from tokentape.traces.transform import dequantize

Build = Callable[..., Trace]
Find = Callable[[str], Path]
S = 10**9


def test_arrivals_by_hand() -> None:
    found = arrivals(np.array([0, S // 2, S // 2, 3 * S], np.int64))
    assert found.rate_rps == 4 / 3
    assert found.peak_per_s == 3
    assert found.cv == pytest.approx(np.std([0.5, 0, 2.5]))  # mean gap 1 s
    assert found.fano == pytest.approx(np.var([3, 0, 0, 1]) / 1)


def test_even_arrivals_have_no_spread() -> None:
    found = arrivals(np.arange(100, dtype=np.int64) * S // 4)
    assert (found.rate_rps, found.peak_per_s, found.cv, found.fano) == (pytest.approx(100 / 24.75), 4, 0, 0)


@pytest.mark.parametrize("times", [[5], [5, 5, 5]])
def test_arrivals_at_one_instant_have_no_rate(times: list[int]) -> None:
    found = arrivals(np.array(times, np.int64))
    assert (found.rate_rps, found.cv, found.peak_per_s) == (None, None, len(times))


def test_sessions_by_hand(build: Build) -> None:
    names = ["a", "b", "a", None, "a", "b"]
    think = [None, None, 2 * S, None, 4 * S, 9 * S]
    shape = session_shape(build([0, 1, 2, 3, 4, 1 * S], session_id=names, think_ns=think).table)
    assert shape is not None
    assert (shape.sessions, shape.single_requests, shape.turns_p50, shape.turns_max) == (2, 1, 2, 3)
    assert (shape.follow_ups, shape.think_p50_s, shape.think_max_s, shape.overlaps) == (3, 4.0, 9.0, 0)
    assert (shape.joins, shape.joins_max) == (0, 0)
    assert session_shape(build([0, 1]).table) is None


def test_fan_in_is_counted(build: Build) -> None:
    shape = session_shape(build([0, 1, 2, 3], session_id=["a"] * 4, also_after=[None, None, [0], [0, 1]]).table)
    assert shape is not None
    assert (shape.joins, shape.joins_max) == (2, 3)


def test_turns_beside_each_other_overlap(build: Build) -> None:
    at_once = session_shape(build([0, 0, 5], session_id=["a", "a", "a"]).table)
    assert at_once is not None
    assert at_once.overlaps == 1


def test_lengths_reuse_models_and_warnings(build: Build) -> None:
    found = stats(
        build(
            [0, 1, 2],
            input_tokens=[600, 1024, 600],
            output_tokens=[0, 10, 20],
            block_ids=[[0, 1], [0, 2], [0, 1]],
            model=["x", "y", "x"],
        ),
        capacities=(1, 2, 3, 1000, 2000),
    )
    assert (found.input_tokens.avg, found.input_tokens.p50, found.input_tokens.max) == (2224 / 3, 600, 1024)
    assert found.output_tokens.p90 == pytest.approx(18)
    assert found.reuse is not None
    assert (found.reuse.blocks, found.reuse.distinct, found.reuse.infinite) == (6, 3, 0.5)
    assert found.reuse.lru == ((1, 2 / 6), (2, 2 / 6), (3, 3 / 6), (1000, 3 / 6))
    assert found.models == 2
    assert found.warnings == ("1 row asks for 0 output tokens",)


# ---- what is known of the public traces


def test_azure_code(shared: Find) -> None:
    found = stats(read(shared("traces/azure/AzureLLMInferenceTrace_code.csv")))
    a = found.arrivals
    assert a.rate_rps is not None
    assert a.cv is not None
    assert (f"{a.rate_rps:.2f}", a.peak_per_s, f"{a.cv:.2f}", f"{a.fano:.1f}") == ("2.57", 67, "13.15", "13.2")
    assert [round(v) for v in (found.input_tokens.p50, found.input_tokens.p99)] == [1469, 7436]
    assert [round(v) for v in (found.output_tokens.p50, found.output_tokens.p99)] == [13, 251]
    assert (found.input_tokens.max, found.output_tokens.max) == (7437, 1899)
    assert (found.reuse, found.sessions, found.warnings) == (None, None, ())


def test_mooncake_conversation(shared: Find) -> None:
    trace = read(shared("traces/mooncake/conversation_trace.jsonl"))
    found = stats(trace)
    a = found.arrivals
    assert a.rate_rps is not None
    assert a.cv is not None
    assert (f"{a.rate_rps:.2f}", a.peak_per_s, f"{a.cv:.2f}", f"{a.fano:.2f}") == ("3.40", 28, "3.03", "7.89")
    assert (found.rows, round(found.span_s)) == (12_031, 3_537)
    lengths = found.input_tokens, found.output_tokens
    quantiles = [value for law in lengths for value in (law.p50, law.p99, law.max)]
    assert quantiles == pytest.approx([6_909, 85_400, 126_195, 350, 1_119, 2_000], abs=0.51)
    assert found.reuse is not None
    assert f"{found.reuse.infinite:.1%}" == "36.6%"
    assert {size: f"{rate:.1%}" for size, rate in found.reuse.lru} == {
        1_000: "4.5%",
        5_000: "11.2%",
        10_000: "21.2%",
        30_000: "32.6%",
        50_000: "35.5%",
        100_000: "36.4%",
        300_000: "36.6%",
    }
    assert len(found.warnings) == 1
    assert "quantised to 3 s" in found.warnings[0]
    spread = stats(dequantize(trace, "uniform"))
    assert spread.arrivals.cv == pytest.approx(1.01, abs=0.02)
    assert spread.arrivals.peak_per_s == pytest.approx(14, abs=2)
    assert spread.reuse == found.reuse


def test_weka(shared: Find) -> None:
    path = shared("traces/weka/weka_cc_traces_710.parquet")
    found = stats(read(path))
    assert found.rows == 49_334
    lengths = found.input_tokens, found.output_tokens
    quantiles = [value for law in lengths for value in (law.p50, law.p99, law.max)]
    assert quantiles == pytest.approx([103_659, 498_519, 894_371, 216, 3_686, 18_195], abs=0.51)
    assert found.reuse is not None
    assert f"{found.reuse.infinite:.1%}" == "96.3%"
    assert found.sessions is not None
    assert (found.sessions.sessions, found.sessions.turns_p50, found.sessions.turns_max) == (710, 45, 561)
    assert found.sessions.think_p50_s == pytest.approx(10, abs=0.5)
