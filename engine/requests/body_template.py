"""The body of a run's requests: a template with gaps for the parts that differ between requests."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

PromptForm = Literal["text", "token_ids"]

OTHER_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""Fields that limit the output. A body with one of them gets no second limit."""


@dataclass(frozen=True)
class BodyOptions:
    """Fields that all bodies of a run share.

    Attributes:
        model: The server's name of the model.
        stream: Request a stream.
        usage: Request token counts at the end of a stream (``stream_options.include_usage``).
        ignore_eos: Request exactly the planned number of output tokens, if the API has a field for it. vLLM, SGLang
            and llama.cpp accept it; ``transformers serve`` and OpenAI reject it.
        prompt_form: Whether prompts are text or lists of token ids.
        extra: Further fields, such as ``{"temperature": 0}``, which take precedence. Nested objects are merged, so that
            ``{"parameters": {"temperature": 0}}`` keeps the other parameters.
    """

    model: str
    stream: bool = True
    usage: bool = True
    ignore_eos: bool = True
    prompt_form: PromptForm = "text"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """A body with two gaps: the prompt, and the number of output tokens where the API has one.

    Attributes:
        before, after: Text before and after the prompt; after contains a ``%d`` for the length.
        takes_length: Whether after contains the ``%d``.
        prompt_field: Field of the body with the prompt; empty if the user's own fields replace it.
        length_path: Path of the length; a number is an index of a list.
    """

    before: bytes
    after: bytes
    takes_length: bool
    prompt_field: str = ""
    length_path: tuple[str, ...] | None = None

    def render(self, prompt: bytes, output_tokens: int) -> bytes:
        """Return the complete body as JSON.

        Args:
            prompt: JSON: the text between the quotes of a string, or between the brackets of a list.
            output_tokens: Requested output tokens.
        """
        after = self.after % output_tokens if self.takes_length else self.after
        return b"".join((self.before, prompt if self.prompt_field else b"", after))

    def complete(self, given: Mapping[str, Any], output_tokens: int | None) -> dict[str, Any]:
        """Return a body's fields with the missing ones added: model, streaming, and the length unless it has a limit.

        Given fields take precedence. The object with the length (``parameters``, ``options``) is completed too.

        Args:
            given: Fields by name, with values as msgspec.Raw or plain.
            output_tokens: Requested output tokens; None: the server decides.
        """
        ours: dict[str, Any] = msgspec.json.decode(self.render(b"", output_tokens or 1))
        path = self.length_path or ()
        holder = path[0] if len(path) > 1 else None
        own = {name: _plain(value) if name == holder else value for name, value in given.items()}
        if output_tokens is None or any(name in own for name in OTHER_LENGTHS) or (path and _at(own, path) is not None):
            _leave_out(ours, path)
        added = {name: value for name, value in ours.items() if name not in own and name != self.prompt_field}
        if holder in own:
            own[holder] = _filled(own[holder], ours.get(holder))
        return added | own


def _plain(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _leave_out(fields: dict[str, Any], path: tuple[str, ...]) -> None:
    """Without the length, and without the wish that only a length makes sense of."""
    holder = _at(fields, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1] if path else "", None)
        holder.pop("ignore_eos", None)


def _filled(own: Any, ours: Any) -> Any:
    if isinstance(own, dict) and isinstance(ours, dict):
        return {**ours, **{name: _filled(value, ours.get(name)) for name, value in own.items()}}
    if isinstance(own, list) and isinstance(ours, list):
        return [_filled(value, default) for value, default in zip(own, ours, strict=False)] + (
            own[len(ours) :] or ours[len(own) :]
        )
    return own


_TEXT, _IDS, _LENGTH = "\x00prompt", "\x00ids", "\x00length"


def gap_for_prompt(form: PromptForm = "text") -> Any:
    """Placeholder of the prompt in a template."""
    return _TEXT if form == "text" else [_IDS]


GAP_FOR_LENGTH: Any = _LENGTH
"""Placeholder of the number of output tokens in a template."""


def make_body(template: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> Body:
    """Return a Body from a template with one prompt placeholder and, after it, at most one length placeholder.

    Args:
        template: Fields of the body.
        extra: The user's fields, which take precedence.
    """
    fields = merged(template, extra or {})
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    # Token ids go between the brackets around the placeholder, a text between its quotes.
    ids = json.dumps(_IDS)
    before, gap, after = text.partition(ids if ids in text else json.dumps(_TEXT)[1:-1])
    if not gap:
        before, after = "", text
    length = json.dumps(_LENGTH)
    takes_length = length in after
    if takes_length:
        after = after.replace("%", "%%").replace(length, "%d")
    prompt_path = _path_of(fields, lambda value: value in (_TEXT, _IDS)) or ("",)
    length_path = _path_of(fields, lambda value: value == _LENGTH)
    return Body(before.encode(), after.encode(), takes_length, prompt_path[0], length_path)


def merged(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the extra ones, which take precedence; objects in both are merged."""
    result = dict(fields)
    for name, value in extra.items():
        ours = result.get(name)
        both = isinstance(ours, Mapping) and isinstance(value, Mapping)
        result[name] = merged(ours, value) if both else value  # type: ignore[arg-type]
    return result


def _path_of(value: Any, wanted: Callable[[Any], bool]) -> tuple[str, ...] | None:
    if wanted(value):
        return ()
    pairs: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = [(str(place), item) for place, item in enumerate(value)]
    for key, inner in pairs:
        found = _path_of(inner, wanted)
        if found is not None:
            return (key, *found)
    return None
