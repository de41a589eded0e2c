"""Objectives as they are written."""

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.measure.slo import Slo, parse_slo


@pytest.mark.parametrize(
    ("text", "slo"),
    [
        ("ttft:300ms", Slo("ttft", None, 300_000_000)),
        ("ttft:p99:300ms", Slo("ttft", "p99", 300_000_000)),
        ("itl:p99.9:20ms", Slo("itl", "p99.9", 20_000_000)),
        ("e2e:avg:2s", Slo("e2e", "avg", 2_000_000_000)),
    ],
)
def test_objectives(text: str, slo: Slo) -> None:
    assert parse_slo(text) == slo
    assert parse_slo(slo.text) == slo


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ttft", "METRIC:LIMIT"),
        ("latency:3s", "ttft, tpot, e2e"),
        ("itl:20ms", "METRIC:STATISTIC:LIMIT"),
        ("ttft:p98:3s", "'p98' is none of"),
        ("ttft:p99:x", "'x' is not a duration"),
        ("ttft:p99:1s:2s", "METRIC:LIMIT"),
    ],
)
def test_what_is_none_is_told(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        parse_slo(text)
