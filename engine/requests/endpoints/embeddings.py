"""OpenAI embeddings: ``POST /v1/embeddings``. The response is one JSON object without output tokens."""

from typing import Any

from ....traces.content import Content
from ..body_template import Body, BodyOptions, gap_for_prompt, make_body
from ..content_fields import texts, with_payload
from ..endpoint import OPENAI_USAGE, Endpoint


def _body(options: BodyOptions) -> Body:
    return make_body({"model": options.model, "input": gap_for_prompt(options.prompt_form)}, options.extra)


@with_payload
def _content(content: Content) -> dict[str, Any]:
    batch = texts(content, "embeddings")
    return {"input": batch if content.texts else batch[0]}


ENDPOINT = Endpoint(
    name="embeddings",
    path="/v1/embeddings",
    fields={"id": "id", "error": "error", **OPENAI_USAGE},
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text", "token_ids"),
    body=_body,
    content=_content,
    length_path=None,
    generates=False,
)
