"""Arrivals of an open loop: an arrival process at a rate that may change over time.

An arrival process is drawn at one request per unit of time, and that time is then stretched by the rate: the due time
of an arrival at u is the t at which the rate, integrated from 0 to t, reaches u. So constant, Poisson and gamma
arrivals all follow any ramp or series of rates (time rescaling: Çinlar, Introduction to Stochastic Processes, 1975,
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
"""Most requests of one plan, which take some gigabytes of memory."""


@dataclass(frozen=True)
class Segment:
    """A stretch of time in which the rate goes straight from one value to another.

    Attributes:
        length_s: Above 0; infinite for the last.
        start, end: Rates at its two ends, in requests/s; of an infinite one they are equal.
    """

    length_s: float
    start: float
    end: float

    @property
    def requests(self) -> float:
        """Expected in it."""
        if self.length_s == np.inf:
            return np.inf if self.end > 0 else 0.0
        return self.length_s * (self.start + self.end) / 2


def constant_rate(rate: float) -> list[Segment]:
    """The same rate for ever."""
    return [Segment(np.inf, rate, rate)]


def ramp(rate: float, over_s: float, steps: int = 0) -> list[Segment]:
    """From 0 to a rate, then constant.

    Args:
        rate: In the end.
        over_s: How long it rises.
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
    """n arrivals at a mean rate of one per unit of time, the first at 0.

    Args:
        n: How many.
        process: "constant": gaps of 1. "poisson": exponential gaps. "gamma": gaps of a gamma law.
        burstiness: The gamma law's shape: 1 is Poisson, below it is burstier, above it more even; the gaps'
            coefficient of variation is 1/sqrt(burstiness).
        rng: Draws the gaps.
    """
    if process == "constant":
        return np.arange(n, dtype=np.float64)
    shape = 1.0 if process == "poisson" else burstiness
    gaps = rng.exponential(size=n) if process == "poisson" else rng.gamma(shape, 1 / shape, n)
    times = np.cumsum(gaps)
    return times - gaps[0] if n else times


def stretched(units: NDArray[np.float64], segments: Sequence[Segment]) -> NDArray[np.int64]:
    """Due times in ns: where the integrated rate reaches each of `units`; -1 where it never does."""
    due_s = np.full(len(units), -1.0)
    before_requests, before_s = 0.0, 0.0
    for segment in segments:
        inside = (units >= before_requests) & (units < before_requests + segment.requests)
        want = units[inside] - before_requests
        if segment.length_s == np.inf or segment.start == segment.end:
            passed = want / segment.start if segment.start else want
        else:
            # want = start x + slope x^2 / 2, solved so that nothing cancels
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
    """Due times in ns after the start, ascending, the first at the first moment with a rate above 0.

    Args:
        segments: The rate over time, one stretch after another.
        process: Of the arrivals.
        rng: Draws them.
        count: Number of requests; None: as many as are due within `duration_ns`. One of the two is given.
        duration_ns: None that is due at this time or later.
        burstiness: Of "gamma".

    Raises:
        UserError: The rates end before `count` requests have come, or there would be too many or none.
    """
    if duration_ns is not None:
        segments = _cut(segments, duration_ns / 1e9)
    expected = sum(segment.requests for segment in segments)
    most = min(expected, count if count is not None else np.inf)
    if most > MOST_REQUESTS:
        raise UserError(f"{most:,.0f} requests are too many for one plan; the most is {MOST_REQUESTS:,}")
    if count is not None:
        units = unit_arrivals(count, process, burstiness, rng)
    else:
        units = unit_arrivals(0, process, burstiness, rng)
        wanted = int(expected + 10 * np.sqrt(expected / burstiness) + 10)
        while not len(units) or units[-1] < expected:  # a bursty process may need another draw
            units = unit_arrivals(wanted, process, burstiness, rng)
            wanted *= 2
        units = units[units < expected]
    due_ns = stretched(units, segments)
    if len(due_ns) and due_ns[-1] < 0:
        come = int((due_ns >= 0).sum())
        if count is not None and duration_ns is None:
            raise UserError(f"the rates end after {come:,} requests, and {count:,} are asked for")
        due_ns = due_ns[:come]
    if duration_ns is not None:
        due_ns = due_ns[due_ns < duration_ns]
    if not len(due_ns):
        raise UserError("at this rate no request is due in the time given; use a longer --duration or a higher rate")
    return due_ns


def _cut(segments: Sequence[Segment], at_s: float) -> list[Segment]:
    """The rates until a time."""
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
