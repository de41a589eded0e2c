"""JSON Lines: whole batches are decoded at once, and row by row if a row in a batch is bad."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..errors import TraceError
from .field_checks import BadField, BadRows, shown
from .files import BOM, TraceFile, checked_head, opened
from .json_arrays import is_array, lines_of_array
from .surrogates import without_halves

_BATCH = 8 << 20
_BEGUN = re.compile(r"[-+\w.]*")  # what a literal or a number looks like before its end
_NO_RECORDS = "holds no records; a trace has one JSON object per line and request"

Row = TypeVar("Row")


def read_lines(
    path: Path,
    bad: BadRows,
    *,
    plain: Callable[[int, bytes], int | None],
    careful: Callable[[int, dict[str, Any]], None],
) -> tuple[str, list[str]]:
    """Read a JSON Lines file batch by batch, so that at most a few megabytes of it are Python objects at once.

    A JSON array of records is read in the same way. A last line that is cut off where the file ends is left out, with
    a note. Half surrogate pairs are replaced (`surrogates`).

    Args:
        path: The file.
        bad: Receives each bad row.
        plain: Takes in the records of a batch of whole lines, given the first one's number, and returns how many
            there were; or None, having taken none in, for a batch that needs a closer look.
        careful: Takes in one record with its 1-based number; raises BadField for a bad one.

    Returns:
        The file's SHA-256 in hex, and notes for the user.

    Raises:
        TraceError: The file cannot be read, or holds no records, or a bad row is not to be skipped.
    """
    notes: list[str] = []
    number = 0
    with opened(path) as file:
        for batch, more in _batches(path, file):
            taken = plain(number + 1, batch) if batch else 0
            if taken is not None:
                number += taken
                continue
            for line in batch.split(b"\n"):
                if not line.strip():
                    continue
                number += 1
                try:
                    record = parse(line)
                except BadField as error:
                    if not more and number > 1 and batch.endswith(line) and _cut(line):
                        bad.torn = 1
                        notes.append(
                            f"the last line, row {number:,}, is cut off at the end of the file and was left out"
                        )
                        continue
                    bad.add(number, error)
                    continue
                try:
                    careful(number, record)
                except BadField as error:
                    bad.add(number, error)
        digest = file.digest()
    if not number:
        raise TraceError(str(path), _NO_RECORDS)
    return digest, notes


def cut_off(row: int) -> str:
    """Return the note about a last line that is not whole."""
    return f"the last line, row {row:,}, is cut off at the end of the file and was left out"


def _batches(path: Path, file: TraceFile) -> Iterator[tuple[bytes, bool]]:
    """Yield batches of whole lines, and whether more of them follow."""
    data = checked_head(path, file.read(_BATCH)).removeprefix(BOM)
    if is_array(data):
        lines: list[bytes] = []
        size = 0
        for line in lines_of_array(str(path), data + file.read()):
            if size > _BATCH:
                yield b"\n".join(lines) + b"\n", True
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        yield b"\n".join(lines) + b"\n", False
        return
    while data:
        more = file.read(_BATCH)
        end = data.rfind(b"\n") + 1 if more else len(data)
        batch, data = data[:end], data[end:] + more
        yield without_halves(batch), bool(more)


def decoded(decoder: msgspec.json.Decoder[Row], batch: bytes) -> list[Row] | None:
    """The records of a batch, or None when one is not of the decoder's type."""
    try:
        rows: list[Row] = decoder.decode_lines(batch)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
        return None
    return rows


def _cut(line: bytes) -> bool:
    """Return whether a line is the beginning of a JSON text that goes on."""
    try:
        text = line.decode().rstrip()
        json.loads(text)
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        if error.msg.startswith("Unterminated string"):
            return True
        if error.msg.startswith("Invalid \\"):
            return len(rest) < 7
        return text.startswith("{") and _BEGUN.fullmatch(rest) is not None
    except (ValueError, RecursionError):
        return False
    return False


def parse(line: bytes) -> dict[str, Any]:
    """A record from its JSON text, fractions as exact decimals.

    Raises:
        BadField: It is no JSON object.
    """
    try:
        record = json.loads(line.decode(), parse_float=Decimal)
    except UnicodeDecodeError:
        raise BadField(None, "is not UTF-8 text") from None
    except InvalidOperation:
        raise BadField(None, "holds a number that is out of all bounds") from None
    except RecursionError:
        raise BadField(None, "is nested too deeply; a flat JSON object belongs there") from None
    except ValueError as error:
        raise BadField(None, f"is not JSON: {shown(str(error))}") from None
    if not isinstance(record, dict):
        raise BadField(None, f"{shown(record)} is not a JSON object")
    return record


def needed(record: dict[str, Any], field: str) -> Any:
    """A record's field.

    Raises:
        BadField: The field is missing.
    """
    if field not in record:
        keys = shown(", ".join(map(str, list(record)[:12])) or "none")
        raise BadField(field, f"is missing; the row has the keys {keys}, and a file holds one format")
    return record[field]


def name(field: str, value: Any) -> str | None:
    """Return the name of a session or model, or None for null.

    Raises:
        BadField: The value is neither text nor a whole number.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if not value.isprintable():
            raise BadField(field, f"{shown(value)} holds unprintable characters")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 200:
        return str(value)
    raise BadField(field, f"{shown(value)} is not a name or a whole number")


def text(field: str, value: Any) -> str:
    """A text that UTF-8 can hold.

    Raises:
        BadField: It is no text, or has half a surrogate pair in it.
    """
    if not isinstance(value, str):
        raise BadField(field, f"{shown(value)} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadField(field, f"{shown(value)} holds half a character (a lone surrogate)") from None
    return value
