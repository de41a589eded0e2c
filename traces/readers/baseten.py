"""Baseten's Parquet of served requests.

``timestamp_start_unix_ms``, ``prompt``, ``input_tokens``, ``output_tokens``, ``provided_session_id``,
``total_hashes`` (a hash per block of ``block_size`` tokens), ``request_canceled``, ``duration_e2e_ms``,
``duration_ttft_ms``. Think times are what lies between the end of a session's request and the next one's start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..assembly.block_ids import due_blocks, wrong_count
from ..assembly.column_builder import NONE, Rows
from ..assembly.trace_builder import rows_text
from ..reading.field_checks import BadField, BadRows, duration_ns, token_count
from ..reading.json_lines import name, needed, text
from ..reading.parquet_columns import ParquetTrace, parquet_names
from ..table import Rounding, Trace

NAME = "baseten"
ABOUT = "Baseten's table of served requests"
LOOKS = "Parquet with timestamp_start_unix_ms, input_tokens, output_tokens"

_NEEDED = ("timestamp_start_unix_ms", "input_tokens", "output_tokens")
_OPTIONAL = ("prompt", "provided_session_id", "total_hashes", "block_size", "request_canceled", "duration_e2e_ms")
_MS = 10**6


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file is Parquet with these columns."""
    return set(_NEEDED) <= set(parquet_names(head, path))


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    file = ParquetTrace(path, _NEEDED, _OPTIONAL)
    bad = BadRows(file.source, skip=skip_bad_rows, kind="column")
    rows = Rows(bad)
    blocks = _Blocks()
    canceled = 0
    for first, batch in file.batches():
        for number, record in enumerate(batch, first):
            try:
                rows.append(number, **_row(record, blocks))
            except BadField as error:
                bad.add(number, error)
                continue
            canceled += record.get("request_canceled") is True
    notes = []
    if canceled:
        had = "was canceled by its" if canceled == 1 else "were canceled by their"
        notes.append(f"{rows_text(canceled)} {had} client; replayed whole, with the output that was recorded")
    return rows.trace(
        format=NAME,
        digest=file.digest,
        notes=notes,
        unit_ns=_MS,
        block_tokens=blocks.size,
        block_rounding=blocks.rounding,
        blocks_field="total_hashes",
        stamp_field=_NEEDED[0],
    )


class _Blocks:
    """Blocks' size and rounding, which must be the same for all rows, and a small number for each hash."""

    def __init__(self) -> None:
        self.size: int | None = None
        self.rounding: Rounding = "ceil"
        self._settled = False
        self._numbers: dict[Any, int] = {}

    def ids(self, record: dict[str, Any], tokens: int) -> list[int] | None:
        """The block ids of a row, None where it has none."""
        hashes = record.get("total_hashes")
        if not isinstance(hashes, list):
            return None
        size = token_count("block_size", needed(record, "block_size"))
        if not size or self.size not in (None, size):
            before = f" after {self.size} in the rows before" if self.size else ""
            raise BadField("block_size", f"is {size}{before}; one number of tokens from 1 up belongs in all rows")
        if any(one is None or isinstance(one, (list, dict)) for one in hashes):
            raise BadField("total_hashes", "holds something else than hashes")
        up, down = due_blocks(tokens, size, "ceil"), due_blocks(tokens, size, "floor")
        if up != down and not self._settled and len(hashes) in (up, down):
            self.rounding, self._settled = "ceil" if len(hashes) == up else "floor", True
        if len(hashes) != due_blocks(tokens, size, self.rounding):
            raise BadField("total_hashes", wrong_count(len(hashes), tokens, size, self.rounding))
        self.size = size
        return [self._numbers.setdefault(one, len(self._numbers)) for one in hashes]


def _row(record: dict[str, Any], blocks: _Blocks) -> dict[str, Any]:
    arrival = duration_ns(_NEEDED[0], needed(record, _NEEDED[0]), _MS)
    tokens = token_count("input_tokens", needed(record, "input_tokens"))
    took, prompt = record.get("duration_e2e_ms"), record.get("prompt")
    return {
        "arrival_ns": arrival,
        "input_tokens": tokens,
        "output_tokens": token_count("output_tokens", needed(record, "output_tokens")),
        "session_id": name("provided_session_id", record.get("provided_session_id")),
        "text": None if prompt is None else text("prompt", prompt),
        "end_ns": NONE if took is None else arrival + duration_ns("duration_e2e_ms", took, _MS),
        "block_ids": blocks.ids(record, tokens),
    }
