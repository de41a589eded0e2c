"""Arrival processes and rates over time, tested without a clock."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.engine.errors import UserError
from tokentape.engine.plan import Segment, arrivals, constant_rate, ramp
from tokentape.engine.plan.rate_series import read_rate_series

S = 10**9


def _draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_constant_arrivals_are_exact() -> None:
    due_ns = arrivals(constant_rate(1000), "constant", _draws(), count=10_000)
    assert due_ns.tolist() == [row * 1_000_000 for row in range(10_000)]


def test_a_duration_is_as_many_requests_as_are_due_in_it() -> None:
    assert len(arrivals(constant_rate(20), "constant", _draws(), duration_ns=60 * S)) == 1200
    assert len(arrivals(constant_rate(3), "constant", _draws(), duration_ns=S)) == 3
    assert arrivals(constant_rate(3), "constant", _draws(), duration_ns=S + 1)[-1] == S


def test_the_shorter_of_count_and_duration_ends_it() -> None:
    assert len(arrivals(constant_rate(10), "poisson", _draws(), count=5, duration_ns=60 * S)) == 5
    assert len(arrivals(constant_rate(10), "constant", _draws(), count=500, duration_ns=S)) == 10


def _ks_exponential(gaps_s: np.ndarray, rate: float) -> float:
    """Distance of the empirical law of gaps from the exponential one."""
    ordered = np.sort(gaps_s)
    law = 1 - np.exp(-rate * ordered)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.abs(law - steps[1:]).max(), np.abs(law - steps[:-1]).max()))


@pytest.mark.parametrize("seed", range(5))
def test_poisson_gaps_are_exponential(seed: int) -> None:
    due_ns = arrivals(constant_rate(1000), "poisson", _draws(seed), count=10_001)
    # 1.95/sqrt(n): a true exponential law exceeds it once in a thousand draws (Kolmogorov's limit law)
    assert _ks_exponential(np.diff(due_ns) / S, 1000) < 1.95 / np.sqrt(10_000)


@pytest.mark.parametrize(("burstiness", "variation"), [(0.25, 2.0), (1.0, 1.0), (4.0, 0.5)])
def test_burstiness_is_the_variation_of_the_gaps(burstiness: float, variation: float) -> None:
    due_ns = arrivals(constant_rate(50), "gamma", _draws(1), count=100_000, burstiness=burstiness)
    gaps = np.diff(due_ns)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.03)
    assert gaps.mean() == pytest.approx(S / 50, rel=0.03)


def test_a_ramp_has_half_its_requests_while_it_rises() -> None:
    due_ns = arrivals(ramp(100, 10), "constant", _draws(), duration_ns=20 * S)
    assert len(due_ns) == 500 + 1000
    assert (due_ns < 10 * S).sum() == 500
    # the integral of 10 t up to 5 s
    assert (due_ns < 5 * S).sum() == 125
    assert np.diff(due_ns[600:]).min() == np.diff(due_ns[600:]).max() == 10_000_000


def test_steps_rise_in_equal_parts() -> None:
    due_ns = arrivals(ramp(100, 10, 4), "constant", _draws(), duration_ns=12 * S)
    starts_ns = np.arange(5) * 2_500_000_000
    counts = np.diff(np.searchsorted(due_ns, starts_ns))
    assert counts.tolist() == pytest.approx([62, 125, 188, 250], abs=1)
    assert (due_ns >= 10 * S).sum() == 200


@given(
    rates=st.lists(st.floats(0, 1000), min_size=1, max_size=6),
    process=st.sampled_from(["constant", "poisson", "gamma"]),
    seed=st.integers(0, 100),
)
def test_any_series_gives_ascending_times_within_the_duration(rates: list[float], process: str, seed: int) -> None:
    segments = [Segment(1.0, one, other) for one, other in pairwise(rates)]
    segments += constant_rate(rates[-1])
    try:
        due_ns = arrivals(segments, process, _draws(seed), duration_ns=5 * S, burstiness=0.7)  # type: ignore[arg-type]
    except UserError:
        assert sum(segment.requests for segment in segments[:-1]) + 5 * rates[-1] < 20
        return
    assert (np.diff(due_ns) >= 0).all()
    assert due_ns[0] >= 0
    assert due_ns[-1] < 5 * S


def test_a_silence_within_a_series_has_no_requests() -> None:
    segments = [Segment(1, 10, 10), Segment(1, 0, 0), *constant_rate(10)]
    due_ns = arrivals(segments, "constant", _draws(), count=30)
    assert ((due_ns >= S) & (due_ns < 2 * S)).sum() == 0
    assert due_ns[9] < S
    assert due_ns[10] == 2 * S


def test_rates_that_end_too_early_say_how_far_they_go() -> None:
    with pytest.raises(UserError, match="end after 10 requests, but 30 are requested"):
        arrivals([Segment(1, 10, 10), *constant_rate(0)], "constant", _draws(), count=30)


def test_too_many_and_none() -> None:
    with pytest.raises(UserError, match="too many for one plan"):
        arrivals(constant_rate(1e6), "constant", _draws(), duration_ns=3600 * S)
    with pytest.raises(UserError, match="no request is due"):
        arrivals([Segment(5, 0, 0), *constant_rate(1)], "constant", _draws(), duration_ns=2 * S)


def test_a_series_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("time_s,requests_per_s\n0,10\n2,0\n3.5,40\n")
    segments = read_rate_series(path)
    assert segments == [Segment(2, 10, 10), Segment(1.5, 0, 0), Segment(np.inf, 40, 40)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "first line must be time_s,requests_per_s"),
        ("time_s,rate\n0,1\n", "first line must be"),
        ("time_s,requests_per_s\n", "has no rates"),
        ("time_s,requests_per_s\n5,1\n", "line 2: the series starts at 5 s"),
        ("time_s,requests_per_s\n0,1\n0,2\n", "line 3: time 0 is not after the time before it, 0"),
        ("time_s,requests_per_s\n0,1\n1,x\n", "line 3: '1,x' is not TIME,RATE"),
        ("time_s,requests_per_s\n0,-1\n", "line 2: times and rates"),
        ("time_s,requests_per_s\n0,0\n", "all rates are 0"),
        ("time_s,requests_per_s\n0,nan\n", "line 2: times and rates must be finite"),
    ],
)
def test_bad_series_are_told_by_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=problem):
        read_rate_series(path)


def test_a_series_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: cannot be read: No such file"):
        read_rate_series(tmp_path / "none.csv")
