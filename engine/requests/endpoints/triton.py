"""Triton's generate extension: ``POST /v2/models/MODEL/generate_stream``, and ``/generate`` for an answer in one piece.

A token: an event whose ``text_output`` is not empty. The end: that of the response; Triton sends no mark, so a stream
that ends in good order is taken as whole, and one that is cut off shows in its HTTP framing. Counts: none; give
``--tokenizer``, else the events are counted. The fields are those of the TensorRT-LLM backend; vLLM's takes them too
(what is no input of a model becomes a parameter of the request).
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
