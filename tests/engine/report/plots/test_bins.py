"""The arithmetic of the plots, by numbers that can be worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.engine.report.plots.axis import is_wide, limits, number
from tokentape.engine.report.plots.bins import (
    cdf,
    in_flight,
    length_edges,
    per_second,
    time_edges,
    weighted_quantiles,
)


@pytest.mark.parametrize(
    ("span_s", "most", "width", "last"),
    [(10, 60, 0.2, 10), (12, 60, 0.2, 12), (12.1, 60, 0.5, 12.5), (3600, 60, 100, 3600), (0, 60, 0.00002, 0.001),
     (7, 7, 1, 7), (1, 1, 1, 1)],
)  # fmt: skip
def test_time_bins_have_round_widths_and_cover_the_run(span_s: float, most: int, width: float, last: float) -> None:
    edges = time_edges(span_s, most)
    assert edges[0] == 0
    assert edges[1] == pytest.approx(width)
    assert edges[-1] == pytest.approx(last)
    assert len(edges) - 1 <= most


@given(st.floats(1e-3, 1e6), st.integers(1, 200))
def test_any_span_is_covered_by_few_bins(span_s: float, most: int) -> None:
    edges = time_edges(span_s, most)
    assert edges[-1] >= span_s * (1 - 1e-9)
    assert 1 <= len(edges) - 1 <= most


def test_rates_are_per_second_whatever_the_bin() -> None:
    times = np.array([0.0, 0.1, 0.6, 1.0, np.nan])
    assert per_second(times, np.array([0.0, 0.5, 1.0])).tolist() == [4.0, 4.0]


def test_requests_in_flight_have_a_mean_and_a_peak() -> None:
    # One from 0 to 2; two from 1 to 2; one from 2, when the others end, to 3.
    starts, ends = np.array([0.0, 1.0, 1.0, 2.0]), np.array([2.0, 2.0, 2.0, 3.0])
    mean, peak = in_flight(starts, ends, np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert mean.tolist() == [1.0, 3.0, 1.0, 0.0]
    assert peak.tolist() == [1.0, 3.0, 1.0, 0.0]
    mean, peak = in_flight(starts, ends, np.array([0.0, 4.0]))
    assert mean.tolist() == [(2 + 1 + 1 + 1) / 4]
    assert peak.tolist() == [3.0]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12))
def test_in_flight_is_what_counting_gives(spans: list[tuple[int, int]]) -> None:
    starts = np.array([float(min(span)) for span in spans])
    ends = np.array([float(max(span)) for span in spans])
    edges = np.arange(0.0, 45.0, 5.0)
    mean, peak = in_flight(starts, ends, edges)
    for place in range(len(edges) - 1):
        # Between whole numbers nothing changes.
        open_at = [sum(a <= t < b for a, b in zip(starts, ends, strict=True)) for t in edges[place] + np.arange(5)]
        assert mean[place] == pytest.approx(sum(open_at) / 5)
        assert peak[place] >= max(open_at)


def test_a_distribution_ends_below_one_when_requests_failed() -> None:
    x, share = cdf(np.array([3.0, 1.0, 2.0]), infinite=1)
    assert x.tolist() == [1, 2, 3]
    assert share.tolist() == [0.25, 0.5, 0.75]


def test_a_thinned_distribution_keeps_its_ends_and_its_tail() -> None:
    values = np.random.default_rng(1).permutation(100_000).astype(np.float64)
    x, share = cdf(values, most=1000)
    assert len(x) <= 1000
    assert (x[0], x[-1]) == (0, 99_999)
    assert x[-500:].tolist() == list(range(99_500, 100_000))
    assert np.array_equal(share, (x + 1) / 100_000)


def test_quantiles_of_counts_are_the_centres_of_their_bins() -> None:
    counts = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    found = weighted_quantiles(counts, np.array([10.0, 20.0, 30.0]), [0.25, 0.5, 0.75, 1.0])
    assert found[0].tolist() == [10, 20, 20, 30]
    assert np.isnan(found[1]).all()
    assert found[2].tolist() == [20, 20, 20, 20]


@pytest.mark.parametrize("log", [False, True])
@given(lengths=st.lists(st.integers(1, 10_000), min_size=1, max_size=20), most=st.integers(1, 40))
def test_every_length_has_one_bin(log: bool, lengths: list[int], most: int) -> None:
    values = np.array(lengths, np.float64)
    edges = length_edges(values, most, log)
    assert len(edges) - 1 <= most
    assert (np.diff(edges) >= 1).all()
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_axes_are_logarithmic_when_samples_are_far_apart() -> None:
    assert limits([np.array([1.0, 100.0])])[2]
    low, high, log = limits([np.array([50.0, 60.0]), np.array([np.nan, np.inf])])
    assert not log
    assert 0 < low < 50
    assert 60 < high < 80
    low, high, log = limits([np.array([10.0])])
    assert (low, high) == pytest.approx((9.0, 11.0))
    assert limits([np.array([10.0, 100.0])])[0] == 0
    assert limits([]) == (0.0, 1.0, False)


def test_lengths_are_on_a_log_axis_when_many_are_far_apart() -> None:
    normal = np.random.default_rng(1).normal(550, 100, 1000)
    assert not is_wide(np.append(normal, 1.0))
    assert is_wide(np.append(normal, 10_000.0))
    assert is_wide(np.random.default_rng(1).lognormal(6, 0.8, 1000))
    assert not is_wide(np.array([550.0]))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346"),
     (math.inf, "failed")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
