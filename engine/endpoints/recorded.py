"""Recorded request bodies: sent as they are, or completed where they do not name their model."""

from typing import Any

import msgspec

from .endpoint import Body

_PROMPTS = ("messages", "prompt", "input")
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


class _Named(msgspec.Struct):
    model: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_NAMED = msgspec.json.Decoder(_Named)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def missing_prompt(body: Body, recorded: bytes) -> str | None:
    """The field for the prompt that a run's own requests have and a recorded body lacks, or None."""
    fields = msgspec.json.decode(body.render(b"", 1))
    wanted = next(name for name in _PROMPTS if name in fields)
    return None if wanted in _FIELDS.decode(recorded) else wanted


class Completion:
    """Makes whole requests of recorded bodies.

    A body that names its model was a whole request and stays as it is, byte for byte. One without a model gets the
    fields of the run that it lacks, in front of its own: the model, streaming, and the number of output tokens
    unless it limits them itself.

    Args:
        body: What the run's own requests look like.
    """

    def __init__(self, body: Body) -> None:
        fields: dict[str, Any] = msgspec.json.decode(body.render(b"", 1))
        self._fields = {name: value for name, value in fields.items() if name not in _PROMPTS}
        self._takes_length = body.takes_length

    def whole(self, recorded: bytes, output_tokens: int) -> bytes:
        """The body to send.

        Args:
            recorded: A JSON object that is not empty.
            output_tokens: How many tokens to ask for where it sets no limit.
        """
        if _NAMED.decode(recorded).model is not msgspec.UNSET:
            return recorded
        given = _FIELDS.decode(recorded)
        added = {name: value for name, value in self._fields.items() if name not in given}
        if any(name in given for name in _LENGTHS):
            added.pop("max_tokens", None)
            added.pop("ignore_eos", None)
        elif self._takes_length:
            added["max_tokens"] = output_tokens
        return msgspec.json.encode(added)[:-1] + b"," + recorded.lstrip()[1:] if added else recorded
