"""Raw responses of real servers: the same events however the bytes are cut."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httptools  # type: ignore[import-untyped]
import pytest
from tokentape.cext.parsers import Dialect, ParsedResponse, parse_response

WIRE = Path(__file__).parents[2] / "wire"
FACTS: dict[str, dict[str, Any]] = json.loads((WIRE / "facts.json").read_text())

USAGE = {
    "usage.prompt_tokens": "input_tokens",
    "usage.completion_tokens": "output_tokens",
    "usage.prompt_tokens_details.cached_tokens": "cached_tokens",
    "usage.completion_tokens_details.reasoning_tokens": "reasoning_tokens",
}
CHAT = {
    "choices[].delta.content": "text",
    "choices[].message.content": "text",
    "choices[].delta.reasoning_content": "reasoning",
    "choices[].delta.reasoning": "reasoning",
    "choices[].message.reasoning_content": "reasoning",
    "choices[].message.reasoning": "reasoning",
    "choices[].delta.tool_calls": "tool",
    "choices[].delta.function_call": "tool",
    "choices[].message.tool_calls": "tool",
    "choices[].message.function_call": "tool",
    "choices[].delta.role": "speaker",
    "choices[].finish_reason": "finish",
    "choices[].token_ids": "token_ids",
    "id": "id",
    "error": "error",
    **USAGE,
}
COMPLETIONS = {
    "choices[].text": "text",
    "choices[].finish_reason": "finish",
    "choices[].token_ids": "token_ids",
    "id": "id",
    "error": "error",
    **USAGE,
}
RESPONSES = {
    "type": "type",
    "delta": "text",
    "response.id": "id",
    "response.error": "error",
    "error": "error",
    "response.usage.input_tokens": "input_tokens",
    "response.usage.output_tokens": "output_tokens",
    "response.usage.input_tokens_details.cached_tokens": "cached_tokens",
    "response.usage.output_tokens_details.reasoning_tokens": "reasoning_tokens",
    "response.incomplete_details.reason": "finish",
}
RESPONSES_TYPES = {
    "response.created": "role",
    "response.output_text.delta": "token",
    "response.refusal.delta": "token",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.function_call_arguments.delta": "tool_call",
    "response.completed": "done",
    "response.incomplete": "done",
    "response.failed": "error",
    "error": "error",
}
ANTHROPIC = {
    "type": "type",
    "delta.text": "text",
    "delta.thinking": "reasoning",
    "delta.partial_json": "tool",
    "delta.stop_reason": "finish",
    "message.id": "id",
    "message.usage.input_tokens": "input_tokens",
    "message.usage.output_tokens": "output_tokens",
    "message.usage.cache_read_input_tokens": "cached_tokens",
    "usage.input_tokens": "input_tokens",
    "usage.output_tokens": "output_tokens",
    "usage.cache_read_input_tokens": "cached_tokens",
    "error": "error",
}
ANTHROPIC_TYPES = {
    "message_start": "role",
    "content_block_delta": "token",
    "message_delta": "usage",
    "message_stop": "done",
    "ping": "comment",
    "error": "error",
}
NATIVE = {
    "content": "text",
    "tokens": "token_ids",
    "stop": "end",
    "stop_type": "finish",
    "tokens_evaluated": "input_tokens",
    "tokens_predicted": "output_tokens",
    "timings.cache_n": "cached_tokens",
    "error": "error",
}
DIALECTS = {
    "chat": Dialect(CHAT),
    "completions": Dialect(COMPLETIONS),
    "responses": Dialect(RESPONSES, RESPONSES_TYPES),
    "anthropic": Dialect(ANTHROPIC, ANTHROPIC_TYPES),
    "native": Dialect(NATIVE),
}


def decoded(span: bytes | None) -> str | None:
    """The JSON string that the span is the inside of."""
    return None if span is None else str(json.loads(b'"' + span + b'"'))


def facts_of(response: ParsedResponse) -> dict[str, Any]:
    """What the response says, in the words of the index."""
    scans = response.scans
    counts = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    return {
        "result": response.result,
        "content_type": response.content_type,
        "chunked": response.chunked,
        "kinds": dict(Counter(scan.kind for scan in scans)),
        "empty_tokens": sum(scan.kind == "token" and scan.text is None for scan in scans),
        "token_ids": sum(max(scan.token_ids, 0) for scan in scans),
        **{count: max((getattr(scan, count) for scan in scans), default=-1) for count in counts},
        "finish": [decoded(scan.finish) for scan in scans if scan.finish],
        "ends": [index for index, scan in enumerate(scans) if scan.ends],
        "done_marker": any(scan.done_marker for scan in scans),
        "id": next((decoded(scan.id) for scan in scans if scan.id), None),
        "text": "".join(decoded(scan.text) or "" for scan in scans if scan.kind == "token"),
    }


def capture(name: str) -> tuple[bytes, Dialect]:
    return (WIRE / f"{name}.bin").read_bytes(), DIALECTS[FACTS[name]["dialect"]]


def test_the_index_names_every_capture() -> None:
    assert sorted(FACTS) == sorted(path.stem for path in WIRE.glob("*.bin"))


@pytest.mark.parametrize("name", FACTS)
def test_facts(name: str) -> None:
    data, dialect = capture(name)
    response = parse_response([data], dialect)
    expected = {key: value for key, value in FACTS[name].items() if key != "dialect"}
    assert facts_of(response) == expected
    assert response.status == 200
    assert response.unread == b""
    if response.content_type == "sse":
        assert sum(frame.wire_bytes for frame in response.frames) == len(response.body)


@pytest.mark.parametrize("name", FACTS)
def test_a_cut_anywhere_changes_nothing(name: str) -> None:
    data, dialect = capture(name)
    whole = parse_response([data], dialect)
    for at in range(1, len(data)):
        assert parse_response([data[:at], data[at:]], dialect) == whole, at


@pytest.mark.parametrize("name", FACTS)
def test_byte_by_byte(name: str) -> None:
    data, dialect = capture(name)
    whole = parse_response([data], dialect)
    assert parse_response([data[i : i + 1] for i in range(len(data))], dialect) == whole
    assert parse_response([b"", *(data[i : i + 3] for i in range(0, len(data), 3)), b""], dialect) == whole


class Body:
    """The decoded body as httptools hands it out."""

    def __init__(self, wire: bytes) -> None:
        self.bytes = b""
        httptools.HttpResponseParser(self).feed_data(wire)

    def on_body(self, body: bytes) -> None:
        self.bytes += body


def text_of(dialect: str, event: dict[str, Any]) -> str | None:
    """The visible text of one event, by the API's documentation."""
    if dialect in ("chat", "completions"):
        choice = event["choices"][0] if event["choices"] else {}
        return choice.get("text") if dialect == "completions" else choice.get("delta", {}).get("content")
    if dialect == "responses":
        return event["delta"] if event["type"] == "response.output_text.delta" else None
    if dialect == "anthropic":
        return event["delta"].get("text") if event["type"] == "content_block_delta" else None
    return event["content"]


