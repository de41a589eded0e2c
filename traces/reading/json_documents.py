"""JSON documents and JSON Lines: exact numbers, and errors that say what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ..errors import TraceError
from .field_checks import BadField, BadRows, shown
from .json_arrays import is_array, lines_of_array
from .surrogates import without_halves

_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation, OverflowError)
_ANY: Any = msgspec.json.Decoder(Any, float_hook=Decimal)


def each_line(data: bytes, bad: BadRows, take: Callable[[int, bytes], None], notes: list[str]) -> None:
    """Take in the records of JSON Lines, or of a JSON array, one by one.

    A last line that is cut off at the end of the file is left out, with a note.

    Args:
        data: The file's bytes.
        bad: Receives each bad row.
        take: Takes in a record, by its 1-based number and its text; raises BadField for a bad one.
        notes: Appended to.

    Raises:
        TraceError: A bad row is not to be skipped.
    """
    if is_array(data):
        for number, line in enumerate(lines_of_array(bad.source, data), 1):
            try:
                take(number, line)
            except BadField as error:
                bad.add(number, error)
        return
    data = without_halves(data)
    start = number = 0
    while start < len(data):
        end = data.find(b"\n", start)
        last = end < 0
        line = data[start:] if last else data[start:end]
        start = len(data) if last else end + 1
        if not line.strip():
            continue
        number += 1
        try:
            take(number, line)
        except BadField as error:
            if last and number > 1 and error.field is None and not line.rstrip().endswith(b"}"):
                bad.torn = 1
                notes.append(f"the last line, row {number:,}, is cut off at the end of the file and was left out")
            else:
                bad.add(number, error)


def decode(text: bytes | str | msgspec.Raw, field: str | None = None) -> Any:
    """A JSON value; fractions are Decimal.

    Args:
        text: The JSON.
        field: Which field holds it, for the message.

    Raises:
        BadField: It is not JSON.
    """
    try:
        return _ANY.decode(without_halves(text.encode() if isinstance(text, str) else bytes(text)))
    except _BROKEN as error:
        raise BadField(field, _why(error)) from None


def struct(decoder: Any, line: bytes | msgspec.Raw) -> Any:
    """Return a line as the decoder's struct.

    Args:
        decoder: A msgspec decoder whose type takes any values; what is absent it leaves unset.
        line: The JSON.

    Raises:
        BadField: It is no JSON object.
    """
    try:
        return decoder.decode(without_halves(bytes(line)))
    except msgspec.ValidationError:
        raise BadField(None, f"{shown(bytes(line)[:80].decode(errors='replace'))} is not a JSON object") from None
    except _BROKEN as error:
        raise BadField(None, _why(error)) from None


def document(source: str, decoder: Any, data: bytes, wanted: str) -> Any:
    """Return the whole file as one value.

    Args:
        source: The file, for the message.
        decoder: A msgspec decoder.
        data: The file's bytes.
        wanted: What the document should be, for the message.

    Raises:
        TraceError: The file is not JSON, or has another shape.
    """
    try:
        return decoder.decode(without_halves(data))
    except msgspec.ValidationError as error:
        raise TraceError(source, f"is not {wanted}: {error}") from None
    except _BROKEN as error:
        raise TraceError(source, f"{_why(error)}; {wanted} is expected") from None


def _why(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    if isinstance(error, (InvalidOperation, OverflowError)):
        return "holds a number that is out of all bounds"
    return f"is not JSON: {shown(str(error))}"


def needed(record: dict[str, Any], field: str) -> Any:
    """A field's value.

    Raises:
        BadField: The record lacks it.
    """
    if field not in record:
        raise BadField(field, f"is missing; the record has {shown(', '.join(map(str, record)) or 'no fields')}")
    return record[field]


def mapping(field: str | None, value: Any, wanted: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BadField: It is something else.
    """
    if not isinstance(value, dict):
        raise BadField(field, f"{_kind(value)} where {wanted} belongs")
    return value


def sequence(field: str | None, value: Any, wanted: str) -> list[Any]:
    """A JSON array.

    Raises:
        BadField: It is something else.
    """
    if not isinstance(value, list):
        raise BadField(field, f"{_kind(value)} where {wanted} belongs")
    return value


def text(field: str, value: Any, wanted: str) -> str:
    """A JSON string.

    Raises:
        BadField: It is something else.
    """
    if not isinstance(value, str):
        raise BadField(field, f"{_kind(value)} where {wanted} belongs")
    return value


def name(field: str, value: Any) -> str | None:
    """Return what names a session or a model: a printable string or a whole number; null for none.

    Raises:
        BadField: It is something else.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 200:
        return str(value)
    if not isinstance(value, str):
        raise BadField(field, f"{shown(value)} is not a name or a whole number")
    if not value.isprintable():
        raise BadField(field, f"{shown(value)} holds unprintable characters")
    return value


def _kind(value: Any) -> str:
    if value is None or value is msgspec.UNSET:
        return "is missing" if value is msgspec.UNSET else "is null"
    if isinstance(value, dict):
        return "is an object"
    if isinstance(value, list):
        return "is a list"
    return f"is {shown(value)}"
