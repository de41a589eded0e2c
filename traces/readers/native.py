"""Tokentape's own trace file: Parquet of TRACE_SCHEMA, integers as deltas, with zstd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ..errors import TraceError
from ..graph.sessions import check_parents
from ..reading.field_checks import MAX_TOKENS
from ..reading.files import PARQUET, read_whole
from ..reading.parquet_columns import list_column
from ..recorded.headers import check_headers
from ..table import TRACE_SCHEMA, Rounding, Trace, one_array

NAME = "native"
ABOUT = "Tokentape's own format"
LOOKS = "Parquet written by Tokentape"
VERSION = 2

_KEY = b"tokentape.trace"
_DELTA = ("arrival_ns", "input_tokens", "output_tokens", "turn", "parent", "think_ns", "source_row")
_LISTS = ("block_ids", "token_ids")
_JOINS = "also_after.list.element"


class _About(msgspec.Struct):
    version: int
    format: str
    block_tokens: int | None
    block_rounding: Rounding
    notes: list[str]
    transforms: list[str]
    skipped_rows: int
    origin_ns: int = 0


def write_native(trace: Trace, path: str | Path) -> None:
    """Write a trace as Parquet; reading it back gives the same table, notes and history.

    Args:
        trace: The trace.
        path: The file, replaced if it exists.

    Raises:
        TraceError: The file cannot be written.
    """
    from pyarrow import parquet

    about = _About(
        version=VERSION,
        format=trace.format,
        block_tokens=trace.block_tokens,
        block_rounding=trace.block_rounding,
        notes=list(trace.notes),
        transforms=list(trace.transforms),
        skipped_rows=trace.skipped_rows,
        origin_ns=trace.origin_ns,
    )
    columns: Any = ["session_id", "model"]
    lists = (f"{name}.list.element" for name in _LISTS)
    encodings = dict.fromkeys((*_DELTA, _JOINS, *lists), "DELTA_BINARY_PACKED")
    table = trace.table.replace_schema_metadata({_KEY: msgspec.json.encode(about)})
    try:
        parquet.write_table(
            table,
            path,
            compression="zstd",
            use_dictionary=columns,
            column_encoding=encodings,
        )
    except OSError as error:
        raise TraceError(str(path), f"cannot be written: {error.strerror or error}") from None


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file is Parquet; whose it is stands in its footer."""
    del path
    return head.startswith(PARQUET)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file that write_native wrote.

    Args:
        path: The file.
        skip_bad_rows: Has no effect: Tokentape writes no bad rows, and a damaged file is refused.

    Raises:
        TraceError: The file is damaged, was written by a newer version, or is other Parquet.
    """
    del skip_bad_rows
    from pyarrow import parquet

    source = str(path)
    data, digest = read_whole(path)
    broken = (pa.ArrowException, OSError, ValueError, MemoryError)
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        schema = file.schema_arrow
    except broken as error:
        raise TraceError(source, f"is not a whole Parquet file: {_first_line(error)}") from None
    about = _about(source, (schema.metadata or {}).get(_KEY))
    if not _fits(schema):
        raise TraceError(source, f"has other columns than a trace: {', '.join(schema.names)[:200]}")
    try:
        flat = file.read([name for name in schema.names if name not in _LISTS])
        columns = {name: flat[name] for name in flat.column_names}
        columns |= {name: list_column(source, file, name) for name in _LISTS if name in schema.names}
        rows = file.metadata.num_rows
        arrays = [columns[at.name] if at.name in columns else pa.nulls(rows, at.type) for at in TRACE_SCHEMA]
        table = pa.Table.from_arrays(arrays, schema=TRACE_SCHEMA)
    except broken as error:
        raise TraceError(source, f"is damaged: {_first_line(error)}") from None
    _check(source, table, about)
    return Trace(
        table=table,
        format=about.format,
        source=source,
        digest=digest,
        block_tokens=about.block_tokens,
        block_rounding=about.block_rounding,
        notes=tuple(about.notes),
        transforms=tuple(about.transforms),
        skipped_rows=about.skipped_rows,
        origin_ns=about.origin_ns,
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _about(source: str, metadata: bytes | None) -> _About:
    if metadata is None:
        raise TraceError(source, "is Parquet, but no trace that Tokentape wrote: its metadata lacks tokentape.trace")
    try:
        about = msgspec.json.decode(metadata, type=_About)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TraceError(source, f"has damaged metadata: {error}") from None
    if about.version != VERSION:
        raise TraceError(source, f"is a trace of version {about.version}; this program reads version {VERSION}")
    return about


def _fits(schema: Any) -> bool:
    """Return whether the columns are a trace's. One that is younger than the file may be absent."""
    known = {field.name: field for field in TRACE_SCHEMA}
    return (
        len(set(schema.names)) == len(schema.names)
        and all(field.name in known and known[field.name] == field for field in schema.remove_metadata())
        and all(field.nullable or field.name in schema.names for field in TRACE_SCHEMA)
    )


def _check(source: str, table: pa.Table, about: _About) -> None:
    """Return what every reader promises of its table must hold of a file from disk too."""
    if not table.num_rows:
        raise TraceError(source, "holds no rows")
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise TraceError(source, f"is damaged: {_first_line(error)}") from None
    for name in ("arrival_ns", "input_tokens", "output_tokens", "turn", "source_row"):
        column = table[name]
        if column.null_count:
            raise TraceError(source, "has rows without a value", field=name, kind="column")
        values = column.to_numpy()
        most = MAX_TOKENS if name.endswith("_tokens") else None
        _refuse(source, name, values < 0, "is negative")
        if most is not None:
            _refuse(source, name, values > most, "is over 100 million tokens")
    _refuse(
        source,
        "arrival_ns",
        np.diff(table["arrival_ns"].to_numpy(), prepend=0) < 0,
        "lies before the row above",
    )
    if table["block_ids"].null_count < len(table) and (about.block_tokens is None or about.block_tokens < 1):
        raise TraceError(source, "has block ids and no block size", field="block_ids", kind="column")
    for name in ("block_ids", "token_ids", "also_after"):
        lists: Any = one_array(table[name])
        ids = lists.flatten()
        if ids.null_count or (len(ids) and int(ids.to_numpy().min()) < 0):
            raise TraceError(source, "has a null or negative id", field=name, kind="column")
    think = table["think_ns"].combine_chunks()
    _refuse(source, "think_ns", think.fill_null(0).to_numpy(zero_copy_only=False) < 0, "is negative")
    check_headers(source, table["headers"])
    check_parents(source, table)


def _refuse(source: str, name: str, wrong: Any, problem: str) -> None:
    if wrong.any():
        raise TraceError(source, problem, row=int(np.argmax(wrong)) + 1, field=name, kind="column")
