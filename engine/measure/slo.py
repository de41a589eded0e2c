"""Service level objectives: of a whole run (ttft:p99:300ms) and of each request (ttft:300ms)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import UserError
from ..units import duration_ns
from .percentiles import PERCENTILES

PER_REQUEST: Final = ("ttft", "tpot", "e2e")
PER_RUN: Final = (*PER_REQUEST, "itl", "lateness")
_PERCENTILES: Final = tuple(f"p{p:g}" for p in PERCENTILES)


@dataclass(frozen=True)
class Slo:
    """An upper bound of a latency."""

    metric: str
    statistic: str | None
    """avg, or a percentile as p99: an objective of the run. None: each request has to meet it."""
    limit_ns: int

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        return ":".join(filter(None, (self.metric, self.statistic, f"{self.limit_ns / 1e6:g}ms")))


def parse_slo(text: str) -> Slo:
    """Reads METRIC:LIMIT or METRIC:STATISTIC:LIMIT.

    Raises:
        UserError: It is neither; the message says what would be right.
    """
    parts = text.split(":")
    metric, middle, limit = (parts[0], parts[1:-1], parts[-1]) if len(parts) in {2, 3} else ("", [], "")
    allowed: Sequence[str] = PER_RUN if middle else PER_REQUEST
    if metric not in allowed:
        raise UserError(
            f"SLO {text!r}: write METRIC:LIMIT with one of {', '.join(PER_REQUEST)}, as ttft:300ms, "
            f"or METRIC:STATISTIC:LIMIT with one of {', '.join(PER_RUN)}, as ttft:p99:300ms"
        )
    if middle and middle[0] not in (*_PERCENTILES, "avg"):
        raise UserError(f"SLO {text!r}: the statistic {middle[0]!r} is none of avg, {', '.join(_PERCENTILES)}")
    return Slo(metric, middle[0] if middle else None, duration_ns(limit))
