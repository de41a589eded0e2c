"""Chat messages as spans record them, in the form in which OpenAI's API takes them.

The semantic conventions for generative AI have ``gen_ai.input.messages``: ``[{"role": ..., "parts": [{"type":
"text", "content": ...}, {"type": "tool_call", ...}]}]``, and ``gen_ai.system_instructions`` apart; many
instrumentations record OpenAI's own form there, and older ones ``gen_ai.prompt.0.role`` and ``….content``.
Either may be a list or the JSON of one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..reading.field_checks import BadField, shown
from ..reading.json_documents import decode, mapping, sequence

_INPUT = "gen_ai.input.messages"
_SYSTEM = "gen_ai.system_instructions"


def chat_messages(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a span's attributes; none where it recorded none.

    Raises:
        BadField: They are no messages.
    """
    found = attributes.get(_INPUT)
    if found is None:
        found = _indexed(attributes) or attributes.get("gen_ai.prompt")
        if isinstance(found, str):
            found = [{"role": "user", "content": found}] if found[:1] != "[" else found
    if found is None:
        return []
    messages = [_message(place, message) for place, message in enumerate(_list(_INPUT, found))]
    system = attributes.get(_SYSTEM)
    if system:
        parts = [system] if isinstance(system, str) and system[:1] != "[" else _list(_SYSTEM, system)
        messages.insert(0, {"role": "system", "content": _texts(parts)})
    return messages


def _list(field: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        value = decode(value, field)
    return sequence(field, value, "a list of messages, or the JSON of one,")


def _indexed(attributes: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the messages of attributes that have the message's number in their name."""
    messages: list[dict[str, Any]] = []
    while (role := attributes.get(f"gen_ai.prompt.{len(messages)}.role")) is not None:
        messages.append({"role": role, "content": attributes.get(f"gen_ai.prompt.{len(messages)}.content")})
    return messages or None


def _message(place: int, message: Any) -> dict[str, Any]:
    field = f"{_INPUT}[{place}]"
    recorded = mapping(field, message, "a message with role and content")
    role = recorded.get("role")
    if not isinstance(role, str):
        raise BadField(f"{field}.role", f"is {shown(role)} where user, assistant, system or tool belongs")
    if "parts" not in recorded:
        if "content" not in recorded and "tool_calls" not in recorded:
            raise BadField(field, "has neither content nor parts")
        return recorded
    parts = [mapping(f"{field}.parts", part, "an object with type") for part in
             sequence(f"{field}.parts", recorded["parts"], "a list")]  # fmt: skip
    calls = [_tool_call(part) for part in parts if part.get("type") == "tool_call"]
    answers = [part for part in parts if part.get("type") == "tool_call_response"]
    if answers:
        answer = answers[0]
        result = answer.get("response", answer.get("result"))
        return {"role": "tool", "tool_call_id": str(answer.get("id")), "content": _string(result)}
    converted: dict[str, Any] = {"role": role, "content": _texts(parts)}
    if calls:
        converted["tool_calls"] = calls
    return converted


def _tool_call(part: dict[str, Any]) -> dict[str, Any]:
    function = {"name": str(part.get("name")), "arguments": _string(part.get("arguments"))}
    return {"id": str(part.get("id")), "type": "function", "function": function}


def _texts(parts: list[Any]) -> str:
    """Return the text parts, joined by line breaks."""
    pieces = []
    for part in parts:
        text = part.get("content", part.get("text")) if isinstance(part, dict) else part
        if isinstance(text, str) and (not isinstance(part, dict) or part.get("type", "text") == "text"):
            pieces.append(text)
    return "\n".join(pieces)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
