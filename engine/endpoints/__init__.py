"""One file per API: its path, its body, what is a token, what ends a stream."""

from . import chat, completions, embeddings
from .endpoint import Body, BodyOptions, Endpoint, PromptForm
from .recorded import Completion, missing_prompt

ENDPOINTS: dict[str, Endpoint] = {module.ENDPOINT.name: module.ENDPOINT for module in (chat, completions, embeddings)}
"""Every API that requests can be sent to, by name."""

__all__ = ["ENDPOINTS", "Body", "BodyOptions", "Completion", "Endpoint", "PromptForm", "missing_prompt"]
