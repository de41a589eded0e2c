"""Responses in the form that GenAI-Perf reads: the server's JSON, one event per streamed chunk."""

import json
from collections.abc import Mapping
from typing import Any


def response_texts(row: Mapping[str, Any], text: str, count: int, *, streamed: bool) -> list[dict[str, str]]:
    """Return a text as the outputs of a request, one per stamp.

    The tape has the whole text but not each event's part of it, so all parts have equal lengths.

    Args:
        row: The request's endpoint, model and response_id.
        text: The whole response text.
        count: Number of stamps.
        streamed: Whether the parts are events. False: the only part is the response body.
    """
    parts = [text[len(text) * i // count : len(text) * (i + 1) // count] for i in range(count)]
    return [{"response": _response(row, part, streamed)} for part in parts]


def _response(row: Mapping[str, Any], text: str, streamed: bool) -> str:
    """Return a part in the form of TGI, Triton or OpenAI, the only text APIs that GenAI-Perf knows."""
    if row["endpoint"] in {"tgi", "triton"}:
        alone: Any = [{"generated_text": text}] if row["endpoint"] == "tgi" else {"text_output": text}
        return _event(alone, streamed)
    said: dict[str, Any]
    if row["endpoint"] == "completions":
        name, said = "text_completion", {"text": text}
    elif streamed:
        name, said = "chat.completion.chunk", {"delta": {"content": text}}
    else:
        name, said = "chat.completion", {"message": {"role": "assistant", "content": text}}
    choice = {"index": 0, "finish_reason": None, **said}
    return _event(
        {"id": row["response_id"] or "", "object": name, "model": row["model"], "choices": [choice]}, streamed
    )


def _event(data: Any, streamed: bool) -> str:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {body}\n\n" if streamed else body
