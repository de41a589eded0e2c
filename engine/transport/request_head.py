"""The request head, and hiding its secrets."""

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
    """Return the headers of the user and of the API, with the API key.

    Args:
        headers: Header fields, each ``Name: value``.
        api_key_env: Environment variable with the key.
        api_key_file: File with the key.
        key_header: Header for the key; in Authorization it is a bearer token.
        of_api: Headers that the API needs; the user's take precedence.

    Raises:
        UserError: A header has no colon or a forbidden character; the key is missing or given twice.
    """
    pairs = []
    for place, header in enumerate(headers, 1):
        name, colon, value = header.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or any(c in name for c in ' \t"(),/;<=>?@[]{}'):
            # It may be a key without a header name, so the message does not repeat it.
            raise UserError(f"--header number {place} is not a header; write 'Name: value'")
        if not (name + value).isascii() or not (name + value).isprintable():
            raise UserError(f"the header {name!r} contains characters that HTTP does not allow")
        if name.lower() in SET_BY_US:
            raise UserError(f"the header {name!r} is set by the program; omit it")
        pairs.append((name, value))
    if api_key_env is not None and api_key_file is not None:
        raise UserError("--api-key-env and --api-key-file both give a key; omit one of them")
    source = api_key_env if api_key_file is None else api_key_file
    if source is not None:
        option = "--api-key-env" if api_key_file is None else "--api-key-file"
        key = _key_of_environment(source) if api_key_file is None else _key_of_file(source)
        if any(name.lower() == key_header.lower() for name, _ in pairs):
            raise UserError(f"{option} and --header {key_header} both give a key; omit one of them")
        if not key.isascii() or not key.isprintable():
            raise UserError(f"the key in {source} contains characters that HTTP does not allow")
        pairs.append((key_header, f"Bearer {key}" if key_header == "Authorization" else key))
    given = {name.lower() for name, _ in pairs}
    return pairs + [(name, value) for name, value in (of_api or {}).items() if name.lower() not in given]


def _key_of_environment(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"the environment variable {name} is not set; set it to the key, or omit --api-key-env")
    return key


def _key_of_file(name: str) -> str:
    try:
        lines = Path(name).read_text("utf-8").split("\n", 2)
    except OSError as error:
        raise UserError(f"--api-key-file {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--api-key-file {name} is not a text file") from None
    key = lines[0].strip()
    if not key or any(line.strip() for line in lines[1:]):
        raise UserError(f"--api-key-file {name} must have exactly one line, the key")
    return key


def request_head(
    target: Target, headers: Iterable[tuple[str, str]], stream: bool, api_headers: Mapping[str, str] | None = None
) -> bytes:
    """Return a request's head up to ``Content-Length: ``, which the length must follow.

    It has ``Accept-Encoding: identity``, because a proxy that compresses a stream buffers it.

    Args:
        target: Target of the request.
        headers: The user's headers, which take precedence.
        stream: Whether the request asks for a stream.
        api_headers: Headers that the API needs; the user's take precedence.
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
    """Return a command line without the values of its headers.

    Args:
        command: The command line's words.
        headers: The given headers. Each is a word or the end of one (``-HName: value``).
    """
    safe = []
    for word in command:
        for header in headers:
            if word.endswith(header):
                word = f"{word.removesuffix(header)}{header.partition(':')[0]}: ***"
        safe.append(word)
    return safe


def secrets(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the secrets that must not be written to any file. Servers repeat a rejected key in their errors."""
    words: set[str] = set()
    for name, value in pairs:
        if any(hint in name.lower() for hint in CREDENTIALS):
            words.update(word for word in value.split() if len(word) >= SHORTEST_SECRET)
    return tuple(sorted(words, key=len, reverse=True))
