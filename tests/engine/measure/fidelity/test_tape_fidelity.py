"""The fidelity of tapes: their schedule, or the plan once more, against what was sent and counted."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokentape.engine.measure.fidelity.compare import Reuse
from tokentape.engine.measure.fidelity.tape_fidelity import FIDELITY_COLUMNS, replanned_fidelity
from tokentape.engine.measure.fidelity.unpaired import compare_samples, sample_of_tape
from tokentape.engine.measure.summary import summarize
from tokentape.engine.report.fidelity_table import fidelity_block, print_fidelity
from tokentape.engine.tape.read import Tape

MakeTape = Callable[..., Tape]
MS = 1_000_000
S = 1_000 * MS
START = 7 * S


def rows(count: int = 10) -> list[dict[str, Any]]:
    """Requests 300 ms apart, each 1 ms late; the last is never sent, the one before fails."""
    made = []
    for i in range(count):
        due = START + 300 * MS * i
        made.append(
            {"request_id": i, "scheduled_ns": due, "sent_ns": due + MS, "end_ns": due + 2 * MS, "outcome": "ok"}
            | {"planned_input_tokens": 100, "planned_output_tokens": 10}
            | {"server_input_tokens": 101, "server_output_tokens": 10 - (i == 0), "server_cached_tokens": 40}
        )
    made[-1] |= {"outcome": "cancelled", "sent_ns": None}
    made[-2] |= {"outcome": "http_error", "server_input_tokens": None, "server_output_tokens": None}
    made[-1] |= dict.fromkeys(("server_input_tokens", "server_output_tokens", "server_cached_tokens"))
    return made


MANIFEST: dict[str, Any] = {"start_ns": START, "plan": {"planned_reuse_tokens": 500, "input_tokens": 1000, "rows": 10}}


def test_a_summary_has_the_fidelity(make_tape: MakeTape) -> None:
    found = summarize(make_tape(rows(), manifest=MANIFEST)).fidelity
    assert found.planned is not None
    assert (found.planned.requests, found.got.requests) == (10, 9)
    assert found.lateness_ms is not None and set(found.lateness_ms.values()) == {1.0}
    assert found.order_violations == 0
    assert found.gaps is not None and found.gaps.ks == 0
    assert found.isl is not None and (found.isl.requests, found.isl.error) == (8, pytest.approx(0.01))
    assert found.osl is not None and (found.osl.equal_share, found.osl.absolute_error) == (7 / 8, 1 / 80)
    assert found.planned_reuse is not None and found.planned_reuse.share == 0.5
    assert found.got_reuse == Reuse(8 * 101, 8 * 40)
    plain = summarize(make_tape(rows(), manifest=MANIFEST, name="again")).as_dict()["fidelity"]
    assert plain["planned_reuse"] == {"tokens": 1000, "cached_tokens": 500, "share": 0.5}


def test_bins_begin_at_the_plans_zero(make_tape: MakeTape) -> None:
    """999.5 ms after it falls into the first second, and 1 ms later into the second."""
    early, late = ({"request_id": i, "scheduled_ns": START + 999 * MS + MS // 2} for i in range(2))
    tape = make_tape([early | {"sent_ns": START + S - 1}, late | {"sent_ns": START + S}], manifest={"start_ns": START})
    found = summarize(tape).fidelity
    assert found.rates[0].rmse_rps == 1.0
    assert found.rates[1].rmse_rps == 0.0


def test_without_server_counts_there_is_nothing_to_compare(make_tape: MakeTape) -> None:
    found = summarize(make_tape([{"request_id": 0, "sent_ns": 0}])).fidelity
    assert (found.isl, found.osl, found.planned_reuse, found.got_reuse, found.gaps) == (None,) * 5


def test_an_empty_tape_has_an_empty_fidelity(make_tape: MakeTape) -> None:
    found = summarize(make_tape([])).fidelity
    assert found.planned is not None
    assert (found.planned.requests, found.got.requests, found.rates) == (0, 0, ())


def test_order_is_that_of_due_times(make_tape: MakeTape) -> None:
    """A turn that follows another has a lower number than requests that were due before it."""
    due = (0, 50, 10, 20)
    made = [{"request_id": i, "scheduled_ns": d * MS, "sent_ns": d * MS} for i, d in enumerate(due)]
    assert summarize(make_tape(made)).fidelity.order_violations == 0
    made[3]["sent_ns"] = 5 * MS
    assert summarize(make_tape(made, name="late")).fidelity.order_violations == 1


def test_requests_that_a_killed_run_lost_were_planned(make_tape: MakeTape) -> None:
    kept = [row for row in rows() if row["request_id"] not in (4, 5)]
    tape = make_tape(kept, manifest=MANIFEST)
    main = tape.read("requests", FIDELITY_COLUMNS)
    due_ns = np.arange(10) * 300 * MS
    found = replanned_fidelity(main, tape.manifest, due_ns, Reuse(10, 5))
    assert found.planned is not None
    assert (found.planned.requests, found.got.requests) == (10, 7)
    assert found.lateness_ms is not None and set(found.lateness_ms.values()) == {1.0}
    assert found.planned_reuse == Reuse(10, 5)


def test_a_servers_tape_has_what_arrived(make_tape: MakeTape) -> None:
    sent = sample_of_tape(make_tape(rows(), manifest=MANIFEST))
    heard = [row | {"received_ns": row["scheduled_ns"] + 3 * MS, "sent_ns": None} for row in rows()]
    server = sample_of_tape(make_tape(heard, manifest=MANIFEST | {"role": "server"}, name="server"))
    assert sent.at_ns.tolist() == [300 * MS * i + MS for i in range(9)]
    assert server.at_ns.tolist() == [300 * MS * i + 3 * MS for i in range(10)]
    assert compare_samples(sent, server).lateness_ms is None


def test_a_closed_loop_has_no_planned_arrivals(make_tape: MakeTape) -> None:
    tape = make_tape(rows(), manifest=MANIFEST | {"load": {"concurrency": 4}})
    found = summarize(tape).fidelity
    assert (found.planned, found.gaps, found.rates) == (None, None, ())
    assert found.got.requests == 9
    assert found.isl is not None and found.isl.requests == 8
    shown = [part for part in fidelity_block(found) if isinstance(part, str)]
    assert shown == ["Closed loop: no planned arrivals; out of order: 0"]
    whole = io.StringIO()
    print_fidelity(found, ("planned", "sent"), whole, width=80)
    assert re.search(r"^requests +n/a +9$", whole.getvalue(), re.MULTILINE)
