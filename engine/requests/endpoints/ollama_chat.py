"""Ollama's chat: ``POST /api/chat``, lines of JSON.

A token: a line whose ``message.content`` is not empty; ``message.thinking`` is reasoning. The end: the line with
``done: true``. Counts: ``prompt_eval_count`` and ``eval_count`` of that line.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import chat_messages, inline_image, parts_of, with_payload
from ..endpoint import Endpoint

if TYPE_CHECKING:
    from ....cext.parsers import Role


def _body(options: BodyOptions) -> Body:
    # Ollama streams by default.
    fields = {
        "model": options.model,
        "messages": [{"role": "user", "content": gap_for_prompt()}],
        "stream": options.stream,
        "options": {"num_predict": GAP_FOR_LENGTH},
    }
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    messages = [_message(message) for message in chat_messages(content, "ollama_chat")]
    return {"messages": messages}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    parts = parts_of(message)
    images = [inline_image(value, "ollama_chat")[1] for kind, value in parts if kind == "image"]
    words = "".join(value for kind, value in parts if kind == "text")
    said: dict[str, Any] = {"role": message.get("role", "user"), "content": words}
    return said | ({"images": images} if images else {})


USAGE: "Mapping[str, Role]" = {
    "prompt_eval_count": "input_tokens",
    "eval_count": "output_tokens",
    "done_reason": "finish",
    "done": "end",
    "error": "error",
}
"""Fields of the last line of both Ollama APIs, and of their errors."""

ENDPOINT = Endpoint(
    name="ollama_chat",
    path="/api/chat",
    fields={
        "message.content": "text",
        "message.thinking": "reasoning",
        "message.tool_calls": "tool",
        "message.role": "speaker",
        **USAGE,
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    chats=True,
    length_path=("options", "num_predict"),
    framing="ndjson",
    headers={"Accept": "application/x-ndjson"},
)
