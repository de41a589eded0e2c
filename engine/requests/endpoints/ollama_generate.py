"""Ollama's generate: ``POST /api/generate``, lines of JSON.

A token: a line whose ``response`` is not empty; ``thinking`` is reasoning. The end: the line with ``done: true``.
Counts: ``prompt_eval_count`` and ``eval_count`` of that line.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import GAP_FOR_LENGTH, Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import inline_image, one_text, with_payload
from ..endpoint import Endpoint
from .ollama_chat import USAGE


def _body(options: BodyOptions) -> Body:
    fields = {
        "model": options.model,
        "prompt": gap_for_prompt(),
        "stream": options.stream,
        "options": {"num_predict": GAP_FOR_LENGTH},
    }
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    fields: dict[str, Any] = {"prompt": one_text(content, "ollama_generate")}
    if content.system is not None:
        fields["system"] = content.system
    if content.images:
        fields["images"] = [inline_image(image, "ollama_generate")[1] for image in content.images]
    return fields


ENDPOINT = Endpoint(
    name="ollama_generate",
    path="/api/generate",
    fields={"response": "text", "thinking": "reasoning", **USAGE},
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=("options", "num_predict"),
    framing="ndjson",
    headers={"Accept": "application/x-ndjson"},
)
