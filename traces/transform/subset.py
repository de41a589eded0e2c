"""Fewer rows: a window in time, the first ones, those of a kind."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TraceError
from ..table import Trace
from .derive import INT64_MAX, derived, take_rows, with_column

Bounds = tuple[int | None, int | None]


def window(trace: Trace, start_ns: int = 0, end_ns: int | None = None) -> Trace:
    """The requests that arrive from start_ns on and before end_ns; start_ns becomes the new 0.

    Args:
        trace: The trace.
        start_ns: Since the trace's start, at least 0.
        end_ns: None: to the end.

    Raises:
        TraceError: The window is no window, or holds no request.
    """
    end = INT64_MAX if end_ns is None else min(end_ns, INT64_MAX)
    if start_ns < 0:
        raise TraceError(trace.source, f"a window cannot start at {start_ns / 1e9:g} s; 0 is the trace's start")
    if end <= start_ns:
        raise TraceError(
            trace.source,
            f"a window from {start_ns / 1e9:g} s to {end / 1e9:g} s is empty; its end must be later",
        )
    arrival = trace.table["arrival_ns"].to_numpy()
    first, last = (int(i) for i in np.searchsorted(arrival, (min(start_ns, INT64_MAX), end), side="left"))
    if end_ns is None and start_ns <= INT64_MAX:
        last = len(arrival)
    if first == last:
        until = "" if end_ns is None else f" and before {end_ns / 1e9:g} s"
        raise TraceError(
            trace.source,
            f"no request arrives from {start_ns / 1e9:g} s on{until}; the trace spans 0 to {trace.span_ns / 1e9:g} s",
        )
    table = take_rows(trace.table, np.arange(first, last))
    table = with_column(table, "arrival_ns", table["arrival_ns"].to_numpy() - start_ns)
    return derived(trace, table, f"window({start_ns}, {end_ns})")


def limit(trace: Trace, n: int) -> Trace:
    """The first n requests, or all when there are fewer.

    Raises:
        TraceError: n is below 1.
    """
    if n < 1:
        raise TraceError(trace.source, f"a limit of {n} requests leaves nothing to replay; it must be at least 1")
    return derived(trace, take_rows(trace.table, np.arange(min(n, len(trace)))), f"limit({n})")


def select(
    trace: Trace,
    *,
    model: str | None = None,
    session: str | None = None,
    input_tokens: Bounds = (None, None),
    output_tokens: Bounds = (None, None),
) -> Trace:
    """The requests of a kind, at their own times. One that followed a request left out stands on its own.

    Args:
        trace: The trace.
        model: The model's name, or a pattern with ``*`` and ``?``.
        session: Likewise for the session.
        input_tokens: The least and the greatest length; None: no bound.
        output_tokens: Likewise.

    Raises:
        TraceError: No request is of this kind.
    """
    keep = np.ones(len(trace), np.bool_)
    said = []
    for column, pattern in (("model", model), ("session_id", session)):
        if pattern is not None:
            keep &= _matching(trace.table[column], pattern)
            said.append(f"{column.removesuffix('_id')}={pattern}")
    for column, (least, most) in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        values = trace.table[column].to_numpy()
        if least is not None:
            keep &= values >= least
        if most is not None:
            keep &= values <= most
        if least is not None or most is not None:
            said.append(f"{column}={'' if least is None else least}:{'' if most is None else most}")
    if not keep.any():
        raise TraceError(trace.source, f"no request has {', '.join(said)}")
    return derived(trace, take_rows(trace.table, np.flatnonzero(keep)), f"select({', '.join(said)})")


def _matching(column: Any, pattern: str) -> NDArray[np.bool_]:
    """Return which values match a pattern; null matches none."""
    coded = column.combine_chunks().dictionary_encode()
    fits = np.array([*(fnmatchcase(name, pattern) for name in coded.dictionary.to_pylist()), False], np.bool_)
    matching: NDArray[np.bool_] = fits[coded.indices.fill_null(len(fits) - 1).to_numpy(zero_copy_only=False)]
    return matching
