"""OpenAI chat completions: ``POST /v1/chat/completions``."""

from .endpoint import (
    OPENAI_USAGE,
    Body,
    BodyOptions,
    Endpoint,
    gap_for_prompt,
    make_body,
    openai_stream_fields,
)


def _body(options: BodyOptions) -> Body:
    message = {"role": "user", "content": gap_for_prompt("text")}
    return make_body({"model": options.model, "messages": [message], **openai_stream_fields(options)})


ENDPOINT = Endpoint(
    name="chat",
    path="/v1/chat/completions",
    fields={
        "id": "id",
        "choices[].delta.content": "text",
        "choices[].delta.refusal": "text",
        "choices[].message.content": "text",
        # SGLang, DeepSeek and llama.cpp say reasoning_content, vLLM says reasoning
        "choices[].delta.reasoning_content": "reasoning",
        "choices[].delta.reasoning": "reasoning",
        "choices[].message.reasoning_content": "reasoning",
        "choices[].delta.tool_calls": "tool",
        "choices[].delta.function_call": "tool",
        "choices[].message.tool_calls": "tool",
        "choices[].delta.role": "speaker",
        "choices[].finish_reason": "finish",
        "choices[].token_ids": "token_ids",
        "error": "error",
        **OPENAI_USAGE,
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
)
