"""Cohere's rerank: ``POST /v2/rerank``, which vLLM and others serve too. The response is one JSON object without output
tokens.

A generated prompt becomes the only document of a constant query. Counts: ``meta.tokens`` (Cohere) or ``usage`` (vLLM).
"""

from typing import Any

from ....traces.content import Content
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import with_payload
from ..endpoint import Endpoint
from .rankings import QUERY, asked


def _body(options: BodyOptions) -> Body:
    return make_body({"model": options.model, "query": QUERY, "documents": [gap_for_prompt()]}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    query, passages = asked(content, "cohere_rankings")
    return {"query": query, "documents": passages}


ENDPOINT = Endpoint(
    name="cohere_rankings",
    path="/v2/rerank",
    fields={
        "id": "id",
        "error": "error",
        "meta.tokens.input_tokens": "input_tokens",
        "usage.prompt_tokens": "input_tokens",
        "usage.total_tokens": "input_tokens",
    },
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=None,
    generates=False,
)
