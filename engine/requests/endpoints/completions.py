"""OpenAI completions: ``POST /v1/completions``.

A token: an event whose ``text`` is not empty, or empty with ``token_ids``. The end: ``[DONE]``, or a finish reason.
Counts: ``usage``.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import one_text, with_payload
from ..endpoint import OPENAI_USAGE, Endpoint, openai_stream_fields


def _body(options: BodyOptions) -> Body:
    prompt = gap_for_prompt(options.prompt_form)
    return make_body({"model": options.model, "prompt": prompt, **openai_stream_fields(options)}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    return {"prompt": one_text(content, "completions")}


ENDPOINT = Endpoint(
    name="completions",
    path="/v1/completions",
    fields={
        "id": "id",
        "choices[].text": "text",
        "choices[].finish_reason": "finish",
        "choices[].finish_reason.type": "finish",
        "choices[].finish_reason.message": "finish_message",
        # a chat chunk in response to a completions request
        "choices[].delta.content": "text",
        "choices[].token_ids": "token_ids",
        "error": "error",
        **OPENAI_USAGE,
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text", "token_ids"),
    body=_body,
    content=_content,
    length_path=("max_tokens",),
)
