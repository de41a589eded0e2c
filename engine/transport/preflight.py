"""The check before a run: one small request that finds what would fail every request of the run."""

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import UserError
from .models import served_models
from .server_error import error_text
from .single_request import Answer, exchange
from .target import PORTS, Target, models_path

MOST_REDIRECTS = 5
OPTIONAL_FIELDS = ("ignore_eos", "min_tokens", "stream_options")
"""Fields of a body that some servers refuse (OpenAI refuses the first two) and that a run can do without."""

ADVICE = {
    "ignore_eos": "answers may end before the recorded length",
    "min_tokens": "answers may end before the recorded length",
    "stream_options": "token counts come from a tokenizer or from the events",
}
MOST_MODELS = 10

NOT_FOUND = (404, 405)
"""Statuses of a path that the server does not have."""


@dataclass(frozen=True)
class Preflight:
    """What a check before the run found.

    Attributes:
        target: Where requests are to go, once redirects have been followed.
        refused: Fields of OPTIONAL_FIELDS that the server does not take.
        answered: It gave a good answer to the rest.
        notes: What the user should know.
    """

    target: Target
    refused: tuple[str, ...] = ()
    answered: bool = True
    notes: tuple[str, ...] = ()


def probe(target: Target, headers: Iterable[tuple[str, str]], body: Mapping[str, Any], timeout_s: float) -> Preflight:
    """Send one real request as the run will send many.

    A redirect (301, 302, 307, 308) is followed with the same POST, to the same host and port or from http to https of
    the same host alone: a key that was given for one server is never sent to another. What a server may answer to one
    request and not to the next (429, 5xx) is no reason not to begin: the run will show it.

    Args:
        target: A reachable one.
        headers: Of every request, with the key.
        body: A small request: no stream, one token. It may hold the fields of OPTIONAL_FIELDS that the run will send.
        timeout_s: For the answer.

    Raises:
        UserError: The run could not succeed: a redirect to another host, a refused key, an unknown model, a path that
            is no API; the message says what would be right.
    """
    given = list(headers)
    rest = dict(body)
    refused: list[str] = []
    notes: list[str] = []
    redirects = 0
    while True:
        answer = _ask(target, given, rest, timeout_s)
        if answer.status in (301, 302, 307, 308):
            redirects += 1
            if redirects > MOST_REDIRECTS:
                raise UserError(f"{target.url} redirects without end; give the URL of the API itself")
            target = _follow(target, answer)
            continue
        if answer.status in (400, 422):
            field = _refused_field(answer, rest)
            if field is not None:
                refused.append(field)
                del rest[field]
                continue
        break
    if redirects:
        notes.append(f"the server redirects; requests go to {target.url}")
    notes += [f"the server does not take {field!r}: it is left out, and {ADVICE[field]}" for field in refused]
    if answer.status < 300:
        return Preflight(target, tuple(refused), True, tuple(notes))
    _give_up_where_hopeless(target, given, rest, answer, timeout_s)
    notes.append(f"the server answered a first small request with {_without_secrets(_said(answer), given)}")
    return Preflight(target, tuple(refused), False, tuple(notes))


