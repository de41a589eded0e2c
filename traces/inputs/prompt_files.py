"""Files of prompts: JSONL, JSON, CSV, Parquet and plain text, compressed or not, single or in a folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..content import Content
from ..errors import InputError
from ..reading.field_checks import BadField, csv_number, shown
from ..reading.files import PARQUET, read_whole
from ..reading.parquet_columns import first_line
from ..reading.surrogates import counted, note, without_halves
from .prompt_rows import KEYS, OUTPUTS, content_of

SUFFIXES = (".jsonl", ".ndjson", ".json", ".txt", ".csv", ".parquet")
_PACKED = (".gz", ".zst")
_BODIES = "payload:"
_TIMES = {"timestamp", "delay", "session_id", "input_length", "hash_ids", "priority"}  # of traces, see replay
_FORMATS = ".jsonl, .json, .txt, .csv or .parquet, or one of them with .gz or .zst"

Row = tuple[dict[str, int], dict[str, Any]]
"""A row: the number of its line or row, with the word "line" or "row"; and its values by key."""


def load_inputs(
    path: str | Path,
    *,
    column: str | None = None,
    passages: int = 1,
    on_note: Callable[[str], None] | None = None,
) -> list[Content]:
    """Read the contents of a file, or of all files of a folder sorted by name.

    A folder with queries.jsonl and passages.jsonl is GenAI-Perf's input of rankings: each query gets the next passages,
    which repeat from the beginning after the last one.

    Args:
        path: A file: .jsonl or .json of objects, .csv or .parquet with columns, .txt with a prompt on each line. The
            format of another file is detected from its beginning. With GenAI-Perf's prefix ``payload:``, unknown keys
            become fields of the request's body.
        column: Key or column of the prompt; None: the known ones, see rows.
        passages: Number of passages for each query of a folder of rankings.
        on_note: Called with each note for the user, such as ignored keys.

    Raises:
        InputError: The file does not exist, or a line has no content; the message names file and line.
        TraceError: A file cannot be read.
    """
    bodies = str(path).startswith(_BODIES)
    path = Path(str(path).removeprefix(_BODIES))
    if not path.is_dir():
        return _file(path, column, on_note, bodies=bodies)
    files = {place.name: place for place in sorted(path.iterdir()) if _suffix(place) in SUFFIXES and place.is_file()}
    if not files:
        raise InputError(str(path), f"is a folder without inputs; {_FORMATS} belong there")
    stems = {name.split(".")[0]: place for name, place in files.items()}
    if {"queries", "passages"} <= stems.keys():
        return _rankings(stems["queries"], stems["passages"], passages, on_note)
    return [content for place in files.values() for content in _file(place, column, on_note, bodies=bodies)]


def _rankings(queries: Path, passages: Path, size: int, on_note: Callable[[str], None] | None) -> list[Content]:
    """Return a content with passages for each query."""
    if size < 1:
        raise InputError("batch size", f"is {size}; it must be at least 1")
    asked = [text for content in _file(queries, None, on_note) for text in _texts(queries, content)]
    given = [text for content in _file(passages, None, on_note) for text in _texts(passages, content)]
    if size > len(given):
        raise InputError(str(passages), f"holds {len(given):,} passages, and each query is to get {size:,}")
    return [
        Content(query=query, texts=tuple(given[(place * size + at) % len(given)] for at in range(size)))
        for place, query in enumerate(asked)
    ]


def _texts(path: Path, content: Content) -> tuple[str, ...]:
    texts = (content.text,) if content.text is not None else content.texts
    if texts is None:
        raise InputError(str(path), "holds a row that is no text; queries and passages are")
    return texts


def _suffix(path: Path) -> str:
    """Return the format suffix of a file's name in lower case, without that of a compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _file(
    path: Path, column: str | None, on_note: Callable[[str], None] | None, *, bodies: bool = False
) -> list[Content]:
    source = str(path)
    if path.is_file() and not path.stat().st_size:
        raise InputError(source, "is empty; a prompt on each line belongs there")
    data, _ = read_whole(path)
    kind = _suffix(path)
    contents: list[Content] = []
    ignored: set[str] = set()
    known = {*KEYS, column}
    with counted() as replaced:
        rows = list(_rows(source, kind, data))
    if replaced.count and on_note is not None:
        on_note(f"{source}: {note(replaced.count)}")
    for place, row in rows:
        try:
            content = content_of(row, column=column, folder=path.parent)
        except BadField as error:
            raise InputError(source, error.problem, field=error.field, **place) from None
        others = row.keys() - known
        if bodies and others - _TIMES:
            fields = {key: row[key] for key in row if key in others - _TIMES}
            content = msgspec.structs.replace(content, payload=fields | (content.payload or {}))
            others &= _TIMES
        ignored.update(map(str, others))
        contents.append(content)
    if not contents:
        raise InputError(source, "holds no rows; a prompt on each line belongs there")
    if ignored and on_note is not None:
        names = ", ".join(sorted(ignored)[:8]) + (", …" if len(ignored) > 8 else "")
        on_note(f"{source}: not looked at: {names} (fields of the request's body go under payload)")
    return contents


