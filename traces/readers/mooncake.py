"""Mooncake's JSONL (FAST'25, Apache-2.0), and the variants of it that AIPerf takes.

``{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}``: milliseconds
from the start, lengths in tokens, and one id per block of 512 input tokens, the last one part-filled. An id
stands for its block and all before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ..assemble import assemble, block_lists, rows_text
from ..errors import TraceError
from ..fields import MAX_NS, MAX_TOKENS, BadField, BadRows, duration_ns, shown, token_count
from ..files import read_whole
from ..table import Trace

NAME = "mooncake"
LOOKS = "JSONL with timestamp (ms), input_length, output_length, hash_ids"
BLOCK_TOKENS = 512

_MS = 10**6
_KEYS = re.compile(rb'"timestamp"\s*:'), re.compile(rb'"input_length"\s*:')
_BAILIAN = re.compile(rb'"chat_id"\s*:')
_TEXT = ("text_input", "messages", "payload")


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    timestamp: int
    input_length: int
    output_length: int
    hash_ids: list[int]


class _Columns(NamedTuple):
    row: list[int]
    arrival_ns: list[int]
    input_tokens: list[int]
    output_tokens: list[int]
    hash_ids: list[list[int] | None]
    session: list[str | None]
    think_ns: list[int | None]


def matches(head: bytes, path: Path) -> bool:
    """Whether the file begins like this format. Bailian's has the same keys and chat_id; its units differ."""
    del path
    return head.lstrip().startswith(b"{") and all(k.search(head) for k in _KEYS) and not _BAILIAN.search(head)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    notes: list[str] = []
    columns = _plain(data)
    if columns is None:
        columns = _careful(data, bad, notes)
    notes[:0] = bad.notes(len(columns.row))
    if not columns.row:
        raise TraceError(source, "holds no records; a trace has one JSON object per line and request")
    optional: dict[str, Any] = {}
    sessions = any(session is not None for session in columns.session)
    if sessions:
        optional["session_id"] = pa.array(columns.session, pa.string())
    if any(think is not None for think in columns.think_ns):
        optional["think_ns"] = pa.array(columns.think_ns, pa.int64())
    shared = any(ids is not None for ids in columns.hash_ids)
    if shared:
        optional["block_ids"], renumbered = block_lists(columns.hash_ids)
        if renumbered:
            notes.append("hash_ids beyond 0 to 2,147,483,647 were numbered anew; equal ids stay equal")
    else:
        notes.append("no row has hash_ids: the prompts will share nothing")
    return assemble(
        source=source,
        format=NAME,
        digest=digest,
        arrival_ns=np.array(columns.arrival_ns, np.int64),
        input_tokens=np.array(columns.input_tokens, np.int64),
        output_tokens=np.array(columns.output_tokens, np.int64),
        source_row=np.array(columns.row, np.int64),
        optional=optional,
        turns=sessions,
        block_tokens=BLOCK_TOKENS if shared else None,
        notes=notes,
        skipped_rows=bad.count,
    )


