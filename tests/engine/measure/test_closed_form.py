"""Metrics of tapes whose answers were worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from tokentape.engine.measure.slo import parse_slo
from tokentape.engine.measure.summary import summarize
from tokentape.engine.tape.read import Tape

MakeTape = Callable[..., Tape]
MS = 1_000_000
SECOND = 1000 * MS


def paced(count: int, tokens: int = 5, **changes: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Requests due every 100 ms, sent 2 ms late, first token 50 ms after the send, then one every 10 ms."""
    requests, events = [], []
    for r in range(count):
        sent = 100 * MS * r + 2 * MS
        arrivals = [sent + 50 * MS + 10 * MS * e for e in range(tokens)]
        events += [{"request_id": r, "event": e, "arrival_ns": a} for e, a in enumerate(arrivals)]
        requests.append(
            {
                "request_id": r,
                "scheduled_ns": 100 * MS * r,
                "sent_ns": sent,
                "first_token_ns": arrivals[0],
                "last_token_ns": arrivals[-1],
                "end_ns": arrivals[-1] + MS,
                "output_events": tokens,
                "server_output_tokens": tokens,
                "server_input_tokens": 7 + r,
                "planned_output_tokens": tokens,
            }
            | changes
        )
    return requests, events


def test_a_paced_run(make_tape: MakeTape) -> None:
    summary = summarize(make_tape(*paced(40)))
    wanted = {
        ("lateness", None): 2,
        ("ttft", "schedule"): 52,
        ("ttft", "send"): 50,
        ("itl", None): 10,
        ("tpot", None): 10,
        ("e2e", "schedule"): 92,
        ("e2e", "send"): 90,
        ("output_tokens", None): 5,
    }
    for (metric, basis), value in wanted.items():
        row = summary.statistic(metric, basis)
        for name in ("avg", "min", "max", "p50", "p90"):
            assert row.value(name) == pytest.approx(value), (metric, basis, name)
        assert row.std == pytest.approx(0, abs=1e-9)
    assert summary.statistic("ttft", "send").notes["p99"] == "needs 368"
    assert summary.statistic("itl").count == 160
    assert summary.statistic("input_tokens").avg == pytest.approx(7 + 19.5)
    assert (summary.requests.planned, summary.requests.sent, summary.requests.ok) == (40, 40, 40)
    assert summary.verdict.state == "VALID"  # 2 ms late is 4 % of a TTFT of 50 ms
    assert [r.code for r in summary.verdict.reasons] == ["p99_needs_more"]


def test_rates_with_and_without_the_drain(make_tape: MakeTape) -> None:
    rates = {rate.metric: rate for rate in summarize(make_tape(*paced(41))).rates}
    # First send at 2 ms, last at 4,002; the last answer ends 91 ms later.
    assert rates["request_throughput"].value == pytest.approx(41 / 4.091)
    assert rates["request_throughput"].without_drain == pytest.approx(40 / 4.0)
    assert rates["output_token_throughput"].value == pytest.approx(41 * 5 / 4.091)
    assert rates["output_token_throughput"].without_drain == pytest.approx(40 * 5 / 4.0)


def test_a_failure_before_the_first_token_is_infinitely_slow(make_tape: MakeTape) -> None:
    requests, events = paced(40)
    gone = {"first_token_ns": None, "last_token_ns": None, "output_events": 0, "server_output_tokens": None}
    for r in range(5):
        requests[r] |= gone | {"outcome": "http_error", "http_status": 503, "error": "overloaded"}
    events = [e for e in events if e["request_id"] >= 5]
    summary = summarize(make_tape(requests, events))
    for metric, basis in (("ttft", "send"), ("ttft", "schedule"), ("e2e", "send"), ("tpot", None)):
        row = summary.statistic(metric, basis)
        assert (row.count, row.failed) == (40, 5)
        assert row.percentiles["p75"] is not None
        assert row.percentiles["p90"] is None
        assert row.notes["p90"] == row.notes["max"] == "failed"
    assert summary.statistic("itl").failed == 0
    assert summary.requests.outcomes == {"ok": 35, "http_error": 5}
    assert [(e.outcome, e.http_status, e.error, e.count) for e in summary.requests.errors] == [
        ("http_error", 503, "overloaded", 5)
    ]
    assert summary.verdict.exit_code == 4


