"""One row of a summary: a metric's samples in a handful of numbers."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

from numpy.typing import NDArray

from .percentiles import PERCENTILES, exact_percentiles, needed_samples

NAMES: Final = tuple(f"p{p:g}" for p in PERCENTILES)
COLUMNS: Final = ("avg", "min", "max", *NAMES, "std")
FAILED: Final = "failed"


@dataclass(frozen=True)
class Statistic:
    """A metric from one zero point.

    `avg`, `min` and `std` (of the population) are over the samples that have a number. `max` and the
    percentiles count `failed` samples as infinite: where one falls among them it is None, and its note
    says "failed". A percentile of too few samples is None, and its note says "needs 368".
    """

    metric: str
    basis: str | None
    """"schedule" or "send" for latencies that are counted from either, else None."""
    unit: str
    count: int
    """All samples, the failed ones among them."""
    failed: int = 0
    avg: float | None = None
    min: float | None = None
    max: float | None = None
    std: float | None = None
    percentiles: dict[str, float | None] = field(default_factory=dict)
    """p50, p75, p90, p95, p99, p99.9."""
    notes: dict[str, str] = field(default_factory=dict)
    """Why a value is None, by its name."""

    @property
    def key(self) -> str:
        """Its name with zero point and unit: ttft_from_send_ms, output_tokens."""
        parts = [self.metric, *([f"from_{self.basis}"] if self.basis else [])]
        return "_".join([*parts, self.unit] if self.unit != "tokens" else parts)

    def as_dict(self) -> dict[str, Any]:
        """Flat, for JSON: count, failed, each number by its column's name, and the notes."""
        numbers = {name: self.value(name) for name in COLUMNS}
        return {"count": self.count, "failed": self.failed} | numbers | {"notes": self.notes}

    def value(self, name: str) -> float | None:
        """A number by its column's name: avg, min, max, std, or a percentile as p99."""
        return self.percentiles[name] if name in self.percentiles else getattr(self, name)


def statistic(
    metric: str, basis: str | None, unit: str, samples: NDArray[Any], *, failed: int = 0, scale: float = 1.0
) -> Statistic:
    """Sums samples up.

    Args:
        samples: Those that have a number; reordered in place.
        failed: How many more are infinite.
        scale: Samples are multiplied by it to be in `unit`.
    """
    count = len(samples) + failed
    notes: dict[str, str] = {}
    values: dict[str, float | None] = dict.fromkeys(NAMES)
    if count:
        for name, p, value in zip(NAMES, PERCENTILES, exact_percentiles(samples, infinite=failed), strict=True):
            if count < needed_samples(p):
                notes[name] = f"needs {needed_samples(p):,}"
            elif math.isinf(value):
                notes[name] = FAILED
            else:
                values[name] = value * scale
    if failed:
        notes["max"] = FAILED
    if not len(samples):
        return Statistic(metric, basis, unit, count, failed, percentiles=values, notes=notes)
    return Statistic(
        metric,
        basis,
        unit,
        count,
        failed,
        avg=float(samples.mean()) * scale,
        min=float(samples.min()) * scale,
        max=None if failed else float(samples.max()) * scale,
        std=float(samples.std()) * scale,
        percentiles=values,
        notes=notes,
    )
