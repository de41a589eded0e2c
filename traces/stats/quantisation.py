"""Statistics of arrivals and lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FINE_NS = 10**7  # requests that share a timestamp of a finer grid did arrive together


def quantile(values: NDArray[Any], q: float) -> float:
    """The q-quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996).

    Args:
        values: At least one number.
        q: 0 to 1.
    """
    return float(np.quantile(values, q))


@dataclass(frozen=True)
class Quantisation:
    """Timestamps that lie on a coarse grid.

    Attributes:
        quantum_ns: The grid's step: a frequent gap between distinct timestamps.
        rows: All timestamps.
        distinct: Different ones among them.
        most_at_once: How many rows share the most crowded one.
    """

    quantum_ns: int
    rows: int
    distinct: int
    most_at_once: int


def quantisation(arrival_ns: NDArray[np.int64]) -> Quantisation | None:
    """Find out whether a recorder rounded its timestamps so coarsely that requests fall together.

    Two things must hold: there are at most nine distinct timestamps to ten rows, and nine tenths of the gaps
    between distinct timestamps are whole multiples of a frequent one, within a thousandth of it (Mooncake's
    3 s grid is written in milliseconds and wavers by one). The ten most frequent gaps are tried, and
    only steps of 10 ms and more count.

    Args:
        arrival_ns: Ascending int64 nanoseconds.

    Returns:
        None for timestamps fine enough to replay as they are, and for fewer than 20 rows or 5 distinct ones.
    """
    if len(arrival_ns) < 20:
        return None
    distinct, counts = np.unique(arrival_ns, return_counts=True)
    if len(distinct) < 5 or len(distinct) > 0.9 * len(arrival_ns):
        return None
    gaps = np.diff(distinct)
    sizes, frequency = np.unique(gaps, return_counts=True)
    for size in sizes[np.argsort(-frequency, kind="stable")][:10].tolist():
        waver = size // 1000
        off = np.abs(gaps - np.round(gaps / size).astype(np.int64) * size)
        on_grid = (gaps >= size - waver) & (off <= waver)
        if size >= FINE_NS and np.count_nonzero(on_grid) >= 0.9 * len(gaps):
            return Quantisation(size, len(arrival_ns), len(distinct), int(counts.max()))
    return None
