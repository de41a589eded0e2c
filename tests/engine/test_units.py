"""Durations as people write them."""

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.units import duration_ns


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("50ms", 50_000_000),
        ("2s", 2_000_000_000),
        ("1m", 60_000_000_000),
        ("1h", 3_600_000_000_000),
        ("0.5", 500_000_000),
        (".25s", 250_000_000),
        ("3.", 3_000_000_000),
        ("0", 0),
        ("10us", 10_000),
        ("7ns", 7),
        ("0.1s", 100_000_000),
        (" 1.5 ms ", 1_500_000),
    ],
)
def test_a_duration_is_whole_nanoseconds(text: str, expected_ns: int) -> None:
    assert duration_ns(text) == expected_ns


@pytest.mark.parametrize("text", ["", "ms", "-1s", "1 d", "1e3", "50 m s", "٣s", "nan", "."])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(UserError, match="not a duration"):
        duration_ns(text)


def test_a_duration_beyond_int64_is_refused() -> None:
    with pytest.raises(UserError, match="too long"):
        duration_ns("99999999999s")
