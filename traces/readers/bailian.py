"""Bailian's JSONL (Alibaba Cloud's Qwen traces).

``{"chat_id": 159, "parent_chat_id": 55, "timestamp": 61.114, "input_length": 521, "output_length": 132,
"type": "text", "turn": 2, "hash_ids": [1089, 1090, ...]}``: **seconds** from the start, one id per block of 16
input tokens, the last one part-filled; a row holds its whole context. ``parent_chat_id`` is -1 for a chat's first.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ..assembly.block_ids import checked_ids, due_blocks
from ..assembly.column_builder import NONE, Rows
from ..reading.field_checks import MAX_TOKENS, BadField, BadRows, duration_ns, shown, token_count
from ..reading.json_lines import decoded, needed, read_lines
from ..table import Trace

NAME = "bailian"
ABOUT = "Alibaba Cloud's Qwen traces (Bailian)"
LOOKS = "JSONL with chat_id, parent_chat_id, timestamp (s), input_length, output_length, hash_ids"
BLOCK_TOKENS = 16

_S = 10**9
_ID_MAX = 2**62
_KEYS = tuple(re.compile(rb'"%s"\s*:' % key) for key in (b"chat_id", b"timestamp", b"input_length"))


class _Plain(msgspec.Struct, gc=False):
    chat_id: int
    parent_chat_id: int
    timestamp: int | Decimal
    input_length: int
    output_length: int
    hash_ids: list[int]


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return head.lstrip().startswith(b"{") and all(key.search(head) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out; a row whose parent is missing starts anew.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    bad = BadRows(str(path), skip=skip_bad_rows)
    rows = Rows(bad)
    decoder = msgspec.json.Decoder(_Plain)

    def plain(first: int, batch: bytes) -> int | None:
        records = decoded(decoder, batch)
        if records is None or not all(map(_sound, records)):
            return None
        try:
            arrival = [duration_ns("timestamp", row.timestamp, _S) for row in records]
        except BadField:
            return None
        rows.extend(
            first,
            arrival_ns=arrival,
            input_tokens=[row.input_length for row in records],
            output_tokens=[row.output_length for row in records],
            block_ids=[row.hash_ids for row in records],
            key=[row.chat_id for row in records],
            follows=[row.parent_chat_id if row.parent_chat_id >= 0 else NONE for row in records],
        )
        return len(records)

    def careful(number: int, record: dict[str, Any]) -> None:
        tokens = token_count("input_length", needed(record, "input_length"))
        before = _chat("parent_chat_id", needed(record, "parent_chat_id"))
        rows.append(
            number,
            arrival_ns=duration_ns("timestamp", needed(record, "timestamp"), _S),
            input_tokens=tokens,
            output_tokens=token_count("output_length", needed(record, "output_length")),
            block_ids=checked_ids("hash_ids", record.get("hash_ids"), tokens, BLOCK_TOKENS, "ceil"),
            key=_chat("chat_id", needed(record, "chat_id")),
            follows=before if before >= 0 else NONE,
        )

    digest, notes = read_lines(path, bad, plain=plain, careful=careful)
    return rows.trace(format=NAME, digest=digest, notes=notes, block_tokens=BLOCK_TOKENS, unit_ns=_S)


def _sound(row: _Plain) -> bool:
    tokens = row.input_length
    return (
        0 <= tokens <= MAX_TOKENS
        and len(row.hash_ids) == due_blocks(tokens, BLOCK_TOKENS, "ceil")
        and 0 <= row.output_length <= MAX_TOKENS
        and 0 <= row.chat_id <= _ID_MAX
        and -1 <= row.parent_chat_id <= _ID_MAX
    )


def _chat(field: str, value: Any) -> int:
    least = -1 if field == "parent_chat_id" else 0
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _ID_MAX:
        raise BadField(field, f"{shown(value)} is not a chat's number, from {least} up")
    return value
