"""A trace from a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..assembly.trace_builder import build_trace
from ..errors import TraceError
from ..table import Trace, table_digest
from ..transform.derive import with_column
from .load_model import Client, Histogram, LoadModel, Window
from .renewal import arrivals_within

MOST_REQUESTS = 50_000_000

_Piece = tuple[Window, float, float, float]  # a window; its part: start and length on the trace's clock; model time


def generate(
    model: LoadModel, *, duration_ns: int, start_ns: int = 0, rate_rps: float | None = None, seed: int = 0
) -> Trace:
    """Draw a trace: for each client and window a renewal process, and for each request its lengths, independently.

    Args:
        model: The model; after its span it begins anew, with other draws.
        duration_ns: Of the trace, above 0.
        start_ns: Where in the model's time to begin.
        rate_rps: Scale all clients by one factor, to so many requests per second on average. None: as in the model.
        seed: Decides all draws, with the client's and the window's number.

    Returns:
        Requests without sessions and blocks, in order of arrival; 0 is where the model was begun.

    Raises:
        TraceError: The duration or rate is 0, no client is active in this time, or it would be over 50 million
            requests.
    """
    if duration_ns <= 0:
        raise TraceError(model.source, "a duration of 0 s holds no requests; it must be above 0")
    if rate_rps is not None and not 0 < rate_rps < float("inf"):
        raise TraceError(
            model.source, f"a rate of {rate_rps:g} requests per second is not possible; the rate must be above 0"
        )
    duration_s, start_s = duration_ns / 1e9, start_ns / 1e9
    if duration_s / model.span_s > 100_000:
        raise TraceError(model.source, f"lasts {model.span_s:g} s and would repeat over 100,000 times")
    parts = [_parts(client, model.span_s, start_s, duration_s) for client in model.clients]
    expected = sum(window.rate_rps * length for pieces in parts for window, _, length, _ in pieces)
    if not expected:
        raise TraceError(model.source, f"no client sends anything from {start_s:g} s to {start_s + duration_s:g} s")
    factor = 1.0 if rate_rps is None else rate_rps * duration_s / expected
    if expected * factor > MOST_REQUESTS:
        raise TraceError(
            model.source, f"would make {expected * factor:,.0f} requests; at most {MOST_REQUESTS:,} can be"
        )
    columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    for number, (client, pieces) in enumerate(zip(model.clients, parts, strict=True)):
        for place, piece in enumerate(pieces):
            if piece[0].rate_rps:
                columns.append(_drawn(np.random.default_rng([seed, number, place]), client, piece, factor))
    arrival, inputs, outputs = (np.concatenate(column) for column in zip(*columns, strict=True))
    if not len(arrival):
        raise TraceError(model.source, f"no request was drawn of {expected * factor:.2g} expected; let it last longer")
    order = np.argsort(arrival, kind="stable")
    made = build_trace(
        source=model.source,
        format="generated",
        digest="",
        arrival_ns=arrival[order],
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        source_row=np.arange(1, len(arrival) + 1),
        notes=model.notes,
    )
    table = with_column(made.table, "arrival_ns", arrival[order])
    rate = "" if rate_rps is None else f", rate={rate_rps:g}"
    said = f"generate(duration={duration_ns}, start={start_ns}{rate}, seed={seed})"
    return replace(made, table=table, digest=table_digest(table), transforms=(said,))


def _parts(client: Client, span_s: float, start_s: float, duration_s: float) -> list[_Piece]:
    """The windows that the trace meets, repeated as needed, cut to the trace."""
    starts = [window.start_s for window in client.windows]
    ends = [*starts[1:], span_s]
    found: list[_Piece] = []
    turn = int(start_s // span_s)
    while turn * span_s < start_s + duration_s:
        for window, end in zip(client.windows, ends, strict=True):
            low = max(start_s, turn * span_s + window.start_s)
            high = min(start_s + duration_s, turn * span_s + min(end, span_s))
            if high > low:
                found.append((window, low - start_s, high - low, low - turn * span_s))
        turn += 1
    return found


def _drawn(random: np.random.Generator, client: Client, piece: _Piece, factor: float) -> tuple[Any, Any, Any]:
    window, begin_s, length_s, model_s = piece
    rate = window.rate_rps * factor
    times = arrivals_within(random, family=window.family, cv=window.cv, rate_rps=rate, length_s=length_s)
    starts = np.array([entry.start_s for entry in client.lengths])
    entry = np.maximum(np.searchsorted(starts, model_s + times, side="right") - 1, 0)
    inputs, outputs = (np.zeros(len(times), np.int64) for _ in range(2))
    for place in np.unique(entry).tolist():
        rows = entry == place
        laws = client.lengths[place]
        inputs[rows] = _lengths(random, laws.input_tokens, int(np.count_nonzero(rows)))
        outputs[rows] = _lengths(random, laws.output_tokens, int(np.count_nonzero(rows)))
    return ((begin_s + times) * 1e9).astype(np.int64), inputs, outputs


def _lengths(random: np.random.Generator, law: Histogram, size: int) -> NDArray[np.int64]:
    """Draws of an empirical distribution."""
    upto = np.cumsum(law.weights)
    place = np.searchsorted(upto, random.random(size) * upto[-1], side="right")
    drawn: NDArray[np.int64] = np.array(law.values, np.int64)[np.minimum(place, len(upto) - 1)]
    return drawn
