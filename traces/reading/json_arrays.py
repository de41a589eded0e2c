"""JSON arrays of records, read as if each record were on a line of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from ..errors import TraceError
from .field_checks import shown
from .surrogates import without_halves

_ALL = msgspec.json.Decoder(list[msgspec.Raw])
_SPACE = b" \t\r\n"


def is_array(data: bytes) -> bool:
    """Return whether a file's first bytes begin a JSON array."""
    return data.lstrip(_SPACE)[:1] == b"["


def lines_of_array(source: str, data: bytes) -> Iterator[bytes]:
    """Yield each element of a JSON array as one line, without its end.

    Line breaks inside an element are white space between its parts: a JSON string holds none.

    Args:
        source: The file, for the message.
        data: The whole file.

    Raises:
        TraceError: The file is not a JSON array.
    """
    try:
        elements = _ALL.decode(without_halves(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TraceError(
            source, f"is not JSON: {shown(str(error))}; a JSON array of records, or one record per line, is expected"
        ) from None
    for element in elements:
        yield bytes(element).replace(b"\n", b" ").replace(b"\r", b" ")


def head_as_lines(head: bytes) -> bytes:
    """Return the beginning of a file with the elements of a JSON array on lines of their own.

    A head that begins no array of objects stays as it is. The last line may be the beginning of an element.
    """
    if not is_array(head):
        return head
    text = head.decode(errors="ignore")
    at = text.index("[") + 1
    decoder = json.JSONDecoder()
    lines: list[str] = []
    while True:
        rest = text[at:].lstrip().removeprefix(",").lstrip()
        if not rest.startswith("{"):
            break
        at = len(text) - len(rest)
        try:
            _, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            lines.append(rest)
            break
        lines.append(text[len(text) - len(rest) : at])
    return "\n".join(line.replace("\n", " ").replace("\r", " ") for line in lines).encode() if lines else head