def _plain(data: bytes) -> _Columns | None:
    """The public files' rows, quickly; None for a file that needs a closer look, for whatever reason."""
    try:
        rows = msgspec.json.Decoder(_Plain).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for row in rows:
        tokens = row.input_length
        if (
            len(row.hash_ids) != -(-tokens // BLOCK_TOKENS)
            or not 0 <= row.timestamp <= MAX_NS // _MS
            or not 0 <= tokens <= MAX_TOKENS
            or not 0 <= row.output_length <= MAX_TOKENS
        ):
            return None
    n = len(rows)
    return _Columns(
        row=list(range(1, n + 1)),
        arrival_ns=[row.timestamp * _MS for row in rows],
        input_tokens=[row.input_length for row in rows],
        output_tokens=[row.output_length for row in rows],
        hash_ids=[row.hash_ids for row in rows],
        session=[None] * n,
        think_ns=[None] * n,
    )


def _careful(data: bytes, bad: BadRows, notes: list[str]) -> _Columns:
    """The rows one by one, to name the row and the field that are wrong, and to take the variants in."""
    columns = _Columns([], [], [], [], [], [], [])
    bare = 0  # rows without hash_ids
    texts = 0
    for number, line, cut in _records(data):
        try:
            record = _object(line, cut)
            arrival = duration_ns("timestamp", _needed(record, "timestamp"), _MS)
            tokens = token_count("input_length", _needed(record, "input_length"))
            wanted = token_count("output_length", _needed(record, "output_length"))
            ids = _hash_ids(record.get("hash_ids"), tokens)
            session = _session(record.get("session_id"))
            delay = record.get("delay")
            think = None if delay is None else duration_ns("delay", delay, _MS)
        except BadField as error:
            bad.add(number, error)
            continue
        columns.row.append(number)
        columns.arrival_ns.append(arrival)
        columns.input_tokens.append(tokens)
        columns.output_tokens.append(wanted)
        columns.hash_ids.append(ids)
        columns.session.append(session)
        columns.think_ns.append(think)
        texts += any(key in record for key in _TEXT)
        if ids is None:
            bare += 1
    if 0 < bare < len(columns.row):
        columns = _without_bare(columns, bad)
    if texts:
        notes.append(f"{rows_text(texts)} with recorded text: the lengths are replayed, the text itself is not")
    return columns


def _without_bare(columns: _Columns, bad: BadRows) -> _Columns:
    """Drop the rows that lack hash_ids from a file where others have them."""
    kept = []
    for index, ids in enumerate(columns.hash_ids):
        if ids is None:
            problem = "is missing, and other rows have it; a list of block ids belongs there"
            bad.add(columns.row[index], BadField("hash_ids", problem))
        else:
            kept.append(index)
    chosen: Any = ([column[i] for i in kept] for column in columns)
    return _Columns(*chosen)


def _records(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Each record's number and text, and whether the file ends in it without a line break."""
    lines = data.split(b"\n")
    number = 0
    for index, line in enumerate(lines):
        if line.strip():
            number += 1
            yield number, line, index == len(lines) - 1


def _object(line: bytes, cut: bool) -> dict[str, Any]:
    try:
        record = json.loads(line.decode(), parse_float=Decimal)
    except UnicodeDecodeError:
        raise BadField(None, "is not UTF-8 text") from None
    except InvalidOperation:
        raise BadField(None, "holds a number that is out of all bounds") from None
    except RecursionError:
        raise BadField(None, "is nested too deeply; a flat JSON object belongs there") from None
    except ValueError as error:
        if cut:
            raise BadField(
                None,
                "is cut off where the file ends; complete it, or leave the row out with --skip-bad-rows",
            ) from None
        raise BadField(None, f"is not JSON: {shown(str(error))}") from None
    if not isinstance(record, dict):
        raise BadField(None, f"{shown(record)} is not a JSON object with {', '.join(_Plain.__struct_fields__)}")
    return record


def _needed(record: dict[str, Any], field: str) -> Any:
    if field not in record:
        raise BadField(field, f"is missing; the row has {shown(', '.join(map(str, record)) or 'no fields')}")
    return record[field]


def _session(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        if isinstance(value, str) and not value.isprintable():
            raise BadField("session_id", f"{shown(value)} holds unprintable characters")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 200:
        return str(value)
    raise BadField("session_id", f"{shown(value)} is not a name or a whole number")


def _hash_ids(value: Any, tokens: int) -> list[int] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadField("hash_ids", f"{shown(value)} is not a list of block ids")
    for index, block in enumerate(value):
        if not isinstance(block, int) or isinstance(block, bool):
            raise BadField("hash_ids", f"entry {index + 1}, {shown(block)}, is not a whole number")
    due = -(-tokens // BLOCK_TOKENS)
    if len(value) != due:
        raise BadField(
            "hash_ids",
            f"has {len(value):,} for {tokens:,} input tokens; "
            f"blocks of {BLOCK_TOKENS} rounded up make {due:,}" + _fitting(tokens, len(value)),
        )
    return value


def _fitting(tokens: int, ids: int) -> str:
    """Which usual block size would explain a number of ids."""
    for size in (16, 32, 64, 128, 256, 512, 1024, 2048):
        for name, count in (("up", -(-tokens // size)), ("down", tokens // size)):
            if count == ids:
                return f"; blocks of {size} rounded {name} would fit"
    return "; no usual block size would fit"
