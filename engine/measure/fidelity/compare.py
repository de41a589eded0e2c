"""Comparison of a replay's plan with what was sent and received.

Pure functions of arrays. Definitions:

- gaps: differences of neighbouring times in ascending order;
- KS distance: the largest difference of the two empirical distribution functions of the gaps (Kolmogorov, 1933);
  a second value treats gaps that differ by up to 0.1 ms as equal, because a plan may have several requests at one
  instant, which no client can send at once;
- Wasserstein distance: the area between the two distribution functions, in the gaps' unit; for samples of one size
  the mean difference of the gaps by rank;
- rate error: root mean square of the differences of requests per bin, over all bins from the plan's zero to the last
  planned or sent request, as a rate and as a share of the planned mean;
- CV: standard deviation over mean of the gaps; Fano factor: variance over mean of the requests per 1 s bin. A
  Poisson process has 1 and 1. Both with n in the denominator of the variance;
- order violations: requests sent before a request that precedes them in the plan.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..percentiles import ks_distance

Int64s = NDArray[np.int64]

BIN_NS: Final = 10**9
RATE_BINS_S: Final = (1, 10)
TOLERANCE_NS: Final = 10**5
LATENESS: Final = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


@dataclass(frozen=True)
class Process:
    """Statistics of arrivals; a value is None if there are too few arrivals or all have one time."""

    requests: int
    span_s: float
    rate_rps: float | None
    peak_per_s: int
    """Largest number of requests in a bin of 1 s."""
    cv: float | None
    fano: float | None


@dataclass(frozen=True)
class GapDistance:
    """Distances between the planned gaps and the actual gaps."""

    ks: float
    ks_beyond_100us: float
    wasserstein_ms: float


@dataclass(frozen=True)
class RateError:
    """Root mean square error of the requests per bin."""

    bin_s: int
    rmse_rps: float
    share: float
    """Share of the planned mean rate."""


@dataclass(frozen=True)
class Lengths:
    """Planned and actual lengths, in tokens."""

    requests: int
    """Number of requests with a known length on both sides; of two traces, the first one's number."""
    planned_mean: float
    got_mean: float
    error: float | None
    """(got - planned) / planned, computed from the sums."""
    absolute_error: float | None
    """Sum of |got - planned| over requests / sum of planned; None where requests are not paired."""
    equal_share: float | None
    """Share of requests that have exactly the planned length."""
    ks: float


@dataclass(frozen=True)
class Reuse:
    """Prompt tokens, and how many of them a cache held or could have held."""

    tokens: int
    cached_tokens: int

    @property
    def share(self) -> float:
        """Cached tokens / all tokens; 0 without tokens."""
        return self.cached_tokens / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class Fidelity:
    """A plan compared with its run; or two traces, which have no lateness and no order violations."""

    planned: Process | None
    """None for a closed loop, whose requests have no planned times."""
    got: Process
    lateness_ms: dict[str, float] | None
    """Sent - scheduled: min, p50, p90, p99, p99.9, max."""
    order_violations: int | None
    gaps: GapDistance | None
    """None with fewer than two requests on either side, or without planned times."""
    rates: tuple[RateError, ...]
    """Empty without planned requests or planned times."""
    isl: Lengths | None
    osl: Lengths | None
    planned_reuse: Reuse | None
    """Reuse under an infinite cache; None if the trace has no block ids."""
    got_reuse: Reuse | None
    """Tokens that the server reported as cached; None if it reported none."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers for JSON."""
        plain = asdict(self)
        plain["rates"] = list(plain["rates"])
        for name in ("planned_reuse", "got_reuse"):
            reuse: Reuse | None = getattr(self, name)
            if reuse is not None:
                plain[name]["share"] = reuse.share
        return plain


def process(at_ns: Int64s) -> Process:
    """Return statistics of ascending arrival times since the plan's zero."""
    if not len(at_ns):
        return Process(0, 0.0, None, 0, None, None)
    span = int(at_ns[-1] - at_ns[0])
    bins = at_ns // BIN_NS
    _, counts = np.unique(bins, return_counts=True)
    number = int(bins[-1] - bins[0]) + 1
    mean = len(at_ns) / number
    variance = float((counts.astype(np.float64) ** 2).sum()) / number - mean**2
    gaps = np.diff(at_ns).astype(np.float64)
    return Process(
        requests=len(at_ns),
        span_s=span / 1e9,
        rate_rps=(len(at_ns) - 1) / (span / 1e9) if span else None,
        peak_per_s=int(counts.max()),
        cv=float(gaps.std() / gaps.mean()) if len(gaps) > 1 and span else None,
        fano=max(variance, 0.0) / mean if number > 1 else None,
    )


