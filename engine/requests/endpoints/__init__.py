"""The APIs, one file each: path, body, which events are tokens, and what ends a stream."""

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
"""Every API that requests can be sent to, by name."""

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
"""Other names of some, as GenAI-Perf and AIPerf have them (``--endpoint-type``)."""


def find_endpoint(name: str, option: str = "--endpoint-type") -> Endpoint:
    """An API by its name or another tool's name for it.

    Raises:
        UserError: The name is unknown.
    """
    found = ENDPOINTS.get(ALIASES.get(name, name))
    if found is None:
        near = get_close_matches(name, [*ENDPOINTS, *ALIASES], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{option} {name!r} is not known; it is one of {', '.join(ENDPOINTS)}.{hint}")
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
