"""Each dialect's numbers of one small tape, worked out by hand from its stamps.

In ms; R0 to R2 end well, R3 breaks off, R4 is of the warm-up:

         due   sent   role   tokens                finish   [DONE]   tokens in, out
    R0     0     10     30   110 130 150 190          190      195   10, 5 (one chunk holds two)
    R1   100    105    200   205 255                  256      260   20, 2
    R2   200    200      -   1300                    1300     1310   30, 1
    R3   300    301      -   400                        -        -    -, 1; ends at 450
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.measure.dialects import DIALECTS, summary_in
from tokentape.engine.measure.dialects.dialect_summary import DialectSummary
from tokentape.engine.measure.dialects.goodput_words import parse_goodput
from tokentape.engine.measure.slo import Slo
from tokentape.engine.tape.read import Tape
from tokentape.tape import open_measured

MakeTape = Callable[..., Tape]
MS = 1_000_000

ROWS: list[dict[str, Any]] = [
    {"scheduled_ns": 0, "sent_ns": 10, "first_token_ns": 110, "last_token_ns": 190, "end_ns": 195}
    | {"input_tokens": 10, "output_tokens": 5, "server_output_tokens": 5, "output_events": 4},
    {"scheduled_ns": 100, "sent_ns": 105, "first_token_ns": 205, "last_token_ns": 255, "end_ns": 260}
    | {"input_tokens": 20, "output_tokens": 2, "server_output_tokens": 2, "output_events": 2},
    {"scheduled_ns": 200, "sent_ns": 200, "first_token_ns": 1300, "last_token_ns": 1300, "end_ns": 1310}
    | {"input_tokens": 30, "output_tokens": 1, "server_output_tokens": 1, "output_events": 1},
    {"scheduled_ns": 300, "sent_ns": 301, "first_token_ns": 400, "last_token_ns": 400, "end_ns": 450}
    | {"output_tokens": 1, "output_events": 1, "outcome": "stream_error"},
    {"scheduled_ns": 0, "sent_ns": 1, "first_token_ns": 5, "last_token_ns": 5, "end_ns": 5}
    | {"input_tokens": 99, "output_tokens": 99, "output_events": 1, "phase": "warmup"},
]
EVENTS: dict[int, list[tuple[str, int]]] = {
    2: [("token", 1300), ("other", 1300), ("done", 1310)],
    0: [
        *(("role", 30), ("token", 110), ("token", 130), ("token", 150), ("token", 190)),
        *(("other", 190), ("usage", 192), ("done", 195)),
    ],
    1: [("role", 200), ("token", 205), ("token", 255), ("other", 256), ("done", 260)],
    4: [("token", 5)],
    3: [("token", 400)],
}


def in_ns(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value * MS if name.endswith("_ns") else value for name, value in row.items()}


@pytest.fixture
def tape(make_tape: MakeTape) -> Tape:
    requests = [in_ns(row) | {"request_id": number} for number, row in enumerate(ROWS)]
    events = [
        {"request_id": request, "event": place, "arrival_ns": at * MS, "kind": kind}
        for request, stamps in EVENTS.items()
        for place, (kind, at) in enumerate(stamps)
    ]
    return make_tape(requests, events, {"streaming": True})


def values(summary: DialectSummary, key: str, *names: str) -> list[float]:
    found = [summary.value(key, name) for name in names]
    assert None not in found
    return [float(value) for value in found if value is not None]


def near(*expected: float) -> Any:
    return pytest.approx(list(expected), rel=1e-12)


def test_genai_perf(tape: Tape) -> None:
    summary = summary_in("genai-perf", [tape], [Slo("e2e", None, 160 * MS)])
    columns = ("avg", "min", "max", "p99", "p90", "p75")
    # TTFT 100, 100, 1100; the p-th percentile of three lies at rank 2 p / 100.
    assert values(summary, "time_to_first_token", *columns) == near(1300 / 3, 100, 1100, 1080, 900, 600)
    # 130 - 110 and 255 - 205; R2 has no second response.
    assert values(summary, "time_to_second_token", *columns) == near(35, 20, 50, 49.7, 47, 42.5)
    assert values(summary, "request_latency", "avg", "min", "max") == near((180 + 150 + 1100) / 3, 150, 1100)
    # (180 - 100) / 4 and (150 - 100) / 1.
    assert values(summary, "inter_token_latency", "avg", "min", "max", "std") == near(35, 20, 50, 15)
    assert values(summary, "output_token_throughput_per_user", "avg", "min", "max") == near(35, 20, 50)
    assert values(summary, "output_sequence_length", "avg", "p50") == near(8 / 3, 2)
    assert values(summary, "input_sequence_length", "avg") == near(20)
    # From the first request at 10 to the last response at 1300.
    assert values(summary, "output_token_throughput", "avg") == near(8 / 1.29)
    assert values(summary, "request_throughput", "avg") == near(3 / 1.29)
    assert values(summary, "request_goodput", "avg") == near(1 / 1.29)  # R1 alone
    assert values(summary, "request_count", "avg") == near(3)
    assert summary.notes[0].startswith("1 of 4 requests did not succeed")
    assert "source of output counts: server 3)" in summary.notes[1]


def test_genai_perf_adds_the_throughputs_of_several_runs(tape: Tape) -> None:
    summary = summary_in("genai-perf", [tape, tape])
    assert values(summary, "output_token_throughput", "avg") == near(16 / 1.29)
    assert values(summary, "request_count", "avg") == near(6)
    assert values(summary, "time_to_first_token", "avg", "p75") == near(1300 / 3, 100 + 0.75 * 1000)


def test_aiperf(tape: Tape) -> None:
    summary = summary_in("aiperf", [tape], [Slo("ttft", None, 100 * MS), Slo("tpot", None, 20 * MS)])
    assert values(summary, "time_to_first_token", "avg", "p50", "std") == near(1300 / 3, 100, np.sqrt(2) * 1000 / 3)
    assert values(summary, "time_to_first_output_token", "avg") == near(1300 / 3)
    assert values(summary, "decode_duration", "avg", "max") == near(130 / 3, 80)
    assert values(summary, "inter_token_latency", "avg", "p90") == near(35, 47)
    assert values(summary, "e2e_output_token_throughput", "avg") == near((5 / 0.18 + 2 / 0.15 + 1 / 1.1) / 3)
    assert values(summary, "output_token_throughput", "avg") == near(8 / 1.29)
    assert values(summary, "input_token_throughput", "avg") == near(60 / 1.29)
    assert values(summary, "goodput", "avg") == near(1 / 1.29)  # R0; R1's gaps are too long, R2 begins too late
    assert values(summary, "completed_request_count", "avg") == near(4)
    assert values(summary, "request_error_rate", "avg") == near(25)


def test_vllm(tape: Tape) -> None:
    summary = summary_in("vllm", [tape], [Slo("ttft", None, 50 * MS)])
    expected = {
        "completed": 3,
        "failed": 1,
        "duration": 1.3,  # 10 to 1310
        "total_input_tokens": 60,
        "total_output_tokens": 8,
        "request_throughput": 3 / 1.3,
        "output_throughput": 8 / 1.3,
        "total_token_throughput": 68 / 1.3,
        "request_goodput": 1 / 1.3,
        "max_output_tokens_per_s": 10,  # six chunks of R0 and four of R1 before 1010
        "max_concurrent_requests": 2,
        "mean_ttft_ms": (20 + 95 + 1100) / 3,  # a role is a chunk
        "median_ttft_ms": 95,
        "p99_ttft_ms": 95 + 0.98 * 1005,
        "mean_tpot_ms": (160 / 4 + 56 / 1) / 2,
        "mean_itl_ms": (80 + 20 + 20 + 40 + 0 + 5 + 50 + 1 + 0) / 9,  # and so is a finish reason
        "median_itl_ms": 20,
        "p99_itl_ms": 50 + 0.92 * 30,
        "mean_e2el_ms": (180 + 151 + 1100) / 3,
    }
    assert {key: summary.value(key) for key in expected} == pytest.approx(expected, rel=1e-12)


def test_sglang(tape: Tape) -> None:
    summary = summary_in("sglang", [tape])
    expected = {
        "completed": 3,
        "duration": 1.3,
        "input_throughput": 60 / 1.3,
        "max_output_tokens_per_s": 6,
        "max_concurrent_requests": 3,  # all of them touch the first second
        "concurrency": 1.45 / 1.3,
        "mean_e2e_latency_ms": (185 + 155 + 1110) / 3,  # to [DONE]
        "p90_e2e_latency_ms": 185 + 0.8 * 925,
        "median_ttft_ms": 100,
        "mean_tpot_ms": (85 / 4 + 55 / 1) / 2,
        "mean_itl_ms": (20 + 20 + 40 + 50) / 4,
        "median_itl_ms": 30,
        "p95_itl_ms": 48.5,
        "max_itl_ms": 50,
    }
    assert {key: summary.value(key) for key in expected} == pytest.approx(expected, rel=1e-12)


def test_guidellm(tape: Tape) -> None:
    summary = summary_in("guidellm", [tape])
    assert values(summary, "request_latency", "Mdn", "p95") == near(0.185, 1.11)
    assert values(summary, "time_to_first_token_ms", "Mdn", "p95") == near(100, 1100)
    # 20 weighs 4 and 50 weighs 1.
    assert values(summary, "inter_token_latency_ms", "Mdn", "p95") == near(20, 50)
    # 180 / 5 weighs 5, 150 / 2 weighs 2, 1100 / 1 weighs 1.
    assert values(summary, "time_per_output_token_ms", "Mdn", "p95") == near(36, 1100)
    assert values(summary, "request_streaming_iterations_count", "Mdn", "p95") == near(5, 8)
    # One token each in the first chunks and in R1's second, 4/3 in three of R0's.
    assert values(summary, "output_tokens_per_iteration", "Mdn", "p95") == near(1, 4 / 3)
    assert values(summary, "requests_per_second", "Mean") == near(4 / 1.3)
    assert values(summary, "output_tokens_per_second", "Mean") == near(9 / 1.19)  # 110 to 1300, R3's token too
    # Under way for 185, 155, 1110 and 149 ms; alone for 1001 of the 1300.
    assert values(summary, "request_concurrency", "Mdn", "Mean") == near(1, 1599 / 1300)
    assert values(summary, "output_tokens_errored", "Tot") == near(1)


def test_mlperf(tape: Tape) -> None:
    summary = summary_in("mlperf", [tape])
    expected = {
        "samples_per_s": 2 / 1.3,
        "tokens_per_s": 8 / 1.3,
        "scheduled_per_s": 2 / 0.2,
        "min_latency_ns": 155 * MS,
        "mean_latency_ns": 1445 * MS // 3,
        "p50_latency_ns": 190 * MS,
        "p90_latency_ns": 1100 * MS,
        "p50_first_token_latency_ns": 110 * MS,
        "max_first_token_latency_ns": 1100 * MS,
        "p50_time_per_output_token_ns": 50 * MS,  # of 20 and 50 the one with index 1
        "mean_time_per_output_token_ns": 35 * MS,
    }
    assert {key: summary.value(key) for key in expected} == pytest.approx(expected, rel=1e-12)
    assert summary.notes[1] == "1 requests of a single token have no time per output token"


def test_thought_is_output_to_some(make_tape: MakeTape) -> None:
    row = {"request_id": 0, "sent_ns": 0, "first_token_ns": 10, "last_token_ns": 40, "end_ns": 40} | ROWS[0]
    kinds = [("reasoning", 10), ("reasoning", 20), ("token", 30), ("token", 40)]
    events = [{"request_id": 0, "event": i, "arrival_ns": at * MS, "kind": kind} for i, (kind, at) in enumerate(kinds)]
    request = in_ns(row | {"sent_ns": 0}) | {
        "server_output_tokens": 4,
        "output_tokens": 4,
        "server_reasoning_tokens": 2,
    }
    tape = make_tape([request], events, {"streaming": True})
    aiperf, genai_perf = (summary_in(dialect, [tape]) for dialect in ("aiperf", "genai-perf"))
    assert values(aiperf, "time_to_first_token", "avg") == near(10)
    assert values(aiperf, "time_to_first_output_token", "avg") == near(30)
    assert values(aiperf, "output_sequence_length", "avg") == near(4)
    assert values(genai_perf, "time_to_first_token", "avg") == near(30)
    assert values(genai_perf, "output_sequence_length", "avg") == near(2)


def test_embeddings_have_fewer_rows(make_tape: MakeTape) -> None:
    row = {"endpoint": "embeddings", "input_tokens": 7, "output_tokens": 0}
    rows = [row | {"request_id": r, "sent_ns": r * MS, "end_ns": (r + 4) * MS} for r in range(3)]
    tape = make_tape(rows, [], {"streaming": False})
    genai_perf = summary_in("genai-perf", [tape])
    assert genai_perf.sections[0].title == "NVIDIA GenAI-Perf | Embeddings Metrics"
    assert [row.key for row in genai_perf.rows] == ["request_latency", "request_throughput", "request_count"]
    assert values(genai_perf, "request_latency", "avg") == near(4)
    assert values(genai_perf, "request_throughput", "avg") == near(3 / 0.006)
    assert summary_in("aiperf", [tape]).row("input_sequence_length").values["avg"] == 7
    assert summary_in("vllm", [tape]).value("mean_e2el_ms") == pytest.approx(4)
    assert [row.key for row in summary_in("mlperf", [tape]).sections[0].rows] == ["samples_per_s"]


def test_an_api_without_tokens_is_known_by_its_replies(make_tape: MakeTape) -> None:
    rows = [{"endpoint": "kserve", "request_id": r, "sent_ns": r * MS, "end_ns": (r + 4) * MS} for r in range(3)]
    summary = summary_in("genai-perf", [make_tape(rows, [], {"streaming": False})])
    assert [row.key for row in summary.rows] == ["request_latency", "request_throughput", "request_count"]


def test_chunks_of_apis_that_are_not_openais_have_text(make_tape: MakeTape) -> None:
    row = in_ns(ROWS[1]) | {"request_id": 0, "endpoint": "messages"}
    events = [
        {"request_id": 0, "event": place, "arrival_ns": at * MS, "kind": kind}
        for place, (kind, at) in enumerate([("other", 150), ("token", 205), ("token", 255), ("other", 256)])
    ]
    summary = summary_in("vllm", [make_tape([row], events, {"streaming": True})])
    assert [summary.value(f"mean_{key}_ms") for key in ("ttft", "itl", "e2el")] == near(100, 50, 150)


def test_replies_that_are_not_streamed_show_no_rows_of_streams(make_tape: MakeTape) -> None:
    row = in_ns({"sent_ns": 0, "first_token_ns": 80, "last_token_ns": 80, "end_ns": 80}) | {"output_events": 1}
    event = {"request_id": 0, "event": 0, "arrival_ns": 80 * MS, "tokens": 9}
    tape = make_tape([row | {"request_id": 0, "input_tokens": 3, "output_tokens": 9}], [event], {"streaming": False})
    summary = summary_in("genai-perf", [tape])
    assert {row.key for row in summary.rows if not row.shown} == {
        "time_to_first_token",
        "time_to_second_token",
        "inter_token_latency",
        "output_token_throughput_per_user",
    }
    assert summary.value("time_to_first_token", "avg") == pytest.approx(80)
    assert summary.value("inter_token_latency", "avg") is None
    assert "time_to_first_token" not in {row.key for row in summary_in("aiperf", [tape]).rows}
    assert summary_in("guidellm", [tape]).value("time_to_first_token_ms", "Mdn") == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_that_ended_well_gives_no_numbers_and_no_error(make_tape: MakeTape, dialect: str) -> None:
    bad = [{"request_id": r, "sent_ns": r * MS, "end_ns": r * MS + MS, "outcome": "http_error"} for r in range(3)]
    unsent = [{"request_id": 3, "outcome": "connect_error"}]
    for name, rows in (("none", []), ("bad", bad + unsent)):
        found = summary_in(dialect, [make_tape(rows, [], {"streaming": True}, name=name)])
        numbers = [value for row in found.rows for value in row.values.values() if value is not None]
        assert np.isfinite(numbers).all()


def test_the_python_api_knows_dialects(tape: Tape) -> None:
    summary = open_measured(tape.path).summary_in("vllm", ["ttft:50ms"])
    assert summary.value("request_goodput") == pytest.approx(1 / 1.3)
    assert summary.as_dict()["metrics"]["completed"] == 3


def test_an_unknown_dialect_is_told(tape: Tape) -> None:
    with pytest.raises(UserError, match="'locust' is not one of tokentape, genai-perf, aiperf, vllm, sglang, guidellm"):
        summary_in("locust", [tape])


@pytest.mark.parametrize(
    ("text", "slo"),
    [
        ("request_latency:500", Slo("e2e", None, 500 * MS)),
        ("time_to_first_token:300", Slo("ttft", None, 300 * MS)),
        ("time_to_first_token:75.5", Slo("ttft", None, 75_500_000)),
        ("inter_token_latency:0", Slo("tpot", None, 0)),
        ("output_token_throughput_per_user:20", Slo("tpot", None, 50 * MS)),
    ],
)
def test_goodput_numbers_are_in_genai_perfs_units(text: str, slo: Slo) -> None:
    assert parse_goodput(text) == slo


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("request_latency", "write request_latency:NUMBER, the number in ms"),
        ("request_latency:soon", "write request_latency:NUMBER, the number in ms"),
        ("request_latency:-1", "the number in ms and without a unit, such as request_latency:500"),
        ("request_latency:nan", "the number in ms and without a unit, such as request_latency:500"),
        ("request_latency:500ms", "the number in ms and without a unit, such as request_latency:500"),
        ("output_token_throughput_per_user:20/s", "the number in tokens/s and without a unit, such as .*_per_user:20"),
        ("ttft:300", "write time_to_first_token:300 .ms., or --slo ttft:300ms"),
        ("latency:5", "one of time_to_first_token, inter_token_latency, request_latency"),
        ("time_to_second_token:5", "use time_to_first_token"),
        ("output_token_throughput_per_user:0", "above 0"),
    ],
)
def test_a_malformed_goodput_is_refused_with_what_to_write(text: str, right: str) -> None:
    with pytest.raises(UserError, match=right):
        parse_goodput(text)


def test_a_note_says_that_responses_were_not_streamed(make_tape: Callable[..., Any]) -> None:
    row = {"request_id": 0, "sent_ns": 0, "first_token_ns": 9, "last_token_ns": 9, "end_ns": 9, "output_tokens": 3}
    tape = make_tape(requests=[row], manifest={"streaming": False})
    assert summary_in("vllm", [tape]).notes[-1].startswith("The responses were not streamed")
