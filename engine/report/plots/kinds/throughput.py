"""Throughput and concurrency over time: requests per second, output tokens per second, requests in flight."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ..axis import counted, round_ticks, tick
from ..bins import in_flight, per_second
from ..page import BLUE, GREEN, GREY, OF_RUNS, ORANGE, PURPLE, RED, legend_above, shade_warmup
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Throughput (per second) and requests in flight over time"


def rates(run: Run) -> dict[str, Floats]:
    """Return requests per second in each bin of run.edges_s: scheduled, sent, done (succeeded), failed; and tokens."""
    every, edges = run.every, run.edges_s

    def seconds(times: Floats) -> Floats:
        return (times - run.start_ns) / 1e9

    ended = np.fmax(np.fmax(every.end, every.sent), every.scheduled)
    return {
        "scheduled": per_second(seconds(every.scheduled), edges),
        "sent": per_second(seconds(every.sent), edges),
        "done": per_second(seconds(ended[every.ok]), edges),
        "failed": per_second(seconds(ended[every.failed]), edges),
        "tokens": run.events.tokens / np.diff(edges),
    }


def concurrency(run: Run) -> tuple[Floats, Floats]:
    """Return mean and peak of the requests in flight in each bin of run.edges_s, from the send to the last event."""
    every = run.every
    sent = ~np.isnan(every.sent)
    start = (every.sent[sent] - run.start_ns) / 1e9
    end = np.fmax((every.end[sent] - run.start_ns) / 1e9, start)
    return in_flight(start, end, run.edges_s)


def waiting(run: Run) -> Floats | None:
    """Return the mean number of due but unsent requests in each bin of run.edges_s: late, or held back by a limit. None
    if no limit held a request back."""
    every = run.every
    if np.isnan(every.released).all():
        return None
    sent = ~np.isnan(every.sent)
    due = (every.scheduled[sent] - run.start_ns) / 1e9
    return in_flight(due, np.fmax((every.sent[sent] - run.start_ns) / 1e9, due), run.edges_s)[0]


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if np.isfinite(run.every.sent).any() else "no request was sent"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    found = [rates(run) for run in runs]
    tokens = any(rate["tokens"].any() for rate in found)
    figure.set_figheight(8.5 if tokens else 6.5)
    made: list[Axes] = list(figure.subplots(3 if tokens else 2, 1, sharex=True))
    if len(runs) == 1:
        _draw_rates(made[0], runs[0], found[0])
    for place, (run, rate) in enumerate(zip(runs, found, strict=True)):
        colour = OF_RUNS[place] if len(runs) > 1 else GREEN
        edges = run.edges_s
        if len(runs) > 1:
            made[0].stairs(rate["done"], edges, baseline=None, color=colour, lw=2, label=f"{run.name}: succeeded")
            if rate["failed"].any():
                label = "failed" if len(runs) == 1 else f"{run.name}: failed"
                made[0].stairs(rate["failed"], edges, baseline=None, color=colour, lw=1.6, ls=":", label=label)
        if tokens:
            made[1].stairs(
                rate["tokens"], edges, baseline=None, color=colour, lw=2, label=run.name if len(runs) > 1 else None
            )
        mean, peak = concurrency(run)
        own = OF_RUNS[place] if len(runs) > 1 else PURPLE
        name = f"{run.name}: " if len(runs) > 1 else ""
        made[-1].stairs(mean, edges, baseline=None, color=own, lw=2, label=f"{name}mean of the bin")
        queue = waiting(run)
        if queue is not None:
            colour = ORANGE if len(runs) == 1 else own
            made[-1].stairs(queue, edges, baseline=None, color=colour, ls=":", lw=2, label=f"{name}waiting for a limit")
        if len(runs) == 1:
            made[-1].stairs(peak, edges, baseline=None, color=own, lw=1, ls="--", label="peak of the bin")
    made[0].set_ylabel("requests/s")
    if tokens:
        made[1].set_ylabel("output tokens/s")
    made[-1].set_ylabel("requests in flight")
    for axes in made:
        shade_warmup(axes, runs, named=axes is made[0])
        if len(runs) == 1:
            _mark_last_send(axes, runs[0], named=axes is made[0])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(round_ticks(5))
        axes.yaxis.set_major_formatter(FuncFormatter(tick))
        legend_above(axes, 6 if len(runs) == 1 else 4)
    made[-1].set_xlim(0, max(float(run.edges_s[-1]) for run in runs))
    made[-1].set_xlabel("time since the start of the run, s")
    widths = "; ".join((f"{run.name}: " if len(runs) > 1 else "") + _said(run) for run in runs)
    return widths + "."


def _draw_rates(axes: Axes, run: Run, rate: dict[str, Floats]) -> None:
    edges = run.edges_s
    axes.stairs(rate["scheduled"], edges, baseline=None, color=ORANGE, lw=3.5, alpha=0.55, label="scheduled")
    axes.stairs(rate["sent"], edges, baseline=None, color=BLUE, lw=1.4, label="sent")
    axes.stairs(rate["done"], edges, baseline=None, color=GREEN, lw=1.8, label="succeeded")
    if rate["failed"].any():
        axes.stairs(rate["failed"], edges, fill=True, color=RED, zorder=1, label="failed")


def _mark_last_send(axes: Axes, run: Run, *, named: bool) -> None:
    last = (float(np.nanmax(run.every.sent)) - run.start_ns) / 1e9
    axes.axvline(last, color=GREY, ls=(0, (1, 2)), lw=1.4, label="last send" if named else None)


def _said(run: Run) -> str:
    every = run.every
    text = f"{counted(int((~np.isnan(every.sent)).sum()), 'request')} sent"
    if every.failed.any():
        text += f", {int(every.failed.sum()):,} failed"
    if every.cancelled.any():
        text += f", {int(every.cancelled.sum()):,} cancelled"
    return text + f", in bins of {run.edges_s[1] - run.edges_s[0]:g} s"
