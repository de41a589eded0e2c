"""The head that every request has, and what of it may be shown."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ... import __version__
from ...traces.recorded.headers import CREDENTIALS, SHORTEST_SECRET
from ..errors import UserError
from .target import Target

SET_BY_US = ("content-length", "transfer-encoding", "host", "connection")


def request_headers(
    headers: Iterable[str],
    api_key_env: str | None,
    api_key_file: str | None = None,
    *,
    key_header: str = "Authorization",
    of_api: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Return the headers of the user and the API, with the user's key.

    Args:
        headers: Each as ``Name: value``.
        api_key_env: The environment variable that holds the key.
        api_key_file: The file that holds it.
        key_header: Which header holds the key; in Authorization it is a bearer's.
        of_api: Headers that every request of the API needs; the user's win.

    Raises:
        UserError: A header has no colon or a forbidden character; there is no key where it should be, or two.
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
    if api_key_env is not None and api_key_file is not None:
        raise UserError("--api-key-env and --api-key-file both give a key; leave one out")
    source = api_key_env if api_key_file is None else api_key_file
    if source is not None:
        option = "--api-key-env" if api_key_file is None else "--api-key-file"
        key = _key_of_environment(source) if api_key_file is None else _key_of_file(source)
        if any(name.lower() == key_header.lower() for name, _ in pairs):
            raise UserError(f"{option} and --header {key_header} both give a key; leave one out")
        if not key.isascii() or not key.isprintable():
            raise UserError(f"the key in {source} holds characters that HTTP does not allow")
        pairs.append((key_header, f"Bearer {key}" if key_header == "Authorization" else key))
    given = {name.lower() for name, _ in pairs}
    return pairs + [(name, value) for name, value in (of_api or {}).items() if name.lower() not in given]


def _key_of_environment(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(
            f"the environment variable {name} is not set or is empty; set it to the key, or leave out --api-key-env"
        )
    return key


def _key_of_file(name: str) -> str:
    try:
        lines = Path(name).read_text("utf-8").split("\n", 2)
    except OSError as error:
        raise UserError(f"--api-key-file {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--api-key-file {name} is no text") from None
    key = lines[0].strip()
    if not key or any(line.strip() for line in lines[1:]):
        raise UserError(f"--api-key-file {name}: one line with the key is expected, and nothing else")
    return key


def request_head(
    target: Target, headers: Iterable[tuple[str, str]], stream: bool, api_headers: Mapping[str, str] | None = None
) -> bytes:
    """All of a request's head but the length: ends with ``Content-Length: ``.

    ``Accept-Encoding: identity`` because a proxy that compresses a stream holds it back.

    Args:
        target: Where to.
        headers: The user's, which win.
        stream: Whether a stream is asked for.
        api_headers: That the API needs; those of the user win.
    """
    own = {
        "Host": target.authority,
        "User-Agent": f"tokentape/{__version__}",
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        **(api_headers or {}),
        **target.proxy_headers,
    }
    given = list(headers)
    taken = {name.lower() for name, _ in given}
    lines = [f"POST {target.request_target(target.path)} HTTP/1.1"]
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
    """Return the secrets that must not be written to any file: servers repeat the key that they refuse."""
    words: set[str] = set()
    for name, value in pairs:
        if any(hint in name.lower() for hint in CREDENTIALS):
            words.update(word for word in value.split() if len(word) >= SHORTEST_SECRET)
    return tuple(sorted(words, key=len, reverse=True))
