"""OpenAI embeddings: ``POST /v1/embeddings``. The answer is one JSON object and has no output tokens."""

from .endpoint import OPENAI_USAGE, Body, BodyOptions, Endpoint, gap_for_prompt, make_body


def _body(options: BodyOptions) -> Body:
    return make_body({"model": options.model, "input": gap_for_prompt(options.prompt_form), **dict(options.extra)})


ENDPOINT = Endpoint(
    name="embeddings",
    path="/v1/embeddings",
    fields={"id": "id", "error": "error", **OPENAI_USAGE},
    types={},
    needs_end=False,
    streams=False,
    prompt_forms=("text", "token_ids"),
    body=_body,
)
