"""SGLang's own API: ``POST /generate``.

Every event repeats the text so far. A token: an event with a longer ``text`` than before; it has as many tokens as
``meta_info.completion_tokens`` grew by. The end: ``[DONE]``, or a finish reason. Counts: ``meta_info``.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import one_text, with_payload
from ..endpoint import Endpoint


def _body(options: BodyOptions) -> Body:
    prompt = "text" if options.prompt_form == "text" else "input_ids"
    parameters: dict[str, Any] = {"max_new_tokens": GAP_FOR_LENGTH}
    if options.ignore_eos:
        parameters["ignore_eos"] = True
    fields: dict[str, Any] = {prompt: gap_for_prompt(options.prompt_form), "sampling_params": parameters}
    if options.stream:
        fields["stream"] = True
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {"text": one_text(content, "sglang")}
    if content.images:
        fields["image_data"] = list(content.images)
    return fields


ENDPOINT = Endpoint(
    name="sglang",
    path="/generate",
    fields={
        "text": "text_so_far",
        "meta_info.id": "id",
        "meta_info.finish_reason.type": "finish",
        "meta_info.finish_reason": "finish",
        "meta_info.finish_reason.message": "finish_message",
        "meta_info.prompt_tokens": "input_tokens",
        "meta_info.completion_tokens": "output_tokens",
        "meta_info.cached_tokens": "cached_tokens",
        "error": "error",
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text", "token_ids"),
    body=_body,
    content=_content,
    length_path=("sampling_params", "max_new_tokens"),
)
