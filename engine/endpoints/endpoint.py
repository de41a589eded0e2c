"""What an API is to us: a path, a body around a prompt, and the meaning of what comes back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ...cext.parsers import Kind, Role

PromptForm = Literal["text", "token_ids"]


@dataclass(frozen=True)
class BodyOptions:
    """What all bodies of a run share.

    Attributes:
        model: The model's name, as the server knows it.
        stream: Ask for server-sent events.
        usage: Ask for token counts at the end of a stream (``stream_options.include_usage``).
        ignore_eos: Ask for exactly the planned number of output tokens. vLLM, SGLang and llama.cpp know the field;
            ``transformers serve`` and OpenAI refuse it.
        prompt_form: Whether prompts are text or lists of token ids.
        extra: Further fields, as in ``{"temperature": 0}``; they win over ours.
    """

    model: str
    stream: bool = True
    usage: bool = True
    ignore_eos: bool = True
    prompt_form: PromptForm = "text"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """A body with two gaps: the prompt, and the number of output tokens where the API has one."""

    before: bytes
    after: bytes
    takes_length: bool

    def render(self, prompt: bytes, output_tokens: int) -> bytes:
        """The whole body, as JSON.

        Args:
            prompt: JSON already: what stands between the quotes of a text, or between the brackets of a list.
            output_tokens: How many tokens to ask for.
        """
        after = self.after % output_tokens if self.takes_length else self.after
        return b"".join((self.before, prompt, after))


@dataclass(frozen=True)
class Endpoint:
    """One API.

    Attributes:
        name: As users write it (``--endpoint chat``).
        path: Of the request, below the server's root.
        fields: Which part each JSON path of an event plays (the roles of ``cext/event.h``).
        types: Which kind each value of the events' ``type`` field means.
        needs_end: A stream that ends without [DONE], finish reason or terminal event was cut.
        streams: It can stream.
        prompt_forms: What prompts may be, the default first.
        body: Makes the body of a run's requests.
    """

    name: str
    path: str
    fields: "Mapping[str, Role]"
    types: "Mapping[str, Kind]"
    needs_end: bool
    streams: bool
    prompt_forms: tuple[PromptForm, ...]
    body: Callable[[BodyOptions], Body]


_PROMPT, _LENGTH = "\x00prompt", "\x00length"


def gap_for_prompt(form: PromptForm) -> Any:
    """Stands in a template where the prompt will be."""
    return _PROMPT if form == "text" else [_PROMPT]


GAP_FOR_LENGTH: Any = _LENGTH
"""Stands in a template where the number of output tokens will be."""


def make_body(template: Mapping[str, Any]) -> Body:
    """A Body from a template that holds one prompt gap and at most one length gap, the length after the prompt."""
    text = json.dumps(template, ensure_ascii=True, separators=(",", ":"))
    mark = json.dumps(_PROMPT)
    # A list of token ids has its gap in brackets: [gap]. A text has it in quotes, which stay.
    in_list = f"[{mark}]" in text
    before, _, after = text.partition(mark if in_list else mark[1:-1])
    length = json.dumps(_LENGTH)
    takes_length = length in after
    if takes_length:
        after = after.replace("%", "%%").replace(length, "%d")
    return Body(before.encode(), after.encode(), takes_length)


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
    return fields | dict(options.extra)
