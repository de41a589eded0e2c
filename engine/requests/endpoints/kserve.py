"""KServe's v2 inference protocol over HTTP: ``POST /v2/models/MODEL/infer``, for language models.

The response is one JSON object without token times. The tensors are those of Triton's TensorRT-LLM models:
``text_input`` and ``max_tokens`` in, ``text_output`` out. The protocol counts no tokens; give ``--tokenizer``.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import one_text, with_payload
from ..endpoint import Endpoint


def _tensor(name: str, datatype: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1, 1], "datatype": datatype, "data": [value]}


def _body(options: BodyOptions) -> Body:
    inputs = [_tensor("text_input", "BYTES", gap_for_prompt()), _tensor("max_tokens", "INT32", GAP_FOR_LENGTH)]
    return make_body({"inputs": inputs}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    return {"inputs": [_tensor("text_input", "BYTES", one_text(content, "kserve"))]}


ENDPOINT = Endpoint(
    name="kserve",
    path="/v2/models/{model}/infer",
    fields={"id": "id", "outputs[].data[]": "text", "error": "error"},
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=("inputs", "1", "data", "0"),
)
