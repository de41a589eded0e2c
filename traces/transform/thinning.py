"""Another request rate with the same look: sessions left out by the draw of a lot, or replicated."""

from __future__ import annotations

import numpy as np

from ..errors import TraceError
from ..stats.session_shape import session_units
from ..table import Trace
from .copies import multiply
from .derive import derived, take_rows


def thin(trace: Trace, keep: float, *, seed: int = 0) -> Trace:
    """Keep each session whole with a given probability, by independent draws; times stay as they are.

    A row without a session is a session of its own. Independent draws keep a bursty process bursty, where
    every n-th row would make it regular.

    Args:
        trace: The trace.
        keep: The probability, above 0 and at most 1.
        seed: Decides the draws.

    Raises:
        TraceError: The probability is not from 0 to 1, or no request is left.
    """
    if not 0 < keep <= 1:
        raise TraceError(trace.source, f"a share of {keep:g} cannot be kept; it must be above 0 and at most 1")
    sessions = session_units(trace.table)
    kept = np.random.default_rng([seed, 2]).random(int(sessions.max()) + 1) < keep
    rows = np.flatnonzero(kept[sessions])
    if not len(rows):
        raise TraceError(trace.source, f"no session of {len(kept):,} is left by thin({keep:g}, seed={seed})")
    return derived(trace, take_rows(trace.table, rows), f"thin({keep!r}, seed={seed})")


def rate(trace: Trace, target_rps: float, *, seed: int = 0) -> Trace:
    """Change the request rate to about this many per second, by leaving sessions out or copying them; times stay.

    Args:
        trace: The trace; its rate is that of its rows over its span.
        target_rps: Requests per second, above 0.
        seed: Decides which sessions stay and where copies begin.

    Raises:
        TraceError: The target is not above 0, the trace has no span, or it would take over 10,000 copies.
    """
    if not 0 < target_rps < float("inf"):
        raise TraceError(
            trace.source, f"a rate of {target_rps:g} requests per second is not possible; the rate must be above 0"
        )
    if not trace.span_ns:
        raise TraceError(trace.source, "all requests arrive at once; there is no rate to change")
    copies = max(1, int(-(-target_rps // _rate_rps(trace))))
    more = trace if copies == 1 else multiply(trace, copies, seed=seed)
    while _rate_rps(more) < target_rps:
        copies += 1
        more = multiply(trace, copies, seed=seed)
    share = target_rps / _rate_rps(more)
    return thin(more, share, seed=seed) if share < 1 else more


def _rate_rps(trace: Trace) -> float:
    return len(trace) * 1e9 / trace.span_ns
