"""Traces made from traces, by pure functions that compose and leave their names behind.

None rounds a time or touches a block id unless that is its job. What is drawn comes from a seed: the same seed, the
same trace, in every process.
"""

from .copies import loop, merge, multiply
from .subset import limit, select, window
from .thinning import rate, thin
from .times import dequantize, idle_cap, sort, speed

__all__ = [
    "dequantize",
    "idle_cap",
    "limit",
    "loop",
    "merge",
    "multiply",
    "rate",
    "select",
    "sort",
    "speed",
    "thin",
    "window",
]
