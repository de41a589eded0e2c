"""Half surrogate pairs: replaced and counted, in every reader of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.traces import read
from tokentape.traces.inputs.prompt_files import load_inputs
from tokentape.traces.reading.surrogates import counted, without_halves

Write = Callable[[bytes | str], Path]

ASKED = {"model": "m", "max_tokens": 3}
NOTE = "2 halves of surrogate pairs were replaced by U+FFFD: no UTF-8 text can hold them"
BROKEN = "a \ud83d b \ude00"
MENDED = "a \ufffd b \ufffd"
CALL = {
    "traceId": "t",
    "spanId": "s",
    "startTimeUnixNano": "1760587752000000000",
    "endTimeUnixNano": "1760587753000000000",
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": BROKEN}]}]),
        "gen_ai.usage.output_tokens": 3,
    },
}
FILES: dict[str, Any] = {
    "sharegpt": {"conversations": [{"from": "human", "value": BROKEN}, {"from": "gpt", "value": "ok"}]},
    "chat": {"messages": [{"role": "user", "content": BROKEN}, {"role": "assistant", "content": "ok"}]},
    "mooncake": {"timestamp": 0, "text_input": BROKEN, "output_length": 3},
    "lmcache": {"timestamp": 1760587752017385, "input": BROKEN, "output": "ok", "session_id": "s"},
    "aibrix": {"timestamp": 0, "requests": [{"Prompt Length": 3, "Output Length": 2, "prompt": BROKEN}]},
    "openai-batch": {
        "custom_id": "1", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": [{"role": "user", "content": BROKEN}]},
    },
    "otel": CALL,
    "sagemaker": {
        "captureData": {
            "endpointInput": {
                "data": json.dumps({"messages": [{"role": "user", "content": BROKEN}], **ASKED}), "encoding": "JSON",
            },
            "endpointOutput": {"data": "{}", "encoding": "JSON"},
        },
        "eventMetadata": {"eventId": "e", "inferenceTime": "2026-04-29T00:03:18Z"},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("array", [False, True])
def test_every_json_reader_replaces_them_and_says_so(write: Write, name: str, array: bool) -> None:
    record = json.dumps(FILES[name])
    trace = read(write(f"[{record}]" if array else record + "\n"))
    assert trace.format == name
    assert NOTE in trace.notes
    sent = trace.table["body"].drop_null().to_pylist() + trace.table["text"].drop_null().to_pylist()
    (text,) = [one.decode() if isinstance(one, bytes) else one for one in sent]
    assert MENDED in (text if text.startswith("a") else json.dumps(json.loads(text), ensure_ascii=False))


DOCUMENTS: dict[str, Any] = {
    "genai-perf-inputs": {"data": [{"payload": [{"prompt": BROKEN, **ASKED}]}]},
    "aiperf": {"data": [{"session_id": "s", "payloads": [{"prompt": BROKEN, **ASKED}]}]},
    "genai-perf-export": {
        "experiments": [
            {
                "experiment": {"mode": "concurrency", "value": 1},
                "requests": [
                    {
                        "timestamp": 1_700_000_000_000_000_000,
                        "request_inputs": {"payload": json.dumps({"prompt": BROKEN, **ASKED})},
                        "response_timestamps": [],
                        "response_outputs": [],
                    }
                ],
            }
        ]
    },
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_json_document_replaces_them_and_says_so(write: Write, name: str) -> None:
    trace = read(write(json.dumps(DOCUMENTS[name])))
    assert trace.format == name
    assert NOTE in trace.notes
    assert json.loads(trace.table["body"][0].as_py())["prompt"] == MENDED


def test_files_of_prompts_replace_them_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps({"text": BROKEN}) + "\n")
    notes: list[str] = []
    (content,) = load_inputs(path, on_note=notes.append)
    assert content.text == MENDED
    assert notes == [f"{path}: {NOTE}"]


def test_a_good_file_says_nothing(write: Write) -> None:
    record = {"messages": [{"role": "user", "content": "\U0001f600"}, {"role": "assistant", "content": "ok"}]}
    trace = read(write(json.dumps(record) + "\n"))
    assert not any("surrogate" in note for note in trace.notes)
    assert json.loads(trace.table["body"][0].as_py())["messages"][0]["content"] == "\U0001f600"


@given(st.text(alphabet=st.sampled_from('a\\\ud83d\ude00"\n'), max_size=12))
def test_what_is_left_is_what_utf_16_would_make_of_it(text: str) -> None:
    """UTF-16 joins pairs and, with ``replace``, replaces each half by U+FFFD."""
    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    with counted() as replaced:
        mended = without_halves(json.dumps(text).encode())
    assert json.loads(mended) == expected
    assert replaced.count == expected.count("\ufffd")
