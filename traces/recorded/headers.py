"""Headers of recorded requests: which are stored and sent again, and their column.

A row's headers are a JSON object in their order, ``{"User-Agent": "...", "X-Tenant": "..."}``; a name that came
several times has its values joined by ", " (RFC 9110, 5.3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from ..errors import TraceError
from ..reading.field_checks import BadField, shown

CREDENTIALS: Final = ("auth", "key", "token", "cookie", "secret", "password")
"""A header whose name contains one of these words is a secret."""

SECRET_NAMES: Final = (
    *CREDENTIALS,
    *("credential", "signature", "session", "jwt", "bearer", "cert", "csrf", "xsrf", "passphrase", "private"),
)
"""A header whose name contains one of these words is never stored."""

OF_THE_CONNECTION: Final = frozenset(
    (
        "host",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "content-length",
        "via",
    )
)
"""Headers that describe a connection and not a request."""

SHORTEST_SECRET: Final = 8

_LOOKS_SECRET: Final = re.compile(
    r"^\s*(bearer|basic|digest|negotiate|token|apikey|aws4-)\b|\b(sk|pk|rk|hf|gh[pousr]|xox[abprs]|glpat|AKIA)[-_A-Z0-9]"
    r"|\beyJ[\w-]{8,}\.|-----BEGIN|://[^/\s]*@|[?&][^=\s]*(key|token|secret|sig|password)[^=\s]*=",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, 5.6.2: token
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")  # 5.5: visible characters, spaces, tabs, and bytes beyond ASCII


def open_headers(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the headers that may be stored, and the secret words of the others.

    Authorization, cookies, keys and the like, and what looks like one of them, are left out; so is a header that
    repeats one, and what is said of the connection.

    Args:
        pairs: Names and values, as they came.

    Returns:
        The headers by name, and the secret words, longest first: to be struck out of whatever else is kept.
    """
    kept: list[tuple[str, str]] = []
    secrets: set[str] = set()
    for name, value in pairs:
        if any(word in name.lower() for word in SECRET_NAMES) or _LOOKS_SECRET.search(value):
            secrets.update(word for word in re.split(r"[\s;,=]+", value) if len(word) >= SHORTEST_SECRET)
        elif not _of_the_connection(name.lower()):
            kept.append((name, value))
    headers: dict[str, str] = {}
    for name, value in kept:
        if not any(secret in value for secret in secrets):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers, tuple(sorted(secrets, key=len, reverse=True))


def _of_the_connection(name: str) -> bool:
    return name in OF_THE_CONNECTION or name.startswith(("proxy-", "x-forwarded", "forwarded", "x-real-ip"))


def recorded_headers(field: str, value: Any) -> str | None:
    """A row's headers from those that a file gives, without secrets.

    Args:
        field: Where they stand.
        value: What JSON made of them; None for none.

    Returns:
        A JSON object; None where nothing is left.

    Raises:
        BadField: They are no object of texts, or HTTP does not allow one of them.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadField(field, f"{shown(value)} is not an object of header names and values")
    for name, text in value.items():
        if not isinstance(text, str):
            raise BadField(field, f"{shown(name)} has the value {shown(text)}, where a text belongs")
        if not _NAME.fullmatch(name):
            raise BadField(field, f"{shown(name)} is no header's name")
        if not _VALUE.fullmatch(text):
            raise BadField(field, f"{shown(name)} has a value with characters that HTTP does not allow")
    kept, _ = open_headers((name, text.strip()) for name, text in value.items())
    return json.dumps(kept, ensure_ascii=False) if kept else None


def headers_of(text: str) -> dict[str, str]:
    """Return a row's headers after another check: a trace from elsewhere may hold secrets or broken lines.

    Raises:
        BadField: The headers are not an object of names and values.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadField("headers", f"{shown(text)} is not a JSON object") from None
    kept = recorded_headers("headers", value)
    return {} if kept is None else json.loads(kept)


def check_headers(source: str, column: Any) -> None:
    """Make sure that a file's column holds headers.

    Raises:
        TraceError: One is no JSON object of them.
    """
    for text in column.unique().to_pylist():
        try:
            headers_of("{}" if text is None else text)
        except BadField as error:
            raise TraceError(source, error.problem, field=error.field) from None
