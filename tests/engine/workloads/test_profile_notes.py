"""What is said before a profile begins."""

from tokentape.engine.plan import Pace, ramp
from tokentape.engine.workloads.profile_run import ramp_cut

S = 10**9


def test_a_ramp_that_outlasts_the_run_is_told() -> None:
    pace = Pace(concurrency=8, ramp_ns=10 * S, duration_ns=3 * S, warmup_ns=S)
    assert ramp_cut(pace) == "the ramp takes 10 s and sending ends after 4 s: the full concurrency is not reached"
    told = ramp_cut(Pace(segments=ramp(20, 10, 0), ramp_ns=10 * S, duration_ns=3 * S))
    assert told is not None and told.endswith("the full rate is not reached")


def test_a_ramp_within_the_run_is_not() -> None:
    assert ramp_cut(Pace(concurrency=8, ramp_ns=4 * S, duration_ns=3 * S, warmup_ns=S)) is None
    assert ramp_cut(Pace(concurrency=8, ramp_ns=4 * S, count=5)) is None
    assert ramp_cut(Pace(concurrency=8, duration_ns=3 * S)) is None
