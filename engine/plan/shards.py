"""Sharing a plan among workers, so that N of them send what one would."""

import numpy as np
from numpy.typing import NDArray

from .plan import Plan


def shards(plan: Plan, workers: int) -> list[NDArray[np.int64]]:
    """The plan's rows that each worker sends, ascending.

    Rows go round in turn: a burst is spread over all workers, and each one's part is as dense as the others'.
    Together the shards hold every row once, with its due time unchanged.
    """
    rows = np.arange(len(plan), dtype=np.int64)
    return [rows[worker::workers] for worker in range(workers)]
