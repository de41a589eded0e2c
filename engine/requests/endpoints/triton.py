"""Triton's generate extension: ``POST /v2/models/MODEL/generate_stream``; without streaming ``/generate``.

A token: an event whose ``text_output`` is not empty. The end: that of the response. Triton sends no end mark, so
a stream whose HTTP framing is complete counts as complete. Counts: none; give ``--tokenizer``, else the events are
counted. The fields are those of the TensorRT-LLM backend; vLLM's backend accepts them too (fields that are not inputs
of the model become request parameters).
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import one_text, with_payload
from ..endpoint import Endpoint


def _body(options: BodyOptions) -> Body:
    fields: dict[str, Any] = {"text_input": gap_for_prompt(), "max_tokens": GAP_FOR_LENGTH, "stream": options.stream}
    if options.ignore_eos:
        fields["ignore_eos"] = True
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    return {"text_input": one_text(content, "triton")}


ENDPOINT = Endpoint(
    name="triton",
    path="/v2/models/{model}/generate_stream",
    fields={"text_output": "text", "error": "error"},
    types={},
    needs_end=False,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=("max_tokens",),
    whole_path="/v2/models/{model}/generate",
)
