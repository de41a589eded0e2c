"""Hugging Face's Text Embeddings Inference: ``POST /rerank``. The response is a list of scores without token counts.

A generated prompt becomes the only text of a constant query.
"""

from typing import Any

from ....traces.content import Content
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import with_payload
from ..endpoint import Endpoint
from .rankings import QUERY, asked


def _body(options: BodyOptions) -> Body:
    return make_body({"query": QUERY, "texts": [gap_for_prompt()]}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    query, passages = asked(content, "tei_rankings")
    return {"query": query, "texts": passages}


ENDPOINT = Endpoint(
    name="tei_rankings",
    path="/rerank",
    fields={"error": "error"},
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=None,
    generates=False,
)
