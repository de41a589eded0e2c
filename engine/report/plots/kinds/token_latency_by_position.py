"""Token-to-token latency against output position: a dot per gap, or a density if there are many."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ..axis import LEAST_MS, counted, dot_size, limits, number, set_scale, tick
from ..event_bins import GAP_EDGES_NS, MOST_POINTS, PER_DECADE, EventGrid
from ..page import BLUE, HEAT, MOST_MARKERS, colour_bar, heat_norm, legend_above, panels
from ..plotted_tape import Run, what_gaps_are_between

Floats = NDArray[np.float64]

TITLE: Final = "Token-to-token latency against output position, ms"
_CELLS_PER_DECADE: Final = 32


def cells(grid: EventGrid) -> tuple[Floats, Floats]:
    """Return the grid with fewer bins of gaps, for display.

    Returns:
        Samples (positions x gaps), and the edges of the gaps in ms. Gaps below 1 us are in the first cell, gaps above
        1,000 s in the last.
    """
    step = PER_DECADE // _CELLS_PER_DECADE
    inner = grid.counts[:, 1:-1]
    summed = inner.reshape(len(inner), -1, step).sum(axis=2)
    summed[:, 0] += grid.counts[:, 0]
    summed[:, -1] += grid.counts[:, -1]
    return summed, GAP_EDGES_NS[1:-1][::step] / 1e6


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if run.events.samples else "no request received two tokens at different times"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    said = []
    seen = [_range(run.events) for run in runs]
    low, high, log = limits(seen)
    for axes, run in zip(panels(figure, runs), runs, strict=True):
        grid = run.events
        zeros = int(grid.counts[:, 0].sum())
        set_scale(axes, "y", low, high, log)
        axes.set_xlim(min(1.0, float(grid.position_edges[0])), max(_last(run) for run in runs))
        if grid.points is not None:
            at, gap = grid.points[0], np.maximum(grid.points[1] / 1e6, low)
            many = len(at) > MOST_MARKERS
            size = dot_size(len(at))
            axes.plot(
                at, gap, ".", ms=size, alpha=0.35 if many else 0.6, mew=0, color=BLUE, rasterized=many, clip_on=many
            )
        else:
            counts, edges = cells(grid)
            lowest = max(
                int(np.searchsorted(edges, low, side="right")) - 1, 0
            )  # gaps below the axis are drawn in the first row
            counts[:, lowest] += counts[:, :lowest].sum(axis=1)
            counts[:, :lowest] = 0
            shown = np.ma.masked_equal(counts.T, 0)
            norm = heat_norm(float(counts.max()))
            mesh = axes.pcolormesh(grid.position_edges, edges, shown, cmap=HEAT, norm=norm, rasterized=True)
            colour_bar(figure, axes, mesh, "gaps in the cell")
        for p, style in ((0.5, "-"), (0.95, "--"), (0.99, ":")):
            value = run.gaps.value(f"p{100 * p:g}")
            if value is not None:
                label = f"p{100 * p:g} of all {number(value)} ms"
                axes.axhline(max(value, low), color="#000000", lw=1.4, ls=style, label=label)
        axes.set_ylabel(f"{'gap' if run.per_token else 'gap between chunks'}, ms" + (", log scale" if log else ""))
        legend_above(axes)
        kind = "gaps" if run.per_token else "gaps between chunks (some have an unknown number of tokens)"
        what = f"{grid.samples:,} {kind} of {counted(len(run.main), 'request')}"
        if grid.points is None:
            what += f"; more than {MOST_POINTS:,}, so the colour shows their density"
        if zeros:
            what += f"; {zeros:,} below 1 µs (events read together) are at the lower edge"
        said.append((f"{run.name}: " if len(runs) > 1 else "") + what)
        last = axes
    last.xaxis.set_major_formatter(FuncFormatter(tick))
    last.set_xlabel(f"position in the output, {what_gaps_are_between(runs)}")
    return ". ".join(said) + "."


def _range(grid: EventGrid) -> Floats:
    """Return the smallest and largest gap of at least a microsecond, in ms."""
    found = np.flatnonzero(grid.counts.sum(axis=0)[1:])
    if not len(found):
        return np.array([LEAST_MS, 10 * LEAST_MS])
    return np.array([GAP_EDGES_NS[1 + found[0]], min(GAP_EDGES_NS[2 + found[-1]], 1e12)]) / 1e6


def _last(run: Run) -> float:
    used = np.flatnonzero(run.events.counts.sum(axis=1))
    return float(run.events.position_edges[used[-1] + 1]) + 0.5
