"""OpenAI completions: ``POST /v1/completions``."""

from .endpoint import (
    OPENAI_USAGE,
    Body,
    BodyOptions,
    Endpoint,
    gap_for_prompt,
    make_body,
    openai_stream_fields,
)


def _body(options: BodyOptions) -> Body:
    prompt = gap_for_prompt(options.prompt_form)
    return make_body({"model": options.model, "prompt": prompt, **openai_stream_fields(options)})


ENDPOINT = Endpoint(
    name="completions",
    path="/v1/completions",
    fields={
        "id": "id",
        "choices[].text": "text",
        "choices[].finish_reason": "finish",
        "choices[].token_ids": "token_ids",
        "error": "error",
        **OPENAI_USAGE,
    },
    types={},
    needs_end=True,
    streams=True,
    prompt_forms=("text", "token_ids"),
    body=_body,
)