def test_a_stream_that_broke_keeps_its_first_token_and_leaves_a_gap_open(make_tape: MakeTape) -> None:
    requests, events = paced(40)
    requests[3] |= {"outcome": "truncated", "last_token_ns": events[16]["arrival_ns"], "output_events": 2}
    events = [e for e in events if e["request_id"] != 3 or e["event"] < 2]
    requests[3]["server_output_tokens"] = None
    events = [e | {"tokens": 1} for e in events]
    summary = summarize(make_tape(requests, events))
    assert summary.statistic("ttft", "send").failed == 0
    assert summary.statistic("e2e", "send").failed == 1
    assert summary.statistic("tpot").failed == 1
    itl = summary.statistic("itl")
    assert (itl.count, itl.failed) == (39 * 4 + 1 + 1, 1)


def test_cancelled_requests_are_censored(make_tape: MakeTape) -> None:
    requests, events = paced(40)
    requests[0]["outcome"] = "cancelled"
    requests[1] |= {"outcome": "cancelled", "sent_ns": None, "first_token_ns": None, "last_token_ns": None}
    requests[1] |= {"end_ns": None, "output_events": 0, "server_output_tokens": None}
    events = [e for e in events if e["request_id"] != 1]
    summary = summarize(make_tape(requests, events))
    counts = {(s.metric, s.basis): (s.count, s.failed) for s in summary.statistics}
    assert counts["ttft", "send"] == counts["ttft", "schedule"] == counts["lateness", None] == (39, 0)
    assert counts["e2e", "send"] == counts["tpot", None] == (38, 0)
    assert (summary.requests.cancelled, summary.requests.sent, summary.requests.failed) == (2, 39, 0)
    assert "interrupted" in [r.code for r in summary.verdict.reasons]


def test_events_of_several_tokens_share_their_gap(make_tape: MakeTape) -> None:
    events = [
        {"request_id": 0, "event": e, "arrival_ns": a * MS, "tokens": k}
        for e, (a, k) in enumerate([(10, 3), (40, 3), (60, 1), (61, 0)])
    ]
    request = {"request_id": 0, "sent_ns": 0, "first_token_ns": 10 * MS, "last_token_ns": 61 * MS}
    row = summarize(make_tape([request | {"end_ns": 61 * MS, "output_events": 4}], events)).statistic("itl")
    assert row.count == 5  # 30/3 three times, 20, and 1 for the event of no token
    assert row.avg == pytest.approx((10 * 3 + 20 + 1) / 5)
    assert (row.min, row.max) == (pytest.approx(1), pytest.approx(20))


def test_gaps_between_chunks_of_unknown_size_are_called_so(make_tape: MakeTape) -> None:
    requests, events = paced(10)
    requests[0]["server_output_tokens"] = 17  # five events, seventeen tokens
    summary = summarize(make_tape(requests, events))
    row = summary.statistic("inter_chunk_latency")
    assert (row.count, row.avg) == (40, pytest.approx(10))
    assert "itl" not in {s.metric for s in summary.statistics}
    assert summary.tokens.requests_of_another_length == 1
    assert (summary.tokens.asked_output_tokens, summary.tokens.got_output_tokens) == (50, 62)


def test_only_tokens_make_gaps(make_tape: MakeTape) -> None:
    kinds = ["comment", "role", "token", "usage", "reasoning", "other", "tool_call", "done"]
    events = [{"request_id": 0, "event": e, "arrival_ns": e * e * MS, "kind": k} for e, k in enumerate(kinds)]
    request = {"request_id": 0, "sent_ns": 0, "first_token_ns": 4 * MS, "last_token_ns": 36 * MS}
    request |= {"end_ns": 49 * MS, "output_events": 3, "server_output_tokens": 3}
    row = summarize(make_tape([request], events)).statistic("itl")
    assert (row.count, row.min, row.max) == (2, pytest.approx(12), pytest.approx(20))


