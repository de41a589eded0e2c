"""A model from a trace."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TraceError
from ..stats.session_shape import session_units
from ..table import Trace
from .load_model import VERSION, Client, Histogram, Lengths, LoadModel, Window
from .renewal import bounded_cv, likelier

CLIENT_ROWS = 20  # fewer say little about a client's burstiness


def fit(trace: Trace, *, window_ns: int = 600 * 10**9) -> LoadModel:
    """Fit a model: for each client and window the rate, the CV of gaps and the likelier law; the client's lengths.

    A session of at least 20 rows is a client; all other rows are one client together. Rates are the window's requests
    over its length; laws have the recorded CV (method of moments); lengths are those recorded.

    Args:
        trace: With at least two rows and a span.
        window_ns: For which a rate holds.

    Raises:
        TraceError: The trace has no span, or the window is not above 0.
    """
    if window_ns <= 0:
        raise TraceError(trace.source, "the window is 0 s; it must be above 0")
    if not trace.span_ns:
        raise TraceError(trace.source, "all requests arrive at once; there is no rate to fit")
    span_ns = trace.span_ns + max(1, trace.span_ns // (len(trace) - 1))
    if span_ns // window_ns > 100_000:
        raise TraceError(trace.source, f"has over 100,000 windows of {window_ns / 1e9:g} s; choose a longer one")
    client = _clients(trace)
    names = trace.table["session_id"]
    columns = [trace.table[name].to_numpy() for name in ("arrival_ns", "input_tokens", "output_tokens")]
    order = np.argsort(client, kind="stable")
    heads = np.flatnonzero(np.diff(client[order], prepend=-2))
    clients = []
    for rows in np.split(order, heads[1:]):
        arrival, inputs, outputs = (column[rows] for column in columns)
        name = "others" if client[rows[0]] < 0 else str(names[int(rows[0])].as_py())
        lengths = Lengths(0.0, _histogram(inputs), _histogram(outputs))
        clients.append(Client(name, _windows(arrival, np.arange(0, trace.span_ns + 1, window_ns), span_ns), [lengths]))
    return LoadModel(VERSION, trace.source, span_ns / 1e9, clients, [])


def _clients(trace: Trace) -> NDArray[np.int64]:
    """A number for each row's client, -1 for the one of all rows without a session of some length."""
    codes = session_units(trace.table)
    counts = np.bincount(codes)
    recorded = trace.table["session_id"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return np.where(recorded & (counts[codes] >= CLIENT_ROWS), codes, -1)


def _windows(arrival: NDArray[np.int64], edges: NDArray[np.int64], span_ns: int) -> list[Window]:
    splits = np.searchsorted(arrival, edges[1:])
    ends = [*edges[1:].tolist(), span_ns]
    windows: list[Window] = []
    for start, end, times in zip(edges.tolist(), ends, np.split(arrival, splits), strict=True):
        length_s = (end - start) / 1e9
        gaps = np.diff(times) / 1e9
        cv = 1.0
        if len(gaps) > 1 and gaps.any():
            cv = float(gaps.std() / gaps.mean())
        cv = bounded_cv(cv, len(times))
        family = likelier(gaps, cv) if len(gaps) > 1 else "Gamma"
        windows.append(Window(start / 1e9, len(times) / length_s, cv, family))
    # Of windows without requests that follow each other, the first stands for all.
    return [entry for at, entry in enumerate(windows) if entry.rate_rps or not at or windows[at - 1].rate_rps]


def _histogram(values: NDArray[Any]) -> Histogram:
    seen, counts = np.unique(values, return_counts=True)
    return Histogram(seen.tolist(), counts.astype(np.float64).tolist())
