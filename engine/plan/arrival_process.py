"""Arrivals of an open loop: an arrival process at a rate that may change over time.

An arrival process is drawn at one request per unit of time, and that time is then scaled by the rate: the due time
of an arrival at u is the t at which the rate, integrated from 0 to t, reaches u. In this way constant, Poisson and
gamma arrivals follow any ramp or series of rates (time rescaling: Çinlar, Introduction to Stochastic Processes, 1975,
chapter 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

Process = Literal["constant", "poisson", "gamma"]
PROCESSES: tuple[Process, ...] = ("constant", "poisson", "gamma")

MOST_REQUESTS = 20_000_000
"""Largest number of requests in one plan; they take some gigabytes of memory."""


@dataclass(frozen=True)
class Segment:
    """A period in which the rate changes linearly from one value to another.

    Attributes:
        length_s: Length in s, above 0; infinite for the last one.
        start, end: Rates at its start and end, in requests/s; equal if the length is infinite.
    """

    length_s: float
    start: float
    end: float

    @property
    def requests(self) -> float:
        """Expected number of requests in it."""
        if self.length_s == np.inf:
            return np.inf if self.end > 0 else 0.0
        return self.length_s * (self.start + self.end) / 2


def constant_rate(rate: float) -> list[Segment]:
    """Return a constant rate without end."""
    return [Segment(np.inf, rate, rate)]


def ramp(rate: float, over_s: float, steps: int = 0) -> list[Segment]:
    """Return a ramp from 0 to a rate, then the constant rate.

    Args:
        rate: Final rate.
        over_s: Length of the ramp in s.
        steps: Number of equal steps, the first of which is above 0; 0: a straight line.
    """
    if over_s <= 0:
        return constant_rate(rate)
    if steps:
        rising = [Segment(over_s / steps, rate * k / steps, rate * k / steps) for k in range(1, steps + 1)]
    else:
        rising = [Segment(over_s, 0.0, rate)]
    return [*rising, *constant_rate(rate)]


def unit_arrivals(n: int, process: Process, burstiness: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return n arrivals at a mean rate of one per unit of time, the first at 0.

    Args:
        n: Number of arrivals.
        process: "constant": gaps of 1. "poisson": exponential gaps. "gamma": gamma-distributed gaps.
        burstiness: Shape of the gamma distribution: 1 is Poisson, less is burstier, more is more even. The gaps'
            coefficient of variation is 1/sqrt(burstiness).
        rng: Generator of the gaps.
    """
    if process == "constant":
        return np.arange(n, dtype=np.float64)
    shape = 1.0 if process == "poisson" else burstiness
    gaps = rng.exponential(size=n) if process == "poisson" else rng.gamma(shape, 1 / shape, n)
    times = np.cumsum(gaps)
    return times - gaps[0] if n else times


def stretched(units: NDArray[np.float64], segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Return due times in ns, at which the integrated rate reaches each of `units`; -1 if it never does."""
    due_s = np.full(len(units), -1.0)
    before_requests, before_s = 0.0, 0.0
    for segment in segments:
        inside = (units >= before_requests) & (units < before_requests + segment.requests)
        want = units[inside] - before_requests
        if segment.length_s == np.inf or segment.start == segment.end:
            passed = want / segment.start if segment.start else want
        else:
            # want = start x + slope x^2 / 2, solved in the form without cancellation
            slope = (segment.end - segment.start) / segment.length_s
            root = np.sqrt(np.maximum(segment.start**2 + 2 * slope * want, 0.0))
            passed = np.divide(2 * want, segment.start + root, out=np.zeros_like(want), where=want > 0)
        due_s[inside] = before_s + passed
        before_requests += segment.requests
        before_s += segment.length_s
    return np.where(due_s < 0, -1, np.rint(due_s * 1e9)).astype(np.int64)


def arrivals(
    segments: Sequence[Segment],
    process: Process,
    rng: np.random.Generator,
    *,
    count: int | None = None,
    duration_ns: int | None = None,
    burstiness: float = 1.0,
) -> NDArray[np.int64]:
    """Return due times in ns after the start, ascending; the first is the first moment with a rate above 0.

    Args:
        segments: The rate over time, one segment after another.
        process: Arrival process.
        rng: Generator of the arrivals.
        count: Number of requests; None: those due within `duration_ns`. One of the two is given.
        duration_ns: Length of the schedule; no request is due at this time or later.
        burstiness: Burstiness of "gamma".

    Raises:
        UserError: The rates end before `count` requests are due, or there are too many requests or none.
    """
    if duration_ns is not None:
        segments = _cut(segments, duration_ns / 1e9)
    expected = sum(segment.requests for segment in segments)
    most = min(expected, count if count is not None else np.inf)
    if most > MOST_REQUESTS:
        raise UserError(f"{most:,.0f} requests are too many for one plan; the limit is {MOST_REQUESTS:,}")
    if count is not None:
        units = unit_arrivals(count, process, burstiness, rng)
    else:
        units = unit_arrivals(0, process, burstiness, rng)
        wanted = int(expected + 10 * np.sqrt(expected / burstiness) + 10)
        while not len(units) or units[-1] < expected:  # a bursty process may need a further draw
            units = unit_arrivals(wanted, process, burstiness, rng)
            wanted *= 2
        units = units[units < expected]
    due_ns = stretched(units, segments)
    if len(due_ns) and due_ns[-1] < 0:
        come = int((due_ns >= 0).sum())
        if count is not None and duration_ns is None:
            raise UserError(f"the rates end after {come:,} requests, but {count:,} are requested")
        due_ns = due_ns[:come]
    if duration_ns is not None:
        due_ns = due_ns[due_ns < duration_ns]
    if not len(due_ns):
        raise UserError("at this rate no request is due within the duration; use a longer --duration or a higher rate")
    return due_ns


def _cut(segments: Sequence[Segment], at_s: float) -> list[Segment]:
    """Return the segments up to a time."""
    kept = []
    for segment in segments:
        if at_s <= 0:
            break
        length = min(segment.length_s, at_s)
        if length == segment.length_s:
            end = segment.end
        elif segment.length_s == np.inf:
            end = segment.start
        else:
            end = segment.start + (segment.end - segment.start) * length / segment.length_s
        kept.append(Segment(length, segment.start, end))
        at_s -= segment.length_s
    return kept
