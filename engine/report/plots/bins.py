"""Counting into bins: pure functions that several plots share."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_BINS: Final = 60
"""Bins of a time axis."""


def time_edges(span_s: float, most: int = MOST_BINS) -> Floats:
    """Return edges of bins with a round width (1, 2 or 5 times a power of ten), from 0 to the end of the span or later.

    Args:
        span_s: Duration of the run; at least a millisecond is covered.
        most: Maximum number of bins.
    """
    span_s = max(span_s, 1e-3)
    exponent = int(np.floor(np.log10(span_s / most)))
    # Integers divided by powers of ten, so that an edge is exactly the number on its label.
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
    """Return the mean and peak number of open intervals in each bin; intervals that only touch do not overlap.

    Args:
        starts, ends: Bounds of the intervals, no NaN, starts <= ends.
        edges: Edges of the bins, ascending, in the same unit.
    """
    begin, close = np.sort(starts), np.sort(ends)

    def waited(times: Floats) -> Floats:
        """Return the sum of max(edge - t, 0) over all t, for each edge."""
        before = np.searchsorted(times, edges)
        return before * edges - np.concatenate(([0.0], np.cumsum(times)))[before]

    mean = np.diff(waited(begin) - waited(close)) / np.diff(edges)
    at = np.concatenate([begin, close])
    change = np.concatenate([np.ones(len(begin)), -np.ones(len(close))])
    order = np.argsort(at, kind="stable")
    at, open_after = at[order], np.cumsum(change[order])
    whole = (
        np.flatnonzero(np.append(at[1:] != at[:-1], True)) if len(at) else order
    )  # all changes at one time are applied together
    at, open_after = at[whole], open_after[whole]
    # Open at the left edge: the sum of all changes up to it.
    place = np.searchsorted(at, edges[:-1], side="right")
    peak = np.concatenate(([0.0], open_after))[place]
    inside = (at >= edges[0]) & (at <= edges[-1])
    bins = np.minimum(np.searchsorted(edges, at[inside], side="right") - 1, len(peak) - 1)
    np.maximum.at(peak, bins, open_after[inside])
    return np.maximum(mean, 0.0), peak


def cdf(values: Floats, infinite: int = 0, most: int = 2000) -> tuple[Floats, Floats]:
    """Return the empirical distribution: x ascending, and the share of samples <= x.

    Args:
        values: Finite samples in any order.
        infinite: Number of infinite samples; with them the curve ends below 1.
        most: Maximum number of points. Of more samples, evenly spaced ranks and all of the last 500 are kept.

    Returns:
        x and share, arrays of the same length.
    """
    ordered = np.sort(values)
    ranks = np.arange(len(ordered))
    if len(ordered) > most:
        even = np.linspace(0, len(ordered) - 1, most - 500).astype(np.int64)
        ranks = np.unique(np.concatenate([even, ranks[-500:]]))
    return ordered[ranks], (ranks + 1) / (len(ordered) + infinite)


def weighted_quantiles(counts: Floats, centres: Floats, quantiles: Sequence[float]) -> Floats:
    """Return quantiles of samples that were counted into bins, for each row of counts.

    Args:
        counts: Counts, rows x bins.
        centres: Centres of the bins, ascending.
        quantiles: Quantiles from 0 to 1.

    Returns:
        Array of rows x quantiles: the centre of the quantile's bin; NaN for rows without samples.
    """
    total = counts.sum(axis=1)
    running = np.cumsum(counts, axis=1)
    found = np.full((len(counts), len(quantiles)), np.nan)
    for row in np.flatnonzero(total):
        targets = np.maximum(np.asarray(quantiles) * total[row], 1e-9)
        found[row] = centres[np.searchsorted(running[row], targets - 1e-9 * total[row])]
    return found


def length_edges(lengths: Floats, most: int, log: bool) -> Floats:
    """Return edges of bins for integers, half-way between two integers. Bins have equal widths, or with `log` equal
    ratios where a bin holds more than one integer."""
    low, high = float(lengths.min()), float(lengths.max())
    if log:
        raw = np.unique(np.round(np.geomspace(max(low, 1.0), high + 1, most + 1)))
        return raw - 0.5 if len(raw) > 1 else np.array([low - 0.5, high + 0.5])
    width = max(int(np.ceil((high - low + 1) / most)), 1)
    bins = int(np.ceil((high - low + 1) / width))
    return low - 0.5 + width * np.arange(bins + 1, dtype=np.float64)
