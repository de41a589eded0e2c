"""Timeline: a line per request with its scheduled time, send, first token and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ..axis import counted, round_ticks, tick
from ..page import BLUE, MOST_MARKERS, ORANGE, RED, SKY, legend_above, panels, shade_warmup
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Timeline of requests, s"
MOST_LINES: Final = 1500
"""Maximum number of lines: about the number of pixel rows."""
FEW: Final = 150
"""Maximum number of distinguishable lines; with more, a second panel shows how long each request took."""


@dataclass(frozen=True)
class Spans:
    """Lines of a timeline: times in s after the run's start, NaN if missing."""

    place: Floats
    """Index of each request in the order of the schedule, from 0."""
    scheduled: Floats
    sent: Floats
    first_token: Floats
    end: Floats
    failed: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]
    step: int
    """Sampling step: every step-th request is drawn; 1: all requests."""
    failures: "Failures"
    """At most MOST_MARKERS requests, evenly chosen."""


@dataclass(frozen=True)
class Failures:
    """Failed requests: due and end times in s, and indices."""

    scheduled: Floats
    end: Floats
    place: Floats


def spans(run: Run, most: int = MOST_LINES) -> Spans:
    """Return the lines of a run, evenly thinned to at most `most`."""
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
        np.arange(len(order), dtype=np.float64)[::step],
        seconds(every.scheduled[chosen]),
        seconds(every.sent[chosen]),
        seconds(every.first_token[chosen]),
        seconds(end[chosen]),
        every.failed[chosen],
        every.cancelled[chosen],
        step,
        Failures(seconds(every.scheduled[order[failed]]), seconds(last[order[failed]]), failed.astype(np.float64)),
    )


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if len(run.every.scheduled) else "the tape has no requests"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    found = [spans(run) for run in runs]
    dense = len(runs) == 1 and len(found[0].place) > FEW
    if dense:
        figure.set_figheight(9.5)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        made = [upper]
        _draw_durations(lower, found[0])
    else:
        made = panels(figure, runs, 7.5)
        lower = made[-1]
    said = []
    for axes, run, one in zip(made, runs, found, strict=True):
        shade_warmup(axes, [run])
        _draw_waterfall(axes, one, len(run.every.scheduled))
        legend_above(axes, 6)
        bad = int(run.every.failed.sum())
        what = f"{counted(len(run.every.scheduled), 'request')}, {bad:,} failed"
        if run.every.cancelled.any():
            what += f", {int(run.every.cancelled.sum()):,} cancelled"
        if one.step > 1:
            what += f"; one line per {one.step} requests"
            what += ", a mark for each failure" if bad == len(one.failures.place) else ", marks for some failures"
        said.append((f"{run.name}: " if len(runs) > 1 else "") + what)
    lower.set_xlim(0, 1.02 * max(max((run.end_ns - run.start_ns) / 1e9, 1e-3) for run in runs))
    lower.set_xlabel("time since the start of the run, s" + (", at which the request was due" if dense else ""))
    return ". ".join(said) + "."


def _phases(found: Spans) -> list[tuple[Floats, Floats, str, str]]:
    """Return the parts of the lines: from, to, colour, name."""
    first = np.where(np.isnan(found.first_token), found.end, found.first_token)
    return [
        (found.scheduled, found.sent, ORANGE, "scheduled, not yet sent"),
        (found.sent, first, SKY, "sent, no token yet"),
        (found.first_token, found.end, BLUE, "first token to end"),
    ]


def _draw_waterfall(axes: Axes, found: Spans, rows: int) -> None:
    dense = len(found.place) > FEW
    # one line per request, thick if there are few
    width = float(np.clip(420 / max(len(found.place), 1), 0.5, 9.0))
    for start, stop, colour, name in _phases(found):
        there = ~np.isnan(start) & ~np.isnan(stop)
        lines = np.stack([np.stack([start, found.place], 1)[there], np.stack([stop, found.place], 1)[there]], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=width, rasterized=dense))
        if there.any():
            axes.plot([], [], color=colour, lw=5, label=name)
    _mark(axes, found, found.failures.place, found.place)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.yaxis.set_major_locator(round_ticks(8, whole=True))
    axes.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.set_ylabel("request, in order of schedule")


def _draw_durations(axes: Axes, found: Spans) -> None:
    """Draw vertical lines: the time of each step of a request after its due time."""
    for start, stop, colour, _ in _phases(found):
        there = ~np.isnan(start) & ~np.isnan(stop)
        x, low, high = found.scheduled[there], (start - found.scheduled)[there], (stop - found.scheduled)[there]
        lines = np.stack([np.stack([x, low], 1), np.stack([x, high], 1)], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.8, rasterized=True))
    _mark(axes, found, found.failures.end - found.failures.scheduled, found.end - found.scheduled, upright=True)
    axes.autoscale_view()
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(round_ticks(5))
    axes.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.set_ylabel("s after the due time")


def _mark(axes: Axes, found: Spans, failed_y: Floats, y: Floats, *, upright: bool = False) -> None:
    """Mark failed and cancelled requests at their ends."""
    bad = found.failures
    if len(bad.end):
        size = 5.0 if len(bad.end) <= 100 else 3.5 if len(bad.end) <= 300 else 2.2
        x = bad.scheduled if upright else bad.end
        many = len(found.place) > FEW
        axes.plot(x, failed_y, "x", color=RED, mew=size / 3.5, ms=size, label="failed", zorder=4, rasterized=many)
    if found.cancelled.any():
        x = found.scheduled if upright else np.fmax(found.end, found.sent)
        axes.plot(x[found.cancelled], y[found.cancelled], "_" if upright else "|", color="#000000", ms=6, ls="",
                  label="cancelled")  # fmt: skip
