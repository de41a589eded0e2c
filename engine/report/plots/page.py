"""The page of every plot: title, line on the samples, axes, and facts of the run; and writing its files.

Figures are made without pyplot, so no display is needed and no state is kept between figures.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from .axis import tick
from .plotted_tape import Run

# The palette of Okabe and Ito (Color Universal Design, 2008), distinguishable with every kind of colour vision.
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
RED: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
GREY: Final = "#6B6B6B"
PALE: Final = "#E4E4E4"
OF_RUNS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#000000")
"""Colours of tapes, one each. Only failures are RED."""

WIDTH_IN: Final = 10.0
DPI: Final = 150
MOST_MARKERS: Final = 2000
"""Number of points above which a layer of an SVG is rasterized."""
HEAT: Final = "viridis_r"
"""Colour map of densities; its lightness increases monotonically."""
_LINE_IN: Final = 0.17
_STYLE: Final[Any] = {  # the type differs between versions of matplotlib
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
    "svg.hashsalt": "tokentape",  # otherwise the ids in an SVG change with each run
    "svg.fonttype": "path",
    "path.simplify": True,
}


def save(
    title: str,
    draw: Callable[[Figure, Sequence[Run]], str],
    runs: Sequence[Run],
    path: Path,
    formats: Sequence[str],
) -> list[Path]:
    """Draw one plot and write it in each format.

    Args:
        title: Title with the unit.
        draw: Draws the runs into the figure and returns a line on the samples.
        runs: One or more runs that have data for this plot.
        path: Path without suffix.
        formats: png or svg, or both.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc would override the settings below
        matplotlib.rcParams.update(_STYLE)
        layout = ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05)
        figure = Figure(figsize=(WIDTH_IN, 6.0), layout=layout)
        said = wrap(draw(figure, runs), 140)
        ran = [line for run in runs for line in wrap(run.footer, 185)[:2]]
        height = float(figure.get_figheight())
        top, bottom = 0.5 + _LINE_IN * 1.15 * len(said) + 0.08, 0.12 + _LINE_IN * len(ran)
        layout.set(rect=(0.008, bottom / height, 0.984, 1 - (top + bottom) / height))
        figure.text(0.02, 1 - 0.14 / height, title, fontsize=15, fontweight="bold", va="top")
        for place, line in enumerate(said):
            y = 1 - (0.5 + _LINE_IN * 1.15 * place) / height
            figure.text(0.02, y, line, fontsize=9.5, color="#444444", va="top")
        for place, line in enumerate(reversed(ran)):
            figure.text(0.02, (0.1 + _LINE_IN * place) / height, line, fontsize=7.5, color=GREY, va="bottom")
        layout.execute(figure)
        figure.set_layout_engine("none")  # lay it out once, not for each format
        files = [path.with_name(f"{path.name}.{format_}") for format_ in formats]
        for file in files:
            # Without date and version in the file the same tape gives the same bytes.
            metadata = {"Software": None} if file.suffix == ".png" else {"Date": None, "Creator": "tokentape"}
            figure.savefig(file, format=file.suffix[1:], metadata=metadata)
    return files


def panels(figure: Figure, runs: Sequence[Run], height_in: float = 6.0) -> list[Axes]:
    """Return one axes per run, below each other with a shared x axis; several runs are titled with their names."""
    if len(runs) > 1:
        figure.set_figheight(2.0 + 2.6 * len(runs))
    else:
        figure.set_figheight(height_in)
    made: list[Axes] = list(figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0])
    if len(runs) > 1:
        for axes, run in zip(made, runs, strict=True):
            axes.set_title(run.name, loc="right", fontsize=10, fontweight="bold")
    return made


def legend_above(axes: Axes, columns: int = 4) -> None:
    """Add a legend above the axes, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        # matplotlib fills a legend by columns; people read it by rows.
        columns = min(columns, len(handles))
        order = [place for first in range(columns) for place in range(first, len(handles), columns)]
        axes.legend(
            [handles[place] for place in order],
            [labels[place] for place in order],
            loc="lower left",
            bbox_to_anchor=(-0.005, 1.0),
            ncols=columns,
            borderaxespad=0.2,
            handlelength=1.6,
            columnspacing=1.6,
        )


def colour_bar(figure: Figure, axes: Axes, mesh: QuadMesh, what: str) -> None:
    """Add a colour bar for a density, labelled in plain numbers."""
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    log = isinstance(mesh.norm, LogNorm)
    bar.set_label(what + (", log scale" if log else ""))
    if log:
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        bar.ax.yaxis.set_minor_locator(NullLocator())
    else:
        bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(tick))


def heat_norm(most: float) -> Normalize:
    """Return the colour scale of counts from 1 to `most`: logarithmic for a wide range."""
    return LogNorm(1, most) if most > 50 else Normalize(1, max(most, 2))


def shade_warmup(axes: Axes, runs: Sequence[Run], *, named: bool = True) -> None:
    """Shade the time before the main phase in grey, with an entry in the legend."""
    ends = [run.warmup_end_s for run in runs if run.warmup_end_s is not None]
    if ends:
        axes.axvspan(0, max(ends), color="#000000", alpha=0.08, lw=0, label="warm-up" if named else None)
