"""The description of an API: its path, its body, and the meaning of its responses."""

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
    """One API.

    Attributes:
        name: As users write it (``--endpoint chat``).
        path: Of the request, below the server's root; ``{model}`` in it stands for the model's name.
        fields: Which part each JSON path of an event plays (the roles of ``cext/response/event.h``).
        types: Which kind each value of the events' ``type`` field means.
        needs_end: A stream that ends without [DONE], finish reason or terminal event was cut.
        streams: It can stream.
        prompt_forms: What prompts may be, the default first.
        body: Makes the body of a run's requests.
        content: The fields of a body that say what a row says, as in ``{"messages": […]}``; raises UserError where the
            API cannot say it.
        length_path: Where the number of output tokens to ask for stands in a body; None: nowhere that is known.
        generates: It makes text; False: it embeds or ranks.
        chats: The server puts the prompt into the model's chat template.
        framing: Of its streams: server-sent events, or lines of JSON.
        whole_path: Of requests for an answer that is no stream, where that is another one.
        headers: Headers that every request of this API needs.
        key_header: Which header holds the key; in Authorization it is a bearer's.
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
        """The path of a run's requests.

        Args:
            model: As the server knows it; it is quoted where it is a part of the path. None leaves its gap.
            stream: Whether the run asks for streams.
        """
        path = self.path if stream or self.whole_path is None else self.whole_path
        return path if model is None else with_model(path, model)

    def answers_at(self, path: str) -> int:
        """Return how many characters at the end of a path are this API's; 0: it is another's.

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
"""Token counts as OpenAI's chat, completions and embeddings report them."""


def openai_stream_fields(options: BodyOptions) -> dict[str, Any]:
    """The fields that OpenAI's two generating endpoints share."""
    fields: dict[str, Any] = {"max_tokens": GAP_FOR_LENGTH}
    if options.ignore_eos:
        fields["ignore_eos"] = True
    if options.stream:
        fields["stream"] = True
        if options.usage:
            fields["stream_options"] = {"include_usage": True}
    return fields
