"""Anthropic messages: ``POST /v1/messages``.

A token: a ``content_block_delta`` with a text. With ``thinking`` it is reasoning, with ``partial_json`` a tool call.
The end: ``message_stop``. Counts: ``usage`` of ``message_start`` (input) and of ``message_delta`` (output, cumulative).
Anthropic's ``input_tokens`` excludes tokens read from or written to the cache. Here they are added, so that input
tokens cover the whole prompt, as with every other API.
"""

from collections.abc import Mapping
from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import chat_messages, parts_of, split_system, with_payload
from ..endpoint import Endpoint


def _body(options: BodyOptions) -> Body:
    message = {"role": "user", "content": gap_for_prompt()}
    fields: dict[str, Any] = {"model": options.model, "messages": [message], "max_tokens": GAP_FOR_LENGTH}
    if options.stream:
        fields["stream"] = True
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    system, messages = split_system(chat_messages(content, "messages"))
    fields: dict[str, Any] = {"messages": [_message(message) for message in messages]}
    if system is not None:
        fields["system"] = system
    return fields


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    parts = parts_of(message)
    role = "assistant" if message.get("role") == "assistant" else "user"
    if len(parts) == 1 and parts[0][0] == "text":
        return {"role": role, "content": parts[0][1]}
    return {"role": role, "content": [_block(kind, value) for kind, value in parts]}


def _block(kind: str, value: str) -> dict[str, Any]:
    if kind == "text":
        return {"type": "text", "text": value}
    head, comma, data = value.partition(";base64,")
    if head.startswith("data:") and comma:
        source = {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    else:
        source = {"type": "url", "url": value}
    return {"type": "image", "source": source}


ENDPOINT = Endpoint(
    name="messages",
    path="/v1/messages",
    fields={
        "type": "type",
        "error": "error",
        "delta.text": "text",
        "delta.thinking": "reasoning",
        "delta.partial_json": "tool",
        "delta.stop_reason": "finish",
        "message.id": "id",
        "message.usage.input_tokens": "input_tokens",
        "message.usage.cache_creation_input_tokens": "input_beside",
        "message.usage.cache_read_input_tokens": "cached_beside",
        "usage.input_tokens": "input_tokens",
        "usage.output_tokens": "output_tokens",
        "usage.cache_creation_input_tokens": "input_beside",
        "usage.cache_read_input_tokens": "cached_beside",
        # in a response without streaming
        "id": "id",
        "content[].text": "text",
        "content[].thinking": "reasoning",
        "content[].input": "tool",
        "stop_reason": "finish",
    },
    types={
        "message_start": "role",
        "content_block_delta": "token",
        "message_delta": "usage",
        "message_stop": "done",
        "message": "token",
        "ping": "comment",
        "error": "error",
    },
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    chats=True,
    length_path=("max_tokens",),
    headers={"anthropic-version": "2023-06-01"},
    key_header="x-api-key",
)
