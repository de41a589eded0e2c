"""For any file of recorded requests, its reader returns a sound trace or raises TraceError."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.graph.sessions import check_parents
from tokentape.traces.prompts.prompts import Prompts, composed
from tokentape.traces.table import TRACE_SCHEMA

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
CAPTURE = {
    "captureData": {
        "endpointInput": {"data": json.dumps(BODY), "encoding": "JSON"},
        "endpointOutput": {"data": "e30=", "encoding": "BASE64"},
    },
    "eventMetadata": {"inferenceTime": "2026-04-29T00:03:18Z"},
}
SPANS = [
    {
        "trace_id": "t",
        "span_id": "b",
        "parent_span_id": "a",
        "start_time": "2026-02-25T10:00:03",
        "end_time": "2026-02-25T10:00:05.5",
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "x"},
    },
    {
        "trace_id": "t",
        "span_id": "a",
        "start_time": 1_772_013_600_000_000_000,
        "end_time": "1772013600000000001",
        "attributes": {
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "x"}]}]),
        },
    },
]
CALL = {"kvlistValue": {"values": [{"key": "role", "value": {"stringValue": "user"}}, {"key": "content", "value": {}}]}}
OTLP_SPAN = {
    "traceId": "t",
    "spanId": "a",
    "startTimeUnixNano": "1772013600000000000",
    "endTimeUnixNano": "1772013600000000001",
    "attributes": [
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}},
        {"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [CALL]}}},
    ],
}
SAID = [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]
EXPORTED = [
    {"timestamp": 1_718_000_000_123_456_789, "request_inputs": {"payload": json.dumps(BODY)}},
    {"timestamp": 1_718_000_000_123_456_780, "request_inputs": {"text_input": "x", "max_tokens": 3}},
]
ENTRIES: list[dict[str, Any]] = [
    {"payload": [BODY], "timestamp": [1.5]},
    {"text_input": ["x"], "session_id": "s", "delay": 4, "timestamp": 5},
]
GOOD: dict[str, tuple[str, Any]] = {
    "spans": ("otel", {"spans": SPANS}),
    "otlp": ("otel", {"resourceSpans": [{"scopeSpans": [{"spans": [OTLP_SPAN]}]}]}),
    "capture": ("sagemaker", CAPTURE),
    "conversations": ("sharegpt", [{"id": "a", "conversations": SAID * 2}]),
    "batch": ("openai-batch", {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": BODY}),
    "sessions": ("aiperf", {"data": [{"session_id": "s", "payloads": [BODY, {"prompt": [1, 2]}]}]}),
    "entries": ("genai-perf-inputs", {"data": ENTRIES}),
    "export": ("genai-perf-export", {"experiments": [{"requests": EXPORTED}]}),
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def check(path: Path, data: bytes, format: str) -> None:
    path.write_bytes(data)
    for skip in (False, True):
        try:
            trace = read(path, format=format, skip_bad_rows=skip)
        except TraceError as error:
            assert str(error).startswith(str(path))
            continue
        assert trace.table.schema == TRACE_SCHEMA
        arrival = trace.table["arrival_ns"].to_numpy()
        assert arrival[0] == 0
        assert (np.diff(arrival) >= 0).all()
        check_parents(trace.source, trace.table)
        for body in trace.table["body"].to_pylist():
            assert body is None or isinstance(json.loads(body), dict)
        assert len(list(composed(Prompts(trace, form="text")))) == len(trace)


@pytest.mark.parametrize("name", GOOD)
def test_the_good_files_are_good(folder: Path, name: str) -> None:
    path = folder / "good"
    format, good = GOOD[name]
    path.write_bytes(json.dumps(good).encode())
    assert read(path).format == format


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(GOOD)),
    at=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 3),
    put=st.binary(max_size=3) | st.sampled_from([b"-", b"e9", b'"', b"9" * 30, b"\n", b",", b"null", b"[", b"\\ud800"]),
)
def test_good_files_with_one_place_changed(folder: Path, name: str, at: float, cut: int, put: bytes) -> None:
    format, document = GOOD[name]
    good = json.dumps(document).encode()
    place = int(at * len(good))
    check(folder / "changed", good[:place] + put + good[place + cut :], format)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-02-25T10:00:03"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def replaced(document: Any, place: int, value: Any) -> tuple[Any, int]:
    """A document with the value at a place, counted in depth, put in the stead of the one there."""
    if place == 0:
        return value, -1
    place -= 1
    if isinstance(document, (dict, list)):
        items = document.items() if isinstance(document, dict) else enumerate(document)
        copy: Any = dict(document) if isinstance(document, dict) else list(document)
        for key, inner in items:
            copy[key], place = replaced(inner, place, value)
            if place < 0:
                return copy, -1
        return copy, place
    return document, place


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), place=st.integers(0, 40), value=values)
def test_good_files_with_one_value_replaced(folder: Path, name: str, place: int, value: Any) -> None:
    format, document = GOOD[name]
    changed, _ = replaced(document, place, value)
    check(folder / "replaced", json.dumps(changed).encode(errors="replace"), format)