def _rows(source: str, kind: str, data: bytes) -> Iterator[Row]:
    """Yield the rows of a file, each with the number of its line or record."""
    if data.startswith(PARQUET):
        return _parquet(source, data)
    if kind == ".parquet":
        raise InputError(source, "is no Parquet file; it does not begin with PAR1")
    if kind == ".csv":
        return _csv(source, data)
    begins = data.lstrip()[:1]
    if kind == ".txt" or (kind not in SUFFIXES and begins not in (b"{", b"[")):
        return _text(source, data)
    if begins == b"[" or (kind == ".json" and not _is_lines(data)):
        return _document(source, data)
    return _lines(source, data)


def _is_lines(data: bytes) -> bool:
    """Return whether the first line is a complete object, so that a .json file has one object per line."""
    try:
        first = msgspec.json.decode(data.lstrip().split(b"\n", 1)[0])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(first, dict) and "data" not in first


def _lines(source: str, data: bytes) -> Iterator[Row]:
    for line, text in enumerate(data.split(b"\n"), 1):
        if text.strip():
            try:
                row = msgspec.json.decode(without_halves(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InputError(source, f"is not JSON: {shown(str(error))}", line=line) from None
            yield {"line": line}, _object(source, row, line=line)


def _document(source: str, data: bytes) -> Iterator[Row]:
    """Yield the objects of a list, or of GenAI-Perf's ``{"data": [...]}``."""
    try:
        document = msgspec.json.decode(without_halves(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(source, f"is not JSON: {shown(str(error))}") from None
    if isinstance(document, dict):
        document = document["data"] if isinstance(document.get("data"), list) else [document]
    if not isinstance(document, list):
        raise InputError(source, "is neither a list of objects nor objects on lines of their own")
    for record, row in enumerate(document, 1):
        yield {"row": record}, _object(source, row, row=record)


def _object(source: str, value: Any, *, line: int | None = None, row: int | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        problem = f'{shown(value)} is not an object; {{"text": "..."}} belongs there'
        raise InputError(source, problem, line=line, row=row)
    return value


def _text(source: str, data: bytes) -> Iterator[Row]:
    for line, raw in enumerate(data.split(b"\n"), 1):
        text = _decoded(source, raw.removesuffix(b"\r"), line)
        if text.strip():
            yield {"line": line}, {"text": text}


def _csv(source: str, data: bytes) -> Iterator[Row]:
    """Yield the records of a CSV with a header; a quoted text may contain line breaks."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    _decoded(source, data, None)
    names = next(csv.reader(io.StringIO(data.split(b"\n", 1)[0].decode().rstrip("\r"))), [])
    try:
        table = arrow.read_csv(
            io.BytesIO(data),
            read_options=arrow.ReadOptions(block_size=len(data) + 1),
            parse_options=arrow.ParseOptions(newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(source, f"is no CSV with a header: {shown(str(error))}") from None
    for record, row in enumerate(table.to_pylist(), 1):
        filled = {key: value for key, value in row.items() if value != ""}
        for key in OUTPUTS:
            if key in filled:
                try:
                    filled[key] = csv_number(key, filled[key])
                except BadField as error:
                    raise InputError(source, error.problem, row=record, field=key) from None
        yield {"row": record}, filled


def _parquet(source: str, data: bytes) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    record = 0
    try:
        for batch in parquet.ParquetFile(pa.BufferReader(data)).iter_batches():
            for row in batch.to_pylist():
                record += 1
                yield {"row": record}, row
    except (pa.ArrowException, OSError) as error:
        raise InputError(source, f"is damaged: {first_line(error)}", row=record + 1) from None


def _decoded(source: str, data: bytes, line: int | None) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(source, f"is not UTF-8 text: {error.reason}", line=line) from None
