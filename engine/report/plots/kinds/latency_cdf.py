"""Cumulative distributions of latencies: TTFT, gaps between tokens, end to end; from schedule and from send."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ....measure.statistic import FAILED, Statistic
from ..axis import LEAST_MS, counted, limits, number, set_scale
from ..bins import cdf
from ..event_bins import GAP_CENTRES_NS, GAP_EDGES_NS
from ..page import BLUE, GREEN, OF_RUNS, ORANGE, RED
from ..plotted_tape import Run, what_gaps_are_between

Floats = NDArray[np.float64]

TITLE: Final = "Cumulative distributions of latencies, ms"
MARKED: Final = (50.0, 90.0, 99.0)


@dataclass(frozen=True)
class Curve:
    """A curve: the share of samples that took no longer than x."""

    ms: Floats
    share: Floats
    """Shares from 0 to 1; the last is below 1 if requests failed."""
    row: Statistic
    """The summary's row, whose percentiles are marked."""

    @property
    def numbers(self) -> str:
        """Return the text of the marked percentiles."""
        return "   ".join(f"p{p:g} {_word(self.row, f'p{p:g}')}" for p in MARKED)


def of_requests(run: Run, metric: str, basis: str) -> Curve | None:
    """Return the curve of TTFT ("ttft") or end-to-end latency ("e2e"); None without a finite sample."""
    values = {"ttft": run.times.ttft, "e2e": run.times.e2e}[metric](basis)
    finite = values[np.isfinite(values)] / 1e6
    if not len(finite):
        return None
    return Curve(*cdf(finite, int(np.isinf(values).sum())), run.summary.statistic(metric, basis))


def of_gaps(run: Run) -> Curve | None:
    """Return the curve of ITL from counted bins, exact within 0.3 %; None without a gap."""
    counts = run.events.counts.sum(axis=0)
    used = np.flatnonzero(counts)
    if not len(used):
        return None
    share = np.cumsum(counts)[used] / (counts.sum() + run.gaps.failed)
    edges = np.minimum(np.append(GAP_EDGES_NS[1:-1], GAP_CENTRES_NS[-1]), GAP_CENTRES_NS[-1])
    return Curve(edges[used] / 1e6, share, run.gaps)


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    if of_requests(run, "e2e", "send") or of_requests(run, "ttft", "send"):
        return None
    return "no request received a token or succeeded"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    wanted: list[tuple[str, list[tuple[str, Callable[[Run], Curve | None]]]]] = [
        ("time to first token", [(b, partial(of_requests, metric="ttft", basis=b)) for b in ("schedule", "send")]),
        (f"gap between {what_gaps_are_between(runs)}", [("", of_gaps)]),
        ("end to end", [(b, partial(of_requests, metric="e2e", basis=b)) for b in ("schedule", "send")]),
    ]
    rows = []
    for name, makers in wanted:
        curves = [(place, basis, make(run)) for place, run in enumerate(runs) for basis, make in makers]
        found = [(place, basis, curve) for place, basis, curve in curves if curve is not None]
        if found:
            rows.append((name, found))
    lines = max(len(found) for _, found in rows)
    figure.set_figheight(1.4 + len(rows) * (1.95 + 0.19 * lines))
    for axes, (name, found) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows, strict=True):
        _draw_curves(axes, name, found, runs)
    said = []
    for run in runs:
        failed = int(run.times.failed.sum())
        text = (f"{run.name}: " if len(runs) > 1 else "") + counted(len(run.main), "request")
        said.append(text + (f", {failed:,} failed (× marks the missing share)" if failed else ""))
        if run.events.samples:
            said[-1] += f"; {run.events.samples:,} gaps"
    return ". ".join(said) + ". Marks: ● p50, ■ p90, ◆ p99."


def _draw_curves(axes: Axes, name: str, found: Sequence[tuple[int, str, Curve]], runs: Sequence[Run]) -> None:
    low, high, log = limits(curve.ms[curve.ms > LEAST_MS] for _, _, curve in found)
    set_scale(axes, "x", low, high, log)
    for place, basis, curve in found:
        colour = OF_RUNS[place] if len(runs) > 1 else {"schedule": ORANGE, "send": BLUE, "": GREEN}[basis]
        label = "  ".join(filter(None, [runs[place].name if len(runs) > 1 else "", f"from {basis}" if basis else ""]))
        x = np.concatenate(([low], np.maximum(curve.ms, low), [high]))
        y = np.concatenate(([0.0], curve.share, curve.share[-1:]))
        style = (0, (4, 2)) if basis == "send" else "-"
        label = f"{label}:  {curve.numbers}" if label else curve.numbers
        axes.plot(x, y, drawstyle="steps-post", color=colour, ls=style, lw=2, label=label)
        for p, marker in zip(MARKED, "osD", strict=True):
            value = curve.row.value(f"p{p:g}")
            if value is not None:
                axes.plot(max(value, low), p / 100, marker, color=colour, ms=6, mec="#000000", mew=0.6, zorder=4)
        if curve.row.failed:
            axes.plot(high, curve.share[-1], "x", color=RED, ms=8, mew=2.5, clip_on=False, zorder=5)
    axes.set_ylim(0, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("share of samples")
    axes.set_xlabel(f"{name}, ms" + (", log scale" if log else ""))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.005, 1.0), borderaxespad=0.2, labelspacing=0.25)


def _word(row: Statistic, name: str) -> str:
    value, note = row.value(name), row.notes.get(name)
    return (
        f"{number(value)} ms" if value is not None else FAILED if note == FAILED else f"n/a ({note})" if note else "n/a"
    )
