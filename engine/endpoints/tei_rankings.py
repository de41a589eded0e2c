"""Hugging Face's Text Embeddings Inference: ``POST /rerank``. The answer is a list of scores, without any counts.

A generated prompt becomes the one text of a constant query.
"""

from typing import Any

from ...traces.content import Content
from .body import Body, BodyOptions, gap_for_prompt, make_body
from .endpoint import Endpoint
from .rankings import QUERY, asked
from .said import only_payload, with_payload


def _body(options: BodyOptions) -> Body:
    return make_body({"query": QUERY, "texts": [gap_for_prompt()]}, options.extra)


def _content(content: Content) -> dict[str, Any]:
    if only_payload(content):
        return with_payload({}, content)
    query, passages = asked(content, "tei_rankings")
    return with_payload({"query": query, "texts": passages}, content)


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
