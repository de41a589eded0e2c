"""Counting into bins: the arithmetic that several plots share. All of it is pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_BINS: Final = 60
"""Bins of a time axis."""


def time_edges(span_s: float, most: int = MOST_BINS) -> Floats:
    """Edges of bins of a round width (1, 2 or 5 times a power of ten) from 0 to the end of the span or just after.

    Args:
        span_s: Of the run; at least a millisecond is covered.
        most: Bins at most.
    """
    span_s = max(span_s, 1e-3)
    exponent = int(np.floor(np.log10(span_s / most)))
    # As integers over powers of ten, so that an edge is the number that its label says.
    for power in range(exponent, exponent + 3):
        for digit in (1, 2, 5):
            scale = 10.0 ** abs(power)
            bins = int(np.ceil(span_s / (digit * scale if power >= 0 else digit / scale) - 1e-9))
            if bins <= most:
                whole = np.arange(max(bins, 1) + 1, dtype=np.float64) * digit
                return whole * scale if power >= 0 else whole / scale
    raise AssertionError(f"no width for {span_s} s in {most} bins")


def per_second(times_s: Floats, edges_s: Floats) -> Floats:
    """Return events per second in each bin; NaN times are left out, the last edge belongs to the last bin."""
    counts, _ = np.histogram(times_s[np.isfinite(times_s)], edges_s)
    rates: Floats = counts / np.diff(edges_s)
    return rates


def in_flight(starts: Floats, ends: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Mean and peak of how many intervals are open in each bin; one that ends when another begins does not overlap it.

    Args:
        starts, ends: Of the intervals, no NaN, starts <= ends.
        edges: Of the bins, ascending, in the same unit.
    """
    begin, close = np.sort(starts), np.sort(ends)

    def waited(times: Floats) -> Floats:
        """The sum of max(edge - t, 0) over all t, for each edge."""
        before = np.searchsorted(times, edges)
        return before * edges - np.concatenate(([0.0], np.cumsum(times)))[before]

    mean = np.diff(waited(begin) - waited(close)) / np.diff(edges)
    at = np.concatenate([begin, close])
    change = np.concatenate([np.ones(len(begin)), -np.ones(len(close))])
    order = np.argsort(at, kind="stable")
    at, open_after = at[order], np.cumsum(change[order])
    whole = np.flatnonzero(np.append(at[1:] != at[:-1], True)) if len(at) else order  # not half of what is at one time
    at, open_after = at[whole], open_after[whole]
    # Open at the left edge: whatever changed before it or at it.
    place = np.searchsorted(at, edges[:-1], side="right")
    peak = np.concatenate(([0.0], open_after))[place]
    inside = (at >= edges[0]) & (at <= edges[-1])
    bins = np.minimum(np.searchsorted(edges, at[inside], side="right") - 1, len(peak) - 1)
    np.maximum.at(peak, bins, open_after[inside])
    return np.maximum(mean, 0.0), peak


def cdf(values: Floats, infinite: int = 0, most: int = 2000) -> tuple[Floats, Floats]:
    """The empirical distribution: x ascending, and the share of samples <= x.

    Args:
        values: Finite samples, any order.
        infinite: Samples above them all: the curve ends below 1.
        most: Points; of more samples, ranks evenly apart and all of the last 500 are kept.

    Returns:
        x and share, of the same length.
    """
    ordered = np.sort(values)
    ranks = np.arange(len(ordered))
    if len(ordered) > most:
        even = np.linspace(0, len(ordered) - 1, most - 500).astype(np.int64)
        ranks = np.unique(np.concatenate([even, ranks[-500:]]))
    return ordered[ranks], (ranks + 1) / (len(ordered) + infinite)


def weighted_quantiles(counts: Floats, centres: Floats, quantiles: Sequence[float]) -> Floats:
    """Quantiles of samples that were counted into bins, for each row of counts.

    Args:
        counts: rows x bins.
        centres: Of the bins, ascending.
        quantiles: 0 to 1.

    Returns:
        rows x quantiles: the centre of the bin in which the quantile falls; NaN for rows without samples.
    """
    total = counts.sum(axis=1)
    running = np.cumsum(counts, axis=1)
    found = np.full((len(counts), len(quantiles)), np.nan)
    for row in np.flatnonzero(total):
        targets = np.maximum(np.asarray(quantiles) * total[row], 1e-9)
        found[row] = centres[np.searchsorted(running[row], targets - 1e-9 * total[row])]
    return found


def length_edges(lengths: Floats, most: int, log: bool) -> Floats:
    """Edges of bins for whole numbers, half-way between two of them, so that each bin holds as many as its
    neighbours (`log` false) or the same ratio (`log` true, where that is no less than 1)."""
    low, high = float(lengths.min()), float(lengths.max())
    if log:
        raw = np.unique(np.round(np.geomspace(max(low, 1.0), high + 1, most + 1)))
        return raw - 0.5 if len(raw) > 1 else np.array([low - 0.5, high + 0.5])
    width = max(int(np.ceil((high - low + 1) / most)), 1)
    bins = int(np.ceil((high - low + 1) / width))
    return low - 0.5 + width * np.arange(bins + 1, dtype=np.float64)
