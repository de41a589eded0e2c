"""Service level objectives: upper limits of a latency, for a run (ttft:p99:300ms) or each request (ttft:300ms)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import UserError
from ..units import duration_ns
from .percentiles import PERCENTILES

PER_REQUEST: Final = ("ttft", "tpot", "e2e")
PER_RUN: Final = (*PER_REQUEST, "itl", "lateness")
_UNITS: Final = ("s", "m", "h")
"""The last letter of each unit of a duration: ns, us, ms, s, m, h."""
_PERCENTILES: Final = tuple(f"p{p:g}" for p in PERCENTILES)


@dataclass(frozen=True)
class Slo:
    """An upper limit of a latency."""

    metric: str
    statistic: str | None
    """avg or a percentile such as p99: the limit is for the whole run. None: it is for each request."""
    limit_ns: int

    @property
    def text(self) -> str:
        """The objective as it is written on the command line."""
        return ":".join(filter(None, (self.metric, self.statistic, f"{self.limit_ns / 1e6:g}ms")))


def parse_slo(text: str) -> Slo:
    """Parse METRIC:LIMIT or METRIC:STATISTIC:LIMIT, such as ttft:300ms or ttft:p99:300ms.

    The limit must have a unit: without one, 300 could mean 300 ms or 300 s.

    Raises:
        UserError: The text has another form; the message says what to write.
    """
    parts = text.split(":")
    metric, middle, limit = (parts[0], parts[1:-1], parts[-1]) if len(parts) in {2, 3} else ("", [], "")
    allowed: Sequence[str] = PER_RUN if middle else PER_REQUEST
    if metric not in allowed:
        raise UserError(
            f"SLO {text!r}: write METRIC:LIMIT with one of {', '.join(PER_REQUEST)}, such as ttft:300ms, "
            f"or METRIC:STATISTIC:LIMIT with one of {', '.join(PER_RUN)}, such as ttft:p99:300ms"
        )
    if middle and middle[0] not in (*_PERCENTILES, "avg"):
        raise UserError(f"SLO {text!r}: unknown statistic {middle[0]!r}; write one of avg, {', '.join(_PERCENTILES)}")
    return Slo(metric, middle[0] if middle else None, _limit_ns(text, limit.strip()))


def _limit_ns(text: str, limit: str) -> int:
    try:
        limit_ns = duration_ns(limit)
    except UserError as error:
        if limit[:1].isdigit() and limit.endswith(_UNITS):  # a duration, but too long
            raise UserError(f"SLO {text!r}: {error}") from None
        raise UserError(f"SLO {text!r}: {limit!r} is not a latency limit; write 300ms or 0.3s") from None
    if not limit.endswith(_UNITS):
        raise UserError(f"SLO {text!r}: the limit {limit} has no unit; write {limit}ms or {limit}s")
    return limit_ns
