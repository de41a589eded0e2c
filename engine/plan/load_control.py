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
        slot_opens_ns: When each slot of a closed loop opens, in ns after the start, ascending. Requests are sent
            in order when a slot is free; the scheduled time is the moment at which the slot became free. Empty: an
            open loop.
        max_in_flight: Limit of requests in flight; above it due requests wait. 0: no limit.
        max_prefilling: Limit of requests in flight before their first token. 0: no limit.
        end_ns: Time at which sending ends; open streams then have a grace time. 0: sending ends with the last request.
        warmup_rows: Number of requests of the warm-up, which come first.
        warmup_ns: Requests scheduled before this time belong to the warm-up too.
    """

    slot_opens_ns: NDArray[np.int64] = field(default_factory=_none)
    max_in_flight: int = 0
    max_prefilling: int = 0
    end_ns: int = 0
    warmup_rows: int = 0
    warmup_ns: int = 0

    @property
    def closed(self) -> bool:
        """Whether the load is a closed loop, in which a request is sent when a slot becomes free."""
        return len(self.slot_opens_ns) > 0

    @property
    def stop_ns(self) -> int:
        """End of a closed loop that ends by the clock, in ns after the start: later rows are not part of the run.
        0: all rows are sent."""
        return self.end_ns if self.closed else 0

    @property
    def caps(self) -> tuple[int, ...]:
        """The limits that workers share."""
        return tuple(cap for cap in (len(self.slot_opens_ns), self.max_in_flight, self.max_prefilling) if cap)

    def digest_words(self) -> str:
        """Return the part of a plan's digest that covers these limits."""
        return repr((self.slot_opens_ns.tolist(), self.max_in_flight, self.max_prefilling, self.stop_ns,
                     self.warmup_rows, self.warmup_ns))  # fmt: skip


def slot_openings(slots: int, ramp_ns: int = 0, steps: int = 0) -> NDArray[np.int64]:
    """Return when each slot of a closed loop opens: all at once, or over a ramp.

    Args:
        slots: Number of slots.
        ramp_ns: Length of the ramp: the time from the first opening to when a slot after the last would open.
        steps: Number of equal groups of slots; 0: slots open one by one.
    """
    place = np.arange(slots, dtype=np.int64)
    if steps:
        return place * steps // slots * ramp_ns // steps
    return place * ramp_ns // slots


def share(total: int, part: int, parts: int) -> int:
    """Return a worker's part of a limit; the parts add up to the limit and differ by at most one."""
    return total // parts + (part < total % parts)


def choose(n: int, kinds: int, strategy: str, weights: Sequence[float], rng: np.random.Generator) -> NDArray[np.int16]:
    """Return which of several models or servers each request goes to.

    Args:
        n: Number of requests.
        kinds: Number of models or servers.
        strategy: "round_robin", "random" (uniform) or "weight".
        weights: Weight of each model or server, for "weight".
        rng: Generator for "random" and "weight".

    Returns:
        Indices below `kinds`.
    """
    if kinds == 1 or strategy == "round_robin":
        return (np.arange(n) % kinds).astype(np.int16)
    if strategy == "random":
        return rng.integers(kinds, size=n, dtype=np.int16)
    p = np.asarray(weights, np.float64)
    return rng.choice(kinds, size=n, p=p / p.sum()).astype(np.int16)
