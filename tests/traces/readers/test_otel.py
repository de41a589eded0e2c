"""OpenTelemetry spans: what was asked, and what waited for what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.reading.field_checks import BadField
from tokentape.traces.recorded.spans import Span, followed, link

Find = Callable[[str], Path]
Write = Callable[[bytes | str], Path]

SECOND = 10**9
T0 = 1_772_000_000 * SECOND


def span(span_id: str, start: float, end: float, parent: str | None = None, **further: Any) -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 7,
    }
    return {
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": parent,
        "start_time": T0 + round(start * SECOND),
        "end_time": T0 + round(end * SECOND),
        "attributes": attributes | further,
    }


def agent(span_id: str, start: float, end: float, parent: str | None = None) -> dict[str, Any]:
    return span(span_id, start, end, parent) | {"attributes": {"gen_ai.operation.name": "invoke_agent"}}


def otlp(spans: list[dict[str, Any]]) -> dict[str, Any]:
    """The same spans as OTLP/JSON."""

    def value(inner: Any) -> dict[str, Any]:
        if isinstance(inner, bool):
            return {"boolValue": inner}
        if isinstance(inner, int):
            return {"intValue": str(inner)}
        if isinstance(inner, list):
            return {"arrayValue": {"values": [value(item) for item in inner]}}
        if isinstance(inner, dict):
            return {"kvlistValue": {"values": [{"key": k, "value": value(v)} for k, v in inner.items()]}}
        return {"stringValue": inner}

    rows = []
    for one in spans:
        row = {
            "traceId": one["trace_id"],
            "spanId": one["span_id"],
            "name": "chat",
            "startTimeUnixNano": str(one["start_time"]),
            "endTimeUnixNano": str(one["end_time"]),
            "attributes": [{"key": k, "value": value(v)} for k, v in one["attributes"].items()],
        }
        rows.append(row | ({"parentSpanId": one["parent_span_id"]} if one["parent_span_id"] else {}))
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": rows}]}]}


MESSAGES = [{"role": "user", "content": "What is the capital of Fränce?"}]


def test_every_layout_gives_the_same_trace(write: Write) -> None:
    spans = [
        span("a", 0, 2.5, **{"gen_ai.input.messages": json.dumps(MESSAGES)}),
        span("b", 3, 5, **{"gen_ai.input.messages": MESSAGES, "acme.session.id": "s"}),
    ]
    for one in spans:
        one["attributes"]["acme.session.id"] = "s"
    layouts = [
        json.dumps({"spans": spans}),
        json.dumps(spans, indent=1),
        json.dumps(otlp(spans)),
        json.dumps(otlp(spans[:1])) + "\n" + json.dumps(otlp(spans[1:])) + "\n",
    ]
    tables = [read(write(layout)).table.to_pylist() for layout in layouts]
    assert tables[1:] == tables[:1] * 3
    assert tables[0][1] == {
        "arrival_ns": 3 * SECOND,
        "input_tokens": 100,
        "output_tokens": 7,
        "block_ids": None,
        "session_id": "s",
        "turn": 1,
        "parent": 0,
        "also_after": None,
        "think_ns": SECOND // 2,
        "model": "gpt-4",
        "body": '{"messages":[{"role":"user","content":"What is the capital of Fränce?"}]}'.encode(),
        "path": None,
        "headers": None,
        "text": None,
        "token_ids": None,
        "source_row": 2,
    }


def graph(write: Write, *spans: dict[str, Any]) -> dict[str, str | None]:
    """Who follows whom, by span id."""
    table = read(write(json.dumps({"spans": spans}))).table.to_pylist()
    names = [spans[row["source_row"] - 1]["span_id"] for row in table]
    return {
        name: None if row["parent"] is None else names[row["parent"]] for name, row in zip(names, table, strict=True)
    }


def test_turns_follow_in_time_and_side_by_side_calls_follow_the_same_one(write: Write) -> None:
    spans = [span("a", 0, 1), span("b", 1.5, 4), span("c", 2, 3), span("d", 5, 6)]
    assert graph(write, *spans) == {"a": None, "b": "a", "c": "a", "d": "b"}


def joins(write: Write, *spans: dict[str, Any]) -> dict[str, set[str]]:
    """What the requests that wait for several wait for, by span id."""
    table = read(write(json.dumps({"spans": spans}))).table.to_pylist()
    names = [spans[row["source_row"] - 1]["span_id"] for row in table]
    return {
        name: {names[other] for other in (row["parent"], *row["also_after"])}
        for name, row in zip(names, table, strict=True)
        if row["also_after"]
    }


def test_what_comes_after_several_waits_for_each_of_them(write: Write) -> None:
    calls = [span("a", 0, 1), span("b", 1.5, 4), span("c", 2, 3), span("d", 2, 3.5)]
    assert joins(write, *calls, span("e", 5, 6), span("f", 7, 8)) == {"e": {"b", "c", "d"}}
    assert joins(write, *calls, span("e", 3.2, 6), span("f", 7, 8)) == {"f": {"b", "d", "e"}}
    # A tool between them has no request that could be waited for.
    assert joins(write, *calls, agent("tool", 4, 5), span("e", 6, 7)) == {"e": {"b", "c", "d"}}


def test_what_comes_after_agents_waits_for_the_last_calls_of_each(write: Write) -> None:
    spans = [
        agent("root", 0, 20),
        span("plan", 0, 1, "root"),
        agent("left", 1, 10, "root"),
        agent("right", 1.5, 12, "root"),
        span("left 1", 1, 3, "left"),
        span("left 2", 3, 6, "left"),
        agent("deep", 2, 4, "right"),
        span("deep 1", 2, 3, "deep"),
        span("right 1", 2, 9, "right"),
        span("answer", 13, 20, "root"),
    ]
    assert joins(write, *spans) == {"answer": {"left 2", "right 1", "deep 1"}}


def test_subagents_run_side_by_side_and_their_turns_stay_apart(write: Write) -> None:
    spans = [
        agent("root", 0, 20),
        span("plan", 0, 1, "root"),
        agent("left", 1, 10, "root"),
        agent("right", 1.5, 12, "root"),
        span("left 1", 1, 3, "left"),
        span("right 1", 2, 4, "right"),
        span("left 2", 5, 10, "left"),
        span("right 2", 5, 11, "right"),
        span("answer", 13, 20, "root"),
    ]
    assert graph(write, *reversed(spans)) == {
        "plan": None,
        "left 1": "plan",
        "right 1": "plan",
        "left 2": "left 1",
        "right 2": "right 1",
        "answer": "right 2",
    }


def test_a_child_of_a_call_follows_it_when_it_is_over(write: Write) -> None:
    assert graph(write, span("a", 0, 1), span("b", 2, 3, "a"), span("c", 4, 5, "b")) == {"a": None, "b": "a", "c": "b"}


def test_calls_at_the_same_instant_follow_neither_each_other_nor_themselves(write: Write) -> None:
    assert graph(write, span("a", 1, 1), span("b", 1, 1)) == {"a": None, "b": None}


def test_a_parent_that_the_file_lacks_is_none(write: Write) -> None:
    assert graph(write, span("a", 0, 1, "gone"), span("b", 2, 3, "gone")) == {"a": None, "b": "a"}


@pytest.mark.parametrize("loop", [["a"], ["b", "a"], ["b", "c", "a"]])
def test_a_cycle_of_parents_is_refused(write: Write, loop: list[str]) -> None:
    spans = [
        span(name, place, place + 1, parent) for place, (name, parent) in enumerate(zip("abc", loop, strict=False))
    ]
    with pytest.raises(TraceError, match=r"parent_span_id.*is its own ancestor: a cycle"):
        read(write(json.dumps(spans)))


def test_messages_of_every_convention(write: Write) -> None:
    parts = [
        {"role": "user", "parts": [{"type": "text", "content": "How warm"}, {"type": "text", "content": "is it?"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"in": 5}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "mild"}]},
    ]
    brief = [{"type": "text", "content": "Be brief."}]
    indexed = {
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Hi",
    }
    spans = [
        span("a", 0, 1, **{"gen_ai.input.messages": parts, "gen_ai.system_instructions": brief}),
        span("b", 2, 3, **indexed),
        span("c", 4, 5, **{"gen_ai.prompt": "Hi"}),
    ]
    for path in (write(json.dumps(spans)), write(json.dumps(otlp(spans)))):
        bodies = [json.loads(body) for body in read(path).table["body"].to_pylist()]
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"in":5}'}}
        assert [body["messages"] for body in bodies] == [
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How warm\nis it?"},
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "mild"},
            ],
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            [{"role": "user", "content": "Hi"}],
        ]


def test_lengths_are_counted_ones_first_then_estimates(write: Write) -> None:
    bare = span("a", 0, 1)
    bare["attributes"] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": [{"role": "user", "content": "x" * 41}],
        "gen_ai.output.text": "y" * 8,
    }
    limit = span("b", 2, 3)
    limit["attributes"] = bare["attributes"] | {"gen_ai.request.max_tokens": 500, "gen_ai.output.text": ""}
    trace = read(write(json.dumps([bare, limit])))
    assert trace.table["input_tokens"].to_pylist() == [11, 11]
    assert trace.table["output_tokens"].to_pylist() == [2, 500]
    assert any("2 rows with text and no recorded length" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"start_time": "yesterday"}, "start_time", "is not a date and time"),
        ({"start_time": 12}, "start_time", "12 is no time in nanoseconds since 1970; ISO 8601 or nanoseconds"),
        ({"start_time": None}, "start_time", "is missing; ISO 8601 or nanoseconds since 1970 belong there"),
        ({"end_time": T0 - 1}, "end_time", "lies before start_time"),
        ({"span_id": None}, "span_id", "is missing; every span has one"),
        ({"attributes": 5}, "attributes", "is 5 where an object, or OTLP's list"),
        ({"attributes": {"gen_ai.operation.name": "chat"}}, "gen_ai.usage.input_tokens", "is missing, and so is"),
        ({"attributes": {"gen_ai.input.messages": "[", "gen_ai.x": 1}}, "gen_ai.input.messages", "is not JSON"),
        ({"attributes": {"gen_ai.input.messages": ["hi"]}}, "gen_ai.input.messages[0]", "is 'hi' where a message"),
        ({"attributes": {"gen_ai.usage.input_tokens": -1}}, "gen_ai.usage.input_tokens", "-1 is negative"),
    ],
)
def test_bad_spans(write: Write, change: dict[str, Any], field: str, problem: str) -> None:
    path = write(json.dumps([span("a", 0, 1), span("b", 2, 3) | change, span("c", 4, 5)]))
    with pytest.raises(TraceError) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (2, field)
    assert problem in caught.value.problem
    trace = read(path, skip_bad_rows=True)
    assert (trace.skipped_rows, trace.table["source_row"].to_pylist()) == (1, [1, 3])


def test_files_that_are_no_spans(write: Write) -> None:
    with pytest.raises(TraceError, match=r"span_id.*'a' stands in row 1 too"):
        read(write(json.dumps([span("a", 0, 1), span("a", 2, 3)])))
    with pytest.raises(TraceError, match="holds no requests"):
        read(write(json.dumps([agent("gen_ai.request", 0, 1)])), format="otel")
    with pytest.raises(TraceError, match="row 1: is not JSON"):
        read(write(json.dumps([span("a", 0, 1)])[:-1]))
    with pytest.raises(TraceError, match=r"field resourceSpans.scopeSpans: is null where a list"):
        read(write('{"resourceSpans": [{}]}'))


def test_a_cut_last_line_is_left_out_and_said(write: Write) -> None:
    whole, cut = (json.dumps(otlp([span(name, 0, 1)])) for name in "ab")
    trace = read(write(whole + "\n" + cut[:-20]))
    assert len(trace) == 1
    assert "the last line, row 2, is cut off at the end of the file and was left out" in trace.notes


@settings(deadline=None)
@given(
    times=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6), st.integers(-1, 11), st.booleans()), max_size=12)
)
def test_what_is_followed_was_over_and_nothing_goes_round(times: list[tuple[int, int, int, bool]]) -> None:
    spans = []
    for place, (start, length, parent, call) in enumerate(times):
        name = None if parent < 0 else str(parent)
        request = place if call else None
        spans.append(Span(place, "t", str(place), name, "s", start, start + length, request=request))
    try:
        link(spans)
    except BadField as error:
        assert error.field == "parent_span_id"
        return
    graph, cut = followed(spans)
    assert not cut
    for follower, waited in graph.items():
        assert len(waited) == len(set(waited))
        assert max(spans[before].end_ns for before in waited) == spans[waited[0]].end_ns
        for before in waited:
            assert spans[before].request is not None
            assert spans[before].end_ns <= spans[follower].start_ns
            assert spans[before].start_ns < spans[follower].start_ns


def _flat(times: list[tuple[int, int]]) -> list[Span]:
    spans = [Span(i, "t", str(i), None, "s", at, at + length, request=i) for i, (at, length) in enumerate(times)]
    link(spans)
    return spans


@settings(deadline=None)
@given(times=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), max_size=14))
def test_calls_beside_each_other_wait_for_all_that_were_over_and_for_none_twice(times: list[tuple[int, int]]) -> None:
    spans = _flat(times)
    graph, _ = followed(spans)
    behind: dict[int, set[int]] = {}
    for place in sorted(range(len(spans)), key=lambda place: spans[place].start_ns):
        direct = set(graph.get(place, ()))
        through = set[int]().union(*(behind[other] for other in direct))
        assert not direct & through
        behind[place] = direct | through
        assert behind[place] == {
            other
            for other, span in enumerate(spans)
            if span.end_ns <= spans[place].start_ns and span.start_ns < spans[place].start_ns
        }


def test_waits_are_bounded() -> None:
    spans = _flat([(place // 20 * 10, 5) for place in range(60)])
    graph, cut = followed(spans)
    assert (sum(map(len, graph.values())), cut) == (800, 0)
    graph, cut = followed(spans, most=100)
    assert len(graph) == 40
    assert (sum(map(len, graph.values())), cut) == (135, 35)


@pytest.mark.parametrize(
    ("name", "rows", "followed_by_row"),
    [
        ("simple_chain", 3, [None, 0, 1]),
        ("simple_chain_alt", 3, [None, 0, 1]),
        ("parallel_requests", 5, [None, 0, 0, 2, 3]),
        ("fan_in_dependencies", 4, [None, 0, 0, 2]),
        ("prefix_sharing_example", 7, [None, None, None, 2, 3, 4, None]),
        ("customer_support_escalation", 9, [None, 0, 0, 2, 3, 4, 5, 6, 7]),
        ("multi_agent_research", 12, [None, 0, 0, 0, 3, 4, 5, 5, 5, 8, 9, 10]),
        ("code_review_workflow", 15, None),
        ("software_architecture_review", 15, None),
    ],
)
def test_recorded_files(shared: Find, name: str, rows: int, followed_by_row: list[int | None] | None) -> None:
    waited_for_besides = {
        "parallel_requests": {3: [1]},
        "fan_in_dependencies": {3: [1]},
        "customer_support_escalation": {3: [1]},
        "multi_agent_research": {4: [1, 2], 9: [6, 7]},
        "code_review_workflow": {4: [1, 2], 9: [6, 7], 14: [11, 12]},
        "software_architecture_review": {5: [1, 2, 3], 9: [6, 7], 13: [11]},
    }
    path = shared(f"traces/otel/{name}.json")
    trace = read(path)
    assert (trace.format, len(trace), trace.skipped_rows) == ("otel", rows, 0)
    spans = json.loads(path.read_text())["spans"]
    for row in trace.table.to_pylist():
        recorded = spans[row["source_row"] - 1]["attributes"]
        assert json.loads(row["body"]) == {"messages": json.loads(recorded["gen_ai.input.messages"])}
        assert row["input_tokens"] == recorded.get("gen_ai.usage.prompt_tokens", row["input_tokens"])
        assert row["output_tokens"] > 0
    if followed_by_row is not None:
        assert trace.table["parent"].to_pylist() == followed_by_row
    also = {row: further for row, further in enumerate(trace.table["also_after"].to_pylist()) if further}
    assert also == waited_for_besides.get(name, {})
