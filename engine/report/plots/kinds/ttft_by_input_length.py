"""Time to first token against input sequence length: a dot per request, or a density if there are many."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..axis import counted, dot_size, is_wide, limits, set_scale
from ..bins import length_edges
from ..page import BLUE, HEAT, MOST_MARKERS, ORANGE, RED, colour_bar, heat_norm, legend_above, panels
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Time to first token against input sequence length, ms"
MOST_POINTS: Final = 20_000
LEAST_IN_BIN: Final = 6
LEAST_FOR_P95: Final = 72
"""Samples that a median and a p95 need, as in the summary."""


def samples(run: Run) -> tuple[Floats, Floats, Floats]:
    """Return input tokens and TTFT from send in ms of the requests that received a token, and input tokens of the
    requests that failed before a token."""
    inputs = run.main["input_tokens"].cast("float64").to_numpy()
    if np.isnan(inputs).any():  # a failed request has no server count; use the planned length
        planned = run.main["planned_input_tokens"].cast("float64").to_numpy()
        inputs = np.where(np.isnan(inputs), planned, inputs)
    ttft = run.times.ttft("send") / 1e6
    known = ~np.isnan(inputs)
    got = known & np.isfinite(ttft)
    return inputs[got], ttft[got], inputs[known & np.isinf(ttft)]


def medians(inputs: Floats, ttft: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Return centre, median and p95 (or NaN) of each bin with enough requests."""
    place = np.searchsorted(edges, inputs, side="right") - 1
    rows = []
    for one in range(len(edges) - 1):
        inside = ttft[place == one]
        if len(inside) >= LEAST_IN_BIN:
            tail = np.percentile(inside, 95) if len(inside) >= LEAST_FOR_P95 else np.nan
            rows.append((np.median(inputs[place == one]), np.median(inside), tail))
    found = np.array(rows, np.float64).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if len(samples(run)[1]) else "no request with known input tokens received a token"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    found = [samples(run) for run in runs]
    low, high, log = limits(ttft for _, ttft, _ in found)
    every = np.concatenate([part for inputs, _, failed in found for part in (inputs, failed)])
    wide = is_wide(every)
    edges = length_edges(every, 12, wide)
    said = []
    for axes, run, (inputs, ttft, failed) in zip(panels(figure, runs), runs, found, strict=True):
        first, last = float(edges[0]), float(edges[-1])
        room = (last - first) * 0.03 + 1.0
        span = (first / 1.05, last * 1.05) if wide else (max(first - room, 0.0), last + room)
        set_scale(axes, "x", *span, wide, whole=True)
        set_scale(axes, "y", low, high, log)
        if len(inputs) > MOST_POINTS:
            cells_y = np.geomspace(low, high, 81) if log else np.linspace(low, high, 81)
            counts, x, y = np.histogram2d(inputs, ttft, (length_edges(every, 80, wide), cells_y))
            filled = np.ma.masked_equal(counts.T, 0)
            mesh = axes.pcolormesh(x, y, filled, cmap=HEAT, norm=heat_norm(float(counts.max())), rasterized=True)
            colour_bar(figure, axes, mesh, "requests in the cell")
        else:
            many = len(inputs) > MOST_MARKERS
            size = dot_size(len(inputs)) + 1
            axes.plot(inputs, ttft, ".", ms=size, alpha=0.5, mew=0, color=BLUE, rasterized=many, label="one request")
        at, middle, tail = medians(inputs, ttft, edges)
        if len(at) > 1:
            if np.isfinite(tail).sum() > 1:
                axes.plot(at, tail, "--", color=ORANGE, lw=2, label="p95 of nearby lengths")
            axes.plot(at, middle, "-", color="#000000", lw=2, label="median of nearby lengths")
        if len(failed):
            shown = failed[:: -(-len(failed) // MOST_MARKERS)]
            top = np.full(len(shown), axes.get_ylim()[1])
            axes.plot(
                shown, top, "x", color=RED, mew=1.6, ms=6, clip_on=False, label="failed before a token (upper edge)"
            )
        axes.set_ylabel("TTFT from send, ms" + (", log scale" if log else ""))
        legend_above(axes)
        what = f"{counted(len(inputs), 'request')} with a token"
        if len(failed):
            what += f", {len(failed):,} failed before a token"
        if len(inputs) > MOST_POINTS:
            what += f"; more than {MOST_POINTS:,}, so the colour shows their density"
        said.append((f"{run.name}: " if len(runs) > 1 else "") + what)
        lowest = axes
    lowest.set_xlabel("input tokens" + (", log scale" if wide else ""))
    return ". ".join(said) + "."
