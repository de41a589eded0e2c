"""Traces made from traces: a window, the first rows, another speed. Each leaves its name behind."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from .errors import TraceError
from .table import TRACE_SCHEMA, Trace, table_digest

_INT64_MAX = 2**63 - 1


def window(trace: Trace, start_ns: int = 0, end_ns: int | None = None) -> Trace:
    """The requests that arrive from start_ns on and before end_ns; start_ns becomes the new 0.

    Args:
        trace: The trace.
        start_ns: Since the trace's start, at least 0.
        end_ns: None: to the end.

    Raises:
        TraceError: The window is no window, or holds no request.
    """
    end = _INT64_MAX if end_ns is None else min(end_ns, _INT64_MAX)
    if start_ns < 0:
        raise TraceError(trace.source, f"a window cannot start at {start_ns / 1e9:g} s; 0 is the trace's start")
    if end <= start_ns:
        raise TraceError(
            trace.source,
            f"a window from {start_ns / 1e9:g} s to {end / 1e9:g} s is empty; its end must be later",
        )
    arrival = trace.table["arrival_ns"].to_numpy()
    first, last = (int(i) for i in np.searchsorted(arrival, (min(start_ns, _INT64_MAX), end), side="left"))
    if end_ns is None and start_ns <= _INT64_MAX:
        last = len(arrival)
    if first == last:
        until = "" if end_ns is None else f" and before {end_ns / 1e9:g} s"
        raise TraceError(
            trace.source,
            f"no request arrives from {start_ns / 1e9:g} s on{until}; the trace spans 0 to {trace.span_ns / 1e9:g} s",
        )
    table = trace.table.slice(first, last - first)
    table = _with(table, "arrival_ns", table["arrival_ns"].to_numpy() - start_ns)
    return _derived(trace, table, f"window({start_ns}, {end_ns})")


def limit(trace: Trace, n: int) -> Trace:
    """The first n requests, or all when there are fewer.

    Raises:
        TraceError: n is below 1.
    """
    if n < 1:
        raise TraceError(trace.source, f"a limit of {n} requests leaves nothing to replay; it must be at least 1")
    return _derived(trace, trace.table.slice(0, n), f"limit({n})")


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
    table = _with(trace.table, "arrival_ns", _divided(trace, trace.table["arrival_ns"].to_numpy(), exact))
    think = table["think_ns"].combine_chunks()
    if think.null_count < len(think):
        scaled = _divided(trace, think.fill_null(0).to_numpy(zero_copy_only=False), exact)
        missing = think.is_null().to_numpy(zero_copy_only=False)
        table = _with(table, "think_ns", pa.array(scaled, pa.int64(), mask=missing))
    return _derived(trace, table, f"speed({exact})")


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
    if longest * den // num > _INT64_MAX:
        raise TraceError(trace.source, f"speed {float(factor):g} is too slow: the trace would last over 292 years")
    if num > _INT64_MAX or (num - 1) * den > _INT64_MAX:
        return np.fromiter((int(t) * den // num for t in times.tolist()), np.int64, len(times))
    whole, rest = np.divmod(times, num)
    return whole * den + rest * den // num if longest >= num else rest * den // num


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    field = TRACE_SCHEMA.field(name)
    return table.set_column(table.schema.get_field_index(name), field, pa.array(values, field.type))


def _derived(trace: Trace, table: pa.Table, what: str) -> Trace:
    return replace(trace, table=table, digest=table_digest(table), transforms=(*trace.transforms, what))
