"""The arrays behind each plot, from small tapes whose numbers are known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokentape.engine.measure.slo import parse_slo
from tokentape.engine.measure.verdict import lateness_limits
from tokentape.engine.report.plots import boxes
from tokentape.engine.report.plots.event_bins import GAP_CENTRES_NS, GAP_EDGES_NS, EventGrid
from tokentape.engine.report.plots.kinds import (
    goodput,
    input_output_lengths,
    itl_by_position,
    latency_cdf,
    lateness,
    throughput,
    timeline,
    token_latency_by_position,
    ttft_by_input_length,
)
from tokentape.engine.report.plots.plotted_tape import Run, runs_of
from tokentape.engine.tape.read import Tape

MS = 1_000_000
MakeTape = Callable[..., Tape]


def request(
    number: int, due_ms: float, late_ms: float, ttft_ms: float | None, e2e_ms: float, **more: Any
) -> dict[str, Any]:
    """A row; ttft and e2e count from the send."""
    sent = int((due_ms + late_ms) * MS)
    return {
        "request_id": number,
        "scheduled_ns": int(due_ms * MS),
        "sent_ns": sent,
        "first_token_ns": None if ttft_ms is None else sent + int(ttft_ms * MS),
        "last_token_ns": None if ttft_ms is None else sent + int(e2e_ms * MS),
        "end_ns": sent + int(e2e_ms * MS),
        "input_tokens": 100 * (number + 1),
        "planned_input_tokens": 100 * (number + 1),
        "output_tokens": 10,
        "output_events": 10,
    } | more


@pytest.fixture
def run(make_tape: MakeTape) -> Run:
    """One warm-up request, three that end well, one that fails before a token, one that was never sent."""
    tape = make_tape(
        [
            request(0, 0, 0, 5, 10, phase="warmup"),
            request(1, 100, 1, 20, 60),
            request(2, 200, 2, 30, 70),
            request(3, 300, 3, 40, 200),
            request(4, 400, 0, None, 50, outcome="http_error", input_tokens=None, output_tokens=None),
            request(5, 500, 0, None, 0, outcome="connect_error", sent_ns=None, end_ns=None),
        ]
    )
    return runs_of([tape], [parse_slo("ttft:35ms")])[0]


def test_boxes_count_failures_as_slower_than_all_others(run: Run) -> None:
    (schedule, send), colours = boxes.two_boxes([run], lambda one, basis: one.times.e2e(basis))
    assert schedule.samples_ms.tolist() == [61, 72, 203]
    assert send.samples_ms.tolist() == [60, 70, 200]
    assert (send.failed, send.count) == (2, 5)
    assert send.percentiles[99.0] is None
    assert send.numbers.startswith("p50 n/a (needs 6)")
    assert send.numbers.endswith("max failed")
    assert len(set(colours)) == 2


def test_boxes_have_the_summarys_percentiles() -> None:
    one = boxes.box("x", np.append(np.arange(1.0, 400.0), np.inf) * MS)
    assert one.percentiles[50.0] == pytest.approx(200.5)
    assert one.percentiles[99.0] == pytest.approx(396.01)
    half = boxes.box("x", np.append(np.ones(300), np.full(300, np.inf)))
    assert half.percentiles[95.0] == np.inf
    assert "p95 failed" in half.numbers


def test_lengths_are_of_requests_that_ended_well(run: Run) -> None:
    inputs, outputs = input_output_lengths.lengths(run)
    assert inputs.tolist() == [200, 300, 400]
    assert outputs.tolist() == [10, 10, 10]
    edges = input_output_lengths.cell_edges(inputs, 3)
    assert (edges[0], len(edges) - 1) == (199.5, 10)
    assert edges[-1] >= 400.5
    assert len(set(np.diff(edges).tolist())) == 1
    assert input_output_lengths.cell_edges(outputs, 3).tolist() == [9.5, 10.5]
    wide = input_output_lengths.cell_edges(np.array([10.0, 100.0, 1000.0] * 50), 10_000)
    assert len(wide) - 1 == 40
    assert wide[1] - wide[0] < wide[-1] - wide[-2]


def test_ttft_by_input_length_has_planned_lengths_for_failures(run: Run) -> None:
    inputs, ttft, failed = ttft_by_input_length.samples(run)
    assert inputs.tolist() == [200, 300, 400]
    assert ttft.tolist() == [20, 30, 40]
    assert failed.tolist() == [500, 600]


def test_medians_need_enough_requests() -> None:
    inputs = np.repeat([10.0, 20.0, 30.0], [100, 6, 5])
    at, middle, tail = ttft_by_input_length.medians(inputs, np.arange(111.0), np.array([5.0, 15.0, 25.0, 35.0]))
    assert at.tolist() == [10, 20]
    assert middle.tolist() == [49.5, 102.5]
    assert tail[0] == pytest.approx(np.percentile(np.arange(100.0), 95))
    assert np.isnan(tail[1])


def test_the_timeline_has_every_request_in_order_of_schedule(run: Run) -> None:
    found = timeline.spans(run)
    assert found.place.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.scheduled.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert found.sent[:5].tolist() == pytest.approx([0, 0.101, 0.202, 0.303, 0.4])
    assert np.isnan(found.sent[5])
    assert found.first_token[1] == pytest.approx(0.121)
    assert found.end[3] == pytest.approx(0.503)
    assert found.failures.place.tolist() == [4, 5]
    assert found.failures.end.tolist() == pytest.approx([0.45, 0.5])


def test_a_thinned_timeline_keeps_its_failures(run: Run) -> None:
    found = timeline.spans(run, most=2)
    assert found.step == 3
    assert found.place.tolist() == [0, 3]
    assert found.failures.place.tolist() == [4, 5]


def test_rates_over_time_add_up_to_the_requests(run: Run) -> None:
    width = run.edges_s[1]
    assert width == pytest.approx(0.01)
    counted = {name: rate.sum() * width for name, rate in throughput.rates(run).items()}
    assert counted == pytest.approx({"scheduled": 6, "sent": 5, "done": 4, "failed": 2, "tokens": 0})
    assert throughput.waiting(run) is None
    mean, peak = throughput.concurrency(run)
    assert mean.sum() * width == pytest.approx(0.01 + 0.06 + 0.07 + 0.2 + 0.05)
    assert peak.max() == 2  # the fourth has not ended when the fifth is sent
    assert run.warmup_end_s == pytest.approx(0.1)


def test_requests_that_a_limit_holds_back_are_seen_waiting(make_tape: MakeTape) -> None:
    rows = [request(0, 0, 0, 5, 100), request(1, 0, 100, 5, 50, released_ns=100 * MS)]
    (run,) = runs_of([make_tape(rows)])
    waiting = throughput.waiting(run)
    assert waiting is not None
    assert waiting.sum() * run.edges_s[1] == pytest.approx(0.1)
    whole, own = lateness.samples(run)
    assert whole.tolist() == [0, 100_000]
    assert own.tolist() == [0, 0]


def test_the_foot_names_the_commonest_and_counts_the_others(make_tape: MakeTape) -> None:
    rows = [request(number, number, 0, 5, 10, model=model) for number, model in enumerate("abbc")]
    assert "  b and 2 more  ·" in runs_of([make_tape(rows)])[0].footer


def test_distributions_end_at_the_share_that_did_not_fail(run: Run) -> None:
    curve = latency_cdf.of_requests(run, "ttft", "schedule")
    assert curve is not None
    assert curve.ms.tolist() == [21, 32, 43]
    assert curve.share.tolist() == [0.2, 0.4, 0.6]
    assert curve.row is run.summary.statistic("ttft", "schedule")
    assert latency_cdf.of_gaps(run) is None


def test_lateness_is_of_what_was_sent_and_its_limits_are_the_verdicts(run: Run) -> None:
    whole, own = lateness.samples(run)
    assert whole.tolist() == own.tolist() == [1000, 2000, 3000, 0]
    limits = lateness.limits_of(run)
    assert limits == lateness_limits(30 * MS)
    assert (limits.degraded_p99_ns, limits.invalid_p50_ns, limits.invalid_p99_ns) == (1.5 * MS, 10 * MS, 100 * MS)
    assert lateness_limits(None).degraded_p99_ns == 10 * MS
    assert lateness_limits(2000 * MS).invalid_p99_ns == 1000 * MS


def test_own_lateness_is_without_the_connect(make_tape: MakeTape) -> None:
    row = request(0, 0, 5, 10, 20, connection_reused=False, connect_start_ns=0, connected_ns=3 * MS)
    whole, own = lateness.samples(runs_of([make_tape([row])])[0])
    assert whole.tolist() == [5000]
    assert own.tolist() == [2000]


def test_goodput_grows_with_its_limit_to_what_ended_well(run: Run) -> None:
    curve = goodput.within(run, "ttft")
    assert curve is not None
    assert curve[0].tolist() == [21, 32, 43]
    span = run.summary.window.duration_s
    assert span == pytest.approx(0.503 - 0.101)
    assert curve[1].tolist() == pytest.approx([1 / span, 2 / span, 3 / span])
    at_limit = next(rate for rate in run.summary.rates if rate.metric == "goodput" and rate.basis == "schedule")
    assert curve[1][1] == pytest.approx(at_limit.value)


def test_goodput_over_time_adds_up(run: Run) -> None:
    width = run.edges_s[1]
    good, missed, failed = goodput.over_time(run, run.slos)
    assert (good.sum() * width, missed.sum() * width, failed.sum() * width) == pytest.approx((3, 1, 2))


def grid(rows: list[list[float]]) -> EventGrid:
    """A grid of gaps in ms, a row for each position from 2 on."""
    counts = np.zeros((len(rows), len(GAP_CENTRES_NS)))
    for row, gaps in enumerate(rows):
        for gap in gaps:
            counts[row, np.searchsorted(GAP_EDGES_NS, gap * MS, side="right") - 1] += 1
    return EventGrid(1.5 + np.arange(len(rows) + 1.0), counts, None, np.zeros(1), 0)


def test_bands_are_quantiles_where_there_are_enough_samples() -> None:
    edges, counts, found = itl_by_position.bands(grid([[10.0] * 60 + [20.0] * 40, [5.0, 6.0, 7.0]]))
    assert edges.tolist() == [1.5, 2.5, 3.5]
    assert counts.tolist() == [100, 3]
    assert found[0] == pytest.approx([10, 10, 10, 20, 20, 20], rel=0.003)
    assert np.isnan(found[1]).tolist() == [True, True, False, True, True, True]
    assert found[1][2] == pytest.approx(6, rel=0.003)


def test_bands_of_long_outputs_have_few_steps() -> None:
    edges, counts, found = itl_by_position.bands(grid([[10.0]] * 240))
    assert len(found) == 60
    assert counts.tolist() == [4] * 60
    assert (edges[0], edges[-1]) == (1.5, 241.5)


def test_cells_for_the_eye_lose_no_sample() -> None:
    counts, edges = token_latency_by_position.cells(grid([[0.0, 0.0005, 1.0, 50.0], [10.0]]))
    assert counts.sum(axis=1).tolist() == [4, 1]
    assert len(edges) == counts.shape[1] + 1
    assert counts[0, 0] == 2
    assert counts[1][np.searchsorted(edges, 10.0, side="right") - 1] == 1


def test_runs_are_named_by_their_tapes(make_tape: MakeTape) -> None:
    first, second = make_tape([], name="a.tape"), make_tape([], name="b")
    assert [run.name for run in runs_of([first, second])] == ["a", "b"]
    assert [run.name for run in runs_of([first, first])] == [str(first.path)] * 2


def test_answers_that_come_as_a_whole_have_no_first_token(make_tape: MakeTape) -> None:
    """Their only event is their end: the plots leave out what the summary leaves out."""
    rows = [request(0, 0, 1, 70, 70), request(1, 100, 1, 80, 80)]
    for streaming, known in ((True, 2), (False, 0)):
        (whole,) = runs_of([make_tape(rows, manifest={"streaming": streaming}, name=str(streaming))])
        assert np.count_nonzero(~np.isnan(whole.times.ttft("send"))) == known
        assert np.count_nonzero(~np.isnan(whole.every.tpot())) == known
        assert whole.times.e2e("send").tolist() == [70 * MS, 80 * MS]
