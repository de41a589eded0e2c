"""Responses as GenAI-Perf reads them: the server's JSON, an event each where they were streamed."""

import json
from collections.abc import Mapping
from typing import Any


def response_texts(row: Mapping[str, Any], text: str, count: int, *, streamed: bool) -> list[dict[str, str]]:
    """A text as the outputs of a request, one per stamp.

    The tape knows the whole text, not which event held which part of it: the parts are as long as each other.

    Args:
        row: Of the request: endpoint, model, response_id.
        text: All that was said.
        count: Of the stamps.
        streamed: Whether the parts were events, or the one part was the body of the reply.
    """
    parts = [text[len(text) * i // count : len(text) * (i + 1) // count] for i in range(count)]
    return [{"response": _response(row, part, streamed)} for part in parts]


def _response(row: Mapping[str, Any], text: str, streamed: bool) -> str:
    """As TGI, Triton or OpenAI would say it; GenAI-Perf knows no other API that makes text."""
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
