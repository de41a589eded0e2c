"""The fidelity's figures against values worked out by hand, and against plain definitions."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from tokentape.engine.measure.fidelity.compare import (
    Reuse,
    compare,
    gap_distance,
    lengths,
    order_violations,
    process,
    rate_error,
    replay_fidelity,
    wasserstein,
)

S = 10**9
MS = 10**6


def times(*seconds: float) -> NDArray[np.int64]:
    return np.array([round(s * S) for s in seconds], np.int64)


# ---- worked out by hand ----------------------------------------------------------------


def test_a_clock_has_no_variation() -> None:
    found = process(times(0, 1, 2, 3, 4))
    assert (found.requests, found.span_s, found.rate_rps, found.peak_per_s) == (5, 4.0, 1.0, 1)
    assert (found.cv, found.fano) == (0.0, 0.0)


def test_bursts_vary() -> None:
    """Gaps 0 0 3 0 0 s: mean 0.6, variance 1.44, CV 2. Bins 3 0 0 3: mean 1.5, variance 2.25, Fano 1.5."""
    found = process(times(0, 0, 0, 3, 3, 3))
    assert found.peak_per_s == 3
    assert found.cv == pytest.approx(2.0)
    assert found.fano == pytest.approx(1.5)


@pytest.mark.parametrize("at", [[], [5.0], [5.0, 5.0, 5.0]])
def test_what_has_no_span_has_no_rate(at: list[float]) -> None:
    found = process(times(*at))
    assert (found.requests, found.rate_rps, found.cv, found.fano) == (len(at), None, None, None)


def test_gaps_that_are_shifted_are_as_far_as_the_shift() -> None:
    found = gap_distance(times(0, 1, 2, 3), times(0, 1.5, 3.0, 4.5))
    assert found is not None
    assert (found.ks, found.ks_beyond_100us, found.wasserstein_ms) == (1.0, 1.0, 500.0)


def test_what_moved_by_less_than_a_tenth_of_a_millisecond_is_told_apart() -> None:
    """One request of five is 60 us late: its gaps are 1.00006 and 0.99994 s, two of four."""
    found = gap_distance(times(0, 1, 2, 3, 4), times(0, 1, 2.00006, 3, 4))
    assert found is not None
    assert (found.ks, found.ks_beyond_100us) == (0.25, 0.0)
    assert found.wasserstein_ms == pytest.approx(0.03)


def test_a_single_request_has_no_gaps() -> None:
    assert gap_distance(times(0), times(0, 1)) is None


def test_the_area_between_samples_of_different_sizes() -> None:
    """{0, 2} and {0, 0, 2, 8}: F - G is 0 up to 2, and 1 - 3/4 from 2 to 8."""
    assert wasserstein(np.array([0, 2]), np.array([0, 0, 2, 8])) == pytest.approx(1.5)


def test_rate_error_by_hand() -> None:
    """Planned 2 2 0 per second, sent 2 1 1: root of (1 + 1) / 3, over a mean of 4/3."""
    planned, sent = times(0.1, 0.2, 1.1, 1.9), times(0.1, 0.2, 1.1, 2.1)
    found = rate_error(planned, sent, 1)
    assert found is not None
    assert found.rmse_rps == pytest.approx(math.sqrt(2 / 3))
    assert found.share == pytest.approx(math.sqrt(2 / 3) / (4 / 3))
    wide = rate_error(planned, sent, 10)
    assert wide is not None and (wide.rmse_rps, wide.share) == (0.0, 0.0)


def test_what_was_never_sent_is_an_error_of_the_rate() -> None:
    found = rate_error(times(0.5, 1.5, 11.5), times(), 10)
    assert found is not None
    assert found.rmse_rps == pytest.approx(math.sqrt((4 + 1) / 2) / 10)
    assert rate_error(times(), times(1), 1) is None


def test_who_overtook() -> None:
    assert order_violations(np.array([1, 2, 2, 3])) == 0
    assert order_violations(np.array([1, 5, 2, 3, 6, 4])) == 3
    assert order_violations(np.zeros(0, np.int64)) == 0


def test_lengths_row_by_row_and_as_samples() -> None:
    planned, got = np.array([100, 200, 300, 400]), np.array([110, 200, 290, 450])
    found = lengths(planned, got, paired=True)
    assert found is not None
    assert (found.requests, found.planned_mean, found.got_mean) == (4, 250.0, 262.5)
    assert found.error == pytest.approx(0.05)
    assert found.absolute_error == pytest.approx(0.07)
    assert (found.equal_share, found.ks) == (0.25, 0.25)
    alone = lengths(planned, np.array([1000]), paired=False)
    assert alone is not None
    assert (alone.error, alone.absolute_error, alone.equal_share, alone.ks) == (3.0, None, None, 1.0)
    assert lengths(np.zeros(0, np.int32), got, paired=False) is None


def test_a_replay_in_whole() -> None:
    planned = times(0, 1, 2, 3)
    sent = planned + np.array([0, MS, 0, 3 * MS])
    found = replay_fidelity(planned, sent, np.array([True, True, False, True]), got_reuse=Reuse(200, 50))
    assert (found.planned.requests, found.got.requests, found.order_violations) == (4, 3, 0)
    assert found.lateness_ms is not None
    assert found.lateness_ms["min"] == 0
    assert found.lateness_ms["p50"] == 1
    assert found.lateness_ms["max"] == 3
    assert [error.bin_s for error in found.rates] == [1, 10]
    assert found.rates[0].rmse_rps == pytest.approx(0.5)
    plain = found.as_dict()
    assert plain["got_reuse"] == {"tokens": 200, "cached_tokens": 50, "share": 0.25}
    assert plain["planned_reuse"] is None


def test_nothing_sent_is_said_without_a_number() -> None:
    found = replay_fidelity(times(0, 1), times(0, 0), np.array([False, False]))
    assert (found.lateness_ms, found.gaps, found.order_violations) == (None, None, 0)
    empty = replay_fidelity(times(), times(), np.zeros(0, np.bool_))
    assert (empty.rates, empty.planned.requests) == ((), 0)


# ---- plain definitions -----------------------------------------------------------------


def _ks(a: Sequence[int], b: Sequence[int]) -> float:
    a, b = sorted(a), sorted(b)
    return max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in {*a, *b})


def _wasserstein(a: Sequence[int], b: Sequence[int]) -> float:
    """By rank, over a common multiple of the sizes."""
    size = math.lcm(len(a), len(b))
    ranks = [[x for x in sorted(s) for _ in range(size // len(s))] for s in (a, b)]
    return sum(abs(x - y) for x, y in zip(*ranks, strict=True)) / size


def _rmse(a: Sequence[int], b: Sequence[int], bin_s: int) -> float:
    counts = [Counter(t // (bin_s * S) for t in series) for series in (a, b)]
    number = max(*a, *b) // (bin_s * S) + 1
    return math.sqrt(sum((counts[0][i] - counts[1][i]) ** 2 for i in range(number)) / number) / bin_s


def _fano(a: Sequence[int]) -> float:
    counts = Counter(t // S for t in a)
    row = [counts[i] for i in range(min(a) // S, max(a) // S + 1)]
    mean = sum(row) / len(row)
    return sum((n - mean) ** 2 for n in row) / len(row) / mean


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n", "m"), [(200, 200), (60, 84)])
def test_random_processes_have_what_the_definitions_say(seed: int, n: int, m: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = (np.cumsum(draw.exponential(0.3 * S, size).astype(np.int64)) for size in (n, m))
    found = compare(a, b)
    gaps = [np.diff(series).tolist() for series in (a, b)]
    assert found.gaps is not None
    assert found.gaps.ks == pytest.approx(_ks(*gaps))
    assert found.gaps.wasserstein_ms == pytest.approx(_wasserstein(*gaps) / 1e6)
    for error in found.rates:
        assert error.rmse_rps == pytest.approx(_rmse(a.tolist(), b.tolist(), error.bin_s))
    assert found.planned.fano == pytest.approx(_fano(a.tolist()))
    mean = sum(gaps[0]) / len(gaps[0])
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps[0]) / len(gaps[0]))
    assert found.planned.cv == pytest.approx(spread / mean)
    assert (found.lateness_ms, found.order_violations) == (None, None)


def test_centuries_need_no_bins() -> None:
    far = times(0, 9_000_000_000)
    found = rate_error(far, far + 1, 1)
    assert found is not None and found.rmse_rps == 0
    assert process(far).fano == pytest.approx(1, abs=1e-6)
