"""The status of a run in progress."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Status:
    """Status of a run, summed over all workers."""

    planned: int
    sent: int = 0
    finished: int = 0
    succeeded: int = 0
    active: int = 0
    tokens: int = 0
    events: int = 0
    coalesced: int = 0
    starved: int = 0
    blocked: int = 0
    clock_steps: int = 0
    elapsed_ns: int = 0
    until_ns: int = 0
    """End of a closed loop that ends by the clock, in ns since the start; 0: `planned` requests are sent."""
    stopping: bool = False
    lateness: NDArray[np.int64] = field(default_factory=lambda: np.zeros(128, np.int64))

    def lateness_quantile_us(self, q: float) -> float | None:
        """Return the upper bound of the quantile's bucket (``lateness_bucket`` of cext/reactor/reactor.h), in us."""
        total = int(self.lateness.sum())
        if not total:
            return None
        bucket = int(np.searchsorted(np.cumsum(self.lateness), q * total))
        if bucket < 4:
            return float(bucket + 1)
        octave, quarter = divmod(bucket, 4)
        return float((4 + quarter + 1) << (octave - 1))
