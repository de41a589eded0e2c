"""Three thirds of a run that are alike, and that are not."""

from collections.abc import Callable
from typing import Any

import pytest
from tokentape.engine.measure.stability import unstable

MS = 1_000_000


def _rows(latencies_ms: list[float], gap_ms: float = 10) -> list[dict[str, Any]]:
    rows = []
    for place, latency in enumerate(latencies_ms):
        sent = int(place * gap_ms * MS)
        end = sent + int(latency * MS)
        times = {
            "scheduled_ns": sent,
            "sent_ns": sent,
            "first_token_ns": sent + MS,
            "last_token_ns": end,
            "end_ns": end,
        }
        rows.append(times | {"end_ns": end, "request_id": place, "output_tokens": 2, "output_events": 2})
    return rows


def test_a_steady_run_is_stable(make_tape: Callable[..., Any]) -> None:
    assert unstable(make_tape(requests=_rows([5.0] * 90)), 0.05) is None


def test_a_latency_that_grows_is_told(make_tape: Callable[..., Any]) -> None:
    tape = make_tape(requests=_rows([5.0] * 60 + [8.0] * 30))
    why = unstable(tape, 0.1)
    assert why is not None
    assert why.startswith("not stable within 10%: the latency in the three thirds of the run was 5.00 ms, 5.")
    assert unstable(tape, 9.99) is None


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_requests_say_nothing(make_tape: Callable[..., Any], rows: int) -> None:
    assert unstable(make_tape(requests=_rows([5.0] * rows)), 0.01) is None
