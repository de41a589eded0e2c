"""Mooncake's JSONL (FAST'25, Apache-2.0), and the variants of it that AIPerf takes.

``{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, ...]}``: milliseconds
from the start, lengths in tokens, and one id per block of 512 input tokens, the last one part-filled. An id
stands for its block and all before it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..assembly.block_ids import checked_ids, due_blocks
from ..assembly.column_builder import Rows, body, estimated_tokens
from ..reading.field_checks import MAX_NS, MAX_TOKENS, BadRows, duration_ns, token_count
from ..reading.json_lines import decoded, name, needed, read_lines, text
from ..table import Trace

NAME = "mooncake"
ABOUT = "Mooncake's traces, and AIPerf's variants"
LOOKS = "JSONL with timestamp (ms), input_length, output_length, hash_ids"
BLOCK_TOKENS = 512

_MS = 10**6
_STAMP = re.compile(rb'"timestamp"\s*:')
_INPUT = re.compile(rb'"(input_length|text_input|payload)"\s*:')
_BAILIAN = re.compile(rb'"chat_id"\s*:')


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    timestamp: int
    input_length: int
    output_length: int
    hash_ids: list[int]


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format. Bailian's has the same keys and chat_id; its units differ."""
    del path
    return bool(
        head.lstrip().startswith(b"{") and _STAMP.search(head) and _INPUT.search(head) and not _BAILIAN.search(head)
    )


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    bad = BadRows(str(path), skip=skip_bad_rows)
    rows = Rows(bad)
    decoder = msgspec.json.Decoder(_Plain)

    def plain(first: int, batch: bytes) -> int | None:
        records = decoded(decoder, batch)
        if records is None:
            return None
        try:
            stamps = np.array([row.timestamp for row in records], np.int64)
            tokens = np.array([row.input_length for row in records], np.int64)
            wanted = np.array([row.output_length for row in records], np.int64)
        except OverflowError:
            return None
        block_ids = [row.hash_ids for row in records]
        if not (
            _within(stamps, MAX_NS // _MS)
            and _within(tokens, MAX_TOKENS)
            and _within(wanted, MAX_TOKENS)
            and (np.fromiter(map(len, block_ids), np.int64) == due_blocks(tokens, BLOCK_TOKENS, "ceil")).all()
        ):
            return None
        rows.extend(first, arrival_ns=stamps * _MS, input_tokens=tokens, output_tokens=wanted, block_ids=block_ids)
        return len(records)

    def careful(number: int, record: dict[str, Any]) -> None:
        recorded = _recorded(record)
        tokens, estimated = _input_tokens(record, recorded)
        delay = record.get("delay")
        rows.append(
            number,
            arrival_ns=duration_ns("timestamp", needed(record, "timestamp"), _MS),
            input_tokens=tokens,
            output_tokens=_output_tokens(record),
            block_ids=checked_ids("hash_ids", record.get("hash_ids"), tokens, BLOCK_TOKENS, "ceil"),
            session_id=name("session_id", record.get("session_id")),
            think_ns=None if delay is None else duration_ns("delay", delay, _MS),
            estimated=estimated,
            **recorded,
        )

    digest, notes = read_lines(path, bad, plain=plain, careful=careful)
    return rows.trace(format=NAME, digest=digest, notes=notes, block_tokens=BLOCK_TOKENS, unit_ns=_MS)


def _within(values: NDArray[np.int64], most: int) -> bool:
    return not len(values) or bool(0 <= values.min() <= values.max() <= most)


def _recorded(record: dict[str, Any]) -> dict[str, Any]:
    """Return the recorded prompt of a row, if it has one: a whole request, its messages, or its text."""
    if record.get("payload") is not None:
        return {"body": body("payload", record["payload"])}
    if record.get("messages") is not None:
        return {"body": body("messages", {"messages": record["messages"]})}
    if record.get("text_input") is not None:
        return {"text": text("text_input", record["text_input"])}
    return {}


def _input_tokens(record: dict[str, Any], recorded: dict[str, Any]) -> tuple[int, bool]:
    """Return the length of a row's prompt in tokens, and whether it is an estimate."""
    if recorded and "input_length" not in record:
        prompt = recorded["text"] if "text" in recorded else recorded["body"].decode()
        return estimated_tokens(prompt), True
    return token_count("input_length", needed(record, "input_length")), False


def _output_tokens(record: dict[str, Any]) -> int:
    payload = record.get("payload")
    if "output_length" not in record and isinstance(payload, dict):
        for field in ("max_completion_tokens", "max_tokens"):
            if payload.get(field) is not None:
                return token_count(field, payload[field])
    return token_count("output_length", needed(record, "output_length"))
