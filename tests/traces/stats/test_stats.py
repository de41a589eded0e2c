"""Quantiles and the search for coarse timestamps, on numbers with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from tokentape.traces.stats import Quantisation, quantile, quantisation

MS = 10**6


def ns(values: list[int], unit: int = MS) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(sorted(values), np.int64) * unit


def test_quantile_interpolates_between_order_statistics() -> None:
    assert quantile(np.array([1, 2, 3, 4]), 0.5) == 2.5
    assert quantile(np.array([10, 20]), 0.99) == pytest.approx(19.9)
    assert quantile(np.array([7]), 0.99) == 7


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3000 * i + (i % 7 == 1) for i in range(20) for _ in range(3)], Quantisation(3000 * MS, 60, 20, 3)),
        ([1000 * i for i in range(40) for _ in range(1 + i % 2)], Quantisation(1000 * MS, 60, 40, 2)),
        ([i**2 for i in range(60)], None),  # all distinct
        ([i**2 for i in range(30) for _ in range(3)], None),  # they repeat, on a grid of 1 ms
        ([7**i % 1009 for i in range(30) for _ in range(3)], None),  # they repeat, on no grid
        ([0] * 50 + [5] * 50, None),  # too few distinct ones to tell
        ([100 * (i // 2) for i in range(18)], None),  # too few rows
    ],
)
def test_coarse_timestamps(values: list[int], expected: Quantisation | None) -> None:
    assert quantisation(ns(values)) == expected
