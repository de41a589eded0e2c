"""Lateness: how long after its due time each request left, with the limits of the verdict."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ....measure.percentiles import exact_percentiles, needed_samples
from ....measure.verdict import LatenessLimits, lateness_limits
from ..axis import counted, number, set_scale
from ..bins import cdf
from ..page import BLUE, GREY, OF_RUNS, SKY, legend_above
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Lateness of requests (sent − scheduled), µs"
LEAST_US: Final = 1.0
"""Left edge of the axis; smaller values are drawn there."""
MARKED: Final = (50.0, 90.0, 99.0)


def samples(run: Run) -> tuple[Floats, Floats]:
    """Return lateness, and lateness that the client caused (without connecting and waiting for a limit), in µs, of the
    sent requests of the main phase."""
    whole, own = run.times.lateness(), run.times.own_lateness()
    return whole[~np.isnan(whole)] / 1e3, own[~np.isnan(own)] / 1e3


def limits_of(run: Run) -> LatenessLimits:
    """Return the verdict's lateness limits for this run."""
    ttft = run.times.first_token - run.times.sent
    ttft = ttft[~np.isnan(ttft)]
    return lateness_limits(float(np.median(ttft)) if len(ttft) else None)


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if len(samples(run)[0]) else "no request was sent"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    axes = figure.add_subplot()
    figure.set_figheight(5.6 + 0.2 * len(runs))
    found = [samples(run) for run in runs]
    strictest = min((limits_of(run) for run in runs), key=lambda limits: limits.degraded_p99_ns)
    edge = strictest.invalid_p99_ns / 1e3
    high = 1.6 * max(edge, *(float(whole.max()) for whole, _ in found))
    set_scale(axes, "x", LEAST_US, high, log=True)
    for place, (run, (whole, own)) in enumerate(zip(runs, found, strict=True)):
        if len(runs) == 1:
            if (whole - own > LEAST_US).any():
                _draw_curve(axes, whole, SKY, "all lateness", "-", mark=False)
            _draw_curve(
                axes, own, BLUE, "caused by the client (without connecting and waiting for a limit)", "-", mark=True
            )
        else:
            _draw_curve(axes, own, OF_RUNS[place], run.name, "-", mark=True)
    at = axes.get_xaxis_transform()
    for limit_ns, colour, style, height, text in (
        (strictest.degraded_p99_ns, GREY, "--", 0.04, "DEGRADED if p99\nis beyond"),
        (strictest.invalid_p50_ns, "#000000", ":", 0.5, "INVALID if p50\nis beyond"),
        (strictest.invalid_p99_ns, "#000000", "--", 0.04, "INVALID if p99\nis beyond"),
    ):
        axes.axvline(limit_ns / 1e3, color=colour, ls=style, lw=1.6)
        x = limit_ns / 1e3
        axes.annotate(
            f"{text} {number(x / 1e3)} ms",
            (x, height),
            xycoords=at,
            xytext=(-3, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            fontsize=8.5,
            color=colour,
            multialignment="left",
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
        )
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("share of requests with at most this lateness")
    axes.set_xlabel("lateness, µs, log scale (1,000 µs = 1 ms)")
    legend_above(axes, 1)
    said = []
    for run, (whole, _) in zip(runs, found, strict=True):
        unsent = len(run.main) - len(whole)
        early = int((whole < LEAST_US).sum())
        text = (f"{run.name}: " if len(runs) > 1 else "") + f"{counted(len(whole), 'request')} sent"
        text += f", {unsent:,} never sent" if unsent else ""
        said.append(text + (f", {early:,} less than 1 µs late (left edge)" if early else ""))
    return ". ".join(said) + (
        f". Verdict: {runs[0].summary.verdict.state}."
        if len(runs) == 1
        else ". The limits are those of the strictest run."
    )


def _draw_curve(axes: Axes, late_us: Floats, colour: str, label: str, style: str, *, mark: bool) -> None:
    x, share = cdf(late_us)
    values = exact_percentiles(late_us.copy(), MARKED)
    known = [(p, value) for p, value in zip(MARKED, values, strict=True) if len(late_us) >= needed_samples(p)]
    words = "   ".join(f"p{p:g} {number(value)}" for p, value in known) or "too few for percentiles"
    axes.plot(
        np.concatenate(([LEAST_US], np.maximum(x, LEAST_US), axes.get_xlim()[1:])),
        np.concatenate(([0.0], share, [1.0])),
        drawstyle="steps-post",
        color=colour,
        ls=style,
        lw=2,
        label=f"{label}:  {words}   max {number(float(late_us.max()))} µs",
    )
    if mark:
        for (p, value), marker in zip(known, "osD", strict=False):
            axes.plot(max(value, LEAST_US), p / 100, marker, color=colour, ms=6, mec="#000000", mew=0.6, zorder=4)
