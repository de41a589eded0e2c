"""Goodput: requests per second that met a limit, for every limit; and over time if objectives are given."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ....measure.rates import met
from ....measure.slo import Slo
from ..axis import LEAST_MS, counted, limits, round_ticks, set_scale, tick
from ..bins import cdf, per_second
from ..page import BLUE, GREEN, OF_RUNS, ORANGE, PALE, PURPLE, RED, legend_above, shade_warmup
from ..plotted_tape import Run

Floats = NDArray[np.float64]

TITLE: Final = "Goodput: requests per second within a limit"
_OWN: Final = {"ttft": ORANGE, "tpot": GREEN, "e2e": BLUE}
_WORDS: Final = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "end to end"}


def within(run: Run, metric: str) -> tuple[Floats, Floats] | None:
    """Return limits in ms, ascending, and the successful requests per second within each; latencies from schedule.

    The rate is over the time from the first send to the end of the drain, as in the summary. None without samples.
    """
    times, span = run.times, run.summary.window.duration_s
    values = {"ttft": times.ttft("schedule"), "tpot": times.tpot(), "e2e": times.e2e("schedule")}[metric]
    good = values[times.ok & np.isfinite(values)] / 1e6
    if not len(good) or not span:
        return None
    x, share = cdf(good)
    return x, share * len(good) / span


def over_time(run: Run, slos: Sequence[Slo]) -> tuple[Floats, Floats, Floats]:
    """Return requests per second by end time, in bins of run.edges_s: requests that met all objectives from schedule,
    that succeeded but missed one, and that failed. The warm-up is included."""
    every = run.every
    good = met(every, slos, "schedule")
    ended = (np.fmax(np.fmax(every.end, every.sent), every.scheduled) - run.start_ns) / 1e9
    return (
        per_second(ended[good], run.edges_s),
        per_second(ended[every.ok & ~good], run.edges_s),
        per_second(ended[every.failed], run.edges_s),
    )


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if any(within(run, metric) for metric in _WORDS) else "no request succeeded"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    slos = [slo for slo in runs[0].slos if slo.statistic is None]
    rows = len(runs) if slos else 0
    figure.set_figheight(5.8 + 2.3 * rows)
    ratios = [2.2] + [1.0 if len(runs) > 1 else 1.3] * rows
    made: list[Axes] = list(figure.subplots(1 + rows, 1, height_ratios=ratios, squeeze=False)[:, 0])
    _draw_limits(made[0], runs, slos)
    for axes, run in zip(made[1:], runs, strict=False):
        _draw_time(axes, run, slos, len(runs) > 1)
        axes.set_xlim(0, max(float(run.edges_s[-1]) for run in runs))
    if rows:
        made[-1].set_xlabel("time since the start of the run, s, by the end of each request")
    said = []
    for run in runs:
        ok = int(run.times.ok.sum())
        text = (f"{run.name}: " if len(runs) > 1 else "") + f"{ok:,} of {counted(len(run.main), 'request')} succeeded"
        rates = [rate for rate in run.summary.rates if rate.metric == "goodput" and rate.basis == "schedule"]
        if rates and rates[0].value is not None:
            text += f"; {rates[0].value:,.4g}/s met {' and '.join(slo.text for slo in slos)}"
        said.append(text)
    return ". ".join(said) + ". Latencies from schedule; requests that failed meet no limit."


def _draw_limits(axes: Axes, runs: Sequence[Run], slos: Sequence[Slo]) -> None:
    found = [(place, metric, curve) for place, run in enumerate(runs) for metric in _WORDS
             if (curve := within(run, metric)) is not None]  # fmt: skip
    xs = [np.maximum(curve[0], LEAST_MS) for _, _, curve in found]
    low, high, log = limits([*xs, *(np.array([slo.limit_ns / 1e6]) for slo in slos)])
    set_scale(axes, "x", low, high, log)
    styles = {"ttft": "-", "tpot": ":", "e2e": "--"}
    for place, metric, (x, rate) in found:
        name = f"{runs[place].name}: {_WORDS[metric]}" if len(runs) > 1 else _WORDS[metric]
        axes.plot(
            np.concatenate(([low], np.maximum(x, low), [high])),
            np.concatenate(([0.0], rate, rate[-1:])),
            drawstyle="steps-post",
            lw=2,
            ls=styles[metric],
            color=OF_RUNS[place] if len(runs) > 1 else _OWN[metric],
            label=name,
        )
    for slo in slos:
        colour = _OWN[slo.metric] if len(runs) == 1 else "#000000"
        axes.axvline(slo.limit_ns / 1e6, color=colour, lw=1.4, ls=(0, (1, 1.5)), label=f"objective {slo.text}")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(round_ticks(6))
    axes.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.set_ylabel("requests/s within the limit")
    axes.set_xlabel("limit of the latency, ms" + (", log scale" if log else ""))
    legend_above(axes, 5 if len(runs) == 1 else 3)
    span = runs[0].summary.window.duration_s
    if len(runs) == 1 and span and len(runs[0].main):
        whole = len(runs[0].main) / span
        share = axes.secondary_yaxis(
            "right", functions=(lambda y: 100 * np.asarray(y) / whole, lambda y: np.asarray(y) * whole / 100)
        )
        share.set_ylabel("% of all requests")
        share.spines["right"].set_visible(True)


def _draw_time(axes: Axes, run: Run, slos: Sequence[Slo], named: bool) -> None:
    met_all, missed, failed = over_time(run, slos)
    edges = run.edges_s
    axes.stairs(met_all, edges, fill=True, color=GREEN, label="met " + " and ".join(slo.text for slo in slos))
    axes.stairs(
        met_all + missed, edges, baseline=met_all, fill=True, color=PURPLE, alpha=0.6, label="succeeded, but too slow"
    )
    if failed.any():
        top = met_all + missed
        axes.stairs(top + failed, edges, baseline=top, fill=True, color=RED, label="failed")
    shade_warmup(axes, [run])
    axes.set_facecolor("#FFFFFF")
    axes.grid(color=PALE)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(round_ticks(4))
    axes.yaxis.set_major_formatter(FuncFormatter(tick))
    axes.set_ylabel("requests/s")
    if named:
        axes.set_title(run.name, loc="right", fontsize=10, fontweight="bold")
    legend_above(axes, 4)
