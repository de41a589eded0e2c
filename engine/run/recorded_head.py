"""The head of a recorded request: its path, and what of its headers may be written down."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .headers import CREDENTIALS, SHORTEST_SECRET

SECRET_NAMES: Final = (
    *CREDENTIALS,
    *("credential", "signature", "session", "jwt", "bearer", "cert", "csrf", "xsrf", "passphrase", "private"),
)
"""A header whose name holds one of these is never written, whatever it says."""

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
"""Headers that say something about one connection, and nothing about the request."""

_LOOKS_SECRET: Final = re.compile(
    r"^\s*(bearer|basic|digest|negotiate|token|apikey|aws4-)\b|\b(sk|pk|rk|hf|gh[pousr]|xox[abprs]|glpat|AKIA)[-_A-Z0-9]"
    r"|\beyJ[\w-]{8,}\.|-----BEGIN|://[^/\s]*@|[?&][^=\s]*(key|token|secret|sig|password)[^=\s]*=",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RecordedHead:
    """What a request's head says.

    Attributes:
        path: Of the URL, without its query.
        headers: Those that may be written, as they came; repeated ones are joined.
        secrets: Words of those that may not: they are struck out of whatever else is written.
    """

    path: str
    headers: dict[str, str]
    secrets: tuple[str, ...]


def read_head(head: bytes) -> RecordedHead:
    """Takes a head apart. Authorization, cookies, keys and the like, and what looks like one of them, are left out."""
    lines = head.decode("latin-1").split("\n")
    words = lines[0].split()
    path = urlsplit(words[1]).path if len(words) > 1 else ""
    open_: list[tuple[str, str]] = []
    secrets: set[str] = set()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            continue
        if any(word in name.lower() for word in SECRET_NAMES) or _LOOKS_SECRET.search(value):
            secrets.update(word for word in re.split(r"[\s;,=]+", value) if len(word) >= SHORTEST_SECRET)
        elif not _of_the_connection(name.lower()):
            open_.append((name, value))
    headers: dict[str, str] = {}
    for name, value in open_:
        if not any(secret in value for secret in secrets):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return RecordedHead(path, headers, tuple(sorted(secrets, key=len, reverse=True)))


def _of_the_connection(name: str) -> bool:
    return name in OF_THE_CONNECTION or name.startswith(("proxy-", "x-forwarded", "forwarded", "x-real-ip"))


def strike_out(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the secrets: servers repeat the key that they refuse."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
