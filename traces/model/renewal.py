"""Renewal processes: independent gaps of a Gamma or Weibull law with a given mean and coefficient of variation (CV).

Gamma of shape k has CV 1/sqrt(k). Weibull of shape k has CV**2 = Γ(1+2/k)/Γ(1+1/k)**2 - 1, solved for k by bisection.
A process that has always been running begins with what is left of the gap at hand: a uniform share of a gap drawn in
proportion to its length. Beginning with a whole gap would send (CV**2-1)/2 requests too many.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .load_model import Family

LEAST_CV, MOST_CV = 0.05, 20.0
_LEAST_GAP = 1e-6  # a recorder's clock has steps; logarithms of 0 are none


def bounded_cv(cv: float, requests: float) -> float:
    """A CV that can be: no n gaps have one above sqrt(n-1), and beyond 20 nothing is left but one burst."""
    return min(max(cv, LEAST_CV), max(1.0, sqrt(max(requests - 1, 0.0))), MOST_CV)


def shape_of(family: Family, cv: float) -> float:
    """The law's shape parameter."""
    if family == "Gamma":
        return 1 / (cv * cv)
    low, high = 0.05, 100.0
    for _ in range(60):
        middle = sqrt(low * high)
        wider = lgamma(1 + 2 / middle) - 2 * lgamma(1 + 1 / middle) > log1p(cv**2)
        low, high = (middle, high) if wider else (low, middle)
    return sqrt(low * high)


def scale_of(family: Family, shape: float) -> float:
    """The law's scale parameter for a mean of 1."""
    return 1 / shape if family == "Gamma" else exp(-lgamma(1 + 1 / shape))


def arrivals_within(
    random: np.random.Generator, *, family: Family, cv: float, rate_rps: float, length_s: float
) -> NDArray[np.float64]:
    """Arrivals from 0 to length_s, in seconds, ascending; rate_rps * length_s of them on average."""
    shape = shape_of(family, cv)
    scale = scale_of(family, shape) / rate_rps
    if family == "Gamma":
        gap_at_hand = random.standard_gamma(shape + 1) * scale
    else:
        gap_at_hand = random.standard_gamma(1 + 1 / shape) ** (1 / shape) * scale
    clock = random.random() * gap_at_hand
    parts = []
    while clock < length_s:
        parts.append(np.array([clock]))
        wanted = rate_rps * (length_s - clock)
        size = int(wanted + 4 * cv * sqrt(wanted)) + 16
        gaps = (random.standard_gamma(shape, size) if family == "Gamma" else random.weibull(shape, size)) * scale
        times = clock + np.cumsum(gaps)
        parts.append(times[:-1])
        clock = float(times[-1])
    times = np.concatenate(parts) if parts else np.zeros(0)
    return times[times < length_s]


def likelier(gaps: NDArray[np.float64], cv: float) -> Family:
    """The law under which gaps of this CV are likelier; Gamma when neither is."""
    mean = float(gaps.mean())
    if mean <= 0:
        return "Gamma"
    unit = np.maximum(gaps, _LEAST_GAP) / mean
    logs = np.log(unit)
    k = shape_of("Gamma", cv)
    theta = scale_of("Gamma", k)
    gamma = float(np.sum((k - 1) * logs - unit / theta)) - len(unit) * (lgamma(k) + k * log(theta))
    k = shape_of("Weibull", cv)
    theta = scale_of("Weibull", k)
    with np.errstate(over="ignore"):
        weibull = float(np.sum((k - 1) * logs - (unit / theta) ** k)) + len(unit) * (log(k) - k * log(theta))
    return "Weibull" if weibull > gamma else "Gamma"
