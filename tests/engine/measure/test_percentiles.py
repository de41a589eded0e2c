"""Percentiles against known answers, and the sample sizes against the binomial distribution."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.engine.measure.percentiles import exact_percentiles, ks_distance, needed_samples
from tokentape.engine.measure.statistic import statistic


@pytest.mark.parametrize(
    ("percentile", "needed"), [(50, 6), (75, 13), (90, 36), (95, 72), (99, 368), (99.9, 3688), (1, 368)]
)
def test_needed_samples(percentile: float, needed: int) -> None:
    assert needed_samples(percentile) == needed


@pytest.mark.parametrize("percentile", [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 5.0])
def test_needed_samples_is_the_least_with_both_tails_under_2_5_percent(percentile: float) -> None:
    p, n = percentile / 100, needed_samples(percentile)
    assert max(p**n, (1 - p) ** n) <= 0.025
    assert max(p ** (n - 1), (1 - p) ** (n - 1)) > 0.025


def test_ten_thousand_of_one_and_one_of_a_hundred_thousand() -> None:
    samples = np.array([1.0] * 10_000 + [100_000.0])
    assert exact_percentiles(samples, (50, 99, 99.99, 100)) == [1.0, 1.0, 1.0, 100_000.0]


def test_ranks_are_interpolated_linearly() -> None:
    assert exact_percentiles(np.array([40, 10, 30, 20]), (0, 50, 90, 100)) == [
        10.0,
        25.0,
        pytest.approx(37.0),
        40.0,
    ]


def test_infinite_samples_stand_above_all() -> None:
    values = exact_percentiles(np.arange(9), (50, 80, 90, 100), infinite=1)
    assert values[:2] == [4.5, pytest.approx(7.2)]
    assert values[2:] == [math.inf, math.inf]
    assert exact_percentiles(np.empty(0), (50,), infinite=3) == [math.inf]


@given(
    st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=80),
    st.lists(st.floats(0, 100), min_size=1, max_size=6),
)
def test_percentiles_are_numpys(samples: list[int], percentiles: list[float]) -> None:
    wanted = np.percentile(np.array(samples, np.float64), percentiles)
    assert exact_percentiles(np.array(samples), percentiles) == pytest.approx(wanted.tolist(), rel=1e-9, abs=1e-3)


def test_too_few_samples_say_how_many_are_needed() -> None:
    row = statistic("ttft", "send", "ms", np.arange(367.0))
    assert row.percentiles["p95"] == pytest.approx(347.7)
    assert row.percentiles["p99"] is None
    assert row.notes == {"p99": "needs 368", "p99.9": "needs 3,688"}
    assert statistic("ttft", "send", "ms", np.arange(368.0)).percentiles["p99"] == pytest.approx(363.33)


def test_failed_samples_take_the_high_percentiles() -> None:
    row = statistic("ttft", "send", "ms", np.full(90, 2e6), failed=10, scale=1e-6)
    assert (row.count, row.failed) == (100, 10)
    assert row.percentiles["p75"] == pytest.approx(2.0)
    assert row.percentiles["p95"] is None
    assert row.max is None
    assert row.notes["p95"] == row.notes["max"] == "failed"
    assert row.avg == pytest.approx(2.0)


def test_no_samples_are_no_numbers() -> None:
    row = statistic("itl", None, "ms", np.empty(0))
    assert row.count == 0
    assert {row.value(name) for name in ("avg", "min", "max", "std", "p50", "p99.9")} == {None}


def test_std_is_of_the_population() -> None:
    assert statistic("itl", None, "ms", np.array([2.0, 4, 4, 4, 5, 5, 7, 9])).std == pytest.approx(2.0)


def test_ks_distance_of_known_distributions() -> None:
    a, b = np.array([0, 10, 20, 30]), np.array([0, 10, 120, 130])
    assert ks_distance(a, b, 0) == ks_distance(b, a, 0) == pytest.approx(0.5)
    assert ks_distance(a, a + 5, 5) == 0.0
    assert ks_distance(a, a + 5, 4) == pytest.approx(0.25)
