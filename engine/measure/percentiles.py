"""Exact percentiles, and the number of samples that a percentile needs.

Interpolation is linear between the closest ranks, as numpy does by default: of n sorted samples, the
p-th percentile lies at rank (n - 1) p / 100, counted from 0.

How many samples: the number of samples below the true p-quantile is binomial(n, p), so an interval
between two order statistics covers the quantile with a probability that can be computed, whatever the
distribution (David and Nagaraja, Order Statistics, 7.1). A two-sided 95 % interval leaves 2.5 % on
either side; its upper end exists only if even the largest sample is high enough, P(all n samples below
the quantile) = p^n <= 0.025, and its lower end only if (1 - p)^n <= 0.025. So n >= ln 0.025 / ln p for
the tail above the median: 368 for p99, 3,688 for p99.9.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
CONFIDENCE: Final = 0.95


def needed_samples(percentile: float) -> int:
    """Return the smallest number of samples for a two-sided 95 % interval of a percentile, 0 < percentile < 100.

    6 for p50, 13 for p75, 36 for p90, 72 for p95, 368 for p99, 3,688 for p99.9.
    """
    tail = (1 - CONFIDENCE) / 2
    p = max(percentile, 100 - percentile) / 100
    return math.ceil(math.log(tail) / math.log(p))


def exact_percentiles(
    samples: NDArray[Any], percentiles: Sequence[float] = PERCENTILES, infinite: int = 0
) -> list[float]:
    """Return the percentiles of the samples and of `infinite` further ones that are above all others.

    Args:
        samples: Samples in any order, at least one if `infinite` is 0; reordered in place.
        percentiles: 0 to 100.
        infinite: Number of infinite samples: failed requests.

    Returns:
        One float per percentile, in the samples' unit; `math.inf` if it falls among the infinite samples.
    """
    finite = len(samples)
    last = finite + infinite - 1
    places = [last * p / 100 for p in percentiles]
    ranks = sorted({r for place in places for r in (math.floor(place), math.ceil(place)) if r < finite})
    if ranks:
        samples.partition(ranks)
    values = []
    for place in places:
        low, high = math.floor(place), math.ceil(place)
        if high >= finite:
            values.append(math.inf)
        else:
            below, above = float(samples[low]), float(samples[high])
            values.append(below + (above - below) * (place - low))
    return values


def ks_distance(planned: NDArray[np.int64], actual: NDArray[np.int64], tolerance: int) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples, ignoring shifts of up to `tolerance`.

    The largest height by which one distribution function lies above the other one moved towards it
    by the tolerance; 0 for samples that differ by no more than that.

    Args:
        planned, actual: At least one sample each, in one unit.
    """
    a, b = np.sort(planned), np.sort(actual)

    def above(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
        at = np.searchsorted(x, x, side="right") / len(x)
        other = np.searchsorted(y, x + tolerance, side="right") / len(y)
        return float((at - other).max())

    return max(above(a, b), above(b, a), 0.0)
