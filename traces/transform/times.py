"""Other times for the same rows: another speed, shorter idle times, stamps off their grid, sorted."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import TraceError
from ..graph.sessions import old_parents
from ..stats.quantisation import quantisation
from ..stats.session_shape import session_units
from ..table import Trace
from .derive import INT64_MAX, derived, sorted_rows, with_column


def speed(trace: Trace, factor: float | str | Fraction) -> Trace:
    """The same requests in less time: arrivals and think times divided by a factor, rounded down to the ns.

    Order, burstiness (CV) and block ids stay as they are. The factor is taken as the decimal number that
    it is written as, and the division is exact.

    Args:
        trace: The trace.
        factor: Above 0; 2 is twice as fast, 0.5 half as fast.

    Raises:
        TraceError: The factor is not a finite number above 0, or so small that times leave int64.
    """
    exact = _factor(trace.source, factor)
    table = with_column(trace.table, "arrival_ns", _divided(trace, trace.table["arrival_ns"].to_numpy(), exact))
    think = table["think_ns"].combine_chunks()
    if think.null_count < len(think):
        scaled = _divided(trace, think.fill_null(0).to_numpy(zero_copy_only=False), exact)
        missing = think.is_null().to_numpy(zero_copy_only=False)
        table = with_column(table, "think_ns", pa.array(scaled, pa.int64(), mask=missing))
    return derived(trace, table, f"speed({exact})")


def _factor(source: str, factor: float | str | Fraction) -> Fraction:
    wrong = f"speed must be above 0, as in 2 or 0.5; got {str(factor)[:40]}"
    if isinstance(factor, float) and not math.isfinite(factor):
        raise TraceError(source, wrong)
    try:
        exact = factor if isinstance(factor, Fraction) else Fraction(str(factor)[:40])
    except (ValueError, ZeroDivisionError):
        raise TraceError(source, wrong) from None
    if exact <= 0:
        raise TraceError(source, wrong)
    return exact


def _divided(trace: Trace, times: Any, factor: Fraction) -> Any:
    """floor(times / factor) of non-negative int64, without leaving int64 on the way."""
    num, den = factor.numerator, factor.denominator
    longest = int(times.max(initial=0))
    if longest * den // num > INT64_MAX:
        raise TraceError(trace.source, f"speed {float(factor):g} is too slow: the trace would last over 292 years")
    if num > INT64_MAX or (num - 1) * den > INT64_MAX:
        return np.fromiter((int(t) * den // num for t in times.tolist()), np.int64, len(times))
    whole, rest = np.divmod(times, num)
    return whole * den + rest * den // num if longest >= num else rest * den // num


def idle_cap(trace: Trace, most_ns: int) -> Trace:
    """No idle time longer than a bound: think times are cut to it, then the gaps between all arrivals.

    Where a request's think time is cut, it and the later requests of its session arrive so much earlier, but
    never before, nor closer than the bound to, the session's request ahead of it. What remains of gaps in
    which nobody sends anything is closed for all. Shorter gaps stay as they are, to the nanosecond, and so does the
    order within each session.

    Args:
        trace: The trace.
        most_ns: The longest idle time, above 0.

    Raises:
        TraceError: The bound is not above 0.
    """
    if most_ns <= 0:
        raise TraceError(trace.source, f"an idle cap of {most_ns / 1e9:g} s leaves no time; it must be above 0")
    arrival = trace.table["arrival_ns"].to_numpy()
    table = trace.table
    think = table["think_ns"].combine_chunks()
    if think.null_count < len(think):
        waited = think.fill_null(0).to_numpy(zero_copy_only=False)
        missing = think.is_null().to_numpy(zero_copy_only=False)
        table = with_column(table, "think_ns", pa.array(np.minimum(waited, most_ns), pa.int64(), mask=missing))
        arrival = arrival - _cut_thinking(table, arrival, waited, most_ns)
        table = sorted_rows(with_column(table, "arrival_ns", arrival))
        arrival = table["arrival_ns"].to_numpy()
    gaps = np.diff(arrival, prepend=0)
    capped = arrival - np.cumsum(np.maximum(gaps - most_ns, 0))
    return derived(trace, with_column(table, "arrival_ns", capped), f"idle_cap({most_ns})")


def _cut_thinking(
    table: pa.Table, arrival: NDArray[np.int64], think: NDArray[np.int64], most_ns: int
) -> NDArray[np.int64]:
    """Return how much earlier each row arrives: the sum of what is cut off its session's think times up to it."""
    codes = session_units(table)
    order = np.argsort(codes, kind="stable")
    ranked = codes[order]
    same = np.zeros(len(order), np.bool_)
    same[1:] = ranked[1:] == ranked[:-1]
    gap = np.zeros(len(order), np.int64)
    gap[1:] = np.where(same[1:], np.diff(arrival[order]), 0)
    follows = old_parents(table["parent"])[order] >= 0
    cut = np.where(same & follows, np.clip(np.minimum(think[order], gap) - most_ns, 0, None), 0)
    total = np.cumsum(cut)
    heads = np.flatnonzero(~same)
    before = np.repeat(total[heads] - cut[heads], np.diff(heads, append=len(order)))
    earlier = np.empty(len(order), np.int64)
    earlier[order] = total - before
    return earlier


def dequantize(trace: Trace, how: Literal["uniform", "even"], *, seed: int = 0) -> Trace:
    """Spread the requests that share a coarse timestamp over the step that the recorder rounded away.

    A recorder that rounds down to a grid of q leaves requests at t that arrived from t on and before t + q.
    They keep their order, and no request passes the next stamp.

    Args:
        trace: A trace whose timestamps are quantised.
        how: "uniform": at seeded random times of the step, as a Poisson process would. "even": at equal distances.
        seed: Decides the draws.

    Raises:
        TraceError: The timestamps are not quantised.
    """
    arrival = trace.table["arrival_ns"].to_numpy()
    grid = quantisation(arrival)
    if grid is None:
        raise TraceError(trace.source, "timestamps are not quantised; there is nothing to spread")
    stamps, first, counts = np.unique(arrival, return_index=True, return_counts=True)
    step = np.minimum(np.diff(stamps, append=stamps[-1] + grid.quantum_ns), grid.quantum_ns)
    steps, firsts = np.repeat(step, counts), np.repeat(first, counts)
    if how == "even":
        place = (np.arange(len(arrival)) - firsts) * steps // np.repeat(counts, counts)
    else:
        place = (np.random.default_rng([seed, 1]).random(len(arrival)) * steps).astype(np.int64)
        place = place[np.lexsort((place, firsts))]
    said = f"dequantize({how}, seed={seed})" if how == "uniform" else f"dequantize({how})"
    return derived(trace, with_column(trace.table, "arrival_ns", arrival + place), said)


def sort(trace: Trace) -> Trace:
    """The rows in order of arrival, those of one arrival as they were; parents follow."""
    return derived(trace, sorted_rows(trace.table), "sort()")
