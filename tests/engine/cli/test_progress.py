"""Progress lines during a run."""

import io

import numpy as np
from tokentape.engine.cli.common.progress import ProgressDisplay, describe
from tokentape.engine.run.run_status import Status


def _status(**fields: object) -> Status:
    status = Status(planned=1000, sent=250, finished=200, succeeded=200, active=50, tokens=1234)
    for name, value in fields.items():
        setattr(status, name, value)
    return status


def test_one_line_tells_where_a_run_stands() -> None:
    assert describe(_status(), 4321.4) == "250/1,000 sent · 50 in flight · 4,321 tok/s"


def test_a_closed_loop_that_ends_by_the_clock_has_no_count_to_reach() -> None:
    assert describe(_status(until_ns=30 * 10**9), 0).startswith("250 sent · ")


def test_failures_and_a_stop_are_told() -> None:
    assert describe(_status(succeeded=190), 0).endswith(" · 10 failed")
    line = describe(_status(succeeded=190, stopping=True), 0)
    assert line == "stopping, Ctrl-C again to stop at once · 50 in flight · 10 failed"


def test_lateness_is_the_upper_bound_of_its_bucket() -> None:
    status = _status()
    assert status.lateness_quantile_us(0.99) is None
    lateness = np.zeros(128, np.int64)
    lateness[0], lateness[6] = 99, 1  # bucket 6 holds 6 to 7 us
    status.lateness = lateness
    assert status.lateness_quantile_us(0.5) == 1.0
    assert status.lateness_quantile_us(1.0) == 7.0
    assert "late p99 ≤ 1 µs" in describe(status, 0)
    lateness[43] = 1000
    assert status.lateness_quantile_us(0.99) == 4096.0  # 7 to 8 times 512 us
    assert "late p99 ≤ 4.1 ms" in describe(status, 0)


def test_every_lateness_lies_below_the_bound_of_its_bucket() -> None:
    """Return the histogram bucket of a value, computed from the definition in cext/reactor.h."""
    for us in [*range(0, 4000), 10**5, 10**6, 10**7]:
        bucket = us if us < 4 else ((us.bit_length() - 2) * 4 + (us >> (us.bit_length() - 3) & 3))
        status = _status()
        status.lateness = np.zeros(128, np.int64)
        status.lateness[bucket] = 1
        bound = status.lateness_quantile_us(0.99)
        assert bound is not None
        assert us < bound <= us * 1.25 + 1


def test_nothing_is_said_when_quiet_nor_before_the_first_seconds() -> None:
    for quiet in (True, False):
        stream = io.StringIO()
        with ProgressDisplay(quiet=quiet, stream=stream) as display:
            display.show(_status(elapsed_ns=10**9))
        assert stream.getvalue() == ""
