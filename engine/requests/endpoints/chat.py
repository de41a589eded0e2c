"""OpenAI chat completions: ``POST /v1/chat/completions``.

A token: an event whose ``delta.content`` (or ``refusal``) is not empty, or empty with ``token_ids``. The end:
``[DONE]``, or a finish reason. Counts: ``usage``.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import chat_messages, with_payload
from ..endpoint import OPENAI_USAGE, Endpoint, openai_stream_fields


def _body(options: BodyOptions) -> Body:
    message = {"role": "user", "content": gap_for_prompt()}
    return make_body({"model": options.model, "messages": [message], **openai_stream_fields(options)}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    return {"messages": chat_messages(content, "chat")}


ENDPOINT = Endpoint(
    name="chat",
    path="/v1/chat/completions",
    fields={
        "id": "id",
        "choices[].delta.content": "text",
        "choices[].delta.refusal": "text",
        "choices[].delta.content[].text": "text",
        # a completions chunk in response to a chat request
        "choices[].text": "text",
        "choices[].message.content": "text",
        "choices[].message.content[].text": "text",
        # reasoning_content in SGLang, DeepSeek and llama.cpp, reasoning in vLLM
        "choices[].delta.reasoning_content": "reasoning",
        "choices[].delta.reasoning": "reasoning",
        "choices[].message.reasoning_content": "reasoning",
        "choices[].message.reasoning": "reasoning",
        # Mistral puts reasoning among the parts of the content
        "choices[].delta.content[].thinking": "reasoning",
        "choices[].delta.content[].thinking[].text": "reasoning",
        "choices[].delta.audio.transcript": "text",
        "choices[].delta.audio.data": "media",
        "choices[].delta.images": "media",
        "choices[].message.audio.data": "media",
        "choices[].message.images": "media",
        "choices[].delta.tool_calls": "tool",
        "choices[].delta.function_call": "tool",
        "choices[].message.tool_calls": "tool",
        "choices[].delta.role": "speaker",
        "choices[].finish_reason": "finish",
        "choices[].finish_reason.type": "finish",
        "choices[].finish_reason.message": "finish_message",
        "choices[].token_ids": "token_ids",
        "error": "error",
        **OPENAI_USAGE,
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    chats=True,
    length_path=("max_tokens",),
)
