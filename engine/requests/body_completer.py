"""Recorded request bodies: sent as they are, or completed where they do not name their model."""

from collections.abc import Mapping
from typing import Any

import msgspec

from .body_template import Body


class _Named(msgspec.Struct):
    model: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_NAMED = msgspec.json.Decoder(_Named)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def missing_prompt(body: Body, recorded: bytes) -> str | None:
    """The field for the prompt that a run's own requests have and a recorded body lacks, or None."""
    wanted = body.prompt_field
    return None if not wanted or wanted in _FIELDS.decode(recorded) else wanted


class BodyCompleter:
    """Makes whole requests of what rows say.

    A recorded body that names its model was a whole request and stays as it is, byte for byte. One without a model
    gets the fields of the run that it lacks, in front of its own: the model, streaming, and the number of output tokens
    unless it limits them itself.

    Args:
        body: What the run's own requests look like.
    """

    def __init__(self, body: Body) -> None:
        self._body = body

    def whole(self, recorded: bytes, output_tokens: int) -> bytes:
        """The body to send for a recorded one.

        Args:
            recorded: A JSON object that is not empty.
            output_tokens: How many tokens to ask for where it sets no limit.
        """
        if _NAMED.decode(recorded).model is not msgspec.UNSET:
            return recorded
        given = _FIELDS.decode(recorded)
        completed = self._body.complete(given, output_tokens)
        if any(completed[name] is not value for name, value in given.items()):
            return msgspec.json.encode(completed)
        added = {name: value for name, value in completed.items() if name not in given}
        return msgspec.json.encode(added)[:-1] + b"," + recorded.lstrip()[1:] if added else recorded

    def compose(self, fields: Mapping[str, Any], output_tokens: int | None) -> bytes:
        """The body to send for what `Endpoint.content` made of a row; fields that it has already win.

        Args:
            fields: As in ``{"messages": […]}``.
            output_tokens: How many tokens to ask for where it sets no limit; None: as many as the server likes.
        """
        return msgspec.json.encode(self._body.complete(fields, output_tokens))
