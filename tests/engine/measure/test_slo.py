"""Parsing of service level objectives."""

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
        ("e2e:1.5m", Slo("e2e", None, 90_000_000_000)),
        ("tpot:500us", Slo("tpot", None, 500_000)),
    ],
)
def test_objectives(text: str, slo: Slo) -> None:
    assert parse_slo(text) == slo
    assert parse_slo(slo.text) == slo


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ttft", "METRIC:LIMIT"),
        ("latency:3s", "ttft, tpot, e2e"),
        ("itl:20ms", "METRIC:STATISTIC:LIMIT"),
        ("ttft:p98:3s", "unknown statistic 'p98'; write one of avg, p50"),
        ("ttft:p99:x", "'x' is not a latency limit; write 300ms or 0.3s"),
        ("ttft:p99:300 msec", "'300 msec' is not a latency limit; write 300ms or 0.3s"),
        ("ttft:p99:", "'' is not a latency limit"),
        ("ttft:-1s", "'-1s' is not a latency limit"),
        ("ttft:9999999999h", "'9999999999h' is too long for a duration"),
        ("ttft:p99:300", "^SLO 'ttft:p99:300': the limit 300 has no unit; write 300ms or 300s$"),
        ("ttft:300", "^SLO 'ttft:300': the limit 300 has no unit; write 300ms or 300s$"),
        ("e2e: 0.5 ", "the limit 0.5 has no unit; write 0.5ms or 0.5s"),
        ("itl:avg:20", "the limit 20 has no unit; write 20ms or 20s"),
        ("lateness:p50:0", "the limit 0 has no unit; write 0ms or 0s"),
        ("ttft:p99:1s:2s", "METRIC:LIMIT"),
    ],
)
def test_a_malformed_objective_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_slo(text)
