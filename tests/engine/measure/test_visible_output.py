"""Reasoning and tool calls apart from visible output."""

import io
from typing import Any

import pytest
from tokentape.engine.measure.summary import Summary, summarize
from tokentape.engine.report.summary_table import print_summary

MS = 1_000_000
KINDS = ["reasoning"] * 4 + ["tool_call"] * 2 + ["token"] * 6


def request(number: int, **more: Any) -> dict[str, Any]:
    sent = number * 100 * MS
    return {
        "request_id": number,
        "scheduled_ns": sent - MS,
        "sent_ns": sent,
        "first_token_ns": sent + 10 * MS,
        "first_visible_ns": sent + 70 * MS,
        "last_token_ns": sent + 120 * MS,
        "end_ns": sent + 120 * MS,
        "output_tokens": 12,
        "output_events": 12,
        **more,
    }


def events(number: int, kinds: list[str], **more: Any) -> list[dict[str, Any]]:
    sent = number * 100 * MS
    return [
        {"request_id": number, "event": event, "arrival_ns": sent + (event + 1) * 10 * MS, "kind": kind, **more}
        for event, kind in enumerate(kinds)
    ]


def metrics(summary: Summary) -> set[str]:
    return {row.metric for row in summary.statistics}


def mean(summary: Summary, metric: str, basis: str | None = None) -> float | None:
    return summary.statistic(metric, basis).value("avg")


def test_one_of_each_kind(make_tape: Any) -> None:
    summary = summarize(make_tape([request(n) for n in range(8)], [e for n in range(8) for e in events(n, KINDS)]))
    assert mean(summary, "ttft", "send") == 10
    assert mean(summary, "ttfvt", "send") == 70
    assert mean(summary, "ttfvt", "schedule") == 71
    assert [mean(summary, f"{kind}_tokens") for kind in ("reasoning", "tool_call", "visible")] == [4, 2, 6]
    shown = io.StringIO()
    print_summary(summary, shown, width=80)
    assert all(word in shown.getvalue() for word in ("TTFVT", "reasoning", "tool calls", "visible OSL"))


def test_without_hidden_output_nothing_is_said_of_it(make_tape: Any) -> None:
    rows = [request(0, first_visible_ns=10 * MS)]
    assert not metrics(summarize(make_tape(rows, events(0, ["token"] * 12)))) & {"ttfvt", "visible_tokens"}


@pytest.mark.parametrize(
    ("more", "each", "expected"),
    [
        ({"server_reasoning_tokens": 7}, {}, 7),
        ({"output_tokens": 24}, {}, 8),  # a third of the events, so a third of the tokens
        ({"output_tokens": 24}, {"tokens": 2}, 8),
    ],
)
def test_where_the_count_comes_from(
    make_tape: Any, more: dict[str, Any], each: dict[str, Any], expected: float
) -> None:
    summary = summarize(make_tape([request(0, **more)], events(0, KINDS, **each)))
    assert mean(summary, "reasoning_tokens") == expected


def test_an_answer_in_one_piece_tells_by_its_usage_alone(make_tape: Any) -> None:
    row = request(0, first_visible_ns=10 * MS, output_events=1, server_reasoning_tokens=5)
    summary = summarize(make_tape([row], events(0, ["token"]), {"streaming": False}))
    assert (mean(summary, "reasoning_tokens"), mean(summary, "visible_tokens")) == (5, 7)
    assert "ttfvt" not in metrics(summary)


def test_counts_of_events_weigh_them(make_tape: Any) -> None:
    told = [{**event, "tokens": 9 if event["kind"] == "reasoning" else 1} for event in events(0, KINDS)]
    summary = summarize(make_tape([request(0, output_tokens=44)], told))
    assert mean(summary, "reasoning_tokens") == 36


def test_what_failed_before_it_spoke_is_slower_than_all(make_tape: Any) -> None:
    rows = [request(0), request(1, outcome="truncated", first_visible_ns=None)]
    summary = summarize(make_tape(rows, [*events(0, KINDS), *events(1, KINDS[:4])]))
    row = summary.statistic("ttfvt", "send")
    assert (row.count, row.failed) == (2, 1)
    assert summary.statistic("ttft", "send").failed == 0


def test_nothing_but_tool_calls(make_tape: Any) -> None:
    summary = summarize(make_tape([request(0, first_visible_ns=None)], events(0, ["tool_call"] * 12)))
    assert summary.statistic("ttfvt", "send").count == 0
    assert mean(summary, "tool_call_tokens") == 12


def test_a_tape_of_embeddings_has_none(make_tape: Any) -> None:
    row = request(0, first_visible_ns=None, first_token_ns=None, last_token_ns=None, output_tokens=0, output_events=0)
    assert "ttfvt" not in metrics(summarize(make_tape([row])))
