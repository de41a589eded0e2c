"""The APIs, one module each: path, body, events with tokens, and the end of a stream."""

from difflib import get_close_matches
from typing import Final

from ...errors import UserError
from ..body_completer import BodyCompleter, missing_prompt
from ..body_template import Body, BodyOptions, PromptForm
from ..endpoint import Endpoint, Framing
from ..template_endpoint import response_fields, template_endpoint
from . import (
    chat,
    cohere_rankings,
    completions,
    embeddings,
    kserve,
    messages,
    ollama_chat,
    ollama_generate,
    rankings,
    responses,
    sglang,
    tei_rankings,
    tgi,
    triton,
)

_GENERATING = (chat, completions, responses, messages, ollama_chat, ollama_generate, tgi, triton, kserve, sglang)
_OTHERS = (embeddings, rankings, cohere_rankings, tei_rankings)

ENDPOINTS: dict[str, Endpoint] = {module.ENDPOINT.name: module.ENDPOINT for module in (*_GENERATING, *_OTHERS)}
"""All supported APIs, by name."""

ALIASES: Final = {
    "multimodal": "chat",
    "vision": "chat",
    "generate": "triton",
    "triton_generate": "triton",
    "huggingface_generate": "tgi",
    "nim_rankings": "rankings",
    "hf_tei_rankings": "tei_rankings",
    "anthropic": "messages",
}
"""Other names of APIs, those of GenAI-Perf and AIPerf (``--endpoint-type``)."""


def find_endpoint(name: str, option: str = "--endpoint-type") -> Endpoint:
    """Return an API by its name or another tool's name for it.

    Raises:
        UserError: The name is unknown.
    """
    found = ENDPOINTS.get(ALIASES.get(name, name))
    if found is None:
        near = get_close_matches(name, [*ENDPOINTS, *ALIASES], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{option} {name!r} is unknown; write one of {', '.join(ENDPOINTS)}.{hint}")
    return found


__all__ = [
    "ALIASES",
    "ENDPOINTS",
    "Body",
    "BodyCompleter",
    "BodyOptions",
    "Endpoint",
    "Framing",
    "PromptForm",
    "find_endpoint",
    "missing_prompt",
    "response_fields",
    "template_endpoint",
]
