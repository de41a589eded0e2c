"""Statistics of arrivals: rate, burstiness, and the busiest second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECOND_NS = 10**9


@dataclass(frozen=True)
class Arrivals:
    """Statistics of arrivals.

    Attributes:
        rate_rps: Requests over the span from the first arrival to the last; None for a span of 0.
        peak_per_s: The most arrivals in one second of the clock (bins of 1 s from the trace's start).
        cv: Coefficient of variation of the gaps between neighbours: standard deviation over mean. 1 is Poisson's.
            None with fewer than two gaps, or when all are 0.
        fano: Variance over mean of the arrivals per 1 s bin, from the first bin to the last. 1 is Poisson's.
    """

    rate_rps: float | None
    peak_per_s: int
    cv: float | None
    fano: float


def arrivals(arrival_ns: NDArray[np.int64]) -> Arrivals:
    """The statistics of ascending arrivals, at least one of them."""
    span = int(arrival_ns[-1] - arrival_ns[0])
    seconds = arrival_ns // SECOND_NS
    _, counts = np.unique(seconds, return_counts=True)
    bins = int(seconds[-1] - seconds[0]) + 1
    mean = len(arrival_ns) / bins
    variance = float(np.sum(counts.astype(np.float64) ** 2)) / bins - mean**2
    gaps = np.diff(arrival_ns).astype(np.float64)
    return Arrivals(
        rate_rps=len(arrival_ns) / (span / 1e9) if span else None,
        peak_per_s=int(counts.max()),
        cv=float(gaps.std() / gaps.mean()) if len(gaps) > 1 and span else None,
        fano=max(variance, 0.0) / mean,
    )
