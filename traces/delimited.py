"""CSV: all at once through Arrow when every row is good, else record by record to name what is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from .errors import TraceError
from .fields import BadField, shown


def split_header(data: bytes) -> tuple[list[str], bytes]:
    """The column names of the first line, and the bytes after it; no names if they are not UTF-8 text."""
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
            raise TraceError(source, f"the header has no column {name!r}; it has {seen}", field=name)
        if names.count(name) > 1:
            raise TraceError(source, f"the header has the column {name!r} more than once", field=name)


def typed_columns(names: Sequence[str], body: bytes, types: dict[str, Any]) -> pa.Table | None:
    """Columns converted by Arrow, or None when any value is absent or of another type.

    Args:
        names: All columns of the file.
        body: What follows the header.
        types: Arrow types of the wanted columns.
    """
    from pyarrow import csv as arrow_csv

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
    table = table.combine_chunks()
    return table if not any(column.null_count for column in table.columns) else None


def records(names: Sequence[str], body: bytes) -> Iterator[tuple[int, dict[str, str] | BadField]]:
    """Each record's 1-based number and its fields by name, or what is wrong with it as a whole.

    A line is a record: a stray quote spoils its own line and no other.
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
