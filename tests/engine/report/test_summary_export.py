"""Summaries as JSON, CSV and tables."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from tokentape.engine.measure.slo import parse_slo
from tokentape.engine.measure.summary import Summary, summarize
from tokentape.engine.report.summary_export import to_csv, to_json, write_summary_files
from tokentape.engine.report.summary_table import print_summary
from tokentape.engine.tape.read import Tape, open_tape

MakeTape = Callable[..., Tape]
MS = 1_000_000


def run(make_tape: MakeTape, count: int = 100, failed: int = 3) -> Tape:
    """Requests 20 ms apart: TTFT 50 ms, three tokens 10 ms apart; the first ones are refused."""
    requests: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for r in range(count):
        row: dict[str, Any] = {"request_id": r, "scheduled_ns": 20 * MS * r, "sent_ns": 20 * MS * r + MS}
        if r < failed:
            row |= {"outcome": "http_error", "http_status": 429, "error": "rate limit: [slow] down\x1b[31m\n"}
        else:
            stamps = [row["sent_ns"] + 50 * MS + 10 * MS * e for e in range(3)]
            events += [{"request_id": r, "event": e, "arrival_ns": a, "tokens": 1} for e, a in enumerate(stamps)]
            row |= {"first_token_ns": stamps[0], "last_token_ns": stamps[-1], "end_ns": stamps[-1]}
            row |= {"output_events": 3, "planned_output_tokens": 4}
        requests.append(row)
    return make_tape(requests, events)


@pytest.fixture
def summary(make_tape: MakeTape) -> Summary:
    """Of a run of 100 requests, three of them failed."""
    slos = [parse_slo(text) for text in ("ttft:55ms", "ttft:p90:40ms", "ttft:p99:1s")]
    return summarize(run(make_tape), slos)


def test_json_has_units_in_its_names_and_reasons_for_what_is_missing(summary: Summary) -> None:
    data = json.loads(to_json([summary]))
    assert list(data["metrics"]) == [
        "lateness_ms",
        "ttft_from_schedule_ms",
        "ttft_from_send_ms",
        "itl_ms",
        "tpot_ms",
        "e2e_from_schedule_ms",
        "e2e_from_send_ms",
        "input_tokens",
        "output_tokens",
    ]
    ttft = data["metrics"]["ttft_from_send_ms"]
    assert ttft["p50"] == pytest.approx(50)
    assert (ttft["count"], ttft["failed"], ttft["p99"]) == (100, 3, None)
    assert ttft["notes"] == {"max": "failed", "p99": "needs 368", "p99.9": "needs 3,688"}
    assert list(data["rates"]) == [
        "output_token_throughput_tokens_per_s",
        "request_throughput_requests_per_s",
        "goodput_from_schedule_requests_per_s",
        "goodput_from_send_requests_per_s",
    ]
    assert data["verdict"]["state"] == "DEGRADED"
    assert data["requests"]["errors"][0]["error"] == "rate limit: [slow] down\x1b[31m\n"


def test_several_tapes_are_still_one_object(summary: Summary) -> None:
    data = json.loads(to_json([summary, summary]))
    assert [s["tape"] for s in data["summaries"]] == [summary.tape] * 2


def test_csv_has_one_line_per_metric_and_zero_point(summary: Summary) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([summary]))))
    assert list(rows[0])[:5] == ["metric", "unit", "basis", "avg", "min"]
    by_key = {(row["metric"], row["basis"]): row for row in rows}
    assert len(by_key) == len(rows)
    assert float(by_key["ttft", "schedule"]["p50"]) == pytest.approx(51)
    assert by_key["ttft", "schedule"]["p99"] == ""
    assert float(by_key["request_throughput", ""]["avg"]) == pytest.approx(97 / (99 * 0.02 + 0.07))
    assert by_key["request_throughput_without_drain", ""]["unit"] == "requests/s"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_table_fits_its_width_and_ends_with_the_verdict(summary: Summary, width: int) -> None:
    text = io.StringIO()
    print_summary(summary, text, width)
    lines = text.getvalue().rstrip("\n").split("\n")
    assert max(map(len, lines)) <= width
    assert "100 requests, 97 ok, 3 failed" in lines[1]
    reasons = " ".join(line.strip() for line in lines[lines.index("DEGRADED") + 1 :])
    assert reasons.startswith("- 3 of 100 requests failed (3.0%): ")
    assert reasons.endswith("send more requests for a p99")
    assert any("51.00" in line for line in lines if line.startswith("TTFT") and "schedule" in line)
    assert any("50.00" in line for line in lines if line.startswith("TTFT") and "send" in line)
    assert "SLO ttft:p90:40ms from send: MISSED (50.00 ms)" in lines
    assert "SLO ttft:p99:1000ms from send: n/a, too few samples" in lines
    flat = " ".join(text.getvalue().split())
    assert "n/a" in flat
    assert "(needs" in flat
    assert "368)" in flat
    assert "429" in flat
    assert "rate limit: [slow] down" in flat
    assert "\x1b" not in text.getvalue()


def test_a_table_of_nothing_still_says_so(make_tape: MakeTape) -> None:
    text = io.StringIO()
    print_summary(summarize(make_tape([])), text, 80)
    assert "0 requests, 0 ok" in text.getvalue()
    assert text.getvalue().rstrip().endswith("choose a trace and a window with requests")


def test_summary_files_lie_in_the_tape(make_tape: MakeTape) -> None:
    tape = run(make_tape)
    summary = summarize(tape)
    write_summary_files(tape, summary)
    assert json.loads((tape.path / "summary.json").read_text()) == json.loads(to_json([summary]))
    assert (tape.path / "summary.csv").read_text() == to_csv([summary])
    again = open_tape(tape.path)
    assert again.manifest["verdict"]["state"] == summary.verdict.state
    assert len(again.events) == 97 * 3


def test_a_table_too_narrow_for_its_reasons_has_them_below(make_tape: MakeTape) -> None:
    few = summarize(run(make_tape, count=3, failed=0))
    narrow, wide = io.StringIO(), io.StringIO()
    print_summary(few, narrow, width=72)
    print_summary(few, wide, width=110)
    assert "\nn/a: p50 needs 6, p90 needs 36, p99 needs 368 samples\n" in narrow.getvalue()
    assert "n/a (needs" not in narrow.getvalue()
    assert "n/a (needs 36) n/a (needs 368)" in wide.getvalue()
    assert all(len(line) <= 72 for line in narrow.getvalue().splitlines()[2:13])


def test_answers_in_one_piece_are_told_where_streams_were_asked_for(make_tape: MakeTape) -> None:
    rows: list[dict[str, Any]] = [
        {"request_id": r, "scheduled_ns": r * MS, "sent_ns": r * MS, "first_token_ns": (r + 50) * MS}
        | {"last_token_ns": (r + 50) * MS, "end_ns": (r + 50) * MS, "output_events": 1, "output_tokens": 9}
        for r in range(400)
    ]
    for streaming, codes in ((True, ["not_streamed"]), (False, []), (None, [])):
        verdict = summarize(make_tape(rows, manifest={"streaming": streaming}, name=f"{streaming}")).verdict
        assert [reason.code for reason in verdict.reasons if reason.code == "not_streamed"] == codes
