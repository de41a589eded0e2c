"""The check before a run: one small request that detects errors which every request would have."""

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
"""Optional fields of a body that some servers reject; OpenAI rejects the first two."""

ADVICE = {
    "ignore_eos": "responses may be shorter than recorded",
    "min_tokens": "responses may be shorter than recorded",
    "stream_options": "tokens are counted by a tokenizer or from the events",
}
MOST_MODELS = 10

NOT_FOUND = (404, 405)
"""Statuses for an unknown path."""


@dataclass(frozen=True)
class Preflight:
    """Result of the check before a run.

    Attributes:
        target: The target after redirects.
        refused: Fields of OPTIONAL_FIELDS that the server rejects.
        answered: Whether the server answered the request without these fields successfully.
        notes: Notes for the user.
    """

    target: Target
    refused: tuple[str, ...] = ()
    answered: bool = True
    notes: tuple[str, ...] = ()


def probe(target: Target, headers: Iterable[tuple[str, str]], body: Mapping[str, Any], timeout_s: float) -> Preflight:
    """Send one request like those of the run.

    A redirect (301, 302, 307, 308) is followed with the same POST, but only to the same host and port, or from http to
    https on the same host: a key for one server is never sent to another. Temporary errors (429, 5xx) do not prevent
    the run, which will report them.

    Args:
        target: A reachable target.
        headers: Headers of every request, with the key.
        body: A small request without streaming for one token, with the fields of OPTIONAL_FIELDS that the run sends.
        timeout_s: Time limit for the response.

    Raises:
        UserError: The run could not succeed: a redirect to another host, a rejected key, an unknown model, or a path
            that is not an API. The message says what to change.
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
                raise UserError(f"{target.url} redirects endlessly; give the URL of the API itself")
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
    notes += [f"the server rejects the field {field!r}: it is omitted, and {ADVICE[field]}" for field in refused]
    if answer.status < 300:
        return Preflight(target, tuple(refused), True, tuple(notes))
    _give_up_where_hopeless(target, given, rest, answer, timeout_s)
    notes.append(f"the server answered the test request with {_without_secrets(_said(answer), given)}")
    return Preflight(target, tuple(refused), False, tuple(notes))


def _ask(target: Target, headers: list[tuple[str, str]], body: Mapping[str, Any], timeout_s: float) -> Answer:
    given = [("Content-Type", "application/json"), ("Accept", "application/json"), *headers]
    try:
        return exchange(target, "POST", target.path, given, json.dumps(body).encode(), timeout_s)
    except TimeoutError:
        raise UserError(
            f"{target.address} does not answer a request for one token within {timeout_s:g} s; "
            "the server may still be loading"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(
            f"{target.address} closes the connection instead of answering POST {target.path}: {words}"
        ) from None


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
        raise UserError(f"{target.url} redirects from https to http, where anyone could read the key; give another URL")
    upgraded = (target.scheme, parts.scheme) == ("http", "https") and target.unix is None
    if parts.hostname != target.host.lower() or (port != target.port and not upgraded):
        raise UserError(
            f"{target.url} redirects to another server, {parts.netloc.rpartition('@')[2]}; a key is sent only "
            "to the server that it was given for: if you trust that server, give its URL"
        )
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return target.moved(parts.scheme, port, path) if upgraded else replace(target, path=path)


def _refused_field(answer: Answer, body: Mapping[str, Any]) -> str | None:
    """Return the optional field that the message names."""
    text = answer.body.decode("utf-8", "replace")
    return next((field for field in OPTIONAL_FIELDS if field in body and field in text), None)


def _said(answer: Answer) -> str:
    text = error_text(answer.body)
    return f"{answer.status} {answer.reason}" + (f": {text}" if text else "")


def _give_up_where_hopeless(
    target: Target, headers: list[tuple[str, str]], body: Mapping[str, Any], answer: Answer, timeout_s: float
) -> None:
    """Raise UserError for responses that every request would get."""
    said = _without_secrets(_said(answer), headers)
    if answer.status in (401, 403):
        advice = "check the API key" if headers else "give the server's API key with --api-key-env or --api-key-file"
        raise UserError(f"{target.address} rejects the request with {said}; {advice}")
    model = str(body.get("model", ""))
    if answer.status in (400, 404, 422) and model and "model" in said.lower():
        raise UserError(
            f"{target.address} does not know the model {model!r} ({said}); {_models(target, headers, timeout_s)}"
        )
    if answer.status in (404, 405):
        raise UserError(
            f"{target.url} is not an API of this server, which answers with {said}; give its root with --url"
        )
    if answer.status == 407:
        raise UserError(f"the proxy requires a user and a password ({said}); put them into its URL, or use --no-proxy")


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
        return "give a model that it serves with --model"
    shown = ", ".join(models[:MOST_MODELS]) + (", …" if len(models) > MOST_MODELS else "")
    return f"it serves {shown}"


def settle_path(
    target: Target, endpoint_path: str, headers: Iterable[tuple[str, str]], timeout_s: float
) -> tuple[Target, str | None]:
    """Return the target with the path that the server has, and a note for the user if there was a choice.

    A base URL with a path, such as ``https://host/api/v3``, may be a base as in OpenAI's client libraries
    (``/api/v3/chat/completions``) or a root (``/api/v3/v1/chat/completions``). An empty JSON object, which makes no
    server generate output, is posted to the first path, and if the server answers 404 or 405, to the second. If it has
    neither, the first is used, and the check before the run reports the error.

    Args:
        target: A reachable target.
        endpoint_path: The API's path below the root.
        headers: Headers of every request, with the key.
        timeout_s: Time limit for each response.

    Raises:
        UserError: The proxy or the server's certificate cannot be used.
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
    return found, f"requests go to {found.url}: the server does not have {target.path}"


def _known(target: Target, path: str, headers: list[tuple[str, str]], timeout_s: float) -> bool:
    try:
        return exchange(target, "POST", path, headers, b"{}", timeout_s).status not in NOT_FOUND
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(f"{target.address} does not respond to POST {path}: {words}") from None
