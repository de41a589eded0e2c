"""Hugging Face's Text Generation Inference: ``POST /generate_stream``; without streaming ``/generate``.

A token: every event is one (``token.text``, written ``data:`` without a space). The end: the event with the whole
text in ``generated_text``. Counts: ``details`` of that event, which a request must enable. A special token (the
end of the sequence) is an event with its name as the text.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import one_text, with_payload
from ..endpoint import Endpoint


def _body(options: BodyOptions) -> Body:
    parameters = {"max_new_tokens": GAP_FOR_LENGTH, "details": True}
    return make_body({"inputs": gap_for_prompt(), "parameters": parameters}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    return {"inputs": one_text(content, "tgi")}


ENDPOINT = Endpoint(
    name="tgi",
    path="/generate_stream",
    fields={
        "token.text": "text",
        "generated_text": "whole_text",
        "details.finish_reason": "finish",
        "details.generated_tokens": "output_tokens",
        "details.input_length": "input_tokens",
        "error": "error",
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=("parameters", "max_new_tokens"),
    whole_path="/generate",
)
