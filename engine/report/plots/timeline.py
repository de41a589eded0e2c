"""Timeline: each request a line from its scheduled time over its send and first token to its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from .axis import round_ticks, tick
from .page import BLUE, MOST_MARKERS, ORANGE, RED, SKY, legend_above, panels, shade_warmup
from .run import Run

Floats = NDArray[np.float64]

TITLE: Final = "Timeline of requests, s"
MOST_LINES: Final = 1500
"""About as many as there are rows of pixels."""


@dataclass(frozen=True)
class Spans:
    """The lines of a timeline: times in s after the run's start, NaN where there is none."""

    place: NDArray[np.int64]
    """0-based, in the order of the schedule."""
    scheduled: Floats
    sent: Floats
    first_token: Floats
    end: Floats
    failed: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]
    step: int
    """Every so-manieth request is there; 1: all of them."""
    failures: tuple[Floats, NDArray[np.int64]]
    """When and at which place each failure ended; at most MOST_MARKERS, evenly chosen."""


def spans(run: Run, most: int = MOST_LINES) -> Spans:
    """The lines of a run, evenly thinned to at most `most`."""
    every = run.every
    order = np.lexsort((np.nan_to_num(every.sent), every.scheduled))
    step = max(-(-len(order) // most), 1)
    chosen = order[::step]

    def seconds(times: Floats) -> Floats:
        return (times - run.start_ns) / 1e9

    end = np.where(np.isnan(every.last_token), every.end, np.fmax(every.end, every.last_token))
    last = np.fmax(np.fmax(every.scheduled, every.sent), end)
    failed = np.flatnonzero(every.failed[order])
    failed = failed[:: -(-len(failed) // MOST_MARKERS) or 1]
    return Spans(
        np.arange(len(order))[::step],
        seconds(every.scheduled[chosen]),
        seconds(every.sent[chosen]),
        seconds(every.first_token[chosen]),
        seconds(end[chosen]),
        every.failed[chosen],
        every.cancelled[chosen],
        step,
        (seconds(last[order[failed]]), failed),
    )


def missing(run: Run) -> str | None:
    """Why there is nothing to draw."""
    return None if len(run.every.scheduled) else "the tape has no requests"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draws it; returns what the samples are."""
    said = []
    for axes, run in zip(panels(figure, runs, 7.5), runs, strict=True):
        found = spans(run)
        rows = len(run.every.scheduled)
        dense = len(found.place) > 150
        # A line for each request, thick when there are few.
        width = float(np.clip(420 / max(len(found.place), 1), 0.5, 9.0))
        shade_warmup(axes, [run])
        first = np.where(np.isnan(found.first_token), found.end, found.first_token)
        for start, stop, colour, name in (
            (found.scheduled, found.sent, ORANGE, "scheduled, not yet sent"),
            (found.sent, first, SKY, "sent, no token yet"),
            (found.first_token, found.end, BLUE, "first token to end"),
        ):
            there = ~np.isnan(start) & ~np.isnan(stop)
            lines = np.stack(
                [np.stack([start, found.place], 1)[there], np.stack([stop, found.place], 1)[there]], axis=1
            )
            axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=width, rasterized=dense))
            if there.any():
                axes.plot([], [], color=colour, lw=5, label=name)
        if len(found.failures[0]):
            axes.plot(*found.failures, "x", color=RED, mew=1.5, ms=5, ls="", label="failed", zorder=4, rasterized=dense)
        if found.cancelled.any():
            ends = np.fmax(found.end, found.sent)[found.cancelled]
            axes.plot(ends, found.place[found.cancelled], "|", color="#000000", ms=6, ls="", label="cancelled")
        span = max((run.end_ns - run.start_ns) / 1e9, 1e-3)
        axes.set_xlim(0, span * 1.02)
        axes.set_ylim(rows - 0.4, -0.6)
        axes.yaxis.set_major_locator(round_ticks(8, whole=True))
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        axes.set_ylabel("request, in order of schedule")
        legend_above(axes, 6)
        bad = int(run.every.failed.sum())
        what = f"{rows:,} requests, {bad:,} failed"
        if found.step > 1:
            what += f"; a line for every {found.step}th"
            what += ", a mark for each failure" if bad == len(found.failures[0]) else ", marks for some failures"
        said.append((f"{run.name}: " if len(runs) > 1 else "") + what)
        last = axes
    last.set_xlabel("time since the start of the run, s")
    return ". ".join(said) + "."
