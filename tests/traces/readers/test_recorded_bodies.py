"""Formats that hold whole requests, after their schemas: what is read, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.traces import TraceError, read

Write = Callable[[bytes | str], Path]
Row = dict[str, Any]

HELLO = {"role": "user", "content": "Hello, wörld"}
BODY: Row = {"model": "m", "messages": [HELLO], "max_tokens": 9}


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def batch(number: int, **change: Any) -> Row:
    row = {"custom_id": f"request-{number}", "method": "POST", "url": "/v1/chat/completions", "body": BODY} | change
    return {key: value for key, value in row.items() if value is not ...}


def capture(stamp: str = "2026-04-29T00:03:18Z", **change: Any) -> Row:
    answer = json.dumps({"usage": {"prompt_tokens": 12, "completion_tokens": 30}})
    sides: Row = {
        "endpointInput": {"mode": "INPUT", "data": json.dumps(BODY), "encoding": "JSON"},
        "endpointOutput": {"mode": "OUTPUT", "data": answer, "encoding": "JSON"},
    } | change
    return {
        "captureData": {key: value for key, value in sides.items() if value is not ...},
        "eventMetadata": {"eventId": "e", "inferenceTime": stamp},
        "eventVersion": "0",
    }


def talk(*said: tuple[str, str], **further: Any) -> Row:
    return {"id": "talk", "conversations": [{"from": who, "value": what} for who, what in said]} | further


def test_a_batch_keeps_every_byte_of_its_bodies(write: Write) -> None:
    odd = '{ "model":"m",  "temperature":1.0e-1,"messages":[{"role":"user","content":"\\u00e9"}]}'
    line = '{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": %s, "note": 1}\n'
    trace = read(write(line % odd + jsonl(batch(2))))
    assert trace.format == "openai-batch"
    assert trace.table["body"].to_pylist() == [odd.encode(), json.dumps(BODY).encode()]
    assert trace.table["arrival_ns"].to_pylist() == [0, 0]
    assert trace.table["model"].to_pylist() == ["m", "m"]
    assert trace.table["output_tokens"].to_pylist() == [0, 9]
    assert "the file has no timestamps: 2 rows due at once" in trace.notes
    assert "its requests are for /v1/chat/completions" in trace.notes


def test_prompts_of_token_ids_have_their_exact_length(write: Write) -> None:
    body = {"model": "m", "prompt": [5, 6, 7], "max_tokens": 1}
    trace = read(write(jsonl(batch(1, url="/v1/completions", body=body))))
    assert trace.table["input_tokens"].to_pylist() == [3]
    assert not any("estimated" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        (batch(2, method="GET"), "method", "'GET' is not POST"),
        (batch(2, url="/v1/embeddings"), "url", "differs from '/v1/chat/completions' above; a batch is for one API"),
        (batch(2, url=...), "url", "is missing where a path like"),
        (batch(2, url="v1"), "url", "'v1' is not a path"),
        (batch(1), "custom_id", "'request-1' stands in row 1 too"),
        (batch(2, body=...), "body", "is missing; the request's JSON"),
        (batch(2, body=[1]), "body", "is a list where a request's body belongs"),
        (batch(2, body={"model": "m"}), "body", "holds no request"),
        (batch(2, body=BODY | {"max_tokens": -1}), "body.max_tokens", "-1 is negative"),
        (batch(2, body=BODY | {"model": ["m"]}), "body.model", "['m'] is not a name"),
        ([1], None, "is not a JSON object"),
    ],
)
def test_bad_lines_of_a_batch(write: Write, row: Any, field: str | None, problem: str) -> None:
    check_row(write(jsonl(batch(1), row, batch(3))), field, problem)


def check_row(path: Path, field: str | None, problem: str) -> None:
    with pytest.raises(TraceError) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (2, field)
    assert problem in caught.value.problem
    trace = read(path, skip_bad_rows=True)
    assert (trace.skipped_rows, trace.table["source_row"].to_pylist()) == (1, [1, 3])


@pytest.mark.parametrize("good", [batch(1), capture(), talk(("human", "a"), ("gpt", "b"))])
def test_a_cut_last_line_is_left_out_and_said(write: Write, good: Row) -> None:
    trace = read(write(jsonl(good) + jsonl(good | {"custom_id": "other"})[:-9]))
    assert len(trace) == 1
    assert "the last line, row 2, is cut off at the end of the file and was left out" in trace.notes


def test_captures(write: Write) -> None:
    coded = {"data": base64.b64encode(json.dumps(BODY).encode()).decode(), "encoding": "BASE64"}
    rows = [capture("2026-04-29T00:03:19Z"), capture(endpointInput=coded, endpointOutput=...)]
    trace = read(write(jsonl(*rows)))
    assert trace.format == "sagemaker"
    table = trace.table.to_pylist()
    assert [row["arrival_ns"] for row in table] == [0, 10**9]
    assert [row["source_row"] for row in table] == [2, 1]
    assert [row["body"] for row in table] == [json.dumps(BODY).encode()] * 2
    assert [(row["input_tokens"], row["output_tokens"]) for row in table] == [(4, 9), (12, 30)]
    assert any("1 row with text and no recorded length" in note for note in trace.notes)


def test_captures_say_that_their_clock_is_coarse(write: Write) -> None:
    stamps = [f"2026-04-29T00:{place // 6 // 60:02}:{place // 6 % 60:02}Z" for place in range(600)]
    trace = read(write(jsonl(*map(capture, stamps))))
    assert any("timestamps are quantised to 1 s: 100 distinct among 600 rows" in note for note in trace.notes)


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        (capture("now"), "eventMetadata.inferenceTime", "'now' is not a date and time"),
        (capture() | {"eventMetadata": {}}, "eventMetadata.inferenceTime", "is null where a time like"),
        (capture() | {"captureData": 1}, "captureData", "is 1 where an object with endpointInput belongs"),
        (capture(endpointInput=...), "captureData.endpointInput", "is null where an object with data belongs"),
        (capture(endpointInput={"data": "a,b", "encoding": "CSV"}), "captureData.endpointInput.encoding", "'CSV' is"),
        (capture(endpointInput={"data": "%", "encoding": "BASE64"}), "captureData.endpointInput.data", "not base64"),
        (capture(endpointInput={"data": "{", "encoding": "JSON"}), "captureData.endpointInput.data", "is not JSON"),
    ],
)
def test_bad_captures(write: Write, row: Row, field: str, problem: str) -> None:
    check_row(write(jsonl(capture(), row, capture())), field, problem)


def test_conversations_become_turns_with_all_that_was_said(write: Write) -> None:
    said = [
        ("system", "Be brief."),
        ("human", "a" * 8),
        ("gpt", "b" * 12),
        ("human", "c"),
        ("human", "d"),
        ("gpt", "e"),
    ]
    tables = [read(write(text)).table for text in (json.dumps([talk(*said)], indent=2), jsonl(talk(*said)))]
    assert tables[0] == tables[1]
    rows = tables[0].to_pylist()
    assert [json.loads(row["body"])["messages"] for row in rows] == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a" * 8}],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a" * 8},
            {"role": "assistant", "content": "b" * 12},
            {"role": "user", "content": "c"},
            {"role": "user", "content": "d"},
        ],
    ]
    assert [(r["turn"], r["parent"], r["think_ns"], r["output_tokens"]) for r in rows] == [
        (0, None, None, 3),
        (1, 0, 0, 1),
    ]


def test_conversations_that_begin_with_an_answer_begin_later(write: Write) -> None:
    talks = [
        talk(("gpt", "x"), ("human", "a"), ("gpt", "b")),
        talk(("gpt", "x")),
        talk(("human", "a"), ("gpt", "b")),
        talk(("human", "a")),
    ]
    trace = read(write(json.dumps(talks)))
    assert trace.table["session_id"].to_pylist() == ["talk", "talk (3)"]
    assert [json.loads(body)["messages"] for body in trace.table["body"].to_pylist()] == [
        [{"role": "user", "content": "a"}]
    ] * 2
    assert "1 conversation begins with an answer; begun at the first question instead" in trace.notes
    assert "2 rows dropped: no question in them is answered" in trace.notes
    assert "the file has no timestamps: 2 rows due at once" in trace.notes


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        (talk(("alien", "x")), "conversations[0].from", "'alien' is not one of human"),
        (talk() | {"conversations": [5]}, "conversations[0]", "is 5 where an object with from and value"),
        (talk() | {"conversations": None}, "conversations", "is null where a list"),
        (talk() | {"conversations": [{"from": "gpt"}]}, "conversations[0].value", "is null where text belongs"),
        (talk(("human", "a"), ("gpt", "b"), id={}), "id", "{} is not a name"),
    ],
)
def test_bad_conversations(write: Write, row: Row, field: str, problem: str) -> None:
    good = talk(("human", "a"), ("gpt", "b"))
    check_row(write(jsonl(good, row, good)), field, problem)
    check_row(write(json.dumps([good, row, good])), field, problem)


def test_inputs_of_aiperf(write: Write) -> None:
    longer = BODY | {"messages": [HELLO, {"role": "assistant", "content": "Hi"}, HELLO]}
    data = {"data": [{"session_id": "s1", "payloads": [BODY, longer]}, {"session_id": "s2", "payloads": [BODY]}]}
    trace = read(write(json.dumps(data, indent=2)))
    assert trace.format == "aiperf"
    rows = trace.table.to_pylist()
    assert [json.loads(row["body"]) for row in rows] == [BODY, longer, BODY]
    assert all(b"\n" not in row["body"] for row in rows)
    assert [(r["session_id"], r["turn"], r["parent"], r["think_ns"], r["source_row"]) for r in rows] == [
        ("s1", 0, None, None, 1),
        ("s1", 1, 0, 0, 1),
        ("s2", 0, None, None, 2),
    ]
    assert "the file has no timestamps: 3 rows due at once; later turns follow the one before them" in trace.notes


@pytest.mark.parametrize(
    ("session", "field", "problem"),
    [
        ({"session_id": "s", "payloads": [{"model": "m"}]}, "payloads[0]", "holds no request"),
        ({"session_id": "s1", "payloads": [BODY]}, "session_id", "'s1' stands in row 1 too"),
        ({"payloads": [BODY]}, "session_id", "is null where a name of the session belongs"),
    ],
)
def test_bad_sessions_of_aiperf(write: Write, session: Row, field: str, problem: str) -> None:
    good = [{"session_id": name, "payloads": [BODY]} for name in ("s1", "s3")]
    check_row(write(json.dumps({"data": [good[0], session, good[1]]})), field, problem)


def test_inputs_of_genai_perf(write: Write) -> None:
    trace = read(write(json.dumps({"data": [{"payload": [BODY]}, {"payload": [BODY | {"max_tokens": 3}]}]}, indent=1)))
    assert trace.format == "genai-perf-inputs"
    assert trace.table["output_tokens"].to_pylist() == [9, 3]
    assert trace.table["body"].to_pylist()[0] == json.dumps(BODY, separators=(",", ":")).encode()
    assert "the file has no timestamps: 2 rows due at once" in trace.notes


def test_schedules_and_sessions_of_genai_perf(write: Write) -> None:
    timed = [{"payload": [BODY], "timestamp": [1500]}, {"payload": [BODY], "timestamp": 250.5}]
    assert read(write(json.dumps({"data": timed}))).table["arrival_ns"].to_pylist() == [0, 1_249_500_000]
    turns = [{"payload": [BODY], "session_id": "s", "delay": [40]}, {"payload": [BODY], "session_id": "s"}]
    rows = read(write(json.dumps({"data": [turns[1], turns[0]]}))).table.to_pylist()
    assert [(row["turn"], row["parent"], row["think_ns"]) for row in rows] == [(0, None, None), (1, 0, 40_000_000)]


def test_texts_of_genai_perf(write: Write) -> None:
    entry = {"text_input": ["Hello, wörld"], "max_tokens": [256], "model": "m", "stream": [True]}
    (row,) = read(write(json.dumps({"data": [entry]}))).table.to_pylist()
    assert (row["text"], row["body"], row["output_tokens"], row["model"]) == ("Hello, wörld", None, 256, "m")


@pytest.mark.parametrize(
    ("entry", "field", "problem"),
    [
        ({}, "text_input", "is null where the prompt's text, or a payload, belongs"),
        ({"payload": BODY}, "payload", "is not a list with one request"),
        ({"payload": [BODY, BODY]}, "payload", "holds 2 requests; one belongs there"),
        ({"payload": [BODY], "session_id": [1, 2]}, "session_id", "[1, 2] is not a list of one value"),
        ({"payload": [BODY], "delay": -1}, "delay", "-1 is negative"),
    ],
)
def test_bad_entries_of_genai_perf(write: Write, entry: Row, field: str, problem: str) -> None:
    good = {"payload": [BODY]}
    check_row(write(json.dumps({"data": [good, entry, good]})), field, problem)


def test_one_entry_without_a_timestamp_among_others_with(write: Write) -> None:
    stamped = {"payload": [BODY], "timestamp": [1]}
    check_row(write(json.dumps({"data": [stamped, {"payload": [BODY]}, stamped]})), "timestamp", "null is not a number")


def export(*stamps: Any, **further: Any) -> Row:
    inputs = {"payload": json.dumps(BODY)}
    requests = [{"timestamp": stamp, "request_inputs": inputs, "response_timestamps": []} | further for stamp in stamps]
    return {"experiment": {"mode": "concurrency", "value": 1}, "requests": requests, "window_boundaries": []}


def test_exports_of_genai_perf(write: Write) -> None:
    stamp = 1_718_000_000_123_456_789
    file = {"service_kind": "openai", "endpoint": "v1/chat/completions", "experiments": [export(stamp + 5, stamp)]}
    trace = read(write(json.dumps(file)))
    assert trace.format == "genai-perf-export"
    assert trace.table["arrival_ns"].to_pylist() == [0, 5]
    assert trace.table["body"].to_pylist() == [json.dumps(BODY).encode()] * 2
    with pytest.raises(
        TraceError, match="is a date of our time in microseconds since 1970, and this format's unit is n"
    ):
        read(write(json.dumps(file | {"experiments": [export(stamp // 1000)]})))
    file["experiments"] = [export(stamp), export(stamp + 1)]
    assert "2 experiments lie in the file; they are replayed one after the other" in read(write(json.dumps(file))).notes


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"timestamp": 1.5}, "timestamp", "1.5 is not a time; nanoseconds since 1970 belong there"),
        ({"timestamp": -1}, "timestamp", "-1 is not a time"),
        ({"request_inputs": None}, "request_inputs", "is null where an object with payload"),
        ({"request_inputs": {}}, "request_inputs.text_input", "is null where the prompt's text"),
        ({"request_inputs": {"payload": "{}"}}, "request_inputs.payload", "holds no request"),
        ({"request_inputs": {"payload": BODY}}, "request_inputs.payload", "is an object where"),
    ],
)
def test_bad_requests_of_an_export(write: Write, change: Row, field: str, problem: str) -> None:
    experiment = export(10, 11, 12)
    experiment["requests"][1] |= change
    check_row(write(json.dumps({"experiments": [experiment]})), field, problem)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("aiperf", '{"data": [{"payloads": 5}]}'),
        ("aiperf", '{"data": [{"payloads": ['),
        ("genai-perf-inputs", '{"data": 5}'),
        ("genai-perf-export", '{"experiments": [{"requests": null}]}'),
        ("sharegpt", "[5]"),
        ("sharegpt", '[{"conversations"'),
    ],
)
def test_documents_of_another_shape(write: Write, format: str, text: str) -> None:
    with pytest.raises(TraceError, match=r"is not |is expected"):
        read(write(text), format=format)
    with pytest.raises(TraceError, match="holds no"):
        read(
            write({"sharegpt": "[]", "genai-perf-export": '{"experiments": []}'}.get(format, '{"data": []}')),
            format=format,
        )
