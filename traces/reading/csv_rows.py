"""CSV: Arrow reads the whole file; if a row is bad, rows are read one by one to name it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import TraceError
from .field_checks import BadField, shown


def split_header(data: bytes) -> tuple[list[str], bytes]:
    """Return the column names of the first line, and the bytes after it; no names if the line is not UTF-8."""
    data = data.lstrip(b"\r\n")
    ends = [end for end in (data.find(b"\n"), data.find(b"\r")) if end >= 0]
    end = min(ends, default=len(data))
    try:
        names = next(csv.reader([data[:end].decode()]), [])
    except (UnicodeDecodeError, csv.Error):
        return [], data[end:]
    return [name.strip() for name in names], data[end:].lstrip(b"\r\n")


def require_columns(source: str, names: Sequence[str], needed: Sequence[str]) -> None:
    """Check a header.

    Raises:
        TraceError: A needed column is missing or there twice.
    """
    for name in needed:
        if name not in names:
            seen = shown(", ".join(names)) if names else "no readable names"
            raise TraceError(source, f"the header has no column {name!r}; it has {seen}", field=name, kind="column")
        if names.count(name) > 1:
            raise TraceError(source, f"the header has the column {name!r} more than once", field=name, kind="column")


def typed_columns(
    names: Sequence[str],
    body: bytes,
    *,
    integers: Sequence[str],
    texts: Sequence[str],
    nanos: Sequence[str] = (),
) -> dict[str, Any] | None:
    """Columns converted by Arrow, or None when any value is absent, negative or of another type.

    Args:
        names: All columns of the file.
        body: What follows the header.
        integers: Columns of whole numbers.
        texts: Columns of text.
        nanos: Columns of numbers with fractions, to be returned in billionths, exactly.

    Returns:
        int64 arrays, and Arrow arrays of strings for texts, all of one length of at least 1.
    """
    if b"0x" in body or b"0X" in body:
        return None  # Arrow would take hexadecimal digits for a number
    from pyarrow import csv as arrow_csv

    types: dict[str, Any] = dict.fromkeys(integers, pa.int64()) | dict.fromkeys(texts, pa.string())
    types |= dict.fromkeys(nanos, pa.decimal128(28, 9))
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(body),
            read_options=arrow_csv.ReadOptions(column_names=list(names)),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types, include_columns=list(types), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError):
        return None
    columns: dict[str, Any] = {}
    for name in types:
        column: Any = table[name].combine_chunks()
        if column.null_count or not len(column):
            return None
        if name in nanos:
            # 16 bytes each, the low word first: with a high word of 0 and no sign bit it is the value.
            words = np.frombuffer(column.buffers()[1], np.int64)[2 * column.offset :][: 2 * len(column)]
            if words[1::2].any():
                return None
            column = words[::2]
        elif name in integers:
            column = column.to_numpy()
        if name not in texts and column.min() < 0:
            return None
        columns[name] = column
    return columns


def records(names: Sequence[str], body: bytes) -> Iterator[tuple[int, dict[str, str] | BadField]]:
    """Each record's 1-based number and its fields by name, or what is wrong with it as a whole.

    Each line is one record, so that a stray quote makes only its own line bad.
    """
    number = 0
    for line in body.splitlines():
        if line.strip():
            number += 1
            yield number, _fields(names, line)


def _fields(names: Sequence[str], line: bytes) -> dict[str, str] | BadField:
    try:
        values = next(csv.reader([line.decode()]))
    except UnicodeDecodeError:
        return BadField(None, "is not UTF-8 text")
    except (csv.Error, StopIteration) as error:
        return BadField(None, f"is not a line of CSV: {shown(str(error))}")
    if len(values) != len(names):
        return BadField(None, f"has {len(values)} fields where the header has {len(names)}")
    return dict(zip(names, values, strict=True))