def _ask(target: Target, headers: list[tuple[str, str]], body: Mapping[str, Any], timeout_s: float) -> Answer:
    given = [("Content-Type", "application/json"), ("Accept", "application/json"), *headers]
    try:
        return exchange(target, "POST", target.path, given, json.dumps(body).encode(), timeout_s)
    except TimeoutError:
        raise UserError(
            f"{target.address} does not answer a request of one token within {timeout_s:g} s; "
            "is the server still loading?"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{target.address} breaks off instead of answering POST {target.path}: {words}") from None


def _follow(target: Target, answer: Answer) -> Target:
    location = next((value for name, value in answer.headers.items() if name.lower() == "location"), "")
    try:
        parts = urlsplit(urljoin(f"{target.scheme}://{target.authority}{target.path}", location))
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if not location or parts.scheme not in PORTS or not parts.hostname:
        raise UserError(f"{target.url} redirects to {location or 'nowhere'!r}; give the URL of the API itself")
    if target.scheme == "https" and parts.scheme == "http":
        raise UserError(
            f"{target.url} redirects from https to http, where a key could be read by anyone; give another URL"
        )
    upgraded = (target.scheme, parts.scheme) == ("http", "https") and target.unix is None
    if parts.hostname != target.host.lower() or (port != target.port and not upgraded):
        raise UserError(
            f"{target.url} redirects to another server, {parts.netloc.rpartition('@')[2]}; a key is never sent to "
            "another than the one that it was given for: if you trust it, give its URL"
        )
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return target.moved(parts.scheme, port, path) if upgraded else replace(target, path=path)


def _refused_field(answer: Answer, body: Mapping[str, Any]) -> str | None:
    """The optional field that the message names."""
    text = answer.body.decode("utf-8", "replace")
    return next((field for field in OPTIONAL_FIELDS if field in body and field in text), None)


def _said(answer: Answer) -> str:
    text = error_text(answer.body)
    return f"{answer.status} {answer.reason}" + (f": {text}" if text else "")


def _give_up_where_hopeless(
    target: Target, headers: list[tuple[str, str]], body: Mapping[str, Any], answer: Answer, timeout_s: float
) -> None:
    """Raises for answers that every request would get."""
    said = _without_secrets(_said(answer), headers)
    if answer.status in (401, 403):
        advice = "is the key right?" if headers else "give the server's key with --api-key-env or --api-key-file"
        raise UserError(f"{target.address} refuses with {said}; {advice}")
    model = str(body.get("model", ""))
    if answer.status in (400, 404, 422) and model and "model" in said.lower():
        raise UserError(
            f"{target.address} does not know the model {model!r} ({said}); {_models(target, headers, timeout_s)}"
        )
    if answer.status in (404, 405):
        raise UserError(f"{target.url} is no API of this server: it answers with {said}; give its root with --url")
    if answer.status == 407:
        raise UserError(f"the proxy wants a user and a password ({said}); put them into its URL, or use --no-proxy")


def _without_secrets(text: str, headers: list[tuple[str, str]]) -> str:
    for _, value in headers:
        for word in value.split():
            if len(word) >= 8:
                text = text.replace(word, "***")
    return text


def _models(target: Target, headers: list[tuple[str, str]], timeout_s: float) -> str:
    try:
        models = served_models(target, headers, timeout_s)
    except UserError:
        return "name one that it serves with --model"
    shown = ", ".join(models[:MOST_MODELS]) + (", …" if len(models) > MOST_MODELS else "")
    return f"it serves {shown}"


def settle_path(
    target: Target, endpoint_path: str, headers: Iterable[tuple[str, str]], timeout_s: float
) -> tuple[Target, str | None]:
    """Return the target with the path that the server knows, and a note for the user where there was a choice.

    A base URL with a path, such as ``https://host/api/v3``, may be meant as OpenAI's client libraries mean it
    (``/api/v3/chat/completions``) or as a root (``/api/v3/v1/chat/completions``). An empty JSON object is posted to the
    first; where the server answers 404 or 405, it is posted to the second. No server generates anything for it. Where
    neither is known, the first stays: the check before the run explains what is wrong.

    Args:
        target: A reachable target.
        endpoint_path: The API's path below the root.
        headers: Headers of every request, with the key.
        timeout_s: For each answer.

    Raises:
        UserError: The proxy or the server's certificate will not do.
    """
    if target.other_path is None:
        return target, None
    given = [("Content-Type", "application/json"), *headers]
    if _known(target, target.path, given, timeout_s):
        return replace(target, other_path=None), f"requests go to {target.url}"
    if not _known(target, target.other_path, given, timeout_s):
        return replace(target, other_path=None), None
    path = target.other_path.partition("?")[0]
    found = replace(target, path=target.other_path, models_path=models_path(path, endpoint_path), other_path=None)
    return found, f"requests go to {found.url}: the server does not know {target.path}"


def _known(target: Target, path: str, headers: list[tuple[str, str]], timeout_s: float) -> bool:
    try:
        return exchange(target, "POST", path, headers, b"{}", timeout_s).status not in NOT_FOUND
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{target.address} does not answer POST {path}: {words}") from None
