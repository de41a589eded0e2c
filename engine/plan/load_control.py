"""Load control: slots of a closed loop, limits of requests in flight, and the end of the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Load:
    """Limits of a run in addition to its due times; the default has none.

    Attributes:
        slot_opens_ns: When each slot of a closed loop opens, in ns after the start, ascending. A request
            leaves when a slot is free, in order, and its scheduled time is the moment the slot came free. Empty: an
            open loop.
        max_in_flight: Limit of requests in flight; a request that is due waits for room. 0: no limit.
        max_prefilling: Limit of requests in flight without a token yet. 0: no limit.
        end_ns: Sending ends then by the clock, and open streams have a grace time; 0: with the last request.
        warmup_rows: Number of requests of the warm-up, which come first.
        warmup_ns: So are those that are scheduled before this.
    """

    slot_opens_ns: NDArray[np.int64] = field(default_factory=_none)
    max_in_flight: int = 0
    max_prefilling: int = 0
    end_ns: int = 0
    warmup_rows: int = 0
    warmup_ns: int = 0

    @property
    def closed(self) -> bool:
        """Does a request wait for the end of another, rather than for its time?"""
        return len(self.slot_opens_ns) > 0

    @property
    def stop_ns(self) -> int:
        """Of a closed loop that ends by the clock: nothing leaves later than this after the start, and what is left
        then was never part of the run. 0: all rows are sent."""
        return self.end_ns if self.closed else 0

    @property
    def caps(self) -> tuple[int, ...]:
        """All limits that workers have to share."""
        return tuple(cap for cap in (len(self.slot_opens_ns), self.max_in_flight, self.max_prefilling) if cap)

    def digest_words(self) -> str:
        """Return what a plan's digest has of it."""
        return repr((self.slot_opens_ns.tolist(), self.max_in_flight, self.max_prefilling, self.stop_ns,
                     self.warmup_rows, self.warmup_ns))  # fmt: skip


def slot_openings(slots: int, ramp_ns: int = 0, steps: int = 0) -> NDArray[np.int64]:
    """Return when each slot of a closed loop opens: all at once, or one after another over a ramp.

    Args:
        slots: How many.
        ramp_ns: From the first to the moment when the next after the last would open.
        steps: Number of equal groups in which they open; 0: one by one.
    """
    place = np.arange(slots, dtype=np.int64)
    if steps:
        return place * steps // slots * ramp_ns // steps
    return place * ramp_ns // slots


def share(total: int, part: int, parts: int) -> int:
    """Return what one of several workers gets of a limit: the parts add up to the whole, and differ by one at most."""
    return total // parts + (part < total % parts)


def choose(n: int, kinds: int, strategy: str, weights: Sequence[float], rng: np.random.Generator) -> NDArray[np.int16]:
    """Return which of several models or servers each request goes to.

    Args:
        n: Requests.
        kinds: Of how many to choose.
        strategy: "round_robin", "random" (all alike) or "weight".
        weights: One for each, for "weight".
        rng: Draws for the latter two.

    Returns:
        Indices below `kinds`.
    """
    if kinds == 1 or strategy == "round_robin":
        return (np.arange(n) % kinds).astype(np.int16)
    if strategy == "random":
        return rng.integers(kinds, size=n, dtype=np.int16)
    p = np.asarray(weights, np.float64)
    return rng.choice(kinds, size=n, p=p / p.sum()).astype(np.int16)
