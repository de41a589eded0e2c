"""Any CSV, JSONL or Parquet whose columns are named by the user, with their units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..assembly.block_ids import checked_ids
from ..assembly.column_builder import Rows, estimated_tokens
from ..reading.column_map import Column, parse_mapping
from ..reading.csv_rows import records, require_columns, split_header
from ..reading.field_checks import BadField, BadRows, csv_number, duration_ns, shown, stamp_ns, token_count
from ..reading.files import PARQUET, read_head, read_whole
from ..reading.json_lines import name, needed, read_lines, text
from ..reading.parquet_columns import ParquetTrace
from ..table import Trace

NAME = "mapped"

_NUMBERS = ("timestamp", "input_tokens", "output_tokens", "think", "duration")
_BETWEEN = re.compile(r"[\s,;]+")


def read(path: Path, *, mapping: str | Mapping[str, str], skip_bad_rows: bool = False, format: str = NAME) -> Trace:
    """Read a file by the names of its columns.

    Args:
        path: The file.
        mapping: See parse_mapping.
        skip_bad_rows: Count bad rows and leave them out.
        format: Name of the format in the trace.

    Raises:
        TraceError: The mapping, the file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    columns = parse_mapping(source, mapping)
    head = read_head(path)
    is_json = head.lstrip().startswith(b"{")
    bad = BadRows(source, skip=skip_bad_rows, kind="field" if is_json else "column")
    rows = Rows(bad)

    def careful(number: int, record: dict[str, Any]) -> None:
        rows.append(number, **_row(columns, record))

    notes: list[str] = []
    if head.startswith(PARQUET):
        digest = _parquet(path, columns, bad, careful)
    elif is_json:
        digest, notes = read_lines(path, bad, plain=lambda first, batch: None, careful=careful)
    else:
        digest = _csv(path, columns, bad, careful)
    blocks = columns.get("block_ids")
    stamp = columns["timestamp"]
    return rows.trace(
        format=format,
        digest=digest,
        notes=notes,
        unit_ns=stamp.unit_ns or 1,
        block_tokens=blocks.block_tokens if blocks else None,
        block_rounding=blocks.block_rounding if blocks else "ceil",
        blocks_field=blocks.name if blocks else "block_ids",
        stamp_field=stamp.name,
        named_unit=True,
    )


def _csv(path: Path, columns: dict[str, Column], bad: BadRows, careful: Any) -> str:
    data, digest = read_whole(path)
    names, body = split_header(data)
    require_columns(str(path), names, [column.name for column in columns.values()])
    for number, fields in records(names, body):
        try:
            if isinstance(fields, BadField):
                raise fields
            careful(number, {**fields, **_typed(columns, fields)})
        except BadField as error:
            bad.add(number, error)
    return digest


def _typed(columns: dict[str, Column], fields: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a CSV row with the types that JSON would give them."""
    typed: dict[str, Any] = {}
    for target, column in columns.items():
        value = fields[column.name].strip()
        if target in _NUMBERS and (target != "timestamp" or column.unit_ns):
            optional = target in ("think", "duration") and not value
            typed[column.name] = (
                None
                if optional
                else csv_number(column.name, value, "a whole number" if target.endswith("_tokens") else "a number")
            )
        elif target == "block_ids":
            typed[column.name] = _id_list(column.name, value)
        elif target != "text":
            typed[column.name] = value or None
    return typed


def _id_list(field: str, value: str) -> list[int] | None:
    """Block ids in a CSV's field: a JSON list, or numbers with spaces, commas or semicolons between them."""
    if not value:
        return None
    try:
        return [int(item) for item in _BETWEEN.split(value.strip("[] \t")) if item]
    except ValueError:
        raise BadField(field, f"{shown(value)} is not a list of block ids") from None


def _parquet(path: Path, columns: dict[str, Column], bad: BadRows, careful: Any) -> str:
    file = ParquetTrace(path, sorted({column.name for column in columns.values()}))
    for first, batch in file.batches():
        for number, record in enumerate(batch, first):
            try:
                careful(number, record)
            except BadField as error:
                bad.add(number, error)
    return file.digest


def _row(columns: dict[str, Column], record: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    stamp = columns["timestamp"]
    value = needed(record, stamp.name)
    if stamp.unit_ns:
        row["arrival_ns"] = duration_ns(stamp.name, value, stamp.unit_ns)
    else:
        row["arrival_ns"] = stamp_ns(stamp.name, text(stamp.name, value))
    prompt = record.get(columns["text"].name) if "text" in columns else None
    if prompt is not None:
        row["text"] = text(columns["text"].name, prompt)
    if "input_tokens" in columns:
        length = columns["input_tokens"].name
        row["input_tokens"] = token_count(length, needed(record, length))
    else:
        row["input_tokens"] = estimated_tokens(text(columns["text"].name, prompt))
        row["estimated"] = True
    length = columns["output_tokens"].name
    row["output_tokens"] = token_count(length, needed(record, length))
    for target in ("session_id", "model"):
        if target in columns:
            row[target] = name(columns[target].name, record.get(columns[target].name))
    for target, key, start in (("think", "think_ns", 0), ("duration", "end_ns", row["arrival_ns"])):
        column = columns.get(target)
        if column is not None and record.get(column.name) is not None:
            row[key] = start + duration_ns(column.name, record[column.name], column.unit_ns)
    blocks = columns.get("block_ids")
    if blocks is not None:
        ids, size = record.get(blocks.name), blocks.block_tokens
        row["block_ids"] = checked_ids(blocks.name, ids, row["input_tokens"], size, blocks.block_rounding)
    return row
