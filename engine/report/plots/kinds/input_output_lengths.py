"""Input against output sequence length: a heat map of the successful requests."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow.compute as pc
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..axis import counted, is_wide, set_scale
from ..bins import length_edges
from ..page import HEAT, colour_bar, heat_norm, legend_above, panels
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Input against output sequence length, tokens"
MOST_CELLS: Final = 40
"""Maximum number of cells along an axis; fewer if there are few requests."""


def lengths(run: Run) -> tuple[Floats, Floats]:
    """Return input and output tokens of the successful requests that have both."""
    main = run.main
    both = pc.and_(pc.is_valid(main["input_tokens"]), pc.greater(pc.fill_null(main["output_tokens"], 0), 0))
    chosen = main.filter(pc.and_(both, pc.equal(main["outcome"], "ok")))
    return (
        chosen["input_tokens"].to_numpy().astype(np.float64),
        chosen["output_tokens"].to_numpy().astype(np.float64),
    )


def cell_edges(lengths: Floats, requests: int) -> Floats:
    """Return the edges of the cells along an axis: equal widths, or equal ratios for widely spread lengths.

    Args:
        lengths: All lengths on the axis.
        requests: Number of requests in one picture; fewer requests give larger cells.
    """
    return length_edges(lengths, int(np.clip(np.sqrt(requests), 10, MOST_CELLS)), is_wide(lengths))


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if len(lengths(run)[0]) else "no successful request has input and output tokens"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    said = []
    found = [lengths(run) for run in runs]
    whole = [np.concatenate([pair[i] for pair in found]) for i in (0, 1)]
    logs = is_wide(whole[0]), is_wide(whole[1])
    most = max(len(inputs) for inputs, _ in found)
    x, y = cell_edges(whole[0], most), cell_edges(whole[1], most)
    for axes, run, (inputs, outputs) in zip(panels(figure, runs), runs, found, strict=True):
        counts, _, _ = np.histogram2d(inputs, outputs, (x, y))
        shown = np.ma.masked_equal(counts.T, 0)
        mesh = axes.pcolormesh(x, y, shown, cmap=HEAT, norm=heat_norm(float(counts.max())), rasterized=True)
        colour_bar(figure, axes, mesh, "requests in the cell")
        for values, line, name in ((inputs, axes.axvline, "input"), (outputs, axes.axhline, "output")):
            middle = float(np.median(values))
            style = "--" if name == "input" else ":"
            line(middle, color="#000000", lw=1.6, ls=style, label=f"median {name} {middle:,.0f}")
        set_scale(axes, "x", *_span(whole[0]), logs[0], whole=True)
        set_scale(axes, "y", *_span(whole[1]), logs[1], whole=True)
        axes.set_ylabel("output tokens" + (", log scale" if logs[1] else ""))
        legend_above(axes)
        said.append((f"{run.name}: " if len(runs) > 1 else "") + f"{counted(len(inputs), 'successful request')}")
        last = axes
    last.set_xlabel("input tokens" + (", log scale" if logs[0] else ""))
    return "; ".join(said) + "."


def _span(lengths: Floats) -> tuple[float, float]:
    low, high = float(lengths.min()) - 0.5, float(lengths.max()) + 0.5
    if is_wide(lengths):
        return max(low, 0.5) / 1.05, high * 1.05
    room = (high - low) * 0.03 + 1.0
    return max(low - room, 0.0), high + room
