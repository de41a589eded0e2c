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
    choice = {"index": 0, "finish_reason": None}
    name: str
    said: dict[str, Any]
    if row["endpoint"] == "completions":
        name, said = "text_completion", {"text": text}
    elif streamed:
        name, said = "chat.completion.chunk", {"delta": {"content": text}}
    else:
        name, said = "chat.completion", {"message": {"role": "assistant", "content": text}}
    whole = {
        "id": row["response_id"] or "",
        "object": name,
        "model": row["model"],
        "choices": [choice | said],
    }
    body = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return f"data: {body}\n\n" if streamed else body
