"""The head that every request has, and what of it may be shown."""

import os
from collections.abc import Iterable, Sequence

from ... import __version__
from ...traces.headers import CREDENTIALS, SHORTEST_SECRET
from ..errors import UserError
from .target import Target

SET_BY_US = ("content-length", "transfer-encoding", "host", "connection")


def request_headers(headers: Iterable[str], api_key_env: str | None) -> list[tuple[str, str]]:
    """The user's headers and key.

    Args:
        headers: Each as ``Name: value``.
        api_key_env: The environment variable that holds the key.

    Raises:
        UserError: A header has no colon or a forbidden character; the variable is not set.
    """
    pairs = []
    for place, header in enumerate(headers, 1):
        name, colon, value = header.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or any(c in name for c in ' \t"(),/;<=>?@[]{}'):
            # It may be a key without its name: not to be repeated here.
            raise UserError(f"--header number {place} is not a header; write 'Name: value'")
        if not (name + value).isascii() or not (name + value).isprintable():
            raise UserError(f"the header {name!r} holds characters that HTTP does not allow")
        if name.lower() in SET_BY_US:
            raise UserError(f"the header {name!r} is set by the program itself; leave it out")
        pairs.append((name, value))
    if api_key_env is not None:
        key = os.environ.get(api_key_env, "").strip()
        if not key:
            raise UserError(f"the environment variable {api_key_env} holds no key; set it, or leave out --api-key-env")
        if any(name.lower() == "authorization" for name, _ in pairs):
            raise UserError("--api-key-env and --header Authorization both give a key; leave one out")
        if not key.isascii() or not key.isprintable():
            raise UserError(f"the key in {api_key_env} holds characters that HTTP does not allow")
        pairs.append(("Authorization", f"Bearer {key}"))
    return pairs


def request_head(target: Target, headers: Iterable[tuple[str, str]], stream: bool) -> bytes:
    """All of a request's head but the length: ends with ``Content-Length: ``.

    ``Accept-Encoding: identity`` because a proxy that compresses a stream holds it back.
    """
    own = {
        "Host": target.authority,
        "User-Agent": f"tokentape/{__version__}",
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    given = list(headers)
    taken = {name.lower() for name, _ in given}
    lines = [f"POST {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in own.items() if name.lower() not in taken]
    lines += [f"{name}: {value}" for name, value in given]
    return ("\r\n".join(lines) + "\r\nContent-Length: ").encode("latin-1")


def redact(command: Sequence[str], headers: Sequence[str]) -> list[str]:
    """A command line without the values of its headers.

    Args:
        command: The words.
        headers: As they were given. Each is a word or the end of one (``-HName: value``).
    """
    safe = []
    for word in command:
        for header in headers:
            if word.endswith(header):
                word = f"{word.removesuffix(header)}{header.partition(':')[0]}: ***"
        safe.append(word)
    return safe


def secrets(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What no file may hold: servers repeat the key that they refuse."""
    words: set[str] = set()
    for name, value in pairs:
        if any(hint in name.lower() for hint in CREDENTIALS):
            words.update(word for word in value.split() if len(word) >= SHORTEST_SECRET)
    return tuple(sorted(words, key=len, reverse=True))
