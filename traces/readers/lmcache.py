"""LMCache's agent sessions: JSONL of full texts.

``{"timestamp": 1760587752017385, "input": "...", "output": "...", "session_id": "09867e5c"}``: microseconds
since 1970, not sorted; the input is the whole context of a request. Token counts are not recorded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..assembly.column_builder import Rows, estimated_tokens
from ..reading.field_checks import MAX_NS, BadRows, duration_ns
from ..reading.json_lines import decoded, name, needed, read_lines, text
from ..table import Trace

NAME = "lmcache"
ABOUT = "LMCache's sessions of agents, with full text"
LOOKS = "JSONL with timestamp (µs since 1970), input, output, session_id"

_US = 10**3
_KEYS = tuple(re.compile(rb'"%s"\s*:' % key) for key in (b"timestamp", b"input", b"output", b"session_id"))


class _Plain(msgspec.Struct, gc=False):
    timestamp: int
    input: str
    output: str
    session_id: str


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format; long texts may push its later keys out of sight."""
    del path
    seen = sum(key.search(head) is not None for key in _KEYS)
    whole = head.find(b"\n") >= 0
    return head.lstrip().startswith(b"{") and (
        seen == 4 or (not whole and seen >= 2 and _KEYS[1].search(head) is not None)
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
        if records is None or not all(0 <= row.timestamp <= MAX_NS // _US for row in records):
            return None
        if not all(row.session_id.isprintable() for row in records):
            return None
        rows.extend(
            first,
            estimated=len(records),
            arrival_ns=[row.timestamp * _US for row in records],
            input_tokens=[estimated_tokens(row.input) for row in records],
            output_tokens=[estimated_tokens(row.output) for row in records],
            session_id=[row.session_id for row in records],
            text=[row.input for row in records],
        )
        return len(records)

    def careful(number: int, record: dict[str, Any]) -> None:
        prompt = text("input", needed(record, "input"))
        rows.append(
            number,
            estimated=True,
            arrival_ns=duration_ns("timestamp", needed(record, "timestamp"), _US),
            input_tokens=estimated_tokens(prompt),
            output_tokens=estimated_tokens(text("output", needed(record, "output"))),
            session_id=name("session_id", record.get("session_id")),
            text=prompt,
        )

    digest, notes = read_lines(path, bad, plain=plain, careful=careful)
    return rows.trace(format=NAME, digest=digest, notes=notes, unit_ns=_US)