@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts["content_type"] == "sse"])
def test_texts_are_those_of_a_second_reading(name: str) -> None:
    data, dialect = capture(name)
    expected = []
    for line in Body(data).bytes.splitlines():
        if line.startswith(b"data: {"):
            expected.append(text_of(FACTS[name]["dialect"], json.loads(line[6:])) or None)
    response = parse_response([data], dialect)
    pairs = zip(response.scans, response.frames, strict=True)
    assert [decoded(scan.text) for scan, frame in pairs if frame.data.startswith(b"{")] == expected


def test_a_stream_cut_short_keeps_its_events() -> None:
    data, dialect = capture("llama_chat_usage")
    whole = parse_response([data], dialect)
    cut = data.index(b" little") + 3
    response = parse_response([data[:cut]], dialect)
    assert response.result == "error"
    assert response.error == "the connection closed inside the chunked body"
    assert response.scans[:-1] == whole.scans[:6]
    assert response.scans[-1].malformed
    open_still = parse_response([data[:cut]], dialect, close=False)
    assert (open_still.result, open_still.error) == ("headers", None)
    assert open_still.scans == whole.scans[:6]


def test_two_responses_on_one_connection() -> None:
    data, dialect = capture("llama_chat")
    response = parse_response([data + data], dialect)
    assert response.result == "complete"
    assert response.unread == data
