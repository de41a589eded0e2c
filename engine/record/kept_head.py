"""The head of a recorded request: its path, and the headers that may be stored."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ...traces.recorded.headers import open_headers


@dataclass(frozen=True)
class RecordedHead:
    """The parts of a request's head that are used.

    Attributes:
        path: Path of the URL, without its query.
        headers: Headers that may be stored, unchanged; repeated ones are joined.
        secrets: Words of the other headers, which are removed from everything else that is stored.
    """

    path: str
    headers: dict[str, str]
    secrets: tuple[str, ...]


def read_head(head: bytes) -> RecordedHead:
    """Parse a head. Authorization, cookies, keys and similar headers are not stored."""
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
