"""Box plots of latencies: a box for each run and zero point, with samples as dots below and numbers above."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...measure.percentiles import exact_percentiles, needed_samples
from .axis import counted, dot_size, limits, number, set_scale
from .page import BLUE, MOST_MARKERS, OF_RUNS, ORANGE, RED, legend_above
from .plotted_tape import Run

Floats = NDArray[np.float64]

PERCENTILES: Final = (5.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0)
MOST_DOTS: Final = 5000
"""Maximum number of dots below a box; more samples are thinned evenly."""


@dataclass(frozen=True)
class Box:
    """Numbers of one box, in ms; failures count as infinitely slow."""

    label: str
    run: str
    """Label of the box, if there are several runs."""
    samples_ms: Floats
    """Finite samples, in the order of the requests."""
    failed: int
    percentiles: dict[float, float | None]
    """Percentiles; None: too few samples, inf: the percentile falls among the failures."""

    @property
    def count(self) -> int:
        """Number of samples, failed ones included."""
        return len(self.samples_ms) + self.failed

    @property
    def numbers(self) -> str:
        """Return the text of the percentiles and the maximum."""
        parts = []
        for p in (50.0, 90.0, 95.0, 99.0):
            value = self.percentiles[p]
            parts.append(f"p{p:g} " + (f"n/a (needs {needed_samples(p)})" if value is None else _ms(value)))
        parts.append(f"max {_ms(np.inf if self.failed else float(self.samples_ms.max()))}")
        return "   ".join(parts)


def box(label: str, values_ns: Floats, run: str = "") -> Box:
    """Return the box of a latency with one value per request: NaN if not applicable, inf for a failure.

    A percentile needs as many samples as in the summary.
    """
    finite = values_ns[np.isfinite(values_ns)] / 1e6
    failed = int(np.isinf(values_ns).sum())
    found = exact_percentiles(finite.copy(), PERCENTILES, failed) if len(finite) + failed else []
    enough = {
        p: value if len(finite) + failed >= needed_samples(p) else None
        for p, value in zip(PERCENTILES, found, strict=True)
    }
    return Box(label, run, finite, failed, enough)


def _ms(value: float) -> str:
    return f"{number(value)} ms" if np.isfinite(value) else "failed"


def two_boxes(runs: Sequence[Run], values_ns: Callable[[Run, str], Floats]) -> tuple[list[Box], list[str]]:
    """Return two boxes for each run, from schedule and from send, and their colours: by zero point for one run, by run
    for several."""
    made, colours = [], []
    for place, run in enumerate(runs):
        for basis, own in (("schedule", ORANGE), ("send", BLUE)):
            name = f"{run.name}\nfrom {basis}" if len(runs) > 1 else f"from {basis}"
            made.append(box(name, values_ns(run, basis), run.name if len(runs) > 1 else ""))
            colours.append(OF_RUNS[place] if len(runs) > 1 else own)
    return made, colours


def draw_boxes(figure: Figure, boxes: Sequence[Box], colours: Sequence[str], what: str) -> str:
    """Draw boxes below each other on one axis in ms; return a line on the samples.

    Args:
        what: Label of the axis, with the unit.
    """
    figure.set_figheight(1.9 + 1.25 * len(boxes))
    axes = figure.add_subplot()
    low, high, log = limits(box.samples_ms for box in boxes)
    failing = any(box.failed for box in boxes)
    set_scale(axes, "x", low, high * (1.3 if failing and log else 1.06 if failing else 1), log)
    edge = axes.get_xlim()[1]
    thinned = False
    for row, (one, colour) in enumerate(zip(boxes, colours, strict=True)):
        _draw_box(axes, row, one, colour, edge)
        step = -(-len(one.samples_ms) // MOST_DOTS)
        thinned |= step > 1
        dots = one.samples_ms[::step]
        many = len(dots) * len(boxes) > MOST_MARKERS
        # A low-discrepancy sequence instead of random numbers: the picture is reproducible.
        height = row + 0.3 + 0.14 * np.mod(np.arange(len(dots)) * 0.6180339887, 1.0)
        axes.plot(
            dots,
            height,
            ".",
            ms=dot_size(len(dots)) / 1.5,
            color=colour,
            alpha=0.45,
            mew=0,
            rasterized=many,
            zorder=2,
        )
        axes.text(
            0.004, row - 0.3, one.numbers, transform=axes.get_yaxis_transform(), va="bottom", fontsize=9.5, zorder=5
        )
    for label, marker, line in (
        ("box p25 to p75", "s", ""),
        ("median", "|", ""),
        ("whiskers p5 and p95", "", "-"),
        ("p99", "D", ""),
        ("dots: requests", ".", ""),
    ):
        axes.plot([], [], marker=marker or "None", ls=line or "None", color="#444444", ms=7, label=label)
    if failing:
        axes.plot([], [], "x", color=RED, mew=2, label="failed")
    legend_above(axes, 6)
    axes.set_yticks(range(len(boxes)), [one.label for one in boxes])
    axes.set_ylim(len(boxes) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(what + (", log scale" if log else ""))
    said = "; ".join(
        (f"{one.run}: " if one.run else "")
        + counted(one.count, "request")
        + (f", {one.failed:,} failed" if one.failed else "")
        for one in boxes[::2]  # both boxes of a run have the same requests
    )
    if failing:
        said += ". A failure counts as slower than all others"
    return said + (f". At most {MOST_DOTS:,} dots a row, evenly chosen." if thinned else ".")


def _draw_box(axes: Axes, row: int, one: Box, colour: str, edge: float) -> None:
    """Return the position of a percentile; one that falls among the failures is drawn at the edge."""
    at = {p: None if v is None else min(v, edge) for p, v in one.percentiles.items()}
    half = 0.16
    low, first, median, third, high = (at[p] for p in (5.0, 25.0, 50.0, 75.0, 95.0))
    if first is not None and third is not None:
        axes.barh(row, third - first, 2 * half, left=first, color=colour, alpha=0.35, ec=colour, lw=1.4, zorder=3)
        for end, start in ((low, first), (high, third)):
            if end is not None:
                axes.hlines(row, min(start, end), max(start, end), color=colour, lw=1.6, zorder=3)
                axes.vlines(end, row - half / 2, row + half / 2, color=colour, lw=1.6, zorder=3)
    if median is not None:
        axes.vlines(median, row - half, row + half, color="#000000", lw=2.4, zorder=4)
    if at[99.0] is not None and at[99.0] < edge:
        axes.plot(at[99.0], row, "D", color=colour, ms=6, mec="#000000", mew=0.6, zorder=4)
    if one.failed:
        axes.plot(edge, row, "x", color=RED, ms=9, mew=2.5, clip_on=False, zorder=5)
        axes.annotate(
            f"{one.failed:,} failed",
            (edge, row),
            xytext=(0, 9),
            textcoords="offset points",
            color=RED,
            ha="right",
            fontsize=9,
            fontweight="bold",
        )
