"""Stability of a run: perf_analyzer's test of three windows, on one tape."""

from itertools import pairwise

import numpy as np
import pyarrow.compute as pc

from ..tape.read import Tape
from .latencies import TIME_COLUMNS, request_times
from .rates import window

WINDOWS = 3
"""perf_analyzer compares its three latest measurements (its docs, "Measurement Modes")."""


def unstable(tape: Tape, allowed: float) -> str | None:
    """Return a sentence on how the thirds of the main phase differ, or None if they differ no more than allowed.

    Two values are measured in each third: successful requests per second, and their mean latency. perf_analyzer calls a
    run stable if for both the largest of the three is within the allowed share above the smallest.

    Args:
        tape: A sealed tape.
        allowed: Allowed difference as a share: 0.1 for 10 %.
    """
    main = tape.read("requests", ("phase", *TIME_COLUMNS))
    times = request_times(main.filter(pc.equal(main["phase"], "main")))
    span = window(times)
    if span.first_send_ns is None or span.last_send_ns is None or span.last_send_ns == span.first_send_ns:
        return None
    edges = np.linspace(span.first_send_ns, span.last_send_ns, WINDOWS + 1)
    latency = times.e2e("send")
    found = []
    for start, end in pairwise(edges):
        inside = times.ok & (times.end >= start) & (times.end < end)
        if not inside.any():
            return None  # too few requests for a test
        found.append((inside.sum() / (end - start) * 1e9, float(np.mean(latency[inside])) / 1e6))
    for name, values, unit in zip(("request rate", "latency"), zip(*found, strict=True), ("/s", " ms"), strict=True):
        if max(values) > (1 + allowed) * min(values):
            shown = ", ".join(f"{value:,.2f}{unit}" for value in values)
            return f"not stable within {allowed:.0%}: the {name} in the three thirds of the run was {shown}"
    return None
