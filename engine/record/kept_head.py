"""The head of a recorded request: its path, and what of its headers may be written down."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ...traces.recorded.headers import open_headers


@dataclass(frozen=True)
class RecordedHead:
    """The parts of a request's head that are used.

    Attributes:
        path: Of the URL, without its query.
        headers: Those that may be written, as they came; repeated ones are joined.
        secrets: Words of those that may not: they are removed from everything else that is written.
    """

    path: str
    headers: dict[str, str]
    secrets: tuple[str, ...]


def read_head(head: bytes) -> RecordedHead:
    """Takes a head apart. Authorization, cookies, keys and the like, and what looks like one of them, are left out."""
    lines = head.decode("latin-1").split("\n")
    words = lines[0].split()
    path = urlsplit(words[1]).path if len(words) > 1 else ""
    fields = [line.partition(":") for line in lines[1:]]
    headers, secrets = open_headers((name.strip(), value.strip()) for name, colon, value in fields if colon)
    return RecordedHead(path, headers, secrets)


def strike_out(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the secrets: servers repeat the key that they refuse."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
