"""NVIDIA NIM's rankings: ``POST /v1/ranking``. The response is one JSON object without output tokens.

A generated prompt becomes the only passage of a constant query. Counts: ``usage``.
"""

from typing import Any

from ....traces.content import Content
from ...errors import UserError
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import texts, with_payload
from ..endpoint import OPENAI_USAGE, Endpoint

QUERY = "Which passage is about this?"
"""Query for generated prompts, which are passages."""


def asked(content: Content, endpoint: str) -> tuple[str, list[str]]:
    """Return the query and the passages of a row.

    Raises:
        UserError: One of them is missing.
    """
    if content.query is None:
        raise UserError(f"a row has no query, which the endpoint {endpoint!r} needs to rank passages")
    return content.query, texts(content, endpoint)


def _body(options: BodyOptions) -> Body:
    fields = {"model": options.model, "query": {"text": QUERY}, "passages": [{"text": gap_for_prompt()}]}
    return make_body(fields, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    query, passages = asked(content, "rankings")
    return {"query": {"text": query}, "passages": [{"text": passage} for passage in passages]}


ENDPOINT = Endpoint(
    name="rankings",
    path="/v1/ranking",
    fields={"id": "id", "error": "error", **OPENAI_USAGE},
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text",),
    body=_body,
    content=_content,
    length_path=None,
    generates=False,
)
