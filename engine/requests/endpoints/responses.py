"""OpenAI responses: ``POST /v1/responses``.

A token: ``response.output_text.delta`` (or ``refusal.delta``). Reasoning and tool calls have separate events. The
end: ``response.completed``, ``response.incomplete`` or ``response.failed``, which repeat the response; there is no
[DONE]. Counts: the ``usage`` of that last event.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import chat_messages, parts_of, with_payload
from ..endpoint import Endpoint


def _body(options: BodyOptions) -> Body:
    fields: dict[str, Any] = {"model": options.model, "input": gap_for_prompt(), "max_output_tokens": GAP_FOR_LENGTH}
    if options.ignore_eos:
        fields["ignore_eos"] = True
    if options.stream:
        fields["stream"] = True
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    if content.messages is None and not content.images:
        fields: dict[str, Any] = {"input": chat_messages(content, "responses")[-1]["content"]}
        if content.system is not None:
            fields["instructions"] = content.system
    else:
        fields = {"input": [_item(message) for message in chat_messages(content, "responses")]}
    return fields


def _item(message: dict[str, Any]) -> dict[str, Any]:
    role = message.get("role", "user")
    if isinstance(message.get("content"), str):
        return {"role": role, "content": message["content"]}
    said = "output_text" if role == "assistant" else "input_text"
    parts = [
        {"type": said, "text": value} if kind == "text" else {"type": "input_image", "image_url": value}
        for kind, value in parts_of(message)
    ]
    return {"role": role, "content": parts}


ENDPOINT = Endpoint(
    name="responses",
    path="/v1/responses",
    fields={
        "type": "type",
        "delta": "text",
        "error": "error",
        "response.id": "id",
        "response.error": "error",
        "response.incomplete_details.reason": "finish",
        "response.usage.input_tokens": "input_tokens",
        "response.usage.output_tokens": "output_tokens",
        "response.usage.input_tokens_details.cached_tokens": "cached_tokens",
        "response.usage.output_tokens_details.reasoning_tokens": "reasoning_tokens",
        # in a response without streaming
        "id": "id",
        "output[].content[].text": "text",
        "output[].summary[].text": "reasoning",
        "output[].arguments": "tool",
        "incomplete_details.reason": "finish",
        "usage.input_tokens": "input_tokens",
        "usage.output_tokens": "output_tokens",
        "usage.input_tokens_details.cached_tokens": "cached_tokens",
        "usage.output_tokens_details.reasoning_tokens": "reasoning_tokens",
    },
    types={
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
    },
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    chats=True,
    length_path=("max_output_tokens",),
)
