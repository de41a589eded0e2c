"""Formats that record prompts: AIBrix and LMCache."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.traces import TraceError, read

Write = Callable[[bytes | str], Path]
Find = Callable[[str], Path]


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"


def test_aibrix(write: Write) -> None:
    rows = [
        {"timestamp": 21, "requests": [{"Prompt Length": 9, "Output Length": 2, "prompt": "Grüße"}]},
        {
            "timestamp": 21.5,
            "requests": [
                {"prompt_length": 8, "output_length": 3, "prompt": "b", "session_id": "s", "model": "m"},
                {"output_length": 4, "prompt": "eleven bytes", "session_id": "s"},
            ],
        },
    ]
    trace = read(write(lines(*rows)))
    table = trace.table
    assert trace.format == "aibrix"
    assert table["arrival_ns"].to_pylist() == [0, 500_000, 500_000]
    assert table["input_tokens"].to_pylist() == [9, 8, 3]
    assert table["text"].to_pylist() == ["Grüße", "b", "eleven bytes"]
    assert table["parent"].to_pylist() == [None, None, 1]
    assert table["source_row"].to_pylist() == [1, 2, 2]
    assert "1 row with text and no recorded length: lengths are estimated at 4 bytes of UTF-8 per token" in trace.notes


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        ({"timestamp": 1, "requests": {}}, "requests", "{} is not a list of requests"),
        ({"timestamp": 1, "requests": [5]}, "requests", "5 is not a request"),
        ({"timestamp": 1, "requests": [{"prompt": 5}]}, "prompt", "5 is not a text"),
        ({"timestamp": 1, "requests": [{"prompt": "x"}]}, "Output Length", "null is not a number"),
        ({"requests": []}, "timestamp", "is missing; the row has the keys 'requests'"),
    ],
)
def test_aibrix_that_is_wrong(write: Write, row: dict[str, Any], field: str, problem: str) -> None:
    good = {"timestamp": 0, "requests": [{"Prompt Length": 9, "Output Length": 2, "prompt": "a"}]}
    path = write(lines(good, row))
    with pytest.raises(TraceError) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (2, field)
    assert problem in caught.value.problem
    assert len(read(path, skip_bad_rows=True)) == 1


def test_aibrix_as_published(shared: Find) -> None:
    trace = read(shared("traces/aibrix/5s.jsonl"))
    assert (trace.format, len(trace), trace.span_ns) == ("aibrix", 203, 4_972_000_000)
    assert trace.table["text"].null_count == 0


CHAT = {"timestamp": 1_760_587_752_017_385, "input": "Hi!", "output": "Hello there", "session_id": "a"}


def test_lmcache(write: Write) -> None:
    later = {**CHAT, "timestamp": 1_760_587_752_017_386, "input": "Hi! And more", "output": ""}
    trace = read(write(lines(later, {**CHAT, "unknown": 1}, {**CHAT, "session_id": "b"})))
    assert (trace.format, trace.origin_ns) == ("lmcache", 1_760_587_752_017_385_000)
    assert trace.table["arrival_ns"].to_pylist() == [0, 0, 1000]
    assert trace.table["session_id"].to_pylist() == ["a", "b", "a"]
    assert trace.table["parent"].to_pylist() == [None, None, 0]
    assert trace.table["input_tokens"].to_pylist() == [1, 1, 3]
    assert trace.table["output_tokens"].to_pylist() == [3, 3, 0]
    assert trace.table["text"].to_pylist() == ["Hi!", "Hi!", "Hi! And more"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"timestamp": 1_760_587_752_017},
            "row 1, field timestamp: .* in milliseconds since 1970, .*--map",
        ),
        ({"timestamp": 1_760_587_752}, "is a date of our time in seconds since 1970"),
        (
            {"timestamp": 1_760_587_752_017_385_000},
            "over 100 years in microseconds, .* in nanoseconds it would",
        ),
        ({"input": None}, "field input: None is not a text"),
        ({"session_id": 1.5}, "field session_id: .*1.5.* is not a name"),
    ],
)
def test_lmcache_that_is_wrong(write: Write, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(write(json.dumps({**CHAT, **change})))


def test_lmcache_as_published(shared: Find) -> None:
    trace = read(shared("traces/lmcache"))
    assert (trace.format, len(trace)) == ("lmcache", 78)
    assert trace.table["session_id"].combine_chunks().unique().to_pylist() == [
        "24c817382a29e399b7dac064b923c268",
        "09867e5c74f53656f91797020d262e3b",
        "0c6629b0a328cc379ad0e3a62b0353bb",
        "22ffaaf33001ec7197ccd612e03d428e",
    ]
