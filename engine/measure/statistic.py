"""Statistics of a metric, such as mean and percentiles; each is a row of a summary."""

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
    """Statistics of a metric, from one zero point.

    `avg`, `min` and `std` (of the population) are over the finite samples. `max` and the percentiles count
    `failed` samples as infinite: a percentile that falls among them is None, with the note "failed". A
    percentile of too few samples is None, with a note such as "needs 368".
    """

    metric: str
    basis: str | None
    """"schedule" or "send" for a latency with two zero points, else None."""
    unit: str
    count: int
    """Number of samples, failed ones included."""
    failed: int = 0
    avg: float | None = None
    min: float | None = None
    max: float | None = None
    std: float | None = None
    percentiles: dict[str, float | None] = field(default_factory=dict)
    """p50, p75, p90, p95, p99, p99.9."""
    notes: dict[str, str] = field(default_factory=dict)
    """Why a value is None, by the value's name."""

    @property
    def key(self) -> str:
        """Its name with zero point and unit: ttft_from_send_ms, output_tokens."""
        parts = [self.metric, *([f"from_{self.basis}"] if self.basis else [])]
        return "_".join([*parts, self.unit] if self.unit != "tokens" else parts)

    def as_dict(self) -> dict[str, Any]:
        """Return a flat dict for JSON: count, failed, each number by its column name, and the notes."""
        numbers = {name: self.value(name) for name in COLUMNS}
        return {"count": self.count, "failed": self.failed} | numbers | {"notes": self.notes}

    def value(self, name: str) -> float | None:
        """Return a number by its column name: avg, min, max, std, or a percentile such as p99."""
        return self.percentiles[name] if name in self.percentiles else getattr(self, name)


def statistic(
    metric: str, basis: str | None, unit: str, samples: NDArray[Any], *, failed: int = 0, scale: float = 1.0
) -> Statistic:
    """Return the statistics of samples.

    Args:
        samples: Finite samples; reordered in place.
        failed: Number of further, infinite samples.
        scale: Factor from the samples' unit to `unit`.
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
