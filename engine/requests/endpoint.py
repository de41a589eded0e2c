"""Description of an API: its path, its body, and the meaning of its responses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ...traces.content import Content
from ..transport.api_paths import path_pattern, with_model
from .body_template import GAP_FOR_LENGTH, Body, BodyOptions, PromptForm

if TYPE_CHECKING:
    from ...cext.parsers import Kind, Role

Framing = Literal["sse", "ndjson"]


@dataclass(frozen=True)
class Endpoint:
    """An API.

    Attributes:
        name: Name on the command line (``--endpoint chat``).
        path: Path of requests below the server's root; ``{model}`` in it is replaced by the model's name.
        fields: Role of each JSON path in an event (the roles of ``cext/response/event.h``).
        types: Kind of event for each value of the events' ``type`` field.
        needs_end: Whether a stream that ends without [DONE], finish reason or terminal event was cut.
        streams: Whether the API can stream.
        prompt_forms: Supported forms of prompts, the default first.
        body: Returns the body template of a run's requests.
        content: Returns the fields of a body for the content of a row, such as ``{"messages": […]}``; raises UserError
            for content that the API cannot express.
        length_path: Path of the requested number of output tokens in a body; None: unknown.
        generates: Whether the API generates text. False: it embeds or ranks.
        chats: Whether the server applies the model's chat template to the prompt.
        framing: Framing of its streams: server-sent events, or lines of JSON.
        whole_path: Path of requests without streaming, if it differs.
        headers: Headers that every request of this API needs.
        key_header: Header for the key; in Authorization it is a bearer token.
    """

    name: str
    path: str
    fields: "Mapping[str, Role]"
    types: "Mapping[str, Kind]"
    needs_end: bool
    streams: bool
    prompt_forms: tuple[PromptForm, ...]
    body: Callable[[BodyOptions], Body]
    content: Callable[[Content], dict[str, Any]]
    length_path: tuple[str, ...] | None
    generates: bool = True
    chats: bool = False
    framing: Framing = "sse"
    whole_path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = "Authorization"

    def path_for(self, model: str | None, stream: bool = True) -> str:
        """Return the path of a run's requests.

        Args:
            model: The server's name of the model, which is quoted in the path. None: keep ``{model}``.
            stream: Whether the run requests streams.
        """
        path = self.path if stream or self.whole_path is None else self.whole_path
        return path if model is None else with_model(path, model)

    def answers_at(self, path: str) -> int:
        """Return the length of this API's path at the end of a path; 0: the path is not this API's.

        ``/v1`` may be missing: Azure's deployments have none.
        """
        own = [known.removeprefix("/v1") for known in (self.path, self.whole_path) if known]
        found = [re.search(path_pattern(known) + "$", path) for known in own]
        return max((match.end() - match.start() for match in found if match), default=0)


OPENAI_USAGE: "Mapping[str, Role]" = {
    "usage.prompt_tokens": "input_tokens",
    "usage.completion_tokens": "output_tokens",
    "usage.prompt_tokens_details.cached_tokens": "cached_tokens",
    "usage.completion_tokens_details.reasoning_tokens": "reasoning_tokens",
}
"""Token counts in the responses of OpenAI's chat, completions and embeddings."""


def openai_stream_fields(options: BodyOptions) -> dict[str, Any]:
    """Fields that OpenAI's chat and completions share."""
    fields: dict[str, Any] = {"max_tokens": GAP_FOR_LENGTH}
    if options.ignore_eos:
        fields["ignore_eos"] = True
    if options.stream:
        fields["stream"] = True
        if options.usage:
            fields["stream_options"] = {"include_usage": True}
    return fields
