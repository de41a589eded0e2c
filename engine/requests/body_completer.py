"""Recorded request bodies: sent unchanged, or completed if they do not name a model."""

from collections.abc import Mapping
from typing import Any

import msgspec

from .body_template import Body


class _Named(msgspec.Struct):
    model: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_NAMED = msgspec.json.Decoder(_Named)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def missing_prompt(body: Body, recorded: bytes) -> str | None:
    """Return the prompt field that the run's own requests have and a recorded body lacks, or None."""
    wanted = body.prompt_field
    return None if not wanted or wanted in _FIELDS.decode(recorded) else wanted


class BodyCompleter:
    """Completes the bodies of rows.

    A recorded body that names its model is a complete request and stays unchanged, byte for byte. One without a model
    gets the run's fields that it lacks, before its own: the model, streaming, and the number of output tokens unless
    it has a limit.

    Args:
        body: Template of the run's own requests.
    """

    def __init__(self, body: Body) -> None:
        self._body = body

    def whole(self, recorded: bytes, output_tokens: int) -> bytes:
        """Return the body to send for a recorded body.

        Args:
            recorded: A JSON object that is not empty.
            output_tokens: Requested output tokens if the body sets no limit.
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
        """Return the body to send for the fields of a row, from `Endpoint.content`; these fields take precedence.

        Args:
            fields: Fields such as ``{"messages": […]}``.
            output_tokens: Requested output tokens if the fields set no limit; None: the server decides.
        """
        return msgspec.json.encode(self._body.complete(fields, output_tokens))
