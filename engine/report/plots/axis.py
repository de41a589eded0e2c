"""Axes of latencies and lengths: choice of the scale, and labels of the ticks."""

from collections.abc import Iterable
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOG_FROM: Final = 15.0
"""Ratio of the largest to the smallest sample from which a log axis is used."""
LEAST_MS: Final = 1e-3
"""Lower end of a log axis in ms: a microsecond."""


def number(value: float) -> str:
    """Return a number with 3 significant digits below a thousand, and with all integer digits above."""
    if not np.isfinite(value):
        return "failed"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 or not value else f"{value:.2g}"


def tick(value: float, _place: int | None = None) -> str:
    """Return a tick's label: 0.001, 50, 1,000."""
    return f"{value:,.10g}"


def round_ticks(most: int, *, whole: bool = False) -> MaxNLocator:
    """Return ticks at round numbers: 1, 2 or 5 times a power of ten."""
    return MaxNLocator(most, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=1 if whole else 2)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 request, 1,200 requests."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def dot_size(count: int) -> float:
    """Return the size in points of a dot among this number of dots."""
    return 10.0 if count <= 50 else 5.0 if count <= 500 else 4.0 if count <= 2000 else 2.5


def limits(samples: Iterable[Floats]) -> tuple[float, float, bool]:
    """Return the limits of an axis, with a margin, and whether a log axis suits the samples.

    Args:
        samples: Samples in the axis's unit. Non-finite ones are ignored; a log axis ignores those of 0 or less.
    """
    whole = np.concatenate([np.asarray(part, np.float64).ravel() for part in samples] or [np.empty(0)])
    whole = whole[np.isfinite(whole)]
    positive = whole[whole > 0]
    if not len(positive):
        return 0.0, 1.0, False
    low, high = float(positive.min()), float(positive.max())
    if high / low >= LOG_FROM:
        return low / 1.15, high * 1.15, True
    low = min(low, float(whole.min()))
    # Start at zero unless that would crowd all samples at one end. Keep a minimum span, so that noise looks like noise.
    room = max((high - low) * 0.08, (high * 0.2 - (high - low)) / 2)
    return (0.0 if low < 0.6 * high else max(low - room, 0.0)), high + room, False


def is_wide(lengths: Floats) -> bool:
    """Return whether a log axis suits lengths in tokens: the middle 80 %, or these and the largest, are far apart.

    A single short outlier does not cause a log axis.
    """
    low, high = np.percentile(lengths, (10, 90))
    return bool(high >= 5 * max(low, 1.0) or lengths.max() >= 6 * max(high, 1.0))


def set_scale(axes: Axes, which: Literal["x", "y"], low: float, high: float, log: bool, *, whole: bool = False) -> None:
    """Set an axis's limits and its ticks in plain numbers; `whole`: integers only."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        decades = np.log10(high / low)
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades <= 3.2 else (1.0,), numticks=30))
        axis.set_minor_locator(
            NullLocator() if decades > 6 else LogLocator(subs=tuple(np.arange(1.0, 10.0)), numticks=100)
        )
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(round_ticks(8, whole=whole))
    axis.set_major_formatter(FuncFormatter(tick))
    if which == "x":
        axes.set_xlim(low, high)
    else:
        axes.set_ylim(low, high)
