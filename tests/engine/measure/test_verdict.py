"""The verdict's limits, each from both sides."""

from dataclasses import replace

import pytest
from tokentape.engine.measure.verdict import Evidence, judge, worker_facts

MS = 1e6
GOOD = Evidence(
    requests=4000,
    ok=4000,
    failed=0,
    cancelled=0,
    lateness_p50_ns=0.05 * MS,
    lateness_p99_ns=0.9 * MS,
    ttft_p50_ns=50 * MS,
    planned_rps=100.0,
    achieved_rps=100.0,
    arrivals_ks=0.01,
    coalesced_share=0.0,
    kernel_clock_share=1.0,
    busy_share=0.2,
    clock_steps=0,
    recovered=False,
)


def test_a_clean_run_is_valid_without_a_reason() -> None:
    verdict = judge(GOOD)
    assert (verdict.state, verdict.reasons, verdict.exit_code) == ("VALID", (), 0)


@pytest.mark.parametrize(
    ("change", "state", "code"),
    [
        ({"lateness_p99_ns": 2.4 * MS}, "VALID", None),
        ({"lateness_p99_ns": 2.6 * MS}, "DEGRADED", "late"),
        ({"lateness_p99_ns": 0.99 * MS, "ttft_p50_ns": 5 * MS}, "VALID", None),
        ({"lateness_p99_ns": 9.9 * MS, "ttft_p50_ns": 1000 * MS}, "VALID", None),
        ({"lateness_p99_ns": 10.1 * MS, "ttft_p50_ns": 1000 * MS}, "DEGRADED", "late"),
        ({"lateness_p99_ns": 99 * MS}, "DEGRADED", "late"),
        ({"lateness_p99_ns": 101 * MS}, "INVALID", "late"),
        ({"lateness_p99_ns": 101 * MS, "ttft_p50_ns": 1000 * MS}, "DEGRADED", "late"),
        ({"lateness_p50_ns": 11 * MS, "lateness_p99_ns": 12 * MS}, "INVALID", "late"),
        ({"lateness_p50_ns": None, "lateness_p99_ns": None}, "VALID", None),
        ({"achieved_rps": 95.1}, "VALID", None),
        ({"achieved_rps": 94.9}, "DEGRADED", "rate"),
        ({"achieved_rps": 79.9}, "INVALID", "rate"),
        ({"arrivals_ks": 0.11}, "DEGRADED", "arrivals"),
        ({"arrivals_ks": 0.51}, "INVALID", "arrivals"),
        ({"requests": 367, "ok": 367}, "VALID", "p99_needs_more"),
        ({"requests": 368, "ok": 368}, "VALID", None),
        ({"requests": 35, "ok": 35}, "DEGRADED", "few_requests"),
        ({"ok": 3960, "failed": 40}, "VALID", None),
        ({"ok": 3959, "failed": 41}, "DEGRADED", "failures"),
        ({"ok": 3999, "cancelled": 1}, "DEGRADED", "interrupted"),
        ({"coalesced_share": 0.11}, "DEGRADED", "coalesced"),
        ({"whole_answers": 2000}, "VALID", None),
        ({"whole_answers": 2001}, "DEGRADED", "not_streamed"),
        ({"kernel_clock_share": 0.5}, "VALID", "user_clock"),
        ({"busy_share": 0.71}, "DEGRADED", "busy"),
        ({"busy_share": 0.96}, "INVALID", "busy"),
        ({"clock_steps": 1}, "DEGRADED", "clock_step"),
        ({"recovered": True}, "DEGRADED", "recovered"),
        ({"stopped": True}, "DEGRADED", "interrupted"),
        ({"ok": 0, "failed": 4000}, "INVALID", "nothing_succeeded"),
        ({"requests": 0, "ok": 0}, "INVALID", "no_requests"),
        ({"requests": 0, "ok": 0, "recovered": True}, "INVALID", "no_requests"),
        ({"ok": 0, "cancelled": 4000}, "INVALID", "nothing_succeeded"),
    ],
)
def test_limits(change: dict[str, object], state: str, code: str | None) -> None:
    verdict = judge(replace(GOOD, **change))  # type: ignore[arg-type]
    assert verdict.state == state
    assert [reason.code for reason in verdict.reasons] == ([code] if code else [])
    assert all(reason.text and reason.advice for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("failed", "limit", "exit_code"),
    [
        (400, 0.1, 0),
        (401, 0.1, 4),
        (1, 0.0, 4),
        (0, 0.0, 0),
        (5, 5, 0),
        (6, 5, 4),
        (4000, 0.1, 4),
        (3999, 0.999, 4),
    ],
)
def test_failures_above_the_limit_exit_with_4(failed: int, limit: float, exit_code: int) -> None:
    assert judge(replace(GOOD, ok=4000 - failed, failed=failed), limit).exit_code == exit_code


def test_never_0_without_a_success() -> None:
    assert judge(replace(GOOD, ok=0, failed=4000), 5000).exit_code == 3
    assert judge(replace(GOOD, ok=0, cancelled=4000)).exit_code == 3


def test_the_gravest_reason_comes_first() -> None:
    verdict = judge(replace(GOOD, kernel_clock_share=0.0, coalesced_share=0.5, achieved_rps=10.0))
    assert [reason.level for reason in verdict.reasons] == ["INVALID", "DEGRADED", "NOTE"]
    assert verdict.exit_code == 3


def test_facts_of_the_workers() -> None:
    workers = [{"busy_share": 0.1, "clock_steps": 1}, {"busy_share": 0.4}, {"pid": 3}]
    assert worker_facts({"workers": workers}) == (0.4, 1)
    assert worker_facts({"workers": 2}) == (None, 0)
    assert worker_facts({}) == (None, 0)


def test_a_run_without_errors_sends_nobody_to_read_them() -> None:
    (reason,) = judge(replace(GOOD, requests=300, ok=0, cancelled=300)).reasons
    assert reason.text == "none of 300 requests ended: all were cancelled"
    assert "errors" not in reason.advice
    (reason,) = judge(replace(GOOD, requests=1, ok=1)).reasons
    assert reason.text == "only 1 request succeeded; p90 needs 36"
