"""The plan of a profile: which prepared request leaves when, and where to."""

from dataclasses import replace

import numpy as np
import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.plan import Choice, Pace, Plan, constant_rate, profile_plan, shards
from tokentape.engine.plan.load_control import slot_openings

S = 10**9
INPUTS = np.array([10, 20, 30], np.int32)
OUTPUTS = np.array([1, 2, 3], np.int32)
RATE = Pace(segments=constant_rate(100), count=50)
SLOTS = Pace(concurrency=8, count=50)


def _plan(pace: Pace, **how: object) -> Plan:
    return profile_plan(INPUTS, OUTPUTS, pace, seed=3, **how)  # type: ignore[arg-type]


def test_prepared_requests_go_round() -> None:
    plan = _plan(RATE)
    assert plan.input_tokens.tolist() == [10, 20, 30] * 16 + [10, 20]
    assert plan.output_tokens.tolist() == [1, 2, 3] * 16 + [1, 2]
    assert plan.trace_rows(np.array([4, 5])).tolist() == [1, 2]


def test_a_shuffle_takes_each_once_a_round() -> None:
    rows = _plan(RATE, order="shuffle").trace_rows(np.arange(48)).reshape(16, 3)
    assert all(sorted(one) == [0, 1, 2] for one in rows.tolist())
    assert len({tuple(one) for one in rows.tolist()}) > 1


def test_random_order_draws_each_alike() -> None:
    rows = _plan(replace(RATE, count=30_000), order="random").trace_rows(np.arange(30_000))
    assert np.bincount(rows).tolist() == pytest.approx([10_000] * 3, rel=0.05)


def test_the_same_options_make_the_same_plan() -> None:
    pace = Pace(segments=constant_rate(100), process="poisson", count=50, cancel_share=0.5, cancel_after_ns=S)
    how = {"order": "random", "models": Choice(3, "random"), "servers": Choice(2, "weight", (1, 3))}
    one, other = _plan(pace, **how), _plan(pace, **how)
    assert one.digest == other.digest
    assert profile_plan(INPUTS, OUTPUTS, pace, seed=4, **how).digest != one.digest  # type: ignore[arg-type]
    assert (one.due_ns == other.due_ns).all()


def test_draws_of_one_kind_leave_the_others_alone() -> None:
    pace = Pace(segments=constant_rate(100), process="poisson", count=50)
    assert (_plan(pace).due_ns == _plan(pace, order="random", models=Choice(2, "random")).due_ns).all()


def test_models_and_servers_are_chosen_by_strategy() -> None:
    plan = _plan(replace(RATE, count=9000), models=Choice(3), servers=Choice(2, "weight", (1, 3)))
    assert plan.model is not None and plan.server is not None
    assert plan.model[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert np.bincount(plan.server)[1] / 9000 == pytest.approx(0.75, abs=0.02)
    assert _plan(RATE).model is None


def test_the_warm_up_comes_on_top() -> None:
    plan = _plan(replace(RATE, warmup_count=5))
    assert len(plan) == 55
    assert plan.phases(np.arange(55), plan.due_ns).sum() == 50
    timed = _plan(Pace(segments=constant_rate(100), duration_ns=S, warmup_ns=S // 2))
    assert len(timed) == 150
    assert timed.phases(np.arange(150), timed.due_ns).sum() == 100


def test_a_closed_loop_by_count_has_a_row_for_each_request() -> None:
    plan = _plan(SLOTS)
    assert len(plan) == 50
    assert plan.load.closed
    assert plan.load.slot_opens_ns.tolist() == [0] * 8
    assert plan.load.stop_ns == 0


def test_a_closed_loop_by_the_clock_has_rows_enough_and_an_end() -> None:
    plan = _plan(Pace(concurrency=4, duration_ns=2 * S, warmup_ns=S))
    assert plan.load.stop_ns == 3 * S
    assert len(plan) == 60_000


def test_slots_open_over_the_ramp() -> None:
    assert slot_openings(4, 1000).tolist() == [0, 250, 500, 750]
    assert slot_openings(6, 1000, 2).tolist() == [0, 0, 0, 500, 500, 500]
    assert slot_openings(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_shards_share_slots_and_limits(workers: int) -> None:
    pace = replace(SLOTS, max_in_flight=9, max_prefilling=8, ramp_ns=8000)
    plan = _plan(pace)
    parts = shards(plan, workers)
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == list(range(50))
    opens = np.concatenate([part.load.slot_opens_ns for part in parts])
    assert sorted(opens.tolist()) == plan.load.slot_opens_ns.tolist()
    assert sum(part.load.max_in_flight for part in parts) == 9
    assert sum(part.load.max_prefilling for part in parts) == 8


def test_more_workers_than_slots_are_refused() -> None:
    with pytest.raises(UserError, match="9 workers cannot share a limit of 8"):
        shards(_plan(SLOTS), 9)


@pytest.mark.parametrize(("workers", "expected"), [(1, 2), (2, 2), (3, 3)])
def test_each_worker_has_one_server(workers: int, expected: int) -> None:
    plan = _plan(RATE, servers=Choice(2))
    parts = shards(plan, workers)
    assert len(parts) == expected
    assert plan.server is not None
    for part in parts:
        assert set(plan.server[part.rows].tolist()) == {part.server}
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == list(range(50))


def test_cancellations_are_a_share_of_the_requests() -> None:
    plan = _plan(replace(RATE, count=10_000, cancel_share=0.3, cancel_after_ns=7))
    assert plan.cancel_after_ns is not None
    assert set(plan.cancel_after_ns.tolist()) == {-1, 7}
    assert (plan.cancel_after_ns == 7).mean() == pytest.approx(0.3, abs=0.02)