def test_the_warm_up_is_left_out(make_tape: MakeTape) -> None:
    requests, events = paced(20)
    for r in range(5):
        requests[r] |= {"phase": "warmup", "outcome": "timeout"}
    summary = summarize(make_tape(requests, events))
    assert (summary.requests.planned, summary.requests.warmup, summary.requests.failed) == (15, 5, 0)
    assert summary.statistic("itl").count == 15 * 4
    assert summary.window.first_send_ns == 502 * MS
    assert summary.requests.unfinished == 0


def test_goodput_counts_requests_that_meet_every_objective(make_tape: MakeTape) -> None:
    requests, events = paced(40)
    requests[7]["first_token_ns"] -= MS  # 49 ms from send, 51 from schedule
    slos = [parse_slo(text) for text in ("ttft:51ms", "e2e:1s", "ttft:p50:50.5ms", "ttft:p99:1s", "itl:avg:9ms")]
    summary = summarize(make_tape(requests, events), slos)
    rates = {rate.basis: rate.value for rate in summary.rates if rate.metric == "goodput"}
    assert rates["schedule"] == pytest.approx(1 / 3.991)
    assert rates["send"] == pytest.approx(40 / 3.991)
    met = {(s.slo, s.basis): s.met for s in summary.slos}
    assert met == {
        ("ttft:p50:50.5ms", "schedule"): False,
        ("ttft:p50:50.5ms", "send"): True,
        ("ttft:p99:1000ms", "schedule"): None,
        ("ttft:p99:1000ms", "send"): None,
        ("itl:avg:9ms", None): False,
    }


def test_a_single_token_has_no_tpot_and_no_gap(make_tape: MakeTape) -> None:
    summary = summarize(make_tape(*paced(10, tokens=1)))
    assert summary.statistic("tpot").count == summary.statistic("itl").count == 0
    assert summary.statistic("e2e", "send").avg == pytest.approx(50)


def test_a_reply_without_tokens_ends_with_its_last_byte(make_tape: MakeTape) -> None:
    row = {"request_id": 0, "sent_ns": MS, "end_ns": 31 * MS, "endpoint": "embeddings"}
    summary = summarize(make_tape([row]))
    assert summary.statistic("e2e", "send").avg == pytest.approx(30)
    assert summary.statistic("ttft", "send").count == 0
    assert summary.requests.ok_without_tokens == 1


def test_nothing_sent_and_nothing_planned(make_tape: MakeTape) -> None:
    summary = summarize(make_tape([], name="empty"))
    assert summary.verdict.state == "INVALID"
    assert summary.verdict.exit_code == 3
    rows = [{"request_id": r, "outcome": "connect_error", "error": "refused"} for r in range(20)]
    summary = summarize(make_tape(rows, name="refused"))
    assert summary.requests.sent == 0
    assert summary.verdict.exit_code == 4
    assert summary.statistic("ttft", "schedule").failed == 20
    assert {rate.value for rate in summary.rates} == {None}


@pytest.mark.parametrize("made", [{"connected_ns": 2 * MS}, {"connected_ns": MS, "tls_ns": 2 * MS}])
def test_lateness_of_a_new_connection_is_not_the_clients(make_tape: MakeTape, made: dict[str, int]) -> None:
    requests, events = paced(400)
    for r in requests:
        at = r["scheduled_ns"]
        r |= {"connection_reused": False, "connect_start_ns": at, **{name: at + ns for name, ns in made.items()}}
    summary = summarize(make_tape(requests, events))
    assert summary.statistic("lateness").avg == pytest.approx(2)
    assert summary.verdict.state == "VALID"
    for r in requests:
        r |= {"connected_ns": None, "tls_ns": None, "sent_ns": r["sent_ns"] + MS}
    assert summarize(make_tape(requests, events, name="own")).verdict.reasons[0].code == "late"


def test_capture_tells_clock_and_coalescing(make_tape: MakeTape) -> None:
    requests, events = paced(10)
    requests[0]["clock"] = "user"
    for event in events[:5]:
        event["coalesced"] = 1
    capture = summarize(make_tape(requests, events)).capture
    assert (capture.events, capture.coalesced_share, capture.kernel_clock_share) == (50, 0.1, 0.9)
