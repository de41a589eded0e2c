"""Gaps between tokens over the output position: quantile bands, and how many samples each position has."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ..axis import counted, limits, round_ticks, set_scale, tick
from ..bins import weighted_quantiles
from ..event_bins import GAP_CENTRES_NS, EventGrid
from ..page import BLUE, OF_RUNS, ORANGE, legend_above
from ..plotted_tape import Run, what_gaps_are_between

Floats = NDArray[np.float64]

TITLE: Final = "Latency between tokens over the output position, ms"
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_STEPS: Final = 60
_LEAST: Final = {0.05: 20, 0.25: 4, 0.5: 1, 0.75: 4, 0.95: 20, 0.99: 100}
"""Samples that a position needs for a quantile, so that the quantile differs from the extremes."""


def bands(grid: EventGrid) -> tuple[Floats, Floats, Floats]:
    """Return quantiles of the gaps over the positions, in at most MOST_STEPS bins.

    Returns:
        Edges of the bins, samples in each bin, and bins x QUANTILES in ms; NaN with too few samples.
    """
    step = -(-len(grid.counts) // MOST_STEPS)
    starts = np.arange(0, len(grid.counts), step)
    merged = np.add.reduceat(grid.counts, starts, axis=0)
    edges = np.append(grid.position_edges[starts], grid.position_edges[-1])
    counts = merged.sum(axis=1)
    found = weighted_quantiles(merged, GAP_CENTRES_NS, QUANTILES) / 1e6
    for place, q in enumerate(QUANTILES):
        found[counts < _LEAST[q], place] = np.nan
    return edges, counts, found


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if run.events.samples else "no request received two tokens at different times"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    figure.set_figheight(7.0)
    grid = figure.add_gridspec(2, 1, height_ratios=(4, 1))
    upper = figure.add_subplot(grid[0])
    lower = figure.add_subplot(grid[1], sharex=upper)
    found = [bands(run.events) for run in runs]
    low, high, log = limits(quantiles if len(runs) == 1 else quantiles[:, [2, 4]] for _, _, quantiles in found)
    set_scale(upper, "y", low, high, log)
    for place, (run, (edges, counts, quantiles)) in enumerate(zip(runs, found, strict=True)):
        colour = OF_RUNS[place] if len(runs) > 1 else BLUE
        name = f"{run.name}: " if len(runs) > 1 else ""
        _draw_bands(upper, edges, np.maximum(quantiles, low), colour, name, alone=len(runs) == 1)
        lower.stairs(counts, edges, color=colour, fill=len(runs) == 1, alpha=0.6 if len(runs) == 1 else 1.0)
    upper.set_xlim(1, max(float(edges[np.flatnonzero(counts)[-1] + 1]) for edges, counts, _ in found) + 0.5)
    upper.tick_params(labelbottom=False)
    between = what_gaps_are_between(runs)
    upper.set_ylabel(f"gap between {between}, ms" + (", log scale" if log else ""))
    legend_above(upper, 4 if len(runs) == 1 else 2)
    lower.set_ylim(bottom=0)
    lower.yaxis.set_major_locator(round_ticks(3, whole=True))
    lower.yaxis.set_major_formatter(FuncFormatter(tick))
    lower.set_ylabel("samples")
    lower.xaxis.set_major_formatter(FuncFormatter(tick))
    lower.set_xlabel(f"position in the output, {between}")
    said = []
    for run, (edges, _, _) in zip(runs, found, strict=True):
        width = edges[1] - edges[0]
        text = (f"{run.name}: " if len(runs) > 1 else "") + f"{run.events.samples:,} gaps"
        text += f" of {counted(len(run.main), 'request')}"
        said.append(text + (f", {width:g} positions to a bin" if width > 1 else ""))
    return (
        ". ".join(said) + ". Fewer requests reach late positions; a quantile is drawn where there are enough samples."
    )


def _draw_bands(axes: Axes, edges: Floats, quantiles: Floats, colour: str, name: str, *, alone: bool) -> None:
    def stepped(quantile: float) -> Floats:
        place = QUANTILES.index(quantile)
        return np.append(quantiles[:, place], quantiles[-1:, place])

    def is_known(quantile: float) -> bool:
        return bool(np.isfinite(stepped(quantile)).any())

    if alone:
        for low, high, alpha, label in ((0.05, 0.95, 0.18, "p5 to p95"), (0.25, 0.75, 0.38, "p25 to p75")):
            if is_known(low):
                band = (edges, stepped(low), stepped(high))
                axes.fill_between(*band, step="post", color=colour, alpha=alpha, lw=0, label=label)
        if is_known(0.99):
            axes.step(edges, stepped(0.99), where="post", color=ORANGE, lw=1.8, label="p99")
    elif is_known(0.95):
        axes.step(edges, stepped(0.95), where="post", color=colour, lw=1.3, ls=":", label=f"{name}p95")
    axes.step(edges, stepped(0.5), where="post", color="#000000" if alone else colour, lw=2, label=f"{name}median")
