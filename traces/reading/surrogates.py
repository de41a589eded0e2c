"""Half surrogate pairs in JSON, replaced by U+FFFD.

JSON writes a character beyond U+FFFF as two escapes, ``\\ud83d\\ude00``. Public dumps that were cut by characters hold
half of such a pair. No UTF-8 text can hold it, so no request could be made of it, and JSON parsers refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_ANY = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_REPLACEMENT = rb"\ufffd"


@dataclass
class Replaced:
    """The number of replaced halves."""

    count: int = 0


_COUNTER: ContextVar[Replaced | None] = ContextVar("replaced surrogates", default=None)


@contextmanager
def counted() -> Iterator[Replaced]:
    """Count the replacements that are made within the context."""
    counter = Replaced()
    token = _COUNTER.set(counter)
    try:
        yield counter
    finally:
        _COUNTER.reset(token)


def without_halves(text: bytes) -> bytes:
    """Return JSON text with each escaped half of a surrogate pair replaced by U+FFFD; its length does not change."""
    if _ANY.search(text) is None:
        return text
    replaced = 0

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal replaced
        if match[1] is None:
            return match[0]
        replaced += 1
        return _REPLACEMENT

    repaired = _ESCAPE.sub(replace, text)
    counter = _COUNTER.get()
    if counter is not None:
        counter.count += replaced
    return repaired


def note(count: int) -> str:
    """Return the sentence that tells a user of replacements."""
    halves = "1 half of a surrogate pair was" if count == 1 else f"{count:,} halves of surrogate pairs were"
    return f"{halves} replaced by U+FFFD: no UTF-8 text can hold them"