def gap_distance(planned_ns: Int64s, got_ns: Int64s) -> GapDistance | None:
    """Return the distances between the gaps of two ascending series; None if either has fewer than two times."""
    if len(planned_ns) < 2 or len(got_ns) < 2:
        return None
    planned, got = np.diff(planned_ns), np.diff(got_ns)
    return GapDistance(
        ks_distance(planned, got, 0), ks_distance(planned, got, TOLERANCE_NS), wasserstein(planned, got) / 1e6
    )


def wasserstein(a: Int64s, b: Int64s) -> float:
    """Return the 1-Wasserstein distance of two samples, in their unit; each has at least one number."""
    a, b = np.sort(a), np.sort(b)
    if len(a) == len(b):
        return float(np.abs(a - b).mean())
    steps = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(sample, steps[:-1], side="right") / len(sample) for sample in (a, b)]
    return float((np.abs(below[0] - below[1]) * np.diff(steps)).sum())


def rate_error(planned_ns: Int64s, got_ns: Int64s, bin_s: int) -> RateError | None:
    """Return the RMSE of the requests per bin; both series have the same zero. None without planned requests."""
    if not len(planned_ns):
        return None
    width = bin_s * BIN_NS
    last = max(int(series.max()) for series in (planned_ns, got_ns) if len(series))
    number = max(last // width, 0) + 1
    bins = np.concatenate([planned_ns, got_ns]) // width
    signs = np.repeat([1, -1], [len(planned_ns), len(got_ns)])
    _, places = np.unique(bins, return_inverse=True)  # empty bins add nothing to the sum
    difference = np.bincount(places, weights=signs)
    rmse = float(np.sqrt((difference**2).sum() / number))
    return RateError(bin_s, rmse / bin_s, rmse / (len(planned_ns) / number))


def lengths(planned: NDArray[Any], got: NDArray[Any], *, paired: bool) -> Lengths | None:
    """Compare two columns of lengths.

    Args:
        planned: Planned length of each request.
        got: Actual length of each request; the same requests if paired.
        paired: Whether both columns have the same requests in the same order.
    """
    if not len(planned) or not len(got):
        return None
    a, b = planned.astype(np.int64), got.astype(np.int64)
    total = int(a.sum())
    return Lengths(
        requests=len(a),
        planned_mean=float(a.mean()),
        got_mean=float(b.mean()),
        error=float(b.mean() / a.mean() - 1) if total else None,
        absolute_error=float(np.abs(b - a).sum() / total) if paired and total else None,
        equal_share=float((a == b).mean()) if paired else None,
        ks=ks_distance(a, b, 0),
    )


def order_violations(sent_ns: Int64s) -> int:
    """Return how many requests were sent before a request that precedes them in the plan.

    Args:
        sent_ns: Send times of the sent requests, in the plan's order.
    """
    return int((sent_ns[1:] < np.maximum.accumulate(sent_ns)[:-1]).sum()) if len(sent_ns) else 0


def replay_fidelity(
    planned_ns: Int64s,
    sent_ns: Int64s,
    sent: NDArray[np.bool_],
    *,
    isl: Lengths | None = None,
    osl: Lengths | None = None,
    planned_reuse: Reuse | None = None,
    got_reuse: Reuse | None = None,
) -> Fidelity:
    """Compare a run with its plan, request by request in the plan's order.

    Args:
        planned_ns: Due time of each request, since the plan's zero.
        sent_ns: Send time of each request, since the same zero; any value if it was not sent.
        sent: Whether each request was sent.
        isl, osl, planned_reuse, got_reuse: Lengths and reuse; None if unknown.
    """
    left = sent_ns[sent]
    late = (left - planned_ns[sent]) / 1e6
    found = compare(np.sort(planned_ns), np.sort(left), isl, osl, planned_reuse, got_reuse)
    quantiles = np.quantile(late, list(LATENESS.values())).tolist() if len(late) else None
    return Fidelity(
        found.planned,
        found.got,
        lateness_ms=None if quantiles is None else dict(zip(LATENESS, quantiles, strict=True)),
        order_violations=order_violations(left),
        gaps=found.gaps,
        rates=found.rates,
        isl=isl,
        osl=osl,
        planned_reuse=planned_reuse,
        got_reuse=got_reuse,
    )


def compare(
    planned_ns: Int64s,
    got_ns: Int64s,
    isl: Lengths | None = None,
    osl: Lengths | None = None,
    planned_reuse: Reuse | None = None,
    got_reuse: Reuse | None = None,
) -> Fidelity:
    """Compare two series of unrelated requests: no lateness, no order. Times ascend and have the same zero."""
    errors: Sequence[RateError | None] = [rate_error(planned_ns, got_ns, bin_s) for bin_s in RATE_BINS_S]
    return Fidelity(
        planned=process(planned_ns),
        got=process(got_ns),
        lateness_ms=None,
        order_violations=None,
        gaps=gap_distance(planned_ns, got_ns),
        rates=tuple(error for error in errors if error is not None),
        isl=isl,
        osl=osl,
        planned_reuse=planned_reuse,
        got_reuse=got_reuse,
    )
