"""Recorded bodies of a tape, sent again byte for byte to their recorded paths."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from ...traces.prompts.prompts import Prompts
from ...traces.table import Trace
from ..errors import UserError
from ..plan import Plan
from ..transport.api_paths import path_pattern
from .composer import Composer
from .endpoints import ENDPOINTS, Body, Endpoint

_DECODER: Final = json.JSONDecoder()
_SPACE: Final = " \t\r\n"


class _Asks(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None


@dataclass(frozen=True)
class RecordedTargets:
    """Targets of the rows of a trace with recorded bodies, by row.

    Attributes:
        endpoints: Names of APIs.
        paths: Paths below the target's base.
        models: Models in the bodies; "" if a body has none.
        streams: Whether each body requests a stream.
    """

    endpoints: list[str]
    paths: list[str]
    models: list[str]
    streams: list[bool]


def has_paths(trace: Trace) -> bool:
    """Return whether the trace has the paths of its requests, as a tape with bodies has."""
    return int(trace.table["path"].null_count) < len(trace)


def recorded_requests(trace: Trace, endpoint: Endpoint, default: str, model: str | None) -> RecordedTargets:
    """Return the targets that a trace's recorded bodies name.

    Args:
        trace: A trace with paths.
        endpoint: API of rows without a body.
        default: Model of rows without a body.
        model: The user's model for all rows; None: as recorded.

    Raises:
        UserError: A path does not belong to a known API.
    """
    recorded = RecordedTargets([], [], [], [])
    table = trace.table
    for row, (body, path) in enumerate(zip(table["body"].to_pylist(), table["path"].to_pylist(), strict=True), 1):
        composed = body is None or path is None
        known = endpoint if composed else endpoint_of(path, endpoint)
        if known is None:
            raise UserError(f"{trace.source}, row {row}: {path!r} is not the path of a known API")
        asks = _asks(body)
        recorded.endpoints.append(known.name)
        recorded.paths.append(known.path_for(model or default) if composed else path)
        recorded.models.append(model or (default if composed else asks.model or default))
        recorded.streams.append(_streams(known, path, asks))
    return recorded


def endpoint_of(path: str, preferred: Endpoint | None = None) -> Endpoint | None:
    """Return the API of a path, preferring one if several share it (TGI and SGLang have ``/generate``)."""
    path = path.partition("?")[0]
    fitting = [(known.answers_at(path), known is preferred, known) for known in ENDPOINTS.values()]
    length, _, best = max(fitting, key=lambda fit: fit[:2])
    return best if length else None


def _streams(known: Endpoint, path: str | None, asks: _Asks) -> bool:
    """Return whether a recorded body requests a stream. Ollama streams by default; for some APIs the path decides."""
    if asks.stream is not None:
        return asks.stream
    if known.framing == "ndjson":
        return True
    return known.whole_path is not None and re.search(path_pattern(known.path) + "$", path or "") is not None


def _asks(body: bytes | None) -> _Asks:
    try:
        return msgspec.json.decode(body or b"{}", type=_Asks)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Asks()


def common_endpoint(names: Sequence[str], endpoint: Endpoint) -> Endpoint:
    """Return one interpretation of events for several APIs, which do not give the same path different roles."""
    used = [ENDPOINTS[name] for name in dict.fromkeys(names)]
    if len(used) == 1:
        return used[0]
    fields: dict[str, Any] = {}
    types: dict[str, Any] = {}
    for known in used:
        fields |= known.fields
        types |= known.types
    return replace(endpoint, fields=fields, types=types, needs_end=True, streams=True, framing="sse")


class RecordedComposer(Composer):
    """Composer that uses recorded bodies unchanged; rows without a body are composed.

    Args:
        plan, prompts, body, head: As for Composer.
        model: Model that replaces the recorded one; None: unchanged.
    """

    def __init__(
        self, plan: Plan, prompts: Prompts, body: Body, head: Callable[[int], bytes], model: str | None
    ) -> None:
        super().__init__(plan, prompts, body, head)
        self._model = model

    def body(self, row: int) -> bytes:
        """Return the recorded body of a row, or a composed one."""
        recorded = self._prompts.body(row)
        if recorded is None:
            return super().body(row)
        return recorded if self._model is None else with_model(recorded, self._model)


def with_model(body: bytes, model: str) -> bytes:
    """Return a body with another model and all other bytes unchanged. Without a model it is returned unchanged."""
    try:
        text = body.decode()
        at = _skip(text, 0)
        if text[at : at + 1] != "{":
            return body
        at = _skip(text, at + 1)
        while text[at] == '"':
            key, at = _DECODER.raw_decode(text, at)
            start = _skip(text, _skip(text, at) + 1)
            _, end = _DECODER.raw_decode(text, start)
            if key == "model":
                return (text[:start] + json.dumps(model) + text[end:]).encode()
            at = _skip(text, _skip(text, end) + 1)
    except (ValueError, IndexError, RecursionError):
        return body
    return body


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
