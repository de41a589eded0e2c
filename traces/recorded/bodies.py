"""Recorded request bodies: the model, the lengths, and estimates of lengths that were not recorded.

A body that names its model is sent as it was recorded. One without a model, as SageMaker captures and messages
without their request are, is completed by the run: see Prompts.body.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..reading.field_checks import BadField, token_count
from ..reading.json_documents import decode, mapping, name

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 per token of English or code in today's vocabularies; for estimated lengths."""

_LENGTHS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_PROMPTS = ("messages", "prompt", "input")
_COUNTED_KEYS = frozenset(("content", "text", "arguments", "name", "reasoning_content"))


class Payload(NamedTuple):
    """The facts of a body that a plan needs.

    Attributes:
        model: The model that it names, or None.
        input_tokens: Length of its prompt in tokens: exact for token ids, else estimated.
        output_tokens: Its output limit in tokens, or None.
        estimated: Whether the input length is an estimate.
    """

    model: str | None
    input_tokens: int
    output_tokens: int | None
    estimated: bool


def payload(field: str, raw: bytes) -> Payload:
    """Read a body.

    Args:
        field: Where it stands in the trace, for messages.
        raw: JSON.

    Raises:
        BadField: It is no JSON object with messages, a prompt or an input, or a length in it is no length.
    """
    body = mapping(field, decode(raw, field), "a request's body")
    prompt = next((body[key] for key in _PROMPTS if body.get(key) is not None), None)
    if prompt is None:
        raise BadField(field, "holds no request: a body has messages, a prompt or an input")
    limit = next((body[key] for key in _LENGTHS if body.get(key) is not None), None)
    output_tokens = None if limit is None else token_count(f"{field}.{_limit_name(body)}", limit)
    ids = _ids(prompt)
    return Payload(
        model=name(f"{field}.model", body.get("model")),
        input_tokens=estimated_tokens(prompt) if ids is None else ids,
        output_tokens=output_tokens,
        estimated=ids is None,
    )


def _limit_name(body: dict[str, Any]) -> str:
    return next(key for key in _LENGTHS if body.get(key) is not None)


def _ids(prompt: Any) -> int | None:
    """Return how many token ids a prompt is made of; None where it is text."""
    if isinstance(prompt, list) and prompt and all(type(item) is int for item in prompt):
        return len(prompt)
    return None


def estimated_tokens(value: Any) -> int:
    """Return the estimated tokens of a text or of messages: one per BYTES_PER_TOKEN bytes, rounded up."""
    size = 0
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            size += len(item.encode("utf-8", "replace"))
        elif isinstance(item, list):
            left += item
        elif isinstance(item, dict):
            left += [inner for key, inner in item.items() if key in _COUNTED_KEYS or isinstance(inner, (dict, list))]
    return -(-size // BYTES_PER_TOKEN)


def messages_body(messages: list[Any], **further: Any) -> bytes:
    """Return a body of messages whose request was not recorded. It names no model; the run adds one."""
    return msgspec.json.encode({"messages": messages, **further})


def compact(raw: bytes) -> bytes:
    """Return a body without white space between its parts; values keep their spelling.

    Raises:
        BadField: It is not JSON.
    """
    try:
        return msgspec.json.format(raw, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadField(None, f"is not JSON: {error}") from None
