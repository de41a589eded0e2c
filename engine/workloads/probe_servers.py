"""Asking the servers of a profile, before the run, which optional fields they accept."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ...traces.content import Content
from ..requests.endpoints import BodyCompleter, BodyOptions, Endpoint
from ..transport.preflight import probe
from ..transport.target import Target
from .options import ProfileOptions
from .profile_contents import ProfileContents

PROBE_S = 60.0
"""Longest time for one token before the run; a slower server is not ready for a measurement."""


def probe_servers(
    prepared: ProfileContents,
    endpoint: Endpoint,
    options: ProfileOptions,
    models: Sequence[str],
    targets: list[Target],
    headers: list[tuple[str, str]],
    stream: bool,
    on_note: Callable[[str], None],
) -> tuple[ProfileOptions, list[Target]]:
    """Send one request to each server with the first model, and to the first server with each model.

    Returns:
        The options without rejected fields, and the targets after redirects.
    """
    refused: set[str] = set()
    moved = []
    for place, target in enumerate(targets):
        found = target
        for model in models if place == 0 else models[:1]:
            body = _small_body(prepared.contents[0], endpoint, options, model, stream)
            learned = probe(
                replace(found, path=path_of(found, endpoint, models[0], model, stream)), headers, body, PROBE_S
            )
            refused.update(learned.refused)
            for note in learned.notes:
                on_note(note)
            if model == models[0]:
                found = learned.target
        moved.append(found)
    options = replace(
        options,
        ignore_eos=options.ignore_eos and "ignore_eos" not in refused,
        min_tokens=options.min_tokens and "min_tokens" not in refused,
        usage=options.usage and "stream_options" not in refused,
    )
    return options, moved


def _small_body(
    content: Content, endpoint: Endpoint, options: ProfileOptions, model: str, stream: bool
) -> dict[str, Any]:
    """Return a request like those of the run for one output token, whose prompt shares no prefix with the run's."""
    if content.payload is None:
        ranked = content.query is not None
        content = Content(query="Ready?", texts=("Ready.",)) if ranked else Content(text="Ready?")
    fields = dict(endpoint.content(content))
    if options.min_tokens and options.ask_length:
        fields.setdefault("min_tokens", 1)
    body = BodyOptions(model, stream, options.usage, options.ignore_eos, "text", options.extra)
    whole: dict[str, Any] = msgspec.json.decode(BodyCompleter(endpoint.body(body)).compose(fields, 1))
    return whole


def path_of(target: Target, endpoint: Endpoint, first: str, model: str, stream: bool) -> str:
    """Return the target with the path for another model, if the model is part of the path."""
    return target.path.replace(endpoint.path_for(first, stream), endpoint.path_for(model, stream))
